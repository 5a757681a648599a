"""Commands about log-ins at the services: login, logout, sessions."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, err, opened, out, show
from bedrot.errors import Defect, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    from bedrot.connect.fetch import places_of
    from bedrot.connect.states import command
    from bedrot.connect.vault import Session

    with opened(lake) as (found, _ledger, settings):
        asked, connector = _connector(found, settings, source)
        whose = account_of(settings, source, account)
        vault = open_own_vault()
        err.print(escape(connector.how))
        places = places_of(connector, settings, source)
        secret, until = _logged_in(connector, places, settings, f"{asked.title}, {whose}", source)
        vault.put(Session(source, whose, connector.kind, secret, datetime.now(UTC), until))
    out.print(escape(f"Kept. Next: {command('fetch', source, whose)}"))


@app.command()
def logout(source: SourceArgument, account: AccountOption = None, lake: LakeOption = None) -> None:
    """Forget a log-in; what was fetched stays."""
    with opened(lake) as (_found, _ledger, settings):
        whose = account_of(settings, source, account)
    if not open_own_vault().remove(source, whose):
        raise Misconfigured(f"There is no log-in for {source}, {whose}.", "See which there are: bedrot sessions.")
    out.print(escape(f"Forgotten: {source}, {whose}. It may still be good at the service: end it there too."))


@app.command()
def sessions(as_json: JsonOption = False) -> None:
    """Whose log-ins are kept, since when, and until when as far as they tell."""
    rows = [
        {
            "source": one.source,
            "account": one.account,
            "kind": one.kind,
            "since": one.since.date().isoformat(),
            "until": one.until.date().isoformat() if one.until else None,
        }
        for one in open_own_vault().sessions()
    ]
    show(rows, as_json=as_json, empty="No log-in is kept. Make one: bedrot login SOURCE")


def _logged_in(
    connector: Connector, places: Mapping[str, str], settings: Settings, whose: str, source: str
) -> tuple[bytes, datetime | None]:
    """What lets us in, from the person: a window in which they log in, what they allow in their browser, or a token."""
    from bedrot.config import Connect
    from bedrot.connect.web import Limits

    if connector.kind == "browser":
        from bedrot.connect.browser import Browser

        with Browser(places, None, Limits(seconds=_A_PERSON), visible=True) as browser:
            return log_in(browser, connector, lambda _browser: None)
    if connector.oauth is None:
        return _secret(f"Token for {whose}").encode(), None
    client = _secret(f"Client id for {whose}"), _secret("Its secret; nothing where it has none", may_lack=True)
    port = settings.connect.get(source, Connect()).port
    return allow(connector, places, client, _show, now=datetime.now(UTC), seconds=_A_PERSON, port=port), None


def log_in(browser: Browser, connector: Connector, act: Callable[[Browser], None]) -> tuple[bytes, datetime | None]:
    """The log-in that a person makes in a window, and until when it lasts; `act` is what the person does there."""
    host, path = urlsplit(connector.page).hostname or "", urlsplit(connector.page).path
    browser.page.goto(browser.places[host] + path)
    act(browser)
    browser.wait(lambda: urlsplit(browser.page.url).path == path, "Nobody logged in.")
    if connector.item:
        browser.wait(lambda: item_in(browser.kept(), connector.item) is not None, "The page kept no log-in.")
    kept = browser.kept()
    ends = [browser.expires(), ending(item_in(kept, connector.item) or "")]
    until = min((end for end in ends if end is not None), default=None)
    return kept, datetime.fromtimestamp(until, UTC) if until else None


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
    try:
        from bedrot.connect.vault import open_vault
    except ImportError as missing:
        raise Misconfigured(
            "What asking the services needs is not installed.", 'Install it: pip install "bedrot[connect]".'
        ) from missing
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


def _secret(prompt: str, *, may_lack: bool = False) -> str:
    """What a person pastes, unseen; from a pipe the next line. Never from the command line, which others can see."""
    told = (
        typer.prompt(prompt, default="" if may_lack else None, hide_input=True, show_default=False, err=True)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    if not told.strip() and not may_lack:
        raise Misconfigured("No token was given.", "Paste it when you are asked for it.")
    return str(told).strip()
