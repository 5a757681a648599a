"""The tables that a personal (creator) account's downloads fill.

Headings are those of real exports; those of Content are taken from two independent descriptions of the format.
"""

from __future__ import annotations

from bedrot.contract import Basis, Check, Field, Grain, Kind, Merge, Partition, Table

UNDEFINED = "undefined"
"""What TikTok writes for a day of which it knows nothing (and a `0` beside it, which is no zero)."""

DAY_ZONE = "UTC"
"""TikTok does not say by which clock it counts; every export seen fits UTC."""

FRESH_DAYS = 3
"""A day appears between one and two days after it ended."""

NOT_BELOW_ZERO = "a count of people, which cannot be negative"


def date_field(about: str = "The day that the counts are of") -> Field:
    """The day of a row, which the reader completes with its year."""
    return Field("date", Kind.DATE, f"{about}, by the UTC clock.", aka=("Date",), required=True, filled=True)


def count(
    name: str, about: str, unit: str, heading: str, *, along: tuple[str, ...] = (), blank: tuple[str, ...] = ()
) -> Field:
    """A whole number that TikTok counted for its own analytics page, with the columns it may be summed along."""
    return Field(
        name,
        Kind.INTEGER,
        about,
        unit=unit,
        aka=(heading,),
        required=True,
        blank=blank,
        basis=Basis.VISIT,
        additive=along,
    )


def snapshot_field(about: str) -> Field:
    """The day of a snapshot, which the reader finds."""
    return Field("snapshot_date", Kind.DATE, about, aka=("Time",), filled=True)


def snapshots(name: str, about: str, fields: tuple[Field, ...], key: tuple[str, ...], *checks: Check) -> Table:
    """A table of which each export day has its own complete state."""
    return Table(
        name,
        about,
        fields,
        Merge.SNAPSHOTS,
        ("snapshot_date", *key),
        Partition("snapshot_date", Grain.YEAR),
        day="snapshot_date",
        day_zone=DAY_ZONE,
        scope=("snapshot_date",),
        checks=checks,
        fresh_days=FRESH_DAYS,
    )


def series(name: str, about: str, fields: tuple[Field, ...], *checks: Check) -> Table:
    """A table of which each day has one row, where a newer export restates the older one."""
    return Table(
        name,
        about,
        fields,
        Merge.SERIES,
        ("date",),
        Partition("date", Grain.YEAR),
        day="date",
        day_zone=DAY_ZONE,
        checks=checks,
        fresh_days=FRESH_DAYS,
    )


def not_below_zero(column: str) -> Check:
    """The check that a count of people is not negative."""
    return Check(f"{column} is below zero", f"{column} < 0", NOT_BELOW_ZERO)


PER_DAY = ("account", "date")

OVERVIEW = series(
    "tiktok_overview",
    "What an account's videos and profile got on each day; days before the account was active are zeros.",
    (
        date_field(),
        count("video_views", "Times that videos of the account were watched.", "views", "Video Views", along=PER_DAY),
        count("profile_views", "Times that the profile was opened.", "views", "Profile Views", along=PER_DAY),
        count("likes", "Likes got, less those taken back.", "likes", "Likes", along=PER_DAY),
        count(
            "comments",
            "Comments got, less those deleted, so that a day can be negative.",
            "comments",
            "Comments",
            along=PER_DAY,
        ),
        count("shares", "Times that videos were shared.", "shares", "Shares", along=PER_DAY),
    ),
)

_VIEWERS_SAID = "null where TikTok knows nothing of the day; the same person may count on several days"

VIEWERS = series(
    "tiktok_viewers",
    "How many people watched an account's videos on each day; can differ from tiktok_overview by a day.",
    (
        date_field(),
        count(
            "total_viewers",
            f"People who watched on that day; {_VIEWERS_SAID}.",
            "people",
            "Total Viewers",
            blank=(UNDEFINED,),
        ),
        count("new_viewers", f"Those of them new to the account; {_VIEWERS_SAID}.", "people", "New Viewers"),
        count(
            "returning_viewers",
            f"Those of them who had watched before; {_VIEWERS_SAID}.",
            "people",
            "Returning Viewers",
        ),
    ),
    not_below_zero("total_viewers"),
)

FOLLOWERS = series(
    "tiktok_followers",
    "How many followers an account had at each day's end. TikTok's column of differences is left in raw: it means the"
    " day against the one before in some exports and the next day against this one in others.",
    (
        date_field(),
        count(
            "followers",
            "Followers of the account; null where TikTok knows nothing of the day.",
            "people",
            "Followers",
            blank=(UNDEFINED,),
        ),
    ),
    not_below_zero("followers"),
)

FOLLOWER_ACTIVITY = snapshots(
    "tiktok_follower_activity",
    "How many followers were on TikTok in each hour of the last seven days before an export. An export writes 0 for the"
    " hours of its last day that it has no data of yet; the zeros that end the last day are therefore null.",
    (
        snapshot_field("The UTC day of the export."),
        date_field("The day that the hour belongs to"),
        Field(
            "hour",
            Kind.INTEGER,
            "Hour of the day, from 0 to 23; TikTok does not say by which clock.",
            unit="hour",
            aka=("Hour",),
            required=True,
            filled=True,
        ),
        count(
            "active_followers",
            "Followers active in that hour; the same person may count in several hours.",
            "people",
            "Active followers",
            blank=(UNDEFINED,),
        ),
    ),
    ("date", "hour"),
    Check("hour is not between 0 and 23", "hour NOT BETWEEN 0 AND 23", "a day has 24 hours"),
    not_below_zero("active_followers"),
)

_ONE = Check("share is not between 0 and 1", "share NOT BETWEEN 0 AND 1", "it is a part of all followers")
_SHARE = "Part of the account's followers, from 0 to 1; read from a fraction (0.59) or a percentage (61%)."
NOTE = Field("note", Kind.TEXT, "What is odd about the export as a whole: shares that are far from 1 together.")


def _share(along: str) -> Field:
    """The share of followers, which adds up over the groups of one snapshot only."""
    return Field(
        "share",
        Kind.DECIMAL,
        _SHARE,
        unit="fraction",
        aka=("Distribution",),
        required=True,
        filled=True,
        clean=("percent",),
        basis=Basis.VISIT,
        additive=(along,),
    )


FOLLOWER_GENDER = snapshots(
    "tiktok_follower_gender",
    "Which part of the followers has which gender, on the day of an export.",
    (
        snapshot_field("The UTC day of the export; the file itself holds no date."),
        Field(
            "gender",
            Kind.TEXT,
            "Gender as TikTok names it: Female, Male, Other.",
            aka=("Gender",),
            required=True,
            filled=True,
            clean=("collapse",),
        ),
        _share("gender"),
        NOTE,
    ),
    ("gender",),
    _ONE,
)

FOLLOWER_TERRITORIES = snapshots(
    "tiktok_follower_territories",
    "Which part of the followers is in which country, on the day of an export; only the largest are listed.",
    (
        snapshot_field("The UTC day of the export; the file itself holds no date."),
        Field(
            "territory",
            Kind.TEXT,
            "Two-letter country code (ISO 3166-1, also XK for Kosovo), or Others for the rest.",
            aka=("Top territories",),
            required=True,
            filled=True,
            clean=("collapse",),
        ),
        _share("territory"),
        NOTE,
    ),
    ("territory",),
    _ONE,
)


def _total(name: str, about: str, unit: str, *headings: str, required: bool = True) -> Field:
    """A total of a video since it was posted, which adds up over the videos of one snapshot only."""
    return Field(
        name,
        Kind.INTEGER,
        f"{about} since it was posted, as known on the day of the snapshot.",
        unit=unit,
        aka=headings,
        required=required,
        blank=("NAN", "--", UNDEFINED),
        basis=Basis.VISIT,
        additive=("video_id",),
    )


FROM_ID = "video id"
FROM_POST_TIME = "post time"

CONTENT = snapshots(
    "tiktok_content",
    "What each listed video had got until the day of an export. A personal account's export lists at most 15 videos,"
    " neither sorted nor the latest ones, so that a video that is absent is not gone.",
    (
        snapshot_field("The day that the totals are of: the export's Time, else the UTC day of the export."),
        Field("video_id", Kind.TEXT, "TikTok's number of the video, from its link.", filled=True),
        Field("title", Kind.TEXT, "Title of the video, as written.", aka=("Video title",)),
        Field("link", Kind.TEXT, "Web address of the video.", aka=("Video link",), required=True, filled=True),
        Field("post_time", Kind.TEXT, "When it was posted, as written.", aka=("Post time",), required=True),
        Field(
            "posted_at",
            Kind.INSTANT,
            "When the video was made known to TikTok: the upper 32 bits of its number are seconds since 1970 (UTC).",
        ),
        Field(
            "posted_on",
            Kind.DATE,
            "UTC day of posted_at; else that of the post time, whose missing year is taken to be the latest that fits"
            " (wrong for a video older than a year: see posted_basis).",
        ),
        Field(
            "posted_basis",
            Kind.TEXT,
            "What posted_on is taken from.",
            values=(FROM_ID, FROM_POST_TIME),
        ),
        _total("views", "Times that the video was watched", "views", "Total views", "Video views"),
        _total("likes", "Likes of the video", "likes", "Total likes", "Likes"),
        _total("comments", "Comments on the video", "comments", "Total comments", "Comments"),
        _total("shares", "Times that the video was shared", "shares", "Total shares", "Shares"),
        _total(
            "favorites",
            "Times that the video was added to favorites (business accounts only)",
            "favorites",
            "Add to Favorites",
            required=False,
        ),
    ),
    ("video_id",),
)
