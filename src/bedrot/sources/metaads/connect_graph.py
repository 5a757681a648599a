"""What Meta's API says beside data: errors by their code, and how much of its patience is used up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bedrot.connect.states import NotFetched, State
from bedrot.connect.web import Again, Reply, Web, throttled

_RATE = {4, 17, 32, 341, 613, 80014, *range(80000, 80007), 80008}
_PASSING = {1, 2, 99, 104, 960}
_EXPIRED = {102, 190}
_FORBIDDEN = {10, *range(200, 300)}
_NOT_THERE = (100, 33)
_FULL = 95
"""Percent of an allowance from which on asking rests, as other connectors do."""
_REDUCE = "reduce the amount of data"


class TooMuch(NotFetched):
    """A smaller question may be answered."""


class NotThere(NotFetched):
    """What was asked for is not there, or not for who asks."""


def judge(reply: Reply) -> None:
    """Nothing where an answer is data; the error by Meta's own code, since its HTTP status says little."""
    error = _error(reply)
    if error is None:
        return
    code, message = int(error.get("code") or 0), str(error.get("message") or "")
    if _REDUCE in message:
        raise TooMuch(State.UNREACHABLE, "The service could not give so much at once.", "Try again later.")
    if code in _RATE:
        raise throttled(60 * usage(reply.headers)[1] or None)
    if code in _EXPIRED:
        raise NotFetched(State.EXPIRED, "Meta does not take the token any more.", "Make a new one.")
    if code in _FORBIDDEN:
        raise NotFetched(
            State.FORBIDDEN,
            "The token lacks a right that is needed.",
            "Give it ads_read for this ad account, then log in again.",
        )
    if code in _PASSING or error.get("is_transient"):
        raise Again(NotFetched(State.UNREACHABLE, f"Meta fails at the moment (code {code}).", "Try again later."))
    if (code, error.get("error_subcode")) == _NOT_THERE:
        raise NotThere(State.CHANGED, "Meta does not know what was asked for, or does not show it.")
    raise NotFetched(State.CHANGED, f"Meta refused the question (code {code}).")


def rest(reply: Reply, web: Web) -> None:
    """Wait where nearly all of an allowance is used up; NotFetched where the wait would be long."""
    used, minutes = usage(reply.headers)
    if used < _FULL:
        return
    seconds = 60 * max(1, minutes)
    if seconds > web.limits.patience:
        raise throttled(seconds).wrong
    web.wait(seconds)


def usage(headers: Mapping[str, str]) -> tuple[int | float, int]:
    """The highest percentage used of any allowance that the headers tell, and the minutes until it is free again."""
    highest: int | float = 0
    minutes = 0
    for name in ("x-business-use-case-usage", "x-app-usage", "x-ad-account-usage", "x-fb-ads-insights-throttle"):
        try:
            told = json.loads(headers.get(name, "{}"))
        except ValueError:
            continue
        for entry in _entries(told):
            highest = max([highest, *(one for key, one in entry.items() if _is_percent(key, one))])
            minutes = max(minutes, int(entry.get("estimated_time_to_regain_access") or 0))
    return highest, minutes


def _entries(told: Any) -> list[Mapping[str, Any]]:
    """The objects with numbers in a header, at whatever depth."""
    if isinstance(told, list):
        return [entry for one in told for entry in _entries(one)]
    if not isinstance(told, dict):
        return []
    return [told, *(entry for one in told.values() for entry in _entries(one))]


def _is_percent(key: str, value: object) -> bool:
    """Whether an entry is a percentage of an allowance."""
    return isinstance(value, int | float) and (
        key.endswith("_pct") or key in ("call_count", "total_cputime", "total_time")
    )


def _error(reply: Reply) -> Mapping[str, Any] | None:
    """The error in an answer, None where there is none."""
    try:
        told = reply.json()
    except NotFetched:
        return None
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, dict) else None
