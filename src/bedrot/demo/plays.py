"""What was really played: a whole number for every recording, store, country and day; months are sums of days."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cached_property, lru_cache

from bedrot.demo.ads import effect
from bedrot.demo.chance import Chance, mixed
from bedrot.demo.label import DAYS, FIRST_DAY, Artist, Label, Recording
from bedrot.demo.writing import days

STORES = {
    "Spotify": 520,
    "YouTube (Ads)": 110,
    "YouTube (Red)": 90,
    "Apple Music": 120,
    "TikTok": 60,
    "Facebook": 34,
    "Deezer": 22,
    "Tidal": 16,
    "Amazon Unlimited (Streaming)": 18,
    "NetEase": 6,
    "iTunes Songs": 2,
    "Pandora": 2,
}
"""The stores and their part of all plays, in thousandths; iTunes Songs sells downloads."""

COUNTRIES = {
    "US": 310, "GB": 110, "DE": 120, "SE": 50, "BR": 80, "MX": 70, "FR": 60, "ES": 40,
    "PL": 30, "JP": 30, "CA": 40, "AU": 30, "NA": 12, "XK": 8, "OU": 10,
}  # fmt: skip
"""Countries as the stores write them and their part of all plays, in thousandths."""

ONLY = {"Facebook": {"OU": 600, "US": 400}, "Pandora": {"US": 1000}, "NetEase": {"JP": 400, "AU": 600}}
"""Stores that are heard in a few places only."""

_WEEK = (98, 96, 97, 100, 112, 116, 104)
_UNIT = 1_000_000


class Plays:
    """The plays of a label. The sum over days of a cell is its month, to the last play: all are steps of one curve."""

    def __init__(self, label: Label) -> None:
        self.label = label

    def _cell(self, recording: Recording, store: str, country: str) -> tuple[int, int]:
        """The part of all plays that a cell has, and where its count of whole plays begins."""
        weight = STORES[store] * ONLY.get(store, COUNTRIES).get(country, 0)
        place = self._places[store] * 64 + self._places[country]
        return weight, mixed(self.label.seed * 1_000_003 + recording.number * 4096 + place) % _UNIT if weight else 0

    def between(self, recording: Recording, store: str, country: str, first: date, last: date) -> int:
        """Plays of a cell from a day to another, both included."""
        return self.counts(recording, store, country, self.steps(recording, [(first, last)]))[0]

    def counts(self, recording: Recording, store: str, country: str, steps: Sequence[tuple[int, int]]) -> list[int]:
        """Plays of a cell in each of some spans of days, given the recording's steps in them."""
        weight, offset = self._cell(recording, store, country)
        return [(after * weight + offset) // _UNIT - (before * weight + offset) // _UNIT for before, after in steps]

    def steps(self, recording: Recording, spans: Iterable[tuple[date, date]]) -> list[tuple[int, int]]:
        """Plays of a recording, all stores and countries, before and after each span of days."""
        curve = self.curve(recording)
        places = ((_before(first), _before(last + timedelta(days=1))) for first, last in spans)
        return [(curve[begin], curve[max(begin, end)]) for begin, end in places]

    def curve(self, recording: Recording) -> list[int]:
        """Plays of a recording over all stores and countries before each day, the end included: DAYS + 1 numbers."""
        brought = self._brought.get(recording.isrc, ())
        return _curve(
            self.label.seed, recording.isrc, recording.base, recording.released, recording.number == 0, brought
        )

    @cached_property
    def _brought(self) -> dict[str, tuple[tuple[date, int], ...]]:
        """Plays that advertisements brought a recording, by its ISRC."""
        return {one.campaign.recording.isrc: one.plays for one in effect(self.label)}

    @cached_property
    def _places(self) -> dict[str, int]:
        """A number of its own for each store and each country."""
        return {name: place for names in (STORES, COUNTRIES) for place, name in enumerate(names)}

    def daily(self, artist: Artist | None, store: str, first: date, last: date) -> list[tuple[date, int]]:
        """Plays a day in a store, over all countries, of an artist or of the whole label; every day of the range."""
        recordings = self.label.of(artist) if artist else self.label.recordings
        countries = ONLY.get(store, COUNTRIES)
        asked = list(days(first, last))
        found = [0] * len(asked)
        begin = (first - FIRST_DAY).days
        for recording in recordings:
            curve = self.curve(recording)
            before = [curve[min(max(begin + place, 0), DAYS)] for place in range(len(asked) + 1)]
            for country in countries:
                weight, offset = self._cell(recording, store, country)
                whole = [(one * weight + offset) // _UNIT for one in before]
                for place in range(len(asked)):
                    found[place] += whole[place + 1] - whole[place]
        return list(zip(asked, found, strict=True))


def _before(day: date) -> int:
    """How many days of the demo lie before a day."""
    return min(max((day - FIRST_DAY).days, 0), DAYS)


@lru_cache(maxsize=256)
def _curve(  # noqa: PLR0917  what makes one curve and no other
    seed: int, isrc: str, base: int, first: date, viral: bool, brought: tuple[tuple[date, int], ...]
) -> list[int]:
    """How the plays of one recording grow: a rise, a long decay, weekends, playlists, ads, and for one a hit day."""
    more = {(day - FIRST_DAY).days: plays for day, plays in brought}
    chance = Chance(seed, "curve", isrc)
    released = (first - FIRST_DAY).days
    decay = chance.between(8, 20)
    bumps = sorted(
        (start, start + chance.between(21, 60), chance.between(50, 150))
        for start in (chance.between(released + 20, max(released + 21, DAYS)) for _ in range(chance.between(1, 3)))
    )
    starts = [bump[0] for bump in bumps]
    hit = released + 95 if viral else -1
    total, found = 0, [0]
    for day in range(DAYS):
        age = day - released
        if age >= 0:
            level = base * (age + 1) // 10 if age < 10 else base * 1000 // (1000 + (age - 10) * decay)
            level = max(level, base // 6)
            for bump in bumps[: bisect_right(starts, day)]:
                if day < bump[1]:
                    level += level * bump[2] // 100
            if 0 <= day - hit < 10 and hit >= 0:
                level *= 12 - (day - hit)
            weekday = (FIRST_DAY + timedelta(days=day)).weekday()
            level = level * _WEEK[weekday] // 100 * chance.between(85, 115) // 100
            total += level + more.get(day, 0)
        found.append(total)
    return found
