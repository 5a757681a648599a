"""The generated pages of the manual: the command's help, the errors, and what is known of each source."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from bedrot import errors
from bedrot.contract import Source
from bedrot.sources import folder_of

ABOUT = "about.md"
"""A source's own page beside its code: how to get its files, the traps handled, and what was not verified."""

_MADE = "do not edit."


class Parameter(Protocol):
    """An argument or option of a command, as far as the manual shows it."""

    name: str | None
    opts: list[str]
    secondary_opts: list[str]
    required: bool
    param_type_name: str


class Command(Protocol):
    """A command of the command line, as far as the manual shows it."""

    name: str | None
    help: str | None
    params: Sequence[Parameter]


def cli_page(commands: Mapping[str, Command]) -> str:
    """The commands, by name, with their arguments and options as a Markdown page; those of a group behind it."""
    commands = dict(_each(commands))
    lines = ["# The command", "", f"Generated from the help of `bedrot`: {_MADE}", ""]
    lines += ["| command | what it does |", "| --- | --- |"]
    lines += [f"| [`bedrot {name}`](#bedrot-{name}) | {_cell(one.help or '')} |" for name, one in commands.items()]
    lines.append("")
    for name, one in commands.items():
        lines += [f"## bedrot {name}", "", _cell(one.help or ""), ""]
        shown = [param for param in one.params if "--help" not in param.opts]
        if shown:
            lines += ["| argument or option | meaning |", "| --- | --- |"]
            lines += [f"| {_spelled(param)} | {_cell(getattr(param, 'help', None) or '')} |" for param in shown]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _each(commands: Mapping[str, Command], group: str = "") -> Iterator[tuple[str, Command]]:
    """Each command by its whole name."""
    for name, one in commands.items():
        yield f"{group}{name}", one
        yield from _each(getattr(one, "commands", {}), f"{group}{name} ")


def _spelled(param: Parameter) -> str:
    """How an argument or option is written, and whether it must be."""
    if param.param_type_name == "argument":
        name = (getattr(param, "metavar", None) or param.name or "").upper()
        return f"`{name}`" if param.required else f"`[{name}]`"
    spelled = ", ".join(f"`{one}`" for one in (*param.opts, *param.secondary_opts))
    return f"{spelled} (required)" if param.required else spelled


def exit_codes_page() -> str:
    """The exit codes, and each error with the code it ends in, as a Markdown page."""
    lines = [
        "# Exit codes",
        "",
        f"Generated from the classes of errors: {_MADE}",
        "",
        "| code | meaning |",
        "| --- | --- |",
        "| 0 | nothing needs a person |",
        "| 1 | something was refused, rejected or held, or waits for a fact that a person has to tell |",
        "| 2 | the command failed; what was published before stands |",
        "| 130, 143 | somebody stopped it (Ctrl-C, SIGTERM): what was acknowledged is safe, run it again to go on |",
        "",
        "| error | code | what it means and what to do |",
        "| --- | --- | --- |",
    ]
    for name, found in inspect.getmembers(errors, inspect.isclass):
        if issubclass(found, errors.BedrotError) and found is not errors.BedrotError:
            lines.append(f"| `{name}` | {found.exit_code} | {_cell(inspect.getdoc(found) or '')} |")
    return "\n".join(lines) + "\n"


def sources_page(sources: Sequence[Source]) -> str:
    """What is known of each source as a Markdown page: its files, its tables, and what its own page tells."""
    lines = ["# Sources", "", f"Generated from the folders of the sources: {_MADE}", ""]
    lines += ["| source | files | what the service remembers |", "| --- | --- | --- |"]
    for source in sources:
        kinds = len(source.feeds)
        files = "one kind" if kinds == 1 else f"{kinds} kinds"
        lines.append(f"| [{source.title}](#{_anchor(source.title)}) | {files} | {source.remembers.words} |")
    lines.append("")
    for source in sources:
        lines += _source(source)
    return "\n".join(lines).rstrip() + "\n"


def _source(source: Source) -> Iterator[str]:
    """One source as Markdown."""
    yield from (f"## {source.title}", "", f"The source `{source.name}`.", "")
    yield from ("| feed | what the file is | fills |", "| --- | --- | --- |")
    for feed in source.feeds:
        tables = ", ".join(f"[`{one.name}`](reference/dictionary.md#staging{one.name})" for one in feed.tables)
        yield f"| `{feed.name}` | {_cell(feed.about)} | {tables} |"
    yield from ("", f"What it remembers: {source.remembers.words}. {source.remembers.evidence}", "")
    own = folder_of(source) / ABOUT
    if own.is_file():
        yield from (own.read_text(encoding="utf-8").strip(), "")


def _anchor(heading: str) -> str:
    """The anchor that Markdown gives to a heading."""
    plain = "".join(char for char in heading.lower() if char.isalnum() or char in " -_")
    return plain.replace(" ", "-")


def _cell(text: str) -> str:
    """Text that breaks no table."""
    return " ".join(text.split()).replace("|", "\\|")
