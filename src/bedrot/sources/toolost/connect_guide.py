"""How a person gets TooLost's files with their own browser."""

from __future__ import annotations

from bedrot.connect.guide import Guide, Keeps, Mark, Step

_PAGE = "https://toolost.com/user-portal/analytics/platform"
_KNOWN = (
    "Page and answers are from real captures of 2025; how to save an answer by hand is inferred from how browsers work."
)


def _answer(answer: str, name: str) -> tuple[str, ...]:
    """What to press for one answer of the analytics page."""
    return (
        "Choose no release, so that the answer is for all of them.",
        'Open the browser\'s developer tools (F12), their part "Network", and load the page again.',
        f'Press the answer whose address ends with "{answer}", then "Response".',
        f"Copy all of it into a text file in Downloads, named {name}_YYYYMMDD_HHMMSS.json with the time in UTC.",
    )


GUIDE = Guide(
    steps=(
        Step(
            id="sales",
            title="Sales reports",
            page="https://toolost.com/user-portal/notifications",
            press=(
                'Find each new "Your (MM-YYYY) Sales report has been generated" and press "Attachment".',
                "Keep the name of the file: month and number of the statement stand there only.",
            ),
            feeds=("toolost.sales",),
            every=30,
            marks=(Mark.CODE, Mark.SHOWN),
            known="The words are from code that looked for them, the file's name from notes; no real file was seen.",
            keeps=Keeps.UNKNOWN,
        ),
        Step(
            id="spotify",
            title="Spotify by day",
            page=_PAGE,
            press=_answer("analytics/spotify?release=&date=thisYear", "toolost_spotify"),
            feeds=("toolost.spotify",),
            every=7,
            marks=(Mark.REAL, Mark.INFERRED),
            known=_KNOWN,
            keeps=Keeps.YEAR,
        ),
        Step(
            id="apple",
            title="Apple Music by day",
            page=_PAGE,
            press=_answer("analytics/apple/?release=&date=thisYear", "toolost_apple"),
            feeds=("toolost.apple",),
            every=7,
            marks=(Mark.REAL, Mark.INFERRED),
            known=_KNOWN,
            keeps=Keeps.YEAR,
        ),
    ),
)
