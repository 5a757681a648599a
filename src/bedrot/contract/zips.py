"""Zip files, read under caps: what a zip made to exhaust a machine, or to climb out of its folder, meets.

The caps (1,000 members, 2 GiB, a ratio of 200, no zip inside a zip, no links) are checked while bytes come out, for
the sizes that a zip declares may be lies.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from bedrot.contract.texts import WHOLE_BYTES
from bedrot.errors import Refused

ZIP_MEMBERS = 1_000
ZIP_BYTES = 2 << 30
ZIP_RATIO = 200
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, NotImplementedError),
    *(LookupError, UnicodeError),
)
"""What the zip reader raises for files that are not what they say."""

_PIECE = 1 << 20
_ENTRY = b"PK\x01\x02"
_END = b"PK\x05\x06"
_END_BYTES = 22
_LEAST = 1 << 20
_NAME = 200


@dataclass(frozen=True)
class Member:
    """One file inside a zip: its name, the instant in its header (taken as UTC; None when unset) and its bytes."""

    name: str
    time: datetime | None
    data: bytes


@dataclass(frozen=True)
class Packed:
    """One file as it lies in an open zip: its name, its time, and its bytes piece by piece.

    `pieces` raises Refused where the member is damaged, not allowed, or larger than the caps.
    """

    name: str
    time: datetime | None
    pieces: Iterator[bytes]


def read_zip(path: Path, name: str) -> Iterator[Member]:
    """The members of a zip, in memory, at most 256 MiB together.

    Raises Refused for a damaged, encrypted or nested zip, links, and names that climb out of the folder.
    """
    with open_zip(path, name) as archive:
        left = WHOLE_BYTES
        for info in archive.infolist():
            refuse_member(info, name)
            if info.is_dir():
                continue
            data = b"".join(inflate(archive, info, name, left))
            left -= len(data)
            yield Member(info.filename, _time(info), data)


def packed(path: Path, name: str) -> Iterator[Packed]:
    """The members of a zip one after the other, each to be read before the next one is asked for.

    Raises Refused for a zip that cannot be opened, or lists too much.
    """
    with open_zip(path, name) as archive:
        spent = [0]
        for info in archive.infolist():
            if not info.is_dir():
                yield Packed(info.filename, _time(info), _counted(archive, info, name, spent))


def _counted(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, spent: list[int]) -> Iterator[bytes]:
    """The bytes of an allowed member, counted against what all members may have together."""
    refuse_member(info, name)
    for piece in inflate(archive, info, name, ZIP_BYTES - spent[0]):
        spent[0] += len(piece)
        yield piece


def names_of(path: Path) -> tuple[str, ...]:
    """Names inside a zip without reading the members; empty where it is not a readable zip of at most 1,000."""
    try:
        with open_zip(path, "") as archive:
            return tuple(info.filename for info in archive.infolist())
    except (Refused, *BROKEN):
        return ()


def open_zip(path: Path, name: str) -> zipfile.ZipFile:
    """The zip, opened; Refused where it is damaged, larger than 2 GiB, or lists more than 1,000 members."""
    if path.stat().st_size > ZIP_BYTES:
        raise Refused("The zip file is larger than 2 GiB.", "Unpack it yourself, then import the files.", file=name)
    if not _ends_well(path):
        raise Refused("The zip file is damaged or not whole.", "Download it again.", file=name)
    if _listed(path) > ZIP_MEMBERS:
        # Counted before the list is built: a million entries take a gigabyte of memory.
        raise Refused(
            f"The zip file holds more than {ZIP_MEMBERS:,} files.",
            "Unpack it yourself, then import the folder.",
            file=name,
        )
    try:
        return zipfile.ZipFile(path)
    except BROKEN as broken:
        raise Refused("The zip file is damaged or not whole.", "Download it again.", file=name) from broken


def refuse_member(info: zipfile.ZipInfo, name: str) -> None:
    """Refuse a member that no service writes: encrypted, a link, a climbing name, a zip again."""
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    where = _where(name, info)
    if info.flag_bits & 0x1:
        raise Refused(
            "It is locked with a password.", "Unpack the zip file yourself, then import the files.", file=where
        )
    if ".." in parts or (parts and (parts[0] == "/" or parts[0].endswith(":"))):
        raise Refused(
            "Its name points out of the zip file, which no service does.", "Do not open this zip file.", file=where
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Refused("It is a link instead of a file.", "Import the file that the link points to.", file=where)
    if info.filename.lower().endswith(".zip"):
        raise Refused("It is another zip file.", "Unpack the outer one, then import what it held.", file=where)


def inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, left: int) -> Iterator[bytes]:
    """The bytes of a member, piece by piece; Refused when they grow past a cap or fail their checksum.

    `left` is how many bytes the members may still have together.
    """
    cap = min(left, max(_LEAST, ZIP_RATIO * max(info.compress_size, 1)))
    too_much = Refused("It unpacks to far more than a download can hold.", "Do not open it.", file=_where(name, info))
    if info.file_size > cap:
        raise too_much
    try:
        with archive.open(info) as file:
            yield from _pieces(file, cap, too_much)
    except BROKEN as broken:
        raise Refused("It is damaged inside the zip file.", "Download it again.", file=_where(name, info)) from broken


def _pieces(file: IO[bytes], cap: int, too_much: Refused) -> Iterator[bytes]:
    """Pieces of at most a mebibyte, until the end or the cap."""
    size = 0
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > cap:
            raise too_much
        yield piece


def _ends_well(path: Path) -> bool:
    """Whether the record that ends a zip is the last thing in the file.

    In a zip that was cut off, the record of another zip inside it may be found: the reader would open that one.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END_BYTES - 0xFFFF))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        return False
    return at + _END_BYTES + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)


def _listed(path: Path) -> int:
    """At least as many as the entries that a zip lists: how often the mark of an entry stands in its bytes."""
    count, before = 0, b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            count += (before + piece).count(_ENTRY)
            if count > ZIP_MEMBERS:
                break
            before = piece[-3:]
    return count


def _where(name: str, info: zipfile.ZipInfo) -> str:
    """A member's place for a sentence."""
    return f"{name}/{info.filename[:_NAME]}"


def _time(info: zipfile.ZipInfo) -> datetime | None:
    """The member's time as UTC; None for the zip epoch, which means that none was written."""
    if info.date_time[0] <= 1980:
        return None
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None
