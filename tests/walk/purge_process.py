"""Run as a script by a process that may be killed: a purge of the account in the lake of its one argument."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from purging import Lives

from bedrot.lake.zones import Lake

Lives(Lake(Path(sys.argv[1]))).purge()
