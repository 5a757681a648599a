"""Line items: curate agrees with the plain reference and with the truth, in any order, with any memory."""

from __future__ import annotations

import random
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from curate_histories import History, history
from staging_files import LINES, Notes, Place

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import law4  # noqa: E402

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
SEEDS = (1, 2)


def money(rows: list[tuple[Any, ...]]) -> Decimal:
    return sum((row[12] for row in rows), Decimal(0))


def agree(place: Place, story: History, memo: Any = None) -> tuple[Any, law4.Known]:
    """Curate a history and compare it row by row with the reference."""
    curated = place.curate(story.deliveries, memo)
    known = law4.curate(LINES, story.deliveries)
    assert place.rows(curated) == known.lines, f"seed={story.seed}"
    kinds = Counter(one.kind for one in curated.held)
    assert kinds == known.held, f"seed={story.seed}"
    assert sum(one.lines for one in curated.vanished) == known.vanished
    assert len(curated.renamings) == known.aliases
    return curated, known


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_random_histories_agree_with_the_reference_and_the_truth(kind: str, seed: int, tmp_path: Path) -> None:
    kinds, change = KINDS[kind]
    story = history(seed, kinds, change)
    curated, known = agree(Place(tmp_path, LINES), story)
    assert len(known.lines) == len(story.truth)
    assert abs(money(known.lines) - sum(row["earnings"] for row in story.truth)) < Decimal("0.000001")
    assert not curated.held
