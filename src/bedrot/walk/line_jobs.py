"""Jobs on line items: one tick of one partition to fold, onto which state, and in which batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedrot.walk.chains import Chain, Tick, hashed, told
from bedrot.walk.curated_values import Piece
from bedrot.walk.identity import Alias, Pair

BATCH_ROWS = 400_000
"""Rows of older and newer that are compared at once: what a batch holds in memory stays below 700 MB."""


PATCHED_FROM = 20_000
"""Slices of so many rows stay as they are when lines are only added: writing them anew would cost more than reading."""
PATCH_SHARE = 4
"""A patch has at most this part (a quarter) of the rows of its slice."""


@dataclass(frozen=True)
class State:
    """The rows of a partition after a tick: a slice of a staging file, or a merged file that may not be written yet.

    A slice, which is of `delivery`, may have a `patch`: a file with the lines that came to it, and which of its own
    lines a newer file lacks.
    """

    key: str
    piece: Piece
    scale: int
    delivery: str = ""
    lacking: dict[str, Any] = field(default_factory=dict)
    patch: Piece | None = None

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All that holds the rows."""
        return (self.piece, self.patch) if self.patch else (self.piece,)

    @property
    def written(self) -> Path | None:
        """The file that was made for this state; None for a slice alone."""
        made = self.patch or self.piece
        return made.path if self.patch or self.piece.partition is None else None

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.piece.rows + (self.patch.rows if self.patch else 0)

    def takes(self, added: int) -> bool:
        """Whether so many more rows than the slice has go into a patch of it."""
        big = self.piece.partition is not None and self.piece.rows >= PATCHED_FROM
        return big and added * PATCH_SHARE <= self.piece.rows


@dataclass(frozen=True)
class Job:
    """One tick of one partition to fold onto the state before it; `apart` are the renamings held at that time."""

    chain: Chain
    index: int
    before: State | None
    apart: tuple[Pair, ...]
    hits: tuple[Alias, ...]

    @property
    def tick(self) -> Tick:
        """What is folded."""
        return self.chain.ticks[self.index]

    @property
    def rows(self) -> int:
        """How many rows are read."""
        return (self.before.rows if self.before else 0) + sum(content.rows for content in self.tick.contents)

    def key(self, rules: str, *, held: bool) -> str:
        """A hash of all that the comparison (`held`: the result) depends on."""
        chain = self.chain
        where = [rules, chain.account, chain.partition, self.before.key if self.before else ""]
        hits = [[one.column, one.old, one.new, one.shown] for one in self.hits]
        return hashed(where, told(self.tick), hits, self.apart if held or len(self.tick.contents) > 1 else [])


def batches(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Jobs in groups of a bounded number of rows; a partition too big stands alone."""
    group: list[Job] = []
    rows = 0
    for job in jobs:
        if group and rows + job.rows > BATCH_ROWS:
            yield group
            group, rows = [], 0
        group.append(job)
        rows += job.rows
    if group:
        yield group
