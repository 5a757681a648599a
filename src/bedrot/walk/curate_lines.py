"""Line items of one account: all ticks in the order of age, the identity map, and what comes out of it.

A tick is folded for all partitions that have it at once. A renaming that a tick proves is a fact of the whole set of
files, so it starts the fold anew; what it does not touch is remembered and costs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from bedrot.walk.chains import Chain, hashed, slice_key
from bedrot.walk.curated_values import Content, Held, PartitionState, Piece, Renaming
from bedrot.walk.desk import Desk
from bedrot.walk.identity import Evidence, IdentityMap, Pair, alias_of, judged
from bedrot.walk.line_bench import Hits, LineBench
from bedrot.walk.line_jobs import Job, State, batches
from bedrot.walk.line_sql import FEWEST_DECIMALS, LineShape

Age = tuple[bool, datetime]


@dataclass
class Progress:
    """How far one partition is: the state after each tick so far, and what was told of each."""

    chain: Chain
    states: list[State] = field(default_factory=list)
    apart: list[tuple[Pair, ...]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    open: list[dict[str, Any]] = field(default_factory=list)


def curate_lines(desk: Desk, chains: Sequence[Chain]) -> None:
    """Curate the line items of one account; adds to `desk.out`."""
    scales = {max(one.scale, FEWEST_DECIMALS) for chain in chains for tick in chain.ticks for one in tick.contents}
    with LineBench(desk, LineShape(desk.table), sorted(scales)) as bench:
        account = _Account(desk, chains, bench)
        while not account.fold_all():
            pass
        account.finish()


class _Account:
    """One account at work."""

    def __init__(self, desk: Desk, chains: Sequence[Chain], bench: LineBench) -> None:
        self.desk = desk
        self.chains = chains
        contents = {one for chain in chains for tick in chain.ticks for one in tick.contents}
        self.contents = sorted(contents, key=lambda one: (one.path.as_posix(), one.partition, one.digest))
        self.identity = IdentityMap()
        self.bench = bench
        self.renamings: list[Renaming] = []
        self.renamed: dict[tuple[str, Age], int] = defaultdict(int)
        self.near: dict[str, Held] = {}
        self.suspect: set[tuple[str, Age]] = set()
        self.hits: Hits = {}
        self.progress: dict[str, Progress] = {}

    def fold_all(self) -> bool:
        """Fold all ticks; False when a new renaming was proven, so that all must be folded anew."""
        self.bench.aliases = self.identity.flat()
        self.hits = self.bench.hits(self.contents) if self.bench.aliases else {}
        self.identity.held.clear()
        self.near.clear()
        self.suspect.clear()
        self.progress = {chain.partition: Progress(chain) for chain in self.chains}
        ticks: dict[Age, list[Progress]] = defaultdict(list)
        for chain in self.chains:
            for tick in chain.ticks:
                ticks[tick.age].append(self.progress[chain.partition])
        return all(self._fold_age(age, ticks[age]) for age in sorted(ticks))

    def _fold_age(self, age: Age, partitions: Sequence[Progress]) -> bool:
        """Fold the ticks of one age; False when they prove a new renaming."""
        jobs = []
        for progress in partitions:
            job = self._job(progress, len(progress.states))
            if job.before is None and len(job.tick.contents) == 1 and not job.hits:
                self._take_slice(progress)
            else:
                jobs.append(job)
        evidence = self._evidence(jobs)
        if self._decide(age, evidence):
            return False
        self._fold([self._job(self.progress[job.chain.partition], job.index) for job in jobs])
        for job in jobs:
            self._advance(self.progress[job.chain.partition], job.index)
        return True

    def _job(self, progress: Progress, index: int) -> Job:
        """The job of one tick; with the renamings held now, or those held when it was folded first."""
        apart = progress.apart[index] if index < len(progress.apart) else tuple(sorted(self.identity.held))
        tick = progress.chain.ticks[index]
        hits = {alias for one in tick.contents for alias in self.hits.get((one.path.name, one.partition), [])}
        before = progress.states[index - 1] if index else None
        return Job(progress.chain, index, before, apart if before else (), tuple(sorted(hits, key=astuple)))

    def _take_slice(self, progress: Progress) -> None:
        """The first content of a partition is taken as it is."""
        content = progress.chain.ticks[0].contents[0]
        progress.states.append(self._of_slice(slice_key(self.desk.rules, content), content))
        progress.apart.append(())
        progress.steps.append({"told": {"added": content.rows}, "others": [], "held": []})

    def _evidence(self, jobs: Sequence[Job]) -> list[Evidence]:
        """What the ticks of one age say of renamings; as long as they say nothing, they are folded on the way."""
        found: list[Evidence] = []
        missing = []
        for job in jobs:
            noted = self.desk.recall("evidence", job.key(self.desk.rules, held=False))
            if noted is None:
                missing.append(job)
            else:
                found += [Evidence(one[0], (one[1][0], one[1][1], one[1][2]), *one[2:]) for one in noted]
        for batch in batches(missing):
            self._provide(batch)
            self.bench.prepare(batch)
            evidence = self.bench.evidence()
            for job in batch:
                mine, answers = evidence[job.chain.partition]
                key = job.key(self.desk.rules, held=False)
                self.desk.note("evidence", key, [list(astuple(one)) for one in mine], answers)
                found += mine
            if not found:
                self._note_steps(batch)
        return found

    def _decide(self, age: Age, evidence: Sequence[Evidence]) -> bool:
        """Take proven renamings, hold near ones; whether there is a new alias."""
        proven, near = judged(evidence)
        held = []
        for found in near:
            identity = hashed("held", "renaming", self.desk.table.name, self.chains[0].account, found[0].pair)
            if self.desk.approved(identity):
                proven.append(found)
            else:
                held.append((identity, found))
        known = len(self.identity.aliases)
        for found in proven:
            self._rename(age, found)
        if len(self.identity.aliases) > known:
            return True
        for identity, found in held:
            self._hold(age, identity, found)
        return False

    def _rename(self, age: Age, found: Sequence[Evidence]) -> None:
        """Take one renaming, unless it is known."""
        if not self.identity.add(alias_of(found)):
            return
        lines = sum(one.lines for one in found)
        self.renamings.append(
            Renaming(
                self.chains[0].account,
                found[0].pair[0],
                min(one.gone_shown for one in found),
                min(one.come_shown for one in found),
                self._speaker(age, found),
                lines,
            )
        )
        for one in found:
            self.renamed[one.partition, age] += one.lines

    def _hold(self, age: Age, identity: str, found: Sequence[Evidence]) -> None:
        """Hold one renaming: lines that it would count twice stay out until a person approves it."""
        pair = found[0].pair
        self.identity.held.add(pair)
        self.suspect.update((one.partition, age) for one in found)
        old, new = min(one.gone_shown for one in found), min(one.come_shown for one in found)
        hits, both = sum(one.hits for one in found), sum(one.both for one in found)
        partitions = sorted({one.partition for one in found})
        what = (
            f"{pair[0]} '{old}' looks renamed to '{new}': {hits:,} of {both:,} groups of lines are equal. "
            "Until it is approved, the lines that would count twice are left out."
        )
        self.near[identity] = Held(
            identity,
            self.desk.table.name,
            self.chains[0].account,
            partitions[0] if len(partitions) == 1 else "",
            self._speaker(age, found),
            "renaming",
            what,
            {"column": pair[0], "old": old, "new": new, "equal": hits, "compared": both, "partitions": partitions},
        )

    def _speaker(self, age: Age, found: Sequence[Evidence]) -> str:
        """The delivery that shows a renaming."""
        chains = [self.progress[one.partition].chain for one in found]
        return min(tick.speakers[0] for chain in chains for tick in chain.ticks if tick.age == age)

    def _fold(self, jobs: Sequence[Job]) -> None:
        """Make sure that the result of each job is noted."""
        rules = self.desk.rules
        missing = [job for job in jobs if self.desk.recall("step", job.key(rules, held=True)) is None]
        for batch in batches(missing):
            self._provide(batch)
            self.bench.prepare(batch)
            self._note_steps(batch)

    def _note_steps(self, batch: Sequence[Job]) -> None:
        """Fold the loaded batch and note the results; the last state of a partition goes to its file."""
        jobs = {job.chain.partition: job for job in batch}
        last = {partition for partition, job in jobs.items() if job.index + 1 == len(job.chain.ticks)}
        done: dict[str, State] = {}
        slices = []
        for partition, (step, answers) in self.bench.fold(last).items():
            job = jobs[partition]
            self.desk.note("step", job.key(self.desk.rules, held=True), step, answers)
            if step["piece"] in {"merged", "patch"} and partition in last:
                done[partition] = self._state(job, step)
            elif step["piece"] == "slice":
                slices.append(partition)
        self.bench.write_folded(done)
        self.bench.release([*done, *slices])

    def _state(self, job: Job, step: dict[str, Any]) -> State:
        """The state that a noted step leads to."""
        if step["piece"] == "before" and job.before:
            return job.before
        content = job.tick.contents[0]
        if step["piece"] == "slice":
            return self._of_slice(step["key"], content)
        path = self.desk.merged_path(step["key"])
        if step["piece"] == "patch" and job.before:
            patch = Piece(path, job.chain.partition, step["rows"] - job.before.piece.rows)
            return replace(job.before, key=step["key"], lacking=step["lacking"], patch=patch)
        return State(step["key"], Piece(path, None, step["rows"]), 0, lacking=step["lacking"])

    def _of_slice(self, key: str, content: Content) -> State:
        """The state that one content is, as it stands."""
        return State(key, Piece(content.path, content.partition, content.rows), content.scale, content.delivery)

    def _advance(self, progress: Progress, index: int) -> None:
        """Take the noted result of a tick as the partition's state."""
        job = self._job(progress, index)
        step = self.desk.recall("step", job.key(self.desk.rules, held=True))
        progress.states.append(self._state(job, step))
        progress.apart.append(job.apart)
        progress.steps.append(step)
        if progress.open:
            said = self.bench.said(job)
            for one in progress.open:
                one["keys"] = [key for key in one["keys"] if tuple(key) not in said]
        progress.open = [one for one in progress.open if one["keys"]] + [dict(one) for one in step["held"]]

    def _provide(self, batch: Sequence[Job]) -> None:
        """Make the rows readable that a batch builds on, folding anew what was not kept."""
        wanted = [(self.progress[job.chain.partition], job.index - 1) for job in batch if job.index]
        behind = [(one, upto, self._known(one, upto)) for one, upto in wanted]
        while behind := [(one, upto, at) for one, upto, at in behind if at < upto]:
            for again in batches([self._job(one, at + 1) for one, _, at in behind]):
                self.bench.prepare(again)
                self._note_steps(again)
            behind = [(one, upto, at + 1) for one, upto, at in behind]

    def _known(self, progress: Progress, upto: int) -> int:
        """The last tick up to `upto` whose state can be read now; -1 when there is none."""
        partition = progress.chain.partition
        return next(
            (at for at in range(upto, -1, -1) if self.bench.available(partition, progress.states[at])),
            -1,
        )

    def finish(self) -> None:
        """Write what is not written yet, and add all findings to the table's."""
        self._write_missing()
        out = self.desk.out
        for progress in self.progress.values():
            chain, state = progress.chain, progress.states[-1]
            out.states[chain.account, chain.partition] = PartitionState(
                chain.account, chain.partition, state.key, state.pieces, state.rows
            )
            self._tell(progress)
            out.held += [self.desk.held(chain, one) for one in progress.open]
            self.desk.vanished(chain, state.lacking, "lines")
        out.held += [self.near[identity] for identity in sorted(self.near)]
        out.renamings += self.renamings
        self.desk.same(self.chains)
        self.bench.release(self.progress)

    def _write_missing(self) -> None:
        """Write last states that were never written, or whose files are gone."""

        def lost(progress: Progress) -> bool:
            written = progress.states[-1].written
            return written is not None and not written.exists()

        missing = [progress for progress in self.progress.values() if lost(progress)]
        self._provide([Job(one.chain, len(one.states), one.states[-1], (), ()) for one in missing])
        self.bench.write_kept({one.chain.partition: one.states[-1] for one in missing if lost(one)})

    def _tell(self, progress: Progress) -> None:
        """Add the verdicts of one partition."""
        chain = progress.chain
        for index, (tick, step) in enumerate(zip(chain.ticks, progress.steps, strict=True)):
            others = tick.speakers[1:]
            held = any(one["delivery"] not in others for one in step["held"])
            held = held or (chain.partition, tick.age) in self.suspect
            kind = "held" if held else "merged" if index else "fresh"
            told = {**step["told"], "kind": kind, "renamed": self.renamed.get((chain.partition, tick.age), 0)}
            if held:
                told["why"] = "Part of it looks wrong and waits for approval."
            for speaker, each in zip(tick.speakers, [told, *step["others"]], strict=True):
                money = {name: (Decimal(was), Decimal(now)) for name, (was, now) in each.get("money", {}).items()}
                self.desk.verdict(chain, speaker, {**each, "money": money if index else {}})
