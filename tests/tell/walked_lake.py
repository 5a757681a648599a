"""A lake that was walked once, with golden files of several sources; tests copy it."""

from __future__ import annotations

import shutil
import zipfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import bedrot.sources
from bedrot.config import Settings
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.walk.accept import Door, Told
from bedrot.walk.run import Walk, run

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
GOLDEN = Path(bedrot.sources.__file__).parent
FILES = (
    "distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv",
    "distrokid/golden/DistroKid_1765000000000_Paper_Comets.csv",
    "distrokid/golden/spotify_stats.html",
    "toolost/golden/@05-2025-70799.csv",
    "tiktok/golden/Followers_nova.lights.zip",
    "metaads/golden/insights_page_1.json",
)


_HOME = TemporaryDirectory(prefix="walked-", ignore_cleanup_errors=True)
"""Where the first lake lies; gone when the tests end."""


@cache
def _first() -> Path:
    root = Path(_HOME.name) / "lake"
    lake = Lake.create(root)
    with Ledger(lake.ledger_path) as ledger:
        walk = Walk(lake, ledger, Settings())
        door = Door(lake, ledger, walk.sources, {}, Told(), AT)
        verdicts = {one.verdict for one in door.offer([GOLDEN / name for name in FILES])}
        assert verdicts == {"accepted"}, verdicts
        assert run(walk, AT).published
    return root


def walked(to: Path) -> Lake:
    """A copy of the lake in a folder that is not there yet."""
    shutil.copytree(_first(), to)
    return Lake(to)


def golden_bytes(name: str, member: str = "") -> bytes:
    """The bytes of a golden file, or of a member of it."""
    if not member:
        return (GOLDEN / name).read_bytes()
    with zipfile.ZipFile(GOLDEN / name) as archive:
        return archive.read(member)
