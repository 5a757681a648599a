"""Real processes that are killed, stopped or refused by the disk at one call, and the story that they act out."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import crash_check
import pytest

import bedrot

HERE = Path(__file__).parent
VARIANTS = HERE / "variants"
UNPLANTED = 99
"""How nursery.py ends a process whose wrong variant could not be planted."""
SAMPLES = Path(bedrot.__file__).parent / "sources"
ALLOWED = 120.0
"""Seconds after which a command that still runs is a failure."""


def seed() -> int:
    """The seed of everything that is sampled: BEDROT_SEED, else today's fixed one."""
    return int(os.environ.get("BEDROT_SEED", "20251"))


def chances(what: str) -> random.Random:
    """Chances of their own for one test, the same with the same seed."""
    return random.Random(f"{seed()}/{what}")  # noqa: S311


def say(text: str) -> None:
    """A line for the person who reads the test's output."""
    sys.stdout.write(text + "\n")


@dataclass(frozen=True)
class Fault:
    """What happens at the Nth state-changing call (from 1): see faultat.c for the modes."""

    at: int = 0
    mode: str = "count"
    code: int = 0
    sticky: bool = False

    def __str__(self) -> str:
        return f"{self.mode}{f' {self.code}' if self.code else ''}{' sticky' if self.sticky else ''} at {self.at}"


NONE = Fault()


@dataclass
class Ended:
    """How a command ended: exit code (negative: a signal), what it said, and its calls (number, call, path)."""

    code: int
    out: str
    err: str
    calls: list[tuple[int, str, str]] = field(default_factory=list)

    def hit(self, fault: Fault) -> str:
        """The call that the fault met, as text."""
        return next((f"{call} {path}" for n, call, path in self.calls if n == fault.at), "none")


class Nursery:
    """A server that forks commands (nursery.py), with the shim loaded."""

    def __init__(self, shim: Path, folder: Path) -> None:
        self._folder = folder
        self._number = count(1)
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "nursery.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def ask(self, **told: Any) -> dict[str, Any]:
        """One request and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def start(
        self, lake: Path, argv: Sequence[str], fault: Fault = NONE, variant: str = "", script: Path | None = None
    ) -> Command:
        """Begin a command on a lake (or a script of the tests, with these arguments), a variant planted."""
        base = self._folder / f"c{next(self._number)}"
        out, err, log = (base.with_suffix(suffix) for suffix in (".out", ".err", ".log"))
        pid = self.ask(
            op="start",
            argv=[*argv, *(() if script else ("--lake", str(lake)))],
            script=str(script or ""),
            out=str(out),
            err=str(err),
            env={"COLUMNS": "200", "NO_COLOR": "1"},
            variant=str(VARIANTS / f"{variant}.py") if variant else "",
            fault={
                "root": str(lake),
                "at": fault.at,
                "mode": fault.mode,
                "code": fault.code,
                "sticky": fault.sticky,
                "log": str(log),
            },
        )["pid"]
        return Command(self, pid, out, err, log)

    def run(
        self, lake: Path, argv: Sequence[str], fault: Fault = NONE, variant: str = "", script: Path | None = None
    ) -> Ended:
        """A command from its beginning to its end."""
        return self.start(lake, argv, fault, variant, script).end()


@dataclass
class Command:
    """A process at work."""

    nursery: Nursery
    pid: int
    out: Path
    err: Path
    log: Path
    _code: int | None = None

    def wait(self, allowed: float = ALLOWED) -> int | None:
        """Until it has ended (its exit code, negative for a signal) or is stopped (None); it may take so long."""
        until = time.monotonic() + allowed
        while self._code is None and time.monotonic() < until:
            answer = self.nursery.ask(op="wait", pid=self.pid, poll=True)
            if answer["stopped"]:
                return None
            if answer["code"] is not None:
                self._code = int(answer["code"])
                break
            time.sleep(0.003)
        if self._code is not None:
            return self._code
        self.kill()
        raise AssertionError(f"still running after {allowed} s: {self.err.read_text()}")

    def go_on(self) -> None:
        """Let a stopped process continue."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as the system would."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self, allowed: float = ALLOWED) -> Ended:
        """Wait for the end, and tell of it."""
        code = self.wait(allowed)
        assert code is not None, "it was stopped, not ended"
        told = Ended(code, _read(self.out), _read(self.err), _calls(self.log))
        if code == UNPLANTED:
            pytest.fail(f"the wrong variant could not be planted: {told.err}")
        for path in (self.out, self.err, self.log):
            path.unlink(missing_ok=True)
        return told


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _calls(log: Path) -> list[tuple[int, str, str]]:
    lines = (line.split(" ", 2) for line in _read(log).splitlines())
    return [(int(parts[0]), parts[1], parts[2]) for parts in lines if len(parts) == 3]


# ---- the story: a published lake, then files of six sources, a decision, and a run ----

FIRST = ("distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv", "tiktok/golden/Viewers_nova.lights.zip")
THEN = (
    "distrokid/golden/DistroKid_1765000000000_Paper_Comets.csv",
    "toolost/golden/@05-2025-70799.csv",
    "linktree/golden/graphql_20250703_090012_104500.json",
    "metaads/golden/insights_page_1.json",
    "catalogue/golden/catalogue-2025-07-01.tsv",
)
SHORT = (THEN[1], THEN[2])
"""Files of two sources only: for what is tried at every call, with whole lives of processes at each."""
STEPS = ("import", "decide", "run")
PUBLISH = "publish"
"""A run over a lake where everything is staged and curated, and a dead process left it unpublished."""
_SNAPSHOT = ("/curated/_snapshots", "/curated/_findings", "/curated/CURRENT")


@dataclass(frozen=True)
class Stage:
    """A lake before one step of the story, and what that step does undisturbed."""

    step: str
    lake: Path
    ended: Ended


@dataclass
class Story:
    """The steps, their commands, the lakes before each, and the states that readers may see before and after."""

    nursery: Nursery
    folder: Path
    stages: dict[str, Stage] = field(default_factory=dict)
    retracted: str = ""
    files: tuple[Path, ...] = ()
    last: Path = Path()
    before: crash_check.Rows = field(default_factory=dict)
    after: crash_check.Rows = field(default_factory=dict)

    def command(self, step: str) -> list[str]:
        """The command of a step."""
        return {
            "import": ["import", *map(str, self.files)],
            "decide": ["retract", self.retracted, "--because", "It is another label's."],
            "run": ["run"],
            PUBLISH: ["run"],
        }[step]

    def copy(self, step: str) -> Path:
        """A lake of one's own as it is before a step (`end`: behind the last one)."""
        target = self.folder / f"lake-{secrets.token_hex(6)}"
        return Path(shutil.copytree(self.stages[step].lake if step != "end" else self.last, target))

    def drop(self, lake: Path) -> None:
        """Remove a copy."""
        shutil.rmtree(lake)


def is_publish(call: tuple[int, str, str]) -> bool:
    """Whether a call belongs to the publication of a snapshot: record, findings, pointer."""
    path = call[2]
    return path.startswith(_SNAPSHOT) or (path.startswith("/curated/.tmp-") and path.endswith("CURRENT"))


def tell(nursery: Nursery, folder: Path, then: Sequence[str] = THEN) -> Story:
    """Live the story once, undisturbed, keeping the lake before each step."""
    story = Story(nursery, folder)
    given = folder / "given"
    given.mkdir()
    for name in (*FIRST, *then):
        shutil.copy(SAMPLES / name, given)
    login = given / "export.csv"
    login.write_text("<!doctype html><html><title>Log in</title></html>\n", encoding="utf-8")
    story.files = (*(given / Path(name).name for name in then), login)
    lake = folder / "lake0"
    from bedrot.lake.zones import Lake

    Lake.create(lake)
    first = nursery.run(lake, ["import", *(str(given / Path(name).name) for name in FIRST)])
    assert first.code == 0, first
    assert nursery.run(lake, ["run"]).code == 0
    story.retracted = next(
        path.stem for path in sorted((lake / "raw/deliveries").glob("*.json")) if "tiktok" in path.read_text()
    )
    for step in STEPS:
        before = shutil.copytree(lake, folder / f"before-{step}")
        story.stages[step] = Stage(step, before, nursery.run(lake, story.command(step)))
    story.last = lake
    begins = next(number for number, call, path in story.stages["run"].ended.calls if is_publish((number, call, path)))
    almost = story.copy("run")
    assert nursery.run(almost, ["run"], Fault(begins, "before")).code == -9
    kept = Path(shutil.copytree(almost, folder / "before-publish"))
    story.stages[PUBLISH] = Stage(PUBLISH, kept, nursery.run(almost, ["run"]))
    story.before, story.after = (crash_check.rows(one) for one in (story.stages["run"].lake, lake))
    assert story.before != story.after
    return story
