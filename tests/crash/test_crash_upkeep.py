"""The real program killed, or refused by the disk, while it archives, brings back, rebuilds, makes its ledger anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import crash_check
import pytest
from crash_harness import Ended, Fault, Story, chances, say
from crash_points import ERRORS, KILLS, some
from in_process import breaches

from bedrot.lake.zones import Lake

COMMANDS = {
    "archive": ["run"],
    "restore": ["restore", "1"],
    "rebuild": ["rebuild"],
    "ledger": ["rebuild", "--ledger"],
}


@dataclass(frozen=True)
class Chore:
    """A command, the lake before it, and what it does undisturbed: how it ends, what readers see before and after."""

    name: str
    lake: Path
    ended: Ended
    before: crash_check.Rows
    after: crash_check.Rows
    facts: dict[str, list[object]]


class Chores:
    """Archiving and bringing back behind the end of the story, rebuilding before its run; each lived once if asked."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._found: dict[str, tuple[Chore, Path]] = {}

    def __getitem__(self, name: str) -> Chore:
        return self._lived(name)[0]

    def _lived(self, name: str) -> tuple[Chore, Path]:
        """A chore, and the lake behind it."""
        if name not in self._found:
            lake = self._before(name)
            done = Path(shutil.copytree(lake, lake.with_name(f"{lake.name}-{name}")))
            ended = self._story.nursery.run(done, COMMANDS[name])
            assert ended.code in {0, 1}, ended
            seen = (crash_check.rows(lake), crash_check.rows(done))
            assert seen[1] == self._story.after
            self._found[name] = Chore(name, lake, ended, *seen, crash_check.facts(self._story.last)), done
        return self._found[name]

    def _before(self, name: str) -> Path:
        """The lake before a chore."""
        if name == "restore":
            return self._lived("archive")[1]
        lake = self._story.copy("end" if name == "archive" else "run")
        if name == "archive":
            with (lake / "bedrot.toml").open("a", encoding="utf-8") as settings:
                settings.write("[archive]\nsnapshots = 1\n")
        return lake


@pytest.fixture(scope="module")
def chores(story: Story) -> Chores:
    return Chores(story)


def strike(story: Story, chore: Chore, fault: Fault) -> list[str]:
    """One fault, the command again, and what is wrong."""
    lake = Path(shutil.copytree(chore.lake, story.folder / f"{chore.name}-{fault.at}-{fault.mode}-{fault.code}"))
    ended = Ended(0, "", "")
    try:
        ended = story.nursery.run(lake, COMMANDS[chore.name], fault)
        wrong = told(chore, fault, ended)
        wrong += crash_check.torn(lake) + crash_check.without_object(lake)
        seen = crash_check.rows(lake)
        if seen not in (chore.before, chore.after):
            wrong.append(f"readers see a state that was never published: {crash_check.apart(seen, chore.after)}")
        again = story.nursery.run(lake, COMMANDS[chore.name])
        if again.code not in {0, chore.ended.code}:
            wrong.append(f"again it ended with {again.code}: {again.out}{again.err}")
        wrong += whole(story, chore, lake)
    except AssertionError as broken:
        wrong = [str(broken)]
    finally:
        shutil.rmtree(lake)
    return [f"{chore.name}: {fault} ({ended.hit(fault)}): {one}" for one in wrong]


def told(chore: Chore, fault: Fault, ended: Ended) -> list[str]:
    """What is wrong with how the command ended: killed, or failed naming the disk, or as ever."""
    if ended.code == (2 if fault.mode == "errno" else -9):
        words = ("disk", "ledger", os.strerror(fault.code).lower(), "locked")
        loud = fault.mode != "errno" or any(word in ended.err.lower() for word in words)
        return [] if loud and "mistake of the program" not in ended.err else [f"it says {ended.err}"]
    return [] if ended.code == chore.ended.code else [f"it ended with {ended.code}: {ended.out}{ended.err}"]


def whole(story: Story, chore: Chore, lake: Path) -> list[str]:
    """What is wrong behind the re-run: rows, facts, left-overs, `verify`, and the older snapshot."""
    wrong = crash_check.torn(lake) + breaches(Lake(lake))
    wrong += crash_check.leftovers(lake) if chore.name != "restore" else []  # the next run sweeps
    if apart := crash_check.apart(crash_check.rows(lake), chore.after):
        wrong.append(f"not the rows of an undisturbed command: {apart}")
    if (facts := crash_check.facts(lake)) != chore.facts:
        wrong.append(f"the ledger says {facts} instead of {chore.facts}")
    if chore.name in {"archive", "restore"}:
        back = story.nursery.run(lake, COMMANDS["restore"])
        if back.code or crash_check.rows(lake, 1) != story.before:
            wrong.append(f"snapshot 1 is not what it was: {back.err}")
    return wrong


def sweep(story: Story, chore: Chore, faults: Sequence[Fault], hands: int = 1) -> list[str]:
    """All faults, and a line about them."""
    with ThreadPoolExecutor(hands) as pool:
        wrong = [one for found in pool.map(lambda fault: strike(story, chore, fault), faults) for one in found]
    say(f"{chore.name}: calls={len(chore.ended.calls)} points={len(faults)} violations={len(wrong)}")
    return wrong


@pytest.mark.parametrize(
    ("name", "kills", "errors"), [("archive", 3, 1), ("restore", 2, 1), ("rebuild", 1, 0), ("ledger", 1, 0)]
)
def test_killed_in_upkeep(story: Story, chores: Chores, name: str, kills: int, errors: int) -> None:
    chance, chore = chances(f"upkeep {name}"), chores[name]
    lasting = [one for one in chore.ended.calls if not one[2].startswith("/.work")]
    faults = [Fault(number, chance.choice(KILLS)) for number, _, _ in some(lasting, kills, chance)]
    faults += [Fault(number, *chance.choice(ERRORS)) for number, _, _ in some(chore.ended.calls, errors, chance)]
    assert sweep(story, chore, faults) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_killed_and_refused_all_over_upkeep(story: Story, chores: Chores, name: str) -> None:
    """Forty calls of each command, those that change the lake itself twice as often as those in scratch."""
    chance, chore = chances(f"all upkeep {name}"), chores[name]
    lasting = [one for one in chore.ended.calls if not one[2].startswith("/.work")]
    chosen = some(lasting, 26, chance) + some(chore.ended.calls, 14, chance)
    faults = [Fault(n, chance.choice(KILLS)) if n % 2 else Fault(n, *chance.choice(ERRORS)) for n, _, _ in chosen]
    assert sweep(story, chore, faults, hands=2) == []
