"""What really happened around each artist's videos: posts, views, likes, comments, shares, followers, viewers a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache

from bedrot.demo.chance import Chance, keyed, mixed
from bedrot.demo.label import FIRST_DAY, LAST_DAY, Artist, Label

_DAY = timedelta(days=1)
_LIFE = 150
"""Days after which nobody finds a post any more."""

_UNIT = 1000
OUTAGE = (date(2025, 3, 11), date(2025, 3, 12))
"""Days on which the service counted no people: neither followers nor viewers are known of them."""

CLOCK_CHANGED = date(2025, 4, 22)
"""From this day on people who watched are counted a day ahead of what they watched, and may outnumber the views."""

_WORDS = ("studio", "rehearsal", "night drive", "chorus", "demo take", "sound check", "van", "rooftop", "B-side")
_ENDS = ("", "", " #indie", ' #indie, "live"', ", part two", " (acoustic)")


@dataclass(frozen=True)
class Counts:
    """What was counted on a day, or all in all; comments may be below zero, where people deleted some."""

    views: int = 0
    likes: int = 0
    comments: int = 0
    shares: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.views + other.views,
            self.likes + other.likes,
            self.comments + other.comments,
            self.shares + other.shares,
        )


@dataclass(frozen=True)
class Post:
    """A video: its number (whose upper half is the second of posting), title and how well it does at best."""

    number: int
    title: str
    at: datetime
    peak: int


@dataclass(frozen=True)
class Day:
    """What happened around an account on one day; `followers` at its end and `viewers` are None where nobody knows."""

    day: date
    counts: Counts
    profile_views: int
    followers: int | None
    gained: int
    lost: int
    viewers: int | None
    new_viewers: int


class Account:
    """One artist's account: posts from its opening on, and all that came of them; nothing before."""

    def __init__(self, label: Label, artist: Artist) -> None:
        self.artist = artist
        self._seed = label.seed
        chance = Chance(label.seed, "account", artist.name)
        self.opened = FIRST_DAY + chance.between(12, 40) * _DAY
        self.counted_since = self.opened + chance.between(20, 45) * _DAY
        """The first day of which the service knows followers and viewers."""

    @cached_property
    def posts(self) -> tuple[Post, ...]:
        """All posts, one or two a week."""
        chance = Chance(self._seed, "posts", self.artist.name)
        found: list[Post] = []
        day = self.opened
        while day <= LAST_DAY:
            at = datetime(day.year, day.month, day.day, chance.between(7, 22), chance.below(60), 0, tzinfo=UTC)
            number = (int(at.timestamp()) << 32) | chance.below(1 << 32)
            title = f"{chance.pick(_WORDS)} {len(found) + 1}{chance.pick(_ENDS)}"
            peak = chance.between(150, 1800) * (12 if chance.happens(60) else 1)
            found.append(Post(number, title, at, peak))
            day += chance.between(4, 12) * _DAY
        return tuple(found)

    @cached_property
    def _lives(self) -> dict[int, list[Counts]]:
        """What each post got on each day of its life, by its number."""
        return {post.number: self._life(post) for post in self.posts}

    def _life(self, post: Post) -> list[Counts]:
        """What a post got on each day: fewer and fewer views, and deletions of what was written."""
        rate = 25 + keyed(post.number, "rate") % 55
        days = min(_LIFE, (LAST_DAY - post.at.date()).days + 1)
        found, written = [], 0
        for age in range(days):
            noise = mixed(post.number * 1009 + age)
            views = post.peak * _UNIT // (_UNIT + age * age * 45) * (80 + noise % 41) // 100
            comments = views * 4 // _UNIT + (noise >> 8) % 2
            if (noise >> 16) % 11 == 0:
                comments -= min(written, (noise >> 24) % 8)
            written += comments
            found.append(Counts(views, views * rate // _UNIT, comments, views * (rate // 6) // _UNIT))
        return found

    def totals(self, post: Post, until: date) -> Counts:
        """What a post got up to the end of a day."""
        found = Counts()
        for one in self._lives[post.number][: max(0, (until - post.at.date()).days + 1)]:
            found += one
        return found

    @cached_property
    def _days(self) -> dict[date, Day]:
        """Every day from the opening on."""
        sums: dict[date, Counts] = {}
        for post in self.posts:
            for age, one in enumerate(self._lives[post.number]):
                day = post.at.date() + age * _DAY
                sums[day] = sums.get(day, Counts()) + one
        found: dict[date, Day] = {}
        followers, day = 0, self.opened
        while day <= LAST_DAY:
            noise = mixed(keyed(self._seed, "day", self.artist.name) + day.toordinal())
            counts = sums.get(day, Counts())
            watched = sums.get(day + _DAY, counts) if day >= CLOCK_CHANGED else counts
            gained = counts.views * (3 + noise % 4) // _UNIT
            lost = min(followers, followers * ((noise >> 8) % 9) // 4000 + (noise >> 16) % 3)
            followers += gained - lost
            known = day >= self.counted_since and day not in OUTAGE
            viewers = watched.views * (68 + (noise >> 24) % 25) // 100
            found[day] = Day(
                day=day,
                counts=counts,
                profile_views=counts.views * (9 + (noise >> 32) % 9) // _UNIT + (noise >> 40) % 4,
                followers=followers if known else None,
                gained=gained,
                lost=lost,
                viewers=viewers if known else None,
                new_viewers=viewers * (70 + (noise >> 48) % 25) // 100,
            )
            day += _DAY
        return found

    def day(self, day: date) -> Day:
        """What happened on a day; nothing before the account was opened."""
        return self._days.get(day) or Day(day, Counts(), 0, None, 0, 0, None, 0)

    def active(self, day: date, hour: int) -> int:
        """Followers who were there in an hour."""
        followers = self.day(day).followers or 0
        awake = 14 + (hour - 5) * (29 - hour) // 4 if hour > 5 else 12
        return followers * awake * (70 + keyed(self._seed, self.artist.name, day.isoformat(), hour) % 60) // 10_000


@lru_cache(maxsize=16)
def account(label: Label, artist: Artist) -> Account:
    """The account of an artist."""
    return Account(label, artist)
