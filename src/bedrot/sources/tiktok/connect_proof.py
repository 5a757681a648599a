"""What a download proves before it is kept: that it is the tab's, the account's, in the form and of the days asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bedrot.connect.browser import Download
from bedrot.connect.states import NotFetched, State
from bedrot.contract import Merge, Original
from bedrot.errors import Refused
from bedrot.sources.tiktok import SOURCE, ages, kinds
from bedrot.sources.tiktok.names import overview_name
from bedrot.sources.tiktok.sheets import is_xlsx, parts, sheets

TABS = {
    "Overview": ("tiktok.overview", "tiktok.business_overview"),
    "Viewers": ("tiktok.viewers",),
    "Followers": ("tiktok.followers", "tiktok.business_audience"),
    "Content": ("tiktok.content", "tiktok.business_content"),
}
"""The tabs of the page, and what each brings for a personal and for a business account, which has no viewers."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A download that is what was asked for: which feed it is of, and its first and last day where it tells them."""

    feed: str
    first: date = date.min
    last: date = date.min

    @property
    def business(self) -> bool:
        """Whether it is that of a business account."""
        return self.feed.startswith("tiktok.business")


def prove(came: Download, tab: str, account: str, days: int) -> Proof:
    """The proof of one tab's download; NotFetched where it lacks."""
    original = Original(came.path, came.name, came.name)
    try:
        feed = next((one for one in SOURCE.feeds if one.name in TABS[tab] and one.knows(original)), None)
        if feed is None:
            raise NotFetched(State.CHANGED, f"What '{tab}' brought is not the file that it used to be.")
        told = feed.account(original)
        if told not in (None, account):
            raise NotFetched(
                State.WRONG_ACCOUNT,
                f"The download '{came.name}' is of the account {told}, not {account}.",
                "Log in with the right one.",
            )
        if any(is_xlsx(part.data) for part in parts(original)):
            raise NotFetched(State.CHANGED, f"'{tab}' brought a workbook, and CSV was chosen.")
        proof = Proof(feed.name)
        _prove_days(original, tab, days, exactly=not proof.business)
        return _dated(original, proof, days) if tab == "Overview" else proof
    except Refused as wrong:
        raise NotFetched(State.CHANGED, f"What '{tab}' brought cannot be read: {wrong.sentence}") from wrong


def prove_together(proofs: Sequence[Proof]) -> Proof:
    """The days of all downloads together; NotFetched where they are not all of one kind of account."""
    business = {one.business for one in proofs}
    if len(business) > 1 or len(proofs) != (3 if True in business else 4):
        raise NotFetched(State.CHANGED, "Some downloads are those of a business account, others are not.")
    return proofs[0]


def _prove_days(original: Original, tab: str, days: int, *, exactly: bool) -> None:
    """NotFetched where a series holds other days than were asked for; that of a business account may be shorter."""
    for sheet in sheets(original):
        kind = kinds.kind_of(sheet.headings)
        if kind is None or kind.table.merge is not Merge.SERIES:
            continue
        held = len(sheet.records)
        if held > days or not held or (exactly and held != days):
            raise NotFetched(State.CHANGED, f"'{tab}' brought {held} days, and the last {days} were asked for.")


def _dated(original: Original, proof: Proof, days: int) -> Proof:
    """The proof with its days: those in the file's name, or the last that is written out in it."""
    name = overview_name(original)
    if name is not None:
        return Proof(proof.feed, name.start, name.end)
    stamp = ages.by_data(original) if proof.business else None
    if stamp is None:
        raise NotFetched(State.CHANGED, f"The name '{original.name}' does not tell its days.")
    last = stamp.at.date()
    return Proof(proof.feed, last - timedelta(days=days - 1), last)
