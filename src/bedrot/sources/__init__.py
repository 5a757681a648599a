"""One folder a service; what is there is found."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

from bedrot.contract import Source
from bedrot.errors import Defect

_OWN = Path(__file__).parent


def find_sources(further: Sequence[Path] = ()) -> list[Source]:
    """All sources, in the order of their names: those of the package and those in `further` folders.

    Raises Defect where a folder offers no `SOURCE`, or names its source otherwise than itself.
    """
    for folder in further:
        if str(folder) not in __path__:
            __path__.append(str(folder))
    importlib.invalidate_caches()
    return [_load(name) for name in sorted(_names(further))]


def folder_of(source: Source) -> Path:
    """The folder that a source lives in."""
    module = importlib.import_module(f"{__name__}.{source.name}")
    return Path(str(module.__file__)).parent


def code_of(source: Source) -> str:
    """A hash of the Python files of a source's folder: new code, new staging; how it is asked makes no rows."""
    digest = hashlib.sha256()
    for path in sorted(folder_of(source).rglob("*.py")):
        if path.name.startswith("connect"):
            continue
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _names(further: Sequence[Path]) -> set[str]:
    """Names of the folders that hold a source."""
    places = [str(_OWN), *map(str, further)]
    return {found.name for found in pkgutil.iter_modules(places) if found.ispkg}


def _load(name: str) -> Source:
    """The source of that folder."""
    module = importlib.import_module(f"{__name__}.{name}")
    source = getattr(module, "SOURCE", None)
    if not isinstance(source, Source) or source.name != name:
        raise Defect(f"The folder sources/{name} must offer SOURCE, a Source named '{name}'.")
    return source
