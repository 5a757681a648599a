"""The command `bedrot`: words in, tables and sentences out; the one place that prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

import bedrot
from bedrot.config import Settings, lake_of_environment, read_settings
from bedrot.errors import BedrotError, Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake

app = typer.Typer(
    name="bedrot",
    help="An independent label's data lake in one folder.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_out = Console(soft_wrap=True, highlight=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False)

LakeOption = Annotated[Path | None, typer.Option("--lake", help="The lake's folder; else BEDROT_LAKE, else the nearest.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
BecauseOption = Annotated[str, typer.Option("--because", help="The reason, kept for ever beside the decision.")]


def main() -> None:
    """Run the command; errors become a sentence and an exit code, never a traceback."""
    try:
        app()
    except BedrotError as wrong:
        _say_error(wrong)
        sys.exit(wrong.exit_code)
    except KeyboardInterrupt:
        _err.print("Stopped. What was acknowledged is safe; run the same command again to go on.")
        sys.exit(2)
    except Exception as defect:  # the one broad except of the package: no user ever sees a traceback
        _err.print(f"This is a mistake of the program, not yours: {escape(f'{type(defect).__name__}: {defect}')}")
        _err.print("Nothing was published. Please report it with the command that you gave.")
        sys.exit(2)


def _say_error(wrong: BedrotError) -> None:
    """Print an error: place and sentence, then what to do."""
    place = ", ".join(
        part
        for part in (wrong.file, f"line {wrong.line}" if wrong.line else "", f"heading '{wrong.heading}'" if wrong.heading else "")
        if part
    )
    _err.print(escape(f"{place}: {wrong.sentence}" if place else wrong.sentence))
    if wrong.do:
        _err.print(escape(f"What to do: {wrong.do}"))


@contextmanager
def opened(lake_option: Path | None) -> Iterator[tuple[Lake, Ledger, Settings]]:
    """The lake, its ledger and its settings, for reading."""
    lake = Lake.find(lake_option or lake_of_environment())
    settings = read_settings(lake.config_path)
    with Ledger(lake.ledger_path) as ledger:
        yield lake, ledger, settings


@contextmanager
def writing(lake_option: Path | None) -> Iterator[tuple[Lake, Ledger, Settings]]:
    """The same under the writer's lock."""
    lake = Lake.find(lake_option or lake_of_environment())
    with writer_lock(lake), opened(lake.root) as parts:
        yield parts


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
        _out.print(empty)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for heading in rows[0]:
        table.add_column(heading.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else escape(_plain(value)) for value in row.values()))
    _out.print(table)


def _plain(value: object) -> str:
    """A value as a person reads it: no control characters reach the terminal."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """An independent label's data lake in one folder."""
    if version:
        _out.print(bedrot.__version__)
        raise typer.Exit


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where the lake shall be.")] = Path()) -> None:
    """Make an empty lake: bedrot.toml with comments, the five zones, and a .gitignore."""
    lake = Lake.create(folder.resolve())
    with Ledger(lake.ledger_path):
        pass
    _out.print(f"An empty lake is ready in {escape(str(lake.root))}.")
    _out.print("Next: bedrot import the files that you downloaded, then bedrot run.")


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders or zips.")],
    account: Annotated[str | None, typer.Option(help="Whose data it is, where the files do not say.")] = None,
    exported_at: Annotated[str | None, typer.Option(help="The day of the download, where the files do not say.")] = None,
    received_at: Annotated[str | None, typer.Option(help="When you had got old files (kept as your claim).")] = None,
    accept_resaved: Annotated[bool, typer.Option(help="Take files that a spreadsheet damaged, as the oldest.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring files into the lake: a line each, accepted, repeat, refused and why, or unrecognised."""
    from bedrot.walk.accept import Door, Told
    from bedrot.walk.run import Walk

    told = Told(account, instant(exported_at, "--exported-at"), instant(received_at, "--received-at"), accept_resaved)
    with writing(lake) as (where, ledger, settings):
        walk = Walk(where, ledger, settings)
        accounts = {source.name: settings.accounts_of(source.name) for source in walk.sources}
        door = Door(where, ledger, walk.sources, accounts, walk.folders, told, datetime.now(UTC))
        rows, needs_person = [], False
        for outcome in door.offer(paths):
            needs_person = needs_person or outcome.needs_person
            rows.append(vars(outcome))
            if not as_json:
                _say_outcome(vars(outcome))
    if as_json:
        show(rows, as_json=True, empty="")
    elif any(row["verdict"] == "accepted" for row in rows):
        _out.print("Next: bedrot run")
    if needs_person:
        raise typer.Exit(1)


def _say_outcome(outcome: Mapping[str, str]) -> None:
    """One line for one file, and what to do below it."""
    what = f" {outcome['feed']} ({outcome['account']})" if outcome["account"] else ""
    why = f": {outcome['sentence']}" if outcome["sentence"] else ""
    _out.print(escape(_plain(f"{outcome['verdict']:<13}{outcome['name']}{what}{why}")))
    if outcome["do"]:
        _out.print(escape(f"{'':<13}What to do: {outcome['do']}"))


@app.command()
def run(
    workers: Annotated[int | None, typer.Option(help="How many deliveries are staged at once.", min=1)] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk what is new through all zones and publish it; a summary that accounts for each record and each cent."""
    from bedrot.walk.run import Walk, summary_json
    from bedrot.walk.run import run as walk_run

    with writing(lake) as (where, ledger, settings), _progress(as_json) as progress:
        began = ledger.start_run(datetime.now(UTC))
        summary = walk_run(Walk(where, ledger, settings, workers or settings.run.workers, progress))
        ledger.finish_run(began, datetime.now(UTC), "done", summary_json(summary))
    if as_json:
        sys.stdout.write(summary_json(summary) + "\n")
    else:
        _say_summary(json.loads(summary_json(summary)))
    if summary.failed or summary.rejected or summary.held:
        raise typer.Exit(1)


def _say_summary(summary: Mapping[str, Any]) -> None:
    """The summary of a run as sentences."""
    if summary["deliveries"]:
        ignored = sum(summary["ignored"].values())
        _out.print(
            f"{summary['records']:,} records in = {summary['rows']:,} staged + {summary['rejected']:,} rejected"
            f" + {ignored:,} ignored, from {summary['deliveries']:,} deliveries."
        )
    for column, money in summary["money"].items():
        unread = f", {money['unreadable']} rows unreadable" if money["unreadable"] else ""
        _out.print(f"  {column}: {money['file']} in the files = {money['staged']} staged + {money['rejected']} rejected{unread}")
    for wrong in summary["failed"]:
        _out.print(escape(f"  failed: {wrong}"))
    if summary["rejected"]:
        _out.print("  See why rows were set aside: bedrot rejects")
    if summary["held"]:
        _out.print(f"  {summary['held']} held: see bedrot held")
    if summary["published"]:
        _out.print(f"Published snapshot {summary['number']}.")
    else:
        _out.print(f"Nothing new; snapshot {summary['number']} stands.")


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A progress bar on a terminal, nothing elsewhere."""
    if quiet or not _err.is_terminal:
        yield lambda _step, _done, _all: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task("walk", total=None)
        yield lambda step, done, every: bar.update(task, description=step, completed=done, total=every or None)
