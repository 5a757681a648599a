"""Known-on: the state of a day is that of a lake which got only what was received and decided by then."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from laking import GOLDEN, Label, Line, bank, bank_name, day, rows_of

from bedrot.errors import Misconfigured
from bedrot.lake.snapshot import Snapshot
from bedrot.tell.known import connected, day_or_instant, times
from bedrot.walk.findings import read_findings
from bedrot.walk.known_on import known_on

JANUARY = [
    Line("2025-01-31", "Spotify", "Tin", str(n), f"0.{n}1", country) for n, country in enumerate(["US", "GB", "DE"], 1)
]
RENAMED = [Line(one.reported, "Spotify Premium", one.title, one.quantity, one.earnings, one.country) for one in JANUARY]
FEBRUARY = [Line("2025-02-28", "Tidal", "Salt", "7", "1.5"), Line("2025-02-28", "Tidal", "Salt", "2", "0.25", "FR")]
RESTATED = [Line("2025-02-28", "Tidal", "Salt", "7", "1.75"), FEBRUARY[1]]

GIVEN = {
    "first": ("2025-02-10", bank_name("2025-02-09"), bank(*JANUARY)),
    "second": ("2025-03-10", bank_name("2025-03-09"), bank(*RENAMED, *FEBRUARY)),
    "third": ("2025-04-10", bank_name("2025-04-09"), bank(RESTATED[0])),
    "apple": ("2025-03-20", "apple_stats.html", GOLDEN / "distrokid" / "golden" / "apple_stats.html"),
    "ads": ("2025-03-25", "ads_by_day.csv", GOLDEN / "metaads" / "golden" / "ads_by_day.csv"),
}
ASKED = ["2025-01-01", "2025-03-22", "2025-04-12", "2025-05-02", "2025-05-12"]


def decided(label: Label, ids: dict[str, str], until: str) -> None:
    """What a person decided by a day: a vanished line let go, a delivery moved and moved on, one taken out."""
    told = [
        ("2025-04-20", "approve", ids["vanished"], ""),
        ("2025-05-01", "reassign", ids["apple"], "other"),
        ("2025-05-10", "reassign", ids["apple"], "third"),
        ("2025-05-10", "retract", ids["ads"], ""),
    ]
    for on, kind, target, value in told:
        if on <= until:
            label.decide(on, kind, target, value)


def give_until(label: Label, until: str) -> dict[str, str]:
    return {name: label.give(*of) for name, of in GIVEN.items() if of[0] <= until}


def test_known_on_equals_a_fresh_lake_given_only_what_was_received_and_decided_by_then(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = Label(tmp_path / "real")
    ids = give_until(real, "2026-01-01")
    real.run()
    vanished = read_findings(real.lake, newest(real)).vanished
    assert [one["lines"] for one in vanished] == [1]
    ids["vanished"] = vanished[0]["id"]
    decided(real, ids, "2026-01-01")
    real.run()
    kept = tree(real)
    seen = []
    for asked in ASKED:
        known = known_on(real.walk, day_or_instant(asked, "--known-on"), tmp_path / f"scratch-{asked}")
        (tmp_path / asked).mkdir()
        fresh = Label(tmp_path / asked)
        give_until(fresh, asked)
        fresh.run()
        decided(fresh, ids, asked)
        fresh.run()
        ours, theirs = rows_of(known.lake, known.snapshot), fresh.rows()
        assert ours == theirs, asked
        assert known.findings == read_findings(fresh.lake, newest(fresh)), asked
        assert known.failed == []
        seen.append(ours)
    assert all(one != other for one, other in pairwise(seen)), "each day must tell something else"
    assert seen[-1] == real.rows()
    assert tree(real) == kept, "asking writes nothing into the lake"


def newest(label: Label) -> Snapshot:
    with times(label.walk) as states:
        return states.now().snapshot


def tree(label: Label) -> dict[str, tuple[int, int]]:
    """Every file of the five zones with its size and time."""
    zones = (label.lake.landing, label.lake.raw, label.lake.staging, label.lake.curated, label.lake.archive)
    files = (path for zone in zones for path in zone.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


# No shrinking: an example is three whole walks.
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    received=st.permutations([3, 10, 20, 28]),
    kept=st.lists(st.integers(0, 5), min_size=4, max_size=4),
    asked=st.integers(1, 30),
)
def test_known_on_equals_a_fresh_lake_whatever_the_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, received: list[int], kept: list[int], asked: int
) -> None:
    lines = [*JANUARY, *FEBRUARY]
    exports = [
        (f"2025-06-{on:02d}", bank_name(f"2025-03-{n + 1:02d}"), bank(*(lines[: 5 - cut] or lines)))
        for n, (on, cut) in enumerate(zip(received, kept, strict=True))
    ]
    until = f"2025-06-{asked:02d}"
    real, fresh = Label(tmp_path_factory.mktemp("real")), Label(tmp_path_factory.mktemp("fresh"))
    for one in exports:
        real.give(*one)
        if one[0] <= until:
            fresh.give(*one)
    real.run()
    fresh.run()
    known = known_on(real.walk, day_or_instant(until, "--known-on"), tmp_path_factory.mktemp("scratch"))
    assert rows_of(known.lake, known.snapshot) == fresh.rows()


def test_what_no_run_has_staged_yet_is_known_all_the_same(tmp_path: Path) -> None:
    label = Label(tmp_path)
    label.give(*GIVEN["first"])
    known = known_on(label.walk, day("2025-02-11"), tmp_path / "scratch")
    assert known.snapshot.tables["royalties"].rows == 3
    assert list(label.lake.staging.rglob("*.parquet")) == []


def test_a_delivery_is_known_from_its_very_instant_on(tmp_path: Path) -> None:
    label = Label(tmp_path)
    label.give(*GIVEN["first"])
    label.run()
    with times(label.walk) as states:
        assert states.known(datetime(2025, 2, 10, 11, 59, 59, 999999, UTC)).snapshot.tables["royalties"].rows == 0
        assert states.known(datetime(2025, 2, 10, 12, tzinfo=UTC)).snapshot.tables["royalties"].rows == 3
        one = states.asked("2025-02-10", None)
        assert states.asked("2025-02-10", None).snapshot is one.snapshot, "built once for a command"
        scratch = states.scratch
        with connected(one, scratch) as con:
            assert con.execute("SELECT count(*) FROM royalties").fetchall() == [(3,)]
    assert not scratch.exists()


def test_a_day_lasts_to_its_end_and_a_time_without_a_zone_is_utc() -> None:
    assert day_or_instant("2025-06-17", "--to") == datetime(2025, 6, 17, 23, 59, 59, 999999, UTC)
    assert day_or_instant("2025-06-17T18:00:00", "--to") == datetime(2025, 6, 17, 18, tzinfo=UTC)
    assert day_or_instant("2025-06-17T18:00:00+02:00", "--to") == datetime(2025, 6, 17, 16, tzinfo=UTC)
    with pytest.raises(Misconfigured, match=r"'yesterday' is not a day or an instant\. Write --to 2025-06-17"):
        day_or_instant("yesterday", "--to")


def test_an_older_snapshot_answers_and_one_that_never_was_is_named(tmp_path: Path) -> None:
    label = Label(tmp_path)
    label.give(*GIVEN["first"])
    label.run()
    label.give(*GIVEN["second"])
    label.run()
    with times(label.walk) as states:
        assert states.numbered(1).snapshot.tables["royalties"].rows == 3
        assert states.now().snapshot.tables["royalties"].rows == 5
        with pytest.raises(Misconfigured, match=r"There is no snapshot 3\. At hand are 1 to 2\."):
            states.numbered(3)
        with pytest.raises(Misconfigured, match="name two states"):
            states.asked("2025-01-01", 1)


def test_the_engine_of_a_state_reaches_its_files_only(tmp_path: Path) -> None:
    label = Label(tmp_path)
    label.give(*GIVEN["first"])
    label.run()
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    work = tmp_path / "work"
    work.mkdir()
    with times(label.walk) as states:
        for writable in (None, work):
            with connected(states.now(), states.scratch, writable) as con:
                assert con.execute("SELECT count(*) FROM royalties").fetchall() == [(3,)]
                with pytest.raises(Exception, match=r"disabled|not allowed|Permission"):
                    con.execute(f"SELECT * FROM read_csv('{other.as_posix()}')")
                with pytest.raises(Exception, match="locked"):
                    con.execute("SET enable_external_access = true")
