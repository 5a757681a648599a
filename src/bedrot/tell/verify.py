"""Verify: is the lake what it says it is? Each breach is one sentence, with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bedrot.errors import BedrotError, Damaged, StorageFailed
from bedrot.lake import objects, snapshot
from bedrot.lake.decisions import Decision, Decisions, read_decision_file, unfinished_purges
from bedrot.lake.deliveries import Delivery, delivery_id, read_manifest_file, read_sightings_file, sealed_files
from bedrot.lake.ledger import Ledger, Staged
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.walk import archive
from bedrot.walk.bundle import Bundle, read_bundle, read_manifest

_NAME = re.compile(r"[0-9a-f]{64}")
_SOME = 5
_REBUILD = "Run `bedrot rebuild`: staging and curated are made anew from raw."
_LEDGER = "Run `bedrot rebuild --ledger`: the ledger is made anew from raw."
_OBJECT = "Import the original file again, or bring it back from a backup: the same bytes heal it."
_BACKUP = "Bring it back from a backup of the lake."


@dataclass(frozen=True)
class Breach:
    """A law that does not hold: its number in the list of laws (0: none of them), what is wrong, what to do."""

    law: int
    what: str
    do: str


@dataclass(frozen=True)
class Facts:
    """What raw says: deliveries and decisions whose files are whole."""

    deliveries: list[Delivery]
    decisions: Decisions


def verify(lake: Lake, ledger: Ledger) -> Iterator[Breach]:
    """Every breach of what can be seen without reading any file's rows: raw and tables hashed, facts, records whole."""
    deliveries, broken = _read(sealed_files(lake.deliveries), read_manifest_file)
    yield from broken
    decisions, broken = _read(sealed_files(lake.decisions), read_decision_file)
    yield from broken
    yield from _read(sealed_files(lake.sightings), read_sightings_file)[1]
    facts = Facts(deliveries, Decisions(decisions))
    yield from (Breach(1, what, do) for what, do in unfinished(lake, facts.decisions))
    yield from _check_objects(lake, facts)
    yield from _check_deliveries(facts)
    yield from _check_ledger(ledger, facts)
    yield from _check_staged(lake, ledger.staged(), facts)
    yield from _check_snapshots(lake)
    yield from _check_published(lake)
    yield from _check_bundles(lake)


def unfinished(lake: Lake, decisions: Decisions) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do, where a purge has begun and has not come to its end."""
    left = unfinished_purges(lake, decisions)
    if left:
        many = "1 delivery" if len(left) == 1 else f"{len(left):,} deliveries"
        ids = " ".join(f"--delivery {one[:12]}" for one in left[:_SOME])
        again = "Give the same `bedrot purge` command again, with --account if it had that"
        what = f"A purge of {many} has begun and is not finished: data that must go is still there."
        yield what, f"{again}; else: bedrot purge {ids} --because TEXT"


def _read(paths: Iterable[Path], read: Any) -> tuple[list[Any], list[Breach]]:
    """The facts in these files, and a breach for each that is not whole."""
    found, broken = [], []
    for path in paths:
        try:
            found.append(read(path))
        except (Damaged, KeyError, TypeError, ValueError) as wrong:
            said = wrong.sentence if isinstance(wrong, Damaged) else "It does not hold what its kind of file does."
            broken.append(Breach(1, f"raw/{path.parent.name}/{path.name}: {said}", _BACKUP))
    return found, broken


def _check_objects(lake: Lake, facts: Facts) -> Iterator[Breach]:
    """Law 1: names equal hashes, nothing is missing, and nothing else lies among the objects."""
    purged = _purged(facts)
    seen = set()
    for path in sorted(one for one in lake.objects.rglob("*") if one.is_file()):
        if path.name.startswith(".tmp-"):
            continue
        if not _NAME.fullmatch(path.name) or path != lake.object_path(path.name):
            yield Breach(1, f"{lake.relative(path)} is not an object of this lake.", "Move it out, and import it.")
            continue
        seen.add(path.name)
        if objects.hash_file(path)[0] != path.name:
            yield Breach(1, f"{lake.relative(path)} has other bytes than its name says.{_known(facts, path)}", _OBJECT)
    for one in facts.deliveries:
        if one.object not in seen and one.object not in purged:
            what = f"The object {one.object[:12]} of {one.name} (delivery {one.id[:8]}) is missing."
            yield Breach(1, what, _OBJECT)


def _known(facts: Facts, path: Path) -> str:
    """The names under which an object was delivered, as a sentence."""
    names = sorted({one.name for one in facts.deliveries if one.object == path.name})
    return f" It was given as {', '.join(names)}." if names else ""


def _purged(facts: Facts) -> set[str]:
    """Objects of which every delivery was purged."""
    gone = {one.target for one in facts.decisions if one.kind == "purge"}
    kept = {one.object for one in facts.deliveries if one.id not in gone}
    return {one.object for one in facts.deliveries if one.id in gone} - kept


def _check_deliveries(facts: Facts) -> Iterator[Breach]:
    """A delivery's name is the hash of what makes it itself; a decision about deliveries names one that is there."""
    known = {one.id for one in facts.deliveries}
    for one in facts.deliveries:
        if one.id != delivery_id(one.object, one.feed, one.account, one.exported_at, one.window):
            yield Breach(1, f"The manifest {one.id} does not say what its name was made of.", _BACKUP)
    for told in facts.decisions:
        if told.kind in ("retract", "reassign") and told.target not in known:
            what = f"The decision {told.id} is about the delivery {told.target[:8]}, which is not there."
            yield Breach(1, what, _BACKUP)


def _check_ledger(ledger: Ledger, facts: Facts) -> Iterator[Breach]:
    """Law 2: the ledger is whole, and says what raw says."""
    try:
        ledger.check()
    except Damaged as wrong:
        yield Breach(2, str(wrong), _LEDGER)
        return
    theirs: dict[str, Delivery | Decision] = {one.id: one for one in ledger.deliveries()}
    theirs |= {one.id: one for one in ledger.decisions()}
    ours: dict[str, Delivery | Decision] = {one.id: one for one in facts.deliveries}
    ours |= {one.id: one for one in facts.decisions}
    for key in sorted(theirs.keys() - ours.keys()):
        yield Breach(2, f"The ledger knows {key}, of which raw has no whole file.", _BACKUP)
    for key in sorted(ours.keys() & theirs.keys()):
        if ours[key] != theirs[key]:
            yield Breach(2, f"The ledger says other things of {key} than raw does.", _LEDGER)


def _check_staged(lake: Lake, staged: Iterable[Staged], facts: Facts) -> Iterator[Breach]:
    """Law 3 as it was accounted for, and the staged files there."""
    names = {one.id: one.name for one in facts.deliveries}
    for one in staged:
        name = f"{names.get(one.delivery, one.delivery)} ({one.table})"
        for path in filter(None, (one.path, one.rejects_path)):
            if not lake.absolute(path).is_file():
                yield Breach(5, f"{name}: its staged file {path} is missing.", _REBUILD)
        yield from (Breach(3, f"{name}: {what}", _REBUILD) for what in unaccounted(one))


def unaccounted(staged: Staged) -> Iterator[str]:
    """What a staged table does not account for, as sentences; nothing where law 3 holds."""
    ignored = sum(staged.ignored.values())
    if staged.records != staged.rows + staged.rejected + ignored:
        yield (
            f"{staged.records:,} records stand in the file, {staged.rows:,} are staged, {staged.rejected:,} rejected"
            f" and {ignored:,} ignored."
        )
    for column, sums in staged.money.items():
        if Decimal(sums["file"]) != Decimal(sums["staged"]) + Decimal(sums["rejected"]):
            yield f"{column}: {sums['file']} in the file is not {sums['staged']} staged + {sums['rejected']} rejected."


def _check_snapshots(lake: Lake) -> Iterator[Breach]:
    """Law 9: the pointer leads to a whole record, and every snapshot at hand has all its files."""
    try:
        snapshot.current_number(lake)
    except Damaged as wrong:
        yield Breach(9, str(wrong), _REBUILD)
    for number in snapshot.numbers(lake):
        try:
            found = snapshot.load(lake, number)
        except Damaged as wrong:
            yield Breach(9, f"Snapshot {number}: {wrong.sentence}", _REBUILD)
            continue
        missing = [path for path in sorted(archive.named_by(found)) if not lake.absolute(path).is_file()]
        archived = archive.archived_in(lake, number) if missing else None
        do = f"Run `bedrot restore {number}`: the archive holds it." if archived else _REBUILD
        yield from (Breach(9, f"Snapshot {number} names {path}, which is missing.", do) for path in missing)


def _check_published(lake: Lake) -> Iterator[Breach]:
    """Law 9: every published file has the bytes that its snapshot's record names.

    The engine does not see that itself: a flipped bit of a table is most often another amount.
    """
    hashes: dict[str, tuple[int, str]] = {}
    for number in snapshot.numbers(lake):
        hashes |= {path: (number, sha256) for path, sha256 in _hashed(lake, number)}
    for path, (number, sha256) in sorted(hashes.items()):
        try:
            same = objects.hash_file(lake.absolute(path))[0] == sha256
        except StorageFailed as unread:
            if lake.absolute(path).is_file():  # one that is missing is told of with its snapshot
                yield Breach(9, f"Snapshot {number} names {path}, which cannot be read: {unread.sentence}", _REBUILD)
            continue
        if not same:
            yield Breach(
                9, f"Snapshot {number} names {path}, whose bytes are other ones than were published.", _REBUILD
            )


def _hashed(lake: Lake, number: int) -> list[tuple[str, str]]:
    """Path and hash of the parts of a snapshot that name one; none where the record is not whole."""
    try:
        found: Snapshot = snapshot.load(lake, number)
    except BedrotError:
        return []
    return [(part.path, part.sha256) for table in found.tables.values() for part in table.parts if part.sha256]


def _check_bundles(lake: Lake) -> Iterator[Breach]:
    """Every bundle of the archive lists what it holds."""
    for path in archive.bundles(lake):
        yield from _told(lake, path, read_manifest)


def check_bundles_whole(lake: Lake) -> Iterator[Breach]:
    """Every bundle of the archive holds exactly what it lists; all of it is read."""
    for path in archive.bundles(lake):
        if not list(_told(lake, path, read_manifest)):  # told of already
            yield from _told(lake, path, read_bundle)


def _told(lake: Lake, path: Path, read: Callable[[Path], Bundle]) -> Iterator[Breach]:
    """The breach of a bundle that cannot be read so."""
    try:
        read(path)
    except Damaged as wrong:
        yield Breach(9, f"{lake.relative(path)}: {wrong.sentence}", _BACKUP)
