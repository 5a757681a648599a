"""What each step of a label's life costs, at three sizes of the demo label.

    .venv/bin/python benchmarks/demo.py [--scales 1 10 100] [--folder DIR]

Prints one table: seconds, peak memory, and what each zone holds in the end. Every step is a process of its own; making
the downloads is not counted. The files of March 2026 are kept back for the step "one more month".
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bedrot.commands.walk import door_of
from bedrot.config import read_settings
from bedrot.demo.arrival import Arrival
from bedrot.demo.given import write
from bedrot.demo.label import invent
from bedrot.demo.story import arrivals_of
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.accept import Told
from walk import ZONES, Cost, measured, mebibytes

SEED = 7
LAST = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = "SELECT sale_month, store, sum(units) AS units, sum(earnings) AS earnings FROM royalties GROUP BY ALL"


def planned(arrivals: Iterable[Arrival], folder: Path, plan: Path) -> Path:
    """A file that tells a process which files to give, in order, with what the person says of each."""
    told = [[str(folder / one.name), one.account, _iso(one.exported_at), _iso(one.at)] for one in arrivals]
    plan.write_text(json.dumps(told), encoding="utf-8")
    return plan


def _iso(at: datetime | None) -> str | None:
    """An instant as text."""
    return at.isoformat() if at else None


def give_planned(lake_folder: Path, plan: Path) -> None:
    """Offer the files of a plan to a lake, one after the other, as `bedrot import` does."""
    lake = Lake.find(lake_folder)
    settings, sources = read_settings(lake.root / "bedrot.toml"), find_sources()
    with Ledger(lake.ledger_path) as ledger:
        for path, account, *instants in json.loads(plan.read_text(encoding="utf-8")):
            exported, received = (datetime.fromisoformat(one) if one else None for one in instants)
            told = Told(account, exported, received)
            list(door_of(lake, ledger, settings, sources, told).offer([Path(path)]))


def bedrot(*words: str) -> Cost:
    """The cost of a command."""
    return measured([sys.executable, "-m", "bedrot", *words])


def giving(lake: Path, plan: Path) -> Cost:
    """The cost of giving the files of a plan to a lake, in a process of its own."""
    return measured([sys.executable, __file__, "--give", str(lake), str(plan)])


def one_scale(folder: Path, scale: int) -> tuple[dict[str, Cost], dict[str, float]]:
    """The cost of each step at a scale, and the MiB of downloads and zones in the end."""
    downloads, lake = folder / "downloads", folder / "lake"
    came = arrivals_of(invent(SEED, scale=scale))
    for arrival in came:
        write(arrival, downloads)
    before = planned((one for one in came if one.at < LAST), downloads, folder / "before.json")
    month = planned((one for one in came if one.at >= LAST), downloads, folder / "month.json")
    at = ("--lake", str(lake))
    bedrot("init", str(lake))
    costs = {
        "import": giving(lake, before),
        "run": bedrot("run", *at),
        "run with nothing new": bedrot("run", *at),
        "import one more month": giving(lake, month),
        "run one more month": bedrot("run", *at),
        "query": bedrot("sql", QUERY, *at),
        "verify": bedrot("verify", *at),
        "rebuild": bedrot("rebuild", *at),
    }
    return costs, {"downloads": mebibytes(downloads), **{name: mebibytes(lake / name) for name in ZONES}}


def main() -> None:
    """Measure and print; or, as a child, give files."""
    if "--give" in sys.argv:
        lake, plan = map(Path, sys.argv[sys.argv.index("--give") + 1 :])
        give_planned(lake, plan)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--folder", type=Path)
    told = parser.parse_args()
    for scale in told.scales:
        with tempfile.TemporaryDirectory(dir=told.folder) as folder:
            costs, sizes = one_scale(Path(folder), scale)
        print(f"scale {scale}: " + ", ".join(f"{name} {mib:.1f} MiB" for name, mib in sizes.items()))
        for step, cost in costs.items():
            print(f"  {step:<24}{cost.clock:>8.2f} s {cost.peak:>7.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
