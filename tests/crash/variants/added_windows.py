"""The values that newer pulls and snapshots of one scope restate are added up."""

from __future__ import annotations

from typing import Any

from bedrot import sql
from bedrot.contract import Kind
from bedrot.contract.typing_sql import TYPES
from bedrot.walk import fold_scopes

_states = fold_scopes.states


def states(con: Any, shape: Any, source: str, window: str, values: dict[str, str]) -> None:
    """The sum so far in place of the newest value."""
    added = {
        one: f"CAST(sum({sql.name(one)}) OVER {window} AS {TYPES[shape.table.field(one).kind]})"
        for one in values
        if shape.table.field(one).kind in {Kind.INTEGER, Kind.DECIMAL, Kind.MONEY}
    }
    _states(con, shape, source, window, {**values, **added})


fold_scopes.states = states
