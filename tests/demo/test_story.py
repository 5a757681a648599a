"""The whole demo: the same everywhere, true to the last digit in any order, and honest when it is not."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner
from walking import Walked

from bedrot.cli import app
from bedrot.demo import catalogue_sheet, story
from bedrot.demo.arrival import Expected
from bedrot.demo.chance import Chance
from bedrot.demo.label import Label, invent
from bedrot.demo.story import Story, tell

ROOT = Path(__file__).parents[2]
DIGEST = "c344ba68fa0072697da233bdf0cc9138ee89078b8c19f125edb095c58fc9bb0e"
"""Over names, bytes and key of seed 7; the same was seen on Python 3.11, 3.12 and 3.13."""


def digest(told: Story) -> str:
    """A hash over all that a story writes."""
    found = hashlib.sha256()
    for one in told.arrivals:
        found.update(one.name.encode())
        found.update(one.content())
    found.update(told.truth().encode())
    return found.hexdigest()


def test_a_seed_gives_the_same_bytes_everywhere() -> None:
    assert digest(tell(invent(7))) == DIGEST != digest(tell(invent(8)))


def test_names_of_files_are_unique_and_in_the_order_in_which_they_came() -> None:
    arrivals = tell(invent(7)).arrivals
    assert len({one.name for one in arrivals}) == len(arrivals)
    assert [one.at for one in arrivals] == sorted(one.at for one in arrivals)


def test_every_fault_of_the_key_is_told_in_the_docs() -> None:
    text = (ROOT / "docs/demo.md").read_text(encoding="utf-8")
    missing = {one.kind for one in tell(invent(7)).faults if one.kind not in text}
    assert missing == set()


def test_every_file_that_is_not_taken_belongs_to_the_key() -> None:
    told = tell(invent(7))
    kinds = {one.kind for one in told.faults}
    assert [one.name for one in told.arrivals if one.verdict not in ("accepted", "repeat") and not one.fault] == []
    assert {one.fault for one in told.arrivals if one.fault} <= kinds


def test_the_command_shows_the_label_and_that_all_is_as_the_key_says(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bedrot", "demo", "label"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Everything is as the answer key says" in done.stdout
    key = json.loads((tmp_path / "label/truth.json").read_text(encoding="utf-8"))
    for fault in key["faults"]:
        assert fault["kind"] in done.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode != 0
    assert "not empty" in again.stdout + again.stderr
    status = [sys.executable, "-m", "bedrot", "status", "--lake", "label", "--json"]
    told = json.loads(subprocess.run(status, cwd=tmp_path, capture_output=True, text=True, check=False).stdout)
    assert [one["agrees"] for one in told["controls"]] == [True]


def test_a_table_that_is_not_as_the_key_says_is_told_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = catalogue_sheet.expected

    def lying(label: Label) -> list[Expected]:
        return [replace(one, rows=list(one.rows)[1:]) for one in real(label)]

    monkeypatch.setattr(story, "SERVICES", (catalogue_sheet,))
    assert CliRunner().invoke(app, ["demo", str(tmp_path / "true")]).exit_code == 0
    monkeypatch.setattr(catalogue_sheet, "expected", lying)
    wrong = CliRunner().invoke(app, ["demo", str(tmp_path / "false")])
    assert wrong.exit_code == 1
    assert "Not as the answer key says: recordings: 1 rows not expected" in " ".join(wrong.output.split())


def test_the_tables_above_the_others_are_compared_row_for_row(tmp_path: Path) -> None:
    told = tell(invent(7))
    above = [one for one in told.expected if one.table in ("royalties_monthly", "artist_daily")]
    monthly, _, daily = above
    assert len(list(monthly.rows)) > 10_000
    assert {row[0] for row in daily.rows} == {one.name for one in told.label.artists}
    filled = range(daily.columns.index("views_tiktok"), len(daily.columns))
    assert all(any(row[place] is not None for row in daily.rows) for place in filled)
    walked = Walked(tmp_path / "lake", catalogue_sheet.arrivals(told.label))
    said = walked.differences(above)
    assert [one.split(" such as")[0] for one in said] == [
        f"{one.table}: {len(list(one.rows)):,} rows missing," for one in above
    ]


def shuffled_and_repeated(seed: int, folder: Path) -> list[str]:
    """What is not as it should be after all files of a seed in random order, some of them twice."""
    told, chance = tell(invent(seed)), Chance(seed, "order of arrival")
    given = chance.shuffled([*told.arrivals, *(one for one in told.arrivals if chance.happens(100))])
    return Walked(folder / "lake", given, told.settings()).differences(told.expected)


def test_any_order_and_repetition_give_the_same_tables(tmp_path: Path) -> None:
    assert shuffled_and_repeated(20251, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_any_order_and_repetition_of_many_labels(seed: int, tmp_path: Path) -> None:
    assert shuffled_and_repeated(seed, tmp_path) == []
