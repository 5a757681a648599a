"""Files are synced; the folders that hold their names are not."""

from __future__ import annotations

from pathlib import Path

from bedrot.lake import disk


def fsync_folder(path: Path) -> None:
    """Nothing."""


disk.fsync_folder = fsync_folder
