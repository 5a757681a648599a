"""Knows Linktree's GraphQL answers, as its analytics page receives them: one JSON document each.

`data.getAccountAnalytics` holds one or several of: overview, links with socials, subscribers, lifetime with locations,
referrers and devices. Titles come in a separate answer, `data.link<number>`. What an answer is, its content tells.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bedrot.contract import Original, Stamp
from bedrot.sources.linktree.parts import LINK, RECORDS, SOCIAL, WITHIN, dates_of, under
from bedrot.sources.linktree.privacy import private

_NAME = re.compile(r"graphql_([0-9]{8})_([0-9]{6})(?:_([0-9]{6}))?(?![0-9])", re.IGNORECASE)
_TYPED = re.compile(r'"__typename"\s*:\s*"(\w+)"')
_SOCIAL_DAY = re.compile(r'"date"\s*:\s*"[^"]*"\s*,\s*"name"\s*:')


def knows_analytics(original: Original) -> bool:
    """Whether it is an answer with `getAccountAnalytics` and nothing private; a broken one too."""
    if not original.looks_like_json or '"data"' not in original.head_text or private(original):
        return False
    document = original.json_or_none
    if document is None:
        return re.match(r'\ufeff?\s*\{\s*"data"\s*:\s*\{\s*"getAccountAnalytics"\s*:', original.head_text) is not None
    data = document.get("data") if isinstance(document, dict) else None
    return isinstance(data, dict) and isinstance(data.get("getAccountAnalytics"), dict)


def knows_titles(original: Original) -> bool:
    """Whether it is an answer of links by number only (`link457…`), with nothing private; a broken one too."""
    if not original.looks_like_json or '"data"' not in original.head_text or private(original):
        return False
    document = original.json_or_none
    if document is None:
        start = r'\ufeff?\s*\{\s*"data"\s*:\s*\{\s*"link[0-9]+"\s*:\s*\{\s*"id"\s*:'
        return re.match(start, original.head_text) is not None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict) or not data:
        return False
    return all(LINK.fullmatch(key) and isinstance(value, dict) and "title" in value for key, value in data.items())


def exported_at(original: Original) -> Stamp | None:
    """The stamp in the file's name (taken as UTC), the zip member's time, or the last day that the answer reaches.

    Days reach to the day of the answer, so one whose days end earlier than the day before its stamp is an old one saved
    again, or of a range in the past: it is as old as the end of its last day, and no newer word on what came since.
    """
    document = original.json_or_none
    days = _days(document.get("data") if isinstance(document, dict) else None)
    stamp = _stamp(original)
    if days and stamp and stamp.at.date() > max(days) + timedelta(days=1):
        return Stamp(Stamp.of_day(max(days), "data").at + timedelta(days=1, seconds=-1), "data")
    return stamp or (Stamp.of_day(max(days), "data") if days else None)


def _stamp(original: Original) -> Stamp | None:
    """The instant in the file's name, or the zip member's time."""
    stamped = _NAME.search(original.name)
    if stamped:
        try:
            at = datetime.strptime(f"{stamped[1]}{stamped[2]}{stamped[3] or '000000'}", "%Y%m%d%H%M%S%f").replace(
                tzinfo=UTC
            )
        except ValueError:
            at = None
        if at:
            return Stamp(at, "name")
    return Stamp(original.member_time, "zip") if original.member_time else None


def census(original: Original) -> dict[str, int]:
    """Records by table, counted in the text by the type that Linktree writes into each (`__typename`)."""
    counts = dict.fromkeys([*RECORDS.values(), "linktree_socials", "linktree_socials_daily"], 0)
    for kind in _TYPED.findall(original.text):
        if kind not in WITHIN and kind != SOCIAL:
            counts[RECORDS.get(kind, "linktree_daily")] += 1
    # The same type is a day's row where it has a date, and a total where its date is null.
    counts["linktree_socials_daily"] = len(_SOCIAL_DAY.findall(original.text))
    counts["linktree_socials"] = original.text.count(f'"{SOCIAL}"') - counts["linktree_socials_daily"]
    return counts


def titles_census(original: Original) -> dict[str, int]:
    """Links in the text, counted by their type, and whatever else has a type that is not known."""
    kinds = [kind for kind in _TYPED.findall(original.text) if kind not in WITHIN]
    return {"linktree_link_titles": len(kinds)}


def _days(data: Any) -> list[date]:
    """All days that an answer has figures for."""
    analytics = under(data, "getAccountAnalytics")
    lists = (("overview", "timeseries"), ("socials", "timeseries"), ("subscribers", "subscribers"))
    return [day for keys in lists for day in dates_of(under(analytics, *keys))]
