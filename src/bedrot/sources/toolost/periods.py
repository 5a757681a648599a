"""Reads the ways in which distributors write a day, a month or a longer period, without guessing.

Seen in statements: `2026-06-01`, `2026-07`, `202211`, `07/2026`, `Jul 2026`, `July 2026`, `JUN-25`, `6/24/23 11:45am`,
`10/15/2023 12:00:00 AM`, `2026-06-01 - 2026-07-31` (with an en dash too), `2Q2025`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from bedrot.errors import Refused

_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[ap]\.?m\.?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DAY = re.compile(rf"(\d{{4}})[-/](\d{{1,2}})[-/](\d{{1,2}}){_TIME}", re.IGNORECASE)
_SLASHED = re.compile(rf"(\d{{1,2}})[/.](\d{{1,2}})[/.](\d{{4}}|\d{{2}}){_TIME}", re.IGNORECASE)
_YEAR_MONTH = re.compile(r"(\d{4})[-/]?(\d{2})")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/](\d{4})")
_NAMED = re.compile(r"([A-Za-z]{3,9})[ .'-]+(\d{4}|\d{2})")
_QUARTER = re.compile(r"(?:([1-4])Q|Q([1-4])[ -]?)(\d{4})|(\d{4})[ -]?Q([1-4])", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*[\u2013\u2014]\s*|\s+(?:-|to)\s+", re.IGNORECASE)
# Not calendar.month_name: that one speaks the language of the machine.
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first` to `last`, both counted."""

    first: date
    last: date

    @property
    def is_whole_month(self) -> bool:
        """Whether it is exactly one calendar month."""
        return self == month_of(self.first.year, self.first.month)

    @property
    def month(self) -> str | None:
        """`YYYY-MM` where all its days lie in one month."""
        same = (self.first.year, self.first.month) == (self.last.year, self.last.month)
        return f"{self.first:%Y-%m}" if same else None


def month_of(year: int, month: int) -> Period | None:
    """That calendar month; None where there is no such month."""
    if not (1 <= month <= 12 and 1990 <= year <= 9999):
        return None
    return Period(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))


def period_of(text: str, day_first: bool) -> Period | None:
    """The period that a text names; None where it names none. `day_first` reads `1/2/2025` as the first of February."""
    ends = _BETWEEN.split(text.strip())
    if len(ends) == 2:
        first, last = _single(ends[0], day_first), _single(ends[1], day_first)
        return Period(first.first, last.last) if first and last and first.first <= last.last else None
    return _single(text.strip(), day_first)


def day_comes_first(dates: Iterable[tuple[int, str, str]], name: str) -> bool:
    """Whether the file writes `day/month/year`; `dates` are line, heading and text of its dates.

    Raises Refused where the file as a whole leaves it open, or speaks both ways.
    """
    shown: dict[str, tuple[int, str, str]] = {}
    for line, heading, text in dates:
        for part in _BETWEEN.split(text.strip()):
            said = _order(part)
            if said:
                shown.setdefault(said, (line, heading, part))
    if "day" in shown and "month" in shown:
        one, two = shown["day"], shown["month"]
        line, heading, _ = max(one, two)
        raise Refused(
            f"'{one[2]}' (line {one[0]}) begins with the day, '{two[2]}' (line {two[0]}) with the month.",
            "Give the file as TooLost made it, not one that a spreadsheet saved.",
            file=name,
            line=line,
            heading=heading,
        )
    if len(shown) == 1 and "open" in shown:
        line, heading, text = shown["open"]
        raise Refused(
            f"'{text}' could begin with the day or with the month, and no other date of the file decides which.",
            "Ask TooLost for dates written as 2025-01-02, or report the file.",
            file=name,
            line=line,
            heading=heading,
        )
    return "day" in shown


def _order(text: str) -> str | None:
    """What a date with slashes begins with, `day` or `month`; `open` where either could be; else None."""
    found = _SLASHED.fullmatch(text)
    if not found or found[1] == found[2]:
        return None
    if int(found[1]) > 12:
        return "day"
    return "month" if int(found[2]) > 12 else "open"


def _single(text: str, day_first: bool) -> Period | None:
    """The period of a text that is not a range: a day, a month or a quarter."""
    return _day(text, day_first) or _month(text) or _quarter(text)


def _day(text: str, day_first: bool) -> Period | None:
    """One day."""
    found = _DAY.fullmatch(text)
    if found:
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        found = _SLASHED.fullmatch(text)
        if not found:
            return None
        one, two, year = int(found[1]), int(found[2]), _year(found[3])
        day, month = (one, two) if day_first else (two, one)
    try:
        return Period(date(year, month, day), date(year, month, day))
    except ValueError:
        return None


def _month(text: str) -> Period | None:
    """One month, in digits or by its English name."""
    if found := _YEAR_MONTH.fullmatch(text):
        return month_of(int(found[1]), int(found[2]))
    if found := _MONTH_YEAR.fullmatch(text):
        return month_of(int(found[2]), int(found[1]))
    if found := _NAMED.fullmatch(text):
        spelled = found[1].lower()
        for number, full in enumerate(_MONTHS, start=1):
            if spelled in (full, full[:3], full[:4] if full == "september" else full):
                return month_of(_year(found[2]), number)
    return None


def _quarter(text: str) -> Period | None:
    """Three months."""
    found = _QUARTER.fullmatch(text)
    if not found:
        return None
    quarter, year = int(found[1] or found[2] or found[5]), int(found[3] or found[4])
    first, last = month_of(year, 3 * quarter - 2), month_of(year, 3 * quarter)
    return Period(first.first, last.last) if first and last else None


def _year(text: str) -> int:
    """A year; two digits are of this century, because no store paid for plays before it."""
    return int(text) if len(text) == 4 else 2000 + int(text)
