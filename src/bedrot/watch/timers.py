"""The schedule as systemd, cron and the Windows Task Scheduler understand it, all made from the one definition.

None of them can say every schedule exactly: so each starts the command at all instants that may be meant, and more,
and the command itself does the work only where one has passed that was not served.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from xml.sax.saxutils import escape

from bedrot.errors import Damaged, Misconfigured
from bedrot.lake.sealed import digest
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import DAYS, Times, place_of

AHEAD = timedelta(days=3_653)
"""For so long the rules of time zones are looked ahead."""
_PLAIN = {"systemd": "", "cron": "\\", "windows": '"'}
"""Characters that a path cannot have where it is told to the system."""


@dataclass(frozen=True)
class Start:
    """What a system starts: `name` is another one for each lake and the same for ever, `command` its words."""

    name: str
    lake: str
    command: tuple[str, ...]

    @classmethod
    def of(cls, lake: Lake) -> Start:
        """What serves the schedule of a lake, with the very program that runs now."""
        place = place_of(lake)
        words = ("-P", "-m", "bedrot", "schedule", "run", "--once", "--lake", place)
        return cls(f"bedrot-{digest({'lake': place})[:8]}", place, (_program(), *words))

    def checked(self, system: str) -> Start:
        """The same; Misconfigured where a path cannot be told to the system in a way that it surely understands."""
        for word in (self.command[0], self.lake):
            odd = any(not char.isprintable() or char in _PLAIN[system] for char in word)
            expanded = system == "windows" and (word.count("%") > 1 or "$(" in word)
            if odd or expanded:
                raise Misconfigured(
                    "The path has a character that cannot be told to the system's scheduler.",
                    "Give the folder a plainer name, or keep `bedrot schedule run` running.",
                    file=ascii(word)[1:-1],
                )
        return self


def _program() -> str:
    """The program that runs Python code, without a window of its own where there is such a one."""
    own = Path(sys.executable)
    quiet = own.with_name("pythonw.exe")
    return str(quiet if own.name.lower() == "python.exe" and quiet.is_file() else own)


def systemd_units(start: Start, times: Iterable[Times], now: datetime) -> dict[str, str]:
    """The texts of the service and the timer of a person's own systemd, by the names of their files."""
    start.checked("systemd")
    firing = "\n".join(f"OnCalendar={one}" for one in dict.fromkeys(_calendar(times, now)))
    about = f"Description=BEDROT: the schedule of {_unspecific(start.lake)}"
    # systemd takes no program whose path has such a character; a shell does.
    through = ("/bin/sh", "-c", 'exec "$0" "$@"') if set(start.command[0]) & set("'\"\\$%") else ()
    words = " ".join(_systemd_word(one) for one in (*through, *start.command))
    service = f"""[Unit]
{about}

[Service]
Type=oneshot
ExecStart={words}
KillMode=mixed
SuccessExitStatus=1
Nice=5
"""
    timer = f"""[Unit]
{about}

[Timer]
{firing}
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{start.name}.service": service, f"{start.name}.timer": timer}


def _calendar(times: Iterable[Times], now: datetime) -> Iterator[str]:
    """Times as they are told; besides, in UTC, the instants on days where the zone leaves them out or has them twice.

    On such days systemd leaves them out itself, or does not say which of the two it takes.
    """
    for one in times:
        yield f"{_days(one.days)} *-*-* {one.at:%H:%M:%S} {one.zone_name}"
        odd = set()
        for at in one.firings(now, now + AHEAD):
            wall = at.astimezone(one.zone)
            twice = wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
            if twice or wall.time() != one.at:
                odd.add((at.time(), at.weekday()))
        for clock in sorted({clock for clock, _ in odd}):
            yield f"{_days(day for other, day in odd if other == clock)} *-*-* {clock:%H:%M:%S} UTC"


def _days(days: Iterable[int]) -> str:
    return ",".join(DAYS[day].capitalize() for day in sorted(days))


def _systemd_word(word: str) -> str:
    """A word of ExecStart: in quotes, where specifiers, variables and escapes are written twice."""
    quoted = _unspecific(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{quoted}"' if quoted != word or not word or any(char in " '" for char in word) else word


def _unspecific(text: str) -> str:
    """A text of a unit in which nothing is expanded."""
    return text.replace("%", "%%")


def cron_block(start: Start, times: Iterable[Times], now: datetime, local: tzinfo | None = None) -> str:
    """The lines of a crontab between their marks; `local` is the zone that cron goes by, the machine's where None.

    Cron knows no zone but the machine's, whose clock may leave hours out or have them twice, and does not make up for
    what passed while the machine slept. So it looks every hour, at the minutes that may be meant.
    """
    start.checked("cron")
    instants = (at for one in times for at in one.firings(now, now + AHEAD))
    minutes = sorted({at.astimezone(local).minute for at in instants})
    command = " ".join(_cron_word(word) for word in start.command)
    begin, end = _marks(start)
    return f"{begin}\n{','.join(map(str, minutes))} * * * * {command}\n{end}\n"


def _cron_word(word: str) -> str:
    """A word for the shell, without backslashes of its own; cron takes an unmarked `%` for the end of the line."""
    return shlex.quote(word).replace("%", "\\%")


def _marks(start: Start) -> tuple[str, str]:
    return (
        f"# {start.name}: begin. Made by `bedrot schedule install`, removed by `bedrot schedule remove`.",
        f"# {start.name}: end",
    )


def with_block(crontab: bytes, start: Start, block: str) -> bytes:
    """A crontab with the lake's block (blank: without), all other lines byte for byte; Damaged where it is torn."""
    begin, end = (mark.encode() for mark in _marks(start))
    lines = crontab.split(b"\n")
    lines = [*(line + b"\n" for line in lines[:-1]), *filter(None, lines[-1:])]
    bare = [line.rstrip(b"\r\n") for line in lines]
    first, last = ([at for at, line in enumerate(bare) if line == mark] for mark in (begin, end))
    if not first and not last:
        between = b"" if not crontab or crontab.endswith(b"\n") or not block else b"\n"
        return crontab + between + block.encode()
    if len(first) != 1 or len(last) != 1 or first[0] > last[0]:
        raise Damaged(
            f"The lines of this lake in your crontab were changed ({start.name}).",
            "Remove them with `crontab -e`, then give the command again.",
        )
    return b"".join([*lines[: first[0]], block.encode(), *lines[last[0] + 1 :]])


def windows_task(start: Start, times: Iterable[Times], now: datetime) -> str:
    """The task as XML, in ASCII, so that it is whole in whichever encoding it is kept.

    Each day at all times in UTC that may be meant: so neither the machine's zone nor its days of the week matter. What
    was missed while the machine slept is started when it wakes up.
    """
    start.checked("windows")
    clocks = sorted({at.time() for one in times for at in one.firings(now, now + AHEAD)})
    triggers = "".join(
        f"""    <CalendarTrigger>
      <StartBoundary>{now.astimezone(UTC):%Y-%m-%d}T{clock:%H:%M:%S}Z</StartBoundary>
      <Enabled>true</Enabled>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>
"""
        for clock in clocks
    )
    return f"""<?xml version="1.0"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{_xml(f"BEDROT: the schedule of {start.lake}")}</Description>
  </RegistrationInfo>
  <Triggers>
{triggers}  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT12H</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{_xml(start.command[0])}</Command>
      <Arguments>{_xml(subprocess.list2cmdline(start.command[1:]))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def _xml(text: str) -> str:
    """A text of XML in ASCII."""
    return escape(text).encode("ascii", "xmlcharrefreplace").decode()


def shown(system: str, start: Start, times: Mapping[str, Times], now: datetime) -> Sequence[tuple[str, str]]:
    """What would be given to a system: the name of each file, and its text."""
    every = list(times.values())
    if system == "systemd":
        return list(systemd_units(start, every, now).items())
    if system == "cron":
        return [("crontab", cron_block(start, every, now))]
    return [(f"{start.name}.xml", windows_task(start, every, now))]
