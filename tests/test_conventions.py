"""The conventions of the house hold in the package, and each of them can fail."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bedrot
import conventions
from bedrot.marts.interfaces import INTERFACES
from bedrot.sources import find_sources
from conventions import MAY_NAME_SOURCES, MAY_READ_CLOCK, MAY_WRITE, RULES, breaches

PACKAGE = Path(bedrot.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))

PLANTED = {
    "broad_except": ("walk/run.py", "try:\n    go()\nexcept (ValueError, Exception):\n    pass\n"),
    "printing": ("walk/run.py", "print('done')\n"),
    "environment": ("lake/zones.py", "import os\nHOME = os.environ['HOME']\n"),
    "naive_datetime": ("lake/zones.py", "AT = datetime.now()\n"),
    "inexact_money": ("marts/parts.py", "QUERY = 'SELECT CAST(earnings AS DOUBLE) FROM lines'\n"),
    "writing": ("walk/run.py", "def f(path):\n    with path.open('w') as file:\n        file.write('x')\n"),
    "layers": ("lake/zones.py", "from bedrot.walk import run\n"),
    "clock_and_chance": ("walk/stage.py", "import random\n"),
    "sql_of_input": (
        "tell/why.py",
        "def f(con, account):\n    con.execute(f\"DELETE FROM t WHERE a = '{account}'\")\n",
    ),
    "long_modules": ("walk/run.py", "x = 1\n" * 400),
    "long_functions": ("walk/run.py", "def f():\n" + "    x = 1\n" * 61),
    "docstrings": ("walk/run.py", '"""A module."""\ndef public():\n    return 1\n'),
}

MORE_PLANTED = (
    ("broad_except", "cli.py", "try:\n    go()\nexcept Exception:\n    pass\ntry:\n    go()\nexcept:\n    pass\n"),
    ("naive_datetime", "lake/zones.py", "AT = datetime.fromtimestamp(0)\n"),
    ("naive_datetime", "lake/zones.py", "AT = date.today()\n"),
    ("inexact_money", "sources/x/read.py", "def f(text):\n    return float(text)\n"),
    ("writing", "walk/run.py", "import os\nos.replace('a', 'b')\n"),
    ("writing", "walk/run.py", "def f(path):\n    path.write_text('x')\n"),
    ("layers", "sources/one/read.py", "from bedrot.sources.other import tables\n"),
    ("layers", "sources/one/read.py", "from bedrot.lake import disk\n"),
    ("layers", "sources/one/read.py", "from bedrot import lake\n"),
    ("clock_and_chance", "marts/parts.py", "from datetime import UTC, datetime\nAT = datetime.now(UTC)\n"),
    ("clock_and_chance", "walk/fold.py", "QUERY = 'SELECT current_date'\n"),
    ("sql_of_input", "tell/why.py", "def f(con, t):\n    query = f'SELECT * FROM {t.name}'\n    con.execute(query)\n"),
    ("sql_of_input", "tell/why.py", "def f(con, x):\n    con.execute('SELECT {}'.format(x))\n"),
    ("sql_of_input", "tell/why.py", "def f(con, x):\n    con.execute('SELECT %s' % x)\n"),
    ("docstrings", "walk/run.py", "x = 1\n"),
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: conventions.Rule) -> None:
    broken = [
        said
        for path in MODULES
        for said in breaches(rule, path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert broken == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_planted_breach_is_seen(rule: conventions.Rule) -> None:
    assert breaches(rule, *PLANTED[rule.__name__])


@pytest.mark.parametrize(("name", "path", "text"), MORE_PLANTED)
def test_further_planted_breaches_are_seen(name: str, path: str, text: str) -> None:
    assert breaches(getattr(conventions, name), path, text)


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("broad_except", "cli.py", "try:\n    go()\nexcept Exception:\n    pass\n"),
        ("naive_datetime", "walk/run.py", "AT = datetime.now(UTC)\nTHEN = datetime.fromtimestamp(0, UTC)\n"),
        ("writing", "walk/run.py", "def f(path):\n    return path.open('rb')\n"),
        ("sql_of_input", "tell/why.py", "def f(con, a):\n    con.execute(f'SELECT {sql.text(a.name)}')\n"),
        ("layers", "tell/why.py", "from bedrot.walk import run\n"),
    ],
)
def test_what_is_right_is_let_be(name: str, path: str, text: str) -> None:
    assert breaches(getattr(conventions, name), path, text) == []


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [("writing", "MAY_WRITE"), ("clock_and_chance", "MAY_READ_CLOCK")],
)
def test_no_exception_is_kept_that_nobody_needs(rule: str, allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = getattr(conventions, allowed)
    monkeypatch.setattr(conventions, allowed, {})
    for path in needed:
        assert breaches(getattr(conventions, rule), path, (PACKAGE / path).read_text(encoding="utf-8")), path


def _names(text: str, words: list[str]) -> list[str]:
    """The words that a text holds, in any case, as words of their own or parts of a name_with_underscores."""
    return [word for word in words if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text, re.IGNORECASE)]


def _words(source: str, title: str) -> list[str]:
    """What names a source: its name and its title; nothing for one that is named like an interface, as words go."""
    return [] if source in INTERFACES else sorted({source, title.lower()})


def test_a_source_is_named_in_its_own_folder_only() -> None:
    found: dict[str, list[str]] = {}
    for source in find_sources():
        for path in (one for one in PACKAGE.rglob("*") if one.suffix in {".py", ".sql", ".csv"}):
            where = path.relative_to(PACKAGE).as_posix()
            if where.startswith("sources/") and where.split("/")[1] == source.name:
                continue
            if (where.startswith("sources/") and "golden" in where) or where.startswith("demo/"):
                continue  # the demo plays the part of the services
            text = path.read_text(encoding="utf-8")
            if named := _names(text, _words(source.name, source.title)):
                found.setdefault(where, []).extend(named)
    assert {where: named for where, named in found.items() if where not in MAY_NAME_SOURCES} == {}
    assert set(MAY_NAME_SOURCES) <= set(found), "an exception that nobody needs"


PARSING = ("bedrot.sources", "bedrot.contract", "bedrot.walk", "bedrot.tell", "bedrot.marts")


def test_what_writes_the_demo_shares_nothing_with_what_reads_it() -> None:
    found = {}
    for path in (PACKAGE / "demo").rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        taken = [line for line in lines if line.startswith(tuple(f"from {name}" for name in PARSING))]
        if taken:
            found[path.relative_to(PACKAGE).as_posix()] = taken
    assert found.keys() <= {"demo/given.py", "demo/__init__.py"}


def test_a_planted_source_name_is_seen() -> None:
    words = _words("kiosk", "The Kiosk")
    assert _names("if feed == 'kiosk':", words) == ["kiosk"]
    assert _names("SELECT * FROM staging.kiosk_sales", words) == ["kiosk"]
    assert _names("kiosks and unkiosk", words) == []


def test_each_mart_says_what_it_is() -> None:
    for path in (PACKAGE / "marts").glob("*.sql"):
        assert path.read_text(encoding="utf-8").startswith("/* mart\n"), path.name


FOREIGN = {
    "a path of one machine": re.compile(r"(?<![\w.~-])/(?:home|Users|root|work)/\w|[A-Z]:\\\\?Users"),
    "a host of a registry": re.compile(
        r"pypi\.org|pythonhosted|artifactory|index-url|extra-index|nexus\.", re.IGNORECASE
    ),
}


def _own_files() -> list[Path]:
    """The text files of the project, without the environment, caches, and the rules themselves."""
    names = ["README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "requirements.txt", ".ci/run"]
    folders = [ROOT / name for name in ("src", "docs", "tests", "benchmarks")]
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".sql", ".md", ".toml"}]
    return [*(ROOT / name for name in names), *(path for path in found if path.name != Path(__file__).name)]


def _foreign(text: str) -> list[str]:
    return [what for what, pattern in FOREIGN.items() if pattern.search(text)]


def test_nothing_of_one_machine_is_in_the_project() -> None:
    told = {str(path.relative_to(ROOT)): _foreign(path.read_text(encoding="utf-8")) for path in _own_files()}
    # The Makefile tells pip-compile to leave index addresses out, and names these options to do so.
    told["Makefile"] = _foreign((ROOT / "Makefile").read_text(encoding="utf-8").replace("--no-emit-index-url", ""))
    assert {name: what for name, what in told.items() if what} == {}


def test_planted_machine_paths_and_hosts_are_seen() -> None:
    assert _foreign("open('/home/anna/lake')")
    assert _foreign("--index-url https://example.org/simple")
    assert _foreign("see https://pypi.org/project/x")
    assert not _foreign("see docs/work/flow and src/home")


def test_the_lock_file_holds_hashes_and_no_address() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(pinned) > 10
    assert all(re.match(r"[a-zA-Z0-9_.-]+==[^ ]+", line) for line in pinned)
    assert not any("://" in line for line in lines)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


def test_exceptions_have_reasons() -> None:
    for allowed in (MAY_WRITE, MAY_READ_CLOCK, MAY_NAME_SOURCES):
        assert all(len(reason.split()) >= 3 for reason in allowed.values())


def test_every_module_is_looked_at() -> None:
    assert {"cli.py", "walk/run.py", "lake/disk.py"} <= {path.relative_to(PACKAGE).as_posix() for path in MODULES}
    assert all(ast.parse(path.read_text(encoding="utf-8")) for path in MODULES)
