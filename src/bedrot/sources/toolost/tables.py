"""The tables that TooLost fills: what each column means, and how a newer file speaks to an older one."""

from __future__ import annotations

from bedrot.contract import Basis, Check, Field, Grain, Kind, Merge, Partition, Table

ZONE = "unknown"
"""TooLost does not say in which time zone its days begin."""

NOT_NEGATIVE = Check("streams are below zero", "streams < 0", "A count of plays cannot be negative.")

_DATE = Field("date", Kind.DATE, "The day that the figures are for.", aka=("date",), required=True, filled=True)
_EXPORTED_DAY = Field("exported_day", Kind.DATE, "The day (UTC) on which TooLost gave the totals.", filled=True)
_FIRST_DAY = Field(
    "first_day", Kind.DATE, "The first day with plays in the same answer: the totals begin no later than there."
)
_LAST_DAY = Field("last_day", Kind.DATE, "The last day with plays in the same answer: the totals reach to there.")

DAILY = Table(
    name="toolost_daily",
    about="Plays of the whole account by day and store, as TooLost's portal shows them; a day without plays is absent.",
    fields=(
        _DATE,
        Field("store", Kind.TEXT, "The store that was played at.", filled=True, values=("Spotify", "Apple Music")),
        Field(
            "streams",
            Kind.INTEGER,
            "Plays on that day, as the store estimated them; not the units that it pays for.",
            unit="plays",
            aka=("streams",),
            required=True,
            filled=True,
            basis=Basis.ESTIMATE,
            additive=("account", "date", "store"),
        ),
    ),
    merge=Merge.SERIES,
    key=("date", "store"),
    partition=Partition("date", Grain.MONTH),
    day="date",
    day_zone=ZONE,
    checks=(NOT_NEGATIVE,),
    fresh_days=5,
)

DISCOVERY = Table(
    name="toolost_discovery",
    about="Plays on Spotify that its Discovery Mode brought, by day, and what Spotify keeps for them.",
    fields=(
        _DATE,
        Field(
            "streams",
            Kind.INTEGER,
            "Plays that Discovery Mode brought; they are among the day's plays and not to be added to them.",
            unit="plays",
            aka=("streams",),
            required=True,
            filled=True,
            basis=Basis.ESTIMATE,
            additive=("account", "date"),
        ),
        Field(
            "fees",
            Kind.MONEY,
            "What Discovery Mode costs for the day, as the portal shows it; not a line of a statement.",
            unit="currency",
            aka=("fees",),
            required=True,
            filled=True,
            basis=Basis.ESTIMATE,
            additive=("account", "date"),
        ),
        Field("currency", Kind.TEXT, "The currency of the fees: null, because the answer does not name one."),
    ),
    merge=Merge.SERIES,
    key=("date",),
    partition=Partition("date", Grain.MONTH),
    day="date",
    day_zone=ZONE,
    checks=(NOT_NEGATIVE,),
)

SHAZAM = Table(
    name="toolost_shazam",
    about="How often the account's music was recognised with Shazam, by day; a day without any is absent.",
    fields=(
        _DATE,
        Field(
            "shazams",
            Kind.INTEGER,
            "Recognitions on that day; the answer calls them streams, but nobody played anything.",
            unit="recognitions",
            aka=("streams",),
            required=True,
            filled=True,
            basis=Basis.ESTIMATE,
            additive=("account", "date"),
        ),
    ),
    merge=Merge.SERIES,
    key=("date",),
    partition=Partition("date", Grain.MONTH),
    day="date",
    day_zone=ZONE,
    checks=(Check("recognitions are below zero", "shazams < 0", "A count cannot be negative."),),
)


def _total_streams(along: tuple[str, ...]) -> Field:
    """Plays at Apple Music over the days of an answer, which may be summed along those columns only."""
    return Field(
        "streams",
        Kind.INTEGER,
        "Plays at Apple Music from first_day to last_day; never to be added over export days.",
        unit="plays",
        aka=("streams",),
        required=True,
        filled=True,
        basis=Basis.ESTIMATE,
        additive=("account", *along),
    )


TRACKS = Table(
    name="toolost_tracks",
    about="Plays at Apple Music by track, over the calendar year so far, as of the day of export.",
    fields=(
        _EXPORTED_DAY,
        _FIRST_DAY,
        _LAST_DAY,
        Field("isrc", Kind.TEXT, "The recording's ISRC.", aka=("isrc",), clean=("upper", "no_dashes")),
        Field("title", Kind.TEXT, "The track's title.", aka=("track",), clean=("collapse",)),
        Field("release", Kind.TEXT, "The title of its release.", aka=("release",), clean=("collapse",)),
        _total_streams(("isrc", "title", "release")),
    ),
    merge=Merge.SNAPSHOTS,
    key=("exported_day", "first_day", "isrc", "title", "release"),
    scope=("exported_day", "first_day"),
    partition=Partition("exported_day", Grain.MONTH),
    day="exported_day",
    day_zone="UTC",
    checks=(NOT_NEGATIVE,),
)

COUNTRIES = Table(
    name="toolost_countries",
    about="Plays at Apple Music by country, over the calendar year so far, as of the day of export.",
    fields=(
        _EXPORTED_DAY,
        _FIRST_DAY,
        _LAST_DAY,
        Field(
            "country",
            Kind.TEXT,
            "Two letters of the listener's country (ISO 3166-1; `NA` is Namibia).",
            aka=("country",),
            filled=True,
            clean=("upper",),
        ),
        _total_streams(("country",)),
    ),
    merge=Merge.SNAPSHOTS,
    key=("exported_day", "first_day", "country"),
    scope=("exported_day", "first_day"),
    partition=Partition("exported_day", Grain.MONTH),
    day="exported_day",
    day_zone="UTC",
    checks=(NOT_NEGATIVE,),
)
