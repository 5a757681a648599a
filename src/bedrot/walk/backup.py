"""Backup: a lake's state into another folder, only what is new, while others may write to the lake.

A backup that is killed or refused leaves the earlier ones whole, and the next one goes on from what it brought.
Raw objects and published files are known by their names; any other file is read where its size or time of change is
not that of the backup before. What stands in the backup under its hash is not read again, save with `read_back`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bedrot.errors import Misconfigured
from bedrot.lake import disk
from bedrot.lake.sealed import digest, iso, read_sealed, seal
from bedrot.lake.zones import Lake
from bedrot.walk.backup_store import Store
from bedrot.walk.backup_view import IDENTITY
from bedrot.walk.backup_work import Backed, Progress, Work

__all__ = ["Backed", "back_up", "find_damage", "forget_older", "store_for"]


def back_up(
    lake: Lake,
    target: Path,
    now: datetime,
    *,
    keep: int | None = None,
    read_back: bool = False,
    progress: Progress = lambda _step, _done, _all: None,
) -> Backed:
    """Back a lake up into a folder; with `keep`, forget all but the newest so many afterwards.

    `read_back`: every byte in the folder is read and checked first, and what is damaged written anew. Needs no lock of
    the lake. Raises Misconfigured for a folder that cannot be it, Busy where another backup is made there or the lake
    does not hold still, StorageFailed when the disk refuses or has no room, Damaged where the lake has no whole state.
    """
    store = store_for(lake, target)
    with store.locked():
        identity = _identity(lake, now)
        store.prepare(identity)
        disk.sweep(store.target)
        wrong = find_damage(store, progress) if read_back else {}
        work = Work(lake, store, wrong.keys(), progress)
        done = work.back_up(identity, now)
        if read_back:
            wrong |= {
                one.sha256: one.path
                for one in done.record.files
                if one.sha256 in work.brought.keys() - wrong.keys() and not store.holds(one.sha256)
            }
        if keep is not None and not (done.damaged or done.missing):
            done.forgotten = store.forget(keep)
        _tell(store, wrong, done)
    return done


def _tell(store: Store, wrong: dict[str, str], done: Backed) -> None:
    """Say of what was damaged in the folder whether it is whole now, or lost; what nothing names now is neither."""
    records, broken = store.readable()
    named = {one.sha256 for record in records for one in record.files} | {path.stem for path in broken}
    for sha256, path in wrong.items():
        if sha256 in named:
            (done.healed if store.holds(sha256) else done.lost).append(path)


def forget_older(target: Path, keep: int = 1) -> list[str]:
    """Remove all backups in a folder but the newest so many, and the bytes that only they had; the names removed.

    Killed at any point, what is left can be restored, and the same call again completes. Raises Damaged where a backup
    to keep cannot be read (then nothing is removed), Busy while a backup is made there.
    """
    store = Store(target.absolute())
    store.check()
    with store.locked():
        disk.sweep(store.target)
        return store.forget(keep)


def find_damage(store: Store, progress: Progress = lambda _step, _done, _all: None) -> dict[str, str]:
    """Objects that are missing or have other bytes than their name says, by hash, with a file that they stand for.

    A record that is not whole is among them, by its own name.
    """
    records, broken = store.readable()
    named = {one.sha256: one.path for record in records for one in record.files}
    found = {path.stem: f"records/{path.name}" for path in broken}
    for at, (sha256, path) in enumerate(sorted(named.items()), start=1):
        if not store.holds(sha256):
            found[sha256] = path
        progress("read back", at, len(named))
    return found


def store_for(lake: Lake, target: Path) -> Store:
    """The folder for a lake's backups; Misconfigured where one would lie inside the other, or a file is in the way."""
    target = target.absolute()
    if _within(target, lake.root):
        raise Misconfigured(
            "The backup would lie inside the lake, and be lost with it.",
            "Name a folder on another disk, or a synced folder.",
            file=str(target),
        )
    if _within(lake.root, target):
        raise Misconfigured(
            "The lake lies inside that folder.",
            "Name a folder beside the lake, or better on another disk.",
            file=str(target),
        )
    if target.exists() and not target.is_dir():
        raise Misconfigured("There is a file of that name.", "Name a folder.", file=str(target))
    if not target.exists() and not target.parent.is_dir():
        raise Misconfigured(
            f"The folder {target.parent} is not there.",
            "Plug in its disk, or make that folder first.",
            file=str(target),
        )
    return Store(target)


def _within(inner: Path, outer: Path) -> bool:
    """Whether a folder is another, or lies in it, by whatever name."""
    real = inner.resolve()
    return any(one.exists() and outer.exists() and one.samefile(outer) for one in (real, *real.parents))


def _identity(lake: Lake, now: datetime) -> str:
    """Which lake this is; its first backup gives it a name, which a restored one keeps."""
    path = lake.root / IDENTITY
    if not path.exists():
        disk.put_text(path, seal({"lake": digest({"root": str(lake.root), "at": iso(now)})[:32]}))
    return str(read_sealed(path, "Delete that file: the next backup, into a new folder, makes it anew.")["lake"])
