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

    def __init__(self, engine: duckdb.DuckDBPyConnection, catalogue: str, settings: Mapping[str, str]) -> None:
        self.con = engine.cursor()
        self._shown: dict[str, str] = {}
        self.con.execute(f"ATTACH ':memory:' AS {sql.name(catalogue)}")
        self.con.execute(f"USE {sql.name(catalogue)}")
        self.con.execute("CREATE SCHEMA staging")
        self.con.execute(macros())
        self.show((sql.name(view), select) for view, select in settings.items())

    def show(self, views: Views) -> None:
        """Make these views, (name, SELECT), those that are not so already: each costs a look into its files."""
        for name, select in views:
            if self._shown.get(name) != select:
                self.con.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")
                self._shown[name] = select


class Bench:
    """One engine, started when first needed, and closed with the block it is used in; it has a desk a worker."""

    def __init__(self, con_factory: Connect, settings: Mapping[str, str], workers: int) -> None:
        self._con_factory = con_factory
        self._settings = settings
        self._workers = workers
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._free: SimpleQueue[Desk] = SimpleQueue()
        self._starting = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            self._free.get().con.close()
        if self._engine is not None:
            self._engine.close()

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """A desk for as long as the block; waits until one is free."""
        with self._starting:
            if self._engine is None:
                self._engine = self._con_factory()
                for number in range(self._workers):
                    self._free.put(Desk(self._engine, f"desk_{number}", self._settings))
        one = self._free.get()
        try:
            yield one
        finally:
            self._free.put(one)

    def each(self, items: Sequence[Item], work: Callable[[Desk, Item], Result]) -> list[Result]:
        """The results of `work` for each item, in the order of the items, as many at a time as there are workers."""

        def at_a_desk(item: Item) -> Result:
            with self.desk() as desk:
                return work(desk, item)

        if len(items) <= 1 or self._workers == 1:
            return [at_a_desk(item) for item in items]
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(at_a_desk, items))
