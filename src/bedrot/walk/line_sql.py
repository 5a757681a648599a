"""The shape of a table of line items, and the SQL that reads its rows with their identities made comparable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bedrot import sql
from bedrot.contract import Kind, Table
from bedrot.walk.curated_values import Content, Piece

ROW_COLUMNS = ("_delivery", "_line", "_locator", "_partition", "_scale", "_lacking")
# The standard numbers of a recording (ISO 3901) and of a release (GS1): what a blank beside them is told apart by.
NUMBERS = ("isrc", "upc")
# Amounts with fewer decimals have lost their zeros: 2 is no coarse way to write 1.5.
FEWEST_DECIMALS = 2


@dataclass(frozen=True)
class LineShape:
    """What the fold of line items must know of a table; column names here are not quoted yet."""

    table: Table

    @cached_property
    def content(self) -> tuple[str, ...]:
        """All content columns, `account` first."""
        return self.table.columns

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The columns of a merged file."""
        return (*self.content, *ROW_COLUMNS)

    @cached_property
    def day(self) -> str:
        """The column whose values a delivery covers."""
        return self.table.day or self.table.partition.column

    @cached_property
    def match(self) -> tuple[str, ...]:
        """The columns that two lines of one key have equal, within an account."""
        return ("_partition", *(self.compared(column) for column in self.table.key))

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The counts of a line."""
        return self._measures(Kind.INTEGER)

    @cached_property
    def money(self) -> tuple[str, ...]:
        """The amounts of a line."""
        return self._measures(Kind.MONEY)

    @cached_property
    def measures(self) -> tuple[str, ...]:
        """Counts, then amounts."""
        return (*self.units, *self.money)

    def compared(self, column: str) -> str:
        """The column that stands for a key column in comparisons."""
        return f"k_{column}" if self._normalised(column) else column

    def without(self, column: str) -> tuple[str, ...]:
        """`match` without one key column."""
        return tuple(name for name in self.match if name != self.compared(column))

    def neighbours(self, column: str) -> tuple[str, ...]:
        """The identity columns that tell the blanks of `column` apart, the best first."""
        numbers = [name for name in NUMBERS if name in self.table.identity]
        names = [name for name in reversed(self.table.identity) if name not in NUMBERS]
        return tuple(name for name in (*numbers, *names) if name != column)

    def value(self, column: str, row: str) -> str:
        """SQL of an identity value as text: `=X`, or for a blank `~isrc=X`: a value of its own per neighbour."""
        own = f"{row}.{sql.name(self.compared(column))}"
        cases = [f"WHEN {own} IS NOT NULL THEN '=' || {own}"]
        for other in self.neighbours(column):
            near = f"{row}.{sql.name(self.compared(other))}"
            cases.append(f"WHEN {near} IS NOT NULL THEN {sql.text(f'~{other}=')} || {near}")
        return f"CASE {' '.join(cases)} ELSE '~' END"

    def normal(self) -> list[str]:
        """SQL of the columns that `compared` names, from content columns."""
        return [
            f"{_folded(column, fully=column in self.table.folded)} AS {sql.name(f'k_{column}')}"
            for column in self.table.key
            if self._normalised(column)
        ]

    def _normalised(self, column: str) -> bool:
        """Whether a key column is compared in a normal form of its text, which aliases may change."""
        return column in self.table.identity or column in self.table.folded

    def _measures(self, kind: Kind) -> tuple[str, ...]:
        """Names of the fields of a kind that do not belong to the key."""
        return tuple(one.name for one in self.table.fields if one.kind is kind and one.name not in self.table.key)


def _folded(column: str, *, fully: bool) -> str:
    """SQL of a text without its outer spaces, null where blank; `fully`: without regard to case and inner spaces."""
    plain = sql.name(column)
    if fully:
        # The pattern costs more than all else here, and few texts need it.
        uneven = " OR ".join(f"contains({plain}, {one})" for one in ("'  '", "chr(9)", "chr(10)", "chr(12)", "chr(13)"))
        even = f"CASE WHEN {uneven} THEN regexp_replace({plain}, '\\s+', ' ', 'g') ELSE {plain} END"
        plain = f"lower(nfc_normalize({even}))"
    return f"nullif(trim({plain}), '')"


def same(columns: Iterable[str], left: str, right: str) -> str:
    """SQL: two rows have equal values, or none, in all columns."""
    return " AND ".join(f"{left}.{sql.name(one)} IS NOT DISTINCT FROM {right}.{sql.name(one)}" for one in columns)


def unit(scale: str, scales: Sequence[int]) -> str:
    """SQL of one unit of the last decimal at a scale."""
    cases = " ".join(f"WHEN {one} THEN CAST('{_decimal(one)}' AS DECIMAL(38,18))" for one in scales)
    return f"CASE {scale} {cases} END"


def rounded(value: str, scale: str, scales: Sequence[int]) -> str:
    """SQL of an amount rounded half away from zero at a scale, exactly."""
    cases = " ".join(f"WHEN {one} THEN CAST(round({value}, {one}) AS DECIMAL(38,18))" for one in scales if one < 18)
    return f"CASE {scale} {cases} ELSE {value} END" if cases else value


def _decimal(scale: int) -> str:
    """The smallest number above zero with that many decimals."""
    return f"0.{'0' * (scale - 1)}1" if scale else "1"


def of_slice(shape: LineShape, path: Path, partitions: Sequence[str], scale: int) -> str:
    """SQL that reads partitions of a staging file with the columns of a merged file."""
    decimals = max(scale, FEWEST_DECIMALS)
    return (
        f"SELECT {sql.names(shape.stored[:-2])}, CAST({decimals} AS TINYINT) AS _scale,"
        " CAST(NULL AS VARCHAR) AS _lacking"
        f" FROM read_parquet({sql.text(path.as_posix())}) WHERE _partition IN ({texts(partitions)})"
    )


def of_contents(shape: LineShape, contents: Iterable[Content]) -> list[str]:
    """SQL that reads contents, one for each file, with the columns of a merged file."""
    files: dict[tuple[Path, int], list[str]] = defaultdict(list)
    for one in contents:
        files[one.path, one.scale].append(one.partition)
    return [of_slice(shape, path, partitions, scale) for (path, scale), partitions in files.items()]


def of_patched(shape: LineShape, piece: Piece, scale: int, patch: Piece) -> str:
    """SQL that reads a partition of a staging file and the patch of it, with the columns of a merged file."""
    told, file = piece.partition or "", f"read_parquet({sql.text(patch.path.as_posix())})"
    return (
        f"SELECT t.* REPLACE (m._lacking AS _lacking) FROM ({of_slice(shape, piece.path, [told], scale)}) t"
        f" LEFT JOIN (SELECT unnest(_marked) AS _line, _lacking FROM {file} WHERE _partition IS NULL) m"
        " ON m._line = t._line"
        f" UNION ALL SELECT {sql.names(shape.stored)} FROM {file} WHERE _partition = {sql.text(told)}"
    )


def patch_rows(shape: LineShape, rows: str, delivery: str) -> str:
    """SQL of what a patch holds: `rows` that are not of the slice's delivery; of those that are, the marks alone.

    Marks are rows without a partition, so that whoever reads the lines of a partition does not see them: one for each
    delivery that lacks lines, which are numbered in `_marked`.
    """
    own = f"_delivery = {sql.text(delivery)}"
    return (
        f"(SELECT {sql.names(shape.stored)}, CAST(NULL AS BIGINT[]) AS _marked FROM {rows} AND NOT {own}"
        " UNION ALL BY NAME SELECT _lacking, list(_line ORDER BY _line) AS _marked"
        f" FROM {rows} AND {own} AND _lacking IS NOT NULL GROUP BY _lacking)"
    )


def of_merged(shape: LineShape, paths: Sequence[Path]) -> str:
    """SQL that reads whole merged files."""
    return f"SELECT {sql.names(shape.stored)} FROM read_parquet({sql.files(paths)})"


def of_table(shape: LineShape, table: str, partitions: Sequence[str]) -> str:
    """SQL that reads partitions of a table that has the columns of a merged file."""
    return f"SELECT {sql.names(shape.stored)} FROM {table} WHERE _partition IN ({texts(partitions)})"


def texts(values: Iterable[str]) -> str:
    """Text literals joined by commas, for IN."""
    return ", ".join(sql.text(value) for value in values)
