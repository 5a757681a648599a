"""Run as a script: overlapping exports that restate each other's values must replace them, never add to them.

Prints each value that is not the newest one told, and ends with 1 then. The expected values stand here as written.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bedrot.config import Settings
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.walk import marts
from bedrot.walk.accept import Door, Told
from bedrot.walk.run import Walk
from bedrot.walk.run import run as walk_run

AT = datetime(2026, 4, 1, tzinfo=UTC)
DAYS = ("June 14", "June 15", "June 16", "June 17")
Export = tuple[str, str, Told]

SERIES = (("2025-06-17T09:00+00:00", (10, 20, 30, None)), ("2025-06-18T09:00+00:00", (None, 21, 33, 40)))
"""Views by day in two exports of a dated series; the newer restates two days of the older."""
WINDOWS = (("2025-06-03", ("1.10", "2.20", "3.30", None)), ("2025-06-04", (None, "2.25", "3.35", "4.40")))
"""Spend by day in two pulls of overlapping windows."""
SHARES = (("2025-06-16T09:00+00:00", (60, 40)), ("2025-06-16T21:00+00:00", (55, 45)))
"""Shares in two snapshots of one day."""
EXPECTED = {
    "series": [10, 21, 33, 40],
    "windows": ["1.1", "2.25", "3.35", "4.4"],
    "snapshots": ["0.55", "0.45"],
}
QUERIES = {
    "series": "SELECT video_views FROM staging.tiktok_overview ORDER BY date",
    "windows": "SELECT rtrim(CAST(spend AS VARCHAR), '0') FROM staging.metaads_insights ORDER BY date_start",
    "snapshots": "SELECT rtrim(CAST(share AS VARCHAR), '0') FROM staging.tiktok_follower_gender ORDER BY gender",
}


def exports() -> Iterator[Export]:
    """Name, content, and what a person says of it."""
    for number, (at, views) in enumerate(SERIES):
        told = Told("nova.lights", datetime.fromisoformat(at))
        lines = [f'"{day}","{n}","0","0","0","0"' for day, n in zip(DAYS, views, strict=True) if n is not None]
        heading = '"Date","Video Views","Profile Views","Likes","Comments","Shares"'
        yield f"{number}/Overview.csv", "\n".join(["\ufeff" + heading, *lines]), told
    for number, (at, shares) in enumerate(SHARES):
        told = Told("nova.lights", datetime.fromisoformat(at))
        lines = [f'"{who}","{share}%"' for who, share in zip(("Female", "Male"), shares, strict=True)]
        yield f"{number}/FollowerGender.csv", "\n".join(['\ufeff"Gender","Distribution"', *lines]), told
    for number, (_, spends) in enumerate(WINDOWS):
        rows = [
            {
                "account_id": "1000000000000042",
                "account_currency": "EUR",
                "ad_id": "120240000002750075",
                "ad_name": "Clip 1",
                "date_start": f"2025-06-0{day}",
                "date_stop": f"2025-06-0{day}",
                "spend": spend,
                "impressions": "100",
            }
            for day, spend in enumerate(spends, start=1)
            if spend is not None
        ]
        yield f"{number}/insights.json", json.dumps({"data": rows, "paging": {}}), Told()


def answers(folder: Path) -> dict[str, list[Any]]:
    """The values of a lake that got all exports, the newest first."""
    lake = Lake.create(folder / "lake")
    marts.load_marts = lambda _told: ()
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(lake.ledger_path))
        walk = Walk(lake, ledger, Settings())
        walk.__dict__["sources"] = [one for one in walk.sources if one.name in {"tiktok", "metaads"}]
        for name, content, told in reversed(list(exports())):
            path = folder / "given" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="")
            door = Door(lake, ledger, walk.sources, {}, told, AT)
            said = list(door.offer([path]))
            assert [one.verdict for one in said] == ["accepted"], said
        walk_run(walk, AT)
        snapshot = current(lake)
        assert snapshot is not None
        con = stack.enter_context(open_snapshot(lake, snapshot))
        return {name: [row[0] for row in con.execute(query).fetchall()] for name, query in QUERIES.items()}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir()
    found = answers(place)
    shutil.rmtree(place)
    wrong = [f"{name}: {found[name]} instead of {values}" for name, values in EXPECTED.items() if found[name] != values]
    sys.stdout.write("\n".join(wrong) + "\n")
    sys.exit(int(bool(wrong)))
