"""Rows of a file as a relation of texts in DuckDB, whichever way the file is read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bedrot import sql
from bedrot.contract import Delimited, Facts, Feed, Ignored, Original, Row, Table
from bedrot.contract.typing_sql import LINE
from bedrot.errors import Defect, Refused
from bedrot.walk import lines as text_lines
from bedrot.walk.look import scan

if TYPE_CHECKING:
    import duckdb


_NEVER = "\x01"
"""What stands in no line that was rewritten."""


@dataclass(frozen=True)
class TextRows:
    """Rows of one table as texts: SQL of a relation with `_line` (place in the file's order), and of what is in it.

    `raw` is each field's text, `told` those that are equal in all rows, `locator` the place for people, `fault` why
    the row as a whole cannot be taken, `repeated` why it is no data; `text` is the row as it stood. `records` counts
    the physical records without the reader; `ignored` those that are no data and not in the relation, by reason;
    `empty`: the relation is known to have no rows.
    """

    relation: str
    raw: Mapping[str, str]
    locator: str
    text: str
    records: int
    told: Mapping[str, str | None] = field(default_factory=dict)
    empty: bool = False
    fault: str = "CAST(NULL AS VARCHAR)"
    repeated: str = "CAST(NULL AS VARCHAR)"
    ignored: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()


def check_whole(feed: Feed, original: Original, facts: Facts, work: Path) -> None:
    """Look through a whole file with the reader that will stage it; writes into `work` only.

    Raises Refused when it is cut off, not of the expected shape, or shows other records than its reader finds.
    """
    if isinstance(feed.read, Delimited):
        heading = text_lines.read_heading(original, feed.table(feed.read.table), feed.read.delimiters)
        found = scan(original.path)
        text_lines.refuse_bad_ends(original, found, heading)
        if text_lines.as_it_stands(original, heading, found) is None:
            text_lines.rewritten(original, heading, found, work)
        return
    counts = Counter(row.table for row in read_rows(feed, original, facts))
    census = feed.census(original) if feed.census else counts
    for table in feed.tables:
        if census.get(table.name, 0) != counts[table.name]:
            raise Refused(
                f"{census.get(table.name, 0):,} records for {table.name} are in the file, but its reader finds"
                f" {counts[table.name]:,}; nothing was taken.",
                "Download it again; if that does not help, report it.",
                file=original.name,
            )


def from_lines(
    con: duckdb.DuckDBPyConnection, reader: Delimited, table: Table, original: Original, work: Path
) -> TextRows:
    """The rows of delimited text, read in bulk and parted into columns of text in a Parquet file in `work`."""
    heading = text_lines.read_heading(original, table, reader.delimiters)
    found = scan(original.path)
    prepared = text_lines.as_it_stands(original, heading, found)
    split = _read_split(con, heading, prepared, work) if prepared else None
    if prepared is None or split is None:
        prepared = text_lines.rewritten(original, heading, found, work)
        split = _split_lines(con, heading, prepared, work)
    extra = dict(reader.extra(original)) if reader.extra else {}
    columns = {name: sql.name(f"c{place}") for name, place in heading.places.items()}
    repeated = " AND ".join(f"trim(c{place}) = {sql.text(title)}" for place, title in enumerate(heading.titles))
    told = {name: value for name, value in extra.items() if name not in heading.places}
    return TextRows(
        relation=split.relation,
        raw={name: _unescaped(column, prepared) for name, column in columns.items()}
        | {name: sql.literal(value) for name, value in told.items()},
        told=told,
        locator=LINE,
        text=split.text,
        records=prepared.records,
        fault=split.fault,
        repeated=f"CASE WHEN {repeated} THEN 'heading row repeated' END",
        ignored=Counter({"blank line": len(prepared.blanks)} if prepared.blanks else {}),
        notes=tuple(f"column not known, kept in raw only: {title}" for title in heading.unknown if title),
    )


@dataclass(frozen=True)
class _Split:
    """SQL of lines parted into columns `c0`, `c1`, … with `_line`, and of their faults and texts."""

    relation: str
    fault: str
    text: str


def _read_split(
    con: duckdb.DuckDBPyConnection, heading: text_lines.Heading, prepared: text_lines.Lines, work: Path
) -> _Split | None:
    """The lines parted while they are read, which is fastest; None where a line is blank or not as long as the heading.

    Written out, because most columns hold few distinct texts: read back, each is typed once for many rows.
    """
    import duckdb  # noqa: PLC0415  checking a file at the door needs this module, not the engine

    target = sql.text((work / "split.parquet").as_posix())
    columns = [f"c{place}" for place in range(len(heading.titles))]
    read = _read_csv(prepared, prepared.delimiter, columns, strict=True)
    try:
        copied = con.execute(f"COPY (FROM {read}) TO {target} (FORMAT parquet, COMPRESSION uncompressed)").fetchall()
    except duckdb.InvalidInputException:
        return None
    if copied[0][0] != prepared.records:
        return None
    relation = (
        f"(SELECT * EXCLUDE (file_row_number), file_row_number + 2 AS _line"
        f" FROM read_parquet({target}, file_row_number = true))"
    )
    text = f" || {sql.text(prepared.delimiter)} || ".join(columns)
    return _Split(relation, "CAST(NULL AS VARCHAR)", text)


def _split_lines(
    con: duckdb.DuckDBPyConnection, heading: text_lines.Heading, prepared: text_lines.Lines, work: Path
) -> _Split:
    """Rewritten lines parted by SQL, where a line with too few or too many fields is a row with a fault."""
    count, unit = len(heading.titles), sql.text(text_lines.UNIT)
    target = sql.text((work / "split.parquet").as_posix())
    columns = ", ".join(f"p[{place + 2}] AS c{place}" for place in range(count))
    con.execute(
        f"COPY (SELECT {columns}, CAST(p[1] AS BIGINT) AS _line, len(p) - 1 AS n, l"
        f" FROM (SELECT l, string_split(l, {unit}) AS p FROM {_read_csv(prepared, _NEVER, ['l'], strict=False)}))"
        f" TO {target} (FORMAT parquet, COMPRESSION lz4)"
    )
    return _Split(
        relation=f"read_parquet({target})",
        fault=f"CASE WHEN n <> {count} THEN 'the line has ' || n || ' fields where the heading has {count}' END",
        text=_unescaped(f"replace(substr(l, instr(l, {unit}) + 1), {unit}, chr(9))", prepared),
    )


def _read_csv(prepared: text_lines.Lines, delimiter: str, columns: Sequence[str], *, strict: bool) -> str:
    """SQL that reads the lines below the heading as they stand: no quoting, no comment, nothing null."""
    newline = sql.text(prepared.newline.replace("\r", "\\r").replace("\n", "\\n"))
    texts = ", ".join(f"{sql.text(one)}: 'VARCHAR'" for one in columns)
    return (
        f"read_csv({sql.text(prepared.path.as_posix())}, delim = {sql.text(delimiter)}, header = false, skip = 1,"
        f" quote = '', escape = '', comment = '', auto_detect = false, new_line = {newline}, nullstr = [chr(2)],"
        f" columns = {{{texts}}}, strict_mode = {strict}, max_line_size = {4 << 20})"
    )


def _unescaped(text: str, prepared: text_lines.Lines) -> str:
    """SQL of a field's text with the line ends that rewriting took out of it."""
    if not prepared.numbered:
        return text
    feeds = f"replace({text}, {sql.text(text_lines.NEWLINE_INSIDE)}, chr(10))"
    return f"replace({feeds}, {sql.text(text_lines.RETURN_INSIDE)}, chr(13))"


def read_rows(feed: Feed, original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """The rows of a file by the feed's own reader; Defect when it names a table or field that its contract lacks."""
    if isinstance(feed.read, Delimited):
        raise Defect(f"The feed {feed.name} is read in bulk.")
    known = {table.name: {one.name for one in table.fields} for table in feed.tables}
    for row in feed.read(original, facts):
        if row.table not in known:
            raise Defect(f"The feed {feed.name} yields rows for {row.table}, which it does not declare.")
        if isinstance(row, Row) and not row.values.keys() <= known[row.table]:
            strange = sorted(row.values.keys() - known[row.table])
            raise Defect(f"The feed {feed.name} yields fields that {row.table} lacks: {', '.join(strange)}.")
        yield row


def from_reader(feed: Feed, original: Original, facts: Facts, work: Path) -> dict[str, TextRows]:
    """The rows that a feed's own reader yields, by table, through one file of JSON lines a table in `work`."""
    ignored = {table.name: Counter[str]() for table in feed.tables}
    counts = Counter[str]()
    paths = {table.name: work / f"{table.name}.ndjson" for table in feed.tables}
    files = {name: path.open("w", encoding="utf-8", newline="\n") for name, path in paths.items()}
    try:
        for row in read_rows(feed, original, facts):
            counts[row.table] += 1
            if isinstance(row, Ignored):
                ignored[row.table][row.reason] += 1
                continue
            record = {"_line": counts[row.table], "_locator": row.locator, **row.values}
            files[row.table].write(_one_line(record, original, row.locator) + "\n")
    finally:
        for file in files.values():
            file.close()
    census = dict(feed.census(original)) if feed.census else dict(counts)
    return {
        table.name: replace(
            _from_json_lines(table, paths[table.name], census.get(table.name, 0), ignored[table.name]),
            empty=not counts[table.name],
        )
        for table in feed.tables
    }


def _one_line(record: Mapping[str, object], original: Original, locator: str) -> str:
    """A row as one line of JSON; Refused where a text holds half a character, which no file can keep."""
    line = json.dumps(record, ensure_ascii=False)
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError as broken:
            raise Refused(
                f"A text holds half a character ({locator}).", "Download the file again.", file=original.name
            ) from broken
    return line


def _from_json_lines(table: Table, path: Path, records: int, ignored: Counter[str]) -> TextRows:
    """Rows in a file of JSON lines as a relation of texts."""
    names = [one.name for one in table.fields]
    columns = ", ".join(
        ["'_line': 'BIGINT'", "'_locator': 'VARCHAR'", *(f"{sql.text(name)}: 'VARCHAR'" for name in names)]
    )
    pairs = ", ".join(f"{sql.text(name)}, {sql.name(name)}" for name in names)
    relation = (
        f"(SELECT * FROM read_json({sql.text(path.as_posix())}, format = 'newline_delimited',"
        f" columns = {{{columns}}}, maximum_object_size = {64 << 20}))"
    )
    return TextRows(
        relation=relation,
        raw={name: sql.name(name) for name in names},
        locator="_locator",
        text=f"CAST(json_object({pairs}) AS VARCHAR)",
        records=records,
        ignored=ignored,
    )
