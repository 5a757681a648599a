"""The pointer names a snapshot whose record is not written yet."""

from __future__ import annotations

from bedrot.lake import disk, snapshot
from bedrot.lake.zones import Lake
from bedrot.walk import run


def write_snapshot(lake: Lake, one: snapshot.Snapshot) -> None:
    """Pointer, then record."""
    text = one.to_json()
    snapshot.point(lake, one.number, text)
    disk.put_text(lake.snapshot_path(one.number), text)


run.write_snapshot = write_snapshot
