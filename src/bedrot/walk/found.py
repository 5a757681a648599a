"""Found: the files below what a person names, each with its relative path, or why it is none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bedrot.lake.zones import Lake

_LITTER = {"thumbs.db", "desktop.ini", "__macosx", "icon\r"}
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload")
_OURS = "This belongs to the lake itself."
_INBOX = "`bedrot run` takes what lies in landing/inbox; import other files from where they were downloaded."


@dataclass(frozen=True)
class Found:
    """A file below what a person named. Where it cannot be offered: `verdict` (skipped or refused), why, what to do."""

    path: Path
    relative: str
    verdict: str = ""
    sentence: str = ""
    do: str = ""


def is_litter(name: str) -> bool:
    """Whether a name (or path inside a zip) is one that an operating system leaves, and no data."""
    parts = name.replace("\\", "/").split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part.lower() in _LITTER for part in parts)


def is_unfinished(name: str) -> bool:
    """Whether a browser is still writing the file."""
    return name.lower().endswith(_UNFINISHED)


def sayable(name: str) -> str:
    """A name as text that every file format holds: bytes that are no text stand in it as their numbers."""
    return name.encode("utf-8", "backslashreplace").decode()


def find(path: Path, lake: Lake) -> Iterator[Found]:
    """The file, or each file below the folder in the order of their names; links inside a folder are not followed."""
    shown = sayable(path.name or str(path))
    if "\0" in str(path):
        yield Found(path, shown, "refused", "There cannot be a file of such a name.", "Check the name.")
    elif _reserved(path, lake) and not _in_landing(path, lake):
        yield Found(path, shown, "refused", _OURS, _INBOX)
    elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        yield from find_below(path, lake)
    else:
        yield _one(path, shown)


def find_below(top: Path, lake: Lake | None) -> Iterator[Found]:
    """Each file below a folder, in the order of their names; what is its own is left out where a lake is named.

    An empty folder is one thing to tell then.
    """
    troubles: list[OSError] = []
    number = 0
    name = top.name or top.resolve().name
    for at, folders, files in os.walk(top, onerror=troubles.append):
        here = Path(at)
        within = here.relative_to(top)
        for folder in sorted(folders):
            told = _closed(here / folder, sayable((name / within / folder).as_posix()), lake)
            if told is not None:
                folders.remove(folder)
                number += 1
                yield told
        folders.sort()
        for file in sorted(files):
            number += 1
            relative = sayable((Path(name) / within / file).as_posix())
            yield _one(here / file, relative, inside=True)
    for trouble in troubles:
        shown = sayable(os.path.relpath(trouble.filename, top.parent))
        yield Found(
            Path(trouble.filename),
            shown,
            "refused",
            f"The folder cannot be read: {trouble.strerror}.",
            "Give yourself the right to read it, then import it again.",
        )
    if not number and not troubles and lake is not None:
        yield Found(
            top, sayable(name), "refused", "There is no file in this folder.", "Check that it is the right one."
        )


def _closed(folder: Path, relative: str, lake: Lake | None) -> Found | None:
    """Why a folder is not gone into; None where it is."""
    if is_litter(folder.name):
        return Found(folder, relative, "skipped", "A hidden folder, not data.")
    if folder.is_symlink():
        return Found(folder, relative, "refused", "It is a link to a folder.", "Import that folder itself.")
    if lake is not None and _reserved(folder, lake):
        return Found(folder, relative, "skipped", _OURS)
    return None


def _one(path: Path, relative: str, *, inside: bool = False) -> Found:
    """One file, with what speaks against it."""
    if is_litter(path.name):
        return Found(path, relative, "skipped", "A file of the operating system, not data.")
    if is_unfinished(path.name):
        return Found(
            path, relative, "waiting", "The browser has not finished this download.", "Import it when it is complete."
        )
    try:
        mode = path.lstat().st_mode if inside else path.stat().st_mode
    except OSError as failed:
        missing = isinstance(failed, FileNotFoundError)
        said = "There is no such file." if missing else f"The file cannot be looked at: {failed.strerror}."
        return Found(
            path, relative, "refused", said, "Check the name." if missing else "Check the path and its rights."
        )
    if stat.S_ISLNK(mode):
        return Found(path, relative, "refused", "It is a link, not a file.", "Import the file that it points to.")
    if not stat.S_ISREG(mode):
        return Found(path, relative, "refused", "It is a device or a pipe, not a file.", "Give a file as downloaded.")
    return Found(path, relative)


def _reserved(path: Path, lake: Lake) -> bool:
    """Whether the path is one that the lake itself keeps."""
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(lake.root))
    if not real.is_relative_to(root):
        return False
    inside = real.relative_to(root).parts
    zones = (lake.landing, lake.raw, lake.staging, lake.curated, lake.archive, lake.work)
    names = {*(zone.name for zone in zones), lake.lock_path.name, lake.config_path.name, ".gitignore"}
    return not inside or inside[0] in names or inside[0].startswith(lake.ledger_path.name)


def _in_landing(path: Path, lake: Lake) -> bool:
    """Whether the path is a file that waits in landing, which a person may give again with what was missing."""
    return os.path.isfile(path) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(lake.landing))  # noqa: PTH113
