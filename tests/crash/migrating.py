"""A ledger of the first released version, and steps that a later version might take; run as a script, it opens one."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from bedrot.lake import database
from bedrot.lake.ledger import Ledger

FIRST = """
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
);
PRAGMA user_version = 1
"""
"""The first version as it was released: it stands here for ever, whatever the program does to its own steps."""

LATER = (
    """CREATE TABLE wider (path TEXT PRIMARY KEY, sha256 TEXT, name TEXT, relative TEXT, verdict TEXT, sentence TEXT,
    do TEXT, at TEXT, seen INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO wider SELECT *, 1 FROM landings; DROP TABLE landings; ALTER TABLE wider RENAME TO landings""",
    "ALTER TABLE memo ADD COLUMN extra TEXT;UPDATE memo SET extra = key || '!'",
)
"""Two versions to come: a table written anew under its old name, and a column that is filled."""

ROWS = 60
"""So many rows in each table: more than a page of them."""


def make_first(path: Path) -> None:
    """A ledger of the first version with rows in every table."""
    with closing(sqlite3.connect(path, isolation_level=None)) as con:
        con.execute("PRAGMA journal_mode = WAL")
        con.executescript(FIRST)
        for table, columns in sorted(columns_of(con).items()):
            rows = [[_value(table, column, kind, n) for column, kind in columns] for n in range(1, ROWS + 1)]
            con.execute("BEGIN")
            con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in columns)})", rows)
            con.execute("COMMIT")


def _value(table: str, column: str, kind: str, n: int) -> object:
    return n if kind == "INTEGER" else f"{table} {column} {n} " + "x" * 40


def columns_of(con: sqlite3.Connection) -> dict[str, list[tuple[str, str]]]:
    """The tables of a ledger, with the names and types of their columns."""
    tables = [row[0] for row in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    return {
        table: [(row[1], row[2]) for row in con.execute(f"PRAGMA table_info({table})").fetchall()]
        for table in tables
        if not table.startswith("sqlite_")
    }


def contents(path: Path) -> tuple[int, dict[str, list[tuple[Any, ...]]]]:
    """The version of a ledger, and all its rows by table."""
    with closing(sqlite3.connect(path)) as con:
        version = int(con.execute("PRAGMA user_version").fetchone()[0])
        return version, {
            table: sorted(con.execute(f"SELECT * FROM {table}").fetchall()) for table in sorted(columns_of(con))
        }


def plant_later() -> None:
    """Let the program know the versions to come."""
    database.MIGRATIONS = (*database.MIGRATIONS, *LATER)


if __name__ == "__main__":
    plant_later()
    Ledger(Path(sys.argv[1])).close()
