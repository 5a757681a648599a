"""Linktree as a browser meets it: an analytics page that asks for its answers by itself, private ones among them.

Invented, where nobody has written it down: what the page's requests say, and how its range control is built.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from string import Template

from portal import Answer, Asked, Faults, Manners, Person, Why, canary, json_answer, new_person, page

from bedrot.demo import linktree_answers
from bedrot.demo.label import Label
from bedrot.demo.links import Page, pages

HOME = "/admin/analytics"
GRAPHQL = "/graphql"
RANGES = {7: "Last 7 days", 28: "Last 28 days", 90: "Last 90 days", 365: "Last 365 days"}
"""The ranges that a person can choose, by their days, in the words of the page."""
MOVED = {7: "Past week", 28: "Past four weeks", 90: "Past quarter", 365: "Past year"}
"""The words where the control has moved."""
FIELD, RENAMED = "totalViews", "viewCount"
"""A field of the overview, and what it is called where it has another name."""
PRIVATE = ("CurrentUser", "Wallet", "Commerce", "Followers", "Chat")
"""The page's questions that have nothing to do with visits; they come first."""
_DAY = timedelta(days=1)

_CONTROL = """
<div class="range">
  <button type="button" data-testid="range-picker" aria-haspopup="listbox" aria-expanded="false">$chosen</button>
  <ul role="listbox" data-testid="range-options" hidden>$options</ul>
</div>"""
_OPTION = '<li role="option" data-days="$days">$text</li>'
_MOVED_CONTROL = """
<nav class="filters"><details><summary>Filters</summary><div class="periods">$options</div></details></nav>"""
_MOVED_OPTION = '<a href="#" data-days="$days">$text</a>'

_SCRIPT = """
<script>
const ask = (operationName, variables) =>
  fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ operationName, variables, query: "query " + operationName }),
  }).then((answer) => answer.json());
const show = (told) => {
  const overview = told.data.getAccountAnalytics.overview;
  document.querySelector("[data-testid=views]").textContent = overview.totalViews;
  document.querySelector("[data-testid=clicks]").textContent = overview.totalClicks;
  document.querySelector("[data-testid=shown-days]").textContent = overview.timeseries.length;
};
const load = async (days) => {
  const range = { range: "last-" + days + "-days", interval: "DAILY" };
  const first = ask("AccountAnalyticsOverview", range).then(show);
  const others = ["AccountAnalyticsLinks", "AccountAnalyticsPlaces"];
  if (days === 7) { others.push("AccountAnalyticsSubscribers"); }
  await Promise.allSettled([first, ...others.map((name) => ask(name, range))]);
};
const begin = async () => {
  await Promise.allSettled($private.map((name) => ask(name, {})));
  await load(7);
  await Promise.allSettled([ask("LinkTitles", {})]);
  document.body.dataset.loaded = "7";
};
const picker = document.querySelector("[data-testid=range-picker]");
const list = document.querySelector("[role=listbox]");
if (picker) {
  picker.onclick = () => { list.hidden = !list.hidden; picker.setAttribute("aria-expanded", String(!list.hidden)); };
}
const ready = begin();
for (const one of document.querySelectorAll("[data-days]")) {
  one.onclick = async (event) => {
    event.preventDefault();
    if (picker) { picker.textContent = one.textContent; list.hidden = true; }
    await ready;
    await load(Number(one.dataset.days));
    document.body.dataset.loaded = one.dataset.days;
  };
}
</script>"""

_PAGE = Template("""
<header><a data-testid="account" href="https://linktr.ee/$name">linktr.ee/$name</a>
<a href="/logout">Log out</a></header>
<h1>Analytics</h1>$control
<dl><dt>Views</dt><dd data-testid="views"></dd><dt>Clicks</dt><dd data-testid="clicks"></dd>
<dt>Days</dt><dd data-testid="shown-days"></dd></dl>""")


@dataclass
class Linktree(Manners):
    """The service with a page of links for each artist; who logs in is named as the page."""

    label: Label
    name: str = "linktree"
    home: str = HOME
    email: str = field(default_factory=lambda: canary("linktree", "email") + "@example.com")
    follower: str = field(default_factory=lambda: canary("linktree", "follower") + "@example.com")
    payout: str = field(default_factory=lambda: canary("linktree", "payout"))

    def people(self) -> dict[str, Person]:
        """One person for each page."""
        return {artist.page: new_person(self.name, artist.page) for artist in self.label.artists}

    def canaries(self) -> tuple[str, ...]:
        """What the private answers tell."""
        return (self.email, self.follower, self.payout)

    def is_data(self, asked: Asked) -> bool:
        """The answers to the page's questions are data, the page is none."""
        return asked.path == GRAPHQL

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """A question without a session, or beyond what is allowed, is answered as GraphQL does."""
        codes: dict[Why, tuple[int, str]] = {"unauthorised": (401, "UNAUTHENTICATED"), "forbidden": (403, "FORBIDDEN")}
        if asked.path != GRAPHQL or why not in codes:
            return None
        status, code = codes[why]
        return json_answer(_error(code), status)

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Nothing is to be had without a session."""
        return None

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """The analytics page, and the answers to its questions."""
        links = self._page_of(asked.person, faults)
        if asked.path == HOME and asked.method == "GET":
            return _analytics_page(links.name, faults)
        if asked.path != GRAPHQL or asked.method != "POST":
            return None
        question = _question(asked.body)
        if question is None:
            return json_answer(_error("BAD_REQUEST"), 400)
        name, range_ = question
        private = self._private(name, links)
        found = private or analytics(links, name, range_, now.astimezone(UTC), empty=faults.empty_account)
        if found is None:
            return json_answer(_error("BAD_USER_INPUT"))
        body = linktree_answers.written(found)
        if faults.renamed_field:
            body = body.replace(f'"{FIELD}"'.encode(), f'"{RENAMED}"'.encode())
        return Answer(body, kind="application/json; charset=utf-8")

    def _page_of(self, person: str | None, faults: Faults) -> Page:
        """The page of who is logged in, or another one."""
        all_pages = pages(self.label)
        place = next(number for number, one in enumerate(all_pages) if one.name == person)
        return all_pages[(place + faults.wrong_account) % len(all_pages)]

    def _private(self, name: str, links: Page) -> linktree_answers.Json | None:
        """The answers that are nobody's business; None for those of the analytics."""
        user = linktree_answers.owner(links)["currentUser"]
        follower = {"id": 1, "email": self.follower, "name": "A Follower", "__typename": "Follower"}
        told: dict[str, linktree_answers.Json] = {
            "CurrentUser": {"currentUser": {**user, "email": self.email}},
            "Wallet": {"getWallet": {"balance": 0, "payoutAccount": self.payout, "__typename": "Wallet"}},
            "Commerce": {"getCommerce": {"orders": [], "__typename": "Commerce"}},
            "Followers": {"getFollowers": {"followers": [follower], "total": 1, "__typename": "Followers"}},
            "Chat": {"getChat": {"unread": 0, "threads": [], "__typename": "Chat"}},
        }
        return told.get(name)


def analytics(
    links: Page, name: str, days: int | None, now: datetime, *, empty: bool = False
) -> linktree_answers.Json | None:
    """What is answered to one question of the page about so many days, today included; None: there is none such.

    An account without data has no links, and nobody came on its days.
    """
    if name == "LinkTitles":
        return {} if empty else linktree_answers.titles(links, now)
    if days not in RANGES:
        return None
    last = now.date()
    first = last - (days - 1) * _DAY
    asked, ever = links.range(first, last, now), links.range(links.opened, last, now)
    if empty:
        nobody = links.known(links.opened - _DAY, now)
        asked, ever = [(day, nobody) for day, _ in asked], []
    before = [one for day, one in ever if day < first]
    answers = {
        "AccountAnalyticsOverview": lambda: linktree_answers.overview(asked),
        "AccountAnalyticsLinks": lambda: linktree_answers.links(links, asked, sum(one.views for _, one in ever)),
        "AccountAnalyticsSubscribers": lambda: linktree_answers.subscribers(
            asked, sum(one.subscribed for one in before)
        ),
        "AccountAnalyticsPlaces": lambda: linktree_answers.places(links, asked, ever),
    }
    found = answers[name]() if name in answers else None
    if found and empty and "links" in found["getAccountAnalytics"]:
        found["getAccountAnalytics"]["links"] = []
    return found


def _question(body: bytes) -> tuple[str, int | None] | None:
    """The name of a question and the days of its range; None where it is no question."""
    try:
        asked = json.loads(body)
        name, chosen = str(asked["operationName"]), str(asked["variables"].get("range", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return name, next((days for days in RANGES if chosen == f"last-{days}-days"), None)


def _error(code: str) -> linktree_answers.Json:
    """An answer that tells an error."""
    return {"errors": [{"message": code.replace("_", " ").capitalize(), "extensions": {"code": code}}], "data": None}


def _analytics_page(name: str, faults: Faults) -> Answer:
    """The analytics page; where its control has moved, other elements with other words stand at another place."""
    words, option = (MOVED, _MOVED_OPTION) if faults.moved_button else (RANGES, _OPTION)
    options = "".join(Template(option).substitute(days=days, text=escape(text)) for days, text in words.items())
    outer = Template(_MOVED_CONTROL if faults.moved_button else _CONTROL)
    control = outer.substitute(chosen=words[7], options=options)
    script = _SCRIPT.replace("$private", json.dumps(PRIVATE))
    return page("Analytics | Linktree", _PAGE.substitute(name=escape(name), control=control) + script)
