"""Verify, looking into every file: restage, count and sum anew, follow rows, and compare with what is published."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import duckdb

from bedrot.contract import Original
from bedrot.errors import BedrotError
from bedrot.lake import objects, snapshot
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import Staged
from bedrot.lake.opened import open_snapshot, view_name
from bedrot.lake.snapshot import Snapshot
from bedrot.tell.verify import Breach, check_bundles_whole, unaccounted, verify
from bedrot.walk.attribute import facts_of
from bedrot.walk.compare import compare
from bedrot.walk.private import read_through
from bedrot.walk.rebuild import Anew, made_anew
from bedrot.walk.recount import Recount, recount
from bedrot.walk.run import Walk
from bedrot.walk.stage import feed_of

_REBUILD = "Run `bedrot rebuild`: staging and curated are made anew from raw."
_REPORT = "Report this, with the file's headings: two ways of reading it disagree."


def verify_deep(walk: Walk) -> Iterator[Breach]:
    """Every breach that `verify` sees, and those that only rows show; the lake is not changed."""
    yield from verify(walk.lake, walk.ledger)
    yield from check_bundles_whole(walk.lake)
    for delivery in _counting(walk):
        yield from _check_private(walk, delivery)
    with made_anew(walk) as anew:
        yield from (Breach(5, one, "See `bedrot status`, or import the file again.") for one in anew.failed)
        yield from _check_accounts(walk, anew)
        yield from _check_staged_files(walk, anew)
        yield from _check_state(walk, anew)


def _counting(walk: Walk) -> list[Delivery]:
    """The deliveries that count."""
    decisions = walk.ledger.decisions()
    return [one for one in walk.ledger.deliveries() if not decisions.retracted(one.id)]


def _check_private(walk: Walk, delivery: Delivery) -> Iterator[Breach]:
    """Law 13: no secret in raw."""
    path = walk.lake.object_path(delivery.object)
    if not path.is_file():
        return
    try:
        read_through(Original(path, delivery.name, delivery.relative, delivery.member_time), walk.sources)
    except BedrotError as wrong:
        yield Breach(13, f"{delivery.name} (delivery {delivery.id[:8]}): {wrong.sentence}", "Purge that delivery.")


def _check_accounts(walk: Walk, anew: Anew) -> Iterator[Breach]:
    """Law 3 against a count and a sum that share no code with staging."""
    by_delivery: dict[str, list[Staged]] = {}
    for one in anew.staged:
        by_delivery.setdefault(one.delivery, []).append(one)
    for delivery in _counting(walk):
        mine = by_delivery.get(delivery.id, [])
        if not mine:
            continue
        counts = _recount(walk, delivery)
        for staged in mine:
            for what in (*unaccounted(staged), *disagreements(staged, counts[staged.table])):
                yield Breach(3, f"{delivery.name} ({staged.table}): {what}", _REPORT)


def _recount(walk: Walk, delivery: Delivery) -> dict[str, Recount]:
    """The independent count of a delivery."""
    feed, _ = feed_of(delivery.feed, walk.folders)
    path = walk.lake.object_path(delivery.object)
    original = Original(path, delivery.name, delivery.relative, delivery.member_time)
    account = walk.ledger.decisions().account_of(delivery)
    return recount(feed, original, facts_of(delivery, account))


def disagreements(staged: Staged, counted: Recount) -> Iterator[str]:
    """Where an independent count of a file and its staging differ, as sentences."""
    if counted.records != staged.records:
        yield f"counted anew it has {counted.records:,} records, staging says {staged.records:,}."
    for column, sums in staged.money.items():
        amount = counted.money.get(column, Decimal(0))
        if amount != Decimal(sums["file"]):
            yield f"summed anew {column} is {amount:f}, staging says {sums['file']}."
        if counted.unreadable[column] > int(sums["unreadable"]):
            said = f"{counted.unreadable[column]:,} amounts of {column} cannot be read"
            yield f"{said}, staging says {sums['unreadable']}."


def _check_staged_files(walk: Walk, anew: Anew) -> Iterator[Breach]:
    """Law 5: the staged files that the ledger names have the bytes that raw gives now."""
    now = {(one.delivery, one.table): one for one in anew.staged}
    for old in walk.ledger.staged():
        new = now.get((old.delivery, old.table))
        if new is None or new.fingerprint != old.fingerprint:
            continue
        for mine, fresh in ((old.path, new.path), (old.rejects_path, new.rejects_path)):
            if bool(mine) != bool(fresh):
                yield Breach(5, f"{old.table}: rejected rows of delivery {old.delivery[:8]} are not told.", _REBUILD)
            elif mine and walk.lake.absolute(mine).is_file() and _hash(walk, mine) != _fresh(anew, fresh):
                yield Breach(5, f"{mine} is not what raw gives.", _REBUILD)


def _hash(walk: Walk, path: str) -> str:
    return objects.hash_file(walk.lake.absolute(path))[0]


def _fresh(anew: Anew, path: str) -> str:
    return objects.hash_file(anew.lake.absolute(path))[0]


def _check_state(walk: Walk, anew: Anew) -> Iterator[Breach]:
    """Law 5 and law 10: what is published is what raw gives, and each row names a delivery that is there."""
    try:
        published = snapshot.current(walk.lake)
    except BedrotError:
        return  # named already
    if published is None:
        return
    for difference in compare(walk.lake, published, anew.lake, anew.snapshot):
        yield Breach(5, difference.says(), _REBUILD)
    known = {one.id for one in walk.ledger.deliveries()}
    for table in sorted(published.tables):
        yield from _check_lineage(walk, published, table, known)


def _check_lineage(walk: Walk, published: Snapshot, table: str, known: set[str]) -> Iterator[Breach]:
    """Law 10 for one table."""
    state = published.tables[table]
    if "_delivery" not in {name for name, _ in state.columns}:
        return
    alone = Snapshot(published.number, published.previous, {table: state}, {}, published.published_at)
    try:
        con = open_snapshot(walk.lake, alone)
    except (BedrotError, duckdb.Error):
        return  # its damaged files are named already
    try:
        found = con.execute(f"SELECT DISTINCT _delivery FROM {view_name(table)} WHERE _delivery IS NOT NULL").fetchall()
    finally:
        con.close()
    for (delivery,) in found:
        if delivery not in known:
            yield Breach(10, f"Rows of {table} name the delivery {delivery[:8]}, which is not in raw.", _REBUILD)
