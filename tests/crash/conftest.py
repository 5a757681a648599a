"""The shim compiled, a nursery of processes, and the story lived once; skipped, and said so, where none can be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_harness import HERE, Nursery, Story, say, seed, tell


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        say("skipped: killing real processes needs Linux and a C compiler")
        pytest.skip("killing real processes needs Linux and a C compiler")
    target = tmp_path_factory.mktemp("shim") / "faultat.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", target, HERE / "faultat.c", "-ldl"], check=True)
    return target


@pytest.fixture(scope="session")
def nursery(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(shim, tmp_path_factory.mktemp("commands")) as running:
        yield running


@pytest.fixture(scope="session")
def story(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Story:
    say(f"seed={seed()} (BEDROT_SEED overrides)")
    return tell(nursery, tmp_path_factory.mktemp("story"))
