"""sync for some sources, and sync that stops at the first failure: processes, a vault, a service on this machine."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "connect"))
from meta_portal import MetaAds
from portal import Portal
from test_connect_commands import Person

from bedrot.demo.ads import ACCOUNT
from bedrot.demo.label import invent
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake

GOLDEN = Path(__file__).parents[2] / "src/bedrot/sources/distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv"


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal(MetaAds(invent(7)), lambda: datetime.now(UTC)) as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, portal: Portal) -> Person:
    lake = Lake.create(tmp_path / "lake")
    place = f'[connect.metaads.places]\n"graph.facebook.com" = "{portal.url}"\n'
    lake.config_path.write_text(place, encoding="utf-8")
    shutil.copy(GOLDEN, lake.landing / "inbox")
    return Person(tmp_path, lake.root)


def deliveries(person: Person) -> int:
    with Ledger(Lake(person.lake).ledger_path) as ledger:
        return len(list(ledger.deliveries()))


@pytest.mark.slow
def test_strict_stops_at_the_first_failure_and_walks_nothing(person: Person, portal: Portal) -> None:
    token = portal.people["owner"].token
    for account in ("1", ACCOUNT):  # the token is for the second one only, and the first is asked first
        assert person.gives("login", "metaads", "--account", account, types=token + "\n").returncode == 0
    done = person.gives("sync", "--strict")
    assert done.returncode == 2, done.stderr
    assert "metaads 1: wrong account" in done.stdout
    assert f"metaads {ACCOUNT}" not in done.stdout
    assert "nothing was walked" in done.stdout
    assert deliveries(person) == 0
    told = json.loads(person.gives("sync", "--strict", "--json").stdout)
    assert (told["run"], len(told["accounts"]), len(told["needs"])) == (None, 1, 1)


@pytest.mark.slow
def test_one_source_alone_and_all_but_one(person: Person, portal: Portal) -> None:
    assert (
        person.gives("login", "metaads", "--account", ACCOUNT, types=portal.people["owner"].token + "\n").returncode
        == 0
    )
    seen = len(portal.requests)
    left = person.gives("sync", "--except", "metaads")
    assert left.returncode == 0, left.stdout + left.stderr
    assert len(portal.requests) == seen
    assert "Published snapshot 1." in left.stdout
    other = person.gives("sync", "tiktok")
    assert other.returncode == 1
    assert "tiktok main: expired; Nobody is logged in to TikTok. Log in: bedrot login tiktok." in other.stdout
    assert len(portal.requests) == seen
    assert person.gives("sync", "tiktok", "--strict").returncode == 2
    asked = person.gives("sync", "metaads")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert deliveries(person) > 1
    assert len(portal.requests) > seen
    for words in (("sync", "nowhere"), ("sync", "--except", "nowhere")):
        wrong = person.gives(*words)
        assert (wrong.returncode, "There is no source 'nowhere'." in wrong.stderr) == (2, True)
