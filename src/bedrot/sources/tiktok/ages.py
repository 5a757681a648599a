"""What instant a TikTok download speaks of."""

from __future__ import annotations

import re
from datetime import date

from bedrot.contract import Original, Resaved, Stamp
from bedrot.sources.tiktok import kinds
from bedrot.sources.tiktok.names import overview_name
from bedrot.sources.tiktok.sheets import Sheet, is_archive, sheets

_SLASHED = re.compile(r"([0-9]{4})[/-]([0-9]{2})[/-]([0-9]{2})")
_REWRITTEN = re.compile(r"[0-9]{1,2}[-.] ?[^\W\d]{3,5}[.]?|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+")
"""A day as spreadsheets write it back (`17-Jun`, `08-mar`), or as a date cell of a workbook."""

_DATES = ("date", "snapshot_date", "post_time")


def by_name_or_zip(original: Original) -> Stamp | None:
    """The instant in an Overview file's own name, else the time of the zip member; None where neither is there."""
    name = overview_name(original)
    return Stamp(name.instant, "name") if name else by_zip(original)


def by_zip(original: Original) -> Stamp | None:
    """The time that TikTok's server gave to the zip's members, the instant of the export (UTC).

    None for a bare file, and for zips of workbooks, whose members carry no time. Raises Refused for a damaged zip.
    """
    if original.member_time is not None:
        return Stamp(original.member_time, "zip")
    if not is_archive(original):
        return None
    times = [member.time for member in original.members if member.time is not None]
    return Stamp(max(times), "zip") if times else None


def by_data(original: Original) -> Stamp | None:
    """As `by_name_or_zip`, else the last whole date that a business account's series reaches.

    Raises Refused for a file that is not whole.
    """
    known = by_name_or_zip(original)
    if known is not None:
        return known
    days = [day for sheet in sheets(original) for day in _days(sheet)]
    return Stamp.of_day(max(days), "data") if days else None


def resaved(original: Original) -> Resaved | None:
    """What shows that a spreadsheet re-saved the file, with damage where it rewrote dates; None where nothing does.

    Raises Refused for a file that is not whole.
    """
    found = None
    for sheet in sheets(original):
        kind = kinds.kind_of(sheet.headings)
        found = found or (Resaved(sheet.resaved, damaged=False) if sheet.resaved else None)
        if kind is None:
            continue
        places = [place for name, place in kinds.places(sheet, kind.table).items() if name in _DATES]
        for record in sheet.records:
            for place in places:
                if _REWRITTEN.fullmatch(record.cells[place].strip()):
                    shown = f"{sheet.place} {record.line} has the date '{record.cells[place].strip()}'"
                    return Resaved(shown, damaged=True)
    return found


def _days(sheet: Sheet) -> list[date]:
    """The whole dates in a sheet's date column; those that are none are left to the typing."""
    kind = kinds.kind_of(sheet.headings)
    place = kinds.places(sheet, kind.table).get("date") if kind else None
    found = []
    for record in sheet.records if place is not None else ():
        match = _SLASHED.fullmatch(record.cells[place].strip()) if place is not None else None
        try:
            found += [date(int(match[1]), int(match[2]), int(match[3]))] if match else []
        except ValueError:
            continue
    return found
