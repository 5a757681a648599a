"""A file as it was given: its name, its bytes, and safe ways to look inside.

Everything here reads; nothing writes. Caps protect against files made to exhaust a machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from bedrot.contract.texts import WHOLE_BYTES, decode_head, encoding_of, strict_json
from bedrot.contract.zips import Member, names_of, read_zip
from bedrot.errors import Refused

__all__ = ["HEAD_BYTES", "WHOLE_BYTES", "Member", "Original", "decode_head", "encoding_of", "strict_json"]

HEAD_BYTES = 1 << 20


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
        """How the text is encoded: utf-16 where its mark says so, else utf-8-sig, cp1252 or latin-1."""
        return encoding_of(self.data)

    @cached_property
    def text(self) -> str:
        """The whole file as text; Refused for UTF-16 that is cut off."""
        try:
            return self.data.decode(self.encoding)
        except UnicodeDecodeError as broken:
            raise Refused(
                "The file is cut off in the middle of a character.", "Download it again.", file=self.name
            ) from broken

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
        return tuple(read_zip(self.path, self.name))

    @cached_property
    def member_names(self) -> tuple[str, ...]:
        """Names inside a zip without reading them; empty where it is not a readable zip of at most 1,000 files."""
        return names_of(self.path) if self.is_zip else ()

    @cached_property
    def is_workbook(self) -> bool:
        """Whether the file is a zip that holds an Excel workbook."""
        return "xl/workbook.xml" in self.member_names
