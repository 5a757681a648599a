"""Linktree: golden answers row by row, what must not be kept, and every way in which an answer can be wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bedrot.contract import Facts, Feed, Ignored, Original, Row
from bedrot.contract.typing_sql import columns_of
from bedrot.errors import Refused
from bedrot.sources.linktree import SOURCE
from bedrot.sources.linktree.tables import DAILY
from bedrot.sql import connect, name

GOLDEN = Path(__file__).parents[2] / "src/bedrot/sources/linktree/golden"
ANALYTICS, TITLES = SOURCE.feeds
AT = "/data/getAccountAnalytics"


def golden(name: str) -> Original:
    return Original(GOLDEN / name, name, name)


def made(folder: Path, text: str, name: str = "graphql_20250703_090012_104500.json") -> Original:
    path = folder / "file"
    path.write_text(text, encoding="utf-8")
    return Original(path, name, name)


def answer(**parts: Any) -> str:
    return json.dumps({"data": {"getAccountAnalytics": {**parts, "__typename": "AccountAnalytics"}}})


def day(date: str, views: int) -> dict[str, Any]:
    return {"date": date, "totalViews": views, "__typename": "AccountActivity"}


def overview(*days: Any) -> dict[str, Any]:
    return {"timeseries": list(days), "__typename": "AccountOverview"}


def rows_of(feed: Feed, original: Original) -> list[Row | Ignored]:
    stamp = feed.exported_at(original)
    assert callable(feed.read)
    assert feed.census is not None
    assert stamp is not None
    rows = list(feed.read(original, Facts("main", stamp.at, stamp.basis, resaved=False)))
    counted = Counter(row.table for row in rows)
    assert {table: count for table, count in feed.census(original).items() if count} == dict(counted)
    return rows


def shown(rows: list[Row | Ignored], table: str, *fields: str) -> list[tuple[str | None, ...]]:
    return [tuple(row.values[one] for one in fields) for row in rows if isinstance(row, Row) and row.table == table]


def refusal(feed: Feed, original: Original) -> str:
    assert callable(feed.read)
    with pytest.raises(Refused) as refused:
        list(feed.read(original, Facts("main", datetime(2025, 7, 3, tzinfo=UTC), "person", resaved=False)))
    assert refused.value.file == original.name
    assert refused.value.do
    return str(refused.value)


def test_days_the_last_one_provisional_and_no_rate() -> None:
    original = golden("graphql_20250703_090012_104500.json")
    rows = rows_of(ANALYTICS, original)
    fields = ("date", "views", "clicks", "unique_views", "unique_clicks", "provisional")
    assert shown(rows, "linktree_daily", *fields) == [
        ("2025-06-30", "5", "6", "4", "3", "false"),
        ("2025-07-01", "0", "0", "0", "0", "false"),
        ("2025-07-02", "13", "8", "9", "5", "false"),
        ("2025-07-03", "1", "0", "1", "0", "true"),
    ]
    assert rows[-1] == Ignored("linktree_daily", "total over a range whose days are told", f"{AT}/overview")
    told = re.findall(r'"totalViews":(\d+)', original.text)
    views = [int(str(one[0])) for one in shown(rows, "linktree_daily", "views")]
    assert sum(map(int, told[1:])) == int(told[0]) == sum(views) == 19


def test_links_carry_the_range_that_the_icons_tell() -> None:
    rows = rows_of(ANALYTICS, golden("graphql_20250703_090012_230001.json"))
    scope = ("2025-07-03", "2025-07-02", "2025-07-03", "2", None)
    fields = ("exported_day", "range_first", "range_last", "range_days", "answered_at")
    assert shown(rows, "linktree_links", *fields, "link_id", "clicks") == [
        (*scope, "471000001", "9"),
        (*scope, "471000002", "0"),
        (*scope, "471000003", "2"),
    ]
    assert shown(rows, "linktree_socials", *fields, "name", "clicks") == [
        (*scope, "instagram", "3"),
        (*scope, "email_address", "1"),
    ]
    assert shown(rows, "linktree_socials_daily", "date", "name", "clicks", "provisional") == [
        ("2025-07-02", "instagram", "2", "false"),
        ("2025-07-02", "email_address", "1", "false"),
        ("2025-07-03", "instagram", "1", "true"),
        ("2025-07-03", "email_address", "0", "true"),
    ]
    ignored = [(row.reason, row.locator) for row in rows if isinstance(row, Ignored)]
    assert ignored == [("kind of record not known: AccountLinkBreakdown", f"{AT}/links/2/breakdown")]


def test_links_without_icons_stand_for_themselves(tmp_path: Path) -> None:
    link = {"id": 1, "clicks": {"total": 5}, "__typename": "AccountLink"}
    rows = rows_of(ANALYTICS, made(tmp_path, answer(links=[link], socials=None)))
    assert shown(rows, "linktree_links", "range_first", "range_days", "answered_at", "clicks") == [
        (None, None, "2025-07-03 09:00:12.104500", "5")
    ]


def test_subscribers_are_counts_by_day_and_channel() -> None:
    rows = rows_of(ANALYTICS, golden("graphql_20250703_090013_000417.json"))
    fields = ("date", "channel", "subscribers", "new_subscribers", "clicks", "provisional")
    assert shown(rows, "linktree_subscribers", *fields) == [
        ("2025-07-02", "all", "3", "1", "2", "false"),
        ("2025-07-03", "all", "3", "0", "0", "true"),
        ("2025-07-02", "email", "2", "1", "2", "false"),
        ("2025-07-03", "email", "2", "0", "0", "true"),
        ("2025-07-02", "sms", "1", "0", "0", "false"),
        ("2025-07-03", "sms", "1", "0", "0", "true"),
    ]
    assert rows[-1] == Ignored(
        "linktree_subscribers", "total over a range whose days are told", f"{AT}/subscribers/total"
    )


@pytest.mark.parametrize(("stamp", "times"), [("090014", 1), ("090031", 20)])
def test_places_of_two_ranges_stay_apart(stamp: str, times: int) -> None:
    rows = rows_of(ANALYTICS, golden(f"graphql_20250703_{stamp}_511209.json"))
    at = f"2025-07-03 {stamp[:2]}:{stamp[2:4]}:{stamp[4:]}.511209"
    for table in ("linktree_locations", "linktree_referrers", "linktree_devices"):
        assert set(shown(rows, table, "exported_day", "answered_at", "range_days")) == {("2025-07-03", at, None)}

    def many(count: int) -> str:
        return str(count * times)

    fields = ("kind", "name", "country_code", "latitude", "longitude", "views", "clicks")
    assert shown(rows, "linktree_locations", *fields) == [
        ("city", "Springfield", "US", "39.7817", "-89.6501", many(5), many(2)),
        ("city", "Springfield", "US", "37.2090", "-93.2923", many(3), many(1)),
        ("city", "Unknown", "US", "37.7510", "-97.8220", many(4), "0"),
        ("city", None, "US", "37.7510", "-97.8220", "0", many(6)),
        ("country", "United States", "US", None, None, many(12), many(9)),
        ("country", "Namibia", "NA", None, None, many(1), "0"),
    ]
    assert shown(rows, "linktree_referrers", "name", "views", "clicks") == [
        ("Direct", many(8), many(9)),
        ("chatgpt.com", many(5), "0"),
    ]
    assert shown(rows, "linktree_devices", "name", "views", "clicks") == [
        ("mobile", many(10), many(9)),
        ("other", many(3), None),
    ]
    lifetime = ("exported_day", "views", "clicks", "clicks_profile", "clicks_socials", "subscribers")
    assert shown(rows, "linktree_lifetime", *lifetime) == [("2025-07-03", "2718", "1402", "1100", "260", "3")]


def test_titles() -> None:
    original = golden("graphql_20250703_090031_700300.json")
    rows = rows_of(TITLES, original)
    assert shown(rows, "linktree_link_titles", "exported_day", "link_id", "title", "active") == [
        ("2025-07-03", "471000001", "LOW TIDE \u2013 out now \U0001f30a", "true"),
        ("2025-07-03", "471000002", "booking@novalights.example", "false"),
    ]
    assert [row.locator for row in rows] == ["/data/link471000001", "/data/link471000002"]


def test_titles_beside_analytics_are_read_by_the_one_feed_that_claims_them(tmp_path: Path) -> None:
    both = json.loads(golden("graphql_20250703_090031_700300.json").text)
    both["data"]["getAccountAnalytics"] = {"overview": overview(day("2025-07-03", 1)), "__typename": "AccountAnalytics"}
    original = made(tmp_path, json.dumps(both))
    assert [feed.name for feed in SOURCE.feeds if feed.knows(original)] == ["linktree.analytics"]
    assert Counter(row.table for row in rows_of(ANALYTICS, original)) == {
        "linktree_daily": 2,
        "linktree_link_titles": 2,
    }


def test_answer_saved_by_hand_speaks_of_its_last_day() -> None:
    original = golden("overview_saved_by_hand.json")
    stamp = ANALYTICS.exported_at(original)
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (datetime(2025, 7, 5, tzinfo=UTC), "data")
    rows = rows_of(ANALYTICS, original)
    assert shown(rows, "linktree_daily", "date", "views", "clicks", "provisional") == [
        ("2025-07-04", "2", "1", "false"),
        ("2025-07-05", "-1", None, "true"),
    ]


def test_an_old_answer_saved_again_is_no_newer_word_and_its_last_day_not_final(tmp_path: Path) -> None:
    text = answer(overview=overview(day("2025-06-30", 1), day("2025-07-01", 2)))
    again = made(tmp_path, text, "graphql_20250704_090014_511209.json")
    stamp = ANALYTICS.exported_at(again)
    assert stamp is not None
    assert (stamp.at, stamp.basis) == (datetime(2025, 7, 1, 23, 59, 59, tzinfo=UTC), "data")
    assert shown(rows_of(ANALYTICS, again), "linktree_daily", "date", "provisional") == [
        ("2025-06-30", "false"),
        ("2025-07-01", "true"),
    ]
    for called in ("graphql_20250701_090014_511209.json", "graphql_20250702_090014_511209.json"):
        stamp = ANALYTICS.exported_at(made(tmp_path, text, called))
        assert stamp is not None
        assert stamp.basis == "name"


def test_nothing_tells_when_places_were_asked(tmp_path: Path) -> None:
    text = golden("graphql_20250703_090014_511209.json").text
    bare = made(tmp_path, text, "saved.json")
    assert ANALYTICS.exported_at(bare) is None
    stamp = ANALYTICS.exported_at(Original(bare.path, bare.name, bare.relative, datetime(2025, 7, 4, tzinfo=UTC)))
    assert stamp is not None
    assert stamp.basis == "zip"
    stamp = ANALYTICS.exported_at(made(tmp_path, text, "graphql_20250703_090014.json"))
    assert stamp is not None
    assert stamp.at == datetime(2025, 7, 3, 9, 0, 14, tzinfo=UTC)


def test_part_that_nobody_knows_is_counted_and_ignored_by_name(tmp_path: Path) -> None:
    visitors = {"visitors": [{"age": "18-24", "__typename": "AccountVisitor"}] * 2, "__typename": "AccountVisitors"}
    rows = rows_of(ANALYTICS, made(tmp_path, answer(overview=overview(day("2025-07-03", 1)), visitors=visitors)))
    assert Counter(row.reason for row in rows if isinstance(row, Ignored)) == {
        "total over a range whose days are told": 1,
        "kind of record not known: AccountVisitors": 1,
        "kind of record not known: AccountVisitor": 2,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (answer(overview=overview(day("2025-07-03", 1), day("2025-07-03", 2))), "the same record stands twice"),
        (answer(overview=overview(3)), "is not a list of records"),
        (answer(overview=[]), "is not what it should be"),
        (answer(links={}), "is not a list of records"),
        ('{"errors": [{"message": "x"}], "data": {"getAccountAnalytics": {}}}', "reported an error"),
        (answer(overview=overview(day("2025-07-03", 1)))[:-20], "not whole"),
        ('{"data": {"getAccountAnalytics": {}, "getAccountAnalytics": {}}}', "stands twice"),
    ],
)
def test_refused_answers(tmp_path: Path, text: str, sentence: str) -> None:
    original = made(tmp_path, text)
    assert ANALYTICS.knows(original)
    assert sentence.lower() in refusal(ANALYTICS, original).lower()


def test_titles_broken_off_are_known_and_refused(tmp_path: Path) -> None:
    original = made(tmp_path, golden("graphql_20250703_090031_700300.json").text[:120])
    assert TITLES.knows(original)
    assert "not whole" in refusal(TITLES, original)


PRIVATE = [
    ('{"data":{"currentUser":{"id":1,"account":{"id":2,"username":"demo"},"__typename":"User"}}}', "owner"),
    ('{"data":{"account":{"email":"a@b.example","__typename":"Account"}}}', "names or addresses"),
    ('{"data":{"account":{"contact":"a@b.example","__typename":"Account"}}}', "e-mail address"),
    ('{"data":{"account":{"contact":"a\\u0040b.example","__typename":"Account"}}}', "e-mail address"),
    ('{"data":{"wallet":{"balance":1,"__typename":"Wallet"}}}', "money matters"),
    ('{"data":{"commerce":{"__typename":"Commerce"}}}', "money matters"),
    ('{"data":{"followers":[{"__typename":"Follower"}]}}', "followers"),
    ('{"data":{"chat":{"__typename":"Chat"}}}', "messages"),
    ('{"data":{"session":{"accessToken":"x","__typename":"Session"}}}', "log-in"),
    ('{"data":{"currentUser":{"id":1', "owner"),
]


@pytest.mark.parametrize(("text", "why"), PRIVATE)
def test_private_answers_are_told_and_claimed_by_no_feed(tmp_path: Path, text: str, why: str) -> None:
    original = made(tmp_path, text)
    assert why in str(SOURCE.private(original))
    assert not any(feed.knows(original) for feed in SOURCE.feeds)


def test_private_part_beside_analytics_makes_the_whole_answer_private(tmp_path: Path) -> None:
    both = json.loads(golden("graphql_20250703_090012_104500.json").text)
    both["data"]["currentUser"] = {"id": 1, "__typename": "User"}
    original = made(tmp_path, json.dumps(both))
    assert "owner" in str(SOURCE.private(original))
    assert not any(feed.knows(original) for feed in SOURCE.feeds)


@pytest.mark.parametrize(
    "text",
    [
        "<html>Log in to Linktree</html>",
        "",
        "{}",
        "[]",
        '{"data": null}',
        '{"data": {}}',
        '{"data": []}',
        '{"data": {"getAccountAnalytics": null}}',
        '{"data": {"link1": {"id": 1}}}',
        '{"data": {"link1": {"title": "x"}, "other": {}}}',
        '{"data": [{"id": "23850", "email": "a@b.example"}], "paging": {}}',
        '{"streams": [], "discovery": []}',
        "Date,Followers\n2025-01-01,3\n",
    ],
)
def test_files_of_others_are_neither_known_nor_private(tmp_path: Path, text: str) -> None:
    original = made(tmp_path, text)
    assert not any(feed.knows(original) for feed in SOURCE.feeds)
    assert SOURCE.private(original) is None


def test_each_golden_file_is_known_by_one_feed_and_private_to_nobody() -> None:
    for path in GOLDEN.iterdir():
        if path.name.endswith((".given.json", ".expected.json")):
            continue
        original = golden(path.name)
        feed = "linktree.titles" if "700300" in path.name else "linktree.analytics"
        assert [one.name for one in SOURCE.feeds if one.knows(original)] == [feed]
        assert SOURCE.private(original) is None


def test_fragment_offers_the_days() -> None:
    con = connect(None)
    con.execute("CREATE SCHEMA staging")
    columns = [*columns_of(DAILY), ("_delivery", "VARCHAR"), ("_locator", "VARCHAR")]
    con.execute(f"CREATE TABLE staging.linktree_daily ({', '.join(f'{name(one)} {kind}' for one, kind in columns)})")
    offered = con.execute((GOLDEN.parent / "links.sql").read_text(encoding="utf-8")).description
    assert [(str(one[0]), str(one[1])) for one in offered or []] == [
        ("account", "VARCHAR"),
        ("day", "DATE"),
        ("views", "BIGINT"),
        ("unique_views", "BIGINT"),
        ("clicks", "BIGINT"),
        ("unique_clicks", "BIGINT"),
        ("provisional", "BOOLEAN"),
        ("_delivery", "VARCHAR"),
        ("_locator", "VARCHAR"),
    ]


def test_contracts_name_only_their_own_fields() -> None:
    for table in ANALYTICS.tables:
        assert {*table.key, *table.scope, table.partition.column, table.day} <= set(table.columns)
        assert set(table.scope) <= set(table.key)
