"""TikTok Studio as a browser meets it: tabs, a range, a window that asks for a form, and a zip that the server names.

Invented, where nobody has written it down: where the handle stands, which elements tabs and range are, how the page
asks for the file, and under which name and in what a business account gets its tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from portal import Answer, Asked, Faults, Manners, Person, Why, json_answer, new_person, page

from bedrot.demo import tiktok
from bedrot.demo.label import Artist, Label, invent
from bedrot.demo.stored_zip import stored_zip
from bedrot.demo.tiktok_tables import Export
from bedrot.demo.tiktok_text import NO_TIME, Row, plain, quoted, workbook

PAGE = "/tiktokstudio/analytics"
FILE = "/tiktokstudio/api/analytics/download"
TABS = ("Overview", "Viewers", "Followers", "Content")
BUSINESS = {"Overview": "business overview", "Followers": "business audience", "Content": "business content"}
"""The tabs of a business account, and what the demo calls their tables."""

DAYS = (7, 28, 60, 365)
_RENAMED = {
    "Video Views": "Video plays", "Total Viewers": "All viewers", "Followers": "Fans", "Total views": "All plays",
    "Video views": "Video plays", "Total followers": "All fans",
}  # fmt: skip
_ACTING = """<script>
let tab = TOLD.tabs[0], days = 7;
const all = (what) => [...document.querySelectorAll(what)], by = (name) => document.getElementById(name);
function shown() {
  all("[role=tab]").forEach((one) => one.setAttribute("aria-selected", one.textContent === tab));
  by("range").textContent = "Last " + days + " days";
  by("shown").textContent = TOLD.empty || tab + ", " + TOLD.until;
}
all("[role=tab]").forEach((one) => one.onclick = () => { tab = one.textContent; shown(); });
by("range").onclick = () => { by("ranges").hidden = !by("ranges").hidden; };
all("[role=option]").forEach((one) => one.onclick = () => {
  days = Number(one.dataset.days); by("ranges").hidden = true; shown();
});
by(TOLD.open).onclick = () => { if (!TOLD.empty) by("window").hidden = false; };
by("cancel").onclick = () => { by("window").hidden = true; };
by(TOLD.go).onclick = () => {
  const form = document.querySelector("[name=form]:checked").value;
  by("window").hidden = true;
  location.href = TOLD.file + "?tab=" + tab + "&days=" + days + "&type=" + form;
};
shown();
</script>
"""


@dataclass
class TikTok(Manners):
    """The service; who logs in as any handle of an artist sees that artist, under the handle of the day."""

    label: Label
    language: str = "en-US"
    name: str = "tiktok"
    home = PAGE

    def people(self) -> dict[str, Person]:
        """A person for each handle that an artist ever had."""
        return {handle: new_person(self.name, handle) for one in self.label.artists for handle in one.handles}

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """Who asks for a file is told why in a document."""
        if asked.path != FILE or why != "unauthorised":
            return None
        return json_answer({"statusCode": 10101, "statusMsg": "Please log in to continue"}, 401)

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Nothing is to be had without a session."""
        return None

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """The page of analytics, and its files."""
        if asked.method != "GET":
            return None
        whose = self._whose(asked.person or "", faults)
        if asked.path == FILE:
            return self._file(whose, asked.query, now.astimezone(UTC), faults)
        parts = asked.path.removeprefix(PAGE).strip("/")
        if asked.path == "/" or (asked.path.startswith(PAGE) and parts in ("", *map(str.lower, TABS))):
            return self._page(whose, now.astimezone(UTC), faults)
        return None

    def _whose(self, person: str, faults: Faults) -> tuple[Label, Artist]:
        """The artist whose account a person is shown: another one than their own, if that goes wrong."""
        if faults.wrong_account:
            label = invent(self.label.seed, len(self.label.artists) + 2)
            return label, next(one for one in label.artists[len(self.label.artists) :] if not one.moved)
        mine = (one for one in self.label.artists if person in one.handles)
        return self.label, next(mine, self.label.artists[0])

    def _page(self, whose: tuple[Label, Artist], now: datetime, faults: Faults) -> Answer:
        """The page, with its tabs, the range, and the window."""
        artist = whose[1]
        tabs = TABS if not business(artist, now) else tuple(BUSINESS)
        until = Export(artist, "", "Overview", now, 7).last
        empty = "Not enough data yet. Post a video to see your analytics." if faults.empty_account else ""
        told = {"tabs": tabs, "until": f"until {until:%b %d}", "file": FILE, "empty": empty}
        told |= {"open": "export", "go": "save"} if faults.moved_button else {"open": "open", "go": "go"}
        forms = ("XLSX", "CSV") if tabs == TABS else ("CSV",)
        body = _body(handle_on(artist, now), tabs, forms, faults)
        return page("Analytics | TikTok Studio", f"{body}<script>const TOLD = {json.dumps(told)};</script>{_ACTING}")

    def _file(self, whose: tuple[Label, Artist], query: dict[str, str], now: datetime, faults: Faults) -> Answer | None:
        """A file as it is downloaded; an account without data has none."""
        label, artist = whose
        tab, days, form = query.get("tab", ""), query.get("days", ""), query.get("type", "")
        tabs = {tab: tab for tab in TABS} if not business(artist, now) else BUSINESS
        forms = {"xlsx": "workbook", "csv": "zip"} if tabs is not BUSINESS else {"csv": "csv"}
        if tab not in tabs or days not in map(str, DAYS) or form not in forms:
            return json_answer({"statusCode": 10201, "statusMsg": "invalid parameters"}, 400)
        if faults.empty_account:
            return json_answer({"statusCode": 10222, "statusMsg": "no data"}, 404)
        export = Export(artist, handle_on(artist, now), tabs[tab], now, int(days), self.language, forms[form])
        name, content = download(label, export, renamed=faults.renamed_field)
        kind = "text/csv" if name.endswith(".csv") else "application/zip"
        return Answer(content, kind=kind, headers=(("Content-Disposition", f'attachment; filename="{name}"'),))


def business(artist: Artist, now: datetime) -> bool:
    """Whether an artist has a business account by then, whose tables are others."""
    return artist.moved and now.date() >= tiktok.BUSINESS_SINCE


def handle_on(artist: Artist, now: datetime) -> str:
    """The handle that an artist has then."""
    return artist.handles[-1] if now.date() >= tiktok.RENAMED else artist.handles[0]


def download(label: Label, export: Export, *, renamed: bool = False) -> tuple[str, bytes]:
    """The name and the bytes of a download; members of a zip bear the instant of the export."""
    files = list(_tables(label, export, renamed=renamed))
    if export.form == "csv":
        name, headings, rows = files[0]
        return f"{name}.csv", plain(headings, rows)
    if export.form == "workbook":
        members = [(f"{name}.xlsx", NO_TIME, workbook(name, headings, rows)) for name, headings, rows in files]
    else:
        members = [(f"{name}.csv", export.at, quoted(headings, rows)) for name, headings, rows in files]
    return tiktok._name(export), stored_zip(members)


def _tables(label: Label, export: Export, *, renamed: bool) -> Iterator[tuple[str, Row, list[Row]]]:
    """The tables of an export: name, headings and rows."""
    for name, headings, rows in tiktok._FILES[export.kind]:
        called = [_RENAMED.get(str(one), one) for one in headings] if renamed else headings
        yield name, called, rows(label, export)


def _body(handle: str, tabs: tuple[str, ...], forms: tuple[str, ...], faults: Faults) -> str:
    """What a person sees of the page."""
    listed = "".join(f'<button role="tab">{one}</button>' for one in tabs)
    ranges = "".join(f'<li role="option" data-days="{days}">Last {days} days</li>' for days in DAYS)
    opens, saves = '<button id="open"', '<button id="go">Download</button>'
    word, end = "Download data", "</button>"
    if faults.moved_button:
        opens, saves, word, end = '<div id="export"', '<div id="save">Save file</div>', "Export", "</div>"
    dimmed = " disabled" if faults.empty_account else ""
    radios = "".join(
        f'<label><input type="radio" name="form" value="{one.lower()}"{" checked" * (one == forms[0])}> {one}</label> '
        for one in forms
    )
    return (
        f'<div>TikTok Studio <span id="handle">@{escape(handle)}</span></div><h1>Analytics</h1>'
        f'<div role="tablist">{listed}</div>'
        f'<button id="range"></button><ul id="ranges" role="listbox" hidden>{ranges}</ul>'
        f'{opens}{dimmed}>{word}{end}<p id="shown"></p>'
        f'<div id="window" role="dialog" aria-label="{word}" hidden><h2>{word}</h2>{radios}'
        f'<button id="cancel">Cancel</button>{saves}</div>'
    )
