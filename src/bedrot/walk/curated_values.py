"""What curating takes and gives, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol

VerdictKind = Literal["fresh", "same", "merged", "stale", "held"]
HeldKind = Literal["key", "renaming", "age"]


@dataclass(frozen=True, slots=True)
class Content:
    """What one delivery says of one partition: `rows` of the staging file `path` whose `_partition` it is.

    `original` is False for a re-saved file, which is older than every original; `known_at` is when the lake got it;
    `digest` is a hash of the content columns as a multiset; `scale` the most decimals that money has in that file.
    """

    delivery: str
    account: str
    original: bool
    exported_at: datetime
    known_at: datetime
    partition: str
    rows: int
    digest: str
    path: Path
    scale: int

    @property
    def age(self) -> tuple[bool, datetime]:
        """What is compared to tell the older from the newer: greater is newer."""
        return (self.original, self.exported_at)


@dataclass(frozen=True, slots=True)
class Piece:
    """So many rows of a Parquet file: those whose `_partition` equals `partition`, or all (None: a merged file)."""

    path: Path
    partition: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class PartitionState:
    """The rows of one partition after all its contents; equal keys mean equal rows."""

    account: str
    partition: str
    key: str
    pieces: tuple[Piece, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one delivery did to one partition, in lines, and the sums of its money before and after.

    `money` is empty for `fresh` and `same`: what a fresh partition holds is in the accounts of its staging.
    `vanished` counts lines that this delivery is the first to lack; `renamed` lines that it writes differently.
    """

    table: str
    account: str
    partition: str
    delivery: str
    kind: VerdictKind
    added: int = 0
    restated: int = 0
    renamed: int = 0
    vanished: int = 0
    money: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Something that looks wrong: what is published stays until a person approves `id`."""

    id: str
    table: str
    account: str
    partition: str
    delivery: str
    kind: HeldKind
    what: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Renaming:
    """A value of an identity column that a newer file writes differently, proven by `lines` equal lines."""

    account: str
    column: str
    old: str
    new: str
    delivery: str
    lines: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """Lines that are kept although `delivery` covers their dates and lacks them; approving `id` removes them."""

    id: str
    table: str
    account: str
    partition: str
    delivery: str
    lines: int
    money: Mapping[str, Decimal]
    what: str


@dataclass
class TableCurated:
    """The state of each partition of a table, by account and partition, and what was found on the way."""

    states: dict[tuple[str, str], PartitionState] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    renamings: list[Renaming] = field(default_factory=list)
    vanished: list[Vanished] = field(default_factory=list)


class Memo(Protocol):
    """A memory of work done, which may be empty at any time: it saves work and changes no result."""

    def get(self, key: str) -> str | None:
        """What was noted under a key; None when nothing was."""

    def put(self, key: str, value: str) -> None:
        """Note a JSON text under a key."""
