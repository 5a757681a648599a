"""Asking Meta's Marketing API: entities of all statuses, and insights by ad and day, proven by the account's totals.

What the service is like stands in its documents and in code that asks it; no live answer was seen here. The token goes
into a header and nowhere else, so that no link in an answer carries it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bedrot.connect.connector import Connector, Keep, Pulled, Task
from bedrot.connect.states import NotFetched, State
from bedrot.connect.vault import Session
from bedrot.connect.web import Reply, Web
from bedrot.sources.metaads.connect_graph import NotThere, TooMuch, judge, rest

HOST = "graph.facebook.com"
REMEMBERED_DAYS = 1123
"""37 months, as other connectors clamp it: earlier days are refused."""
SETTLED_DAYS = 28
"""For so many days conversions are booked back on a day."""
_SLICE = 28
_CHUNK = timedelta(days=84)
_LIMITS = (500, 50, 10)
"""Records of a page: fewer where the service says that it was too much."""
_LOOKS = 180
_STATUSES = (
    "ACTIVE", "PAUSED", "DELETED", "PENDING_REVIEW", "DISAPPROVED", "PREAPPROVED", "PENDING_BILLING_INFO",
    "CAMPAIGN_PAUSED", "ARCHIVED", "ADSET_PAUSED", "IN_PROCESS", "WITH_ISSUES",
)  # fmt: skip
_ENTITIES = {
    "campaigns": "id,name,status,effective_status,objective,start_time,stop_time,spend_cap,created_time,updated_time",
    "adsets": (
        "id,name,status,effective_status,campaign_id,daily_budget,lifetime_budget,bid_strategy,optimization_goal,"
        "targeting,start_time,created_time,updated_time"
    ),
    "ads": "id,name,status,effective_status,adset_id,campaign_id,creative,tracking_specs,created_time,updated_time",
}
_TOTALS = "account_id,account_currency,spend,impressions,clicks"
_FIELDS = (
    "account_id,account_currency,campaign_id,campaign_name,adset_id,adset_name,ad_id,ad_name,spend,impressions,clicks,"
    "reach,inline_link_clicks,results,actions,action_values,attribution_setting"
)
_WINDOWS = '["1d_click","7d_click","28d_click","1d_view"]'
_NEVER_ABSENT = {
    "insights": ("date_start", "date_stop", "spend", "impressions"),
    **dict.fromkeys(_ENTITIES, ("id", "name", "status")),
}
"""What each record has; other fields are absent where there is nothing to tell."""
_DAY = timedelta(days=1)

Totals = dict[str, tuple[Decimal, int, int]]
"""Spend, impressions and clicks by day."""


def pull(web: Web, session: Session, task: Task, keep: Keep) -> Pulled:
    """All that is due of an ad account; NotFetched where it is not whole."""
    graph = _Graph(web, session.secret.decode(), task)
    zone = graph.zone()
    last = task.now.astimezone(zone).date() - _DAY
    first = last - timedelta(days=REMEMBERED_DAYS - 1)
    missing = [one.first for one in task.missing if one.last >= first]
    if task.since == last and not missing:
        return Pulled(State.PROVISIONAL, note="It was asked today already.")
    if task.since is not None:
        first = max(first, min([task.since - timedelta(days=SETTLED_DAYS - 1), *missing]))
    for kind, fields in _ENTITIES.items():
        asked = {"fields": fields, "effective_status": json.dumps(_STATUSES)}
        for number, page in enumerate(graph.at_once(kind, asked), start=1):
            graph.keep(keep, f"{kind}_{number}", page, asked)
    totals = graph.totals(first, last)
    for begin, end in stretches([date.fromisoformat(day) for day in totals]):
        graph.insights(keep, totals, begin, end)
    return Pulled(State.PROVISIONAL if totals else State.NO_DATA, first, last)


def stretches(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """First and last day of stretches that hold all these days, none longer than a slice, without idle months."""
    begin = end = None
    for day in sorted(days):
        if begin is not None and end is not None and (day - begin).days >= _SLICE:
            yield begin, end
            begin = None
        begin, end = begin or day, day
    if begin is not None and end is not None:
        yield begin, end


@dataclass
class _Graph:
    """The API, for one account and fetch."""

    web: Web
    token: str = field(repr=False)
    task: Task
    limits: tuple[int, ...] = _LIMITS

    def zone(self) -> ZoneInfo:
        """The time zone in which the account counts its days; NotFetched where the token is for another account."""
        wrong = NotFetched(
            State.WRONG_ACCOUNT,
            f"The token does not open the ad account {self.task.account}.",
            "Log in with a token for that account.",
        )
        try:
            answer = self.get("", {"fields": "account_id,name,currency,timezone_name"})
        except NotThere as refused:
            raise wrong from refused
        told = answer.json()
        if not isinstance(told, dict) or "account_id" not in told:
            raise NotFetched(State.CHANGED, "The answer does not tell whose account it is.")
        if str(told["account_id"]) != self.task.account:
            raise wrong
        try:
            return ZoneInfo(str(told.get("timezone_name")))
        except (ZoneInfoNotFoundError, ValueError) as unknown:
            raise NotFetched(State.CHANGED, "The account does not tell a time zone that is known.") from unknown

    def get(self, edge: str, params: Mapping[str, str]) -> Reply:
        """The answer to a question about the account, or one of its edges."""
        return self._ask("GET", f"act_{self.task.account}{edge and '/'}{edge}", params)

    def _ask(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """One question to the API."""
        url = f"https://{HOST}/{self.task.version}/{path}"
        headers = {"authorization": f"Bearer {self.token}"}
        ask = self.web.get if method == "GET" else self.web.post
        reply = ask(url, judge, params=params, headers=headers)
        rest(reply, self.web)
        return reply

    def pages(self, edge: str, asked: Mapping[str, str], limit: int, path: str = "") -> Iterator[Reply]:
        """All pages of an edge; the last one is that without a next one, whatever cursors it shows."""
        after = ""
        while True:
            more = {"after": after} if after else {}
            params = {**asked, "limit": str(limit), **more}
            page = self._ask("GET", path, params) if path else self.get(edge, params)
            told = page.json()
            if not isinstance(told, dict) or not isinstance(told.get("data"), list):
                raise NotFetched(State.CHANGED, f"The answer of {edge} holds no list of data, as it used to.")
            for row in told["data"]:
                if lacking := [one for one in _NEVER_ABSENT[edge] if one not in row]:
                    raise NotFetched(State.CHANGED, f"Records of {edge} lack '{lacking[0]}', which they always had.")
            yield page
            paging = told.get("paging") or {}
            if not paging.get("next"):
                return
            previous, after = after, str((paging.get("cursors") or {}).get("after") or "")
            if after in ("", previous):
                raise NotFetched(State.CHANGED, f"The pages of {edge} do not tell where the next one begins.")

    def keep(self, keep: Keep, what: str, page: Reply, asked: Mapping[str, str]) -> None:
        """Keep a page that holds anything, under a name that tells when it was asked for."""
        if page.json()["data"]:
            keep(f"metaads_{self.task.now:%Y%m%d_%H%M%S}_{self.task.account}_{what}.json", page.body, asked)

    def totals(self, first: date, last: date) -> Totals:
        """What the account spent, showed and was clicked, by day; only days on which it did."""
        asked = {"level": "account", "fields": _TOTALS}
        whole = self._some(asked, first, last)  # one row a part, which begins with the first day that has anything
        begun = [date.fromisoformat(str(row["date_start"])) for _, _, pages in whole for row in _rows(pages)]
        found: Totals = {}
        for begin in _steps(min(begun), last) if begun else ():
            end = min(begin + _CHUNK - _DAY, last)
            for _, _, pages in self._some({**asked, "time_increment": "1"}, begin, end):
                found |= {str(row["date_start"]): _sums([row]) for row in _rows(pages)}
        return found

    def insights(self, keep: Keep, totals: Totals, first: date, last: date) -> None:
        """Insights by ad and day of a stretch; whether their sums equal the account's is kept with them."""
        whole = {
            "level": "ad",
            "fields": _FIELDS,
            "time_increment": "1",
            "action_attribution_windows": _WINDOWS,
            "filtering": json.dumps([{"field": "ad.effective_status", "operator": "IN", "value": _STATUSES}]),
        }
        for begin, end, pages in self._some(whole, first, last):
            found: dict[str, list[Mapping[str, Any]]] = {}
            for row in _rows(pages):
                found.setdefault(str(row["date_start"]), []).append(row)
            sums = {day: _sums(rows) for day, rows in found.items()}
            wanted = {day: sums for day, sums in totals.items() if begin.isoformat() <= day <= end.isoformat()}
            complete = "yes" if {day: sums.get(day) for day in wanted} == wanted else "no"
            asked = {**whole, "time_range": _range(begin, end), "complete": complete}
            for number, page in enumerate(pages, start=1):
                self.keep(keep, f"insights_{begin:%Y%m%d}_{end:%Y%m%d}_{number}", page, asked)

    def _some(self, asked: Mapping[str, str], first: date, last: date) -> Iterator[tuple[date, date, list[Reply]]]:
        """First day, last day and all pages of insights, in as many parts as the service wants them asked."""
        whole = {**asked, "time_range": _range(first, last)}
        try:
            pages = self.at_once("insights", whole)
        except TooMuch:
            pages = self._job(whole) if first == last else []
            if not pages:
                half = first + (last - first) // 2
                yield from self._some(asked, first, half)
                yield from self._some(asked, half + _DAY, last)
                return
        yield first, last, pages

    def at_once(self, edge: str, asked: Mapping[str, str]) -> list[Reply]:
        """All pages of an edge, smaller ones where the service wants that."""
        while True:
            try:
                return list(self.pages(edge, asked, self.limits[0]))
            except TooMuch:
                if len(self.limits) == 1:
                    raise
                self.limits = self.limits[1:]

    def _job(self, asked: Mapping[str, str]) -> list[Reply]:
        """The pages of a report that the service makes in its own time."""
        started = self._ask("POST", f"act_{self.task.account}/insights", asked).json()
        run = str(started.get("report_run_id") or "")
        for _ in range(_LOOKS):
            self.web.wait(self.web.limits.poll)
            try:
                told = self._ask("GET", run, {}).json()
            except NotThere:
                continue  # so soon after it was ordered
            status = str(told.get("async_status"))
            if status == "Job Completed" and told.get("async_percent_completion") == 100:
                return list(self.pages("insights", {}, self.limits[0], path=f"{run}/insights"))
            if status in ("Job Failed", "Job Skipped"):
                break
        raise NotFetched(State.UNREACHABLE, "The service did not finish its report.", "Try again later.")


def _steps(first: date, last: date) -> Iterator[date]:
    """The first days of the chunks of a range."""
    while first <= last:
        yield first
        first += _CHUNK


def _rows(pages: Sequence[Reply]) -> Iterator[Mapping[str, Any]]:
    """All records of some pages."""
    return (row for page in pages for row in page.json()["data"])


def _range(first: date, last: date) -> str:
    """A range of days as the API takes it."""
    return json.dumps({"since": first.isoformat(), "until": last.isoformat()})


def _sums(rows: Sequence[Mapping[str, Any]]) -> tuple[Decimal, int, int]:
    """Spend, impressions and clicks of some rows."""
    return (
        sum((Decimal(str(row.get("spend") or 0)) for row in rows), Decimal(0)),
        sum(int(row.get("impressions") or 0) for row in rows),
        sum(int(row.get("clicks") or 0) for row in rows),
    )


CONNECTOR = Connector(
    hosts=(HOST,),
    kind="token",
    how=(
        "Make a system user's token with the right ads_read in Meta's Business settings, and paste it. It reads what"
        " ads cost and brought, and can change nothing."
    ),
    pull=pull,
    version="v25.0",
)
