"""login, fetch, sessions and logout as a person gives them: real processes, a real vault, a real socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from meta_portal import MetaAds
from portal import Portal

from bedrot.demo.ads import ACCOUNT
from bedrot.demo.label import invent
from bedrot.lake.zones import Lake

PHRASE = "canary passphrase of the vault"


@dataclass
class Person:
    """Somebody at a terminal with a lake and a vault."""

    root: Path
    lake: Path

    def gives(self, *words: str, types: str = "", key: str = PHRASE) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT")}
        env = {**kept, "XDG_DATA_HOME": str(self.root / "data"), "COLUMNS": "200", "BEDROT_LAKE": str(self.lake)}
        if key:
            env["BEDROT_VAULT_KEY"] = key
        env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
        command = [sys.executable, "-m", "bedrot", *words]
        return subprocess.run(command, input=types, capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def portal() -> Iterator[Portal]:
    # The real clock: the label's last campaign ended by then, and the account still knows what it cost.
    with Portal(MetaAds(invent(7)), lambda: datetime.now(UTC)) as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, portal: Portal) -> Person:
    lake = Lake.create(tmp_path / "lake")
    lake.config_path.write_text(
        f'[[account]]\nsource = "metaads"\nname = "{ACCOUNT}"\n\n'
        f'[connect.metaads.places]\n"graph.facebook.com" = "{portal.url}"\n',
        encoding="utf-8",
    )
    return Person(tmp_path, lake.root)


def test_a_person_logs_in_fetches_sees_and_forgets(person: Person, portal: Portal) -> None:
    token = portal.people["owner"].token
    done = person.gives("login", "metaads", types=token + "\n")
    assert done.returncode == 0, done.stderr
    assert "ads_read" in done.stderr
    fetched = person.gives("fetch", "--json")
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    (told,) = json.loads(fetched.stdout)
    assert (told["source"], told["account"], told["state"]) == ("metaads", ACCOUNT, "provisional")
    assert person.gives("run").returncode == 0
    rows = person.gives("sql", "select count(*) as n from ads_daily", "--format", "json")
    assert json.loads(rows.stdout)[0]["n"] > 100
    kept = json.loads(person.gives("sessions", "--json").stdout)
    assert [(one["source"], one["account"], one["kind"]) for one in kept] == [("metaads", ACCOUNT, "token")]
    assert person.gives("logout", "metaads").returncode == 0
    assert json.loads(person.gives("sessions", "--json").stdout) == []
    said = [done, fetched, rows]
    assert not any(secret in one.stdout + one.stderr for one in said for secret in (token, PHRASE))
    assert not any(token.encode() in path.read_bytes() for path in person.root.rglob("*") if path.is_file())


def test_an_expired_log_in_is_a_sentence_with_what_to_do_and_exit_code_1(person: Person, portal: Portal) -> None:
    person.gives("login", "metaads", types=portal.people["owner"].token + "\n")
    portal.expire()
    done = person.gives("fetch")
    assert done.returncode == 1
    assert "expired" in done.stdout
    assert "bedrot login metaads" in done.stdout
    seen = len(portal.requests)
    assert person.gives("fetch").returncode == 1
    assert len(portal.requests) == seen


@pytest.mark.parametrize(
    ("words", "types", "key", "said"),
    [
        (("login", "metaads"), "", PHRASE, "No token was given"),
        (("login", "metaads"), "x\n", "", "BEDROT_VAULT_KEY"),
        (("login", "spotify"), "x\n", PHRASE, "no source 'spotify'"),
        (("login", "catalogue", "--account", "a"), "x\n", PHRASE, "cannot be asked by a program"),
        (("login", "linktree"), "x\n", PHRASE, "Whose account at linktree"),
        (("logout", "metaads"), "", PHRASE, "no log-in for metaads"),
    ],
)
def test_what_cannot_be_is_a_sentence(person: Person, words: tuple[str, ...], types: str, key: str, said: str) -> None:
    done = person.gives(*words, types=types, key=key)
    assert done.returncode == 2
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_logged_in_anywhere(person: Person) -> None:
    done = person.gives("fetch")
    assert done.returncode == 0
    assert "bedrot login" in done.stdout
    named = person.gives("fetch", "metaads")
    assert named.returncode == 1
    assert "Nobody is logged in" in named.stdout
