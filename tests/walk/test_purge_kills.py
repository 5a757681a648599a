"""A purge that is killed or refused by the disk at one call: the same command, given again, comes to the same end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from purging import ACCOUNT, AT, BECAUSE, Lives, canaries, copy, everything, left_but_moved, lived_once, small_marts

from bedrot.errors import BedrotError
from bedrot.lake import snapshot
from bedrot.lake.decisions import write_decision
from bedrot.lake.ledger import Ledger
from bedrot.tell.status import status
from bedrot.tell.verify import check_bundles_whole, verify
from bedrot.walk import purge
from bedrot.walk.purge import Ask, carry_out, planned

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))
from crash_harness import HERE, Nursery, chances, say, seed
from crash_harness import Fault as ProcessFault
from in_process import MODES, Fault, Killed, fault_everywhere

SCRIPT = Path(__file__).with_name("purge_process.py")
KILLS = ("kill before", "kill after")


@pytest.fixture(scope="module")
def lived() -> Lives:
    return lived_once()


class End:
    """Where a purge comes from, what its calls are, and what must hold behind it."""

    def __init__(self, lived: Lives, folder: Path) -> None:
        self.lived, self.folder = lived, folder
        self.before = everything(lived.lake.root)
        lives = copy(lived, folder / "undisturbed")
        fault = Fault()
        with fault_everywhere(fault):
            self.gone = set(lives.purge())
        self.names = fault.names
        self.after = left_but_moved(lives)
        self.tombstones = targets(lives)
        shutil.rmtree(lives.lake.root)

    def now(self, lives: Lives) -> list[str]:
        """What is wrong right behind a fault: a reader sees one whole state, and what has begun to go is told of."""
        wrong = []
        state = snapshot.current(lives.lake)
        parts = {part.path for table in state.tables.values() for part in table.parts} if state else set()
        wrong += [
            f"{path} of the state that readers see is gone" for path in parts if not (lives.lake.root / path).exists()
        ]
        begun = self.gone - everything(lives.lake.root).keys()
        with Ledger(lives.lake.ledger_path) as ledger:
            told = any("not finished" in one.what for one in verify(lives.lake, ledger))
            if begun and not told and canaries(lives.lake.root):
                wrong.append(f"{len(begun)} files are gone, canaries are left, and verify tells of no purge")
            ledger.catch_up(lives.lake)
            said = any("not finished" in one for one in status(lives.walk(ledger)).needs)
            wrong += ["verify tells of an unfinished purge, status does not"] if told and not said else []
        return wrong

    def then(self, lives: Lives) -> list[str]:
        """What is wrong behind the command given again."""
        wrong = canaries(lives.lake.root)
        wrong += [] if targets(lives) == self.tombstones else ["not every delivery that went has its tombstone"]
        if left_but_moved(lives) != self.after:
            wrong.append("what is left is not what an undisturbed purge leaves")
        wrong += [
            f"left behind: {path}"
            for path in everything(lives.lake.root)
            if "/.tmp-" in path or path.startswith(".work")
        ]
        with Ledger(lives.lake.ledger_path) as ledger:
            wrong += [one.what for one in (*verify(lives.lake, ledger), *check_bundles_whole(lives.lake))]
        return wrong

    def strike(self, nth: int, mode: str, work: Callable[[Lives], object], between: bool = False) -> list[str]:
        """One fault, a run between if so wanted, the same command again."""
        folder = self.folder / f"{mode.replace(' ', '-')}-{nth}-{work.__name__}"
        lives = copy(self.lived, folder)
        wrong: list[str] = []
        try:
            with fault_everywhere(Fault(nth, mode)):
                work(lives)
        except (Killed, BedrotError):
            pass
        try:
            wrong += self.now(lives)
            if between:
                lives.run()
            work(lives)
            wrong += self.then(lives)
        except BedrotError as broken:
            wrong.append(f"{type(broken).__name__}: {broken}")
        shutil.rmtree(folder)
        where = self.names[nth - 1] if nth <= len(self.names) else "?"
        return [f"{mode} at {nth} ({where}): {one}" for one in wrong]


def targets(lives: Lives) -> set[str]:
    """The deliveries that have tombstones."""
    return {one.target for one in purge.Decisions(purge.all_decisions(lives.lake)).tombstones}


@pytest.fixture(scope="module")
def end(lived: Lives, tmp_path_factory: pytest.TempPathFactory) -> End:
    say(f"seed={seed()} (BEDROT_SEED overrides)")
    return End(lived, tmp_path_factory.mktemp("struck"))


def purging(lives: Lives) -> None:
    lives.purge()


def sweep(end: End, points: Sequence[tuple[int, str]], between: bool = False) -> list[str]:
    wrong = [one for nth, mode in points for one in end.strike(nth, mode, purging, between)]
    say(f"purge: calls={len(end.names)} points={len(points)} violations={len(wrong)}")
    return wrong


def test_a_sample_of_faults_comes_to_the_same_end(end: End) -> None:
    chance = chances("purge in process")
    points = [
        (nth, chance.choice(MODES[:2] + MODES[3:])) for nth in sorted(chance.sample(range(1, len(end.names) + 1), 3))
    ]
    assert sweep(end, points) == []


def test_a_run_between_does_no_harm(end: End) -> None:
    places = [nth for nth, call in enumerate(end.names, 1) if call == "unlink"]
    assert sweep(end, [(places[len(places) * 3 // 4], "kill after")], between=True) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_any_fault_comes_to_the_same_end(end: End) -> None:
    points = [(nth, mode) for nth in range(1, len(end.names) + 1) for mode in KILLS]
    points += [(nth, "ENOSPC") for nth in range(1, len(end.names) + 1, 3)]
    assert sweep(end, points) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_run_after_any_death_does_no_harm(end: End) -> None:
    assert sweep(end, [(nth, "kill after") for nth in range(1, len(end.names) + 1, 2)], between=True) == []


# ---- real processes ----


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("killing real processes needs Linux and a C compiler")
    target = tmp_path_factory.mktemp("shim") / "faultat.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", target, HERE / "faultat.c", "-ldl"], check=True)
    with Nursery(target, tmp_path_factory.mktemp("commands")) as running:
        yield running


@contextmanager
def own(end: End, name: str) -> Iterator[Lives]:
    lives = copy(end.lived, end.folder / name)
    yield lives
    shutil.rmtree(end.folder / name)


def killed(end: End, nursery: Nursery, points: Sequence[int]) -> list[str]:
    """Real processes, killed before these of their state-changing calls, and one that lives behind each."""
    wrong = []
    for at in points:
        with own(end, f"process-{at}") as lives:
            root = lives.lake.root
            died = nursery.run(root, [str(root)], ProcessFault(at, "before"), script=SCRIPT)
            found = [] if died.code == -9 else [f"it ended with {died.code}: {died.err}"]
            found += end.now(lives)
            again = nursery.run(root, [str(root)], script=SCRIPT)
            found += [again.err] if again.code else end.then(lives)
            wrong += [f"killed at {at}: {one}" for one in found]
    say(f"purge in processes: points={len(points)} violations={len(wrong)}")
    return wrong


def calls(end: End, nursery: Nursery) -> int:
    with own(end, "counted") as lives:
        ended = nursery.run(lives.lake.root, [str(lives.lake.root)], ProcessFault(), script=SCRIPT)
        assert ended.code == 0, ended.err
    say(f"purge in processes: calls={len(ended.calls)}")
    return len(ended.calls)


def test_a_killed_process_is_finished_by_the_next(end: End, nursery: Nursery) -> None:
    number = calls(end, nursery)
    assert killed(end, nursery, sorted(chances("purge processes").sample(range(1, number + 1), 2))) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_process_killed_anywhere_is_finished_by_the_next(end: End, nursery: Nursery) -> None:
    assert killed(end, nursery, range(1, calls(end, nursery) + 1)) == []


# ---- wrong variants ----


def tombstones_last(lives: Lives) -> None:
    """Everything goes first, and only then it is said that it did."""
    with small_marts(True), Ledger(lives.lake.ledger_path) as ledger:
        walk = lives.walk(ledger)
        with planned(walk, Ask(BECAUSE, ("distrokid", ACCOUNT)), AT) as plan:
            decided = [one for one in plan.decisions if one not in plan.tombstones]
            carry_out(walk, replace(plan, tombstones=(), decisions=purge.Decisions(decided)), AT)
            for one in plan.tombstones:
                write_decision(lives.lake, one)


def manifests_first(lives: Lives) -> None:
    """What tells what it was goes before the rest."""
    with small_marts(True), Ledger(lives.lake.ledger_path) as ledger:
        walk = lives.walk(ledger)
        with planned(walk, Ask(BECAUSE, ("distrokid", ACCOUNT)), AT) as plan:
            files = replace(plan.files, rest=[*plan.files.manifests, *plan.files.rest])
            files.records = [*plan.files.manifests, *plan.files.records]
            carry_out(walk, replace(plan, files=files), AT)


@pytest.mark.parametrize("work", [tombstones_last, manifests_first])
def test_a_wrong_order_is_seen(end: End, work: Callable[[Lives], None]) -> None:
    places = [nth for nth, call in enumerate(end.names, 1) if call == "unlink"]
    wrong = end.strike(places[-12], "kill after", work)
    say(f"{work.__name__}: {''.join(wrong[:1])[:200]}")
    assert wrong
