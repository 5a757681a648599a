"""What the name that TikTok's server gave to a file proves: the account's handle, and for Overview its days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

from bedrot.contract import Original
from bedrot.sources.tiktok.dates import MOST_DAYS

_ENDING = re.compile(r"[.](zip|csv|xlsx)", re.IGNORECASE)
_COPY = r"(?: ?\([0-9]{1,3}\))?"
"""A browser's own mark of a second download; a handle holds neither blanks nor brackets."""

_OVERVIEW = re.compile(rf"Overview_([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})_([0-9]{{10}})_([\w.]{{1,64}}){_COPY}")
_OTHER = re.compile(rf"(Viewers|Followers|Content)_([\w.]{{1,64}}){_COPY}")


@dataclass(frozen=True, slots=True)
class OverviewName:
    """What an Overview file's name says: first day, an instant on the last day (UTC), and the account's handle."""

    start: date
    instant: datetime
    handle: str

    @property
    def end(self) -> date:
        """The last day, by the UTC clock."""
        return self.instant.date()


def overview_name(original: Original) -> OverviewName | None:
    """The parts of `Overview_<first day>_<seconds since 1970>_<handle>`, from the file or a folder around it.

    None where no name has that form, or its two days cannot be those of one download. A handle may hold, begin and end
    with dots and underscores, so the name is split from the left.
    """
    for part in (original.name, *reversed(PurePosixPath(original.relative.replace("\\", "/")).parts)):
        match = _OVERVIEW.fullmatch(_stem(part))
        if match is None:
            continue
        try:
            found = OverviewName(date.fromisoformat(match[1]), datetime.fromtimestamp(int(match[2]), UTC), match[3])
        except ValueError:
            continue
        if 0 <= (found.end - found.start).days < MOST_DAYS:
            return found
    return None


def overview_handle(original: Original) -> str | None:
    """The handle in an Overview file's name; None where the name was changed."""
    name = overview_name(original)
    return name.handle if name else None


def viewers_handle(original: Original) -> str | None:
    """The handle in `Viewers_<handle>.zip`; None where the name was changed."""
    return _other_handle(original, "Viewers")


def followers_handle(original: Original) -> str | None:
    """The handle in `Followers_<handle>.zip`; None where the name was changed."""
    return _other_handle(original, "Followers")


def content_handle(original: Original) -> str | None:
    """The handle in `Content_<handle>.zip`; None where the name was changed."""
    return _other_handle(original, "Content")


def no_handle(_original: Original) -> str | None:
    """None: no name that TikTok gives to this kind of file is known."""
    return None


def _other_handle(original: Original, prefix: str) -> str | None:
    """The handle behind the prefix in a zip's name, the file's own or that of the zip it was taken from.

    A folder's name proves nothing here: people call folders `Content_old`.
    """
    for part in (original.name, *reversed(PurePosixPath(original.relative.replace("\\", "/")).parts)):
        match = _OTHER.fullmatch(_stem(part))
        if match and match[1] == prefix and part.lower().endswith(".zip"):
            return match[2]
    return None


def _stem(part: str) -> str:
    """A name without its last ending, where that is one of TikTok's."""
    found = PurePosixPath(part).suffix
    return part[: -len(found)] if _ENDING.fullmatch(found) else part
