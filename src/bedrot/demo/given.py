"""Giving the demo's files to a lake, as a person would, and comparing what came out with the truth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from bedrot import sql
from bedrot.demo.arrival import Arrival, Expected, totals
from bedrot.walk.accept import Door, Outcome, Told

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Given:
    """A file that was given, and what the door said of it (several outcomes where a zip was taken apart)."""

    arrival: Arrival
    outcomes: tuple[Outcome, ...]

    @property
    def as_planned(self) -> bool:
        """Whether the door said what the arrival says that it should."""
        return {one.verdict for one in self.outcomes} == {self.arrival.verdict}


def give(arrivals: Iterable[Arrival], folder: Path, door: Callable[[Told], Door]) -> Iterator[Given]:
    """Write each file below `folder`, with the instant of its download, and offer it at a door; in the given order."""
    for arrival in arrivals:
        told = Told(arrival.account, arrival.exported_at, arrival.at)
        yield Given(arrival, tuple(door(told).offer([write(arrival, folder)])))


def write(arrival: Arrival, folder: Path) -> Path:
    """Write one file of the demo below `folder`, piece by piece."""
    path = folder / arrival.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for piece in arrival.write():
            out.write(piece)
    at = int(arrival.at.timestamp())
    os.utime(path, (at, at))
    return path


def sums_apart(con: duckdb.DuckDBPyConnection, expected: Expected) -> list[str]:
    """Sentences on a number of rows, or the sum of a column, that is not as it should be: for tables of any size."""
    wanted = totals(expected)
    names = [name for name in expected.columns if name in wanted]
    asked = ", ".join(["count(*)", *(f"coalesce(sum({sql.name(one)}), 0)" for one in names)])
    found = con.execute(f"SELECT {asked} FROM {sql.name(expected.table)} WHERE {_where(expected)}").fetchall()[0]
    pairs = zip(("rows", *names), found, strict=True)
    return [
        f"{expected.table}: {name} {value} instead of {wanted[name]}"
        for name, value in pairs
        if Decimal(value) != Decimal(str(wanted[name]))
    ]


def _where(expected: Expected) -> str:
    """SQL of the condition under which the rows stand."""
    return " AND ".join(f"{sql.name(column)} = {sql.text(value)}" for column, value in expected.where) or "TRUE"


def differences(con: duckdb.DuckDBPyConnection, expected: Expected, most: int = 5) -> list[str]:
    """Sentences on rows that a table should have and has not, and the other way round; none where all is equal.

    `con` sees the curated tables by name (a snapshot opened for reading).
    """
    found = Counter(
        con.execute(
            f"SELECT {sql.names(expected.columns)} FROM {sql.name(expected.table)} WHERE {_where(expected)}"
        ).fetchall()
    )
    wanted = Counter(map(tuple, expected.rows))
    said = []
    for what, rows in (("missing", wanted - found), ("not expected", found - wanted)):
        if rows:
            first = "; ".join(str(dict(zip(expected.columns, row, strict=True))) for row in list(rows)[:most])
            said.append(f"{expected.table}: {rows.total():,} rows {what}, such as {first}")
    return said
