"""The vault: log-ins and tokens of the label's services, by source and account, never plain on a disk.

There is one format: `vault.age`, a file in the age format (age-encryption.org/v1) that any age tool opens with the key.
There are two places where its key may be, and no third:

- `BEDROT_VAULT_KEY`, where it is set: a passphrase, or an age identity (`AGE-SECRET-KEY-1…`);
- else the keyring of the system, as a random 256-bit identity made on first use. Only this key is in the keyring, since
  keyrings have small limits (2,560 bytes on Windows) and the state of a browser has hundreds of kilobytes.

Without either the vault does not open. The file is for its owner only (0600 in a folder 0700, outside of any lake).
Names of sources and accounts are inside of the sealed file: they name no file and no entry of a keyring.

What this does not protect from: programs that run as the same person. They may read this process's memory, and on Linux
`/proc/<pid>/environ`, which shows the environment as it was when the process began: taking the key out of the
environment keeps it from the processes that we start, and out of their `environ`, but not out of our own. A key
in the keyring is in no environment. A passphrase is as good as it is long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NoReturn, SupportsIndex

from msgspec import DecodeError, Struct, json

from bedrot.config import vault_of_environment
from bedrot.connect.vault_file import VaultFile
from bedrot.connect.vault_keyring import Key, given_key, keyring_key
from bedrot.errors import Damaged, Defect, Misconfigured

Kind = Literal["browser", "token"]
"""What lets us in: the state of a browser that has logged in, or a token."""
_FORMAT = 1
_AFRESH = "Move the file away, then log in again."


@dataclass(frozen=True, slots=True)
class Known:
    """What may be told about a log-in: all but its secret."""

    source: str
    account: str
    kind: Kind
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in with its secret, which is shown in no text and never pickled; instants are kept in UTC."""

    source: str
    account: str
    kind: Kind
    secret: bytes = field(repr=False)
    since: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        if not self.source or not self.account:
            raise Defect("A log-in has no source or no account.")
        if not _writable(self.source + self.account):
            raise Misconfigured(
                "The name of an account holds bytes that are no text.", "Write the name anew, in UTF-8."
            )
        for name in ("since", "until"):
            at: datetime | None = getattr(self, name)
            if at is not None and at.utcoffset() is None:
                raise Defect("A log-in has an instant without a zone.")
            object.__setattr__(self, name, at and at.astimezone(UTC))

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a log-in is not pickled: it would be plain there")

    @property
    def known(self) -> Known:
        """The log-in without its secret."""
        return Known(self.source, self.account, self.kind, self.since, self.until)


class _Head(Struct, frozen=True):
    """What every version of the vault says first."""

    vault: int


class _Held(Struct, frozen=True):
    """What the sealed file holds."""

    vault: int
    sessions: tuple[Session, ...]


class Vault:
    """An open vault: reads see the file as it is now, each change is whole and durable before it returns."""

    __slots__ = ("_file", "_key", "_seen")

    def __init__(self, file: VaultFile, key: Key) -> None:
        self._file = file
        self._key = key
        self._seen: tuple[bytes, tuple[Session, ...]] = (b"", ())

    def __repr__(self) -> str:
        return f"Vault({str(self._file.folder)!r})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a vault is not pickled: it would be plain there")

    @property
    def folder(self) -> Path:
        """Where the vault lies: what uses one log-in at a time locks beside it."""
        return self._file.folder

    def get(self, source: str, account: str) -> Session | None:
        """The log-in kept for an account at a source; None where there is none. Raises Damaged, Misconfigured."""
        return next((one for one in self._held() if (one.source, one.account) == (source, account)), None)

    def put(self, session: Session) -> None:
        """Keep a log-in in place of the account's one before. Raises Busy, Damaged, Misconfigured, StorageFailed."""
        with self._file.locked():
            self._keep([*self._others(session.source, session.account), session])

    def remove(self, source: str, account: str) -> bool:
        """Forget the log-in of an account; False where there was none. Raises as `put` does."""
        with self._file.locked():
            others = self._others(source, account)
            found = len(others) < len(self._held())
            if found:
                self._keep(others)
        return found

    def sessions(self) -> list[Known]:
        """What is kept, without the secrets, in the order of source and account. Raises Damaged, Misconfigured."""
        return [one.known for one in self._held()]

    def _others(self, source: str, account: str) -> list[Session]:
        return [one for one in self._held() if (one.source, one.account) != (source, account)]

    def _held(self) -> tuple[Session, ...]:
        """What the file holds now; it is unsealed once for each of its states, as a passphrase takes a second."""
        sealed = self._file.read()
        if sealed is None:
            return ()
        if sealed != self._seen[0]:
            place = str(self._file.path)
            self._seen = (sealed, _decoded(self._key.unseal(sealed, place), place))
        return self._seen[1]

    def _keep(self, sessions: Iterable[Session]) -> None:
        held = tuple(sorted(sessions, key=lambda one: (one.source, one.account)))
        sealed = self._key.seal(json.encode(_Held(_FORMAT, held)))
        self._file.write(sealed)
        self._seen = (sealed, held)


def open_vault(folder: Path | None, key: str | None) -> Vault:
    """The vault in a folder, made where there is none; what is None is as the environment says.

    Afterwards `BEDROT_VAULT_KEY` is out of the environment in any case. That the key fits is known here, before anybody
    takes the trouble to log in. Raises Misconfigured (no safe place for the key, a wrong key, a folder that others may
    open or that is in a lake), Damaged, Busy, StorageFailed.
    """
    usual, told = vault_of_environment()
    given = given_key(key or told or "") if key or told else None
    del key, told  # tracebacks with locals show the frames of what fails below
    if isinstance(given, Misconfigured):
        raise given
    if folder is None and not usual.is_absolute():
        raise Misconfigured(
            "The system does not say where your own files are.", "Set HOME, or name the vault's folder."
        )
    file = VaultFile((folder or usual).absolute())
    file.prepare()
    with file.locked():
        chosen = given or keyring_key(file.path, fresh=file.read() is None)
    vault = Vault(file, chosen)
    vault.sessions()
    return vault


def _decoded(plain: bytes, place: str) -> tuple[Session, ...]:
    """The log-ins in the unsealed bytes; Misconfigured for those of a newer program, else Damaged."""
    found: tuple[Session, ...] | None = None
    version = 0
    try:
        version = json.decode(plain, type=_Head).vault
        if version == _FORMAT:
            found = json.decode(plain, type=_Held).sessions
    except (DecodeError, Defect, Misconfigured):
        pass  # said below: what was raised here knows the text
    del plain
    if found is not None:
        return found
    if version > _FORMAT:
        raise Misconfigured("The vault was written by a newer bedrot.", "Update bedrot.", file=place)
    raise Damaged("The vault opens, but holds nothing that bedrot has written.", _AFRESH, file=place)


def _writable(name: str) -> bool:
    """Whether a name is text (names given on a command line may be any bytes)."""
    return name == name.encode(errors="replace").decode()
