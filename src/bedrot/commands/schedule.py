"""The commands of the schedule: show, install, remove, run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, located, logged, out, plain
from bedrot.config import Settings, read_settings
from bedrot.errors import Busy
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    from bedrot.watch.install import Scheduler

app = typer.Typer(no_args_is_help=True, help="Do the lake's work at its times, without anybody there.")

System = Literal["systemd", "cron", "windows"]
ForOption = Annotated[System | None, typer.Option("--for", help="The scheduler; what there is, if left out.")]

_SHOWN = 5


@app.command()
def show(system: ForOption = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Tell when the work is due and how that stands; with --for print what a scheduler would be given."""
    from bedrot.watch.schedule import read_installed, scheduler_state, times_of
    from bedrot.watch.timers import Start, shown

    where, settings = _told(lake)
    now = datetime.now(UTC)
    if system:
        for name, text in shown(system, Start.of(where), times_of(settings.schedule), now):
            sys.stdout.write((f"# {name}\n" if system == "systemd" else "") + text)
        return
    found = scheduler_state(where, settings, now)
    coming = _coming(settings, now)
    if as_json:
        told: dict[str, Any] = {name: _plain(value) for name, value in vars(found).items()}
        told["coming"] = [{"at": at.isoformat(), "command": command} for at, command in coming]
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
        return
    _say(_definition(settings))
    for at, command in coming:
        _say(f"  {at:%a %Y-%m-%d %H:%M} UTC, here {at.astimezone():%a %H:%M}: bedrot {command}")
    installed = read_installed(where)
    if installed and installed.system:
        _say(f"It is started by {installed.system}.")
    _say(found.sentence)
    if found.do:
        _say(f"What to do: {found.do}")


@app.command()
def install(system: ForOption = None, lake: LakeOption = None) -> None:
    """Let this computer's own scheduler do the work at its times: systemd, cron or the Windows Task Scheduler."""
    from bedrot.config import vault_of_environment
    from bedrot.watch.schedule import note_installed, said, times_of, upcoming

    where, settings = _told(lake)
    now = datetime.now(UTC)
    scheduler = _scheduler(where)
    chosen = system or scheduler.usual()
    for sentence in scheduler.install(chosen, times_of(settings.schedule), now):
        _say(sentence)
    note_installed(where, settings.schedule, chosen, now)
    if settings.schedule.job == "sync" and vault_of_environment()[1]:
        _say("Your log-ins are opened with BEDROT_VAULT_KEY, which the scheduler is not told: see docs/schedule.md.")
    _say(f"The next time is {said(upcoming(settings.schedule, now))}.")


@app.command()
def remove(lake: LakeOption = None) -> None:
    """Take the lake's schedule away from this computer's scheduler; the settings stay."""
    from bedrot.watch.schedule import note_installed, read_installed

    where, settings = _told(lake)
    done = _scheduler(where).remove()
    before = read_installed(where)
    if before is not None and before.system:
        note_installed(where, settings.schedule, "", datetime.now(UTC))
    for sentence in done or ["No scheduler of this computer starts it: there was nothing to remove."]:
        _say(sentence)


@app.command()
def run(
    once: Annotated[
        bool, typer.Option("--once", help="Do what is due and was not done, if anything is, and end.")
    ] = False,
    lake: LakeOption = None,
) -> None:
    """Keep the schedule in the foreground until Ctrl-C: do the work at its times, and once for all that was missed."""
    from bedrot import log
    from bedrot.watch.keeper import Keeper, only_keeper, ping, run_job

    where, settings = _told(lake)

    def schedule() -> Any:
        found = read_settings(where.config_path).schedule
        log.hide([found.ping])
        return found

    keeper = Keeper(
        where, schedule, lambda: datetime.now(UTC), time.sleep, lambda words: run_job(where, words), ping, _note
    )
    if once and not keeper.due():
        return
    try:
        with logged(where, settings), only_keeper(where):
            code = keeper.once() if once else keeper.watch()
    except Busy as busy:
        if not once:
            raise
        _say(f"{busy.sentence} {busy.do}")
        return
    if code:
        raise typer.Exit(code if 0 < code < 128 else 2)


def _told(lake: Path | None) -> tuple[Lake, Settings]:
    """The lake and its settings; Misconfigured where a source with times of its own is none."""
    from bedrot import log

    where, settings = located(lake)
    log.hide([settings.schedule.ping])
    if settings.schedule.sources:
        from bedrot.commands.connect import known_source
        from bedrot.sources import find_sources

        sources = {one.name: one for one in find_sources(settings.source_folders(where.root))}
        for name in settings.schedule.sources:
            known_source(sources, name)
    return where, settings


def _scheduler(lake: Lake) -> Scheduler:
    from bedrot.config import units_of_environment
    from bedrot.watch.install import Scheduler
    from bedrot.watch.timers import Start

    return Scheduler(lake, Start.of(lake), units_of_environment())


def _definition(settings: Settings) -> str:
    """The schedule as a sentence."""
    told = settings.schedule
    own = "".join(
        f"; {name} on {', '.join(one.days or told.days)} at {one.at or told.at}"
        for name, one in sorted(told.sources.items())
    )
    return f"bedrot {told.job} on {', '.join(told.days)} at {told.at} ({told.zone}){own}."


def _coming(settings: Settings, now: datetime) -> Sequence[tuple[datetime, str]]:
    """The next instants, and the command that each is for."""
    from bedrot.watch.keeper import words
    from bedrot.watch.schedule import times_of

    names: dict[datetime, list[str]] = {}
    for name, times in times_of(settings.schedule).items():
        for at in times.firings(now, now + timedelta(days=_SHOWN * 8)):
            names.setdefault(at, []).append(name)
    return [(at, " ".join(words(settings.schedule, names[at]))) for at in sorted(names)[:_SHOWN]]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _note(sentence: str) -> None:
    """A sentence of the keeper, at once, whoever reads it."""
    from bedrot.log import Kind, note

    note(Kind.EXTRACTION, "schedule", sentence=sentence)
    _say(sentence)
    sys.stdout.flush()


def _say(sentence: str) -> None:
    out.print(escape(plain(sentence)), soft_wrap=True)
