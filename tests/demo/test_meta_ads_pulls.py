"""Meta's files: the lake knows all that they tell, in any order, and they look as Meta's do."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from walking import Walked

from bedrot.demo import ads, meta_ads
from bedrot.demo.arrival import Arrival
from bedrot.demo.chance import Chance
from bedrot.demo.label import invent

LABEL = invent(7)
ARRIVALS = meta_ads.arrivals(LABEL)


def document(arrival: Arrival) -> Any:
    return json.loads(arrival.content())


def named(pattern: str, verdict: str = "accepted") -> list[Arrival]:
    found = [one for one in ARRIVALS if re.search(pattern, one.name) and one.verdict == verdict]
    assert found, pattern
    return found


def answers() -> list[Arrival]:
    return named(r"rest_insights_daily_\d{8}_\d{6}/page_\d+\.json$")


def as_given(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """The arrivals with what the door says of each in this order: of equal ones the first is taken."""
    seen, found = set(), []
    for one in arrivals:
        key = (one.content(), one.exported_at or one.name)
        taken = one.verdict in ("accepted", "repeat")
        found.append(replace(one, verdict="repeat" if key in seen else "accepted") if taken else one)
        seen.add(key)
    return found


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_order(tmp_path: Any) -> None:
    walked = Walked(tmp_path / "lake", ARRIVALS)
    assert walked.unplanned() == []
    assert walked.differences(meta_ads.expected(LABEL)) == []
    assert (walked.summary.rejected, walked.summary.held, walked.summary.failed) == (0, 0, [])


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_any_order_and_more_than_once(tmp_path: Any) -> None:
    chance = Chance("any order")
    order = chance.shuffled([*ARRIVALS, *(chance.pick(ARRIVALS) for _ in range(8))])
    walked = Walked(tmp_path / "lake", as_given(order))
    assert walked.unplanned() == []
    assert walked.differences(meta_ads.expected(LABEL)) == []


def test_a_day_left_at_its_first_value_is_seen(tmp_path: Any) -> None:
    first = [one for one in ARRIVALS if one.at.date() < date(2025, 2, 1)]
    table = meta_ads.expected(LABEL)[0]
    some = replace(table, rows=[row for row in table.rows if str(row[0]) < "2025-02-01"])
    assert Walked(tmp_path / "whole", first).differences([some]) == []
    assert Walked(tmp_path / "lacking", first[:-1]).differences([some]) != []


def test_of_another_label(tmp_path: Any) -> None:
    label = invent(9, artists=3)
    walked = Walked(tmp_path / "lake", meta_ads.arrivals(label))
    assert walked.unplanned() == []
    assert walked.differences(meta_ads.expected(label)) == []


def test_the_same_seed_gives_the_same_bytes() -> None:
    def digest(seed: int) -> str:
        found = hashlib.sha256()
        for one in meta_ads.arrivals(invent(seed)):
            found.update(one.name.encode() + one.content())
        return found.hexdigest()

    assert digest(7) == digest(7)
    assert digest(7) != digest(8)
    assert meta_ads.expected(invent(7)) == meta_ads.expected(LABEL)
    assert meta_ads.faults(invent(7)) == meta_ads.faults(LABEL)


NAMES = (
    r"metaads/meta_ads_dump_\d{8}_\d{6}/(campaigns|adsets|ads|insights)\.json",
    r"metaads/\d{8}_\d{6}_campaign_level/(campaigns|adsets|ads|insights)\.json",
    r"metaads/(again/)?rest_insights_daily_\d{8}_\d{6}/page_\d\.json",
    r"metaads/rest_insights_daily_\d{8}_\d{6}/insights_empty\.json",
    r"metaads/async_job_\d{8}_\d{6}/(failed|sequence|errors|throttle_headers)\.json",
    r"metaads/HARBOUR-LANE-RECORDS-Ads-[A-Z][a-z]{2}-\d{1,2}-\d{4}-[A-Z][a-z]{2}-\d{1,2}-\d{4}\.csv",
)


def test_names_and_sizes() -> None:
    assert [one.name for one in ARRIVALS if not any(re.fullmatch(name, one.name) for name in NAMES)] == []
    assert all(any(re.fullmatch(name, one.name) for one in ARRIVALS) for name in NAMES)
    assert len({one.name for one in ARRIVALS}) == len(ARRIVALS) <= 60
    assert sum(len(one.content()) for one in ARRIVALS) < 1_500_000
    assert [one.at for one in ARRIVALS] == sorted(one.at for one in ARRIVALS)


def test_json_is_laid_out_as_python_dumps_it() -> None:
    for one in ARRIVALS:
        if one.name.endswith(".json"):
            text = one.content().decode("ascii")
            assert text == json.dumps(json.loads(text), indent=2), one.name


DAILY = (
    "account_id", "account_currency", "campaign_id", "adset_id", "ad_id", "ad_name", "date_start", "date_stop", "spend",
    "impressions", "clicks", "cpc?", "ctr", "reach", "frequency?", "actions?", "cost_per_action_type?",
    "action_values?",
)  # fmt: skip
BY_ADSET = (
    "campaign_id", "campaign_name", "adset_id", "adset_name", "spend", "impressions", "clicks", "cpc?", "ctr", "reach",
    "frequency?", "date_start", "date_stop",
)  # fmt: skip
BY_CAMPAIGN = (
    "campaign_id", "date_start", "date_stop", "impressions", "clicks", "spend", "reach", "cpc?", "cpm", "cpp?",
)  # fmt: skip
CAMPAIGN = ("id", "name", "status", "objective", "start_time", "created_time", "updated_time")
ADSET = (
    "id", "name", "status", "campaign_id", "daily_budget?", "lifetime_budget?", "bid_strategy?", "targeting",
    "optimization_goal", "start_time", "pacing_type?", "created_time", "updated_time",
)  # fmt: skip
AD = (
    "id", "name", "status", "adset_id", "campaign_id", "effective_status", "creative", "tracking_specs", "created_time",
    "updated_time",
)  # fmt: skip


def has_keys(record: dict[str, Any], keys: tuple[str, ...]) -> bool:
    """Whether the keys of a record are these in this order; those with a question mark may be absent."""
    pattern = "".join(f"(?:{key[:-1]} )?" if key.endswith("?") else f"{key} " for key in keys)
    return re.fullmatch(pattern, "".join(f"{key} " for key in record)) is not None


def test_keys_stand_in_metas_order() -> None:
    rows = [row for one in answers() for row in document(one)["data"]]
    assert [row for row in rows if not has_keys(row, DAILY)] == []
    for name, keys in (("campaigns", CAMPAIGN), ("adsets", ADSET), ("ads", AD)):
        for one in named(f"/{name}.json"):
            assert all(has_keys(record, keys) for record in document(one)), one.name
    for one in named(r"dump_\w+/insights.json"):
        assert all(has_keys(record, BY_ADSET) for record in document(one))
    for one in named("campaign_level/insights.json"):
        assert all(has_keys(record, BY_CAMPAIGN) for record in document(one))
    budgets = {"daily_budget" in record for one in named("/adsets.json") for record in document(one)}
    assert budgets == {True, False}
    assert {"actions" in row for row in rows} == {True, False}
    assert any("action_values" in row for row in rows)
    assert any("cpc" in row and "actions" not in row for row in rows), "clicks, and nothing that is an action"


def quotient(number: Decimal, parts: Decimal) -> Decimal:
    return (number / parts).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def test_numbers_are_texts_and_rates_follow_from_counts() -> None:
    for one in [*answers(), *named("insights.json$")]:
        told = document(one)
        short = "campaign_level" not in one.name
        for row in told["data"] if isinstance(told, dict) else told:
            spend, shown, clicks, reach = (Decimal(row[key]) for key in ("spend", "impressions", "clicks", "reach"))
            rates = {"ctr": (100 * clicks, shown), "cpm": (1000 * spend, shown), "cpc": (spend, clicks)}
            rates |= {"cpp": (1000 * spend, reach), "frequency": (shown, reach)}
            assert ("cpc" in row) == (clicks > 0)
            for name in rates.keys() & row.keys():
                assert Decimal(row[name]) == quotient(*rates[name])
                assert re.fullmatch(r"\d+(\.\d{0,5}[1-9])?" if short else r"\d+\.\d{6}", row[name]), row[name]
            assert re.fullmatch(r"\d+(\.\d?[1-9])?", row["spend"])
            ids = [row[key] for key in row if key.endswith("_id") and key != "account_id"]
            assert all(re.fullmatch(r"120230\d{9}075", one) and int(one) > 2**53 for one in ids)


def test_actions_overlap_and_have_windows() -> None:
    order = ["link_click", "post_engagement", "page_engagement"]
    more = ["offsite_conversion.fb_pixel_view_content", "offsite_conversion.fb_pixel_custom"]
    for row in (row for one in answers() for row in document(one)["data"] if "actions" in row):
        actions = {one["action_type"]: one for one in row["actions"]}
        assert list(actions) in (order, [*order, more[0]], [*order, *more])
        assert int(actions["page_engagement"]["value"]) >= int(actions["link_click"]["value"]) > 0
        for kind, one in actions.items():
            assert list(one) == ["action_type", "value", "7d_click", *([] if kind == more[1] else ["1d_view"])]
            assert int(one["value"]) == int(one["7d_click"]) + int(one.get("1d_view", 0))
        cost = quotient(Decimal(row["spend"]), Decimal(actions["link_click"]["value"]))
        assert row["cost_per_action_type"] == [{"action_type": "link_click", "value": f"{cost:f}"}]


def test_pages_point_to_their_neighbours() -> None:
    asked = f"https://graph.facebook.com/v25.0/act_{meta_ads.ACCOUNT}/insights?level=ad&time_increment=1&limit=30&"
    kinds = set()
    for one in answers():
        paging = document(one)["paging"]
        assert list(paging["cursors"]) == ["before", "after"]
        kinds.add(tuple(paging)[1:])
        for side, cursor in (("previous", "before"), ("next", "after")):
            if side in paging:
                assert paging[side] == f"{asked}{cursor}={paging['cursors'][cursor]}"
    assert kinds == {(), ("next",), ("previous", "next"), ("previous",)}


def test_a_list_that_moved_repeats_a_row_on_the_next_page() -> None:
    ends = {one.name: [document(one)["data"][place] for place in (0, -1)] for one in answers()}
    repeated = [name for name, (first, _) in ends.items() for other, (_, last) in ends.items() if first == last]
    assert repeated
    assert all(name.endswith(("page_2.json", "page_3.json")) for name in repeated)


def test_states_move_while_an_ad_was_not_edited() -> None:
    states: dict[str, list[tuple[str, str, str]]] = {}
    for one in named("/ads.json"):
        for ad in document(one):
            states.setdefault(ad["id"], []).append((ad["status"], ad["effective_status"], ad["updated_time"]))
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d-0[78]00", ad["created_time"])
            kinds = sorted(sorted(spec) for spec in ad["tracking_specs"])
            assert kinds == [["action.type", "conversion_id"], ["action.type", "fb_pixel"],
                             ["action.type", "page", "post"], ["action.type", "post", "post.wall"]]  # fmt: skip
    moved = [told for told in states.values() if len({one[1] for one in told}) > len({one[2] for one in told})]
    assert moved
    assert {one[:2] for told in states.values() for one in told} == {
        ("ACTIVE", "ACTIVE"), ("PAUSED", "PAUSED"), ("ACTIVE", "CAMPAIGN_PAUSED"), ("ACTIVE", "ADSET_PAUSED"),
    }  # fmt: skip
    lists = [{ad["id"] for ad in document(one)} for one in named("/ads.json")]
    assert lists[2] - lists[3], "an archived ad leaves the list"


def test_numbers_are_restated_and_days_are_partial() -> None:
    spend: dict[tuple[str, str], list[Decimal]] = {}
    clicked: dict[tuple[str, str], list[int]] = {}
    partial = 0
    for one in answers():
        for row in document(one)["data"]:
            key = (row["ad_id"], row["date_start"])
            spend.setdefault(key, []).append(Decimal(row["spend"]))
            clicked.setdefault(key, []).append(int(row["actions"][0]["value"]) if "actions" in row else 0)
            partial += row["date_start"] == ads.local(one.at).date().isoformat()
    assert sum(len(set(told)) > 1 for told in spend.values()) > 20
    assert all(told == sorted(told) for told in clicked.values())
    assert sum(len(set(told)) > 1 for told in clicked.values()) > 50
    assert partial > 10


def test_the_export_by_hand() -> None:
    (one,) = named(r"\.csv$")
    text = one.content().decode("utf-8")
    assert text.startswith('\ufeff"Reporting starts","Reporting ends","Ad name","Ad delivery",Results,')
    assert "\r" not in text
    lines = list(csv.DictReader(io.StringIO(text[1:])))
    totals, rows = lines[0], lines[1:]
    assert totals["Ad ID"] == totals["Ad name"] == ""
    assert Decimal(totals["Amount spent (USD)"]) == sum(Decimal(row["Amount spent (USD)"]) for row in rows)
    assert all(re.fullmatch(r"\d+\.\d\d", row["Amount spent (USD)"]) for row in rows)
    assert all(re.fullmatch(r"(\d+\.\d{8})?", row["Cost per results"]) for row in rows)
    assert {row["Attribution setting"] for row in rows} == {"7-day click or 1-day view"}
    assert all(row["Reporting starts"] == row["Day"] == row["Reporting ends"] for row in rows)


def test_what_is_no_data_looks_as_meta_writes_it() -> None:
    error = document(named("page_1.json", "refused")[0])["error"]
    assert list(error) == ["message", "type", "code", "error_subcode", "fbtrace_id"]
    (failed,) = named("failed.json", "refused")
    assert list(document(failed)) == [
        "id", "account_id", "async_status", "async_percent_completion", "error_code", "error_subcode", "error_message",
    ]  # fmt: skip
    (steps,) = named("sequence.json", "unrecognised")
    assert all(list(step) == ["request", "response"] for step in document(steps))
    assert list(document(steps)[0]["response"]) == ["report_run_id"]
    (kept,) = named("errors.json", "refused")
    assert all(list(told) == ["http_status", "body"] for told in document(kept).values())
    (headers,) = named("throttle_headers.json", "unrecognised")
    assert all(isinstance(json.loads(text), dict) for text in document(headers).values())
    assert [document(one) for one in named("insights_empty.json")] == [{"data": []}]


def test_what_campaigns_bring() -> None:
    effects = ads.effect(LABEL)
    assert sorted(bool(one.plays) for one in effects) == [False, True, True, True, True]
    assert len({one.campaign.recording.number for one in effects}) == len(effects)
    for one in effects:
        assert all(day > one.campaign.recording.released and plays >= 0 for day, plays in one.plays)


def test_the_answer_key_names_what_was_planted() -> None:
    kinds = {one.kind: one for one in meta_ads.faults(LABEL)}
    assert kinds["a campaign without effect"].shown == "not detected yet"
    assert {one.fault for one in ARRIVALS if one.fault} <= kinds.keys()
    assert all(one.rows for one in kinds.values() if one.money != "0.00")
