"""What a build saw and a person may want to know: verdicts, what is held, renamed or vanished; as plain values."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bedrot.lake import disk
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.curate import TableCurated

Finding = dict[str, Any]


@dataclass
class Findings:
    """Four lists of findings, each finding naming its table; stored beside the snapshot that they belong to."""

    verdicts: list[Finding] = field(default_factory=list)
    held: list[Finding] = field(default_factory=list)
    renamings: list[Finding] = field(default_factory=list)
    vanished: list[Finding] = field(default_factory=list)

    def add(self, table: str, curated: TableCurated) -> None:
        """Take over what curating a table found."""
        self.verdicts += [_plain(one) for one in curated.verdicts]
        self.held += [_plain(one) for one in curated.held]
        self.renamings += [{"table": table, **_plain(one)} for one in curated.renamings]
        self.vanished += [_plain(one) for one in curated.vanished]

    def extend(self, other: Findings, table: str) -> None:
        """Take over what an earlier build found about a table."""
        self.verdicts += [one for one in other.verdicts if one["table"] == table]
        self.held += [one for one in other.held if one["table"] == table]
        self.renamings += [one for one in other.renamings if one["table"] == table]
        self.vanished += [one for one in other.vanished if one["table"] == table]


def _plain(value: Any) -> Finding:
    """A dataclass as plain JSON values."""
    plain: Finding = json.loads(json.dumps(asdict(value), default=_text))
    return plain


def _text(value: object) -> str:
    """Amounts, instants and paths as text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(type(value).__name__)


def write_findings(lake: Lake, findings: Findings) -> str:
    """Store findings under their hash; gives the path as a snapshot names it."""
    text = json.dumps(asdict(findings), sort_keys=True, ensure_ascii=False)
    final = lake.curated / "_findings" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    disk.put_text(final, text)
    return lake.relative(final)


def read_findings(lake: Lake, snapshot: Snapshot | None) -> Findings:
    """The findings that belong to a snapshot; empty where there is none."""
    where = snapshot.inputs.get("findings") if snapshot else None
    if not where:
        return Findings()
    return Findings(**json.loads(lake.absolute(where).read_text(encoding="utf-8")))
