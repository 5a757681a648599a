"""The file under the ledger: SQLite with a durable commit, its versions, and its errors as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bedrot.errors import Busy, Damaged, Misconfigured, StorageFailed
from bedrot.lake import disk

_WAIT_MS = 10_000
_TABLES = """
CREATE TABLE deliveries (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sightings (
    file TEXT NOT NULL, place INTEGER NOT NULL, delivery TEXT NOT NULL, at TEXT NOT NULL, claimed_at TEXT,
    name TEXT NOT NULL, relative TEXT NOT NULL, PRIMARY KEY (file, place)
) WITHOUT ROWID;
CREATE TABLE decisions (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, because TEXT NOT NULL, at TEXT NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE landings (
    path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, relative TEXT NOT NULL, verdict TEXT NOT NULL,
    sentence TEXT NOT NULL, do TEXT NOT NULL, at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE staged (
    delivery TEXT NOT NULL, of_table TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (delivery, of_table)
) WITHOUT ROWID;
CREATE TABLE memo (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, finished_at TEXT, outcome TEXT NOT NULL,
    summary TEXT NOT NULL
)
"""
_STANDINGS = """
CREATE TABLE standings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, account TEXT NOT NULL, at TEXT NOT NULL,
    state TEXT NOT NULL, sentence TEXT NOT NULL, do TEXT NOT NULL, after TEXT, first TEXT, last TEXT,
    requests INTEGER NOT NULL
)
"""
MIGRATIONS = (_TABLES, _STANDINGS)
"""Steps of statements between semicolons: version n of a ledger has had the first n; a released step never changes."""


class Database:
    """A ledger file as a context manager, with transactions."""

    def __init__(self, path: Path) -> None:
        """Open or create; Misconfigured for a newer version of it, Damaged where it is no ledger."""
        self.path = path
        disk.make_folder(path.parent)
        with self._said():
            self._con = sqlite3.connect(path, timeout=_WAIT_MS / 1000, isolation_level=None)
        opened = False
        try:
            self._prepare()
            opened = True
        finally:
            if not opened:
                self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; a transaction under way is rolled back."""
        with self._said():
            self._con.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside; one inside another is part of the outer one."""
        if self._con.in_transaction:
            yield
            return
        self._run("BEGIN IMMEDIATE")
        done = False
        try:
            yield
            self._run("COMMIT")
            done = True
        finally:
            if not done and self._con.in_transaction:
                with self._said():
                    self._con.rollback()

    def check(self) -> None:
        """Damaged where SQLite's own check finds fault with the file."""
        if (found := self._all("PRAGMA quick_check"))[0][0] != "ok":
            raise self._damaged(str(found[0][0]))

    def _prepare(self) -> None:
        """Set what makes a commit durable, and bring the tables to this version."""
        self._all(f"PRAGMA busy_timeout = {_WAIT_MS}")
        self._all("PRAGMA journal_mode = WAL")
        self._all("PRAGMA synchronous = FULL")
        if self._version() == len(MIGRATIONS):
            return
        with self.transaction():
            version = self._version()
            if version > len(MIGRATIONS):
                raise Misconfigured(
                    f"This lake was written by a newer bedrot (ledger version {version}; known are {len(MIGRATIONS)}).",
                    "Install the newest bedrot.",
                    file=str(self.path),
                )
            for number, steps in enumerate(MIGRATIONS[version:], version + 1):
                for step in steps.split(";"):
                    self._run(step)
                self._run(f"PRAGMA user_version = {number}")

    def _version(self) -> int:
        return int(self._all("PRAGMA user_version")[0][0])

    def _run(self, query: str, values: Sequence[Any] = ()) -> None:
        """One statement; sqlite3's errors become ours."""
        with self._said():
            self._con.execute(query, values)

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of one query; sqlite3's errors become ours."""
        with self._said():
            return self._con.execute(query, values).fetchall()

    def _many(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """One statement for many rows, in one transaction."""
        if not rows:
            return
        with self.transaction(), self._said():
            self._con.executemany(query, rows)

    def _damaged(self, why: str) -> Damaged:
        do = "Run `bedrot rebuild --ledger`: it is made anew from raw."
        return Damaged(f"The ledger is damaged ({why}).", do, file=str(self.path))

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Turn what SQLite says into an error that a person can act on."""
        try:
            yield
        except sqlite3.Error as failed:
            name = getattr(failed, "sqlite_errorname", "") or ""
            if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or name == "SQLITE_ERROR":  # not our tables
                raise self._damaged(str(failed)) from failed
            # PROTOCOL: another one has been in the middle of opening the ledger for as long as SQLite waits.
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
                do = "Wait until it has finished, then try again."
                raise Busy("Another process is writing to the ledger.", do, file=str(self.path)) from failed
            sentence, do = f"The ledger cannot be written ({failed}).", "Check the disk, then try again."
            if name.startswith("SQLITE_FULL"):
                sentence, do = "The disk is full.", "Free some space, then run the same command again."
            raise StorageFailed(sentence, do, file=str(self.path)) from failed
