"""Arrivals in another order, and a digest of all that they are: for tests of the demo's files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace

from bedrot.demo.arrival import Arrival
from bedrot.demo.chance import Chance


def shuffled(arrivals: Iterable[Arrival], seed: int) -> list[Arrival]:
    """The arrivals in an order of that seed, some of them twice: what was accepted is then a repeat."""
    chance = Chance(seed, "order")
    found = []
    seen = set()
    given = list(arrivals)
    for one in chance.shuffled(given + [one for one in given if chance.happens(300)]):
        again = one.name in seen and one.verdict == "accepted"
        found.append(replace(one, verdict="repeat") if again else one)
        seen.add(one.name)
    assert any(one.verdict == "repeat" for one in found)
    return found


def digest(arrivals: Iterable[Arrival]) -> str:
    """A hash of names, instants and bytes."""
    found = hashlib.sha256()
    for one in arrivals:
        found.update(f"{one.name}\n{one.at.isoformat()}\n{len(one.content())}\n".encode())
        found.update(one.content())
    return found.hexdigest()


def digest_elsewhere(module: str, seed: int) -> str:
    """The digest of a service's arrivals in another process, where sets have another order."""
    code = (
        f"from orders import digest\nfrom bedrot.demo.label import invent\nfrom bedrot.demo import {module}\n"
        f"print(digest({module}.arrivals(invent({seed}))))"
    )
    paths = [one for one in sys.path if one]
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": "5", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()
