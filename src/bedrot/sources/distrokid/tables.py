"""The tables that DistroKid's files fill: bank lines, and what the two statistics pages show."""

from __future__ import annotations

from bedrot.contract import ISRC, Basis, Check, Field, Grain, Kind, Merge, Partition, Table, unlike

_LINES = (
    "account",
    "reporting_date",
    "sale_month",
    "store",
    "country",
    "artist",
    "title",
    "isrc",
    "upc",
    "product",
    "share_percent",
)
"""What money of bank lines may be summed along, within one currency."""

_ISRC_SHAPE = Check(
    says="The ISRC is not two letters, three letters or digits, and seven digits.",
    breaks=unlike("isrc", ISRC.pattern),
    reason="Each of the 8,635 lines of one real export has this shape; another one is a damaged or shifted column.",
)
_UPC_SHAPE = Check(
    says="The UPC is not a number of 12 to 14 digits.",
    breaks=unlike("upc", "[0-9]{12,14}"),
    reason="A shorter one has lost its leading zeros, and 1.99E+11 was written by a spreadsheet.",
)
_SHARE_RANGE = Check(
    says="The team percentage does not lie between 0 and 100.",
    breaks="share_percent < 0 OR share_percent > 100",
    reason="It is the part of the earnings that this account is paid.",
)

BANK = Table(
    name="distrokid_bank",
    about="One line of the bank details: what a store paid for one track or album, in one country and sale month.",
    fields=(
        Field(
            "date_inserted",
            Kind.DATE,
            "The day DistroKid entered the line; only in exports since about July 2025.",
            aka=("Date Inserted",),
        ),
        Field(
            "reporting_date",
            Kind.DATE,
            "The day DistroKid got the store's report; lines are not in its order.",
            aka=("Reporting Date", "ReportingDate"),
            required=True,
            filled=True,
        ),
        Field(
            "sale_month",
            Kind.MONTH,
            "The month in which the store sold or streamed, one to seven months before the reporting date.",
            aka=("Sale Month", "SaleMonth"),
            required=True,
            filled=True,
            clean=("month_squeezed",),
        ),
        Field(
            "store",
            Kind.TEXT,
            "The store as DistroKid writes it; YouTube (Ads), (Red) and (Audio) are separate products.",
            aka=("Store",),
            required=True,
            filled=True,
        ),
        Field("artist", Kind.TEXT, "The artist as typed at upload.", aka=("Artist",), required=True),
        Field("title", Kind.TEXT, "The title of the track or the album.", aka=("Title",), required=True),
        Field(
            "isrc",
            Kind.TEXT,
            "The ISRC of the recording; blank on album lines.",
            aka=("ISRC",),
            required=True,
            clean=("upper", "no_dashes"),
        ),
        Field(
            "upc",
            Kind.TEXT,
            "The UPC or EAN of the release, as text with its leading zeros; blank on many older lines.",
            aka=("UPC",),
            required=True,
            clean=("no_dashes",),
        ),
        Field(
            "quantity",
            Kind.INTEGER,
            "Streams or downloads of the line, not scaled by the team percentage; on a line with negative earnings "
            "they are not further streams, and 0 with earnings happens.",
            unit="streams or downloads",
            aka=("Quantity",),
            required=True,
            filled=True,
            basis=Basis.PAID,
        ),
        Field(
            "share_percent",
            Kind.DECIMAL,
            "The part of the earnings that this account is paid; the earnings are already reduced to it.",
            unit="percent",
            aka=("Team Percentage", "TeamPercentage"),
            required=True,
        ),
        Field(
            "product",
            Kind.TEXT,
            "Song or Album.",
            aka=("Song/Album", "Source Type", "SongAlbum"),
            required=True,
        ),
        Field(
            "customer_paid",
            Kind.DECIMAL,
            "What the customer paid, in the customer's currency; only in exports of 2018 and 2019.",
            unit="customer_currency",
            aka=("Customer Paid",),
        ),
        Field(
            "customer_currency",
            Kind.TEXT,
            "The currency of what the customer paid; blank for streams.",
            aka=("Customer Currency",),
        ),
        Field(
            "country",
            Kind.TEXT,
            "Country of sale, two letters: ISO 3166 (NA is Namibia), XK for Kosovo, OU for outside the United States.",
            aka=("Country of Sale", "Country Of Sale", "CountryofSale"),
            required=True,
        ),
        Field(
            "withheld",
            Kind.MONEY,
            "Songwriter royalties withheld; carried, not netted.",
            unit="currency",
            aka=(
                "Songwriter Royalties Withheld",
                "Songwriter Royalties Withheld (USD)",
                "SongwriterRoyaltiesWithheld",
            ),
            required=True,
            basis=Basis.PAID,
            additive=_LINES,
        ),
        Field(
            "earnings",
            Kind.MONEY,
            "What the account is paid for the line, after the team percentage; negative on deductions.",
            unit="currency",
            aka=("Earnings (USD)", "EarningsUSD"),
            required=True,
            filled=True,
            basis=Basis.PAID,
            additive=_LINES,
        ),
        Field(
            "recoup",
            Kind.MONEY,
            "Advances recouped; carried, not netted. Only in exports since about July 2025, often blank.",
            unit="currency",
            aka=("Recoup (USD)",),
            basis=Basis.PAID,
            additive=_LINES,
        ),
        Field("currency", Kind.TEXT, "The currency of the earnings, from their heading.", filled=True),
    ),
    merge=Merge.LINES,
    key=(
        "reporting_date",
        "sale_month",
        "store",
        "country",
        "isrc",
        "upc",
        "title",
        "artist",
        "product",
        "share_percent",
    ),
    identity=("store", "artist", "isrc", "upc", "title"),
    folded=("title", "artist"),
    partition=Partition("reporting_date", Grain.MONTH),
    day="reporting_date",
    day_zone="unknown",
    checks=(_ISRC_SHAPE, _UPC_SHAPE, _SHARE_RANGE),
    fresh_days=45,
)

_DAY = Field("date", Kind.DATE, "The day of the streams.", aka=("category", "field"), required=True, filled=True)

SPOTIFY_DAILY = Table(
    name="distrokid_spotify_daily",
    about="Streams of the whole account on Spotify on one day, as DistroKid's page estimates them.",
    fields=(
        _DAY,
        Field(
            "streams",
            Kind.INTEGER,
            "Streams on Spotify; days once shown were never changed in five pages compared.",
            unit="streams",
            aka=("column-1",),
            required=True,
            filled=True,
            basis=Basis.ESTIMATE,
            additive=("account", "date"),
        ),
    ),
    merge=Merge.SERIES,
    key=("date",),
    partition=Partition("date", Grain.YEAR),
    day="date",
    day_zone="unknown",
    fresh_days=7,
)

APPLE_DAILY = Table(
    name="distrokid_apple_daily",
    about="Streams of the whole account on Apple Music on one day, as DistroKid's page shows them.",
    fields=(
        _DAY,
        Field(
            "streams",
            Kind.INTEGER,
            "Streams on Apple Music.",
            unit="streams",
            aka=("value",),
            required=True,
            filled=True,
            basis=Basis.ESTIMATE,
            additive=("account", "date"),
        ),
        Field(
            "provisional",
            Kind.BOOLEAN,
            "True on the last day of a page, which the next page changes.",
            filled=True,
        ),
    ),
    merge=Merge.SERIES,
    key=("date",),
    partition=Partition("date", Grain.YEAR),
    day="date",
    day_zone="unknown",
    provisional="provisional",
    fresh_days=7,
)

APPLE_BREAKDOWN = Table(
    name="distrokid_apple_breakdown",
    about="One slice of one chart of a year's streams on Apple Music, as shown on one day.",
    fields=(
        Field(
            "exported_day",
            Kind.DATE,
            "The day of the page: the day after the last one that it shows.",
            filled=True,
        ),
        Field(
            "kind",
            Kind.TEXT,
            "What the chart divides by: country, age, gender, tracks, albums, playlists, devices, listening, sources, "
            "types, offline.",
            filled=True,
        ),
        Field("label", Kind.TEXT, "The slice: a country, an age group, a title.", aka=("field",)),
        Field("label_id", Kind.TEXT, "The page's number of the slice; only in round charts.", aka=("id",)),
        Field(
            "streams",
            Kind.INTEGER,
            "Streams of the slice in the last year; tracks and albums are the first ten only, so they have no sum.",
            unit="streams",
            aka=("value",),
            filled=True,
            basis=Basis.ESTIMATE,
        ),
    ),
    merge=Merge.SNAPSHOTS,
    key=("exported_day", "kind", "label", "label_id"),
    scope=("exported_day",),
    partition=Partition("exported_day", Grain.YEAR),
    day="exported_day",
    day_zone="unknown",
    fresh_days=7,
)
