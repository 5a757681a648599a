"""Commands that move data: init, import, run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, err, instant, out, plain, show, writing
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    from bedrot.config import Settings
    from bedrot.contract import Source
    from bedrot.walk.accept import Door, Told

app = typer.Typer()


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where the lake shall be.")] = Path()) -> None:
    """Make an empty lake: bedrot.toml with comments, the five zones, and a .gitignore."""
    lake = Lake.create(folder.resolve())
    with Ledger(lake.ledger_path):
        pass
    out.print(f"An empty lake is ready in {escape(str(lake.root))}.")
    out.print("Next: bedrot import the files that you downloaded, then bedrot run.")


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders or zips.")],
    account: Annotated[str | None, typer.Option(help="Whose data it is, where the files do not say.")] = None,
    exported_at: Annotated[
        str | None, typer.Option(help="The day of the download, where the files do not say.")
    ] = None,
    received_at: Annotated[str | None, typer.Option(help="When you had got old files (kept as your claim).")] = None,
    accept_resaved: Annotated[bool, typer.Option(help="Take files that a spreadsheet damaged, as the oldest.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring files into the lake: a line each, accepted, repeat, refused and why, or unrecognised."""
    from bedrot.sources import find_sources
    from bedrot.walk.accept import Told

    told = Told(account, instant(exported_at, "--exported-at"), instant(received_at, "--received-at"), accept_resaved)
    with writing(lake) as (where, ledger, settings):
        door = door_of(where, ledger, settings, find_sources(settings.source_folders(where.root)), told)
        rows, needs_person = [], False
        for outcome in door.offer(paths):
            needs_person = needs_person or outcome.needs_person
            rows.append(vars(outcome))
            if not as_json:
                say_outcome(vars(outcome))
    if as_json:
        show(rows, as_json=True, empty="")
    elif any(row["verdict"] == "accepted" for row in rows):
        out.print("Next: bedrot run")
    if needs_person:
        raise typer.Exit(1)


def door_of(lake: Lake, ledger: Ledger, settings: Settings, sources: Sequence[Source], told: Told) -> Door:
    """The way into the lake, with what the settings say of accounts; nothing that stages or curates is loaded."""
    from bedrot.walk.accept import Door

    accounts = {source.name: settings.accounts_of(source.name) for source in sources}
    return Door(lake, ledger, sources, accounts, told, datetime.now(UTC))


def say_outcome(outcome: Mapping[str, str]) -> None:
    """One line for one file, and what to do below it."""
    what = f" {outcome['feed']} ({outcome['account']})" if outcome["account"] else ""
    why = f": {outcome['sentence']}" if outcome["sentence"] else ""
    out.print(escape(plain(f"{outcome['verdict']:<13}{outcome['name']}{what}{why}")))
    if outcome["do"]:
        out.print(escape(plain(f"{'':<13}What to do: {outcome['do']}")))


@app.command()
def run(
    workers: Annotated[int | None, typer.Option(help="How many deliveries are staged at once.", min=1)] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk what is new through all zones and publish it; a summary that accounts for each record and each cent."""
    from bedrot.walk.accept import Told
    from bedrot.walk.inbox import take_inbox
    from bedrot.walk.run import Walk, begin, finish, summary_json
    from bedrot.walk.run import run as walk_run

    with writing(lake) as (where, ledger, settings):
        began = begin(ledger, datetime.now(UTC))
        with progress_of(as_json) as progress:
            walk = Walk(where, ledger, settings, workers or settings.run.workers, progress)
            inbox = take_inbox(door_of(where, ledger, settings, walk.sources, Told()))
            summary = walk_run(walk)
        if as_json:
            told = {**json.loads(summary_json(summary)), "inbox": [vars(outcome) for outcome in inbox]}
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        else:
            for outcome in inbox:
                say_outcome(vars(outcome))
            say_summary(json.loads(summary_json(summary)))
        sys.stdout.flush()
        finish(walk, began, summary, datetime.now(UTC))  # only now: what a person was not told, the next run tells
    if summary.failed or summary.rejected or summary.held or any(outcome.needs_person for outcome in inbox):
        raise typer.Exit(1)


def say_summary(summary: Mapping[str, Any]) -> None:
    """The summary of a run as sentences."""
    if summary["deliveries"]:
        ignored = sum(summary["ignored"].values())
        files = "1 file" if summary["deliveries"] == 1 else f"{summary['deliveries']:,} files"
        out.print(
            f"{summary['records']:,} records in = {summary['rows']:,} staged + {summary['rejected']:,} rejected"
            f" + {ignored:,} ignored, from {files}."
        )
    for column, money in summary["money"].items():
        file, staged, rejected = (Decimal(money[part]) for part in ("file", "staged", "rejected"))
        unreadable = int(money["unreadable"])
        if file or staged or rejected or unreadable:
            unread = f", unreadable in {unreadable} rejected" if unreadable else ""
            out.print(
                f"  {column}: {plain(file)} in the files = {plain(staged)} staged + {plain(rejected)} rejected{unread}"
            )
    for wrong in summary["failed"]:
        out.print(escape(f"  failed: {wrong}"))
    if summary["rejected"]:
        out.print("  See why rows were set aside: bedrot rejects")
    if summary["held"]:
        out.print(f"  {summary['held']} held: see bedrot held")
    if summary["published"]:
        out.print(f"Published snapshot {summary['number']}.")
    else:
        out.print(f"Nothing new; snapshot {summary['number']} stands.")


@contextmanager
def progress_of(quiet: bool) -> Iterator[Any]:
    """A progress bar on a terminal, nothing elsewhere."""
    if quiet or not err.is_terminal:
        yield lambda _step, _done, _all: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("walk", total=None)
        yield lambda step, done, every: bar.update(task, description=step, completed=done, total=every or None)
