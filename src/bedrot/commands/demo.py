"""The command that shows everything at once: `bedrot demo`."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bedrot.commands.common import show, writing
from bedrot.commands.walk import door_of
from bedrot.errors import Misconfigured
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    import duckdb

    from bedrot.demo.given import Given
    from bedrot.demo.label import Label
    from bedrot.demo.story import Story

app = typer.Typer()

_SEED = 7
_ALL_ROWS = 3
"""Up to this scale every row is compared with the truth; above it numbers of rows and sums."""

_QUESTIONS = {
    "What each recording earned (its account's share, in USD)": (
        "SELECT artist, title, sum(units)::BIGINT AS units,"
        " sum(earnings) FILTER (kind = 'sale')::DECIMAL(18,2) AS earned,"
        " sum(earnings) FILTER (kind <> 'sale')::DECIMAL(18,2) AS taken_back,"
        " sum(earnings)::DECIMAL(18,2) AS earnings FROM royalties GROUP BY ALL ORDER BY earnings DESC"
    ),
    "Who paid": (
        "SELECT source, min(sale_month) AS first_month, max(sale_month) AS last_month, count(*) AS lines,"
        " sum(earnings)::DECIMAL(18,2) AS earnings FROM royalties GROUP BY ALL ORDER BY ALL"
    ),
    "Streams as the services estimate them (never added to what was paid)": (
        "SELECT source, store, min(date) AS first_day, max(date) AS last_day, count(*) AS days,"
        " sum(streams)::BIGINT AS streams FROM streams_daily GROUP BY ALL ORDER BY ALL"
    ),
    "What the advertisements cost": (
        "SELECT campaign_name, currency, min(day) AS first_day, max(day) AS last_day, sum(spend) AS spend,"
        " sum(clicks)::BIGINT AS clicks FROM ads_daily GROUP BY ALL ORDER BY first_day"
    ),
    "Posts and links": (
        "SELECT source, account, min(day) AS first_day, max(day) AS last_day, count(*) AS days,"
        " sum(views)::BIGINT AS views FROM (SELECT source, account, day, views FROM social_daily"
        " UNION ALL SELECT source, account, day, views FROM links_daily) GROUP BY ALL ORDER BY ALL"
    ),
}


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo's lake shall be.")] = Path("demo"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another label.")] = _SEED,
    scale: Annotated[int, typer.Option("--scale", min=1, help="How many times as many lines of royalties.")] = 1,
    artists: Annotated[int, typer.Option("--artists", min=1, max=500, help="How many artists the label has.")] = 2,
    live: Annotated[
        bool, typer.Option("--live", help="Ask all five services, played on this computer, instead; from a checkout.")
    ] = False,
    window: Annotated[bool, typer.Option("--window", help="With --live: show the windows to log in.")] = False,
) -> None:
    """Invent a label, give eighteen months of its downloads to a new lake, and compare the tables with the truth."""
    from bedrot.commands.layout import say
    from bedrot.demo.given import give
    from bedrot.demo.label import invent
    from bedrot.demo.story import tell
    from bedrot.lake import disk
    from bedrot.lake.opened import open_snapshot
    from bedrot.lake.snapshot import current
    from bedrot.walk.run import Walk, begin, finish, run

    where = _allowed(folder, scale, live=live, window=window)
    if live:
        _live(invent(seed, artists), where, window=window)
        return
    Lake.create(where)
    story = tell(invent(seed, artists, scale))
    disk.put_text(where / "bedrot.toml", story.settings(), replace=True, read_only=False)
    disk.put_text(where / "truth.json", story.truth(), read_only=False)
    with writing(where) as (lake, ledger, settings):
        walk = Walk(lake, ledger, settings, settings.run.workers)
        given = list(
            give(
                story.arrivals,
                where / "downloads",
                lambda told: door_of(lake, ledger, settings, walk.sources, told),
            )
        )
        began = begin(ledger, datetime.now(UTC))
        summary = run(walk)
        finish(walk, began, summary, datetime.now(UTC))
        snapshot = current(lake)
        if snapshot is None:
            raise Misconfigured("Nothing was published.", "Report it.", file=str(where))
        con = open_snapshot(lake, snapshot)
        try:
            _report(story, given, con, where)
            apart = _apart(story, given, con)
        finally:
            con.close()
        _zones(lake)
    say(f"Ask it more: bedrot sql --lake {folder} 'select * from royalties limit 5'")
    if apart:
        for one in apart:
            say(f"Not as the answer key says: {one}")
        raise typer.Exit(1)
    say(f"Everything is as the answer key says: {where.name}/truth.json.")


def _allowed(folder: Path, scale: int, *, live: bool, window: bool) -> Path:
    """Where the lake shall be; Misconfigured where it cannot be there, or the options do not go together."""
    where = folder.resolve()
    if where.is_dir() and any(where.iterdir()):
        raise Misconfigured("The folder is not empty.", "Name another one, or remove it.", file=str(where))
    if window and not live:
        raise Misconfigured("The windows are those of --live.", "Give both, or neither.")
    if live and scale > 1:
        raise Misconfigured("The services are played for the label's own account only.", "Leave out --scale.")
    return where


def _live(label: Label, where: Path, *, window: bool) -> None:
    """Let the label's people log in to all five services, fetch, lose their log-ins, and come back."""
    from bedrot.commands.layout import say
    from bedrot.lake.opened import open_snapshot
    from bedrot.lake.snapshot import current

    driver = _driver()
    _introduce(label)
    with TemporaryDirectory() as home, driver.Live(label, where, Path(home), window=window) as running:
        _say_all(running.arrive())
        snapshot = current(running.lake)
        if snapshot is None:
            raise Misconfigured("Nothing was published.", "Report it.", file=str(where))
        with open_snapshot(running.lake, snapshot) as con:
            say()
            _answers(con, where)
        _say_all(running.lose())
        say()
        _say_all(running.come_back())
        say()
        _zones(running.lake)
    say(f"Ask it more: bedrot sql --lake {where} 'select * from royalties limit 5'")
    if running.untrue:
        for one in running.untrue:
            say(f"Not as it had to be: {one}")
        raise typer.Exit(1)
    say("Everything is as the services showed it, and nobody was asked without a log-in.")


def _driver() -> Any:
    """The module that plays services and people, beside the package in its checkout; Misconfigured elsewhere."""
    import bedrot

    folder = Path(bedrot.__file__).parents[2] / "tests" / "portals"
    if not (folder / "live.py").is_file():
        raise Misconfigured(
            "What plays the services is part of the project's checkout, and not of the installed program.",
            "Run it from a checkout, or without --live.",
        )
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("live")
    except ImportError as missing:
        raise Misconfigured(
            "What asking the services needs is not installed.", 'Install it: pip install "bedrot[connect]".'
        ) from missing
    finally:
        sys.path.remove(str(folder))


def _say_all(sentences: Iterable[str]) -> None:
    """Say each sentence as soon as it is true."""
    from bedrot.commands.layout import say

    for one in sentences:
        say(one)


def _introduce(label: Label) -> None:
    """Who the label is."""
    from bedrot.commands.layout import say

    say(f"{label.name}: {' and '.join(one.name for one in label.artists[:3])}, September 2024 to March 2026.")
    say()


def _report(story: Story, given: Sequence[Given], con: duckdb.DuckDBPyConnection, where: Path) -> None:
    """What came, what was set aside and why, what was earned, and what looks wrong."""
    from bedrot.commands.layout import say, table

    _introduce(story.label)
    counts: dict[str, Counter[str]] = {}
    for one in given:
        counts.setdefault(one.arrival.name.split("/")[0], Counter()).update(out.verdict for out in one.outcomes)
    verdicts = sorted({verdict for found in counts.values() for verdict in found})
    table(
        [
            {"what came": name, **{verdict: f"{found[verdict]}" for verdict in verdicts}}
            for name, found in counts.items()
        ],
        "Files, in the order in which they came",
        right=verdicts,
    )
    for one in given:
        for outcome in one.outcomes:
            if outcome.needs_person:
                say(f"{outcome.verdict}: {outcome.name}: {outcome.sentence}")
    say()
    _answers(con, where)
    say("What looks wrong, and where the lake shows it (each was planted; truth.json has the exact sizes)")
    for fault in story.faults:
        size = f"{fault.rows:,} rows" if fault.rows else ""
        cents = Decimal(fault.money or 0).quantize(Decimal("0.01"))
        sizes = ", ".join(filter(None, [size, f"{cents} {fault.currency}" if cents else ""]))
        say(f"  {fault.kind}: {fault.where}{f' ({sizes})' if sizes else ''} -> {fault.shown}")


def _answers(con: duckdb.DuckDBPyConnection, where: Path) -> None:
    """What the tables answer to some questions."""
    from bedrot.commands.layout import say

    for question, query in _QUESTIONS.items():
        found = con.execute(query)
        headings = [column[0] for column in found.description]
        rows = [dict(zip(headings, row, strict=True)) for row in found.fetchall()]
        show(rows, as_json=False, empty=f"{question}: nothing known.", title=question)
        say(f'  bedrot sql --lake {where.name} "{query}"')
        say()


def _apart(story: Story, given: Sequence[Given], con: duckdb.DuckDBPyConnection) -> list[str]:
    """Sentences on what is not as the answer key says."""
    from bedrot.demo.given import differences, sums_apart

    found = [
        f"{one.arrival.name}: {', '.join(out.verdict for out in one.outcomes)} instead of {one.arrival.verdict}"
        for one in given
        if not one.as_planned
    ]
    compared = differences if story.label.scale <= _ALL_ROWS else sums_apart
    return found + [said for one in story.expected for said in compared(con, one)]


def _zones(lake: Lake) -> None:
    """Show how much each zone holds."""
    rows = []
    for zone in (lake.landing, lake.raw, lake.staging, lake.curated, lake.archive):
        files = [path for path in zone.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        rows.append({"zone": zone.name, "files": len(files), "bytes": f"{size:,}"})
    show(rows, as_json=False, empty="", title="The five zones")
