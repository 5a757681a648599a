"""The instants that a schedule means: against a plain search for them, minute by minute, in zones with every trick."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bedrot.config import Schedule, Settings, SourceTimes, read_settings
from bedrot.errors import Misconfigured
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import (
    DAYS,
    Keeping,
    Served,
    due,
    note_installed,
    read_served,
    scheduler_state,
    served_path,
    times_of,
    upcoming,
    write_served,
)

DAY = timedelta(days=1)
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca",
    "America/Sao_Paulo", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Apia",
)  # fmt: skip
EVERY = DAYS


def searched(days: tuple[str, ...], at: str, zone: str, first: date, last: date) -> list[datetime]:
    """For each day the first minute at which the wall shows this time or a later one of that day: by looking."""
    where, clock = ZoneInfo(zone), time.fromisoformat(at)
    found = set()
    day = first
    while day <= last:
        if day.weekday() in {DAYS.index(one) for one in days}:
            wall = datetime.combine(day, clock)
            low = wall.replace(tzinfo=UTC) - timedelta(hours=15)
            high = low + timedelta(hours=54)
            shifts = {(low + timedelta(hours=n)).astimezone(where).utcoffset() for n in range(54)}
            if len(shifts) == 1:
                found.add(wall.replace(tzinfo=UTC) - shifts.pop())
            else:
                minute = low
                while minute.astimezone(where).replace(tzinfo=None) < wall:
                    minute += timedelta(minutes=1)
                    assert minute < high
                found.add(minute)
        day += DAY
    return sorted(found)


@pytest.mark.parametrize(
    "at", ["19:00", "02:30", *(pytest.param(at, marks=pytest.mark.slow) for at in ("00:00", "23:59", "01:45"))]
)
@pytest.mark.parametrize("zone", ZONES)
def test_two_years_are_what_a_search_finds(zone: str, at: str) -> None:
    days = EVERY if at != "19:00" else ("mon", "wed", "fri")
    first, last = date(2026, 1, 1), date(2027, 12, 31)
    times = times_of(Schedule(days=days, at=at, zone=zone))[""]
    wanted = searched(days, at, zone, first, last)
    assert list(times.firings(wanted[0] - timedelta(seconds=1), wanted[-1])) == wanted
    assert len(wanted) >= 2 * 52 * len(days)


def test_a_day_that_a_zone_left_out_is_made_up_for_as_it_ends() -> None:
    times = times_of(Schedule(days=("fri",), at="09:00", zone="Pacific/Apia"))[""]
    noon = datetime(2011, 12, 30, 12, tzinfo=UTC)
    assert list(times.firings(noon - DAY, noon + DAY)) == [datetime(2011, 12, 30, 10, tzinfo=UTC)]


def test_a_time_that_does_not_exist_is_the_first_after_and_one_that_comes_twice_is_the_first() -> None:
    times = times_of(Schedule(days=EVERY, at="02:30", zone="Europe/Berlin"))[""]
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    assert list(times.firings(spring, spring + DAY)) == [spring + timedelta(hours=1)]
    assert list(times.firings(autumn, autumn + DAY)) == [autumn + timedelta(minutes=30)]


def test_behind_the_one_and_up_to_the_other() -> None:
    times = times_of(Schedule())[""]
    monday = datetime(2026, 11, 23, 19, tzinfo=UTC)
    assert list(times.firings(monday, monday + 2 * DAY)) == [monday + 2 * DAY]
    assert (times.last(monday), times.last(monday - timedelta(microseconds=1))) == (monday, monday - 3 * DAY)
    assert (times.next(monday), upcoming(Schedule(), monday)) == (monday + 2 * DAY, monday + 2 * DAY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('days = ["monday"]', "'schedule.days[0]' is wrong: Expected a day as \"mon\""),
        ("days = []", "'schedule.days' is wrong"),
        ('at = "7:00"', "'schedule.at' is wrong: Expected a time as \"19:00\"."),
        ('at = "24:00"', "'schedule.at' is wrong: Expected a time as \"19:00\"."),
        ('job = "rm"', '\'schedule.job\' is wrong: Expected "sync" or "run".'),
        ('ping = "file:///etc/passwd"', "'schedule.ping' is wrong: Expected an address that begins with https://."),
        ("at = 19:00", "The settings cannot be read"),
    ],
    ids=["day", "no-day", "short", "late", "job", "ping", "bare"],
)
def test_what_is_wrong_with_it_is_said(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bedrot.toml").write_text(f"[schedule]\n{text}\n", encoding="utf-8")
    with pytest.raises(Misconfigured) as wrong:
        read_settings(tmp_path / "bedrot.toml")
    assert says in wrong.value.sentence
    assert "passwd" not in str(wrong.value)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../../etc/passwd", "Europe", "/etc/localtime", "Berlin\0"])
def test_a_zone_that_nobody_knows_is_a_sentence(zone: str) -> None:
    with pytest.raises(Misconfigured, match="time zone that is not known here"):
        times_of(Schedule(zone=zone))


def test_what_comes_commented_with_a_new_lake_is_what_is_meant_without() -> None:
    from bedrot.lake import zones

    text = zones._SETTINGS.split("# [schedule]\n")[1].split("\n\n")[0]
    told = dict(line.removeprefix("# ").split(" = ", 1) for line in text.splitlines())
    assert told["days"] == '["mon", "wed", "fri"]'
    assert (told["at"], told["zone"], told["job"]) == ('"19:00"', '"UTC"', '"sync"')
    assert (Schedule().days, Schedule().at, Schedule().zone, Schedule().job) == (
        ("mon", "wed", "fri"), "19:00", "UTC", "sync",
    )  # fmt: skip


def test_the_address_to_ping_is_shown_nowhere() -> None:
    assert "canary" not in repr(Settings(schedule=Schedule(ping="https://ping.example/canary")))


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 19, tzinfo=UTC)
FRIDAY = MONDAY - 3 * DAY


def test_what_is_due() -> None:
    own = Schedule(sources={"one": SourceTimes(days=("tue",)), "two": SourceTimes(at="06:00")})
    tuesday, morning = MONDAY + DAY, datetime(2026, 11, 25, 6, tzinfo=UTC)
    assert due(own, None, None, NOW) == {"": MONDAY, "one": tuesday, "two": morning}
    assert due(own, Served({"": MONDAY, "one": tuesday}), None, NOW) == {"two": morning}
    assert due(own, None, MONDAY + timedelta(hours=1), NOW) == {"one": tuesday, "two": morning}
    assert due(own, None, NOW, NOW) == {}
    assert due(Schedule(), Served({"": MONDAY}), None, MONDAY - timedelta(seconds=2)) == {}
    assert due(Schedule(), Served({"": MONDAY + 300 * DAY}), None, NOW) == {"": MONDAY}


def test_how_it_stands(tmp_path: Path) -> None:
    lake, usual = Lake.create(tmp_path / "lake"), Settings()

    def state(now: datetime = NOW, settings: Settings = usual) -> tuple[Keeping, str, str]:
        found = scheduler_state(lake, settings, now)
        return found.state, found.sentence, found.do

    assert state()[0] == Keeping.UNKNOWN
    note_installed(lake, usual.schedule, "cron", MONDAY + timedelta(hours=1))
    assert state()[:2] == (
        Keeping.NEVER, "The schedule has not come due yet. The next time is 2026-11-25 at 19:00 UTC.",
    )  # fmt: skip
    wednesday = MONDAY + 2 * DAY
    assert state(wednesday + timedelta(hours=2))[0] == Keeping.NEVER
    late = scheduler_state(lake, usual, wednesday + timedelta(days=30))
    assert (late.state, late.late_since) == (Keeping.LATE, wednesday)
    assert late.do
    write_served(lake, Served({"": FRIDAY}, began=wednesday))
    assert state(wednesday + timedelta(hours=4))[0] == Keeping.AT_WORK
    assert state(wednesday + timedelta(hours=13))[0] == Keeping.LATE
    write_served(lake, Served({"": wednesday}, wednesday, wednesday, 0, wednesday + 2 * DAY))
    assert state(wednesday + DAY)[0] == Keeping.SERVED
    assert "nothing needed you" in state(wednesday + DAY)[1]
    changed = Settings(schedule=Schedule(at="20:00"))
    assert state(wednesday + timedelta(minutes=5), changed)[0] == Keeping.CHANGED
    assert scheduler_state(lake, usual, wednesday + 3 * DAY).late_since == wednesday + 2 * DAY
    write_served(lake, Served({"": wednesday}, wednesday, wednesday, 2, wednesday + 2 * DAY))
    _, sentence, do = state(wednesday + DAY)
    assert sentence.startswith("It was last served on 2026-11-25 at 19:00 UTC: it failed (exit code 2). The next time ")
    assert do == "See what is wrong: bedrot sync"
    note_installed(lake, usual.schedule, "", wednesday + DAY)
    assert state(wednesday + 30 * DAY)[0] == Keeping.UNKNOWN
    moved = Lake(tmp_path / "moved")
    note_installed(lake, usual.schedule, "cron", wednesday + DAY)
    lake.root.rename(moved.root)
    assert "moved" in scheduler_state(moved, usual, wednesday + DAY).sentence


@pytest.mark.parametrize(
    "torn", [b"", b"{", b'{"sha256":"0","value":{}}', b"\xff\xfe"], ids=["none", "cut", "other", "no-text"]
)
def test_a_torn_record_is_none_at_all(tmp_path: Path, torn: bytes) -> None:
    lake = Lake.create(tmp_path / "lake")
    write_served(lake, Served({"": MONDAY}, MONDAY, MONDAY, 0))
    assert read_served(lake) == Served({"": MONDAY}, MONDAY, MONDAY, 0)
    served_path(lake).write_bytes(torn)
    assert read_served(lake) is None
    assert due(Schedule(), read_served(lake), None, NOW) == {"": MONDAY}
