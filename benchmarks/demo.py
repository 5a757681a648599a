"""What each step of a label's life costs, at three sizes of the demo label.

    .venv/bin/python benchmarks/demo.py [--scales 1 10 100] [--folder DIR]

Prints one table: seconds, peak memory, and what each zone holds in the end. Every step is a process of its own; making
the downloads is not counted. The files of March 2026 are kept back for the step "one more month".
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bedrot.commands.walk import door_of
from bedrot.config import read_settings
from bedrot.demo.arrival import Arrival
from bedrot.demo.given import offer, write
from bedrot.demo.label import invent
from bedrot.demo.story import Story, tell
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from walk import Cost, measured

SEED = 7
LAST = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = "SELECT sale_month, store, sum(units) AS units, sum(earnings) AS earnings FROM royalties GROUP BY ALL"
ZONES = ("landing", "raw", "staging", "curated", "archive")


def story_of(scale: int) -> Story:
    """The story of the demo label at a scale."""
    return tell(invent(SEED, scale=scale))


def old(arrival: Arrival) -> bool:
    """Whether a file came before the last month."""
    return arrival.at < LAST


def give_written(lake_folder: Path, downloads: Path, scale: int, wanted: Callable[[Arrival], bool]) -> None:
    """Offer files that were written before to a lake, one after the other, as `bedrot import` does."""
    lake = Lake.find(lake_folder)
    settings, sources = read_settings(lake.root / "bedrot.toml"), find_sources()
    with Ledger(lake.ledger_path) as ledger:
        for arrival in filter(wanted, story_of(scale).arrivals):
            offer(arrival, downloads / arrival.name, lambda told: door_of(lake, ledger, settings, sources, told))


def bedrot(*words: str) -> Cost:
    """The cost of a command."""
    return measured([sys.executable, "-m", "bedrot", *words])


def giving(step: str, lake: Path, downloads: Path, scale: int) -> Cost:
    """The cost of giving files to a lake, in a process of its own."""
    return measured([sys.executable, __file__, "--step", step, str(lake), str(downloads), str(scale)])


def one_scale(folder: Path, scale: int) -> tuple[dict[str, Cost], dict[str, float]]:
    """The cost of each step at a scale, and the MiB of downloads and zones in the end."""
    downloads, lake = folder / "downloads", folder / "lake"
    for arrival in story_of(scale).arrivals:
        write(arrival, downloads)
    at = ("--lake", str(lake))
    bedrot("init", str(lake))
    costs = {
        "import": giving("old", lake, downloads, scale),
        "run": bedrot("run", *at),
        "run with nothing new": bedrot("run", *at),
        "import one more month": giving("new", lake, downloads, scale),
        "run one more month": bedrot("run", *at),
        "query": bedrot("sql", QUERY, *at),
        "verify": bedrot("verify", *at),
        "rebuild": bedrot("rebuild", *at),
    }
    sizes = {name: size(folder / "lake" / name) for name in ZONES}
    return costs, {"downloads": size(downloads), **sizes}


def size(folder: Path) -> float:
    """MiB in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / (1 << 20)


def main() -> None:
    """Measure and print; or, as a child, give files."""
    if "--step" in sys.argv:
        step, lake, downloads, scale = sys.argv[sys.argv.index("--step") + 1 :]
        wanted = old if step == "old" else lambda arrival: not old(arrival)
        give_written(Path(lake), Path(downloads), int(scale), wanted)
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
