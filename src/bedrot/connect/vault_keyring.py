"""The key of the vault: one that was given, or one that the keyring of the system keeps.

Errors of keyrings are told by the name of their class only: what their text holds is not for us to trust.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeVar

from bedrot.errors import Damaged, Misconfigured

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE, ENTRY = "bedrot", "key of the vault"
"""The one entry of the keyring: no name that a person gave is in it."""
SHORTEST = 12
"""Characters of a passphrase: whoever copies the file may guess for as long as they like."""
_IDENTITY = "AGE-SECRET-KEY-"
_WRONG = {"No matching keys found", "Decryption failed"}
"""What age says of a key that does not fit; all else is damage."""
_NOT_SAFE = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
"""Modules of keyrings that keep nothing, or keep it readable."""
_RAISED = (
    ("pywintypes", "error"),
    ("win32ctypes.pywin32.pywintypes", "error"),
    ("secretstorage.exceptions", "SecretStorageException"),
    ("jeepney.wrappers", "DBusErrorResponse"),
    ("dbus.exceptions", "DBusException"),
    ("gi.repository.GLib", "Error"),
)
"""What keyrings raise besides their own errors, where these modules are loaded."""
_OR = (
    f"Or set BEDROT_VAULT_KEY to a passphrase of at least {SHORTEST} characters, and keep it: it is needed each time. "
    "Log-ins are never kept where others could read them."
)
_T = TypeVar("_T")


class Key(ABC):
    """What seals and unseals the vault; it is shown in no text and never pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key is not pickled: it would be plain there")

    @abstractmethod
    def seal(self, plain: bytes) -> bytes:
        """The bytes as an age file."""

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """The bytes in an age file; Misconfigured for the wrong key, Damaged for a file that is not whole."""
        try:
            return self._unsealed(sealed)
        except _pyrage().DecryptError as refused:
            if str(refused) in _WRONG:
                raise Misconfigured(
                    "The vault was sealed with another key.",
                    "Set BEDROT_VAULT_KEY to that key, or unset it if it is in the keyring; "
                    "if it is lost, move the file away and log in again.",
                    file=place,
                ) from refused
            raise Damaged("The vault is damaged.", "Move the file away, then log in again.", file=place) from refused

    @abstractmethod
    def _unsealed(self, sealed: bytes) -> bytes:
        """The same with the errors of age."""


class IdentityKey(Key):
    """A random 256-bit key (X25519)."""

    __slots__ = ("_identity",)

    def __init__(self, identity: Any) -> None:
        self._identity = identity

    def seal(self, plain: bytes) -> bytes:
        """The bytes as an age file that this identity opens."""
        sealed: bytes = _pyrage().encrypt(plain, [self._identity.to_public()])
        return sealed

    def _unsealed(self, sealed: bytes) -> bytes:
        plain: bytes = _pyrage().decrypt(sealed, [self._identity])
        return plain


class PassphraseKey(Key):
    """A passphrase, through scrypt: about a second each time."""

    __slots__ = ("_phrase",)

    def __init__(self, phrase: str) -> None:
        self._phrase = phrase

    def seal(self, plain: bytes) -> bytes:
        """The bytes as an age file that this passphrase opens."""
        sealed: bytes = _pyrage().passphrase.encrypt(plain, self._phrase)
        return sealed

    def _unsealed(self, sealed: bytes) -> bytes:
        plain: bytes = _pyrage().passphrase.decrypt(sealed, self._phrase)
        return plain


def given_key(told: str) -> Key | Misconfigured:
    """The key that a person gave (a passphrase, an age identity, a file's text with one), or what is wrong with it.

    The error is not raised here: tracebacks with locals would show this frame, and with it what was given.
    """
    found = _read(told)
    if isinstance(found, Key):
        return found
    return Misconfigured(found, f"Set it to a passphrase of at least {SHORTEST} characters, or to an age key.")


def keyring_key(vault: Path, *, fresh: bool) -> Key:
    """The key in the system's keyring, made there for a vault that is `fresh`; only under the lock. Misconfigured."""
    ring = _safe_ring()
    told = _asked(lambda: ring.get_password(SERVICE, ENTRY))
    if told is None and not fresh:
        raise Misconfigured(
            "The vault was sealed with a key that the keyring of this computer does not hold.",
            "Set BEDROT_VAULT_KEY to that key; if it is lost, move the file away and log in again.",
            file=str(vault),
        )
    key = _made(ring) if told is None else _identity(told)
    del told
    if key is None:
        raise Misconfigured(
            f"What the keyring keeps as '{ENTRY}' for '{SERVICE}' is no key.",
            "Remove this entry, or set BEDROT_VAULT_KEY.",
            file=str(vault),
        )
    return key


def _made(ring: KeyringBackend) -> Key:
    """A new random key, kept in the keyring, which has proven that it gives it back."""
    identity = _pyrage().x25519.Identity.generate()
    _asked(lambda: ring.set_password(SERVICE, ENTRY, str(identity)))
    if _asked(lambda: ring.get_password(SERVICE, ENTRY)) != str(identity):
        raise _no_ring("does not give back what it is given")
    return IdentityKey(identity)


def _safe_ring() -> KeyringBackend:
    """The keyring of the system; Misconfigured where it has none, or one that keeps things readable."""
    try:
        import keyring  # noqa: PLC0415  looks through all installed packages: imported where it is needed
        from keyring.backends.chainer import ChainerBackend  # noqa: PLC0415  as above
    except ImportError as missing:
        raise _not_installed() from missing
    why = "cannot be loaded"
    try:
        chosen = keyring.get_keyring()
    except _errors_of_rings(ImportError, AttributeError) as refused:
        why = f"cannot be loaded ({type(refused).__name__})"
    else:
        rings: list[KeyringBackend] = list(chosen.backends) if isinstance(chosen, ChainerBackend) else [chosen]
        safe = next((ring for ring in rings if not _readable(ring)), None)
        if safe is not None:
            return safe
        name = f"{type(chosen).__module__}.{type(chosen).__name__}"
        why = f"keeps nothing, or keeps it readable ({name})"
    raise _no_ring(why)


def _readable(ring: KeyringBackend) -> bool:
    """Whether a keyring is known to keep nothing, or to keep it readable."""
    modules = {kind.__module__ for kind in type(ring).__mro__}
    return any(one == bad or one.startswith(f"{bad}.") for one in modules for bad in _NOT_SAFE)


def _asked(question: Callable[[], _T]) -> _T:
    """What a keyring answers; Misconfigured where it refuses."""
    try:
        return question()
    except _errors_of_rings() as refused:
        name = type(refused).__name__
    raise _no_ring("is locked" if name == "KeyringLocked" else f"refuses ({name})")


def _errors_of_rings(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """The errors that keyrings raise, as far as their modules are loaded, and some more."""
    from keyring.errors import KeyringError  # noqa: PLC0415  as above

    others = [getattr(sys.modules.get(module), name, None) for module, name in _RAISED]
    return (KeyringError, OSError, RuntimeError, ValueError, *more, *(one for one in others if one is not None))


def _no_ring(why: str) -> Misconfigured:
    return Misconfigured(
        f"There is no safe place for log-ins: the keyring of this computer {why}, and BEDROT_VAULT_KEY is not set.",
        f"{'Unlock the keyring' if why == 'is locked' else 'Set up a keyring'}, then try again. {_OR}",
    )


def _not_installed() -> Misconfigured:
    return Misconfigured(
        "What keeps log-ins safe is not installed.", "Install it: `pip install 'bedrot[connect]'`, then try again."
    )


def _pyrage() -> ModuleType:
    """The library of the age format; Misconfigured where it is not installed."""
    try:
        import pyrage  # noqa: PLC0415  of an extra: who opens no vault needs none
    except ImportError as missing:
        raise _not_installed() from missing
    found: ModuleType = pyrage
    return found


def _read(told: str) -> Key | str:
    """The key in a text, or what is wrong with the text."""
    text = told.removeprefix("\ufeff").strip()
    identities = [line.strip() for line in text.splitlines() if line.strip().upper().startswith(_IDENTITY)]
    if len(identities) > 1:
        return "BEDROT_VAULT_KEY holds more than one age key."
    if identities:
        return _identity(identities[0]) or "The age key in BEDROT_VAULT_KEY is not whole."
    if not text.isascii() and text != text.encode(errors="replace").decode():
        return "BEDROT_VAULT_KEY is no text."
    if len(text) < SHORTEST:
        return "The passphrase in BEDROT_VAULT_KEY is too short: it could be guessed."
    return PassphraseKey(text)


def _identity(told: str) -> Key | None:
    """The key that an age identity is; None where it is none."""
    pyrage = _pyrage()
    try:
        return IdentityKey(pyrage.x25519.Identity.from_str(told.strip()))
    except (pyrage.IdentityError, UnicodeEncodeError):
        return None
