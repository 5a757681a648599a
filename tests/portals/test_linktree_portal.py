"""Linktree's stand-in: a real browser sees its answers come, they tell the demo's truth, and each fault shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from browsing import log_in, needs_chromium, tab
from linktree_portal import GRAPHQL, HOME, MOVED, PRIVATE, RANGES, Linktree
from portal import Clock, Faults, Portal

from bedrot.demo import linktree_answers
from bedrot.demo.label import invent
from bedrot.demo.links import pages

LABEL = invent(7)
PAGE = pages(LABEL)[0]
NOW = datetime(2026, 3, 15, 16, 40, 3, tzinfo=UTC)
OVERVIEW, LINKS = "AccountAnalyticsOverview", "AccountAnalyticsLinks"
ANALYTICS = (OVERVIEW, LINKS, "AccountAnalyticsSubscribers", "AccountAnalyticsPlaces")


@contextmanager
def asking(faults: Faults | None = None, now: datetime = NOW) -> Iterator[tuple[Portal, httpx.Client]]:
    """A portal and somebody who is logged in as the owner of the first page."""
    with (
        Portal(Linktree(LABEL), Clock(now), faults) as portal,
        httpx.Client(base_url=portal.url, trust_env=False) as client,
    ):
        form = {"username": PAGE.name, "password": portal.people[PAGE.name].password}
        assert client.post("/login", data=form).headers["location"] == HOME
        yield portal, client


def ask(client: httpx.Client, name: str, days: int = 7) -> httpx.Response:
    question = {"operationName": name, "variables": {"range": f"last-{days}-days", "interval": "DAILY"}}
    return client.post(GRAPHQL, json={**question, "query": f"query {name}"})


def told(client: httpx.Client, name: str, days: int = 7) -> Any:
    return ask(client, name, days).json()["data"]


def days_of(overview: Any) -> list[date]:
    return [date.fromisoformat(one["date"]) for one in overview["getAccountAnalytics"]["overview"]["timeseries"]]


@pytest.mark.parametrize("days", RANGES)
def test_the_overview_is_the_truth_of_its_days(days: int) -> None:
    with asking() as (_, client):
        first = NOW.date() - timedelta(days=days - 1)
        truth = linktree_answers.overview(
            [(day, PAGE.known(day, NOW)) for day, _ in PAGE.range(first, NOW.date(), NOW)]
        )
        answer = ask(client, OVERVIEW, days)
        assert answer.content == linktree_answers.written(truth)
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        found = days_of(answer.json()["data"])
        assert found == [first + timedelta(days=number) for number in range(days)]


def test_today_is_running_and_moves_with_the_clock() -> None:
    clock = Clock(NOW)
    with asking() as (portal, client):
        portal.clock = clock
        running = told(client, OVERVIEW)["getAccountAnalytics"]["overview"]["timeseries"][-1]
        clock.now += timedelta(days=1)
        whole = told(client, OVERVIEW)["getAccountAnalytics"]["overview"]["timeseries"][-2]
        assert running["date"] == whole["date"] == NOW.date().isoformat()
        assert whole["totalViews"] == PAGE.whole(NOW.date()).views
        assert running["totalViews"] < whole["totalViews"]


def test_each_question_has_its_answer() -> None:
    with asking() as (_, client):
        parts = [set(told(client, name, 28)["getAccountAnalytics"]) - {"__typename"} for name in ANALYTICS]
        assert parts == [
            {"overview"},
            {"links", "socials", "products"},
            {"subscribers"},
            {"lifetime", "locations", "referrers", "devices"},
        ]
        links = told(client, LINKS, 28)["getAccountAnalytics"]["links"]
        known = [visits for _, visits in PAGE.range(NOW.date() - timedelta(days=27), NOW.date(), NOW)]
        clicks = {number: sum(dict(one.links).get(number, 0) for one in known) for number, _ in known[-1].links}
        assert {one["id"]: one["clicks"]["total"] for one in links} == clicks
        assert told(client, "LinkTitles") == linktree_answers.titles(PAGE, NOW)


def test_private_answers_come_too_and_tell_secrets() -> None:
    with asking() as (portal, client):
        found = "".join(ask(client, name).text for name in PRIVATE)
        assert isinstance(portal.service, Linktree)
        assert all(secret in found for secret in portal.service.canaries())
        assert set(portal.service.canaries()) <= set(portal.secrets())
        assert told(client, "CurrentUser")["currentUser"]["account"]["username"] == PAGE.name
        assert "canary" not in "".join(ask(client, name).text for name in (*ANALYTICS, "LinkTitles"))


def test_each_artist_has_a_page_and_a_person() -> None:
    with Portal(Linktree(LABEL), Clock(NOW)) as portal:
        assert list(portal.people) == [artist.page for artist in LABEL.artists]
        seen = set()
        for user, person in portal.people.items():
            with httpx.Client(base_url=portal.url, trust_env=False) as client:
                client.post("/login", data={"username": user, "password": person.password})
                assert f"linktr.ee/{user}" in client.get(HOME).text
                seen.add(ask(client, OVERVIEW, 365).content)
        assert len(seen) == len(LABEL.artists)


def test_without_a_session_the_page_leads_to_the_log_in_and_a_question_is_refused() -> None:
    with Portal(Linktree(LABEL), Clock(NOW)) as portal, httpx.Client(base_url=portal.url, trust_env=False) as client:
        assert client.get(HOME).headers["location"] == "/login?next=%2Fadmin%2Fanalytics"
        refused = ask(client, OVERVIEW)
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


def test_a_wrong_question_gets_an_error() -> None:
    with asking() as (_, client):
        assert ask(client, OVERVIEW, 30).json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert ask(client, "Weather").json()["data"] is None
        assert client.post(GRAPHQL, content=b"[").status_code == 400
        assert client.get(GRAPHQL).status_code == 404


def test_faults_of_the_data() -> None:
    with asking(Faults(renamed_field=True)) as (portal, client):
        day = told(client, OVERVIEW)["getAccountAnalytics"]["overview"]["timeseries"][0]
        assert "viewCount" in day
        assert "totalViews" not in day
        portal.faults = Faults(empty_account=True)
        empty = told(client, OVERVIEW)["getAccountAnalytics"]["overview"]
        assert (empty["totalViews"], len(empty["timeseries"])) == (0, 7)
        assert told(client, LINKS)["getAccountAnalytics"]["links"] == []
        assert [told(client, name) is not None for name in ANALYTICS] == [True] * 4
        assert told(client, "LinkTitles") == {}
        portal.faults = Faults(wrong_account=True)
        assert told(client, "CurrentUser")["currentUser"]["account"]["username"] == LABEL.artists[1].page
        assert f"linktr.ee/{LABEL.artists[1].page}" in client.get(HOME).text
        portal.faults = Faults(forbidden=True)
        assert ask(client, OVERVIEW).status_code == 403
        assert client.get(HOME).status_code == 200
        portal.faults = Faults(moved_button=True)
        moved = client.get(HOME).text
        assert MOVED[365] in moved
        assert RANGES[365] not in moved
        assert 'data-testid="range-picker"' not in moved
        portal.faults = Faults(half_body=True)
        assert client.get(HOME).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            ask(client, OVERVIEW)


@contextmanager
def listening(portal: Portal) -> Iterator[tuple[Any, list[Any]]]:
    """A page of a real browser on which somebody has logged in, and the answers that came, in their order."""
    with tab() as shown:
        came: list[Any] = []
        shown.on("response", lambda one: came.append(one) if "graphql" in one.url else None)
        log_in(shown, portal, HOME, PAGE.name)
        yield shown, came


@needs_chromium
def test_a_browser_sees_the_answers_come() -> None:
    with Portal(Linktree(LABEL), Clock(NOW), Faults(second_factor=True)) as portal, listening(portal) as (shown, came):
        shown.get_by_label("Code").fill(portal.people[PAGE.name].code)
        shown.get_by_role("button", name="Verify").click()
        shown.wait_for_selector("body[data-loaded='7']")
        shown.get_by_role("button", name=RANGES[7]).click()
        shown.get_by_role("option", name=RANGES[365]).click()
        shown.wait_for_selector("body[data-loaded='365']")
        answers = [json.loads(one.body())["data"] for one in came]
        overviews = [days_of(one) for one in answers if "overview" in one.get("getAccountAnalytics", {})]
        assert [len(days) for days in overviews] == [7, 365], "first the usual range, then the chosen one"
        assert overviews[1][-7:] == overviews[0]
        assert {next(iter(one)) for one in answers[: len(PRIVATE)]} >= {"currentUser", "getWallet"}
        assert any(all(key.startswith("link") for key in one) for one in answers)
        assert len(answers) == len(PRIVATE) + len(ANALYTICS) + 1 + len(ANALYTICS) - 1
        assert shown.get_by_test_id("shown-days").text_content() == "365"
        cookies = {one["name"]: one for one in shown.context.cookies()}
        assert cookies["linktree_session"]["httpOnly"]
        assert {one.person for one in portal.requests if one.path == GRAPHQL} == {PAGE.name}
        asked = [one.path for one in portal.requests]
        assert set(asked) == {HOME, "/login", "/login/code", GRAPHQL}


@needs_chromium
def test_a_browser_finds_the_moved_control_elsewhere() -> None:
    faults = Faults(moved_button=True)
    with Portal(Linktree(LABEL), Clock(NOW), faults) as portal, listening(portal) as (shown, came):
        shown.wait_for_selector("body[data-loaded='7']")
        assert shown.get_by_role("option").count() == 0
        assert shown.get_by_text(RANGES[365]).count() == 0
        shown.get_by_text("Filters").click()
        shown.get_by_text(MOVED[365]).click()
        shown.wait_for_selector("body[data-loaded='365']")
        assert len([one for one in came if b'"overview"' in one.body()]) == 2
