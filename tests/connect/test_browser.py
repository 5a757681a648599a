"""The browser by itself: what it leaves behind, what is the asked page, how long it rests, and why it did not start."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import playwright.sync_api
import pytest
from asking import Asking
from browsing import needs_chromium
from linktree_portal import Linktree
from portal import Answer, Asked, Clock, Faults, Manners, Portal, page, redirect
from test_canaries import LINUX, descendants
from tiktok_portal import FILE, PAGE, TikTok

from bedrot.commands import connect
from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector
from bedrot.connect.states import NotFetched, State
from bedrot.connect.web import Limits
from bedrot.demo.label import invent
from bedrot.demo.links import pages
from bedrot.demo.social import account as account_of
from bedrot.demo.tiktok_tables import Export
from bedrot.errors import Misconfigured

LABEL = invent(7)
NOW = datetime(2026, 3, 10, 16, 40, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = Limits(seconds=20)
HOST = "radio.example"
STUDIO = "/studio/numbers"
pytestmark = [needs_chromium]


@dataclass
class Radio(Manners):
    """A service without log-in whose pages are what a test says."""

    name: str = "radio"
    pages: dict[str, Answer] = field(default_factory=dict)

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        return self.pages.get(asked.path)

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        return None


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    with Portal(Radio(), Clock(NOW)) as running:
        yield running


@pytest.fixture(scope="module")
def radio(portal: Portal) -> Radio:
    assert isinstance(portal.service, Radio)
    return portal.service


@pytest.fixture
def browser(portal: Portal) -> Iterator[Browser]:
    with Browser({HOST: portal.url}, None, LIMITS) as running:
        yield running


def some(names: Iterable[str], short: str) -> list[object]:
    """Cases by their names, all but one of them in the long run only."""
    return [pytest.param(one, marks=() if one == short else pytest.mark.slow) for one in names]


# ---- which page is the asked one ----

WORDS = page("Numbers", "<h1>Numbers</h1>")
FORM = page("Hello", '<form><input type="password" name="p"></form>')
HIDDEN = page("Settings", '<h1>Numbers</h1><form hidden><input type="password" name="p"></form>')
LEADS = {
    STUDIO: (WORDS, True),
    f"{STUDIO}/": (WORDS, True),
    f"{STUDIO}/overview": (WORDS, True),
    f"{STUDIO}/overview/week/": (WORDS, True),
    f"{STUDIO}/authors": (WORDS, True),
    f"{STUDIO}/settings": (HIDDEN, True),
    f"{STUDIO}/login": (WORDS, False),
    f"{STUDIO}/Sign-In.php": (WORDS, False),
    f"{STUDIO}/overview/log_in/": (WORDS, False),
    f"{STUDIO}/oauth2/start": (WORDS, False),
    f"{STUDIO}/verify": (WORDS, False),
    f"{STUDIO}/hello": (FORM, False),
    f"{STUDIO}-login": (WORDS, False),
    "/studio": (WORDS, False),
    "/": (WORDS, False),
    "/elsewhere/studio/numbers/overview": (WORDS, False),
}


def opened(browser: Browser, path: str) -> State | None:
    """None where the page was accepted, else the state that is said."""
    try:
        browser.open(f"https://{HOST}{path}")
    except NotFetched as wrong:
        return wrong.state
    return None


def test_a_page_below_the_asked_one_is_it_and_a_log_in_is_not(browser: Browser, radio: Radio) -> None:
    found = {}
    for path, (shown, _) in LEADS.items():
        radio.pages = {"/start" + STUDIO: WORDS, path: shown}
        if path != STUDIO:
            radio.pages[STUDIO] = redirect(path)
        found[path] = opened(browser, STUDIO)
    assert found == {path: None if good else State.EXPIRED for path, (_, good) in LEADS.items()}


def test_nothing_is_below_the_first_page_of_all(browser: Browser, radio: Radio) -> None:
    radio.pages = {"/": redirect("/hello"), "/hello": WORDS}
    assert opened(browser, "/") is State.EXPIRED
    radio.pages = {"/": WORDS}
    assert opened(browser, "/") is None


def test_what_is_below_at_another_host_is_not_the_page(browser: Browser, radio: Radio, portal: Portal) -> None:
    other = portal.url.replace("127.0.0.1", "localhost")
    radio.pages = {STUDIO: redirect(f"{other}{STUDIO}/overview"), f"{STUDIO}/overview": WORDS}
    assert opened(browser, STUDIO) is State.EXPIRED
    assert browser.page.url == f"{other}{STUDIO}/overview"


class Leading(TikTok):
    """TikTok Studio, whose page leads to its first tab."""

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        return redirect(f"{PAGE}/overview") if asked.path == PAGE else super().data(asked, now, faults)


@pytest.mark.slow
def test_a_person_and_a_fetch_are_led_to_the_first_tab(tmp_path: Path) -> None:
    artist = LABEL.artists[1]
    with Portal(Leading(LABEL), Clock(NOW)) as portal:
        asking = Asking(tmp_path, "tiktok", artist.handles[-1], portal.url, Limits(seconds=40))
        asking.person(portal, NOW - HOUR, artist.handles[-1])
        standing = asking.fetch(NOW)
        assert standing.state == "provisional", standing.sentence
        asking.walk(NOW)
        assert f"{PAGE}/overview" in [one.path for one in portal.requests]
    whose, dates = account_of(LABEL, artist), Export(artist, "", "Overview", NOW, 365).dates
    told = [(day, whose.day(day).counts.views, whose.day(day).counts.likes) for day in dates]
    assert asking.rows("SELECT day, views, likes FROM social_daily ORDER BY day") == told


def test_a_person_who_closes_the_window_is_told_so(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in = connect.log_in
    monkeypatch.setattr(connect, "log_in", lambda shown, asked, _: log_in(shown, asked, lambda one: one.page.close()))
    monkeypatch.setattr("bedrot.connect.browser.Browser", lambda *given, visible: Browser(*given, visible=not visible))
    asked = Connector((HOST,), "browser", "Log in.", page=f"https://{HOST}{STUDIO}")
    hidden: list[str] = []
    with pytest.raises(NotFetched, match="The window was closed, or its page could not be opened"):
        connect._in_a_window(connect._Asked(asked, {HOST: portal.url}, "radio, main", 0, hidden.extend))
    assert hidden == []


# ---- how long it rests ----


def told_at(now: datetime) -> dict[str, tuple[str | None, range]]:
    """What a service says of when to ask again, and the seconds that this may be."""
    return {
        "seconds": ("7", range(7, 8)),
        "an hour": ("3600", range(3600, 3601)),
        "a date": (format_datetime(now + HOUR, usegmt=True), range(3500, 3601)),
        "words": ("soon", range(900, 901)),
        "nothing": (None, range(900, 901)),
    }


def test_it_rests_as_long_as_the_service_says(browser: Browser, radio: Radio) -> None:
    for told, seconds in told_at(datetime.now(UTC)).values():
        headers = (("Retry-After", told),) if told else ()
        radio.pages = {STUDIO: Answer(b"{}", 429, "application/json", headers)}
        with pytest.raises(NotFetched) as wrong:
            browser.open(f"https://{HOST}{STUDIO}")
        assert wrong.value.state is State.THROTTLED
        assert wrong.value.rest in seconds
        assert f"try again in {-(-wrong.value.rest // 60)} minutes" in wrong.value.do
    with pytest.raises(NotFetched, match="in 15 minutes"):
        browser.refuse(429)
    browser.refuse(200)
    browser.refuse(None)


ASKED = {"a page": ("linktree", "admin"), "an answer": ("linktree", "graphql"), "a file": ("tiktok", FILE)}


@pytest.mark.parametrize("asked", some(ASKED, "an answer"))
def test_a_fetch_is_not_due_before_that(tmp_path: Path, asked: str) -> None:
    source, only = ASKED[asked]
    service = Linktree(LABEL) if source == "linktree" else TikTok(LABEL)
    account = pages(LABEL)[0].name if source == "linktree" else LABEL.artists[1].handles[-1]
    with Portal(service, Clock(NOW), Faults(throttled=9, only=only, retry_after=7200)) as portal:
        asking = Asking(tmp_path, source, account, portal.url, LIMITS)
        asking.cookie(portal, NOW - HOUR, account)
        standing = asking.fetch(NOW)
        assert (standing.state, standing.after) == ("throttled", NOW + 2 * HOUR)
        assert "try again in 120 minutes" in standing.do
        seen = len(portal.requests)
        assert asking.fetch(NOW + 119 * HOUR / 60).state == "throttled"
        assert len(portal.requests) == seen
        portal.faults.throttled = 0
        portal.clock.now = NOW + 2 * HOUR  # type: ignore[attr-defined]
        assert asking.fetch(NOW + 2 * HOUR).state == "provisional"


# ---- what it leaves behind ----


def left(before: set[int]) -> set[int]:
    """Processes that were started since, and still are; they get some time to end."""
    until = time.monotonic() + 10
    while (found := set(descendants(os.getpid())) - before) and time.monotonic() < until:
        time.sleep(0.05)
    return found


STATES = {
    "a cookie that ends before all time": {
        "cookies": [{"name": "s", "value": "canary", "domain": "x", "path": "/", "expires": -7}]
    },
    "a cookie without value": {"cookies": [{"name": "canary"}]},
    "a page that is none": {"origins": [{"origin": "canary", "localStorage": [{"name": "a", "value": "b"}]}]},
    "a list": ["canary"],
    "a text": "canary",
    "nothing": None,
}


@LINUX
@pytest.mark.parametrize("state", some(STATES, "a cookie that ends before all time"))
def test_a_log_in_that_the_browser_refuses_leaves_no_process(portal: Portal, state: str) -> None:
    before = set(descendants(os.getpid()))
    failed = Browser({HOST: portal.url}, json.dumps(STATES[state]).encode(), LIMITS)
    with pytest.raises(NotFetched, match="cannot be used") as wrong, failed:
        pass
    assert left(before) == set()
    assert (wrong.value.state, wrong.value.do) == (State.EXPIRED, "Log in again.")
    assert wrong.value.__context__ is None or "canary" not in str(wrong.value.__context__)


@LINUX
@pytest.mark.parametrize("failing", some(["new_context", "new_page"], "new_page"))
def test_a_browser_that_fails_early_leaves_no_process(
    portal: Portal, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(descendants(os.getpid()))
    kind = playwright.sync_api.Browser if failing == "new_context" else playwright.sync_api.BrowserContext

    def fails(*_: object, **__: object) -> None:
        raise playwright.sync_api.Error("it fails")

    failed = Browser({HOST: portal.url}, None, LIMITS)
    with monkeypatch.context() as patch:
        patch.setattr(kind, failing, fails)
        with pytest.raises(playwright.sync_api.Error, match="it fails"):
            failed.__enter__()
    assert left(before) == set()
    with Browser({HOST: portal.url}, None, LIMITS):
        assert set(descendants(os.getpid())) > before
    assert left(before) == set()


# ---- why it did not start ----


def said(*, visible: bool = False) -> str:
    """What a person is told where no browser starts."""
    with pytest.raises(Misconfigured) as wrong, Browser({}, None, LIMITS, visible=visible):
        pass
    return str(wrong.value)


def program(folder: Path, script: str) -> None:
    """A browser that is this script, and no other one."""
    folder.mkdir()
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@LINUX
def test_a_folder_with_too_long_a_name_is_said_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="long-") as folder:
        long = Path(folder) / "canary of mine" / ("x" * 110)
        long.mkdir(parents=True)
        monkeypatch.setenv("TMPDIR", str(long))
        told = said()
    assert told == (
        "There is a browser, but it could not be started: Socket path too long: …."
        " Set TMPDIR to a folder with a short path, then try again."
    )


@LINUX
def test_a_window_without_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    told = said(visible=True)
    assert "could not be started: Looks like you launched a headed browser without having a XServer" in told
    assert "A window needs a screen" in told


_LIBRARY = "error while loading shared libraries: libnss3.so: cannot open it"
SCRIPTS = {
    "library": (f"echo '{_LIBRARY}' >&2; exit 127", f"{_LIBRARY}."),
    "fatal": ("echo '[1:1:FATAL:a/b.cc:12] No room in /srv/canary of mine/x' >&2; exit 1", "No room in …."),
    "silent": ("exit 3", "it ended and said nothing."),
}


@LINUX
@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_browser_says_before_it_ends_is_told(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    says, reason = SCRIPTS[script]
    program(tmp_path / "bin", says)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    told = said()
    assert told.startswith(f"There is a browser, but it could not be started: {reason} ")
    assert "canary" not in told


def test_where_there_is_none_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert shutil.which("chromium") is None
    assert said() == "There is no browser that bedrot could open. Install Chromium or Chrome, then try again."
