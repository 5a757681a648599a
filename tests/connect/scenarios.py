"""Ways in which a service may behave over time, made from a seed, and what is true of each, told by the script alone.

The service answers in memory. `pull` asks it as a real connector asks a real one, and proves what it was told: whose
it is, of which days, and that they reach as far as they can. `Truth` knows the script and nothing of the program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from bedrot.config import RemembersRule
from bedrot.connect.connector import Connector, Keep, Pulled, Task
from bedrot.connect.states import NotFetched, State
from bedrot.connect.vault import Session
from bedrot.connect.web import Reply, Web
from bedrot.contract import (
    Facts,
    Feed,
    Field,
    Grain,
    Kind,
    Merge,
    Original,
    Partition,
    Remembers,
    Row,
    Source,
    Stamp,
    Table,
)
from bedrot.demo.chance import Chance

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
INSTANT = timedelta(microseconds=1)
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Asia/Beirut", "Africa/Cairo",
    "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Havana",
    "America/Santiago", "Pacific/Chatham", "Etc/GMT+12",
)  # fmt: skip
"""Zones far apart; their clocks change never, by half an hour, or at midnight (Beirut, Cairo, Havana, Santiago)."""
MEMORIES = (1, 2, 7, 7, 28, 28, 30, 30, 60, 60, 365, 365)
LOCKED = {"expired", "challenged", "wrong account", "forbidden"}
GOOD = {"fresh", "provisional", "expiring", "no data yet"}
SOON = timedelta(days=7)

FAULTS: dict[str, str] = {
    "unreachable": "unreachable", "broken": "unreachable", "throttled": "throttled", "maintenance": "portal changed",
    "cut": "portal changed", "renamed": "portal changed", "hole": "portal changed", "other range": "portal changed",
    "stale": "unreachable", "short": "unreachable", "no days": "portal changed", "seems empty": "portal changed",
}  # fmt: skip
"""What may be wrong with a service for a while, and the state that it is then."""
OF_DAYS = {"hole", "other range", "stale", "short", "no days"}
"""Those that only an answer with days can have."""


@dataclass(frozen=True)
class Outage:
    """What is wrong with the service from one instant to another; `size` is in days, or in hours of rest.

    `late`: it begins in the middle of a pull, after the first question.
    """

    kind: str
    begin: datetime
    end: datetime
    size: int
    late: bool


@dataclass(frozen=True)
class LogIn:
    """A person's log-in: when, until when the service says it is good, when it dies and how, and what it opens."""

    at: datetime
    until: datetime | None
    dies: datetime | None
    how: str = "expired"
    opens: str = "own"


@dataclass
class Service:
    """A service: what it shows at an instant, and what it answers then."""

    account: str
    rolling: int | None
    year: bool
    lag: int
    zone: str
    opened: date
    outages: list[Outage] = field(default_factory=list)
    log_ins: list[LogIn] = field(default_factory=list)

    @cached_property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def local(self, at: datetime) -> date:
        return at.astimezone(self.clock).date()

    def shows(self, day: date, today: date) -> bool:
        """Whether it shows a day on one of its own days."""
        behind = (today - day).days - self.lag  # 0: it is the newest
        if behind < 0 or day < self.opened:
            return False
        if self.year:
            return day.year == today.year
        return self.rolling is None or behind < self.rolling

    def window(self, at: datetime) -> list[date]:
        """All that it shows at an instant."""
        today = self.local(at)
        behind = (today - self.opened).days
        if self.rolling is not None:
            behind = min(behind, self.rolling + self.lag)
        return [day for day in (today - number * DAY for number in range(behind, -1, -1)) if self.shows(day, today)]

    def wrong(self, at: datetime, question: str) -> Outage | None:
        """What is wrong with it when it is asked."""
        for one in self.outages:
            if one.begin <= at < one.end and not (one.late and question == "me"):
                return one
        return None

    def opens(self, number: int, at: datetime) -> str:
        """What a log-in opens at an instant."""
        log_in = self.log_ins[number]
        return log_in.how if log_in.dies is not None and at >= log_in.dies else log_in.opens

    def answer(self, number: int, question: str, first: date | None, last: date | None, at: datetime) -> Reply | None:
        """What it says to whoever logged in so; None: nothing."""
        wrong = self.wrong(at, question)
        kind = wrong.kind if wrong else ""
        if wrong and kind == "throttled":
            return Reply(429, {"retry-after": str(wrong.size * 3600)}, b"")
        if kind == "unreachable":
            return None
        if kind in ("broken", "maintenance"):
            return Reply(503 if kind == "broken" else 200, {}, b"<html>We will be back soon.</html>")
        opens = self.opens(number, at)
        if opens not in {"own", "other"}:
            return Reply({"expired": 401, "challenged": 200, "forbidden": 403}[opens], {}, b'{"challenge":"who?"}')
        told: dict[str, Any] = {"tower": self.account if opens == "own" else f"not-{self.account}"}
        if question == "me":
            begun = self.opened <= self.local(at) and kind != "seems empty"
            told |= {"zone": self.zone, "since": self.opened.isoformat() if begun else None}
        elif first is not None and last is not None:
            told |= self._days(first, last, at, wrong)
        body = json.dumps({"towers" if kind == "renamed" and key == "tower" else key: told[key] for key in told})
        return Reply(200, {}, body[: len(body) // 2].encode() if kind == "cut" else body.encode())

    def _days(self, first: date, last: date, at: datetime, wrong: Outage | None) -> dict[str, Any]:
        kind, size = (wrong.kind, wrong.size) if wrong else ("", 0)
        seen = wrong.begin - (size - 1) * DAY if wrong and kind == "stale" else at
        if kind == "other range":
            first, last = first - size * DAY, last - size * DAY
        days = [day for day in self.window(seen) if first <= day <= last]
        count = len(days)
        if kind == "short":
            days = days[:-size]
            count = len(days)
        elif kind == "hole":
            del days[len(days) // 2 : len(days) // 2 + size]
        elif kind == "no days":
            days = []
        running = self.local(seen)
        told = [{"day": day.isoformat(), "views": day.toordinal(), "running": day == running} for day in days]
        return {"at": at.isoformat(), "range": [first.isoformat(), last.isoformat()], "count": count, "days": told}


PLAYED: dict[str, Service] = {}
"""The services that are played, by account."""


def pull(web: Web, session: Session, task: Task, keep: Keep) -> Pulled:
    """All that is due of an account, proven; NotFetched where it is not."""
    service = PLAYED[task.account]

    def ask(question: str, first: date | None = None, last: date | None = None) -> tuple[bytes, Any]:
        web.requests += 1
        reply = service.answer(int(session.secret), question, first, last, task.now)
        judge(reply)
        assert reply is not None
        told = reply.json()
        if "challenge" in told:
            raise NotFetched(State.CHALLENGED, "The service wants to see you.", "bedrot login tower")
        if told["tower"] != task.account:
            raise NotFetched(State.WRONG_ACCOUNT, "That is another account.", "bedrot login tower")
        return reply.body, told

    _, me = ask("me")
    today = task.now.astimezone(ZoneInfo(me["zone"])).date()
    if me["since"] is None:
        if task.since is not None:
            raise NotFetched(State.CHANGED, "The account had days before, and has none.")
        return Pulled(State.NO_DATA)
    newest = today - service.lag * DAY
    begin = date.fromisoformat(me["since"])
    if service.year:
        begin = max(begin, date(today.year, 1, 1))
    elif service.rolling is not None:
        begin = max(begin, newest - (service.rolling - 1) * DAY)
    if newest < begin:
        return Pulled(State.NO_DATA)
    good = State.FRESH if service.lag else State.PROVISIONAL
    missing = [one.first for one in task.missing if one.last >= begin]
    if task.since == newest and not missing:
        return Pulled(good, note="It was asked today already.")
    first = begin if task.since is None else max(begin, min([task.since, newest, *missing]))
    body, told = ask("days", first, newest)
    keep(f"tower_{task.now:%Y%m%d_%H%M%S}.json", body, {"first": str(first), "last": str(newest)})
    prove(told, first, newest)
    return Pulled(good, first, newest)


def judge(reply: Reply | None) -> None:
    """What an answer says before it is read."""
    if reply is None or reply.status == 503:
        raise NotFetched(State.UNREACHABLE, "No answer.")
    if reply.status == 429:
        raise NotFetched(State.THROTTLED, "Ask less.", rest=int(reply.headers["retry-after"]))
    if reply.status == 401:
        raise NotFetched(State.EXPIRED, "The log-in is over.", "bedrot login tower")
    if reply.status == 403:
        raise NotFetched(State.FORBIDDEN, "A right is lacking.", "bedrot login tower")


def prove(told: Any, first: date, last: date) -> None:
    """That an answer is for the days asked, has them all, and reaches as far as it can."""
    days = [date.fromisoformat(one["day"]) for one in told["days"]]
    if told["range"] != [first.isoformat(), last.isoformat()] or told["count"] != len(days):
        raise NotFetched(State.CHANGED, "The answer is not the one that was asked for.")
    if not days or max(days) < last:
        raise NotFetched(State.UNREACHABLE, "The newest days are lacking.")
    if days != [first + number * DAY for number in range(len(days))]:
        raise NotFetched(State.CHANGED, "Days are lacking.")


CONNECTOR = Connector(hosts=("tower.invalid",), kind="token", how="Ask the tower.", pull=pull)

TABLE = Table(
    name="tower_days",
    about="Views of the tower by day.",
    fields=(
        Field("day", Kind.DATE, "The day.", filled=True),
        Field("views", Kind.INTEGER, "How many looked."),
        Field("running", Kind.BOOLEAN, "Whether the day was running."),
    ),
    merge=Merge.SERIES,
    key=("day",),
    partition=Partition("day", Grain.YEAR),
    day="day",
    provisional="running",
)


def knows(original: Original) -> bool:
    return original.head_text.startswith('{"tower": ') and '"days"' in original.head_text


def read(original: Original, _facts: Facts) -> Iterator[Row]:
    for number, one in enumerate(original.json["days"]):
        told = {"day": one["day"], "views": str(one["views"]), "running": str(one["running"]).lower()}
        yield Row("tower_days", told, f"/days/{number}")


SOURCE = Source(
    "tower",
    "The Tower",
    (
        Feed(
            "tower.days",
            "Days.",
            (TABLE,),
            knows,
            read,
            lambda original: Stamp(datetime.fromisoformat(original.json["at"]), "inside"),
            account=lambda original: str(original.json["tower"]),
            census=lambda original: {"tower_days": len(original.json["days"])},
        ),
    ),
    Remembers(1, "Each account has its own rule."),
)


@dataclass
class Scenario:
    """A service over time, when it is asked (and whether only for what is due), and how much the label knows of it."""

    seed: int
    service: Service
    told_zone: str
    asks: list[tuple[datetime, bool]]
    now: datetime

    @property
    def rule(self) -> RemembersRule:
        """What the label knows of the service's memory."""
        one = self.service
        ever = None if one.rolling or one.year else True
        return RemembersRule(
            "tower", one.account, days=one.rolling, calendar_year=one.year or None, for_ever=ever, lag=one.lag,
            zone=self.told_zone, evidence="It is invented.",
        )  # fmt: skip


def scenario(seed: int) -> Scenario:
    """One way in which things may go, from its seed."""
    chance = Chance("scenario", seed)
    kind = chance.below(20)
    service = Service(
        f"account-{seed}",
        chance.pick(MEMORIES) if kind < 13 else None,
        13 <= kind < 18,
        chance.pick((0, 0, 1, 1, 2, 4)),
        chance.pick(ZONES),
        date.min,
    )
    start = datetime(chance.between(2023, 2028), chance.pick((2, 2, 3, 4, 9, 10, 11, 12, 12)), 1, tzinfo=UTC)
    start += chance.below(30 * 24 * 3600) * SECOND
    service.opened = service.local(start) + chance.pick((-500, -40, -9, -2, -1, 0, 1, 3)) * DAY
    asks = [start]
    for _ in range(chance.between(2, 16)):
        asks.append(_next(chance, service, asks[-1]))
    _log_ins(chance, service, asks)
    _outages(chance, service, asks)
    now = _next(chance, service, asks[-1]) if chance.happens(600) else asks[-1]
    asked = [(at, not chance.happens(250)) for at in asks]
    return Scenario(seed, service, "" if chance.happens(120) else service.zone, asked, now)


def _next(chance: Chance, service: Service, at: datetime) -> datetime:
    """When it is asked after an instant: soon, next day, later, or where the clock does something."""
    how = chance.below(20)
    if how < 3:
        return at + chance.between(1, 600) * 60 * SECOND
    if how < 8:
        return at + chance.between(20 * 3600, 28 * 3600) * SECOND
    if how < 11:
        return at + chance.between(1, 12 * 24 * 3600 // 60) * 60 * SECOND
    if how < 13:
        return at + chance.between(1, ((service.rolling or 70) + 5) * 24) * HOUR
    to, edge = service.local(at) + DAY, chance.pick((-SECOND, timedelta(), SECOND, -HOUR, HOUR))
    if how < 15:  # as the newest day that it shows is forgotten
        to += ((service.rolling or 2) + chance.between(-2, 1)) * DAY
    elif how == 15:
        to = date(to.year + 1, 1, 1) + chance.between(-1, service.lag + 1) * DAY
    elif how == 16:
        to = date(to.year, 2, 28) + chance.below(3) * DAY
    elif how == 17:
        found = at
        while found < at + 200 * DAY and _offset(service, found) == _offset(service, found + DAY):
            found += DAY
        ends = (service.rolling or 0) + service.lag if found > at + ((service.rolling or 0) + 9) * DAY else 0
        to = service.local(found) + (chance.below(4) - chance.pick((0, ends, ends))) * DAY
    return max(at + SECOND, midnight(service, to, at) + edge)


def _offset(service: Service, at: datetime) -> timedelta | None:
    return at.astimezone(service.clock).utcoffset()


def midnight(service: Service, day: date, after: datetime) -> datetime:
    """The first instant on which it is that day at the service, met by halving; `after` where it is so already."""
    low, high = after, datetime(day.year, day.month, day.day, tzinfo=UTC) + 2 * DAY
    if service.local(low) >= day:
        return after
    while high - low > INSTANT:
        middle = low + (high - low) // 2
        low, high = (low, middle) if service.local(middle) >= day else (middle, high)
    return high


def _log_ins(chance: Chance, service: Service, asks: list[datetime]) -> None:
    """A person who logs in before the first fetch or later, whose log-ins die, and who comes back after a while."""
    place = 0 if chance.happens(850) else chance.below(3)
    while place < len(asks):
        at = asks[place] - chance.pick((1, 1, 60, 86400)) * SECOND
        at = max([at, *(one.at + SECOND for one in service.log_ins[-1:])])
        lasts = chance.between(1, 9)
        dies = None
        if place + lasts < len(asks) and chance.happens(800):
            dies = asks[place + lasts] - chance.below(3600) * SECOND
        until = dies if dies and chance.happens(500) else None
        if until is None and chance.happens(200):
            until = at + chance.between(1, 60) * DAY
        opens = "own" if chance.happens(850) else chance.pick(("other", "forbidden", "challenged"))
        how = chance.pick(("expired", "expired", "challenged", "forbidden"))
        service.log_ins.append(LogIn(at, until, dies, how, opens))
        place += (lasts if dies else chance.between(1, 12)) + chance.below(5)


def _outages(chance: Chance, service: Service, asks: list[datetime]) -> None:
    """What is wrong over some of the fetches."""
    for _ in range(chance.below(6)):
        place = chance.below(len(asks))
        last = min(len(asks) - 1, place + chance.below(4))
        begin, end = asks[place] - chance.below(7200) * SECOND, asks[last] + SECOND
        size = chance.pick((1, 1, 2, 3, 9))
        service.outages.append(Outage(chance.pick(tuple(FAULTS)), begin, end, size, chance.happens(250)))


@dataclass
class Expected:
    """What must be told after a fetch, and how many requests it may take."""

    state: str
    requests: int


@dataclass
class Truth:
    """What is true as the script goes on: what good windows covered, and how it stands. It knows no program."""

    service: Service
    whole: set[date] = field(default_factory=set)
    partial: set[date] = field(default_factory=set)
    last_window: datetime | None = None
    noted_good: bool = False
    told: tuple[datetime, str, datetime | None] | None = None
    """The last time that the service was asked: when, what it was then, and until when it wants rest."""

    @property
    def covered(self) -> set[date]:
        return self.whole | self.partial

    def log_in(self, at: datetime) -> int | None:
        """Which log-in the person has at an instant."""
        made = [number for number, one in enumerate(self.service.log_ins) if one.at <= at]
        return made[-1] if made else None

    def complete(self, at: datetime) -> bool:
        """Whether all that the service shows is had, what is over as a whole."""
        today = self.service.local(at)
        return all(day in self.whole or (day == today and day in self.partial) for day in self.service.window(at))

    def had_a_day_ago(self, at: datetime) -> bool:
        """Whether all is had that it showed a day ago."""
        return set(self.service.window(at - DAY)) & set(self.service.window(at)) <= self.covered

    def due(self, at: datetime) -> bool:
        """Whether a fetch may bring anything, or nobody knows."""
        if self.last_window is None or not self.noted_good:
            return True
        return not self.complete(at) or self.service.local(at) > self.service.local(self.last_window)

    def expect(self, at: datetime, *, only_due: bool, whole: bool | None = None) -> Expected:
        """What a fetch must tell, and what it changes; `whole`: that days were asked for (None: as is needed)."""
        number = self.log_in(at)
        if number is None:
            self.noted_good = False
            return Expected("expired", 0)
        good = self._good(at)
        if only_due and not self.due(at):
            return Expected(good, 0)
        if self.told:
            when, state, rest = self.told
            locked = state in LOCKED and self.service.log_ins[number].at <= when
            if locked or (state == "throttled" and rest is not None and at < rest):
                self.noted_good = False
                return Expected(state, 0)
        found, wrong = self._asked(number, at, good, self.needed(at) if whole is None else whole)
        rest = at + wrong.size * HOUR if wrong and found.state == "throttled" else None
        self.told = at, found.state, rest
        self.noted_good = found.state in GOOD
        return found

    def needed(self, at: datetime) -> bool:
        """Whether days have to be asked for, as not all is had."""
        return self.last_window is None or not self.complete(at)

    def ends_soon(self, at: datetime) -> bool:
        """Whether the log-in that the person has will not last."""
        number = self.log_in(at)
        log_in = self.service.log_ins[number] if number is not None else None
        until = log_in.until if log_in else None
        return bool(log_in and until and until - at < min(SOON, (until - log_in.at) / 3))

    def _good(self, at: datetime) -> str:
        if self.ends_soon(at):
            return "expiring"
        return "fresh" if self.service.lag else "provisional"

    def _asked(self, number: int, at: datetime, good: str, whole: bool) -> tuple[Expected, Outage | None]:
        """What the service itself makes of it, question by question, and what is wrong with it."""
        wrong = self.service.wrong(at, "me")
        state = self._met(wrong, self.service.opens(number, at), at)
        if state or not whole:
            return Expected(state or good, 1), wrong
        wrong = self.service.wrong(at, "days")
        if wrong and wrong.kind != "seems empty" and not self._harmless(wrong, at):
            return Expected(FAULTS[wrong.kind], 2), wrong
        self.cover(at)
        return Expected(good, 2), None

    def _met(self, wrong: Outage | None, opens: str, at: datetime) -> str:
        """What the first question meets; empty: nothing is wrong."""
        kind = wrong.kind if wrong else ""
        if kind in {"unreachable", "broken", "throttled", "maintenance"}:
            return FAULTS[kind]
        if opens not in {"own", "other"}:
            return opens
        if kind in {"cut", "renamed"}:
            return FAULTS[kind]
        if opens == "other":
            return "wrong account"
        if kind == "seems empty":
            return FAULTS[kind] if self.last_window else "no data yet"
        return "" if self.service.window(at) else "no data yet"

    def _harmless(self, wrong: Outage, at: datetime) -> bool:
        """An old answer of the same day tells the same days."""
        seen = wrong.begin - (wrong.size - 1) * DAY
        return wrong.kind == "stale" and self.service.local(seen) == self.service.local(at)

    def cover(self, at: datetime) -> None:
        """A good window: all that is shown now is had."""
        today = self.service.local(at)
        self.last_window = at
        for day in self.service.window(at):
            (self.partial if day == today else self.whole).add(day)
        self.partial -= self.whole

    @property
    def for_ever(self) -> bool:
        return self.service.rolling is None and not self.service.year

    def days_to_come(self, day: date, today: date) -> Iterator[date]:
        """The service's own days from today on, on which it shows a day, met by walking on."""
        one = self.service
        if one.year and day.year < today.year:
            return
        ahead = 370 if one.year else (one.rolling or 0) + one.lag + 3
        if one.rolling and (today - day).days > ahead:
            return
        until = max(day, today) + ahead * DAY
        while today < until:
            if one.shows(day, today):
                yield today
            today += DAY

    def missed(self, at: datetime) -> tuple[set[date], set[date], set[date], set[date]]:
        """Days lost, reachable, unfinished, and kept in part."""
        if not self.covered:
            return set(), set(), set(), set()
        today, first = self.service.local(at), min(self.covered)
        past = [first + number * DAY for number in range((today - first).days + 1)]
        gone = {day for day in past if day not in self.whole and not self._comes(day, today)}
        shown = {day for day in past if day not in self.covered and self.service.shows(day, today)}
        running = {day for day in self.partial if day < today}
        return gone - self.partial, shown, running - gone, gone & self.partial

    def _comes(self, day: date, today: date) -> bool:
        return self.for_ever or next(self.days_to_come(day, today), None) is not None

    def next_lost(self, at: datetime) -> tuple[date, list[date]] | None:
        """The next day that is lost if nobody fetches, and the service's days on which it will still be shown."""
        if self.for_ever or not self.covered:
            return None
        today, day = self.service.local(at), min(self.covered)
        while day in self.whole or not self._comes(day, today):
            day += DAY
        return day, list(self.days_to_come(day, today))

    def gone_at(self, at: datetime) -> datetime | None:
        """The first instant at which the service shows the next lost day no more."""
        found = self.next_lost(at)
        return midnight(self.service, found[1][-1] + DAY, at) if found else None
