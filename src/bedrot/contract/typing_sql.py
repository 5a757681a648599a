"""Text becomes values here and nowhere else: each kind is a pattern and a cast behind it.

DuckDB's own casts are lax (`1.5` becomes 2, `0x1F` 31, a thirteenth decimal is rounded, `epoch` is a date), so no cast
sees a text that its pattern has not let through.
"""

from __future__ import annotations

from bedrot import sql
from bedrot.contract.values import Field, Kind, Table
from bedrot.errors import Defect

SCALE = 18
DIGITS = 60
"""Digits for adding amounts in Python, whose usual 28 would round sums of eighteen decimals from 10^10 on."""
DECIMAL_TYPE = f"DECIMAL(38,{SCALE})"

TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.DECIMAL: DECIMAL_TYPE,
    Kind.MONEY: DECIMAL_TYPE,
    Kind.DATE: "DATE",
    Kind.MONTH: "DATE",
    Kind.INSTANT: "TIMESTAMP",
    Kind.BOOLEAN: "BOOLEAN",
}

CLEANERS = {
    "upper": "upper({x})",
    "no_dashes": "replace(replace({x}, '-', ''), ' ', '')",
    "collapse": "regexp_replace({x}, '\\s+', ' ', 'g')",
    "slash_date": "replace({x}, '/', '-')",
    "month_squeezed": (
        "CASE WHEN regexp_full_match({x}, '[0-9]{{6}}') THEN substr({x}, 1, 4) || '-' || substr({x}, 5, 2) ELSE {x} END"
    ),
    "percent": (
        "CASE WHEN regexp_full_match({x}, '[0-9]{{1,9}}([.][0-9]{{1,16}})?%')"
        " THEN CAST(CAST(rtrim({x}, '%') AS DECIMAL(30,16)) * 0.01 AS VARCHAR) ELSE {x} END"
    ),
}

_INTEGER = "[+-]?[0-9]{1,18}"
_DECIMAL = "[+-]?([0-9]{1,20}([.][0-9]{0,18})?|[.][0-9]{1,18})"
_EXPONENT = "[+-]?[0-9]{1,18}([.][0-9]{0,18})?[eE][+-]?[0-9]{1,2}"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MONTH = "[0-9]{4}-[0-9]{2}"
_INSTANT = _DATE + "[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
_PATTERNS = {
    Kind.INTEGER: _INTEGER,
    Kind.DECIMAL: _DECIMAL,
    Kind.MONEY: _DECIMAL,
    Kind.DATE: _DATE,
    Kind.MONTH: _MONTH,
    Kind.INSTANT: _INSTANT,
}

LINE = "'line ' || _line"
"""SQL of the place of a row that is a line of its file."""
LOCATOR = f"coalesce(_locator, {LINE})"
"""SQL of a staged row's place for people; staging leaves it out where it is the line, for it costs as much as four."""

_EXPECTED = {
    Kind.INTEGER: "a whole number such as 120",
    Kind.DECIMAL: "a number such as 0.59, with at most 18 decimals",
    Kind.MONEY: "an amount such as 1.31000000, without signs of currency or thousands, with at most 18 decimals",
    Kind.DATE: "a date such as 2025-03-29",
    Kind.MONTH: "a month such as 2025-01",
    Kind.INSTANT: "an instant such as 2025-03-29 17:05:00",
    Kind.BOOLEAN: "true or false",
}


def type_of(field: Field) -> str:
    """The DuckDB type of a field's values."""
    return TYPES[field.kind]


def columns_of(table: Table) -> list[tuple[str, str]]:
    """Names and DuckDB types of a table's content columns, `account` first."""
    return [("account", "VARCHAR"), *((field.name, type_of(field)) for field in table.fields)]


def cleaned(field: Field, raw: str) -> str:
    """SQL of the field's text, from SQL of its raw text: cleaners applied, blanks null."""
    text = f"trim({raw})" if field.clean else raw
    for cleaner in field.clean:
        if cleaner not in CLEANERS:
            raise Defect(f"The field {field.name} names the cleaner '{cleaner}', which does not exist.")
        text = CLEANERS[cleaner].format(x=text)
    if not field.blank:
        return f"nullif({text}, '')"
    return f"CASE WHEN trim({text}) IN ({', '.join(map(sql.text, ('', *field.blank)))}) THEN NULL ELSE {text} END"


def typed(field: Field, text: str) -> str:
    """SQL of the field's value from SQL of its cleaned text, blanks around it cut off; NULL where it does not fit.

    What does not fit is extracted as '', which no cast takes. Extracting is asked once for each distinct text of a
    column, a full match once for each row.
    """
    if field.kind is Kind.TEXT:
        return text
    if field.kind is Kind.BOOLEAN:
        return f"CASE lower(trim({text})) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
    fitting = f"regexp_extract({text}, '^ *({_PATTERNS[field.kind]}) *$', 1)"
    if field.kind is Kind.MONTH:
        fitting = f"{fitting} || '-01'"
    value = f"TRY_CAST({fitting} AS {type_of(field)})"
    return _or_exponent(value, text) if field.kind in (Kind.DECIMAL, Kind.MONEY) else value


def _or_exponent(value: str, text: str) -> str:
    """SQL of a decimal, or of one in exponent form that has at most 18 decimals, so that no cast rounds it."""
    fitting = f"regexp_extract({text}, '^ *({_EXPONENT}) *$', 1)"
    decimals = f"length(regexp_extract({text}, '[.]([0-9]*)', 1))"
    power = f"TRY_CAST(regexp_extract({text}, '[eE]([+-]?[0-9]+) *$', 1) AS INTEGER)"
    return (
        f"coalesce({value}, CASE WHEN {decimals} - {power} <= {SCALE} THEN TRY_CAST({fitting} AS {DECIMAL_TYPE}) END)"
    )


def unlike(column: str, pattern: str) -> str:
    """SQL: the column has a text, which does not match the pattern; asked once for each distinct text."""
    return f"regexp_extract({column}, '^({pattern})$') = ''"


def decimals(text: str) -> str:
    """SQL of how many decimals a number's text shows (0 where none, or where it is written with an exponent)."""
    point = f"instr({text}, '.')"
    plain = f"{point} > 0 AND NOT contains({text}, 'e') AND NOT contains({text}, 'E')"
    # Most texts end in a digit: to trim them all would cost more than the rest.
    long = f"CASE WHEN suffix({text}, ' ') THEN length(rtrim({text})) ELSE length({text}) END"
    return f"CASE WHEN {plain} THEN {long} - {point} ELSE 0 END"


def complaint(field: Field, text: str, value: str) -> str | None:
    """SQL of the sentence that says why a field cannot be taken, NULL where it can; None when it always can."""
    clauses = []
    shown = sql.text(f"{field.name}: '") + f" || left({text}, 80)"
    if field.filled:
        clauses.append(
            f"WHEN {value} IS NULL AND coalesce(trim({text}), '') = '' THEN {sql.text(f'{field.name} is blank')}"
        )
    if field.kind is not Kind.TEXT:
        expected = sql.text(f"' is not {_EXPECTED[field.kind]}")
        clauses.append(f"WHEN {value} IS NULL AND trim({text}) <> '' THEN {shown} || {expected}")
    if field.values:
        allowed = ", ".join(map(sql.text, field.values))
        listed = sql.text("' is not one of " + ", ".join(field.values))
        clauses.append(f"WHEN {text} IS NOT NULL AND {text} NOT IN ({allowed}) THEN {shown} || {listed}")
    return f"CASE {' '.join(clauses)} END" if clauses else None


def fits(field: Field, text: str, value: str) -> list[str]:
    """SQL conditions that are all true just where `complaint` gives no sentence; much cheaper to ask of every row."""
    conditions = []
    if field.filled:
        conditions.append(f"{value} IS NOT NULL")
    elif field.kind is not Kind.TEXT:
        conditions.append(f"({value} IS NOT NULL OR coalesce(trim({text}), '') = '')")
    if field.values:
        conditions.append(f"({text} IS NULL OR {text} IN ({', '.join(map(sql.text, field.values))}))")
    return conditions
