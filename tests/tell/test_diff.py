"""Diff: every row and every cent that changed between two days is told once, and adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laking import Label, Line, bank, bank_name

from bedrot.errors import Misconfigured
from bedrot.tell.diff import Diff, diff
from bedrot.tell.known import State, day_or_instant, times
from bedrot.walk.findings import read_findings

COUNTRIES = ("US", "GB", "DE", "FR")
OLD = [Line("2025-01-31", "Spotify", "Tin", str(n), f"0.{n}1", country) for n, country in enumerate(COUNTRIES, 1)]
NEW_NAME = [Line(one.reported, "Spotify Premium", one.title, one.quantity, one.earnings, one.country) for one in OLD]
TIDAL = [Line("2025-01-31", "Tidal", "Salt", "7", "1.5"), Line("2025-01-31", "Tidal", "Salt", "2", "0.25", "FR")]


@contextmanager
def told(label: Label, table: str, since: str, until: str) -> Iterator[tuple[Diff, State, State]]:
    with times(label.walk) as states:
        before, after = (states.known(day_or_instant(on, "--to")) for on in (since, until))
        yield diff(label.walk.sources, table, before, after, states.scratch / "spill"), before, after


def content(state: State, table: str) -> Counter[tuple[Any, ...]]:
    """The rows of a mart without lineage, as a multiset."""
    from bedrot.lake.opened import open_snapshot

    con = open_snapshot(state.lake, state.snapshot)
    try:
        return Counter(con.execute(f"SELECT COLUMNS(c -> c[1] <> '_') FROM {table}").fetchall())
    finally:
        con.close()


def applied(found: Diff, before: Counter[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    """What the changes make of the rows before; a change of a row that was not there is an error."""
    rows = Counter(before)
    for change in found.changes:
        if change.before is not None:
            rows[tuple(change.before.values())] -= 1
    assert min(rows.values(), default=0) >= 0
    rows.update(tuple(change.after.values()) for change in found.changes if change.after is not None)
    return +rows


def by_kind(found: Diff, column: str) -> Mapping[str, Decimal]:
    (one,) = [each for each in found.money if each.column == column]
    assert one.currency == "USD"
    assert one.before + sum(one.by_kind.values()) == one.after
    return {"before": one.before, **one.by_kind, "after": one.after}


@pytest.fixture(scope="module")
def label(tmp_path_factory: pytest.TempPathFactory) -> Label:
    """Three exports: a restated line, a renamed store with a new line, and one line that was truly taken back."""
    made = Label(tmp_path_factory.mktemp("label"))
    made.give("2025-02-01", bank_name("2025-02-01"), bank(*OLD, *TIDAL))
    restated = Line("2025-01-31", "Tidal", "Salt", "7", "1.75")
    made.give("2025-03-01", bank_name("2025-03-01"), bank(*OLD, restated, TIDAL[1]))
    added = Line("2025-01-31", "Deezer", "Tin", "1", "0.000000000001")
    made.give("2025-04-01", bank_name("2025-04-01"), bank(*NEW_NAME, restated, TIDAL[1], added))
    made.give("2025-05-01", bank_name("2025-05-01"), bank(*NEW_NAME, restated, added))
    made.run()
    with times(made.walk) as states:
        (vanished,) = read_findings(made.lake, states.now().snapshot).vanished
    made.decide("2025-06-01", "approve", vanished["id"])
    made.run()
    return made


def test_a_restated_line_is_a_pair_with_the_difference_of_its_money(label: Label) -> None:
    with told(label, "royalties", "2025-02-01", "2025-03-01") as (found, before, after):
        assert dict(found.numbers) == {"new": 0, "restated": 1, "renamed": 0, "gone": 0}
        (change,) = found.changes
        assert change.changed == ("earnings",)
        assert change.before is not None
        assert change.after is not None
        assert (change.before["earnings"], change.after["earnings"]) == (Decimal("1.5"), Decimal("1.75"))
        assert by_kind(found, "earnings")["restated"] == Decimal("0.25")
        assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_a_renamed_store_is_renamed_and_earns_nothing_and_a_new_line_is_new(label: Label) -> None:
    with told(label, "royalties", "2025-03-01", "2025-04-01") as (found, before, after):
        assert dict(found.numbers) == {"new": 1, "restated": 0, "renamed": 4, "gone": 0}
        assert {change.changed for change in found.changes if change.kind == "renamed"} == {("store",)}
        money = by_kind(found, "earnings")
        assert (money["renamed"], money["new"]) == (Decimal(0), Decimal("0.000000000001"))
        assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_a_vanished_line_is_told_and_stays_until_it_is_approved_then_it_is_gone(label: Label) -> None:
    with told(label, "royalties", "2025-04-01", "2025-05-01") as (found, _, _):
        assert set(found.numbers.values()) == {0}
        assert [one["lines"] for one in found.vanished] == [1]
    with told(label, "royalties", "2025-05-01", "2025-06-01") as (found, before, after):
        assert dict(found.numbers) == {"new": 0, "restated": 0, "renamed": 0, "gone": 1}
        assert by_kind(found, "earnings")["gone"] == Decimal("-0.25")
        assert found.vanished == []
        assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_a_mart_with_a_key_is_paired_by_it(label: Label) -> None:
    with told(label, "royalties_monthly", "2025-02-01", "2025-03-01") as (found, before, after):
        assert dict(found.numbers) == {"new": 0, "restated": 1, "renamed": 0, "gone": 0}
        assert found.changes[0].changed == ("earnings", "rate_per_1000")
        assert applied(found, content(before, "royalties_monthly")) == content(after, "royalties_monthly")


def test_a_staging_table_is_told_as_well(label: Label) -> None:
    with told(label, "staging.distrokid_bank", "2025-01-01", "2025-06-01") as (found, before, after):
        assert dict(found.numbers) == {"new": 6, "restated": 0, "renamed": 0, "gone": 0}
        assert (found.rows_before, found.rows_after) == (0, 6)
        assert applied(found, content(before, "staging.distrokid_bank")) == content(after, "staging.distrokid_bank")


def test_all_of_history_at_once_is_pairs_and_adds_up(label: Label) -> None:
    with told(label, "royalties", "2025-02-01", "2025-06-01") as (found, before, after):
        assert dict(found.numbers) == {"new": 1, "restated": 1, "renamed": 4, "gone": 1}
        assert by_kind(found, "earnings")["after"] == label.total()
        assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_rows_can_be_limited_while_numbers_and_money_are_of_all(label: Label) -> None:
    with times(label.walk) as states:
        before, after = (states.known(day_or_instant(on, "--to")) for on in ("2025-01-01", "2025-06-01"))
        found = diff(label.walk.sources, "royalties", before, after, states.scratch / "spill", rows=2)
        assert len(found.changes) == 2
        assert found.numbers["new"] == 6
        assert by_kind(found, "earnings")["new"] == label.total()
        with pytest.raises(Misconfigured, match=r"There is no table 'nope'\. Tables are .*royalties"):
            diff(label.walk.sources, "nope", before, after, states.scratch / "spill")


AMOUNTS = st.sampled_from(["0.01", "0.02", "1.00000001", "-0.5"])
LINES = st.lists(
    st.builds(
        Line,
        st.just("2025-01-31"),
        st.sampled_from(["Spotify", "Tidal"]),
        st.sampled_from(["Tin", "Salt"]),
        st.sampled_from(["1", "2"]),
        AMOUNTS,
        st.sampled_from(["US", "FR"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=5, deadline=None)
@given(LINES, LINES)
def test_the_changes_make_the_rows_after_of_the_rows_before(
    tmp_path_factory: pytest.TempPathFactory, first: list[Line], second: list[Line]
) -> None:
    made = Label(tmp_path_factory.mktemp("any"))
    made.give("2025-02-01", bank_name("2025-02-01"), bank(*first))
    made.give("2025-03-01", bank_name("2025-03-01"), bank(*second))
    made.run()
    for table in ("royalties", "royalties_monthly"):
        with told(made, table, "2025-02-01", "2025-03-01") as (found, before, after):
            assert applied(found, content(before, table)) == content(after, table)
            for one in found.money:
                assert one.before + sum(one.by_kind.values()) == one.after
