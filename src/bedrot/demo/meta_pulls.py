"""When somebody asked for the figures of the ads, for which days, and which rows the answers hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from bedrot.demo.ads import Advertising, Figures
from bedrot.demo.chance import Chance
from bedrot.demo.meta_campaigns import Ad, AdSet, Campaign, local
from bedrot.demo.writing import days

PAGE = 30
"""Rows of one page."""


@dataclass(frozen=True)
class Pull:
    """One question for daily figures by ad: when, for which days, and by which way.

    `age` is the instant that the answer is known to be of: the export of Ads Manager tells only its last day. `moved`
    marks an answer whose list moved while it was paged through; `again` one whose files were given a second time.
    """

    at: datetime
    first: date
    last: date
    by_hand: bool = False
    moved: bool = False
    again: bool = False

    @property
    def age(self) -> datetime:
        """The instant that decides which answer is newer."""
        return datetime.combine(self.last, time(), UTC) if self.by_hand else self.at


@dataclass(frozen=True)
class Told:
    """One ad and day as one answer tells it."""

    campaign: Campaign
    adset: AdSet
    ad: Ad
    day: date
    figures: Figures


_PULLS = (
    (0, 4, 28), (0, 13, 28), (0, 22, 28), (0, 52, 60),
    (1, 6, 28), (1, 44, 28),
    (2, 8, 28), (2, 19, 28), (2, 26, 28), (2, 56, 60),
    (3, 5, 28), (3, 38, 28), (3, 44, 28),
    (4, 3, 28), (4, 9, 14), (4, 15, 28), (4, 21, 28), (4, 24, 28),
)  # fmt: skip
"""Campaign, days after its first day, and how many days back: the second campaign was forgotten for five weeks."""
_AGAIN = (2, 19)
_MOVED = (2, 26)
_BY_HAND = (3, 16)
FAILED = (3, 12)
"""The campaign and its day on which the log-in had ended, so that the days were exported by hand some days later."""
EMPTY = (2, 90)
"""A day on which nothing had been advertised for weeks."""
DUMPS = ((1, 16), (1, 36), (3, 24), (4, 22))
CAMPAIGN_LEVEL = (3, 45)


def pulls(truth: Advertising) -> list[Pull]:
    """All questions for daily figures, in the order in which they were asked."""
    found = []
    for number, after, back in _PULLS:
        at = moment(truth, number, after)
        last = local(at).date()
        where = (number, after)
        found.append(Pull(at, last - timedelta(days=back - 1), last, moved=where == _MOVED, again=where == _AGAIN))
    at = moment(truth, *_BY_HAND)
    found.append(Pull(at, truth.campaigns[_BY_HAND[0]].first, local(at).date() - timedelta(days=1), by_hand=True))
    return sorted(found, key=lambda one: one.at)


def moment(truth: Advertising, number: int, after: int) -> datetime:
    """A moment of a working day, so many days after the first one of a campaign."""
    chance = Chance(truth.label.seed, "asked", number, after)
    day = truth.campaigns[number].first + timedelta(days=after)
    return datetime.combine(day, time(), UTC) + timedelta(seconds=chance.between(15 * 3600, 20 * 3600))


def told(truth: Advertising, pull: Pull) -> Iterator[Told]:
    """The rows of an answer: ads that are not archived, on days on which they were shown to somebody."""
    for campaign, adset, ad in truth.ads():
        if ad.made > pull.at or (ad.archived and ad.archived <= pull.at):
            continue
        for day in days(max(pull.first, campaign.first), min(pull.last, campaign.last)):
            figures = truth.known(campaign, adset, ad, day, pull.at)
            if figures and figures.impressions:
                yield Told(campaign, adset, ad, day, figures)


def pages(rows: list[Told], *, moved: bool) -> list[list[Told]]:
    """The rows page by page; where the list moved, each page begins with the last row of the one before."""
    found = [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]
    if moved:
        found = [page if not at else [found[at - 1][-1], *page] for at, page in enumerate(found)]
    return found
