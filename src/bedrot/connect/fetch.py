"""Fetch: what is due of an account, asked for as one pull, taken through the door as a whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bedrot.config import Connect, Settings
from bedrot.connect.alone import alone, emptied
from bedrot.connect.capture import Capture, secrets_of
from bedrot.connect.connector import Browse, Connector, Keep, Pull, Pulled, Task, connector_of
from bedrot.connect.discreet import Discreet
from bedrot.connect.order import Turn, look, pull_name
from bedrot.connect.states import NotFetched, State, command
from bedrot.connect.vault import Session, Vault
from bedrot.connect.web import Limits, Web
from bedrot.contract import Source
from bedrot.errors import STUMBLES, Defect, Misconfigured
from bedrot.lake import disk
from bedrot.lake.ledger import Ledger, Standing
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake
from bedrot.log import Kind, note, silence
from bedrot.walk.accept import Door, Outcome, Told
from bedrot.walk.found import Found

if TYPE_CHECKING:
    from bedrot.connect.browser import Browser

_SOON = timedelta(days=7)
"""A log-in that ends within this time, or within a third of its whole time, is worth a word."""
_A_WALK = 1800.0
"""Seconds that others may write to the lake, before what came is given up."""


Piece = tuple[Path, Mapping[str, str]]
"""A file of a pull, and what was asked for it."""
Pieces = list[Piece]


@dataclass
class Fetch:
    """One fetch after another. While a service is asked, others write to the lake: the writer's lock is taken after.

    Nobody who fetches holds that lock. One process at a time asks a source.
    """

    lake: Lake
    ledger: Ledger
    settings: Settings
    sources: Sequence[Source]
    vault: Vault
    now: datetime
    limits: Limits = field(default_factory=Limits)
    _requests: int = 0
    _capture: Capture | None = None

    def account(self, source: Source, account: str) -> Standing:
        """How it stands with the account after asking; noted in the ledger, whatever it is. Busy where others ask.

        What the log-in itself tells, that it ends soon, is said and not noted: it is so until a person logs in again.
        """
        connector = connector_of(source, self.settings.connect.get(source.name, Connect()).way)
        if connector is None:
            raise Misconfigured(
                f"{source.title} cannot be asked by a program.", f"Let bedrot guide you: bedrot collect {source.name}."
            )
        self._requests = 0
        disk.make_folder(self.lake.pulls)
        with alone(source.name, source.title, (self.vault.folder, self.lake.pulls), self.limits.patience):
            folder = emptied(self.lake.pulls / source.name)
            try:
                pieces: Pieces = []
                found = self._tried(source, connector, account, folder, pieces)
                return self._ending(self._noted(source, account, found, pieces))
            finally:
                emptied(folder)

    def idle(self, source: Source, turn: Turn) -> Standing:
        """How it stands with an account of which nothing is due: nobody is asked, and nothing noted."""
        if self.vault.get(source.name, turn.account) is None or not turn.believed:
            return self.account(source, turn.account)
        last = turn.believed[-1]
        sentence = f"Nothing is due: it was asked on {last.at:%Y-%m-%d at %H:%M} UTC."
        return self._ending(Standing(source.name, turn.account, self.now, last.state, sentence))

    def _ending(self, standing: Standing) -> Standing:
        """The same, and where it is good that the log-in ends soon."""
        session = self.vault.get(standing.source, standing.account)
        if not State(standing.state).good or session is None or session.until is None:
            return standing
        if session.until - self.now >= min(_SOON, (session.until - session.since) / 3):
            return standing
        word = "ends" if session.until > self.now else "ended"
        return replace(
            standing,
            state=State.EXPIRING if standing.state != State.NO_DATA else standing.state,
            sentence=f"{standing.sentence} The log-in {word} on {session.until:%Y-%m-%d}.".strip(),
            do=f"Log in again: {command('login', session.source, session.account)}.",
        )

    def _noted(self, source: Source, account: str, found: Pulled | NotFetched, pieces: Pieces) -> Standing:
        """Take in what came, and note how it stands, as the lake's one writer.

        The ledger is opened anew: it may have been made anew while the service was asked.
        """
        with writer_lock(self.lake, _A_WALK), Ledger(self.lake.ledger_path) as ledger:
            if isinstance(found, Pulled):
                try:
                    self._take(ledger, source, account, pieces)
                except NotFetched as wrong:
                    found = wrong
            standing = Standing(source.name, account, self.now, found.state, requests=self._requests)
            if isinstance(found, Pulled):
                standing = replace(standing, sentence=found.note, first=found.first, last=found.last)
            else:
                after = self.now + timedelta(seconds=found.rest) if found.rest else None
                standing = replace(standing, sentence=found.sentence, do=found.do, after=after)
            ledger.note_standing(standing)
        whose = {"source": source.name, "account": account}
        told = {"sentence": standing.sentence, "next": standing.do, "requests": standing.requests}
        note(Kind.EXTRACTION, standing.state, **whose, **told, files=len(pieces))
        return standing

    def _tried(
        self, source: Source, connector: Connector, account: str, folder: Path, pieces: Pieces
    ) -> Pulled | NotFetched:
        """What a pull was, or why it is none."""
        self._capture = None
        try:
            return self._pull(source, connector, account, folder, pieces)
        except NotFetched as wrong:
            if wrong.state.locked and "bedrot login" not in wrong.do:
                do = f"{wrong.do.removesuffix('.')}: {command('login', source.name, account)}."
                return NotFetched(wrong.state, wrong.sentence, do)
            if self._capture is None:
                return wrong
            path = self._capture.write(self.lake.captures, source.name, self.now)
            kept = f"Send with a report how it looked, without names and secrets: {self.lake.relative(path)}."
            by_hand = f"Until it is mended: bedrot collect {source.name}."
            return NotFetched(wrong.state, wrong.sentence, f"{wrong.do} {kept} {by_hand}".strip(), rest=wrong.rest)

    def _pull(self, source: Source, connector: Connector, account: str, folder: Path, pieces: Pieces) -> Pulled:
        """Ask for what is due; NotFetched, without any request where one would be of no use."""
        standings = self.ledger.standings(source.name, account)
        session = self._session(source, account, standings)
        if session.kind != connector.kind:
            raise NotFetched(State.EXPIRED, f"The log-in is for another way of asking {source.title}.", "Log in again.")
        task = replace(self._task(source, connector, account, standings), renew=partial(self._renew, session))

        def keep(name: str, body: bytes | Path, asked: Mapping[str, str]) -> None:
            place = folder / str(len(pieces))
            disk.make_folder(place)
            if isinstance(body, Path):
                shutil.copyfile(body, place / name)
            else:
                (place / name).write_bytes(body)
            pieces.append((place / name, asked))

        return self._asked(connector, places_of(connector, self.settings, source.name), session, task, keep)

    def _renew(self, session: Session, secret: bytes) -> None:
        """Put another secret in the place of a log-in's, unless the person logged in anew or out meanwhile.

        Since when it is kept stays: after a refusal only a person's own log-in is asked with again.
        """
        kept = self.vault.get(session.source, session.account)
        if kept is not None and kept.since == session.since:
            self.vault.put(replace(session, secret=secret))

    def _task(self, source: Source, connector: Connector, account: str, standings: Sequence[Standing]) -> Task:
        """What to ask for: since the last pull that brought anything, and what is missing of earlier days."""
        turn = look(self.lake, self.ledger, [source]).turn(
            source, account, standings, self.now, self.settings.remembers
        )
        brought = [one for one in turn.believed if one.state != State.NO_DATA]
        version = self.settings.connect.get(source.name, Connect()).version or connector.version
        came = self.ledger.whole_deliveries()
        names = frozenset(one.name for one in came if (one.source, one.account) == (source.name, account))
        if not brought:
            return Task(account, self.now, None, version, names=names)
        return Task(account, self.now, brought[-1].last, version, brought[-1].at, turn.missing, names)

    def _asked(
        self, connector: Connector, places: Mapping[str, str], session: Session, task: Task, keep: Keep
    ) -> Pulled:
        """What the connector gets, in the way that it asks; NotFetched also where it stumbles over an answer."""
        try:
            with Discreet(secrets_of(session.secret)):
                if connector.pull is not None:
                    return self._pulled(connector.pull, Web(places, self.limits), session, task, keep)
                if connector.browse is not None:
                    return self._browsed(connector.browse, places, session, task, keep)
        except STUMBLES as stumble:
            raise NotFetched(
                State.CHANGED,
                f"The program stumbled over an answer ({type(stumble).__name__}); nothing of this fetch is used.",
            ) from stumble
        raise Defect("The connector says no way of asking.", "Report it.")

    def _pulled(self, pull: Pull, web: Web, session: Session, task: Task, keep: Keep) -> Pulled:
        """The same over HTTP."""
        with web, self._watched(web, session, lambda seen: seen.web(web)):
            return pull(web, session, task, keep)

    def _browsed(self, browse: Browse, places: Mapping[str, str], session: Session, task: Task, keep: Keep) -> Pulled:
        """The same in a browser, which may itself fail."""
        from playwright.sync_api import Error  # noqa: PLC0415  a fetch over HTTP needs no browser installed

        from bedrot.connect.browser import Browser  # noqa: PLC0415  the same

        try:
            with (
                Browser(places, session.secret, self.limits) as browser,
                self._watched(browser, session, lambda seen: seen.browser(browser)),
            ):
                pulled = browse(browser, task, keep)
                task.renew(browser.kept())  # pages renew what they keep while they are used
                return pulled
        except Error as failed:
            raise NotFetched(State.UNREACHABLE, "The browser failed while it was used.", "Try again later.") from failed

    @contextmanager
    def _watched(self, way: Web | Browser, session: Session, look: Callable[[Capture], None]) -> Iterator[None]:
        """Count what is sent, however it ends; where the service has changed, `look` at what came."""
        try:
            yield
        except (NotFetched, *STUMBLES) as wrong:
            if not isinstance(wrong, NotFetched) or wrong.state is State.CHANGED:
                self._capture = Capture([session.account, *secrets_of(session.secret)])
                look(self._capture)
            raise
        finally:
            self._requests = way.requests

    def _session(self, source: Source, account: str, standings: Sequence[Standing]) -> Session:
        """The log-in of the account; NotFetched where there is none, or where asking with it was refused already."""
        session = self.vault.get(source.name, account)
        if session is None:
            raise NotFetched(State.EXPIRED, f"Nobody is logged in to {source.title} as {account}.", "Log in.")
        last = next((one for one in reversed(standings) if one.requests), None)
        if last is None:
            return session
        state = State(last.state)
        if state.locked and session.since <= last.at:
            raise NotFetched(state, last.sentence, last.do)
        if state is State.THROTTLED and last.after is not None and self.now < last.after:
            raise NotFetched(state, last.sentence, last.do, rest=int((last.after - self.now).total_seconds()))
        return session

    def _take(self, ledger: Ledger, source: Source, account: str, pieces: Pieces) -> None:
        """Bring the files of a pull into raw; NotFetched where one is not as it should be: then none is taken.

        How many deliveries they make stands in the name of the pull, which is whole when so many are there. A zip makes
        several, what came before makes none: so all is rehearsed with an empty lake.
        """
        made: set[str] = set()
        empty = Lake(self.lake.pulls / source.name / "rehearsal")
        with Ledger(empty.ledger_path) as blank:
            for piece in pieces:
                with silence():
                    outcomes = self._offer(empty, blank, account, piece)
                wrong = next((one for one in outcomes if one.needs_person), None)
                if wrong is not None:
                    self._offer(self.lake, ledger, account, piece)
                    raise NotFetched(
                        State.CHANGED,
                        f"An answer is not what it used to be ({wrong.name}: {wrong.sentence})",
                        f"Nothing of this fetch is used. Until this is mended: bedrot collect {source.name}.",
                    )
                made |= {one.delivery for one in outcomes if one.delivery}
        new = sum(ledger.delivery(one) is None for one in made)
        for piece in pieces:
            self._offer(self.lake, ledger, account, piece, f"{pull_name(source.name, account, self.now)}/{new}")

    def _offer(self, lake: Lake, ledger: Ledger, account: str, piece: Piece, batch: str = "") -> list[Outcome]:
        """What becomes of a file of a pull at the door of a lake."""
        path, asked = piece
        accounts = {one.name: self.settings.accounts_of(one.name) for one in self.sources}
        door = Door(lake, ledger, self.sources, accounts, Told(account, self.now, batch=batch, window=asked), self.now)
        outcomes = list(door.offer_found(Found(path, path.name)))
        door.keep_sightings()
        return outcomes


def places_of(connector: Connector, settings: Settings, source: str) -> dict[str, str]:
    """Where each host of a connector is reached: itself, or where the settings say."""
    told = settings.connect.get(source, Connect()).places
    return {host: told.get(host, f"https://{host}") for host in connector.hosts}
