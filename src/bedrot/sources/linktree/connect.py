"""Asking Linktree through its analytics page: the answers that the page receives, picked by what they hold.

The page is known from answers that one load of it received, and from a script of others; what its control looks like is
known from that script only. Private answers come beside the wanted ones: they are looked at in memory and go nowhere.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector, Keep, Pulled, Task
from bedrot.connect.states import NotFetched, State

HOST = "linktr.ee"
PAGE = f"https://{HOST}/admin/analytics"
_SHORT, _LONG = "Last 7 days", "Last 365 days"
_DAYS = 365
_LATE = timedelta(days=2)
_WANTED = "getAccountAnalytics"
_PRIVATE = ("currentUser", "email", "wallet", "followers", "chat")
_WAIT = "The analytics page did not show its numbers for 365 days."


def pull(browser: Browser, task: Task, keep: Keep) -> Pulled:
    """The answers for the last 365 days and the titles of the links; NotFetched where they are not whole."""
    if task.asked_today:
        return Pulled(State.PROVISIONAL, note="It was asked today already.")
    page = browser.open(PAGE)
    browser.wait(lambda: bool(_overviews(browser)), "The analytics page did not show any numbers.")
    if f"linktr.ee/{task.account}" not in page.content():
        raise NotFetched(
            State.WRONG_ACCOUNT, f"The log-in does not open the page {task.account}.", "Log in with the right one."
        )
    before = len(browser.answers)
    browser.press(_SHORT)
    browser.press(_LONG)
    browser.wait(lambda: _whole(browser, before), _WAIT)
    days = _overviews(browser)[-1]
    task.see_no_step_back("Linktree", max(days))
    if task.since is not None and not any(days.values()):
        note = "Linktree says of every day that nobody came; that was not so before, or there is nothing to keep."
        return Pulled(State.NO_DATA, note=note)
    for number, told in enumerate(_kept(browser, before), start=1):
        keep(f"graphql_{task.now:%Y%m%d_%H%M%S}_{number}.json", told, {"range": f"last-{_DAYS}-days"})
    if max(days) < task.now.date() - _LATE:
        return Pulled(State.NO_DATA, min(days), max(days), f"Linktree shows no day after {max(days)} yet.")
    return Pulled(State.PROVISIONAL, min(days), max(days))


def _whole(browser: Browser, before: int) -> bool:
    """Whether all that the chosen range brings is there: days, links, and where visits came from."""
    parts = {key for _, data in _told(browser, before) for key in _analytics(data)}
    long = any(len(days) >= _DAYS - 1 for days in _overviews(browser, before))
    return long and {"overview", "links", "locations", "referrers", "devices"} <= parts


def _kept(browser: Browser, before: int) -> list[bytes]:
    """The answers to keep: those for the chosen range, and the titles of links, whenever they came."""
    chosen = [body for body, data in _told(browser, before) if _analytics(data)]
    titles = [body for body, data in _told(browser, 0) if data and all(key.startswith("link") for key in data)]
    return [*chosen, *titles]


def _told(browser: Browser, since: int) -> list[tuple[bytes, dict[str, Any]]]:
    """Body and data of the answers from a place on that are visits or titles, and nothing private."""
    found = []
    for answer in browser.answers[since:]:
        if "graphql" not in answer.url:
            continue
        browser.refuse(answer)
        body = browser.body(answer)
        try:
            told = msgspec.json.decode(body)
        except msgspec.DecodeError as wrong:
            raise NotFetched(State.CHANGED, "An answer of the page is not JSON, as it used to be.") from wrong
        data = told.get("data") if isinstance(told, dict) else None
        if isinstance(data, dict) and not any(name in key for key in data for name in _PRIVATE):
            found.append((body, data))
    return found


def _analytics(data: dict[str, Any]) -> dict[str, Any]:
    """The parts of an answer about visits; none where it is another one."""
    told = data.get(_WANTED)
    return {key: value for key, value in told.items() if value is not None} if isinstance(told, dict) else {}


def _overviews(browser: Browser, since: int = 0) -> list[dict[date, bool]]:
    """The days of each overview that came, and whether anybody did; NotFetched where one has another form."""
    found = []
    for _, data in _told(browser, since):
        overview = _analytics(data).get("overview")
        if isinstance(overview, dict):
            try:
                told = [one for one in overview["timeseries"] if "totalViews" in one]
                found.append({date.fromisoformat(one["date"]): one["totalViews"] != 0 for one in told})
            except (KeyError, TypeError, ValueError) as wrong:
                raise NotFetched(State.CHANGED, "The page's numbers have another form than they had.") from wrong
    return [days for days in found if days]


CONNECTOR = Connector(
    hosts=(HOST,),
    kind="browser",
    how="A window opens on Linktree: log in there as you always do. Your password stays between you and Linktree.",
    page=PAGE,
    browse=pull,
)
