"""Rebuilding, the ledger too, with a fault at each call: readers see the old or the new, and once more it is right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import crash_check
import pytest
from crash_harness import SAMPLES, chances, say
from in_process import AT, MODES, Sweep, breaches, give, small_walk

from bedrot.lake import disk
from bedrot.lake.ledger import Ledger
from bedrot.lake.snapshot import Snapshot, current
from bedrot.lake.zones import Lake
from bedrot.walk import rebuild as rebuilds
from bedrot.walk.run import run as walk_run

CHANGING = 60
"""So many last calls of a rebuild change the lake itself; those before work in scratch."""
GOLDEN = SAMPLES / "distrokid/golden"
FIRST, THEN = "DistroKid_1748520000000_Paper_Comets.tsv", "DistroKid_1765000000000_Paper_Comets.csv"


def rebuilding(lake: Lake) -> None:
    """`bedrot rebuild`."""
    with small_walk(lake) as walk:
        assert not rebuilds.rebuild(walk, AT).failed


def rebuilding_the_ledger(lake: Lake) -> None:
    """The first half of `bedrot rebuild --ledger`; the second begins with sweeping."""
    Ledger.rebuild(lake)
    disk.sweep(lake.root)


class Site:
    """A published lake with news that no run has seen; the same with files lost; and what raw gives."""

    def __init__(self, folder: Path) -> None:
        self.news = Lake.create(folder / "news")
        login = folder / "login.csv"
        login.write_text("<!doctype html><html></html>\n", encoding="utf-8")
        with small_walk(self.news) as walk:
            give(walk, [GOLDEN / FIRST])
            assert walk_run(walk, AT).published
            assert give(walk, [GOLDEN / THEN, login]) == [THEN]
        done = Lake(Path(shutil.copytree(self.news.root, folder / "done")))
        with small_walk(done) as walk:
            assert walk_run(walk, AT).published
        self.old, self.new = crash_check.rows(self.news.root), crash_check.rows(done.root)
        self.facts = crash_check.facts(self.news.root)
        assert self.old != self.new
        assert self.facts["turned away"]
        self.harmed = Lake(Path(shutil.copytree(done.root, folder / "harmed")))
        harm(self.harmed)

    def now(self, lake: Lake) -> list[str]:
        """What is wrong while a rebuild brings news: readers see the old or the new."""
        seen = crash_check.rows(lake.root)
        return [] if seen in (self.old, self.new) else [f"readers see {seen}"]

    def then(self, lake: Lake) -> list[str]:
        """What is wrong behind a rebuild: rows, facts, and what `verify` finds."""
        wrong = breaches(lake)
        if apart := crash_check.apart(crash_check.rows(lake.root), self.new):
            wrong.append(f"not the rows of a run: {apart}")
        return wrong + self.same_facts(lake)

    def same_facts(self, lake: Lake) -> list[str]:
        """What the ledger lacks, or has too much."""
        with Ledger(lake.ledger_path) as ledger:
            ledger.check()
        found = crash_check.facts(lake.root)
        return [] if found == self.facts else [f"the ledger says {found} instead of {self.facts}"]


def harm(lake: Lake) -> None:
    """Lose the pointer, a staged file and a published one."""
    state = current(lake)
    assert state is not None
    for table in ("royalties", "staging.distrokid_bank"):
        lake.absolute(state.tables[table].parts[0].path).unlink()
    lake.pointer_path.write_bytes(b"torn")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


def sweep_of(site: Site, what: str) -> Sweep:
    """The faults of one piece of work."""
    if what == "news":
        return Sweep(site.news, rebuilding, site.now, site.then)
    if what == "harmed":
        return Sweep(site.harmed, rebuilding, lambda _lake: [], site.then)
    return Sweep(site.news, rebuilding_the_ledger, lambda _lake: [], site.same_facts)


@pytest.mark.parametrize(("what", "count"), [("news", 3), ("harmed", 3)])
def test_a_rebuild_survives_a_fault(site: Site, what: str, count: int) -> None:
    sweep = sweep_of(site, what)
    chance = chances(f"rebuild {what}")
    changing = range(len(sweep.names) - CHANGING, len(sweep.names) + 1)
    among = [chance.randint(1, changing.start), *sorted(chance.sample(changing, count - 1))]
    assert sweep.sweep(sweep.points(chance, 1, among)) == []


def test_the_ledger_made_anew_survives_a_fault_at_each_call(site: Site) -> None:
    sweep = sweep_of(site, "ledger")
    assert {"ledger_run", "fsync", "replace", "fsync_folder"} <= set(sweep.names)
    assert sweep.sweep(sweep.points(chances("rebuild ledger"))) == []


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("what", ["news", "harmed", "ledger"])
def test_a_rebuild_survives_faults_at_every_call(site: Site, what: str) -> None:
    """Each call in two ways (the seed turns them); making the ledger anew in every way."""
    sweep = sweep_of(site, what)
    assert sweep.sweep(sweep.points(chances("every"), len(MODES) if what == "ledger" else 2)) == []


# ---- wrong variants: each must be seen ----


def snapshot_before_files(patch: pytest.MonkeyPatch) -> str:
    """The snapshot is published, then the files that it names are brought."""
    waiting: list[tuple[Lake, Lake]] = []
    bring, write = rebuilds._bring, rebuilds.write_snapshot

    def later(scratch: Lake, lake: Lake, _before: object) -> list[str]:
        waiting.append((scratch, lake))
        return []

    def publish(lake: Lake, made: Snapshot) -> None:
        write(lake, made)
        bring(*waiting.pop(), None)

    patch.setattr(rebuilds, "_bring", later)
    patch.setattr(rebuilds, "write_snapshot", publish)
    return "news"


def scratch_stays(patch: pytest.MonkeyPatch) -> str:
    """What a dead rebuild left is not cleared away."""
    patch.setattr(rebuilds.disk, "clear", lambda _folder, keep=(): None)
    return "news"


def ledger_removed_first(patch: pytest.MonkeyPatch) -> str:
    """The old ledger goes before the new one is made, and with it what stands nowhere else."""

    def anew(lake: Lake) -> None:
        for ending in ("-wal", "-shm", ""):
            disk.remove(lake.ledger_path.with_name(lake.ledger_path.name + ending))
        with Ledger(lake.ledger_path) as ledger:
            ledger.catch_up(lake)

    patch.setattr(Ledger, "rebuild", anew)
    return "ledger"


@pytest.mark.parametrize("plant", [snapshot_before_files, scratch_stays, ledger_removed_first])
def test_a_planted_variant_is_seen(
    site: Site, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], str]
) -> None:
    sweep = sweep_of(site, plant(monkeypatch))
    last = len(sweep.names)
    wrong = sweep.strike(last - 1 if plant is ledger_removed_first else last - CHANGING // 3, "kill before")
    say(f"{plant.__name__}: {''.join(wrong[:1])[:200]}")
    assert wrong
