"""One look at each byte of a text file, without any parser of records: line ends, quotes, encoding, odd bytes."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bedrot.errors import Refused

LINE_BYTES = 1 << 20
ODD = (b"\x00", b"\x01", b"\x02", b"\x1d", b"\x1e", b"\x1f")
_CHUNK = 1 << 20
_NOT_CP1252 = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class Bytes:
    """What one pass over the bytes found, without any parser of records."""

    size: int = 0
    returns: int = 0
    feeds: int = 0
    pairs: int = 0
    quotes: int = 0
    odd: bool = False
    utf8: bool = True
    utf16: bool = False
    cp1252: bool = True
    longest: int = 0
    last: bytes = b""

    @property
    def encoding(self) -> str:
        """How the text is encoded: UTF-16 by its mark, UTF-8, cp1252 where each byte has a meaning, else Latin-1."""
        return "utf-16" if self.utf16 else "utf-8-sig" if self.utf8 else "cp1252" if self.cp1252 else "latin-1"

    @property
    def ends(self) -> int:
        """Number of line ends."""
        return self.returns + self.feeds - self.pairs

    @property
    def newline(self) -> str:
        """The one kind of line end that the text has; empty where it has none, or several."""
        if self.pairs == self.returns == self.feeds:
            return "\r\n" if self.pairs else ""
        return "\r" if not self.feeds else "\n" if not self.returns else ""


def scan(path: Path) -> Bytes:
    """Look at each byte once: line ends, quotes, control bytes, blank lines, UTF-8, the longest run without an end.

    UTF-16 is looked at as the UTF-8 that its text would be. The look ends at a line too long to be a record.
    """
    found = Bytes()
    decoder = codecs.getincrementaldecoder("utf-8")()
    before, run = b"", 0
    with path.open("rb") as file:
        found.utf16 = file.read(2) in _UTF16
        file.seek(0)
        for chunk in _as_utf8(file, path.name) if found.utf16 else iter(lambda: file.read(_CHUNK), b""):
            found.size += len(chunk)
            returns, feeds = _count(chunk, b"\r"), _count(chunk, b"\n")
            found.returns += returns
            found.feeds += feeds
            found.quotes += _count(chunk, b'"')
            if feeds and found.returns:
                found.pairs += chunk.count(b"\r\n") + (before[-1:] + chunk[:1] == b"\r\n")
            found.odd = found.odd or any(byte in chunk for byte in ODD)
            found.utf8 = found.utf8 and _is_utf8(decoder, chunk)
            found.cp1252 = found.cp1252 and (chunk.isascii() or not any(byte in chunk for byte in _NOT_CP1252))
            first, last = _outer_ends(chunk)
            if first < 0:
                run += len(chunk)
            else:
                found.longest = max(found.longest, run + first)
                run = len(chunk) - last - 1
            before = chunk
            if max(run, found.longest) >= LINE_BYTES:
                break
    found.longest = max(found.longest, run)
    found.last = before[-2:]
    found.utf8 = found.utf8 and _is_utf8(decoder, b"", final=True)
    return found


def _as_utf8(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The text of a UTF-16 file as UTF-8, chunk by chunk; Refused where it is cut off."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        while chunk := file.read(_CHUNK):
            if text := decoder.decode(chunk):
                yield text.encode()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as broken:
        raise Refused("The file is cut off in the middle of a character.", "Download it again.", file=name) from broken


def _count(chunk: bytes, byte: bytes) -> int:
    """How often a byte occurs; to see that it does not is twenty times as fast as to count."""
    return chunk.count(byte) if byte in chunk else 0


def _outer_ends(chunk: bytes) -> tuple[int, int]:
    """Places of the first and the last line end in a chunk, -1 where there is none."""
    ends = [place for place in (chunk.find(b"\r"), chunk.find(b"\n")) if place >= 0]
    return min(ends, default=-1), max(chunk.rfind(b"\r"), chunk.rfind(b"\n"))


def _is_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    """Whether the next chunk goes on as UTF-8."""
    if chunk.isascii() and not final and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True
