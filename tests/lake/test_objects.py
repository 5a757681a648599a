"""Raw objects: named by their bytes, put once, damage found and healed."""

from __future__ import annotations

import errno
import hashlib
import random
from functools import partial
from pathlib import Path

import pytest
from disk_faults import MODES, Fault, count, run_with, seeded

from bedrot.errors import StorageFailed
from bedrot.lake import objects
from bedrot.lake.objects import StoredObject, check_object, hash_file, put_object
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
