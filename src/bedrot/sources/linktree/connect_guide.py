"""How a person gets Linktree's files with their own browser."""

from __future__ import annotations

from bedrot.connect.guide import Guide, Keeps, Mark, Step

_PAGE = "https://linktr.ee/admin/analytics"
_KNOWN = (
    "Page and answers are from real captures of 2025; how to save an answer by hand is inferred from how browsers work."
)
_OPEN = 'Open the browser\'s developer tools (F12), their part "Network", and write graphql into its filter.'
_COPY = "Copy all of it into a new text file in Downloads, named graphql_YYYYMMDD_HHMMSS.json with the time in UTC."

GUIDE = Guide(
    note="Other answers of this page hold your address, money and followers: they are taken nowhere; do not save them.",
    steps=(
        Step(
            id="analytics",
            title="Visits and clicks",
            page=_PAGE,
            press=(
                _OPEN,
                "Choose the last 365 days, daily; the newest answers are for this range.",
                'Press each answer that holds "getAccountAnalytics", then "Response".',
                _COPY,
            ),
            feeds=("linktree.analytics",),
            every=7,
            marks=(Mark.REAL, Mark.INFERRED),
            known=_KNOWN,
        ),
        Step(
            id="titles",
            title="Titles of the links",
            page=_PAGE,
            press=(
                _OPEN,
                'Press the answer that begins with {"data":{"link, then "Response".',
                _COPY,
            ),
            feeds=("linktree.titles",),
            every=30,
            marks=(Mark.REAL, Mark.INFERRED),
            known=_KNOWN,
            keeps=Keeps.NOW,
        ),
    ),
)
