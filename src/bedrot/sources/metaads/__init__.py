"""Meta Ads (Facebook and Instagram): what campaigns are, cost and bring.

Files: answers of the Marketing API (lists as its SDK dumps them, pages, pages of finished reports) and the CSV that Ads
Manager exports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bedrot.contract import Feed, Original, Reader, Remembers, Source, Stamp, Table
from bedrot.sources.metaads import census, shape, tables
from bedrot.sources.metaads.entities import reader
from bedrot.sources.metaads.insights import read_insights
from bedrot.sources.metaads.sheet import (
    knows_sheet,
    read_sheet,
    resaved,
    sheet_account,
    sheet_census,
    sheet_exported_at,
)
from bedrot.sources.metaads.told import carries_token, last_day, stamped


def _knows(kind: str) -> Callable[[Original], bool]:
    """Whether a file is a list or page of that kind."""
    return lambda original: shape.kind_of(original) == kind


def _entity_feed(kind: str, table: Table, id_name: str, about: str) -> Feed:
    """The feed of one kind of entity; its instant stands in the name or must be told: no day in the rows proves it."""
    read: Reader = reader(table, kind, id_name)
    return Feed(
        name=f"metaads.{kind}",
        about=about,
        tables=(table,),
        knows=_knows(kind),
        read=read,
        exported_at=stamped,
        account=shape.account_of,
        census=lambda original: {table.name: len(census.items(original.text))},
    )


def _knows_insights(original: Original) -> bool:
    """Whether a file is a list or page of insights, or an answer without data, which this feed refuses in words."""
    return shape.kind_of(original) in (shape.INSIGHTS, shape.NO_DATA)


def _insights_account(original: Original) -> str | None:
    """The ad account's number, where the answer proves it; Refused for an answer without data."""
    shape.refuse_no_data(original)
    return shape.account_of(original)


def _insights_exported_at(original: Original) -> Stamp | None:
    """The stamp in the name, the zip's time, or the last day that a record reaches; Refused without data."""
    shape.refuse_no_data(original)
    stamp = stamped(original)
    if stamp:
        return stamp
    items = shape.answer_of(original, shape.INSIGHTS).items
    return last_day(str(item.get("date_stop")) for item in items)


def _insights_census(original: Original) -> Mapping[str, int]:
    """Records, and the numbers in their lists of actions, counted in the raw text."""
    records = census.items(original.text)
    return {tables.INSIGHTS.name: len(records), tables.ACTIONS.name: census.action_records(records)}


def _private(original: Original) -> str | None:
    """Why a file must not be kept: it carries an access token."""
    if not (original.looks_like_json or knows_sheet(original)) or not carries_token(original):
        return None
    return "It carries an access token of Meta's, with which anybody could reach the ad account."


SOURCE = Source(
    name="metaads",
    title="Meta Ads",
    feeds=(
        _entity_feed(shape.CAMPAIGNS, tables.CAMPAIGNS, "campaign_id", "Campaigns: a list, or a page of one."),
        _entity_feed(shape.ADSETS, tables.ADSETS, "adset_id", "Ad sets: a list, or a page of one."),
        _entity_feed(shape.ADS, tables.ADS, "ad_id", "Ads: a list, or a page of one."),
        Feed(
            name="metaads.insights",
            about="Insights: what ads cost and brought, from dumps, pages, or pages of finished reports.",
            tables=(tables.INSIGHTS, tables.ACTIONS),
            knows=_knows_insights,
            read=read_insights,
            exported_at=_insights_exported_at,
            account=_insights_account,
            census=_insights_census,
        ),
        Feed(
            name="metaads.csv",
            about="Ads Manager's CSV export, in English or French, with the columns that the person chose.",
            tables=(tables.INSIGHTS,),
            knows=knows_sheet,
            read=read_sheet,
            exported_at=sheet_exported_at,
            account=sheet_account,
            census=sheet_census,
            resaved=resaved,
            damaged=("campaign_id", "adset_id", "ad_id"),
        ),
    ),
    remembers=Remembers(
        days=1123,
        evidence="37 months: Meta's error 3018 refuses earlier days; connectors clamp at 1,123 days.",
        absent_may_be_empty=True,
    ),
    private=_private,
)
