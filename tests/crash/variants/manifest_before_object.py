"""A delivery's manifest is written before the bytes that it names."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bedrot.lake import objects
from bedrot.lake.deliveries import Delivery
from bedrot.lake.zones import Lake
from bedrot.walk import accept

_waiting: list[partial[objects.StoredObject]] = []
_put, _write = objects.put_object, accept.write_manifest


def put_object(lake: Lake, path: Path, sha256: str | None = None, *, ours: bool = False) -> None:
    """Nothing yet."""
    _waiting.append(partial(_put, lake, path, sha256, ours=ours))


def write_manifest(lake: Lake, delivery: Delivery) -> bool:
    """Manifest, then object."""
    new = _write(lake, delivery)
    _waiting.pop()()
    return new


objects.put_object, accept.write_manifest = put_object, write_manifest
