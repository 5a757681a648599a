"""The original text behind a locator, read from the bytes in raw and not from anything that was made of them.

Locators are those that readers give: `line 17`, `row 3` (of a workbook), `Followers.csv line 3` (of a zip member), and
JSON pointers such as `/data/3`, which may lead into a JSON document or into one that a web page carries.
"""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from bedrot.contract import Original
from bedrot.contract.original import encoding_of
from bedrot.errors import Damaged
from bedrot.walk.look import scan

_PLACE = re.compile(r"(?:(?P<member>.+) )?(?P<kind>line|row) (?P<number>[0-9]+)", re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n]*")
_NEAR = 200
_DECODER = json.JSONDecoder()


def passages(original: Original, locators: Iterable[str]) -> dict[str, str]:
    """The original text of each locator, each file read once; Damaged where one leads nowhere."""
    found: dict[str, str] = {}
    places: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for locator in set(locators):
        place = _PLACE.fullmatch(locator)
        if locator.startswith("/") or not locator:
            found[locator] = _pointed(original, locator)
        elif place is None:
            raise _nowhere(original, locator)
        else:
            places[place["member"] or "", place["kind"]][int(place["number"])] = locator
    for (member, kind), wanted in places.items():
        texts = _lines(original, member, set(wanted)) if kind == "line" else _rows(original, member, set(wanted))
        for number, locator in wanted.items():
            if number not in texts:
                raise _nowhere(original, locator)
            found[locator] = texts[number]
    return found


def _nowhere(original: Original, locator: str) -> Damaged:
    return Damaged(
        f"The row says that it comes from '{locator}', where the file has nothing.",
        "Run `bedrot verify --deep`, and report this.",
        file=original.name,
    )


def _member(original: Original, member: str) -> bytes:
    """The bytes of a zip member; Damaged where there is none of that name."""
    for one in original.members:
        if one.name == member:
            return one.data
    raise _nowhere(original, member)


def _lines(original: Original, member: str, wanted: set[int]) -> dict[int, str]:
    """The records that begin at these lines (1-based), as they stand there, with their quotes."""
    if member:
        data = _member(original, member)
        return _wanted_lines(io.StringIO(data.decode(encoding_of(data)), newline=""), wanted)
    with _text(original.path) as file:
        return _wanted_lines(file, wanted)


def _text(path: Path) -> TextIO:
    """A file as text with its own line ends; its encoding is found by looking at all of its bytes."""
    with path.open("rb") as file:
        mark = file.read(2)
    encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else scan(path).encoding
    return path.open(encoding=encoding, newline="")


def _wanted_lines(text: TextIO, wanted: set[int]) -> dict[int, str]:
    """The wanted lines of a text; where quotes bind, a record goes on until they close."""
    found: dict[int, str] = {}
    begun, quoting, last = 0, False, max(wanted)
    for number, line in enumerate(text, start=1):
        if number == 1:
            quoting = "\t" not in line or line.lstrip().startswith('"')
        if begun:
            found[begun] += line
        elif number in wanted:
            found[number], begun = line, number
        if begun and not (quoting and found[begun].count('"') % 2):
            begun = 0
        if number >= last and not begun:
            break
    return {number: line.rstrip("\r\n") for number, line in found.items()}


def _rows(original: Original, member: str, wanted: set[int]) -> dict[int, str]:
    """These rows (1-based) of a workbook's first sheet: the texts of their cells between tabs."""
    from openpyxl import load_workbook  # noqa: PLC0415  costs a quarter of a second: imported where it is used

    data = _member(original, member) if member else original.data
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        found = {}
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            if number in wanted:
                found[number] = "\t".join("" if cell is None else str(cell) for cell in cells)
            if number >= max(wanted):
                break
        return found
    finally:
        book.close()


def _pointed(original: Original, pointer: str) -> str:
    """The text of the value that a JSON pointer (RFC 6901) leads to, character for character."""
    text = original.text
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    for start, left in _documents(text, tokens, whole=original.looks_like_json):
        try:
            begins, ends = _span(text, start, left)
        except (ValueError, IndexError, KeyError, RecursionError):
            continue
        return text[begins:ends]
    raise _nowhere(original, pointer)


def _documents(text: str, tokens: list[str], *, whole: bool) -> Iterator[tuple[int, list[str]]]:
    """Where to follow which tokens: the document itself, else what stands in a page behind the first token."""
    if whole or not tokens:
        yield _skip(text, 1 if text[:1] == "\ufeff" else 0), tokens
        return
    for named in re.finditer(rf"\b{re.escape(tokens[0])}\b", text):
        begins = re.compile(r"[{\[]").search(text, named.end(), named.end() + _NEAR)
        if begins is not None:
            yield begins.start(), tokens[1:]


def _span(text: str, at: int, tokens: list[str]) -> tuple[int, int]:
    """Begin and end of the value that the tokens lead to from the value at a place; KeyError or ValueError if none."""
    if not tokens:
        return at, _DECODER.raw_decode(text, at)[1]
    if text[at] == "{":
        return _span(text, _in_object(text, at, tokens[0]), tokens[1:])
    if text[at] == "[":
        return _span(text, _in_array(text, at, int(tokens[0])), tokens[1:])
    raise KeyError(tokens[0])


def _in_object(text: str, at: int, key: str) -> int:
    """Where the value of a key begins in the object at a place."""
    at = _skip(text, at + 1)
    while text[at] == '"':
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            break
        at = _skip(text, at + 1)
        if name == key:
            return at
        at = _next(text, at)
    raise KeyError(key)


def _in_array(text: str, at: int, place: int) -> int:
    """Where the entry of that number begins in the array at a place."""
    at = _skip(text, at + 1)
    for _ in range(place):
        at = _next(text, at)
    if text[at] == "]":
        raise IndexError(place)
    return at


def _next(text: str, at: int) -> int:
    """Where the next key or entry begins behind the value at a place."""
    at = _skip(text, _DECODER.raw_decode(text, at)[1])
    if text[at] != ",":
        raise IndexError(at)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """The first place that is not blank."""
    found = _BLANK.match(text, at)
    return found.end() if found else at
