"""The work on line items, a batch of partitions at a time: load, compare, fold, keep or write the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import duckdb

from bedrot import sql
from bedrot.walk.chains import hashed, slice_key
from bedrot.walk.curated_values import Content, HeldKind, Piece
from bedrot.walk.desk import Desk
from bedrot.walk.fold_lines import Fold, HeldKey, Outcome, fold
from bedrot.walk.identity import Alias, Evidence, Pair, find_evidence, loaded
from bedrot.walk.line_jobs import Job, State
from bedrot.walk.line_sql import LineShape, of_contents, of_merged, of_patched, of_slice, of_table, patch_rows
from bedrot.walk.merged_files import write_merged

_HANDS = 2
Hits = dict[tuple[str, str], list[Alias]]
"""The aliases that change rows of a content, by the name of its file and its partition."""


class LineBench:
    """The engine's tables for one account: what is loaded now, and rows kept between ticks.

    They stand in a catalogue of their own, gone with the block it is used in, where several connections see them.
    """

    def __init__(self, desk: Desk, shape: LineShape, scales: Sequence[int]) -> None:
        self.desk = desk
        self.shape = shape
        self.scales = scales
        self.aliases: list[Alias] = []
        self._kept: dict[str, tuple[str, str]] = {}
        self._tables: set[str] = set()
        self._jobs: dict[str, Job] = {}
        self._answers: dict[str, dict[str, bool]] = {}
        self._held: dict[str, list[dict[str, Any]]] = {}
        self._others: dict[str, list[dict[str, Any]]] = {}
        self._evidence: list[Evidence] = []
        self._catalogue = ""
        self._loaded: tuple[list[Job], list[Alias]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._catalogue:
            sql.leave_catalogue(self.con, self._catalogue)

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The table's connection, in the catalogue, which is made when it is first needed."""
        self._catalogue = sql.enter_catalogue(self.desk.con)
        return self.desk.con

    def available(self, partition: str, state: State) -> bool:
        """Whether the rows of a state can be read now."""
        kept = self._kept.get(partition, ("", ""))[0] == state.key
        return kept or state.written is None or state.written.exists()

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Load both sides of a batch, where they are not loaded yet; contents of one age are joined into one first."""
        loading = (list(jobs), list(self.aliases))
        if self._loaded == loading:
            return
        self._loaded = loading
        self._jobs = {job.chain.partition: job for job in jobs}
        self._answers = {partition: {} for partition in self._jobs}
        self._held = {partition: [] for partition in self._jobs}
        self._others = {partition: [] for partition in self._jobs}
        self._evidence = []
        self._load("fold_newer", self._contents(jobs, 0))
        for place in range(1, max(len(job.tick.contents) for job in jobs)):
            self._join([job for job in jobs if len(job.tick.contents) > place], place)
        self._load("fold_older", self._before(jobs))

    def evidence(self) -> dict[str, tuple[list[Evidence], dict[str, bool]]]:
        """What the loaded batch says of renamings, by partition, with the approvals it depends on."""
        found: dict[str, list[Evidence]] = {partition: [] for partition in self._jobs}
        for one in [*self._evidence, *self._compared("fold_older", "fold_newer")]:
            found[one.partition].append(one)
        return {partition: (found[partition], dict(self._answers[partition])) for partition in found}

    def fold(self, last: Container[str]) -> dict[str, tuple[dict[str, Any], dict[str, bool]]]:
        """Fold the loaded batch: for each partition the step as plain values, with the approvals it depends on.

        Merged rows are kept for the next tick, but for the partitions in `last`, which have none: write them at once.
        """
        self._loaded = None  # folding takes lines away
        cleared = []
        for partition, job in self._jobs.items():
            if job.before and self._ask(partition, self.desk.vanished_id(job.chain, job.tick)):
                cleared.append(partition)
        outcomes = fold(self._fold_of("fold_older", "fold_newer", list(self._jobs), 0, cleared))
        steps = {partition: self._step(job, outcomes[partition]) for partition, job in self._jobs.items()}
        merged = [partition for partition, step in steps.items() if step["piece"] in {"merged", "patch"}]
        self._keep([partition for partition in merged if partition not in last], steps)
        return {partition: (step, self._answers[partition]) for partition, step in steps.items()}

    def write_folded(self, states: Mapping[str, State]) -> None:
        """Write the rows of partitions that were folded just now to the files of their states."""
        self._write([("fold_result", partition, state) for partition, state in states.items()])

    def write_kept(self, states: Mapping[str, State]) -> None:
        """Write the rows of partitions that were kept, where they are of that state, to the files of their states."""
        kept = [(*self._kept[partition], partition, state) for partition, state in states.items()]
        self._write([(table, partition, state) for key, table, partition, state in kept if key == state.key])

    def _write(self, wanted: Sequence[tuple[str, str, State]]) -> None:
        """Write rows of partitions, each from a table, to files, some side by side: one file is written by one hand."""

        def write(one: tuple[str, str, State]) -> None:
            table, partition, state = one
            with self.con.cursor() as con:
                con.execute(f"USE {self._catalogue}")
                rows, columns = f"{table} WHERE _partition = {sql.text(partition)}", self.shape.stored
                if state.patch:
                    rows, columns = patch_rows(self.shape, rows, state.delivery), (*columns, "_marked")
                write_merged(con, rows, columns, (state.patch or state.piece).path)

        with ThreadPoolExecutor(_HANDS) as pool:
            list(pool.map(write, wanted))

    def said(self, job: Job) -> set[tuple[str, ...]]:
        """The keys, as texts, that the contents of a tick have lines of."""
        sources = of_contents(self.shape, job.tick.contents)
        keys = ", ".join(f"coalesce(CAST({sql.name(one)} AS VARCHAR), '')" for one in self.shape.match[1:])
        query = f"SELECT DISTINCT {keys} FROM ({loaded(self.shape, sources, self.aliases)})"
        return set(self.con.execute(query).fetchall())

    def hits(self, contents: Sequence[Content]) -> Hits:
        """The aliases that change rows of each content; one read for each file that nothing is noted of."""
        listed = [[one.column, one.old, one.new, one.shown] for one in self.aliases]
        keys = {one: hashed(self.desk.rules, one.path.name, one.partition, one.digest, listed) for one in contents}
        places: dict[Content, list[int]] = {}
        unknown: dict[tuple[str, int], list[Content]] = defaultdict(list)
        for one, key in keys.items():
            noted = self.desk.recall("hits", key)
            if noted is None:
                unknown[one.path.as_posix(), one.scale].append(one)
            else:
                places[one] = noted
        for mine in unknown.values():
            source = of_slice(self.shape, mine[0].path, [one.partition for one in mine], mine[0].scale)
            query = (
                "SELECT DISTINCT _partition, unnest(_hits) AS hit"
                f" FROM ({loaded(self.shape, [source], self.aliases)}) ORDER BY ALL"
            )
            rows = self.con.execute(query).fetchall()
            for one in mine:
                places[one] = [hit for partition, hit in rows if partition == one.partition]
                self.desk.note("hits", keys[one], places[one], {})
        return {(one.path.name, one.partition): [self.aliases[at - 1] for at in hit] for one, hit in places.items()}

    def _load(self, name: str, sources: list[str]) -> None:
        """Fill a table with the rows of sources, every alias applied."""
        if sources:
            query = loaded(self.shape, sources, self.aliases)
        else:
            query = f"SELECT * FROM ({loaded(self.shape, self._contents(list(self._jobs.values()), 0), [])}) LIMIT 0"
        self.con.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def _contents(self, jobs: Sequence[Job], place: int) -> list[str]:
        """Sources of the contents at one place of the ticks."""
        return of_contents(self.shape, [job.tick.contents[place] for job in jobs])

    def _before(self, jobs: Sequence[Job]) -> list[str]:
        """Sources of the states before the ticks."""
        slices: dict[tuple[str, int], list[tuple[str, Piece]]] = defaultdict(list)
        tables: dict[str, list[str]] = defaultdict(list)
        merged = []
        patched = []
        for job in jobs:
            state, partition = job.before, job.chain.partition
            if state is None:
                continue
            key, table = self._kept.get(partition, ("", ""))
            if key == state.key:
                tables[table].append(partition)
            elif state.patch is not None:
                patched.append(of_patched(self.shape, state.piece, state.scale, state.patch))
            elif state.piece.partition is not None:
                slices[state.piece.path.as_posix(), state.scale].append((partition, state.piece))
            else:
                merged.append(state.piece.path)
        sources = [
            of_slice(self.shape, mine[0][1].path, [partition for partition, _ in mine], scale)
            for (_, scale), mine in slices.items()
        ]
        sources += [*patched, *(of_table(self.shape, table, mine) for table, mine in tables.items())]
        return [*sources, of_merged(self.shape, merged)] if merged else sources

    def _join(self, jobs: list[Job], place: int) -> None:
        """Join the contents at `place` of the ticks onto those of the same age that the lake got before."""
        con, partitions = self.con, [job.chain.partition for job in jobs]
        self._load("fold_left", [of_table(self.shape, "fold_newer", partitions)])
        self._load("fold_right", self._contents(jobs, place))
        self._evidence += self._compared("fold_left", "fold_right")
        outcomes = fold(self._fold_of("fold_left", "fold_right", partitions, place, []))
        rest = [partition for partition in self._jobs if partition not in partitions]
        con.execute("CREATE OR REPLACE TABLE fold_joined AS SELECT * EXCLUDE (_from, _was) FROM fold_result")
        sources = [of_table(self.shape, "fold_joined", partitions)]
        self._load("fold_next", [*sources, of_table(self.shape, "fold_newer", rest)] if rest else sources)
        con.execute("DROP TABLE fold_newer")
        con.execute("ALTER TABLE fold_next RENAME TO fold_newer")
        for job in jobs:
            told_now = self._told(outcomes[job.chain.partition])
            speaker = job.tick.speakers[place]
            held = any(one["delivery"] == speaker for one in self._held[job.chain.partition])
            why = "It has the age of a file that says otherwise." if held else "It has the age of another file."
            self._others[job.chain.partition].append({"kind": "held" if held else "merged", "why": why, **told_now})

    def _compared(self, older: str, newer: str) -> list[Evidence]:
        """Evidence of renamings between two loaded tables."""
        return find_evidence(self.con, self.shape, older, newer, self.scales)

    def _fold_of(self, older: str, newer: str, partitions: list[str], place: int, cleared: list[str]) -> Fold:
        """The fold of two loaded tables; `place` above 0 joins contents of one age."""
        apart: dict[Pair, list[str]] = defaultdict(list)
        for partition in partitions:
            for pair in self._jobs[partition].apart:
                apart[pair].append(partition)
        kind: HeldKind = "age" if place else "key"

        def allowed(partition: str, keys: Sequence[HeldKey]) -> list[bool]:
            return self._allowed(kind, partition, keys, place)

        speakers = {partition: self._jobs[partition].tick.speakers[place] for partition in partitions}
        return Fold(self.con, self.shape, older, newer, self.scales, speakers, bool(place), allowed, cleared, apart)

    def _allowed(self, kind: HeldKind, partition: str, keys: Sequence[HeldKey], place: int) -> list[bool]:
        """Which keys that look wrong a person approved; the others are noted as held."""
        job = self._jobs[partition]
        how = "{} lines are known, the newer file has {}." if kind == "key" else "two files of the same age differ."
        entries = self.desk.hold_keys(
            kind,
            job.chain,
            job.tick,
            job.tick.speakers[place],
            [(list(key.values), how.format(key.older, key.newer)) for key in keys],
        )
        answers = [self._ask(partition, entry["id"]) for entry in entries]
        self._held[partition] += [entry for entry, yes in zip(entries, answers, strict=True) if not yes]
        return answers if len(entries) == len(keys) else answers * len(keys)

    def _ask(self, partition: str, identity: str) -> bool:
        """Ask for an approval and remember that the result depends on it."""
        answer = self.desk.approved(identity)
        self._answers[partition][identity] = answer
        return answer

    def _told(self, outcome: Outcome) -> dict[str, Any]:
        """Counts and sums as plain values."""
        sums = zip(self.shape.money, outcome.money_before, outcome.money_after, strict=True)
        return {
            "added": outcome.added,
            "restated": outcome.restated,
            "vanished": outcome.vanished,
            "money": {name: [f"{before:f}", f"{after:f}"] for name, before, after in sums},
        }

    def _step(self, job: Job, outcome: Outcome) -> dict[str, Any]:
        """What a tick did, as plain values."""
        single = len(job.tick.contents) == 1 and not job.hits and outcome.came == job.tick.contents[0].rows
        partition = job.chain.partition
        piece = "merged"
        key = ""
        rows = outcome.from_older + outcome.from_newer
        if job.before and outcome.unchanged:
            piece, key = "before", job.before.key
        elif single and outcome.replaced:
            piece, key = "slice", slice_key(self.desk.rules, job.tick.contents[0])
        else:
            yes = sorted(one for one, answer in self._answers[partition].items() if answer)
            key = hashed(job.key(self.desk.rules, held=True), yes)
            if job.before and outcome.from_older == outcome.before and job.before.takes(rows - job.before.piece.rows):
                piece = "patch"
        return {
            "piece": piece,
            "key": key,
            "rows": rows,
            "told": self._told(outcome),
            "held": self._held[partition],
            "others": self._others[partition],
            "lacking": {
                delivery: [count, dict(zip(self.shape.money, (f"{one:f}" for one in money), strict=True))]
                for delivery, (count, money) in outcome.lacking.items()
            },
        }

    def _keep(self, partitions: list[str], steps: dict[str, dict[str, Any]]) -> None:
        """Keep the rows of merged partitions for the next tick or their file, and let go what they replace."""
        if not partitions:
            return
        name = self.desk.fresh_name()
        self.con.execute(f"CREATE TABLE {name} AS {of_table(self.shape, 'fold_result', partitions)}")
        for partition in partitions:
            self._kept[partition] = (steps[partition]["key"], name)
        self._tables.add(name)
        self.release([])

    def release(self, partitions: Iterable[str]) -> None:
        """Let go the kept rows of partitions, and drop the tables that nothing needs any more."""
        for partition in partitions:
            self._kept.pop(partition, None)
        needed = {table for _, table in self._kept.values()}
        for table in sorted(self._tables - needed):
            self.con.execute(f"DROP TABLE {table}")
        self._tables &= needed
