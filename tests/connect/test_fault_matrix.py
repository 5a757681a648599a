"""Every fault of the stand-ins meets every connector: it ends in a state that is said, and what was known stays so.

Each lake of the table has fetched and walked once before. What a fault does to a first fetch, and how a log-in that
ends at any request leaves nothing, the tests of each connector try. The short run draws some cells (BEDROT_SEED).
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import distrokid_portal
import httpx
import pytest
import toolost_portal
from asking import Asking
from browsing import client, state_of
from linktree_portal import Linktree
from meta_portal import MetaAds
from portal import Clock, Faults, Portal, Service
from tiktok_portal import TikTok
from toolost_api_portal import TooLostApi
from vault_looks import traced_below

from bedrot.commands.connect import allow
from bedrot.config import AccountRule, Connect, Settings
from bedrot.connect.connector import Connector, connector_of
from bedrot.connect.states import State
from bedrot.connect.vault import Session
from bedrot.connect.web import Limits
from bedrot.demo.ads import ACCOUNT
from bedrot.demo.label import invent
from bedrot.demo.links import pages
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.sources import find_sources

SEED = int(os.environ.get("BEDROT_SEED", "20251"))
DRAWN = 2
LABEL = invent(7)
FIRST = datetime(2026, 2, 8, 18, 44, 16, tzinfo=UTC)
SECOND = FIRST + timedelta(days=3)
HOUR = timedelta(hours=1)
LIMITS = Limits(seconds=40, tries=2, gap=0, patience=2, poll=0.1)
SHORT = Limits(seconds=12, tries=2, gap=0, patience=2, poll=0.1)
MOST_REQUESTS = 60
"""No fault makes a fetch ask much more than one without faults does; Chromium by itself follows twenty redirects."""

# ---- the connectors ----


@dataclass(frozen=True)
class Way:
    """How a source is asked in one way, for whom, and what plays it."""

    source: str
    account: str
    play: Callable[[], Service]
    user: str = "owner"
    way: str = ""


WAYS = {
    "metaads": Way("metaads", ACCOUNT, lambda: MetaAds(LABEL)),
    "linktree": Way("linktree", pages(LABEL)[0].name, lambda: Linktree(LABEL), pages(LABEL)[0].name),
    "tiktok": Way("tiktok", "mara.quell", lambda: TikTok(LABEL), "mara.quell"),
    "distrokid": Way("distrokid", distrokid_portal.MAIN, lambda: distrokid_portal.DistroKid(LABEL)),
    "toolost-browser": Way("toolost", toolost_portal.MAIN, lambda: toolost_portal.TooLost(LABEL), way="browser"),
    "toolost-api": Way("toolost", toolost_portal.MAIN, lambda: TooLostApi(LABEL), way="api"),
}


def offered() -> set[tuple[str, str, str]]:
    """All sources that can be asked, with each way and its kind."""
    found = set()
    for source in find_sources():
        usual = connector_of(source)
        if usual is not None:
            module = sys.modules[f"bedrot.sources.{source.name}.connect"]
            ways: dict[str, Connector] = getattr(module, "CONNECTORS", {"": usual})
            found |= {(source.name, way, one.kind) for way, one in ways.items()}
    return found


# ---- the faults, and in which state each ends ----

MODES: dict[str, dict[str, Any]] = {
    "second_factor": {"second_factor": True},
    "captcha": {"captcha": True},
    "expires_after": {"expires_after": 0},
    "redirect_loop": {"redirect_loop": True},
    "throttled": {"throttled": 999, "retry_after": 3600},
    "broken": {"broken": 999},
    "half_body": {"half_body": True},
    "slow": {"slow": True},
    "renamed_field": {"renamed_field": True},
    "moved_button": {"moved_button": True},
    "empty_account": {"empty_account": True},
    "wrong_account": {"wrong_account": True},
    "maintenance": {"maintenance": True},
    "forbidden": {"forbidden": True},
}
PARAMETERS = {"retry_after": "throttled", "only": "throttled"}
"""Fields that say more about a fault than that it is there."""
USUAL = {
    "second_factor": "good", "captcha": "challenged", "expires_after": "expired", "redirect_loop": "portal changed",
    "throttled": "throttled", "broken": "unreachable", "half_body": "unreachable", "slow": "unreachable",
    "renamed_field": "portal changed", "moved_button": "portal changed", "empty_account": "portal changed",
    "wrong_account": "wrong account", "maintenance": "portal changed", "forbidden": "forbidden",
}  # fmt: skip
OTHERWISE = {
    **{(way, "captcha"): "portal changed" for way in ("metaads", "toolost-api")},  # a page where JSON was
    **{(way, "moved_button"): "good" for way in ("metaads", "toolost-api")},  # nothing is pressed
    ("toolost-browser", "moved_button"): "good",  # no statement is due three days later
    **{(way, "empty_account"): "no data yet" for way in ("metaads", "toolost-api", "linktree")},
}
"""Where a connector's state is another one, for a reason."""
CELLS = [(way, mode) for way in WAYS for mode in MODES]


def ends_in(way: str, mode: str) -> str:
    return OTHERWISE.get((way, mode), USUAL[mode])


def drawn() -> list[tuple[str, str]]:
    """Some cells of different connectors, the same for a seed."""
    chances = random.Random(f"{SEED}/faults")  # noqa: S311
    return [(way, chances.choice(sorted(MODES))) for way in chances.sample(sorted(WAYS), min(DRAWN, len(WAYS)))]


def marks(cell: tuple[str, str]) -> list[pytest.MarkDecorator]:
    """Whether a cell is in the short run."""
    return [] if cell in drawn() else [pytest.mark.slow]


# ---- a lake that has fetched once ----


@dataclass
class Once(Asking):
    """A lake that asks in one way."""

    way: str = ""

    @property
    def settings(self) -> Settings:
        connector = connector_of(self.found, self.way)
        assert connector is not None
        told = Connect(way=self.way, places=dict.fromkeys(connector.hosts, self.url))
        return Settings(account=(AccountRule(self.source, self.account),), connect={self.source: told})


def secret_for(way: Way, portal: Portal, at: datetime) -> bytes:
    """What a person's log-in leaves in the vault."""
    connector = connector_of(next(one for one in find_sources() if one.name == way.source), way.way)
    assert connector is not None
    if connector.oauth is not None:
        client_of = ("harbour-lane-lake", "")
        places = dict.fromkeys(connector.hosts, portal.url)
        return allow(connector, places, client_of, lambda told: _allowing(portal, told), now=at, seconds=30)
    if connector.kind == "token":
        return portal.renew(way.user).encode()
    return state_of(portal, way.user)


def _allowing(portal: Portal, address: str) -> None:
    """A person allows what an address asks for, and is led back."""
    asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
    with client(portal) as person:
        back = person.post("/oauth/authorize", data=asked | {"allow": "yes"}, follow_redirects=False)
    assert httpx.get(back.headers["Location"], trust_env=False).is_success


def log_in(asking: Once, way: Way, portal: Portal, at: datetime) -> None:
    portal.clock.now = at  # type: ignore[attr-defined]
    kind = "browser" if way.way != "api" and way.source != "metaads" else "token"
    asking.vault.put(Session(way.source, way.account, kind, secret_for(way, portal, at), at, at + timedelta(days=30)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """For each connector a folder with a lake that has fetched and walked once, made when it is first wanted."""
    made: dict[str, Path] = {}

    def lake_of(name: str) -> Path:
        if name not in made:
            way, root = WAYS[name], tmp_path_factory.mktemp(name)
            with Portal(way.play(), Clock(FIRST)) as portal:
                asking = Once(root, way.source, way.account, portal.url, LIMITS, way=way.way)
                log_in(asking, way, portal, FIRST - HOUR)
                portal.clock.now = FIRST  # type: ignore[attr-defined]
                standing = asking.fetch(FIRST)
                assert State(standing.state).good, standing.sentence
                asking.walk(FIRST)
            made[name] = root
        return made[name]

    return lake_of


def deliveries(asking: Once) -> list[str]:
    with Ledger(asking.lake.ledger_path) as ledger:
        return sorted(one.id for one in ledger.deliveries())


def published(asking: Once) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that anybody can read, by table."""
    snapshot = current(asking.lake)
    if snapshot is None:
        return {}
    tables = [one for one in snapshot.tables if "." not in one]
    with open_snapshot(asking.lake, snapshot) as con:
        return {one: sorted(map(repr, con.execute(f'SELECT * FROM "{one}"').fetchall())) for one in tables}  # type: ignore[misc]


@pytest.fixture
def cell(lakes: Callable[[str], Path], tmp_path: Path) -> Iterator[Callable[[str], tuple[Once, Portal]]]:
    """For a connector a lake of one's own that has fetched once, a new log-in, and the service three days later."""
    running: list[Portal] = []

    def cell_of(name: str) -> tuple[Once, Portal]:
        way = WAYS[name]
        shutil.copytree(lakes(name), tmp_path / "own", symlinks=True)
        portal = Portal(way.play(), Clock(SECOND))
        running.append(portal.__enter__())
        asking = Once(tmp_path / "own", way.source, way.account, portal.url, LIMITS, way=way.way)
        log_in(asking, way, portal, SECOND - HOUR)
        portal.clock.now = SECOND  # type: ignore[attr-defined]
        portal.requests.clear()
        return asking, portal

    yield cell_of
    for one in running:
        one.__exit__(None, None, None)


def test_no_fault_and_no_connector_is_missing() -> None:
    assert {one.name for one in fields(Faults)} == {*MODES, *PARAMETERS}
    assert set(USUAL) == set(MODES)
    kinds = {(one, way) for one, way, _ in offered()}
    assert {(one.source, one.way) for one in WAYS.values()} == kinds
    assert set(OTHERWISE) <= set(CELLS)


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("way", "mode"),
    [pytest.param(*one, marks=marks(one)) for one in CELLS],
    ids=[f"{way}-{mode}" for way, mode in CELLS],
)
def test_a_fault_ends_in_its_state_and_what_was_known_stays(
    cell: Callable[[str], tuple[Once, Portal]], way: str, mode: str
) -> None:
    sys.stdout.write(f"BEDROT_SEED={SEED}\n")
    asking, portal = cell(way)
    before, known = deliveries(asking), published(asking)
    portal.faults = Faults(**MODES[mode])
    asking.limits = SHORT if ends_in(way, mode) in ("portal changed", "unreachable") else LIMITS
    standing = asking.fetch(SECOND)
    wanted = ends_in(way, mode)
    assert standing.state == wanted or (wanted == "good" and State(standing.state).good), standing.sentence
    assert standing.requests <= MOST_REQUESTS
    assert traced_below(asking.root, *(one.encode() for one in portal.secrets())) == []
    if State(standing.state).good and mode != "empty_account":
        return
    asking.walk(SECOND)
    assert published(asking) == known
    assert deliveries(asking) == before
    if State(standing.state).good:
        return
    assert standing.sentence.endswith((".", ")"))
    assert standing.do, standing.sentence
    assert standing.requests >= 1
    seen = len(portal.requests)
    if State(standing.state).locked or wanted == "throttled":
        again = asking.fetch(SECOND + timedelta(minutes=10))
        assert (again.state, again.requests, len(portal.requests)) == (standing.state, 0, seen)
