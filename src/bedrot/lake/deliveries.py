"""Deliveries: what came, whose, when, and of what day; kept in raw as manifests beside the objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bedrot.errors import Damaged
from bedrot.lake import disk
from bedrot.lake.sealed import (
    digest,
    instant,
    instant_or_none,
    iso,
    iso_or_none,
    read_sealed,
    seal,
    stamp,
)
from bedrot.lake.zones import Lake


@dataclass(frozen=True)
class Delivery:
    """An object as a feed delivered it, for an account, as of an instant. All instants are UTC.

    `size` is in bytes; `name` and `relative` are as the person gave them; `claimed_at` is when the person says that it
    was received (None: not said); `window` is what a pull asked for (None: it asked nothing), `batch` the pull that the
    file came with, `name/number of files`.
    """

    id: str
    object: str
    size: int
    source: str
    feed: str
    account: str
    exported_at: datetime
    exported_basis: str
    resaved: bool
    name: str
    relative: str
    received_at: datetime
    claimed_at: datetime | None = None
    member_time: datetime | None = None
    batch: str = ""
    window: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def known_at(self) -> datetime:
        """When the label had it: as claimed, else as received."""
        return self.claimed_at or self.received_at

    @property
    def age(self) -> tuple[bool, datetime]:
        """What orders deliveries, oldest first: all that a spreadsheet re-saved, then the originals, each by export."""
        return (not self.resaved, self.exported_at)


@dataclass(frozen=True)
class Sighting:
    """A delivery that came once more: when, when the person says so, and under what name."""

    delivery: str
    at: datetime
    claimed_at: datetime | None
    name: str
    relative: str


def delivery_id(
    sha256: str, feed: str, account: str, exported_at: datetime, window: Mapping[str, str] | None = None
) -> str:
    """The name of a delivery: 32 hex digits of the hash of what makes it itself."""
    return digest(
        {
            "object": sha256,
            "feed": feed,
            "account": account,
            "exported_at": iso(exported_at),
            "window": None if window is None else dict(window),
        }
    )[:32]


def write_manifest(lake: Lake, delivery: Delivery) -> bool:
    """Keep a delivery's manifest in raw, durably; False when there is one of that id, which is kept."""
    return disk.put_text(lake.manifest_path(delivery.id), seal(delivery_as_json(delivery)))


def read_manifest(lake: Lake, delivery: str) -> Delivery:
    """The delivery of that id; Damaged where its manifest is missing, torn, edited or another's."""
    return read_manifest_file(lake.manifest_path(delivery))


def read_manifest_file(path: Path) -> Delivery:
    """The delivery of a manifest file; Damaged as for `read_manifest`."""
    found = delivery_of_json(read_sealed(path))
    if found.id != path.stem:
        raise Damaged(f"The manifest is that of delivery {found.id}.", "Give it its own name back.", file=str(path))
    return found


def all_manifests(lake: Lake) -> list[Delivery]:
    """Every delivery in raw, sorted by id; Damaged naming the first manifest that is not whole."""
    return [read_manifest_file(path) for path in sealed_files(lake.deliveries)]


def write_sightings(lake: Lake, sightings: Sequence[Sighting]) -> Path | None:
    """Keep the repeats of one import command in raw, as one file, durably; None where there are none."""
    if not sightings:
        return None
    path = lake.sightings / f"{sightings_name(sightings)}.json"
    disk.put_text(path, seal(_sightings_as_json(sightings)))
    return path


def sightings_name(sightings: Sequence[Sighting]) -> str:
    """The name, without its ending, of the file that keeps these sightings; of at least one."""
    return f"{stamp(min(one.at for one in sightings))}-{digest(_sightings_as_json(sightings))[:16]}"


def read_sightings_file(path: Path) -> list[Sighting]:
    """The sightings of one import command; Damaged where the file is not whole."""
    return [_sighting_of_json(one) for one in read_sealed(path)["sightings"]]


def all_sightings(lake: Lake) -> list[Sighting]:
    """Every sighting in raw, in order of time; Damaged naming the first file that is not whole."""
    return [one for path in sealed_files(lake.sightings) for one in read_sightings_file(path)]


def sealed_files(folder: Path) -> list[Path]:
    """The files `*.json` of a folder by name, without what a dead process left; none where there is no folder."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def delivery_as_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery as values that JSON holds."""
    return {
        **{key: value for key, value in vars(delivery).items() if isinstance(value, str | int)},
        "exported_at": iso(delivery.exported_at),
        "received_at": iso(delivery.received_at),
        "claimed_at": iso_or_none(delivery.claimed_at),
        "member_time": iso_or_none(delivery.member_time),
        "window": None if delivery.window is None else dict(delivery.window),
    }


def delivery_of_json(value: Mapping[str, Any]) -> Delivery:
    """The delivery of which `delivery_as_json` gave the values."""
    return Delivery(
        **{
            **value,
            "exported_at": instant(value["exported_at"]),
            "received_at": instant(value["received_at"]),
            "claimed_at": instant_or_none(value["claimed_at"]),
            "member_time": instant_or_none(value["member_time"]),
        }
    )


def pull_mark(batch: str) -> str:
    """What stands for a pull in the tombstones of files that came with it: a hash."""
    return digest({"batch": batch})[:16]


def whole_pulls(
    deliveries: Sequence[Delivery], sightings: Callable[[], Iterable[Sighting]], purged: Iterable[str] = ()
) -> list[Delivery]:
    """The deliveries that came alone, or with a pull all of whose files are among them (`batch` ends in how many).

    One that came again later, in whatever way, is not bound to the pull that broke off any more; `sightings` is asked
    only where one did. `purged` are the marks of the pulls that files which were purged came with, one for each.
    """
    gone = Counter(purged)
    came = Counter(one.batch for one in deliveries)
    for batch in [one for one in came if one and gone]:
        came[batch] += gone[pull_mark(batch)]
    whole = {one.id for one in deliveries if not one.batch or came[one.batch] == int(one.batch.rpartition("/")[2])}
    if len(whole) < len(deliveries):
        first = {one.id: one.received_at for one in deliveries}
        whole |= {one.delivery for one in sightings() if one.delivery in first and one.at > first[one.delivery]}
    return [one for one in deliveries if one.id in whole]


def by_age(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Deliveries from the oldest to the newest; equal ages by when they were known, then by id."""
    return sorted(deliveries, key=lambda one: (one.age, one.known_at, one.id))


def _sightings_as_json(sightings: Sequence[Sighting]) -> dict[str, Any]:
    values = [{**vars(one), "at": iso(one.at), "claimed_at": iso_or_none(one.claimed_at)} for one in sightings]
    return {"sightings": values}


def _sighting_of_json(value: Mapping[str, Any]) -> Sighting:
    times = {"at": instant(value["at"]), "claimed_at": instant_or_none(value["claimed_at"])}
    return Sighting(**{**value, **times})
