"""The one durable way to change the disk: what `publish` has returned from survives a power cut.

Temporary file in the same folder → write → fsync → link (or replace) → fsync of the folder and of each new parent.
The thin functions at the top are all system calls that change a lake's files, so that a test can make any of them fail.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from bedrot.lake.refusals import said

Look = Callable[[Path], None]
WINDOWS = os.name == "nt"
READ_ONLY = 0o444
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
"""What systems say where a disk knows no second name of a file."""
_TEMPORARY = re.compile(r"\.tmp-\d+-[0-9a-f]{8}-.+")
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_OLD = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_known: set[Path] = set()
"""Folders whose own entry this process has made durable."""


def open_new(path: Path) -> int:
    """Create a file that must not exist, for writing."""
    return os.open(path, _NEW, 0o644)


def open_old(path: Path) -> int:
    """Open a file that exists, so that it can be synced."""
    return os.open(path, _OLD)


def write(fd: int, data: bytes | memoryview) -> int:
    """Write some of the bytes; gives how many."""
    return os.write(fd, data)


def fsync(fd: int) -> None:
    """Make a file's bytes durable."""
    os.fsync(fd)


def fsync_folder(path: Path) -> None:
    """Make a folder's entries durable (Windows has no such call: NTFS journals them itself)."""
    if WINDOWS:
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def link(old: Path, new: Path) -> None:
    """Give a file a second name; FileExistsError where the name is taken."""
    new.hardlink_to(old)


def rename_new(old: Path, new: Path) -> None:
    """Rename a file where the disk knows no links; FileExistsError where the name is taken.

    Windows refuses a taken name itself; elsewhere the writer lock keeps two writers apart between look and rename.
    """
    if not WINDOWS and new.exists():
        raise FileExistsError(errno.EEXIST, "taken", str(new))
    old.rename(new)


def replace(old: Path, new: Path) -> None:
    """Rename a file over another; on Windows wait a moment for a reader that holds the other open."""
    for pause in (0.01, 0.05, 0.2, 0.5, 1.0) if WINDOWS else ():
        try:
            old.replace(new)
        except PermissionError:
            if new.exists():
                new.chmod(0o666)
            time.sleep(pause)
        else:
            return
    old.replace(new)


def mkdir(path: Path) -> None:
    """Create one folder; FileExistsError where it exists."""
    path.mkdir()


def unlink(path: Path) -> None:
    """Remove one name of a file."""
    path.unlink()


def chmod(path: Path, mode: int) -> None:
    """Set who may read and write a file."""
    path.chmod(mode)


def temporary(final: Path) -> Path:
    """A new name `.tmp-<pid>-<random>-<name>` in the folder of `final`, which is made durably if need be."""
    make_folder(final.parent)
    return final.parent / f".tmp-{os.getpid()}-{secrets.token_hex(4)}-{final.name[-100:]}"


def publish(tmp: Path, final: Path, *, replace: bool = False, read_only: bool = True) -> bool:
    """Give a written temporary file its final name, durably; `tmp` is gone afterwards, also when this fails.

    Without `replace` a file that has the name already is kept, and the answer is False. Raises StorageFailed.
    """
    with _thrown_away(tmp), said(final):
        fd = open_old(tmp)
        try:
            fsync(fd)
        finally:
            os.close(fd)
        return _place(tmp, final, over=replace, read_only=read_only)


def put(
    final: Path, chunks: Iterable[bytes], *, replace: bool = False, read_only: bool = True, look: Look | None = None
) -> bool:
    """Write bytes to a new file, durably, whole or not at all; False when it was there already and was kept.

    `look` gets the path of the whole file, not named yet, while its bytes go to the disk. Raises StorageFailed; what
    `chunks` or `look` raises goes through, and nothing is published then.
    """
    with said(final):
        tmp = temporary(final)
    with _thrown_away(tmp):
        with said(final):
            fd = open_new(tmp)
        try:
            size = 0
            for chunk in chunks:
                with said(final):
                    size += _write_all(fd, chunk)
            with said(final):
                _same_size(fd, size)
                if look is None:
                    fsync(fd)
            if look is not None:
                _sync(fd, tmp, final, look)
        finally:
            os.close(fd)
        with said(final):
            return _place(tmp, final, over=replace, read_only=read_only)


def put_text(final: Path, text: str, *, replace: bool = False, read_only: bool = True) -> bool:
    """`put` of a text as UTF-8."""
    return put(final, (text.encode(),), replace=replace, read_only=read_only)


def remove(path: Path) -> None:
    """Remove a file durably; one that is gone already is no error. Raises StorageFailed."""
    with said(path):
        try:
            if WINDOWS:
                chmod(path, 0o666)
            unlink(path)
        except FileNotFoundError:
            return
        fsync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, each durable before the next. Raises StorageFailed."""
    if path in _known and path.is_dir():
        return
    with said(path):
        missing = []
        base = path
        while not base.is_dir() and base != base.parent:
            missing.append(base)
            base = base.parent
        _settle(base)
        for folder in reversed(missing):
            try:
                mkdir(folder)
            except FileExistsError:
                if not folder.is_dir():
                    raise
            fsync_folder(folder.parent)
            _known.add(folder)


def sync_folder(path: Path) -> None:
    """Make durable what stands in a folder, before anyone relies on a name found there. Raises StorageFailed."""
    with said(path):
        fsync_folder(path)


def sweep(folder: Path) -> int:
    """Remove temporary files that dead processes left below a folder; how many. Only under the writer lock."""
    count = 0
    for at, _, names in os.walk(folder):
        for name in names:
            if _TEMPORARY.fullmatch(name):
                remove(Path(at) / name)
                count += 1
    return count


def clear(folder: Path, keep: Iterable[str] = ()) -> None:
    """Empty a folder of scratch that dead processes left, but for the names to keep. Only under the writer lock."""
    for path in folder.glob("*"):
        if path.name not in keep and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Make durable that a folder found there exists: the process that made it may have died before it could."""
    if folder in _known:
        return
    with suppress(PermissionError):  # a parent that we may not even read (/home) is none that we made
        fsync_folder(folder.parent)
    _known.add(folder)


def _write_all(fd: int, chunk: bytes) -> int:
    """Write all of the bytes, however few the system takes at a time."""
    left = memoryview(chunk)
    while left:
        done = write(fd, left)
        if done <= 0:
            raise OSError(0, "nothing was written")
        left = left[done:]
    return len(chunk)


def _same_size(fd: int, size: int) -> None:
    """Raise OSError when the file has not the size of what was written to it."""
    found = os.fstat(fd).st_size
    if found != size:
        raise OSError(0, f"{size} bytes were written and {found} are there")


def _sync(fd: int, tmp: Path, final: Path, look: Look) -> None:
    """Make a file's bytes durable while they are looked at: the disk needs its time, and the look the processor."""
    with ThreadPoolExecutor(1) as beside:
        synced = beside.submit(fsync, fd)
        look(tmp)
        with said(final):
            synced.result()


def _place(tmp: Path, final: Path, *, over: bool, read_only: bool) -> bool:
    """Name a synced temporary file and sync the folder: also where the name was taken, by one that may have died."""
    if read_only and not WINDOWS:
        chmod(tmp, READ_ONLY)
    placed = True
    if over:
        replace(tmp, final)
    else:
        placed = _named(tmp, final)
    if read_only and WINDOWS and placed:
        chmod(final, READ_ONLY)  # the mark is the file's, under all its names, and a marked file cannot be unlinked
    fsync_folder(final.parent)
    return placed


def _named(tmp: Path, final: Path) -> bool:
    """Move a file to a name that must be free; False, and the temporary one unlinked, where it is not."""
    try:
        try:
            link(tmp, final)
        except OSError as refused:
            if refused.errno not in NO_LINKS or isinstance(refused, FileExistsError):
                raise
            rename_new(tmp, final)
            return True
    except FileExistsError:
        unlink(tmp)
        return False
    unlink(tmp)
    return True


@contextmanager
def _thrown_away(tmp: Path) -> Iterator[None]:
    """Unlink a temporary file when its publication fails: after a failed fsync its bytes must not be believed."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            with suppress(OSError):  # never made, published, or the disk refuses: then `sweep` finds it
                unlink(tmp)
