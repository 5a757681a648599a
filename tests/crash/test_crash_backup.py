"""Backups made while a run writes, and killed or refused anywhere: what comes back is a state that was published."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import crash_check
import pytest
from crash_harness import SAMPLES, SHORT, Ended, Fault, Nursery, Story, chances, say, tell
from crash_points import ERRORS, KILLS, some
from in_process import AT, MODES, Sweep, breaches, give, small_walk
from test_crash_disk_full import small_disk

import bedrot
from bedrot.errors import BedrotError
from bedrot.lake import disk, snapshot
from bedrot.lake.zones import Lake
from bedrot.walk import backup_store, backup_work
from bedrot.walk.backup import back_up, find_damage, forget_older
from bedrot.walk.backup_restore import backups, restore_from
from bedrot.walk.backup_store import Store
from bedrot.walk.run import run as walk_run

MAIN = Path(bedrot.__file__).parent / "__main__.py"
ARCHIVING = "[archive]\nsnapshots = 1\n"


# ---- real processes: the drill, and every call ----


def drill(story: Story, place: Path, states: Sequence[crash_check.Rows]) -> list[str]:
    """Wipe the lake, restore it from its backup (which verifies it), look at its rows, and run: what is wrong."""
    shutil.rmtree(place / "lake")
    back = place / "back"
    restored = story.nursery.run(back, ["restore", "--from", str(place / "disk")])
    wrong = [f"restore ended with {restored.code}: {restored.out}{restored.err}"] if restored.code else []
    wrong += crash_check.torn(back) + crash_check.without_object(back)
    seen = crash_check.rows(back)
    if seen not in states:
        wrong.append(f"a state that was never published: {crash_check.apart(seen, states[-1])}")
    ran = story.nursery.run(back, ["run"])
    if ran.code not in (0, 1) or crash_check.rows(back) != story.after:
        wrong.append(f"a run behind it does not converge: {ran.code} {ran.out}{ran.err}")
    wrong += breaches(Lake(back))
    shutil.rmtree(place)
    return wrong


def place_of(story: Story, step: str, *, archiving: bool = False) -> Path:
    """A folder with a lake as before a step, and a backup of it from earlier beside it."""
    place = story.folder / f"place-{len(list(story.folder.glob('place-*')))}-{step}"
    place.mkdir()
    story.copy(step).rename(place / "lake")
    if archiving:
        with (place / "lake/bedrot.toml").open("a", encoding="utf-8") as settings:
            settings.write(ARCHIVING)
    return place


def while_it_runs(story: Story, at: int, end: str) -> list[str]:
    """A run is stopped before its k-th call, a backup made, the run killed or ended: what is wrong with the backup."""
    place = place_of(story, "run")
    lake, target = place / "lake", place / "disk"
    run = story.nursery.start(lake, ["run"], Fault(at, "stop"))
    stopped = run.wait() is None
    made = story.nursery.run(lake, ["backup", str(target)])
    if stopped and end == "kill":
        run.kill()
        run.wait()
    elif stopped:
        run.go_on()
        run.end()
    wrong = [f"backup ended with {made.code}: {made.out}{made.err}"] if made.code else []
    return [f"run stopped at {at}, {end}: {one}" for one in wrong + drill(story, place, (story.before, story.after))]


def backup_calls(story: Story, *, archiving: bool) -> list[tuple[int, str, str]]:
    """The calls of an undisturbed backup of the lake before the run."""
    place = place_of(story, "run", archiving=archiving)
    ended = backup(story.nursery, place)
    assert ended.code == 0, ended
    shutil.rmtree(place)
    return ended.calls


def backup(nursery: Nursery, place: Path, fault: Fault | None = None) -> Ended:
    """A backup of the lake of a place as a process of its own, with a fault anywhere in the place."""
    told = ["backup", str(place / "disk"), "--lake", str(place / "lake")]
    return nursery.run(place, told, fault or Fault(), script=MAIN)


def while_it_backs_up(story: Story, at: int) -> list[str]:
    """A backup is stopped before its k-th call, a run lives its life and archives, the backup goes on."""
    place = place_of(story, "run", archiving=True)
    told = ["backup", str(place / "disk"), "--lake", str(place / "lake")]
    made = story.nursery.start(place, told, Fault(at, "stop"), script=MAIN)
    stopped = made.wait() is None
    ran = story.nursery.run(place / "lake", ["run"])
    if stopped:
        made.go_on()
    ended = made.end()
    wrong = [] if ran.code in (0, 1) else [f"the run ended with {ran.code}: {ran.err}"]
    wrong += [f"backup ended with {ended.code}: {ended.out}{ended.err}"] if ended.code else []
    return [f"backup stopped at {at}: {one}" for one in wrong + drill(story, place, (story.before, story.after))]


@pytest.mark.parametrize("end", ["kill", pytest.param("go on", marks=pytest.mark.slow)])
def test_the_drill_while_a_run_writes(story: Story, end: str) -> None:
    calls = story.stages["run"].ended.calls
    at = chances(f"drill {end}").randint(3, len(calls))
    wrong = while_it_runs(story, at, end)
    say(f"drill: run stopped at {at} of {len(calls)}, then {end}: violations={len(wrong)}")
    assert wrong == []


def test_the_drill_while_files_move_away(story: Story) -> None:
    calls = backup_calls(story, archiving=True)
    at = chances("drill moving").randint(len(calls) // 10, 2 * len(calls) // 3)
    wrong = while_it_backs_up(story, at)
    say(f"drill: backup stopped at {at} of {len(calls)}: violations={len(wrong)}")
    assert wrong == []


@pytest.fixture(scope="module")
def short(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(nursery, tmp_path_factory.mktemp("short"), SHORT)


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_the_drill_at_every_call(short: Story) -> None:
    runs = [(n, ("kill", "go on")[n % 2]) for n, _, path in short.stages["run"].ended.calls if "/.work" not in path]
    moves = [n for n, _, _ in backup_calls(short, archiving=True)]
    wrong = [one for point in runs for one in while_it_runs(short, *point)]
    wrong += [one for at in moves for one in while_it_backs_up(short, at)]
    say(f"drills: points={len(runs) + len(moves)} violations={len(wrong)}")
    assert wrong == []


def killed_backup(story: Story, fault: Fault) -> list[str]:
    """A fault in a backup beside an earlier one: that one comes back whole, and the same command again completes."""
    place = place_of(story, "run")
    assert backup(story.nursery, place).code == 0
    story.nursery.run(place / "lake", ["run"])
    ended = backup(story.nursery, place, fault)
    loud = ended.code == (2 if fault.mode == "errno" else -9) and "mistake of the program" not in ended.err
    wrong = [] if loud or ended.code == 0 else [f"it ended with {ended.code}: {ended.out}{ended.err}"]
    for one in backups(place / "disk")[0]:
        back = place / one.name
        restored = story.nursery.run(back, ["restore", "--from", str(place / "disk"), "--backup", one.name])
        expected = story.before if one.number == 1 else story.after
        if restored.code or crash_check.rows(back) != expected:
            wrong.append(f"backup {one.name} is not whole: {restored.out}{restored.err}")
    again = backup(story.nursery, place)
    wrong += [f"again it ended with {again.code}: {again.err}"] if again.code else []
    wrong += [f"{one} is damaged" for one in find_damage(Store(place / "disk"))]
    return [f"{fault} ({ended.hit(fault)}): {one}" for one in wrong + drill(story, place, (story.after,))]


def killed_restore(story: Story, disk_: Path, fault: Fault) -> list[str]:
    """A fault in a restoration: no lake, or the whole one; and the same command again completes."""
    place = story.folder / f"restore-{fault.at}-{fault.mode}-{fault.code}"
    place.mkdir()
    told = ["restore", "--from", str(disk_), "--lake", str(place / "back")]
    ended = story.nursery.run(place, told, fault, script=MAIN)
    wrong = []
    if (place / "back/bedrot.toml").exists() and crash_check.rows(place / "back") != story.before:
        wrong.append("it is a lake, and not the whole one")
    again = story.nursery.run(place, told, script=MAIN)
    done = again.code == 2 and "not empty" in again.err
    if again.code and not done:
        wrong.append(f"again it ended with {again.code}: {again.out}{again.err}")
    wrong += crash_check.torn(place / "back") + breaches(Lake(place / "back"))
    if crash_check.rows(place / "back") != story.before:
        wrong.append("other rows")
    shutil.rmtree(place)
    return [f"{fault} ({ended.hit(fault)}): {one}" for one in wrong]


def faults(calls: Sequence[tuple[int, str, str]], chance: Random) -> list[Fault]:
    """One fault for each call: a kill in any way, or each third time a refusal by the disk."""
    ways = [("kill", how) for how in KILLS]
    return [Fault(n, *chance.choice(ERRORS)) if n % 3 == 0 else Fault(n, chance.choice(ways)[1]) for n, _, _ in calls]


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_killed_and_refused_at_every_call_of_a_backup(short: Story) -> None:
    place = place_of(short, "run")
    assert backup(short.nursery, place).code == 0
    short.nursery.run(place / "lake", ["run"])
    calls = backup(short.nursery, place).calls
    wrong = [one for fault in faults(calls, chances("every backup")) for one in killed_backup(short, fault)]
    say(f"backup: points={len(calls)} violations={len(wrong)}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_killed_and_refused_at_every_call_of_a_restore(short: Story) -> None:
    place = place_of(short, "run")
    assert backup(short.nursery, place).code == 0
    told = ["restore", "--from", str(place / "disk"), "--lake", str(place / "back")]
    calls = short.nursery.run(place, told, script=MAIN).calls
    points = faults(calls, chances("every restore"))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda fault: killed_restore(short, place / "disk", fault), points))
    wrong = [one for some_ in found for one in some_]
    say(f"restore: points={len(calls)} violations={len(wrong)}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_real_processes_at_some_calls(story: Story) -> None:
    """The larger lake, a dozen faults of each."""
    place, chance = place_of(story, "run"), chances("some backups")
    assert backup(story.nursery, place).code == 0
    told = ["restore", "--from", str(place / "disk"), "--lake", str(place / "back")]
    calls = story.nursery.run(place, told, script=MAIN).calls
    wrong = [x for one in faults(some(calls, 12, chance), chance) for x in killed_restore(story, place / "disk", one)]
    story.nursery.run(place / "lake", ["run"])
    calls = backup(story.nursery, place).calls
    wrong += [one for fault in faults(some(calls, 12, chance), chance) for one in killed_backup(story, fault)]
    say(f"backup and restore: points=24 violations={len(wrong)}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_disk_that_is_full(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of a small disk: the backup names it, what was there stays whole, and it fits once there is room."""
    lake = story.copy("end")
    size = sum(path.stat().st_size for path in lake.rglob("*") if path.is_file())
    loud, wrong = 0, []
    monkeypatch.setattr(backup_work, "_ROOM", -(1 << 40))  # so that the disk itself refuses, not the look before
    for level in range(24):
        with small_disk(tmp_path / f"disk{level}", 64 + level * (size // 1024) // 14) as mount:
            try:
                back_up(Lake(lake), mount / "b", AT)
            except BedrotError as refused:
                loud += 1
                wrong += [] if "full" in str(refused) else [str(refused)]
            records = Store(mount / "b").records()
            wrong += find_damage(Store(mount / "b")).values()
            if records:
                restored = restore_from(mount / "b", tmp_path / f"back{level}")
                wrong += restored.broken
    say(f"disk full: levels=24 loud={loud} violations={len(wrong)}")
    assert wrong == []
    assert 0 < loud < 24


# ---- in this process, a fault at each call ----


@dataclass
class Shelf:
    """A lake behind two runs, and the folder with a backup from between them."""

    lake: Lake
    target: Path
    states: list[dict[str, bytes]]

    def beside(self, lake: Lake, name: str) -> Path:
        """A folder beside a copy of the lake."""
        return lake.root.with_name(f"{lake.root.name}-{name}")

    def disk(self, lake: Lake) -> Path:
        """The folder of backups beside a copy of the lake: at first as it is before the fault."""
        target = self.beside(lake, "disk")
        return target if target.exists() else Path(shutil.copytree(self.target, target))

    def backing(self, lake: Lake) -> None:
        """`bedrot backup disk --keep 1`."""
        back_up(lake, self.disk(lake), AT, keep=1)

    def forgetting(self, lake: Lake) -> None:
        """Two backups, the older one forgotten."""
        if len(Store(self.disk(lake)).records()) == 1 and not (self.disk(lake) / ".second").exists():
            shutil.copytree(self.target.with_name("both"), self.disk(lake), dirs_exist_ok=True)
            (self.disk(lake) / ".second").touch()
        forget_older(self.disk(lake))

    def restoring(self, lake: Lake) -> None:
        """`bedrot restore --from disk`, where that is not done."""
        back = self.beside(lake, "back")
        if not (back / "bedrot.toml").exists() or (back / ".restoring.json").exists():
            restore_from(self.disk(lake), back)

    def whole(self, lake: Lake) -> list[str]:
        """What is wrong with any of the backups: each must come back as the state that it is of."""
        wrong = [f"{one} of the folder is damaged" for one in find_damage(Store(self.disk(lake))).values()]
        scratch = self.beside(lake, "scratch")
        for one in backups(self.disk(lake))[0]:
            wrong += restore_from(self.disk(lake), scratch, one.name).broken
            if published(Lake(scratch)) not in self.states:
                wrong.append(f"backup {one.name} is of a state that was never published")
            wrong += breaches(Lake(scratch))
            shutil.rmtree(scratch)
        return wrong if Store(self.disk(lake)).records() else [*wrong, "no backup is left"]

    def newest(self, lake: Lake) -> list[str]:
        """The same behind a re-run: one backup, of the newest state, and nothing that it does not need."""
        wrong = self.whole(lake) + crash_check.leftovers(self.disk(lake))
        found = backups(self.disk(lake))[0]
        named = {one.sha256 for record in found for one in record.files}
        wrong += [
            f"{path.name} is needed by nothing" for path in Store(self.disk(lake)).objects() if path.name not in named
        ]
        if [one.snapshot for one in found] != [2]:
            wrong.append(f"the backups are of {[one.snapshot for one in found]}")
        shutil.rmtree(self.disk(lake))
        return wrong

    def half(self, lake: Lake) -> list[str]:
        """What is wrong with a restoration that broke off: it is no lake, or the whole one."""
        back = self.beside(lake, "back")
        return self.back(lake, keep=True) if (back / "bedrot.toml").exists() else []

    def back(self, lake: Lake, *, keep: bool = False) -> list[str]:
        """What is wrong with a restored lake."""
        back = Lake(self.beside(lake, "back"))
        wrong = [] if published(back) == self.states[0] else ["it has other rows"]
        wrong += breaches(back) + crash_check.torn(back.root)
        wrong += [] if keep else crash_check.leftovers(back.root)
        if not keep:
            shutil.rmtree(back.root)
            shutil.rmtree(self.disk(lake))
        return wrong

    def sweep(self, work: str) -> Sweep:
        """The faults of one piece of work."""
        now, then = (self.half, self.back) if work == "restoring" else (self.whole, self.newest)
        for left in self.lake.root.parent.glob(f"{self.lake.root.name}-*"):
            shutil.rmtree(left)
        made = Sweep(self.lake, getattr(self, work), now, then)
        for left in self.lake.root.parent.glob(f"{self.lake.root.name}-*"):
            shutil.rmtree(left)
        return made


def published(lake: Lake) -> dict[str, bytes]:
    """The files of the state that readers see, by path, its record with them."""
    number = snapshot.current_number(lake)
    paths = [part.path for table in snapshot.load(lake, number).tables.values() for part in table.parts]
    return {path: lake.absolute(path).read_bytes() for path in (*paths, lake.relative(lake.snapshot_path(number)))}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("backups")
    lake, target = Lake.create(folder / "lake"), folder / "disk"
    states = []
    with small_walk(lake) as walk:
        for number, name in enumerate(("bank_2019.tsv", "DistroKid_1748520000000_Paper_Comets.tsv")):
            assert give(walk, [SAMPLES / "distrokid/golden" / name])
            assert walk_run(walk, AT).published
            states.append(published(lake))
            if not number:
                back_up(lake, target, AT)
    shutil.copytree(target, folder / "both")
    back_up(lake, folder / "both", AT)
    return Shelf(lake, target, states)


WORKS = ("backing", "forgetting", "restoring")


@pytest.mark.parametrize("work", WORKS)
def test_a_fault_harms_no_backup(shelf: Shelf, work: str) -> None:
    sweep, chance = shelf.sweep(work), chances(f"{work} in process")
    among = sorted(chance.sample(range(1, len(sweep.names) + 1), min(4, len(sweep.names))))
    assert sweep.sweep(sweep.points(chance, 1, among)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("work", WORKS)
def test_no_fault_harms_any_backup(shelf: Shelf, work: str) -> None:
    sweep = shelf.sweep(work)
    assert sweep.sweep(sweep.points(chances("every"), len(MODES))) == []


# ---- wrong variants: each must be seen ----


def record_before_objects(patch: pytest.MonkeyPatch) -> None:
    """The record that names all files stands there before their bytes do."""
    put: list[Callable[[], object]] = []
    keep = backup_work.Work._put
    add = backup_store.Store.add

    def later(self: backup_work.Work, sha256: str, size: int, chunks: object) -> None:
        data = tuple(chunks)  # type: ignore[call-overload]
        put.append(lambda: keep(self, sha256, size, data))

    def first(self: Store, record: backup_store.Record) -> None:
        add(self, record)
        while put:
            put.pop(0)()

    patch.setattr(backup_work.Work, "_put", later)
    patch.setattr(backup_store.Store, "add", first)


def objects_before_records(patch: pytest.MonkeyPatch) -> None:
    """Bytes are forgotten before the records that name them."""

    def forget(self: Store, keep: int) -> list[str]:
        paths = self.records()
        needed = {one.sha256 for path in paths[-keep:] for one in self.load(path).files}
        for path in list(self.objects()):
            if path.name not in needed:
                disk.remove(path)
        for path in paths[:-keep]:
            disk.remove(path)
        return []

    patch.setattr(backup_store.Store, "forget", forget)


def settings_first(patch: pytest.MonkeyPatch) -> None:
    """A restored folder is a lake before its files are there."""
    from bedrot.walk import backup_restore

    patch.setattr(backup_restore, "_turn", lambda one: (one.path != "bedrot.toml", one.path))


@pytest.mark.parametrize(
    ("plant", "work", "call"),
    [
        (record_before_objects, "backing", "link"),
        (objects_before_records, "forgetting", "unlink"),
        (settings_first, "restoring", "replace"),
    ],
)
def test_a_planted_variant_is_seen(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], work: str, call: str
) -> None:
    plant(monkeypatch)
    wrong = shelf.sweep(work).seen("kill after", call)
    say(f"{plant.__name__}: {''.join(wrong[:1])[:200]}")
    assert wrong
