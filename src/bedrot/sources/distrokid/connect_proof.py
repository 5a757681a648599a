"""What came from DistroKid proves, before it is kept, that it is what was asked for: its kind, its days, its filter."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from bedrot.connect.browser import Download
from bedrot.connect.states import NotFetched, State
from bedrot.contract import Delimited, Facts, Original, Row, heading_key
from bedrot.errors import Defect, Refused
from bedrot.sources.distrokid import SOURCE, bank

_ENDS = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Held(Original):
    """A file that lies in memory."""

    content: bytes = b""

    @cached_property
    def data(self) -> bytes:
        """All bytes."""
        return self.content

    @cached_property
    def head(self) -> bytes:
        """All bytes: there is no reason to look at fewer."""
        return self.content

    @cached_property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Slice:
    """What is asked of the bank: months of report, both included, and a store; blank: without that limit."""

    first: str = ""
    last: str = ""
    store: str = ""

    @property
    def asked(self) -> dict[str, str]:
        """The same for the lake."""
        return {"by": "reporting", "from": self.first, "to": self.last, "store": self.store}

    def takes(self, month: str, store: str) -> bool:
        """Whether a line reported in that month, of that store, is asked for."""
        return (self.first or month) <= month <= (self.last or month) and self.store in ("", store)

    def __str__(self) -> str:
        """The slice as a person says it."""
        months = f"the months of report from {self.first} to {self.last}" if self.first else "all months"
        return f"{months} and the store {self.store}" if self.store else months


def prove_page(body: bytes, name: str, feed: str) -> tuple[date, date] | None:
    """The first and the last day that a page of statistics shows, None where it shows none; else NotFetched.

    The page is read as the lake will read it, so that its days, weeks, months and totals agree.
    """
    page = Held(Path(name), name, name, content=body)
    wanted = next(one for one in SOURCE.feeds if one.name == feed)
    daily = wanted.tables[0].name
    if not wanted.knows(page):
        raise NotFetched(State.CHANGED, f"The page {name} does not hold the days that it used to.")
    if wanted.census is None or isinstance(wanted.read, Delimited):
        raise Defect(f"The feed {feed} is not one of pages.", "Report it.")
    if not wanted.census(page)[daily]:
        return None
    facts = Facts("", datetime.min.replace(tzinfo=UTC), "", resaved=False)
    try:
        told = [
            row.values.get("date") for row in wanted.read(page, facts) if isinstance(row, Row) and row.table == daily
        ]
        days = [date.fromisoformat(str(one)) for one in told]
    except (Refused, ValueError) as wrong:
        said = wrong.sentence if isinstance(wrong, Refused) else "One of its days is none."
        raise NotFetched(State.CHANGED, f"The page {name} cannot be read: {said}") from wrong
    return min(days), max(days)


def prove_export(came: Download, wanted: Slice) -> int:
    """How many lines a bank export has; NotFetched where it is none, is cut off, or holds what was not asked for."""
    whole = Original(came.path, came.name, came.name)
    try:
        if not whole.is_zip:
            return _lines(whole, wanted, came.name)
        parts = [Held(came.path, one.name, one.name, content=one.data) for one in whole.members]
        return sum([_lines(one, wanted, came.name) for one in parts])
    except (Refused, csv.Error) as wrong:
        said = wrong.sentence if isinstance(wrong, Refused) else "Its quotes do not fit."
        raise NotFetched(State.CHANGED, f"The export {came.name} cannot be read: {said}") from wrong


def _lines(export: Original, wanted: Slice, name: str) -> int:
    """The number of lines of one file of an export."""
    if not bank.knows(export):
        raise NotFetched(State.CHANGED, f"The export {name} has not the columns that it used to have.")
    heading, *lines = _ENDS.split(export.text.removeprefix("\ufeff"))
    delimiter = max(bank.DELIMITERS, key=heading.count)
    titles = [heading_key(one) for one in next(csv.reader([heading], delimiter=delimiter))]
    if "reportingdate" not in titles:
        raise NotFetched(State.CHANGED, f"The export {name} has no column of reporting dates any more.")
    day, store = titles.index("reportingdate"), titles.index("store")
    rows = (one for one in lines if one)
    number = 0
    for row in csv.reader(rows, delimiter=delimiter) if heading[:1] == '"' else (one.split(delimiter) for one in rows):
        if len(row) != len(titles):
            raise NotFetched(State.UNREACHABLE, f"The export {name} is cut off.", "Nothing was kept; try again later.")
        if not wanted.takes(row[day][:7], row[store]):
            raise NotFetched(
                State.CHANGED, f"The export {name} holds other lines than those of {wanted}, which were asked for."
            )
        number += 1
    return number
