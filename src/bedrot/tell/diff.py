"""What changed in a table between two states: rows new, restated, renamed and gone, with the money, exactly.

Rows equal in every column but lineage are taken off both sides, as many as there are. Of what is left, rows with the
same identity are pairs (restated), then rows whose identity is the same but for spellings (renamed); the rest is new
or gone. A mart's key is its rows' identity; where it has none, all columns that its input tells are, save measures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, Literal

import duckdb

from bedrot import sql
from bedrot.contract import Kind, Source
from bedrot.errors import Defect
from bedrot.lake.snapshot import Part, TableState
from bedrot.marts.header import Mart
from bedrot.marts.interfaces import INTERFACES, read_fragments
from bedrot.marts.parts import files_sql, staging_sql
from bedrot.tell.known import State, no_table
from bedrot.walk.findings import Finding
from bedrot.walk.marts import marts_of, source_folders

ChangeKind = Literal["new", "restated", "renamed", "gone"]
KINDS: tuple[ChangeKind, ...] = ("new", "restated", "renamed", "gone")
CURRENCY = "currency"
_MONEY = "DECIMAL(38,18)"
_STAGING = "staging."


@dataclass(frozen=True)
class Shape:
    """The columns of a table as (name, type) without lineage, which of them make a row itself, and which are money."""

    columns: tuple[tuple[str, str], ...]
    identity: tuple[str, ...]
    money: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(name for name, _ in self.columns)

    @property
    def texts(self) -> frozenset[str]:
        """The columns that hold text."""
        return frozenset(name for name, kind in self.columns if kind == "VARCHAR")


@dataclass(frozen=True)
class Change:
    """One row that differs: as it was (None: new) and as it is (None: gone), by column."""

    kind: ChangeKind
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def changed(self) -> tuple[str, ...]:
        """The columns in which the two differ; none where there is one side only."""
        if self.before is None or self.after is None:
            return ()
        return tuple(name for name in self.before if self.before[name] != self.after[name])


@dataclass(frozen=True)
class Sum:
    """One money column in one currency (None: not told): before + all of `by_kind` = after, exactly."""

    column: str
    currency: str | None
    before: Decimal
    by_kind: Mapping[ChangeKind, Decimal]
    after: Decimal


@dataclass
class Diff:
    """What changed in a table: how many rows of each kind, the money, and the changed rows (at most those asked for).

    `vanished` are findings new in the later state: lines that a newer file lacks, and that are kept all the same.
    """

    table: str
    rows_before: int
    rows_after: int
    numbers: Mapping[ChangeKind, int]
    money: list[Sum] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    vanished: list[Finding] = field(default_factory=list)
    identity: tuple[str, ...] = ()


def diff(
    sources: Sequence[Source], table: str, before: State, after: State, spill: Path, *, rows: int | None = None
) -> Diff:
    """What changed in a table (a mart, or `staging.<name>`) between two states, with at most `rows` of its rows.

    Misconfigured where there is no such table.
    """
    if table not in after.snapshot.tables:
        raise no_table(table, after.snapshot)
    marts = marts_of(source_folders(sources))
    by_name = {mart.name: mart for mart in marts}
    shape = shape_of(sources, by_name, table, after.snapshot.tables[table])
    con = sql.connect(spill)
    try:
        _show(con, table, shape, before, after)
        _take_equal_off(con, shape)
        _pair_off(con, shape, _spellings(before, after))
        known = {one["id"] for one in before.findings.vanished}
        behind = _behind(sources, by_name, table)
        return Diff(
            table=table,
            rows_before=_count(con, "was"),
            rows_after=_count(con, "is_now"),
            numbers={kind: _count(con, f"(FROM changes WHERE kind = {sql.text(kind)})") for kind in KINDS},
            money=_money(con, shape),
            changes=_rows(con, shape, rows),
            vanished=[one for one in after.findings.vanished if one["table"] in behind and one["id"] not in known],
            identity=shape.identity,
        )
    finally:
        con.close()


def shape_of(sources: Sequence[Source], marts: Mapping[str, Mart], table: str, state: TableState) -> Shape:
    """What makes a row of a table itself, and what of it is money."""
    columns = tuple((name, kind) for name, kind in state.columns if not name.startswith("_"))
    if table.startswith(_STAGING):
        contracts = {one.name: one for source in sources for feed in source.feeds for one in feed.tables}
        contract = contracts[table.removeprefix(_STAGING)]
        money = tuple(one.name for one in contract.fields if one.kind is Kind.MONEY)
        return Shape(columns, ("account", *(one for one in contract.key if one != "account")), money)
    mart = marts[table]
    money = tuple(one.name for one in mart.columns if one.unit == "currency" and one.type == _MONEY)
    return Shape(columns, mart.key or _told(mart), money)


def _told(mart: Mart) -> tuple[str, ...]:
    """The columns of a mart without a key that its inputs tell and that measure nothing, the source with them."""
    inputs = {name for view in mart.data_inputs for name, _ in INTERFACES.get(view, ())} | {"source"}
    return tuple(one.name for one in mart.columns if one.name in inputs and not one.basis and one.name[0] != "_")


def _behind(sources: Sequence[Source], marts: Mapping[str, Mart], table: str) -> frozenset[str]:
    """The staging tables that the rows of a table come from."""
    if table.startswith(_STAGING):
        return frozenset({table.removeprefix(_STAGING)})
    if table in marts:
        return frozenset[str]().union(*(_behind(sources, marts, view) for view in marts[table].data_inputs))
    fragments = read_fragments(source_folders(sources))
    return frozenset(one for fragment in fragments if fragment.view == table for one in fragment.tables)


def _show(con: duckdb.DuckDBPyConnection, table: str, shape: Shape, before: State, after: State) -> None:
    """Views `was` and `is_now` over the table's files in the two states."""
    for view, state in (("was", before), ("is_now", after)):
        of_table = state.snapshot.tables.get(table)
        parts: Sequence[Part] = of_table.parts if of_table else ()
        rows = (staging_sql if table.startswith(_STAGING) else files_sql)(parts, shape.columns, state.lake.absolute)
        con.execute(f"CREATE VIEW {view} AS SELECT {sql.names(shape.names)} FROM ({rows})")


def _count(con: duckdb.DuckDBPyConnection, rows: str) -> int:
    """Number of rows."""
    return int(con.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0])


def _take_equal_off(con: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Tables `older` and `newer`: the rows of each side that the other has not, as many as it has not."""
    numbered = f"SELECT row_number() OVER (ORDER BY {sql.names(shape.names)}) AS _row, *"
    con.execute(f"CREATE TABLE older AS {numbered} FROM (FROM was EXCEPT ALL FROM is_now)")
    con.execute(f"CREATE TABLE newer AS {numbered} FROM (FROM is_now EXCEPT ALL FROM was)")


def _pair_off(con: duckdb.DuckDBPyConnection, shape: Shape, spelled: Sequence[tuple[str, str, str, str]]) -> None:
    """A table `changes`: for each row of `older` and `newer` its kind, with its other side where it has one."""
    con.execute("CREATE TABLE changes (kind VARCHAR, older BIGINT, newer BIGINT)")
    con.execute("CREATE TABLE spellings (account VARCHAR, of_column VARCHAR, spelling VARCHAR, one VARCHAR)")
    if spelled:
        con.executemany("INSERT INTO spellings VALUES (?, ?, ?, ?)", [list(one) for one in spelled])
    exact = {name: f"r.{sql.name(name)}" for name in shape.identity}
    _pair(con, "restated", list(exact.values()))
    same = {name: _spelled(shape, name) for name in shape.identity if name in shape.texts and name != "account"}
    _pair(con, "renamed", list((exact | same).values()))
    con.execute("INSERT INTO changes SELECT 'new', NULL, r._row FROM newer r ANTI JOIN changes c ON c.newer = r._row")
    con.execute("INSERT INTO changes SELECT 'gone', r._row, NULL FROM older r ANTI JOIN changes c ON c.older = r._row")


def _pair(con: duckdb.DuckDBPyConnection, kind: ChangeKind, identity: Sequence[str]) -> None:
    """Rows that are not paired yet and have an equal identity become pairs, one to one in the order of their values."""
    if not all(_count(con, f"{table} r ANTI JOIN changes c ON c.{table} = r._row") for table in ("older", "newer")):
        return
    names = [f"k{place}" for place in range(len(identity))]
    terms = ", ".join(f"{term} AS {name}" for term, name in zip(identity, names, strict=True))
    for table in ("older", "newer"):
        con.execute(
            f"CREATE OR REPLACE TABLE keyed_{table} AS SELECT *,"
            f" row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY _row) AS n"
            f" FROM (SELECT r._row, {terms} FROM {table} r ANTI JOIN changes c ON c.{table} = r._row)"
        )
    on = " AND ".join(f"o.{name} IS NOT DISTINCT FROM n.{name}" for name in names)
    con.execute(
        f"INSERT INTO changes SELECT {sql.text(kind)}, o._row, n._row"
        f" FROM keyed_older o JOIN keyed_newer n ON o.n = n.n AND {on}"
    )


def _spelled(shape: Shape, column: str) -> str:
    """SQL of the one spelling that stands for all that mean the same in a text column of row `r`."""
    plain = f"coalesce(lower(trim(regexp_replace(r.{sql.name(column)}, '\\s+', ' ', 'g'))), '')"
    account = "r.account" if "account" in shape.names else "s.account"
    return (
        f"coalesce((SELECT min(s.one) FROM spellings s WHERE s.account = {account}"
        f" AND s.of_column = {sql.text(column)} AND s.spelling = {plain}), {plain})"
    )


def _spellings(before: State, after: State) -> list[tuple[str, str, str, str]]:
    """For each account, column and spelling that files renamed: one that stands for all that mean the same."""
    groups: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for one in (*before.findings.renamings, *after.findings.renamings):
        mine = {" ".join(one[side].split()).lower() for side in ("old", "new")}
        of = groups[one["account"], one["column"]]
        for other in [group for group in of if group & mine]:
            of.remove(other)
            mine |= other
        of.append(mine)
    return [
        (account, column, spelling, max(group))
        for (account, column), found in sorted(groups.items())
        for group in found
        for spelling in sorted(group)
    ]


def _rows(con: duckdb.DuckDBPyConnection, shape: Shape, limit: int | None) -> list[Change]:
    """The changed rows: new ones, restated, renamed, gone; at most `limit` of them."""
    order = f"list_position([{', '.join(map(sql.text, KINDS))}], c.kind)"
    columns = ", ".join(f"{side}.{sql.name(name)}" for side in ("o", "n") for name in shape.names)
    rows = con.execute(
        f"SELECT c.kind, c.older, c.newer, {columns} FROM changes c LEFT JOIN older o ON o._row = c.older"
        f" LEFT JOIN newer n ON n._row = c.newer ORDER BY {order}, c.newer, c.older"
        + (f" LIMIT {limit:d}" if limit is not None else "")
    ).fetchall()
    wide = len(shape.names)
    return [
        Change(
            kind,
            None if older is None else dict(zip(shape.names, told[:wide], strict=True)),
            None if newer is None else dict(zip(shape.names, told[wide:], strict=True)),
        )
        for kind, older, newer, *told in rows
    ]


def _money(con: duckdb.DuckDBPyConnection, shape: Shape) -> list[Sum]:
    """For each money column and currency: the total before, what each kind of change added, the total after."""
    found: list[Sum] = []
    for column in shape.money:
        rows = con.execute(
            f"SELECT told, step, sum(amount) FROM ({_steps(shape, column)}) WHERE amount IS NOT NULL GROUP BY ALL"
        ).fetchall()
        by_currency: dict[str | None, dict[str, Decimal]] = defaultdict(dict)
        for told, step, total in rows:
            by_currency[told][step] = total
        found += [_sum(column, told, by_currency[told]) for told in sorted(by_currency, key=lambda one: one or "")]
    return found


def _steps(shape: Shape, column: str) -> str:
    """SQL of each amount of a column with its currency and the total or kind of change that it belongs to."""
    amount = f"t.{sql.name(column)}"
    told = f"t.{CURRENCY}" if CURRENCY in shape.names else "CAST(NULL AS VARCHAR)"
    return (
        f"SELECT 'was' AS step, {amount} AS amount, {told} AS told FROM was t"
        f" UNION ALL SELECT 'is_now', {amount}, {told} FROM is_now t"
        f" UNION ALL SELECT c.kind, {amount}, {told} FROM newer t JOIN changes c ON c.newer = t._row"
        f" UNION ALL SELECT c.kind, -{amount}, {told} FROM older t JOIN changes c ON c.older = t._row"
    )


def _sum(column: str, currency: str | None, totals: Mapping[str, Decimal]) -> Sum:
    """One sum; Defect where the parts do not make the whole."""
    zero = Decimal(0)
    found = Sum(
        column, currency, totals.get("was", zero), {kind: totals.get(kind, zero) for kind in KINDS},
        totals.get("is_now", zero),
    )  # fmt: skip
    with localcontext(prec=80):
        if found.before + sum(found.by_kind.values(), zero) != found.after:
            raise Defect(f"The changes of {column} do not add up to the difference of its totals.", "Report this.")
    return found
