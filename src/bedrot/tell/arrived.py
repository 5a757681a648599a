"""What is new since a moment ago: days of each account, and the money that distributors paid to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext

from bedrot.connect.known_days import published_days
from bedrot.contract import Source
from bedrot.contract.typing_sql import DIGITS
from bedrot.lake.ledger import Ledger
from bedrot.lake.snapshot import current, open_snapshot
from bedrot.lake.zones import Lake

Whose = tuple[str, str]
"""Source and account."""


@dataclass(frozen=True)
class Tally:
    """What is published: the days by source and account, and earnings by these and the currency (blank: not told)."""

    days: Mapping[Whose, frozenset[date]] = field(default_factory=dict)
    money: Mapping[tuple[str, str, str], Decimal] = field(default_factory=dict)

    def new_days(self, whose: Whose, before: Tally) -> int:
        """How many days of an account are known now that were not before."""
        return len(self.days.get(whose, frozenset()) - before.days.get(whose, frozenset()))

    def money_in(self, before: Tally) -> dict[tuple[str, str, str], Decimal]:
        """How much more (or less, where lines were restated) the statements add up to; what stayed is left out."""
        with localcontext(prec=DIGITS):
            places = sorted({*self.money, *before.money})
            moved = {one: self.money.get(one, Decimal(0)) - before.money.get(one, Decimal(0)) for one in places}
        return {one: amount for one, amount in moved.items() if amount}


def tally(lake: Lake, ledger: Ledger, sources: Sequence[Source]) -> Tally:
    """What is published now; nothing where nothing is."""
    snapshot = current(lake)
    if snapshot is None:
        return Tally()
    source_of = {feed.name: source.name for source in sources for feed in source.feeds}
    days: dict[Whose, set[date]] = defaultdict(set)
    for (_, feed, account), known in published_days(lake, ledger, sources).items():
        days[source_of[feed], account] |= known.whole | known.partial
    money: dict[tuple[str, str, str], Decimal] = {}
    if "royalties" in snapshot.tables:
        con = open_snapshot(lake, snapshot)
        try:
            query = "SELECT source, account, coalesce(currency, ''), sum(earnings) FROM royalties GROUP BY ALL"
            money = {(row[0], row[1], row[2]): row[3] or Decimal(0) for row in con.execute(query).fetchall()}
        finally:
            con.close()
    return Tally({whose: frozenset(some) for whose, some in days.items()}, money)
