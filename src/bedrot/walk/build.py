"""Build: the state of all tables from deliveries, decisions, settings and code; no clock and no history of runs.

Incremental work is only reuse: what a part was made of has a hash, and a part whose hash the previous snapshot holds is
taken from there.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb

import bedrot
from bedrot import sql
from bedrot.contract import Source, Table
from bedrot.contract.typing_sql import columns_of
from bedrot.lake import disk
from bedrot.lake.decisions import Decisions
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import Ledger, Staged
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.walk.curate import Content, Memo, PartitionState, TableCurated, curate_table
from bedrot.walk.marts import MartSettings, build_marts
from bedrot.walk.stage import LINEAGE


@dataclass(frozen=True)
class Inputs:
    """All that a state is made of: what was received, what was decided, how it is set."""

    lake: Lake
    sources: Sequence[Source]
    deliveries: Sequence[Delivery]
    staged: Sequence[Staged]
    decisions: Decisions
    settings: MartSettings


@dataclass
class Findings:
    """What the build saw and a person may want to know, as plain values; stored beside the snapshot."""

    verdicts: list[dict[str, object]] = field(default_factory=list)
    held: list[dict[str, object]] = field(default_factory=list)
    renamings: list[dict[str, object]] = field(default_factory=list)
    vanished: list[dict[str, object]] = field(default_factory=list)

    def add(self, table: str, curated: TableCurated) -> None:
        """Take over what curating a table found."""
        self.verdicts += [_plain(one) for one in curated.verdicts]
        self.held += [_plain(one) for one in curated.held]
        self.renamings += [{"table": table, **_plain(one)} for one in curated.renamings]
        self.vanished += [_plain(one) for one in curated.vanished]

    def of(self, table: str) -> Findings:
        """What concerns one table."""
        return Findings(*([one for one in part if one["table"] == table] for part in self._parts()))

    def extend(self, other: Findings) -> None:
        """Take over what an earlier build found."""
        for mine, theirs in zip(self._parts(), other._parts(), strict=True):
            mine.extend(theirs)

    def _parts(out: Lake, states: Iterable[PartitionState]) -> list[Part]:
    """Partition states as parts of a table in a snapshot."""
    return [
        Part(
            partition=f"{state.account}/{state.partition}",
            path=place(out, piece.path),
            rows=state.rows,
            sha256="",
            inputs=state.key,
            slice=piece.partition,
        )
        for state in sorted(states, key=lambda one: (one.account, one.partition))
        for piece in state.pieces
    ]


def place(lake: Lake, path: Path) -> str:
    """A path as a snapshot names it: relative to the root, or whole where it lies elsewhere (a lake of another day)."""
    return lake.relative(path) if path.is_relative_to(lake.root) else path.as_posix()


def write_findings(lake: Lake, findings: Findings) -> str:
    """Store findings under their hash; gives the path as a snapshot names it."""
    text = json.dumps(asdict(findings), sort_keys=True, ensure_ascii=False)
    final = lake.curated / "_findings" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    disk.put_text(final, text)
    return lake.relative(final)


def read_findings(lake: Lake, snapshot: Snapshot | None) -> Findings:
    """The findings that belong to a snapshot; empty where there is none."""
    where = snapshot.inputs.get("findings") if snapshot else None
    if not where:
        return Findings()
    return Findings(**json.loads(lake.absolute(where).read_text(encoding="utf-8")))


def key_of(inputs: Inputs) -> str:
    """A hash of everything that a state depends on: equal keys, equal state."""
    staged = sorted(f"{one.delivery}|{one.table}|{one.fingerprint}" for one in inputs.staged)
    return _hash(inputs.decisions.digest, inputs.settings.digest, bedrot.__version__, _code(), *staged)


def _code() -> str:
    """A hash of the code and SQL that decide what curated rows look like."""
    package = Path(bedrot.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*package.glob("walk/*.py"), *package.glob("marts/*"), *package.glob("sources/*/*.sql")]):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _hash(*parts: str) -> str:
    """One hash of several texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class LedgerMemo:
    """Curate's memory in the ledger; written in one go, so that it costs one commit."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._new: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """What was noted under a key."""
        return self._new.get(key) or self._ledger.memo_get(key)

    def put(self, key: str, value: str) -> None:
        """Note a value, kept at `flush`."""
        self._new[key] = value

    def flush(self) -> None:
        """Write what is new."""
        self._ledger.memo_put_many(self._new)
        self._new = {}
