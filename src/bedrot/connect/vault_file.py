"""The vault's file: its owner's only from its first byte on, changed by one process at a time, whole or not at all.

A folder or a file that others may open is refused and not mended: whether somebody has copied it meanwhile is for a
person to judge, and the folder may be one that was not meant for the vault. On Windows the folder has the rights of the
person's own application data, where others have none; the system has no modes to look at.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bedrot.errors import Busy, Damaged, Misconfigured, StorageFailed
from bedrot.lake import disk
from bedrot.lake.lock import held
from bedrot.lake.refusals import said

AGE = b"age-encryption.org/v1\n"
"""The first line of each file in the age format."""
WAIT = 30
"""Seconds until another process must be done with its change."""
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_private(path: Path) -> int:
    """Create a file that must not exist, for writing, which nobody else may open at any moment."""
    return os.open(path, _NEW, 0o600)


def mkdir_private(path: Path) -> None:
    """Create one folder that nobody else may enter; FileExistsError where it exists."""
    path.mkdir(mode=0o700)


class VaultFile:
    """`vault.age` in its folder, as sealed bytes."""

    __slots__ = ("folder", "path")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "vault.age"

    def prepare(self) -> None:
        """Make the folder where it is missing; Misconfigured where it is not private or in a lake, StorageFailed."""
        with said(self.folder):
            real = self.folder.resolve()
            lake = next((one for one in (real, *real.parents) if (one / "bedrot.toml").is_file()), None)
        if lake is not None:
            raise Misconfigured(
                f"The vault would be in the lake {lake}, and a lake holds no log-ins.",
                "Name a folder outside of it.",
                file=str(self.folder),
            )
        with said(self.folder):
            _make_private(self.folder)
        self._private_folder()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one that changes the vault; Busy where another does not finish, StorageFailed."""

        def busy() -> Busy:
            sentence = "Another bedrot is changing the vault."
            return Busy(sentence, "Wait until it has finished, then try again.", file=str(self.path))

        with held(self.folder / "vault.lock", WAIT, busy, 0o600):
            yield

    def read(self) -> bytes | None:
        """The sealed bytes, None where there is no file; Misconfigured or Damaged where they are none of ours."""
        self._private_folder()
        with said(self.path):
            try:
                found = self.path.lstat()
            except FileNotFoundError:
                return None
            if not stat.S_ISREG(found.st_mode):
                raise Misconfigured("The vault is not a plain file.", "Move it away.", file=str(self.path))
            _only_ours(self.path, found)
            sealed = self.path.read_bytes()
        if sealed.startswith(AGE):
            return sealed
        if AGE.startswith(sealed):
            raise Damaged("The vault is cut off.", "Move the file away, then log in again.", file=str(self.path))
        raise Misconfigured(
            "The file is no vault of bedrot, and is left as it is.",
            "Move it away, or name another folder.",
            file=str(self.path),
        )

    def write(self, sealed: bytes) -> None:
        """Put sealed bytes in the place of the file, durably; only under the lock. Raises StorageFailed."""
        self._private_folder()
        disk.sweep(self.folder)  # what a dead process left may hold log-ins that were removed since
        tmp = disk.temporary(self.path)
        try:
            with said(self.path):
                _fill(tmp, sealed)
        except StorageFailed:
            with suppress(OSError):  # never made, or the disk refuses: then `sweep` finds it
                disk.unlink(tmp)
            raise
        disk.publish(tmp, self.path, replace=True, read_only=False)

    def _private_folder(self) -> None:
        with said(self.folder):
            found = self.folder.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise Misconfigured("The vault's folder is no folder.", "Name another one.", file=str(self.folder))
        _only_ours(self.folder, found)


def _make_private(folder: Path) -> None:
    """Create a folder and its missing parents for their owner only, each durable before the next."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_private(folder.parent)
    with suppress(FileExistsError):  # another process was faster; what is there is looked at next
        mkdir_private(folder)
    disk.fsync_folder(folder.parent)


def _fill(tmp: Path, sealed: bytes) -> None:
    """Write a new private file; it is synced when it is published."""
    fd = open_private(tmp)
    try:
        left = memoryview(sealed)
        while left:
            done = disk.write(fd, left)
            if done <= 0:
                raise OSError(0, "nothing was written")
            left = left[done:]
        if os.fstat(fd).st_size != len(sealed):
            raise OSError(0, "not all bytes are there")
    finally:
        os.close(fd)


def _only_ours(path: Path, found: os.stat_result) -> None:
    """Raise Misconfigured where somebody else owns a file or a folder or may open it (where the system has modes)."""
    if sys.platform == "win32":
        return
    if found.st_uid != os.geteuid():
        raise Misconfigured(
            "The vault belongs to another user of this computer.", "Name a folder of your own.", file=str(path)
        )
    if found.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise Misconfigured(
            f"Others on this computer may open the vault (mode {stat.S_IMODE(found.st_mode):o}).",
            f"Run `chmod {mode} {shlex.quote(str(path))}`; if it may have been copied, log in anew at each service.",
            file=str(path),
        )
