"""Faults for the ledger: the Nth statement of a connection fails, or the process dies there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from disk_faults import Killed

from bedrot.errors import BedrotError
from bedrot.lake.ledger import Ledger


class Counted:
    """A connection of which the Nth statement fails or is the last thing the process does."""

    def __init__(self, real: sqlite3.Connection, nth: int, mode: str) -> None:
        self.real, self.nth, self.mode, self.calls, self.dead = real, nth, mode, 0, False

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def execute(self, query: str, values: object = ()) -> object:
        return self._do(lambda: self.real.execute(query, values))

    def executemany(self, query: str, rows: object) -> object:
        return self._do(lambda: self.real.executemany(query, rows))

    def rollback(self) -> None:
        if self.dead:
            raise Killed
        self.real.rollback()

    def close(self) -> None:
        if self.dead:
            raise Killed
        self.real.close()

    def _do(self, work: Callable[[], object]) -> object:
        if self.dead:
            raise Killed
        self.calls += 1
        if self.calls != self.nth:
            return work()
        if self.mode == "error":
            raise sqlite3.OperationalError("disk I/O error")
        self.dead = True
        if self.mode == "kill after":
            work()
        raise Killed


@contextmanager
def counted_connections(nth: int, mode: str) -> Iterator[list[Counted]]:
    """Every connection that is made inside counts its statements, and the Nth of them meets the fault."""
    real, made = sqlite3.connect, []

    def connect(*args: object, **more: object) -> Counted:
        made.append(Counted(real(*args, **more), nth, mode))  # type: ignore[call-overload]
        return made[-1]

    sqlite3.connect = connect  # type: ignore[assignment]
    try:
        yield made
    finally:
        sqlite3.connect = real
        for one in made:
            one.real.close()


def opened_with(path: Path, nth: int, mode: str) -> int:
    """Open a ledger with a fault, and let go of it as a dead process does; how many statements it came to."""
    with counted_connections(nth, mode) as made, suppress(Killed, BedrotError):
        Ledger(path)
    return made[-1].calls
