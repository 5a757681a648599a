"""One writer at a time: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from bedrot.errors import Busy, StorageFailed
from bedrot.lake import disk
from bedrot.lake.zones import Lake


@contextmanager
def writer_lock(lake: Lake, wait: float = 0) -> Iterator[None]:
    """Be the one writer of the lake, after at most `wait` seconds; Busy, saying who it is, where another one is.

    Who holds it stands beside the lock, as information only: whether it is held, the operating system knows.
    """

    def busy() -> Busy:
        sentence = f"Another bedrot is writing to this lake ({_who(lake)})."
        return Busy(sentence, "Wait until it has finished, then try again.", file=str(lake.root))

    with held(lake.lock_path, wait, busy):
        command = Path(sys.argv[0]).name if sys.argv else ""
        said = json.dumps({"pid": os.getpid(), "command": " ".join((command, *sys.argv[1:2])).strip()})
        disk.put_text(_sidecar(lake), said + "\n", replace=True, read_only=False)
        yield


@contextmanager
def held(path: Path, wait: float, busy: Callable[[], Busy], mode: int = 0o644) -> Iterator[None]:
    """Hold a lock in a file; what `busy` gives is raised where another holds it after `wait` seconds.

    Raises StorageFailed on a disk that cannot lock.
    """
    lock = filelock.FileLock(path, mode=mode)
    try:
        lock.acquire(timeout=wait)
    except filelock.Timeout as taken:
        raise busy() from taken
    except (OSError, NotImplementedError) as failed:
        why = getattr(failed, "strerror", None) or "its disk does not know locks"
        raise StorageFailed(f"It cannot be locked: {why}.", "Check the disk.", file=str(path)) from failed
    try:
        yield
    finally:
        lock.release()


def _sidecar(lake: Lake) -> Path:
    return lake.lock_path.with_name(".lock-who.json")


def _who(lake: Lake) -> str:
    """Who wrote last that it is the writer, as far as that can be read."""
    try:
        said = json.loads(_sidecar(lake).read_text(encoding="utf-8"))
        return f"process {said['pid']}: {said['command'] or 'unknown'}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said who it is"
