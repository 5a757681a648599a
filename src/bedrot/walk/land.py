"""Land: a copy of the bytes in landing under a name of ours, and what is noted of those that were turned away."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from bedrot.contract import Original
from bedrot.errors import Refused
from bedrot.lake import disk, objects, second_name
from bedrot.lake.ledger import Landed, Ledger
from bedrot.lake.zones import Lake
from bedrot.walk.private import cannot_read

_SAFE_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".html", ".htm", ".xlsx", ".zip"}
_OURS = re.compile(r"\d{8}T\d{6}Z-([0-9a-f]{8})\.[a-z]+")
INBOX = "inbox"


@dataclass(frozen=True)
class Kept:
    """Where bytes are in landing; `fresh`: this process has written them there, so that nobody else has them open."""

    path: Path
    fresh: bool = False


@dataclass
class Landing:
    """The landing zone at work in one command; what it holds is listed once."""

    lake: Lake
    ledger: Ledger
    now: datetime
    _listed: dict[str, list[Path]] | None = None
    _noted: dict[str, dict[str, Landed]] | None = None

    @property
    def inbox(self) -> Path:
        """The folder where a person drops files."""
        return self.lake.landing / INBOX

    def known(self, path: Path) -> Landed | None:
        """What is noted of a file in landing, None where nothing is."""
        if not path.is_relative_to(self.lake.landing):
            return None
        told = self.lake.relative(path)
        return next((one for some in self._all_noted().values() for one in some.values() if one.path == told), None)

    def called(self, path: Path) -> tuple[str, str] | None:
        """Name and relative path that a file in landing came by, None where nobody knows.

        They are as noted, else those of the delivery that it is a copy of: a process died before it could remove it.
        """
        noted = self.known(path)
        if noted is not None:
            return noted.name, noted.relative
        named = _OURS.fullmatch(path.name)
        if named is None or path.parent.parent != self.lake.landing or path.parent == self.inbox:
            return None
        came = (one for one in self.ledger.deliveries() if one.object.startswith(named[1]))
        return next(((one.name, one.relative) for one in came), None)

    def keep(self, original: Original, folder: str, digest: str, look: disk.Look | None = None) -> Kept:
        """A file's bytes in `landing/<folder>`; the same bytes are there once, and a copy of ours is not copied again.

        Raises Refused when the bytes are not those that were hashed: the file changed meanwhile. What `look`, which is
        given the path of the copy, raises goes through; a new copy is not kept then.
        """
        for path in self.copies(digest):
            if path.parent.name == folder or path == original.path:
                if look is not None:
                    look(path)
                return Kept(path)
        name = f"{self.now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}{_safe_suffix(original.name)}"
        final = self.lake.landing / folder / name
        with closing(_same_bytes(original, digest)) as pieces:
            fresh = disk.put(final, pieces, replace=final.exists(), look=look)
        listed = self._ours()[digest[:8]]
        listed += [] if final in listed else [final]
        return Kept(final, fresh)

    def copies(self, digest: str) -> Iterator[Path]:
        """The copies of these bytes in landing that are ours, hashed again; what a person put there is none."""
        for path in self._ours()[digest[:8]]:
            if path.is_file() and objects.hash_file(path)[0] == digest:
                yield path

    def leave(self, digest: str, kept: Kept | None = None) -> None:
        """Forget bytes that raw has taken, and remove our copies of them: `kept`, and what a dead process left.

        Before the latter go, the object is hashed again, and healed from them where it is damaged.
        """
        self.forget(digest)
        taken = self.lake.object_path(digest)
        if kept is not None:
            second_name.drop(kept.path, taken)
        for path in self.copies(digest):
            objects.put_object(self.lake, path, digest)
            second_name.drop(path, taken)

    def note(self, landed: Landed) -> None:
        """Note why a file in landing was not accepted; what is noted already in the same words stays as it is."""
        noted = self._all_noted().setdefault(landed.sha256, {})
        before = noted.get(landed.path)
        if before is not None and (before.verdict, before.sentence) == (landed.verdict, landed.sentence):
            return
        self.ledger.note_landing(landed)
        noted[landed.path] = landed

    def forget(self, digest: str) -> None:
        """Drop what is noted of bytes that were turned away before."""
        for path in self._all_noted().pop(digest, {}):
            self.ledger.forget_landing(path)

    def _all_noted(self) -> dict[str, dict[str, Landed]]:
        """All that is noted, by hash and path."""
        if self._noted is None:
            self._noted = {}
            for one in self.ledger.landings():
                self._noted.setdefault(one.sha256, {})[one.path] = one
        return self._noted

    def _ours(self) -> dict[str, list[Path]]:
        """The files with names of ours in all folders of landing, by the first digits of their hash."""
        if self._listed is None:
            self._listed = defaultdict(list)
            for path in sorted(self.lake.landing.glob("*/*-*")):
                named = _OURS.fullmatch(path.name)
                if named and path.parent != self.inbox:
                    self._listed[named[1]].append(path)
        return self._listed


def _same_bytes(original: Original, digest: str) -> Generator[bytes, None, None]:
    """The bytes of a file; Refused at their end when they are not those that were looked at."""
    again = hashlib.sha256()
    try:
        with original.path.open("rb") as file:
            yield from objects.hashed(iter(lambda: file.read(objects.PIECE), b""), again)
    except OSError as failed:
        raise cannot_read(original, failed) from failed
    if again.hexdigest() != digest:
        raise Refused(
            "The file changed while it was read.",
            "Import it again when nothing writes to it any more.",
            file=original.name,
        )


def _safe_suffix(name: str) -> str:
    """The ending of a name when it is one that we know, else `.dat`."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in _SAFE_SUFFIXES else ".dat"
