"""How Linktree writes: the answers of its analytics page, each one line of JSON without blanks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from bedrot.demo.chance import Chance
from bedrot.demo.links import ICONS, Page, Visits
from bedrot.demo.writing import quotient

Json = dict[str, Any]
Days = Sequence[tuple[date, Visits]]
_CITIES = (
    ("London", "GB", "51.5085", "-0.1257"), ("Berlin", "DE", "52.5244", "13.4105"),
    ("Chicago", "US", "41.8500", "-87.6500"), ("Springfield", "US", "39.7817", "-89.6501"),
    ("Springfield", "US", "37.2090", "-93.2923"), ("Malmö", "SE", "55.6059", "13.0007"),
    ("São Paulo", "BR", "-23.5475", "-46.6361"), ("Mexico City", "MX", "19.4285", "-99.1277"),
    ("Windhoek", "NA", "-22.5594", "17.0832"),
)  # fmt: skip
_COUNTRIES = (
    ("United States", "US"), ("United Kingdom", "GB"), ("Germany", "DE"), ("Brazil", "BR"), ("Sweden", "SE"),
    ("Mexico", "MX"), ("Namibia", "NA"),
)  # fmt: skip
_REFERRERS = ("Instagram", "Tiktok", "Direct", "Facebook", "Linktree", "Google", "Youtube", "chatgpt.com")
_DEVICES = ("mobile", "desktop", "tablet", "other")
_NOWHERE = ["37.7510", "-97.8220"]
"""The place of visits from the United States whose city is not known."""


def written(data: Json) -> bytes:
    """An answer as the browser got it."""
    return json.dumps({"data": data}, separators=(",", ":"), ensure_ascii=False).encode()


def owner(page: Page) -> Json:
    """The answer that tells who is logged in: not to be kept by anybody."""
    account = {"id": page.number + 1, "username": page.name}
    return {"currentUser": {"id": page.number, "account": account, "__typename": "User"}}


def overview(days: Days) -> Json:
    """Views and clicks by day; the last day is still running."""
    views, clicks = sum(one.views for _, one in days), sum(one.clicks for _, one in days)
    told = {
        "totalViews": views,
        "totalClicks": clicks,
        "clickThroughRate": _rounded(clicks, views),
        "timeToClick": 0,
        "clickThroughBenchmark": 80.6429,
        "timeseries": [
            {
                "totalViews": one.views,
                "totalClicks": one.clicks,
                "uniqueViews": one.visitors,
                "uniqueClicks": one.clickers,
                "clickThroughRate": _rounded(one.clicks, one.views),
                "date": day.isoformat(),
                "__typename": "AccountActivity",
            }
            for day, one in days
        ],
        "__typename": "AccountOverview",
    }
    return _analytics({"overview": told})


def links(page: Page, days: Days, lifetime: int) -> Json:
    """Clicks by link over the range, and clicks by icon over the range and by day."""
    totals: dict[int, int] = {link.number: 0 for link in page.links if link.first <= days[-1][0]}
    for _, one in days:
        for number, clicks in one.links:
            totals[number] += clicks

    def icon(place: int, day: date | None, clicks: int) -> Json:
        return {
            "date": day.isoformat() if day else None,
            "name": ICONS[place],
            "views": _views(lifetime),
            "clicks": _clicks(clicks),
            "__typename": "AccountSocial",
        }

    places = range(len(ICONS))
    socials = {
        "socials": [icon(place, None, sum(one.icons[place] for _, one in days)) for place in places],
        "timeseries": [icon(place, day, one.icons[place]) for day, one in days for place in places],
        "__typename": "AccountSocials",
    }
    told = [
        {"id": number, "clicks": _clicks(clicks), "breakdown": None, "__typename": "AccountLink"}
        for number, clicks in totals.items()
    ]
    return _analytics({"links": told, "socials": socials, "products": []})


def subscribers(days: Days, before: int) -> Json:
    """How many subscribed by day and channel: all of them by e-mail."""

    def series(*, counted: bool) -> list[Json]:
        total, found = before if counted else 0, []
        for day, one in days:
            new = one.subscribed if counted else 0
            total += new
            record = {"date": day.isoformat(), "subscribersTotal": total, "subscribersClicks": 2 * new}
            found.append(record | {"notifications": [], "dailyTotal": new, "__typename": "AccountSubscriber"})
        return found

    new = sum(one.subscribed for _, one in days)
    total = {"clicks": 2 * new, "subscribers": before + new, "notificationRecipients": 0, "ctr": 0}
    told = {
        "subscribers": series(counted=True),
        "emailSubscribers": series(counted=True),
        "smsSubscribers": series(counted=False),
        "total": total | {"__typename": "AccountSubscribersTotal"},
        "interval": "DAILY",
        "__typename": "AccountSubscribers",
    }
    return _analytics({"subscribers": told})


def places(page: Page, days: Days, ever: Days) -> Json:
    """Totals since the page exists, and where, whence and with what visitors came; no two totals agree exactly."""
    views, clicks = sum(one.views for _, one in days), sum(one.clicks for _, one in days)
    chance = Chance(page.label.seed, "places", page.name, days[-1][0].isoformat(), len(days))

    def shares(kind: str, names: Sequence[Json]) -> list[Json]:
        seen, done = _shares(chance, views * 94 // 100, len(names)), _shares(chance, clicks * 94 // 100, len(names))
        return [
            {**name, **_visited(some, clicked, kind)} for name, some, clicked in zip(names, seen, done, strict=True)
        ]

    cities = shares("AccountCity", [
        {"name": name, "countryCode": code, "coordinates": list(at)} for name, code, *at in _CITIES
    ])  # fmt: skip
    unknown = {"countryCode": "US", "coordinates": _NOWHERE}
    cities.append({"name": "Unknown", **unknown, **_visited(views * 6 // 100, 0, "AccountCity")})
    cities.append({"name": None, **unknown, **_visited(0, clicks * 6 // 100, "AccountCity")})
    countries = shares("AccountCountry", [{"name": name, "countryCode": code} for name, code in _COUNTRIES])
    return _analytics(
        {
            "lifetime": _lifetime(ever),
            "locations": {"cities": cities, "countries": countries, "__typename": "AccountLocations"},
            "referrers": {
                "referrers": shares("AccountReferrer", [{"name": name} for name in _REFERRERS]),
                "__typename": "AccountReferrers",
            },
            "devices": {
                "devices": shares("AccountDevice", [{"name": name} for name in _DEVICES]),
                "__typename": "AccountDevices",
            },
        }
    )


def titles(page: Page, at: datetime) -> Json:
    """What each link is called, and whether it is shown."""
    found: Json = {}
    for link in page.links:
        if link.first <= at.date():
            picture = f"https://example.com/{link.number}.jpg" if link.picture else None
            found[f"link{link.number}"] = {
                "id": link.number,
                "title": link.title(at.date()),
                "active": link.shown(at.date()),
                "modifiers": {"thumbnailUrl": picture, "__typename": "LinkModifiers"},
                "__typename": "Link",
            }
    return found


def _lifetime(ever: Days) -> Json:
    """Totals since the page exists, some per cent below the sums of its days."""
    clicks = sum(one.clicks for _, one in ever) * 96 // 100
    icons = sum(sum(one.icons) for _, one in ever) * 96 // 100
    views = sum(one.views for _, one in ever)
    return {
        "views": {"total": views, "__typename": "AccountLifetimeViews"},
        "clicks": {
            "total": clicks,
            "profile": clicks - icons,
            "socials": icons,
            "__typename": "AccountLifetimeClicks",
        },
        "subscribers": {
            "total": sum(one.subscribed for _, one in ever),
            "__typename": "AccountLifetimeSubscribers",
        },
        "clickThroughRate": _shown(clicks, views),
        "payments": [],
        "__typename": "AccountLifetime",
    }


def _analytics(parts: Json) -> Json:
    """Parts of an answer of the analytics page."""
    return {"getAccountAnalytics": parts | {"__typename": "AccountAnalytics"}}


def _visited(views: int, clicks: int, kind: str) -> Json:
    """Views and clicks of one place, and their quotient."""
    rate = _shown(clicks, views)
    return {"views": _views(views), "clicks": _clicks(clicks), "clickThroughRate": rate, "__typename": kind}


def _views(total: int) -> Json:
    """A number of views."""
    return {"total": total, "__typename": "AccountViews"}


def _clicks(total: int) -> Json:
    """A number of clicks."""
    return {"total": total, "__typename": "AccountClicks"}


def _shares(chance: Chance, total: int, count: int) -> list[int]:
    """A number shared out among some, with nothing lost."""
    weights = [chance.between(1, 100) for _ in range(count)]
    found = [total * weight // sum(weights) for weight in weights]
    found[0] += total - sum(found)
    return found


def _rounded(number: int, parts: int) -> object:
    """A quotient with four decimals, as Linktree's days have it: a whole number where it is one."""
    if not parts:
        return 0
    return _shown(quotient(number * 10_000, parts), 10_000)


def _shown(number: int, parts: int) -> object:
    """A quotient as a browser writes it: a whole number without decimals; only a text of the answer, never counted."""
    if not parts or number % parts == 0:
        return number // parts if parts else 0
    return number / parts
