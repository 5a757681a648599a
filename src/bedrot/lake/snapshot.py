"""Snapshots: the record of one published state (all tables, their files and hashes), and the pointer to the newest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bedrot.errors import BedrotError, Busy, Damaged
from bedrot.lake import disk
from bedrot.lake.opened import only_reads, open_snapshot
from bedrot.lake.sealed import instant, iso, read_sealed, seal, unseal
from bedrot.lake.zones import Lake

__all__ = [
    "Part",
    "Snapshot",
    "TableState",
    "current",
    "current_number",
    "load",
    "numbers",
    "only_reads",
    "open_snapshot",
    "point",
    "unreferenced",
    "write_snapshot",
]

_REBUILD = "Run `bedrot rebuild`: tables are made anew from raw."


@dataclass(frozen=True)
class Part:
    """Rows of a table: a whole Parquet file, or (with `slice`) the rows of it whose `_partition` equals the slice.

    `path` is relative to the lake; `sha256` is of the file's bytes; `inputs` is the hash of what made the rows;
    `delivery_scale` is the most decimals that money has in a slice's delivery: the value of its `_scale` column.
    """

    partition: str
    path: str
    rows: int
    sha256: str
    inputs: str
    slice: str | None = None
    delivery_scale: int | None = None


@dataclass(frozen=True)
class TableState:
    """One table of a snapshot: columns as (name, DuckDB type), the parts, and the hash of the code that made it.

    A name that begins with `staging.` is a staging table, any other a curated one. `values` tells, for a table parted
    by a column's values, how many rows of each value each file of its input has, so that no file is looked into twice.
    """

    name: str
    columns: Sequence[tuple[str, str]]
    parts: Sequence[Part]
    definition: str
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True)
class Snapshot:
    """One published state of all tables. `number` is `previous` + 1; the first is 1, its previous 0."""

    number: int
    previous: int
    tables: Mapping[str, TableState]
    inputs: Mapping[str, str]
    published_at: datetime
    version: str = ""

    def to_json(self) -> str:
        """The record, with its own SHA-256 inside; equal snapshots give equal text."""
        return seal(
            {
                "number": self.number,
                "previous": self.previous,
                "tables": {name: _table_as_json(table) for name, table in self.tables.items()},
                "inputs": dict(self.inputs),
                "published_at": iso(self.published_at),
                "version": self.version,
            }
        )

    @classmethod
    def from_json(cls, text: str, path: Path) -> Snapshot:
        """The snapshot of a record; Damaged, naming `path`, where the record is torn or edited."""
        value = unseal(text, path, _REBUILD)
        tables = {name: _table_of_json(name, table) for name, table in value.pop("tables").items()}
        return cls(**{**value, "tables": tables, "published_at": instant(value["published_at"])})


def write_snapshot(lake: Lake, snapshot: Snapshot) -> None:
    """Publish a snapshot: first its record, durably and only where the number is free, then the pointer.

    The record is what counts: a pointer that a dead process left behind is read on from. Raises Busy when another
    process published since `previous` was read; StorageFailed when the disk refuses, the record (then nothing is
    published) or the pointer (then it is, and the next command sees it).
    """
    now = current_number(lake)
    text = snapshot.to_json()
    free = snapshot.number == snapshot.previous + 1 and snapshot.previous == now
    if not free or not disk.put_text(lake.snapshot_path(snapshot.number), text):
        raise Busy(
            f"Another process published a snapshot meanwhile (this one would be {snapshot.number}).",
            "Run the same command again.",
            file=str(lake.root),
        )
    point(lake, snapshot.number, text)


def current(lake: Lake) -> Snapshot | None:
    """The newest published snapshot, None where there is none yet; Damaged, naming the newest whole one, else."""
    number = current_number(lake)
    return load(lake, number) if number else None


def current_number(lake: Lake) -> int:
    """The number of the newest published snapshot, 0 where there is none; Damaged where the pointer is."""
    number = _pointed(lake)
    while lake.snapshot_path(number + 1).exists():
        number += 1
    if not number and (found := numbers(lake)):
        if found[0] == 1:  # the first of all was published between the two looks
            return current_number(lake)
        raise _damaged(lake, lake.pointer_path, "The pointer to the current state is missing.", None)
    return number


def load(lake: Lake, number: int) -> Snapshot:
    """The snapshot of that number; Damaged, naming the newest whole one before it, where its record is not whole."""
    path = lake.snapshot_path(number)
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as gone:
        raise _damaged(lake, path, f"The record of snapshot {number} is missing or unreadable.", number) from gone
    try:
        found = Snapshot.from_json(text, path)
    except Damaged as torn:
        raise _damaged(lake, path, torn.sentence, number) from torn
    if found.number != number:
        raise _damaged(lake, path, f"The record is that of snapshot {found.number}.", number)
    return found


def numbers(lake: Lake) -> list[int]:
    """The numbers of all snapshots whose records are at hand, in order."""
    found = (lake.snapshot_number(path) for path in lake.snapshots.glob("*.json"))
    return sorted(number for number in found if number is not None)


def unreferenced(lake: Lake, keep: Iterable[int]) -> list[Path]:
    """Files in curated and staging that none of the snapshots in `keep` names, sorted.

    Rejected rows, snapshot records, the pointer and temporary files are never among them; Damaged where a snapshot
    to keep cannot be read, so that nothing is taken for unneeded by mistake.
    """
    named = {part.path for number in keep for table in load(lake, number).tables.values() for part in table.parts}
    found = (path for zone in (lake.curated, lake.staging) for path in _files(zone))
    return sorted(path for path in found if lake.relative(path) not in named)


def _files(zone: Path) -> Iterable[Path]:
    """The Parquet files below a zone, without folders and files whose name begins with `_` or `.`."""
    for at, folders, names in os.walk(zone):
        folders[:] = [name for name in folders if name[0] not in "._"]
        for name in names:
            if name.endswith(".parquet") and name[0] not in "._":
                yield Path(at) / name


def _pointed(lake: Lake) -> int:
    """The number that the pointer names, 0 where there is no pointer; Damaged where it names no such record."""
    path = lake.pointer_path
    if not path.exists():
        return 0
    try:
        value = read_sealed(path)
        text = lake.snapshot_path(value["number"]).read_bytes()
    except Damaged as torn:
        raise _damaged(lake, path, torn.sentence, None) from torn
    except OSError as gone:
        raise _damaged(lake, path, f"It names snapshot {value['number']}, which is not there.", None) from gone
    if hashlib.sha256(text).hexdigest() != value["record"]:
        number = int(value["number"])
        raise _damaged(lake, lake.snapshot_path(number), f"The record of snapshot {number} was changed.", number)
    return int(value["number"])


def point(lake: Lake, number: int, text: str) -> None:
    """Let the pointer name a record that is durable, `text` being all of it."""
    pointer = {"number": number, "record": hashlib.sha256(text.encode()).hexdigest()}
    disk.put_text(lake.pointer_path, seal(pointer), replace=True, read_only=False)


def _damaged(lake: Lake, path: Path, sentence: str, before: int | None) -> Damaged:
    """The error for a record or pointer, saying which older snapshot is whole."""
    whole = next((n for n in reversed(numbers(lake)) if (before is None or n < before) and _is_whole(lake, n)), None)
    said = f"Snapshot {whole} is whole: read it with --snapshot {whole}." if whole else "No older snapshot is whole."
    return Damaged(f"{sentence} {said}", _REBUILD, file=str(path))


def _is_whole(lake: Lake, number: int) -> bool:
    path = lake.snapshot_path(number)
    try:
        return Snapshot.from_json(path.read_bytes().decode(), path).number == number
    except (BedrotError, OSError, UnicodeDecodeError):
        return False


def _table_as_json(table: TableState) -> dict[str, Any]:
    return {
        "columns": [list(column) for column in table.columns],
        "parts": [vars(part) for part in table.parts],
        "definition": table.definition,
        **({"values": table.values} if table.values else {}),
    }


def _table_of_json(name: str, value: Mapping[str, Any]) -> TableState:
    columns = [(column, kind) for column, kind in value["columns"]]
    return TableState(
        name, columns, [Part(**part) for part in value["parts"]], value["definition"], value.get("values", {})
    )
