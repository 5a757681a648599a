"""A person at work in tests: gives files to the real command and reads what it says."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bedrot.cli
from bedrot.lake.ledger import Landed, Ledger
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources, folder_of

GOLDEN = {source.name: folder_of(source) / "golden" for source in find_sources()}
BANK = GOLDEN["distrokid"] / "DistroKid_1748520000000_Paper_Comets.tsv"
SECRET = "EAAB" + "wzLixnjYBO7ZC3vX9qT2" * 4


@dataclass(frozen=True)
class Answer:
    """What the command said: its exit code and both streams."""

    code: int
    out: str
    err: str


class Person:
    """Has one lake and a folder of downloads."""

    def __init__(self, root: Path, say: Callable[..., Answer]) -> None:
        self.lake = Lake.create(root / "lake")
        self.downloads = root / "downloads"
        self.downloads.mkdir()
        self._say = say

    def bedrot(self, *words: str | Path) -> Answer:
        """Run `bedrot WORDS --lake …` in this process, through the one place where every error ends."""
        answer = self._say(*map(str, words), "--lake", str(self.lake.root))
        assert "Traceback" not in answer.out + answer.err
        return answer

    def file(self, name: str, content: str | bytes) -> Path:
        """A download of that name."""
        path = self.downloads / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def give(self, *paths: Path | str, code: int | None = None, options: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Import paths; the outcomes as `--json` prints them."""
        answer = self.bedrot("import", "--json", *options, *paths)
        assert "mistake of the program" not in answer.err
        rows: list[dict[str, Any]] = json.loads(answer.out) if answer.out else []
        needs = any(row["verdict"] not in ("accepted", "repeat", "skipped") for row in rows)
        assert answer.code == (int(needs) if code is None else code), answer
        return rows

    def one(self, path: Path | str, *options: str) -> dict[str, Any]:
        """Import one file; its outcome."""
        (row,) = self.give(path, options=options)
        return row

    def raw(self) -> set[bytes]:
        """The contents of all raw objects."""
        return {path.read_bytes() for path in self.lake.objects.rglob("*") if path.is_file()}

    def landed(self) -> list[Landed]:
        """What is noted of files that wait in landing."""
        with closing(Ledger(self.lake.ledger_path)) as ledger:
            return ledger.landings()

    def kept(self, landed: Landed) -> bytes:
        """The bytes of a file that waits in landing."""
        return self.lake.absolute(landed.path).read_bytes()

    def holds(self, secret: str | bytes) -> list[Path]:
        """The files anywhere in the lake whose bytes (or names) hold a text."""
        wanted = secret.encode() if isinstance(secret, str) else secret
        return [
            path
            for path in self.lake.root.rglob("*")
            if wanted in str(path).encode("utf-8", "surrogateescape")
            or (path.is_file() and wanted in path.read_bytes())
        ]


def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    """A person with an empty lake."""

    def say(*words: str) -> Answer:
        monkeypatch.setattr("sys.argv", ["bedrot", *words])
        code = 0
        try:
            bedrot.cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        return Answer(code, told.out, told.err)

    return Person(tmp_path, say)


def zipped(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of these members, dated 17 June 2025."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2025, 6, 17, 12, 0, 0))
            info.compress_type = compression
            archive.writestr(info, data)
    return path


def patched(data: bytes, mark: bytes, offset: int, value: int, size: int = 2) -> bytes:
    """Bytes of a zip with a number changed, at an offset behind each mark (of a local or central header)."""
    out, start = bytearray(data), 0
    while (found := out.find(mark, start)) >= 0:
        struct.pack_into("<H" if size == 2 else "<I", out, found + offset, value)
        start = found + 4
    return bytes(out)
