"""The keeper of a lake's schedule: does the work once for all that came due, notes it, and tells it outside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Never

from bedrot.config import Schedule
from bedrot.errors import BedrotError, Busy, Misconfigured
from bedrot.lake import disk
from bedrot.lake.lock import held
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import (
    ALL,
    Served,
    due,
    outcome,
    place_of,
    read_installed,
    read_served,
    said,
    times_of,
    upcoming,
    write_served,
)

WAKE = 60.0
"""Seconds between two looks at the clock, at most: a machine may sleep meanwhile, and its clock be set."""
_STOP = 2.0
PING = 10.0
"""Seconds that an address to ping may take."""
_NO_START = 127


@contextmanager
def only_keeper(lake: Lake) -> Iterator[None]:
    """Be the only one who serves the schedule of a lake; Busy where another one does."""

    def busy() -> Busy:
        return Busy("Another bedrot keeps the schedule of this lake already.", "One is enough: leave it to it.")

    disk.make_folder(lake.schedule)
    with held(lake.schedule / ".lock", 0, busy):
        yield


@dataclass
class Keeper:
    """Serves the schedule of a lake; only while it is the only one (`only_keeper`).

    `schedule` reads the settings; `job` does the work that the words of a command say and gives its exit code; `ping`
    tells it outside and says what went wrong with that; `say` speaks to the person.
    """

    lake: Lake
    schedule: Callable[[], Schedule]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    job: Callable[[Sequence[str]], int]
    ping: Callable[[str], str]
    say: Callable[[str], None]
    wake: float = WAKE
    _told: str = field(default="", init=False)

    def due(self) -> dict[str, datetime]:
        """What is due now and was not served; Misconfigured where the lake is not there, or its settings are wrong."""
        if not self.lake.config_path.is_file():
            raise Misconfigured("The lake is not there.", "Bring it back to its place.", file=str(self.lake.root))
        installed = read_installed(self.lake)
        return due(self.schedule(), read_served(self.lake), installed.at if installed else None, self.clock())

    def once(self) -> int | None:
        """Do the work where any is due: its exit code; None where nothing is. Raises StorageFailed.

        That it begins is noted first: where that cannot be, nothing is begun, or it would begin again for ever.
        """
        found = self.due()
        if not found:
            return None
        schedule, began = self.schedule(), self.clock()
        before = read_served(self.lake) or Served()
        write_served(self.lake, replace(before, began=began))
        self.say(f"Due since {said(min(found.values()))}; begun on {said(began)}.")
        code = self.job(words(schedule, found))
        ended = max(began, self.clock())
        kept = {name: at for name, at in before.upto.items() if name in times_of(schedule)}
        served = Served(kept | found, began, ended, code, upcoming(schedule, ended))
        write_served(self.lake, served)
        self.say(f"Ended on {said(ended)}: {outcome(code)}.")
        if schedule.ping and (wrong := self.ping(schedule.ping)):
            write_served(self.lake, replace(served, ping=wrong))
            self.say(wrong)
        return code

    def watch(self) -> Never:
        """Serve for ever. What goes wrong is said once, and tried again at the next look."""
        while True:
            wait = self.wake
            try:
                self.once()
                now = self.clock()
                after = upcoming(self.schedule(), now)
                self._say_once(f"The next time is {said(after)}.")
                wait = min(self.wake, max(1.0, (after - now).total_seconds()))
            except BedrotError as wrong:
                self._say_once(str(wrong))
            self.sleep(wait)

    def _say_once(self, sentence: str) -> None:
        if sentence != self._told:
            self._told = sentence
            self.say(sentence)


def words(schedule: Schedule, names: Collection[str]) -> list[str]:
    """The command that does the work for what is due: all sources but those with times of their own, or some."""
    if schedule.job == "run":
        return ["run"]
    if ALL in names:
        return ["sync", *(f"--except={name}" for name in sorted(schedule.sources) if name not in names)]
    return ["sync", "--", *sorted(names)]


def run_job(lake: Lake, told: Sequence[str]) -> int:
    """Run a command of bedrot for the lake as a process of its own, without anybody to ask: its exit code.

    It is asked to stop when this process is.
    """
    command = [sys.executable, "-P", "-m", "bedrot", told[0], "--lake", place_of(lake), *told[1:]]
    try:
        # Of a session of its own: Ctrl-C is for this process, which asks the other one to stop, once.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=os.name != "nt")  # noqa: S603
    except OSError:
        return _NO_START
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP)
            process.kill()


def ping(address: str, patience: float = PING) -> str:
    """Ask once for an address, without following where it leads: what went wrong, without the address, or nothing.

    Whatever answers, however slowly, this takes no longer than `patience` seconds.
    """
    said: list[str] = []
    asking = threading.Thread(target=lambda: said.append(_pinged(address, patience)), daemon=True)
    asking.start()
    asking.join(patience)
    return said[0] if said else f"The ping was not answered within {patience:.0f} seconds."


def _pinged(address: str, patience: float) -> str:
    from http.client import HTTPException  # noqa: PLC0415  most need none of these
    from urllib.error import HTTPError  # noqa: PLC0415
    from urllib.request import HTTPRedirectHandler, build_opener  # noqa: PLC0415

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_told: object) -> None:
            """Go nowhere else: to have asked is all that counts."""

    if not address.startswith(("https://", "http://")):
        return "The ping was not sent: its address begins neither with https:// nor with http://."
    try:
        with build_opener(Stay).open(address, timeout=patience):
            return ""
    except HTTPError as answered:
        return "" if answered.code < 400 else f"The ping was answered with an error ({answered.code})."
    except (OSError, ValueError, HTTPException) as wrong:
        return f"The ping did not get through ({type(wrong).__name__})."
