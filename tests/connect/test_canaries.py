"""Canaries: secrets that are let loose in every life of a fetch, and are found nowhere but where they belong."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asking import KEY
from browsing import needs_chromium, state_of
from linktree_portal import Linktree
from meta_portal import MetaAds
from portal import Answer, Asked, Clock, Faults, Manners, Portal, canary
from toolost_api_portal import LIFE, TooLostApi
from toolost_portal import MAIN, TooLost
from vault_looks import traced

from bedrot.commands.connect import item_in
from bedrot.connect.connector import connector_of
from bedrot.connect.vault import Session, Vault, open_vault
from bedrot.demo.ads import ACCOUNT
from bedrot.demo.label import invent
from bedrot.demo.links import pages
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources

LABEL = invent(7)
LINKS = pages(LABEL)[0].name
NOW = datetime(2026, 3, 10, 16, 40, 3, tzinfo=UTC)
DAY = timedelta(days=1)
CLIENT = "harbour-lane-lake"
DRIVER = Path(__file__).with_name("canary_life.py")
LINUX = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="/proc tells what processes were given")
pytestmark = [LINUX]


class Guarded(Manners):
    """A service whose every answer sets a cookie against forged requests, and whose pages hold the same in a form."""

    csrf: str

    def data(self, asked: Asked, now: datetime, faults: Faults) -> Answer | None:
        found: Answer | None = super().data(asked, now, faults)  # type: ignore[misc]
        if found is None:
            return None
        form = f'<form id="guard"><input type="hidden" name="csrf" value="{self.csrf}"></form></body>'
        body = found.body.replace(b"</body>", form.encode()) if found.kind.startswith("text/html") else found.body
        return replace(found, body=body, headers=(*found.headers, ("Set-Cookie", f"XSRF-TOKEN={self.csrf}; Path=/")))


class GuardedMeta(Guarded, MetaAds):
    """Meta with such a cookie."""


class GuardedLinks(Guarded, Linktree):
    """Linktree with such a cookie and form."""


class GuardedTooLost(Guarded, TooLost):
    """TooLost with such a cookie and form."""


class GuardedApi(Guarded, TooLostApi):
    """TooLost's API with such a cookie."""


ACCOUNTS = {"metaads": ACCOUNT, "linktree": LINKS, "toolost": MAIN}
MADE = {"metaads": GuardedMeta, "linktree": GuardedLinks, "toolost": GuardedTooLost, "api": GuardedApi}


@dataclass
class Life:
    """How a process lived: its exit code, what it said, and what its children were given."""

    code: int
    said: bytes
    children: dict[int, tuple[bytes, bytes]]


@dataclass
class House:
    """A folder with all that a person has: a lake, a vault, a home, scratch; and one service."""

    root: Path
    source: str
    portal: Portal
    way: str = ""
    secrets: dict[str, str] = field(default_factory=lambda: {"key of the vault": KEY})

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "here", "data"):
            (self.root / name).mkdir(parents=True)
        lake = Lake.create(self.root / "lake")
        found = next(one for one in find_sources() if one.name == self.source)
        connector = connector_of(found, self.way)
        assert connector is not None
        places = "".join(f'"{host}" = "{self.portal.url}"\n' for host in connector.hosts)
        way = f'[connect.{self.source}]\nway = "{self.way}"\n' if self.way else ""
        lake.config_path.write_text(
            f'[[account]]\nsource = "{self.source}"\nname = "{ACCOUNTS[self.source]}"\n'
            f"{way}[connect.{self.source}.places]\n{places}"
        )
        csrf = getattr(self.portal.service, "csrf", "")
        self.secrets["token against forged requests"] = csrf

    @property
    def vault(self) -> Vault:
        return open_vault(self.root / "data" / "bedrot", KEY)

    @property
    def user(self) -> str:
        return next(name for name in self.portal.people if name in (LINKS, "owner"))

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp"),
            "XDG_DATA_HOME": str(self.root / "data"), "BEDROT_LAKE": str(self.root / "lake"),
            "BEDROT_VAULT_KEY": KEY, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "DEBUG": "pw:*", "DEBUGP": "1", "PYTHONASYNCIODEBUG": "1", "COLUMNS": "400",
        }  # fmt: skip

    def log_in(self, at: datetime = NOW - DAY) -> None:
        """A log-in without a window: the cookie that the portal gives, kept as a browser keeps it, or a token."""
        if self.source == "metaads":
            secret = self.portal.people["owner"].token.encode()
            self.vault.put(Session(self.source, ACCOUNT, "token", secret, at))
            return
        state = state_of(self.portal, self.user)
        self.vault.put(Session(self.source, ACCOUNTS[self.source], "browser", state, at, at + 30 * DAY))

    @property
    def said(self) -> Path:
        """What the last command said; a file, for browsers keep a pipe open that nobody reads any more."""
        return self.root / "said"

    def start(self, *command: str, plant: str = "", now: datetime = NOW) -> subprocess.Popen[bytes]:
        with self.said.open("wb") as said:
            return subprocess.Popen(
                [sys.executable, str(DRIVER), plant, now.isoformat(), *command],
                stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, env=self.env, cwd=self.root / "here",
            )  # fmt: skip

    def live(self, *command: str, plant: str = "", typed: str = "", now: datetime = NOW) -> Life:
        """Let a command run to its end, and watch the processes that it starts."""
        with self.start(*command, plant=plant, now=now) as process, watched(process.pid) as children:
            process.communicate(typed.encode())
        return Life(process.returncode, self.said.read_bytes(), children)

    def hits(self, *lives: Life) -> list[str]:
        """Where secrets are, by name, form and place, that belong nowhere."""
        told = {f"one of the portal's ({number})": one for number, one in enumerate(self.portal.secrets())}
        found = []
        for name, secret in (told | self.secrets).items():
            plain = secret.encode()
            found += [f"{name} said: {form}" for one in lives for form in traced(one.said, plain)]
            for one in lives:
                for argv, environ in one.children.values():
                    found += [f"{name} in the arguments of a child: {form}" for form in traced(argv, plain)]
                    found += [f"{name} in the environment of a child: {form}" for form in traced(environ, plain)]
            found += [
                f"{name} in {path.name}: {form}" for path in self.files() for form in traced(told_by(path), plain)
            ]
        return found

    def scratch(self) -> list[Path]:
        """What lies in the folder for temporary files."""
        return list((self.root / "tmp").iterdir())

    def files(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file() or path.is_symlink()]


def told_by(path: Path) -> bytes:
    """The path and the bytes of a file, as far as it is still there."""
    try:
        return os.fsencode(path) + b"\n" + path.read_bytes()
    except OSError:
        return os.fsencode(path)


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process started, and theirs."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, tasks.read_text().split()):
                yield child
                yield from descendants(child)


@contextmanager
def watched(pid: int) -> Iterator[dict[int, tuple[bytes, bytes]]]:
    """What the children of a process are given, for as long as they live: arguments and environment."""
    found: dict[int, tuple[bytes, bytes]] = {}
    over = threading.Event()

    def watch() -> None:
        own = Path(f"/proc/{pid}/cmdline").read_bytes()
        while not over.wait(0.02):
            for child in set(descendants(pid)) - set(found):
                with suppress(OSError):
                    told = Path(f"/proc/{child}/cmdline").read_bytes(), Path(f"/proc/{child}/environ").read_bytes()
                    if told[0] not in (b"", own):  # before it becomes another program it is its parent
                        found[child] = told

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder with a short name: a browser puts sockets into its own, whose names may have a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="life-") as folder:
        yield Path(folder)


@contextmanager
def house(root: Path, source: str, way: str = "") -> Iterator[House]:
    service = MADE[way if way in MADE else source](LABEL)
    service.csrf = canary(source, "csrf")
    clock = Clock(NOW)
    with Portal(service, clock) as portal:
        yield House(root, source, portal, way)


def logged_in_and_fetched(home: House, day: int, fault: str = "", plant: str = "") -> Life:
    """A log-in and a fetch on a later day, while something goes wrong."""
    home.portal.faults = Faults(retry_after=3600)
    if fault:
        setattr(home.portal.faults, fault, 99 if fault in ("throttled", "broken") else True)
    home.portal.clock.now = at = NOW + day * DAY  # type: ignore[attr-defined]
    home.log_in(at - timedelta(hours=1))
    return home.live("fetch", plant=plant, now=at)


HTTP = {
    "": "provisional", "renamed_field": "portal changed", "forbidden": "forbidden", "wrong_account": "wrong account",
    "throttled": "throttled", "broken": "unreachable", "captcha": "portal changed",
}  # fmt: skip
PAGES = {
    "": "provisional", "moved_button": "portal changed", "captcha": "challenged", "forbidden": "forbidden",
    "wrong_account": "wrong account", "throttled": "throttled", "broken": "unreachable",
}  # fmt: skip


def looked_at(home: House, states: Mapping[str, str]) -> list[str]:
    """What is found after fetches that end in these states."""
    lives = []
    for day, (fault, state) in enumerate(states.items()):
        lives.append(logged_in_and_fetched(home, day, fault))
        assert state.encode() in lives[-1].said, fault
    return home.hits(*lives)


def few(states: Mapping[str, str]) -> dict[str, str]:
    return dict(list(states.items())[:2])


@pytest.mark.parametrize("states", [few(HTTP), pytest.param(HTTP, marks=pytest.mark.slow)], ids=["few", "all"])
def test_a_token_over_http_in_its_states(root: Path, states: dict[str, str]) -> None:
    with house(root, "metaads") as home:
        assert looked_at(home, states) == []
        assert list((root / "lake" / "captures").iterdir())


@needs_chromium
@pytest.mark.parametrize(
    "states",
    [pytest.param(few(PAGES), marks=pytest.mark.slow), pytest.param(PAGES, marks=pytest.mark.slow)],
    ids=["few", "all"],
)
def test_private_answers_in_their_states(root: Path, states: dict[str, str]) -> None:
    with house(root, "linktree") as home:
        assert looked_at(home, states) == []
        kept = b"".join(path.read_bytes() for path in (root / "lake" / "captures").iterdir())
        assert b'name="csrf"' in kept
        assert any("email" in one for one in home.portal.secrets())


CRASHES = [
    pytest.param(source, plant, marks=() if (source, plant) == ("metaads", "crash_with_words") else pytest.mark.slow)
    for source in ("metaads", "linktree")
    for plant in ("crash", "crash_with_words", "crash_on_disk")
]


@pytest.mark.parametrize(("source", "plant"), CRASHES)
def test_a_crash_in_the_middle(root: Path, source: str, plant: str) -> None:
    with house(root, source) as home:
        home.log_in()
        life = home.live("fetch", plant=plant)
        assert life.code != 0
        assert b"Errno 5" in life.said if plant == "crash_on_disk" else b"Stumbled" in life.said
        assert b"session = Session(" in life.said, "the variables of the frames above are shown"
        assert home.hits(life) == []


def test_what_a_person_allows_and_what_it_is_traded_for(root: Path) -> None:
    with house(root, "toolost", "api") as home:
        secret = home.secrets["secret of the program"] = canary("toolost", "client-secret")
        person = home.portal.people["owner"]
        typed = f"{json.dumps(['owner', person.password])}\n{CLIENT}\n{secret}\n"
        lives = [home.live("login", "toolost", typed=typed)]
        assert lives[0].code == 0, lives[0].said[-2000:]
        for at in (NOW, NOW + LIFE + DAY):
            home.portal.clock.now = at  # type: ignore[attr-defined]
            lives.append(home.live("fetch", now=at))
            assert lives[-1].code == 0
        kinds = {one.rsplit("-", 1)[0].removeprefix("canary-toolost-api-") for one in home.portal.secrets()}
        assert kinds >= {"code", "access", "refresh", "password", "session"}
        assert home.hits(*lives) == []


@pytest.mark.slow
@needs_chromium
def test_a_person_logs_in_in_a_window(root: Path) -> None:
    with house(root, "toolost") as home:
        home.portal.faults.second_factor = True
        person = home.portal.people["owner"]
        lives = [home.live("login", "toolost", typed=json.dumps(["owner", person.password, person.code]) + "\n")]
        assert lives[0].code == 0, lives[0].said[-2000:]
        lives.append(home.live("fetch"))
        assert lives[1].code == 0
        session, secrets = home.vault.get("toolost", MAIN), home.portal.secrets()
        assert session is not None
        assert item_in(session.secret, "token") in secrets
        assert {person.password, person.code} <= set(secrets)
        assert home.hits(*lives) == []


def failed_log_in(home: House, plant: str) -> Life:
    """A log-in that a person makes, and that breaks off."""
    person = home.portal.people[home.user]
    typed = [json.dumps(["owner", person.password])]
    if home.source == "metaads":
        home.secrets["token"] = person.token
        typed = ["null", person.token]
    elif home.way == "api":
        home.secrets["secret of the program"] = canary("toolost", "client-secret")
        typed += [CLIENT, home.secrets["secret of the program"]]
    life = home.live("login", home.source, plant=plant, typed="".join(f"{one}\n" for one in typed))
    assert life.code != 0
    assert b"whose = '" in life.said, "the variables of the frames above are shown"
    assert home.vault.sessions() == []
    return life


_DISK = b"Input/output error after"
LOG_INS = [
    pytest.param("metaads", "", "break_vault", _DISK, id="token-vault"),
    pytest.param("toolost", "api", "break_trade", b"cannot send", id="allowed-trade"),
    pytest.param("toolost", "api", "break_vault", _DISK, id="allowed-vault", marks=pytest.mark.slow),
    pytest.param("toolost", "browser", "break_vault", _DISK, id="window-vault", marks=needs_chromium),
]


@pytest.mark.parametrize(("source", "way", "plant", "words"), LOG_INS)
def test_a_log_in_that_breaks_off_lets_nothing_out(root: Path, source: str, way: str, plant: str, words: bytes) -> None:
    with house(root, source, way) as home:
        life = failed_log_in(home, plant)
        assert words in life.said
        assert home.hits(life) == []


@needs_chromium
@pytest.mark.parametrize("all_at_once", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["all", "own"])
def test_a_fetch_that_is_killed_in_the_middle(root: Path, all_at_once: bool) -> None:
    """The browser's folder is its own: what a killed one leaves is for nobody else, and holds no log-in."""
    with house(root, "linktree") as home:
        home.log_in()
        home.portal.faults.slow = True
        with home.start("fetch") as process, watched(process.pid) as children:
            until(lambda: any(one.path == "/graphql" for one in home.portal.requests))
            started = sorted(set(descendants(process.pid)))
            alive = home.hits(Life(0, b"", children))
            mine = home.scratch()
            for pid in [*(started if all_at_once else []), process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in started))
        assert started
        assert mine, "the browser has its folder in ours"
        killed = Life(process.returncode, home.said.read_bytes(), children)
        assert alive + home.hits(killed) == []
        assert [
            stat.S_IMODE(one.stat().st_mode) for one in home.scratch() if stat.S_IMODE(one.stat().st_mode) & 0o77
        ] == []
        home.portal.faults.slow = False
        again = home.live("fetch", now=NOW + timedelta(minutes=5))
        assert b"provisional" in again.said
        assert home.hits(killed, again) == []
        if not all_at_once:
            assert home.scratch() == [], "who outlives us tidies up"


def until(so: Callable[[], bool]) -> None:
    """Wait; pytest ends what hangs."""
    while not so():
        time.sleep(0.02)


# ---- the wrong variants ----


def test_leaks_are_found_wherever_they_are(root: Path) -> None:
    with house(root, "metaads") as home:
        life = logged_in_and_fetched(home, 0, plant="log_coded+leave+start+pass_on+print_it+put_into_lake")
        assert b"provisional" in life.said
        hits = home.hits(life)
        for where in (
            "said: base64",
            "said: plain",
            "in the arguments",
            "in the environment",
            "in tmp",
            ".json: plain",
        ):
            assert any(where in one for one in hits), where


@pytest.mark.parametrize(
    ("plant", "fault", "where"),
    [
        ("show_locals+crash", "", "said: plain"),
        pytest.param("tell_headers", "", "forged requests said", marks=pytest.mark.slow),
        pytest.param("show_locals", "throttled", "said: plain", marks=pytest.mark.slow),
    ],
    ids=["locals-of-a-crash", "headers", "locals-of-a-refusal"],
)
def test_without_its_precautions_a_token_gets_out(root: Path, plant: str, fault: str, where: str) -> None:
    with house(root, "metaads") as home:
        life = logged_in_and_fetched(home, 0, fault, plant)
        assert any(where in one for one in home.hits(life))


@pytest.mark.parametrize("plant", ["break_trade", pytest.param("break_vault", marks=pytest.mark.slow)])
def test_without_its_precautions_a_log_in_that_breaks_off_gets_out(root: Path, plant: str) -> None:
    with house(root, "toolost", "api") as home:
        life = failed_log_in(home, f"show_locals+{plant}")
        assert any("said: plain" in one for one in home.hits(life))


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "where"),
    [
        ("keep_state", "in state.json: plain"),
        ("keep_key", "key of the vault in the environment of a child: plain"),
        ("keep_traces", "said: plain"),
    ],
    ids=["state", "key", "traces"],
)
def test_without_its_precautions_a_browser_lets_a_log_in_out(root: Path, plant: str, where: str) -> None:
    with house(root, "linktree") as home:
        life = logged_in_and_fetched(home, 0, plant=plant)
        assert any(where in one for one in home.hits(life))
