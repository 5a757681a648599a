"""The tables of Meta Ads. Formats: facebook-python-business-sdk 25.0, exports by its Cursor, Ads Manager's CSV."""

from __future__ import annotations

from bedrot.contract import Basis, Check, Field, Grain, Kind, Merge, Partition, Table, unlike

SETTLED_DAYS = 28
"""Days after which Meta books no more conversions back on a day (the look-back that connectors re-read)."""

_ACCOUNT_ZONE = "the ad account's own time zone"
_BUDGET_UNIT = "minor units of the account's currency (500 is 5.00 USD; currencies without cents: whole units)"
_ALONG = ("date_start", "entity", "breakdown_value")


def _entity_table(noun: str, fields: tuple[Field, ...], id_name: str) -> Table:
    """A table of entities as they changed: a row for each day of export on which one differed from before."""
    return Table(
        name=f"metaads_{noun.replace(' ', '')}s",
        about=f"Meta {noun}s as they changed: one row for each export in which one was new or different.",
        fields=(
            Field("seen_on", Kind.DATE, f"Day (UTC) of the export that showed the {noun} like this.", filled=True),
            *fields,
            Field("start_time", Kind.INSTANT, f"When the {noun} starts or started, in UTC."),
            Field("created_time", Kind.INSTANT, f"When the {noun} was made, in UTC."),
            Field("updated_time", Kind.INSTANT, f"When the {noun} itself was last edited, in UTC; not its parents."),
            Field("other", Kind.TEXT, "Everything else that Meta told, as JSON with sorted keys."),
        ),
        merge=Merge.SNAPSHOTS,
        key=(id_name, "seen_on"),
        # A page is a part of the list, and archived ones are left out: what is absent from a file is not gone.
        scope=(id_name, "seen_on"),
        changes_only=True,
        partition=Partition("seen_on", Grain.YEAR),
        day="seen_on",
        day_zone="UTC",
        checks=(
            Check(
                f"the id of a {noun} is a row of digits",
                unlike(id_name, "[0-9]+"),
                "Ids have 15 to 18 digits; a program that took them for numbers damages them.",
            ),
        ),
    )


def _identity(noun: str, id_name: str) -> tuple[Field, ...]:
    """The id, the name and the states that each entity has."""
    return (
        Field(id_name, Kind.TEXT, f"Meta's id of the {noun}.", aka=("id",), filled=True),
        Field("name", Kind.TEXT, f"Name of the {noun} as the advertiser wrote it."),
        Field("status", Kind.TEXT, "What the advertiser set: ACTIVE, PAUSED, ARCHIVED or DELETED."),
        Field(
            "effective_status",
            Kind.TEXT,
            "What holds with its parents' states, such as CAMPAIGN_PAUSED; moves while updated_time stays.",
        ),
    )


_BUDGETS = (
    Field("daily_budget", Kind.INTEGER, "Most to be spent a day; 0 means not used.", _BUDGET_UNIT),
    Field("lifetime_budget", Kind.INTEGER, "Most to be spent in all; 0 means not used.", _BUDGET_UNIT),
    Field("bid_strategy", Kind.TEXT, "How Meta bids, such as LOWEST_COST_WITHOUT_CAP."),
)

CAMPAIGNS = _entity_table(
    "campaign",
    (
        *_identity("campaign", "campaign_id"),
        Field("objective", Kind.TEXT, "What the campaign is for, such as OUTCOME_ENGAGEMENT."),
        *_BUDGETS,
        Field("spend_cap", Kind.INTEGER, "Most that the campaign may ever spend.", _BUDGET_UNIT),
        Field("stop_time", Kind.INSTANT, "When the campaign ends, in UTC; null where no end is set."),
    ),
    "campaign_id",
)

ADSETS = _entity_table(
    "ad set",
    (
        *_identity("ad set", "adset_id"),
        Field("campaign_id", Kind.TEXT, "Meta's id of the campaign that the ad set belongs to."),
        *_BUDGETS,
        Field("optimization_goal", Kind.TEXT, "What delivery is optimised for, such as OFFSITE_CONVERSIONS."),
        Field("targeting", Kind.TEXT, "Whom the ad set is shown to, as JSON with sorted keys."),
        Field("pacing_type", Kind.TEXT, "How the budget is spread over the day, as a JSON list."),
        Field("end_time", Kind.INSTANT, "When the ad set ends, in UTC; null where no end is set."),
    ),
    "adset_id",
)

ADS = _entity_table(
    "ad",
    (
        *_identity("ad", "ad_id"),
        Field("adset_id", Kind.TEXT, "Meta's id of the ad set that the ad belongs to."),
        Field("campaign_id", Kind.TEXT, "Meta's id of the campaign that the ad belongs to."),
        Field("creative_id", Kind.TEXT, "Meta's id of the creative that the ad shows.", aka=("creative.id",)),
        Field("creative", Kind.TEXT, "What Meta told of the creative, as JSON with sorted keys."),
        Field(
            "tracking_specs",
            Kind.TEXT,
            "What the ad tracks, as a JSON list, sorted, because Meta gives it in no order.",
        ),
    ),
    "ad_id",
)

_WHAT = (
    Field(
        "level",
        Kind.TEXT,
        "What a row is about; rows of one level repeat the spend of another, so levels are never added.",
        filled=True,
        values=("account", "campaign", "adset", "ad"),
    ),
    Field(
        "named_by",
        Kind.TEXT,
        "Whether `entity` is Meta's id, or names, in a CSV without ids.",
        filled=True,
        values=("id", "name"),
    ),
    Field(
        "entity",
        Kind.TEXT,
        "The thing that a row is about: its id; the word account; or its names from the campaign down, as a JSON list.",
        filled=True,
    ),
    Field(
        "span",
        Kind.TEXT,
        "daily: the row is one day, proven; lifetime: all that Meta keeps, asked so; range: any other stretch.",
        filled=True,
        values=("daily", "lifetime", "range"),
    ),
    Field(
        "date_start",
        Kind.DATE,
        "First day that the row counts.",
        aka=("date_start", "Reporting starts", "Day", "Jour"),
        filled=True,
    ),
    Field(
        "date_stop",
        Kind.DATE,
        "Last day that the row counts; the day of the export is counted in part.",
        aka=("date_stop", "Reporting ends"),
        filled=True,
    ),
    Field(
        "breakdown",
        Kind.TEXT,
        "What the row's figures are split by (age, gender, country, …), joined by commas; none where by nothing.",
        filled=True,
    ),
    Field(
        "breakdown_value",
        Kind.TEXT,
        "The part of the split that the row is, as JSON with sorted keys; all where there is no split.",
        filled=True,
    ),
)
_CURRENCY = Field(
    "currency",
    Kind.TEXT,
    "Currency of the ad account (ISO 4217); null where the file does not tell it.",
    aka=("account_currency", "Amount spent (USD)"),
)
_PROVISIONAL = Field(
    "provisional",
    Kind.BOOLEAN,
    f"Whether fewer than {SETTLED_DAYS} days lie between date_stop and the export, so that Meta may still change it.",
)
_SCOPE = ("level", "named_by", "entity", "span", "breakdown", "date_start")
_CHECKS = (
    Check("a row ends on or after the day it starts", "date_stop < date_start", "No stretch of time is negative."),
    Check("a daily row starts and ends on one day", "span = 'daily' AND date_start <> date_stop", "Asked by day."),
    Check(
        "an id is a row of digits",
        f"named_by = 'id' AND level <> 'account' AND {unlike('entity', '[0-9]+')}",
        "Ids have 15 to 18 digits; a program that took them for numbers damages them.",
    ),
)


def _count(name: str, about: str, aka: tuple[str, ...], *, additive: bool = True) -> Field:
    """A count of Meta's; additive along days and entities of one level unless it counts people."""
    along = _ALONG if additive else ()
    return Field(name, Kind.INTEGER, about, "count", aka, basis=Basis.AD_PLATFORM, additive=along)


INSIGHTS = Table(
    name="metaads_insights",
    about=(
        "What Meta says that ads cost and brought, by day where that is proven. Costs per click, rates and frequency"
        " are left out: they follow from the counts."
    ),
    fields=(
        *_WHAT,
        Field("campaign_id", Kind.TEXT, "Meta's id of the campaign.", aka=("Campaign ID",)),
        Field("campaign_name", Kind.TEXT, "Name of the campaign.", aka=("Campaign name", "Nom de la campagne")),
        Field("adset_id", Kind.TEXT, "Meta's id of the ad set.", aka=("Ad set ID",)),
        Field("adset_name", Kind.TEXT, "Name of the ad set.", aka=("Ad set name", "Ad Set Name")),
        Field("ad_id", Kind.TEXT, "Meta's id of the ad.", aka=("Ad ID",)),
        Field("ad_name", Kind.TEXT, "Name of the ad.", aka=("Ad name",)),
        _CURRENCY,
        Field(
            "spend",
            Kind.MONEY,
            "What the ads cost, in major units of `currency`; addable within one level and span only.",
            "currency",
            ("spend", "Amount spent (USD)", "Montant dépensé (USD)"),
            basis=Basis.AD_PLATFORM,
            additive=_ALONG,
        ),
        _count("impressions", "How often ads were on a screen.", ("impressions", "Impressions")),
        _count("clicks", "Clicks of every kind on ads.", ("clicks", "Clicks (all)")),
        _count("link_clicks", "Clicks on links in ads.", ("inline_link_clicks", "Link clicks")),
        _count("reach", "People who saw ads: one person is counted once a row.", ("reach", "Reach"), additive=False),
        Field(
            "results",
            Kind.DECIMAL,
            "What the ad was optimised for, as often as Meta counted it; unlike things, so never added over types.",
            "count of result_type",
            ("results", "Results"),
            basis=Basis.AD_PLATFORM,
        ),
        Field(
            "result_type",
            Kind.TEXT,
            "What `results` counts, such as actions:link_click.",
            aka=("results.indicator", "Result indicator"),
        ),
        Field(
            "attribution_setting",
            Kind.TEXT,
            "Which clicks and views may claim a result, as Meta words it.",
            aka=("attribution_setting", "Attribution setting"),
        ),
        _PROVISIONAL,
    ),
    merge=Merge.WINDOWS,
    key=(*_SCOPE, "breakdown_value"),
    scope=_SCOPE,
    until="date_stop",
    partition=Partition("date_start", Grain.MONTH),
    day="date_stop",
    day_zone=_ACCOUNT_ZONE,
    provisional="provisional",
    checks=_CHECKS,
    fresh_days=3,
)

_ACTION_SCOPE = (*_SCOPE, "measure")

ACTIONS = Table(
    name="metaads_actions",
    about=(
        "What people did after ads, one row for each action type and attribution window. Types contain each other"
        " (page_engagement has post_engagement, which has link_click), so they are never added."
    ),
    fields=(
        *_WHAT,
        Field(
            "measure",
            Kind.TEXT,
            "count: how often (`value`); amount: what it was worth (`amount`).",
            aka=("actions", "action_values"),
            filled=True,
            values=("count", "amount"),
        ),
        Field("action_type", Kind.TEXT, "What was done, such as link_click; null: asked, and nothing was done."),
        Field(
            "action_detail",
            Kind.TEXT,
            "Further keys that split the action (action_device, …), as JSON with sorted keys; none where not.",
        ),
        Field(
            "attribution_window",
            Kind.TEXT,
            "The window in which a click or view claims the action (7d_click, 1d_view, …); default: the account's own.",
            aka=("value", "1d_click", "7d_click", "28d_click", "1d_view", "1d_ev", "dda", "inline"),
        ),
        Field(
            "value",
            Kind.DECIMAL,
            "How often it was done, within one type, window and level.",
            "count",
            basis=Basis.AD_PLATFORM,
            additive=_ALONG,
        ),
        _CURRENCY,
        Field(
            "amount",
            Kind.MONEY,
            "What the actions were worth as the page told Meta, within one type, window and level.",
            "currency",
            basis=Basis.AD_PLATFORM,
            additive=_ALONG,
        ),
        _PROVISIONAL,
    ),
    merge=Merge.WINDOWS,
    key=(*_ACTION_SCOPE, "breakdown_value", "action_type", "action_detail", "attribution_window"),
    scope=_ACTION_SCOPE,
    until="date_stop",
    absent="action_type",
    partition=Partition("date_start", Grain.MONTH),
    day="date_stop",
    day_zone=_ACCOUNT_ZONE,
    provisional="provisional",
    checks=_CHECKS,
    fresh_days=3,
)
