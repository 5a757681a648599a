"""A lake at work in a test: files are given on days of our choosing, and read back as rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import bedrot.sources
from bedrot.config import Settings
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot, view_name
from bedrot.lake.snapshot import Snapshot, current
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.run import Summary, Walk, run

GOLDEN = Path(bedrot.sources.__file__).parent
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEADING = (
    "Reporting Date", "Sale Month", "Store", "Artist", "Title", "ISRC", "UPC", "Quantity", "Team Percentage",
    "Song/Album", "Country of Sale", "Songwriter Royalties Withheld", "Earnings (USD)",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of bank details."""

    reported: str
    store: str
    title: str
    quantity: str
    earnings: str
    country: str = "US"
    isrc: str = "QZPC11800001"

    def text(self) -> str:
        month = self.reported[:7]
        told = (
            self.reported, month, self.store, "Paper Comets", self.title, self.isrc, "0198001234567", self.quantity,
            "100", "Song", self.country, "0", self.earnings,
        )  # fmt: skip
        return "\t".join(told)


def bank(*lines: Line) -> str:
    """An export of bank details."""
    return "\n".join(["\t".join(HEADING), *(line.text() for line in lines)]) + "\n"


def bank_name(exported: str) -> str:
    """The name that such an export of a day has."""
    at = datetime.combine(date.fromisoformat(exported), time(), UTC)
    return f"DistroKid_{int(at.timestamp() * 1000)}_Paper_Comets.tsv"


def day(text: str) -> datetime:
    """Noon of a day in UTC."""
    return datetime.combine(date.fromisoformat(text), time(12), UTC)


@dataclass
class Label:
    """A lake, its ledger and its settings, below a folder of the test."""

    root: Path
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.root / "lake")
        self.ledger = Ledger(self.lake.ledger_path)
        self.walk = Walk(self.lake, self.ledger, self.settings)
        self.given = self.root / "given"
        self.given.mkdir()

    def give(self, received: str, name: str, content: str | Path, account: str | None = None) -> str:
        """Import a file as received at noon of a day; gives the delivery's id, or the verdict where it has none."""
        path = self.given / name
        path.write_bytes(content.read_bytes() if isinstance(content, Path) else content.encode())
        told = Told(account=account, received_at=day(received))
        door = Door(self.lake, self.ledger, self.walk.sources, {}, told, NOW)
        outcomes = list(door.offer([path]))
        assert outcomes, name
        return outcomes[0].delivery or outcomes[0].verdict

    def decide(self, on: str, kind: str, target: str, value: str = "") -> None:
        """Take a decision at noon of a day."""
        decision = decide(kind, target, "a test says so", day(on), value)
        write_decision(self.lake, decision)
        self.ledger.add_decision(decision)

    def run(self) -> Summary:
        """Walk what is new."""
        return run(self.walk, NOW)

    def rows(self) -> dict[str, Counter[str]]:
        """All rows of all published tables, lineage and all."""
        snapshot = current(self.lake)
        assert snapshot is not None
        return rows_of(self.lake, snapshot)

    def total(self) -> Decimal:
        """The sum of all royalties."""
        snapshot = current(self.lake)
        assert snapshot is not None
        con = open_snapshot(self.lake, snapshot)
        total: Decimal = con.execute("SELECT sum(earnings) FROM royalties").fetchall()[0][0]
        return total


def rows_of(lake: Lake, snapshot: Snapshot) -> dict[str, Counter[str]]:
    """All rows of all tables of a snapshot, as multisets."""
    con = open_snapshot(lake, snapshot)
    try:
        return {
            name: Counter(map(repr, con.execute(f"SELECT * FROM {view_name(name)}").fetchall()))
            for name in sorted(snapshot.tables)
        }
    finally:
        con.close()
