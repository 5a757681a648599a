"""What the tables above others must hold: worked out from what must be known, row by row and in the plainest way."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from bedrot.demo.arrival import Expected

_MONTHLY = (
    "sale_month", "source", "account", "recording", "isrc", "store", "country", "currency", "kind", "lines", "units",
    "deducted_units", "units_share", "earnings", "rate_per_1000",
)  # fmt: skip

_MEASURES = {
    ("social_daily", "tiktok"): {
        "views": "views_tiktok", "profile_views": "profile_views_tiktok", "likes": "likes_tiktok",
        "comments": "comments_tiktok", "shares": "shares_tiktok", "followers": "followers_tiktok",
        "new_followers": "new_followers_tiktok",
    },
    ("links_daily", "linktree"): {"views": "page_views_linktree", "clicks": "page_clicks_linktree"},
}  # fmt: skip
"""The columns of a day of an artist that the label's accounts of one artist fill; streams and ads are the label's."""
_FILLED = tuple(column for columns in _MEASURES.values() for column in columns.values())
_OF_THE_LABEL = ("streams_distrokid", "streams_toolost", "ad_impressions_metaads", "ad_clicks_metaads")

Row = Mapping[str, object]


def derived(told: Sequence[Expected], owners: Mapping[tuple[str, str], str]) -> list[Expected]:
    """What `royalties_monthly` and `artist_daily` must hold, given what the tables below them must.

    `owners` maps source and account to the artist whose it is.
    """
    monthly = [
        _monthly(one) for one in told if one.table == "royalties" and ("account", "back catalogue") not in one.where
    ]
    return [
        *monthly,
        Expected("artist_daily", (), ("artist", "day", *_OF_THE_LABEL, *_FILLED, "provisional"), _daily(told, owners)),
    ]


def _rows(told: Expected) -> Iterator[Row]:
    """The rows of a table by name of column, those that all have alike among them."""
    for row in told.rows:
        yield {**dict(told.where), **dict(zip(told.columns, row, strict=True))}


def _monthly(royalties: Expected) -> Expected:
    """The sums of the lines of each recording, month of sale, store, country and kind."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for line in _rows(royalties):
        place = (_recording(line), line["isrc"], line["store"], line["country"], line["currency"], line["kind"])
        groups.setdefault((line["sale_month"], line["source"], line["account"], *place), []).append(line)
    return Expected(
        "royalties_monthly", royalties.where, _MONTHLY, [(*key, *_sums(lines)) for key, lines in groups.items()]
    )


def _recording(line: Row) -> str:
    """What stands for the recording of a line: its ISRC, or the release and the title without regard to their looks."""
    title = unicodedata.normalize("NFC", " ".join(str(line["title"]).split())).lower()
    return str(line["isrc"] or f"upc {line['upc']} {title}")


def _sums(lines: Sequence[Row]) -> tuple[object, ...]:
    """How many lines, their units, deducted units, units by share, money, and money for a thousand units."""
    units, deducted, money = (_sum(lines, column) for column in ("units", "deducted_units", "earnings"))
    rate = (money * 1000 / units).quantize(Decimal("0.000001"), ROUND_HALF_UP) if units > 0 else None
    shares = None if any(one["units_share"] is None for one in lines) else _sum(lines, "units_share")
    return len(lines), int(units), int(deducted), shares, money, rate


def _sum(lines: Iterable[Row], column: str) -> Decimal:
    """The sum of a column of numbers."""
    return sum((Decimal(str(one[column])) for one in lines), Decimal(0))


@dataclass
class _Day:
    """What is known of an artist on a day."""

    numbers: dict[str, object]
    provisional: bool = False


def _daily(told: Sequence[Expected], owners: Mapping[tuple[str, str], str]) -> list[tuple[object, ...]]:
    """A row for each artist and day of which anything is known; what one account tells, for each artist has one."""
    found: dict[tuple[str, date], _Day] = {}
    for expected in told:
        for row in _rows(expected):
            columns = _MEASURES.get((expected.table, str(row.get("source"))), {})
            known = {columns[name]: row[name] for name in columns if row[name] is not None}
            artist = owners.get((str(row.get("source")), str(row.get("account"))))
            if artist and known and isinstance(day := row["day"], date):
                entry = found.setdefault((artist, day), _Day({}))
                entry.numbers |= known
                entry.provisional |= bool(row["provisional"])
    return [
        (*key, *(None,) * len(_OF_THE_LABEL), *(one.numbers.get(column) for column in _FILLED), one.provisional)
        for key, one in found.items()
    ]
