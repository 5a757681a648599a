"""How a person gets TikTok's files with their own browser."""

from __future__ import annotations

from bedrot.connect.guide import Guide, Keeps, Mark, Step

_KNOWN = (
    "Real zips of this name and form were seen; page and buttons are from a program that pressed them. That earlier"
    " days can be had, back to 17 July 2022, says TikTok's own help; no such download was seen."
)
_EARLIER = "Days before that: choose a custom range, at most 365 days in one download."


def _tab(tab: str, title: str, feeds: tuple[str, ...], keeps: Keeps = Keeps.ALL, *more: str) -> Step:
    """The step of one tab of the analytics page."""
    content = tab == "Content"
    return Step(
        id=tab.lower(),
        title=title,
        page="https://www.tiktok.com/tiktokstudio/analytics",
        press=(
            f'Choose the tab "{tab}" and the range "Last 365 days".',
            'Press "Download data", choose CSV, press "Download".',
            *(() if content else (_EARLIER,)),
            *more,
        ),
        feeds=feeds,
        every=7,
        marks=(Mark.CODE,) if content else (Mark.REAL, Mark.CODE, Mark.DOCUMENT),
        known="Page, buttons and columns are from programs and descriptions only." if content else _KNOWN,
        keeps=keeps,
    )


GUIDE = Guide(
    note="Do this once for each account. Keep the names of the files: whose they are stands there only."
    " A business account has other tables; how its page looks was not seen.",
    steps=(
        _tab("Overview", "Views, likes, comments and shares a day", ("tiktok.overview", "tiktok.business_overview")),
        _tab("Viewers", "Viewers a day", ("tiktok.viewers",)),
        _tab(
            "Followers",
            "Followers a day",
            ("tiktok.followers", "tiktok.business_audience"),
            Keeps.ALL,
            "The active hours in it are those of seven days only.",
        ),
        _tab("Content", "Totals of videos", ("tiktok.content", "tiktok.business_content"), Keeps.NOW),
    ),
)
