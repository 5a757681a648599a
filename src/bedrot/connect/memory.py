"""What a service still remembers, what it will have forgotten next and when, and what is lost: values in, values out.

A day here is always the service's own. Where its time zone is not known, the fastest clock on Earth (UTC+14) says when
a day is gone, so that no countdown promises a day too many, and the slowest one (UTC-12) says what is certainly lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from bedrot.config import RemembersRule
from bedrot.contract import Feed, Remembers, Source
from bedrot.errors import Misconfigured

_DAY = timedelta(days=1)
_FASTEST, _SLOWEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
_LONGEST_LAG = 364


@dataclass(frozen=True, slots=True)
class Memory(Remembers):
    """How long a service shows a day, checked, and what that means on the clock.

    A window of days ends with the newest day shown, `lag` days behind today (0: today is shown, still running).
    """

    def __post_init__(self) -> None:
        if self.calendar_year and self.days is not None:
            raise Misconfigured("A memory is a number of days or a calendar year, not both.", "Tell one of them.")
        if self.days is not None and self.days < 1:
            raise Misconfigured(f"A service cannot remember {self.days} days.", "Tell at least 1 day.")
        if not 0 <= self.lag <= _LONGEST_LAG:
            raise Misconfigured(f"A service's newest day cannot lie {self.lag} days back.", "Tell 0 to 364 days.")
        _zone(self.zone, _FASTEST)

    @classmethod
    def of(cls, told: Remembers) -> Memory:
        """The memory that a source or feed tells of itself; Misconfigured where it contradicts itself."""
        return cls(**asdict(told))

    def today(self, now: datetime) -> date:
        """The service's day at an instant; the latest that it can be where the zone is not known."""
        return now.astimezone(_zone(self.zone, _FASTEST)).date()

    def surely_today(self, now: datetime) -> date:
        """The service's day at an instant; the earliest that it can be where the zone is not known."""
        return now.astimezone(_zone(self.zone, _SLOWEST)).date()

    def shown_from(self, day: date) -> date:
        """The service's day on which it shows a day for the first time."""
        return day + timedelta(days=self.lag)

    def gone_on(self, day: date) -> date | None:
        """The first of the service's days on which it shows a day no more; None: never."""
        if self.calendar_year:
            return date(day.year + 1, 1, 1)
        return None if self.days is None else day + timedelta(days=self.lag + self.days)

    def ever_shown(self, day: date) -> bool:
        """Whether a day is shown at all: the last of a calendar year may come when the year is forgotten already."""
        gone = self.gone_on(day)
        return gone is None or self.shown_from(day) < gone

    def begins(self, day: date) -> datetime:
        """The instant (UTC) at which one of the service's days begins; the earliest where the zone is not known."""
        return datetime.combine(day, time(), _zone(self.zone, _FASTEST)).astimezone(UTC)


def _zone(name: str, unknown: tzinfo) -> tzinfo:
    """The zone of a name; the other one where none is told."""
    if not name:
        return unknown
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as wrong:
        raise Misconfigured(
            f"There is no time zone '{name}'.", "Write it as Europe/Berlin, or leave it out."
        ) from wrong


def memory_of(source: Source, feed: Feed, account: str, rules: Iterable[RemembersRule] = ()) -> Memory:
    """How long a source remembers a feed of an account: as the person, else the feed, else the source tells.

    Of several rules the one that names more is the stronger (the account before the feed); of equals, the later one.
    """
    found = Memory.of(feed.remembers or source.remembers)
    fits = [
        one
        for one in rules
        if one.source == source.name and one.account in (None, account) and one.feed in (None, feed.name)
    ]
    for one in sorted(fits, key=lambda one: (one.account is not None, one.feed is not None)):
        found = _ruled(found, one)
    return found


def _ruled(memory: Memory, rule: RemembersRule) -> Memory:
    """A memory with what a rule says of it."""
    if rule.for_ever:
        memory = replace(memory, days=None, calendar_year=False)
    elif rule.calendar_year:
        memory = replace(memory, days=None, calendar_year=True)
    elif rule.days is not None:
        memory = replace(memory, days=rule.days, calendar_year=False)
    return replace(
        memory,
        lag=memory.lag if rule.lag is None else rule.lag,
        zone=memory.zone if rule.zone is None else rule.zone,
        evidence=rule.evidence or memory.evidence,
        absent_may_be_empty=(
            memory.absent_may_be_empty if rule.absent_may_be_empty is None else rule.absent_may_be_empty
        ),
    )


@dataclass(frozen=True, slots=True)
class Known:
    """The days that are known of a series: whole, and those told only while they were still running or changing."""

    whole: frozenset[date] = frozenset()
    partial: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days that follow each other, both ends among them."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days they are."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """How it stands with what a service remembers of a feed of an account; `tables` are those that stand so.

    `reachable` are days missing that the service still shows, `lost` those that it never will again; `unfinished` and
    `kept_in_part` are the same of days that are known only as they were while they ran. Nothing before the first
    known day is missing. `next_lost` is the day that is lost next if nothing is fetched, `gone_on` the first day on
    which it is gone, `gone_at` the instant when that begins, `days_left` how many days, today among them, a fetch
    still finds it (0: it may be gone at any hour); all None where nothing will be forgotten or nothing is known.
    """

    source: str
    feed: str
    account: str
    memory: Memory
    tables: tuple[str, ...] = ()
    oldest: date | None = None
    newest: date | None = None
    reachable: tuple[Stretch, ...] = ()
    lost: tuple[Stretch, ...] = ()
    unfinished: tuple[Stretch, ...] = ()
    kept_in_part: tuple[Stretch, ...] = ()
    next_lost: date | None = None
    gone_on: date | None = None
    gone_at: datetime | None = None
    days_left: int | None = None


def outlook(of: Outlook, known: Known, now: datetime) -> Outlook:
    """The outlook (which so far says only whose it is, and the memory) at an instant, told what is known.

    Days that the service cannot have told yet are not believed. Where absent days may be empty, those between known
    ones do not count down: whoever got the later days got the answer for them too.
    """
    memory, today = of.memory, of.memory.today(now)
    whole = {day for day in known.whole if day <= today}
    seen = whole | {day for day in known.partial if day <= today}
    if not seen:
        return of
    begun, sure, partial = min(seen), memory.surely_today(now), seen - whole
    past = [begun + number * _DAY for number in range((sure - begun).days + 1)]
    shown = {day: _shown(memory, day, sure) for day in past}
    found = replace(
        of,
        oldest=begun,
        newest=max(seen),
        reachable=stretches(day for day in past if day not in seen and shown[day] is True),
        lost=stretches(day for day in past if day not in seen and shown[day] is False),
        unfinished=stretches(day for day in past if day in partial and day < sure and shown[day] is not False),
        kept_in_part=stretches(day for day in past if day in partial and shown[day] is False),
    )
    day = _next_lost(memory, seen, whole, sure)
    gone = memory.gone_on(day) if day else None
    if gone is None:
        return found
    left = max(0, (gone - today).days)
    return replace(found, next_lost=day, gone_on=gone, gone_at=memory.begins(gone), days_left=left)


def _shown(memory: Memory, day: date, today: date) -> bool | None:
    """Whether the service shows a day; None: not yet; False where it never will again, or never at all."""
    gone = memory.gone_on(day)
    if (gone is not None and gone <= today) or not memory.ever_shown(day):
        return False
    return True if memory.shown_from(day) <= today else None


def _next_lost(memory: Memory, seen: set[date], whole: set[date], today: date) -> date | None:
    """The oldest day, not known as a whole, that a fetch can still bring or will; None where all stays for ever."""
    if memory.gone_on(today) is None:
        return None
    day = min(seen)
    newest = max(seen)
    while True:
        doubtful = memory.absent_may_be_empty and day < newest and day not in seen
        if not (day in whole or doubtful or _shown(memory, day, today) is False):
            return day
        day += _DAY


def stretches(days: Iterable[date]) -> tuple[Stretch, ...]:
    """Days in their order as stretches of days that follow each other."""
    found: list[Stretch] = []
    for day in days:
        if found and found[-1].last + _DAY == day:
            found[-1] = Stretch(found[-1].first, day)
        else:
            found.append(Stretch(day, day))
    return tuple(found)


def counted(some: Iterable[Stretch]) -> int:
    """How many days the stretches are."""
    return sum(one.days for one in some)


def together(outlooks: Iterable[Outlook]) -> list[Outlook]:
    """The outlooks of a feed's tables, those that stand alike as one; tables without a day only where none has any."""
    found: dict[Outlook, tuple[str, ...]] = {}
    for one in outlooks:
        alike = replace(one, tables=())
        found[alike] = found.get(alike, ()) + one.tables
    begun = {(one.feed, one.account) for one in found if one.newest}
    return [
        replace(one, tables=tables)
        for one, tables in found.items()
        if one.newest or (one.feed, one.account) not in begun
    ]


def order(outlooks: Iterable[Outlook]) -> list[Outlook]:
    """The outlooks in the order in which to fetch: what is lost first comes first, what is never lost last."""
    return sorted(outlooks, key=_urgency)


def _urgency(one: Outlook) -> tuple[int, datetime, str, str, str, tuple[str, ...]]:
    """What stands first is more urgent; feeds of which nothing is known stand before those that lose nothing."""
    rank = 0 if one.gone_at else 1 if one.newest is None else 2
    return rank, one.gone_at or datetime.max.replace(tzinfo=UTC), one.source, one.account, one.feed, one.tables
