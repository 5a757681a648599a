"""Meta Ads: each golden file gives exactly its rows, each trap is met, and bad files are refused in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bedrot import sql
from bedrot.contract import Delimited, Facts, Feed, Ignored, Original, Resaved, Row, Table
from bedrot.contract.typing_sql import cleaned, columns_of, complaint, typed
from bedrot.errors import Refused
from bedrot.marts.interfaces import INTERFACES
from bedrot.sources import metaads
from bedrot.sources.metaads import SOURCE, census
from bedrot.sources.metaads.tables import ACTIONS, INSIGHTS

GOLDEN = Path(metaads.__file__).parent / "golden"
ACCOUNT = "1000000000000042"
FEEDS = {
    "20250702_081530_ads.json": "metaads.ads",
    "20250702_081530_adsets.json": "metaads.adsets",
    "20250702_081530_campaigns.json": "metaads.campaigns",
    "20250702_081530_insights.json": "metaads.insights",
    "DEMO-LABEL-Ads-Jun-25-2025-Jul-8-2025.csv": "metaads.csv",
    "ads_by_day.csv": "metaads.csv",
    "insights_by_age.json": "metaads.insights",
    "insights_empty.json": "metaads.insights",
    "insights_lifetime.json": "metaads.insights",
    "insights_one_day.json": "metaads.insights",
    "insights_page_1.json": "metaads.insights",
    "insights_page_2.json": "metaads.insights",
    "insights_report.json": "metaads.insights",
    "publicites_par_jour.csv": "metaads.csv",
}


def golden(name: str) -> Original:
    return Original(GOLDEN / name, name, name)


def made(folder: Path, name: str, content: Any, relative: str = "") -> Original:
    path = folder / Path(name).name
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Original(path, name, relative or name)


def feed_of(original: Original) -> str | None:
    known = [feed.name for feed in SOURCE.feeds if feed.knows(original)]
    assert len(known) <= 1
    return known[0] if known else None


def read(original: Original, *, resaved: bool = False) -> list[Row | Ignored]:
    feed = next(feed for feed in SOURCE.feeds if feed.knows(original))
    stamp = feed.exported_at(original)
    at = stamp.at if stamp else datetime(2025, 7, 2, 8, 15, 30, tzinfo=UTC)
    assert not isinstance(feed.read, Delimited)
    return list(feed.read(original, Facts(ACCOUNT, at, stamp.basis if stamp else "person", resaved)))


def rows(original: Original, table: str) -> list[dict[str, str | None]]:
    return [dict(row.values) for row in read(original) if isinstance(row, Row) and row.table == table]


def brief(original: Original, *columns: str) -> list[tuple[str | None, ...]]:
    return [tuple(row.get(column) for column in columns) for row in rows(original, "metaads_insights")]


def insight(day: str = "2025-06-29", **other: Any) -> dict[str, Any]:
    return {"ad_id": "120240000002750075", "date_start": day, "date_stop": day, "spend": "1", **other}


def test_golden_files_are_all_here_and_each_has_one_feed() -> None:
    there = {path.name for path in GOLDEN.iterdir() if not path.name.endswith((".given.json", ".expected.json"))}
    assert there == set(FEEDS)
    assert {name: feed_of(golden(name)) for name in FEEDS} == FEEDS


@pytest.mark.parametrize("name", sorted(FEEDS))
def test_every_physical_record_is_a_row_or_ignored(name: str) -> None:
    original = golden(name)
    feed = next(feed for feed in SOURCE.feeds if feed.name == FEEDS[name])
    assert feed.census is not None
    got = {table.name: sum(row.table == table.name for row in read(original)) for table in feed.tables}
    assert got == dict(feed.census(original))


# Counted by eye in the golden files; spend by adding what stands there.
COUNTS = {
    "20250702_081530_ads.json": (3, 1, "0"),
    "20250702_081530_adsets.json": (2, 0, "0"),
    "20250702_081530_campaigns.json": (2, 0, "0"),
    "20250702_081530_insights.json": (2, 0, "31.8"),
    "DEMO-LABEL-Ads-Jun-25-2025-Jul-8-2025.csv": (3, 1, "15.51"),
    "ads_by_day.csv": (3, 2, "2.90"),
    "insights_by_age.json": (3, 0, "0.20"),
    "insights_empty.json": (0, 0, "0"),
    "insights_lifetime.json": (1, 0, "30"),
    "insights_one_day.json": (2, 0, "0.5"),
    "insights_page_1.json": (3, 1, "14.445678"),
    "insights_page_2.json": (1, 0, "0.45"),
    "insights_report.json": (3, 0, "0.6"),
    "publicites_par_jour.csv": (3, 1, "13.965"),
}


@pytest.mark.parametrize("name", sorted(FEEDS))
def test_counts_and_spend(name: str) -> None:
    first = next(feed for feed in SOURCE.feeds if feed.name == FEEDS[name]).tables[0].name
    found = [row for row in read(golden(name)) if row.table == first]
    taken = [row for row in found if isinstance(row, Row)]
    spend = sum((Decimal(row.values.get("spend") or 0) for row in taken), Decimal())
    assert (len(taken), len(found) - len(taken), spend) == (*COUNTS[name][:2], Decimal(COUNTS[name][2]))


def test_action_numbers_equal_those_in_the_raw_text() -> None:
    original = golden("insights_page_1.json")
    raw = re.sub(r'"cost_per_action_type": \[.*?\]', "", original.text, flags=re.DOTALL)
    blocks = {name: re.findall(rf'"{name}": \[(.*?)\]', raw, re.DOTALL) for name in ("actions", "action_values")}
    numbers = {
        name: sum(
            Decimal(one) for block in found for one in re.findall(r'"(?:value|\w+_click|\w+_view)": "([\d.]+)"', block)
        )
        for name, found in blocks.items()
    }
    got = [row for row in read(original) if row.table == "metaads_actions"]
    values = [row.values for row in got if isinstance(row, Row)]
    once = {"value": Decimal(956), "amount": Decimal("39.98")}
    assert {name: sum(Decimal(row.get(name) or 0) for row in values) for name in once} == once
    # The first record stands in the page twice: its 134 actions and 39.98 are counted again in the raw text.
    again = {"actions": Decimal(134), "action_values": Decimal("39.98")}
    assert numbers == {
        name: once[key] + again[name] for name, key in (("actions", "value"), ("action_values", "amount"))
    }
    assert sum(isinstance(row, Ignored) and row.reason == "repeated while paging" for row in got) == 10


def test_a_daily_record_becomes_exactly_these_rows() -> None:
    original = golden("insights_page_1.json")
    what = {
        "level": "ad",
        "named_by": "id",
        "entity": "120240000002750075",
        "span": "daily",
        "date_start": "2025-06-01",
        "date_stop": "2025-06-01",
        "breakdown": "none",
        "breakdown_value": "all",
        "currency": "EUR",
        "provisional": "true",
    }
    assert rows(original, "metaads_insights")[0] == {
        **what,
        "campaign_id": "120240000000750075",
        "campaign_name": "Nachtfalter \u2013 Pre-save",
        "adset_id": "120240000001750075",
        "adset_name": None,
        "ad_id": "120240000002750075",
        "ad_name": "Clip 1 (9:16)",
        "attribution_setting": None,
        "spend": "1.3",
        "impressions": "432",
        "clicks": "14",
        "reach": "414",
        "link_clicks": "9",
        "results": None,
        "result_type": None,
    }
    actions = [row for row in read(original) if row.table == "metaads_actions" and isinstance(row, Row)]
    assert dict(actions[0].values) == {
        **what,
        "measure": "count",
        "action_type": "link_click",
        "action_detail": "none",
        "attribution_window": "default",
        "value": "9",
    }
    columns = ("measure", "action_type", "action_detail", "attribution_window", "value", "amount")
    assert [(row.locator, *(row.values.get(one) for one in columns)) for row in actions] == [
        ("/data/0/actions/0/value", "count", "link_click", "none", "default", "9", None),
        ("/data/0/actions/0/7d_click", "count", "link_click", "none", "7d_click", "9", None),
        ("/data/0/actions/0/1d_view", "count", "link_click", "none", "1d_view", "0", None),
        ("/data/0/actions/1/value", "count", "post_engagement", "none", "default", "29", None),
        ("/data/0/actions/1/7d_click", "count", "post_engagement", "none", "7d_click", "28", None),
        ("/data/0/actions/1/1d_view", "count", "post_engagement", "none", "1d_view", "1", None),
        ("/data/0/actions/2/value", "count", "page_engagement", "none", "default", "29", None),
        ("/data/0/actions/2/7d_click", "count", "page_engagement", "none", "7d_click", "29", None),
        (
            "/data/0/action_values/0/value",
            "amount",
            "offsite_conversion.fb_pixel_purchase",
            "none",
            "default",
            None,
            "19.99",
        ),
        (
            "/data/0/action_values/0/7d_click",
            "amount",
            "offsite_conversion.fb_pixel_purchase",
            "none",
            "7d_click",
            None,
            "19.99",
        ),
        ("/data/1", "count", None, None, None, None, None),
        ("/data/1", "amount", None, None, None, None, None),
        ("/data/2/actions/0/value", "count", "link_click", "none", "default", "22", None),
        ("/data/2/actions/1/value", "count", "video_view", '{"action_video_type":"total"}', "default", "800", None),
        ("/data/2", "amount", None, None, None, None, None),
    ]


def test_span_is_daily_only_where_proven() -> None:
    spans = {
        name: sorted({str(row["span"]) for row in rows(golden(name), "metaads_insights")})
        for name in FEEDS
        if FEEDS[name] in ("metaads.insights", "metaads.csv")
    }
    assert spans == {
        "20250702_081530_insights.json": ["range"],
        "DEMO-LABEL-Ads-Jun-25-2025-Jul-8-2025.csv": ["range"],
        "ads_by_day.csv": ["daily"],
        "insights_by_age.json": ["daily"],
        "insights_empty.json": [],
        "insights_lifetime.json": ["lifetime"],
        "insights_one_day.json": ["range"],
        "insights_page_1.json": ["daily"],
        "insights_page_2.json": ["daily"],
        "insights_report.json": ["daily"],
        "publicites_par_jour.csv": ["daily"],
    }


@pytest.mark.parametrize(
    ("query", "items", "span"),
    [
        ("time_increment=1", [insight()], "daily"),
        ("time_increment=7", [insight("2025-06-28"), insight("2025-06-29")], "range"),
        ("time_increment=monthly", [insight()], "range"),
        ("date_preset=last_30d", [insight("2025-06-01"), insight("2025-06-02", date_stop="2025-06-30")], "range"),
        ("date_preset=maximum", [insight("2025-06-01", date_stop="2025-06-30")], "lifetime"),
        ("date_preset=maximum&time_increment=1", [insight()], "daily"),
        ("limit=5", [insight("2025-06-28"), insight("2025-06-29")], "daily"),
        ("limit=5", [insight("2025-06-28"), insight("2025-06-29", ad_id="120240000002750099")], "range"),
    ],
)
def test_span_by_request_and_days(tmp_path: Path, query: str, items: list[dict[str, Any]], span: str) -> None:
    page = {"data": items, "paging": {"next": f"https://graph.facebook.com/v25.0/act_42/insights?{query}"}}
    assert {row["span"] for row in rows(made(tmp_path, "x.json", page), "metaads_insights")} == {span}
    beside = {"request": {"path": "/v25.0/act_42/insights", "params": dict(one.split("=") for one in query.split("&"))}}
    assert {row["span"] for row in rows(made(tmp_path, "y.json", beside | {"data": items}), "metaads_insights")} == {
        span
    }


def test_days_within_28_of_the_export_are_provisional(tmp_path: Path) -> None:
    page = {"data": [insight(day) for day in ("2025-06-03", "2025-06-04", "2025-06-05")]}
    original = made(tmp_path, "20250702_000000_insights.json", page)
    assert brief(original, "date_start", "provisional") == [
        ("2025-06-03", "false"),
        ("2025-06-04", "false"),
        ("2025-06-05", "true"),
    ]


def test_parts_of_a_split_stay_apart_and_unknown_is_kept() -> None:
    assert brief(golden("insights_by_age.json"), "breakdown", "breakdown_value", "spend") == [
        ("age,gender", '{"age":"18-24","gender":"female"}', "0.05"),
        ("age,gender", '{"age":"25-34","gender":"unknown"}', "0.15"),
        ("age,gender", '{"age":null,"gender":"male"}', "0.00"),
    ]


def test_results_with_their_type_and_never_several_as_one(tmp_path: Path) -> None:
    assert brief(golden("insights_page_2.json"), "results", "result_type") == [
        ("4", "actions:offsite_conversion.fb_pixel_custom")
    ]
    two = [{"indicator": "a", "values": [{"value": "1"}]}, {"indicator": "b", "values": [{"value": "2"}]}]
    assert brief(made(tmp_path, "x.json", [insight(results=two)]), "results", "result_type") == [(None, None)]


def test_no_rows_of_actions_where_none_were_asked(tmp_path: Path) -> None:
    assert rows(golden("insights_report.json"), "metaads_actions") == []
    original = made(tmp_path, "x.json", [insight(actions=[]), insight("2025-06-30")])
    assert rows(original, "metaads_actions") == []
    assert census.action_records(census.items(original.text)) == 0


def test_levels_by_the_finest_id_and_blank_ids_are_none(tmp_path: Path) -> None:
    bare = {"date_start": "2025-06-01", "date_stop": "2025-06-03", "spend": "1", "account_id": "act_42"}
    items = [
        {**bare, "campaign_id": "7", "adset_id": "", "ad_id": None},
        {**bare, "campaign_id": "7", "adset_id": "8"},
        {**bare, "campaign_id": "7", "adset_id": "8", "ad_id": 120240000002750075},
        bare,
    ]
    original = made(tmp_path, "x.json", items)
    assert brief(original, "level", "entity", "adset_id") == [
        ("campaign", "7", None),
        ("adset", "8", "8"),
        ("ad", "120240000002750075", "8"),
        ("account", "account", None),
    ]
    assert SOURCE.feeds[3].account(original) == "42"


def test_entities_in_utc_with_sorted_json() -> None:
    campaign = rows(golden("20250702_081530_campaigns.json"), "metaads_campaigns")[0]
    assert campaign == {
        "seen_on": "2025-07-02",
        "campaign_id": "120240000000750075",
        "name": "Nachtfalter \u2013 Pre-save",
        "status": "ACTIVE",
        "effective_status": None,
        "objective": "OUTCOME_ENGAGEMENT",
        "daily_budget": "500",
        "lifetime_budget": "0",
        "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
        "spend_cap": None,
        "stop_time": None,
        "start_time": "2025-06-21 06:57:55",
        "created_time": "2025-06-21 06:50:01",
        "updated_time": "2025-06-28 13:00:00",
        "other": '{"special_ad_categories":[]}',
    }
    adsets = rows(golden("20250702_081530_adsets.json"), "metaads_adsets")
    assert adsets[0]["daily_budget"] is None
    assert adsets[1]["daily_budget"] == "1500"
    assert adsets[1]["pacing_type"] == '["standard"]'
    assert adsets[0]["targeting"] == (
        '{"age_max":44,"age_min":18,"flexible_spec":[{"interests":[{"id":"6003000000000","name":"Électro"}]}],'
        '"geo_locations":{"countries":["DE","AT"],"location_types":["home"]},"targeting_automation":{"advantage_audience":0}}'
    )
    ads = rows(golden("20250702_081530_ads.json"), "metaads_ads")
    assert [(ad["ad_id"], ad["adset_id"], ad["effective_status"], ad["creative_id"]) for ad in ads] == [
        ("120240000002750075", "120240000001750075", "ACTIVE", "120240000002750555"),
        ("120240000002750099", "120240000001750075", "ACTIVE", "120240000002750555"),
        ("120240000002750123", "120240000001750099", "CAMPAIGN_PAUSED", "120240000002750555"),
    ]
    # Meta gives the tracking specs in another order for the second ad.
    assert ads[0]["tracking_specs"] == ads[1]["tracking_specs"]
    assert ads[1]["name"] == 'Clip 2 "loud"'


def test_an_instant_without_offset_is_rejected_not_guessed(tmp_path: Path) -> None:
    item = {"id": "1", "name": "x", "objective": "o", "start_time": "2025-06-01T10:00:00", "updated_time": "soon"}
    original = made(tmp_path, "20250702_081530_campaigns.json", [item])
    row = rows(original, "metaads_campaigns")[0]
    assert row["start_time"] == "2025-06-01T10:00:00 (no offset from UTC)"
    assert load(duckdb.connect(), SOURCE.feeds[0].tables[0], [row], ACCOUNT) == [
        "start_time: '2025-06-01T10:00:00 (no offset from UTC)' is not an instant such as 2025-03-29 17:05:00"
    ]


def test_sheet_with_totals_quotes_and_currency_in_the_heading() -> None:
    original = golden("DEMO-LABEL-Ads-Jun-25-2025-Jul-8-2025.csv")
    read_rows = read(original)
    assert read_rows[0] == Ignored("metaads_insights", "line of totals", "line 2")
    assert [row.locator for row in read_rows] == ["line 2", "line 3", "line 4", "line 5"]
    columns = (
        "named_by",
        "entity",
        "currency",
        "spend",
        "impressions",
        "results",
        "result_type",
        "attribution_setting",
    )
    assert brief(original, *columns) == [
        (
            "name",
            '["DE 18-44","Clip 1, \\"loud\\""]',
            "USD",
            "14.82",
            "3900",
            "38",
            "actions:offsite_conversion.fb_pixel_initiate_checkout",
            "7-day click, 1-day view, or 1-day engaged-view",
        ),
        ("name", '["DE 18-44","Clip 2"]', "USD", "0.69", "200", None, None, "7-day click or 1-day view"),
        ("name", '["DE 18-44","Clip\\n3"]', "USD", "0", None, None, None, "7-day click or 1-day view"),
    ]
    feed = SOURCE.feeds[4]
    stamp = feed.exported_at(original)
    assert stamp is not None
    assert (feed.account(original), stamp.at, stamp.basis) == ("DEMO-LABEL", datetime(2025, 7, 8, tzinfo=UTC), "name")


def test_sheet_by_day_with_ids() -> None:
    original = golden("ads_by_day.csv")
    assert SOURCE.feeds[4].account(original) == ACCOUNT
    assert brief(original, "named_by", "entity", "date_start", "date_stop", "currency", "link_clicks") == [
        ("id", "120240000002750075", "2025-06-01", "2025-06-01", "EUR", "9"),
        ("id", "120240000002750075", "2025-06-02", "2025-06-02", "EUR", None),
        ("id", "120240000002750099", "2025-06-02", "2025-06-02", "EUR", "2"),
    ]
    assert [(row.reason, row.locator) for row in read(original) if isinstance(row, Ignored)] == [
        ("repeated line", "line 5"),
        ("heading row repeated", "line 6"),
    ]


def test_french_sheet_with_decimal_commas() -> None:
    assert brief(golden("publicites_par_jour.csv"), "level", "entity", "date_start", "spend", "currency") == [
        ("campaign", '["Été"]', "2025-06-01", "12.34", "USD"),
        ("campaign", '["Été"]', "2025-06-02", "0.5", "USD"),
        ("campaign", '["Hiver"]', "2025-06-02", "1.125", "USD"),
    ]


def test_commas_that_may_be_thousands_are_left_for_rejection(tmp_path: Path) -> None:
    head = "Jour;Nom de la campagne;Montant dépensé (USD)\n"
    for told in ("1,125", "1,125.50", "1,000,5"):
        original = made(tmp_path, "x.csv", f"{head}2025-06-01;A;{told}\n")
        assert brief(original, "spend") == [(told,)]


EXPORTS = [
    ("20250702_081530_insights.json", "", "2025-07-02T08:15:30+00:00", "name"),
    ("insights.json", "meta_ads_dump_20250616_123754/insights.json", "2025-06-16T12:37:54+00:00", "name"),
    ("insights.json", "meta_ads_dump_20250616_123754\\insights.json", "2025-06-16T12:37:54+00:00", "name"),
    ("insights.json", "meta_ads_dump_20259916_123754/insights.json", "2025-06-29T00:00:00+00:00", "data"),
    ("insights.json", "", "2025-06-29T00:00:00+00:00", "data"),
]


@pytest.mark.parametrize(("name", "relative", "at", "basis"), EXPORTS)
def test_exported_at(tmp_path: Path, name: str, relative: str, at: str, basis: str) -> None:
    original = made(tmp_path, name, [insight()], relative)
    stamp = SOURCE.feeds[3].exported_at(original)
    assert stamp is not None
    assert (stamp.at.isoformat(), stamp.basis) == (at, basis)


def test_exported_at_of_entities_is_never_guessed_and_a_zip_tells_it(tmp_path: Path) -> None:
    original = made(tmp_path, "ads.json", [{"id": "1", "adset_id": "2", "updated_time": "2025-06-01T00:00:00+0000"}])
    assert SOURCE.feeds[2].exported_at(original) is None
    told = datetime(2025, 6, 2, 3, 4, 5, tzinfo=UTC)
    zipped = Original(original.path, original.name, original.relative, member_time=told)
    stamp = SOURCE.feeds[2].exported_at(zipped)
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (told, "zip")


def test_account_only_where_proven(tmp_path: Path) -> None:
    page = {"data": [], "paging": {"next": "https://graph.facebook.com/v25.0/act_42/insights?after=x"}}
    account = SOURCE.feeds[3].account
    assert account(golden("insights_page_1.json")) == ACCOUNT
    assert account(golden("20250702_081530_insights.json")) is None
    assert account(made(tmp_path, "a.json", page)) == "42"
    assert account(made(tmp_path, "b.json", [insight(account_id="42"), insight("2025-06-30")])) is None


NOT_OURS: dict[str, Any] = {
    "empty_object.json": {},
    "empty_list.json": [],
    "insights.json": [],
    "other_insights.json": {"data": {"getAccountAnalytics": {"overview": {"timeseries": []}}}},
    "toolost.json": {"streams": [{"date": "2025-01-01", "totalStreams": "5"}], "discovery": []},
    "spotify.json": {"songs": [{"id": "x", "numStreams": "1"}]},
    "empty_page.json": {"data": []},
    "data.json": {"data": [{"id": "1", "title": "x"}]},
    "google.json": {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}},
    "steps.json": [{"request": "GET /v25.0/6", "response": {"id": "6", "async_status": "Job Running"}}],
    "log_in.json": "<!DOCTYPE html><html><input type=password>date_start</html>",
    "log_in.csv": "<html>Reporting starts,Reporting ends,Ad name</html>",
    "tiktok.csv": '"Date","Video Views","Profile Views"\n"June 17","1","2"',
    "bank.tsv": "Reporting Date\tSale Month\tStore\tEarnings (USD)\n2025-01-01\t2024-11\tSpotify\t1.0\n",
    "youtube.csv": "Date,Content,Video title,Views\n2025-01-01,x,y,1\n",
    "instagram.csv": 'sep=,\n"Reach"\n"Date","Primary"\n',
    "days.csv": "Day,Country,Streams\n2025-01-01,DE,4\n",
    "cut.json": '{"data": [{"id": "12',
    "bomb.json": "[" * 100_000 + '"id"',
    "bytes.csv": b"\x00\xff\xfe\x00" * 50,
    "nothing.csv": b"",
    "zip.json": b'PK\x03\x04{"id":1}',
}


@pytest.mark.parametrize("name", sorted(NOT_OURS))
def test_other_files_are_not_claimed(tmp_path: Path, name: str) -> None:
    original = made(tmp_path, name, NOT_OURS[name])
    assert feed_of(original) is None
    assert SOURCE.private(original) is None


def test_an_empty_page_is_known_where_link_or_name_tells(tmp_path: Path) -> None:
    assert feed_of(made(tmp_path, "ads_page_2.json", {"data": []})) == "metaads.ads"
    link = {"previous": "https://graph.facebook.com/v25.0/act_42/adsets?limit=5"}
    assert feed_of(made(tmp_path, "x.json", {"data": [], "paging": link})) == "metaads.adsets"


def asked(feed: Feed, original: Original) -> None:
    """Put the questions to a feed in the order in which the walk does."""
    feed.account(original)
    feed.exported_at(original)
    assert not isinstance(feed.read, Delimited)
    list(feed.read(original, Facts(ACCOUNT, datetime(2025, 7, 2, tzinfo=UTC), "person", resaved=False)))


def refusal(original: Original) -> Refused:
    feed = next(feed for feed in SOURCE.feeds if feed.knows(original))
    with pytest.raises(Refused) as caught:
        asked(feed, original)
    assert caught.value.do
    assert caught.value.file == original.name
    return caught.value


def error(code: int, message: str, **other: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "T", **other}}


@pytest.mark.parametrize(
    ("body", "sentence", "do"),
    [
        (
            error(17, "User request limit reached", error_subcode=2446079),
            "limit reached” (code 17/2446079)",
            "wait an hour",
        ),
        (error(80004, "too many calls"), "(code 80004)", "wait an hour"),
        (error(1, "Please reduce the amount of data you're asking for"), "reduce the amount", "fewer days"),
        (error(190, "Session has expired", error_subcode=463), "(code 190/463)", "log in again"),
        (error(200, "(#200) no ads_read permission"), "permission", "owner of the ad account"),
        (error(3018, "(#3018) 37 months"), "37 months", "later first day"),
        (error(2, "Service temporarily unavailable"), "temporarily", "later"),
        ({"report_run_id": "6000"}, "only ordered", "complete"),
        ({"id": "6", "async_status": "Job Running", "async_percent_completion": 63}, "Job Running", "complete"),
        (
            {"id": "6", "async_status": "Job Failed", "error_message": "Unknown error"},
            "Job Failed: Unknown error",
            "complete",
        ),
    ],
)
def test_answers_without_data_are_refused_in_metas_words(tmp_path: Path, body: Any, sentence: str, do: str) -> None:
    original = made(tmp_path, "insights.json", body)
    assert feed_of(original) == "metaads.insights"
    refused = refusal(original)
    assert sentence in refused.sentence
    assert do in refused.do


WRONG_JSON: list[tuple[Any, str]] = [
    ([insight(), insight(spend="2")], "/0 and /1 speak of the same thing and day with other values"),
    ([insight(account_id="1"), insight("2025-06-30", account_id="2")], "mixes the ad accounts 1, 2"),
    ([insight(), {"id": "1", "objective": "x"}], "/1 is not one of insights"),
    ([insight(), 5], "/1 is not one of insights"),
    ([{"id": "1", "adset_id": "2"}, {"id": "2", "objective": "x"}], "/1 is not one of ads"),
    ([{"id": "1", "adset_id": "2"}, {"id": "1", "adset_id": "3"}], "/0 and /1 speak of the same thing"),
    ([insight(ad_id="", ad_name="Clip")], "/0 is about one ad, but has no ad_id"),
    ([insight(actions=[{"action_type": "x"}])], "/0/actions/0 is no action"),
    ([insight(actions=[{"value": "1"}])], "/0/actions/0 is no action"),
    ([insight(actions=[{"action_type": "x", "value": ["1"]}])], "/0/actions/0 is no action"),
    ([insight(actions=["x"])], "/0/actions/0 is no action"),
    (
        [insight(actions=[{"action_type": "x", "value": "1"}, {"action_type": "x", "value": "2"}])],
        "/0/actions/1 tells the action 'x' a second time",
    ),
    (json.dumps([insight(), insight("2025-06-30")])[:-20], "not whole"),
    ('[{"ad_id":"1","date_start":"2025-06-01","date_stop":"2025-06-01","spend":"1","spend":"2"}]', "stands twice"),
    ('[{"ad_id":"1","date_start":"2025-06-01","date_stop":"2025-06-01","spend":NaN}]', "NaN"),
]


@pytest.mark.parametrize(("content", "sentence"), WRONG_JSON)
def test_wrong_json_is_refused(tmp_path: Path, content: Any, sentence: str) -> None:
    assert sentence in refusal(made(tmp_path, "x.json", content)).sentence


def test_level_asked_without_its_id_is_refused(tmp_path: Path) -> None:
    link = {"next": "https://graph.facebook.com/v25.0/act_42/insights?level=ad"}
    item = {"adset_id": "1", "date_start": "2025-06-01", "date_stop": "2025-06-01", "spend": "1"}
    refused = refusal(made(tmp_path, "x.json", {"data": [item], "paging": link}))
    assert refused.heading == "ad_id"


HEAD = "Reporting starts,Reporting ends,Ad name,Amount spent (USD)"
WRONG_CSV: list[tuple[str, str, int, str]] = [
    (f"{HEAD}\n2025-06-01,2025-06-02,A,1\n2025-06-01,2025-06", "has 2 fields where the heading row has 4", 3, ""),
    (f"{HEAD}\n2025-06-01,2025-06-02,A,1,2\n", "has 5 fields where the heading row has 4", 2, ""),
    (f'{HEAD}\n2025-06-01,2025-06-02,"A,1\n', "quotation marks", 2, ""),
    (f"{HEAD},Amount spent (EUR)\n2025-06-01,2025-06-02,A,1,1\n", "mean the same", 1, "Amount spent (EUR)"),
    (
        "Reporting starts,Ad name,Amount spent (USD)\n2025-06-01,A,1\n",
        "'Reporting ends' is missing",
        1,
        "Reporting ends",
    ),
    (f"{HEAD}\n2025-06-01,2025-06-02,A,1\n2025-06-01,2025-06-02,A,2\n", "line 2 and line 3 speak of the same", 3, ""),
]


@pytest.mark.parametrize(("text", "sentence", "line", "heading"), WRONG_CSV)
def test_wrong_csv_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str, line: int, heading: str) -> None:
    refused = refusal(made(tmp_path, "x.csv", text))
    assert sentence in refused.sentence
    assert (refused.line, refused.heading) == (line, heading)


def test_reordered_extra_and_utf16_headings_are_read(tmp_path: Path) -> None:
    text = (
        "\ufeffMood\tad NAME\tAmount spent (USD)\tReporting ends\tReporting starts\nx\tA\t1.5\t2025-06-02\t2025-06-01\n"
    )
    original = made(tmp_path, "x.csv", text.encode("utf-16-le"))
    assert brief(original, "entity", "spend", "date_start", "date_stop") == [
        ('["A"]', "1.5", "2025-06-01", "2025-06-02")
    ]


def test_a_spreadsheets_hand_is_seen_and_its_ids_are_not_used(tmp_path: Path) -> None:
    resaved = SOURCE.feeds[4].resaved
    head = "Reporting starts,Reporting ends,Ad ID,Ad name,Amount spent (USD)\n"
    original = made(tmp_path, "x.csv", f"{head}2025-06-01,2025-06-02,1.2024E+17,A,1\n")
    assert resaved(original) == Resaved("the id 1.2024E+17 is a rounded number", damaged=True)
    assert resaved(made(tmp_path, "y.csv", f"{head}6/1/2025,6/2/2025,1,A,1\n")) is not None
    assert resaved(golden("ads_by_day.csv")) is None
    row = read(original, resaved=True)[0]
    assert isinstance(row, Row)
    assert (row.values["named_by"], row.values["entity"], row.values["ad_id"]) == ("name", '["A"]', None)


TOKEN = "EAA" + "Gm0PX4ZCpsBAKx7" * 4


@pytest.mark.parametrize(
    "content",
    [
        {
            "data": [insight()],
            "paging": {"next": f"https://graph.facebook.com/v25.0/act_42/insights?access_token={TOKEN}"},
        },
        {"data": [insight()], "paging": {"next": "https://graph.facebook.com/x?limit=1&access_token=abc"}},
        {"access_token": "abc", "data": [insight()]},
        [insight(ad_name=TOKEN)],
        f"{HEAD}\n2025-06-01,2025-06-02,{TOKEN},1\n",
    ],
)
def test_a_token_keeps_the_file_out_and_is_not_repeated(tmp_path: Path, content: Any) -> None:
    why = SOURCE.private(made(tmp_path, "x.json", content))
    assert why is not None
    assert "EAA" not in why
    assert "abc" not in why


def test_a_token_across_two_reads_is_found_and_a_removed_one_is_not(tmp_path: Path) -> None:
    start = '[{"ad_name": "'
    for before in (1, 20, 40, 62):
        padded = start + " " * ((1 << 20) - len(start) - before) + TOKEN + '"}]'
        assert (padded.encode()[: 1 << 20]).endswith(TOKEN[:before].encode())
        assert SOURCE.private(made(tmp_path, "x.json", padded)) is not None
    gone = {"data": [insight()], "paging": {"next": "https://graph.facebook.com/x?access_token=REDACTED&limit=1"}}
    assert SOURCE.private(made(tmp_path, "y.json", gone)) is None
    assert [name for name in FEEDS if SOURCE.private(golden(name))] == []


def test_census_counts_by_brackets_not_by_words() -> None:
    text = json.dumps(
        {
            "paging": {"data": [{"x": 1}]},
            "data": [{"n": 'a "}] [{', "deep": {"data": [{}]}}, {"m": []}],
            "summary": {"actions": [{"value": "1"}]},
        }
    )
    assert len(census.items(text)) == 2
    assert census.items("[]") == []
    assert len(census.items('[{"a":1},{"b":[{}]}]')) == 2
    assert census.lines('a,b\r\n"x\ny",1\r\n\r\n2,""') == 2


def load(
    con: duckdb.DuckDBPyConnection, table: Table, texts: Sequence[Mapping[str, str | None]], account: str
) -> list[str]:
    """Type text rows into `staging.<table>` by the contract; the complaints about rows that were not taken."""
    con.execute("CREATE SCHEMA IF NOT EXISTS staging")
    columns = ", ".join(f"{sql.name(name)} {kind}" for name, kind in columns_of(table))
    con.execute(f"CREATE TABLE IF NOT EXISTS staging.{table.name} ({columns}, _delivery VARCHAR, _locator VARCHAR)")
    raw = ", ".join(f"{sql.name(one.name)} VARCHAR" for one in table.fields)
    con.execute(f"CREATE OR REPLACE TEMP TABLE told ({raw})")
    marks = ", ".join("?" for _ in table.fields)
    for row in texts:
        con.execute(f"INSERT INTO told VALUES ({marks})", [row.get(one.name) for one in table.fields])
    text = {one.name: cleaned(one, f"told.{sql.name(one.name)}") for one in table.fields}
    complaints = [complaint(one, text[one.name], typed(one, text[one.name])) for one in table.fields]
    whys = ", ".join([one for one in complaints if one] + ["NULL"])
    values = ", ".join(f"{typed(one, text[one.name])} AS {sql.name(one.name)}" for one in table.fields)
    con.execute(f"CREATE OR REPLACE TEMP TABLE typed AS SELECT coalesce({whys}) AS _why, {values} FROM told")
    checks = " ".join(f"WHEN {check.breaks} THEN {sql.text(check.says)}" for check in table.checks)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE checked AS SELECT coalesce(_why, CASE {checks} END) AS _bad, * FROM typed"
    )
    names = sql.names(one.name for one in table.fields)
    taken = f"SELECT {sql.text(account)}, {names}, 'd', 'l' FROM checked WHERE _bad IS NULL"
    con.execute(f"INSERT INTO staging.{table.name} {taken}")
    return [row[0] for row in con.execute("SELECT _bad FROM checked WHERE _bad IS NOT NULL ORDER BY ALL").fetchall()]


@pytest.mark.parametrize("name", sorted(FEEDS))
def test_golden_rows_type_without_complaint(name: str) -> None:
    feed = next(feed for feed in SOURCE.feeds if feed.name == FEEDS[name])
    for table in feed.tables:
        con = duckdb.connect()
        texts = rows(golden(name), table.name)
        assert load(con, table, texts, ACCOUNT) == []
        key = sql.names(table.key)
        told = con.execute(f"SELECT count(*), count(DISTINCT row({key})) FROM staging.{table.name}").fetchall()
        assert told == [(len(texts), len(texts))]


def test_bad_rows_are_rejected_by_the_contract(tmp_path: Path) -> None:
    link = {"next": "https://graph.facebook.com/v25.0/act_42/insights?time_increment=1"}
    items = [
        insight("2025-06-01", spend="1,20"),
        insight("2025-06-02", date_stop="2025-06-03"),
        insight("2025-06-03", date_stop="2025-06-02"),
        insight("2025-06-04", ad_id="1.20253E+17"),
        insight("2025-06-05", impressions="1.5"),
        insight("2025-6-6"),
        insight("2025-06-07", spend=""),
    ]
    texts = rows(made(tmp_path, "x.json", {"data": items, "paging": link}), "metaads_insights")
    con = duckdb.connect()
    amount = "an amount such as 1.31000000, without signs of currency or thousands, with at most 18 decimals"
    assert load(con, INSIGHTS, texts, ACCOUNT) == [
        "a daily row starts and ends on one day",
        "a row ends on or after the day it starts",
        "an id is a row of digits",
        "date_start: '2025-6-6' is not a date such as 2025-03-29",
        "impressions: '1.5' is not a whole number such as 120",
        f"spend: '1,20' is not {amount}",
    ]
    assert con.execute("SELECT date_start::VARCHAR, spend FROM staging.metaads_insights").fetchall() == [
        ("2025-06-07", None)
    ]


def ads(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    fragment = (Path(metaads.__file__).parent / "ads.sql").read_text(encoding="utf-8")
    shape = con.execute(f"DESCRIBE ({fragment})").fetchall()
    assert [(row[0], row[1]) for row in shape] == list(INTERFACES["ads"])
    chosen = "day::VARCHAR, ad_id, campaign_id, spend, results, result_type, provisional"
    return con.execute(f"SELECT {chosen} FROM ({fragment}) ORDER BY ALL").fetchall()


def staged(*originals: Original) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for table in (INSIGHTS, ACTIONS):
        load(con, table, [], ACCOUNT)
        for original in originals:
            assert load(con, table, rows(original, table.name), ACCOUNT) == []
    return con


def test_ads_are_daily_rows_with_one_type_of_result() -> None:
    con = staged(
        golden("insights_page_1.json"),
        golden("insights_page_2.json"),
        golden("20250702_081530_insights.json"),
        golden("insights_lifetime.json"),
        golden("insights_one_day.json"),
        golden("insights_by_age.json"),
    )
    campaign = "120240000000750075"
    assert ads(con) == [
        ("2025-06-01", "120240000002750075", campaign, Decimal("1.3"), 9, "link_click", True),
        ("2025-06-01", "120240000002750099", campaign, Decimal("12.345678"), 22, "link_click", True),
        ("2025-06-02", "120240000002750075", campaign, Decimal("0.8"), None, None, True),
        (
            "2025-06-30",
            "120240000002750123",
            campaign,
            Decimal("0.45"),
            4,
            "actions:offsite_conversion.fb_pixel_custom",
            True,
        ),
    ]


def test_ads_count_no_spend_twice_over_levels_and_names(tmp_path: Path) -> None:
    days = {"data": [], "request": "GET /v25.0/act_42/insights?time_increment=1"}
    bare = {"date_start": "2025-06-01", "date_stop": "2025-06-01"}
    levels = [
        {**bare, "campaign_id": "7", "adset_id": "8", "ad_id": "9", "spend": "1"},
        {**bare, "campaign_id": "7", "adset_id": "8", "spend": "1"},
        {**bare, "campaign_id": "7", "spend": "1"},
        {**bare, "campaign_id": "70", "spend": "2"},
        {**bare, "account_id": "42", "spend": "3"},
        {"date_start": "2025-06-02", "date_stop": "2025-06-02", "account_id": "42", "spend": "4"},
    ]
    con = staged(made(tmp_path, "x.json", days | {"data": levels}), golden("publicites_par_jour.csv"))
    assert [row[:4] for row in ads(con)] == [
        ("2025-06-01", "9", "7", Decimal(1)),
        ("2025-06-01", "campaign:70", "70", Decimal(2)),
        ("2025-06-02", "account:account", None, Decimal(4)),
    ]
    by_name = staged(golden("publicites_par_jour.csv"))
    assert [row[:4] for row in ads(by_name)] == [
        ("2025-06-01", 'campaign:["Été"]', None, Decimal("12.34")),
        ("2025-06-02", 'campaign:["Hiver"]', None, Decimal("1.125")),
        ("2025-06-02", 'campaign:["Été"]', None, Decimal("0.5")),
    ]
    unplaced = [{**levels[0], "campaign_id": None}, levels[2]]
    con = staged(made(tmp_path, "y.json", days | {"data": unplaced}))
    assert [row[:4] for row in ads(con)] == [("2025-06-01", "9", None, Decimal(1))]


def test_contract_names_fit_and_reach_is_never_added() -> None:
    for feed in SOURCE.feeds:
        for table in feed.tables:
            names = {one.name for one in table.fields}
            assert len(names) == len(table.fields)
            told = {
                *table.key,
                *table.scope,
                table.partition.column,
                table.day,
                table.until,
                table.provisional,
                table.absent,
            }
            assert told - {""} <= names
            assert set(table.scope) <= set(table.key)
            assert all(set(one.additive) <= names for one in table.fields)
    assert INSIGHTS.field("reach").additive == ()
    assert "action_type" not in ACTIONS.field("value").additive
