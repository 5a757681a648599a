"""The data dictionary: what each table and column means, from the sources' contracts and the marts' headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bedrot.contract import Field, Grain, Merge, Source, Table
from bedrot.contract.typing_sql import type_of
from bedrot.marts.header import Column, Mart
from bedrot.walk.marts import marts_of, source_folders

MERGES = {
    Merge.SERIES: "a day that a newer file shows again takes the newer value; days that it lacks stay",
    Merge.LINES: "lines of an account: what a newer file repeats is one line, what it lacks stays",
    Merge.WINDOWS: "the newer answer replaces exactly the days and levels that it asked for",
    Merge.SNAPSHOTS: "one state for each account and day of export",
}
"""What a newer file does to what an older one said, in words, by the way of merging."""

GRAINS = {Grain.MONTH: "month of", Grain.YEAR: "year of", Grain.ALL: "all of"}


@dataclass(frozen=True, slots=True)
class Word:
    """One column of a table: its meaning, and what may be done with it.

    `unit` may name the column that holds the unit; `along` what the column may be summed along (empty: nothing);
    `headings` are those seen in files, `must` whether a row cannot be without it.
    """

    name: str
    type: str
    about: str
    unit: str = ""
    basis: str = ""
    along: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    must: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One table: the name by which it is asked, what it is, and its columns; `facts` are (label, sentence)."""

    name: str
    about: str
    facts: tuple[tuple[str, str], ...]
    words: tuple[Word, ...]


_ACCOUNT = Word("account", "VARCHAR", "Whose data it is at the service.", must=True)
_LINEAGE = (
    Word("_delivery", "VARCHAR", "The oldest delivery that holds the row as it is.", must=True),
    Word("_locator", "VARCHAR", "Where in that delivery the row stands.", must=True),
)


def dictionary(sources: Sequence[Source]) -> list[Entry]:
    """All tables: the curated ones in the order in which they are built, then the staging tables of each source."""
    marts = marts_of(source_folders(sources))
    staging = {
        table.name: _staging_entry(source, table)
        for source in sources
        for feed in source.feeds
        for table in feed.tables
    }
    return [*(_mart_entry(mart) for mart in marts), *staging.values()]


def dictionary_page(entries: Sequence[Entry]) -> str:
    """The dictionary as a Markdown page: a list of the tables, then a section for each."""
    lines = [
        "# Data dictionary",
        "",
        "Generated from the contracts of the sources and the headers of the marts: do not edit. A measure may be",
        "summed along the columns named, and along no others; where none is named it is never summed. `unit` may",
        "name the column that holds the unit. A curated table is asked by its name, a staging table as `staging.NAME`.",
        "",
        "| table | what it is |",
        "| --- | --- |",
        *(f"| [`{one.name}`](#{_anchor(one.name)}) | {_cell(one.about)} |" for one in entries),
        "",
    ]
    for entry in entries:
        lines += _section(entry)
    return "\n".join(lines).rstrip() + "\n"


def _section(entry: Entry) -> Iterator[str]:
    """One table as Markdown."""
    yield from (f"## {entry.name}", "", entry.about, "")
    yield from (f"- {label}: {said}" for label, said in entry.facts if said)
    yield from ("", "| column | type | meaning | unit | basis | may be summed along | headings seen |")
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for word in entry.words:
        filled = " Never null." if word.must else ""
        yield (
            "| "
            + " | ".join(
                (
                    f"`{word.name}`",
                    word.type,
                    _cell(word.about) + filled,
                    _cell(word.unit),
                    word.basis,
                    ", ".join(word.along),
                    ", ".join(f"`{_cell(one)}`" for one in word.headings),
                )
            )
            + " |"
        )
    yield ""


def _mart_entry(mart: Mart) -> Entry:
    """The entry of a curated table."""
    facts = (
        ("one row is", mart.row),
        ("key", ", ".join(mart.key) or "none; equal rows are different things"),
        ("basis", mart.basis),
        ("grain", mart.grain),
        ("made from", ", ".join(f"`{name}`" for name in mart.inputs)),
        ("a row is followed", _trail(mart)),
    )
    return Entry(mart.name, mart.about, facts, tuple(map(_mart_word, mart.columns)))


def _trail(mart: Mart) -> str:
    """How a row of a mart is followed to a line of a file."""
    if mart.trace:
        return "; ".join(f"to {one.table} by {', '.join(ours for ours, _ in one.on)}" for one in mart.trace)
    return mart.untraced or "by `_delivery` and `_locator`"


def _mart_word(column: Column) -> Word:
    """A column of a curated table."""
    return Word(column.name, column.type, column.about, column.unit, column.basis, column.along)


def _staging_entry(source: Source, table: Table) -> Entry:
    """The entry of a staging table."""
    fillers = [feed.name for feed in source.feeds if any(one.name == table.name for one in feed.tables)]
    facts = (
        ("filled by", ", ".join(f"`{name}`" for name in fillers)),
        ("key", ", ".join(("account", *table.key))),
        ("newer files", MERGES[table.merge]),
        ("partition", f"{GRAINS[table.partition.grain]} {table.partition.column}, within an account"),
        ("days are counted in", table.day_zone if table.day_zone != "unknown" else "a time zone that is not known"),
        ("checks", " ".join(check.says for check in table.checks)),
    )
    told = facts if table.day else tuple(fact for fact in facts if fact[0] != "days are counted in")
    words = (_ACCOUNT, *map(_field_word, table.fields), *_LINEAGE)
    return Entry(f"staging.{table.name}", table.about, told, words)


def _field_word(field: Field) -> Word:
    """A column of a staging table."""
    return Word(
        field.name,
        type_of(field),
        field.about,
        field.unit,
        field.basis.value if field.basis else "",
        field.additive,
        field.aka,
        field.filled,
    )


def _anchor(name: str) -> str:
    """The anchor that Markdown gives to a heading."""
    return name.lower().replace(".", "")


def _cell(text: str) -> str:
    """Text that breaks no table."""
    return " ".join(text.split()).replace("|", "\\|")


def find_entry(entries: Iterable[Entry], name: str) -> Entry | None:
    """The entry of a table by its name, with or without `staging.`."""
    return next((one for one in entries if name in {one.name, one.name.removeprefix("staging.")}), None)
