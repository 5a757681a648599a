"""How Ads Manager writes: a table by day and ad that a person chose the columns of."""

from __future__ import annotations

from bedrot.demo.ads import ACCOUNT
from bedrot.demo.meta_pulls import Pull, Told
from bedrot.demo.meta_texts import ratio
from bedrot.demo.writing import pointed, quotient

HEADINGS = (
    "Reporting starts", "Reporting ends", "Ad name", "Ad delivery", "Results", "Result indicator", "Cost per results",
    "Ad set budget", "Ad set budget type", "Amount spent (USD)", "Impressions", "Reach", "Frequency",
    "CPM (cost per 1,000 impressions) (USD)", "Purchases", "Ends", "Attribution setting", "Bid", "Bid type",
    "Last significant edit", "Quality ranking", "Engagement rate ranking", "Conversion rate ranking", "Ad set name",
    "Purchase ROAS (return on ad spend)", "Day", "Campaign name", "Campaign ID", "Ad set ID", "Ad ID", "Account ID",
)  # fmt: skip
"""Meta's usual columns, and behind them those that the person added: the day, and what says which ad it is."""
RESULT = "actions:link_click"
_ATTRIBUTION = "7-day click or 1-day view"


def name(pull: Pull, label: str) -> str:
    """The name that Ads Manager gives to an export."""
    account = label.upper().replace(" ", "-")
    first, last = (f"{day:%b}-{day.day}-{day.year}" for day in (pull.first, pull.last))
    return f"{account}-Ads-{first}-{last}.csv"


def sheet(pull: Pull, rows: list[Told]) -> bytes:
    """The export: first a line of totals without a name, then a line for each day and ad."""
    ordered = sorted(rows, key=lambda row: (row.day, row.ad.id))
    lines = [HEADINGS, _totals(pull, rows), *map(_line, ordered)]
    return ("\ufeff" + "\n".join(",".join(map(_cell, line)) for line in lines) + "\n").encode()


def _line(row: Told) -> tuple[str, ...]:
    """The line of one ad and day; no result is blank."""
    figures, day = row.figures, row.day.isoformat()
    result = (str(figures.links), RESULT, _cost(figures.spend, figures.links)) if figures.links else ("", "", "")
    budget = row.adset.raised[1] if row.adset.raised and row.day > row.adset.raised[0].date() else row.adset.budget
    held = (str(budget // 100), "Daily") if row.adset.own else ("Using campaign budget", "0")
    return (
        day, day, row.ad.name, "active", *result, *held, pointed(figures.spend, 2), str(figures.impressions),
        str(figures.reach), ratio(figures.impressions, figures.reach) if figures.reach else "",
        ratio(1000 * figures.spend, 100 * figures.impressions), "", "Ongoing", _ATTRIBUTION, "0", "ABSOLUTE_OCPM",
        "", "-", "-", "-", row.adset.name,
        "", day, row.campaign.name, row.campaign.id, row.adset.id, row.ad.id, ACCOUNT,
    )  # fmt: skip


def _totals(pull: Pull, rows: list[Told]) -> tuple[str, ...]:
    """The line of totals: what nobody should take for one more ad."""
    spend = sum(row.figures.spend for row in rows)
    impressions = sum(row.figures.impressions for row in rows)
    told = dict.fromkeys(HEADINGS, "")
    told["Reporting starts"], told["Reporting ends"] = pull.first.isoformat(), pull.last.isoformat()
    told["Amount spent (USD)"], told["Impressions"] = pointed(spend, 2), str(impressions)
    return tuple(told.values())


def _cost(cents: int, results: int) -> str:
    """Dollars for one result, with eight decimals."""
    return pointed(quotient(cents * 10**6, results), 8)


def _cell(text: str) -> str:
    """A field: quoted where it holds a blank, a comma or a quotation mark."""
    if any(mark in text for mark in ' ,"'):
        return '"' + text.replace('"', '""') + '"'
    return text
