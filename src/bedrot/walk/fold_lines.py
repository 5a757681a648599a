"""Law 4 for line items: what a newer content does to an older state, for all partitions of a batch at once.

Per key: only in the older → kept; only in the newer → added; in both → lines equal at the coarser money scale are one
(the finer decimals stay), others are restated by the newer if it has at least as many lines of that key, else held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import duckdb

from bedrot import sql
from bedrot.contract.typing_sql import DIGITS
from bedrot.walk.identity import Pair
from bedrot.walk.line_sql import LineShape, rounded, same, texts, unit


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that looks wrong: its compared values as texts, and how many lines the older and the newer have."""

    values: tuple[str, ...]
    older: int
    newer: int


@dataclass(frozen=True)
class Fold:
    """What the SQL of one fold is built from.

    `older` and `newer` are tables made by `bedrot.walk.identity.loaded`; `scales` all scales of money in play;
    `speakers` the delivery that speaks for the newer, by partition; `equal` folds contents of the same age;
    `allowed` is asked, for the keys of one partition that look wrong, which of them a person approved;
    `cleared` are the partitions where a person approved that what is lacking goes.
    """

    con: duckdb.DuckDBPyConnection
    shape: LineShape
    older: str
    newer: str
    scales: Sequence[int]
    speakers: Mapping[str, str]
    equal: bool
    allowed: Callable[[str, Sequence[HeldKey]], Sequence[bool]]
    cleared: Sequence[str] = ()
    apart: Mapping[Pair, Sequence[str]] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a fold did to one partition; counts are lines."""

    before: int = 0
    came: int = 0
    from_older: int = 0
    from_newer: int = 0
    added: int = 0
    restated: int = 0
    vanished: int = 0
    marks_moved: int = 0
    money_before: tuple[Decimal, ...] = ()
    money_after: tuple[Decimal, ...] = ()
    lacking: dict[str, tuple[int, tuple[Decimal, ...]]] = field(default_factory=dict)

    @property
    def unchanged(self) -> bool:
        """Whether the rows are those of the older state."""
        return not self.from_newer and self.from_older == self.before and not self.marks_moved

    @property
    def replaced(self) -> bool:
        """Whether the rows are those of the newer content."""
        return not self.from_older and self.from_newer == self.came


def fold(job: Fold) -> dict[str, Outcome]:
    """Fold `newer` onto `older`; the rows are then to be read from the view fold_result, with `_from` o or n."""
    con = job.con
    _prepare(job)
    _pair(job)
    _hold(job)
    _mark(job)
    con.execute(f"CREATE OR REPLACE VIEW fold_result AS {_result(job)}")
    return _outcomes(job)


def _prepare(job: Fold) -> None:
    """Number the keys that both sides have, and put their lines side by side."""
    con, shape = job.con, job.shape
    day = sql.name(shape.day)
    speakers = ", ".join(f"({sql.text(part)}, {sql.text(one)})" for part, one in sorted(job.speakers.items()))
    con.execute(
        f"CREATE OR REPLACE TABLE fold_covered AS SELECT DISTINCT t._partition, t.{day} AS day, s.speaker"
        f" FROM {job.newer} t JOIN (VALUES {speakers}) s(_partition, speaker) ON s._partition = t._partition"
    )
    for (column, gone, come), partitions in sorted(job.apart.items()):
        # Lines that a held renaming would count twice stay out until a person approves it.
        con.execute(
            f"DELETE FROM {job.newer} WHERE rowid IN (SELECT n.rowid FROM {job.newer} n SEMI JOIN {job.older} o"
            f" ON {same(shape.without(column), 'o', 'n')} AND {shape.value(column, 'o')} = {sql.text(gone)}"
            f" WHERE {shape.value(column, 'n')} = {sql.text(come)} AND n._partition IN ({texts(partitions)}))"
        )
    keys = sql.names(shape.match)
    con.execute(
        "CREATE OR REPLACE TABLE fold_keys AS SELECT row_number() OVER () AS k, *"
        f" FROM (SELECT DISTINCT {keys} FROM {job.newer})"
    )
    wanted = "".join(f", t.{sql.name(one)} AS m_{i}" for i, one in enumerate(shape.measures))
    for side, table, more in (("o", job.older, ""), ("n", job.newer, " SEMI JOIN fold_o o ON o.k = y.k")):
        con.execute(
            f"CREATE OR REPLACE TABLE fold_{side} AS SELECT t.rowid AS id, y.k, t._partition, t._scale,"
            f" t._delivery, t._line{wanted} FROM {table} t JOIN fold_keys y ON {same(shape.match, 't', 'y')}{more}"
        )


def _pair(job: Fold) -> None:
    """Pair equal lines one to one: first those equal when rounded, then what is left, in order, within one unit."""
    con, count = job.con, len(job.shape.measures)
    told = ", ".join(f"count(m_{i}) = count(*) AS t_{i}" for i in range(count))
    size = f"count(*) AS n, min(_scale) AS s{', ' if told else ''}{told}"
    both = "".join(f", o.t_{i} AND n.t_{i} AS t_{i}" for i in range(count))
    con.execute(
        "CREATE OR REPLACE TABLE fold_sizes AS SELECT k, o.n AS o_n, n.n AS n_n, o.n + n.n = 2 AS single,"
        f" least(o.s, n.s) AS s{both}"
        f" FROM (SELECT k, {size} FROM fold_o GROUP BY k) o JOIN (SELECT k, {size} FROM fold_n GROUP BY k) n USING (k)"
    )
    values = [f"v_{i}" for i in range(count)]
    columns = ", ".join(["k", *values])
    con.execute(
        f"CREATE OR REPLACE TABLE fold_pairs AS SELECT o.id AS o_id, n.id AS n_id, o.k"
        f" FROM {_ranked(job, 'fold_o', columns, '_scale DESC')} o"
        f" JOIN {_ranked(job, 'fold_n', columns, '_scale DESC')} n ON {same(['k', *values, 'place'], 'o', 'n')}"
    )
    lines, pairs = con.execute(
        "SELECT (SELECT coalesce(sum(o_n + n_n), 0) FROM fold_sizes), (SELECT count(*) FROM fold_pairs)"
    ).fetchall()[0]
    if lines > 2 * pairs:
        _pair_rest(job)


def _pair_rest(job: Fold) -> None:
    """Pair the lines that rounding did not bring together (truncated amounts), the first with the first."""
    shape = job.shape
    raw = [f"r_{i}" for i in range(len(shape.measures))]
    order = ", ".join([*raw, "_delivery", "_line"])
    near = ["o.k = n.k", "o.place = n.place"]
    for i in range(len(shape.measures)):
        if i < len(shape.units):
            near.append(f"o.r_{i} IS NOT DISTINCT FROM n.r_{i}")
        else:
            near.append(f"coalesce(abs(o.r_{i} - n.r_{i}) < {unit('o.s', job.scales)}, TRUE)")
    sides = {
        side: f"(SELECT *, row_number() OVER (PARTITION BY k ORDER BY {order}) AS place FROM {_valued(job, table)} r"
        f" ANTI JOIN fold_pairs p ON p.{side}_id = r.id)"
        for side, table in (("o", "fold_o"), ("n", "fold_n"))
    }
    job.con.execute(
        f"INSERT INTO fold_pairs SELECT o.id, n.id, o.k FROM {sides['o']} o JOIN {sides['n']} n ON {' AND '.join(near)}"
    )


def _valued(job: Fold, table: str) -> str:
    """SQL of one side's lines with measures raw (r) and rounded (v); null where a line of either side does not tell."""
    columns = ""
    for i in range(len(job.shape.measures)):
        value = f"t.m_{i}" if i < len(job.shape.units) else rounded(f"t.m_{i}", "z.s", job.scales)
        columns += f", CASE WHEN z.t_{i} THEN t.m_{i} END AS r_{i}, CASE WHEN z.t_{i} THEN {value} END AS v_{i}"
    return (
        "(SELECT t.id, t.k, t._partition, t._scale, t._delivery, t._line, z.s, z.single"
        f"{columns} FROM {table} t JOIN fold_sizes z ON z.k = t.k)"
    )


def _ranked(job: Fold, table: str, columns: str, order: str) -> str:
    """SQL of one side's lines with the place of each among its equals; most keys have one line and need no sorting."""
    return (
        f"(SELECT *, 1 AS place FROM {_valued(job, table)} WHERE single UNION ALL"
        f" SELECT *, row_number() OVER (PARTITION BY {columns} ORDER BY {order}, _delivery, _line) AS place"
        f" FROM {_valued(job, table)} WHERE NOT single)"
    )


def _hold(job: Fold) -> None:
    """Fill fold_held with the keys that the newer may not restate, after asking what a person approved."""
    wrong = "z.n_n < z.o_n"
    if job.equal:
        wrong = "NOT (z.o_n = z.n_n AND z.o_n = (SELECT count(*) FROM fold_pairs p WHERE p.k = z.k))"
    job.con.execute(f"CREATE OR REPLACE TABLE fold_held AS SELECT k, o_n, n_n FROM fold_sizes z WHERE {wrong}")
    keys = ", ".join(f"CAST(y.{sql.name(one)} AS VARCHAR)" for one in job.shape.match)
    found: dict[str, dict[int, HeldKey]] = {}
    for number, older, newer, *key in job.con.execute(
        f"SELECT h.k, h.o_n, h.n_n, {keys} FROM fold_held h JOIN fold_keys y USING (k)"
        f" ORDER BY {sql.names(job.shape.match, 'y.')}"
    ).fetchall():
        found.setdefault(key[0], {})[number] = HeldKey(tuple(part or "" for part in key[1:]), older, newer)
    for partition, lines in found.items():
        allowed = job.allowed(partition, list(lines.values()))
        numbers = [[number] for number, yes in zip(lines, allowed, strict=True) if yes]
        if numbers:
            job.con.executemany("DELETE FROM fold_held WHERE k = ?", numbers)


def _mark(job: Fold) -> None:
    """Decide for each line of the keys that both sides have whether it is taken."""
    con, content = job.con, job.shape.content
    tells = " + ".join("CAST({side}." + sql.name(one) + " IS NOT NULL AS INTEGER)" for one in content)
    wins = "n._scale > o._scale"
    if not job.equal:
        rows = [f"row({sql.names(content, f'{side}.')})" for side in "on"]
        wins += (
            f" OR (n._scale = o._scale AND {rows[0]} IS DISTINCT FROM {rows[1]}"
            f" AND ({tells.format(side='n')}) >= ({tells.format(side='o')}))"
        )
    con.execute(
        f"CREATE OR REPLACE TABLE fold_wins AS SELECT p.o_id, p.n_id, {wins} AS newer FROM fold_pairs p"
        f" JOIN {job.older} o ON o.rowid = p.o_id JOIN {job.newer} n ON n.rowid = p.n_id"
    )
    for side, taken in (
        ("o", "h.k IS NOT NULL OR coalesce(NOT w.newer, FALSE)"),
        ("n", "h.k IS NULL AND coalesce(w.newer, TRUE)"),
    ):
        con.execute(
            f"CREATE OR REPLACE TABLE fold_mark_{side} AS SELECT t.id, t._partition, h.k IS NOT NULL AS held,"
            f" w.newer IS NOT NULL AS paired, {taken} AS taken FROM fold_{side} t"
            f" LEFT JOIN fold_held h ON h.k = t.k LEFT JOIN fold_wins w ON w.{side}_id = t.id"
        )


def _result(job: Fold) -> str:
    """SQL of the rows after the fold."""
    shape = job.shape
    columns = sql.names(shape.stored[:-1], "t.")
    cleared = f"t._partition IN ({texts(job.cleared)})" if job.cleared else "FALSE"
    if job.equal:
        lacking, gone = "t._lacking", "FALSE"
    else:
        lacking = "CASE WHEN m.id IS NULL THEN coalesce(t._lacking, c.speaker) END"
        gone = f"(m.id IS NULL AND c.day IS NOT NULL AND {cleared})"
    return (
        f"SELECT {columns}, {lacking} AS _lacking, 'o' AS _from, t._lacking AS _was FROM {job.older} t"
        " LEFT JOIN fold_mark_o m ON m.id = t.rowid"
        f" LEFT JOIN fold_covered c ON c._partition = t._partition AND c.day = t.{sql.name(shape.day)}"
        f" WHERE coalesce(m.taken, TRUE) AND NOT {gone}"
        f" UNION ALL SELECT {columns}, t._lacking, 'n' AS _from, NULL AS _was FROM {job.newer} t"
        " LEFT JOIN fold_mark_n m ON m.id = t.rowid WHERE coalesce(m.taken, TRUE)"
    )


def _outcomes(job: Fold) -> dict[str, Outcome]:
    """Count what happened, by partition."""
    con, shape = job.con, job.shape
    found = {partition: Outcome() for partition in job.speakers}
    sums = "".join(f", coalesce(sum({sql.name(one)}), 0)" for one in shape.money)
    for partition, count, *money in con.execute(
        f"SELECT _partition, count(*){sums} FROM {job.older} GROUP BY 1"
    ).fetchall():
        found[partition].before, found[partition].money_before = count, tuple(money)
    for partition, count in con.execute(f"SELECT _partition, count(*) FROM {job.newer} GROUP BY 1").fetchall():
        found[partition].came = count
    # One look at the result, which is a view: each costs as much as the fold.
    for partition, origin, moved, lost, lacking, count, *money in con.execute(
        "SELECT _partition, _from, _lacking IS DISTINCT FROM _was, _lacking IS NOT NULL AND _was IS NULL,"
        f" _lacking, count(*){sums} FROM fold_result GROUP BY 1, 2, 3, 4, 5"
    ).fetchall():
        one = found[partition]
        one.money_after = _plus(one.money_after, money)
        if origin == "n":
            one.from_newer += count
        else:
            one.from_older += count
            one.marks_moved += count if moved else 0
            one.vanished += count if lost else 0
        if lacking is not None and not job.equal:
            lines, sum_ = one.lacking.get(lacking, (0, ()))
            one.lacking[lacking] = (lines + count, _plus(sum_, money))
    _count_restated(job, found)
    zero = (Decimal(0),) * len(shape.money)
    for one in found.values():
        one.money_before, one.money_after = one.money_before or zero, one.money_after or zero
    return found


def _plus(some: Sequence[Decimal], more: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Sums of money added one by one, exactly; no sums are zero."""
    with localcontext(prec=DIGITS):
        return tuple(one + other for one, other in zip(some, more, strict=True)) if some else tuple(more)


def _count_restated(job: Fold, found: dict[str, Outcome]) -> None:
    """Count lines restated, added, and removed because a person approved it."""
    for one in found.values():
        one.added = one.came
        one.vanished += one.before - one.from_older
    for partition, unpaired, dropped in job.con.execute(
        "SELECT _partition, count(*) FILTER (NOT paired AND NOT held), count(*) FILTER (NOT taken)"
        " FROM fold_mark_o GROUP BY 1"
    ).fetchall():
        found[partition].restated = unpaired
        found[partition].vanished -= dropped
    for partition, known, more in job.con.execute(
        "SELECT y._partition, sum(z.n_n), coalesce(sum(greatest(z.n_n - z.o_n, 0)) FILTER (h.k IS NULL), 0)"
        " FROM fold_sizes z JOIN fold_keys y USING (k) LEFT JOIN fold_held h USING (k) GROUP BY 1"
    ).fetchall():
        found[partition].added += int(more) - int(known)
