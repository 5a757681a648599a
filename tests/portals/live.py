"""The demo label with all five services at once: its people log in, fetch, are logged out everywhere, and come back.

The portals are servers on this machine, the browser is a real one, and so are the lake, its settings, the vault and
what asks; only the clock is told.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from distrokid_portal import DistroKid
from linktree_portal import Linktree
from live_truth import truth
from meta_portal import MetaAds
from portal import Clock, Portal, Service, type_in
from pyrage import x25519
from tiktok_portal import TikTok, handle_on
from toolost_portal import TooLost

from bedrot.commands.common import writing
from bedrot.commands.connect import log_in
from bedrot.config import Settings, read_settings
from bedrot.connect.browser import Browser
from bedrot.connect.connector import Connector, connector_of
from bedrot.connect.fetch import Fetch, places_of
from bedrot.connect.states import State
from bedrot.connect.vault import Session, open_vault
from bedrot.connect.web import Limits
from bedrot.contract import Source
from bedrot.demo.ads import ACCOUNT
from bedrot.demo.given import differences
from bedrot.demo.label import Label
from bedrot.demo.story import Story
from bedrot.lake import disk
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.run import Summary, Walk, finish, run

BEGUN = datetime(2026, 3, 3, 18, tzinfo=UTC)
"""When the people log in for the first time: two days before the service of the statements sends a new one."""
ENDED, BACK = BEGUN + timedelta(days=1), BEGUN + timedelta(days=3)
"""When every log-in is over, and when the people come back."""
CODES = ("distrokid", "tiktok")
"""The services that want the code of a second factor."""
_SERVICES = {"distrokid": DistroKid, "toolost": TooLost, "metaads": MetaAds, "tiktok": TikTok, "linktree": Linktree}
_LIMITS = Limits(gap=0)
"""Those of every fetch, but nobody has to be spared on this machine."""


@dataclass(frozen=True)
class Account:
    """An account at a service, and the name under which its person logs in there."""

    source: str
    name: str
    user: str = "owner"


@dataclass(frozen=True)
class Asked:
    """What became of one fetch: how it stands, how many files came, how many requests the portals of all had."""

    standing: Standing
    files: int
    requests: int

    @property
    def place(self) -> tuple[str, str]:
        """The source and the account."""
        return self.standing.source, self.standing.account

    def __str__(self) -> str:
        one = self.standing
        counted = f"{_number(self.files, 'file')}, {_number(self.requests, 'request')}"
        said = f"fetched {one.source}, {one.account}: {one.state}; {counted}"
        return " ".join(filter(None, (f"{said}.", one.sentence, one.do)))


def accounts_of(label: Label) -> tuple[Account, ...]:
    """All accounts of the label."""
    found = [Account("distrokid", label.name), Account("toolost", label.name), Account("metaads", ACCOUNT)]
    for artist in label.artists:
        handle = handle_on(artist, BEGUN)
        found += [Account("tiktok", handle, handle), Account("linktree", artist.page, artist.page)]
    return tuple(found)


@dataclass
class Live:
    """The five portals as a context, a lake in a folder that is empty, and a vault in another one that is no lake's.

    `untrue` are sentences on what was not as it had to be, `rounds` what became of each round of fetches.
    """

    label: Label
    root: Path
    home: Path
    accounts: Sequence[Account] = ()
    window: bool = False
    clock: Clock = field(default_factory=lambda: Clock(BEGUN))
    portals: dict[str, Portal] = field(default_factory=dict)
    rounds: list[list[Asked]] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    _fetched_at: list[datetime] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.accounts = self.accounts or accounts_of(self.label)
        self.lake = Lake.create(self.root)
        self.key = str(x25519.Identity.generate())  # a passphrase takes seconds to be stretched, each time
        self.vault = open_vault(_vault_below(self.home), self.key)
        self.sources = {one.name: one for one in find_sources()}
        with ExitStack() as opening:
            for name, service in _SERVICES.items():
                made: Service = service(self.label)
                self.portals[name] = opening.enter_context(Portal(made, self.clock))
                self.portals[name].faults.second_factor = name in CODES
            disk.put_text(self.lake.config_path, self._told(), replace=True, read_only=False)
            self.settings: Settings = read_settings(self.lake.config_path)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def arrive(self) -> Iterator[str]:
        """Everybody logs in; all is fetched and walked."""
        yield from self._log_in()
        yield from self.fetch()
        yield from self._walk()

    def lose(self) -> Iterator[str]:
        """Every log-in ends at the services; they are asked once more, and by the real command not at all any more."""
        self.clock.now = ENDED
        for portal in self.portals.values():
            portal.expire()
        yield f"{ENDED:%Y-%m-%d}: every log-in has ended at the services."
        yield from self.fetch()
        self._expect(State.EXPIRED)
        before = self.requests()
        self.synced = self._sync()
        yield from (f"bedrot sync: {line}" for line in self.synced.stdout.splitlines())
        asked = self.requests() - before
        yield f"Asked again: {_number(asked, 'request')} at all portals."
        if asked:
            self.untrue.append(f"{asked} requests after every log-in had ended")

    def come_back(self) -> Iterator[str]:
        """Everybody logs in anew; what came meanwhile is fetched and walked."""
        self.clock.now = BACK
        yield f"{BACK:%Y-%m-%d}: everybody is back."
        yield from self.arrive()

    def requests(self, source: str = "") -> int:
        """What all portals have been asked so far, or one, without what browsers ask by themselves."""
        asked = [self.portals[source]] if source else self.portals.values()
        return sum(one.path != "/favicon.ico" for portal in asked for one in portal.requests)

    def _told(self) -> str:
        """The label's settings, under the names that the services show, and where the services are reached."""
        told = [Story(self.label, (), (), ()).settings().replace('"main"', json.dumps(self.label.name))]
        for name, source in self.sources.items():
            if connector := connector_of(source):
                places = (f"{json.dumps(host)} = {json.dumps(self.portals[name].url)}" for host in connector.hosts)
                told.append("\n".join([f"[connect.{name}.places]", *places, ""]))
        return "\n".join(told)

    def _asked(self, account: Account) -> tuple[Source, Connector]:
        """The account's source, and how it is asked."""
        source = self.sources[account.source]
        connector = connector_of(source)
        assert connector is not None
        return source, connector

    def _log_in(self) -> Iterator[str]:
        """The person of each account logs in as they always do, or pastes a token."""
        for one in self.accounts:
            source, connector = self._asked(one)
            if connector.kind == "token":
                kept, how = (self.portals[one.source].renew(one.user).encode(), None), "a token"
            else:
                with Browser(
                    places_of(connector, self.settings, one.source), None, _LIMITS, visible=self.window
                ) as browser:
                    kept = log_in(browser, connector, lambda browser, one=one: self._type(browser, one))  # type: ignore[misc]
                how = "name, password and code" if one.source in CODES else "name and password"
            self.vault.put(Session(one.source, one.name, connector.kind, kept[0], self.clock.now, kept[1]))
            yield f"logged in to {source.title} as {one.name} ({how})"

    def _type(self, browser: Browser, account: Account) -> None:
        """What a person types on the pages of logging in."""
        person = self.portals[account.source].people[account.user]
        code = person.code if account.source in CODES else ""
        type_in(browser.page, account.user, person.password, code)

    def fetch(self) -> Iterator[str]:
        """Each account is asked for what is due."""
        self.rounds.append([])
        for one in self.accounts:
            with Ledger(self.lake.ledger_path) as ledger:
                files, requests = len(ledger.deliveries()), self.requests()
                fetching = Fetch(
                    self.lake, ledger, self.settings, [*self.sources.values()], self.vault, self.clock.now, _LIMITS
                )
                standing = fetching.account(self.sources[one.source], one.name)
                came = Asked(standing, len(ledger.deliveries()) - files, self.requests() - requests)
            self.rounds[-1].append(came)
            yield str(came)

    def _walk(self) -> Iterator[str]:
        """All that came goes through the zones; what is published is compared with what the services showed."""
        self._expect(*(one for one in State if one.good))
        self._fetched_at.append(self.clock.now)
        with writing(self.root) as (lake, ledger, settings):
            walk = Walk(lake, ledger, settings, settings.run.workers)
            began = ledger.start_run(datetime.now(UTC))
            summary = run(walk)
            finish(walk, began, summary, datetime.now(UTC))
        self.summaries.append(summary)
        apart = self.differences()
        self.untrue += apart
        yield f"Walked: {summary.rejected} rows rejected, {summary.held} held, {summary.vanished} vanished."
        yield from apart or ["The tables hold what the services showed, row for row."]

    def differences(self) -> list[str]:
        """Where the published tables are not what the services showed at the times of the fetches."""
        snapshot = current(self.lake)
        if snapshot is None:
            return ["Nothing was published."]
        told = truth(self.label, [(one.source, one.name) for one in self.accounts], self._fetched_at)
        with open_snapshot(self.lake, snapshot) as con:
            return [said for one in told for said in differences(con, one)]

    def _expect(self, *states: State) -> None:
        """Note each account of the last round that stands otherwise than so."""
        wrong = [one for one in self.rounds[-1] if one.standing.state not in states]
        self.untrue += [f"instead of {' or '.join(states)}: {one}" for one in wrong]

    def _sync(self) -> subprocess.CompletedProcess[str]:
        """What `bedrot sync` says as a process of its own, today, with the people's vault."""
        told = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT")}
        home = dict.fromkeys(("HOME", "LOCALAPPDATA", "XDG_DATA_HOME"), str(self.home))
        return subprocess.run(
            [sys.executable, "-m", "bedrot", "sync", "--lake", str(self.root)],
            env={**told, **home, "BEDROT_VAULT_KEY": self.key},
            capture_output=True,
            text=True,
            check=False,
        )


def _vault_below(home: Path) -> Path:
    """Where the vault of somebody is whose own files are there."""
    return home / ("Library/Application Support/bedrot" if sys.platform == "darwin" else "bedrot")


def _number(count: int, what: str) -> str:
    """So many of something."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
