"""DistroKid through a real browser: the pages of statistics and the bank are fetched, and are the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from asking import Asking
from distrokid_portal import MAIN, DistroKid, Filter, page_of
from portal import Answer, Asked, Clock, Faults, Portal, Seen
from vault_looks import traced_below

from bedrot.connect.browser import Download
from bedrot.connect.states import NotFetched, State
from bedrot.connect.web import Limits
from bedrot.demo import bank
from bedrot.demo.distrokid_bank import COLUMNS, main_lines, royalty, spelling
from bedrot.demo.distrokid_charts import APPLE, SPOTIFY, apple_page, spotify_page
from bedrot.demo.label import invent
from bedrot.lake.ledger import Ledger
from bedrot.sources.distrokid.connect_proof import Slice, prove_export, prove_page

LABEL = invent(7)
NOW = datetime(2026, 2, 8, 10, 58, tzinfo=UTC)
LATER = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
LIMITS = Limits(seconds=40, patience=3)
SHORT = Limits(seconds=8)
"""For what ends only with the time."""
EXPORT, FILE = "/bank/details/export/", "/bank/details/file/"
MOST_REQUESTS = 5
"""Two pages of statistics, that of the bank's details, what the page asks about the export, and its file."""


def asks(root: Path, portal: Portal, limits: Limits = LIMITS) -> Asking:
    return Asking(root, "distrokid", MAIN, portal.url, limits)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def portal(clock: Clock) -> Iterator[Portal]:
    with Portal(DistroKid(LABEL), clock) as running:
        yield running


@pytest.fixture
def asking(tmp_path: Path, portal: Portal) -> Asking:
    return asks(tmp_path, portal)


def royalties(asking: Asking) -> Counter[tuple[Any, ...]]:
    return Counter(asking.rows(f"SELECT {', '.join(COLUMNS)} FROM royalties"))


def streams(asking: Asking) -> dict[tuple[str, date], tuple[int, bool]]:
    told = asking.rows("SELECT store, date, streams, provisional FROM streams_daily WHERE source = 'distrokid'")
    assert len(told) == len({one[:2] for one in told})
    return {(store, day): (count, running) for store, day, count, running in told}


def paid(now: datetime, coarse: date = date.min) -> Counter[tuple[Any, ...]]:
    """Each line that the bank had until then, in the names of that day; twelve decimals, before a day eight."""
    names, found = spelling(LABEL, now.date()), Counter[tuple[Any, ...]]()
    for one in main_lines(LABEL):
        if one.reporting_date < now.date():
            decimals = 8 if one.reporting_date < coarse else 12
            earnings = Decimal(bank.rounded(one.earnings, decimals)).scaleb(-decimals)
            found[royalty("distrokid", MAIN, one, names, earnings)] += 1
    return found


def played(*times: datetime) -> dict[tuple[str, date], tuple[int, bool]]:
    """Each day of the pages of those times, as the newest that has it says."""
    found = {}
    for now in times:
        for store in (SPOTIFY, APPLE):
            page = page_of(LABEL, store, now)
            found |= {(store, day): (count, day == page.provisional) for day, count in page.days}
    return found


def deliveries(asking: Asking) -> list[tuple[str, str]]:
    with Ledger(asking.lake.ledger_path) as ledger:
        return sorted((one.feed, one.name) for one in ledger.deliveries())


def sent(portal: Portal, before: int = 0) -> list[Seen]:
    """What was asked since a place, without what browsers ask by themselves."""
    return [one for one in portal.requests[before:] if one.path != "/favicon.ico"]


def given(portal: Portal) -> list[dict[str, str]]:
    """What was asked for in the files that the bank gave."""
    return [one.query for one in portal.requests if one.path == FILE and one.status == 200]


def months(first: str, last: str, store: str = "") -> dict[str, str]:
    return {"by": "reporting", "from": first, "to": last, "store": store}


def test_a_person_logs_in_once_and_what_comes_is_the_truth(
    asking: Asking, portal: Portal, clock: Clock, tmp_path: Path
) -> None:
    portal.faults.second_factor = True
    asking.person(portal, NOW - DAY, code=portal.people["owner"].code)
    before = len(portal.requests)
    standing = asking.fetch(NOW)
    assert (standing.state, standing.sentence) == ("provisional", "")
    assert (standing.first, standing.last) == (date(2025, 2, 7), date(2026, 2, 6))
    assert standing.requests == len(sent(portal, before)) == MOST_REQUESTS
    assert given(portal) == [months("", "")]
    assert asking.walk(NOW).held == 0
    assert royalties(asking) == paid(NOW)
    assert streams(asking) == played(NOW)
    stamp = int(NOW.timestamp()) * 1000 + 417
    assert deliveries(asking) == [
        ("distrokid.apple", "distrokid_applemusic_stats_20260208_105800.html"),
        ("distrokid.bank", f"DistroKid_{stamp}_HarbourLaneRecords.tsv"),
        ("distrokid.spotify", "distrokid_streams_stats_20260208_105800.html"),
    ]
    again = asking.fetch(NOW + timedelta(hours=9))
    assert (again.state, again.requests, len(deliveries(asking))) == ("provisional", 1, 3)
    clock.now = LATER
    portal.faults.second_factor = False
    asking.cookie(portal, LATER)
    later = asking.fetch(LATER)
    assert (later.state, later.last) == ("provisional", date(2026, 3, 8))
    assert given(portal)[1:] == [months("2025-12", "2026-03")]
    summary = asking.walk(LATER)
    assert (summary.held, summary.vanished) == (0, 0)
    assert royalties(asking) == paid(LATER)
    assert streams(asking) == played(NOW, LATER)
    assert traced_below(tmp_path, *(one.encode() for one in portal.secrets())) == []


@pytest.mark.slow
def test_a_big_export_is_filtered_and_waited_for(tmp_path: Path, clock: Clock) -> None:
    with Portal(DistroKid(LABEL, most_rows=5_000), clock) as portal:
        asking = asks(tmp_path, portal)
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
    assert standing.state == "provisional", standing.sentence
    assert given(portal) == [months("2013-01", "2026-02")]
    # The refusal, the filter, three times "preparing", the offer.
    assert standing.requests == len([one for one in sent(portal) if one.person]) - 1 == MOST_REQUESTS + 5
    assert {name.rpartition(".")[2] for feed, name in deliveries(asking) if feed == "distrokid.bank"} <= {"csv", "zip"}
    asking.walk(NOW)
    assert royalties(asking) == paid(NOW)


@dataclass
class Strict(DistroKid):
    """One that never prepares what is too much, and refuses it."""

    def _told(self, shown: Any, wanted: Filter) -> dict[str, object]:
        rows = sum(1 for _ in shown.lines(wanted))
        if rows > self.most_rows:
            return {"state": "refused", "sentence": self._too_many(rows)}
        return super()._told(shown, wanted)


@pytest.mark.slow
def test_what_is_refused_is_asked_for_in_parts(tmp_path: Path, clock: Clock) -> None:
    with Portal(Strict(LABEL, most_rows=6_000), clock) as portal:
        asking = asks(tmp_path, portal)
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
    assert standing.state == "provisional", standing.sentence
    assert given(portal) == [
        months("2013-01", "2019-07"),
        months("2019-08", "2022-11"),
        months("2022-12", "2024-07"),
        months("2024-08", "2025-05"),
        months("2025-06", "2025-10"),
        months("2025-11", "2026-02"),
    ]
    assert standing.requests == 32
    assert len([feed for feed, _ in deliveries(asking) if feed == "distrokid.bank"]) == 3
    asking.walk(NOW)
    assert royalties(asking) == paid(NOW)


@pytest.mark.slow
def test_months_that_are_too_much_are_asked_for_by_store(tmp_path: Path, clock: Clock) -> None:
    with Portal(Strict(LABEL, most_rows=1_150), clock) as portal:
        asking = asks(tmp_path, portal, Limits(seconds=120))
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
    assert standing.state == "provisional", standing.sentence
    by_store = [one for one in given(portal) if one["store"]]
    assert {(one["from"], one["to"]) for one in by_store} == {("2025-10", "2025-10")}
    assert "Meta" in {one["store"] for one in by_store}
    assert standing.requests == 117
    asking.walk(NOW)
    assert royalties(asking) == paid(NOW)


@dataclass
class Silent(DistroKid):
    """One whose page does not ask again whether the export is ready."""

    def _told(self, shown: Any, wanted: Filter) -> dict[str, object]:
        return super()._told(shown, wanted) | {"again": 3_600_000}


@pytest.mark.slow
def test_a_page_that_says_nothing_more_is_loaded_anew(tmp_path: Path, clock: Clock) -> None:
    with Portal(Silent(LABEL, most_rows=5_000, polls=1), clock) as portal:
        asking = asks(tmp_path, portal, Limits(seconds=40, patience=1))
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
    assert standing.state == "provisional", standing.sentence
    assert [one.path for one in sent(portal)[-4:]] == [EXPORT, "/bank/details/", EXPORT, FILE]
    asking.walk(NOW)
    assert royalties(asking) == paid(NOW)


@pytest.mark.slow
def test_what_is_never_ready_ends_within_the_time(tmp_path: Path, clock: Clock) -> None:
    with Portal(DistroKid(LABEL, most_rows=5_000, polls=10_000), clock) as portal:
        asking = asks(tmp_path, portal, Limits(seconds=20))
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
        assert standing.state == "unreachable"
        assert standing.sentence.startswith("DistroKid did not have the export ready in time")
        asking.limits = Limits(seconds=40, requests=9)
        bounded = asking.fetch(NOW)
    assert bounded.state == "portal changed"
    assert bounded.sentence == "This would take more than 9 requests, which no fetch should."
    assert bounded.requests == 10
    assert deliveries(asking) == []


@dataclass
class Turning(DistroKid):
    """One where something goes wrong from a certain request on."""

    at: str = ""
    fault: str = ""

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        if asked.path == self.at:
            setattr(faults, self.fault, True)
        return super().data(asked, now, faults)


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "captcha": ({"captcha": True}, "challenged"),
    "redirect_loop": ({"redirect_loop": True}, "portal changed"),
    "throttled": ({"throttled": 9}, "throttled"),
    "throttled at the page of details": ({"throttled": 9, "only": "/bank/details/"}, "throttled"),
    "throttled at the export": ({"throttled": 9, "only": EXPORT}, "throttled"),
    "throttled at the file": ({"throttled": 9, "only": FILE}, "throttled"),
    "broken": ({"broken": 9}, "unreachable"),
    "broken at the export": ({"broken": 9, "only": EXPORT}, "unreachable"),
    "broken at the file": ({"broken": 9, "only": FILE}, "unreachable"),
    "half_body": ({"half_body": True}, "unreachable"),
    "slow": ({"slow": True}, "unreachable"),
    "renamed_field": ({"renamed_field": True}, "portal changed"),
    "moved_button": ({"moved_button": True}, "portal changed"),
    "empty_account": ({"empty_account": True}, "no data yet"),
    "wrong_account": ({"wrong_account": True}, "wrong account"),
    "maintenance": ({"maintenance": True}, "portal changed"),
    "forbidden": ({"forbidden": True}, "forbidden"),
}
FROM_THERE_ON = [
    ("/bank/details/", "captcha", "challenged"),
    ("/bank/details/", "wrong_account", "wrong account"),
    ("/bank/details/", "maintenance", "unreachable"),
    ("/bank/details/", "redirect_loop", "unreachable"),
    (EXPORT, "half_body", "unreachable"),
    (EXPORT, "slow", "unreachable"),
    (EXPORT, "forbidden", "forbidden"),
    (EXPORT, "captcha", "challenged"),
    (FILE, "half_body", "unreachable"),
    (FILE, "slow", "unreachable"),
    (FILE, "renamed_field", "portal changed"),
    (FILE, "forbidden", "forbidden"),
]
QUICKLY = ("half_body", "empty_account")


def test_all_that_can_go_wrong_is_tried() -> None:
    elsewhere = {"second_factor", "expires_after", "retry_after", "only"}
    assert {one.name for one in fields(Faults)} - elsewhere == {name for name in FAULTS if " " not in name}


@pytest.mark.parametrize(
    "fault", [pytest.param(one, marks=() if one in QUICKLY else pytest.mark.slow) for one in FAULTS]
)
def test_each_fault_ends_in_its_state_and_keeps_nothing(
    asking: Asking, portal: Portal, fault: str, tmp_path: Path
) -> None:
    asking.cookie(portal, NOW - DAY)
    wrong, state = FAULTS[fault]
    for name, value in wrong.items():
        setattr(portal.faults, name, value)
    asking.limits = SHORT if fault == "slow" else LIMITS
    before = len(portal.requests)
    standing = asking.fetch(NOW)
    assert standing.state == state, standing.sentence
    assert standing.sentence
    # Chromium follows twenty redirects.
    assert len(sent(portal, before)) <= {"redirect_loop": 22}.get(fault, MOST_REQUESTS)
    assert deliveries(asking) == []
    assert traced_below(tmp_path, *(one.encode() for one in portal.secrets())) == []


@pytest.mark.parametrize(
    ("at", "fault", "state"),
    [pytest.param(*one, marks=() if one[:2] == (FILE, "half_body") else pytest.mark.slow) for one in FROM_THERE_ON],
)
def test_what_goes_wrong_in_the_middle_ends_in_its_state_and_keeps_nothing(
    tmp_path: Path, clock: Clock, at: str, fault: str, state: str
) -> None:
    with Portal(Turning(LABEL, at=at, fault=fault), clock) as portal:
        asking = asks(tmp_path, portal, SHORT if state == "unreachable" else LIMITS)
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
    assert standing.state == state, standing.sentence
    assert deliveries(asking) == []


@pytest.mark.parametrize(
    "after", [pytest.param(one, marks=() if one == 3 else pytest.mark.slow) for one in range(MOST_REQUESTS)]
)
def test_a_log_in_that_ends_in_the_middle_leaves_nothing_and_the_next_one_completes(
    asking: Asking, portal: Portal, after: int
) -> None:
    asking.cookie(portal, NOW - DAY)
    portal.faults.expires_after = 1 + after  # the page that the log-in led to was the first
    standing = asking.fetch(NOW)
    assert (standing.state, standing.requests) == ("expired", after + 2)  # instead of the answer there comes the log-in
    seen = len(portal.requests)
    again = asking.fetch(NOW + 2 * DAY)
    assert (again.state, again.requests) == ("expired", 0)
    assert len(portal.requests) == seen
    assert deliveries(asking) == []
    asking.walk(NOW)
    assert royalties(asking) == Counter()
    portal.faults.expires_after = None
    asking.cookie(portal, NOW + timedelta(minutes=5))
    assert asking.fetch(NOW + timedelta(minutes=6)).state == "provisional"
    asking.walk(NOW)
    assert len(deliveries(asking)) == 3
    assert royalties(asking) == paid(NOW)
    assert streams(asking) == played(NOW)


@pytest.mark.slow
def test_names_and_decimals_that_change_between_two_fetches_double_nothing(
    asking: Asking, portal: Portal, clock: Clock
) -> None:
    first, then = datetime(2025, 6, 15, 12, tzinfo=UTC), datetime(2025, 11, 15, 12, tzinfo=UTC)
    for now in (first, then):
        clock.now = now
        asking.cookie(portal, now)
        assert asking.fetch(now).state == "provisional"
        assert asking.walk(now).held == 0
    assert given(portal) == [months("", ""), months("2025-04", "2025-11")]
    assert royalties(asking) == paid(then, coarse=date(2025, 4, 1))
    assert {one[0] for one in asking.rows("SELECT DISTINCT store FROM royalties")} >= {"Meta"}
    assert streams(asking) == played(first, then)


@pytest.mark.slow
def test_days_that_have_not_come_yet_are_not_called_fresh(asking: Asking, portal: Portal, clock: Clock) -> None:
    asking.cookie(portal, NOW - DAY)
    assert asking.fetch(NOW).last == date(2026, 2, 6)
    same = asking.fetch(NOW + DAY)
    assert (same.state, same.sentence) == ("no data yet", "DistroKid shows no day after 2026-02-06 yet.")
    clock.now = NOW - 3 * DAY
    stale = asking.fetch(NOW + 2 * DAY)
    assert stale.state == "unreachable"
    assert stale.sentence == "DistroKid gave days until 2026-02-03 only, and had given them until 2026-02-06 before."
    portal.faults.empty_account = True
    emptied = asking.fetch(NOW + 2 * DAY)
    assert emptied.state == "portal changed"
    assert emptied.sentence == "The page of streams shows no day any more, and it did before."


@pytest.mark.slow
def test_earnings_that_come_after_the_first_fetch_are_asked_for_as_a_whole(tmp_path: Path, clock: Clock) -> None:
    service = Turning(LABEL, at="/bank/details/", fault="empty_account")
    with Portal(service, clock) as portal:
        asking = asks(tmp_path, portal)
        asking.cookie(portal, NOW - DAY)
        first = asking.fetch(NOW)
        assert (first.state, first.requests, len(deliveries(asking))) == ("provisional", 3, 2)
        clock.now, service.at, portal.faults.empty_account = LATER, "", False
        asking.cookie(portal, LATER)
        assert asking.fetch(LATER).state == "provisional"
        assert given(portal) == [months("", "")]
        clock.now, service.at = LATER + 3 * DAY, "/bank/details/"
        gone = asking.fetch(clock.now)
    assert (gone.state, gone.sentence) == ("portal changed", "The bank shows no earnings any more, and it did before.")
    asking.walk(LATER)
    assert royalties(asking) == paid(LATER)


@dataclass
class Lesser(DistroKid):
    """One whose plan has no statistics, or whose charts are empty; the bank is there all the same."""

    refused: bool = False

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        if asked.path != "/stats/":
            return super().data(asked, now, faults)
        if self.refused:
            return self.refusal("forbidden", asked, faults)
        return super().data(asked, now, Faults(empty_account=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (True, "The account's plan has no daily statistics: the bank details came alone."),
        (False, "DistroKid shows no day of streams yet: the bank details came alone."),
    ],
    ids=["plan", "empty"],
)
def test_without_statistics_the_bank_comes_alone(tmp_path: Path, clock: Clock, refused: bool, said: str) -> None:
    with Portal(Lesser(LABEL, refused=refused), clock) as portal:
        asking = asks(tmp_path, portal)
        asking.cookie(portal, NOW - DAY)
        standing = asking.fetch(NOW)
        assert (standing.state, standing.sentence) == ("fresh", said)
        assert [feed for feed, _ in deliveries(asking)] == ["distrokid.bank"]
        asking.walk(NOW)
        assert royalties(asking) == paid(NOW)
        assert streams(asking) == {}
        again = asking.fetch(NOW + timedelta(hours=2))
        assert (again.state, again.requests) == ("provisional", 1)
        clock.now = LATER
        asking.cookie(portal, LATER)
        asking.fetch(LATER)
        assert given(portal) == [months("", ""), months("2025-12", "2026-03")]
    asking.walk(LATER)
    assert royalties(asking) == paid(LATER)


@pytest.mark.slow
def test_statistics_that_a_plan_does_not_show_any_more_are_missed(asking: Asking, portal: Portal, clock: Clock) -> None:
    asking.cookie(portal, NOW - DAY)
    asking.fetch(NOW)
    clock.now = NOW + 3 * DAY
    portal.faults.forbidden = True
    standing = asking.fetch(clock.now)
    assert (standing.state, standing.requests) == ("forbidden", 1)


def export(folder: Path, text: str, name: str = "DistroKid_1770548280417_HarbourLaneRecords.tsv") -> Download:
    """A download as it lies in the browser's own folder, under a name of the browser."""
    (folder / "4711").write_bytes(text.encode())
    return Download(name, folder / "4711")


HEADINGS = "Reporting Date\tSale Month\tStore\tEarnings (USD)\r"
LINE = "2026-01-20\t2025-11\tSpotify\t0.00000001\r"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (HEADINGS + LINE + LINE, 2),
        (HEADINGS, 0),
        ((HEADINGS + LINE).replace("\r", "\r\n"), 1),
        ('"Reporting Date","Sale Month","Store","Earnings (USD)"\n"2026-01-20","2025-11","A, ""B""","0.1"\n', 1),
    ],
    ids=["two", "none", "crlf", "quoted"],
)
def test_the_lines_of_an_export_are_counted(tmp_path: Path, text: str, lines: int) -> None:
    assert prove_export(export(tmp_path, text), Slice("2025-12", "2026-02")) == lines


@pytest.mark.parametrize(
    ("text", "wanted", "state"),
    [
        (HEADINGS + LINE, Slice("2026-02", "2026-02"), State.CHANGED),
        (HEADINGS + LINE, Slice("2026-01", "2026-01", "Meta"), State.CHANGED),
        (HEADINGS + LINE + LINE[:-15], Slice(), State.UNREACHABLE),
        (HEADINGS.replace("Earnings (USD)", "Net"), Slice(), State.CHANGED),
        (HEADINGS.replace("Reporting Date", "Date"), Slice(), State.CHANGED),
        ("<!doctype html><title>Log in</title>", Slice(), State.CHANGED),
        ("PK\x03\x04 and no more", Slice(), State.CHANGED),
    ],
    ids=["months", "store", "cut off", "money", "dates", "page", "zip"],
)
def test_an_export_that_is_not_what_was_asked_is_not_kept(
    tmp_path: Path, text: str, wanted: Slice, state: State
) -> None:
    with pytest.raises(NotFetched) as told:
        prove_export(export(tmp_path, text), wanted)
    assert told.value.state is state


def test_the_days_of_a_page_are_proven() -> None:
    spotify = spotify_page(page_of(LABEL, SPOTIFY, NOW))
    apple = apple_page(LABEL, page_of(LABEL, APPLE, NOW))
    for feed, text, last in (("spotify", spotify, 6), ("apple", apple, 7)):
        name = f"distrokid.{feed}"
        assert prove_page(text.encode(), feed, name) == (date(2025, 2, last + 1), date(2026, 2, last))
        for wrong in (text[: len(text) // 2], text.replace("2026-01-20", "2026-01-19"), "<html>Be right back</html>"):
            with pytest.raises(NotFetched) as told:
                prove_page(wrong.encode(), feed, name)
            assert told.value.state is State.CHANGED
