"""What a source, a feed, a table and a field are: values only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrot.contract.original import Original


class Kind(StrEnum):
    """What the text of a field becomes; MONEY is a DECIMAL whose sums are accounted for."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    DATE = "date"
    MONTH = "month"
    INSTANT = "instant"
    BOOLEAN = "boolean"


class Basis(StrEnum):
    """What a measure is; measures of unlike bases are never added."""

    ESTIMATE = "estimate"
    PAID = "paid"
    AD_PLATFORM = "ad platform"
    VISIT = "visit"


class Merge(StrEnum):
    """How a newer delivery of a table speaks to an older one."""

    SERIES = "series"
    LINES = "lines"
    WINDOWS = "windows"
    SNAPSHOTS = "snapshots"


class Grain(StrEnum):
    """How much of the partition column names a partition."""

    MONTH = "month"
    YEAR = "year"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Field:
    """One column, said once: parsing, schema, checks, dictionary and labels come from it.

    `aka` are headings (or keys) seen in the wild; `required` means that a file without the heading is refused;
    `filled` that a row where it is blank is rejected; `blank` are texts that mean unknown; `clean` names cleaners of
    `bedrot.contract.typing_sql`; `additive` names what the column may be summed along (empty: nothing).
    """

    name: str
    kind: Kind
    about: str
    unit: str = ""
    aka: tuple[str, ...] = ()
    required: bool = False
    filled: bool = False
    clean: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    basis: Basis | None = None
    additive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A sentence that each row must keep, with the SQL predicate that is true where it is broken."""

    says: str
    breaks: str
    reason: str


@dataclass(frozen=True, slots=True)
class Partition:
    """The unit that is stored and rebuilt together, within an account."""

    column: str
    grain: Grain


@dataclass(frozen=True, slots=True)
class Table:
    """What a staging table is. The walk adds `account` in front and the lineage columns behind `fields`.

    `key` names what makes a row itself; `identity` (line items) the key columns whose values a service may rename;
    `folded` those compared without regard to case and spaces; `scope` (windows, snapshots) the columns for which a
    newer delivery replaces everything; `until` (windows) orders answers for a relative period before their age;
    `day` is the column that "data until" is read from (none: the table has no days); `provisional` the boolean column
    that marks what will change; `changes_only` keeps only the versions of an entity that differ from the one before;
    `absent` is a column that is null in a row which proves only that the delivery spoke of its scope.
    """

    name: str
    about: str
    fields: tuple[Field, ...]
    merge: Merge
    key: tuple[str, ...]
    partition: Partition
    day: str = ""
    day_zone: str = ""
    identity: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    until: str = ""
    provisional: str = ""
    changes_only: bool = False
    absent: str = ""
    checks: tuple[Check, ...] = ()
    fresh_days: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all content columns, `account` first."""
        return ("account", *(one.name for one in self.fields))

    @property
    def money(self) -> tuple[Field, ...]:
        """The fields whose sums are accounted for."""
        return tuple(one for one in self.fields if one.kind is Kind.MONEY)

    def field(self, name: str) -> Field:
        """The field of that name; KeyError when there is none."""
        for one in self.fields:
            if one.name == name:
                return one
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Row:
    """One text row on its way to a table: values by field name, and where it stood in the file."""

    table: str
    values: Mapping[str, str | None]
    locator: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """One physical record that is not data, with the reason by name."""

    table: str
    reason: str
    locator: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a file speaks of, and how that is known: inside, name, zip, data or person."""

    at: datetime
    basis: str

    @classmethod
    def of_day(cls, day: date, basis: str) -> Stamp:
        """The start of that day in UTC."""
        return cls(datetime.combine(day, time(), UTC), basis)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a delivery besides its bytes; a reader may use nothing else.

    `asked` is what the pull asked for that it came by, by name of parameter; empty for a file that a person gave.
    """

    account: str
    exported_at: datetime
    exported_basis: str
    resaved: bool
    asked: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delimited:
    """The reader of one table from delimited text, mapped by heading; the walk reads it in bulk.

    `extra` computes fields that have no heading of their own from the file as a whole (a statement's number that
    stands in the file name): field name → text, the same in each row.
    """

    table: str
    delimiters: str = "\t,;"
    extra: Callable[[Original], Mapping[str, str | None]] | None = None


Reader = Callable[["Original", Facts], Iterator[Row | Ignored]]
"""Yields the rows of a file in the order of its text; raises Refused when the file as a whole is wrong."""


@dataclass(frozen=True, slots=True)
class Resaved:
    """What shows that a file was saved anew by a person's tool, and whether that destroyed something."""

    shown: str
    damaged: bool


def _nothing(_original: Original) -> None:
    """The answer of a feed that has none to a question."""
    return


@dataclass(frozen=True, slots=True)
class Remembers:
    """How long a service shows a day, in days (None: for ever, or its calendar year only), and how that is known.

    `lag` is by how many days the newest day shown lies behind today at least; `zone` the IANA name of the zone of its
    days (empty: not known); `absent_may_be_empty` says that days on which nothing happened are left out.
    """

    days: int | None
    evidence: str
    calendar_year: bool = False
    lag: int = 0
    zone: str = ""
    absent_may_be_empty: bool = False

    @property
    def words(self) -> str:
        """How long that is, in words."""
        if self.calendar_year:
            return "this calendar year"
        if self.days is None:
            return "everything"
        return "1 day" if self.days == 1 else f"{self.days:,} days"


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of file that a source delivers, as separate plain questions to a file.

    `knows`: is it mine; `exported_at`: what instant does it speak of; `account`: whose is it, where the file itself
    proves that; `census`: how many physical records has it by table, counted without `read` (None: the walk counts
    lines); `resaved`: how can one see that a spreadsheet re-saved it (None: it was not). `damaged`: identifiers that
    a spreadsheet turns into numbers, null in a re-saved file where that happened. `aged_by_receipt`: a file of the
    label's own that nothing dates speaks of the instant when the lake got it. `remembers`: how long the service shows
    these days, where that differs from its others.
    """

    name: str
    about: str
    tables: tuple[Table, ...]
    knows: Callable[[Original], bool]
    read: Delimited | Reader
    exported_at: Callable[[Original], Stamp | None]
    account: Callable[[Original], str | None] = _nothing
    census: Callable[[Original], Mapping[str, int]] | None = None
    resaved: Callable[[Original], Resaved | None] = _nothing
    damaged: tuple[str, ...] = ()
    aged_by_receipt: bool = False
    remembers: Remembers | None = None

    def table(self, name: str) -> Table:
        """The table of that name; KeyError when the feed does not fill it."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Source:
    """A service, or the label's own sheets. `private` tells why a file of it must not be kept at all."""

    name: str
    title: str
    feeds: tuple[Feed, ...]
    remembers: Remembers
    private: Callable[[Original], str | None] = _nothing


@lru_cache(maxsize=16_384)
def heading_key(heading: str) -> str:
    """A heading reduced to its letters and digits, lower case, so that spelling variants meet."""
    plain = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(char for char in plain if char.isalnum())


ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
"""The shape of an ISRC without dashes (ISO 3901)."""
