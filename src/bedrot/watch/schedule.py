"""When the lake's work is due: the instants that the settings mean, what was served of them, and how that stands."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any

from bedrot.config import Schedule, Settings
from bedrot.errors import Damaged, Misconfigured
from bedrot.lake import disk
from bedrot.lake.sealed import digest, instant, instant_or_none, iso, iso_or_none, read_sealed, seal
from bedrot.lake.zones import Lake

ALL = ""
"""The name of the times of all sources that have none of their own."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
GRACE = timedelta(hours=3)
"""So long after its instant a firing may still be under way: a machine wakes up, a long job ends."""
AHEAD = timedelta(days=1)
"""A record so far ahead of the clock was written by a clock that was wrong."""
_LONGEST = timedelta(hours=12)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Times:
    """Some days of the week (0 is Monday) at a time of day in a zone."""

    days: frozenset[int]
    at: time
    zone: tzinfo
    zone_name: str = "UTC"

    def firings(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The instants behind `after` and up to `until`, in UTC, in order.

        A time that the zone leaves out on a day is its first instant after; one that comes twice is the first.
        """
        last = after
        # A zone may leave out a whole day, and may be a day away from UTC: so one more on both sides.
        for number in range(after.date().toordinal() - 2, until.date().toordinal() + 3):
            if date.fromordinal(number).weekday() in self.days:
                found = self._on(date.fromordinal(number))
                if last < found <= until:
                    last = found
                    yield found

    def _on(self, day: date) -> datetime:
        """The instant on a day."""
        wall = datetime.combine(day, self.at, self.zone)
        found = wall.astimezone(UTC)
        if found.astimezone(self.zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
            return found
        before, behind = wall.replace(fold=1).astimezone(UTC), found
        offset = behind.astimezone(self.zone).utcoffset()
        while behind - before > timedelta(seconds=1):
            middle = before + (behind - before) // 2
            if middle.astimezone(self.zone).utcoffset() == offset:
                behind = middle
            else:
                before = middle
        return behind.replace(microsecond=0)

    def next(self, now: datetime) -> datetime:
        """The first instant behind `now`."""
        return next(self.firings(now, now + 10 * _DAY))

    def last(self, now: datetime) -> datetime:
        """The last instant at `now` or before."""
        *_, found = self.firings(now - 10 * _DAY, now)
        return found


def times_of(schedule: Schedule) -> dict[str, Times]:
    """The times of all sources, and of each that has its own; Misconfigured where there is no such zone."""
    zone = _zone(schedule.zone)
    told = {ALL: (schedule.days, schedule.at)} | {
        name: (one.days or schedule.days, one.at or schedule.at) for name, one in schedule.sources.items()
    }
    return {
        name: Times(frozenset(map(DAYS.index, days)), time.fromisoformat(at), zone, schedule.zone)
        for name, (days, at) in told.items()
    }


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415  most need none

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as unknown:
        raise Misconfigured(
            f"The setting 'schedule.zone' names a time zone that is not known here: '{name}'.",
            'Write it as "Europe/Berlin" or "America/New_York".',
        ) from unknown


def upcoming(schedule: Schedule, now: datetime) -> datetime:
    """The next instant at which anything is due."""
    return min(one.next(now) for one in times_of(schedule).values())


@dataclass(frozen=True)
class Served:
    """What was served of the schedule: by name the last instant, and how the last job went.

    `ping` says what went wrong with telling it outside; blank where nothing did.
    """

    upto: Mapping[str, datetime] = field(default_factory=dict)
    began: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    expected: datetime | None = None
    ping: str = ""

    @property
    def at_work(self) -> bool:
        """Whether a job was begun and its end not noted: it runs, or was cut off."""
        return self.began is not None and (self.ended is None or self.began > self.ended)


@dataclass(frozen=True)
class Installed:
    """What serves the schedule of a lake (blank: nothing any more), since when, where, and for which settings."""

    system: str
    at: datetime
    computer: str
    place: str
    meant: str


def meant(schedule: Schedule) -> str:
    """A hash of what an installed schedule depends on."""
    own = {name: [one.days, one.at] for name, one in schedule.sources.items()}
    return digest({"days": schedule.days, "at": schedule.at, "zone": schedule.zone, "sources": own})


def served_path(lake: Lake) -> Path:
    """The file that tells when the schedule was last served and when it will be: others may look at it, too."""
    return lake.schedule / "served.json"


def read_served(lake: Lake) -> Served | None:
    """What was served; None where nothing is known of it, or what is known is not whole."""
    told = _read(served_path(lake))
    if told is None:
        return None
    upto = {name: instant(at) for name, at in told["upto"].items()}
    began, ended, expected = (instant_or_none(told[name]) for name in ("began", "ended", "expected"))
    return Served(upto, began, ended, told["exit_code"], expected, told["ping"])


def write_served(lake: Lake, served: Served) -> None:
    """Note durably what was served. Raises StorageFailed."""
    at = {name: iso_or_none(getattr(served, name)) for name in ("began", "ended", "expected")}
    upto = {name: iso(when) for name, when in served.upto.items()}
    told = {"upto": upto, **at, "exit_code": served.exit_code, "ping": served.ping}
    disk.put_text(served_path(lake), seal(told), replace=True, read_only=False)


def read_installed(lake: Lake) -> Installed | None:
    """What was installed or removed last; None where nothing ever was, or the note is not whole."""
    told = _read(_installed_path(lake))
    return Installed(**{**told, "at": instant(told["at"])}) if told else None


def note_installed(lake: Lake, schedule: Schedule, system: str, now: datetime) -> None:
    """Note durably what serves the schedule from now on. Raises StorageFailed."""
    told = {"system": system, "at": iso(now), "computer": platform.node(), "place": place_of(lake)}
    disk.put_text(_installed_path(lake), seal({**told, "meant": meant(schedule)}), replace=True, read_only=False)


def place_of(lake: Lake) -> str:
    """Where a lake is, the same by whichever name it is reached."""
    return str(lake.root.resolve())


def _installed_path(lake: Lake) -> Path:
    return lake.schedule / "installed.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_sealed(path)
    except Damaged:
        return None


def due(schedule: Schedule, served: Served | None, since: datetime | None, now: datetime) -> dict[str, datetime]:
    """By name the last instant that has passed and was not served; `since`: from when on firings count at all.

    Where nothing is known of a name the last instant counts as not served: to do the work once more does no harm.
    So it does where the record is far ahead of the clock, which was wrong then.
    """
    found = {}
    for name, times in times_of(schedule).items():
        last = times.last(now)
        upto = served.upto.get(name) if served else None
        if upto is None or upto - now > AHEAD:
            upto = since if since and since <= now else None
        if upto is None or upto < last:
            found[name] = last
    return found


class Keeping(StrEnum):
    """How it stands with the schedule of a lake."""

    SERVED = "served"
    AT_WORK = "at work"
    NEVER = "never"
    LATE = "late"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SchedulerState:
    """How it stands with the schedule, as a sentence and what to do (blank: nothing)."""

    state: Keeping
    sentence: str
    do: str = ""
    late_since: datetime | None = None
    expected: datetime | None = None
    exit_code: int | None = None


def scheduler_state(lake: Lake, settings: Settings, now: datetime) -> SchedulerState:
    """How it stands with the schedule of a lake at an instant; Misconfigured where the settings mean none."""
    served, installed = read_served(lake), read_installed(lake)
    expected = upcoming(settings.schedule, now)
    when = f"The next time is {said(expected)}."
    if _unkept(served, installed):
        return SchedulerState(
            Keeping.UNKNOWN, "No schedule is installed: nothing runs by itself.", "bedrot schedule install"
        )
    since = installed.at if installed else None
    begun = served.began if served and served.at_work else None
    if begun and timedelta() <= now - begun < _LONGEST:
        return SchedulerState(Keeping.AT_WORK, f"It is at work since {said(begun)}.", expected=expected)
    oldest = _oldest(settings.schedule, served, since, now)
    code = served.exit_code if served and served.ended else None
    if oldest is not None and now - oldest > GRACE:
        return SchedulerState(
            Keeping.LATE,
            f"The schedule is late: what was due on {said(oldest)} was not done.",
            "Do it now: bedrot schedule run --once. To see what should have started it: bedrot schedule show",
            oldest,
            expected,
            code,
        )
    if installed and installed.system and (wrong := _changed(lake, settings.schedule, installed)):
        return SchedulerState(Keeping.CHANGED, wrong, "bedrot schedule install", expected=expected, exit_code=code)
    if served is None or served.ended is None:
        return SchedulerState(Keeping.NEVER, f"The schedule has not come due yet. {when}", expected=expected)
    return SchedulerState(
        Keeping.SERVED,
        f"It was last served on {said(served.ended)}: {outcome(code)}. {when}",
        "" if code in {0, 1} else f"See what is wrong: bedrot {settings.schedule.job}",
        expected=expected,
        exit_code=code,
    )


def outcome(code: int | None) -> str:
    """What an exit code of the job means."""
    if code == 0:
        return "nothing needed you"
    return "something needs you (bedrot status)" if code == 1 else f"it failed (exit code {code})"


def said(at: datetime) -> str:
    """An instant for a person."""
    return f"{at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"


def _unkept(served: Served | None, installed: Installed | None) -> bool:
    """Whether nothing serves the schedule: never installed nor served, or removed and not served since."""
    if installed is None:
        return served is None
    return not installed.system and (served is None or served.began is None or served.began <= installed.at)


def _oldest(schedule: Schedule, served: Served | None, since: datetime | None, now: datetime) -> datetime | None:
    """The oldest instant that is due and not served, as far as it is known."""
    found = []
    for name, last in due(schedule, served, since, now).items():
        upto = served.upto.get(name) if served else None
        known = upto if upto is not None and upto <= now else since
        times = times_of(schedule)[name]
        found.append(next(times.firings(known, now), last) if known else last)
    return min(found, default=None)


def _changed(lake: Lake, schedule: Schedule, installed: Installed) -> str:
    """What has changed since the schedule was installed; blank where nothing has."""
    if installed.computer != platform.node():
        return "The schedule was installed on another computer: nothing on this one starts it."
    if installed.place != place_of(lake):
        return "The lake was moved since its schedule was installed: it is looked for in its old place."
    if installed.meant != meant(schedule):
        return "The times in bedrot.toml were changed since the schedule was installed."
    return ""
