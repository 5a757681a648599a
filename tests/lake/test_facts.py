"""Manifests, sightings and decisions: kept in raw, sealed, and read back as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrot.errors import Damaged, Defect, Misconfigured
from bedrot.lake.decisions import Decision, Decisions, all_decisions, decide, write_decision
from bedrot.lake.deliveries import (
    Delivery,
    Sighting,
    all_manifests,
    all_sightings,
    by_age,
    delivery_as_json,
    delivery_id,
    delivery_of_json,
    read_manifest,
    write_manifest,
    write_sightings,
)
from bedrot.lake.sealed import read_sealed, seal
from bedrot.lake.zones import Lake

AT = datetime(2025, 3, 1, 12, 30, 5, 123456, tzinfo=UTC)


def delivered(name: str = "bank.tsv", *, account: str = "main", at: datetime = AT, **more: object) -> Delivery:
    sha = "a" * 64
    return replace(
        Delivery(
            id=delivery_id(sha, "distrokid.bank", account, at),
            object=sha,
            size=12,
            source="distrokid",
            feed="distrokid.bank",
            account=account,
            exported_at=at,
            exported_basis="name",
            resaved=False,
            name=name,
            relative=f"Étude/{name}",
            received_at=AT,
        ),
        **more,
    )


def test_a_manifest_comes_back_as_it_was_and_is_kept_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    one = delivered(claimed_at=AT - timedelta(days=3), member_time=AT, window={"days": "7"}, batch="b", resaved=True)
    assert write_manifest(lake, one) is True
    assert write_manifest(lake, replace(one, name="other")) is False
    assert read_manifest(lake, one.id) == one
    assert all_manifests(lake) == [one]


def test_there_are_none_before_there_is_a_folder(tmp_path: Path) -> None:
    assert all_manifests(Lake(tmp_path)) == []
    assert all_sightings(Lake(tmp_path)) == []
    assert all_decisions(Lake(tmp_path)) == []


def test_the_id_depends_on_what_makes_a_delivery_itself_and_on_nothing_else() -> None:
    base = delivery_id("a" * 64, "f", "main", AT)
    assert len(base) == 32
    assert base == delivery_id("a" * 64, "f", "main", AT.astimezone(timezone(timedelta(hours=5))))
    others = [
        delivery_id("b" * 64, "f", "main", AT),
        delivery_id("a" * 64, "g", "main", AT),
        delivery_id("a" * 64, "f", "other", AT),
        delivery_id("a" * 64, "f", "main", AT + timedelta(seconds=1)),
        delivery_id("a" * 64, "f", "main", AT, {}),
        delivery_id("a" * 64, "f", "main", AT, {"a": "1", "b": "2"}),
    ]
    assert len({base, *others}) == 7
    assert delivery_id("a" * 64, "f", "main", AT, {"b": "2", "a": "1"}) == others[-1]


def test_a_time_without_a_zone_is_a_defect() -> None:
    with pytest.raises(Defect, match="time zone"):
        delivery_id("a" * 64, "f", "main", AT.replace(tzinfo=None))


@pytest.mark.parametrize("how", ["cut", "edit", "space", "empty", "swap", "gone", "binary"])
def test_a_torn_or_edited_manifest_is_named(tmp_path: Path, how: str) -> None:
    lake, one, two = Lake(tmp_path), delivered(), delivered(account="other")
    for each in (one, two):
        write_manifest(lake, each)
    path = lake.manifest_path(one.id)
    path.chmod(0o644)
    whole = path.read_bytes()
    changed = {
        "cut": whole[:-20],
        "edit": whole.replace(b'"size":12', b'"size":13'),
        "space": whole + b" ",
        "empty": b"",
        "swap": lake.manifest_path(two.id).read_bytes(),
        "binary": b"\xff\xfe" + whole,
        "gone": b"",
    }[how]
    path.write_bytes(changed)
    if how == "gone":
        path.unlink()
    with pytest.raises(Damaged, match=one.id):
        read_manifest(lake, one.id)
    if how != "gone":
        with pytest.raises(Damaged, match=one.id):
            all_manifests(lake)


@given(place=st.integers(0, 5000), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_sealed_file_is_found(
    place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sealed") / "x.json"
    whole = seal(delivery_as_json(delivered())).encode()
    changed = bytearray(whole)
    changed[place % len(whole)] ^= 1 << bit
    path.write_bytes(changed)
    with pytest.raises(Damaged, match=r"x\.json"):
        read_sealed(path)


@given(
    st.builds(
        Delivery,
        id=st.text(),
        object=st.text(),
        size=st.integers(0, 1 << 60),
        source=st.text(),
        feed=st.text(),
        account=st.text(),
        exported_at=st.datetimes(timezones=st.just(UTC)),
        exported_basis=st.text(),
        resaved=st.booleans(),
        name=st.text(st.characters()),
        relative=st.text(),
        received_at=st.datetimes(timezones=st.just(UTC)),
        claimed_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        member_time=st.none() | st.datetimes(timezones=st.just(UTC)),
        batch=st.text(),
        window=st.none() | st.dictionaries(st.text(), st.text()),
    )
)
def test_any_delivery_goes_through_json(one: Delivery) -> None:
    assert delivery_of_json(delivery_as_json(one)) == one


def test_age_puts_a_resaved_file_before_every_original() -> None:
    old = delivered(at=AT - timedelta(days=9))
    new = delivered(at=AT)
    resaved = delivered(at=AT + timedelta(days=9), resaved=True)
    assert by_age([new, resaved, old]) == [resaved, old, new]
    assert delivered(claimed_at=AT - timedelta(days=1)).known_at == AT - timedelta(days=1)
    assert delivered().known_at == AT


def test_sightings_of_one_command_are_one_file(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = [Sighting("d1", AT, None, "a", "x/a"), Sighting("d2", AT, AT - timedelta(days=1), "b", "b")]
    later = [Sighting("d1", AT + timedelta(hours=1), None, "a", "x/a")]
    assert write_sightings(lake, []) is None
    for one in (later, first, first):
        write_sightings(lake, one)
    assert all_sightings(lake) == first + later
    assert len(list(lake.sightings.iterdir())) == 2


def test_decisions_are_kept_and_read_in_order_of_time(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    late = decide("retract", "d1", "wrong account", AT + timedelta(hours=1))
    early = decide("approve", "h1", "checked with the service", AT)
    assert write_decision(lake, late)
    assert write_decision(lake, early)
    assert write_decision(lake, early) is False
    assert all_decisions(lake) == [early, late]
    path = lake.decisions / f"{early.id}.json"
    path.chmod(0o644)
    path.write_text(path.read_text(encoding="utf-8").replace("checked", "guessed"), encoding="utf-8")
    with pytest.raises(Damaged, match=early.id):
        all_decisions(lake)


def test_a_decision_needs_a_reason_and_a_kind(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="--because"):
        decide("approve", "h1", "  ", AT)
    with pytest.raises(Defect):
        write_decision(Lake(tmp_path), Decision("x", "forget", "h1", "because", AT))  # type: ignore[arg-type]
    with pytest.raises(Defect):
        write_decision(Lake(tmp_path), Decision("../x", "approve", "h1", "because", AT))


def test_what_decisions_say_together() -> None:
    one, other = delivered(), delivered(account="other")
    told = [
        decide("reassign", one.id, "b", AT + timedelta(hours=2), "second"),
        decide("reassign", one.id, "a", AT, "first"),
        decide("approve", "h1", "c", AT + timedelta(hours=1)),
        decide("retract", other.id, "d", AT + timedelta(hours=3)),
    ]
    now = Decisions(told)
    assert now.account_of(one) == "second"
    assert now.account_of(other) == "other"
    assert now.approved("h1")
    assert not now.approved("h2")
    assert now.retracted(other.id)
    assert not now.retracted(one.id)
    then = now.until(AT + timedelta(hours=1))
    assert then.account_of(one) == "first"
    assert then.approved("h1")
    assert not then.retracted(other.id)
    assert Decisions(reversed(told)).digest == now.digest != then.digest
    assert Decisions().digest != then.digest
    assert [len(now), len(then)] == [4, 2]
