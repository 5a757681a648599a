"""What the commands share: options, the lake they open, and how rows and errors are shown."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bedrot.config import Settings, lake_of_environment, read_settings
from bedrot.errors import BedrotError, Misconfigured, StorageFailed
from bedrot.lake.ledger import Ledger
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake
from bedrot.log import Log

_FILE_WIDTH = 200


def _console(*, stderr: bool) -> Console:
    """A console as wide as the terminal; into a file or pipe wide enough that no cell is folded."""
    console = Console(stderr=stderr, soft_wrap=True, highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    return console


out = _console(stderr=False)
err = _console(stderr=True)

LakeOption = Annotated[
    Path | None, typer.Option("--lake", help="The lake's folder; else BEDROT_LAKE, else the nearest.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
BecauseOption = Annotated[str, typer.Option("--because", help="The reason, kept for ever beside the decision.")]


def say_error(wrong: BedrotError) -> None:
    """Print an error: place and sentence, then what to do."""
    line = f"line {wrong.line}" if wrong.line else ""
    heading = f"heading '{wrong.heading}'" if wrong.heading else ""
    place = ", ".join(part for part in (wrong.file, line, heading) if part)
    err.print(escape(f"{place}: {wrong.sentence}" if place else wrong.sentence))
    if wrong.do:
        err.print(escape(f"What to do: {wrong.do}"))


def located(lake_option: Path | None) -> tuple[Lake, Settings]:
    """The lake that a person means, and its settings."""
    lake = Lake.find(lake_option or lake_of_environment())
    return lake, read_settings(lake.config_path)


@contextmanager
def opened(lake_option: Path | None) -> Iterator[tuple[Lake, Ledger, Settings]]:
    """The lake, its ledger and its settings, for reading."""
    lake, settings = located(lake_option)
    with logged(lake, settings), Ledger(lake.ledger_path) as ledger, _damage_named(lake):
        yield lake, ledger, settings


def logged(lake: Lake, settings: Settings) -> Log:
    """The log of this command, as a context."""
    return Log(lake.logs, settings.logs.days, (typer.Exit, typer.Abort))


@contextmanager
def _damage_named(lake: Lake) -> Iterator[None]:
    """Name the file where an error of the engine comes of a published or staged file that is not whole."""
    try:
        yield
    except _errors(BedrotError, engine="Error") as wrong:
        from bedrot.lake.damage import damage_behind

        found = damage_behind(wrong, lake, lambda: _files(lake))
        if found is None:
            raise
        raise found from wrong


def _errors(ours: type[Exception], *, engine: str) -> tuple[type[Exception], ...]:
    """A class of errors, and one of the engine's where the command that failed has loaded it."""
    loaded = sys.modules.get("duckdb")
    return (ours, getattr(loaded, engine)) if loaded else (ours,)


def _files(lake: Lake) -> dict[str, str]:
    """The files that a command may read, staged and published, by path, with their hashes where those are kept."""
    from bedrot.lake.damage import files_of
    from bedrot.lake.snapshot import current

    snapshot = current(lake)
    staged = {lake.relative(path): "" for path in lake.staging.rglob("*.parquet") if not path.name.startswith(".")}
    return staged | (files_of(snapshot) if snapshot else {})


@contextmanager
def writing(lake_option: Path | None) -> Iterator[tuple[Lake, Ledger, Settings]]:
    """The same under the writer's lock."""
    lake = Lake.find(lake_option or lake_of_environment())
    with writer_lock(lake), opened(lake.root) as parts, disk_refusals(lake):
        yield parts


@contextmanager
def disk_refusals(lake: Lake) -> Iterator[None]:
    """Turn what the disk and the engine say of scratch and tables that cannot be written into StorageFailed."""
    try:
        yield
    except _errors(OSError, engine="IOException") as failed:
        raise _storage_failed(lake, failed) from failed


def _storage_failed(lake: Lake, failed: Exception) -> StorageFailed:
    """What the disk's refusal means for a person."""
    full = getattr(failed, "errno", None) == errno.ENOSPC or "No space left" in str(failed)
    return StorageFailed(
        "The disk is full (ENOSPC)." if full else f"The disk refused a read or a write: {failed}",
        "Free some space, then run the same command again." if full else "Check the disk, then try again.",
        file=str(getattr(failed, "filename", None) or lake.root),
    )


def instant(told: str | None, option: str) -> datetime | None:
    """A day or an instant that a person gave, in UTC where no zone is told; Misconfigured when it is neither."""
    if told is None:
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError as wrong:
        raise Misconfigured(
            f"'{told}' is not a day or an instant.", f"Write {option} 2025-06-17, or {option} 2025-06-17T18:00:00Z."
        ) from wrong
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str, title: str = "") -> None:
    """Print rows as a table or as JSON; the sentence `empty` where there are none."""
    if as_json:
        sys.stdout.write(json.dumps(list(rows), ensure_ascii=False, indent=2, default=str) + "\n")
        return
    if not rows:
        out.print(empty)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for heading in rows[0]:
        table.add_column(heading.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else escape(plain(value)) for value in row.values()))
    out.print(table)


def plain(value: object) -> str:
    """A value as a person reads it: exact amounts without idle zeros, and no control character for the terminal."""
    if isinstance(value, Decimal):
        whole, _, decimals = f"{value:f}".partition(".")
        return f"{whole}.{decimals.rstrip('0'):0<2}" if decimals else whole
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
