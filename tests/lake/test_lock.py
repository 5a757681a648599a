"""One writer at a time; the lock dies with its process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from bedrot.errors import Busy
from bedrot.lake import disk
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake

HOLD = """
import subprocess, sys, time
from pathlib import Path
from bedrot.lake.lock import writer_lock
from bedrot.lake.zones import Lake
with writer_lock(Lake(Path(sys.argv[2]))):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
    print(child.pid, flush=True)
    time.sleep(20)
"""


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with writer_lock(lake):
        with pytest.raises(Busy, match=r"process \d+"), writer_lock(lake):
            pytest.fail("two writers")
        with pytest.raises(Busy), writer_lock(lake, wait=0.05):
            pytest.fail("two writers")
    with writer_lock(lake):
        pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(ZeroDivisionError), writer_lock(lake):
        raise ZeroDivisionError
    with writer_lock(lake):
        pass


def test_waiting_gets_it_when_the_first_is_done(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    entered, got = threading.Event(), []

    def first() -> None:
        with writer_lock(lake):
            entered.set()
            time.sleep(0.2)
            got.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    with writer_lock(lake, wait=10):
        got.append("second")
    thread.join()
    assert got == ["first", "second"]


def test_killed_it_is_free_at_once_even_with_a_living_child(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, "import", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(Busy, match=f"process {holder.pid}: .*import"), writer_lock(lake):
            pytest.fail("two writers")
        holder.kill()
        holder.wait()
        with writer_lock(lake, wait=1):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        _end(child)


def _end(pid: int) -> None:
    import os
    import signal

    os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("locked", [True, False])
def test_without_the_lock_work_is_lost_and_with_it_none(tmp_path: Path, locked: bool) -> None:
    """Read, add one, write: the planted variant without a lock goes wrong, the real one does not."""
    lake = Lake(tmp_path)
    total = tmp_path / "total"
    disk.put_text(total, "0", read_only=False)

    def add() -> None:
        for _ in range(10):
            with writer_lock(lake, wait=60) if locked else nullcontext():
                before = int(total.read_text(encoding="utf-8"))
                time.sleep(0.002)
                disk.put_text(total, str(before + 1), replace=True, read_only=False)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = int(total.read_text(encoding="utf-8"))
    assert (found == 30) is locked, found
