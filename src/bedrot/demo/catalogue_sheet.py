"""The label's own sheet of its recordings: two states of it, a year apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.chance import Chance
from bedrot.demo.label import Label, Recording
from bedrot.demo.writing import guarded

_WRITERS = ("Ada Novak", "Sol Ruiz", "Kim Aalto", "Jo Petit")
_TIMES = (datetime(2025, 3, 1, 10, tzinfo=UTC), datetime(2026, 2, 20, 10, tzinfo=UTC))
COLUMNS = ("isrc", "title", "artist", "release_date", "label", "writers")


def arrivals(label: Label) -> list[Arrival]:
    """The sheet as it was then and as it is now; the person says of which day each is."""
    return [
        Arrival(f"the label/{at:%Y}/catalogue.csv", at, partial(_sheet, label, at), exported_at=at) for at in _TIMES
    ]


def _known(label: Label, at: datetime) -> list[Recording]:
    """The recordings that were out at an instant."""
    return [one for one in label.recordings if one.released <= at.date()]


def _writers(label: Label, recording: Recording) -> str:
    """Who wrote a recording's song."""
    chance = Chance(label.seed, "writers", recording.isrc)
    return ", ".join(chance.shuffled(_WRITERS)[: chance.between(1, 2)])


def _sheet(label: Label, at: datetime) -> Iterator[bytes]:
    """The sheet: commas, a BOM, ISRCs with dashes as people write them."""
    rows = ["ISRC,UPC,Artist,Title,Release Date,Label,Writers"]
    for one in _known(label, at):
        isrc = f"{one.isrc[:2]}-{one.isrc[2:5]}-{one.isrc[5:7]}-{one.isrc[7:]}"
        fields = (isrc, one.upc, one.artist.name, one.title, one.released.isoformat(), label.name, _writers(label, one))
        rows.append(",".join(map(guarded, fields)))
    yield ("\ufeff" + "\r\n".join(rows) + "\r\n").encode()


def expected(label: Label) -> list[Expected]:
    """Each recording with what the newest sheet says of it."""
    rows = [
        (one.isrc, one.title, one.artist.name, one.released, label.name, _writers(label, one))
        for one in _known(label, _TIMES[-1])
    ]
    return [Expected("recordings", (("label", label.name),), COLUMNS, rows)]


def faults(_: Label) -> list[Fault]:
    """Nothing was planted in the sheet."""
    return []
