"""Somebody with a token asks Meta's stand-in, for its tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from meta_portal import MetaAds
from meta_portal_asked import PROBLEMS
from portal import Clock, Faults, Portal

from bedrot.demo.ads import ACCOUNT, advertising
from bedrot.demo.label import invent
from bedrot.demo.meta_campaigns import local
from bedrot.demo.meta_pulls import moment

LABEL = invent(7)
TRUTH = advertising(LABEL)
NOW = moment(TRUTH, 4, 24)
ACT = f"/v25.0/act_{ACCOUNT}"
INSIGHTS = f"{ACT}/insights"
TODAY = local(NOW).date()
DAILY = (
    "account_id,account_currency,campaign_id,adset_id,ad_id,ad_name,spend,impressions,clicks,cpc,ctr,reach,frequency,"
    "actions,cost_per_action_type,action_values"
)
ALL = ("ACTIVE", "PAUSED", "CAMPAIGN_PAUSED", "ADSET_PAUSED", "ARCHIVED", "DELETED")
WINDOWS = '["7d_click","1d_view"]'


class Asking:
    """Somebody with a token."""

    def __init__(self, portal: Portal, service: MetaAds, client: httpx.Client) -> None:
        self.portal, self.service, self.client = portal, service, client

    def get(self, path: str, **query: object) -> httpx.Response:
        return self.client.get(path, params={name: str(value) for name, value in query.items()})

    def pages(self, path: str, **query: object) -> Iterator[Any]:
        """All pages, until none is named any more."""
        answer = self.get(path, **query)
        while True:
            assert answer.status_code == 200, answer.text
            yield answer.json()
            following = answer.json().get("paging", {}).get("next")
            if following is None:
                return
            answer = self.client.get(following)

    def rows(self, path: str, **query: object) -> list[Any]:
        return [row for page in self.pages(path, **query) for row in page["data"]]

    def problem(self, path: str, **query: object) -> tuple[int, int, int]:
        """The HTTP status, code and subcode of an error."""
        answer = self.get(path, **query)
        error = answer.json()["error"]
        assert error["type"] == "OAuthException"
        assert error["fbtrace_id"]
        return answer.status_code, error["code"], error.get("error_subcode", 0)


@contextmanager
def asking(now: datetime = NOW, faults: Faults | None = None, **service: Any) -> Iterator[Asking]:
    played = MetaAds(LABEL, **service)
    with Portal(played, Clock(now), faults) as portal:
        bearer = {"Authorization": f"Bearer {portal.people['owner'].token}"}
        with httpx.Client(base_url=portal.url, trust_env=False, headers=bearer) as client:
            yield Asking(portal, played, client)


def span(first: date, last: date) -> str:
    return json.dumps({"since": first.isoformat(), "until": last.isoformat()})


def last_days(number: int) -> dict[str, Any]:
    """The parameters of a question for figures by ad and day of the last days, today included."""
    time_range = span(TODAY - timedelta(days=number - 1), TODAY)
    return {"level": "ad", "time_increment": 1, "time_range": time_range, "fields": DAILY, "limit": 30}


def cents(rows: list[Any]) -> int:
    return sum(int(Decimal(row["spend"]) * 100) for row in rows)


def problem(name: str) -> tuple[int, int, int]:
    return PROBLEMS[name][:3]
