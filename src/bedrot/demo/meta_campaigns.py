"""The campaigns of the label: which recording each is for, its ad sets and ads, and what was changed when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from bedrot.demo.chance import Chance
from bedrot.demo.label import FIRST_DAY, LAST_DAY, Label, Recording

_DAY = timedelta(days=1)

_CLOCK = (
    (datetime(2024, 11, 3, 9, tzinfo=UTC), -8),
    (datetime(2025, 3, 9, 10, tzinfo=UTC), -7),
    (datetime(2025, 11, 2, 9, tzinfo=UTC), -8),
    (datetime(2026, 3, 8, 10, tzinfo=UTC), -7),
)
"""From when the clock of the ad account (the Pacific coast) is how many hours off UTC; before the first: -7."""


@dataclass(frozen=True)
class Ad:
    """One ad: its part of what its ad set spends (thousandths), and when it was paused or archived."""

    id: str
    name: str
    creative: str
    post: str
    weight: int
    made: datetime
    paused: datetime | None
    archived: datetime | None


@dataclass(frozen=True)
class AdSet:
    """One ad set; `budget` in cents a day, `raised` from when on it is another one; `own` where it holds it itself."""

    id: str
    name: str
    budget: int
    raised: tuple[datetime, int] | None
    own: bool
    made: datetime
    paused: datetime | None
    ads: tuple[Ad, ...]


@dataclass(frozen=True)
class Campaign:
    """One campaign for a recording: its days, when it was paused, and the plays that 100 clicks on its links bring."""

    id: str
    name: str
    recording: Recording
    first: date
    last: date
    made: datetime
    paused: datetime
    brings: int
    adsets: tuple[AdSet, ...]


@dataclass(frozen=True)
class _Plan:
    """How a campaign is laid out: its length, its ad sets (cents a day, holds them itself, ads) and what it brings."""

    days: int
    adsets: tuple[tuple[int, bool, int], ...]
    brings: int


PLANS = (
    _Plan(21, ((1000, True, 1),), 1400),
    _Plan(28, ((1500, True, 1), (500, True, 2)), 1200),
    _Plan(24, ((1000, False, 2),), 0),
    _Plan(42, ((1000, True, 2), (1000, True, 1)), 1600),
    _Plan(32, ((1500, True, 3),), 1000),
)
_SECOND_SET_PAUSED = (1, 14)
_BUDGET_RAISED = (3, 20, 1500)
_AD_ARCHIVED = (3, 40)
_AD_PAUSED = (4, 10)
_RUNNING = 24
"""Days for which the last campaign has been running on the last day of the demo."""


def local(at: datetime) -> datetime:
    """An instant by the clock of the ad account."""
    hours = next((hours for start, hours in reversed(_CLOCK) if at >= start), -7)
    return at.astimezone(timezone(timedelta(hours=hours)))


def campaign_of(label: Label, number: int, recording: Recording) -> Campaign:
    """The campaign of that number, some weeks after a release; the last one is running when the demo is told."""
    plan = PLANS[number]
    chance = Chance(label.seed, "campaign", number)
    first = recording.released + timedelta(days=chance.between(35, 50))
    if number == len(PLANS) - 1:
        first = LAST_DAY - timedelta(days=_RUNNING)
    made = _instant(first, chance, -1)
    name = f"{recording.artist.name.upper()} - {recording.title.upper()}"
    adsets = tuple(
        _adset(f"{name} - AD SET {place + 1}", plan, number, place, first, made, chance)
        for place in range(len(plan.adsets))
    )
    last = first + timedelta(days=plan.days - 1)
    return Campaign(
        id=_id(first, number, 0, chance),
        name=f"{name} - Pixel",
        recording=recording,
        first=first,
        last=last,
        made=made,
        paused=_instant(last, chance, 1),
        brings=plan.brings,
        adsets=adsets,
    )


def _adset(name: str, plan: _Plan, number: int, place: int, first: date, made: datetime, chance: Chance) -> AdSet:  # noqa: PLR0917
    """One ad set with its ads, which share its budget."""
    budget, own, count = plan.adsets[place]
    raised = None
    if (number, place) == (_BUDGET_RAISED[0], 0):
        raised = (_instant(first, chance, _BUDGET_RAISED[1]), _BUDGET_RAISED[2])
    weights = {1: (1000,), 2: (620, 380), 3: (450, 330, 220)}[count]
    return AdSet(
        id=_id(first, number, 1 + 5 * place, chance),
        name=name,
        budget=budget,
        raised=raised,
        own=own,
        made=made,
        paused=_instant(first, chance, _SECOND_SET_PAUSED[1])
        if (number, place) == (_SECOND_SET_PAUSED[0], 1)
        else None,
        ads=tuple(
            Ad(
                id=_id(first, number, 2 + 5 * place + nth, chance),
                name=f"{name} - Clip {nth + 1}",
                creative=_id(first, number, 12 + 3 * place + nth, chance),
                post=f"77{chance.below(10**13):013d}",
                weight=weights[nth],
                made=made + timedelta(minutes=chance.between(2, 20)),
                paused=_when(number, place, nth, _AD_PAUSED, (0, 2), first, chance),
                archived=_when(number, place, nth, _AD_ARCHIVED, (0, 1), first, chance),
            )
            for nth in range(count)
        ),
    )


def _when(  # noqa: PLR0917  which ad, what happens to which
    number: int, place: int, nth: int, what: tuple[int, int], which: tuple[int, int], first: date, chance: Chance
) -> datetime | None:
    """The instant of what happens to one ad of one campaign; None for all others."""
    return _instant(first, chance, what[1]) if (number, place, nth) == (what[0], *which) else None


def _instant(day: date, chance: Chance, after: int) -> datetime:
    """A moment in working hours, some days after a day."""
    return datetime.combine(day + after * _DAY, time(), UTC) + timedelta(seconds=chance.between(17 * 3600, 23 * 3600))


def _id(day: date, number: int, place: int, chance: Chance) -> str:
    """An id of 18 digits, larger than what a floating number keeps whole; later ones are larger."""
    made = ((day - FIRST_DAY).days + 8) * 1_000_000 + (number * 18 + place) * 10_000 + chance.below(10_000)
    return f"120230{made:09d}075"
