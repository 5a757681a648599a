"""Asking DistroKid through its pages: two pages of daily statistics, and the bank details as a download.

Addresses, the button of the download and the form of all files are known from real files and programs of others; what
the filter's fields are, and where a page shows whose it is, are inferred.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector, Keep, Pulled, Task, by_days
from bedrot.connect.states import NotFetched, State
from bedrot.sources.distrokid.connect_bank import Bank, Export, months_before
from bedrot.sources.distrokid.connect_page import HOST, open_page, see_whose
from bedrot.sources.distrokid.connect_proof import Slice, prove_page

PAGE = f"https://{HOST}/bank/"
_STATS = {"streams": "distrokid.spotify", "applemusic": "distrokid.apple"}
"""The pages of statistics by what their address asks for, and the feed of each."""
_BEHIND, _LATE = timedelta(days=2), timedelta(days=4)
"""The newest day of Spotify was always two days before the page's own; later than this is late."""
_BACK = 2
"""Months before that of the last fetch that are asked for again: reporting dates may be entered late."""
_PLAN = re.compile(r"\bMusician Plus\b", re.IGNORECASE)
_NO_STATS = "The account's plan has no daily statistics: the bank details came alone."


@dataclass(frozen=True, slots=True)
class _Shown:
    """A page of statistics, and the days that it shows."""

    data: str
    body: bytes
    first: date
    last: date


def pull(browser: Browser, task: Task, keep: Keep) -> Pulled:
    """The two pages of statistics, and the bank details since the last fetch, or all of them the first time."""
    if task.asked_today or (task.since is not None and task.since >= task.now.date() - _BEHIND):
        open_page(browser, PAGE)
        see_whose(browser, task.account)
        return Pulled(State.PROVISIONAL, note="It was asked already; what is newer comes with another day.")
    planned = True
    try:
        pages = _pages(browser, task)
    except _NotInPlan:
        pages, planned = [], False
    exports = _exports(browser, task)
    standing = _standing(task, pages, exports, planned=planned)
    for one in pages:
        keep(f"distrokid_{one.data}_stats_{task.now:%Y%m%d_%H%M%S}.html", one.body, {"type": "all", "data": one.data})
    for came, asked in exports:
        keep(came.name, came.path, asked.asked)
    return standing


class _NotInPlan(Exception):
    """The account's plan has no daily statistics."""


def _pages(browser: Browser, task: Task) -> list[_Shown]:
    """The pages of statistics that show days."""
    found = []
    for data, feed in _STATS.items():
        try:
            body = open_page(browser, f"https://{HOST}/stats/?type=all&data={data}")
        except NotFetched as wrong:
            if (
                wrong.state is State.FORBIDDEN
                and not _came_before(task, data)
                and browser.page.get_by_text(_PLAN).count()
            ):
                raise _NotInPlan from wrong
            raise
        see_whose(browser, task.account)
        days = prove_page(body, f"of {data}", feed)
        if days is not None:
            found.append(_Shown(data, body, *days))
        elif _came_before(task, data):
            raise NotFetched(State.CHANGED, f"The page of {data} shows no day any more, and it did before.")
    return found


def _exports(browser: Browser, task: Task) -> list[Export]:
    """The bank since some months before the last fetch; all of it where none has brought any of it."""
    month, came = f"{task.now:%Y-%m}", any(one.startswith("DistroKid_") for one in task.names)
    since = task.before.date() if task.before is not None and came else None
    wanted = Slice(months_before(since, _BACK), month) if since else Slice()
    found = Bank(browser, task.account).fetch(wanted, month)
    if found is None and since:
        raise NotFetched(State.CHANGED, "The bank shows no earnings any more, and it did before.")
    return found or []


def _came_before(task: Task, data: str) -> bool:
    """Whether such a page came with an earlier fetch."""
    return any(one.startswith(f"distrokid_{data}_stats_") for one in task.names)


def _standing(task: Task, pages: list[_Shown], exports: list[Export], *, planned: bool) -> Pulled:
    """How it stands by what came; NotFetched where the days end before those that came earlier."""
    if not pages:
        if not exports:
            return Pulled(State.NO_DATA, note="DistroKid shows neither streams nor earnings yet.")
        note = "DistroKid shows no day of streams yet: the bank details came alone." if planned else _NO_STATS
        return Pulled(State.FRESH, note=note)
    first, last = min(one.first for one in pages), min(one.last for one in pages)
    return by_days(task, "DistroKid", first, last, _LATE)


CONNECTOR = Connector(
    hosts=(HOST,),
    kind="browser",
    how="A window opens on DistroKid: log in there as you always do, and wait until its bank is shown."
    " Your password stays between you and DistroKid.",
    page=PAGE,
    browse=pull,
)
