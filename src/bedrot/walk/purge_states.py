"""Purge among published states: which snapshots held what must go, at hand and in bundles, and what stays of these."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from bedrot.errors import BedrotError, Damaged
from bedrot.lake import disk
from bedrot.lake.sealed import digest
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.walk import archive
from bedrot.walk.bundle import Bundle, Entry, read_bundle, read_manifest, read_members, repacked
from bedrot.walk.purge_subject import Subject

_FINDINGS = "curated/_findings/"
_RECORDS = "curated/_snapshots/"


@dataclass(frozen=True)
class Repack:
    """A bundle, and the files of it that stay: none, and it goes as a whole."""

    bundle: Bundle
    keep: tuple[Entry, ...]


@dataclass
class States:
    """All published states: texts of records and findings by path, at hand and in bundles; bundles read whole.

    `tables` are the staging tables of the source whose account must go.
    """

    lake: Lake
    tables: frozenset[str] = frozenset()
    bundles: list[Bundle] = field(default_factory=list)
    texts: dict[str, list[bytes]] = field(default_factory=dict)
    at_hand: set[str] = field(default_factory=set)

    def held(self, subject: Subject) -> set[int]:
        """The numbers of the states that held what must go, and of those whose record nobody can read."""
        return {
            number
            for path, texts in self.texts.items()
            if (number := self._number(path)) is not None and any(self._holds(path, text, subject) for text in texts)
        }

    def kept(self, gone: set[int]) -> list[Snapshot]:
        """The states that stay."""
        found = (self._read(path, text) for path, texts in self.texts.items() for text in texts[:1] if text)
        return [one for one in found if one is not None and one.number not in gone]

    def findings(self) -> Iterator[dict[str, Any]]:
        """Everything that was ever held or vanished, as far as states are left that tell of it."""
        for path, texts in self.texts.items():
            for text in texts if path.startswith(_FINDINGS) else ():
                told = _json(text)
                yield from (*told.get("held", ()), *told.get("vanished", ()))

    def repacks(self, subject: Subject, gone: set[int], named: set[str]) -> list[Repack]:
        """The bundles that hold what must go; `named` are the files that states which stay name."""
        found = []
        for one in self.bundles:
            keep = tuple(entry for entry in one.entries if not self._goes(entry, subject, gone, named))
            if len(keep) < len(one.entries):
                found.append(Repack(one, keep))
        return found

    def _goes(self, entry: Entry, subject: Subject, gone: set[int], named: set[str]) -> bool:
        """Whether a file in a bundle must go."""
        if entry.sha256 in subject.objects:
            return True
        if (number := self._number(entry.path)) is not None:
            return number in gone
        return derived_goes(entry.path, subject, named) or PurePosixPath(entry.path).stem in subject.ids

    def _holds(self, path: str, text: bytes, subject: Subject) -> bool:
        """Whether the state of a record holds what must go; so it is taken to where the record cannot be read."""
        one = self._read(path, text)
        if one is None:
            return True
        told = [text, *self.texts.get(one.inputs.get("findings", ""), ())]
        if any(mark.encode() in some for mark in subject.ids for some in told):
            return True
        if subject.account is None:
            return False
        mine = (one.tables[table].parts for table in self.tables & one.tables.keys())
        return any(part.partition.startswith(f"{subject.account[1]}/") for parts in mine for part in parts)

    def _number(self, path: str) -> int | None:
        """The number of the state whose record has that path."""
        return self.lake.snapshot_number(Path(path)) if path.startswith(_RECORDS) else None

    def _read(self, path: str, text: bytes) -> Snapshot | None:
        """The state of a record; None for another file, and where it is not whole."""
        number = self._number(path)
        if number is None:
            return None
        try:
            one = Snapshot.from_json(text.decode(), Path(path))
        except (BedrotError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            return None
        return one if one.number == number else None


def read_states(lake: Lake, tables: frozenset[str]) -> States:
    """All published states; Damaged where a bundle is not whole, for nobody can tell then what it holds."""
    found = States(lake, tables)
    for folder in (lake.snapshots, lake.curated / "_findings"):
        for path in sorted(folder.glob("*.json")):
            if not path.name.startswith("."):
                found.texts.setdefault(lake.relative(path), []).append(path.read_bytes())
                found.at_hand.add(lake.relative(path))
    for path in archive.bundles(lake):
        try:
            bundle = read_manifest(path)
            for entry, chunks in read_members(bundle):
                if entry.path.startswith((_RECORDS, _FINDINGS)):
                    found.texts.setdefault(entry.path, []).append(b"".join(chunks))
                else:
                    for _ in chunks:
                        pass
        except Damaged as wrong:
            raise Damaged(
                f"{wrong.sentence} Nobody can tell whether it holds what must go.",
                "Bring it back from a backup, or delete it; then give the same command again.",
                file=lake.relative(path),
            ) from wrong
        found.bundles.append(bundle)
    return found


def derived_goes(path: str, subject: Subject, named: set[str]) -> bool:
    """Whether a file below staging or curated must go: rows of a delivery, or what no state that stays names.

    A staged file begins with its delivery; merged ones, tables and findings are gone when nobody names them any more.
    """
    parts = PurePosixPath(path).parts
    if parts[0] == "staging" and parts[-2] != "merged":
        return parts[-1].partition("-")[0] in subject.ids
    return parts[0] in ("staging", "curated") and parts[1] != "_snapshots" and len(parts) > 2 and path not in named


def repack(told: Repack) -> None:
    """Write a bundle anew with what stays, read it back, then remove the old one."""
    old = told.bundle.path
    if told.keep:
        new = old.with_name(new_name(told))
        disk.put(new, repacked(told.bundle, told.keep))
        read_bundle(new)
    disk.remove(old)


def new_name(told: Repack) -> str:
    """The name of the bundle that takes another one's place."""
    return f"{told.bundle.path.name.split('-')[0]}-{digest([vars(one) for one in told.keep])[:8]}.tar.zst"


def _json(text: bytes) -> Mapping[str, Any]:
    """A JSON object; an empty one where it is none."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
