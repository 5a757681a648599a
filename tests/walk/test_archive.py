"""Archive: superseded snapshots move into bundles and come back; what anything still needs never moves."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedrot.errors import Damaged, Misconfigured, StorageFailed
from bedrot.lake import disk, snapshot
from bedrot.lake.snapshot import Part, Snapshot, TableState, write_snapshot
from bedrot.lake.zones import Lake
from bedrot.walk import archive, bundle
from bedrot.walk.archive import archive_superseded, archived_in, load_at_hand, restore, restore_snapshot

NOW = datetime(2025, 8, 1, 6, tzinfo=UTC)


def file_of(lake: Lake, content: str, *, staged: bool = False) -> Part:
    """A file with invented bytes; the archive does not look into Parquet."""
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    path = lake.staged_path("lines", digest[:32], "f" * 16) if staged else lake.curated_path("royalties", "all", digest)
    disk.put(path, (data,))
    return Part("all", lake.relative(path), 1, "" if staged else digest, content)


def publish(lake: Lake, contents: Iterable[str]) -> Snapshot:
    number = snapshot.current_number(lake)
    parts = [file_of(lake, one, staged=one.startswith("staged")) for one in sorted(contents)]
    tables = {"royalties": TableState("royalties", [("a", "BIGINT")], parts, "d")}
    made = Snapshot(number + 1, number, tables, {}, NOW + timedelta(hours=number))
    write_snapshot(lake, made)
    return made


def paths(one: Snapshot) -> set[str]:
    return {part.path for table in one.tables.values() for part in table.parts}


def at_hand(lake: Lake) -> set[str]:
    zones = (lake.curated, lake.staging)
    return {lake.relative(path) for zone in zones for path in zone.rglob("*.parquet")}


def contents(lake: Lake, names: Iterable[str]) -> dict[str, bytes]:
    return {name: lake.absolute(name).read_bytes() for name in names}


def test_what_only_old_snapshots_name_moves_and_comes_back_byte_for_byte(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    old = publish(lake, ["a", "shared", "staged-old"])
    new = publish(lake, ["b", "shared"])
    before = contents(lake, paths(old))
    done = archive_superseded(lake, 1, NOW)
    assert done.numbers == [1]
    assert at_hand(lake) == paths(new)
    assert done.bundle is not None
    assert done.bundle.parent == lake.archive / "snapshots"
    assert done.bundle.name.startswith("20250801T060000Z-")
    assert archived_in(lake, 1) == done.bundle
    with pytest.raises(Misconfigured, match=r"Snapshot 1 is in the archive") as said:
        load_at_hand(lake, 1)
    assert "bedrot restore 1" in said.value.do
    assert load_at_hand(lake, 2) == new
    written = restore(lake, done.bundle)
    assert len(written) == 3
    assert contents(lake, paths(old)) == before
    assert load_at_hand(lake, 1) == old
    again = archive_superseded(lake, 1, NOW + timedelta(days=1))
    assert (again.bundle, again.numbers) == (None, [1])
    assert at_hand(lake) == paths(new)


def test_a_file_that_moved_with_a_later_snapshot_comes_back_for_the_older_one(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    old = publish(lake, ["a", "shared"])
    publish(lake, ["b", "shared"])
    publish(lake, ["c"])
    known = contents(lake, paths(old))
    assert archive_superseded(lake, 2, NOW).numbers == [1]
    assert archive_superseded(lake, 1, NOW + timedelta(days=1)).numbers == [2]
    written = restore_snapshot(lake, 1)
    assert contents(lake, paths(old)) == known
    assert {lake.relative(path) for path in written} == {*paths(old), "curated/_snapshots/000001.json"}
    assert snapshot.numbers(lake) == [1, 3]
    for path in archive.bundles(lake)[1:]:
        path.unlink()
    archive_superseded(lake, 1, NOW + timedelta(days=2))
    with pytest.raises(Misconfigured, match="Snapshot 2 is not in the archive"):
        restore_snapshot(lake, 2)


def test_nothing_moves_while_there_are_few_snapshots(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    for name in "abc":
        publish(lake, [name])
    assert archive_superseded(lake, 3, NOW).removed == []
    assert list(lake.archive.iterdir()) == []


def test_files_that_the_ledger_names_stay(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    old = publish(lake, ["staged-needed", "a"])
    publish(lake, ["b"])
    needed = next(path for path in paths(old) if path.startswith("staging/"))
    assert archive_superseded(lake, 1, NOW, [needed]).numbers == [1]
    assert needed in at_hand(lake)


def test_raw_landing_and_rejects_are_never_touched(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    others = [lake.object_path("ab" * 32), lake.landing / "inbox" / "a.csv", lake.rejects_path("lines", "d", "f")]
    for path in others:
        disk.put(path, (b"x",))
    for name in "abcde":
        publish(lake, [name])
    assert archive_superseded(lake, 1, NOW).numbers == [1, 2, 3, 4]
    assert all(path.is_file() for path in others)


@pytest.mark.parametrize("harm", ["torn", "missing"])
def test_a_damaged_record_among_the_newest_keeps_everything(tmp_path: Path, harm: str) -> None:
    lake = Lake.create(tmp_path / "lake")
    for name in "abcd":
        publish(lake, [name, "shared"])
    before = at_hand(lake)
    record = lake.snapshot_path(3)
    record.chmod(0o644)
    record.write_text(record.read_text("utf-8")[:-9], "utf-8") if harm == "torn" else record.unlink()
    done = archive_superseded(lake, 2, NOW)
    assert (done.numbers, done.removed) == ([], [])
    assert len(done.kept_because) == 1
    assert at_hand(lake) == before


def test_a_damaged_old_record_or_file_stays_and_the_others_move(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    first = publish(lake, ["a"])
    second = publish(lake, ["b"])
    third = publish(lake, ["c"])
    publish(lake, ["d"])
    lake.snapshot_path(1).chmod(0o644)
    lake.snapshot_path(1).write_text("{}", "utf-8")
    (harmed,) = paths(second)
    lake.absolute(harmed).chmod(0o644)
    lake.absolute(harmed).write_bytes(b"other")
    done = archive_superseded(lake, 1, NOW)
    assert done.numbers == [3]
    assert paths(first) | paths(second) <= at_hand(lake)
    assert paths(third).isdisjoint(at_hand(lake))
    assert snapshot.numbers(lake) == [1, 2, 4]


def test_a_bundle_that_does_not_read_back_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(tmp_path / "lake")
    publish(lake, ["a"])
    publish(lake, ["b"])
    before = at_hand(lake)
    whole = bundle.bundle_chunks

    def torn(lake: Lake, entries: list[bundle.Entry]) -> Iterable[bytes]:
        data = b"".join(whole(lake, entries))
        yield data[: len(data) * 2 // 3]

    monkeypatch.setattr(archive, "bundle_chunks", torn)
    done = archive_superseded(lake, 1, NOW)
    assert (done.removed, done.numbers) == ([], [])
    assert at_hand(lake) == before
    monkeypatch.undo()
    assert archive_superseded(lake, 1, NOW + timedelta(days=1)).numbers == [1]


def test_each_flipped_byte_of_a_bundle_is_seen_and_nothing_of_it_is_restored(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    publish(lake, ["a" * 300, "b" * 500])
    publish(lake, ["c"])
    path = archive_superseded(lake, 1, NOW).bundle
    assert path is not None
    whole = path.read_bytes()
    before, listed, unseen = at_hand(lake), bundle.read_bundle(path).entries, 0
    path.chmod(0o644)
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        with suppress(Damaged):  # a bit of the frame that says nothing may flip: then the content must be the same
            assert bundle.read_bundle(path).entries == listed
            unseen += 1
            continue
        with pytest.raises(Damaged):
            restore(lake, path)
        assert at_hand(lake) == before
    assert unseen < 3
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged):
        restore(lake, path)


def test_a_bundle_whose_files_are_not_those_listed_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake")
    publish(lake, ["a"])
    publish(lake, ["b"])
    monkeypatch.setattr(bundle, "_read", lambda _path, entry: [b"x" * entry.size])
    done = archive_superseded(lake, 1, NOW)
    assert done.removed == []
    assert "holds other bytes" in done.kept_because[0]


def test_a_bundle_that_names_other_places_is_not_unpacked(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    stranger = Lake.create(tmp_path / "far" / "stranger")
    for name in ("raw/objects/ab/abc", "curated/../../outside"):
        data = b"x"
        path = stranger.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entry = bundle.Entry(name, hashlib.sha256(data).hexdigest(), 1)
        made = tmp_path / "made.tar.zst"
        made.write_bytes(b"".join(bundle.bundle_chunks(stranger, [entry])))
        with pytest.raises(Damaged, match="outside of curated and staging"):
            restore(lake, made)
    assert not (tmp_path / "outside").exists()


def test_restore_does_not_write_over_other_bytes(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    old = publish(lake, ["a"])
    publish(lake, ["b"])
    path = archive_superseded(lake, 1, NOW).bundle
    assert path is not None
    (gone,) = paths(old)
    lake.absolute(gone).parent.mkdir(exist_ok=True)
    lake.absolute(gone).write_bytes(b"somebody's")
    with pytest.raises(Damaged, match="other bytes"):
        restore(lake, path)
    assert lake.absolute(gone).read_bytes() == b"somebody's"


class Stop(Exception):
    """The process dies here."""


def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Let the process die before the `at`-th call that changes the disk."""
    left = iter(range(at))
    for name in ("link", "unlink", "replace", "fsync"):
        real = getattr(disk, name)

        def call(*args: object, real: object = real) -> object:
            if next(left, None) is None:
                raise Stop
            return real(*args)  # type: ignore[operator]

        monkeypatch.setattr(disk, name, call)


def test_dying_at_each_call_loses_nothing_and_the_next_run_finishes(tmp_path: Path) -> None:
    calls = 0
    while True:
        lake = Lake.create(tmp_path / f"lake{calls}")
        olds = [publish(lake, [name, "shared", "staged-x"]) for name in "abc"]
        new = publish(lake, ["d", "shared"])
        known = contents(lake, set().union(*map(paths, olds)))
        finished = True
        with pytest.MonkeyPatch.context() as patch:
            dying(patch, calls)
            try:
                archive_superseded(lake, 1, NOW)
            except (Stop, StorageFailed):
                finished = False
        assert paths(new) <= at_hand(lake)
        if not finished:
            disk.sweep(lake.root)
            archive_superseded(lake, 1, NOW + timedelta(minutes=1))
        assert snapshot.numbers(lake) == [4]
        assert at_hand(lake) == paths(new)
        for made in archive.bundles(lake):
            restore(lake, made)
        assert contents(lake, known) == known
        assert [load_at_hand(lake, number) for number in (1, 2, 3)] == olds
        if finished:
            break
        calls += 1
    assert calls > 8


class Schedule:
    """A small lake under a random order of publishing, archiving, restoring, harm and sudden death."""

    def __init__(self, root: Path, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311  repeatable, not secret
        self.lake = Lake.create(root)
        self.states: dict[int, Snapshot] = {}
        self.known: dict[str, bytes] = {}
        self.needed: set[str] = set()
        self.harmed: set[int] = set()
        self.moved = self.kept = 0

    def go(self) -> None:
        for step in range(self.rng.randint(4, 9)):
            action = self.rng.choice(("publish", "publish", "archive", "restore", "harm", "die"))
            if action == "publish" or not self.states:
                self.publish()
            elif action == "restore" and archive.bundles(self.lake):
                restore(self.lake, self.rng.choice(archive.bundles(self.lake)))
            elif action == "harm" and snapshot.numbers(self.lake):
                self.harm()
            else:
                self.archive(step, dies=action == "die")

    def publish(self) -> None:
        if max(self.states, default=0) in self.harmed:
            return  # publishing behind a damaged record is refused, which is another test's
        made = publish(self.lake, self.rng.sample(["a", "b", "c", "staged-d", "staged-e"], self.rng.randint(1, 4)))
        self.states[made.number] = made
        self.known |= contents(self.lake, paths(made))
        self.needed = set(self.rng.sample(sorted(self.known), min(len(self.known), 2)))
        for path in self.needed:  # what the ledger names is at hand, whatever was archived before
            disk.put(self.lake.absolute(path), (self.known[path],))

    def harm(self) -> None:
        number = self.rng.choice(snapshot.numbers(self.lake))
        path = self.lake.snapshot_path(number)
        path.chmod(0o644)
        if self.rng.random() < 0.5:
            path.write_text("{}", "utf-8")
        else:
            path.unlink()
        self.harmed.add(number)

    def archive(self, step: int, *, dies: bool) -> None:
        keep = self.rng.randint(1, 3)
        newest = max(self.states)
        reachable = self.needed.copy()
        for number, state in self.states.items():
            if number > newest - keep:
                reachable |= paths(state)
        before = self.there()
        with pytest.MonkeyPatch.context() as patch:
            if dies:
                dying(patch, self.rng.randint(0, 30))
            with suppress(Stop, StorageFailed):
                done = archive_superseded(self.lake, keep, NOW + timedelta(minutes=step), self.needed)
                self.moved += len(done.numbers)
                self.kept += bool(done.kept_because)
        disk.sweep(self.lake.root)
        gone = before - self.there()
        assert reachable.isdisjoint(gone)
        whole = [bundle.read_bundle(path) for path in archive.bundles(self.lake)]
        held = {entry.path: entry.sha256 for one in whole for entry in one.entries}
        assert all(held[path] == hashlib.sha256(self.known[path]).hexdigest() for path in gone)

    def there(self) -> set[str]:
        return {path for path in self.known if self.lake.absolute(path).exists()}


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_schedules_remove_nothing_that_is_reachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(disk, "fsync", lambda _fd: None)  # durability is another test's; this one is about reach
    monkeypatch.setattr(disk, "fsync_folder", lambda _path: None)
    moved = kept = 0
    for seed in range(count):
        schedule = Schedule(tmp_path / str(seed), seed)
        schedule.go()
        moved, kept = moved + schedule.moved, kept + schedule.kept
    assert moved > 0.2 * count
    assert kept > 0.02 * count
