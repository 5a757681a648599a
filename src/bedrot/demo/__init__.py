"""The demo: the golden samples of all sources, as the downloads that a label would have on its disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bedrot.contract import Source
from bedrot.sources import folder_of
from bedrot.walk.accept import Told


@dataclass(frozen=True)
class Download:
    """One file as it was downloaded, and what the person says with it."""

    path: Path
    told: Told


def downloads(sources: Sequence[Source], folder: Path) -> Iterator[Download]:
    """Copy the golden samples of the sources into `folder`, one folder a source, and tell what goes with each."""
    for source in sources:
        place = folder / source.name
        place.mkdir(parents=True, exist_ok=True)
        for sample in samples(source):
            shutil.copyfile(sample, place / sample.name)
            yield Download(place / sample.name, told_with(sample))


def samples(source: Source) -> list[Path]:
    """The golden samples of a source, in the order of their names."""
    golden = folder_of(source) / "golden"
    if not golden.is_dir():
        return []
    return sorted(path for path in golden.iterdir() if not path.name.endswith((".given.json", ".expected.json")))


def told_with(sample: Path) -> Told:
    """What `<sample>.given.json` says that a person said: account, exported_at, accept_resaved."""
    path = sample.with_name(sample.name + ".given.json")
    given = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    exported = given.get("exported_at")
    return Told(
        account=given.get("account"),
        exported_at=datetime.fromisoformat(exported) if exported else None,
        accept_resaved=bool(given.get("accept_resaved", False)),
    )
