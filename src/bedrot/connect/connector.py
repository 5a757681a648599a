"""What a connector is: how one source is asked for what an account may see there; values and functions only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bedrot.connect.states import State
from bedrot.connect.vault import Session
from bedrot.connect.web import Web
from bedrot.contract import Source

if TYPE_CHECKING:
    from bedrot.connect.browser import Browser


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


Keep = Callable[[str, bytes | Path, Mapping[str, str]], None]
"""Keeps a file of the pull: its name, its bytes or where they lie, and what was asked for, without secrets."""


@dataclass(frozen=True, slots=True)
class Connector:
    """How a source is asked: over HTTP with a token (`pull`), or through its pages with a browser (`browse`).

    Either asks for all that is due, gives each file to Keep, and raises NotFetched where it is not whole. `hosts` are
    all that it may reach; `version` is that of its interface; `page` the one that shows that somebody is logged in;
    `how` tells a person where the token comes from, or how to log in.
    """

    hosts: tuple[str, ...]
    kind: Literal["token", "browser"]
    how: str
    pull: Callable[[Web, Session, Task, Keep], Pulled] | None = None
    browse: Callable[[Browser, Task, Keep], Pulled] | None = None
    page: str = ""
    version: str = ""


def connector_of(source: Source) -> Connector | None:
    """The connector in the source's folder, `connect.py`; None where it cannot be asked."""
    name = f"bedrot.sources.{source.name}.connect"
    if importlib.util.find_spec(name) is None:
        return None
    found = importlib.import_module(name).CONNECTOR
    return found if isinstance(found, Connector) else None
