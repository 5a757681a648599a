"""What a JSON answer of Meta's Marketing API is, told from its own shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bedrot.contract import Original
from bedrot.errors import Refused

INSIGHTS = "insights"
CAMPAIGNS = "campaigns"
ADSETS = "adsets"
ADS = "ads"
NO_DATA = "no data"

_KINDS = (CAMPAIGNS, ADSETS, ADS, INSIGHTS)
_HINT = re.compile(r'"(?:date_start|id|data|error|report_run_id|async_status)"')
_OPENING = re.compile(r'\A\s*(?:\[|\{\s*"data"\s*:\s*\[)\s*(?=\{)')
_EDGE = re.compile(r"/\d+/(campaigns|adsets|ads|insights)(?:[/?]|$)")
_ACCOUNT_IN_LINK = re.compile(r"/act_(\d+)/")
_PAGE_KEYS = {"data", "paging", "summary", "request"}

_INSIGHT_KEYS = {
    "account_id",
    "campaign_id",
    "adset_id",
    "ad_id",
    "spend",
    "impressions",
    "clicks",
    "reach",
    "actions",
}
_ENTITY_SIGNS = {"name", "status", "effective_status"}
# Keys that tell one kind of entity from the others, looked at in this order.
_ENTITY_KEYS = (
    (ADS, {"adset_id", "creative", "tracking_specs", "adcreatives"}),
    (ADSETS, {"targeting", "optimization_goal", "billing_event", "pacing_type"}),
    (CAMPAIGNS, {"objective", "buying_type", "special_ad_categories"}),
)


@dataclass(frozen=True)
class Answer:
    """The records of one answer, the JSON pointer that they stand under, and what its request asked."""

    items: list[Any]
    pointer: str
    links: tuple[str, ...]
    asked: Mapping[str, str]

    def locator(self, place: int) -> str:
        """The JSON pointer of a record."""
        return f"{self.pointer}/{place}"


def kind_of(original: Original) -> str | None:
    """Campaigns, adsets, ads, insights, NO_DATA (an error or a report's progress), or None where it is not Meta's."""
    if not original.looks_like_json or not _HINT.search(original.head_text):
        return None
    document = original.json_or_none
    if document is None:
        # A file that breaks off later is still recognised, so that reading it can say what is wrong with it.
        return _kind_of_item(_first_item(original.head_text), hint=None)
    if isinstance(document, list):
        return _kind_of_items(document, _hint(original, ()))
    if isinstance(document, dict):
        return _kind_of_page(original, document)
    return None


def answer_of(original: Original, kind: str) -> Answer:
    """The records of an answer of that kind.

    Raises Refused for an error or a report's progress saved as data, for damaged JSON, and for records of other kinds.
    """
    refuse_no_data(original)
    document = original.json
    page = document if isinstance(document, dict) else {"data": document}
    answer = Answer(
        items=page["data"],
        pointer="/data" if isinstance(document, dict) else "",
        links=_links(page),
        asked=_asked(page),
    )
    for place, item in enumerate(answer.items):
        if _kind_of_item(item, kind) != kind:
            raise Refused(
                f"The record {answer.locator(place)} is not one of {kind}, as the others in the file are.",
                "Save each answer of Meta in a file of its own.",
                file=original.name,
            )
    _refuse_two_accounts(original, answer)
    return answer


def account_of(original: Original) -> str | None:
    """The ad account's number, where each record or the page's own links say the same one; `act_` is stripped."""
    document = original.json_or_none
    page = document if isinstance(document, dict) else {"data": document}
    items = page.get("data")
    if not isinstance(items, list):
        return None
    told = [account_id(item) for item in items if isinstance(item, dict)]
    linked = {found[1] for link in _links(page) if (found := _ACCOUNT_IN_LINK.search(link))}
    accounts = {one for one in told if one} | linked
    proven = linked or (told and all(told))
    return accounts.pop() if proven and len(accounts) == 1 else None


def account_id(item: Mapping[str, Any]) -> str | None:
    """The ad account that a record names, without `act_` (paths carry the prefix, values do not)."""
    told = text_of(item.get("account_id"))
    return told.removeprefix("act_") if told else None


def refuse_no_data(original: Original) -> None:
    """Refuse an answer in which Meta tells an error, or how far a report is, instead of data."""
    document = original.json_or_none
    if not isinstance(document, dict):
        return
    if _is_error(document):
        error = document["error"]
        code = "/".join(str(error[key]) for key in ("code", "error_subcode") if error.get(key) is not None)
        raise Refused(
            f"Meta answered with an error instead of data: \u201c{error['message']}\u201d (code {code}).",
            _do_about(error),
            file=original.name,
        )
    if _is_job(document):
        state = document.get("async_status") or "the report was only ordered"
        said = document.get("error_message")
        raise Refused(
            f"This is word of how far a report of Meta's is ({state}{f': {said}' if said else ''}), not the report.",
            "Wait until the report is complete and save its pages, or pull the insights again.",
            file=original.name,
        )


def text_of(value: Any) -> str | None:
    """A JSON value as text: true and false by name, lists and objects as canonical JSON, null as None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else canonical(value)


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces, characters as they are."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def instant(value: str | None) -> str | None:
    """An instant such as `2025-05-23T06:57:55-0700` in UTC; one without offset is marked, so that it is rejected."""
    if not value:
        return value
    try:
        told = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")
        return told.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return f"{value} (no offset from UTC)"


def _kind_of_page(original: Original, document: dict[str, Any]) -> str | None:
    """The kind of an answer that is one object: a page of records, an error, or a report's progress."""
    if _is_error(document) or _is_job(document):
        return NO_DATA
    items = document.get("data")
    if not isinstance(items, list):
        return None
    hint = _hint(original, _links(document))
    if items:
        return _kind_of_items(items, hint)
    return hint if document.keys() <= _PAGE_KEYS else None


def _kind_of_items(items: list[Any], hint: str | None) -> str | None:
    """The kind that any of the records shows; the finest of several, because finer ones carry the keys of coarser."""
    kinds = {_kind_of_item(item, hint) for item in items}
    return next((kind for kind in (INSIGHTS, ADS, ADSETS, CAMPAIGNS) if kind in kinds), None)


def _kind_of_item(item: Any, hint: str | None) -> str | None:
    """The kind of one record by its keys; the hint decides where its keys fit several kinds of entity."""
    if not isinstance(item, dict):
        return None
    if "date_start" in item:
        return INSIGHTS if hint == INSIGHTS or ("date_stop" in item and item.keys() & _INSIGHT_KEYS) else None
    if not isinstance(item.get("id"), str | int):
        return None
    for kind, keys in _ENTITY_KEYS:
        if item.keys() & keys:
            return kind
    if not item.keys() & _ENTITY_SIGNS or hint == INSIGHTS:
        return None
    return hint or (ADSETS if "campaign_id" in item else None)


def _first_item(head: str) -> Any:
    """The first record of a list or page that is not whole; None where even that one is cut."""
    opening = _OPENING.match(head.lstrip("\ufeff"))
    if opening is None:
        return None
    try:
        return json.JSONDecoder().raw_decode(head.lstrip("\ufeff"), opening.end())[0]
    except (ValueError, RecursionError):
        return None


def _hint(original: Original, links: tuple[str, ...]) -> str | None:
    """The kind that the links of a page name, else the one word in the file's name that is a kind."""
    edges = {found[1] for link in links if (found := _EDGE.search(link.replace("/act_", "/")))}
    if edges:
        return edges.pop() if len(edges) == 1 else None
    words = re.split(r"[^a-z]+", PurePosixPath(original.name).stem.lower())
    named = [kind for kind in _KINDS if kind in words]
    return named[0] if len(named) == 1 else None


def _links(page: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses that a page carries: its next and previous page, and the request saved beside it."""
    paging, request = page.get("paging"), page.get("request")
    told = [paging.get("previous"), paging.get("next")] if isinstance(paging, dict) else []
    told += [request.get("url"), request.get("path")] if isinstance(request, dict) else [request]
    return tuple(link for link in told if isinstance(link, str))


def _asked(page: Mapping[str, Any]) -> dict[str, str]:
    """What the request asked (`level`, `time_increment`, …), from the links of a page and the request beside it."""
    asked: dict[str, str] = {}
    for link in _links(page):
        try:
            asked.update(parse_qsl(urlsplit(link).query))
        except ValueError:
            continue
    request = page.get("request")
    if isinstance(request, dict):
        params = request.get("params")
        for told in (request, params if isinstance(params, dict) else {}):
            asked.update({key: str(value) for key, value in told.items() if isinstance(value, str | int)})
    return asked


def _is_error(document: Mapping[str, Any]) -> bool:
    """Whether an object is an error as the Graph API tells one."""
    error = document.get("error")
    return (
        isinstance(error, dict) and {"message", "code"} <= error.keys() and bool(error.keys() & {"fbtrace_id", "type"})
    )


def _is_job(document: Mapping[str, Any]) -> bool:
    """Whether an object tells of a report that is being made (an asynchronous insights job)."""
    return "data" not in document and bool(document.keys() & {"async_status", "report_run_id"})


def _do_about(error: Mapping[str, Any]) -> str:
    """What a person can do about an error, by its code (HTTP statuses do not tell)."""
    code = str(error.get("code"))
    if "reduce the amount" in str(error["message"]):
        return "Pull again for fewer days."
    if code in {"4", "17", "32", "341", "613"} or (len(code) == 5 and code.startswith("800")):
        return "Meta's limit of requests is reached: wait an hour, then pull again."
    if code == "190":
        return "The log-in to Meta has ended: log in again, then pull again."
    if code in {"10", "200"}:
        return "Ask the owner of the ad account for the right to read its ads, then pull again."
    if code == "3018":
        return "Meta keeps 37 months: pull again with a later first day."
    return "Pull again later; if the error stays, look at what was asked for."


def _refuse_two_accounts(original: Original, answer: Answer) -> None:
    """Refuse an answer whose records belong to more than one ad account."""
    accounts = {told for item in answer.items if (told := account_id(item))}
    if len(accounts) > 1:
        raise Refused(
            f"The file mixes the ad accounts {', '.join(sorted(accounts))}.",
            "Save the answers of each ad account in files of their own.",
            file=original.name,
            heading="account_id",
        )
