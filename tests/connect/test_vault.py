"""The vault: log-ins come back whole, are plain nowhere, and are lost at no fault and to no other process."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import pprint
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import keyring
import pyrage
import pytest
import vault_looks
from disk_faults import MODES, Fault, Killed
from keyring.backends import chainer, fail, null
from rich.pretty import pretty_repr
from vault_looks import (
    CANARY,
    KEY,
    OTHER_KEY,
    SINCE,
    MemoryRing,
    faulty_vault,
    open_to_others,
    session,
    traced,
    traced_below,
    traces,
)

from bedrot.config import vault_of_environment
from bedrot.connect import vault_file, vault_keyring
from bedrot.connect.vault import Known, Session, Vault, open_vault
from bedrot.errors import BedrotError, Busy, Damaged, Defect, Misconfigured, StorageFailed
from bedrot.lake import disk
from bedrot.lake.zones import Lake

PHRASE = "my cat walks over the keyboard"
POSIX = pytest.mark.skipif(os.name == "nt", reason="modes of files")


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryRing]:
    """A keyring in memory, and an environment without a key."""
    monkeypatch.setenv("BEDROT_VAULT_KEY", "")
    before, own = keyring.get_keyring(), MemoryRing()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own" / "vault"


def without_ring() -> None:
    keyring.set_keyring(fail.Keyring())


# ---- what comes back ----


def test_a_log_in_comes_back_whole_with_a_key_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ring()
    monkeypatch.setenv("BEDROT_VAULT_KEY", KEY)
    vault = open_vault(folder, None)
    assert "BEDROT_VAULT_KEY" not in os.environ
    assert (vault.get("radio", "main"), vault.sessions(), vault.remove("radio", "main")) == (None, [], False)
    token = Session("press", "anna", "token", bytes(range(256)), SINCE, SINCE + timedelta(days=60))
    vault.put(session())
    vault.put(token)
    for seen in (vault, open_vault(folder, KEY)):
        assert (seen.get("radio", "main"), seen.get("press", "anna")) == (session(), token)
        assert seen.sessions() == [token.known, session().known]
        assert seen.get("radio", "anna") is None
    assert vault.remove("press", "anna") is True
    assert (vault.get("press", "anna"), vault.remove("press", "anna")) == (None, False)
    assert open_vault(folder, KEY).sessions() == [session().known]


def test_the_same_account_again_takes_the_place_of_the_one_before(folder: Path) -> None:
    vault = open_vault(folder, KEY)
    vault.put(session(secret=b"old"))
    other = open_vault(folder, KEY)
    other.put(session(secret=b"new"))
    assert vault.get("radio", "main") == session(secret=b"new"), "a change of another process is seen"
    assert len(vault.sessions()) == 1


def test_instants_are_kept_in_utc(folder: Path) -> None:
    zone = timezone(timedelta(hours=2))
    vault = open_vault(folder, KEY)
    vault.put(replace(session(), since=datetime(2026, 4, 1, 14, tzinfo=zone), until=datetime(2026, 5, 1, tzinfo=zone)))
    found = open_vault(folder, KEY).get("radio", "main")
    assert found is not None
    assert (found.since, found.since.tzinfo) == (SINCE, UTC)
    assert found.until == datetime(2026, 4, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [{"since": datetime(2026, 4, 1)}, {"until": datetime(2026, 4, 1)}, {"source": ""}, {"account": ""}],  # noqa: DTZ001
)
def test_what_is_no_log_in_is_a_defect(change: dict[str, object]) -> None:
    with pytest.raises(Defect):
        replace(session(), **change)  # type: ignore[arg-type]


def test_a_passphrase_and_the_file_that_any_age_tool_opens(folder: Path) -> None:
    without_ring()
    open_vault(folder, f"  {PHRASE}\r\n").put(session())
    assert open_vault(folder, PHRASE).get("radio", "main") == session()
    plain = pyrage.passphrase.decrypt((folder / "vault.age").read_bytes(), PHRASE)
    assert json.loads(plain)["sessions"][0]["account"] == "main"
    with pytest.raises(Misconfigured, match="another key"):
        open_vault(folder, PHRASE + "!")


@pytest.mark.parametrize(
    "text",
    [f"{KEY}\n", f"{KEY}\r\n", f"\ufeff {KEY} ", f"# created: 2026\n# public key: age1x\n{KEY}\n", KEY.lower()],
    ids=["a line", "a line of Windows", "a mark in front", "with comments", "in small letters"],
)
def test_a_key_as_it_stands_in_a_file(folder: Path, tmp_path: Path, text: str) -> None:
    open_vault(folder, KEY).put(session())
    path = tmp_path / "key.txt"
    path.write_bytes(text.encode())
    assert open_vault(folder, path.read_bytes().decode()).get("radio", "main") == session()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (KEY[:-1], "not whole"),
        (f"{KEY}\n{OTHER_KEY}", "more than one"),
        ("tiny", "too short"),
        ("   \n", "too short"),
        ("bytes that are \udcff no text", "no text"),
        (f"{KEY}\udcff", "not whole"),
    ],
    ids=["cut", "two", "tiny", "blank", "no text", "a strange byte"],
)
def test_a_key_that_is_none(folder: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        open_vault(folder, text)
    assert "Set it to" in caught.value.do
    assert text.strip() not in "".join(traceback.format_exception(caught.value)) or not text.strip()
    assert not folder.exists()


NAMES = ["../../evil", "a/b\\c:d", "nul", ".", "ü 😀", "x" * 400, "a\nb", "-rf", "%2e", "\x00", "'; DROP TABLE x"]


def test_names_of_people_name_no_file_and_no_entry(folder: Path, ring: MemoryRing, tmp_path: Path) -> None:
    vault = open_vault(folder, None)
    for name in NAMES:
        vault.put(session(name, source=f"s{name}"))
    assert {one.account for one in open_vault(folder, None).sessions()} == set(NAMES)
    assert all(vault.get(f"s{name}", name) is not None for name in NAMES)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["own", "vault", "vault.age", "vault.lock"]
    assert list(ring.kept) == [("bedrot", "key of the vault")]
    with pytest.raises(Misconfigured, match="no text"):
        session("a\udcff")


# ---- the two places of the key ----


def test_the_keyring_keeps_a_small_key_and_the_file_a_state_of_500_kb(folder: Path, ring: MemoryRing) -> None:
    state = CANARY + os.urandom(500_000)
    open_vault(folder, None).put(session(secret=state))
    assert open_vault(folder, None).get("radio", "main") == session(secret=state)
    ((_, kept),) = ring.kept.items()
    assert ring.sets == 1
    assert len(kept.encode("utf-16-le")) < 200
    assert len((folder / "vault.age").read_bytes()) > 500_000
    with pytest.raises(keyring.errors.PasswordSetError):
        ring.set_password("x", "y", state.hex())


def test_two_that_open_first_at_once_make_one_key(folder: Path, ring: MemoryRing) -> None:
    def first(name: str) -> None:
        open_vault(folder, None).put(session(name))

    threads = [threading.Thread(target=first, args=(f"a{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ring.sets == 1
    assert len(open_vault(folder, None).sessions()) == 4


class Plaintext(MemoryRing):
    """As keyrings.alt has one: it keeps what it is given readable in a file."""


Plaintext.__module__ = "keyrings.alt.file"


class Forgetful(MemoryRing):
    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Breaking(MemoryRing):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


class Telling(MemoryRing):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError(f"cannot keep {password}")


UNUSABLE = [
    (fail.Keyring(), "keeps nothing"),
    (null.Keyring(), "keeps nothing"),
    (Plaintext(), "keeps it readable"),
    (Forgetful(), "does not give back"),
    (MemoryRing(limit=50), "refuses (PasswordSetError)"),
    (Breaking(keyring.errors.KeyringLocked("no")), "is locked"),
    (Breaking(OSError(5, "no")), "refuses (OSError)"),
    (Telling(), "refuses (PasswordSetError)"),
]


@pytest.mark.parametrize(("ring_", "says"), UNUSABLE, ids=[f"{type(one).__module__}-{says}" for one, says in UNUSABLE])
def test_without_a_usable_keyring_and_without_a_key_nothing_is_kept(
    folder: Path, ring_: MemoryRing, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.set_keyring(ring_)
    with pytest.raises(Misconfigured, match=re.escape(says)) as caught:
        open_vault(folder, None)
    assert "BEDROT_VAULT_KEY" in caught.value.do
    assert ("Unlock" in caught.value.do) is (says == "is locked")
    assert "AGE-SECRET-KEY" not in whole_traceback(caught.value)
    assert not (folder / "vault.age").exists()
    monkeypatch.setenv("BEDROT_VAULT_KEY", KEY)
    open_vault(folder, None).put(session())
    assert open_vault(folder, KEY).get("radio", "main") == session()


def test_a_service_that_fails_with_an_error_of_its_own_is_no_usable_keyring(folder: Path) -> None:
    secretstorage = pytest.importorskip("secretstorage.exceptions", reason="of the keyrings of Linux")
    keyring.set_keyring(Breaking(secretstorage.PromptDismissedException("no")))
    with pytest.raises(Misconfigured, match="PromptDismissedException"):
        open_vault(folder, None)


def test_a_defect_of_a_keyring_is_not_hidden(folder: Path) -> None:
    keyring.set_keyring(Breaking(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        open_vault(folder, None)


def test_of_chained_keyrings_the_first_safe_one_is_taken(
    folder: Path, ring: MemoryRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable = Plaintext()
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [readable, ring])
    keyring.set_keyring(chainer.ChainerBackend())
    open_vault(folder, None).put(session())
    assert (len(ring.kept), readable.kept) == (1, {})
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [readable])
    with pytest.raises(Misconfigured, match="readable"):
        open_vault(folder, None)


def test_a_backend_that_does_not_load_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    for name in ("no_such_module.Keyring", "keyring.backends.fail.None"):
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
        with pytest.raises(Misconfigured, match="cannot be loaded"):
            open_vault(folder, None)


def test_a_key_that_was_given_needs_no_keyring_and_leaves_nothing_there(folder: Path, ring: MemoryRing) -> None:
    open_vault(folder, KEY).put(session())
    assert ring.kept == {}
    with pytest.raises(Misconfigured, match="does not hold"):
        open_vault(folder, None)
    assert ring.kept == {}, "no new key is made beside a vault that it does not open"


def test_an_entry_that_is_no_key_is_left_as_it_is(folder: Path, ring: MemoryRing) -> None:
    ring.kept["bedrot", "key of the vault"] = "something else"
    with pytest.raises(Misconfigured, match="is no key"):
        open_vault(folder, None)
    assert ring.kept["bedrot", "key of the vault"] == "something else"


def test_without_the_libraries_a_sentence_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing, key in (("keyring", None), ("pyrage", KEY), ("pyrage", None)):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(Misconfigured, match="not installed"):
                open_vault(folder, key)


@pytest.mark.parametrize(
    ("platform", "environ", "is_"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/bedrot"),
        ("linux", {"XDG_DATA_HOME": "not/absolute"}, "~/.local/share/bedrot"),
        ("linux", {}, "~/.local/share/bedrot"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "~/Library/Application Support/bedrot"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/bedrot"),
        ("win32", {}, "~/AppData/Local/bedrot"),
    ],
)
def test_the_usual_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], is_: str
) -> None:
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, told in {**environ, "HOME": str(tmp_path), "BEDROT_VAULT_KEY": KEY}.items():
        monkeypatch.setenv(name, told)
    monkeypatch.setattr(sys, "platform", platform)
    assert vault_of_environment() == (Path(is_.replace("~", str(tmp_path))), KEY)
    assert vault_of_environment()[1] is None, "it is read once"


@POSIX
def test_without_a_folder_told_it_is_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    open_vault(None, None).put(session())
    assert (tmp_path / "data" / "bedrot" / "vault.age").is_file()
    monkeypatch.setattr("bedrot.connect.vault.vault_of_environment", lambda: (Path("~/x"), None))
    with pytest.raises(Misconfigured, match="where your own files are"):
        open_vault(None, None)


# ---- no secret anywhere ----


def whole_traceback(wrong: BaseException) -> str:
    """All that a traceback can show: causes, contexts, and the locals of the vault's own frames."""
    told = traceback.TracebackException.from_exception(wrong, capture_locals=True)
    frames = [one for one in told.stack if "tests" not in Path(one.filename).parts]
    return (
        f"{wrong!r} {wrong} {''.join(told.format_exception_only())} {[one.locals for one in frames]} {_behind(wrong)}"
    )


def _behind(wrong: BaseException) -> str:
    behind = [one for one in (wrong.__cause__, wrong.__context__) if one is not None]
    return " ".join(whole_traceback(one) for one in behind)


def texts_of(shown: object) -> list[str]:
    """The ways in which Python and its helpers show a thing."""
    error = RuntimeError(shown)
    return [
        *(repr(shown), str(shown), f"{shown}", f"{shown!r}", f"{shown!a}", pprint.pformat(shown), pretty_repr(shown)),
        *(repr(error), str(error), "".join(traceback.format_exception(error)), repr([shown]), repr({1: shown})),
    ]


def test_no_text_shows_a_secret_or_a_key(folder: Path) -> None:
    for key in (KEY, PHRASE):
        kept = session()
        vault = open_vault(folder / key[:3], key)
        vault.put(kept)
        held = vault_keyring.given_key(key)
        assert isinstance(held, vault_keyring.Key)
        for shown in (kept, kept.known, vault, held, vault._file, vault._seen[1], vault.sessions()):
            for text in texts_of(shown):
                assert traced(text.encode(), CANARY, key.encode()) == []
        assert "radio" in repr(kept)
        for unpicklable in (kept, vault, held):
            for way in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="not pickled"):
                    way(unpicklable)
    assert not hasattr(Known("a", "b", "token", SINCE, None), "secret")


def test_an_exception_shows_no_secret_whatever_goes_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = open_vault(folder, KEY)
    vault.put(session())
    raised: list[BaseException] = []

    def fails(*args: object) -> None:
        raise OSError(28, "full")

    for name in ("replace", "fsync", "write"):
        with monkeypatch.context() as patch:
            patch.setattr(disk, name, fails)
            with pytest.raises(StorageFailed) as caught:
                vault.put(session("other"))
        raised.append(caught.value)
    for key in (OTHER_KEY, KEY[:-2], None):
        with pytest.raises(Misconfigured) as refused:
            open_vault(folder, key)
        raised.append(refused.value)
    (folder / "vault.age").write_bytes((folder / "vault.age").read_bytes()[:-1])
    with pytest.raises(Damaged) as damaged:
        vault.get("radio", "main")
    raised.append(damaged.value)
    with pytest.raises(Defect) as defect:
        replace(session(), since=datetime(2026, 4, 1))  # noqa: DTZ001
    # The one who makes a log-in has the secret among its locals: only a traceback as Python shows it is looked at.
    assert traced("".join(traceback.format_exception(defect.value)).encode(), CANARY) == []
    (folder / "vault.age").write_bytes(pyrage.encrypt(CANARY, [pyrage.x25519.Identity.from_str(KEY).to_public()]))
    with pytest.raises(Damaged, match="nothing that bedrot has written") as foreign:
        vault.get("radio", "main")
    raised.append(foreign.value)
    for wrong in raised:
        assert traced(whole_traceback(wrong).encode(), CANARY, KEY.encode(), KEY[:-2].encode()) == [], wrong


def test_the_canary_is_in_no_byte_of_the_vault_nor_of_the_lake(
    folder: Path, tmp_path: Path, ring: MemoryRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake")
    monkeypatch.chdir(lake.root)
    for key in (None, KEY):
        vault = open_vault(folder / str(bool(key)), key)
        for number in range(3):
            vault.put(session(f"a{number}", CANARY))
            vault.put(session(CANARY.decode(), b"the account's name is no secret, but private"))
        vault.remove("radio", "a0")
    keys = [kept.encode() for kept in ring.kept.values()]
    assert len(keys) == 1
    assert traced_below(tmp_path, CANARY, KEY.encode(), *keys) == []


def test_the_look_for_traces_sees_each_form(tmp_path: Path) -> None:
    for number, (name, form) in enumerate(traces(CANARY).items()):
        path = tmp_path / f"{number}" / "x"
        path.parent.mkdir()
        path.write_bytes(b"some\0" + form + b"\xff")
        assert name in str(traced_below(path.parent, CANARY))
    wrapped = json.dumps({"s": CANARY.decode()}).encode()
    assert any(traced(base64.b64encode(b"x" * shift + wrapped), CANARY) for shift in range(3))


def test_a_child_inherits_no_key(folder: Path) -> None:
    """What a child gets is clean; what the kernel keeps of our own beginning cannot be, and the docs say so."""
    environ = {**os.environ, "BEDROT_VAULT_KEY": KEY, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = subprocess.run(
        [sys.executable, vault_looks.__file__, "child", str(folder)], env=environ, check=True, capture_output=True
    )
    told = json.loads(done.stdout)
    assert "PATH" in told["environ"]
    assert "BEDROT_VAULT_KEY" not in told["environ"]
    inherited = json.dumps({name: told[name] for name in told if name != "parent_environ"}).encode()
    assert traced(inherited, KEY.encode(), CANARY) == []
    assert traced(done.stderr, KEY.encode(), CANARY) == []
    assert traced_below(folder.parent, KEY.encode(), CANARY) == []
    if "parent_environ" in told:  # Linux: a known limit
        assert KEY in told["parent_environ"]
        assert "/proc/<pid>/environ" in (sys.modules[Vault.__module__].__doc__ or "")


def test_the_planted_fallback_to_plain_text_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PlainKey(vault_keyring.Key):
        def seal(self, plain: bytes) -> bytes:
            return vault_file.AGE + plain

        def _unsealed(self, sealed: bytes) -> bytes:
            return sealed.removeprefix(vault_file.AGE)

    without_ring()
    monkeypatch.setattr("bedrot.connect.vault.keyring_key", lambda path, fresh: PlainKey())
    vault = open_vault(folder, None)
    vault.put(session())
    assert vault.get("radio", "main") == session(), "the variant works"
    assert traced_below(folder, CANARY)


# ---- for its owner only ----


class Watch(Fault):
    """At each change of the disk, before and after it: what below a folder is open to others."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.seen, self.files = folder, set[str](), set[str]()

    def look(self) -> None:
        if self.folder.exists():
            self.seen.update(open_to_others(self.folder))
            self.files.update(path.name[:4] for path in self.folder.rglob("*"))

    def call(self, name: str, real: Callable[..., object], args: tuple[object, ...]) -> object:
        self.look()
        result = super().call(name, real, args)
        self.look()
        return result


def watched(folder: Path) -> Watch:
    """Two puts under the widest umask, watched."""
    before = os.umask(0)
    try:
        with faulty_vault(Watch(folder)) as watch:
            vault = open_vault(folder, KEY)
            vault.put(session())
            vault.put(session("other"))
    finally:
        os.umask(before)
    return watch


@POSIX
def test_at_no_moment_others_may_open_it(folder: Path) -> None:
    watch = watched(folder)
    assert isinstance(watch, Watch)
    assert watch.seen == set()
    assert {".tmp", "vaul"} <= watch.files
    assert open_to_others(folder.parent) == [], "new parents are private too"


@POSIX
@pytest.mark.parametrize(("wrong", "by"), [("open_private", disk.open_new), ("mkdir_private", disk.mkdir)])
def test_a_planted_file_for_everybody_is_seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, by: object
) -> None:
    monkeypatch.setattr(vault_file, wrong, by)
    seen: set[str] = set()
    look = Watch.look

    def kept(self: Watch) -> None:
        look(self)
        seen.update(self.seen)

    monkeypatch.setattr(Watch, "look", kept)
    with pytest.raises(Misconfigured, match="Others on this computer"):
        watched(folder)
    assert seen


@POSIX
@pytest.mark.parametrize(("what", "mode", "says"), [("", 0o750, "chmod 700"), ("vault.age", 0o644, "chmod 600")])
def test_too_wide_is_refused_with_what_to_do_and_left_as_it_is(folder: Path, what: str, mode: int, says: str) -> None:
    vault = open_vault(folder, KEY)
    vault.put(session())
    path = folder / what
    path.chmod(mode)
    before = (folder / "vault.age").read_bytes()
    for work in (
        lambda: open_vault(folder, KEY),
        lambda: vault.get("radio", "main"),
        vault.sessions,
        lambda: vault.put(session("b")),
        lambda: vault.remove("radio", "main"),
    ):
        with pytest.raises(Misconfigured, match="Others on this computer") as caught:
            work()
        assert f"{says} {path}" in caught.value.do
    assert (folder / "vault.age").read_bytes() == before
    assert path.stat().st_mode & 0o777 == mode
    path.chmod(0o700 if path.is_dir() else 0o600)
    assert vault.get("radio", "main") == session()


@POSIX
def test_what_another_user_owns_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_vault(folder, KEY).put(session())
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(Misconfigured, match="another user"):
        open_vault(folder, KEY)


def test_a_folder_in_a_lake_is_refused(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    (tmp_path / "way").symlink_to(lake.landing)
    before = sorted(tmp_path.rglob("*"))
    for folder in (lake.root, lake.raw / "deep" / "vault", tmp_path / "way" / "vault"):
        with pytest.raises(Misconfigured, match="holds no log-ins"):
            open_vault(folder, KEY)
    assert sorted(tmp_path.rglob("*")) == before


# ---- what is damaged or not ours ----


def foreign_files() -> list[tuple[bytes, type[BedrotError], str]]:
    public = pyrage.x25519.Identity.from_str(KEY).to_public()

    def sealed(plain: bytes) -> bytes:
        return pyrage.encrypt(plain, [public])

    whole = sealed(b'{"vault":1,"sessions":[]}')
    naive = {"source": "a", "account": "b", "kind": "token", "secret": "", "since": "2026-04-01T00:00:00"}
    return [
        (b"", Damaged, "cut off"),
        (whole[:10], Damaged, "cut off"),
        (whole[:100], Damaged, "is damaged"),
        (whole[:-1], Damaged, "is damaged"),
        (whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:], Damaged, "is damaged"),
        (whole + b"x", Damaged, "is damaged"),
        (b"my notes\n", Misconfigured, "no vault of bedrot"),
        (b"\0" * 5000, Misconfigured, "no vault of bedrot"),
        (sealed(b"my notes"), Damaged, "nothing that bedrot has written"),
        (sealed(b'{"vault":1,"sessions":[{"source":"a"}]}'), Damaged, "nothing that bedrot has written"),
        (sealed(json.dumps({"vault": 1, "sessions": [naive]}).encode()), Damaged, "nothing that bedrot has written"),
        (sealed(b'{"vault":2,"sessions":{"new":"ways"}}'), Misconfigured, "newer bedrot"),
        (pyrage.encrypt(b"", [pyrage.x25519.Identity.from_str(OTHER_KEY).to_public()]), Misconfigured, "another key"),
    ]


@pytest.mark.parametrize("number", range(13))
def test_what_cannot_be_read_is_said_and_never_overwritten(folder: Path, number: int) -> None:
    content, kind, says = foreign_files()[number]
    vault = open_vault(folder, KEY)
    vault.put(session())
    (folder / "vault.age").write_bytes(content)
    for work in (
        lambda: open_vault(folder, KEY),
        vault.sessions,
        lambda: vault.get("radio", "main"),
        lambda: vault.put(session()),
        lambda: vault.remove("radio", "main"),
    ):
        with pytest.raises(kind, match=says) as caught:
            work()
        assert caught.value.do
        assert caught.value.file == str(folder / "vault.age")
    assert (folder / "vault.age").read_bytes() == content


def test_each_damaged_byte_and_each_cut_is_seen(folder: Path) -> None:
    vault = open_vault(folder, KEY)
    vault.put(session())
    path = folder / "vault.age"
    whole = path.read_bytes()
    for at in range(len(whole)):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(content)
            with pytest.raises((Damaged, Misconfigured)):
                open_vault(folder, KEY)
    path.write_bytes(whole)
    assert vault.get("radio", "main") == session()


def test_with_the_wrong_key_nothing_is_overwritten(folder: Path) -> None:
    open_vault(folder, KEY).put(session())
    before = (folder / "vault.age").read_bytes()
    for wrong in (OTHER_KEY, PHRASE):
        with pytest.raises(Misconfigured, match="another key"):
            open_vault(folder, wrong)
    assert (folder / "vault.age").read_bytes() == before


def test_what_is_no_plain_file_or_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    vault = open_vault(folder, KEY)
    vault.put(session())
    (folder / "vault.age").rename(folder / "elsewhere")
    (folder / "vault.age").symlink_to(folder / "elsewhere")
    with pytest.raises(Misconfigured, match="not a plain file"):
        vault.get("radio", "main")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BedrotError):
        open_vault(tmp_path / "file", KEY)
    assert (tmp_path / "file").read_bytes() == b""


# ---- faults, and two at once ----


def strike(folder: Path, fault: Fault) -> BaseException | None:
    """Open the vault and put in a new process that ends at the fault; what it ended with."""
    try:
        with faulty_vault(fault):
            open_vault(folder, KEY).put(session(secret=CANARY + b"new"))
    except (Killed, BedrotError) as ended:
        return ended
    return None


def calls(folder: Path, *, before: bool) -> list[str]:
    if before:
        open_vault(folder, KEY).put(session(secret=CANARY + b"old"))
    counting = Fault()
    assert strike(folder, counting) is None
    return counting.names


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_each_step_leaves_the_old_or_the_new(tmp_path: Path, before: bool, mode: str) -> None:
    names = calls(tmp_path / "counted" / "vault", before=before)
    assert {"open_private", "write", "fsync", "replace", "fsync_folder"} <= set(names)
    assert ("mkdir_private" in names) is not before
    old = session(secret=CANARY + b"old") if before else None
    left = set()
    for nth, name in enumerate(names, start=1):
        if mode == "torn" and name != "write":
            continue
        folder = tmp_path / f"{nth}" / "vault"
        if before:
            open_vault(folder, KEY).put(session(secret=CANARY + b"old"))
        ended = strike(folder, Fault(nth, mode))
        assert ended is not None, f"{mode} at {name} was passed over"
        assert isinstance(ended, Killed) is not mode.startswith("E")
        if os.name != "nt" and folder.exists():
            assert open_to_others(folder) == []
        assert traced_below(tmp_path / f"{nth}", CANARY) == []
        found = open_vault(folder, KEY).get("radio", "main")
        assert found in (old, session(secret=CANARY + b"new")), f"{mode} at {name}"
        left.add(found == old)
        vault = open_vault(folder, KEY)
        vault.put(session("next"))
        assert vault.get("radio", "main") == found
        assert sorted(path.name for path in folder.iterdir()) == ["vault.age", "vault.lock"], f"{mode} at {name}"
    assert mode == "torn" or left == {True, False}


class Noted(Fault):
    """The calls in order, with the path or the descriptor that each is about."""

    def call(self, name: str, real: Callable[..., object], args: tuple[object, ...]) -> object:
        self.noted = [*getattr(self, "noted", []), (name, args[0])]
        return super().call(name, real, args)


def test_each_new_folder_is_durable_before_anything_is_in_it(folder: Path) -> None:
    noted = Noted()
    assert strike(folder, noted) is None
    made = [number for number, (name, _) in enumerate(noted.noted) if name == "mkdir_private"]
    assert [noted.noted[number][1] for number in made] == [folder.parent, folder]
    for number in made:
        assert noted.noted[number + 1] == ("fsync_folder", noted.noted[number][1].parent)
    assert noted.noted[-1] == ("fsync_folder", folder)


@pytest.mark.parametrize("locked", [True, False])
def test_two_processes_at_once_lose_nothing_and_without_the_lock_they_do(folder: Path, locked: bool) -> None:
    open_vault(folder, KEY).put(session("kept"))
    environ = {**os.environ, "BEDROT_VAULT_KEY": KEY}
    command = [sys.executable, vault_looks.__file__, "put", str(folder)]
    both = [
        subprocess.Popen(
            [*command, name, "10", str(locked)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in ("a", "b")
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline().strip() == b"ready"
    for one in both:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120)[1].decode() for one in both]
    accounts = {one.account for one in open_vault(folder, KEY).sessions()}
    whole = accounts == {"kept", *(f"{name}-{number}" for name in "ab" for number in range(10))}
    assert (whole and all(one.returncode == 0 for one in both)) is locked, said


def test_who_waits_too_long_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_file, "WAIT", 0.05)
    vault = open_vault(folder, KEY)
    with vault._file.locked(), pytest.raises(Busy, match="changing the vault"):
        vault.put(session())
    vault.put(session())
