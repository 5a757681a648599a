"""Errors go on without the secrets that they happened with, and libraries do not speak of them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from bedrot.errors import BedrotError
from bedrot.log import hide

_TALKATIVE = ("httpcore.http11", "httpcore.http2", "httpcore.proxy")
"""Loggers that tell all headers of an answer, cookies among them."""
_TEXTS = ("filename", "filename2", "object")
"""Where errors of the system and of coding keep what they speak of, besides their arguments."""
_BLOT = "…"


class Discreet:
    """A context whose errors go on without the variables of the frames below it, and without secrets in their texts.

    Tracebacks keep their lines. Who shows an error with local variables, as many tools do, shows none of a log-in.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.hide(secrets)

    def __repr__(self) -> str:
        return "Discreet(hidden)"

    def hide(self, secrets: Iterable[str]) -> None:
        """Take these for secrets too: some are known only after a while."""
        found = [one for one in secrets if one]
        hide(found)
        self._secrets = sorted({*self._secrets, *found}, key=len, reverse=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in _chain(error):
            traceback.clear_frames(one.__traceback__)
            if not isinstance(one, BedrotError):
                self._blot(one)

    def _blot(self, error: BaseException) -> None:
        """Take secrets out of what an error says."""
        error.args = tuple(self._blotted(one) for one in error.args)
        for name in _TEXTS:
            told = getattr(error, name, None)
            if isinstance(told, str) and told != self._blotted(told):
                setattr(error, name, self._blotted(told))

    def _blotted(self, told: object) -> object:
        """A text without the secrets; whatever else holds one, as such a text."""
        text = told if isinstance(told, str) else repr(told)
        if not any(one in text for one in self._secrets):
            return told
        for one in self._secrets:
            text = text.replace(one, _BLOT)
        return text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and all that it came of."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


def hush() -> None:
    """Let no log tell the headers of answers, whatever levels are set."""
    for name in _TALKATIVE:
        logging.getLogger(name).disabled = True
