"""Marts: SQL files run in the order of what each reads, only where what they read has moved.

A mart's `partition` says how: `aligned` runs it for each changed partition of its one input alone; `by <column>` for
each value of that column in changed input files; `whole` for all. Results are files named by their hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue

import duckdb

import bedrot.sources
from bedrot import sql
from bedrot.contract.values import Source
from bedrot.errors import Defect, StorageFailed
from bedrot.lake import disk
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.marts.header import Mart, load_marts
from bedrot.marts.interfaces import (
    INTERFACES,
    Fragment,
    check_fragment,
    empty_sql,
    interface_sql,
    offered,
    read_fragments,
)
from bedrot.marts.parts import digest, files_sql, part_identity, staging_columns, staging_sql
from bedrot.marts.settings import MACROS, ArtistRule, MartSettings, settings_digest, settings_views

__all__ = ["ArtistRule", "MartSettings", "build_marts", "marts_of", "source_folders"]

RECIPE = digest([1, MACROS])
"""What makes files of equal inputs differ besides the mart itself; counted up when the way of writing changes."""

Views = tuple[tuple[str, str], ...]
Connect = Callable[[], duckdb.DuckDBPyConnection]


@dataclass(frozen=True, slots=True)
class Unit:
    """One partition to compute: its id, the hash of all that makes it, and the views that the SQL reads."""

    partition: str
    inputs: str
    views: Views


def source_folders(sources: Sequence[Source]) -> dict[str, Path]:
    """The folder of each source that is part of the package, by name."""
    home = Path(bedrot.sources.__file__).parent
    return {source.name: home / source.name for source in sources}


def marts_of(folders: Mapping[str, Path]) -> tuple[Mart, ...]:
    """All marts as they are with these sources, each after those that it reads."""
    return load_marts(offered(read_fragments(folders)))


def build_marts(
    lake: Lake,
    previous: Snapshot | None,
    staging: Mapping[str, TableState],
    sources: Sequence[Source],
    settings: MartSettings,
    con_factory: Connect,
    workers: int,
    *,
    folders: Mapping[str, Path] | None = None,
) -> dict[str, TableState]:
    """The state of every mart over these staging tables; parts and states whose inputs are equal are kept.

    `folders` tells where the sources' fragments lie, by source name (default: in the package). Raises Defect for a
    mart or fragment that contradicts its declaration, Misconfigured for settings that do, StorageFailed for the disk.
    """
    fragments = read_fragments(source_folders(sources) if folders is None else folders)
    build = _Build(lake, staging, sources, fragments, settings, con_factory, max(1, workers))
    try:
        for mart in load_marts(offered(fragments)):
            build.add(mart, previous.tables.get(mart.name) if previous else None)
    finally:
        build.close()
    return build.states


class _Build:
    """One building of all marts: what is known, what is done, and the engines."""

    def __init__(
        self,
        lake: Lake,
        staging: Mapping[str, TableState],
        sources: Sequence[Source],
        fragments: Sequence[Fragment],
        settings: MartSettings,
        con_factory: Connect,
        workers: int,
    ) -> None:
        self.lake = lake
        self.staging = {name.removeprefix("staging."): state for name, state in staging.items()}
        self.columns = staging_columns(sources)
        self.fragments = {view: [one for one in fragments if one.view == view] for view in INTERFACES}
        self.settings = settings
        self.settings_views = settings_views(settings)
        self.con_factory = con_factory
        self.workers = workers
        self.states: dict[str, TableState] = {}
        self.checked: set[str] = set()
        self.engine: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Let the engine go, where one was started."""
        if self.engine is not None:
            self.engine.close()

    def add(self, mart: Mart, old: TableState | None) -> None:
        """Compute the mart's state, or keep the old one where nothing that it is made of has changed."""
        settings = settings_digest(self.settings, [one for one in mart.inputs if one in self.settings_views])
        made_by = digest([RECIPE, mart.digest, settings])
        definition = digest([made_by, [self.identity(view) for view in mart.data_inputs]])
        if old is not None and old.definition == definition:
            self.states[mart.name] = old
            return
        self.check(mart)
        kept = {part.partition: part for part in old.parts} if old else {}
        parts = self.parts(mart, list(self.units(mart, made_by, definition)), kept)
        columns = [(column.name, column.type) for column in mart.columns]
        self.states[mart.name] = TableState(name=mart.name, columns=columns, parts=parts, definition=definition)

    def identity(self, view: str) -> object:
        """All that an input is made of, as a value for hashing."""
        if view in self.states:
            state = self.states[view]
            return [view, [list(column) for column in state.columns], sorted(map(part_identity, state.parts))]
        return [view, [self.fragment_identity(one) for one in self.fragments[view]]]

    def fragment_identity(self, fragment: Fragment) -> object:
        """All that a fragment's rows are made of, as a value for hashing."""
        tables = [
            [table, [list(column) for column in self.columns_of(fragment, table)], self.table_parts(table)]
            for table in fragment.tables
        ]
        return [fragment.source, fragment.sql, tables]

    def table_parts(self, table: str) -> list[tuple[str, str, str | None, str]]:
        """The identities of a staging table's parts, sorted."""
        return sorted(map(part_identity, self.parts_of(table)), key=str)

    def parts_of(self, table: str) -> Sequence[Part]:
        """The parts of a staging table; none where nothing was ever staged."""
        return self.staging[table].parts if table in self.staging else ()

    def columns_of(self, fragment: Fragment, table: str) -> Sequence[tuple[str, str]]:
        """The columns of a staging table that a fragment reads; Defect where no source has that table."""
        if table not in self.columns:
            raise Defect(f"The fragment {fragment.name} reads staging.{table}, which no source fills.", "Correct it.")
        return self.columns[table]

    # The units of work of a mart.

    def units(self, mart: Mart, made_by: str, definition: str) -> Iterator[Unit]:
        """The partitions of a mart with all that makes each."""
        if mart.by:
            yield from self.units_by(mart, made_by)
        elif mart.partition == "whole":
            yield Unit("all", definition, tuple(view for name in mart.data_inputs for view in self.views(name)))
        elif mart.data_inputs[0] in INTERFACES:
            yield from self.units_of_interface(mart.data_inputs[0], made_by)
        else:
            yield from self.units_of_mart(mart.data_inputs[0], made_by)

    def units_of_interface(self, view: str, made_by: str) -> Iterator[Unit]:
        """One unit for each partition of the staging table behind each fragment."""
        for fragment in self.fragments[view]:
            if len(fragment.tables) != 1:
                raise Defect(
                    f"The fragment {fragment.name} must read exactly one staging table, because its partitions are"
                    f" computed one by one; it reads {', '.join(fragment.tables) or 'none'}.",
                    "Let one table hold the lines.",
                )
            table = fragment.tables[0]
            columns = self.columns_of(fragment, table)
            for partition, parts in _by_partition(self.parts_of(table)).items():
                made = [made_by, fragment.source, fragment.sql, list(map(list, columns)), _identities(parts)]
                views = (
                    (f"staging.{sql.name(table)}", staging_sql(parts, columns, self.lake.absolute)),
                    (sql.name(view), interface_sql(view, [fragment])),
                )
                yield Unit(f"{fragment.source}/{partition}", digest(made), views)

    def units_of_mart(self, name: str, made_by: str) -> Iterator[Unit]:
        """One unit for each partition of the mart that is read."""
        state = self.states[name]
        for partition, parts in _by_partition(state.parts).items():
            view = (sql.name(name), files_sql(parts, state.columns, self.lake.absolute))
            yield Unit(partition, digest([made_by, _identities(parts)]), (view,))

    def units_by(self, mart: Mart, made_by: str) -> Iterator[Unit]:
        """One unit for each value of the mart's column, over the input files that hold it."""
        name = mart.data_inputs[0]
        state = self.states[name]
        column = sql.name(mart.by)
        for value, parts in self.holding(state, mart.by):
            where = f"{column} IS NULL" if value is None else f"{column} = {sql.literal(value)}"
            view = (sql.name(name), files_sql(parts, state.columns, self.lake.absolute, where))
            yield Unit("none" if value is None else str(value), digest([made_by, _identities(parts)]), (view,))

    def holding(self, state: TableState, column: str) -> list[tuple[sql_value, list[Part]]]:
        """Each value of a column with the parts that hold it."""
        if not state.parts:
            return []
        paths = {self.lake.absolute(part.path).as_posix(): part for part in state.parts}
        found = self.start().execute(
            f"SELECT DISTINCT {sql.name(column)}, filename"
            f" FROM read_parquet({sql.files(map(Path, paths))}, filename = true) ORDER BY ALL"
        )
        parts: dict[sql_value, list[Part]] = {}
        for value, filename in found.fetchall():
            parts.setdefault(value, []).append(paths[Path(filename).as_posix()])
        return list(parts.items())
