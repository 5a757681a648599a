"""What all stand-in portals share: people who log in, their sessions, and all that goes wrong."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from portal_server import Manner, Server
from portal_words import (
    Answer,
    Asked,
    Clock,
    Faults,
    Manners,
    Person,
    Seen,
    Service,
    Why,
    canary,
    json_answer,
    new_person,
    page,
    redirect,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = [
    "SESSION_LASTS", "Answer", "Asked", "Clock", "Faults", "Manners", "Person", "Portal", "Seen", "Service", "Why",
    "canary", "json_answer", "new_person", "page", "redirect",
]  # fmt: skip

SESSION_LASTS = timedelta(days=30)
"""How long the cookie of a session says that it is good."""


@dataclass(frozen=True)
class _Session:
    """Who is logged in, or has given a password and no code yet, and until when."""

    user: str
    until: datetime
    then: str = ""


@dataclass
class _Sessions:
    """The sessions of a portal by the value of their cookie, what ended, and how often each was used."""

    begun: dict[str, _Session] = field(default_factory=dict)
    waiting: dict[str, _Session] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    used: Counter[str] = field(default_factory=Counter)


class Portal:
    """A service played by a server on this machine, as of the now of a clock."""

    url: str = ""

    def __init__(self, service: Service, clock: Callable[[], datetime], faults: Faults | None = None) -> None:
        self.service = service
        self.clock = clock
        self.faults = faults or Faults()
        self.requests: list[Seen] = []
        self._manners = service if isinstance(service, Manners) else Manners()
        self.people: dict[str, Person] = self._manners.people() or {"owner": new_person(service.name)}
        self._sessions = _Sessions()
        self._known: list[str] = []
        self._lock = RLock()

    def __enter__(self) -> Self:
        self._server = Server(self._answer)
        self.url = self._server.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()
        if self._server.failures and error is None:
            raise self._server.failures[0]

    def expire(self) -> None:
        """All sessions end now, and all tokens with them."""
        with self._lock:
            self._sessions.ended |= {*self._sessions.begun, *(one.token for one in self.people.values())}

    def renew(self, user: str) -> str:
        """A person's new token, in the place of the old one."""
        with self._lock:
            self._known.append(self.people[user].token)
            self.people[user] = replace(self.people[user], token=canary(self.service.name, "token"))
            return self.people[user].token

    def secrets(self) -> list[str]:
        """All secrets that this portal ever gave or took."""
        with self._lock:
            told = [secret for one in self.people.values() for secret in (one.password, one.code, one.token)]
            return sorted({*told, *self._known, *self._manners.canaries()} - {""})

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[Answer, Manner]:
        """The answer to a request, and how it is sent."""
        split = urlsplit(target)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        now = self.clock()
        key, user = self._who(headers, now)
        asked = Asked(method, split.path, query, headers, body, user)
        found = self._gate(asked, now)
        found, with_data = (found, False) if found else self._inside(asked, now, key)
        with self._lock:
            self.requests.append(Seen(method, split.path, query, found.status, user))
        if with_data and self.faults.slow:
            return found, "slow"
        return found, "half" if with_data and self.faults.half_body else "whole"

    def _who(self, headers: dict[str, str], now: datetime) -> tuple[str, str | None]:
        """What a request shows to be let in, and whose it is; None where it is nobody's, or no more."""
        bearer = headers.get("authorization", "")
        with self._lock:
            if bearer.startswith("Bearer "):
                key = bearer.removeprefix("Bearer ").strip()
                user = next((name for name, one in self.people.items() if one.token and one.token == key), None)
            else:
                key = _cookie(headers, self._cookie_name("session"))
                session = self._sessions.begun.get(key)
                user = session.user if session and now < session.until else None
            return key, None if key in self._sessions.ended else user

    def _gate(self, asked: Asked, now: datetime) -> Answer | None:
        """What is answered without regard to who asks; None where that matters."""
        if asked.path == "/favicon.ico":
            return Answer(status=204)
        failed = self._failed(asked)
        if failed is not None:
            return failed
        if asked.path in {"/login", "/login/code", "/logout"}:
            return self._log_in(asked, now)
        if self.faults.captcha:
            form = '<form id="captcha" class="captcha"><label><input type="checkbox"> I am not a robot</label></form>'
            return page("Just a moment", f"<h1>Verify you are human</h1>{form}")
        return self.service.open(asked, now, self.faults)

    def _failed(self, asked: Asked) -> Answer | None:
        """The answer of a service that is out of order; None where it is not."""
        if self.faults.maintenance:
            return page("Be right back", "<h1>We'll be back soon</h1><p>Scheduled maintenance is under way.</p>")
        for what in ("broken", "throttled"):
            if self._take(what, asked):
                return self._refuse(what, asked)
        if self.faults.redirect_loop:
            return redirect("/around/2" if asked.path == "/around/1" else "/around/1")
        return None

    def _inside(self, asked: Asked, now: datetime, key: str) -> tuple[Answer, bool]:
        """What is answered to somebody who is logged in, and whether it is data."""
        if asked.person is None or not self._use(key):
            return self._refuse("unauthorised", replace(asked, person=None)), False
        found = self.service.data(asked, now, self.faults)
        if found is None:
            return page("Not found", "<h1>404</h1><p>This page does not exist.</p>", 404), False
        with_data = found.status == 200 and (self._manners.is_data(asked) or not found.kind.startswith("text/html"))
        if with_data and self.faults.forbidden:
            return self._refuse("forbidden", asked), False
        return found, with_data

    def _use(self, key: str) -> bool:
        """Whether a session is still good for one request more."""
        with self._lock:
            self._sessions.used[key] += 1
            most = self.faults.expires_after
            if most is not None and self._sessions.used[key] > most:
                self._sessions.ended.add(key)
            return key not in self._sessions.ended

    def _take(self, what: Literal["broken", "throttled"], asked: Asked) -> bool:
        """Whether this request is one of those that are to fail so."""
        with self._lock:
            left: int = getattr(self.faults, what)
            if left <= 0 or self.faults.only not in asked.path:
                return False
            setattr(self.faults, what, left - 1)
            return True

    def _refuse(self, why: Why, asked: Asked) -> Answer:
        """A refusal in the service's words, or in plain ones; somebody who wants a page is led to the log-in."""
        own = self._manners.refusal(why, asked, self.faults)
        if own is not None:
            return own
        if why == "unauthorised" and not self._manners.is_data(asked):
            asked_for = asked.path + ("?" + urlencode(asked.query) if asked.query else "")
            return redirect(f"/login?next={quote(asked_for, safe='')}")
        status = {"unauthorised": 401, "throttled": 429, "broken": 500, "forbidden": 403}[why]
        wait = (("Retry-After", str(self.faults.retry_after)),) if why == "throttled" else ()
        return json_answer({"error": why}, status, wait)

    def _log_in(self, asked: Asked, now: datetime) -> Answer:
        """The pages of logging in and out; with a second factor a code is asked for after the password."""
        waits = _cookie(asked.headers, self._cookie_name("pending"))
        with self._lock:
            if asked.path == "/logout":
                self._sessions.ended.add(_cookie(asked.headers, self._cookie_name("session")))
                return redirect("/login", f"{self._cookie_name('session')}=; Path=/; Max-Age=0; HttpOnly")
            typed = asked.form() if asked.method == "POST" else {}
            self._known += [typed[name] for name in ("password", "code") if name in typed]
            if asked.path == "/login":
                return self._password(asked, typed, now)
            session = self._sessions.waiting.get(waits)
            if session is None:
                return redirect("/login")
            if typed.get("code") != self.people[session.user].code:
                return _code_form(wrong=bool(typed))
            del self._sessions.waiting[waits]
            return self._begin(session, "session")

    def _password(self, asked: Asked, typed: dict[str, str], now: datetime) -> Answer:
        """The first page of logging in, or where the right password leads."""
        then = typed.get("next") or asked.query.get("next", "")
        then = then if then.startswith("/") and not then.startswith("//") else self._manners.home
        person = self.people.get(typed.get("username", ""))
        if person is None or person.password != typed.get("password"):
            return _password_form(then, wrong=bool(typed))
        kind: Literal["pending", "session"] = "pending" if self.faults.second_factor else "session"
        return self._begin(_Session(typed["username"], now + SESSION_LASTS, then), kind)

    def _begin(self, session: _Session, kind: Literal["pending", "session"]) -> Answer:
        """A session, or one that waits for a code, begins: its cookie is set."""
        value = canary(self.service.name, kind)
        self._known.append(value)
        where = self._sessions.waiting if kind == "pending" else self._sessions.begun
        where[value] = session
        lasts = int(SESSION_LASTS.total_seconds()) if kind == "session" else 600
        cookie = f"{self._cookie_name(kind)}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Lax"
        return redirect("/login/code" if kind == "pending" else session.then, cookie, status=303)

    def _cookie_name(self, kind: Literal["pending", "session"]) -> str:
        """The name of a cookie: each service's own, for browsers share cookies among ports."""
        return f"{self.service.name}_{kind}"


def _cookie(headers: dict[str, str], name: str) -> str:
    """The value of a cookie of a request; blank where it has none."""
    found = SimpleCookie(headers.get("cookie", "")).get(name)
    return found.value if found else ""


def _password_form(then: str, *, wrong: bool) -> Answer:
    """The form that asks for user name and password."""
    said = '<p role="alert">Wrong user name or password.</p>' if wrong else ""
    fields = (
        f'<input type="hidden" name="next" value="{html.escape(then)}">'
        '<label>User name <input name="username" autocomplete="username"></label>'
        '<label>Password <input name="password" type="password" autocomplete="current-password"></label>'
    )
    button = '<button type="submit">Log in</button>'
    return page("Log in", f'<h1>Log in</h1>{said}<form method="post" action="/login">{fields}{button}</form>')


def _code_form(*, wrong: bool) -> Answer:
    """The form that asks for the code of the second factor."""
    said = '<p role="alert">Wrong code.</p>' if wrong else ""
    fields = '<label>Code <input name="code" autocomplete="one-time-code"></label>'
    button = '<button type="submit">Verify</button>'
    body = f'<h1>Enter the code we sent you</h1>{said}<form method="post" action="/login/code">{fields}{button}</form>'
    return page("Verification", body)


def type_in(shown: Page, name: str, password: str, code: str = "") -> None:
    """Give the name and password that a page of logging in asks for, and then a code where there is one."""
    shown.get_by_label("User name").fill(name)
    shown.get_by_label("Password").fill(password)
    shown.get_by_role("button", name="Log in").click()
    if code:
        shown.get_by_label("Code").fill(code)
        shown.get_by_role("button", name="Verify").click()
