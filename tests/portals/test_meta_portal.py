"""Meta's stand-in: its lists and figures tell the demo's truth as of now, paged or as a report, and its errors."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from meta_asking import (
    ACT,
    ALL,
    INSIGHTS,
    LABEL,
    NOW,
    TODAY,
    TRUTH,
    WINDOWS,
    asking,
    cents,
    last_days,
    problem,
    span,
)  # fmt: skip
from meta_portal_asked import PROBLEMS
from portal import Faults

from bedrot.demo import meta_texts
from bedrot.demo.ads import ACCOUNT
from bedrot.demo.label import LAST_DAY
from bedrot.demo.meta_campaigns import local
from bedrot.demo.meta_pulls import Pull, moment
from bedrot.demo.meta_pulls import told as told_truly


def test_the_account_says_whose_it_is_and_by_which_clock() -> None:
    with asking() as one:
        told = one.get(ACT, fields="name,currency,timezone_name,account_id").json()
        assert told == {
            "name": LABEL.name, "currency": "USD", "timezone_name": "America/Los_Angeles", "account_id": ACCOUNT,
            "id": f"act_{ACCOUNT}",
        }  # fmt: skip
        assert one.get(ACT).json() == {"account_id": ACCOUNT, "id": f"act_{ACCOUNT}"}


def test_figures_by_ad_and_day_are_the_truth_as_of_now() -> None:
    with asking() as one:
        found = one.rows(INSIGHTS, **last_days(28), action_attribution_windows=WINDOWS)
        pull = Pull(NOW, TODAY - timedelta(days=27), TODAY)
        assert found == [meta_texts.daily(row) for row in told_truly(TRUTH, pull)]
        assert {row["date_start"] for row in found} >= {TODAY.isoformat()}
        assert any("actions" in row for row in found)


def test_recent_days_are_restated_when_the_clock_moves() -> None:
    with asking(NOW - timedelta(days=3)) as earlier, asking() as later:
        asked = {**last_days(28), "time_range": span(TODAY - timedelta(days=20), TODAY - timedelta(days=3))}
        old, new = earlier.rows(INSIGHTS, **asked), later.rows(INSIGHTS, **asked)
        names = [(row["ad_id"], row["date_start"]) for row in old]
        assert names == [(row["ad_id"], row["date_start"]) for row in new]
        assert [row["date_start"] for row, other in zip(old, new, strict=True) if row != other]


def test_pages_end_where_none_is_named_and_a_cursor_is_there_all_the_same() -> None:
    with asking() as one:
        pages = list(one.pages(INSIGHTS, **last_days(28)))
        assert len(pages) > 1
        assert all("after" in page["paging"]["cursors"] for page in pages)
        assert [len(page["data"]) for page in pages[:-1]] == [30] * (len(pages) - 1)
        assert all(page["paging"]["next"].startswith(f"{one.portal.url}{INSIGHTS}?") for page in pages[:-1])
        assert not any("token" in json.dumps(page) for page in pages)
        (whole,) = one.pages(INSIGHTS, **{**last_days(28), "limit": sum(len(page["data"]) for page in pages)})
        assert "next" not in whole["paging"], "a page that is just full has none after it"
        beyond = {**last_days(28), "after": pages[-1]["paging"]["cursors"]["after"]}
        assert one.get(INSIGHTS, **beyond).json() == {"data": []}


def test_sums_by_account_equal_sums_by_ad() -> None:
    first = TRUTH.campaigns[3].first
    now = moment(TRUTH, 3, 44)
    asked = {"time_range": span(first, local(now).date()), "time_increment": 1, "fields": "spend,clicks", "limit": 500}
    every = json.dumps([{"field": "ad.effective_status", "operator": "IN", "value": ALL}])
    with asking(now) as one:
        by_level = {level: one.rows(INSIGHTS, level=level, **asked) for level in ("account", "campaign", "adset")}
        by_ad = one.rows(INSIGHTS, level="ad", filtering=every, **asked)
        assert {cents(rows) for rows in by_level.values()} == {cents(by_ad)}
        by_day = {row["date_start"]: cents([row]) for row in by_level["account"]}
        assert list(by_day) == sorted(by_day)
        for day, spent in by_day.items():
            assert spent == cents([row for row in by_ad if row["date_start"] == day])
        unasked = one.rows(INSIGHTS, level="ad", **asked)
        assert cents(unasked) < cents(by_ad), "an archived ad is left out unless it is asked for"
        whole = one.rows(INSIGHTS, level="account", **{**asked, "time_increment": "all_days"})
        assert (len(whole), cents(whole)) == (1, cents(by_ad))
        assert whole[0]["date_stop"] == local(now).date().isoformat()


def test_actions_by_campaign_equal_those_by_ad() -> None:
    asked = {**last_days(28), "limit": 500, "action_attribution_windows": WINDOWS}

    def counted(rows: list[Any]) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for action in (action for row in rows for action in row.get("actions", [])):
            for name in action.keys() - {"action_type"}:
                found[action["action_type"], name] += int(action[name])
        return found

    with asking() as one:
        by_ad, by_campaign = (one.rows(INSIGHTS, **{**asked, "level": level}) for level in ("ad", "campaign"))
        assert len(by_campaign) < len(by_ad)
        assert counted(by_campaign) == counted(by_ad) != Counter()


def test_people_are_not_added_and_levels_lack_what_is_below_them() -> None:
    wide = {**last_days(28), "fields": "ad_id,adset_id,campaign_id,campaign_name,reach", "limit": 500}
    with asking() as one:
        by_ad, by_campaign = (one.rows(INSIGHTS, **{**wide, "level": level}) for level in ("ad", "campaign"))
        assert sum(int(row["reach"]) for row in by_campaign) < sum(int(row["reach"]) for row in by_ad)
        assert {tuple(row) for row in by_campaign} == {
            ("campaign_id", "campaign_name", "reach", "date_start", "date_stop")
        }


def test_only_the_windows_that_are_asked_for_come() -> None:
    with asking() as one:
        for windows, keys in (("[]", {"action_type", "value"}), ('["1d_view"]', {"action_type", "value", "1d_view"})):
            rows = one.rows(INSIGHTS, **last_days(28), action_attribution_windows=windows)
            assert set().union(*(action for row in rows for action in row.get("actions", []))) == keys


def test_lists_are_the_truth_and_leave_out_what_is_archived() -> None:
    fields = {
        "campaigns": "id,name,status,objective,start_time,created_time,updated_time,spend_cap,stop_time",
        "adsets": "id,name,status,campaign_id,targeting{age_min,age_max},daily_budget,lifetime_budget,bid_strategy,"
        "optimization_goal,start_time,pacing_type,created_time,updated_time",
        "ads": "id,name,status,adset_id,campaign_id,effective_status,creative{id},tracking_specs,created_time,"
        "updated_time",
    }
    with asking() as one:
        found = {kind: one.rows(f"{ACT}/{kind}", fields=text, limit=3) for kind, text in fields.items()}
        made = [campaign for campaign in reversed(TRUTH.campaigns) if campaign.made <= NOW]
        adsets = [(adset, campaign) for campaign in made for adset in campaign.adsets]
        ads = [(ad, adset, campaign) for adset, campaign in adsets for ad in adset.ads]
        assert found["campaigns"] == [meta_texts.campaign(campaign, NOW) for campaign in made]
        assert found["adsets"] == [meta_texts.adset(adset, campaign, NOW, 7) for adset, campaign in adsets]
        there = [told for told in ads if not told[0].archived]
        assert found["ads"] == [meta_texts.ad(*told, NOW, 7) for told in there]
        every = one.rows(f"{ACT}/ads", fields="effective_status", effective_status=json.dumps(ALL), limit=100)
        assert len(every) == len(ads) == len(there) + 1
        gone = one.rows(f"{ACT}/ads", fields="status", effective_status='["ARCHIVED"]')
        assert [row["status"] for row in gone] == ["ARCHIVED"]


def test_a_report_is_ordered_asked_for_and_read() -> None:
    with asking(early_polls=1) as one:
        asked = {**last_days(28), "time_range": span(TODAY - timedelta(days=300), TODAY)}
        assert one.problem(INSIGHTS, **asked) == problem("too_much"), "at once it is too much"
        number = one.client.post(INSIGHTS, data=asked).json()["report_run_id"]
        assert one.problem(f"/v25.0/{number}") == problem("no_object"), "asked too early"
        assert one.problem(f"/v25.0/{number}/insights") == problem("temporary")
        told = [one.get(f"/v25.0/{number}").json() for _ in range(4)]
        assert [one["async_status"].removeprefix("Job ") for one in told] == [
            "Not Started", "Started", "Running", "Completed",
        ]  # fmt: skip
        assert told[-1]["async_percent_completion"] == 100
        rows = one.rows(f"/v25.0/{number}/insights", limit=100)
        in_parts = [
            row
            for start in range(300, -1, -60)
            for row in one.rows(
                INSIGHTS,
                **{
                    **asked,
                    "time_range": span(TODAY - timedelta(days=start), TODAY - timedelta(days=max(start - 59, 0))),
                },
            )
        ]
        assert sorted(map(str, rows)) == sorted(map(str, in_parts))


def test_a_report_can_fail() -> None:
    with asking(job_fails=True) as one:
        number = one.client.post(INSIGHTS, params=last_days(7)).json()["report_run_id"]
        told = [one.get(f"/v25.0/{number}").json() for _ in range(4)][-1]
        assert (told["async_status"], told["error_code"], told["error_subcode"]) == ("Job Failed", 2, 99)


def test_answers_say_how_much_is_used() -> None:
    with asking(usage=97) as one:
        headers = one.get(INSIGHTS, **last_days(1)).headers
        (usage,) = json.loads(headers["x-business-use-case-usage"])[ACCOUNT]
        assert (usage["type"], usage["call_count"], usage["estimated_time_to_regain_access"]) == ("ads_insights", 97, 7)
        assert json.loads(headers["x-app-usage"])["call_count"] == 97
        assert json.loads(headers["x-ad-account-usage"]) == {"acc_id_util_pct": 97}
        assert json.loads(headers["x-fb-ads-insights-throttle"])["acc_id_util_pct"] == 97


def test_the_token_is_taken_from_the_header_only() -> None:
    with asking() as one:
        token = one.portal.people["owner"].token
        assert one.problem(ACT, access_token=token) == (400, 100, 0)
        bare = httpx.get(f"{one.portal.url}{ACT}", trust_env=False)
        assert bare.json()["error"]["code"] == 190
        assert "error_subcode" not in bare.json()["error"]
        one.portal.expire()
        assert one.problem(ACT) == problem("token_expired")
        one.client.headers["authorization"] = f"Bearer {one.portal.renew('owner')}"
        assert one.get(ACT).status_code == 200
        assert token in one.portal.secrets()


def test_each_error_comes_when_it_is_planned() -> None:
    with asking() as one:
        one.service.failing.extend(PROBLEMS)
        for name in PROBLEMS:
            assert one.problem(INSIGHTS, **last_days(1)) == problem(name)
        assert one.get(INSIGHTS, **last_days(1)).status_code == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"limit": 501}, problem("too_much")),
        ({"time_range": span(TODAY, TODAY + timedelta(days=1))}, (400, 100, 0)),
        ({"time_range": span(TODAY - timedelta(days=1200), TODAY)}, problem("too_old")),
        ({"time_range": span(TODAY, TODAY - timedelta(days=1))}, (400, 100, 0)),
        ({"time_range": "2026-01-01"}, (400, 100, 0)),
        ({"fields": "spend,weather"}, (400, 100, 0)),
        ({"level": "post"}, (400, 100, 0)),
        ({"limit": 0}, (400, 100, 0)),
        ({"after": "nowhere"}, (400, 100, 0)),
        ({"action_attribution_windows": '["2d_click"]'}, (400, 100, 0)),
        ({"date_preset": "lifetime", "time_range": None}, (400, 100, 0)),
    ],
)
def test_what_cannot_be_asked(changed: dict[str, Any], expected: tuple[int, int, int]) -> None:
    asked = {name: value for name, value in {**last_days(1), **changed}.items() if value is not None}
    with asking() as one:
        assert one.problem(INSIGHTS, **asked) == expected


def test_the_day_is_that_of_the_account() -> None:
    night = datetime(2026, 3, 15, 3, tzinfo=UTC)
    assert local(night).date() == date(2026, 3, 14)
    with asking(night) as one:
        asked = {"level": "ad", "time_increment": 1, "fields": "spend"}
        assert one.problem(INSIGHTS, **asked, time_range=span(night.date(), night.date())) == (400, 100, 0)
        today = one.rows(INSIGHTS, **asked, date_preset="today")
        assert {row["date_start"] for row in today} == {"2026-03-14"}
        week = one.rows(INSIGHTS, **asked, date_preset="last_7d")
        assert {row["date_start"] for row in week} <= {f"2026-03-{day:02d}" for day in range(7, 14)}
        assert night.date() == LAST_DAY


def test_other_paths_and_versions() -> None:
    with asking() as one:
        assert one.problem("/v19.0/act_1")[:2] == (400, 2635)
        assert one.problem("/v25.0/act_1") == problem("no_object")
        assert one.problem(f"{ACT}/pixels")[:2] == (400, 2500)
        assert one.client.post(f"{ACT}/ads").json()["error"]["code"] == 100


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(throttled=1), problem("rate_user")),
        (Faults(broken=1), problem("unknown")),
        (Faults(forbidden=True), problem("no_permission")),
        (Faults(wrong_account=True), problem("no_object")),
        (Faults(expires_after=0), problem("token_expired")),
    ],
)
def test_faults_are_told_in_its_words(faults: Faults, expected: tuple[int, int, int]) -> None:
    with asking(faults=faults) as one:
        assert one.problem(ACT) == expected


def test_faults_of_the_data() -> None:
    with asking(faults=Faults(renamed_field=True)) as one:
        rows = one.rows(INSIGHTS, **{**last_days(7), "fields": "spend"})
        assert {"amount_spent"} == {next(iter(row)) for row in rows}
        one.portal.faults = Faults(empty_account=True)
        assert one.get(INSIGHTS, **last_days(7)).json() == {"data": []}
        assert one.get(f"{ACT}/ads").json() == {"data": []}
        one.portal.faults = Faults(throttled=1, retry_after=180)
        usage = json.loads(one.get(ACT).headers["x-business-use-case-usage"])
        assert usage[ACCOUNT][0]["estimated_time_to_regain_access"] == 3
        one.portal.faults = Faults(half_body=True)
        with pytest.raises(httpx.RemoteProtocolError):
            one.get(INSIGHTS, **last_days(7))
        one.portal.faults = Faults(maintenance=True)
        assert one.get(ACT).headers["content-type"].startswith("text/html")
