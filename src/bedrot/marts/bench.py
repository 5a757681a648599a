"""The engine of the marts: one, with a desk for each worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

import duckdb

from bedrot import sql
from bedrot.marts.settings import macros

Connect = Callable[[], duckdb.DuckDBPyConnection]
Views = Iterable[tuple[str, str]]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Desk:
    """A cursor with a catalogue of its own, so that the views of one partition are not seen by another."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, settings: Mapping[str, str]) -> None:
        self.con = engine.cursor()
        self._shown: dict[str, str] = {}
        self._catalogue = sql.enter_catalogue(self.con)
        self.con.execute("CREATE SCHEMA staging")
        self.con.execute(macros())
        self.show((sql.name(view), select) for view, select in settings.items())

    def close(self) -> None:
        """Take the catalogue away."""
        sql.leave_catalogue(self.con, self._catalogue)
        self.con.close()

    def show(self, views: Views) -> None:
        """Make these views, (name, SELECT), those that are not so already: each costs a look into its files."""
        for name, select in views:
            if self._shown.get(name) != select:
                self.con.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")
                self._shown[name] = select


class Bench:
    """A few desks at one engine, made when first needed and gone with the block they are used in."""

    def __init__(self, con_factory: Connect, settings: Mapping[str, str], workers: int) -> None:
        self._con_factory = con_factory
        self._settings = settings
        # One more than hands: while a query is planned or a file made durable, a hand would be idle.
        self._at_once = workers + 1
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._free: SimpleQueue[Desk] = SimpleQueue()
        self._starting = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            self._free.get().close()
        if self._engine is not None:
            self._engine.close()

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """A desk for as long as the block; waits until one is free."""
        with self._starting:
            if self._engine is None:
                self._engine = self._con_factory()
                # And one that no mart with many partitions can take from the small ones.
                for _ in range(self._at_once + 1):
                    self._free.put(Desk(self._engine, self._settings))
        one = self._free.get()
        try:
            yield one
        finally:
            self._free.put(one)

    def each(self, items: Sequence[Item], work: Callable[[Desk, Item], Result]) -> list[Result]:
        """The results of `work` for each item, in the order of the items, a few at a time."""

        def at_a_desk(item: Item) -> Result:
            with self.desk() as desk:
                return work(desk, item)

        if len(items) <= 1:
            return [at_a_desk(item) for item in items]
        with ThreadPoolExecutor(self._at_once) as pool:
            return list(pool.map(at_a_desk, items))
