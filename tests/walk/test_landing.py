"""Landing: a copy that was accepted becomes the object in raw, and what a dead process left there goes."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedrot.config import Settings
from bedrot.errors import StorageFailed
from bedrot.lake import disk, objects, second_name
from bedrot.lake.deliveries import Delivery
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources, folder_of
from bedrot.tell.status import status
from bedrot.walk import accept
from bedrot.walk.accept import Door, Outcome, Told
from bedrot.walk.inbox import take_inbox
from bedrot.walk.land import Landing
from bedrot.walk.run import Walk

SOURCES = find_sources()
GOLDEN = {source.name: folder_of(source) / "golden" for source in SOURCES}
BANK = GOLDEN["distrokid"] / "DistroKid_1748520000000_Paper_Comets.tsv"
WAITS = GOLDEN["tiktok"] / "Overview.en_GB.csv"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Dead(BaseException):
    """The process was killed: nothing that it would have done later is done."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / BANK.name
    path.write_bytes(BANK.read_bytes())
    return path


def give(lake: Lake, *paths: Path, days: int = 0, told: Told | None = None) -> list[Outcome]:
    """One import command, `days` after the first."""
    with closing(Ledger(lake.ledger_path)) as ledger:
        return list(Door(lake, ledger, SOURCES, {}, told or Told(), NOW + days * DAY).offer(paths))


def landed(lake: Lake) -> list[Path]:
    return [path for path in lake.landing.rglob("*") if path.is_file()]


def the_object(lake: Lake) -> Path:
    """The one object, which must be whole, read-only and a file that has no other name."""
    (path,) = (one for one in lake.objects.rglob("*") if one.is_file())
    assert objects.check_object(lake, path.name)
    assert stat.S_IMODE(path.stat().st_mode) == disk.READ_ONLY
    assert path.stat().st_nlink == 1
    return path


def waiting(lake: Lake) -> list[tuple[str, str]]:
    with closing(Ledger(lake.ledger_path)) as ledger:
        return [(one.verdict, one.file) for one in status(Walk(lake, ledger, Settings())).files]


def noted(lake: Lake) -> list[str]:
    with closing(Ledger(lake.ledger_path)) as ledger:
        return [one.path for one in ledger.landings()]


def test_the_copy_in_landing_becomes_the_object(lake: Lake, given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    linked: list[tuple[Path, int]] = []
    write, adopt = disk.write, second_name.adopt

    def counted(fd: int, data: bytes) -> int:
        written.append(len(data))
        return write(fd, data)

    def seen(ours: Path, final: Path, chunks: Iterator[bytes]) -> bool:
        linked.append((ours, ours.stat().st_ino))
        return adopt(ours, final, chunks)

    monkeypatch.setattr(disk, "write", counted)
    monkeypatch.setattr(second_name, "adopt", seen)
    (outcome,) = give(lake, given)
    assert outcome.verdict == "accepted"
    assert landed(lake) == []
    ((ours, inode),) = linked
    assert ours.is_relative_to(lake.landing / "distrokid")
    assert the_object(lake).stat().st_ino == inode
    assert written.count(given.stat().st_size) == 1, "the bytes are written once"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.ENOTSUP])
def test_where_no_link_can_be_the_bytes_are_copied(
    lake: Lake, given: Path, refuse_links: Callable[[int], None], code: int
) -> None:
    refuse_links(code)
    (outcome,) = give(lake, given)
    assert outcome.verdict == "accepted"
    assert landed(lake) == []
    assert the_object(lake).read_bytes() == BANK.read_bytes()


def test_a_disk_that_refuses_for_another_reason_is_said(
    lake: Lake, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = disk.link

    def refuses(old: Path, new: Path) -> None:
        if old.parent != new.parent:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        link(old, new)

    monkeypatch.setattr(disk, "link", refuses)
    with pytest.raises(StorageFailed, match="EIO"):
        give(lake, given)
    assert [path for path in lake.raw.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert [one.verdict for one in give(lake, given, days=1)] == ["accepted"]
    assert landed(lake) == []


def behind_the_link(patch: pytest.MonkeyPatch) -> None:
    put = objects.put_object

    def dies(*told: object, **more: bool) -> None:
        put(*told, **more)  # type: ignore[arg-type]
        raise Dead

    patch.setattr(objects, "put_object", dies)


def behind_the_manifest(patch: pytest.MonkeyPatch) -> None:
    write = accept.write_manifest

    def dies(lake: Lake, delivery: Delivery) -> bool:
        write(lake, delivery)
        raise Dead

    patch.setattr(accept, "write_manifest", dies)


def behind_the_ledger(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Landing, "leave", dies)


def before_the_name_goes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(second_name, "drop", dies)


def left_by_a_dead_process(lake: Lake, given: Path) -> Path:
    """A copy in landing, with nothing of it in raw yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "put_object", dies)
        with pytest.raises(Dead):
            give(lake, given)
    (left,) = landed(lake)
    return left


def dies(*_told: object, **_more: object) -> None:
    raise Dead


DEATHS = (behind_the_link, behind_the_manifest, behind_the_ledger, before_the_name_goes)


@pytest.mark.parametrize("death", DEATHS)
def test_an_import_that_died_is_made_good_by_the_same_import(
    lake: Lake, given: Path, death: Callable[[pytest.MonkeyPatch], None]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        death(patch)
        with pytest.raises(Dead):
            give(lake, given)
    (left,) = landed(lake)
    assert left.stat().st_nlink == 2, "raw holds the bytes already"
    known = death in (behind_the_ledger, before_the_name_goes)
    assert len(waiting(lake)) == (0 if known else 1)
    (outcome,) = give(lake, given, days=1)
    assert outcome.verdict == ("repeat" if known else "accepted")
    assert (landed(lake), waiting(lake), noted(lake)) == ([], [], [])
    assert the_object(lake).read_bytes() == given.read_bytes() == BANK.read_bytes()
    with closing(Ledger(lake.ledger_path)) as ledger:
        assert [one.name for one in ledger.deliveries()] == [given.name]


@pytest.mark.parametrize("death", DEATHS)
def test_a_file_given_from_landing_becomes_the_object_also_when_that_died_once(
    lake: Lake, death: Callable[[pytest.MonkeyPatch], None]
) -> None:
    facts = Told(account="nova", exported_at=datetime(2024, 3, 3, tzinfo=UTC))
    assert [one.verdict for one in give(lake, WAITS, told=Told(account="nova"))] == ["waiting"]
    (waits,) = landed(lake)
    assert waiting(lake) == [("waiting", WAITS.name)]
    with pytest.MonkeyPatch.context() as patch:
        death(patch)
        with pytest.raises(Dead):
            give(lake, waits, days=1, told=facts)
    if death in (behind_the_ledger, before_the_name_goes):
        assert waiting(lake) == [], "it was taken: nobody has to do anything"
    assert landed(lake) == [waits]
    (outcome,) = give(lake, waits, days=2, told=facts)
    assert outcome.verdict in ("accepted", "repeat")
    assert outcome.name == WAITS.name
    assert (landed(lake), waiting(lake), noted(lake)) == ([], [], [])
    assert the_object(lake).read_bytes() == WAITS.read_bytes()


def test_a_file_of_a_person_never_shares_its_bytes_with_raw(lake: Lake, given: Path, tmp_path: Path) -> None:
    """Neither one from outside, nor one in the inbox or elsewhere in landing, nor one under a name like ours."""
    inbox = lake.landing / "inbox" / "a.tsv"
    dropped = lake.landing / "distrokid" / "mine.tsv"
    alike = lake.landing / "distrokid" / f"20250101T000000Z-{objects.hash_file(given)[0][:8]}.tsv"
    for number, (path, stays) in enumerate([(given, True), (inbox, False), (dropped, True), (alike, False)]):
        own = Lake.create(tmp_path / f"lake{number}") if path == given else lake
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(BANK.read_bytes())
        with path.open("rb+") as held:
            if path == inbox:
                with closing(Ledger(own.ledger_path)) as ledger:
                    outcomes = take_inbox(Door(own, ledger, SOURCES, {}, Told(account=f"a{number}"), NOW))
            else:
                outcomes = give(own, path, told=Told(account=f"a{number}"))
            assert [one.verdict for one in outcomes] == ["accepted"]
            assert path.exists() is stays
            held.write(b"written by a program that had it open")
        assert the_object(own).read_bytes() == BANK.read_bytes()
        path.unlink(missing_ok=True)
        the_object(own).unlink()
    assert landed(lake) == []


def test_only_names_in_the_lake_get_a_second_one(
    lake: Lake, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked: list[Path] = []
    link = disk.link

    def seen(old: Path, new: Path) -> None:
        linked.append(old)
        link(old, new)

    monkeypatch.setattr(disk, "link", seen)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(BANK.with_name("bank_2019.tsv"), "DistroKid_1600000000000_member.tsv")
    outcomes = give(lake, given, tmp_path / "x.zip")
    assert [one.verdict for one in outcomes] == ["accepted", "accepted"]
    assert len(linked) == 2 * 3, "in landing, in raw, and the manifest"
    for old in linked:
        ours = old.name.startswith(".tmp-") or old.is_relative_to(lake.landing)
        assert ours
        assert old.is_relative_to(lake.root)
        assert not old.is_relative_to(lake.work)
        assert not old.is_relative_to(lake.landing / "inbox")
    assert given.stat().st_nlink == 1


def test_a_copy_that_is_found_is_used_and_not_linked(lake: Lake, given: Path) -> None:
    """Another process wrote it: who else has it open is not known."""
    left = left_by_a_dead_process(lake, given)
    with left.open("rb") as held:
        assert [one.verdict for one in give(lake, given, days=1)] == ["accepted"]
        assert os.fstat(held.fileno()).st_ino != the_object(lake).stat().st_ino
    assert landed(lake) == []


def test_a_damaged_copy_that_is_found_is_not_used(lake: Lake, given: Path) -> None:
    left = left_by_a_dead_process(lake, given)
    left.chmod(0o644)
    left.write_bytes(b"x")
    assert [one.verdict for one in give(lake, given, days=1)] == ["accepted"]
    assert the_object(lake).read_bytes() == BANK.read_bytes()
    assert landed(lake) == [left], "what it is nobody knows: it is no copy of the file"


def test_the_last_good_copy_heals_raw_before_it_goes(lake: Lake, given: Path) -> None:
    give(lake, given)
    taken = the_object(lake)
    left = lake.landing / "distrokid" / f"20250101T000000Z-{taken.name[:8]}.tsv"
    left.write_bytes(given.read_bytes())
    taken.chmod(0o644)
    taken.write_bytes(given.read_bytes()[:-1] + b"?")
    assert [one.verdict for one in give(lake, given, days=1)] == ["repeat"]
    assert the_object(lake).read_bytes() == BANK.read_bytes()
    assert landed(lake) == []


def test_copies_in_several_folders_of_landing_all_go(lake: Lake, given: Path) -> None:
    with closing(Ledger(lake.ledger_path)) as ledger:
        door = Door(lake, ledger, [], {}, Told(), NOW)
        assert [one.verdict for one in door.offer([given])] == ["unrecognised"]
    (unknown,) = landed(lake)
    assert unknown.parent.name == "unknown"
    twin = unknown.parent.parent / "distrokid" / unknown.name
    twin.parent.mkdir()
    twin.write_bytes(given.read_bytes())
    assert [one.verdict for one in give(lake, given, days=1)] == ["accepted"]
    assert (landed(lake), noted(lake)) == ([], [])


def test_a_name_in_landing_that_cannot_be_removed_is_said_and_goes_the_next_time(
    lake: Lake, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = disk.unlink

    def refuses(path: Path) -> None:
        if not path.name.startswith(".tmp-"):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        unlink(path)

    monkeypatch.setattr(disk, "unlink", refuses)
    with pytest.raises(StorageFailed, match="not allow"):
        give(lake, given)
    monkeypatch.undo()
    assert waiting(lake) == []
    assert [one.verdict for one in give(lake, given, days=1)] == ["repeat"]
    assert landed(lake) == []
    the_object(lake)


def test_what_waits_is_still_said_where_other_bytes_were_taken(lake: Lake, given: Path) -> None:
    give(lake, WAITS, told=Told(account="nova"))
    give(lake, given, days=1)
    assert waiting(lake) == [("waiting", WAITS.name)]


def test_what_waits_for_another_reason_after_it_was_taken_is_said(lake: Lake) -> None:
    path = GOLDEN["tiktok"] / "Viewers_nova.lights.zip"
    assert {one.verdict for one in give(lake, path)} == {"accepted"}
    assert [one.verdict for one in give(lake, path, days=1, told=replace(Told(), account="other"))] == ["waiting"]
    assert [verdict for verdict, _ in waiting(lake)] == ["waiting"]
