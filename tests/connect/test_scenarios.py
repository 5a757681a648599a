"""Services over time, generated: nothing is called good that is not, and each day is lost when it is and not before.

Every fetch is the real one with a real lake, ledger and vault; only the service answers in memory. What a fetch must
tell, and what it may cost, `Truth` says from the script alone.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import scenarios
from asking import KEY
from msgspec import structs
from scenarios import DAY, GOOD, HOUR, INSTANT, PLAYED, SOON, SOURCE, Scenario, Service, Truth, scenario

import bedrot.sources
from bedrot.commands.fetch import Asking, Told
from bedrot.config import AccountRule, RemembersRule, Settings
from bedrot.connect import fetch
from bedrot.connect.connector import Pulled
from bedrot.connect.fetch import Fetch, Pieces
from bedrot.connect.known_days import outlooks as due_outlooks
from bedrot.connect.known_days import outlooks_of
from bedrot.connect.memory import Known, Memory, Outlook, Stretch
from bedrot.connect.order import Lookout
from bedrot.connect.states import NotFetched, State
from bedrot.connect.vault import Session, Vault, open_vault
from bedrot.contract import Source
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.run import Walk, run

SEED = int(os.environ.get("BEDROT_SEED", "20251"))
SAMPLE, ENOUGH = 120, 1_000
"""Scenarios in a usual run, and those among which one shows what is wrong."""
TOGETHER = 10
"""So many accounts share a lake and a vault."""
MEMORY_DISK = Path("/dev/shm")  # noqa: S108  a folder of its own is made there


Remember = Callable[[Scenario], RemembersRule]
"""What is believed of a service's memory."""


@pytest.fixture(scope="module")
def sources() -> Iterator[str]:
    """The made-up source as a folder like any other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tower"
        folder.mkdir()
        (folder / "__init__.py").write_text('"""The tower."""\nfrom scenarios import SOURCE\n', encoding="utf-8")
        (folder / "connect.py").write_text('"""The tower."""\nfrom scenarios import CONNECTOR\n', encoding="utf-8")
        assert SOURCE in find_sources([Path(name)])
        yield name
        bedrot.sources.__path__.remove(name)
        for module in [one for one in sys.modules if one.startswith("bedrot.sources.tower")]:
            del sys.modules[module]


@contextmanager
def taking(ledger: Ledger) -> Iterator[dict[str, list[bytes]]]:
    """The real fetch with one ledger, without locks and the door: bodies of pulls that were taken, by account."""
    taken: dict[str, list[bytes]] = {}

    def take(_fetch: Fetch, _ledger: Ledger, _source: Source, account: str, pieces: Pieces) -> None:
        taken.setdefault(account, []).extend(path.read_bytes() for path, _asked in pieces)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "Ledger", lambda _path: nullcontext(ledger))
        patch.setattr(fetch, "writer_lock", lambda *_told: nullcontext())
        patch.setattr(fetch, "alone", lambda *_told: nullcontext())
        patch.setattr(Fetch, "_take", take)
        yield taken


@dataclass
class World:
    """A lake and a vault that some accounts share."""

    root: Path
    sources: str
    played: Sequence[Scenario]
    remember: Remember
    tally: Counter[str]

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.root / "lake")
        self.vault: Vault = open_vault(self.root / "vault", KEY)
        self.truths = {one.seed: Truth(one.service) for one in self.played}
        self.settings = Settings(
            sources=(self.sources,),
            account=tuple(AccountRule("tower", one.service.account) for one in self.played),
            remembers=tuple(self.remember(one) for one in self.played),
        )
        PLAYED.clear()
        PLAYED.update({one.service.account: one.service for one in self.played})

    def play(self) -> None:
        """Live through each scenario with all that there is, a walk in the middle, then look at what is due."""
        with Ledger(self.lake.ledger_path) as ledger:
            for one in self.played:
                self._live(ledger, one, one.asks[: len(one.asks) // 2])
            run(Walk(self.lake, ledger, self.settings), self.played[-1].now)
            for one in self.played:
                self._live(ledger, one, one.asks[len(one.asks) // 2 :])
            run(Walk(self.lake, ledger, self.settings), self.played[-1].now)
            for one in self.played:
                found = due_outlooks(self.lake, ledger, self.settings, [SOURCE], one.now) or []
                (mine,) = [each for each in found if each.account == one.service.account]
                self._check(one, mine)

    def play_without_files(self) -> None:
        """The same without files: what is due is seen from the bodies that were taken."""
        with Ledger(self.lake.ledger_path) as ledger, taking(ledger) as taken:
            for one in self.played:
                account = one.service.account
                self._live(ledger, one, one.asks)
                known = {("tower_days", "tower.days", account): _told(taken.get(account, []))}
                accounts = {"tower.days": [account]}
                (mine,) = outlooks_of([SOURCE], accounts, known, one.now, self.settings.remembers)
                self._check(one, mine)

    def _check(self, one: Scenario, found: Outlook) -> None:
        try:
            check_outlook(one, self.truths[one.seed], found, self.tally)
        except AssertionError as wrong:
            raise AssertionError(f"scenario({one.seed}) as seen at {one.now}: {wrong}\n{one.service}") from wrong

    def _live(self, ledger: Ledger, one: Scenario, asks: Sequence[tuple[datetime, bool]]) -> None:
        truth, in_force = self.truths[one.seed], -1
        for at, only_due in asks:
            in_force = self._log_in(truth, in_force, at)
            try:
                self._ask(ledger, one, truth, at, only_due=only_due)
            except AssertionError as wrong:
                raise AssertionError(
                    f"scenario({one.seed}) at {at}: {wrong}\n{one.service}\n{one.told_zone}"
                ) from wrong

    def _log_in(self, truth: Truth, in_force: int, at: datetime) -> int:
        number = truth.log_in(at)
        if number is not None and number != in_force:
            told = truth.service.log_ins[number]
            secret = str(number).encode()
            self.vault.put(Session("tower", truth.service.account, "token", secret, told.at, told.until))
        return in_force if number is None else number

    def _ask(self, ledger: Ledger, one: Scenario, truth: Truth, at: datetime, *, only_due: bool) -> None:
        begun, gone_at = bool(truth.covered), truth.gone_at(at)
        asking = Asking(self.lake, ledger, self.settings, {"tower": SOURCE}, self.vault, at)
        (told,) = asking.ask([("tower", one.service.account)], only_due=only_due)
        self.tally[told.state] += 1
        pressing = not begun or (gone_at is not None and gone_at - at < SOON)
        if one.told_zone:
            check_told(told, truth, at, only_due=only_due)
            wanted = told.state in (*scenarios.LOCKED, "portal changed") or (told.state in GOOD and truth.ends_soon(at))
            assert told.needs_person == (wanted or (told.state not in GOOD and pressing)), f"{at}: who has to act"
        else:
            check_vaguely_told(told, truth, at)
        if told.state in scenarios.LOCKED:
            assert "bedrot login tower" in told.do, "what to do is not said"


def _told(bodies: Sequence[bytes]) -> Known:
    """The days that some answers tell."""
    days: dict[date, bool] = {}
    for body in bodies:
        for one in json.loads(body)["days"]:
            day = date.fromisoformat(one["day"])
            days[day] = days.get(day, True) and one["running"]
    whole = frozenset(day for day, running in days.items() if not running)
    return Known(whole, frozenset(days) - whole)


def check_told(told: Told, truth: Truth, at: datetime, *, only_due: bool) -> None:
    """A fetch tells what is true, asks no more than it must, and calls nothing good that is not."""
    wanted = truth.expect(at, only_due=only_due)
    if told.state in GOOD - {"no data yet"}:
        assert truth.complete(at), f"{at}: {told.state}, and it is not"
    weaker = wanted.requests == 0 and (told.state, wanted.state) == ("provisional", "fresh")
    assert told.state == wanted.state or weaker, f"{at}: {told.state} instead of {wanted.state}: {told.sentence}"
    assert told.requests == wanted.requests, f"{at}: {told.requests} requests instead of {wanted.requests}"
    assert told.good == (wanted.state in GOOD)


def check_vaguely_told(told: Told, truth: Truth, at: datetime) -> None:
    """The same where nobody knows the zone: all is had that was there a day ago, and it may ask more often."""
    if not (told.good and told.requests == 0):
        wanted = truth.expect(at, only_due=False, whole=told.requests == 2)
        assert told.state == wanted.state, f"{at}: {told.state} instead of {wanted.state}: {told.sentence}"
    if told.state in GOOD - {"no data yet"}:
        assert truth.had_a_day_ago(at), f"{at}: {told.state}, and it is not"


def check_outlook(one: Scenario, truth: Truth, found: Outlook, tally: Counter[str]) -> None:
    """Lost are exactly the days that no good window covered; the countdown is right to the day and the instant."""
    lost, reachable, unfinished, in_part = truth.missed(one.now)
    tally["days lost"] += len(lost)
    tally["accounts that lost days"] += bool(lost)
    if not one.told_zone:
        assert days_of(found.lost) <= lost, "called lost what may still be shown"
    else:
        assert days_of(found.lost) == lost, "lost"
        assert days_of(found.reachable) == reachable, "reachable"
        assert days_of(found.unfinished) == unfinished, "unfinished"
        assert days_of(found.kept_in_part) == in_part, "kept in part"
    assert (found.oldest, found.newest) == ((min(truth.covered), max(truth.covered)) if truth.covered else (None, None))
    wanted = truth.next_lost(one.now)
    if wanted is None:
        assert (found.next_lost, found.gone_on, found.gone_at, found.days_left) == (None, None, None, None)
        return
    day, coming = wanted
    tally["countdowns"] += 1
    assert found.gone_at is not None
    assert found.next_lost is not None
    assert found.days_left is not None
    if not one.told_zone:
        shown = list(truth.days_to_come(found.next_lost, one.service.local(one.now)))
        until = (shown[-1] - one.service.local(one.now)).days + 1 if shown else 0
        assert found.next_lost <= day, "overlooked a day"
        assert found.days_left <= until, "promised too much"
        return
    today = one.service.local(one.now)
    assert (found.next_lost, found.gone_on) == (day, coming[-1] + DAY), "the next day that is lost"
    assert found.days_left == (coming[-1] - today).days + 1, "the countdown"
    assert found.gone_at == truth.gone_at(one.now), "the instant"
    assert one.service.shows(day, one.service.local(found.gone_at - INSTANT))
    assert not one.service.shows(day, one.service.local(found.gone_at))


def days_of(some: tuple[Stretch, ...]) -> set[date]:
    return {one.first + number * DAY for one in some for number in range(one.days)}


def played(seeds: range, sources: str, *, real: bool = False, remember: Remember | None = None) -> Counter[str]:
    """Play these scenarios, some in a lake; the seed of one that fails is told."""
    tally: Counter[str] = Counter()
    folder = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    for begin in range(seeds.start, seeds.stop, TOGETHER):
        some = [scenario(seed) for seed in range(begin, min(begin + TOGETHER, seeds.stop))]
        with tempfile.TemporaryDirectory(dir=folder) as root:
            world = World(Path(root), sources, some, remember or (lambda one: one.rule), tally)
            if real:
                world.play()
            else:
                world.play_without_files()
    return tally


def test_a_sample_of_what_may_happen(sources: str) -> None:
    sys.stdout.write(f"seed={SEED} (BEDROT_SEED overrides)\n")
    tally = played(range(SEED, SEED + SAMPLE), sources)
    assert min(tally[state] for state in [one.value for one in State]) > 5, tally
    assert tally["accounts that lost days"] > SAMPLE // 5
    assert tally["countdowns"] > SAMPLE // 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand(part: int, sources: str) -> None:
    played(range(SEED + 1_000 * part, SEED + 1_000 * (part + 1)), sources)


def test_some_with_files_and_tables(sources: str) -> None:
    sys.stdout.write(f"seed={SEED} (BEDROT_SEED overrides)\n")
    played(range(SEED, SEED + TOGETHER // 2), sources, real=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_two_hundred_with_files_and_tables(part: int, sources: str) -> None:
    played(range(SEED + 50 * part, SEED + 50 * (part + 1)), sources, real=True)


def test_what_a_scenario_may_be(sources: str) -> None:
    """The scenarios are of every kind, and the clock is at every edge."""
    some = [scenario(seed) for seed in range(SEED, SEED + 500)]
    asks = [(one.service, at) for one in some for at, _ in one.asks]
    assert {one.service.zone for one in some} == set(scenarios.ZONES)
    assert {"", *scenarios.ZONES} == {one.told_zone for one in some}
    assert {one.service.rolling for one in some} == {None, *scenarios.MEMORIES}
    assert {each.kind for one in some for each in one.service.outages} == set(scenarios.FAULTS)
    assert sum(service.local(at) != service.local(at + scenarios.SECOND) for service, at in asks) > 20
    assert sum(service.local(at) != service.local(at - scenarios.SECOND) for service, at in asks) > 20
    assert sum(offset(service, at - DAY) != offset(service, at + DAY) for service, at in asks) > 20
    assert sum(service.local(at).strftime("%m%d") in ("0229", "1231", "0101") for service, at in asks) > 50


def offset(service: Service, at: datetime) -> timedelta | None:
    return at.astimezone(service.clock).utcoffset()


def believing(change: Callable[[RemembersRule, Scenario], dict[str, Any]]) -> Remember:
    """A label that believes something else of the memories than what is so, in their own zone where it is known."""
    return lambda one: structs.replace(one.rule, **change(one.rule, one)) if one.told_zone else one.rule


WRONG_MEMORIES: dict[str, Remember] = {
    "UTC instead of the service's zone": believing(lambda _rule, _one: {"zone": "UTC"}),
    "a window one day too long": believing(lambda rule, _one: {"days": rule.days and rule.days + 1}),
    "a window one day too short": believing(lambda rule, _one: {"days": rule.days and max(1, rule.days - 1)}),
    "a calendar year taken for 365 days": believing(
        lambda rule, _one: {"days": 365, "calendar_year": None} if rule.calendar_year else {}
    ),
    "no lag": believing(lambda _rule, _one: {"lag": 0}),
    "nothing is ever forgotten": believing(lambda _rule, _one: {"days": None, "calendar_year": None, "for_ever": True}),
}


@pytest.mark.parametrize("name", WRONG_MEMORIES)
def test_a_wrong_memory_is_caught(name: str, sources: str) -> None:
    with pytest.raises(AssertionError, match=r"scenario\("):
        played(range(SEED, SEED + ENOUGH), sources, remember=WRONG_MEMORIES[name])


def _trusting(told: Any, first: date, last: date) -> None:
    """A connector that takes an answer that is well made, until whatever day it reaches."""
    if told["range"] != [first.isoformat(), last.isoformat()] or told["count"] != len(told["days"]):
        PROVE(told, first, last)


def _begins_after_24_hours(memory: Memory, day: date) -> datetime:
    """A day that ends 24 hours after it began."""
    before = datetime.combine(day - DAY, time(), ZoneInfo(memory.zone or "UTC"))
    return before.astimezone(UTC) + 24 * HOUR


def _today_without_summer(memory: Memory, now: datetime) -> date:
    """A clock that is never changed."""
    clock = ZoneInfo(memory.zone or "UTC")
    return now.astimezone(timezone(datetime(now.year, 1, 1, tzinfo=clock).utcoffset() or timedelta())).date()


def _what_failed_too(fetch: Fetch, source: Source, account: str, found: Pulled | NotFetched, pieces: Pieces) -> Any:
    """A fetch that takes what a failed pull had got until then."""
    if isinstance(found, NotFetched) and pieces:
        fetch._take(fetch.ledger, source, account, pieces)
    return NOTED(fetch, source, account, found, pieces)


def _failed_is_good(fetch: Fetch, *told: Any) -> Any:
    """A fetch that calls a failure for now as good as what was before."""
    found = TRIED(fetch, *told)
    if isinstance(found, NotFetched) and found.state is State.UNREACHABLE:
        return Pulled(State.PROVISIONAL, fetch.now.date(), fetch.now.date())
    return found


def _failed_ones_too(lookout: Lookout, standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """A lookout that takes a pull that failed for one of the days until then."""
    days = [replace(one, first=one.first or one.at.date(), last=one.last or one.at.date()) for one in standings]
    failed = [one for one in days if not State(one.state).good and one.requests]
    return tuple(sorted([*BELIEVED(lookout, standings), *failed], key=lambda one: one.at))


def _asks_again(fetch: Fetch, source: Source, account: str, _standings: Any) -> Session:
    """A fetch that forgets that it was refused."""
    return SESSION(fetch, source, account, [])


NOTED, TRIED, SESSION, BELIEVED = Fetch._noted, Fetch._tried, Fetch._session, Lookout.believed
PROVE = scenarios.prove
FALSE_GOOD, DAYS, EARLY = "and it is not", "seen at", "requests instead of 0"
WRONG_PARTS: dict[str, tuple[Any, str, Any, str]] = {
    "good on a stale answer": (scenarios, "prove", _trusting, FALSE_GOOD),
    "a failed pull called good": (Fetch, "_tried", _failed_is_good, FALSE_GOOD),
    "files of a failed pull taken": (Fetch, "_noted", _what_failed_too, DAYS),
    "a failed pull counted as a window": (Lookout, "believed", _failed_ones_too, DAYS),
    "a day of 24 hours": (Memory, "begins", _begins_after_24_hours, "the instant"),
    "a clock without summer time": (Memory, "today", _today_without_summer, ""),
    "today taken for over": (Memory, "surely_today", lambda memory, now: memory.today(now) + DAY, DAYS),
    "asked again after a refusal, or before the rest is over": (Fetch, "_session", _asks_again, EARLY),
}


@pytest.mark.parametrize("name", WRONG_PARTS)
def test_a_wrong_part_is_caught(name: str, sources: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, wrong, caught = WRONG_PARTS[name]
    monkeypatch.setattr(where, what, wrong)
    with pytest.raises(AssertionError, match=rf"scenario\(.*{caught}"):
        played(range(SEED, SEED + ENOUGH), sources)
