"""A command that is asked to stop by Ctrl-C or SIGTERM, and everything that must hold of its end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import crash_check
from crash_harness import HERE, NONE, Ended, Fault, Story
from crash_points import converged

from bedrot.commands import stop
from bedrot.lake.ledger import Ledger

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SOON = stop.PATIENCE + 2


def asked(story: Story, step: str, at: int, number: int, *, whole: bool, variant: str = "") -> tuple[int, list[str]]:
    """A command that is stopped before its k-th call, asked to end, and continued; how it ended, and what is wrong."""
    lake = story.copy(step)
    try:
        command = story.nursery.start(lake, story.command(step), Fault(at, "stop"), variant)
        assert command.wait() is None
        os.kill(command.pid, number)
        began = time.monotonic()
        command.go_on()
        ended = command.end()
        took = time.monotonic() - began
        wrong = said(ended, number, took, done=story.stages[step].ended.code)
        wrong += behind(story, step, lake, ended, whole=whole)
    finally:
        story.drop(lake)
    return ended.code, [f"{step} asked at {at} by {signal.Signals(number).name}: {one}" for one in wrong]


def said(ended: Ended, number: int, took: float, done: int) -> list[str]:
    """What is wrong with how a command ended that was asked to; `done`: the code of one that was through before."""
    wrong = [f"it took {took:.1f} s"] if took > SOON else []
    if "Traceback" in ended.err or "mistake" in ended.err:
        wrong.append(f"it says {ended.err}")
    if ended.code == done and "Stopped" not in ended.err:
        return wrong
    if ended.code != -number:
        wrong.append(f"it ended with {ended.code}: {ended.err}")
    return wrong if ended.err.count("Stopped. What was acknowledged is safe") == 1 else [*wrong, "it says nothing"]


def behind(story: Story, step: str, lake: Path, ended: Ended, *, whole: bool) -> list[str]:
    """What is wrong with the lake, right then and behind the same command (`whole`: and a run) once more."""
    wrong = crash_check.torn(lake) + crash_check.without_object(lake)
    wrong += crash_check.lost(lake, ended.out, story.files)
    if crash_check.rows(lake) not in (story.before, story.after):
        wrong.append("readers see a state that was never published")
    steps = [step, *(one for one in ("decide", "run") if whole and step == "import")]
    again = {one: story.nursery.run(lake, story.command(one)) for one in steps}
    if step == "run":
        with Ledger(lake / "ledger.sqlite") as ledger:
            wrong += [f"run {one.id} is noted as {one.outcome}" for one in ledger.runs() if one.outcome == "running"]
    if step == "import" and not whole:
        return wrong + crash_check.lost(lake, again["import"].out.replace("repeat  ", "accepted"), story.files)
    return wrong + converged(story, lake, again, told="Published snapshot" in ended.out)


def hung(story: Story, variant: str) -> list[str]:
    """A run whose every delivery takes a minute to stage is asked to stop: it does not wait for one."""
    lake = story.copy("run")
    script = HERE / "sleeping.py"
    command = story.nursery.start(lake, ["run", "--lake", str(lake)], NONE, variant, script)
    try:
        until = time.monotonic() + 60
        while not (lake / "staging_began").exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(command.pid, signal.SIGTERM)
        began = time.monotonic()
        return said(command.end(SOON), signal.SIGTERM, time.monotonic() - began, done=99)
    except AssertionError as waits:
        return [str(waits)]
    finally:
        story.drop(lake)


def unheeded(story: Story, variant: str) -> list[str]:
    """Ctrl-C in the middle of an import."""
    middle = len(story.stages["import"].ended.calls) // 2
    return asked(story, "import", middle, signal.SIGINT, whole=False, variant=variant)[1]
