"""The part that all portals share: logging in, sessions and their ends, and each of the faults, over a real socket."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from portal import SESSION_LASTS, Answer, Asked, Clock, Faults, Portal, json_answer, page

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TOLD = {"rows": list(range(500))}


@dataclass
class Kiosk:
    """A service with one page and one answer."""

    name: str = "kiosk"

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        return page("Welcome", "<h1>Welcome</h1>") if asked.path == "/welcome" else None

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        if asked.path == "/broken":
            raise LookupError("the service has a mistake")
        if asked.path == "/api/rows":
            return json_answer({**TOLD, "now": now.isoformat(), "for": asked.person})
        return (
            page("Rows", f"<h1>Rows</h1><p>{asked.query.get('of', '')}</p>") if asked.path in {"/", "/rows"} else None
        )


def client(portal: Portal, **more: object) -> httpx.Client:
    return httpx.Client(base_url=portal.url, timeout=5, trust_env=False, **more)  # type: ignore[arg-type]


def log_in(portal: Portal, asking: httpx.Client, typed: str = "", then: str = "") -> httpx.Response:
    """Log in with the right password, or with what is typed, and be led to a page."""
    (user,) = portal.people
    form = {"username": user, "password": typed or portal.people[user].password, "next": then}
    return asking.post("/login", data=form)


def read(asking: httpx.Client, path: str, into: bytearray) -> int:
    """Read as much of an answer as comes; the length that it says."""
    with asking.stream("GET", path) as told:
        for part in told.iter_raw():
            into += part
        return int(told.headers["content-length"])


def ask_for_a_mistake(portal: Portal) -> None:
    with portal, client(portal) as asking:
        log_in(portal, asking)
        with pytest.raises(httpx.TransportError):
            asking.get("/broken")


def seen(portal: Portal) -> list[tuple[str, str, int]]:
    return [(one.method, one.path, one.status) for one in portal.requests]


def test_a_page_leads_to_the_log_in_and_back() -> None:
    with Portal(Kiosk(), Clock(NOW)) as portal, client(portal) as asking:
        led = asking.get("/rows?of=march")
        assert (led.status_code, led.headers["location"]) == (302, "/login?next=%2Frows%3Fof%3Dmarch")
        form = asking.get(led.headers["location"])
        assert 'name="next" value="/rows?of=march"' in form.text
        assert log_in(portal, asking, "wrong").text.count('role="alert"') == 1
        back = log_in(portal, asking, then="/rows?of=march")
        assert (back.status_code, back.headers["location"]) == (303, "/rows?of=march")
        assert "<p>march</p>" in asking.get("/rows?of=march").text
        assert asking.get("/elsewhere").status_code == 404
        assert [one.person for one in portal.requests] == [None] * 4 + ["owner"] * 2
        assert portal.requests[0].query == {"of": "march"}


def test_the_cookie_says_until_when_it_is_good_and_scripts_cannot_read_it() -> None:
    clock = Clock(NOW)
    with Portal(Kiosk(), clock) as portal, client(portal) as asking:
        cookie = log_in(portal, asking).headers["set-cookie"]
        assert cookie.startswith("kiosk_session=canary-kiosk-session-")
        assert "HttpOnly" in cookie
        assert f"Max-Age={30 * 86400}" in cookie
        clock.now += SESSION_LASTS - timedelta(seconds=1)
        assert asking.get("/rows").status_code == 200
        clock.now += timedelta(seconds=1)
        assert asking.get("/rows").status_code == 302


def test_data_without_a_session_are_refused_and_not_led_elsewhere() -> None:
    with Portal(Kiosk(), Clock(NOW)) as portal, client(portal) as asking:
        assert asking.get("/api/rows").status_code == 401
        assert asking.get("/welcome").status_code == 200
        log_in(portal, asking)
        told = asking.get("/api/rows").json()
        assert (told["now"], told["for"]) == (NOW.isoformat(), "owner")
        asking.get("/logout")
        assert asking.get("/api/rows").status_code == 401


def test_a_token_stands_for_a_session() -> None:
    with Portal(Kiosk(), Clock(NOW)) as portal, client(portal) as asking:
        token = portal.people["owner"].token
        bearer = {"Authorization": f"Bearer {token}"}
        assert asking.get("/api/rows", headers=bearer).status_code == 200
        portal.expire()
        assert asking.get("/api/rows", headers=bearer).status_code == 401
        new = portal.renew("owner")
        assert asking.get("/api/rows", headers={"Authorization": f"Bearer {new}"}).status_code == 200
        assert {token, new} <= set(portal.secrets())


def test_secrets_are_all_that_was_given_or_typed() -> None:
    with Portal(Kiosk(), Clock(NOW), Faults(second_factor=True)) as portal, client(portal) as asking:
        log_in(portal, asking, "canary-typed-wrongly")
        log_in(portal, asking)
        asking.post("/login/code", data={"code": portal.people["owner"].code})
        person = portal.people["owner"]
        known = set(portal.secrets())
        assert {person.password, person.code, person.token, "canary-typed-wrongly"} <= known
        assert set(asking.cookies.values()) <= known
        assert len(known) == 6
        assert all(one.startswith("canary-") for one in known)


def test_a_second_factor_is_asked_for() -> None:
    with Portal(Kiosk(), Clock(NOW), Faults(second_factor=True)) as portal, client(portal) as asking:
        assert asking.get("/login/code").headers["location"] == "/login"
        assert log_in(portal, asking, then="/rows").headers["location"] == "/login/code"
        assert 'name="code"' in asking.get("/login/code").text
        assert asking.get("/rows").status_code == 302, "a password alone is no session"
        assert 'role="alert"' in asking.post("/login/code", data={"code": "000000"}).text
        done = asking.post("/login/code", data={"code": portal.people["owner"].code})
        assert (done.status_code, done.headers["location"]) == (303, "/rows")
        assert asking.get("/rows").status_code == 200


def test_a_session_ends_after_so_many_requests() -> None:
    with Portal(Kiosk(), Clock(NOW), Faults(expires_after=2)) as portal, client(portal) as asking:
        log_in(portal, asking)
        assert [asking.get("/api/rows").status_code for _ in range(4)] == [200, 200, 401, 401]
        log_in(portal, asking)
        assert asking.get("/api/rows").status_code == 200, "a new session has its own"


def test_all_sessions_end_at_once() -> None:
    with Portal(Kiosk(), Clock(NOW)) as portal, client(portal) as asking:
        log_in(portal, asking)
        portal.expire()
        assert asking.get("/rows").status_code == 302
        log_in(portal, asking)
        assert asking.get("/rows").status_code == 200


@pytest.mark.parametrize(
    ("faults", "words"), [(Faults(captcha=True), "Verify you are human"), (Faults(maintenance=True), "back soon")]
)
def test_a_page_comes_in_the_place_of_data_as_if_all_were_well(faults: Faults, words: str) -> None:
    with Portal(Kiosk(), Clock(NOW), faults) as portal, client(portal) as asking:
        log_in(portal, asking)
        for path in ("/rows", "/api/rows"):
            told = asking.get(path)
            assert (told.status_code, told.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert words in told.text
        assert ("Log in" in asking.get("/login").text) == faults.captcha


def test_pages_lead_to_each_other_for_ever() -> None:
    with Portal(Kiosk(), Clock(NOW), Faults(redirect_loop=True)) as portal:
        with client(portal, follow_redirects=True) as asking, pytest.raises(httpx.TooManyRedirects):
            asking.get("/rows")
        assert {one.status for one in portal.requests} == {302}


def test_some_requests_are_throttled_or_fail() -> None:
    faults = Faults(throttled=2, retry_after=7)
    with Portal(Kiosk(), Clock(NOW), faults) as portal, client(portal) as asking:
        first = asking.get("/api/rows")
        assert (first.status_code, first.headers["retry-after"]) == (429, "7")
        assert log_in(portal, asking).status_code == 429
        assert log_in(portal, asking).status_code == 303
        portal.faults = Faults(broken=1, only="/api/")
        assert [asking.get(path).status_code for path in ("/rows", "/api/rows", "/api/rows")] == [200, 500, 200]


def test_data_can_be_forbidden_while_pages_come() -> None:
    with Portal(Kiosk(), Clock(NOW), Faults(forbidden=True)) as portal, client(portal) as asking:
        log_in(portal, asking)
        assert [asking.get(path).status_code for path in ("/rows", "/api/rows")] == [200, 403]


def test_data_end_in_the_middle_while_pages_come_whole() -> None:
    with Portal(Kiosk(), Clock(NOW), Faults(half_body=True)) as portal, client(portal) as asking:
        log_in(portal, asking)
        assert "Rows" in asking.get("/rows").text
        half, whole = bytearray(), bytearray()
        with pytest.raises(httpx.RemoteProtocolError):
            read(asking, "/api/rows", half)
        portal.faults.half_body = False
        assert read(asking, "/api/rows", whole) == len(whole)
        assert half == whole[: len(whole) // 2]
        assert asking.get("/api/rows").json()["rows"] == TOLD["rows"], "the connection after it is a new one"


def test_data_trickle_for_ever_and_the_portal_closes_all_the_same() -> None:
    faults = Faults(slow=True)
    portal = Portal(Kiosk(), Clock(NOW), faults)
    with client_of_entered(portal) as asking:
        log_in(portal, asking)
        with asking.stream("GET", "/api/rows") as told:
            came = b""
            for part in told.iter_raw():
                came += part
                if len(came) >= 8:
                    break
        assert came.startswith(b'{"rows"')
        with asking.stream("GET", "/api/rows") as told:
            assert next(told.iter_raw())
            began = time.monotonic()
            portal.__exit__(None, None, None)
            assert time.monotonic() - began < 2


def client_of_entered(portal: Portal) -> httpx.Client:
    """A client of a portal that the test itself closes."""
    portal.__enter__()
    return client(portal)


def test_many_ask_at_once() -> None:
    with Portal(Kiosk(), Clock(NOW)) as portal, client(portal) as asking:
        log_in(portal, asking)
        portal.faults.throttled = 10
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: asking.get("/api/rows").status_code, range(60)))
        assert (told.count(429), told.count(200)) == (10, 50)
        assert len(portal.requests) == 61


def test_a_mistake_of_a_service_is_not_taken_for_a_fault() -> None:
    portal = Portal(Kiosk(), Clock(NOW))
    with pytest.raises(LookupError, match="has a mistake"):
        ask_for_a_mistake(portal)


def test_it_listens_on_this_machine_only_and_closes() -> None:
    with Portal(Kiosk(), Clock(NOW)) as portal:
        assert portal.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{portal.url}/favicon.ico", trust_env=False).status_code == 204
        url = portal.url
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/login", trust_env=False)
    assert seen(portal) == [("GET", "/favicon.ico", 204)]
