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
from bedrot.contract import Delimited, Facts, Feed, Field, Original, Table
from bedrot.contract.typing_sql import DIGITS, decimals, type_of
from bedrot.errors import Defect, Refused, StorageFailed
from bedrot.lake import disk
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import PartitionContent, Staged
from bedrot.lake.zones import Lake
from bedrot.sources import code_of, find_sources
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
    """Type all rows of a delivery and write them, one file a table; what exists already is kept.

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
        facts = Facts(task.account, delivery.exported_at, delivery.exported_basis, delivery.resaved)
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
    final = lake.staged_path(table.name, delivery.id, mark)
    temporary = disk.temporary(final)
    judged = Judged(job.task.account, delivery, job.feed.damaged if delivery.resaved else (), table, text)
    rows = _copy(job.con, good_sql(judged), temporary)
    clean = rows == _all(job, f"SELECT count(*) FROM {text.relation}")[0][0]
    job.con.execute(f"CREATE OR REPLACE TEMP TABLE bad AS {bad_sql(judged)} {'LIMIT 0' if clean else ''}")
    try:
        staged = _accounts(job, table, text, temporary, mark)
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


def _accounts(job: _Job, table: Table, text: TextRows, good: Path, mark: str) -> Staged:
    """Law 3 for one table: records = rows + rejected + ignored, and of each money column file = staged + rejected.

    Raises Refused when either does not hold to the last digit.
    """
    ignored = text.ignored + Counter(
        dict(_all(job, "SELECT _ignored, count(*) FROM bad WHERE _ignored <> '' GROUP BY 1"))
    )
    rejected = _all(job, "SELECT count(*) FROM bad WHERE _ignored IS NULL")[0][0]
    any_bad = bool(rejected or ignored - text.ignored)
    day = f"CAST(max({sql.name(table.day)}) AS VARCHAR)" if table.day else "NULL"
    rows, until = _all(job, f"SELECT count(*), {day} FROM read_parquet({sql.text(good.as_posix())})")[0]
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
        money={one.name: _money(job, one, text, good, any_bad=any_bad) for one in table.money},
        scale=_scale(job, table, text, any_bad=any_bad),
        notes=list(text.notes),
        contents=[],
        until=until,
    )


def _all(job: _Job, query: str) -> list[tuple[Any, ...]]:
    """All rows that a query gives."""
    return job.con.execute(query).fetchall()


def _money(job: _Job, one: Field, text: TextRows, good: Path, *, any_bad: bool) -> dict[str, str]:
    """Sums of one money column, and in how many rejected rows it cannot be read; Refused when they disagree.

    The sum in the file is of its raw texts, without cleaning or pattern, over all rows but those that show no amount
    of ours (`1_000`, `NaN`): these are counted, whatever the engine would make of them.
    """
    name = sql.name(one.name)
    raw = f"TRY_CAST({text.raw.get(one.name, 'NULL')} AS {type_of(one)})"
    read = sql.name("m_" + one.name)
    query = f"SELECT sum({raw}) FROM {text.relation}"
    if any_bad:
        readable = f"bad._line IS NULL OR (bad._ignored IS NULL AND {read} IS NOT NULL)"
        query += f" AS r LEFT JOIN bad USING (_line) WHERE {readable}"
    file = _all(job, query)[0][0]
    staged = _all(job, f"SELECT sum({name}) FROM read_parquet({sql.text(good.as_posix())})")[0][0]
    aside = f"SELECT sum({read}), count(*) FILTER ({read} IS NULL) FROM bad WHERE _ignored IS NULL"
    rejected, unreadable = _all(job, aside)[0]
    sums = [value or Decimal(0) for value in (file, staged, rejected)]
    with localcontext(prec=DIGITS):
        agree = sums[0] == sums[1] + sums[2]
    if not agree:
        raise Refused(
            f"The {one.name} in the file add up to {sums[0]:f}, but {sums[1]:f} were read and {sums[2]:f} set aside.",
            "Report this file: its reader and its sum disagree; nothing was taken.",
            file=job.task.delivery.name,
            heading=one.name,
        )
    told = zip(("file", "staged", "rejected"), sums, strict=True)
    return {**{part: f"{amount:f}" for part, amount in told}, "unreadable": str(unreadable)}


def _scale(job: _Job, table: Table, text: TextRows, *, any_bad: bool) -> int:
    """The most decimals that a good row shows in a money column."""
    shown = [f"max({decimals(text.raw[one.name])})" for one in table.money if one.name in text.raw]
    if not shown:
        return 0
    good = " AS r ANTI JOIN bad USING (_line)" if any_bad else ""
    return int(_all(job, f"SELECT greatest(0, {', '.join(shown)}) FROM {text.relation}{good}")[0][0])


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
