"""Known-on: the state that the lake would have, had it only what was received and decided by an instant.

It is the same build as that of a run, over fewer deliveries, written into a folder of its own; the lake is only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import bedrot
from bedrot.errors import BedrotError
from bedrot.lake.decisions import Decisions
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import Staged
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.sources import code_of
from bedrot.walk.build import Build
from bedrot.walk.findings import Findings
from bedrot.walk.run import Walk
from bedrot.walk.stage import StageTask, fingerprint, stage_delivery


@dataclass(frozen=True)
class Known:
    """What was known at an instant: a snapshot and its findings, in a lake of their own below a scratch folder.

    `failed` has a sentence for each delivery that could not be staged; the state lacks its rows.
    """

    at: datetime
    lake: Lake
    snapshot: Snapshot
    findings: Findings
    failed: list[str] = field(default_factory=list)


def known_on(walk: Walk, at: datetime, scratch: Path) -> Known:
    """The state over the deliveries known at or before `at` and the decisions taken by then, built below `scratch`.

    What was purged since is in no state any more, since its bytes are gone. Raises what a build raises.
    """
    out = Lake(scratch.absolute())
    decisions = decisions_by(walk.ledger.decisions(), at)
    everything = walk.inputs()
    deliveries = [one for one in everything.deliveries if one.known_at <= at]
    staged, failed = _staged(walk, out, deliveries, decisions, everything.staged)
    inputs = replace(everything, deliveries=deliveries, staged=staged, decisions=decisions)
    build = Build(inputs, out, None, _Forgetful(), walk.workers, lambda said: walk.progress(said, 0, 0))
    tables, findings = build.state()
    snapshot = Snapshot(1, 0, tables, {}, at, bedrot.__version__)
    return Known(at, out, snapshot, findings, failed)


def decisions_by(decisions: Decisions, at: datetime) -> Decisions:
    """The decisions taken at or before an instant, and every purge, with what lets its data come back."""
    purges = {one.id for one in decisions if one.kind == "purge"}
    return Decisions(one for one in decisions if one.at <= at or one.id in purges or one.target in purges)


def _staged(
    walk: Walk, out: Lake, deliveries: list[Delivery], decisions: Decisions, at_hand: Sequence[Staged]
) -> tuple[list[Staged], list[str]]:
    """What is staged of the deliveries as they were then: the lake's own files where they fit, others made in `out`.

    A delivery that was reassigned or retracted since, or that no run has seen yet, has to be staged anew.
    """
    known = {(one.delivery, one.table, one.fingerprint): one for one in at_hand}
    feeds = {feed.name: (feed, code_of(source)) for source in walk.sources for feed in source.feeds}
    found: list[Staged] = []
    failed: list[str] = []
    for delivery in deliveries:
        if delivery.feed not in feeds or decisions.retracted(delivery.id):
            continue
        feed, code = feeds[delivery.feed]
        bytes_at = walk.lake.object_path(delivery.object)
        task = StageTask(out.root, delivery, decisions.account_of(delivery), walk.folders, path=bytes_at)
        marks = [(delivery.id, table.name, fingerprint(task, table, code)) for table in feed.tables]
        if all(_whole(walk.lake, known.get(mark)) for mark in marks):
            found += [known[mark] for mark in marks]
            continue
        try:
            made = stage_delivery(task)
        except BedrotError as wrong:
            failed.append(str(wrong))
            continue
        found += [replace(one, path=out.absolute(one.path).as_posix() if one.path else "") for one in made]
    return found, failed


def _whole(lake: Lake, staged: Staged | None) -> bool:
    """Whether staged rows are there to be read."""
    return staged is not None and (not staged.path or lake.absolute(staged.path).is_file())


class _Forgetful:
    """A memory for one build, which nobody keeps."""

    def __init__(self) -> None:
        self._noted: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """What was noted under a key."""
        return self._noted.get(key)

    def put(self, key: str, value: str) -> None:
        """Note a value."""
        self._noted[key] = value
