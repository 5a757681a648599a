"""Captures: what a changed page was built like is kept, and nothing of what it said of anybody."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import needs_chromium, tab
from vault_looks import traced

from bedrot.connect.capture import Capture, redacted, secrets_of

NOW = datetime(2026, 3, 10, 16, 40, 3, tzinfo=UTC)
COOKIE = "s%3A9f-canary/cookie+Zz"
SIGNED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.sflKxwRJSMeKKF2QT4fw"
SECRETS = (COOKIE, "mara.quell")
PAGE = f"""<!doctype html><html lang="en"><head><title>Numbers of mara.quell</title>
<script>var token = "{SIGNED}"; var cookie = "{COOKIE}";</script><style>.a{{}}</style></head>
<body data-user="mara@quell.example" onload="void '{COOKIE}'">
<h1>Welcome, mara.quell (mara@quell.example)</h1><p>Your balance is 1,234.56 and your friend is Ann Other.</p>
<a id="next" href="/studio/data?session={quote(COOKIE)}#x">Data of 2026</a>
<form id="export" action="/export?token={SIGNED}"><label for="range">Range</label>
<select name="range" id="range"><option>Last 365 days</option></select>
<input name="csrf" type="hidden" value="{SIGNED}"><button class="go">Get data now</button>
<div role="button" aria-label="Write to mara@quell.example">Write</div></form></body></html>"""
BODY = (
    b'{"data": {"mara@quell.example": {"views": 12345, "paid": 1.5, "name": "Ann Other", "gone": null},'
    b'"days": [{"date": "2026-03-01", "open": true}, {"date": "2026-03-02", "open": true}]}}'
)


@needs_chromium
def test_the_build_of_a_page_is_kept_and_nothing_that_it_says_of_anybody(tmp_path: Path) -> None:
    capture = Capture(SECRETS)
    with tab() as page:
        page.set_content(PAGE)
        capture.page(page)
    service = "https://service.example"
    capture.asked([(f"{service}/studio?session={COOKIE}", 200), (f"{service}/api/mara.quell", 404)])
    capture.answer("https://service.example/api/stats?token=x", BODY)
    path = capture.write(tmp_path / "captures", "radio", NOW)
    told = path.read_text(encoding="utf-8")
    for kept in ('id="next" href="/studio/data"', "button", "Get data now", "Last 000 days", 'id="range"', "404 /api/"):
        assert kept in told
    for kept in ('"views": "number"', '"paid": "number"', '"date": "text"', "0 in all"):
        assert kept in told
    secrets = [COOKIE, SIGNED, "mara.quell", "mara@quell", "Ann Other", "1,234.56"]
    assert {one: found for one in secrets if (found := traced(path.read_bytes(), one.encode()))} == {}
    assert "12345" not in told


@pytest.mark.parametrize("around", range(3))
def test_secrets_in_base64_are_blotted_out_too(around: int) -> None:
    coded = base64.b64encode(b"x" * around + COOKIE.encode() + b"y").decode()
    told = redacted(f"a {coded} b", [COOKIE])
    assert base64.b64encode(COOKIE.encode()).decode()[4:-4] not in told
    assert coded not in told


def test_only_the_newest_captures_stay(tmp_path: Path) -> None:
    for day in range(13):
        Capture(()).write(tmp_path, "radio", NOW + timedelta(days=day))
    Capture(()).write(tmp_path, "tape", NOW)
    assert len(list(tmp_path.glob("radio-*.txt"))) == 10
    assert min(tmp_path.glob("radio-*.txt")).name.startswith("radio-20260313")
    assert len(list(tmp_path.glob("tape-*.txt"))) == 1


# ---- what lies in a log-in inside of other texts ----

NESTED = "HarbourNightLetters"
"""A token of letters only, which nothing but being known betrays."""


def coded(how: Callable[[bytes], bytes], padding: str = "=") -> Callable[[object], str]:
    return lambda told: how(json.dumps(told).encode()).decode().replace("=", padding)


WRAPPED: dict[str, Callable[[object], str]] = {
    "json": json.dumps,
    "json-in-json": lambda told: json.dumps({"user": json.dumps({"auth": json.dumps(told)})}),
    "quoted": lambda told: quote(json.dumps(told), safe=""),
    "quoted-in-json": lambda told: json.dumps([quote(json.dumps(told))]),
    "base64": coded(base64.b64encode),
    "base64url-without-padding": coded(base64.urlsafe_b64encode, ""),
    "base64-in-json": lambda told: json.dumps({"at": coded(base64.b64encode)(told)}),
    "marked-base64": lambda told: "base64-" + coded(base64.urlsafe_b64encode, "")(told),
    "marked-quoted": lambda told: quote("j:" + json.dumps(told), safe=""),
    "form": lambda _told: f"kind=bearer&token={NESTED}&ends=never",
}


@pytest.mark.parametrize("how", WRAPPED)
def test_a_token_inside_of_other_texts_is_in_no_capture(tmp_path: Path, how: str) -> None:
    kept = WRAPPED[how]({"id": "a? >é", "tokens": [{"access": NESTED, "until": 1}]})
    local = {"origin": "https://service.example", "localStorage": [{"name": "state", "value": kept}]}
    cookie = {"name": "session", "value": kept, "domain": "service.example"}
    for state in ({"cookies": [], "origins": [local]}, {"cookies": [cookie], "origins": []}):
        capture = Capture(secrets_of(json.dumps(state).encode()))
        capture.asked([(f"https://service.example/studio/{NESTED}/numbers", 200)])
        capture.answer("https://service.example/studio", json.dumps({NESTED: 1, f"of {NESTED}s": "x"}).encode())
        told = capture.write(tmp_path, "radio", NOW).read_bytes()
        assert b"200 /studio/" in told
        assert b'"number"' in told
        assert traced(told, NESTED.encode()) == []


@needs_chromium
def test_a_page_that_tells_a_nested_token_is_kept_without_it(tmp_path: Path) -> None:
    words = f'<button id="{NESTED}" class="go {quote(json.dumps([NESTED]))}">{"Get it " * 7}{NESTED}</button>'
    state = {"origins": [{"localStorage": [{"name": "state", "value": json.dumps({"token": NESTED})}]}]}
    capture = Capture(secrets_of(json.dumps(state).encode()))
    with tab() as page:
        page.set_content(words)
        capture.page(page)
    told = capture.write(tmp_path, "radio", NOW).read_text(encoding="utf-8")
    assert "Get it" in told
    assert [NESTED[:cut] for cut in range(6, len(NESTED)) if NESTED[:cut] in told] == []


@pytest.mark.parametrize("token", ["31415926535897932384", '"HarbourNight"', "Harbour Night", "{not json at all"])
def test_a_token_that_is_no_document_is_a_secret_itself(token: str) -> None:
    assert token in secrets_of(token.encode())


def test_what_is_wrapped_for_ever_ends() -> None:
    told = NESTED
    for _ in range(12):
        told = json.dumps(told)
    deep = json.dumps([told, "[" * 9000, quote(quote(quote(quote(quote("%" * 9))))), "=&" * 99, "e30=", "%" * 99])
    found = secrets_of(deep.encode())
    assert told in found
    assert len(found) < 60


def test_where_secrets_overlap_nothing_of_them_stays() -> None:
    assert redacted("so abcdefghij!", ["abcdef", "defghij"]) == "so …!"
    assert redacted("so abcdefghij!", ["defghij", "abcdef", "ghij"]) == "so …!"
    assert redacted("abcdefabcdef", ["abcdef"]) == "……"
