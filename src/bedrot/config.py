"""Settings: `bedrot.toml` of the lake, and the few environment variables that override it."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, ValidationError, convert

from bedrot.errors import Misconfigured

_PERIOD = r"^[0-9]{4}(-[0-9]{2})?\Z"
_DAY = r"^(mon|tue|wed|thu|fri|sat|sun)\Z"
_AT = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"
_JOB = r"^(sync|run)\Z"
_PING = r"^(https?://[^/\s]\S*)?\Z"
_WORDS = {
    f"`str` matching regex {_PERIOD!r}": 'a month as "2025-03", or a year as "2025"',
    f"`str` matching regex {_DAY!r}": 'a day as "mon", "tue", "wed", "thu", "fri", "sat" or "sun"',
    f"`str` matching regex {_AT!r}": 'a time as "19:00"',
    f"`str` matching regex {_JOB!r}": '"sync" or "run"',
    f"`str` matching regex {_PING!r}": "an address that begins with https://",
    "`int`": "a whole number",
    "`decimal`": "a number with a point",
    "`str`": "text in quotation marks",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table of settings",
    "Invalid decimal string": "Expected an amount in digits",
}
"""What the checker of types says, in words for a person."""


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the settings: unknown keys are refused, so that a misspelling is seen."""


class AccountRule(_Part, frozen=True):
    """An account at a source, and the artist it belongs to (none: the label as a whole)."""

    source: str
    name: str
    artist: str | None = None


class ArtistRule(_Part, frozen=True):
    """An artist, and how services spell the name."""

    name: str
    spellings: tuple[str, ...] = ()


class Control(_Part, frozen=True, kw_only=True):
    """A total that the service's own page shows: compared with ours by `bedrot status`."""

    source: str
    account: str = "main"
    period: Annotated[str, Meta(pattern=_PERIOD)]
    amount: Decimal
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise ValueError("Expected an amount in digits")


class Run(_Part, frozen=True):
    """How the walk works."""

    workers: Annotated[int, Meta(ge=1, le=256)] = 2


class Archive(_Part, frozen=True):
    """How many of the newest snapshots stay at hand before their files move to the archive."""

    snapshots: Annotated[int, Meta(ge=1)] = 20


class Logs(_Part, frozen=True):
    """For how many days logs are kept."""

    days: Annotated[int, Meta(ge=1)] = 90


Days = Annotated[tuple[Annotated[str, Meta(pattern=_DAY)], ...], Meta(min_length=1)]
At = Annotated[str, Meta(pattern=_AT)]


class SourceTimes(_Part, frozen=True):
    """When one source is asked, at its own times instead of those of all: what is left out is as for all."""

    days: Days | None = None
    at: At | None = None


class Schedule(_Part, frozen=True):
    """When the lake's work is done without anybody there: days and time of day in a zone, and what is done.

    `ping`: an address that is asked for after each time, so that somebody outside notices when that stays away.
    """

    days: Days = ("mon", "wed", "fri")
    at: At = "19:00"
    zone: str = "UTC"
    job: Annotated[str, Meta(pattern=_JOB)] = "sync"
    ping: Annotated[str, Meta(pattern=_PING)] = ""
    sources: dict[str, SourceTimes] = {}

    def __repr__(self) -> str:
        """All but the address to ping, which is nobody else's business."""
        told = (self.days, self.at, self.zone, self.job, "…" if self.ping else "", self.sources)
        return f"Schedule{told!r}"


class RemembersRule(_Part, frozen=True):
    """What a person knows better of how long a service shows days: what is left out is as the source tells."""

    source: str
    account: str | None = None
    feed: str | None = None
    days: Annotated[int, Meta(ge=1)] | None = None
    calendar_year: bool | None = None
    for_ever: bool | None = None
    lag: Annotated[int, Meta(ge=0)] | None = None
    zone: str | None = None
    absent_may_be_empty: bool | None = None
    evidence: str | None = None


class Connect(_Part, frozen=True):
    """How a source is asked: in which way, and the version of its interface.

    `port`: where on this computer a log-in comes back to that a person allows in their browser (0: any that is free).
    `places`: other places where its hosts are reached (a proxy).
    """

    way: str = ""
    version: str = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    places: dict[str, str] = {}


class Settings(_Part, frozen=True):
    """Everything that a person may set."""

    sources: tuple[str, ...] = ()
    account: tuple[AccountRule, ...] = ()
    artist: tuple[ArtistRule, ...] = ()
    control: tuple[Control, ...] = ()
    run: Run = Run()
    archive: Archive = Archive()
    logs: Logs = Logs()
    connect: dict[str, Connect] = {}
    remembers: tuple[RemembersRule, ...] = ()
    schedule: Schedule = Schedule()

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
        return convert(told, Settings)
    except ValidationError as wrong:
        where, what = _told(str(wrong))
        raise Misconfigured(f"The setting '{where}' is wrong: {what}.", "Correct it.", file=str(path)) from wrong


def _told(said: str) -> tuple[str, str]:
    """The key that is wrong, with the tables that it stands in, and what is wrong with it."""
    what, _, place = said.partition(" - at `$.")
    where = [place.removesuffix("`")] if place else []
    if key := re.fullmatch(r"Object (contains unknown|missing required) field `(.+)`", what):
        missing = key[1].startswith("missing")
        return ".".join([*where, key[2]]), "It is missing" if missing else "There is no setting of that name"
    for word, plain in _WORDS.items():
        what = what.replace(word, plain)
    return "".join(where), what


def lake_of_environment() -> Path | None:
    """The lake that `BEDROT_LAKE` names, if it does."""
    told = os.environ.get("BEDROT_LAKE", "")
    return Path(told) if told else None


def units_of_environment() -> Path:
    """Where systemd looks for this person's own units."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  the other one raises where nobody knows the home
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (named if named.is_absolute() else home / ".config") / "systemd" / "user"


def without_traces() -> None:
    """Take out of the environment what lets the program that drives a browser tell or record all that it is told.

    Its traces hold cookies and what is typed.
    """
    for name in ("DEBUG", "DEBUGP", "DEBUG_FILE", "PWDEBUG"):
        os.environ.pop(name, None)


def vault_of_environment() -> tuple[Path, str | None]:
    """Where this person's vault is unless told otherwise, and `BEDROT_VAULT_KEY`, which is removed as it is read.

    So no process started afterwards inherits the key, and no later call finds it: whoever reads it keeps it.
    """
    key = os.environ.pop("BEDROT_VAULT_KEY", "")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  the other one raises where nobody knows the home
    told, usual = "XDG_DATA_HOME", home / ".local" / "share"
    if sys.platform == "win32":
        told, usual = "LOCALAPPDATA", home / "AppData" / "Local"
    if sys.platform == "darwin":
        told, usual = "", home / "Library" / "Application Support"
    named = Path(os.environ.get(told, "")) if told else usual
    return (named if named.is_absolute() else usual) / "bedrot", key or None
