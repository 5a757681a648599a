"""Rebuild: staging and curated anew from raw in a scratch place, compared with what is published, row for row.

What is published is only replaced when all of raw could be read: a rebuild that lacks something says so and stops.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import bedrot
from bedrot.errors import BedrotError, Damaged, StorageFailed
from bedrot.lake import disk, objects, snapshot
from bedrot.lake.ledger import Staged
from bedrot.lake.snapshot import Snapshot, TableState, write_snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.build import Build, key_of
from bedrot.walk.compare import Difference, compare
from bedrot.walk.findings import Findings, write_findings
from bedrot.walk.run import UNTOLD, Walk, tidy
from bedrot.walk.stage import StageTask, stage_delivery


@dataclass
class Memory:
    """Curate's memory for one build; forgotten with it."""

    noted: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        """What was noted under a key."""
        return self.noted.get(key)

    def put(self, key: str, value: str) -> None:
        """Note a value."""
        self.noted[key] = value


@dataclass(frozen=True)
class Anew:
    """A state made anew from raw: its files below `lake`, a scratch place; `failed` says what of raw is not in it."""

    lake: Lake
    staged: list[Staged]
    tables: dict[str, TableState]
    findings: Findings
    failed: list[str]

    @property
    def snapshot(self) -> Snapshot:
        """The state as a snapshot of the scratch place, for reading."""
        return Snapshot(1, 0, self.tables, {}, datetime(1970, 1, 1, tzinfo=UTC))


@dataclass
class Rebuilt:
    """What a rebuild found: where the state differs, what of raw was not usable, the snapshot that stands now.

    `healed` are files that were missing or had other bytes than raw gives, put right.
    """

    differences: list[Difference] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)
    number: int = 0
    published: bool = False

    @property
    def equal(self) -> bool:
        """Whether what was published is, row for row, what raw gives."""
        return not (self.differences or self.failed)


def rebuild(walk: Walk, now: datetime) -> Rebuilt:
    """Make everything below raw anew; where it differs from what is published, publish it as a new snapshot.

    The caller holds the writer's lock; `now` is the instant of publishing. Nothing is published where a raw object is
    damaged or a delivery fails.
    """
    tidy(walk)
    with made_anew(walk) as anew:
        done = Rebuilt(failed=anew.failed)
        before = _current(walk.lake)
        done.number = before.number if before else 0
        if before is None and not anew.staged:
            return done
        done.differences = compare(walk.lake, before, anew.lake, anew.snapshot)
        if done.failed:
            return done
        done.healed = _bring(anew.lake, walk.lake, before)
        _note(walk, anew.staged)
        inputs = replace(walk.inputs(), staged=anew.staged)
        if before is None or done.differences:
            told = {"key": key_of(inputs), "findings": write_findings(walk.lake, anew.findings)}
            write_snapshot(
                walk.lake,
                Snapshot(
                    number=done.number + 1,
                    previous=done.number,
                    tables=anew.tables,
                    inputs=told,
                    published_at=now,
                    version=bedrot.__version__,
                ),
            )
            done.number, done.published = done.number + 1, True
    return done


@contextmanager
def made_anew(walk: Walk) -> Iterator[Anew]:
    """Everything below raw made anew in a scratch place, which is gone behind the block; the lake is only read."""
    disk.make_folder(walk.lake.work)
    scratch = Lake(Path(tempfile.mkdtemp(prefix="rebuild-", dir=walk.lake.work)))
    try:
        staged, failed = _stage_all(walk, scratch)
        inputs = replace(walk.inputs(), lake=scratch, staged=staged)
        build = Build(inputs, scratch, None, Memory(), walk.workers, lambda said: walk.progress(said, 0, 0))
        tables, findings = build.state()
        yield Anew(scratch, staged, tables, findings, failed)
    finally:
        shutil.rmtree(scratch.root, ignore_errors=True)


def _stage_all(walk: Walk, scratch: Lake) -> tuple[list[Staged], list[str]]:
    """Every delivery that counts, staged anew from a raw object whose hash holds; a sentence for each that fails."""
    feeds = {feed.name for source in walk.sources for feed in source.feeds}
    decisions = walk.ledger.decisions()
    tasks = [
        StageTask(
            scratch.root,
            one,
            decisions.account_of(one),
            walk.folders,
            path=walk.lake.object_path(one.object),
        )
        for one in walk.ledger.whole_deliveries()
        if one.feed in feeds and not decisions.retracted(one.id)
    ]
    staged, failed = [], []
    with ThreadPoolExecutor(walk.workers) as pool:
        for done, results in enumerate(pool.map(lambda task: _stage(walk.lake, task), tasks), start=1):
            if isinstance(results, str):
                failed.append(results)
            else:
                staged += results
            walk.progress("stage anew", done, len(tasks))
    return staged, failed


def _stage(lake: Lake, task: StageTask) -> list[Staged] | str:
    """What staging makes of a delivery, or why it cannot."""
    if not objects.check_object(lake, task.delivery.object):
        return f"{task.delivery.name}: its raw object {task.delivery.object[:12]} is missing or damaged."
    try:
        return stage_delivery(task)
    except StorageFailed:  # says nothing about the delivery
        raise
    except BedrotError as wrong:
        return str(wrong)


def _current(lake: Lake) -> Snapshot | None:
    """The published snapshot; where the pointer or the newest record is damaged, the newest one that is whole."""
    try:
        return snapshot.current(lake)
    except Damaged:
        return _fall_back(lake)


def _fall_back(lake: Lake) -> Snapshot | None:
    """Set damaged records aside in the archive, point to the newest whole one, and give it; None where none is."""
    whole: Snapshot | None = None
    for number in reversed(snapshot.numbers(lake)):
        try:
            whole = snapshot.load(lake, number)
            break
        except Damaged:
            path = lake.snapshot_path(number)
            disk.put(lake.archive / "damaged" / path.name, (path.read_bytes(),), replace=True)
            disk.remove(path)
    if whole is None:
        disk.remove(lake.pointer_path)
        return None
    snapshot.point(lake, whole.number, lake.snapshot_path(whole.number).read_bytes().decode())
    return whole


def _bring(scratch: Lake, lake: Lake, before: Snapshot | None) -> list[str]:
    """Bring files made anew into the lake; the names of those that had to be put right."""
    named = {part.path for table in before.tables.values() for part in table.parts} if before else set()
    healed = []
    for path in sorted(one for zone in (scratch.staging, scratch.curated) for one in zone.rglob("*") if one.is_file()):
        relative = scratch.relative(path)
        final = lake.absolute(relative)
        missing = not final.exists()
        if not missing and objects.hash_file(final)[0] == objects.hash_file(path)[0]:
            continue
        disk.put(final, objects.pieces(path), replace=True)
        if not missing or relative in named:
            healed.append(relative)
    return healed


def _note(walk: Walk, staged: list[Staged]) -> None:
    """Let the ledger say of staging what raw gives; what no run has told of yet, the next one tells."""
    known = {one.delivery for one in walk.ledger.staged()}
    with walk.ledger.transaction():
        for one in staged:
            walk.ledger.save_staged(one)
        walk.ledger.memo_put_many({UNTOLD + one.delivery: "{}" for one in staged if one.delivery not in known})
