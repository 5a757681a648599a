"""The command that answers whether one is current: doctor."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from bedrot.commands.common import JsonOption, LakeOption, located
from bedrot.errors import BedrotError
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    from bedrot.config import Settings
    from bedrot.watch.doctor import Account
    from bedrot.watch.house import Finding

app = typer.Typer()


@app.command()
def doctor(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Tell whether you are current: each account, and the house that all stands on, with what to do."""
    from bedrot.watch.doctor import Health
    from bedrot.watch.house import Level

    where, settings = located(lake)
    told, findings = examined(where, settings, datetime.now(UTC))
    if as_json:
        answer = {"accounts": [vars(one) for one in told], "house": [vars(one) for one in findings]}
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2, default=str) + "\n")
    else:
        _say(told, findings)
    worst = max((one.level for one in findings), default=Level.FINE)
    if any(one.health is not Health.FRESH for one in told):
        worst = max(worst, Level.NEEDS_YOU)
    if worst:
        raise typer.Exit(int(worst))


def examined(lake: Lake, settings: Settings, now: datetime) -> tuple[list[Account], list[Finding]]:
    """The accounts and the house of a lake at an instant; what cannot be looked at is itself a finding."""
    from bedrot.lake.ledger import Ledger
    from bedrot.tell.status import status
    from bedrot.walk.run import Walk
    from bedrot.watch.doctor import accounts
    from bedrot.watch.house import Finding, Level, house

    findings = list(house(lake, settings, now))
    told: list[Account] = []
    try:
        with Ledger(lake.ledger_path) as ledger:
            walk = Walk(lake, ledger, settings)
            found = status(walk)
            told, waiting = accounts(walk, now, found.feeds), found.needs
    except BedrotError as wrong:
        if not any(one.level is Level.BROKEN for one in findings):
            findings.append(Finding("lake", Level.BROKEN, wrong.sentence, wrong.do))
    else:
        if waiting:
            rest = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            findings.append(Finding("waiting", Level.NEEDS_YOU, f"{waiting[0]}{rest}", "See: bedrot status"))
    return told, findings


def _say(told: list[Account], findings: list[Finding]) -> None:
    """The same as lines: first what is wrong, with what to do."""
    from bedrot.commands import layout
    from bedrot.watch.doctor import Health

    for one in told:
        until = f"data until {one.data_until}" if one.data_until else "no data"
        layout.say(
            "; ".join(part for part in (f"{one.source} {one.account}: {one.health}", until, one.sentence) if part)
        )
        if one.do and one.health is not Health.FRESH:
            layout.say(f"  What to do: {one.do}")
    for each in findings:
        layout.say(f"{each.about}: {each.sentence}")
        if each.do:
            layout.say(f"  What to do: {each.do}")
    if not any(one.health is not Health.FRESH for one in told) and not any(each.level for each in findings):
        layout.say("You are current, and all is as it should be.")
