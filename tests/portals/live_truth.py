"""What the lake must know after fetches at certain instants, worked out from what the demo's services show then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from distrokid_portal import page_of
from tiktok_portal import handle_on
from toolost_portal import answer_of, file_name, statements

from bedrot.demo import bank, distrokid_charts, toolost_answers, toolost_sales
from bedrot.demo.ads import ACCOUNT, advertising
from bedrot.demo.arrival import Expected
from bedrot.demo.distrokid_bank import COLUMNS, main_lines, royalty, spelling
from bedrot.demo.label import FIRST_DAY, Label
from bedrot.demo.links import pages
from bedrot.demo.meta_campaigns import local
from bedrot.demo.social import account
from bedrot.demo.tiktok_tables import Export

Row = tuple[object, ...]
Rows = dict[Row, Row]
"""Rows of a table by what tells them apart: what a later fetch shows stands in the place of what an earlier one did."""
_DAY = timedelta(days=1)
_YEAR = 365

_HEADINGS = {
    "royalties": COLUMNS,
    "streams_daily": ("source", "account", "store", "date", "streams", "provisional"),
    "ads_daily": ("source", "account", "ad_id", "day", "spend", "currency", "impressions", "clicks"),
    "social_daily": (
        "source", "account", "day", "views", "profile_views", "likes", "comments", "shares", "followers",
        "new_followers",
    ),
    "links_daily": ("source", "account", "day", "views", "unique_views", "clicks", "unique_clicks"),
}  # fmt: skip
"""Each table, and those of its columns that are compared."""


def truth(label: Label, accounts: Iterable[tuple[str, str]], times: Sequence[datetime]) -> list[Expected]:
    """The whole of each table after all of the accounts (source and name) were fetched at each of the times."""
    found: dict[str, list[Row]] = {table: [] for table in _HEADINGS}
    for source, name in accounts:
        for table, rows in _OF[source](label, name, times).items():
            found[table] += rows
    return [Expected(table, (), _HEADINGS[table], rows) for table, rows in found.items()]


def _distrokid(label: Label, name: str, times: Sequence[datetime]) -> Mapping[str, list[Row]]:
    """Each line that the bank had last, as things were called then; each day as the newest page of it says."""
    today = times[-1].date()
    names = spelling(label, today)
    paid = [
        royalty("distrokid", name, line, names, Decimal(bank.rounded(line.earnings, 12)).scaleb(-12))
        for line in main_lines(label)
        if line.reporting_date < today
    ]
    played: Rows = {}
    for at in times:
        for store in (distrokid_charts.SPOTIFY, distrokid_charts.APPLE):
            page = page_of(label, store, at)
            for day, count in page.days:
                played[store, day] = ("distrokid", name, store, day, count, day == page.provisional)
    return {"royalties": paid, "streams_daily": [*played.values()]}


def _toolost(label: Label, name: str, times: Sequence[datetime]) -> Mapping[str, list[Row]]:
    """The lines of all statements that were out last; each day of the year as the newest answer says."""
    out = {file_name(one)[1:8] for one in statements(label, times[-1])}
    (whole,) = toolost_sales.expected(label)
    whose, reported = whole.columns.index("account"), whole.columns.index("reporting_date")
    paid = [(*row[:whose], name, *row[whose + 1 :]) for row in whole.rows if f"{row[reported]:%m-%Y}" in out]
    played: Rows = {}
    for at in times:
        for store in (toolost_answers.SPOTIFY, toolost_answers.APPLE):
            for day, count in answer_of(label, store, at).days:
                played[store, day] = ("toolost", name, store, day, count, False)
    return {"royalties": paid, "streams_daily": [*played.values()]}


def _metaads(label: Label, name: str, times: Sequence[datetime]) -> Mapping[str, list[Row]]:
    """Every ad and day up to the last yesterday by the account's clock; older days than 28 do not change any more."""
    ads, at = advertising(label), times[-1]
    rows: list[Row] = []
    for day in _days(FIRST_DAY, local(at).date() - _DAY):
        for campaign, adset, ad in ads.ads():
            if told := ads.known(campaign, adset, ad, day, at):
                spend = Decimal(told.spend).scaleb(-2)
                rows.append(("metaads", name, ad.id, day, spend, "USD", told.impressions, told.clicks))
    assert name == ACCOUNT
    return {"ads_daily": rows}


def _tiktok(label: Label, name: str, times: Sequence[datetime]) -> Mapping[str, list[Row]]:
    """Every day of the year before each fetch."""
    artist = next(one for one in label.artists if handle_on(one, times[-1]) == name)
    whose = account(label, artist)
    days = sorted({day for at in times for day in Export(artist, name, "Overview", at, _YEAR).dates})
    rows: list[Row] = []
    for day in days:
        one = whose.day(day)
        before = whose.day(day - _DAY).followers if day > days[0] else None
        change = None if one.followers is None or before is None else one.followers - before
        counts = (one.counts.views, one.profile_views, one.counts.likes, one.counts.comments, one.counts.shares)
        rows.append(("tiktok", name, day, *counts, one.followers, change))
    return {"social_daily": rows}


def _linktree(label: Label, name: str, times: Sequence[datetime]) -> Mapping[str, list[Row]]:
    """Every day of the year up to each fetch, as the newest one says."""
    page = next(one for one in pages(label) if one.name == name)
    visited: Rows = {}
    for at in times:
        for day, one in page.range(at.date() - (_YEAR - 1) * _DAY, at.date(), at):
            visited[(day,)] = ("linktree", name, day, one.views, one.visitors, one.clicks, one.clickers)
    return {"links_daily": [*visited.values()]}


_OF = {"distrokid": _distrokid, "toolost": _toolost, "metaads": _metaads, "tiktok": _tiktok, "linktree": _linktree}


def _days(first: date, last: date) -> Iterator[date]:
    """All days from one to another."""
    while first <= last:
        yield first
        first += _DAY
