"""The command `bedrot`: its commands joined, and the one place where every error ends as a sentence."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

import bedrot
from bedrot import log
from bedrot.commands import (
    ask,
    collect,
    connect,
    decide,
    demo,
    doctor,
    due,
    fetch,
    keep,
    prove,
    purge,
    runs,
    schedule,
    sync,
    walk,
)
from bedrot.commands.common import err, out, say_error
from bedrot.commands.stop import Stoppable
from bedrot.errors import BedrotError

app = typer.Typer(
    name="bedrot",
    help="An independent label's data lake in one folder.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (walk, connect, fetch, sync, collect, due, doctor, ask, runs, decide, prove, keep, purge, demo):
    app.registered_commands += part.app.registered_commands
app.add_typer(runs.runs, name="runs")
app.add_typer(schedule.app, name="schedule")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """An independent label's data lake in one folder."""
    log.name_command(context.invoked_subcommand or "")
    if version:
        out.print(bedrot.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; errors become a sentence and an exit code, never a traceback, and nothing shows a secret."""
    with log.discreet_streams():
        try:
            with Stoppable():
                app()
        except BedrotError as wrong:
            say_error(wrong)
            sys.exit(wrong.exit_code)
        except Exception as defect:  # noqa: BLE001  the one broad except of the package: no user ever sees a traceback
            err.print(f"This is a mistake of the program, not yours: {escape(f'{type(defect).__name__}: {defect}')}")
            err.print("Nothing was published. Please report it with the command that you gave.")
            sys.exit(2)
