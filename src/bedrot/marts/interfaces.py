"""What a source may offer to the marts: one SELECT for each interface, with exactly these columns and types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bedrot import sql
from bedrot.contract.typing_sql import DECIMAL_TYPE as MONEY
from bedrot.errors import Defect

_LINEAGE = (("_delivery", "VARCHAR"), ("_locator", "VARCHAR"))

INTERFACES: dict[str, tuple[tuple[str, str], ...]] = {
    "lines": (
        ("account", "VARCHAR"),
        ("reporting_date", "DATE"),
        ("sale_month", "DATE"),
        ("store", "VARCHAR"),
        ("country", "VARCHAR"),
        ("artist", "VARCHAR"),
        ("title", "VARCHAR"),
        ("isrc", "VARCHAR"),
        ("upc", "VARCHAR"),
        ("product", "VARCHAR"),
        ("quantity", "BIGINT"),
        ("share_percent", MONEY),
        ("earnings", MONEY),
        ("currency", "VARCHAR"),
        ("withheld", MONEY),
        ("recoup", MONEY),
        *_LINEAGE,
    ),
    "streams": (
        ("account", "VARCHAR"),
        ("date", "DATE"),
        ("store", "VARCHAR"),
        ("streams", "BIGINT"),
        ("provisional", "BOOLEAN"),
        *_LINEAGE,
    ),
    "ads": (
        ("account", "VARCHAR"),
        ("day", "DATE"),
        ("ad_id", "VARCHAR"),
        ("ad_name", "VARCHAR"),
        ("adset_id", "VARCHAR"),
        ("adset_name", "VARCHAR"),
        ("campaign_id", "VARCHAR"),
        ("campaign_name", "VARCHAR"),
        ("spend", MONEY),
        ("currency", "VARCHAR"),
        ("impressions", "BIGINT"),
        ("clicks", "BIGINT"),
        ("reach", "BIGINT"),
        ("results", "BIGINT"),
        ("result_type", "VARCHAR"),
        ("provisional", "BOOLEAN"),
        *_LINEAGE,
    ),
    "social": (
        ("account", "VARCHAR"),
        ("day", "DATE"),
        ("views", "BIGINT"),
        ("profile_views", "BIGINT"),
        ("likes", "BIGINT"),
        ("comments", "BIGINT"),
        ("shares", "BIGINT"),
        ("followers", "BIGINT"),
        ("provisional", "BOOLEAN"),
        *_LINEAGE,
    ),
    "links": (
        ("account", "VARCHAR"),
        ("day", "DATE"),
        ("views", "BIGINT"),
        ("unique_views", "BIGINT"),
        ("clicks", "BIGINT"),
        ("unique_clicks", "BIGINT"),
        ("provisional", "BOOLEAN"),
        *_LINEAGE,
    ),
    "names_shown": (
        ("account", "VARCHAR"),
        ("isrc", "VARCHAR"),
        ("upc", "VARCHAR"),
        ("artist", "VARCHAR"),
        ("title", "VARCHAR"),
        ("release_title", "VARCHAR"),
    ),
    "catalogue": (
        ("account", "VARCHAR"),
        ("isrc", "VARCHAR"),
        ("upc", "VARCHAR"),
        ("artist", "VARCHAR"),
        ("title", "VARCHAR"),
        ("release_date", "DATE"),
        ("label", "VARCHAR"),
        ("writers", "VARCHAR"),
    ),
}
"""Columns (name, DuckDB type) of each interface, without the `source` that the walk puts in front."""

FILES = {view: "names" if view == "names_shown" else view for view in INTERFACES}
"""The file in a source's folder that offers an interface, without its `.sql`."""

_EXACT = {"BIGINT": ("INTEGER", "SMALLINT", "TINYINT"), MONEY: ("BIGINT", "INTEGER", "SMALLINT", "TINYINT")}
_SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STAGING = re.compile(r'\bstaging\s*\.\s*"?([A-Za-z_][A-Za-z0-9_]*)')
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A source's SELECT for one interface, and the staging tables that it reads."""

    source: str
    view: str
    sql: str
    tables: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file as a person finds it: folder and file name."""
        return f"{self.source}/{FILES[self.view]}.sql"


def read_fragments(folders: Mapping[str, Path]) -> tuple[Fragment, ...]:
    """The fragments of all sources, from source name to folder, in name order."""
    found: list[Fragment] = []
    for source in sorted(folders):
        if not _SOURCE_NAME.fullmatch(source):
            raise Defect(f"A source cannot be named '{source}'.", "Use lower-case letters, digits and underscores.")
        for view, file in FILES.items():
            path = folders[source] / f"{file}.sql"
            if path.is_file():
                found.append(_fragment(source, view, path.read_text(encoding="utf-8")))
    return tuple(found)


def _fragment(source: str, view: str, text: str) -> Fragment:
    """A fragment from the text of its file."""
    plain = _COMMENT.sub(" ", text)
    return Fragment(source, view, text.strip().rstrip(";"), tuple(sorted(set(_STAGING.findall(plain)))))


def offered(fragments: Iterable[Fragment]) -> dict[str, list[str]]:
    """The names of the sources that offer each interface, in name order."""
    sources: dict[str, list[str]] = {view: [] for view in INTERFACES}
    for fragment in fragments:
        sources[fragment.view].append(fragment.source)
    return sources


def check_fragment(con: duckdb.DuckDBPyConnection, fragment: Fragment) -> None:
    """Nothing where the fragment gives its interface's columns; Defect naming fragment and column where not.

    Whole numbers are taken where more digits are wanted, and NULL anywhere; nothing that could lose a digit is.
    """
    try:
        rows = con.execute(f"DESCRIBE (\n{fragment.sql}\n)").fetchall()
    except duckdb.Error as broken:
        raise Defect(
            f"The fragment {fragment.name} does not fit its staging tables: {broken}", "Correct it."
        ) from broken
    given = {str(row[0]): str(row[1]) for row in rows}
    wanted = dict(INTERFACES[fragment.view])
    for column, kind in wanted.items():
        if column not in given:
            raise Defect(f"The fragment {fragment.name} lacks the column {column}.", f"Select it as {kind}.")
        if given[column] not in (kind, '"NULL"', *_EXACT.get(kind, ())):
            raise Defect(
                f"The fragment {fragment.name} gives the column {column} as {given[column]}, where {kind} is wanted.",
                "Cast it in the fragment, without losing anything.",
            )
    for column in given:
        if column not in wanted:
            raise Defect(
                f"The fragment {fragment.name} gives the column {column}, which {fragment.view} does not have."
            )


def interface_sql(view: str, fragments: Iterable[Fragment]) -> str:
    """A SELECT over all rows that the fragments give of an interface, `source` in front; typed and empty for none."""
    columns = INTERFACES[view]
    cast = ", ".join(f"CAST({sql.name(name)} AS {kind}) AS {sql.name(name)}" for name, kind in columns)
    arms = [f"SELECT {sql.text(one.source)} AS source, {cast} FROM (\n{one.sql}\n)" for one in fragments]
    return "\nUNION ALL\n".join(arms) or sql.no_rows([("source", "VARCHAR"), *columns])
