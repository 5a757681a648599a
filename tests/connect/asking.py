"""A lake that asks a stand-in portal, for tests: a real server on a real socket, a real vault, the real fetch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from browsing import state_of
from portal import Portal, type_in
from pyrage import x25519

from bedrot.commands.connect import log_in
from bedrot.config import AccountRule, Connect, Settings
from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector, connector_of
from bedrot.connect.fetch import Fetch
from bedrot.connect.vault import Session, Vault, open_vault
from bedrot.connect.web import Limits
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.run import Summary, Walk, run

QUICK = Limits(seconds=6, tries=3, gap=0, patience=2, poll=0.1)
KEY = str(x25519.Identity.generate())
"""An identity: a passphrase takes seconds to be stretched, each time."""


@dataclass
class Asking:
    """A lake with a vault, and where the hosts of a source are reached."""

    root: Path
    source: str
    account: str
    url: str
    limits: Limits = QUICK
    lake: Lake = field(init=False)
    vault: Vault = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.root / "lake")
        self.vault = open_vault(self.root / "vault", KEY)
        self.found = next(one for one in find_sources() if one.name == self.source)

    @property
    def settings(self) -> Settings:
        connector = connector_of(self.found)
        assert connector is not None
        places = dict.fromkeys(connector.hosts, self.url)
        return Settings(
            account=(AccountRule(self.source, self.account),), connect={self.source: Connect(places=places)}
        )

    def log_in(self, secret: str, at: datetime, until: timedelta | None = None) -> None:
        self.vault.put(Session(self.source, self.account, "token", secret.encode(), at, at + until if until else None))

    def person(self, portal: Portal, at: datetime, user: str = "owner", code: str = "") -> None:
        """A person logs in, in a browser, as they always do."""
        connector = connector_of(self.found)
        assert connector is not None
        self.vault.put(session_of(connector, self.source, self.account, portal, at=at, user=user, code=code))

    def cookie(self, portal: Portal, at: datetime, user: str = "owner") -> None:
        """The same log-in without a window."""
        state = state_of(portal, user)
        assert json.loads(state)["cookies"]
        self.vault.put(Session(self.source, self.account, "browser", state, at, at + timedelta(days=30)))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the published tables answer; nothing where nothing is published."""
        snapshot = current(self.lake)
        if snapshot is None:
            return []
        with open_snapshot(self.lake, snapshot) as con:
            return con.execute(query).fetchall()

    def fetch(self, now: datetime) -> Standing:
        with Ledger(self.lake.ledger_path) as ledger:
            fetch = Fetch(self.lake, ledger, self.settings, find_sources(), self.vault, now, self.limits)
            return fetch.account(self.found, self.account)

    def walk(self, now: datetime) -> Summary:
        with Ledger(self.lake.ledger_path) as ledger:
            return run(Walk(self.lake, ledger, self.settings), now)


def session_of(
    connector: Connector, source: str, account: str, portal: Portal, *, at: datetime, user: str, code: str = ""
) -> Session:
    """The log-in that a person makes in a browser."""

    def act(browser: Browser) -> None:
        type_in(browser.page, user, portal.people[user].password, code)

    with Browser(dict.fromkeys(connector.hosts, portal.url), None, Limits(seconds=40)) as browser:
        state, until = log_in(browser, connector, act)
    return Session(source, account, "browser", state, at, until)
