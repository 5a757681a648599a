"""The statistics page of Spotify: four charts drawn by AmCharts, of which one holds the days."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import zip_longest
from typing import Any

from bedrot.contract import Facts, Ignored, Original, Row, Stamp
from bedrot.errors import Refused
from bedrot.sources.distrokid import charts
from bedrot.sources.distrokid.tables import SPOTIFY_DAILY

DAYS = "trend365day"
DAYS_BEHIND = 2
"""The last day shown is two days before the page was made."""

_CHART = re.compile(r'makeChart\(\s*"(\w+)"')
_POINTS = re.compile(r'"dataProvider"\s*:\s*(\[)')
_POINT = re.compile(r'\{\s*"category"\s*:')
_REASONS = {
    "trendWeekly": charts.SUM_OF_DAYS,
    "trendMonthly": charts.SUM_OF_DAYS,
    "trend60day": "day told again",
}

Points = list[dict[str, Any]]


def knows(original: Original) -> bool:
    """Whether it is a page that draws the chart of days (its graph's id and its drawing repeat the name elsewhere)."""
    text = original.head_text
    return text.lstrip("\ufeff \t\r\n")[:1] == "<" and DAYS in _CHART.findall(text)


def exported_at(original: Original) -> Stamp | None:
    """Two days after the last day shown."""
    for name, start, end in _spans(original):
        if name == DAYS:
            return charts.stamp_after(original.text[start:end], DAYS_BEHIND)
    return None


def census(original: Original) -> Mapping[str, int]:
    """Number of points in all charts of the page, by a search of its text."""
    return {SPOTIFY_DAILY.name: len(_POINT.findall(original.text))}


def read(original: Original, _facts: Facts) -> Iterator[Row | Ignored]:
    """A row for each day; the points of the other charts are ignored, after their sums were compared with the days.

    Raises Refused for a page cut off, without days, or whose weeks or months are not the sums of their days.
    """
    found = [(name, _points(original, name, start, end)) for name, start, end in _spans(original)]
    _refuse_contradiction(original, found)
    for name, points in found:
        for place, point in enumerate(points):
            where = f"/{name}/dataProvider/{place}"
            if name == DAYS:
                values = {
                    "date": charts.text_of(point.get("category")),
                    "streams": charts.text_of(point.get("column-1")),
                }
                yield Row(SPOTIFY_DAILY.name, values, where)
            else:
                yield Ignored(SPOTIFY_DAILY.name, _REASONS.get(name, "chart not known"), where)


def _spans(original: Original) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of each chart's points in the text; the end is -1 where they are cut off."""
    text = original.text
    drawn = list(_CHART.finditer(text))
    for chart, following in zip_longest(drawn, drawn[1:]):
        limit = following.start() if following else len(text)
        points = _POINTS.search(text, chart.end(), limit)
        start = points.start(1) if points else limit
        end = text.find("]", start, limit)
        yield chart.group(1), start, end + 1 if end >= 0 else -1


def _points(original: Original, name: str, start: int, end: int) -> Points:
    """The points of one chart."""
    if end < 0:
        raise Refused(
            f"The page is cut off in the chart '{name}'.",
            charts.AGAIN,
            file=original.name,
            heading=name,
        )
    return charts.points_of(original, name, charts.json_between(original, start, end))


def _refuse_contradiction(original: Original, found: list[tuple[str, Points]]) -> None:
    """Refuse a page that has not exactly one chart of days, or that says two things of the same days."""
    points = [point for name, several in found if name == DAYS for point in several]
    charts.refuse_without_days(original, DAYS, points, "category")
    days = charts.streams_by_day(points, "category", "column-1")
    for name, totals in found:
        if name == "trendMonthly":
            charts.refuse_other_totals(original, name, _months(totals), days)
        elif name == "trendWeekly":
            charts.refuse_other_totals(original, name, _weeks(totals[1:]), days)


def _months(points: Points) -> Iterator[charts.Total]:
    """Totals of months, labelled by their first day."""
    for day, streams in charts.streams_by_day(points, "category", "column-1").items():
        if day.day == 1:
            yield charts.month_total(day, streams, f"month {day:%Y-%m}")


def _weeks(points: Points) -> Iterator[charts.Total]:
    """Totals of weeks, labelled by their Monday."""
    for day, streams in charts.streams_by_day(points, "category", "column-1").items():
        if day.weekday() == 0:
            yield charts.Total(f"week from {day}", day, day + timedelta(days=6), streams)
