"""Land and accept: a file that a person gives becomes a delivery in raw, or stays in landing with the reason.

The order is what makes an answer of "accepted" true: one look at all bytes where they lie, a copy of exactly these
bytes in landing, the whole copy checked by the reader that will stage it, its second name in raw, the manifest beside
it, the ledger; only then its name in landing goes, and the answer comes. A process that dies in between leaves a copy
in landing, which the next import of the same bytes uses or removes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

from bedrot.contract import Facts, Feed, Original, Source
from bedrot.contract.original import WHOLE_BYTES
from bedrot.contract.zips import Packed, packed
from bedrot.errors import STUMBLES, BedrotError, Defect, NeedsTelling, PrivateFile, Refused, Unrecognised
from bedrot.lake import disk, objects
from bedrot.lake.decisions import Decisions
from bedrot.lake.deliveries import Delivery, Sighting, read_manifest, write_manifest, write_sightings
from bedrot.lake.ledger import Landed, Ledger
from bedrot.lake.zones import Lake
from bedrot.log import Kind, note
from bedrot.walk.attribute import Told, checked, delivery_of, facts_of
from bedrot.walk.found import Found, find, is_litter, sayable
from bedrot.walk.identify import Identified, identify, refuse_shapeless
from bedrot.walk.land import Landing
from bedrot.walk.private import cannot_read, has_secret, read_through
from bedrot.walk.text_rows import check_whole
from bedrot.walk.whole import NOTE, open_end, refuse_open_end, tells_numbers

__all__ = ["Door", "Outcome", "Told"]

LEAVE = {"private", "purged"}
"""Verdicts on files of which the lake keeps no copy."""
_OF_THE_FILE = (Refused, Unrecognised, NeedsTelling, PrivateFile, Defect)

_SHOWN = 300


class Purged(PrivateFile):
    """The file's data had to go: it is copied nowhere."""

    verdict = "purged"


@dataclass(frozen=True)
class Outcome:
    """What became of one file, and why.

    `verdict` is accepted, repeat, refused, waiting, unrecognised, private, purged, failed or skipped.
    """

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
    """The way in: one import command at work. `now` is when the lake got the files.

    Raises Misconfigured for an account or an instant that cannot be.
    """

    lake: Lake
    ledger: Ledger
    sources: Sequence[Source]
    accounts: dict[str, tuple[str, ...]]
    told: Told
    now: datetime
    sightings: list[Sighting] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.landing = Landing(self.lake, self.ledger, self.now)
        self.told = checked(self.told, self.now)

    def offer(self, paths: Sequence[Path]) -> Iterator[Outcome]:
        """Each file below the paths in turn, in the order of their names, with what became of it."""
        try:
            for path in paths:
                for found in find(path, self.lake):
                    yield from self.offer_found(found)
        finally:
            self.keep_sightings()

    def keep_sightings(self) -> None:
        """Keep in raw which deliveries came once more."""
        if self.sightings:
            write_sightings(self.lake, self.sightings)
            self.ledger.add_sightings(self.sightings)
            self.sightings = []

    def offer_found(self, found: Found) -> Iterator[Outcome]:
        """One file, or those in a zip, each with what became of it, which is logged: by name what the lake holds."""
        for outcome in self._offered(found):
            note(
                Kind.VALIDATION,
                outcome.verdict,
                file=outcome.name if outcome.delivery else "",
                feed=outcome.feed,
                account=outcome.account,
                delivery=outcome.delivery,
                sentence=outcome.sentence,
                next=outcome.do,
            )
            yield outcome

    def _offered(self, found: Found) -> Iterator[Outcome]:
        """One file; a zip that no feed knows as a whole is taken apart, and its members are offered."""
        if found.verdict:
            yield Outcome(_shown(found.relative), found.verdict, sentence=found.sentence, do=found.do)
            return
        name, relative = self.landing.called(found.path) or (sayable(found.path.name), found.relative)
        original = Original(found.path, name, relative)
        try:
            if original.is_zip:
                refuse_shapeless(original)
            apart = original.is_zip and not original.is_workbook and not self._known_whole(original)
        except Refused as wrong:
            yield self._turn_away(original, wrong, None)
            return
        except OSError as failed:
            yield self._turn_away(original, cannot_read(original, failed), None)
            return
        if apart:
            yield from self._offer_members(original)
        else:
            yield self.take(original)

    def _known_whole(self, original: Original) -> bool:
        """Whether a feed knows the zip as one file."""
        try:
            return any(feed.knows(original) for source in self.sources for feed in source.feeds)
        except (BedrotError, *STUMBLES):
            return True  # asked again by `take`, which says what is wrong

    def _offer_members(self, original: Original) -> Iterator[Outcome]:
        """The members of a zip, each as a file of its own with the time that the zip says.

        A zip with a member that is refused for what it is as a member stays in landing as a whole.
        """
        disk.make_folder(self.lake.work)
        wrong: list[Refused] = []
        verdicts: set[str] = set()
        try:
            with tempfile.TemporaryDirectory(prefix="zip-", dir=self.lake.work) as folder:
                for number, member in enumerate(packed(original.path, original.name)):
                    path = Path(folder) / f"{number}.member"
                    broken = _unpacked(member, path)
                    wrong += [broken] if broken else []
                    outcome = self._take_member(original, member, path, broken)
                    verdicts.add(outcome.verdict)
                    path.unlink(missing_ok=True)
                    yield outcome
        except Refused as unreadable:
            wrong.append(unreadable)
        if not (wrong or verdicts - {"skipped"}):
            wrong.append(Refused("The zip file holds no file.", "Check that it is the right download."))
        if wrong and not verdicts & LEAVE:
            yield self._turn_away(original, wrong[0], None)

    def _take_member(self, original: Original, member: Packed, path: Path, broken: Refused | None) -> Outcome:
        """One member of a zip, unpacked to `path`, or why it could not be."""
        name = sayable(PurePosixPath(member.name.replace("\\", "/")).name)
        relative = f"{original.relative}/{sayable(member.name)}"
        if is_litter(member.name):
            return Outcome(_shown(relative), "skipped", sentence="A file of the operating system, not data.")
        if broken is not None:
            return Outcome(_shown(relative), "refused", sentence=broken.sentence, do=broken.do)
        return self.take(Original(path, name, relative, member.time))

    def take(self, original: Original) -> Outcome:
        """One file through identify, landing, the checks and into raw; never raises for what is wrong with a file."""
        found: Identified | None = None
        try:
            try:
                refuse_shapeless(original)
                digest = read_through(original, self.sources)
                found = identify(original, self.sources)
                return self._accept(original, found, digest)
            except STUMBLES as stumble:
                raise Defect(
                    f"The program stumbled over this file ({type(stumble).__name__}); nothing of it was taken.",
                    "Report this, with the file's headings; it waits in landing.",
                    file=original.name,
                ) from stumble
            except OSError as failed:
                raise cannot_read(original, failed) from failed
        except _OF_THE_FILE as wrong:
            return self._turn_away(original, wrong, found)

    def _accept(self, original: Original, found: Identified, digest: str) -> Outcome:
        """Make the file a delivery; raises Refused or NeedsTelling with the reason when it cannot be one."""
        delivery = delivery_of(
            original, found, digest, told=self.told, configured=self.accounts.get(found.source.name, ()), now=self.now
        )
        outcome = Outcome(_shown(original.relative), "accepted", found.feed.name, delivery.account, delivery.id)
        known = self.ledger.delivery(delivery.id) is not None
        self._refuse_purged(delivery, known=known)
        if known:
            self.sightings.append(
                Sighting(delivery.id, self.now, self.told.received_at, original.name, original.relative)
            )
            self.landing.leave(digest)
            return replace(outcome, verdict="repeat")
        facts = facts_of(delivery, delivery.account)
        disk.make_folder(self.lake.work)
        look = partial(self._check, original, found.feed, facts)
        kept = self.landing.keep(original, found.source.name, digest, look)
        if not tells_numbers(found.feed) and open_end(replace(original, path=kept.path)):
            outcome = replace(outcome, sentence=NOTE)
        objects.put_object(self.lake, kept.path, digest, ours=kept.fresh)
        if not write_manifest(self.lake, delivery):
            # A command that died behind the manifest: what raw says of the delivery's coming is the truth.
            delivery = read_manifest(self.lake, delivery.id)
        self.ledger.add_delivery(delivery)
        self.landing.leave(digest, kept)
        return outcome

    def _refuse_purged(self, delivery: Delivery, *, known: bool) -> None:
        """Raise Purged for a delivery with a tombstone, and for a new one of bytes that have one."""
        told = self._decisions.purged(delivery.id) or (None if known else self._decisions.purged_bytes(delivery.object))
        if told is not None:
            raise Purged(
                f"This file was purged on {told.at:%Y-%m-%d}: {told.because}",
                f"If it may come back: bedrot purge --allow {told.target[:12]} --because TEXT, then import it again.",
            )

    @cached_property
    def _decisions(self) -> Decisions:
        return self.ledger.decisions()

    def _check(self, original: Original, feed: Feed, facts: Facts, path: Path) -> None:
        """Look through the whole copy at `path` with the reader that will stage it; Refused where it is not whole."""
        copy = replace(original, path=path)
        refuse_open_end(copy, feed)
        with tempfile.TemporaryDirectory(prefix="look-", dir=self.lake.work) as folder:
            check_whole(feed, copy, facts, Path(folder))

    def _turn_away(self, original: Original, wrong: BedrotError, found: Identified | None) -> Outcome:
        """Keep a file that was not accepted in landing with the reason.

        What is private stays out, and so does what nobody knows and is larger than 256 MiB, or cannot be read.
        """
        outcome = _outcome(original, wrong, found)
        try:
            if isinstance(wrong, PrivateFile) or not original.size or not (found or original.size <= WHOLE_BYTES):
                return outcome
            digest = read_through(original, self.sources)
            within = original.path.is_relative_to(self.lake.landing)
            source = found.source.name if found else "unknown"
            landed = original.path if within else self.landing.keep(original, source, digest).path
        except PrivateFile as private:
            return _outcome(original, private, None)
        except (Refused, OSError, *STUMBLES):
            return outcome  # what cannot be looked through is not copied
        self.landing.note(
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


def _unpacked(member: Packed, path: Path) -> Refused | None:
    """Write a member's bytes to a scratch file; what is wrong with it, None where nothing is."""
    try:
        with path.open("wb") as out:
            for piece in member.pieces:
                out.write(piece)
    except Refused as wrong:
        return wrong
    return None


def _outcome(original: Original, wrong: BedrotError, found: Identified | None) -> Outcome:
    """The outcome of a file that was not accepted; a name that carries a secret is not repeated."""
    what = has_secret(f"{original.name}\n{original.relative}") if isinstance(wrong, PrivateFile) else ""
    shown = f"(a file whose name carries {what})" if what else _shown(original.relative)
    return Outcome(shown, wrong.verdict, found.feed.name if found else "", sentence=_placed(wrong), do=wrong.do)


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


def _shown(relative: str) -> str:
    """A relative path for a line of output: what is too long is left out in its middle."""
    return relative if len(relative) <= _SHOWN else f"{relative[: _SHOWN // 2]}…{relative[-_SHOWN // 2 :]}"
