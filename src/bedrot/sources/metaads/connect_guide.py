"""How a person gets Meta's figures with their own browser."""

from __future__ import annotations

from bedrot.connect.guide import Guide, Mark, Step

GUIDE = Guide(
    note="Better than by hand: bedrot login metaads, then bedrot fetch metaads, which asks by ad and day.",
    steps=(
        Step(
            id="ads",
            title="Cost and results of the ads",
            page="https://adsmanager.facebook.com/",
            press=(
                'Choose the days, the columns with the ids of campaign, ad set and ad, and the breakdown "By day".',
                "Export the table as CSV.",
            ),
            feeds=("metaads.csv", "metaads.insights"),
            every=7,
            marks=(Mark.CODE, Mark.INFERRED),
            known="Headings and the breakdown are from programs that read exports; address and way are inferred.",
        ),
    ),
)
