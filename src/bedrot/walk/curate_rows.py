"""Series, windows and snapshots: which partitions have news, what to fold for them, and what to tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bedrot.contract import Merge
from bedrot.walk.chains import Chain, hashed, slice_key, told
from bedrot.walk.curated_values import PartitionState, Piece
from bedrot.walk.desk import Desk
from bedrot.walk.fold_rows import BASE, RowShape, TickCount
from bedrot.walk.merged_files import write_merged
from bedrot.walk.row_bench import Round, RowJob, fold_round, lacking, row_batches


def curate_rows(desk: Desk, chains: Sequence[Chain]) -> None:
    """Curate all accounts and partitions of a table that is no table of line items; adds to `desk.out`."""
    table = _Table(desk)
    news = [chain for chain in chains if not table.plain(chain) and not table.known(chain)]
    for batch in row_batches([table.job(chain) for chain in news]):
        table.fold(batch)
    for chain in chains:
        table.tell(chain)
    desk.same(chains)


class _Table:
    """One table at work."""

    def __init__(self, desk: Desk) -> None:
        table = desk.table
        self.desk = desk
        self.shape = RowShape(table)
        self._keys: dict[tuple[str, str], list[str]] = {}
        # Rows that only prove that something was asked, and versions like the one before, do not stay in a state.
        self._whole = not (table.absent or table.changes_only)
        self._resumable = not table.changes_only and not (table.absent and table.until)

    def plain(self, chain: Chain) -> bool:
        """Whether the partition has one content, whose rows are its state."""
        return len(chain.ticks) == 1 and self._first_is_slice(chain)

    def known(self, chain: Chain) -> bool:
        """Whether everything about the partition is remembered and its file is there."""
        keys = self.keys(chain)
        first = 1 if self._first_is_slice(chain) else 0
        return self._state(keys[-1]) is not None and all(self.desk.recall("tick", key) for key in keys[first:])

    def keys(self, chain: Chain) -> list[str]:
        """A hash for each tick of all that the state after it depends on, save approvals of what has one age."""
        where = (chain.account, chain.partition)
        if where not in self._keys:
            keys = []
            key = hashed(self.desk.rules, *where)
            for index, tick in enumerate(chain.ticks):
                key = hashed(key, told(tick), self._clears(chain, index))
                keys.append(key)
            self._keys[where] = keys
        return self._keys[where]

    def job(self, chain: Chain) -> RowJob:
        """What to fold: the ticks after the last one up to which everything is remembered."""
        keys = self.keys(chain)
        start = 0 if self._first_is_slice(chain) else BASE
        known = start
        while known + 1 < len(keys) and self.desk.recall("tick", keys[known + 1]):
            known += 1
        for index in range(min(known, len(keys) - 2), start, -1):
            state = self._state(keys[index]) if self._resumable else None
            if state:
                piece = Piece(self.desk.merged_path(state["key"]), None, state["rows"])
                return RowJob(chain, index, piece, state["rows"], dict(state["answers"]), list(state["open"]))
        if start == BASE:
            return RowJob(chain, BASE, None, 0)
        content = chain.ticks[0].contents[0]
        return RowJob(chain, 0, Piece(content.path, content.partition, content.rows), content.rows)

    def fold(self, batch: list[RowJob]) -> None:
        """Fold a batch; a tick at which a person cleared what it lacks ends a round of its own."""
        behind = batch
        tables = []
        while behind:
            for job in behind:
                ends = range(job.base + 1, len(job.chain.ticks))
                job.upto = next((at for at in ends if self._clears(job.chain, at)), job.last)
                job.clears = self._clears(job.chain, job.upto)
            found = fold_round(self.desk, self.shape, behind)
            tables.append(self.desk.fresh_name())
            self.desk.con.execute(f"CREATE TEMP TABLE {tables[-1]} AS SELECT * FROM rows_done")
            self._note(behind, found, tables[-1])
            for job in behind:
                job.base, job.piece, job.table = job.upto, None, tables[-1]
            behind = [job for job in behind if job.base < job.last]
        for table in tables:
            self.desk.con.execute(f"DROP TABLE {table}")

    def tell(self, chain: Chain) -> None:
        """Add the state of a partition, and what happened to it, to the table's findings."""
        if self.plain(chain):
            content = chain.ticks[0].contents[0]
            key, rows = slice_key(self.desk.rules, content), content.rows
            piece = Piece(content.path, content.partition, rows)
        else:
            state = self._state(self.keys(chain)[-1]) or {}
            key, rows = state["key"], state["rows"]
            piece = Piece(self.desk.merged_path(key), None, rows)
            self.desk.out.held += [self.desk.held(chain, one) for one in state["open"]]
            self.desk.vanished(chain, state["lacking"], "rows")
        self.desk.out.states[chain.account, chain.partition] = PartitionState(
            chain.account, chain.partition, key, (piece,), rows
        )
        for index in range(len(chain.ticks)):
            self._tell_tick(chain, index)

    def _first_is_slice(self, chain: Chain) -> bool:
        """Whether the first tick is one content whose rows are a state as they stand."""
        return self._whole and len(chain.ticks[0].contents) == 1

    def _clears(self, chain: Chain, index: int) -> bool:
        """Whether a person approved that what a tick lacks is removed."""
        windows = self.desk.table.merge is Merge.WINDOWS
        return windows and index > 0 and self.desk.approved(self.desk.vanished_id(chain, chain.ticks[index]))

    def _state(self, key: str) -> dict[str, Any] | None:
        """The remembered state after a tick, where its file exists."""
        state: dict[str, Any] | None = self.desk.recall("state", key)
        return state if state and self.desk.merged_path(state["key"]).exists() else None

    def _note(self, jobs: Sequence[RowJob], found: Round, table: str) -> None:
        """Note what each tick did, and write and note the last states."""
        lacks = lacking(self.desk.con, self.shape)
        rows = dict(self.desk.con.execute(f"SELECT _job, count(*) FROM {table} GROUP BY 1").fetchall())
        for job in jobs:
            keys = self.keys(job.chain)
            money = found.money.get(job.number, (Decimal(0),) * len(self.shape.money))
            for index in range(job.base + 1, job.upto + 1):
                count = found.counts.get((job.number, index), TickCount(change=(Decimal(0),) * len(money)))
                after = tuple(was + more for was, more in zip(money, count.change, strict=True))
                self.desk.note("tick", keys[index], self._told(index, count, money, after), job.answers)
                money = after
            if job.upto == job.last:
                yes = sorted(one for one, answer in job.answers.items() if answer)
                state = {
                    "key": hashed("rows", keys[job.upto], yes),
                    "rows": rows.get(job.number, 0),
                    "answers": job.answers,
                    "open": job.open,
                    "lacking": {
                        delivery: [lines, {name: f"{one:f}" for name, one in zip(self.shape.money, sums, strict=True)}]
                        for delivery, (lines, sums) in lacks.get(job.number, {}).items()
                    },
                }
                final = self.desk.merged_path(hashed("rows", keys[job.upto], yes))
                mine = f"{table} WHERE _job = {job.number}"
                write_merged(self.desk.con, mine, self.shape.stored, final)
                self.desk.note("state", keys[job.upto], state, job.answers)

    def _told(
        self, index: int, count: TickCount, before: tuple[Decimal, ...], after: tuple[Decimal, ...]
    ) -> dict[str, Any]:
        """What a tick did, as plain values; the deliveries with holds are named."""
        kind = "stale" if count.stale else "merged" if index else "fresh"
        sums = zip(self.shape.money, before, after, strict=True)
        return {
            "kind": kind,
            "held": sorted({one["delivery"] for one in count.held}),
            "added": count.added,
            "restated": count.restated,
            "vanished": count.vanished,
            "money": {name: [f"{was:f}", f"{now:f}"] for name, was, now in sums} if index else {},
        }

    def _tell_tick(self, chain: Chain, index: int) -> None:
        """Add the verdicts of one tick: the first delivery carries the counts, others of its age what was held."""
        tick = chain.ticks[index]
        if index == 0 and self._first_is_slice(chain):
            self.desk.verdict(chain, tick.speakers[0], {"kind": "fresh", "added": tick.contents[0].rows})
            return
        told_now = self.desk.recall("tick", self.keys(chain)[index])
        held = told_now.pop("held")
        money = {name: (Decimal(was), Decimal(now)) for name, (was, now) in told_now.pop("money").items()}
        why = "It ends earlier than what is known; kept, not applied." if told_now["kind"] == "stale" else ""
        self.desk.verdict(chain, tick.speakers[0], {**told_now, "money": money, "why": why})
        for speaker in tick.speakers[1:]:
            kind = "held" if speaker in held else told_now["kind"]
            why = "It has the age of a file that says otherwise." if speaker in held else "Counted with another file."
            self.desk.verdict(chain, speaker, {"kind": kind, "why": why})
