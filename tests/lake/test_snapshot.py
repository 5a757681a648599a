"""Snapshots: whole, numbered once, damage named, faults survived."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from disk_faults import MODES, Fault, count, run_with, seeded

from bedrot.errors import Busy, Damaged
from bedrot.lake import disk, snapshot
from bedrot.lake.snapshot import (
    Part,
    Snapshot,
    TableState,
    current,
    current_number,
    load,
    numbers,
    unreferenced,
    write_snapshot,
)
from bedrot.lake.zones import Lake

AT = datetime(2025, 3, 1, tzinfo=UTC)


def made(number: int, version: str = "v") -> Snapshot:
    parts = [
        Part("2025-03", f"curated/t/2025-03/{number}.parquet", 3, "0" * 64, "i"),
        Part("2025-02", "staging/s/d.parquet", 2, "1" * 64, "j", "2025-02", 8),
    ]
    table = TableState("t", [("a", "BIGINT"), ("money", "DECIMAL(38,18)")], parts, "d")
    return Snapshot(number, number - 1, {"t": table}, {"raw": "x"}, AT, version)


def lake_with(root: Path, snapshots: int) -> Lake:
    lake = Lake(root)
    for number in range(1, snapshots + 1):
        write_snapshot(lake, made(number))
    return lake


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert current(Lake(tmp_path)) is None
    assert numbers(Lake(tmp_path)) == []


def test_a_snapshot_comes_back_as_it_was_and_the_older_ones_stay(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 3)
    assert current(lake) == made(3)
    assert [load(lake, number) for number in numbers(lake)] == [made(1), made(2), made(3)]
    assert made(3).tables["t"].rows == 5
    assert made(2).to_json() == load(lake, 2).to_json()


def test_a_number_is_made_once(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 2)
    for stale in (made(2, "other"), made(4), replace(made(3), previous=1), made(1)):
        with pytest.raises(Busy):
            write_snapshot(lake, stale)
    assert current(lake) == made(2)


def test_a_writer_that_read_before_another_published_does_not_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both writers read number 1 as the newest; the second to write 2 is told so."""
    lake = lake_with(tmp_path, 1)
    monkeypatch.setattr(snapshot, "current_number", lambda _lake: 1)
    write_snapshot(lake, made(2, "first"))
    with pytest.raises(Busy):
        write_snapshot(lake, made(2, "second"))
    assert load(lake, 2).version == "first"


RACE = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from bedrot.errors import Busy
from bedrot.lake.snapshot import Snapshot, current_number, write_snapshot
from bedrot.lake.zones import Lake
lake, me = Lake(Path(sys.argv[1])), sys.argv[2]
{variant}
while not (lake.root / "go").exists():
    time.sleep(0.001)
made = 0
while made < 12:
    n = current_number(lake)
    try:
        write_snapshot(lake, Snapshot(n + 1, n, {{}}, {{}}, datetime(2025, 1, 1, tzinfo=UTC), me))
    except Busy:
        continue
    made += 1
print(made)
"""
NO_CLOBBER_IS_GONE = """
from bedrot.lake import disk
real = disk.put
def put(final, chunks, *, replace=False, read_only=True):
    return real(final, chunks, replace=True, read_only=read_only)
disk.put = put
"""


def race(tmp_path: Path, variant: str) -> list[int]:
    code = RACE.format(variant=variant)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), me],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for me in ("a", "b")
    ]
    (tmp_path / "go").write_bytes(b"")
    done = [process.communicate(timeout=60)[0].strip() for process in both]
    return numbers(Lake(tmp_path)) if done == ["12", "12"] else []


def test_two_processes_without_a_lock_never_make_the_same_number(tmp_path: Path) -> None:
    assert race(tmp_path, "") == list(range(1, 25))
    assert current_number(Lake(tmp_path)) == 24
    authors = [load(Lake(tmp_path), number).version for number in range(1, 25)]
    assert (authors.count("a"), authors.count("b")) == (12, 12)


def test_the_variant_that_overwrites_a_number_is_seen(tmp_path: Path) -> None:
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        if len(race(folder, NO_CLOBBER_IS_GONE)) < 24:  # numbers are lost, or the readers find damage
            return
    pytest.fail("two processes that overwrite each other's numbers lost none in five races")


@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_each_call_leaves_one_whole_state_and_the_next_attempt_gets_on(tmp_path: Path, mode: str) -> None:
    calls = count(partial(write_snapshot, lake_with(tmp_path / "count", 1), made(2)))
    for nth in range(1, calls + 1):
        lake = lake_with(tmp_path / str(nth), 1)
        assert run_with(Fault(nth, mode), partial(write_snapshot, lake, made(2))) is not None
        now = current(lake)
        assert now in (made(1), made(2)), (nth, mode)
        assert now is not None
        assert load(lake, 1) == made(1)
        disk.sweep(lake.root)
        write_snapshot(lake, made(now.number + 1))
        assert current(lake) == made(now.number + 1)
        assert numbers(lake) == list(range(1, now.number + 2))


@pytest.mark.parametrize("mode", ["kill before", "kill after", "torn"])
def test_the_first_snapshot_too(tmp_path: Path, mode: str) -> None:
    calls = count(partial(write_snapshot, Lake(tmp_path / "count"), made(1)))
    for nth in range(1, calls + 1):
        lake = Lake(tmp_path / str(nth))
        run_with(Fault(nth, mode), partial(write_snapshot, lake, made(1)))
        if current(lake) is None:
            write_snapshot(lake, made(1))
        assert current(lake) == made(1)


def spoil(path: Path, how: str) -> None:
    path.chmod(0o644)
    whole = path.read_bytes()
    chance = seeded(5)
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "edit":
        path.write_bytes(whole.replace(b'"rows":3', b'"rows":9').replace(b'"number":3', b'"number":2'))
    elif how == "zeros":
        path.write_bytes(bytes(len(whole)))
    else:
        changed = bytearray(whole)
        changed[chance.randrange(len(changed))] ^= 4
        path.write_bytes(bytes(changed))


@pytest.mark.parametrize("how", ["cut", "edit", "zeros", "bit"])
@pytest.mark.parametrize("what", ["record", "pointer"])
def test_damage_is_named_with_the_newest_whole_one(tmp_path: Path, how: str, what: str) -> None:
    lake = lake_with(tmp_path, 3)
    path = lake.snapshot_path(3) if what == "record" else lake.pointer_path
    spoil(path, how)
    with pytest.raises(Damaged) as found:
        current(lake)
    whole = 2 if what == "record" else 3
    assert path.name in str(found.value)
    assert f"Snapshot {whole} is whole" in str(found.value)
    assert load(lake, whole) == made(whole)


def test_a_record_that_is_gone_is_named(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 3)
    spoil(lake.snapshot_path(3), "gone")
    with pytest.raises(Damaged, match=r"snapshot 3, which is not there\..*Snapshot 2 is whole"):
        current(lake)
    with pytest.raises(Damaged, match="Snapshot 2 is whole"):
        load(lake, 3)


def test_records_under_each_others_names_are_seen(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 3)
    lake.snapshot_path(2).chmod(0o644)
    lake.snapshot_path(2).write_bytes(lake.snapshot_path(1).read_bytes())
    with pytest.raises(Damaged, match="that of snapshot 1"):
        load(lake, 2)


def test_a_pointer_that_is_gone_is_no_loss_while_the_records_are_there(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 3)
    lake.pointer_path.unlink()
    assert current(lake) == made(3)
    lake.snapshot_path(1).unlink()
    with pytest.raises(Damaged, match="pointer"):
        current(lake)


def test_what_no_kept_snapshot_names_is_listed_and_nothing_else(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 3)
    files = ["curated/t/2025-03/1.parquet", "curated/t/2025-03/2.parquet", "curated/t/2025-03/3.parquet"]
    files += ["staging/s/d.parquet", "staging/s/merged/m.parquet", "staging/_rejects/s/d.parquet"]
    for name in [*files, "staging/s/.tmp-1-aaaaaaaa-x.parquet"]:
        disk.put_text(lake.absolute(name), "x")
    assert unreferenced(lake, {2, 3}) == [lake.absolute(files[0]), lake.absolute(files[4])]
    assert unreferenced(lake, set()) == [lake.absolute(name) for name in sorted(files[:5])]
    spoil(lake.snapshot_path(2), "cut")
    with pytest.raises(Damaged):
        unreferenced(lake, {2, 3})
