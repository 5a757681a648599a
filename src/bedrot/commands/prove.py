"""Commands that prove and carry out: why, verify, rebuild, export, golden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, disk_refusals, located, opened, out, plain, show, writing
from bedrot.config import Settings
from bedrot.errors import Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.lock import writer_lock
from bedrot.lake.snapshot import Snapshot, current
from bedrot.lake.zones import Lake

app = typer.Typer()

SnapshotOption = Annotated[int | None, typer.Option("--snapshot", help="An older published state, by its number.")]


@app.command("why")
def why_(
    table: Annotated[str, typer.Argument(help="A table, such as royalties, or staging.<table>.")],
    where: Annotated[str, typer.Option("--where", help="Which rows, such as \"isrc = 'QZABC2500001'\".")],
    limit: Annotated[int, typer.Option(help="At most so many rows, and so many lines for each.", min=1)] = 20,
    snapshot: SnapshotOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how rows came about: the SQL, and for each row the file, the line and the original text."""
    from bedrot.tell.why import why
    from bedrot.walk.marts import marts_of, source_folders
    from bedrot.walk.run import Walk

    with opened(lake) as (where_lake, ledger, settings):
        walk = Walk(where_lake, ledger, settings)
        marts = {mart.name: mart for mart in marts_of(source_folders(walk.sources))}
        told = why(where_lake, _chosen(where_lake, snapshot), table, where, marts, limit=limit)
    rows = [
        {
            "row": {name: None if value is None else str(value) for name, value in one.row.items()},
            "origins": [_origin(origin) for origin in one.origins],
            "more": one.more,
            "untraced": one.untraced,
        }
        for one in told.rows
    ]
    if as_json:
        answer = {"table": told.table, "about": told.about, "sql": told.sql, "snapshot": told.snapshot}
        show([{**answer, "total": told.total, "rows": rows}], as_json=True, empty="")
        return
    out.print(escape(f"{told.table} (snapshot {told.snapshot}): {told.about}"))
    if told.sql:
        out.print(escape(told.sql))
    for row in rows:
        _say_row(row)
    left = told.total - len(rows)
    out.print(f"{told.total:,} rows." + (f" {left:,} more are not shown: see --limit." if left else ""))


def _origin(origin: Any) -> dict[str, Any]:
    """An origin as plain values."""
    return {
        "table": origin.table,
        "object": origin.delivery.object,
        "file": origin.delivery.name,
        "relative": origin.delivery.relative,
        "delivery": origin.delivery.id,
        "exported_at": origin.delivery.exported_at.isoformat(),
        "place": origin.locator,
        "text": origin.text,
        "missing": origin.missing,
    }


def _say_row(row: dict[str, Any]) -> None:
    """One row and where it comes from."""
    out.print()
    filled = (f"{name} = {value}" for name, value in row["row"].items() if value is not None)
    out.print(escape(plain("  ".join(filled))))
    for origin in row["origins"]:
        out.print(escape(plain(f"  from {origin['file']}, {origin['place']} (object {origin['object']})")))
        text = (origin["missing"] or origin["text"] or "").replace("\t", " \N{RIGHTWARDS ARROW TO BAR} ")
        out.print(escape(plain(f"    {text}")))
    if row["more"]:
        out.print(f"  and {row['more']:,} more lines: see --limit.")
    if row["untraced"]:
        out.print(escape(f"  {row['untraced']}"))


@app.command("verify")
def verify_(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file: restage, recount, compare.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the whole lake against its laws, and name each breach with what to do; exit code 2 where there is one."""
    from bedrot.tell.verify import verify
    from bedrot.tell.verify_deep import verify_deep
    from bedrot.walk.run import Walk

    opening = writing if deep else opened  # what is compared must not move meanwhile, and scratch is used
    with opening(lake) as (where, ledger, settings):
        found = list(verify_deep(Walk(where, ledger, settings)) if deep else verify(where, ledger))
    rows = [{"law": one.law, "breach": one.what, "do": one.do} for one in found]
    if as_json:
        show(rows, as_json=True, empty="")
    for row in [] if as_json else rows:
        out.print(escape(plain(f"Law {row['law']}: {row['breach']}")))
        out.print(escape(f"  What to do: {row['do']}"))
    if rows:
        raise typer.Exit(2)
    if not as_json:
        out.print("Everything is as it should be." if deep else "All bytes and facts are as they should be.")


@app.command("rebuild")
def rebuild_(
    ledger: Annotated[bool, typer.Option("--ledger", help="Make the ledger anew from raw as well.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make staging and curated anew from raw, say whether they equal what was there, and publish what differs."""
    from bedrot.walk.rebuild import rebuild
    from bedrot.walk.run import Walk

    with _writing(lake, anew=ledger) as (where, book, settings):
        done = rebuild(Walk(where, book, settings, settings.run.workers), datetime.now(UTC))
    told = [{"differs": one.says()} for one in done.differences] + [{"failed": one} for one in done.failed]
    told += [{"put right": one} for one in done.healed]
    if as_json:
        summary = {"equal": done.equal, "published": done.published, "snapshot": done.number, "found": told}
        show([summary], as_json=True, empty="")
    else:
        for one in told:
            out.print(escape(plain(": ".join(next(iter(one.items()))))))
        out.print("What was published equals what raw gives, row for row." if done.equal else "It did not equal raw.")
        if done.published:
            out.print(f"Published snapshot {done.number}.")
    if done.failed:
        raise typer.Exit(2)


@contextmanager
def _writing(lake: Path | None, *, anew: bool) -> Iterator[tuple[Lake, Ledger, Settings]]:
    """The lake under the writer's lock, its ledger made anew first where that is wanted: a damaged one opens not."""
    where, settings = located(lake)
    with writer_lock(where), disk_refusals(where):
        if anew:
            Ledger.rebuild(where)
        with Ledger(where.ledger_path) as ledger:
            yield where, ledger, settings


@app.command("export")
def export_(
    to: Annotated[Path, typer.Option("--to", help="The folder for the files, outside of the lake's own.")],
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; all curated ones where none is named.")] = None,
    form: Annotated[Literal["csv", "parquet", "xlsx"], typer.Option("--format", help="What kind of file.")] = "csv",
    snapshot: SnapshotOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write tables as files for other programs, under names that stay."""
    from bedrot.tell.export import export

    with opened(lake) as (where, _, _):
        done = list(export(where, _chosen(where, snapshot), tables or [], to, form))
    rows = [{"table": one.table, "rows": one.rows, "file": str(one.path)} for one in done]
    show(rows, as_json=as_json, empty="There is no table to export.")


@app.command()
def golden(
    source: Annotated[str, typer.Argument(help="A source by name, or its folder.")],
) -> None:
    """Write the golden answer beside each sample of a source: read them once, tests hold against them from then on."""
    from bedrot.tell.golden import write_golden

    folder = Path(source)
    further = (folder.absolute().parent,) if folder.is_dir() else tuple(Settings().source_folders(Path.cwd()))
    for path in write_golden(folder.absolute().name if folder.is_dir() else source, further):
        out.print(escape(str(path)))


def _chosen(lake: Lake, number: int | None) -> Snapshot:
    """The snapshot of that number, or the current one; Misconfigured where there is none."""
    from bedrot.walk.archive import load_at_hand

    found = current(lake) if number is None else load_at_hand(lake, number)
    if found is None:
        raise Misconfigured("Nothing is published yet.", "Run `bedrot run` first.")
    return found
