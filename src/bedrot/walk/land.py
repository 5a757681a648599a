"""Land: a copy of the bytes in landing under a name of ours, and what is noted of those that were turned away."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from bedrot.contract import Original
from bedrot.errors import Refused
from bedrot.lake import disk, objects
from bedrot.lake.ledger import Landed, Ledger
from bedrot.lake.zones import Lake
from bedrot.walk.private import cannot_read

_SAFE_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".html", ".htm", ".xlsx", ".zip"}
INBOX = "inbox"


@dataclass
class Landing:
    """The landing zone at work in one command; what it holds is listed once."""

    lake: Lake
    ledger: Ledger
    now: datetime
    _places: dict[str, dict[str, Path]] = field(default_factory=dict)
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

    def keep(self, original: Original, folder: str, digest: str) -> Path:
        """The copy of a file's bytes in `landing/<folder>`; the same bytes are there once.

        Raises Refused when the bytes are not those that were hashed: the file changed meanwhile.
        """
        place = self.lake.landing / folder
        ending = f"{digest[:8]}{_safe_suffix(original.name)}"
        listed = self._listed(folder)
        kept = listed.get(ending)
        if kept is not None and kept.is_file() and objects.hash_file(kept)[0] == digest:
            return kept
        final = place / f"{self.now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{ending}"
        disk.put(final, _same_bytes(original, digest), replace=final.exists())
        listed[ending] = final
        return final

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

    def _listed(self, folder: str) -> dict[str, Path]:
        """The files of a folder of landing by the end of their name, which says their hash."""
        if folder not in self._places:
            found = sorted((self.lake.landing / folder).glob("*-*"))
            self._places[folder] = {path.name.rpartition("-")[2]: path for path in found}
        return self._places[folder]


def _same_bytes(original: Original, digest: str) -> Iterator[bytes]:
    """The bytes of a file; Refused at their end when they are not those that were looked at."""
    again = hashlib.sha256()
    try:
        with original.path.open("rb") as file:
            while piece := file.read(1 << 20):
                again.update(piece)
                yield piece
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
