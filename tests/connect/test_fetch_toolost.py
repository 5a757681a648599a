"""TooLost through a real browser: what a person's log-in shows is the truth, and a statement comes once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asking import Asking, session_of
from portal import Answer, Clock, Faults, Portal
from toolost_portal import MAIN, TooLost, answer_of, file_name, statements
from vault_looks import traced, traced_below

from bedrot.commands.connect import item_in
from bedrot.connect.states import State
from bedrot.connect.vault import Session
from bedrot.connect.web import Limits
from bedrot.demo import toolost_sales
from bedrot.demo.arrival import Arrival, Expected
from bedrot.demo.given import differences
from bedrot.demo.label import invent
from bedrot.demo.toolost_answers import APPLE, SPOTIFY
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.sources.toolost import connect
from bedrot.walk.accept import Door
from bedrot.walk.found import Found

LABEL = invent(7)
WINTER = datetime(2025, 12, 21, 18, 5, 59, tzinfo=UTC)
NOW = datetime(2026, 1, 18, 20, 44, 16, tzinfo=UTC)
LATER = datetime(2026, 2, 15, 19, 58, 3, tzinfo=UTC)
DAY = timedelta(days=1)
LIMITS = Limits(seconds=20)
PAGES = 4
"""The page of numbers, its two answers, and the page of notices; a statement is one more."""


@dataclass
class Ready:
    """The service, and a log-in to it, which is made anew where the last one is no good any more."""

    portal: Portal
    clock: Clock
    session: Session | None = None

    def logged_in(self, at: datetime, *, anew: bool = False) -> Session:
        """The log-in of a person who did so at an instant, or before and it still is good."""
        if anew or self.session is None or self.session.until is None or self.session.until <= at + DAY:
            self.clock.now = at
            self.session = person(self.portal, at)
        return replace(self.session, since=at)


def person(portal: Portal, at: datetime, code: str = "") -> Session:
    """A person logs in, in a browser, as they always do."""
    return session_of(connect.BROWSER, "toolost", MAIN, portal, at=at, user="owner", code=code)


@pytest.fixture(scope="module")
def running() -> Iterator[Ready]:
    clock = Clock(NOW)
    with Portal(TooLost(LABEL), clock) as portal:
        yield Ready(portal, clock)


@pytest.fixture
def ready(running: Ready) -> Iterator[Ready]:
    yield running
    running.portal.faults = Faults()


@pytest.fixture
def asking(tmp_path: Path, ready: Ready) -> Asking:
    return lake_with(ready, tmp_path)


def lake_with(ready: Ready, root: Path, at: datetime = NOW, *, anew: bool = False) -> Asking:
    """A lake whose person is logged in."""
    made = Asking(root, "toolost", MAIN, ready.portal.url, LIMITS)
    made.vault.put(ready.logged_in(at - timedelta(hours=1), anew=anew))
    ready.clock.now = at
    return made


def truth(*asked: datetime) -> list[Expected]:
    """What the published tables hold after fetches at these instants, the last one last."""
    out = {(one[3:7], one[0:2]) for one in (file_name(one)[1:] for one in statements(LABEL, asked[-1]))}
    (whole,) = toolost_sales.expected(LABEL)
    place, whose = whole.columns.index("reporting_date"), whole.columns.index("account")
    paid = [
        (*row[:whose], MAIN, *row[whose + 1 :]) for row in whole.rows if (f"{row[place]:%Y}", f"{row[place]:%m}") in out
    ]
    found = [replace(whole, rows=paid)]
    for store in (SPOTIFY, APPLE):
        days = {day: count for at in asked for day, count in answer_of(LABEL, store, at).days}
        rows = [(day, MAIN, count) for day, count in days.items()]
        where = (("source", "toolost"), ("store", store))
        found.append(Expected("streams_daily", where, ("date", "account", "streams"), rows))
    return found


def untrue(asking: Asking, expected: list[Expected]) -> list[str]:
    """Where the published tables are not as expected."""
    snapshot = current(asking.lake)
    assert snapshot is not None
    with open_snapshot(asking.lake, snapshot) as con:
        return [said for one in expected for said in differences(con, one)]


def published(asking: Asking) -> int:
    """How many rows of plays and royalties anybody can read."""
    snapshot = current(asking.lake)
    if snapshot is None:
        return 0
    with open_snapshot(asking.lake, snapshot) as con:
        told = con.execute("SELECT (SELECT count(*) FROM streams_daily) + (SELECT count(*) FROM royalties)").fetchone()
    assert told is not None
    return int(told[0])


def names(asking: Asking) -> list[str]:
    with Ledger(asking.lake.ledger_path) as ledger:
        return sorted(one.name for one in ledger.deliveries())


def good(standing: Standing) -> bool:
    return State(standing.state).good


def test_what_is_fetched_is_the_truth_and_a_month_later_only_the_new_statement_comes(
    ready: Ready, tmp_path: Path
) -> None:
    asking = lake_with(ready, tmp_path, WINTER)
    first = asking.fetch(WINTER)
    assert good(first), first.sentence
    assert (first.first, first.last) == (date(2025, 1, 1), date(2025, 12, 17))
    out = [file_name(one) for one in statements(LABEL, WINTER)]
    assert (len(out), first.requests) == (2, PAGES + 2)
    summary = asking.walk(WINTER)
    assert (summary.rejected, summary.held, summary.failed) == (0, 0, [])
    assert untrue(asking, truth(WINTER)) == []

    again = asking.fetch(WINTER + timedelta(hours=2))
    assert (again.sentence.split(".")[0], again.requests) == ("It was asked today already", 0)

    asking.vault.put(ready.logged_in(NOW - timedelta(hours=1)))
    ready.clock.now = NOW
    before = set(names(asking))
    later = asking.fetch(NOW)
    assert (later.first, later.last, later.requests) == (date(2026, 1, 1), date(2026, 1, 14), PAGES + 1)
    assert "what is missing after 2025-12-17 cannot be fetched any more" in later.sentence
    new = file_name(statements(LABEL, NOW)[-1])
    stamp = f"{NOW:%Y%m%d_%H%M%S}"
    assert set(names(asking)) - before == {new, f"toolost_apple_{stamp}.json", f"toolost_spotify_{stamp}.json"}
    asking.walk(NOW)
    assert untrue(asking, truth(WINTER, NOW)) == []
    assert published(asking) == sum(len(list(one.rows)) for one in truth(WINTER, NOW)) > 1000
    no_secret(ready, asking, tmp_path, (first, again, later))


def no_secret(ready: Ready, asking: Asking, folder: Path, said: object) -> None:
    """Nothing that the service gave or took as a secret is in a file below a folder, or in what is shown."""
    session = asking.vault.get("toolost", MAIN)
    assert session is not None
    token = item_in(session.secret, "token")
    secrets = [one.encode() for one in ready.portal.secrets()]
    assert token is not None
    assert token.encode() in secrets
    assert len(secrets) > 3
    assert traced_below(folder, *secrets) == []
    assert traced(repr((said, asking, session)).encode(), *secrets) == []


def test_the_log_in_is_kept_with_its_token_and_tells_when_that_ends(ready: Ready) -> None:
    ready.portal.faults.second_factor = True
    ready.clock.now = NOW
    session = person(ready.portal, NOW, ready.portal.people["owner"].code)
    kept: dict[str, Any] = json.loads(session.secret)
    assert [one["name"] for one in kept["origins"][0]["localStorage"]] == ["token"]
    assert session.until == NOW.replace(microsecond=0) + 7 * DAY


def test_after_the_log_in_ended_nobody_is_asked(ready: Ready, tmp_path: Path) -> None:
    asking = lake_with(ready, tmp_path, anew=True)
    ready.portal.expire()
    ready.session = None
    assert asking.fetch(NOW).state == "expired"
    seen = len(ready.portal.requests)
    for days in (0, 1, 30):
        again = asking.fetch(NOW + days * DAY + timedelta(hours=1))
        assert (again.state, again.requests) == ("expired", 0)
    assert len(ready.portal.requests) == seen
    assert names(asking) == []


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"captcha": True}, "challenged"),
        ({"half_body": True}, "unreachable"),
        ({"renamed_field": True}, "portal changed"),
        ({"moved_button": True}, "portal changed"),
        ({"wrong_account": True}, "wrong account"),
        pytest.param({"redirect_loop": True}, "portal changed", marks=pytest.mark.slow),
        pytest.param({"throttled": 1, "only": "/api/"}, "throttled", marks=pytest.mark.slow),
        pytest.param({"throttled": 1, "only": "platform"}, "throttled", marks=pytest.mark.slow),
        pytest.param({"broken": 1, "only": "/api/"}, "unreachable", marks=pytest.mark.slow),
        pytest.param({"broken": 1, "only": "attachment"}, "unreachable", marks=pytest.mark.slow),
        pytest.param({"maintenance": True}, "portal changed", marks=pytest.mark.slow),
        pytest.param({"forbidden": True}, "forbidden", marks=pytest.mark.slow),
        pytest.param({"slow": True}, "unreachable", marks=pytest.mark.slow),
    ],
    ids=lambda one: "-".join(map(str, one.values())) + "-" + "-".join(one) if isinstance(one, dict) else one,
)
def test_each_fault_ends_in_its_state_and_keeps_nothing(
    ready: Ready, asking: Asking, fault: dict[str, Any], state: str
) -> None:
    for name, value in fault.items():
        setattr(ready.portal.faults, name, value)
    asking.limits = Limits(seconds=4)
    standing = asking.fetch(NOW)
    assert standing.state == state, standing.sentence
    assert 0 < standing.requests < 30
    assert names(asking) == []


def test_an_empty_account_has_no_data_yet(ready: Ready, asking: Asking) -> None:
    ready.portal.faults.empty_account = True
    standing = asking.fetch(NOW)
    assert (standing.state, standing.first, standing.requests) == ("no data yet", None, PAGES)
    asking.walk(NOW)
    assert published(asking) == 0


@pytest.mark.parametrize("last", [*(pytest.param(k, marks=pytest.mark.slow) for k in (0, 1, 3, 4, 5)), 2])
def test_a_log_in_that_ends_at_any_request_leaves_nothing_partial(ready: Ready, tmp_path: Path, last: int) -> None:
    """The pages are asked for with the session: once to log in, for the numbers, the notices, and three statements."""
    asking = lake_with(ready, tmp_path, anew=True)
    ready.session = None
    ready.portal.faults.expires_after = last
    standing = asking.fetch(NOW)
    assert standing.state == "expired", standing.sentence
    assert names(asking) == []
    asking.walk(NOW)
    assert published(asking) == 0
    ready.portal.faults.expires_after = None
    then = NOW + timedelta(minutes=5)
    asking.vault.put(ready.logged_in(then))
    assert good(asking.fetch(then + timedelta(minutes=1)))
    asking.walk(then)
    assert untrue(asking, truth(then)) == []


@pytest.mark.slow
def test_an_old_answer_is_not_taken_for_a_new_one(ready: Ready, asking: Asking) -> None:
    assert good(asking.fetch(NOW))
    before = names(asking)
    then = NOW + 2 * DAY
    ready.clock.now = NOW - 5 * DAY
    standing = asking.fetch(then)
    assert (standing.state, standing.sentence.split(",")[0]) == ("unreachable", "TooLost gave fewer days than before")
    assert names(asking) == before


@pytest.mark.slow
def test_at_new_year_the_answers_are_empty_and_say_which_days_are_gone(ready: Ready, tmp_path: Path) -> None:
    asking = lake_with(ready, tmp_path, WINTER + 7 * DAY, anew=True)
    assert asking.fetch(WINTER + 7 * DAY).last == date(2025, 12, 24)
    ready.clock.now = new_year = datetime(2026, 1, 1, 12, tzinfo=UTC)
    standing = asking.fetch(new_year)
    assert (standing.state, standing.first, standing.last) == ("no data yet", None, None)
    assert "TooLost shows 2026 only: what is missing after 2025-12-24 cannot be fetched" in standing.sentence


def test_a_statement_that_cannot_be_read_is_named_and_the_days_come_all_the_same(
    ready: Ready, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As long as nobody has seen a real statement, this one may look like any.
    def unlike(one: Arrival, _faults: Faults) -> Answer:
        name = (("Content-Disposition", f'attachment; filename="{file_name(one)}"'),)
        return Answer(one.content().replace(b"Total (USD)", b"Sum to come", 1), kind="text/csv", headers=name)

    monkeypatch.setattr("toolost_portal._file", unlike)
    standing = asking.fetch(NOW)
    assert good(standing)
    left_out = [file_name(one) for one in statements(LABEL, NOW)]
    assert all(f"The statement {name} was left out" in standing.sentence for name in left_out)
    assert [name[:8] for name in names(asking)] == ["toolost_"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("after", range(5))
def test_a_pull_that_was_not_taken_in_whole_comes_again(
    ready: Ready, asking: Asking, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    offered, offer = [0], Door.offer_found

    def break_off(self: Door, found: Found) -> Any:
        if self.lake.root == asking.lake.root:  # the door is tried with an empty lake first
            if offered[0] == after:
                raise KeyboardInterrupt
            offered[0] += 1
        return offer(self, found)

    with monkeypatch.context() as patch:
        patch.setattr(Door, "offer_found", break_off)
        with pytest.raises(KeyboardInterrupt):
            asking.fetch(NOW)
    assert len(names(asking)) == after
    asking.walk(NOW)
    assert published(asking) == 0
    then = NOW + timedelta(minutes=1)
    assert asking.fetch(then).requests == PAGES + 3
    asking.walk(then)
    assert untrue(asking, truth(then)) == []


@pytest.mark.slow
def test_no_more_than_some_statements_come_at_once_and_the_others_with_the_next_fetch(
    ready: Ready, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "MOST", 2)
    first = asking.fetch(NOW)
    assert (first.requests, first.last) == (PAGES + 2, None)
    assert "More statements are left" in first.sentence
    assert asking.fetch(NOW + timedelta(minutes=1)).requests == PAGES + 1
    out = [file_name(one) for one in statements(LABEL, NOW)]
    assert [name for name in names(asking) if name.startswith("@")] == sorted(out)
