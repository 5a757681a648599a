"""TooLost: golden files row by row, and every way in which a file of it can be wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bedrot.contract import Facts, Feed, Ignored, Original, Resaved, Row, Table
from bedrot.contract.typing_sql import columns_of
from bedrot.errors import Refused
from bedrot.sources.toolost import SOURCE
from bedrot.sources.toolost.amounts import Cell, decimal_sign, plain
from bedrot.sources.toolost.periods import Period, day_comes_first, period_of
from bedrot.sources.toolost.sales_table import SALES as SALES_TABLE
from bedrot.sources.toolost.tables import DAILY, TRACKS
from bedrot.sql import connect, name

GOLDEN = Path(__file__).parents[2] / "src/bedrot/sources/toolost/golden"
FEEDS = {feed.name: feed for feed in SOURCE.feeds}
SPOTIFY, APPLE, SALES = (FEEDS[f"toolost.{name}"] for name in ("spotify", "apple", "sales"))
FACTS = Facts("main", datetime(2026, 1, 7, 6, 5, 4, tzinfo=UTC), "name", resaved=False)
SALES_FIELDS = ("reporting_date", "sale_month", "sale_period", "store", "country", "title", "quantity", "earnings")


def golden(name: str) -> Original:
    return Original(GOLDEN / name, name, name)


def made(folder: Path, name: str, content: str | bytes) -> Original:
    path = folder / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Original(path, name, name)


def rows_of(feed: Feed, original: Original) -> list[Row | Ignored]:
    assert callable(feed.read)
    assert feed.census is not None
    rows = list(feed.read(original, FACTS))
    counted = Counter(row.table for row in rows)
    assert {table: count for table, count in feed.census(original).items() if count} == dict(counted)
    return rows


def shown(rows: list[Row | Ignored], table: str, *fields: str) -> list[tuple[str | None, ...]]:
    return [tuple(row.values[one] for one in fields) for row in rows if isinstance(row, Row) and row.table == table]


def refusal(feed: Feed, original: Original) -> str:
    assert callable(feed.read)
    with pytest.raises(Refused) as refused:
        list(feed.read(original, FACTS))
    assert refused.value.file == original.name
    assert refused.value.do
    return str(refused.value)


def test_spotify_numbers_are_text_and_days_in_no_order() -> None:
    original = golden("toolost_spotify_20250601_081500.json")
    rows = rows_of(SPOTIFY, original)
    assert shown(rows, "toolost_daily", "date", "store", "streams") == [
        ("2025-05-29", "Spotify", "1204"),
        ("2025-01-03", "Spotify", "17"),
        ("2025-05-30", "Spotify", "1377"),
        ("2025-02-11", "Spotify", "-4"),
        ("2025-02-12", "Spotify", None),
        ("2025-05-27", "Spotify", "0"),
        ("2025-01-01", "Spotify", "9"),
    ]
    assert shown(rows, "toolost_discovery", "date", "streams", "fees", "currency") == [
        ("2025-04-02", "310", "0.48215", None),
        ("2025-04-01", "123", "1.23", None),
        ("2025-04-03", "5", "1.1234567890123456789", None),
    ]
    assert [row.locator for row in rows][:2] == ["/streams/0", "/streams/1"]
    told = [Decimal(one) for one in re.findall(r'"fees": "([^"]+)"', original.text)]
    assert sum(told) == sum(Decimal(str(one[0])) for one in shown(rows, "toolost_discovery", "fees"))


def test_apple_numbers_are_numbers_and_totals_speak_of_the_same_days() -> None:
    rows = rows_of(APPLE, golden("toolost_apple_20260107_060504.json"))
    assert shown(rows, "toolost_daily", "date", "store", "streams") == [
        ("2026-01-02", "Apple Music", "31"),
        ("2026-01-01", "Apple Music", "12"),
        ("2026-01-03", "Apple Music", "7"),
    ]
    assert shown(rows, "toolost_shazam", "date", "shazams") == [("2026-01-03", "2")]
    days = ("2026-01-07", "2026-01-01", "2026-01-03")
    assert shown(
        rows, "toolost_tracks", "exported_day", "first_day", "last_day", "isrc", "title", "release", "streams"
    ) == [
        (*days, "QZNVA2500001", "Low Tide", "Low Tide", "30"),
        (*days, "QZNVA2500001", "Low Tide", "Harbour Lights", "15"),
        (*days, "QZNVA2500002", "NA [demo] {1}", "Harbour Lights", "5"),
    ]
    assert shown(rows, "toolost_countries", "exported_day", "country", "streams") == [
        ("2026-01-07", "US", "41"),
        ("2026-01-07", "NA", "6"),
        ("2026-01-07", "MO", "3"),
    ]


def test_list_that_nobody_knows_is_counted_and_ignored_by_name() -> None:
    rows = rows_of(APPLE, golden("apple_answer.json"))
    ignored = [(row.reason, row.locator) for row in rows if isinstance(row, Ignored)]
    assert ignored == [("list not known: totalSaves", f"/totalSaves/{place}") for place in (0, 1)]
    assert shown(rows, "toolost_daily", "streams") == [("8",), ("5",)]


def test_empty_answer_is_an_answer() -> None:
    original = golden("toolost_spotify_empty.json")
    assert SPOTIFY.knows(original)
    assert rows_of(SPOTIFY, original) == []
    assert SPOTIFY.exported_at(original) is None


@pytest.mark.parametrize(
    ("feed", "name", "at", "basis"),
    [
        (SPOTIFY, "toolost_spotify_20250601_081500.json", datetime(2025, 6, 1, 8, 15, tzinfo=UTC), "name"),
        (APPLE, "toolost_apple_20260107_060504.json", datetime(2026, 1, 7, 6, 5, 4, tzinfo=UTC), "name"),
        (APPLE, "apple_answer.json", datetime(2026, 1, 3, tzinfo=UTC), "data"),
        (SALES, "@05-2025-70799.csv", datetime(2025, 5, 31, tzinfo=UTC), "name"),
    ],
)
def test_exported_at(feed: Feed, name: str, at: datetime, basis: str) -> None:
    stamp = feed.exported_at(golden(name))
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (at, basis)


def test_exported_at_without_a_stamp(tmp_path: Path) -> None:
    text = '{"streams": [{"date": "2025-05-20", "streams": "1"}], "discovery": []}'
    bare = made(tmp_path, "download.json", text)
    stamp = SPOTIFY.exported_at(bare)
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (datetime(2025, 5, 22, tzinfo=UTC), "data")
    inside = Original(bare.path, bare.name, bare.relative, datetime(2025, 5, 25, 4, tzinfo=UTC))
    stamp = SPOTIFY.exported_at(inside)
    assert stamp is not None
    assert stamp.basis == "zip"
    later = text.replace("[]", '[{"date": "2025-06-01", "streams": "1", "fees": "0.1"}]')
    stamp = SPOTIFY.exported_at(made(tmp_path, "toolost_spotify_20259999_999999.json", later))
    assert stamp is not None
    assert stamp.at == datetime(2025, 6, 1, tzinfo=UTC)


def apple(**changed: object) -> str:
    answer: dict[str, object] = {
        "totalStreams": [{"date": "2025-05-01", "streams": 6}, {"date": "2025-05-02", "streams": "4"}],
        "totalShazam": [],
        "tracksTotal": [{"isrc": "QZNVA2500001", "streams": 10, "track": "A", "release": "A", "cover": ""}],
        "countryTotal": [{"country": "US", "streams": 10}],
        "streamTotal": 10,
    }
    return json.dumps({key: one for key, one in (answer | changed).items() if one is not ...})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"streamTotal": 11}, "streamTotal 11, sum of totalStreams 10, sum of tracksTotal 10, sum of countryTotal 10"),
        ({"countryTotal": [{"country": "US", "streams": 9}]}, "sum of countryTotal 9"),
        ({"countryTotal": []}, "sum of countryTotal 0"),
        ({"streamTotal": None}, "no total ('streamTotal')"),
        ({"streamTotal": "1e1"}, "'1e1' is no whole number"),
        ({"totalStreams": [{"date": "2025-05-01", "streams": 5}] * 2}, "2025-05-01 stands twice in 'totalStreams'"),
        ({"countryTotal": [{"country": "US", "streams": 5}] * 2}, "US stands twice in 'countryTotal'"),
        ({"tracksTotal": ...}, "has no 'tracksTotal'; it holds totalStreams, totalShazam, countryTotal, streamTotal"),
        ({"totalShazam": {}}, "'totalShazam' should be a list"),
        ({"totalShazam": ["2"]}, "Entry 1 of 'totalShazam' is not one plain record"),
    ],
)
def test_refused_apple_answers(tmp_path: Path, changed: dict[str, object], sentence: str) -> None:
    assert sentence in refusal(APPLE, made(tmp_path, "toolost_apple.json", apple(**changed)))


def test_apple_row_that_cannot_be_read_leaves_the_other_totals_compared(tmp_path: Path) -> None:
    days = [{"date": "2025-05-01", "streams": None}, {"date": "2025-05-02", "streams": 4.5}]
    rows = rows_of(APPLE, made(tmp_path, "a.json", apple(totalStreams=days)))
    assert shown(rows, "toolost_daily", "streams") == [(None,), ("4.5",)]
    wrong = apple(totalStreams=days, streamTotal=11)
    assert "streamTotal 11, sum of tracksTotal 10" in refusal(APPLE, made(tmp_path, "a.json", wrong))


def test_broken_and_doubly_keyed_answers_are_known_and_refused(tmp_path: Path) -> None:
    whole = golden("toolost_spotify_20250601_081500.json").text
    broken = made(tmp_path, "x.json", whole[:200])
    assert SPOTIFY.knows(broken)
    assert "not whole" in refusal(SPOTIFY, broken)
    double = made(tmp_path, "x.json", '{"streams": [], "discovery": [], "streams": []}')
    assert SPOTIFY.knows(double)
    assert "'streams' stands twice" in refusal(SPOTIFY, double)


def test_sales_lines_with_preamble_signs_periods_and_repeated_headings() -> None:
    original = golden("@05-2025-70799.csv")
    rows = rows_of(SALES, original)
    line = ("2025-05-31", "2025-03", None, "Spotify", "US", "Low Tide", "1200", "4.10210000")
    assert shown(rows, "toolost_sales", *SALES_FIELDS) == [
        line,
        line,
        ("2025-05-31", None, "2025-03-01/2025-04-30", "YouTube CID", "NA", "Low Tide", "3", "0.00012345"),
        ("2025-05-31", None, "2025-01-01/2025-03-31", "Apple Music", "DE", 'Glass, "Harbour"', "40", "-1.50"),
        ("2025-05-31", "2025-03", None, "Deezer", "FR", "Low Tide", "7", "unknown"),
        ("2025-05-31", "soon", None, "Deezer", "FR", "Low Tide", "7", "0.01"),
        ("2025-05-31", None, None, None, None, None, None, "0.03"),
    ]
    told = {"statement_month": "2025-05", "statement": "70799", "currency": "USD"}
    assert all(row.values.items() >= told.items() for row in rows if isinstance(row, Row))
    assert [(row.reason, row.locator) for row in rows if isinstance(row, Ignored)] == [
        ("line above the headings", "line 1"),
        ("heading row repeated", "line 10"),
        ("empty line", "line 11"),
    ]
    assert [row.locator for row in rows if isinstance(row, Row)] == [f"line {one}" for one in (4, 5, 6, 7, 8, 9, 12)]
    money = [Decimal(str(one[0])) for one in shown(rows, "toolost_sales", "earnings") if one[0] != "unknown"]
    # Counted by hand in the text: two lines of $4.1021, one in brackets, a rounding line.
    assert sum(money) == 2 * Decimal("4.10210000") + Decimal("0.00012345") - Decimal("1.50") + Decimal("0.04")


def test_sales_with_decimal_commas_days_first_and_a_currency_column() -> None:
    rows = rows_of(SALES, golden("@06-2025-71200.csv"))
    assert shown(rows, "toolost_sales", "reporting_date", "store", "quantity", "earnings", "currency") == [
        ("2025-06-13", "Spotify", "1200", "1234.50", "EUR"),
        ("2025-06-01", "Spotify", "12", "0.00410000", "EUR"),
        ("2025-06-01", "Tidal", "2", "-0.00110000", "GBP"),
    ]
    assert [row.reason for row in rows if isinstance(row, Ignored)] == ["totals row"]


def test_sales_without_dates_and_currency_take_them_from_the_name() -> None:
    rows = rows_of(SALES, golden("@07-2025-72001 USD.csv"))
    assert shown(rows, "toolost_sales", "reporting_date", "sale_month", "country", "title", "earnings", "currency") == [
        ("2025-07-01", None, "NA", "Glass Harbour", "0.125", "USD"),
        ("2025-07-01", None, "GB", "Café", "0.5", "USD"),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("When,Song\n1,2\n", ["line 1", "understood as the money.", "'When', 'Song'"]),
        ("Date,Total\n1,2\n", ["understood as the track.", "'Date', 'Total'"]),
        ("A|B\n1|2\n", ["the money or the track", "'A|B'"]),
        ("Title,Total,Net\nA,1.00,0.90\n", ["'Total' and 'Net' could each be the earnings"]),
        ("Title,Title,Total (USD)\nA,B,1.00\n", ["'Title' and 'Title' could each be the title"]),
        ("Title,Units,Streams,Total (USD)\nA,1,1,1.00\n", ["'Units' and 'Streams' could each be the quantity"]),
        ("Title,Total\nA,$1.00\n", ["heading 'Total'", "does not tell the currency", "'@05-2025-70799 USD.csv'"]),
        ("Title,Total (USD)\nA,1.00\nB\n", ["line 3", "1 values under 2 headings; the file breaks off there"]),
        ("Title,Total (USD)\nA,1,200.00\nB,2.00\n", ["line 2", "3 values under 2 headings."]),
        ('Title,Total (USD)\nA,0.10\nB,"0,20"\n', ["line 3", "'0.10' (line 2) and '0,20' (line 3)"]),
        ("Title,Total (USD)\nA,1.234\n", ["line 2", "heading 'Total (USD)'", "'1.234' can be read in two ways"]),
        ("Date,Title,Total (USD)\n02/01/2025,A,0.1\n", ["line 2", "could begin with the day or with the month"]),
        ("Date,Title,Total (USD)\n13/01/2025,A,0.1\n01/13/2025,A,0.1\n", ["line 3", "begins with the day"]),
        ("Title,Total (USD)\nA,0.10\nTotal,0.30\n", ["line 3", "says 0.30, but the lines above it make 0.10"]),
        ('Title,Total (USD)\n"A,0.10\n', ["line 2", "cannot be taken apart"]),
    ],
)  # fmt: skip
def test_refused_sales(tmp_path: Path, text: str, parts: list[str]) -> None:
    original = made(tmp_path, "@05-2025-70799.csv", text)
    assert SALES.knows(original)
    said = refusal(SALES, original)
    for part in parts:
        assert part in said


@pytest.mark.parametrize("name", ["toolost sales.csv", "@13-2025-1.csv"])
def test_sales_whose_name_does_not_tell_the_statement(tmp_path: Path, name: str) -> None:
    original = made(tmp_path, name, "Title,Total (USD)\nA,0.10\n")
    assert SALES.knows(original)
    assert "month and number of the statement" in refusal(SALES, original)
    assert SALES.exported_at(original) is None


@pytest.mark.parametrize("newline", ["\r", "\n", "\r\n"])
def test_sales_with_any_line_ends_and_no_last_one(tmp_path: Path, newline: str) -> None:
    text = newline.join(["Title,Total (USD)", "A,0.10", "", '"B\r\nC",0.20'])
    rows = rows_of(SALES, made(tmp_path, "@05-2025-70799.csv", b"\xef\xbb\xbf" + text.encode()))
    assert shown(rows, "toolost_sales", "title", "earnings") == [("A", "0.10"), ("B\r\nC", "0.20")]
    assert [row.locator for row in rows] == ["line 2", "line 4"]


def test_track_that_is_called_total_is_a_line(tmp_path: Path) -> None:
    text = "Title,Channel,Total (USD)\nTotal,Spotify,0.10\nGrand Total,,0.10\n"
    rows = rows_of(SALES, made(tmp_path, "@05-2025-70799.csv", text))
    assert [type(row) for row in rows] == [Row, Ignored]


def test_resaved_by_a_spreadsheet_is_seen(tmp_path: Path) -> None:
    text = "Title,UPC,Total (USD)\nA,1.98001E+11,0.10\n"
    found = SALES.resaved(made(tmp_path, "@05-2025-70799.csv", text))
    assert found == Resaved("line 2 has '1.98001E+11' as UPC", damaged=True)
    assert SALES.resaved(golden("@05-2025-70799.csv")) is None
    assert SALES.resaved(made(tmp_path, "@05-2025-70799.csv", "nothing,here\n")) is None


@pytest.mark.parametrize(
    ("text", "sign", "currency", "number"),
    [
        ("1,200", ".", "USD", "1200"),
        ("1.234,56", ",", "EUR", "1234.56"),
        ("(4.10)", ".", "USD", "-4.10"),
        ("$ 4.10", ".", "USD", "4.10"),
        ("-$4.10", ".", "CAD", "-4.10"),
        ("($4.10)", ".", "USD", "-4.10"),
        ("4,10 €", ",", "EUR", "4.10"),
        ("1.2E-05", ".", "USD", "1.2E-05"),
        ("\u22120.5", ".", "USD", "-0.5"),
        ("$4.10", ".", "EUR", "$4.10"),
        ("(-4.10)", ".", "USD", "(-4.10)"),
        ("(4.10", ".", "USD", "(4.10"),
        ("1,20", ".", "USD", "1,20"),
        ("1.2.3", ".", "USD", "1.2.3"),
        ("1 200", ".", "USD", "1 200"),
        ("NaN", ".", "USD", "NaN"),
        ("", ".", "USD", ""),
    ],
)
def test_numbers_become_plain_or_stay_to_be_rejected(text: str, sign: str, currency: str, number: str) -> None:
    assert plain(text, sign, currency) == number


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        (["12", "3"], "."),
        (["0.123", "1.234"], "."),
        (["0,123", "1.234"], ","),
        (["1.234,56"], ","),
        (["1,234.56", "1,234"], "."),
        (["1,234,567"], "."),
    ],
)
def test_decimal_sign_of_a_file(texts: list[str], sign: str) -> None:
    assert decimal_sign([Cell(2, "Total", one, whole=False) for one in texts], "f") == sign


def test_units_have_no_decimals() -> None:
    assert decimal_sign([Cell(2, "Units", "1.200", whole=True)], "f") == ","
    assert decimal_sign([Cell(2, "Units", "1,200", whole=True), Cell(2, "Total", "1.234", whole=False)], "f") == "."


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-07", "2026-07-01", "2026-07-31"),
        ("202211", "2022-11-01", "2022-11-30"),
        ("07/2026", "2026-07-01", "2026-07-31"),
        ("Jul 2026", "2026-07-01", "2026-07-31"),
        ("July 2026", "2026-07-01", "2026-07-31"),
        ("JUN-25", "2025-06-01", "2025-06-30"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-06-01", "2026-06-01", "2026-06-01"),
        ("6/24/23 11:45am", "2023-06-24", "2023-06-24"),
        ("10/15/2023 12:00:00 AM", "2023-10-15", "2023-10-15"),
        ("2026-06-01 \u2013 2026-07-31", "2026-06-01", "2026-07-31"),
        ("2026-06 to 2026-07", "2026-06-01", "2026-07-31"),
        ("2Q2025", "2025-04-01", "2025-06-30"),
        ("Q4 2025", "2025-10-01", "2025-12-31"),
    ],
)
def test_periods(text: str, first: str, last: str) -> None:
    assert period_of(text, day_first=False) == Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13", "2026-02-30", "Juli 2026", "2026", "5Q2025", "2026-07 to 2026-06"]
)
def test_texts_that_are_no_period(text: str) -> None:
    assert period_of(text, day_first=False) is None


def test_order_of_day_and_month_is_that_of_the_whole_file() -> None:
    assert day_comes_first([(2, "Date", "01/02/2025"), (3, "Date", "13/02/2025")], "f")
    assert not day_comes_first([(2, "Date", "01/02/2025"), (3, "Month", "2/28/25")], "f")
    assert not day_comes_first([(2, "Date", "05/05/2025"), (3, "Date", "2025-02-01")], "f")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("toolost_spotify_20250601_081500.json", "<html><body>Log in</body></html>"),
        ("@05-2025-70799.csv", "<!DOCTYPE html><title>a,b</title>"),
        ("@05-2025-70799.csv", '{"message": "a,b"}'),
        ("@05-2025-70799.csv", ""),
        ("@05-2025-70799.csv", "PK\x03\x04,"),
        ("@05-2025-70799.pdf", "a,b"),
        ("05-2025-70799.csv", "Title,Total (USD)\n"),
        ("toolost_spotify_20250601_081500.json", "{}"),
        ("toolost_apple_20250601_081500.json", "[]"),
        ("toolost_apple_20250601_081500.json", '{"message": "Unauthenticated."}'),
        ("x.json", '{"streams": []}'),
        ("x.json", '{"streams": {"date": "2025-01-01"}, "discovery": []}'),
        ("x.json", '{"data": {"streams": []}}'),
        ("Followers.csv", "Date,Followers\n2025-01-01,3\n"),
        ("bank.tsv", "Reporting Date\tSale Month\tStore\tArtist\tTitle\tEarnings (USD)\n"),
    ],
)
def test_files_of_others_are_not_known(tmp_path: Path, name: str, text: str) -> None:
    assert [feed.name for feed in SOURCE.feeds if feed.knows(made(tmp_path, name, text))] == []


def test_each_golden_file_is_known_by_one_feed() -> None:
    known = {
        path.name: [feed.name for feed in SOURCE.feeds if feed.knows(golden(path.name))]
        for path in GOLDEN.iterdir()
        if not path.name.endswith((".given.json", ".expected.json"))
    }
    assert known == {
        "@05-2025-70799.csv": ["toolost.sales"],
        "@06-2025-71200.csv": ["toolost.sales"],
        "@07-2025-72001 USD.csv": ["toolost.sales"],
        "apple_answer.json": ["toolost.apple"],
        "toolost_apple_20260107_060504.json": ["toolost.apple"],
        "toolost_spotify_20250601_081500.json": ["toolost.spotify"],
        "toolost_spotify_empty.json": ["toolost.spotify"],
    }


@pytest.mark.parametrize(
    ("fragment", "table", "columns"),
    [
        ("streams.sql", DAILY, "account date store streams provisional _delivery _locator"),
        ("names.sql", TRACKS, "account isrc upc artist title release_title"),
        (
            "lines.sql",
            SALES_TABLE,
            (
                "account reporting_date sale_month store country artist title isrc upc product quantity"
                " share_percent earnings currency withheld recoup _delivery _locator"
            ),
        ),
    ],
)
def test_fragments_offer_the_columns_of_their_interface(fragment: str, table: Table, columns: str) -> None:
    con = connect(None)
    con.execute("CREATE SCHEMA staging")
    fields = [*columns_of(table), ("_delivery", "VARCHAR"), ("_locator", "VARCHAR")]
    con.execute(f"CREATE TABLE staging.{table.name} ({', '.join(f'{name(one)} {kind}' for one, kind in fields)})")
    offered = con.execute((GOLDEN.parent / fragment).read_text(encoding="utf-8")).description
    assert [str(one[0]) for one in offered or []] == columns.split()
    kinds = {str(one[0]): str(one[1]) for one in offered or []}
    assert {kinds.get(one) for one in ("earnings", "withheld", "recoup")} <= {None, "DECIMAL(38,18)"}


def test_contracts_name_only_their_own_fields() -> None:
    for table in {one.name: one for feed in SOURCE.feeds for one in feed.tables}.values():
        named = {*table.key, *table.identity, *table.folded, *table.scope, table.partition.column, table.day}
        assert named <= set(table.columns)
        assert {*table.identity, *table.folded, *table.scope} <= set(table.key)
