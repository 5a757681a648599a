"""Commands about log-ins at the services: login, logout, sessions."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, err, opened, out, show
from bedrot.errors import Defect, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bedrot.config import Settings
    from bedrot.connect.browser import Browser
    from bedrot.connect.connector import Connector
    from bedrot.connect.vault import Vault
    from bedrot.contract import Source
    from bedrot.lake.zones import Lake

app = typer.Typer()

_A_PERSON = 900
"""Seconds that a person has to log in."""
SourceArgument = Annotated[str, typer.Argument(help="The service.")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Whose account there.")]


@app.command()
def login(source: SourceArgument, account: AccountOption = None, lake: LakeOption = None) -> None:
    """Keep a log-in of yours in the vault, so that bedrot can ask the service for you."""
    from bedrot.connect.discreet import Discreet
    from bedrot.connect.fetch import places_of
    from bedrot.connect.states import command

    with opened(lake) as (found, _ledger, settings), Discreet() as discreet:
        asked, connector = _connector(found, settings, source)
        whose = account_of(settings, source, account)
        vault = open_own_vault()
        err.print(escape(connector.how))
        places = places_of(connector, settings, source)
        ask = _Asked(connector, places, f"{asked.title}, {whose}", _port(settings, source), discreet.hide)
        _keep(vault, source, whose, ask)
    out.print(escape(f"Kept. Next: {command('fetch', source, whose)}"))


@app.command()
def logout(source: SourceArgument, account: AccountOption = None, lake: LakeOption = None) -> None:
    """Forget a log-in; what was fetched stays."""
    from bedrot.connect.discreet import Discreet

    with opened(lake) as (_found, _ledger, settings):
        whose = account_of(settings, source, account)
    with Discreet():
        known = open_own_vault().remove(source, whose)
    if not known:
        raise Misconfigured(f"There is no log-in for {source}, {whose}.", "See which there are: bedrot sessions.")
    out.print(escape(f"Forgotten: {source}, {whose}. It may still be good at the service: end it there too."))


@app.command()
def sessions(as_json: JsonOption = False) -> None:
    """Whose log-ins are kept, since when, and until when as far as they tell."""
    from bedrot.connect.discreet import Discreet

    with Discreet():
        known = open_own_vault().sessions()
    rows = [
        {
            "source": one.source,
            "account": one.account,
            "kind": one.kind,
            "since": one.since.date().isoformat(),
            "until": one.until.date().isoformat() if one.until else None,
        }
        for one in known
    ]
    show(rows, as_json=as_json, empty="No log-in is kept. Make one: bedrot login SOURCE")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person is asked for: how to get in, for whom; `hide` is told each secret as soon as there is one."""

    connector: Connector
    places: Mapping[str, str]
    whose: str
    port: int
    hide: Callable[[Iterable[str]], None]


def _keep(vault: Vault, source: str, account: str, asked: _Asked) -> None:
    """Put what lets us in into the vault; secrets are variables of this frame and those below, and of none above."""
    from bedrot.connect.vault import Session

    secret, until = _logged_in(asked)
    vault.put(Session(source, account, asked.connector.kind, secret, datetime.now(UTC), until))


def _logged_in(asked: _Asked) -> tuple[bytes, datetime | None]:
    """What lets us in, from the person: a window in which they log in, what they allow in their browser, or a token."""
    from bedrot.connect.capture import secrets_of

    if asked.connector.kind == "browser":
        state, until = _in_a_window(asked)
        asked.hide(secrets_of(state))
        return state, until
    if asked.connector.oauth is None:
        return _secret(f"Token for {asked.whose}", asked.hide).encode(), None
    client = (
        _secret(f"Client id for {asked.whose}"),  # it stands in the address where the person allows it
        _secret("Its secret; nothing where it has none", asked.hide, may_lack=True),
    )
    now = datetime.now(UTC)
    kept = allow(asked.connector, asked.places, client, _show, now=now, seconds=_A_PERSON, port=asked.port)
    asked.hide(secrets_of(kept))
    return kept, None


def _in_a_window(asked: _Asked) -> tuple[bytes, datetime | None]:
    """The log-in that a person makes in a window of a browser; NotFetched where they close it before."""
    from playwright.sync_api import Error

    from bedrot.connect.browser import Browser
    from bedrot.connect.states import NotFetched, State
    from bedrot.connect.web import Limits

    try:
        with Browser(asked.places, None, Limits(seconds=_A_PERSON), visible=True) as browser:
            return log_in(browser, asked.connector, lambda _browser: None)
    except Error as ended:
        sentence = "The window was closed, or its page could not be opened, before anybody had logged in."
        raise NotFetched(State.UNREACHABLE, sentence, "Log in again.") from ended


def _port(settings: Settings, source: str) -> int:
    """Where a browser comes back to, if the settings say."""
    from bedrot.config import Connect

    return settings.connect.get(source, Connect()).port


def log_in(browser: Browser, connector: Connector, act: Callable[[Browser], None]) -> tuple[bytes, datetime | None]:
    """The log-in that a person makes in a window, and until when it lasts; `act` is what the person does there."""
    host, path = urlsplit(connector.page).hostname or "", urlsplit(connector.page).path
    browser.page.goto(browser.places[host] + path)
    act(browser)
    browser.wait(lambda: _arrived(browser, connector.page), "Nobody logged in.")
    if connector.item:
        browser.wait(lambda: item_in(browser.kept(), connector.item) is not None, "The page kept no log-in.")
    kept = browser.kept()
    ends = [browser.expires(), ending(item_in(kept, connector.item) or "")]
    until = min((end for end in ends if end is not None), default=None)
    return kept, datetime.fromtimestamp(until, UTC) if until else None


def _arrived(browser: Browser, page: str) -> bool:
    """Whether a page is shown; not while another one is on its way."""
    from playwright.sync_api import Error

    with suppress(Error):  # a window that is closed is seen by who waits
        return browser.shows(page)
    return False


def item_in(state: bytes, name: str) -> str | None:
    """What a page kept under a name in localStorage, in the state of a browser; None where it kept nothing."""
    told = json.loads(state)
    items = (one for origin in told.get("origins", ()) for one in origin.get("localStorage", ()))
    return next((str(one["value"]) for one in items if name and one["name"] == name and one["value"]), None)


def ending(token: str) -> int | None:
    """When a token says that it ends (RFC 7519), in seconds since 1970; None where it does not say."""
    claims = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except ValueError:
        return None
    ends = told.get("exp") if isinstance(told, dict) else None
    return ends if isinstance(ends, int) and 0 < ends < 10**11 else None


def allow(
    connector: Connector,
    places: Mapping[str, str],
    client: tuple[str, str],
    show: Callable[[str], None],
    *,
    now: datetime,
    seconds: float,
    port: int = 0,
) -> bytes:
    """What a person allows in their own browser, to which `show` gives an address; for the vault."""
    from bedrot.connect.oauth import allowed
    from bedrot.connect.web import Web

    if connector.oauth is None:
        raise Defect("The connector says nowhere to allow anything.", "Report it.")
    with Web(places) as web:
        return allowed(web, connector.oauth, client, show, now=now, seconds=seconds, port=port).kept


def _show(address: str) -> None:
    """Open an address in the person's own browser; it is also said, for those who sit at another computer."""
    import webbrowser

    err.print(escape(f"Allow it here: {address}"))
    with suppress(webbrowser.Error):
        webbrowser.open(address)


def open_own_vault() -> Vault:
    """The person's vault; Misconfigured where what it needs is not installed."""
    from bedrot.connect.discreet import Discreet

    try:
        from bedrot.connect.vault import open_vault
    except ImportError as missing:
        raise Misconfigured(
            "What asking the services needs is not installed.", 'Install it: pip install "bedrot[connect]".'
        ) from missing
    with Discreet():
        return open_vault(None, None)


def _connector(lake: Lake, settings: Settings, name: str) -> tuple[Source, Connector]:
    """A source, and how it is asked."""
    from bedrot.config import Connect
    from bedrot.connect.connector import connector_of
    from bedrot.sources import find_sources

    sources = {one.name: one for one in find_sources(settings.source_folders(lake.root))}
    source = known_source(sources, name)
    connector = connector_of(source, settings.connect.get(name, Connect()).way)
    if connector is None:
        raise Misconfigured(f"{source.title} cannot be asked by a program yet.", "Download its files, and import them.")
    return source, connector


def known_source(sources: dict[str, Source], name: str) -> Source:
    """The source of a name."""
    if name not in sources:
        raise Misconfigured(f"There is no source '{name}'.", f"There are: {', '.join(sorted(sources))}.")
    return sources[name]


def account_of(settings: Settings, source: str, told: str | None) -> str:
    """The account that a person means: the told one, else the only one in the settings."""
    known = settings.accounts_of(source)
    if told is None and len(known) != 1:
        raise Misconfigured(
            f"Whose account at {source} is meant is not clear.",
            f"Say it: --account {' or --account '.join(known) or 'NAME'}.",
        )
    return told if told is not None else known[0]


def _secret(prompt: str, hide: Callable[[Iterable[str]], None] = lambda _: None, *, may_lack: bool = False) -> str:
    """What a person pastes, unseen; from a pipe the next line. Never from the command line, which others can see."""
    told = (
        typer.prompt(prompt, default="" if may_lack else None, hide_input=True, show_default=False, err=True)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    if not told.strip() and not may_lack:
        raise Misconfigured("No token was given.", "Paste it when you are asked for it.")
    hide([told.strip()])
    return str(told).strip()
