"""What a purge is about: the deliveries that must go, the bytes that nobody else has, and how a text may name them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bedrot.errors import Misconfigured
from bedrot.lake.decisions import Decision, Decisions, all_decisions
from bedrot.lake.deliveries import Delivery, Sighting, all_manifests
from bedrot.lake.zones import Lake

_COMMON = {"main"}
_SHORT = 4
"""Account names that are shorter, or common, name an account only where the source stands beside them."""


@dataclass(frozen=True)
class Subject:
    """What must go: deliveries, tombstones of some that are gone already, and the account if all of it must go.

    `others` are the deliveries that stay; `named_so` are those of them that came under the account's name and were
    reassigned.
    """

    deliveries: tuple[Delivery, ...]
    gone: tuple[Decision, ...]
    others: tuple[Delivery, ...]
    account: tuple[str, str] | None = None
    named_so: tuple[Delivery, ...] = ()

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of all deliveries that must go."""
        return frozenset(one.id for one in self.deliveries) | {one.target for one in self.gone}

    @cached_property
    def objects(self) -> frozenset[str]:
        """The hashes of all bytes that no delivery that stays names."""
        told = {one.object for one in self.deliveries} | {one.value.partition("/")[0] for one in self.gone}
        return frozenset(told - {one.object for one in self.others})

    @property
    def sources(self) -> list[str]:
        """The sources that it came from."""
        return sorted({one.source for one in self.deliveries} | ({self.account[0]} if self.account else set()))


def subject_of(lake: Lake, account: tuple[str, str] | None, told: Sequence[str]) -> Subject:
    """What raw says of an account (source and name) or of deliveries by the beginnings of their ids.

    Raises Misconfigured where nothing, or more than one thing, is meant; Damaged where a fact of raw is not whole.
    """
    if bool(account) == bool(told):
        raise Misconfigured("Say what must go.", "Give --account SOURCE NAME, or --delivery ID once or more.")
    manifests, decided = all_manifests(lake), Decisions(all_decisions(lake))
    by_id = {one.id: one for one in manifests}
    tombstones = {one.target: one for one in decided.tombstones}
    if account:
        chosen = {one.id for one in manifests if (one.source, decided.account_of(one)) == account}
    else:
        chosen = {_meant(one, {*by_id, *tombstones}) for one in told}
    others = tuple(one for one in manifests if one.id not in chosen and one.id not in tombstones)
    return Subject(
        deliveries=tuple(by_id[one] for one in sorted(chosen) if one in by_id),
        gone=tuple(tombstones[one] for one in sorted(chosen) if one not in by_id),
        others=others,
        account=account or None,
        named_so=tuple(one for one in others if (one.source, one.account) == account),
    )


def _meant(told: str, ids: Iterable[str]) -> str:
    """The id that a person means by its beginning."""
    found = [one for one in ids if one == told or (len(told) >= _SHORT and one.startswith(told))]
    if len(found) != 1:
        how = "is no delivery's id" if not found else f"begins {len(found)} deliveries' ids"
        raise Misconfigured(f"'{told}' {how}.", "`bedrot why`, `rejects` and `held` name deliveries; give all of it.")
    return found[0]


def naming(subject: Subject, sightings: Iterable[Sighting]) -> Callable[[str], bool]:
    """Whether a text names what must go: a delivery or bytes by hash, a file by its name, the account."""
    seen = list(sightings)
    marks = [rf"(?<![0-9a-f])(?:{'|'.join(sorted({one[:8] for one in subject.ids | subject.objects}))})"]
    files = {_end(name) for one in subject.deliveries for name in (one.name, one.relative)}
    files |= {_end(one.name) for one in seen if one.delivery in subject.ids}
    files -= {_end(name) for one in subject.others for name in (one.name, one.relative)}
    files -= {_end(one.name) for one in seen if one.delivery not in subject.ids}
    names = sorted({form for one in files if len(one) >= _SHORT for form in _forms(one)})
    marks += [rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)"] if names else []
    told = re.compile("|".join(marks if subject.ids else marks[1:])) if subject.ids or names else None
    account = account_named(subject)
    return lambda text: bool((told and told.search(text)) or account(text))


def account_named(subject: Subject) -> Callable[[str], bool]:
    """Whether a text names the account; where its name is common or another's too, the source must stand beside it."""
    if subject.account is None:
        return lambda _text: False
    source, name = subject.account
    shared = any(one.account.casefold() == name.casefold() for one in subject.others)
    pattern = re.compile(
        "|".join(rf"(?<!\w){re.escape(form)}(?!\w)" for form in sorted(set(_forms(name)))), re.IGNORECASE
    )
    if shared or name in _COMMON or len(name) < _SHORT:
        beside = re.compile(rf"(?<![a-z]){re.escape(source)}(?![a-z])", re.IGNORECASE)
        return lambda text: bool(pattern.search(text) and beside.search(text))
    return lambda text: bool(pattern.search(text))


def _end(name: str) -> str:
    """A file's name without folders."""
    return name.replace("\\", "/").rpartition("/")[2]


def _forms(text: str) -> tuple[str, str, str]:
    """A text as it stands plainly, and in JSON."""
    return text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
