"""How long curating line items takes: 1,000,000 lines in 84 partitions, again with 12 decimals, filtered, renamed.

Run it: `python benchmarks/curate.py [LINES]`. Staging files are made by the engine itself and are not counted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "walk"))
from staging_files import LINES, START, Notes

from bedrot import sql
from bedrot.walk.curate import Content, TableCurated, curate_table

PARTITIONS = 84
STORE = "'Store ' || (i // 84 % 20)"


def staged(folder: Path, day: int, lines: int, scale: int, *, store: str = STORE, only: str = "TRUE") -> list[Content]:
    """Write one delivery of `lines` lines, and say what it holds."""
    path = folder / f"d{day}-0.parquet"
    con = sql.connect(folder / "spill")
    con.execute(
        f"COPY (SELECT 'main' AS account, CAST(day AS DATE) AS reporting_date, strftime(day, '%Y-%m') AS sale_month,"
        f" {store} AS store, ['US', 'DE', 'NA', 'BR', 'JP', 'FR', 'GB', 'IN'][1 + i // 84 // 20 % 8] AS country,"
        " 'Artist ' || (track % 12) AS artist, 'Some Title ' || track AS title, 'QZABC' || (2500000 + track) AS isrc,"
        " lpad(CAST(track % 30 AS VARCHAR), 12, '0') AS upc, 'Song' AS product,"
        " CAST(hash(i) % 50 AS BIGINT) AS quantity,"
        " CAST(NULL AS VARCHAR) AS note, CAST(round(CAST(hash(i, 7) % 900000000000 AS DECIMAL(38,18))"
        f" * CAST('0.000000000001' AS DECIMAL(13,12)), {scale}) AS DECIMAL(38,18)) AS earnings,"
        f" CAST(NULL AS DECIMAL(38,18)) AS withheld, 'd{day}' AS _delivery, i + 1 AS _line, 'line ' || i AS _locator,"
        " strftime(day, '%Y-%m') AS _partition FROM (SELECT range AS i, range // 84 // 160 % 60 AS track,"
        f" DATE '2018-01-20' + to_months(CAST(range % {PARTITIONS} AS INTEGER)) AS day FROM range({lines}))"
        f" WHERE {only} ORDER BY _partition, _line) TO {sql.text(path.as_posix())} (FORMAT parquet, COMPRESSION lz4)"
    )
    rows = con.execute(
        "SELECT _partition, count(*), CAST(sum(hash(earnings, store)) AS VARCHAR)"
        f" FROM read_parquet({sql.text(path.as_posix())}) GROUP BY 1"
    ).fetchall()
    con.close()
    age = START + timedelta(days=day)
    return [
        Content(f"d{day}", "main", original=True, exported_at=age, known_at=age, partition=part, rows=count,
                digest=mark, path=path, scale=scale)
        for part, count, mark in rows
    ]  # fmt: skip


def timed(label: str, work: Callable[[], TableCurated]) -> None:
    """Print what one call costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rows, merged = 0, 0
    for state in found.states.values():
        rows += state.rows
        merged += state.pieces[0].partition is None
    print(f"{label:28s} {wall:7.2f} s ({cpu:.2f} s of processor)  rows {rows:,}  merged files {merged}")


def main(lines: int) -> None:
    """Measure the four cases, one after the other, with one memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        con, notes = sql.connect(folder / "spill"), Notes()
        known: list[Content] = []

        def curate(more: Sequence[Content]) -> TableCurated:
            known.extend(more)
            return curate_table(con, LINES, known, lambda _: False, notes, lambda key: folder / f"{key}.parquet")

        coarse, fine = staged(folder, 1, lines, 8), staged(folder, 2, lines, 12)
        timed("fresh", lambda: curate(coarse))
        timed("the same with 12 decimals", lambda: curate(fine))
        timed("nothing new", lambda: curate([]))
        half = staged(folder, 3, lines, 12, only="track < 30")
        timed("half of it, filtered", lambda: curate(half))
        store = "CASE WHEN i // 84 % 20 = 3 THEN 'Third Store' ELSE " + STORE + " END"
        renamed = staged(folder, 4, lines, 12, store=store)
        timed("a store renamed", lambda: curate(renamed))
        con.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
