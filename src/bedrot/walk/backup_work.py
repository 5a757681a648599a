"""A backup at work: which bytes of a lake's state the folder lacks, and how they come there, before their record."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat as modes
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import bedrot
from bedrot.errors import Busy, Damaged, StorageFailed
from bedrot.lake import disk
from bedrot.lake.objects import PIECE, hash_file, hashed
from bedrot.lake.zones import Lake
from bedrot.walk.backup_store import Kept, Record, Store
from bedrot.walk.backup_view import Piece, View, look

Progress = Callable[[str, int, int], None]
_LOOKS = 12
"""How often a lake is looked at again while its files move, before the backup gives up."""
_LITTLE = 64 << 20
"""Bytes of a file that is read once, into memory, where its hash is not known."""
_BLOCK = 4096
_ROOM = 16 << 20


@dataclass
class Backed:
    """What a backup did. `made` is False where nothing was new since the record, which stands.

    `damaged` and `missing` are files of the lake that are not what they were; `healed` and `lost` what was damaged in
    the folder, by hash, and could or could not be brought anew; `forgotten` the names of older backups removed.
    """

    record: Record
    made: bool = True
    new_files: int = 0
    new_bytes: int = 0
    snapshot: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)


class _Gone(Exception):
    """A file is not where the list says, or changed while it was read: look again."""


class Work:
    """One backup at work: what the folder has, what the backup before said, what this one found."""

    def __init__(self, lake: Lake, store: Store, anew: Iterable[str], progress: Progress) -> None:
        self.lake, self.store, self.progress = lake, store, progress
        records, _ = store.readable()
        self.before = records[-1] if records else None
        self.stored = store.stored()
        self.known = {one.path: one for one in self.before.files} if self.before else {}
        self.before_paths = frozenset(self.known)
        self.facts = {path: one for path, one in self.known.items() if path.startswith("raw/")}
        self.durable = {one.sha256 for record in records for one in record.files}
        self.settle: set[Path] = set()
        for sha256 in anew:
            self.stored.pop(sha256, None)
        self.damaged: dict[str, str] = {}
        self.brought: dict[str, int] = {}
        """Objects that this backup has written, with their bytes."""

    def back_up(self, identity: str, now: datetime) -> Backed:
        """Bring the objects, then the record."""
        view, files, missing = self._one_state()
        missing += self._lost_from_raw(view)
        for folder in sorted(self.settle):
            disk.sync_folder(folder)  # named there by a process that may have died before the name was durable
        record = Record(self.store.next_number(), now, identity, bedrot.__version__, view.snapshot, files)
        done = Backed(record, snapshot=view.snapshot, left_out=view.left_out, unread=view.unread, missing=missing)
        done.new_files, done.new_bytes = len(self.brought), sum(self.brought.values())
        done.damaged = sorted(self.damaged.values())
        if self.before is not None and _says(self.before) == _says(record):
            done.record, done.made = self.before, False
        else:
            self.store.add(record)
        return done

    def _lost_from_raw(self, view: View) -> list[str]:
        """What the backup before has of raw and the lake has no more: raw only grows, unless something is purged."""
        before = {path for path in self.before_paths if path.startswith("raw/")}
        gone = sorted(before - view.pieces.keys())
        new = (self.lake.absolute(path) for path in view.pieces if path.startswith("raw/decisions/"))
        purged = gone and any(b'"kind":"purge"' in path.read_bytes() for path in new if self._is_new(path))
        return [] if purged else gone

    def _is_new(self, path: Path) -> bool:
        """Whether the backup before did not have a file."""
        return self.lake.relative(path) not in self.before_paths

    def _one_state(self) -> tuple[View, list[Kept], list[str]]:
        """A state of the lake, its files as they are kept now, and those that are missing in the lake itself."""
        before: set[str] = set()
        for number in range(1, _LOOKS + 1):
            try:
                view = look(self.lake)
            except (Damaged, FileNotFoundError):
                if number == _LOOKS:
                    raise
                continue
            self._refuse_without_room(view)
            self.damaged = {}
            files, gone = self._bring(view)
            if gone <= before:  # named by two states and in neither: these did not move
                return view, files, sorted(gone)
            before = gone
        raise Busy(
            "The lake changes faster than it can be read.",
            "Back up when the run has finished.",
            file=str(self.lake.root),
        )

    def _bring(self, view: View) -> tuple[list[Kept], set[str]]:
        """Bring what is new of a state; its files as kept, and those that are not where the list says."""
        files, gone = [], set()
        for at, piece in enumerate(view.pieces.values(), start=1):
            try:
                kept = self._keep(piece)
            except _Gone:
                if not piece.loose:
                    gone.add(piece.path)
                continue
            if kept is not None:
                files.append(kept)
            self.progress("back up", at, len(view.pieces))
        return sorted(files, key=lambda one: one.path), gone

    def _keep(self, piece: Piece) -> Kept | None:
        """A file as it is in the backup now; None where its bytes are not what they were."""
        if piece.data is not None:
            sha256 = hashlib.sha256(piece.data).hexdigest()
            self._put(sha256, len(piece.data), (piece.data,))
            return Kept(piece.path, sha256, len(piece.data), writable=True)
        path = self.lake.absolute(piece.path)
        try:
            told = path.stat()
            return self._keep_file(piece, path, told)
        except (FileNotFoundError, NotADirectoryError) as moved:
            raise _Gone from moved
        except OSError as failed:
            self.damaged[piece.path] = f"{piece.path} cannot be read ({failed.strerror})"
        return None

    def _keep_file(self, piece: Piece, path: Path, told: os.stat_result) -> Kept | None:
        """The same for a file on the disk."""
        before = self.known.get(piece.path)
        same = before is not None and (before.size, before.changed) == (told.st_size, told.st_mtime_ns)
        sha256 = piece.sha256 or (before.sha256 if before and same else "")
        if not sha256 and told.st_size <= _LITTLE:
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            if (fact := self.facts.get(piece.path)) and fact.sha256 != sha256:
                return self._good(piece, fact)
            self._put(sha256, len(data), (data,))
            return self._noted(Kept(piece.path, sha256, len(data), told.st_mtime_ns, _writable(told)))
        sha256 = sha256 or _hash(path)
        kept = Kept(piece.path, sha256, told.st_size, told.st_mtime_ns, _writable(told))
        try:
            with closing(_copied(path, sha256)) as chunks:
                self._put(sha256, told.st_size, chunks)
        except _Other as other:
            if not piece.sha256 or piece.loose:
                raise _Gone from other
            return self._good(piece, replace(kept, size=self.stored.get(sha256, 0)))
        return self._noted(kept)

    def _good(self, piece: Piece, kept: Kept) -> Kept | None:
        """A file that is damaged in the lake as an earlier backup has it, if one has."""
        self.damaged[piece.path] = f"{piece.path} has other bytes than it had"
        return replace(kept, changed=0) if self.store.holds(kept.sha256) else None

    def _noted(self, kept: Kept) -> Kept:
        """The same, remembered for when the lake is looked at again."""
        self.known[kept.path] = kept
        return kept

    def _put(self, sha256: str, size: int, chunks: Iterable[bytes]) -> None:
        """Let an object be there; its bytes are only taken where it is not, or is too short or too long."""
        path = self.store.object_path(sha256)
        if self.stored.get(sha256) == size:
            if sha256 not in self.durable:
                self.settle.add(path.parent)
            return
        disk.put(path, chunks, replace=True)
        self.stored[sha256] = size
        self.durable.add(sha256)
        self.brought[sha256] = size

    def _refuse_without_room(self, view: View) -> None:
        """StorageFailed where what is surely new does not fit on the disk."""
        wanted = 0
        for piece in view.pieces.values():
            if piece.data is None and piece.sha256 not in self.stored:
                try:
                    size = self.lake.absolute(piece.path).stat().st_size
                except OSError:
                    continue
                before = self.known.get(piece.path)
                wanted += 0 if not piece.sha256 and before and before.size == size else size + _BLOCK
        refuse_without_room(self.store.target, wanted, "backup")


class _Other(Exception):
    """A file has other bytes than its hash says."""


def refuse_without_room(target: Path, wanted: int, what: str) -> None:
    """StorageFailed where a disk has not so many bytes to spare."""
    free = shutil.disk_usage(target).free
    if wanted and free < wanted + _ROOM:
        raise StorageFailed(
            f"The disk has no room for the {what}: it needs {megabytes(wanted + _ROOM)}, {megabytes(free)} are free.",
            "Free some space, or choose another disk.",
            file=str(target),
        )


def megabytes(size: int) -> str:
    """A number of bytes as a person reads it: never fewer megabytes than there are."""
    return f"{-(-size // 10**6):,} MB" if size >= 10**6 else f"{-(-size // 10**3):,} KB"


def _says(record: Record) -> tuple[str, list[tuple[str, str]]]:
    """What a backup holds, apart from when it was made."""
    return record.lake, [(one.path, one.sha256) for one in record.files]


def _writable(told: os.stat_result) -> bool:
    return bool(told.st_mode & modes.S_IWUSR)


def _hash(path: Path) -> str:
    """The hash of a large file."""
    try:
        return hash_file(path)[0]
    except StorageFailed as failed:
        raise failed.__cause__ or failed from failed


def _copied(path: Path, sha256: str) -> Generator[bytes, None, None]:
    """The bytes of a file; _Other behind the last one where they are not those of the hash."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        yield from hashed(iter(lambda: file.read(PIECE), b""), found)
    if found.hexdigest() != sha256:
        raise _Other
