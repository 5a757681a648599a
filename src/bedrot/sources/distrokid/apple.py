"""The statistics page of Apple Music: one JSON document `chartData`, with the days and what a year divides into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from bedrot.contract import Facts, Ignored, Original, Row, Stamp
from bedrot.errors import Refused
from bedrot.sources.distrokid import charts
from bedrot.sources.distrokid.tables import APPLE_BREAKDOWN, APPLE_DAILY

DAYS = "last365days"
DAYS_BEHIND = 1
"""The last day shown is the day before the page was made, and the next page changes it."""

_DATED = (DAYS, "byMonth", "byWeek")
_START = re.compile(r"var\s+chartData\s*=\s*(?=\{)")
_END = re.compile(r"\}\s*;[ \t]*(?:[\r\n]|</script|$)")
_DAY_POINTS = re.compile(rf'"{DAYS}"\s*:\s*\{{.*?"dataProvider"\s*:\s*\[([^\]]*)\]', re.DOTALL)
_POINT = re.compile(r'"(\w+1year|last365days|byMonth|byWeek)"\s*:\s*\{|\{\s*"field"\s*:')
_MONTH = re.compile(r"(0[1-9]|1[0-2])-(\d{2})")

Points = list[dict[str, Any]]


def knows(original: Original) -> bool:
    """Whether it is a page with the document `chartData` and its chart of days."""
    text = original.head_text
    if text.lstrip("\ufeff \t\r\n")[:1] != "<":
        return False
    start = _START.search(text)
    return start is not None and f'"{DAYS}"' in text[start.end() :]


def exported_at(original: Original) -> Stamp | None:
    """The day after the last day shown."""
    found = _DAY_POINTS.search(original.text)
    return charts.stamp_after(found.group(1), DAYS_BEHIND) if found else None


def census(original: Original) -> Mapping[str, int]:
    """Number of points by table, by a search of the text for points and for the chart that each follows."""
    counts = {APPLE_DAILY.name: 0, APPLE_BREAKDOWN.name: 0}
    table = APPLE_BREAKDOWN.name
    for found in _POINT.finditer(original.text):
        if found.group(1):
            table = APPLE_DAILY.name if found.group(1) in _DATED else APPLE_BREAKDOWN.name
        else:
            counts[table] += 1
    return counts


def read(original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """A row for each day and each slice of a year; points of weeks and months are ignored, after a comparison.

    Months whose days are all shown must be the sums of their days. Weeks are compared with their own total only:
    which days Apple's week `36/24` holds is not known.

    Raises Refused for a page cut off, without days, or that contradicts itself.
    """
    found = _charts(original)
    days = found.get(DAYS, [])
    charts.refuse_without_days(original, DAYS, days, "field")
    streams = charts.streams_by_day(days, "field", "value")
    charts.refuse_other_totals(original, "byMonth", _months(found.get("byMonth", [])), streams)
    last = max((str(point.get("field")) for point in days), default="")
    for name, points in found.items():
        for place, point in enumerate(points):
            where = f"/chartData/{name}/dataProvider/{place}"
            if name == DAYS:
                yield _day(point, last, where)
            elif name in _DATED:
                yield Ignored(APPLE_DAILY.name, charts.SUM_OF_DAYS, where)
            else:
                yield _slice(name, point, facts, where)


def _day(point: Mapping[str, Any], last: str, where: str) -> Row:
    """The row of one day."""
    day = charts.text_of(point.get("field"))
    values = {
        "date": day,
        "streams": charts.text_of(point.get("value")),
        "provisional": "true" if day == last else "false",
    }
    return Row(APPLE_DAILY.name, values, where)


def _slice(name: str, point: Mapping[str, Any], facts: Facts, where: str) -> Row:
    """The row of one slice of a year."""
    values = {
        "exported_day": facts.exported_at.date().isoformat(),
        "kind": name.removesuffix("1year"),
        "label": charts.text_of(point.get("field")),
        "label_id": charts.text_of(point.get("id")),
        "streams": charts.text_of(point.get("value")),
    }
    return Row(APPLE_BREAKDOWN.name, values, where)


def _charts(original: Original) -> dict[str, Points]:
    """The points of each chart by its name, in the order of the page; Refused when the document is not whole."""
    start = _START.search(original.text)
    end = _END.search(original.text, start.end()) if start else None
    if start is None or end is None:
        raise Refused(
            "The page is cut off in its chartData.",
            charts.AGAIN,
            file=original.name,
            heading="chartData",
        )
    document = charts.json_between(original, start.end(), end.start() + 1)
    found: dict[str, Points] = {}
    for name, chart in document.items():
        if not isinstance(chart, dict) or "dataProvider" not in chart:
            continue
        found[name] = charts.points_of(original, name, chart.get("dataProvider"))
        _refuse_other_total(original, name, chart, found[name])
    return found


def _refuse_other_total(original: Original, name: str, chart: Mapping[str, Any], points: Points) -> None:
    """Refuse a chart whose `total` is not the sum of its values, as it was in each chart of the real pages."""
    total = chart.get("total")
    values = [value for point in points if isinstance(value := point.get("value"), int)]
    if not isinstance(total, int) or len(values) < len(points):
        return
    if total != sum(values):
        raise Refused(
            f"The page contradicts itself: the chart '{name}' says {total:,} in all, its points say {sum(values):,}.",
            charts.AGAIN,
            file=original.name,
            heading=name,
        )


def _months(points: Points) -> Iterator[charts.Total]:
    """Totals of months, labelled `MM-YY`."""
    for point in points:
        found = _MONTH.fullmatch(str(point.get("field")))
        streams = point.get("value")
        if found and isinstance(streams, int):
            yield charts.month_total(date(2000 + int(found[2]), int(found[1]), 1), streams, f"month {found[0]}")
