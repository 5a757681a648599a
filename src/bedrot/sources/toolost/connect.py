"""Asking TooLost through its portal: the answers that the analytics page receives, and the statements by their notices.

The page, its two answers and the notice's words are known from real captures and from code that looked for them; where
the page shows whose it is, and how a notice holds its button, is known from nowhere and inferred.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from playwright.sync_api import Locator, Response
from playwright.sync_api import TimeoutError as TookTooLong

from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector, Keep, Pulled, Task
from bedrot.connect.states import NotFetched, State, logged_out
from bedrot.contract import Facts, Original
from bedrot.errors import Refused
from bedrot.sources.toolost import portal, sales
from bedrot.sources.toolost.connect_api import API

HOST = "toolost.com"
PAGE = f"https://{HOST}/user-portal/analytics/platform"
NOTICES = f"https://{HOST}/user-portal/notifications"
MOST = 24
"""Statements of one fetch; what is left over comes with the next one."""
_STORES = {"/api/portal/analytics/spotify": portal.SPOTIFY, "/api/portal/analytics/apple": portal.APPLE}
_RANGE = "thisYear"
_NOTICE = re.compile(r"Your \(([0-9]{2}-[0-9]{4})\) Sales report has been generated")
_STATEMENT = re.compile(r"@([0-9]{2}-[0-9]{4})-([0-9]+)")
_BUTTON = "Attachment"
_LATE = timedelta(days=5)


@dataclass
class _Came:
    """What one fetch got: the days of each store, the statements kept, and what a person should hear."""

    days: dict[str, list[date]] = field(default_factory=dict)
    statements: int = 0
    left_over: bool = False
    notes: list[str] = field(default_factory=list)


def pull(browser: Browser, task: Task, keep: Keep) -> Pulled:
    """This year's answers for both stores and the statements that the lake lacks; NotFetched where one is not whole."""
    if task.asked_today:
        return Pulled(State.PROVISIONAL, note="It was asked today already.")
    came = _Came()
    browser.open(PAGE)
    _see_whose(browser, task.account)
    browser.wait(lambda: len(_answers(browser)) == len(_STORES), "The analytics page did not get the numbers it shows.")
    asked = {"release": "", "date": _RANGE, "at": task.now.isoformat()}
    for path, answer in _answers(browser).items():
        body = browser.body(answer)
        came.days[path] = _days(_STORES[path], body)
        keep(f"toolost_{path.rpartition('/')[2]}_{task.now:%Y%m%d_%H%M%S}.json", body, asked)
    _take_statements(browser, task, keep, came)
    return _standing(task, came)


def _see_whose(browser: Browser, account: str) -> None:
    """NotFetched unless the page shows the account's name."""
    page = browser.page
    shown, log_in = page.locator("#account"), page.locator("input[type=password]")
    try:
        shown.or_(log_in).first.wait_for()
        name = "" if log_in.count() else shown.inner_text().strip()
    except TookTooLong as missing:
        browser.refuse(0)
        raise NotFetched(State.CHANGED, "The page does not show whose it is, as it used to.") from missing
    if not name:
        raise logged_out()
    if name != account:
        raise NotFetched(
            State.WRONG_ACCOUNT,
            f"The log-in opens another account than {account}.",
            "Log in with the right one.",
        )


def _answers(browser: Browser) -> dict[str, Response]:
    """The answers for all releases and this year, by path; NotFetched where one was refused or broke off."""
    found = {}
    for answer in browser.answers:
        split = urlsplit(answer.url)
        path = split.path.rstrip("/")
        if path in _STORES:
            browser.refuse(answer)
            if parse_qs(split.query, keep_blank_values=True) == {"release": [""], "date": [_RANGE]}:
                found[path] = answer
    broken = [one for one in browser.failed if one.rstrip("/") in _STORES]
    if broken and not any(one.rstrip("/") in found for one in broken):
        raise NotFetched(State.UNREACHABLE, "An answer of the analytics page broke off.", "Try again later.")
    return found


def _days(store: portal.Answer, body: bytes) -> list[date]:
    """The days of a store's answer, in order; NotFetched where it has another form than it had."""
    try:
        told: Any = msgspec.json.decode(body)
        return sorted(date.fromisoformat(one["date"]) for one in told[store.days])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as wrong:
        raise NotFetched(State.CHANGED, f"The numbers for {store.store} have another form than they had.") from wrong


def _take_statements(browser: Browser, task: Task, keep: Keep, came: _Came) -> None:
    """Download and keep the statements that the lake lacks, the newest first."""
    browser.open(NOTICES)
    _see_whose(browser, task.account)
    known = {(found[1], found[2]) for name in task.names if (found := _STATEMENT.search(name))}
    notices = list(_notices(browser))
    if known and not notices:
        raise NotFetched(State.CHANGED, "The page shows none of the statements that it showed.")
    shown, have = Counter(month for month, _ in notices), Counter(month for month, _ in known)
    due = [(month, notice) for month, notice in notices if shown[month] > have[month]]
    came.left_over = len(due) > MOST
    for month, notice in due[:MOST]:
        button = _button(notice)
        file = browser.download(lambda _page, button=button: button.click(), _BUTTON)  # type: ignore[misc]
        found = _STATEMENT.search(file.name)
        if found is None or found[1] != month:
            raise NotFetched(State.CHANGED, f"The statement of {month} has another name than it had.")
        if (found[1], found[2]) in known:
            continue
        original = Original(file.path, file.name, file.name)
        if (wrong := _unreadable(original, task)) is not None:
            came.notes.append(
                f"The statement {file.name} was left out: {wrong} Get it by hand: bedrot collect toolost."
            )
            continue
        keep(file.name, file.path, {"statement": month, "at": task.now.isoformat()})
        came.statements += 1


def _notices(browser: Browser) -> Iterator[tuple[str, Locator]]:
    """The month and the place of each notice of a statement, in the order of the page."""
    try:
        browser.page.wait_for_load_state("networkidle")
    except TookTooLong:
        browser.refuse(0)  # a page may ask for ever; what it shows by now is looked at
    for notice in browser.page.get_by_text(_NOTICE).all():
        if found := _NOTICE.search(notice.inner_text()):
            yield found[1], notice


def _button(notice: Locator) -> Locator:
    """What is pressed to get a notice's statement; NotFetched where none, or not only one, belongs to it."""
    holder = notice.locator(f"xpath=ancestor-or-self::*[.//*[normalize-space(.)='{_BUTTON}']][1]")
    button = holder.get_by_text(_BUTTON, exact=True)
    if holder.get_by_text(_NOTICE).count() > 1 or button.count() != 1:
        raise NotFetched(State.CHANGED, f"A notice has no '{_BUTTON}' to press any more.")
    return button


def _unreadable(original: Original, task: Task) -> str | None:
    """Why a statement cannot be read, None where it can: no form of a real one is known, and the days must not wait."""
    if not sales.knows(original):
        return "it is no table."
    try:
        for _ in sales.read(original, Facts(task.account, task.now, "person", resaved=False)):
            pass
    except Refused as wrong:
        return wrong.sentence
    return None


def _standing(task: Task, came: _Came) -> Pulled:
    """How it stands by the days that came; NotFetched where they are those of an old answer."""
    newest = [max(days) for days in came.days.values() if days]
    year = max(newest).year if newest else task.now.year
    if any(one.year != year for one in newest):
        raise _old("One of the stores' answers is of another year than the other.")
    first, last = date(year, 1, 1), _known_until(task, came)
    if task.since is not None and task.since.year == year and (not newest or last < task.since):
        raise _old(f"TooLost gave fewer days than before, when it had given them until {task.since}.")
    if task.since is not None and task.since.year < year and task.since < date(task.since.year, 12, 31):
        came.notes.append(f"TooLost shows {year} only: what is missing after {task.since} cannot be fetched any more.")
    if came.left_over:
        came.notes.append("More statements are left for the next fetch.")
    late = not newest or task.now.date() - max(newest) > _LATE
    if late:
        came.notes.append(f"TooLost shows no day after {max(newest)} yet." if newest else "TooLost shows no day yet.")
    state = State.NO_DATA if late and not came.statements else State.FRESH
    if not newest or last < first or came.left_over:
        state = State.PROVISIONAL if state is State.FRESH else state
        return Pulled(state, note=" ".join(came.notes))
    return Pulled(state, first, last, " ".join(came.notes))


def _known_until(task: Task, came: _Came) -> date:
    """The last day that all stores have shown; one that shows none is known as late as its days usually come."""
    silent = [_STORES[path].lag + 1 for path, days in came.days.items() if not days]
    shown = [days[-1] for days in came.days.values() if days]
    return min([*shown, *(task.now.date() - timedelta(days=late) for late in silent)])


def _old(sentence: str) -> NotFetched:
    """The error of an answer that was made before, and is handed out once more."""
    return NotFetched(State.UNREACHABLE, sentence, "Nothing was kept; try again later.")


BROWSER = Connector(
    hosts=(HOST,),
    kind="browser",
    how="A window opens on TooLost: log in there as you always do. Your password stays between you and TooLost.",
    page=PAGE,
    item="token",
    browse=pull,
)
CONNECTORS = {"browser": BROWSER, "api": API}
