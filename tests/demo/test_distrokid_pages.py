"""DistroKid's saved pages: the lake knows from them what was really played, and they are built as the service's are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from orders import digest, digest_elsewhere, shuffled
from walking import Walked

from bedrot.demo import distrokid_pages
from bedrot.demo.distribution import MOVED, TOOLOST, seen_by_distrokid, seen_by_toolost, span, unpaid
from bedrot.demo.distrokid_charts import spotify_page
from bedrot.demo.label import FIRST_DAY, LAST_DAY, invent
from bedrot.demo.plays import Plays

LABEL = invent(7)
DAY = timedelta(days=1)
SERIAL = (
    "isEmpty", "categoryField", "dataProvider", "trendLines", "dataDateFormat", "valueAxes", "chartScrollbar",
    "allLabels", "guides", "graphs", "balloon", "rotate", "total", "type", "chartCursor", "startDuration",
    "categoryAxis",
)  # fmt: skip
PIE = (
    "legend", "isEmpty", "dataProvider", "valueField", "allLabels", "balloonText", "balloon", "titleField", "total",
    "type", "titles", "startDuration",
)  # fmt: skip
CHARTS = {
    "byMonth": SERIAL, "tracks1year": PIE, "playlists1year": SERIAL, "last365days": SERIAL, "devices1year": PIE,
    "gender1year": PIE, "age1year": SERIAL, "listening1year": PIE, "sources1year": PIE, "byWeek": SERIAL,
    "offline1year": PIE, "types1year": PIE, "country1year": SERIAL, "albums1year": PIE,
}  # fmt: skip


def texts(store: str) -> dict[date, str]:
    """The pages of a store by the day on which they were saved."""
    part = "streams_stats" if store == "Spotify" else "applemusic_stats"
    return {
        one.at.date(): one.content().decode().replace("\r\n", "\n")
        for one in distrokid_pages.arrivals(LABEL)
        if part in one.name
    }


def points(text: str, chart: str) -> dict[date, int]:
    """The points of one of Spotify's charts, as anybody would search for them."""
    found = re.search(rf'makeChart\("{chart}".*?"dataProvider": \[\n(.*?)\n\]', text, re.DOTALL)
    assert found
    assert '"category": ' in found[1]
    listed = json.loads(f"[{found[1]}]")
    assert all(list(point) == ["category", "column-1"] for point in listed)
    days = [date.fromisoformat(point["category"]) for point in listed]
    assert days == sorted(set(days))
    return {day: point["column-1"] for day, point in zip(days, listed, strict=True)}


def test_in_order_the_lake_knows_what_the_pages_showed(tmp_path: Path) -> None:
    walked = Walked(tmp_path / "lake", distrokid_pages.arrivals(LABEL))
    assert walked.unplanned() == []
    assert walked.differences(distrokid_pages.expected(LABEL)) == []
    with walked.opened() as con:
        told = con.execute("SELECT count(*) FROM streams_daily WHERE provisional").fetchall()
    assert told == [(1,)], "the last day of the last page of Apple Music, and no other"


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_any_order_with_repeats_the_lake_knows_the_same(tmp_path: Path) -> None:
    walked = Walked(tmp_path / "lake", shuffled(distrokid_pages.arrivals(LABEL), 11))
    assert walked.unplanned() == []
    assert walked.differences(distrokid_pages.expected(LABEL)) == []


def test_a_page_that_lies_is_seen(tmp_path: Path) -> None:
    arrivals = distrokid_pages.arrivals(LABEL)
    page = [one for one in distrokid_pages.pages(LABEL) if one.store == "Spotify"][-1]
    days = list(page.days)
    days[-40] = (days[-40][0], days[-40][1] + 1)
    place = next(at for at, one in enumerate(arrivals) if one.at == page.at)
    arrivals[place] = replace(arrivals[place], write=lambda: [spotify_page(replace(page, days=tuple(days))).encode()])
    walked = Walked(tmp_path / "lake", arrivals)
    assert walked.unplanned() == []
    assert len(walked.differences(distrokid_pages.expected(LABEL))) == 2


def test_what_is_expected_is_what_was_played() -> None:
    plays = Plays(LABEL)
    for expected in distrokid_pages.expected(LABEL):
        truth = dict(seen_by_distrokid(LABEL, plays, dict(expected.where)["store"], FIRST_DAY, LAST_DAY))
        wrong = [row for row in expected.rows if not isinstance(row[0], date) or row[2] != truth[row[0]]]
        assert [row[3] for row in wrong] == ([True] if dict(expected.where)["store"] == "Apple Music" else [])
        assert len(expected.rows) > 400


def test_no_play_belongs_to_both_distributors_or_to_none() -> None:
    plays = Plays(LABEL)
    for first in (MOVED - 10 * DAY, MOVED + 30 * DAY):
        all_plays = [count for _, count in plays.daily(None, "Spotify", first, first + 20 * DAY)]
        old = seen_by_distrokid(LABEL, plays, "Spotify", first, first + 20 * DAY)
        new = seen_by_toolost(LABEL, plays, "Spotify", first, first + 20 * DAY)
        assert [a[1] + b[1] for a, b in zip(old, new, strict=True)] == all_plays
        assert all(count == 0 for day, count in new if day < MOVED)
    silent = unpaid(LABEL)
    assert silent is not None
    assert silent.artist.moved
    assert span(silent, TOOLOST) == (MOVED, LAST_DAY)


def test_the_page_of_spotify_has_four_charts_whose_sums_agree() -> None:
    for at, text in texts("Spotify").items():
        assert re.findall(r'makeChart\("(\w+)"', text) == ["trendWeekly", "trendMonthly", "trend60day", "trend365day"]
        assert re.findall(r'"minPeriod": "(\w+)"', text) == ["WW", "MM", "DD", "DD"]
        assert text.index('"id": "trend365day"') < text.rindex('"dataProvider"')
        assert text.startswith(
            '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>\n<div>Daily Streaming Stats</div>'
            "<div>SPOTIFY ESTIMATES ( why estimates? )</div>\n<!-- amCharts javascript code -->\n"
            '<script type="text/javascript">\n$( document ).ready( function(){\n'
            'var trendWeekly = AmCharts.makeChart("trendWeekly",\n{\n"panEventsEnabled":false,\n"type": "serial",\n'
        )
        assert text.endswith("\n]\n}\n);\n});\n</script>\n</body></html>")
        days = points(text, "trend365day")
        assert list(days) == [min(days) + number * DAY for number in range(len(days))]
        assert max(days) == at - 2 * DAY
        assert len(days) <= 365
        assert points(text, "trend60day") == dict(list(days.items())[-59:])
        for month, count in points(text, "trendMonthly").items():
            assert month.day == 1
            assert count == sum(one for day, one in days.items() if (day.year, day.month) == (month.year, month.month))
        weeks = points(text, "trendWeekly")
        assert min(weeks) == min(days)
        assert all(week.weekday() == 0 for week in list(weeks)[1:])
        ends = [*list(weeks)[1:], date.max]
        for (week, count), end in zip(weeks.items(), ends, strict=True):
            assert count == sum(one for day, one in days.items() if week <= day < end)


def test_days_of_spotify_are_never_restated() -> None:
    known: dict[date, int] = {}
    for text in texts("Spotify").values():
        days = points(text, "trend365day")
        assert all(known.get(day, count) == count for day, count in days.items())
        known |= days
    assert len(known) > 365


def test_the_page_of_apple_music_is_one_document_in_one_line() -> None:
    before: dict[date, int] = {}
    for at, text in texts("Apple Music").items():
        lines = text.split("\n")
        assert lines[0] == '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><script>'
        assert lines[2].startswith('var aActions = [{"endpoint":"totals","chartType":"area",')
        assert lines[3] == "</script></body></html>"
        assert len(lines) == 4
        found = re.fullmatch(r"var chartData = (\{.*\});", lines[1])
        assert found
        document = json.loads(found[1])
        assert found[1] == json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        assert {name: tuple(chart) for name, chart in document.items()} == CHARTS
        for name, chart in document.items():
            keys = ["field", "id", "value"] if CHARTS[name] is PIE else ["field", "value"]
            assert all(list(point) == keys for point in chart["dataProvider"])
            assert chart["total"] == sum(point["value"] for point in chart["dataProvider"])
            assert chart["isEmpty"] == int(not chart["dataProvider"])
            assert chart["type"] == ("pie" if CHARTS[name] is PIE else "serial")
        days = {date.fromisoformat(one["field"]): one["value"] for one in document["last365days"]["dataProvider"]}
        assert max(days) == at - DAY
        assert min(days.values()) > 0
        changed = [day for day, count in days.items() if before.get(day, count) != count]
        assert changed == ([max(before)] if before else [])
        assert not changed or days[changed[0]] > before[changed[0]]
        assert len(document["tracks1year"]["dataProvider"]) <= 10
        assert document["playlists1year"]["isEmpty"] == 1
        assert all(re.fullmatch(r"\d\d-\d\d", one["field"]) for one in document["byMonth"]["dataProvider"])
        assert all(re.fullmatch(r"\d{1,2}/\d\d", one["field"]) for one in document["byWeek"]["dataProvider"])
        assert all(re.fullmatch(r"[A-Z]{2}", one["field"]) for one in document["country1year"]["dataProvider"])
        before = days


def test_pages_are_saved_with_either_line_end_and_without_a_mark() -> None:
    written = [one.content() for one in distrokid_pages.arrivals(LABEL)]
    assert {b"\r\n" in one for one in written} == {True, False}
    assert not any(one.startswith(b"\xef\xbb\xbf") or one.endswith(b"\n") for one in written)
    assert len(written) <= 22


def test_the_same_seed_gives_the_same_bytes_everywhere() -> None:
    here = digest(distrokid_pages.arrivals(LABEL))
    assert here == digest_elsewhere("distrokid_pages", 7)
    assert here != digest(distrokid_pages.arrivals(invent(8)))


def test_each_fault_is_one_that_was_planted() -> None:
    told = [(one.kind, one.rows) for one in distrokid_pages.faults(LABEL)]
    assert told == [
        ("days that no saved page shows", 37),
        ("days that no saved page shows", 43),
        ("a number that is not final", 1),
    ]
