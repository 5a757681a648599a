"""Asking a service over HTTP: allowed hosts only, whole answers only, one deadline over all tries, and gently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec
import stamina

from bedrot.connect.discreet import hush
from bedrot.connect.states import NotFetched, State, forbidden, logged_out, over_budget
from bedrot.errors import Defect

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SEEN = 3
_LONGEST_REST = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is asked.

    Seconds for one question with all its tries, bytes of an answer, tries, seconds between two requests, the longest
    wait that a service may ask for, seconds between two looks at what takes its time, and requests of one fetch.
    """

    seconds: float = 120.0
    bytes: int = 64 << 20
    tries: int = 4
    gap: float = 0.2
    patience: float = 60.0
    poll: float = 10.0
    requests: int = 500


@dataclass(frozen=True)
class Reply:
    """A whole answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; NotFetched where it is none."""
        return self._told

    @cached_property
    def _told(self) -> Any:
        """The same, decoded once however often it is asked for."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as wrong:
            raise NotFetched(State.CHANGED, "The answer is not JSON, as it used to be.") from wrong


@dataclass
class Again(Exception):
    """The same question may be asked once more, after so many seconds (none told: a little later each time)."""

    wrong: NotFetched
    after: int | None = None


Judge = Callable[[Reply], None]
"""Looks at an answer: raises NotFetched, or Again where asking once more may help."""


@dataclass
class Web:
    """One fetch's way to the hosts of a service, as a context; `places` says where each host is reached.

    `requests` counts what was really sent, retries among them; `seen` are the last answers and where they are from.
    """

    places: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    requests: int = 0
    seen: list[tuple[str, Reply]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        for host, base in self.places.items():
            parts = urlsplit(base)
            if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
                raise Defect(f"{host} would be asked without encryption.", "Give its address with https://.")
        hush()
        self._runner = asyncio.Runner()
        self._client: httpx.AsyncClient | None = None
        self._last = -self.limits.gap

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._runner.run(self._client.aclose())
        self._runner.close()

    def get(self, url: str, judge: Judge, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """The answer to a GET, with which `judge` found nothing wrong; NotFetched with the state otherwise."""
        return self._ask("GET", url, judge, params, headers)

    def post(self, url: str, judge: Judge, *, params: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """The same for a POST whose form is `params`."""
        return self._ask("POST", url, judge, params, headers)

    def wait(self, seconds: float) -> None:
        """Let some seconds pass before the next question."""
        self._runner.run(asyncio.sleep(seconds))

    def _ask(self, method: str, url: str, judge: Judge, params: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """Ask until there is an answer, the tries are used up, or the time is."""
        until = time.monotonic() + self.limits.seconds
        try:
            for attempt in stamina.retry_context(
                on=self._wait,
                attempts=self.limits.tries,
                timeout=self.limits.seconds,
                wait_initial=0.5,
                wait_jitter=0.5,
            ):
                with attempt:
                    reply = self._runner.run(self._once(method, self._reached(url), params, headers, until))
                    self.seen = [*self.seen[1 - _SEEN :], (url, reply)]
                    judge(reply)
                    self._refuse(reply)
        except Again as last:
            raise last.wrong from last
        return reply

    def _wait(self, wrong: Exception) -> bool | float:
        """Whether an error is worth another try, or after how many seconds; what takes long is left to another day."""
        if not isinstance(wrong, Again) or (wrong.after or 0) > self.limits.patience:
            return False
        return True if wrong.after is None else wrong.after

    def _reached(self, url: str) -> str:
        """Where a URL is really reached; Defect for a host that this service has not."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host not in self.places:
            raise Defect(f"'{host}' is not a host of this service.", "Report it; nothing was sent.")
        return self.places[host] + parts.path

    async def _once(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str], until: float
    ) -> Reply:
        """One request, its answer read to the end."""
        if self.requests >= self.limits.requests:
            raise over_budget(self.limits.requests)
        await asyncio.sleep(max(0.0, self._last + self.limits.gap - time.monotonic()))
        self._last = time.monotonic()
        self.requests += 1
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=self.limits.seconds)
        query, form = (params, None) if method == "GET" else (None, params)
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                async with self._client.stream(method, url, params=query, data=form, headers=headers) as answer:
                    return Reply(answer.status_code, dict(answer.headers), await self._whole(answer))
        except TimeoutError as slow:
            raise NotFetched(
                State.UNREACHABLE,
                f"The service did not answer within {self.limits.seconds:.0f} seconds.",
                "Nothing was kept; try again later.",
            ) from slow
        except httpx.TransportError as broken:
            wrong = NotFetched(
                State.UNREACHABLE,
                f"The service could not be asked, or its answer broke off ({type(broken).__name__}).",
                "Nothing was kept; try again later.",
            )
            raise Again(wrong) from broken

    async def _whole(self, answer: httpx.Response) -> bytes:
        """All bytes of an answer; NotFetched where they are more than is taken."""
        found = bytearray()
        async for piece in answer.aiter_bytes():
            found += piece
            if len(found) > self.limits.bytes:
                raise NotFetched(
                    State.CHANGED, f"The answer is larger than {self.limits.bytes >> 20} MiB, as none should be."
                )
        return bytes(found)

    def _refuse(self, reply: Reply) -> None:
        """What is wrong at every service, where the judge of this one found nothing."""
        if reply.status == httpx.codes.TOO_MANY_REQUESTS:
            raise throttled(retry_after(reply.headers))
        if reply.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            sentence = f"The service fails at the moment (HTTP {reply.status})."
            raise Again(NotFetched(State.UNREACHABLE, sentence, "Nothing was kept; try again later."))
        if reply.status == httpx.codes.UNAUTHORIZED:
            raise logged_out()
        if reply.status == httpx.codes.FORBIDDEN:
            raise forbidden()
        if reply.status != httpx.codes.OK:
            raise NotFetched(State.CHANGED, f"The service answers differently than it used to (HTTP {reply.status}).")


def throttled(seconds: int | None) -> Again:
    """The error of a service that wants to be asked less, for so many seconds (None: it does not say)."""
    rest = 60 if seconds is None else seconds
    do = f"Nothing was kept; try again in {max(1, -(-rest // 60))} minutes."
    return Again(NotFetched(State.THROTTLED, "The service wants to be asked less often.", do, rest=rest), seconds)


def retry_after(headers: Mapping[str, str]) -> int | None:
    """The seconds that a service asks to wait (RFC 9110: a number of seconds, or a date); None where it does not.

    No wait is longer than a week: what is asked for beyond it is a mistake.
    """
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return int(told) if len(told) <= len(str(_LONGEST_REST)) and int(told) < _LONGEST_REST else _LONGEST_REST
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    wait = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
    return min(max(0, int(wait.total_seconds())), _LONGEST_REST)
