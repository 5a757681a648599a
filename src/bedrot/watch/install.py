"""Give the schedule to the system's own scheduler, and take it away again: each twice as well as once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bedrot.errors import Misconfigured, StorageFailed
from bedrot.lake import disk
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import Times
from bedrot.watch.timers import Start, cron_block, systemd_units, windows_task, with_block

SYSTEMS = ("systemd", "cron", "windows")
_NONE = "Keep `bedrot schedule run` running instead: it needs no scheduler of the system."
_PATIENCE = 60


@dataclass(frozen=True)
class Scheduler:
    """The schedulers of this machine for one lake; `units` is where systemd looks for a person's own units."""

    lake: Lake
    start: Start
    units: Path
    windows: bool = sys.platform == "win32"

    def usual(self) -> str:
        """The scheduler that there is: the Task Scheduler, the person's systemd, else cron; Misconfigured else."""
        if self.windows:
            return "windows"
        if self._systemd_answers():
            return "systemd"
        if shutil.which("crontab"):
            return "cron"
        raise Misconfigured("Neither systemd nor cron can be reached here.", _NONE)

    def install(self, system: str, times: Mapping[str, Times], now: datetime) -> Iterator[str]:
        """Let a scheduler serve the lake, and no other one; what was done, in sentences. Misconfigured if it fails."""
        if (system == "windows") != self.windows:
            raise Misconfigured(
                f"This computer has no {system}.", f"To see what it would be given: bedrot schedule show --for {system}"
            )
        every = list(times.values())
        if system == "systemd":
            yield self._install_systemd(systemd_units(self.start, every, now))
        elif system == "cron":
            yield self._install_cron(cron_block(self.start, every, now))
        else:
            yield self._install_windows(windows_task(self.start, every, now))
        for other in SYSTEMS:
            if other != system:
                yield from self._removed(other)

    def remove(self) -> list[str]:
        """Take the lake's schedule from every scheduler of this machine that has it; a sentence for each that had."""
        return [said for system in SYSTEMS for said in self._removed(system)]

    def _removed(self, system: str) -> Iterator[str]:
        if (system == "windows") == self.windows:
            yield from {
                "systemd": self._remove_systemd,
                "cron": self._remove_cron,
                "windows": self._remove_windows,
            }[system]()

    def _install_systemd(self, units: Mapping[str, str]) -> str:
        if not self._systemd_answers():
            raise Misconfigured("Your own systemd cannot be reached here.", f"Try: --for cron. {_NONE}")
        for name, text in units.items():
            disk.put_text(self.units / name, text, replace=True, read_only=False)
        timer = f"{self.start.name}.timer"
        _asked("systemctl", "--user", "daemon-reload")
        _asked("systemctl", "--user", "enable", timer)
        _asked("systemctl", "--user", "restart", timer)
        return f"systemd starts it now: {self.units / timer}. To let it run after you log out: loginctl enable-linger"

    def _remove_systemd(self) -> Iterator[str]:
        paths = [self.units / f"{self.start.name}.{kind}" for kind in ("timer", "service")]
        if not any(path.exists() for path in paths):
            return
        if self._systemd_answers():
            _asked("systemctl", "--user", "disable", "--now", paths[0].name)
        disk.remove(self.units / "timers.target.wants" / paths[0].name)
        for path in paths:
            disk.remove(path)
        if self._systemd_answers():
            _asked("systemctl", "--user", "daemon-reload")
        yield f"systemd does not start it any more: {paths[0].name} is gone."

    def _systemd_answers(self) -> bool:
        found = _ask("systemctl", "--user", "show", "--property=Version")
        return found is not None and found.returncode == 0

    def _install_cron(self, block: str) -> str:
        before = _crontab()
        after = with_block(before, self.start, block)
        if after != before:
            _asked("crontab", "-", told=after)
        return f"cron starts it now: {block.splitlines()[1]}"

    def _remove_cron(self) -> Iterator[str]:
        if not shutil.which("crontab"):
            return
        before = _crontab()
        after = with_block(before, self.start, "")
        if after == before:
            return
        if after:
            _asked("crontab", "-", told=after)
        else:
            _asked("crontab", "-r")
        yield "cron does not start it any more: its lines are gone from your crontab."

    def _install_windows(self, task: str) -> str:
        path = self.lake.schedule / f"{self.start.name}.xml"
        disk.put(path, (task.encode("utf-16"),), replace=True, read_only=False)
        try:
            _asked("schtasks", "/Create", "/TN", self._task, "/XML", str(path), "/F")
        finally:
            disk.remove(path)
        return f"The Task Scheduler starts it now: {self._task}"

    def _remove_windows(self) -> Iterator[str]:
        found = _ask("schtasks", "/Query", "/TN", self._task)
        if found is not None and found.returncode == 0:
            _asked("schtasks", "/Delete", "/TN", self._task, "/F")
            yield f"The Task Scheduler does not start it any more: {self._task} is gone."

    @property
    def _task(self) -> str:
        return f"BEDROT\\{self.start.name}"


def _crontab() -> bytes:
    """The person's crontab; empty where there is none. Misconfigured where it cannot be read."""
    found = _ask("crontab", "-l")
    if found is None:
        raise Misconfigured("There is no cron on this computer.", _NONE)
    if found.returncode and b"no crontab" not in found.stderr.lower():
        raise _failed("crontab", found)
    return b"" if found.returncode else found.stdout


def _ask(*command: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes] | None:
    """What a program of the system answers; None where there is no such program, or it does not answer."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        return subprocess.run(  # noqa: S603  a program of the system, and words of ours
            [program, *command[1:]], input=told, capture_output=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _asked(*command: str, told: bytes = b"") -> None:
    """The same where it must go well; Misconfigured with what the program says."""
    found = _ask(*command, told=told)
    if found is None:
        raise StorageFailed(f"The program {command[0]} does not answer.", _NONE)
    if found.returncode:
        raise _failed(command[0], found)


def _failed(program: str, found: subprocess.CompletedProcess[bytes]) -> Misconfigured:
    said = (found.stderr or found.stdout).decode(errors="replace").strip().splitlines()
    return Misconfigured(f"{program} refused: {said[-1] if said else 'it does not say why'}", _NONE)
