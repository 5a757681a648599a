"""Staging files made from plain rows, as the stage step writes them, for tests of what comes after it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from bedrot import sql
from bedrot.contract import Field, Grain, Kind, Merge, Partition, Table
from bedrot.walk.curate import Content, Held, TableCurated, curate_table

TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.DECIMAL: "DECIMAL(38,18)",
    Kind.MONEY: "DECIMAL(38,18)",
    Kind.DATE: "DATE",
    Kind.BOOLEAN: "BOOLEAN",
}
START = datetime(2025, 1, 1, tzinfo=UTC)

LINES = Table(
    name="lines",
    about="Line items.",
    fields=(
        Field("reporting_date", Kind.DATE, "Day."),
        Field("sale_month", Kind.TEXT, "Month."),
        Field("store", Kind.TEXT, "Store."),
        Field("country", Kind.TEXT, "Country."),
        Field("artist", Kind.TEXT, "Artist."),
        Field("title", Kind.TEXT, "Title."),
        Field("isrc", Kind.TEXT, "ISRC."),
        Field("upc", Kind.TEXT, "UPC."),
        Field("product", Kind.TEXT, "Song or Album."),
        Field("quantity", Kind.INTEGER, "Units."),
        Field("note", Kind.TEXT, "Neither key nor measure."),
        Field("earnings", Kind.MONEY, "Money."),
        Field("withheld", Kind.MONEY, "Money too; newer files only."),
    ),
    merge=Merge.LINES,
    key=("reporting_date", "sale_month", "store", "country", "artist", "title", "isrc", "upc", "product"),
    partition=Partition("reporting_date", Grain.MONTH),
    day="reporting_date",
    day_zone="UTC",
    identity=("store", "artist", "isrc", "upc", "title"),
    folded=("title", "artist"),
)

SERIES = Table(
    name="series",
    about="Days.",
    fields=(
        Field("date", Kind.DATE, "Day."),
        Field("store", Kind.TEXT, "Store."),
        Field("streams", Kind.INTEGER, "Streams."),
        Field("saves", Kind.INTEGER, "Saves."),
        Field("fees", Kind.MONEY, "Fees."),
        Field("provisional", Kind.BOOLEAN, "May change."),
    ),
    merge=Merge.SERIES,
    key=("date", "store"),
    partition=Partition("date", Grain.MONTH),
    day="date",
    day_zone="UTC",
    provisional="provisional",
)

WINDOWS = Table(
    name="windows",
    about="Answers.",
    fields=(
        Field("level", Kind.TEXT, "Level.", values=("ad", "campaign")),
        Field("entity", Kind.TEXT, "Thing."),
        Field("date_start", Kind.DATE, "First day."),
        Field("date_stop", Kind.DATE, "Last day."),
        Field("action", Kind.TEXT, "Action; null: asked, none."),
        Field("clicks", Kind.INTEGER, "Clicks."),
        Field("reach", Kind.INTEGER, "Reach."),
        Field("spend", Kind.MONEY, "Money."),
    ),
    merge=Merge.WINDOWS,
    key=("level", "entity", "date_start", "action"),
    scope=("level", "entity", "date_start"),
    partition=Partition("date_start", Grain.MONTH),
    day="date_start",
    day_zone="UTC",
)

SNAPSHOTS = Table(
    name="snapshots",
    about="Things as they were.",
    fields=(
        Field("seen_on", Kind.DATE, "Day."),
        Field("thing", Kind.TEXT, "Thing."),
        Field("state", Kind.TEXT, "State."),
        Field("size", Kind.INTEGER, "Size."),
    ),
    merge=Merge.SNAPSHOTS,
    key=("seen_on", "thing"),
    partition=Partition("seen_on", Grain.YEAR),
    day="seen_on",
    day_zone="UTC",
)


class Notes(dict[str, str]):
    """A memo."""

    def put(self, key: str, value: str) -> None:
        self[key] = value


class Forgetful:
    """A memo that never remembers."""

    def get(self, key: str) -> str | None:
        return None

    def put(self, key: str, value: str) -> None:
        pass


@dataclass(frozen=True)
class Delivered:
    """One delivery as plain rows; `day` is its age in days, `got` when the lake got it, in hours."""

    id: str
    rows: Sequence[Mapping[str, Any]]
    day: int
    got: int
    account: str = "main"
    original: bool = True

    @property
    def age(self) -> tuple[bool, datetime]:
        return (self.original, START + timedelta(days=self.day))


def partition_of(table: Table, row: Mapping[str, Any]) -> str:
    if table.partition.grain is Grain.ALL:
        return "all"
    day = row[table.partition.column]
    assert isinstance(day, date)
    return day.strftime("%Y-%m" if table.partition.grain is Grain.MONTH else "%Y")


def scale_of(table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    amounts = [row[one.name] for row in rows for one in table.money if row[one.name] is not None]
    return max((-int(one.as_tuple().exponent) for one in amounts), default=0)


@dataclass
class Place:
    """A folder with staging files and merged files, and an engine over it."""

    folder: Path
    table: Table
    con: duckdb.DuckDBPyConnection = field(default_factory=lambda: sql.connect(None, threads=1))
    _staged: dict[str, list[Content]] = field(default_factory=dict)

    def stage(self, one: Delivered) -> list[Content]:
        """Write the staging file of a delivery, once."""
        if one.id in self._staged:
            return self._staged[one.id]
        path = self.folder / f"{one.id}-0.parquet"
        rows: dict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
        for line, row in enumerate(one.rows, 1):
            rows[partition_of(self.table, row)].append((line, row))
        names = [field.name for field in self.table.fields]
        listed = [
            (one.account, *(row[name] for name in names), one.id, line, f"line {line}", partition)
            for partition in sorted(rows)
            for line, row in rows[partition]
        ]
        types = [
            "VARCHAR",
            *(TYPES[field.kind] for field in self.table.fields),
            "VARCHAR",
            "BIGINT",
            "VARCHAR",
            "VARCHAR",
        ]
        columns = ["account", *names, "_delivery", "_line", "_locator", "_partition"]
        cast = ", ".join(f"CAST(c{i} AS {kind}) AS {sql.name(columns[i])}" for i, kind in enumerate(types))
        values = ", ".join("(" + ", ".join(map(sql.literal, row)) + ")" for row in listed)
        aliases = ", ".join(f"c{i}" for i in range(len(columns)))
        if listed:
            self.con.execute(
                f"COPY (SELECT {cast} FROM (VALUES {values}) t({aliases})) TO {sql.text(path.as_posix())}"
                " (FORMAT parquet)"
            )
        self._staged[one.id] = [
            Content(one.id, one.account, *one.age, START + timedelta(hours=one.got), partition, len(mine),
                    digest(names, [row for _, row in mine]), path, scale_of(self.table, one.rows))
            for partition, mine in rows.items()
        ]  # fmt: skip
        return self._staged[one.id]

    def curate(
        self,
        deliveries: Sequence[Delivered],
        memo: Any = None,
        approved: Callable[[str], bool] = lambda _: False,
        merged: str = "merged",
    ) -> TableCurated:
        """Stage and curate."""
        contents = [content for one in deliveries for content in self.stage(one)]
        folder = self.folder / merged
        folder.mkdir(exist_ok=True)
        notes = Forgetful() if memo is None else memo
        return curate_table(self.con, self.table, contents, approved, notes, lambda key: folder / f"{key}.parquet")

    def rows(self, curated: TableCurated) -> list[tuple[Any, ...]]:
        """All rows of all states: content columns, _delivery, _line, _lacking; sorted."""
        soft = self.table.provisional
        names = ", ".join(
            f"coalesce({sql.name(one)}, FALSE)" if one == soft else sql.name(one)
            for one in (*self.table.columns, "_delivery", "_line")
        )
        found: list[tuple[Any, ...]] = []
        for state in curated.states.values():
            count = len(found)
            files = [f"read_parquet({sql.text(piece.path.as_posix())})" for piece in state.pieces]
            for piece, file in zip(state.pieces, files, strict=True):
                mine = len(found)
                if piece.partition is None:
                    query = f"SELECT {names}, _lacking FROM {file}"
                elif file is files[-1] and len(files) > 1:
                    query = f"SELECT {names}, _lacking FROM {file} WHERE _partition = {sql.text(piece.partition)}"
                else:
                    marks = files[1] if len(files) > 1 else "(SELECT [0] AS _marked, '' AS _lacking, 0 AS _partition)"
                    query = (
                        f"SELECT {names}, (SELECT m._lacking FROM {marks} m WHERE m._partition IS NULL"
                        f" AND list_contains(m._marked, t._line)) FROM {file} t"
                        f" WHERE _partition = {sql.text(piece.partition)}"
                    )
                found += self.con.execute(query).fetchall()
                assert len(found) - mine == piece.rows, piece
            assert len(found) - count == state.rows, state
        return ordered(found)


def kinds_of(held: Sequence[Held]) -> Counter[str]:
    """How many things are held by kind; one key that several files of one age contradict is one thing."""
    assert len({one.id for one in held}) == len(held)
    return Counter(kind for _, _, kind, _ in {(one.account, one.partition, one.kind, one.what) for one in held})


def ordered(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [(one is None, str(_plain(one))) for one in row])


def digest(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    texts = sorted(repr([_plain(row[name]) for name in names]) for row in rows)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
