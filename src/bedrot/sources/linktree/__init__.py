"""Linktree: visits to the page and clicks on its links, from the answers that its analytics page receives.

One load of the page brings several answers: first those for seven days, then those for the range chosen. Answers with
people, money or secrets in them come beside them and are kept nowhere.
"""

from __future__ import annotations

from bedrot.contract import Feed, Remembers, Source
from bedrot.sources.linktree import answers, parts, tables
from bedrot.sources.linktree.privacy import private

__all__ = ["SOURCE"]

SOURCE = Source(
    name="linktree",
    title="Linktree",
    feeds=(
        Feed(
            name="linktree.analytics",
            about="An answer of the analytics page: days, links, socials, subscribers, places, referrers, devices.",
            tables=tables.ANALYTICS,
            knows=answers.knows_analytics,
            read=parts.read,
            exported_at=answers.exported_at,
            census=answers.census,
        ),
        Feed(
            name="linktree.titles",
            about="An answer with the titles of links, by their numbers.",
            tables=(tables.TITLES,),
            knows=answers.knows_titles,
            read=parts.read,
            exported_at=answers.exported_at,
            census=answers.titles_census,
        ),
    ),
    remembers=Remembers(365, "The page offers the last 365 days; older help pages say 90 days on the free plan."),
    private=private,
)
