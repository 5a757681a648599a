"""What tests of several folders share."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrot.lake import disk


@pytest.fixture
def refuse_links(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function after which the system refuses hard links with that error: EXDEV between folders, others anywhere."""
    link = disk.link

    def plant(code: int) -> None:
        def refuses(old: Path, new: Path) -> None:
            if code != errno.EXDEV or old.parent != new.parent:
                raise OSError(code, os.strerror(code))
            link(old, new)

        monkeypatch.setattr(disk, "link", refuses)

    return plant
