"""What a file tells about itself beside its rows: when it was exported, and whether it carries a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

from bedrot.contract import Original, Stamp

_STAMP = re.compile(r"(?<!\d)(20\d{6}_\d{6})(?!\d)")
_TOKEN = re.compile(
    rb"""(?:access_token|appsecret_proof)(?:=|%3D|\\u003[dD]|"\s*:\s*")(?!REDACTED|\*)[^&"\s\\]"""
    rb"|(?<![A-Za-z0-9+/])EAA[A-Za-z0-9]{30,}"
)
_CHUNK = 1 << 20
_OVERLAP = 256


def stamped(original: Original) -> Stamp | None:
    """The instant in the file's or its folder's name (`meta_ads_dump_20250616_123754`, as UTC), else the zip's time."""
    path = PurePosixPath(original.relative.replace("\\", "/"))
    for name in (original.name, path.name, path.parent.name):
        for found in _STAMP.finditer(name):
            try:
                return Stamp(datetime.strptime(found[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC), "name")
            except ValueError:
                continue
    return Stamp(original.member_time, "zip") if original.member_time else None


def last_day(days: Iterator[str]) -> Stamp | None:
    """The start of the last day among texts that are dates; None where none is."""
    known = []
    for day in days:
        try:
            known.append(date.fromisoformat(day))
        except ValueError:
            continue
    return Stamp.of_day(max(known), "data") if known else None


def carries_token(original: Original) -> bool:
    """Whether an access token stands in the bytes: `access_token=…` in a page's links, or a text like `EAA…`."""
    before = b""
    with original.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if _TOKEN.search(before + chunk):
                return True
            before = chunk[-_OVERLAP:]
    return False
