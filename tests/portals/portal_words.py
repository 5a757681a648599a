"""The words in which portals and services speak: people, requests, answers, what goes wrong, what a service is."""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from urllib.parse import parse_qsl

Why = Literal["unauthorised", "throttled", "broken", "forbidden"]
"""Why a request is not answered with what it asked for."""


@dataclass(frozen=True)
class Person:
    """Somebody who can log in; `account` says whose data it is, `token` stands for a session where one is sent."""

    password: str
    code: str
    account: str
    token: str = ""


@dataclass(frozen=True)
class Asked:
    """One request; names of headers in small letters, `person` the user name of who is logged in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    person: str | None

    def form(self) -> dict[str, str]:
        """The fields of a form that was sent."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What is answered to a request."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Seen:
    """One request that was served, and how it ended."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    person: str | None


@dataclass
class Faults:
    """What goes wrong, changeable while the portal runs; nothing at first."""

    second_factor: bool = False
    """The form for the password is followed by one that asks for a code."""
    captcha: bool = False
    """After logging in, each page and answer is a captcha, with HTTP 200."""
    expires_after: int | None = None
    """A session ends after that many requests that needed it."""
    redirect_loop: bool = False
    """Pages lead to each other for ever."""
    throttled: int = 0
    """So many next requests are told to wait for `retry_after` seconds."""
    retry_after: int = 1
    broken: int = 0
    """So many next requests end in an error of the service."""
    half_body: bool = False
    """Data end in the middle: less comes than their length says."""
    slow: bool = False
    """Data trickle byte by byte, for ever."""
    renamed_field: bool = False
    """A field of the data has another name."""
    moved_button: bool = False
    """What a person presses is at another place and says another word."""
    empty_account: bool = False
    """The account has no data yet."""
    wrong_account: bool = False
    """Who logs in gets another account than expected."""
    maintenance: bool = False
    """Each page and answer says, with HTTP 200, that the service is being looked after."""
    forbidden: bool = False
    """Data are refused: the account's plan or role does not allow them."""
    only: str = ""
    """`throttled` and `broken` are for requests whose path holds this."""


class Service(Protocol):
    """A service that a portal plays."""

    name: str

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Pages and data that need a session; None: there is no such page."""

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Pages that need none, beyond those of logging in; None: not here."""


class Manners:
    """What a service may say besides, by having this as its base; what stands here is what holds for all others."""

    home = "/"
    """Where a person is led after logging in."""

    def people(self) -> dict[str, Person]:
        """Who can log in, by user name; nobody: the portal invents one."""
        return {}

    def canaries(self) -> Sequence[str]:
        """Private things, besides those of logging in, that its answers tell."""
        return ()

    def is_data(self, asked: Asked) -> bool:
        """Whether a request is for data and not for a page."""
        return "/api/" in asked.path or "graphql" in asked.path or "." in asked.path.rpartition("/")[2]

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """The service's own words for a refusal; None: the plain ones."""
        return None


@dataclass
class Clock:
    """A clock that stands until a test moves it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def canary(service: str, what: str) -> str:
    """A secret that is found again wherever it is written."""
    return f"canary-{service}-{what}-{secrets.token_hex(10)}"


def new_person(service: str, account: str = "main") -> Person:
    """Somebody with secrets of their own."""
    return Person(canary(service, "password"), canary(service, "code"), account, canary(service, "token"))


def page(title: str, body: str, status: int = 200) -> Answer:
    """A page; what stands in its body is HTML already."""
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><link rel="icon" href="data:,">'
    text = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'
    return Answer(text.encode(), status)


def json_answer(document: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A document as JSON without blanks."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return Answer(text.encode(), status, "application/json; charset=utf-8", headers)


def redirect(where: str, *cookies: str, status: int = 302) -> Answer:
    """An answer that leads elsewhere and sets these cookies."""
    return Answer(status=status, headers=(("Location", where), *(("Set-Cookie", one) for one in cookies)))
