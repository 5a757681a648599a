"""Decisions of a person: approve, retract, reassign, purge; dated, with a reason, kept in raw, part of every build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from bedrot.errors import Damaged, Defect, Misconfigured
from bedrot.lake import disk
from bedrot.lake.deliveries import Delivery, pull_mark, sealed_files
from bedrot.lake.sealed import digest, instant, iso, read_sealed, seal, stamp
from bedrot.lake.zones import Lake

DecisionKind = Literal["approve", "retract", "reassign", "purge"]


@dataclass(frozen=True)
class Decision:
    """What a person decided about `target` (a held thing, a delivery), why and when (UTC).

    `value` is the new account of a delivery that is reassigned. A purge is a tombstone: its `value` is the hash of the
    bytes, and behind a stroke the mark of the pull that they came with; an approved purge forbids nothing any more.
    """

    id: str
    kind: DecisionKind
    target: str
    because: str
    at: datetime
    value: str = ""


def decide(kind: DecisionKind, target: str, because: str, at: datetime, value: str = "") -> Decision:
    """A decision with its id, which names all that it says; Misconfigured where no reason is given."""
    if not because.strip():
        raise Misconfigured("A decision needs a reason.", "Say why with --because.")
    said = {"kind": kind, "target": target, "because": because, "at": iso(at), "value": value}
    return Decision(f"{stamp(at)}-{digest(said)[:16]}", kind, target, because, at, value)


def write_decision(lake: Lake, decision: Decision) -> bool:
    """Keep a decision in raw, durably; False when it was there already."""
    if decision.kind not in get_args(DecisionKind) or "/" in decision.id or "\\" in decision.id:
        raise Defect(f"There is no decision '{decision.kind}' named '{decision.id}'.", "Report this.")
    return disk.put_text(lake.decisions / f"{decision.id}.json", seal(_as_json(decision)))


def read_decision_file(path: Path) -> Decision:
    """The decision of a file; Damaged where it is torn, edited or another's."""
    value = read_sealed(path)
    found = Decision(**{**value, "at": instant(value["at"])})
    if found.id != path.stem:
        raise Damaged(f"The file holds decision {found.id}.", "Give it its own name back.", file=str(path))
    return found


def all_decisions(lake: Lake) -> list[Decision]:
    """Every decision in raw, in order of time; Damaged naming the first that is not whole."""
    return sorted((read_decision_file(path) for path in sealed_files(lake.decisions)), key=_order)


class Decisions:
    """What a list of decisions says together, whatever the order of the list."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._all = tuple(sorted(decisions, key=_order))

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @cached_property
    def _approved(self) -> frozenset[str]:
        return frozenset(one.target for one in self._all if one.kind == "approve")

    @cached_property
    def _gone(self) -> frozenset[str]:
        return frozenset(one.target for one in self._all if one.kind == "retract") | self._tombstones.keys()

    @cached_property
    def _tombstones(self) -> dict[str, Decision]:
        return {one.target: one for one in self._all if one.kind == "purge" and one.id not in self._approved}

    @cached_property
    def _purged_bytes(self) -> dict[str, Decision]:
        return {one.value.partition("/")[0]: one for one in self._tombstones.values()}

    @cached_property
    def _accounts(self) -> dict[str, str]:
        return {one.target: one.value for one in self._all if one.kind == "reassign"}

    def approved(self, held: str) -> bool:
        """Whether a person approved what was held under that id."""
        return held in self._approved

    def retracted(self, delivery: str) -> bool:
        """Whether a person took the delivery out of all tables (a purged one is out as well)."""
        return delivery in self._gone

    @property
    def tombstones(self) -> tuple[Decision, ...]:
        """The purges in force, in order of time."""
        return tuple(self._tombstones.values())

    def purged(self, delivery: str) -> Decision | None:
        """The tombstone of a delivery, None where it has none in force."""
        return self._tombstones.get(delivery)

    def purged_bytes(self, sha256: str) -> Decision | None:
        """A tombstone in force of bytes, by their hash; None where there is none."""
        return self._purged_bytes.get(sha256)

    @property
    def purged_pulls(self) -> tuple[str, ...]:
        """The marks of the pulls that purged deliveries came with, one for each of these."""
        return tuple(mark for one in self.tombstones if (mark := one.value.partition("/")[2]))

    def account_of(self, delivery: Delivery) -> str:
        """The account that a delivery belongs to: as last reassigned, else as delivered."""
        return self._accounts.get(delivery.id, delivery.account)

    def until(self, at: datetime) -> Decisions:
        """The decisions taken at or before an instant."""
        return Decisions(one for one in self._all if one.at <= at)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that is decided."""
        return digest([_as_json(one) for one in self._all])


def tombstone(delivery: Delivery, because: str, at: datetime) -> Decision:
    """The purge of a delivery as a decision: it names hashes, and neither the account nor the file."""
    mark = f"/{pull_mark(delivery.batch)}" if delivery.batch else ""
    return decide("purge", delivery.id, because, at, f"{delivery.object}{mark}")


def unfinished_purges(lake: Lake, decisions: Decisions) -> list[str]:
    """Purged deliveries whose manifests are still there: a purge removes these last, and has not come to its end."""
    return [one.target for one in decisions.tombstones if lake.manifest_path(one.target).exists()]


def _order(decision: Decision) -> tuple[datetime, str]:
    return (decision.at, decision.id)


def _as_json(decision: Decision) -> dict[str, Any]:
    return {**vars(decision), "at": iso(decision.at)}
