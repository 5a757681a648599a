"""Rebuild: raw alone gives what incremental runs gave; what differs is told to the cent, published, and healed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import bedrot.sources
from bedrot import sql
from bedrot.config import Settings
from bedrot.errors import StorageFailed
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current, numbers
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.rebuild import Rebuilt, rebuild
from bedrot.walk.run import Walk, run

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
GOLDEN = Path(bedrot.sources.__file__).parent
STEPS = (
    "distrokid/golden/DistroKid_1765000000000_Paper_Comets.csv",
    "distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv",
    "toolost/golden/@05-2025-70799.csv",
)


HOME = TemporaryDirectory(prefix="rebuilt-", ignore_cleanup_errors=True)


@cache
def first() -> Path:
    """A lake made in three runs, the newest export first."""
    lake = Lake.create(Path(HOME.name) / "lake")
    with Ledger(lake.ledger_path) as ledger:
        walk = Walk(lake, ledger, Settings())
        for name in STEPS:
            door = Door(lake, ledger, walk.sources, {}, Told(), AT)
            assert [one.verdict for one in door.offer([GOLDEN / name])] == ["accepted"]
            run(walk, AT)
    return lake.root


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    shutil.copytree(first(), tmp_path / "lake")
    return Lake(tmp_path / "lake")


def rebuilt(lake: Lake) -> Rebuilt:
    with Ledger(lake.ledger_path) as ledger:
        return rebuild(Walk(lake, ledger, Settings()), AT)


def earned(lake: Lake) -> object:
    state = current(lake)
    assert state is not None
    con = open_snapshot(lake, state)
    return con.execute("SELECT source, count(*), sum(earnings) FROM royalties GROUP BY 1 ORDER BY 1").fetchall()


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_raw_gives_what_three_runs_gave_and_nothing_is_published(lake: Lake) -> None:
    before = earned(lake)
    done = rebuilt(lake)
    assert (done.equal, done.published, done.number, done.healed) == (True, False, 3, [])
    assert numbers(lake) == [1, 2, 3]
    assert earned(lake) == before
    assert list(lake.work.glob("rebuild-*")) == []


def test_the_ledger_is_made_anew_from_raw(lake: Lake) -> None:
    before = earned(lake)
    overwrite(lake.ledger_path, b"not a ledger at all" * 100)
    Ledger.rebuild(lake)
    assert rebuilt(lake).equal
    assert earned(lake) == before
    with Ledger(lake.ledger_path) as ledger:
        assert len(ledger.deliveries()) == len(STEPS)
        assert not run(Walk(lake, ledger, Settings()), AT).published


def test_a_changed_amount_is_told_to_the_cent_and_put_right(lake: Lake) -> None:
    before = earned(lake)
    state = current(lake)
    assert state is not None
    part = next(part for part in state.tables["royalties"].parts if part.partition.startswith("toolost"))
    path = lake.absolute(part.path)
    con = sql.connect(None)
    copy = lake.root / "copy"
    con.execute(
        f"COPY (SELECT * REPLACE (earnings + 0.01 AS earnings) FROM read_parquet({sql.files([path])}))"
        f" TO {sql.text(copy.as_posix())} (FORMAT parquet)"
    )
    overwrite(path, copy.read_bytes())
    assert earned(lake) != before
    done = rebuilt(lake)
    (difference,) = done.differences
    assert difference.table == "royalties"
    assert difference.rows == (5, 5)
    assert "earnings -0.05" in difference.says()
    assert done.healed == [part.path]
    assert (done.published, done.number) == (True, 4)
    assert earned(lake) == before
    assert rebuilt(lake).equal


@pytest.mark.parametrize("what", ["staging", "curated", "record", "pointer"])
def test_what_is_lost_below_raw_comes_back(lake: Lake, what: str) -> None:
    before = earned(lake)
    if what == "record":
        overwrite(lake.snapshot_path(3), b"{}")
    elif what == "pointer":
        overwrite(lake.pointer_path, b"torn")
    else:
        for path in (lake.root / what).rglob("*.parquet"):
            path.unlink()
    done = rebuilt(lake)
    assert not done.failed
    assert earned(lake) == before
    assert rebuilt(lake).equal


def test_nothing_is_published_where_an_object_is_damaged(lake: Lake) -> None:
    with Ledger(lake.ledger_path) as ledger:
        one = ledger.deliveries()[0]
    path = lake.object_path(one.object)
    overwrite(path, path.read_bytes() + b"x")
    before = earned(lake)
    done = rebuilt(lake)
    assert not done.equal
    assert not done.published
    assert [one.name in told for told in done.failed] == [True]
    assert any(difference.rows[1] < difference.rows[0] for difference in done.differences)
    assert (earned(lake), numbers(lake)) == (before, [1, 2, 3])


def test_raw_is_never_changed(lake: Lake) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in lake.raw.rglob("*") if path.is_file()}
    shutil.rmtree(lake.curated)
    assert rebuilt(lake).published
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_what_only_a_rebuild_has_staged_is_told_by_the_next_run(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "fresh")
    with Ledger(lake.ledger_path) as ledger:
        walk = Walk(lake, ledger, Settings())
        assert [one.verdict for one in Door(lake, ledger, walk.sources, {}, Told(), AT).offer([GOLDEN / STEPS[2]])]
        assert rebuild(walk, AT).published
        told = run(walk, AT)
        assert (told.published, told.deliveries, told.rows, told.rejected) == (False, 1, 5, 2)


def test_what_a_dead_rebuild_left_is_cleared_away(lake: Lake) -> None:
    left = lake.work / "rebuild-dead"
    (left / "staging").mkdir(parents=True)
    assert rebuilt(lake).equal
    assert not left.exists()


def test_a_full_disk_is_no_difference_from_raw(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_task: object) -> None:
        raise StorageFailed("The disk is full (ENOSPC).")

    monkeypatch.setattr("bedrot.walk.rebuild.stage_delivery", full)
    with pytest.raises(StorageFailed, match="disk is full"):
        rebuilt(lake)
