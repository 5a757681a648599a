"""Purge: nothing of what must go is left in any byte of any file, and everything else is as if it had never come."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import pytest
from purging import (
    ACCOUNT,
    AT,
    BECAUSE,
    Lives,
    bank,
    canaries,
    copy,
    everything,
    left_but_moved,
    line,
    live,
    lived_once,
    mine,
    name,
    rows_of_ledger,
    small_marts,
)

from bedrot.errors import Damaged, Misconfigured
from bedrot.lake import snapshot
from bedrot.lake.decisions import Decisions, all_decisions
from bedrot.lake.forget import ForgettingLedger
from bedrot.lake.ledger import Ledger
from bedrot.tell.status import status
from bedrot.tell.verify import check_bundles_whole, verify
from bedrot.walk import archive, purge
from bedrot.walk.known_on import known_on
from bedrot.walk.purge import allow
from bedrot.walk.purge_states import States
from bedrot.walk.purge_subject import Subject
from bedrot.walk.rebuild import rebuild


@pytest.fixture(scope="module")
def lived() -> Lives:
    return lived_once()


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    return live(tmp_path_factory.mktemp("never") / "one", without=True)


@pytest.fixture
def lives(lived: Lives, tmp_path: Path) -> Lives:
    return copy(lived, tmp_path)


@pytest.fixture(scope="module")
def purged(lived: Lives, tmp_path_factory: pytest.TempPathFactory) -> Lives:
    """A lake that was purged; tests that change it take a copy."""
    lives = copy(lived, tmp_path_factory.mktemp("purged"))
    lives.purge()
    return lives


def breaches(lives: Lives) -> list[str]:
    with Ledger(lives.lake.ledger_path) as ledger:
        return [one.what for one in (*verify(lives.lake, ledger), *check_bundles_whole(lives.lake))]


def test_the_canary_is_everywhere_before(lived: Lives) -> None:
    found = " ".join(canaries(lived.lake.root))
    places = ("raw/objects", "raw/deliveries", "raw/sightings", "raw/decisions", "staging/_rejects", "/merged/",
              "curated/_snapshots", "curated/_findings", "curated/royalties", "unpacked", "ledger.sqlite", "logs/",
              "captures/", "pulls/", "landing/", "damaged/", "parquet_metadata", "named so")  # fmt: skip
    assert [one for one in places if one not in found] == []
    assert archive.bundles(lived.lake)
    assert len(snapshot.numbers(lived.lake)) == 2


def test_nothing_of_it_is_left_and_all_else_is_as_if_it_had_never_come(
    lived: Lives, never: Lives, lives: Lives
) -> None:
    before = everything(lives.lake.root)
    told = lives.purge()
    after = everything(lives.lake.root)
    assert canaries(lives.lake.root) == []
    assert set(told) == before.keys() - after.keys()
    assert left_but_moved(lives) == left_but_moved(never)
    changed = {path for path, data in before.items() if path in after and after[path] != data}
    assert changed == {"curated/CURRENT", "ledger.sqlite", "logs/bedrot-2026-04-01.jsonl"}
    assert after["logs/bedrot-2026-04-01.jsonl"] == b'{"account": "main"}\n'
    assert breaches(lives) == []
    old, new = rows_of_ledger(lived.lake), rows_of_ledger(lives.lake)
    for table in ("deliveries", "staged"):
        assert new[table] == rows_of_ledger(never.lake)[table]
    assert [row[1:3] for row in new["standings"]] == [("distrokid", "main")]
    assert len(new["runs"]) == len(old["runs"])
    assert [row[5] for row in new["landings"]] == ["…"]
    with Ledger(lives.lake.ledger_path) as ledger:
        decided = list(ledger.decisions())
        assert decided == all_decisions(lives.lake)
    assert {one.because for one in decided} == {BECAUSE, "(The reason named what was purged.)"}
    assert sum(one.kind == "purge" for one in decided) == 5


def test_every_other_command_copes(purged: Lives, never: Lives, tmp_path: Path) -> None:
    lives = copy(purged, tmp_path)
    number = snapshot.current_number(lives.lake)
    assert lives.run() == number  # nothing new
    with small_marts(True), Ledger(lives.lake.ledger_path) as ledger:
        walk = lives.walk(ledger)
        assert not any("purge" in one for one in status(walk).needs)
        known = known_on(walk, AT - timedelta(days=1), tmp_path / "known")
        assert not any(ACCOUNT in part.partition for one in known.snapshot.tables.values() for part in one.parts)
        assert rebuild(walk, AT).equal
    kept = left_but_moved(lives)
    Ledger.rebuild(lives.lake)
    assert breaches(lives) == []
    number = lives.run()  # what is retracted is staged no more
    assert left_but_moved(lives) == kept
    stored = [one for one in range(1, number) if archive.archived_in(lives.lake, one)]
    assert 1 in stored
    archive.restore_snapshot(lives.lake, 1)
    assert archive.load_at_hand(lives.lake, 1).number == 1
    assert canaries(lives.lake.root) == []
    # states go on into the archive, although some of those before are purged
    given = tmp_path / "given"
    given.mkdir()
    for n in range(2):
        lives.give(
            given,
            name(f"2025-05-0{n + 1}", "Paper_Comets"),
            bank(line("2025-04-28", "Tidal", "Tides", f"{n}.5")),
            "main",
        )
        lives.run()
    assert snapshot.numbers(lives.lake) == [number + 1, number + 2]
    assert breaches(lives) == []


def test_the_same_file_is_refused_with_the_reason_until_a_person_lets_it_come_back(
    purged: Lives, tmp_path: Path
) -> None:
    lives = copy(purged, tmp_path)
    file = bank(mine("2025-01-28"), mine("2025-01-28", "-1.25"))
    before = everything(lives.lake.root)
    for account in (ACCOUNT, "another"):
        assert lives.give(tmp_path, name("2025-02-02", "Zanzibar_Trio"), file, account) == "purged"
    common = bank(line("2024-12-20", "Spotify", "Common Ground", "1.5"))
    assert lives.give(tmp_path, name("2025-01-02", "shared"), common, ACCOUNT) == "purged"
    assert len(lives.give(tmp_path, name("2025-01-02", "shared"), common, "main")) == 32
    assert {one for one in everything(lives.lake.root) if not one.startswith("raw/sightings")} == {
        one for one in before if not one.startswith("raw/sightings")
    }
    assert canaries(lives.lake.root) == []
    with Ledger(lives.lake.ledger_path) as ledger:
        told = next(one for one in ledger.decisions().tombstones if one.value == _sha(file))
        allow(lives.walk(ledger), told.target[:8], "They signed again.", AT)
    given = lives.give(tmp_path, name("2025-02-02", "Zanzibar_Trio"), file, ACCOUNT)
    assert given == told.target
    lives.run()
    assert any(f"staging/distrokid_bank/{given}" in one for one in everything(lives.lake.root))
    assert breaches(lives) == []
    lives.purge()
    assert canaries(lives.lake.root) == []
    assert breaches(lives) == []


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_one_delivery_goes_and_what_others_say_stays(lives: Lives) -> None:
    with Ledger(lives.lake.ledger_path) as ledger:
        (one,) = [one for one in ledger.deliveries() if "2025-04-02" in f"{one.exported_at}" and one.account == ACCOUNT]
        others = {two.id for two in ledger.deliveries()} - {one.id}
    assert lives.lake.object_path(one.object).exists()
    lives.purge(one.id[:6])
    assert canaries(lives.lake.root, (one.object, "0.61")) == [
        found
        for found in canaries(lives.lake.root, (one.object,))
        if found.startswith(("raw/decisions", "ledger.sqlite"))
    ]
    with Ledger(lives.lake.ledger_path) as ledger:
        assert {two.id for two in ledger.deliveries()} == others
    assert breaches(lives) == []
    assert lives.purge(one.id) == []  # nothing is left to do


def test_what_came_with_it_in_one_pull_stays(tmp_path: Path) -> None:
    lives = live_pull(tmp_path)
    with Ledger(lives.lake.ledger_path) as ledger:
        first, second = sorted(ledger.whole_deliveries(), key=lambda one: one.name)
    lives.purge(first.id)
    for _ in range(2):
        with Ledger(lives.lake.ledger_path) as ledger:
            assert ledger.whole_deliveries() == [second]
        assert left_but_moved(lives)
        Ledger.rebuild(lives.lake)


def live_pull(root: Path) -> Lives:
    from bedrot.lake.zones import Lake

    lives = Lives(Lake.create(root / "lake"))
    for n in (1, 2):
        content = bank(line(f"2025-0{n}-28", "Spotify", "Tides", "1.5"))
        lives.give(root, name(f"2025-03-0{n}", "a"), content, "main", batch="20250303T000000Z-x-1/2")
    lives.run()
    return lives


def test_a_reason_that_names_it_is_not_taken_and_changes_nothing(lives: Lives) -> None:
    before = everything(lives.lake.root)
    for because in (f"{ACCOUNT} left", "See DistroKid_1740873600000_Zanzibar_Trio.tsv", " "):
        with pytest.raises(Misconfigured, match="reason"):
            lives.purge(because=because)
    with pytest.raises(Misconfigured, match="no delivery's id"):
        lives.purge("ffffffff")
    after = everything(lives.lake.root)
    assert {path: data for path, data in after.items() if not path.startswith("ledger")} == {
        path: data for path, data in before.items() if not path.startswith("ledger")
    }


def test_a_damaged_bundle_stops_it_before_anything_is_done(lives: Lives) -> None:
    bundle = archive.bundles(lives.lake)[0]
    bundle.chmod(0o644)
    bundle.write_bytes(bundle.read_bytes()[:-40])
    with pytest.raises(Damaged, match="Nobody can tell"):
        lives.purge()
    assert not Decisions(all_decisions(lives.lake)).tombstones


# ---- wrong variants: each must be seen ----


def without_vacuum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ForgettingLedger, "shrink", lambda self: self._all("PRAGMA wal_checkpoint(TRUNCATE)"))


def bundles_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(States, "repacks", lambda *_: [])


def findings_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = purge.find_files

    def keeps(*told: object, **named: object) -> object:
        found = real(*told, **named)  # type: ignore[arg-type]
        found.derived = [path for path in found.derived if "_findings" not in str(path)]
        return found

    patch.setattr(purge, "find_files", keeps)


def memory_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ForgettingLedger, "memo_forget", lambda *_: None)


@pytest.mark.parametrize("plant", [without_vacuum, bundles_forgotten, findings_forgotten, memory_kept])
def test_what_a_wrong_variant_leaves_is_seen(lives: Lives, plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(plant)
    plant(monkeypatch)
    lives.purge()
    assert canaries(lives.lake.root) != []


def test_a_shared_object_that_is_deleted_is_seen(lives: Lives, never: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    everyones = cached_property(lambda self: frozenset(one.object for one in self.deliveries))
    everyones.__set_name__(Subject, "objects")
    monkeypatch.setattr(Subject, "objects", everyones)
    lives.purge()
    assert left_but_moved(lives) != left_but_moved(never)
    assert any("is missing" in one for one in breaches(lives))
