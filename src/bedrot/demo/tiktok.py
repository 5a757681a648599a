"""TikTok's downloads as a person makes them, some of them badly, and what social_daily holds after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from itertools import pairwise

from bedrot.demo import tiktok_tables as tables
from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.label import Artist, Label
from bedrot.demo.social import OUTAGE, Day, account
from bedrot.demo.stored_zip import stored_zip
from bedrot.demo.tiktok_tables import Export, Rows
from bedrot.demo.tiktok_text import NO_TIME, Row, plain, quoted, workbook
from bedrot.demo.writing import quotient

SOURCE = "tiktok"
RENAMED = date(2025, 11, 1)
"""The day on which an artist with two handles took the second; exports of that day carry it already."""

BUSINESS_SINCE = date(2025, 7, 1)
"""From this day on the artists that moved have a business account, whose downloads are others."""

UNSURE = "a TikTok window whose year is easy to get wrong"
_DAY = timedelta(days=1)
_COLUMNS = (
    "day", "account", "views", "profile_views", "likes", "comments", "shares", "followers", "new_followers",
    "engagement_rate", "provisional",
)  # fmt: skip
_FILES: dict[str, tuple[tuple[str, Row, Callable[[Label, Export], Rows]], ...]] = {
    "Overview": (("Overview", tables.OVERVIEW, tables.overview),),
    "Viewers": (("Viewers", tables.VIEWERS, tables.viewers),),
    "Followers": (
        ("FollowerHistory", tables.FOLLOWERS, tables.followers),
        ("FollowerActivity", tables.ACTIVITY, tables.activity),
        ("FollowerGender", tables.GENDER, tables.gender),
        ("FollowerTopTerritories", tables.TERRITORIES, tables.territories),
    ),
    "Content": (("Content", tables.CONTENT, tables.content),),
    "business overview": (("business_overview", tables.BUSINESS_OVERVIEW, tables.business_overview),),
    "business audience": (("business_audience", tables.BUSINESS_AUDIENCE, tables.business_audience),),
    "business content": (("business_content", tables.BUSINESS_CONTENT, tables.business_content),),
}
"""The table files of each kind of export: name, headings, rows."""

# Kind, instant (UTC), days, and where they are not the usual ones language and form.
_PLAN: tuple[tuple[str, ...], ...] = (
    ("Overview", "2024-10-20 18:05:12", "28"),
    ("Viewers", "2024-10-20 18:05:40", "28"),
    ("Followers", "2024-10-20 18:06:04", "28"),
    ("Overview", "2024-11-17 09:41:30", "28", "en-GB"),
    ("Overview", "2024-12-22 17:30:02", "60", "es"),
    ("Content", "2024-12-22 17:31:10", "15"),
    ("Overview", "2025-01-10 20:15:44", "28", "en-US", "bare"),
    ("Overview", "2025-01-19 19:02:20", "60"),
    ("Followers", "2025-01-19 19:03:06", "60"),
    ("Viewers", "2025-01-19 19:03:30", "60", "en-US", "zip", "unsure"),
    ("Overview", "2025-02-23 11:38:14", "60", "pt"),
    ("Overview", "2025-03-30 18:44:08", "28", "vi"),
    ("Followers", "2025-03-30 18:44:50", "60"),
    ("Overview", "2025-05-04 21:12:36", "60", "id"),
    ("Viewers", "2025-05-04 21:13:02", "365"),
    ("Content", "2025-05-04 21:13:30", "15"),
    ("Overview", "2025-06-17 17:02:24", "365"),
    ("Followers", "2025-06-17 17:02:58", "365"),
    ("Overview", "2025-07-27 15:01:18", "60", "el"),
    ("Overview", "2025-08-31 18:26:40", "28", "en-US", "workbook"),
    ("Followers", "2025-08-31 18:27:12", "60"),
    ("Overview", "2025-10-05 22:08:54", "60"),
    ("Viewers", "2025-10-05 22:09:20", "365"),
    ("Overview", "2025-10-26 18:15:30", "60", "en-US", "csv"),
    ("Followers", "2025-10-26 18:16:02", "60", "en-US", "csv"),
    ("Overview", "2025-11-16 19:31:48", "365"),
    ("Followers", "2025-11-16 19:32:20", "365"),
    ("Content", "2025-11-16 19:32:44", "15"),
    ("Overview", "2026-01-18 09:01:02", "28"),
    ("Followers", "2026-01-18 18:40:10", "60"),
    ("Viewers", "2026-01-18 18:40:36", "365", "en-US", "zip", "unsure"),
    ("Overview", "2026-02-28 17:59:50", "60"),
    ("Content", "2026-02-28 18:00:08", "15"),
    ("Overview", "2026-03-13 18:12:26", "7"),
    ("Followers", "2026-03-13 18:12:58", "28"),
)
_BUSINESS = (
    ("business overview", "2025-09-28 20:11:30", "60"),
    ("business audience", "2025-09-28 20:12:04", "60"),
    ("business content", "2025-09-28 20:12:40", "15"),
    ("business overview", "2025-12-14 18:33:16", "60"),
    ("business audience", "2025-12-14 18:33:58", "60"),
    ("business overview", "2026-03-08 19:20:44", "60"),
    ("business audience", "2026-03-08 19:21:10", "28"),
    ("business content", "2026-03-08 19:21:42", "15"),
)


@lru_cache(maxsize=2)
def exports(label: Label) -> tuple[Export, ...]:
    """Every export that somebody made, in order."""
    found = [one for place, artist in enumerate(label.artists) for one in _of(artist, place)]
    return tuple(sorted(found, key=lambda one: (one.at, one.handle)))


def _of(artist: Artist, place: int) -> Iterator[Export]:
    """The exports of one artist: those of the first are many, the others were asked for less often and later."""
    for number, step in enumerate(_PLAN):
        kind, text, days, language, form, unsure = (*step, *("en-US", "zip", "")[len(step) - 3 :])
        at = datetime.fromisoformat(text).replace(tzinfo=UTC) + 26 * place * timedelta(minutes=1)
        if place and (number % 3 == 0 or language != "en-US" or form != "zip"):
            continue
        if artist.moved and at.date() >= BUSINESS_SINCE:
            continue
        handle = artist.handles[-1] if at.date() >= RENAMED else artist.handles[0]
        yield Export(artist, handle, kind, at, int(days), language, form, unsure == "unsure")
    for kind, text, days in _BUSINESS if artist.moved else ():
        at = datetime.fromisoformat(text).replace(tzinfo=UTC) + 26 * place * timedelta(minutes=1)
        yield Export(artist, artist.handles[-1], kind, at, int(days), form="csv")


def arrivals(label: Label) -> list[Arrival]:
    """The downloads: zips as the service names them, a few that somebody unpacked, and files of business accounts."""
    found = []
    for one in exports(label):
        unpacked = one.form in ("csv", "bare")
        dated = one.kind in ("business overview", "business audience")
        found.append(
            Arrival(
                name=f"tiktok/{_folder(one)}/{_name(one)}",
                at=one.at,
                write=partial(_pieces, label, one),
                account=one.handle if unpacked else None,
                exported_at=_midnight(one.at) if one.form == "csv" and not dated else None,
                verdict="waiting" if one.form == "bare" else "accepted",
                fault=UNSURE if one.form == "bare" else "",
            )
        )
    return found


def _midnight(at: datetime) -> datetime:
    """The day of an export, as a person remembers it."""
    return at.replace(hour=0, minute=0, second=0)


def _folder(export: Export) -> str:
    """Where a download was put: names repeat from month to month, and those without a handle from artist to artist."""
    return f"{export.at:%Y-%m}" if export.form in ("zip", "workbook") else f"{export.at:%Y-%m-%d} {export.handle}"


def _name(export: Export) -> str:
    """The name that the service gave to the download, or that of the file that was in it."""
    if export.form not in ("zip", "workbook"):
        return f"{_FILES[export.kind][0][0]}.csv"
    if export.kind != "Overview":
        return f"{export.kind}_{export.handle}.zip"
    instant = export.at - (export.at.date() - export.last)
    return f"Overview_{export.first}_{int(instant.timestamp())}_{export.handle}.zip"


def _pieces(label: Label, export: Export) -> list[bytes]:
    """The bytes of a download."""
    files = [(name, headings, rows(label, export)) for name, headings, rows in _FILES[export.kind]]
    if export.form == "workbook":
        members = [(f"{name}.xlsx", NO_TIME, workbook(name, headings, rows)) for name, headings, rows in files]
        return [stored_zip(members)]
    if export.form == "zip":
        return [stored_zip((f"{name}.csv", export.at, quoted(headings, rows)) for name, headings, rows in files)]
    _, headings, rows = files[0]
    return [(plain if export.kind.startswith("business") else quoted)(headings, rows)]


def expected(label: Label) -> list[Expected]:
    """Each day that an accepted export of days or followers held, handle by handle: a handle is an account."""
    found = []
    for artist in label.artists:
        for handle in artist.handles:
            where = (("source", SOURCE), ("account", handle))
            found.append(Expected("social_daily", where, _COLUMNS, _rows(label, artist, handle)))
    return found


def _held(label: Label, handle: str, *kinds: str) -> set[date]:
    """The days that accepted exports of these kinds hold under a handle."""
    return {
        day
        for one in exports(label)
        if (one.handle, one.form != "bare") == (handle, True) and one.kind in kinds
        for day in one.dates
    }


def _rows(label: Label, artist: Artist, handle: str) -> list[tuple[object, ...]]:
    """What must be known under one handle; nothing that was counted is ever counted anew."""
    counted = _held(label, handle, "Overview", "business overview")
    followed = _held(label, handle, "Followers", "business audience")
    whose = account(label, artist)
    found: list[tuple[object, ...]] = []
    for day in sorted(counted | followed):
        one = whose.day(day)
        level = one.followers if day in followed else None
        before = whose.day(day - _DAY).followers if day - _DAY in followed else None
        change = None if level is None or before is None else level - before
        seen: tuple[object, ...] = (None,) * 5
        if day in counted:
            seen = (one.counts.views, one.profile_views, one.counts.likes, one.counts.comments, one.counts.shares)
        found.append((day, handle, *seen, level, change, _rate(one) if day in counted else None, False))
    return found


def _rate(day: Day) -> Decimal | None:
    """Likes, comments and shares a view to six decimals, a half away from zero; None without views."""
    one = day.counts
    acts = one.likes + one.comments + one.shares
    if not one.views:
        return None
    return Decimal(quotient(acts * 10**6, one.views)).scaleb(-6)


def faults(label: Label) -> list[Fault]:
    """A file whose year nobody told, accounts under two names, days that nobody saved, and numbers that are unknown."""
    found = []
    for one in exports(label):
        if one.form == "bare":
            where = f"{SOURCE}, account {one.handle}, {one.kind}, {one.first} to {one.last}"
            found.append(Fault(UNSURE, where, one.days, "", "", "bedrot status"))
    for artist in label.artists:
        for handle in artist.handles:
            found += _silent(label, artist, handle)
        if len(artist.handles) > 1:
            old, new = (_held(label, handle, "Overview", "Followers") for handle in artist.handles)
            where = f"{SOURCE}, accounts {' and '.join(artist.handles)}, since {RENAMED}"
            found.append(Fault("one account under two names", where, len(old & new), "", "", "bedrot status"))
    return found


def _silent(label: Label, artist: Artist, handle: str) -> list[Fault]:
    """Holes between the days that exports hold, days below zero, and days that were never counted."""
    whose = account(label, artist)
    held = sorted(_held(label, handle, "Overview", "business overview"))
    followed = _held(label, handle, "Followers", "business audience")
    where = f"{SOURCE}, account {handle}, "
    found = [
        Fault(
            "days that nobody saved",
            f"{where}{before + _DAY} to {after - _DAY}",
            (after - before).days - 1,
            "",
            "",
            "not detected yet",
        )
        for before, after in pairwise(held)
        if after - before > _DAY
    ]
    told = (
        ("comments below zero", [day for day in held if whose.day(day).counts.comments < 0], "social_daily.comments"),
        ("followers not counted", [day for day in OUTAGE if day in followed], "social_daily.followers"),
    )
    return found + [
        Fault(kind, f"{where}{some[0]} to {some[-1]}", len(some), "", "", shown) for kind, some, shown in told if some
    ]
