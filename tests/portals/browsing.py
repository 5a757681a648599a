"""A person at a browser, for tests of the portals: who logs in, saves a file, and gives it to a lake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from portal import Portal, type_in

from bedrot.commands.walk import door_of
from bedrot.config import read_settings
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.accept import Outcome, Told

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@contextmanager
def tab() -> Iterator[Page]:
    """An empty page of a browser of its own."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        try:
            yield running.new_context().new_page()
        finally:
            running.close()


def log_in(shown: Page, portal: Portal, path: str, user: str = "") -> None:
    """Open a page of a portal, and give the name and password that it asks for first."""
    shown.goto(portal.url + path)
    name = user or next(iter(portal.people))
    type_in(shown, name, portal.people[name].password)


@contextmanager
def browser(portal: Portal, path: str, user: str = "") -> Iterator[Page]:
    """A page of a portal in a browser, after its person has logged in."""
    with tab() as shown:
        log_in(shown, portal, path, user)
        expect(shown.get_by_label("Password")).to_have_count(0)
        yield shown


@contextmanager
def client(portal: Portal, user: str = "") -> Iterator[httpx.Client]:
    """A client without a page, after its person has logged in."""
    name = user or next(iter(portal.people))
    with httpx.Client(base_url=portal.url, follow_redirects=True, timeout=60, trust_env=False) as asking:
        asking.post("/login", data={"username": name, "password": portal.people[name].password})
        yield asking


def state_of(portal: Portal, user: str = "") -> bytes:
    """A log-in without a window: the cookies that a portal gives, kept as a browser keeps them."""
    with client(portal, user) as person:
        cookies = [
            {"name": one.name, "value": one.value, "domain": "127.0.0.1", "path": "/", "expires": -1}
            | {"httpOnly": True, "secure": False, "sameSite": "Lax"}
            for one in person.cookies.jar
        ]
    return json.dumps({"cookies": cookies, "origins": []}).encode()


def saved(page: Page, press: str, folder: Path) -> Path:
    """The file that comes when something is pressed, under the name that the server gave to it."""
    with page.expect_download() as coming:
        page.locator(press).click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def offered(path: Path, root: Path, account: str | None = None, exported_at: str = "") -> list[Outcome]:
    """What the door of a new lake says of a file, and of what a person says with it."""
    told = Told(account, datetime.fromisoformat(exported_at) if exported_at else None)
    lake = Lake.create(root)
    settings = read_settings(lake.root / "bedrot.toml")
    with Ledger(lake.ledger_path) as ledger:
        return list(door_of(lake, ledger, settings, find_sources(), told).offer([path]))
