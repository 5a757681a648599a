"""What a connector is: how one source is asked for what an account may see there; values and functions only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bedrot.connect.memory import Stretch
from bedrot.connect.oauth import OAuth
from bedrot.connect.states import NotFetched, State
from bedrot.connect.vault import Session
from bedrot.connect.web import Web
from bedrot.contract import Source
from bedrot.errors import Misconfigured

if TYPE_CHECKING:
    from bedrot.connect.browser import Browser


@dataclass(frozen=True, slots=True)
class Task:
    """What one fetch is for: an account, up to now.

    `since` is the last day that an earlier fetch asked for, `before` when that was; None where none brought anything.
    `missing` are earlier days that the lake lacks all the same, and that the service should still show. `names` are
    those of the account's files that are in the lake; `renew` puts another secret into the vault, in place of the
    log-in's, durable when it returns: what a service gives once for all must be there before it is used.
    """

    account: str
    now: datetime
    since: date | None
    version: str
    before: datetime | None = None
    missing: tuple[Stretch, ...] = ()
    names: frozenset[str] = frozenset()
    renew: Callable[[bytes], None] = field(default=lambda _secret: None, repr=False)

    @property
    def asked_today(self) -> bool:
        """Whether an earlier fetch of this day brought all."""
        return self.before is not None and self.before.date() == self.now.date()

    def see_no_step_back(self, title: str, last: date) -> None:
        """NotFetched where a service gives days until `last`, and gave later ones before: it is an old answer."""
        if self.since is not None and last < self.since:
            raise NotFetched(
                State.UNREACHABLE,
                f"{title} gave days until {last} only, and had given them until {self.since} before.",
                "Nothing was kept; try again later.",
            )


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a whole pull was: how it stands, and the first and last day that it asked for."""

    state: State
    first: date | None = None
    last: date | None = None
    note: str = ""


def by_days(task: Task, title: str, first: date, last: date, late: timedelta) -> Pulled:
    """How it stands by the days that a service gave: no newer one, or none of late, is no data yet; else NotFetched."""
    task.see_no_step_back(title, last)
    if last == task.since or task.now.date() - last > late:
        return Pulled(State.NO_DATA, first, last, f"{title} shows no day after {last} yet.")
    return Pulled(State.PROVISIONAL, first, last)


Keep = Callable[[str, bytes | Path, Mapping[str, str]], None]
"""Keeps a file of the pull: its name, its bytes or where they lie, and what was asked for, without secrets."""


Pull = Callable[[Web, Session, Task, Keep], Pulled]
"""Asks over HTTP."""
Browse = Callable[["Browser", Task, Keep], Pulled]
"""Asks through the pages."""


@dataclass(frozen=True, slots=True)
class Connector:
    """How a source is asked: over HTTP with a token (`pull`), or through its pages with a browser (`browse`).

    Either asks for all that is due, gives each file to Keep, and raises NotFetched where it is not whole. `hosts` are
    all that it may reach; `version` is that of its interface; `page` the one that shows that somebody is logged in;
    `how` tells a person where the token comes from, or how to log in. `oauth` is where a person allows it, for a
    token that a service gives to programs only; `item` names what a page keeps in localStorage while a log-in is good.
    """

    hosts: tuple[str, ...]
    kind: Literal["token", "browser"]
    how: str
    pull: Pull | None = None
    browse: Browse | None = None
    page: str = ""
    version: str = ""
    oauth: OAuth | None = None
    item: str = ""


def connector_of(source: Source, way: str = "") -> Connector | None:
    """The connector in the source's folder, `connect.py`; None where it cannot be asked.

    The file offers CONNECTOR, or CONNECTORS by the names of the ways, the usual one first; Misconfigured for others.
    """
    name = f"bedrot.sources.{source.name}.connect"
    if importlib.util.find_spec(name) is None:
        return None
    module = importlib.import_module(name)
    offered: Mapping[str, object] = getattr(module, "CONNECTORS", None) or {"": module.CONNECTOR}
    found = offered.get(way) if way else next(iter(offered.values()))
    if found is None:
        known = " or ".join(f'"{one}"' for one in offered if one)
        where = f"[connect.{source.name}]"
        do = f"Set `way` in {where} to {known}." if known else f"Leave `way` out of {where}."
        raise Misconfigured(f"{source.title} cannot be asked in the way '{way}'.", do)
    return found if isinstance(found, Connector) else None
