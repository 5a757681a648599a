"""DistroKid as a browser meets it: two statistics pages, the bank, and its details with a filter and a download.

Invented, where nobody has written it down: the words and names of the filter's fields, how the page learns that a big
export is ready, where the account's name stands, and what an account without streams or earnings is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import quote, urlencode

from portal import Answer, Asked, Faults, Manners, Why, json_answer, page, redirect

from bedrot.demo import distrokid_pages
from bedrot.demo.bank import NEW, OLD, QUOTED, Generation, bank_file
from bedrot.demo.distribution import albums, seen_by_distrokid
from bedrot.demo.distrokid_bank import Export, main_lines, spelling
from bedrot.demo.distrokid_charts import APPLE, SPOTIFY, Page, apple_page, spotify_page
from bedrot.demo.label import FIRST_DAY, Label, invent
from bedrot.demo.plays import STORES, Plays
from bedrot.demo.statements import Line
from bedrot.demo.stored_zip import stored_zip

MAIN, OTHER = "Harbour Lane Records", "Harbour Lane Back Catalogue"
_PAGES = {"streams": SPOTIFY, "applemusic": APPLE}
_GENERATIONS: tuple[tuple[datetime, Generation], ...] = (
    (datetime(2025, 12, 1, tzinfo=UTC), NEW),
    (datetime(2025, 7, 1, tzinfo=UTC), QUOTED),
    (datetime(2000, 1, 1, tzinfo=UTC), OLD),
)
"""Since when the bank wrote its files how, the newest first; the old one is UTF-8 here."""

_DRAWING = """<script>
function $(what) { return { ready: (act) => document.addEventListener("DOMContentLoaded", act) }; }
var AmCharts = { makeChart: (id, told) => {
  const drawn = document.createElement("div");
  drawn.innerHTML = "<svg id='" + id + "'>" +
    told.dataProvider.map((one) => "<text>" + one["column-1"] + "</text>").join("") + "</svg>";
  document.body.append(drawn);
  return told;
} };
</script>
"""
"""What stands for the libraries that draw: the picture repeats the name of the chart and its values."""

_DOWNLOADING = """<script>
async function downloadBank() {
  const said = document.getElementById("said");
  for (;;) {
    const answered = await fetch("/bank/details/export/" + location.search);
    if (!answered.ok) { said.textContent = "Something went wrong. Please try again."; return; }
    const told = await answered.json();
    said.textContent = told.sentence;
    if (told.state === "ready") { location.href = told.file; return; }
    if (told.state === "offered") {
      const link = document.createElement("a");
      link.id = "offered"; link.href = told.file; link.textContent = "Download .zip";
      said.append(" ", link);
    }
    if (told.state !== "preparing") { return; }
    await new Promise((done) => setTimeout(done, told.again));
  }
}
</script>
"""
_MOVED = (
    '<button id="export-report">Export report</button>'
    '<script>document.getElementById("export-report").onclick = () => downloadBank();</script>'
)
"""The button at another place, with another word on it."""


@dataclass(frozen=True)
class Filter:
    """What is asked of the bank: months by report (or by sale), from and to both included, and a store."""

    by: str = "reporting"
    first: str = ""
    last: str = ""
    store: str = ""

    @property
    def narrow(self) -> bool:
        """Whether anything is left out."""
        return bool(self.first or self.last or self.store)

    def query(self) -> str:
        """The filter as the page's address has it."""
        return urlencode({"by": self.by, "from": self.first, "to": self.last, "store": self.store})

    def takes(self, line: Line, store: str) -> bool:
        """Whether a line, whose store is called so today, is asked for."""
        day = line.sale_month if self.by == "sale" else line.reporting_date
        month = day.isoformat()[:7]
        return (self.first or month) <= month <= (self.last or month) and self.store in ("", store)


def asked_for(query: dict[str, str]) -> Filter | None:
    """The filter of an address; None where a month is none or the kind of day is unknown."""
    first, last, by = query.get("from", ""), query.get("to", ""), query.get("by", "reporting")
    if by not in ("reporting", "sale") or not all(re.fullmatch(r"(\d{4}-\d\d)?", one) for one in (first, last)):
        return None
    return Filter(by, first, last, query.get("store", ""))


@dataclass
class DistroKid(Manners):
    """The service; `most_rows` it gives at once, for more one asks `polls` times, with `pause` milliseconds between."""

    label: Label
    most_rows: int = 50_000
    polls: int = 3
    pause: int = 150
    name: str = "distrokid"
    home = "/bank/"
    _asked: dict[tuple[str, Filter], int] = field(default_factory=dict)

    def is_data(self, asked: Asked) -> bool:
        """The statistics pages are data; the bank's are not, its files are."""
        return asked.path == "/stats/"

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """Statistics are asked for as pages are, and not part of every plan."""
        if why == "unauthorised":
            return redirect(f"/login?next={quote(f'{asked.path}?{urlencode(asked.query)}', safe='')}")
        if why == "forbidden" and asked.path == "/stats/":
            return page("Stats", "<h1>Daily stats</h1><p>Upgrade to Musician Plus to see daily stats.</p>", 403)
        return None

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Nothing is to be had without a session."""
        return None

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """The pages and files of somebody who is logged in."""
        shown = _Shown(self.label, now.astimezone(UTC), faults)
        if asked.method != "GET":
            return None
        if asked.path == "/stats/" and (store := _PAGES.get(asked.query.get("data", "streams"))):
            return Answer(shown.stats(store).encode())
        if asked.path in ("/", "/bank/"):
            return shown.page("Bank", '<a href="/bank/details/">See excruciating detail</a>')
        return self._details(asked, shown) if asked.path.startswith("/bank/details/") else None

    def _details(self, asked: Asked, shown: _Shown) -> Answer | None:
        """The bank's details, what the page is told about an export, and the file."""
        wanted = asked_for(asked.query)
        if wanted is None:
            return shown.page("Bank", "<p>Please choose another date.</p>", status=400)
        if asked.path == "/bank/details/export/":
            return json_answer(self._told(shown, wanted))
        if asked.path == "/bank/details/file/":
            return self._file(shown, wanted)
        return shown.details(wanted) if asked.path == "/bank/details/" else None

    def _told(self, shown: _Shown, wanted: Filter) -> dict[str, object]:
        """What the page is told that wants an export: refused, preparing, offered as a zip, or ready at once."""
        rows = sum(1 for _ in shown.lines(wanted))
        file = f"/bank/details/file/?{wanted.query()}"
        if rows <= self.most_rows:
            return {"state": "ready", "sentence": "Your download has started.", "file": file}
        if not wanted.narrow:
            return {"state": "refused", "sentence": self._too_many(rows)}
        key = (shown.account, wanted)
        self._asked[key] = self._asked.get(key, 0) + 1
        if self._asked[key] <= self.polls:
            return {"state": "preparing", "sentence": "We're preparing your file.", "again": self.pause}
        return {"state": "offered", "sentence": "Your file is ready:", "file": file}

    def _too_many(self, rows: int) -> str:
        """The sentence that refuses an export."""
        return (
            f"Your report has {rows:,} rows. Reports over {self.most_rows:,} rows must be filtered first:"
            " please choose dates or a store."
        )

    def _file(self, shown: _Shown, wanted: Filter) -> Answer:
        """The file of an export; a big one only when it was asked for and is ready."""
        rows = sum(1 for _ in shown.lines(wanted))
        big = rows > self.most_rows
        if big and not wanted.narrow:
            return shown.page("Bank", f"<p>{self._too_many(rows)}</p>", status=400)
        if big and self._asked.get((shown.account, wanted), 0) <= self.polls:
            return shown.page("Bank", "<p>We're preparing your file.</p>", status=409)
        if big:
            del self._asked[shown.account, wanted]
        return shown.file(wanted, zipped=big)


@dataclass(frozen=True)
class _Shown:
    """What one account is shown at an instant, with the faults that are on."""

    label: Label
    now: datetime
    faults: Faults

    @property
    def account(self) -> str:
        """The name on the page."""
        return OTHER if self.faults.wrong_account else MAIN

    @property
    def whose(self) -> Label:
        """The label whose numbers these are."""
        return invent(self.label.seed + 1) if self.faults.wrong_account else self.label

    def stats(self, store: str) -> str:
        """A store's statistics page with all days that it knows of, at most a year."""
        page = page_of(self.whose, store, self.now)
        text = spotify_page(page) if store == SPOTIFY else apple_page(self.whose, page)
        if self.faults.empty_account:
            text = _without_points(text)
        if self.faults.renamed_field:
            text = text.replace("trend365day", "trendYear").replace('"last365days":', '"lastYear":')
        return text.replace("<body>", f"<body>{_head(self.account)}{self._menus()}{_DRAWING}", 1)

    def _menus(self) -> str:
        """The tabs, and the drop-downs of releases and recordings that nobody needs."""
        titles = [] if self.faults.empty_account else [*albums(self.whose).values()]
        chosen = "".join(f"<option>{escape(one)}</option>" for one in ("All albums", *titles))
        return (
            "<div><span>iTunes + Amazon (Sales)</span>"
            ' <a href="/stats/?type=all&amp;data=streams">Spotify</a>'
            ' <a href="/stats/?type=all&amp;data=applemusic">Apple Music</a></div>'
            f"<select>{chosen}</select>\n"
        )

    def page(self, title: str, body: str, status: int = 200) -> Answer:
        """A page of the bank."""
        return page(f"{title} - DistroKid", f"{_head(self.account)}<h1>{title}</h1>{body}", status)

    def lines(self, wanted: Filter) -> Iterator[Line]:
        """The bank's lines under a filter, as far as they have been reported."""
        stores = spelling(self.whose, self.now.date()).stores
        known = () if self.faults.empty_account else self._export(zipped=False).of(main_lines(self.whose))
        return (line for line in known if wanted.takes(line, stores.get(line.store, line.store)))

    def _export(self, *, zipped: bool) -> Export:
        """An export of this instant, with all that was reported."""
        generation = next(made for since, made in _GENERATIONS if self.now >= since)
        account = "back catalogue" if self.faults.wrong_account else "main"
        return Export(self.now, generation, account, lambda *_: True, zipped)

    def details(self, wanted: Filter) -> Answer:
        """The page with the filter, how many lines are under it, and the download."""
        names = spelling(self.whose, self.now.date())
        listed = f"<p>{sum(1 for _ in self.lines(wanted)):,} rows</p>"
        button = _MOVED if self.faults.moved_button else '<div onclick="downloadBank()">Download</div>'
        if self.faults.empty_account:
            button, listed = "", "<p>You have no earnings yet.</p>"
        stores = [names.stores.get(one, one) for one in STORES]
        body = f'{_filter_form(wanted, stores)}{_DOWNLOADING}{button}<p id="said"></p>{listed}'
        return self.page("Bank details", body)

    def file(self, wanted: Filter, *, zipped: bool) -> Answer:
        """The file as it is downloaded."""
        export = self._export(zipped=zipped)
        names = spelling(self.whose, self.now.date())
        content = b"".join(bank_file(export.generation, self.lines(wanted), names))
        if self.faults.renamed_field:
            content = content.replace(b"Earnings (USD)", b"Net Revenue (USD)", 1)
        if zipped:
            content = stored_zip([(export.name.replace(".zip", ".csv"), self.now, content)])
        kind = "application/zip" if zipped else "text/csv" if export.generation.quoted else "text/tab-separated-values"
        return Answer(content, kind=kind, headers=(("Content-Disposition", f'attachment; filename="{export.name}"'),))


def page_of(label: Label, store: str, now: datetime) -> Page:
    """What a store's page shows at an instant; Apple's last day is not counted to its end."""
    last = now.date() - timedelta(days=distrokid_pages.BEHIND[store])
    first = max(FIRST_DAY, last - timedelta(days=distrokid_pages.MOST_DAYS - 1))
    days = [one for one in seen_by_distrokid(label, Plays(label), store, first, last) if one[1]]
    if store == APPLE:
        days[-1] = (days[-1][0], distrokid_pages._too_early(label, *days[-1]))
    return Page(store, now, tuple(days))


def _without_points(text: str) -> str:
    """A statistics page whose charts hold nothing."""
    text = re.sub(r'("dataProvider": \[\n)[^\]]*(\n\])', r"\1\2", text)
    found = re.search(r"(?<=var chartData = )\{.*\}(?=;\n)", text)
    if not found:
        return text
    charts = json.loads(found[0])
    for chart in charts.values():
        chart |= {"isEmpty": 1, "dataProvider": [], "total": 0}
    return text.replace(found[0], json.dumps(charts, separators=(",", ":")))


def _filter_form(wanted: Filter, stores: list[str]) -> str:
    """The form that asks for a filter."""
    kinds = "".join(
        f'<label><input type="radio" name="by" value="{by}"{" checked" * (by == wanted.by)}> {said}</label> '
        for by, said in (("reporting", "Reporting Date"), ("sale", "Sale Month"))
    )
    chosen = "".join(
        f'<option value="{escape(one)}"{" selected" * (one == wanted.store)}>{escape(one)}</option>' for one in stores
    )
    return (
        f'<form action="/bank/details/">{kinds}'
        f'<label>From <input type="month" name="from" value="{wanted.first}"></label> '
        f'<label>To <input type="month" name="to" value="{wanted.last}"></label> '
        f'<label>Store <select name="store"><option value="">All stores</option>{chosen}</select></label> '
        "<button>Display</button></form>"
    )


def _head(account: str) -> str:
    """What stands above every page."""
    return (
        f'<div>Signed in as <b id="account">{account}</b> <a href="/bank/">Bank</a> <a href="/stats/">Stats</a></div>\n'
    )
