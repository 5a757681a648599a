"""A condition that a person gives for the rows of one table: let through where it can do nothing but compare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from bedrot import sql
from bedrot.errors import Refused

_CLASSES = {
    *("BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR", "TYPE"),
}
_AGAIN = "Compare columns with values, such as: isrc = 'QZABC2500001' and sale_month = '2025-03-01'."


def check_condition(condition: str, columns: Sequence[str]) -> None:
    """Nothing for an expression over these columns; Refused for anything else (queries, files, clocks)."""
    if not condition.strip():
        raise Refused("The condition is empty.", _AGAIN)
    con = sql.connect(None, threads=1)
    try:
        plain, given = (_tree(con, one) for one in ("TRUE", condition))
        pure = {
            str(row[0])
            for row in con.execute(
                "SELECT DISTINCT function_name FROM duckdb_functions()"
                " WHERE function_type = 'scalar' AND stability = 'CONSISTENT' AND schema_name IN ('main', 'pg_catalog')"
            ).fetchall()
        }
    finally:
        con.close()
    where = given.pop("where_clause", None)
    plain.pop("where_clause", None)
    if _bare(given) != _bare(plain) or where is None:
        raise Refused("The condition is more than one expression.", _AGAIN)
    known = {column.casefold() for column in columns}
    for part in _parts(where):
        _check_part(part, known, pure, columns)


def _tree(con: duckdb.DuckDBPyConnection, condition: str) -> dict[str, Any]:
    """The parsed SELECT with that condition; Refused where it cannot be read as one SELECT."""
    query = f"SELECT 1 FROM one_table WHERE (\n{condition}\n)"
    parsed = json.loads(con.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()[0][0])
    if parsed["error"]:
        raise Refused(f"The condition cannot be read: {parsed.get('error_message', '')}", _AGAIN)
    if len(parsed["statements"]) != 1 or parsed["statements"][0]["node"]["type"] != "SELECT_NODE":
        raise Refused("The condition is more than one expression.", _AGAIN)
    node: dict[str, Any] = parsed["statements"][0]["node"]
    return node


def _bare(value: Any) -> Any:
    """A tree without the places in the text that its parts come from."""
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if not key.startswith("query_location")}
    return [_bare(one) for one in value] if isinstance(value, list) else value


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """All expressions in a tree."""
    if isinstance(value, dict):
        if "class" in value:
            yield value
        for one in value.values():
            yield from _parts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _parts(one)


def _check_part(part: dict[str, Any], known: set[str], pure: set[str], columns: Sequence[str]) -> None:
    """Nothing for an expression that may stand in a condition; Refused for any other."""
    kind = part["class"]
    if kind not in _CLASSES:
        raise Refused(f"The condition holds a {kind.lower().replace('_', ' ')}, which is not answered here.", _AGAIN)
    if kind == "COLUMN_REF":
        names = part["column_names"]
        if len(names) != 1 or names[0].casefold() not in known:
            raise Refused(f"There is no column '{'.'.join(names)}'.", f"There are: {', '.join(columns)}.")
    if kind == "FUNCTION" and part["function_name"].casefold() not in pure:
        raise Refused(f"The condition calls '{part['function_name']}', which is not answered here.", _AGAIN)
