"""The answer to one SELECT: rows as text that says exactly what they are, or a file of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb

from bedrot import sql
from bedrot.errors import BedrotError, Misconfigured, Refused
from bedrot.lake import disk
from bedrot.lake.opened import only_reads
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.tell.known import tables_of

Format = Literal["table", "csv", "json", "parquet"]
_BATCH = 10_000


@dataclass(frozen=True)
class Answer:
    """The columns of an answer, and its rows, which come from the engine as they are read."""

    columns: tuple[str, ...]
    _result: duckdb.DuckDBPyConnection
    _snapshot: Snapshot

    def rows(self, limit: int | None = None) -> Iterator[tuple[Any, ...]]:
        """The rows in turn, at most `limit`; each row once, so ask once."""
        left = limit
        while left is None or left > 0:
            try:
                batch = self._result.fetchmany(_BATCH if left is None else min(left, _BATCH))
            except duckdb.Error as wrong:
                raise _said(wrong, self._snapshot) from wrong
            if not batch:
                return
            left = None if left is None else left - len(batch)
            yield from batch


def ask(con: duckdb.DuckDBPyConnection, query: str, snapshot: Snapshot) -> Answer:
    """The answer to one SELECT; Refused for another statement, Misconfigured, naming the tables, where it is wrong."""
    only_reads(con, query)
    try:
        result = con.execute(query)
    except duckdb.Error as wrong:
        raise _said(wrong, snapshot) from wrong
    return Answer(_apart(one[0] for one in result.description or ()), result, snapshot)


def write_parquet(con: duckdb.DuckDBPyConnection, query: str, snapshot: Snapshot, work: Path, final: Path) -> None:
    """Write the answer to one SELECT as a Parquet file, durably, replacing one of that name; errors as of `ask`.

    `work` is a folder that the engine may write to.
    """
    only_reads(con, query)
    made = work / "answer.parquet"
    plain = query.strip().rstrip(";")
    try:
        con.execute(f"COPY (\n{plain}\n) TO {sql.text(made.as_posix())} (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.Error as wrong:
        raise _said(wrong, snapshot) from wrong
    with made.open("rb") as file:
        disk.put(final, iter(lambda: file.read(1 << 20), b""), replace=True, read_only=False)


def as_csv(answer: Answer) -> Iterator[str]:
    """An answer as CSV (RFC 4180 with plain line ends) piece by piece; null is an empty field."""
    yield _csv_line(answer.columns)
    for row in answer.rows():
        yield _csv_line(tuple(None if value is None else shown(value) for value in row))


def as_json(answer: Answer) -> Iterator[str]:
    """An answer as a JSON array of objects, piece by piece; decimals are text: no reader makes floats of them."""
    before = "[\n"
    for row in answer.rows():
        yield before + json.dumps(dict(zip(answer.columns, map(plain_value, row), strict=True)), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def shown(value: object) -> str:
    """A value as exact text: decimals with all that they have and no zeros behind, dates and times in ISO form."""
    plain = plain_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def plain_value(value: Any) -> Any:
    """A value as JSON holds it without loss: decimals, dates, times and bytes (hexadecimal) as text."""
    if isinstance(value, dict):
        return {str(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(one) for one in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return exact(value)
    holds = value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and isfinite(value))
    return value if holds else str(value)


def exact(value: Decimal) -> str:
    """A decimal in plain digits, without zeros behind the last digit that says something."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def format_of(told: str | None, file: Path | None) -> Format:
    """The format that a person asked for, else the one that the file's name says; Misconfigured where that fails."""
    formats: tuple[Format, ...] = get_args(Format)
    named = told or (file.suffix.lower().removeprefix(".") if file else "table")
    found = next((one for one in formats if one == named), None)
    if found is None:
        raise Misconfigured(f"There is no format '{named}'.", f"Give --format {', '.join(formats[1:])}.")
    if found == "table" and file is not None:
        raise Misconfigured("A table is for reading on the screen.", "Give --format csv, json or parquet.")
    if found == "parquet" and file is None:
        raise Misconfigured("A Parquet file cannot be shown on the screen.", "Name a file with -o.")
    return found


def refuse_zones(lake: Lake, file: Path) -> None:
    """Nothing where a file lies outside of what the lake keeps; Misconfigured where it would stand among that."""
    zones = (lake.landing, lake.raw, lake.staging, lake.curated, lake.archive, lake.work)
    kept = (*zones, lake.ledger_path, lake.config_path, lake.lock_path, lake.root / ".gitignore")
    if any(file.resolve().is_relative_to(one.resolve()) for one in kept) or file.is_dir():
        raise Misconfigured("An answer cannot be written there.", "Name a file outside of the lake.", file=str(file))


def _csv_line(values: tuple[str | None, ...]) -> str:
    """One line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _apart(names: Iterator[str]) -> tuple[str, ...]:
    """Column names, told apart by a number where two are equal."""
    found: list[str] = []
    for name in names:
        number = 1
        told = name
        while told in found:
            number += 1
            told = f"{name}_{number}"
        found.append(told)
    return tuple(found)


def _said(wrong: duckdb.Error, snapshot: Snapshot) -> BedrotError:
    """What the engine says of a query, as a sentence with the tables that there are."""
    first = re.sub(r"\s+", " ", str(wrong).partition("\n\nLINE")[0]).strip()
    if isinstance(wrong, duckdb.PermissionException):
        return Refused("Only the tables of the lake can be read here, no other files.", "Ask for a table by its name.")
    end = "" if first.endswith((".", "!", "?")) else "."
    return Misconfigured(f"The SQL cannot be answered: {first}{end}", tables_of(snapshot))
