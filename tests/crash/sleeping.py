"""Run as a script: the command, with deliveries that take a minute each to stage."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import bedrot.cli
from bedrot.walk import run


def stage_delivery(task: Any) -> list[Any]:
    """Say that it began, and be long about it."""
    (Path(task.root) / "staging_began").touch()
    time.sleep(60)
    return []


run.stage_delivery = stage_delivery
sys.argv[0] = "bedrot"
bedrot.cli.main()
