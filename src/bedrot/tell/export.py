"""Export: published tables as files for other programs, under names that stay: CSV, Parquet or XLSX.

In CSV and XLSX nothing that a table holds is run as a formula. CSV (RFC 4180, UTF-8, CRLF) has no types, so a text that
a spreadsheet would run gets an apostrophe in front; numbers stay numbers and null is empty. In XLSX texts are written
as text cells, unchanged. An amount is a number cell there when it has at most 15 significant digits, which is what a
spreadsheet keeps of a number; any other is text, so that no digit is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb

from bedrot import sql
from bedrot.errors import Damaged, Misconfigured, Refused, StorageFailed
from bedrot.lake import disk
from bedrot.lake.damage import naming_damage
from bedrot.lake.opened import STAGING, open_snapshot, view_name
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake

Format = Literal["csv", "parquet", "xlsx"]
_RUN_BY_SPREADSHEETS = "=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20"
_SHEET_ROWS = 1_048_575
_CELL_CHARACTERS = 32_767
_DIGITS = 15
_BATCH = 20_000
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DECIMAL = re.compile(r"DECIMAL\(\d+,\s*(\d+)\)")


@dataclass(frozen=True)
class Exported:
    """A table as a file, and its number of rows."""

    table: str
    path: Path
    rows: int


def export(lake: Lake, snapshot: Snapshot, tables: Sequence[str], to: Path, form: Format = "csv") -> Iterator[Exported]:
    """Write tables (all curated ones where none is named) as `<table>.<format>` into a folder, each whole or not.

    Raises Misconfigured for a table that is not there or a folder inside the lake's zones, Refused for a table with
    more rows than a sheet has, Damaged where a file of the snapshot is not whole, StorageFailed when the disk refuses;
    older exports stay then.
    """
    names = list(tables) or [name for name in sorted(snapshot.tables) if not name.startswith(STAGING)]
    for name in names:
        if name not in snapshot.tables:
            raise Misconfigured(f"There is no table '{name}'.", f"There are: {', '.join(sorted(snapshot.tables))}.")
    folder = _outside(lake, to)
    con = open_snapshot(lake, snapshot, spill=lake.work / "spill")
    try:
        for name in names:
            final = folder / f"{name}.{form}"
            columns = dict(snapshot.tables[name].columns)
            tmp = disk.temporary(final)
            try:
                with naming_damage(lake, snapshot):
                    rows = {"csv": _csv, "parquet": _parquet, "xlsx": _xlsx}[form](con, name, columns, tmp)
            except duckdb.IOException as failed:
                disk.remove(tmp)
                raise StorageFailed(f"The table {name} could not be written: {failed}", "Free some space.") from failed
            except Damaged:
                disk.remove(tmp)
                raise
            disk.publish(tmp, final, replace=True, read_only=False)
            yield Exported(name, final, rows)
    finally:
        con.close()


def _outside(lake: Lake, to: Path) -> Path:
    """The folder, absolute; Misconfigured where it is the lake's root or lies in one of its zones."""
    folder = to.absolute().resolve()
    root = lake.root.resolve()
    zones = (lake.landing, lake.raw, lake.staging, lake.curated, lake.archive, lake.work)
    if folder == root or any(folder.is_relative_to(zone.resolve()) for zone in zones):
        raise Misconfigured(
            "Exports are not written into the lake's own folders.", "Name another folder with --to.", file=str(to)
        )
    return folder


def _csv(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], tmp: Path) -> int:
    """A table as RFC 4180 text; gives the number of rows."""
    cells = ", ".join(_csv_cell(sql.name(name), kind) for name, kind in columns.items())
    heading = ",".join(_quoted(name) for name in columns)
    # Each line is made in SQL and written as it is: the engine's own CSV ends lines with LF alone.
    lines = f"SELECT concat_ws(',', {cells}) || chr(13) FROM {view_name(table)}"
    ordered = f"SELECT {sql.text(heading)} || chr(13) UNION ALL ({lines} ORDER BY {_order(columns)})"
    copied = con.execute(
        f"COPY ({ordered}) TO {sql.text(tmp.as_posix())}"
        " (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', NULLSTR '')"
    ).fetchall()
    return int(copied[0][0]) - 1


def _csv_cell(column: str, kind: str) -> str:
    """SQL of a cell: numbers as plain digits, texts quoted where they must be, null as nothing."""
    found = _DECIMAL.fullmatch(kind)
    if found:
        text = f"CAST({column} AS VARCHAR)"
        bare = f"rtrim(rtrim({text}, '0'), '.')" if int(found[1]) else text
        return f"coalesce({bare}, '')"
    text = f"CAST({column} AS VARCHAR)"
    if kind in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DOUBLE", "DATE", "TIMESTAMP", "BOOLEAN"):
        return f"coalesce({text}, '')"
    first = ", ".join(f"chr({ord(char)})" for char in _RUN_BY_SPREADSHEETS)
    safe = f"CASE WHEN left({text}, 1) IN ({first}) THEN '''' || {text} ELSE {text} END"
    return (
        f"coalesce(CASE WHEN regexp_matches({safe}, '[\",\\r\\n]')"
        f" THEN '\"' || replace({safe}, '\"', '\"\"') || '\"' ELSE {safe} END, '')"
    )


def _quoted(text: str) -> str:
    """A heading as a CSV cell."""
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text


def _order(columns: Mapping[str, str]) -> str:
    """SQL of a total order, so that equal tables give equal files."""
    return sql.names(columns)


def _parquet(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], tmp: Path) -> int:
    """A table as Parquet with its types; gives the number of rows."""
    copied = con.execute(
        f"COPY (SELECT * FROM {view_name(table)} ORDER BY {_order(columns)}) TO {sql.text(tmp.as_posix())}"
        " (FORMAT parquet, COMPRESSION zstd)"
    ).fetchall()
    return int(copied[0][0])


def _xlsx(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], tmp: Path) -> int:
    """A table as a workbook of one sheet; Refused where it has more rows than a sheet takes."""
    from openpyxl import Workbook  # noqa: PLC0415  costs a quarter of a second: imported where it is used

    count = int(con.execute(f"SELECT count(*) FROM {view_name(table)}").fetchall()[0][0])
    if count > _SHEET_ROWS:
        raise Refused(
            f"The table {table} has {count:,} rows; a sheet takes {_SHEET_ROWS:,}.",
            "Export it with --format csv or --format parquet.",
        )
    book = Workbook(write_only=True)
    sheet = book.create_sheet(table[:31])
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, name) for name in columns])
    for row in _in_batches(con, table, columns, count):
        sheet.append([_cell(sheet, value) for value in row])
    book.save(tmp)
    return count


def _in_batches(
    con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], count: int
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table in order, so many at a time that memory stays small."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE exported AS SELECT * FROM {view_name(table)} ORDER BY {_order(columns)}")
    for start in range(0, count, _BATCH):
        yield from con.execute(
            f"SELECT * FROM exported WHERE rowid >= {start} AND rowid < {start + _BATCH} ORDER BY rowid"
        ).fetchall()


def _cell(sheet: Any, value: object) -> Any:
    """A value as a cell: a text never a formula, a number only where the sheet keeps all its digits."""
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415  as above

    if value is None or isinstance(value, bool | datetime | date):
        return value
    if isinstance(value, int | Decimal):
        value = _plain_digits(value)
        if len(value.lstrip("-0.").replace(".", "")) <= _DIGITS:
            return Decimal(value)
    text = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", str(value))
    if len(text) > _CELL_CHARACTERS:
        raise Refused(f"A text has {len(text):,} characters; a cell takes {_CELL_CHARACTERS:,}.", "Export it as CSV.")
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    return cell


def _plain_digits(number: int | Decimal) -> str:
    """A number as plain digits, all of them, without zeros that say nothing."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text
