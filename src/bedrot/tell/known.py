"""Which state a question is asked of: the newest one, one by its number, or what was known on a day."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from bedrot import sql
from bedrot.errors import Misconfigured
from bedrot.lake.damage import naming_damage
from bedrot.lake.snapshot import Snapshot, current, numbers, open_snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.archive import archived_in, load_at_hand
from bedrot.walk.findings import Findings, read_findings
from bedrot.walk.known_on import Known, known_on
from bedrot.walk.run import Walk


@dataclass(frozen=True)
class State:
    """A state that can be asked: the lake that its files lie in, its snapshot, what its build found."""

    lake: Lake
    snapshot: Snapshot
    findings: Findings
    failed: list[str] = field(default_factory=list)


def day_or_instant(told: str, option: str) -> datetime:
    """The instant until which a person means: a day lasts to its end in UTC, a time without a zone is UTC.

    Misconfigured where it is neither.
    """
    try:
        return datetime.combine(date.fromisoformat(told), time(), UTC) + timedelta(days=1, microseconds=-1)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(told)
    except ValueError as wrong:
        raise Misconfigured(
            f"'{told}' is not a day or an instant.", f"Write {option} 2025-06-17, or {option} 2025-06-17T18:00:00Z."
        ) from wrong
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Times:
    """The states of one command: what was known at an instant is built once, below a scratch folder."""

    def __init__(self, walk: Walk, scratch: Path) -> None:
        self._walk = walk
        self._scratch = scratch
        self._known: dict[datetime, Known] = {}

    @property
    def scratch(self) -> Path:
        """A folder that is gone when the command ends."""
        return self._scratch

    def now(self) -> State:
        """The newest published state; Misconfigured where there is none yet."""
        snapshot = current(self._walk.lake)
        if snapshot is None:
            raise Misconfigured("Nothing is published yet.", "Import files, then `bedrot run`.")
        return State(self._walk.lake, snapshot, read_findings(self._walk.lake, snapshot))

    def numbered(self, number: int) -> State:
        """The published state of that number; Misconfigured where it is not at hand."""
        at_hand = numbers(self._walk.lake)
        if number not in at_hand and archived_in(self._walk.lake, number) is None:
            there = f"At hand are {at_hand[0]} to {at_hand[-1]}." if at_hand else "Nothing is published yet."
            raise Misconfigured(f"There is no snapshot {number}.", there)
        snapshot = load_at_hand(self._walk.lake, number)
        return State(self._walk.lake, snapshot, read_findings(self._walk.lake, snapshot))

    def known(self, at: datetime) -> State:
        """What was known at an instant."""
        if at not in self._known:
            folder = self._scratch / f"known-{len(self._known)}"
            self._known[at] = known_on(self._walk, at, folder)
        known = self._known[at]
        return State(known.lake, known.snapshot, known.findings, known.failed)

    def asked(self, on: str | None, number: int | None) -> State:
        """The state that the options --known-on and --snapshot name; the newest one where neither is given."""
        if on is not None and number is not None:
            raise Misconfigured("--known-on and --snapshot name two states.", "Give one of them.")
        if on is not None:
            return self.known(day_or_instant(on, "--known-on"))
        return self.now() if number is None else self.numbered(number)


@contextmanager
def times(walk: Walk) -> Iterator[Times]:
    """The states of a lake for one command; what had to be built for them is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="bedrot-", ignore_cleanup_errors=True) as folder:
        yield Times(walk, Path(folder).resolve())


@contextmanager
def connected(state: State, scratch: Path, writable: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine over a state that reaches the state's files and nothing else; and `writable`, a folder, if given."""
    spill = scratch / "spill"
    con = open_snapshot(state.lake, state.snapshot, spill=spill, sandbox=writable is None)
    try:
        if writable is not None:
            _confine(con, state, writable)
        with naming_damage(state.lake, state.snapshot):
            yield con
    finally:
        con.close()


def _confine(con: duckdb.DuckDBPyConnection, state: State, writable: Path) -> None:
    """Lock an engine into the folders of a state's files and one more."""
    parts = (part for table in state.snapshot.tables.values() for part in table.parts)
    folders = {state.lake.absolute(part.path).parent for part in parts}
    con.execute(f"SET allowed_directories = {sql.files(sorted({*folders, writable}))}")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def no_table(name: str, snapshot: Snapshot) -> Misconfigured:
    """The error for a table that a state does not have, naming those it has."""
    return Misconfigured(f"There is no table '{name}'.", tables_of(snapshot))


def tables_of(snapshot: Snapshot) -> str:
    """A sentence that names the tables of a state, and says how to see their columns."""
    curated = [one for one in sorted(snapshot.tables) if "." not in one]
    staging = [one for one in sorted(snapshot.tables) if "." in one]
    return f'Tables are {", ".join([*curated, *staging])}. `bedrot sql "describe TABLE"` shows the columns of one.'
