"""Raw objects: bytes named by their SHA-256, put if absent, never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bedrot.errors import StorageFailed
from bedrot.lake import disk
from bedrot.lake.zones import Lake

_CHUNK = 1 << 20
_AGAIN = "Give the file again when nothing writes to it any more."


@dataclass(frozen=True)
class StoredObject:
    """Bytes that are safe in raw.

    `new`: they were not there before; `healed`: they were, but damaged, and are whole again.
    """

    sha256: str
    size: int
    new: bool = True
    healed: bool = False


def put_object(lake: Lake, source_path: Path) -> StoredObject:
    """Copy a file's bytes into raw, durably; what is there already is hashed again, and healed if it is damaged.

    Raises StorageFailed when the disk refuses, or when the file changes while it is read: nothing is kept then.
    """
    sha256, size = hash_file(source_path)
    path = lake.object_path(sha256)
    new = disk.put(path, _copied(source_path, sha256)) if not path.exists() else False
    if new:
        return StoredObject(sha256, size)
    if check_object(lake, sha256):
        disk.sync_folder(path.parent)
        return StoredObject(sha256, size, new=False)
    disk.put(path, _copied(source_path, sha256), replace=True)
    return StoredObject(sha256, size, new=False, healed=True)


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 (64 hex digits) and number of bytes of a file; StorageFailed where it cannot be read."""
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def check_object(lake: Lake, sha256: str) -> bool:
    """Whether the object is there and its bytes are what its name says."""
    path = lake.object_path(sha256)
    return path.is_file() and hash_file(path)[0] == sha256


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a mebibyte at a time."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as failed:
        raise StorageFailed(f"The file cannot be read: {failed.strerror}.", _AGAIN, file=str(path)) from failed


def _copied(path: Path, sha256: str) -> Iterator[bytes]:
    """The bytes of a file; StorageFailed at their end when they are not those that were hashed before."""
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise StorageFailed("The file changed while it was read.", _AGAIN, file=str(path))
