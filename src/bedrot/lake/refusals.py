"""What the system says when it refuses a change of the disk, as a sentence for a person."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bedrot.errors import StorageFailed

_FREE = "Free some space, then run the same command again."
_SAYS = {
    errno.ENOSPC: ("The disk is full", _FREE),
    errno.EDQUOT: ("The disk is full (your quota is used up)", _FREE),
    errno.EIO: ("The disk reported a fault", "Check the disk, then run the same command again."),
    errno.EROFS: ("The disk is read-only", "Make it writable, or choose another place."),
    errno.EACCES: ("The system does not allow writing here", "Give yourself the right to write there."),
    errno.EPERM: ("The system does not allow writing here", "Give yourself the right to write there."),
    errno.ENAMETOOLONG: ("The name is too long for this disk", "Choose a place with a shorter path."),
}


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Turn what the system says while the block runs into StorageFailed, naming the file and the reason."""
    try:
        yield
    except OSError as failed:
        code = failed.errno or 0
        sentence, do = _SAYS.get(code, (f"The disk refused the write: {failed.strerror or failed}", ""))
        name = f" ({errno.errorcode[code]})" if code in errno.errorcode else ""
        raise StorageFailed(f"{sentence}{name}.", do or "Check the disk, then try again.", file=str(path)) from failed
