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
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from bedrot import sql
from bedrot.contract import Delimited, Facts, Feed, Grain, Kind, Original, Table
from bedrot.contract.typing_sql import cleaned, complaint, decimals, typed
from bedrot.errors import Defect, Refused
from bedrot.lake import disk
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import PartitionContent, Staged
from bedrot.lake.zones import Lake
from bedrot.sources import code_of, find_sources
from bedrot.walk.text_rows import TextRows, from_lines, from_reader

_ALGORITHM = f"duckdb-{duckdb.__version__}-hash-sum-2"
_GRAINS = {
    Grain.MONTH: "strftime({column}, '%Y-%m')",
    Grain.YEAR: "strftime({column}, '%Y')",
    Grain.ALL: "'all'",
}
_GOOD = "_why IS NULL AND _ignored IS NULL"
_BAD = "_why IS NOT NULL AND _ignored IS NULL"
_EARLIEST = date(1990, 1, 1)
LINEAGE = (("_delivery", "VARCHAR"), ("_line", "BIGINT"), ("_locator", "VARCHAR"), ("_partition", "VARCHAR"))


@dataclass(frozen=True)
class StageTask:
    """All that the staging of one delivery depends on. `dry`: look and count, write nothing.

    `path` is where the bytes are when they are not in raw yet.
    """

    root: Path
    delivery: Delivery
    account: str
    source_folders: tuple[Path, ...]
    threads: int = 2
    dry: bool = False
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
    con = sql.connect(work, task.threads)
    try:
        job = _Job(con, task, work, feed, code)
        if isinstance(feed.read, Delimited):
            table = feed.table(feed.read.table)
            return [_stage_table(job, table, from_lines(con, feed.read, table, original, work))]
        facts = Facts(task.account, delivery.exported_at, delivery.exported_basis, delivery.resaved)
        texts = from_reader(feed, original, facts, work)
        return [_stage_table(job, table, texts[table.name]) for table in feed.tables]
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
        here / "text_rows.py",
        here / "lines.py",
        here.parent / "contract" / "typing_sql.py",
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stage_table(job: _Job, table: Table, text: TextRows) -> Staged:
    """Type the text rows of one table, write good rows and rejects, and account for every record."""
    loose = f"read_parquet({sql.text((job.work / f'{table.name}.parquet').as_posix())})"
    job.con.execute(
        f"COPY ({_typed_sql(job, table, text)}) TO {sql.text((job.work / f'{table.name}.parquet').as_posix())}"
        " (COMPRESSION lz4)"
    )
    repeated = f"SELECT _ignored, count(*) FROM {loose} WHERE _ignored IS NOT NULL GROUP BY 1"
    ignored = text.ignored + Counter(dict(job.con.execute(repeated).fetchall()))
    staged = _accounts(job, table, loose, text.records, ignored)
    if staged.records != staged.rows + staged.rejected + sum(ignored.values()):
        raise Refused(
            f"{staged.records:,} records of {table.name} stand in the file, but {staged.rows:,} were read,"
            f" {staged.rejected:,} set aside and {sum(ignored.values()):,} ignored; nothing was taken.",
            "Report this file: its reader and its count disagree.",
            file=job.task.delivery.name,
        )
    staged = replace(staged, notes=list(text.notes))
    return staged if job.task.dry else _publish(job, table, loose, staged)


def _typed_sql(job: _Job, table: Table, text: TextRows) -> str:
    """The SELECT that types every row and says of each why it cannot be taken, if it cannot."""
    delivery = job.task.delivery
    gone = set(job.feed.damaged) if delivery.resaved else set()
    texts, values, complaints = [], [], ["_fault"]
    for one in table.fields:
        told, place = one.name in text.raw and one.name not in gone, sql.name("t_" + one.name)
        texts.append(f"{cleaned(one, text.raw[one.name]) if told else 'CAST(NULL AS VARCHAR)'} AS {place}")
        values.append(f"{typed(one, place)} AS {sql.name(one.name)}")
        if told or one.filled:
            complaints.append(complaint(one, place, sql.name(one.name)) or "NULL")
    scale = ", ".join(["0", *(decimals(sql.name("t_" + one.name)) for one in table.money)])
    partition = _GRAINS[table.partition.grain].format(column=sql.name(table.partition.column))
    why = f"CASE WHEN _ignored IS NULL THEN coalesce({', '.join([*complaints, *_limits(delivery, table)])}, NULL) END"
    return (
        f"SELECT *, {partition} AS _partition, CASE WHEN _why IS NOT NULL THEN _given END AS _text FROM ("
        f"SELECT {sql.text(job.task.account)} AS account, {sql.names(one.name for one in table.fields)},"
        f" {sql.text(delivery.id)} AS _delivery, _line, _locator, _decimals, _ignored, {why} AS _why, _given"
        f" FROM (SELECT *, {', '.join(values)}, greatest({scale}) AS _decimals"
        f" FROM (SELECT {', '.join(texts)}, {text.line} AS _line, {text.locator} AS _locator, {text.fault} AS _fault,"
        f" {text.repeated} AS _ignored, {text.text} AS _given FROM {text.relation})))"
    )


def _limits(delivery: Delivery, table: Table) -> list[str]:
    """SQL of the complaints about rows that type well: no partition, dates that cannot be, broken checks."""
    column, day = sql.name(table.partition.column), sql.name(table.day)
    limits = []
    if table.partition.grain is not Grain.ALL:
        limits.append(f"CASE WHEN {column} IS NULL THEN {sql.text(f'{table.partition.column} is blank')} END")
    if any(one.name == table.day and one.kind in (Kind.DATE, Kind.MONTH) for one in table.fields):
        latest = sql.literal(delivery.received_at.date() + timedelta(days=2))
        said = sql.text(f"{table.day}: ") + f" || {day}"
        limits.append(f"CASE WHEN {day} > {latest} THEN {said} || ' lies in the future of the day the file came' END")
        limits.append(f"CASE WHEN {day} < {sql.literal(_EARLIEST)} THEN {said} || ' lies before any record could' END")
    return limits + [f"CASE WHEN {check.breaks} THEN {sql.text(check.says)} END" for check in table.checks]


def _accounts(job: _Job, table: Table, loose: str, records: int, ignored: Counter[str]) -> Staged:
    """Rows, rejects, money, scale and last day of a table's typed rows."""
    sums = "".join(
        f", sum({money}) FILTER (_ignored IS NULL), sum({money}) FILTER ({_GOOD}), sum({money}) FILTER ({_BAD}),"
        f" count(*) FILTER ({_BAD} AND {money} IS NULL)"
        for money in (sql.name(one.name) for one in table.money)
    )
    rows, rejected, scale, until, *money = job.con.execute(
        f"SELECT count(*) FILTER ({_GOOD}), count(*) FILTER ({_BAD}), coalesce(max(_decimals) FILTER ({_GOOD}), 0),"
        f" CAST(max({sql.name(table.day)}) FILTER ({_GOOD}) AS VARCHAR){sums} FROM {loose}"
    ).fetchall()[0]
    parts = ("file", "staged", "rejected", "unreadable")
    amounts = {
        one.name: dict(zip(parts, map(_amount, money[4 * place : 4 * place + 4]), strict=True))
        for place, one in enumerate(table.money)
    }
    return Staged(
        delivery=job.task.delivery.id,
        table=table.name,
        fingerprint=fingerprint(job.task, table, job.code),
        path="",
        rejects_path="",
        records=records,
        rows=rows,
        rejected=rejected,
        ignored=dict(sorted(ignored.items())),
        money=amounts,
        scale=scale,
        notes=[],
        contents=[],
        until=until,
    )


def _amount(value: Decimal | int | None) -> str:
    """A sum or a count as plain digits, zero where there was nothing to add."""
    return f"{value or 0:f}" if isinstance(value, Decimal) else str(value or 0)


def _publish(job: _Job, table: Table, loose: str, staged: Staged) -> Staged:
    """Write good rows sorted by partition, and rejects, durably; tell where they are and what they hold."""
    lake, delivery = Lake(job.task.root), job.task.delivery
    final = lake.staged_path(table.name, delivery.id, staged.fingerprint)
    rejects = lake.rejects_path(table.name, delivery.id, staged.fingerprint)
    lineage = sql.names(name for name, _ in LINEAGE)
    _copy(
        job.con,
        f"SELECT {sql.names(table.columns)}, {lineage} FROM {loose} WHERE {_GOOD} ORDER BY _partition, _line",
        final,
    )
    if staged.rejected:
        aside = (
            f"SELECT _delivery, _line, _locator, _why AS reason, _text AS text FROM {loose} WHERE {_BAD} ORDER BY _line"
        )
        _copy(job.con, aside, rejects)
    return replace(
        staged,
        path=lake.relative(final),
        rejects_path=lake.relative(rejects) if staged.rejected else "",
        contents=_contents(job.con, table, final),
    )


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


def _copy(con: duckdb.DuckDBPyConnection, query: str, final: Path) -> None:
    """Write a query's rows as a Parquet file and publish it durably; a file that is there already is kept."""
    temporary = disk.temporary(final)
    con.execute(f"COPY ({query}) TO {sql.text(temporary.as_posix())} (FORMAT parquet, COMPRESSION lz4)")
    disk.publish(temporary, final)
