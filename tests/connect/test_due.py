"""What `bedrot due` says of a lake: the page nobody looked at for weeks, and the days that the new year took away."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from msgspec.structs import replace
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "demo"))
from walking import Walked

from bedrot.commands import due as command
from bedrot.config import RemembersRule, read_settings
from bedrot.connect.known_days import has_days, known_days
from bedrot.connect.known_days import outlooks as known_outlooks
from bedrot.connect.memory import Outlook, Stretch
from bedrot.demo import linktree, toolost_portal
from bedrot.demo.arrival import Arrival
from bedrot.demo.distribution import MOVED, seen_by_toolost
from bedrot.demo.label import LAST_DAY, invent
from bedrot.demo.links import pages
from bedrot.demo.plays import Plays
from bedrot.demo.toolost_answers import APPLE, SPOTIFY
from bedrot.lake.ledger import Ledger
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources

LABEL = invent(7)
SILENT = LABEL.artists[-1].page
OTHER = LABEL.artists[0].page
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = (
    f'[[account]]\nsource = "linktree"\nname = "{OTHER}"\n\n[[account]]\nsource = "tiktok"\nname = "never.asked"\n'
)


def _arrivals() -> list[Arrival]:
    """Answers of two pages with the days of them, and those of the portal."""
    wanted = tuple(f"linktree/{one.name}/" for one in pages(LABEL) if one.name in (SILENT, OTHER))
    telling = [
        one
        for one in linktree.arrivals(LABEL)
        if one.name.startswith(wanted) and re.search(rb'"overview"', one.content())
    ]
    return sorted([*telling, *toolost_portal.arrivals(LABEL)], key=lambda one: (one.at, one.name))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    return Walked(tmp_path_factory.mktemp("due") / "lake", _arrivals(), SETTINGS)


def outlooks(lake: Lake, now: datetime = NOW, rules: tuple[RemembersRule, ...] = ()) -> list[Outlook]:
    with Ledger(lake.ledger_path) as ledger:
        settings = replace(read_settings(lake.config_path), remembers=rules)
        found = known_outlooks(lake, ledger, settings, find_sources(), now)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def found(walked: Walked) -> list[Outlook]:
    return outlooks(walked.lake)


def only(found: list[Outlook], feed: str, account: str, table: str) -> Outlook:
    return next(one for one in found if (one.feed, one.account) == (feed, account) and table in one.tables)


def ask(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, *told: str, now: datetime = NOW, width: int = 400
) -> tuple[int, str]:
    """The command as a person gives it at an instant."""
    app = typer.Typer()
    app.registered_commands += command.app.registered_commands
    monkeypatch.setattr(command, "_now", lambda: now)
    monkeypatch.setattr("bedrot.commands.common.out.width", width)
    said = CliRunner().invoke(app, ["--lake", str(lake.root), *told])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.exit_code, said.output


def test_a_page_that_nobody_looked_at_for_43_days_is_shown(found: list[Outlook]) -> None:
    one = only(found, "linktree.analytics", SILENT, "linktree_daily")
    assert one.newest == LAST_DAY - linktree.SILENT_DAYS * DAY
    silent = one.reachable[-1]
    # Where the page's days begin is not known: what is surely over there is asked for, today is not yet.
    assert (silent.first, silent.last) == (one.newest + DAY, LAST_DAY)
    assert silent.days == linktree.SILENT_DAYS
    assert Stretch(one.newest, one.newest) in one.unfinished, "its last day was still running"


def test_days_of_a_page_that_no_answer_tells_are_told_apart(found: list[Outlook]) -> None:
    gaps = [one for one in linktree.faults(LABEL) if one.kind == linktree.UNKNOWN]
    for account in (SILENT, OTHER):
        one = only(found, "linktree.analytics", account, "linktree_daily")
        assert one.oldest is not None
        wanted = {
            each
            for fault in gaps
            if f"linktree {account}," in fault.where
            for first, last in [re.findall(r"\d{4}-\d\d-\d\d", fault.where)]
            for each in days(date.fromisoformat(first), date.fromisoformat(last))
            if each >= one.oldest
        }
        shown = {each for some in (*one.lost, *one.reachable) for each in days(some.first, some.last)}
        assert {each for each in shown if one.newest and each < one.newest} == wanted
        edge = NOW.date() - 364 * DAY
        assert all(some.last < edge for some in one.lost)
        assert all(some.first >= edge for some in one.reachable)


def days(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


@pytest.mark.parametrize(("feed", "store"), [("toolost.spotify", SPOTIFY), ("toolost.apple", APPLE)])
def test_the_days_that_the_new_year_took_away_are_shown(found: list[Outlook], feed: str, store: str) -> None:
    one = only(found, feed, toolost_portal.ACCOUNT, "toolost_daily")
    held = {row[0] for told in toolost_portal.expected(LABEL) if ("store", store) in told.where for row in told.rows}
    played = {day for day, count in seen_by_toolost(LABEL, Plays(LABEL), store, MOVED, LAST_DAY) if count}
    taken = {day for day in played - held if day.year == 2025}
    lost = {each for some in one.lost for each in days(some.first, some.last)}
    assert taken
    assert taken <= lost
    assert date(2025, 12, 31) in lost
    assert all(some.last.year == 2025 for some in one.lost)
    assert (lost - taken) & held == set(), "a day that is known is not lost"
    assert one.memory.absent_may_be_empty
    assert one.next_lost is not None
    assert one.next_lost > max(day for day in held if isinstance(day, date))
    assert (one.gone_on, one.days_left) == (date(2027, 1, 1), 291), (
        "noon in UTC is the 16th already where days begin first"
    )


def test_the_days_of_one_store_are_not_those_of_the_other(walked: Walked) -> None:
    snapshot = current(walked.lake)
    assert snapshot is not None
    with Ledger(walked.lake.ledger_path) as ledger:
        feeds = {one.id: one.feed for one in ledger.deliveries()}
    known = known_days(walked.lake, snapshot, find_sources(), feeds)
    for feed, store in (("toolost.spotify", SPOTIFY), ("toolost.apple", APPLE)):
        held = {r[0] for told in toolost_portal.expected(LABEL) if ("store", store) in told.where for r in told.rows}
        assert known["toolost_daily", feed, toolost_portal.ACCOUNT].whole == held


def test_accounts_without_a_day_are_told_too(found: list[Outlook]) -> None:
    empty = {(one.feed, one.account) for one in found if one.newest is None}
    assert ("toolost.spotify", toolost_portal.OTHER_ACCOUNT) in empty
    assert ("tiktok.overview", "never.asked") in empty
    assert not {feed for feed, _ in empty} & {"distrokid.spotify", "tiktok.content", "linktree.analytics"}


def test_rows_over_several_days_tell_no_day() -> None:
    tables = {table.name: table for source in find_sources() for feed in source.feeds for table in feed.tables}
    assert {name for name, table in tables.items() if has_days(table)} >= {"metaads_insights", "toolost_daily"}
    assert not has_days(tables["distrokid_bank"])
    assert not has_days(tables["linktree_lifetime"])


def test_what_a_person_reads(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ask(walked.lake, monkeypatch)
    first, _, below = said.partition("\n\n")
    lines = {tuple(line.split()[:2]): line for line in first.splitlines() if not line.startswith("toolost")}
    silent = lines["linktree.analytics", SILENT]
    assert f" {LAST_DAY - linktree.SILENT_DAYS * DAY} " in silent
    assert "365 days" in silent
    missing, lost = below.split("Lost: no fetch brings them any more:")
    assert re.search(rf"linktree.analytics of {SILENT}: .*2026-02-01 to {LAST_DAY}", missing)
    assert re.search(
        r"toolost.spotify \(toolost_daily\) of main: 12 days \(or nothing happened\): 2025-12-20 to 2025-12-31", lost
    )
    assert re.search(r"toolost.apple \(toolost_daily\) of main: 7 days .*: 2025-12-25 to 2025-12-31", lost)
    assert "Days on which nothing happened are left out by" in below
    assert "toolost.spotify: this calendar year. The portal is asked for `thisYear`" in below
    assert re.search("second +no days .*No day has come yet", first)
    assert "Nothing will be forgotten within 7 days" in below
    assert code == 0


def test_nothing_is_cut_on_a_narrow_terminal(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow, wide = (ask(walked.lake, monkeypatch, width=width)[1] for width in (60, 400))
    assert narrow == wide


def test_what_a_program_reads(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    _, said = ask(walked.lake, monkeypatch, "--json")
    rows: list[dict[str, Any]] = json.loads(said)
    assert rows == [command.as_row(one) for one in outlooks(walked.lake)]
    left = [row["gone_at"] for row in rows if row["gone_at"]]
    assert left == sorted(left)
    spotify = next(row for row in rows if row["feed"] == "toolost.spotify" and row["lost_days"])
    assert spotify["absent_may_be_empty"]
    assert spotify["lost"][-1]["last"] == "2025-12-31"


def test_a_week_before_the_year_turns_somebody_has_to_fetch(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    def portal(now: datetime) -> list[bool]:
        return [command.urgent(one) for one in outlooks(walked.lake, now) if one.source == "toolost" and one.newest]

    # The portal's zone is not known: at 10:00 UTC on the 24th the fastest clock shows the 25th.
    assert not any(portal(datetime(2026, 12, 24, 9, 59, tzinfo=UTC)))
    assert all(portal(datetime(2026, 12, 24, 10, 0, tzinfo=UTC)))
    code, said = ask(walked.lake, monkeypatch, now=datetime(2026, 12, 31, 9, tzinfo=UTC))
    assert code == 1
    assert "Fetch first: " in said
    assert "Today is the last day to fetch" in said


def test_what_a_person_knows_better_counts(walked: Walked) -> None:
    rules = (RemembersRule("linktree", account=SILENT, days=90, evidence="The free plan."),)
    found = {one.account: one for one in outlooks(walked.lake, rules=rules) if one.source == "linktree"}
    assert found[SILENT].memory.days == 90
    assert found[OTHER].memory.days == 365


def test_the_settings_tell_what_a_person_knows_better(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    told = '[[remembers]]\nsource = "linktree"\ndays = 90\nevidence = "The free plan."\n'
    lake.config_path.write_text(told, encoding="utf-8")
    (rule,) = read_settings(lake.config_path).remembers
    assert rule == RemembersRule("linktree", days=90, evidence="The free plan.")


def test_a_lake_without_a_snapshot_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(tmp_path / "lake")
    code, said = ask(lake, monkeypatch)
    assert (code, said.strip()) == (0, command.NOTHING_YET)
    code, said = ask(lake, monkeypatch, "--json")
    assert (code, json.loads(said)) == (0, [])
