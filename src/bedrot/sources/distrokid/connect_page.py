"""What all of DistroKid's pages have in common: that they are whole, and whose they are."""

from __future__ import annotations

from urllib.parse import urlsplit

from bedrot.connect.browser import Browser
from bedrot.connect.states import NotFetched, State

HOST = "distrokid.com"
_ACCOUNT = "#account"


def open_page(browser: Browser, url: str) -> bytes:
    """Open a page; its bytes as the service sent them, or NotFetched where they did not all come."""
    seen, path, found = len(browser.answers), urlsplit(url).path, list[bytes]()
    browser.open(url)

    def whole() -> bool:
        if path in browser.failed:
            raise NotFetched(State.UNREACHABLE, "The page did not come whole.", "Nothing was kept; try again later.")
        found.extend(browser.body(one) for one in browser.pages(seen)[-1:])
        return bool(found)

    browser.wait(whole, "The page did not come whole.")
    if len(found[0]) > browser.limits.bytes:
        raise NotFetched(State.CHANGED, f"The page is larger than {browser.limits.bytes >> 20} MiB.")
    return found[0]


def see_whose(browser: Browser, account: str) -> None:
    """NotFetched unless the page says that it is the account's."""
    shown = browser.page.locator(_ACCOUNT)
    if not shown.count():
        browser.refuse(0)
        raise NotFetched(State.CHANGED, "The page does not show whose it is, as it used to.")
    name = shown.first.inner_text().strip()
    if name != account:
        raise NotFetched(
            State.WRONG_ACCOUNT,
            f"The log-in opens the account {name}, not {account}.",
            "Log in with the right one.",
        )
