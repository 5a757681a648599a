"""The tables of the ledger, as the steps from each version of it to the next."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE deliveries (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE sightings (file TEXT NOT NULL, place INTEGER NOT NULL, delivery TEXT NOT NULL, at TEXT NOT NULL,"
        " claimed_at TEXT, name TEXT NOT NULL, relative TEXT NOT NULL, PRIMARY KEY (file, place)) WITHOUT ROWID",
        "CREATE TABLE decisions (id TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, because TEXT NOT NULL,"
        " at TEXT NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE landings (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, relative TEXT NOT NULL,"
        " verdict TEXT NOT NULL, sentence TEXT NOT NULL, do TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE staged (delivery TEXT NOT NULL, of_table TEXT NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (delivery, of_table)) WITHOUT ROWID",
        "CREATE TABLE memo (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, finished_at TEXT,"
        " outcome TEXT NOT NULL, summary TEXT NOT NULL)",
    ),
)
"""Version n of a ledger has had the first n steps; a step that was released is never changed."""
