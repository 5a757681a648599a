"""Writing the merged state of a partition: one Parquet file, the same bytes from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from bedrot import sql
from bedrot.lake import disk


def write_merged(con: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[str], final: Path) -> None:
    """Write the rows that stand behind `rows` (SQL: a table and a condition); a file of that name is kept as it is."""
    tmp = disk.temporary(final)
    con.execute(
        f"COPY (SELECT {sql.names(columns)} FROM {rows} ORDER BY _delivery, _line, _lacking)"
        f" TO {sql.text(tmp.as_posix())} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    )
    disk.publish(tmp, final)
