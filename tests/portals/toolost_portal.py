"""TooLost's portal as a browser meets it: analytics that the page fetches with its token, and statements by notice.

Invented, where nobody has written it down: the page's words beside the known ones, the claims in the token, how the
page gets it, the other notices, and what an account without plays or statements is shown.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import escape

from portal import Answer, Asked, Faults, Manners, Person, Why, canary, json_answer, new_person, page

from bedrot.demo import toolost_portal, toolost_sales
from bedrot.demo.arrival import Arrival
from bedrot.demo.distribution import MOVED, TOOLOST, albums, seen_by_toolost, span
from bedrot.demo.label import Label, invent
from bedrot.demo.plays import Plays
from bedrot.demo.toolost_answers import APPLE, SPOTIFY, answer_bytes
from bedrot.demo.toolost_answers import Answer as PortalAnswer

MAIN, OTHER = "Harbour Lane Records", "Second Quay Music"
LIFE = timedelta(days=7)
"""How long the page's token is good for."""

PATHS = {"/api/portal/analytics/spotify": SPOTIFY, "/api/portal/analytics/apple/": APPLE}
"""Where the page asks for which store; one of them ends with a slash."""

_REFUSALS: dict[Why, tuple[int, str]] = {
    "unauthorised": (401, "Unauthenticated."),
    "throttled": (429, "Too Many Attempts."),
    "broken": (500, "Server Error"),
    "forbidden": (403, "This action is unauthorized."),
}
_RENAMED = {"streams": "plays", "totalStreams": "playsByDay", "streamTotal": "playTotal"}
_FETCHING = """<script>
localStorage.setItem("token", TOKEN);
async function show(store, address) {
  const asked = { headers: { Accept: "application/json", Authorization: "Bearer " + localStorage.getItem("token") } };
  const answered = await fetch(address, asked);
  if (answered.status === 401) { localStorage.removeItem("token"); location.href = "/login"; return; }
  const place = document.getElementById(store);
  if (!answered.ok) { place.textContent = "Something went wrong"; return; }
  const days = Object.values(await answered.json())[0];
  const total = days.reduce((sum, day) => sum + Number(Object.values(day)[1]), 0);
  place.textContent = days.length ? total.toLocaleString("en-US") + " streams" : "No data available";
}
show("spotify", "/api/portal/analytics/spotify?release=&date=thisYear");
show("apple", "/api/portal/analytics/apple/?release=&date=thisYear");
</script>
"""


@dataclass
class TooLost(Manners):
    """The service: pages need a session, answers the token that a page left in the browser."""

    label: Label
    name: str = "toolost"
    home = "/user-portal/analytics/platform"
    _people: dict[str, Person] = field(default_factory=lambda: {"owner": new_person("toolost")})
    _tokens: dict[str, str] = field(default_factory=dict)
    _until: dict[str, datetime] = field(default_factory=dict)

    def people(self) -> dict[str, Person]:
        """One person, whose token is a new one after each log-in."""
        return self._people

    def canaries(self) -> Sequence[str]:
        """All tokens that it gave out."""
        return [*self._tokens.values()]

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """What asks for data is told why in a message."""
        return refused(why, faults) if why != "unauthorised" or asked.path in PATHS else None

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Nothing is to be had without a session."""
        return None

    def _told(self, asked: Asked, store: str, now: datetime, faults: Faults) -> Answer:
        """An answer that the page fetches; only the token counts, which is good for some days."""
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if now >= self._until.get(token, now):
            return refused("unauthorised", faults)
        if asked.query.get("release", "") or asked.query.get("date") != "thisYear":
            told = {"message": "The given data was invalid.", "errors": {"date": ["The selected date is invalid."]}}
            return json_answer(told, 422)
        return Answer(self._answer(store, now, faults), kind="application/json")

    def _token(self, asked: Asked, now: datetime) -> str:
        """The token of a session: made when a page is first asked for in it, and the same from then on."""
        found = re.search(rf"{self.name}_session=([^;]+)", asked.headers.get("cookie", ""))
        session, user = found[1] if found else "", asked.person or "owner"
        if session not in self._tokens:
            claims = {"sub": user, "iat": int(now.timestamp()), "exp": int((now + LIFE).timestamp())}
            parts = (b'{"alg":"HS256","typ":"JWT"}', json.dumps(claims).encode(), canary(self.name, "jwt").encode())
            token = ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)
            self._tokens[session], self._until[token] = token, now + LIFE
            self._people[user] = replace(self._people[user], token=token)
        return self._tokens[session]

    def _answer(self, store: str, now: datetime, faults: Faults) -> bytes:
        """This year's plays of a store."""
        content = answer_bytes(_whose(self.label, faults), answer_of(_whose(self.label, faults), store, now))
        told = json.loads(content)
        if faults.empty_account:
            told = {key: [] if isinstance(value, list) else 0 for key, value in told.items()}
        if faults.renamed_field:
            told = {_RENAMED.get(key, key): value for key, value in told.items()}
        return json.dumps(told).encode() if faults.empty_account or faults.renamed_field else content

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """The pages and files of somebody who is logged in."""
        if asked.method != "GET":
            return None
        if asked.path in PATHS:
            return self._told(asked, PATHS[asked.path], now, faults)
        if asked.path in ("/", self.home):
            return self._analytics(asked, now, faults)
        if asked.path == "/user-portal/notifications":
            return _page(faults, "Notifications", self._notices(now, faults))
        found = re.fullmatch(r"/user-portal/notifications/(\d+)/attachment", asked.path)
        for one in statements(_whose(self.label, faults), now) if found and not faults.empty_account else ():
            if found and file_name(one).endswith(f"-{found[1]}.csv"):
                return _file(one, faults)
        return None

    def _analytics(self, asked: Asked, now: datetime, faults: Faults) -> Answer:
        """The page of platforms, which leaves its token in the browser and then asks for the numbers."""
        titles = [] if faults.empty_account else [*releases(_whose(self.label, faults))]
        chosen = "".join(f"<option>{escape(one)}</option>" for one in titles)
        return _page(
            faults,
            "Platform analytics",
            f'<label>Release <select><option value="">All releases</option>{chosen}</select></label> '
            '<label>Date <select><option value="thisYear">This Year</option></select></label>'
            '<h2>Spotify</h2><p id="spotify">Loading</p><h2>Apple Music</h2><p id="apple">Loading</p>'
            + _FETCHING.replace("TOKEN", json.dumps(self._token(asked, now))),
        )

    def _notices(self, now: datetime, faults: Faults) -> str:
        """The notices, the newest first; a statement's has a button."""
        label = _whose(self.label, faults)
        found = [(one.at.date(), _statement_notice(one, faults)) for one in statements(label, now)]
        if now.date() >= MOVED:
            found += [(MOVED, f"Your release {escape(one)} is now live") for one in releases(label)]
        found.sort(key=lambda one: one[0], reverse=True)
        listed = "".join(f"<li>{text} <time>{day:%b %d, %Y}</time></li>" for day, text in found)
        return f"<ul>{listed}</ul>" if listed and not faults.empty_account else "<p>You have no notifications</p>"


def answer_of(label: Label, store: str, now: datetime) -> PortalAnswer:
    """What the portal knows of this year's plays of a store; days without plays are absent."""
    now = now.astimezone(UTC)
    empty = PortalAnswer(store, now, now, ())
    truth = seen_by_toolost(label, Plays(label), store, max(MOVED, empty.first), max(MOVED, empty.last))
    days = [(day, toolost_portal._shown(label, empty, day, count)) for day, count in truth if day <= empty.last]
    return PortalAnswer(store, now, now, tuple(one for one in days if one[1]))


def statements(label: Label, now: datetime) -> list[Arrival]:
    """The statements that are out, the oldest first."""
    return [one for one in toolost_sales.arrivals(label) if one.verdict == "accepted" and one.at <= now]


def file_name(statement: Arrival) -> str:
    """The name that the service gives to a statement."""
    return statement.name.rpartition("/")[2]


def releases(label: Label) -> list[str]:
    """The titles of the releases that came over, at whatever time."""
    titles = albums(label)
    return [*dict.fromkeys(titles[one.upc] for one in label.recordings if span(one, TOOLOST))]


def _statement_notice(one: Arrival, faults: Faults) -> str:
    """The notice of a statement, with its button."""
    month, number = file_name(one)[1:8], file_name(one)[9:].removesuffix(".csv")
    address = f"/user-portal/notifications/{number}/attachment"
    button = f"<button onclick=\"location.href='{address}'\">Attachment</button>"
    if faults.moved_button:
        button = f'<a role="menuitem" href="{address}">Get report</a>'
    return f"<span>Your ({month}) Sales report has been generated</span> {button}"


def _file(one: Arrival, faults: Faults) -> Answer:
    """A statement as it is downloaded."""
    content = one.content()
    if faults.renamed_field:
        content = content.replace(b"Total (USD)", b"Sum to come (USD)", 1)
    return Answer(
        content, kind="text/csv", headers=(("Content-Disposition", f'attachment; filename="{file_name(one)}"'),)
    )


def _whose(label: Label, faults: Faults) -> Label:
    """The label whose account is shown."""
    return invent(label.seed + 1) if faults.wrong_account else label


def _page(faults: Faults, title: str, body: str) -> Answer:
    """A page of the portal."""
    account = OTHER if faults.wrong_account else MAIN
    head = (
        f'<div><b id="account">{account}</b> <a href="/user-portal/analytics/platform">Analytics</a>'
        ' <a href="/user-portal/notifications">Notifications</a></div>'
    )
    return page(f"{title} | Too Lost", f"{head}<h1>{title}</h1>{body}")


def refused(why: Why, faults: Faults) -> Answer:
    """A refusal for what asks for data."""
    status, said = _REFUSALS[why]
    wait = (("Retry-After", str(faults.retry_after)),) if why == "throttled" else ()
    return json_answer({"message": said}, status, wait)
