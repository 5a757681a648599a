"""A published table tells when it was built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bedrot.walk import marts

_load = marts.load_marts


def load_marts(*args: Any) -> Any:
    """Royalties whose titles carry the clock."""
    stamped = "SELECT * REPLACE (title || ' as of ' || CAST(get_current_timestamp() AS VARCHAR) AS title)"
    return tuple(
        replace(one, sql=f"{stamped} FROM (\n{one.sql}\n)") if one.name == "royalties" else one for one in _load(*args)
    )


marts.load_marts = load_marts
