"""Writers do not lock the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bedrot.commands import common
from bedrot.lake.zones import Lake


@contextmanager
def writer_lock(lake: Lake, wait: float = 0) -> Iterator[None]:
    """Nothing."""
    yield


common.writer_lock = writer_lock
