"""Run as a script: a small lake that must keep a few laws; prints each law that it breaks, and ends with 1 then.

The expected values are found without the package: from the text of the file, with csv and Decimal.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import crash_check

import bedrot
from bedrot.config import Settings
from bedrot.lake.ledger import Ledger
from bedrot.lake.snapshot import current, open_snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.run import Walk
from bedrot.walk.run import run as walk_run

GOLDEN = Path(bedrot.__file__).parent / "sources/distrokid/golden"
AT = datetime(2026, 4, 1, tzinfo=UTC)
OLD, NEW = "DistroKid_1750000000000_Test.tsv", "DistroKid_1760000000000_Test.tsv"
HEADING = GOLDEN / "DistroKid_1748520000000_Paper_Comets.tsv"
TWICE = "1234.000000000000000001"
TOO_FINE = "1234.0000000000000000019"
RESTATED = ("0.5", "0.6")


def files(folder: Path) -> tuple[Path, Path]:
    """An older and a newer full export, each with one line twice; the newer restates the amount of another track."""
    text = HEADING.read_bytes().decode("utf-8-sig")
    end = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
    lines = [line for line in text.split(end) if line]
    rows = list(csv.reader(lines, delimiter="\t"))
    money = rows[0].index("Earnings (USD)")
    sale = next(row for row in rows[1:] if Decimal(row[money]) > 0)
    other = next(row for row in rows[1:] if row[5] not in ("", sale[5]) and Decimal(row[money]) > 0)
    found = []
    for name, amounts, again in ((OLD, (TWICE, TWICE), RESTATED[0]), (NEW, (TWICE, TWICE, TOO_FINE), RESTATED[1])):
        made = [rows[0], *(_with(sale, money, amount) for amount in amounts), _with(other, money, again)]
        path = folder / name
        path.write_bytes(end.join("\t".join(one) for one in made).encode() + end.encode())
        found.append(path)
    return found[0], found[1]


def _with(row: list[str], column: int, value: str) -> list[str]:
    return [*row[:column], value, *row[column + 1 :]]


def lake_of(folder: Path, name: str, given: Sequence[Path], now: datetime) -> tuple[Lake, list[tuple[Any, ...]]]:
    """A lake that got these files one after another; and its royalties."""
    lake = Lake.create(folder / name)
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(lake.ledger_path))
        walk = Walk(lake, ledger, Settings())
        walk.__dict__["sources"] = [one for one in walk.sources if one.name == "distrokid"]
        for day, path in enumerate(given):
            door = Door(lake, ledger, walk.sources, {}, Told(), now + timedelta(days=day))
            said = list(door.offer([path]))
            assert [one.verdict for one in said] == ["accepted"], said
        walk_run(walk, now)
        snapshot = current(lake)
        assert snapshot is not None
        con = open_snapshot(lake, snapshot)
        found = con.execute("SELECT title, units, earnings, isrc FROM royalties ORDER BY ALL").fetchall()
        con.close()
    return lake, found


def broken(folder: Path) -> list[str]:
    """The laws that do not hold."""
    old, new = files(folder)
    one, rows = lake_of(folder, "one", (old, new), AT)
    other, turned = lake_of(folder, "other", (new, old), AT + timedelta(days=30))
    amounts = [row[2] for row in rows]
    found = []
    if _plain(rows) != _plain(turned):
        found.append(f"order: another order of arrival gives other rows: {amounts} and {[row[2] for row in turned]}")
    elif crash_check.rows(one.root) != crash_check.rows(other.root):
        found.append("clock: another day gives other rows")
    if len(rows) != 3:
        found.append(f"lines: two identical lines, one too fine and one of another track are {len(rows)} rows")
    if not {Decimal(TWICE), Decimal(RESTATED[1])} >= set(amounts):
        found.append(f"money: {TWICE} and {RESTATED} became {[str(amount) for amount in amounts]}")
    if not any((one.staging / "_rejects").rglob("*.parquet")):
        found.append(f"scale: {TOO_FINE} was not set aside")
    return found


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[1:] for row in rows]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir()
    said = broken(place)
    shutil.rmtree(place)
    sys.stdout.write("\n".join(said) + "\n")
    sys.exit(int(bool(said)))
