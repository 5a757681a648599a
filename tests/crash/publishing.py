"""Run as a script: a writer that publishes again and again, or a reader that checks that each state is one state."""

from __future__ import annotations

import hashlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bedrot import sql
from bedrot.lake import disk
from bedrot.lake.snapshot import Part, Snapshot, TableState, current, open_snapshot, write_snapshot
from bedrot.lake.zones import Lake

TABLES = ("one", "two", "three")


def write(lake: Lake, times: int) -> None:
    """Publish so many states; in each, all rows of all tables tell its number."""
    con = sql.connect(None, 1)
    for number in range(1, times + 1):
        tables = {}
        for table in TABLES:
            tmp = disk.temporary(lake.curated_path(table, "all", "new"))
            con.execute(f"COPY (SELECT {number} AS n FROM range(50)) TO {sql.text(tmp.as_posix())} (FORMAT parquet)")
            digest = hashlib.sha256(tmp.read_bytes()).hexdigest()
            final = lake.curated_path(table, "all", digest)
            disk.publish(tmp, final)
            part = Part("all", lake.relative(final), 50, digest, str(number))
            tables[table] = TableState(table, [("n", "INTEGER")], [part], "d")
        write_snapshot(lake, Snapshot(number, number - 1, tables, {}, datetime.now(UTC)))
    sys.stdout.write(f"published={times}\n")


def read(lake: Lake, times: int) -> int:
    """Read until the last state is there; how many reads mixed states or went back."""
    reads = mixed = newest = 0
    states = set()
    until = time.monotonic() + 150
    query = " UNION ALL ".join(f"SELECT n, '{table}' AS t FROM {table}" for table in TABLES)
    while newest < times and time.monotonic() < until:
        snapshot = current(lake)
        if snapshot is None:
            continue
        con = open_snapshot(lake, snapshot)
        found = con.execute(f"SELECT min(n), max(n), count(*) FROM ({query})").fetchall()[0]
        con.close()
        reads += 1
        mixed += found != (snapshot.number, snapshot.number, 50 * len(TABLES)) or snapshot.number < newest
        newest = snapshot.number
        states.add(newest)
    sys.stdout.write(f"reads={reads} mixed={mixed} states={len(states)}\n")
    return int(mixed > 0 or newest < times)


if __name__ == "__main__":
    at, count = Lake(Path(sys.argv[2])), int(sys.argv[3])
    sys.exit(read(at, count) if sys.argv[1] == "read" else write(at, count))
