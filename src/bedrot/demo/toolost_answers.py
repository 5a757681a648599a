"""The text of TooLost's portal answers: days in no order, text in one list and numbers in the next, exact totals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bedrot.demo.chance import Chance
from bedrot.demo.distribution import MOVED, TOOLOST, albums, span
from bedrot.demo.label import Label
from bedrot.demo.plays import COUNTRIES, Plays
from bedrot.demo.writing import pointed, quotient

SPOTIFY, APPLE = "Spotify", "Apple Music"
LAG = {SPOTIFY: 2, APPLE: 4}
"""How many days before the answer its last day lies."""

_EMPTY = b'{"streams": [], "discovery": []}'
_SPELLED = {"OU": "MO"}
"""Countries that only statements know, and where the portal says that they are."""

_DAY = timedelta(days=1)
_FEE = 1_130
"""What Spotify keeps for a play that its discovery brought, in millionths."""


@dataclass(frozen=True)
class Answer:
    """One answer of the portal: its store, when it was made and when it was saved, the days, and what was asked."""

    store: str
    made: datetime
    saved: datetime
    days: tuple[tuple[date, int], ...]

    @property
    def first(self) -> date:
        """The first day asked for: the portal answers for this year."""
        return date(self.made.year, 1, 1)

    @property
    def last(self) -> date:
        """The last day that the portal can know of."""
        return self.made.date() - LAG[self.store] * _DAY


def answer_bytes(label: Label, answer: Answer) -> bytes:
    """The bytes of an answer; one for Spotify that holds nothing has no line ends either."""
    if not answer.days and answer.store == SPOTIFY:
        return _EMPTY
    document = _spotify(label, answer) if answer.store == SPOTIFY else _apple(label, answer)
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def tracks(label: Label, answer: Answer) -> dict[int, int]:
    """Plays at Apple Music over the days of an answer by the number of the recording."""
    found: dict[int, int] = {}
    for (number, _), count in _heard(label, answer).items():
        found[number] = found.get(number, 0) + count
    return found


def _mixed(label: Label, answer: Answer) -> list[tuple[date, int]]:
    """The days of an answer in the order of the portal, which is none."""
    chance = Chance(label.seed, "portal", answer.store, answer.made.isoformat())
    return chance.shuffled(answer.days)


def _spotify(label: Label, answer: Answer) -> dict[str, object]:
    """The answer for Spotify, whose numbers are text."""
    return {
        "streams": [{"date": day.isoformat(), "streams": str(count)} for day, count in _mixed(label, answer)],
        "discovery": [
            {"date": day.isoformat(), "streams": str(count), "fees": pointed(quotient(count * _FEE, 10_000), 2)}
            for day, count in _discovered(label, answer)
        ],
    }


def _discovered(label: Label, answer: Answer) -> list[tuple[date, int]]:
    """What discovery brought in each month that is over, under the month's first day."""
    plays, found = Plays(label), []
    first = max(answer.first, MOVED.replace(day=1))
    while (following := (first + 31 * _DAY).replace(day=1)) <= answer.last:
        count = 0
        for recording in label.recordings:
            known = span(recording, TOOLOST)
            if known and recording.discovery:
                for country in COUNTRIES:
                    begin, end = max(first, known[0]), min(following - _DAY, known[1])
                    count += plays.between(recording, SPOTIFY, country, begin, end)
        if count * 22 // 100:
            found.append((first, count * 22 // 100))
        first = following
    return found


def _apple(label: Label, answer: Answer) -> dict[str, object]:
    """The answer for Apple Music: days, recognitions, recordings and countries, whose sums agree to the last play."""
    titles = albums(label)
    countries: dict[str, int] = {}
    for (_, country), count in _heard(label, answer).items():
        countries[country] = countries.get(country, 0) + count
    recordings = {one.number: one for one in label.recordings}
    return {
        "totalStreams": [{"date": day.isoformat(), "streams": count} for day, count in _mixed(label, answer)],
        "totalShazam": [{"date": day.isoformat(), "streams": str(count)} for day, count in _recognised(label, answer)],
        "tracksTotal": [
            {
                "isrc": recordings[number].isrc,
                "streams": count,
                "track": recordings[number].title,
                "release": titles[recordings[number].upc],
                "cover": f"https://toolost.s3.us-east-2.amazonaws.com/fixture/{number}.jpg",
            }
            for number, count in sorted(tracks(label, answer).items(), key=lambda one: (-one[1], one[0]))
        ],
        "countryTotal": [
            {"country": country, "streams": count}
            for country, count in sorted(countries.items(), key=lambda one: (-one[1], one[0]))
        ],
        "streamTotal": sum(count for _, count in answer.days),
    }


def _heard(label: Label, answer: Answer) -> dict[tuple[int, str], int]:
    """Plays at Apple Music over the days of an answer by the number of the recording and the country."""
    plays, found = Plays(label), dict[tuple[int, str], int]()
    for recording in label.recordings:
        known = span(recording, TOOLOST)
        if known:
            first, last = max(answer.first, known[0]), min(answer.last, known[1])
            for country in COUNTRIES:
                count = plays.between(recording, APPLE, country, first, last)
                if count:
                    found[recording.number, _SPELLED.get(country, country)] = count
    return found


def _recognised(label: Label, answer: Answer) -> list[tuple[date, int]]:
    """Recognitions on the few days of an answer that had any, in no order."""
    found = []
    for day, count in answer.days:
        chance = Chance(label.seed, "shazam", day.isoformat())
        if chance.happens(min(60 + count, 400)):
            found.append((day, chance.between(1, 4)))
    return Chance(label.seed, "shazams", answer.made.isoformat()).shuffled(found)
