"""Whole: what the last bytes of a text tell about whether the file was cut off."""

from __future__ import annotations

import csv
import re

from bedrot.contract import Delimited, Feed, Kind, Original
from bedrot.contract.original import WHOLE_BYTES
from bedrot.errors import Refused

NOTE = "The last line has no end: if the file was cut off, import the whole one."
_NUMBERS = (Kind.INTEGER, Kind.DECIMAL, Kind.MONEY)
_LINES = 20
_ENDS = re.compile(r"\r\n|\r|\n")


def open_end(original: Original) -> bool:
    """Whether a delimited text stops behind a field that is neither quoted nor ended: it may be half a field."""
    if original.is_zip or original.looks_like_json or original.head_text.lstrip("\ufeff \t\r\n")[:1] == "<":
        return False
    return original.tail.rstrip(b"\0")[-1:] not in (b"\r", b"\n", b'"')


def last_line_whole(original: Original, delimiter: str, width: int, *, money: bool) -> bool:
    """Whether a last line without an end has all `width` fields.

    Where there is money, the last field must also show as many decimals as in the line before: an amount that was cut
    off looks like another amount.
    """
    marks = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
    tail = _ENDS.split(original.tail.decode(marks.get(original.head[:2], "latin-1"), errors="ignore"))
    last = tail[-1].split(delimiter)
    if not money:
        return len(tail) > 1 and len(last) == width
    if len(tail) < 3:
        return False
    shapes = [len(fields[-1].partition(".")[2]) for fields in (tail[-2].split(delimiter), last)]
    return len(last) == width and shapes[0] == shapes[1] > 0


def last_record_whole(original: Original, delimiter: str, width: int) -> bool:
    """Whether a last record that stops behind a quotation mark has all `width` fields; it may go over some lines."""
    lines = original.tail.decode("latin-1").splitlines(keepends=True)
    for count in range(1, min(len(lines), _LINES) + 1):
        try:
            rows = list(csv.reader(lines[-count:], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        if len(rows) == 1 and len(rows[0]) == width:
            return True
    return False


def tells_numbers(feed: Feed) -> bool:
    """Whether a file of that feed tells counts or amounts; a sheet of names and days does not."""
    return any(field.kind in _NUMBERS for table in feed.tables for field in table.fields)


def refuse_open_end(original: Original, feed: Feed) -> None:
    """Raise Refused for a text with numbers whose last line has no end: half a number looks like another number.

    Files that the walk reads in bulk have a closer look of their own.
    """
    if isinstance(feed.read, Delimited) or not tells_numbers(feed) or not open_end(original):
        return
    line = len(_ENDS.findall(original.text)) + 1 if original.size <= WHOLE_BYTES else None
    raise Refused(
        "The file is cut off: its last line has no end, so nobody can tell whether its last field is whole.",
        "Download it again.",
        file=original.name,
        line=line,
    )
