"""DistroKid: the bank details, and the statistics pages of Spotify and Apple Music."""

from __future__ import annotations

from bedrot.contract import Delimited, Feed, Remembers, Source
from bedrot.sources.distrokid import apple, bank, spotify
from bedrot.sources.distrokid.tables import APPLE_BREAKDOWN, APPLE_DAILY, BANK, SPOTIFY_DAILY

SOURCE = Source(
    name="distrokid",
    title="DistroKid",
    feeds=(
        Feed(
            name="distrokid.bank",
            about="The bank details in excruciating detail: each download is the whole ledger for the filter chosen.",
            tables=(BANK,),
            knows=bank.knows,
            read=Delimited(BANK.name, bank.DELIMITERS, bank.currency),
            exported_at=bank.exported_at,
            resaved=bank.resaved,
            damaged=("upc",),
            remembers=Remembers(None, "A bank export of 2024 reached back to 2017."),
        ),
        Feed(
            name="distrokid.spotify",
            about="The saved page of daily Spotify streams (distrokid.com/stats, data=streams).",
            tables=(SPOTIFY_DAILY,),
            knows=spotify.knows,
            read=spotify.read,
            exported_at=spotify.exported_at,
            census=spotify.census,
        ),
        Feed(
            name="distrokid.apple",
            about="The saved page of Apple Music streams (distrokid.com/stats, data=applemusic).",
            tables=(APPLE_DAILY, APPLE_BREAKDOWN),
            knows=apple.knows,
            read=apple.read,
            exported_at=apple.exported_at,
            census=apple.census,
        ),
    ),
    remembers=Remembers(
        days=365,
        evidence="The chart of days of the statistics pages is named for 365 days (271 and 360 were seen).",
    ),
)
