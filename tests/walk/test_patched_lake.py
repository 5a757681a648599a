"""A lake whose big months are patched: the same tables as one that is written anew, and only what came is made."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bedrot.config import Archive, Settings
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import Part, current
from bedrot.lake.zones import Lake
from bedrot.marts import plan
from bedrot.walk import line_jobs
from bedrot.walk.accept import Door, Told
from bedrot.walk.rebuild import rebuild
from bedrot.walk.run import Walk, run

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
EXPORTED = 1_767_225_600_000
DAY = 86_400_000
HEADING = (
    "Reporting Date\tSale Month\tStore\tArtist\tTitle\tISRC\tUPC\tQuantity\tTeam Percentage\tSong/Album\t"
    "Country of Sale\tSongwriter Royalties Withheld\tEarnings (USD)\n"
)
SETTINGS = Settings(archive=Archive(snapshots=1))


def export(folder: Path, number: int, title: str, songs: int) -> Path:
    """An export of two reporting months, with so many songs in each."""
    lines = [
        f"2025-0{month}-20\t2025-0{month - 2}\tSpotify\tPaper Comets\t{title} {song}"
        f"\tQZFAK25{ord(title[0]):02d}{song:03d}\t1990000{ord(title[0]):05d}"
        f"\t{song + 1}\t100\tSong\tUS\t0\t0.{song + 1:08d}\n"
        for month in (3, 4)
        for song in range(songs)
    ]
    path = folder / f"DistroKid_{EXPORTED + number * DAY}_Paper_Comets.tsv"
    path.write_text(HEADING + "".join(lines), encoding="ascii")
    return path


def walked(root: Path) -> tuple[Lake, list[Part], list[Part]]:
    """A lake of a long export, a short one and the long one again; the royalties' parts after one and after all."""
    lake = Lake.create(root / "lake")
    with Ledger(lake.ledger_path) as ledger:
        walk = Walk(lake, ledger, SETTINGS)
        parts = []
        for number, (title, songs) in enumerate((("Ash", 40), ("Brine", 3), ("Cove", 2))):
            door = Door(lake, ledger, walk.sources, {}, Told(), AT)
            assert [one.verdict for one in door.offer([export(root, number, title, songs)])] == ["accepted"]
            run(walk, AT)
            state = current(lake)
            assert state is not None
            parts.append(list(state.tables["royalties"].parts))
    return lake, parts[0], parts[-1]


def rows(lake: Lake, query: str) -> list[tuple[Any, ...]]:
    state = current(lake)
    assert state is not None
    with open_snapshot(lake, state) as con:
        return con.execute(query).fetchall()


def tables(lake: Lake) -> list[list[tuple[Any, ...]]]:
    """All that readers see of the lines."""
    return [
        rows(lake, f"SELECT * FROM {table} ORDER BY ALL")
        for table in ("staging.distrokid_bank", "royalties", "royalties_monthly", "recordings", "releases")
    ]


@pytest.fixture
def patched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Lake, list[Part], list[Part]]:
    """A lake where months of any size are patched, and stand alone."""
    monkeypatch.setattr(line_jobs, "PATCHED_FROM", 0)
    monkeypatch.setattr(plan, "TOGETHER", 0)
    return walked(tmp_path)


def test_only_what_came_is_made(patched: tuple[Lake, list[Part], list[Part]]) -> None:
    lake, first, last = patched
    state = current(lake)
    assert state is not None
    assert [part.rows for part in state.tables["staging.distrokid_bank"].parts] == [40, 5, 40, 5]
    assert {part.path for part in first} < {part.path for part in last}
    assert [part.rows for part in last] == [40, 5, 40, 5]


def test_readers_see_what_they_see_where_all_is_written_anew(
    patched: tuple[Lake, list[Part], list[Part]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_jobs, "PATCHED_FROM", 1_000)
    (tmp_path / "whole").mkdir()
    whole, _, parts = walked(tmp_path / "whole")
    assert [part.rows for part in parts] == [45, 45]
    assert tables(patched[0]) == tables(whole)


def test_the_archive_takes_no_patch_and_a_rebuild_is_equal(patched: tuple[Lake, list[Part], list[Part]]) -> None:
    lake = patched[0]
    assert len(list((lake.staging / "distrokid_bank" / "merged").glob("*.parquet"))) == 2
    with Ledger(lake.ledger_path) as ledger:
        assert rebuild(Walk(lake, ledger, SETTINGS), AT).equal
