"""Faults for `bedrot.lake.disk`: the Nth state-changing call fails, or the process dies there; a modelled power cut."""

from __future__ import annotations

import errno
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bedrot.lake import disk

CHANGING = (
    "open_new", "write", "fsync", "fsync_folder", "link", "rename_new", "replace", "mkdir", "unlink", "chmod",
)  # fmt: skip
MODES = ("kill before", "kill after", "torn", "EIO", "ENOSPC", "EIO sticky", "ENOSPC sticky")


def seeded(seed: int) -> random.Random:
    """Chances that come again with the same seed."""
    return random.Random(seed)  # noqa: S311


def say(text: str) -> None:
    """A line for the person who reads the test's output."""
    sys.stdout.write(text + "\n")


class Killed(BaseException):
    """The process is dead: no handler of Exception sees it, and no later call does anything."""


@dataclass
class Fault:
    """Counts state-changing calls and does `mode` at the Nth (from 1); N = 0 only counts."""

    nth: int = 0
    mode: str = "kill before"
    calls: int = 0
    dead: bool = False
    names: list[str] = field(default_factory=list)

    def call(self, name: str, real: Callable[..., object], args: tuple[object, ...]) -> object:
        if self.dead:
            raise Killed
        self.calls += 1
        self.names.append(name)
        hit = self.calls == self.nth or (self.mode.endswith("sticky") and 0 < self.nth <= self.calls)
        if not hit:
            return real(*args)
        if self.mode.startswith("E"):
            code = getattr(errno, self.mode.split()[0])
            raise OSError(code, os.strerror(code))
        self.dead = True
        if self.mode == "kill after":
            real(*args)
        if self.mode == "torn" and name == "write":
            fd, data = args
            real(fd, bytes(data)[: len(bytes(data)) // 2])
        raise Killed


@contextmanager
def faulty(fault: Fault) -> Iterator[Fault]:
    """A new process whose disk calls go through `fault`."""
    real = {name: getattr(disk, name) for name in CHANGING}
    disk._known.clear()

    def wrapped(name: str) -> Callable[..., object]:
        return lambda *args: fault.call(name, real[name], args)

    try:
        for name in CHANGING:
            setattr(disk, name, wrapped(name))
        yield fault
    finally:
        for name, function in real.items():
            setattr(disk, name, function)
        disk._known.clear()


def run_with(fault: Fault, work: Callable[[], object]) -> BaseException | None:
    """Do the work with the fault; what it ended with."""
    with faulty(fault):
        try:
            work()
        except BaseException as ended:
            if isinstance(ended, (KeyboardInterrupt, SystemExit)):
                raise
            return ended
    return None


def count(work: Callable[[], object]) -> int:
    """How many state-changing calls the work makes."""
    fault = Fault()
    ended = run_with(fault, work)
    assert ended is None, ended
    return fault.calls


# ---- a power cut, modelled: what was not synced may be there, be lost, or be torn ----


@dataclass
class Node:
    """A file: bytes that are durable, and writes that are not yet."""

    durable: bytes = b""
    pending: list[bytes] = field(default_factory=list)


@dataclass
class Folder:
    """A folder: entries that are durable, and changes to them that are not yet, in order."""

    durable: dict[str, Node | Folder] = field(default_factory=dict)
    pending: list[tuple[str | None, str | None, Node | Folder | None]] = field(default_factory=list)

    def now(self, chosen: list[bool] | None = None) -> dict[str, Node | Folder]:
        """The entries with all pending changes, or with those chosen."""
        entries = dict(self.durable)
        for i, (gone, come, node) in enumerate(self.pending):
            if chosen is not None and not chosen[i]:
                continue
            if gone is not None:
                entries.pop(gone, None)
            if come is not None and node is not None:
                entries[come] = node
        return entries


class SimFS:
    """A model of the disk that follows the real calls below `root`, and can tell what a power cut may leave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = Folder()
        self.files: dict[int, Node] = {}
        self.ops = 0
        self.after: Callable[[SimFS], None] = lambda _sim: None

    def _find(self, path: Path) -> Node | Folder:
        here: Node | Folder = self.top
        for part in path.relative_to(self.root).parts:
            assert isinstance(here, Folder)
            here = here.now()[part]
        return here

    def _parent(self, path: Path) -> Folder:
        found = self._find(path.parent)
        assert isinstance(found, Folder)
        return found

    def _inside(self, path: Path) -> bool:
        return path.is_relative_to(self.root)

    def did(self, name: str, args: tuple, result: object) -> None:
        """Follow one call that succeeded."""
        getattr(self, f"_{name}")(*args, result)
        self.ops += 1
        self.after(self)

    def _open_new(self, path: Path, fd: int) -> None:
        self.files[fd] = node = Node()
        self._parent(path).pending.append((None, path.name, node))

    def _open_old(self, path: Path, fd: int) -> None:
        found = self._find(path)
        assert isinstance(found, Node)
        self.files[fd] = found

    def _write(self, fd: int, data: bytes, done: int) -> None:
        self.files[fd].pending.append(bytes(data)[:done])

    def _fsync(self, fd: int, _none: None) -> None:
        node = self.files[fd]
        node.durable += b"".join(node.pending)
        node.pending.clear()

    def _fsync_folder(self, path: Path, _none: None) -> None:
        if self._inside(path):
            folder = self._find(path)
            assert isinstance(folder, Folder)
            folder.durable = folder.now()
            folder.pending.clear()

    def _link(self, old: Path, new: Path, _none: None) -> None:
        self._parent(new).pending.append((None, new.name, self._find(old)))

    def _replace(self, old: Path, new: Path, _none: None) -> None:
        assert old.parent == new.parent
        self._parent(new).pending.append((old.name, new.name, self._find(old)))

    _rename_new = _replace

    def _mkdir(self, path: Path, _none: None) -> None:
        self._parent(path).pending.append((None, path.name, Folder()))

    def _unlink(self, path: Path, _none: None) -> None:
        self._parent(path).pending.append((path.name, None, None))

    def _chmod(self, _path: Path, _mode: int, _none: None) -> None:
        pass

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files after one power cut: any subset (or prefix) of unsynced names, any half of unsynced bytes."""
        left: dict[str, bytes] = {}
        torn: dict[int, bytes] = {}
        keep = chance.choice((0.0, 0.2, 0.5, 0.8, 1.0))
        folders = [(PurePosixPath(), self.top)]
        while folders:
            at, folder = folders.pop()
            for name, node in folder.now(_kept(len(folder.pending), keep, chance)).items():
                if isinstance(node, Folder):
                    folders.append((at / name, node))
                    continue
                if id(node) not in torn:
                    torn[id(node)] = node.durable + _remains(b"".join(node.pending), chance)
                left[(at / name).as_posix()] = torn[id(node)]
        return left


def _kept(changes: int, keep: float, chance: random.Random) -> list[bool]:
    """Which of a folder's unsynced changes reached the disk: any of them, or (as a journal does) the first ones."""
    chosen = [chance.random() < keep for _ in range(changes)]
    return sorted(chosen, reverse=True) if chance.random() < 0.5 else chosen


def _remains(pending: bytes, chance: random.Random) -> bytes:
    how = chance.randrange(4)
    return (b"", pending, pending[: len(pending) // 2], bytes(len(pending)))[how]


@contextmanager
def followed(sim: SimFS) -> Iterator[None]:
    """All disk calls are done and followed by the model; `disk` as it is now (with a planted variant) is wrapped."""
    names = (*CHANGING, "open_old")
    real = {name: getattr(disk, name) for name in names}

    def wrapped(name: str) -> Callable[..., object]:
        def call(*args: object) -> object:
            result = real[name](*args)
            sim.did(name, args, result)
            return result

        return call

    try:
        for name in names:
            setattr(disk, name, wrapped(name))
        yield
    finally:
        for name, function in real.items():
            setattr(disk, name, function)
