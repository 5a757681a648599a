"""A lake with one account that must go among others, and what is left of it in any byte of any file."""

from __future__ import annotations

import io
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import duckdb
import pytest
import zstandard

from bedrot import sql
from bedrot.config import Archive, Settings
from bedrot.lake.decisions import decide, write_decision
from bedrot.lake.ledger import Landed, Ledger, Standing
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.walk import marts
from bedrot.walk.accept import Door, Told
from bedrot.walk.purge import Ask, carry_out, planned
from bedrot.walk.run import Walk, finish
from bedrot.walk.run import run as walk_run

AT = datetime(2026, 4, 1, tzinfo=UTC)
ACCOUNT = "zanzibar.canary"
TITLE = "Quokka Lullaby"
STORE = "Wombatify"
AMOUNT = "7319.512873"
SECRETS = (ACCOUNT, TITLE, STORE, AMOUNT, "zanzibar", "quokka", "QUOKKA", "Zanzibar Trio", "Zanzibar_Trio")
BECAUSE = "The contract ended."
HEADING = (
    "Reporting Date\tSale Month\tStore\tArtist\tTitle\tISRC\tUPC\tQuantity\tTeam Percentage\tSong/Album"
    "\tCountry of Sale\tSongwriter Royalties Withheld\tEarnings (USD)"
)
SMALL = Settings(archive=Archive(snapshots=2))
_LOAD = marts.load_marts


def line(
    day: str, store: str, title: str, amount: str, *, artist: str = "Paper Comets", isrc: str = "QZPC11800001"
) -> str:
    return f"{day}\t{day[:7]}\t{store}\t{artist}\t{title}\t{isrc}\t\t3\t100\tSong\tUS\t0\t{amount}"


def mine(day: str, amount: str = AMOUNT, title: str = TITLE) -> str:
    return line(day, STORE, title, amount, artist="Zanzibar Trio", isrc="QZZZZ2500007")


def bank(*lines: str) -> str:
    return "\n".join((HEADING, *lines)) + "\n"


def name(day: str, artist: str) -> str:
    at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return f"DistroKid_{int(at.timestamp() * 1000)}_{artist}.tsv"


class Lives:
    """Gives files to a lake and walks them, with one source and one mart where `small`."""

    def __init__(self, lake: Lake, *, small: bool = True, without: bool = False) -> None:
        self.lake, self.small, self.without = lake, small, without

    def walk(self, ledger: Ledger) -> Walk:
        walk = Walk(self.lake, ledger, SMALL, workers=1)
        if self.small:
            walk.__dict__["sources"] = [one for one in walk.sources if one.name == "distrokid"]
        return walk

    def give(self, folder: Path, called: str, content: str, account: str, *, batch: str = "") -> str:
        if self.without and account == ACCOUNT:
            return ""
        path = folder / called
        path.write_text(content, encoding="utf-8")
        with Ledger(self.lake.ledger_path) as ledger:
            walk = self.walk(ledger)
            door = Door(self.lake, ledger, walk.sources, {}, Told(account, batch=batch), AT)
            (outcome,) = list(door.offer([path]))
            return outcome.delivery or outcome.verdict

    def run(self, at: datetime = AT) -> int:
        with small_marts(self.small), Ledger(self.lake.ledger_path) as ledger:
            began = ledger.start_run(at)
            walk = self.walk(ledger)
            summary = walk_run(walk, at)
            finish(walk, began, summary, at)
            return summary.number or 0

    def purge(self, *deliveries: str, because: str = BECAUSE) -> list[str]:
        """Plan and carry out; the paths that the plan names."""
        account = None if deliveries else ("distrokid", ACCOUNT)
        with small_marts(self.small), Ledger(self.lake.ledger_path) as ledger:
            walk = self.walk(ledger)
            with planned(walk, Ask(because, account, deliveries), AT) as plan:
                told = [self.lake.relative(path) for path in plan.paths]
                carry_out(walk, plan, AT)
            return told


@contextmanager
def small_marts(small: bool) -> Iterator[None]:
    """Only the mart of royalties, as a context."""
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(marts, "load_marts", lambda told: tuple(x for x in _LOAD(told) if x.name == "royalties"))
        yield


def live(root: Path, *, small: bool = True, without: bool = False) -> Lives:
    """Several snapshots, some archived; rejects, held things, repeats, a shared object, notes in the ledger, logs.

    `without`: the same life, in which the account never was.
    """
    given = root / "given"
    given.mkdir(parents=True)
    lives = Lives(Lake.create(root / "lake"), small=small, without=without)
    other, ours = "Paper_Comets", "Zanzibar_Trio"
    months = [f"2025-0{n}-28" for n in (1, 2, 3)]
    plain = [line(day, "Spotify", "Tides", f"0.{n}5") for n, day in enumerate(months, 1)]
    lives.give(given, name("2025-02-01", other), bank(*plain[:1]), "main")
    lives.run()
    both = bank(line("2024-12-20", "Spotify", "Common Ground", "1.5"))
    lives.give(given, name("2025-01-02", "shared"), both, "main")
    lives.give(given, name("2025-01-02", "shared"), both, ACCOUNT)
    first = bank(mine(months[0]), mine(months[0], "-1.25"))
    lives.give(given, name("2025-02-02", ours), first, ACCOUNT)
    lives.run()
    lives.give(given, name("2025-02-02", ours), first, ACCOUNT)  # a repeat
    broken = mine(months[1], "not money of Quokka")
    lives.give(given, name("2025-03-02", ours), bank(mine(months[0]), mine(months[1], "0.33"), broken), ACCOUNT)
    held = bank(mine(months[0], "88.5"), mine(months[1], "0.44"))
    lives.give(given, name("2025-03-03", ours), held, ACCOUNT)
    lives.run()
    lives.give(given, name("2025-04-01", other), bank(*plain), "main")
    more = (mine(months[2], "0.61"), mine(months[0], "0.7", f"{TITLE} II"), "\t".join(["x"] * 13))
    lives.give(given, name("2025-04-02", ours), bank(*more), ACCOUNT)
    lives.run()
    lives.give(given, name("2025-04-03", other), bank(*plain[:2], "2025-03-28\tgarbage"), "main")
    lives.give(given, name("2025-01-02", "shared"), both, "main")  # a repeat of another's
    lives.run()
    _decide(lives)
    lives.run()
    if not without:
        _words(lives.lake)
    return lives


_folder = tempfile.TemporaryDirectory(prefix="purging-", ignore_cleanup_errors=True)


@cache
def lived_once() -> Lives:
    """That life, lived once in this process: nobody may change the lake."""
    return live(Path(_folder.name) / "one")


def _decide(lives: Lives) -> None:
    """Decisions about its deliveries, and one about another's in whose reason it is named."""
    lake = lives.lake
    with Ledger(lake.ledger_path) as ledger:
        mine = [one for one in ledger.deliveries() if one.account == ACCOUNT]
        others = [one for one in ledger.deliveries() if one.account != ACCOUNT]
        for kind, one, because in (
            *(("retract", one, f"{TITLE} is wrong") for one in mine[:1]),
            *(("reassign", one, "It was theirs") for one in mine[1:2]),
            ("retract", others[0], f"It came with the files of {ACCOUNT}"),
        ):
            value = ACCOUNT if kind == "reassign" else ""
            decision = decide(kind, one.id, because, AT, value)  # type: ignore[arg-type]
            write_decision(lake, decision)
            ledger.add_decision(decision)


def _words(lake: Lake) -> None:
    """What stands about the account beside its data."""
    con = sqlite3.connect(lake.ledger_path, isolation_level=None)
    con.execute("PRAGMA secure_delete = OFF")
    for n in range(60):  # refused once and taken later: its row went before anybody cared about its bytes
        con.execute("INSERT INTO landings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (f"{n}", ACCOUNT, TITLE * 9, *"abcde"))
    con.execute("DELETE FROM landings WHERE sha256 = ?", (ACCOUNT,))
    con.close()
    with Ledger(lake.ledger_path) as ledger:
        for account in (ACCOUNT, "main"):
            ledger.note_standing(Standing("distrokid", account, AT, "fresh", f"{account} is well"))
        ledger.note_landing(
            Landed("landing/unknown/x.tsv", "ab" * 32, "x.tsv", "x.tsv", "waiting", f"{ACCOUNT} or b?", "", AT)
        )
    for place, text in (
        (lake.landing / "unknown" / "x.tsv", "It waits\n"),
        (lake.root / "logs" / "bedrot-2026-04-01.jsonl", f'{{"account": "{ACCOUNT}"}}\n{{"account": "main"}}\n'),
        (lake.captures / "distrokid-20260401T000000Z.txt", f"The page of {ACCOUNT}\n"),
        (lake.pulls / "distrokid" / "0" / "bank.tsv", bank(*("x",), line("2025-01-01", STORE, TITLE, AMOUNT))),
        (lake.landing / "distrokid" / f"20260401T000000Z-00000000.{ACCOUNT}.csv", f"nobody knows {TITLE}\n"),
        (lake.archive / "damaged" / "000002.json", f'{{"partition": "{ACCOUNT}/2025-01"'),
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def everything(root: Path) -> dict[str, bytes]:
    """All files below a folder, by relative path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def canaries(root: Path, secrets: tuple[str, ...] = SECRETS) -> list[str]:
    """Where anything of it is left: names of files and folders, bytes, what is packed, rows and statistics."""
    found = [f"named so: {path.relative_to(root)}" for path in root.rglob("*") if _hit(path.name.encode(), secrets)]
    for path, data in everything(root).items():
        for what, some in _layers(path, data):
            found += [f"{path} ({what}): {one}" for one in _hit(some, secrets)]
    return found


def _hit(data: bytes, secrets: tuple[str, ...]) -> list[str]:
    return [one for one in secrets if one.encode() in data]


def _layers(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, and all that they hold inside."""
    yield "bytes", data
    if path.endswith(".tar.zst"):
        plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
        yield "unpacked", plain
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                for what, some in _layers(member.name, file.read()):
                    yield f"{member.name}, {what}", some
    if path.endswith(".parquet"):
        yield from _decoded(data)
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for info in packed.infolist():
                yield info.filename, packed.read(info)


def _decoded(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Rows and statistics of a Parquet file as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.parquet"
        path.write_bytes(data)
        for what in ("read_parquet", "parquet_metadata", "parquet_kv_metadata", "parquet_schema"):
            rows = engine().execute(f"SELECT * FROM {what}({sql.text(path.as_posix())})").fetchall()
            yield what, "\n".join(str(value) for row in rows for value in row).encode()


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """One engine for all looks into files."""
    return duckdb.connect(config={"threads": 1})


def rows_of_ledger(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    con = sqlite3.connect(lake.ledger_path)
    try:
        names = [row[0] for row in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {one: sorted(con.execute(f"SELECT * FROM {one}").fetchall(), key=repr) for one in names}
    finally:
        con.close()


def copy(lives: Lives, target: Path) -> Lives:
    """A lake of one's own."""
    return Lives(Lake(Path(shutil.copytree(lives.lake.root, target / "lake"))), small=lives.small)


def left_but_moved(lives: Lives) -> dict[str, bytes]:
    """The files of raw without decisions, and those that the published state names without its findings."""
    found = {path: data for path, data in everything(lives.lake.raw).items() if not path.startswith("decisions/")}
    state = current(lives.lake)
    assert state is not None
    parts = {part.path for table in state.tables.values() for part in table.parts}
    return found | {path: lives.lake.absolute(path).read_bytes() for path in parts}
