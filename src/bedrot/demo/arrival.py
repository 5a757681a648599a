"""What comes to the label's disk: a file, when it came, what the person says with it, and what should become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

SUMMED = ("earnings", "units", "streams", "spend", "impressions", "clicks", "views", "likes", "followers")
"""Columns whose sums the answer key tells."""


@dataclass(frozen=True)
class Arrival:
    """One file as it was downloaded; `write` gives its bytes in pieces, so that a big one needs no memory.

    `name` is the path below the downloads folder, with `/`; `at` is the instant (UTC) at which it was downloaded and
    given; `account` and `exported_at` are what the person says with it, where the file alone does not tell; `verdict`
    is what the door should say of it: accepted, repeat, refused, unrecognised, private or waiting; `fault` names the
    entry of the answer key that it belongs to.
    """

    name: str
    at: datetime
    write: Callable[[], Iterable[bytes]]
    account: str | None = None
    exported_at: datetime | None = None
    verdict: str = "accepted"
    fault: str = ""

    def content(self) -> bytes:
        """All its bytes."""
        return b"".join(self.write())


@dataclass(frozen=True)
class Fault:
    """One entry of the answer key: something planted that a good reader of the label's numbers should find.

    `kind` in a few words; `where` says the place (source, account, store, months …); `rows` and `money` (text, in
    `currency`) say how big it is; `shown` says where the lake shows it: a command or table, or `not detected yet`.
    """

    kind: str
    where: str
    rows: int
    money: str
    currency: str
    shown: str


@dataclass(frozen=True)
class Expected:
    """What a curated table must hold when all has arrived, in whatever order: all its rows under a condition.

    `where` pairs columns with the text that they have; `columns` are those of `rows`, whose values are as Python gets
    them from the engine (dates, whole numbers, Decimal, None). They can be gone through more than once; their order
    says nothing, their number does.
    """

    table: str
    where: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: Iterable[tuple[object, ...]]


def totals(expected: Expected) -> dict[str, object]:
    """How many rows a table must have under a condition, and the sums of its numbers as texts."""
    places = [place for place, name in enumerate(expected.columns) if name in SUMMED]
    sums = [Decimal(0)] * len(places)
    rows = 0
    for row in expected.rows:
        rows += 1
        for at, place in enumerate(places):
            value = row[place]
            if isinstance(value, (int, Decimal)):
                sums[at] += value
    told = {expected.columns[place]: f"{sums[at]:f}" for at, place in enumerate(places)}
    return {"table": expected.table, "where": dict(expected.where), "rows": rows, **told}
