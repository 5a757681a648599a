"""Judge: the SQL that types the text rows of one table, and parts them into good and bad ones with the reason why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from bedrot import sql
from bedrot.contract import Field, Grain, Kind, Table
from bedrot.contract.typing_sql import LINE, cleaned, complaint, fits, type_of, typed
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


def _typed_sql(job: Judged) -> str:
    """The SELECT of every row the file tells of, with each field as text (`t_<name>`) and as value."""
    table, text = job.table, job.text
    texts, values = [], []
    for one in table.fields:
        if one.name not in text.raw:
            values.append(f"CAST(NULL AS {type_of(one)}) AS {sql.name(one.name)}")
            continue
        raw = _undamaged(text.raw[one.name]) if one.name in job.damaged else text.raw[one.name]
        texts.append(f"{cleaned(one, raw)} AS {_text_of(one)}")
        values.append(f"{typed(one, _text_of(one))} AS {sql.name(one.name)}")
    return (
        f"SELECT *, {', '.join(values)} FROM (SELECT {', '.join(texts)}, _line{_place(text)},"
        f" {text.fault} AS _fault, {text.repeated} AS _ignored FROM {text.relation})"
    )


def _text_of(field: Field) -> str:
    """The column with a field's text."""
    return sql.name("t_" + field.name)


def _place(text: TextRows) -> str:
    """The column with the place for people, where the rows carry it."""
    return ", _locator" if text.locator == "_locator" else ""


def _why_sql(job: Judged) -> str:
    """SQL of the reason why a typed row cannot be taken, NULL where it can."""
    reasons = ["_fault"]
    for one in job.table.fields:
        if one.name not in job.text.raw:
            reasons += [sql.text(f"{one.name} is blank")] if one.filled else []
        elif said := complaint(one, _text_of(one), sql.name(one.name)):
            reasons.append(said)
    reasons += [f"CASE WHEN {wrong} THEN {said} END" for wrong, said in _limits(job.delivery, job.table)]
    return f"CASE WHEN _ignored IS NULL THEN coalesce({', '.join(reasons)}, NULL) END"


def _good_conditions(job: Judged) -> list[str]:
    """SQL conditions that are all true just where a row is data and no field speaks against it."""
    conditions = ["_fault IS NULL", "_ignored IS NULL"]
    for one in job.table.fields:
        if one.name in job.text.raw:
            conditions += fits(one, _text_of(one), sql.name(one.name))
        elif one.filled:
            conditions.append("FALSE")
    return conditions


def _undamaged(raw: str) -> str:
    """SQL of an identifier's text in a re-saved file: null where a spreadsheet made a number of it."""
    return f"CASE WHEN regexp_full_match(trim({raw}), '{_AS_NUMBER}') THEN NULL ELSE {raw} END"


def _limits(delivery: Delivery, table: Table) -> list[tuple[str, str]]:
    """What is wrong with rows that type well, and its sentence: no partition, dates that cannot be, broken checks."""
    limits = []
    if table.partition.grain is not Grain.ALL:
        limits.append((f"{sql.name(table.partition.column)} IS NULL", sql.text(f"{table.partition.column} is blank")))
    if any(one.name == table.day and one.kind in (Kind.DATE, Kind.MONTH) for one in table.fields):
        day, latest = sql.name(table.day), sql.literal(delivery.received_at.date() + timedelta(days=2))
        said = sql.text(f"{table.day}: ") + f" || {day}"
        limits.append((f"{day} > {latest}", f"{said} || ' lies in the future of the day the file came'"))
        limits.append((f"{day} < {sql.literal(_EARLIEST)}", f"{said} || ' lies before any record could'"))
    return limits + [(check.breaks, sql.text(check.says)) for check in table.checks]


def good_sql(job: Judged) -> str:
    """The SELECT of good rows, sorted; what is equal in every row is added behind the sort, where it costs nothing."""
    table, text = job.table, job.text
    sorted_by_row = [one.name for one in table.fields if one.name in text.raw and one.name not in text.told]
    columns = ", ".join(
        sql.name(one.name) if one.name in sorted_by_row else f"{_same_in_all(one, text)} AS {sql.name(one.name)}"
        for one in table.fields
    )
    locator = "CAST(NULL AS VARCHAR)" if text.locator == LINE else text.locator
    column = sql.name(table.partition.column)
    partition, order = {
        Grain.MONTH: (f"left(CAST({column} AS VARCHAR), 7)", f"year({column}) * 12 + month({column}), _line"),
        Grain.YEAR: (f"left(CAST({column} AS VARCHAR), 4)", f"year({column}), _line"),
        Grain.ALL: ("'all'", "_line"),
    }[table.partition.grain]
    # Asked as columns of their own, the limits cost one look for each distinct value; and `random` keeps the engine
    # from asking the condition before the typing, which would type every text twice.
    limits = {f"_wrong_{number}": wrong for number, (wrong, _) in enumerate(_limits(job.delivery, table))}
    wrong = "".join(f", {one} AS {name}" for name, one in limits.items())
    good = " AND ".join([*_good_conditions(job), *(f"{name} IS NOT TRUE" for name in limits), "random() >= 0"])
    return (
        f"SELECT {sql.constant(job.account)} AS account, {columns}, {sql.constant(job.delivery.id)} AS _delivery,"
        f" _line, {locator} AS _locator, {partition} AS _partition"
        f" FROM (SELECT {sql.names([*sorted_by_row, '_line'])}{_place(text)}"
        f" FROM (SELECT *, {good} AS _good FROM (SELECT *{wrong} FROM ({_typed_sql(job)})))"
        f" WHERE _good ORDER BY {order})"
    )


def _same_in_all(field: Field, text: TextRows) -> str:
    """SQL of a value that all rows have: none, or what the file as a whole tells."""
    value = text.told.get(field.name)
    if not value:
        return f"CAST(NULL AS {type_of(field)})"
    plain = field.kind is Kind.TEXT and not field.clean and not field.blank
    return sql.constant(value) if plain else typed(field, cleaned(field, sql.text(value)))


def bad_sql(job: Judged) -> str:
    """The SELECT of rows that are rejected or ignored: place, why, and the money read in them, as `m_<name>`."""
    money = "".join(f", {sql.name(one.name)} AS {sql.name('m_' + one.name)}" for one in job.table.money)
    return (
        f"SELECT _line{_place(job.text)}, {_why_sql(job)} AS _why, _ignored{money} FROM ({_typed_sql(job)})"
        " WHERE _why IS NOT NULL OR _ignored IS NOT NULL"
    )


def rejects_sql(job: Judged) -> str:
    """The SELECT of rejected rows: place, reason, and the original text, looked up again by its line."""
    text = job.text
    return (
        f"SELECT {sql.text(job.delivery.id)} AS _delivery, _line, {text.locator} AS _locator, _why AS reason,"
        f" text FROM bad JOIN (SELECT _line, {text.text} AS text FROM {text.relation}) USING (_line)"
        " WHERE _ignored IS NULL ORDER BY _line"
    )
