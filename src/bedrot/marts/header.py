"""What a mart says about itself: the TOML block at the top of its SQL file.

The block is a comment that begins with `/* mart` and holds: about, row, key, basis, grain, partition (`aligned`,
`by <column>` or `whole`), trace, columns, and where rows have no key `order = "as the input"`. A line of the file
(header or SQL) with `$streams$`, `$ads$`, `$social$` or `$links$` stands once for each source with that interface.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from bedrot.errors import Defect
from bedrot.marts.interfaces import INTERFACES
from bedrot.marts.settings import SETTINGS_VIEWS, macros
from bedrot.sql import any_engine

FOLDER = Path(__file__).parent
_HEADER = re.compile(r"\A\s*/\* mart\s*\n(.*?)\*/", re.DOTALL)
_REPEATED = re.compile(r"\$(\w+)\$")
_ORDERS = ("", "as the input", "as the SQL sorts")
_STRATEGY = re.compile(r"aligned|whole|by ([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a mart; `along` names what it may be summed along (empty: never)."""

    name: str
    type: str
    about: str
    unit: str = ""
    basis: str = ""
    along: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a row came from: the rows of `table` whose columns equal ours, as pairs (ours, theirs)."""

    table: str
    on: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mart:
    """A business table: its SQL, what it says about itself, and the views that it reads.

    `order` says who fixes the order of rows: "as the input" (the walk did), "as the SQL sorts" (by `key`, below what it
    derives from the sorted rows, which is cheaper to sort), or empty: they are sorted by `key`, a total order. `trace`
    is empty where each row carries `_delivery` and `_locator` itself, or where `untraced` says why there is none.
    """

    name: str
    sql: str
    about: str
    row: str
    key: tuple[str, ...]
    basis: str
    grain: str
    partition: str
    columns: tuple[Column, ...]
    order: str = ""
    trace: tuple[Trace, ...] = ()
    untraced: str = ""
    inputs: tuple[str, ...] = ()
    text: str = ""

    @property
    def by(self) -> str:
        """The column whose values are the partitions; empty for the other strategies."""
        return self.partition.removeprefix("by ") if self.partition.startswith("by ") else ""

    @property
    def data_inputs(self) -> tuple[str, ...]:
        """The inputs that hold rows of files, without the views made from settings."""
        return tuple(name for name in self.inputs if name not in SETTINGS_VIEWS)

    @property
    def digest(self) -> str:
        """A SHA-256 over the file's text as it is run."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def load_marts(offered: Mapping[str, Sequence[str]], folder: Path = FOLDER) -> tuple[Mart, ...]:
    """All marts of a folder, each after those that it reads.

    `offered` names for each interface the sources that offer it. Raises Defect for a header that does not hold.
    """
    with any_engine() as engine:
        engine.execute(macros())
        marts = {
            path.stem: parse_mart(path.stem, path.read_text(encoding="utf-8"), offered, engine)
            for path in sorted(folder.glob("*.sql"))
        }
    return _in_order(marts)


def parse_mart(name: str, text: str, offered: Mapping[str, Sequence[str]], engine: duckdb.DuckDBPyConnection) -> Mart:
    """A mart from the text of its file; `engine` has the macros and is used to find the views that the SQL reads."""
    text = _repeat(text, offered)
    found = _HEADER.match(text)
    if found is None:
        raise Defect(f"The mart {name} has no header.", "Begin the file with a comment `/* mart` that holds TOML.")
    try:
        said = tomllib.loads(found.group(1))
    except tomllib.TOMLDecodeError as broken:
        raise Defect(f"The header of the mart {name} is not TOML: {broken}.", "Correct it.") from broken
    try:
        mart = _from_header(name, said)
    except (KeyError, TypeError) as broken:
        raise Defect(f"The header of the mart {name} lacks or misspells {broken}.", "Correct it.") from broken
    sql = text[found.end() :].strip().rstrip(";")
    return _checked(replace(mart, sql=sql, text=text, inputs=_inputs(name, sql, engine)))


def _repeat(text: str, offered: Mapping[str, Sequence[str]]) -> str:
    """The text with each marked line standing once for each source of the interface it names."""
    lines: list[str] = []
    for line in text.splitlines():
        mark = _REPEATED.search(line)
        if mark is None:
            lines.append(line)
        else:
            lines += [line.replace(mark.group(0), source) for source in sorted(offered.get(mark.group(1), ()))]
    return "\n".join(lines) + "\n"


def _from_header(name: str, said: Mapping[str, Any]) -> Mart:
    """The values of a header; KeyError or TypeError where one is missing or unknown."""
    return Mart(
        name=name,
        sql="",
        about=said["about"],
        row=said["row"],
        key=tuple(said["key"]),
        basis=said["basis"],
        grain=said["grain"],
        partition=said["partition"],
        columns=tuple(_column(one, of) for one, of in said["columns"].items()),
        order=said.get("order", ""),
        trace=tuple(_trace(of) for of in said.get("trace", ())),
        untraced=said.get("untraced", ""),
    )


def _column(name: str, said: Mapping[str, Any]) -> Column:
    """One column of a header."""
    return Column(name=name, **{**said, "along": tuple(said.get("along", ()))})


def _trace(said: Mapping[str, Any]) -> Trace:
    """One trace of a header: `on` is a list of columns named alike, or a table from our names to theirs."""
    on = said["on"]
    pairs: Iterable[tuple[str, str]] = on.items() if isinstance(on, Mapping) else ((one, one) for one in on)
    return Trace(said["table"], tuple(pairs))


def _inputs(name: str, sql: str, engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The views that the SQL reads, in name order."""
    try:
        found = engine.get_table_names(sql, qualified=True)
    except duckdb.Error as broken:
        raise Defect(f"The SQL of the mart {name} cannot be read: {broken}", "Correct it.") from broken
    return tuple(sorted({one.split(" AS ")[0].strip('"') for one in found}))


def _checked(mart: Mart) -> Mart:
    """The mart itself; Defect where its header contradicts itself."""
    names = {column.name for column in mart.columns}
    named = {*mart.key, *(ours for trace in mart.trace for ours, _ in trace.on)}
    if named - names:
        raise Defect(f"The header of the mart {mart.name} names columns that it lacks: {sorted(named - names)}.")
    if not _STRATEGY.fullmatch(mart.partition):
        raise Defect(f"The mart {mart.name} has the unknown partition '{mart.partition}'.")
    if mart.partition != "whole" and len(mart.data_inputs) != 1:
        raise Defect(f"The mart {mart.name} is partitioned, so it must read exactly one table; it reads {mart.inputs}.")
    if mart.order not in _ORDERS:
        raise Defect(f"The mart {mart.name} has the unknown order '{mart.order}'.")
    if not mart.key and not (mart.order == "as the input" and mart.partition == "aligned"):
        raise Defect(f"The mart {mart.name} has no key, so its rows have no order.", "Name one.")
    if mart.by and mart.by not in names:
        raise Defect(f"The mart {mart.name} is partitioned by {mart.by}, which it does not have.", "Select it.")
    if not ({"_delivery", "_locator"} <= names or mart.trace or mart.untraced):
        raise Defect(f"The mart {mart.name} says no way from a row to its line.", "Add trace or untraced.")
    return mart


def _in_order(marts: Mapping[str, Mart]) -> tuple[Mart, ...]:
    """The marts, each after those that it reads; Defect for a circle or an unknown input."""
    known = {*INTERFACES, *SETTINGS_VIEWS}
    done: list[Mart] = []
    left = dict(marts)
    while left:
        ready = [name for name, mart in left.items() if known.issuperset(mart.inputs)]
        if not ready:
            unknown = {name: sorted(set(mart.inputs) - known) for name, mart in left.items()}
            raise Defect(f"These marts read what does not exist, or each other in a circle: {unknown}.")
        for name in ready:
            done.append(left.pop(name))
            known.add(name)
    return tuple(done)
