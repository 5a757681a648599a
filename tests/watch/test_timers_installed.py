"""install and remove as a person gives them: real processes, beside stand-ins of the system's own programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedrot.config import Schedule
from bedrot.lake.zones import Lake
from bedrot.watch.install import Scheduler
from bedrot.watch.schedule import read_installed, times_of
from bedrot.watch.timers import Start

CRONTAB = """\
import sys
from pathlib import Path
kept = Path(__file__).with_name("kept")
match sys.argv[1:]:
    case ["-l"]:
        if not kept.exists():
            sys.exit("no crontab for somebody")
        sys.stdout.buffer.write(kept.read_bytes())
    case ["-"]:
        kept.write_bytes(sys.stdin.buffer.read())
    case ["-r"]:
        kept.unlink()
    case _:
        sys.exit("usage")
"""
NOTES = """\
import json, sys
from pathlib import Path
with Path(__file__).with_name("asked").open("a") as out:
    out.write(json.dumps(sys.argv[1:]) + "\\n")
"""
KEEPS = """\
import shutil
if "/XML" in sys.argv:
    shutil.copy(sys.argv[5], Path(__file__).with_name("task"))
"""
REFUSES = "import sys\nsys.exit('Failed to connect to bus: No medium found')\n"
PING = "https://ping.example/canary"


@dataclass
class Machine:
    """A machine whose programs are stand-ins in a folder of their own."""

    root: Path

    def program(self, name: str, text: str) -> None:
        self.bin.mkdir(exist_ok=True)
        (self.bin / name).write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        (self.bin / name).chmod(0o755)

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def units(self) -> Path:
        return self.root / "config" / "systemd" / "user"

    def crontab(self) -> bytes | None:
        kept = self.bin / "kept"
        return kept.read_bytes() if kept.exists() else None

    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.bin / "asked").read_text().splitlines()]

    def lake(self, name: str) -> Lake:
        made = Lake.create(self.root / name)
        made.config_path.write_text(f'[schedule]\nping = "{PING}"\n', encoding="utf-8")
        return made

    def gives(self, lake: Lake, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT")}
        env = {**kept, "PATH": str(self.bin), "XDG_CONFIG_HOME": str(self.root / "config"), "HOME": str(self.root)}
        command = [sys.executable, "-m", "bedrot", "schedule", *words, "--lake", str(lake.root)]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_cron_gets_its_lines_once_and_loses_them_again(machine: Machine) -> None:
    machine.program("crontab", CRONTAB)
    machine.program("systemctl", REFUSES)
    mine = b"# mine\r\n*/5 * * * * backup \\% \xff\n"
    (machine.bin / "kept").write_bytes(mine)
    one, two = machine.lake("one"), machine.lake("it's 100% two")
    done = machine.gives(one, "install")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cron starts it now: 0 * * * *" in done.stdout
    first = machine.crontab()
    assert machine.gives(one, "install", "--for", "cron").returncode == 0
    assert machine.crontab() == first
    assert machine.gives(two, "install").returncode == 0
    both = machine.crontab() or b""
    assert both.startswith(mine)
    assert both.count(b"0 * * * *") == 2
    assert b"canary" not in both
    installed = read_installed(one)
    assert installed is not None
    assert installed.system == "cron"
    assert "It is started by cron." in machine.gives(one, "show").stdout
    gone = machine.gives(two, "remove")
    assert "cron does not start it any more" in gone.stdout
    assert machine.crontab() == first
    assert "there was nothing to remove" in machine.gives(two, "remove").stdout
    assert machine.gives(one, "remove").returncode == 0
    assert machine.crontab() == mine
    assert "No schedule is installed" in machine.gives(one, "show").stdout


def test_a_crontab_that_was_not_there_is_not_there_again(machine: Machine) -> None:
    machine.program("crontab", CRONTAB)
    lake = machine.lake("lake")
    assert machine.gives(lake, "install").returncode == 0
    assert machine.crontab()
    assert machine.gives(lake, "remove").returncode == 0
    assert machine.crontab() is None


def test_systemd_gets_its_units_and_cron_is_taken_away(machine: Machine) -> None:
    machine.program("crontab", CRONTAB)
    lake = machine.lake("a lake")
    assert machine.gives(lake, "install").returncode == 0
    assert machine.crontab()
    machine.program("systemctl", NOTES)
    done = machine.gives(lake, "install")
    assert done.returncode == 0, done.stderr
    assert "cron does not start it any more" in done.stdout
    assert machine.crontab() is None
    name = Start.of(lake).name
    assert sorted(path.name for path in machine.units.iterdir()) == [f"{name}.service", f"{name}.timer"]
    assert all("canary" not in path.read_text() for path in machine.units.iterdir())
    assert ["--user", "enable", f"{name}.timer"] in machine.asked()
    assert ["--user", "restart", f"{name}.timer"] in machine.asked()
    assert machine.gives(lake, "install").returncode == 0
    gone = machine.gives(lake, "remove")
    assert f"{name}.timer is gone" in gone.stdout
    assert list(machine.units.iterdir()) == []
    assert ["--user", "disable", "--now", f"{name}.timer"] in machine.asked()


def test_where_there_is_no_scheduler_it_is_said_what_else_to_do(machine: Machine) -> None:
    machine.bin.mkdir()
    lake = machine.lake("lake")
    refused = {"": "Neither systemd nor cron", "windows": "has no windows", "systemd": "cannot be reached here"}
    for system, says in refused.items():
        words = ["--for", system] if system else []
        done = machine.gives(lake, "install", *words)
        assert done.returncode == 2
        assert says in done.stderr
        assert "What to do: " in done.stderr
    assert read_installed(lake) is None
    assert not machine.units.exists()
    assert "there was nothing to remove" in machine.gives(lake, "remove").stdout


def test_what_would_be_given_is_printed_for_each_system_and_nothing_else(machine: Machine) -> None:
    machine.bin.mkdir()
    lake = machine.lake("lake")
    for system, says in (("systemd", "OnCalendar="), ("cron", " * * * * "), ("windows", "<Task ")):
        done = machine.gives(lake, "show", "--for", system)
        assert (done.returncode, done.stderr) == (0, "")
        assert says in done.stdout
        assert "canary" not in done.stdout
    assert not machine.units.exists()
    told = machine.gives(lake, "show", "--json").stdout
    assert json.loads(told)["state"] == "unknown"
    assert "canary" not in told


def test_the_task_scheduler_is_given_the_file_and_told_its_name(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another system: that schtasks itself takes it, nobody has seen here."""
    machine.program("schtasks", NOTES + KEEPS)
    monkeypatch.setenv("PATH", str(machine.bin), prepend=os.pathsep)
    lake = machine.lake("lake")
    scheduler = Scheduler(lake, Start.of(lake), machine.units, windows=True)
    assert scheduler.usual() == "windows"
    (said,) = scheduler.install("windows", times_of(Schedule()), datetime(2026, 11, 23, tzinfo=UTC))
    task = f"BEDROT\\{Start.of(lake).name}"
    assert task in said
    (asked,) = machine.asked()
    assert (asked[:4], asked[-1]) == (["/Create", "/TN", task, "/XML"], "/F")
    assert not Path(asked[4]).exists()
    assert "<StartBoundary>" in (machine.bin / "task").read_bytes().decode("utf-16")
    assert scheduler.remove() == [f"The Task Scheduler does not start it any more: {task} is gone."]
    assert machine.asked()[-1] == ["/Delete", "/TN", task, "/F"]
