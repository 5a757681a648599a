"""Fetch: what is due of an account, asked for as one pull, taken through the door as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bedrot.config import Connect, Settings
from bedrot.connect.connector import Connector, Keep, Pulled, Task, connector_of
from bedrot.connect.states import NotFetched, State
from bedrot.connect.vault import Session, Vault
from bedrot.connect.web import Limits, Web
from bedrot.contract import Source
from bedrot.errors import Defect, Misconfigured
from bedrot.lake import disk
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.sealed import digest, stamp
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.found import Found

_SOON = timedelta(days=7)
"""A log-in that ends within this time is worth a word."""


@dataclass
class Fetch:
    """One fetch of one account. The caller holds the writer's lock."""

    lake: Lake
    ledger: Ledger
    settings: Settings
    sources: Sequence[Source]
    vault: Vault
    now: datetime
    limits: Limits = field(default_factory=Limits)
    _requests: int = 0

    def account(self, source: Source, account: str) -> Standing:
        """How it stands with the account after asking; noted in the ledger, whatever it is."""
        connector = connector_of(source)
        if connector is None:
            raise Misconfigured(
                f"{source.title} cannot be asked by a program.", f"Let bedrot guide you: bedrot collect {source.name}."
            )
        standings = self.ledger.standings(source.name, account)
        self._requests = 0
        asked = Standing(source.name, account, self.now, state="")
        try:
            pulled = self._pull(source, connector, account, standings)
            told = replace(asked, state=pulled.state, sentence=pulled.note, first=pulled.first, last=pulled.last)
        except NotFetched as wrong:
            after = self.now + timedelta(seconds=wrong.rest) if wrong.rest else None
            told = replace(asked, state=wrong.state, sentence=wrong.sentence, do=wrong.do, after=after)
        standing = replace(told, requests=self._requests)
        self.ledger.note_standing(standing)
        return standing

    def _pull(self, source: Source, connector: Connector, account: str, standings: Sequence[Standing]) -> Pulled:
        """Ask for what is due and take it in; NotFetched, without any request where one would be of no use."""
        session = self._session(source, account, standings)
        good = [one for one in standings if State(one.state).good and one.last]
        version = self.settings.connect.get(source.name, Connect()).version
        task = Task(account, self.now, good[-1].last if good else None, version or connector.version)
        disk.make_folder(self.lake.work)
        with tempfile.TemporaryDirectory(prefix="pull-", dir=self.lake.work) as folder:
            pieces: list[tuple[Path, Mapping[str, str]]] = []

            def keep(name: str, body: bytes | Path, asked: Mapping[str, str]) -> None:
                place = Path(folder) / str(len(pieces))
                disk.make_folder(place)
                if isinstance(body, Path):
                    shutil.copyfile(body, place / name)
                else:
                    (place / name).write_bytes(body)
                pieces.append((place / name, asked))

            pulled = self._asked(connector, places_of(connector, self.settings, source.name), session, task, keep)
            self._take(source, account, pieces)
        if session.until is not None and session.until - self.now < _SOON:
            note = f"The log-in ends on {session.until:%Y-%m-%d}: bedrot login {source.name} --account {account}."
            return Pulled(State.EXPIRING, pulled.first, pulled.last, note)
        return pulled

    def _asked(
        self, connector: Connector, places: Mapping[str, str], session: Session, task: Task, keep: Keep
    ) -> Pulled:
        """What the connector gets, in the way that it asks; what was sent is counted, however it ends."""
        if connector.pull is not None:
            with Web(places, self.limits) as web:
                try:
                    return connector.pull(web, session, task, keep)
                finally:
                    self._requests = web.requests
        if connector.browse is None:
            raise Defect("The connector says no way of asking.", "Report it.")
        from bedrot.connect.browser import Browser  # noqa: PLC0415  a fetch over HTTP needs no browser installed

        with Browser(places, session.secret, self.limits) as browser:
            try:
                return connector.browse(browser, task, keep)
            finally:
                self._requests = browser.requests

    def _session(self, source: Source, account: str, standings: Sequence[Standing]) -> Session:
        """The log-in of the account; NotFetched where there is none, or where asking with it was refused already."""
        log_in = f"Log in: bedrot login {source.name} --account {account}."
        session = self.vault.get(source.name, account)
        if session is None:
            raise NotFetched(State.EXPIRED, f"Nobody is logged in to {source.title} as {account}.", log_in)
        last = next((one for one in reversed(standings) if one.requests), None)
        if last is None:
            return session
        state = State(last.state)
        if state.locked and session.since <= last.at:
            raise NotFetched(state, last.sentence, last.do or log_in)
        if state is State.THROTTLED and last.after is not None and self.now < last.after:
            raise NotFetched(state, last.sentence, last.do, rest=int((last.after - self.now).total_seconds()))
        return session

    def _take(self, source: Source, account: str, pieces: Sequence[tuple[Path, Mapping[str, str]]]) -> None:
        """Bring the files of a pull into raw; NotFetched where one is not as it should be: then none is walked."""
        batch = f"{stamp(self.now)}-{source.name}-{digest({'account': account})[:8]}/{len(pieces)}"
        accounts = {one.name: self.settings.accounts_of(one.name) for one in self.sources}
        for path, asked in pieces:
            told = Told(account, self.now, batch=batch, window=asked)
            door = Door(self.lake, self.ledger, self.sources, accounts, told, self.now)
            for outcome in door.offer_found(Found(path, path.name)):
                if outcome.verdict not in ("accepted", "repeat"):
                    raise NotFetched(
                        State.CHANGED,
                        f"An answer is not what it used to be ({outcome.name}: {outcome.sentence})",
                        f"Nothing of this fetch is used. Until this is mended: bedrot collect {source.name}.",
                    )


def places_of(connector: Connector, settings: Settings, source: str) -> dict[str, str]:
    """Where each host of a connector is reached: itself, or where the settings say."""
    told = settings.connect.get(source, Connect()).places
    return {host: told.get(host, f"https://{host}") for host in connector.hosts}
