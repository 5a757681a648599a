"""Insights: figures by entity, and the actions inside them, from dumps, pages and reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from types import MappingProxyType
from typing import Any

from bedrot.contract import Facts, Ignored, Original, Row
from bedrot.errors import Refused
from bedrot.sources.metaads.entities import REPEATED, Repeats
from bedrot.sources.metaads.shape import INSIGHTS, Answer, answer_of, canonical, text_of
from bedrot.sources.metaads.tables import ACTIONS, SETTLED_DAYS
from bedrot.sources.metaads.tables import INSIGHTS as TABLE

BREAKDOWNS = (
    "age",
    "comscore_market",
    "country",
    "device_platform",
    "dma",
    "frequency_value",
    "gender",
    "hourly_stats_aggregated_by_advertiser_time_zone",
    "hourly_stats_aggregated_by_audience_time_zone",
    "image_asset",
    "impression_device",
    "platform_position",
    "product_id",
    "publisher_platform",
    "region",
    "video_asset",
)
"""Keys by which a record may be one part of its entity; none of them is a field that can be asked otherwise."""

_LEVELS = ("ad", "adset", "campaign")
_MEASURES = {"actions": "count", "action_values": "amount"}
_WINDOW = re.compile(r"value|inline|dda|\d+d_[a-z_]+|skan_[a-z_]+")
_COPIED = ("campaign_id", "campaign_name", "adset_id", "adset_name", "ad_id", "ad_name", "attribution_setting")
_NUMBERS = ("spend", "impressions", "clicks", "reach")


def read_insights(original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """Each record as a row of insights and rows of actions; repeats are told, contradictions refuse the file."""
    answer = answer_of(original, INSIGHTS)
    _refuse_lost_level(original, answer)
    split = _split_by(answer)
    span = span_of(answer, split, facts.asked)
    asked = [name for name in _MEASURES if any(item.get(name) for item in answer.items)]
    repeats = Repeats(original)
    for place, item in enumerate(answer.items):
        locator = answer.locator(place)
        what = _what(item, span, split, facts)
        again = repeats.has(tuple(what[name] for name in TABLE.key), item, locator)
        rows = [Row(TABLE.name, {**what, **_figures(item)}, locator)]
        for name in asked:
            rows += _actions(original, item, name, what, locator)
        yield from (Ignored(row.table, REPEATED, row.locator) if again else row for row in rows)


def span_of(answer: Answer, split: Sequence[str] = (), pulled: Mapping[str, str] = MappingProxyType({})) -> str:
    """Of the values of `span`, the one that the request or the days of the records prove; range where none.

    `pulled` is what was asked for where the file does not tell it.
    """
    asked = {**pulled, **answer.asked}
    increment = asked.get("time_increment")
    if increment == "1":
        return "daily"
    if increment in (None, "all_days") and asked.get("date_preset") in ("maximum", "data_maximum", "lifetime"):
        return "lifetime"
    days = ((_entity(item), _part(item, split), item.get("date_start"), item.get("date_stop")) for item in answer.items)
    return "daily" if increment is None and several_days(days) else "range"


def several_days(rows: Iterator[tuple[object, object, Any, Any]]) -> bool:
    """Whether all (entity, part, start, stop) start and stop on one day, and one entity's part has several days."""
    first: dict[object, Any] = {}
    several = False
    for entity, part, start, stop in rows:
        if start != stop:
            return False
        several = several or first.setdefault((entity, part), start) != start
    return several


def provisional(date_stop: str | None, facts: Facts) -> str | None:
    """Whether a row may still change: fewer than 28 days between its last day and the export; None without a day."""
    try:
        stop = date.fromisoformat(date_stop or "")
    except ValueError:
        return None
    return "true" if (facts.exported_at.astimezone(UTC).date() - stop).days < SETTLED_DAYS else "false"


def _entity(item: Mapping[str, Any]) -> tuple[str, str]:
    """The finest level of which a record has the id, and that id."""
    for level in _LEVELS:
        told = text_of(item.get(f"{level}_id"))
        if told:
            return level, told
    return "account", "account"


def _split_by(answer: Answer) -> tuple[str, ...]:
    """What the records are split by: known keys in them, and what the request asked."""
    keys = {key for item in answer.items for key in item}
    asked = {name.strip() for name in answer.asked.get("breakdowns", "").strip("[]").replace('"', "").split(",")}
    return tuple(sorted((keys & set(BREAKDOWNS)) | (asked - {""})))


def _part(item: Mapping[str, Any], split: Sequence[str]) -> str:
    """The part of the split that a record is, as JSON; a part that is not told stays null and is kept."""
    return canonical({name: item.get(name) for name in split}) if split else "all"


def _what(item: Mapping[str, Any], span: str, split: Sequence[str], facts: Facts) -> dict[str, str | None]:
    """What a record is about: entity, days, split, currency."""
    level, entity = _entity(item)
    stop = text_of(item.get("date_stop"))
    return {
        "level": level,
        "named_by": "id",
        "entity": entity,
        "span": span,
        "date_start": text_of(item.get("date_start")),
        "date_stop": stop,
        "breakdown": ",".join(split) or "none",
        "breakdown_value": _part(item, split),
        "currency": text_of(item.get("account_currency")),
        "provisional": provisional(stop, facts),
    }


def _figures(item: Mapping[str, Any]) -> dict[str, str | None]:
    """Names and figures of a record; blank ids are null."""
    values = {name: text_of(item.get(name)) or None for name in (*_COPIED, *_NUMBERS)}
    values["link_clicks"] = text_of(item.get("inline_link_clicks"))
    values["results"], values["result_type"] = _results(item.get("results"))
    return values


def _results(told: Any) -> tuple[str | None, str | None]:
    """The one result and its indicator; null where Meta tells several, because they are not one number."""
    if not isinstance(told, list) or len(told) != 1 or not isinstance(told[0], dict):
        return None, None
    values = told[0].get("values")
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], dict):
        return None, text_of(told[0].get("indicator"))
    return text_of(values[0].get("value")), text_of(told[0].get("indicator"))


def _actions(
    original: Original, item: Mapping[str, Any], name: str, what: Mapping[str, str | None], locator: str
) -> list[Row]:
    """The rows of one list of actions; one row without type where the record has none, which proves that none came."""
    base = {**what, "measure": _MEASURES[name]}
    told = item.get(name)
    if not told:
        return [Row(ACTIONS.name, base, locator)]
    figure = "value" if name == "actions" else "amount"
    rows, seen = [], set()
    for place, action in enumerate(told if isinstance(told, list) else [told]):
        where = f"{locator}/{name}/{place}"
        kind, detail, windows = _action(original, action, where)
        if (kind, detail) in seen:
            raise Refused(
                f"{where} tells the action '{kind}' a second time.", "Pull it again.", file=original.name, heading=name
            )
        seen.add((kind, detail))
        for key, number in windows.items():
            window = "default" if key == "value" else key
            values = {"action_type": kind, "action_detail": detail, "attribution_window": window, figure: number}
            rows.append(Row(ACTIONS.name, {**base, **values}, f"{where}/{key}"))
    return rows


def _action(original: Original, action: Any, where: str) -> tuple[str, str, dict[str, str | None]]:
    """Type, detail and numbers by window of one action; Refused where it is none."""
    windows = {key: action[key] for key in action if _WINDOW.fullmatch(key)} if isinstance(action, dict) else {}
    if not windows or not action.get("action_type") or any(isinstance(one, dict | list) for one in action.values()):
        raise Refused(
            f"{where} is no action as Meta tells one: it needs an action_type and a number.",
            "Pull it again.",
            file=original.name,
            heading="actions",
        )
    rest = {key: one for key, one in action.items() if key not in windows and key != "action_type"}
    detail = canonical(rest) if rest else "none"
    return str(action["action_type"]), detail, {key: text_of(one) for key, one in windows.items()}


def _refuse_lost_level(original: Original, answer: Answer) -> None:
    """Refuse rows finer than their ids: of ads without ad_id, of ad sets without adset_id, of campaigns without id."""
    asked = answer.asked.get("level")
    for place, item in enumerate(answer.items):
        for level in _LEVELS:
            if item.get(f"{level}_id"):
                break
            if asked == level or item.get(f"{level}_name"):
                raise Refused(
                    f"The record {answer.locator(place)} is about one {level}, but has no {level}_id to tell which.",
                    f"Pull it again with {level}_id among the fields.",
                    file=original.name,
                    heading=f"{level}_id",
                )
