"""DistroKid's bank details as files: each generation of headings, its separators, line ends and decimals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

from bedrot.demo.statements import Line
from bedrot.demo.writing import guarded, pointed, quotient

_BATCH = 2_000


@dataclass(frozen=True)
class Spelling:
    """What the distributor called things when a file was made: a renaming changes all lines of later files."""

    artists: dict[str, str]
    stores: dict[str, str]


@dataclass(frozen=True)
class Generation:
    """One generation of the file: headings, separator, line end, whether fields are quoted, decimals of money."""

    headings: tuple[str, ...]
    separator: str
    line_end: str
    quoted: bool
    decimals: int
    encoding: str = "utf-8"


_PLACE = ("Reporting Date", "Sale Month", "Store", "Artist", "Title", "ISRC", "UPC", "Quantity", "Team Percentage")
OLD = Generation(
    (*_PLACE, "Song/Album", "Country of Sale", "Songwriter Royalties Withheld", "Earnings (USD)"),
    "\t",
    "\r",
    quoted=False,
    decimals=8,
)
"""About 2020 to the middle of 2025: thirteen columns, tabs, bare carriage returns, eight decimals."""
OLD_LATIN = Generation(OLD.headings, "\t", "\r", quoted=False, decimals=8, encoding="latin-1")
"""The same, as some received it: ISO 8859-1."""
_MONEY = ("Country of Sale", "Songwriter Royalties Withheld (USD)", "Earnings (USD)", "Recoup (USD)")
QUOTED = Generation(("Date Inserted", *_PLACE, "Source Type", *_MONEY), ",", "\n", quoted=True, decimals=12)
"""From July 2025: fifteen columns, commas, every field quoted, twelve decimals."""
NEW = Generation(("Date Inserted", *_PLACE, "Song/Album", *_MONEY), "\t", "\r", quoted=False, decimals=12)
"""2026: the same columns as tabs and carriage returns again, the type under its old heading."""


def bank_file(generation: Generation, lines: Iterable[Line], spelling: Spelling) -> Iterator[bytes]:
    """A file of these lines, piece by piece."""
    yield _written(generation, generation.headings).encode(generation.encoding)
    batch: list[str] = []
    for line in lines:
        batch.append(_written(generation, _fields(generation, line, spelling)))
        if len(batch) == _BATCH:
            yield "".join(batch).encode(generation.encoding)
            batch.clear()
    yield "".join(batch).encode(generation.encoding)


def _written(generation: Generation, fields: Iterable[str]) -> str:
    """One line of the file."""
    if generation.quoted:
        fields = ('"' + one.replace('"', '""') + '"' for one in fields)
    return generation.separator.join(fields) + generation.line_end


def _fields(generation: Generation, line: Line, spelling: Spelling) -> list[str]:
    """The texts of one line under the headings of a generation."""
    recording = line.recording
    day, month = _iso(line.reporting_date), _iso(line.sale_month)[:7]
    placed = [
        day,
        month,
        spelling.stores.get(line.store, line.store),
        spelling.artists.get(recording.artist.name, recording.artist.name),
        recording.title,
        "" if line.album else recording.isrc,
        recording.upc,
        str(line.quantity),
        str(recording.share_percent),
        "Album" if line.album else "Song",
        line.country,
    ]
    earned = amount(line.earnings, generation.decimals)
    if generation.decimals == 8:  # the old generation, which has no more columns
        return [*placed, "0", earned]
    return [day, *placed, "0.00000", earned, ""]


@cache
def _iso(day: date) -> str:
    """A day as text; there are few of them, and many lines."""
    return day.isoformat()


def amount(pico: int, decimals: int) -> str:
    """Money of 10^-12 dollars as text with so many decimals, halves rounded away from zero."""
    return pointed(rounded(pico, decimals), decimals)


def rounded(pico: int, decimals: int) -> int:
    """Money of 10^-12 dollars in units of the last of so many decimals, halves rounded away from zero."""
    return quotient(pico, 10 ** (12 - decimals))


def resaved_file(lines: Iterable[Line], spelling: Spelling) -> Iterator[bytes]:
    """The old generation as a spreadsheet saved it: months and UPCs made numbers of, blanks gone from the headings."""
    headings = ["".join(char for char in one if char not in " /()") for one in OLD.headings]
    yield (",".join(headings) + "\r\n").encode()
    for line in lines:
        fields = _fields(OLD, line, spelling)
        fields[1] = fields[1].replace("-", "")
        upc = fields[6]
        fields[6] = f"{upc[0]}.{upc[1:6].rstrip('0') or '0'}E+{len(upc) - 1}"
        fields[-1] = fields[-1].rstrip("0").rstrip(".")
        yield (",".join(map(guarded, fields)) + "\r\n").encode()
