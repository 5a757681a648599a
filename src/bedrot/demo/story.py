"""The whole demo of a label: every file that came in eighteen months, what must be known after it, the answer key."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Protocol

from bedrot.demo import (
    catalogue_sheet,
    distrokid_bank,
    distrokid_pages,
    linktree,
    meta_ads,
    tiktok,
    toolost_portal,
    toolost_sales,
)
from bedrot.demo.ads import effect
from bedrot.demo.arrival import Arrival, Expected, Fault, totals
from bedrot.demo.derived import derived
from bedrot.demo.label import FIRST_DAY, LAST_DAY, Label


class Service(Protocol):
    """A service as the demo plays it: what it lets people download, and what must be known of that."""

    def arrivals(self, label: Label) -> list[Arrival]:
        """The files that came from it."""

    def expected(self, label: Label) -> list[Expected]:
        """What curated tables must hold after all of them."""

    def faults(self, label: Label) -> list[Fault]:
        """What was planted in them."""


SERVICES: tuple[Service, ...] = (
    distrokid_bank, distrokid_pages, toolost_sales, toolost_portal, meta_ads, tiktok, linktree, catalogue_sheet,
)  # fmt: skip


@dataclass(frozen=True)
class Story:
    """All of one label's demo."""

    label: Label
    arrivals: tuple[Arrival, ...]
    expected: tuple[Expected, ...]
    faults: tuple[Fault, ...]

    def settings(self) -> str:
        """The settings of the label's lake: its artists, whose each account is, and a total that the bank showed."""
        told = [f"# Settings of the demo of {self.label.name}.\n"]
        for artist in self.label.artists:
            spelled = f"spellings = [{json.dumps(artist.former_name)}]\n" if artist.former_name != artist.name else ""
            told.append(f"[[artist]]\nname = {json.dumps(artist.name)}\n{spelled}")
        for source, name, owner in accounts(self.label):
            whose = f"artist = {json.dumps(owner)}\n" if owner else ""
            told.append(f"[[account]]\nsource = {json.dumps(source)}\nname = {json.dumps(name)}\n{whose}")
        shown = distrokid_bank.shown_on_the_page(self.label)
        told.append(
            '[[control]]\nsource = "distrokid"\naccount = "main"\n'
            f'period = "{shown[0]}"\namount = "{shown[1]}"\ncurrency = "USD"\n'
        )
        return "\n".join(told)

    def truth(self) -> str:
        """The answer key as JSON: the label, what the door must say of how many files, totals, what was planted."""
        label = self.label
        return json.dumps(
            {
                "label": label.name,
                "seed": label.seed,
                "scale": label.scale,
                "first_day": FIRST_DAY.isoformat(),
                "last_day": LAST_DAY.isoformat(),
                "artists": [asdict(one) for one in label.artists],
                "recordings": [
                    {"isrc": one.isrc, "upc": one.upc, "title": one.title, "artist": one.artist.name}
                    | {"released": one.released.isoformat(), "share_percent": one.share_percent}
                    for one in label.recordings
                ],
                "campaigns": [
                    {"id": one.campaign.id, "name": one.campaign.name, "isrc": one.campaign.recording.isrc}
                    | {"first_day": one.campaign.first.isoformat(), "last_day": one.campaign.last.isoformat()}
                    | {"plays_brought": sum(plays for _, plays in one.plays)}
                    for one in effect(label)
                ],
                "files": dict(sorted(Counter(one.verdict for one in self.arrivals).items())),
                "not taken": [
                    {"name": one.name, "verdict": one.verdict, "fault": one.fault}
                    for one in self.arrivals
                    if one.verdict not in ("accepted", "repeat")
                ],
                "totals": [totals(one) for one in self.expected],
                "faults": [asdict(one) for one in self.faults],
            },
            indent=1,
            ensure_ascii=False,
        )


def accounts(label: Label) -> list[tuple[str, str, str]]:
    """Source, account and artist (blank: the label as a whole) of the accounts that a person would write down."""
    found = [("distrokid", "main", ""), ("toolost", "main", ""), ("metaads", meta_ads.ACCOUNT, "")]
    for artist in label.artists:
        found += [("tiktok", artist.handles[-1], artist.name), ("linktree", artist.page, artist.name)]
    return found


def arrivals_of(label: Label) -> tuple[Arrival, ...]:
    """All files of a label, in the order in which they came."""
    found = (one for service in SERVICES for one in service.arrivals(label))
    return tuple(sorted(found, key=lambda one: (one.at, one.name)))


def tell(label: Label) -> Story:
    """The story of a label."""
    known = [one for service in SERVICES for one in service.expected(label)]
    owners = {(source, account): artist for source, account, artist in accounts(label) if artist}
    return Story(
        label,
        arrivals_of(label),
        (*known, *derived(known, owners)),
        tuple(one for service in SERVICES for one in service.faults(label)),
    )
