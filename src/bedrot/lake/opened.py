"""A DuckDB connection over one snapshot: a view for each table, built over its files and slices of files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import duckdb

from bedrot import sql
from bedrot.errors import Damaged, Refused
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    from bedrot.lake.snapshot import Part, Snapshot, TableState

STAGING = "staging."
_ALONE = 16
_TOGETHER = 8
_TYPE = re.compile(r"[A-Z][A-Za-z0-9_ (),\[\]\"]*")


@dataclass
class _Files:
    """Files of one shape, and for each the slices of it that count; no slices where whole files count."""

    scale: int | None = None
    slices: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def open_snapshot(
    lake: Lake, snapshot: Snapshot, *, spill: Path | None = None, sandbox: bool = False
) -> duckdb.DuckDBPyConnection:
    """An engine with one view for each table: curated ones by name, staging ones as `staging.<name>`.

    With `sandbox` it reaches curated and staging only, and its settings are locked; DuckDB could still write there, so
    let only statements through that pass `only_reads`. Raises Damaged where a file of the snapshot is missing.
    """
    con = sql.connect(spill)
    con.execute("SET python_enable_replacements = false")
    con.execute("CREATE SCHEMA staging")
    con.execute("CREATE SCHEMA _bedrot")
    _check_files(lake, snapshot)
    tables = [snapshot.tables[name] for name in sorted(snapshot.tables)]
    _note_slices(con, lake, tables)
    for table in tables:
        con.execute(f"CREATE VIEW {view_name(table.name)} AS {_rows(lake, table)}")
    if sandbox:
        allowed = f"[{sql.text(lake.curated.as_posix())}, {sql.text(lake.staging.as_posix())}]"
        con.execute(f"SET allowed_directories = {allowed}")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
    return con


def only_reads(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Let one SELECT (or DESCRIBE, SHOW, SUMMARIZE, EXPLAIN of one) through; Refused for any other statement."""
    try:
        found = [statement.type for statement in con.extract_statements(query)]
    except duckdb.Error as wrong:
        raise Refused(f"The SQL cannot be read: {wrong}", "Correct it.") from wrong
    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    writes = re.match(r"\s*explain\s+analy[sz]e\b", query, re.IGNORECASE)
    if len(found) != 1 or found[0] not in reading or writes:
        raise Refused("Only one SELECT at a time is answered here.", "Ask with one SELECT.")


def view_name(table: str) -> str:
    """The quoted name of a table's view, with its schema."""
    if table.startswith(STAGING):
        return f"staging.{sql.name(table.removeprefix(STAGING))}"
    return f"main.{sql.name(table)}"


def _check_files(lake: Lake, snapshot: Snapshot) -> None:
    for path in {part.path for table in snapshot.tables.values() for part in table.parts}:
        if not lake.absolute(path).is_file():
            raise Damaged(
                f"The file belongs to snapshot {snapshot.number} and is missing.",
                "Run `bedrot rebuild`: tables are made anew from raw.",
                file=path,
            )


def _note_slices(con: duckdb.DuckDBPyConnection, lake: Lake, tables: Iterable[TableState]) -> None:
    """Put (table, file, slice) of all slices where the views find them."""
    rows = [(t.name, _text(lake, p), p.slice) for t in tables for p in t.parts if p.slice is not None]
    con.execute("CREATE TABLE _bedrot.slices (of_table VARCHAR, _file VARCHAR, _partition VARCHAR)")
    con.execute(
        "INSERT INTO _bedrot.slices SELECT unnest($1::VARCHAR[]), unnest($2::VARCHAR[]), unnest($3::VARCHAR[])",
        [[row[i] for row in rows] for i in range(3)],
    )


def _rows(lake: Lake, table: TableState) -> str:
    """The SELECT that gives the rows of a table: files that lack a column give NULL there."""
    for name, kind in table.columns:
        if not _TYPE.fullmatch(kind):
            raise Damaged(f"The snapshot gives column '{name}' the type '{kind}'.", "Run `bedrot rebuild`.")
    typed = ", ".join(f"CAST(NULL AS {kind}) AS {sql.name(name)}" for name, kind in table.columns)
    branches = [f"SELECT {typed} WHERE false"]
    for group in _groups(lake, table):
        branches += _branches(table, group)
    chosen = ", ".join(f"CAST({sql.name(name)} AS {kind}) AS {sql.name(name)}" for name, kind in table.columns)
    return f"SELECT {chosen} FROM ({' UNION ALL BY NAME '.join(branches)})"


def _groups(lake: Lake, table: TableState) -> list[_Files]:
    """The files of a table by shape (folder, whole or sliced, scale): those of one shape have the same columns."""
    scaled = any(name == "_scale" for name, _ in table.columns)
    found: dict[tuple[str, bool, int | None], _Files] = {}
    for part in table.parts:
        sliced = part.slice is not None
        scale = part.delivery_scale if scaled and sliced else None
        group = found.setdefault((_folder(part), sliced, scale), _Files(scale))
        wanted = group.slices[_text(lake, part)]
        if part.slice is not None:
            wanted.add(part.slice)
    return list(found.values())


def _folder(part: Part) -> str:
    """The folder that says a file's shape: in curated the table's, in staging the file's own."""
    parents = PurePosixPath(part.path).parts[:-1]
    return "/".join(parents[:2] if parents[:1] == ("curated",) else parents)


def _text(lake: Lake, part: Part) -> str:
    return lake.absolute(part.path).as_posix()


def _branches(table: TableState, group: _Files) -> list[str]:
    """SELECTs over the files of one shape, few, and each reading little more than its slices.

    Files with the same slices share one, where the engine skips what has other partitions by the statistics of
    each row group. Where that would make too many, those with the fewest slices share one with a join, in order of
    their newest slice: a series of full exports gives each month's file one or two neighbouring slices.
    """
    same: dict[frozenset[str], list[str]] = defaultdict(list)
    for path, wanted in sorted(group.slices.items()):
        same[frozenset(wanted)].append(path)
    ordered = sorted(same.items(), key=lambda item: (-len(item[0]), item[1]))
    branches = [_branch(table, group.scale, [item]) for item in ordered[:_ALONE]]
    rest = sorted(ordered[_ALONE:], key=lambda item: (max(item[0]), min(item[0]), item[1]))
    size = -(-len(rest) // _TOGETHER) or 1
    chunks = (rest[start : start + size] for start in range(0, len(rest), size))
    return branches + [_branch(table, group.scale, chunk) for chunk in chunks]


def _branch(table: TableState, scale: int | None, members: Sequence[tuple[frozenset[str], list[str]]]) -> str:
    """One SELECT over files, with the slices wanted of them; no slices: all rows."""
    paths = ", ".join(sql.text(path) for _, files in members for path in files)
    wanted = frozenset[str]().union(*(slices for slices, _ in members))
    extra = "" if scale is None else f", CAST({scale} AS TINYINT) AS _scale"
    if not wanted:
        return f"SELECT *{extra} FROM read_parquet([{paths}], hive_partitioning = false)"
    inside = f"_partition IN ({', '.join(sql.text(one) for one in sorted(wanted))})"
    if len(members) == 1:
        return f"SELECT *{extra} FROM read_parquet([{paths}], hive_partitioning = false) WHERE {inside}"
    return (
        f"SELECT * EXCLUDE (_file){extra}"
        f" FROM read_parquet([{paths}], hive_partitioning = false, filename = '_file') WHERE {inside}"
        f" AND (_file, _partition) IN (SELECT (_file, _partition) FROM _bedrot.slices"
        f" WHERE of_table = {sql.text(table.name)})"
    )
