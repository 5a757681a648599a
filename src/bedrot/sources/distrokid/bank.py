"""The bank details: which files they are, when they were exported, and how a re-saved one shows itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from bedrot.contract import Original, Resaved, Stamp, heading_key

DELIMITERS = "\t,;"

_NEEDED = {"salemonth", "store", "earningsusd"}
_ENDS = re.compile(r"\r\n|\r|\n")
_EPOCH = re.compile(r"DistroKid_(\d{13})(?!\d)")
_STAMP = re.compile(r"(?<!\d)(\d{8})_(\d{6})(?!\d)")
_FIRST_DATE = re.compile(rb'(?<=[\r\n])"?(\d{4}-\d{2}-\d{2})')
_CHUNK = 1 << 20
_OVERLAP = 12
_LOOKED_AT = 200
_AS_NUMBER = r"\d+(?:[.,]\d+)?[eE]\+?\d+|\d+[.,]0+"
_DAY_FIRST = r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}"
_MONTH_NAMED = r"(?:\d{1,2}[-. ])?[^\W\d_]{3,10}\.?[-. ]\d{2,4}"
_SQUEEZED = re.compile(r"\d{6}")
_DAMAGE = {
    "upc": re.compile(_AS_NUMBER),
    "isrc": re.compile(_AS_NUMBER),
    "salemonth": re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}.*|{_DAY_FIRST}|{_MONTH_NAMED}"),
    "reportingdate": re.compile(rf"{_DAY_FIRST}|{_MONTH_NAMED}"),
}


def knows(original: Original) -> bool:
    """Whether the first line has the headings that all generations of bank details share."""
    if original.is_zip:
        return False
    return {heading_key(title) for title in re.split(f"[{DELIMITERS}]", _first_line(original))} >= _NEEDED


def currency(original: Original) -> Mapping[str, str | None]:
    """The currency that the heading of the earnings names: USD in every export seen."""
    found = re.search(r"earnings ?\(?([a-z]{3})\)?", _first_line(original), re.IGNORECASE)
    return {"currency": found.group(1).upper() if found else None}


def exported_at(original: Original) -> Stamp | None:
    """The milliseconds in `DistroKid_<epoch>`, else a stamp in a name, the zip member's time, the last date told."""
    names = (original.name, original.relative)
    for name in names:
        if found := _EPOCH.search(name):
            return Stamp(datetime.fromtimestamp(int(found.group(1)) / 1000, UTC), "name")
    for name in names:
        if at := _stamped(name):
            return Stamp(at, "name")
    if original.member_time is not None:
        return Stamp(original.member_time, "zip")
    last = _last_date(original)
    return Stamp.of_day(last, "data") if last else None


def resaved(original: Original) -> Resaved | None:
    """What shows that a spreadsheet or a database wrote the file anew; None where nothing does."""
    first, *lines = _ENDS.split(original.head_text)[: _LOOKED_AT + 1]
    delimiter = max(DELIMITERS, key=first.count)
    titles = [title.strip().strip('"') for title in first.split(delimiter)]
    harmless = None
    if "EarningsUSD" in titles and "SaleMonth" in titles:
        harmless = Resaved("its headings have lost their blanks ('EarningsUSD')", damaged=False)
    watched = [
        (place, title, _DAMAGE[key]) for place, title in enumerate(titles) if (key := heading_key(title)) in _DAMAGE
    ]
    for number, row in _rows(lines, delimiter):
        for place, title, damage in watched:
            if place >= len(row):
                continue
            if harmless is None and heading_key(title) == "salemonth" and _SQUEEZED.fullmatch(row[place].strip()):
                harmless = Resaved(f"line {number} has '{row[place].strip()}' as {title}", damaged=False)
            if damage.fullmatch(row[place].strip()):
                return Resaved(f"line {number} has '{row[place].strip()[:40]}' as {title}", damaged=True)
    return harmless


def _first_line(original: Original) -> str:
    """The heading row, or what stands in its place."""
    return _ENDS.split(original.head_text.lstrip("\ufeff"), maxsplit=1)[0]


def _rows(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of lines below the heading, as far as they can be read."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num + 1, row
    except csv.Error:
        return


def _stamped(name: str) -> datetime | None:
    """The instant of a `YYYYMMDD_HHMMSS` in a name, taken as UTC."""
    for day, clock in _STAMP.findall(name):
        try:
            return datetime.strptime(day + clock, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _last_date(original: Original) -> date | None:
    """The latest date that a line begins with: the reporting date, or the day inserted in exports since 2025."""
    found: set[bytes] = set()
    before = b""
    with original.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(_FIRST_DATE.findall(before + chunk))
            before = (before + chunk)[-_OVERLAP:]
    for text in sorted(found, reverse=True):
        try:
            return date.fromisoformat(text.decode())
        except ValueError:
            continue
    return None
