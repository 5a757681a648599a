"""Commands that ask: status, rejects, held, vanished, sql, diff."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, err, opened, plain

if TYPE_CHECKING:
    from bedrot.tell.answer import Answer
    from bedrot.tell.known import State
    from bedrot.walk.run import Walk

app = typer.Typer()

TableArgument = Annotated[str | None, typer.Argument(help="A staging table; without it, all of them.")]
_SHOWN = 1_000


@app.command()
def status(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Tell what is current and what waits for somebody: feeds, files, unjoined names, controls."""
    from bedrot.commands import layout
    from bedrot.tell.status import status as status_of

    with _walk(lake) as walk:
        found = status_of(walk)
    if as_json:
        lists = {name: _plain(getattr(found, name)) for name in ("feeds", "files", "controls")}
        _say_json({**vars(found), **lists, "needs": found.needs})
    else:
        layout.say_status(found)
    if found.needs:
        raise typer.Exit(1)


@app.command()
def rejects(table: TableArgument = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List the rows that were set aside: file, line, reason and text."""
    from bedrot.commands import layout
    from bedrot.tell import asides

    with _walk(lake) as walk:
        rows = asides.rejects(walk.lake, asides.gather(walk.ledger), table)
    if as_json:
        _say_json(rows)
    else:
        layout.say_rejects(rows)
        layout.say("A file that is wrong: bedrot retract DELIVERY --because WHY" if rows else "No row was set aside.")
    if rows:
        raise typer.Exit(1)


@app.command()
def held(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List what looks wrong and waits for approval; what is published stays until then."""
    from bedrot.commands import layout
    from bedrot.lake.snapshot import open_snapshot
    from bedrot.tell import asides
    from bedrot.tell.known import times

    with _walk(lake) as walk, times(walk) as states:
        state = states.now()
        tables = {one.name: one for source in walk.sources for feed in source.feeds for one in feed.tables}
        con = open_snapshot(state.lake, state.snapshot)
        try:
            rows = asides.held(walk.lake, con, state.findings, asides.gather(walk.ledger), tables)
        finally:
            con.close()
    if as_json:
        _say_json(rows)
    else:
        layout.say_findings(rows)
        layout.say("If the new is right: bedrot approve ID --because WHY" if rows else "Nothing is held.")
    if any(not one["approved"] for one in rows):
        raise typer.Exit(1)


@app.command()
def vanished(table: TableArgument = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List lines that newer files lack; they are kept, since a filtered download looks so."""
    from bedrot.commands import layout
    from bedrot.tell import asides
    from bedrot.tell.known import times

    with _walk(lake) as walk, times(walk) as states:
        rows = asides.vanished(states.now().findings, asides.gather(walk.ledger), table)
    if as_json:
        _say_json(rows)
    else:
        layout.say_findings(rows)
        gone = "If the service truly took them back: bedrot approve ID --because WHY"
        layout.say(gone if rows else "Nothing vanished.")


@app.command("sql")
def sql_(
    query: Annotated[str, typer.Argument(help="One SELECT. Curated tables by name, staging ones as staging.TABLE.")],
    known_on: Annotated[str | None, typer.Option(help="Ask what was known by the end of that day (UTC).")] = None,
    snapshot: Annotated[int | None, typer.Option(help="Ask an older published state, by its number.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="table, csv, json or parquet.")] = None,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write the answer to this file.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the tables with one SELECT; decimals come exactly as they are."""
    from bedrot.tell import answer
    from bedrot.tell.known import connected, times

    form = answer.format_of("json" if as_json else format_, file)
    with _walk(lake) as walk, times(walk) as states:
        if file is not None:
            answer.refuse_zones(walk.lake, file)
        state = _said(states.asked(known_on, snapshot))
        if form == "parquet" and file is not None:
            work = states.scratch / "answer"
            work.mkdir()
            with connected(state, states.scratch, work) as con:
                answer.write_parquet(con, query, state.snapshot, work, file.absolute())
        else:
            with connected(state, states.scratch) as con:
                _answer(answer.ask(con, query, state.snapshot), form, file)
    if file is not None:
        err.print(escape(f"Written to {file}."))


def _answer(found: Answer, form: str, file: Path | None) -> None:
    """Show an answer, or write it to a file, durably."""
    from bedrot.lake import disk
    from bedrot.tell import answer

    if form == "table":
        _show(found)
        return
    pieces = answer.as_csv(found) if form == "csv" else answer.as_json(found)
    if file is not None:
        disk.put(file.absolute(), (piece.encode() for piece in pieces), replace=True, read_only=False)
        return
    for piece in pieces:
        sys.stdout.write(piece)


def _show(found: Answer) -> None:
    """The first rows of an answer as a table."""
    from bedrot.commands import layout
    from bedrot.tell.answer import shown

    rows = list(found.rows(_SHOWN + 1))
    texts = [["" if one is None else shown(one) for one in row] for row in rows[:_SHOWN]]
    if not rows:
        layout.say("No rows.")
        return
    numbers = [
        name
        for place, name in enumerate(found.columns)
        if all(isinstance(row[place], Decimal | int | None) for row in rows)
    ]
    layout.table([dict(zip(found.columns, row, strict=True)) for row in texts], right=numbers)
    if len(rows) > _SHOWN:
        err.print(f"Only the first {_SHOWN:,} rows are shown; all of them: --format csv -o FILE.")


@app.command("diff")
def diff_(
    table: Annotated[str, typer.Argument(help="A curated table, or staging.TABLE.")],
    since: Annotated[str, typer.Option("--from", help="A day (to its end in UTC) or an instant.")],
    until: Annotated[str, typer.Option("--to", help="A later day or instant.")],
    rows: Annotated[int, typer.Option(help="How many changed rows are listed.", min=0)] = 30,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what changed in a table between two days of knowledge: rows new, restated, renamed, gone; and the money."""
    from bedrot.commands import layout
    from bedrot.errors import Misconfigured
    from bedrot.tell.diff import diff as diff_of
    from bedrot.tell.known import day_or_instant, times

    first, last = day_or_instant(since, "--from"), day_or_instant(until, "--to")
    if first > last:
        raise Misconfigured("--from lies behind --to.", "Give the earlier day with --from.")
    with _walk(lake) as walk, times(walk) as states:
        before, after = _said(states.known(first)), _said(states.known(last))
        limit = None if as_json else rows
        found = diff_of(walk.sources, table, before, after, states.scratch / "spill", rows=limit)
    if as_json:
        lists = {"money": _plain(found.money), "changes": _plain(found.changes)}
        _say_json({"from": since, "to": until, **vars(found), **lists})
    else:
        layout.say_diff(found, since, until)


@contextmanager
def _walk(lake: Path | None) -> Iterator[Walk]:
    """The lake as one who walks it sees it, for reading."""
    from bedrot.walk.run import Walk

    with opened(lake) as (where, ledger, settings):
        yield Walk(where, ledger, settings, settings.run.workers)


def _said(state: State) -> State:
    """The state itself, after saying which deliveries it lacks."""
    for sentence in state.failed:
        err.print(escape(plain(f"Not in this answer: {sentence}")))
    return state


def _plain(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as dictionaries of their fields."""
    return [{one.name: getattr(value, one.name) for one in fields(value)} for value in values]


def _say_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON document; decimals and dates as text."""
    from bedrot.tell.answer import plain_value

    sys.stdout.write(json.dumps(plain_value(value), ensure_ascii=False, indent=2) + "\n")
