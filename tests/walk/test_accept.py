"""The door: what is acknowledged, in which order bytes become safe, and what landing remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedrot.contract import Feed, Original, Source
from bedrot.errors import Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources, folder_of
from bedrot.walk import accept
from bedrot.walk.accept import Door, Told

SOURCES = find_sources()
GOLDEN = {source.name: folder_of(source) / "golden" for source in SOURCES}
BANK = GOLDEN["distrokid"] / "DistroKid_1748520000000_Paper_Comets.tsv"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    lake = Lake.create(tmp_path / "lake")
    with closing(Ledger(lake.ledger_path)) as ledger:
        yield Door(lake, ledger, SOURCES, {}, Told(), NOW)


def test_what_died_behind_the_manifest_is_accepted_again_as_it_came_first(door: Door) -> None:
    (first,) = door.offer([BANK])
    door.lake.ledger_path.unlink()
    with closing(Ledger(door.lake.root / "fresh.sqlite")) as ledger:
        later = Door(door.lake, ledger, SOURCES, {}, Told(), NOW + timedelta(days=5))
        (again,) = later.offer([BANK])
        assert (again.verdict, again.delivery) == ("accepted", first.delivery)
        assert ledger.deliveries()[0].received_at == NOW


def test_nothing_is_in_raw_before_the_whole_file_was_looked_through(door: Door, tmp_path: Path) -> None:
    cut = tmp_path / BANK.name
    cut.write_bytes(BANK.read_bytes()[:-20])
    (outcome,) = door.offer([cut])
    assert outcome.verdict == "refused"
    assert not door.lake.objects.exists() or not any(door.lake.objects.rglob("*"))
    assert door.ledger.deliveries() == []


def test_a_feed_that_stumbles_stops_no_other_file(door: Door, tmp_path: Path) -> None:
    def stumble(original: Original) -> bool:
        if original.name == BANK.name:
            raise KeyError("EAAB-secret-of-the-file")
        return False

    bank = next(source for source in SOURCES if source.name == "distrokid").feeds[0]
    broken = Feed("x.y", "It stumbles.", bank.tables, stumble, bank.read, bank.exported_at)
    door.sources = [*SOURCES, Source("x", "X", (broken,), SOURCES[0].remembers)]
    other = tmp_path / "DistroKid_1748520000001_x.tsv"
    other.write_bytes(BANK.read_bytes())
    (first,) = door.offer([BANK])
    assert [one.verdict for one in door.ledger.landings()] == ["failed"]
    (second,) = door.offer([other])
    assert (first.verdict, second.verdict) == ("failed", "accepted")
    assert first.sentence == "The program stumbled over this file (KeyError); nothing of it was taken."
    assert "secret" not in str(first)


def test_a_search_that_stumbles_copies_nothing(door: Door, tmp_path: Path) -> None:
    def private(original: Original) -> str | None:
        raise ValueError(original.name)

    door.sources = [replace(source, private=private) for source in SOURCES]
    (outcome,) = door.offer([BANK])
    assert outcome.verdict == "failed"
    assert not any(path.is_file() for path in door.lake.landing.rglob("*"))


def test_what_was_refused_is_forgotten_when_it_is_accepted(door: Door) -> None:
    path = GOLDEN["tiktok"] / "Overview.en_GB.csv"
    door.told = Told(account="nova")
    (waits,) = door.offer([path])
    (noted,) = door.ledger.landings()
    assert (waits.verdict, noted.name) == ("waiting", path.name)
    door.told = Told(account="nova", exported_at=datetime(2024, 3, 3, tzinfo=UTC))
    (taken,) = door.offer([door.lake.absolute(noted.path)])
    assert (taken.verdict, taken.name) == ("accepted", path.name)
    assert door.ledger.landings() == []
    assert door.ledger.deliveries()[0].name == path.name


def test_sightings_are_kept_also_when_the_person_stops_in_between(door: Door, tmp_path: Path) -> None:
    copy = tmp_path / "DistroKid_1748520000000_copy.tsv"
    copy.write_bytes(BANK.read_bytes())
    offered = door.offer([BANK, copy, BANK])
    assert [next(offered).verdict, next(offered).verdict] == ["accepted", "repeat"]
    offered.close()  # type: ignore[attr-defined]
    assert [one.name for one in door.ledger.sightings()] == [copy.name]
    assert len(list(door.lake.sightings.glob("*.json"))) == 1


def test_an_account_that_the_file_proves_is_not_overruled(door: Door) -> None:
    door.told = Told(account="other")
    (outcome,) = door.offer([GOLDEN["tiktok"] / "Viewers_nova.lights.zip"])
    assert outcome.verdict == "waiting"
    assert "'nova.lights', not 'other'" in outcome.sentence


def test_with_more_accounts_than_one_a_file_waits(door: Door) -> None:
    door.accounts = {"distrokid": ("one", "two")}
    (outcome,) = door.offer([BANK])
    assert outcome.verdict == "waiting"
    assert "one, two" in outcome.sentence


@pytest.mark.parametrize("days", [-20_000, 3])
def test_an_instant_that_cannot_be_opens_no_door(door: Door, days: int) -> None:
    with pytest.raises(Misconfigured, match="--exported-at"):
        replace(door, told=Told(exported_at=NOW + timedelta(days=days)))


def test_the_same_refused_bytes_are_in_landing_once(door: Door, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "a.csv"):
        (tmp_path / name).write_bytes(b"x,y\n1,2\n")
        (outcome,) = door.offer([tmp_path / name])
        assert outcome.verdict == "unrecognised"
    assert len([path for path in door.lake.landing.rglob("*") if path.is_file()]) == 1
    assert len(door.ledger.landings()) == 1


def test_what_nobody_knows_and_is_huge_is_not_copied(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "WHOLE_BYTES", 1000)
    (tmp_path / "a.csv").write_bytes(b"x,y\n" * 300)
    (outcome,) = door.offer([tmp_path / "a.csv"])
    assert outcome.verdict == "unrecognised"
    assert not any(path.is_file() for path in door.lake.landing.rglob("*"))
