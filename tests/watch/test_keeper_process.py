"""The keeper as a process: one at a time, stopped soon, and what a kill cut off is made up for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedrot.config import Schedule
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake
from bedrot.watch.schedule import ALL, Served, read_served, times_of, write_served

ENV = {name: value for name, value in os.environ.items() if not name.startswith("BEDROT")}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "it's a 100% lake")
    made.config_path.write_text('[schedule]\njob = "run"\n', encoding="utf-8")
    return made


def given(lake: Lake, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bedrot", *words, "--lake", str(lake.root)]
    return subprocess.run(command, capture_output=True, text=True, env=ENV, check=False)


def until(found: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def begun(lake: Lake) -> bool:
    served = read_served(lake)
    return served is not None and served.at_work


@contextmanager
def keeping(lake: Lake, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bedrot", "schedule", "run", "--lake", str(lake.root), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    """Processes that this one has started and that live."""
    told = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in told.read_text().split()] if told.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_once_does_what_is_due_and_then_nothing(lake: Lake) -> None:
    done = given(lake, "schedule", "run", "--once")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Due since .* UTC; begun on .* UTC\.\n(.*\n)*Ended on .*: nothing needed you\.", done.stdout)
    before = read_served(lake)
    assert before is not None
    assert before.exit_code == 0
    again = given(lake, "schedule", "run", "--once")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert read_served(lake) == before
    told = json.loads(given(lake, "schedule", "show", "--json").stdout)
    assert told["state"] == "served"


def test_the_exit_code_is_the_job_s(lake: Lake) -> None:
    (lake.landing / "inbox" / "strange.csv").write_text("what,is\nthis,?\n")
    done = given(lake, "schedule", "run", "--once")
    assert done.returncode == 1
    served = read_served(lake)
    assert served is not None
    assert served.exit_code == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_asked_to_stop_while_it_waits_it_ends(lake: Lake, number: int) -> None:
    write_served(lake, Served({ALL: times_of(Schedule())[ALL].last(datetime.now(UTC))}))
    with keeping(lake) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline().startswith("The next time is ")
        second = given(lake, "schedule", "run")
        assert second.returncode == 2
        assert "Another bedrot keeps the schedule of this lake already." in second.stderr
        keeper.send_signal(number)
        assert keeper.wait(60) == -number


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
def test_asked_to_stop_at_work_its_job_ends_with_it_and_is_made_up_for(lake: Lake) -> None:
    """The job is `sync`, which waits here for the lake's lock, as it may for minutes."""
    lake.config_path.write_text("", encoding="utf-8")
    phrase = {"BEDROT_VAULT_KEY": "passphrase of a test", "XDG_DATA_HOME": str(lake.root.parent / "data")}
    ENV.update({**phrase, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"})
    with writer_lock(lake), keeping(lake) as keeper:
        until(lambda: begun(lake) and children(keeper.pid))
        (job,) = children(keeper.pid)
        busy = given(lake, "schedule", "run", "--once")
        assert (busy.returncode, "Another bedrot keeps" in busy.stdout) == (0, True)
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(60) == -signal.SIGTERM
        until(lambda: not alive(job))
    assert begun(lake), "nobody noted an end"
    done = given(lake, "schedule", "run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not begun(lake)


@pytest.mark.skipif(sys.platform == "win32", reason="kills of POSIX")
def test_killed_at_work_it_leaves_no_lock_and_the_next_one_makes_up_for_it(lake: Lake) -> None:
    with keeping(lake, "--once") as keeper:
        until(lambda: begun(lake))
        keeper.kill()
        keeper.wait()
        assert begun(lake)
    until(lambda: given(lake, "schedule", "run", "--once").returncode == 0)
    served = read_served(lake)
    assert served is not None
    assert (served.exit_code, served.at_work) == (0, False)
