"""What was really advertised: campaigns and their ads, what each ad cost and brought a day, and what was known when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache

from bedrot.demo.chance import Chance
from bedrot.demo.label import LAST_DAY, Label
from bedrot.demo.meta_campaigns import PLANS, Ad, AdSet, Campaign, campaign_of, local
from bedrot.demo.writing import days

ACCOUNT = "1046570229599075"
"""The number of the label's ad account."""

SETTLED_DAYS = 28
"""Days for which conversions are still booked back on a day."""
_DAY_SECONDS = 86_400

_LATE = ((28, 1000), (21, 992), (14, 978), (7, 951), (3, 914), (1, 868), (0, 820))
"""After so many days, so many thousandths of what people did after an ad are booked."""


@dataclass(frozen=True)
class Effect:
    """What a campaign brings: plays of a recording that would not have been without it, by day; none where it is idle.

    The plays are over all stores and countries.
    """

    campaign: Campaign
    plays: tuple[tuple[date, int], ...]


@dataclass(frozen=True)
class Figures:
    """What is said of one ad and day, or of more of them added; money in cents, `worth` is what purchases brought."""

    spend: int = 0
    impressions: int = 0
    clicks: int = 0
    reach: int = 0
    links: int = 0
    engagements: int = 0
    contents: int = 0
    by_view: int = 0
    customs: int = 0
    worth: int = 0


class Advertising:
    """All that a label advertised, in one ad account."""

    def __init__(self, label: Label) -> None:
        self.label = label
        ordered = sorted(label.recordings, key=lambda one: (one.released, one.number))
        step = len(ordered) // len(PLANS)
        self.campaigns = tuple(campaign_of(label, number, ordered[number * step]) for number in range(len(PLANS)))
        self._whole: dict[tuple[str, date], Figures | None] = {}

    def ads(self) -> Iterator[tuple[Campaign, AdSet, Ad]]:
        """All ads with what they belong to."""
        for campaign in self.campaigns:
            for adset in campaign.adsets:
                for ad in adset.ads:
                    yield campaign, adset, ad

    def whole(self, campaign: Campaign, adset: AdSet, ad: Ad, day: date) -> Figures | None:
        """What an ad really cost and brought on a day, when all is booked; None where it was not shown."""
        if (ad.id, day) not in self._whole:
            shown = _shown(campaign, adset, ad, day)
            self._whole[ad.id, day] = _figures(self.label.seed, adset, ad, day) if shown else None
        return self._whole[ad.id, day]

    def known(self, campaign: Campaign, adset: AdSet, ad: Ad, day: date, at: datetime) -> Figures | None:
        """What was known of an ad and day at an instant; None where there was nothing yet to tell."""
        whole = self.whole(campaign, adset, ad, day)
        passed = min(
            int((local(at).replace(tzinfo=None) - datetime.combine(day, time())).total_seconds()), _DAY_SECONDS
        )
        if whole is None or passed <= 0:
            return None
        age = (local(at).date() - day).days
        # What is shown at first is a little less, or a little more, than what stands when false clicks are taken out.
        first = Chance(self.label.seed, "first told", ad.id, day.isoformat()).between(972, 1006)
        shown = 1000 if age > 3 else first + (1000 - first) * max(age - 1, 0) // 3
        late = next(part for days, part in _LATE if age >= days)

        def part(number: int, thousandths: int) -> int:
            return number * thousandths * passed // (1000 * _DAY_SECONDS)

        return Figures(
            spend=part(whole.spend, shown),
            impressions=part(whole.impressions, shown),
            clicks=part(whole.clicks, shown),
            reach=part(whole.reach, shown),
            links=part(whole.links, late),
            engagements=part(whole.engagements, late),
            contents=part(whole.contents, late),
            by_view=part(whole.by_view, late),
            customs=part(whole.customs, late),
            worth=whole.worth if age >= 7 else 0,
        )


@lru_cache(maxsize=2)
def advertising(label: Label) -> Advertising:
    """All that a label advertised, worked out once."""
    return Advertising(label)


@lru_cache(maxsize=2)
def effect(label: Label) -> tuple[Effect, ...]:
    """What each campaign of a label brings; one of them spends money and brings nothing."""
    truth = advertising(label)
    found = []
    for campaign in truth.campaigns:
        plays: dict[date, int] = {}
        for _, adset, ad in (one for one in truth.ads() if one[0] == campaign):
            for day in days(campaign.first, min(campaign.last, LAST_DAY)):
                whole = truth.whole(campaign, adset, ad, day)
                plays[day] = plays.get(day, 0) + (whole.links * campaign.brings if whole else 0)
        brought = tuple((day, number // 100) for day, number in sorted(plays.items()) if campaign.brings)
        found.append(Effect(campaign, brought))
    return tuple(found)


def added(figures: list[Figures], reached: int) -> Figures:
    """Figures of several ads or days together; people are met again, so that reach is only `reached` thousandths."""
    return Figures(
        spend=sum(one.spend for one in figures),
        impressions=sum(one.impressions for one in figures),
        clicks=sum(one.clicks for one in figures),
        reach=sum(one.reach for one in figures) * reached // 1000,
    )


def _shown(campaign: Campaign, adset: AdSet, ad: Ad, day: date) -> bool:
    """Whether an ad was running on a day; that on which something is paused is the last one."""
    ends = [campaign.last, *(local(end).date() for end in (adset.paused, ad.paused, ad.archived) if end)]
    return campaign.first <= day <= min(ends)


def _figures(seed: int, adset: AdSet, ad: Ad, day: date) -> Figures | None:
    """What an ad cost and brought on a day on which it was running; on few days it is not shown to anybody."""
    chance = Chance(seed, "ad day", ad.id, day.isoformat())
    if chance.happens(40):
        return None
    raised = adset.raised is not None and day > local(adset.raised[0]).date()
    budget = adset.raised[1] if adset.raised and raised else adset.budget
    spend = budget * ad.weight * chance.between(84, 104) // 100_000
    impressions = spend * 1000 // chance.between(250, 420)
    clicks = impressions * chance.between(3, 21) // 1000
    # On some days people click on the picture or the name only, so that there is no action to tell.
    links = 0 if chance.happens(60) else clicks * chance.between(60, 88) // 100
    contents = links * chance.between(8, 35) // 100
    return Figures(
        spend=spend,
        impressions=impressions,
        clicks=clicks,
        reach=impressions * 1000 // chance.between(1030, 1090),
        links=links,
        engagements=links + impressions * chance.between(8, 30) // 1000,
        contents=contents,
        by_view=contents * chance.between(0, 40) // 100,
        customs=contents * chance.between(40, 100) // 100,
        worth=1999 if contents and chance.happens(60) else 0,
    )
