"""What a guide is: the steps by which a person gets the files of a source with their own browser, and which are due."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bedrot.contract import Merge, Source
from bedrot.errors import Defect

if TYPE_CHECKING:
    from bedrot.lake.ledger import Ledger
    from bedrot.walk.accept import Outcome


class Mark(StrEnum):
    """How something is known: seen in real files, shown as real, in a test, in code only, told by a page, inferred."""

    REAL = "R"
    SHOWN = "N"
    FIXTURE = "F"
    CODE = "C"
    DOCUMENT = "D"
    INFERRED = "I"

    @property
    def words(self) -> str:
        """The mark as a person reads it."""
        return _WORDS[self]


_WORDS = {
    Mark.REAL: "seen in real files",
    Mark.SHOWN: "shown by others as theirs",
    Mark.FIXTURE: "seen in tests of others",
    Mark.CODE: "seen in programs of others",
    Mark.DOCUMENT: "told by a help page",
    Mark.INFERRED: "inferred",
}


class Keeps(StrEnum):
    """What a service still shows of earlier days: a window, this calendar year, only how it is now, all, unknown.

    How long the window is says the source.
    """

    WINDOW = "window"
    YEAR = "year"
    NOW = "now"
    ALL = "all"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do in the browser: the page, what to press there in the service's own words, what it brings.

    A file of any of `feeds` ticks it; `every` is after how many days it is worth doing again; `marks` and `known` say
    how sure it is that the page is as told here.
    """

    id: str
    title: str
    page: str
    press: tuple[str, ...]
    feeds: tuple[str, ...]
    every: int
    marks: tuple[Mark, ...]
    known: str
    keeps: Keeps = Keeps.WINDOW

    def __post_init__(self) -> None:
        if not self.page.startswith("https://") or not (self.press and self.feeds and self.marks and self.known):
            raise Defect(f"The step '{self.id}' of a guide lacks a page, what to press, its feeds or its evidence.")
        if self.every < 1:
            raise Defect(f"The step '{self.id}' of a guide must be worth doing after a day at the earliest.")


@dataclass(frozen=True, slots=True)
class Guide:
    """The steps of one source in the order in which a person takes them; `note` is told before the first."""

    steps: tuple[Step, ...]
    note: str = ""

    def __post_init__(self) -> None:
        if len({one.id for one in self.steps}) < len(self.steps) or not self.steps:
            raise Defect("A guide has no step, or two of the same name.")


def guide_of(source: Source) -> Guide | None:
    """The guide in the source's folder, `connect_guide.py`; None where there is none. Defect where it fits not."""
    name = f"bedrot.sources.{source.name}.connect_guide"
    if importlib.util.find_spec(name) is None:
        return None
    found = importlib.import_module(name).GUIDE
    if not isinstance(found, Guide):
        raise Defect(f"The file sources/{source.name}/connect_guide.py must offer GUIDE, a Guide.")
    strange = {feed for step in found.steps for feed in step.feeds} - {feed.name for feed in source.feeds}
    if strange:
        raise Defect(f"The guide of {source.name} names feeds that there are not: {', '.join(sorted(strange))}.")
    return found


@dataclass(frozen=True, slots=True)
class Task:
    """One step for one account; a blank account stands for whichever there is."""

    source: Source
    step: Step
    account: str = ""

    @property
    def label(self) -> str:
        """What it is called in a list."""
        return f"{self.source.title}, {self.step.title}" + (f" ({self.account})" if self.account else "")

    def ticked_by(self, outcome: Outcome) -> bool:
        """Whether a file that came was the one that this step is for."""
        known = outcome.verdict in ("accepted", "repeat") and outcome.feed in self.step.feeds
        return known and self.account in ("", outcome.account)


def tasks_of(guides: Sequence[tuple[Source, Guide]], accounts: Mapping[str, Sequence[str]]) -> list[Task]:
    """The steps of the guides in their order, each for each account that is known of its source."""
    return [
        Task(source, step, account)
        for source, guide in guides
        for account in accounts.get(source.name) or ("",)
        for step in guide.steps
    ]


def due(task: Task, ledger: Ledger, now: datetime) -> bool:
    """Whether a step is worth doing: nothing of it came since so many days as it says."""
    mine = {
        one.id: one.received_at
        for one in ledger.deliveries()
        if one.feed in task.step.feeds and task.account in ("", one.account)
    }
    came = [*mine.values(), *(one.at for one in ledger.sightings() if one.delivery in mine)]
    return not came or now - max(came) >= timedelta(days=task.step.every)


def newest_day(task: Task, ledger: Ledger) -> date | None:
    """The last day in the tables of what a step brings; None where no run has read any yet."""
    deliveries = {
        one.id for one in ledger.deliveries() if one.feed in task.step.feeds and task.account in ("", one.account)
    }
    dated = {
        table.name
        for feed in task.source.feeds
        for table in feed.tables
        if feed.name in task.step.feeds and table.merge is not Merge.SNAPSHOTS
    }
    days = [one.until[:10] for one in ledger.staged()
            if one.until and one.table in dated and one.delivery in deliveries]  # fmt: skip
    return date.fromisoformat(max(days)) if days else None


def forgets(source: Source, keeps: Keeps, newest: date | None, today: date) -> str:
    """A sentence on what the service forgets if a step is left; `newest` is the last day that the lake knows of it."""
    have = f"The lake knows it until {newest}." if newest else "The lake knows no day of it yet."
    if keeps is Keeps.NOW:
        return f"{have} {source.title} shows only how it is now: a day without a download stays unknown."
    if keeps is Keeps.UNKNOWN:
        return f"{have} How long {source.title} keeps it is not known."
    if keeps is Keeps.YEAR:
        return f"{have} {_of_the_year(source.title, newest, today)}"
    days = source.remembers.days
    if keeps is Keeps.ALL or days is None:
        return f"{have} No end is known of what {source.title} keeps of it."
    return f"{have} {_of_the_window(source.title, newest, today, days)}"


def _of_the_year(title: str, newest: date | None, today: date) -> str:
    """What is forgotten where a service shows the calendar year so far."""
    end = f"on {today.year + 1}-01-01 it forgets the days of {today.year}"
    if newest is not None and newest < date(today.year - 1, 12, 31):
        gone = f"{newest + timedelta(days=1)} to {today.year - 1}-12-31"
        return f"As far as is known, {title} shows this year only: {gone} is forgotten there already, and {end}."
    return f"As far as is known, {title} shows this year only: {end}."


def _of_the_window(title: str, newest: date | None, today: date, days: int) -> str:
    """What is forgotten where a service shows so many days back from today."""
    oldest = today - timedelta(days=days)
    shows = f"As far as is known, {title} shows {days} days"
    if newest is None:
        return f"{shows}: what was before {oldest} is gone, and one day more each day."
    missing = newest + timedelta(days=1)
    if missing < oldest:
        gone = f"{missing} to {oldest - timedelta(days=1)}"
        return f"{shows}: {gone} is forgotten there already, and one day more each day."
    return f"{shows}: if it is left, {missing} is forgotten there on {missing + timedelta(days=days + 1)}."
