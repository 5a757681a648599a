"""The marts over small staging files of an invented source: what each says, and that only news is computed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bedrot import sql
from bedrot.contract import Feed, Field, Grain, Kind, Merge, Partition, Remembers, Source, Table
from bedrot.errors import Defect, Misconfigured
from bedrot.lake.snapshot import Part, Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.marts import plan
from bedrot.marts.header import FOLDER, load_marts, parse_mart
from bedrot.marts.interfaces import INTERFACES
from bedrot.marts.parts import staging_columns
from bedrot.marts.settings import macros
from bedrot.walk.marts import ArtistRule, MartSettings, build_marts

KINDS = {"VARCHAR": Kind.TEXT, "BIGINT": Kind.INTEGER, "DATE": Kind.DATE, "BOOLEAN": Kind.BOOLEAN}
LINEAGE = ("_delivery", "_locator")


def table_of(view: str, source: str) -> Table:
    """A staging table with the columns of an interface."""
    fields = tuple(
        Field(name, KINDS.get(kind, Kind.MONEY), name)
        for name, kind in INTERFACES[view]
        if name != "account" and name not in LINEAGE
    )
    return Table(f"{source}_{view}", view, fields, Merge.SERIES, (), Partition("all", Grain.ALL), "", "UTC")


def source_of(name: str, views: Iterable[str]) -> Source:
    """An invented source that fills one staging table for each interface."""
    tables = tuple(table_of(view, name) for view in views)
    feed = Feed(f"{name}.all", "all", tables, lambda _: False, lambda *_: iter(()), lambda _: None)
    return Source(name, name, (feed,), Remembers(None, "invented"))


@dataclass
class Home:
    """A lake, sources with their fragments, and the staging tables as they are now."""

    root: Path
    sources: list[Source]
    lake: Lake = field(init=False)
    staging: dict[str, TableState] = field(default_factory=dict)
    settings: MartSettings = field(default_factory=MartSettings)
    previous: Snapshot | None = None
    threads: int = 2
    workers: int = 2
    files: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.root / "lake")
        for source in self.sources:
            folder = self.root / "sources" / source.name
            folder.mkdir(parents=True)
            for table in source.feeds[0].tables:
                view = table.name.removeprefix(source.name + "_")
                file = "names" if view == "names_shown" else view
                columns = sql.names(name for name, _ in INTERFACES[view])
                (folder / f"{file}.sql").write_text(f"SELECT {columns} FROM staging.{table.name}", encoding="utf-8")

    def put(self, table: str, rows: Sequence[Mapping[str, Any]], *, merged: bool = False) -> None:
        """Write a staging file; a row says its `_partition` (else `all`). Slices of it replace those partitions."""
        columns = staging_columns(self.sources)[table]
        if merged:
            columns = [*columns, ("_scale", "TINYINT"), ("_lacking", "VARCHAR")]
        number = next(self.files)
        filled = [
            {"account": "main", "_delivery": f"d{number}", "_line": i, "_locator": f"line {i}", "_partition": "all"}
            | row
            for i, row in enumerate(rows, 1)
        ]
        values = ", ".join(
            "(" + ", ".join(f"CAST({sql.literal(row.get(name))} AS {kind})" for name, kind in columns) + ")"
            for row in filled
        )
        path = self.lake.staged_path(table, f"d{number}", "f")
        path.parent.mkdir(parents=True, exist_ok=True)
        with sql.connect(None) as con:
            order = "" if merged else "ORDER BY _partition, _line"
            con.execute(
                f"COPY (SELECT * FROM (VALUES {values}) AS v({sql.names(name for name, _ in columns)}) {order})"
                f" TO {sql.text(path.as_posix())} (FORMAT parquet)"
            )
        old = self.staging[table].parts if table in self.staging else []
        new: dict[str, Part] = {part.partition: part for part in old}
        for account, partition in sorted({(row["account"], row["_partition"]) for row in filled}):
            count = sum((row["account"], row["_partition"]) == (account, partition) for row in filled)
            name = f"{account}/{partition}"
            slice_ = None if merged else partition
            new[name] = Part(name, self.lake.relative(path), count, f"sha-of-{path.name}", "k", slice_)
        self.staging[table] = TableState(f"staging.{table}", columns, [new[one] for one in sorted(new)], "d")

    def drop(self, table: str, partition: str) -> None:
        """Take a partition away."""
        state = self.staging[table]
        self.staging[table] = replace(state, parts=[one for one in state.parts if one.partition != partition])

    def build(self, *, keep: bool = True) -> dict[str, TableState]:
        """The marts, beside those built before (`keep`) or anew."""
        states = build_marts(
            self.lake,
            self.previous if keep else None,
            self.staging,
            self.sources,
            self.settings,
            lambda: sql.connect(None, threads=self.threads),
            self.workers,
            folders={source.name: self.root / "sources" / source.name for source in self.sources},
        )
        self.previous = Snapshot(1, 0, states, {}, datetime(2025, 1, 1, tzinfo=UTC))
        return states

    def rows(self, states: Mapping[str, TableState], mart: str, columns: str = "*", where: str = "true") -> list[Any]:
        """Rows of a built mart, sorted."""
        paths = [self.lake.absolute(part.path) for part in states[mart].parts]
        if not paths:
            return []
        with sql.connect(None) as con:
            query = f"SELECT {columns} FROM read_parquet({sql.files(paths)}) WHERE {where} ORDER BY ALL"
            return con.execute(query).fetchall()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    views = [*INTERFACES]
    return Home(tmp_path, [source_of("alpha", views), source_of("beta", ["lines", "streams"])])


def line(month: str = "2025-03", **more: Any) -> dict[str, Any]:
    """A line item of a reporting month."""
    year, number = map(int, month.split("-"))
    sold = date(year - (number < 3), (number - 3) % 12 + 1, 1)
    return {
        "reporting_date": date(year, number, 15),
        "sale_month": sold,
        "store": "Spotify",
        "country": "US",
        "artist": "Nova",
        "title": "Glow",
        "isrc": "QZABC2400001",
        "upc": "012345678905",
        "product": "Song",
        "quantity": 10,
        "share_percent": Decimal(100),
        "earnings": Decimal("0.04"),
        "currency": "USD",
        "_partition": month,
    } | more


def many_lines(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Line items over several months, stores, titles and signs."""
    chance = random.Random(seed)  # noqa: S311
    return [
        line(
            f"2025-{chance.randrange(1, 7):02d}",
            store=chance.choice(["Spotify", "YouTube (Ads)", "Some New Shop"]),
            country=chance.choice(["US", "NA", "OU", None]),
            title=chance.choice(["Glow", "GLOW", "Dusk"]),
            isrc=chance.choice(["QZABC2400001", "QZABC2400002", None]),
            quantity=chance.choice([0, 1, 7, 1000]),
            share_percent=chance.choice([Decimal(100), Decimal("33.3333"), None]),
            earnings=Decimal(chance.randrange(-(10**12), 10**13)).scaleb(-12),
        )
        for _ in range(count)
    ]


# Headers.


def test_each_header_says_what_its_sql_gives(home: Home) -> None:
    states = home.build()
    marts = load_marts({"streams": ["alpha", "beta"], "ads": ["alpha"], "social": ["alpha"], "links": ["alpha"]})
    assert {mart.name for mart in marts} == set(states) == {path.stem for path in FOLDER.glob("*.sql")}
    for mart in marts:
        # build() itself compares the header with DESCRIBE of the SQL, and fails where they differ (see the next test).
        assert list(states[mart.name].columns) == [(column.name, column.type) for column in mart.columns]
        assert all(column.about.endswith(".") for column in mart.columns)
        assert mart.about.endswith(".")


def test_files_have_the_columns_of_the_header(home: Home) -> None:
    for view in INTERFACES:
        day = {"reporting_date": date(2025, 1, 1), "date": date(2025, 1, 1), "day": date(2025, 1, 1)}
        names = {name for name, _ in INTERFACES[view]}
        home.put(f"alpha_{view}", [{key: value for key, value in day.items() if key in names} | {"_partition": "2025"}])
    home.settings = MartSettings([ArtistRule("Nova", accounts=("alpha/main",))])
    states = home.build()
    with sql.connect(None) as con:
        for name, state in states.items():
            for part in state.parts:
                path = sql.text(home.lake.absolute(part.path).as_posix())
                got = con.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()
                assert [(row[0], row[1]) for row in got] == list(state.columns), name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("/* mart", "/* mar"), "has no header"),
        (('row = "', "row = "), "is not TOML"),
        (('row = "', 'rows = "'), "lacks or misspells 'row'"),
        (('key = ["isrc", "upc"]', 'key = ["isrc", "ean"]'), "names columns that it lacks"),
        (('partition = "whole"', 'partition = "weekly"'), "unknown partition 'weekly'"),
        (('partition = "whole"', 'partition = "aligned"'), "must read exactly one table"),
        (("trace = [", "untold = ["), "no way from a row to its line"),
        (("GROUP BY isrc, upc", "GROUP isrc, upc"), "cannot be read"),
    ],
)
def test_a_wrong_header_is_named(change: tuple[str, str], sentence: str) -> None:
    text = (FOLDER / "recordings_releases.sql").read_text(encoding="utf-8")
    assert change[0] in text
    with duckdb.connect() as con:
        con.execute(macros())
        assert parse_mart("fine", text, {}, con).inputs == ("catalogue", "names", "names_shown")
        with pytest.raises(Defect, match=sentence):
            parse_mart("wrong", text.replace(*change), {}, con)


def test_a_mart_that_reads_nothing_known_is_named(tmp_path: Path) -> None:
    text = (FOLDER / "recordings_releases.sql").read_text(encoding="utf-8")
    (tmp_path / "lonely.sql").write_text(text, encoding="utf-8")
    with pytest.raises(Defect, match=r"lonely.*names"):
        load_marts({}, tmp_path)


def test_header_and_sql_that_differ_are_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(offered: Mapping[str, Sequence[str]]) -> Any:
        marts = load_marts(offered)
        return [replace(one, sql=one.sql.replace("AS streams_alpha", "AS plays_alpha")) for one in marts]

    monkeypatch.setattr("bedrot.walk.marts.load_marts", wrong)
    with pytest.raises(Defect, match=r"artist_daily and its SQL differ.*plays_alpha"):
        home.build()


# Fragments.


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        ("SELECT * EXCLUDE (store) FROM ({0})", "alpha/lines.sql lacks the column store"),
        ("SELECT *, 1 AS more FROM ({0})", "gives the column more, which lines does not have"),
        ("SELECT * REPLACE (CAST(earnings AS DOUBLE) AS earnings) FROM ({0})", "earnings as DOUBLE"),
        ("SELECT * REPLACE (CAST(earnings AS DECIMAL(18,2)) AS earnings) FROM ({0})", r"earnings as DECIMAL\(18,2\)"),
        ("SELECT * REPLACE (CAST(upc AS BIGINT) AS upc) FROM ({0})", "upc as BIGINT"),
        ("SELECT nothing FROM staging.alpha_lines", "does not fit its staging tables"),
        ("SELECT * FROM staging.gamma_lines", "reads staging.gamma_lines, which no source fills"),
        ("{0} UNION ALL SELECT * FROM staging.alpha_streams", "exactly one staging table"),
    ],
)
def test_a_wrong_fragment_is_named_with_its_column(home: Home, select: str, sentence: str) -> None:
    path = home.root / "sources" / "alpha" / "lines.sql"
    text = path.read_text(encoding="utf-8")
    home.put("alpha_lines", [line()])
    home.build()
    wrong = select.format(text)
    if "UNION ALL" in wrong:
        columns = ", ".join(f"CAST(NULL AS {kind})" for _, kind in INTERFACES["lines"])
        wrong = wrong.replace("SELECT * FROM staging.alpha_streams", f"SELECT {columns} FROM staging.alpha_streams")
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(Defect, match=sentence):
        home.build()


def test_whole_numbers_and_null_are_taken_where_nothing_is_lost(home: Home) -> None:
    path = home.root / "sources" / "alpha" / "lines.sql"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"SELECT * REPLACE (100 AS share_percent, NULL AS recoup) FROM ({text})", encoding="utf-8")
    home.put("alpha_lines", [line(share_percent=None)])
    assert home.rows(home.build(), "royalties", "share_percent, units_share, recoup") == [
        (Decimal(100), Decimal(10), None)
    ]


# Royalties.


def test_kinds_units_and_shares(home: Home) -> None:
    home.put(
        "alpha_lines",
        [
            line(quantity=10, earnings=Decimal("0.04"), share_percent=Decimal(30)),
            line(quantity=9, earnings=Decimal("-0.01")),
            line(quantity=-2, earnings=Decimal("-1.4")),
            line(quantity=0, earnings=Decimal("-0.5")),
            line(quantity=0, earnings=Decimal("0.0001"), share_percent=None),
            line(quantity=7, earnings=Decimal(0), share_percent=Decimal("33.3333")),
            line(quantity=5, earnings=Decimal(1), store="YouTube (Red)"),
            line(quantity=5, earnings=Decimal(1), store="Luna"),
            line(quantity=5, earnings=Decimal(1), store="Never Heard Of"),
        ],
    )
    got = home.rows(
        home.build(),
        "royalties",
        "_locator, kind, units, deducted_units, units_share, earnings, store_group",
    )
    assert got == [
        ("line 1", "sale", 10, 0, Decimal(3), Decimal("0.04"), "Spotify"),
        ("line 2", "deduction", 0, 9, Decimal(0), Decimal("-0.01"), "Spotify"),
        ("line 3", "return", -2, 0, Decimal(-2), Decimal("-1.4"), "Spotify"),
        ("line 4", "adjustment", 0, 0, Decimal(0), Decimal("-0.5"), "Spotify"),
        ("line 5", "sale", 0, 0, None, Decimal("0.0001"), "Spotify"),
        ("line 6", "sale", 7, 0, Decimal("2.333331"), Decimal(0), "Spotify"),
        ("line 7", "sale", 5, 0, Decimal(5), Decimal(1), "YouTube"),
        ("line 8", "sale", 5, 0, Decimal(5), Decimal(1), "Luna"),
        ("line 9", "sale", 5, 0, Decimal(5), Decimal(1), "Never Heard Of"),
    ]


def test_money_is_exact_to_the_last_decimal_where_floats_are_not(home: Home) -> None:
    amounts = [Decimal("1e-18"), Decimal("12345678901234.123456789012345678"), Decimal("-0.1"), Decimal("0.3")] * 3
    rows = [line(earnings=one, quantity=1) for one in amounts]
    home.put("alpha_lines", rows)
    states = home.build()
    with localcontext(prec=60):
        [(told,)] = home.rows(states, "royalties_monthly", "sum(earnings)")
        assert told == sum(amounts)
        assert float(told) != told  # a float could not hold it: the planted wrong type would show here


def test_monthly_sums_equal_an_independent_sum(home: Home) -> None:
    rows = many_lines(400)
    home.put("alpha_lines", rows)
    home.put("beta_lines", many_lines(50, seed=2))
    states = home.build()
    expected: dict[tuple[Any, ...], tuple[int, Decimal]] = {}
    for row in rows:
        kind = "sale" if row["earnings"] >= 0 else "deduction" if row["quantity"] > 0 else "adjustment"
        recording = row["isrc"] or f"upc {row['upc']} {row['title'].lower()}"
        key = (row["sale_month"], recording, row["store"], row["country"] or "", kind)
        units, money = expected.get(key, (0, Decimal(0)))
        expected[key] = (units + (row["quantity"] if kind == "sale" else 0), money + row["earnings"])
    got = home.rows(
        states,
        "royalties_monthly",
        "sale_month, recording, store, coalesce(country, ''), kind, units, earnings",
        "source = 'alpha'",
    )
    assert got == sorted((*key, *value) for key, value in expected.items())
    assert {part.partition for part in states["royalties_monthly"].parts} == {str(key[0].year) for key in expected}


def test_an_unknown_share_or_quantity_makes_the_sum_unknown(home: Home) -> None:
    home.put("alpha_lines", [line(), line(share_percent=None), line(quantity=None, country="DE")])
    got = home.rows(home.build(), "royalties_monthly", "country, units, units_share, rate_per_1000")
    assert got == [("DE", None, None, None), ("US", 20, None, Decimal(4))]


def rate(money: Decimal, units: int) -> Decimal:
    """The rate as a person would round it."""
    with localcontext(prec=80):
        return (money * 1000 / units).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def test_rates_are_rounded_as_decimals_and_not_as_doubles() -> None:
    chance = random.Random(7)  # noqa: S311
    cases = [(Decimal(n).scaleb(-18), u) for n, u in [(10**9 // 2, 1), (-(10**9) // 2, 1), (10**9 // 2 - 1, 1), (1, 3)]]
    cases += [
        (Decimal(chance.randrange(-(10**33), 10**33)).scaleb(-18), chance.randrange(1, 10**9)) for _ in range(500)
    ]
    # Exact halves in the seventh decimal: the quotients on which doubles go wrong.
    cases += [((Decimal(2 * chance.randrange(10**12) + 1).scaleb(-7) * u / 1000), u) for u in (1, 2, 4, 5, 8, 125) * 40]
    values = ", ".join(f"({sql.literal(money)}, CAST({units} AS BIGINT))" for money, units in cases)
    with duckdb.connect() as con:
        con.execute(macros())
        got = con.execute(
            "SELECT money, units, per_thousand(whole(money), units),"
            " CAST(round(CAST(money AS DOUBLE) * 1000 / units, 6) AS DECIMAL(38,6))"
            f" FROM (VALUES {values}) AS v(money, units)"
        ).fetchall()
        assert con.execute("SELECT per_thousand(whole(1), 0), ratio(1, 0), ratio(1, NULL)").fetchall() == [
            (None, None, None)
        ]
        assert con.execute("SELECT ratio(1, 3), ratio(-1, 8), ratio(2, 3), ratio(1, 2000000)").fetchall() == [
            (Decimal("0.333333"), Decimal("-0.125"), Decimal("0.666667"), Decimal("0.000001"))
        ]
    assert [told for _, _, told, _ in got] == [rate(money, units) for money, units, _, _ in got]
    assert any(told != double for _, _, told, double in got)  # doubles, the planted wrong way, do differ


# Only news.


def test_nothing_new_keeps_every_state_and_starts_no_engine(home: Home) -> None:
    home.put("alpha_lines", many_lines(50))
    first = home.build()

    def no_engine() -> duckdb.DuckDBPyConnection:
        raise AssertionError

    again = build_marts(
        home.lake,
        home.previous,
        home.staging,
        home.sources,
        home.settings,
        no_engine,
        2,
        folders={one.name: home.root / "sources" / one.name for one in home.sources},
    )
    # Tables without a row have nothing to keep and nothing to compute.
    assert again == first


def test_untouched_partitions_keep_their_file_and_incremental_equals_full(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "TOGETHER", 0)
    home.put("alpha_lines", many_lines(300))
    home.put("beta_lines", many_lines(40, seed=3))
    before = home.build()
    home.put("alpha_lines", [line("2025-04", earnings=Decimal(9)), line("2025-04", title="Late", isrc="QZABC2400009")])
    home.put("alpha_lines", [line("2025-08")])
    home.drop("alpha_lines", "main/2025-01")
    after = home.build()
    full = home.build(keep=False)
    assert after == full
    old = {part.partition: part for part in before["royalties"].parts}
    new = {part.partition: part for part in after["royalties"].parts}
    assert "alpha/main/2025-01" in old
    assert "alpha/main/2025-01" not in new
    moved = {name for name in new if new[name] != old.get(name)}
    assert moved == {"alpha/main/2025-04", "alpha/main/2025-08"}
    months = {part.partition: part for part in before["royalties_monthly"].parts}
    changed = {one.partition for one in after["royalties_monthly"].parts if one != months.get(one.partition)}
    # 2025-04 tells of sales in February, 2025-08 of June; 2025-01, which went, told of November as beta still does.
    assert changed == {"2025-02-01", "2025-06-01", "2024-11-01"}
    assert len(months) == 6
    assert home.rows(after, "royalties_monthly", "DISTINCT source", "sale_month = DATE '2024-11-01'") == [("beta",)]
    assert home.rows(after, "royalties") == home.rows(full, "royalties")


def test_small_months_are_one_file_a_year_and_large_ones_stand_alone(home: Home) -> None:
    few = [line("2023-11"), line("2023-12"), line("2024-01")]
    home.put("alpha_lines", few)
    before = {part.partition: part for part in home.build()["royalties"].parts}
    assert set(before) == {"alpha/main/2023", "alpha/main/2024"}
    home.put("alpha_lines", [line("2024-02", title=f"T{n}") for n in range(5)])
    states = home.build()
    after = {part.partition: part for part in states["royalties"].parts}
    assert after["alpha/main/2023"] == before["alpha/main/2023"]
    assert after["alpha/main/2024"].rows == 6
    assert {part.partition for part in states["names"].parts} == set(after)


def test_a_year_that_grows_is_parted_into_its_months(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TOGETHER", 4)
    home.put("alpha_lines", [line("2024-01"), line("2024-02")])
    small = home.build()
    home.put("alpha_lines", [line("2024-03", title=f"T{n}") for n in range(3)])
    large = home.build()
    assert [part.partition for part in small["royalties"].parts] == ["alpha/main/2024"]
    assert [part.partition for part in large["royalties"].parts] == [f"alpha/main/2024-0{n}" for n in (1, 2, 3)]
    assert home.rows(large, "royalties", "count(*), sum(earnings)") == [(5, 5 * line("2024-01")["earnings"])]
    assert large == home.build(keep=False)


@pytest.mark.parametrize("together", [0, 30, plan.TOGETHER])
@pytest.mark.parametrize("seed", range(3))
def test_any_history_of_changes_ends_as_one_build(
    home: Home, seed: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "TOGETHER", together)
    chance = random.Random(seed)  # noqa: S311
    for step in range(4):
        home.put(
            f"{chance.choice(['alpha', 'beta'])}_lines", many_lines(chance.randrange(1, 40), seed=seed * 10 + step)
        )
        if chance.random() < 0.5:
            home.put("alpha_streams", [{"date": date(2025, 1, step + 1), "store": "Spotify", "streams": step}])
        if chance.random() < 0.3:
            home.settings = MartSettings([ArtistRule("Nova", ("NOVA  X",), ("alpha/main",))], digest=str(step))
        states = home.build()
    assert states == home.build(keep=False)


def test_row_order_does_not_matter(home: Home, tmp_path: Path) -> None:
    rows = [row | {"_locator": f"line {i}", "_delivery": "d"} for i, row in enumerate(many_lines(200))]
    shuffled = rows.copy()
    random.Random(5).shuffle(shuffled)  # noqa: S311
    other = Home(tmp_path / "other", home.sources)
    home.put("alpha_lines", rows)
    other.put("alpha_lines", shuffled)
    one, two = home.build(), other.build()
    for mart in one:
        assert home.rows(one, mart) == other.rows(two, mart), mart
    # Sorted marts are the same bytes; royalties lies in the order of its input.
    for mart in set(one) - {"royalties"}:
        assert [part.sha256 for part in one[mart].parts] == [part.sha256 for part in two[mart].parts], mart


def test_files_are_the_same_bytes_with_any_number_of_threads(home: Home) -> None:
    big = [line("2025-03", earnings=Decimal(n).scaleb(-6), title=f"T{n % 97}") for n in range(1000)]
    home.put("alpha_lines", [*many_lines(60), *big])
    hashes = []
    for home.threads, home.workers in ((1, 1), (2, 2), (4, 3)):
        states = home.build(keep=False)
        hashes.append({(name, part.partition): part.sha256 for name, state in states.items() for part in state.parts})
    assert all(one == hashes[0] for one in hashes)


def test_large_partitions_keep_the_order_of_their_input(home: Home) -> None:
    columns = staging_columns(home.sources)["alpha_lines"]
    known = {
        "account": "'main'",
        "reporting_date": "DATE '2025-03-15'",
        "sale_month": "DATE '2025-01-01'",
        "earnings": "n * 0.000001",
        "quantity": "n % 5",
        "share_percent": "100",
        "_delivery": "'d1'",
        "_line": "n",
        "_locator": "concat('line ', n)",
        "_partition": "'2025-03'",
    }
    select = ", ".join(f"CAST({known.get(name, 'NULL')} AS {kind}) AS {sql.name(name)}" for name, kind in columns)
    path = home.lake.staged_path("alpha_lines", "d1", "f")
    path.parent.mkdir(parents=True)
    with sql.connect(None) as con:
        con.execute(
            f"COPY (SELECT {select} FROM range(400000) AS r(n)) TO {sql.text(path.as_posix())} (FORMAT parquet)"
        )
    part = Part("main/2025-03", home.lake.relative(path), 400000, "s", "k", "2025-03")
    home.staging["alpha_lines"] = TableState("staging.alpha_lines", columns, [part], "d")
    hashes = set()
    for home.threads, home.workers in ((1, 1), (2, 2), (4, 2)):
        states = home.build(keep=False)
        [made] = states["royalties"].parts
        hashes.add(tuple(part.sha256 for state in states.values() for part in state.parts))
    assert len(hashes) == 1
    with sql.connect(None) as con:
        out = sql.text(home.lake.absolute(made.path).as_posix())
        rows = f"read_parquet({out}, file_row_number = true)"
        moved = con.execute(
            f"SELECT count(*) FROM {rows} WHERE _locator <> concat('line ', file_row_number)"
        ).fetchall()
        assert moved == [(0,)]


def test_merged_files_and_slices_of_one_table_meet(home: Home) -> None:
    home.put("alpha_lines", [line("2025-01", title="Kept"), line("2025-02", title="Old")])
    home.put("alpha_lines", [line("2025-02", title="Merged", _lacking="d9")], merged=True)
    assert home.rows(home.build(), "royalties", "title") == [("Kept",), ("Merged",)]
    home.put("alpha_streams", [{"date": date(2024, 1, 1), "store": "S", "streams": 1, "_partition": "2024"}])
    home.put(
        "alpha_streams", [{"date": date(2025, 1, 1), "store": "S", "streams": 2, "_partition": "2025"}], merged=True
    )
    assert home.rows(home.build(), "streams_daily", "date, streams") == [(date(2024, 1, 1), 1), (date(2025, 1, 1), 2)]


# Daily marts.


def social(day: int, **more: Any) -> dict[str, Any]:
    return {"day": date(2025, 1, day), "provisional": False} | more


def test_social_days(home: Home) -> None:
    home.put(
        "alpha_social",
        [
            social(1, views=100, likes=5, comments=-1, shares=2, followers=50),
            social(2, views=0, likes=0, comments=0, shares=0, followers=53, provisional=True),
            social(4, views=3, likes=1, comments=0, shares=None, followers=51),
            social(5, views=3, likes=1, comments=0, shares=1, followers=None),
            social(6, followers=60),
            social(7, followers=58),
        ],
    )
    got = home.rows(home.build(), "social_daily", "day, followers, new_followers, engagement_rate, provisional")
    assert got == [
        (date(2025, 1, 1), 50, None, Decimal("0.06"), False),
        (date(2025, 1, 2), 53, 3, None, True),
        (date(2025, 1, 4), 51, None, None, False),
        (date(2025, 1, 5), None, None, Decimal("0.666667"), False),
        (date(2025, 1, 6), 60, None, None, False),
        (date(2025, 1, 7), 58, -2, None, False),
    ]


def test_links_and_ads_days(home: Home) -> None:
    day = date(2025, 1, 1)
    home.put("alpha_links", [{"day": day, "views": 3, "clicks": 2}, {"day": date(2025, 1, 2), "views": 0, "clicks": 0}])
    home.put("alpha_ads", [{"day": day, "ad_id": "23854695759200548", "spend": Decimal("1.23"), "impressions": 7}])
    states = home.build()
    assert home.rows(states, "links_daily", "ctr") == [(Decimal("0.666667"),), (None,)]
    assert home.rows(states, "ads_daily", "ad_id, spend, reach") == [("23854695759200548", Decimal("1.23"), None)]


def test_a_row_told_twice_is_not_counted_twice(home: Home) -> None:
    home.put("alpha_streams", [{"date": date(2025, 1, 1), "store": "Spotify", "streams": 1}] * 2)
    with pytest.raises(Defect, match=r"streams_daily would have two rows for date 2025-01-01, source alpha"):
        home.build()


def test_the_artists_day_is_null_where_unknown(home: Home) -> None:
    def streams(day: int, store: str, count: int | None, **more: Any) -> dict[str, Any]:
        return {"date": date(2025, 1, day), "store": store, "streams": count, "provisional": False} | more

    home.settings = MartSettings([ArtistRule("Nova", (), ("alpha/main", "beta/main"))], "", ("alpha/whole",))
    home.put(
        "alpha_streams",
        [
            streams(1, "Spotify", 10),
            streams(2, "Spotify", 20),
            streams(2, "Apple Music", 5),
            streams(3, "Apple Music", 6, provisional=True),
            streams(4, "Spotify", 0),
            streams(4, "Apple Music", None),
            streams(5, "Spotify", 1),
            streams(5, "Apple Music", 1),
            streams(9, "Spotify", 99, account="whole"),
            streams(9, "Spotify", 99, account="stranger"),
        ],
    )
    home.put("beta_streams", [streams(2, "Spotify", 7)])
    home.put("alpha_social", [social(6, views=4)])
    ad = {"day": date(2025, 1, 6), "impressions": 5}
    home.put("alpha_ads", [ad | {"ad_id": "1", "clicks": 1}, ad | {"ad_id": "2"}])
    states = home.build()
    got = home.rows(
        states,
        "artist_daily",
        "artist, day(day), streams_alpha, array_to_string(stores_alpha, '+'), streams_beta, views_alpha,"
        " ad_impressions_alpha, ad_clicks_alpha, provisional",
    )
    nothing = (None,) * 4
    both = "Apple Music+Spotify"
    assert got == [
        ("Nova", 1, 10, "Spotify", *nothing, False),
        ("Nova", 2, 25, both, 7, None, None, None, False),
        ("Nova", 3, None, both, *nothing, True),  # Spotify has begun and says nothing: not 6
        ("Nova", 4, None, both, *nothing, False),
        ("Nova", 5, 2, both, *nothing, False),
        ("Nova", 6, None, None, None, 4, 10, None, False),
    ]
    assert not [name for name, kind in states["artist_daily"].columns if "spend" in name or kind.startswith("DECIMAL")]
    assert home.rows(states, "unjoined", "what, source, account, number") == [("account", "alpha", "stranger", 1)]


# Who and what.


def test_artists_recordings_releases(home: Home) -> None:
    home.settings = MartSettings([ArtistRule("Nova", ("N O V A",), ("alpha/main",))])
    home.put(
        "alpha_lines",
        [
            *[line("2025-01", title="glow", artist="nova")] * 3,
            *[line("2025-02", title="Glow (Mix)", artist="NOVA ")] * 2,
            line("2025-02", title="Glow", artist="Nóva"),
            line("2025-02", isrc=None, product="Album", title="The Album"),
            line("2025-02", isrc="QZABC2400002", upc=None, title="Dusk", artist="Somebody"),
        ],
    )
    home.put("alpha_names_shown", [{"isrc": "QZABC2400001", "title": "GLOW!", "release_title": "The  Album"}])
    home.put(
        "alpha_catalogue",
        [{"isrc": "QZABC2400002", "upc": "5", "artist": "Echo", "title": "Dusk II", "release_date": date(2024, 5, 1)}],
    )
    states = home.build()
    assert home.rows(states, "artists", "artist, told_by, spellings, accounts") == [
        ("Echo", "catalogue", ["Echo"], []),
        ("Nova", "settings", ["N O V A", "NOVA ", "Nova", "nova"], ["alpha/main"]),
    ]
    assert home.rows(states, "recordings", "isrc, title, artist, joined_artist, titles, release_date, lines") == [
        ("QZABC2400001", "Glow (Mix)", "NOVA ", "Nova", ["GLOW!", "Glow", "Glow (Mix)", "glow"], None, 6),
        ("QZABC2400002", "Dusk II", "Echo", "Echo", ["Dusk", "Dusk II"], date(2024, 5, 1), 1),
    ]
    assert home.rows(states, "releases", "upc, title, artist, recordings, lines") == [
        ("012345678905", "The Album", "NOVA ", 1, 7),
        ("5", None, "Echo", 1, 0),
    ]
    assert home.rows(states, "recordings_releases", "isrc, upc, lines") == [
        ("QZABC2400001", "012345678905", 6),
        ("QZABC2400002", "5", 0),
    ]
    assert home.rows(states, "unjoined", "what, source, spelling, number, last_day") == [
        ("spelling", "alpha", "Nóva", 1, date(2025, 2, 15)),
        ("spelling", "alpha", "Somebody", 1, date(2025, 2, 15)),
    ]


def test_settings_that_contradict_themselves_are_named(home: Home) -> None:
    for artists, label, sentence in [
        ([ArtistRule("Nova", ("N",)), ArtistRule("Echo", ("n",))], (), "spelling 'n' belongs to 'Nova' and 'Echo'"),
        ([ArtistRule("Nova", (), ("a/x",)), ArtistRule("Echo", (), ("a/x",))], (), "account 'a/x' belongs to"),
        ([ArtistRule("Nova", (), ("a/x",))], ("a/x",), "belongs to 'Nova' and the label"),
        ([ArtistRule("Nova", (), ("nowhere",))], (), "does not say whose it is"),
    ]:
        home.settings = MartSettings(artists, "", label)
        with pytest.raises(Misconfigured, match=sentence):
            home.build()
