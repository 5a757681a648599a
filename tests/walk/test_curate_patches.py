"""Patches: a big slice stays as it is, and what comes to it, or is lacking, stands in a small file beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import test_curate_lines
from curate_histories import history
from staging_files import LINES, Delivered, Notes, Place
from test_curate_decisions import line, songs
from test_curate_lines import KINDS, SEED, agree, right

from bedrot.walk import line_bench, line_jobs
from bedrot.walk.curate import TableCurated
from bedrot.walk.curated_values import Piece

Query = Callable[..., str]
PAIR = 2


@pytest.fixture(autouse=True)
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of any size are patched, by as much as comes."""
    monkeypatch.setattr(line_jobs, "PATCHED_FROM", 0)
    monkeypatch.setattr(line_jobs, "PATCH_SHARE", 0)


def patches(curated: TableCurated) -> list[Piece]:
    return [state.pieces[1] for state in curated.states.values() if len(state.pieces) == PAIR]


@pytest.mark.parametrize("kind", ["filtered", "restated-filtered", "spelling"])
def test_with_patches_the_rows_are_those_of_the_reference(kind: str, tmp_path: Path) -> None:
    kinds, change = KINDS[kind]
    story = history(SEED, kinds, change, steps=9, months=4)
    curated, _ = agree(Place(tmp_path, LINES), story)
    assert patches(curated)
    assert right(Place(tmp_path, LINES).rows(curated), story)


def test_with_patches_too_order_and_memory_change_nothing(tmp_path: Path) -> None:
    test_curate_lines.test_order_repeats_and_memory_change_nothing(tmp_path)


def test_a_slice_stays_and_only_what_came_is_written(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [Delivered("a", songs(9), 0, 0), Delivered("b", [line("3", title="New")], 1, 1)]
    (state,) = place.curate(files).states.values()
    slice_, patch = state.pieces
    assert (slice_.rows, patch.rows, state.rows) == (9, 1, 10)
    assert slice_.path == place.stage(files[0])[0].path
    assert marks(place, files) == {"b": 9, None: 1}
    # What was lacking is back: no line more, and only the one that came since is lacking now.
    files.append(Delivered("c", songs(9), 2, 2))
    (state,) = place.curate(files).states.values()
    assert [piece.rows for piece in state.pieces] == [9, 1]
    assert marks(place, files) == {None: 9, "c": 1}


def marks(place: Place, files: list[Delivered]) -> dict[str | None, int]:
    return Counter(row[-1] for row in place.rows(place.curate(files)))


def test_a_patch_that_is_lost_is_made_again_with_the_same_bytes(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    files = [
        Delivered("a", songs(9), 0, 0),
        Delivered("b", [line("3", title="New")], 1, 1),
        Delivered("c", songs(4), 2, 2),
    ]
    (state,) = place.curate(files, notes).states.values()
    path = state.pieces[1].path
    held = path.read_bytes()
    path.unlink()
    place.curate(files, notes)
    assert path.read_bytes() == held
    path.unlink()
    more = [*files, Delivered("d", [line("6", title="Newer")], 3, 3)]
    assert place.rows(place.curate(more, notes)) == place.rows(place.curate(more, None, merged="whole"))


def test_a_line_with_another_amount_ends_the_patching(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [
        Delivered("a", songs(9), 0, 0),
        Delivered("b", [line("3", title="New")], 1, 1),
        Delivered("c", [*songs(8), line("99", title="New")], 2, 2),
    ]
    (state,) = place.curate(files).states.values()
    assert [(piece.partition, piece.rows) for piece in state.pieces] == [(None, 10)]


def test_small_slices_and_large_additions_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [Delivered("a", songs(9), 0, 0), Delivered("b", [line(str(n), title=f"New {n}") for n in range(5)], 1, 1)]
    monkeypatch.setattr(line_jobs, "PATCH_SHARE", 4)
    assert not patches(Place(tmp_path, LINES).curate(files))
    monkeypatch.setattr(line_jobs, "PATCH_SHARE", 1)
    assert patches(Place(tmp_path, LINES).curate(files, merged="large"))
    monkeypatch.setattr(line_jobs, "PATCHED_FROM", 10)
    assert not patches(Place(tmp_path, LINES).curate(files, merged="small"))


def no_marks(read: Query) -> Query:
    return lambda *told: read(*told).replace("REPLACE (m._lacking AS _lacking)", "")


def slice_alone(read: Query) -> Query:
    return lambda *told: read(*told).split(" UNION ALL ")[0]


def nothing_added(write: Query) -> Query:
    return lambda *told: write(*told).replace("AND NOT", "AND FALSE AND NOT")


WRONG = {
    "marks are not read": ("of_patched", no_marks),
    "a patch is not read": ("of_patched", slice_alone),
    "a patch has marks alone": ("patch_rows", nothing_added),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_patches_are_seen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what, spoil = WRONG[name]
    first, second = date(2025, 1, 20), date(2025, 1, 21)
    whole = [*songs(6, reporting_date=first), *songs(3, reporting_date=second)]
    files = [
        Delivered("a", whole, 0, 0),
        Delivered("b", [*whole[:2], line("3", title="New", reporting_date=first)], 1, 1),
        Delivered("c", [line("5", title="Newer", reporting_date=second)], 2, 2),
    ]
    place = Place(tmp_path, LINES)
    right_rows = grown(place, files, "right")
    monkeypatch.setattr(line_bench, what, spoil(getattr(line_bench, what)))
    try:
        wrong_rows = grown(place, files, "wrong")
    except AssertionError:
        return
    assert wrong_rows != right_rows


def grown(place: Place, files: list[Delivered], merged: str) -> list[tuple[object, ...]]:
    """The rows where the files came one after another."""
    notes = Notes()
    for upto in range(1, len(files) + 1):
        curated = place.curate(files[:upto], notes, merged=merged)
    return place.rows(curated)
