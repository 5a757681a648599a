"""The text of DistroKid's two statistics pages: four drawn charts for Spotify, one document for Apple Music."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bedrot.demo.distribution import DISTROKID, albums, span
from bedrot.demo.label import Label
from bedrot.demo.plays import COUNTRIES, Plays

SPOTIFY, APPLE = "Spotify", "Apple Music"
_DAY = timedelta(days=1)
Points = list[tuple[str, int]]


@dataclass(frozen=True)
class Page:
    """One page as it was saved: its store, the instant, and the days that it shows."""

    store: str
    at: datetime
    days: tuple[tuple[date, int], ...]

    @property
    def provisional(self) -> date | None:
        """The day that the next page will change: the last one, and only at Apple Music."""
        return self.days[-1][0] if self.store == APPLE else None


_CHART = """<!-- amCharts javascript code -->
<script type="text/javascript">
$( document ).ready( function(){
var NAME = AmCharts.makeChart("NAME",
{
"panEventsEnabled":false,
"type": "serial",
"pathToImages": "/js/amcharts/images/",
"categoryField": "category",
"dataDateFormat": "YYYY-MM-DD",
"startDuration": 0.01,
"categoryAxis": {
"gridPosition": "start",
"parseDates": true,
"minPeriod": "PERIOD"
},
"chartCursor": {},
"trendLines": [],
"graphs": [
{
"fillAlphas": 1,
"id": "NAME",
"title": "NAME",
"type": "column",
"valueField": "column-1"
}
],
"guides": [],
"valueAxes": [
{
"id": "ValueAxis-1",
"title": "Streams",
"min": 0
}
],
"allLabels": [],
"balloon": {},
"dataProvider": [
POINTS
]
}
);
});
</script>
"""


def spotify_page(page: Page) -> str:
    """The page of Spotify: weeks, months, the last 59 days, and all days."""
    begin = page.days[0][0]
    by_day = [(day.isoformat(), count) for day, count in page.days]
    charts = (
        # The first point of the weeks is the first day of data, whatever day of the week it is.
        ("trendWeekly", "WW", _sums(page, lambda day: max(day - day.weekday() * _DAY, begin).isoformat())),
        ("trendMonthly", "MM", _sums(page, lambda day: f"{day:%Y-%m}-01")),
        ("trend60day", "DD", by_day[-59:]),
        ("trend365day", "DD", by_day),
    )
    drawn = [
        _CHART.replace("NAME", name)
        .replace("PERIOD", period)
        .replace("POINTS", ",".join(f'{{"category": "{day}","column-1": {count}}}' for day, count in points))
        for name, period, points in charts
    ]
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>\n'
        "<div>Daily Streaming Stats</div><div>SPOTIFY ESTIMATES ( why estimates? )</div>\n"
        f"{''.join(drawn)}</body></html>"
    )


def _sums(page: Page, period: Callable[[date], str]) -> Points:
    """The sums of the days shown, by the period that they lie in."""
    found: dict[str, int] = {}
    for day, count in page.days:
        found[period(day)] = found.get(period(day), 0) + count
    return list(found.items())


_PARTS: dict[str, tuple[int, dict[str, int]]] = {
    "devices1year": (1000, {"Mobile": 886, "Desktop": 91, "Other": 23}),
    "gender1year": (90, {"Male": 1000}),
    "age1year": (90, {"18-24": 470, "25-34": 400, "35-44": 130}),
    "listening1year": (830, {"Complete": 610, "Manually Changed": 80, "Skip": 240, "Paused": 40, "Other": 30}),
    "sources1year": (
        560,
        {"Library": 620, "Search": 160, "Discovery": 120, "Other": 50, "Now Playing": 40, "MusicKit": 10},
    ),
    "types1year": (540, {"Playlist": 560, "Single Track": 200, "Album": 140, "Radio station": 100}),
    "offline1year": (1000, {"Online": 944, "Offline": 56}),
}
"""What a year's streams divide into: the part of them, in thousandths, that is known, and that of each slice."""

_ACTIONS = (
    '[{"endpoint":"totals","chartType":"area","axis":"streams","field":"dateField","type":"day","isDate":true,'
    '"value":"quantity","title":"streams by day","src":"last365days"}]'
)


def apple_page(label: Label, page: Page) -> str:
    """The page of Apple Music: one document in one line."""
    heard = _heard(label, page)
    titles, releases = albums(label), {one.number: one for one in label.recordings}
    tracks, on_albums, countries = dict[str, int](), dict[str, int](), dict[str, int]()
    for number, country, count in heard:
        recording = releases[number]
        for sums, name in (
            (tracks, recording.title),
            (on_albums, titles[recording.upc]),
            (countries, country),
        ):
            sums[name] = sums.get(name, 0) + count
    countries.pop("OU", None)  # A place that only statements know.
    charts = {
        "byMonth": _serial(_sums(page, lambda day: f"{day:%m-%y}")),
        "tracks1year": _pie(_largest(tracks)[:10]),
        "playlists1year": _serial([]),
        "last365days": _serial([(day.isoformat(), count) for day, count in page.days]),
        **{name: _part(page, name) for name in ("devices1year", "gender1year", "age1year")},
        **{name: _part(page, name) for name in ("listening1year", "sources1year")},
        "byWeek": _serial(_sums(page, _week)),
        **{name: _part(page, name) for name in ("offline1year", "types1year")},
        "country1year": _serial(_largest(countries)),
        "albums1year": _pie(_largest(on_albums)[:10]),
    }
    document = json.dumps(charts, separators=(",", ":"), ensure_ascii=False)
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><script>\n'
        f"var chartData = {document};\nvar aActions = {_ACTIONS};\n</script></body></html>"
    )


def _heard(label: Label, page: Page) -> list[tuple[int, str, int]]:
    """Number of a recording, country and plays there, over the days of the page."""
    plays, found = Plays(label), []
    for recording in label.recordings:
        known = span(recording, DISTROKID)
        if known:
            first, last = max(known[0], page.days[0][0]), min(known[1], page.days[-1][0])
            for country in COUNTRIES:
                count = plays.between(recording, APPLE, country, first, last)
                if count:
                    found.append((recording.number, country, count))
    return found


def _week(day: date) -> str:
    """The week of a day as the page names it, such as `36/24`."""
    year, week, _ = day.isocalendar()
    return f"{week}/{year % 100}"


def _largest(sums: dict[str, int]) -> Points:
    """The sums above zero, the largest first."""
    return sorted(((name, count) for name, count in sums.items() if count), key=lambda one: (-one[1], one[0]))


def _part(page: Page, name: str) -> dict[str, object]:
    """A chart of what is known of the year's streams in that respect; ages have axes, the others are round."""
    known, slices = _PARTS[name]
    total = sum(count for _, count in page.days) * known // 1000
    points = [(label, total * part // 1000) for label, part in slices.items()]
    points = [one for one in points if one[1]]
    return _serial(points) if name == "age1year" else _pie(points)


def _serial(points: Sequence[tuple[str, int]]) -> dict[str, object]:
    """A chart with axes."""
    return {
        "isEmpty": int(not points),
        "categoryField": "field",
        "dataProvider": [{"field": name, "value": count} for name, count in points],
        "trendLines": [],
        "dataDateFormat": "YYYY-MM-DD",
        "valueAxes": [{"id": "ValueAxis-1"}],
        "chartScrollbar": {"enabled": True},
        "allLabels": [],
        "guides": [],
        "graphs": [{}],
        "balloon": {},
        "rotate": False,
        "total": sum(count for _, count in points),
        "type": "serial",
        "chartCursor": {"enabled": True},
        "startDuration": 0,
        "categoryAxis": {"gridPosition": "start"},
    }


def _pie(points: Sequence[tuple[str, int]]) -> dict[str, object]:
    """A round chart."""
    return {
        "legend": {"position": "right"},
        "isEmpty": int(not points),
        "dataProvider": [
            {"field": name, "id": place, "value": count} for place, (name, count) in enumerate(points, start=1)
        ],
        "valueField": "value",
        "allLabels": [],
        "balloonText": "[[title]]",
        "balloon": {},
        "titleField": "field",
        "total": sum(count for _, count in points),
        "type": "pie",
        "titles": [],
        "startDuration": 0,
    }
