"""Archive: files of superseded snapshots move into verified bundles, from which they can be brought back.

What is in doubt is kept: a record that cannot be read, a gap among the snapshots that count, a file that is not what
it was, a bundle that does not read back. The order is bundle, read back, files, record: a process that dies in
between leaves work that the next run finishes. Raw and landing are never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bedrot.errors import BedrotError, Damaged, Misconfigured
from bedrot.lake import disk, snapshot
from bedrot.lake.objects import hash_file
from bedrot.lake.sealed import canonical, stamp
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.bundle import Bundle, Entry, bundle_chunks, read_bundle, read_manifest, read_members

KIND = "snapshots"


@dataclass
class Archived:
    """What one archive step did: bundle written (None: none), snapshots moved, files removed, why something stayed."""

    bundle: Path | None = None
    numbers: list[int] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    kept_because: list[str] = field(default_factory=list)


def archive_superseded(lake: Lake, keep: int, now: datetime, reachable: Iterable[str] = ()) -> Archived:
    """Move snapshots older than the newest `keep` into the archive, with the files that nothing else names.

    `reachable` are relative paths that are needed besides: those of all staged rows. Only under the writer's lock.
    Raises StorageFailed when the disk refuses; nothing is removed then that is not in a bundle read back whole.
    """
    done = Archived()
    at_hand = snapshot.numbers(lake)
    if len(at_hand) <= keep:
        return done
    bundles = _readable(lake)
    kept = _kept(lake, keep, at_hand, bundles, done)
    if kept is None:
        return done
    needed = {path for one in kept for path in named_by(one)} | set(reachable)
    newest = max(one.number for one in kept)
    old = _old(lake, [number for number in at_hand if number <= newest - keep], done)
    found = _entries(lake, old, needed, bundles, done)
    if found.new:
        bundles.append(_write(lake, found.new, now))
        done.bundle = bundles[-1].path
    whole = _read_back(lake, bundles, found, done)
    _remove(lake, old, found, whole, done)
    return done


def archived_in(lake: Lake, number: int) -> Path | None:
    """The bundle that holds a snapshot, None where none does."""
    record = lake.relative(lake.snapshot_path(number))
    return next((one.path for one in _readable(lake) if record in one.paths), None)


def load_at_hand(lake: Lake, number: int) -> Snapshot:
    """The snapshot of that number; Misconfigured, saying how to bring it back, where it is in the archive.

    So it is too where its record is at hand and some of its files are not: a process died while it moved them, or while
    it brought them back. Raises Damaged, as `snapshot.load` does, where it is neither at hand nor in the archive.
    """
    found = snapshot.load(lake, number) if lake.snapshot_path(number).exists() else None
    if found is None or not all(lake.absolute(path).is_file() for path in named_by(found)):
        bundle = archived_in(lake, number)
        if bundle is not None:
            raise Misconfigured(
                f"Snapshot {number} is in the archive, in {lake.relative(bundle)}.",
                f"Bring it back with `bedrot restore {number}`, then ask again.",
            )
    return found or snapshot.load(lake, number)


def restore_snapshot(lake: Lake, number: int) -> list[Path]:
    """Bring back a snapshot: the bundle that holds its record, and what it shares with snapshots archived later.

    Only under the writer's lock; gives the files written. Raises Misconfigured where no bundle holds it, and Damaged as
    `restore` does or where a file of it is in no bundle.
    """
    home = archived_in(lake, number)
    if home is None:
        raise Misconfigured(f"Snapshot {number} is not in the archive.", "Look into the folder archive/snapshots.")
    written = restore(lake, home)
    missing = {path for path in named_by(snapshot.load(lake, number)) if not lake.absolute(path).is_file()}
    for bundle in _readable(lake):
        if missing & bundle.paths:
            written += restore(lake, bundle.path, bundle.paths & missing)
            missing -= bundle.paths
    if missing:
        raise Damaged(f"A file of snapshot {number} is in no bundle.", "Run `bedrot verify`.", file=min(missing))
    return written


def restore(lake: Lake, bundle: Path, only: frozenset[str] | None = None) -> list[Path]:
    """Bring back what a bundle holds (or only these paths of it) and is not at hand, records last; the files written.

    Only under the writer's lock. Raises Damaged where the bundle is not whole (nothing is written then), or where a
    file of the same name with other bytes is in the way.
    """
    found = read_bundle(bundle)
    _refuse_strangers(lake, found)
    wanted = found.paths if only is None else found.paths & only
    for entry in found.entries:
        path = lake.absolute(entry.path)
        if entry.path in wanted and path.exists() and hash_file(path)[0] != entry.sha256:
            raise Damaged(
                "A file with other bytes stands where one of the bundle belongs.",
                "Run `bedrot verify`: it says which of the two is right.",
                file=entry.path,
            )
    written = []
    for record in (False, True):
        for entry, chunks in read_members(found):
            path = lake.absolute(entry.path)
            if entry.path in wanted and (path.parent == lake.snapshots) is record and disk.put(path, chunks):
                written.append(path)
    return written


def bundles(lake: Lake) -> list[Path]:
    """All bundles, by name."""
    return sorted(path for path in lake.archive.glob("*/*.tar.zst") if not path.name.startswith("."))


def purged_numbers(snapshots: Iterable[Snapshot]) -> set[int]:
    """The numbers of snapshots that were purged, as later ones tell."""
    return {int(number) for one in snapshots for number in one.inputs.get("purged", "").split(",") if number}


def named_by(one: Snapshot) -> set[str]:
    """Relative paths of all files that a snapshot names, without its record."""
    paths = {part.path for table in one.tables.values() for part in table.parts}
    return paths | {one.inputs["findings"]} if one.inputs.get("findings") else paths


@dataclass
class _Found:
    """Files of superseded snapshots: not yet in a bundle; in one, by path; and paths that must stay after all."""

    new: list[Entry] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    stay: set[str] = field(default_factory=set)


def _kept(
    lake: Lake, keep: int, at_hand: Sequence[int], bundles: Sequence[Bundle], done: Archived
) -> list[Snapshot] | None:
    """The newest snapshots; None, with the reason, where one is damaged or missing, as its files are not known then."""
    archived = {path for bundle in bundles for path in bundle.paths}
    try:
        newest = snapshot.current_number(lake)
        wanted = range(max(1, newest - keep + 1), newest + 1)
        away = [number for number in wanted if number not in at_hand]
        gone = purged_numbers(snapshot.load(lake, number) for number in at_hand if away and number in wanted)
        for number in away:
            if number not in gone and lake.relative(lake.snapshot_path(number)) not in archived:
                done.kept_because.append(f"The record of snapshot {number} is missing, so nothing was moved.")
                return None
        return [snapshot.load(lake, number) for number in wanted if number in at_hand]
    except BedrotError as wrong:
        done.kept_because.append(f"{wrong.sentence} Nothing was moved.")
        return None


def _old(lake: Lake, numbers: Sequence[int], done: Archived) -> list[Snapshot]:
    """The superseded snapshots; one that cannot be read is left where it is, with all its files."""
    found = []
    for number in numbers:
        try:
            found.append(snapshot.load(lake, number))
        except BedrotError as wrong:
            done.kept_because.append(f"{wrong.sentence} It stays, with all its files.")
    return found


def _entries(
    lake: Lake, old: Sequence[Snapshot], needed: set[str], bundles: Sequence[Bundle], done: Archived
) -> _Found:
    """What to do with each file of the superseded snapshots that nothing else needs, and with their records."""
    known = {entry.path: entry.sha256 for bundle in bundles for entry in bundle.entries}
    hashes = {part.path: part.sha256 for one in old for table in one.tables.values() for part in table.parts}
    records = {lake.relative(lake.snapshot_path(one.number)) for one in old}
    found = _Found()
    for path in sorted({path for one in old for path in named_by(one)} - needed) + sorted(records):
        absolute = lake.absolute(path)
        if Path(path).is_absolute() or not _ours(lake, absolute):
            continue
        if not absolute.is_file():
            if path not in known:
                found.stay.add(path)
                done.kept_because.append(f"{path} is missing, so the records that name it stay.")
            continue
        sha256, size = hash_file(absolute)
        if hashes.get(path) not in (None, "", sha256):
            found.stay.add(path)
            done.kept_because.append(f"{path} is not what was published, so it stays: run `bedrot verify`.")
        elif known.get(path) == sha256:
            found.known[path] = sha256
        else:
            found.new.append(Entry(path, sha256, size))
    return found


def _ours(lake: Lake, path: Path) -> bool:
    """Whether a path lies in the zones from which files may move."""
    return path.is_relative_to(lake.curated) or path.is_relative_to(lake.staging)


def _write(lake: Lake, entries: Sequence[Entry], now: datetime) -> Bundle:
    """Publish a bundle of these files, durably."""
    digest = hashlib.sha256(canonical([vars(one) for one in entries]).encode()).hexdigest()
    path = lake.archive / KIND / f"{stamp(now)}-{digest[:8]}.tar.zst"
    disk.put(path, bundle_chunks(lake, entries))
    return Bundle(path, tuple(entries))


def _readable(lake: Lake) -> list[Bundle]:
    """The bundles whose list can be read; the others are not relied on."""
    found = []
    for path in bundles(lake):
        try:
            found.append(read_manifest(path))
        except Damaged:
            continue
    return found


def _read_back(lake: Lake, bundles: Sequence[Bundle], found: _Found, done: Archived) -> dict[str, str]:
    """Hashes by path of what stands in bundles that were read back whole, for those that these files rely on."""
    relied = {entry.path for entry in found.new} | found.known.keys()
    whole: dict[str, str] = {}
    for bundle in bundles:
        if relied.isdisjoint(bundle.paths):
            continue
        try:
            whole |= {entry.path: entry.sha256 for entry in read_bundle(bundle.path).entries}
        except Damaged as wrong:
            done.kept_because.append(f"{lake.relative(bundle.path)}: {wrong.sentence} What it should hold stays.")
    return whole


def _remove(lake: Lake, old: Sequence[Snapshot], found: _Found, whole: dict[str, str], done: Archived) -> None:
    """Remove files whose bytes stand in a whole bundle, then the records of which every file is safe."""
    wanted = found.known | {entry.path: entry.sha256 for entry in found.new}
    safe = {path for path, sha256 in wanted.items() if whole.get(path) == sha256}
    records = {lake.relative(lake.snapshot_path(one.number)): one for one in old}
    unsafe = found.stay | (wanted.keys() - safe)
    for path in sorted(safe - records.keys()):
        disk.remove(lake.absolute(path))
        done.removed.append(lake.absolute(path))
    for path, one in sorted(records.items()):
        if path in safe and unsafe.isdisjoint(named_by(one)):
            disk.remove(lake.absolute(path))
            done.removed.append(lake.absolute(path))
            done.numbers.append(one.number)


def _refuse_strangers(lake: Lake, bundle: Bundle) -> None:
    """Damaged where a bundle names a place that no bundle of ours does."""
    for entry in bundle.entries:
        parts = Path(entry.path).parts
        if ".." in parts or Path(entry.path).is_absolute() or not _ours(lake, lake.absolute(entry.path)):
            raise Damaged(
                f"The bundle names '{entry.path}', which lies outside of curated and staging.",
                "Do not trust it.",
                file=str(bundle.path),
            )
