"""Asking TikTok through the analytics page of TikTok Studio: the download of each tab, as a person presses it.

The page, its words and the names of the files are known from a program of others and from real files; which elements
the words stand on, and where the page shows whose it is, are inferred.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as TookTooLong

from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector, Keep, Pulled, Task, by_days
from bedrot.connect.states import NotFetched, State, command
from bedrot.sources.tiktok.connect_proof import TABS, prove, prove_together

HOST = "www.tiktok.com"
PAGE = f"https://{HOST}/tiktokstudio/analytics"
_DAYS = 365
_RANGE = re.compile(r"\s*Last ([0-9]{1,3}) days\s*")
_HANDLE = re.compile(r"\s*@([\w.]{1,64})\s*")
_OPEN, _FORM, _GO = "Download data", "CSV", "Download"
_SHOWN_FROM = timedelta(hours=15)
"""A day was never seen in an export made before 15:00 UTC of the next one."""
_LATE = timedelta(days=3)


def pull(browser: Browser, task: Task, keep: Keep) -> Pulled:
    """The downloads of all tabs for 365 days, or the longest range there is; NotFetched where they are not whole."""
    browser.open(PAGE)
    _see_whose(browser, task.account)
    if task.since is not None and task.since >= _newest_possible(task):
        return Pulled(State.PROVISIONAL, note=f"All days until {task.since} came already; TikTok shows none after it.")
    proofs = []
    for tab in _tabs(browser):
        with browser.using(tab) as page:
            page.get_by_role("tab", name=tab, exact=True).click()
        days = _choose_longest(browser, tab)
        _choose_csv(browser, task)
        came = browser.download(lambda page: _shown(page.get_by_text(_GO, exact=True)).last.click(), _GO)
        proofs.append(prove(came, tab, task.account, days))
        keep(came.name, came.path, {"tab": tab, "range": f"last-{days}-days", "form": _FORM.lower()})
    whole = prove_together(proofs)
    return by_days(task, "TikTok", whole.first, whole.last, _LATE)


def _newest_possible(task: Task) -> date:
    """The newest day that an export made now can hold."""
    return (task.now - _SHOWN_FROM).date() - timedelta(days=1)


def _see_whose(browser: Browser, account: str) -> None:
    """NotFetched unless the page shows the account's handle."""
    page = browser.page
    try:
        page.get_by_text(f"@{account}", exact=True).first.wait_for()
    except TookTooLong as missing:
        browser.refuse(0)
        others = [match[1] for text in _texts(page, _HANDLE) if (match := _HANDLE.fullmatch(text))]
        if not others:
            raise NotFetched(State.CHANGED, "The page does not show whose it is, as it used to.") from missing
        raise NotFetched(State.WRONG_ACCOUNT, *_other(account, others[0])) from missing


def _other(account: str, shown: str) -> tuple[str, str]:
    """What is said, and to do, where a log-in opens another account."""
    do = (
        f"Log in with the right one: {command('login', 'tiktok', account)}. Where {account} is called {shown} now,"
        f" add an [[account]] with the name {shown} and the same artist to bedrot.toml, keep the old one for its days,"
        f" and log in: {command('login', 'tiktok', shown)}; then {command('logout', 'tiktok', account)}."
    )
    return f"The log-in opens the account {shown}, not {account}.", do


def _tabs(browser: Browser) -> list[str]:
    """The tabs to download; NotFetched where they are not those of a personal or a business account."""
    page, first = browser.page, next(iter(TABS))
    try:
        page.get_by_role("tab", name=first, exact=True).wait_for()
    except TookTooLong as missing:
        raise _not_english(page, first) from missing
    found = [tab for tab in TABS if page.get_by_role("tab", name=tab, exact=True).count()]
    lacking = [tab for tab in TABS if tab not in found]
    if lacking not in ([], ["Viewers"]):
        raise NotFetched(State.CHANGED, f"The page has no tab '{lacking[0]}' any more.")
    return found


def _not_english(page: Page, tab: str) -> NotFetched:
    """What it means that the first tab is not there."""
    language = page.locator("html").get_attribute("lang") or "en"
    if language.lower().startswith("en"):
        return NotFetched(State.CHANGED, f"The page has no tab '{tab}' any more.")
    sentence = f"TikTok shows its page in another language ('{language[:20]}'), and its English words only are known."
    return NotFetched(State.CHANGED, sentence, "Set TikTok to English, then fetch again.")


def _choose_longest(browser: Browser, tab: str) -> int:
    """Choose the longest range that the page offers for a tab; its days."""
    with browser.using("range of days") as page:
        shown = _shown(page.get_by_text(_RANGE))
        shown.first.click()
        shown.nth(1).wait_for()
        offered = [int(match[1]) for text in shown.all_inner_texts() if (match := _RANGE.fullmatch(text))]
        longest = max((days for days in offered if days <= _DAYS), default=0)
        if not longest:
            raise NotFetched(State.CHANGED, f"The tab '{tab}' offers no range of days any more.")
        words = f"Last {longest} days"
        _shown(page.get_by_text(words, exact=True)).last.click()
        shown.nth(1).wait_for(state="detached")
        if _RANGE.fullmatch(shown.first.inner_text()) is None or words not in shown.first.inner_text():
            raise NotFetched(State.CHANGED, f"The page did not take the range '{words}'.")
    return longest


def _choose_csv(browser: Browser, task: Task) -> None:
    """Open the window that asks for the form of the file, and choose CSV; NotFetched where there is no data yet."""
    with browser.using(_OPEN) as page:
        button = _shown(page.get_by_text(_OPEN, exact=True)).first
        try:
            button.click()
        except TookTooLong:
            if task.since is None and button.count() and button.is_disabled():
                raise NotFetched(State.NO_DATA, "TikTok has nothing to download for this account yet.") from None
            raise
    with browser.using(_FORM) as page:
        _shown(page.get_by_text(_FORM, exact=True)).last.click()


def _shown(found: Locator) -> Locator:
    """Those elements that a person sees."""
    return found.filter(visible=True)


def _texts(page: Page, pattern: re.Pattern[str]) -> list[str]:
    """The texts of the elements that a person sees and whose whole text is such."""
    return _shown(page.get_by_text(pattern)).all_inner_texts()


CONNECTOR = Connector(
    hosts=(HOST,),
    kind="browser",
    how="A window opens on TikTok: log in there as you always do, with the account that you named, and wait until its"
    " analytics are shown, in English. Your password stays between you and TikTok.",
    page=PAGE,
    browse=pull,
)
