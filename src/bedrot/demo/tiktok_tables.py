"""The table files in TikTok's downloads: their headings, and their rows from what really happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from bedrot.demo.chance import Chance
from bedrot.demo.label import Artist, Label
from bedrot.demo.social import Account, Day, Post, account
from bedrot.demo.tiktok_text import fraction, spelled
from bedrot.demo.writing import days

OVERVIEW = ("Date", "Video Views", "Profile Views", "Likes", "Comments", "Shares")
VIEWERS = ("Date", "Total Viewers", "New Viewers", "Returning Viewers")
FOLLOWERS = ("Date", "Followers", "Difference in followers from previous day")
ACTIVITY = ("Date", "Hour", "Active followers")
GENDER = ("Gender", "Distribution")
TERRITORIES = ("Top territories", "Distribution")
CONTENT = (
    "Time", "Video title", "Video link", "Post time", "Total likes", "Total comments", "Total shares", "Total views",
)  # fmt: skip
BUSINESS_OVERVIEW = (
    "Date", "Video views", "Reached audience", "Profile views", "Likes", "Shares", "Comments", "Phone number clicks ",
    "Leads submission", "Net growth", "New followers", "Lost followers",
)  # fmt: skip
BUSINESS_AUDIENCE = ("Date", "New followers", "Total followers", "Reached audience", "Engaged audience")
BUSINESS_CONTENT = (
    "Video title", "Video link", "Post time", "Video views", "Likes", "Comments", "Shares", "Add to Favorites",
)  # fmt: skip

UNDEFINED = "undefined"
NEXT_DAY_SINCE = date(2025, 8, 15)
"""From this day on the column of differences tells the next day against this one; before, this against the last."""

MOST_VIDEOS = 15
_DAY = timedelta(days=1)
Rows = list[Sequence[object]]


@dataclass(frozen=True)
class Export:
    """One press on the button: whose account, under which name, when, how many days, and in which form.

    `kind` is Overview, Viewers, Followers, Content, or one of these in small letters behind `business`; `form` is zip,
    workbook, csv (the person says when it was exported) or bare (a csv of which nobody says when); `unsure` says that
    the viewers of the last day are not counted yet.
    """

    artist: Artist
    handle: str
    kind: str
    at: datetime
    days: int
    language: str = "en-US"
    form: str = "zip"
    unsure: bool = False

    @property
    def last(self) -> date:
        """The last day in it: yesterday, or the day before where it was exported too early in the day."""
        return self.at.date() - (1 if self.at.hour >= 16 else 2) * _DAY

    @property
    def first(self) -> date:
        """The first day in it."""
        return self.last - (self.days - 1) * _DAY

    @property
    def dates(self) -> list[date]:
        """All days in it."""
        return list(days(self.first, self.last))


def overview(label: Label, export: Export) -> Rows:
    """Overview.csv: zeros before the account was opened."""
    found: Rows = []
    for day in _known(label, export):
        one = day.counts
        text = spelled(day.day, export.language)
        found.append((text, one.views, day.profile_views, one.likes, one.comments, one.shares))
    return found


def viewers(label: Label, export: Export) -> Rows:
    """Viewers.csv: a day of which nothing is known has zeros beside the word."""
    found: Rows = []
    for day in _known(label, export):
        text = spelled(day.day, export.language)
        if day.viewers is None or (export.unsure and day.day == export.last):
            found.append((text, UNDEFINED, 0, 0))
        else:
            found.append((text, day.viewers, day.new_viewers, day.viewers - day.new_viewers))
    return found


def followers(label: Label, export: Export) -> Rows:
    """FollowerHistory.csv; its differences mean another day in newer exports."""
    days = list(_known(label, export))
    levels = [day.followers for day in days]
    changes = [0 if a is None or b is None else b - a for a, b in pairwise(levels)]
    changes = [*changes, 0] if export.at.date() >= NEXT_DAY_SINCE else [0, *changes]
    found: Rows = []
    for day, level, change in zip(days, levels, changes, strict=True):
        found.append((spelled(day.day, export.language), UNDEFINED if level is None else level, change))
    return found


def activity(label: Label, export: Export) -> Rows:
    """FollowerActivity.csv: seven days of 24 hours; the hours after the data's end are zeros."""
    whose = account(label, export.artist)
    found: Rows = []
    for number in range(7):
        day = export.last - (6 - number) * _DAY
        end = min(export.at.hour, 23) if day == export.last else 24
        for hour in range(24):
            found.append((spelled(day, export.language), hour, whose.active(day, hour) if hour < end else 0))
    return found


def gender(label: Label, export: Export) -> Rows:
    """FollowerGender.csv."""
    chance = Chance(label.seed, "gender", export.artist.name, export.at.isoformat())
    women = chance.between(51, 62)
    return [("Female", fraction(women)), ("Male", fraction(100 - women)), ("Other", fraction(0))]


def territories(label: Label, export: Export) -> Rows:
    """FollowerTopTerritories.csv: the largest, and the rest together."""
    chance = Chance(label.seed, "territories", export.artist.name, export.at.isoformat())
    parts = [chance.between(30, 42), chance.between(14, 24), chance.between(5, 12), chance.between(1, 4)]
    found: Rows = [(name, fraction(part)) for name, part in zip(("US", "DE", "BR", "XK"), parts, strict=True)]
    return [*found, ("Others", fraction(100 - sum(parts)))]


def content(label: Label, export: Export) -> Rows:
    """Content.csv: up to 15 videos, neither the latest nor in order."""
    whose = account(label, export.artist)
    time = spelled(export.last, export.language)
    found: Rows = []
    for post in _listed(label, whose, export):
        one = whose.totals(post, export.last)
        posted = spelled(post.at.date(), export.language)
        found.append((time, post.title, _link(export, post), posted, one.likes, one.comments, one.shares, one.views))
    return found


def business_overview(label: Label, export: Export) -> Rows:
    """A business account's days: shares before comments, and what is not known is `NAN` or `--`."""
    found: Rows = []
    for day in _known(label, export):
        one = day.counts
        reached = _reached(day, export)
        growth = (day.gained - day.lost, day.gained, day.lost)
        seen = (_slashed(day.day), one.views, reached, day.profile_views)
        found.append((*seen, one.likes, one.shares, one.comments, "NAN", "NAN", *growth))
    return found


def business_audience(label: Label, export: Export) -> Rows:
    """A business account's followers."""
    found: Rows = []
    for day in _known(label, export):
        one = day.counts
        engaged = max(0, one.likes + one.comments + one.shares) * 7 // 10
        level = "--" if day.followers is None else day.followers
        found.append((_slashed(day.day), day.gained, level, _reached(day, export), engaged))
    return found


def business_content(label: Label, export: Export) -> Rows:
    """A business account's videos, with the instant of posting."""
    whose = account(label, export.artist)
    found: Rows = []
    for post in _listed(label, whose, export):
        one = whose.totals(post, export.last)
        seen = (post.title, _link(export, post), f"{post.at:%Y/%m/%d %H:%M:%S}", one.views)
        found.append((*seen, one.likes, one.comments, one.shares, one.likes * 9 // 100))
    return found


def _known(label: Label, export: Export) -> Iterator[Day]:
    """What happened on each day of an export."""
    whose = account(label, export.artist)
    return (whose.day(day) for day in export.dates)


def _listed(label: Label, whose: Account, export: Export) -> list[Post]:
    """The videos that an export lists, of those posted until its last day."""
    chance = Chance(label.seed, "listed", export.artist.name, export.at.isoformat())
    return chance.shuffled([post for post in whose.posts if post.at.date() <= export.last])[:MOST_VIDEOS]


def _link(export: Export, post: Post) -> str:
    """The address of a video."""
    return f"https://www.tiktok.com/@{export.handle}/video/{post.number}"


def _slashed(day: date) -> str:
    """A day as business accounts write it."""
    return f"{day:%Y/%m/%d}"


def _reached(day: Day, export: Export) -> int | str:
    """People who were shown a video; of the last day it is not known yet."""
    return "--" if day.day == export.last else day.counts.views * 83 // 100
