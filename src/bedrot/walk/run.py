"""Run: the walk for what is new, from raw to a published snapshot."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from functools import cached_property
from pathlib import Path

import bedrot
from bedrot.config import Settings
from bedrot.contract import Source
from bedrot.contract.typing_sql import DIGITS
from bedrot.errors import BedrotError, StorageFailed
from bedrot.lake import disk
from bedrot.lake.ledger import Ledger, Staged
from bedrot.lake.snapshot import Snapshot, current, write_snapshot
from bedrot.lake.zones import Lake
from bedrot.log import Kind, bind, note
from bedrot.sources import code_of, find_sources
from bedrot.walk.archive import archive_superseded
from bedrot.walk.build import Build, Inputs, LedgerMemo, key_of
from bedrot.walk.findings import read_findings, write_findings
from bedrot.walk.marts import ArtistRule, MartSettings
from bedrot.walk.stage import StageTask, fingerprint, stage_delivery

UNTOLD = "untold/"
"""In front of a delivery's id in the ledger's memory: what staging made of it was not told to a person yet."""
Progress = Callable[[str, int, int], None]


@dataclass
class Money:
    """Sums of one money column over the deliveries of a run."""

    file: Decimal = Decimal(0)
    staged: Decimal = Decimal(0)
    rejected: Decimal = Decimal(0)
    unreadable: int = 0


@dataclass
class Summary:
    """What a run did: law 3 in numbers, and the snapshot that readers see now."""

    number: int | None = None
    published: bool = False
    deliveries: int = 0
    records: int = 0
    rows: int = 0
    rejected: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    money: dict[str, Money] = field(default_factory=dict)
    held: int = 0
    vanished: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, staged: Staged) -> None:
        """Add one staged table of one delivery."""
        self.records += staged.records
        self.rows += staged.rows
        self.rejected += staged.rejected
        for reason, number in staged.ignored.items():
            self.ignored[reason] = self.ignored.get(reason, 0) + number
        for column, sums in staged.money.items():
            money = self.money.setdefault(f"{staged.table}.{column}", Money())
            with localcontext(prec=DIGITS):
                money.file += Decimal(sums["file"])
                money.staged += Decimal(sums["staged"])
                money.rejected += Decimal(sums["rejected"])
            money.unreadable += int(sums["unreadable"])


@dataclass
class Walk:
    """One process at work on a lake: what it walks on, how many hands it has, whom it tells."""

    lake: Lake
    ledger: Ledger
    settings: Settings
    workers: int = 2
    progress: Progress = lambda _step, _done, _all: None
    executor: Executor | None = None

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Folders searched for further sources."""
        return tuple(self.settings.source_folders(self.lake.root))

    @cached_property
    def sources(self) -> list[Source]:
        """All sources."""
        return find_sources(self.folders)

    def inputs(self) -> Inputs:
        """All that the state of now is made of."""
        return Inputs(
            lake=self.lake,
            sources=self.sources,
            deliveries=self.ledger.whole_deliveries(),
            staged=self.ledger.staged(),
            decisions=self.ledger.decisions(),
            settings=mart_settings(self.settings),
        )


def run(walk: Walk, now: datetime | None = None) -> Summary:
    """Walk what is new through staging and curated, and publish one snapshot of all tables, or none.

    The caller holds the writer's lock. A delivery that fails to stage is named in the summary; the others go on.
    """
    tidy(walk)
    summary = Summary()
    _stage_missing(walk, summary)
    _count_untold(walk, summary)
    inputs, previous = walk.inputs(), current(walk.lake)
    key = key_of(inputs)
    if previous is not None and previous.inputs.get("key") == key:
        findings = read_findings(walk.lake, previous)
        summary.number = previous.number
    else:
        memo = LedgerMemo(walk.ledger)
        build = Build(inputs, walk.lake, previous, memo, walk.workers, lambda said: walk.progress(said, 0, 0))
        tables, findings = build.state()
        memo.flush()
        snapshot = Snapshot(
            number=previous.number + 1 if previous else 1,
            previous=previous.number if previous else 0,
            tables=tables,
            inputs={"key": key, "findings": write_findings(walk.lake, findings)},
            published_at=now or datetime.now(UTC),
            version=bedrot.__version__,
        )
        write_snapshot(walk.lake, snapshot)
        note(Kind.LOADING, "published", snapshot=snapshot.number, tables=len(tables))
        summary.number, summary.published = snapshot.number, True
    _archive(walk, now or datetime.now(UTC))
    summary.held, summary.vanished = len(findings.held), len(findings.vanished)
    return summary


def begin(ledger: Ledger, now: datetime) -> int:
    """Note that a run begins; its number."""
    number = ledger.start_run(now)
    bind(run=number)
    note(Kind.LOADING, "run began")
    return number


def tidy(walk: Walk) -> None:
    """Remove what dead processes left behind, and let the ledger take in what they brought into raw."""
    disk.sweep(walk.lake.root)
    disk.clear(walk.lake.work, keep=(walk.lake.spill.name, walk.lake.pulls.name))
    walk.ledger.catch_up(walk.lake)


def _archive(walk: Walk, now: datetime) -> None:
    """Move superseded snapshots into the archive; files of staged rows stay, since law 4 reads them again."""
    staged = [path for one in walk.ledger.staged() for path in (one.path, one.rejects_path) if path]
    done = archive_superseded(walk.lake, walk.settings.archive.snapshots, now, staged)
    for reason in done.kept_because:
        note(Kind.ERROR, "not archived", sentence=reason)
    if done.numbers:
        note(Kind.LOADING, "archived", snapshots=done.numbers)


def mart_settings(settings: Settings) -> MartSettings:
    """What the marts depend on in the settings: artists, and accounts as `source/account` that speak for them."""
    accounts: dict[str | None, list[str]] = defaultdict(list)
    for rule in settings.account:
        accounts[rule.artist].append(f"{rule.source}/{rule.name}")
    spellings = {rule.name: rule.spellings for rule in settings.artist}
    names = sorted({*spellings, *(name for name in accounts if name)})
    rules = [ArtistRule(name, spellings.get(name, ()), tuple(accounts[name])) for name in names]
    return MartSettings(artists=rules, label_accounts=tuple(accounts[None]), digest=settings.digest)


def _stage_missing(walk: Walk, summary: Summary) -> None:
    """Stage the deliveries that contract, reader or account have no rows for yet, `workers` at a time."""
    tasks = _missing(walk)
    if not tasks:
        return
    with walk.executor or ThreadPoolExecutor(walk.workers) as pool:
        futures = [(task, pool.submit(stage_delivery, task)) for task in tasks]
        for done, (task, future) in enumerate(futures, start=1):
            try:
                results = future.result()
            except StorageFailed:
                raise
            except BedrotError as wrong:
                summary.failed.append(str(wrong))
                _note_of(task, Kind.ERROR, "not staged", sentence=wrong.sentence, next=wrong.do)
                continue
            with walk.ledger.transaction():
                for staged in results:
                    walk.ledger.save_staged(staged)
                walk.ledger.memo_put(UNTOLD + task.delivery.id, "{}")
            for staged in results:
                counts = {"records": staged.records, "rows": staged.rows, "rejected": staged.rejected}
                if staged.records:
                    _note_of(task, Kind.VALIDATION, "staged", table=staged.table, **counts, ignored=staged.ignored)
            walk.progress(f"stage {task.delivery.feed}", done, len(tasks))


def _note_of(task: StageTask, kind: Kind, event: str, **facts: object) -> None:
    """Log an event of a delivery."""
    one = task.delivery
    note(kind, event, source=one.source, feed=one.feed, delivery=one.id, file=one.name, **facts)


def finish(walk: Walk, number: int, summary: Summary, now: datetime) -> None:
    """Note that a run ended and that a person was told of what it staged: until then the next run tells it again."""
    with walk.ledger.transaction():
        walk.ledger.finish_run(number, now, "done", summary_json(summary))
        walk.ledger.memo_forget(walk.ledger.memo_all(UNTOLD))
    counts = {"deliveries": summary.deliveries, "rows": summary.rows, "rejected": summary.rejected}
    note(Kind.LOADING, "run done", snapshot=summary.number, held=summary.held, **counts)


def _count_untold(walk: Walk, summary: Summary) -> None:
    """Count what was staged and not told yet, by this run or by one that died before it could say so."""
    untold = {key.removeprefix(UNTOLD) for key in walk.ledger.memo_all(UNTOLD)}
    for staged in walk.ledger.staged() if untold else ():
        if staged.delivery in untold:
            summary.count(staged)
    summary.deliveries = len(untold)


def _missing(walk: Walk) -> list[StageTask]:
    """Tasks for deliveries whose staged rows are missing, or were made by another contract or reader."""
    feeds = {feed.name: (feed, code_of(source)) for source in walk.sources for feed in source.feeds}
    marks = {(one.delivery, one.table): one.fingerprint for one in walk.ledger.staged()}
    decisions = walk.ledger.decisions()
    tasks = []
    for delivery in walk.ledger.whole_deliveries():
        if delivery.feed not in feeds or decisions.retracted(delivery.id):
            continue
        task = StageTask(walk.lake.root, delivery, decisions.account_of(delivery), walk.folders)
        feed, code = feeds[delivery.feed]
        if any(marks.get((delivery.id, table.name)) != fingerprint(task, table, code) for table in feed.tables):
            tasks.append(task)
    return tasks


def summary_json(summary: Summary) -> str:
    """A summary as JSON text."""
    money = {name: {key: str(value) for key, value in vars(one).items()} for name, one in summary.money.items()}
    return json.dumps({**vars(summary), "money": money}, ensure_ascii=False)
