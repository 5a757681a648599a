"""Linktree through a real browser: what a person's log-in shows is fetched, private answers go nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from asking import Asking
from linktree_portal import Linktree
from portal import Clock, Portal
from vault_looks import traced_below

from bedrot.connect.web import Limits
from bedrot.demo.label import invent
from bedrot.demo.links import pages
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current

LABEL = invent(7)
PAGE = pages(LABEL)[0]
NOW = datetime(2026, 3, 10, 16, 40, 3, tzinfo=UTC)
DAY = timedelta(days=1)
LIMITS = Limits(seconds=12)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def portal(clock: Clock) -> Iterator[Portal]:
    with Portal(Linktree(LABEL), clock) as running:
        yield running


@pytest.fixture
def asking(tmp_path: Path, portal: Portal) -> Asking:
    made = Asking(tmp_path, "linktree", PAGE.name, portal.url, LIMITS)
    made.person(portal, NOW - DAY, PAGE.name)
    return made


def known(asking: Asking) -> dict[date, tuple[int, int]]:
    snapshot = current(asking.lake)
    if snapshot is None:
        return {}
    with open_snapshot(asking.lake, snapshot) as con:
        rows = con.execute("SELECT day, views, clicks FROM links_daily").fetchall()
    return {day: (views, clicks) for day, views, clicks in rows}


def truth(now: datetime) -> dict[date, tuple[int, int]]:
    first = now.date() - timedelta(days=364)
    told = ((day, PAGE.known(day, now)) for day, _ in PAGE.range(first, now.date(), now))
    return {day: (one.views, one.clicks) for day, one in told}


def test_a_person_logs_in_once_and_the_answers_are_the_truth(asking: Asking, portal: Portal) -> None:
    standing = asking.fetch(NOW)
    assert (standing.state, standing.sentence) == ("provisional", "")
    assert standing.last == NOW.date()
    asking.walk(NOW)
    assert known(asking) == truth(NOW)
    assert 0 < standing.requests < 30


def test_private_answers_and_the_log_in_are_nowhere(asking: Asking, portal: Portal, tmp_path: Path) -> None:
    asking.fetch(NOW)
    asking.walk(NOW)
    secrets = [one.encode() for one in portal.secrets()]
    assert any(b"email" in one for one in secrets)
    assert traced_below(tmp_path, *secrets) == []


def test_after_the_log_in_ended_nobody_is_asked(asking: Asking, portal: Portal, clock: Clock) -> None:
    portal.expire()
    assert asking.fetch(NOW).state == "expired"
    seen = len(portal.requests)
    again = asking.fetch(NOW + 2 * DAY)
    assert (again.state, again.requests) == ("expired", 0)
    assert len(portal.requests) == seen
    clock.now = NOW + 2 * DAY
    asking.person(portal, clock.now, PAGE.name)
    assert asking.fetch(clock.now).state == "provisional"


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("captcha", "challenged"),
        ("half_body", "unreachable"),
        ("maintenance", "portal changed"),
        pytest.param("redirect_loop", "portal changed", marks=pytest.mark.slow),
        pytest.param("slow", "unreachable", marks=pytest.mark.slow),
        pytest.param("renamed_field", "portal changed", marks=pytest.mark.slow),
        pytest.param("moved_button", "portal changed", marks=pytest.mark.slow),
        pytest.param("wrong_account", "wrong account", marks=pytest.mark.slow),
        pytest.param("forbidden", "forbidden", marks=pytest.mark.slow),
    ],
)
def test_each_fault_ends_in_its_state_and_keeps_nothing(asking: Asking, portal: Portal, fault: str, state: str) -> None:
    setattr(portal.faults, fault, True)
    asking.limits = Limits(seconds=6)
    standing = asking.fetch(NOW)
    assert standing.state == state, standing.sentence
    asking.walk(NOW)
    assert known(asking) == {}


def test_a_changed_page_is_captured_without_names_and_secrets(asking: Asking, portal: Portal) -> None:
    portal.faults.moved_button = True
    asking.limits = Limits(seconds=6)
    standing = asking.fetch(NOW)
    (capture,) = asking.lake.captures.glob("linktree-*.txt")
    assert f"captures/{capture.name}" in standing.do
    assert "bedrot collect linktree" in standing.do
    told = capture.read_text(encoding="utf-8")
    assert "== The page /admin/analytics" in told
    assert '"timeseries"' in told
    assert traced_below(asking.lake.captures, PAGE.name.encode(), *(one.encode() for one in portal.secrets())) == []


def test_where_nothing_has_changed_nothing_is_captured(asking: Asking, portal: Portal) -> None:
    portal.expire()
    asking.fetch(NOW)
    assert not asking.lake.captures.exists()


@pytest.mark.slow
def test_an_answer_of_before_is_not_called_good(asking: Asking, clock: Clock) -> None:
    assert asking.fetch(NOW).state == "provisional"
    clock.now = NOW - 5 * DAY  # the service hands out what it had five days ago
    old = asking.fetch(NOW + DAY)
    assert (old.state, str(NOW.date()) in old.sentence) == ("unreachable", True)


def test_an_answer_that_stops_some_days_ago_has_nothing_new(asking: Asking, clock: Clock) -> None:
    clock.now = NOW - 5 * DAY
    late = asking.fetch(NOW)
    assert (late.state, late.sentence) == ("no data yet", f"Linktree shows no day after {(NOW - 5 * DAY).date()} yet.")
