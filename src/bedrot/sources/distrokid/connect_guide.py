"""How a person gets DistroKid's files with their own browser."""

from __future__ import annotations

from bedrot.connect.guide import Guide, Keeps, Mark, Step

_SAVE = (
    "Wait until the charts stand there.",
    "Save the page with the browser (Ctrl+S, on a Mac Cmd+S) into Downloads; if it asks, as HTML only.",
)
_PAGES = "Real pages of 2025 had this address and form; that one saved by hand is the same is inferred."

GUIDE = Guide(
    note="Do not open the files in a spreadsheet before they are in the lake."
    " The statistics are said to need the plan Musician Plus or a higher one.",
    steps=(
        Step(
            id="bank",
            title="Bank details",
            page="https://distrokid.com/bank/details/",
            press=(
                'Choose "Reporting Date" (not the date of sale) and the months that you want.',
                'Press "Display", then download the file.',
                "More than 50,000 rows are said to need a narrower filter, and to come later, sometimes as a zip.",
            ),
            feeds=("distrokid.bank",),
            every=30,
            marks=(Mark.CODE, Mark.DOCUMENT),
            known="The address is from a program that used it, the filter's words from another company's help page.",
            keeps=Keeps.ALL,
        ),
        Step(
            id="spotify",
            title="Daily Spotify streams",
            page="https://distrokid.com/stats/?type=all&data=streams",
            press=_SAVE,
            feeds=("distrokid.spotify",),
            every=7,
            marks=(Mark.REAL, Mark.INFERRED),
            known=_PAGES,
        ),
        Step(
            id="apple",
            title="Apple Music streams",
            page="https://distrokid.com/stats/?type=all&data=applemusic",
            press=_SAVE,
            feeds=("distrokid.apple",),
            every=7,
            marks=(Mark.REAL, Mark.INFERRED),
            known=_PAGES,
        ),
    ),
)
