"""Amounts of money pass through binary floating point."""

from __future__ import annotations

from bedrot.contract import Field, Kind
from bedrot.contract.typing_sql import DECIMAL_TYPE
from bedrot.walk import judge

_typed = judge.typed


def typed(field: Field, text: str) -> str:
    """A double on the way to a decimal."""
    exact = _typed(field, text)
    return f"CAST(CAST({exact} AS DOUBLE) AS {DECIMAL_TYPE})" if field.kind is Kind.MONEY else exact


judge.typed = typed
