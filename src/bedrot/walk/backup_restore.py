"""Restore: a lake from a backup, into an empty folder; every byte counts only when its hash holds.

`bedrot.toml`, which makes a folder a lake, comes last: a restore that is killed leaves no lake, and goes on when it is
told again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from bedrot.errors import Damaged, Misconfigured
from bedrot.lake import disk
from bedrot.lake.lock import writer_lock
from bedrot.lake.objects import PIECE, hashed, is_whole
from bedrot.lake.sealed import digest, read_sealed, seal
from bedrot.lake.zones import Lake
from bedrot.walk.backup_store import Kept, Record, Store
from bedrot.walk.backup_work import Progress, refuse_without_room

_MARK = ".restoring.json"
"""Which backup a folder is being filled from; gone when it is whole."""
_NOTHING = {".lock", ".lock-who.json", _MARK}
_AGAIN = "Empty the folder, then restore again."
_ODD = set('<>:"|?*\\')


@dataclass
class Restored:
    """What a restore did: of which backup, how many files it wrote, and those whose bytes the backup has no more."""

    record: Record
    written: int = 0
    broken: list[str] = field(default_factory=list)


def backups(target: Path) -> tuple[list[Record], list[str]]:
    """The backups in a folder, the oldest first, and the names of records that are not whole."""
    store = Store(target.absolute())
    store.check()
    found, broken = store.readable()
    return found, [path.stem for path in broken]


def restore_from(
    target: Path, root: Path, which: str = "", progress: Progress = lambda _step, _done, _all: None
) -> Restored:
    """Fill an empty or missing folder from a backup: the newest, or the one whose name or instant begins with `which`.

    Raises Misconfigured for another folder or an unknown backup, Damaged where the backup's record is not whole,
    StorageFailed when the disk refuses or has no room, Busy where another one restores there. A file whose bytes the
    backup has no more is left out and told of.
    """
    store, lake = Store(target.absolute()), Lake(root.absolute())
    store.check()
    record = _chosen(store, which)
    _refuse_strange_names(record)
    mark = {"backup": record.name, "files": digest([[one.path, one.sha256] for one in record.files])}
    _refuse_full(lake, store, record, mark)
    disk.make_folder(lake.root)
    done = Restored(record)
    with writer_lock(lake):
        _refuse_full(lake, store, record, mark)
        disk.sweep(lake.root)
        disk.put_text(lake.root / _MARK, seal(mark), replace=True, read_only=False)
        kept = _in_place(lake, record)
        wanted = [one for one in sorted(record.files, key=_turn) if one.path not in kept]
        refuse_without_room(lake.root, sum(one.size for one in wanted), "lake")
        for folder in sorted({lake.absolute(path).parent for path in kept}):
            disk.sync_folder(folder)
        for zone in (lake.landing / "inbox", lake.raw, lake.staging, lake.curated, lake.archive):
            disk.make_folder(zone)
        for at, one in enumerate(wanted, start=1):
            _bring(store, lake, one, done)
            progress("restore", at, len(wanted))
        disk.remove(lake.root / _MARK)
    return done


def _chosen(store: Store, which: str) -> Record:
    """The backup that a person means."""
    paths = store.records()
    if not which:
        return store.load(paths[-1])
    found = [path for path in paths if path.stem == which or path.stem.split("-")[1].startswith(which)]
    if len(found) == 1:
        return store.load(found[0])
    shown = ", ".join(path.stem for path in (found or paths)[-5:])
    raise Misconfigured(
        f"{'Several backups are' if found else 'No backup is'} called '{which}'. There: {shown}.",
        "Name one of them in full with --backup; --list shows all.",
        file=str(store.target),
    )


def _refuse_strange_names(record: Record) -> None:
    """Damaged where a record names a place outside of the lake, Misconfigured where this system has no such name."""
    for one in record.files:
        parts = PurePosixPath(one.path).parts
        if not parts or one.path.startswith("/") or ".." in parts or (PureWindowsPath(one.path).drive and disk.WINDOWS):
            raise Damaged(f"The backup names '{one.path}', which lies outside of a lake.", "Do not trust it.")
        if disk.WINDOWS and any(_ODD & set(part) or part[-1] in ". " for part in parts):
            raise Misconfigured(
                f"Windows knows no file of the name '{one.path}'.",
                "Restore it on another system, and give the file another name there.",
            )


def _refuse_full(lake: Lake, store: Store, record: Record, mark: dict[str, str]) -> None:
    """Misconfigured where the folder holds anything but what a restore of this backup has brought there."""
    root = lake.root
    if root.exists() and not root.is_dir():
        raise Misconfigured("There is a file of that name.", "Name a new folder with --lake.", file=str(root))
    if any(one.exists() and one.samefile(store.target) for one in (root.resolve(), *root.resolve().parents)):
        raise Misconfigured("The lake would lie inside the backup.", "Name another folder with --lake.", file=str(root))
    if not root.exists():
        return
    ours: set[str] = set()
    if (root / _MARK).exists():
        if read_sealed(root / _MARK, _AGAIN) != mark:
            other = read_sealed(root / _MARK, _AGAIN)["backup"]
            raise Misconfigured(
                f"A restore of another backup ({other}) began in this folder.",
                f"Finish it with --backup {other}, or empty the folder.",
                file=str(root),
            )
        ours = {one.path for one in record.files} | {"ledger.sqlite-wal", "ledger.sqlite-shm"}
    for path in _files(root):
        if path not in ours and path not in _NOTHING and not PurePosixPath(path).name.startswith(".tmp-"):
            raise Misconfigured(
                f"The folder is not empty: it holds {path}.",
                "A backup is restored into an empty or a new folder: name one with --lake.",
                file=str(root),
            )


def _files(root: Path) -> Iterator[str]:
    """The files below a folder, as paths from it."""
    for at, folders, names in os.walk(root):
        folders.sort()
        yield from ((Path(at) / name).relative_to(root).as_posix() for name in sorted(names))


def _in_place(lake: Lake, record: Record) -> set[str]:
    """The files that an earlier restore brought whole."""
    return {one.path for one in record.files if is_whole(lake.absolute(one.path), one.sha256)}


def _turn(one: Kept) -> tuple[int, str]:
    """What comes when: bytes before what names them, `bedrot.toml` last."""
    order = ("bedrot.toml", "curated/CURRENT", "curated/_snapshots/", "ledger.sqlite", "raw/deliveries/")
    turn = next((len(order) - at for at, name in enumerate(order) if one.path.startswith(name)), 0)
    return turn, one.path


def _bring(store: Store, lake: Lake, one: Kept, done: Restored) -> None:
    """One file, if its bytes are what they were."""
    final = lake.absolute(one.path)
    if final == lake.ledger_path:
        for ending in ("-wal", "-shm"):  # a log of another file would be read into it
            disk.remove(final.with_name(final.name + ending))
    try:
        with closing(_checked(store.object_path(one.sha256), one.sha256)) as chunks:
            disk.put(final, chunks, replace=True, read_only=not one.writable)
        done.written += 1
    except Damaged as wrong:
        done.broken.append(f"{one.path}: {wrong.sentence}")


def _checked(path: Path, sha256: str) -> Generator[bytes, None, None]:
    """The bytes of an object; Damaged where it cannot be read, or behind the last one where they are other ones."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            yield from hashed(iter(lambda: file.read(PIECE), b""), found)
    except FileNotFoundError as gone:
        raise Damaged("The backup lacks its bytes.", "Use another backup.", file=str(path)) from gone
    except OSError as failed:
        said = f"Its bytes cannot be read from the backup ({failed.strerror})."
        raise Damaged(said, "Use another backup.", file=str(path)) from failed
    if found.hexdigest() != sha256:
        raise Damaged("Its bytes in the backup are not what they were.", "Use another backup.", file=str(path))
