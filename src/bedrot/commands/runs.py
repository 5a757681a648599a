"""Commands about what happened: runs, logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bedrot.commands.common import JsonOption, LakeOption, instant, opened, show
from bedrot.errors import Misconfigured
from bedrot.log import Kind, events

if TYPE_CHECKING:
    from bedrot.lake.ledger import Run

app = typer.Typer()
runs = typer.Typer(help="List the runs of the walk; `show` tells of one.", invoke_without_command=True)

LastOption = Annotated[int, typer.Option("--last", help="How many of the newest.", min=1)]
_PLAIN = ("at", "kind", "event", "process", "command", "run")
_COUNTS = ("deliveries", "records", "rows", "rejected", "held", "vanished")


@runs.callback()
def list_(context: typer.Context, last: LastOption = 20, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List the runs of the walk, the newest last; `show` tells of one."""
    if context.invoked_subcommand:
        return
    with opened(lake) as (_where, ledger, _settings):
        found = ledger.runs()[-last:]
    show([_row(one) for one in found], as_json=as_json, empty="There was no run yet: bedrot run")


@runs.command("show")
def show_(
    number: Annotated[int, typer.Argument(help="The number of a run.")],
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what one run did: what it counted, and what stands in the log of it."""
    with opened(lake) as (where, ledger, _settings):
        found = next((one for one in ledger.runs() if one.id == number), None)
        if found is None:
            raise Misconfigured(f"There is no run {number}.", "See which there are: bedrot runs.")
        told = [_event(one) for one in _of_run(where.logs, number)]
    if as_json:
        show([{**_row(found), "summary": json.loads(found.summary), "log": told}], as_json=True, empty="")
        return
    show([_row(found)], as_json=False, empty="")
    show(told, as_json=False, empty="The log tells nothing of it any more.")


@app.command("logs")
def logs(
    run: Annotated[int | None, typer.Option("--run", help="Of one run only, by its number.")] = None,
    kind: Annotated[list[Kind] | None, typer.Option("--kind", help="Events of this kind only.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From a day or an instant on.")] = None,
    last: LastOption = 50,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened, the newest last: files that came, what was typed, made and published, and errors."""
    begin = instant(since, "--since")
    with opened(lake) as (where, _ledger, _settings):
        all_of_them = events(where.logs) if run is None else _of_run(where.logs, run)
        found = [
            one
            for one in all_of_them
            if (not kind or one["kind"] in kind) and (begin is None or datetime.fromisoformat(one["at"]) >= begin)
        ][-last:]
    rows: list[dict[str, Any]] = found if as_json else [_event(one) for one in found]
    show(rows, as_json=as_json, empty="The log tells of nothing like that.")


def _of_run(folder: Path, number: int) -> Iterator[dict[str, Any]]:
    """The events of the process that did a run: what it did before the run had a number belongs to it too."""
    told = list(events(folder))
    processes = {one.get("process") for one in told if one.get("run") == number}
    return (one for one in told if one.get("process") in processes and one.get("run", number) == number)


def _row(one: Run) -> dict[str, Any]:
    """A run as a line."""
    summary = json.loads(one.summary)
    took = one.finished_at - one.started_at if one.finished_at else None
    return {
        "run": one.id,
        "began": one.started_at.isoformat(timespec="seconds"),
        "seconds": round(took.total_seconds()) if took else None,
        "outcome": one.outcome,
        "snapshot": summary.get("number"),
        **{name: summary.get(name) for name in _COUNTS},
        "failed": len(summary.get("failed", [])),
    }


def _event(one: Mapping[str, Any]) -> dict[str, Any]:
    """An event as a line for a person."""
    rest = "; ".join(f"{name} {value}" for name, value in one.items() if name not in _PLAIN and value not in ("", {}))
    return {"at": one["at"][:19].replace("T", " "), "kind": one["kind"], "event": one["event"], "what": rest}
