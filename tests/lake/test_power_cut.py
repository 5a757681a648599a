"""A power cut at each call, modelled: acknowledged bytes survive, no name holds torn bytes; wrong variants are seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from disk_faults import Fault, Killed, SimFS, followed, run_with, say, seeded

from bedrot.errors import Damaged
from bedrot.lake import disk, second_name, snapshot
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake

SEED = 20_251
AT = datetime(2025, 3, 1, tzinfo=UTC)


class History:
    """What a process put, and what it was told is safe."""

    def __init__(self, sim: SimFS, lake: Lake) -> None:
        self.sim, self.lake = sim, lake
        self.may: dict[str, set[bytes]] = {}
        self.must: dict[str, bytes] = {}
        self.either: list[tuple[tuple[str, str], bytes]] = []
        self.published = 0

    def put(self, name: str, content: bytes, *, publish: bool = False) -> None:
        self.may.setdefault(name, set()).add(content)
        final = self.lake.root / name
        if publish:
            tmp = disk.temporary(final)
            fd = disk.open_new(tmp)
            disk.write(fd, content)
            disk.os.close(fd)
            disk.publish(tmp, final)
        else:
            disk.put(final, [content[:3], content[3:]])
        self.must[name] = content

    def move(self, name: str, content: bytes) -> None:
        """A copy in landing that becomes an object: at any moment it has one of its names, or both."""
        ours, final = self.lake.landing / "s" / Path(name).name, self.lake.root / name
        for one in (ours, final):
            self.may.setdefault(one.relative_to(self.lake.root).as_posix(), set()).add(content)
        disk.put(ours, [content[:3], content[3:]], replace=ours.exists())
        self.either.append(((ours.relative_to(self.lake.root).as_posix(), name), content))
        second_name.adopt(ours, final, iter([content]))
        self.must[name] = content
        second_name.drop(ours, final)

    def snapshot(self, number: int) -> None:
        snapshot.write_snapshot(self.lake, made(number))
        self.published = number


def made(number: int) -> Snapshot:
    part = Part("all", f"raw/objects/{number}/x", 1, "0" * 64, "i")
    table = TableState("t", [("a", "BIGINT")], [part], "d")
    return Snapshot(number, number - 1, {"t": table}, {"raw": str(number)}, AT, "test")


def story(history: History) -> None:
    """Objects in new folders, an object twice, a file of another program, and two snapshots that need them."""
    history.put("raw/objects/1/x", b"first object")
    history.snapshot(1)
    history.move("raw/objects/3/z", b"fourth object")
    history.put("raw/objects/2/x", b"second object", publish=True)
    history.put("raw/objects/2/y", b"third object")
    history.put("raw/objects/1/x", b"first object")
    history.snapshot(2)


def read_number(lake: Lake, left: dict[str, bytes]) -> int:
    """What `current_number` says of the files left, without a disk; raises Damaged as it does."""
    number = 0
    if "curated/CURRENT" in left:
        path = lake.pointer_path
        number = snapshot.unseal(left["curated/CURRENT"].decode(errors="replace"), path)["number"]
        if f"curated/_snapshots/{number:06d}.json" not in left:
            raise Damaged("The pointer names what is not there.")
    while f"curated/_snapshots/{number + 1:06d}.json" in left:
        number += 1
    return number


def wrong(history: History, left: dict[str, bytes]) -> str:
    """What breaks the promises in the files that a power cut left; empty where nothing does."""
    for name, content in history.must.items():
        if left.get(name) != content:
            return f"acknowledged {name} is {'torn' if name in left else 'gone'}"
    for names, content in history.either:
        if content not in map(left.get, names):
            return f"{names[1]} is gone, and so is its copy in landing"
    for name, allowed in history.may.items():
        if name in left and left[name] not in allowed:
            return f"{name} has a name and torn bytes"
    try:
        number = read_number(history.lake, left)
        for n in range(1, number + 1):
            record = left[f"curated/_snapshots/{n:06d}.json"]
            Snapshot.from_json(record.decode(errors="replace"), history.lake.snapshot_path(n))
            if f"raw/objects/{n}/x" not in left:
                return f"snapshot {n} names a file that is gone"
    except Damaged as torn:
        return f"readers see damage: {torn}"
    return "" if number >= history.published else f"acknowledged snapshot {history.published} is gone"


def sweep(
    root: Path, samples: int, variant: Callable[[], object] = nullcontext, kill: int = 0
) -> tuple[int, list[str]]:
    """Cut the power after each call of the story (after one killed attempt, if `kill`), some ways each."""
    root.mkdir()
    chance = seeded(SEED)
    sim = SimFS(root)
    history = History(sim, Lake(root))
    found: list[str] = []
    states = 0

    def check(_sim: SimFS) -> None:
        nonlocal states
        for _ in range(samples):
            states += 1
            if said := wrong(history, sim.cut(chance)):
                found.append(said)

    disk._known.clear()
    with followed(sim), variant():  # type: ignore[attr-defined]
        if kill:
            assert isinstance(run_with(Fault(kill, "kill after"), lambda: story(history)), Killed)
            disk.sweep(root)
        sim.after = check
        for redo in range(history.published + 1, 3) if kill else ():
            history.put(f"raw/objects/{redo}/x", {1: b"first object", 2: b"second object"}[redo])
            if snapshot.current_number(history.lake) < redo:
                history.snapshot(redo)
        if not kill:
            story(history)
        check(sim)
    disk._known.clear()
    return states, found


def test_acknowledged_survives_in_ten_thousand_power_cuts(tmp_path: Path) -> None:
    began = time.monotonic()
    states, found = sweep(tmp_path / "lake", 200)
    say(f"seed={SEED} states={states} violations={len(found)} seconds={time.monotonic() - began:.1f}")
    assert found == []
    assert states >= 10_000


def test_killed_at_each_call_then_run_again_then_cut(tmp_path: Path) -> None:
    """The second process must not rely on what the first one left unsynced."""
    sim = SimFS(tmp_path / "count")
    sim.root.mkdir()
    with followed(sim):
        fault = Fault()
        assert run_with(fault, lambda: story(History(sim, Lake(sim.root)))) is None
    total = 0
    for kill in range(1, fault.calls + 1):
        states, found = sweep(tmp_path / f"k{kill}", 4, kill=kill)
        assert found == [], (SEED, kill, found[0])
        total += states
    say(f"seed={SEED} points={fault.calls} states={total}")
    assert total > 4_000


def no_fsync() -> object:
    return planted(fsync=lambda fd: None)


def no_folder_fsync() -> object:
    return planted(fsync_folder=lambda path: None)


def new_parent_not_synced() -> object:
    def plain(path: Path) -> None:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                disk.mkdir(folder)

    return planted(make_folder=plain)


def in_place() -> object:
    def put(final: Path, chunks: Iterable[bytes], *, replace: bool = False, read_only: bool = True) -> bool:
        disk.make_folder(final.parent)
        if final.exists() and not replace:
            return False
        if final.exists():
            disk.unlink(final)
        fd = disk.open_new(final)
        for chunk in chunks:
            disk.write(fd, chunk)
        disk.fsync(fd)
        disk.os.close(fd)
        disk.fsync_folder(final.parent)
        return True

    return planted(put=put)


def rename_before_fsync() -> object:
    def put(final: Path, chunks: Iterable[bytes], *, replace: bool = False, read_only: bool = True) -> bool:
        if final.exists() and not replace:
            return False
        tmp = disk.temporary(final)
        fd = disk.open_new(tmp)
        for chunk in chunks:
            disk.write(fd, chunk)
        disk.replace(tmp, final)
        disk.fsync(fd)
        disk.os.close(fd)
        disk.fsync_folder(final.parent)
        return True

    return planted(put=put)


def adopted_without_sync() -> object:
    def adopt(ours: Path, final: Path, chunks: Iterable[bytes]) -> bool:
        disk.make_folder(final.parent)
        disk.link(ours, final)
        return True

    return planted(second_name, adopt=adopt)


def dropped_before_adopted() -> object:
    def adopt(ours: Path, final: Path, chunks: Iterable[bytes]) -> bool:
        content = ours.read_bytes()
        disk.unlink(ours)
        disk.fsync_folder(ours.parent)
        return disk.put(final, [content])

    return planted(second_name, adopt=adopt)


def name_found_is_believed() -> object:
    real = disk._place

    def place(tmp: Path, final: Path, *, over: bool, read_only: bool) -> bool:
        if final.exists() and not over:
            disk.unlink(tmp)
            return False
        return real(tmp, final, over=over, read_only=read_only)

    return planted(_place=place)


@contextmanager
def pointer_before_record() -> Iterator[None]:
    real = snapshot.write_snapshot

    def write(lake: Lake, one: Snapshot) -> None:
        text = one.to_json()
        snapshot.point(lake, one.number, text)
        disk.put_text(lake.snapshot_path(one.number), text)

    snapshot.write_snapshot = write
    try:
        yield
    finally:
        snapshot.write_snapshot = real


@contextmanager
def planted(module: ModuleType = disk, **functions: object) -> Iterator[None]:
    real = {name: getattr(module, name) for name in functions}
    try:
        for name, function in functions.items():
            setattr(module, name, function)
        yield
    finally:
        for name, function in real.items():
            setattr(module, name, function)


@pytest.mark.parametrize(
    "variant",
    [
        no_fsync, no_folder_fsync, new_parent_not_synced, in_place, rename_before_fsync, pointer_before_record,
        adopted_without_sync, dropped_before_adopted,
    ],
)  # fmt: skip
def test_wrong_variants_are_seen(tmp_path: Path, variant: Callable[[], object]) -> None:
    states, found = sweep(tmp_path / "lake", 40, variant)
    say(f"{variant.__name__}: {len(found)} of {states} states are wrong; the first: {found[:1]}")
    assert found


def test_a_name_left_by_a_dead_process_must_be_synced_again(tmp_path: Path) -> None:
    """The variant that believes a name it finds is seen once the process that linked it was killed before its sync."""
    found = [
        said for kill in range(1, 40) for said in sweep(tmp_path / f"k{kill}", 12, name_found_is_believed, kill)[1]
    ]
    assert found


def test_the_model_agrees_with_the_real_reader(tmp_path: Path) -> None:
    """States left by power cuts, written to a real disk, are read by `current` as the model reads them."""
    chance = seeded(SEED)
    root = tmp_path / "lake"
    root.mkdir()
    sim = SimFS(root)
    history = History(sim, Lake(root))
    lefts: list[tuple[dict[str, bytes], int]] = []
    sim.after = lambda _sim: lefts.append((sim.cut(chance), history.published))
    with followed(sim):
        story(history)
    disk._known.clear()
    for i, (left, published) in enumerate(lefts):
        lake = Lake(tmp_path / f"s{i}")
        for name, content in left.items():
            (lake.root / name).parent.mkdir(parents=True, exist_ok=True)
            (lake.root / name).write_bytes(content)
        now = snapshot.current(lake)
        assert (now.number if now else 0) == read_number(lake, left) >= published
