"""Work on a lake in this process, a fault at one of its calls, and what must hold behind it."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import crash_check
import pytest
from crash_harness import say

from bedrot.config import Settings
from bedrot.errors import BedrotError, StorageFailed
from bedrot.lake.database import Database
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.tell.verify import check_bundles_whole, verify
from bedrot.walk import marts
from bedrot.walk.accept import Door, Told
from bedrot.walk.run import Walk

sys.path.insert(0, str(Path(__file__).parents[1] / "lake"))
from disk_faults import MODES, Fault, Killed, faulty

AT = datetime(2026, 4, 1, tzinfo=UTC)
_LOAD = marts.load_marts
Points = Sequence[tuple[int, str]]
Check = Callable[[Lake], list[str]]
"""What is wrong with a lake."""


@contextmanager
def fault_everywhere(fault: Fault) -> Iterator[None]:
    """The fault also counts, and strikes, each statement that changes the ledger; the dead remove no scratch."""
    real = {name: getattr(Database, name) for name in ("_run", "_many")}
    rmtree: Callable[..., None] = shutil.rmtree

    def wrapped(name: str) -> Callable[..., object]:
        def call(self: Database, *args: object) -> object:
            try:
                return fault.call(f"ledger{name}", lambda *told: real[name](self, *told), args)
            except OSError as refused:
                raise StorageFailed("The ledger cannot be written.", file=str(self.path)) from refused

        return call

    def removed(*args: object, **options: object) -> None:
        if fault.dead:
            raise Killed
        rmtree(*args, **options)

    try:
        for name in real:
            setattr(Database, name, wrapped(name))
        shutil.rmtree = removed
        with faulty(fault):
            yield
    finally:
        shutil.rmtree = rmtree
        for name, function in real.items():
            setattr(Database, name, function)


@contextmanager
def small_walk(lake: Lake, settings: Settings | None = None) -> Iterator[Walk]:
    """The walk of a lake with one source and one mart."""
    with Ledger(lake.ledger_path) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(marts, "load_marts", lambda told: tuple(one for one in _LOAD(told) if one.name == "royalties"))
        walk = Walk(lake, ledger, settings or Settings(), workers=1)
        walk.__dict__["sources"] = [one for one in walk.sources if one.name == "distrokid"]
        yield walk


def give(walk: Walk, paths: Sequence[Path]) -> list[str]:
    """Import files; the names acknowledged."""
    door = Door(walk.lake, walk.ledger, walk.sources, {}, Told(), AT)
    return [one.name for one in door.offer(paths) if one.verdict in {"accepted", "repeat"}]


def breaches(lake: Lake) -> list[str]:
    """What `bedrot verify` finds, bundles read to their end."""
    with Ledger(lake.ledger_path) as ledger:
        return [f"verify: {one.what}" for one in (*verify(lake, ledger), *check_bundles_whole(lake))]


class Sweep:
    """A lake, a piece of work on it, and checks: `now` right behind a fault, `then` behind a plain re-run."""

    def __init__(
        self,
        before: Lake,
        work: Callable[[Lake], None],
        now: Check,
        then: Check,
    ) -> None:
        self.before, self.work, self.now, self.then = before, work, now, then
        self.what = work.__name__
        counting = Fault()
        counted = self.copy("counted")
        with fault_everywhere(counting):
            work(counted)
        shutil.rmtree(counted.root)
        self.names = counting.names

    def copy(self, name: str) -> Lake:
        """A lake of one's own."""
        target = self.before.root.with_name(f"{self.before.root.name}-{self.what}-{name}")
        return Lake(Path(shutil.copytree(self.before.root, target)))

    def strike(self, nth: int, mode: str) -> list[str]:
        """One fault, the work again, and what is wrong."""
        lake = self.copy("struck")
        wrong = []
        try:
            with fault_everywhere(Fault(nth, mode)):
                self.work(lake)
        except (Killed, BedrotError):
            pass
        except AssertionError as broken:
            wrong.append(f"the fault was passed over: {broken}")
        try:
            wrong += crash_check.torn(lake.root) + crash_check.without_object(lake.root) + self.now(lake)
            self.work(lake)
            wrong += crash_check.torn(lake.root) + crash_check.without_object(lake.root) + self.then(lake)
            wrong += crash_check.leftovers(lake.root)
        except (AssertionError, BedrotError) as broken:
            wrong.append(str(broken))
        shutil.rmtree(lake.root)
        return [f"{mode} at {nth} ({self.names[nth - 1]}): {one}" for one in wrong]

    def seen(self, mode: str, call: str) -> list[str]:
        """What the first fault of that mode finds, at the calls of that name one after another; nothing where none."""
        numbers = (nth for nth, name in enumerate(self.names, start=1) if name == call)
        return next((wrong for nth in numbers if (wrong := self.strike(nth, mode))), [])

    def points(self, chance: random.Random, each: int = 1, among: Sequence[int] = ()) -> Points:
        """So many ways of each of the calls (of all where none are told); half a write only where one is written."""
        found = []
        for nth in among or range(1, len(self.names) + 1):
            ways = [mode for mode in MODES if mode != "torn" or self.names[nth - 1] == "write"]
            found += [(nth, mode) for mode in chance.sample(ways, min(each, len(ways)))]
        return found

    def sweep(self, points: Points) -> list[str]:
        """All points, and a line about them."""
        wrong = [one for point in points for one in self.strike(*point)]
        say(f"{self.what}: calls={len(self.names)} points={len(points)} violations={len(wrong)}")
        return wrong
