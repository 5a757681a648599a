"""A TikTok download as sheets of text, whichever container it came in: CSV, XLSX, or a zip of these."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import ParseError

from bedrot.contract import Original
from bedrot.contract.original import decode_head, encoding_of
from bedrot.errors import Refused

PEEK_BYTES = 64 << 10
MOST_MEMBERS = 8
XLSX_BYTES = 8 << 20
XLSX_UNPACKED = 64 << 20
XLSX_ROWS = 20_000
XLSX_COLUMNS = 100
DELIMITERS = (",", ";", "\t")
_XLSX_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, OSError, RuntimeError),
    *(LookupError, ValueError, TypeError, AttributeError),
)
"""What the workbook reader raises for files that are not what they say, besides its own faults."""

_ZIP_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
_QUOTE = '"'


@dataclass(frozen=True, slots=True)
class Part:
    """One table file as bytes: its member name ("" where it is no member of a zip) and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record, and the line (CSV) or row (XLSX), 1-based, where it begins."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A part as text: headings as written, records behind them, and what a spreadsheet left in it ("" where nothing).

    `place` is what a line number is put behind: `line`, `row`, `Viewers.csv line`.
    """

    file: str
    place: str
    headings: tuple[str, ...]
    heading_line: int
    records: tuple[Record, ...]
    resaved: str


def is_xlsx(data: bytes) -> bool:
    """Whether the bytes are a workbook."""
    if data[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except _ZIP_BROKEN:
        return False


def is_workbook(original: Original) -> bool:
    """Whether the file itself is a workbook, and not a zip of downloads."""
    return "xl/workbook.xml" in original.member_names


def is_archive(original: Original) -> bool:
    """Whether the file is a zip of downloads."""
    return original.is_zip and not is_workbook(original)


def parts(original: Original) -> list[Part]:
    """The table files in a download; Refused for a zip that is damaged or dangerous."""
    if not is_archive(original):
        return [Part("", original.data)]
    return [Part(member.name, member.data) for member in original.members if not _is_litter(member.name)]


def sheets(original: Original) -> Iterator[Sheet]:
    """The table files of a download as text, in the order of the zip; Refused where one is not whole."""
    for part in parts(original):
        yield read_sheet(part, original.name)


def read_sheet(part: Part, name: str) -> Sheet:
    """One part as text; Refused where it breaks off or a record has too few or too many fields."""
    file = f"{name}/{part.name}" if part.name else name
    before = f"{part.name} " if part.name else ""
    return _read_xlsx(part.data, file, before) if is_xlsx(part.data) else _read_csv(part.data, file, before)


def peek(original: Original) -> list[tuple[str, ...]]:
    """The headings of each table file, cheaply and without ever failing; empty where the file has not our shape."""
    try:
        if is_workbook(original):
            return [_xlsx_headings(original.data)] if original.size <= XLSX_BYTES else []
        if is_archive(original):
            return _zip_headings(original)
        return [_csv_headings(original.head[:PEEK_BYTES])]
    except (Refused, csv.Error, *_ZIP_BROKEN, *_XLSX_BROKEN):
        return []


def _is_litter(name: str) -> bool:
    """Whether a zip member is a folder or something that an operating system left, and no download."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return (
        not last or last.startswith(".") or name.startswith("__MACOSX/") or last.lower() in ("thumbs.db", "desktop.ini")
    )


def _zip_headings(original: Original) -> list[tuple[str, ...]]:
    """The headings of each member, reading only the beginning of each."""
    names = [name for name in original.member_names if not _is_litter(name)]
    if len(names) > MOST_MEMBERS:
        return []
    found = []
    with zipfile.ZipFile(original.path) as archive:
        for name in names:
            with archive.open(name) as file:
                head = file.read(PEEK_BYTES)
                if head[:4] == b"PK\x03\x04":
                    head += file.read(XLSX_BYTES)
                    found.append(_xlsx_headings(head))
                else:
                    found.append(_csv_headings(head))
    return found


def _csv_headings(head: bytes) -> tuple[str, ...]:
    """The first record of a CSV's beginning."""
    text = decode_head(head)
    return tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)), ()))


def _xlsx_headings(data: bytes) -> tuple[str, ...]:
    """The first row of a workbook."""
    return _texts(next(iter(_xlsx_rows(data, "")), ()))


def _delimiter(text: str) -> str:
    """What separates the headings: the mark that stands most often in the first line, a comma in doubt."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(DELIMITERS, key=first.count)


def _read_csv(data: bytes, file: str, before: str) -> Sheet:
    """Delimited text as a sheet."""
    encoding = encoding_of(data)
    text = data.decode(encoding)
    delimiter = _delimiter(text)
    records = list(_csv_records(text, delimiter, file))
    if not records:
        raise Refused("The file is empty.", "Download it again.", file=file)
    head, *body = records
    for record in body:
        if len(record.cells) != len(head.cells):
            raise Refused(
                f"The line has {len(record.cells)} fields where the headings are {len(head.cells)}:"
                " the file breaks off here or was changed.",
                "Download it again.",
                file=file,
                line=record.line,
            )
    resaved = ""
    if delimiter != ",":
        resaved = "its fields are separated by " + {";": "semicolons", "\t": "tabs"}[delimiter] + ", not by commas"
    elif encoding != "utf-8-sig":
        resaved = "its text is not UTF-8"
    return Sheet(file, before + "line", _trimmed(head.cells), head.line, tuple(body), resaved)


def _csv_records(text: str, delimiter: str, file: str) -> Iterator[Record]:
    """The records of delimited text that are not blank lines, each with the line where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as broken:
            raise Refused(
                f"The file breaks off or is damaged here: a field in quotation marks does not end well ({broken}).",
                "Download it again.",
                file=file,
                line=begins,
            ) from broken
        if cells is None:
            return
        if cells and not (len(cells) == 1 and not cells[0].strip()):
            yield Record(begins, tuple(cells))
        begins = reader.line_num + 1


def _read_xlsx(data: bytes, file: str, before: str) -> Sheet:
    """A workbook of one sheet as a sheet of text; Refused when it is damaged, too large or not of that shape."""
    records: list[Record] = []
    resaved = ""
    try:
        for line, cells in enumerate(_xlsx_rows(data, file), start=1):
            texts = _texts(cells)
            if not resaved and not all(cell is None or isinstance(cell, str) for cell in cells):
                resaved = f"its cells hold numbers or dates (row {line}) where TikTok writes text"
            if any(texts):
                records.append(Record(line, texts))
    except _XLSX_BROKEN as broken:
        raise Refused("The workbook is damaged or is not one.", "Download it again.", file=file) from broken
    if not records:
        raise Refused("The workbook is empty.", "Download it again.", file=file)
    head = _trimmed(records[0].cells)
    body = tuple(Record(one.line, _fitted(one, len(head), file)) for one in records[1:])
    return Sheet(file, before + "row", head, records[0].line, body, resaved)


def _fitted(record: Record, width: int, file: str) -> tuple[str, ...]:
    """A row's cells, as many as there are headings; Refused where one stands beyond them."""
    if any(record.cells[width:]):
        raise Refused("A cell stands beyond the headings.", "Download it again.", file=file, line=record.line)
    return (record.cells + ("",) * width)[:width]


def _xlsx_rows(data: bytes, file: str) -> Iterator[tuple[object, ...]]:
    """The rows of a workbook's only sheet, under caps on size, rows and columns."""
    from openpyxl import load_workbook  # noqa: PLC0415 (costs a quarter of a second: imported where it is used)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(data) > XLSX_BYTES or sum(info.file_size for info in archive.infolist()) > XLSX_UNPACKED:
            raise Refused("The workbook is far larger than TikTok's are.", "Do not open it.", file=file)
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        if len(book.worksheets) != 1:
            raise Refused(
                f"The workbook has {len(book.worksheets)} sheets; TikTok's has one.",
                "Give the file as it was downloaded.",
                file=file,
            )
        rows: Iterable[tuple[object, ...]] = book.worksheets[0].iter_rows(values_only=True)
        for place, row in enumerate(rows):
            if place >= XLSX_ROWS or len(row) > XLSX_COLUMNS:
                raise Refused("The workbook holds far more than TikTok's do.", "Do not open it.", file=file)
            yield row
    finally:
        book.close()


def _texts(cells: Iterable[object]) -> tuple[str, ...]:
    """Cells as text, empty ones as empty text, an instant as its ISO form."""
    return tuple(
        "" if cell is None else cell.isoformat() if isinstance(cell, datetime) else str(cell) for cell in cells
    )


def _trimmed(headings: tuple[str, ...]) -> tuple[str, ...]:
    """Headings without blanks around them, and without empty ones at the end."""
    stripped = [heading.strip() for heading in headings]
    while stripped and not stripped[-1]:
        stripped.pop()
    return tuple(stripped)
