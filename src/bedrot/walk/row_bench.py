"""The work on series, windows and snapshots, a batch of partitions at a time: load, fold, count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from bedrot import sql
from bedrot.contract import Merge
from bedrot.walk.chains import Chain
from bedrot.walk.curated_values import Piece
from bedrot.walk.desk import Desk
from bedrot.walk.fold_rows import BASE, RowFold, RowShape, TickCount, fold_series
from bedrot.walk.fold_scopes import fold_scopes

BATCH_ROWS = 400_000
"""Rows that are folded at once: what a batch holds in memory stays below 700 MB."""


@dataclass
class RowJob:
    """One partition with news: the ticks after `base` (-1: all) up to `upto` are folded onto the rows of `piece`.

    `number` names the job within its batch; `table` holds the rows where an earlier round of the batch made them.
    """

    chain: Chain
    base: int
    piece: Piece | None
    rows: int
    answers: dict[str, bool] = field(default_factory=dict)
    open: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0
    upto: int = 0
    table: str = ""
    clears: bool = False

    @property
    def last(self) -> int:
        """The last tick of the partition."""
        return len(self.chain.ticks) - 1

    @property
    def size(self) -> int:
        """How many rows are read."""
        return self.rows + sum(one.rows for tick in self.chain.ticks[self.base + 1 :] for one in tick.contents)


def row_batches(jobs: Sequence[RowJob]) -> Iterator[list[RowJob]]:
    """Jobs in numbered groups of a bounded number of rows; a partition too big stands alone."""
    group: list[RowJob] = []
    for job in jobs:
        if group and sum(one.size for one in group) + job.size > BATCH_ROWS:
            yield group
            group = []
        job.number = len(group)
        group.append(job)
    if group:
        yield group


@dataclass
class Round:
    """What one round of folding found: counts by job and tick, and the sums of money before it by job."""

    counts: dict[tuple[int, int], TickCount]
    money: dict[int, tuple[Decimal, ...]]


def fold_round(desk: Desk, shape: RowShape, jobs: Sequence[RowJob]) -> Round:
    """Load the jobs and fold each up to its `upto`; the rows are then in rows_done, with `_job`."""
    _load(desk.con, shape, jobs)
    by_number = {job.number: job for job in jobs}
    held: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)

    def ask(number: int, index: int, place: int, keys: Sequence[tuple[str, ...]]) -> list[bool]:
        job = by_number[number]
        tick = job.chain.ticks[index]
        differ = [(list(key), "two files of the same age differ.") for key in keys]
        entries = desk.hold_keys("age", job.chain, tick, tick.speakers[place], differ)
        answers = [desk.approved(entry["id"]) for entry in entries]
        job.answers.update(zip((entry["id"] for entry in entries), answers, strict=True))
        held[number, index] += [entry for entry, yes in zip(entries, answers, strict=True) if not yes]
        return answers if len(entries) == len(keys) else answers * len(keys)

    ties = any(len(tick.contents) > 1 for job in jobs for tick in job.chain.ticks[job.base + 1 : job.upto + 1])
    work = RowFold(desk.con, shape, ties, ask)
    money = _base_money(desk.con, shape)
    if desk.table.merge is Merge.SERIES:
        counts = fold_series(work)
    else:
        counts = fold_scopes(work, {job.number: job.upto for job in jobs if job.clears})
    for place, entries in held.items():
        counts.setdefault(place, TickCount(change=(Decimal(0),) * len(shape.money))).held = entries
    _close_holds(desk.con, shape, by_number, held)
    return Round(counts, money)


def lacking(con: duckdb.DuckDBPyConnection, shape: RowShape) -> dict[int, dict[str, tuple[int, tuple[Decimal, ...]]]]:
    """Lines and money in rows_done that a delivery lacks, by job and delivery."""
    found: dict[int, dict[str, tuple[int, tuple[Decimal, ...]]]] = defaultdict(dict)
    sums = "".join(f", coalesce(sum({sql.name(one)}), 0)" for one in shape.money)
    for number, delivery, count, *money in con.execute(
        f"SELECT _job, _lacking, count(*){sums} FROM rows_done WHERE _lacking IS NOT NULL GROUP BY 1, 2"
    ).fetchall():
        found[number][delivery] = (count, tuple(money))
    return found


def _load(con: duckdb.DuckDBPyConnection, shape: RowShape, jobs: Sequence[RowJob]) -> None:
    """Fill rows_all, and rows_ticks with the delivery that speaks at each tick."""
    plan: list[tuple[str | int, ...]] = []
    ticks: list[tuple[str | int, ...]] = []
    sources: list[str] = []
    paths: set[Path] = set()
    for job in jobs:
        said = [
            (index, place, one)
            for index in range(job.base + 1, job.upto + 1)
            for place, one in enumerate(job.chain.ticks[index].contents)
        ]
        if job.piece and job.piece.partition is not None:
            said.append((BASE, 0, job.chain.ticks[0].contents[0]))
        elif job.piece or job.table:
            sources.append(_of_state(shape, job))
        ticks += [(job.number, at, job.chain.ticks[at].speakers[0]) for at in range(job.base + 1, job.upto + 1)]
        plan += [(one.delivery, one.partition, one.scale, job.number, index, place) for index, place, one in said]
        paths.update(one.path for _, _, one in said)
    _fill(con, "rows_plan", ("delivery", "part", "scale", "job", "tick", "place"), plan)
    _fill(con, "rows_ticks", ("job", "tick", "speaker"), ticks)
    sources.append(
        f"SELECT {sql.names(shape.stored[:-2], 'r.')}, CAST(p.scale AS TINYINT) AS _scale,"
        " CAST(NULL AS VARCHAR) AS _lacking, p.job AS _job, p.tick AS _tick, p.place AS _place"
        f" FROM read_parquet({sql.files(sorted(paths))}) r"
        " JOIN rows_plan p ON p.delivery = r._delivery AND p.part = r._partition"
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE rows_all AS {' UNION ALL '.join(sources)}")


def _of_state(shape: RowShape, job: RowJob) -> str:
    """SQL that reads the state before a job's ticks, from its merged file or from an earlier round."""
    source = f"read_parquet({sql.text(job.piece.path.as_posix())})" if job.piece else job.table
    where = "" if job.piece else f" WHERE _job = {job.number}"
    place = f"{job.number} AS _job, {BASE} AS _tick, 0 AS _place"
    return f"SELECT {sql.names(shape.stored)}, {place} FROM {source}{where}"


def _fill(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], rows: Sequence[tuple[str | int, ...]]
) -> None:
    """Make a table of plain values; there is at least one row, because a job has at least one tick."""
    values = ", ".join(f"({', '.join(sql.literal(one) for one in row)})" for row in rows)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM (VALUES {values}) t({', '.join(columns)})")


def _base_money(con: duckdb.DuckDBPyConnection, shape: RowShape) -> dict[int, tuple[Decimal, ...]]:
    """The sums of money in the states before, by job."""
    if not shape.money:
        return {}
    sums = ", ".join(f"coalesce(sum({sql.name(one)}), 0)" for one in shape.money)
    rows = con.execute(f"SELECT _job, {sums} FROM rows_all WHERE _tick = {BASE} GROUP BY 1").fetchall()
    return {number: tuple(money) for number, *money in rows}


def _close_holds(
    con: duckdb.DuckDBPyConnection,
    shape: RowShape,
    jobs: dict[int, RowJob],
    held: dict[tuple[int, int], list[dict[str, Any]]],
) -> None:
    """Leave open, for each job, the holds whose keys no later tick speaks of."""
    entries = [(number, BASE, one) for number, job in jobs.items() for one in job.open]
    entries += [(number, index, dict(one)) for (number, index), found in sorted(held.items()) for one in found]
    for job in jobs.values():
        job.open = []
    if not entries:
        return
    keys = ", ".join(f"coalesce(CAST({sql.name(one)} AS VARCHAR), '')" for one in shape.table.key)
    said: dict[tuple[int, tuple[str, ...]], int] = {}
    for number, tick, *key in con.execute(
        f"SELECT _job, max(_tick), {keys} FROM rows_all WHERE _job IN ({', '.join(map(str, jobs))}) GROUP BY ALL"
    ).fetchall():
        said[number, tuple(key)] = tick
    for number, index, entry in entries:
        entry["keys"] = [key for key in entry["keys"] if said.get((number, tuple(key)), BASE) <= index]
        if entry["keys"]:
            jobs[number].open.append(entry)
