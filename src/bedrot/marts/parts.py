"""Parts of a table as SQL: which files, and which rows of them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bedrot import sql
from bedrot.contract.typing_sql import LOCATOR, columns_of
from bedrot.contract.values import Source
from bedrot.lake.snapshot import Part

Columns = Sequence[tuple[str, str]]

_BEHIND = (
    ("_delivery", "VARCHAR"),
    ("_line", "BIGINT"),
    ("_locator", "VARCHAR"),
    ("_partition", "VARCHAR"),
)
_LACKING = ("_lacking", "VARCHAR")


def staging_columns(sources: Iterable[Source]) -> dict[str, Columns]:
    """Names and types of each staging table's columns, by table name, from the contracts of the sources."""
    tables = [table for source in sources for feed in source.feeds for table in feed.tables]
    return {table.name: (*columns_of(table), *_BEHIND) for table in tables}


def part_identity(part: Part) -> tuple[str, str, str | None, str]:
    """What tells a part's rows from all others: equal identities are equal rows in equal files."""
    return part.partition, part.path, part.slice, part.sha256


def digest(value: Any) -> str:
    """A SHA-256 over a value as JSON."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def staging_sql(parts: Sequence[Part], columns: Columns, absolute: Callable[[str], Path]) -> str:
    """A SELECT of a staging table's rows: slices filtered by `_partition` (row groups prune), merged files whole."""
    names = ", ".join(f"{LOCATOR} AS _locator" if name == "_locator" else sql.name(name) for name, _ in columns)
    arms: list[str] = []
    merged = [absolute(part.path) for part in parts if part.slice is None]
    if merged:
        arms.append(f"SELECT {names}, _lacking FROM read_parquet({sql.files(merged)}, hive_partitioning = false)")
    for paths, slices in _grouped(parts):
        files = sql.files(map(absolute, paths))
        within = ", ".join(map(sql.text, slices))
        arms.append(
            f"SELECT {names}, CAST(NULL AS VARCHAR) AS _lacking"
            f" FROM read_parquet({files}, hive_partitioning = false) WHERE _partition IN ({within})"
        )
    return " UNION ALL ".join(arms) or sql.no_rows([*columns, _LACKING])


def _grouped(parts: Iterable[Part]) -> list[tuple[list[str], list[str]]]:
    """Slices as pairs (files, partition values) in which every file has every value wanted of it."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for part in parts:
        if part.slice is not None:
            wanted[part.path].add(part.slice)
    # Files of one folder have the same columns: those of staging, or those of a patch.
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for path, slices in wanted.items():
        alike[path.rpartition("/")[0], tuple(sorted(slices))].append(path)
    return [(sorted(paths), list(slices)) for (_, slices), paths in sorted(alike.items())]


def files_sql(parts: Sequence[Part], columns: Columns, absolute: Callable[[str], Path], where: str = "") -> str:
    """A SELECT of a mart's rows from its files, with a condition where one is given."""
    if not parts:
        return sql.no_rows(columns)
    paths = sql.files(absolute(part.path) for part in parts)
    return f"SELECT * FROM read_parquet({paths}, hive_partitioning = false)" + (f" WHERE {where}" if where else "")
