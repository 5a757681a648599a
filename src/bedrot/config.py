"""Settings: `bedrot.toml` of the lake, and the few environment variables that override it."""

from __future__ import annotations

import hashlib
import os
import tomllib
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bedrot.errors import Misconfigured


class _Part(BaseModel):
    """A part of the settings: unknown keys are refused, so that a misspelling is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountRule(_Part):
    """An account at a source, and the artist it belongs to (none: the label as a whole)."""

    source: str
    name: str
    artist: str | None = None


class ArtistRule(_Part):
    """An artist, and how services spell the name."""

    name: str
    spellings: tuple[str, ...] = ()


class Control(_Part):
    """A total that the service's own page shows: compared with ours by `bedrot status`."""

    source: str
    account: str = "main"
    period: str = Field(pattern=r"^\d{4}(-\d{2})?$")
    amount: Decimal
    currency: str = "USD"


class Run(_Part):
    """How the walk works."""

    workers: int = Field(default=2, ge=1, le=256)


class Archive(_Part):
    """How many of the newest snapshots stay at hand before their files move to the archive."""

    snapshots: int = Field(default=20, ge=1)


class Settings(_Part):
    """Everything that a person may set."""

    sources: tuple[str, ...] = ()
    account: tuple[AccountRule, ...] = ()
    artist: tuple[ArtistRule, ...] = ()
    control: tuple[Control, ...] = ()
    run: Run = Run()
    archive: Archive = Archive()

    @property
    def digest(self) -> str:
        """A hash of what the marts depend on."""
        told = "\n".join(repr(part) for part in (*self.account, *self.artist))
        return hashlib.sha256(told.encode()).hexdigest()

    def accounts_of(self, source: str) -> tuple[str, ...]:
        """Names of the accounts told for a source."""
        return tuple(rule.name for rule in self.account if rule.source == source)

    def source_folders(self, root: Path) -> list[Path]:
        """Folders searched for further sources, those of the environment first."""
        told = os.environ.get("BEDROT_SOURCES", "")
        folders = [Path(part) for part in told.split(os.pathsep) if part]
        return folders + [root / part for part in self.sources]


def read_settings(path: Path) -> Settings:
    """The settings in a `bedrot.toml`; Misconfigured with the key and what was expected there."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        told = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise Misconfigured(f"The settings cannot be read: {broken}.", "Correct that line.", file=str(path)) from broken
    try:
        return Settings.model_validate(told)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(
            f"The setting '{where}' is wrong: {first['msg']}.", "Correct it.", file=str(path)
        ) from wrong


def lake_of_environment() -> Path | None:
    """The lake that `BEDROT_LAKE` names, if it does."""
    told = os.environ.get("BEDROT_LAKE", "")
    return Path(told) if told else None
