"""Which days are known: read from the published tables, one query each, for every feed and account that fills them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from bedrot import sql
from bedrot.config import RemembersRule, Settings
from bedrot.connect.memory import Known, Outlook, memory_of, order, outlook, together
from bedrot.contract import Kind, Merge, Source, Table
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import STAGING, view_name
from bedrot.lake.snapshot import Snapshot, current, open_snapshot
from bedrot.lake.zones import Lake
from bedrot.tell.asides import gather

Place = tuple[str, str, str]
"""A table, a feed that fills it, and an account."""


def has_days(table: Table) -> bool:
    """Whether a table tells days one by one, so that one of them can be missing."""
    dated = bool(table.day) and table.field(table.day).kind is Kind.DATE
    return dated and table.merge in (Merge.SERIES, Merge.WINDOWS)


def published_days(lake: Lake, ledger: Ledger, sources: Sequence[Source]) -> dict[Place, Known]:
    """The days that are known now, of the tables of some sources; none where nothing is published yet."""
    snapshot = current(lake)
    if snapshot is None:
        return {}
    decisions = ledger.decisions()
    feed_of = {one.id: one.feed for one in ledger.deliveries() if not decisions.retracted(one.id)}
    return known_days(lake, snapshot, sources, feed_of)


def known_days(
    lake: Lake, snapshot: Snapshot, sources: Sequence[Source], feed_of: Mapping[str, str]
) -> dict[Place, Known]:
    """The days that each feed told of each account, by table; `feed_of` gives the feed of a delivery's id.

    A row belongs to the feed of the delivery that it cites. A day is whole where a row of it is not provisional.
    Of a table whose rows may span several days, a row counts where it begins on the day on which it ends.
    """
    tables = {
        table.name: table
        for source in sources
        for feed in source.feeds
        for table in feed.tables
        if has_days(table) and STAGING + table.name in snapshot.tables
    }
    days: dict[Place, dict[date, bool]] = defaultdict(dict)
    con = open_snapshot(lake, snapshot)
    try:
        for name, table in sorted(tables.items()):
            for account, delivery, day, running in con.execute(_query(table)).fetchall():
                if delivery in feed_of:
                    told = days[name, feed_of[delivery], account]
                    told[day] = told.get(day, True) and running
    finally:
        con.close()
    return {
        place: Known(
            frozenset(day for day, running in told.items() if not running),
            frozenset(day for day, running in told.items() if running),
        )
        for place, told in days.items()
    }


def _query(table: Table) -> str:
    """Account, delivery, day, and whether the day was still running in all its rows."""
    day, start = sql.name(table.day), table.partition.column
    running = f"bool_and(coalesce({sql.name(table.provisional)}, false))" if table.provisional else "false"
    spans = start != table.day and table.field(start).kind is Kind.DATE
    alone = f" AND {sql.name(start)} = {day}" if spans else ""
    return (
        f"SELECT account, _delivery, {day}, {running} FROM {view_name(STAGING + table.name)}"
        f" WHERE {day} IS NOT NULL{alone} GROUP BY ALL"
    )


def outlooks_of(
    sources: Sequence[Source],
    accounts: Mapping[str, Sequence[str]],
    known: Mapping[Place, Known],
    now: datetime,
    rules: Sequence[RemembersRule] = (),
) -> list[Outlook]:
    """The outlooks of each feed that tells days, for its accounts, in the order in which to fetch."""
    found: list[Outlook] = []
    for source in sources:
        for feed in source.feeds:
            dated = [table.name for table in feed.tables if has_days(table)]
            for account in accounts.get(feed.name, ()):
                of = Outlook(source.name, feed.name, account, memory_of(source, feed, account, rules))
                found += together(
                    outlook(replace(of, tables=(name,)), known.get((name, feed.name, account), Known()), now)
                    for name in dated
                )
    return order(found)


def outlooks(
    lake: Lake, ledger: Ledger, settings: Settings, sources: Sequence[Source], now: datetime
) -> list[Outlook] | None:
    """What is due at an instant, in the order in which to fetch; None where nothing is published yet."""
    snapshot = current(lake)
    if snapshot is None:
        return None
    facts = gather(ledger)
    feed_of = {one.id: one.feed for one in facts.deliveries.values()}
    known = known_days(lake, snapshot, sources, feed_of)
    accounts: dict[str, set[str]] = defaultdict(set)
    for delivery, name in feed_of.items():
        accounts[name].add(facts.account[delivery])
    for source in sources:
        met = {account for feed in source.feeds for account in accounts[feed.name]}
        for feed in source.feeds:
            accounts[feed.name] |= set(settings.accounts_of(source.name)) - met
    return outlooks_of(sources, {name: sorted(some) for name, some in accounts.items()}, known, now, settings.remembers)
