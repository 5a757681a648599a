"""Archiving and bringing back, a fault at each call: every snapshot stays readable, in place or from the archive."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import crash_check
import pytest
from crash_harness import SAMPLES, chances, say
from in_process import AT, MODES, Sweep, breaches, give, small_walk

from bedrot.config import Archive, Settings
from bedrot.errors import BedrotError, Misconfigured
from bedrot.lake import disk, snapshot
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.zones import Lake
from bedrot.walk import archive
from bedrot.walk.archive import archive_superseded, named_by, restore_snapshot
from bedrot.walk.bundle import Bundle, Entry, bundle_chunks
from bedrot.walk.run import run as walk_run

GIVEN = ("bank_2019.tsv", "DistroKid_1748520000000_Paper_Comets.tsv", "DistroKid_1765000000000_Paper_Comets.csv")
ONE = Settings(archive=Archive(snapshots=1))


class Shelf:
    """A lake of four snapshots, of which the first was archived and brought back; and each snapshot's files."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake.create(folder / "shelf")
        with small_walk(self.lake) as walk:
            for name in GIVEN:
                assert give(walk, [SAMPLES / "distrokid/golden" / name])
                assert walk_run(walk, AT).published
            first = next(one for one in walk.ledger.deliveries() if one.name == GIVEN[0])
            write_decision(self.lake, decide("retract", first.id, "It is another label's.", AT))
            assert walk_run(walk, AT).published
        self.files = {n: self.bytes_of(self.lake, n) for n in snapshot.numbers(self.lake)}
        archive_superseded(self.lake, 3, AT)
        self.archived = Lake(Path(shutil.copytree(self.lake.root, folder / "archived")))
        archiving(self.archived)
        restore_snapshot(self.lake, 1)

    @staticmethod
    def bytes_of(lake: Lake, number: int) -> dict[str, bytes]:
        """The files of a snapshot, its record with them, by path."""
        names = named_by(snapshot.load(lake, number)) | {lake.relative(lake.snapshot_path(number))}
        return {name: lake.absolute(name).read_bytes() for name in names}

    def away(self, lake: Lake, number: int) -> list[str]:
        """The files of a snapshot that are not at hand."""
        return [name for name in self.files[number] if not lake.absolute(name).is_file()]

    def now(self, lake: Lake) -> list[str]:
        """What is wrong at any moment: the newest state, and each older one, must be there for a reader."""
        told = crash_check.record(lake.root)
        wrong = [] if told and told["number"] == 4 else [f"readers see {told}"]
        wrong += [f"{name} of the newest state is not there" for name in self.away(lake, 4)]
        for number in self.files:
            try:
                archive.load_at_hand(lake, number)
                away = self.away(lake, number)
                wrong += [f"snapshot {number} is said to be at hand, and {name} is not" for name in away]
            except Misconfigured as archived:
                wrong += [] if f"bedrot restore {number}" in archived.do else [str(archived)]
        copy = Lake(Path(shutil.copytree(lake.root, lake.root.with_name("copy"))))
        try:
            wrong += self.lost(copy)
        finally:
            shutil.rmtree(copy.root)
        return wrong

    def lost(self, lake: Lake) -> list[str]:
        """Snapshots that have not the bytes they had, wherever they are brought back from."""
        wrong = []
        for number, files in self.files.items():
            try:
                if self.away(lake, number):
                    restore_snapshot(lake, number)
                if self.bytes_of(lake, number) != files:
                    wrong.append(f"snapshot {number} has other bytes than it had")
            except (BedrotError, OSError) as gone:
                wrong.append(f"snapshot {number} is lost: {gone}")
        return wrong

    def archived_again(self, lake: Lake) -> list[str]:
        """What is wrong behind a run that archives: only the newest is at hand, and nothing that no snapshot names."""
        wrong = self.now(lake) + breaches(lake)
        if snapshot.numbers(lake) != [4]:
            wrong.append(f"at hand are {snapshot.numbers(lake)}")
        strays = [one for one in snapshot.unreferenced(lake, [4]) if one.is_relative_to(lake.curated)]
        return wrong + [f"{lake.relative(one)} is named by no snapshot" for one in strays]

    def brought_back(self, lake: Lake) -> list[str]:
        """What is wrong behind a restoration: the first snapshot is at hand, whole."""
        return [f"{name} did not come back" for name in self.away(lake, 1)] + self.now(lake) + breaches(lake)


def archiving(lake: Lake) -> None:
    """`bedrot run` where only the newest snapshot stays at hand and nothing is new."""
    with small_walk(lake, ONE) as walk:
        assert not walk_run(walk, AT).published


def restoring(lake: Lake) -> None:
    """`bedrot restore 1`."""
    disk.sweep(lake.root)
    restore_snapshot(lake, 1)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelves"))


def sweep_of(shelf: Shelf, work: Callable[[Lake], None]) -> Sweep:
    """The faults of one piece of work."""
    if work is archiving:
        return Sweep(shelf.lake, archiving, shelf.now, shelf.archived_again)
    return Sweep(shelf.archived, restoring, shelf.now, shelf.brought_back)


@pytest.mark.parametrize("work", [archiving, restoring])
def test_no_snapshot_is_lost_by_a_fault(shelf: Shelf, work: Callable[[Lake], None]) -> None:
    sweep = sweep_of(shelf, work)
    chance = chances(f"{work.__name__} in process")
    among = sorted(chance.sample(range(1, len(sweep.names) + 1), 10))
    assert sweep.sweep(sweep.points(chance, 1, among)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("work", [archiving, restoring])
def test_no_snapshot_is_lost_by_any_fault(shelf: Shelf, work: Callable[[Lake], None]) -> None:
    sweep = sweep_of(shelf, work)
    assert sweep.sweep(sweep.points(chances("every"), len(MODES))) == []


# ---- wrong variants: each must be seen ----


def files_before_bundle(patch: pytest.MonkeyPatch) -> None:
    """Files are removed before the bundle that holds them has its name."""

    def write(lake: Lake, entries: list[Entry], _now: object) -> Bundle:
        data = b"".join(bundle_chunks(lake, entries))
        for entry in entries:
            disk.remove(lake.absolute(entry.path))
        path = lake.archive / "snapshots" / "20990101T000000Z-00000000.tar.zst"
        disk.put(path, (data,))
        return Bundle(path, tuple(entries))

    patch.setattr(archive, "_write", write)


def record_before_files(patch: pytest.MonkeyPatch) -> None:
    """A snapshot's record goes first: nobody knows any more what files it had."""
    remove = archive._remove

    def records_first(lake: Lake, old: list[snapshot.Snapshot], *others: object) -> None:
        for one in old:
            disk.remove(lake.snapshot_path(one.number))
        remove(lake, old, *others)  # type: ignore[arg-type]

    patch.setattr(archive, "_remove", records_first)


def record_is_enough(patch: pytest.MonkeyPatch) -> None:
    """A snapshot whose record is at hand is taken to be at hand."""
    load = archive.load_at_hand

    def by_record(lake: Lake, number: int) -> snapshot.Snapshot:
        return snapshot.load(lake, number) if lake.snapshot_path(number).exists() else load(lake, number)

    patch.setattr(archive, "load_at_hand", by_record)


@pytest.mark.parametrize("plant", [files_before_bundle, record_before_files, record_is_enough])
def test_a_planted_variant_is_seen(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    wrong = sweep_of(shelf, archiving).seen("kill after", "unlink")
    say(f"{plant.__name__}: {''.join(wrong[:1])[:200]}")
    assert wrong
