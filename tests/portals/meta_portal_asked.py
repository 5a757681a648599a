"""What a request to Meta's stand-in asks, and the errors that are the answer where it asks wrongly.

From memory, where nobody has written it down: the codes 2500 (unknown path) and 2635 (a version that is no more).
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any, NamedTuple

from meta_portal_rows import FIELDS, LEVELS, WINDOWS, Question

_MONTHS = 37
_PRESETS = {"last_3d": 3, "last_7d": 7, "last_14d": 14, "last_28d": 28, "last_30d": 30, "last_90d": 90}


class Problem(NamedTuple):
    """An error: its HTTP status, code, subcode (0: none) and message, and whether it is said to pass by itself."""

    status: int
    code: int
    subcode: int
    message: str
    passing: bool = False


_CALLS = "There have been too many calls to this ad-account. Wait a bit and try again."
PROBLEMS = {
    "rate_app": Problem(403, 4, 0, "Application request limit reached"),
    "rate_user": Problem(400, 17, 2446079, "User request limit reached"),
    "rate_page": Problem(400, 32, 0, "Page request limit reached"),
    "rate_account": Problem(400, 613, 1487742, "Calls to this api have exceeded the rate limit."),
    "rate_insights": Problem(400, 80000, 2446079, _CALLS),
    "rate_management": Problem(400, 80004, 2446079, _CALLS),
    "temporary": Problem(400, 2, 0, "Service temporarily unavailable", passing=True),
    "unknown": Problem(500, 1, 99, "An unknown error occurred"),
    "too_much": Problem(500, 1, 0, "Please reduce the amount of data you're asking for, then retry your request"),
    "token_expired": Problem(400, 190, 463, "Error validating access token: Session has expired"),
    "password_changed": Problem(400, 190, 460, "Error validating access token: The password has been changed"),
    "app_removed": Problem(400, 190, 458, "Error validating access token: The user has not authorized application"),
    "token_wrong": Problem(400, 190, 0, "Invalid OAuth access token - Cannot parse access token"),
    "no_permission": Problem(
        403, 200, 0, "(#200) Ad account owner has NOT grant ads_management or ads_read permission"
    ),
    "no_right": Problem(403, 10, 0, "(#10) Application does not have permission for this action"),
    "no_object": Problem(400, 100, 33, "Unsupported get request. Object does not exist or cannot be loaded"),
    "too_old": Problem(400, 3018, 0, "(#3018) The start date of the time range cannot be beyond 37 months"),
}
"""Errors by a name of ours."""


class Refusal(Exception):
    """An error ends the answering."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def question(given: dict[str, str], today: date) -> Question:
    """What a request for figures asks, by the day of the account."""
    first, last = _range(given, today)
    level = next((one for one in LEVELS if one == given.get("level", "account")), None)
    if level is None:
        raise Refusal(bad("level must be one of the following values: ad, adset, campaign, account"))
    if "breakdowns" in given:
        raise Refusal(bad("breakdowns: this stand-in has none"))
    step = given.get("time_increment", "all_days")
    windows = frozenset(map(str, _json(given, "action_attribution_windows", [])))
    if windows - WINDOWS:
        raise Refusal(bad(f"action_attribution_windows: {sorted(windows - WINDOWS)}"))
    return Question(
        level=level,
        first=first,
        last=last,
        step=None if step == "all_days" else whole(step, "time_increment", 90),
        windows=windows,
        statuses=statuses(given),
        fields=fields(given, FIELDS["insights"], "impressions,spend"),
    )


def _range(given: dict[str, str], today: date) -> tuple[date, date]:
    """The first and the last day that are asked for; without a word of it the thirty days until yesterday."""
    month = today.year * 12 + today.month - 1 - _MONTHS
    oldest = date(month // 12, month % 12 + 1, min(today.day, 28))
    yesterday = today - timedelta(days=1)
    preset = given.get("date_preset", "last_30d")
    if "time_range" in given:
        try:
            told = _json(given, "time_range", {})
            first, last = date.fromisoformat(told["since"]), date.fromisoformat(told["until"])
        except (KeyError, TypeError, ValueError) as error:
            raise Refusal(bad("time_range must be a JSON object with since and until")) from error
    elif preset in _PRESETS:
        first, last = today - timedelta(days=_PRESETS[preset]), yesterday
    else:
        ranges = {"today": (today, today), "yesterday": (yesterday, yesterday), "maximum": (oldest, today)}
        if preset not in ranges:
            raise Refusal(bad(f"date_preset: {preset}"))
        first, last = ranges[preset]
    if first > last:
        raise Refusal(bad("time_range: since must not be after until"))
    if last > today:
        raise Refusal(bad("time_range: the dates cannot be in the future"))
    if first < oldest:
        raise Refusal(PROBLEMS["too_old"])
    return first, last


def statuses(given: dict[str, str]) -> frozenset[str] | None:
    """The statuses that are asked for, by their own parameter or by filtering; None where nothing is said of them."""
    asked = [frozenset(map(str, _json(given, "effective_status", [])))] if "effective_status" in given else []
    for one in _json(given, "filtering", []):
        if not str(one.get("field")).endswith("effective_status") or one.get("operator") != "IN":
            raise Refusal(bad(f"filtering: {one}"))
        asked.append(frozenset(map(str, one["value"])))
    return frozenset.intersection(*asked) if asked else None


def fields(given: dict[str, str], known: frozenset[str], usual: str) -> tuple[str, ...]:
    """The fields that are asked for."""
    text = given.get("fields", usual)
    while text != (flat := re.sub(r"\{[^{}]*\}", "", text)):
        text = flat
    found = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in found if name not in known]
    if unknown:
        raise Refusal(bad(f"Tried accessing nonexisting field ({unknown[0]})"))
    return found


def _json(given: dict[str, str], name: str, usual: Any) -> Any:
    """A parameter that is JSON."""
    try:
        return json.loads(given[name]) if name in given else usual
    except ValueError as error:
        raise Refusal(bad(f"param {name} must be JSON")) from error


def whole(text: str, name: str, most: int = 10**9) -> int:
    """A parameter that is a whole number above zero."""
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise Refusal(bad(f"param {name} must be a whole number"))
    return int(text)


def bad(message: str) -> Problem:
    """A request that asks what cannot be asked."""
    return Problem(400, 100, 0, f"(#100) {message}")
