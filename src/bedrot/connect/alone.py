"""One fetch of a source at a time: for a lake, and for whoever uses the same log-ins on this computer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bedrot.errors import Busy
from bedrot.lake import disk
from bedrot.lake.lock import held
from bedrot.lake.sealed import digest


@contextmanager
def alone(source: str, title: str, folders: Sequence[Path], wait: float) -> Iterator[None]:
    """Be the only one that asks a source, with a lock in each of the folders; Busy after so many seconds.

    The locks die with the process. Their names do not tell the source: one of the folders is the vault's.
    """

    def busy() -> Busy:
        return Busy(f"Another bedrot is asking {title} at the moment.", "Wait until it has finished, then try again.")

    with ExitStack() as locks:
        for folder in folders:
            path = folder / f"asking-{digest({'source': source})[:8]}.lock"
            locks.enter_context(held(path, wait, busy, 0o600))
        yield


def emptied(folder: Path) -> Path:
    """A folder of scratch, without what a dead process left in it; only while its owner is alone."""
    disk.make_folder(folder)
    disk.clear(folder)
    return folder
