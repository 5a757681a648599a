"""DistroKid's files: which are known, what their rows are, and what a wrong one is told."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from bedrot import sql
from bedrot.contract import Delimited, Facts, Feed, Ignored, Original, Resaved, Row, Table, heading_key
from bedrot.contract.typing_sql import cleaned, complaint, type_of, typed
from bedrot.errors import Refused
from bedrot.sources import folder_of
from bedrot.sources.distrokid import SOURCE

FOLDER = folder_of(SOURCE)
GOLDEN = FOLDER / "golden"
BANK, SPOTIFY, APPLE = SOURCE.feeds
V1 = "bank_2019.tsv"
V2 = "DistroKid_1748520000000_Paper_Comets.tsv"
V3 = "DistroKid_1765000000000_Paper_Comets.csv"
V3B = "dk_bank_details_20260301_093000.tsv"
SQUEEZED = "bank_squeezed.csv"
FACTS = Facts("main", datetime(2025, 3, 7, tzinfo=UTC), "data", resaved=False)

# Encoding, delimiter, line end, lines below the heading, sums of earnings and of quantity: added up outside of Python.
BANK_FILES = {
    V1: ("latin-1", "\t", "\n", 3, "0.69063000", 19),
    V2: ("utf-8", "\t", "\r", 18, "13.88211949", 12937),
    V3: ("utf-8-sig", ",", "\r\n", 9, "6.204818774311", 11927),
    V3B: ("cp1252", "\t", "\r", 3, "3.340800000007", 1078),
    SQUEEZED: ("utf-8", ",", "\n", 3, "0.00089041", 38),
}

V2_ROWS = """
2025-04-25|2025-02|Spotify|Paper Comets|Slow Tram|QZPC12500001|198000000017|1000|100|Song|US|0|3.10000000
2025-03-29|2025-01|Spotify|Paper Comets|Slow Tram|QZPC12500001|198000000017|1200|100|Song|US|0|3.72000000
2025-03-29|2025-01|Spotify|Paper Comets|Slow Tram|QZPC12500001|198000000017|360|100|Song|US|0|-0.33480000
2025-03-29|2025-01|Spotify|Paper Comets|Slow Tram|QZPC12500001|198000000017|4|100|Song|KZ|0|-0.00091000
2025-03-29|2025-01|Spotify|Paper Comets|Tin, Salt (feat. Other Act)|QZPC12500002|012345678905|2|100|Song|PE|0|0.00000072
2025-03-31|2024-12|Facebook|Paper Comets|Slow Tram|QZPC12500001|198000000017|9608|100|Song|OU|0|0.10213511
2025-03-31|2024-12|Facebook|Paper Comets|Slow Tram|QZPC12500001|198000000017|704|100|Song|OU|0|0.00748366
2025-03-30|2025-02|YouTube (Ads)|Paper Comets|Slow Tram|QZPC12500001|198000000017|0|100|Song|BR|0|0.00041000
2025-03-30|2025-02|YouTube (Red)|Paper Comets|Slow Tram|QZPC12500001|198000000017|3|100|Song|XK|0|0.00600000
2025-03-30|2025-01|Tidal|Paper Comets|Slow Tram|QZPC12500001|198000000017|12|100|Song|NA|0|0.05000000
2025-03-30|2025-01|Tidal|Paper Comets|Café ü Straße|QZPC12500003||1|100|Song|CH|0|0.00980000
2025-04-02|2025-02|Apple Music|Paper Comets|Tin, Salt (feat. Other Act)|QZPC12500002|012345678905|27|30|Song|JP|0|0.05000000
2025-04-02|2025-02|iTunes|Paper Comets|Night Bus EP||198000000024|1|100|Album|US|0|6.37000000
2025-04-02|2025-02|iTunes Songs|Paper Comets|Slow Tram|QZPC12500001|198000000017|1|100|Song|US|0|0.69000000
2025-04-02|2025-02|iTunes Songs|Paper Comets|Slow Tram|QZPC12500001|198000000017|1|100|Song|US|0|0.69000000
2025-04-02|2025-02|iTunes|Paper Comets|Slow Tram|QZPC12500001|198000000017|-1|100|Song|GB|0|-0.62000000
2025-04-25|2025-01|Spotify|Paper Comets|Slow Tram|QZPC12500001|198000000017|6|100|Song|US|0|0.01800000
2025-04-25|2024-12|Deezer|paper comets|Donʼt Look|QZPC12500004|198000000031|8|100|Song|FR|0|0.02400000
"""  # noqa: E501, RUF001

SPOTIFY_FROM, SPOTIFY_DAYS = date(2025, 1, 24), (
    "410 377 298 305 322 340 401 455 390 310 288 297 333 350 420 399 301 276 280 315 362 431 402 320 299 305 341 377"
    " 466 451 333 302 311 356 390 480 470 341 318 326 352"
)  # fmt: skip
APPLE_FROM, APPLE_DAYS = date(2025, 1, 25), (
    "12 9 14 11 8 17 21 10 13 15 9 7 18 22 11 14 12 8 16 19 23 10 9 13 15 11 18 24 12 10 9 14 16 20 25 13 11 9 12 15 4"
)  # fmt: skip


def given(path: Path, name: str = "", relative: str = "") -> Original:
    return Original(path, name or path.name, relative or path.name)


def written(tmp_path: Path, content: str | bytes, name: str) -> Original:
    path = tmp_path / "given"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return given(path, name)


def golden(name: str) -> Original:
    return given(GOLDEN / name)


def plain_rows(name: str) -> list[dict[str, str]]:
    """Lines of a bank file by field name, taken apart without the walk, each heading meaning exactly one field."""
    encoding, delimiter, end, *_ = BANK_FILES[name]
    lines = (GOLDEN / name).read_bytes().decode(encoding).removesuffix(end).split(end)
    heading, *rows = csv.reader(lines, delimiter=delimiter)
    means = {heading_key(aka): field.name for field in BANK.tables[0].fields for aka in field.aka}
    return [dict(zip([means[heading_key(title)] for title in heading], row, strict=True)) for row in rows]


def typed_table(
    table: Table, rows: list[dict[str, str | None]], into: duckdb.DuckDBPyConnection | None = None
) -> tuple[duckdb.DuckDBPyConnection, list[tuple[object, ...]]]:
    """Rows typed by the contract in an engine, as `staging.<table>`, and the complaints about them."""
    con = into or sql.connect(None, threads=1)
    names = [field.name for field in table.fields]
    con.execute(f"CREATE OR REPLACE TABLE given ({', '.join(sql.name(name) + ' VARCHAR' for name in names)})")
    con.executemany(
        f"INSERT INTO given VALUES ({', '.join('?' for _ in names)})",
        [[row.get(name) for name in names] for row in rows],
    )
    texts = ", ".join(
        f"{cleaned(field, sql.name(field.name))} AS {sql.name('t_' + field.name)}" for field in table.fields
    )
    values = ", ".join(
        f"CAST({typed(field, sql.name('t_' + field.name))} AS {type_of(field)}) AS {sql.name(field.name)}"
        for field in table.fields
    )
    con.execute("CREATE SCHEMA IF NOT EXISTS staging")
    con.execute(
        f"CREATE TABLE staging.{table.name} AS SELECT 'main' AS account, {values}, 'd' AS _delivery, '' AS _locator,"
        f" * EXCLUDE ({sql.names(names)}) FROM (SELECT *, {texts} FROM given)"
    )
    faults = [complaint(field, sql.name("t_" + field.name), sql.name(field.name)) for field in table.fields]
    faults += [f"CASE WHEN {check.breaks} THEN {sql.text(check.says)} END" for check in table.checks]
    why = f"coalesce({', '.join(fault for fault in faults if fault)}, NULL)"
    return con, con.execute(f"SELECT {why} FROM staging.{table.name} WHERE {why} IS NOT NULL").fetchall()


def with_currency(name: str) -> list[dict[str, str | None]]:
    assert isinstance(BANK.read, Delimited)
    assert BANK.read.extra is not None
    return [{**row, **BANK.read.extra(golden(name))} for row in plain_rows(name)]


def read(feed: Feed, original: Original, facts: Facts = FACTS) -> tuple[list[Row], list[Ignored]]:
    assert not isinstance(feed.read, Delimited)
    found = list(feed.read(original, facts))
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Ignored)]


# The bank details


def test_rows_of_thirteen_headings_are_exactly_these() -> None:
    names = [
        "reporting_date", "sale_month", "store", "artist", "title", "isrc", "upc", "quantity", "share_percent",
        "product", "country", "withheld", "earnings",
    ]  # fmt: skip
    assert [[row[name] for name in names] for row in plain_rows(V2)] == [
        line.split("|") for line in V2_ROWS.strip().splitlines()
    ]


@pytest.mark.parametrize("name", BANK_FILES)
def test_bytes_counts_and_sums_of_each_generation(name: str) -> None:
    encoding, _, end, lines, earnings, quantity = BANK_FILES[name]
    raw = (GOLDEN / name).read_bytes()
    assert raw.decode(encoding)
    assert (b"\r" in raw, b"\n" in raw) == ("\r" in end, "\n" in end)
    rows = plain_rows(name)
    assert len(rows) == lines
    assert sum(Decimal(row["earnings"]) for row in rows) == Decimal(earnings)
    assert sum(int(row["quantity"]) for row in rows) == quantity


@pytest.mark.parametrize("name", BANK_FILES)
def test_each_generation_is_typed_without_complaint(name: str) -> None:
    _, _, _, lines, earnings, quantity = BANK_FILES[name]
    con, complaints = typed_table(BANK.tables[0], with_currency(name))
    assert complaints == []
    assert con.execute(
        "SELECT count(*), sum(earnings), sum(quantity), min(currency), max(currency) FROM staging.distrokid_bank"
    ).fetchall() == [(lines, Decimal(earnings), quantity, "USD", "USD")]


def test_identifiers_months_and_countries_stay_what_they_are() -> None:
    con, _ = typed_table(BANK.tables[0], with_currency(V2) + with_currency(SQUEEZED) + with_currency(V1))
    one = con.execute
    assert one("SELECT count(*) FROM staging.distrokid_bank WHERE country = 'NA'").fetchall() == [(3,)]
    assert one("SELECT DISTINCT upc FROM staging.distrokid_bank WHERE title LIKE 'Tin%'").fetchall() == [
        ("012345678905",)
    ]
    assert one("SELECT isrc FROM staging.distrokid_bank WHERE product = 'Album'").fetchall() == [(None,)]
    assert one("SELECT count(*) FROM staging.distrokid_bank WHERE upc IS NULL").fetchall() == [(6,)]
    assert one(
        "SELECT sale_month, earnings FROM staging.distrokid_bank WHERE store = 'Snap'"
    ).fetchall() == [(date(2022, 10, 1), Decimal("0.00000041"))]  # fmt: skip
    assert one(
        "SELECT customer_paid, customer_currency FROM staging.distrokid_bank WHERE country = 'CA'"
    ).fetchall() == [(Decimal("1.29"), "CAD")]


def test_the_fields_only_newer_exports_have() -> None:
    con, _ = typed_table(BANK.tables[0], with_currency(V3))
    assert con.execute(
        "SELECT title, date_inserted, share_percent, withheld, recoup FROM staging.distrokid_bank"
        " WHERE recoup IS NOT NULL ORDER BY title"
    ).fetchall() == [
        ("Night Bus EP", date(2025, 10, 28), 100, Decimal(0), Decimal(0)),
        ('The "Last" Ferry, Part 2', date(2025, 10, 28), 50, Decimal("0.125"), Decimal("-0.5")),
    ]


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("isrc", "Slow Tram", "The ISRC is not two letters, three letters or digits, and seven digits."),
        ("upc", "19800000001", "The UPC is not a number of 12 to 14 digits."),
        ("share_percent", "130", "The team percentage does not lie between 0 and 100."),
        ("earnings", "$3.10", "earnings: '$3.10' is not an amount"),
        ("quantity", "1,000", "quantity: '1,000' is not a whole number"),
        ("quantity", "", "quantity is blank"),
        ("sale_month", "Feb-25", "sale_month: 'Feb-25' is not a month"),
        ("reporting_date", "25/04/2025", "reporting_date: '25/04/2025' is not a date"),
        ("currency", "", "currency is blank"),
    ],
)
def test_a_line_that_cannot_be_is_set_aside_with_its_reason(field: str, text: str, said: str) -> None:
    rows = [{**with_currency(V2)[0], field: text}]
    _, complaints = typed_table(BANK.tables[0], rows)
    assert len(complaints) == 1
    assert str(complaints[0][0]).startswith(said)


def test_key_and_identity_are_columns_that_every_export_must_have() -> None:
    table = BANK.tables[0]
    assert set(table.identity) <= set(table.key)
    assert all(table.field(name).required for name in table.key)
    assert [field.name for field in table.money] == ["withheld", "earnings", "recoup"]


@pytest.mark.parametrize(
    ("name", "relative", "at", "basis"),
    [
        (
            "DistroKid_1748520000000_A.tsv",
            "DistroKid_1748520000000_A.tsv",
            datetime(2025, 5, 29, 12, tzinfo=UTC),
            "name",
        ),
        ("dk_bank_details_20260301_093000.tsv", "x.tsv", datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "name"),
        ("a.csv", "DistroKid_1748520000000.zip/a.csv", datetime(2025, 5, 29, 12, tzinfo=UTC), "name"),
        ("dk_20269999_999999.tsv", "dk.tsv", datetime(2025, 4, 25, tzinfo=UTC), "data"),
        ("bank.tsv", "bank.tsv", datetime(2025, 4, 25, tzinfo=UTC), "data"),
    ],
)
def test_when_a_bank_file_speaks_of(name: str, relative: str, at: datetime, basis: str) -> None:
    stamp = BANK.exported_at(given(GOLDEN / V2, name, relative))
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (at, basis)


def test_a_zip_member_has_the_time_of_the_zip_and_a_file_without_dates_asks(tmp_path: Path) -> None:
    at = datetime(2025, 6, 1, 8, tzinfo=UTC)
    stamp = BANK.exported_at(Original(GOLDEN / V2, "bank.tsv", "bank.zip/bank.tsv", member_time=at))
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (at, "zip")
    assert BANK.exported_at(written(tmp_path, "Store,Sale Month,Earnings (USD)\nSpotify,2025-01,1\n", "b.csv")) is None


def test_the_last_date_is_found_across_pieces_of_a_large_file_and_titles_do_not_count(tmp_path: Path) -> None:
    line = "2025-03-29\t2025-01\tSpotify\tA\t2031-01-01 Song\tQZPC12500001\t\t1\t100\tSong\tUS\t0\t0.1\r"
    text = "Reporting Date\tSale Month\tStore\tEarnings (USD)\r" + line * 30_000 + line.replace("2025-03", "2025-04")
    stamp = BANK.exported_at(written(tmp_path, text + "2025-99-99\t", "bank.tsv"))
    assert stamp is not None
    assert stamp.at == datetime(2025, 4, 29, tzinfo=UTC)


def test_originals_are_not_called_resaved() -> None:
    assert [BANK.resaved(golden(name)) for name in (V1, V2, V3, V3B)] == [None] * 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("198000000017", "1.98E+11", "line 2 has '1.98E+11' as UPC"),
        ("198000000017", "198000000017.0", "line 2 has '198000000017.0' as UPC"),
        ("QZPC12500003", "1.99E+11", "line 12 has '1.99E+11' as ISRC"),
        ("2025-02\t", "Feb-25\t", "line 2 has 'Feb-25' as Sale Month"),
        ("2025-02\t", "01/02/2025\t", "line 2 has '01/02/2025' as Sale Month"),
        ("2025-04-25\t", "25/04/2025\t", "line 2 has '25/04/2025' as Reporting Date"),
    ],
)
def test_a_resaved_file_is_told_by_what_the_spreadsheet_did(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (GOLDEN / V2).read_bytes().decode()
    assert old in text
    assert BANK.resaved(written(tmp_path, text.replace(old, new), V2)) == Resaved(said, damaged=True)


def test_squeezed_headings_are_a_resave_too() -> None:
    assert BANK.resaved(golden(SQUEEZED)) == Resaved(
        "its headings have lost their blanks ('EarningsUSD')", damaged=False
    )


def test_squeezed_months_alone_are_a_resave_that_destroyed_nothing(tmp_path: Path) -> None:
    text = (GOLDEN / V2).read_bytes().decode().replace("2025-02\t", "202502\t")
    told = Resaved("line 2 has '202502' as Sale Month", damaged=False)
    assert BANK.resaved(written(tmp_path, text, V2)) == told


def test_looking_for_a_resave_survives_text_that_is_no_table(tmp_path: Path) -> None:
    monstrous = 'UPC,Sale Month\n"' + "x" * 300_000
    assert BANK.resaved(written(tmp_path, monstrous, "x.csv")) is None


# Which files are known

STRANGERS = {
    "empty.csv": "",
    "empty.json": "{}",
    "list.json": "[]",
    "login.html": "<!DOCTYPE html><html><body><form>Log in<input type=password></form></body></html>",
    "bank.csv": "<html><body>Please log in: Sale Month Store Earnings (USD)</body></html>",
    "stats.html": '<html><body><div id="trend365day"><svg>trend365day last365days</svg></div></body></html>',
    "notes.txt": 'makeChart("trend365day", { "dataProvider": [] }) and var chartData = {"last365days": {}}',
    "toolost.json": '{"streams": [{"date": "2025-01-01", "streams": "3"}], "discovery": []}',
    "overview.csv": '"Date","Video Views","Profile Views","Likes"\n"May 1","1","2","3"\n',
    "sales.csv": "Reporting Date,Track Title,Channel,Country,Total\n2025-01-01,A,Spotify,US,1\n",
    "catalogue.csv": "ISRC,UPC,Artist,Title,Release Date,Label,Writers\n",
    "broken.bin": b"\xff\xfe\x00\xd8\x00",
    "zip.csv": b"PK\x03\x04Sale Month,Store,Earnings (USD)\n",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_files_of_others_are_not_claimed(tmp_path: Path, name: str) -> None:
    original = written(tmp_path, STRANGERS[name], name)
    assert [feed.name for feed in SOURCE.feeds if feed.knows(original)] == []


@pytest.mark.parametrize(
    ("name", "feed"),
    [*((name, "distrokid.bank") for name in BANK_FILES), ("spotify_stats.html", "distrokid.spotify"),
     ("apple_stats.html", "distrokid.apple")],
)  # fmt: skip
def test_each_golden_file_is_known_by_its_feed_alone(name: str, feed: str) -> None:
    assert [one.name for one in SOURCE.feeds if one.knows(given(GOLDEN / name, "renamed"))] == [feed]


# The page of Spotify


def test_days_of_spotify_are_exactly_these() -> None:
    rows, ignored = read(SPOTIFY, golden("spotify_stats.html"))
    assert [(row.values, row.locator) for row in rows] == [
        ({"date": str(SPOTIFY_FROM + timedelta(place)), "streams": streams}, f"/trend365day/dataProvider/{place}")
        for place, streams in enumerate(SPOTIFY_DAYS.split())
    ]
    assert sum(int(str(row.values["streams"])) for row in rows) == 14600
    assert Counter(one.reason for one in ignored) == {"sum of the days": 10, "day told again": 41}


def test_each_point_of_spotify_is_a_row_or_ignored() -> None:
    raw = (GOLDEN / "spotify_stats.html").read_bytes()
    rows, ignored = read(SPOTIFY, golden("spotify_stats.html"))
    assert SPOTIFY.census is not None
    assert SPOTIFY.census(golden("spotify_stats.html")) == {"distrokid_spotify_daily": raw.count(b'"column-1": ')}
    assert len(rows) + len(ignored) == raw.count(b'"column-1": ') == 92
    after = raw[raw.index(b'makeChart("trend365day"') :]
    assert sum(int(one) for one in re.findall(rb'"column-1": (\d+)', after)) == 14600


def test_the_pages_speak_of_the_days_after_their_last_day() -> None:
    spotify, apple = SPOTIFY.exported_at(golden("spotify_stats.html")), APPLE.exported_at(golden("apple_stats.html"))
    assert spotify is not None
    assert apple is not None
    assert (spotify.at, spotify.basis) == (datetime(2025, 3, 7, tzinfo=UTC), "data")
    assert (apple.at, apple.basis) == (datetime(2025, 3, 7, tzinfo=UTC), "data")


def changed(tmp_path: Path, page: str, old: str, new: str) -> Original:
    text = (GOLDEN / page).read_bytes().decode()
    assert old in text
    return written(tmp_path, text.replace(old, new), page)


def refusal(feed: Feed, original: Original) -> Refused:
    assert feed.knows(original)
    with pytest.raises(Refused) as caught:
        read(feed, original)
    assert caught.value.file == original.name
    assert caught.value.do
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "heading", "said"),
    [
        (
            '"2025-02-10","column-1": 276',
            '"2025-02-10","column-1": 277',
            "trendWeekly",
            "'week from 2025-02-10' has 2,386",
        ),
        ('"2025-02-01","column-1": 9885', '"2025-02-01","column-1": 9886', "trendMonthly", "'month 2025-02' has 9,886"),
    ],
)
def test_a_spotify_page_that_contradicts_itself(tmp_path: Path, old: str, new: str, heading: str, said: str) -> None:
    found = refusal(SPOTIFY, changed(tmp_path, "spotify_stats.html", old, new))
    assert said in found.sentence
    assert found.heading == heading


def test_the_cut_first_week_and_the_cut_months_are_not_compared(tmp_path: Path) -> None:
    page = changed(tmp_path, "spotify_stats.html", '"2025-01-24","column-1": 1142', '"2025-01-24","column-1": 7')
    rows, _ = read(SPOTIFY, page)
    assert len(rows) == 41


def test_a_spotify_page_cut_off_empty_or_with_a_day_twice(tmp_path: Path) -> None:
    text = (GOLDEN / "spotify_stats.html").read_bytes().decode()
    cut = refusal(SPOTIFY, written(tmp_path, text[: text.rindex('{"category": "2025-02-20"')], "p.html"))
    assert cut.sentence == "The page is cut off in the chart 'trend365day'."
    head, tail = text.split('makeChart("trend365day"')
    bare = head + 'makeChart("trend365day"' + re.sub(r'("dataProvider": \[)[^\]]*', r"\1", tail)
    empty = refusal(SPOTIFY, written(tmp_path, bare, "p.html"))
    assert empty.sentence == "The page shows no day: its chart 'trend365day' is empty."
    twice = refusal(
        SPOTIFY, changed(tmp_path, "spotify_stats.html", '"category": "2025-01-25"', '"category": "2025-01-24"')
    )
    assert twice.sentence == "The day 2025-01-24 stands twice in the chart 'trend365day'."


def test_damaged_json_is_told_with_the_line_of_the_page(tmp_path: Path) -> None:
    page = changed(tmp_path, "spotify_stats.html", '{"category": "2025-02-20"', '{"category" "2025-02-20"')
    found = refusal(SPOTIFY, page)
    lines = (GOLDEN / "spotify_stats.html").read_bytes().decode().split("\r\n")
    assert found.line == next(place for place, line in enumerate(lines, 1) if '"2025-02-20"' in line)


def test_values_of_another_kind_reach_typing_as_they_are(tmp_path: Path) -> None:
    page = changed(tmp_path, "spotify_stats.html", '"2025-03-05","column-1": 352', '"2025-03-05","column-1": null')
    rows, _ = read(SPOTIFY, page)
    assert rows[-1].values == {"date": "2025-03-05", "streams": None}
    _, complaints = typed_table(SPOTIFY.tables[0], [dict(row.values) for row in rows])
    assert complaints == [("streams is blank",)]


# The page of Apple Music


def test_days_of_apple_are_exactly_these_and_the_last_is_provisional() -> None:
    rows, ignored = read(APPLE, golden("apple_stats.html"))
    daily = [row for row in rows if row.table == "distrokid_apple_daily"]
    assert [tuple(row.values.values()) for row in daily] == [
        (str(APPLE_FROM + timedelta(place)), streams, "true" if place == 40 else "false")
        for place, streams in enumerate(APPLE_DAYS.split())
    ]
    assert daily[40].locator == "/chartData/last365days/dataProvider/40"
    assert [(one.table, one.reason) for one in ignored] == [("distrokid_apple_daily", "sum of the days")] * 10


def test_slices_of_apple_are_exactly_these() -> None:
    rows, _ = read(APPLE, golden("apple_stats.html"))
    slices = [row.values for row in rows if row.table == "distrokid_apple_breakdown"]
    assert {one["exported_day"] for one in slices} == {"2025-03-07"}
    assert [(one["kind"], one["label"], one["label_id"], one["streams"]) for one in slices] == [
        ("tracks", "Slow Tram", "1", "200"),
        ("tracks", 'The "Last" Ferry; {Part} 2', "2", "90"),
        ("tracks", "Café ü Straße", "3", "31"),
        ("tracks", "Slow Tram", "4", "5"),
        ("devices", "Mobile", "1", "500"),
        ("devices", "Desktop", "2", "38"),
        ("devices", "Other", "3", "12"),
        ("gender", "Male", "1", "80"),
        ("age", "18-24", None, "40"),
        ("age", "25-34", None, "30"),
        ("age", "35-44", None, "10"),
        ("listening", "Complete", "1", "300"),
        ("listening", "Skip", "2", "60"),
        ("sources", "Library", "1", "210"),
        ("sources", "MusicKit", "2", "5"),
        ("offline", "Online", "1", "520"),
        ("offline", "Offline", "2", "30"),
        ("types", "Playlist", "1", "300"),
        ("types", "Radio station", "2", "40"),
        ("country", "US", None, "300"),
        ("country", "NA", None, "2"),
        ("albums", "Night Bus EP", "1", "410"),
    ]


def test_each_point_of_apple_is_a_row_or_ignored() -> None:
    raw = (GOLDEN / "apple_stats.html").read_bytes()
    rows, ignored = read(APPLE, golden("apple_stats.html"))
    found = Counter(one.table for one in [*rows, *ignored])
    assert APPLE.census is not None
    assert APPLE.census(golden("apple_stats.html")) == found
    assert found == {"distrokid_apple_daily": 51, "distrokid_apple_breakdown": 22}
    assert len(re.findall(rb'"value":\d', raw)) == 73


@pytest.mark.parametrize(
    ("old", "new", "heading", "said"),
    [
        (
            '"02-25","value":403',
            '"02-25","value":413',
            "byMonth",
            "the chart 'byMonth' says 559 in all, its points say 569.",
        ),
        ('"2025-02-10","value":12', '"2025-02-10","value":11', "last365days", "says 559 in all, its points say 558."),
        ('"US","value":300', '"US","value":299', "country1year", "the chart 'country1year' says 302 in all"),
        (
            '"dataProvider":[],',
            '"dataProvider":7,',
            "playlists1year",
            "The chart 'playlists1year' is not a list of points",
        ),
        ('"2025-01-26"', '"2025-01-25"', "last365days", "The day 2025-01-25 stands twice"),
    ],
)
def test_an_apple_page_that_contradicts_itself(tmp_path: Path, old: str, new: str, heading: str, said: str) -> None:
    found = refusal(APPLE, changed(tmp_path, "apple_stats.html", old, new))
    assert said in found.sentence
    assert found.heading == heading


def test_an_apple_month_must_be_the_sum_of_its_days(tmp_path: Path) -> None:
    text = (GOLDEN / "apple_stats.html").read_text(encoding="utf-8")
    moved = text.replace('"02-25","value":403', '"02-25","value":402').replace(
        '"01-25","value":92', '"01-25","value":93'
    )
    assert moved != text
    found = refusal(APPLE, written(tmp_path, moved, "page.html"))
    assert found.sentence == "The page contradicts itself: 'month 02-25' has 402 streams, its days 403."


def test_an_apple_page_cut_off_or_without_days(tmp_path: Path) -> None:
    text = (GOLDEN / "apple_stats.html").read_text(encoding="utf-8")
    cut = refusal(APPLE, written(tmp_path, text[: text.index('"byWeek"')], "page.html"))
    assert cut.sentence == "The page is cut off in its chartData."
    days = re.sub(
        r'("last365days":\{"isEmpty":)0(,"categoryField":"field","dataProvider":)\[[^\]]*\]', r"\g<1>1\2[]", text
    )
    days = re.sub(r'("last365days":.*?"total":)559', r"\g<1>0", days, count=1)
    empty = refusal(APPLE, written(tmp_path, days, "page.html"))
    assert empty.sentence == "The page shows no day: its chart 'last365days' is empty."


# Fragments


def test_fragments_offer_exactly_the_columns_of_their_interface() -> None:
    con, _ = typed_table(BANK.tables[0], with_currency(V2))
    lines = con.execute((FOLDER / "lines.sql").read_text(encoding="utf-8"))
    assert [one[0] for one in lines.description] == [
        "account", "reporting_date", "sale_month", "store", "country", "artist", "title", "isrc", "upc", "product",
        "quantity", "share_percent", "earnings", "currency", "withheld", "recoup", "_delivery", "_locator",
    ]  # fmt: skip
    assert len(lines.fetchall()) == 18
    for feed in (SPOTIFY, APPLE):
        rows, _ = read(feed, golden(f"{feed.name.removeprefix('distrokid.')}_stats.html"))
        for table in feed.tables:
            _, complaints = typed_table(table, [dict(row.values) for row in rows if row.table == table.name], con)
            assert complaints == []
    streams = con.execute((FOLDER / "streams.sql").read_text(encoding="utf-8"))
    names = [one[0] for one in streams.description]
    assert names == ["account", "date", "store", "streams", "provisional", "_delivery", "_locator"]
    assert con.execute(
        f"SELECT store, provisional, count(*), sum(streams), max(date) FROM ({(FOLDER / 'streams.sql').read_text()})"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall() == [
        ("Apple Music", False, 40, 555, date(2025, 3, 5)),
        ("Apple Music", True, 1, 4, date(2025, 3, 6)),
        ("Spotify", False, 41, 14600, date(2025, 3, 5)),
    ]
