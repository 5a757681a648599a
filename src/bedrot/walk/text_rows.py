"""Rows of a file as a relation of texts in DuckDB, whichever way the file is read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from bedrot import sql
from bedrot.contract import Delimited, Facts, Feed, Ignored, Original, Row, Table
from bedrot.errors import Defect, Refused
from bedrot.walk import lines as text_lines


@dataclass(frozen=True)
class TextRows:
    """Rows of one table as texts: SQL of the relation, and in it of each field, line, locator, fault and text.

    `shown` is the locator again, from the line alone where that suffices.

    `records` is the count of physical records, found without the reader; `ignored` those that are no data, by reason.
    """

    relation: str
    raw: Mapping[str, str]
    line: str
    locator: str
    shown: str
    text: str
    records: int
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
        found = text_lines.scan(original.path)
        text_lines.refuse_bad_ends(original, found, heading)
        text_lines.prepare(original, heading, found, work)
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
    """The rows of delimited text, read in bulk: each line one column of a Parquet file in `work`, split by SQL."""
    heading = text_lines.read_heading(original, table, reader.delimiters)
    prepared = text_lines.prepare(original, heading, text_lines.scan(original.path), work)
    extra = dict(reader.extra(original)) if reader.extra else {}
    flat = work / "lines.parquet"
    newline = {"\r": "\\r", "\n": "\\n"}[prepared.newline]
    con.execute(
        f"COPY (FROM read_csv({sql.text(prepared.path.as_posix())}, delim = chr(1), header = false, quote = '',"
        f" escape = '', comment = '', auto_detect = false, new_line = {sql.text(newline)},"
        f" columns = {{'l': 'VARCHAR'}}, strict_mode = false, nullstr = [chr(2)], max_line_size = {4 << 20}))"
        f" TO {sql.text(flat.as_posix())} (COMPRESSION lz4)"
    )
    first = 2 if prepared.numbered else 1
    number = "CAST(p[1] AS BIGINT)" if prepared.numbered else "r + 1"
    wide = len(heading.titles)
    raw = {name: _unescaped(f"p[{place + first}]", prepared) for name, place in heading.places.items()}
    raw |= {name: sql.literal(value) for name, value in extra.items() if name not in heading.places}
    # Fields are compared, not lines: in a rewritten line the heading row has lost its quotes.
    row = f"array_to_string(list_transform(p[{first}:], lambda x: trim(x)), {sql.text(text_lines.UNIT)})"
    titles = sql.text(text_lines.UNIT.join(heading.titles))
    return TextRows(
        relation=(
            f"(SELECT string_split(l, {sql.text(prepared.delimiter)}) AS p, l, file_row_number AS r"
            f" FROM read_parquet({sql.text(flat.as_posix())}, file_row_number = true) WHERE file_row_number > 0)"
        ),
        raw=raw,
        line=number,
        locator=f"'line ' || ({number})",
        shown="'line ' || _line",
        text=_unescaped(f"replace(l, {sql.text(text_lines.UNIT)}, chr(9))", prepared) if prepared.numbered else "l",
        records=prepared.records,
        fault=(
            f"CASE WHEN len(p) <> {wide + first - 1} THEN 'the line has ' || (len(p) - {first - 1})"
            f" || ' fields where the heading has {wide}' END"
        ),
        repeated=(
            f"CASE WHEN trim(p[{first}]) = {sql.text(heading.titles[0])} AND {row} = {titles}"
            f" THEN 'heading row repeated' END"
        ),
        ignored=Counter({"blank line": len(prepared.blanks)} if prepared.blanks else {}),
        notes=tuple(f"column not known, kept in raw only: {title}" for title in heading.unknown if title),
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
        table.name: _from_json_lines(table, paths[table.name], census.get(table.name, 0), ignored[table.name])
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
    return TextRows(
        relation=(
            f"(SELECT * FROM read_json({sql.text(path.as_posix())}, format = 'newline_delimited',"
            f" columns = {{{columns}}}, maximum_object_size = {64 << 20}))"
        ),
        raw={name: sql.name(name) for name in names},
        line="_line",
        locator="_locator",
        shown="_locator",
        text=f"CAST(json_object({pairs}) AS VARCHAR)",
        records=records,
        ignored=ignored,
    )
