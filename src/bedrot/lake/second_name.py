"""A second name for a file of ours that is durable, and the end of its first one: bytes that move are not copied."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bedrot.lake import disk
from bedrot.lake.refusals import said

_NOT_LINKED = disk.NO_LINKS | {errno.EXDEV, errno.EEXIST, errno.EACCES}
"""Also what a system may say that lets nobody link a file marked read-only: a copy shows whether it is no more."""


def adopt(ours: Path, final: Path, chunks: Iterable[bytes]) -> bool:
    """Give a file that this process has `put` a second name, durably; False when that was taken and was kept.

    No byte is written again: both names are one file, until `drop` takes the first away. Where the disk knows no links,
    or the second name is on another one, `chunks` are `put` there. Raises StorageFailed.
    """
    disk.make_folder(final.parent)
    with said(final):
        try:
            disk.link(ours, final)
        except OSError as refused:
            if refused.errno not in _NOT_LINKED:
                raise
        else:
            disk.fsync_folder(final.parent)
            return True
    return disk.put(final, chunks)


def drop(path: Path, stays: Path) -> None:
    """Remove a name that nobody needs, of bytes that stay under another; one that is gone already is no error.

    A power cut may bring it back. Raises StorageFailed.
    """
    with said(path), suppress(FileNotFoundError):
        if disk.WINDOWS:
            disk.chmod(path, 0o666)
        disk.unlink(path)
    if disk.WINDOWS:
        with said(stays):
            disk.chmod(stays, disk.READ_ONLY)  # there the mark is the file's, under all its names
