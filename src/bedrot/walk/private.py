"""Private: one look through all bytes of a file where it lies, for secrets that must be copied nowhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain

from bedrot.contract import Original, Source
from bedrot.contract.zips import BROKEN, inflate, open_zip
from bedrot.errors import PrivateFile, Refused
from bedrot.lake.objects import PIECE, hashed

_WINDOW = 1 << 20
"""Bytes looked through at a time: as many as the processor's cache holds."""
_OVERLAP = 16 << 10
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
        with closing(hashed(_pieces(original), digest)) as pieces:
            for piece in pieces:
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
        view = memoryview(piece)
        for start in range(0, len(piece), _WINDOW):
            new = view[start : start + _WINDOW]
            window = self._before + new
            self._before = window[-_OVERLAP:]
            # UTF-16 has a zero in each letter that a secret is made of.
            what = _secret_in(window.replace(b"\0", b"") if b"\0" in window else window)
            if what:
                raise PrivateFile(
                    f"The file carries {what}; it was copied nowhere.",
                    "Delete it, and download the data without it.",
                    file=self._name,
                )
            if self._lines:
                self._measure(window, len(new))

    def _measure(self, window: bytes, new: int) -> None:
        """Count how long the line goes on without an end; only the last `new` bytes were not counted yet."""
        run = len(window) - 1 - max(window.rfind(b"\n"), window.rfind(b"\r"))
        self._run = run if run < new else self._run + new
        if self._run > LONGEST_LINE:
            raise Refused(
                f"A line of the file goes on for more than {LONGEST_LINE:,} bytes, which no record does.",
                "Download the file again.",
                file=self._name,
            )


def _secret_in(window: bytes) -> str:
    """What secret some bytes carry, empty where none."""
    lower = b""
    for what, marks, needles, pattern in _SECRETS:
        if marks and not any(mark in window for mark in marks):
            continue
        if marks and not lower:
            lower = window.lower()
        where = lower if marks else window
        # From the end, because Python's search backwards takes half the time of the one forwards.
        if any(where.rfind(needle) >= 0 for needle in needles) and pattern.search(window):
            return what
    return ""


def _pieces(original: Original) -> Iterator[bytes]:
    """The bytes of the file as it lies."""
    with original.path.open("rb") as file:
        while piece := file.read(PIECE):
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
