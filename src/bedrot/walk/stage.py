"""Stage: a delivery becomes typed rows, once; what will not type is set aside with its line, text and reason.

The unit of work is a plain function of serialisable values (`stage_delivery`), independent for each delivery, so that
any executor may run it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb

from bedrot import sql
from bedrot.contract import Delimited, Feed, Field, Original, Table
from bedrot.contract.typing_sql import DIGITS, decimals, type_of
from bedrot.errors import Defect, Refused, StorageFailed
from bedrot.lake import disk
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import PartitionContent, Staged
from bedrot.lake.zones import Lake
from bedrot.sources import code_of, find_sources
from bedrot.walk.attribute import facts_of
from bedrot.walk.judge import Judged, bad_sql, good_sql, rejects_sql
from bedrot.walk.text_rows import TextRows, from_lines, from_reader

_ALGORITHM = f"duckdb-{duckdb.__version__}-hash-sum-2"
LINEAGE = (("_delivery", "VARCHAR"), ("_line", "BIGINT"), ("_locator", "VARCHAR"), ("_partition", "VARCHAR"))


@dataclass(frozen=True)
class StageTask:
    """All that the staging of one delivery depends on; `path`: where its bytes are, when not in raw below `root`."""

    root: Path
    delivery: Delivery
    account: str
    source_folders: tuple[Path, ...]
    path: Path | None = None


@dataclass(frozen=True)
class _Job:
    """A task at work: its engine, its scratch folder, its feed and the hash of the code that reads it."""

    con: duckdb.DuckDBPyConnection
    task: StageTask
    work: Path
    feed: Feed
    code: str


def stage_delivery(task: StageTask) -> list[Staged]:
    """Type all rows of a delivery and write them, one file for each table that has any; what exists already is kept.

    Raises Refused when the file as a whole is not what its feed delivers.
    """
    lake, delivery = Lake(task.root), task.delivery
    feed, code = feed_of(delivery.feed, task.source_folders)
    path = task.path or lake.object_path(delivery.object)
    original = Original(path, delivery.name, delivery.relative, delivery.member_time)
    disk.make_folder(lake.work)
    work = Path(tempfile.mkdtemp(prefix="stage-", dir=lake.work))
    con = sql.shared(lake.spill)
    try:
        job = _Job(con, task, work, feed, code)
        if isinstance(feed.read, Delimited):
            table = feed.table(feed.read.table)
            return [_stage_table(job, table, from_lines(con, feed.read, table, original, work))]
        facts = facts_of(delivery, task.account)
        texts = from_reader(feed, original, facts, work)
        return [_stage_table(job, table, texts[table.name]) for table in feed.tables]
    except duckdb.IOException as failed:
        raise StorageFailed(
            f"The rows of the file could not be written: {failed}", "See that the disk has room.", file=delivery.name
        ) from failed
    except duckdb.Error as failed:
        raise Defect(f"The file could not be staged: {failed}", "Report this file.", file=delivery.name) from failed
    finally:
        con.close()
        shutil.rmtree(work, ignore_errors=True)


def feed_of(name: str, source_folders: tuple[Path, ...]) -> tuple[Feed, str]:
    """The feed of that name, and the hash of its source's code; Defect when no source has it."""
    for source in find_sources(source_folders):
        for feed in source.feeds:
            if feed.name == name:
                return feed, code_of(source)
    raise Defect(f"The feed {name} is not among the sources any more.")


def fingerprint(task: StageTask, table: Table, code: str) -> str:
    """What the rows of a table depend on besides the bytes: account, age, contract and code."""
    delivery = task.delivery
    told = (
        task.account,
        delivery.exported_at.isoformat(),
        delivery.exported_basis,
        delivery.resaved,
        delivery.received_at.date().isoformat(),
        repr(table),
        code,
        _own_code(),
        _ALGORITHM,
    )
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _own_code() -> str:
    """A hash of the modules that decide what staged rows look like."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in (
        here / "stage.py",
        here / "judge.py",
        here / "text_rows.py",
        here / "lines.py",
        here / "look.py",
        here.parent / "contract" / "typing_sql.py",
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stage_table(job: _Job, table: Table, text: TextRows) -> Staged:
    """Type the text rows of one table, write good rows and rejects, and account for every record.

    Rows that are not good are looked at again only where there are any: the good ones are fewer than the records.
    """
    lake, delivery = Lake(job.task.root), job.task.delivery
    mark = fingerprint(job.task, table, job.code)
    if text.empty and not text.records:
        return _nothing(job, table, text, mark)
    final = lake.staged_path(table.name, delivery.id, mark)
    temporary = disk.temporary(final)
    judged = Judged(job.task.account, delivery, job.feed.damaged if delivery.resaved else (), table, text)
    rows = _copy(job.con, good_sql(judged), temporary)
    any_bad = rows != _all(job, f"SELECT count(*) FROM {text.relation}")[0][0]
    if any_bad:
        job.con.execute(f"CREATE OR REPLACE TEMP TABLE bad AS {bad_sql(judged)}")
    try:
        staged = _accounts(job, table, text, temporary, mark, any_bad=any_bad)
    except Refused:
        disk.remove(temporary)
        raise
    if staged.rejected:
        rejects = lake.rejects_path(table.name, delivery.id, mark)
        aside = disk.temporary(rejects)
        _copy(job.con, rejects_sql(judged), aside)
        disk.publish(aside, rejects)
        staged = replace(staged, rejects_path=lake.relative(rejects))
    disk.publish(temporary, final)
    return replace(staged, path=lake.relative(final), contents=_contents(job.con, table, final))


def _nothing(job: _Job, table: Table, text: TextRows, mark: str) -> Staged:
    """A table that the delivery says nothing of, which needs no file: most answers fill one table of many."""
    none = {"file": "0", "staged": "0", "rejected": "0", "unreadable": "0"}
    return Staged(
        delivery=job.task.delivery.id,
        table=table.name,
        fingerprint=mark,
        path="",
        rejects_path="",
        records=0,
        rows=0,
        rejected=0,
        ignored={},
        money={one.name: dict(none) for one in table.money},
        scale=0,
        notes=list(text.notes),
        contents=[],
        until=None,
    )


def _accounts(job: _Job, table: Table, text: TextRows, good: Path, mark: str, *, any_bad: bool) -> Staged:
    """Law 3 for one table: records = rows + rejected + ignored, and of each money column file = staged + rejected.

    `any_bad`: the table `bad` holds rows that are not good. Raises Refused when either does not hold to the last digit.
    """
    ignored, rejected = text.ignored, 0
    if any_bad:
        ignored = ignored + Counter(
            dict(_all(job, "SELECT _ignored, count(*) FROM bad WHERE _ignored <> '' GROUP BY 1"))
        )
        rejected = _all(job, "SELECT count(*) FROM bad WHERE _ignored IS NULL")[0][0]
    in_file, scale = _in_file(job, table, text, any_bad=any_bad)
    rows, until, staged = _in_staged(job, table, good)
    aside = _set_aside(job, table) if any_bad else {one.name: (Decimal(0), 0) for one in table.money}
    if text.records != rows + rejected + sum(ignored.values()):
        raise Refused(
            f"{text.records:,} records of {table.name} are in the file, but {rows:,} were read, {rejected:,} set aside"
            f" and {sum(ignored.values()):,} ignored; nothing was taken.",
            "Report this file: its reader and its count disagree.",
            file=job.task.delivery.name,
        )
    return Staged(
        delivery=job.task.delivery.id,
        table=table.name,
        fingerprint=mark,
        path="",
        rejects_path="",
        records=text.records,
        rows=rows,
        rejected=rejected,
        ignored=dict(sorted(ignored.items())),
        money={
            one.name: _balance(job, one, in_file[one.name], staged[one.name], aside[one.name]) for one in table.money
        },
        scale=scale,
        notes=list(text.notes),
        contents=[],
        until=until,
    )


def _all(job: _Job, query: str) -> list[tuple[Any, ...]]:
    """All rows that a query gives."""
    return job.con.execute(query).fetchall()


def _in_file(job: _Job, table: Table, text: TextRows, *, any_bad: bool) -> tuple[dict[str, Decimal], int]:
    """The sum of each money column in the file, and the most decimals that a good row shows in one: one look at all.

    The sum is of raw texts, without cleaning or pattern, over all rows but those that show no amount of ours (`1_000`,
    `NaN`): these are counted, whatever the engine would make of them.
    """
    shown = [one for one in table.money if one.name in text.raw]
    sums = {one.name: Decimal(0) for one in table.money}
    if not shown:
        return sums, 0
    asked = []
    for one in shown:
        readable = f"bad._line IS NULL OR (bad._ignored IS NULL AND {_read_aside(one)} IS NOT NULL)"
        only = f" FILTER ({readable})" if any_bad else ""
        asked.append(f"sum(TRY_CAST({text.raw[one.name]} AS {type_of(one)})){only}")
    good = " FILTER (bad._line IS NULL)" if any_bad else ""
    asked += [f"max({decimals(text.raw[one.name])}){good}" for one in shown]
    beside = " AS r LEFT JOIN bad USING (_line)" if any_bad else ""
    found = _all(job, f"SELECT {', '.join(asked)} FROM {text.relation}{beside}")[0]
    sums |= {one.name: amount or Decimal(0) for one, amount in zip(shown, found, strict=False)}
    return sums, max(0, *(scale or 0 for scale in found[len(shown) :]))


def _in_staged(job: _Job, table: Table, good: Path) -> tuple[int, str | None, dict[str, Decimal]]:
    """How many good rows were written, their latest day, and the sum of each money column."""
    day = f"CAST(max({sql.name(table.day)}) AS VARCHAR)" if table.day else "NULL"
    asked = ", ".join(["count(*)", day, *(f"sum({sql.name(one.name)})" for one in table.money)])
    rows, until, *sums = _all(job, f"SELECT {asked} FROM read_parquet({sql.text(good.as_posix())})")[0]
    return rows, until, {one.name: amount or Decimal(0) for one, amount in zip(table.money, sums, strict=True)}


def _set_aside(job: _Job, table: Table) -> dict[str, tuple[Decimal, int]]:
    """Of each money column: its sum in the rejected rows, and in how many of them it cannot be read."""
    found = {}
    for one in table.money:
        read = _read_aside(one)
        amount, unreadable = _all(
            job, f"SELECT sum({read}), count(*) FILTER ({read} IS NULL) FROM bad WHERE _ignored IS NULL"
        )[0]
        found[one.name] = (amount or Decimal(0), unreadable)
    return found


def _read_aside(one: Field) -> str:
    """The column of `bad` with the money that could be read in it."""
    return sql.name("m_" + one.name)


def _balance(job: _Job, one: Field, in_file: Decimal, staged: Decimal, aside: tuple[Decimal, int]) -> dict[str, str]:
    """The sums of one money column as texts; Refused where what came in is not what went out."""
    rejected, unreadable = aside
    with localcontext(prec=DIGITS):
        agree = in_file == staged + rejected
    if not agree:
        raise Refused(
            f"The {one.name} in the file add up to {in_file:f}, but {staged:f} were read and {rejected:f} set aside.",
            "Report this file: its reader and its sum disagree; nothing was taken.",
            file=job.task.delivery.name,
            heading=one.name,
        )
    told = {"file": in_file, "staged": staged, "rejected": rejected}
    return {**{part: f"{amount:f}" for part, amount in told.items()}, "unreadable": str(unreadable)}


def _contents(con: duckdb.DuckDBPyConnection, table: Table, path: Path) -> list[PartitionContent]:
    """Row count and content hash of each partition of a staged file; equal hashes mean equal multisets of rows."""
    columns = sql.names(one.name for one in table.fields)
    found = con.execute(
        f"SELECT _partition, count(*), sum(CAST(hash({columns}) AS HUGEINT)), sum(CAST(hash(1, {columns}) AS HUGEINT))"
        f" FROM read_parquet({sql.text(path.as_posix())}) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return [
        PartitionContent(partition, rows, hashlib.sha256(f"{_ALGORITHM}|{rows}|{one}|{two}".encode()).hexdigest()[:32])
        for partition, rows, one, two in found
    ]


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> int:
    """Write a query's rows as a Parquet file; gives their number."""
    copied = con.execute(
        f"COPY ({query}) TO {sql.text(target.as_posix())} (FORMAT parquet, COMPRESSION lz4)"
    ).fetchall()
    return int(copied[0][0])
