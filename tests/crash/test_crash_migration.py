"""A ledger of the first released version, opened by the newest program that dies or is refused at any moment of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import migrating
import pytest
from crash_harness import HERE, Fault, Nursery, chances, say
from crash_points import ERRORS, KILLS
from migrating import LATER, contents, make_first, plant_later

from bedrot.errors import Damaged
from bedrot.lake import database
from bedrot.lake.database import Database
from bedrot.lake.ledger import Ledger

sys.path.insert(0, str(Path(__file__).parents[1] / "lake"))
from ledger_faults import opened_with

MODES = ("kill before", "kill after", "error")
States = tuple[tuple[int, dict[str, list[Any]]], tuple[int, dict[str, list[Any]]]]


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the first version, in a program that knows two more than there are."""
    path = tmp_path / "first.sqlite"
    make_first(path)
    monkeypatch.setattr(database, "MIGRATIONS", database.MIGRATIONS)
    plant_later()
    return path


def states(first: Path) -> States:
    """What the ledger holds before and behind an undisturbed migration."""
    done = first.with_name("done.sqlite")
    shutil.copy(first, done)
    Ledger(done).close()
    return contents(first), contents(done)


def wrong_behind(path: Path, both: States) -> list[str]:
    """What is wrong with a ledger whose migration met a fault: it is the old or the new, and the next open the new."""
    wrong = [] if contents(path) in both else [f"neither the old nor the new: version {contents(path)[0]}"]
    with Ledger(path) as ledger:
        ledger.check()
    return wrong if contents(path) == both[1] else [*wrong, "the next open has not all rows"]


def at_each_statement(first: Path) -> tuple[int, list[str]]:
    """A fault of each mode at each statement that opening makes; how many statements, and what is wrong."""
    both = states(first)
    path = first.with_name("struck.sqlite")
    shutil.copy(first, path)
    count = opened_with(path, 0, "error")
    wrong = []
    for nth in range(1, count + 1):
        for mode in MODES:
            shutil.copy(first, path)
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            opened_with(path, nth, mode)
            wrong += [f"{mode} at statement {nth}: {one}" for one in wrong_behind(path, both)]
    return count, wrong


def test_the_first_version_is_as_it_was_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that was released never changes: ledgers that had it are out there."""
    make_first(tmp_path / "released.sqlite")
    monkeypatch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:1])
    Ledger(tmp_path / "made.sqlite").close()
    shapes = []
    for name in ("released", "made"):
        with Ledger(tmp_path / f"{name}.sqlite") as ledger:
            shapes.append(migrating.columns_of(ledger._con))
    assert shapes[0] == shapes[1]


def test_the_newest_program_reads_the_first_version_whole(tmp_path: Path) -> None:
    path = tmp_path / "first.sqlite"
    make_first(path)
    before = contents(path)[1]
    Ledger(path).close()
    version, after = contents(path)
    assert version == len(database.MIGRATIONS)
    assert {table: len(rows) for table, rows in before.items()} == {table: len(after[table]) for table in before}


def test_a_migration_survives_a_fault_at_each_statement(first: Path) -> None:
    count, wrong = at_each_statement(first)
    say(f"migration: statements={count} points={count * len(MODES)} violations={len(wrong)}")
    assert wrong == []
    assert count > len(";".join(LATER).split(";"))


@contextmanager
def no_transaction(_self: Database) -> Iterator[None]:
    """A wrong variant: each statement stands for itself."""
    yield


def test_a_migration_without_a_transaction_is_seen(first: Path) -> None:
    both = states(first)
    path = first.with_name("struck.sqlite")
    shutil.copy(first, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "transaction", no_transaction)
        opened_with(path, 8, "kill before")
    with pytest.raises((AssertionError, Damaged)):
        assert wrong_behind(path, both) == []


def real(nursery: Nursery, first: Path, faults: list[Fault]) -> list[str]:
    """Faults at the calls of a real process that migrates."""
    both = states(first)
    wrong = []
    for fault in faults:
        lake = first.with_name("lake")
        lake.mkdir()
        path = Path(shutil.copy(first, lake / "ledger.sqlite"))
        ended = nursery.run(lake, [str(path)], fault, script=HERE / "migrating.py")
        try:
            found = wrong_behind(path, both)
        except Exception as broken:  # noqa: BLE001  whatever it is, it is wrong
            found = [repr(broken)]
        wrong += [f"{fault} ({ended.hit(fault)}): {one}" for one in found]
        shutil.rmtree(lake)
    say(f"killed in a migration: points={len(faults)} violations={len(wrong)}")
    return wrong


def calls_of(nursery: Nursery, first: Path) -> int:
    lake = first.with_name("counted")
    lake.mkdir()
    path = Path(shutil.copy(first, lake / "ledger.sqlite"))
    return len(nursery.run(lake, [str(path)], script=HERE / "migrating.py").calls)


def test_a_process_killed_in_a_migration_loses_nothing(nursery: Nursery, first: Path) -> None:
    chance, count = chances("migration"), calls_of(nursery, first)
    at = sorted(chance.sample(range(1, count + 1), min(16, count)))
    assert real(nursery, first, [Fault(one, chance.choice(KILLS)) for one in at[::2]]) == []
    assert real(nursery, first, [Fault(one, *chance.choice(ERRORS)) for one in at[1::2]]) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_process_killed_anywhere_in_a_migration_loses_nothing(nursery: Nursery, first: Path) -> None:
    count = calls_of(nursery, first)
    kills = [Fault(at, mode) for at in range(1, count + 1) for mode in KILLS]
    assert real(nursery, first, kills + [Fault(at, *how) for at in range(1, count + 1) for how in ERRORS]) == []
