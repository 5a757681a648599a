"""A zip file whose bytes are the same on every machine: members stored as they are, with the times they are given."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from datetime import datetime


def stored_zip(members: Iterable[tuple[str, datetime, bytes]]) -> bytes:
    """A zip of members (name, instant, bytes), none of them compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for name, at, content in members:
            member = zipfile.ZipInfo(name, at.timetuple()[:6])
            member.create_system, member.external_attr = 3, 0o644 << 16
            packed.writestr(member, content)
    return out.getvalue()
