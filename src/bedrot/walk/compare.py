"""Compare two states row for row, lineage columns aside: which tables and partitions differ, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    shared = []
    for name in sorted({*one.tables, *other.tables}):
        if name not in one.tables or name not in other.tables:
            where = "in what is published" if name in one.tables else "in what raw gives"
            found.append(Difference(name, "", (0, 0), why=f"the table is only {where}"))
        elif one.tables[name].parts or other.tables[name].parts:
            shared.append(name)
    before, broken = _read(one_lake, one, shared)
    after, _ = _read(other_lake, other, [name for name in shared if name in before])
    for name in shared:
        if name in broken:
            why = f"it cannot be read: {broken[name]}"
            found.append(Difference(name, "", (0, other.tables[name].rows), why=why))
        else:
            found += _differences(other.tables[name], before[name], after[name])
    return found


def _read(lake: Lake, snapshot: Snapshot, names: Sequence[str]) -> tuple[dict[str, _SumsOf], dict[str, str]]:
    """Sums of each table, and why a table cannot be read: all in one engine, or one by one where a file is damaged."""
    try:
        return _read_together(lake, snapshot, names)
    except (Damaged, duckdb.Error) as wrong:  # a file is missing, or no Parquet any more
        if len(names) == 1:
            said = f"{wrong.file}: {wrong.sentence}" if isinstance(wrong, Damaged) else str(wrong)
            return {}, {names[0]: said.splitlines()[0]}
    found: dict[str, _SumsOf] = {}
    broken: dict[str, str] = {}
    for name in names:
        sums, why = _read(lake, snapshot, [name])
        found |= sums
        broken |= why
    return found, broken


def _read_together(lake: Lake, snapshot: Snapshot, names: Sequence[str]) -> tuple[dict[str, _SumsOf], dict[str, str]]:
    """The same in one engine; Damaged where a file of any of these tables is missing."""
    tables = {name: snapshot.tables[name] for name in names}
    found: dict[str, _SumsOf] = {}
    broken: dict[str, str] = {}
    con = open_snapshot(lake, replace(snapshot, tables=tables))
    try:
        for name, table in tables.items():
            try:
                found[name] = _sums(con, table)
            except duckdb.Error as wrong:
                broken[name] = str(wrong).splitlines()[0]
    finally:
        con.close()
    return found, broken


def _all(snapshot: Snapshot) -> list[tuple[str, TableState]]:
    """The tables that have rows, by name."""
    return [(name, snapshot.tables[name]) for name in sorted(snapshot.tables) if snapshot.tables[name].rows]


def _sums(con: duckdb.DuckDBPyConnection, table: TableState) -> _SumsOf:
    """Of each partition of a table: rows, hashes, sums of money."""
    content = sql.names(column for column, _ in table.columns if not column.startswith("_"))
    hashes = ", ".join(f"sum(CAST(hash({seed}, {content}) AS HUGEINT))" for seed in _SEEDS)
    money = "".join(f", sum({sql.name(column)})" for column in _money(table))
    groups = _groups(table)
    rows = con.execute(
        f"SELECT {', '.join(groups)}, count(*), {hashes}{money} FROM {view_name(table.name)} GROUP BY ALL"
    ).fetchall()
    return {tuple(map(str, row[: len(groups)])): row[len(groups) :] for row in rows}


def _groups(table: TableState) -> list[str]:
    """SQL of what names a partition: account and `_partition` where there is one, else the month or the source."""
    names = [name for name, _ in table.columns]
    if "_partition" in names:
        return ["account", "_partition"]
    for name in ("reporting_date", "sale_month"):
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
