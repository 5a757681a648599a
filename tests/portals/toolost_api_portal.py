"""TooLost's official API: OAuth2 with a code and PKCE, then pages of JSON. No live answer of it has been seen.

Invented, where nobody has written it down: the fields of `/me`, which days a period has, what a date of the sales is,
which scope a path asks for, and that a refresh token is good for one use.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

from portal import Answer, Asked, Faults, Manners, Person, Why, canary, json_answer, new_person, page
from toolost_portal import MAIN, OTHER, refused

from bedrot.demo import toolost_sales
from bedrot.demo.bank import amount, rounded
from bedrot.demo.distribution import MOVED, TOOLOST, albums, span
from bedrot.demo.label import Label, invent
from bedrot.demo.plays import COUNTRIES, Plays
from bedrot.demo.statements import next_month
from bedrot.demo.toolost_answers import APPLE, SPOTIFY
from bedrot.demo.writing import pointed, quotient

LIFE = timedelta(days=15)
_CODE_LIFE = timedelta(minutes=10)
_DAYS = {"lastSevenDays": 7, "lastThirtyDays": 30, "lastThreeMonths": 91, "lastSixMonths": 182, "lastYear": 365}
PERIODS = ("allTime", "lastMonth", *_DAYS)
SCOPES = {"/v1/me": "read:profile", "/v1/analytics/tracks": "read:analytics", "/v1/sales/overview": "read:earnings"}
_RENAMED = {"totalStreams": "plays", "total": "sum"}
Row = dict[str, object]


@dataclass(frozen=True)
class Grant:
    """What a person allowed: until when, and what it hangs on while it is only a code."""

    user: str
    scopes: frozenset[str]
    until: datetime
    challenge: str = ""
    redirect: str = ""


@dataclass
class TooLostApi(Manners):
    """The service; `camel` is whether the answer about a token has its names in camelCase."""

    label: Label
    client: str = "harbour-lane-lake"
    camel: bool = False
    name: str = "toolost-api"
    home = "/oauth/authorize"
    _people: dict[str, Person] = field(default_factory=lambda: {"owner": new_person("toolost-api")})
    _codes: dict[str, Grant] = field(default_factory=dict)
    _access: dict[str, Grant] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _given: list[str] = field(default_factory=list)

    def people(self) -> dict[str, Person]:
        """One person, whose token is the last that was given out for them."""
        return self._people

    def canaries(self) -> Sequence[str]:
        """All codes and tokens that it gave out."""
        return [*self._given]

    def is_data(self, asked: Asked) -> bool:
        """All but the page that asks whether an application may."""
        return asked.path != "/oauth/authorize"

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """Who asks for data is told why in a message."""
        return refused(why, faults) if self.is_data(asked) else None

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Tokens, for codes and for tokens."""
        return self._token(asked.form(), now) if (asked.method, asked.path) == ("POST", "/oauth/token") else None

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """What somebody may who is logged in, and the answers for who has a token."""
        if asked.path == "/oauth/authorize":
            return self._authorize(asked, now)
        grant = self._access.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.until <= now:
            return refused("unauthorised", faults)
        if asked.path not in SCOPES or asked.method != "GET":
            return json_answer({"message": "Not Found"}, 404)
        if SCOPES[asked.path] not in grant.scopes:
            return json_answer({"status": False, "error": "Invalid scope(s) provided."}, 403)
        return _Told(self.label, now.astimezone(UTC), faults).answer(asked.path, asked.query)

    def _authorize(self, asked: Asked, now: datetime) -> Answer:
        """The page on which a person allows an application what it asks for, and where their answer leads."""
        told = asked.query if asked.method == "GET" else asked.form()
        wrong = self._wrong_request(told)
        if wrong:
            return json_answer({"message": wrong}, 400)
        if asked.method == "GET":
            return _consent(told)
        answered = {"state": told.get("state", "")}
        if told.get("allow") != "yes":
            answered["error"] = "access_denied"
        else:
            scopes = frozenset(told.get("scope", "").split())
            grant = Grant(
                asked.person or "owner", scopes, now + _CODE_LIFE, told["code_challenge"], told["redirect_uri"]
            )
            answered["code"] = self._give("code", self._codes, grant)
        return Answer(status=302, headers=(("Location", f"{told['redirect_uri']}?{urlencode(answered)}"),))

    def _wrong_request(self, told: dict[str, str]) -> str:
        """What is wrong with a request to be allowed something; nothing: blank."""
        redirect = urlsplit(told.get("redirect_uri", ""))
        if told.get("client_id") != self.client:
            return "Client authentication failed"
        if redirect.scheme != "http" or redirect.hostname not in ("127.0.0.1", "localhost"):
            return "The redirect URI is not registered"
        if told.get("response_type") != "code" or told.get("code_challenge_method") != "S256":
            return "A code with a challenge of S256 is asked for"
        unknown = set(told.get("scope", "").split()) - set(SCOPES.values())
        return "The requested scope is invalid" if unknown or not told.get("code_challenge") else ""

    def _give(self, what: str, kept: dict[str, Grant], grant: Grant) -> str:
        """A new code or token, under which a grant is kept."""
        self._given.append(canary(self.name, what))
        kept[self._given[-1]] = grant
        return self._given[-1]

    def _token(self, told: dict[str, str], now: datetime) -> Answer:
        """Tokens for a code whose secret is shown, or for the refresh token of before; either is good once."""
        if told.get("client_id") != self.client:
            return json_answer({"error": "invalid_client", "message": "Client authentication failed"}, 401)
        grant: Grant | None = None
        if told.get("grant_type") == "authorization_code":
            grant = self._codes.pop(told.get("code", ""), None)
            if grant and (_challenge(told), told.get("redirect_uri")) != (grant.challenge, grant.redirect):
                grant = None
        elif told.get("grant_type") == "refresh_token":
            grant = self._refresh.pop(told.get("refresh_token", ""), None)
        if grant is None or grant.until <= now:
            return json_answer(
                {"error": "invalid_grant", "message": "The provided authorization grant is invalid"}, 400
            )
        access = self._give("access", self._access, Grant(grant.user, grant.scopes, now + LIFE))
        refresh = self._give("refresh", self._refresh, Grant(grant.user, grant.scopes, now + 4 * LIFE))
        self._people[grant.user] = replace(self._people[grant.user], token=access)
        answer: Row = {"token_type": "Bearer", "expires_in": int(LIFE.total_seconds()), "access_token": access}
        answer |= {"refresh_token": refresh, "scope": " ".join(sorted(grant.scopes))}
        return json_answer({_camel(key): value for key, value in answer.items()} if self.camel else answer)


@dataclass(frozen=True)
class _Told:
    """What the API knows at an instant, with the faults that are on."""

    label: Label
    now: datetime
    faults: Faults

    @property
    def whose(self) -> Label:
        """The label whose account it is."""
        return invent(self.label.seed + 1) if self.faults.wrong_account else self.label

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        """The answer of a path."""
        if path == "/v1/me":
            account = OTHER if self.faults.wrong_account else MAIN
            return json_answer(
                {"data": {"id": self.whose.seed, "account_name": account, "created_at": f"{MOVED}T08:00:00Z"}}
            )
        sold = path == "/v1/sales/overview"
        period, size = query.get("period", "allTime"), query.get("per_page" if sold else "perPage", "20")
        errors: Row = {} if sold or period in PERIODS else {"period": ["The selected period is invalid."]}
        if not (size.isdecimal() and 1 <= int(size) <= 100):
            errors["perPage"] = ["The per page must be between 1 and 100."]
        if not query.get("page", "1").isdecimal():
            errors["page"] = ["The page must be an integer."]
        if errors:
            return json_answer({"message": "The given data was invalid.", "errors": errors}, 422)
        make: Callable[[], list[Row]] = self.sales if sold else lambda: self.tracks(period)
        rows = [] if self.faults.empty_account else make()
        if self.faults.renamed_field:
            rows = [{_RENAMED.get(key, key): value for key, value in row.items()} for row in rows]
        return json_answer(_paged(rows, int(query.get("page", "1")), int(size)))

    def tracks(self, period: str) -> list[Row]:
        """Plays of each recording at Spotify and Apple Music over a period, all numbers as text."""
        plays, titles = Plays(self.whose), albums(self.whose)
        first, last = self.days(period)
        found: list[tuple[int, Row]] = []
        for one in self.whose.recordings:
            known = span(one, TOOLOST)
            if known is None:
                continue
            begin, end = max(first, known[0]), min(last, known[1])
            count = sum(
                plays.between(one, store, country, begin, end) for store in (SPOTIFY, APPLE) for country in COUNTRIES
            )
            row: Row = {"isrc": one.isrc, "track": one.title, "release": titles[one.upc], "totalStreams": str(count)}
            saves, skips = count * (20 + one.number) // 1000, count * 23 // 100
            share = pointed(quotient(saves * 10_000, max(count, 1)), 2)
            found.append((count, row | {"totalSaves": str(saves), "totalSkips": str(skips), "engagement": share}))
        return [row for count, row in sorted(found, key=lambda pair: -pair[0]) if count]

    def days(self, period: str) -> tuple[date, date]:
        """The first and the last day of a period."""
        last = self.now.date() - timedelta(days=2)
        if period == "lastMonth":
            end = self.now.date().replace(day=1) - timedelta(days=1)
            return end.replace(day=1), min(end, last)
        return (last - timedelta(days=_DAYS[period] - 1) if period in _DAYS else MOVED), last

    def sales(self) -> list[Row]:
        """What each statement that is out paid, the newest first, under the first day of its month."""
        found: list[Row] = []
        for month, lines in toolost_sales._statements(self.whose):
            out = next_month(month) + timedelta(days=4)
            if datetime(out.year, out.month, out.day, 7, 45, tzinfo=UTC) <= self.now:
                total = sum(rounded(line.earnings, 10) for line in lines)
                found.insert(0, {"date": month.isoformat(), "total": amount(total * 100, 10)})
        return found


def _paged(rows: list[Row], number: int, size: int) -> Row:
    """A page of a list in its envelope."""
    shown = rows[(number - 1) * size : number * size]
    pages = max(1, -(-len(rows) // size))
    return {"data": shown, "currentPage": number, "perPage": size, "totalItems": len(rows), "totalPages": pages}


def _challenge(told: dict[str, str]) -> str:
    """The challenge that belongs to the secret shown."""
    digest = hashlib.sha256(told.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _camel(name: str) -> str:
    """A name with capitals where it had underscores."""
    first, *rest = name.split("_")
    return first + "".join(one.capitalize() for one in rest)


def _consent(told: dict[str, str]) -> Answer:
    """The page that asks whether an application may."""
    kept = "".join(f'<input type="hidden" name="{escape(key)}" value="{escape(one)}">' for key, one in told.items())
    asked = "".join(f"<li>{escape(one)}</li>" for one in told.get("scope", "").split())
    return page(
        "Authorize | Too Lost",
        f"<h1>{escape(told['client_id'])} asks for access</h1><ul>{asked}</ul>"
        f'<form method="post" action="/oauth/authorize">{kept}<button name="allow" value="yes">Authorize</button>'
        ' <button name="allow" value="no">Cancel</button></form>',
    )
