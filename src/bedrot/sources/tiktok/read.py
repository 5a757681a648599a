"""From a download's sheets to text rows: dates get their year, unknown days and hours become null, all else stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import groupby

from bedrot.contract import Facts, Ignored, Original, Row
from bedrot.errors import Refused
from bedrot.sources.tiktok import kinds
from bedrot.sources.tiktok.dates import Written, dates_between, dates_up_to, latest_date
from bedrot.sources.tiktok.names import OverviewName, overview_name
from bedrot.sources.tiktok.sheets import Record, Sheet, sheets
from bedrot.sources.tiktok.tables import FROM_ID, FROM_POST_TIME, UNDEFINED

Values = dict[str, str | None]

_VIDEO = re.compile(r"/(?:video|photo)/([0-9]{6,20})(?![0-9])")
_SLASHED = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})(?: .*)?")
_FIRST_VIDEO = date(2014, 4, 1)
"""The month in which TikTok's forerunner opened; no video is older."""

_FAR_FROM_ONE = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Given:
    """The records of a sheet by field, with the lines where they begin, and what else the reader may know."""

    rows: Sequence[Mapping[str, str]]
    lines: Sequence[int]
    file: str
    facts: Facts
    name: OverviewName | None

    @property
    def export_day(self) -> date:
        """The UTC day of the export."""
        return self.facts.exported_at.astimezone(UTC).date()

    def written(self, field: str) -> list[Written]:
        """The texts of a field with their lines."""
        return [Written(row[field].strip(), line) for row, line in zip(self.rows, self.lines, strict=True)]


def read(original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """Yield the rows of a TikTok download, whatever its container, in the order of its text.

    Raises Refused where a file is not whole, a heading is missing, or a date's year is not certain.
    """
    count = 0
    for sheet in sheets(original):
        for row in _sheet_rows(sheet, original, facts):
            count += 1
            yield row
    if not count:
        raise Refused(
            "The file has headings but no rows.", "Choose a longer range and download it again.", file=original.name
        )


def _sheet_rows(sheet: Sheet, original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """The rows of one sheet; a heading row that is repeated among them is ignored by name."""
    kind = kinds.kind_of(sheet.headings)
    if kind is None:
        raise Refused(
            f"The headings are none of TikTok's: {', '.join(sheet.headings)[:300]}.",
            "Give the file as it was downloaded.",
            file=sheet.file,
            line=sheet.heading_line,
        )
    found = kinds.places(sheet, kind.table)
    records = [record for record in sheet.records if not _is_heading(record, sheet)]
    rows = [{name: record.cells[place] for name, place in found.items()} for record in records]
    given = Given(rows, [record.line for record in records], sheet.file, facts, overview_name(original))
    filled = _FILL[kind.name](given)
    _refuse_repeats(filled, kind.table.key, given)
    remaining = iter(filled)
    for record in sheet.records:
        locator = f"{sheet.place} {record.line}"
        if _is_heading(record, sheet):
            yield Ignored(kind.table.name, "heading row repeated", locator)
        else:
            yield Row(kind.table.name, next(remaining), locator)


def _is_heading(record: Record, sheet: Sheet) -> bool:
    """Whether a record repeats the headings."""
    return tuple(cell.strip() for cell in record.cells[: len(sheet.headings)]) == sheet.headings


def _refuse_repeats(rows: Sequence[Values], key: Sequence[str], given: Given) -> None:
    """Refuse a sheet that says two things of one day, hour, group or video."""
    seen: dict[tuple[str, ...], int] = {}
    for row, line in zip(rows, given.lines, strict=True):
        one = tuple((row.get(name) or "").strip() for name in key)
        if all(one) and one in seen:
            raise Refused(
                f"The row is about the same as line {seen[one]}: {', '.join(one)}.",
                "Download the file again.",
                file=given.file,
                line=line,
            )
        seen[one] = line


def _days(given: Given) -> list[date]:
    """The dates of a series: by the name of an Overview file, else backwards from the day of the export."""
    return dates_up_to(given.written("date"), given.export_day - timedelta(days=1), given.file)


def _fill_overview(given: Given) -> list[Values]:
    """Overview rows, dated by the two days in the file's own name where it has kept it."""
    name = given.name
    if name is None:
        return _fill_series(given)
    return _dated(given, dates_between(given.written("date"), name.start, name.end, given.file))


def _fill_series(given: Given) -> list[Values]:
    """Rows of one day each, dated from the export day."""
    return _dated(given, _days(given))


def _dated(given: Given, days: Sequence[date]) -> list[Values]:
    """Rows with their dates; a day of which one count is undefined is unknown in all of them."""
    filled: list[Values] = []
    for row, day in zip(given.rows, days, strict=True):
        unknown = any(text.strip().lower() == UNDEFINED for text in row.values())
        values: Values = dict.fromkeys(row) if unknown else dict(row)
        filled.append(values | {"date": day.isoformat()})
    return filled


def _fill_activity(given: Given) -> list[Values]:
    """Rows of one hour each; the zeros that end the last day are unknown, since the day's data is not all there."""
    runs = [list(run) for _, run in groupby(given.written("date"), key=lambda one: one.text)]
    days = dates_up_to([run[0] for run in runs], given.export_day - timedelta(days=1), given.file)
    dated = [day for day, run in zip(days, runs, strict=True) for _ in run]
    filled: list[Values] = [
        {**row, "date": day.isoformat(), "snapshot_date": given.export_day.isoformat()}
        for row, day in zip(given.rows, dated, strict=True)
    ]
    last = sorted(
        (row for row, day in zip(filled, dated, strict=True) if day == days[-1]),
        key=lambda row: (row["hour"] or "").strip().rjust(2),
        reverse=True,
    )
    for row in last:
        if (row["active_followers"] or "").strip() != "0":
            break
        row["active_followers"] = None
    return filled


def _fill_shares(given: Given) -> list[Values]:
    """Rows of one group each, with a note where the shares of all groups are far from 1 together."""
    total = sum((_share(row["share"]) for row in given.rows), Decimal())
    note = None
    if abs(total - 1) > _FAR_FROM_ONE:
        note = f"the shares of this export are {total.normalize():f} together, not 1"
    return [{**row, "snapshot_date": given.export_day.isoformat(), "note": note} for row in given.rows]


def _share(text: str) -> Decimal:
    """A share as a fraction, 0 where it is not one (such a row is set aside when it is typed)."""
    plain = text.strip()
    try:
        value = Decimal(plain.removesuffix("%"))
    except InvalidOperation:
        return Decimal()
    if not value.is_finite():
        return Decimal()
    return value / 100 if plain.endswith("%") else value


def _fill_content(given: Given) -> list[Values]:
    """Rows of one video each, on the one day that all of them name."""
    texts = given.written("snapshot_date")
    for one in texts:
        if one.text != texts[0].text:
            raise Refused(
                f"The time is '{one.text}' here and '{texts[0].text}' in the first row; an export has one.",
                "Download the file again.",
                file=given.file,
                line=one.line,
                heading="Time",
            )
    days = dates_up_to(texts[:1], given.export_day, given.file)
    return [_video(row, days[0]) for row in given.rows]


def _fill_business_content(given: Given) -> list[Values]:
    """Rows of one video each, on the day of the export."""
    return [_video(row, given.export_day) for row in given.rows]


def _video(row: Mapping[str, str], day: date) -> Values:
    """A video's row with its number from the link, and the time of posting from the number or else from the text."""
    found = _VIDEO.search(row["link"])
    number = found[1] if found else None
    values: Values = {**row, "snapshot_date": day.isoformat(), "video_id": number}
    at = _instant_in(number, day) if number else None
    if at is not None:
        return values | {
            "posted_at": f"{at:%Y-%m-%d %H:%M:%S}",
            "posted_on": at.date().isoformat(),
            "posted_basis": FROM_ID,
        }
    on = _posted_on(row["post_time"].strip(), day)
    return values | {"posted_at": None, "posted_on": on, "posted_basis": FROM_POST_TIME if on else None}


def _instant_in(number: str, day: date) -> datetime | None:
    """The instant in the upper 32 bits of a video's number; None where no video can have been posted then."""
    seconds = int(number) >> 32
    if seconds >= 1 << 32:
        return None
    at = datetime.fromtimestamp(seconds, UTC)
    return at if _FIRST_VIDEO <= at.date() <= day + timedelta(days=1) else None


def _posted_on(text: str, day: date) -> str | None:
    """The day in a post time: written out by business accounts, else the latest that fits; None where it is neither."""
    slashed = _SLASHED.fullmatch(text)
    if slashed:
        return "-".join(slashed.groups())
    latest = latest_date(text, day)
    return latest.isoformat() if latest else None


def _fill_as_written(given: Given) -> list[Values]:
    """Rows as they stand: business accounts write whole dates."""
    return [dict(row) for row in given.rows]


_FILL: Mapping[str, Callable[[Given], list[Values]]] = {
    kinds.OVERVIEW.name: _fill_overview,
    kinds.VIEWERS.name: _fill_series,
    kinds.FOLLOWERS.name: _fill_series,
    kinds.ACTIVITY.name: _fill_activity,
    kinds.GENDER.name: _fill_shares,
    kinds.TERRITORIES.name: _fill_shares,
    kinds.CONTENT.name: _fill_content,
    kinds.BUSINESS_OVERVIEW.name: _fill_as_written,
    kinds.BUSINESS_AUDIENCE.name: _fill_as_written,
    kinds.BUSINESS_CONTENT.name: _fill_business_content,
}
