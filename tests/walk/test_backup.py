"""Backup and restore of a small lake: what is kept, what is not, what is noticed, what is forgotten."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedrot.errors import BedrotError, Busy, Damaged, Misconfigured, StorageFailed
from bedrot.lake import snapshot
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.ledger import Landed, Ledger
from bedrot.lake.zones import Lake
from bedrot.tell.verify import verify
from bedrot.walk import backup_restore, backup_view, backup_work
from bedrot.walk.backup import back_up, find_damage, forget_older
from bedrot.walk.backup_restore import backups, restore_from
from bedrot.walk.backup_store import Store

NOW = datetime(2026, 6, 2, 19, tzinfo=UTC)


def small_lake(root: Path) -> Lake:
    """A lake with two files in raw, one in landing that was turned away, and a snapshot of one table."""
    lake = Lake.create(root)
    for name in ("inbox/new.csv", "unknown/20260601T000000Z-00000000.csv"):
        (lake.landing / name).parent.mkdir(exist_ok=True)
        (lake.landing / name).write_text(name)
    for text in ("one", "two"):
        sha256 = backup_work.hashlib.sha256(text.encode()).hexdigest()
        lake.object_path(sha256).parent.mkdir(parents=True)
        lake.object_path(sha256).write_text(text)
    part = publish(lake, 1, b"first")
    with Ledger(lake.ledger_path) as ledger:
        ledger.note_landing(turned_away("landing/unknown/20260601T000000Z-00000000.csv"))
    assert part.is_file()
    return lake


def publish(lake: Lake, number: int, data: bytes) -> Path:
    """A snapshot with one file of these bytes."""
    sha256 = backup_work.hashlib.sha256(data).hexdigest()
    path = lake.curated_path("royalties", "2025-01", sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    part = snapshot.Part("2025-01", lake.relative(path), 1, sha256, "")
    table = snapshot.TableState("royalties", [("a", "INTEGER")], [part], "")
    snapshot.write_snapshot(lake, snapshot.Snapshot(number, number - 1, {"royalties": table}, {}, NOW))
    return path


def turned_away(path: str, text: str = "unknown/20260601T000000Z-00000000.csv") -> Landed:
    sha256 = backup_work.hashlib.sha256(text.encode()).hexdigest()
    return Landed(path, sha256, "sales.csv", "sales.csv", "unrecognised", "Nobody knows it.", "Look.", NOW)


def contents(root: Path) -> dict[str, bytes]:
    """All files below a folder but locks, the ledger (whose rows are compared) and what no backup has."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if not name.startswith("ledger.sqlite") and path.name not in (".lock", ".lock-who.json", "new.csv")
    }


def ledger_rows(lake: Lake) -> dict[str, list[object]]:
    """Every row of the ledger."""
    with closing(sqlite3.connect(lake.ledger_path)) as con:
        tables = con.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        return {name: con.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return small_lake(tmp_path / "lake")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "backups"


def test_what_comes_back_is_what_was_there(lake: Lake, target: Path, tmp_path: Path) -> None:
    done = back_up(lake, target, NOW)
    restored = restore_from(target, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(lake.root)
    assert ledger_rows(Lake(tmp_path / "back")) == ledger_rows(lake)
    assert (restored.written, restored.broken) == (len(done.record.files), [])
    with Ledger(tmp_path / "back/ledger.sqlite") as ledger:
        assert list(verify(Lake(tmp_path / "back"), ledger)) == []


def test_only_what_is_new_is_read_and_written(lake: Lake, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = back_up(lake, target, NOW)
    assert first.new_files == len({one.sha256 for one in first.record.files})
    second = back_up(lake, target, NOW)
    assert (second.made, second.new_files, second.record.name) == (False, 0, first.record.name)
    read: list[str] = []
    monkeypatch.setattr(
        Path, "open", lambda path, *how, **more: read.append(path.name) or closing_open(path, *how, **more)
    )
    part = publish(lake, 2, b"second")
    third = back_up(lake, target, NOW + timedelta(days=1))
    assert third.made
    assert third.new_files == 3  # the part, its record, the pointer
    assert part.name in read
    assert not {path.name for path in lake.objects.rglob("*")} & set(read)
    assert [one.number for one in backups(target)[0]] == [1, 2]


def closing_open(path: Path, *how: str, **more: str) -> object:
    import io

    return io.open(path, *how, **more)  # noqa: UP020


def test_what_nobody_looked_at_and_strangers_stay_out(lake: Lake, target: Path) -> None:
    (lake.root / "notes.txt").write_text("mine")
    (lake.root / "my_sources/bandcamp").mkdir(parents=True)
    (lake.root / "my_sources/bandcamp/__init__.py").write_text("SOURCE = 1")
    lake.config_path.write_text('sources = ["my_sources", "../elsewhere"]\n')
    done = back_up(lake, target, NOW)
    paths = {one.path for one in done.record.files}
    assert done.unread == ["landing/inbox/new.csv"]
    assert done.left_out == ["../elsewhere (sources outside of the lake's folders)", "notes.txt"]
    assert "my_sources/bandcamp/__init__.py" in paths
    assert not any(path.endswith((".lock", "-wal", "-shm", "notes.txt", "new.csv")) for path in paths)
    with Ledger(lake.ledger_path) as ledger:
        ledger.note_landing(turned_away("landing/inbox/new.csv", "inbox/new.csv"))
    assert "landing/inbox/new.csv" in {one.path for one in back_up(lake, target, NOW).record.files}
    (lake.landing / "inbox/new.csv").write_text("another one of the same name")
    done = back_up(lake, target, NOW + timedelta(days=1))
    assert done.unread == ["landing/inbox/new.csv"]


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_damage_in_the_folder_is_named_and_brought_anew(lake: Lake, target: Path, tmp_path: Path, how: str) -> None:
    done = back_up(lake, target, NOW)
    victim = next(one for one in done.record.files if one.path.startswith("raw/objects"))
    harm(Store(target).object_path(victim.sha256), how)
    assert find_damage(Store(target)) == {victim.sha256: victim.path}
    restored = restore_from(target, tmp_path / "half")
    assert [one.split(":")[0] for one in restored.broken] == [victim.path]
    assert not (tmp_path / "half" / victim.path).exists()
    again = back_up(lake, target, NOW, read_back=how == "flipped")
    assert again.healed == ([victim.path] if how == "flipped" else [])  # the others are seen without being read
    assert find_damage(Store(target)) == {}


def harm(path: Path, how: str) -> None:
    data = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:] if how == "flipped" else data[:-1])


def test_damage_in_the_lake_does_not_reach_the_backup(lake: Lake, target: Path, tmp_path: Path) -> None:
    back_up(lake, target, NOW)
    one, two = sorted(path for path in lake.objects.rglob("*") if path.is_file())
    good = one.read_bytes()
    one.chmod(0o644)
    one.write_bytes(good + b"!")
    gone, kept = two.name, two.read_bytes()
    two.unlink()
    done = back_up(lake, target, NOW + timedelta(days=1), keep=1)
    assert [told.split()[0] for told in done.damaged] == [lake.relative(one)]
    assert done.missing == [lake.relative(two)]
    assert done.forgotten == []  # the older one has what the lake lost
    assert Store(target).object_path(gone).read_bytes() == kept
    restore_from(target, tmp_path / "newest")
    assert (tmp_path / "newest" / lake.relative(one)).read_bytes() == good
    fact = lake.decisions / "20260602T190000Z-0000000000000000.json"
    fact.parent.mkdir()
    fact.write_text(backup_restore.seal({"kind": "retract"}))
    back_up(lake, target, NOW + timedelta(days=2))
    fact.write_text("cut sho")
    done = back_up(lake, target, NOW + timedelta(days=3), keep=1)
    assert [told.split()[0] for told in done.damaged][:1] == [lake.relative(fact)]
    assert restore_from(target, tmp_path / "later").broken == []
    assert "retract" in (tmp_path / "later" / lake.relative(fact)).read_text()
    fact.unlink()
    write_decision(lake, decide("purge", "0" * 32, "It must go.", NOW))
    assert back_up(lake, target, NOW + timedelta(days=2)).missing == []


def test_older_backups_are_forgotten_with_what_only_they_had(lake: Lake, target: Path, tmp_path: Path) -> None:
    old = publish(lake, 2, b"second")
    back_up(lake, target, NOW)
    for day, number in enumerate((3, 4), start=1):
        publish(lake, number, str(number).encode())
        if number == 4:
            old.unlink()
            lake.snapshot_path(2).unlink()
        back_up(lake, target, NOW + timedelta(days=day))
    before = contents(lake.root)
    assert len(forget_older(target, 2)) == 1
    assert Store(target).object_path(old.stem).exists()
    assert len(forget_older(target)) == 1
    assert not Store(target).object_path(old.stem).exists()
    assert {path.name for path in Store(target).objects()} == {one.sha256 for one in backups(target)[0][0].files}
    restore_from(target, tmp_path / "back")
    assert contents(tmp_path / "back") == before
    publish(lake, 5, b"five")
    assert back_up(lake, target, NOW + timedelta(days=9), keep=1).forgotten == ["000003-20260604T190000Z"]


def test_nothing_is_forgotten_while_a_backup_to_keep_is_unreadable(lake: Lake, target: Path) -> None:
    back_up(lake, target, NOW)
    publish(lake, 2, b"second")
    back_up(lake, target, NOW)
    newest = Store(target).records()[-1]
    harm(newest, "cut")
    before = contents(target)
    with pytest.raises(Damaged):
        forget_older(target)
    assert contents(target) == before
    assert len(backups(target)[0]) == 1
    with pytest.raises(Damaged):
        restore_from(target, target.with_name("x"))
    assert backups(target)[1] == [newest.stem]
    assert back_up(lake, target, NOW, read_back=True).lost == [f"records/{newest.name}"]


def refusals(lake: Lake, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Folders that cannot be the target, and what is said."""
    yield lake.root, "inside the lake"
    yield lake.raw / "backup", "inside the lake"
    yield tmp_path, "lies inside that folder"
    (tmp_path / "link").symlink_to(lake.root)
    yield tmp_path / "link" / "x", "inside the lake"
    (tmp_path / "file").write_text("x")
    yield tmp_path / "file", "a file of that name"
    yield tmp_path / "unplugged" / "backups", "unplugged is not there"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("x")
    yield tmp_path / "full", "other things (thesis.doc)"
    back_up(small_lake(tmp_path / "other"), tmp_path / "others", NOW)
    yield tmp_path / "others", "another lake"
    back_up(lake, tmp_path / "newer", NOW)
    harm_format(tmp_path / "newer/bedrot-backup.json")
    yield tmp_path / "newer", "newer bedrot"


def harm_format(path: Path) -> None:
    value = json.loads(path.read_text())["value"] | {"format": 2}
    path.chmod(0o644)
    path.write_text(backup_restore.seal(value))


def test_a_folder_that_cannot_be_it_is_refused(lake: Lake, tmp_path: Path) -> None:
    for target, said in refusals(lake, tmp_path):
        before = contents(tmp_path)
        with pytest.raises(Misconfigured) as refused:
            back_up(lake, target, NOW)
        assert said in refused.value.sentence, target
        assert refused.value.do
        new = {name: data for name, data in contents(tmp_path).items() if name not in before}
        assert new.keys() <= {"lake/.lake-id.json"}
        assert contents(tmp_path) == before | new


def test_a_folder_that_is_not_empty_is_no_place_for_a_lake(lake: Lake, target: Path, tmp_path: Path) -> None:
    back_up(lake, target, NOW)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.doc").write_text("x")
    (tmp_path / "file").write_text("x")
    for root, said in (
        (lake.root, "not empty"),
        (tmp_path / "full", "holds thesis.doc"),
        (tmp_path / "file", "file of that name"),
        (target / "lake", "inside the backup"),
    ):
        before = contents(tmp_path)
        with pytest.raises(Misconfigured) as refused:
            restore_from(target, root)
        assert said in refused.value.sentence
        assert contents(tmp_path) == before
    for which in ("nonsense", "2026"):
        publish(lake, snapshot.current_number(lake) + 1, which.encode())
        back_up(lake, target, NOW)
        with pytest.raises(Misconfigured, match="called"):
            restore_from(target, tmp_path / "back", which)
    restore_from(target, tmp_path / "back", backups(target)[0][0].name)
    assert snapshot.current_number(Lake(tmp_path / "back")) == 1


def test_a_folder_that_may_not_be_read_is_not_left_out(
    lake: Lake, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = os.walk

    def refusing(top: Path, **told: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
        if Path(top) == lake.objects:
            told["onerror"](PermissionError(13, "Permission denied", str(top)))
        return walk(top)

    monkeypatch.setattr(backup_view.os, "walk", refusing)
    with pytest.raises(PermissionError):
        back_up(lake, target, NOW)
    assert Store(target).records() == []


def test_no_room_is_said_before_anything_is_written(
    lake: Lake, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(lake, target, NOW)
    publish(lake, 2, b"second")
    monkeypatch.setattr(backup_work.shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined]
    before = contents(target)
    with pytest.raises(StorageFailed, match="no room"):
        back_up(lake, target, NOW)
    with pytest.raises(StorageFailed, match="no room"):
        restore_from(target, tmp_path / "back")
    assert contents(target) == before
    assert not (tmp_path / "back/bedrot.toml").exists()


def test_two_at_once_into_one_folder(lake: Lake, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bedrot.walk import backup_store

    monkeypatch.setattr(backup_store, "_WAIT", 0.05)
    with Store(target).locked(), pytest.raises(Busy, match="Another backup"):
        back_up(lake, target, NOW)
    assert back_up(lake, target, NOW).made


def test_what_moves_away_meanwhile_is_looked_for_again(
    lake: Lake, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list and the reading a snapshot goes and another one comes, again and again."""
    bring, number = backup_work.Work._bring, [1]

    def moving(work: backup_work.Work, view: backup_view.View) -> object:
        if number[0] < 4:
            number[0] += 1
            publish(lake, number[0], str(number[0]).encode())
            for path in (lake.snapshot_path(number[0] - 1), *lake.curated.glob("royalties/*/*")):
                if path.stem != backup_work.hashlib.sha256(str(number[0]).encode()).hexdigest():
                    path.unlink()
        return bring(work, view)

    monkeypatch.setattr(backup_work.Work, "_bring", moving)
    done = back_up(lake, target, NOW)
    assert (done.snapshot, done.missing) == (4, [])
    restore_from(target, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(lake.root)


# ---- wrong variants: each must be seen ----


def unlike(lake: Lake, target: Path, back: Path) -> list[str]:
    """What differs behind a backup that is made while the ledger is open, and its restoration."""
    with Ledger(lake.ledger_path) as ledger:
        ledger.memo_put("a", "1")
        ledger.note_landing(turned_away("landing/unknown/20260601T000000Z-00000000.csv"))
        ledger.memo_put("b", "2")
        back_up(lake, target, NOW)
        restore_from(target, back)
    theirs, ours = ledger_rows(lake), ledger_rows(Lake(back))
    return [name for name in theirs if theirs[name] != ours.get(name)]


@pytest.mark.parametrize("wrong", [False, True], ids=["as it is", "copied as a file"])
def test_the_ledger_is_taken_with_what_stands_in_its_log(
    lake: Lake, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    if wrong:
        monkeypatch.setattr(backup_view, "ledger_image", Path.read_bytes)
    assert bool(unlike(lake, target, tmp_path / "back")) is wrong


def test_images_of_a_ledger_at_work(lake: Lake) -> None:
    """Each image is whole and shows both ends of a commit, or neither; copies of the file, piece by piece, do not."""
    stop, turned, big = threading.Event(), threading.Event(), "x" * 9_000

    def work() -> None:
        with Ledger(lake.ledger_path) as ledger:
            number = 0
            while not stop.is_set():
                number += 1
                ledger.memo_put_many({"first": str(number), f"k{number % 90}": big + str(number), "last": str(number)})
                if number > 400:  # SQLite has brought its log into the file by then
                    turned.set()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        assert turned.wait(60)
        torn = {
            take.__name__: sum(is_torn(take(lake.ledger_path)) for _ in range(8))
            for take in (backup_view.ledger_image, copied_in_pieces)
        }
    finally:
        stop.set()
        writer.join()
    sys.stdout.write(f"of 8 each, torn: {torn}\n")
    assert torn["ledger_image"] == 0
    assert torn["copied_in_pieces"] > 0


def copied_in_pieces(path: Path) -> bytes:
    """A plain copy, as slow as one of a large file."""
    data = b""
    with path.open("rb") as file:
        while piece := file.read(16_384):
            data += piece
            time.sleep(0.004)
    return data


def is_torn(image: bytes) -> bool:
    with closing(sqlite3.connect(":memory:")) as con:
        con.deserialize(image[:18] + b"\x01\x01" + image[20:])
        try:
            whole = con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = dict(con.execute("SELECT key, value FROM memo WHERE key IN ('first', 'last')").fetchall())
        except sqlite3.Error:
            return True
        return not whole or found.get("first") != found.get("last")


def believed(lake: Lake, target: Path, back: Path) -> list[str]:
    """Files whose bytes rotted in the folder and that a restoration took for good."""
    done = back_up(lake, target, NOW)
    rotten = [one for one in done.record.files if one.size]
    for one in {one.sha256: one for one in rotten}.values():
        harm(Store(target).object_path(one.sha256), "flipped")
    restore_from(target, back)
    return [one.path for one in rotten if (back / one.path).exists()]


@pytest.mark.parametrize("wrong", [False, True], ids=["as it is", "without a look at hashes"])
def test_bytes_that_rotted_do_not_count(
    lake: Lake, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    def unchecked(path: Path, _sha256: str) -> Iterator[bytes]:
        yield path.read_bytes()

    if wrong:
        monkeypatch.setattr(backup_restore, "_checked", unchecked)
    assert bool(believed(lake, target, tmp_path / "back")) is wrong


def test_names_that_lead_out_of_the_lake_are_not_followed(lake: Lake, target: Path, tmp_path: Path) -> None:
    back_up(lake, target, NOW)
    record = Store(target).records()[0]
    for name in ("../evil", str(tmp_path / "evil"), "raw/../../evil"):
        value = json.loads(record.read_text())["value"]
        value["files"][0][0] = name
        record.chmod(0o644)
        record.write_text(backup_restore.seal(value))
        with pytest.raises(Damaged, match="outside of a lake"):
            restore_from(target, tmp_path / "back")
    assert not (tmp_path / "evil").exists()


def test_a_restore_goes_on_where_it_ended(lake: Lake, target: Path, tmp_path: Path) -> None:
    """Interrupted again and again: no lake, and then the whole one; another backup's rest is not mixed in."""
    done = back_up(lake, target, NOW)
    back = tmp_path / "back"
    bring: Callable[..., None] = backup_restore._bring
    for _ in range(len(done.record.files) // 2):
        left = [2]

        def stops(*told: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            bring(*told)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backup_restore, "_bring", stops)
            if len(done.record.files) - len(contents(back)) < 3:
                break
            with pytest.raises(KeyboardInterrupt):
                restore_from(target, back)
        assert not (back / "bedrot.toml").exists()
        with pytest.raises(BedrotError):
            Lake.find(back)
    publish(lake, 2, b"second")
    back_up(lake, target, NOW)
    with pytest.raises(Misconfigured, match="another backup"):
        restore_from(target, back)
    restored = restore_from(target, back, done.record.name)
    assert restored.written < len(done.record.files)
    assert not (back / ".restoring.json").exists()
    with pytest.raises(Misconfigured, match="not empty"):
        restore_from(target, back)
