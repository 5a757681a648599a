"""How Meta writes: numbers as texts, lists of campaigns, ad sets and ads, figures, and pages of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from bedrot.demo.ads import ACCOUNT, Figures
from bedrot.demo.chance import Chance
from bedrot.demo.meta_campaigns import Ad, AdSet, Campaign, local
from bedrot.demo.meta_pulls import Told
from bedrot.demo.writing import pointed, quotient

Json = dict[str, Any]
_PIXEL, _WALL, _CONVERSIONS = "999999999999999", "888888888888888", ["666666666666661", "666666666666662"]
_ADDRESS = f"https://graph.facebook.com/v25.0/act_{ACCOUNT}/insights?level=ad&time_increment=1&limit="


def written(document: object) -> bytes:
    """A document as the pulling script saves it: two blanks a level, no line end at the end."""
    return json.dumps(document, indent=2).encode()


def ratio(number: int, parts: int) -> str:
    """A quotient with six decimals, halves rounded up."""
    return pointed(quotient(number * 10**6, parts), 6)


def short(text: str) -> str:
    """A number without the zeros at its end."""
    return text.rstrip("0").rstrip(".")


def money(cents: int) -> str:
    """Cents as dollars, without zeros at the end."""
    return short(pointed(cents, 2))


def instant(at: datetime) -> str:
    """An instant by the account's clock, its distance from UTC without a colon."""
    return local(at).strftime("%Y-%m-%dT%H:%M:%S%z")


def campaign(one: Campaign, at: datetime) -> Json:
    """A campaign in a list of campaigns, as it was at an instant."""
    return {
        "id": one.id,
        "name": one.name,
        "status": "PAUSED" if one.paused <= at else "ACTIVE",
        "objective": "OUTCOME_ENGAGEMENT",
        "start_time": instant(one.made),
        "created_time": instant(one.made),
        "updated_time": instant(one.paused if one.paused <= at else one.made),
    }


def adset(one: AdSet, above: Campaign, at: datetime, seed: int) -> Json:
    """An ad set in a list of ad sets, as it was at an instant; without budget where the campaign holds it."""
    raised = one.raised if one.raised and one.raised[0] <= at else None
    paused = one.paused if one.paused and one.paused <= at else None
    edited = max(one.made, *(change for change in (raised and raised[0], paused) if change), one.made)
    told: Json = {
        "id": one.id,
        "name": one.name,
        "status": "PAUSED" if paused else "ACTIVE",
        "campaign_id": above.id,
    }
    if one.own:
        told["daily_budget"] = str(raised[1] if raised else one.budget)
        told["lifetime_budget"] = "0"
        told["bid_strategy"] = "LOWEST_COST_WITHOUT_CAP"
    told["targeting"] = _targeting(Chance(seed, "targeting", one.id))
    told["optimization_goal"] = "OFFSITE_CONVERSIONS"
    told["start_time"] = instant(one.made)
    if one.own:
        told["pacing_type"] = ["standard"]
    return told | {"created_time": instant(one.made), "updated_time": instant(edited)}


def ad(one: Ad, inside: AdSet, above: Campaign, at: datetime, seed: int) -> Json:
    """An ad in a list of ads; what its parents do to it shows in `effective_status`, and not in `updated_time`."""
    paused = one.paused is not None and one.paused <= at
    effective = "PAUSED" if paused else "ACTIVE"
    if not paused and above.paused <= at:
        effective = "CAMPAIGN_PAUSED"
    elif not paused and inside.paused and inside.paused <= at:
        effective = "ADSET_PAUSED"
    specs: list[Json] = [
        {"action.type": ["onsite_conversion"], "conversion_id": _CONVERSIONS},
        {"action.type": ["offsite_conversion"], "fb_pixel": [_PIXEL]},
        {"action.type": ["link_click"], "post": [one.post], "post.wall": [_WALL]},
        {"action.type": ["post_engagement"], "page": [_WALL], "post": [one.post]},
    ]
    return {
        "id": one.id,
        "name": one.name,
        "status": "PAUSED" if paused else "ACTIVE",
        "adset_id": inside.id,
        "campaign_id": above.id,
        "effective_status": effective,
        "creative": {"id": one.creative},
        "tracking_specs": Chance(seed, "tracking", one.id).shuffled(specs),
        "created_time": instant(one.made),
        "updated_time": instant(one.paused if one.paused and paused else one.made),
    }


def daily(row: Told) -> Json:
    """One ad and day as the answer to a question by day tells it."""
    figures = row.figures
    told: Json = {
        "account_id": ACCOUNT,
        "account_currency": "USD",
        "campaign_id": row.campaign.id,
        "adset_id": row.adset.id,
        "ad_id": row.ad.id,
        "ad_name": row.ad.name,
        "date_start": row.day.isoformat(),
        "date_stop": row.day.isoformat(),
        "spend": money(figures.spend),
        "impressions": str(figures.impressions),
        "clicks": str(figures.clicks),
        **_rates(figures),
    }
    if figures.links:
        told["actions"] = _actions(figures)
        cost = ratio(figures.spend, 100 * figures.links)
        told["cost_per_action_type"] = [{"action_type": "link_click", "value": cost}]
    if figures.worth:
        worth = money(figures.worth)
        told["action_values"] = [
            {"action_type": "offsite_conversion.fb_pixel_purchase", "value": worth, "7d_click": worth}
        ]
    return told


def by_adset(above: Campaign, one: AdSet, figures: Figures, first: str, last: str) -> Json:
    """An ad set since its first day, as the answer to a question without days tells it."""
    return {
        "campaign_id": above.id,
        "campaign_name": above.name,
        "adset_id": one.id,
        "adset_name": one.name,
        "spend": money(figures.spend),
        "impressions": str(figures.impressions),
        "clicks": str(figures.clicks),
        **_rates(figures),
        "date_start": first,
        "date_stop": last,
    }


def by_campaign(above: Campaign, figures: Figures, first: str, last: str) -> Json:
    """A campaign since its first day, as an older script asked for it: with all six decimals."""
    told = {
        "campaign_id": above.id,
        "date_start": first,
        "date_stop": last,
        "impressions": str(figures.impressions),
        "clicks": str(figures.clicks),
        "spend": money(figures.spend),
        "reach": str(figures.reach),
    }
    if figures.clicks:
        told["cpc"] = ratio(figures.spend, 100 * figures.clicks)
    told["cpm"] = ratio(1000 * figures.spend, 100 * figures.impressions)
    if figures.reach:
        told["cpp"] = ratio(1000 * figures.spend, 100 * figures.reach)
    return told


def page(rows: list[Json], number: int, pages: int, limit: int, seed: str) -> Json:
    """One page of an answer, with the addresses of its neighbours."""
    before, after = (_cursor(seed, number, end) for end in ("before", "after"))
    paging: Json = {"cursors": {"before": before, "after": after}}
    if number > 1:
        paging["previous"] = f"{_ADDRESS}{limit}&before={before}"
    if number < pages:
        paging["next"] = f"{_ADDRESS}{limit}&after={after}"
    return {"data": rows, "paging": paging}


def _rates(figures: Figures) -> Json:
    """Clicks, people, and what follows from the counts; a quotient by zero is absent."""
    told: Json = {}
    if figures.clicks:
        told["cpc"] = short(ratio(figures.spend, 100 * figures.clicks))
    told["ctr"] = short(ratio(100 * figures.clicks, figures.impressions))
    told["reach"] = str(figures.reach)
    if figures.reach:
        told["frequency"] = short(ratio(figures.impressions, figures.reach))
    return told


def _actions(figures: Figures) -> list[Json]:
    """What people did after an ad; one kind contains another, so they are never added."""

    def action(kind: str, by_click: int, by_view: int | None) -> Json:
        told = {"action_type": kind, "value": str(by_click + (by_view or 0)), "7d_click": str(by_click)}
        return told if by_view is None else told | {"1d_view": str(by_view)}

    found = [
        action("link_click", figures.links, 0),
        action("post_engagement", figures.engagements, 0),
        action("page_engagement", figures.engagements, 0),
    ]
    if figures.contents:
        seen = figures.contents - figures.by_view
        found.append(action("offsite_conversion.fb_pixel_view_content", seen, figures.by_view))
    if figures.customs:
        found.append(action("offsite_conversion.fb_pixel_custom", figures.customs, None))
    return found


def _targeting(chance: Chance) -> Json:
    """Whom an ad set is shown to: the one object in which numbers are numbers."""
    told: Json = {
        "age_max": chance.pick((34, 44, 54)),
        "age_min": 18,
        "geo_locations": {
            "countries": chance.shuffled(["US", "GB", "DE", "BR", "SE", "MX"])[:4],
            "location_types": ["home", "recent"],
        },
        "targeting_automation": {"advantage_audience": 0},
        "publisher_platforms": ["instagram"],
        "instagram_positions": ["stream", "story", "reels"],
        "device_platforms": ["mobile", "desktop"],
    }
    if chance.happens(300):
        told["publisher_platforms"] = ["facebook", "instagram"]
        told["facebook_positions"] = ["facebook_reels"]
    if chance.happens(500):
        told["flexible_spec"] = [{"interests": [{"id": "6003000000000", "name": "Electronic music"}]}]
    return told


def _cursor(*key: str | int) -> str:
    """The name of a place in a list, as short as Meta's."""
    chance = Chance("cursor", *key)
    return "".join(chance.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(4)) + "ZD"
