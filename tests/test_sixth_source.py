"""A further source is one folder: the one that docs/add-a-source.md writes works everywhere, with no other edit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/add-a-source.md").read_text(encoding="utf-8")
SAMPLE = "kiosk-2025-07-01.csv"


def _block(kind: str) -> str:
    """The one block of that kind on the page."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, kind
    return str(found[0])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source as the page writes it, and a lake with its sample walked."""
    folder = tmp_path_factory.mktemp("sixth")
    kiosk = folder / "my-sources" / "kiosk"
    (kiosk / "golden").mkdir(parents=True)
    (kiosk / "__init__.py").write_text(_block("python"), encoding="utf-8")
    (kiosk / "lines.sql").write_text(_block("sql"), encoding="utf-8")
    (kiosk / "golden" / SAMPLE).write_text(_block("csv"), encoding="utf-8", newline="")
    assert _bedrot(folder, "init", "lake").returncode == 0
    assert _bedrot(folder, "import", "--lake", "lake", str(kiosk / "golden" / SAMPLE)).returncode == 0
    ran = _bedrot(folder, "run", "--lake", "lake", "--json")
    assert ran.returncode == 1, ran.stderr
    (folder / "run.json").write_text(ran.stdout, encoding="utf-8")
    return folder


def _python(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own that is told of the folder by the environment alone."""
    telling = {**os.environ, "BEDROT_SOURCES": str(home / "my-sources"), "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
    telling.pop("BEDROT_LAKE", None)
    return subprocess.run(
        [sys.executable, *words], cwd=home, env=telling, capture_output=True, encoding="utf-8", check=False
    )


def _bedrot(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return _python(home, "-m", "bedrot", *words)


def _ask(home: Path, query: str) -> list[dict[str, object]]:
    done = _bedrot(home, "sql", query, "--lake", "lake", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_the_run_accounts_for_every_record_and_cent(home: Path) -> None:
    told = json.loads((home / "run.json").read_text(encoding="utf-8"))
    assert (told["records"], told["rows"], told["rejected"]) == (4, 3, 1)
    assert Decimal(told["money"]["kiosk_sales.earned"]["file"]) == Decimal("3.90")
    assert told["failed"] == []


def test_its_staging_table_can_be_asked(home: Path) -> None:
    rows = _ask(home, "select isrc, copies, earned::varchar as earned from staging.kiosk_sales order by all")
    assert [(row["isrc"], row["copies"]) for row in rows] == [("QZNVA2500001", 2)] * 2 + [("QZNVA2500002", 1)]


def test_its_rows_are_in_the_marts(home: Path) -> None:
    rows = _ask(home, "select source, store, units, currency, _locator from royalties order by _locator")
    assert [row["source"] for row in rows] == ["kiosk"] * 3
    assert {row["currency"] for row in rows} == {"EUR"}
    months = _ask(home, "select sale_month::varchar as m, sum(units)::int as units from royalties_monthly group by all")
    assert months == [{"m": "2025-06-01", "units": 5}]
    recordings = _ask(home, "select isrc from recordings order by all")
    assert [row["isrc"] for row in recordings] == ["QZNVA2500001", "QZNVA2500002"]


def test_status_tells_of_it(home: Path) -> None:
    told = json.loads(_bedrot(home, "status", "--lake", "lake", "--json").stdout)
    (feed,) = told["feeds"]
    assert (feed["feed"], feed["data_until"], feed["rows"], feed["rejected"]) == ("kiosk.sales", "2025-06-17", 3, 1)


def test_its_bad_line_is_set_aside_with_line_and_reason(home: Path) -> None:
    done = _bedrot(home, "rejects", "--lake", "lake", "--json")
    (row,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert (row["file"], row["line"]) == (SAMPLE, "line 5")
    assert "copies: 'one' is not a whole number" in row["reason"]


def test_why_follows_its_rows_to_their_lines(home: Path) -> None:
    done = _bedrot(home, "why", "royalties", "--where", "title = 'High Water'", "--lake", "lake")
    assert done.returncode == 0, done.stderr
    assert "2025-06-17,QZ-NVA-25-00002,Nova Lights,High Water,1,0.6500" in done.stdout.replace('"', "")


def test_the_dictionary_and_the_page_of_sources_find_it(home: Path) -> None:
    code = (
        "import os; from pathlib import Path; from bedrot.sources import find_sources;"
        "from bedrot.tell.dictionary import *; from bedrot.tell.manual import sources_page;"
        "found = find_sources([Path(os.environ['BEDROT_SOURCES'])]);"
        "print(dictionary_page(dictionary(found))); print(sources_page(found))"
    )
    said = _python(home, "-c", code)
    assert said.returncode == 0, said.stderr
    assert "## staging.kiosk_sales" in said.stdout
    assert "`Earned (EUR)`" in said.stdout
    assert "## The Kiosk" in said.stdout


def test_it_is_found_by_the_settings_too(home: Path) -> None:
    lake = home / "lake-by-settings"
    telling = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT_")}

    def bedrot(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bedrot", *words], cwd=home, env=telling, capture_output=True, encoding="utf-8",
            check=False,
        )  # fmt: skip

    sample = str(home / "my-sources" / "kiosk" / "golden" / SAMPLE)
    bedrot("init", str(lake))
    before = bedrot("import", "--lake", str(lake), sample)
    assert (before.returncode, "unrecognised" in before.stdout) == (1, True)
    settings = lake / "bedrot.toml"
    settings.write_text('sources = ["../my-sources"]\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")
    after = bedrot("import", "--lake", str(lake), sample)
    assert after.returncode == 0, after.stdout
    assert "kiosk.sales" in after.stdout


def test_its_golden_answer_is_written_and_holds(home: Path) -> None:
    done = _bedrot(home, "golden", "kiosk", *_lake_of_golden(home))
    assert done.returncode == 0, done.stderr
    told = json.loads((home / "my-sources/kiosk/golden" / f"{SAMPLE}.expected.json").read_text(encoding="utf-8"))
    assert told["tables"]["kiosk_sales"]["rejects"][0].startswith("line 5: copies")


def _lake_of_golden(home: Path) -> list[str]:
    """The option --lake, where the command has it."""
    said = _bedrot(home, "golden", "--help").stdout
    return ["--lake", "lake"] if "--lake" in said else []


def test_rebuild_and_verify_keep_it(home: Path) -> None:
    done = _bedrot(home, "rebuild", "--lake", "lake")
    assert done.returncode == 0, done.stdout + done.stderr
    checked = _bedrot(home, "verify", "--lake", "lake")
    assert checked.returncode in {0, 1}, checked.stdout + checked.stderr


def test_the_contract_suite_holds_for_it_in_the_package(home: Path, tmp_path: Path) -> None:
    package = tmp_path / "bedrot"
    shutil.copytree(ROOT / "src/bedrot", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(home / "my-sources/kiosk", package / "sources/kiosk", ignore=shutil.ignore_patterns("__pycache__"))
    telling = {name: value for name, value in os.environ.items() if not name.startswith(("BEDROT_", "PYTEST_"))}
    telling["PYTHONPATH"] = str(tmp_path)

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=ROOT, env=telling, capture_output=True, encoding="utf-8", check=False
        )

    written = python("bedrot", "golden", "kiosk")
    assert written.returncode == 0, written.stderr
    suite = (
        "pytest",
        "tests/sources/test_contract.py",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        "kiosk",
    )
    done = python(*suite)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 10

    expected = package / "sources/kiosk/golden" / f"{SAMPLE}.expected.json"
    expected.write_text(expected.read_text(encoding="utf-8").replace('"3.9"', '"4.9"'), encoding="utf-8")
    assert python(*suite).returncode == 1, "a wrong golden answer was not seen"
