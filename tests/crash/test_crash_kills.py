"""The real program, killed or refused by the disk at one call: nothing acknowledged is lost, and a re-run converges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from crash_harness import PUBLISH, STEPS, Fault, Story, chances, is_publish
from crash_points import ERRORS, KILLS, RUNS, Point, errors, kills, some, strike_all

CHUNKS = 6


def sample(story: Story) -> list[Point]:
    """Sixty kills: one at each call of the publication, the others spread over all steps by chance."""
    chance = chances("kills")
    calls = {step: stage.ended.calls for step, stage in story.stages.items()}
    publication = [call for call in calls[PUBLISH] if is_publish(call)]
    points = kills(PUBLISH, publication, chance)
    points += kills("decide", some(calls["decide"], 5, chance), chance)
    points += kills("import", some(calls["import"], 12, chance), chance)
    points += kills("run", some(calls["run"], max(8, 60 - len(points)), chance), chance)
    return in_part(points)


def in_part(points: list[Point]) -> list[Point]:
    """Only each third fault of an import or a decision lives on to the end of a run: that costs two seconds."""
    return [replace(one, whole=at % 3 == 0 or one.step in RUNS) for at, one in enumerate(points)]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_sixty_points(story: Story, chunk: int) -> None:
    points = sample(story)
    assert len(points) >= 60
    tally = strike_all(story, points[chunk::CHUNKS])
    tally.say(f"kills {chunk}")
    assert tally.wrong == []
    assert tally.reached == tally.points


@pytest.mark.parametrize("chunk", range(2))
def test_refused_by_the_disk(story: Story, chunk: int) -> None:
    chance = chances("errors")
    calls = {step: story.stages[step].ended.calls for step in STEPS}
    points = [
        point
        for step, n in zip(STEPS, (4, 2, 4), strict=True)
        for point in errors(step, some(calls[step], n, chance), chance)
    ]
    tally = strike_all(story, in_part(points)[chunk::2])
    tally.say(f"errors {chunk}")
    assert tally.wrong == []


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("step", [*STEPS, PUBLISH])
def test_killed_at_every_point(story: Story, step: str) -> None:
    """Each call of each step, in one of the ways to die (the seed turns them); the publication in each of them."""
    chance = chances("every kill")
    calls = story.stages[step].ended.calls
    points = kills(step, calls, chance)
    points += [Point(step, Fault(n, mode)) for n, call, path in calls if is_publish((n, call, path)) for mode in KILLS]
    tally = strike_all(story, points, hands=2)
    tally.say(f"every kill of {step}")
    assert tally.wrong == []


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("step", [*STEPS, PUBLISH])
def test_refused_at_every_point(story: Story, step: str) -> None:
    """Each call of each step, refused in one way (the seed turns them); the publication in each way."""
    chance = chances("every error")
    calls = story.stages[step].ended.calls
    points = errors(step, calls, chance)
    points += [Point(step, Fault(n, *how)) for n, call, path in calls if is_publish((n, call, path)) for how in ERRORS]
    tally = strike_all(story, points, hands=2)
    tally.say(f"every error of {step}")
    assert tally.wrong == []
