"""What the folds of one table share: the engine, the rules, the person's approvals and the memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from bedrot.contract import Table
from bedrot.walk.chains import Chain, Tick, hashed, rules_of
from bedrot.walk.curated_values import Held, HeldKind, Memo, TableCurated, Vanished, Verdict

HELD_ALONE = 20
"""Up to so many keys of a partition are held one by one; more are held as one thing to look at."""


@dataclass
class Desk:
    """One table at work. Entries of the memory carry the answers that they depend on; a changed answer voids them."""

    con: duckdb.DuckDBPyConnection
    table: Table
    approved: Callable[[str], bool]
    memo: Memo
    merged_path: Callable[[str], Path]
    out: TableCurated = field(default_factory=TableCurated)

    def __post_init__(self) -> None:
        self.rules = rules_of(self.table)
        self._noted: dict[str, str] = {}
        self._numbers = count(1)

    def fresh_name(self) -> str:
        """A name for a table that holds rows for a while."""
        return f"fold_rows_{next(self._numbers)}"

    def recall(self, kind: str, key: str) -> Any:
        """The noted value; None when there is none, or a person decided otherwise since."""
        text = self._noted.get(f"{kind}:{key}") or self.memo.get(f"curate:{kind}:{key}")
        if text is None:
            return None
        entry = json.loads(text)
        if any(self.approved(one) != answer for one, answer in entry["answers"].items()):
            return None
        return entry["value"]

    def note(self, kind: str, key: str, value: object, answers: dict[str, bool]) -> None:
        """Keep a value, with the approvals that it depends on."""
        text = json.dumps({"value": value, "answers": answers}, sort_keys=True)
        self._noted[f"{kind}:{key}"] = text
        self.memo.put(f"curate:{kind}:{key}", text)

    def vanished_id(self, chain: Chain, tick: Tick) -> str:
        """The id under which a person approves that what a tick lacks is removed."""
        return hashed("vanished", self.table.name, chain.account, chain.partition, tick.digests)

    def held_id(self, kind: HeldKind, chain: Chain, tick: Tick, delivery: str, what: object) -> str:
        """The id of something held; it names contents, so that repeats of a file change nothing."""
        content = tick.digests if kind == "key" else tick.digests[tick.speakers.index(delivery)]
        return hashed("held", kind, self.table.name, chain.account, chain.partition, content, what)

    def held(self, chain: Chain, entry: dict[str, Any]) -> Held:
        """A noted hold as a value."""
        return Held(
            entry["id"], self.table.name, chain.account, chain.partition, entry["delivery"], entry["kind"],
            entry["what"], entry["detail"],
        )  # fmt: skip

    def hold_keys(
        self, kind: HeldKind, chain: Chain, tick: Tick, delivery: str, keys: list[tuple[list[str], str]]
    ) -> list[dict[str, Any]]:
        """Holds for keys (values by key column, and how they differ): one each, or one for all where they are many."""
        names = self.table.key
        if len(keys) <= HELD_ALONE:
            return [
                {
                    "id": self.held_id(kind, chain, tick, delivery, values), "kind": kind, "delivery": delivery,
                    "keys": [values], "detail": dict(zip(names, values, strict=True)),
                    "what": f"{_spoken(names, values)}: {how}",
                }
                for values, how in keys
            ]  # fmt: skip
        return [
            {
                "id": self.held_id(kind, chain, tick, delivery, "all"), "kind": kind, "delivery": delivery,
                "keys": [values for values, _ in keys], "detail": {"keys": len(keys)},
                "what": f"{len(keys):,} keys of {chain.partition} differ in a way that looks wrong, such as"
                f" {_spoken(names, keys[0][0])}: {keys[0][1]}",
            }
        ]  # fmt: skip

    def verdict(self, chain: Chain, delivery: str, told: dict[str, Any]) -> None:
        """Add a verdict from plain values."""
        self.out.verdicts.append(Verdict(self.table.name, chain.account, chain.partition, delivery, **told))

    def vanished(self, chain: Chain, lacking: dict[str, Any], noun: str) -> None:
        """Add what the last state keeps although a newer file lacks it: by delivery, lines and sums of money."""
        for delivery, (lines, money) in sorted(lacking.items()):
            tick = next(one for one in chain.ticks if delivery in one.speakers)
            self.out.vanished.append(
                Vanished(
                    self.vanished_id(chain, tick),
                    self.table.name,
                    chain.account,
                    chain.partition,
                    delivery,
                    lines,
                    {name: Decimal(text) for name, text in money.items()},
                    f"{lines:,} {noun} of {chain.partition} are not in a newer file that covers their dates; kept.",
                )
            )

    def same(self, chains: Iterable[Chain]) -> None:
        """Add the verdicts of the deliveries that repeat what was known."""
        for chain in chains:
            for delivery in chain.repeats:
                self.verdict(chain, delivery, {"kind": "same", "why": "It repeats what was known."})


def _spoken(names: Iterable[str], values: Iterable[str]) -> str:
    """Key values as a person reads them."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(names, values, strict=True) if value)
