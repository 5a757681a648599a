"""A file as it was given: its name, its bytes, and safe ways to look inside.

Everything here reads; nothing writes. Caps protect against files made to exhaust a machine.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from bedrot.errors import Refused

HEAD_BYTES = 1 << 20
WHOLE_BYTES = 256 << 20
JSON_DEPTH = 64
ZIP_MEMBERS = 1_000
ZIP_BYTES = 2 << 30
ZIP_RATIO = 200


@dataclass(frozen=True)
class Member:
    """One file inside a zip: its name, the instant in its header (taken as UTC; None when unset) and its bytes."""

    name: str
    time: datetime | None
    data: bytes


@dataclass(frozen=True)
class Original:
    """A file where it lies. `name` and `relative` are as given by the person, `path` is where the bytes are now.

    `member_time` is the time of the zip member that this file was taken from, where it was.
    """

    path: Path
    name: str
    relative: str
    member_time: datetime | None = None

    @cached_property
    def size(self) -> int:
        """Number of bytes."""
        return self.path.stat().st_size

    @cached_property
    def head(self) -> bytes:
        """The first bytes, at most 1 MiB."""
        with self.path.open("rb") as file:
            return file.read(HEAD_BYTES)

    @cached_property
    def tail(self) -> bytes:
        """The last bytes, at most 64 KiB."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.size - (64 << 10)))
            return file.read()

    @cached_property
    def data(self) -> bytes:
        """All bytes; Refused above 256 MiB."""
        if self.size > WHOLE_BYTES:
            raise Refused(
                f"The file has {self.size:,} bytes; files of this kind are at most {WHOLE_BYTES:,}.",
                "Download it again for a shorter period.",
                file=self.name,
            )
        return self.path.read_bytes()

    @cached_property
    def encoding(self) -> str:
        """How the text is encoded: utf-8-sig, cp1252 or latin-1, in that order of belief."""
        return encoding_of(self.data)

    @cached_property
    def text(self) -> str:
        """The whole file as text."""
        return self.data.decode(self.encoding)

    @cached_property
    def head_text(self) -> str:
        """The first bytes as text, never failing: for looking, not for reading data."""
        return decode_head(self.head)

    @cached_property
    def suffix(self) -> str:
        """The ending of the name, lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @cached_property
    def is_zip(self) -> bool:
        """Whether the bytes begin as a zip file (an XLSX is one too)."""
        return self.head[:4] in (b"PK\x03\x04", b"PK\x05\x06")

    @cached_property
    def looks_like_json(self) -> bool:
        """Whether the first character is one that a JSON document of ours begins with."""
        return self.head_text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")

    @cached_property
    def json(self) -> Any:
        """The document; Refused for broken, doubly keyed, too deep or non-finite JSON."""
        return strict_json(self.data, self.name)

    @cached_property
    def json_or_none(self) -> Any:
        """The document where it is one of at most 256 MiB, else None: for looking."""
        if not self.looks_like_json or self.size > WHOLE_BYTES:
            return None
        try:
            return self.json
        except Refused:
            return None

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The files inside a zip, read under caps; Refused for what a zip must not hold."""
        return tuple(read_zip(self.data, self.name))

    @cached_property
    def member_names(self) -> tuple[str, ...]:
        """Names inside a zip without reading them; empty where it is not a readable zip."""
        if not self.is_zip:
            return ()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(info.filename for info in archive.infolist()[: ZIP_MEMBERS + 1])
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return ()


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
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        if broken.start >= len(head) - 4:
            return head[: broken.start].decode("utf-8-sig")
        return head.decode("latin-1")


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
                f"The key '{double}' stands twice in one object, so the file says two things at once.",
                "Download it again.",
                file=name,
            )
        return seen

    try:
        text = data.decode(encoding_of(data))
    except UnicodeDecodeError as broken:
        raise Refused("The file is cut off in the middle of a character.", "Download it again.", file=name) from broken
    if _depth(text) > JSON_DEPTH:
        raise Refused(
            f"The file is nested more than {JSON_DEPTH} levels deep, which no service does.",
            "Download it again.",
            file=name,
        )
    try:
        return json.loads(text, parse_constant=no_constant, parse_float=str, object_pairs_hook=unique)
    except json.JSONDecodeError as broken:
        raise Refused(
            f"The file is not whole: its JSON breaks off or is damaged ({broken.msg}).",
            "Download it again.",
            file=name,
            line=broken.lineno,
        ) from broken
    except ValueError as broken:
        raise Refused("The file holds a number too long to be true.", "Download it again.", file=name) from broken


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings, without recursion."""
    level = deepest = 0
    quoted = escaped = False
    for char in text:
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "{[":
            level += 1
            deepest = max(deepest, level)
            if deepest > JSON_DEPTH:
                break
        elif char in "}]":
            level -= 1
    return deepest


def read_zip(data: bytes, name: str) -> Iterator[Member]:
    """The members of a zip under caps on number, size and ratio.

    Raises Refused for a damaged, encrypted or nested zip, links, and names that climb out of the folder.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as broken:
        raise Refused("The zip file is damaged or not whole.", "Download it again.", file=name) from broken
    with archive:
        infos = archive.infolist()
        if len(infos) > ZIP_MEMBERS:
            raise Refused(f"The zip file holds more than {ZIP_MEMBERS:,} files.", "Unpack it yourself.", file=name)
        left = min(ZIP_BYTES, WHOLE_BYTES + ZIP_RATIO * len(data))
        for info in infos:
            _refuse_member(info, name)
            if info.is_dir():
                continue
            content = _inflate(archive, info, name, min(left, max(1 << 20, ZIP_RATIO * max(info.compress_size, 1))))
            left -= len(content)
            yield Member(info.filename, _member_time(info), content)


def _refuse_member(info: zipfile.ZipInfo, name: str) -> None:
    """Refuse a member that no service writes: encrypted, a link, a climbing name, a zip again."""
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    where = f"{name}/{info.filename}"
    if info.flag_bits & 0x1:
        raise Refused("The zip file is locked with a password.", "Unpack it, then import the files.", file=where)
    if ".." in parts or (parts and (parts[0] == "/" or parts[0].endswith(":"))):
        raise Refused("A name inside the zip file points outside of it.", "Do not open this zip file.", file=where)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Refused("The zip file holds a link instead of a file.", "Unpack it yourself.", file=where)
    if info.filename.lower().endswith(".zip"):
        raise Refused("The zip file holds another zip file.", "Unpack it, then import what it held.", file=where)


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, cap: int) -> bytes:
    """The bytes of a member; Refused when they grow past the cap or fail their checksum."""
    where = f"{name}/{info.filename}"
    try:
        with archive.open(info) as file:
            content = file.read(cap + 1)
            if len(content) > cap:
                raise Refused("A file inside the zip unpacks to far more than its size.", "Do not open it.", file=where)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as broken:
        raise Refused("A file inside the zip is damaged.", "Download it again.", file=where) from broken
    return content


def _member_time(info: zipfile.ZipInfo) -> datetime | None:
    """The member's time as UTC; None for the zip epoch, which means that none was written."""
    if info.date_time[0] <= 1980:
        return None
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None
