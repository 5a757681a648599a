"""TooLost's sales statements: a file a month, attached to a notification. Nobody has seen a real one: see the docs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.bank import Spelling, amount, rounded
from bedrot.demo.chance import Chance
from bedrot.demo.distribution import TOOLOST, unpaid
from bedrot.demo.distrokid_bank import COLUMNS, royalty
from bedrot.demo.label import LAST_DAY, Label
from bedrot.demo.plays import Plays
from bedrot.demo.statements import Line, lines, months, next_month
from bedrot.demo.writing import guarded

_HEADINGS = (
    "Reporting Date", "Sales Period", "Track Title", "Track Artist", "Channel", "Country", "UPC", "ISRC", "Quantity",
    "Total (USD)",
)  # fmt: skip
_DECIMALS = 10
_NAMED = Spelling({}, {})


@lru_cache(maxsize=2)
def _lines(label: Label) -> tuple[Line, ...]:
    """All lines that TooLost ever reported."""
    return tuple(lines(label, Plays(label), TOOLOST, label.recordings))


def _statements(label: Label) -> Iterator[tuple[date, list[Line]]]:
    """The statements that came, by month of report, each with its lines; the one of March 2026 is not out yet."""
    for month in months(date(2025, 10, 1), LAST_DAY):
        mine = [line for line in _lines(label) if line.reporting_date.replace(day=1) == month]
        if mine and next_month(month) + timedelta(days=5) <= LAST_DAY:
            yield month, mine


def arrivals(label: Label) -> list[Arrival]:
    """A statement a month, the first of them given twice."""
    found = []
    for month, mine in _statements(label):
        number = Chance(label.seed, "statement", month.isoformat()).between(60_000, 99_999)
        came = next_month(month) + timedelta(days=4)
        at = datetime(came.year, came.month, came.day, 7, 45, tzinfo=UTC)

        def write(mine: list[Line] = mine) -> Iterator[bytes]:
            yield _file(mine)

        found.append(Arrival(f"toolost/@{month:%m-%Y}-{number}.csv", at, write))
    if found:
        again = found[0]
        folder = again.name.replace("toolost/", "toolost/from the mailbox/")
        found.append(Arrival(folder, again.at + timedelta(days=40), again.write, verdict="repeat"))
    return sorted(found, key=lambda one: one.at)


def _file(found: list[Line]) -> bytes:
    """A statement: commas, line feeds, quantities with signs of thousands, ten decimals."""
    rows = [",".join(_HEADINGS)]
    for line in found:
        quantity = f"{line.quantity:,}"
        fields = (
            line.reporting_date.isoformat(),
            line.sale_month.strftime("%b %Y"),
            line.recording.title,
            line.recording.artist.name,
            line.store,
            line.country,
            line.recording.upc,
            "" if line.album else line.recording.isrc,
            quantity,
            amount(line.earnings, _DECIMALS),
        )
        rows.append(",".join(map(guarded, fields)))
    return ("\n".join(rows) + "\n").encode()


def expected(label: Label) -> list[Expected]:
    """The royalties of all statements; shares and products are not told there."""
    unknown = [COLUMNS.index(name) for name in ("product", "share_percent", "units_share")]
    rows = []
    for _, mine in _statements(label):
        for line in mine:
            earnings = Decimal(rounded(line.earnings, _DECIMALS)).scaleb(-_DECIMALS)
            row = list(royalty(TOOLOST, "main", line, _NAMED, earnings))
            for place in unknown:
                row[place] = None
            rows.append(tuple(row))
    return [Expected("royalties", (("source", TOOLOST),), COLUMNS, rows)]


def faults(label: Label) -> list[Fault]:
    """The recording that streams but earns nothing."""
    silent = unpaid(label)
    if silent is None:
        return []
    where = f"{silent.artist.name}, {silent.title} ({silent.isrc}), toolost"
    return [Fault("a recording that streams but earns nothing", where, 0, "0", "USD", "not detected yet")]
