"""Small, dense cases found by Hypothesis: ties of age, repeats, blanks, few keys, in all four merges."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging_files import LINES, SERIES, SNAPSHOTS, WINDOWS, Delivered, Notes, Place, kinds_of

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import law4

CONTENT = replace(WINDOWS, name="answers", until="date_stop", absent="action")
UNTIL = replace(WINDOWS, name="relative", until="date_stop")
VERSIONS = replace(SNAPSHOTS, name="versions", changes_only=True)
SETTINGS = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)

AMOUNTS = st.sampled_from(["1", "1.00000001", "1.000000012345", "-0.3", "0.000000004999", "2.5"]).map(Decimal)
DAYS = st.sampled_from([date(2025, 1, 3), date(2025, 1, 4), date(2025, 2, 1)])


def texts(*values: str | None) -> st.SearchStrategy[str | None]:
    return st.sampled_from(values)


def line_rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.fixed_dictionaries(
        {
            "reporting_date": DAYS,
            "sale_month": st.just("2024-12"),
            "store": texts("A", "B"),
            "country": texts("US", "NA"),
            "artist": texts("Ann", "ann ", None),
            "title": texts("One", "one", "Two"),
            "isrc": texts("I1", "I2", None),
            "upc": texts("U1", None),
            "product": st.just("Song"),
            "quantity": st.sampled_from([1, 2, 0]),
            "note": texts(None, "x"),
            "earnings": AMOUNTS,
            "withheld": st.sampled_from([None, Decimal(0), Decimal("0.1")]),
        }
    )
    return st.lists(row, min_size=1, max_size=8)


def unique(rows: st.SearchStrategy[dict[str, Any]], key: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: tuple(row[one] for one in key))


COUNTS = st.sampled_from([None, 1, 2, 3])
SERIES_ROWS = unique(
    st.fixed_dictionaries(
        {
            "date": DAYS,
            "store": texts("A", "B"),
            "streams": COUNTS,
            "saves": COUNTS,
            "fees": st.sampled_from([None, Decimal(1), Decimal("2.5")]),
            "provisional": st.sampled_from([False, True, None]),
        }
    ),
    SERIES.key,
)
WINDOW_ROWS = unique(
    st.fixed_dictionaries(
        {
            "level": texts("ad", "campaign"),
            "entity": texts("1", "2"),
            "date_start": DAYS,
            "date_stop": st.sampled_from([date(2025, 2, 1), date(2025, 2, 2)]),
            "action": texts("like", "click", None),
            "clicks": COUNTS,
            "reach": st.none() | COUNTS,
            "spend": st.sampled_from([None, Decimal(1), Decimal("2.5")]),
        }
    ),
    WINDOWS.key,
)
SNAPSHOT_ROWS = unique(
    st.fixed_dictionaries(
        {"seen_on": DAYS, "thing": texts("a", "b"), "state": texts("on", "off", None), "size": COUNTS}
    ),
    SNAPSHOTS.key,
)
CASES = {
    "lines": (LINES, line_rows()),
    "series": (SERIES, SERIES_ROWS),
    "windows": (WINDOWS, WINDOW_ROWS),
    "relative": (UNTIL, WINDOW_ROWS),
    "answers": (CONTENT, WINDOW_ROWS),
    "snapshots": (SNAPSHOTS, SNAPSHOT_ROWS),
    "versions": (VERSIONS, SNAPSHOT_ROWS),
}


@st.composite
def deliveries(draw: st.DrawFn, rows: st.SearchStrategy[list[dict[str, Any]]]) -> list[Delivered]:
    """Up to six deliveries over three ages; some repeat an earlier one, some are re-saved, two accounts."""
    found: list[Delivered] = []
    for number in range(draw(st.integers(1, 6))):
        repeats = bool(found) and draw(st.integers(0, 3)) == 0
        said = draw(st.sampled_from(found)).rows if repeats else draw(rows)
        found.append(
            Delivered(
                f"d{number}",
                said,
                draw(st.integers(0, 2)),
                draw(st.integers(0, 3)),
                draw(st.sampled_from(["main", "main", "other"])),
                draw(st.integers(0, 5)) > 0,
            )
        )
    return found


@pytest.mark.parametrize("case", CASES)
def test_any_small_set_agrees_with_the_reference(case: str) -> None:
    table, rows = CASES[case]

    @SETTINGS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        given_files = data.draw(deliveries(rows))
        shuffled = data.draw(st.permutations(given_files))
        with tempfile.TemporaryDirectory() as folder:
            _agrees(Place(Path(folder), table), given_files, list(shuffled))

    check()


def _agrees(place: Place, files: list[Delivered], shuffled: list[Delivered]) -> None:
    known = law4.curate(place.table, files)
    once = place.curate(files)
    assert place.rows(once) == known.lines
    assert kinds_of(once.held) == known.held
    assert sum(one.lines for one in once.vanished) == known.vanished
    # Each arrival alone, in another order, with a memory: the same in the end.
    notes = Notes()
    for upto in range(1, len(shuffled) + 1):
        last = place.curate(shuffled[:upto], notes, merged="grown")
    assert place.rows(last) == known.lines
    assert (last.verdicts, last.held, last.vanished) == (once.verdicts, once.held, once.vanished)
    assert {where: state.key for where, state in last.states.items()} == {
        where: state.key for where, state in once.states.items()
    }
