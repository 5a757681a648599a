"""Land and accept: a file that a person gives becomes a delivery in raw, or stays in landing with the reason.

The order is what makes an answer of "accepted" true: bytes into landing, the whole file checked by the reader that will
stage it, bytes into raw, the manifest beside them, and only then the ledger and the answer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from bedrot.contract import Delimited, Original, Source, Stamp
from bedrot.errors import BedrotError, NeedsTelling, PrivateFile, Refused, Unrecognised
from bedrot.lake import disk, objects
from bedrot.lake.deliveries import Delivery, Sighting, delivery_id, read_manifest, write_manifest, write_sightings
from bedrot.lake.ledger import Landed, Ledger
from bedrot.lake.zones import Lake
from bedrot.walk.identify import Identified, identify, refuse_private
from bedrot.walk.lines import read_heading, refuse_bad_ends, scan
from bedrot.walk.stage import StageTask, stage_delivery

_SAFE_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".html", ".htm", ".xlsx", ".zip"}
_SKIPPED = {".ds_store", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Told:
    """What the person said with the files."""

    account: str | None = None
    exported_at: datetime | None = None
    received_at: datetime | None = None
    accept_resaved: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one file: accepted, repeat, refused, waiting, unrecognised or private; with the sentence why."""

    name: str
    verdict: str
    feed: str = ""
    account: str = ""
    delivery: str = ""
    sentence: str = ""
    do: str = ""

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to act."""
        return self.verdict not in ("accepted", "repeat", "skipped")


@dataclass
class Door:
    """The way in: one import command at work. `now` is when the lake got the files."""

    lake: Lake
    ledger: Ledger
    sources: Sequence[Source]
    accounts: dict[str, tuple[str, ...]]
    source_folders: tuple[Path, ...]
    told: Told
    now: datetime
    _sightings: list[Sighting] = field(default_factory=list)

    def offer(self, paths: Sequence[Path]) -> Iterator[Outcome]:
        """Each file below the paths in turn, in the order of their names, with what became of it."""
        for path in paths:
            if path.is_dir():
                files = sorted((one for one in path.rglob("*") if one.is_file()), key=lambda one: one.as_posix())
                for file in files:
                    yield from self._offer_file(file, file.relative_to(path.parent).as_posix())
            else:
                yield from self._offer_file(path, path.name)
        if self._sightings:
            write_sightings(self.lake, self._sightings)
            self.ledger.add_sightings(self._sightings)
            self._sightings = []

    def _offer_file(self, path: Path, relative: str) -> Iterator[Outcome]:
        """One file; a zip that no feed knows as a whole is taken apart, and its members are offered."""
        if path.name.lower() in _SKIPPED or path.name.startswith("."):
            yield Outcome(relative, "skipped", sentence="A file of the operating system, not data.")
            return
        if not path.is_file():
            yield Outcome(relative, "refused", sentence="There is no such file.", do="Check the name.")
            return
        original = Original(path, path.name, relative)
        try:
            if original.is_zip and original.suffix != ".xlsx" and not self._known_whole(original):
                yield from self._offer_members(original)
                return
        except BedrotError as wrong:
            yield self._turn_away(original, wrong, None)
            return
        yield self.take(original)

    def _known_whole(self, original: Original) -> bool:
        """Whether a feed knows the zip as one file."""
        return any(feed.knows(original) for source in self.sources for feed in source.feeds)

    def _offer_members(self, original: Original) -> Iterator[Outcome]:
        """The members of a zip, each as a file of its own with the time that the zip says."""
        refuse_private(original, self.sources)
        disk.make_folder(self.lake.work)
        with tempfile.TemporaryDirectory(prefix="zip-", dir=self.lake.work) as folder:
            for number, member in enumerate(original.members):
                name = PurePosixPath(member.name.replace("\\", "/")).name
                if name.lower() in _SKIPPED or name.startswith(".") or member.name.startswith("__MACOSX/"):
                    continue
                path = Path(folder) / f"{number}{_safe_suffix(name)}"
                path.write_bytes(member.data)
                yield self.take(Original(path, name, f"{original.relative}/{member.name}", member.time))

    def take(self, original: Original) -> Outcome:
        """One file through identify, landing, the checks and into raw; never raises for what is wrong with a file."""
        found: Identified | None = None
        try:
            found = identify(original, self.sources)
            return self._accept(original, found)
        except (Refused, Unrecognised, NeedsTelling, PrivateFile) as wrong:
            return self._turn_away(original, wrong, found)

    def _accept(self, original: Original, found: Identified) -> Outcome:
        """Make the file a delivery; raises Refused or NeedsTelling with the reason when it cannot be one."""
        resaved = found.feed.resaved(original)
        if resaved and resaved.damaged and not self.told.accept_resaved:
            raise Refused(
                f"A spreadsheet saved this file anew and damaged it: {resaved.shown}.",
                "Give the original as it was downloaded; or --accept-resaved takes it, counted as older than any"
                " original, with the damaged identifiers left out.",
                file=original.name,
            )
        stamp = self._stamp(original, found)
        account = self._account(original, found)
        stored_hash, size = objects.hash_file(original.path)
        identity = delivery_id(stored_hash, found.feed.name, account, stamp.at, None)
        delivery = Delivery(
            id=identity,
            object=stored_hash,
            size=size,
            source=found.source.name,
            feed=found.feed.name,
            account=account,
            exported_at=stamp.at,
            exported_basis=stamp.basis,
            resaved=bool(resaved),
            name=original.name,
            relative=original.relative,
            received_at=self.now,
            claimed_at=self.told.received_at,
            member_time=original.member_time,
            batch="",
            window=None,
        )
        if self.ledger.delivery(identity) is not None:
            sighting = Sighting(identity, self.now, self.told.received_at, original.name, original.relative)
            self._sightings.append(sighting)
            return Outcome(original.relative, "repeat", found.feed.name, account, identity)
        landed = self._land(original, found.source.name, stored_hash)
        self._check_whole(original, found, delivery)
        objects.put_object(self.lake, landed)
        if not write_manifest(self.lake, delivery):
            # A command that died behind the manifest: what raw says of the delivery's coming is the truth.
            delivery = read_manifest(self.lake, delivery.id)
        self.ledger.add_delivery(delivery)
        self._forget(stored_hash)
        return Outcome(original.relative, "accepted", found.feed.name, account, identity)

    def _stamp(self, original: Original, found: Identified) -> Stamp:
        """The instant the file speaks of: what proves it, else the person's word, else how far the data goes."""
        stamp = found.feed.exported_at(original)
        if stamp is not None and stamp.basis != "data":
            return stamp
        if self.told.exported_at is not None:
            return Stamp(self.told.exported_at, "person")
        if stamp is None and found.feed.aged_by_receipt:
            return Stamp(self.told.received_at or self.now, "received")
        if stamp is None:
            raise NeedsTelling(
                "Nothing in the file or its name tells when it was exported.",
                "Import it again with --exported-at and the day of the download, such as --exported-at 2025-06-17.",
                file=original.name,
            )
        if stamp.at > self.now + timedelta(days=2):
            raise NeedsTelling(
                f"The data reaches to {stamp.at:%Y-%m-%d}, which lies ahead, so nothing tells when it was exported.",
                "Look at those dates; import it with --exported-at and the day of the download.",
                file=original.name,
            )
        return stamp

    def _account(self, original: Original, found: Identified) -> str:
        """Whose data it is: the file's own proof, the person's word, the one configured, or main."""
        configured = self.accounts.get(found.source.name, ())
        if found.account is not None and self.told.account not in (None, found.account):
            raise NeedsTelling(
                f"The file itself says that it is of the account '{found.account}', not '{self.told.account}'.",
                "Import it without --account.",
                file=original.name,
            )
        told = found.account or self.told.account
        if told:
            return told
        if len(configured) > 1:
            raise NeedsTelling(
                f"{found.source.title} has the accounts {', '.join(configured)}, and nothing tells whose file this is.",
                "Import it again with --account and the name of one.",
                file=original.name,
            )
        return configured[0] if configured else "main"

    def _check_whole(self, original: Original, found: Identified, delivery: Delivery) -> None:
        """Refuse a file that is not whole or not of the expected shape, before anything of it is in raw."""
        if isinstance(found.feed.read, Delimited):
            heading = read_heading(original, found.feed.table(found.feed.read.table), found.feed.read.delimiters)
            scanned = scan(original.path)
            refuse_bad_ends(original, scanned, heading)
            if not scanned.quotes:
                return
        task = StageTask(self.lake.root, delivery, delivery.account, self.source_folders, dry=True, path=original.path)
        stage_delivery(task)

    def _land(self, original: Original, folder: str, digest: str) -> Path:
        """A copy of the bytes in landing, under a name of ours; the same bytes are landed once a folder."""
        place = self.lake.landing / folder
        known = sorted(place.glob(f"*-{digest[:8]}{_safe_suffix(original.name)}")) if place.is_dir() else []
        if known and objects.hash_file(known[0])[0] == digest:
            return known[0]
        stamp = self.now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        final = place / f"{stamp}-{digest[:8]}{_safe_suffix(original.name)}"
        if original.path.parent == place:
            return original.path
        with original.path.open("rb") as file:
            disk.put(final, iter(lambda: file.read(1 << 20), b""))
        return final

    def _turn_away(self, original: Original, wrong: BedrotError, found: Identified | None) -> Outcome:
        """Keep a file that was not accepted in landing with the reason; what is private stays out."""
        outcome = Outcome(
            original.relative,
            wrong.verdict,
            found.feed.name if found else "",
            sentence=_placed(wrong),
            do=wrong.do,
        )
        if isinstance(wrong, PrivateFile) or not original.size:
            return outcome
        digest = objects.hash_file(original.path)[0]
        landed = self._land(original, found.source.name if found else "unknown", digest)
        self.ledger.note_landing(
            Landed(
                path=self.lake.relative(landed),
                sha256=digest,
                name=original.name,
                relative=original.relative,
                verdict=outcome.verdict,
                sentence=outcome.sentence,
                do=outcome.do,
                at=self.now,
            )
        )
        return outcome

    def _forget(self, digest: str) -> None:
        """Drop what landing remembers of the same bytes having been turned away before."""
        for landed in self.ledger.landings():
            if landed.sha256 == digest:
                self.ledger.forget_landing(landed.path)


def _placed(wrong: BedrotError) -> str:
    """The sentence with line and heading, without the file's name, which stands beside it."""
    place = ", ".join(
        part
        for part in (
            f"line {wrong.line}" if wrong.line is not None else "",
            f"heading '{wrong.heading}'" if wrong.heading else "",
        )
        if part
    )
    return f"{place}: {wrong.sentence}" if place else wrong.sentence


def _safe_suffix(name: str) -> str:
    """The ending of a name when it is one that we know, else `.dat`."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in _SAFE_SUFFIXES else ".dat"
