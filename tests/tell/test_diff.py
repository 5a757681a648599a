"""Diff: every row and every cent that changed between two days is told once, and adds up."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from laking import Label, Line, bank, bank_name

from bedrot import sql
from bedrot.errors import Misconfigured
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources, folder_of
from bedrot.tell.diff import Diff, diff
from bedrot.tell.known import State, Times, day_or_instant, times
from bedrot.walk.findings import Findings, read_findings
from bedrot.walk.marts import marts_of

COUNTRIES = ("US", "GB", "DE", "FR")
OLD = [Line("2025-01-31", "Spotify", "Tin", str(n), f"0.{n}1", country) for n, country in enumerate(COUNTRIES, 1)]
NEW_NAME = [Line(one.reported, "Spotify Premium", one.title, one.quantity, one.earnings, one.country) for one in OLD]
TIDAL = [Line("2025-01-31", "Tidal", "Salt", "7", "1.5"), Line("2025-01-31", "Tidal", "Salt", "2", "0.25", "FR")]


@dataclass
class Story:
    """A label, and its states by day."""

    label: Label
    states: Times

    def told(self, table: str, since: str, until: str, rows: int | None = None) -> tuple[Diff, State, State]:
        before, after = (self.states.known(day_or_instant(on, "--to")) for on in (since, until))
        spill = self.states.scratch / "spill"
        return diff(self.label.walk.sources, table, before, after, spill, rows=rows), before, after


def content(state: State, table: str) -> Counter[tuple[Any, ...]]:
    """The rows of a mart without lineage, as a multiset."""
    con = open_snapshot(state.lake, state.snapshot)
    try:
        return Counter(con.execute(f"SELECT COLUMNS('^[^_]') FROM {table}").fetchall())
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
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Four exports: a restated line, a renamed store with a new line, and one line that was truly taken back."""
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
    with times(made.walk) as states:
        yield Story(made, states)


def test_a_restated_line_is_a_pair_with_the_difference_of_its_money(story: Story) -> None:
    found, before, after = story.told("royalties", "2025-02-01", "2025-03-01")
    assert dict(found.numbers) == {"new": 0, "restated": 1, "renamed": 0, "gone": 0}
    (change,) = found.changes
    assert change.changed == ("earnings",)
    assert change.before is not None
    assert change.after is not None
    assert (change.before["earnings"], change.after["earnings"]) == (Decimal("1.5"), Decimal("1.75"))
    assert by_kind(found, "earnings")["restated"] == Decimal("0.25")
    assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_a_renamed_store_is_renamed_and_earns_nothing_and_a_new_line_is_new(story: Story) -> None:
    found, before, after = story.told("royalties", "2025-03-01", "2025-04-01")
    assert dict(found.numbers) == {"new": 1, "restated": 0, "renamed": 4, "gone": 0}
    assert {change.changed for change in found.changes if change.kind == "renamed"} == {("store", "store_group")}
    money = by_kind(found, "earnings")
    assert (money["renamed"], money["new"]) == (Decimal(0), Decimal("0.000000000001"))
    assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_a_vanished_line_is_told_and_stays_until_it_is_approved_then_it_is_gone(story: Story) -> None:
    found, _, _ = story.told("royalties", "2025-04-01", "2025-05-01")
    assert set(found.numbers.values()) == {0}
    assert [one["lines"] for one in found.vanished] == [1]
    found, before, after = story.told("royalties", "2025-05-01", "2025-06-01")
    assert dict(found.numbers) == {"new": 0, "restated": 0, "renamed": 0, "gone": 1}
    assert by_kind(found, "earnings")["gone"] == Decimal("-0.25")
    assert found.vanished == []
    assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_a_mart_with_a_key_is_paired_by_it(story: Story) -> None:
    found, before, after = story.told("royalties_monthly", "2025-02-01", "2025-03-01")
    assert dict(found.numbers) == {"new": 0, "restated": 1, "renamed": 0, "gone": 0}
    assert found.changes[0].changed == ("earnings", "rate_per_1000")
    assert applied(found, content(before, "royalties_monthly")) == content(after, "royalties_monthly")


def test_a_staging_table_is_told_as_well(story: Story) -> None:
    found, before, after = story.told("staging.distrokid_bank", "2025-01-01", "2025-06-01")
    assert dict(found.numbers) == {"new": 6, "restated": 0, "renamed": 0, "gone": 0}
    assert (found.rows_before, found.rows_after) == (0, 6)
    assert applied(found, content(before, "staging.distrokid_bank")) == content(after, "staging.distrokid_bank")


def test_all_of_history_at_once_is_pairs_and_adds_up(story: Story) -> None:
    found, before, after = story.told("royalties", "2025-02-01", "2025-06-01")
    assert dict(found.numbers) == {"new": 1, "restated": 1, "renamed": 4, "gone": 1}
    assert by_kind(found, "earnings")["after"] == story.label.total()
    assert applied(found, content(before, "royalties")) == content(after, "royalties")


def test_rows_can_be_limited_while_numbers_and_money_are_of_all(story: Story) -> None:
    found, _, _ = story.told("royalties", "2025-01-01", "2025-06-01", rows=2)
    assert len(found.changes) == 2
    assert found.numbers["new"] == 6
    assert by_kind(found, "earnings")["new"] == story.label.total()
    with pytest.raises(Misconfigured, match=r"There is no table 'nope'\. Tables are .*royalties"):
        story.told("nope", "2025-01-01", "2025-06-01")


def state_of(folder: Path, name: str, rows: Sequence[tuple[str, str, str, str, str]]) -> State:
    """A state with these royalties and nothing else: store, title, country, units, earnings."""
    marts = {mart.name: mart for mart in marts_of({one.name: folder_of(one) for one in find_sources()})}
    columns = [(column.name, column.type) for column in marts["royalties"].columns]
    told = {"source": "'s'", "account": "'a'", "currency": "'USD'", "kind": "'sale'"}
    names = ("store", "title", "country", "units", "earnings")
    lake = Lake(folder)
    path = lake.curated_path("royalties", "p", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    con = sql.connect(None)
    selects = [
        ", ".join(
            f"CAST({(told | dict(zip(names, map(sql.text, row), strict=True))).get(one, 'NULL')} AS {kind}) AS {one}"
            for one, kind in columns
        )
        for row in rows
    ]
    con.execute(f"COPY ({' UNION ALL '.join('SELECT ' + one for one in selects)}) TO '{path.as_posix()}'")
    con.close()
    table = TableState("royalties", columns, [Part("p", lake.relative(path), len(rows), "", "")], "")
    return State(lake, Snapshot(1, 0, {"royalties": table}, {}, datetime(2025, 1, 1, tzinfo=UTC)), Findings())


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Spotify", "spotify ", "Tidal"]),
        st.sampled_from(["Tin", "Salt"]),
        st.sampled_from(["US", "FR"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["0.01", "0.02", "1.000000000000000001", "-0.5", "99999999999999999.5"]),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(ROWS, ROWS)
def test_the_changes_make_the_rows_after_of_the_rows_before(
    first: list[tuple[str, str, str, str, str]], second: list[tuple[str, str, str, str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        before, after = state_of(folder, "before", first), state_of(folder, "after", second)
        found = diff(find_sources(), "royalties", before, after, folder / "spill")
        assert applied(found, content(before, "royalties")) == content(after, "royalties")
        with localcontext(prec=60):
            totals = [sum(map(Decimal, (row[4] for row in rows)), Decimal(0)) for rows in (first, second)]
        (money,) = [one for one in found.money if one.column == "earnings"]
        assert [money.before, money.after] == totals
        with localcontext(prec=60):
            assert money.before + sum(money.by_kind.values()) == money.after
        left = Counter(row[:3] for row in first), Counter(row[:3] for row in second)
        assert found.numbers["gone"] <= sum((left[0] - left[1]).values())
        assert found.numbers["new"] <= sum((left[1] - left[0]).values())
