"""Compare two published states row for row, lineage columns aside: which tables and partitions differ, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import duckdb

from bedrot import sql
from bedrot.contract.typing_sql import DECIMAL_TYPE
from bedrot.errors import Damaged
from bedrot.lake.opened import open_snapshot, view_name
from bedrot.lake.snapshot import Snapshot, TableState
from bedrot.lake.zones import Lake

_SEEDS = (0, 1)
_SumsOf = dict[tuple[str, ...], tuple[object, ...]]


@dataclass(frozen=True)
class Difference:
    """A partition whose rows differ: how many rows it has in the one and the other state, and money by column.

    `why` tells it as a sentence where rows could not be counted (a file is missing, a table is new).
    """

    table: str
    partition: str
    rows: tuple[int, int]
    money: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    why: str = ""

    def says(self) -> str:
        """The difference as a sentence; amounts are the second state's less the first's."""
        if self.why:
            return f"{self.table}: {self.why}"
        moved = [f"{name} {after - before:+f}" for name, (before, after) in self.money.items() if after != before]
        sums = f"; {', '.join(moved)}" if moved else "; all money equal"
        return f"{self.table} {self.partition}: {self.rows[0]:,} rows published, {self.rows[1]:,} from raw{sums}"


def compare(one_lake: Lake, one: Snapshot | None, other_lake: Lake, other: Snapshot) -> list[Difference]:
    """Where two states differ, by table and partition; rows are compared by two 64-bit hashes summed over them."""
    if one is None:
        return [Difference(name, "", (0, table.rows), why="nothing was published yet") for name, table in _all(other)]
    found: list[Difference] = []
    for name in sorted({*one.tables, *other.tables}):
        if name not in one.tables or name not in other.tables:
            where = "in what is published" if name in one.tables else "in what raw gives"
            found.append(Difference(name, "", (0, 0), why=f"the table is only {where}"))
            continue
        try:
            before = _sums(one_lake, one, name)
        except (Damaged, duckdb.Error) as broken:
            why = broken.sentence if isinstance(broken, Damaged) else str(broken).splitlines()[0]
            found.append(Difference(name, "", (0, other.tables[name].rows), why=f"it cannot be read: {why}"))
            continue
        found += _differences(other.tables[name], before, _sums(other_lake, other, name))
    return found


def _all(snapshot: Snapshot) -> list[tuple[str, TableState]]:
    """The tables that have rows, by name."""
    return [(name, snapshot.tables[name]) for name in sorted(snapshot.tables) if snapshot.tables[name].rows]


def _sums(lake: Lake, snapshot: Snapshot, name: str) -> _SumsOf:
    """Of each partition of a table: rows, hashes, sums of money. Only that table's files are opened."""
    table = snapshot.tables[name]
    alone = Snapshot(snapshot.number, snapshot.previous, {name: table}, {}, snapshot.published_at)
    content = [column for column, _ in table.columns if not column.startswith("_")]
    hashes = ", ".join(f"sum(CAST(hash({seed}, {sql.names(content)}) AS HUGEINT))" for seed in _SEEDS)
    money = "".join(f", sum({sql.name(column)})" for column in _money(table))
    groups = _groups(table)
    con = open_snapshot(lake, alone)
    try:
        rows = con.execute(
            f"SELECT {', '.join(groups)}, count(*), {hashes}{money} FROM {view_name(name)} GROUP BY ALL"
        ).fetchall()
    finally:
        con.close()
    return {tuple(map(str, row[: len(groups)])): row[len(groups) :] for row in rows}


def _groups(table: TableState) -> list[str]:
    """SQL of what names a partition: account and `_partition` where there is one, else the month or the source."""
    names = [name for name, _ in table.columns]
    if "_partition" in names:
        return ["account", "_partition"]
    for name in ("sale_month", "reporting_date"):
        if name in names:
            return [f"strftime({name}, '%Y-%m')"]
    return ["'all'"]


def _money(table: TableState) -> Sequence[str]:
    """The columns that hold money or other exact decimals of its type."""
    return [name for name, kind in table.columns if kind == DECIMAL_TYPE and not name.startswith("_")]


def _differences(table: TableState, before: _SumsOf, after: _SumsOf) -> list[Difference]:
    """The partitions of which counts or hashes differ."""
    money = _money(table)
    nothing = (0, *(None for _ in _SEEDS), *(Decimal(0) for _ in money))
    found = []
    for key in sorted({*before, *after}):
        old, new = before.get(key, nothing), after.get(key, nothing)
        if old[: 1 + len(_SEEDS)] == new[: 1 + len(_SEEDS)]:
            continue
        pairs = zip(old[1 + len(_SEEDS) :], new[1 + len(_SEEDS) :], strict=True)
        sums = {name: (_amount(a), _amount(b)) for name, (a, b) in zip(money, pairs, strict=True)}
        found.append(Difference(table.name, "/".join(key), (_count(old[0]), _count(new[0])), sums))
    return found


def _amount(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
