"""A disk that is really full: the run fails and names the disk, nothing is torn, and it works once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import crash_check
import pytest
from crash_harness import STEPS, Story, say


@contextmanager
def small_disk(at: Path, kib: int) -> Iterator[Path]:
    """A disk in memory of that size; skipped, and said so, where none may be mounted."""
    at.mkdir()
    mount = shutil.which("mount")
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or mount is None:
        say("skipped: 1 disk-full test needs root and mount")
        pytest.skip("needs root and mount")
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", at], check=False).returncode:
        say("skipped: 1 disk-full test may not mount a tmpfs here")
        pytest.skip("may not mount a tmpfs here")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)


def size_of(lake: Path) -> int:
    """KiB that a lake takes on a tmpfs, in pages of 4 KiB."""
    return sum(4 + -(-path.stat().st_size // 4096) * 4 for path in lake.rglob("*") if path.is_file())


def fill(story: Story, folder: Path, spare: int) -> tuple[bool, list[str]]:
    """The story on a disk with so many KiB to spare: whether it was full, and what is wrong."""
    wrong = []
    with small_disk(folder, size_of(story.stages["import"].lake) + spare) as disk:
        lake = Path(shutil.copytree(story.stages["import"].lake, disk / "lake"))
        tried = [(step, story.nursery.run(lake, story.command(step))) for step in STEPS]
        full = [(step, one) for step, one in tried if one.code != story.stages[step].ended.code]
        for step, one in full:
            if one.code != 2 or not any(word in one.err for word in ("disk is full", "ENOSPC", "No space left")):
                wrong.append(f"{step} does not name the disk: {one.code} {one.out}{one.err}")
        wrong += crash_check.torn(lake) + crash_check.without_object(lake)
        wrong += [lost for _, one in tried for lost in crash_check.lost(lake, one.out, story.files)]
        if crash_check.rows(lake) not in (story.before, story.after):
            wrong.append("readers see a state that was never published")
        subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True)
        for step in STEPS:
            story.nursery.run(lake, story.command(step))
        if apart := crash_check.apart(crash_check.rows(lake), story.after):
            wrong.append(f"not whole once there is room: {apart}")
        wrong += crash_check.leftovers(lake)
    return bool(full), [f"{spare} KiB: {one}" for one in wrong]


@pytest.mark.parametrize("spare", [16, 240])
def test_full_and_then_not(story: Story, tmp_path: Path, spare: int) -> None:
    full, wrong = fill(story, tmp_path / "disk", spare)
    assert wrong == []
    assert full


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_forty_four_levels_of_full(story: Story, tmp_path: Path) -> None:
    found = [fill(story, tmp_path / f"disk{level}", level * 48) for level in range(44)]
    wrong = [one for _, some in found for one in some]
    say(f"levels={len(found)} loud={sum(full for full, _ in found)} violations={len(wrong)}")
    assert wrong == []
    assert {full for full, _ in found} == {True, False}
