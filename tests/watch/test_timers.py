"""What systemd, cron and Windows are given, read back by others: it fires at the instants that the schedule means."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from defusedxml.ElementTree import fromstring

from bedrot.config import Schedule, SourceTimes
from bedrot.errors import Damaged, Misconfigured
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import Served, due, times_of
from bedrot.watch.timers import Start, cron_block, systemd_units, windows_task, with_block

DAY = timedelta(days=1)
FROM = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = FROM + 731 * DAY
EVERY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MACHINES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
DEFINED = {
    "usual": Schedule(),
    "berlin": Schedule(zone="Europe/Berlin"),
    "berlin-in-the-gap": Schedule(days=EVERY, at="02:30", zone="Europe/Berlin"),
    "new-york-in-the-gap": Schedule(days=("sun",), at="02:15", zone="America/New_York"),
    "new-york-twice": Schedule(days=("sun", "sat"), at="01:30", zone="America/New_York"),
    "half-an-hour": Schedule(days=EVERY, at="02:15", zone="Australia/Lord_Howe"),
    "half-an-hour-twice": Schedule(days=("sun",), at="01:45", zone="Australia/Lord_Howe"),
    "kolkata": Schedule(days=("mon",), at="00:10", zone="Asia/Kolkata"),
    "while-others-change": Schedule(days=EVERY, at="00:30"),
    "own": Schedule(
        zone="Europe/Berlin", sources={"one": SourceTimes(days=("sun",), at="02:00"), "two": SourceTimes(at="23:50")}
    ),
}
"""Among them instants at which a machine in Berlin, New York or on Lord Howe has its hour twice."""
START = Start("bedrot-0a1b2c3d", "/a lake", ("/usr/bin/python3", "-P", "--lake", "/a lake"))
HAS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")


def meant(schedule: Schedule) -> list[datetime]:
    """The instants that the definition gives; against a search they are held elsewhere."""
    return sorted({at for one in times_of(schedule).values() for at in one.firings(FROM, UNTIL)})


def done(schedule: Schedule, fired: Iterable[datetime]) -> list[datetime]:
    """When the work is done, if the command is given at these instants; the record is kept as the keeper keeps it."""
    upto: dict[str, datetime] = dict.fromkeys(times_of(schedule), FROM)
    found = []
    for now in sorted(fired):
        if passed := due(schedule, Served(upto), None, now):
            found.append(now)
            upto |= passed
    return found


def covered(schedule: Schedule, fired: Iterable[datetime]) -> None:
    """At each instant that is meant the command is given; and the work is done at those, not at one more."""
    wanted, given = meant(schedule), sorted(set(fired))
    near = set()
    for at in wanted:
        place = bisect_left(given, at)
        assert given[place : place + 1] == [at], f"nothing fires at {at}"
        near |= set(given[max(0, place - 1) : place + 2])
    assert done(schedule, near) == wanted
    assert len(wanted) > 100


@cache
def by_systemd(expression: str, machine: str) -> list[datetime]:
    """The instants of an expression as systemd itself tells them."""
    told = subprocess.run(
        ["systemd-analyze", "calendar", f"--base-time={FROM:%Y-%m-%d %H:%M:%S} UTC", "--iterations=740", expression],
        capture_output=True, text=True, check=True, env={"TZ": machine, "PATH": os.environ["PATH"], "LC_ALL": "C"},
    ).stdout  # fmt: skip
    found = re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", told)
    return [at for one in found if (at := datetime.fromisoformat(one).replace(tzinfo=UTC)) <= UNTIL]


def each_with(*quick: tuple[str, str]) -> pytest.MarkDecorator:
    """Each definition on each machine; but for a few of them only in the long sweep."""
    found = [
        pytest.param(name, machine, marks=[] if (name, machine) in quick else [pytest.mark.slow])
        for name in DEFINED
        for machine in MACHINES
    ]
    assert sum(not one.marks for one in found) == len(quick)
    return pytest.mark.parametrize(("name", "machine"), found)


@HAS_SYSTEMD
@each_with(
    ("usual", "America/New_York"), ("berlin-in-the-gap", "UTC"), ("half-an-hour-twice", "Asia/Kolkata"),
    ("own", "Europe/Berlin"),
)  # fmt: skip
def test_systemd_fires_when_it_is_meant(name: str, machine: str) -> None:
    schedule = DEFINED[name]
    timer = systemd_units(START, times_of(schedule).values(), FROM)["bedrot-0a1b2c3d.timer"]
    expressions = re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE)
    assert "Persistent=true" in timer.splitlines()
    covered(schedule, (at for one in expressions for at in by_systemd(one, machine)))


@HAS_SYSTEMD
def test_systemd_itself_would_pass_over_a_time_that_does_not_exist() -> None:
    """So the test above can fail: without the lines in UTC the day of the change is lost."""
    schedule = DEFINED["berlin-in-the-gap"]
    with pytest.raises(AssertionError, match="nothing fires at 2026-03-29 01:00"):
        covered(schedule, by_systemd("*-*-* 02:30:00 Europe/Berlin", "UTC"))


@cache
def by_cron(expression: str, machine: str) -> list[datetime]:
    """The instants of a line of a crontab, as Debian's cron would have them, by a library of others."""
    found = []
    for at in CronSim(expression, FROM.astimezone(ZoneInfo(machine))):
        if at.astimezone(UTC) > UNTIL:
            return found
        found.append(at.astimezone(UTC))
    return found


@each_with(
    ("usual", "Asia/Kolkata"), ("berlin-in-the-gap", "Australia/Lord_Howe"), ("while-others-change", "Europe/Berlin"),
)  # fmt: skip
def test_cron_fires_when_it_is_meant(name: str, machine: str) -> None:
    schedule = DEFINED[name]
    line = cron_block(START, times_of(schedule).values(), FROM, ZoneInfo(machine)).splitlines()[1]
    covered(schedule, by_cron(" ".join(line.split(" ")[:5]), machine))


def test_a_line_of_cron_for_one_hour_would_miss_what_the_machine_has_twice() -> None:
    """So the test above can fail: the second 01:30 of a night in New York is 06:30 UTC, and cron fires at the first."""
    schedule = Schedule(days=EVERY, at="06:30")
    with pytest.raises(AssertionError, match="nothing fires at 2026-11-01 06:30"):
        covered(schedule, by_cron("30 1,2 * * *", "America/New_York"))


def by_windows(task: str) -> list[datetime]:
    """The instants of a task by what its parts mean; any part that this does not know is an error."""
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    found = []
    for trigger in fromstring(task).find(f"{space}Triggers"):
        told = {part.tag.removeprefix(space): part for part in trigger}
        assert (trigger.tag, set(told)) == (f"{space}CalendarTrigger", {"StartBoundary", "Enabled", "ScheduleByDay"})
        assert told["Enabled"].text == "true"
        (every,) = told["ScheduleByDay"]
        assert every.tag == f"{space}DaysInterval"
        boundary = str(told["StartBoundary"].text)
        assert boundary.endswith("Z"), "else it is in the machine's own zone"
        at = datetime.fromisoformat(boundary)
        while at <= UNTIL:
            found.append(at)
            at += int(str(every.text)) * DAY
    return found


@pytest.mark.parametrize("name", DEFINED)
def test_windows_fires_when_it_is_meant(name: str) -> None:
    schedule = DEFINED[name]
    covered(schedule, by_windows(windows_task(START, times_of(schedule).values(), FROM)))


def test_windows_makes_up_for_what_it_missed_also_on_battery() -> None:
    root = fromstring(windows_task(START, times_of(Schedule()).values(), FROM))
    (settings,) = [one for one in root if one.tag.endswith("}Settings")]
    told = {one.tag.rpartition("}")[2]: one.text for one in settings}
    wanted = {"StartWhenAvailable": "true", "DisallowStartIfOnBatteries": "false", "StopIfGoingOnBatteries": "false"}
    assert wanted.items() <= told.items()


ODD = [
    "a lake", "100%", "it's", 'the "big" one', "$HOME", "${x} %h %%", "ünïcødé 音楽", "a;b&c|d", "#1 !", "~", "<&>",
    "-x",
]  # fmt: skip
"""Names of folders that people have."""


def odd(tmp_path: Path, name: str) -> Start:
    """What would be started, where both the program and the lake are in an odd place; it writes what it was told."""
    folder = tmp_path / name
    folder.mkdir()
    program = folder / "python3"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8")
    program.chmod(0o755)
    return Start("bedrot-0a1b2c3d", str(folder), (str(program), "-P", "--lake", str(folder)))


@pytest.mark.parametrize("name", ODD)
def test_the_shell_of_cron_gets_the_words_as_they_are(tmp_path: Path, name: str) -> None:
    start = odd(tmp_path, name)
    line = cron_block(start, times_of(Schedule()).values(), FROM, UTC).splitlines()[1]
    command = ""
    told = iter(line.split(" ", 5)[5])
    for char in told:  # as crontab(5) says: a bare % ends the command, one with a backslash is a %
        if char == "%":
            break
        after = next(told) if char == "\\" else ""
        command += after if after == "%" else char + after
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, env={})
    assert json.loads(done.stdout) == list(start.command[1:])


def words_of_unit(told: str) -> list[str]:
    """The words of ExecStart as systemd.service(5) and systemd.syntax(7) read them, written apart from the maker."""
    found, word, quote, rest = [], "", "", iter(told + " ")
    begun = False
    for char in rest:
        if char == "\\":
            word += next(rest)
        elif char in ("%", "$"):
            assert next(rest) == char, f"a single {char} is expanded"
            word += char
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in ('"', "'") and not begun:
            quote = char
        elif char == " ":
            found, word, begun = [*found, word], "", False
            continue
        else:
            word += char
        begun = True
    return found


@pytest.mark.parametrize("name", ODD)
def test_systemd_gets_the_words_as_they_are(tmp_path: Path, name: str) -> None:
    start = odd(tmp_path, name)
    units = systemd_units(start, times_of(Schedule()).values(), FROM)
    (told,) = re.findall(r"^ExecStart=(.*)$", units["bedrot-0a1b2c3d.service"], re.MULTILINE)
    given = words_of_unit(told)
    if given[0] == "/bin/sh":
        done = subprocess.run(given, capture_output=True, text=True, check=True, env={})
        assert json.loads(done.stdout) == list(start.command[1:])
    else:
        assert given == list(start.command)
    if shutil.which("systemd-analyze"):
        env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
        for unit, text in units.items():
            (tmp_path / unit).write_text(text, encoding="utf-8")
        looked = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--user", str(tmp_path / "bedrot-0a1b2c3d.timer")],
            capture_output=True, text=True, check=False, env=env,
        )  # fmt: skip
        assert [line for line in looked.stderr.splitlines() if "bedrot-" in line] == []


def words_of_windows(told: str) -> list[str]:
    """The words of a command line as CommandLineToArgvW reads them."""
    found = []
    for match in re.finditer(r'(?:[^\s"\\]|\\+(?!"|\\)|\\+"|"(?:[^"\\]|\\+(?!"|\\)|\\+")*")+', told):
        word, quoted, text = "", False, match[0]
        at = 0
        while at < len(text):
            slashes = re.match(r"\\*", text[at:])[0]  # type: ignore[index]
            at += len(slashes)
            if at < len(text) and text[at] == '"':
                word += "\\" * (len(slashes) // 2)
                if len(slashes) % 2:
                    word += '"'
                else:
                    quoted = not quoted
                at += 1
            else:
                word += slashes
                word += text[at : at + 1]
                at += 1
        assert not quoted
        found.append(word)
    return found


@pytest.mark.parametrize(
    "lake", ["C:\\My Lake", "C:\\a\\", "C:\\it's 100% ümlaut\\<&>", "C:\\plain", "\\\\server\\a b"]
)
def test_windows_gets_the_words_as_they_are(lake: str) -> None:
    start = Start("bedrot-0a1b2c3d", lake, (f"{lake}\\pythonw.exe", "-P", "--lake", lake))
    task = windows_task(start, times_of(Schedule()).values(), FROM)
    assert task.isascii()
    root = fromstring(task.encode("utf-16"))
    assert [one.text for one in root.iter() if one.tag.endswith("}Command")] == [start.command[0]]
    (arguments,) = [str(one.text) for one in root.iter() if one.tag.endswith("}Arguments")]
    assert words_of_windows(arguments) == list(start.command[1:])


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("systemd", "/a\nExecStart=/bin/evil"), ("cron", "/a\n* * * * * evil"), ("cron", "/a\\%b"),
        ("cron", "/a\udcff"),
        ("windows", "C:\\%TEMP%\\a"), ("windows", "C:\\$(Arg0)"), ("windows", 'C:\\a"b'), ("systemd", "/a\udcff"),
    ],
    ids=["unit-line", "crontab-line", "backslash", "no-text", "variable", "argument", "quote", "no-text-unit"],
)  # fmt: skip
def test_what_a_system_would_misread_is_refused(system: str, place: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be told to the system's scheduler"):
        Start("bedrot-0a1b2c3d", place, ("/usr/bin/python3", "--lake", place)).checked(system)


CRONTABS = [b"", b"# mine\n0 5 * * * x\n", b"no end", b"MAILTO=\r\n1 2 3 4 5 a\rb\r\n", b"\xff\xfe % \n\n\n", b"\n"]


@pytest.mark.parametrize("number", range(len(CRONTABS)))
def test_all_other_lines_of_a_crontab_stay_byte_for_byte(number: int) -> None:
    before = CRONTABS[number]
    other = Start("bedrot-99999999", "/b", ("/usr/bin/python3", "--lake", "/b"))
    blocks = {one.name: cron_block(one, times_of(Schedule()).values(), FROM, UTC) for one in (START, other)}
    one = with_block(before, START, blocks[START.name])
    assert one.startswith(before)
    assert with_block(one, START, blocks[START.name]) == one
    two = with_block(one, other, blocks[other.name])
    assert two.startswith(one)
    later = with_block(two, START, cron_block(START, times_of(Schedule(at="20:07")).values(), FROM, UTC))
    assert later.replace(b"\n7 * * * *", b"\n0 * * * *") == two
    ended = before if before.endswith(b"\n") or not before else before + b"\n"
    assert with_block(with_block(later, START, ""), other, "") == ended
    assert with_block(before, START, "") == before


def test_a_block_that_somebody_changed_is_left_alone() -> None:
    block = cron_block(START, times_of(Schedule()).values(), FROM, UTC).encode()
    begin, line, end = block.splitlines(keepends=True)
    for torn in (begin + line, line + end, end + line + begin, block + block):
        with pytest.raises(Damaged, match="were changed"):
            with_block(torn, START, "")


def test_each_lake_has_a_name_of_its_own_which_stays(tmp_path: Path) -> None:
    one, two = (Lake.create(tmp_path / name) for name in ("lake", "Lake two"))
    (tmp_path / "link").symlink_to(one.root, target_is_directory=True)
    assert Start.of(one) == Start.of(Lake(tmp_path / "link"))
    assert Start.of(one).name != Start.of(two).name
    assert re.fullmatch(r"bedrot-[0-9a-f]{8}", Start.of(one).name)
    assert shlex.join(Start.of(one).command).endswith(f"-P -m bedrot schedule run --once --lake {one.root.resolve()}")
