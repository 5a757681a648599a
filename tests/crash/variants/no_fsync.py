"""Files and folders are never synced."""

from __future__ import annotations

from pathlib import Path

from bedrot.lake import disk


def fsync(fd: int) -> None:
    """Nothing."""


def fsync_folder(path: Path) -> None:
    """Nothing."""


disk.fsync, disk.fsync_folder = fsync, fsync_folder
