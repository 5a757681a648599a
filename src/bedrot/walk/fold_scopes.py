"""Law 4 for windows and snapshots: within a scope the newest content that has any row of it replaces all its rows."""

from __future__ import annotations

from decimal import Decimal

from bedrot import sql
from bedrot.contract import Merge
from bedrot.walk.fold_rows import BASE, RowFold, TickCount, changes, states

_NTH = "_nth"


def fold_scopes(job: RowFold, cleared: dict[int, int]) -> dict[tuple[int, int], TickCount]:
    """Fold windows or snapshots; the rows are then in rows_done, the counts by job and tick are returned.

    `cleared` gives the tick of a job where a person approved that what is lacking goes; it is the job's last.
    """
    con, shape, table = job.con, job.shape, job.shape.table
    live = f"{sql.name(table.absent)} IS NOT NULL" if table.absent else "TRUE"
    con.execute(f"ALTER TABLE rows_all ADD COLUMN {_NTH} INTEGER")
    places = sql.names(("_job", "_tick", "_place", *shape.ident))
    con.execute(
        f"UPDATE rows_all SET {_NTH} = place FROM (SELECT rowid AS id, row_number() OVER (PARTITION BY {places}"
        " ORDER BY _line) AS place FROM rows_all) WHERE id = rows_all.rowid"
    )
    if job.ties:
        job.hold_ties((*shape.ident, _NTH))
        _join_ties(job)
    _scope_ticks(job, live)
    _fold_states(job)
    counts = changes(con, shape, live)
    _count_dropped(job, counts, live)
    _mark_lacking(job, cleared, live)
    if table.merge is Merge.WINDOWS:
        _count_vanished(job, counts)
    _finish(job, counts)
    return counts


def _join_ties(job: RowFold) -> None:
    """Make one row of those of one age that have one name: later ones fill what earlier ones leave open."""
    shape = job.shape
    window = f"(PARTITION BY {sql.names(('_job', '_tick', *shape.ident, _NTH))} ORDER BY _place)"
    filled = {one: f"last_value({sql.name(one)} IGNORE NULLS) OVER {window}" for one in shape.values}
    states(job.con, shape, "SELECT * FROM rows_all", window, filled)
    columns = sql.names((*shape.stored, "_job", "_tick", "_place", _NTH))
    job.con.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_all AS SELECT {columns} FROM rows_states"
        f" QUALIFY row_number() OVER {window.replace('_place)', '_place DESC)')} = 1"
    )


def _scope_ticks(job: RowFold, live: str) -> None:
    """Fill rows_scopes: each tick that has a scope, whether it is stale, which place it has, and what comes next."""
    table, scope = job.shape.table, sql.names(("_job", *job.shape.scope))
    until = f"max({sql.name(table.until)})" if table.until else "NULL"
    day = sql.name(job.shape.day)
    job.con.execute(
        "CREATE OR REPLACE TEMP TABLE rows_scopes AS"
        " SELECT *, CASE WHEN NOT stale THEN sum(CAST(NOT stale AS INTEGER)) OVER w END AS seq,"
        " lead(_tick) OVER w AS next,"
        " last_value(CASE WHEN NOT stale THEN live END IGNORE NULLS) OVER w AS live_then"
        f" FROM (SELECT *, coalesce(until < max(until) OVER (PARTITION BY {scope} ORDER BY _tick"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), FALSE) AS stale"
        f" FROM (SELECT {scope}, _tick, {until} AS until, count(*) FILTER ({live}) AS live, min({day}) AS day,"
        f" max(_lacking) AS lacked FROM rows_all GROUP BY ALL)) WINDOW w AS (PARTITION BY {scope} ORDER BY _tick)"
    )


def _fold_states(job: RowFold) -> None:
    """Fill rows_states: a column that a content was not asked for keeps what the row of that name had before."""
    shape, con = job.shape, job.con
    on = " AND ".join(f"r.{sql.name(one)} IS NOT DISTINCT FROM s.{sql.name(one)}" for one in ("_job", *shape.scope))
    missing = _not_asked(job) if shape.table.merge is Merge.WINDOWS else []
    asked = "".join(
        f", r._tick = {BASE} OR count(r.{sql.name(one)}) OVER (PARTITION BY r._job, r._tick) > 0 AS asked_{i}"
        for i, one in enumerate(missing)
    )
    name = sql.names(("_job", *shape.ident, _NTH))
    # Rows of one name whose places in their scope follow each other without a gap are one island.
    source = (
        f"SELECT *, seq - row_number() OVER (PARTITION BY {name} ORDER BY seq) AS island FROM ("
        f"SELECT * FROM (SELECT r.*, s.seq, s.stale{asked} FROM rows_all r JOIN rows_scopes s"
        f" ON r._tick = s._tick AND {on}) WHERE NOT stale)"
    )
    window = job.windowed((*shape.ident, _NTH, "island"), "seq")
    values = {one: sql.name(one) for one in shape.values}
    for i, one in enumerate(missing):
        kept = f"CASE WHEN asked_{i} THEN struct_pack(v := {sql.name(one)}) END"
        values[one] = f"(last_value({kept} IGNORE NULLS) OVER {window}).v"
    states(con, shape, source, window, values)


def _not_asked(job: RowFold) -> list[str]:
    """The value columns that are null in all rows of some tick."""
    values = job.shape.values
    if not values:
        return []
    told = ", ".join(f"bool_or(n_{i} = 0)" for i in range(len(values)))
    counts = ", ".join(f"count({sql.name(one)}) AS n_{i}" for i, one in enumerate(values))
    row = job.con.execute(
        f"SELECT {told} FROM (SELECT {counts} FROM rows_all WHERE _tick <> {BASE} GROUP BY _job, _tick)"
    ).fetchall()[0]
    return [one for one, silent in zip(values, row, strict=True) if silent]


def _count_dropped(job: RowFold, counts: dict[tuple[int, int], TickCount], live: str) -> None:
    """Count, as restated, the rows that the next content of their scope no longer has."""
    shape = job.shape
    on = " AND ".join(f"r.{sql.name(one)} IS NOT DISTINCT FROM s.{sql.name(one)}" for one in ("_job", *shape.scope))
    name = sql.names(("_job", *shape.ident, _NTH))
    sums = "".join(f", coalesce(sum({sql.name(one)}), 0)" for one in shape.money)
    for number, tick, count, *money in job.con.execute(
        f"SELECT r._job, s._tick, count(*){sums} FROM (SELECT *, lead(seq) OVER (PARTITION BY {name} ORDER BY seq)"
        f" AS following FROM rows_states) r JOIN rows_scopes s ON {on} AND s.seq = r.seq + 1"
        f" WHERE r.following IS DISTINCT FROM r.seq + 1 AND {live} GROUP BY 1, 2"
    ).fetchall():
        one = counts.setdefault((number, tick), TickCount(change=(Decimal(0),) * len(shape.money)))
        one.restated += count
        one.change = tuple(now - gone for now, gone in zip(one.change, money, strict=True))


def _mark_lacking(job: RowFold, cleared: dict[int, int], live: str) -> None:
    """Fill rows_lacks (scopes that a later tick covers and lacks) and rows_last (the rows after the last tick)."""
    shape, con = job.shape, job.con
    _cover(job)
    on = " AND ".join(f"l.{sql.name(one)} IS NOT DISTINCT FROM s.{sql.name(one)}" for one in ("_job", *shape.scope))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE rows_lacks AS SELECT s.*, min(c._tick) AS lack,"
        " max(c._tick) AS lack_last FROM rows_scopes s LEFT JOIN rows_cover c ON c._job = s._job AND c.day = s.day"
        f" AND c._tick > s._tick AND (s.next IS NULL OR c._tick < s.next){_facets_meet(job)} GROUP BY ALL"
    )
    ends = ", ".join(f"({number}, {tick})" for number, tick in sorted(cleared.items())) or "(NULL, NULL)"
    newest = f"max(r.seq) OVER (PARTITION BY {sql.names(('_job', *shape.scope), 'r.')})"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_last AS SELECT r.*, l.lack, l.lack_last, l._tick AS seen,"
        " coalesce(l.lack_last = e.tick, FALSE) AS removed"
        f" FROM (SELECT r.*, {newest} AS newest FROM rows_states r) r"
        f" JOIN (SELECT * FROM rows_lacks WHERE next IS NULL) l ON {on.replace('s.', 'r.')}"
        f" LEFT JOIN (VALUES {ends}) e(job, tick) ON e.job = r._job WHERE r.seq = r.newest AND {live}"
    )


def _cover(job: RowFold) -> None:
    """Fill rows_cover: the days that each tick speaks of, and the facets that narrow what it was asked for.

    A content covers the days it has rows of, for the values of those scope columns that list their values, and of those
    by which its rows do not differ (one campaign asked alone says nothing of another).
    """
    shape = job.shape
    if shape.table.merge is not Merge.WINDOWS:
        job.con.execute(
            f"CREATE OR REPLACE TEMP TABLE rows_cover AS SELECT _job, _tick, {sql.name(shape.day)} AS day"
            " FROM rows_all LIMIT 0"
        )
        return
    facets = ""
    for i, one in enumerate(shape.scope):
        own, over = sql.name(one), "OVER (PARTITION BY _job, _tick)"
        single = (
            f"min({own}) {over} IS NOT DISTINCT FROM max({own}) {over} AND count({own}) {over} IN (0, count(*) {over})"
        )
        always = "TRUE" if shape.table.field(one).values else single
        facets += f", {always} AS narrow_{i}, CASE WHEN {always} THEN {own} END AS facet_{i}"
    job.con.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_cover AS SELECT DISTINCT _job, _tick, {sql.name(shape.day)} AS day{facets}"
        f" FROM rows_all WHERE _tick <> {BASE}"
    )


def _facets_meet(job: RowFold) -> str:
    """SQL: what a tick was asked for includes a scope."""
    if job.shape.table.merge is not Merge.WINDOWS:
        return ""
    return "".join(
        f" AND (NOT c.narrow_{i} OR c.facet_{i} IS NOT DISTINCT FROM s.{sql.name(one)})"
        for i, one in enumerate(job.shape.scope)
    )


def _count_vanished(job: RowFold, counts: dict[tuple[int, int], TickCount]) -> None:
    """Count the rows that a tick is the first to lack, and note the ticks that were stale altogether."""
    none = (Decimal(0),) * len(job.shape.money)
    for number, tick, count in job.con.execute(
        "SELECT _job, lack, sum(live_then) FROM rows_lacks WHERE lack IS NOT NULL AND lacked IS NULL GROUP BY 1, 2"
    ).fetchall():
        counts.setdefault((number, tick), TickCount(change=none)).vanished += int(count or 0)
    for number, tick in job.con.execute(
        "SELECT _job, _tick FROM rows_scopes GROUP BY 1, 2 HAVING bool_and(stale)"
    ).fetchall():
        counts.setdefault((number, tick), TickCount(change=none)).stale = True


def _finish(job: RowFold, counts: dict[tuple[int, int], TickCount]) -> None:
    """Fill rows_done from rows_last: without what a person cleared, and only the changes where the table says so."""
    shape, con = job.shape, job.con
    sums = "".join(f", coalesce(sum({sql.name(one)}), 0)" for one in shape.money)
    for number, tick, *money in con.execute(
        f"SELECT _job, max(lack_last){sums} FROM rows_last WHERE removed GROUP BY 1"
    ).fetchall():
        one = counts.setdefault((number, tick), TickCount(change=(Decimal(0),) * len(money)))
        one.change = tuple(now - gone for now, gone in zip(one.change, money, strict=True))
    lacking = f"CASE WHEN r.seen = {BASE} THEN coalesce(r._lacking, t.speaker) ELSE t.speaker END"
    source = (
        f"SELECT {sql.names(shape.stored[:-1], 'r.')}, {lacking} AS _lacking, r._job FROM rows_last r"
        " LEFT JOIN rows_ticks t ON t.job = r._job AND t.tick = r.lack WHERE NOT r.removed"
    )
    if shape.table.changes_only:
        source = _only_changes(job, source)
    con.execute(f"CREATE OR REPLACE TEMP TABLE rows_done AS {source}")


def _only_changes(job: RowFold, source: str) -> str:
    """SQL of the versions of an entity that differ from the one before; the first of a partition always stands."""
    shape = job.shape
    entity = sql.names(("_job", *(one for one in shape.table.key if one != shape.day)))
    content = sql.names(one for one in shape.content if one != shape.day)
    return (
        f"SELECT * FROM ({source}) QUALIFY row({content}) IS DISTINCT FROM"
        f" lag(row({content})) OVER (PARTITION BY {entity} ORDER BY {sql.name(shape.day)})"
    )
