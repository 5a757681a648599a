"""For wrong variants: values that newer answers restate are added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bedrot import sql
from bedrot.contract import Kind
from bedrot.contract.typing_sql import TYPES


def adding(states: Callable[..., None]) -> Callable[..., None]:
    """The function that makes the states of rows, with the sum so far in place of the newest value."""

    def summed(con: Any, shape: Any, source: str, window: str, values: dict[str, str]) -> None:
        added = {
            one: f"CAST(sum({sql.name(one)}) OVER {window} AS {TYPES[shape.table.field(one).kind]})"
            for one in values
            if shape.table.field(one).kind in {Kind.INTEGER, Kind.DECIMAL, Kind.MONEY}
        }
        states(con, shape, source, window, {**values, **added})

    return summed
