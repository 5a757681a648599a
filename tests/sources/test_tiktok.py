"""TikTok's golden files against an independent look at their text, and the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from tiktok_making import (
    FOLDER,
    SAMPLES,
    golden,
    golden_rows,
    raw_tables,
    rows_of,
    typed_rows,
    values,
)

from bedrot import sql
from bedrot.contract import Facts, Kind, Merge, Row
from bedrot.contract.typing_sql import columns_of
from bedrot.sources.tiktok import SOURCE
from bedrot.sources.tiktok.kinds import kind_of

# --- golden files


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_records_are_all_there_and_every_row_types(name: str) -> None:
    file, feed, told = golden(name)
    rows = rows_of(feed, file, told)
    tables = raw_tables(file.data)
    assert feed.census is not None
    census = feed.census(file)
    assert sum(census.values()) == sum(len(table) - 1 for table in tables)
    assert Counter(row.table for row in rows) == census
    assert feed.resaved(file) is None
    for table in feed.tables:
        assert typed_rows(feed, rows, table.name)[1] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_sums_equal_those_of_the_raw_text(name: str) -> None:
    file, feed, told = golden(name)
    rows = rows_of(feed, file, told)
    for heading, *body in raw_tables(file.data):
        kind = kind_of(heading)
        assert kind is not None
        table = kind.table
        known = [row for row in body if "undefined" not in row]
        stored, _ = typed_rows(feed, rows, table.name)
        for field in table.fields:
            if field.kind not in (Kind.INTEGER, Kind.DECIMAL) or not {*field.aka} & {*map(str.strip, heading)}:
                continue
            place = next(place for place, title in enumerate(heading) if title.strip() in field.aka)
            at = [one.name for one in table.fields].index(field.name)
            assert sum((Decimal(str(row[at])) for row in stored if row[at] is not None), Decimal()) == sum(
                (_number(row[place]) for row in known), Decimal()
            ), field.name


def _number(text: str) -> Decimal:
    if text in ("NAN", "--"):
        return Decimal()
    return Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text)


def test_overview_by_name_spans_new_year_and_february_29() -> None:
    name = "Overview_2023-12-28_1709372231_.nova_lights_.zip"
    _, feed, told = golden(name)
    rows = golden_rows(name)
    assert feed.name == "tiktok.overview"
    assert told == Facts(".nova_lights_", datetime(2024, 3, 2, 9, 37, 11, tzinfo=UTC), "name", resaved=False)
    days = [day for (day,) in values(rows, "tiktok_overview", "date")]
    assert days == [(date(2023, 12, 28) + timedelta(days=place)).isoformat() for place in range(66)]
    assert rows[0] == Row(
        "tiktok_overview",
        {"date": "2023-12-28", "video_views": "0", "profile_views": "0", "likes": "0", "comments": "0", "shares": "0"},
        "Overview.csv line 2",
    )
    assert values(rows, "tiktok_overview", "date", "comments")[63] == ("2024-02-29", "-3")


@pytest.mark.parametrize("language", ["en_GB", "es", "pt", "vi", "id", "el"])
def test_overview_in_each_language(language: str) -> None:
    rows = golden_rows(f"Overview.{language}.csv")
    assert values(rows, "tiktok_overview", "date", "video_views", "profile_views", "likes", "comments", "shares") == [
        ("2024-02-27", "0", "0", "0", "0", "0"),
        ("2024-02-28", "0", "0", "0", "0", "0"),
        ("2024-02-29", "1204", "31", "88", "-2", "5"),
        ("2024-03-01", "977", "12", "40", "3", "0"),
        ("2024-03-02", "2050", "44", "131", "6", "9"),
    ]
    assert [row.locator for row in rows] == [f"line {line}" for line in range(2, 7)]


def test_workbook_in_a_zip_without_times() -> None:
    rows = golden_rows("temp_1767398402117.zip")
    assert values(rows, "tiktok_overview", "date", "video_views", "comments") == [
        ("2025-12-30", "310", "0"),
        ("2025-12-31", "905", "-1"),
        ("2026-01-01", "412", "2"),
    ]
    assert [row.locator for row in rows] == ["Overview.xlsx row 2", "Overview.xlsx row 3", "Overview.xlsx row 4"]


def test_a_bare_workbook() -> None:
    assert values(golden_rows("Viewers.xlsx"), "tiktok_viewers", "date", "total_viewers", "returning_viewers") == [
        ("2026-01-03", "951", "191"),
        ("2026-01-04", "1102", "202"),
    ]


def test_undefined_makes_the_whole_day_unknown_and_zero_stays_zero() -> None:
    rows = golden_rows("Viewers_nova.lights.zip")
    assert values(rows, "tiktok_viewers", "date", "total_viewers", "new_viewers", "returning_viewers") == [
        ("2025-12-28", None, None, None),
        ("2025-12-29", None, None, None),
        ("2025-12-30", "812", "700", "112"),
        ("2025-12-31", "0", "0", "0"),
        ("2026-01-01", "1440", "1200", "240"),
        ("2026-01-02", "1003", "801", "202"),
        ("2026-01-03", "951", "760", "191"),
        ("2026-01-04", None, None, None),
    ]


def test_a_followers_zip_fills_four_tables() -> None:
    name = "Followers_nova.lights.zip"
    _, feed, told = golden(name)
    rows = golden_rows(name)
    assert told == Facts("nova.lights", datetime(2026, 2, 25, 18, 0, 6, tzinfo=UTC), "zip", resaved=False)
    assert values(rows, "tiktok_followers", "date", "followers") == [
        ("2026-02-15", None),
        ("2026-02-16", None),
        ("2026-02-17", "1510"),
        ("2026-02-18", "1510"),
        ("2026-02-19", "1498"),
        ("2026-02-20", "1502"),
        ("2026-02-21", "1533"),
        ("2026-02-22", "1533"),
        ("2026-02-23", "1540"),
        ("2026-02-24", "1529"),
    ]
    assert values(rows, "tiktok_follower_gender", "snapshot_date", "gender", "share", "note") == [
        ("2026-02-25", "Female", "0.59", None),
        ("2026-02-25", "Male", "0.4", None),
        ("2026-02-25", "Other", "0.01", None),
    ]
    assert values(rows, "tiktok_follower_territories", "snapshot_date", "territory", "share", "note") == [
        ("2026-02-25", "NA", "0.41", None),
        ("2026-02-25", "BR", "0.2", None),
        ("2026-02-25", "XK", "0.02", None),
        ("2026-02-25", "Others", "0.37", None),
    ]
    territories, _ = typed_rows(feed, rows, "tiktok_follower_territories")
    assert territories[0] == (date(2026, 2, 25), "NA", Decimal("0.41"), None)


def test_hours_after_the_data_ends_are_unknown_and_other_zeros_stay() -> None:
    activity = values(
        golden_rows("Followers_nova.lights.zip"),
        "tiktok_follower_activity",
        *("snapshot_date", "date", "hour", "active_followers"),
    )
    assert len(activity) == 168
    assert {row[0] for row in activity} == {"2026-02-25"}
    unknown = [(day, hour) for _, day, hour, active in activity if active is None]
    assert unknown == [("2026-02-24", str(hour)) for hour in range(18, 24)]
    zeros = [(day, hour) for _, day, hour, active in activity if active == "0"]
    assert zeros == [("2026-02-20", "5"), ("2026-02-23", "22"), ("2026-02-23", "23")]


def test_percentages_far_from_one_are_noted() -> None:
    _, feed, _ = golden("FollowerGender.csv")
    stored, _ = typed_rows(feed, golden_rows("FollowerGender.csv"), "tiktok_follower_gender")
    note = "the shares of this export are 0.865 together, not 1"
    assert stored == [
        (date(2026, 3, 1), "Female", Decimal("0.61"), note),
        (date(2026, 3, 1), "Male", Decimal("0.255"), note),
        (date(2026, 3, 1), "Other", Decimal(0), note),
    ]


def test_content_takes_the_time_of_posting_from_the_number_first() -> None:
    rows = golden_rows("Content_nova.lights.zip")
    fields = ("video_id", "post_time", "posted_at", "posted_on", "posted_basis", "views", "comments")
    assert values(rows, "tiktok_content", *fields) == [
        ("7267224892453814994", "August 14", "2023-08-14 17:04:09", "2023-08-14", "video id", "16153", "27"),
        ("7609101497486672594", "February 20", "2026-02-20 23:59:59", "2026-02-20", "video id", "903", "0"),
        ("1000000007", "February 29", None, "2024-02-29", "post time", "120", "-1"),
        ("1000000008", "December 31", None, "2025-12-31", "post time", "0", "0"),
    ]
    assert values(rows, "tiktok_content", "snapshot_date", "title")[:2] == [
        ("2026-02-24", 'rain tape #indie, "live"'),
        ("2026-02-24", "two\nlines, one title"),
    ]
    assert [row.locator for row in rows] == [f"Content.csv line {line}" for line in (2, 3, 5, 6)]


def test_business_files_are_mapped_by_name() -> None:
    _, overview, told = golden("business_overview.csv")
    stored, _ = typed_rows(overview, golden_rows("business_overview.csv"), "tiktok_business_overview")
    assert told.exported_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert told.exported_basis == "data"
    assert stored == [
        (date(2025, 12, 30), 640, 512, 9, 31, 2, 7, None, None, 3, 5, 2),
        (date(2025, 12, 31), 702, None, 11, 28, 4, -1, None, None, -2, 0, 2),
        (date(2026, 1, 1), 0, 0, 0, 0, 0, 0, None, None, 0, 0, 0),
    ]
    names = [field.name for field in overview.tables[0].fields]
    assert names[5:8] == ["shares", "comments", "phone_number_clicks"]
    _, audience, _ = golden("business_audience.csv")
    stored, _ = typed_rows(audience, golden_rows("business_audience.csv"), "tiktok_business_audience")
    assert stored == [(date(2025, 12, 30), 5, 2210, 512, 44), (date(2025, 12, 31), 0, 2208, None, None)]


def test_business_content() -> None:
    _, feed, _ = golden("business_content.csv")
    stored, _ = typed_rows(feed, golden_rows("business_content.csv"), "tiktok_content")
    assert [row[0:2] + row[5:] for row in stored] == [
        (
            *(date(2026, 1, 2), "7567452130170503890", datetime(2025, 10, 31, 18, 19, 10), date(2025, 10, 31)),  # noqa: DTZ001
            *("video id", 8110, 402, 33, 18, 27),
        ),
        (date(2026, 1, 2), "1000000009", None, date(2019, 5, 4), "post time", 55, 1, None, 0, None),
    ]


# --- the contract itself


def test_fields_say_what_they_are() -> None:
    seen: Mapping[str, object] = {}
    for feed in SOURCE.feeds:
        for table in feed.tables:
            seen = {**seen, table.name: table}
            assert table.merge is (Merge.SERIES if table.key == ("date",) else Merge.SNAPSHOTS)
            for field in table.fields:
                assert field.about.endswith(".")
                measure = field.basis is not None
                assert measure == (field.kind in (Kind.INTEGER, Kind.DECIMAL) and field.name != "hour"), field.name
                assert not measure or field.unit
                assert measure or not field.additive
    assert len(seen) == 9


@pytest.mark.parametrize(
    "field", ["followers", "total_viewers", "reached_audience", "total_followers", "active_followers"]
)
def test_people_are_never_summed(field: str) -> None:
    for feed in SOURCE.feeds:
        for table in feed.tables:
            assert all(one.additive == () for one in table.fields if one.name == field)


def test_social_joins_days_of_all_tables() -> None:
    con = sql.connect(None, threads=1)
    con.execute("CREATE SCHEMA staging")
    tables = {table.name: table for feed in SOURCE.feeds for table in feed.tables}
    for table in tables.values():
        columns = [*columns_of(table), ("_delivery", "VARCHAR"), ("_locator", "VARCHAR")]
        con.execute(f"CREATE TABLE staging.{table.name} ({', '.join(f'{sql.name(n)} {t}' for n, t in columns)})")
    insert = {
        "tiktok_overview": "('a', DATE '2024-03-01', 9, 1, 2, -3, 4, 'd1', 'line 2')",
        "tiktok_followers": "('a', DATE '2024-03-01', 50, 'd2', 'x'), ('a', DATE '2024-03-02', NULL, 'd2', 'line 3')",
        "tiktok_business_overview": "('b', DATE '2024-03-01', 7, 6, 5, 4, 3, 2, NULL, NULL, 1, 1, 0, 'd3', 'line 2')",
        "tiktok_business_audience": "('b', DATE '2024-03-01', 1, 80, 6, 2, 'd4', 'line 2')",
    }
    for name, rows in insert.items():
        con.execute(f"INSERT INTO staging.{name} VALUES {rows}")
    found = con.execute((FOLDER / "social.sql").read_text("utf-8") + " ORDER BY account, day")
    assert [column[0] for column in found.description or ()] == [
        *("account", "day", "views", "profile_views", "likes", "comments", "shares", "followers", "provisional"),
        *("_delivery", "_locator"),
    ]
    assert found.fetchall() == [
        ("a", date(2024, 3, 1), 9, 1, 2, -3, 4, 50, False, "d1", "line 2"),
        ("a", date(2024, 3, 2), None, None, None, None, None, None, False, "d2", "line 3"),
        ("b", date(2024, 3, 1), 7, 5, 4, 2, 3, 80, False, "d3", "line 2"),
    ]
