"""The place and its names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrot.errors import Misconfigured
from bedrot.lake.zones import Lake, partition_slug


def test_create_makes_everything_once_and_overwrites_nothing(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    assert {path.name for path in lake.root.iterdir()} == {
        "landing", "raw", "staging", "curated", "archive", "bedrot.toml", ".gitignore",
    }  # fmt: skip
    assert tomllib.loads(lake.config_path.read_text(encoding="utf-8")) == {}
    lake.config_path.write_text("[run]\nworkers = 1\n", encoding="utf-8")
    assert Lake.create(tmp_path / "lake") == lake
    assert "workers = 1" in lake.config_path.read_text(encoding="utf-8")
    assert (lake.root / ".gitignore").read_text(encoding="utf-8").splitlines()[-1] == "*"


def test_the_examples_in_the_settings_are_valid_once_their_mark_is_taken_away(tmp_path: Path) -> None:
    from bedrot.config import read_settings

    lake = Lake.create(tmp_path)
    lines = lake.config_path.read_text(encoding="utf-8").splitlines()
    examples = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith(("# [", "# ")) and ("=" in line or "[[" in line or line.startswith("# ["))
    ]
    (tmp_path / "examples.toml").write_text("\n".join(examples), encoding="utf-8")
    told = read_settings(tmp_path / "examples.toml")
    assert told.account[0].artist == "My Artist"
    assert told.control[0].period == "2025-03"
    assert told.run.workers == 2


def test_find_looks_upwards_only_when_nothing_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(tmp_path / "lake")
    inside = lake.landing / "inbox"
    inside.mkdir(exist_ok=True)
    monkeypatch.chdir(inside)
    assert Lake.find(None) == lake
    assert Lake.find(lake.root) == lake
    with pytest.raises(Misconfigured, match="no lake in this folder"):
        Lake.find(inside)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match="bedrot init"):
        Lake.find(None)


def test_paths_are_where_the_docs_say_and_go_there_and_back(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    sha = "ab" + "0" * 62
    assert lake.relative(lake.object_path(sha)) == f"raw/objects/ab/{sha}"
    assert lake.relative(lake.staged_path("bank", "d1", "f1")) == "staging/bank/d1-f1.parquet"
    assert lake.relative(lake.rejects_path("bank", "d1", "f1")) == "staging/_rejects/bank/d1-f1.parquet"
    assert lake.relative(lake.merged_path("bank", "0a")) == "staging/bank/merged/0a.parquet"
    assert lake.relative(lake.curated_path("royalties", "2025-03", "0b")) == "curated/royalties/2025-03/0b.parquet"
    assert lake.relative(lake.snapshot_path(7)) == "curated/_snapshots/000007.json"
    assert lake.snapshot_number(lake.snapshot_path(1_234_567)) == 1_234_567
    assert lake.snapshot_number(Path("x.json")) is None
    assert lake.absolute("raw/objects") == lake.objects


@pytest.mark.parametrize("text", ["2025-03", "all", "main", "a.b_c-d", "0"])
def test_plain_texts_stay(text: str) -> None:
    assert partition_slug(text) == text


@pytest.mark.parametrize(
    "text", ["", "CON", "con", "nul.txt", "a/b", "a:b", "..", ".", "x ", "ä", "a" * 300, "lpt1", "-"]
)
def test_other_texts_get_a_hash(text: str) -> None:
    slug = partition_slug(text)
    assert slug != text
    assert len(slug) <= 64


@given(st.lists(st.text(max_size=80), unique=True, max_size=20))
def test_slugs_are_names_that_every_system_takes_and_differ_even_without_regard_to_case(texts: list[str]) -> None:
    slugs = [partition_slug(text) for text in texts]
    assert len({slug.casefold() for slug in slugs}) == len(texts)
    for slug in slugs:
        assert 0 < len(slug) <= 64
        assert slug.isascii()
        assert slug == slug.lower()
        assert not set(slug) & set('<>:"/\\|?* ')
        assert slug[0] != "."
        assert slug[-1] not in ". "
        assert slug.split(".")[0] not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
