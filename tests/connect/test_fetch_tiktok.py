"""TikTok through a real browser: each account's downloads are fetched with its own log-in, and are the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tiktok_portal
from asking import Asking
from portal import Answer, Asked, Clock, Faults, Portal
from tiktok_portal import FILE, TikTok
from vault_looks import traced_below

from bedrot.config import AccountRule, Connect, Settings
from bedrot.connect.browser import Download
from bedrot.connect.states import NotFetched, State
from bedrot.connect.web import Limits
from bedrot.demo import tiktok_tables as tables
from bedrot.demo.label import Artist, invent
from bedrot.demo.social import account as account_of
from bedrot.demo.tiktok_tables import Export
from bedrot.lake.ledger import Ledger, Standing
from bedrot.sources.tiktok.connect_proof import Proof, prove, prove_together

LABEL = invent(7, 3)
NOVA, MARA, PALE = LABEL.artists
NOW = datetime(2025, 6, 17, 17, 2, 24, tzinfo=UTC)
DAY = timedelta(days=1)
LIMITS = Limits(seconds=40)
QUICK, SHORT = Limits(seconds=10), Limits(seconds=6)
MOST_REQUESTS = 5
"""The page, and the download of each of its four tabs."""


@dataclass
class Accounts(Asking):
    """A lake that asks for several accounts, each with a log-in of its own."""

    names: tuple[str, ...] = ("nova.tides", "mara.quell")
    artists: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        rules = tuple(AccountRule(self.source, name, self.artists.get(name)) for name in self.names)
        return Settings(account=rules, connect={self.source: Connect(places={"www.tiktok.com": self.url})})

    def logged_in(self, portal: Portal, account: str, at: datetime, whose: str = "") -> None:
        self.account = account
        self.cookie(portal, at, whose or account)

    def fetch_of(self, account: str, now: datetime) -> Standing:
        self.account = account
        return self.fetch(now)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def portal(clock: Clock) -> Iterator[Portal]:
    with Portal(TikTok(LABEL), clock) as running:
        yield running


@pytest.fixture
def asking(tmp_path: Path, portal: Portal) -> Accounts:
    return Accounts(tmp_path, "tiktok", "nova.tides", portal.url, LIMITS)


def report(asking: Accounts) -> str:
    """What is to be done about a page that has changed, its newest capture named."""
    newest = max(asking.lake.captures.iterdir())
    return (
        f"Send with a report how it looked, without names and secrets: captures/{newest.name}."
        " Until it is mended: bedrot collect tiktok."
    )


def social(asking: Accounts) -> list[tuple[Any, ...]]:
    return asking.rows(
        "SELECT account, day, views, profile_views, likes, comments, shares, followers, new_followers FROM social_daily"
        " WHERE source = 'tiktok' ORDER BY ALL",
    )


def days_of(artist: Artist, now: datetime, days: int = 365) -> list[date]:
    return Export(artist, "", "Overview", now, days).dates


def truth(artist: Artist, name: str, days: list[date]) -> list[tuple[Any, ...]]:
    whose, found = account_of(LABEL, artist), []
    for day in sorted(days):
        one = whose.day(day)
        before = whose.day(day - DAY).followers if day - DAY in days else None
        change = None if one.followers is None or before is None else one.followers - before
        seen = (one.counts.views, one.profile_views, one.counts.likes, one.counts.comments, one.counts.shares)
        found.append((name, day, *seen, one.followers, change))
    return found


def deliveries(asking: Accounts) -> int:
    with Ledger(asking.lake.ledger_path) as ledger:
        return len(ledger.deliveries())


def staged(asking: Accounts, name: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the staging tables hold of an account, beside the days of social_daily."""
    asked = {
        "viewers": "date, total_viewers, new_viewers, returning_viewers",
        "follower_activity": "date, hour, active_followers",
        "follower_gender": "gender, share",
        "follower_territories": "territory, share",
        "content": "link, title, views, likes, comments, shares",
    }
    return {
        table: asking.rows(f"SELECT {columns} FROM staging.tiktok_{table} WHERE account = '{name}' ORDER BY ALL")
        for table, columns in asked.items()
    }


def staged_truth(export: Export) -> dict[str, list[tuple[Any, ...]]]:
    whose = account_of(LABEL, export.artist)
    viewers: list[tuple[Any, ...]] = []
    for day in map(whose.day, export.dates):
        seen, new = day.viewers, day.new_viewers
        viewers.append((day.day, *((None,) * 3 if seen is None else (seen, new, seen - new))))
    hours = [(day, hour) for day in export.dates[-7:] for hour in range(24)]
    known = [one for one in hours if one < (export.last, export.at.hour)]
    return {
        "viewers": viewers,
        "follower_activity": [(*one, whose.active(*one) if one in known else None) for one in hours],
        "follower_gender": sorted((one[0], Decimal(str(one[1]))) for one in tables.gender(LABEL, export)),
        "follower_territories": sorted((one[0], Decimal(str(one[1]))) for one in tables.territories(LABEL, export)),
        "content": sorted((one[2], one[1], one[7], *one[4:7]) for one in tables.content(LABEL, export)),
    }


def test_two_people_log_in_once_and_what_comes_is_the_truth(asking: Accounts, portal: Portal, tmp_path: Path) -> None:
    asking.person(portal, NOW - DAY, "nova.tides")
    portal.faults.second_factor = True
    asking.account = "mara.quell"
    asking.person(portal, NOW - DAY, "mara.quell", portal.people["mara.quell"].code)
    for account in asking.names:
        before = len(portal.requests)
        standing = asking.fetch_of(account, NOW)
        assert (standing.state, standing.sentence) == ("provisional", "")
        assert (standing.first, standing.last) == (date(2024, 6, 17), date(2025, 6, 16))
        asked = portal.requests[before:]
        assert standing.requests == len(asked) == MOST_REQUESTS
        assert {one.person for one in asked} == {account}
        assert [one.query for one in asked if one.path == FILE] == [
            {"tab": tab, "days": "365", "type": "csv"} for tab in ("Overview", "Viewers", "Followers", "Content")
        ]
    asking.walk(NOW)
    days = days_of(MARA, NOW)
    assert social(asking) == truth(MARA, "mara.quell", days) + truth(NOVA, "nova.tides", days)
    for artist, name in ((NOVA, "nova.tides"), (MARA, "mara.quell")):
        assert staged(asking, name) == staged_truth(Export(artist, name, "", NOW, 365))
    asking.vault.remove("tiktok", "mara.quell")
    assert (asking.fetch_of("mara.quell", NOW).state, asking.fetch_of("mara.quell", NOW).requests) == ("expired", 0)
    again = asking.fetch_of("nova.tides", NOW)
    assert (again.state, again.requests) == ("provisional", 1)
    assert again.sentence.startswith("All days until 2025-06-16 came already")
    assert deliveries(asking) == 8
    secrets = [one.encode() for one in portal.secrets()]
    kept = asking.vault.get("tiktok", "nova.tides")
    assert kept
    assert any(one in kept.secret for one in secrets)
    assert traced_below(tmp_path, *secrets) == []


@pytest.mark.slow
def test_a_year_later_the_days_go_on(asking: Accounts, portal: Portal, clock: Clock) -> None:
    asking.names = ("pale.harbour",)
    days: list[date] = []
    for now in (datetime(2025, 3, 1, 18, tzinfo=UTC), datetime(2026, 3, 1, 18, tzinfo=UTC)):
        clock.now = now
        asking.logged_in(portal, "pale.harbour", now)
        standing = asking.fetch_of("pale.harbour", now)
        assert (standing.state, standing.last) == ("provisional", now.date() - DAY)
        asking.walk(now)
        days += days_of(PALE, now)
    assert len(days) == len(set(days)) == 730
    assert social(asking) == truth(PALE, "pale.harbour", days)


@pytest.mark.slow
def test_a_personal_account_becomes_a_business_account(asking: Accounts, portal: Portal, clock: Clock) -> None:
    days: list[date] = []
    for now, requests in ((NOW, MOST_REQUESTS), (datetime(2026, 3, 8, 19, 20, 44, tzinfo=UTC), MOST_REQUESTS - 1)):
        clock.now = now
        asking.logged_in(portal, "mara.quell", now)
        standing = asking.fetch_of("mara.quell", now)
        assert (standing.state, standing.requests) == ("provisional", requests)
        assert standing.first == now.date() - 365 * DAY
        asking.walk(now)
        days += days_of(MARA, now)
    assert len(set(days)) < len(days)
    assert social(asking) == truth(MARA, "mara.quell", sorted(set(days)))
    export = Export(MARA, "mara.quell", "", clock.now, 365)
    videos = [(one[1], int(str(one[3]))) for one in tables.business_content(LABEL, export)]
    found = asking.rows("SELECT link, views FROM staging.tiktok_content WHERE favorites IS NOT NULL ORDER BY ALL")
    assert found == sorted(videos)


@pytest.mark.slow
def test_a_renamed_account_is_another_one_until_it_is_told(asking: Accounts, portal: Portal, clock: Clock) -> None:
    clock.now = now = datetime(2025, 11, 2, 18, tzinfo=UTC)
    asking.limits = QUICK
    asking.logged_in(portal, "nova.tides", now - DAY)
    standing = asking.fetch_of("nova.tides", now)
    assert (standing.state, standing.requests) == ("wrong account", 1)
    assert standing.sentence == "The log-in opens the account nova.tides.music, not nova.tides."
    assert "[[account]] with the name nova.tides.music" in standing.do
    assert asking.fetch_of("nova.tides", now + DAY).requests == 0
    asking.names = ("nova.tides", "nova.tides.music")
    asking.artists = dict.fromkeys(asking.names, NOVA.name)
    asking.logged_in(portal, "nova.tides.music", now)
    assert asking.fetch_of("nova.tides.music", now).state == "provisional"
    asking.walk(now)
    assert social(asking) == truth(NOVA, "nova.tides.music", days_of(NOVA, now))
    assert asking.rows("SELECT DISTINCT artist FROM social_daily") == [(NOVA.name,)]


def test_the_log_in_of_one_account_is_of_no_use_for_another(asking: Accounts, portal: Portal) -> None:
    asking.limits = QUICK
    asking.logged_in(portal, "nova.tides", NOW - DAY, whose="mara.quell")
    standing = asking.fetch_of("nova.tides", NOW)
    assert (standing.state, standing.sentence) == (
        "wrong account",
        "The log-in opens the account mara.quell, not nova.tides.",
    )
    assert not [one for one in portal.requests if one.path == FILE]


@pytest.mark.slow
def test_days_that_have_not_come_yet_are_not_called_fresh(asking: Accounts, portal: Portal, clock: Clock) -> None:
    told = []
    asking.logged_in(portal, "nova.tides", NOW - DAY)
    for hour, minute in ((10, 0), (14, 59), (15, 30), (16, 0)):
        clock.now = now = NOW.replace(hour=hour, minute=minute)
        standing = asking.fetch_of("nova.tides", now)
        told.append((standing.state, standing.requests, standing.last and standing.last.day))
    assert told == [("provisional", 5, 15), ("provisional", 1, None), ("no data yet", 5, 15), ("provisional", 5, 16)]
    clock.now = NOW - 2 * DAY
    stale = asking.fetch_of("nova.tides", NOW + DAY)
    assert stale.state == "unreachable"
    assert stale.sentence == "TikTok gave days until 2025-06-14 only, and had given them until 2025-06-16 before."
    portal.faults.empty_account, asking.limits = True, QUICK
    emptied = asking.fetch_of("nova.tides", NOW + DAY)
    assert (emptied.state, emptied.do) == ("portal changed", report(asking))
    asking.walk(NOW)
    assert social(asking) == truth(NOVA, "nova.tides", [*days_of(NOVA, NOW.replace(hour=10)), date(2025, 6, 16)])


@pytest.mark.slow
def test_without_365_days_the_longest_range_is_taken(
    asking: Accounts, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiktok_portal, "DAYS", (7, 28, 60))
    asking.logged_in(portal, "nova.tides", NOW - DAY)
    standing = asking.fetch_of("nova.tides", NOW)
    assert (standing.state, standing.first, standing.last) == ("provisional", date(2025, 4, 18), date(2025, 6, 16))
    assert {one.query["days"] for one in portal.requests if one.path == FILE} == {"60"}
    asking.walk(NOW)
    assert social(asking) == truth(NOVA, "nova.tides", days_of(NOVA, NOW, 60))


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "captcha": ({"captcha": True}, "challenged"),
    "redirect_loop": ({"redirect_loop": True}, "portal changed"),
    "throttled": ({"throttled": 9}, "throttled"),
    "throttled at a file": ({"throttled": 9, "only": FILE}, "throttled"),
    "broken": ({"broken": 9}, "unreachable"),
    "broken at a file": ({"broken": 9, "only": FILE}, "unreachable"),
    "half_body": ({"half_body": True}, "unreachable"),
    "slow": ({"slow": True}, "unreachable"),
    "renamed_field": ({"renamed_field": True}, "portal changed"),
    "moved_button": ({"moved_button": True}, "portal changed"),
    "empty_account": ({"empty_account": True}, "no data yet"),
    "wrong_account": ({"wrong_account": True}, "wrong account"),
    "maintenance": ({"maintenance": True}, "portal changed"),
    "forbidden": ({"forbidden": True}, "forbidden"),
}


def test_all_that_can_go_wrong_is_tried() -> None:
    elsewhere = {"second_factor", "expires_after", "retry_after", "only"}
    assert {one.name for one in fields(Faults)} - elsewhere == {name for name in FAULTS if " " not in name}


QUICKLY = ("captcha", "renamed_field", "empty_account")


@pytest.mark.parametrize(
    "fault", [pytest.param(one, marks=() if one in QUICKLY else pytest.mark.slow) for one in FAULTS]
)
def test_each_fault_ends_in_its_state_and_keeps_nothing(
    asking: Accounts, portal: Portal, fault: str, tmp_path: Path
) -> None:
    asking.logged_in(portal, "nova.tides", NOW - DAY)
    wrong, state = FAULTS[fault]
    for name, value in wrong.items():
        setattr(portal.faults, name, value)
    asking.limits = SHORT if fault == "slow" else QUICK
    before = len(portal.requests)
    standing = asking.fetch_of("nova.tides", NOW)
    assert standing.state == state, standing.sentence
    assert standing.sentence
    sent = [one for one in portal.requests[before:] if one.path != "/favicon.ico"]
    # Chromium by itself asks five times more for a file that broke off, and follows twenty redirects.
    assert len(sent) <= {"redirect_loop": 22, "half_body": 7}.get(fault, 2)
    assert deliveries(asking) == 0
    assert traced_below(tmp_path, *(one.encode() for one in portal.secrets())) == []


@pytest.mark.parametrize(
    "after", [pytest.param(one, marks=() if one == 3 else pytest.mark.slow) for one in range(MOST_REQUESTS)]
)
def test_a_log_in_that_ends_in_the_middle_leaves_nothing_and_the_next_one_completes(
    asking: Accounts, portal: Portal, after: int
) -> None:
    asking.logged_in(portal, "nova.tides", NOW - DAY)
    portal.faults.expires_after = 1 + after  # the page that the log-in led to was the first
    standing = asking.fetch_of("nova.tides", NOW)
    sent = after + 1 if after else 2  # instead of the page there comes the log-in
    assert (standing.state, standing.requests) == ("expired", sent)
    seen = len(portal.requests)
    again = asking.fetch_of("nova.tides", NOW + 2 * DAY)
    assert (again.state, again.requests) == ("expired", 0)
    assert len(portal.requests) == seen
    assert deliveries(asking) == 0
    asking.walk(NOW)
    assert social(asking) == []
    portal.faults.expires_after = None
    asking.logged_in(portal, "nova.tides", NOW + timedelta(minutes=5))
    assert asking.fetch_of("nova.tides", NOW + timedelta(minutes=6)).state == "provisional"
    asking.walk(NOW)
    assert deliveries(asking) == 4
    assert social(asking) == truth(NOVA, "nova.tides", days_of(NOVA, NOW))


class Spanish(TikTok):
    """The same page for somebody who reads Spanish."""

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        found = super().data(asked, now, faults)
        if found is None or not found.kind.startswith("text/html"):
            return found
        body = found.body.replace(b'lang="en"', b'lang="es"').replace(b"Overview", b"Resumen")
        return replace(found, body=body)


@pytest.mark.slow
def test_a_page_in_another_language_is_said_to_be_one(tmp_path: Path, clock: Clock) -> None:
    with Portal(Spanish(LABEL), clock) as portal:
        asking = Accounts(tmp_path, "tiktok", "nova.tides", portal.url, QUICK)
        asking.logged_in(portal, "nova.tides", NOW - DAY)
        standing = asking.fetch_of("nova.tides", NOW)
    english = "Set TikTok to English, then fetch again."
    assert (standing.state, standing.do) == ("portal changed", f"{english} {report(asking)}")
    assert "('es')" in standing.sentence


def gives(folder: Path, kind: str, *, days: int = 365, artist: Artist = NOVA, form: str = "zip") -> Download:
    """A download as it lies in the browser's own folder, under a name of the browser."""
    name, content = tiktok_portal.download(LABEL, Export(artist, artist.handles[0], kind, NOW, days, form=form))
    (folder / "4711").write_bytes(content)
    return Download(name, folder / "4711")


def test_the_days_of_a_download_are_proven(tmp_path: Path) -> None:
    proof = prove(gives(tmp_path, "Overview"), "Overview", "nova.tides", 365)
    assert proof == Proof("tiktok.overview", date(2024, 6, 17), date(2025, 6, 16))
    business = gives(tmp_path, "business overview", artist=MARA, days=60, form="csv")
    proof = prove(business, "Overview", "mara.quell", 60)
    assert proof == Proof("tiktok.business_overview", date(2025, 4, 18), date(2025, 6, 16))
    assert prove(gives(tmp_path, "Content"), "Content", "nova.tides", 365) == Proof("tiktok.content")


@pytest.mark.parametrize(
    ("kind", "form", "days", "said"),
    [
        ("Viewers", "zip", 365, "What 'Overview' brought is not the file that it used to be."),
        ("Overview", "zip", 60, "'Overview' brought 60 days, and the last 365 were asked for."),
        ("Overview", "workbook", 365, "'Overview' brought a workbook, and CSV was chosen."),
        ("Overview", "csv", 365, "The name 'Overview.csv' does not tell its days."),
    ],
    ids=["tab", "days", "form", "name"],
)
def test_a_download_that_is_not_what_was_asked_is_not_kept(
    tmp_path: Path, kind: str, form: str, days: int, said: str
) -> None:
    with pytest.raises(NotFetched) as told:
        prove(gives(tmp_path, kind, days=days, form=form), "Overview", "nova.tides", 365)
    assert (told.value.state, told.value.sentence) == (State.CHANGED, said)


def test_a_download_of_another_account_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(NotFetched) as told:
        prove(gives(tmp_path, "Viewers", artist=PALE), "Viewers", "nova.tides", 365)
    assert told.value.state is State.WRONG_ACCOUNT


def test_downloads_of_two_kinds_of_account_do_not_go_together() -> None:
    personal = [Proof(f"tiktok.{tab}") for tab in ("overview", "viewers", "followers", "content")]
    business = [Proof(f"tiktok.business_{tab}") for tab in ("overview", "audience", "content")]
    assert prove_together(personal) == personal[0]
    assert prove_together(business) == business[0]
    for mixed in (personal[:1] + business[1:], personal[:3], business[:1] + personal[1:]):
        with pytest.raises(NotFetched):
            prove_together(mixed)
