"""What each mart is made of: for every partition, a hash of all that makes it and the views that its SQL reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedrot import sql
from bedrot.errors import Defect
from bedrot.lake.snapshot import Part, TableState
from bedrot.marts.header import Mart
from bedrot.marts.interfaces import INTERFACES, Fragment, interface_sql
from bedrot.marts.parts import Columns, digest, files_sql, part_identity, staging_sql
from bedrot.marts.settings import macros

RECIPE = 2
"""Counts the ways in which the files of a mart were written: raise it and all are written anew."""

Query = Callable[[str], list[tuple[Any, ...]]]
Values = Mapping[str, Mapping[str, int]]


TOGETHER = 200_000
"""Months are one partition, a year, while the year has no more rows of input than this: a query and a file cost more
than the rows of a small month, and what a new line makes anew stays little."""

_MONTH = re.compile(r"(.*?\d{4})-\d{2}(-01)?")

Views = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One partition: its id, the hash of all that makes it, and views as (name, SELECT) in the order of making."""

    partition: str
    inputs: str
    views: Views


@dataclass
class Plan:
    """The tables that marts are made of; `states` grows with every mart that is done.

    `staging` is by table name without `staging.`; `columns` are those of the contracts; `settings` are the SELECTs of
    the settings views; `absolute` makes paths of a part's.
    """

    staging: Mapping[str, TableState]
    columns: Mapping[str, Columns]
    fragments: Mapping[str, Sequence[Fragment]]
    settings: Mapping[str, str]
    absolute: Callable[[str], Path]
    states: dict[str, TableState] = field(default_factory=dict)

    def made_by(self, mart: Mart) -> str:
        """A hash of the mart's text, the settings that it reads, and the way of writing."""
        return digest(
            [RECIPE, macros(), mart.digest, [self.settings[one] for one in mart.inputs if one in self.settings]]
        )

    def definition(self, mart: Mart) -> str:
        """A hash of all that makes the mart, over all its partitions."""
        return digest([self.made_by(mart), [self._identity(view) for view in mart.data_inputs]])

    def values(self, mart: Mart, known: Values, query: Query) -> Values:
        """What a mart that is parted by a column's values finds of them in each file that it reads.

        `query` answers SQL about files that are not among the known.
        """
        if not mart.by:
            return {}
        paths = [part.path for part in self.states[mart.data_inputs[0]].parts]
        found = {path: dict(known[path]) for path in paths if path in known}
        new = [path for path in paths if path not in known]
        if new:
            files = sql.files(map(self.absolute, new))
            for value, file, rows in query(
                f"SELECT {sql.name(mart.by)}, file_index, count(*)"
                f" FROM read_parquet({files}, hive_partitioning = false) GROUP BY ALL ORDER BY ALL"
            ):
                found.setdefault(new[file], {})["none" if value is None else str(value)] = rows
        return found

    def units(self, mart: Mart, values: Values) -> Iterator[Unit]:
        """The partitions of a mart; `values` as the method of that name gives them."""
        made_by = self.made_by(mart)
        if mart.by:
            yield from self._units_by(mart, made_by, values)
        elif mart.partition == "whole":
            views = dict(view for name in mart.data_inputs for view in self._views(name))
            yield Unit("all", self.definition(mart), tuple(views.items()))
        elif mart.data_inputs[0] in INTERFACES:
            yield from self._units_of_interface(mart.data_inputs[0], made_by)
        else:
            yield from self._units_of_mart(mart.data_inputs[0], made_by)

    def empty_views(self, view: str) -> Views:
        """The views of an input over no file, for asking what columns come out."""
        return self._views(view, empty=True)

    def fragment_views(self, fragment: Fragment) -> Views:
        """The staging views that a fragment reads, over no file."""
        return self._staging_views(fragment, empty=True)

    def _identity(self, view: str) -> object:
        """All that an input is made of, as a value for hashing."""
        if view in self.states:
            state = self.states[view]
            return [view, list(map(list, state.columns)), _identities(state.parts)]
        return [view, [self._fragment_identity(one) for one in self.fragments[view]]]

    def _fragment_identity(self, fragment: Fragment) -> object:
        """All that a fragment's rows are made of, as a value for hashing."""
        tables = [
            [table, list(map(list, self._columns(fragment, table))), _identities(self._parts(table))]
            for table in fragment.tables
        ]
        return [fragment.source, fragment.sql, tables]

    def _parts(self, table: str) -> Sequence[Part]:
        """The parts of a staging table; none where nothing was ever staged."""
        return self.staging[table].parts if table in self.staging else ()

    def _columns(self, fragment: Fragment, table: str) -> Columns:
        """The columns of a staging table that a fragment reads; Defect where no source has that table."""
        if table not in self.columns:
            raise Defect(f"The fragment {fragment.name} reads staging.{table}, which no source fills.", "Correct it.")
        return self.columns[table]

    def _views(self, view: str, *, empty: bool = False) -> Views:
        """The views that give an input: for an interface, those of its staging tables first."""
        if view in self.states:
            state = self.states[view]
            return ((sql.name(view), files_sql([] if empty else state.parts, state.columns, self.absolute)),)
        fragments = self.fragments[view]
        below = [one for fragment in fragments for one in self._staging_views(fragment, empty=empty)]
        return (*below, (sql.name(view), interface_sql(view, fragments)))

    def _staging_views(self, fragment: Fragment, *, empty: bool = False) -> Views:
        """The staging views that a fragment reads."""
        return tuple(
            (
                f"staging.{sql.name(table)}",
                staging_sql([] if empty else self._parts(table), self._columns(fragment, table), self.absolute),
            )
            for table in fragment.tables
        )

    def _units_of_interface(self, view: str, made_by: str) -> Iterator[Unit]:
        """One unit for each partition of the staging table behind each fragment."""
        for fragment in self.fragments[view]:
            if len(fragment.tables) != 1:
                raise Defect(
                    f"The fragment {fragment.name} must read exactly one staging table, because its partitions are"
                    f" computed one by one; it reads {', '.join(fragment.tables) or 'none'}.",
                    "Let one table hold the lines.",
                )
            table = fragment.tables[0]
            columns = self._columns(fragment, table)
            above = (sql.name(view), interface_sql(view, [fragment]))
            for partition, parts in _apart(_together(self._parts(table))):
                made = [made_by, fragment.source, fragment.sql, list(map(list, columns)), _identities(parts)]
                below = (f"staging.{sql.name(table)}", staging_sql(parts, columns, self.absolute))
                yield Unit(f"{fragment.source}/{partition}", digest(made), (below, above))

    def _units_of_mart(self, name: str, made_by: str) -> Iterator[Unit]:
        """One unit for each partition of the mart that is read."""
        state = self.states[name]
        for partition, parts in _together(state.parts):
            view = (sql.name(name), files_sql(parts, state.columns, self.absolute))
            yield Unit(partition, digest([made_by, _identities(parts)]), (view,))

    def _units_by(self, mart: Mart, made_by: str, found: Values) -> Iterator[Unit]:
        """One unit for each value of the mart's column, or year of months, over the files that hold it and no other."""
        name = mart.data_inputs[0]
        state = self.states[name]
        column, kind = sql.name(mart.by), dict(state.columns).get(mart.by)
        counts: dict[str, int] = {}
        files: dict[str, list[Part]] = {}
        for part in state.parts:
            for value, rows in found[part.path].items():
                counts[value] = counts.get(value, 0) + rows
                files.setdefault(value, []).append(part)
        for partition, values in _years(counts):
            parts = list({part.path: part for value in values for part in files[value]}.values())
            listed = ", ".join(f"CAST({sql.text(value)} AS {kind})" for value in values)
            where = f"{column} IS NULL" if partition == "none" else f"{column} IN ({listed})"
            view = (sql.name(name), files_sql(parts, state.columns, self.absolute, where))
            yield Unit(partition, digest([made_by, values, _identities(parts)]), (view,))


def _together(parts: Iterable[Part]) -> list[tuple[str, list[Part]]]:
    """Parts gathered by partition, or by year of small months, in the order of partitions."""
    gathered: dict[str, list[Part]] = {}
    for part in parts:
        gathered.setdefault(part.partition, []).append(part)
    counts = {partition: sum(part.rows for part in mine) for partition, mine in gathered.items()}
    return [(name, [part for one in inside for part in gathered[one]]) for name, inside in _years(counts)]


def _apart(gathered: Iterable[tuple[str, list[Part]]]) -> Iterator[tuple[str, list[Part]]]:
    """The same with the pieces of a partition that has many rows one by one: those that stay are not read again."""
    for partition, parts in gathered:
        if sum(part.rows for part in parts) > TOGETHER // 12 and len({part.partition for part in parts}) == 1:
            yield from ((partition, [part]) for part in parts if part.rows)
        else:
            yield partition, parts


def _years(counts: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    """Partitions by name, with how many rows: the months of a year with few rows as one, in the order of names."""
    years: dict[str, list[str]] = {}
    for partition in sorted(counts):
        month = _MONTH.fullmatch(partition)
        years.setdefault(month.group(1) if month else partition, []).append(partition)
    found: list[tuple[str, list[str]]] = []
    for year, inside in years.items():
        few = sum(counts[one] for one in inside) <= TOGETHER
        found += [(year, inside)] if few else [(one, [one]) for one in inside]
    return found


def _identities(parts: Iterable[Part]) -> list[tuple[str, str, str | None, str]]:
    """What tells these parts from others, in an order that does not depend on theirs."""
    return sorted(map(part_identity, parts), key=lambda one: tuple(map(str, one)))
