"""Outages and what comes back after them: whose turn it is, what is asked for again, and who may work meanwhile."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from asking import QUICK, Asking
from linktree_portal import Linktree
from meta_portal import MetaAds
from portal import Answer, Asked, Clock, Faults, Portal
from test_connect_commands import Person
from test_fetch_linktree import PAGE
from test_fetch_linktree import known as visits
from test_fetch_linktree import truth as visited
from test_fetch_metaads import DAY, LABEL, NOON, known, truth

from bedrot.commands.fetch import Asking as Turns
from bedrot.connect.connector import connector_of
from bedrot.connect.known_days import outlooks as due_outlooks
from bedrot.connect.memory import Stretch
from bedrot.connect.order import Turn, look, turns
from bedrot.connect.web import Limits
from bedrot.demo.ads import ACCOUNT
from bedrot.errors import Busy
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources

JUNE = datetime(2025, 6, 15, 18, tzinfo=UTC)
"""In the middle of a campaign."""
NOTHING_DUE = r"Nothing is due: it was asked on \d{4}-\d\d-\d\d at \d\d:\d\d UTC\."
GOLDEN = Path(__file__).parents[2] / "src/bedrot/sources/distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv"


@dataclass
class Gated(MetaAds):
    """The service, slow: its first answer after `shut` comes when the test lets it."""

    gate: Event = field(default_factory=Event)
    reached: Event = field(default_factory=Event)

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer:
        self.reached.set()
        assert self.gate.wait(60)
        return super().data(asked, now, faults)

    def shut(self) -> None:
        self.gate.clear()
        self.reached.clear()


@pytest.fixture
def service() -> Gated:
    made = Gated(LABEL)
    made.gate.set()
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def portal(service: Gated, clock: Clock) -> Iterator[Portal]:
    with Portal(service, clock) as running:
        yield running
        service.gate.set()


@pytest.fixture
def asking(tmp_path: Path, portal: Portal) -> Asking:
    made = Asking(tmp_path, "metaads", ACCOUNT, portal.url, replace(QUICK, seconds=60))
    made.log_in(portal.people["owner"].token, NOON - DAY)
    return made


@pytest.fixture
def person(tmp_path: Path, portal: Portal, clock: Clock) -> Person:
    """Somebody at a terminal, today: the label's last campaign has ended, and the account still knows what it cost."""
    clock.now = datetime.now(UTC)
    lake = Lake.create(tmp_path / "lake")
    place = f'[connect.metaads.places]\n"graph.facebook.com" = "{portal.url}"\n'
    lake.config_path.write_text(place, encoding="utf-8")
    return Person(tmp_path, lake.root)


def turn(asking: Asking, now: datetime) -> Turn:
    """The account's turn at an instant."""
    with Ledger(asking.lake.ledger_path) as ledger:
        standings = ledger.standings(asking.source, asking.account)
        return look(asking.lake, ledger, [asking.found]).turn(asking.found, asking.account, standings, now, ())


def sync(asking: Asking, now: datetime) -> list[tuple[str, int]]:
    """State and requests of each account after asking for what is due at an instant, then a walk."""
    with Ledger(asking.lake.ledger_path) as ledger:
        every = Turns(asking.lake, ledger, asking.settings, {asking.source: asking.found}, asking.vault, now)
        told = list(every.ask(every.logged_in(), only_due=True))
    if any(one.good for one in told):
        asking.walk(now)
    return [(one.state, one.requests) for one in told]


def test_ten_days_without_a_log_in_come_back_after_the_next_one(asking: Asking, portal: Portal, clock: Clock) -> None:
    sync(asking, JUNE)
    portal.expire()
    clock.now = JUNE + DAY
    assert sync(asking, clock.now) == [("expired", 1)]
    seen = len(portal.requests)
    for day in range(2, 10):
        assert sync(asking, JUNE + day * DAY) == [("expired", 0)]
    assert len(portal.requests) == seen
    clock.now = JUNE + 10 * DAY
    asking.log_in(portal.renew("owner"), clock.now)
    ((state, requests),) = sync(asking, clock.now)
    assert (state, requests > 1) == ("provisional", True)
    assert known(asking) == truth(clock.now)
    assert len({row[0] for row in truth(clock.now)} - {row[0] for row in truth(JUNE)}) == 10
    seen = len(portal.requests)
    assert turn(asking, clock.now).missing == ()
    assert sync(asking, clock.now + timedelta(hours=1)) == [("provisional", 0)]
    assert len(portal.requests) == seen


@pytest.mark.slow
def test_what_no_window_covered_is_lost_and_nothing_else(tmp_path: Path, clock: Clock) -> None:
    """A page that shows 365 days, a log-in that ends after 30, and a person who comes back after 400."""
    begun = datetime(2025, 1, 8, 16, tzinfo=UTC)
    back = begun + 400 * DAY
    clock.now = begun
    with Portal(Linktree(LABEL), clock) as portal:
        asking = Asking(tmp_path, "linktree", PAGE.name, portal.url, Limits(seconds=60))
        asking.person(portal, begun - DAY, PAGE.name)
        for after, requests in ((timedelta(), True), (timedelta(hours=1), False), (DAY, True)):
            clock.now = begun + after
            standing = asking.fetch(clock.now)
            assert (standing.state, bool(standing.requests)) == ("provisional", requests)
        asking.walk(clock.now)
        last, clock.now = clock.now, begun + 40 * DAY
        assert sync(asking, clock.now)[0][0] == "expired"
        seen = len(portal.requests)
        assert sync(asking, begun + 300 * DAY) == [("expired", 0)]
        assert len(portal.requests) == seen
        clock.now = back
        asking.person(portal, back, PAGE.name)
        assert sync(asking, back)[0][0] == "provisional"
    first = back.date() - 364 * DAY
    assert visits(asking) == {**visited(begun), **visited(last), **visited(back)}
    with Ledger(asking.lake.ledger_path) as ledger:
        found = due_outlooks(asking.lake, ledger, asking.settings, [asking.found], back)
    (daily,) = [one for one in found or () if "linktree_daily" in one.tables]
    assert daily.lost == (Stretch(last.date() + DAY, first - DAY),)
    assert daily.kept_in_part == (Stretch(last.date(), last.date()),)
    assert daily.reachable == ()


def test_days_that_the_lake_lacks_in_the_middle_are_asked_for_again(
    asking: Asking, portal: Portal, clock: Clock
) -> None:
    for days in (0, 30, 60):
        clock.now = JUNE + days * DAY
        standing = asking.fetch(clock.now)
    asking.walk(clock.now)
    gap = Stretch(date(2025, 6, 15), date(2025, 6, 16))
    assert standing.first == gap.last + DAY
    whole = {row[:2] for row in truth(clock.now)}
    lacking = {one for one in whole if gap.first <= one[0] <= gap.last}  # type: ignore[operator]
    assert lacking
    with Ledger(asking.lake.ledger_path) as ledger:
        for one in ledger.deliveries():
            if one.exported_at == JUNE + 30 * DAY and one.feed == "metaads.insights":
                decision = decide("retract", one.id, "for the test", clock.now)
                write_decision(asking.lake, decision)
                ledger.add_decision(decision)
    asking.walk(clock.now)
    assert {row[:2] for row in known(asking)} == whole - lacking
    due = turn(asking, clock.now)
    assert (due.due, due.missing) == (True, (gap,))
    assert asking.fetch(clock.now).first == gap.first
    asking.walk(clock.now)
    assert {row[:2] for row in known(asking)} == {row[:2] for row in truth(clock.now)}
    assert turn(asking, clock.now).missing == ()


def test_an_account_that_told_nothing_once_is_asked_for_all_of_it_later(
    asking: Asking, portal: Portal, clock: Clock
) -> None:
    portal.faults.empty_account = True
    assert sync(asking, NOON)[0][0] == "no data yet"
    assert sync(asking, NOON + timedelta(minutes=1)) == [("no data yet", 0)]
    portal.faults.empty_account = False
    clock.now = NOON + DAY
    assert sync(asking, clock.now)[0][0] == "provisional"
    assert known(asking) == truth(clock.now)


def test_others_write_to_the_lake_while_a_service_lets_wait(
    tmp_path: Path, asking: Asking, service: Gated, portal: Portal
) -> None:
    person = Person(tmp_path, asking.lake.root)
    service.shut()
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(asking.fetch, NOON)
        assert service.reached.wait(30)
        imported = person.gives("import", str(GOLDEN))
        run = person.gives("run")
        service.gate.set()
        assert fetching.result(60).state == "provisional"
    assert (imported.returncode, run.returncode) == (0, 0), imported.stderr + run.stderr
    asking.walk(NOON)
    assert known(asking) == truth(NOON)


def test_two_who_ask_at_once_wait_for_each_other(asking: Asking, service: Gated, portal: Portal) -> None:
    service.shut()
    impatient = replace(asking.limits, patience=0.2)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asking.fetch, NOON)
        assert service.reached.wait(30)
        asking.limits = impatient
        with pytest.raises(Busy, match="Another bedrot is asking Meta Ads"):
            asking.fetch(NOON)
        asking.limits = replace(impatient, patience=60)
        second = pool.submit(asking.fetch, NOON + timedelta(seconds=1))
        service.gate.set()
        assert first.result(60).state == "provisional"
        assert (second.result(60).state, second.result().requests) == ("provisional", 1)
    assert first.result().requests + 1 == len(portal.requests)
    assert [path for path in asking.lake.pulls.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_what_a_dead_fetch_left_is_removed_by_the_next_one(asking: Asking, portal: Portal) -> None:
    left = asking.lake.pulls / "metaads" / "0" / "half.json"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    asking.walk(NOON)
    assert left.exists(), "a walk does not know whether somebody is asking"
    asking.fetch(NOON)
    assert not left.exists()


def test_a_stumble_over_an_answer_is_a_state_and_stops_nothing(
    asking: Asking, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connector_of(asking.found)
    assert connector is not None

    def stumble(*_told: object) -> None:
        raise KeyError("secret of an answer")

    wrong = replace(connector, pull=stumble)  # type: ignore[arg-type]
    monkeypatch.setattr("bedrot.connect.fetch.connector_of", lambda *_told: wrong)
    standing = asking.fetch(NOON)
    assert (standing.state, standing.requests) == ("portal changed", 0)
    assert "secret" not in standing.sentence
    assert "KeyError" in standing.sentence


def test_what_is_lost_first_is_asked_first_and_what_is_not_known_before(tmp_path: Path) -> None:
    """Pages fetched until different days, one never, and an ad account, whose memory is the longest."""
    lake = Lake.create(tmp_path / "lake")
    until = {("metaads", ACCOUNT): 200, ("linktree", "late"): 2, ("linktree", "early"): 9, ("linktree", "today"): 0}
    with Ledger(lake.ledger_path) as ledger:
        for (source, account), days in until.items():
            at = NOON - days * DAY
            first = at.date() - 300 * DAY
            ledger.note_standing(Standing(source, account, at, "provisional", first=first, last=at.date()))
        found = turns(lake, ledger, find_sources(), [*until, ("linktree", "never")], now=NOON)
    assert [one.account for one in found] == ["never", "early", "late", "today", ACCOUNT]
    assert [one.due for one in found] == [True, True, True, False, True]


def test_an_account_that_fails_stops_no_other_and_is_left_alone_until_somebody_acts(
    person: Person, portal: Portal
) -> None:
    """As processes, without anybody to answer: the first account's token is for the other one only."""
    token = portal.people["owner"].token
    for account in ("1", ACCOUNT):
        assert person.gives("login", "metaads", "--account", account, types=token + "\n").returncode == 0
    done = person.gives("sync", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    wrong, right = told["accounts"]
    assert (wrong["account"], wrong["state"], wrong["new_days"]) == ("1", "wrong account", 0)
    assert (right["account"], right["state"], right["needs_person"]) == (ACCOUNT, "provisional", False)
    rows = json.loads(person.gives("sql", "select count(distinct day) as n from ads_daily", "--format", "json").stdout)
    assert right["new_days"] == rows[0]["n"] > 100
    assert (told["money_in"], told["run"]["published"], len(told["needs"])) == ([], True, 1)
    seen = len(portal.requests)
    again = person.gives("sync")
    assert again.returncode == 1
    first, second, *rest = again.stdout.splitlines()
    assert first.startswith("metaads 1: wrong account; ")
    assert "bedrot login metaads" in first
    assert re.fullmatch(rf"metaads {ACCOUNT}: provisional; {NOTHING_DUE}", second)
    assert any(one.startswith("Needs you: metaads 1: ") for one in rest)
    assert person.gives("logout", "metaads", "--account", "1").returncode == 0
    due = person.gives("fetch", "--due", "--json")
    (only,) = json.loads(due.stdout)
    assert (due.returncode, bool(re.fullmatch(NOTHING_DUE, only["what"]))) == (0, True)
    assert len(portal.requests) == seen


def test_money_that_lies_in_the_inbox_comes_in_with_a_sync(person: Person) -> None:
    shutil.copy(GOLDEN, person.lake / "landing" / "inbox")
    done = person.gives("sync")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nobody is logged in anywhere: bedrot login SOURCE" in done.stdout
    assert "Money in: distrokid main: 13.88211949 USD" in done.stdout


@pytest.mark.parametrize("way", ["the vault stays shut", "the only account cannot be asked"])
def test_what_came_by_hand_is_walked_also_where_nobody_can_be_asked(person: Person, portal: Portal, way: str) -> None:
    token = portal.people["owner"].token
    assert person.gives("login", "metaads", "--account", ACCOUNT, types=token + "\n").returncode == 0
    shutil.copy(GOLDEN, person.lake / "landing" / "inbox")
    shut = way == "the vault stays shut"
    if not shut:
        with (person.lake / "bedrot.toml").open("a", encoding="utf-8") as settings:
            settings.write('\n[connect.metaads]\nway = "pigeon"\n')
    done = person.gives("sync", **({"key": ""} if shut else {}))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Money in: distrokid main: 13.88211949 USD" in done.stdout
    assert f"Needs you: {'vault log-ins' if shut else f'metaads {ACCOUNT}'}: " in done.stdout
    strict = person.gives("sync", "--strict", **({"key": ""} if shut else {}))
    assert strict.returncode == 2
    assert "Stopped at the first failure" in strict.stdout
