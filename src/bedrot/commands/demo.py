"""The command that shows everything at once: `bedrot demo`."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from bedrot.commands.common import out, show, writing
from bedrot.commands.walk import door_of
from bedrot.errors import Misconfigured
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    import duckdb

app = typer.Typer()

_QUESTIONS = {
    "What each artist earned, and how": (
        "SELECT artist, kind, currency, sum(units)::BIGINT AS units, sum(earnings) AS earnings FROM royalties"
        " GROUP BY ALL ORDER BY ALL"
    ),
    "Which stores paid": (
        "SELECT source, store, currency, min(sale_month) AS first_month, max(sale_month) AS last_month,"
        " sum(earnings) AS earnings FROM royalties GROUP BY ALL ORDER BY ALL"
    ),
    "Streams as the stores estimate them (never added to what was paid)": (
        "SELECT source, store, min(date) AS first_day, max(date) AS last_day, sum(streams)::BIGINT AS streams"
        " FROM streams_daily GROUP BY ALL ORDER BY ALL"
    ),
    "What the advertisements cost": (
        "SELECT campaign_name, currency, count(DISTINCT day) AS days, sum(spend) AS spend,"
        " sum(clicks)::BIGINT AS clicks FROM ads_daily GROUP BY ALL ORDER BY ALL"
    ),
    "What the posts and links did": (
        "SELECT source, account, count(*) AS days, min(day) AS first_day, max(day) AS last_day FROM"
        " (SELECT source, account, day FROM social_daily UNION ALL SELECT source, account, day FROM links_daily)"
        " GROUP BY ALL ORDER BY ALL"
    ),
}


@app.command()
def demo(folder: Annotated[Path, typer.Argument(help="Where the demo's lake shall be.")] = Path("demo")) -> None:
    """Walk the samples of all sources through the five zones, and print what was found."""
    from bedrot.demo import downloads
    from bedrot.lake.opened import open_snapshot
    from bedrot.lake.snapshot import current
    from bedrot.walk.run import Walk, finish, run

    where = folder.resolve()
    if where.is_dir() and any(where.iterdir()) and not (where / "bedrot.toml").is_file():
        raise Misconfigured("The folder is not empty and not a lake.", "Name another one.", file=str(where))
    Lake.create(where)
    with writing(where) as (lake, ledger, settings):
        walk = Walk(lake, ledger, settings, settings.run.workers)
        verdicts: Counter[str] = Counter()
        with_files = list(downloads(walk.sources, where / "downloads"))
        for download in with_files:
            for outcome in door_of(lake, ledger, settings, walk.sources, download.told).offer([download.path]):
                verdicts[outcome.verdict] += 1
                if outcome.needs_person:
                    out.print(escape(f"{outcome.verdict}: {outcome.name}: {outcome.sentence}"))
        began = ledger.start_run(datetime.now(UTC))
        summary = run(walk)
        counted = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
        out.print(f"{len(with_files)} files of {len(walk.sources)} sources: {counted}.")
        if summary.deliveries:
            ignored = sum(summary.ignored.values())
            out.print(
                f"{summary.records:,} records in = {summary.rows:,} staged + {summary.rejected:,} rejected"
                f" + {ignored:,} ignored."
            )
        snapshot = current(lake)
        if snapshot is not None:
            con = open_snapshot(lake, snapshot)
            for question, query in _QUESTIONS.items():
                _ask(con.cursor(), question, query)
            con.close()
        _zones(lake)
        finish(walk, began, summary, datetime.now(UTC))


def _ask(con: duckdb.DuckDBPyConnection, question: str, query: str) -> None:
    """Put one question to the lake and show the answer."""
    found = con.execute(query)
    headings = [column[0] for column in found.description]
    rows = [dict(zip(headings, row, strict=True)) for row in found.fetchall()]
    show(rows, as_json=False, empty=f"{question}: nothing known.", title=question)


def _zones(lake: Lake) -> None:
    """Show how much each zone holds."""
    rows = []
    for zone in (lake.landing, lake.raw, lake.staging, lake.curated, lake.archive):
        files = [path for path in zone.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        rows.append({"zone": zone.name, "files": len(files), "bytes": f"{size:,}"})
    show(rows, as_json=False, empty="", title="The five zones")
    out.print(f"Ask it more: bedrot sql --lake {escape(lake.root.name)} 'select * from royalties limit 5'")
