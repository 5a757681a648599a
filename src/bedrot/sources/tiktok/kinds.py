"""Which of TikTok's table files one is, told by its headings, and where in it the fields of its table stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bedrot.contract import Original, Table, heading_key
from bedrot.errors import Refused
from bedrot.sources.tiktok import business_tables, tables
from bedrot.sources.tiktok.sheets import Sheet, is_archive, peek


@dataclass(frozen=True, slots=True)
class SheetKind:
    """One kind of table file: its table, headings that only it has together, and headings that it never has.

    `only`: the headings are so common that no others may stand beside them.
    """

    name: str
    table: Table
    marks: frozenset[str]
    never: frozenset[str] = frozenset()
    only: bool = False

    def fits(self, keys: AbstractSet[str]) -> bool:
        """Whether a file with headings of these keys is of this kind."""
        return self.marks <= keys and not self.never & keys and (not self.only or self.marks == keys)


def _marks(*headings: str) -> frozenset[str]:
    """Headings as they are compared: letters and digits only, in lower case."""
    return frozenset(map(heading_key, headings))


OVERVIEW = SheetKind(
    "overview", tables.OVERVIEW, _marks("Date", "Video Views", "Profile Views"), _marks("Reached audience")
)
VIEWERS = SheetKind("viewers", tables.VIEWERS, _marks("Date", "Total Viewers"))
FOLLOWERS = SheetKind(
    "followers", tables.FOLLOWERS, _marks("Date", "Followers", "Difference in followers from previous day")
)
ACTIVITY = SheetKind("activity", tables.FOLLOWER_ACTIVITY, _marks("Date", "Hour", "Active followers"))
GENDER = SheetKind("gender", tables.FOLLOWER_GENDER, _marks("Gender", "Distribution"), only=True)
TERRITORIES = SheetKind(
    "territories", tables.FOLLOWER_TERRITORIES, _marks("Top territories", "Distribution"), only=True
)
CONTENT = SheetKind("content", tables.CONTENT, _marks("Time", "Video link", "Post time"))
BUSINESS_OVERVIEW = SheetKind(
    "business overview",
    business_tables.BUSINESS_OVERVIEW,
    _marks("Date", "Video views", "Profile views", "Reached audience"),
)
BUSINESS_AUDIENCE = SheetKind(
    "business audience", business_tables.BUSINESS_AUDIENCE, _marks("Date", "Total followers", "Engaged audience")
)
BUSINESS_CONTENT = SheetKind(
    "business content", tables.CONTENT, _marks("Video link", "Post time", "Video views"), _marks("Time")
)

FOLLOWERS_ZIP = (FOLLOWERS, ACTIVITY, GENDER, TERRITORIES)
KINDS = (OVERVIEW, VIEWERS, *FOLLOWERS_ZIP, CONTENT, BUSINESS_OVERVIEW, BUSINESS_AUDIENCE, BUSINESS_CONTENT)


def kind_of(headings: Sequence[str]) -> SheetKind | None:
    """The kind of table file with these headings; None where it is none of TikTok's."""
    keys = {heading_key(heading) for heading in headings if heading.strip()}
    return next((kind for kind in KINDS if kind.fits(keys)), None)


def holds_only(original: Original, kinds: Sequence[SheetKind]) -> bool:
    """Whether a download holds at least one table file, each of another of these kinds, and nothing else."""
    found = [kind_of(headings) for headings in peek(original)]
    return bool(found) and all(kind in kinds for kind in found) and len(set(map(id, found))) == len(found)


def unreadable_zip(original: Original) -> bool:
    """Whether the file begins as a zip that cannot be opened: only its name can say whose it is."""
    return is_archive(original) and not original.member_names


def places(sheet: Sheet, table: Table) -> Mapping[str, int]:
    """Where in a record each field of the table stands; Refused where a heading is missing or stands twice."""
    keys = [heading_key(heading) for heading in sheet.headings]
    for place, heading in enumerate(sheet.headings):
        if heading and keys[place] in keys[:place]:
            raise Refused(
                "The heading stands twice, so it is not certain which column is meant.",
                "Download the file again.",
                file=sheet.file,
                line=sheet.heading_line,
                heading=heading,
            )
    found = {}
    for field in table.fields:
        wanted = [heading_key(heading) for heading in field.aka]
        at = [place for place, key in enumerate(keys) if key in wanted]
        if at:
            found[field.name] = at[0]
        elif field.required:
            raise Refused(
                f"The heading is missing; the file has: {', '.join(sheet.headings)}.",
                "Set TikTok to English and download the file again, as it is.",
                file=sheet.file,
                line=sheet.heading_line,
                heading=field.aka[0],
            )
    return found
