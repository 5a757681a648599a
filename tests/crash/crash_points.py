"""One fault in the story, and everything that must hold behind it."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import crash_check
from crash_harness import PUBLISH, STEPS, Ended, Fault, Story, say

RUNS = ("run", PUBLISH)
KILLS = ("before", "after", "torn")
ERRORS = (
    ("errno", errno.EIO, False), ("errno", errno.ENOSPC, False), ("errno", errno.EIO, True),
    ("errno", errno.ENOSPC, True),
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A fault in one step of the story; `whole`: the story is then lived to its end, else only to before the run."""

    step: str
    fault: Fault
    whole: bool = True

    def __str__(self) -> str:
        return f"{self.step}: {self.fault}"


@dataclass
class Tally:
    """What became of points."""

    points: int = 0
    reached: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def say(self, what: str) -> None:
        """One line with the counts, and each violation."""
        counts = f"points={self.points} reached={self.reached} violations={len(self.wrong)}"
        say(f"{what}: {counts} ended={dict(self.ended)}")
        for one in self.wrong:
            say(f"  {one}")


def kills(step: str, calls: Iterable[tuple[int, str, str]], chance: Random) -> list[Point]:
    """A kill at each of the calls: before it, behind it, or (a write) in the middle of it."""
    return [
        Point(step, Fault(number, chance.choice(KILLS if call == "write" else KILLS[:2]))) for number, call, _ in calls
    ]


def errors(step: str, calls: Iterable[tuple[int, str, str]], chance: Random) -> list[Point]:
    """A refusal by the disk at each of the calls: EIO or ENOSPC, once or from then on."""
    return [Point(step, Fault(number, *chance.choice(ERRORS))) for number, _, _ in calls]


def some(calls: Sequence[tuple[int, str, str]], count: int, chance: Random) -> list[tuple[int, str, str]]:
    """A sample of calls, in their order."""
    return sorted(chance.sample(calls, min(count, len(calls))))


def strike(story: Story, point: Point, variant: str = "") -> tuple[Ended, list[str]]:
    """Live the story from a step on with one fault in that step; how that step ended, and what is wrong then."""
    lake = story.copy(point.step)
    wrong: list[str] = []
    try:
        ended = story.nursery.run(lake, story.command(point.step), point.fault, variant)
        wrong += now(story, point, lake, ended)
        steps = [one for one in _from(point.step) if point.whole or one != "run"]
        again = [story.nursery.run(lake, story.command(one), variant=variant) for one in steps]
        told = point.step in RUNS and "Published snapshot" in ended.out
        wrong += converged(story, lake, dict(zip(steps, again, strict=True)), told=told)
        wrong += crash_check.lost(lake, ended.out, story.files)
    except AssertionError as broken:
        wrong.append(str(broken))
    finally:
        story.drop(lake)
    return ended, [f"{point} ({ended.hit(point.fault)}): {one}" for one in wrong]


def _from(step: str) -> tuple[str, ...]:
    return ("run",) if step == PUBLISH else STEPS[STEPS.index(step) :]


def now(story: Story, point: Point, lake: Path, ended: Ended) -> list[str]:
    """What is wrong just behind the fault, before anything is run again."""
    wrong = crash_check.torn(lake) + crash_check.without_object(lake)
    wrong += crash_check.lost(lake, ended.out, story.files)
    seen = crash_check.rows(lake)
    if seen != story.before and not (point.step in RUNS and seen == story.after):
        wrong.append(f"readers see a state that was never published: {crash_check.apart(seen, story.before)}")
    if point.fault.mode == "errno":
        wrong += refused(story, point, ended, whole=seen == story.after)
    elif ended.code not in (-9, story.stages[point.step].ended.code):
        wrong.append(f"it ended with {ended.code}: {ended.err}")
    return wrong


def refused(story: Story, point: Point, ended: Ended, *, whole: bool) -> list[str]:
    """What is wrong with how a command took the disk's refusal: it says so and fails, or nothing is missing."""
    if ended.code == story.stages[point.step].ended.code:
        return [] if point.step not in RUNS or whole else ["it says that all is well, and its result is not there"]
    if ended.code != 2:
        return [f"it ended with {ended.code}: {ended.out}{ended.err}"]
    if "mistake of the program" in ended.err:
        return [f"the disk's refusal is called a mistake of the program: {ended.err.strip()}"]
    reason = os.strerror(point.fault.code).lower()
    words = ("disk", "ledger", reason, "locked")
    return [] if any(word in ended.err.lower() for word in words) else [f"the disk is not named: {ended.err.strip()}"]


def converged(story: Story, lake: Path, again: dict[str, Ended], *, told: bool = False) -> list[str]:
    """What is wrong behind a plain re-run of some commands, by step; `told`: the first run said its result."""
    wrong = crash_check.torn(lake) + crash_check.without_object(lake)
    for name, ended in again.items():
        if ended.code not in ({story.stages[name].ended.code} | ({0} if told else set())):
            wrong.append(f"{name} again ended with {ended.code}: {ended.out}{ended.err}")
        if name == "import":
            wrong += crash_check.lost(lake, ended.out.replace("repeat  ", "accepted"), story.files)
            wrong += crash_check.landed(lake)
    if "run" in again:
        wrong += crash_check.leftovers(lake)
        if apart := crash_check.apart(crash_check.rows(lake), story.after):
            wrong.append(f"not the rows of an undisturbed run: {apart}")
    if crash_check.facts(lake) != crash_check.facts(story.last):
        wrong.append(f"the ledger says {crash_check.facts(lake)} instead of {crash_check.facts(story.last)}")
    return wrong


def was_reached(point: Point, ended: Ended) -> bool:
    """Whether the program came to the call of a point."""
    return any(number == point.fault.at for number, _, _ in ended.calls)


def strike_within(story: Story, point: Point, variant: str) -> tuple[Point, Ended, list[str]]:
    """A strike at a point, or at the last call of a run that made a few calls less: tables are made side by side."""
    ended, wrong = strike(story, point, variant)
    for _ in range(3):
        if was_reached(point, ended) or wrong:
            break
        mode = "before" if point.fault.mode == "torn" else point.fault.mode
        point = Point(point.step, replace(point.fault, at=max(number for number, _, _ in ended.calls), mode=mode))
        ended, wrong = strike(story, point, variant)
    return point, ended, wrong


def strike_all(story: Story, points: Sequence[Point], variant: str = "", hands: int = 1) -> Tally:
    """All points, so many at a time."""
    tally = Tally()
    with ThreadPoolExecutor(hands) as pool:
        for point, ended, wrong in pool.map(lambda one: strike_within(story, one, variant), points):
            tally.points += 1
            tally.reached += was_reached(point, ended)
            tally.ended[str(ended.code)] += 1
            tally.met.add(f"{point.step} {ended.hit(point.fault)}")
            tally.wrong += wrong
    return tally
