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
from vault_looks import traced, traced_below

from bedrot.demo.ads import ACCOUNT, advertising
from bedrot.demo.label import invent
from bedrot.demo.meta_campaigns import local
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.tell.status import status
from bedrot.walk.run import Walk

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


def test_a_second_fetch_on_the_same_day_is_one_cheap_check(asking: Asking, portal: Portal) -> None:
    asking.fetch(NOON)
    before = len(portal.requests)
    again = asking.fetch(NOON + timedelta(hours=3))
    assert (again.state, again.requests) == ("provisional", 1)
    assert len(portal.requests) == before + 1


def test_a_later_fetch_asks_only_for_what_is_new_or_may_have_changed(
    asking: Asking, portal: Portal, clock: Clock
) -> None:
    asking.fetch(NOON)
    asking.walk(NOON)
    clock.now = NOON + 40 * DAY
    portal.requests.clear()
    standing = asking.fetch(clock.now)
    assert standing.first == date(2025, 3, 19) - 27 * DAY
    assert standing.last == date(2025, 4, 28)
    asking.walk(clock.now)
    then, settled = truth(clock.now), standing.first
    assert {row for row in known(asking) if row[0] >= settled} == {row for row in then if row[0] >= settled}  # type: ignore[operator]
    assert {row[:2] for row in known(asking)} == {row[:2] for row in then}


def test_after_a_failed_log_in_nobody_is_asked_until_a_person_logs_in_again(
    asking: Asking, portal: Portal, clock: Clock
) -> None:
    portal.expire()
    failed = asking.fetch(NOON)
    assert (failed.state, failed.requests) == ("expired", 1)
    assert failed.do == f"Make a new one: bedrot login metaads --account {asking.account}."
    with Ledger(asking.lake.ledger_path) as ledger:
        (needs,) = status(Walk(asking.lake, ledger, asking.settings)).needs
    assert needs == f"metaads, {asking.account}, asked on {NOON:%Y-%m-%d}: {failed.sentence} {failed.do}"
    for day in (1, 2, 30):
        again = asking.fetch(NOON + day * DAY)
        assert (again.state, again.requests, again.sentence) == ("expired", 0, failed.sentence)
    assert len(portal.requests) == 1
    clock.now = NOON + 31 * DAY
    asking.log_in(portal.renew("owner"), clock.now)
    assert asking.fetch(NOON + 31 * DAY).state == "provisional"


def test_nobody_logged_in_is_said_without_asking(asking: Asking, portal: Portal) -> None:
    asking.vault.remove("metaads", ACCOUNT)
    standing = asking.fetch(NOON)
    assert (standing.state, standing.requests) == ("expired", 0)
    assert portal.requests == []


def test_a_log_in_that_ends_soon_is_told(asking: Asking, portal: Portal) -> None:
    asking.log_in(portal.people["owner"].token, NOON - 10 * DAY, until=13 * DAY)
    standing = asking.fetch(NOON)
    assert (standing.state, standing.sentence) == ("expiring", "The log-in ends on 2025-03-23.")
    assert standing.do == f"Log in again: bedrot login metaads --account {ACCOUNT}."
    with Ledger(asking.lake.ledger_path) as ledger:  # the answer itself was as good as any
        assert [one.state for one in ledger.standings("metaads", ACCOUNT)] == ["provisional"]


def test_a_log_in_that_ends_soon_is_told_also_where_there_is_no_data(asking: Asking, portal: Portal) -> None:
    portal.faults.empty_account = True
    asking.log_in(portal.people["owner"].token, NOON - 10 * DAY, until=13 * DAY)
    standing = asking.fetch(NOON)
    assert (standing.state, standing.sentence) == ("no data yet", "The log-in ends on 2025-03-23.")
    assert "bedrot login metaads" in standing.do


def test_a_log_in_that_never_lasts_long_is_not_called_ending_on_its_first_day(asking: Asking, portal: Portal) -> None:
    asking.log_in(portal.people["owner"].token, NOON - DAY, until=4 * DAY)
    assert asking.fetch(NOON).state == "provisional"


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"throttled": 1}, "throttled"),
        ({"throttled": 99}, "throttled"),
        ({"throttled": 1, "retry_after": 3600}, "throttled"),
        ({"broken": 1}, "provisional"),
        ({"broken": 99}, "unreachable"),
        ({"half_body": True}, "unreachable"),
        ({"slow": True}, "unreachable"),
        ({"renamed_field": True}, "portal changed"),
        ({"empty_account": True}, "no data yet"),
        ({"wrong_account": True}, "wrong account"),
        ({"maintenance": True}, "portal changed"),
        ({"redirect_loop": True}, "portal changed"),
        ({"forbidden": True}, "forbidden"),
    ],
)
def test_each_fault_ends_in_its_state_and_keeps_nothing_partial(
    asking: Asking, portal: Portal, clock: Clock, fault: dict[str, int], state: str
) -> None:
    for name, value in fault.items():
        setattr(portal.faults, name, value)
    standing = asking.fetch(NOON)
    assert standing.state == state, standing.sentence
    asking.walk(NOON)
    if state == "provisional":
        assert known(asking) == truth(NOON)
        return
    assert current(asking.lake) is None or known(asking) == set()
    for name, value in fault.items():
        setattr(portal.faults, name, type(value)(0))
    clock.now = NOON + 2 * DAY
    if state in ("wrong account", "forbidden"):
        asking.log_in(portal.people["owner"].token, NOON + DAY)
    assert asking.fetch(NOON + 2 * DAY).state == "provisional"


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_log_in_that_ends_at_any_request_leaves_nothing_partial(
    tmp_path: Path, service: MetaAds, portal: Portal, step: int
) -> None:
    whole = Asking(tmp_path / "whole", "metaads", ACCOUNT, portal.url)
    whole.log_in(portal.people["owner"].token, NOON - DAY)
    requests = whole.fetch(NOON).requests
    for last in {*range(0, requests, step), requests - 1}:
        portal.faults.expires_after = last
        asking = Asking(tmp_path / str(last), "metaads", ACCOUNT, portal.url)
        asking.log_in(portal.renew("owner"), NOON - DAY)
        assert (standing := asking.fetch(NOON)).state == "expired", last
        assert standing.requests == last + 1
        asking.walk(NOON)
        assert current(asking.lake) is None or known(asking) == set()
        portal.faults.expires_after = None
        asking.log_in(portal.renew("owner"), NOON + timedelta(minutes=1))
        assert asking.fetch(NOON + timedelta(minutes=2)).state == "provisional"
        asking.walk(NOON)
        assert known(asking) == truth(NOON + timedelta(minutes=2))


def test_a_service_that_wants_small_questions_gets_them_and_at_last_a_report(
    asking: Asking, portal: Portal, service: MetaAds
) -> None:
    service.most_rows, service.most_days, service.early_polls = 20, 3, 1
    assert asking.fetch(NOON).state == "provisional"
    asking.walk(NOON)
    assert known(asking) == truth(NOON)


def test_the_token_is_nowhere_but_in_the_vault(asking: Asking, portal: Portal, tmp_path: Path) -> None:
    asking.fetch(NOON)
    portal.expire()
    failed = asking.fetch(NOON + 2 * DAY)
    asking.walk(NOON)
    secrets = [one.encode() for one in portal.secrets()]
    assert len(secrets) > 2
    assert traced_below(tmp_path, *secrets) == []
    assert traced(repr((failed, asking, vars(portal.requests[-1]))).encode(), *secrets) == []
    assert all("token" not in str(one.query) for one in portal.requests)


@pytest.mark.parametrize("usage", [94, 96])
def test_an_allowance_that_is_nearly_used_up_ends_the_fetch(
    asking: Asking, portal: Portal, service: MetaAds, usage: int
) -> None:
    service.usage = usage
    standing = asking.fetch(NOON)
    assert standing.state == ("throttled" if usage > 95 else "provisional")
    if usage > 95:
        assert standing.requests == 1
        assert asking.fetch(NOON + timedelta(seconds=1)).requests == 0
