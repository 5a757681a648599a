"""Delimited text as lines: which heading is which field, and one text line for each record.

DuckDB parts lines fastest, and loses none, that have one kind of line end and no quoting; a file of another kind is
first rewritten, record by record, with its line numbers in front.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from bedrot.contract import Original, Table, heading_key
from bedrot.errors import Refused
from bedrot.walk.look import LINE_BYTES, ODD, Bytes
from bedrot.walk.whole import last_line_whole, last_record_whole

UNIT = "\x1f"
NEWLINE_INSIDE = "\x1e"
RETURN_INSIDE = "\x1d"
COLUMNS = 5_000
_CHUNK = 1 << 20
_ODD_TEXT = re.compile(f"[{b''.join(ODD).decode()}]")
_ENDS = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class Heading:
    """The heading row: its delimiter, its texts, and the place of each field that it names. `money`: of any amounts."""

    delimiter: str
    titles: tuple[str, ...]
    places: Mapping[str, int]
    unknown: tuple[str, ...]
    line: str
    money: bool = True


@dataclass(frozen=True)
class Lines:
    """Records as lines of text in a file that DuckDB can read in bulk, all with the same `newline`.

    `numbered`: rewritten, the first unit of each line is its line number in the original; else it is the original.
    `records` counts the physical records below the heading, found without the parser that reads them.
    """

    path: Path
    newline: str
    delimiter: str
    numbered: bool
    records: int
    blanks: tuple[int, ...] = field(default=())


def read_heading(original: Original, table: Table, delimiters: str) -> Heading:
    """The heading row of a file, mapped to the fields of a table.

    Raises Refused when there is none, when a needed heading is missing, or when two headings name one field.
    """
    line = _first_line(original)
    title_rows = {delimiter: _titles(line, delimiter) for delimiter in delimiters}
    known = {heading_key(name): one.name for one in table.fields for name in (one.name, *one.aka)}
    delimiter, titles = max(title_rows.items(), key=lambda item: sum(heading_key(title) in known for title in item[1]))
    places: dict[str, int] = {}
    for place, title in enumerate(titles):
        name = known.get(heading_key(title))
        if name is not None and name in places:
            raise Refused(
                f"Two headings mean the same: '{titles[places[name]]}' and '{title}'.",
                "Download the file again.",
                file=original.name,
                line=1,
                heading=title,
            )
        if name is not None:
            places[name] = place
    _refuse_missing(original, table, titles, places)
    unknown = tuple(title for title in titles if heading_key(title) not in known)
    return Heading(delimiter, titles, places, unknown, line, money=bool(table.money))


def _titles(line: str, delimiter: str) -> tuple[str, ...]:
    """The texts of a heading row."""
    return tuple(title.strip() for title in next(csv.reader([line], delimiter=delimiter), []))


def _first_line(original: Original) -> str:
    """The text of the first line; Refused when the file is empty or begins with no line of a bearable length."""
    if not original.head.strip(b"\xef\xbb\xbf\x00 \t\r\n"):
        raise Refused("The file is empty.", "Download it again.", file=original.name)
    line = _ENDS.split(original.head_text, maxsplit=1)[0]
    if len(line) >= LINE_BYTES - 4 or any(line.count(mark) > COLUMNS for mark in "\t,;"):
        raise Refused(
            "The first line is far longer than any heading row.", "Download the file again.", file=original.name, line=1
        )
    return line


def _refuse_missing(original: Original, table: Table, titles: tuple[str, ...], places: Mapping[str, int]) -> None:
    """Refuse a file that lacks a heading which its table cannot do without, showing the headings it has."""
    missing = [one for one in table.fields if one.required and one.name not in places]
    if missing:
        expected = " or ".join(f"'{name}'" for name in (missing[0].aka or (missing[0].name,)))
        raise Refused(
            f"The heading {expected} is missing; the file has: {', '.join(titles)}.",
            "Download the file again, with all its columns.",
            file=original.name,
            line=1,
            heading=(missing[0].aka or (missing[0].name,))[0],
        )


def refuse_bad_ends(original: Original, found: Bytes, heading: Heading) -> None:
    """Refuse a file with a line too long to be a record, or whose last line was cut off."""
    if found.longest >= LINE_BYTES:
        raise Refused(
            f"A line of the file is longer than {LINE_BYTES:,} bytes, which no record is.",
            "Download the file again.",
            file=original.name,
        )
    width = len(heading.titles)
    if found.last[-1:] == b'"' and _quoting(heading):
        whole = last_record_whole(original, heading.delimiter, width)
    else:
        whole = found.last[-1:] in (b"\r", b"\n") or last_line_whole(
            original, heading.delimiter, width, money=heading.money
        )
    if whole:
        return
    raise Refused(
        "The file is cut off: its last line has no end and is not as long as a whole one.",
        "Download the file again.",
        file=original.name,
        line=found.ends + 1,
    )


def as_it_stands(original: Original, heading: Heading, found: Bytes) -> Lines | None:
    """The lines of the file itself; None where line ends are mixed, texts quoted or encoded otherwise, or bytes odd.

    A blank line counts as a record here, which no reader finds: then the file must be rewritten.
    """
    if not found.newline or found.utf16 or not found.utf8 or found.odd or (found.quotes and _quoting(heading)):
        return None
    records = found.ends - (found.last[-1:] in (b"\r", b"\n"))
    return Lines(original.path, found.newline, heading.delimiter, numbered=False, records=records)


def _quoting(heading: Heading) -> bool:
    """Whether quotation marks of the file are a way to write fields, and not data."""
    return heading.delimiter != "\t" or heading.line.startswith('"')


def rewritten(original: Original, heading: Heading, found: Bytes, work: Path) -> Lines:
    """The records of the file, rewritten into `work` in bounded memory, one a line.

    Raises Refused when the quoting of the file is broken.
    """
    quoting = _quoting(heading)
    target = work / "lines.txt"
    blanks: list[int] = []
    with (
        original.path.open(encoding=found.encoding, newline="") as text,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        for number, row in _rows(original, text, heading.delimiter, quoting=quoting):
            if row:
                out.write(UNIT.join((str(number), *map(_escaped, row))) + "\n")
            else:
                blanks.append(number)
    with original.path.open(encoding=found.encoding, newline="") as text:
        records = _count_records(text, quoting=quoting)
    return Lines(target, "\n", UNIT, numbered=True, records=records - 1, blanks=tuple(blanks))


def _rows(original: Original, text: TextIO, delimiter: str, *, quoting: bool) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each record, the heading row first; blank lines are empty lists."""
    if not quoting:
        for number, line in enumerate(text, start=1):
            bare = line.rstrip("\r\n")
            yield number, bare.split(delimiter) if bare else []
        return
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as broken:
        raise Refused(
            f"The quotation marks of the file do not close ({broken}).",
            "The file was cut off or edited: download it again.",
            file=original.name,
            line=start,
        ) from broken


def _escaped(value: str) -> str:
    """A field's text on one line: line ends inside become control characters that SQL turns back.

    What a file itself has of the control characters used here becomes U+FFFD, the sign for a character that is lost.
    """
    return _ODD_TEXT.sub("\ufffd", value).replace("\n", NEWLINE_INSIDE).replace("\r", RETURN_INSIDE)


def _count_records(text: TextIO, *, quoting: bool) -> int:
    """How many records the text has, blank ones too: line ends outside quotes, and a last line without one."""
    ends, inside, held, last = 0, False, "", ""
    while chunk := text.read(_CHUNK):
        last = chunk[-1]
        chunk, held = held + chunk, ""
        if chunk.endswith("\r"):
            chunk, held = chunk[:-1], "\r"
        for place, part in enumerate(chunk.split('"') if quoting else [chunk]):
            inside = inside if place == 0 else not inside
            if not inside:
                ends += len(_ENDS.findall(part))
    return ends + bool(held and not inside) + (last not in ("\r", "\n", ""))
