"""What bad zips, bad names, odd places and changing files get; and what goes through the inbox."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import giving
from bedrot.lake import objects
from giving import BANK, GOLDEN, SECRET, Person, patched, zipped

TOOLOST = GOLDEN["toolost"] / "toolost_spotify_20250601_081500.json"
NAME = BANK.name


@pytest.fixture
def label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return giving.person(tmp_path, monkeypatch, capsys)


def outside(label: Person) -> set[Path]:
    """All paths outside the lake."""
    root = label.lake.root.parent
    return {path for path in root.rglob("*") if not path.is_relative_to(label.lake.root)}


def test_a_zip_with_one_bank_file(label: Person) -> None:
    path = zipped(label.downloads / "x.zip", {NAME: BANK.read_bytes()})
    assert label.one(path)["verdict"] == "accepted"
    assert label.raw() == {BANK.read_bytes()}


def test_a_zip_with_files_of_several_sources_as_a_mac_packs_it(label: Person) -> None:
    members = {
        "stuff/": b"",
        f"stuff/{NAME}": BANK.read_bytes(),
        f"__MACOSX/stuff/._{NAME}": b"\0\5\x16\7",
        "stuff/.DS_Store": b"\0",
        f"stuff/{TOOLOST.name}": TOOLOST.read_bytes(),
        "stuff/song.mp3": b"ID3\0\0\0",
    }
    rows = label.give(zipped(label.downloads / "x.zip", members))
    assert [(row["name"].rpartition("/")[2], row["verdict"]) for row in rows] == [
        (NAME, "accepted"),
        (f"._{NAME}", "skipped"),
        (".DS_Store", "skipped"),
        (TOOLOST.name, "accepted"),
        ("song.mp3", "unrecognised"),
    ]
    assert label.raw() == {BANK.read_bytes(), TOOLOST.read_bytes()}


@pytest.mark.parametrize("members", [{}, {"a/": b""}, {".DS_Store": b"\0"}])
def test_a_zip_without_a_file(label: Person, members: dict[str, bytes]) -> None:
    row = label.give(zipped(label.downloads / "x.zip", members))[-1]
    assert (row["verdict"], row["sentence"]) == ("refused", "The zip file holds no file.")


def one_bad(label: Person, name: str, data: bytes) -> bytes:
    """A zip of a bank file and one member that is wrong."""
    return zipped(label.downloads / "x.zip", {name: data, NAME: BANK.read_bytes()}).read_bytes()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../../evil.tsv", "points out of the zip file"),
        ("/etc/evil.tsv", "points out of the zip file"),
        ("C:\\evil.tsv", "points out of the zip file"),
        ("a\\..\\..\\evil.tsv", "points out of the zip file"),
        ("inner.zip", "It is another zip file."),
    ],
)
def test_a_member_that_is_not_allowed_is_refused_and_the_others_go_on(label: Person, name: str, sentence: str) -> None:
    path = label.file("x.zip", one_bad(label, name, b"evil"))
    before = outside(label)
    rows = label.give(path)
    assert [row["verdict"] for row in rows] == ["refused", "accepted", "refused"]
    assert sentence in rows[0]["sentence"]
    assert rows[0]["do"]
    assert label.raw() == {BANK.read_bytes()}
    assert outside(label) == before
    assert not list(label.lake.root.rglob("*evil*"))
    (noted,) = label.landed()
    assert label.kept(noted) == path.read_bytes()


def test_a_link_in_a_zip(label: Person) -> None:
    path = label.downloads / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link.tsv")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    (row, _) = label.give(path)
    assert row["sentence"] == "It is a link instead of a file."


def test_an_encrypted_zip(label: Person) -> None:
    data = zipped(label.downloads / "y.zip", {NAME: BANK.read_bytes()}).read_bytes()
    data = patched(patched(data, b"PK\x03\x04", 6, 1), b"PK\x01\x02", 8, 1)
    (row, _) = label.give(label.file("x.zip", data))
    assert row["sentence"] == "It is locked with a password."
    assert "Unpack the zip file yourself" in row["do"]


@pytest.mark.parametrize("declared", [None, 100, 50 << 20])
def test_a_zip_bomb(label: Person, declared: int | None) -> None:
    data = zipped(label.downloads / "y.zip", {"big.csv": bytes(300 << 20)}).read_bytes()
    if declared is not None:  # lying size, in both headers
        data = patched(patched(data, b"PK\x03\x04", 22, declared, 4), b"PK\x01\x02", 24, declared, 4)
    path = label.file("x.zip", data)
    began = time.monotonic()
    rows = label.give(path)
    assert time.monotonic() - began < 10
    assert all(row["verdict"] == "refused" for row in rows)
    assert rows[0]["sentence"] in (
        "It unpacks to far more than a download can hold.",
        "It is damaged inside the zip file.",
    )
    assert sum(one.stat().st_size for one in label.lake.root.rglob("*") if one.is_file()) < 2 << 20


def test_a_million_members_are_refused_before_they_are_listed(label: Person) -> None:
    entry = b"PK\x01\x02" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"a"
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + bytes(8) + len(directory).to_bytes(4, "little") + bytes(6)
    path = label.file("x.zip", b"PK\x03\x04" + bytes(26) + directory + end)
    began = time.monotonic()
    row = label.one(path)
    assert time.monotonic() - began < 10
    assert (row["verdict"], row["sentence"]) == ("refused", "The zip file holds more than 1,000 files.")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_a_zip_that_was_cut_off(label: Person, part: float) -> None:
    for source in (zipped(label.downloads / "y.zip", {NAME: BANK.read_bytes()}), GOLDEN["tiktok"] / "Viewers.xlsx"):
        data = source.read_bytes()
        row = label.one(label.file("x" + source.suffix, data[: int(len(data) * part)]))
        assert row["verdict"] in ("refused", "unrecognised")
        assert row["do"]
    assert label.raw() == set()


def test_a_cut_zip_is_not_taken_for_the_workbook_inside_it(label: Person) -> None:
    book = (GOLDEN["tiktok"] / "Viewers.xlsx").read_bytes()
    data = zipped(label.downloads / "y.zip", {"Viewers.xlsx": book}, zipfile.ZIP_STORED).read_bytes()
    for cut in range(1, 60, 7):
        assert label.one(label.file("Viewers_nova.zip", data[:-cut]))["verdict"] != "accepted"


def test_a_member_that_is_damaged(label: Person) -> None:
    data = bytearray(zipped(label.downloads / "y.zip", {NAME: BANK.read_bytes(), "b.csv": b"x"}).read_bytes())
    data[200] ^= 0xFF
    rows = label.give(label.file("x.zip", bytes(data)))
    assert rows[0]["sentence"] == "It is damaged inside the zip file."


NAMES = (
    "bell\x07\x1b[31m.tsv", "a" * 246 + ".tsv", "CON", "aux.tsv", "\u202eslx.tsv", "semi;rm -rf.tsv", "'quote\".tsv",
    " lead.tsv", "trail.tsv.", "\N{FIRE}\N{ZERO WIDTH JOINER}.tsv", "new\nline.tsv", "-rf.tsv", "%2e%2e%2f.tsv",
    "[red]x.tsv",
)  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_kept_as_data_and_never_on_disk(label: Person, name: str) -> None:
    path = label.file(f"in/{name}", BANK.read_bytes())
    assert label.one(path)["verdict"] == "accepted"
    for one in label.lake.root.rglob("*"):
        assert one.name.isascii()
        assert one.name.isprintable()
        assert len(one.name) < 100
    (manifest,) = label.lake.deliveries.glob("*.json")
    assert json.loads(manifest.read_text())["value"]["name"] == name
    label.file(f"in/{name}", "a,b\n1,2\n")
    answer = label.bedrot("import", label.downloads / "in")
    assert not {"\x07", "\x1b", "\u202e"} & set(answer.out + answer.err)


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names there are text")
def test_a_name_that_is_no_text(label: Person) -> None:
    (label.downloads / os.fsdecode(b"caf\xe9.tsv")).write_bytes(BANK.read_bytes())
    row = label.give(label.downloads)[0]
    assert (row["name"], row["verdict"]) == ("downloads/caf\\udce9.tsv", "accepted")
    label.bedrot("import", label.downloads)
    inbox = label.lake.landing / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / os.fsdecode(b"wei\xdf.csv")).write_bytes(b"a,b\n")
    assert label.bedrot("run").code == 1
    assert label.bedrot("run").code == 1
    assert [path.name for path in inbox.iterdir()] == ["wei\\udcdf.csv"]


@pytest.mark.parametrize(
    "account", ["../x", "a/b\\c", "x.", "\N{FIRE}", "CON", "'; DROP TABLE x", "a" * 200, "[bold]x"]
)
def test_a_hostile_account_is_a_value_and_never_a_path(label: Person, account: str) -> None:
    before = outside(label) | {BANK}
    row = label.one(BANK, "--account", account)
    assert (row["verdict"], row["account"]) == ("accepted", account)
    answer = label.bedrot("run", "--json")
    assert json.loads(answer.out)["failed"] == []
    said = label.bedrot("sql", "SELECT DISTINCT account FROM staging.distrokid_bank", "--format", "json")
    assert json.loads(said.out) == [{"account": account}]
    assert outside(label) | {BANK} == before
    assert all(len(path.name) < 120 and ".." not in path.name for path in label.lake.root.rglob("*"))


@pytest.mark.parametrize("account", ["", "  ", "a" * 201, "x\0y", "a\nb", "\u202ex", "x\udce9"])
def test_an_account_that_cannot_be(label: Person, account: str) -> None:
    answer = label.bedrot("import", BANK, "--account", account)
    assert answer.code == 2
    assert "--account" in answer.err
    assert "mistake of the program" not in answer.err
    assert label.raw() == set()


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_links_pipes_and_devices_in_a_folder(label: Person, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere.tsv"
    secret.write_bytes(BANK.read_bytes())
    (label.downloads / "a_link.tsv").symlink_to(secret)
    (label.downloads / "b_loop").symlink_to(label.downloads, target_is_directory=True)
    os.mkfifo(label.downloads / "c_pipe.tsv")
    label.file("d/e.json", TOOLOST.read_bytes())
    (label.downloads / ".git").mkdir()
    label.file(".git/config", "x")
    rows = label.give(label.downloads)
    said = {row["name"].removeprefix("downloads/"): (row["verdict"], row["sentence"]) for row in rows}
    assert said["a_link.tsv"] == ("refused", "It is a link, not a file.")
    assert said["b_loop"] == ("refused", "It is a link to a folder.")
    assert said["c_pipe.tsv"] == ("refused", "It is a device or a pipe, not a file.")
    assert said[".git"][0] == "skipped"
    assert len(rows) == 5
    assert label.raw() == {TOOLOST.read_bytes()}
    for place in (label.downloads / "c_pipe.tsv", Path("/dev/zero"), Path("/dev/null")):
        assert label.one(place)["sentence"] == "It is a device or a pipe, not a file."
    assert label.one(label.downloads / "a_link.tsv")["verdict"] == "accepted"


@pytest.fixture
def nobody(label: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a user without rights, who has a lake there; skipped where that cannot be."""
    if os.name == "nt":
        pytest.skip("POSIX")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if os.getuid() == 0:
                os.seteuid(0)


def test_files_and_folders_that_may_not_be_read(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    label = giving.person(nobody, monkeypatch, capsys)
    path = label.file("a.tsv", BANK.read_bytes())
    path.chmod(0)
    label.file(NAME, BANK.read_bytes())
    closed = label.file("closed/x.tsv", b"x").parent
    closed.chmod(0)
    try:
        rows = label.give(label.downloads)
    finally:
        closed.chmod(0o700)
    assert [(row["verdict"], row["sentence"]) for row in rows] == [
        ("accepted", ""),
        ("refused", "The file cannot be read: Permission denied."),
        ("refused", "The folder cannot be read: Permission denied."),
    ]
    assert all(row["do"] for row in rows[1:])


def test_the_lake_is_not_imported_into_itself(label: Person) -> None:
    label.one(BANK)
    before = label.raw()
    for place in (label.lake.root, label.lake.raw, label.lake.landing, label.lake.config_path, label.lake.ledger_path):
        row = label.one(place)
        assert (row["verdict"], row["sentence"]) == ("refused", "This belongs to the lake itself.")
    label.file("more.csv", "x,y\n")
    rows = label.give(label.lake.root.parent)
    assert {row["name"].rpartition("/")[2]: row["verdict"] for row in rows} == {
        "lake": "skipped",
        "more.csv": "unrecognised",
    }
    assert label.raw() == before
    label.file("../lake/from_me/b.json", TOOLOST.read_bytes())
    assert label.one(label.lake.root / "from_me")["verdict"] == "accepted"


@pytest.mark.parametrize("name", ["nothing.csv", "a" * 5000])
def test_a_file_that_is_not_there(label: Person, name: str) -> None:
    row = label.one(f"{label.downloads}/{name}")
    assert row["verdict"] == "refused"
    assert row["do"].startswith("Check the")


def test_an_empty_folder_says_so(label: Person) -> None:
    assert label.one(label.downloads)["sentence"] == "There is no file in this folder."


def test_the_same_bytes_again_and_for_another_account(label: Person) -> None:
    label.file(f"a/{NAME}", BANK.read_bytes())
    label.file(f"b/{NAME}", BANK.read_bytes())
    assert [row["verdict"] for row in label.give(label.downloads, label.downloads / "a")] == [
        "accepted",
        "repeat",
        "repeat",
    ]
    other = label.one(label.downloads / "a", "--account", "second")
    assert other["verdict"] == "accepted"
    assert len(label.raw()) == 1
    assert len(list(label.lake.deliveries.glob("*.json"))) == 2
    (seen,) = label.lake.sightings.glob("*.json")
    told = json.loads(seen.read_text())["value"]["sightings"]
    assert [one["relative"] for one in told] == [f"downloads/b/{NAME}", f"a/{NAME}"]


def test_the_same_bytes_under_another_name_are_a_repeat_that_is_seen(label: Person) -> None:
    label.one(BANK)
    again = label.file("DistroKid_1748520000000_copy (1).tsv", BANK.read_bytes())
    assert label.one(again)["verdict"] == "repeat"
    (seen,) = label.lake.sightings.glob("*.json")
    assert "copy (1)" in seen.read_text()


def test_a_file_that_changes_while_it_is_imported(label: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is what was looked at: the file grows between the look and the copy."""
    from bedrot.walk import land

    path = label.file(NAME, BANK.read_bytes())
    true = land._same_bytes

    def grown(original: object, digest: str) -> Iterator[bytes]:
        with path.open("ab") as file:
            file.write(b"more\r")
        return true(original, digest)  # type: ignore[arg-type]

    monkeypatch.setattr(land, "_same_bytes", grown)
    row = label.one(path)
    assert row["sentence"] == "The file changed while it was read."
    assert label.raw() == set()
    monkeypatch.undo()
    label.file(NAME, BANK.read_bytes())
    assert label.one(path)["verdict"] == "accepted"
    assert label.raw() == {BANK.read_bytes()}
    assert {objects.hash_file(one)[0] for one in label.lake.objects.rglob("*") if one.is_file()} == {
        one.name for one in label.lake.objects.rglob("*") if one.is_file()
    }


def test_unfinished_downloads_wait(label: Person) -> None:
    row = label.one(label.file(f"{NAME}.crdownload", BANK.read_bytes()[:500]))
    assert (row["verdict"], row["sentence"]) == ("waiting", "The browser has not finished this download.")


def test_many_files_cost_the_same_each(label: Person) -> None:
    """Twice the files, about twice the time: nothing is looked up by going through all that came before."""
    spent = []
    for turn, count in enumerate((50, 100, 300)):
        for number in range(count):
            label.file(f"{turn}/{number:04d}.csv", f"unknown,{turn},{number}\n1,2,3\n")
        began = time.process_time()
        label.give(label.downloads / str(turn))
        spent.append((time.process_time() - began) / count)
    assert spent[2] < 3 * spent[0]


def inbox(label: Person, name: str, data: bytes) -> Path:
    path = label.lake.landing / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_inbox_is_emptied_of_what_is_accepted(label: Person) -> None:
    inbox(label, NAME, BANK.read_bytes())
    inbox(label, "more/x.zip", zipped(label.downloads / "x.zip", {TOOLOST.name: TOOLOST.read_bytes()}).read_bytes())
    inbox(label, "again.tsv", BANK.read_bytes())
    answer = label.bedrot("run", "--json")
    assert answer.code in (0, 1)
    assert label.raw() == {BANK.read_bytes(), TOOLOST.read_bytes()}
    assert [path for path in (label.lake.landing / "inbox").rglob("*") if path.is_file()] == [
        path for path in [label.lake.landing / "inbox" / "again.tsv"] if path.exists()
    ]


def test_what_is_refused_stays_in_the_inbox_and_is_noted_once(label: Person) -> None:
    bad = inbox(label, "what.csv", b"a,b\n1,2\n")
    for _ in range(3):
        assert label.bedrot("run").code == 1
        (noted,) = label.landed()
        assert (noted.path, noted.verdict) == ("landing/inbox/what.csv", "unrecognised")
        assert [path for path in label.lake.landing.rglob("*") if path.is_file()] == [bad]
    assert label.bedrot("status").code in (0, 1)
    bad.write_bytes(BANK.read_bytes())
    label.bedrot("run")
    assert not bad.exists()


def test_a_zip_in_the_inbox_that_is_refused_in_part_is_counted_once(label: Person) -> None:
    path = zipped(label.downloads / "x.zip", {TOOLOST.name: TOOLOST.read_bytes(), "inner.zip": b"x"})
    kept = inbox(label, "x.zip", path.read_bytes())
    for _ in range(3):
        assert label.bedrot("run").code == 1
        assert kept.exists()
    assert label.raw() == {TOOLOST.read_bytes()}
    assert not list(label.lake.sightings.glob("*.json"))


def test_what_is_private_leaves_the_lake(label: Person) -> None:
    inbox(label, "trace.json", f'{{"access_token": "{SECRET}"}}'.encode())
    inbox(label, "sub/trace.json", f'{{"x": 1, "access_token": "{SECRET}"}}'.encode())
    answer = label.bedrot("run")
    assert answer.code == 1
    assert label.holds(SECRET) == []
    assert SECRET not in answer.out + answer.err
    folder = label.lake.root.with_name("lake-private")
    assert sorted(path.name for path in folder.iterdir()) == ["trace (2).json", "trace.json"]
    assert str(folder) in answer.out + answer.err
    if os.name != "nt":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert label.bedrot("run").code == 0


def test_a_workbook_bomb(label: Person) -> None:
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(200 << 20))
    began = time.monotonic()
    row = label.one(label.file("Viewers.xlsx", book.getvalue()))
    assert row["verdict"] in ("refused", "unrecognised")
    assert time.monotonic() - began < 10
