"""The state of all tables without what is purged, made in a scratch place from what the lake has staged of all else."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bedrot.errors import StorageFailed
from bedrot.lake import disk, snapshot
from bedrot.lake.decisions import Decisions
from bedrot.lake.deliveries import whole_pulls
from bedrot.lake.objects import pieces
from bedrot.lake.refusals import said
from bedrot.lake.snapshot import Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.walk.archive import archived_in, named_by, purged_numbers
from bedrot.walk.build import Build, Inputs, key_of
from bedrot.walk.findings import write_findings
from bedrot.walk.purge_subject import Subject
from bedrot.walk.rebuild import Memory
from bedrot.walk.run import Walk


@dataclass
class Made:
    """A state made in a scratch place, `lake`; `new` tells whether it has to be published at all.

    `missing` are older states that nothing explains any more: a purge that died has removed them.
    """

    lake: Lake
    tables: Mapping[str, TableState]
    inputs: Mapping[str, str]
    named: frozenset[str]
    new: bool
    missing: frozenset[int] = frozenset()

    @property
    def files(self) -> list[Path]:
        """The files that it names, where they lie now."""
        return [self.lake.absolute(path) for path in sorted(self.named)]

    def drop(self) -> None:
        """Remove the scratch place."""
        drop_scratch(self.lake.root)


def drop_scratch(folder: Path) -> None:
    """Remove a folder of `.work`, of which many files may be second names of the lake's own. Raises StorageFailed."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            _drop(path, folder)
    with suppress(FileNotFoundError):
        folder.rmdir()


@contextmanager
def made_without(walk: Walk, subject: Subject, decisions: Decisions, *, known: bool) -> Iterator[Made | None]:
    """The state without it, of the deliveries that are staged; None where nothing is published, or nothing is `known`.

    Where a state with the same inputs is published already (a purge that died has done so), it is not new.
    """
    before = snapshot.current(walk.lake) if known else None
    if before is None:
        yield None
        return
    disk.make_folder(walk.lake.work)
    scratch = Lake(Path(tempfile.mkdtemp(prefix="purge-", dir=walk.lake.work)))
    made = Made(scratch, {}, {}, frozenset(), new=False)
    try:
        inputs = _inputs(walk, subject, decisions)
        key = key_of(inputs)
        made.missing = _missing(walk.lake, before)
        if before.inputs.get("key") == key and not made.missing:
            made.tables, made.inputs = before.tables, before.inputs
            made.named = frozenset(named_by(before))
        else:
            _state(walk, scratch, inputs, before, made)
            made.inputs = {**made.inputs, "key": key}
            made.new = True
        yield made
    finally:
        made.drop()


def _missing(lake: Lake, before: Snapshot) -> frozenset[int]:
    """The numbers of states that are gone from hand and archive, of which no later one tells that they were purged."""
    at_hand = snapshot.numbers(lake)
    states = range(1, before.number + 1)
    gone = [number for number in range(1, before.number) if number not in at_hand and not archived_in(lake, number)]
    told = purged_numbers(snapshot.load(lake, one) for one in at_hand if gone and one in states)
    return frozenset(gone) - told


def _inputs(walk: Walk, subject: Subject, decisions: Decisions) -> Inputs:
    """What the state is made of: all that is staged, without what goes or has gone."""
    now = walk.inputs()
    left = [one for one in walk.ledger.deliveries() if one.id not in subject.ids and not decisions.purged(one.id)]
    staged = [one for one in now.staged if one.delivery not in subject.ids and not decisions.purged(one.delivery)]
    whole = whole_pulls(left, walk.ledger.sightings, decisions.purged_pulls)
    return replace(now, deliveries=whole, staged=staged, decisions=decisions)


def _state(walk: Walk, scratch: Lake, inputs: Inputs, before: Snapshot, made: Made) -> None:
    """Build in the scratch place, in which the files that the build may read or keep have second names."""
    needed = {one.path for one in inputs.staged if one.path} | named_by(before)
    _mirror(walk.lake, scratch, needed)
    build = Build(
        replace(inputs, lake=scratch),
        scratch,
        before,
        Memory(),
        walk.workers,
        lambda said: walk.progress(said, 0, 0),
    )
    made.tables, findings = build.state()
    made.inputs = {"findings": write_findings(scratch, findings)}
    made.named = frozenset(named_by(Snapshot(0, 0, made.tables, made.inputs, before.published_at)))


def _mirror(lake: Lake, scratch: Lake, paths: Iterable[str]) -> None:
    """Give files of the lake second names in the scratch place; copies where the disk knows none."""
    for path in sorted(paths):
        old, new = lake.absolute(path), scratch.absolute(path)
        if not old.is_file():
            continue
        disk.make_folder(new.parent)
        try:
            disk.link(old, new)
        except OSError as refused:
            if refused.errno not in disk.NO_LINKS | {errno.EXDEV, errno.EACCES}:
                raise StorageFailed(
                    f"The disk refused the write: {refused.strerror}.", "Check the disk, then try again.", file=str(new)
                ) from refused
            disk.put(new, pieces(old))


def _drop(path: Path, scratch: Path) -> None:
    """Remove a file of the scratch place; on Windows its other name in the lake is marked read-only again."""
    other = scratch.parent.parent / path.relative_to(scratch)
    with said(path):
        if disk.WINDOWS:
            disk.chmod(path, 0o666)
        disk.unlink(path)
        if disk.WINDOWS and other.exists():
            disk.chmod(other, disk.READ_ONLY)
