"""The bank details as a person gets them: choose reporting dates, display, download; in smaller slices if need be.

That a big export is refused without a filter, takes its time and comes as a zip is told by a help page of others; the
words in which the page says so are not known, so they are looked for in general ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Download as Saving
from playwright.sync_api import Locator, Page

from bedrot.connect.browser import Browser, Download
from bedrot.connect.states import NotFetched, State, challenged, logged_out, over_budget
from bedrot.sources.distrokid.connect_page import HOST, open_page, see_whose
from bedrot.sources.distrokid.connect_proof import Slice, prove_export

if TYPE_CHECKING:
    from playwright.sync_api import Response

DETAILS = f"https://{HOST}/bank/details/"
_BEGAN = "2013-01"
"""DistroKid began in 2013: nothing was reported before."""
_DOWNLOAD = 'div[onclick^="downloadBank"]'
_WHAT = "Download"
_NOTHING = re.compile(r"\bno earnings\b", re.IGNORECASE)
_TOO_MANY = re.compile(r"\brows\b.*\bfilter", re.IGNORECASE)
_OFFERED = re.compile(r"\.zip\b", re.IGNORECASE)
_ROWS = re.compile(r"\s*([0-9]{1,3}(?:,?[0-9]{3})*) rows\s*")
_STORE = re.compile(r"^\s*Store\b")
"""The words of a label around a list are those of the list too."""
_LOOKS_PER_SECOND = 20
_LOOKS_AT_WORDS = 5
"""The words of the page are looked at once in so many looks: a page may show very many lines."""

Export = tuple[Download, Slice]
"""A file, and what was asked for it."""


class _TooMany(Exception):
    """The page wants a narrower filter."""


@dataclass
class Bank:
    """The bank of an account, with the exports that came so far."""

    browser: Browser
    account: str
    exports: list[Export] = field(default_factory=list)

    def fetch(self, wanted: Slice, last: str) -> list[Export] | None:
        """The files that hold what is wanted, `last` being this month; None where the page says: no earnings."""
        self._open()
        if not self._button().count():
            if not self.browser.page.get_by_text(_NOTHING).count():
                raise NotFetched(State.CHANGED, f"The page of the bank has no '{_WHAT}' to press any more.")
            return None
        try:
            self._one(wanted)
        except _TooMany:
            self._halves(wanted if wanted.first else Slice(_BEGAN, last), asked=bool(wanted.first))
        return self.exports

    def _halves(self, wanted: Slice, *, asked: bool) -> None:
        """Ask for months, and for half as many where they are too many."""
        if not asked:
            try:
                self._one(wanted)
            except _TooMany:
                pass
            else:
                return
        first, last = _number(wanted.first), _number(wanted.last)
        if first == last:
            self._stores(wanted)
            return
        middle = (first + last) // 2
        self._halves(Slice(wanted.first, _month(middle)), asked=False)
        self._halves(Slice(_month(middle + 1), wanted.last), asked=False)

    def _stores(self, month: Slice) -> None:
        """Ask for each store of a month that is too much at once; together they must have all its rows."""
        rows, lines = self._rows(), 0
        with self.browser.using("Store") as page:
            stores = [one.strip() for one in page.get_by_label(_STORE).locator("option").all_inner_texts()]
        for store in stores[1:]:
            try:
                lines += self._one(Slice(month.first, month.last, store))
            except _TooMany as still:
                raise NotFetched(
                    State.CHANGED, f"DistroKid does not give {store} of {month.first} at once, nor a part of it."
                ) from still
        if rows != lines:
            raise NotFetched(
                State.CHANGED,
                f"The stores of {month.first} have {lines:,} lines together, which does not prove to be all of it.",
            )

    def _one(self, wanted: Slice) -> int:
        """Get one file and look at it; the number of its lines. A file without any is not kept."""
        _see_budget(self.browser)
        self._display(wanted)
        came = self.browser.download(_Pressing(self.browser).press, _WHAT)
        lines = prove_export(came, wanted)
        if lines:
            self.exports.append((came, wanted))
        return lines

    def _open(self) -> None:
        """Open the page of the details, with no filter."""
        open_page(self.browser, DETAILS)
        see_whose(self.browser, self.account)

    def _display(self, wanted: Slice) -> None:
        """Choose reporting dates, months and store, and see that the page took them."""
        if self._shown() == wanted:
            return
        with self.browser.using("Display") as page:
            page.get_by_label("Reporting Date").check()
            page.get_by_label("From", exact=True).fill(wanted.first)
            page.get_by_label("To", exact=True).fill(wanted.last)
            store = page.get_by_label(_STORE)
            store.select_option(label=wanted.store) if wanted.store else store.select_option(index=0)
            with page.expect_navigation(wait_until="domcontentloaded") as answered:
                page.get_by_role("button", name="Display").click()
            answer = answered.value
        self.browser.refuse(answer)
        if urlsplit(self.browser.page.url).path != urlsplit(DETAILS).path:
            raise logged_out()
        see_whose(self.browser, self.account)
        if self._shown() != wanted:
            raise NotFetched(State.CHANGED, f"The page did not take {wanted}.")

    def _shown(self) -> Slice | None:
        """What the form of the page says that it shows; None where it does not show reporting dates."""
        with self.browser.using("Reporting Date") as page:
            if not page.get_by_label("Reporting Date").is_checked():
                return None
            first = page.get_by_label("From", exact=True).input_value()
            last = page.get_by_label("To", exact=True).input_value()
            chosen = page.get_by_label(_STORE).locator("option")
            names = [one.strip() for one in chosen.all_inner_texts()]
            place = int(page.get_by_label(_STORE).evaluate("one => one.selectedIndex"))
            return Slice(first, last, names[place] if place > 0 else "")

    def _rows(self) -> int | None:
        """How many rows the page says there are; None where it does not say."""
        told = [_ROWS.fullmatch(one) for one in self.browser.page.get_by_text(_ROWS).all_inner_texts()]
        return next((int(one[1].replace(",", "")) for one in told if one), None)

    def _button(self) -> Locator:
        return self.browser.page.locator(_DOWNLOAD)


@dataclass
class _Pressing:
    """The download of one slice being waited for: it comes by itself, or is offered later, or is refused."""

    browser: Browser
    _seen: int = 0
    _known: int = 0
    _refused: int = 0
    _looks: int = 0
    _quiet: int = 0
    _older: frozenset[str | None] = frozenset()
    _pressed: bool = False
    _came: bool = False

    def press(self, page: Page) -> None:
        """Press for the download, and once more what is offered then; _TooMany where a filter is wanted."""
        page.on("download", self._comes)
        self._older = frozenset(one.get_attribute("href") for one in self._links(page))
        try:
            self._begin(page)
            self.browser.wait(lambda: self._ended(page), f"'{_WHAT}' brought nothing.")
        finally:
            page.remove_listener("download", self._comes)

    def _begin(self, page: Page) -> None:
        """Press, and note what was there before."""
        self._seen, self._quiet = len(self.browser.answers), 0
        self._refused = page.get_by_text(_TOO_MANY).count()
        page.locator(_DOWNLOAD).click()

    def _comes(self, _file: Saving) -> None:
        self._came = True

    def _ended(self, page: Page) -> bool:
        """Whether a file comes, or another page in its place."""
        if self._came or urlsplit(page.url).path != urlsplit(DETAILS).path:
            return True
        self._look_at_answers()
        self._looks += 1
        if self._looks % _LOOKS_AT_WORDS == 0 and not self._pressed:
            self._look_at_words(page)
        return False

    def _look_at_words(self, page: Page) -> None:
        """Press what is offered, stop where a filter is wanted, and load a page anew that has long said nothing."""
        offered = [one for one in self._links(page) if one.get_attribute("href") not in self._older]
        if offered:
            self._pressed = True
            offered[-1].click()
        elif page.get_by_text(_TOO_MANY).count() > self._refused:
            raise _TooMany
        elif self._quiet > self.browser.limits.patience * _LOOKS_PER_SECOND:
            again = urlsplit(page.url)
            open_page(self.browser, f"https://{HOST}{again.path}" + (f"?{again.query}" if again.query else ""))
            self._begin(page)

    def _links(self, page: Page) -> list[Locator]:
        """The exports that the page offers."""
        return page.get_by_role("link", name=_OFFERED).all()

    def _look_at_answers(self) -> None:
        """NotFetched for an answer to the page that says that there will be no file, and where time is over."""
        answers = list(self._answers())
        self._quiet = self._quiet + 1 if len(answers) == self._known else 0
        self._known = len(answers)
        for path, one in answers:
            _look_at(self.browser, path, one)
        if any(one.startswith("/bank/") for one in self.browser.failed):
            raise NotFetched(State.UNREACHABLE, "An answer of the bank did not come whole.", "Try again later.")
        _see_budget(self.browser)
        if self.browser.over and answers:
            raise NotFetched(
                State.UNREACHABLE,
                "DistroKid did not have the export ready in time; a big one takes a while.",
                "Nothing was kept; fetch again later, it may be ready then.",
            )

    def _answers(self) -> Iterator[tuple[str, Response]]:
        """What the page asked the bank for since the button was pressed: the path, and the answer in the end."""
        for one in self.browser.answers[self._seen :]:
            first = one.request
            while first.redirected_from is not None:
                first = first.redirected_from
            path = urlsplit(first.url).path
            if path.startswith("/bank/") and not first.is_navigation_request():
                yield path, one


def _look_at(browser: Browser, path: str, answer: Response) -> None:
    """NotFetched for an answer that a page got in the place of what it asked for at that path."""
    browser.refuse(answer)
    if answer.ok and urlsplit(answer.url).path != path:
        raise logged_out()
    if answer.ok and "html" in answer.headers.get("content-type", "") and b"captcha" in browser.body(answer).lower():
        raise challenged()


def _see_budget(browser: Browser) -> None:
    """NotFetched where more was asked than any fetch should."""
    if browser.requests > browser.limits.requests:
        raise over_budget(browser.limits.requests)


def _number(month: str) -> int:
    """The number of a month, counted from the year 0."""
    day = date.fromisoformat(f"{month}-01")
    return day.year * 12 + day.month - 1


def _month(number: int) -> str:
    """The month of a number."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def months_before(day: date, number: int) -> str:
    """The month so many before that of a day."""
    return _month(_number(f"{day:%Y-%m}") - number)
