"""A DuckDB connection over one snapshot: a view for each table, built over its files and slices of files."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrot import sql
from bedrot.contract.typing_sql import LOCATOR
from bedrot.errors import Damaged, Refused
from bedrot.lake.damage import naming_damage
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    import duckdb

    from bedrot.lake.snapshot import Part, Snapshot, TableState

STAGING = "staging."
_ALONE = 16
_TOGETHER = 8
_LITTLE = 1 << 20
_READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
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
    let only statements through that pass `only_reads`. Raises Damaged where a file of the snapshot is missing or does
    not begin and end as it was written; `naming_damage` tells what a query comes upon later.
    """
    con = sql.connect(spill)
    root = lake.root.as_posix()
    con.execute("SET python_enable_replacements = false")
    con.execute("CREATE SCHEMA staging")
    con.execute("CREATE SCHEMA _bedrot")
    sizes = _sizes(root, snapshot)
    tables = [snapshot.tables[name] for name in sorted(snapshot.tables)]
    _note_slices(con, root, tables)
    with naming_damage(lake, snapshot, ours=True):
        for table in tables:
            con.execute(f"CREATE VIEW {view_name(table.name)} AS {_rows(root, table, sizes)}")
    if sandbox:
        allowed = {lake.curated, lake.staging} | {
            lake.absolute(part.path).parent for table in tables for part in table.parts if Path(part.path).is_absolute()
        }
        con.execute(f"SET allowed_directories = {sql.files(sorted(allowed))}")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
    return con


def only_reads(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Let one SELECT (also DESCRIBE, SHOW, SUMMARIZE) through; Refused for any other statement.

    The parsed statement is looked at, for DuckDB 2 takes `WITH x AS (COPY … TO 'file') SELECT …` for a SELECT too.
    """
    import duckdb  # noqa: PLC0415  who reads or writes records of snapshots needs this module, not the engine

    try:
        said = con.execute("SELECT json_serialize_sql($1::VARCHAR)", [query]).fetchall()[0][0]
    except duckdb.Error as wrong:
        raise Refused(f"The SQL cannot be read: {wrong}", "Correct it.") from wrong
    parsed = json.loads(said)
    if parsed["error"] and parsed["error_type"] == "parser":
        raise Refused(f"The SQL cannot be read: {parsed['error_message']}", "Correct it.")
    if parsed["error"] or len(parsed["statements"]) != 1 or not _kinds(parsed) <= _READING:
        raise Refused("Only one SELECT at a time is answered here.", "Ask with one SELECT.")


def _kinds(parsed: Any) -> set[str]:
    """The kinds of all statements inside a parsed one."""
    found: set[str] = set()
    left = [parsed]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            kind = one.get("type")
            found |= {kind} if isinstance(kind, str) and kind.endswith("_NODE") else set()
            left += one.values()
        elif isinstance(one, list):
            left += one
    return found


def view_name(table: str) -> str:
    """The quoted name of a table's view, with its schema."""
    if table.startswith(STAGING):
        return f"staging.{sql.name(table.removeprefix(STAGING))}"
    return f"main.{sql.name(table)}"


def _sizes(root: str, snapshot: Snapshot) -> dict[str, int]:
    """The bytes of each file of a snapshot; Damaged where one is missing."""
    sizes = {}
    for path in {part.path for table in snapshot.tables.values() for part in table.parts}:
        text = _text(root, path)
        try:
            sizes[text] = os.stat(text).st_size  # noqa: PTH116 - a Path for each of thousands is slow
        except OSError as gone:
            raise Damaged(
                f"The file belongs to snapshot {snapshot.number} and is missing.",
                "Run `bedrot rebuild`: tables are made anew from raw.",
                file=path,
            ) from gone
    return sizes


def _note_slices(con: duckdb.DuckDBPyConnection, root: str, tables: Iterable[TableState]) -> None:
    """Put (table, file, slice) of all slices where the views find them."""
    rows = [(t.name, _text(root, p.path), p.slice) for t in tables for p in t.parts if p.slice is not None]
    con.execute(
        "CREATE TABLE _bedrot.slices AS SELECT unnest($1::VARCHAR[]) AS of_table, unnest($2::VARCHAR[]) AS _file,"
        " unnest($3::VARCHAR[]) AS _partition",
        [[row[i] for row in rows] for i in range(3)],
    )


def _rows(root: str, table: TableState, sizes: Mapping[str, int]) -> str:
    """The SELECT that gives the rows of a table: files that lack a column give NULL there."""
    for name, kind in table.columns:
        if not _TYPE.fullmatch(kind):
            raise Damaged(f"The snapshot gives column '{name}' the type '{kind}'.", "Run `bedrot rebuild`.")
    typed = ", ".join(f"CAST(NULL AS {kind}) AS {sql.name(name)}" for name, kind in table.columns)
    branches = [f"SELECT {typed} WHERE false"]
    for group in _groups(root, table):
        branches += _branches(table, group, sizes)
    staged = table.name.startswith(STAGING)
    chosen = ", ".join(
        f"CAST({LOCATOR if staged and name == '_locator' else sql.name(name)} AS {kind}) AS {sql.name(name)}"
        for name, kind in table.columns
    )
    return f"SELECT {chosen} FROM ({' UNION ALL BY NAME '.join(branches)})"


def _groups(root: str, table: TableState) -> list[_Files]:
    """The files of a table by shape (folder, whole or sliced, scale): those of one shape have the same columns."""
    scaled = any(name == "_scale" for name, _ in table.columns)
    found: dict[tuple[str, bool, int | None], _Files] = {}
    for part in table.parts:
        sliced = part.slice is not None
        scale = part.delivery_scale if scaled and sliced else None
        group = found.setdefault((_folder(part), sliced, scale), _Files(scale))
        wanted = group.slices[_text(root, part.path)]
        if part.slice is not None:
            wanted.add(part.slice)
    return list(found.values())


def _folder(part: Part) -> str:
    """The folder that says a file's shape: in curated the table's, in staging the file's own."""
    parents = part.path.split("/")[:-1]
    return "/".join(parents[:2] if parents[0] == "curated" else parents)


def _text(root: str, path: str) -> str:
    """A part's path as the engine is told it: plain texts, for there may be thousands."""
    return path if path.startswith("/") or path[1:2] == ":" else f"{root}/{path}"


def _branches(table: TableState, group: _Files, sizes: Mapping[str, int]) -> list[str]:
    """SELECTs over the files of one shape, few, and each reading little more than its slices.

    Files with the same slices share one, where the engine skips what has other partitions by the statistics of
    each row group. Where that would make too many, the smaller ones share one with a join, in order of their newest
    slice (a series of full exports gives each month's file one or two neighbouring slices); little ones all do.
    """
    same: dict[frozenset[str], list[str]] = defaultdict(list)
    for path, wanted in sorted(group.slices.items()):
        same[frozenset(wanted)].append(path)
    weights = {wanted: sum(sizes[path] for path in paths) for wanted, paths in same.items()}
    ordered = sorted(same.items(), key=lambda item: (-weights[item[0]], item[1]))
    large = [item for item in ordered if weights[item[0]] > _LITTLE]
    rest = sorted(large[_ALONE:], key=lambda item: (max(item[0]), min(item[0]), item[1]))
    size = -(-len(rest) // _TOGETHER) or 1
    members = [[item] for item in large[:_ALONE]]
    members += [rest[start : start + size] for start in range(0, len(rest), size)]
    members.append(ordered[len(large) :])
    return [_branch(table, group.scale, some) for some in members if some]


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
