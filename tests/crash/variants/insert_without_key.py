"""Deliveries are inserted into a table without a key."""

from __future__ import annotations

from typing import Any

from bedrot.lake import database
from bedrot.lake.deliveries import Delivery, delivery_as_json
from bedrot.lake.ledger import Ledger
from bedrot.lake.sealed import canonical

_prepare = database.Database._prepare


def prepare(self: Any) -> None:
    """Take the key away."""
    _prepare(self)
    self._run("CREATE TABLE IF NOT EXISTS keyless (id TEXT, value TEXT)")
    if self._all("SELECT 1 FROM sqlite_master WHERE name = 'deliveries' AND sql LIKE '%PRIMARY KEY%'"):
        self._run("INSERT INTO keyless SELECT * FROM deliveries")
        self._run("DROP TABLE deliveries")
        self._run("ALTER TABLE keyless RENAME TO deliveries")


def add_delivery(self: Any, delivery: Delivery) -> None:
    """INSERT and no more; the next command does not look whether it is there."""
    self._run("INSERT INTO deliveries VALUES (?, ?)", (delivery.id, canonical(delivery_as_json(delivery))))


database.Database._prepare = prepare
Ledger.add_delivery = add_delivery
Ledger.delivery = lambda self, delivery: None
