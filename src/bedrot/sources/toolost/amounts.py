"""Reads the ways in which distributors write numbers: `1,200`, `1.234,56`, `(4.10)`, `$4.10`.

Which sign parts the decimals is decided once for a file, from all of its numbers, and never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bedrot.errors import Refused

_NUMBER = re.compile(
    r"(?P<open>\()?(?P<minus>[+-]?)(?P<mark>US\$|[$€£])?(?P<after>[+-]?)"
    r"(?P<digits>[0-9][0-9.,]*|[.,][0-9]+)(?P<power>[eE][+-]?[0-9]+)?(?P<tail>€)?(?P<close>\))?"
)
_MARKS = {"US$": ("USD",), "$": ("USD", "CAD", "AUD", "NZD"), "€": ("EUR",), "£": ("GBP",)}
# What one cell can say about the sign that parts the decimals.
_OPEN = "open"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the file as it is written; `whole` says that it can have no decimals (units)."""

    line: int
    heading: str
    text: str
    whole: bool


def decimal_sign(cells: Iterable[Cell], name: str) -> str:
    """The sign that parts the decimals in all numbers of the file, `.` or `,`.

    Raises Refused where two numbers contradict each other, or where one could be read both ways and none decides.
    """
    shown: dict[str, Cell] = {}
    for cell in cells:
        found = _NUMBER.fullmatch(_squeezed(cell.text))
        if found:
            said = _says(found["digits"], cell.whole)
            if said:
                shown.setdefault(said, cell)
    if "." in shown and "," in shown:
        one, two = shown["."], shown[","]
        raise Refused(
            f"'{one.text}' (line {one.line}) and '{two.text}' (line {two.line}) part decimals by different signs.",
            "Give the file as TooLost made it, not one that a spreadsheet saved.",
            file=name,
            line=max(one.line, two.line),
            heading=two.heading,
        )
    if _OPEN in shown and len(shown) == 1:
        cell = shown[_OPEN]
        raise Refused(
            f"'{cell.text}' can be read in two ways, and no other number of the file decides which.",
            "Ask TooLost for a file with plain numbers, or report the file.",
            file=name,
            line=cell.line,
            heading=cell.heading,
        )
    return "," if "," in shown else "."


def plain(text: str, sign: str, currency: str) -> str:
    """The number in plain digits with a point; unchanged where that would be a guess, so that the row is rejected."""
    found = _NUMBER.fullmatch(_squeezed(text))
    if not found or not _fits(found, currency):
        return text
    whole, _, decimals = found["digits"].partition(sign)
    other = "," if sign == "." else "."
    if other in decimals or sign in decimals:
        return text
    if other in whole and not re.fullmatch(rf"[0-9]{{1,3}}(?:[{other}][0-9]{{3}})+", whole):
        return text
    digits = whole.replace(other, "") or "0"
    negative = found["open"] or "-" in (found["minus"], found["after"])
    return f"{'-' if negative else ''}{digits}{'.' + decimals if decimals else ''}{found['power'] or ''}"


def _squeezed(text: str) -> str:
    """The text without blanks around a sign or a mark of currency; blanks between digits stay: no number then."""
    return re.sub(r"(?<![0-9])\s+|\s+(?![0-9])", "", text.replace("\u2212", "-"))


def _fits(found: re.Match[str], currency: str) -> bool:
    """Whether brackets close, only one sign stands there, and the mark is one of the currency's."""
    if bool(found["open"]) != bool(found["close"]):
        return False
    signs = bool(found["open"]) + bool(found["minus"]) + bool(found["after"])
    marks = [one for one in (found["mark"], found["tail"]) if one]
    return signs <= 1 and len(marks) <= 1 and all(currency in _MARKS[one] for one in marks)


def _says(digits: str, whole: bool) -> str | None:
    """What parts the decimals by this number alone; `open` where either could; None where it says nothing."""
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rfind(".") > digits.rfind(",") else ","
    if points + commas == 0:
        return None
    sign = "." if points else ","
    other = "," if points else "."
    if points + commas > 1:
        return other
    before, after = digits.split(sign)
    grouped = len(after) == 3 and re.fullmatch(r"[1-9][0-9]{0,2}", before) is not None
    if not grouped:
        return sign
    return other if whole else _OPEN
