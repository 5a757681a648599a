"""The one way to reach DuckDB, and to put names and texts into SQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MEMORY = "700MB"


def connect(spill: Path | None, threads: int | None = None, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """An in-memory engine that never reaches the network, spills to `spill`, and reads UTC clocks only."""
    import duckdb  # noqa: PLC0415  a quarter of a second that a command without SQL need not spend

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads or os.cpu_count() or 2,
        "memory_limit": memory,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if spill is not None:
        config["temp_directory"] = str(spill)
    con = duckdb.connect(config=config)
    con.execute("SET TimeZone = 'UTC'")
    # Files are never changed once they have a name, and many queries read slices of the same one.
    con.execute("SET parquet_metadata_cache = true")
    return con


_lock = threading.Lock()
_latest: dict[Path, duckdb.DuckDBPyConnection] = {}


def shared(spill: Path) -> duckdb.DuckDBPyConnection:
    """A connection of its own to this process's one engine for a spill folder: cheap, with its own temporary tables.

    All connections share the engine's memory limit, so that many workers together stay bounded.
    """
    with _lock:
        if spill not in _latest:
            _latest.clear()
            _latest[spill] = connect(spill)
        return _latest[spill].cursor()


def any_engine() -> duckdb.DuckDBPyConnection:
    """A connection for questions about SQL texts: to an engine that runs already, or to one of its own."""
    with _lock:
        for engine in _latest.values():
            return engine.cursor()
    return connect(None)


_catalogues = count()


def enter_catalogue(con: duckdb.DuckDBPyConnection) -> str:
    """Let a connection work in a new catalogue in memory, which only who names it sees; gives that name."""
    catalogue = f"catalogue_{next(_catalogues)}"
    con.execute(f"ATTACH ':memory:' AS {catalogue}")
    con.execute(f"USE {catalogue}")
    return catalogue


def leave_catalogue(con: duckdb.DuckDBPyConnection, catalogue: str) -> None:
    """Take a catalogue away, with all that is in it: other work goes on in the same engine."""
    con.execute("USE memory")
    con.execute(f"DETACH {catalogue}")


def name(identifier: str) -> str:
    """An identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def names(identifiers: Iterable[str], prefix: str = "") -> str:
    """Identifiers, quoted and joined by commas."""
    return ", ".join(prefix + name(one) for one in identifiers)


def text(value: str) -> str:
    """A text literal, quoted."""
    return "'" + value.replace("'", "''") + "'"


def literal(value: str | int | Decimal | date | bool | None) -> str:
    """A value as an SQL literal; dates and decimals with their type."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"CAST('{value:f}' AS DECIMAL(38,18))"
    return text(value)


def constant(value: str) -> str:
    """A text that all rows of a written file have: written as a type of one value, no row's text is looked at.

    Parquet knows no such type: who reads the file finds plain text.
    """
    return f"CAST({text(value)} AS ENUM({text(value)}))"


def no_rows(columns: Iterable[tuple[str, str]]) -> str:
    """A SELECT of no row with these names and types."""
    return "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name(one)}" for one, kind in columns) + " WHERE false"


def files(paths: Iterable[Path]) -> str:
    """Paths as a list literal for read_parquet."""
    return "[" + ", ".join(text(path.as_posix()) for path in paths) + "]"
