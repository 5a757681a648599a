"""How the answers of the asking commands stand on a terminal: status, rows set aside, findings, changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from bedrot.commands.common import out, plain
from bedrot.tell.answer import exact, shown

if TYPE_CHECKING:
    from bedrot.tell.diff import Change, Diff
    from bedrot.tell.status import ControlRow, Status, WaitingFile

_TEXT = 160


def say(sentence: str = "") -> None:
    """One line of plain text."""
    out.print(escape(plain(sentence)), soft_wrap=True)


def table(rows: Sequence[Mapping[str, str]], title: str = "", right: Sequence[str] = ()) -> None:
    """Rows as a table under these very headings, cut on no terminal; `right` columns hold numbers."""
    made = Table(box=box.SIMPLE_HEAD, title=escape(title) or None, title_justify="left", pad_edge=False)
    for heading in rows[0]:
        made.add_column(escape(heading), justify="right" if heading in right else "left", no_wrap=True)
    for row in rows:
        made.add_row(*(escape(plain(value)) for value in row.values()))
    wide = out.measure(made).maximum
    out.print(made, width=max(out.width, wide), crop=False, no_wrap=True, soft_wrap=True)


def say_status(found: Status) -> None:
    """A status as tables and sentences; what is empty is left out."""
    if found.feeds:
        table(
            [
                {
                    "feed": one.feed,
                    "account": one.account,
                    "data until": one.data_until or "no days",
                    "files": f"{one.deliveries:,}",
                    "rows": f"{one.rows:,}",
                    "rejected": _count(one.rejected),
                    "held": _count(one.held),
                    "vanished": _count(one.vanished),
                }
                for one in found.feeds
            ],
            right=("files", "rows", "rejected", "held", "vanished"),
        )
    else:
        say("No file has come yet: bedrot import the files that you downloaded.")
    for part in (_waiting(found.files), _unjoined(found.unjoined), _controls(found.controls)):
        for line in part:
            say(line)
    for need in found.needs:
        say(need)
    if not found.needs and found.snapshot:
        say(f"Nothing needs you; readers see snapshot {found.snapshot}.")


def _count(number: int) -> str:
    """A count with signs of thousands; nothing for zero."""
    return f"{number:,}" if number else ""


def _waiting(files: Sequence[WaitingFile]) -> Iterator[str]:
    """Files that were not taken, those with the same reason together."""

    def reason(one: WaitingFile) -> tuple[str, str, str]:
        return one.verdict, one.why, one.do

    if files:
        yield "Files in landing that were not taken:"
    for (verdict, why, do), alike in groupby(sorted(files, key=reason), key=reason):
        yield f"  {verdict}: {why}"
        yield from (f"    {one.file}" for one in alike)
        yield f"    What to do: {do}"
    if files:
        yield ""


def _unjoined(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Spellings and accounts that belong to no artist."""
    if rows:
        yield "Not joined to an artist yet (tell in bedrot.toml whose they are):"
    for one in rows:
        what = f"artist '{one['spelling']}'" if one["spelling"] is not None else "the account"
        until = f", until {one['last_day']}" if one["last_day"] else ""
        yield f"  {one['source']}, {one['account']}: {what} ({one['rows']:,} rows{until})"
    if rows:
        yield ""


def _controls(rows: Sequence[ControlRow]) -> Iterator[str]:
    """Controls, one a line."""
    if rows:
        yield "Controls (what the service shows, and what its statements here add up to):"
    for one in rows:
        place = f"  {one.source}, {one.account}, {one.period}: the service shows {exact(one.theirs)} {one.currency}"
        if one.ours is None or one.difference is None:
            yield f"{place}, here is no line of that period: DIFFERS"
        elif one.agrees:
            yield f"{place}, here are {exact(one.ours)}: agrees"
        else:
            yield f"{place}, here are {exact(one.ours)}: DIFFERS by {exact(one.difference)}"
    if rows:
        yield ""


def say_rejects(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that were set aside, file by file: line, reason, text."""
    for delivery, mine in groupby(rows, key=lambda one: (one["delivery"], one["table"])):
        group = list(mine)
        first = group[0]
        say(f"{first['file']} → {first['table']} ({first['account']}), delivery {delivery[0][:12]}")
        for one in group:
            text = " ".join((one["text"] or "").split())
            say(f"  {one['line']}: {one['reason']}")
            say(f"    {text if len(text) <= _TEXT else text[:_TEXT] + ' …'}")


def say_findings(rows: Sequence[Mapping[str, Any]]) -> None:
    """Held or vanished things: where, what, the two sides, the money, the id to approve."""
    for one in rows:
        state = "approved: the next run takes it" if one["approved"] else f"to approve: {one['id'][:12]}"
        place = ", ".join(part for part in (one["table"], one["account"], one["partition"]) if part)
        say(f"{place} ({one['file'] or 'retracted file'}, delivery {one['delivery'][:12]}): {state}")
        say(f"  {one['what']}")
        for line in _sides(one.get("published", ()), one.get("told", ())):
            say(f"    {line}")
        for column, amount in one["money"].items():
            say(f"    {column}: {_amounts(amount)}")


def _sides(published: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is published and what the file says instead; of one row on each side, only what differs."""
    if len(published) == len(told) == 1:
        for name, value in published[0].items():
            if value != told[0][name]:
                yield f"{name}: published {_or_blank(value)}, the file says {_or_blank(told[0][name])}"
        return
    yield from (f"published: {_values(row)}" for row in published)
    yield from (f"the file says: {_values(row)}" for row in told)


def _values(row: Mapping[str, Any]) -> str:
    """The values of a row that has any, by column."""
    return "; ".join(f"{name} {shown(value)}" for name, value in row.items() if value is not None)


def _amounts(amount: str | Mapping[str, str]) -> str:
    """An amount, or the sums of a partition before a file and as published now."""
    if isinstance(amount, str):
        return exact(Decimal(amount))
    was, now = exact(Decimal(amount["before"])), exact(Decimal(amount["published"]))
    return f"{was} in all before the file, {now} as published"


def say_diff(found: Diff, since: str, until: str) -> None:
    """A diff as sentences and tables."""
    counts = ", ".join(f"{number:,} {kind}" for kind, number in found.numbers.items())
    say(f"{found.table}: {found.rows_before:,} rows known on {since}, {found.rows_after:,} on {until}: {counts}.")
    if found.money:
        money = [
            {
                "money": one.column,
                "currency": one.currency or "not told",
                "before": exact(one.before),
                **{f"+ {kind}": exact(amount) for kind, amount in one.by_kind.items()},
                "= after": exact(one.after),
            }
            for one in found.money
        ]
        table(money, right=tuple(money[0])[2:])
    for one in found.changes:
        say(_changed(one, found.identity))
    more = sum(found.numbers.values()) - len(found.changes)
    if more:
        say(f"{more:,} more rows changed: --rows N shows more, --json all.")
    if found.vanished:
        lines = sum(one["lines"] for one in found.vanished)
        say(f"{lines:,} lines vanished from newer files and are kept: bedrot vanished.")


def _changed(change: Change, identity: Sequence[str]) -> str:
    """One changed row: its kind, what it is, and what of it changed."""
    row = change.after if change.after is not None else change.before or {}
    what = " · ".join(shown(row[name]) for name in identity if row[name] is not None)
    if change.before is not None and change.after is not None:
        pairs = ((name, change.before[name], change.after[name]) for name in change.changed)
        said = "; ".join(f"{name} {_or_blank(was)} → {_or_blank(now)}" for name, was, now in pairs)
    else:
        said = _values({name: value for name, value in row.items() if name not in identity})
    return f"{change.kind:<9}{what}: {said}"


def _or_blank(value: object) -> str:
    """A value as text; the word blank for none."""
    return "blank" if value is None else shown(value)
