"""TooLost's API with what a person allows: a token that ended is traded, and no crash loses more than it must."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from asking import Asking
from browsing import client, log_in, needs_chromium, tab
from portal import Clock, Faults, Portal, canary
from toolost_api_portal import LIFE, SCOPES, TooLostApi
from toolost_portal import MAIN, file_name, statements
from vault_looks import traced, traced_below

from bedrot.commands.connect import allow
from bedrot.config import Connect, Settings
from bedrot.connect.connector import connector_of
from bedrot.connect.oauth import Grant, grant_of
from bedrot.connect.states import NotFetched
from bedrot.connect.vault import Session, Vault
from bedrot.demo.label import invent
from bedrot.errors import Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.sources.toolost.connect_api import API

LABEL = invent(7)
NOW = datetime(2026, 1, 18, 20, 44, 16, tzinfo=UTC)
ENDED = NOW + LIFE
DAY = timedelta(days=1)
CLIENT, SECRET = "harbour-lane-lake", canary("toolost-api", "client-secret")
Show = Callable[[str], None]


@dataclass
class AskingApi(Asking):
    """A lake whose settings choose the API."""

    @property
    def settings(self) -> Settings:
        usual = super().settings
        return replace_connect(usual, Connect(way="api", places=dict.fromkeys(API.hosts, self.url)))

    @property
    def grant(self) -> Grant:
        """What the vault keeps."""
        session = self.vault.get("toolost", MAIN)
        assert session is not None
        return grant_of(session.secret)


def replace_connect(settings: Settings, told: Connect) -> Settings:
    """Settings with another way of asking."""
    return Settings(account=settings.account, connect={"toolost": told})


@pytest.fixture
def service() -> TooLostApi:
    return TooLostApi(LABEL)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def portal(service: TooLostApi, clock: Clock) -> Iterator[Portal]:
    with Portal(service, clock) as running:
        yield running


@pytest.fixture
def asking(tmp_path: Path, portal: Portal) -> AskingApi:
    made = AskingApi(tmp_path, "toolost", MAIN, portal.url)
    logged_in(made, portal, NOW - timedelta(hours=1))
    return made


def person(portal: Portal, answer: str = "yes", **other: str) -> Show:
    """Somebody who logs in where an address leads, answers, and is led back; `other` changes what they bring."""

    def show(address: str) -> None:
        with client(portal) as asking:
            asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
            assert asking.get(address).is_success
            found = asking.post("/oauth/authorize", data=asked | {"allow": answer}, follow_redirects=False)
        back = httpx.URL(found.headers["Location"])
        assert back.host == "127.0.0.1"
        assert httpx.get(back.copy_merge_params(other), trust_env=False).is_success

    return show


def allowed(portal: Portal, show: Show, at: datetime, seconds: float = 20) -> bytes:
    return allow(API, dict.fromkeys(API.hosts, portal.url), (CLIENT, SECRET), show, now=at, seconds=seconds)


def logged_in(asking: AskingApi, portal: Portal, at: datetime) -> None:
    asking.vault.put(Session("toolost", MAIN, "token", allowed(portal, person(portal), at), at))


def paths(portal: Portal) -> list[str]:
    return [one.path for one in portal.requests]


def months(now: datetime) -> list[str]:
    """The months of the statements that are out."""
    return [f"{name[4:8]}-{name[1:3]}" for name in (file_name(one) for one in statements(LABEL, now))]


def test_what_the_api_tells_proves_which_statements_are_missing(asking: AskingApi, portal: Portal) -> None:
    portal.requests.clear()
    standing = asking.fetch(NOW)
    assert (standing.state, standing.requests) == ("no data yet", 2)
    assert paths(portal) == ["/v1/me", "/v1/sales/overview"]
    newest = statements(LABEL, NOW)[-1].content().decode().splitlines()[1:]
    paid = sum(Decimal(line.rpartition(",")[2]) for line in newest)
    assert f"3 statements, the newest of 2025-12 with {paid:f} in all" in standing.sentence
    assert f"The lake lacks {', '.join(months(NOW))}" in standing.sentence
    with Ledger(asking.lake.ledger_path) as ledger:
        assert ledger.deliveries() == []


@needs_chromium
def test_a_person_allows_it_in_a_browser_and_only_what_is_needed(portal: Portal) -> None:
    def show(address: str) -> None:
        with tab() as page:
            log_in(page, portal, address.removeprefix(portal.url))
            asked = page.get_by_role("listitem").all_inner_texts()
            page.get_by_role("button", name="Authorize").click()
            page.get_by_text("You can close this window").wait_for()
        assert asked == [SCOPES["/v1/me"], SCOPES["/v1/sales/overview"]]

    grant = grant_of(allowed(portal, show, NOW))
    assert (grant.client, grant.secret, grant.until) == (CLIENT, SECRET, NOW + LIFE)
    assert {grant.access, grant.refresh} <= set(portal.secrets())


@pytest.mark.parametrize("camel", [False, True])
def test_a_token_that_ended_is_traded_once_and_kept(
    asking: AskingApi, portal: Portal, service: TooLostApi, clock: Clock, camel: bool
) -> None:
    service.camel = camel
    before, clock.now = asking.grant, ENDED
    portal.requests.clear()
    assert asking.fetch(ENDED).requests == 3
    assert paths(portal) == ["/oauth/token", "/v1/me", "/v1/sales/overview"]
    after = asking.grant
    assert not {before.access, before.refresh} & {after.access, after.refresh}
    assert (after.client, after.secret, after.until) == (CLIENT, SECRET, ENDED + LIFE)
    assert asking.fetch(ENDED + DAY).requests == 2
    assert asking.grant == after


def test_a_token_that_is_taken_back_early_is_traded_too(asking: AskingApi, portal: Portal) -> None:
    portal.expire()
    portal.requests.clear()
    standing = asking.fetch(NOW)
    assert (standing.state, standing.requests) == ("no data yet", 4)
    assert paths(portal) == ["/v1/me", "/oauth/token", "/v1/me", "/v1/sales/overview"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is copied")
def test_a_crash_after_the_new_token_is_kept_costs_no_log_in(
    asking: AskingApi, portal: Portal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now, put = ENDED, Vault.put
    portal.requests.clear()

    def put_and_die(self: Vault, session: Session) -> None:
        put(self, session)
        os._exit(9)

    child = os.fork()
    if not child:
        with suppress(BaseException), monkeypatch.context() as patch:
            patch.setattr(Vault, "put", put_and_die)
            asking.fetch(ENDED)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert paths(portal) == ["/oauth/token"]
    assert asking.fetch(ENDED).state == "no data yet"
    assert paths(portal) == ["/oauth/token", "/v1/me", "/v1/sales/overview"]


def test_a_crash_before_it_is_kept_costs_one_log_in_and_no_more(
    asking: AskingApi, portal: Portal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = ENDED

    def die(_self: Vault, _session: Session) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "put", die)
        with pytest.raises(KeyboardInterrupt):
            asking.fetch(ENDED)
    assert (asking.fetch(ENDED).state, asking.fetch(ENDED + DAY).requests) == ("expired", 0)
    logged_in(asking, portal, ENDED + DAY)
    assert asking.fetch(ENDED + 2 * DAY).state == "no data yet"


def test_what_was_taken_back_is_asked_with_no_more(
    asking: AskingApi, portal: Portal, service: TooLostApi, clock: Clock
) -> None:
    service._access.clear()
    service._refresh.clear()
    portal.requests.clear()
    failed = asking.fetch(NOW)
    assert (failed.state, failed.requests) == ("expired", 2)
    assert failed.do.startswith("Log in again")
    for days in (0, 1, 40):
        assert asking.fetch(NOW + days * DAY + timedelta(hours=1)).requests == 0
    assert paths(portal) == ["/v1/me", "/oauth/token"]
    clock.now = NOW + 41 * DAY
    logged_in(asking, portal, clock.now)
    assert asking.fetch(clock.now + DAY).state == "no data yet"


def test_somebody_who_logged_out_meanwhile_stays_out(
    asking: AskingApi, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = ENDED
    post = httpx.AsyncClient.stream

    def forget(self: httpx.AsyncClient, method: str, *rest: Any, **more: Any) -> Any:
        if method == "POST":
            asking.vault.remove("toolost", MAIN)
        return post(self, method, *rest, **more)

    monkeypatch.setattr(httpx.AsyncClient, "stream", forget)
    asking.fetch(ENDED)
    assert asking.vault.get("toolost", MAIN) is None


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"throttled": 99, "retry_after": 3600}, "throttled"),
        ({"throttled": 1}, "no data yet"),
        ({"broken": 99}, "unreachable"),
        ({"half_body": True}, "unreachable"),
        ({"slow": True}, "unreachable"),
        ({"renamed_field": True}, "portal changed"),
        ({"empty_account": True}, "no data yet"),
        ({"wrong_account": True}, "wrong account"),
        ({"maintenance": True}, "portal changed"),
        ({"redirect_loop": True}, "portal changed"),
        ({"captcha": True}, "portal changed"),
        ({"forbidden": True}, "forbidden"),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, dict) else one,
)
def test_each_fault_ends_in_its_state(asking: AskingApi, portal: Portal, fault: dict[str, Any], state: str) -> None:
    portal.faults = Faults(**fault)
    asking.limits = replace(asking.limits, seconds=3)
    standing = asking.fetch(NOW)
    assert standing.state == state, standing.sentence
    assert 0 < standing.requests <= 4


@pytest.mark.parametrize(
    ("show", "said"),
    [
        (lambda portal: person(portal, "no"), "It was not allowed"),
        (lambda portal: person(portal, state="forged"), "not asked for here"),
        (lambda portal: person(portal, code=""), "It was not allowed"),
        (lambda portal: person(portal, code="guessed"), "does not take it any more"),
        (lambda _portal: lambda _address: None, "Nobody allowed it in time"),
    ],
    ids=["declined", "forged-state", "no-code", "wrong-code", "nobody"],
)
def test_what_comes_back_wrong_is_no_log_in(portal: Portal, show: Callable[[Portal], Show], said: str) -> None:
    with pytest.raises(NotFetched, match=said):
        allowed(portal, show(portal), NOW, seconds=1)


def test_the_listener_is_on_this_computer_only_and_takes_the_first_answer_at_one_path(portal: Portal) -> None:
    found: list[httpx.URL] = []

    def show(address: str) -> None:
        back = httpx.URL(parse_qs(urlsplit(address).query)["redirect_uri"][0])
        found.append(back)
        assert httpx.get(back.join("/favicon.ico"), trust_env=False).status_code == 404
        assert httpx.post(back, trust_env=False).status_code == 501
        person(portal)(address)
        assert httpx.get(back.copy_merge_params({"state": "late", "code": "late"}), trust_env=False).is_success
        if others := [one for one in _own_addresses() if one != "127.0.0.1"]:
            with pytest.raises(httpx.TransportError):
                httpx.get(back.copy_with(host=others[0]), trust_env=False, timeout=2)

    assert grant_of(allowed(portal, show, NOW)).access in portal.secrets()
    with pytest.raises(httpx.TransportError):
        httpx.get(found[0], trust_env=False)


def _own_addresses() -> list[str]:
    """Addresses of this computer beside that of itself."""
    told = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False)
    return [one for one in told.stdout.split() if "." in one]


def test_a_log_in_for_the_other_way_is_not_used(asking: AskingApi, portal: Portal) -> None:
    asking.vault.put(Session("toolost", MAIN, "browser", b"{}", NOW))
    portal.requests.clear()
    standing = asking.fetch(NOW)
    assert (standing.state, standing.requests, portal.requests) == ("expired", 0, [])
    assert "another way" in standing.sentence


def test_a_way_that_there_is_not_names_those_that_there_are() -> None:
    sources = {one.name: one for one in find_sources()}
    toolost = sources["toolost"]
    assert [getattr(connector_of(toolost, way), "kind", None) for way in ("", "browser", "api")] == [
        "browser", "browser", "token",
    ]  # fmt: skip
    with pytest.raises(Misconfigured) as wrong:
        connector_of(toolost, "fax")
    assert '"browser" or "api"' in wrong.value.do
    with pytest.raises(Misconfigured, match="in the way 'fax'"):
        connector_of(sources["linktree"], "fax")
    assert connector_of(sources["catalogue"], "fax") is None


def test_at_a_terminal_a_person_logs_in_and_no_secret_is_anywhere(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    with Portal(TooLostApi(LABEL), lambda: datetime.now(UTC)) as portal:
        lake.config_path.write_text(
            f'[[account]]\nsource = "toolost"\nname = "{MAIN}"\n\n[connect.toolost]\nway = "api"\n\n'
            "[connect.toolost.places]\n" + "".join(f'"{host}" = "{portal.url}"\n' for host in API.hosts),
            encoding="utf-8",
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT")}
        env = {
            **kept, "XDG_DATA_HOME": str(tmp_path / "data"), "COLUMNS": "200", "BEDROT_LAKE": str(lake.root),
            "BEDROT_VAULT_KEY": "a passphrase for tests, long enough", "BROWSER": "true",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }  # fmt: skip
        command = [sys.executable, "-m", "bedrot", "login", "toolost"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        ) as login:
            assert login.stdin is not None
            assert login.stderr is not None
            login.stdin.write(f"{CLIENT}\n{SECRET}\n")
            login.stdin.flush()
            said = ""
            for line in login.stderr:
                said += line
                if line.startswith("Allow it here: "):
                    person(portal)(line.removeprefix("Allow it here: ").strip())
            assert login.wait() == 0, said
        fetched = subprocess.run([*command[:3], "fetch"], env=env, capture_output=True, text=True, check=False)
        assert fetched.returncode == 0, fetched.stderr
        assert "statements" in fetched.stdout
        secrets = [one.encode() for one in (*portal.secrets(), SECRET)]
        assert len(secrets) > 5
        assert traced_below(tmp_path, *secrets) == []
        assert traced((said + fetched.stdout + fetched.stderr).encode(), *secrets) == []


def test_secrets_are_in_no_file_and_no_text(asking: AskingApi, portal: Portal, clock: Clock, tmp_path: Path) -> None:
    standing = asking.fetch(NOW)
    clock.now = ENDED
    later = asking.fetch(ENDED)
    portal.faults = Faults(forbidden=True)
    failed = asking.fetch(ENDED + DAY)
    secrets = [one.encode() for one in (*portal.secrets(), SECRET)]
    assert traced_below(tmp_path, *secrets) == []
    assert traced(repr((standing, later, failed, asking, asking.grant)).encode(), *secrets) == []
    assert not any(secret.decode() in str(one.query) for one in portal.requests for secret in secrets)
