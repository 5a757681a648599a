"""`bedrot purge` as a person gives it: it tells, asks, does exactly that, and says what it cannot reach."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from purging import ACCOUNT, BECAUSE, TITLE, bank, canaries, everything, line, mine, name

import giving
from bedrot.lake.ledger import Ledger
from bedrot.walk import marts
from giving import Answer, Person, zipped

WHOLE = ("purge", "--account", "distrokid", ACCOUNT, "--because", BECAUSE)


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    """Somebody with two accounts in the lake, and one mart."""
    load = marts.load_marts
    monkeypatch.setattr(marts, "load_marts", lambda told: tuple(one for one in load(told) if one.name == "royalties"))
    person = giving.person(tmp_path, monkeypatch, capsys)
    ours = person.file(name("2025-02-02", "Zanzibar_Trio"), bank(mine("2025-01-28")))
    other = person.file(name("2025-02-01", "Paper_Comets"), bank(line("2025-01-28", "Spotify", "Tides", "1.5")))
    person.give(ours, options=("--account", ACCOUNT))
    person.give(other, options=("--account", "main"))
    person.bedrot("run")
    return person


def listed(answer: Answer) -> set[str]:
    """The files that the command says go."""
    return {one.strip() for one in answer.out.splitlines() if one.startswith("  ")}


def test_what_it_tells_is_what_it_does(person: Person, tmp_path: Path) -> None:
    root = person.lake.root
    person.lake.config_path.write_text(f'[[account]]\nsource = "distrokid"\nname = "{ACCOUNT}"\n', encoding="utf-8")
    target = tmp_path / "backup"
    person.bedrot("backup", target)
    assert canaries(target)
    before = everything(root)
    told = person.bedrot(*WHOLE, "--dry-run")
    assert told.code == 0
    assert "Would go: delivery" in told.out
    steady = {path: data for path, data in before.items() if not path.startswith(("ledger", "logs", ".lock"))}
    assert all(everything(root)[path] == data for path, data in steady.items())
    for more in ((), ("--backup", target)):
        refused = person.bedrot(*WHOLE, "--yes", *more)
        assert (refused.code, "bedrot.toml names the account" in refused.err) == (2, True)
    assert all(everything(root)[path] == data for path, data in steady.items())
    person.lake.config_path.write_text("", encoding="utf-8")
    done = person.bedrot(*WHOLE, "--yes", "--backup", target)
    assert done.code == 0, done
    assert listed(done) == listed(told) == before.keys() - everything(root).keys()
    assert canaries(root) == []
    assert canaries(target) == []
    for said in ("bedrot logout distrokid", "Other copies", "older backups are"):
        assert said in done.out
    assert person.bedrot("verify", "--deep").code == 0
    assert "Tides" in person.bedrot("sql", "select title from royalties").out
    assert "equals" in person.bedrot("rebuild", "--ledger").out
    again = person.bedrot(*WHOLE, "--yes")
    assert again.code == 0
    assert "Copies made elsewhere" in again.out


def test_nothing_goes_before_it_is_typed(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(everything(person.lake.raw))
    for typed, code in (("", 2), ("yes\n", 2), (f"{ACCOUNT}\n", 0)):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        answer = person.bedrot(*WHOLE)
        assert answer.code == code
        assert f"type {ACCOUNT}" in answer.out
        assert (set(everything(person.lake.raw)) == before) is bool(code)
    assert canaries(person.lake.root) == []


WRONG = [
    (("--because", "x"), "Say what must go"),
    (("--because", "x", "--account", "distrokit", "a"), "There is no source 'distrokit'"),
    (("--because", "x", "--delivery", "abcdef12"), "no delivery's id"),
    (("--because", " ", "--account", "distrokid", ACCOUNT), "needs a reason"),
    (("--because", f"{ACCOUNT} left", "--account", "distrokid", ACCOUNT), "kept for ever"),
    (("--because", "x", "--allow", "abcdef12"), "Nothing was purged"),
    (("--because", "x", "--allow", "abcdef12", "--delivery", "abcdef12"), "stands alone"),
]


def test_what_cannot_be_meant_is_a_sentence(person: Person) -> None:
    before = everything(person.lake.raw)
    for words, said in WRONG:
        answer = person.bedrot("purge", *words, "--yes")
        assert (answer.code, said in answer.err) == (2, True), answer
    assert person.bedrot("purge", "--account", "tiktok", "never.seen", "--because", BECAUSE, "--yes").code == 0
    assert everything(person.lake.raw) == before


def test_it_does_not_come_back_in_a_zip_nor_through_the_inbox(person: Person) -> None:
    ours = person.downloads / name("2025-02-02", "Zanzibar_Trio")
    assert person.bedrot(*WHOLE, "--yes").code == 0
    broken = {ours.name: ours.read_bytes(), "page.html": b"<!doctype html><title>Log in</title>"}
    rows = person.give(zipped(person.downloads / "all.zip", broken), options=("--account", ACCOUNT))
    assert "purged" in {row["verdict"] for row in rows}
    inbox = person.lake.landing / "inbox" / ours.name
    inbox.write_bytes(ours.read_bytes())
    said = person.bedrot("run")
    assert (said.code, "moved out of the lake" in said.out) == (1, True)
    assert BECAUSE in said.out
    assert not inbox.exists()
    assert not [one for one in canaries(person.lake.root, (TITLE,)) if not one.startswith("logs")]
    with Ledger(person.lake.ledger_path) as ledger:
        told = ledger.decisions().tombstones[0].target
    assert person.bedrot("purge", "--allow", told[:10], "--because", "They signed again.").code == 0
    assert person.one(ours, "--account", ACCOUNT)["verdict"] == "accepted"
    person.bedrot("run")
    assert TITLE in person.bedrot("sql", "select title from royalties").out
    person.bedrot("purge", "--delivery", told, "--because", BECAUSE, "--yes")
    assert [one for one in canaries(person.lake.root, (TITLE,)) if "logs" not in one] == []
