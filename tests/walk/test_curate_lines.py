"""Line items: curate agrees with the plain reference and with the truth, in any order, with any memory."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from curate_histories import History, history
from staging_files import LINES, Delivered, Notes, Place, kinds_of

from bedrot import sql
from bedrot.walk import curate_lines, fold_lines, line_bench, line_sql
from bedrot.walk.curate import Content, TableCurated

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import law4

FILTERS = ("full", "month", "store", "title", "artist", "country")
KINDS = {
    "plain": (("full", "month"), ""),
    "filtered": (FILTERS, ""),
    "artists": (("artist", "artist", "month"), ""),
    "restated": (("full", "restate", "month"), ""),
    "restated-filtered": ((*FILTERS, "restate"), ""),
    "store": (("full", "month"), "store"),
    "upc": (("full", "month"), "upc"),
    "title": (("full", "month"), "title"),
    "isrc": (("full", "month"), "isrc"),
    "blanked": (("full", "month"), "blanked"),
    "spelling": ((*FILTERS, "restate"), "spelling"),
    "store-filtered": (FILTERS, "store"),
    "upc-filtered": (FILTERS, "upc"),
}
SEED = int(os.environ.get("BEDROT_SEED", "1"))


def right(rows: list[tuple[Any, ...]], story: History) -> bool:
    """Whether the rows are the truth, line by line, the money to its last decimal (names may have been changed)."""

    def lines(whole: Iterable[tuple[Any, ...]]) -> Counter[Any]:
        return Counter((row[1], row[2], row[4], row[9], row[10], row[12]) for row in whole)

    return lines(rows) == lines(("main", *row.values()) for row in story.truth)


def agree(place: Place, story: History, memo: Any = None) -> tuple[Any, law4.Known]:
    """Curate a history and compare it row by row with the reference."""
    curated = place.curate(story.deliveries, memo)
    known = law4.curate(LINES, story.deliveries)
    assert place.rows(curated) == known.lines, f"seed={story.seed}"
    kinds = kinds_of(curated.held)
    assert kinds == known.held, f"seed={story.seed}"
    assert sum(one.lines for one in curated.vanished) == known.vanished
    assert len(curated.renamings) == known.aliases
    return curated, known


@pytest.mark.parametrize("kind", KINDS)
def test_random_histories_agree_with_the_reference_and_the_truth(kind: str, tmp_path: Path) -> None:
    kinds, change = KINDS[kind]
    story = history(SEED, kinds, change, steps=9, months=4)
    curated, _ = agree(Place(tmp_path, LINES), story)
    assert right(Place(tmp_path, LINES).rows(curated), story)
    assert not curated.held, f"seed={story.seed}"


def test_order_repeats_and_memory_change_nothing(tmp_path: Path) -> None:
    story = history(SEED + 1, (*FILTERS, "restate"), "store", steps=6, months=3)
    place = Place(tmp_path, LINES)
    once = place.curate(story.deliveries)
    again = [replace(one, id=f"{one.id}again", got=one.got + 5000) for one in story.deliveries[::3]]
    arrivals = [*story.deliveries, *again]
    random.Random(SEED).shuffle(arrivals)  # noqa: S311
    notes = Notes()
    for upto in range(1, len(arrivals) + 1):
        grown = place.curate(arrivals[:upto], notes, merged="grown")
    assert place.rows(grown) == place.rows(once)
    fresh = place.curate(arrivals, merged="fresh")
    assert fresh == replace_paths(grown, "grown", "fresh")
    assert place.rows(fresh) == place.rows(once)


def replace_paths(curated: TableCurated, old: str, new: str) -> TableCurated:
    """The same with merged files in another folder."""
    states = {
        where: replace(
            state,
            pieces=tuple(
                replace(piece, path=piece.path.parent.parent / new / piece.path.name)
                if piece.path.parent.name == old
                else piece
                for piece in state.pieces
            ),
        )
        for where, state in curated.states.items()
    }
    return replace(curated, states=states)


def test_two_accounts_do_not_see_each_other(tmp_path: Path) -> None:
    one = history(SEED, ("full", "month"), "title", steps=6, months=3)
    two = [replace(each, id=f"x{each.id}", account="other") for each in one.deliveries]
    place = Place(tmp_path, LINES)
    alone = place.rows(place.curate(one.deliveries))
    both = place.rows(place.curate([*one.deliveries, *two]))
    assert [row for row in both if row[0] == "main"] == alone
    assert len(both) == 2 * len(alone)


def test_twelve_months_of_plain_use_hold_nothing(tmp_path: Path) -> None:
    """Each month: the new month's file; every third month the whole ledger, or what one store paid."""
    whole = history(SEED, ("full",), steps=16, months=12).deliveries[-1].rows
    months = sorted({row["sale_month"] for row in whole})
    files = []
    for at, month in enumerate(months):
        files.append(Delivered(f"m{at:02d}", [row for row in whole if row["sale_month"] == month], 30 * at, 30 * at))
        known = [row for row in whole if row["sale_month"] <= month]
        shown = known if at % 6 == 2 else [row for row in known if row["store"] == "Spotify"]
        if at % 3 == 2:
            files.append(Delivered(f"w{at:02d}", shown, 30 * at + 1, 30 * at + 1))
    place, notes = Place(tmp_path, LINES), Notes()
    for upto in range(1, len(files) + 1):
        curated = place.curate(files[:upto], notes)
        assert not curated.held
    assert Counter(row[1:14] for row in place.rows(curated)) == Counter(tuple(row.values()) for row in whole)


WRONG = {
    "duplicates dropped": ("filtered", "of_slice"),
    "newest by arrival": ("restated", "age"),
    "binary fractions": ("filtered", "float"),
    "scale ignored": ("plain", "scale"),
    "no identity map": ("store", "judged"),
    "filters erase": ("filtered", "lacking"),
}


def plant(patch: pytest.MonkeyPatch, what: str) -> None:
    """Make curate wrong in one way."""
    read = line_sql.of_slice
    if what == "of_slice":
        content = sql.names(LINES.columns)
        patch.setattr(
            line_sql,
            "of_slice",
            lambda *told: f"SELECT * FROM ({read(*told)}) QUALIFY row_number() OVER (PARTITION BY {content}) = 1",
        )
    elif what == "age":
        patch.setattr(Content, "age", property(lambda content: (True, content.known_at)))
    elif what == "float":
        rough = "CAST(CAST(earnings AS DOUBLE) AS DECIMAL(38,18)) AS earnings"
        patch.setattr(line_sql, "of_slice", lambda *told: f"SELECT * REPLACE ({rough}) FROM ({read(*told)})")
    elif what == "scale":
        patch.setattr(fold_lines, "rounded", lambda value, *_: value)
        patch.setattr(fold_lines, "unit", lambda *_: "CAST('0.000000000000000001' AS DECIMAL(38,18))")
        patch.setattr(line_bench, "fold", without_restating)
    elif what == "judged":
        patch.setattr(curate_lines, "judged", lambda _: ([], []))
    elif what == "lacking":
        result = fold_lines._result
        patch.setattr(fold_lines, "_result", lambda job: f"SELECT * FROM ({result(job)}) WHERE _lacking IS NULL")


def without_restating(job: Any) -> Any:
    """A fold that adds whatever it cannot match."""
    found = fold_lines.fold(job)
    stored = sql.names((*LINES.columns, *line_bench.LineShape(LINES).stored[-6:]), "t.")
    job.con.execute(
        f"CREATE OR REPLACE VIEW fold_result AS SELECT {stored}, 'o' AS _from, NULL AS _was FROM {job.older} t"
        f" UNION ALL SELECT {stored}, 'n', NULL FROM {job.newer} t"
        " WHERE rowid NOT IN (SELECT n_id FROM fold_pairs)"
    )
    for one in found.values():
        one.from_older, one.from_newer, one.marks_moved = -1, -1, 1
    return found


@pytest.mark.parametrize("name", WRONG)
def test_planted_wrong_rules_are_seen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, what = WRONG[name]
    kinds, change = KINDS[kind]
    story = history(SEED, kinds, change, steps=9, months=4)
    plant(monkeypatch, what)
    place = Place(tmp_path, LINES)
    curated = place.curate(story.deliveries)
    found = []
    for state in curated.states.values():
        (piece,) = state.pieces
        where = f"WHERE _partition = {sql.text(piece.partition)}" if piece.partition else ""
        names = sql.names(LINES.columns)
        found += place.con.execute(
            f"SELECT {names} FROM read_parquet({sql.text(piece.path.as_posix())}) {where}"
        ).fetchall()
    assert not right(found, story)
