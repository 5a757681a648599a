"""The command for every day, also without anybody there: sync asks for what is due, then runs the walk."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bedrot.commands.common import JsonOption, LakeOption, disk_refusals, opened, plain
from bedrot.commands.connect import known_source, open_own_vault
from bedrot.commands.fetch import Asking, Told
from bedrot.commands.walk import door_of, say_outcome, say_summary
from bedrot.errors import BedrotError

if TYPE_CHECKING:
    from bedrot.connect.vault import Vault
    from bedrot.lake.zones import Lake
    from bedrot.tell.arrived import Tally
    from bedrot.walk.accept import Outcome
    from bedrot.walk.run import Summary

app = typer.Typer()

_WAIT = 600.0
"""Seconds that others may write to the lake before the walk is left to the next time."""


@app.command()
def sync(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="The services; all of them, if left out.")
    ] = None,
    leave: Annotated[
        list[str] | None, typer.Option("--except", metavar="SOURCE", help="Do not ask this service; may be repeated.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first account that fails, and walk nothing.")
    ] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch what is due, then run: a line for each account, what is new, and what needs you. Asks nobody anything."""
    from bedrot.tell.arrived import tally

    with opened(lake) as (where, ledger, settings), disk_refusals(where):
        vault, locked = _vault()
        asking = Asking.of(where, ledger, settings, vault)
        wanted, lacking = _wanted(asking, sources or [], leave or [])
        told = locked or lacking
        before = tally(where, ledger, list(asking.sources.values()))
        for one in asking.ask(wanted, only_due=True) if wanted and not (strict and told) else ():
            told.append(one)
            if strict and not one.good:
                break
    if strict and told and not told[-1].good:
        _say_stopped(told, as_json=as_json)
        raise typer.Exit(2)
    try:
        found = _walk(where, told, before, as_json=as_json)
    except BedrotError:
        _say_accounts(told, None)
        raise
    if found.needs:
        raise typer.Exit(1)


def _vault() -> tuple[Vault | None, list[Told]]:
    """The person's vault; where it does not open, that nobody can be asked, which is no reason not to walk."""
    try:
        return open_own_vault(), []
    except BedrotError as wrong:
        return None, [Told("vault", "log-ins", wrong.verdict, wrong.sentence, wrong.do, needs_person=True)]


def _wanted(asking: Asking, sources: Sequence[str], leave: Sequence[str]) -> tuple[list[tuple[str, str]], list[Told]]:
    """The accounts that are meant and have a log-in; and of each source that was named and has none, that it lacks."""
    for name in (*sources, *leave):
        known_source(asking.sources, name)
    meant = [one for one in asking.logged_in() if (not sources or one[0] in sources) and one[0] not in leave]
    lacking = [name for name in dict.fromkeys(sources) if name not in {source for source, _ in meant} | {*leave}]
    told = [
        Told(
            name,
            account,
            "expired",
            f"Nobody is logged in to {asking.sources[name].title}.",
            f"Log in: bedrot login {name}.",
            needs_person=True,
        )
        for name in lacking
        for account in asking.settings.accounts_of(name) or ("main",)
    ]
    return meant, told


def _say_stopped(told: Sequence[Told], *, as_json: bool) -> None:
    """That the first failure stopped everything, and what it was."""
    from bedrot.commands import layout

    if as_json:
        accounts = [{**one.row(), "new_days": 0, "needs_person": one.needs_person} for one in told]
        last = f"{told[-1].source} {told[-1].account}: {told[-1].sentence} {told[-1].do}".strip()
        answer = {"accounts": accounts, "money_in": [], "run": None, "needs": [last]}
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
        return
    _say_accounts(told, None)
    layout.say("Stopped at the first failure, as --strict says: nobody else was asked, and nothing was walked.")


def _walk(lake: Lake, told: Sequence[Told], before: Tally, *, as_json: bool) -> _News:
    """Walk what is new, as `run` does, what lies in the inbox too; and say it before the run counts as told."""
    from bedrot.lake.lock import writer_lock
    from bedrot.tell.arrived import tally
    from bedrot.walk.accept import Told as Nothing
    from bedrot.walk.inbox import take_inbox
    from bedrot.walk.run import Walk, begin, finish
    from bedrot.walk.run import run as walk_run

    with writer_lock(lake, _WAIT), opened(lake.root) as (where, ledger, settings), disk_refusals(lake):
        began = begin(ledger, datetime.now(UTC))
        walk = Walk(where, ledger, settings, settings.run.workers)
        inbox = take_inbox(door_of(where, ledger, settings, walk.sources, Nothing()))
        summary = walk_run(walk)
        found = _News(told, before, tally(where, ledger, walk.sources), summary, inbox)
        if as_json:
            sys.stdout.write(json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n")
        else:
            found.say()
        sys.stdout.flush()
        finish(walk, began, summary, datetime.now(UTC))
    return found


@dataclass(frozen=True)
class _News:
    """What a sync brought."""

    told: Sequence[Told]
    before: Tally
    after: Tally
    summary: Summary
    inbox: Sequence[Outcome]

    @property
    def needs(self) -> list[str]:
        """What a person has to act on, a sentence each."""
        asked = [
            f"{one.source} {one.account}: {one.sentence} {one.do}".strip() for one in self.told if one.needs_person
        ]
        left = [f"{one.name}: {one.sentence} {one.do}".strip() for one in self.inbox if one.needs_person]
        counted = [
            f"{number:,} {what}: see `bedrot {command}`."
            for number, what, command in (
                (self.summary.rejected, "rows set aside", "rejects"),
                (self.summary.held, "held", "held"),
            )
            if number
        ]
        return [*asked, *left, *self.summary.failed, *counted]

    def money(self) -> list[dict[str, str]]:
        """The money that came, by source, account and currency."""
        moved = self.after.money_in(self.before)
        return [
            {"source": source, "account": account, "currency": currency, "amount": plain(amount)}
            for (source, account, currency), amount in moved.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values for a program."""
        from bedrot.walk.run import summary_json

        accounts = [
            {
                **one.row(),
                "new_days": self.after.new_days((one.source, one.account), self.before),
                "needs_person": one.needs_person,
            }
            for one in self.told
        ]
        inbox = [vars(one) for one in self.inbox]
        run = {**json.loads(summary_json(self.summary)), "inbox": inbox}
        return {"accounts": accounts, "money_in": self.money(), "run": run, "needs": self.needs}

    def say(self) -> None:
        """The same as sentences."""
        from bedrot.commands import layout
        from bedrot.walk.run import summary_json

        _say_accounts(self.told, self)
        for one in self.money():
            layout.say(f"Money in: {one['source']} {one['account']}: {one['amount']} {one['currency']}".rstrip())
        for outcome in self.inbox:
            say_outcome(vars(outcome))
        say_summary(json.loads(summary_json(self.summary)))
        for sentence in self.needs:
            layout.say(f"Needs you: {sentence}")
        if not self.needs:
            layout.say("Nothing needs you.")


def _say_accounts(told: Sequence[Told], news: _News | None) -> None:
    """A line for each account."""
    from bedrot.commands import layout

    for one in told:
        layout.say("; ".join(_parts(one, news)))
    if not told:
        layout.say("Nobody is logged in anywhere: bedrot login SOURCE")


def _parts(one: Told, news: _News | None) -> Iterator[str]:
    """What there is to say of an account, in its order."""
    yield f"{one.source} {one.account}: {one.state}"
    if one.days:
        yield f"asked for {one.days}"
    new = news.after.new_days((one.source, one.account), news.before) if news else 0
    if new:
        yield "1 new day" if new == 1 else f"{new:,} new days"
    if one.sentence:
        yield f"{one.sentence} {one.do}".strip()
