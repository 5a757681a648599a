"""Commands that ask: status, rejects, held, vanished, sql, diff."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, err, opened, out, plain, show

if TYPE_CHECKING:
    from decimal import Decimal

    from bedrot.tell.diff import Change, Diff
    from bedrot.tell.known import State, Times
    from bedrot.tell.status import Status
    from bedrot.walk.run import Walk

app = typer.Typer()

TableArgument = Annotated[str | None, typer.Argument(help="A staging table, such as distrokid_bank; else all.")]
_SHOWN = 1_000


@app.command()
def status(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Tell what is current and what waits for somebody: feeds, files, unjoined names, controls."""
    from bedrot.tell.status import status as status_of

    with _walk(lake) as walk:
        found = status_of(walk)
    if as_json:
        _say_json({**vars(found), "feeds": _plain(found.feeds), "files": _plain(found.files),
                   "controls": _plain(found.controls), "needs": found.needs})  # fmt: skip
    else:
        _say_status(found)
    if found.needs:
        raise typer.Exit(1)


def _say_status(found: Status) -> None:
    """A status as tables and sentences; what is empty is left out."""
    rows = [{**one, "data_until": one["data_until"] or "unknown"} for one in _plain(found.feeds)]
    show([_counted(one) for one in rows], as_json=False, empty="No file has come yet: bedrot import PATH.")
    for title, table in (
        ("Files that were not taken", _plain(found.files)),
        ("Not joined to an artist (see [[artist]] and [[account]] in bedrot.toml)", found.unjoined),
        ("Controls: what the service shows, and what the lake has", [_control(one) for one in _plain(found.controls)]),
    ):
        if table:
            out.print()
            show(table, as_json=False, empty="", title=title)
    out.print()
    for need in found.needs:
        out.print(escape(plain(need)))
    if not found.needs:
        out.print(f"Nothing needs you; readers see snapshot {found.snapshot}." if found.snapshot else "Nothing is here.")


def _counted(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose counts have signs of thousands, and nothing where they are zero."""
    return {key: (f"{value:,}" if value else "") if isinstance(value, int) else value for key, value in row.items()}


def _control(row: Mapping[str, Any]) -> dict[str, Any]:
    """A control as it is shown."""
    ours = "no line of that period" if row["ours"] is None else _exact(row["ours"])
    difference = None if row["difference"] is None else _exact(row["difference"])
    said = "agrees" if row["agrees"] else "DIFFERS"
    return {**row, "theirs": _exact(row["theirs"]), "ours": ours, "difference": difference, "agrees": said}


@app.command()
def rejects(table: TableArgument = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List the rows that were set aside: file, line, field, reason and text."""
    from bedrot.tell import asides

    with _walk(lake) as walk:
        rows = asides.rejects(walk.lake, asides.gather(walk.ledger), table)
    short = rows if as_json else [{**one, "delivery": one["delivery"][:12]} for one in rows]
    show(short, as_json=as_json, empty="No row was set aside.")
    if rows:
        _advise(as_json, "A file that is wrong as a whole: bedrot retract DELIVERY --because …")
        raise typer.Exit(1)


@app.command()
def held(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List what looks wrong and waits for approval; what is published stays until then."""
    from bedrot.tell import asides
    from bedrot.tell.known import times

    with _walk(lake) as walk, times(walk) as states:
        rows = asides.held(states.now().findings, asides.gather(walk.ledger))
    _show_findings(rows, as_json, "Nothing is held.")
    if any(not one["approved"] for one in rows):
        _advise(as_json, "If the new is right: bedrot approve ID --because …; if the file is wrong: bedrot retract.")
        raise typer.Exit(1)


@app.command()
def vanished(table: TableArgument = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """List lines that newer files lack; they are kept, since a filtered download looks so."""
    from bedrot.tell import asides
    from bedrot.tell.known import times

    with _walk(lake) as walk, times(walk) as states:
        rows = asides.vanished(states.now().findings, asides.gather(walk.ledger), table)
    _show_findings(rows, as_json, "Nothing vanished.")
    if rows:
        _advise(as_json, "They stay in the tables. If the service truly took them back: bedrot approve ID --because …")


def _show_findings(rows: Sequence[dict[str, Any]], as_json: bool, empty: str) -> None:
    """Findings as a table that a terminal holds, or whole as JSON."""
    if as_json:
        show(rows, as_json=True, empty=empty)
        return
    hidden = ("detail", "delivery", "approved", "kind")
    short = [
        {
            **{key: value for key, value in one.items() if key not in hidden},
            "id": one["id"][:12],
            "money": _spoken(one["money"]),
            "state": "approved: the next run takes it" if one["approved"] else "open",
        }
        for one in rows
    ]
    show(short, as_json=False, empty=empty)


def _spoken(money: Mapping[str, Any]) -> str:
    """Amounts by column as a person reads them."""
    from decimal import Decimal

    def said(amount: Any) -> str:
        if isinstance(amount, dict):
            return f"{_exact(Decimal(amount['before']))} before, {_exact(Decimal(amount['published']))} published"
        return _exact(Decimal(amount))

    return "; ".join(f"{column} {said(amount)}" for column, amount in money.items())


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
        state = _asked(states, known_on, snapshot)
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


def _answer(found: Any, form: str, file: Path | None) -> None:
    """Show an answer, or write it to a file, durably."""
    from bedrot.lake import disk
    from bedrot.tell import answer

    if form == "table":
        rows = list(found.rows(_SHOWN + 1))
        texts = [dict(zip(found.columns, (None if one is None else answer.shown(one) for one in row), strict=True))
                 for row in rows[:_SHOWN]]  # fmt: skip
        show(texts, as_json=False, empty="No rows.")
        if len(rows) > _SHOWN:
            err.print(f"Only the first {_SHOWN:,} rows are shown; all of them: --format csv -o FILE.")
        return
    pieces = answer.as_csv(found) if form == "csv" else answer.as_json(found)
    if file is not None:
        disk.put(file.absolute(), (piece.encode() for piece in pieces), replace=True, read_only=False)
        return
    for piece in pieces:
        sys.stdout.write(piece)


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
    from bedrot.tell.diff import diff as diff_of
    from bedrot.tell.known import day_or_instant, times

    first, last = day_or_instant(since, "--from"), day_or_instant(until, "--to")
    with _walk(lake) as walk, times(walk) as states:
        before, after = _told(states.known(first)), _told(states.known(last))
        limit = None if as_json else rows
        found = diff_of(walk.sources, table, before, after, states.scratch / "spill", rows=limit)
    if as_json:
        _say_json({"from": since, "to": until, **vars(found), "money": _plain(found.money),
                   "changes": _plain(found.changes)})  # fmt: skip
    else:
        _say_diff(found, since, until)


def _say_diff(found: Diff, since: str, until: str) -> None:
    """A diff as sentences and tables."""
    counts = ", ".join(f"{number:,} {kind}" for kind, number in found.numbers.items())
    out.print(escape(f"{found.table}: {found.rows_before:,} rows known on {since}, {found.rows_after:,} on {until}."))
    out.print(f"Rows {counts}.")
    if found.money:
        money = [
            {
                "money": one.column,
                "currency": one.currency or "not told",
                "before": _exact(one.before),
                **{kind: _exact(amount) for kind, amount in one.by_kind.items()},
                "after": _exact(one.after),
            }
            for one in found.money
        ]
        show(money, as_json=False, empty="", title="Money: before + new + restated + renamed + gone = after")
    if found.changes:
        show([_changed(one, found.identity) for one in found.changes], as_json=False, empty="")
    more = sum(found.numbers.values()) - len(found.changes)
    if more:
        out.print(f"{more:,} more rows changed; --rows N lists more, --json all.")
    if found.vanished:
        lines = sum(one["lines"] for one in found.vanished)
        out.print(f"{lines:,} lines vanished from newer files and are kept: bedrot vanished.")


def _changed(change: Change, identity: Sequence[str]) -> dict[str, str]:
    """One changed row: what it is, and what of it changed."""
    from bedrot.tell.answer import shown

    row = change.after if change.after is not None else change.before or {}
    what = " · ".join(shown(row[name]) for name in identity if row[name] is not None)
    if change.before is not None and change.after is not None:
        pairs = ((name, change.before[name], change.after[name]) for name in change.changed)
        said = "; ".join(f"{name} {_or_blank(was)} → {_or_blank(now)}" for name, was, now in pairs)
    else:
        said = "; ".join(f"{name} {shown(value)}" for name, value in row.items()
                         if value is not None and name not in identity)  # fmt: skip
    return {"change": change.kind, "row": what, "values": said}


def _or_blank(value: object) -> str:
    """A value as text; the word blank for none."""
    from bedrot.tell.answer import shown

    return "blank" if value is None else shown(value)


@contextmanager
def _walk(lake: Path | None) -> Iterator[Walk]:
    """The lake as one who walks it sees it, for reading."""
    from bedrot.walk.run import Walk

    with opened(lake) as (where, ledger, settings):
        yield Walk(where, ledger, settings, settings.run.workers)


def _asked(states: Times, known_on: str | None, snapshot: int | None) -> State:
    """The state that the options name, with what it lacks said."""
    return _told(states.asked(known_on, snapshot))


def _told(state: State) -> State:
    """The state itself, after saying which deliveries it lacks."""
    for sentence in state.failed:
        err.print(escape(plain(f"Not in this answer: {sentence}")))
    return state


def _advise(as_json: bool, sentence: str) -> None:
    """A next action, for a person."""
    if not as_json:
        out.print(sentence)


def _exact(value: Decimal) -> str:
    """An amount in plain digits, without zeros that say nothing."""
    from bedrot.tell.answer import exact

    return exact(value)


def _plain(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as dictionaries of their fields."""
    from dataclasses import fields

    return [{one.name: getattr(value, one.name) for one in fields(value)} for value in values]


def _say_json(value: Mapping[str, Any]) -> None:
    """One JSON document; decimals and dates as text."""
    from bedrot.tell.answer import plain_value

    sys.stdout.write(json.dumps(plain_value(dict(value)), ensure_ascii=False, indent=2) + "\n")
