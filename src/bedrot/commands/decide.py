"""Commands that decide: approve, retract, reassign; each a dated record with its reason, kept in raw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from bedrot.commands.common import BecauseOption, LakeOption, out, plain, writing
from bedrot.errors import Misconfigured

if TYPE_CHECKING:
    from bedrot.lake.decisions import DecisionKind
    from bedrot.lake.deliveries import Delivery
    from bedrot.lake.ledger import Ledger
    from bedrot.lake.zones import Lake
    from bedrot.walk.findings import Finding

app = typer.Typer()

DeliveryArgument = Annotated[str, typer.Argument(help="The delivery's id, or its first characters (at least four).")]
_RUN = "It takes effect with the next run: bedrot run"


@app.command()
def approve(
    told: Annotated[str, typer.Argument(metavar="ID", help="The id of what is held or vanished, or its beginning.")],
    because: BecauseOption,
    lake: LakeOption = None,
) -> None:
    """Let what is held become the truth, or let go of lines that truly vanished, from the next run on."""
    from bedrot.lake.snapshot import current
    from bedrot.walk.findings import read_findings

    with writing(lake) as (where, ledger, _):
        findings = read_findings(where, current(where))
        ids = {one["id"]: one for one in (*findings.held, *findings.vanished)}
        found = ids[
            _one(
                told,
                list(ids),
                "Nothing held or vanished",
                "`bedrot held` and `bedrot vanished` list them; give at least four characters.",
            )
        ]
        if ledger.decisions().approved(found["id"]):
            _say(f"{found['id'][:12]} was approved before; nothing changed.")
            return
        _decide(where, ledger, "approve", found["id"], because)
    _say(f"Approved in {_place(found)}: {found['what']}")
    _say(_RUN)


@app.command()
def retract(told: DeliveryArgument, because: BecauseOption, lake: LakeOption = None) -> None:
    """Take a delivery out of all tables; raw keeps its bytes."""
    with writing(lake) as (where, ledger, _):
        delivery = _delivery(ledger, told)
        if ledger.decisions().retracted(delivery.id):
            _say(f"{delivery.name} was retracted before; nothing changed.")
            return
        _decide(where, ledger, "retract", delivery.id, because)
    _say(f"Retracted: {delivery.name} ({delivery.feed}, delivery {delivery.id[:12]}). Raw keeps its bytes.")
    _say(_RUN)


@app.command()
def reassign(
    told: DeliveryArgument,
    account: Annotated[str, typer.Option("--account", help="The account that the data belongs to.")],
    because: BecauseOption,
    lake: LakeOption = None,
) -> None:
    """Move a delivery to another account of the same service."""
    account = account.strip()
    if not account or not account.isprintable():
        raise Misconfigured("A delivery belongs to an account with a name.", "Give the name with --account.")
    with writing(lake) as (where, ledger, _):
        delivery = _delivery(ledger, told)
        was = ledger.decisions().account_of(delivery)
        if was == account:
            _say(f"{delivery.name} belongs to the account '{account}' already; nothing changed.")
            return
        _decide(where, ledger, "reassign", delivery.id, because, account)
    _say(f"Reassigned: {delivery.name} ({delivery.feed}, delivery {delivery.id[:12]}) from '{was}' to '{account}'.")
    _say(_RUN)


def _decide(lake: Lake, ledger: Ledger, kind: DecisionKind, target: str, because: str, value: str = "") -> None:
    """Keep a decision in raw, durably, and note it in the ledger."""
    from bedrot.lake.decisions import decide, write_decision

    decision = decide(kind, target, because, datetime.now(UTC), value)
    write_decision(lake, decision)
    ledger.add_decision(decision)


def _delivery(ledger: Ledger, told: str) -> Delivery:
    """The delivery that a person means; Misconfigured where there is none or more than one."""
    deliveries = {one.id: one for one in ledger.deliveries()}
    named = [f"{one.id[:12]} ({one.feed}, exported {one.exported_at:%Y-%m-%d})"
             for one in deliveries.values() if one.name == told]  # fmt: skip
    do = (
        f"Files of that name are {', '.join(named)}."
        if named
        else "`bedrot rejects`, `held` and `why` name deliveries."
    )
    return deliveries[_one(told, list(deliveries), "No delivery", do)]


def _one(told: str, ids: Sequence[str], nothing: str, do: str) -> str:
    """The one id that a person means; Misconfigured where there is none or more than one."""
    from bedrot.tell.asides import matching

    found = list(matching(told, ids))
    if not found:
        raise Misconfigured(f"{nothing} has an id that is '{plain(told)}' or begins so.", do)
    if len(found) > 1:
        listed = ", ".join(one[:16] for one in found[:5])
        raise Misconfigured(f"{len(found)} ids begin with '{told}': {listed}.", "Give more characters of it.")
    return found[0]


def _place(found: Finding) -> str:
    """Where something held or vanished is."""
    return " ".join(part for part in (found["table"], found["account"], found["partition"]) if part)


def _say(sentence: str) -> None:
    """One sentence."""
    out.print(escape(plain(sentence)))
