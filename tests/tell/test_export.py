"""Export: what a table holds arrives whole in CSV, Parquet and XLSX, and a spreadsheet runs nothing of it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from bedrot import sql
from bedrot.errors import Misconfigured, Refused
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.tell import export as exporting
from bedrot.tell.export import export

COLUMNS = [
    ("n", "BIGINT"),
    ("title", "VARCHAR"),
    ("earnings", "DECIMAL(38,18)"),
    ("day", "DATE"),
    ("final", "BOOLEAN"),
    ("spellings", "VARCHAR[]"),
]
Rows = list[tuple[object, ...]]
RUN = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20a"]


def state_of(lake: Lake, rows: Rows, name: str = "royalties") -> Snapshot:
    path = lake.curated_path(name, "all", "a" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    con.execute(f"CREATE TABLE t ({', '.join(f'{sql.name(one)} {kind}' for one, kind in COLUMNS)})")
    if rows:
        con.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
    con.execute(f"COPY t TO {sql.text(path.as_posix())} (FORMAT parquet)")
    con.close()
    table = TableState(name, COLUMNS, [Part("all", lake.relative(path), len(rows), "", "i")], "d")
    staging = TableState("staging.lines", COLUMNS, [], "d")
    return Snapshot(1, 0, {name: table, "staging.lines": staging}, {}, datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def read_csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def test_csv_is_rfc_4180_with_numbers_as_numbers_and_null_empty(lake: Lake, tmp_path: Path) -> None:
    rows: Rows = [
        (1, 'a "quoted", comma', Decimal("-0.50"), date(2025, 1, 2), True, ["x", "y"]),
        (-2, None, None, None, None, None),
        (3, "two\r\nlines", Decimal(100), date(2025, 1, 3), False, []),
    ]
    (done,) = export(lake, state_of(lake, rows), [], tmp_path / "out")
    assert (done.path.name, done.rows) == ("royalties.csv", 3)
    data = done.path.read_bytes()
    assert data.startswith(b"n,title,earnings,day,final,spellings\r\n-2,,,,,\r\n")
    assert b'1,"a ""quoted"", comma",-0.5,2025-01-02,true,"[x, y]"\r\n' in data
    assert b'3,"two\r\nlines",100,2025-01-03,false,[]\r\n' in data
    assert data.endswith(b"\r\n")


@pytest.mark.parametrize("text", RUN)
def test_no_cell_of_a_csv_is_run(lake: Lake, tmp_path: Path, text: str) -> None:
    (done,) = export(lake, state_of(lake, [(1, text, Decimal(-1), None, None, [text])]), [], tmp_path / "out")
    row = read_csv(done.path)[1]
    assert row[1] == "'" + text
    assert row[2] == "-1"
    assert row[5][0] == "["


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8), max_size=5))
def test_any_text_comes_back_from_csv(lake: Lake, tmp_path: Path, texts: list[str]) -> None:
    (done,) = export(
        lake, state_of(lake, [(i, one, None, None, None, None) for i, one in enumerate(texts)]), [], tmp_path
    )
    expected = ["'" + one if one[:1] in list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") and one else one for one in texts]
    found = read_csv(done.path)
    assert [row[1] for row in found[1:]] == expected
    assert all(len(row) == len(COLUMNS) for row in found)


def test_xlsx_has_text_as_text_and_no_digit_is_lost(lake: Lake, tmp_path: Path) -> None:
    many = Decimal("12345678901234.567890123456789")
    rows: Rows = [(i, text, Decimal("-0.000000000001"), date(2025, 1, 2), True, None) for i, text in enumerate(RUN)]
    rows += [(2**60, "a\x01b", many, None, None, None), (99, "plain", Decimal("0.1"), None, None, None)]
    (done,) = export(lake, state_of(lake, rows), ["royalties"], tmp_path / "out", "xlsx")
    sheet = load_workbook(done.path).active
    cells = list(sheet.iter_rows(min_row=2))
    assert {row[1].data_type for row in cells} == {"s"}
    texts = {row[1].value for row in cells}
    assert {"=1+1", "@SUM(A1)", "\uff1d1+1", "a\N{REPLACEMENT CHARACTER}b"} <= texts
    by_number = {row[0].value: row for row in cells}
    assert by_number[0][2].value == -1e-12
    assert by_number[0][2].data_type == "n"
    assert by_number[99][2].value == 0.1
    assert by_number[str(2**60)][2].value == f"{many:f}".rstrip("0")
    assert by_number[0][3].value.date() == date(2025, 1, 2)
    assert by_number[0][4].value is True
    assert by_number[str(2**60)][3].value is None


def test_a_table_longer_than_a_sheet_is_refused(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_SHEET_ROWS", 1)
    state = state_of(lake, [(1, "a", None, None, None, None), (2, "b", None, None, None, None)])
    with pytest.raises(Refused, match="2 rows"):
        list(export(lake, state, [], tmp_path / "out", "xlsx"))
    assert list((tmp_path / "out").iterdir()) == []


def test_batches_lose_no_row(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_BATCH", 7)
    state = state_of(lake, [(i, str(i), None, None, None, None) for i in range(50)])
    (done,) = export(lake, state, [], tmp_path / "out", "xlsx")
    assert [row[0].value for row in load_workbook(done.path).active.iter_rows(min_row=2)] == list(range(50))


def test_parquet_keeps_types_and_rows(lake: Lake, tmp_path: Path) -> None:
    rows: Rows = [(1, "=1+1", Decimal("0.000000000000000001"), date(2025, 1, 2), True, ["x"])]
    (done,) = export(lake, state_of(lake, rows), [], tmp_path / "out", "parquet")
    con = duckdb.connect()
    assert con.execute(f"SELECT * FROM {sql.text(done.path.as_posix())}").fetchall() == rows
    described = con.execute(f"DESCRIBE SELECT * FROM {sql.text(done.path.as_posix())}").fetchall()
    assert [(row[0], row[1]) for row in described] == COLUMNS


def test_an_older_export_is_replaced_whole_and_equal_tables_give_equal_bytes(lake: Lake, tmp_path: Path) -> None:
    rows: Rows = [(i, "a", None, None, None, None) for i in range(5)]
    (one,) = export(lake, state_of(lake, rows), [], tmp_path / "out")
    before = one.path.read_bytes()
    list(export(lake, state_of(lake, [*reversed(rows)]), [], tmp_path / "out"))
    assert one.path.read_bytes() == before
    list(export(lake, state_of(lake, []), [], tmp_path / "out"))
    assert one.path.read_bytes() == b"n,title,earnings,day,final,spellings\r\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["royalties.csv"]


def test_a_staging_table_is_exported_when_named(lake: Lake, tmp_path: Path) -> None:
    (done,) = export(lake, state_of(lake, []), ["staging.lines"], tmp_path / "out")
    assert done.path.name == "staging.lines.csv"


@pytest.mark.parametrize(
    "inside", [".", "raw", "curated/x", "landing", "staging/a/b", "archive", ".work", "raw/../raw/x"]
)
def test_nothing_is_written_into_the_lakes_own_folders(lake: Lake, inside: str) -> None:
    before = sorted(lake.root.rglob("*"))
    state = state_of(lake, [])
    made = sorted(lake.root.rglob("*"))
    with pytest.raises(Misconfigured, match="own folders"):
        list(export(lake, state, [], lake.root / inside))
    assert sorted(lake.root.rglob("*")) == made
    assert before != made


def test_a_table_that_is_not_there_is_named_before_anything_is_written(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no table 'royalty'"):
        list(export(lake, state_of(lake, []), ["royalties", "royalty"], tmp_path / "out"))
    assert not (tmp_path / "out").exists()
