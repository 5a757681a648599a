"""Collecting takes what a person downloads, when it is whole, and nothing of what else lies in Downloads."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from browsing import browser, needs_chromium
from collecting import (
    BANK_AT,
    GUESTS,
    LABEL,
    LOG_IN,
    MARK,
    PHOTO,
    TIKTOK_AT,
    Person,
    bank,
    download_tab,
    running,
    saves_to,
    stats,
    tiktok,
    wait,
    within,
    zipped,
)  # fmt: skip
from distrokid_portal import DistroKid
from portal import Clock, Portal
from tiktok_portal import PAGE, TikTok
from typer.testing import CliRunner

from bedrot.commands.collect import app
from bedrot.config import read_settings
from bedrot.connect import collect
from bedrot.connect.guide import Guide, Keeps, Mark, Step, due, forgets, guide_of, newest_day
from bedrot.errors import Defect, Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.run import Walk, run

BY_NAME = {one.name: one for one in find_sources()}
GUIDED = [name for name, one in BY_NAME.items() if guide_of(one)]


def check_unfinished(root: Path) -> None:
    """A download is taken once, when it is whole: with an ending, growing under its name, or beside its place."""
    person = Person(root, "distrokid")
    name, content = bank()
    page, apple = stats(), stats("applemusic")
    growing, placed = person.folder / "grows.html", person.folder / "apple.html"

    def grow(end: int | None) -> None:
        growing.write_bytes(page[:end])

    person.does = {
        1: lambda: (person.save(f"{name}.crdownload", content[: len(content) // 2]), grow(len(page) // 3)),
        2: lambda: (grow(len(page) // 2), placed.write_bytes(b""), person.save("apple.html.part", apple[:5000])),
        3: lambda: grow(len(page) * 2 // 3),
        5: lambda: grow(None),
        9: lambda: (person.save(f"{name}.crdownload", content), person.save("apple.html.part", apple)),
        13: lambda: (person.folder / f"{name}.crdownload").rename(person.folder / name),
        14: lambda: (person.folder / "apple.html.part").replace(placed),
    }
    work = person.watched(30)
    assert sorted(person.verdicts()) == sorted(
        [("grows.html", "accepted"), (name, "accepted"), ("apple.html", "accepted")]
    )
    assert not work.needs_person
    assert len(work.done) == 3
    assert person.looks < 30, "it ends by itself when all is done"
    assert [path for path in (person.lake.landing).rglob("*") if path.is_file()] == []


def check_strangers(root: Path) -> None:
    """What no feed of the asked sources knows is nowhere in the lake, neither its bytes nor its name."""
    person = Person(root, "distrokid")
    name, content = tiktok()
    strange = {
        "beach holiday.jpg": PHOTO, "beach page.html": LOG_IN, "beach guests.csv": GUESTS, name: content,
        "beach.zip": zipped({"a.jpg": PHOTO, "b.csv": GUESTS}), "beach broken.zip": zipped({"a.csv": GUESTS})[:-30],
        "beach.tsv": b"\t" * 6000 + MARK,
    }  # fmt: skip
    person.does = {1: lambda: [person.save(*one) for one in strange.items()]}
    work = person.watched()
    assert within(person.lake.root, MARK, b"beach", b"nova.tides") == []
    assert (person.told, person.deliveries(), work.needs_person) == ([], [], False)
    said = list(work.left_alone())
    assert said[0] == "7 other files left alone."
    assert any("log-in page" in one for one in said)
    assert not any("beach" in one for one in said)


def test_only_what_is_whole_is_taken(tmp_path: Path) -> None:
    check_unfinished(tmp_path)


def test_strangers_are_left_alone(tmp_path: Path) -> None:
    check_strangers(tmp_path)


def test_who_takes_unfinished_files_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "STILL", 0)
    monkeypatch.setattr(collect, "_finished", lambda *_: True)
    with pytest.raises(AssertionError):
        check_unfinished(tmp_path)


def test_who_takes_strangers_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "offered", lambda *_: True)
    with pytest.raises(AssertionError):
        check_strangers(tmp_path)


def test_a_renamed_file_is_known_by_content_and_a_duplicate_is_a_repeat(tmp_path: Path) -> None:
    person = Person(tmp_path, "distrokid")
    name, content = bank()
    person.does = {
        1: lambda: person.save("my money.txt", content),
        5: lambda: person.save("my money (1).txt", content),
        9: lambda: person.save("my money.txt", stats()),
    }
    work = person.watched(20)
    assert person.verdicts() == [
        ("my money.txt", "accepted"),
        ("my money (1).txt", "repeat"),
        ("my money.txt", "accepted"),
    ]
    assert {one.step.id for one in work.done} == {"bank", "spotify"}
    assert not work.needs_person
    assert name not in str(person.deliveries())


def test_a_broken_file_is_refused_until_a_whole_one_comes_in_its_place(tmp_path: Path) -> None:
    person = Person(tmp_path, "tiktok")
    name, content = tiktok()
    person.does = {1: lambda: person.save(name, content[:-200])}
    work = person.watched(8)
    assert person.verdicts() == [(name, "refused")]
    assert (work.needs_person, work.done) == (True, set())
    person.does = {9: lambda: person.save(name, content)}
    work.watch(lambda: person.looks >= 15)
    assert person.verdicts()[1:] == [(name, "accepted")]
    assert (work.needs_person, len(work.done)) == (False, 1)


def test_a_zip_is_taken_where_all_in_it_is_known(tmp_path: Path) -> None:
    person = Person(tmp_path, "distrokid")
    name, content = bank()
    person.does = {
        1: lambda: person.save("all.zip", zipped({"__MACOSX/._x": b"x", name: content, "s.html": stats()})),
        5: lambda: person.save("some.zip", zipped({name: content, "beach.jpg": PHOTO})),
    }
    work = person.watched()
    assert person.verdicts() == [
        ("all.zip/__MACOSX/._x", "skipped"), (f"all.zip/{name}", "accepted"), ("all.zip/s.html", "accepted"),
        ("some.zip", "waiting"),
    ]  # fmt: skip
    assert work.needs_person
    assert within(person.lake.root, MARK, b"beach", b"some.zip") == []


def test_what_is_private_is_said_and_copied_nowhere(tmp_path: Path) -> None:
    person = Person(tmp_path, "linktree")
    told = b'{"data":{"currentUser":{"id":1,"email":"me@example.com","__typename":"User"}}}'
    person.does = {1: lambda: person.save("graphql.json", told)}
    work = person.watched()
    assert person.verdicts() == [("graphql.json", "private")]
    assert work.needs_person
    assert within(person.lake.root, b"me@example.com") == []


def test_only_what_came_since_is_taken(tmp_path: Path) -> None:
    person = Person(tmp_path, "distrokid")
    name, content = bank()
    for path, days in ((person.save(name, content), 3), (person.save("page.html", stats()), 0.5)):
        at = (person.now - timedelta(days=days)).timestamp()
        os.utime(path, (at, at))
    assert len(person.watched(6).done) == 0
    work = person.collect(since=person.now - timedelta(days=1))
    work.once()
    assert person.verdicts() == [("page.html", "accepted")]
    work = person.collect(since=person.now - timedelta(days=4))
    work.once()
    assert person.verdicts()[1:] == [(name, "accepted"), ("page.html", "repeat")]


def test_while_another_process_writes_the_file_waits(tmp_path: Path) -> None:
    person = Person(tmp_path, "distrokid")
    lock = writer_lock(person.lake)
    lock.__enter__()
    person.does = {1: lambda: person.save("page.html", stats()), 9: lambda: lock.__exit__(None, None, None)}
    work = person.watched(15)
    assert person.verdicts() == [("page.html", "accepted")]
    assert len([one for one in person.said if "The file waits" in one]) == 1
    assert not work.needs_person


def test_each_account_has_its_own_steps(tmp_path: Path) -> None:
    person = Person(tmp_path, "tiktok", accounts={"tiktok": ("nova.tides", "pale.harbour")})
    name, content = tiktok()
    person.does = {1: lambda: person.save(name, content)}
    work = person.watched()
    assert [(one.step.id, one.account) for one in work.done] == [("overview", "nova.tides")]
    assert len(work.tasks) == 8
    with Ledger(person.lake.ledger_path) as ledger:
        said = list(work.missing(ledger, date(2026, 2, 8)))
        assert [one.partition(":")[0] for one in said] == ["Missing"] * 7 + ["How it is known what TikTok keeps"]
        mine, other = (next(one for one in work.tasks if one.account == name) for name in person.accounts["tiktok"])
        assert not due(mine, ledger, datetime.now(UTC))
        assert due(mine, ledger, datetime.now(UTC) + timedelta(days=8))
        assert due(other, ledger, datetime.now(UTC))
        assert newest_day(mine, ledger) is None


def test_after_a_run_the_newest_day_is_that_of_the_data(tmp_path: Path) -> None:
    person = Person(tmp_path, "distrokid")
    person.does = {1: lambda: person.save("page.html", stats())}
    work = person.watched()
    with Ledger(person.lake.ledger_path) as ledger:
        run(Walk(person.lake, ledger, read_settings(person.lake.config_path)))
        bank_step, spotify, apple = work.tasks
        assert newest_day(spotify, ledger) == date(2026, 2, 6)
        assert newest_day(apple, ledger) is newest_day(bank_step, ledger) is None
        again = person.collect()
        assert [one for one in again.missing(ledger, TODAY) if "2026-02-07 is forgotten there on 2027-02-08" in one]


def test_a_page_is_opened_when_the_one_before_is_done_or_nothing_comes(tmp_path: Path) -> None:
    person = Person(tmp_path, "distrokid")
    name, content = bank()
    counts: dict[int, int] = {}
    person.does = {look: lambda look=look: counts.update({look: len(person.opened)}) for look in (5, 12, 200, 300)}
    person.does[6] = lambda: person.save(name, content)
    person.watched(320, opens=True)
    assert counts == {5: 1, 12: 2, 200: 2, 300: 3}
    assert person.opened == [one.step.page for one in person.tasks]
    assert [one for one in person.said if one.startswith("3 of 3: DistroKid, Apple Music")]


def test_without_opening_all_steps_are_told_at_once(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.watched(1)
    text = "\n".join(person.said)
    for task in person.tasks:
        assert task.step.page in text
        assert all(press in text for press in task.step.press)
        assert f"{task.step.marks[-1].words}): {task.step.known}" in text


TODAY = date(2026, 2, 8)
ROLLING = "As far as is known, TikTok shows 365 days:"


@pytest.mark.parametrize(
    ("name", "keeps", "newest", "said"),
    [
        (
            "tiktok",
            Keeps.WINDOW,
            date(2026, 2, 6),
            f"{ROLLING} if it is left, 2026-02-07 is forgotten there on 2027-02-08.",
        ),
        ("tiktok", Keeps.WINDOW, date(2025, 1, 31), "2025-02-01 to 2025-02-07 is forgotten there already"),
        (
            "tiktok",
            Keeps.WINDOW,
            None,
            "no day of it yet. As far as is known, TikTok shows 365 days: what was before 2025-02-08 is gone",
        ),
        ("toolost", Keeps.YEAR, date(2026, 2, 6), "on 2027-01-01 it forgets the days of 2026."),
        ("toolost", Keeps.YEAR, date(2025, 12, 28), "2025-12-29 to 2025-12-31 is forgotten there already"),
        ("toolost", Keeps.UNKNOWN, None, "How long TooLost keeps it is not known."),
        ("distrokid", Keeps.ALL, None, "No end is known"),
        ("tiktok", Keeps.NOW, None, "a day without a download stays unknown."),
    ],
)
def test_what_is_forgotten_is_said_with_its_day(name: str, keeps: Keeps, newest: date | None, said: str) -> None:
    assert said in forgets(BY_NAME[name], keeps, newest, TODAY)


def test_the_window_is_that_of_the_source() -> None:
    source = replace(BY_NAME["tiktok"], remembers=replace(BY_NAME["tiktok"].remembers, days=10))
    told = forgets(source, Keeps.WINDOW, TODAY - timedelta(days=11), TODAY)
    assert f"{TODAY} " not in told
    assert "if it is left, 2026-01-29 is forgotten there on 2026-02-09." in told
    assert "2026-01-28 to 2026-01-28 is forgotten" in forgets(source, Keeps.WINDOW, TODAY - timedelta(days=12), TODAY)


def test_every_service_has_a_guide_that_leads_to_feeds_of_its_own() -> None:
    assert GUIDED == ["distrokid", "linktree", "metaads", "tiktok", "toolost"]
    for name in GUIDED:
        guide = guide_of(BY_NAME[name])
        assert guide
        assert all(isinstance(mark, Mark) for step in guide.steps for mark in step.marks)
        led = {feed for step in guide.steps for feed in step.feeds}
        left = {feed.name for feed in BY_NAME[name].feeds} - led
        assert left == ({"metaads.campaigns", "metaads.adsets", "metaads.ads"} if name == "metaads" else set())


def test_a_step_without_evidence_is_a_defect() -> None:
    step = Step("a", "A", "https://example.com", ("Press it.",), ("a.b",), 7, (Mark.REAL,), "Seen.")
    for wrong in ({"page": "http://example.com"}, {"marks": ()}, {"known": ""}, {"press": ()}, {"every": 0}):
        with pytest.raises(Defect):
            replace(step, **wrong)  # type: ignore[arg-type]
    with pytest.raises(Defect):
        Guide((step, step))


def test_the_command_takes_once_and_says_what_is_missing(tmp_path: Path) -> None:
    Lake.create(tmp_path / "lake")
    folder = tmp_path / "Downloads"
    folder.mkdir()
    (folder / "page.html").write_bytes(stats())
    (folder / "beach.jpg").write_bytes(PHOTO)
    options = ["--once", "--downloads", str(folder), "--lake", str(tmp_path / "lake")]
    told = CliRunner().invoke(app, ["distrokid", *options])
    assert told.exit_code == 0, told.output
    assert "accepted     page.html distrokid.spotify (main)" in told.output
    assert "1 of 3 steps done." in told.output
    assert "Missing: DistroKid, Bank details." in told.output
    assert "1 other file left alone." in told.output
    assert "beach" not in told.output
    assert within(tmp_path / "lake", MARK, b"beach") == []
    (folder / "Viewers_x.zip").write_bytes(tiktok("Viewers")[1][:-99])
    assert CliRunner().invoke(app, options).exit_code == 1
    for wrong in (["nobody", *options], ["--downloads", str(tmp_path / "lake"), *options[3:]],
                  ["--downloads", str(tmp_path / "none"), *options[3:]], [*options, "--account", " "]):  # fmt: skip
        assert isinstance(CliRunner().invoke(app, wrong).exception, Misconfigured), wrong


@needs_chromium
def test_a_person_downloads_in_a_browser_while_it_collects(tmp_path: Path) -> None:
    folder, log = tmp_path / "Downloads", tmp_path / "log.txt"
    folder.mkdir()
    lake = Lake.create(tmp_path / "lake")
    (folder / "beach before.jpg").write_bytes(PHOTO)
    with running(lake.root, folder) as process:
        with Portal(DistroKid(LABEL), Clock(BANK_AT)) as portal, browser(portal, "/bank/") as page:
            saves_to(page, folder)
            page.locator('a[href="/bank/details/"]').click()
            page.locator('div[onclick^="downloadBank"]').click()
            wait(log, "Done: DistroKid, Bank details")
            (folder / "beach.jpg").write_bytes(PHOTO)
            page.goto(f"{portal.url}/stats/?type=all&data=streams")
            drawn = page.content().encode()
            half = folder / "Stats - DistroKid.html.crdownload"
            half.write_bytes(drawn[: len(drawn) // 2])
            portal.expire()
            page.goto(f"{portal.url}/stats/?type=all&data=applemusic")
            (folder / "beach log-in.html").write_bytes(page.content().encode() + MARK)
            (folder / "renamed by me.htm").write_bytes(stats("applemusic"))
            wait(log, "Done: DistroKid, Apple Music")
            assert "DistroKid, Daily Spotify streams." not in log.read_text(encoding="utf-8")
            half.write_bytes(drawn)
            half.rename(folder / "Stats - DistroKid.html")
            wait(log, "Done: DistroKid, Daily Spotify")
        with Portal(TikTok(LABEL), Clock(TIKTOK_AT)) as portal, browser(portal, PAGE, "nova.tides") as page:
            saves_to(page, folder)
            for tab, title in (("Overview", "Views, likes"), ("Viewers", "Viewers a day")):
                download_tab(page, tab)
                wait(log, f"Done: TikTok, {title}")
        name, content = bank()
        (folder / f"{name} (1).tsv").write_bytes(content)
        wait(log, "repeat ")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    said = log.read_text(encoding="utf-8")
    with Ledger(lake.ledger_path) as ledger:
        came = sorted((one.feed, one.account, one.name) for one in ledger.deliveries())
        assert ledger.landings() == []
    assert came == [
        ("distrokid.apple", "main", "renamed by me.htm"),
        ("distrokid.bank", "main", name),
        ("distrokid.spotify", "main", "Stats - DistroKid.html"),
        ("tiktok.overview", "nova.tides", tiktok()[0]),
        ("tiktok.viewers", "nova.tides", "Viewers_nova.tides.zip"),
    ]
    assert within(lake.root, MARK, b"beach") == []
    assert "beach" not in said
    assert "2 other files left alone." in said
    assert "5 of 13 steps done." in said
    assert "Missing: TooLost, Sales reports." in said
    assert "Traceback" not in said
    assert "Stopped" not in said
