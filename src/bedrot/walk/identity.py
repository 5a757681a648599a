"""The identity map of line items: which values of identity columns mean the same thing, proven by the files themselves.

Where a value is gone from a newer file on dates that it covers, and another has come on the same dates, the lines that
agree in every other column are compared: at least three, all with equal units and money, none contradicting → renamed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from bedrot import sql
from bedrot.walk.line_sql import LineShape, same, unit

FLOOR = 3
"""The fewest equal lines that prove a renaming; small amounts coincide by chance (law 4)."""

Pair = tuple[str, str, str]
"""Column, value that is gone, value that has come; values as `LineShape.value` writes them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the lines of one partition speak for a renaming: `hits` of `both` keys are equal, in `lines` lines."""

    partition: str
    pair: Pair
    hits: int
    both: int
    lines: int
    gone_shown: str
    come_shown: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A value of a column that is replaced by `new`, shown as `shown`."""

    column: str
    old: str
    new: str
    shown: str


@dataclass
class IdentityMap:
    """The aliases of an account, and the pairs held for a person; both grow along the fold."""

    aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    held: set[Pair] = field(default_factory=set)

    def resolved(self, column: str, value: str) -> str:
        """The value that stands for another, through chains."""
        seen = {value}
        while (column, value) in self.aliases:
            value = self.aliases[column, value].new
            if value in seen:
                break
            seen.add(value)
        return value

    def flat(self) -> list[Alias]:
        """Every alias with chains resolved, also in the neighbour that tells a blank apart, sorted."""
        found = {}
        for (column, old), alias in self.aliases.items():
            last = alias
            while (column, last.new) in self.aliases:
                last = self.aliases[column, last.new]
            key = self._renewed(old)
            found[column, key] = Alias(column, key, last.new, last.shown)
        return [found[key] for key in sorted(found)]

    def add(self, alias: Alias) -> bool:
        """Take an alias; False when it is known or would close a circle."""
        if (alias.column, alias.old) in self.aliases or self.resolved(alias.column, alias.new) == alias.old:
            return False
        self.aliases[alias.column, alias.old] = alias
        return True

    def _renewed(self, value: str) -> str:
        """The text of a blank with its neighbour's present value."""
        if not value.startswith("~") or "=" not in value:
            return value
        column, _, near = value[1:].partition("=")
        return f"~{column}{self.resolved(column, f'={near}')}"


def loaded(shape: LineShape, sources: Sequence[str], aliases: Sequence[Alias]) -> str:
    """SQL of the rows of several sources with their compared columns, every alias applied.

    Where there are aliases, `_hits` lists the places in them (counted from 1) that a row was changed by.
    """
    more = ["CAST([] AS INTEGER[]) AS _hits"] if aliases else []
    rows = f"SELECT {', '.join(['*', *shape.normal(), *more])} FROM ({' UNION ALL '.join(sources)})"
    # Blanks come second: their neighbours must have their present values first.
    for blank in (False, True):
        for column in shape.table.identity:
            mine = [
                (place, one)
                for place, one in enumerate(aliases, 1)
                if one.column == column and one.old.startswith("~") == blank
            ]
            if mine:
                rows = _replaced(shape, rows, column, mine)
    return rows


def _replaced(shape: LineShape, rows: str, column: str, aliases: Sequence[tuple[int, Alias]]) -> str:
    """SQL of `rows` with the aliases of one column applied."""
    shown, compared = sql.name(column), sql.name(shape.compared(column))
    listed = ", ".join(
        f"({place}, {sql.text(one.old)}, {sql.text(one.new[1:])}, {sql.text(one.shown)})" for place, one in aliases
    )
    return (
        f"SELECT r.* REPLACE (CASE WHEN a.place IS NULL THEN r.{shown} ELSE a.shown END AS {shown},"
        f" coalesce(a.new, r.{compared}) AS {compared},"
        " CASE WHEN a.place IS NULL THEN r._hits ELSE list_append(r._hits, a.place) END AS _hits)"
        f" FROM ({rows}) r LEFT JOIN (VALUES {listed}) a(place, old, new, shown) ON a.old = {shape.value(column, 'r')}"
    )


def judged(evidence: Iterable[Evidence]) -> tuple[list[list[Evidence]], list[list[Evidence]]]:
    """Renamings proven and nearly proven, each as the evidence of its partitions, sorted by pair.

    One value that became several things is not a renaming: a person must look.
    """
    sums: dict[Pair, list[Evidence]] = defaultdict(list)
    for one in evidence:
        sums[one.pair].append(one)
    proven: dict[tuple[str, str], list[list[Evidence]]] = defaultdict(list)
    near = []
    for pair in sorted(sums):
        hits, both = sum(one.hits for one in sums[pair]), sum(one.both for one in sums[pair])
        if hits >= FLOOR and hits == both:
            proven[pair[0], alias_of(sums[pair]).old].append(sums[pair])
        elif hits >= FLOOR and 10 * hits >= 9 * both:
            near.append(sums[pair])
    alone = [found[0] for found in proven.values() if len(found) == 1]
    several = [one for found in proven.values() if len(found) > 1 for one in found]
    return alone, sorted([*near, *several], key=lambda found: found[0].pair)


def alias_of(evidence: Sequence[Evidence]) -> Alias:
    """The alias that the evidence of one pair proves; a known value is never replaced by a blank."""
    column, gone, come = evidence[0].pair
    if come.startswith("~"):
        return Alias(column, come, gone, min(one.gone_shown for one in evidence))
    return Alias(column, gone, come, min(one.come_shown for one in evidence))


def find_evidence(
    con: duckdb.DuckDBPyConnection, shape: LineShape, older: str, newer: str, scales: Sequence[int]
) -> list[Evidence]:
    """All pairs of gone and come values that share lines, by partition, in tables loaded by `loaded`."""
    found = []
    for column in _with_news(con, shape, older, newer):
        if _changed(con, shape, column, older, newer):
            for part, gone, come, *counts, shown_gone, shown_come in con.execute(
                _compare(shape, column, older, newer, scales)
            ).fetchall():
                if not gone[0] == come[0] == "~":
                    hits, both, lines = (int(count) for count in counts)
                    pair = (column, gone, come)
                    found.append(Evidence(part, pair, hits, both, lines, shown_gone or "", shown_come or ""))
    return sorted(found, key=lambda one: (one.partition, one.pair))


def _with_news(con: duckdb.DuckDBPyConnection, shape: LineShape, older: str, newer: str) -> list[str]:
    """The identity columns in which the newer has a value on a day that the older has not: mostly none."""
    # The plain values, a blank always counted as new, cost a third of what tells blanks apart.
    plain = {
        column: f"_partition, {sql.name(shape.day)}, {sql.name(shape.compared(column))}"
        for column in shape.table.identity
    }
    some = _new(con, {column: (one, one) for column, one in plain.items()}, older, newer)
    return _new(con, {column: ("p, d, v", _dated(shape, column)) for column in some}, older, newer)


def _new(con: duckdb.DuckDBPyConnection, asked: Mapping[str, tuple[str, str]], older: str, newer: str) -> list[str]:
    """Those columns, told with names and SQL of what is compared, of which the newer has what the older lacks."""
    if not asked:
        return []
    told = ", ".join(
        f"EXISTS (SELECT 1 FROM (SELECT DISTINCT {select} FROM {newer} t) n"
        f" ANTI JOIN (SELECT {select} FROM {older} t) o USING ({names}))"
        for names, select in asked.values()
    )
    news = con.execute(f"SELECT {told}").fetchall()[0]
    return [column for column, any_news in zip(asked, news, strict=True) if any_news]


def _dated(shape: LineShape, column: str) -> str:
    """SQL of partition, day and value of a column, as p, d and v, in a table called t."""
    return f"t._partition AS p, t.{sql.name(shape.day)} AS d, {shape.value(column, 't')} AS v"


def _changed(con: duckdb.DuckDBPyConnection, shape: LineShape, column: str, older: str, newer: str) -> bool:
    """Whether a value of a column has come on a day, and one is gone; then fold_gone and fold_come list them."""
    dated = _dated(shape, column)
    sides = (
        f"WITH had AS MATERIALIZED (SELECT DISTINCT {dated} FROM {older} t),"
        f" said AS MATERIALIZED (SELECT DISTINCT {dated} FROM {newer} t),"
        " come AS MATERIALIZED (SELECT * FROM said ANTI JOIN had USING (p, d, v)),"
        " gone AS (SELECT had.* FROM had SEMI JOIN come USING (p, d) ANTI JOIN said USING (p, d, v))"
    )
    con.execute(
        f"CREATE OR REPLACE TABLE fold_changed AS {sides}"
        " SELECT *, TRUE AS gone FROM gone UNION ALL SELECT *, FALSE FROM come WHERE (SELECT count(*) FROM gone) > 0"
    )
    return bool(con.execute("SELECT count(*) FROM fold_changed").fetchall()[0][0])


def _compare(shape: LineShape, column: str, older: str, newer: str, scales: Sequence[int]) -> str:
    """SQL: for each partition and pair, in how many keys without the column the lines are equal."""
    rest = shape.without(column)

    def side(table: str, gone: str, only: str = "") -> str:
        lists = ", ".join(
            f"count(t.{sql.name(one)}) AS n_{i}, list_sort(list(t.{sql.name(one)})) AS l_{i}"
            for i, one in enumerate(shape.measures)
        )
        return (
            f"(SELECT x.v, {sql.names(rest, 't.')}, count(*) AS n, min(t._scale) AS s,"
            f" min(t.{sql.name(column)}) AS shown{', ' if lists else ''}{lists} FROM {table} t{only}"
            f" JOIN fold_changed x ON x.gone = {gone} AND x.p = t._partition AND x.d = t.{sql.name(shape.day)}"
            f" AND x.v = {shape.value(column, 't')} GROUP BY x.v, {sql.names(rest, 't.')})"
        )

    # Of the older, which may be much, only what has the keys of the newer is looked at.
    alike = f" SEMI JOIN come c ON {same(rest, 't', 'c')}"
    return (
        f"WITH come AS MATERIALIZED {side(newer, 'FALSE')}"
        " SELECT _partition, gone, come, count(*) FILTER (equal), count(*), coalesce(sum(n) FILTER (equal), 0),"
        " min(gone_shown), min(come_shown) FROM (SELECT o._partition, o.v AS gone, n.v AS come, o.n,"
        f" o.shown AS gone_shown, n.shown AS come_shown, {_equal(shape, scales)} AS equal, {_told(shape)} AS told"
        f" FROM {side(older, 'TRUE', alike)} o JOIN come n ON {same(rest, 'o', 'n')})"
        " WHERE told GROUP BY _partition, gone, come"
    )


def _equal(shape: LineShape, scales: Sequence[int]) -> str:
    """SQL: as many lines, and every measure that both sides tell is equal at the coarser scale."""
    terms = ["o.n = n.n"]
    for i in range(len(shape.measures)):
        if i < len(shape.units):
            equal = f"o.l_{i} = n.l_{i}"
        else:
            widest = f"list_max(list_transform(list_zip(o.l_{i}, n.l_{i}), lambda x: abs(x[1] - x[2])))"
            equal = f"{widest} < {unit('least(o.s, n.s)', scales)}"
        terms.append(f"(o.n_{i} < o.n OR n.n_{i} < n.n OR coalesce({equal}, FALSE))")
    return " AND ".join(terms)


def _told(shape: LineShape) -> str:
    """SQL: there is an amount (where the table has none: a count) that both sides tell in each line."""
    first = len(shape.units) if shape.money else 0
    terms = [f"(o.n_{i} = o.n AND n.n_{i} = n.n)" for i in range(first, len(shape.measures))]
    return f"({' OR '.join(terms)})" if terms else "FALSE"
