"""TooLost's portal answers for Spotify and Apple Music as a person saves them, and what streams_daily holds after."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial

from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.chance import keyed
from bedrot.demo.distribution import MOVED, TOOLOST, seen_by_toolost
from bedrot.demo.label import LAST_DAY, Label
from bedrot.demo.plays import Plays
from bedrot.demo.toolost_answers import APPLE, SPOTIFY, Answer, answer_bytes
from bedrot.demo.writing import one_piece

ACCOUNT, OTHER_ACCOUNT = "main", "second"
ASKED = {
    SPOTIFY: (
        "2025-09-10 09:15:02", "2025-09-21 18:40:33", "2025-10-05 20:03:11", "2025-10-26 17:22:48",
        "2025-11-16 21:10:05", "2025-12-07 19:31:27", "2025-12-21 18:05:59", "2026-01-02 10:12:40",
        "2026-01-18 20:44:16", "2026-02-15 19:58:03", "2026-03-14 18:27:50",
    ),
    APPLE: (
        "2025-09-24 18:41:09", "2025-10-26 17:23:30", "2025-11-16 21:10:44", "2025-12-07 19:32:02",
        "2025-12-28 18:06:31", "2026-01-03 10:13:21", "2026-01-18 20:45:02", "2026-03-14 18:28:19",
    ),
}  # fmt: skip
"""When somebody asked for this year's plays of a store, in UTC."""

OLD_ANSWER = datetime(2025, 12, 7, 19, 31, 27, tzinfo=UTC)
SAVED_AGAIN = datetime(2025, 12, 28, 18, 6, 3, tzinfo=UTC)
"""When the browser handed out an answer of weeks ago once more, and it got a new name."""

CORRECTED_ON = date(2025, 12, 15)
CORRECTED = (date(2025, 12, 1), date(2025, 12, 2), date(2025, 12, 3))
"""Days at Spotify of which the portal showed too few plays until it corrected them."""

STALE = "an old answer saved again"
_DAY = timedelta(days=1)
_COLUMNS = ("date", "account", "streams", "provisional")


@lru_cache(maxsize=2)
def answers(label: Label) -> tuple[Answer, ...]:
    """All answers that were saved, in order; one of them is an old one under a new name."""
    found = []
    for store, asked in ASKED.items():
        truth = seen_by_toolost(label, Plays(label), store, MOVED, LAST_DAY)
        for text in asked:
            made = datetime.fromisoformat(text).replace(tzinfo=UTC)
            one = Answer(store, made, made, ())
            days = [(day, _shown(label, one, day, count)) for day, count in truth if one.first <= day <= one.last]
            # Days without plays are absent.
            found.append(Answer(store, made, made, tuple(pair for pair in days if pair[1])))
    old = next(one for one in found if one.made == OLD_ANSWER)
    found.append(Answer(old.store, old.made, SAVED_AGAIN, old.days))
    return tuple(sorted(found, key=lambda one: one.saved))


def _shown(label: Label, answer: Answer, day: date, count: int) -> int:
    """What an answer says of a day: too few where it was made before the portal corrected that day."""
    if answer.store == SPOTIFY and day in CORRECTED and answer.made.date() < CORRECTED_ON:
        return count * (600 + keyed(label.seed, "portal", day.isoformat()) % 300) // 1000
    return count


def arrivals(label: Label) -> list[Arrival]:
    """The saved answers; the first, from before anything was moved, is empty, and so is that of a second account."""
    found = []
    for one in answers(label):
        name = f"toolost_{one.store.split()[0].lower()}_{one.saved:%Y%m%d_%H%M%S}.json"
        write = partial(one_piece, answer_bytes, label, one)
        fault = STALE if one.saved != one.made else ""
        found.append(Arrival(f"toolost/{name}", one.saved, write, ACCOUNT, fault=fault))
        if one == answers(label)[0]:
            found.append(Arrival(f"toolost/{OTHER_ACCOUNT}/{name}", one.saved, write, OTHER_ACCOUNT))
    return found


def expected(label: Label) -> list[Expected]:
    """Each day that an answer held: as the answer with the newest name says, an old one under a new name too."""
    found = []
    for store in ASKED:
        rows: dict[date, tuple[object, ...]] = {}
        for one in answers(label):
            if one.store == store:
                rows |= {day: (day, ACCOUNT, count, False) for day, count in one.days}
        where = (("source", TOOLOST), ("store", store))
        found.append(Expected("streams_daily", where, _COLUMNS, list(rows.values())))
    return found


def faults(label: Label) -> list[Fault]:
    """Days that a new year took away, days after the last answer, and an old answer that undid a correction."""
    found = []
    plays = Plays(label)
    for store, rows in zip(ASKED, expected(label), strict=True):
        known = {row[0] for row in rows.rows}
        truth = dict(seen_by_toolost(label, plays, store, MOVED, LAST_DAY))
        where = f"{TOOLOST}, account {ACCOUNT}, {store}, "
        gone = [day for day, count in truth.items() if count and day not in known]
        for kind, days, shown in (
            ("days that the new year took away", [one for one in gone if one.year < LAST_DAY.year], "not detected yet"),
            ("days that no saved answer holds", [one for one in gone if one.year == LAST_DAY.year], "bedrot status"),
        ):
            if days:
                found.append(Fault(kind, f"{where}{days[0]} to {days[-1]}", len(days), "", "", shown))
        short = [row for row in rows.rows if isinstance(row[0], date) and row[2] != truth[row[0]]]
        if short:
            what = f"{where}{CORRECTED[0]} to {CORRECTED[-1]}, saved {SAVED_AGAIN:%Y-%m-%d}"
            found.append(Fault(STALE, what, len(short), "", "", "not detected yet"))
    return found
