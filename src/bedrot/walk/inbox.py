"""The inbox: what a person drops into `landing/inbox` is imported when the walk begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bedrot.lake import disk
from bedrot.lake.zones import Lake
from bedrot.walk.accept import LEAVE, Door, Outcome
from bedrot.walk.found import Found, find_below, sayable


def private_folder(lake: Lake) -> Path:
    """Where private files from the inbox are moved to: beside the lake, `<its name>-private`."""
    return lake.root.with_name(f"{lake.root.name}-private")


def take_inbox(door: Door) -> list[Outcome]:
    """Every file in the inbox through the door, under the writer's lock; none where there is no inbox.

    What was accepted (or is in the lake already) leaves the inbox, what is private or was purged leaves the lake, all
    else stays where it is with the reason noted.
    """
    inbox = door.landing.inbox
    if not inbox.is_dir():
        return []
    outcomes: list[Outcome] = []
    try:
        for found in list(find_below(inbox, None)):
            outcomes += _take(door, _named(found))
    finally:
        door.keep_sightings()
    for folder in sorted((path for path in inbox.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):  # not empty: something waits in it
            folder.rmdir()
    return outcomes


def _named(found: Found) -> Found:
    """The file under a name that can be written down: one whose bytes are no text is renamed."""
    name = sayable(found.path.name)
    if name == found.path.name or found.verdict:
        return found
    free = _free(found.path.with_name(name))
    disk.rename_new(found.path, free)
    return replace(found, path=free)


def _take(door: Door, found: Found) -> Iterator[Outcome]:
    """One file of the inbox, and what becomes of it there."""
    noted = door.landing.known(found.path) is not None
    before = _state(found.path)
    seen = len(door.sightings)
    outcomes = list(door.offer_found(found))
    if noted:
        del door.sightings[seen:]  # its members were taken, and counted, when it was found first
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts & LEAVE:
        yield from _moved_out(door, found, outcomes)
        return
    yield from outcomes
    # A file that changed meanwhile is looked at by the next run.
    if verdicts <= {"accepted", "repeat", "skipped"} and verdicts != {"skipped"} and _state(found.path) == before:
        disk.remove(found.path)


def _moved_out(door: Door, found: Found, outcomes: list[Outcome]) -> Iterator[Outcome]:
    """The outcomes of a file that is private, or was purged, once it is out of the lake."""
    folder = private_folder(door.lake)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        disk.rename_new(found.path, _free(folder / found.path.name))
    except OSError as failed:
        do = f"It could not be moved out of the lake ({failed.strerror}): delete it from landing/inbox yourself."
    else:
        do = f"It was moved out of the lake, into {folder}."
    for outcome in outcomes:
        yield replace(outcome, do=f"{outcome.do} {do}") if outcome.verdict in LEAVE else outcome


def _free(path: Path) -> Path:
    """The path, or one like it whose name is not taken."""
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a file, None where it is gone."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_size, told.st_mtime_ns
