"""The log: what happened, an event a line of JSON, a file for each day; and no secret that is known leaves the process.

A log is a help and no data: what cannot be written is not, and nothing else fails because of it.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from threading import Lock
from types import TracebackType
from typing import Any, Self, TextIO
from urllib.parse import quote

_NAME = re.compile(r"bedrot-(\d{4}-\d\d-\d\d)\.jsonl")
_BLOT = "…"
_SHORTEST = 6
"""Shorter texts are no secrets: they stand in other words."""
_LONGEST = 2_000
_LARGEST = 64 << 20
"""Bytes of one day's log: what comes beyond them is no help any more."""


class Kind(StrEnum):
    """What an event is about."""

    EXTRACTION = "extraction"
    VALIDATION = "validation"
    TRANSFORMATION = "transformation"
    LOADING = "loading"
    ERROR = "error"


@dataclass
class Log:
    """A process's events in the folder of a lake's logs, as a context; an error that passes through is one of them.

    Files older than `days` are removed when the first event is written. `bound` goes with every event; `ends` are
    errors by which a command ends that has said already what is wrong.
    """

    folder: Path
    days: int = 90
    ends: tuple[type[BaseException], ...] = ()
    bound: dict[str, Any] = field(default_factory=dict)
    _swept: bool = False

    def __enter__(self) -> Self:
        self._process = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(3)}"
        _open.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, self.ends):
            self.note(Kind.ERROR, type(error).__name__, _told(error))
        _open.remove(self)

    def note(self, kind: Kind, event: str, facts: dict[str, Any]) -> None:
        """Write an event, on one line."""
        now = datetime.now(UTC)
        told = {"at": now.isoformat(timespec="milliseconds"), "kind": kind, "event": event, "process": self._process}
        told |= {"command": _command[-1]} | self.bound | facts
        line = json.dumps(
            {name: _clean(one) for name, one in told.items() if one not in ("", None)}, ensure_ascii=False
        )
        with _writing, suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            self._sweep(now)
            path = self.folder / f"bedrot-{now:%Y-%m-%d}.jsonl"
            with path.open("ab", buffering=0) as out:
                if out.tell() < _LARGEST:
                    out.write(f"{line}\n".encode(errors="backslashreplace"))

    def _sweep(self, now: datetime) -> None:
        """Remove the logs of days long past, once."""
        if self._swept:
            return
        self._swept = True
        oldest = f"{now - timedelta(days=self.days):%Y-%m-%d}"
        for path in self.folder.iterdir():
            if (named := _NAME.fullmatch(path.name)) and named[1] < oldest:
                path.unlink()


_open: list[Log | None] = []
_command = [""]
_writing = Lock()
_hidden: dict[str, None] = {}
"""The forms of all secrets that this process knows, the longest first."""


def note(kind: Kind, event: str, **facts: Any) -> None:
    """Write an event to the log that is open, if one is."""
    if _open and (log := _open[-1]):
        log.note(kind, event, facts)


@contextmanager
def silence() -> Iterator[None]:
    """A context in which nothing is logged: what is only tried has not happened."""
    _open.append(None)
    try:
        yield
    finally:
        _open.pop()


def name_command(name: str) -> None:
    """Say which command this process is."""
    _command[-1] = name


def bind(**facts: Any) -> None:
    """Let facts go with every later event of the log that is open."""
    if _open and (log := _open[-1]):
        log.bound |= facts


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """All events of a folder of logs, the oldest first; lines that are not whole are left out."""
    for path in sorted(folder.glob("bedrot-*.jsonl")):
        with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                with suppress(ValueError):
                    told = json.loads(line)
                    if isinstance(told, dict) and {"at", "kind", "event"} <= told.keys():
                        yield told


def hide(secrets: Iterable[str]) -> None:
    """Let texts that leave this process, logs and what is printed, show none of these secrets in any usual form."""
    found = {form for one in secrets if len(one) >= _SHORTEST for form in _forms(one)}
    together = sorted(found | _hidden.keys(), key=len, reverse=True)
    _hidden.clear()
    _hidden.update(dict.fromkeys(together))


def redacted(text: str) -> str:
    """A text without the secrets."""
    for one in _hidden:
        if one in text:
            text = text.replace(one, _BLOT)
    return text


class Redacting:
    """A stream of text that shows no secret; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without the secrets."""
        self._stream.write(redacted(text) if _hidden else text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts without the secrets."""
        for one in lines:
            self.write(one)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def discreet_streams() -> Iterator[None]:
    """A context in which nothing that is printed shows a secret."""
    out, err = Redacting(sys.stdout), Redacting(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        yield


def _clean(value: Any) -> Any:
    """A value as JSON takes it, its texts without the secrets and not too long."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {redacted(str(name)): _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return redacted(str(value))[:_LONGEST]


def _forms(secret: str) -> Iterator[str]:
    """A secret as it stands in a text, in JSON, in an address, and in base64 wherever in longer bytes it begins."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="")
    raw = secret.encode()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode()
            # The first letters tell of what stands in front, the last of what comes behind.
            inner = text[-(-before * 4 // 3) : (before + len(raw)) * 4 // 3]
            if len(inner) >= _SHORTEST:
                yield inner


def _told(error: BaseException) -> dict[str, Any]:
    """What an error says: sentence and what to do, or for a mistake of the program where it happened."""
    do = getattr(error, "do", None)
    if do is not None:
        return {"sentence": getattr(error, "sentence", ""), "next": do, "file": getattr(error, "file", "")}
    steps = traceback.extract_tb(error.__traceback__)
    return {"sentence": str(error), "where": [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in steps]}
