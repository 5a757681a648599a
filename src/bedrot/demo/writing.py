"""What all the demo's writers need: days in a row, exact quotients, amounts and fields as text, bytes in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import ParamSpec

Told = ParamSpec("Told")


def days(first: date, last: date) -> Iterator[date]:
    """All days from one to another, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def quotient(number: int, parts: int) -> int:
    """A number over one above zero, to the nearest whole one, halves rounded away from zero."""
    whole = (2 * abs(number) + parts) // (2 * parts)
    return -whole if number < 0 else whole


def pointed(number: int, decimals: int) -> str:
    """A number that counts the last of so many decimals, as text."""
    digits = f"{abs(number):0{decimals + 1}d}"
    return f"{'-' if number < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def guarded(field: object) -> str:
    """A field of a CSV, in quotation marks where it holds a comma or such a mark."""
    text = str(field)
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def one_piece(make: Callable[Told, bytes], *told: Told.args, **more: Told.kwargs) -> list[bytes]:
    """The bytes that a small file is made of, as pieces: one."""
    return [make(*told, **more)]
