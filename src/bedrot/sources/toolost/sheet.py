"""Takes a sales report apart: its delimiter, its line of headings, and which column is which field."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bedrot.contract import Original, heading_key
from bedrot.errors import Refused
from bedrot.sources.toolost.sales_table import SALES

REPORT = "Report these headings, so that they can be added."
MEASURES = ("earnings", "quantity")
_SHOWN = 40
_PREAMBLE = 30
_CODES = "USD|EUR|GBP|CAD|AUD|NZD|JPY|CHF|SEK|NOK|DKK|PLN|MXN|BRL|INR"
_MARKED = (
    (re.compile(rf"[(\[]\s*({_CODES})\s*[)\]]\s*$", re.IGNORECASE), None),
    (re.compile(rf"\s(?:in\s+)?({_CODES})\s*$", re.IGNORECASE), None),
    (re.compile(r"[(\[]\s*(?:US\$|\$US)\s*[)\]]\s*$"), "USD"),
    (re.compile(r"[(\[]\s*€\s*[)\]]\s*$"), "EUR"),
    (re.compile(r"[(\[]\s*£\s*[)\]]\s*$"), "GBP"),
)

Record = tuple[int, tuple[str, ...]]
"""The line (1 is the first) that a record begins on, and its values without blanks around them."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report taken apart; `preamble` are lines above the headings, `currency` is what the money's heading names."""

    headings: tuple[str, ...]
    places: Mapping[str, int]
    currency: str | None
    preamble: tuple[int, ...]
    records: tuple[Record, ...]

    def cell(self, cells: Sequence[str], field: str) -> str:
        """The text of a field in a record; empty where the column is missing or the record too short."""
        place = self.places.get(field)
        return cells[place] if place is not None and place < len(cells) else ""

    def texts(self, field: str) -> Iterator[tuple[int, str]]:
        """Line and text of a column's cells that are not blank."""
        for line, cells in self.records:
            told = self.cell(cells, field)
            if told:
                yield line, told

    def heading(self, field: str) -> str:
        """The heading of a field's column; KeyError where it has none."""
        return self.headings[self.places[field]]


def open_sheet(original: Original) -> Sheet:
    """The report taken apart by the first delimiter whose headings can be mapped.

    Raises Refused, showing the headings, where none can, or where two columns could be one measure.
    """
    best: list[Record] = []
    for delimiter in (",", "\t", ";"):
        records = _records(original, delimiter)
        for place, (_, cells) in enumerate(records[:_PREAMBLE]):
            found = map_headings(cells)
            if "earnings" in found and ("title" in found or "isrc" in found):
                return _sheet(records, place, original.name)
        if not best or _widest(records) > _widest(best):
            best = records
    raise _unmapped(best, original.name)


def map_headings(headings: Sequence[str]) -> dict[str, list[int]]:
    """For each field the columns that could be it, the most likely first."""
    found: dict[str, list[int]] = {}
    keys = [heading_key(one) for one in headings]
    money = [heading_key(_without_currency(one)) for one in headings]
    for field in SALES.fields:
        spellings = dict.fromkeys(heading_key(one) for one in (field.name, *field.aka) if field.aka)
        columns = money if field.name == "earnings" else keys
        places = [place for one in spellings for place, key in enumerate(columns) if key == one]
        if places:
            found[field.name] = places
    return found


def listed(headings: Sequence[str]) -> str:
    """Headings for people, not more than can be read."""
    shown = ", ".join(f"'{one[:60]}'" for one in headings[:_SHOWN])
    return f"{shown} and {len(headings) - _SHOWN} more" if len(headings) > _SHOWN else shown or "(none)"


def _records(original: Original, delimiter: str) -> list[Record]:
    """All records that are not blank lines; Refused where quotes do not close."""
    reader = csv.reader(io.StringIO(original.text, newline=""), delimiter=delimiter, strict=True)
    records, begins = [], 1
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                records.append((begins, tuple(one.strip() for one in cells)))
            begins = reader.line_num + 1
    except csv.Error as broken:
        raise Refused(
            f"The line cannot be taken apart into values ({broken}).",
            "Download the report again.",
            file=original.name,
            line=begins,
        ) from broken
    return records


def _sheet(records: list[Record], place: int, name: str) -> Sheet:
    """The sheet whose headings stand at that place; Refused where two columns could be one measure."""
    line, headings = records[place]
    found = map_headings(headings)
    for field, places in found.items():
        same = len({heading_key(headings[one]) for one in places}) < len(places)
        if len(places) > 1 and (field in MEASURES or same):
            both = " and ".join(f"'{headings[one]}'" for one in places)
            raise Refused(
                f"{both} could each be the {field}, but only one is. The headings are: {listed(headings)}.",
                REPORT,
                file=name,
                line=line,
                heading=headings[places[1]],
            )
    return Sheet(
        headings=headings,
        places={field: places[0] for field, places in found.items()},
        currency=_marked_currency(headings[found["earnings"][0]]),
        preamble=tuple(above for above, _ in records[:place]),
        records=tuple(records[place + 1 :]),
    )


def _unmapped(records: list[Record], name: str) -> Refused:
    """The refusal of a report without a line of headings that can be mapped."""
    line, headings = max(records[:_PREAMBLE], key=lambda one: len(one[1]), default=(1, ()))
    found = map_headings(headings)
    needed = (("the money", ("earnings",)), ("the track", ("title", "isrc")))
    missing = [what for what, fields in needed if not any(one in found for one in fields)]
    return Refused(
        f"No heading could be understood as {' or '.join(missing)}. The headings found are: {listed(headings)}.",
        REPORT,
        file=name,
        line=line,
    )


def _widest(records: list[Record]) -> int:
    """The number of values in the widest of the first records."""
    return max((len(cells) for _, cells in records[:_PREAMBLE]), default=0)


def _without_currency(heading: str) -> str:
    """The heading without the currency that stands behind it: `Earnings (USD)` is `Earnings`."""
    for pattern, _ in _MARKED:
        shorter = pattern.sub("", heading).strip()
        if shorter != heading.strip():
            return shorter
    return heading


def _marked_currency(heading: str) -> str | None:
    """The currency that stands behind a heading."""
    for pattern, currency in _MARKED:
        found = pattern.search(heading)
        if found:
            return currency or found[1].upper()
    return None
