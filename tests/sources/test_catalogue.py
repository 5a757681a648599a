"""The label's own sheets: which files are one, and what their lines become."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bedrot import sql
from bedrot.contract import Original, heading_key
from bedrot.contract.typing_sql import cleaned, complaint, type_of, typed
from bedrot.sources import folder_of
from bedrot.sources.catalogue import CATALOGUE, SOURCE

FOLDER = folder_of(SOURCE)
GOLDEN = FOLDER / "golden"
(SHEET,) = SOURCE.feeds


def written(tmp_path: Path, text: str, name: str = "catalogue.csv") -> Original:
    path = tmp_path / "given"
    path.write_bytes(text.encode())
    return Original(path, name, name)


def typed_rows(name: str, delimiter: str) -> tuple[list[tuple[object, ...]], list[str | None]]:
    """The fragment's rows of a golden sheet, typed by the contract, and what is said of each."""
    text = (GOLDEN / name).read_bytes().decode("utf-8-sig")
    heading, *lines = csv.reader(text.splitlines(), delimiter=delimiter)
    means = {heading_key(aka): field.name for field in CATALOGUE.fields for aka in field.aka}
    rows = [
        {means.get(heading_key(title), ""): value for title, value in zip(heading, line, strict=True)} for line in lines
    ]
    con = sql.connect(None, threads=1)
    fields = CATALOGUE.fields
    con.execute(
        f"CREATE TABLE given (place INTEGER, {', '.join(sql.name(field.name) + ' VARCHAR' for field in fields)})"
    )
    con.executemany(
        f"INSERT INTO given VALUES (?, {', '.join('?' for _ in fields)})",
        [[place, *(row.get(field.name) for field in fields)] for place, row in enumerate(rows)],
    )
    texts = ", ".join(f"{cleaned(field, sql.name(field.name))} AS t_{field.name}" for field in fields)
    values = ", ".join(f"CAST({typed(one, 't_' + one.name)} AS {type_of(one)}) AS {one.name}" for one in fields)
    con.execute("CREATE SCHEMA staging")
    con.execute(
        f"CREATE TABLE staging.catalogue AS SELECT place, 'main' AS account, {values}, * EXCLUDE"
        f" (place, {sql.names(field.name for field in fields)}) FROM (SELECT *, {texts} FROM given) ORDER BY place"
    )
    faults = [complaint(field, f"t_{field.name}", field.name) for field in fields]
    faults += [f"CASE WHEN {check.breaks} THEN {sql.text(check.says)} END" for check in CATALOGUE.checks]
    why = f"coalesce({', '.join(fault for fault in faults if fault)}, NULL)"
    told = [row[0] for row in con.execute(f"SELECT {why} FROM staging.catalogue ORDER BY place").fetchall()]
    return con.execute((FOLDER / "catalogue.sql").read_text(encoding="utf-8")).fetchall(), told


def test_lines_of_a_sheet_are_exactly_these() -> None:
    rows, told = typed_rows("catalogue.csv", ",")
    label = "Attic Window"
    assert rows == [
        (
            "main",
            "QZPC12500001",
            "198000000017",
            "Paper Comets",
            "Slow Tram",
            date(2025, 1, 10),
            label,
            "Ada Novak, Sol Ruiz",
        ),
        (
            "main",
            "QZPC12500002",
            "012345678905",
            "Paper Comets",
            "Tin, Salt (feat. Other Act)",
            date(2025, 2, 14),
            label,
            "Ada Novak",
        ),
        ("main", None, "198000000024", "Paper Comets", "Night Bus EP", date(2025, 2, 14), label, None),
        ("main", "QZPC12500003", None, "Paper Comets", "Café ü Straße", None, label, "Sol Ruiz"),
        ("main", "QZPC12600009", "198000000079", "Paper Comets", "Not Out Yet", date(2031, 5, 1), label, "Ada Novak"),
    ]
    assert told == [None] * 5


def test_a_upc_that_a_spreadsheet_damaged_is_told_with_what_to_do() -> None:
    rows, told = typed_rows("catalogue-2025-07-01.tsv", "\t")
    assert rows[0] == (
        "main",
        "QZPC12500001",
        "198000000017",
        "Paper Comets",
        "Slow Tram",
        None,
        None,
        "Ada Novak; Sol Ruiz",
    )
    assert told == [None, "The UPC is not a number of 12 to 14 digits: in the spreadsheet, format its column as text."]


def test_a_line_that_nothing_can_be_joined_to_breaks_a_check() -> None:
    con = sql.connect(None, threads=1)
    broken = [check.says for check in CATALOGUE.checks if con.execute(
        f"SELECT {check.breaks} FROM (SELECT CAST(NULL AS VARCHAR) AS isrc, CAST(NULL AS VARCHAR) AS upc)"
    ).fetchall() == [(True,)]]  # fmt: skip
    assert broken == ["The line has neither an ISRC nor a UPC, so nothing can be joined to it."]


@pytest.mark.parametrize("name", ["catalogue.csv", "catalogue-2025-07-01.tsv"])
def test_the_golden_sheets_are_known(name: str) -> None:
    assert SHEET.knows(Original(GOLDEN / name, name, name))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "catalogue.csv"),
        ("{}", "catalogue.csv"),
        ("<html><body>ISRC, UPC, Artist, Title</body></html>", "catalogue.csv"),
        ("ISRC,UPC,Artist,Title,Label\n", "catalogue.sql"),
        ("ISRC,Artist,Title\n", "catalogue.csv"),
        ("Reporting Date,Sale Month,Store,Artist,Title,ISRC,UPC,Quantity,Earnings (USD)\n", "bank.csv"),
        ("Title,Artist,ISRC,UPC,Label,Total Net Revenue\n", "sales.csv"),
        ("isrc,upc,artist,title,label,streams\n", "tracks.csv"),
        ("PK\x03\x04ISRC,UPC,Artist,Title,Label\n", "catalogue.csv"),
    ],
)
def test_files_of_others_are_not_claimed(tmp_path: Path, text: str, name: str) -> None:
    assert not SHEET.knows(written(tmp_path, text, name))


def test_a_catalogue_with_further_columns_is_still_one(tmp_path: Path) -> None:
    assert SHEET.knows(written(tmp_path, "Notes;ISRC;UPC;Artist;Title;Country\n"))


def test_when_a_sheet_speaks_of(tmp_path: Path) -> None:
    at = datetime(2025, 7, 1, tzinfo=UTC)
    named = SHEET.exported_at(written(tmp_path, "", "catalogue-2025-07-01.csv"))
    assert named is not None
    assert (named.at, named.basis) == (at, "name")
    member = SHEET.exported_at(Original(tmp_path, "catalogue.csv", "label.zip/catalogue.csv", member_time=at))
    assert member is not None
    assert (member.at, member.basis) == (at, "zip")
    assert SHEET.exported_at(written(tmp_path, "", "catalogue.csv")) is None
    assert SHEET.exported_at(written(tmp_path, "", "catalogue-2025-99-99.csv")) is None


def test_a_newer_sheet_replaces_the_whole_older_one() -> None:
    assert (CATALOGUE.merge.value, CATALOGUE.scope, CATALOGUE.partition.grain.value) == ("snapshots", (), "all")
