"""The contents of each partition in the order of age, and the hashes that name what was made of them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from bedrot.contract import Table
from bedrot.walk.curated_values import Content

# Raise this when the rules change, so that nothing made by the old ones is taken for made by the new.
RULES = 2


@dataclass(frozen=True, slots=True)
class Tick:
    """The distinct contents that a partition has at one age, in the order in which the lake got them.

    `contents` are taken from the oldest delivery that holds each; `speakers` are the deliveries that said them now.
    """

    age: tuple[bool, datetime]
    contents: tuple[Content, ...]
    speakers: tuple[str, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """The hashes of the contents."""
        return tuple(content.digest for content in self.contents)


@dataclass(frozen=True, slots=True)
class Chain:
    """All that was ever said of one partition: ticks that follow each other differ; `repeats` said nothing new."""

    account: str
    partition: str
    ticks: tuple[Tick, ...]
    repeats: tuple[str, ...]


def chains(contents: Iterable[Content]) -> list[Chain]:
    """One chain for each account and partition, sorted; the order of `contents` does not matter."""
    found: dict[tuple[str, str], list[Content]] = defaultdict(list)
    for content in contents:
        found[content.account, content.partition].append(content)
    return [_chain(account, partition, mine) for (account, partition), mine in sorted(found.items())]


def _chain(account: str, partition: str, contents: list[Content]) -> Chain:
    """The chain of one partition."""
    ordered = sorted(contents, key=lambda one: (one.age, one.known_at, one.delivery))
    oldest: dict[str, Content] = {}
    ticks: list[Tick] = []
    repeats: list[str] = []
    for age, same_age in groupby(ordered, key=lambda one: one.age):
        said: dict[str, str] = {}
        for content in same_age:
            oldest.setdefault(content.digest, content)
            if content.digest in said:
                repeats.append(content.delivery)
            else:
                said[content.digest] = content.delivery
        tick = Tick(age, tuple(oldest[digest] for digest in said), tuple(said.values()))
        if ticks and ticks[-1].digests == tick.digests:
            repeats.extend(tick.speakers)
        else:
            ticks.append(tick)
    return Chain(account, partition, tuple(ticks), tuple(repeats))


def hashed(*parts: object) -> str:
    """A hash of plain values, the same on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def rules_of(table: Table) -> str:
    """A hash of all of a table's contract that its curated rows depend on."""
    return hashed(
        RULES,
        table.name,
        [(field.name, field.kind.value, field.values) for field in table.fields],
        [table.merge.value, table.day, table.until, table.provisional, table.changes_only, table.absent],
        [table.key, table.identity, table.folded, table.scope],
        [table.partition.column, table.partition.grain.value],
    )


def slice_key(rules: str, content: Content) -> str:
    """The key of a partition that is a slice of one delivery's staging file, as it is."""
    return hashed("slice", rules, content.account, content.partition, content.path.name, content.digest)


def told(tick: Tick) -> list[object]:
    """What a tick adds to the key of a state."""
    contents = [[one.digest, one.path.name, one.scale] for one in tick.contents]
    return [contents, list(tick.speakers)]
