"""A file's age is the time at which the lake got it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bedrot.walk import build

_contents = build._contents


def contents(inputs: Any, staged: Any) -> list[Any]:
    """Ages from the time of receipt."""
    received = {one.id: one.received_at for one in inputs.deliveries}
    return [replace(one, exported_at=received[one.delivery]) for one in _contents(inputs, staged)]


build._contents = contents
