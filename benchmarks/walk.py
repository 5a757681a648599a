"""How fast and how small the walk is, as ratios to DuckDB's bare copy of the same file in the same run.

    .venv/bin/python benchmarks/walk.py [--lines 1000000] [--large] [--folder DIR]

Prints one row a measurement, of three rounds the one in the middle: seconds, ratio to the bare copy, the same ratio in
processor time (which a busy machine distorts less), peak memory, and the goal. `--large` adds the rows for ten times
the lines. Each measurement is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STORES = ["Spotify", "Apple Music", "YouTube (Ads)", "YouTube (Red)", "Deezer", "TikTok", "Facebook", "Tidal"]
COUNTRIES = ["US", "DE", "FR", "GB", "BR", "NA", "MX", "JP", "CA", "AU", "OU", "XK"]
HEADING = (
    "Reporting Date\tSale Month\tStore\tArtist\tTitle\tISRC\tUPC\tQuantity\tTeam Percentage\tSong/Album\t"
    "Country of Sale\tSongwriter Royalties Withheld\tEarnings (USD)\r"
)
MONTHS = [(2018 + month // 12, month % 12 + 1) for month in range(90)]
EPOCH = 1_767_225_600_000
ROUNDS = 3
ZONES = ("landing", "raw", "staging", "curated", "archive")

BARE = """
import duckdb, sys
duckdb.connect(config={"threads": 2}).execute(f"COPY (FROM read_csv('{sys.argv[1]}')) TO '{sys.argv[2]}'")
"""
IMPORTS = "import bedrot.cli, bedrot.walk.run, bedrot.walk.accept, bedrot.lake.ledger, typer, rich.progress"


def write_bank(path: Path, lines: int, months: range, seed: int, album: int = 0) -> None:
    """A bank export with bare CRs: `lines` lines spread evenly over the reporting months of `months`.

    Another `album` has other songs, by the same artists.
    """
    chance = random.Random(seed)
    tracks = [
        (f"Artist {i // 40}", f"Track {album} Title {i}", f"QZFAK{25 + album}{i:05d}", f"199000{album}{i // 8:05d}")
        for i in range(400)
    ]
    with path.open("w", encoding="ascii", newline="") as out:
        out.write(HEADING)
        batch = []
        for number in range(lines):
            month = months[number * len(months) // lines]
            year, calendar = MONTHS[month]
            sold = MONTHS[month - 2] if month >= 2 else (2017, 11 + month)
            artist, title, isrc, upc = tracks[chance.randrange(400)]
            batch.append(
                f"{year}-{calendar:02d}-{chance.choice(('05', '20', '25'))}\t{sold[0]}-{sold[1]:02d}\t"
                f"{chance.choice(STORES)}\t{artist}\t{title}\t{isrc}\t{upc}\t{chance.randrange(500)}\t100\tSong\t"
                f"{chance.choice(COUNTRIES)}\t0\t{chance.randrange(10**8) / 10**8:.8f}\r"
            )
            if len(batch) == 10_000:
                out.write("".join(batch))
                batch.clear()
        out.write("".join(batch))


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock, seconds of processors, peak MiB."""

    clock: float
    processor: float
    peak: float

    def __add__(self, other: Cost) -> Cost:
        """One command after another."""
        return Cost(self.clock + other.clock, self.processor + other.processor, max(self.peak, other.peak))


def measured(command: list[str]) -> Cost:
    """The cost of a command and what it starts; its output is shown when it fails.

    Modules are compiled once, as in any installation, also where the environment forbids to keep what was compiled.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=kept)
    output = child.stdout.read() if child.stdout else b""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begun
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: done, and something waits for a person
        sys.exit(f"{' '.join(command)}\n{output.decode()}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def bedrot(lake: Path, *words: str) -> Cost:
    """The cost of a bedrot command on a lake."""
    return measured([sys.executable, "-m", "bedrot", *words, "--lake", str(lake)])


def walked(lake: Path, path: Path) -> Cost:
    """The cost of import and run of one file."""
    return bedrot(lake, "import", str(path)) + bedrot(lake, "run")


def best(command: list[str], times: int) -> Cost:
    """The cheapest of several tries."""
    return min((measured(command) for _ in range(times)), key=lambda cost: cost.clock)


def new_lake(folder: Path, name: str) -> Path:
    """An empty lake."""
    lake = folder / name
    shutil.rmtree(lake, ignore_errors=True)
    measured([sys.executable, "-m", "bedrot", "init", str(lake)])
    return lake


def say(what: str, cost: Cost, unit: Cost, goal: str) -> None:
    """One row of the table."""
    ratios = f"{cost.clock / unit.clock:>6.1f}x {cost.processor / unit.processor:>6.1f}x"
    print(f"{what:<52}{cost.clock:>8.2f} s {ratios} {cost.peak:>7.0f} MiB   {goal}", flush=True)


def middle(rounds: list[tuple[Cost, Cost]]) -> tuple[Cost, Cost]:
    """The cost and its unit in the round whose ratio lies in the middle: a busy moment of the machine is none."""
    return sorted(rounds, key=lambda pair: pair[0].clock / pair[1].clock)[len(rounds) // 2]


def small(folder: Path, lines: int) -> Cost:
    """First walk, the same file with a new month, and nothing new; gives the cost of the first."""
    history, longer = folder / f"DistroKid_{EPOCH}_A.tsv", folder / f"DistroKid_{EPOCH + 86_400_000}_A.tsv"
    write_bank(history, lines, range(84), seed=1)
    shutil.copyfile(history, longer)
    month = folder / "month.tsv"
    write_bank(month, max(1, lines // 84), range(84, 85), seed=2)
    with longer.open("ab") as out:
        out.write(month.read_bytes().split(b"\r", 1)[1])
    firsts, months = [], []
    for _ in range(ROUNDS):
        unit = best([sys.executable, "-c", BARE, str(history), str(folder / "bare.parquet")], 2)
        lake = new_lake(folder, "small")
        firsts.append((walked(lake, history), unit))
        months.append((walked(lake, longer), unit))
    first, unit = middle(firsts)
    print(f"{'':<52}{'clock':>10} {'ratio':>7} {'cpu':>7} {'peak':>11}   goal")
    say(f"bare copy of {lines:,} lines", unit, unit, "")
    say("first import + run", first, unit, "at most 6x, aim at 4x")
    say("the same with one new month", *middle(months), "at most 4x")
    idle = best([sys.executable, "-m", "bedrot", "run", "--lake", str(lake)], 3)
    start = best([sys.executable, "-c", IMPORTS], 3)
    say("a run with nothing new", idle, unit, f"{idle.clock - start.clock:.2f} s above its imports, at most 0.5 s")
    return first


def mebibytes(folder: Path) -> float:
    """What the files below a folder hold."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / (1 << 20)


def few_lines(folder: Path, full: Path, unit: Cost) -> None:
    """Ten thousand lines in three partitions, in a lake of many lines and in an empty one.

    Once they are of new songs; once most of them state another amount of a line that is there.
    """
    for what, album in (("new lines", 1), ("lines, most of them restated", 0)):
        few = folder / f"DistroKid_{EPOCH + 2 * 86_400_000}_B{album}.tsv"
        write_bank(few, 10_000, range(80, 83), seed=3, album=album)
        above = []
        for _ in range(ROUNDS):
            empty, lake = new_lake(folder, "empty"), folder / "copy"
            shutil.rmtree(lake, ignore_errors=True)
            shutil.copytree(full, lake)
            above.append((walked(lake, few), walked(empty, few)))
        filled, alone = sorted(above, key=lambda pair: pair[0].clock - pair[1].clock)[ROUNDS // 2]
        goal = f"{filled.clock - alone.clock:.2f} s above an empty one, at most 2 s"
        say(f"10,000 {what} into a full lake", filled, unit, goal)


def large(folder: Path, lines: int, unit: Cost) -> None:
    """Ten times the lines: time as a multiple of the first, and peak memory."""
    history = folder / f"DistroKid_{EPOCH}_L.tsv"
    write_bank(history, lines * 10, range(84), seed=4)
    lake = new_lake(folder, "large")
    say(f"{lines * 10:,} lines, ratio to the first walk", walked(lake, history), unit, "at most 13x, 1,536 MiB")
    few_lines(folder, lake, unit)
    print("MiB on disk:", json.dumps({zone: int(mebibytes(lake / zone)) for zone in ZONES}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--folder", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        one = small(Path(folder), told.lines)
        if told.large:
            large(Path(folder), told.lines, one)


if __name__ == "__main__":
    main()
