"""Count and sum a file once more, without the code that stages it: Python's csv and decimals, no engine.

It is what law 3 is held against: records in the file, and money as written there.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TextIO

from bedrot.contract import Delimited, Facts, Feed, Ignored, Original, Table, heading_key
from bedrot.contract import Field as ContractField
from bedrot.walk.look import scan
from bedrot.walk.text_rows import read_rows

_AMOUNT = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_EXPONENT = re.compile(r"[+-]?[0-9]{1,18}(?:\.([0-9]{0,18}))?[eE]([+-]?[0-9]{1,2})")
_SCALE = 18


@dataclass
class Recount:
    """Physical records of one table in a file, and by money column the sum as written and rows that cannot be read."""

    records: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)
    unreadable: Counter[str] = field(default_factory=Counter)

    def add(self, column: ContractField, text: str | None) -> None:
        """Take in the text of a money field of one row."""
        self.money.setdefault(column.name, Decimal(0))
        bare = (text or "").strip()
        if bare in ("", *column.blank):
            return
        amount = amount_of(bare)
        if amount is None:
            self.unreadable[column.name] += 1
        else:
            with localcontext(prec=80):
                self.money[column.name] += amount


def recount(feed: Feed, original: Original, facts: Facts) -> dict[str, Recount]:
    """Records and money of each table of a file."""
    if isinstance(feed.read, Delimited):
        table = feed.table(feed.read.table)
        return {table.name: _delimited(feed.read, table, original)}
    counts = {table.name: Recount(money={one.name: Decimal(0) for one in table.money}) for table in feed.tables}
    for row in read_rows(feed, original, facts):
        counts[row.table].records += 1
        if not isinstance(row, Ignored):
            for column in feed.table(row.table).money:
                counts[row.table].add(column, row.values.get(column.name))
    for name, records in (feed.census(original) if feed.census else {}).items():
        counts[name].records = records
    return counts


def amount_of(text: str) -> Decimal | None:
    """The exact amount of a text, None where it is none or has more decimals than a lake's money holds."""
    if _AMOUNT.fullmatch(text):
        return Decimal(text)
    power = _EXPONENT.fullmatch(text)
    if power and len(power[1] or "") - int(power[2]) <= _SCALE:
        return Decimal(text)
    return None


def _delimited(reader: Delimited, table: Table, original: Original) -> Recount:
    """Records and money of delimited text."""
    found = Recount(money={one.name: Decimal(0) for one in table.money})
    with _text(original.path) as text:
        rows = _rows(text, reader.delimiters, table)
        titles = next(rows, [])
        places = _places(table, titles)
        extra = reader.extra(original) if reader.extra else {}
        for row in rows:
            found.records += 1
            if not row or [cell.strip() for cell in row] == titles:
                continue
            for column in table.money:
                place = places.get(column.name)
                if place is None:
                    found.add(column, extra.get(column.name))
                else:
                    found.add(column, row[place] if place < len(row) else None)
    return found


def _text(path: Path) -> TextIO:
    """The file as text with its own line ends."""
    return path.open(encoding=scan(path).encoding, newline="")


def _rows(text: TextIO, delimiters: str, table: Table) -> Iterator[list[str]]:
    """The fields of each record, the heading row first; quotes bind unless fields stand between tabs without them."""
    first = text.readline()
    text.seek(0)
    delimiter = max(delimiters, key=lambda one: len(_places(table, first.strip("\r\n").split(one))))
    if delimiter == "\t" and not first.startswith('"'):
        for number, line in enumerate(text):
            bare = line.rstrip("\r\n")
            cells = bare.split("\t") if bare else []
            yield cells if number else [cell.strip() for cell in cells]
        return
    for number, row in enumerate(csv.reader(text, delimiter=delimiter)):
        yield row if number else [cell.strip() for cell in row]


def _places(table: Table, titles: list[str]) -> Mapping[str, int]:
    """Where each field stands, by heading."""
    keys = {heading_key(name): one.name for one in table.fields for name in (one.name, *one.aka)}
    return {keys[heading_key(title)]: place for place, title in enumerate(titles) if heading_key(title) in keys}
