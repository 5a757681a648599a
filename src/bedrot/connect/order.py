"""Whose turn it is to be asked: what is missing of an account, and in which order accounts lose days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from bedrot.config import RemembersRule
from bedrot.connect.known_days import Place, has_days, published_days
from bedrot.connect.memory import Known, Memory, Outlook, Stretch, memory_of, outlook, stretches
from bedrot.connect.states import State
from bedrot.contract import Source
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.sealed import digest, stamp
from bedrot.lake.zones import Lake

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether an account is to be asked (`due`), and what is known of it.

    `begun`: whether any day is known; `gone_at`: when the next one that is not known as a whole is forgotten;
    `missing`: days that are over, that the service shows, and that no pull and no file told as a whole; `believed`:
    the pulls that brought all that they asked for, and whose files still count, the newest last.
    """

    source: str
    account: str
    due: bool
    begun: bool
    gone_at: datetime | None
    missing: tuple[Stretch, ...]
    believed: tuple[Standing, ...]


@dataclass(frozen=True)
class Lookout:
    """What is known of accounts: their days as published, and the pulls that brought files.

    `broken` are those of them that lack a file, or one that still counts; `whole` the others.
    """

    known: Mapping[Place, Known] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()

    def believed(self, standings: Iterable[Standing]) -> tuple[Standing, ...]:
        """The pulls among the standings that brought what they asked for, and of which no file was taken back."""
        return tuple(one for one in standings if State(one.state).good and self._brought(one))

    def _brought(self, one: Standing) -> bool:
        """Whether a pull brought days, or all that an account without days has."""
        name = pull_name(one.source, one.account, one.at)
        if one.first and one.last:
            return name not in self.broken
        return one.state == State.FRESH and name in self.whole

    def turn(
        self, source: Source, account: str, standings: Sequence[Standing], now: datetime, rules: Sequence[RemembersRule]
    ) -> Turn:
        """Whether an account is to be asked at an instant, and for which days besides the newest ones."""
        believed = self.believed(standings)
        missing: set[date] = set()
        found: list[Outlook] = []
        due = not believed or not State(standings[-1].state).good
        for feed in source.feeds:
            memory = memory_of(source, feed, account, rules)
            due = due or memory.today(now) > memory.today(believed[-1].at)
            asked = _asked(believed, memory)
            for table in (one for one in feed.tables if has_days(one)):
                told = self.known.get((table.name, feed.name, account), Known())
                days = Known(told.whole | asked.whole, told.partial | asked.partial)
                one = outlook(Outlook(source.name, feed.name, account, memory), days, now)
                over = memory.surely_today(now)
                missing |= {day for some in (*one.reachable, *one.unfinished) for day in _days(some) if day < over}
                found.append(one)
        return Turn(
            source.name,
            account,
            due or bool(missing),
            any(one.newest for one in found),
            min((one.gone_at for one in found if one.gone_at), default=None),
            stretches(sorted(missing)),
            believed,
        )


def look(lake: Lake, ledger: Ledger, sources: Sequence[Source]) -> Lookout:
    """What a lake knows of the accounts at some sources; unpublished days are known by the pulls that brought them."""
    decisions = ledger.decisions()
    came: Counter[str] = Counter()
    broken = set()
    for one in ledger.deliveries():
        came[one.batch] += 1
        if decisions.retracted(one.id) or decisions.account_of(one) != one.account:
            broken.add(one.batch)
    broken |= {batch for batch, number in came.items() if batch and number != int(batch.rpartition("/")[2])}
    names, lacking = (frozenset(one.rpartition("/")[0] for one in some if one) for some in (came, broken))
    return Lookout(published_days(lake, ledger, sources), lacking, names - lacking)


def turns(
    lake: Lake,
    ledger: Ledger,
    sources: Sequence[Source],
    accounts: Iterable[tuple[str, str]],
    *,
    now: datetime,
    rules: Sequence[RemembersRule] = (),
) -> list[Turn]:
    """The turns of accounts (source and account): those of which nothing is known, then what is lost first."""
    wanted = list(accounts)
    asked = [one for one in sources if any(name == one.name for name, _ in wanted)]
    seen = look(lake, ledger, asked)
    found = [
        seen.turn(source, account, ledger.standings(source.name, account), now, rules)
        for source in asked
        for name, account in wanted
        if name == source.name
    ]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda one: (one.begun, one.gone_at or never, one.source, one.account))


def pull_name(source: str, account: str, at: datetime) -> str:
    """The name of the pull of an account at an instant, which its deliveries carry in front of their number."""
    return f"{stamp(at)}-{source}-{digest({'account': account})[:8]}"


def _asked(believed: Sequence[Standing], memory: Memory) -> Known:
    """The days that pulls asked for: whole where the day was over then. What did not come of them is not there."""
    spans = [(one.first, one.last, memory.surely_today(one.at) - _DAY) for one in believed if one.first and one.last]
    whole = _joined((first, min(last, over)) for first, last, over in spans)
    return Known(whole, _joined((first, last) for first, last, _ in spans) - whole)


def _joined(spans: Iterable[tuple[date, date]]) -> frozenset[date]:
    """All days of some spans, each looked at once however much they overlap."""
    found: set[date] = set()
    until = date.min
    for first, last in sorted(spans):
        found |= _days(Stretch(max(first, until), last))
        until = max(until, last)
    return frozenset(found)


def _days(some: Stretch) -> set[date]:
    """The days of a stretch."""
    return {some.first + number * _DAY for number in range(some.days)}
