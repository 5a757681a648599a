"""A connection over a snapshot: the right rows of whole files and slices, quickly, and nothing else within reach."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from disk_faults import say, seeded

from bedrot import sql
from bedrot.errors import Damaged, Refused
from bedrot.lake import opened
from bedrot.lake.snapshot import Part, Snapshot, TableState, only_reads, open_snapshot
from bedrot.lake.zones import Lake

AT = datetime(2025, 3, 1, tzinfo=UTC)
COLUMNS = [("earnings", "DECIMAL(38,18)"), ("_delivery", "VARCHAR"), ("_partition", "VARCHAR")]
MERGED = [*COLUMNS, ("_scale", "TINYINT"), ("_lacking", "VARCHAR")]
Row = tuple[Decimal, str, str]


def parquet(path: Path, rows: Sequence[Row], extra: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = ", ".join(f"({sql.literal(money)}, {sql.text(one)}, {sql.text(part)})" for money, one, part in rows)
    with sql.connect(None) as con:
        con.execute(
            f"COPY (SELECT *{extra} FROM (VALUES {values}) t(earnings, _delivery, _partition) ORDER BY _partition)"
            f" TO {sql.text(path.as_posix())} (FORMAT parquet)"
        )


def snapshot_of(*tables: TableState) -> Snapshot:
    return Snapshot(1, 0, {table.name: table for table in tables}, {}, AT)


def part(lake: Lake, path: Path, rows: int, piece: str | None = None, scale: int | None = None) -> Part:
    return Part(piece or "all", lake.relative(path), rows, "0" * 64, "i", piece, scale)


def rows_of(con: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> list[tuple[object, ...]]:
    return sorted(con.execute(f"SELECT * FROM {table} WHERE {where}").fetchall(), key=repr)


def test_an_empty_table_is_an_empty_view_with_its_columns_and_types(tmp_path: Path) -> None:
    with open_snapshot(Lake(tmp_path), snapshot_of(TableState("staging.bank", MERGED, [], "d"))) as con:
        assert con.execute("SELECT * FROM staging.bank").fetchall() == []
        described = [(row[0], row[1]) for row in con.execute("DESCRIBE staging.bank").fetchall()]
    assert described == MERGED


def test_slices_whole_and_merged_files_of_one_table_together(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "a lake's [strange] place=1")
    one, two = lake.staged_path("bank", "d1", "f"), lake.staged_path("bank", "d2", "f")
    merged = lake.merged_path("bank", "k1")
    parquet(one, [(Decimal(1), "d1", "2025-01"), (Decimal(2), "d1", "2025-02"), (Decimal(3), "d1", "2025-03")])
    parquet(two, [(Decimal(4), "d2", "2025-02"), (Decimal(5), "d2", "2025-04")])
    parquet(merged, [(Decimal(6), "d3", "2025-03")], ", 12::TINYINT AS _scale, 'd9' AS _lacking")
    parts = [
        part(lake, one, 1, "2025-01", 8),
        part(lake, two, 1, "2025-02", 12),
        part(lake, two, 1, "2025-04", 12),
        part(lake, merged, 1),
    ]
    table = TableState("staging.bank", MERGED, parts, "d")
    expected = [
        (Decimal(1), "d1", "2025-01", 8, None),
        (Decimal(4), "d2", "2025-02", 12, None),
        (Decimal(5), "d2", "2025-04", 12, None),
        (Decimal(6), "d3", "2025-03", 12, "d9"),
    ]
    for sandbox in (False, True):
        with open_snapshot(lake, snapshot_of(table), sandbox=sandbox) as con:
            assert rows_of(con, "staging.bank") == sorted(expected, key=repr)
            assert rows_of(con, "staging.bank", "_partition = '2025-02'") == [expected[1]]
            described = [(row[0], row[1]) for row in con.execute("DESCRIBE staging.bank").fetchall()]
            assert described == MERGED


def test_the_same_file_may_serve_two_tables_with_other_slices(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    files = [lake.staged_path("bank", f"d{i}", "f") for i in range(40)]
    for i, path in enumerate(files):
        parquet(path, [(Decimal(i), f"d{i}", month) for month in ("2025-01", f"a{i}", f"b{i}")])
    first = TableState("one", COLUMNS, [part(lake, path, 1, f"a{i}") for i, path in enumerate(files)], "d")
    second = TableState("two", COLUMNS, [part(lake, path, 1, f"b{i}") for i, path in enumerate(files)], "d")
    with open_snapshot(lake, snapshot_of(first, second)) as con:
        assert {row[2] for row in rows_of(con, "one")} == {f"a{i}" for i in range(40)}
        assert {row[2] for row in rows_of(con, "two")} == {f"b{i}" for i in range(40)}
        assert [len(rows_of(con, name)) for name in ("one", "two")] == [40, 40]


@pytest.mark.parametrize("little", [0, 1 << 20])
@pytest.mark.parametrize("seed", range(4))
def test_any_mix_of_slices_gives_exactly_their_rows(
    tmp_path: Path, seed: int, little: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "_LITTLE", little)
    lake, chance = Lake(tmp_path), seeded(seed)
    months = [f"20{year}-{month:02d}" for year in (24, 25) for month in range(1, 13)]
    parts: list[Part] = []
    expected: list[Row] = []
    for i in range(45):
        path = lake.staged_path("bank", f"d{i}", "f") if i % 3 else lake.curated_path("bank", f"x{i % 5}", f"{i}")
        has = chance.sample(months, chance.randrange(1, len(months)))
        rows = [(Decimal(i * 1000 + n), f"d{i}", month) for n, month in enumerate(has * 2)]
        parquet(path, rows)
        if chance.random() < 0.2:
            parts.append(part(lake, path, len(rows)))
            expected += rows
            continue
        for month in chance.sample(has, chance.randrange(1, len(has) + 1)) if chance.random() < 0.6 else has[:1]:
            parts.append(part(lake, path, 2, month))
            expected += [row for row in rows if row[2] == month]
    chance.shuffle(parts)
    table = TableState("bank", COLUMNS, parts, "d")
    with open_snapshot(lake, snapshot_of(table)) as con:
        assert rows_of(con, "bank") == sorted(expected, key=repr), f"seed={seed}"
        assert rows_of(con, "bank", "_partition = '2025-05'") == sorted(
            [row for row in expected if row[2] == "2025-05"], key=repr
        )


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    gone = TableState("t", COLUMNS, [Part("all", "curated/t/all/x.parquet", 1, "0", "i")], "d")
    with pytest.raises(Damaged, match=r"curated/t/all/x\.parquet"):
        open_snapshot(Lake(tmp_path), snapshot_of(gone))


def test_a_type_that_is_no_type_is_not_run(tmp_path: Path) -> None:
    bad = TableState("t", [("a", "BIGINT); DROP TABLE x; --")], [], "d")
    with pytest.raises(Damaged):
        open_snapshot(Lake(tmp_path), snapshot_of(bad))


def test_the_sandbox_reaches_the_two_zones_and_nothing_else(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    path = lake.curated_path("t", "all", "x")
    parquet(path, [(Decimal(1), "d", "all")])
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n", encoding="utf-8")
    (lake.raw / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    here = [1, 2, 3]
    attacks = [
        f"SELECT * FROM read_csv('{outside.as_posix()}')",
        f"SELECT * FROM read_text('{(lake.raw / 'secret.csv').as_posix()}')",
        f"SELECT * FROM read_text('{lake.curated.as_posix()}/../raw/secret.csv')",
        f"SELECT * FROM glob('{tmp_path.as_posix()}/*')",
        f"COPY (SELECT 1) TO '{(tmp_path / 'new.csv').as_posix()}'",
        f"ATTACH '{(tmp_path / 'new.db').as_posix()}'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET threads = 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "SELECT * FROM here",
    ]
    snapshot = snapshot_of(TableState("t", COLUMNS, [part(lake, path, 1)], "d"))
    with open_snapshot(lake, snapshot, spill=lake.work / "spill", sandbox=True) as con:
        for attack in attacks:
            with pytest.raises(duckdb.Error):
                con.execute(attack).fetchall()
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(1,)]
    assert not (tmp_path / "new.csv").exists()
    assert len(here) == 3


def test_only_one_select_goes_through(tmp_path: Path) -> None:
    file = sql.text((tmp_path / "x.csv").as_posix())
    copy = f"COPY (SELECT 1) TO {file}"
    good = (
        "SELECT 1",
        "VALUES (1)",
        "SHOW TABLES",
        "DESCRIBE SELECT 1",
        "SUMMARIZE SELECT 1",
        "WITH a AS (SELECT 1) FROM a",
        "SELECT 1 UNION ALL SELECT 2",
        "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < 3) FROM a",
        "SELECT 'COPY_QUERY_NODE' AS type",
    )
    bad = (
        "",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "CREATE TABLE u (a INT)",
        "DROP VIEW t",
        "SET threads = 1",
        "PRAGMA version",
        "CALL checkpoint()",
        "EXPORT DATABASE 'x'",
        f"ATTACH {file}",
        copy,
        f"/* */ EXPLAIN ANALYZE {copy}",
        f"WITH x AS ({copy}) SELECT * FROM x",
        f"SELECT * FROM (WITH x AS ({copy}) SELECT * FROM x)",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    )
    with sql.connect(None) as con:
        con.execute("CREATE TABLE t (a INT)")
        for query in good:
            only_reads(con, query)
            con.execute(query).fetchall()
        for query in bad:
            with pytest.raises(Refused):
                only_reads(con, query)


def test_a_thousand_parts_open_at_once(tmp_path: Path) -> None:
    """About 40 ms of processor time above the engine's own start; the bound leaves room for a busy machine."""
    lake = Lake(tmp_path)
    model = lake.staged_path("m", "d", "f")
    parquet(model, [(Decimal(n), "d", f"p{n}") for n in range(20)])
    data = model.read_bytes()
    tables = []
    for t in range(10):
        parts = []
        for i in range(50):
            path = lake.staged_path(f"t{t}", f"d{i}", "f")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            parts += [part(lake, path, 1, f"p{i % 20}"), part(lake, path, 1, f"p{(i + 1 + t) % 20}")]
        tables.append(TableState(f"staging.t{t}", COLUMNS, parts, "d"))
    snapshot = snapshot_of(*tables)
    whole, bare = [], []
    for _ in range(8):
        began = time.process_time()
        sql.connect(None).close()
        bare.append(time.process_time() - began)
        began = time.process_time()
        con = open_snapshot(lake, snapshot)
        whole.append(time.process_time() - began)
        assert con.execute("SELECT count(*) FROM staging.t3").fetchall() == [(100,)]
        con.close()
    say(f"open: {min(whole) * 1000:.0f} ms, of which the engine {min(bare) * 1000:.0f} ms")
    assert min(whole) - min(bare) < 0.1
