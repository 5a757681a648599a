"""The ledger: durable, all or nothing, versioned, and made anew from raw."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from disk_faults import Killed
from ledger_faults import Counted

from bedrot.errors import Busy, Damaged, Misconfigured, StorageFailed
from bedrot.lake import database
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.deliveries import Delivery, Sighting, write_manifest, write_sightings
from bedrot.lake.ledger import Landed, Ledger, PartitionContent, Staged
from bedrot.lake.zones import Lake

AT = datetime(2025, 3, 1, 12, tzinfo=UTC)


def delivered(number: int) -> Delivery:
    return Delivery(
        id=f"{number:032x}",
        object="a" * 64,
        size=3,
        source="toolost",
        feed="toolost.sales",
        account="main",
        exported_at=AT + timedelta(days=number),
        exported_basis="inside",
        resaved=False,
        name="s.csv",
        relative="in/s.csv",
        received_at=AT,
        window={"days": "7"} if number % 2 else None,
    )


def staged(number: int) -> Staged:
    return Staged(
        delivery=f"{number:032x}",
        table="toolost_sales",
        fingerprint="f1",
        path="staging/x.parquet",
        rejects_path="",
        records=5,
        rows=3,
        rejected=1,
        ignored={"total line": 1},
        money={"earnings": {"file": "1.10", "staged": "1.00", "rejected": "0.10", "unreadable": "0"}},
        scale=8,
        notes=["a note"],
        contents=[PartitionContent("2025-03", 2, "d1"), PartitionContent("2025-04", 1, "d2")],
        until="2025-04-02",
    )


def fill_raw(lake: Lake) -> tuple[list[Sighting], list[Sighting]]:
    for number in range(3):
        write_manifest(lake, delivered(number))
    first = [Sighting(delivered(0).id, AT, None, "a", "a"), Sighting(delivered(1).id, AT, AT, "b", "b")]
    second = [Sighting(delivered(0).id, AT + timedelta(days=1), None, "a", "a")]
    write_sightings(lake, first)
    write_sightings(lake, second)
    write_decision(lake, decide("retract", delivered(1).id, "wrong", AT))
    write_decision(lake, decide("approve", "h", "right", AT + timedelta(hours=1)))
    return first, second


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    landed = Landed("landing/inbox/x.csv", "s", "x.csv", "d/x.csv", "refused", "It is empty.", "Download it again.", AT)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add_delivery(delivered(1))
        ledger.add_delivery(delivered(1))
        ledger.note_landing(landed)
        ledger.save_staged(staged(1))
        ledger.add_decision(decide("approve", "h", "right", AT))
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.deliveries() == [delivered(1)]
        assert ledger.delivery(delivered(1).id) == delivered(1)
        assert ledger.delivery("none") is None
        assert ledger.landings() == [landed]
        ledger.note_landing(replace(landed, verdict="unrecognised"))
        assert [one.verdict for one in ledger.landings()] == ["unrecognised"]
        ledger.forget_landing(landed.path)
        assert ledger.landings() == []
        assert ledger.staged() == [staged(1)]
        newer = replace(staged(1), fingerprint="f2", rows=4)
        ledger.save_staged(newer)
        ledger.save_staged(replace(staged(1), table="other"))
        assert ledger.staged() == [replace(staged(1), table="other"), newer]
        ledger.forget_staged(newer.delivery)
        assert ledger.staged() == []
        assert ledger.decisions().approved("h")


def test_memory(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.memo_get("a") is None
        ledger.memo_put("a", "1")
        ledger.memo_put_many({"a": "2", "b/1": "3", "b/2": "4"})
        ledger.memo_put_many({})
        assert ledger.memo_get("a") == "2"
        assert ledger.memo_all("b/") == {"b/1": "3", "b/2": "4"}
        ledger.memo_forget(["b/1", "never"])
        assert ledger.memo_all() == {"a": "2", "b/2": "4"}


def test_a_run_that_never_finished_was_interrupted(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        first = ledger.start_run(AT)
        assert [one.outcome for one in ledger.runs()] == ["running"]
        second = ledger.start_run(AT + timedelta(hours=1))
        ledger.finish_run(second, AT + timedelta(hours=2), "done", '{"rows": 3}')
        runs = ledger.runs()
    assert [(one.id, one.outcome) for one in runs] == [(first, "interrupted"), (second, "done")]
    assert runs[0].finished_at is None
    assert runs[1].finished_at == AT + timedelta(hours=2)
    assert runs[1].summary == '{"rows": 3}'


def test_made_anew_it_equals_what_was_there(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first, second = fill_raw(lake)
    with Ledger(lake.ledger_path) as ledger:
        for number in range(3):
            ledger.add_delivery(delivered(number))
        ledger.add_sightings(first)
        ledger.add_sightings(second)
        ledger.add_sightings([])
        ledger.add_decision(decide("retract", delivered(1).id, "wrong", AT))
        ledger.add_decision(decide("approve", "h", "right", AT + timedelta(hours=1)))
        assert ledger.catch_up(lake) == 0
        before = facts(ledger)
    assert before[1] == first + second
    for damage in ("nothing", "gone", "garbage", "stale wal"):
        spoil(lake.ledger_path, damage)
        Ledger.rebuild(lake)
        with Ledger(lake.ledger_path) as ledger:
            ledger.check()
            assert facts(ledger) == before, damage


def test_made_anew_it_keeps_what_stands_nowhere_else(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path)
    fill_raw(lake)
    refused = Landed("landing/unknown/x.csv", "a" * 64, "login.csv", "login.csv", "refused", "A page.", "Do.", AT)
    with Ledger(lake.ledger_path) as ledger:
        ledger.catch_up(lake)
        ledger.note_landing(refused)
        ledger.memo_put("found", "again")
        ledger.finish_run(ledger.start_run(AT), AT, "done", "{}")
        runs = ledger.runs()
    Ledger.rebuild(lake)
    with Ledger(lake.ledger_path) as ledger:
        assert (ledger.landings(), ledger.runs(), ledger.memo_all()) == ([refused], runs, {})
        assert len(ledger.deliveries()) == 3
        assert ledger.start_run(AT) == runs[-1].id + 1
    assert not list(tmp_path.glob(".tmp-*"))
    lake.ledger_path.write_bytes(b"no ledger" * 500)
    Ledger.rebuild(lake)
    with Ledger(lake.ledger_path) as ledger:
        assert (ledger.landings(), len(ledger.deliveries())) == ([], 3)


def test_a_database_of_somebody_else_is_damaged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "l.sqlite")) as con:
        con.execute(f"PRAGMA user_version = {len(database.MIGRATIONS)}")
    with Ledger(tmp_path / "l.sqlite") as ledger, pytest.raises(Damaged, match="no such table"):
        ledger.deliveries()


def test_what_a_dead_process_left_in_raw_is_taken_in(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first, second = fill_raw(lake)
    with Ledger(lake.ledger_path) as ledger:
        ledger.add_delivery(delivered(0))
        ledger.add_sightings(first)
        assert ledger.catch_up(lake) == 5
        assert ledger.catch_up(lake) == 0
        assert len(ledger.deliveries()) == 3
        assert ledger.sightings() == first + second
    lake.manifest_path(delivered(2).id).chmod(0o644)
    lake.manifest_path(delivered(2).id).write_text("{}", encoding="utf-8")
    with pytest.raises(Damaged, match=delivered(2).id):
        Ledger.rebuild(lake)


def facts(ledger: Ledger) -> tuple[object, ...]:
    return ledger.deliveries(), ledger.sightings(), list(ledger.decisions()), ledger.decisions().digest


def spoil(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    if how == "garbage":
        path.write_bytes(b"not a ledger at all" * 1000)
    if how == "stale wal":
        path.with_name(path.name + "-wal").write_bytes(os.urandom(8192))


def test_what_is_no_ledger_is_damaged_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"not a ledger at all" * 1000)
    with pytest.raises(Damaged, match="rebuild --ledger"):
        Ledger(tmp_path / "l.sqlite")


def test_flipped_bytes_are_found_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        for number in range(300):
            ledger.add_delivery(delivered(number))
    data = bytearray(path.read_bytes())
    for place in range(4096, len(data), 512):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))

    def look() -> None:
        with Ledger(path) as ledger:
            ledger.check()

    with pytest.raises(Damaged):
        look()


def test_a_newer_ledger_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        ledger.memo_put("a", "1")
    plain(path, "PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="newer bedrot"):
        Ledger(path)
    assert plain(path, "SELECT value FROM memo") == [("1",)]


def test_commits_are_durable_and_readers_are_not_blocked(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger, Ledger(path) as reader:
        assert ledger._all("PRAGMA journal_mode") == [("wal",)]
        assert ledger._all("PRAGMA synchronous") == [(len(database.MIGRATIONS),)]
        with ledger.transaction():
            ledger.memo_put("a", "1")
            assert reader.memo_get("a") is None
        assert reader.memo_get("a") == "1"


def test_two_writers_at_once_one_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WAIT_MS", 50)
    path = tmp_path / "l.sqlite"
    with Ledger(path) as one, Ledger(path) as other, one.transaction(), pytest.raises(Busy):
        other.memo_put("a", "1")


def test_a_full_disk_loses_the_transaction_and_nothing_else(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.memo_put("before", "1")
        pages = ledger._all("PRAGMA page_count")[0][0]
        ledger._all(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(StorageFailed, match="The disk is full"):
            ledger.memo_put_many({f"k{i}": "x" * 500 for i in range(200)})
        assert ledger.memo_all() == {"before": "1"}
        ledger._all("PRAGMA max_page_count = 100000")
        ledger.memo_put_many({f"k{i}": "x" * 500 for i in range(200)})
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.check()
        assert len(ledger.memo_all()) == 201


def story(ledger: Ledger) -> None:
    """One transaction over several tables, then single facts."""
    with ledger.transaction():
        ledger.add_delivery(delivered(1))
        ledger.save_staged(staged(1))
        ledger.memo_put_many({"a": "1", "b": "2"})
    run = ledger.start_run(AT)
    ledger.finish_run(run, AT, "done", "{}")


@pytest.mark.parametrize("mode", ["kill before", "kill after", "error"])
def test_a_fault_at_each_statement(tmp_path: Path, mode: str) -> None:
    counted = interrupted(tmp_path / "count.sqlite", 0, mode)
    assert counted >= 9
    for nth in range(1, counted + 1):
        path = tmp_path / f"{nth}.sqlite"
        interrupted(path, nth, mode)
        with Ledger(path) as fresh:
            fresh.check()
            found = (len(fresh.deliveries()), len(fresh.staged()), len(fresh.memo_all()))
            assert found in ((0, 0, 0), (1, 1, 2)), (nth, mode)
            assert found == (1, 1, 2) or nth <= 6
            story(fresh)
            assert (len(fresh.deliveries()), len(fresh.staged()), len(fresh.memo_all())) == (1, 1, 2)
            assert fresh.runs()[-1].outcome == "done"
            assert all(one.outcome in ("done", "interrupted") for one in fresh.runs())


def interrupted(path: Path, nth: int, mode: str) -> int:
    """How many statements the story makes up to its end, or to the fault; the file is then let go of without a word."""
    ledger = Ledger(path)
    real = ledger._con
    counted = Counted(real, nth, mode)
    ledger._con = counted  # type: ignore[assignment]
    ended: BaseException | None = None
    try:
        story(ledger)
    except (Killed, StorageFailed) as error:
        ended = error
    assert (ended is None) is (nth == 0)
    real.close()
    return counted.calls


@pytest.mark.parametrize("mode", ["kill before", "kill after"])
def test_a_kill_in_the_middle_of_a_migration_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    real_connect = sqlite3.connect
    opened: list[Counted] = []

    def connect(nth: int) -> Callable[..., Counted]:
        def made(*args: object, **more: object) -> Counted:
            opened.append(Counted(real_connect(*args, **more), nth, mode))  # type: ignore[arg-type]
            return opened[-1]

        return made

    Ledger(tmp_path / "old.sqlite").close()
    step = "CREATE TABLE later (a INTEGER);ALTER TABLE memo ADD COLUMN extra TEXT;UPDATE memo SET extra = 'x'"
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
    for nth in range(1, 13):
        path = tmp_path / f"{nth}.sqlite"
        path.write_bytes((tmp_path / "old.sqlite").read_bytes())
        monkeypatch.setattr(sqlite3, "connect", connect(nth))
        with suppress(Killed):
            Ledger(path)
        monkeypatch.setattr(sqlite3, "connect", real_connect)
        opened[-1].real.close()
        version = plain(path, "PRAGMA user_version")[0][0]
        tables = {row[0] for row in plain(path, "SELECT name FROM sqlite_master")}
        assert ("later" in tables) is (version == len(database.MIGRATIONS)), nth
        with Ledger(path) as ledger:
            assert ledger._all("PRAGMA user_version") == [(len(database.MIGRATIONS),)]


def plain(path: Path, query: str) -> list[tuple[object, ...]]:
    con = sqlite3.connect(path)
    try:
        with con:
            return con.execute(query).fetchall()
    finally:
        con.close()


WRITER = """
import sys
from pathlib import Path
from bedrot.lake.ledger import Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    for i in range(100000):
        ledger.memo_put_many({f"{i}/{j}": "x" * 200 for j in range(5)})
        print(i, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    for kill_at in (3, 20, 40):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acknowledged = -1
        while acknowledged < kill_at:
            acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.strip().isdigit())])
        writer.wait()
        writer.stdout.close()
        with Ledger(path) as ledger:
            ledger.check()
            kept = ledger.memo_all()
            groups = {key.split("/")[0] for key in kept}
            assert all(f"{i}/{j}" in kept for i in range(acknowledged + 1) for j in range(5))
            assert len(kept) == 5 * len(groups), "a transaction is there as a whole or not at all"
            ledger.memo_forget(kept)
