"""Being allowed something by a person in their own browser: OAuth 2 with a code and PKCE, for a program on a computer.

The service sends the browser back to a listener on this computer only, once, with a code that is worth nothing without
a secret of this process (RFC 6749, 7636, 8252). A token that has ended is traded for a new one; many services give the
right to do so anew each time and take the old one back at once, so whoever trades keeps the new one before using it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Full, Queue
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from bedrot.connect.states import NotFetched, State, logged_out
from bedrot.connect.web import Reply, Web
from bedrot.errors import Misconfigured

BACK = "/back"
"""Where the browser comes back to; nothing else is answered with anything."""
_AGAIN = "Log in again, and press what allows it."
_HEADERS = {"accept": "application/json"}
_DONE = b"<!doctype html><title>bedrot</title><p>Thank you. You can close this window and go back to bedrot.</p>"


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where a service asks a person to allow something, where it gives tokens for that, and what is asked for."""

    authorize: str
    token: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person allowed, as the vault keeps it: the program's own name and secret there, and the tokens.

    `until` is when `access` ends (None: the service does not say), `refresh` is blank where there is none.
    """

    client: str
    secret: str = field(repr=False)
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    until: datetime | None

    @property
    def kept(self) -> bytes:
        """As bytes, for the vault."""
        return msgspec.json.encode(self)


def grant_of(kept: bytes) -> Grant:
    """The grant that the vault kept; NotFetched where it keeps something else."""
    found: Grant | None = None
    with suppress(msgspec.DecodeError):
        found = msgspec.json.decode(kept, type=Grant)
    if found is None:  # said here: what was raised there knows the text
        raise NotFetched(State.EXPIRED, "The log-in that is kept is of another kind.", "Log in again.")
    return found


def allowed(
    web: Web,
    oauth: OAuth,
    client: tuple[str, str],
    show: Callable[[str], None],
    *,
    now: datetime,
    seconds: float,
    port: int = 0,
) -> Grant:
    """What a person allows in the browser that `show` opens, within so many seconds; NotFetched otherwise.

    `client` is the name and the secret that the service knows the program by; the secret is blank where there is none.
    """
    name, secret = client
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with _Listener(port) as listener:
        asked = {
            "response_type": "code",
            "client_id": name,
            "redirect_uri": listener.url,
            "scope": " ".join(oauth.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        show(f"{_reached(web, oauth.authorize)}?{urlencode(asked)}")
        code = _code(listener.told(seconds), state)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": listener.url, "code_verifier": verifier}
    return _traded(web, oauth, Grant(name, secret, "", "", None), form, now)


def renewed(web: Web, oauth: OAuth, grant: Grant, now: datetime) -> Grant:
    """The grant with new tokens; the old ones are worth nothing any more. NotFetched where a person has to log in."""
    if not grant.refresh:
        raise logged_out()
    return _traded(web, oauth, grant, {"grant_type": "refresh_token", "refresh_token": grant.refresh}, now)


def _traded(web: Web, oauth: OAuth, grant: Grant, form: Mapping[str, str], now: datetime) -> Grant:
    """The grant with the tokens that the service gives for a form."""
    shown = {"client_id": grant.client, **({"client_secret": grant.secret} if grant.secret else {})}
    told = web.post(oauth.token, _judge, params={**form, **shown}, headers=_HEADERS).json()
    told = told if isinstance(told, dict) else {}
    access, refresh = _named(told, "access_token"), _named(told, "refresh_token")
    if not isinstance(access, str) or not access:
        raise NotFetched(State.CHANGED, "The service gave no token, as it used to.", "Report it.")
    lasts = _named(told, "expires_in")
    until = now + timedelta(seconds=lasts) if isinstance(lasts, int) and 0 < lasts < 10**10 else None
    kept = refresh if isinstance(refresh, str) and refresh else grant.refresh
    return Grant(grant.client, grant.secret, access, kept, until)


def _reached(web: Web, url: str) -> str:
    """Where a person reaches a page of the service."""
    return web.places[str(urlsplit(url).hostname)] + urlsplit(url).path


def _named(told: Mapping[str, Any], name: str) -> object:
    """A value of an answer, under its name in the standard or the same with capitals in place of underscores."""
    first, *rest = name.split("_")
    return told.get(name, told.get(first + "".join(one.capitalize() for one in rest)))


def _judge(reply: Reply) -> None:
    """NotFetched where the service takes what was shown no more (RFC 6749, 5.2)."""
    if reply.status in (400, 401):
        raise NotFetched(State.EXPIRED, "The log-in is over: the service does not take it any more.", "Log in again.")


def _code(told: Mapping[str, str], state: str) -> str:
    """The code that came back; NotFetched where none did, or one that was not asked for here."""
    if not secrets.compare_digest(told.get("state", "").encode(), state.encode()):
        raise NotFetched(State.CHANGED, "An answer came that was not asked for here; it was not used.", _AGAIN)
    if told.get("error") or not told.get("code"):
        raise NotFetched(State.FORBIDDEN, "It was not allowed.", _AGAIN)
    return told["code"]


class _Listener:
    """The place on this computer that a browser comes back to, as a context: one answer is taken, then it is closed."""

    def __init__(self, port: int) -> None:
        self._answers: Queue[Mapping[str, str]] = Queue(maxsize=1)
        try:
            self._server = _Server(("127.0.0.1", port), self._answers)
        except OSError as taken:
            raise Misconfigured(
                f"Another program holds the port {port} of this computer.", "End it, or set another `port`."
            ) from taken
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{BACK}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="log-in comes back", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def told(self, seconds: float) -> Mapping[str, str]:
        """What the browser brought back; NotFetched where it did not come within so many seconds."""
        try:
            return self._answers.get(timeout=seconds)
        except Empty as late:
            raise NotFetched(State.UNREACHABLE, "Nobody allowed it in time.", _AGAIN) from late


class _Server(ThreadingHTTPServer):
    """The server of the place, which asks nobody for this computer's name and says nothing."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], answers: Queue[Mapping[str, str]]) -> None:
        self.answers = answers
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Take the address without looking up whose it is."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up is not spoken of."""


class _Handler(BaseHTTPRequestHandler):
    """One connection; a browser opens some in advance and says nothing there."""

    server: _Server
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the line of a request holds the code."""

    def do_GET(self) -> None:
        """Take the first answer at the one path that there is."""
        split = urlsplit(self.path)
        found = split.path == BACK
        if found:
            told = {name: values[0] for name, values in parse_qs(split.query).items()}
            with suppress(Full):
                self.server.answers.put_nowait(told)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        body = _DONE if found else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
