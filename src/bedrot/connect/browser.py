"""Asking a service through its own pages: one browser for one account and fetch, driven for a person who logged in.

A log-in is taken from the vault and given back to it in memory; nothing of it is written to a file by us, and the
browser's own profile is a folder of its own that is gone when it closes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser as Running
from playwright.sync_api import BrowserContext, Error, Page, Request, Response, sync_playwright
from playwright.sync_api import Download as Saving
from playwright.sync_api import TimeoutError as TookTooLong

from bedrot.connect.states import NotFetched, State, challenged, forbidden, logged_out
from bedrot.connect.unstarted import unstarted
from bedrot.connect.web import Limits, retry_after, throttled

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update",
)  # fmt: skip
_ASKING = ("document", "fetch", "xhr")
_CAPTCHA = "captcha"
_BECAME_A_FILE = "net::ERR_ABORTED"
_ENDED = ("completed", "canceled")
"""How a download ends, in the browser's words."""
_REST = 900
"""Seconds not to ask again, where a service that is asked too often does not say how many."""
_LOG_IN = "input[type=password]"
_ENTRANCE = re.compile(
    r"((log|sign)[-_]?(in|on|up|out)|o?auth2?|authenticat(e|ion)|authoriz(e|ation)|sso"
    r"|verify|verification|challenge|captcha|2fa|mfa|otp|passwords?)(?![a-z])",
    re.IGNORECASE,
)
"""How a part of a path begins, below a page, where somebody is to log in there."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a page gave: the name that the service gave to it, and where it lies until the browser closes."""

    name: str
    path: Path


@dataclass
class Browser:
    """A browser as a context; `places` says where each host is reached, `state` is the log-in (None: nobody's).

    `requests` counts pages and answers that were asked for; what failed is in `failed`.
    """

    places: Mapping[str, str]
    state: bytes | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    visible: bool = False
    requests: int = 0
    answers: list[Response] = field(default_factory=list, repr=False)
    failed: list[str] = field(default_factory=list)
    _open: int = 0
    _bodies: dict[Response, bytes] = field(default_factory=dict, repr=False)
    _coming: list[Saving] = field(default_factory=list, repr=False)

    def __enter__(self) -> Self:
        program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        with ExitStack() as closing:
            playwright = sync_playwright().start()
            closing.callback(playwright.stop)
            try:
                running = playwright.chromium.launch(
                    executable_path=program, headless=not self.visible, args=[*_QUIET, *as_root]
                )
            except Error as wrong:
                raise unstarted(str(wrong)) from wrong
            closing.callback(running.close)
            self._context = self._inside(running)
            self._until = time.monotonic() + self.limits.seconds
            self.page = self._context.new_page()
            self.page.set_default_timeout(self.limits.seconds * 1000 / 4)
            self.page.on("request", self._count)
            self.page.on("requestfinished", self._finished)
            self.page.on("requestfailed", self._broken)
            self.page.on("download", self._came)
            self._closing = closing.pop_all()
        return self

    def _inside(self, running: Running) -> BrowserContext:
        """A context with the log-in; NotFetched where the browser does not take it."""
        if self.state is None:
            return running.new_context(service_workers="block")
        state: Any = None
        with suppress(ValueError):
            state = json.loads(self.state)
        try:
            if isinstance(state, dict):  # of a text the browser would think that it names a file
                return running.new_context(storage_state=state, service_workers="block")  # type: ignore[arg-type]
        except Error:
            if not running.is_connected():
                raise
        raise NotFetched(State.EXPIRED, "The log-in that is kept cannot be used.", "Log in again.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def kept(self) -> bytes:
        """The log-in as it is now, for the vault."""
        return json.dumps(self._context.storage_state()).encode()

    def expires(self) -> float | None:
        """When the first of the log-in's lasting cookies ends, in seconds since 1970; None where none tells."""
        ends = [one.get("expires", -1) for one in self._context.cookies()]
        return min((end for end in ends if end > 0), default=None)

    def open(self, url: str) -> Page:
        """The page of a URL, or one below it to which it leads; NotFetched with the state where another one came."""
        parts = urlsplit(url)
        wanted = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            answer = self.page.goto(self.places[str(parts.hostname)] + wanted, wait_until="domcontentloaded")
        except TookTooLong as slow:
            raise NotFetched(State.UNREACHABLE, "The page did not come in time.", "Try again later.") from slow
        except Error as wrong:
            raise self._unopened(str(wrong)) from wrong
        self.refuse(answer)
        if not self.shows(url):
            raise logged_out()
        return self.page

    def shows(self, url: str) -> bool:
        """Whether the page of a URL is shown, or one below it where nobody is asked to log in."""
        asked, now = urlsplit(url), urlsplit(self.page.url)
        wanted, shown = asked.path.rstrip("/"), now.path.rstrip("/")
        if shown == wanted:
            return True
        there = urlsplit(self.places[str(asked.hostname)])
        if not wanted or not shown.startswith(f"{wanted}/") or now.netloc != there.netloc:
            return False
        below = shown.removeprefix(f"{wanted}/").split("/")
        return not any(map(_ENTRANCE.match, below)) and not self.page.locator(_LOG_IN).filter(visible=True).count()

    def _unopened(self, said: str) -> NotFetched:
        """What it means that a page could not be opened."""
        if "ERR_TOO_MANY_REDIRECTS" in said:
            return NotFetched(State.CHANGED, "The service's pages lead to each other for ever.", "Try again later.")
        return NotFetched(State.UNREACHABLE, "The page could not be opened.", "Try again later.")

    def refuse(self, answer: Response | int | None) -> None:
        """NotFetched for an answer, or for its HTTP status alone, and for a page that wants to see a person."""
        status = answer.status if isinstance(answer, Response) else answer or 0
        if self.page.locator(f"form[id*={_CAPTCHA}], iframe[src*={_CAPTCHA}]").count():
            raise challenged()
        if status == 429:
            told = retry_after(answer.headers) if isinstance(answer, Response) else None
            raise throttled(_REST if told is None else told).wrong
        if status == 401:
            raise logged_out()
        if status == 403:
            raise forbidden()
        if status >= 500:
            raise NotFetched(State.UNREACHABLE, f"The service fails at the moment (HTTP {status}).", "Try again later.")
        if status >= 400:
            raise NotFetched(State.CHANGED, f"The page is not where it used to be (HTTP {status}).")

    @property
    def over(self) -> bool:
        """Whether the time of the whole fetch is over."""
        return time.monotonic() > self._until

    def wait(self, for_what: Callable[[], bool], sentence: str) -> None:
        """Wait until something is so; NotFetched with that sentence where the fetch's time is over before."""
        while not for_what():
            if self.over:
                state = State.UNREACHABLE if self.failed or self._open else State.CHANGED
                raise NotFetched(state, sentence, "Try again later.")
            self.page.wait_for_timeout(50)

    def body(self, answer: Response) -> bytes:
        """The body of an answer, got from the browser once however often it is asked for."""
        if answer not in self._bodies:
            self._bodies[answer] = answer.body()
        return self._bodies[answer]

    def pages(self, since: int) -> list[Response]:
        """The answers from a place on that are pages themselves, and not what a page asked for."""
        found = [one for one in self.answers[since:] if one.request.is_navigation_request()]
        return [one for one in found if one.frame == self.page.main_frame]

    def press(self, what: str) -> None:
        """Press what says these words; NotFetched where there is no such thing."""
        with self.using(what) as page:
            page.get_by_text(what, exact=True).first.click()

    @contextmanager
    def using(self, what: str) -> Iterator[Page]:
        """The page, to use something on it that a person calls `what`; NotFetched where it is not there any more."""
        try:
            yield self.page
        except Error as missing:
            self.refuse(0)
            raise NotFetched(State.CHANGED, f"The page has no '{what}' to press any more.") from missing

    def download(self, press: Callable[[Page], None], what: str) -> Download:
        """The file that comes when `press` uses what a person calls `what`; NotFetched where it does not come whole.

        The time of the whole fetch and the size of an answer bound it, also of a file that trickles; a page that comes
        instead is looked at.
        """
        seen, told, self._coming = len(self.answers), dict[str, Any](), []
        watch = self._context.new_cdp_session(self.page)

        def note(now: dict[str, Any]) -> None:
            if now["receivedBytes"] < told.get("receivedBytes", 0):
                self.requests += 1
                told["broke"] = True
            told.update(now)

        watch.on("Page.downloadProgress", note)
        watch.send("Page.enable")
        try:
            with self.using(what) as page:
                press(page)
            while not (self._coming and told.get("state") in _ENDED):
                self._look_instead(seen, what)
                if "broke" in told:  # the browser by itself asks five times more
                    raise NotFetched(State.UNREACHABLE, "The file did not come whole.", "Try again later.")
                if told.get("receivedBytes", 0) > self.limits.bytes:
                    raise NotFetched(State.CHANGED, f"The file of '{what}' is larger than any that bedrot expects.")
                if self.over:
                    raise NotFetched(State.UNREACHABLE, f"'{what}' brought no file in time.", "Try again later.")
                self.page.wait_for_timeout(50)
            return self._whole(self._coming[0], what)
        except Error as wrong:
            raise NotFetched(State.UNREACHABLE, f"'{what}' brought no file.", "Try again later.") from wrong
        finally:
            watch.detach()

    def _whole(self, came: Saving, what: str) -> Download:
        """A download that has ended, if it came whole."""
        path = came.path() if came.failure() is None else None
        if path is None:
            raise NotFetched(State.UNREACHABLE, "The file did not come whole.", "Try again later.")
        if path.stat().st_size > self.limits.bytes:
            raise NotFetched(State.CHANGED, f"The file of '{what}' is larger than any that bedrot expects.")
        return Download(PurePosixPath(came.suggested_filename).name, path)

    def _look_instead(self, seen: int, what: str) -> None:
        """NotFetched where a page came in the place of a file, and says why there is none."""
        pages = self.pages(seen)
        if not pages or self._coming:
            return
        self.refuse(pages[-1])
        if self.page.locator(_LOG_IN).count():
            raise logged_out()
        if self.over:
            raise NotFetched(State.CHANGED, f"'{what}' brought a page and no file.")

    def _came(self, coming: Saving) -> None:
        self._coming.append(coming)

    def _count(self, request: Request) -> None:
        if request.resource_type in _ASKING:
            self.requests += 1
            self._open += 1

    def _finished(self, request: Request) -> None:
        answer = None
        with suppress(Error):  # the browser may be closing
            answer = request.response()
        if answer is not None and request.resource_type in _ASKING:
            self.answers.append(answer)
            self._open -= 1

    def _broken(self, request: Request) -> None:
        if request.resource_type in _ASKING:
            self._open -= 1
            if request.resource_type != "document" or request.failure != _BECAME_A_FILE:
                self.failed.append(urlsplit(request.url).path)
