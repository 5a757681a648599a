"""How many records a download holds by table, counted in its raw text without the reader's parser."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping

from bedrot.contract import Original
from bedrot.contract.original import encoding_of
from bedrot.sources.tiktok.kinds import kind_of
from bedrot.sources.tiktok.sheets import is_xlsx, parts, peek

_QUOTED = re.compile(r'"[^"]*"')
_LINE_END = re.compile(r"\r\n|\r|\n")
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*>(.*?)</(?:\w+:)?row>", re.DOTALL)
_VALUE = re.compile(rb"<(?:\w+:)?(?:v|t)\b[^>/]*>[^<]")
_SHEET = re.compile(r"xl/worksheets/[^/]+[.]xml")


def census(original: Original) -> Mapping[str, int]:
    """Physical records behind the headings by table; blank lines and empty rows are none.

    Raises Refused for a zip that is damaged or dangerous.
    """
    found: Counter[str] = Counter()
    for part, headings in zip(parts(original), peek(original), strict=False):
        kind = kind_of(headings)
        if kind is not None:
            found[kind.table.name] += (_rows(part.data) if is_xlsx(part.data) else _lines(part.data)) - 1
    return found


def _lines(data: bytes) -> int:
    """Lines of a CSV that hold something: line ends inside quotation marks do not count."""
    text = _QUOTED.sub("q", data.decode(encoding_of(data)))
    return sum(1 for line in _LINE_END.split(text) if line.strip())


def _rows(data: bytes) -> int:
    """Rows of a workbook's sheet that hold a value."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        xml = b"".join(archive.read(name) for name in archive.namelist() if _SHEET.fullmatch(name))
    return sum(1 for row in _ROW.findall(xml) if _VALUE.search(row))
