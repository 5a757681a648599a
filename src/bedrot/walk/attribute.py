"""Attribute: whose data a file is, and of what instant it speaks; what nothing proves is asked for, never guessed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from bedrot.contract import Facts, Original, Stamp
from bedrot.errors import Misconfigured, NeedsTelling, Refused
from bedrot.lake.deliveries import Delivery, delivery_id
from bedrot.walk.identify import Identified

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=2)
_ACCOUNT = 200
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
_BIDI = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}
"""Marks that turn the direction of writing: they make one name look like another."""


@dataclass(frozen=True)
class Told:
    """What the person said with the files; or a pull: which it was, and what it asked for."""

    account: str | None = None
    exported_at: datetime | None = None
    received_at: datetime | None = None
    accept_resaved: bool = False
    batch: str = ""
    window: Mapping[str, str] | None = None


def checked(told: Told, now: datetime) -> Told:
    """What the person said, the account without blanks around it; Misconfigured for what cannot be."""
    for at, option in ((told.exported_at, "--exported-at"), (told.received_at, "--received-at")):
        if at is not None and not _possible(at, now):
            lies = "ahead" if at > now else "before any download"
            raise Misconfigured(f"{option} says {at:%Y-%m-%d}, which lies {lies}.", "Give the day of the download.")
    if told.account is None:
        return told
    name = told.account.strip()
    if not name or len(name) > _ACCOUNT:
        raise Misconfigured(
            f"The name after --account is empty or longer than {_ACCOUNT} characters.",
            "Write the account's name as the service shows it.",
        )
    if any(char in _BIDI or unicodedata.category(char) in _UNSEEN for char in name):
        raise Misconfigured(
            "The name after --account holds characters that cannot be seen.",
            "Type the account's name by hand, as the service shows it.",
        )
    return replace(told, account=name)


def delivery_of(
    original: Original, found: Identified, digest: str, *, told: Told, configured: Sequence[str], now: datetime
) -> Delivery:
    """What the file would be as a delivery; Refused where a spreadsheet damaged it, NeedsTelling where a fact lacks.

    `digest` is the SHA-256 of its bytes, `configured` are the accounts that the settings name for its source.
    """
    resaved = found.feed.resaved(original)
    if resaved and resaved.damaged and not told.accept_resaved:
        raise Refused(
            f"A spreadsheet saved this file anew and damaged it: {resaved.shown}.",
            "Give the original as it was downloaded; or --accept-resaved takes it, counted as older than any"
            " original, with the damaged identifiers left out.",
            file=original.name,
        )
    stamp = _stamp(original, found, told, now)
    account = _account(original, found, told, configured)
    return Delivery(
        id=delivery_id(digest, found.feed.name, account, stamp.at, told.window),
        object=digest,
        size=original.size,
        source=found.source.name,
        feed=found.feed.name,
        account=account,
        exported_at=stamp.at,
        exported_basis=stamp.basis,
        resaved=bool(resaved),
        name=original.name,
        relative=original.relative,
        received_at=now,
        claimed_at=told.received_at,
        member_time=original.member_time,
        batch=told.batch,
        window=told.window,
    )


def facts_of(delivery: Delivery, account: str) -> Facts:
    """What a reader may know of a delivery, which belongs to that account by what is decided now."""
    return Facts(
        account,
        delivery.exported_at,
        delivery.exported_basis,
        delivery.resaved,
        MappingProxyType(delivery.window or {}),
    )


def _possible(at: datetime, now: datetime) -> bool:
    """Whether a download can have been made then: not before these services, not ahead (give or take the zones)."""
    return _EARLIEST <= at <= now + _AHEAD


def _stamp(original: Original, found: Identified, told: Told, now: datetime) -> Stamp:
    """The instant the file speaks of: what proves it, else the person's word, else how far the data goes."""
    stamp = found.feed.exported_at(original)
    if stamp is not None and stamp.basis != "data" and _possible(stamp.at, now):
        return stamp
    if told.exported_at is not None:
        return Stamp(told.exported_at, "person")
    if stamp is None and found.feed.aged_by_receipt:
        return Stamp(told.received_at or now, "received")
    if stamp is None:
        raise NeedsTelling(
            "Nothing in the file or its name tells when it was exported.",
            "Import it again with --exported-at and the day of the download, such as --exported-at 2025-06-17.",
            file=original.name,
        )
    if _possible(stamp.at, now):
        return stamp
    where = {
        "name": "The name of the file says",
        "zip": "The zip file says",
        "data": "The data reaches to",
    }.get(stamp.basis, "The file says")
    lies = "lies ahead" if stamp.at > now else "was before any of these services"
    raise NeedsTelling(
        f"{where} {stamp.at:%Y-%m-%d}, which {lies}, so nothing tells when it was exported.",
        "Look at those dates and at this computer's clock; import it again with --exported-at and the day of the"
        " download.",
        file=original.name,
    )


def _account(original: Original, found: Identified, told: Told, configured: Sequence[str]) -> str:
    """Whose data it is: the file's own proof, the person's word, the one configured, or main."""
    if found.account is not None and told.account not in (None, found.account):
        raise NeedsTelling(
            f"The file itself says that it is of the account '{found.account}', not '{told.account}'.",
            "Import it without --account.",
            file=original.name,
        )
    said = found.account or told.account
    if said:
        return said
    if len(configured) > 1:
        raise NeedsTelling(
            f"{found.source.title} has the accounts {', '.join(configured)}, and nothing tells whose file this is.",
            "Import it again with --account and the name of one.",
            file=original.name,
        )
    return configured[0] if configured else "main"
