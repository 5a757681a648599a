"""A bundle: files of the lake as one tar compressed with zstd; its first member lists them with their SHA-256."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from bedrot.errors import Damaged, StorageFailed
from bedrot.lake.sealed import seal, unseal
from bedrot.lake.zones import Lake

MANIFEST = "MANIFEST.json"
_BLOCK = 512
_CHUNK = 1 << 20
_LEVEL = 3
_LIST_BYTES = 64 << 20
_BROKEN = (tarfile.TarError, zstandard.ZstdError, OSError, EOFError, UnicodeDecodeError)
_AGAIN = "Restore it from a backup of the lake; `bedrot verify` lists all damage."


@dataclass(frozen=True)
class Entry:
    """A file in a bundle: its path from the lake's root, the SHA-256 and number of its bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, and what it says it holds."""

    path: Path
    entries: tuple[Entry, ...]

    @property
    def paths(self) -> frozenset[str]:
        """Paths of all files that it holds."""
        return frozenset(entry.path for entry in self.entries)


def bundle_chunks(lake: Lake, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The bytes of a bundle of these files; StorageFailed where one has not the bytes that its entry names."""
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for chunk in _tar(lake, entries):
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def repacked(bundle: Bundle, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The bytes of a bundle of these files of another one, in its order; Damaged where that one is not whole."""
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for chunk in _repacked(bundle, entries):
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def read_manifest(path: Path) -> Bundle:
    """What a bundle says it holds; Damaged where that cannot be read."""
    with _said(path), _opened(path) as archive:
        return _listed(path, archive)


def read_bundle(path: Path) -> Bundle:
    """A bundle after reading all of it; Damaged where a file is missing, added, or has other bytes than listed."""
    bundle = read_manifest(path)
    for _, chunks in read_members(bundle):
        for _ in chunks:
            pass
    return bundle


def read_members(bundle: Bundle) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Each file of a bundle in order, with its bytes, which raise Damaged at their end where they are other ones."""
    left = {entry.path: entry for entry in bundle.entries}
    with _said(bundle.path), _opened(bundle.path) as archive:
        _listed(bundle.path, archive)
        while (member := archive.next()) is not None:
            entry = left.pop(member.name, None)
            file = archive.extractfile(member) if member.isfile() else None
            if entry is None or file is None:
                raise _damaged(bundle.path, f"holds '{member.name}', which its list does not")
            yield entry, _checked(bundle.path, entry, file)
    if left:
        raise _damaged(bundle.path, f"lacks '{min(left)}'")


def _tar(lake: Lake, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The bytes of a tar of these files, their list in front; the same for the same files."""
    listed = seal({"files": [vars(entry) for entry in entries]}).encode()
    yield from _member(MANIFEST, len(listed), (listed,))
    for entry in entries:
        yield from _member(entry.path, entry.size, _read(lake.absolute(entry.path), entry))
    yield bytes(2 * _BLOCK)


def _repacked(bundle: Bundle, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The bytes of a tar of some files of a bundle, their list in front."""
    listed = seal({"files": [vars(entry) for entry in entries]}).encode()
    yield from _member(MANIFEST, len(listed), (listed,))
    wanted = set(entries)
    for entry, chunks in read_members(bundle):
        if entry in wanted:
            yield from _member(entry.path, entry.size, chunks)
    yield bytes(2 * _BLOCK)


def _member(name: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One file of a tar: heading, bytes, filling."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o444
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield from chunks
    yield bytes(-size % _BLOCK)


def _read(path: Path, entry: Entry) -> Iterator[bytes]:
    """The bytes of a file; StorageFailed where they are not those that were hashed."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
    if (digest.hexdigest(), size) != (entry.sha256, entry.size):
        raise StorageFailed("The file changed while it was read.", "Run the same command again.", file=str(path))


def _listed(path: Path, archive: tarfile.TarFile) -> Bundle:
    """The list that stands first in a bundle."""
    first = archive.next()
    file = archive.extractfile(first) if first is not None and first.isfile() else None
    if first is None or file is None or first.name != MANIFEST or first.size > _LIST_BYTES:
        raise _damaged(path, "does not begin with its list")
    value = unseal(file.read().decode(), path, _AGAIN)
    return Bundle(path, tuple(Entry(**entry) for entry in value["files"]))


def _checked(path: Path, entry: Entry, file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a member; Damaged at their end where they are not those listed."""
    digest = hashlib.sha256()
    while True:
        with _said(path):
            chunk = file.read(_CHUNK)
        if not chunk:
            break
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != entry.sha256:
        raise _damaged(path, f"holds other bytes for '{entry.path}' than its list says")


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The tar inside a bundle, to be read once from front to back."""
    with (
        path.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        yield archive


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what tar and zstd say into Damaged."""
    try:
        yield
    except _BROKEN as broken:
        raise _damaged(path, f"cannot be read to its end ({broken})") from broken


def _damaged(path: Path, what: str) -> Damaged:
    return Damaged(f"The bundle {what}.", _AGAIN, file=str(path))
