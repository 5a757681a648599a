"""Two processes on one lake: one stopped at a call while the other lives its life; and readers while one publishes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import crash_check
import pytest
from crash_harness import HERE, SAMPLES, SHORT, Fault, Nursery, Story, chances, say, tell

BUSY = "Another bedrot is writing"
SUM = ["sql", "select count(*) n, sum(earnings) e, count(distinct source) s from royalties", "--format", "json"]
FURTHER = SAMPLES / "linktree/golden/graphql_20250703_090012_230001.json"


@dataclass(frozen=True)
class Ends:
    """What both effects together look like, and what a reader may be told."""

    rows: crash_check.Rows
    facts: dict[str, list[object]]
    answers: tuple[str, ...]


@pytest.fixture(scope="session")
def ends(story: Story) -> Ends:
    return ends_of(story)


@pytest.fixture(scope="session")
def short(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> tuple[Story, Ends]:
    story = tell(nursery, tmp_path_factory.mktemp("short"), SHORT)
    return story, ends_of(story)


def ends_of(story: Story) -> Ends:
    lake = story.copy("end")
    answers = [story.nursery.run(story.stages["run"].lake, SUM).out, story.nursery.run(lake, SUM).out]
    assert len(set(answers)) == 2
    assert story.nursery.run(lake, ["import", str(FURTHER)]).code == 0
    story.nursery.run(lake, ["run"])
    answers.append(story.nursery.run(lake, SUM).out)
    return Ends(crash_check.rows(lake), crash_check.facts(lake), tuple(answers))


def taken(story: Story, step: str) -> int:
    """The call with which a command takes the lock: what is before it, two may do at once."""
    return next(number for number, _, path in story.stages[step].ended.calls if path == "/.lock")


def together(story: Story, ends: Ends, first: str, at: int, second: str) -> list[str]:
    """A is stopped before its k-th call, B runs to its end, A goes on; what is wrong behind that."""
    lake = story.copy(first)
    other = {"import": ["import", str(FURTHER)], "run": ["run"], "sql": SUM, "verify": ["verify"]}[second]
    a = story.nursery.start(lake, story.command(first), Fault(at, "stop"))
    wrong = []
    try:
        stopped = a.wait() is None
        locked = stopped and at > taken(story, first)
        seen = crash_check.rows(lake)
        if seen not in (story.before, story.after):
            wrong.append("a reader sees a state that was never published")
        began = time.monotonic()
        b = story.nursery.run(lake, other)
        waited = time.monotonic() - began
        writes = second in ("import", "run")
        if writes and locked and not (b.code == 2 and BUSY in b.err):
            wrong.append(f"two writers at once: {second} ended with {b.code}: {b.out}{b.err}")
        if not writes and b.code == 2 and "Another process" not in b.err:
            wrong.append(f"{second} fails while another writes: {b.err}")
        if second == "sql" and b.code == 0 and b.out not in ends.answers:
            wrong.append(f"a mixed answer: {b.out}")
        if second == "verify" and b.code == 1 and stopped:
            wrong.append(f"verify finds fault with a lake at work: {b.out}{b.err}")
        if waited > 60:
            wrong.append(f"{second} waited {waited:.0f} s")
        if stopped:
            a.go_on()
        code = a.end().code
        # Who had no lock yet may find it taken, or all done.
        if code not in {story.stages[first].ended.code, *(() if locked else (0, 2))}:
            wrong.append(f"{first} ended with {code} behind the stop")
        wrong += effects(story, ends, lake)
    finally:
        story.drop(lake)
    return [f"{first} stopped at {at}, {second}: {one}" for one in wrong]


def effects(story: Story, ends: Ends, lake: Path) -> list[str]:
    """Both effects must be there once both commands, where they were told to wait, were given again."""
    for step in ("import", "decide"):
        story.nursery.run(lake, story.command(step))
    story.nursery.run(lake, ["import", str(FURTHER)])
    story.nursery.run(lake, ["run"])
    wrong = crash_check.torn(lake) + crash_check.without_object(lake) + crash_check.leftovers(lake)
    if apart := crash_check.apart(crash_check.rows(lake), ends.rows):
        wrong.append(f"not both effects: {apart}")
    if crash_check.facts(lake) != ends.facts:
        wrong.append(f"the ledger lacks or doubles something: {crash_check.facts(lake)}")
    return wrong


@pytest.mark.parametrize(
    ("first", "second"), [("import", "import"), ("run", "import"), ("run", "sql"), ("run", "verify")]
)
def test_one_stopped_while_the_other_runs(story: Story, ends: Ends, first: str, second: str) -> None:
    at = chances(f"two {first} {second}").randint(2, len(story.stages[first].ended.calls))
    wrong = together(story, ends, first, at, second)
    say(f"interleavings: points=1 at={at} violations={len(wrong)}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(12 * 3600)
@pytest.mark.parametrize("second", ["import", "run", "sql", "verify"])
@pytest.mark.parametrize("first", ["import", "run"])
def test_every_interleaving_at_one_call(short: tuple[Story, Ends], first: str, second: str) -> None:
    story, ends = short
    calls = len(story.stages[first].ended.calls)
    wrong = [one for at in range(1, calls + 1) for one in together(story, ends, first, at, second)]
    say(f"interleavings of {first} and {second}: points={calls} violations={len(wrong)}")
    assert wrong == []


def test_a_killed_holder_frees_the_lock(story: Story) -> None:
    lake = story.copy("decide")
    points = [3, len(story.stages["decide"].ended.calls) // 2]
    for at in points:
        holder = story.nursery.start(lake, story.command("decide"), Fault(at, "stop"))
        assert holder.wait() is None
        busy = story.nursery.run(lake, story.command("decide"))
        assert busy.code == 2
        assert BUSY in busy.err
        assert f"process {holder.pid}" in busy.err or at == 3
        holder.kill()
        assert holder.wait() == -9
        began = time.monotonic()
        assert story.nursery.run(lake, ["import", str(FURTHER)]).code == 0
        say(f"the lock was free {time.monotonic() - began:.2f} s behind the kill")
    story.drop(lake)


def test_readers_see_one_state_while_another_publishes(tmp_path: Path) -> None:
    """Two readers spin while one writer publishes again and again: no read mixes two states or goes back."""
    publishing = HERE / "publishing.py"
    processes = [
        subprocess.Popen([sys.executable, publishing, what, tmp_path, "60"], stdout=subprocess.PIPE, text=True)
        for what in ("write", "read", "read")
    ]
    said = [process.communicate(timeout=200)[0] for process in processes]
    say(" | ".join(one.strip() for one in said))
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert all("mixed=0" in one for one in said[1:])
    assert all(int(one.split("states=")[1]) > 5 for one in said[1:])
    shutil.rmtree(tmp_path)
