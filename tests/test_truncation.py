"""A download that was cut off anywhere is refused, or flagged, or gives rows of the whole one and no other number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedrot import sql
from bedrot.contract import Kind, Source, Table
from bedrot.lake.ledger import Ledger, Staged
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.tell.golden import Sample, samples_of
from bedrot.walk.accept import Door, Outcome, Told
from bedrot.walk.stage import StageTask, stage_delivery
from bedrot.walk.whole import NOTE

LATE = datetime(2100, 1, 1, tzinfo=UTC)
SOURCES = find_sources()
SAMPLES = [(source, sample) for source in SOURCES for sample in samples_of(source)]
SOME = 16
NUMBERS = (Kind.INTEGER, Kind.DECIMAL, Kind.MONEY)


class Way:
    """A lake, and the door into it with what belongs to one sample."""

    def __init__(self, root: Path, sample: Sample) -> None:
        self.lake = Lake.create(root / "lake")
        self.sample = sample
        self.path = root / sample.name
        given = sample.given
        exported = given.get("exported_at")
        self.told = Told(
            given.get("account"),
            datetime.fromisoformat(exported).replace(tzinfo=UTC) if exported else None,
            None,
            bool(given.get("accept_resaved")),
        )

    def take(self, data: bytes) -> tuple[Outcome, list[Staged]]:
        """What becomes of these bytes under the sample's name."""
        self.path.write_bytes(data)
        with closing(Ledger(self.lake.ledger_path)) as ledger:
            door = Door(self.lake, ledger, SOURCES, {}, self.told, LATE)
            outcome = door.take(replace(self.sample.original, path=self.path))
            if outcome.verdict not in ("accepted", "repeat"):
                return outcome, []
            delivery = ledger.delivery(outcome.delivery)
            assert delivery is not None
            return outcome, stage_delivery(StageTask(self.lake.root, delivery, delivery.account, ()))

    def numbers(self, source: Source, staged: list[Staged]) -> Counter[tuple[str, ...]]:
        """Each row as its days and numbers, with how often it comes."""
        tables = {table.name: table for feed in source.feeds for table in feed.tables}
        found: Counter[tuple[str, ...]] = Counter()
        with closing(sql.connect(None)) as con:
            for one in staged:
                columns = compared(tables[one.table])
                if columns and one.path:
                    path = sql.text(self.lake.absolute(one.path).as_posix())
                    rows = con.execute(f"SELECT {sql.names(columns)} FROM read_parquet({path})").fetchall()
                    found.update((one.table, *map(str, row)) for row in rows)
        return found


def compared(table: Table) -> list[str]:
    """The columns that hold days and numbers."""
    return [field.name for field in table.fields if field.kind in (*NUMBERS, Kind.DATE, Kind.MONTH)]


def cuts(data: bytes) -> Iterator[int]:
    """Offsets to cut at: all row ends of a small text (some of a longer one), just before them, some between."""
    ends = [place + 1 for place, byte in enumerate(data) if byte in b"\r\n"]
    chosen = {*ends[:: max(1, len(ends) // SOME)], *(end - 1 for end in ends[-3:]), *(end - 2 for end in ends[-6:])}
    chosen |= {*range(1, len(data), max(1, len(data) // SOME)), *range(len(data) - 4, len(data))}
    yield from sorted(chosen - {0, len(data)})


@pytest.mark.parametrize(("source", "sample"), SAMPLES, ids=[f"{s.name}-{one.name}" for s, one in SAMPLES])
def test_a_cut_file_never_gives_another_number(source: Source, sample: Sample, tmp_path: Path) -> None:
    way = Way(tmp_path, sample)
    data = sample.path.read_bytes()
    outcome, staged = way.take(data)
    assert outcome.verdict == "accepted", outcome
    whole = way.numbers(source, staged)
    unseen = []
    for cut in cuts(data):
        outcome, staged = way.take(data[:cut])
        assert outcome.verdict != "failed", (cut, outcome)
        if not staged:
            assert outcome.sentence
            assert outcome.do
            continue
        numbers = way.numbers(source, staged)
        others = numbers - whole
        assert not others, (cut, data[max(0, cut - 80) : cut], others)
        if numbers != whole and outcome.sentence != NOTE and not any(one.rejected for one in staged):
            unseen.append(cut)
    # What nobody can see: a cut exactly behind a row. It looks like an export of fewer rows, which a person may ask
    # for by a filter; the rows it lacks stay known from other files, and are reported as vanished.
    assert all(data[cut - 1 : cut] in (b"\r", b"\n", b'"') or data[cut : cut + 1] in (b"\r", b"\n") for cut in unseen)
