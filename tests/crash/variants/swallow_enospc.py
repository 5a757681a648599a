"""A full disk is passed over in silence."""

from __future__ import annotations

from typing import Any

from bedrot.errors import StorageFailed
from bedrot.lake import disk

_put = disk.put


def put(*told: Any, **more: Any) -> bool:
    """`disk.put`, content with what happened."""
    try:
        return _put(*told, **more)
    except StorageFailed:
        return True


disk.put = put
