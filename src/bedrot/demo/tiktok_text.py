"""How TikTok writes: days without a year in seven languages, quoted fields, fractions, and workbooks of one sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from bedrot.demo.stored_zip import stored_zip
from bedrot.demo.writing import guarded

_ENGLISH = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTHS = {
    "en-US": _ENGLISH,
    "en-GB": _ENGLISH,
    "es": (
        "enero", "febrero", "marzo", "abril", "mayo", "junio",
        "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
    "pt": (
        "janeiro", "fevereiro", "março", "abril", "maio", "junho",
        "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
    ),
    "vi": (
        "Một", "Hai", "Ba", "Tư", "Năm", "Sáu", "Bảy", "Tám", "Chín", "Mười", "Mười Một", "Mười Hai",
    ),
    "id": (
        "Januari", "Februari", "Maret", "April", "Mei", "Juni",
        "Juli", "Agustus", "September", "Oktober", "November", "Desember",
    ),
    "el": (
        "Ιανουαρίου", "Φεβρουαρίου", "Μαρτίου", "Απριλίου", "Μαΐου", "Ιουνίου",
        "Ιουλίου", "Αυγούστου", "Σεπτεμβρίου", "Οκτωβρίου", "Νοεμβρίου", "Δεκεμβρίου",
    ),
}  # fmt: skip
_FORMS = {"en-US": "{month} {day}", "es": "{day} de {month}", "pt": "{day} de {month}", "vi": "{day} tháng {month}"}

_BOM = "\ufeff"
NO_TIME = datetime(1980, 1, 1, tzinfo=UTC)
"""The time of a workbook's parts: none."""

Row = Sequence[object]


def spelled(day: date, language: str) -> str:
    """A day as TikTok writes it in a language, without its year."""
    month = _MONTHS[language][day.month - 1]
    return _FORMS.get(language, "{day} {month}").format(day=day.day, month=month)


def quoted(headings: Row, rows: Iterable[Row]) -> bytes:
    """A CSV of TikTok Studio: every field in quotation marks, and no line end behind the last line."""
    lines = (",".join(f'"{_doubled(field)}"' for field in row) for row in (headings, *rows))
    return (_BOM + "\n".join(lines)).encode()


def plain(headings: Row, rows: Iterable[Row]) -> bytes:
    """A CSV of a business account: quotation marks only where they must be, and a line end behind each line."""
    lines = (",".join(map(guarded, row)) for row in (headings, *rows))
    return (_BOM + "".join(f"{line}\n" for line in lines)).encode()


def _doubled(field: object) -> str:
    """A field with its quotation marks doubled."""
    return str(field).replace('"', '""')


def fraction(hundredths: int) -> str:
    """A part of one as TikTok writes it: `0.59`, `0.4`, `0`."""
    if hundredths % 100 == 0:
        return str(hundredths // 100)
    return f"0.{hundredths:02d}".rstrip("0")


_PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"'
        ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"'
        ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"'
        ' Target="worksheets/sheet1.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
        '<sheet name="{name}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
}
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def workbook(name: str, headings: Row, rows: Iterable[Row]) -> bytes:
    """A workbook of one sheet of that name, whose cells are all text, numbers too, and stand in the sheet itself."""
    lines = []
    for number, row in enumerate((headings, *rows), start=1):
        cells = "".join(
            f'<c r="{chr(65 + place)}{number}" t="str"><v>{_escaped(field)}</v></c>' for place, field in enumerate(row)
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f"{''.join(lines)}</sheetData></worksheet>"
    )
    parts = {part: text.replace("{name}", name) for part, text in _PARTS.items()} | {"xl/worksheets/sheet1.xml": sheet}
    return stored_zip((part, NO_TIME, (_XML + text).encode()) for part, text in parts.items())


def _escaped(field: object) -> str:
    """A field as text of XML."""
    return str(field).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
