"""Answers say exactly what the tables hold, and are written nowhere in the lake."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrot import sql
from bedrot.errors import Misconfigured, Refused
from bedrot.lake.snapshot import Snapshot, TableState
from bedrot.lake.zones import Lake
from bedrot.tell import answer

SNAPSHOT = Snapshot(1, 0, {"royalties": TableState("royalties", [], [], "")}, {}, datetime(2025, 1, 1, tzinfo=UTC))
QUERY = (
    "SELECT CAST('0.100000000000000001' AS DECIMAL(38,18)) AS money, CAST(2 AS DECIMAL(38,18)) AS whole, 12 AS n,"
    " NULL AS nothing, 'a,\"b' AS text, DATE '2025-01-31' AS day, [1.20, 3] AS list, 12 AS n"
)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    made = sql.connect(None)
    yield made
    made.close()


def test_csv_has_exact_decimals_and_every_column(con: duckdb.DuckDBPyConnection) -> None:
    text = "".join(answer.as_csv(answer.ask(con, QUERY, SNAPSHOT)))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["money", "whole", "n", "nothing", "text", "day", "list", "n_2"]
    assert rows[1][:6] == ["0.100000000000000001", "2", "12", "", 'a,"b', "2025-01-31"]


def test_json_has_decimals_as_text(con: duckdb.DuckDBPyConnection) -> None:
    (row,) = json.loads("".join(answer.as_json(answer.ask(con, QUERY, SNAPSHOT))))
    assert row == {
        "money": "0.100000000000000001", "whole": "2", "n": 12, "nothing": None, "text": 'a,"b', "day": "2025-01-31",
        "list": ["1.2", "3"], "n_2": 12,
    }  # fmt: skip
    none = answer.ask(con, "SELECT 1 WHERE false", SNAPSHOT)
    assert json.loads("".join(answer.as_json(none))) == []


def test_many_rows_come_once_and_in_order(con: duckdb.DuckDBPyConnection) -> None:
    found = answer.ask(con, "SELECT r FROM range(25000) t(r) ORDER BY r", SNAPSHOT)
    assert [row[0] for row in found.rows()] == list(range(25000))
    assert len(list(answer.ask(con, "FROM range(25000)", SNAPSHOT).rows(11))) == 11


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19))
def test_a_decimal_is_shown_whole_without_an_exponent(value: Decimal) -> None:
    assert Decimal(answer.exact(value)) == value
    assert "E" not in answer.exact(value)


@pytest.mark.parametrize(("value", "text"), [("0E-18", "0"), ("100", "100"), ("1.50", "1.5"), ("-0.0100", "-0.01")])
def test_zeros_that_say_nothing_are_left_out(value: str, text: str) -> None:
    assert answer.exact(Decimal(value)) == text


def test_a_parquet_file_keeps_the_types(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    final = tmp_path / "out" / "answer.parquet"
    for amount in ("1.000000000000000001", "2"):
        query = f"SELECT CAST('{amount}' AS DECIMAL(38,18)) AS money; -- one"
        answer.write_parquet(con, query.split(" --", maxsplit=1)[0], SNAPSHOT, tmp_path, final)
        assert con.execute(f"FROM '{final.as_posix()}'").fetchall() == [(Decimal(amount),)]


@pytest.mark.parametrize("query", ["DELETE FROM t", "SELECT 1; SELECT 2", "COPY (SELECT 1) TO 'x.csv'", "SELEC 1", ""])
def test_only_one_select_is_answered(con: duckdb.DuckDBPyConnection, query: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        answer.ask(con, query, SNAPSHOT)
    with pytest.raises(Refused):
        answer.write_parquet(con, query, SNAPSHOT, tmp_path, tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())


def test_wrong_sql_is_a_sentence_with_the_tables(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(Misconfigured, match=r"The SQL cannot be answered: .*nope.*Tables are royalties"):
        answer.ask(con, "SELECT * FROM nope", SNAPSHOT)
    with pytest.raises(Misconfigured, match="The SQL cannot be answered: "):
        list(answer.ask(con, "SELECT CAST(r AS VARCHAR)::DATE FROM range(3) t(r)", SNAPSHOT).rows())


def test_the_format_is_told_or_read_from_the_name() -> None:
    assert answer.format_of(None, None) == "table"
    assert answer.format_of(None, Path("a.CSV")) == "csv"
    assert answer.format_of("json", Path("a.txt")) == "json"
    for told, file in (("xml", None), (None, Path("a.txt")), ("table", Path("a.csv")), ("parquet", None)):
        with pytest.raises(Misconfigured):
            answer.format_of(told, file)


@pytest.mark.parametrize("name", ["raw/x.csv", "curated/../staging/x.csv", "bedrot.toml", "ledger.sqlite", "landing"])
def test_no_answer_is_written_into_the_lake(tmp_path: Path, name: str) -> None:
    lake = Lake.create(tmp_path / "lake")
    with pytest.raises(Misconfigured, match="An answer cannot be written there"):
        answer.refuse_zones(lake, lake.root / name)
    answer.refuse_zones(lake, lake.root / "answer.csv")
