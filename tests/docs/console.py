"""Runs the ```console blocks of a page; `python tests/docs/console.py PAGE…` writes their outputs anew.

A line that begins with `$ ` is a command; what follows is its output. `cd` moves on. A page's blocks run one after
another in a copy of the project's folder that holds the samples of the sources only. An output line `…` stands for
any lines.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHOWN = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])(?:[0-9a-f]{32}|[0-9a-f]{12})\b"), "<id>"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b"), "<instant>-<hash>"),
)
"""What differs from one run to the next, and what a page shows in its place."""


@dataclass
class Shown:
    """A command of a page, and the output that the page shows for it."""

    command: str
    output: list[str] = field(default_factory=list)


def commands(block: str) -> Iterator[Shown]:
    """The commands of one block with what is shown below each."""
    one: Shown | None = None
    for line in block.splitlines():
        if line.startswith("$ "):
            if one:
                yield one
            one = Shown(line[2:])
        elif one is None:
            raise ValueError(f"'{line}' stands before the first command")
        else:
            one.output.append(line.rstrip())
    if one:
        yield one


class Console:
    """A shell of few words: `cd`, and `bedrot` with its arguments."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.place = self.home
        for golden in (ROOT / "src/bedrot/sources").glob("*/golden"):
            shutil.copytree(golden, self.home / golden.relative_to(ROOT))

    def run(self, command: str) -> list[str]:
        """The lines that a command prints, and its exit code where it is not 0."""
        words = shlex.split(command)
        if words[0] == "cd":
            self.place = (self.place / words[1]).resolve()
            return []
        if words[0] != "bedrot":
            raise ValueError(f"a page runs bedrot and cd only, not '{words[0]}'")
        telling = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "TERM": "dumb"}
        for name in ("BEDROT_LAKE", "BEDROT_SOURCES"):
            telling.pop(name, None)
        done = subprocess.run(
            [sys.executable, "-m", "bedrot", *words[1:]],
            cwd=self.place, env=telling, encoding="utf-8", check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        lines = [self._stable(line) for line in done.stdout.splitlines()]
        return [*lines, f"(exit code {done.returncode})"] if done.returncode else lines

    def _stable(self, line: str) -> str:
        """A line without what differs from run to run."""
        line = line.replace(json.dumps(str(self.home))[1:-1], "…").replace(str(self.home), "…")
        line = line.replace("\\\\", "/").replace("\\", "/") if "…" in line else line
        for pattern, instead in _SHOWN:
            line = pattern.sub(instead, line)
        return line.rstrip()


def agrees(shown: list[str], told: list[str]) -> bool:
    """Whether an output is what a page shows, where the line `…` stands for any number of lines."""
    if "…" not in shown:
        return shown == told
    cut = shown.index("…")
    head, rest = shown[:cut], shown[cut + 1 :]
    return told[:cut] == head and any(agrees(rest, told[at:]) for at in range(cut, len(told) + 1))


def run_page(text: str, home: Path) -> str:
    """The page with the outputs that its commands have now; what agrees stays as it is shown."""
    console = Console(home)

    def anew(found: re.Match[str]) -> str:
        if found[1] != "console":
            return found[0]
        lines = []
        for one in commands(found[2]):
            told = console.run(one.command)
            lines += [f"$ {one.command}", *(one.output if agrees(one.output, told) else told)]
        return "```console\n" + "\n".join(lines) + "\n```"

    return BLOCK.sub(anew, text)


def main() -> None:
    """Write the outputs of the pages named anew."""
    for name in sys.argv[1:]:
        path = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            text = run_page(path.read_text(encoding="utf-8"), Path(folder))
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
