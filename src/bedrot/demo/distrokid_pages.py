"""DistroKid's two statistics pages as a browser saves them, and what streams_daily holds after them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial

from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.chance import keyed
from bedrot.demo.distribution import DISTROKID, seen_by_distrokid
from bedrot.demo.distrokid_charts import APPLE, SPOTIFY, Page, apple_page, spotify_page
from bedrot.demo.label import FIRST_DAY, LAST_DAY, Label
from bedrot.demo.plays import Plays

ACCOUNT = "main"
SAVED = {
    SPOTIFY: (
        "2024-11-03 20:14", "2024-12-15 09:41", "2025-02-02 21:05", "2025-03-30 18:22", "2025-05-22 07:50",
        "2025-07-06 22:31", "2025-08-19 12:03", "2025-10-12 19:45", "2025-12-07 16:20", "2026-02-08 10:58",
    ),
    APPLE: (
        "2024-11-03 20:16", "2024-11-04 08:30", "2025-01-06 17:12", "2025-02-02 21:07", "2025-05-22 07:53",
        "2025-05-26 20:40", "2025-08-19 12:06", "2025-10-12 19:48", "2025-12-28 11:11", "2026-02-01 15:37",
    ),
}  # fmt: skip
"""When somebody saved a store's page, in UTC: not often, but never a year apart."""

BEHIND = {SPOTIFY: 2, APPLE: 1}
"""How many days before the page's own day its last day lies."""

WITH_CRLF = {"2025-07-06", "2025-08-19"}
"""Days on which the pages were saved on a machine that ends lines with two characters."""

MOST_DAYS = 365
_DAY = timedelta(days=1)
_COLUMNS = ("date", "account", "streams", "provisional")


@lru_cache(maxsize=2)
def pages(label: Label) -> tuple[Page, ...]:
    """All pages that were saved, in order."""
    found = []
    for store, saved in SAVED.items():
        # The charts show no day without streams.
        truth = [one for one in seen_by_distrokid(label, Plays(label), store, FIRST_DAY, LAST_DAY) if one[1]]
        for text in saved:
            at = datetime.fromisoformat(text).replace(tzinfo=UTC)
            last = at.date() - BEHIND[store] * _DAY
            days = [one for one in truth if last - MOST_DAYS * _DAY < one[0] <= last]
            if store == APPLE and days:
                days[-1] = (days[-1][0], _too_early(label, *days[-1]))
            if days:
                found.append(Page(store, at, tuple(days)))
    return tuple(sorted(found, key=lambda page: page.at))


def _too_early(label: Label, day: date, streams: int) -> int:
    """What Apple shows of a day before all of it is counted: a part of it, at least one play."""
    return max(1, streams * (550 + keyed(label.seed, "apple page", day.isoformat()) % 400) // 1000)


def arrivals(label: Label) -> list[Arrival]:
    """The saved pages; their age is what their days say, so nobody has to tell it."""
    names = {SPOTIFY: "distrokid_streams_stats.html", APPLE: "distrokid_applemusic_stats.html"}
    return [
        Arrival(
            name=f"distrokid/pages {page.at:%Y-%m-%d}/{names[page.store]}",
            at=page.at,
            write=partial(_write, label, page),
            account=ACCOUNT,
        )
        for page in pages(label)
    ]


def expected(label: Label) -> list[Expected]:
    """Each day that a page showed: as the newest page with it says, provisional where that is its last day."""
    found = []
    for store in SAVED:
        rows: dict[date, tuple[object, ...]] = {}
        for page in pages(label):
            if page.store == store:
                rows |= {day: (day, ACCOUNT, count, day == page.provisional) for day, count in page.days}
        where = (("source", DISTROKID), ("store", store))
        found.append(Expected("streams_daily", where, _COLUMNS, list(rows.values())))
    return found


def faults(label: Label) -> list[Fault]:
    """Days after a store's last page, which nobody saved, and a last day that stays provisional."""
    found = []
    for store in SAVED:
        shown = [page for page in pages(label) if page.store == store]
        if not shown:
            continue
        last = shown[-1]
        first = last.days[-1][0] + _DAY
        missed = [one for one in seen_by_distrokid(label, Plays(label), store, first, LAST_DAY) if one[1]]
        where = f"{DISTROKID}, account {ACCOUNT}, {store}, "
        days = f"{where}{first} to {LAST_DAY}"
        found.append(Fault("days that no saved page shows", days, len(missed), "", "", "bedrot status"))
        if last.provisional:
            day = f"{where}{last.provisional}"
            found.append(Fault("a number that is not final", day, 1, "", "", "streams_daily.provisional"))
    return found


def _write(label: Label, page: Page) -> list[bytes]:
    """The page as it was saved."""
    text = spotify_page(page) if page.store == SPOTIFY else apple_page(label, page)
    if page.at.date().isoformat() in WITH_CRLF:
        text = text.replace("\n", "\r\n")
    return [text.encode()]
