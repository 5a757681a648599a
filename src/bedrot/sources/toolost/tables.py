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

# No real file of TooLost's sales report has been seen: the headings are those that distributors use, in the order in
# which they are preferred where a file has several for one text column.
SALES = Table(
    name="toolost_sales",
    about=(
        "Lines of TooLost's sales statements: what was paid, for which track, where. Each statement (month and number) "
        "stands for itself, so a statement that TooLost issues again under another number would count twice."
    ),
    fields=(
        Field("statement_month", Kind.MONTH, "The month in the file's name (`@05-2025-70799.csv`).", filled=True),
        Field("statement", Kind.TEXT, "The number in the statement's file name.", filled=True),
        Field(
            "reporting_date",
            Kind.DATE,
            "When it was reported; the first of the month where no more than a month is told, by the file or its name.",
            aka=(
                "reporting date",
                "report date",
                "statement date",
                "posted date",
                "reporting period",
                "reporting month",
                "date",
            ),
            filled=True,
        ),
        Field(
            "sale_month",
            Kind.MONTH,
            "The month in which it was played or sold; null where none is told, or more than one.",
            aka=(
                "sale month",
                "sales month",
                "sales period",
                "activity period",
                "sale date",
                "sales date",
                "period",
                "month",
            ),
        ),
        Field("sale_period", Kind.TEXT, "First and last day of the sale period where it is not one whole month."),
        Field(
            "store",
            Kind.TEXT,
            "Store, social platform or content identification that paid.",
            aka=(
                "channel",
                "store name",
                "store",
                "platform",
                "dsp",
                "digital service provider",
                "partner",
                "partner name",
                "service",
            ),
            clean=("collapse",),
        ),
        Field(
            "country",
            Kind.TEXT,
            "Country or territory as the file writes it.",
            aka=("country", "territory", "country of sale", "country region", "delivery country"),
            clean=("collapse",),
        ),
        Field(
            "artist",
            Kind.TEXT,
            "The artist's name.",
            aka=(
                "track artist",
                "track artists",
                "artist",
                "artists",
                "artist name",
                "artist names",
                "release artists",
            ),
            clean=("collapse",),
        ),
        Field(
            "title",
            Kind.TEXT,
            "The track's title.",
            aka=("track title", "track name", "song title", "track", "song", "title"),
            clean=("collapse",),
        ),
        Field(
            "release",
            Kind.TEXT,
            "The release's title.",
            aka=("release title", "release name", "album title", "album name", "release", "album"),
            clean=("collapse",),
        ),
        Field("label", Kind.TEXT, "The label's name.", aka=("label", "label name"), clean=("collapse",)),
        Field("isrc", Kind.TEXT, "The recording's ISRC.", aka=("isrc", "isrc code"), clean=("upper", "no_dashes")),
        Field(
            "upc",
            Kind.TEXT,
            "The release's UPC or EAN.",
            aka=("upc", "upc code", "ean", "barcode"),
            clean=("no_dashes",),
        ),
        Field(
            "product",
            Kind.TEXT,
            "What kind of use or product was paid for, as the file writes it.",
            aka=(
                "sales type",
                "transaction type",
                "sale type",
                "product type",
                "content type",
                "type",
                "product",
            ),
            clean=("collapse",),
        ),
        Field(
            "quantity",
            Kind.INTEGER,
            "Units that were paid for; null where the file has no such column.",
            unit="units",
            aka=("quantity", "units", "units sold", "streams", "count"),
            basis=Basis.PAID,
            additive=("account", "reporting_date", "sale_month", "country", "artist", "title", "isrc"),
        ),
        Field(
            "earnings",
            Kind.MONEY,
            "What the label earned by the line, in the line's currency.",
            unit="currency",
            aka=(
                "total",
                "earnings",
                "revenue",
                "net",
                "amount",
                "net earnings",
                "net revenue",
                "total earnings",
                "total earned",
                "royalty",
            ),
            required=True,
            filled=True,
            basis=Basis.PAID,
            additive=("account", "reporting_date", "sale_month", "store", "country", "artist", "title", "isrc", "upc"),
        ),
        Field(
            "currency",
            Kind.TEXT,
            "Currency of the earnings (ISO 4217), from a column, from the money's heading or from the file's name.",
            aka=("currency", "currency code", "payment currency", "client payment currency"),
            filled=True,
            clean=("upper",),
        ),
    ),
    merge=Merge.LINES,
    key=(
        "statement_month",
        "statement",
        "reporting_date",
        "sale_month",
        "sale_period",
        "store",
        "country",
        "artist",
        "title",
        "release",
        "label",
        "isrc",
        "upc",
        "product",
        "currency",
    ),
    identity=("store", "artist", "title", "release", "isrc", "upc"),
    folded=("artist", "title", "release", "label"),
    partition=Partition("reporting_date", Grain.MONTH),
    day="reporting_date",
    day_zone=ZONE,
    checks=(Check("the currency is not three letters", "NOT regexp_full_match(currency, '[A-Z]{3}')", "ISO 4217."),),
)
