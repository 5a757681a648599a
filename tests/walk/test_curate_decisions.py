"""What is held, vanished or renamed, what approving it does, and what curate does not do again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from staging_files import LINES, SERIES, SNAPSHOTS, WINDOWS, Delivered, Notes, Place

from bedrot import sql
from bedrot.contract import Grain, Partition
from bedrot.walk.curate import TableCurated

DAY = date(2025, 3, 20)


def line(earnings: str = "1.5", **changed: Any) -> dict[str, Any]:
    row = {
        "reporting_date": DAY, "sale_month": "2025-01", "store": "Spotify", "country": "NA", "artist": "Ana",
        "title": "One", "isrc": "QZABC2500001", "upc": "012345678905", "product": "Song", "quantity": 3, "note": None,
        "earnings": Decimal(earnings), "withheld": None,
    }  # fmt: skip
    return {**row, **changed}


def songs(count: int, earnings: str = "1.{}", **changed: Any) -> list[dict[str, Any]]:
    return [line(earnings.format(i), isrc=f"QZABC25{i:05d}", title=f"Song {i}", **changed) for i in range(count)]


def earned(place: Place, curated: TableCurated) -> list[Decimal]:
    return sorted(row[12] for row in place.rows(curated))


def test_a_key_with_fewer_lines_is_held_until_it_is_approved(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    files = [Delivered("old", [line(), line(), line("9", title="Two")], 0, 0), Delivered("new", [line()], 1, 1)]
    held = place.curate(files, notes)
    assert earned(place, held) == [Decimal("1.5"), Decimal("1.5"), 9]
    (one,) = held.held
    assert (one.kind, one.delivery, one.partition) == ("key", "new", "2025-03")
    assert one.detail["isrc"] == "QZABC2500001"
    assert one.what.endswith("2 lines are known, the newer file has 1.")
    assert [each.kind for each in held.verdicts if each.delivery == "new"] == ["held"]
    # The memory of the answer "no" must not outlive the approval, and the other way round.
    approved = place.curate(files, notes, lambda identity: identity == one.id)
    assert earned(place, approved) == [Decimal("1.5"), 9]
    assert not approved.held
    assert place.curate(files, notes) == held
    # A repeat of either file, found later, keeps the approval.
    more = [*files, Delivered("newer", [line()], 2, 2), Delivered("oldest", files[0].rows, -1, 3)]
    assert earned(place, place.curate(more, notes, lambda identity: identity == one.id)) == [Decimal("1.5"), 9]


def test_a_hold_is_over_when_a_newer_file_has_the_lines_again(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [Delivered("a", [line(), line()], 0, 0), Delivered("b", [line()], 1, 1)]
    assert place.curate(files).held
    whole = [*files, Delivered("c", [line(), line("2"), line("7", title="Two")], 2, 2)]
    curated = place.curate(whole)
    assert not curated.held
    assert earned(place, curated) == [Decimal("1.5"), 2, 7]


def test_many_held_keys_are_one_thing_to_approve(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [Delivered("a", songs(30) * 2, 0, 0), Delivered("b", songs(30), 1, 1)]
    (one,) = place.curate(files).held
    assert one.detail == {"keys": 30}
    assert len(place.rows(place.curate(files, None, lambda identity: identity == one.id))) == 30


def test_what_vanished_is_kept_reported_and_removed_when_approved(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    first = Delivered("a", [line(), line("9", title="Two"), line("4", reporting_date=date(2025, 3, 1))], 0, 0)
    files = [first, Delivered("b", [line()], 1, 1)]
    kept = place.curate(files, notes)
    (gone,) = kept.vanished
    assert (gone.delivery, gone.lines, gone.money["earnings"]) == ("b", 1, 9)
    assert earned(place, kept) == [Decimal("1.5"), 4, 9]
    assert [row[-1] for row in place.rows(kept) if row[12] == 9] == ["b"]
    without = place.curate(files, notes, lambda identity: identity == gone.id)
    assert earned(place, without) == [Decimal("1.5"), 4]
    assert not without.vanished
    (verdict,) = [one for one in without.verdicts if one.delivery == "b"]
    assert verdict.money["earnings"] == (Decimal("14.5"), Decimal("5.5"))
    # From then on: what a newer file brings back is there again.
    again = place.curate([*files, Delivered("c", [line("9", title="Two")], 2, 2)], notes, lambda one: one == gone.id)
    assert Decimal(9) in earned(place, again)


def test_a_line_that_is_back_is_not_lacking(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    rows = [line(), line("9", title="Two")]
    files = [Delivered("a", rows, 0, 0), Delivered("b", rows[:1], 1, 1), Delivered("c", rows[1:], 2, 2)]
    lacking = {row[12]: row[-1] for row in place.rows(place.curate(files))}
    assert lacking == {Decimal("1.5"): "c", Decimal(9): None}


def test_a_near_renaming_is_held_and_counts_nothing_twice(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    older, newer = songs(10, store="Deezer"), songs(10, store="Deezer Intl")
    newer[4] = {**newer[4], "earnings": Decimal(77)}
    files = [Delivered("a", older, 0, 0), Delivered("b", newer, 1, 1), Delivered("c", newer, 2, 2)]
    held = place.curate(files, notes)
    (one,) = held.held
    assert one.kind == "renaming"
    assert one.detail["equal"] == 9
    assert {row[3] for row in place.rows(held)} == {"Deezer"}
    approved = place.curate(files, notes, lambda identity: identity == one.id)
    assert earned(place, approved) == sorted(row["earnings"] for row in newer)
    assert {row[3] for row in place.rows(approved)} == {"Deezer Intl"}
    (renaming,) = approved.renamings
    assert (renaming.column, renaming.old, renaming.new, renaming.delivery) == ("store", "Deezer", "Deezer Intl", "b")
    assert [each.renamed for each in approved.verdicts if each.delivery == "b"] == [9]


def test_two_equal_lines_prove_no_renaming(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [Delivered("a", songs(2, store="A"), 0, 0), Delivered("b", songs(2, store="B"), 1, 1)]
    curated = place.curate(files)
    assert not curated.renamings
    assert len(place.rows(curated)) == 4


def test_a_value_that_became_two_things_is_for_a_person(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    new = [{**one, "store": "B" if i < 4 else "C"} for i, one in enumerate(songs(8))]
    files = [Delivered("a", songs(8, store="A"), 0, 0), Delivered("b", new, 1, 1)]
    curated = place.curate(files)
    assert [one.kind for one in curated.held] == ["renaming", "renaming"]
    assert not curated.renamings
    assert len(place.rows(curated)) == 8


def test_renamings_in_a_row_lead_to_the_newest_name(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [Delivered(name, songs(4, store=name), at, at) for at, name in enumerate(("A", "B", "C"))]
    late = Delivered("late", songs(4, reporting_date=date(2025, 1, 20), store="A"), -1, 9)
    curated = place.curate([*files, late])
    assert {row[3] for row in place.rows(curated)} == {"C"}
    assert len(place.rows(curated)) == 8
    assert curated.states["main", "2025-01"].pieces[0].partition is None


def test_a_blank_is_told_apart_by_its_recording(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    countries = ("US", "DE", "NA")
    old = [
        line(f"{i}.{n}", country=country, isrc=f"QZABC250000{i}", upc=None)
        for i in (1, 2)
        for n, country in enumerate(countries)
    ]
    new = [{**one, "upc": f"00000000000{one['isrc'][-1]}"} for one in old]
    curated = place.curate([Delivered("a", old, 0, 0), Delivered("b", new, 1, 1)])
    assert {(row[7], row[8]) for row in place.rows(curated)} == {(one["isrc"], one["upc"]) for one in new}
    assert len(place.rows(curated)) == 6
    # The other way a known number is not replaced by a blank.
    back = place.curate([Delivered("c", new, 0, 0), Delivered("d", old, 1, 1)])
    assert {row[8] for row in place.rows(back)} == {one["upc"] for one in new}
    assert len(place.rows(back)) == 6


def test_of_two_files_of_one_age_the_one_known_first_stays(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    rows = [line(), line("3", title="Two")]
    files = [Delivered("a", rows, 0, 5), Delivered("b", [line("2"), line("8", title="Three")], 0, 1)]
    curated = place.curate(files, notes)
    (one,) = curated.held
    assert (one.kind, one.delivery) == ("age", "a")
    assert earned(place, curated) == [2, 3, 8]
    assert not curated.vanished
    approved = place.curate(files, notes, lambda identity: identity == one.id)
    assert earned(place, approved) == [Decimal("1.5"), 3, 8]


@pytest.mark.parametrize("coarse", ["0.12345679", "0.12345678"])
def test_a_line_with_fewer_decimals_is_the_same_line(coarse: str, tmp_path: Path) -> None:
    fine = "0.123456787654"
    for order in ((fine, coarse), (coarse, fine)):
        place = Place(tmp_path / order[0], LINES)
        place.folder.mkdir()
        files = [Delivered(f"d{at}", [line(one), line("5.00000001")], at, at) for at, one in enumerate(order)]
        curated = place.curate(files)
        assert earned(place, curated) == [Decimal(fine), Decimal("5.00000001")]
        assert sum(one.restated for one in curated.verdicts) == 0


def test_a_re_saved_file_is_older_than_any_original(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    files = [Delivered("a", [line("2")], 0, 0), Delivered("b", [line("7")], 9, 9, original=False)]
    assert earned(place, place.curate(files)) == [2]


def test_rows_cite_the_oldest_file_that_holds_them(tmp_path: Path) -> None:
    place = Place(tmp_path, LINES)
    first = Delivered("late", [line(), line("2", title="Two")], 0, 99)
    other = Delivered("b", [line("6"), line("2", title="Two")], 1, 1)
    files = [other, Delivered("c", first.rows, 2, 2), first]
    assert {(row[12], row[14]) for row in place.rows(place.curate(files))} == {
        (Decimal("1.5"), "late"),
        (Decimal(2), "late"),
    }


class Counting:
    """An engine that counts what it is asked."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.asked: list[str] = []

    def execute(self, query: str, *more: Any) -> Any:
        self.asked.append(query)
        return self.con.execute(query, *more)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self.con.cursor()


def test_nothing_new_costs_no_sql_and_news_only_their_partition(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    months = [date(2025, month, 20) for month in range(1, 7)]
    whole = [row for day in months for row in songs(5, reporting_date=day)]
    files = [Delivered("a", whole, 0, 0), Delivered("b", [*whole[:-1], line("3", reporting_date=months[-1])], 1, 1)]
    before = place.curate(files, notes)
    staged = [content for one in files for content in place.stage(one)]
    counting = Counting(place.con)
    place.con = counting  # type: ignore[assignment]
    assert place.curate(files, notes) == before
    assert counting.asked == []
    # The newest file changes one partition: what is read are that partition's state and the new slice.
    news = Delivered("c", [*whole[:-2], line("4", reporting_date=months[-1])], 2, 2)
    place.con = counting.con
    place.stage(news)
    place.con = counting  # type: ignore[assignment]
    for content in staged:
        content.path.rename(content.path.with_suffix(".away")) if content.path.exists() else None
    after = place.curate([*files, news], notes)
    assert "2025-05" not in "".join(counting.asked)
    changed = {where for where in after.states if after.states[where].key != before.states[where].key}
    assert changed == {("main", "2025-06")}


def test_a_lost_merged_file_is_made_again_with_the_same_bytes(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, LINES), Notes()
    files = [
        Delivered("a", songs(9), 0, 0),
        Delivered("b", [*songs(4), line("3")], 1, 1),
        Delivered("c", songs(3), 2, 2),
    ]
    (state,) = place.curate(files, notes).states.values()
    path = state.pieces[0].path
    held = path.read_bytes()
    path.unlink()
    place.curate(files, notes)
    assert path.read_bytes() == held
    # Before the file is made, an earlier one than the last may be the one that is gone.
    more = [*files, Delivered("d", [line("6")], 3, 3)]
    path.unlink()
    assert place.rows(place.curate(more, notes)) == place.rows(place.curate(more, None, merged="whole"))
    place.curate(files, merged=path.parent.name)
    place.con = sql.connect(None, threads=2)
    (again,) = place.curate(files[::-1], merged="other").states.values()
    assert again.pieces[0].path.read_bytes() == held
    columns = [
        row[0] for row in place.con.execute(f"DESCRIBE FROM read_parquet({sql.text(path.as_posix())})").fetchall()
    ]
    assert columns[-6:] == ["_delivery", "_line", "_locator", "_partition", "_scale", "_lacking"]


def day(number: int, streams: int | None, *, soft: bool = False, **more: Any) -> dict[str, Any]:
    row = {"date": date(2025, 1, number), "store": "A", "streams": streams, "saves": None, "fees": None}
    return {**row, "provisional": soft, **more}


def test_series_keep_days_values_and_final_rows(tmp_path: Path) -> None:
    place = Place(tmp_path, SERIES)
    files = [
        Delivered("a", [day(1, 10, saves=2), day(2, 20, soft=True), day(3, 30)], 0, 0),
        Delivered("b", [day(2, 25), day(3, 99, soft=True)], 1, 1),
        Delivered("c", [day(2, None), day(1, 11, fees=Decimal("0.5")), day(4, 40, soft=True)], 2, 2),
    ]
    rows = [(row[1].day, row[3], row[4], row[7]) for row in place.rows(place.curate(files))]
    assert rows == [(1, 11, 2, "c"), (2, 25, None, "b"), (3, 30, None, "a"), (4, 40, None, "c")]


def test_series_of_one_age_are_held(tmp_path: Path) -> None:
    place = Place(tmp_path, SERIES)
    files = [Delivered("a", [day(1, 10)], 0, 0), Delivered("b", [day(1, 11), day(2, 20)], 0, 1)]
    curated = place.curate(files)
    assert [row[3] for row in place.rows(curated)] == [10, 20]
    (one,) = curated.held
    assert [one.kind, one.delivery, one.detail] == ["age", "b", {"date": "2025-01-01", "store": "A"}]
    assert [row[3] for row in place.rows(place.curate(files, None, lambda each: each == one.id))] == [11, 20]


def answer(entity: str, number: int, clicks: int | None, spend: str = "1", **more: Any) -> dict[str, Any]:
    start = date(2025, 1, number)
    row = {"level": "ad", "entity": entity, "date_start": start, "date_stop": start, "action": "like", "clicks": clicks}
    return {**row, "reach": None, "spend": Decimal(spend), **more}


def test_windows_replace_what_they_ask_and_keep_what_they_lack(tmp_path: Path) -> None:
    place, notes = Place(tmp_path, WINDOWS), Notes()
    old = [answer("1", 1, 5, reach=9), answer("1", 1, 6, action="share"), answer("2", 1, 7), answer("1", 2, 8)]
    files = [Delivered("a", old, 0, 0), Delivered("b", [answer("1", 1, 50), answer("3", 1, 1)], 1, 1)]
    curated = place.curate(files, notes)
    rows = [(row[2], row[3].day, row[6], row[7], row[-1]) for row in place.rows(curated)]
    # Reach was not asked for: it stays. The share is gone: the scope was asked whole. Ad 2 is lacking: kept.
    assert rows == [("1", 1, 50, 9, None), ("1", 2, 8, None, None), ("2", 1, 7, None, "b"), ("3", 1, 1, None, None)]
    (gone,) = curated.vanished
    assert (gone.delivery, gone.lines, gone.money) == ("b", 1, {"spend": Decimal(1)})
    (verdict,) = [one for one in curated.verdicts if one.delivery == "b"]
    assert (verdict.added, verdict.restated, verdict.vanished) == (1, 2, 1)
    assert verdict.money["spend"] == (4, 4)
    # One ad asked alone says nothing of another; a further day neither.
    alone = place.curate([files[0], Delivered("c", [answer("1", 1, 50)], 1, 1)])
    assert not alone.vanished
    without = place.curate(files, notes, lambda each: each == gone.id)
    assert [row[2] for row in place.rows(without)] == ["1", "1", "3"]
    later = [*files, Delivered("d", [answer("2", 1, 70), answer("1", 1, 50)], 2, 2)]
    grown = place.curate(later, notes, lambda each: each == gone.id)
    assert [row[6] for row in place.rows(grown) if row[2] == "2"] == [70]
    assert grown == place.curate(later, None, lambda each: each == gone.id)


def test_an_answer_that_ends_earlier_is_stale(tmp_path: Path) -> None:
    place = Place(tmp_path, replace(WINDOWS, until="date_stop"))
    files = [
        Delivered("a", [answer("1", 1, 5, date_stop=date(2025, 1, 9))], 0, 0),
        Delivered("b", [answer("1", 1, 4, date_stop=date(2025, 1, 8))], 1, 1),
    ]
    curated = place.curate(files)
    assert [row[6] for row in place.rows(curated)] == [5]
    assert [one.kind for one in curated.verdicts] == ["fresh", "stale"]


def test_a_row_that_proves_absence_empties_its_scope(tmp_path: Path) -> None:
    place = Place(tmp_path, replace(WINDOWS, absent="action"))
    none = answer("1", 1, None, action=None)
    first = Delivered("a", [answer("1", 1, 5), {**none, "entity": "2"}], 0, 0)
    assert [row[2] for row in place.rows(place.curate([first]))] == ["1"]
    assert place.rows(place.curate([first, Delivered("b", [none], 1, 1)])) == []


def thing(number: int, name: str, state: str) -> dict[str, Any]:
    return {"seen_on": date(2025, 1, number), "thing": name, "state": state, "size": 1}


def test_snapshots_replace_their_day_and_versions_keep_changes_only(tmp_path: Path) -> None:
    files = [
        Delivered("a", [thing(1, "a", "on"), thing(1, "b", "on")], 0, 0),
        Delivered("b", [thing(1, "a", "off")], 1, 1),
        Delivered("c", [thing(3, "a", "off")], 3, 3),
    ]
    place = Place(tmp_path, SNAPSHOTS)
    rows = [(row[1].day, row[2], row[3]) for row in place.rows(place.curate(files))]
    assert rows == [(1, "a", "off"), (3, "a", "off")]
    versions, notes = Place(tmp_path, replace(SNAPSHOTS, changes_only=True)), Notes()
    assert [row[1].day for row in versions.rows(versions.curate(files, notes))] == [1]
    # A version found late between two equal ones brings the later one back.
    late = [*files, Delivered("d", [thing(2, "a", "on")], 2, 9)]
    assert [(row[1].day, row[3]) for row in versions.rows(versions.curate(late, notes))] == [
        (1, "off"),
        (2, "on"),
        (3, "off"),
    ]


def test_a_sheet_without_dates_is_replaced_as_a_whole(tmp_path: Path) -> None:
    table = replace(SNAPSHOTS, key=("thing",), partition=Partition("thing", Grain.ALL), day="")
    place = Place(tmp_path, table)
    files = [
        Delivered("a", [thing(1, "a", "on"), thing(1, "b", "on")], 0, 0),
        Delivered("b", [thing(2, "b", "x")], 1, 1),
    ]
    assert [(row[2], row[3]) for row in place.rows(place.curate(files))] == [("b", "x")]
