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
from bedrot.contract import Delimited, Facts, Feed, Field, Grain, Kind, Original, Table
from bedrot.contract.typing_sql import cleaned, complaint, decimals, type_of, typed
from bedrot.errors import Defect, Refused
from bedrot.lake import disk
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import PartitionContent, Staged
from bedrot.lake.zones import Lake
from bedrot.sources import code_of, find_sources
from bedrot.walk.text_rows import TextRows, from_lines, from_reader

_ALGORITHM = f"duckdb-{duckdb.__version__}-hash-sum-2"
_GOOD = "(_why IS NULL AND _ignored IS NULL)"
_BAD = "(_why IS NOT NULL AND _ignored IS NULL)"
_AS_NUMBER = "[0-9]+([.,][0-9]+)?[eE][+]?[0-9]+|[0-9]+[.,]0+"
_EARLIEST = date(1990, 1, 1)
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
    """Type the text rows of one table, write good rows and rejects, and account for every record.

    Two passes: each row is typed and judged once, into a scratch file; what is good is sorted from there. (A filter
    on the judgement in the first pass would make the engine evaluate every expression twice.)
    """
    lake, delivery = Lake(job.task.root), job.task.delivery
    mark = fingerprint(job.task, table, job.code)
    loose = job.work / f"{table.name}.parquet"
    job.con.execute(f"COPY ({_judged_sql(job, table, text)}) TO {sql.text(loose.as_posix())} (COMPRESSION lz4)")
    judged = f"read_parquet({sql.text(loose.as_posix())})"
    staged = _accounts(job, table, text, judged, mark)
    final = lake.staged_path(table.name, delivery.id, mark)
    _copy(job.con, _good_sql(job, table, text, judged), final)
    if staged.rejected:
        rejects = lake.rejects_path(table.name, delivery.id, mark)
        _copy(job.con, _rejects_sql(job, text, judged), rejects)
        staged = replace(staged, rejects_path=lake.relative(rejects))
    return replace(staged, path=lake.relative(final), contents=_contents(job.con, table, final))


def _judged_sql(job: _Job, table: Table, text: TextRows) -> str:
    """The SELECT that types every row the file tells of, and says of each why it cannot be taken, if it cannot.

    Beside the values stands what each money column shows, read without cleaning or pattern, for an account of its own.
    """
    gone = set(job.feed.damaged) if job.task.delivery.resaved else set()
    texts, values, complaints = [], [], ["_fault"]
    for one in table.fields:
        place = sql.name("t_" + one.name)
        if one.name not in text.raw:
            complaints += [sql.text(f"{one.name} is blank")] if one.filled else []
            values.append(f"CAST(NULL AS {type_of(one)}) AS {sql.name(one.name)}")
            continue
        raw = _undamaged(text.raw[one.name]) if one.name in gone else text.raw[one.name]
        texts.append(f"{cleaned(one, raw)} AS {place}")
        values.append(f"{typed(one, place)} AS {sql.name(one.name)}")
        complaints.append(complaint(one, place, sql.name(one.name)) or "NULL")
    money = [one for one in table.money if one.name in text.raw]
    texts += [f"{text.raw[one.name]} AS {sql.name('r_' + one.name)}" for one in money]
    values += [
        f"TRY_CAST({sql.name('r_' + one.name)} AS {type_of(one)}) AS {sql.name('f_' + one.name)}" for one in money
    ]
    scale = ", ".join(["0", *(decimals(sql.name("r_" + one.name)) for one in money)])
    why = ", ".join([*complaints, *_limits(job.task.delivery, table), "NULL"])
    shown = ", _locator" if text.shown == "_locator" else ""
    return (
        f"SELECT {sql.names([*(one.name for one in table.fields), *('f_' + one.name for one in money)])}, _line{shown},"
        f" _ignored, CASE WHEN _ignored IS NULL THEN coalesce({why}) END AS _why, greatest({scale}) AS _decimals"
        f" FROM (SELECT *, {', '.join(values)} FROM (SELECT {', '.join(texts)}, {text.line} AS _line,"
        f" {text.locator} AS _locator, {text.fault} AS _fault, {text.repeated} AS _ignored FROM {text.relation}))"
    )


def _good_sql(job: _Job, table: Table, text: TextRows, judged: str) -> str:
    """The SELECT of good rows, sorted; what is equal in every row is added behind the sort, where it costs nothing."""
    told = [one.name for one in table.fields if one.name in text.raw]
    columns = ", ".join(
        sql.name(one.name) if one.name in told else f"CAST(NULL AS {type_of(one)}) AS {sql.name(one.name)}"
        for one in table.fields
    )
    column = sql.name(table.partition.column)
    partition, order = {
        Grain.MONTH: (f"left(CAST({column} AS VARCHAR), 7)", f"year({column}) * 12 + month({column}), _line"),
        Grain.YEAR: (f"left(CAST({column} AS VARCHAR), 4)", f"year({column}), _line"),
        Grain.ALL: ("'all'", "_line"),
    }[table.partition.grain]
    shown = ", _locator" if text.shown == "_locator" else ""
    return (
        f"SELECT {sql.text(job.task.account)} AS account, {columns}, {sql.text(job.task.delivery.id)} AS _delivery,"
        f" _line, {text.shown} AS _locator, {partition} AS _partition"
        f" FROM (SELECT {sql.names([*told, '_line'])}{shown} FROM {judged} WHERE {_GOOD} ORDER BY {order})"
    )


def _rejects_sql(job: _Job, text: TextRows, judged: str) -> str:
    """The SELECT of rejected rows: place, reason, and the original text, looked up again by its line."""
    given = f"SELECT {text.line} AS _line, {text.locator} AS _locator, {text.text} AS text FROM {text.relation}"
    return (
        f"SELECT {sql.text(job.task.delivery.id)} AS _delivery, _line, given._locator, _why AS reason, text"
        f" FROM (SELECT _line, _why FROM {judged} WHERE {_BAD}) JOIN ({given}) AS given USING (_line) ORDER BY _line"
    )


def _accounts(job: _Job, table: Table, text: TextRows, judged: str, mark: str) -> Staged:
    """Law 3 for one table: records = rows + rejected + ignored, and of each money column file = staged + rejected.

    Raises Refused when either does not hold to the last digit.
    """
    reasons = f"SELECT _ignored, count(*) FROM {judged} WHERE _ignored IS NOT NULL GROUP BY 1"
    ignored = text.ignored + Counter(dict(job.con.execute(reasons).fetchall()))
    day = sql.name(table.day) if table.day else "NULL"
    rows, rejected, scale, until = job.con.execute(
        f"SELECT count(*) FILTER ({_GOOD}), count(*) FILTER ({_BAD}), coalesce(max(_decimals) FILTER ({_GOOD}), 0),"
        f" CAST(max({day}) FILTER ({_GOOD}) AS VARCHAR) FROM {judged}"
    ).fetchall()[0]
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
        money={one.name: _money(job, one, text, judged) for one in table.money},
        scale=scale,
        notes=list(text.notes),
        contents=[],
        until=until,
    )


def _money(job: _Job, one: Field, text: TextRows, judged: str) -> dict[str, str]:
    """Sums of one money column, and in how many rejected rows it cannot be read; Refused when they disagree."""
    name = sql.name(one.name)
    shown = sql.name("f_" + one.name) if one.name in text.raw else "CAST(NULL AS DECIMAL(38,18))"
    # A text that no amount of ours looks like (1_000, NaN) counts as unreadable, whatever the engine makes of it.
    file, staged, rejected, unreadable = job.con.execute(
        f"SELECT sum({shown}) FILTER ({_GOOD} OR {_BAD} AND {name} IS NOT NULL), sum({name}) FILTER ({_GOOD}),"
        f" sum({name}) FILTER ({_BAD}), count(*) FILTER ({_BAD} AND {name} IS NULL) FROM {judged}"
    ).fetchall()[0]
    sums = [value or Decimal(0) for value in (file, staged, rejected)]
    if sums[0] != sums[1] + sums[2]:
        raise Refused(
            f"The {one.name} in the file add up to {sums[0]:f}, but {sums[1]:f} were read and {sums[2]:f} set aside.",
            "Report this file: its reader and its sum disagree; nothing was taken.",
            file=job.task.delivery.name,
            heading=one.name,
        )
    return {
        **dict(zip(("file", "staged", "rejected"), (f"{one:f}" for one in sums), strict=True)),
        "unreadable": str(unreadable),
    }


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


def _undamaged(raw: str) -> str:
    """SQL of an identifier's text in a re-saved file: null where a spreadsheet made a number of it."""
    return f"CASE WHEN regexp_full_match(trim({raw}), '{_AS_NUMBER}') THEN NULL ELSE {raw} END"


def _limits(delivery: Delivery, table: Table) -> list[str]:
    """SQL of the complaints about rows that type well: no partition, dates that cannot be, broken checks."""
    limits = []
    if table.partition.grain is not Grain.ALL:
        column = sql.name(table.partition.column)
        limits.append(f"CASE WHEN {column} IS NULL THEN {sql.text(f'{table.partition.column} is blank')} END")
    if any(one.name == table.day and one.kind in (Kind.DATE, Kind.MONTH) for one in table.fields):
        day, latest = sql.name(table.day), sql.literal(delivery.received_at.date() + timedelta(days=2))
        said = sql.text(f"{table.day}: ") + f" || {day}"
        limits.append(f"CASE WHEN {day} > {latest} THEN {said} || ' lies in the future of the day the file came' END")
        limits.append(f"CASE WHEN {day} < {sql.literal(_EARLIEST)} THEN {said} || ' lies before any record could' END")
    return limits + [f"CASE WHEN {check.breaks} THEN {sql.text(check.says)} END" for check in table.checks]
