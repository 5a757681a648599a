"""What a command loads before it begins: the engine only where SQL is asked, and nothing that is slow to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bedrot.sources import find_sources, folder_of

SLOW = {"duckdb", "pydantic", "pydantic_core", "pytz", "openpyxl", "rich.progress"}
BANK = next(folder_of(one) for one in find_sources() if one.name == "distrokid") / "golden" / "bank_2019.tsv"
LOADED = "print(*sorted(set(sys.modules) & set(sys.argv.pop().split())), sep='\\n', file=sys.stderr)"
IMPORTED = f"import sys, bedrot.cli\n{LOADED}"
CALLED = (
    f"import sys, atexit\nslow = sys.argv.pop()\natexit.register(lambda: (sys.argv.append(slow), {LOADED}))\n"
    "from bedrot.cli import main\nmain()"
)


def loaded(script: str, *words: str | Path) -> list[str]:
    """Which of the slow modules a process has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words), " ".join(SLOW)], capture_output=True, text=True, check=True
    )
    return done.stderr.split()


def test_the_program_loads_nothing_slow() -> None:
    assert loaded(IMPORTED) == []


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("import", "--help"), ("sql", "--help")])
def test_to_say_what_it_is_it_loads_nothing_slow(words: tuple[str, ...]) -> None:
    assert loaded(CALLED, *words) == []


def test_an_import_needs_no_engine(tmp_path: Path) -> None:
    assert loaded(CALLED, "init", tmp_path) == []
    assert loaded(CALLED, "import", "--exported-at", "2019-06-01", BANK, "--lake", tmp_path) == []
    assert len(list((tmp_path / "raw" / "deliveries").glob("*.json"))) == 1


def test_a_question_is_seen_to_need_the_engine(tmp_path: Path) -> None:
    assert loaded(CALLED, "init", tmp_path) == []
    assert "duckdb" in loaded(CALLED, "status", "--lake", tmp_path)
