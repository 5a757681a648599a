"""Captures: what a changed page was built like is kept, and nothing of what it said of anybody."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import needs_chromium, tab
from vault_looks import traced

from bedrot.connect.capture import Capture, redacted

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
