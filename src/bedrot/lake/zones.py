"""The place: five zones under one root, and the name of every path in them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from bedrot.errors import Misconfigured
from bedrot.lake import disk

_SETTINGS = """\
# The settings of this lake. Every line that begins with '#' is an example: take the mark away and fill in your own.

# An account at a service, and the artist it belongs to (leave `artist` out where it belongs to the label).
# [[account]]
# source = "tiktok"
# name = "myartist"
# artist = "My Artist"

# An artist, with the other ways in which services spell the name.
# [[artist]]
# name = "My Artist"
# spellings = ["MY ARTIST", "My  Artist"]

# What a service's own page shows as earned: `bedrot status` compares it with the lake's total.
# [[control]]
# source = "distrokid"
# account = "main"
# period = "2025-03"
# amount = "123.45"
# currency = "USD"

# How many files are read at the same time.
# [run]
# workers = 2

# When the lake's work is done without anybody there (`bedrot schedule install`). `sync` asks the services and runs,
# `run` only runs. `ping` is asked for after each time: a service that expects it tells you when it stays away.
# [schedule]
# days = ["mon", "wed", "fri"]
# at = "19:00"
# zone = "UTC"
# job = "sync"
# ping = "https://example.org/the-address-you-were-given"

# How many of the newest published states stay at hand.
# [archive]
# snapshots = 20

# For how many days the folder logs/ keeps what happened.
# [logs]
# days = 90
"""
_IGNORE = "# The lake holds earnings and accounts: nothing of it belongs into git.\n*\n"
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
_SLUG = 48
_SNAPSHOT = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True)
class Lake:
    """A lake by its root folder."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Lake:
        """Make the zones, a commented `bedrot.toml` and a `.gitignore`; what exists is left as it is."""
        lake = cls(root.absolute())
        for zone in (lake.landing / "inbox", lake.raw, lake.staging, lake.curated, lake.archive):
            disk.make_folder(zone)
        disk.put_text(lake.root / ".gitignore", _IGNORE, read_only=False)
        disk.put_text(lake.config_path, _SETTINGS, read_only=False)
        return lake

    @classmethod
    def find(cls, start: Path | None = None) -> Lake:
        """The lake in the folder given, or around the current one; Misconfigured where there is none."""
        here = (start or Path.cwd()).absolute()
        for folder in (here,) if start else (here, *here.parents):
            if (folder / "bedrot.toml").is_file():
                return cls(folder)
        where = "in this folder" if start else "in this folder or above it"
        raise Misconfigured(
            f"There is no lake {where} (no bedrot.toml).",
            "Make one with `bedrot init`, or name it with --lake.",
            file=str(here),
        )

    @property
    def landing(self) -> Path:
        """Files as they came, until they are accepted or refused."""
        return self.root / "landing"

    @property
    def raw(self) -> Path:
        """Every original byte, its deliveries and the decisions."""
        return self.root / "raw"

    @property
    def staging(self) -> Path:
        """Typed rows of each delivery."""
        return self.root / "staging"

    @property
    def curated(self) -> Path:
        """Published tables and the snapshot records."""
        return self.root / "curated"

    @property
    def archive(self) -> Path:
        """What is no longer at hand, restorable."""
        return self.root / "archive"

    @property
    def work(self) -> Path:
        """Scratch: may be emptied whenever nobody writes."""
        return self.root / ".work"

    @property
    def spill(self) -> Path:
        """Where an engine puts what its memory cannot hold."""
        return self.work / "spill"

    @property
    def captures(self) -> Path:
        """How changed services looked, for reports: texts without names and secrets, which nobody needs to keep."""
        return self.root / "captures"

    @property
    def logs(self) -> Path:
        """What happened, a file of events for each day: a help, which nobody needs to keep."""
        return self.root / "logs"

    @property
    def pulls(self) -> Path:
        """Scratch of those who ask a service while others write: what they have not taken in yet, and their locks."""
        return self.work / "pulls"

    @property
    def schedule(self) -> Path:
        """When the schedule was last served, and what serves it: small facts that tell a dead scheduler."""
        return self.root / "schedule"

    @property
    def ledger_path(self) -> Path:
        """The SQLite cache of facts."""
        return self.root / "ledger.sqlite"

    @property
    def lock_path(self) -> Path:
        """The file that the writer locks."""
        return self.root / ".lock"

    @property
    def config_path(self) -> Path:
        """The settings that a person writes."""
        return self.root / "bedrot.toml"

    @property
    def objects(self) -> Path:
        """The folder of raw objects."""
        return self.raw / "objects"

    @property
    def deliveries(self) -> Path:
        """The folder of manifests."""
        return self.raw / "deliveries"

    @property
    def sightings(self) -> Path:
        """The folder of sightings of repeats."""
        return self.raw / "sightings"

    @property
    def decisions(self) -> Path:
        """The folder of decisions."""
        return self.raw / "decisions"

    @property
    def snapshots(self) -> Path:
        """The folder of snapshot records."""
        return self.curated / "_snapshots"

    @property
    def pointer_path(self) -> Path:
        """The file that names the current snapshot."""
        return self.curated / "CURRENT"

    def object_path(self, sha256: str) -> Path:
        """Where a raw object is: `raw/objects/<2 hex>/<sha256>`."""
        return self.objects / sha256[:2] / sha256

    def manifest_path(self, delivery: str) -> Path:
        """Where the manifest of a delivery is."""
        return self.deliveries / f"{delivery}.json"

    def staged_path(self, table: str, delivery: str, fingerprint: str) -> Path:
        """Where the typed rows of a delivery are."""
        return self.staging / table / f"{delivery}-{fingerprint}.parquet"

    def rejects_path(self, table: str, delivery: str, fingerprint: str) -> Path:
        """Where the rejected rows of a delivery are: below `staging/_rejects`, which no snapshot names."""
        return self.staging / "_rejects" / table / f"{delivery}-{fingerprint}.parquet"

    def merged_path(self, table: str, key: str) -> Path:
        """Where the merged rows of a partition are; `key` is the hash of what made them."""
        return self.staging / table / "merged" / f"{partition_slug(key)}.parquet"

    def curated_path(self, table: str, partition: str, digest: str) -> Path:
        """Where a part of a published table is, by the hash of its bytes."""
        return self.curated / table / partition_slug(partition) / f"{digest}.parquet"

    def snapshot_path(self, number: int) -> Path:
        """Where the record of a snapshot is."""
        return self.snapshots / f"{number:06d}.json"

    def snapshot_number(self, path: Path) -> int | None:
        """The number of the snapshot whose record has that name; None for any other file."""
        named = _SNAPSHOT.fullmatch(path.name)
        return int(named[1]) if named else None

    def relative(self, path: Path) -> str:
        """A path of the lake as text from its root, with forward slashes on every system."""
        return path.relative_to(self.root).as_posix()

    def absolute(self, relative: str) -> Path:
        """The path that `relative` gave the text of."""
        return self.root / relative


def partition_slug(text: str) -> str:
    """A folder or file name that every system takes; different texts have different names.

    A text of at most 48 lower-case ASCII letters, digits, `-`, `_` and `.` stays as it is; any other gets a hash of
    itself behind.
    """
    slug = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:_SLUG].strip(".-")
    if slug == text and slug and slug.split(".")[0] not in _RESERVED:
        return slug
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{slug.replace('.', '-')}-{mark}" if slug else f"x-{mark}"
