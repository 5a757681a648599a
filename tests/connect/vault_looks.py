"""What tests of the vault look for: a secret's traces, files that others may open, keyrings, faults, a real process.

As a program: `put <folder> <name> <count> <lock?>` puts log-ins as soon as its input says so; `child <folder>` opens a
vault with the key of its environment, starts a child, and tells what that child sees.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import keyring.backend
import keyring.errors
import pytest
from pyrage import x25519

from bedrot.connect import vault_file
from bedrot.connect.vault import Session, open_vault

sys.path.insert(0, str(Path(__file__).parents[1] / "lake"))
from disk_faults import Fault, faulty

SINCE = datetime(2026, 4, 1, 12, tzinfo=UTC)
CANARY = b"canary-5e3b1c-f00d/secret?cookie=Zz+19"
KEY, OTHER_KEY = str(x25519.Identity.generate()), str(x25519.Identity.generate())


def session(account: str = "main", secret: bytes = CANARY, source: str = "radio") -> Session:
    return Session(source, account, "browser", secret, SINCE, None)


class MemoryRing(keyring.backend.KeyringBackend):
    """A keyring of its own, with the limit of the Windows Credential Manager."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, limit: int = 2560) -> None:
        super().__init__()
        self.limit = limit
        self.kept: dict[tuple[str, str], str] = {}
        self.sets = 0

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        time.sleep(0.02)
        self.sets += 1
        if len(password.encode("utf-16-le")) > self.limit:
            raise keyring.errors.PasswordSetError(f"too long: {password}")
        self.kept[service, username] = password


def traces(secret: bytes) -> dict[str, bytes]:
    """The forms in which a secret may lie about."""
    text = secret.decode()
    found = {
        "plain": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "json": json.dumps(text)[1:-1].encode(),
    }
    for shift in range(3):  # base64 looks different at each place in a longer text; its ends depend on the neighbours
        for name, how in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            found[f"{name}+{shift}"] = how(b"\0" * shift + secret)[4:-4]
    return found


def traced(data: bytes, *secrets: bytes) -> list[str]:
    """The forms in which secrets are in some bytes."""
    return [name for secret in secrets for name, form in traces(secret).items() if form in data]


def traced_below(folder: Path, *secrets: bytes) -> list[str]:
    """Files below a folder that hold a secret in some form, or have it in their names."""
    found = []
    for path in folder.rglob("*"):
        found += [f"{path.name}: {name}" for name in traced(os.fsencode(path), *secrets)]
        if path.is_file():
            found += [f"{path.name}: {name}" for name in traced(path.read_bytes(), *secrets)]
    return found


def open_to_others(folder: Path) -> list[str]:
    """A folder, and what is in it, that others may read, write or enter."""
    found = []
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found.append(f"{path.name}: {mode:o}")
    return found


@contextmanager
def faulty_vault(fault: Fault) -> Iterator[Fault]:
    """A new process whose changes of the disk, the vault's own ones too, go through the fault."""
    real: dict[str, Callable[..., object]] = {
        name: getattr(vault_file, name) for name in ("open_private", "mkdir_private")
    }
    with faulty(fault), pytest.MonkeyPatch.context() as patch:
        for name, function in real.items():
            patch.setattr(vault_file, name, lambda *args, n=name, f=function: fault.call(n, f, args))
        yield fault


@contextmanager
def without_lock() -> Iterator[None]:
    """The wrong variant: nobody waits for anybody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault_file.VaultFile, "locked", lambda self: nullcontext())
        yield


@contextmanager
def slow_writes() -> Iterator[None]:
    """Between reading and writing there is time for another process."""
    write = vault_file.VaultFile.write

    def slowly(self: vault_file.VaultFile, sealed: bytes) -> None:
        time.sleep(0.01)
        write(self, sealed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault_file.VaultFile, "write", slowly)
        yield


def _put_many(folder: str, name: str, count: str, locked: str) -> None:
    vault = open_vault(Path(folder), None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    with slow_writes(), nullcontext() if locked == "True" else without_lock():
        for number in range(int(count)):
            vault.put(session(f"{name}-{number}"))


_DUMP = """
import json, os, sys
told = {"environ": dict(os.environ), "argv": sys.argv}
parent = f"/proc/{os.getppid()}"
if os.path.isdir(parent):
    told["parent_argv"] = open(f"{parent}/cmdline", "rb").read().decode()
    told["parent_environ"] = open(f"{parent}/environ", "rb").read().decode()
print(json.dumps(told))
"""


def _open_and_start_child(folder: str) -> None:
    vault = open_vault(Path(folder), None)
    vault.put(session())
    assert vault.get("radio", "main") == session()
    sys.stdout.write(subprocess.run([sys.executable, "-c", _DUMP], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    {"put": _put_many, "child": _open_and_start_child}[sys.argv[1]](*sys.argv[2:])
