"""The folder that backups stand in: objects by their SHA-256, and for each backup one record that names all its files.

Objects come before the record that names them, and go after it, so that every record that is there can be followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bedrot.errors import Busy, Damaged, Misconfigured
from bedrot.lake import disk
from bedrot.lake.lock import held
from bedrot.lake.objects import is_whole
from bedrot.lake.sealed import instant, iso, read_sealed, seal, stamp

FORMAT = 1
"""The way in which this version writes backups; it reads this one and older ones."""
_WAIT = 10.0
_NAME = re.compile(r"(\d{6,})-\d{8}T\d{6}Z\.json")
_HASH = re.compile(r"[0-9a-f]{64}")
_OURS = {"objects", "records", "README.txt"}
_README = """\
This folder holds backups of a BEDROT lake. They are whole only together: change, move or delete nothing in it.

Bring the newest one back:  bedrot restore --from THIS-FOLDER --lake NEW-FOLDER
See which there are:        bedrot restore --from THIS-FOLDER --list

Without the program: each file in `records` is one backup; it lists files as [path, SHA-256, size, time, writable],
and the bytes of a file are in objects/<first 2 characters of the SHA-256>/<SHA-256>.
"""


@dataclass(frozen=True)
class Kept:
    """A file in a backup: path from the lake's root, SHA-256, bytes, time of change (ns), whether it may be written."""

    path: str
    sha256: str
    size: int
    changed: int = 0
    writable: bool = False


@dataclass(frozen=True)
class Record:
    """One backup: its number in the folder, when it was made, of which lake, and every file; `snapshot` 0: none yet."""

    number: int
    at: datetime
    lake: str
    version: str
    snapshot: int
    files: Sequence[Kept]

    @property
    def name(self) -> str:
        """What a person calls it: `000003-20261123T190000Z`."""
        return f"{self.number:06d}-{stamp(self.at)}"

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(one.size for one in self.files)

    def to_json(self) -> str:
        """The record as sealed text."""
        files = [[one.path, one.sha256, one.size, one.changed, one.writable] for one in self.files]
        return seal({**vars(self), "format": FORMAT, "at": iso(self.at), "files": files})


@dataclass(frozen=True)
class Store:
    """The folder of a lake's backups."""

    target: Path

    @property
    def header(self) -> Path:
        """The file that says what the folder is."""
        return self.target / "bedrot-backup.json"

    def object_path(self, sha256: str) -> Path:
        """Where the bytes of that hash are."""
        return self.target / "objects" / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        """Whether an object is there with the bytes of its name."""
        return is_whole(self.object_path(sha256), sha256)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one that changes the folder; Busy where another one does."""

        def busy() -> Busy:
            sentence = "Another backup is being made there."
            return Busy(sentence, "Wait until it has finished, then try again.", file=str(self.target))

        disk.make_folder(self.target)
        with held(self.target / ".lock", _WAIT, busy):
            yield

    def prepare(self, lake: str) -> None:
        """Let the folder be one for backups of that lake; Misconfigured where it is another's, or something else."""
        if self.header.exists():
            told = self._header()
            if told.get("lake") != lake:
                raise Misconfigured(
                    "The folder holds the backups of another lake.",
                    "Give each lake a folder of its own.",
                    file=str(self.target),
                )
            return
        if strangers := sorted(p.name for p in self.target.iterdir() if p.name not in _OURS and p.name[0] != "."):
            shown = ", ".join(strangers[:3]) + (", …" if strangers[3:] else "")
            raise Misconfigured(
                f"The folder holds other things ({shown}).",
                f"Name an empty or a new folder, such as {self.target / 'bedrot-backup'}.",
                file=str(self.target),
            )
        if any(self.load(path).lake != lake for path in self.records()[-1:]):
            raise Misconfigured("The folder holds the backups of another lake.", "Name another.", file=str(self.target))
        disk.put_text(self.target / "README.txt", _README, replace=True, read_only=False)
        disk.put_text(self.header, seal({"format": FORMAT, "lake": lake}))

    def check(self) -> None:
        """Misconfigured where the folder holds no backups, or those of a newer format."""
        if not self.target.is_dir():
            raise Misconfigured("There is no such folder.", "Name the folder of the backups.", file=str(self.target))
        if self.header.exists():
            self._header()
        if not self.records():
            raise Misconfigured(
                "There is no backup in this folder.", "Name the folder given to `bedrot backup`.", file=str(self.target)
            )

    def _header(self) -> dict[str, Any]:
        """What the folder says of itself; Misconfigured where a newer program wrote it."""
        do = "If this is the right folder, delete that file: the next backup makes it anew."
        told = read_sealed(self.header, do)
        _refuse_newer(told, self.header)
        return told

    def records(self) -> list[Path]:
        """The files of all records, the oldest first."""
        return sorted(
            (path for path in (self.target / "records").glob("*.json") if _NAME.fullmatch(path.name)), key=_number
        )

    def load(self, path: Path) -> Record:
        """The backup of a record's file; Damaged where it is not what was written."""
        value = read_sealed(path, "Use another backup: `bedrot restore --from FOLDER --list` shows them.")
        _refuse_newer(value, path)
        value.pop("format")
        files = tuple(Kept(*one) for one in value.pop("files"))
        return Record(**{**value, "at": instant(value["at"]), "files": files})

    def readable(self) -> tuple[list[Record], list[Path]]:
        """All backups, the oldest first, and the files of records that are not whole."""
        found, broken = [], []
        for path in self.records():
            try:
                found.append(self.load(path))
            except Damaged:
                broken.append(path)
        return found, broken

    def add(self, record: Record) -> None:
        """Write a record whose objects are all there, durably; Busy where its number is taken."""
        if not disk.put_text(self.target / "records" / f"{record.name}.json", record.to_json()):
            raise Busy("Another backup was made there meanwhile.", "Run the same command again.", file=str(self.target))

    def next_number(self) -> int:
        """The number of the next backup."""
        return max(map(_number, self.records()), default=0) + 1

    def stored(self) -> dict[str, int]:
        """Bytes of each object that has its name, by hash."""
        return {path.name: path.stat().st_size for path in self.objects()}

    def objects(self) -> Iterator[Path]:
        """The files of all objects."""
        for at, folders, names in os.walk(self.target / "objects"):
            folders.sort()
            yield from (Path(at) / name for name in sorted(names) if _HASH.fullmatch(name))

    def forget(self, keep: int) -> list[str]:
        """Remove all backups but the newest so many, then what no backup needs; names of those removed. Under the lock.

        Damaged where a backup to keep cannot be read: then nothing is removed, for nobody knows what it needs.
        """
        paths = self.records()
        kept, old = paths[-keep:], paths[:-keep]
        needed = {one.sha256 for path in kept for one in self.load(path).files}
        for path in old:
            disk.remove(path)
        for path in [one for one in self.objects() if one.name not in needed]:
            disk.remove(path)
        return [path.stem for path in old]


def _number(path: Path) -> int:
    """The number in a record's name."""
    return int(path.name.split("-")[0])


def _refuse_newer(told: dict[str, Any], path: Path) -> None:
    """Misconfigured for what a newer program wrote."""
    if not isinstance(told.get("format"), int) or told["format"] > FORMAT:
        raise Misconfigured(
            f"These backups were written by a newer bedrot (format {told.get('format')}; known is {FORMAT}).",
            "Install the newest bedrot.",
            file=str(path),
        )
