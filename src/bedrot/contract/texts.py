"""Bytes as text, and text as strict JSON: what every look inside a file is made of."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any, NoReturn

from bedrot.errors import Refused

WHOLE_BYTES = 256 << 20
JSON_DEPTH = 64
_PIECE = 1 << 16
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEPS = bytes(1 if byte in b"[{" else 255 for byte in range(256))
"""An opening bracket is a step down, a closing one a step up: 255 is -1 as a signed byte."""


def encoding_of(data: bytes) -> str:
    """The first of utf-8-sig, cp1252 and latin-1 that decodes the bytes (UTF-16 where its mark stands in front)."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    for name in ("utf-8-sig", "cp1252"):
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


def decode_head(head: bytes) -> str:
    """Bytes of a file's beginning as text, never failing: a character cut at the end is left out."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head.decode("utf-16", errors="ignore")
    bare = head.removeprefix(b"\xef\xbb\xbf")
    try:
        return bare.decode("utf-8")
    except UnicodeDecodeError as broken:
        if broken.start >= len(bare) - 4:
            return bare[: broken.start].decode("utf-8")
        return bare.decode("latin-1")


def strict_json(data: bytes, name: str) -> Any:
    """A JSON document without duplicate keys, NaN, or more than 64 levels; numbers with a point stay text.

    Raises Refused, with the line where the text breaks.
    """

    def no_constant(word: str) -> NoReturn:
        raise Refused(f"The file holds {word}, which is not a number.", "Download it again.", file=name)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(pairs)
        if len(seen) != len(pairs):
            keys = [key for key, _ in pairs]
            double = next(key for key in keys if keys.count(key) > 1)
            raise Refused(
                f"The key '{double[:60]}' stands twice in one object, so the file says two things at once.",
                "Download it again.",
                file=name,
            )
        return seen

    try:
        text = data.decode(encoding_of(data))
    except UnicodeDecodeError as broken:
        raise Refused("The file is cut off in the middle of a character.", "Download it again.", file=name) from broken
    if json_depth(data if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else text.encode("utf-8", "replace")) > JSON_DEPTH:
        raise Refused(
            f"The file is nested more than {JSON_DEPTH} levels deep, which no service does.",
            "Download it again.",
            file=name,
        )
    try:
        return json.loads(text, parse_constant=no_constant, parse_float=str, object_pairs_hook=unique)
    except json.JSONDecodeError as broken:
        raise Refused(
            "The file is not whole: its JSON breaks off or is damaged here.",
            "Download it again.",
            file=name,
            line=broken.lineno,
        ) from broken
    except ValueError as broken:
        raise Refused("The file holds a number too long to be true.", "Download it again.", file=name) from broken


def json_depth(data: bytes) -> int:
    """The deepest nesting of brackets outside strings of a JSON text in UTF-8 (or the like); counted up to 65 or more.

    Looks at 64 KiB at a time and builds nothing, so that a file made to exhaust a parser costs nothing here.
    """
    level = deepest = 0
    quoted, held = False, b""
    for start in range(0, len(data), _PIECE):
        piece = held + data[start : start + _PIECE]
        # A run of backslashes at the end may go on in the next piece: it is looked at there.
        bare = piece.rstrip(b"\\")
        held = piece[len(bare) :]
        parts = bare.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        steps = b"".join(parts[int(quoted) :: 2]).translate(_STEPS, _NOT_BRACKETS)
        quoted ^= len(parts) % 2 == 0
        if steps:
            signed = memoryview(steps).cast("b")
            reached = max(accumulate(signed, initial=level))
            deepest = max(deepest, reached)
            level += sum(signed)
        if deepest > JSON_DEPTH:
            break
    return deepest
