"""What the pages show is what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import BLOCK, ROOT, Console, agrees, commands

PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
EXECUTED = [name for name in PAGES if "```console" in (ROOT / name).read_text(encoding="utf-8")]
PLAIN = {"console", "text", "python", "sql", "csv"}
"""Kinds of blocks: a console is run here, text is to be read, the others are used by the test of the sixth source."""


def test_the_tours_are_there() -> None:
    assert {"README.md", "docs/tour-owner.md", "docs/tour-engineer.md"} <= set(EXECUTED)


@pytest.mark.parametrize("page", EXECUTED)
def test_a_page_shows_what_its_commands_do(page: str, tmp_path: Path) -> None:
    console = Console(tmp_path)
    for kind, block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for one in commands(block) if kind == "console" else ():
            told = console.run(one.command)
            shown = "\n".join(one.output)
            assert agrees(one.output, told), f"$ {one.command}\nshown:\n{shown}\ntold:\n" + "\n".join(told)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_is_run_or_marked_as_text(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(BLOCK.findall(text)), "a block without an end"
    for kind, block in BLOCK.findall(text):
        assert kind in PLAIN, f"a block of the kind '{kind}'"
        assert kind == "console" or not any(line.startswith("$ ") for line in block.splitlines())
        if kind in {"python", "sql", "csv"}:
            assert page == "docs/add-a-source.md", "only the test of the sixth source runs such a block"


def test_a_wrong_output_is_seen(tmp_path: Path) -> None:
    told = Console(tmp_path).run("bedrot --version")
    assert agrees(["0.1.0"], told)
    assert not agrees(["0.2.0"], told)
    assert not agrees([], told)


def test_an_exit_code_is_part_of_the_output(tmp_path: Path) -> None:
    assert Console(tmp_path).run("bedrot run")[-1] == "(exit code 2)"


def test_left_out_lines_do_not_hide_others() -> None:
    assert agrees(["a", "…", "d"], ["a", "b", "c", "d"])
    assert agrees(["…", "d"], ["d"])
    assert not agrees(["a", "…", "d"], ["a", "b", "c"])
    assert not agrees(["a", "…", "d"], ["b", "c", "d"])


def test_a_page_runs_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bedrot and cd only"):
        Console(tmp_path).run("rm -rf label")


def test_the_two_commands_exist() -> None:
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\ndemo:" in targets
    assert "\ntest:" in targets
