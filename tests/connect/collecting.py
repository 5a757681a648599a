"""A person with a Downloads folder, for tests of collecting: with a clock of their own, or at a real browser."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from distrokid_portal import DistroKid
from playwright.sync_api import Page
from portal import Answer, Asked, Faults
from tiktok_portal import FILE, TikTok

from bedrot.commands.walk import door_of
from bedrot.config import read_settings
from bedrot.connect.collect import Collect, Downloads
from bedrot.connect.guide import Task, guide_of, tasks_of
from bedrot.contract import Source
from bedrot.demo.label import invent
from bedrot.lake.ledger import Ledger
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.walk.accept import Outcome, Told

LABEL = invent(7)
BANK_AT = datetime(2026, 2, 8, 10, 58, tzinfo=UTC)
TIKTOK_AT = datetime(2025, 6, 17, 17, 2, 24, tzinfo=UTC)
MARK = b"a-stranger-at-the-beach"
PHOTO = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + MARK + bytes(range(256)) * 40
LOG_IN = b'<!doctype html><html><body><form>Log in <input type="password"></form>' + MARK + b"</body></html>"
GUESTS = b"Guest,Table,Note\nAunt May,4," + MARK + b"\n"


def _file(answer: Answer | None) -> tuple[str, bytes]:
    """Name and bytes of an answer that is a download."""
    assert answer is not None
    named = re.search(r'filename="(.*)"', dict(answer.headers).get("Content-Disposition", 'filename="page.html"'))
    assert named
    return named[1], answer.body


def bank(at: datetime = BANK_AT) -> tuple[str, bytes]:
    """The bank's file of that instant, under its name."""
    return _file(DistroKid(LABEL).data(Asked("GET", "/bank/details/file/", {}, {}, b"", "owner"), at, Faults()))


def stats(data: str = "streams") -> bytes:
    """A page of statistics."""
    asked = Asked("GET", "/stats/", {"type": "all", "data": data}, {}, b"", "owner")
    return _file(DistroKid(LABEL).data(asked, BANK_AT, Faults()))[1]


def tiktok(tab: str = "Overview", handle: str = "nova.tides") -> tuple[str, bytes]:
    """A tab's zip, under its name."""
    asked = Asked("GET", FILE, {"tab": tab, "days": "365", "type": "csv"}, {}, b"", handle)
    return _file(TikTok(LABEL).data(asked, TIKTOK_AT, Faults()))


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


class Person:
    """Somebody who downloads: `does` says what happens before which look; the clock goes on by each sleep."""

    def __init__(self, root: Path, *names: str, accounts: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.folder = root / "Downloads"
        self.folder.mkdir()
        self.lake = Lake.create(root / "lake")
        self.now = datetime.now(UTC)
        self.looks = 0
        self.does: dict[int, Callable[[], object]] = {}
        self.said: list[str] = []
        self.told: list[Outcome] = []
        self.opened: list[str] = []
        self.accounts = dict(accounts or {})
        guides = [(one, guide_of(one)) for one in find_sources() if one.name in names or not names]
        self.guides = [(one, guide) for one, guide in guides if guide is not None]
        with Ledger(self.lake.ledger_path):
            pass

    @property
    def tasks(self) -> list[Task]:
        """The steps of this person."""
        return tasks_of(self.guides, self.accounts)

    @property
    def sources(self) -> list[Source]:
        """The sources that are asked."""
        return [one for one, _ in self.guides]

    def save(self, name: str, content: bytes) -> Path:
        """A file in the Downloads folder."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def collect(self, *, since: datetime | None = None, opens: bool = False) -> Collect:
        """A collection that begins now."""
        return Collect(
            self.tasks,
            self.sources,
            Downloads(self.folder, since),
            offer=self._offer,
            say=self.said.append,
            tell=self.told.append,
            show=self.opened.append if opens else None,
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def watched(self, looks: int = 12, *, since: datetime | None = None, opens: bool = False) -> Collect:
        """A collection that was ended by hand after so many looks."""
        work = self.collect(since=since, opens=opens)
        work.watch(lambda: self.looks >= looks)
        return work

    def verdicts(self) -> list[tuple[str, str]]:
        """What was told of which file."""
        return [(one.name, one.verdict) for one in self.told]

    def deliveries(self) -> list[tuple[str, str, str]]:
        """Feed, account and original name of what is in the lake."""
        with Ledger(self.lake.ledger_path) as ledger:
            return sorted((one.feed, one.account, one.name) for one in ledger.deliveries())

    def _offer(self, path: Path) -> list[Outcome]:
        settings = read_settings(self.lake.config_path)
        with writer_lock(self.lake), Ledger(self.lake.ledger_path) as ledger:
            return list(door_of(self.lake, ledger, settings, find_sources(), Told()).offer([path]))

    def _sleep(self, seconds: float) -> None:
        assert seconds <= 0.5
        self.now += timedelta(seconds=seconds)
        self.looks += 1
        self.does.get(self.looks, lambda: None)()


def within(root: Path, *texts: bytes) -> list[str]:
    """The files below a folder that hold one of the texts, in their bytes or their names; the ledger's too."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and any(text in path.read_bytes() or text in path.name.encode() for text in texts)
    )


@contextmanager
def running(lake: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, once it watches; it hears Ctrl-C, however these tests were started."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "bedrot",
        "collect",
        "--no-open",
        "--downloads",
        str(folder),
        "--lake",
        str(lake),
    ]
    log = lake.parent / "log.txt"
    with log.open("w") as out:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)
        finally:
            signal.signal(signal.SIGINT, before)
        try:
            wait(log, "Ctrl-C ends this")
            wait(log, "How this is known")
            yield process
        finally:
            process.kill()
            process.wait()


def wait(log: Path, text: str) -> None:
    """Until a text stands in the log."""
    end = time.monotonic() + 60
    while text not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < end, f"'{text}' never came:\n{log.read_text(encoding='utf-8')}"
        time.sleep(0.1)


def saves_to(page: Page, folder: Path) -> None:
    """Let the browser write its downloads into a folder, under their names, as it does for a person."""
    told = {"behavior": "allow", "downloadPath": str(folder)}
    page.context.new_cdp_session(page).send("Page.setDownloadBehavior", told)


def download_tab(page: Page, tab: str) -> None:
    """What a person presses for the zip of a tab."""
    page.get_by_role("tab", name=tab).click()
    page.locator("#range").click()
    page.get_by_role("option", name="Last 365 days").click()
    page.get_by_role("button", name="Download data").click()
    page.get_by_role("dialog").get_by_label("CSV").check()
    page.locator("[role=dialog] >> text=/^Download$/").click()
