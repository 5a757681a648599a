"""Ctrl-C and SIGTERM at a real command: it ends soon, by that signal, with a sentence; the lake is whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from crash_harness import Ended, Story, chances, say
from crash_signals import SIGNALS, asked, behind, said

from bedrot.commands.stop import Stoppable


def points(story: Story, step: str, count: int) -> list[tuple[int, int]]:
    """So many calls of a step behind the lock's first ones, each with a signal, in turn."""
    last = len(story.stages[step].ended.calls)
    chosen = sorted(chances(f"signals {step}").sample(range(2, last + 1), count))
    return [(at, SIGNALS[place % 2]) for place, at in enumerate(chosen)]


@pytest.mark.parametrize(("step", "count"), [("import", 6), ("run", 2)])
def test_asked_to_stop_it_ends_soon_and_loses_nothing(story: Story, step: str, count: int) -> None:
    found = [asked(story, step, at, number, whole=step == "run") for at, number in points(story, step, count)]
    wrong = [one for _, some in found for one in some]
    say(f"signals in {step}: points={count} stopped={sum(code < 0 for code, _ in found)} violations={len(wrong)}")
    assert wrong == []
    assert sum(code < 0 for code, _ in found) >= count - 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("step", ["import", "run"])
def test_asked_to_stop_at_fifty_places(story: Story, step: str) -> None:
    found = [asked(story, step, at, number, whole=True) for at, number in points(story, step, 50)]
    wrong = [one for _, some in found for one in some]
    say(f"signals in {step}: points=50 stopped={sum(code < 0 for code, _ in found)} violations={len(wrong)}")
    assert wrong == []


@pytest.mark.parametrize(("step", "number"), [("import", signal.SIGTERM), ("run", signal.SIGINT)])
def test_a_program_of_its_own_is_asked(story: Story, step: str, number: int) -> None:
    """No nursery: the program as a person starts it, asked as soon as it holds the lock of the lake."""
    lake = story.copy(step)
    command = [sys.executable, "-m", "bedrot", *story.command(step), "--lake", str(lake)]
    (lake / ".lock-who.json").unlink()
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (lake / ".lock-who.json").exists() and time.monotonic() < until:
        time.sleep(0.002)
    assert json.loads((lake / ".lock-who.json").read_text())["pid"] == program.pid
    program.send_signal(number)
    began = time.monotonic()
    out, err = program.communicate(timeout=60)
    ended = Ended(program.returncode, out, err)
    assert said(ended, number, time.monotonic() - began, done=99) == []
    assert behind(story, step, lake, ended, whole=step == "run") == []
    story.drop(lake)


def test_what_was_to_be_ignored_stays_ignored_and_all_is_as_before() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stoppable():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in {signal.SIG_DFL, signal.SIG_IGN}
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
