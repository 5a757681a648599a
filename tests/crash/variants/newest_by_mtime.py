"""A file's age is the time at which its object was written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bedrot.walk import build

_contents = build._contents


def contents(inputs: Any, staged: Any) -> list[Any]:
    """Ages from the disk."""
    objects = {one.id: inputs.lake.object_path(one.object) for one in inputs.deliveries}
    return [
        replace(one, exported_at=datetime.fromtimestamp(objects[one.delivery].stat().st_mtime, UTC))
        for one in _contents(inputs, staged)
    ]


build._contents = contents
