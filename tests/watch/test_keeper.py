"""The keeper on a clock of ours: sleep, jumps back and forward, a full disk; and nothing done twice or never."""

from __future__ import annotations

import errno
import http.server
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedrot.config import Schedule, SourceTimes
from bedrot.errors import Busy, StorageFailed
from bedrot.lake import disk
from bedrot.lake.zones import Lake
from bedrot.watch.keeper import WAKE, Keeper, only_keeper, ping, words
from bedrot.watch.schedule import ALL, read_served, served_path, times_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = datetime(2026, 11, 23, 19, tzinfo=UTC)
SEED = int(os.environ.get("BEDROT_SEED", "20251"))


class Ended(Exception):
    """The simulated time is over."""


@dataclass
class Simulated:
    """A machine with a lake: its clock goes as the test says, and a job takes its time."""

    lake: Lake
    now: datetime
    until: datetime
    schedule: Schedule = field(default_factory=Schedule)
    takes: timedelta = timedelta(minutes=7)
    code: int = 0
    upsets: list[tuple[datetime, Callable[[Simulated], None]]] = field(default_factory=list)
    jobs: list[tuple[datetime, tuple[str, ...]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    pinged: list[str] = field(default_factory=list)
    wake: float = 3600.0

    def keeper(self) -> Keeper:
        told = (lambda: self.schedule, lambda: self.now, self._sleep, self._job, self._ping, self.said.append)
        return Keeper(self.lake, *told, wake=self.wake)

    def lives(self) -> list[datetime]:
        """When jobs began, until the time is over."""
        with pytest.raises(Ended), only_keeper(self.lake):
            self.keeper().watch()
        return [at for at, _ in self.jobs]

    def _sleep(self, seconds: float) -> None:
        assert 0 < seconds <= self.wake
        self.now += timedelta(seconds=seconds)
        while self.upsets and self.upsets[0][0] <= self.now:
            self.upsets.pop(0)[1](self)
        if self.now > self.until and not self.upsets:
            raise Ended

    def _job(self, told: Sequence[str]) -> int:
        self.jobs.append((self.now, tuple(told)))
        self.now += self.takes
        return self.code

    def _ping(self, address: str) -> str:
        self.pinged.append(address)
        return ""


def jump(by: timedelta) -> Callable[[Simulated], None]:
    def upset(machine: Simulated) -> None:
        machine.now += by

    return upset


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def test_two_weeks_are_six_jobs_each_at_its_instant(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY, MONDAY + 13 * DAY)
    wanted = [MONDAY, *times_of(Schedule())[ALL].firings(MONDAY, machine.until)]
    began = machine.lives()
    assert began == wanted
    assert len(began) == 6
    served = read_served(lake)
    assert served is not None
    assert (served.upto, served.exit_code) == ({ALL: wanted[-1]}, 0)
    assert served.expected == times_of(Schedule())[ALL].next(wanted[-1])


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_over_the_days_on_which_the_clocks_change(lake: Lake, zone: str) -> None:
    schedule = Schedule(days=("sat", "sun", "mon"), at="02:15", zone=zone)
    for begin in (
        datetime(2026, 3, 27, tzinfo=UTC),
        datetime(2026, 10, 2, tzinfo=UTC),
        datetime(2026, 10, 23, tzinfo=UTC),
    ):
        served_path(lake).unlink(missing_ok=True)
        machine = Simulated(lake, begin, begin + 4 * DAY, schedule)
        assert machine.lives()[1:] == list(times_of(schedule)[ALL].firings(begin, machine.until))


def test_what_passed_in_sleep_is_done_once_on_waking(lake: Lake) -> None:
    wake = MONDAY + 20 * DAY + 3 * HOUR
    machine = Simulated(lake, MONDAY, MONDAY + 22 * DAY)
    machine.upsets = [(MONDAY + HOUR, jump(20 * DAY + 2 * HOUR))]
    first, caught, after = machine.lives()
    assert first == MONDAY
    assert wake <= caught <= wake + HOUR
    assert after == datetime(2026, 12, 14, 19, tzinfo=UTC)


def test_a_clock_put_back_a_little_does_nothing_twice(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY - HOUR, MONDAY + 2 * DAY + HOUR)
    machine.upsets = [
        (MONDAY + 8 * timedelta(minutes=1), jump(-timedelta(minutes=10))),
        (MONDAY + HOUR, jump(-20 * HOUR)),
    ]
    assert [at for at in machine.lives() if at >= MONDAY] == [MONDAY, MONDAY + 2 * DAY]


def test_after_a_clock_that_was_a_year_ahead_the_schedule_goes_on(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY + HOUR, MONDAY + 7 * DAY)
    machine.upsets = [(MONDAY + 2 * HOUR, jump(365 * DAY)), (MONDAY + 366 * DAY, jump(-365 * DAY))]
    began = machine.lives()
    true = [at for at in began if at < MONDAY + 30 * DAY]
    assert set(times_of(Schedule())[ALL].firings(MONDAY + DAY + 2 * HOUR, machine.until)) <= set(true)
    assert len(began) <= 7


def test_any_life_serves_each_instant_once(lake: Lake) -> None:
    """Random sleeps, restarts and steps of the clock: no instant without a job soon after waking, none with two."""
    print(f"seed={SEED} (BEDROT_SEED overrides)")  # noqa: T201
    chance = random.Random(SEED)  # noqa: S311
    schedule = Schedule(days=("mon", "tue", "thu", "sun"), at="02:30", zone="America/New_York")
    machine = Simulated(lake, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 20, tzinfo=UTC), schedule)
    at = machine.now
    while (at := at + chance.random() * 4 * DAY) < machine.until:
        by = chance.choice([chance.random() * 3 * DAY, -chance.random() * 15 * HOUR, chance.random() * HOUR])
        machine.upsets.append((at, jump(by)))
    began = machine.lives()
    served = [max(one for one in [times_of(schedule)[ALL].last(at)]) for at in began]
    assert len(set(served)) == len(served), "an instant was served twice"
    assert served == sorted(served)
    last = times_of(schedule)[ALL].last(machine.now - 2 * HOUR)
    kept = read_served(lake)
    assert kept is not None
    assert kept.upto[ALL] >= last
    assert len(served) > 15


def test_a_job_that_fails_is_noted_and_the_next_one_comes(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY, MONDAY + 2 * DAY, code=2)
    assert len(machine.lives()) == 2
    served = read_served(lake)
    assert served is not None
    assert served.exit_code == 2
    assert sum("it failed (exit code 2)" in one for one in machine.said) == 2


def test_a_job_that_was_cut_off_is_begun_again(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY, MONDAY + DAY)
    keeper = machine.keeper()

    def dies(_told: Sequence[str]) -> int:
        raise KeyboardInterrupt

    keeper.job = dies
    with pytest.raises(KeyboardInterrupt):
        keeper.once()
    served = read_served(lake)
    assert served is not None
    assert served.at_work
    assert machine.keeper().once() == 0
    assert machine.keeper().once() is None


def test_a_full_disk_begins_nothing_and_ends_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Simulated(lake, MONDAY, MONDAY + HOUR, wake=WAKE)
    fsync = disk.fsync

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "fsync", full)
    with pytest.raises(StorageFailed, match="The disk is full"):
        machine.keeper().once()
    assert machine.jobs == []
    machine.upsets = [(MONDAY + HOUR / 2, lambda _: monkeypatch.setattr(disk, "fsync", fsync))]
    (began,) = machine.lives()
    assert MONDAY + HOUR / 2 <= began <= MONDAY + HOUR
    assert sum("The disk is full" in one for one in machine.said) == 1


def test_a_disk_that_fills_up_meanwhile_makes_no_endless_loop(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Simulated(lake, MONDAY, MONDAY + 5 * HOUR)
    keeper = machine.keeper()
    fsync, job = disk.fsync, keeper.job

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fills(told: Sequence[str]) -> int:
        monkeypatch.setattr(disk, "fsync", full)
        return job(told)

    keeper.job = fills
    with pytest.raises(Ended):
        keeper.watch()
    assert len(machine.jobs) == 1
    monkeypatch.setattr(disk, "fsync", fsync)


def test_a_lake_that_is_away_is_waited_for_and_not_made_anew(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY + HOUR, MONDAY + 2 * DAY + 3 * HOUR)
    away = lake.root.with_name("away")
    machine.upsets = [
        (MONDAY + DAY, lambda _: lake.root.rename(away) and None),
        (MONDAY + 2 * DAY + HOUR / 2, lambda _: away.rename(lake.root) and None),
    ]
    _, caught = machine.lives()
    assert caught >= MONDAY + 2 * DAY + HOUR / 2
    assert sum("The lake is not there" in one for one in machine.said) == 1


def test_settings_that_are_changed_count_from_the_next_look_on(lake: Lake) -> None:
    machine = Simulated(lake, MONDAY, MONDAY + 2 * DAY)

    def earlier(one: Simulated) -> None:
        one.schedule = Schedule(days=("tue",), at="06:00")

    machine.upsets = [(MONDAY + HOUR, earlier)]
    assert machine.lives() == [MONDAY, MONDAY + 11 * HOUR]


def test_one_source_at_its_own_times_is_left_out_of_the_others(lake: Lake) -> None:
    own = Schedule(sources={"one": SourceTimes(days=("tue",)), "two": SourceTimes(days=("mon", "thu"))})
    machine = Simulated(lake, MONDAY - HOUR, MONDAY + 3 * DAY, own)
    machine.lives()
    assert machine.jobs[1:] == [
        (MONDAY, ("sync", "--except=one")),
        (MONDAY + DAY, ("sync", "--", "one")),
        (MONDAY + 2 * DAY, ("sync", "--except=one", "--except=two")),
        (MONDAY + 3 * DAY, ("sync", "--", "two")),
    ]
    assert machine.jobs[0][1] == ("sync",)
    assert words(Schedule(job="run", sources=own.sources), [ALL, "one"]) == ["run"]


def test_only_one_keeps_it(lake: Lake) -> None:
    with only_keeper(lake), pytest.raises(Busy, match="Another bedrot keeps the schedule"), only_keeper(lake):
        pass
    with only_keeper(lake):
        pass


@contextmanager
def answering(status: int, seen: list[str]) -> Iterator[str]:
    """A service that is pinged, and what it was asked; 3xx leads somewhere else."""

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_told: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/canary"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "says"), [(200, ""), (302, ""), (500, "with an error (500)"), (404, "(404)")])
def test_a_ping_is_one_question_and_its_failure_harms_nothing(status: int, says: str) -> None:
    seen: list[str] = []
    with answering(status, seen) as address:
        told = ping(address)
    assert seen == ["/canary"]
    assert says in told
    assert bool(told) == bool(says)
    assert "canary" not in told


def test_a_ping_that_nobody_answers_says_so_without_the_address(lake: Lake) -> None:
    for address in ("http://127.0.0.1:1/canary", "file:///etc/canary", "http://[canary", "http://127.0.0.1:1/ canary"):
        told = ping(address)
        assert told.startswith("The ping ")
        assert "canary" not in told
    machine = Simulated(lake, MONDAY, MONDAY + HOUR, Schedule(ping="http://127.0.0.1:1/canary"))
    keeper = machine.keeper()
    keeper.ping = ping
    assert keeper.once() == 0
    served = read_served(lake)
    assert served is not None
    assert served.ping.startswith("The ping did not get through")
    assert served.upto == {ALL: MONDAY}
    assert "canary" not in served_path(lake).read_text(encoding="utf-8") + "".join(machine.said)
