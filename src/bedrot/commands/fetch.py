"""The command that asks the services for what is due: fetch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bedrot.commands.common import JsonOption, LakeOption, disk_refusals, opened, show
from bedrot.commands.connect import AccountOption, account_of, known_source, open_own_vault
from bedrot.commands.due import SOON
from bedrot.errors import BedrotError, Busy, Damaged, StorageFailed

if TYPE_CHECKING:
    from bedrot.config import Settings
    from bedrot.connect.fetch import Fetch
    from bedrot.connect.order import Turn
    from bedrot.connect.vault import Vault
    from bedrot.contract import Source
    from bedrot.lake.ledger import Ledger, Standing
    from bedrot.lake.zones import Lake

app = typer.Typer()


@dataclass(frozen=True)
class Told:
    """How it stands with an account after its turn, and whether somebody has to act."""

    source: str
    account: str
    state: str
    sentence: str = ""
    do: str = ""
    days: str = ""
    requests: int = 0
    good: bool = False
    needs_person: bool = False

    def row(self) -> dict[str, Any]:
        """The same as a line of the command's output."""
        names = {"source": "source", "account": "account", "state": "state", "days": "days", "requests": "requests"}
        return {**{name: getattr(self, of) for name, of in names.items()}, "what": self.sentence, "next": self.do}


@app.command()
def fetch(
    source: Annotated[str | None, typer.Argument(help="The service; all that you logged in to, if left out.")] = None,
    account: AccountOption = None,
    due: Annotated[
        bool, typer.Option("--due", help="Ask only where something is due; what is lost first, first.")
    ] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the services for what is due: a line each, how it stands and what to do."""
    with opened(lake) as (found, ledger, settings), disk_refusals(found):
        asking = Asking.of(found, ledger, settings, open_own_vault())
        wanted = asking.logged_in(source, account)
        if source is not None and not wanted:
            known_source(asking.sources, source)
            wanted = [(source, account_of(settings, source, account))]
        told = list(asking.ask(wanted, only_due=due, raising=len(wanted) == 1))
    show(
        [one.row() for one in told],
        as_json=as_json,
        empty="Nobody is logged in anywhere. Begin with: bedrot login SOURCE",
    )
    if not all(one.good for one in told):
        raise typer.Exit(1)


@dataclass
class Asking:
    """Accounts asked one after the other, so that what goes wrong with one stops no other."""

    lake: Lake
    ledger: Ledger
    settings: Settings
    sources: dict[str, Source]
    vault: Vault | None
    now: datetime

    @classmethod
    def of(cls, lake: Lake, ledger: Ledger, settings: Settings, vault: Vault | None) -> Asking:
        """Asking now, all the sources that the settings know; without a vault nobody is logged in anywhere."""
        from bedrot.sources import find_sources

        sources = {one.name: one for one in find_sources(settings.source_folders(lake.root))}
        return cls(lake, ledger, settings, sources, vault, datetime.now(UTC))

    def logged_in(self, source: str | None = None, account: str | None = None) -> list[tuple[str, str]]:
        """The sources and accounts that there are log-ins for, all or those that are meant."""
        return [
            (one.source, one.account)
            for one in (self.vault.sessions() if self.vault else ())
            if source in (None, one.source) and account in (None, one.account) and one.source in self.sources
        ]

    def ask(self, wanted: Sequence[tuple[str, str]], *, only_due: bool, raising: bool = False) -> Iterator[Told]:
        """Ask for accounts, or where something is due only, those first that lose something first.

        What goes wrong with one is told in its place, or raised.
        """
        from bedrot.connect.fetch import Fetch
        from bedrot.connect.order import turns

        sources = list(self.sources.values())
        found = turns(self.lake, self.ledger, sources, wanted, now=self.now, rules=self.settings.remembers)
        if not only_due:
            found.sort(key=lambda one: wanted.index((one.source, one.account)))
        if self.vault is None:
            return
        fetching = Fetch(self.lake, self.ledger, self.settings, sources, self.vault, self.now)
        for turn in found:
            try:
                yield self._told(self._asked(fetching, turn, only_due=only_due), turn)
            except (StorageFailed, Damaged):
                raise
            except BedrotError as wrong:
                if raising:
                    raise
                yield _failed(wrong, turn)

    def _asked(self, fetching: Fetch, turn: Turn, *, only_due: bool) -> Standing:
        """How it stands after the turn."""
        source = self.sources[turn.source]
        if only_due and not turn.due:
            return fetching.idle(source, turn)
        return fetching.account(source, turn.account)

    def _told(self, standing: Standing, turn: Turn) -> Told:
        """The same for a person, who must act where nothing else helps, or where days would be lost meanwhile."""
        from bedrot.connect.states import State

        state = State(standing.state)
        pressing = not turn.begun or (turn.gone_at is not None and turn.gone_at - self.now < timedelta(days=SOON))
        return Told(
            standing.source,
            standing.account,
            state,
            standing.sentence,
            standing.do,
            f"{standing.first} to {standing.last}" if standing.first and standing.last else "",
            standing.requests,
            good=state.good,
            needs_person=state.needs_person or (bool(standing.do) if state.good else pressing),
        )


def _failed(wrong: BedrotError, turn: Turn) -> Told:
    """An account that could not be asked at all; somebody else who asks it is waited for by the next time."""
    busy = isinstance(wrong, Busy)
    state = "busy" if busy else wrong.verdict
    return Told(turn.source, turn.account, state, wrong.sentence, wrong.do, needs_person=not busy)
