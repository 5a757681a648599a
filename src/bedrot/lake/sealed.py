"""Small JSON facts that carry their own SHA-256, so that a torn or edited file is seen."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bedrot.errors import Damaged, Defect

_RESTORE = "Restore it from a backup, or from where it was exported; `bedrot verify` lists all damage."


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def seal(value: dict[str, Any]) -> str:
    """A JSON text of the value with its SHA-256 in front."""
    body = canonical(value)
    return f'{{"sha256":"{hashlib.sha256(body.encode()).hexdigest()}","value":{body}}}\n'


def unseal(text: str, path: Path, do: str = _RESTORE) -> dict[str, Any]:
    """The value of a sealed text; Damaged, naming the file, where any character is not what was written."""
    try:
        value = json.loads(text)["value"]
        whole = isinstance(value, dict) and seal(value) == text
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise Damaged("The file is not what was written: it was cut short or changed.", do, file=str(path))
    return dict(value)


def read_sealed(path: Path, do: str = _RESTORE) -> dict[str, Any]:
    """The value of a sealed file; Damaged where it is gone, unreadable, torn or edited."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as gone:
        raise Damaged("The file is missing.", do, file=str(path)) from gone
    except (OSError, UnicodeDecodeError) as broken:
        raise Damaged("The file cannot be read.", do, file=str(path)) from broken
    return unseal(text, path, do)


def iso(at: datetime) -> str:
    """An instant as ISO text in UTC; Defect for a time without a zone."""
    if at.tzinfo is None:
        raise Defect(f"The time {at} has no time zone.", "Report this.")
    return at.astimezone(UTC).isoformat()


def iso_or_none(at: datetime | None) -> str | None:
    """`iso`, or None for None."""
    return None if at is None else iso(at)


def instant(text: str) -> datetime:
    """The instant of an ISO text written by `iso`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def instant_or_none(text: str | None) -> datetime | None:
    """`instant`, or None for None."""
    return None if text is None else instant(text)


def stamp(at: datetime) -> str:
    """An instant as part of a file name that sorts by time: `20250301T120000Z`."""
    return instant(iso(at)).strftime("%Y%m%dT%H%M%SZ")
