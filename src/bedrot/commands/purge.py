"""The command for data that must go: purge, and what lets it come back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from bedrot.commands.common import BecauseOption, LakeOption, out, plain, writing
from bedrot.errors import Misconfigured

if TYPE_CHECKING:
    from bedrot.lake.zones import Lake
    from bedrot.walk.purge import Plan
    from bedrot.walk.purge_subject import Subject
    from bedrot.walk.run import Walk

app = typer.Typer()

_PATIENCE = 10.0
"""Seconds that a fetch under way may take before the purge is put off."""


@app.command()
def purge(
    because: BecauseOption,
    account: Annotated[
        tuple[str, str] | None, typer.Option("--account", metavar="SOURCE NAME", help="All data of an account.")
    ] = None,
    delivery: Annotated[
        list[str] | None, typer.Option("--delivery", metavar="ID", help="One delivery, by its id; may come again.")
    ] = None,
    allow: Annotated[
        str | None, typer.Option("--allow", metavar="ID", help="Instead: let a purged delivery come back.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    backup: Annotated[
        list[Path] | None, typer.Option("--backup", metavar="FOLDER", help="Then back up there, without older backups.")
    ] = None,
    lake: LakeOption = None,
) -> None:
    """Remove data that must go from every file of the lake; a tombstone without names keeps it from coming back."""
    from bedrot.walk import purge as work
    from bedrot.walk.run import Walk

    now = datetime.now(UTC)
    if allow is not None and (account or delivery or backup):
        raise Misconfigured("--allow stands alone.", "Give it with --because only.")
    with writing(lake) as (where, ledger, settings), ExitStack() as held:
        walk = Walk(where, ledger, settings, settings.run.workers)
        if allow is not None:
            found = work.allow(walk, allow, because, now)
            _say(f"The same file may be imported again ({len(found)} purged under that content).")
            return
        _check(walk, account, backup or [])
        ask = work.Ask(because, account, tuple(delivery or ()))
        with work.planned(walk, ask, now) as plan:
            for sentence in _told(where, plan, dry_run=dry_run):
                _say(sentence)
            if dry_run:
                return
            _refuse_settings(where, plan)
            if not yes:
                _confirm(plan)
            _keep_fetches_out(where, plan.subject, held)
            number = work.carry_out(walk, plan, now)
        _say(f"Done: nothing of it is in the lake any more. Published is snapshot {number}." if number else "Done.")
        left = list(_backed_up(where, backup or [], now))
        for sentence in (*left, *_last_steps(plan, backup or [])):
            _say(sentence)
    if left:
        raise typer.Exit(1)


def _check(walk: Walk, account: tuple[str, str] | None, targets: Sequence[Path]) -> None:
    """Misconfigured for a source that does not exist, and for a folder that can be no backup, before anything goes."""
    from bedrot.walk.backup import store_for

    names = [one.name for one in walk.sources]
    if account and account[0] not in names:
        raise Misconfigured(f"There is no source '{plain(account[0])}'.", f"There are: {', '.join(names)}.")
    for target in targets:
        store_for(walk.lake, target).check()


def _refuse_settings(lake: Lake, plan: Plan) -> None:
    """Misconfigured where the settings, of which tables are made and which go into every backup, name what must go."""
    if _settings_name(lake, plan):
        raise Misconfigured(
            "bedrot.toml names the account, and so would the tables and every new backup.",
            "Take the account out of bedrot.toml first, then give the same command again.",
        )


def _settings_name(lake: Lake, plan: Plan) -> bool:
    return plan.files.is_named(lake.config_path.read_text(encoding="utf-8"))


def _told(lake: Lake, plan: Plan, *, dry_run: bool) -> Iterator[str]:
    """What goes, sentence by sentence."""
    would = "Would go" if dry_run else "Goes"
    subject = plan.subject
    if not (plan.paths or plan.files.lines):
        yield "Nothing of it is in a file of the lake; the ledger is cleared of it all the same."
    for one in subject.deliveries:
        file = f"{one.name}, exported {one.exported_at:%Y-%m-%d}"
        yield f"{would}: delivery {one.id[:12]}, {one.feed} ({one.account}), {file}"
    for gone in subject.gone:
        yield f"Delivery {gone.target[:12]} was purged on {gone.at:%Y-%m-%d} already."
    yield f"{would}: {plan.rows:,} rows, {len(plan.paths):,} files."
    if plan.states:
        told = ", ".join(map(str, plan.states))
        yield f"{would}: published snapshots that held it: {told}. Every table is published anew without it."
    for each in plan.repacks:
        what = f"{len(each.keep):,} of {len(each.bundle.entries):,} files stay" if each.keep else "nothing of it stays"
        yield f"{would}: bundle {lake.relative(each.bundle.path)} ({what})."
    for path in plan.paths:
        yield f"  {lake.relative(path)}"
    for path in plan.files.lines:
        yield f"Loses the lines that name it: {lake.relative(path)}"
    shared = {one.object for one in subject.deliveries} - subject.objects
    for sha256 in sorted(shared):
        yield f"Stays: the bytes {sha256[:12]}, which another delivery has too."


def _confirm(plan: Plan) -> None:
    """Let a person type what must go; Misconfigured where it is not that."""
    word = plan.subject.account[1] if plan.subject.account else "purge"
    out.print(escape(f"This cannot be undone. To go on, type {plain(word)}: "), end="")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != word:
        raise Misconfigured("That was not typed, so nothing was removed.", "Give the command again, or with --yes.")


def _keep_fetches_out(lake: Lake, subject: Subject, held: ExitStack) -> None:
    """Be the only one that asks its sources, where anybody ever asked them; Busy where a fetch is under way."""
    from bedrot.connect.alone import alone

    if lake.pulls.is_dir():
        for source in subject.sources:
            held.enter_context(alone(source, source, (lake.pulls,), _PATIENCE))


def _backed_up(lake: Lake, targets: Sequence[Path], now: datetime) -> Iterator[str]:
    """Make new backups, and forget all older ones; what did not come about, as sentences."""
    from bedrot.errors import BedrotError
    from bedrot.walk.backup import back_up, forget_older

    for target in targets:
        try:
            done = back_up(lake, target, now)
            if done.damaged or done.missing:
                yield f"The new backup in {target} is not whole, so the older ones stay, and hold it still."
                continue
            gone = forget_older(target)
        except BedrotError as wrong:
            yield f"The backups in {target} may hold it still: {wrong} Then give the same command again."
            continue
        _say(f"Backed up to {target}; {len(gone):,} older backups are forgotten.")


def _last_steps(plan: Plan, targets: Sequence[Path]) -> Iterator[str]:
    """What only a person can do."""
    from bedrot.connect.states import command

    yield from plan.files.left
    if plan.subject.account:
        source, name = plan.subject.account
        yield f"Remove its log-in, if there is one: {command('logout', source, name)}"
    others = "Other copies" if targets else "Copies"
    yield (
        f"{others} made elsewhere (backups, exports, files that you downloaded) still hold it, and so does the service"
        " itself."
    )


def _say(sentence: str) -> None:
    """One sentence."""
    out.print(escape(plain(sentence)))
