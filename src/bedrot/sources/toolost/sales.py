"""Reads TooLost's sales report: delimited text whose headings are mapped by the names that distributors use.

No real file has been seen. The file's name (`@05-2025-70799.csv`) tells the statement's month and number. What cannot
be mapped or read without a guess is refused, with the headings found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from bedrot.contract import Facts, Ignored, Original, Resaved, Row, Stamp, heading_key
from bedrot.errors import Refused
from bedrot.sources.toolost.amounts import Cell, decimal_sign, plain
from bedrot.sources.toolost.periods import Period, day_comes_first, month_of, period_of
from bedrot.sources.toolost.sales_table import SALES
from bedrot.sources.toolost.sheet import MEASURES, Sheet, listed, open_sheet

TABLE = SALES.name
TOTALS = "totals row"
_NAME = re.compile(r"@([0-9]{2})-([0-9]{4})-([0-9]+)")
_NAMED_CURRENCY = re.compile(r"@[0-9]{2}-[0-9]{4}-[0-9]+[ _-]([A-Z]{3})\b")
_TOTALS = frozenset({"total", "totals", "grandtotal", "subtotal", "sum", "summary"})
_DATES = ("reporting_date", "sale_month")
_QUOTED = re.compile(r'(?:^|(?<=[,;\t]))"(?:[^"]|"")*"', re.MULTILINE)


def knows(original: Original) -> bool:
    """Whether the name is that of a sales report and the content is text, but no web page or JSON."""
    squeezed = heading_key(original.name)
    named = _NAME.search(original.name) or ("toolost" in squeezed and "sales" in squeezed)
    if not named or original.suffix not in (".csv", ".tsv", ".txt") or original.is_zip or original.looks_like_json:
        return False
    return original.head_text.lstrip("\ufeff \t\r\n")[:1] not in ("", "<")


def exported_at(original: Original) -> Stamp | None:
    """The zip member's time, or else the last day of the statement's month."""
    if original.member_time:
        return Stamp(original.member_time, "zip")
    named = _NAME.search(original.name)
    month = month_of(int(named[2]), int(named[1])) if named else None
    return Stamp.of_day(month.last, "name") if month else None


def resaved(original: Original) -> Resaved | None:
    """Says so where a UPC or ISRC has become a number with an exponent: a spreadsheet saved the file."""
    try:
        sheet = open_sheet(original)
    except Refused:
        return None
    for field in ("upc", "isrc"):
        for line, told in sheet.texts(field):
            if re.fullmatch(r"[0-9](?:[.,][0-9]+)?[eE][+]?[0-9]+", told):
                return Resaved(f"line {line} has '{told}' as {field.upper()}", damaged=True)
    return None


def census(original: Original) -> dict[str, int]:
    """Lines of the text that are not blank, less the heading; line ends inside quotes do not count."""
    text = original.text.replace("\r\n", "\n").replace("\r", "\n")
    return {TABLE: max(0, sum(1 for line in _QUOTED.sub("q", text).split("\n") if line.strip()) - 1)}


def read(original: Original, _facts: Facts) -> Iterator[Row | Ignored]:
    """The lines of a report in the order of the file; totals, empty lines and lines above the headings are ignored.

    Raises Refused where statement, currency, money or track are not told, dates or numbers could be read two ways, or a
    totals row is not the sum of the lines.
    """
    statement = _statement(original.name)
    sheet = open_sheet(original)
    currency = _currency(sheet, original.name)
    sign = decimal_sign(_numbers(sheet), original.name)
    day_first = day_comes_first(_slashed(sheet), original.name)
    for line in sheet.preamble:
        yield Ignored(TABLE, "line above the headings", f"line {line}")
    lines: list[str | None] = []
    for line, cells in sheet.records:
        why = _no_data(sheet, cells)
        if why == TOTALS:
            told = plain(sheet.cell(cells, "earnings"), sign, currency or sheet.cell(cells, "currency"))
            _refuse_false_total(told, lines, original.name, line)
        if why:
            yield Ignored(TABLE, why, f"line {line}")
            continue
        _refuse_misshapen(sheet, line, cells, original.name)
        values = {one.name: sheet.cell(cells, one.name) or None for one in SALES.fields}
        values["currency"] = values["currency"] or currency
        for field in MEASURES:
            values[field] = plain(values[field] or "", sign, (values["currency"] or "").upper()) or None
        lines.append(values["earnings"])
        yield Row(TABLE, values | statement | _dates(values, day_first, statement["statement_month"]), f"line {line}")


def _statement(name: str) -> dict[str, str | None]:
    """The statement's month and number from the file's name; Refused where the name does not tell them."""
    found = _NAME.search(name)
    month = month_of(int(found[2]), int(found[1])) if found else None
    if not found or month is None:
        raise Refused(
            "The name does not tell the month and number of the statement.",
            "Give the file the name that TooLost gave it, such as '@05-2025-70799.csv'.",
            file=name,
        )
    return {"statement_month": month.month, "statement": found[3]}


def _currency(sheet: Sheet, name: str) -> str | None:
    """The currency of all lines, None where each line tells its own; Refused where nothing tells one."""
    if "currency" in sheet.places:
        return None
    told = _NAMED_CURRENCY.search(name)
    currency = sheet.currency or (told[1] if told else None)
    if currency is None:
        raise Refused(
            f"The file does not tell the currency of its money. The headings are: {listed(sheet.headings)}.",
            "Look it up at TooLost and add it to the file's name, such as '@05-2025-70799 USD.csv'.",
            file=name,
            heading=sheet.heading("earnings"),
        )
    return currency


def _dates(values: Mapping[str, str | None], day_first: bool, statement_month: str | None) -> dict[str, str | None]:
    """Reporting date, sale month and sale period; texts that name no period stay as they are, and are rejected."""
    reported, sold = values["reporting_date"], values["sale_month"]
    day, sale = _period(reported, day_first), _period(sold, day_first)
    if reported is None:
        reporting_date: str | None = f"{statement_month}-01"
    else:
        single = day is not None and (day.first == day.last or day.is_whole_month)
        reporting_date = day.first.isoformat() if day and single else reported
    return {
        "reporting_date": reporting_date,
        "sale_month": sale.month if sale else sold,
        "sale_period": f"{sale.first}/{sale.last}" if sale and not sale.is_whole_month else None,
    }


def _period(text: str | None, day_first: bool) -> Period | None:
    """The period that a cell names, if it names one."""
    return period_of(text, day_first) if text else None


def _no_data(sheet: Sheet, cells: Sequence[str]) -> str | None:
    """Why a record is no line of the statement; None where it is one."""
    if not any(cells):
        return "empty line"
    if tuple(cells) == sheet.headings:
        return "heading row repeated"
    numbers = {sheet.places[one] for one in MEASURES if one in sheet.places}
    texts = {heading_key(one) for place, one in enumerate(cells) if one and place not in numbers}
    telling = {heading_key(sheet.cell(cells, one)) for one in ("isrc", "upc", "store", "country", "artist")}
    return TOTALS if texts & _TOTALS and not telling - _TOTALS - {""} else None


def _refuse_false_total(told: str, lines: Sequence[str | None], name: str, line: int) -> None:
    """Refuse a totals row that is not the sum of the lines above it, at its own number of decimals.

    It is no total then, or lines are missing. Nothing is compared where it tells no money, or a line's cannot be read.
    """
    try:
        total = Decimal(told)
        made = sum((Decimal(one or "") for one in lines), Decimal(0))
    except InvalidOperation:
        return
    half = Decimal(5).scaleb(int(total.as_tuple().exponent) - 1)
    if abs(total - made) > half:
        raise Refused(
            f"The totals row says {total:f}, but the lines above it make {made:f}.",
            "Download the report again; if it says the same, report it.",
            file=name,
            line=line,
        )


def _refuse_misshapen(sheet: Sheet, line: int, cells: Sequence[str], name: str) -> None:
    """Refuse a line whose values do not stand under the headings: the file is cut off or its values hold delimiters."""
    wide = len(sheet.headings)
    if len(cells) >= wide and not any(cells[wide:]):
        return
    cut = "; the file breaks off there" if line == sheet.records[-1][0] and len(cells) < wide else ""
    raise Refused(
        f"The line has {len(cells)} values under {wide} headings{cut}.",
        "Download the report again.",
        file=name,
        line=line,
    )


def _numbers(sheet: Sheet) -> Iterator[Cell]:
    """All numbers of the lines, totals rows among them."""
    for field in MEASURES:
        for line, told in sheet.texts(field):
            yield Cell(line, sheet.heading(field), told, whole=field == "quantity")


def _slashed(sheet: Sheet) -> Iterator[tuple[int, str, str]]:
    """Line, heading and text of all dates."""
    for field in _DATES:
        for line, told in sheet.texts(field):
            yield line, sheet.heading(field), told
