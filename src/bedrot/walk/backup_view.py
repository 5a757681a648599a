"""What a backup takes: the files of a lake that make one state together, listed while others may write to it.

A writer puts bytes, then what names them: objects, manifests, the ledger, tables, a snapshot's record, the pointer.
So the list is made the other way round: what is named by what was listed is there, and no table knows more than raw.
What moved away meanwhile (to the archive, out of landing) is missed when it is read, and the lake looked at again.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bedrot.config import read_settings
from bedrot.errors import Busy, Damaged, StorageFailed
from bedrot.lake import snapshot
from bedrot.lake.objects import is_whole
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.archive import archived_in, named_by
from bedrot.walk.found import is_litter

IDENTITY = ".lake-id.json"
"""The file that says which lake this is, made by its first backup; a restored lake has it too."""
_HASH = re.compile(r"[0-9a-f]{64}")
_INBOX = "landing/inbox/"
_AFRESH = {"captures", "logs", "schedule", ".work", ".lock", ".lock-who.json", ".git"}
"""What a lake has in its folder that says nothing of the label, or only of this machine."""


@dataclass(frozen=True)
class Piece:
    """A file to keep: its SHA-256 as its name, a record or the ledger say, or all its bytes where it changes in place.

    One that is `loose` belongs to nothing yet: where it is gone, nothing is missing.
    """

    path: str
    sha256: str = ""
    data: bytes | None = None
    loose: bool = False


@dataclass
class View:
    """One state: its pieces by path, the snapshot that readers see in it, what is left out, what waits unread."""

    pieces: dict[str, Piece] = field(default_factory=dict)
    snapshot: int = 0
    left_out: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Take a piece in; one that is there already stays."""
        self.pieces.setdefault(piece.path, piece)


def look(lake: Lake) -> View:
    """What makes the lake now. Raises Damaged where ledger, pointer or a record is not whole."""
    view = View()
    _add_snapshots(lake, view, _read(lake.pointer_path))
    staged, noted = _note_ledger(lake, view)
    for name in staged:
        view.add(Piece(name))
    _add_landing(lake, view, noted)
    _add_raw(lake, view)
    for path in _files(lake.archive):
        view.add(Piece(lake.relative(path)))
    _add_own(lake, view)
    return view


def ledger_image(path: Path) -> bytes:
    """All bytes of the ledger as of its last commit, whoever writes to it; nothing where there is none.

    Raises Damaged where SQLite finds fault with it.
    """
    if not path.is_file():
        return b""
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as ledger,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            ledger.backup(copy)
            if (found := copy.execute("PRAGMA integrity_check").fetchall()[0][0]) != "ok":
                raise _damaged(path, str(found))
            return copy.serialize()
    except sqlite3.Error as failed:
        name = getattr(failed, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise _damaged(path, str(failed)) from failed
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
            do = "Wait until it has finished, then try again."
            raise Busy("Another process is writing to the ledger.", do, file=str(path)) from failed
        raise StorageFailed(f"The ledger cannot be read ({failed}).", "Check the disk.", file=str(path)) from failed


def _damaged(path: Path, why: str) -> Damaged:
    do = "Run `bedrot rebuild --ledger`: it is made anew from raw. Then back up again."
    return Damaged(f"The ledger is damaged ({why}).", do, file=str(path))


def _note_ledger(lake: Lake, view: View) -> tuple[list[str], dict[str, str]]:
    """Take the ledger in; the staged files that it names, and the hash of each file that it says waits in landing."""
    image = ledger_image(lake.ledger_path)
    if not image:
        return [], {}
    view.add(Piece(lake.relative(lake.ledger_path), data=image))
    with closing(sqlite3.connect(":memory:")) as copy:
        copy.deserialize(_readable(image))
        try:
            values = [
                json.loads(row[0]) for row in copy.execute("SELECT value FROM staged ORDER BY delivery, of_table")
            ]
            noted = dict(copy.execute("SELECT path, sha256 FROM landings").fetchall())
        except sqlite3.Error as failed:
            raise _damaged(lake.ledger_path, str(failed)) from failed
    return [value[name] for value in values for name in ("path", "rejects_path") if value[name]], noted


def _readable(image: bytes) -> bytes:
    """The image as one that memory can hold: a database in memory has no write-ahead log."""
    return image[:18] + b"\x01\x01" + image[20:]


def _add_landing(lake: Lake, view: View, noted: dict[str, str]) -> None:
    """What waits in landing; of the inbox only what was looked at, for anything else may be private."""
    for path in _files(lake.landing):
        name = lake.relative(path)
        if not name.startswith(_INBOX):
            view.add(Piece(name, noted.get(name, ""), loose=name not in noted))
        elif name in noted and is_whole(path, noted[name]):
            view.add(Piece(name, noted[name], loose=True))
        elif not is_litter(path.name):
            view.unread.append(name)


def _add_raw(lake: Lake, view: View) -> None:
    """Raw: facts that name deliveries, then deliveries, then objects."""
    names = sorted(path.name for path in lake.raw.glob("*") if path.is_dir())
    last = (lake.deliveries.name, lake.objects.name)
    for name in (*(name for name in names if name not in last), *last):
        for path in _files(lake.raw / name):
            known = path.name if name == lake.objects.name and _HASH.fullmatch(path.name) else ""
            view.add(Piece(lake.relative(path), known))


def _add_snapshots(lake: Lake, view: View, pointer: bytes) -> None:
    """The snapshots at hand up to the newest, with all their files, and the pointer to it.

    A record that was published behind a gap in the list is none of this state. Damaged where the newest is not listed.
    """
    if not pointer:
        return
    newest = snapshot.current_number(lake)
    numbers = [number for number in snapshot.numbers(lake) if number <= newest]
    pointed = json.loads(pointer)["value"]["number"]
    if newest not in numbers or pointed not in numbers:
        raise Damaged("The newest snapshot moved away.", "Run `bedrot verify`.", file=str(lake.pointer_path))
    for record in (snapshot.load(lake, number) for number in numbers):
        if record.number not in (newest, pointed) and _moving(lake, record):
            continue
        hashes = {part.path: part.sha256 for table in record.tables.values() for part in table.parts}
        for path in sorted(named_by(record)):
            if not Path(path).is_absolute():
                view.add(Piece(path, hashes.get(path) or _named(path)))
        view.add(Piece(lake.relative(lake.snapshot_path(record.number))))
    view.add(Piece(lake.relative(lake.pointer_path), data=pointer))
    view.snapshot = newest


def _moving(lake: Lake, record: Snapshot) -> bool:
    """Whether a snapshot is on its way into the archive, or was when a process died: a bundle has all of it."""
    if all(lake.absolute(path).is_file() for path in named_by(record)):
        return False
    return archived_in(lake, record.number) is not None


def _named(path: str) -> str:
    """The hash that a file in curated is named by."""
    stem = Path(path).stem
    return stem if path.startswith("curated/") and _HASH.fullmatch(stem) else ""


def _add_own(lake: Lake, view: View) -> None:
    """What a person wrote: the settings and sources of their own; and the names of what is left out."""
    own = {IDENTITY, ".gitignore", lake.config_path.name}
    zones = {zone.name for zone in (lake.landing, lake.raw, lake.staging, lake.curated, lake.archive)}
    for name in sorted(own):
        if data := _read(lake.root / name):
            view.add(Piece(name, data=data))
    for told in read_settings(lake.config_path).sources:
        folder = lake.root / told
        inside = Path(told).parts
        if not inside or ".." in inside or not folder.resolve().is_relative_to(lake.root.resolve()):
            view.left_out.append(f"{told} (sources outside of the lake's folders)")
            continue
        own.add(inside[0])
        for path in _files(folder):
            if path.suffix != ".pyc":
                view.add(Piece(lake.relative(path), data=path.read_bytes()))
    ledger = lake.ledger_path.name
    view.left_out += sorted(
        path.name
        for path in lake.root.iterdir()
        if path.name not in own | zones | _AFRESH and not path.name.startswith((ledger, ".tmp-"))
    )


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder that have their name, sorted; OSError where a folder may not be read."""
    for at, folders, names in os.walk(folder, onerror=_refuse_unread):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        yield from (Path(at) / name for name in sorted(names) if name[0] != ".")


def _refuse_unread(failed: OSError) -> None:
    """Raise what kept a folder from being listed, unless it is gone: files left out in silence would be lost."""
    if not isinstance(failed, FileNotFoundError):
        raise failed


def _read(path: Path) -> bytes:
    """The bytes of a small file, nothing where it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
