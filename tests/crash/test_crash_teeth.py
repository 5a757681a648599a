"""Wrong variants of the program, planted one at a time: each must be seen by the check that is named for it.

Variants of the durable write alone (syncs left out, renames too early) stand in tests/lake/test_power_cut.py too, where
the power cut is modelled.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import crash_check
import pytest
from crash_harness import HERE, PUBLISH, Ended, Fault, Story, say
from crash_points import Point, now
from crash_signals import hung, unheeded

Calls = list[tuple[int, str, str]]


def first(calls: Calls, call: str, begins: str) -> int:
    """The number of the first such call below a path."""
    return next(number for number, name, path in calls if name == call and path.startswith(begins))


def struck(story: Story, step: str, variant: str, choose: Callable[[Calls], Fault]) -> tuple[list[str], Ended]:
    """One fault, chosen from the calls that the variant makes; what is wrong right behind it."""
    lake = story.copy(step)
    calls = story.nursery.run(lake, story.command(step), variant=variant).calls
    story.drop(lake)
    lake, fault = story.copy(step), choose(calls)
    try:
        ended = story.nursery.run(lake, story.command(step), fault, variant)
        return now(story, Point(step, fault), lake, ended), ended
    except AssertionError as wrong:
        return [str(wrong)], ended
    finally:
        story.drop(lake)


def torn_write(story: Story, variant: str) -> list[str]:
    """Killed in the middle of writing a manifest: what is in raw has no name before it is whole."""
    return struck(story, "import", variant, lambda calls: Fault(first(calls, "write", "/raw/"), "torn"))[0]


def kill_behind_the_manifest(story: Story, variant: str) -> list[str]:
    return struck(story, "import", variant, lambda calls: Fault(first(calls, "link", "/raw/deliveries"), "after"))[0]


def kill_before_the_last_object(story: Story, variant: str) -> list[str]:
    return struck(
        story,
        "import",
        variant,
        lambda calls: Fault(next(n for n, c, p in reversed(calls) if c == "link" and "/raw/objects" in p), "before"),
    )[0]


def kill_behind_the_pointer(story: Story, variant: str) -> list[str]:
    return struck(story, PUBLISH, variant, lambda calls: Fault(first(calls, "rename", "/curated/CURRENT"), "after"))[0]


def full_disk(story: Story, variant: str) -> list[str]:
    def choose(calls: Calls) -> Fault:
        return Fault(first(calls, "open", "/raw/"), "errno", errno.ENOSPC)

    return struck(story, "import", variant, choose)[0]


def synced(story: Story, variant: str) -> list[str]:
    """Every name of an undisturbed import, in the log of its calls."""
    lake = story.copy("import")
    try:
        return crash_check.unsynced(story.nursery.run(lake, story.command("import"), variant=variant).calls)
    finally:
        story.drop(lake)


def two_writers(story: Story, variant: str) -> list[str]:
    """One import is stopped in its middle, another begins."""
    lake = story.copy("import")
    middle = len(story.stages["import"].ended.calls) // 2
    one = story.nursery.start(lake, story.command("import"), Fault(middle, "stop"), variant)
    try:
        assert one.wait() is None
        other = story.nursery.run(lake, story.command("import"), variant=variant)
        return [] if other.code == 2 and "Another bedrot" in other.err else [f"two writers at once: {other.out}"]
    finally:
        one.kill()
        one.wait()
        story.drop(lake)


def facts_once(story: Story, variant: str) -> list[str]:
    """The same import again notes no delivery twice."""
    lake = story.copy("import")
    try:
        for _ in range(2):
            story.nursery.run(lake, story.command("import"), variant=variant)
        seen = crash_check.facts(lake)["deliveries"]
        return (
            [] if len(seen) == len(set(seen)) else [f"{len(seen)} deliveries, of which {len(set(seen))} are different"]
        )
    finally:
        story.drop(lake)


def laws(story: Story, variant: str) -> list[str]:
    """The small lake of laws.py."""
    return said_by("laws.py", story, variant)


def restated(story: Story, variant: str) -> list[str]:
    """The overlapping exports of restated.py."""
    return said_by("restated.py", story, variant)


def said_by(script: str, story: Story, variant: str) -> list[str]:
    """What a script finds wrong."""
    place = story.folder / f"{script}-{variant or 'none'}"
    ended = story.nursery.run(place, [str(place)], variant=variant, script=HERE / script)
    return [] if ended.code == 0 else [*filter(None, ended.out.splitlines()), *ended.err.splitlines()[-1:]]


TEETH = {
    "in_place_write": torn_write,
    "no_fsync": synced,
    "no_folder_fsync": synced,
    "manifest_before_object": kill_behind_the_manifest,
    "acknowledged_early": kill_before_the_last_object,
    "pointer_before_record": kill_behind_the_pointer,
    "no_lock": two_writers,
    "swallow_enospc": full_disk,
    "insert_without_key": facts_once,
    "newest_by_mtime": laws,
    "newest_by_arrival": laws,
    "drop_duplicates": laws,
    "float_money": laws,
    "rounding_try_cast": laws,
    "now_in_build": laws,
    "added_series": restated,
    "added_windows": restated,
    "deaf": hung,
    "unheeded": unheeded,
}


def test_every_variant_has_its_check() -> None:
    assert {path.stem for path in (HERE / "variants").glob("*.py")} == set(TEETH)


@pytest.mark.parametrize("check", sorted(set(TEETH.values()), key=lambda one: one.__name__))
def test_the_checks_are_content_with_the_program(story: Story, check: Callable[[Story, str], list[str]]) -> None:
    assert check(story, "") == []


@pytest.mark.parametrize("variant", sorted(TEETH))
def test_a_planted_variant_is_seen(story: Story, variant: str) -> None:
    wrong = TEETH[variant](story, variant)
    say(f"{variant}: {len(wrong)} seen by {TEETH[variant].__name__}; the first: {''.join(wrong[:1])[:200]}")
    assert wrong


def test_every_name_of_a_run_is_synced(story: Story) -> None:
    calls = story.stages["run"].ended.calls
    assert sum(call == "link" for _, call, _ in calls) > 20
    assert crash_check.unsynced(calls) == []
