"""All five services at once, as their people know them: log in, fetch, be logged out everywhere, and come back."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from live import Account, Asked, Live

import bedrot
from bedrot.demo.ads import ACCOUNT
from bedrot.demo.label import invent
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake

LABEL = invent(7)
ACCOUNTS = (
    Account("distrokid", LABEL.name),
    Account("toolost", LABEL.name),
    Account("metaads", ACCOUNT),
    Account("tiktok", "mara.quell", "mara.quell"),  # a business account, whose tables are others
    Account("linktree", "novatides", "novatides"),
)
BEGUN = {"distrokid": (3, 5), "toolost": (6, 8), "metaads": (9, 17), "tiktok": (3, 4), "linktree": (4, 14)}
"""Files of the first fetch of a service, and how many requests it may take."""
BACK = {"distrokid": (3, 6), "toolost": (3, 5), "metaads": (4, 7), "tiktok": (3, 4), "linktree": (4, 14)}
"""The same after three days, the last two of them without a log-in."""
MOST_REFUSED = 2
"""Requests that a fetch needs to learn that the log-in is over: the page, and that of logging in, to which it leads."""
STATES = dict.fromkeys(BEGUN, "provisional") | {"toolost": "fresh"}
NEXT = {
    one.source: f"{'Make a new one' if one.source == 'metaads' else 'Log in again'}: "
    f"bedrot login {one.source} --account {shlex.quote(one.name)}."
    for one in ACCOUNTS
}
"""What a person is told to do when a log-in has ended, as it can be pasted."""
KEYS = {
    "streams_daily": "source, account, store, date",
    "ads_daily": "source, account, ad_id, day, result_type",
    "social_daily": "source, account, day",
    "links_daily": "source, account, day",
}


def of(found: list[Asked], what: str) -> dict[str, Any]:
    return {one.standing.source: getattr(one.standing, what) for one in found}


def bounded(found: list[Asked], most: dict[str, tuple[int, int]]) -> bool:
    """Whether so many files came of each account, and no more requests were sent, as the portals counted them."""
    asked = {one.standing.source: (one.files, one.requests) for one in found}
    assert asked.keys() == most.keys()
    assert of(found, "requests") == {source: requests for source, (_, requests) in asked.items()}
    return all(files == most[one][0] and 0 < requests <= most[one][1] for one, (files, requests) in asked.items())


def counted(lake: Lake) -> dict[str, int]:
    """Rows of each table, no two of which are of the same thing."""
    snapshot = current(lake)
    assert snapshot is not None
    with open_snapshot(lake, snapshot) as con:
        for table, key in KEYS.items():
            assert con.execute(f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1").fetchall() == []
        told = {table: con.execute(f"SELECT count(*) FROM {table}").fetchall() for table in ("royalties", *KEYS)}
    return {table: rows[0][0] for table, rows in told.items()}


@pytest.mark.timeout(900)
def test_all_five_are_fetched_lost_and_fetched_again(tmp_path: Path) -> None:
    with Live(LABEL, tmp_path / "lake", tmp_path / "home", ACCOUNTS) as live:
        said = list(live.arrive())
        assert live.untrue == [], said
        assert of(live.rounds[0], "state") == STATES
        assert bounded(live.rounds[0], BEGUN), said
        begun = counted(live.lake)
        assert min(begun.values()) > 100, begun

        said = list(live.lose())
        assert of(live.rounds[1], "state") == dict.fromkeys(STATES, "expired")
        assert of(live.rounds[1], "do") == NEXT
        assert all((one.files, 0 < one.requests <= MOST_REFUSED) == (0, True) for one in live.rounds[1]), said
        refused = {source: one for source, one in of(live.rounds[1], "sentence").items() if one}
        seen = {source: live.requests(source) for source in live.portals}
        assert list(live.fetch()) == [
            f"fetched {one.source}, {one.name}: expired; 0 files, 0 requests. {refused[one.source]} {NEXT[one.source]}"
            for one in ACCOUNTS
        ]
        assert {source: live.requests(source) for source in live.portals} == seen
        assert live.synced.returncode == 1, live.synced.stderr
        needs = [f"{one.source} {one.name}: {refused[one.source]} {NEXT[one.source]}" for one in ACCOUNTS]
        lines = Counter(live.synced.stdout.splitlines())
        assert all(lines[f"Needs you: {one}"] == 1 for one in needs), live.synced.stdout
        assert counted(live.lake) == begun

        said = list(live.come_back())
        assert live.untrue == [], said
        assert of(live.rounds[-1], "state") == STATES
        assert bounded(live.rounds[-1], BACK), said
        back = counted(live.lake)
        assert all(back[table] > rows for table, rows in begun.items()), back
        assert [(one.rejected, one.held, one.vanished, one.failed) for one in live.summaries] == [(0, 0, 0, [])] * 2


def gives(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What the demo says as a process of its own, to somebody with neither a lake nor a vault."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT")}
    command = [sys.executable, "-m", "bedrot", "demo", *words]
    return subprocess.run(command, env={**told, **more}, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_shows_it_to_anybody(tmp_path: Path) -> None:
    done = gives(str(tmp_path / "demo"), "--live", XDG_DATA_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len([one for one in lines if one.startswith("logged in to ")]) == 2 * 7
    states = Counter(one.split(": ")[1].split(";")[0] for one in lines if one.startswith("fetched "))
    assert states == {"provisional": 2 * 6, "fresh": 2 * 1, "expired": 7}
    assert lines.count("The tables hold what the services showed, row for row.") == 2
    assert lines.count("Asked again: 0 requests at all portals.") == 1
    assert len([one for one in lines if one.startswith("bedrot sync: Needs you: ")]) == 7
    assert "Who paid" in done.stdout
    assert lines[-1] == "Everything is as the services showed it, and nobody was asked without a log-in."
    assert min(counted(Lake.find(tmp_path / "demo")).values()) > 100
    assert not (tmp_path / "home").exists(), "the person's own vault is left alone"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--live",), "What plays the services is part of the project's checkout"),
        (("--live", "--scale", "2"), "Leave out --scale."),
        (("--window",), "Give both, or neither."),
    ],
    ids=["installed", "scale", "window"],
)
def test_what_cannot_be_shown_is_a_sentence(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Tried with a package that has no checkout around it."""
    package = Path(bedrot.__file__).parent
    shutil.copytree(package, tmp_path / "site" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    done = gives(str(tmp_path / "demo"), *words, PYTHONPATH=str(tmp_path / "site"))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "demo").exists()
