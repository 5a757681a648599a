"""Asking TooLost's official API, with what a person allowed: whose it is, and what each statement paid in all.

No live answer of it has been seen. It gives totals and no statement, and plays of a period without their days: nothing
that a table holds. So nothing of it is kept: it proves which statements the lake lacks, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from bedrot.connect.connector import Connector, Keep, Pulled, Task
from bedrot.connect.oauth import Grant, OAuth, grant_of, renewed
from bedrot.connect.states import NotFetched, State
from bedrot.connect.vault import Session
from bedrot.connect.web import Reply, Web

HOST, PORTAL = "api.toolost.com", "toolost.com"
OAUTH = OAuth(
    authorize=f"https://{PORTAL}/oauth/authorize",
    token=f"https://{PORTAL}/oauth/token",
    scopes=("read:profile", "read:earnings"),
)
_ON_A_PAGE = 100
_MOST_PAGES = 20
_STATEMENT = re.compile(r"@([0-9]{2})-([0-9]{4})-[0-9]+")
_CHANGED = "TooLost's API answers in another form than is known of it."


class _Ended(NotFetched):
    """The access token is not taken; another one may be."""


def pull(web: Web, session: Session, task: Task, _keep: Keep) -> Pulled:
    """What the API tells of statements, against those in the lake; NotFetched where it is not whole."""
    api = _Api(web, grant_of(session.secret), task)
    api.see_whose()
    totals = api.totals()
    if not totals:
        return Pulled(State.NO_DATA, note="TooLost's API tells of no statement yet.")
    have = {f"{found[2]}-{found[1]}" for name in task.names if (found := _STATEMENT.search(name))}
    lacking = sorted(totals.keys() - have)
    newest = max(totals)
    said = f"TooLost's API tells of {len(totals)} statements, the newest of {newest} with {totals[newest]:f} in all"
    if not lacking:
        return Pulled(State.NO_DATA, note=f"{said}; the lake has them all. It gives no files.")
    return Pulled(State.NO_DATA, note=f"{said}. The lake lacks {', '.join(lacking)}: bedrot collect toolost.")


@dataclass
class _Api:
    """The API, for one account and fetch."""

    web: Web
    grant: Grant = field(repr=False)
    task: Task
    renewals: int = 0

    def see_whose(self) -> None:
        """NotFetched unless the log-in is for the account."""
        told = self._get("/v1/me", {}).json()
        data = told.get("data") if isinstance(told, dict) else None
        name = data.get("account_name") if isinstance(data, dict) else None
        if not isinstance(name, str):
            raise NotFetched(State.CHANGED, "TooLost's API does not tell whose account it is.")
        if name != self.task.account:
            raise NotFetched(
                State.WRONG_ACCOUNT,
                f"The log-in opens another account than {self.task.account}.",
                "Log in with the right one.",
            )

    def totals(self) -> dict[str, Decimal]:
        """What each statement paid in all, by month; the API does not tell in which currency."""
        rows: list[Any] = []
        for number in range(1, _MOST_PAGES + 1):
            told = self._get("/v1/sales/overview", {"page": str(number), "per_page": str(_ON_A_PAGE)}).json()
            try:
                rows += told["data"]
                if number >= int(told["totalPages"]):
                    return _by_month(rows, int(told["totalItems"]))
            except (KeyError, TypeError, ValueError, InvalidOperation) as wrong:
                raise NotFetched(State.CHANGED, _CHANGED) from wrong
        raise NotFetched(State.CHANGED, "TooLost's API tells of more statements than there can be.")

    def _get(self, path: str, params: Mapping[str, str]) -> Reply:
        """The answer to a question; once in a fetch a token that ended is traded for a new one."""
        if self.grant.until is not None and self.grant.until <= self.task.now:
            self._renew()
        try:
            return self._ask(path, params)
        except _Ended:
            if self.renewals or not self.grant.refresh:
                raise
        self._renew()
        return self._ask(path, params)

    def _ask(self, path: str, params: Mapping[str, str]) -> Reply:
        """One question to the API."""
        headers = {"authorization": f"Bearer {self.grant.access}", "accept": "application/json"}
        return self.web.get(f"https://{HOST}{path}", _judge, params=params, headers=headers)

    def _renew(self) -> None:
        """Trade the tokens for new ones, which are in the vault before anything is asked with them."""
        self.renewals += 1
        self.grant = renewed(self.web, OAUTH, self.grant, self.task.now)
        self.task.renew(self.grant.kept)


def _by_month(rows: list[Any], told: int) -> dict[str, Decimal]:
    """The totals by month; NotFetched where rows are missing, or one is no month's total."""
    found = {f"{date.fromisoformat(row['date']):%Y-%m}": Decimal(row["total"]) for row in rows}
    if len(found) != told or len(rows) != told or not all(one.is_finite() for one in found.values()):
        raise NotFetched(State.CHANGED, _CHANGED)
    return found


def _judge(reply: Reply) -> None:
    """Say apart that the access token is not taken."""
    if reply.status == 401:
        raise _Ended(State.EXPIRED, "The log-in is over.", "Log in again.")


API = Connector(
    hosts=(PORTAL, HOST),
    kind="token",
    how=(
        "TooLost gives its API to who asked for it: register bedrot there as an application that comes back to"
        " http://127.0.0.1 (and `port` of [connect.toolost], where it wants one), and give its id and secret here."
    ),
    pull=pull,
    oauth=OAUTH,
)
