"""TooLost: plays by day and store from its portal, and what its sales statements paid.

The portal answers for the calendar year so far. The window begins anew on 1 January; days that a newer answer lacks
stay, so a January answer erases nothing. A stale answer (saved later under a newer name, but ending earlier) is taken
as the newer word on the days that it holds: a day that was restated in between goes back to its old value until the
next fresh answer comes; days that it lacks stay. Of 203 days seen again four days later none had been restated.
An answer for one release only cannot be told from one for all: save it with no release chosen.
"""

from __future__ import annotations

from functools import partial

from bedrot.contract import Feed, Remembers, Source
from bedrot.sources.toolost import portal, sales, tables
from bedrot.sources.toolost.sales_table import SALES

__all__ = ["SOURCE"]


_THIS_YEAR = (
    "The portal is asked for `thisYear`: on 1 January the days before are gone, and the last days of December, "
    "which come two (Spotify) and four (Apple Music) days late, are never in it. Other ranges are not known."
)


def _portal_feed(name: str, answer: portal.Answer, lag: int, about: str, *filled: str) -> Feed:
    """The feed of one store's answer, whose days come so many days late."""
    known = (tables.DAILY, tables.DISCOVERY, tables.SHAZAM, tables.TRACKS, tables.COUNTRIES)
    return Feed(
        name=name,
        about=about,
        tables=tuple(table for table in known if table.name in filled),
        knows=partial(portal.knows, answer),
        read=partial(portal.read, answer),
        exported_at=partial(portal.exported_at, answer),
        census=partial(portal.census, answer),
        remembers=Remembers(None, _THIS_YEAR, calendar_year=True, lag=lag, absent_may_be_empty=True),
    )


SOURCE = Source(
    name="toolost",
    title="TooLost",
    feeds=(
        _portal_feed(
            "toolost.spotify",
            portal.SPOTIFY,
            2,
            "Portal analytics for Spotify: plays by day, and what Discovery Mode brought and cost.",
            "toolost_daily",
            "toolost_discovery",
        ),
        _portal_feed(
            "toolost.apple",
            portal.APPLE,
            4,
            "Portal analytics for Apple Music: plays by day, by track and by country, and Shazam's recognitions.",
            "toolost_daily",
            "toolost_shazam",
            "toolost_tracks",
            "toolost_countries",
        ),
        Feed(
            name="toolost.sales",
            about="Sales report, one statement a file, attached to a notification (`@05-2025-70799.csv`).",
            tables=(SALES,),
            knows=sales.knows,
            read=sales.read,
            exported_at=sales.exported_at,
            census=sales.census,
            resaved=sales.resaved,
            damaged=("upc", "isrc"),
            remembers=Remembers(None, "Statements hang on notifications; how long those are kept is not known."),
        ),
    ),
    remembers=Remembers(None, _THIS_YEAR, calendar_year=True),
)
