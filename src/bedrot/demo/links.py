"""What was really visited: each artist's page of links, its links, and who came and clicked on each day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from bedrot.demo.chance import Chance
from bedrot.demo.label import FIRST_DAY, Artist, Label, Recording
from bedrot.demo.writing import days

ICONS = ("instagram", "email_address")
"""The icons below the links."""
_DAY = timedelta(days=1)
_DAY_SECONDS = 86_400
_SHOWN_DAYS = 200
"""Days after which the link of a release is switched off."""
_EARLY_DAYS = 14
"""Days before a release on which its link appears."""


@dataclass(frozen=True)
class Link:
    """One link: `titles` pairs days with what it is called from then on; after `last` it is switched off."""

    number: int
    titles: tuple[tuple[date, str], ...]
    last: date | None
    picture: bool
    weight: int

    @property
    def first(self) -> date:
        """The day on which it was made."""
        return self.titles[0][0]

    def shown(self, day: date) -> bool:
        """Whether a visitor sees it on a day."""
        return self.first <= day and (self.last is None or day <= self.last)

    def title(self, day: date) -> str:
        """What it is called on a day."""
        return [title for first, title in self.titles if first <= day][-1]


@dataclass(frozen=True)
class Visits:
    """One day of a page; `links` and `icons` are the clicks on each, in the order of the page."""

    views: int
    visitors: int
    clickers: int
    links: tuple[tuple[int, int], ...]
    icons: tuple[int, ...]
    subscribed: int

    @property
    def clicks(self) -> int:
        """All clicks of the day; one view may bring several."""
        return sum(clicks for _, clicks in self.links) + sum(self.icons)


class Page:
    """The page of one artist; the service's days are taken for days of UTC."""

    def __init__(self, label: Label, artist: Artist) -> None:
        self.label = label
        self.name = artist.page
        self._recordings = label.of(artist)
        self._chance = (label.seed, "page", artist.page)
        chance = Chance(*self._chance)
        self.number = chance.between(100_000, 900_000)
        self.opened = FIRST_DAY + timedelta(days=chance.between(12, 30))
        self.links = tuple(sorted(self._links(chance), key=lambda one: one.first, reverse=True))
        self._whole: dict[date, Visits] = {}

    def whole(self, day: date) -> Visits:
        """What really happened on a day, when it is over; nothing before the page was opened."""
        if day not in self._whole:
            self._whole[day] = self._visits(day)
        return self._whole[day]

    def known(self, day: date, at: datetime) -> Visits:
        """What had happened of a day until an instant."""
        whole = self.whole(day)
        passed = int((at - datetime.combine(day, time(), UTC)).total_seconds())
        if passed >= _DAY_SECONDS:
            return whole

        def part(number: int) -> int:
            return number * max(passed, 0) // _DAY_SECONDS

        return Visits(
            views=part(whole.views),
            visitors=part(whole.visitors),
            clickers=part(whole.clickers),
            links=tuple((number, part(clicks)) for number, clicks in whole.links),
            icons=tuple(map(part, whole.icons)),
            subscribed=part(whole.subscribed),
        )

    def range(self, first: date, last: date, at: datetime) -> list[tuple[date, Visits]]:
        """All days from one to another as they were known at an instant."""
        return [(day, self.known(day, at)) for day in days(first, last)]

    def _links(self, chance: Chance) -> Iterator[Link]:
        """The links: some for good, and one for each release, renamed when it is out and later switched off."""
        number = chance.between(440_000_000, 449_000_000)
        for title, weight in (("All music", 30), ("Merch", 8), ("Tour dates", 12)):
            number += chance.between(1000, 90_000)
            yield Link(number, ((self.opened, title),), None, chance.happens(500), weight)
        seen = set()
        for recording in self._recordings:
            if recording.upc not in seen:
                seen.add(recording.upc)
                number += chance.between(100_000, 900_000)
                yield self._link(recording, number, chance)

    def _link(self, recording: Recording, number: int, chance: Chance) -> Link:
        """The link of a release."""
        released = max(recording.released, self.opened + _DAY)
        early = max(recording.released - timedelta(days=_EARLY_DAYS), self.opened)
        titles = ((early, f"PRE-SAVE: {recording.title}"), (released, f"OUT NOW: {recording.title}"))
        return Link(number, titles, released + timedelta(days=_SHOWN_DAYS), chance.happens(700), 40)

    def _visits(self, day: date) -> Visits:
        """The visits of a day: more in the weeks after a release, none on some days, clicks for each link."""
        shown = [link for link in self.links if link.shown(day)]
        if day < self.opened or not shown:
            return Visits(0, 0, 0, tuple((link.number, 0) for link in self.links if link.first <= day), (0, 0), 0)
        chance = Chance(*self._chance, day.isoformat())
        ages = [(day - recording.released).days for recording in self._recordings]
        rush = sum(90 * 30 // (30 + 3 * age) for age in ages if 0 <= age < 120)
        views = (6 + rush) * chance.between(0, 180) // 100
        visitors = views * chance.between(55, 95) // 100
        total = sum(link.weight for link in shown)
        clicks = views * chance.between(30, 95) // 100
        per_link = tuple(
            (link.number, clicks * link.weight * chance.between(60, 140) // (100 * total) if link in shown else 0)
            for link in self.links
            if link.first <= day
        )
        icons = tuple(views * chance.between(0, 8) // 100 for _ in ICONS)
        clicked = sum(number for _, number in per_link) + sum(icons)
        clickers = min(visitors, clicked) * chance.between(70, 100) // 100
        return Visits(views, visitors, clickers, per_link, icons, int(views > 20 and chance.happens(80)))


@lru_cache(maxsize=2)
def pages(label: Label) -> tuple[Page, ...]:
    """The page of each artist."""
    return tuple(Page(label, artist) for artist in label.artists)
