"""Numbers with more decimals than their type holds are rounded by try_cast."""

from __future__ import annotations

from bedrot.contract import Field, Kind
from bedrot.contract.typing_sql import DECIMAL_TYPE
from bedrot.walk import judge

_typed = judge.typed


def typed(field: Field, text: str) -> str:
    """Whatever the engine makes of it."""
    if field.kind in (Kind.MONEY, Kind.DECIMAL):
        return f"TRY_CAST({text} AS {DECIMAL_TYPE})"
    return _typed(field, text)


judge.typed = typed
