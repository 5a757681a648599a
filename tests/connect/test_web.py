"""Asking over HTTP: a real server on a real socket that misbehaves in each way; nothing takes for ever or gets lost."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bedrot.connect.states import NotFetched, State
from bedrot.connect.web import Limits, Reply, Web, retry_after
from bedrot.errors import Defect

LIMITS = Limits(seconds=1.5, bytes=1000, tries=2, gap=0, patience=1, requests=3)
Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """A server that reads a request and then talks as it is told to, to each who comes."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                met, _ = listening.accept()
            except OSError:
                return
            with met:
                met.settimeout(5)
                try:
                    met.recv(65536)
                    talk(met)
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        done.set()
        listening.close()


def says(text: str) -> Talk:
    return lambda met: met.sendall(text.replace("\n", "\r\n").encode())


def trickling(what: bytes) -> Talk:
    def talk(met: socket.socket) -> None:
        for _ in range(400):
            met.sendall(what)
            time.sleep(0.02)

    return talk


def ask(base: str, limits: Limits = LIMITS, url: str = "https://service.test/a") -> Reply:
    with Web({"service.test": base}, limits) as web:
        return web.get(url, lambda _reply: None, params={}, headers={})


def refused(talk: Talk, limits: Limits = LIMITS) -> NotFetched:
    with server(talk) as base, pytest.raises(NotFetched) as wrong:
        ask(base, limits)
    return wrong.value


OK = "HTTP/1.1 200 OK\nContent-Length: 2\nConnection: close\n\n{}"


def test_a_whole_answer_comes_through() -> None:
    with server(says(OK)) as base:
        reply = ask(base)
    assert (reply.status, reply.body, reply.json()) == (200, b"{}", {})


@pytest.mark.parametrize(
    ("talk", "state"),
    [
        (says("HTTP/1.1 200 OK\nContent-Length: 20\nConnection: close\n\n{}"), State.UNREACHABLE),
        (says(""), State.UNREACHABLE),
        (says("not HTTP at all\n\n"), State.UNREACHABLE),
        (trickling(b"x"), State.UNREACHABLE),
        (trickling(b"HTTP/1.1 200 OK\r\nA: b\r\n"), State.UNREACHABLE),
        (says(f"HTTP/1.1 200 OK\nContent-Length: 1001\nConnection: close\n\n{'x' * 1001}"), State.CHANGED),
        (says("HTTP/1.1 302 Found\nLocation: http://elsewhere.test/\nContent-Length: 0\n\n"), State.CHANGED),
        (says("HTTP/1.1 401 No\nContent-Length: 0\nConnection: close\n\n"), State.EXPIRED),
        (says("HTTP/1.1 403 No\nContent-Length: 0\nConnection: close\n\n"), State.FORBIDDEN),
        (says("HTTP/1.1 404 No\nContent-Length: 0\nConnection: close\n\n"), State.CHANGED),
        (says("HTTP/1.1 503 No\nContent-Length: 0\nConnection: close\n\n"), State.UNREACHABLE),
        (says("HTTP/1.1 429 No\nRetry-After: 7\nContent-Length: 0\nConnection: close\n\n"), State.THROTTLED),
    ],
)
def test_whatever_it_says_there_is_an_end_and_a_state(talk: Talk, state: State) -> None:
    began = time.monotonic()
    assert refused(talk).state is state
    assert time.monotonic() - began < 20 * LIMITS.seconds


def test_a_body_that_trickles_ends_with_the_deadline() -> None:
    def talk(met: socket.socket) -> None:
        met.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        trickling(b"x")(met)

    assert "1.5 seconds" in refused(talk).sentence or "2 seconds" in refused(talk).sentence


def test_a_failing_service_is_asked_again_and_answers_at_last() -> None:
    answers = iter(["HTTP/1.1 500 No\nContent-Length: 0\nConnection: close\n\n", OK])

    def talk(met: socket.socket) -> None:
        says(next(answers))(met)

    with server(talk) as base:
        assert ask(base, Limits(seconds=5, tries=3, gap=0)).body == b"{}"


def test_no_other_host_is_ever_reached_and_none_without_encryption() -> None:
    with server(says(OK)) as base, pytest.raises(Defect, match="not a host"):
        ask(base, url="https://elsewhere.test/a")
    with pytest.raises(Defect, match="without encryption"):
        Web({"service.test": "http://service.test"})


def test_a_fetch_has_a_budget_of_requests() -> None:
    with server(says(OK)) as base, Web({"service.test": base}, LIMITS) as web:
        for _ in range(LIMITS.requests):
            web.get("https://service.test/a", lambda _reply: None, params={}, headers={})
        with pytest.raises(NotFetched, match="more than 3 requests"):
            web.get("https://service.test/a", lambda _reply: None, params={}, headers={})
        assert web.requests == LIMITS.requests


def test_the_gap_between_requests_is_kept() -> None:
    with server(says(OK)) as base, Web({"service.test": base}, Limits(gap=0.2)) as web:
        began = time.monotonic()
        for _ in range(3):
            web.get("https://service.test/a", lambda _reply: None, params={}, headers={})
        assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7),
        ("", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        ("Wed, 21 Oct 2093 07:28:00 GMT", 604_800),
        ("9" * 5_000, 604_800),
        ("\N{SUPERSCRIPT TWO}", None),
        ("-3", None),
        ("7.5", None),
    ],
    ids=str,
)
def test_what_a_service_asks_to_wait(told: str, seconds: int | None) -> None:
    assert retry_after({"retry-after": told}) == seconds


def test_an_hour_ahead_is_an_hour() -> None:
    ahead = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3590 < (retry_after({"retry-after": ahead}) or 0) <= 3600
