"""The page of the command says what the command's help says."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import typer
from console import ROOT

from bedrot.cli import app
from bedrot.tell.manual import cli_page

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PAGE = ROOT / "docs/reference/cli.md"


def test_the_page_is_that_of_the_command() -> None:
    assert PAGE.read_text(encoding="utf-8") == cli_page(COMMANDS), "run: python docs/generate.py"


@pytest.mark.parametrize("name", ["import", "run", "sql", "status"])
def test_the_page_agrees_with_the_help_that_a_person_sees(name: str) -> None:
    telling = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1"}
    said = subprocess.run(
        [sys.executable, "-m", "bedrot", name, "--help"], capture_output=True, encoding="utf-8", env=telling, check=True
    ).stdout
    section = PAGE.read_text(encoding="utf-8").split(f"## bedrot {name}\n")[1].split("\n## ")[0]
    options = [word for word in section.replace("`", " ").replace(",", " ").split() if re.match("--[a-z]", word)]
    assert options
    assert [one for one in options if one not in said] == []
    assert section.strip().splitlines()[0] in " ".join(said.split())


def test_every_command_and_option_has_a_sentence() -> None:
    for name, command in COMMANDS.items():
        assert (command.help or "").strip(), name
        for param in command.params:
            if "--help" not in param.opts:
                assert getattr(param, "help", None), f"{name} {param.name}"


def test_the_commands_of_the_manual_are_there() -> None:
    wanted = (
        "init import run status rejects held vanished approve retract reassign sql why diff verify rebuild export demo"
    )
    assert set(wanted.split()) <= set(COMMANDS)
