"""The window-watch against a service that is watched over time: what is lost, and when the next day will be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

import pytest

from bedrot.config import RemembersRule
from bedrot.connect.memory import Known, Memory, Outlook, Stretch, memory_of, order, outlook, together
from bedrot.contract import Feed, Remembers, Source
from bedrot.demo.chance import Chance
from bedrot.errors import Misconfigured

SEED = 20251
HOUR, DAY, INSTANT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Asia/Beirut", "Africa/Cairo",
    "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Havana",
    "America/Santiago", "Asia/Kathmandu", "Pacific/Chatham", "Etc/GMT+12",
)  # fmt: skip
"""Zones far apart; their clocks change never, by half an hour, or at midnight (Beirut, Cairo, Havana, Santiago)."""

Look = Callable[[Outlook, Known, datetime], Outlook]


@dataclass
class Service:
    """A service as one could watch it: what it shows at an instant, plainly."""

    rolling: int | None
    year: bool
    lag: int
    zone: str
    late: dict[date, int] = field(default_factory=dict)

    def local(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()

    def shows(self, day: date, today: date) -> bool:
        """Whether it shows a day on one of its own days."""
        behind = (today - day).days - self.lag  # 0: it is the newest
        if behind < 0 or (self.late and behind < self.late.get(day, 0)):
            return False
        if self.year:
            return day.year == today.year
        return self.rolling is None or behind < self.rolling


@dataclass
class Scenario:
    """A label that fetched now and then from a service, and the instant at which it asks what is due."""

    seed: int
    service: Service
    memory: Memory
    opened: date
    fetches: list[datetime]
    now: datetime

    @cached_property
    def known(self) -> Known:
        """What the label has: each day that a window covered, whole where it was over by then."""
        whole: set[date] = set()
        partial: set[date] = set()
        for at in self.fetches:
            today = self.service.local(at)
            for number in range((today - self.opened).days + 1):
                day = self.opened + number * DAY
                if self.service.shows(day, today):
                    (partial if day == today else whole).add(day)
        return Known(frozenset(whole), frozenset(partial - whole))

    @cached_property
    def covered(self) -> frozenset[date]:
        """The days that any window ever covered."""
        return self.known.whole | self.known.partial

    @cached_property
    def coming(self) -> list[date]:
        """Each of the service's own days from now on, met by walking on until all that it shows now is forgotten."""
        days = 366 + 5 if self.service.year else (self.service.rolling or 0) + self.service.lag + 2
        found: dict[date, None] = {}
        for number in range(0, days * 24 + 1, 12):  # no day is as short as that
            found[self.service.local(self.now + number * HOUR)] = None
        return list(found)

    def outlook(self, look: Look, now: datetime) -> Outlook:
        return look(Outlook("service", "service.days", "main", self.memory), self.known, now)


@cache
def scenario(seed: int) -> Scenario:
    """One way in which things may go, from its seed."""
    chance = Chance("memory", seed)
    kind = chance.below(10)
    service = Service(
        rolling=chance.pick((1, 2, 3, 7, 10, 28, 40)) if kind < 6 else None,
        year=6 <= kind < 9,
        lag=chance.pick((0, 0, 1, 1, 2, 4)),
        zone=chance.pick(ZONES),
    )
    start = datetime(chance.between(2023, 2027), chance.pick((2, 3, 9, 10, 11, 12, 12)), 1, tzinfo=UTC)
    start += chance.below(40 * 24 * 60) * timedelta(minutes=1)
    opened = service.local(start) - chance.below(20) * DAY
    fetches = []
    at = start
    out_until = start
    for _ in range(chance.between(1, 45)):
        if chance.happens(60):
            out_until = at + chance.between(1, 60) * DAY  # the log-in died, and nobody saw it
        if at >= out_until:
            fetches.append(at)
        at += chance.between(1, 40) * timedelta(hours=chance.pick((1, 1, 6))) + chance.below(3600) * timedelta(
            seconds=1
        )
    if chance.happens(300):
        for _ in range(chance.between(1, 5)):
            service.late[service.local(start) + chance.below(60) * DAY] = chance.between(1, 6)
    zone = "" if chance.happens(200) else service.zone
    memory = Memory(service.rolling, "It is invented.", service.year, service.lag, zone)
    now = at + (0 if chance.happens(500) else chance.below(60 * 24)) * HOUR
    return Scenario(seed, service, memory, opened, fetches, now)


def days_of(some: tuple[Stretch, ...]) -> set[date]:
    return {one.first + number * DAY for one in some for number in range(one.days)}


def check_lost(one: Scenario, look: Look) -> None:
    """Lost are exactly the days that no window covered and no hour to come shows; nothing before the first known."""
    found = one.outlook(look, one.now)
    if not one.covered:
        assert found.lost == found.reachable == ()
        assert found.newest is None
        return
    first, today = min(one.covered), one.service.local(one.now)
    plain = replace(one.service, late={})
    between = [first + number * DAY for number in range((today - first).days + 1)]
    missed = {day for day in between if day not in one.covered}
    never_again = {day for day in missed if not any(plain.shows(day, each) for each in one.coming)}
    lost, reachable = days_of(found.lost), days_of(found.reachable)
    if plain.rolling is None and not plain.year:
        never_again = set()
    if one.memory.zone:
        assert lost == never_again
        assert reachable == {day for day in missed if plain.shows(day, today)}
    else:
        assert lost <= never_again, "called lost what may still be shown"
        assert missed - lost - reachable <= {day for day in missed if day > today - (plain.lag + 3) * DAY}
    assert (found.oldest, found.newest) == (first, max(one.covered))
    late = one.now + 3 * DAY  # then all that was gone at `now` is gone in every zone
    assert never_again <= days_of(one.outlook(look, late).lost), "said that nothing was lost"


def check_countdown(one: Scenario, look: Look) -> None:
    """A fetch at the last instant still covers the day that is lost next, and one at the next instant does not."""
    found = one.outlook(look, one.now)
    plain = replace(one.service, late={})
    if not one.covered or (plain.rolling is None and not plain.year):
        assert found.days_left is None
        assert found.gone_at is None
        return
    assert found.next_lost is not None
    assert found.gone_at is not None
    assert found.days_left is not None
    day, today = found.next_lost, one.service.local(one.now)
    coming = one.coming
    comes = (each for each in sorted(set(coming) | set(_from(min(one.covered), today))) if each >= min(one.covered))
    wanted = next(each for each in comes if each not in one.known.whole and any(plain.shows(each, t) for t in coming))
    if not one.memory.zone:
        # At the worst the fastest clock counts: it promises never more, and at most two days less.
        shown = [each for each in coming if plain.shows(day, each)]
        assert day <= wanted, "overlooked a day"
        assert found.days_left <= max(0, (shown[-1] - today).days + 1 if shown else 0), "promised too much"
        if found.days_left:
            assert _covers(plain, day, found.gone_at - INSTANT)
        return
    assert day == wanted
    last = max(each for each in _on(plain, day, coming) if plain.shows(day, each))
    assert found.days_left == sum(today <= each <= last for each in coming), "the countdown is not right to the day"
    assert _covers(plain, day, found.gone_at - INSTANT), "gone before it was said to be"
    assert not _covers(plain, day, found.gone_at), "still there when it was said to be gone"
    assert plain.local(found.gone_at) == found.gone_on
    # What a fetch at the last instant brings, and one at the next cannot.
    assert day not in days_of(look(found, one.known, found.gone_at - INSTANT).lost)
    if found.newest and day not in one.known.partial:
        assert day in days_of(look(found, one.known, found.gone_at).lost)


def _covers(service: Service, day: date, at: datetime) -> bool:
    return service.shows(day, service.local(at))


def _from(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


def _on(service: Service, day: date, coming: list[date]) -> list[date]:
    """The days to come, and where a day will be shown behind them only, those on which it is."""
    behind = [day + number * DAY for number in range(400 if service.year else 60)]
    return sorted(set(coming) | {each for each in behind if each >= coming[0]})


def check(one: Scenario, look: Look = outlook) -> None:
    check_lost(one, look)
    check_countdown(one, look)


def run(seeds: range, look: Look = outlook) -> None:
    """Check these scenarios; the seed of one that fails is told."""
    for seed in seeds:
        one = scenario(seed)
        try:
            check(one, look)
        except AssertionError as wrong:
            raise AssertionError(f"scenario({seed}): {wrong}\n{one.service}\n{one.memory}, now {one.now}") from wrong


def test_a_thousand_ways_in_which_things_go() -> None:
    run(range(SEED, SEED + 1_000))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(9))
def test_nine_thousand_more(part: int) -> None:
    run(range(SEED + 1_000 * (part + 1), SEED + 1_000 * (part + 2)))


def test_the_ways_are_of_every_kind() -> None:
    some = [scenario(seed) for seed in range(SEED, SEED + 1_000)]
    looks = [one.outlook(outlook, one.now) for one in some]
    assert {one.memory.zone for one in some} == {"", *ZONES}
    assert sum(bool(one.lost) for one in looks) > 100
    assert sum(bool(one.reachable) for one in looks) > 100
    assert sum(bool(one.service.late) for one in some) > 100
    assert sum(one.memory.calendar_year and bool(found.lost) for one, found in zip(some, looks, strict=True)) > 20
    assert sum(one.newest is None for one in looks) > 0
    assert sum(_clock_changes(one) for one in some) > 100


def _clock_changes(one: Scenario) -> bool:
    zone = ZoneInfo(one.service.zone)
    return len({at.astimezone(zone).utcoffset() for at in (one.fetches or [one.now])}) > 1


def _told(change: Callable[[Memory], Memory]) -> Look:
    return lambda of, known, now: replace(outlook(replace(of, memory=change(of.memory)), known, now), memory=of.memory)


def _before_the_first(of: Outlook, known: Known, now: datetime) -> Outlook:
    """A look that takes the account for older than it is."""
    found = outlook(of, known, now)
    if found.oldest is None:
        return found
    older = outlook(of, replace(known, whole=known.whole | {found.oldest - 5 * DAY}), now)
    return replace(older, oldest=found.oldest)


def _last_day_short(of: Outlook, known: Known, now: datetime) -> Outlook:
    """A look that counts the days between, and so forgets today."""
    found = outlook(of, known, now)
    return found if not found.days_left else replace(found, days_left=found.days_left - 1)


WRONG: dict[str, Look] = {
    "UTC instead of the service's zone": _told(lambda one: replace(one, zone="UTC")),
    "an unknown zone taken for UTC": _told(lambda one: one if one.zone else replace(one, zone="UTC")),
    "a window one day too long": _told(lambda one: replace(one, days=one.days + 1) if one.days else one),
    "a window one day too short": _told(lambda one: replace(one, days=max(1, one.days - 1)) if one.days else one),
    "a calendar year taken for 365 days": _told(
        lambda one: replace(one, days=365, calendar_year=False) if one.calendar_year else one
    ),
    "days before the first known one missed": _before_the_first,
    "today not counted": _last_day_short,
    "no lag": _told(lambda one: replace(one, lag=0)),
    "never lost": _told(lambda one: replace(one, days=None, calendar_year=False)),
    "running days taken for whole": lambda of, known, now: outlook(of, Known(known.whole | known.partial), now),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_caught(name: str) -> None:
    with pytest.raises(AssertionError):
        run(range(SEED, SEED + 1_000), WRONG[name])


def _of(memory: Memory) -> Outlook:
    return Outlook("service", "service.days", "main", memory)


def _days(first: str, last: str) -> frozenset[date]:
    return frozenset(_from(date.fromisoformat(first), date.fromisoformat(last)))


def test_a_change_of_the_clock_moves_the_last_instant_not_the_day() -> None:
    memory = Memory(28, "", zone="Europe/Berlin")
    found = outlook(_of(memory), Known(_days("2026-02-20", "2026-03-01")), datetime(2026, 3, 28, 23, 30, tzinfo=UTC))
    assert (found.next_lost, found.gone_on, found.days_left) == (date(2026, 3, 2), date(2026, 3, 30), 1)
    assert found.gone_at == datetime(2026, 3, 29, 22, tzinfo=UTC), "summer time begins on that day"


def test_a_day_without_a_midnight_begins_when_the_clock_jumps() -> None:
    memory = Memory(1, "", zone="Africa/Cairo")
    assert memory.begins(date(2025, 4, 25)) == datetime(2025, 4, 24, 22, tzinfo=UTC)
    assert memory.today(datetime(2025, 4, 24, 22, tzinfo=UTC)) == date(2025, 4, 25)


def test_a_new_year_takes_what_came_late_with_it() -> None:
    memory = Memory(None, "", calendar_year=True, lag=4, zone="UTC")
    known = Known(_days("2025-10-01", "2025-12-24"))
    before = outlook(_of(memory), known, datetime(2025, 12, 31, 12, tzinfo=UTC))
    assert before.reachable == (Stretch(date(2025, 12, 25), date(2025, 12, 27)),)
    assert (before.next_lost, before.days_left) == (date(2025, 12, 25), 1)
    assert before.lost == (Stretch(date(2025, 12, 28), date(2025, 12, 31)),), "no answer will ever hold them"
    after = outlook(_of(memory), known, datetime(2026, 1, 1, tzinfo=UTC))
    assert after.lost == (Stretch(date(2025, 12, 25), date(2025, 12, 31)),)
    assert (after.next_lost, after.gone_on) == (date(2026, 1, 1), date(2027, 1, 1))
    all_got = outlook(_of(memory), Known(_days("2025-10-01", "2025-12-27")), datetime(2025, 12, 31, 12, tzinfo=UTC))
    assert all_got.next_lost == date(2026, 1, 1), "the last days of December are never shown: no fetch saves them"


def test_absent_days_that_may_be_empty_do_not_count_down_between_known_ones() -> None:
    memory = Memory(30, "", zone="UTC", absent_may_be_empty=True)
    known = Known(_days("2026-01-01", "2026-01-10") | _days("2026-01-13", "2026-01-20"))
    now = datetime(2026, 1, 21, 12, tzinfo=UTC)
    found = outlook(_of(memory), known, now)
    assert found.reachable[0] == Stretch(date(2026, 1, 11), date(2026, 1, 12))
    assert found.next_lost == date(2026, 1, 21)
    sure = outlook(_of(replace(memory, absent_may_be_empty=False)), known, now)
    assert sure.next_lost == date(2026, 1, 11)


def test_a_day_that_was_still_running_is_asked_for_again() -> None:
    memory = Memory(3, "", zone="UTC")
    known = Known(_days("2026-01-01", "2026-01-09"), _days("2026-01-10", "2026-01-10"))
    found = outlook(_of(memory), known, datetime(2026, 1, 11, 12, tzinfo=UTC))
    assert (found.unfinished, found.next_lost) == ((Stretch(date(2026, 1, 10), date(2026, 1, 10)),), date(2026, 1, 10))
    late = outlook(_of(memory), known, datetime(2026, 1, 13, tzinfo=UTC))
    assert late.kept_in_part == found.unfinished
    assert late.lost == ()


def test_days_that_nobody_can_have_told_yet_are_not_believed() -> None:
    memory = Memory(30, "", zone="UTC", absent_may_be_empty=True)
    known = Known(_days("2026-01-01", "2026-01-10") | {date(2099, 1, 1)})
    found = outlook(_of(memory), known, datetime(2026, 1, 12, tzinfo=UTC))
    assert (found.newest, found.next_lost) == (date(2026, 1, 10), date(2026, 1, 11))


def test_what_is_lost_first_comes_first() -> None:
    now = datetime(2026, 1, 12, tzinfo=UTC)
    known = Known(_days("2026-01-01", "2026-01-11"))

    def one(source: str, account: str, memory: Memory, told: Known = known) -> Outlook:
        return outlook(Outlook(source, f"{source}.days", account, memory), told, now)

    ever, long, short = Memory(None, ""), Memory(90, "", zone="UTC"), Memory(30, "", zone="UTC")
    west, unknown = replace(short, zone="America/New_York"), replace(short, zone="")
    wanted = [
        one("e", "x", unknown), one("b", "a", short), one("b", "b", short), one("c", "a", short), one("d", "a", west),
        one("a", "a", long), one("a", "z", long, Known()), one("a", "e", ever),
    ]  # fmt: skip
    assert order(reversed(wanted)) == wanted


def test_tables_that_stand_alike_are_told_once() -> None:
    now = datetime(2026, 1, 12, tzinfo=UTC)
    of = _of(Memory(30, ""))
    full, short = Known(_days("2026-01-01", "2026-01-11")), Known(_days("2026-01-01", "2026-01-05"))
    some = [
        outlook(replace(of, tables=(name,)), known, now) for name, known in (("a", full), ("b", short), ("c", full))
    ]
    empty = replace(of, tables=("d",))
    assert [one.tables for one in together([*some, empty])] == [("a", "c"), ("b",)]
    assert [one.tables for one in together([empty])] == [("d",)]


def _source() -> tuple[Source, Feed]:
    feed = Feed("service.days", "", (), lambda _: False, lambda *_: iter(()), lambda _: None)
    return Source("service", "Service", (feed,), Remembers(365, "The page says so.")), feed


def test_a_person_knows_better_than_the_source() -> None:
    source, feed = _source()
    rules = (
        RemembersRule("service", account="free", days=90, evidence="The free plan."),
        RemembersRule("service", zone="Europe/Berlin"),
        RemembersRule("service", feed="service.days", lag=1),
        RemembersRule("other", days=1),
        RemembersRule("service", account="old", calendar_year=True),
        RemembersRule("service", account="kept", for_ever=True, absent_may_be_empty=True),
    )
    told = {name: memory_of(source, feed, name, rules) for name in ("main", "free", "old", "kept")}
    usual = Memory(365, "The page says so.", lag=1, zone="Europe/Berlin")
    assert memory_of(source, feed, "main") == Memory(365, "The page says so.")
    assert told["main"] == usual
    assert told["free"] == replace(usual, days=90, evidence="The free plan.")
    assert told["old"] == replace(usual, days=None, calendar_year=True)
    assert told["kept"] == replace(usual, days=None, absent_may_be_empty=True)


@pytest.mark.parametrize(
    "told",
    [
        {"days": 0}, {"days": 3, "calendar_year": True}, {"days": 3, "lag": -1}, {"days": 3, "lag": 365},
        {"days": 3, "zone": "Mars/Olympus"}, {"days": 3, "zone": "../etc"}, {"days": 3, "zone": "Europe"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(told: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        Memory(evidence="", **told)  # type: ignore[arg-type]
