"""The command that asks the services for what is due: fetch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from bedrot.commands.common import JsonOption, LakeOption, show, writing
from bedrot.commands.connect import AccountOption, account_of, known_source, open_own_vault

app = typer.Typer()


@app.command()
def fetch(
    source: Annotated[str | None, typer.Argument(help="The service; all that you logged in to, if left out.")] = None,
    account: AccountOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the services for what is due: a line each, how it stands and what to do."""
    from bedrot.connect.fetch import Fetch
    from bedrot.connect.states import State
    from bedrot.sources import find_sources

    with writing(lake) as (found, ledger, settings):
        sources = {one.name: one for one in find_sources(settings.source_folders(found.root))}
        vault = open_own_vault()
        wanted = [
            (one.source, one.account)
            for one in vault.sessions()
            if source in (None, one.source) and account in (None, one.account)
        ]
        if source is not None and not wanted:
            wanted = [(source, account_of(settings, source, account))]
        fetching = Fetch(found, ledger, settings, list(sources.values()), vault, datetime.now(UTC))
        standings = [
            fetching.account(known_source(sources, name), whose) for name, whose in wanted if name in sources or source
        ]
    rows = [
        {
            "source": one.source,
            "account": one.account,
            "state": one.state,
            "days": f"{one.first} to {one.last}" if one.first and one.last else "",
            "requests": one.requests,
            "what": one.sentence,
            "next": one.do,
        }
        for one in standings
    ]
    show(rows, as_json=as_json, empty="Nobody is logged in anywhere. Begin with: bedrot login SOURCE")
    if not all(State(one.state).good for one in standings):
        raise typer.Exit(1)
