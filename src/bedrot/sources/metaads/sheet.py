"""Ads Manager's own export: a CSV whose columns the person chose, with the currency in a heading."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from bedrot.contract import Facts, Ignored, Original, Resaved, Row, Stamp, heading_key
from bedrot.errors import Refused
from bedrot.sources.metaads import census
from bedrot.sources.metaads.entities import Repeats
from bedrot.sources.metaads.insights import provisional, several_days
from bedrot.sources.metaads.shape import canonical
from bedrot.sources.metaads.tables import INSIGHTS
from bedrot.sources.metaads.told import last_day, stamped

_DELIMITERS = ",;\t"
_SPEND = re.compile(r"\s*(?:amount spent|montant dépensé)\s*(?:\(([A-Z]{3})\))?\s*", re.IGNORECASE)
_LEVELS = ("ad", "adset", "campaign", "account")
_IDS = ("ad_id", "adset_id", "campaign_id", "account_id")
_NUMBERS = ("spend", "impressions", "clicks", "link_clicks", "reach", "results")
_COPIED = ("campaign_name", "adset_name", "ad_name", "result_type", "attribution_setting", *_NUMBERS)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = re.compile(
    r"(?P<account>.+)-(?:Ads|Ad-[Ss]ets|Campaigns)-[A-Z][a-z]{2}-\d{1,2}-\d{4}"
    r"-(?P<month>[A-Z][a-z]{2})-(?P<day>\d{1,2})-(?P<year>\d{4})(?: ?\(\d+\))?\.csv"
)
_EXPONENT = re.compile(r"\d(?:[.,]\d+)?E\+?\d{2}", re.IGNORECASE)
_TURNED_DATE = re.compile(r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")

_HEADINGS = {
    "Reporting starts": "date_start",
    "Reporting ends": "date_stop",
    "Day": "day",
    "Jour": "day",
    "Account ID": "account_id",
    "Account name": "account_name",
    "Campaign ID": "campaign_id",
    "Campaign name": "campaign_name",
    "Nom de la campagne": "campaign_name",
    "Ad set ID": "adset_id",
    "Ad set name": "adset_name",
    "Ad ID": "ad_id",
    "Ad name": "ad_name",
    "Currency": "currency",
    "Impressions": "impressions",
    "Clicks (all)": "clicks",
    "Link clicks": "link_clicks",
    "Reach": "reach",
    "Results": "results",
    "Result indicator": "result_type",
    "Attribution setting": "attribution_setting",
    "Age": "age",
    "Gender": "gender",
    "Country": "country",
    "Region": "region",
    "Platform": "publisher_platform",
    "Placement": "platform_position",
    "Impression device": "impression_device",
}
_COLUMNS = {heading_key(heading): name for heading, name in _HEADINGS.items()}
_SPLITS = ("age", "country", "gender", "impression_device", "platform_position", "publisher_platform", "region")


@dataclass(frozen=True)
class _Line:
    """One line below the heading row: its number in the file, and its texts by column."""

    number: int
    told: Mapping[str, str]


@dataclass(frozen=True)
class _Heading:
    """The heading row: its delimiter, its texts, which columns they are, and the currency in one of them."""

    delimiter: str
    titles: tuple[str, ...]
    columns: tuple[str, ...]
    currency: str | None

    @property
    def level(self) -> str | None:
        """The finest level that a column names."""
        found = (one for one in _LEVELS if f"{one}_id" in self.columns or f"{one}_name" in self.columns)
        return next(found, None)


def knows_sheet(original: Original) -> bool:
    """Whether the first line has a day, something advertised, and an amount spent or a reporting stretch."""
    if original.is_zip or original.looks_like_json:
        return False
    columns = _heading(original.head_text).columns
    dated = "day" in columns or "date_start" in columns
    ours = "spend" in columns or ("date_start" in columns and "date_stop" in columns)
    return dated and ours and _heading(original.head_text).level is not None


def read_sheet(original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """Each line as a row of insights; a line that names nothing is Ads Manager's line of totals."""
    heading = _whole_heading(original)
    lines = list(_lines(original, heading))
    split = tuple(name for name in _SPLITS if name in heading.columns)
    comma = _comma_is_decimal(lines)
    rows = [(line.number, _values(line, heading, split, facts, comma=comma)) for line in lines]
    daily = "day" in heading.columns or several_days(
        (told["entity"], told["breakdown_value"], told["date_start"], told["date_stop"])
        for _, told in rows
        if not isinstance(told, str)
    )
    repeats = Repeats(original)
    for number, values in rows:
        if isinstance(values, str):
            yield Ignored(INSIGHTS.name, values, f"line {number}")
            continue
        values["span"] = "daily" if daily else "range"
        key = tuple(values[name] for name in INSIGHTS.key)
        if _repeated(original, repeats, key, values, number):
            yield Ignored(INSIGHTS.name, "repeated line", f"line {number}")
        else:
            yield Row(INSIGHTS.name, values, f"line {number}")


def sheet_account(original: Original) -> str | None:
    """The account that all lines name, else the label in Ads Manager's name (`<ACCOUNT>-Ads-Jul-12-2022-….csv`)."""
    heading = _heading(original.text)
    if "account_id" in heading.columns and resaved(original) is None:
        cells = {line.told["account_id"].strip().removeprefix("act_") for line in _lines(original, heading)}
        found = {cell for cell in cells if cell.isdecimal()}
        return found.pop() if len(found) == 1 else None
    named = _NAME.fullmatch(original.name)
    return named["account"] if named else None


def sheet_exported_at(original: Original) -> Stamp | None:
    """A stamp in the name, the zip's time, the last day in Ads Manager's name, or the last day of the lines."""
    stamp = stamped(original)
    if stamp:
        return stamp
    named = _NAME.fullmatch(original.name)
    if named and named["month"] in _MONTHS:
        month = _MONTHS.index(named["month"]) + 1
        try:
            return Stamp.of_day(date(int(named["year"]), month, int(named["day"])), "name")
        except ValueError:
            pass
    heading = _whole_heading(original)
    column = "day" if "day" in heading.columns else "date_stop"
    return last_day(line.told[column] for line in _lines(original, heading))


def sheet_census(original: Original) -> Mapping[str, int]:
    """Lines that are not blank below the heading row."""
    return {INSIGHTS.name: census.lines(original.text)}


def resaved(original: Original) -> Resaved | None:
    """How a spreadsheet's hand shows: an id with an exponent, or a date turned round; None where it does not."""
    heading = _heading(original.head_text)
    try:
        for cells in csv.reader(io.StringIO(original.head_text, newline=""), delimiter=heading.delimiter):
            for column, cell in zip(heading.columns, cells, strict=False):
                sign = _resaved_sign(column, cell.strip())
                if sign:
                    return Resaved(sign, damaged=True)
    except csv.Error:
        return None
    return None


def _resaved_sign(column: str, cell: str) -> str | None:
    """What a spreadsheet did to a cell, if it did."""
    if column in _IDS and _EXPONENT.fullmatch(cell):
        return f"the id {cell} is a rounded number"
    if column in ("day", "date_start", "date_stop") and _TURNED_DATE.fullmatch(cell):
        return f"the date {cell} is turned round, where Ads Manager writes 2025-03-29"
    return None


def _heading(text: str) -> _Heading:
    """The first line, split by the delimiter that makes most of it known."""
    first = re.split(r"\r\n|\r|\n", text.lstrip("\ufeff"), maxsplit=1)[0][: 1 << 17]
    best = _Heading(",", (), (), None)
    for delimiter in _DELIMITERS:
        titles = tuple(next(csv.reader([first], delimiter=delimiter), []))
        spends = [_SPEND.fullmatch(unicodedata.normalize("NFC", title)) for title in titles]
        columns = tuple(
            "spend" if spend else _COLUMNS.get(heading_key(title), "")
            for title, spend in zip(titles, spends, strict=True)
        )
        currency = next((spend[1] for spend in spends if spend and spend[1]), None)
        if sum(map(bool, columns)) > sum(map(bool, best.columns)):
            best = _Heading(delimiter, titles, columns, currency and currency.upper())
    return best


def _whole_heading(original: Original) -> _Heading:
    """The heading row; Refused when two headings mean one column, or the end of the stretch is missing."""
    heading = _heading(original.text)
    for place, column in enumerate(heading.columns):
        if column and column in heading.columns[:place]:
            raise Refused(
                f"Two headings mean the same: '{heading.titles[heading.columns.index(column)]}' and"
                f" '{heading.titles[place]}'.",
                "Export it again with each column once.",
                file=original.name,
                line=1,
                heading=heading.titles[place],
            )
    if "day" not in heading.columns and not {"date_start", "date_stop"} <= set(heading.columns):
        missing = "Reporting ends" if "date_start" in heading.columns else "Reporting starts"
        raise Refused(
            f"The heading '{missing}' is missing; the file has: {', '.join(heading.titles)}.",
            "Export it again from Ads Manager with both reporting dates.",
            file=original.name,
            line=1,
            heading=missing,
        )
    return heading


def _lines(original: Original, heading: _Heading) -> Iterator[_Line]:
    """The lines below the heading row; Refused where one has fewer or more places, or its quotes do not close."""
    reader = csv.reader(io.StringIO(original.text, newline=""), delimiter=heading.delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            number, start = start, reader.line_num + 1
            if number == 1 or not any(cells):
                continue
            if len(cells) != len(heading.titles):
                raise Refused(
                    f"The line has {len(cells)} fields where the heading row has {len(heading.titles)}.",
                    "The file was cut off or edited: export it again.",
                    file=original.name,
                    line=number,
                )
            yield _Line(number, {name: cell for name, cell in zip(heading.columns, cells, strict=True) if name})
    except csv.Error as broken:
        raise Refused(
            f"The quotation marks of the file do not close ({broken}).",
            "The file was cut off or edited: export it again.",
            file=original.name,
            line=start,
        ) from broken


def _values(
    line: _Line, heading: _Heading, split: tuple[str, ...], facts: Facts, *, comma: bool
) -> dict[str, str | None] | str:
    """The fields of a line as text, or the reason why it is no data."""
    told = {name: cell.strip() or None for name, cell in line.told.items()}
    named = [name for name in (*_IDS, *(f"{level}_name" for level in _LEVELS)) if name in told]
    if not any(told[name] for name in named):
        return "line of totals"
    if all(cell is None or _COLUMNS.get(heading_key(cell)) == name for name, cell in told.items() if name != "spend"):
        return "heading row repeated"
    start = told.get("day") if "day" in told else told["date_start"]
    stop = start if "day" in told else told["date_stop"]
    values = {name: told.get(name) for name in _COPIED}
    if comma:
        values |= {name: text.replace(",", ".") for name in _NUMBERS if (text := values[name])}
    return {
        **values,
        **_what(told, heading.level or "account", facts),
        "date_start": start,
        "date_stop": stop,
        "breakdown": ",".join(split) or "none",
        "breakdown_value": canonical({name: told[name] for name in split}) if split else "all",
        "currency": heading.currency or told.get("currency"),
        "provisional": provisional(stop, facts),
    }


def _what(told: Mapping[str, str | None], level: str, facts: Facts) -> dict[str, str | None]:
    """The entity of a line: by id where the person added the column of ids, else by names, which are kept apart."""
    ids = {name: None if facts.resaved else told.get(name) for name in _IDS[:3]}
    if level == "account":
        return {"level": level, "named_by": "id", "entity": "account", **ids}
    if ids[f"{level}_id"]:
        return {"level": level, "named_by": "id", "entity": ids[f"{level}_id"], **ids}
    names = [told.get(f"{one}_name") for one in reversed(_LEVELS)]
    finest = told.get(f"{level}_name")
    entity = canonical([name for name in names if name]) if finest else None
    return {"level": level, "named_by": "name", "entity": entity, **ids}


def _comma_is_decimal(lines: list[_Line]) -> bool:
    """Whether commas in numbers are decimal signs: no point and no second comma anywhere, and one not before three."""
    texts = [line.told[name].strip() for line in lines for name in _NUMBERS if line.told.get(name)]
    commas = [text for text in texts if "," in text]
    if not commas or any("." in text for text in texts):
        return False
    fitting = all(re.fullmatch(r"[+-]?\d+,\d+", text) for text in commas)
    return fitting and any(len(text.partition(",")[2]) != 3 for text in commas)


def _repeated(original: Original, repeats: Repeats, key: object, values: object, number: int) -> bool:
    """Whether an equal line came before; Refused, with what to add, where it came with other numbers."""
    try:
        return repeats.has(key, values, f"line {number}")
    except Refused as clash:
        raise Refused(
            clash.sentence,
            "Two ads with one name look so: add the column 'Ad ID' in Ads Manager and export again.",
            file=original.name,
            line=number,
        ) from clash
