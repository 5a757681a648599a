"""What was really paid: the lines of the distributors' statements, from plays, rates, shares and deductions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from bedrot.demo.chance import Chance, keyed, mixed
from bedrot.demo.distribution import DISTROKID, TOOLOST, span, unpaid
from bedrot.demo.label import FIRST_DAY, LAST_DAY, Label, Recording
from bedrot.demo.plays import COUNTRIES, ONLY, STORES, Plays

RATES = {
    "Spotify": 3_214_000_000,
    "YouTube (Ads)": 611_500_000,
    "YouTube (Red)": 5_871_000_000,
    "Apple Music": 6_902_000_000,
    "TikTok": 31_460_000,
    "Facebook": 84_270_000,
    "Deezer": 4_316_000_000,
    "Tidal": 9_008_000_000,
    "Amazon Unlimited (Streaming)": 5_122_000_000,
    "NetEase": 402_000_000,
    "iTunes Songs": 700_000_000_000,
    "Pandora": 1_330_000_000,
}
"""What a play of a recording earns in the dearest country, before shares; all money here is in 10^-12 dollars."""

LAGS = {"Spotify": (2,), "YouTube (Ads)": (1,), "YouTube (Red)": (1,), "Apple Music": (1, 2, 2, 3), "TikTok": (2, 3),
        "Facebook": (2, 3, 4), "Deezer": (3, 4), "Tidal": (1, 2, 3, 4), "NetEase": (3, 5, 7)}  # fmt: skip
"""Months from the sale to the report; two for the stores that are not listed."""

STOPPED = ("Deezer", date(2025, 6, 1))
"""The store that stopped paying, and the first month of sale that it never paid for, though it was heard."""
TWICE = ("Tidal", date(2025, 10, 1))
"""The store and month of sale that both distributors paid for the recordings that had moved."""
_RETURNED = "iTunes Songs"


class Line(NamedTuple):
    """One line of a statement; `recording` stands for its release where `album` is set. Earnings in 10^-12 dollars."""

    reporting_date: date
    sale_month: date
    store: str
    country: str
    recording: Recording
    album: bool
    quantity: int
    earnings: int

    @property
    def kind(self) -> str:
        """What the line is: money below zero is a deduction, or a return where the quantity is below zero too."""
        return "sale" if self.earnings >= 0 else "deduction" if self.quantity > 0 else "return"


def months(first: date, last: date) -> Iterator[date]:
    """The first days of all months from that of `first` to that of `last`."""
    at = first.replace(day=1)
    while at <= last:
        yield at
        at = next_month(at)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def lines(label: Label, plays: Plays, distributor: str, recordings: Iterable[Recording]) -> Iterator[Line]:
    """All lines that a distributor ever reported for these recordings, in no order of days."""
    silent = unpaid(label)
    for recording in recordings:
        if recording == silent and distributor == TOOLOST:
            continue
        sold = list(months(max(FIRST_DAY, recording.released), LAST_DAY))
        for store in STORES:
            spans = {month: days for month in sold if (days := _days(recording, distributor, store, month))}
            steps = plays.steps(recording, spans.values())
            for country in ONLY.get(store, COUNTRIES):
                for month, quantity in zip(spans, plays.counts(recording, store, country, steps), strict=True):
                    if quantity:
                        yield from _lines_of_month(label, recording, store, country, month, quantity)


def _lines_of_month(  # noqa: PLR0917  the place of a cell has as many sides
    label: Label, recording: Recording, store: str, country: str, month: date, quantity: int
) -> Iterator[Line]:
    """The lines of one cell and month of sale, in which there were so many plays."""
    number = mixed(_place(label, recording, store, country, month))
    lags = LAGS.get(store, (2,))
    reported = _reported(label.seed, store, month, lags[number % len(lags)])
    if reported > LAST_DAY:
        return
    rate = _rate(store, country, month) * recording.share_percent // 100

    def line(count: int, earnings: int, *, album: bool = False) -> Line:
        return Line(reported, month, store, country, recording, album, count, earnings)

    if store == "YouTube (Ads)" and quantity == 1:
        yield line(0, rate // 2)
    elif store == "Facebook" and quantity >= 4 and quantity % 2 == 0:
        yield line(quantity // 2, rate * (quantity // 2))
        yield line(quantity // 2, rate * (quantity // 2))
    else:
        yield line(quantity, rate * quantity)
    if store == "Spotify" and recording.discovery and quantity >= 10 and month >= date(2025, 1, 1):
        share = 400 + number % 300
        part = quantity * share // 1000
        yield line(part, -(rate * part * 30 // 100))
    if store == _RETURNED and quantity >= 2 and number % 4 == 0:
        yield line(-1, -rate)
    if store == _RETURNED and country == "US" and number % 3 == 0:
        yield line(1, 9 * rate, album=True)


def _place(label: Label, recording: Recording, store: str, country: str, month: date) -> int:
    """A number that belongs to one cell and month."""
    return (
        label.seed * 1_000_003
        + recording.number * 65_537
        + _number("store", store) * 131
        + _number("country", country) * 17
        + month.year * 12
        + month.month
    )


@cache
def _number(what: str, name: str) -> int:
    """A number that belongs to a name."""
    return keyed(what, name) % 1_000_003


def _days(recording: Recording, distributor: str, store: str, month: date) -> tuple[date, date] | None:
    """The first and last day of a month of sale that a distributor is paid for by a store; None where there is none."""
    if store == STOPPED[0] and month >= STOPPED[1]:
        return None
    last = next_month(month) - timedelta(days=1)
    if (store, month) == TWICE and recording.artist.moved and distributor == DISTROKID:
        return month, last
    kept = span(recording, distributor)
    if kept is None or kept[0] > last or kept[1] < month:
        return None
    return max(month, kept[0]), min(last, kept[1])


@cache
def _reported(seed: int, store: str, month: date, lag: int) -> date:
    """The day on which a store's report for a month of sale came to the distributor, so many months later."""
    at = month
    for _ in range(lag):
        at = next_month(at)
    return at.replace(day=Chance(seed, "report", store, at.isoformat()).between(3, 28))


@cache
def _rate(store: str, country: str, month: date) -> int:
    """What a play earns, in 10^-12 dollars: dear and cheap countries, and a little of the month."""
    worth = 25 + _number("worth", country) % 76
    season = 95 + _number("season", f"{store}{month}") % 11
    return RATES[store] * worth // 100 * season // 100
