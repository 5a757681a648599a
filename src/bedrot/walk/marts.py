"""Marts: SQL files run in the order of what each reads, only where what they read has moved.

A mart's `partition` says how: `aligned` runs it for each changed partition of its one input alone; `by <column>` for
each value of that column whose files changed; `whole` for everything. Small months are one partition, a year.
Results are files named by their hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import duckdb

from bedrot import sql
from bedrot.contract.values import Source
from bedrot.errors import Defect, StorageFailed
from bedrot.lake import disk
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.log import Kind, note
from bedrot.marts.bench import Bench, Connect, Desk
from bedrot.marts.header import Mart, load_marts
from bedrot.marts.interfaces import INTERFACES, check_fragment, offered, read_fragments
from bedrot.marts.parts import staging_columns
from bedrot.marts.plan import Plan, Unit
from bedrot.marts.settings import ArtistRule, MartSettings, settings_views
from bedrot.sources import folder_of

__all__ = ["ArtistRule", "MartSettings", "build_marts", "marts_of", "source_folders"]


def source_folders(sources: Sequence[Source]) -> dict[str, Path]:
    """The folder of each source, by name."""
    return {source.name: folder_of(source) for source in sources}


def marts_of(folders: Mapping[str, Path]) -> tuple[Mart, ...]:
    """All marts as they are with the sources of these folders (by name), each after those that it reads."""
    return load_marts(offered(read_fragments(folders)))


def build_marts(  # noqa: PLR0917  what the run knows, all of it needed
    lake: Lake,
    previous: Snapshot | None,
    staging: Mapping[str, TableState],
    sources: Sequence[Source],
    settings: MartSettings,
    con_factory: Connect,
    workers: int,
    *,
    folders: Mapping[str, Path] | None = None,
) -> dict[str, TableState]:
    """The state of every mart over these staging tables; what has the same inputs as in `previous` is kept.

    `folders` tells where the sources' fragments lie, by source name (default: where they were found). Raises Defect
    for a mart or fragment that contradicts its declaration, Misconfigured for settings that do, StorageFailed for
    the disk.
    """
    fragments = read_fragments(source_folders(sources) if folders is None else folders)
    plan = Plan(
        staging={name.removeprefix("staging."): state for name, state in staging.items()},
        columns=staging_columns(sources),
        fragments={view: [one for one in fragments if one.view == view] for view in INTERFACES},
        settings=settings_views(settings),
        absolute=lake.absolute,
    )
    with Bench(con_factory, plan.settings, max(1, workers)) as bench:
        marts = load_marts(offered(fragments))
        made: dict[str, Future[TableState]] = {}

        def make(mart: Mart) -> TableState:
            plan.states |= {name: made[name].result() for name in mart.inputs if name in made}
            return _state(lake, plan, mart, previous.tables.get(mart.name) if previous else None, bench)

        # Each waits for those that it reads, which stand before it; a desk is held only while a query runs.
        with ThreadPoolExecutor(max(1, len(marts))) as pool:
            for mart in marts:
                made[mart.name] = pool.submit(make, mart)
        return {name: one.result() for name, one in made.items()}


def _state(lake: Lake, plan: Plan, mart: Mart, old: TableState | None, bench: Bench) -> TableState:
    """The mart's state: the old one where nothing moved; else old parts whose inputs are equal, the others computed."""
    definition = plan.definition(mart)
    if old is not None and old.definition == definition:
        return old
    with bench.desk() as desk:
        _check(plan, mart, desk)
        known = old.values if old else {}
        values = plan.values(mart, known, lambda query: desk.con.execute(query).fetchall())
        units = list(plan.units(mart, values))
    kept = {(part.partition, part.inputs): part for part in old.parts} if old else {}
    missing = [unit for unit in units if (unit.partition, unit.inputs) not in kept]
    made = bench.each(missing, lambda desk, unit: _compute(lake, mart, unit, desk))
    note(Kind.TRANSFORMATION, "mart made", table=mart.name, partitions=len(units), anew=len(missing))
    kept |= {(part.partition, part.inputs): part for part in made if part}
    parts = [kept[unit.partition, unit.inputs] for unit in units if (unit.partition, unit.inputs) in kept]
    return TableState(mart.name, [(column.name, column.type) for column in mart.columns], parts, definition, values)


def _check(plan: Plan, mart: Mart, desk: Desk) -> None:
    """Nothing where fragments and SQL give what they declare; Defect where not. Works over no rows."""
    for view in mart.data_inputs:
        for fragment in plan.fragments.get(view, ()):
            desk.show(plan.fragment_views(fragment))
            check_fragment(desk.con, fragment)
        desk.show(plan.empty_views(view))
    try:
        found = desk.con.execute(f"DESCRIBE (\n{mart.sql}\n)").fetchall()
    except duckdb.Error as broken:
        raise Defect(f"The SQL of the mart {mart.name} fails: {broken}", "Correct it.") from broken
    given = [(str(row[0]), str(row[1])) for row in found]
    declared = [(column.name, column.type) for column in mart.columns]
    if given != declared:
        apart = [one for one in (*given, *declared) if one not in given or one not in declared]
        raise Defect(
            f"The header of the mart {mart.name} and its SQL differ in their columns: {apart or given}.",
            "Let the header say what the SQL gives, in the same order.",
        )


def _compute(lake: Lake, mart: Mart, unit: Unit, desk: Desk) -> Part | None:
    """The published file of a partition; None where it has no row."""
    try:
        desk.show(unit.views)
        # A total order makes the same rows the same bytes, whoever wrote them; so does the input's own order.
        rows = mart.sql if mart.order else f"SELECT * FROM (\n{mart.sql}\n) ORDER BY {sql.names(mart.key)}"
        return _part(lake, mart, unit, rows, desk)
    except duckdb.IOException as broken:
        raise StorageFailed(
            f"The mart {mart.name} could not be read or written: {broken}",
            "See that the disk has room, then run again.",
        ) from broken
    except duckdb.Error as broken:
        raise Defect(
            f"The mart {mart.name} fails in {unit.partition}: {broken}", "Report it; nothing was published."
        ) from broken


def _part(lake: Lake, mart: Mart, unit: Unit, rows: str, desk: Desk) -> Part | None:
    """The published file of one partition whose rows, in order, a SELECT gives; None where it gives none."""
    tmp = disk.temporary(lake.curated_path(mart.name, unit.partition, "new"))
    written = f"TO {sql.text(tmp.as_posix())} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    try:
        copied = desk.con.execute(f"COPY (\n{rows}\n) {written}").fetchall()
    except duckdb.Error:
        disk.remove(tmp)
        raise
    count = int(copied[0][0])
    if count == 0:
        disk.remove(tmp)
        return None
    with tmp.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if mart.partition == "whole":
        _one_row_a_key(mart, tmp, desk)
    final = lake.curated_path(mart.name, unit.partition, digest)
    disk.publish(tmp, final)
    return Part(unit.partition, lake.relative(final), count, digest, unit.inputs)


def _one_row_a_key(mart: Mart, path: Path, desk: Desk) -> None:
    """Nothing where no two rows have the same key; Defect naming one that comes twice."""
    keys = sql.names(mart.key)
    double = desk.con.execute(
        f"SELECT {keys} FROM read_parquet({sql.files([path])}) GROUP BY {keys} HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
    ).fetchall()
    if double:
        disk.remove(path)
        shown = ", ".join(f"{name} {value}" for name, value in zip(mart.key, double[0], strict=True))
        raise Defect(
            f"The mart {mart.name} would have two rows for {shown}, so its numbers would count twice.",
            "Correct the fragment of that source: it must give each of its rows once.",
        )
