"""TikTok: what TikTok Studio and TikTok for Business let an account's owner download."""

from __future__ import annotations

from collections.abc import Callable

from bedrot.contract import Feed, Original, Remembers, Source, Stamp
from bedrot.sources.tiktok import ages, kinds, names
from bedrot.sources.tiktok.count import census
from bedrot.sources.tiktok.kinds import SheetKind
from bedrot.sources.tiktok.read import read


def _feed(
    name: str,
    about: str,
    holds: tuple[SheetKind, ...],
    exported_at: Callable[[Original], Stamp | None],
    account: Callable[[Original], str | None],
) -> Feed:
    """One kind of download: a CSV, a workbook, or a zip of these."""

    def knows(original: Original) -> bool:
        """Whether the headings are this download's, or the file is a broken zip that has kept its name."""
        return kinds.holds_only(original, holds) or (
            kinds.unreadable_zip(original) and not name.startswith("business") and account(original) is not None
        )

    return Feed(
        name=f"tiktok.{name}",
        about=about,
        tables=tuple(kind.table for kind in holds),
        knows=knows,
        read=read,
        exported_at=exported_at,
        account=account,
        census=census,
        resaved=ages.resaved,
    )


SOURCE = Source(
    name="tiktok",
    title="TikTok",
    feeds=(
        _feed(
            "overview",
            "Views, profile views, likes, comments and shares a day (TikTok Studio, Overview).",
            (kinds.OVERVIEW,),
            ages.by_name_or_zip,
            names.overview_handle,
        ),
        _feed(
            "viewers",
            "Viewers a day (TikTok Studio, Viewers).",
            (kinds.VIEWERS,),
            ages.by_zip,
            names.viewers_handle,
        ),
        _feed(
            "followers",
            "Followers a day, their active hours, genders and countries (TikTok Studio, Followers).",
            kinds.FOLLOWERS_ZIP,
            ages.by_zip,
            names.followers_handle,
        ),
        _feed(
            "content",
            "Totals of up to 15 videos (TikTok Studio, Content).",
            (kinds.CONTENT,),
            ages.by_zip,
            names.content_handle,
        ),
        _feed(
            "business_overview",
            "Views, audience and follower growth a day of a business account.",
            (kinds.BUSINESS_OVERVIEW,),
            ages.by_data,
            names.overview_handle,
        ),
        _feed(
            "business_audience",
            "Followers and audience a day of a business account.",
            (kinds.BUSINESS_AUDIENCE,),
            ages.by_data,
            names.no_handle,
        ),
        _feed(
            "business_content",
            "Totals of the videos of a business account.",
            (kinds.BUSINESS_CONTENT,),
            ages.by_zip,
            names.no_handle,
        ),
    ),
    remembers=Remembers(
        365,
        "TikTok's Creator Academy: at most 365 days in one download, history on the web back to 17 July 2022;"
        " real exports hold up to 365 days, active hours of seven days only.",
        lag=1,
        zone="UTC",
    ),
)
