"""Judge: the SQL that types the text rows of one table, and parts them into good and bad ones with the reason why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from bedrot import sql
from bedrot.contract import Grain, Kind, Table
from bedrot.contract.typing_sql import cleaned, complaint, type_of, typed
from bedrot.lake.deliveries import Delivery
from bedrot.walk.text_rows import TextRows

_AS_NUMBER = "[0-9]+([.,][0-9]+)?[eE][+]?[0-9]+|[0-9]+[.,]0+"
_EARLIEST = date(1990, 1, 1)


@dataclass(frozen=True)
class Judged:
    """Rows of one table of one delivery on their way from text to values; `damaged`: fields that were ruined."""

    account: str
    delivery: Delivery
    damaged: tuple[str, ...]
    table: Table
    text: TextRows


def _judged_sql(job: Judged) -> str:
    """The SELECT that types every row the file tells of, and says of each why it cannot be taken, if it cannot."""
    table, text = job.table, job.text
    texts, values, complaints = [], [], ["_fault"]
    for one in table.fields:
        place = sql.name("t_" + one.name)
        if one.name not in text.raw:
            complaints += [sql.text(f"{one.name} is blank")] if one.filled else []
            values.append(f"CAST(NULL AS {type_of(one)}) AS {sql.name(one.name)}")
            continue
        raw = _undamaged(text.raw[one.name]) if one.name in job.damaged else text.raw[one.name]
        texts.append(f"{cleaned(one, raw)} AS {place}")
        values.append(f"{typed(one, place)} AS {sql.name(one.name)}")
        complaints.append(complaint(one, place, sql.name(one.name)) or "NULL")
    why = ", ".join([*complaints, *_limits(job.delivery, job.table), "NULL"])
    place = ", _locator" if text.locator == "_locator" else ""
    return (
        f"SELECT {sql.names(one.name for one in table.fields)}, _line{place}, _ignored,"
        f" CASE WHEN _ignored IS NULL THEN coalesce({why}) END AS _why"
        f" FROM (SELECT *, {', '.join(values)} FROM (SELECT {', '.join(texts)}, _line{place},"
        f" {text.fault} AS _fault, {text.repeated} AS _ignored FROM {text.relation}))"
    )


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


def good_sql(job: Judged) -> str:
    """The SELECT of good rows, sorted; what is equal in every row is added behind the sort, where it costs nothing."""
    table, text = job.table, job.text
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
    place = ", _locator" if text.locator == "_locator" else ""
    return (
        f"SELECT {sql.text(job.account)} AS account, {columns}, {sql.text(job.delivery.id)} AS _delivery,"
        f" _line, {text.locator} AS _locator, {partition} AS _partition"
        f" FROM (SELECT {sql.names([*told, '_line'])}{place} FROM ({_judged_sql(job)})"
        f" WHERE _why IS NULL AND _ignored IS NULL ORDER BY {order})"
    )


def bad_sql(job: Judged) -> str:
    """The SELECT of rows that are rejected or ignored: place, why, and the money read in them, as `m_<name>`."""
    table, text = job.table, job.text
    place = ", _locator" if text.locator == "_locator" else ""
    money = "".join(f", {sql.name(one.name)} AS {sql.name('m_' + one.name)}" for one in table.money)
    return (
        f"SELECT _line{place}, _why, _ignored{money} FROM ({_judged_sql(job)})"
        " WHERE _why IS NOT NULL OR _ignored IS NOT NULL"
    )


def rejects_sql(job: Judged) -> str:
    """The SELECT of rejected rows: place, reason, and the original text, looked up again by its line."""
    text = job.text
    return (
        f"SELECT {sql.text(job.delivery.id)} AS _delivery, _line, {text.locator} AS _locator, _why AS reason,"
        f" text FROM bad JOIN (SELECT _line, {text.text} AS text FROM {text.texts}) USING (_line)"
        " WHERE _ignored IS NULL ORDER BY _line"
    )
