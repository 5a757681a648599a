"""TooLost's portal answers: the lake knows from them what was really played, and they are built as the portal's are."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from orders import digest, digest_elsewhere, shuffled
from walking import Walked

from bedrot.demo import toolost_portal
from bedrot.demo.distribution import MOVED, seen_by_toolost, unpaid
from bedrot.demo.label import LAST_DAY, invent
from bedrot.demo.plays import Plays
from bedrot.demo.toolost_answers import answer_bytes

LABEL = invent(7)
DAY = timedelta(days=1)
SPOTIFY_HEAD = b'{\n  "streams": [\n    {\n      "date": "2025-'
APPLE_HEAD = b'{\n  "totalStreams": [\n    {\n      "date": "2025-'


def documents(store: str) -> dict[datetime, Any]:
    """The answers of a store by the stamp in their names; those of the second account are left out."""
    found = {}
    for one in toolost_portal.arrivals(LABEL):
        named = re.fullmatch(rf"toolost/toolost_{store}_(\d{{8}}_\d{{6}})\.json", one.name)
        if named:
            at = datetime.strptime(named[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
            assert at == one.at
            found[at] = json.loads(one.content())
    return found


def test_in_order_the_lake_knows_what_the_answers_told(tmp_path: Path) -> None:
    walked = Walked(tmp_path / "lake", toolost_portal.arrivals(LABEL))
    assert walked.unplanned() == []
    assert walked.differences(toolost_portal.expected(LABEL)) == []
    silent = unpaid(LABEL)
    assert silent is not None
    with walked.opened() as con:
        assert con.execute("SELECT count(DISTINCT account) FROM streams_daily").fetchall() == [(1,)]
        tracks = con.execute(
            "SELECT streams FROM staging.toolost_tracks WHERE isrc = ? AND exported_day = DATE '2025-12-28'",
            [silent.isrc],
        ).fetchall()
    heard = sum(
        Plays(LABEL).between(silent, "Apple Music", country, MOVED, date(2025, 12, 24))
        for country in ("US", "GB", "DE", "SE", "BR", "MX", "FR", "ES", "PL", "JP", "CA", "AU", "NA", "XK", "OU")
    )
    assert tracks == [(heard,)]


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_any_order_with_repeats_the_lake_knows_the_same(tmp_path: Path) -> None:
    walked = Walked(tmp_path / "lake", shuffled(toolost_portal.arrivals(LABEL), 13))
    assert walked.unplanned() == []
    assert walked.differences(toolost_portal.expected(LABEL)) == []


def test_an_answer_that_lies_is_seen(tmp_path: Path) -> None:
    arrivals = toolost_portal.arrivals(LABEL)
    answer = next(one for one in reversed(toolost_portal.answers(LABEL)) if one.store == "Spotify")
    wrong = replace(answer, days=((answer.days[0][0], answer.days[0][1] + 1), *answer.days[1:]))
    place = next(at for at, one in enumerate(arrivals) if one.at == answer.saved)
    arrivals[place] = replace(arrivals[place], write=lambda: [answer_bytes(LABEL, wrong)])
    walked = Walked(tmp_path / "lake", arrivals)
    assert walked.unplanned() == []
    assert len(walked.differences(toolost_portal.expected(LABEL))) == 2


def test_what_is_expected_is_what_was_played_save_what_an_old_answer_undid() -> None:
    for expected in toolost_portal.expected(LABEL):
        store = dict(expected.where)["store"]
        truth = dict(seen_by_toolost(LABEL, Plays(LABEL), store, MOVED, LAST_DAY))
        known = {row[0]: row[2] for row in expected.rows if isinstance(row[0], date)}
        wrong = [day for day, count in known.items() if count != truth[day]]
        assert wrong == ([date(2025, 12, 1), date(2025, 12, 2), date(2025, 12, 3)] if store == "Spotify" else [])
        gone = {day for day in truth if day not in known and truth[day]}
        behind = {"Spotify": (12, 3), "Apple Music": (7, 5)}[store]
        assert Counter(day.year for day in gone) == {2025: behind[0], 2026: behind[1]}


def test_the_answer_for_spotify_has_text_for_numbers_and_days_in_no_order() -> None:
    mixed = 0
    for at, document in documents("spotify").items():
        assert list(document) == ["streams", "discovery"]
        days = [date.fromisoformat(one["date"]) for one in document["streams"]]
        assert all(list(one) == ["date", "streams"] for one in document["streams"])
        assert all(re.fullmatch(r"[1-9]\d*", one["streams"]) for one in document["streams"])
        assert len(set(days)) == len(days)
        assert all(day.year == at.year for day in days)
        stale = at.date() == date(2025, 12, 28)
        assert not days or max(days) == (date(2025, 12, 5) if stale else at.date() - 2 * DAY)
        mixed += days != sorted(days)
        for one in document["discovery"]:
            assert list(one) == ["date", "streams", "fees"]
            assert re.fullmatch(r"\d+", one["streams"])
            assert re.fullmatch(r"\d+\.\d\d", one["fees"])
    assert mixed >= 7
    assert any(document["discovery"] for document in documents("spotify").values())


def test_the_answer_for_apple_music_adds_up_to_the_last_play() -> None:
    for at, document in documents("apple").items():
        assert list(document) == ["totalStreams", "totalShazam", "tracksTotal", "countryTotal", "streamTotal"]
        days = [date.fromisoformat(one["date"]) for one in document["totalStreams"]]
        assert len(set(days)) == len(days)
        assert all(day.year == at.year for day in days)
        assert not days or max(days) == at.date() - 4 * DAY
        for key in ("totalStreams", "tracksTotal", "countryTotal"):
            assert sum(one["streams"] for one in document[key]) == document["streamTotal"]
        assert all(isinstance(one["streams"], str) for one in document["totalShazam"])
        for one in document["tracksTotal"]:
            assert list(one) == ["isrc", "streams", "track", "release", "cover"]
            assert one["cover"].startswith("https://toolost.s3.us-east-2.amazonaws.com/")
        assert all(re.fullmatch(r"[A-Z]{2}", one["country"]) for one in document["countryTotal"])
        assert "OU" not in {one["country"] for one in document["countryTotal"]}
        assert any(one["country"] == "MO" for one in document["countryTotal"]) == bool(days)


def test_answers_are_indented_and_end_without_a_line_end() -> None:
    written = {one.name: one.content() for one in toolost_portal.arrivals(LABEL)}
    assert len(written) <= 30
    full = [one for one in written.values() if len(one) > 200]
    assert all(one.startswith((SPOTIFY_HEAD, APPLE_HEAD)) for one in full if b'"2025-' in one)
    assert all(
        one.endswith((b'\n  "discovery": []\n}', b"\n    }\n  ]\n}")) or b'\n  "streamTotal": ' in one for one in full
    )
    assert all(re.search(rb'\n  "streamTotal": \d+\n\}$', one) for name, one in written.items() if "_apple_" in name)
    assert all(json.dumps(json.loads(one), indent=2, ensure_ascii=False).encode() == one for one in full)
    assert b'      "streams": "' in written["toolost/toolost_spotify_20251026_172248.json"]
    assert re.search(rb'      "streams": \d', written["toolost/toolost_apple_20251026_172330.json"])


def test_two_accounts_get_the_same_empty_answer_and_an_old_one_gets_a_new_name() -> None:
    arrivals = {(one.name, one.account): one.content() for one in toolost_portal.arrivals(LABEL)}
    name = "toolost_spotify_20250910_091502.json"
    assert arrivals[f"toolost/{name}", "main"] == b'{"streams": [], "discovery": []}'
    assert arrivals[f"toolost/second/{name}", "second"] == b'{"streams": [], "discovery": []}'
    fresh = arrivals["toolost/toolost_spotify_20251207_193127.json", "main"]
    assert arrivals["toolost/toolost_spotify_20251228_180603.json", "main"] == fresh
    assert len({json.dumps(document) for document in documents("spotify").values()}) == 10, (
        "two empty ones, and the old one"
    )


def test_the_same_seed_gives_the_same_bytes_everywhere() -> None:
    here = digest(toolost_portal.arrivals(LABEL))
    assert here == digest_elsewhere("toolost_portal", 7)
    assert here != digest(toolost_portal.arrivals(invent(8)))


def test_each_fault_is_one_that_was_planted() -> None:
    assert [(one.kind, one.rows) for one in toolost_portal.faults(LABEL)] == [
        ("days that the new year took away", 12),
        ("days that no saved answer holds", 3),
        ("an old answer saved again", 3),
        ("days that the new year took away", 7),
        ("days that no saved answer holds", 5),
    ]
    told = {one.kind for one in toolost_portal.faults(LABEL)}
    assert {one.fault for one in toolost_portal.arrivals(LABEL)} - {""} <= told


def test_a_label_of_which_nobody_moved_gets_empty_answers() -> None:
    alone = invent(7, artists=1)
    assert [one.rows for one in toolost_portal.expected(alone)] == [[], []]
    assert toolost_portal.faults(alone) == []
    assert all(len(one.content()) < 200 for one in toolost_portal.arrivals(alone))
