"""Random histories of a ledger's exports, with the truth that curate must arrive at."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from staging_files import Delivered

STORES = ("Spotify", "Apple Music", "Deezer", "YouTube (Ads)", "TikTok")
COUNTRIES = ("US", "DE", "NA", "BR", "JP")
Row = dict[str, Any]


@dataclass(frozen=True)
class History:
    """Deliveries, and the lines that are true after them: as stated last, with the most decimals since then."""

    seed: int
    deliveries: list[Delivered]
    truth: list[Row]


def tracks() -> list[Row]:
    """Eight recordings: one without ISRC, two without UPC, two that share a title."""
    return [
        {
            "artist": "Ana" if i % 2 else "The Bö",
            "title": f"Title {i % 6}",
            "isrc": f"QZABC25{i:05d}" if i % 5 else None,
            "upc": f"0{i // 2:011d}" if i % 7 else None,
            "product": "Song" if i % 5 else "Album",
        }
        for i in range(8)
    ]


def cut(value: Decimal, scale: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


def ledger(chance: random.Random, months: int) -> list[Row]:
    """What the stores reported in each month; some lines twice, some with a deduction beside them."""
    lines = []
    for month in range(1, months + 1):
        for store in STORES:
            for track in tracks():
                for country in chance.sample(COUNTRIES, 2):
                    amount = Decimal(chance.randint(1, 9 * 10**8)).scaleb(-11)
                    line = {
                        "reporting_date": date(2025, month + 2, 20) if month < 11 else date(2026, month - 10, 20),
                        "sale_month": f"2025-{month:02d}",
                        "store": store,
                        "country": country,
                        **track,
                        "quantity": chance.randint(0, 40),
                        "note": None,
                        "earnings": cut(amount if chance.random() < 0.8 else Decimal("0.00351"), 12),
                        "withheld": None,
                        "month": month,
                    }
                    lines.append(line)
                    if store == "Spotify" and chance.random() < 0.3:
                        less = cut(-amount * Decimal("0.3"), 12)
                        lines.append({**line, "quantity": max(1, line["quantity"] // 3), "earnings": less})
                    if chance.random() < 0.05:
                        lines.append(dict(line))
    return lines


CHANGES: dict[str, Callable[[Row], Row]] = {
    "store": lambda row: {**row, "store": "Deezer Intl"} if row["store"] == "Deezer" else row,
    "upc": lambda row: {**row, "upc": f"9{row['isrc'][-11:]}"} if row["isrc"] and not row["upc"] else row,
    "title": lambda row: {**row, "title": "Title 3 (Remaster)"} if row["title"] == "Title 3" else row,
    "isrc": lambda row: {**row, "isrc": "QZXYZ2500004"} if row["isrc"] == "QZABC2500004" else row,
    "spelling": lambda row: {**row, "title": row["title"].upper() + " ", "artist": row["artist"].replace(" ", "  ")},
    "blanked": lambda row: {**row, "upc": None} if row["isrc"] == "QZABC2500006" else row,
}


def history(seed: int, kinds: Sequence[str], change: str = "", steps: int = 12, months: int = 6) -> History:
    """Exports of the kinds named, from the first months on; `change` happens at two thirds of the way."""
    chance = random.Random(seed)  # noqa: S311
    lines = ledger(chance, months)
    decimals: dict[int, int] = {}
    upto = 2
    deliveries = []
    for step in range(steps):
        upto = min(months, upto + chance.choice((0, 1)))
        kind = chance.choice(kinds)
        shown = _selected(chance, kind, [i for i, line in enumerate(lines) if line["month"] <= upto], lines)
        if kind == "restate":
            for i in chance.sample(shown, 3):
                if lines[i]["earnings"] > 0:
                    lines[i] = {**lines[i], "earnings": lines[i]["earnings"] + Decimal("0.5")}
                    decimals[i] = 0
        scale = 8 if step < steps // 3 and chance.random() < 0.6 else 12
        decimals.update({i: max(scale, decimals.get(i, 0)) for i in shown})
        rows = [_written(lines[i], scale, change if step >= 2 * steps // 3 else "") for i in shown]
        deliveries.append(Delivered(f"d{step:02d}", rows, step, chance.randint(0, 1000)))
    return History(seed, deliveries, [_written(lines[i], decimals[i], "") for i in sorted(decimals)])


def _selected(chance: random.Random, kind: str, known: list[int], lines: list[Row]) -> list[int]:
    """The lines that an export of that kind shows."""
    if kind == "month":
        month = chance.randint(1, lines[known[-1]]["month"])
        return [i for i in known if lines[i]["month"] == month]
    if kind in ("store", "country", "artist", "title"):
        value = lines[chance.choice(known)][kind]
        return [i for i in known if lines[i][kind] == value]
    return known


def _written(line: Row, scale: int, change: str) -> Row:
    """A line as an export writes it."""
    row = {name: value for name, value in line.items() if name != "month"}
    row["earnings"] = cut(row["earnings"], scale)
    return CHANGES[change](row) if change else row
