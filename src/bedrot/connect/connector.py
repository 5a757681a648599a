"""What a connector is: how one source is asked for what an account may see there; values and functions only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from bedrot.connect.states import State
from bedrot.connect.vault import Session
from bedrot.connect.web import Web
from bedrot.contract import Source


@dataclass(frozen=True, slots=True)
class Task:
    """What one fetch is for: an account, up to now; `since` is the last day that an earlier fetch asked for."""

    account: str
    now: datetime
    since: date | None
    version: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a whole pull was: how it stands, and the first and last day that it asked for."""

    state: State
    first: date | None = None
    last: date | None = None
    note: str = ""


Keep = Callable[[str, bytes, Mapping[str, str]], None]
"""Keeps a file of the pull: its name, its bytes, and what was asked for, without secrets."""


@dataclass(frozen=True, slots=True)
class Connector:
    """How a source is asked. `hosts` are all that it may reach; `version` that of its interface, where it has one.

    `pull` asks for all that is due, gives each file to Keep, and raises NotFetched where it is not whole. `how` tells
    a person where the token comes from, or what to do to log in.
    """

    hosts: tuple[str, ...]
    kind: str
    how: str
    pull: Callable[[Web, Session, Task, Keep], Pulled]
    version: str = ""


def connector_of(source: Source) -> Connector | None:
    """The connector in the source's folder, `connect.py`; None where it cannot be asked."""
    name = f"bedrot.sources.{source.name}.connect"
    if importlib.util.find_spec(name) is None:
        return None
    found = importlib.import_module(name).CONNECTOR
    return found if isinstance(found, Connector) else None
