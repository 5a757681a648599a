"""Verify: each kind of harm is named, exactly, and a whole lake has none."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from walked_lake import walked

from bedrot import sql
from bedrot.config import Settings
from bedrot.contract import Delimited, Facts, Original
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.deliveries import delivery_as_json
from bedrot.lake.ledger import Ledger
from bedrot.lake.sealed import seal
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.tell.verify import Breach, verify
from bedrot.tell.verify_deep import disagreements, verify_deep
from bedrot.walk.archive import archive_superseded
from bedrot.walk.recount import Recount, amount_of, recount
from bedrot.walk.run import Walk


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return walked(tmp_path / "lake")


def found(lake: Lake, *, deep: bool = False) -> list[Breach]:
    with Ledger(lake.ledger_path) as ledger:
        return list(verify_deep(Walk(lake, ledger, Settings())) if deep else verify(lake, ledger))


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def files_of(lake: Lake) -> dict[str, bytes]:
    kept = (lake.raw, lake.curated, lake.staging, lake.landing, lake.archive)
    return {lake.relative(path): path.read_bytes() for zone in kept for path in zone.rglob("*") if path.is_file()}


def test_a_whole_lake_has_no_breach_and_is_not_changed(lake: Lake) -> None:
    before = files_of(lake)
    assert found(lake) == []
    assert found(lake, deep=True) == []
    assert files_of(lake) == before


def test_every_harmed_object_is_named_and_no_other(lake: Lake) -> None:
    rng = random.Random(7)  # noqa: S311  repeatable, not secret
    for number in range(60):
        data = bytes([number]) * 40
        (lake.root / "x").write_bytes(data)
        from bedrot.lake.objects import put_object

        put_object(lake, lake.root / "x")
    objects = sorted(path for path in lake.objects.rglob("*") if path.is_file())
    picked = rng.sample(objects, 40)
    for path in picked[:20]:
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        overwrite(path, bytes(data))
    for path in picked[20:30]:
        overwrite(path, path.read_bytes()[:-1])
    for one, other in zip(picked[30:40:2], picked[31:40:2], strict=True):
        mine, theirs = one.read_bytes(), other.read_bytes()
        overwrite(one, theirs)
        overwrite(other, mine)
    strangers = [lake.objects / "ab" / "note.txt", lake.objects / "00" / ("ff" * 32)]
    for path in strangers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    breaches = found(lake)
    assert {one.law for one in breaches} == {1}
    named = {one.what.split(" ")[0] for one in breaches}
    assert named == {lake.relative(path) for path in (*picked, *strangers)}
    assert len(breaches) == 42


def test_a_missing_object_is_named_by_the_file_it_was(lake: Lake) -> None:
    with Ledger(lake.ledger_path) as ledger:
        one = next(told for told in ledger.deliveries() if told.feed == "distrokid.spotify")
    path = lake.object_path(one.object)
    path.unlink()
    (breach,) = found(lake)
    assert "spotify_stats.html" in breach.what
    assert "missing" in breach.what
    write_decision(lake, decide("purge", one.id, "a test", one.received_at))
    with Ledger(lake.ledger_path) as ledger:
        ledger.catch_up(lake)
    (breach,) = found(lake)
    assert "is not finished" in breach.what  # its manifest goes last
    lake.manifest_path(one.id).unlink()
    assert not any("missing" in told.what or "not there" in told.what for told in found(lake))


@pytest.mark.parametrize("harm", ["torn", "edited", "renamed"])
def test_a_manifest_that_is_not_whole_is_named(lake: Lake, harm: str) -> None:
    path = min(lake.deliveries.glob("*.json"))
    text = path.read_text("utf-8")
    if harm == "torn":
        overwrite(path, text[:-5].encode())
    elif harm == "edited":
        overwrite(path, text.replace('"account":"', '"account":"x').encode())
    else:
        path.rename(path.with_name("0" * 32 + ".json"))
    breaches = found(lake)
    assert any(path.stem in one.what or "0" * 32 in one.what for one in breaches)
    assert {one.law for one in breaches} <= {1, 2}


def test_a_manifest_sealed_anew_with_another_account_is_seen(lake: Lake) -> None:
    with Ledger(lake.ledger_path) as ledger:
        one = ledger.deliveries()[0]
    overwrite(lake.manifest_path(one.id), seal(delivery_as_json(replace(one, account="other"))).encode())
    whats = [one.what for one in found(lake)]
    assert any("does not say what its name was made of" in what for what in whats)
    assert any("ledger says other things" in what for what in whats)


def test_a_ledger_that_counts_otherwise_is_seen(lake: Lake) -> None:
    con = sqlite3.connect(lake.ledger_path)
    con.execute("UPDATE staged SET value = replace(value, '\"records\":18', '\"records\":19')")
    con.commit()
    con.close()
    (breach,) = found(lake)
    assert breach.law == 3
    assert "19 records stand in the file, 18 are staged" in breach.what


def test_files_of_a_snapshot_that_are_gone_or_changed_are_named(lake: Lake) -> None:
    state = current(lake)
    assert state is not None
    gone = state.tables["royalties"].parts[0].path
    lake.absolute(gone).unlink()
    (breach,) = found(lake)
    assert (breach.law, gone in breach.what) == (9, True)
    changed = state.tables["streams_daily"].parts[0].path
    overwrite(lake.absolute(changed), lake.absolute(changed).read_bytes()[:-1] + b"x")
    assert any(changed in one.what and "bytes are other ones" in one.what for one in found(lake))


def test_a_damaged_record_pointer_or_bundle_is_named(lake: Lake) -> None:
    overwrite(lake.pointer_path, b"{}")
    assert {one.law for one in found(lake)} == {9}
    made = lake.archive / "snapshots" / "20250101T000000Z-abcdabcd.tar.zst"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"not a bundle")
    assert any(made.name in one.what for one in found(lake))
    assert archive_superseded(lake, 1, current_at(lake)).removed == []


def current_at(lake: Lake) -> object:
    with Ledger(lake.ledger_path) as ledger:
        return ledger.deliveries()[0].received_at


def test_deep_sees_a_staged_amount_that_was_changed_by_a_cent(lake: Lake) -> None:
    with Ledger(lake.ledger_path) as ledger:
        one = next(told for told in ledger.staged() if told.table == "toolost_sales")
    path = lake.absolute(one.path)
    con = sql.connect(None)
    copy = path.with_name("copy")
    con.execute(
        f"COPY (SELECT * REPLACE (CASE WHEN _line = 4 THEN earnings + 0.01 ELSE earnings END AS earnings)"
        f" FROM read_parquet({sql.files([path])})) TO {sql.text(copy.as_posix())} (FORMAT parquet)"
    )
    overwrite(path, copy.read_bytes())
    copy.unlink()
    assert found(lake) == []
    breaches = found(lake, deep=True)
    assert {one.law for one in breaches} == {5}
    assert f"{lake.relative(path)} is not what raw gives." in {one.what for one in breaches}
    assert any("staging.toolost_sales main/2025-05" in one.what and "earnings -0.01" in one.what for one in breaches)


def test_two_ways_of_counting_must_agree() -> None:
    feeds = {feed.name: feed for source in find_sources() for feed in source.feeds}
    feed = feeds["distrokid.bank"]
    from walked_lake import AT, GOLDEN

    path = GOLDEN / "distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv"
    assert isinstance(feed.read, Delimited)
    counted = recount(feed, Original(path, path.name, path.name), Facts("main", AT, "name", resaved=False))
    text = path.read_bytes().decode("utf-8").split("\r")[1:]
    by_hand = sum((Decimal(line.split("\t")[-1]) for line in text if line), Decimal(0))
    assert counted["distrokid_bank"].records == len([line for line in text if line])
    assert counted["distrokid_bank"].money["earnings"] == by_hand


def test_a_disagreement_is_a_sentence(lake: Lake) -> None:
    with Ledger(lake.ledger_path) as ledger:
        one = next(told for told in ledger.staged() if told.table == "toolost_sales")
    told = Recount(one.records, {"earnings": Decimal(one.money["earnings"]["file"])})
    told.unreadable["earnings"] = int(one.money["earnings"]["unreadable"])
    assert list(disagreements(one, told)) == []
    told.records += 1
    told.money["earnings"] += Decimal("0.01")
    told.unreadable["earnings"] += 1
    assert len(list(disagreements(one, told))) == 3


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.5", "1.5"),
        ("-.5", "-0.5"),
        ("4.1E-7", "0.00000041"),
        ("1,5", None),
        ("0x1F", None),
        ("1.1234567890123456789", None),
        ("1E-19", None),
        ("NaN", None),
    ],
)
def test_amounts_are_read_as_staging_should(text: str, amount: str | None) -> None:
    assert amount_of(text) == (None if amount is None else Decimal(amount))
