"""The stand-in of TooLost's API gives a token to who shows the right secret, and pages of numbers to who has one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from browsing import client
from portal import Clock, Faults, Portal
from toolost_api_portal import LIFE, PERIODS, TooLostApi

from bedrot.demo import toolost_sales
from bedrot.demo.distribution import MOVED, TOOLOST, span
from bedrot.demo.label import invent
from bedrot.demo.plays import COUNTRIES, Plays

LABEL = invent(7)
NOW = datetime(2026, 2, 15, 19, 58, 3, tzinfo=UTC)
CLIENT, BACK = "harbour-lane-lake", "http://127.0.0.1:8765/back"
VERIFIER = "a-secret-of-at-least-forty-three-characters-and-more"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code", "client_id": CLIENT, "redirect_uri": BACK, "state": "s1",
    "scope": "read:profile read:analytics read:earnings", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip


def allowed(asking: httpx.Client, answer: str = "yes", **other: str) -> dict[str, str]:
    """What an application is told when a person has answered."""
    found = asking.post("/oauth/authorize", data=ASKED | other | {"allow": answer}, follow_redirects=False)
    assert found.status_code == 302
    assert found.headers["Location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(found.headers["Location"]).query))


def exchanged(asking: httpx.Client, code: str, **other: str) -> httpx.Response:
    """The answer to a code."""
    told = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": CLIENT}
    return asking.post("/oauth/token", data=told | {"code_verifier": VERIFIER} | other)


def refreshed(asking: httpx.Client, token: str) -> httpx.Response:
    """The answer to a refresh token."""
    told = {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT}
    return asking.post("/oauth/token", data=told)


@contextmanager
def api(clock: Clock, faults: Faults | None = None, **other: str) -> Iterator[tuple[Portal, httpx.Client]]:
    """A portal, and a client that has a token."""
    with Portal(TooLostApi(LABEL), clock, faults) as portal:
        with client(portal) as asking:
            token = exchanged(asking, allowed(asking, **other)["code"]).json()["access_token"]
        with httpx.Client(
            base_url=portal.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        ) as having:
            yield portal, having


def listed(having: httpx.Client, path: str) -> list[dict[str, Any]]:
    """The rows of a list that fits on one page."""
    found = having.get(path).json()
    assert set(found) == {"data", "currentPage", "perPage", "totalItems", "totalPages"}
    assert found["totalItems"] == len(found["data"])
    rows: list[dict[str, Any]] = found["data"]
    return rows


def test_a_person_is_asked_and_may_decline() -> None:
    with Portal(TooLostApi(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        page = asking.get("/oauth/authorize", params=ASKED).text
        assert all(word in page for word in (CLIENT, "read:earnings", ">Authorize</button>"))
        assert allowed(asking, "no") == {"state": "s1", "error": "access_denied"}
        portal.expire()
        assert asking.get("/oauth/authorize", params=ASKED).url.path == "/login"


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://elsewhere.example/back"},
        {"code_challenge_method": "plain"},
        {"scope": "write:everything"},
        {"response_type": "token"},
    ],
)
def test_a_wrong_request_is_refused(wrong: dict[str, str]) -> None:
    with Portal(TooLostApi(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        assert asking.get("/oauth/authorize", params=ASKED | wrong).status_code == 400


def test_a_code_needs_its_secret_and_is_good_once() -> None:
    clock = Clock(NOW)
    with Portal(TooLostApi(LABEL), clock) as portal, client(portal) as asking:
        assert exchanged(asking, allowed(asking)["code"], code_verifier="guessed").status_code == 400
        assert exchanged(asking, allowed(asking)["code"], redirect_uri=BACK + "/else").status_code == 400
        assert exchanged(asking, allowed(asking)["code"], client_id="another").status_code == 401
        code = allowed(asking)["code"]
        given = exchanged(asking, code).json()
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 15 * 24 * 3600)
        assert exchanged(asking, code).status_code == 400
        late = allowed(asking)["code"]
        clock.now += timedelta(minutes=10)
        assert exchanged(asking, late).status_code == 400
        assert {code, late, given["access_token"], given["refresh_token"]} <= set(portal.secrets())


def test_a_token_runs_out_and_is_refreshed_once() -> None:
    clock = Clock(NOW - LIFE)
    with Portal(TooLostApi(LABEL, camel=True), clock) as portal, client(portal) as asking:
        given = exchanged(asking, allowed(asking)["code"]).json()
        assert set(given) == {"tokenType", "expiresIn", "accessToken", "refreshToken", "scope"}
        head = {"Authorization": f"Bearer {given['accessToken']}"}
        assert asking.get("/v1/me", headers=head).is_success
        clock.now = NOW
        refused = asking.get("/v1/me", headers=head)
        assert (refused.status_code, refused.json()) == (401, {"message": "Unauthenticated."})
        again = refreshed(asking, given["refreshToken"])
        assert refreshed(asking, given["refreshToken"]).status_code == 400
        head = {"Authorization": f"Bearer {again.json()['accessToken']}"}
        assert asking.get("/v1/me", headers=head).is_success
        portal.expire()
        assert asking.get("/v1/me", headers=head).status_code == 401
        assert refreshed(asking, again.json()["refreshToken"]).is_success


def test_each_path_needs_its_scope() -> None:
    with api(Clock(NOW), scope="read:profile") as (_, having):
        assert having.get("/v1/me").json()["data"]["account_name"] == "Harbour Lane Records"
        refused = having.get("/v1/sales/overview")
        assert refused.status_code == 403
        assert refused.json()["status"] is False
        assert having.get("/v1/nothing").status_code == 404
        assert httpx.get(having.base_url.join("/v1/me"), trust_env=False).status_code == 401


def test_plays_are_those_of_the_stores_whose_numbers_are_text() -> None:
    plays = Plays(LABEL)
    with api(Clock(NOW)) as (_, having):
        rows = listed(having, "/v1/analytics/tracks?period=allTime&page=1&perPage=100")
        sums = {
            period: sum(int(row["totalStreams"]) for row in listed(having, f"/v1/analytics/tracks?period={period}"))
            for period in PERIODS
        }
    last = NOW.date() - timedelta(days=2)
    truth = {
        one.isrc: sum(
            plays.between(one, store, country, max(MOVED, one.released), last)
            for store in ("Spotify", "Apple Music")
            for country in COUNTRIES
        )
        for one in LABEL.recordings
        if span(one, TOOLOST)
    }
    assert {row["isrc"]: int(row["totalStreams"]) for row in rows} == {key: n for key, n in truth.items() if n}
    assert all(isinstance(value, str) for row in rows for value in row.values())
    assert sums["lastSevenDays"] < sums["lastThirtyDays"] < sums["lastThreeMonths"] < sums["allTime"]
    assert sums["lastYear"] == sums["allTime"]


def test_the_sales_are_those_of_the_statements_that_are_out() -> None:
    out = [one for one in toolost_sales.arrivals(LABEL) if one.verdict == "accepted" and one.at <= NOW]
    with api(Clock(NOW)) as (_, having):
        rows = listed(having, "/v1/sales/overview?page=1&per_page=100")
    told = {}
    for one in out:
        paid = [line.rpartition(",")[2] for line in one.content().decode().splitlines()[1:]]
        told[f"{one.name[12:16]}-{one.name[9:11]}-01"] = sum(map(Decimal, paid))
    assert {row["date"]: Decimal(row["total"]) for row in rows} == told
    assert [row["date"] for row in rows] == sorted(told, reverse=True)


def test_a_list_comes_in_pages() -> None:
    with api(Clock(NOW)) as (_, having):
        pages = [having.get("/v1/sales/overview", params={"page": n, "per_page": 3}).json() for n in (1, 2, 3)]
    assert [len(one["data"]) for one in pages] == [3, 1, 0]
    assert {(one["perPage"], one["totalItems"], one["totalPages"]) for one in pages} == {(3, 4, 2)}


@pytest.mark.parametrize("query", ["period=ever", "perPage=0", "perPage=101", "page=first"])
def test_a_wrong_question_is_told_what_is_wrong(query: str) -> None:
    with api(Clock(NOW)) as (_, having):
        refused = having.get(f"/v1/analytics/tracks?{query}")
    assert refused.status_code == 422
    assert refused.json()["errors"]


def test_faults_change_names_rows_and_account() -> None:
    faults = Faults()
    with api(Clock(NOW), faults) as (_, having):
        right = listed(having, "/v1/sales/overview")
        faults.renamed_field = True
        assert set(listed(having, "/v1/sales/overview")[0]) == {"date", "sum"}
        assert "plays" in listed(having, "/v1/analytics/tracks")[0]
        faults.renamed_field, faults.wrong_account = False, True
        assert having.get("/v1/me").json()["data"]["account_name"] == "Second Quay Music"
        assert listed(having, "/v1/sales/overview") != right
        faults.empty_account = True
        assert listed(having, "/v1/analytics/tracks") == listed(having, "/v1/sales/overview") == []
        faults.throttled = 1
        assert (refused := having.get("/v1/me")).status_code == 429
        assert refused.json() == {"message": "Too Many Attempts."}
        assert having.get("/v1/me").is_success
