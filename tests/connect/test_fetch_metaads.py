"""Meta Ads over a real socket: what is fetched is the truth, what fails keeps nothing, and nobody is asked in vain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from asking import Asking
from meta_portal import MetaAds
from portal import Clock, Portal

from bedrot.demo.ads import ACCOUNT, advertising
from bedrot.demo.label import invent
from bedrot.demo.meta_campaigns import local
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current

LABEL = invent(7)
NOON = datetime(2025, 3, 20, 18, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def service() -> MetaAds:
    return MetaAds(LABEL)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def portal(service: MetaAds, clock: Clock) -> Iterator[Portal]:
    with Portal(service, clock) as running:
        yield running


@pytest.fixture
def asking(tmp_path: Path, portal: Portal) -> Asking:
    made = Asking(tmp_path, "metaads", ACCOUNT, portal.url)
    made.log_in(portal.people["owner"].token, NOON - DAY)
    return made


def truth(now: datetime) -> set[tuple[object, ...]]:
    """Every ad and day up to yesterday by the account's clock, as it was known at an instant."""
    ads = advertising(LABEL)
    found: set[tuple[object, ...]] = set()
    day = date(2024, 9, 1)
    while day < local(now).date():
        for campaign, adset, ad in ads.ads():
            if told := ads.known(campaign, adset, ad, day, now):
                found.add((day, ad.id, Decimal(told.spend).scaleb(-2), told.impressions, told.clicks))
        day += DAY
    return found


def known(asking: Asking) -> set[tuple[object, ...]]:
    snapshot = current(asking.lake)
    assert snapshot is not None
    with open_snapshot(asking.lake, snapshot) as con:
        return set(con.execute("SELECT day, ad_id, spend, impressions, clicks FROM ads_daily").fetchall())


def test_what_is_fetched_and_walked_is_the_truth(asking: Asking, portal: Portal) -> None:
    standing = asking.fetch(NOON)
    assert (standing.state, standing.sentence) == ("provisional", "")
    assert standing.last == date(2025, 3, 19)
    summary = asking.walk(NOON)
    assert (summary.rejected, summary.held, summary.failed) == (0, 0, [])
    assert known(asking) == truth(NOON)
    assert len(truth(NOON)) > 40
    assert standing.requests == len(portal.requests) < 20
