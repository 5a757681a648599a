"""Private: one look through all bytes of a file where it lies, for secrets that must be copied nowhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from bedrot.contract import Original, Source
from bedrot.contract.zips import BROKEN, inflate, open_zip
from bedrot.errors import PrivateFile, Refused

_PIECE = 1 << 20
_OVERLAP = 1 << 10
LONGEST_LINE = 16 << 20
_UNPACKED = 512 << 20

_SECRETS = (
    (
        "an access token",
        b":=%",
        (b"access_token", b"accesstoken", b"refresh_token", b"id_token", b"client_secret", b"appsecret_proof"),
        re.compile(
            rb"(?i)(?:access_?token|refresh_token|id_token|client_secret|appsecret_proof)"
            rb"[\\\"']{0,4}\s{0,20}(?:[=:]|%3d)\s{0,20}[\\\"']{0,4}[\w.%|~+/-]{8}"
        ),
    ),
    ("an access token", b"", (b"EAA",), re.compile(rb"(?<![A-Za-z0-9+/=_-])EAA[A-Za-z0-9]{20}")),
    (
        "a signed session token",
        b"",
        (b".eyJ",),
        re.compile(rb"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10}"),
    ),
    (
        "an authorization header",
        b":",
        (b"authorization",),
        re.compile(rb"(?i)authorization[\\\"']{0,4}\s{0,20}:\s{0,20}[\\\"']{0,4}(?:bearer|basic)\s{1,20}[\w.=/+-]{8}"),
    ),
    (
        "session cookies",
        b":",
        (b"cookie",),
        re.compile(rb"(?i)(?:set-cookie\s{0,20}:|\"cookies?\\?\"\s{0,20}:\s{0,20}(?:\[\s{0,20}\{|\{|\\?\"[^\"]))"),
    ),
    ("a private key", b"", (b"PRIVATE KEY-----",), re.compile(rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")),
)
"""What it is, and what it cannot be without, looked for first because that is fast: one of some bytes, then one of some
texts (lower case where bytes are told, as written where none are); last its shape."""


def read_through(original: Original, sources: Sequence[Source]) -> str:
    """The SHA-256 of a file, in one pass that looks at each byte; members of a zip are looked at unpacked.

    Raises PrivateFile when the file carries a secret, or a source calls it private (the secret is not repeated);
    Refused when a line of a text goes on for more than 16 MiB, or the file cannot be read.
    """
    _refuse_name(original)
    digest = hashlib.sha256()
    search = _Search(original)
    try:
        for piece in _pieces(original):
            digest.update(piece)
            search.look(piece)
        for piece in _unpacked(original):
            search.look(piece)
        _refuse_named_private(original, sources)
    except OSError as failed:
        raise cannot_read(original, failed) from failed
    return digest.hexdigest()


def cannot_read(original: Original, failed: OSError) -> Refused:
    """The sentence for a file that the system does not let us read."""
    return Refused(
        f"The file cannot be read: {failed.strerror or 'the disk failed'}.",
        "Give yourself the right to read it, or copy it to another place, and import it from there.",
        file=original.name,
    )


def has_secret(text: str) -> str:
    """What secret a short text carries, empty where none."""
    data = text.encode("utf-8", "surrogatepass")
    return next((what for what, _, _, pattern in _SECRETS if pattern.search(data)), "")


def _refuse_name(original: Original) -> None:
    """Raise PrivateFile for a name that carries a secret: browsers make names of addresses."""
    what = has_secret(f"{original.name}\n{original.relative}")
    if what:
        raise PrivateFile(
            f"The name of the file carries {what}; it was copied nowhere.",
            "Rename it, and end the session that the secret belongs to.",
            file=f"(a name with {what})",
        )


def _refuse_named_private(original: Original, sources: Sequence[Source]) -> None:
    """Raise PrivateFile when a source says why a file of its own must not be kept."""
    for source in sources:
        why = source.private(original)
        if why:
            raise PrivateFile(f"{why} It was copied nowhere.", "Keep it out of the lake.", file=original.name)


class _Search:
    """A search through pieces of one file, that does not miss what lies across two of them."""

    def __init__(self, original: Original) -> None:
        self._name = original.name
        self._lines = not (original.is_zip or original.looks_like_json)
        self._run = 0
        self._before = b""

    def look(self, piece: bytes) -> None:
        """Look at the next piece; raises PrivateFile or Refused."""
        window = self._before + piece
        self._before = window[-_OVERLAP:]
        if b"\0" in window:  # UTF-16 has one in each letter that a secret is made of
            window = window.replace(b"\0", b"")
        for what, marks, needles, pattern in _SECRETS:
            if marks and not any(mark in window for mark in marks):
                continue
            where = window.lower() if marks else window
            if any(needle in where for needle in needles) and pattern.search(window):
                raise PrivateFile(
                    f"The file carries {what}; it was copied nowhere.",
                    "Delete it, and download the data without it.",
                    file=self._name,
                )
        if self._lines:
            self._measure(piece)

    def _measure(self, piece: bytes) -> None:
        """Count how long the line goes on without an end."""
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        self._run = self._run + len(piece) if last < 0 else len(piece) - last - 1
        if self._run > LONGEST_LINE:
            raise Refused(
                f"A line of the file goes on for more than {LONGEST_LINE:,} bytes, which no record does.",
                "Download the file again.",
                file=self._name,
            )


def _pieces(original: Original) -> Iterator[bytes]:
    """The bytes of the file as it lies."""
    with original.path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _unpacked(original: Original) -> Iterator[bytes]:
    """The bytes inside a zip, as far as they can be had: what is broken there is told when the file is read."""
    if not original.is_zip:
        return
    with suppress(Refused, *BROKEN), open_zip(original.path, original.name) as archive:
        left = _UNPACKED
        for info in archive.infolist():
            with suppress(Refused, *BROKEN):
                for piece in chain(inflate(archive, info, original.name, left), (b"\n" * _OVERLAP,)):
                    left -= len(piece)
                    yield piece
