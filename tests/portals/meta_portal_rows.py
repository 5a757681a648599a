"""What Meta's stand-in tells of the label's advertising at an instant: lists of what there is, and rows of figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from bedrot.demo.ads import Advertising, Figures, added
from bedrot.demo.meta_campaigns import Ad, AdSet, Campaign, local
from bedrot.demo.meta_pulls import Told
from bedrot.demo.meta_texts import Json, ad, adset, campaign, daily, ratio, short
from bedrot.demo.writing import days

Level = Literal["account", "campaign", "adset", "ad"]
LEVELS: tuple[Level, ...] = ("account", "campaign", "adset", "ad")
GONE = frozenset({"ARCHIVED", "DELETED"})
"""What lists leave out unless it is asked for."""
WINDOWS = frozenset({"1d_click", "7d_click", "28d_click", "1d_view", "1d_ev", "7d_view", "28d_view", "dda", "default"})
"""Attribution windows that may be asked for; the demo knows two of them, and the others never come."""


def _names(text: str) -> frozenset[str]:
    """Names in a text."""
    return frozenset(text.split())


FIELDS = {
    "campaigns": _names(
        "id account_id name status effective_status objective start_time stop_time created_time updated_time"
        " spend_cap daily_budget lifetime_budget bid_strategy buying_type configured_status"
    ),
    "adsets": _names(
        "id account_id campaign_id name status effective_status targeting optimization_goal start_time end_time"
        " created_time updated_time daily_budget lifetime_budget bid_strategy bid_amount billing_event pacing_type"
        " configured_status attribution_spec"
    ),
    "ads": _names(
        "id account_id campaign_id adset_id name status effective_status creative tracking_specs created_time"
        " updated_time configured_status"
    ),
    "insights": _names(
        "account_id account_currency account_name campaign_id campaign_name adset_id adset_name ad_id ad_name"
        " date_start date_stop spend impressions clicks cpc cpm cpp ctr reach frequency actions action_values"
        " cost_per_action_type inline_link_clicks objective optimization_goal buying_type created_time updated_time"
        " outbound_clicks cost_per_outbound_click unique_clicks conversions purchase_roas results website_ctr"
        " attribution_setting"
    ),
}
"""Fields that may be asked for; those without a value are absent from what comes."""

_REACHED: dict[Level, int] = {"account": 800, "campaign": 840, "adset": 900, "ad": 900}
"""Of a thousand people of several ads or days, so many are others."""
_BELOW: dict[Level, tuple[str, ...]] = {
    "account": ("campaign_id", "campaign_name", "adset_id", "adset_name", "ad_id", "ad_name", "objective"),
    "campaign": ("adset_id", "adset_name", "ad_id", "ad_name"),
    "adset": ("ad_id", "ad_name"),
    "ad": (),
}
_ALWAYS_IN_ACTIONS = frozenset({"action_type", "value"})


@dataclass(frozen=True)
class Question:
    """A question for figures; `step` is the days of a row (None: all), `statuses` those asked for (None: not told)."""

    level: Level
    first: date
    last: date
    step: int | None
    windows: frozenset[str]
    statuses: frozenset[str] | None
    fields: tuple[str, ...]


def listed(truth: Advertising, kind: str, at: datetime, statuses: frozenset[str] | None) -> list[Json]:
    """All campaigns, ad sets or ads that there are at an instant, the newest campaign first."""
    makers = {"campaigns": _campaigns, "adsets": _adsets, "ads": _ads}
    return [one for one in makers[kind](truth, at) if _wanted(one["effective_status"], statuses)]


def rows(truth: Advertising, asked: Question, at: datetime) -> list[Json]:
    """The rows of an answer: entities in the order of the campaigns, each with its days on which it was shown.

    Only where ads themselves are asked for are archived ones left out unless asked for; what is above them counts them.
    """
    groups: dict[tuple[int, date], list[Told]] = {}
    order: dict[str, int] = {}
    for one in _told(truth, asked, at):
        entity = {"account": "", "campaign": one.campaign.id, "adset": one.adset.id, "ad": one.ad.id}[asked.level]
        step = asked.step or (asked.last - asked.first).days + 1
        start = asked.first + timedelta(days=(one.day - asked.first).days // step * step)
        groups.setdefault((order.setdefault(entity, len(order)), start), []).append(one)
    return [_row(truth, asked, groups[key], key[1]) for key in sorted(groups)]


def project(document: Json, fields: tuple[str, ...], always: tuple[str, ...]) -> Json:
    """The fields of a document that were asked for, in that order; those without a value are absent."""
    return {name: document[name] for name in dict.fromkeys((*fields, *always)) if name in document}


def _told(truth: Advertising, asked: Question, at: datetime) -> Iterator[Told]:
    """What is told of each ad and day that the question is about."""
    for above, inside, one in truth.ads():
        if one.made > at:
            continue
        status = _ad(truth, above, inside, one, at)["effective_status"]
        everything = asked.statuses is None and asked.level != "ad"
        if not everything and not _wanted(status, asked.statuses):
            continue
        for day in days(max(asked.first, above.first), min(asked.last, above.last)):
            figures = truth.known(above, inside, one, day, at)
            if figures and figures.impressions:
                yield Told(above, inside, one, day, figures)


def _row(truth: Advertising, asked: Question, told: list[Told], start: date) -> Json:
    """One row: what was told of its ads and days, together."""
    figures = _together([one.figures for one in told], _REACHED[asked.level])
    one = replace(told[0], figures=figures)
    whole = {
        **daily(one),
        "account_name": truth.label.name,
        "campaign_name": one.campaign.name,
        "adset_name": one.adset.name,
        "objective": "OUTCOME_ENGAGEMENT",
        "cpm": short(ratio(1000 * figures.spend, 100 * figures.impressions)),
    }
    if figures.reach:
        whole["cpp"] = short(ratio(1000 * figures.spend, 100 * figures.reach))
    if figures.links:
        whole["inline_link_clicks"] = str(figures.links)
    for name in ("actions", "action_values"):
        if name in whole:
            kept = _ALWAYS_IN_ACTIONS | asked.windows
            whole[name] = [{key: value for key, value in one.items() if key in kept} for one in whole[name]]
    whole["date_start"] = (start if asked.step else min(one.day for one in told)).isoformat()
    end = min(start + timedelta(days=asked.step - 1), asked.last) if asked.step else asked.last
    whole["date_stop"] = end.isoformat()
    for name in _BELOW[asked.level]:
        whole.pop(name, None)
    return project(whole, asked.fields, ("date_start", "date_stop"))


def _together(figures: list[Figures], reached: int) -> Figures:
    """Figures added, with what people did; one alone stays as it is.

    A day of an ad without a click on its link tells nothing of what people did, and adds nothing to it here.
    """
    if len(figures) == 1:
        return figures[0]
    return replace(
        added(figures, reached),
        links=sum(one.links for one in figures),
        engagements=sum(one.engagements for one in figures if one.links),
        contents=sum(one.contents for one in figures),
        by_view=sum(one.by_view for one in figures),
        customs=sum(one.customs for one in figures),
        worth=sum(one.worth for one in figures),
    )


def _wanted(status: str, statuses: frozenset[str] | None) -> bool:
    """Whether something of a status is told."""
    return status not in GONE if statuses is None else status in statuses


def _made(truth: Advertising, at: datetime) -> list[Campaign]:
    return [one for one in reversed(truth.campaigns) if one.made <= at]


def _campaigns(truth: Advertising, at: datetime) -> Iterator[Json]:
    for one in _made(truth, at):
        told = campaign(one, at)
        yield told | {"effective_status": told["status"]}


def _adsets(truth: Advertising, at: datetime) -> Iterator[Json]:
    for above in _made(truth, at):
        for one in above.adsets:
            told = adset(one, above, at, truth.label.seed)
            stopped = "CAMPAIGN_PAUSED" if above.paused <= at else "ACTIVE"
            yield told | {"effective_status": "PAUSED" if told["status"] == "PAUSED" else stopped}


def _ads(truth: Advertising, at: datetime) -> Iterator[Json]:
    for above in _made(truth, at):
        for inside in above.adsets:
            for one in inside.ads:
                if one.made <= at:
                    yield _ad(truth, above, inside, one, at)


def _ad(truth: Advertising, above: Campaign, inside: AdSet, one: Ad, at: datetime) -> Json:
    """An ad in a list; an archived one says so."""
    told = ad(one, inside, above, at, truth.label.seed)
    if one.archived and one.archived <= at:
        when = local(one.archived).strftime("%Y-%m-%dT%H:%M:%S%z")
        told |= {"status": "ARCHIVED", "effective_status": "ARCHIVED", "updated_time": when}
    return told
