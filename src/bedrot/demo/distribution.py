"""Which distributor brings which recording to the stores, and when: one artist in two moved to another one."""

from __future__ import annotations

from datetime import date, timedelta

from bedrot.demo.label import LAST_DAY, Label, Recording
from bedrot.demo.plays import Plays
from bedrot.demo.writing import days

MOVED = date(2025, 9, 15)
"""The first day on which plays of the artists that moved belong to the new distributor."""

DISTROKID = "distrokid"
TOOLOST = "toolost"
_DAY = timedelta(days=1)


def span(recording: Recording, distributor: str) -> tuple[date, date] | None:
    """The first and the last day of plays that this distributor accounts for; None where there are none."""
    moved = recording.artist.moved
    if distributor == DISTROKID:
        first, last = recording.released, MOVED - _DAY if moved else LAST_DAY
    elif distributor == TOOLOST and moved:
        first, last = max(recording.released, MOVED), LAST_DAY
    else:
        return None
    return (first, last) if first <= last else None


def unpaid(label: Label) -> Recording | None:
    """The recording that the new distributor counts plays of and pays nothing for: the first one that moved."""
    return next((one for one in label.recordings if span(one, TOOLOST)), None)


def _seen_by(
    distributor: str, label: Label, plays: Plays, store: str, within: tuple[date, date]
) -> list[tuple[date, int]]:
    """Plays a day of all recordings that the distributor brings to the store; every day of the range, zeros too."""
    first, last = within
    found = dict.fromkeys(days(first, last), 0)
    for artist in label.artists:
        spans = [one for recording in label.of(artist) if (one := span(recording, distributor))]
        if not spans:
            continue
        # Days before a release have no plays, so that the recordings of an artist can be taken together.
        begin, end = max(first, min(one[0] for one in spans)), min(last, max(one[1] for one in spans))
        if begin <= end:
            for day, count in plays.daily(artist, store, begin, end):
                found[day] += count
    return list(found.items())


def seen_by_distrokid(label: Label, plays: Plays, store: str, first: date, last: date) -> list[tuple[date, int]]:
    """Plays a day in a store that the old distributor counts."""
    return _seen_by(DISTROKID, label, plays, store, (first, last))


def seen_by_toolost(label: Label, plays: Plays, store: str, first: date, last: date) -> list[tuple[date, int]]:
    """Plays a day in a store that the new distributor counts."""
    return _seen_by(TOOLOST, label, plays, store, (first, last))


def albums(label: Label) -> dict[str, str]:
    """The title of each release by its UPC: that of its first recording."""
    found: dict[str, str] = {}
    for recording in label.recordings:
        found.setdefault(recording.upc, recording.title)
    return found
