"""Linktree's answers: what a person saved of each load of the analytics page, and what must be known after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial

from bedrot.demo import linktree_answers
from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.chance import Chance
from bedrot.demo.label import FIRST_DAY, LAST_DAY, Label
from bedrot.demo.links import Page, Visits, pages
from bedrot.demo.writing import days, one_piece, quotient

SILENT_DAYS = 43
"""Days before the last one on which the page of the last artist was looked at for the last time."""

SILENT = f"a source silent for {SILENT_DAYS} days"
OWNER = "an answer that tells who is logged in"
STALE = "an old answer saved under a newer name"
UNKNOWN = "days of a page that no answer tells"

_COLUMNS = (
    "day", "account", "views", "unique_views", "clicks", "unique_clicks", "ctr", "provisional",
)  # fmt: skip
_DAY = timedelta(days=1)
_YEAR, _WEEK = 365, 7
_LOADS = ((0, True), (5, False), (61, True), (97, False), (150, True), (330, False))
_SILENT_LOADS = ((0, False), (6, False), (20, True), (118, True))
"""Days before the last load of a page, and whether the person chose the last 365 days in it."""
_STALE_LOAD = 97
_STALE_DAYS = 3
"""The load whose answer the browser gave once more some days later, as it had kept it."""


@dataclass(frozen=True)
class _Answer:
    """One answer: its content, when it was saved, and for an overview the days that it tells."""

    page: Page
    at: datetime
    data: linktree_answers.Json
    days: linktree_answers.Days = ()
    verdict: str = "accepted"
    fault: str = ""


def arrivals(label: Label) -> list[Arrival]:
    """All answers that were saved, in the order in which they came."""
    found = [
        Arrival(
            name=f"linktree/{one.page.name}/graphql_{one.at:%Y%m%d_%H%M%S_%f}.json",
            at=one.at,
            write=partial(one_piece, linktree_answers.written, one.data),
            account=one.page.name,
            verdict=one.verdict,
            fault=one.fault,
        )
        for page in pages(label)
        for one in _answers(page)
    ]
    return sorted(found, key=lambda one: (one.at, one.name))


def expected(label: Label) -> list[Expected]:
    """Each day that an overview tells, as the newest has it; one told when over stands before a running one."""
    rows = [
        (day, page.name, one.views, one.visitors, one.clicks, one.clickers, _ctr(one), running)
        for page in pages(label)
        for day, (one, running) in _known(page).items()
    ]
    return [Expected("links_daily", (("source", "linktree"),), _COLUMNS, rows)]


def faults(label: Label) -> list[Fault]:
    """What was planted in the answers of the pages."""
    found = []
    for page in pages(label):
        known = _known(page)
        for first, last in _stretches([day for day in days(page.opened, max(known)) if day not in known]):
            where = f"linktree {page.name}, {first} to {last}"
            found.append(Fault(UNKNOWN, where, (last - first).days + 1, "", "", "not detected yet"))
        if max(known) < LAST_DAY:
            where = f"linktree {page.name}, after {max(known)}"
            found.append(Fault(SILENT, where, SILENT_DAYS, "", "", "bedrot status: data until"))
        stale = [one for one in _answers(page) if one.fault == STALE]
        found += [
            Fault(STALE, f"linktree {page.name}, {one.at:%Y-%m-%d}", 1, "", "", "not detected yet") for one in stale
        ]
    owners = [one for one in arrivals(label) if one.fault == OWNER]
    found.append(Fault(OWNER, f"linktree, files: {len(owners)}", 0, "", "", "bedrot import: private, copied nowhere"))
    return found


def _known(page: Page) -> dict[date, tuple[Visits, bool]]:
    """What is known of each day, and whether it was still running when it was told.

    The last day of an answer counts as running; one saved again later is as old as the end of its last day.
    """
    known: dict[date, tuple[Visits, bool]] = {}
    for answer in sorted((one for one in _answers(page) if one.days), key=_age):
        for day, one in answer.days:
            running = day == answer.days[-1][0]
            if not running or day not in known or known[day][1]:
                known[day] = (one, running)
    return known


def _age(answer: _Answer) -> datetime:
    """The instant that an answer speaks of."""
    end = answer.days[-1][0] + _DAY
    over = datetime.combine(end, time(), UTC) - timedelta(seconds=1)
    return answer.at if answer.at.date() <= end else over


def _stretches(days: list[date]) -> list[tuple[date, date]]:
    """The first and last days of all rows of days that follow each other."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and found[-1][1] + _DAY == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def _ctr(one: Visits) -> Decimal | None:
    """Clicks for each view, with six decimals, halves rounded up; None without views."""
    return Decimal(quotient(one.clicks * 10**6, one.views)).scaleb(-6) if one.views else None


def _answers(page: Page) -> Iterator[_Answer]:
    """All answers of a page that were saved."""
    silent = page.name == page.label.artists[-1].page
    last = LAST_DAY - timedelta(days=SILENT_DAYS) if silent else LAST_DAY
    for before, year in _SILENT_LOADS if silent else _LOADS:
        day = last - timedelta(days=before)
        chance = Chance(page.label.seed, "load", page.name, day.isoformat())
        begin = datetime.combine(day, time(), UTC) + timedelta(
            seconds=chance.between(8 * 3600, 22 * 3600), microseconds=chance.between(0, 999_999)
        )
        yield _Answer(page, begin, linktree_answers.owner(page), verdict="private", fault=OWNER)
        yield from _load(page, begin + timedelta(seconds=2), _WEEK, chance)
        if year and (day - FIRST_DAY).days >= _YEAR - 1:
            yield from _load(page, begin + timedelta(seconds=chance.between(14, 40)), _YEAR, chance)
        at = begin + timedelta(seconds=50, microseconds=chance.between(0, 999_999))
        yield _Answer(page, at, linktree_answers.titles(page, at))
        if before == _STALE_LOAD:
            later = begin + timedelta(days=_STALE_DAYS)
            old = page.range(day - (_WEEK - 1) * _DAY, day, begin + timedelta(seconds=2))
            yield _Answer(page, later, linktree_answers.overview(old), old, fault=STALE)


def _load(page: Page, at: datetime, length: int, chance: Chance) -> Iterator[_Answer]:
    """The answers for one range of days, today included, within a second or two."""
    first = at.date() - (length - 1) * _DAY
    asked = page.range(first, at.date(), at)
    ever = page.range(page.opened, at.date(), at)
    lifetime = sum(one.views for _, one in ever)
    before = sum(one.subscribed for day, one in ever if day < first)

    def then() -> datetime:
        return at + timedelta(microseconds=chance.between(0, 1_900_000))

    yield _Answer(page, at, linktree_answers.overview(asked), asked)
    yield _Answer(page, then(), linktree_answers.links(page, asked, lifetime))
    if length == _WEEK:
        yield _Answer(page, then(), linktree_answers.subscribers(asked, before))
    yield _Answer(page, then(), linktree_answers.places(page, asked, ever))
