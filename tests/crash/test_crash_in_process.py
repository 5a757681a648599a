"""Import and run in this process, through `bedrot.lake.disk` and the ledger, with a fault at each call."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import crash_check
import pytest
from crash_harness import SAMPLES, chances, say
from in_process import AT, MODES, Fault, Killed, fault_everywhere, give, small_walk

from bedrot.errors import BedrotError
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.walk.run import run as walk_run

GIVEN = ("distrokid/golden/bank_2019.tsv", "distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv")
"""So many last calls of a run hold its publication and what the ledger notes around it."""


def importing(lake: Lake, given: Path) -> list[str]:
    """`bedrot import`, without its process; the names acknowledged."""
    with small_walk(lake) as walk:
        return give(walk, sorted(given.iterdir()))


def running(lake: Lake, _given: Path) -> list[str]:
    """`bedrot run`, without its process, for one source and one mart."""
    with small_walk(lake) as walk:
        walk_run(walk, AT)
    return []


Work = Callable[[Lake, Path], list[str]]


class Bench:
    """A lake before a piece of work, and what it becomes undisturbed."""

    def __init__(self, folder: Path, work: Work) -> None:
        self.folder, self.work = folder, work
        self.given = folder / "given"
        self.given.mkdir(parents=True)
        for name in GIVEN:
            shutil.copy(SAMPLES / name, self.given)
        (self.given / "login.csv").write_text("<!doctype html><html></html>\n", encoding="utf-8")
        self.before = Lake.create(folder / "before")
        with Ledger(self.before.ledger_path):
            pass
        if work is running:
            importing(self.before, self.given)
        self.after = self.copy("after")
        work(self.after, self.given)
        counting = Fault()
        with fault_everywhere(counting):
            work(self.copy("counted"), self.given)
        self.names = counting.names
        self.old = crash_check.rows(self.before.root)
        self.new = crash_check.rows(self.after.root)

    def copy(self, name: str) -> Lake:
        """A lake of one's own."""
        return Lake(Path(shutil.copytree(self.before.root, self.folder / name)))

    def strike(self, nth: int, mode: str) -> list[str]:
        """One fault, the work again, and what is wrong."""
        lake = self.copy("struck")
        said: list[str] = []
        ended: BaseException | None = None
        wrong = []
        try:
            with fault_everywhere(Fault(nth, mode)):
                said = self.work(lake, self.given)
        except (Killed, BedrotError) as fault:
            ended = fault
        if ended is None and self.work is running and crash_check.rows(lake.root) != self.new:
            wrong.append("it says that all is well, and its result is not there")
        wrong += crash_check.torn(lake.root) + crash_check.without_object(lake.root)
        if crash_check.rows(lake.root) not in (self.old, self.new):
            wrong.append("readers see a state that was never published")
        said += self.work(lake, self.given)
        wrong += crash_check.lost(lake.root, "".join(f"accepted {one}\n" for one in said), self.files)
        wrong += crash_check.torn(lake.root) + crash_check.without_object(lake.root) + crash_check.landed(lake.root)
        if apart := crash_check.apart(crash_check.rows(lake.root), self.new):
            wrong.append(f"not the rows of an undisturbed run: {apart}")
        if crash_check.facts(lake.root) != crash_check.facts(self.after.root):
            wrong.append(f"the ledger says {crash_check.facts(lake.root)}")
        shutil.rmtree(lake.root)
        return [f"{mode} at {nth} ({self.names[nth - 1]}): {one}" for one in wrong]

    @property
    def files(self) -> tuple[Path, ...]:
        """What was given, by what an answer calls it."""
        return tuple(sorted(self.given.iterdir()))

    def points(self, chance: random.Random, numbers: list[int], each: int) -> list[tuple[int, str]]:
        """So many ways of each of the calls; half a write only where something is written."""
        found = []
        for nth in numbers:
            ways = [mode for mode in MODES if mode != "torn" or self.names[nth - 1] == "write"]
            found += [(nth, mode) for mode in chance.sample(ways, min(each, len(ways)))]
        return found

    def sweep(self, points: list[tuple[int, str]]) -> list[str]:
        """All points, and a line about them."""
        wrong = [one for point in points for one in self.strike(*point)]
        say(f"{self.work.__name__}: calls={len(self.names)} points={len(points)} violations={len(wrong)}")
        return wrong


def test_import_survives_a_fault_at_each_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path, importing)
    assert {"open_new", "fsync", "link", "ledger_run"} <= set(bench.names)
    assert bench.sweep(bench.points(chances("import in process"), list(range(1, len(bench.names) + 1)), 1)) == []


@pytest.mark.parametrize("part", range(2))
def test_run_survives_a_fault_at_each_call(tmp_path: Path, part: int) -> None:
    bench = Bench(tmp_path, running)
    calls = list(range(1, len(bench.names) + 1))
    assert bench.sweep(bench.points(chances("run in process"), calls, 1)[part::2]) == []


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("work", [importing, running])
def test_every_fault_at_every_call(tmp_path: Path, work: Work) -> None:
    bench = Bench(tmp_path, work)
    every = list(range(1, len(bench.names) + 1))
    assert bench.sweep(bench.points(chances("every"), every, len(MODES))) == []
