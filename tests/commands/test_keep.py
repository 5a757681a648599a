"""Backup and restore as a person meets them: what is said, how they end."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedrot.config import Settings
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.backup_store import Store
from bedrot.walk.run import Walk, run
from giving import BANK, GOLDEN, Person, person

AT = datetime(2026, 6, 1, tzinfo=UTC)
STATISTICS = GOLDEN["distrokid"] / "spotify_stats.html"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that has published one file."""
    lake = Lake.create(tmp_path_factory.mktemp("published") / "lake")
    with Ledger(lake.ledger_path) as ledger:
        walk = Walk(lake, ledger, Settings())
        assert [one.verdict for one in Door(lake, ledger, walk.sources, {}, Told(), AT).offer([BANK])] == ["accepted"]
        assert run(walk, AT).published
    return lake.root


@pytest.fixture
def label(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Person:
    """A person with a copy of that lake."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BEDROT_LAKE", raising=False)
    told = person(tmp_path, monkeypatch, capsys)
    shutil.copytree(published, told.lake.root, dirs_exist_ok=True)
    return told


def elsewhere(label: Person, *words: str | Path) -> tuple[int, str, str]:
    """A command that names its own lake."""
    answer = label._say(*map(str, words))
    assert "Traceback" not in answer.out + answer.err
    assert "mistake of the program" not in answer.err
    return answer.code, answer.out, answer.err


def sums(label: Person, lake: Path) -> str:
    """What a lake says of earnings."""
    return elsewhere(label, "sql", "select count(*), sum(earnings) from royalties", "--json", "--lake", lake)[1]


def test_a_lake_is_lost_and_comes_back(label: Person, tmp_path: Path) -> None:
    before = sums(label, label.lake.root)
    said = label.bedrot("backup", tmp_path / "other disk")
    assert said.code == 0
    assert "Backup 000001-" in said.out
    assert "snapshot 1" in said.out
    assert f'bedrot restore --from "{tmp_path / "other disk"}" --lake' in said.out
    assert "first backup in that folder" in said.out
    assert "same disk" in said.out
    assert "not in the backup" in said.out
    again = label.bedrot("backup", tmp_path / "other disk")
    assert (again.code, again.out.startswith("Nothing is new")) == (0, True)
    label.lake.root.rename(tmp_path / "lost")
    code, out, err = elsewhere(label, "restore", "--from", tmp_path / "other disk", "--lake", label.lake.root)
    assert (code, err) == (0, "")
    assert "All bytes and facts are as they should be." in out
    assert sums(label, label.lake.root) == before
    assert "Nothing new; snapshot 1 stands." in label.bedrot("run").out
    label.give(STATISTICS)
    label.bedrot("run")
    assert "snapshot 2" in label.bedrot("backup", tmp_path / "other disk", "--keep", "1").out


def test_an_older_backup_by_its_name(label: Person, tmp_path: Path) -> None:
    before = sums(label, label.lake.root)
    (first,) = json.loads(label.bedrot("backup", tmp_path / "disk", "--json").out)
    label.give(GOLDEN["distrokid"] / "DistroKid_1765000000000_Paper_Comets.csv")
    label.bedrot("run")
    assert sums(label, label.lake.root) != before
    label.bedrot("backup", tmp_path / "disk")
    code, out, _ = elsewhere(label, "restore", "--from", tmp_path / "disk", "--list", "--json")
    assert (code, [one["snapshot"] for one in json.loads(out)]) == (0, [1, 2])
    told = ["restore", "--from", tmp_path / "disk", "--lake", tmp_path / "old", "--backup"]
    code, _, err = elsewhere(label, *told, "yesterday")
    assert code == 2
    assert first["backup"] in err
    code, out, _ = elsewhere(label, *told, first["backup"], "--json")
    assert code == 0
    assert json.loads(out)[0]["breaches"] == []
    assert sums(label, tmp_path / "old") == before


def test_damage_has_its_exit_code(label: Person, tmp_path: Path) -> None:
    label.bedrot("backup", tmp_path / "disk")
    store = Store(tmp_path / "disk")
    (raw,) = (one for one in store.load(store.records()[0]).files if one.path.startswith("raw/objects"))
    rot(store.object_path(raw.sha256))
    code, out, _ = elsewhere(label, "restore", "--from", tmp_path / "disk", "--lake", tmp_path / "half")
    assert code == 2
    assert raw.path in out
    assert "Law 1: The object" in out
    healed = label.bedrot("backup", tmp_path / "disk", "--verify")
    assert healed.code == 1
    assert "brought anew" in healed.out
    assert "Every byte" in label.bedrot("backup", tmp_path / "disk", "--verify").out
    rot(label.lake.object_path(raw.sha256))
    rot(store.object_path(raw.sha256))
    lost = label.bedrot("backup", tmp_path / "disk", "--verify", "--keep", "1")
    assert lost.code == 2
    assert "no more in the lake" in lost.out
    assert "bedrot verify" in lost.out


def rot(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_what_cannot_be_is_refused_in_a_sentence(label: Person, tmp_path: Path) -> None:
    for words, said in (
        (("backup", label.lake.root / "backup"), "inside the lake"),
        (("restore",), "not clear what to bring back"),
        (("restore", "1", "--from", tmp_path), "not clear what to bring back"),
        (("restore", "1", "--list"), "belong to --from"),
        (("restore", "1"), "not in the archive"),
        (("restore", "--from", tmp_path / "nowhere"), "no such folder"),
        (("restore", "--from", tmp_path), "no backup in this folder"),
    ):
        answer = label.bedrot(*words)
        assert answer.code == 2
        assert said in answer.err
        assert "What to do:" in answer.err
    label.bedrot("backup", tmp_path / "disk")
    answer = label.bedrot("restore", "--from", tmp_path / "disk")
    assert answer.code == 2
    assert "not empty" in answer.err


def test_a_snapshot_comes_back_from_the_archive(label: Person) -> None:
    label.lake.config_path.write_text("[archive]\nsnapshots = 1\n")
    label.give(STATISTICS)
    label.bedrot("run")
    answer = label.bedrot("restore", "1")
    assert (answer.code, "read them with --snapshot 1" in answer.out) == (0, True)
    assert label.bedrot("sql", "select 1 from royalties limit 1", "--snapshot", "1").code == 0
