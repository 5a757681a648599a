"""The tables that a business account's downloads fill: another product of TikTok's, with other columns.

Headings are those of two real exports. Dates carry their year (`2025/10/31`); what is not known is `NAN` or `--`.
"""

from __future__ import annotations

from bedrot.contract import Field, Kind
from bedrot.sources.tiktok.tables import PER_DAY, count, not_below_zero, series

UNKNOWN = ("NAN", "--")

_DATE = Field(
    "date",
    Kind.DATE,
    "The day that the counts are of, by the UTC clock.",
    aka=("Date",),
    required=True,
    filled=True,
    clean=("slash_date",),
)


def _count(name: str, about: str, unit: str, heading: str, *, adds: bool = True) -> Field:
    """A count of a business account, null where TikTok does not know it."""
    return count(name, about, unit, heading, along=PER_DAY if adds else (), blank=UNKNOWN)


_PEOPLE = "the same person may count on several days"

BUSINESS_OVERVIEW = series(
    "tiktok_business_overview",
    "What a business account's videos and profile got on each day.",
    (
        _DATE,
        _count("video_views", "Times that videos of the account were watched.", "views", "Video views"),
        _count(
            "reached_audience", f"People who were shown a video; {_PEOPLE}.", "people", "Reached audience", adds=False
        ),
        _count("profile_views", "Times that the profile was opened.", "views", "Profile views"),
        _count("likes", "Likes got, less those taken back.", "likes", "Likes"),
        _count("shares", "Times that videos were shared.", "shares", "Shares"),
        _count("comments", "Comments got, less those deleted.", "comments", "Comments"),
        _count("phone_number_clicks", "Times that the phone number was touched.", "clicks", "Phone number clicks"),
        _count("leads_submission", "Contact forms that were sent.", "forms", "Leads submission"),
        _count("net_growth", "New followers less lost ones; can be negative.", "people", "Net growth"),
        _count("new_followers", "People who began to follow.", "people", "New followers"),
        _count("lost_followers", "People who ceased to follow.", "people", "Lost followers"),
    ),
    not_below_zero("reached_audience"),
)

BUSINESS_AUDIENCE = series(
    "tiktok_business_audience",
    "How many people follow, saw and answered a business account on each day.",
    (
        _DATE,
        _count("new_followers", "People who began to follow.", "people", "New followers"),
        _count("total_followers", "Followers of the account.", "people", "Total followers", adds=False),
        _count(
            "reached_audience", f"People who were shown a video; {_PEOPLE}.", "people", "Reached audience", adds=False
        ),
        _count(
            "engaged_audience",
            f"People who liked, commented, shared or followed; {_PEOPLE}.",
            "people",
            "Engaged audience",
            adds=False,
        ),
    ),
    not_below_zero("total_followers"),
)
