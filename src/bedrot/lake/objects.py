"""Raw objects: bytes named by their SHA-256, put if absent, never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bedrot.errors import StorageFailed
from bedrot.lake import disk, second_name
from bedrot.lake.zones import Lake

PIECE = 4 << 20
"""Bytes read at a time: many enough that two threads seldom wait for each other."""
_LITTLE = 1 << 18
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


def put_object(lake: Lake, path: Path, sha256: str | None = None, *, ours: bool = False) -> StoredObject:
    """Keep a file's bytes in raw, durably; what is there already is hashed again, and healed if it is damaged.

    `sha256` is their hash where it is known. `ours`: this process has written the file by `disk.put` and proven that
    hash; it becomes the object without a copy, its name here a second one. Any other file is only copied: who else
    may write to it is not known. Raises StorageFailed when the disk refuses, or the bytes copied are others: nothing
    is kept then.
    """
    sha256 = sha256 or hash_file(path)[0]
    final = lake.object_path(sha256)
    if not final.exists() and _store(path, final, sha256, ours=ours):
        return StoredObject(sha256, final.stat().st_size)
    healed = not check_object(lake, sha256)
    if healed:
        with closing(_copied(path, sha256)) as chunks:
            disk.put(final, chunks, replace=True)
    else:
        disk.sync_folder(final.parent)
    return StoredObject(sha256, final.stat().st_size, new=False, healed=healed)


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 (64 hex digits) and number of bytes of a file; StorageFailed where it cannot be read."""
    digest = hashlib.sha256()
    with closing(hashed(pieces(path), digest)) as chunks:
        size = sum(map(len, chunks))
    return digest.hexdigest(), size


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a file is there, can be read, and has the bytes of that hash."""
    try:
        return hash_file(path)[0] == sha256
    except StorageFailed:
        return False


def check_object(lake: Lake, sha256: str) -> bool:
    """Whether the object is there and its bytes are what its name says."""
    path = lake.object_path(sha256)
    return path.is_file() and hash_file(path)[0] == sha256


def hashed(pieces: Iterable[bytes], digest: hashlib._Hash) -> Generator[bytes, None, None]:
    """The pieces as they come; behind the last one `digest` has them all. Close it where you may stop before.

    A thread of its own hashes a piece while the caller is at work on it, for hashlib lets go of the interpreter; it
    ends with the generator. Little pieces are not worth that.
    """
    with ThreadPoolExecutor(1) as beside:
        before: Future[None] | None = None
        for piece in pieces:
            if before is not None:
                before.result()
                before = None
            if len(piece) > _LITTLE:
                before = beside.submit(digest.update, piece)
            else:
                digest.update(piece)
            yield piece
        if before is not None:
            before.result()


def _store(path: Path, final: Path, sha256: str, *, ours: bool) -> bool:
    """Give the bytes their name in raw; False where it was taken."""
    with closing(_copied(path, sha256)) as chunks:
        return second_name.adopt(path, final, chunks) if ours else disk.put(final, chunks)


def pieces(path: Path) -> Generator[bytes, None, None]:
    """The bytes of a file, piece by piece; StorageFailed where it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(PIECE):
                yield chunk
    except OSError as failed:
        raise StorageFailed(f"The file cannot be read: {failed.strerror}.", _AGAIN, file=str(path)) from failed


def _copied(path: Path, sha256: str) -> Generator[bytes, None, None]:
    """The bytes of a file; StorageFailed at their end when they are not those that were hashed before."""
    digest = hashlib.sha256()
    yield from hashed(pieces(path), digest)
    if digest.hexdigest() != sha256:
        raise StorageFailed("The file changed while it was read.", _AGAIN, file=str(path))
