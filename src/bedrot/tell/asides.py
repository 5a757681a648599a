"""What is not in the tables as it was told: rows set aside, things held, lines that vanished from newer files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from bedrot import sql
from bedrot.contract import Table
from bedrot.errors import Misconfigured
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import Ledger, Staged
from bedrot.lake.zones import Lake
from bedrot.walk.findings import Finding, Findings


@dataclass(frozen=True)
class Facts:
    """What the ledger says, gathered for telling: deliveries that count, what is staged of them, approved ids.

    `account` is by delivery, as last reassigned.
    """

    deliveries: Mapping[str, Delivery]
    account: Mapping[str, str]
    staged: Sequence[Staged]
    approved: frozenset[str]


def gather(ledger: Ledger) -> Facts:
    """The facts of a ledger; retracted deliveries are left out."""
    decisions = ledger.decisions()
    deliveries = {one.id: one for one in ledger.deliveries() if not decisions.retracted(one.id)}
    return Facts(
        deliveries=deliveries,
        account={one.id: decisions.account_of(one) for one in deliveries.values()},
        staged=[one for one in ledger.staged() if one.delivery in deliveries],
        approved=frozenset(one.target for one in decisions if one.kind == "approve"),
    )


def rejects(lake: Lake, facts: Facts, table: str | None = None) -> list[dict[str, Any]]:
    """Every row that was set aside: where it stood, which field, why, its text, and of which file.

    Misconfigured where nothing was ever staged under that name of a table.
    """
    staged = [one for one in facts.staged if _is(table, one.table)]
    _know(table, [one.table for one in facts.staged])
    found: list[dict[str, Any]] = []
    con = sql.connect(None)
    try:
        for one in sorted(staged, key=lambda one: (one.table, facts.deliveries[one.delivery].name, one.delivery)):
            if not one.rejects_path:
                continue
            path = sql.files([lake.absolute(one.rejects_path)])
            rows = con.execute(
                f"SELECT _locator, reason, text FROM read_parquet({path}, hive_partitioning = false) ORDER BY _line"
            ).fetchall()
            found += [_reject(one, facts, *row) for row in rows]
    finally:
        con.close()
    return found


def _reject(staged: Staged, facts: Facts, locator: str, reason: str, text: str) -> dict[str, Any]:
    """One row that was set aside."""
    return {
        "table": staged.table,
        "account": facts.account[staged.delivery],
        "file": facts.deliveries[staged.delivery].name,
        "line": locator,
        "field": _field(reason),
        "reason": reason,
        "text": text,
        "delivery": staged.delivery,
    }


def _field(reason: str) -> str | None:
    """The field that a reason speaks of: `earnings: '1,31' is not…` and `store is blank`; None where it is the row."""
    head, colon, _ = reason.partition(": ")
    if colon and head.isidentifier():
        return head
    name, blank, rest = reason.partition(" is blank")
    return name if blank and not rest and name.isidentifier() else None


def held(
    lake: Lake, con: duckdb.DuckDBPyConnection, findings: Findings, facts: Facts, tables: Mapping[str, Table]
) -> list[dict[str, Any]]:
    """Everything that is held, with the id to approve, what is published and what the file says instead.

    `con` is an engine over the published state; `tables` are the contracts by name. `approved` is true where the next
    run will let it through; `published` and `told` are empty where no single key is held.
    """
    return [
        {
            "id": one["id"],
            "table": one["table"],
            "account": one["account"],
            "partition": one["partition"],
            "kind": one["kind"],
            "what": one["what"],
            **_sides(lake, con, one, facts, tables),
            "money": _money(one, findings),
            "file": _file(one, facts),
            "delivery": one["delivery"],
            "detail": one["detail"],
            "approved": one["id"] in facts.approved,
        }
        for one in findings.held
    ]


def vanished(findings: Findings, facts: Facts, table: str | None = None) -> list[dict[str, Any]]:
    """Lines that are kept although a newer file lacks them, with their money and the id that removes them.

    Misconfigured where no finding and no delivery is of a table of that name.
    """
    _know(table, [*(one["table"] for one in findings.vanished), *(one.table for one in facts.staged)])
    return [
        {
            "id": one["id"],
            "table": one["table"],
            "account": one["account"],
            "partition": one["partition"],
            "lines": one["lines"],
            "money": {column: amount for column, amount in one["money"].items() if amount is not None},
            "what": one["what"],
            "file": _file(one, facts),
            "delivery": one["delivery"],
            "approved": one["id"] in facts.approved,
        }
        for one in findings.vanished
        if _is(table, one["table"])
    ]


def _sides(
    lake: Lake, con: duckdb.DuckDBPyConnection, one: Finding, facts: Facts, tables: Mapping[str, Table]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of a held key as published, and as the file tells them: the columns that are not of the key."""
    table, key = tables.get(one["table"]), one["detail"]
    if table is None or not key or not set(key) <= set(table.key):
        return {"published": [], "told": []}
    columns = [field.name for field in table.fields if field.name not in table.key]
    files = [
        lake.absolute(each.path)
        for each in facts.staged
        if (each.delivery, each.table) == (one["delivery"], table.name)
    ]
    places = {"published": f"staging.{sql.name(table.name)}"}
    if files:
        places["told"] = f"read_parquet({sql.files(files)}, hive_partitioning = false)"
    # Keys are held as texts in their compared form, so texts are compared without regard to case and spaces.
    same = " AND ".join(f"{_plain(sql.name(name))} = {_plain('$' + str(n))}" for n, name in enumerate(key, start=3))
    rows = {
        side: con.execute(
            f"SELECT {sql.names(columns)} FROM {place} WHERE account = $1 AND _partition = $2 AND {same} ORDER BY ALL",
            [one["account"], one["partition"], *key.values()],
        ).fetchall()
        for side, place in places.items()
    }
    return {
        side: [dict(zip(columns, row, strict=True)) for row in rows.get(side, [])] for side in ("published", "told")
    }


def _plain(value: str) -> str:
    """SQL of a value as text without regard to case and spaces; a blank is an empty text."""
    return f"coalesce(lower(trim(regexp_replace(CAST({value} AS VARCHAR), '\\s+', ' ', 'g'))), '')"


def _money(one: Finding, findings: Findings) -> dict[str, dict[str, str]]:
    """The money of the partition that a held thing is in: as published now, and where that was before the delivery."""
    told = (
        verdict["money"]
        for verdict in findings.verdicts
        if all(verdict[name] == one[name] for name in ("table", "account", "partition", "delivery"))
    )
    return {column: {"before": was, "published": now} for money in told for column, (was, now) in sorted(money.items())}


def _file(one: Finding, facts: Facts) -> str:
    """The name of the file that said it; blank where it was retracted since."""
    delivery = facts.deliveries.get(one["delivery"])
    return delivery.name if delivery else ""


def _is(told: str | None, table: str) -> bool:
    """Whether a table is the one that a person named, with or without `staging.` in front."""
    return told is None or told.removeprefix("staging.") == table


def _know(told: str | None, tables: Sequence[str]) -> None:
    """Nothing where some table is the one named; Misconfigured with those that there are where none is."""
    if told is not None and not any(_is(told, one) for one in tables):
        there = ", ".join(sorted(set(tables))) or "none yet"
        raise Misconfigured(f"No file was ever read into a table '{told}'.", f"Tables with files are: {there}.")


def matching(told: str, ids: Sequence[str]) -> Iterator[str]:
    """The ids that a person may mean: the one that it is, else those that begin so (from four characters on)."""
    if told in ids:
        yield told
    elif len(told) >= 4:
        yield from (one for one in sorted(set(ids)) if one.startswith(told))
