"""The durable publish: what it promises without faults, and at a fault in each of its calls."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from disk_faults import MODES, Fault, Killed, count, run_with

from bedrot.errors import Refused, StorageFailed
from bedrot.lake import disk, second_name

OLD, NEW = b"old" * 1000, b"new" * 100_000


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".tmp-*")]


def test_put_writes_all_and_marks_read_only(tmp_path: Path) -> None:
    final = tmp_path / "a" / "b" / "c.bin"
    assert disk.put(final, [NEW[:7], b"", NEW[7:]]) is True
    assert final.read_bytes() == NEW
    assert stat.S_IMODE(final.stat().st_mode) == 0o444
    assert left_over(tmp_path) == []


def test_a_taken_name_is_kept_unless_replace(tmp_path: Path) -> None:
    final = tmp_path / "x"
    assert disk.put(final, [OLD])
    assert disk.put(final, [NEW]) is False
    assert final.read_bytes() == OLD
    assert disk.put(final, [NEW], replace=True, read_only=False)
    assert final.read_bytes() == NEW
    assert os.access(final, os.W_OK)
    assert left_over(tmp_path) == []


def test_publish_of_a_file_that_another_program_wrote(tmp_path: Path) -> None:
    final = tmp_path / "t" / "x.parquet"
    tmp = disk.temporary(final)
    assert tmp.parent == final.parent
    tmp.write_bytes(NEW)
    assert disk.publish(tmp, final)
    assert final.read_bytes() == NEW
    again = disk.temporary(final)
    again.write_bytes(OLD)
    assert disk.publish(again, final) is False
    assert not again.exists()


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "write", lambda fd, data: os.write(fd, bytes(data)[:1000]))
    disk.put(tmp_path / "x", [NEW])
    assert (tmp_path / "x").read_bytes() == NEW


def test_a_lying_write_is_seen_before_the_name_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lies(fd: int, data: bytes) -> int:
        os.write(fd, bytes(data)[:-1])
        return len(data)

    monkeypatch.setattr(disk, "write", lies)
    with pytest.raises(StorageFailed, match="bytes were written"):
        disk.put(tmp_path / "x", [NEW])
    assert list(tmp_path.iterdir()) == []


def test_a_write_of_nothing_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "write", lambda fd, data: 0)
    with pytest.raises(StorageFailed):
        disk.put(tmp_path / "x", [NEW])


def test_what_the_chunks_raise_goes_through_and_nothing_is_published(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield OLD
        raise Refused("no")

    with pytest.raises(Refused):
        disk.put(tmp_path / "x", chunks())
    assert list(tmp_path.iterdir()) == []


def test_the_whole_file_is_looked_at_while_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, synced = threading.Event(), []
    fsync = disk.fsync

    def waits(fd: int) -> None:
        assert looking.wait(60)
        fsync(fd)
        synced.append(fd)

    def look(path: Path) -> None:
        assert path.read_bytes() == NEW
        assert not (tmp_path / "x").exists()
        looking.set()

    monkeypatch.setattr(disk, "fsync", waits)
    assert disk.put(tmp_path / "x", [NEW[:9], NEW[9:]], look=look)
    assert len(synced) == 1
    assert (tmp_path / "x").read_bytes() == NEW


def test_what_the_look_raises_goes_through_and_nothing_is_published(tmp_path: Path) -> None:
    def look(_path: Path) -> None:
        raise Refused("no")

    before = threading.active_count()
    with pytest.raises(Refused):
        disk.put(tmp_path / "x", [OLD], look=look)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


def test_a_sync_that_fails_behind_a_good_look_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(disk, "fsync", fails)
    with pytest.raises(StorageFailed, match="EIO"):
        disk.put(tmp_path / "x", [OLD], look=lambda _path: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("replace", [False, True])
def test_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool) -> None:
    def no_links(old: Path, new: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(disk, "link", no_links)
    assert disk.put(tmp_path / "x", [OLD], replace=replace)
    assert disk.put(tmp_path / "x", [NEW], replace=replace) is replace
    assert (tmp_path / "x").read_bytes() == (NEW if replace else OLD)
    assert left_over(tmp_path) == []


def test_the_branch_for_windows_works_as_far_as_it_can_be_seen_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "WINDOWS", True)
    assert disk.put(tmp_path / "d" / "x", [OLD])
    assert disk.put(tmp_path / "d" / "x", [NEW]) is False
    assert disk.put(tmp_path / "d" / "x", [NEW], replace=True)
    assert (tmp_path / "d" / "x").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / "d" / "x").stat().st_mode) == 0o444
    disk.remove(tmp_path / "d" / "x")
    assert list((tmp_path / "d").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "says"),
    [(errno.ENOSPC, "The disk is full (ENOSPC)"), (errno.EROFS, "read-only"), (errno.EIO, "fault (EIO)")],
)
def test_errors_name_file_and_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str) -> None:
    def fails(fd: int, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk, "write", fails)
    with pytest.raises(StorageFailed) as failed:
        disk.put(tmp_path / "song.csv", [NEW])
    assert says in str(failed.value)
    assert "song.csv" in str(failed.value)


def test_after_a_failed_fsync_the_bytes_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def fails_once(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        if len(synced) == 1:
            raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(disk, "fsync", fails_once)
    with pytest.raises(StorageFailed):
        disk.put(tmp_path / "x", [NEW])
    assert synced == synced[:1], "the same file must not be synced a second time"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    disk.put(tmp_path / "x", [NEW])
    assert (tmp_path / "x").read_bytes() == NEW


def test_sweep_takes_our_leftovers_only(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    keep = [tmp_path / "d" / ".tmp-holiday.csv", tmp_path / "d" / "a.csv", tmp_path / ".tmp-12-xyz-a"]
    ours = disk.temporary(tmp_path / "d" / "a.csv")
    for path in [*keep, ours]:
        path.write_bytes(b"x")
    assert disk.sweep(tmp_path) == 1
    assert not ours.exists()
    assert all(path.exists() for path in keep)


def test_remove_of_what_is_gone_is_no_error(tmp_path: Path) -> None:
    disk.remove(tmp_path / "never")


def test_adopt_gives_a_second_name_and_drop_takes_the_first(tmp_path: Path) -> None:
    ours, final = tmp_path / "landing" / "x", tmp_path / "raw" / "ab" / "x"
    disk.put(ours, [NEW])
    assert second_name.adopt(ours, final, iter(())) is True
    assert ours.stat().st_ino == final.stat().st_ino
    second_name.drop(ours, final)
    second_name.drop(ours, final)
    assert not ours.exists()
    assert final.read_bytes() == NEW
    assert (final.stat().st_nlink, stat.S_IMODE(final.stat().st_mode)) == (1, 0o444)


def test_adopt_keeps_what_has_the_name(tmp_path: Path) -> None:
    disk.put(tmp_path / "a", [NEW])
    disk.put(tmp_path / "b", [OLD])
    assert second_name.adopt(tmp_path / "a", tmp_path / "b", iter([NEW])) is False
    assert (tmp_path / "b").read_bytes() == OLD
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.ENOSYS])
def test_adopt_copies_where_no_link_can_be(tmp_path: Path, refuse_links: Callable[[int], None], code: int) -> None:
    refuse_links(code)
    disk.put(tmp_path / "a", [NEW])
    assert second_name.adopt(tmp_path / "a", tmp_path / "d" / "b", iter([NEW])) is True
    assert (tmp_path / "d" / "b").read_bytes() == NEW
    assert (tmp_path / "a").stat().st_ino != (tmp_path / "d" / "b").stat().st_ino
    assert left_over(tmp_path) == []


def test_the_branch_for_windows_drops_a_name_and_marks_the_other_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "WINDOWS", True)
    disk.put(tmp_path / "a", [NEW])
    assert second_name.adopt(tmp_path / "a", tmp_path / "b", iter(()))
    second_name.drop(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o444


def test_make_folder_syncs_each_parent_and_the_one_that_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(disk, "fsync_folder", synced.append)
    disk.make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path.parent, tmp_path, tmp_path / "a"]
    synced.clear()
    disk.make_folder(tmp_path / "a" / "b")
    assert synced == []
    disk._known.clear()
    disk.make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path / "a"], "another process may have made it and died before it could sync"


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageFailed):
        disk.make_folder(tmp_path / "a" / "b")


def put_new(root: Path) -> None:
    disk.put(root / "new" / "deep" / "x", [NEW[:100], NEW[100:]])


def put_over(root: Path) -> None:
    if not (root / "x").exists():
        (root / "x").write_bytes(OLD)
    disk.put(root / "x", [NEW[:100], NEW[100:]], replace=True, read_only=False)


def publish_new(root: Path) -> None:
    final = root / "new" / "x"
    tmp = disk.temporary(final)
    tmp.write_bytes(NEW)
    disk.publish(tmp, final)


def move_new(root: Path) -> None:
    disk.put(root / "landing" / "y", [NEW[:100], NEW[100:]], look=lambda path: None)
    second_name.adopt(root / "landing" / "y", root / "new" / "x", iter([NEW]))
    second_name.drop(root / "landing" / "y", root / "new" / "x")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("work", [put_new, put_over, publish_new, move_new])
def test_a_fault_at_each_call(tmp_path: Path, work: Callable[[Path], None], mode: str) -> None:
    """Whole or not at all, loud, nothing of it left by a failure, and the next attempt gets there."""
    calls = count(partial(work, fresh(tmp_path, 0)))
    assert calls >= 5
    for nth in range(1, calls + 1):
        root = fresh(tmp_path, nth)
        ended = run_with(Fault(nth, mode), partial(work, root))
        assert isinstance(ended, Killed if mode in ("kill before", "kill after", "torn") else StorageFailed), (
            nth,
            ended,
        )
        files = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".tmp-")]
        assert all(path.read_bytes() in (OLD, NEW) for path in files), (nth, mode)
        if mode in ("EIO", "ENOSPC"):
            assert len(left_over(root)) <= 1, "only where the failing call was the unlink itself"
        assert run_with(Fault(), partial(work, root)) is None
        disk.sweep(root)
        assert left_over(root) == []
        assert {path.read_bytes() for path in root.rglob("x")} == {NEW}


def fresh(tmp_path: Path, nth: int) -> Path:
    root = tmp_path / str(nth)
    root.mkdir()
    return root
