"""Doctor: is each account current, by the days in its data, and what to do where it is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from bedrot.config import Schedule
from bedrot.connect.known_days import outlooks
from bedrot.connect.memory import Outlook, memory_of
from bedrot.connect.states import State, command
from bedrot.contract import Feed, Source
from bedrot.lake.ledger import Standing
from bedrot.tell.status import FeedRow
from bedrot.walk.run import Walk
from bedrot.watch.schedule import ALL, times_of

SOON = 7
"""Days: so long before something is lost a person is told, and so long after."""
_DAY = timedelta(days=1)


class Health(StrEnum):
    """How an account stands, the worst last."""

    FRESH = "fresh"
    LATE = "late"
    NEEDS_YOU = "needs you"
    LOST = "lost"


@dataclass(frozen=True)
class Account:
    """How an account at a source stands: until when there is data, and the first day on which some is lost.

    `late_since` is the day on which newer data should have been there; `do` what to press.
    """

    source: str
    account: str
    health: Health
    sentence: str
    do: str = ""
    data_until: date | None = None
    next_loss: date | None = None
    late_since: date | None = None


@dataclass(frozen=True)
class Seen:
    """What is known of an account: its feeds, what its service will have forgotten, and the last time it was asked."""

    feeds: tuple[FeedRow, ...] = ()
    outlooks: tuple[Outlook, ...] = ()
    asked: Standing | None = None


def accounts(walk: Walk, now: datetime, rows: Iterable[FeedRow]) -> list[Account]:
    """How each account stands that sent a file, was asked, or is in the settings; `rows` are those of the status.

    Only days in the data count, never when a file came.
    """
    feeds: dict[tuple[str, str], list[FeedRow]] = defaultdict(list)
    for one in rows:
        feeds[one.source, one.account].append(one)
    told = {(one.source, one.name) for one in walk.settings.account}
    looks: dict[tuple[str, str], list[Outlook]] = defaultdict(list)
    for look in outlooks(walk.lake, walk.ledger, walk.settings, walk.sources, now) or ():
        looks[look.source, look.account].append(look)
    sources = {one.name: one for one in walk.sources if _fresh_days(one.feeds)}
    found = []
    for source, account in sorted({*feeds, *told, *walk.ledger.asked_accounts()}):
        if source in sources:
            asked = next(reversed(walk.ledger.standings(source, account)), None)
            seen = Seen(tuple(feeds[source, account]), tuple(looks[source, account]), asked)
            found.append(judged(sources[source], account, seen, now, longest_gap(walk.settings.schedule, source, now)))
    return found


def longest_gap(schedule: Schedule, source: str, now: datetime) -> timedelta:
    """The longest time between two times at which a source is asked."""
    times = times_of(schedule)
    instants = list(times.get(source, times[ALL]).firings(now - timedelta(days=15), now))
    return max(behind - before for before, behind in pairwise(instants))


def judged(source: Source, account: str, seen: Seen, now: datetime, gap: timedelta) -> Account:
    """How an account stands, by the worst that is so; `gap` is the longest time between two planned fetches."""
    until = max((date.fromisoformat(one.data_until) for one in seen.feeds if one.data_until), default=None)
    loss = min((one.gone_on for one in seen.outlooks if one.gone_on), default=None)
    late, feed = min(_late(source, account, seen, now, gap), default=(None, ""))
    asks = command("fetch", source.name, account) if seen.asked else f"bedrot collect {source.name}"

    def so(health: Health, sentence: str, do: str = "") -> Account:
        return Account(source.name, account, health, sentence, do, until, loss, late)

    if seen.asked is not None and _waits(seen.asked):
        do = seen.asked.do or command("login", source.name, account)
        return so(Health.NEEDS_YOU, f"Asked on {seen.asked.at:%Y-%m-%d}: {seen.asked.sentence}", do)
    if until is None:
        return so(Health.NEEDS_YOU, "Nothing of it has come yet.", asks)
    if lost := _lately_lost(seen.outlooks, now):
        days = "1 day was" if lost == 1 else f"{lost:,} days were"
        return so(Health.LOST, f"{days} lost in the last {SOON} days: the service does not show them any more.", asks)
    if any(one.days_left is not None and one.days_left <= SOON for one in seen.outlooks):
        return so(Health.NEEDS_YOU, f"Days that the lake lacks are lost from {loss} on.", asks)
    if late is not None:
        return so(Health.LATE, f"Newer data of {feed} should have been there on {late}.", asks)
    return so(Health.FRESH, "")


def _waits(asked: Standing) -> bool:
    """Whether a service is not asked again before a person has acted."""
    state = State(asked.state)
    return state.needs_person and not state.good


def _late(source: Source, account: str, seen: Seen, now: datetime, gap: timedelta) -> Iterable[tuple[date, str]]:
    """The day on which newer data should have been there, and the name, of each feed that is late."""
    for feed in source.feeds:
        mine = next((one for one in seen.feeds if one.feed == feed.name), None)
        fresh = _fresh_days([feed])
        if mine is None or mine.data_until is None or not fresh:
            continue
        memory, until = memory_of(source, feed, account), date.fromisoformat(mine.data_until)
        if memory.absent_may_be_empty and seen.asked is not None and seen.asked.last is not None:
            until = max(until, seen.asked.last)  # days of which nothing is told may be days on which nothing happened
        expected = until + timedelta(days=fresh) + gap + _DAY
        if now.date() >= expected:
            yield expected, feed.name


def _fresh_days(feeds: Iterable[Feed]) -> int:
    """By how many days the newest day of feeds may lie back."""
    return max((table.fresh_days for feed in feeds for table in feed.tables), default=0)


def _lately_lost(looks: Sequence[Outlook], now: datetime) -> int:
    """How many days a service has ceased to show lately that the lake does not have."""
    since, found = now.date() - timedelta(days=SOON), set()
    for one in looks:
        for some in one.lost:
            days = (some.first + number * _DAY for number in range(some.days))
            found |= {day for day in days if (gone := one.memory.gone_on(day)) and gone > since}
    return len(found)
