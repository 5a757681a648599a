"""Curate: for each partition of a table, what is true after all that was ever delivered of it (law 4).

A pure function of the set of contents and the approvals: the order in which they are given, and what is remembered from
earlier calls, change no result. Only partitions with news cost SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import duckdb

from bedrot.contract import Merge, Table
from bedrot.walk.chains import chains
from bedrot.walk.curate_lines import curate_lines
from bedrot.walk.curate_rows import curate_rows
from bedrot.walk.curated_values import (
    Content,
    Held,
    Memo,
    PartitionState,
    Piece,
    Renaming,
    TableCurated,
    Vanished,
    Verdict,
)
from bedrot.walk.desk import Desk

__all__ = [
    "Content",
    "Held",
    "Memo",
    "PartitionState",
    "Piece",
    "Renaming",
    "TableCurated",
    "Vanished",
    "Verdict",
    "curate_table",
]


def curate_table(  # noqa: PLR0917
    con: duckdb.DuckDBPyConnection,
    table: Table,
    contents: Sequence[Content],
    approved: Callable[[str], bool],
    memo: Memo,
    merged_path: Callable[[str], Path],
) -> TableCurated:
    """The state of each partition of `table`, and what a person should know of how it came about.

    `approved` tells whether a person approved a held or vanished id; `merged_path` gives the place of a merged file by
    its key. Merged files have the staging columns, then `_scale TINYINT` (the decimals of the file that a row is from)
    and `_lacking VARCHAR` (the delivery that covered the row's dates and no longer had it).
    """
    desk = Desk(con, table, approved, memo, merged_path)
    found = chains(contents)
    if table.merge is Merge.LINES:
        for _, mine in groupby(found, key=lambda chain: chain.account):
            curate_lines(desk, list(mine))
    else:
        curate_rows(desk, found)
    desk.out.verdicts.sort(key=lambda one: (one.account, one.partition, one.delivery, one.kind))
    desk.out.held.sort(key=lambda one: (one.account, one.partition, one.id))
    desk.out.vanished.sort(key=lambda one: (one.account, one.partition, one.delivery))
    return desk.out
