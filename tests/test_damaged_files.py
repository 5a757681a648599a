"""Published and staged files that are cut short or changed: every command names the file, and a rebuild heals it."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

import giving
from bedrot import sql
from bedrot.config import Settings
from bedrot.errors import Damaged
from bedrot.lake import damage
from bedrot.lake.damage import naming_damage
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import Part, Snapshot, TableState, current
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.run import Walk, run
from giving import GOLDEN, Person

sys.path.insert(0, str(Path(__file__).parent / "lake"))
from disk_faults import say

AT = datetime(2026, 4, 1, tzinfo=UTC)
GIVEN = ("DistroKid_1748520000000_Paper_Comets.tsv", "DistroKid_1765000000000_Paper_Comets.csv")
COLUMNS = [("a", "BIGINT"), ("b", "VARCHAR"), ("c", "DECIMAL(38,18)"), ("d", "DATE")]
WAYS = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-4],
    "zeros": lambda data: bytes(len(data)),
    "another length of the footer": lambda data: data[:-8] + b"\xff\xff\x00\x00" + data[-4:],
    "another footer": lambda data: data[:-200] + bytes(one ^ 0x55 for one in data[-200:-100]) + data[-100:],
}


def one_table(root: Path, *, hashed: bool) -> tuple[Lake, Snapshot, Path]:
    """A lake with one table in one file; the hash of its bytes is kept, or not."""
    lake = Lake(root)
    path = lake.curated_path("t", "all", "x")
    path.parent.mkdir(parents=True)
    rows = "SELECT range AS a, 'text ' || range % 97 AS b, range * 0.01::DECIMAL(38,18) AS c, DATE '2025-01-01' AS d"
    with sql.connect(None) as con:
        con.execute(f"COPY ({rows} FROM range(3000)) TO {sql.text(path.as_posix())} (FORMAT parquet, COMPRESSION zstd)")
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if hashed else ""
    table = TableState("t", COLUMNS, [Part("all", lake.relative(path), 3000, digest, "i")], "d")
    return lake, Snapshot(1, 0, {"t": table}, {}, datetime(2025, 3, 1, tzinfo=UTC)), path


def asked(lake: Lake, snapshot: Snapshot) -> str:
    """What becomes of a question: answered, or damage seen when the tables are opened or when the rows are read."""
    at = "opened"
    try:
        with open_snapshot(lake, snapshot) as con, naming_damage(lake, snapshot):
            at = "read"
            con.execute("SELECT * FROM t ORDER BY ALL").fetchall()
            at = "answered"
    except Damaged as seen:
        return at if seen.file == "curated/t/all/x.parquet" and "bedrot rebuild" in seen.do else str(seen)
    return at


@pytest.mark.parametrize("hashed", [True, False])
def test_whatever_the_damage_the_file_is_named(tmp_path: Path, hashed: bool) -> None:
    lake, snapshot, path = one_table(tmp_path, hashed=hashed)
    whole = path.read_bytes()
    assert asked(lake, snapshot) == "answered"
    for harm in WAYS.values():
        path.write_bytes(harm(whole))
        assert asked(lake, snapshot) == "opened"
    path.unlink()
    assert asked(lake, snapshot) == "opened"
    found: Counter[str] = Counter()
    for place in range(4, len(whole) - 8, len(whole) // 12):
        path.write_bytes(whole[:place] + bytes(one ^ 0xFF for one in whole[place : place + 4]) + whole[place + 4 :])
        found[asked(lake, snapshot)] += 1
    say(f"flipped bytes: {dict(found)}")
    assert set(found) <= {"opened", "read", "answered"}
    path.write_bytes(whole[:4] + b"\xff" * 12 + whole[16:])
    assert asked(lake, snapshot) == "read"


def test_a_planted_variant_that_does_not_look_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, snapshot, path = one_table(tmp_path, hashed=True)
    path.write_bytes(WAYS["half"](path.read_bytes()))
    monkeypatch.setattr(damage, "damage_behind", lambda *_, **__: None)
    with pytest.raises(duckdb.Error):
        asked(lake, snapshot)


def test_a_question_that_is_wrong_itself_costs_no_look_at_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, snapshot, _ = one_table(tmp_path, hashed=True)
    monkeypatch.setattr(damage, "find_damage", lambda *_: pytest.fail("the files were looked at"))
    for query in ("SELEC", "SELECT nobody FROM t", "SELECT * FROM nothing"):
        with open_snapshot(lake, snapshot) as con, pytest.raises(duckdb.Error), naming_damage(lake, snapshot):
            con.execute(query)


def test_whole_files_leave_an_error_as_it_is(tmp_path: Path) -> None:
    lake, snapshot, _ = one_table(tmp_path, hashed=True)
    with (
        open_snapshot(lake, snapshot) as con,
        pytest.raises(duckdb.ConversionException),
        naming_damage(lake, snapshot),
    ):
        con.execute("SELECT CAST(b AS INTEGER) FROM t").fetchall()


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two exports, walked."""
    lake = Lake.create(tmp_path_factory.mktemp("walked") / "lake")
    with Ledger(lake.ledger_path) as ledger:
        walk = Walk(lake, ledger, Settings())
        given = [GOLDEN["distrokid"] / name for name in GIVEN]
        assert [one.verdict for one in Door(lake, ledger, walk.sources, {}, Told(), AT).offer(given)] == [
            "accepted"
        ] * 2
        assert run(walk, AT).published
    return lake.root


@pytest.fixture
def label(walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    shutil.copytree(walked, tmp_path / "lake")
    return giving.person(tmp_path, monkeypatch, capsys)


COMMANDS = {
    "sql": ["sql", "SELECT * FROM {table}"],
    "sql, to a file": ["sql", "SELECT * FROM {table}", "-o", "{folder}/answer.parquet"],
    "why": ["why", "{table}", "--where", "true"],
    "export": ["export", "{table}", "--to", "{folder}/exports"],
}


# The head of a page is read with the rows only; the footer before them.
@pytest.mark.parametrize(
    ("table", "harm"),
    [("royalties", lambda data: data[:4] + b"\xff" * 12 + data[16:]), ("staging.distrokid_bank", WAYS["half"])],
)
def test_every_command_says_which_file_is_damaged_and_a_rebuild_heals_it(
    label: Person, tmp_path: Path, table: str, harm: Callable[[bytes], bytes]
) -> None:
    state = current(label.lake)
    assert state is not None
    part = state.tables[table].parts[0]
    path = label.lake.absolute(part.path)
    path.chmod(0o644)
    path.write_bytes(harm(path.read_bytes()))
    for name, words in COMMANDS.items():
        answer = label.bedrot(*(one.format(table=table, folder=tmp_path) for one in words))
        assert answer.code == 2, (name, answer)
        assert part.path in answer.err, name
        assert "bedrot rebuild" in answer.err, name
        assert "mistake" not in answer.err, name
    assert not list((tmp_path / "exports").glob("*"))
    assert label.bedrot("rebuild").code == 0
    assert label.bedrot("sql", f"SELECT * FROM {table}").code == 0


def test_a_run_says_which_staged_file_is_damaged(label: Person, tmp_path: Path) -> None:
    for path in label.lake.staging.rglob("*.parquet"):
        path.chmod(0o644)
        path.write_bytes(WAYS["half"](path.read_bytes()))
    text = (GOLDEN["distrokid"] / "DistroKid_1765000000000_Paper_Comets.csv").read_bytes().replace(b'"360"', b'"361"')
    label.give(label.file("DistroKid_1775000000000_Paper_Comets.csv", text))
    answer = label.bedrot("run")
    assert answer.code == 2
    assert "staging/distrokid_bank" in answer.err
    assert "bedrot rebuild" in answer.err
    assert label.bedrot("rebuild").code == 0
    assert label.bedrot("run").code == 0
