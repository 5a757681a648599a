"""The command `due`: what the services will have forgotten next, and in which order to fetch."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from bedrot.commands.common import JsonOption, LakeOption, opened

if TYPE_CHECKING:
    from bedrot.connect.memory import Memory, Outlook, Stretch

app = typer.Typer()

SOON = 7
"""With so many days left, or fewer, somebody has to fetch now."""

NOTHING_YET = "Nothing is published yet, so no day is known. Import your files, then: bedrot run"
_STRETCHES = 3


@app.command()
def due(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Tell which days the services will have forgotten next, on which day, and which are lost: fetch in this order."""
    from bedrot.commands import layout
    from bedrot.connect.known_days import outlooks
    from bedrot.sources import find_sources

    now = _now()
    with opened(lake) as (where, ledger, settings):
        found = outlooks(where, ledger, settings, find_sources(settings.source_folders(where.root)), now)
    if as_json:
        sys.stdout.write(json.dumps([as_row(one) for one in found or ()], ensure_ascii=False, indent=2) + "\n")
    elif found is None:
        layout.say(NOTHING_YET)
    else:
        _say(found)
    if any(urgent(one) for one in found or ()):
        raise typer.Exit(1)


def urgent(one: Outlook) -> bool:
    """Whether days are being lost already, or will be within a week."""
    return one.days_left is not None and one.days_left <= SOON


def as_row(one: Outlook) -> dict[str, Any]:
    """An outlook as plain values for a program."""
    from bedrot.connect.memory import counted

    listed = {
        name: [{"first": each.first.isoformat(), "last": each.last.isoformat(), "days": each.days} for each in some]
        for name, some in (
            ("reachable", one.reachable),
            ("lost", one.lost),
            ("unfinished", one.unfinished),
            ("kept_in_part", one.kept_in_part),
        )
    }
    return {
        "source": one.source,
        "feed": one.feed,
        "account": one.account,
        "tables": list(one.tables),
        "data_from": _iso(one.oldest),
        "data_until": _iso(one.newest),
        "days_left": one.days_left,
        "next_lost": _iso(one.next_lost),
        "gone_on": _iso(one.gone_on),
        "gone_at": one.gone_at.isoformat() if one.gone_at else None,
        "reachable_days": counted(one.reachable),
        "lost_days": counted(one.lost),
        **listed,
        "absent_may_be_empty": one.memory.absent_may_be_empty,
        "remembers": one.memory.words,
        "zone": one.memory.zone or None,
        "evidence": one.memory.evidence,
        "says": sentence(one),
    }


def sentence(one: Outlook) -> str:
    """What an outlook means, for a person."""
    if one.newest is None:
        return "No day has come yet: nobody can say what is being forgotten. Fetch it soon."
    if one.next_lost is None or one.gone_on is None or one.days_left is None:
        return "Nothing will be forgotten."
    if one.days_left == 0:
        return f"{one.next_lost} may be gone at any hour: fetch now."
    if one.days_left == 1 and one.lost and one.lost[-1].last + timedelta(days=1) == one.next_lost:
        return f"Each day another one is lost: today is the last day to fetch {one.next_lost}."
    if one.days_left == 1:
        return f"Today is the last day to fetch {one.next_lost}."
    return f"{one.next_lost} is gone on {one.gone_on}: fetch before."


def _say(found: Sequence[Outlook]) -> None:
    """The outlooks as lines, then what a person should know besides."""
    from bedrot.commands import layout

    if not found:
        layout.say("No feed that tells days has come yet.")
        return
    for line in _lines([_cells(one, found) for one in found]):
        layout.say(line)
    layout.say()
    for line in _below(found):
        layout.say(line)


def _lines(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Rows as lines under their headings, cut on no terminal, however narrow."""
    headed = [dict(zip(rows[0], rows[0], strict=True)), *rows]
    widths = {name: max(len(row[name]) for row in headed) for name in rows[0]}
    for row in headed:
        yield "  ".join(text.ljust(widths[name]) for name, text in row.items()).rstrip()


def _cells(one: Outlook, found: Sequence[Outlook]) -> Mapping[str, str]:
    """One line: how it stands with a feed of an account."""
    from bedrot.connect.memory import counted

    return {
        "feed": _name(one, found),
        "account": one.account,
        "data until": _iso(one.newest) or "no days",
        "days left": "" if one.days_left is None else f"{one.days_left:,}",
        "missing": _days(counted(one.reachable)) if one.reachable else "",
        "lost": _days(counted(one.lost)) if one.lost else "",
        "it remembers": one.memory.words,
        "what next": sentence(one),
    }


def _below(found: Sequence[Outlook]) -> Iterator[str]:
    """The sentences below the table: what to do first, what may only look lost, and how the memories are known."""
    now = [one for one in found if urgent(one)]
    if now:
        yield f"Fetch first: {', '.join(f'{_name(one, found)} of {one.account}' for one in now)}."
    elif any(one.days_left is not None for one in found):
        yield f"Nothing will be forgotten within {SOON} days. Fetch from the top."
    for title, lists in (
        ("Missing, and can still be fetched", [(one, one.reachable) for one in found]),
        ("Lost: no fetch brings them any more", [(one, one.lost) for one in found]),
    ):
        told = [f"  {_name(one, found)} of {one.account}: {_told(one, some)}" for one, some in lists if some]
        yield from [f"{title}:", *told] if told else []
    doubtful = [_name(one, found) for one in found if one.memory.absent_may_be_empty and (one.lost or one.reachable)]
    if doubtful:
        yield f"Days on which nothing happened are left out by {_listed(doubtful)}: what is missing there may be such."
    unknown = [one.feed for one in found if one.days_left is not None and not one.memory.zone]
    if unknown:
        yield f"In which time zone the days begin is not known of {_listed(unknown)}: the earliest possible counts."
    yield "How long they remember, and how that is known:"
    alike: dict[Memory, list[str]] = defaultdict(list)
    for one in found:
        alike[one.memory].append(one.feed)
    for memory, feeds in alike.items():
        yield f"  {_listed(feeds)}: {memory.words}. {memory.evidence}"


def _name(one: Outlook, found: Sequence[Outlook]) -> str:
    """A feed's name, with the tables where those of the same feed and account do not stand alike."""
    alike = sum((other.feed, other.account) == (one.feed, one.account) for other in found)
    return one.feed if alike == 1 else f"{one.feed} ({', '.join(one.tables)})"


def _told(one: Outlook, some: Sequence[Stretch]) -> str:
    """Stretches as a person reads them; of many, how many days they are and the longest ones."""
    from bedrot.connect.memory import counted

    longest = sorted(sorted(some, key=lambda each: -each.days)[:_STRETCHES], key=lambda each: each.first)
    spans = [str(each.first) if each.days == 1 else f"{each.first} to {each.last}" for each in longest]
    more = f" and {len(some) - _STRETCHES:,} more" if len(some) > _STRETCHES else ""
    doubt = " (or nothing happened)" if one.memory.absent_may_be_empty else ""
    return f"{_days(counted(some))}{doubt}: {', '.join(spans)}{more}"


def _listed(names: Sequence[str]) -> str:
    """Names, each once, in their order."""
    return ", ".join(dict.fromkeys(names))


def _days(number: int) -> str:
    """A number of days in words."""
    return "1 day" if number == 1 else f"{number:,} days"


def _iso(day: date | None) -> str | None:
    """A day as text."""
    return day.isoformat() if day else None


def _now() -> datetime:
    """The instant at which somebody asks."""
    return datetime.now(UTC)
