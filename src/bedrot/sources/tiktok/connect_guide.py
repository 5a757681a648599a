"""How a person gets TikTok's files with their own browser."""

from __future__ import annotations

from bedrot.connect.guide import Guide, Keeps, Mark, Step

_KNOWN = "Real zips of this name and form were seen; page and buttons are from a program that pressed them."


def _tab(tab: str, title: str, feeds: tuple[str, ...], keeps: Keeps = Keeps.WINDOW, *more: str) -> Step:
    """The step of one tab of the analytics page."""
    content = tab == "Content"
    return Step(
        id=tab.lower(),
        title=title,
        page="https://www.tiktok.com/tiktokstudio/analytics",
        press=(
            f'Choose the tab "{tab}" and the range "Last 365 days".',
            'Press "Download data", choose CSV, press "Download".',
            *more,
        ),
        feeds=feeds,
        every=7,
        marks=(Mark.CODE,) if content else (Mark.REAL, Mark.CODE),
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
            Keeps.WINDOW,
            "The active hours in it are those of seven days only.",
        ),
        _tab("Content", "Totals of videos", ("tiktok.content", "tiktok.business_content"), Keeps.NOW),
    ),
)
