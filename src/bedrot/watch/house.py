"""The house: disk, clock, places and parts that a lake stands on, and whether each does its work."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path

from bedrot.config import Settings
from bedrot.errors import BedrotError
from bedrot.lake import disk
from bedrot.lake.decisions import unfinished_purges
from bedrot.lake.deliveries import sealed_files
from bedrot.lake.ledger import Ledger
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import Keeping, scheduler_state

_GIB = 1 << 30
_LITTLE, _NOTHING = 5 * _GIB, 1 * _GIB
_AHEAD = timedelta(minutes=10)
"""So far a clock may go wrong before anything depends on it."""
_SYNCED = ("onedrive", "dropbox", "google drive", "googledrive", "icloud", "mobile documents", "nextcloud", "syncthing")
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afpfs", "fuse.sshfs", "webdav", "davfs"}


class Level(IntEnum):
    """How bad a finding is; the exit code of the worst is that of doctor."""

    FINE = 0
    NEEDS_YOU = 1
    BROKEN = 2


@dataclass(frozen=True)
class Finding:
    """What is so about a part of the house, and what to do."""

    about: str
    level: Level
    sentence: str
    do: str = ""


def house(lake: Lake, settings: Settings, now: datetime) -> Iterator[Finding]:
    """What is so about each part; an error in one is a finding and stops no other."""
    parts: dict[str, Callable[[Lake, Settings, datetime], Iterator[Finding]]] = {
        "disk": _disk,
        "place": _place,
        "ledger": _ledger,
        "tables": _tables,
        "clock": _clock,
        "schedule": _schedule,
        "log": _log,
        "parts": _parts,
    }
    for about, look in parts.items():
        try:
            yield from look(lake, settings, now)
        except BedrotError as wrong:
            yield Finding(about, Level.BROKEN, wrong.sentence, wrong.do)


def _disk(lake: Lake, _settings: Settings, _now: datetime) -> Iterator[Finding]:
    """Room, and the right to write."""
    free = shutil.disk_usage(lake.root).free
    level = Level.BROKEN if free < _NOTHING else Level.NEEDS_YOU if free < _LITTLE else Level.FINE
    do = "Free some space on the disk of the lake." if level else ""
    yield Finding("disk", level, f"{free / _GIB:.1f} GiB are free.", do)
    for folder in (lake.root, lake.landing, lake.raw, lake.staging, lake.curated, lake.archive):
        probe = disk.temporary(folder / "probe")
        try:
            disk.put_text(probe, "", read_only=False)
        finally:
            with suppress(OSError):
                disk.remove(probe)


def _place(lake: Lake, _settings: Settings, _now: datetime) -> Iterator[Finding]:
    """The ledger must lie where no other program or computer moves it."""
    place = lake.root.resolve()
    synced = next((one for one in _SYNCED if any(one in part.lower() for part in place.parts)), None)
    kind = _file_system(place)
    if synced or kind in _NETWORK or place.as_posix().startswith("//"):
        where = f"a folder that {synced} copies" if synced else f"a network folder ({kind or 'a share'})"
        do = "Move the lake to a disk of this computer; copy it elsewhere with `bedrot backup`."
        yield Finding("place", Level.NEEDS_YOU, f"The lake lies in {where}: its ledger can be damaged there.", do)


def _file_system(place: Path) -> str:
    """The kind of file system that a folder lies on, as Linux tells; blank elsewhere."""
    best, kind = "", ""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            _, point, found = line.split(" ")[:3]
            point = point.replace("\\040", " ")
            if place.is_relative_to(point) and len(point) >= len(best):
                best, kind = point, found
    return kind


def _ledger(lake: Lake, _settings: Settings, _now: datetime) -> Iterator[Finding]:
    """The ledger opens and is whole; no run was cut off, no purge is half done."""
    with Ledger(lake.ledger_path) as ledger:
        runs, decisions = ledger.runs(), ledger.decisions()
        known = {one.id for one in ledger.deliveries()}
    if runs and runs[-1].outcome == "interrupted":
        yield Finding("runs", Level.NEEDS_YOU, f"Run {runs[-1].id} was cut off.", "Run it again: bedrot run")
    if unfinished_purges(lake, decisions):
        yield Finding("purge", Level.NEEDS_YOU, "A purge was cut off.", "Give the same `bedrot purge` command again.")
    manifests = {path.stem for path in sealed_files(lake.deliveries)}
    if lacking := len(manifests - known):
        sentence = f"The ledger does not know {lacking:,} of the deliveries in raw."
        yield Finding("ledger", Level.NEEDS_YOU, sentence, "Let it take them in: bedrot run")


def _tables(lake: Lake, _settings: Settings, _now: datetime) -> Iterator[Finding]:
    """The published state opens, and its files are there."""
    snapshot = current(lake)
    if snapshot is None:
        yield Finding("tables", Level.NEEDS_YOU, "Nothing is published yet.", "Import files, then: bedrot run")
        return
    paths = {part.path for table in snapshot.tables.values() for part in table.parts}
    missing = sorted(path for path in paths if not lake.absolute(path).is_file())
    if missing:
        sentence = f"{len(missing):,} files of the published state are missing, such as {missing[0]}."
        yield Finding("tables", Level.BROKEN, sentence, "Make them anew: bedrot rebuild")


def _clock(lake: Lake, _settings: Settings, now: datetime) -> Iterator[Finding]:
    """The clock does not stand before what has happened already."""
    with Ledger(lake.ledger_path) as ledger:
        times = [one.received_at for one in ledger.deliveries()] + [one.started_at for one in ledger.runs()]
    last = max(times, default=now)
    if last > now + _AHEAD:
        sentence = f"The clock says {now:%Y-%m-%d %H:%M} UTC, but something happened at {last:%Y-%m-%d %H:%M}."
        yield Finding("clock", Level.NEEDS_YOU, sentence, "Set the clock right; dates of files depend on it.")


def _schedule(lake: Lake, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Somebody starts the work."""
    found = scheduler_state(lake, settings, now)
    bad = found.state in {Keeping.LATE, Keeping.CHANGED} or found.exit_code not in {None, 0, 1}
    yield Finding("schedule", Level.NEEDS_YOU if bad else Level.FINE, found.sentence, found.do)


def _log(lake: Lake, _settings: Settings, _now: datetime) -> Iterator[Finding]:
    """What happens can be written down."""
    if lake.logs.exists() and not lake.logs.is_dir():
        do = f"Take away what stands in its place: {lake.logs}"
        yield Finding("log", Level.NEEDS_YOU, "The folder logs/ is none: nothing that happens is written down.", do)


def _parts(_lake: Lake, _settings: Settings, _now: datetime) -> Iterator[Finding]:
    """The program itself, and what it needs to ask the services."""
    version = ".".join(map(str, sys.version_info[:3]))
    asks = importlib.util.find_spec("playwright") and importlib.util.find_spec("pyrage")
    more = "" if asks else " What asking the services needs is not installed."
    yield Finding("program", Level.FINE, f"Python {version}.{more}")
