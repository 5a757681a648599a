"""Doctor: an account that is late is named on the day it is, one that is not never; each fault with its cure."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import giving
from bedrot.config import Schedule
from bedrot.connect.memory import Known, Outlook, memory_of, outlook
from bedrot.contract import Feed, Source
from bedrot.lake.ledger import Ledger, Standing
from bedrot.sources import find_sources
from bedrot.tell.status import FeedRow
from bedrot.watch import house
from bedrot.watch.doctor import Account, Health, Seen, judged, longest_gap
from bedrot.watch.schedule import ALL, times_of
from giving import BANK, Person

SEED = int(os.environ.get("BEDROT_SEED", "20251"))
DAY = timedelta(days=1)
BEGAN = date(2026, 1, 1)
SCHEDULE = Schedule()
SOURCES = {one.name: one for one in find_sources()}
GAP = 3 * DAY


def dated(source: Source) -> list[tuple[Feed, int]]:
    """The feeds of which new days are expected, and by how many days those may lie back."""
    found = [(feed, max(table.fresh_days for table in feed.tables)) for feed in source.feeds]
    return [(feed, fresh) for feed, fresh in found if fresh]


WATCHED = [name for name, source in SOURCES.items() if dated(source)]


def row(feed: Feed, until: date) -> FeedRow:
    return FeedRow(feed.name.split(".")[0], feed.name, "main", until.isoformat())


def life(source: Source, years: int, chance: random.Random) -> Iterator[tuple[datetime, Seen]]:
    """What is known at some instants of a life with a fetch at each planned time, where every service is in time."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    times = times_of(SCHEDULE)
    planned = times.get(source.name, times[ALL]).firings(first, first + years * 365 * DAY)
    feeds: tuple[FeedRow, ...] = ()
    before = None
    for at in planned:
        for _ in range(2 if before else 0):
            yield before + (at - before) * chance.random(), Seen(feeds)  # type: ignore[operator]
        if before:
            yield at - timedelta(minutes=1), Seen(feeds)
        feeds = tuple(row(feed, at.date() - chance.randint(1, fresh) * DAY) for feed, fresh in dated(source))
        before = at


@pytest.mark.parametrize("name", WATCHED)
def test_five_clean_years_give_no_alarm(name: str) -> None:
    sys.stdout.write(f"seed={SEED} (BEDROT_SEED overrides)\n")
    source, seen = SOURCES[name], 0
    for at, known in life(source, 5, random.Random(f"{SEED} {name}")):  # noqa: S311  a test
        found = judged(source, "main", known, at, GAP)
        assert found.health is Health.FRESH, f"{at}: {found}"
        seen += 1
    assert seen > 5 * 365


@pytest.mark.parametrize("name", WATCHED)
def test_a_source_that_falls_silent_is_named_on_the_day_on_which_it_is_late(name: str) -> None:
    source = SOURCES[name]
    for feed, fresh in dated(source):
        until = date(2026, 5, 15)
        others = tuple(row(one, date(2027, 1, 1)) for one, _ in dated(source) if one is not feed)
        seen = Seen((row(feed, until), *others))
        late = until + fresh * DAY + GAP + DAY
        eve = datetime.combine(late, datetime.min.time(), UTC) - timedelta(seconds=1)
        assert judged(source, "main", seen, eve, GAP).health is Health.FRESH
        found = judged(source, "main", seen, eve + timedelta(seconds=1), GAP)
        assert (found.health, found.late_since) == (Health.LATE, late)
        assert feed.name in found.sentence
        assert found.do == f"bedrot collect {name}"


def test_the_gap_is_the_longest_between_two_planned_times() -> None:
    at = datetime(2026, 5, 15, 12, tzinfo=UTC)
    assert longest_gap(Schedule(), "any", at) == 3 * DAY
    assert longest_gap(Schedule(days=("mon",)), "any", at) == 7 * DAY
    assert longest_gap(Schedule(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun")), "any", at) == DAY


def rolling(name: str, known: Known, now: datetime) -> tuple[Source, Feed, Outlook]:
    """The outlook of a feed whose service remembers a number of days."""
    source = SOURCES[name]
    feed = next(one for one in source.feeds if (one.remembers or source.remembers).days is not None and dated(source))
    return source, feed, outlook(Outlook(name, feed.name, "main", memory_of(source, feed, "main")), known, now)


def days(first: date, last: date) -> frozenset[date]:
    return frozenset(first + number * DAY for number in range((last - first).days + 1))


def test_days_that_were_lost_lately_are_named_and_older_ones_are_not() -> None:
    now = datetime(2027, 6, 1, 12, tzinfo=UTC)
    today = now.date()
    gone = today - 370 * DAY
    for hole, health in ((gone, Health.LOST), (gone - 30 * DAY, Health.FRESH)):
        known = Known(days(today - 500 * DAY, today - DAY) - {hole, hole + DAY})
        source, feed, look = rolling("linktree", known, now)
        found = judged(source, "main", Seen((row(feed, today - DAY),), (look,)), now, GAP)
        assert found.health is health, found
    assert "2 days were lost" in lost_sentence(today, gone, now)


def lost_sentence(today: date, hole: date, now: datetime) -> str:
    known = Known(days(today - 500 * DAY, today - DAY) - {hole, hole + DAY})
    source, feed, look = rolling("linktree", known, now)
    return judged(source, "main", Seen((row(feed, today - DAY),), (look,)), now, GAP).sentence


def test_days_that_will_soon_be_lost_need_somebody() -> None:
    now = datetime(2027, 6, 1, 12, tzinfo=UTC)
    today = now.date()
    hole = today - 360 * DAY
    known = Known(days(today - 500 * DAY, today - DAY) - {hole})
    source, feed, look = rolling("linktree", known, now)
    found = judged(source, "main", Seen((row(feed, today - DAY),), (look,)), now, GAP)
    assert found.health is Health.NEEDS_YOU
    assert found.next_loss is not None
    assert found.next_loss - today <= 7 * DAY


@pytest.mark.parametrize(
    ("state", "health"),
    [
        ("expired", Health.NEEDS_YOU),
        ("challenged", Health.NEEDS_YOU),
        ("portal changed", Health.NEEDS_YOU),
        ("provisional", Health.FRESH),
        ("unreachable", Health.FRESH),
        ("throttled", Health.FRESH),
    ],
)
def test_a_log_in_that_is_over_is_told_before_anything_is_late(state: str, health: Health) -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    asked = Standing("linktree", "main", now - DAY, state, "It is so.", "bedrot login linktree --account main")
    feeds = tuple(row(feed, now.date() - DAY) for feed, _ in dated(SOURCES["linktree"]))
    found = judged(SOURCES["linktree"], "main", Seen(feeds, asked=asked), now, GAP)
    assert found.health is health
    assert ("bedrot login" in found.do) is (health is Health.NEEDS_YOU)


def test_where_nothing_happened_there_may_be_no_days() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    source = SOURCES["metaads"]
    feeds = tuple(row(feed, now.date() - 60 * DAY) for feed, _ in dated(source))
    asked = Standing("metaads", "main", now, "provisional", first=now.date() - 30 * DAY, last=now.date() - DAY)
    assert judged(source, "main", Seen(feeds, asked=asked), now, GAP).health is Health.FRESH
    assert judged(source, "main", Seen(feeds), now, GAP).health is Health.LATE


# ---- the house: what is wrong with it is named, whatever it is ----


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    found = giving.person(tmp_path, monkeypatch, capsys)
    found.give(BANK)
    assert found.bedrot("run").code == 0
    return found


Plant = Callable[[Person, pytest.MonkeyPatch], None]


def _full(_person: Person, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(house.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))


def _little(_person: Person, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(house.shutil, "disk_usage", lambda _path: SimpleNamespace(free=2 << 30))


def _in_the_way(person: Person, _patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(person.lake.archive)
    person.lake.archive.write_text("in the way")


def _rotten_ledger(person: Person, _patch: pytest.MonkeyPatch) -> None:
    for path in person.lake.root.glob("ledger.sqlite*"):
        path.write_bytes(b"rot" * 4000)


def _newer_ledger(person: Person, _patch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(person.lake.ledger_path) as con:
        con.execute("PRAGMA user_version = 999")
    con.close()


def _forgetful_ledger(person: Person, _patch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(person.lake.ledger_path) as con:
        con.execute("DELETE FROM deliveries")
    con.close()


def _corrupt_record(person: Person, _patch: pytest.MonkeyPatch) -> None:
    (record,) = person.lake.snapshots.glob("*.json")
    record.chmod(0o644)
    record.write_text(record.read_text().replace("royalties", "royaltiez"))


def _missing_file(person: Person, _patch: pytest.MonkeyPatch) -> None:
    next(iter(sorted((person.lake.curated / "royalties").rglob("*.parquet")))).unlink()


def _clock_back(person: Person, _patch: pytest.MonkeyPatch) -> None:
    with Ledger(person.lake.ledger_path) as ledger:
        ledger.start_run(datetime.now(UTC) + 30 * DAY)


def _cut_off(person: Person, _patch: pytest.MonkeyPatch) -> None:
    with Ledger(person.lake.ledger_path) as ledger:
        ledger.start_run(datetime.now(UTC))
        second = ledger.start_run(datetime.now(UTC))
        ledger._run("UPDATE runs SET outcome = 'interrupted' WHERE id = ?", (second,))


def _no_log(person: Person, _patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(person.lake.logs)
    person.lake.logs.write_text("no folder")


def _synced(_person: Person, patch: pytest.MonkeyPatch) -> None:
    real = Path.resolve
    patch.setattr(Path, "resolve", lambda path: real(path.parent / "Dropbox" / path.name))


def _network(_person: Person, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(house, "_file_system", lambda _place: "nfs4")


def _gone(person: Person, _patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(person.lake.curated)
    person.lake.curated.mkdir()


FAULTS: dict[str, tuple[Plant, str, int]] = {
    "the disk is full": (_full, "disk", 2),
    "the disk is nearly full": (_little, "disk", 1),
    "a file stands where a zone was": (_in_the_way, "disk", 2),
    "the ledger is rotten": (_rotten_ledger, "ledger", 2),
    "the ledger is of a newer version": (_newer_ledger, "ledger", 2),
    "the ledger lacks deliveries": (_forgetful_ledger, "ledger", 1),
    "a record of a snapshot is changed": (_corrupt_record, "tables", 2),
    "a published file is missing": (_missing_file, "tables", 2),
    "the clock went back": (_clock_back, "clock", 1),
    "a run was cut off": (_cut_off, "runs", 1),
    "the log's folder is none": (_no_log, "log", 1),
    "the lake lies in a synced folder": (_synced, "place", 1),
    "the lake lies in a network folder": (_network, "place", 1),
    "nothing is published": (_gone, "tables", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named_with_what_to_do(fault: str, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, about, code = FAULTS[fault]
    plant(person, monkeypatch)
    found = person.bedrot("doctor", "--json")
    told = [one for one in json.loads(found.out)["house"] if one["about"] == about and one["level"]]
    assert told, found
    assert (max(one["level"] for one in told), found.code) == (code, max(code, 1))
    assert all(one["sentence"] and one["do"] for one in told)
    said = person.bedrot("doctor")
    assert f"{about}: " in said.out
    assert "What to do: " in said.out


def test_a_sound_house_has_nothing_to_say(person: Person) -> None:
    found = json.loads(person.bedrot("doctor", "--json").out)
    assert [one["about"] for one in found["house"] if one["level"]] == []
    assert [(one["source"], one["account"], one["health"]) for one in found["accounts"]] == [
        ("distrokid", "main", "late")
    ]


def test_a_current_lake_is_said_to_be_current(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    import bedrot.watch.doctor as told

    fresh = Account("distrokid", "main", Health.FRESH, "", data_until=date(2026, 1, 1))
    monkeypatch.setattr(told, "accounts", lambda *_: [fresh])
    said = person.bedrot("doctor")
    assert said.code == 0, said
    assert said.out.splitlines()[0] == "distrokid main: fresh; data until 2026-01-01"
    assert said.out.splitlines()[-1] == "You are current, and all is as it should be."
    monkeypatch.setattr(told, "accounts", lambda *_: [replace(fresh, health=Health.LATE, do="press")])
    assert person.bedrot("doctor").code == 1
