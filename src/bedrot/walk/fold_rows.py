"""Law 4 for dated series: per column the newest value that is not null; a provisional row never over a final one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import duckdb

from bedrot import sql
from bedrot.contract import Grain, Table

LINEAGE = ("_delivery", "_line", "_locator", "_scale")
BASE = -1
"""The tick of rows that an earlier state holds."""


@dataclass(frozen=True)
class RowShape:
    """What the folds of series, windows and snapshots must know of a table."""

    table: Table

    @cached_property
    def content(self) -> tuple[str, ...]:
        """All content columns, `account` first."""
        return self.table.columns

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The columns of a merged file."""
        return (*self.content, "_delivery", "_line", "_locator", "_partition", "_scale", "_lacking")

    @cached_property
    def scope(self) -> tuple[str, ...]:
        """The columns for whose values a newer content speaks as a whole; none: for the whole partition."""
        if self.table.scope or self.table.partition.grain is Grain.ALL:
            return self.table.scope
        return (self.table.partition.column,)

    @cached_property
    def ident(self) -> tuple[str, ...]:
        """The columns that name a row within a partition."""
        return tuple(dict.fromkeys((*self.scope, *self.table.key)))

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The content columns that are not part of a row's name."""
        return tuple(one for one in self.content[1:] if one not in self.ident)

    @cached_property
    def money(self) -> tuple[str, ...]:
        """The amounts of a row."""
        return tuple(one.name for one in self.table.money if one.name in self.values)

    @cached_property
    def day(self) -> str:
        """The column whose values a delivery covers."""
        return self.table.day or self.table.partition.column


@dataclass
class TickCount:
    """What one tick did to one partition; `stale`: it was not applied at all."""

    added: int = 0
    restated: int = 0
    vanished: int = 0
    stale: bool = False
    change: tuple[Decimal, ...] = ()
    held: list[dict[str, Any]] = field(default_factory=list)


AskKeys = Callable[[int, int, int, Sequence[tuple[str, ...]]], Sequence[bool]]
"""Job, tick, place among its contents, keys that differ from a file of the same age: which are approved."""


@dataclass(frozen=True)
class RowFold:
    """Rows of many partitions in the table rows_all: content columns, lineage, then the place of each row in time.

    `_job` numbers the partition, `_tick` its tick (-1: the state before), `_place` the content within the tick.
    """

    con: duckdb.DuckDBPyConnection
    shape: RowShape
    ties: bool
    ask: AskKeys

    def windowed(self, group: Sequence[str], order: str) -> str:
        """SQL of a window over the rows that share a job and the columns of `group`."""
        return f"(PARTITION BY {sql.names(('_job', *group))} ORDER BY {order})"

    def hold_ties(self, group: Sequence[str]) -> None:
        """Take out rows that contradict a row of the same age that the lake got before, unless a person approved."""
        shape = self.shape
        values = [one for one in shape.values if one != shape.table.provisional]
        window = f"(PARTITION BY {sql.names(('_job', '_tick', *group))} ORDER BY _place, _line ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"  # noqa: E501
        firsts = "".join(f", first_value({sql.name(one)} IGNORE NULLS) OVER w AS f_{i}" for i, one in enumerate(values))
        differs = " OR ".join(
            f"({sql.name(one)} IS NOT NULL AND {sql.name(one)} IS DISTINCT FROM f_{i})" for i, one in enumerate(values)
        )
        keys = ", ".join(f"coalesce(CAST({sql.name(one)} AS VARCHAR), '')" for one in shape.table.key)
        found: dict[tuple[int, int, int], dict[int, tuple[str, ...]]] = {}
        for job, tick, place, row, *key in self.con.execute(
            f"SELECT _job, _tick, _place, id, {keys} FROM (SELECT *, rowid AS id{firsts} FROM rows_all"
            f" WINDOW w AS {window}) WHERE _place > 0 AND ({differs or 'FALSE'}) ORDER BY ALL"
        ).fetchall():
            found.setdefault((job, tick, place), {})[row] = tuple(key)
        for (job, tick, place), rows in found.items():
            allowed = self.ask(job, tick, place, list(rows.values()))
            out = [[row] for row, yes in zip(rows, allowed, strict=True) if not yes]
            if out:
                self.con.executemany("DELETE FROM rows_all WHERE rowid = ?", out)


def fold_series(job: RowFold) -> dict[tuple[int, int], TickCount]:
    """Fold dated series; the rows are then in the table rows_done, the counts by job and tick are returned."""
    shape, con = job.shape, job.con
    provisional = f"coalesce({sql.name(shape.table.provisional)}, FALSE)" if shape.table.provisional else "FALSE"
    if job.ties:
        # A final and a provisional row of one age do not contradict each other: the final one counts.
        con.execute(f"ALTER TABLE rows_all ADD COLUMN _soft BOOLEAN; UPDATE rows_all SET _soft = {provisional}")
        job.hold_ties((*shape.ident, "_soft"))
    first_final = f"min(_tick) FILTER (NOT {provisional}) OVER (PARTITION BY {sql.names(('_job', *shape.ident))})"
    counted = (
        f"SELECT * FROM (SELECT *, {first_final} AS final FROM rows_all)"
        f" WHERE NOT {provisional} OR final IS NULL OR _tick < final"
    )
    window = job.windowed(shape.ident, "_tick, _place, _line")
    newest = {one: f"last_value({sql.name(one)} IGNORE NULLS) OVER {window}" for one in shape.values}
    if shape.table.provisional:
        # The mark belongs to the row that speaks last: none says that it is final, and is never filled.
        newest[shape.table.provisional] = provisional
    states(con, shape, counted, window, newest)
    last = f"row_number() OVER (PARTITION BY {sql.names(('_job', *shape.ident))} ORDER BY _tick DESC, _place DESC, _line DESC)"  # noqa: E501
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_done AS SELECT {sql.names(shape.stored[:-1])},"
        f" CAST(NULL AS VARCHAR) AS _lacking, _job FROM rows_states QUALIFY {last} = 1"
    )
    return changes(con, shape, "TRUE")


def states(con: duckdb.DuckDBPyConnection, shape: RowShape, source: str, window: str, values: dict[str, str]) -> None:
    """Fill rows_states: the rows of `source` with what holds after each, and the lineage of its last change.

    `values` gives the SQL of each value column over `window`; `_changed` marks a change, `_first` a new row, and
    was_0 … hold the money before.
    """
    told = ", ".join(f"{values[one]} AS {sql.name(one)}" for one in shape.values)
    replaced = f"REPLACE ({told})" if told else ""
    row = f"row({sql.names(shape.values)})" if shape.values else "row(1)"
    was = "".join(f", lag({sql.name(one)}) OVER {window} AS was_{i}" for i, one in enumerate(shape.money))
    lineage = ", ".join(
        f"last_value(CASE WHEN _changed THEN {sql.name(one)} END IGNORE NULLS) OVER {window} AS {sql.name(one)}"
        for one in LINEAGE
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_states AS SELECT * REPLACE ({lineage}) FROM ("
        f"SELECT *, {row} IS DISTINCT FROM lag({row}) OVER {window} AS _changed,"
        f" row_number() OVER {window} = 1 AS _first{was} FROM (SELECT * {replaced} FROM ({source})))"
    )


def changes(con: duckdb.DuckDBPyConnection, shape: RowShape, live: str) -> dict[tuple[int, int], TickCount]:
    """Counts by job and tick from rows_states; `live` is the SQL of rows that count."""
    sums = "".join(
        f", coalesce(sum(coalesce({sql.name(one)}, 0) - coalesce(was_{i}, 0)), 0)" for i, one in enumerate(shape.money)
    )
    found = {}
    for job, tick, added, restated, *money in con.execute(
        "SELECT _job, _tick, count(*) FILTER (_first), count(*) FILTER (_changed AND NOT _first)"
        f"{sums} FROM rows_states WHERE {live} GROUP BY 1, 2"
    ).fetchall():
        found[job, tick] = TickCount(added, restated, change=tuple(money))
    return found
