"""What the two statistics pages share: JSON inside a page, points as text, and sums that must agree."""

from __future__ import annotations

import json
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from bedrot.contract import Original, Stamp
from bedrot.contract.original import strict_json
from bedrot.errors import Refused

AGAIN = "Open the page in the browser, wait until its charts stand there, and save it again."
SUM_OF_DAYS = "sum of the days"

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Total:
    """What a page says of several days together: the streams from `first` to `last`, under a label of its own."""

    label: str
    first: date
    last: date
    streams: int


def json_between(original: Original, start: int, end: int) -> Any:
    """The JSON document in that part of the page; Refused, with the page's own line, when it is damaged."""
    # Line ends in front keep the line numbers of an error those of the page.
    lines = len(re.findall(r"\r\n|\r|\n", original.text[:start]))
    return strict_json(("\n" * lines + original.text[start:end]).encode(), original.name)


def points_of(original: Original, chart: str, points: Any) -> list[dict[str, Any]]:
    """The points of a chart; Refused when they are not a list of objects."""
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise Refused(
            f"The chart '{chart}' is not a list of points, so the page has changed.",
            "Report this page; nothing was taken from it.",
            file=original.name,
            heading=chart,
        )
    return points


def text_of(value: Any) -> str | None:
    """A JSON value as text; None for null."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def refuse_without_days(original: Original, chart: str, points: list[dict[str, Any]], name: str) -> None:
    """Refuse a page without days, or with a day that stands there twice; `name` is the key of a point's day."""
    if not points:
        raise Refused(
            f"The page shows no day: its chart '{chart}' is empty.",
            AGAIN,
            file=original.name,
            heading=chart,
        )
    days = [point.get(name) for point in points]
    twice = [day for place, day in enumerate(days) if day in days[:place]]
    if twice:
        raise Refused(
            f"The day {twice[0]} stands twice in the chart '{chart}'.",
            AGAIN,
            file=original.name,
            heading=chart,
        )


def streams_by_day(points: Iterable[Mapping[str, Any]], name: str, value: str) -> dict[date, int]:
    """Streams by day; empty when a point is not a day with a whole number, as then nothing can be added up."""
    days: dict[date, int] = {}
    for point in points:
        day = day_of(point.get(name))
        streams = point.get(value)
        if day is None or not isinstance(streams, int) or isinstance(streams, bool):
            return {}
        days[day] = streams
    return days


def day_of(value: Any) -> date | None:
    """The day of a `YYYY-MM-DD` text; None for anything else."""
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def month_total(first: date, streams: int, label: str) -> Total:
    """The total of the month that begins on `first`."""
    return Total(label, first, first.replace(day=monthrange(first.year, first.month)[1]), streams)


def refuse_other_totals(original: Original, chart: str, totals: Iterator[Total], days: Mapping[date, int]) -> None:
    """Refuse a page whose weeks or months are not the sums of their days, where all their days are shown.

    Ten of ten months and 39 of 40 weeks of a real page agree; the one that does not is the first, which is cut.
    """
    if not days:
        return
    earliest, latest = min(days), max(days)
    for total in totals:
        if total.first < earliest or total.last >= latest:
            continue
        added = sum(streams for day, streams in days.items() if total.first <= day <= total.last)
        if added != total.streams:
            raise Refused(
                f"The page contradicts itself: '{total.label}' has {total.streams:,} streams, its days {added:,}.",
                AGAIN,
                file=original.name,
                heading=chart,
            )


def stamp_after(text: str, days: int) -> Stamp | None:
    """The instant so many days after the latest day that stands in a chart's text; None when there is none."""
    known = [day for one in _ISO_DAY.findall(text) if (day := day_of(one))]
    try:
        return Stamp.of_day(max(known) + timedelta(days=days), "data") if known else None
    except OverflowError:
        return None
