"""Build: the state of all tables from deliveries, decisions, settings and code; no clock and no history of runs.

Incremental work is only reuse: what a part was made of has a hash, and a part whose hash the previous snapshot holds is
taken from there.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
from bedrot.log import Kind, note
from bedrot.walk.curate import Content, Memo, PartitionState, TableCurated, curate_table
from bedrot.walk.findings import Findings, read_findings
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
class Build:
    """One build: its inputs, where files go, the state before it, curate's memory, hands, whom it tells."""

    inputs: Inputs
    out: Lake
    previous: Snapshot | None
    memo: Memo
    workers: int
    progress: Callable[[str], None] = lambda _said: None

    def state(self) -> tuple[dict[str, TableState], Findings]:
        """The state of every table; parts of the previous snapshot are reused where nothing moved."""
        tables, findings = {}, Findings()
        known = read_findings(self.out, self.previous)
        staged, code = defaultdict(list), _code()
        for one in self.inputs.staged:
            staged[one.table].append(one)
        disk.make_folder(self.out.spill)
        for table in _tables(self.inputs.sources):
            contents = _contents(self.inputs, staged[table.name])
            told = sorted(repr(replace(one, path=Path(one.path.name))) for one in contents)
            definition = _hash(repr(table), self.inputs.decisions.digest, code, *told)
            name = f"staging.{table.name}"
            before = self.previous.tables.get(name) if self.previous else None
            if before is not None and before.definition == definition:
                tables[name] = before
                findings.extend(known, table.name)
                continue
            self.progress(f"curate {table.name}")
            curated = self._curate(table, contents)
            findings.add(table.name, curated)
            tables[name] = TableState(name, _columns(table), _parts(self.out, curated.states.values()), definition)
            counts = {"held": len(curated.held), "vanished": len(curated.vanished)}
            note(Kind.TRANSFORMATION, "curated", table=name, parts=len(tables[name].parts), **counts)
        self.progress("marts")
        marts = build_marts(
            self.out,
            self.previous,
            dict(tables),
            self.inputs.sources,
            self.inputs.settings,
            self._engine,
            self.workers,
        )
        return {**tables, **marts}, findings

    def _engine(self) -> duckdb.DuckDBPyConnection:
        """The engine that staging and curating use too."""
        return sql.shared(self.out.spill)

    def _curate(self, table: Table, contents: Sequence[Content]) -> TableCurated:
        """Law 4 for one table."""

        def merged(key: str) -> Path:
            return self.out.merged_path(table.name, key)

        con = sql.shared(self.out.spill)
        try:
            return curate_table(con, table, contents, self.inputs.decisions.approved, self.memo, merged)
        finally:
            con.close()


def _tables(sources: Sequence[Source]) -> list[Table]:
    """All staging tables, by name."""
    found = {table.name: table for source in sources for feed in source.feeds for table in feed.tables}
    return [found[name] for name in sorted(found)]


def _columns(table: Table) -> list[tuple[str, str]]:
    """Names and types of a staging table as readers see it."""
    return [*columns_of(table), *LINEAGE]


def _contents(inputs: Inputs, staged: Sequence[Staged]) -> list[Content]:
    """What each delivery says about each partition."""
    by_id = {one.id: one for one in inputs.deliveries}
    return [
        Content(
            delivery=one.delivery,
            account=inputs.decisions.account_of(by_id[one.delivery]),
            original=not by_id[one.delivery].resaved,
            exported_at=by_id[one.delivery].exported_at,
            known_at=by_id[one.delivery].known_at,
            partition=content.partition,
            rows=content.rows,
            digest=content.digest,
            path=inputs.lake.absolute(one.path),
            scale=one.scale,
        )
        for one in sorted(staged, key=lambda one: one.delivery)
        if one.delivery in by_id and not inputs.decisions.retracted(one.delivery)
        for content in one.contents
    ]


def _parts(out: Lake, states: Iterable[PartitionState]) -> list[Part]:
    """Partition states as parts of a table in a snapshot."""
    return [
        Part(
            partition=f"{state.account}/{state.partition}",
            path=place(out, piece.path),
            rows=piece.rows,
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
