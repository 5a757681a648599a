"""The label's own sheet of its recordings and releases, which no service knows better."""

from __future__ import annotations

import re
from datetime import date

from bedrot.contract import (
    ISRC,
    Check,
    Delimited,
    Feed,
    Field,
    Grain,
    Kind,
    Merge,
    Original,
    Partition,
    Remembers,
    Source,
    Stamp,
    Table,
    heading_key,
    unlike,
)

_DELIMITERS = "\t,;"
_SUFFIXES = (".csv", ".tsv", ".txt")
_MEASURES = re.compile(
    "amount|earning|impression|listener|paid|plays$|quantity|revenue|royalt|sale|spend|stream|units|views"
)
_DATED = re.compile(r"(?<!\d)(20\d{2})[-_]?(\d{2})[-_]?(\d{2})(?!\d)")

CATALOGUE = Table(
    name="catalogue",
    about="One recording on one release, as the label itself writes it; a newer sheet replaces an older one.",
    fields=(
        Field(
            "isrc",
            Kind.TEXT,
            "The ISRC of the recording, with or without dashes; blank where the line is a release.",
            aka=("ISRC", "ISRC Code"),
            required=True,
            clean=("upper", "no_dashes"),
        ),
        Field(
            "upc",
            Kind.TEXT,
            "The UPC or EAN of the release, as text with its leading zeros.",
            aka=("UPC", "EAN", "UPC/EAN", "Barcode"),
            required=True,
            clean=("no_dashes",),
        ),
        Field(
            "artist",
            Kind.TEXT,
            "The artist as the label spells it.",
            aka=("Artist", "Artists", "Artist Name"),
            required=True,
            filled=True,
            clean=("collapse",),
        ),
        Field(
            "title",
            Kind.TEXT,
            "The title of the recording, or of the release where the ISRC is blank.",
            aka=("Title", "Track", "Track Title", "Song"),
            required=True,
            filled=True,
            clean=("collapse",),
        ),
        Field(
            "release_date",
            Kind.DATE,
            "The day of first release; it may lie ahead.",
            aka=("Release Date", "Released"),
            clean=("slash_date",),
        ),
        Field("label", Kind.TEXT, "The label of the release.", aka=("Label", "Record Label"), clean=("collapse",)),
        Field(
            "writers",
            Kind.TEXT,
            "The writers of the song, divided as the label does.",
            aka=("Writers", "Songwriters", "Songwriter", "Composers"),
            clean=("collapse",),
        ),
    ),
    merge=Merge.SNAPSHOTS,
    key=("isrc", "upc", "title"),
    partition=Partition("isrc", Grain.ALL),
    checks=(
        Check(
            says="The line has neither an ISRC nor a UPC, so nothing can be joined to it.",
            breaks="isrc IS NULL AND upc IS NULL",
            reason="Titles and spellings are not unique; these two numbers are.",
        ),
        Check(
            says="The ISRC is not two letters, three letters or digits, and seven digits.",
            breaks=unlike("isrc", ISRC.pattern),
            reason="ISO 3901; a mistyped one would enrich another recording or none.",
        ),
        Check(
            says="The UPC is not a number of 12 to 14 digits: in the spreadsheet, format its column as text.",
            breaks=unlike("upc", "[0-9]{12,14}"),
            reason="Spreadsheets write 1.99E+11 for a long number and drop leading zeros.",
        ),
    ),
)


def knows(original: Original) -> bool:
    """Whether the headings are those of a catalogue: what a recording is, and no count or money of it."""
    if original.is_zip or original.suffix not in _SUFFIXES:
        return False
    first = re.split(r"[\r\n]", original.head_text.lstrip("\ufeff"), maxsplit=1)[0]
    titles = {key for title in re.split(f"[{_DELIMITERS}]", first) if (key := heading_key(title))}
    if any(_MEASURES.search(title) for title in titles):
        return False
    known = {field.name: {heading_key(name) for name in (field.name, *field.aka)} for field in CATALOGUE.fields}
    present = {name for name, spellings in known.items() if spellings & titles}
    return {"isrc", "artist", "title"} <= present and len(present) >= 4


def exported_at(original: Original) -> Stamp | None:
    """The day in the sheet's name (`catalogue-2025-06-01.csv`), or the zip member's time; else the sheet tells none."""
    for year, month, day in _DATED.findall(original.name):
        try:
            return Stamp.of_day(date(int(year), int(month), int(day)), "name")
        except ValueError:
            continue
    return Stamp(original.member_time, "zip") if original.member_time else None


SOURCE = Source(
    name="catalogue",
    title="The label's own sheets",
    feeds=(
        Feed(
            name="catalogue.sheet",
            about="The label's own sheet of recordings: ISRC, UPC, artist, title, release date, label, writers.",
            tables=(CATALOGUE,),
            knows=knows,
            read=Delimited(CATALOGUE.name, _DELIMITERS),
            exported_at=exported_at,
            aged_by_receipt=True,
        ),
    ),
    remembers=Remembers(days=None, evidence="The sheet is the label's own."),
)
