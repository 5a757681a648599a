"""Reads the parts of Linktree's answers: days, links, socials, subscribers, locations, referrers, devices, titles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from bedrot.contract import Facts, Ignored, Original, Row
from bedrot.errors import Refused
from bedrot.sources.linktree.tables import ANALYTICS

AGAIN = "Open Linktree's analytics page and save its answers again."
UNKNOWN = "kind of record not known"
TOTALS = "total over a range whose days are told"
LINK = re.compile(r"link[0-9]+")
RECORDS = {
    "AccountActivity": "linktree_daily",
    "AccountOverview": "linktree_daily",
    "AccountLink": "linktree_links",
    "AccountSubscriber": "linktree_subscribers",
    "AccountSubscribersTotal": "linktree_subscribers",
    "AccountLifetime": "linktree_lifetime",
    "AccountCity": "linktree_locations",
    "AccountCountry": "linktree_locations",
    "AccountReferrer": "linktree_referrers",
    "AccountDevice": "linktree_devices",
    "Link": "linktree_link_titles",
}
WITHIN = frozenset(
    {
        "AccountAnalytics",
        "AccountClicks",
        "AccountDevices",
        "AccountLifetimeClicks",
        "AccountLifetimeSubscribers",
        "AccountLifetimeViews",
        "AccountLocations",
        "AccountReferrers",
        "AccountSocials",
        "AccountSubscribers",
        "AccountViews",
        "LinkModifiers",
    }
)
SOCIAL = "AccountSocial"
"""A day's row where it has a date, a total over the range where its date is null."""

_KEYS = {table.name: table.key for table in ANALYTICS}


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer at work: its data, its file's name, and what all its totals, or all its days, have in common."""

    data: Mapping[str, Any]
    name: str
    exported_day: date
    totals: Mapping[str, str | None]


def read(original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """The rows of an answer in the order of the file; totals whose days are told, and unknown records, are ignored.

    Raises Refused where Linktree reported an error, a part is not what it should be, or a record stands twice.
    """
    return _once(_rows(_open(original, facts)), original.name)


def _once(rows: Iterable[Row | Ignored], name: str) -> Iterator[Row | Ignored]:
    """The rows as they are; Refused where the key of a table stands twice, because only one of the two can be true."""
    seen: dict[tuple[str | None, ...], str] = {}
    for row in rows:
        if isinstance(row, Row):
            key = (row.table, *(row.values.get(one) for one in _KEYS[row.table]))
            if key in seen:
                raise Refused(
                    f"The same record stands twice ({seen[key]} and {row.locator}), and only one can be true.",
                    AGAIN,
                    file=name,
                    heading=row.locator,
                )
            seen[key] = row.locator
        yield row


def _rows(answer: _Answer) -> Iterator[Row | Ignored]:
    """All parts of an answer, in their order."""
    analytics = answer.data.get("getAccountAnalytics") or {}
    for key, part in analytics.items():
        reader = _PARTS.get(key)
        if reader and part is not None:
            yield from reader(answer, part, f"/data/getAccountAnalytics/{key}")
    for key, link in answer.data.items():
        if LINK.fullmatch(key) and link is not None:
            yield _title(answer, _object(answer, link, f"/data/{key}"), f"/data/{key}")
    yield from _unknown(answer.data, "/data", "linktree_daily" if analytics else "linktree_link_titles")


def _open(original: Original, facts: Facts) -> _Answer:
    """The answer, with the range that its totals cover as far as it tells."""
    document = original.json
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise Refused("This is not an answer of Linktree's analytics page.", AGAIN, file=original.name, heading="data")
    if document.get("errors"):
        raise Refused(
            "Linktree reported an error in this answer, so it is not whole.",
            AGAIN,
            file=original.name,
            heading="errors",
        )
    exported = facts.exported_at.astimezone(UTC)
    analytics = data.get("getAccountAnalytics")
    days = dates_of(under(analytics, "socials", "timeseries")) if isinstance(analytics, dict) else []
    first, last = (min(days), max(days)) if days else (None, None)
    totals = {
        "exported_day": exported.date().isoformat(),
        "range_first": first.isoformat() if first else None,
        "range_last": last.isoformat() if last else None,
        "range_days": str((last - first).days + 1) if first and last else None,
        "answered_at": None if days else exported.replace(tzinfo=None).isoformat(" ", "microseconds"),
    }
    return _Answer(data, original.name, exported.date(), totals)


def _overview(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """The page's days; the total beside them is ignored."""
    names = {"views": "totalViews", "clicks": "totalClicks", "unique_views": "uniqueViews"}
    names["unique_clicks"] = "uniqueClicks"
    overview = _object(answer, part, at)
    yield from _day_rows(answer, "linktree_daily", overview.get("timeseries"), f"{at}/timeseries", names)
    yield Ignored("linktree_daily", TOTALS, at)


def _links(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """Clicks by link over the range."""
    for place, link in enumerate(_records(answer, part, at)):
        values = {"link_id": _text(link.get("id")), "clicks": _total(link, "clicks")}
        yield Row("linktree_links", {**answer.totals, **values}, f"{at}/{place}")


def _socials(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """Clicks by icon, over the range and by day."""
    socials = _object(answer, part, at)
    for place, one in enumerate(_records(answer, socials.get("socials"), f"{at}/socials")):
        values = {"name": _text(one.get("name")), "clicks": _total(one, "clicks")}
        yield Row("linktree_socials", {**answer.totals, **values}, f"{at}/socials/{place}")
    days = _records(answer, socials.get("timeseries"), f"{at}/timeseries")
    last = _last(days)
    for place, one in enumerate(days):
        values = {"name": _text(one.get("name")), "clicks": _total(one, "clicks")}
        yield Row("linktree_socials_daily", values | _dated(answer, one, last), f"{at}/timeseries/{place}")


def _subscribers(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """Subscribers by day and channel; the total beside them is ignored."""
    subscribers = _object(answer, part, at)
    names = {"subscribers": "subscribersTotal", "new_subscribers": "dailyTotal", "clicks": "subscribersClicks"}
    channels = {"subscribers": "all", "emailSubscribers": "email", "smsSubscribers": "sms"}
    for key, channel in channels.items():
        for row in _day_rows(answer, "linktree_subscribers", subscribers.get(key), f"{at}/{key}", names):
            yield Row(row.table, {**row.values, "channel": channel}, row.locator)
    if subscribers.get("total") is not None:
        yield Ignored("linktree_subscribers", TOTALS, f"{at}/total")


def _lifetime(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """The totals since the page exists."""
    lifetime = _object(answer, part, at)
    values = {
        "exported_day": answer.totals["exported_day"],
        "views": _total(lifetime, "views"),
        "clicks": _total(lifetime, "clicks"),
        "clicks_profile": _text(under(lifetime, "clicks", "profile")),
        "clicks_socials": _text(under(lifetime, "clicks", "socials")),
        "subscribers": _total(lifetime, "subscribers"),
    }
    yield Row("linktree_lifetime", values, at)


def _locations(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """Visits by city and by country."""
    locations = _object(answer, part, at)
    for key, kind in (("cities", "city"), ("countries", "country")):
        for place, one in enumerate(_records(answer, locations.get(key), f"{at}/{key}")):
            told = one.get("coordinates")
            middle = told if isinstance(told, list) and len(told) == 2 else (None, None)
            values = _visits(one) | {
                "kind": kind,
                "country_code": _text(one.get("countryCode")),
                "latitude": _text(middle[0]),
                "longitude": _text(middle[1]),
            }
            yield Row("linktree_locations", {**answer.totals, **values}, f"{at}/{key}/{place}")


def _referrers(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """Visits by where they came from."""
    for place, one in enumerate(_records(answer, _object(answer, part, at).get("referrers"), at)):
        yield Row("linktree_referrers", {**answer.totals, **_visits(one)}, f"{at}/referrers/{place}")


def _devices(answer: _Answer, part: Any, at: str) -> Iterator[Row | Ignored]:
    """Visits by kind of device."""
    for place, one in enumerate(_records(answer, _object(answer, part, at).get("devices"), at)):
        yield Row("linktree_devices", {**answer.totals, **_visits(one)}, f"{at}/devices/{place}")


_PARTS: dict[str, Callable[[_Answer, Any, str], Iterator[Row | Ignored]]] = {
    "overview": _overview,
    "links": _links,
    "socials": _socials,
    "subscribers": _subscribers,
    "lifetime": _lifetime,
    "locations": _locations,
    "referrers": _referrers,
    "devices": _devices,
}


def _title(answer: _Answer, link: Mapping[str, Any], at: str) -> Row:
    """What a link was called."""
    values = {"link_id": _text(link.get("id")), "title": _text(link.get("title")), "active": _text(link.get("active"))}
    return Row("linktree_link_titles", values | {"exported_day": answer.totals["exported_day"]}, at)


def _unknown(value: Any, at: str, table: str) -> Iterator[Ignored]:
    """All objects of a type that is not known, wherever they stand."""
    if isinstance(value, dict):
        kind = value.get("__typename")
        if isinstance(kind, str) and kind not in WITHIN and kind not in RECORDS and kind != SOCIAL:
            yield Ignored(table, f"{UNKNOWN}: {kind}", at)
        for key, inner in value.items():
            yield from _unknown(inner, f"{at}/{key}", table)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _unknown(inner, f"{at}/{place}", table)


def _day_rows(answer: _Answer, table: str, part: Any, at: str, names: Mapping[str, str]) -> Iterator[Row]:
    """A list of days as rows."""
    records = _records(answer, part, at)
    last = _last(records)
    for place, record in enumerate(records):
        values = {field: _text(record.get(key)) for field, key in names.items()}
        yield Row(table, values | _dated(answer, record, last), f"{at}/{place}")


def _dated(answer: _Answer, record: Mapping[str, Any], last: date | None) -> dict[str, str | None]:
    """The day of a record and whether it was still running: the answer's last day, given on that day or the next."""
    told = _text(record.get("date"))
    running = last is not None and told == last.isoformat() and answer.exported_day <= last + timedelta(days=1)
    return {"date": told, "provisional": "true" if running else "false"}


def _visits(record: Mapping[str, Any]) -> dict[str, str | None]:
    """Name, views and clicks of a record."""
    return {"name": _text(record.get("name")), "views": _total(record, "views"), "clicks": _total(record, "clicks")}


def _object(answer: _Answer, value: Any, at: str) -> Mapping[str, Any]:
    """The value where it is an object; else Refused."""
    if not isinstance(value, dict):
        raise Refused("This part of the answer is not what it should be.", AGAIN, file=answer.name, heading=at)
    return value


def _records(answer: _Answer, value: Any, at: str) -> list[Mapping[str, Any]]:
    """A list of objects; empty where it is null; else Refused."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Refused("This part of the answer is not a list of records.", AGAIN, file=answer.name, heading=at)
    return value


def under(value: Any, *keys: str) -> Any:
    """What stands under these keys; None where one is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _total(record: Mapping[str, Any], key: str) -> str | None:
    """The number in `{key: {total: number}}`; None where it is missing or null."""
    return _text(under(record, key, "total"))


def _text(value: Any) -> str | None:
    """A JSON value as the text that the typing kernel judges; null stays unknown."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _last(records: list[Mapping[str, Any]]) -> date | None:
    """The last day of a list of days."""
    return max(dates_of(records), default=None)


def dates_of(records: Any) -> list[date]:
    """The days of a list of records, as far as they are days."""
    found = []
    for record in records if isinstance(records, list) else []:
        told = under(record, "date")
        if isinstance(told, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", told):
            try:
                found.append(date.fromisoformat(told))
            except ValueError:
                continue
    return found
