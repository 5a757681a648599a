"""What the label downloaded of DistroKid's bank: which exports, when, and what the lake must know after all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache

from bedrot.demo import bank
from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.bank import NEW, OLD, OLD_LATIN, QUOTED, Generation, Spelling, bank_file
from bedrot.demo.distribution import DISTROKID
from bedrot.demo.label import LAST_DAY, Label, Recording
from bedrot.demo.plays import Plays
from bedrot.demo.statements import STOPPED, TWICE, Line, lines
from bedrot.demo.stored_zip import stored_zip

Wanted = Callable[[date, str, str], bool]
"""Whether lines of a day of report, a store and a country were asked for."""

ARTIST_RENAMED = date(2025, 7, 20)
STORE_RENAMED = date(2025, 10, 10)
_STORE = {"Facebook": "Meta"}
_MISSING = "BR"
"""The country that the last export of January 2026 lacks."""
COLUMNS = (
    "source", "account", "reporting_date", "sale_month", "store", "country", "artist", "title", "isrc", "upc",
    "product", "kind", "units", "deducted_units", "share_percent", "units_share", "earnings", "currency",
)  # fmt: skip
_FAULTS = {
    "resaved": "a file that a spreadsheet saved anew",
    "truncated": "a truncated file",
    "log-in page": "a log-in page saved instead of the data",
}


@dataclass(frozen=True)
class Export:
    """One export: when, in which generation, of which account, and what was asked for: days, stores and countries."""

    at: datetime
    generation: Generation
    account: str
    wanted: Wanted
    zipped: bool = False

    def holds(self, reported: date, store: str, country: str) -> bool:
        """Whether the export has lines reported on that day: they were asked for, and came by the day before."""
        return reported < self.at.date() and self.wanted(reported, store, country)

    def of(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Those of some lines that the export has."""
        return (line for line in lines if self.holds(line.reporting_date, line.store, line.country))

    @property
    def name(self) -> str:
        """The name that DistroKid gives to the file."""
        ending = "zip" if self.zipped else "csv" if self.generation.quoted else "tsv"
        owner = "HarbourLaneRecords" if self.account == "main" else "HarbourLaneBackCatalogue"
        return f"DistroKid_{int(self.at.timestamp()) * 1000 + 417}_{owner}.{ending}"


@cache
def exports() -> tuple[Export, ...]:
    """The exports that the label made, in the order of their making; those of the back catalogue last."""

    def at(year: int, month: int, day: int) -> datetime:
        return datetime(year, month, day, 18, 4, 11, tzinfo=UTC)

    def everything(_reported: date, _store: str, _country: str) -> bool:
        return True

    def spotify(_reported: date, store: str, _country: str) -> bool:
        return store == "Spotify"

    def month(year: int, number: int, but: str = "") -> Wanted:
        return lambda reported, _, country: (reported.year, reported.month) == (year, number) and country != but

    return (
        Export(at(2024, 12, 18), OLD, "main", everything),
        Export(at(2025, 1, 29), OLD, "main", month(2025, 1)),
        Export(at(2025, 2, 28), OLD, "main", everything),
        Export(at(2025, 5, 29), OLD, "main", everything),
        Export(at(2025, 6, 20), OLD, "main", spotify),
        Export(at(2025, 7, 29), QUOTED, "main", everything),
        Export(at(2025, 8, 29), QUOTED, "main", month(2025, 8), zipped=True),
        Export(at(2025, 9, 30), OLD_LATIN, "main", month(2025, 9)),
        Export(at(2025, 10, 29), QUOTED, "main", everything),
        Export(at(2025, 12, 1), NEW, "main", month(2025, 11)),
        Export(at(2026, 1, 31), NEW, "main", everything),
        Export(at(2026, 2, 3), NEW, "main", month(2026, 1, but=_MISSING)),
        Export(at(2026, 2, 28), NEW, "main", month(2026, 2)),
        Export(at(2026, 3, 14), NEW, "main", month(2026, 3)),
        Export(at(2025, 6, 30), OLD, "back catalogue", everything),
        Export(at(2026, 3, 2), NEW, "back catalogue", everything),
    )


def spelling(label: Label, day: date) -> Spelling:
    """What things were called on a day."""
    artists = {one.name: one.former_name for one in label.artists} if day < ARTIST_RENAMED else {}
    return Spelling(artists, {} if day < STORE_RENAMED else _STORE)


@lru_cache(maxsize=2)
def main_lines(label: Label) -> tuple[Line, ...]:
    """All lines of the label's own account."""
    return tuple(lines(label, Plays(label), DISTROKID, label.recordings))


def _lines(label: Label, account: str) -> Iterable[Line]:
    """The lines of an account; those of the back catalogue one by one, for they may be more than memory holds."""
    if account == "main":
        return main_lines(label)
    plays = Plays(label)
    return (line for recording in label.back_catalogue() for line in lines(label, plays, DISTROKID, [recording]))


def arrivals(label: Label) -> list[Arrival]:
    """What came of the bank: exports, and files that are none."""
    made = [_arrival(label, one) for one in exports() if one.account == "main" or label.scale > 1]
    return sorted([*made, *_again(label), *_broken(label)], key=lambda one: one.at)


def _arrival(label: Label, export: Export) -> Arrival:
    """An export as a file on the disk."""

    def write() -> Iterator[bytes]:
        kept = export.of(_lines(label, export.account))
        text = bank_file(export.generation, kept, spelling(label, export.at.date()))
        if export.zipped:
            member = export.name.replace(".zip", ".csv")
            yield stored_zip([(member, export.at, b"".join(text))])
        else:
            yield from text

    account = None if export.account == "main" and label.scale == 1 else export.account
    return Arrival(f"distrokid/{export.name}", export.at, write, account)


def _again(label: Label) -> list[Arrival]:
    """The same bytes two days later under a newer name, and an early export that turns up late."""
    may, february = exports()[3], exports()[2]
    later = may.at + timedelta(days=2, minutes=7)
    copy = _arrival(label, may)
    name = f"distrokid/DistroKid_{int(later.timestamp()) * 1000 + 880}_HarbourLaneRecords.tsv"
    late = _arrival(label, february)
    found = f"distrokid/found on the old laptop/{february.name}"
    return [
        Arrival(name, later, copy.write, copy.account),
        Arrival(found, datetime(2025, 11, 15, 9, 30, tzinfo=UTC), late.write, late.account, verdict="repeat"),
    ]


def _broken(label: Label) -> list[Arrival]:
    """Files that the door must not let in."""
    whole = exports()[8]

    def cut() -> Iterator[bytes]:
        content = _arrival(label, whole).content()
        yield content[: len(content) * 2 // 3 - 7]

    def saved() -> Iterator[bytes]:
        kept = (line for line in main_lines(label) if line.reporting_date < date(2025, 5, 29))
        return bank.resaved_file(kept, spelling(label, date(2025, 5, 29)))

    def log_in() -> Iterator[bytes]:
        yield b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>\n"

    def named(at: datetime, ending: str) -> str:
        return f"distrokid/DistroKid_{int(at.timestamp()) * 1000 + 133}_HarbourLaneRecords.{ending}"

    times = [datetime(2025, 10, 30, 8, 12, tzinfo=UTC) + timedelta(days=17 * number) for number in range(3)]
    account = None if label.scale == 1 else "main"
    return [
        Arrival(named(times[0], "csv"), times[0], cut, account, verdict="refused", fault=_FAULTS["truncated"]),
        Arrival(named(times[1], "csv"), times[1], saved, account, verdict="refused", fault=_FAULTS["resaved"]),
        Arrival(named(times[2], "tsv"), times[2], log_in, account, verdict="refused", fault=_FAULTS["log-in page"]),
    ]


def decimals_known(line: Line, account: str) -> int:
    """The decimals of the finest export that has a line; zero where none has it."""
    return _decimals(account, line.reporting_date, line.store, line.country)


@cache
def _decimals(account: str, reported: date, store: str, country: str) -> int:
    """The same by all that an export may ask for."""
    held = (one for one in exports() if one.account == account and one.holds(reported, store, country))
    return max((one.generation.decimals for one in held), default=0)


@dataclass(frozen=True)
class _Royalties:
    """The rows of royalties that the lake must know, made anew each time, for they may be more than memory holds."""

    label: Label
    account: str

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        now = spelling(self.label, LAST_DAY)
        for line in _lines(self.label, self.account):
            if decimals := decimals_known(line, self.account):
                earnings = Decimal(bank.rounded(line.earnings, decimals)).scaleb(-decimals)
                yield royalty(DISTROKID, self.account, line, now, earnings)


def expected(label: Label) -> list[Expected]:
    """The royalties that the lake must know: every line that any export has, in the finest decimals, as named last."""
    accounts = ("main", "back catalogue") if label.scale > 1 else ("main",)
    return [
        Expected("royalties", (("source", DISTROKID), ("account", one)), COLUMNS, _Royalties(label, one))
        for one in accounts
    ]


def shown_on_the_page(label: Label) -> tuple[str, str]:
    """A month of reports, and what the bank's own page shows as its earnings."""
    found = [line for line in main_lines(label) if line.reporting_date.strftime("%Y-%m") == "2025-08"]
    return "2025-08", bank.amount(sum(bank.rounded(line.earnings, 12) for line in found), 12)


def royalty(source: str, account: str, line: Line, now: Spelling, earnings: Decimal) -> tuple[object, ...]:
    """A line as a row of royalties."""
    recording: Recording = line.recording
    deducted = line.kind == "deduction"
    units = 0 if deducted else line.quantity
    return (
        source, account, line.reporting_date, line.sale_month, now.stores.get(line.store, line.store), line.country,
        now.artists.get(recording.artist.name, recording.artist.name), recording.title,
        None if line.album else recording.isrc, recording.upc, "Album" if line.album else "Song", line.kind, units,
        line.quantity if deducted else 0, Decimal(recording.share_percent),
        Decimal(units * recording.share_percent) / 100, earnings, "USD",
    )  # fmt: skip


def faults(label: Label) -> list[Fault]:
    """What was planted in the bank's files."""
    known = [line for line in main_lines(label) if decimals_known(line, "main")]
    unpaid = [line for line in known if line.store == STOPPED[0]]
    twice = [line for line in known if (line.store, line.sale_month) == TWICE and line.recording.artist.moved]
    missing = [
        line
        for line in known
        if (line.reporting_date.year, line.reporting_date.month) == (2026, 1) and line.country == _MISSING
    ]
    whole = list(exports()[8].of(main_lines(label)))
    early = [line for line in main_lines(label) if line.reporting_date < date(2025, 5, 29)]
    return [
        _fault("a store that stopped paying", f"{STOPPED[0]} from {STOPPED[1]:%Y-%m} on", unpaid, "not detected yet"),
        _fault("a month paid twice", f"{TWICE[0]} {TWICE[1]:%Y-%m}, distrokid and toolost", twice, "not detected yet"),
        _fault("a country missing from one export", f"{_MISSING}, reported 2026-01", missing, "bedrot vanished"),
        _fault(_FAULTS["truncated"], "distrokid", whole, "bedrot status"),
        _fault(_FAULTS["resaved"], "distrokid", early, "bedrot status"),
        _fault(_FAULTS["log-in page"], "distrokid", [], "bedrot status"),
    ]


def _fault(kind: str, where: str, found: Iterable[Line], shown: str) -> Fault:
    """An entry of the key with its size."""
    listed = list(found)
    return Fault(kind, where, len(listed), bank.amount(sum(one.earnings for one in listed), 12), "USD", shown)
