"""Why: from rows of a table to the lines of the files that they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from bedrot import sql
from bedrot.contract import Original
from bedrot.errors import Damaged, Misconfigured, Refused
from bedrot.lake.damage import naming_damage
from bedrot.lake.deliveries import Delivery, read_manifest
from bedrot.lake.opened import open_snapshot, view_name
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.marts.header import Mart
from bedrot.tell.condition import check_condition
from bedrot.tell.passage import passages

_LINEAGE = ("_delivery", "_locator")
_DEEPEST = 8


@dataclass(frozen=True)
class Origin:
    """Where a row comes from: the delivery, its raw object, the file as given, the place in it, the text there.

    `table` is the table that names the place; `text` is None, and `missing` says why, where it cannot be read.
    """

    table: str
    delivery: Delivery
    locator: str
    text: str | None
    missing: str = ""


@dataclass(frozen=True)
class Explained:
    """A row and its origins; `more` counts those not shown, `untraced` says why there are none."""

    row: Mapping[str, Any]
    origins: Sequence[Origin]
    more: int = 0
    untraced: str = ""


@dataclass(frozen=True)
class Why:
    """The answer: what the table is, the SQL that made it (none for a staging table), rows, and how many there are."""

    table: str
    about: str
    sql: str
    snapshot: int
    total: int
    rows: Sequence[Explained]


@dataclass
class _Search:
    """A question at work: the sandboxed engine over a snapshot, and what the marts say about themselves."""

    con: duckdb.DuckDBPyConnection
    snapshot: Snapshot
    marts: Mapping[str, Mart]
    limit: int
    found: list[tuple[str, str, str]] = field(default_factory=list)
    more: int = 0

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        return [name for name, _ in self.snapshot.tables[table].columns]

    def carries(self, table: str) -> bool:
        """Whether rows of a table say themselves where they come from."""
        return set(_LINEAGE) <= set(self.columns(table))


def why(lake: Lake, snapshot: Snapshot, table: str, where: str, marts: Mapping[str, Mart], *, limit: int = 20) -> Why:
    """The rows of a table that meet a condition, at most `limit`, each with at most `limit` origins.

    Raises Misconfigured for a table that is not there, Refused for a condition that is more than a comparison of its
    columns, Damaged where a file of the snapshot or of raw is not whole.
    """
    if table not in snapshot.tables:
        raise Misconfigured(f"There is no table '{table}'.", f"There are: {', '.join(sorted(snapshot.tables))}.")
    columns = [name for name, _ in snapshot.tables[table].columns]
    check_condition(where, columns)
    con = open_snapshot(lake, snapshot, sandbox=True)
    try:
        explained = []
        with naming_damage(lake, snapshot):
            total, rows = _rows(con, table, where, limit)
            for row in rows:
                search = _Search(con, snapshot, marts, limit)
                _follow(search, table, dict(zip(columns, row, strict=True)), 0)
                explained.append(_explained(lake, search, table, dict(zip(columns, row, strict=True))))
    finally:
        con.close()
    mart = marts.get(table)
    about = mart.about if mart else "Typed rows of the files, by the contract of the source; made by no SQL."
    return Why(table, about, mart.sql if mart else "", snapshot.number, total, explained)


def _rows(con: duckdb.DuckDBPyConnection, table: str, where: str, limit: int) -> tuple[int, list[tuple[Any, ...]]]:
    """How many rows meet the condition, and the first of them."""
    try:
        total = con.execute(f"SELECT count(*) FROM {view_name(table)} WHERE (\n{where}\n)").fetchall()[0][0]
        query = f"SELECT * FROM {view_name(table)} WHERE (\n{where}\n) ORDER BY ALL LIMIT {int(limit)}"
        return int(total), con.execute(query).fetchall()
    except duckdb.Error as wrong:
        raise Refused(f"The condition cannot be answered: {wrong}", "Correct it.") from wrong


def _follow(search: _Search, table: str, row: Mapping[str, Any], depth: int) -> None:
    """Note the places that a row comes from, through the tables that it was made of."""
    if search.carries(table):
        if row["_delivery"] is not None:
            search.found.append((table, row["_delivery"], row["_locator"]))
        return
    mart = search.marts.get(table)
    for trace in mart.trace if mart and depth < _DEEPEST else ():
        if trace.table not in search.snapshot.tables:
            continue
        same = " AND ".join(
            f"{sql.name(theirs)} IS NOT DISTINCT FROM {sql.literal(row[ours])}" for ours, theirs in trace.on
        )
        view = view_name(trace.table)
        chosen = "_delivery, _locator" if search.carries(trace.table) else "*"
        count = int(search.con.execute(f"SELECT count(*) FROM {view} WHERE {same}").fetchall()[0][0])
        room = max(0, search.limit - len(search.found))
        below = search.con.execute(f"SELECT {chosen} FROM {view} WHERE {same} ORDER BY ALL LIMIT {room}").fetchall()
        search.more += count - len(below)
        names = list(_LINEAGE) if search.carries(trace.table) else search.columns(trace.table)
        for one in below:
            _follow(search, trace.table, dict(zip(names, one, strict=True)), depth + 1)


def _explained(lake: Lake, search: _Search, table: str, row: Mapping[str, Any]) -> Explained:
    """A row with the texts of its origins."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for _, delivery, locator in search.found:
        wanted[delivery].add(locator)
    texts = {delivery: _texts(lake, delivery, locators) for delivery, locators in wanted.items()}
    origins = []
    for at, delivery, locator in dict.fromkeys(search.found):
        manifest, found, missing = texts[delivery]
        origins.append(Origin(at, manifest, locator, found.get(locator), missing))
    untraced = ""
    if not origins:
        mart = search.marts.get(table)
        untraced = (mart.untraced if mart else "") or "No line of a file is named for this row."
    return Explained(row, origins, search.more, untraced)


def _texts(lake: Lake, delivery: str, locators: set[str]) -> tuple[Delivery, dict[str, str], str]:
    """The delivery, the original texts at these places, and why they cannot be read where that is so."""
    manifest = read_manifest(lake, delivery)
    path = lake.object_path(manifest.object)
    if not path.is_file():
        return manifest, {}, "The raw object is not there: it was purged, or `bedrot verify` says more."
    original = Original(path, manifest.name, manifest.relative, manifest.member_time)
    try:
        return manifest, passages(original, locators), ""
    except (Damaged, Refused) as wrong:
        return manifest, {}, wrong.sentence
