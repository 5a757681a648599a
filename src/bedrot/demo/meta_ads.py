"""Meta's files: what a person, or the label's own script, got of the ads, and what must be known after all of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from bedrot.demo import meta_texts
from bedrot.demo.ads import ACCOUNT, SETTLED_DAYS, Advertising, Figures, added, advertising
from bedrot.demo.arrival import Arrival, Expected, Fault
from bedrot.demo.label import LAST_DAY, Label
from bedrot.demo.meta_campaigns import Ad, AdSet, Campaign, local
from bedrot.demo.meta_pulls import (
    CAMPAIGN_LEVEL,
    DUMPS,
    EMPTY,
    FAILED,
    PAGE,
    Pull,
    Told,
    moment,
    pages,
    pulls,
    told,
)
from bedrot.demo.meta_sheet import RESULT, name, sheet
from bedrot.demo.writing import days, one_piece, pointed

__all__ = ["ACCOUNT", "arrivals", "expected", "faults"]

IDLE = "a campaign without effect"
ERROR = "an error saved as data"
PROGRESS = "word of how far a report is, saved as data"
NOTES = "notes of the pulling script beside its answers"
AGAIN = "the same answer given twice"
FORGOTTEN = "days that nobody asked for"
UNSETTLED = "days that nobody asked for again"
ARCHIVED = "an archived ad that newer answers lack"

_COLUMNS = (
    "day", "account", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id", "campaign_name", "spend", "currency",
    "impressions", "clicks", "reach", "results", "result_type", "provisional",
)  # fmt: skip


def arrivals(label: Label) -> list[Arrival]:
    """All files of Meta's, in the order in which they came."""
    truth = advertising(label)
    found = [*_answers(truth), *_dumps(truth), *_no_answers(truth)]
    return sorted(found, key=lambda one: (one.at, one.name))


def expected(label: Label) -> list[Expected]:
    """What is known of each ad and day that any answer tells: each column as the newest answer with it says."""
    rows = [tuple(row[column] for column in _COLUMNS) for row in _known(advertising(label)).values()]
    return [Expected("ads_daily", (("source", "metaads"),), _COLUMNS, rows)]


def faults(label: Label) -> list[Fault]:
    """What was planted among the ads and their files."""
    truth = advertising(label)
    known = _known(truth)
    files = Counter(one.fault for one in arrivals(label) if one.fault)

    def fault(kind: str, where: str, rows: list[tuple[str, date]], cents: int, shown: str) -> Fault:
        return Fault(kind, f"metaads {ACCOUNT}, {where}", len(rows), pointed(cents, 2), "USD", shown)

    def spent(keys: list[tuple[str, date]]) -> int:
        return sum(int(Decimal(str(known[key]["spend"])) * 100) for key in keys)

    idle = next(one for one in truth.campaigns if not one.brings)
    idle_keys = [key for key, row in known.items() if row["campaign_id"] == idle.id]
    shown = {
        (ad.id, day): whole
        for campaign, adset, ad in truth.ads()
        for day in days(campaign.first, min(campaign.last, LAST_DAY))
        if (whole := truth.whole(campaign, adset, ad, day))
    }
    forgotten = [key for key in shown if key not in known]
    unsettled = [key for key, row in known.items() if row["provisional"]]
    campaign, ad = next((campaign, ad) for campaign, _, ad in truth.ads() if ad.archived)
    later = [pull for pull in pulls(truth) if ad.archived and pull.at > ad.archived]
    lacked = [key for key in known if key[0] == ad.id and any(pull.first <= key[1] <= pull.last for pull in later)]
    where = f"{idle.name} ({idle.id}), {idle.first} to {idle.last}"
    return [
        fault(IDLE, where, idle_keys, spent(idle_keys), "not detected yet"),
        fault(FORGOTTEN, "ads and days", forgotten, sum(shown[key].spend for key in forgotten), "not detected yet"),
        fault(UNSETTLED, "ads and days", unsettled, spent(unsettled), "ads_daily: provisional"),
        fault(ARCHIVED, f"{ad.name} of {campaign.id}", lacked, spent(lacked), "bedrot vanished"),
        *(fault(kind, f"files: {count}", [], 0, "bedrot import") for kind, count in sorted(files.items())),
    ]


def _known(truth: Advertising) -> dict[tuple[str, date], dict[str, object]]:
    """What is known of each ad and day: an answer replaces the columns that it was asked for, older ones the rest."""
    known: dict[tuple[str, date], dict[str, object]] = {}
    for pull in sorted(pulls(truth), key=lambda one: one.age):
        for row in told(truth, pull):
            entry = known.setdefault((row.ad.id, row.day), dict.fromkeys(_COLUMNS))
            entry |= _said(row, pull)
            if not pull.by_hand and entry["result_type"] != RESULT:
                entry["results"] = row.figures.links or None
                entry["result_type"] = "link_click" if row.figures.links else None
    return known


def _said(row: Told, pull: Pull) -> dict[str, object]:
    """The columns that one answer gives; an export by hand tells names and results, and no clicks of every kind."""
    figures = row.figures
    said: dict[str, object] = {
        "day": row.day,
        "account": ACCOUNT,
        "ad_id": row.ad.id,
        "ad_name": row.ad.name,
        "adset_id": row.adset.id,
        "campaign_id": row.campaign.id,
        "spend": Decimal(figures.spend) / 100,
        "currency": "USD",
        "impressions": figures.impressions,
        "reach": figures.reach,
        "provisional": (pull.age.date() - row.day).days < SETTLED_DAYS,
    }
    if not pull.by_hand:
        return said | {"clicks": figures.clicks}
    said |= {"campaign_name": row.campaign.name, "adset_name": row.adset.name}
    result = (figures.links, RESULT) if figures.links else (None, None)
    return said | dict(zip(("results", "result_type"), result, strict=True))


def _answers(truth: Advertising) -> Iterator[Arrival]:
    """The answers with daily figures: pages of the API, and one export by hand."""
    for pull in pulls(truth):
        rows = list(told(truth, pull))
        if pull.by_hand:
            path = f"metaads/{name(pull, truth.label.name)}"
            yield Arrival(path, pull.at, lambda pull=pull, rows=rows: [sheet(pull, rows)])  # type: ignore[misc]
            continue
        split = pages(rows, moved=pull.moved)
        for number, page in enumerate(split, start=1):
            path = f"rest_insights_daily_{_stamp(pull.at)}/page_{number}.json"
            document = meta_texts.page(list(map(meta_texts.daily, page)), number, len(split), PAGE, path)
            yield _file(path, pull.at, document)
            if pull.again:
                later = pull.at + timedelta(days=1)
                yield _file(f"again/{path}", later, document, exported_at=pull.at, verdict="repeat", fault=AGAIN)


def _dumps(truth: Advertising) -> Iterator[Arrival]:
    """Lists of all that is there and figures since the first day, as the pulling script dumps them."""
    for where in (*DUMPS, CAMPAIGN_LEVEL):
        at = moment(truth, *where)
        folder = f"meta_ads_dump_{_stamp(at)}" if where != CAMPAIGN_LEVEL else f"{_stamp(at)}_campaign_level"
        seed = truth.label.seed
        made = [one for one in reversed(truth.campaigns) if one.made <= at]
        listed = [
            (campaign, adset, ad)
            for campaign in made
            for adset in campaign.adsets
            for ad in adset.ads
            if not ad.archived or ad.archived > at
        ]
        adsets = [(campaign, adset) for campaign in made for adset in campaign.adsets]
        insights = _by_campaign if where == CAMPAIGN_LEVEL else _by_adset
        yield _file(f"{folder}/campaigns.json", at, [meta_texts.campaign(one, at) for one in made])
        yield _file(f"{folder}/adsets.json", at, [meta_texts.adset(one, above, at, seed) for above, one in adsets])
        yield _file(f"{folder}/ads.json", at, [meta_texts.ad(ad, adset, one, at, seed) for one, adset, ad in listed])
        yield _file(f"{folder}/insights.json", at, list(insights(truth, made, at)))


def _by_adset(truth: Advertising, made: list[Campaign], at: datetime) -> Iterator[meta_texts.Json]:
    """Figures of each ad set since its first day; the day that is still running is in them."""
    for campaign in made:
        for adset in campaign.adsets:
            first, figures = _since_first(truth, [(campaign, adset, ad) for ad in adset.ads], at, reached=900)
            if first:
                yield meta_texts.by_adset(campaign, adset, figures, first, local(at).date().isoformat())


def _by_campaign(truth: Advertising, made: list[Campaign], at: datetime) -> Iterator[meta_texts.Json]:
    """Figures of each campaign since its first day; fewer people than in its ad sets together."""
    for campaign in made:
        ads = [(campaign, adset, ad) for adset in campaign.adsets for ad in adset.ads]
        first, figures = _since_first(truth, ads, at, reached=840)
        if first:
            yield meta_texts.by_campaign(campaign, figures, first, local(at).date().isoformat())


def _since_first(
    truth: Advertising, ads: list[tuple[Campaign, AdSet, Ad]], at: datetime, *, reached: int
) -> tuple[str, Figures]:
    """The first day on which any of the ads was shown (blank: none), and the figures of all their days."""
    told = {
        (ad.id, day): figures
        for campaign, adset, ad in ads
        for day in days(campaign.first, min(campaign.last, local(at).date()))
        if (figures := truth.known(campaign, adset, ad, day, at)) and figures.impressions
    }
    first = min((day for _, day in told), default=None)
    return first.isoformat() if first else "", added(list(told.values()), reached)


def _no_answers(truth: Advertising) -> Iterator[Arrival]:
    """What the script saved that holds no figures: an error, word of a report, its own notes, an empty answer."""
    at = moment(truth, *FAILED)
    ended = {"message": "Error validating access token: Session has expired", "type": "OAuthException", "code": 190}
    error = {"error": {**ended, "error_subcode": 463, "fbtrace_id": "AbCdEfGhIjKlMnOpQrStUvW"}}
    stamp = _stamp(at)
    yield _file(f"rest_insights_daily_{stamp}/page_1.json", at, error, verdict="refused", fault=ERROR)
    run = "6000000000000001"
    job = {"id": run, "account_id": ACCOUNT, "async_status": "Job Failed", "async_percent_completion": 0}
    failed = {**job, "error_code": 2, "error_subcode": 99, "error_message": "Unknown error"}
    yield _file(f"async_job_{stamp}/failed.json", at, failed, verdict="refused", fault=PROGRESS)
    kept = {"token_expired": {"http_status": 400, "body": error}}
    yield _file(f"async_job_{stamp}/sequence.json", at, _steps(run, job, at), verdict="unrecognised", fault=NOTES)
    yield _file(f"async_job_{stamp}/errors.json", at, kept, verdict="refused", fault=NOTES)
    yield _file(f"async_job_{stamp}/throttle_headers.json", at, _headers(), verdict="unrecognised", fault=NOTES)
    at = moment(truth, *EMPTY)
    yield _file(f"rest_insights_daily_{_stamp(at)}/insights_empty.json", at, {"data": []})


def _steps(run: str, job: meta_texts.Json, at: datetime) -> list[meta_texts.Json]:
    """The script's notes on a report: ordered, asked for until it was complete, fetched."""
    states = (("Job Not Started", 0), ("Job Started", 0), ("Job Running", 63), ("Job Completed", 100))
    answers = [job | {"async_status": state, "async_percent_completion": percent} for state, percent in states]
    today = local(at).date()
    answers[-1] |= {"date_start": (today - timedelta(days=5)).isoformat(), "date_stop": today.isoformat()}
    return [
        {"request": f"POST /v25.0/act_{ACCOUNT}/insights", "response": {"report_run_id": run}},
        *({"request": f"GET /v25.0/{run}", "response": answer} for answer in answers),
        {"request": f"GET /v25.0/{run}/insights?limit=100", "response": "pages, saved apart"},
    ]


def _headers() -> meta_texts.Json:
    """The script's notes on how much of what it may ask is used up: texts that hold JSON."""
    usage = {"type": "ads_insights", "call_count": 97, "total_cputime": 25, "total_time": 33}
    told = {
        "x-business-use-case-usage": {ACCOUNT: [usage | {"estimated_time_to_regain_access": 7}]},
        "x-app-usage": {"call_count": 28, "total_time": 25, "total_cputime": 25},
        "x-ad-account-usage": {"acc_id_util_pct": 9.67},
        "x-fb-ads-insights-throttle": {"app_id_util_pct": 13.2, "ads_api_access_tier": "standard_access"},
    }
    return {name: json.dumps(value) for name, value in told.items()}


def _file(
    path: str,
    at: datetime,
    document: object,
    *,
    exported_at: datetime | None = None,
    verdict: str = "accepted",
    fault: str = "",
) -> Arrival:
    """A JSON file of the script; the folder tells when it was pulled, and the person says it with the file."""
    return Arrival(
        name=f"metaads/{path}",
        at=at,
        write=partial(one_piece, meta_texts.written, document),
        account=ACCOUNT,
        exported_at=exported_at or at,
        verdict=verdict,
        fault=fault,
    )


def _stamp(at: datetime) -> str:
    """An instant in the name of a folder."""
    return at.strftime("%Y%m%d_%H%M%S")
