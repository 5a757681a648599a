"""Status: is the lake current, what waits for a person, and do its totals agree with what the services show."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb

from bedrot import sql
from bedrot.config import Control
from bedrot.connect.states import State, command
from bedrot.contract import Merge, Table
from bedrot.errors import Misconfigured
from bedrot.lake.decisions import unfinished_purges
from bedrot.lake.ledger import Staged
from bedrot.lake.snapshot import Snapshot, current, open_snapshot
from bedrot.tell.asides import Facts, gather
from bedrot.walk.build import key_of
from bedrot.walk.findings import Findings, read_findings
from bedrot.walk.run import Walk

_CENTS = 2
_LANDED = re.compile(r"-([0-9a-f]{8})\.[a-z]+")


@dataclass(frozen=True)
class FeedRow:
    """One feed of one account: the last day of its data, its deliveries, and its rows as published.

    `rejected` are rows set aside, `held` things that wait for approval, `vanished` kept lines that newer files lack.
    """

    source: str
    feed: str
    account: str
    data_until: str | None = None
    deliveries: int = 0
    rows: int = 0
    rejected: int = 0
    held: int = 0
    vanished: int = 0


@dataclass(frozen=True)
class WaitingFile:
    """A file in landing that is in no table: its name, its verdict, why, and what to do."""

    verdict: str
    file: str
    why: str
    do: str
    lies_at: str


@dataclass(frozen=True)
class ControlRow:
    """A total that the service shows beside ours; amounts in `currency`, None where no line of the period has come."""

    source: str
    account: str
    period: str
    currency: str
    theirs: Decimal
    ours: Decimal | None
    difference: Decimal | None
    agrees: bool


@dataclass
class Status:
    """All that status tells; `pending` says in a sentence what the next run will do."""

    snapshot: int | None = None
    feeds: list[FeedRow] = field(default_factory=list)
    files: list[WaitingFile] = field(default_factory=list)
    unjoined: list[dict[str, Any]] = field(default_factory=list)
    controls: list[ControlRow] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    @property
    def needs(self) -> list[str]:
        """What a person has to act on, a sentence each; empty where nothing needs anybody."""
        rejected, held = sum(one.rejected for one in self.feeds), sum(one.held for one in self.feeds)
        apart = sum(not one.agrees for one in self.controls)
        told = (
            (len(self.files), "file was not taken", "files were not taken", "do what stands beside each"),
            (rejected, "row was set aside", "rows were set aside", "see `bedrot rejects`"),
            (held, "thing is held", "things are held", "see `bedrot held`"),
            (apart, "control differs", "controls differ", "see the controls above"),
        )
        counted = [f"{n:,} {one if n == 1 else many}: {do}." for n, one, many, do in told if n]
        return counted + self.pending


def status(walk: Walk) -> Status:
    """The status of a lake, read from the ledger, the published tables and the settings; changes nothing."""
    facts = gather(walk.ledger)
    snapshot = current(walk.lake)
    findings = read_findings(walk.lake, snapshot)
    found = Status(
        snapshot=snapshot.number if snapshot else None,
        files=list(_waiting(walk)),
        pending=[*_unfinished(walk), *_pending(walk, facts, snapshot), *_locked_out(walk)],
    )
    rows: dict[tuple[str, str], int] = {}
    if snapshot is not None:
        con = open_snapshot(walk.lake, snapshot)
        try:
            rows = _published(con, snapshot, facts)
            found.unjoined = _unjoined(con, snapshot)
            found.controls = [_control(con, one, snapshot) for one in walk.settings.control]
        finally:
            con.close()
    else:
        found.controls = [_compared(one, None) for one in walk.settings.control]
    found.feeds = _feeds(walk, facts, findings, rows)
    return found


def _feeds(walk: Walk, facts: Facts, findings: Findings, rows: Mapping[tuple[str, str], int]) -> list[FeedRow]:
    """One row for each feed and account that has deliveries."""
    tables = {table.name: table for source in walk.sources for feed in source.feeds for table in feed.tables}
    found: dict[tuple[str, str], FeedRow] = {}
    staged: dict[tuple[str, str], list[Staged]] = defaultdict(list)
    for one in facts.deliveries.values():
        key = one.feed, facts.account[one.id]
        row = found.get(key) or FeedRow(one.source, one.feed, key[1])
        found[key] = replace(row, deliveries=row.deliveries + 1)
    for each in facts.staged:
        delivery = facts.deliveries[each.delivery]
        staged[delivery.feed, facts.account[delivery.id]].append(each)
    held = _counted(facts, (one for one in findings.held if one["id"] not in facts.approved))
    vanished = _counted(facts, (one for one in findings.vanished if one["id"] not in facts.approved), "lines")
    return [
        replace(
            row,
            data_until=_until(staged[key], tables),
            rows=rows.get(key, 0),
            rejected=sum(one.rejected for one in staged[key]),
            held=held[key],
            vanished=vanished[key],
        )
        for key, row in sorted(found.items())
    ]


def _counted(facts: Facts, findings: Iterable[Mapping[str, Any]], what: str = "") -> dict[tuple[str, str], int]:
    """Findings (or the sum of one of their numbers) by feed and account."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for one in findings:
        delivery = facts.deliveries.get(one["delivery"])
        if delivery is not None:
            found[delivery.feed, facts.account[delivery.id]] += int(one[what]) if what else 1
    return found


def _until(staged: Iterable[Staged], tables: Mapping[str, Table]) -> str | None:
    """The last day in the data; a snapshot's day is that of its export, so it counts only where there is no other."""
    told = [(tables[one.table].merge is not Merge.SNAPSHOTS, one.until[:10])
            for one in staged if one.until and one.table in tables]  # fmt: skip
    return max(told)[1] if told else None


def _published(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, facts: Facts) -> dict[tuple[str, str], int]:
    """Published rows by feed and account; a row counts for the delivery that it cites."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for name in sorted(snapshot.tables):
        schema, dot, table = name.partition(".")
        if not dot or not snapshot.tables[name].parts:
            continue
        query = f"SELECT account, _delivery, count(*) FROM {schema}.{sql.name(table)} GROUP BY ALL"
        for account, delivery, number in con.execute(query).fetchall():
            if delivery in facts.deliveries:
                found[facts.deliveries[delivery].feed, account] += number
    return found


def _unjoined(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Spellings and accounts that belong to no artist yet."""
    if "unjoined" not in snapshot.tables:
        return []
    names = ("what", "source", "account", "spelling", "rows", "last_day")
    rows = con.execute("SELECT what, source, account, spelling, number, last_day FROM unjoined ORDER BY ALL").fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def _control(con: duckdb.DuckDBPyConnection, control: Control, snapshot: Snapshot) -> ControlRow:
    """A control beside the sum of earnings that were reported in its month or year."""
    if "royalties" not in snapshot.tables:
        return _compared(control, None)
    first, after = _period(control.period)
    rows = con.execute(
        "SELECT sum(earnings) FROM royalties WHERE source = $1 AND account = $2 AND currency = $3"
        " AND reporting_date >= $4 AND reporting_date < $5",
        [control.source, control.account, control.currency, first, after],
    ).fetchall()
    return _compared(control, rows[0][0])


def _compared(control: Control, ours: Decimal | None) -> ControlRow:
    """A control beside our total: they agree where ours, rounded to cents (or finer, as told), is the amount told.

    A service's page rounds, its statements do not; the difference is that of the whole amounts.
    """
    told = control.amount.as_tuple().exponent
    places = max(_CENTS, -told if isinstance(told, int) else 0)
    with localcontext(prec=60):
        shown = None if ours is None else ours.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        difference = None if ours is None else ours - control.amount
    return ControlRow(
        control.source, control.account, control.period, control.currency, control.amount, ours, difference,
        agrees=shown == control.amount,
    )  # fmt: skip


def _period(period: str) -> tuple[date, date]:
    """The first day of `2025-03` or `2025`, and the first day behind it."""
    year, _, month = period.partition("-")
    try:
        if not month:
            return date(int(year), 1, 1), date(int(year) + 1, 1, 1)
        first = date(int(year), int(month), 1)
    except ValueError as wrong:
        raise Misconfigured(
            f"The control of '{period}' has no such period.", "Write a month as 2025-03, or a year as 2025.",
            file="bedrot.toml",
        ) from wrong  # fmt: skip
    return first, (first + timedelta(days=31)).replace(day=1)


def _waiting(walk: Walk) -> Iterator[WaitingFile]:
    """Files in landing that were not accepted, with the sentence said then; also those that nothing is known about.

    A copy of bytes that were taken later waits for nobody: a process died before it could remove it.
    """
    told = {one.path: one for one in walk.ledger.landings()}
    came = {one.object: one.received_at for one in sorted(walk.ledger.deliveries(), key=lambda one: one.received_at)}
    taken = {sha256[:8] for sha256 in came}
    for path in _files(walk.lake.landing):
        relative = walk.lake.relative(path)
        if relative in told:
            one = told[relative]
            if one.at >= came.get(one.sha256, one.at):
                yield WaitingFile(one.verdict, one.relative, one.sentence, one.do, relative)
        elif not ((named := _LANDED.search(path.name)) and named[1] in taken):
            why = "It lies in landing, and nothing is known about it."
            yield WaitingFile("unknown", path.name, why, f"Run `bedrot import` on {path}.", relative)


def _files(folder: Path) -> list[Path]:
    """The files below a folder by name, without those that begin with a dot."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _pending(walk: Walk, facts: Facts, snapshot: Snapshot | None) -> Iterator[str]:
    """What is in raw and not in the published tables yet."""
    known = {feed.name for source in walk.sources for feed in source.feeds}
    staged = {one.delivery for one in facts.staged}
    walked = {one.id for one in walk.ledger.whole_deliveries()}
    yield from _broken_off(facts, walked)
    strange = sorted({one.feed for one in facts.deliveries.values() if one.feed not in known})
    if strange:
        yield f"No source reads {', '.join(strange)} any more: name its folder in `sources` of bedrot.toml."
    waiting = sum(one.id not in staged and one.id in walked for one in facts.deliveries.values() if one.feed in known)
    if waiting:
        files = "delivery is" if waiting == 1 else "deliveries are"
        yield f"{waiting:,} {files} in raw and in no table yet: run `bedrot run`."
    elif (snapshot or facts.deliveries) and (snapshot is None or snapshot.inputs.get("key") != key_of(walk.inputs())):
        yield "Files, decisions, settings or the program changed since the tables were published: run `bedrot run`."


def _unfinished(walk: Walk) -> Iterator[str]:
    """Purges that have begun and not ended."""
    left = unfinished_purges(walk.lake, walk.ledger.decisions())
    if left:
        yield f"A purge is not finished ({len(left):,} still there): give the same `bedrot purge` command again."


def _locked_out(walk: Walk) -> Iterator[str]:
    """Accounts that are not asked for again before a person has acted, as of the last time that they were."""
    for source, account in walk.ledger.asked_accounts():
        last = walk.ledger.standings(source, account)[-1]
        if State(last.state).needs_person and not State(last.state).good:
            yield f"{source}, {account}, asked on {last.at:%Y-%m-%d}: {last.sentence} {last.do}".strip()


def _broken_off(facts: Facts, walked: AbstractSet[str]) -> Iterator[str]:
    """Pulls that did not come whole and are therefore in no table, until a later one of the same account is."""
    newest = {(one.source, facts.account[one.id]): "" for one in facts.deliveries.values()}
    came: dict[tuple[str, str, str], int] = defaultdict(int)
    for one in facts.deliveries.values():
        whose = one.source, facts.account[one.id]
        if one.batch and one.id in walked:
            newest[whose] = max(newest[whose], one.batch)
        elif one.batch:
            came[(*whose, one.batch)] += 1
    for (source, account, batch), number in sorted(came.items()):
        name, _, files = batch.rpartition("/")
        if newest[source, account] < batch:
            yield (
                f"Of what was fetched from {source}, {account}, as {name}, {number:,} of {files} files came: none of"
                f" them is in a table. Fetch again: `{command('fetch', source, account)}`."
            )
