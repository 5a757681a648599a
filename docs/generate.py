#!/usr/bin/env python
"""Write the generated pages: `python docs/generate.py` after a contract, a mart or the command has changed."""

from __future__ import annotations

from pathlib import Path

import typer

from bedrot.cli import app
from bedrot.sources import find_sources
from bedrot.tell.dictionary import dictionary, dictionary_page
from bedrot.tell.manual import cli_page, exit_codes_page, sources_page

DOCS = Path(__file__).parent


def pages() -> dict[str, str]:
    """The text of each generated page, by its path below `docs`."""
    sources = find_sources()
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # an app of many commands is a group
    return {
        "sources.md": sources_page(sources),
        "exit-codes.md": exit_codes_page(),
        "reference/cli.md": cli_page(commands),
        "reference/dictionary.md": dictionary_page(dictionary(sources)),
    }


def main() -> None:
    """Write each page."""
    for name, text in pages().items():
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
