"""Meta's Marketing API as a script meets it: an ad account, its lists, its figures at once or as a report, and errors.

Invented, where nobody has written it down: what a report that is not ready answers.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from urllib.parse import urlencode

from meta_portal_asked import PROBLEMS, Problem, Refusal, bad, fields, question, statuses, whole
from meta_portal_rows import FIELDS, Question, listed, project, rows
from portal import Answer, Asked, Faults, Manners, Person, Why, json_answer, new_person

from bedrot.demo.ads import ACCOUNT, advertising
from bedrot.demo.label import Label
from bedrot.demo.meta_campaigns import local
from bedrot.demo.meta_texts import Json

VERSION = "v25.0"
RENAMED = {"spend": "amount_spent", "name": "title"}
"""What fields of figures and of lists are called where they have another name."""
_LIMIT = 25
_STATES = (("Job Not Started", 0), ("Job Started", 0), ("Job Running", 63), ("Job Completed", 100))


@dataclass
class _Job:
    """A report that was ordered, as of when, and how often one asked how far it is."""

    asked: Question
    at: datetime
    polls: int = 0


@dataclass
class MetaAds(Manners):
    """The service with the label's ad account.

    At once it gives pages of `most_rows`, and of rows by day `most_days` days; `usage` is the per cent used of what may
    be asked. Names of `PROBLEMS` in `failing` are what the next requests are answered with. A report can fail
    (`job_fails`), and is not to be found for the first `early_polls`.
    """

    label: Label
    name: str = "metaads"
    most_rows: int = 500
    most_days: int = 90
    usage: int = 28
    failing: deque[str] = field(default_factory=deque)
    rate_problem: str = "rate_user"
    job_fails: bool = False
    early_polls: int = 0
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _persons: dict[str, Person] = field(default_factory=dict)
    _one_at_a_time: AbstractContextManager[object] = field(default_factory=Lock, repr=False)

    def people(self) -> dict[str, Person]:
        """The owner of the ad account."""
        if not self._persons:
            self._persons["owner"] = new_person(self.name, ACCOUNT)
        return self._persons

    def is_data(self, asked: Asked) -> bool:
        """There are no pages."""
        return True

    def refusal(self, why: Why, asked: Asked, faults: Faults) -> Answer | None:
        """An error in Meta's words."""
        shown = asked.headers.get("authorization", "").removeprefix("Bearer ")
        known = any(shown == one.token for one in self._persons.values())
        problems = {
            "unauthorised": PROBLEMS["token_expired" if known else "token_wrong"],
            "throttled": PROBLEMS[self.rate_problem],
            "broken": PROBLEMS["unknown"],
            "forbidden": PROBLEMS["no_permission"],
        }
        minutes = -(-faults.retry_after // 60) if why == "throttled" else 0
        return _told_error(problems[why], self._usage(100 if why == "throttled" else self.usage, minutes))

    def open(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        """Nothing is to be had without a token, and none is taken from an address or a form."""
        if "access_token" in asked.query or "access_token" in asked.form():
            return _told_error(bad("access_token: send it in the header Authorization"), ())
        return None

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer:
        """The account, its lists, its figures, and reports."""
        usage = self._usage(self.usage, 7 if self.usage >= 95 else 0)
        with self._one_at_a_time:
            if self.failing:
                return _told_error(PROBLEMS[self.failing.popleft()], usage)
            try:
                return json_answer(self._found(asked, now, faults), headers=usage)
            except Refusal as refusal:
                return _told_error(refusal.problem, usage)

    def _found(self, asked: Asked, now: datetime, faults: Faults) -> Json:
        """The document that is asked for."""
        version, _, path = asked.path.strip("/").partition("/")
        node, _, edge = path.partition("/")
        if version != VERSION:
            raise Refusal(Problem(400, 2635, 0, f"(#2635) You are calling a version that is no more; use {VERSION}"))
        if asked.method != "GET" and (asked.method, edge) != ("POST", "insights"):
            raise Refusal(bad(f"Unsupported {asked.method.lower()} request"))
        if node in self._jobs and asked.method == "GET" and edge in {"", "insights"}:
            return self._report(asked, node, faults) if edge else self._progress(node)
        if node != f"act_{ACCOUNT}" or faults.wrong_account:
            raise Refusal(PROBLEMS["no_object"])
        if edge == "insights":
            return self._insights(asked, now, faults)
        if edge:
            return self._list(asked, edge, now, faults)
        told = {"name": self.label.name, "currency": "USD", "timezone_name": "America/Los_Angeles"}
        told |= {"account_id": ACCOUNT, "id": node}
        return project(told, fields(asked.query, frozenset(told), "account_id"), ("id",))

    def _list(self, asked: Asked, kind: str, now: datetime, faults: Faults) -> Json:
        """A page of the campaigns, ad sets or ads."""
        if kind not in FIELDS:
            raise Refusal(Problem(400, 2500, 0, f"Unknown path components: /{kind}"))
        wanted = fields(asked.query, FIELDS[kind], "id")
        found = [] if faults.empty_account else listed(advertising(self.label), kind, now, statuses(asked.query))
        told = [project(one | {"account_id": ACCOUNT}, wanted, ("id",)) for one in found]
        return self._page(asked, _renamed(told, faults))

    def _insights(self, asked: Asked, now: datetime, faults: Faults) -> Json:
        """A page of figures, or where a report is ordered its number."""
        given = {**asked.query, **(asked.form() if asked.method == "POST" else {})}
        asked_for = question(given, local(now).date())
        if asked.method == "POST":
            number = f"6000{len(self._jobs) + 1:012d}"
            self._jobs[number] = _Job(asked_for, now)
            return {"report_run_id": number}
        if asked_for.step == 1 and (asked_for.last - asked_for.first).days >= self.most_days:
            raise Refusal(PROBLEMS["too_much"])
        return self._page(asked, self._rows(asked_for, now, faults))

    def _progress(self, number: str) -> Json:
        """How far a report is: a step further with each question."""
        job = self._jobs[number]
        job.polls += 1
        if job.polls <= self.early_polls:
            raise Refusal(PROBLEMS["no_object"])
        state, percent = _STATES[min(job.polls - self.early_polls, len(_STATES)) - 1]
        told: Json = {"id": number, "account_id": ACCOUNT, "async_status": state, "async_percent_completion": percent}
        if self.job_fails and percent:
            failed = {"async_status": "Job Failed", "async_percent_completion": 0, "error_code": 2}
            return told | failed | {"error_subcode": 99, "error_message": "Unknown error"}
        dates = {"date_start": job.asked.first.isoformat(), "date_stop": job.asked.last.isoformat()}
        return told | dates if percent == 100 else told

    def _report(self, asked: Asked, number: str, faults: Faults) -> Json:
        """A page of a report that is ready."""
        job = self._jobs[number]
        if self.job_fails or job.polls - self.early_polls < len(_STATES):
            raise Refusal(PROBLEMS["temporary"])
        return self._page(asked, self._rows(job.asked, job.at, faults))

    def _rows(self, asked: Question, at: datetime, faults: Faults) -> list[Json]:
        """The rows that answer a question."""
        return [] if faults.empty_account else _renamed(rows(advertising(self.label), asked, at), faults)

    def _page(self, asked: Asked, found: list[Json]) -> Json:
        """One page; also the last one has a cursor, and only `next` says that there is more."""
        limit = whole(asked.query.get("limit", str(_LIMIT)), "limit")
        if limit > self.most_rows:
            raise Refusal(PROBLEMS["too_much"])
        start = _place(asked.query["after"]) if asked.query.get("after") else 0
        here = found[start : start + limit]
        if not here:
            return {"data": []}
        paging: Json = {"cursors": {"before": _cursor(start), "after": _cursor(start + len(here))}}
        if start + limit < len(found):
            query = urlencode({**asked.query, "limit": limit, "after": paging["cursors"]["after"]})
            paging["next"] = f"http://{asked.headers['host']}{asked.path}?{query}"
        return {"data": here, "paging": paging}

    def _usage(self, percent: int, minutes: int) -> tuple[tuple[str, str], ...]:
        """How much is used of what may be asked, and in how many minutes more may be."""
        share = {"call_count": percent, "total_cputime": 25, "total_time": 33}
        account = {"type": "ads_insights", **share, "estimated_time_to_regain_access": minutes}
        throttle = {"app_id_util_pct": 13.2, "acc_id_util_pct": percent, "ads_api_access_tier": "standard_access"}
        told = {
            "x-business-use-case-usage": {ACCOUNT: [account]},
            "x-app-usage": share,
            "x-ad-account-usage": {"acc_id_util_pct": percent},
            "x-fb-ads-insights-throttle": throttle,
        }
        return tuple((name, json.dumps(value)) for name, value in told.items())


def _cursor(place: int) -> str:
    """The name of a place in a list."""
    return base64.urlsafe_b64encode(f"{place:04d}".encode()).decode().replace("=", "ZD")


def _place(cursor: str) -> int:
    """The place in a list that a cursor names."""
    try:
        return int(base64.urlsafe_b64decode(cursor.replace("ZD", "=")))
    except ValueError as error:
        raise Refusal(bad("after: no such cursor")) from error


def _renamed(told: list[Json], faults: Faults) -> list[Json]:
    """The same documents, with other names of fields where that is what goes wrong."""
    if not faults.renamed_field:
        return told
    return [{RENAMED.get(name, name): value for name, value in one.items()} for one in told]


def _told_error(problem: Problem, headers: tuple[tuple[str, str], ...]) -> Answer:
    """The answer that tells an error."""
    told: Json = {"message": problem.message, "type": "OAuthException", "code": problem.code}
    if problem.subcode:
        told["error_subcode"] = problem.subcode
    if problem.passing:
        told["is_transient"] = True
    return json_answer({"error": told | {"fbtrace_id": "AbCdEfGhIjKlMnOpQrStUvW"}}, problem.status, headers)
