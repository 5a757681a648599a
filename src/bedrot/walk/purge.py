"""Purge: what must go leaves every file of the lake, and a tombstone says that it did; all else stays as it is.

The order lets the same command, given again, finish what a process that died has begun: the tombstones first, from
which on no build and no reader of tables takes it in; then the state without it; then the files, the ledger, and last
the manifests, which alone still tell what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import bedrot
from bedrot.errors import Misconfigured
from bedrot.lake import disk, snapshot
from bedrot.lake.decisions import Decision, Decisions, all_decisions, decide, tombstone, write_decision
from bedrot.lake.deliveries import all_sightings, write_sightings
from bedrot.lake.forget import ForgettingLedger
from bedrot.lake.objects import pieces
from bedrot.lake.snapshot import Snapshot, write_snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.purge_build import Made, drop_scratch, made_without
from bedrot.walk.purge_files import Files, find_files, removed_lines
from bedrot.walk.purge_states import Repack, read_states, repack
from bedrot.walk.purge_subject import Subject, naming, subject_of
from bedrot.walk.run import Walk, tidy


@dataclass(frozen=True)
class Ask:
    """What a person wants to go: an account (source and name) or deliveries by id, and why."""

    because: str
    account: tuple[str, str] | None = None
    deliveries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that a purge does, known before anything is done.

    `states` are the numbers of published states that go; `rows` counts the staged rows of the deliveries.
    """

    subject: Subject
    tombstones: tuple[Decision, ...]
    decisions: Decisions
    made: Made | None
    states: tuple[int, ...]
    repacks: tuple[Repack, ...]
    files: Files
    rows: int

    @property
    def paths(self) -> list[Path]:
        """The files that go, those that are written anew without it with them, in the order of their going."""
        bundles = [one.bundle.path for one in self.repacks]
        return [*self.files.records, *self.files.derived, *bundles, *self.files.rest, *self.files.manifests]


@contextmanager
def planned(walk: Walk, ask: Ask, now: datetime) -> Iterator[Plan]:
    """What a purge would do; the state without it lies ready in a scratch place, which is gone behind the block.

    The caller holds the writer's lock. Raises Misconfigured for a reason that names what must go, or where nothing is
    meant; Damaged where raw or a bundle cannot be read whole.
    """
    lake = walk.lake
    tidy(walk)
    for folder in lake.work.glob("*"):
        if folder.is_dir() and folder != lake.pulls:
            drop_scratch(folder)
    subject = subject_of(lake, ask.account, ask.deliveries)
    named = naming(subject, all_sightings(lake))
    if named(ask.because):
        raise Misconfigured(
            "The reason names what must go, and it is kept for ever.", "Say it without names of accounts and files."
        )
    tables = frozenset(
        f"staging.{table.name}"
        for source in walk.sources
        if ask.account and source.name == ask.account[0]
        for feed in source.feeds
        for table in feed.tables
    )
    states = read_states(lake, tables)
    gone = states.held(subject) if subject.ids else set()
    approved = {
        str(one["id"])
        for one in states.findings()
        if one["delivery"] in subject.ids
        or (ask.account and one["account"] == ask.account[1] and f"staging.{one['table']}" in tables)
    }
    told = all_decisions(lake)
    kept = [one for one in (_kept_decision(one, subject, approved, named) for one in told) if one is not None]
    known = Decisions(kept)
    new = tuple(tombstone(one, ask.because, now) for one in subject.deliveries if known.purged(one.id) is None)
    if not ask.because.strip():
        decide("purge", "", ask.because, now)  # says that a reason is needed
    decisions = Decisions([*kept, *new])
    with made_without(walk, subject, decisions, known=bool(subject.ids)) as made:
        stay = states.kept(gone)
        files = find_files(walk, subject, named, stay=stay, made=made, gone=gone, decisions=decisions)
        repacks = states.repacks(subject, gone, files.named) if subject.ids else []
        yield Plan(subject, new, decisions, made, tuple(sorted(gone)), tuple(repacks), files, _rows(walk, subject))


def carry_out(walk: Walk, plan: Plan, now: datetime) -> int:
    """Do all of a plan, in the order that a dying process may leave at any point; the state that readers see then."""
    lake = walk.lake
    for one in plan.tombstones:
        write_decision(lake, one)
        walk.ledger.add_decision(one)
    number = _publish(lake, plan, now)
    for path in (*plan.files.records, *plan.files.derived):
        disk.remove(path)
    _drop_empty(lake)
    for bundle in plan.repacks:
        repack(bundle)
    for some in plan.files.sightings:
        write_sightings(lake, some)
    for one in plan.decisions:
        write_decision(lake, one)
    for path in plan.files.lines:
        disk.put(path, removed_lines(path, plan.files.is_named), replace=True, read_only=False)
    for path in plan.files.rest:
        disk.remove(path)
    with ForgettingLedger(lake.ledger_path) as ledger:
        ledger.forget(plan.files.forgotten)
        ledger.shrink()
    for path in plan.files.manifests:
        disk.remove(path)
    return number


def allow(walk: Walk, told: str, because: str, now: datetime) -> list[Decision]:
    """Let what was purged come back: approve the tombstones of a delivery's bytes; those that were in force."""
    tidy(walk)
    decided = Decisions(all_decisions(walk.lake))
    found = [
        one for one in decided.tombstones if one.target == told or (len(told) >= 4 and one.target.startswith(told))
    ]
    if not found:
        raise Misconfigured(f"Nothing was purged whose id is '{told}' or begins so.", "The refusal names the id.")
    if any(walk.lake.manifest_path(one.target).exists() for one in found):
        raise Misconfigured("That purge is not finished.", "Give the same `bedrot purge` command again first.")
    bytes_of = {one.value.partition("/")[0] for one in found}
    same = [one for one in decided.tombstones if one.value.partition("/")[0] in bytes_of]
    for one in same:
        decision = decide("approve", one.id, because, now)
        write_decision(walk.lake, decision)
        walk.ledger.add_decision(decision)
    return same


def _kept_decision(
    one: Decision, subject: Subject, approved: set[str], named: Callable[[str], bool]
) -> Decision | None:
    """A decision as it stays: without words that name what goes; None for one that is about it."""
    if one.kind in ("retract", "reassign") and one.target in subject.ids:
        return None
    if one.kind == "approve" and one.target in approved:
        return None
    if one.kind == "reassign" and subject.account and one.value == subject.account[1]:
        whose = next((other.source for other in subject.others if other.id == one.target), "")
        if whose == subject.account[0]:
            return None
    if named(one.because):
        return decide(one.kind, one.target, "(The reason named what was purged.)", one.at, one.value)
    return one


def _publish(lake: Lake, plan: Plan, now: datetime) -> int:
    """Bring the state without it into the lake and let readers see it; the number of the state that they see."""
    made = plan.made
    if made is None:
        return snapshot.current_number(lake)
    before = snapshot.current(lake)
    number = before.number if before else 0
    if made.new:
        for path in made.files:
            final = lake.absolute(made.lake.relative(path))
            if not final.exists():
                disk.put(final, pieces(path))
        marks = sorted({*plan.states, *made.missing})
        marked = {"purged": ",".join(map(str, marks))} if marks else {}
        write_snapshot(
            lake,
            Snapshot(number + 1, number, made.tables, {**made.inputs, **marked}, now, bedrot.__version__),
        )
        number += 1
    elif before is not None:  # a process may have died between the record and the pointer
        snapshot.point(lake, number, lake.snapshot_path(number).read_bytes().decode())
    made.drop()
    return number


def _drop_empty(lake: Lake) -> None:
    """Remove folders of tables' parts that are empty: their names may name an account."""
    for folder in sorted((one for one in lake.curated.glob("*/*") if one.is_dir()), reverse=True):
        with suppress(OSError):  # not empty
            folder.rmdir()


def _rows(walk: Walk, subject: Subject) -> int:
    """The staged rows of what must go."""
    return sum(one.rows + one.rejected for one in walk.ledger.staged() if one.delivery in subject.ids)
