"""Bytes are written under their final name, with every sync: a kill leaves a torn object that has a name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bedrot.lake import disk


def put(
    final: Path,
    chunks: Iterable[bytes],
    *,
    replace: bool = False,
    read_only: bool = True,
    look: disk.Look | None = None,
) -> bool:
    """`disk.put` without a temporary file."""
    disk.make_folder(final.parent)
    if final.exists() and not replace:
        return False
    fd = os.open(final, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    for chunk in chunks:
        disk.write(fd, chunk)
    disk.fsync(fd)
    os.close(fd)
    if look is not None:
        look(final)
    disk.fsync_folder(final.parent)
    return True


disk.put = put
