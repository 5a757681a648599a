"""The stand-in of TooLost's portal answers what the demo's label would have been told at that instant."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from browsing import browser, client, needs_chromium, offered, saved
from portal import Clock, Faults, Portal
from toolost_portal import MAIN, OTHER, PATHS, TooLost, answer_of, file_name, statements

from bedrot.demo import toolost_portal
from bedrot.demo.label import LAST_DAY, invent
from bedrot.demo.toolost_answers import APPLE, SPOTIFY, answer_bytes

LABEL = invent(7)
NOW = datetime(2026, 1, 18, 20, 44, 16, tzinfo=UTC)
PAGE, NOTICES = "/user-portal/analytics/platform", "/user-portal/notifications"
ADDRESS = {store: f"{path}?release=&date=thisYear" for path, store in PATHS.items()}


def token_in(page: str) -> str:
    """The token that a page leaves in the browser."""
    return str(json.loads(page.split('localStorage.setItem("token", ', 1)[1].split(");", 1)[0]))


def fetched(asking: httpx.Client, store: str, token: str = "") -> httpx.Response:
    """An answer as the page would fetch it."""
    token = token or token_in(asking.get(PAGE).text)
    return asking.get(ADDRESS[store], headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("store", [SPOTIFY, APPLE])
def test_the_answers_are_those_that_the_label_saved(store: str) -> None:
    clock = Clock(NOW)
    with Portal(TooLost(LABEL), clock) as portal:
        for one in toolost_portal.answers(LABEL):
            if one.store == store and one.saved == one.made:
                clock.now = one.made
                with client(portal) as asking:
                    found = fetched(asking, store)
                assert (found.status_code, found.content) == (200, answer_bytes(LABEL, one))


def test_there_is_an_answer_at_any_time() -> None:
    now = datetime(2024, 11, 1, tzinfo=UTC)
    while now.date() <= LAST_DAY:
        for store in (SPOTIFY, APPLE):
            days = [day for day, _ in answer_of(LABEL, store, now).days]
            assert all(day.year == now.year and day <= answer_of(LABEL, store, now).last for day in days)
            assert bool(days) == (now.date().isoformat() > "2025-09-20" and now.timetuple().tm_yday > 5)
        now += timedelta(days=25)


def test_the_token_is_a_thing_of_its_own_and_lasts_seven_days() -> None:
    clock = Clock(NOW)
    with Portal(TooLost(LABEL), clock) as portal, client(portal) as asking:
        token = token_in(asking.get(PAGE).text)
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert claims["exp"] - claims["iat"] == 7 * 24 * 3600
        assert token in portal.secrets()
        refused = asking.get(ADDRESS[SPOTIFY])
        assert (refused.status_code, refused.json()) == (401, {"message": "Unauthenticated."})
        head = {"Authorization": f"Bearer {token}"}
        assert httpx.get(portal.url + ADDRESS[SPOTIFY], headers=head, trust_env=False).is_success
        clock.now += timedelta(days=7) - timedelta(seconds=1)
        assert fetched(asking, SPOTIFY, token).is_success
        clock.now += timedelta(seconds=1)
        assert fetched(asking, SPOTIFY).status_code == 401, "the session's page has the same token still"
        with client(portal) as again:
            assert fetched(again, SPOTIFY).is_success


def test_what_ends_is_ended_for_the_token_too() -> None:
    with Portal(TooLost(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        token = token_in(asking.get(PAGE).text)
        portal.expire()
        assert fetched(asking, SPOTIFY, token).status_code == 401
        assert asking.get(PAGE).url.path == "/login"
        assert asking.get(NOTICES).url.path == "/login"
        with client(portal) as again:
            assert fetched(again, APPLE).is_success


def test_other_questions_are_refused() -> None:
    with Portal(TooLost(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        head = {"Authorization": f"Bearer {token_in(asking.get(PAGE).text)}"}
        path = "/api/portal/analytics/spotify"
        assert asking.get(f"{path}?release=&date=lastYear", headers=head).status_code == 422
        assert asking.get(f"{path}?release=12&date=thisYear", headers=head).status_code == 422
        assert asking.get("/api/portal/analytics/apple?release=&date=thisYear", headers=head).status_code == 404


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    faults = Faults(only="/api/", retry_after=7)
    with Portal(TooLost(LABEL), Clock(NOW), faults) as portal, client(portal) as asking:
        faults.throttled = 1
        found = fetched(asking, SPOTIFY)
        assert (found.status_code, found.headers["Retry-After"]) == (429, "7")
        assert fetched(asking, SPOTIFY).is_success


def test_the_statements_that_are_out_have_a_notice_each() -> None:
    counts = {"2025-09-01": 0, "2025-11-05": 0, "2025-11-06": 1, "2026-01-18": 3, "2026-03-15": 5}
    clock = Clock(datetime(2025, 9, 1, tzinfo=UTC))
    with Portal(TooLost(LABEL), clock) as portal, client(portal) as asking:
        page = asking.get(NOTICES).text
        assert "You have no notifications" in page
    for day, count in counts.items():
        clock.now = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        with Portal(TooLost(LABEL), clock) as portal, client(portal) as asking:
            page = asking.get(NOTICES).text
            assert page.count("Sales report has been generated") == page.count(">Attachment<") == count
            assert ("is now live" in page) == (day > "2025-09-15")
            for one in statements(LABEL, clock.now):
                name = file_name(one)
                found = asking.get(f"{NOTICES}/{name[9:-4]}/attachment")
                assert found.headers["Content-Disposition"] == f'attachment; filename="{name}"'
                assert found.content == one.content()
                assert f"Your ({name[1:8]}) Sales report has been generated" in page
            assert asking.get(f"{NOTICES}/1/attachment").status_code == 404


def test_a_statement_is_not_had_before_it_is_out() -> None:
    last = statements(LABEL, datetime(2026, 3, 15, tzinfo=UTC))[-1]
    number = last.name[-9:-4]
    with Portal(TooLost(LABEL), Clock(last.at - timedelta(seconds=1))) as portal, client(portal) as asking:
        assert asking.get(f"{NOTICES}/{number}/attachment").status_code == 404


def test_the_button_moves() -> None:
    with Portal(TooLost(LABEL), Clock(NOW), Faults(moved_button=True)) as portal, client(portal) as asking:
        page = asking.get(NOTICES).text
    assert "Attachment" not in page
    assert page.count(">Get report</a>") == 3


def test_fields_get_other_names(tmp_path: Path) -> None:
    with Portal(TooLost(LABEL), Clock(NOW), Faults(renamed_field=True)) as portal, client(portal) as asking:
        keys: dict[str, Any] = {store: set(fetched(asking, store).json()) for store in (SPOTIFY, APPLE)}
        assert keys[SPOTIFY] == {"plays", "discovery"}
        assert keys[APPLE] == {"playsByDay", "totalShazam", "tracksTotal", "countryTotal", "playTotal"}
        number = asking.get(NOTICES).text.split("/attachment", 1)[0][-5:]
        found = asking.get(f"{NOTICES}/{number}/attachment")
    path = tmp_path / found.headers["Content-Disposition"].split('"')[1]
    path.write_bytes(found.content)
    assert [one.needs_person for one in offered(path, tmp_path / "lake")] == [True]


def test_an_empty_account_has_neither_plays_nor_notices() -> None:
    with Portal(TooLost(LABEL), Clock(NOW), Faults(empty_account=True)) as portal, client(portal) as asking:
        assert fetched(asking, SPOTIFY).json() == {"streams": [], "discovery": []}
        assert fetched(asking, APPLE).json()["streamTotal"] == 0
        assert "You have no notifications" in asking.get(NOTICES).text


def test_a_wrong_account_says_so_and_has_other_numbers() -> None:
    with Portal(TooLost(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        right = fetched(asking, SPOTIFY).content
        assert MAIN in asking.get(PAGE).text
        portal.faults.wrong_account = True
        assert fetched(asking, SPOTIFY).content != right
        assert OTHER in asking.get(PAGE).text
        assert MAIN not in asking.get(NOTICES).text


@needs_chromium
def test_in_a_browser_a_statement_is_downloaded_and_taken(tmp_path: Path) -> None:
    with Portal(TooLost(LABEL), Clock(NOW)) as portal, browser(portal, NOTICES) as page:
        path = saved(page, 'li:has-text("Your (12-2025) Sales report") >> text="Attachment"', tmp_path)
    truth = statements(LABEL, NOW)[-1]
    assert (f"toolost/{path.name}", path.read_bytes()) == (truth.name, truth.content())
    (outcome,) = offered(path, tmp_path / "lake")
    assert (outcome.verdict, outcome.feed) == ("accepted", "toolost.sales")


@needs_chromium
def test_in_a_browser_the_page_fetches_its_answers(tmp_path: Path) -> None:
    with Portal(TooLost(LABEL), Clock(NOW)) as portal, browser(portal, NOTICES) as page:
        for store, feed in ((SPOTIFY, "toolost.spotify"), (APPLE, "toolost.apple")):
            with page.expect_response(portal.url + ADDRESS[store]) as coming:
                page.goto(portal.url + PAGE)
            path = tmp_path / f"toolost_{feed[8:]}_{NOW:%Y%m%d_%H%M%S}.json"
            path.write_bytes(coming.value.body())
            total = sum(count for _, count in answer_of(LABEL, store, NOW).days)
            page.locator(f"#{feed[8:]}", has_text=f"{total:,} streams").wait_for()
            (outcome,) = offered(path, tmp_path / f"lake {feed}")
            assert (outcome.verdict, outcome.feed) == ("accepted", feed)
        assert page.evaluate("localStorage.getItem('token')") in portal.secrets()
        portal.expire()
        page.evaluate("show('spotify', '/api/portal/analytics/spotify?release=&date=thisYear')")
        page.get_by_label("Password").wait_for()
        assert page.evaluate("localStorage.getItem('token')") is None
