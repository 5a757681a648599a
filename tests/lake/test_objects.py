"""Raw objects: named by their bytes, put once, damage found and healed."""

from __future__ import annotations

import errno
import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from disk_faults import MODES, Fault, count, run_with, seeded

from bedrot.errors import StorageFailed
from bedrot.lake import disk, objects, second_name
from bedrot.lake.objects import StoredObject, check_object, hash_file, hashed, put_object
from bedrot.lake.zones import Lake


def given_file(tmp_path: Path, content: bytes = b"date,earnings\r" * 200_000) -> Path:
    path = tmp_path / "bank.tsv"
    path.write_bytes(content)
    return path


def test_bytes_are_kept_under_their_hash_once(tmp_path: Path) -> None:
    lake, path = Lake(tmp_path / "lake"), given_file(tmp_path)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    assert put_object(lake, path) == StoredObject(sha, path.stat().st_size, new=True)
    assert lake.object_path(sha).read_bytes() == path.read_bytes()
    before = lake.object_path(sha).stat()
    assert put_object(lake, path) == StoredObject(sha, path.stat().st_size, new=False)
    assert lake.object_path(sha).stat().st_mtime_ns == before.st_mtime_ns
    assert check_object(lake, sha)


def test_an_empty_file_is_an_object_too(tmp_path: Path) -> None:
    stored = put_object(Lake(tmp_path / "lake"), given_file(tmp_path, b""))
    assert stored.size == 0
    assert check_object(Lake(tmp_path / "lake"), stored.sha256)


def test_a_damaged_object_is_healed_and_said(tmp_path: Path) -> None:
    lake, path = Lake(tmp_path / "lake"), given_file(tmp_path)
    sha = put_object(lake, path).sha256
    damage(lake.object_path(sha), seeded(3))
    assert not check_object(lake, sha)
    assert put_object(lake, path).healed
    assert check_object(lake, sha)
    assert not put_object(lake, path).healed


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, path = Lake(tmp_path / "lake"), given_file(tmp_path)
    real = objects.hash_file

    def then_changes(one: Path) -> tuple[str, int]:
        answer = real(one)
        with one.open("ab") as file:
            file.write(b"more")
        return answer

    monkeypatch.setattr(objects, "hash_file", then_changes)
    with pytest.raises(StorageFailed, match="changed while"):
        put_object(lake, path)
    assert [one for one in lake.root.rglob("*") if one.is_file()] == []


def test_what_is_not_the_bytes_of_the_hash_told_is_not_kept(tmp_path: Path) -> None:
    lake, path = Lake(tmp_path / "lake"), given_file(tmp_path)
    with pytest.raises(StorageFailed, match="changed while"):
        put_object(lake, path, "0" * 64)
    assert [one for one in lake.root.rglob("*") if one.is_file()] == []


def test_a_hash_that_is_told_is_not_made_before_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, path = Lake(tmp_path / "lake"), given_file(tmp_path)
    sha, size = hash_file(path)
    monkeypatch.setattr(objects, "hash_file", lambda _path: pytest.fail("hashed once more"))
    assert put_object(lake, path, sha) == StoredObject(sha, size, new=True)
    monkeypatch.undo()
    assert check_object(lake, sha)


def test_a_file_of_ours_becomes_the_object_and_any_other_is_copied(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for ours in (True, False):
        path = lake.landing / "x" / f"{ours}.tsv"
        disk.put(path, [b"%d" % ours])
        stored = put_object(lake, path, hash_file(path)[0], ours=ours)
        assert (stored.size, stored.new) == (1, True)
        assert (lake.object_path(stored.sha256).stat().st_ino == path.stat().st_ino) is ours


def test_a_damaged_object_is_healed_by_a_copy_of_ours(tmp_path: Path) -> None:
    """The name in raw then is that of a file of its own: no byte is written into the damaged one."""
    lake = Lake(tmp_path / "lake")
    path = lake.landing / "x.tsv"
    disk.put(path, [b"a" * 5000])
    sha = put_object(lake, path, ours=True).sha256
    second_name.drop(path, lake.object_path(sha))
    damage(lake.object_path(sha), seeded(3))
    disk.put(path, [b"a" * 5000])
    assert put_object(lake, path, sha, ours=True) == StoredObject(sha, 5000, new=False, healed=True)
    assert check_object(lake, sha)


@pytest.mark.parametrize("sizes", [(), (0,), (1, 2, 3), (objects.PIECE, objects.PIECE, 7), (7, objects.PIECE)])
def test_the_hash_made_beside_is_that_of_all_pieces(sizes: tuple[int, ...]) -> None:
    chance = seeded(5)
    pieces = [chance.randbytes(size) for size in sizes]
    digest = hashlib.sha256()
    assert list(hashed(pieces, digest)) == pieces
    assert digest.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_no_thread_is_left_when_the_reader_or_the_file_breaks_off() -> None:
    def breaks() -> Iterator[bytes]:
        yield bytes(objects.PIECE)
        raise ValueError

    before = threading.active_count()
    with pytest.raises(ValueError), closing(hashed(breaks(), hashlib.sha256())) as pieces:  # noqa: PT011
        list(pieces)
    with closing(hashed(iter(lambda: bytes(objects.PIECE), b""), hashlib.sha256())) as pieces:
        next(pieces)
        next(pieces)
    assert threading.active_count() == before


def test_no_thread_is_left_when_the_disk_refuses_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = given_file(tmp_path, bytes(3 * objects.PIECE))
    monkeypatch.setattr("bedrot.lake.disk.write", full)
    before = threading.active_count()
    with pytest.raises(StorageFailed) as failed:
        put_object(Lake(tmp_path / "lake"), path, "0" * 64)
    assert threading.active_count() == before, failed


def test_a_piece_is_hashed_while_the_reader_has_it() -> None:
    reading = threading.Event()

    class Waits:
        def update(self, _piece: bytes) -> None:
            assert reading.wait(60)
            reading.clear()

    for _ in hashed([bytes(objects.PIECE)] * 3, Waits()):  # type: ignore[arg-type]
        reading.set()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match=r"gone\.csv"):
        hash_file(tmp_path / "gone.csv")


def test_bit_rot_is_found_and_nothing_else_is_called_damaged(tmp_path: Path) -> None:
    lake, chance = Lake(tmp_path / "lake"), seeded(11)
    shas = [put_object(lake, given_file(tmp_path, b"%d" % i * 50)).sha256 for i in range(120)]
    bad = set(chance.sample(shas, 40))
    for sha in bad:
        damage(lake.object_path(sha), chance)
    assert {sha for sha in shas if not check_object(lake, sha)} == bad
    assert not check_object(lake, "0" * 64)


@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_each_call(tmp_path: Path, mode: str) -> None:
    path = given_file(tmp_path)
    sha, size = hash_file(path)
    calls = count(partial(put_object, Lake(tmp_path / "lake"), path))
    for nth in range(1, calls + 1):
        lake = Lake(tmp_path / f"lake{nth}")
        assert run_with(Fault(nth, mode), partial(put_object, lake, path)) is not None
        assert not lake.object_path(sha).exists() or check_object(lake, sha), (nth, mode)
        stored = put_object(lake, path)
        assert (stored.sha256, stored.size, stored.healed) == (sha, size, False)
        assert check_object(lake, sha)


def test_healing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = given_file(tmp_path, b"x" * 5000)

    def damaged(name: str) -> Lake:
        lake = Lake(tmp_path / name)
        damage(lake.object_path(put_object(lake, path).sha256), seeded(1))
        return lake

    calls = count(partial(put_object, damaged("count"), path))
    for nth in range(1, calls + 1):
        lake = damaged(f"lake{nth}")
        run_with(Fault(nth, "kill after"), partial(put_object, lake, path))
        put_object(lake, path)
        assert check_object(lake, hash_file(path)[0])


def test_the_disk_full_is_said_with_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bedrot.lake.disk.write", full)
    with pytest.raises(StorageFailed, match="The disk is full"):
        put_object(Lake(tmp_path / "lake"), given_file(tmp_path))


def damage(path: Path, chance: random.Random) -> None:
    """Flip one bit, or cut off the end."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    if chance.random() < 0.8:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    else:
        del data[-1]
    path.write_bytes(bytes(data))
