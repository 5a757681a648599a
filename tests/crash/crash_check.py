"""What must hold of a lake at any moment, found out with plain means: hashlib, json, zipfile and bare DuckDB.

Nothing here uses the package, so that a mistake there cannot hide itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

_HEX = re.compile(r"[0-9a-f]{64}")
Rows = dict[str, tuple[int, int]]
"""By table: the number of rows, and a hash of them as a multiset, lineage aside."""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def torn(lake: Path) -> list[str]:
    """Named files whose bytes are not what their name, or their own seal, says."""
    found = []
    for path in sorted(lake.rglob("*")):
        if not path.is_file() or path.name.startswith(".tmp-") or ".work" in path.parts:
            continue
        inside = path.relative_to(lake).as_posix()
        if _HEX.fullmatch(path.stem) and not inside.startswith("staging/") and sha256(path) != path.stem:
            found.append(f"{inside}: name and bytes differ")
        elif path.suffix == ".json" and inside.startswith(("raw/", "curated/_snapshots/")) and not _sealed(path):
            found.append(f"{inside}: the seal is broken")
        elif path.suffix == ".parquet" and not _whole_parquet(path):
            found.append(f"{inside}: no whole Parquet file")
    return found


def _sealed(path: Path) -> bool:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    body = json.dumps(told["value"], sort_keys=True, separators=(",", ":"))
    return bool(hashlib.sha256(body.encode()).hexdigest() == told["sha256"])


def _whole_parquet(path: Path) -> bool:
    data = path.read_bytes()
    return data[:4] == b"PAR1" == data[-4:] and 0 < int.from_bytes(data[-8:-4], "little") < len(data)


def lost(lake: Path, said: str, files: tuple[Path, ...]) -> list[str]:
    """Files that a command's output says were accepted, and that raw does not hold with all that belongs to them."""
    found = []
    manifests = [json.loads(path.read_text())["value"] for path in _manifests(lake)]
    by_name = {path.name: path for path in files}
    for line in said.splitlines():
        if not line.startswith("accepted"):
            continue
        path = by_name[line.split()[1]]
        digest = sha256(path)
        kept = lake / "raw/objects" / digest[:2] / digest
        if not kept.is_file() or kept.read_bytes() != path.read_bytes():
            found.append(f"{path.name} was acknowledged and its bytes are not in raw")
        if not any(one["object"] == digest and one["name"] == path.name for one in manifests):
            found.append(f"{path.name} was acknowledged and has no manifest")
    return found


def without_object(lake: Path) -> list[str]:
    """Manifests that name bytes which raw does not hold."""
    found = []
    for path in _manifests(lake):
        digest = json.loads(path.read_text())["value"]["object"]
        if not (lake / "raw/objects" / digest[:2] / digest).is_file():
            found.append(f"{path.name} names an object that is not there")
    return found


def record(lake: Path) -> dict[str, Any] | None:
    """The record that a reader follows now: the one the pointer names, or the last of an unbroken row behind it."""
    pointer = lake / "curated/CURRENT"
    number = json.loads(pointer.read_text())["value"]["number"] if pointer.exists() else 0
    path = lake / "curated/_snapshots/{:06d}.json"
    assert number == 0 or Path(str(path).format(number)).exists(), f"the pointer names snapshot {number}: not there"
    while Path(str(path).format(number + 1)).exists():
        number += 1
    if not number:
        return None
    told: dict[str, Any] = json.loads(Path(str(path).format(number)).read_text())["value"]
    return told


def rows(lake: Path, number: int | None = None) -> Rows:
    """What a reader sees of every table, now or of an older snapshot that is at hand.

    AssertionError where a file is missing or not what the record says.
    """
    older = lake / f"curated/_snapshots/{number:06d}.json" if number else None
    told = json.loads(older.read_text())["value"] if older else record(lake)
    if told is None:
        return {}
    con = duckdb.connect(config={"threads": 1})
    try:
        return {name: _table(con, lake, name, one) for name, one in sorted(told["tables"].items())}
    finally:
        con.close()


def _table(con: duckdb.DuckDBPyConnection, lake: Path, name: str, table: dict[str, Any]) -> tuple[int, int]:
    columns = [column for column, _ in table["columns"] if not column.startswith("_")]
    if not table["parts"]:
        return (0, 0)
    by_slice: dict[str | None, set[str]] = {}
    for part in table["parts"]:
        path = lake / part["path"]
        assert path.is_file(), f"{name}: {part['path']} is missing"
        assert not part["sha256"] or sha256(path) == part["sha256"], f"{name}: {part['path']} was changed"
        by_slice.setdefault(part["slice"], set()).add(str(path))
    quoted = ", ".join(f'"{column}"' for column in columns)
    count = total = 0
    for part, paths in by_slice.items():
        where = "" if part is None else " WHERE _partition = $part"
        found = con.execute(
            f"SELECT count(*), coalesce(sum(CAST(hash({quoted}) AS HUGEINT)), 0)"
            f" FROM read_parquet($paths, hive_partitioning = false, union_by_name = true){where}",
            {"paths": sorted(paths), **({} if part is None else {"part": part})},
        ).fetchall()[0]
        count, total = count + int(found[0]), total + int(found[1])
    return (count, total)


def facts(lake: Path) -> dict[str, list[Any]]:
    """What a build is made of: deliveries, decisions, turned away files (by the ledger) and objects; without times."""
    con = sqlite3.connect(lake / "ledger.sqlite")
    try:
        deliveries = con.execute("SELECT id FROM deliveries ORDER BY id").fetchall()
        turned = con.execute("SELECT sha256, name, verdict FROM landings ORDER BY 1, 2").fetchall()
        decided = con.execute("SELECT DISTINCT kind, target FROM decisions ORDER BY 1, 2").fetchall()
    finally:
        con.close()
    objects = sorted(path.name for path in (lake / "raw/objects").rglob("*") if _HEX.fullmatch(path.name))
    return {"deliveries": deliveries, "turned away": turned, "decided": decided, "objects": objects}


def _manifests(lake: Path) -> list[Path]:
    """The manifests that are whole; `torn` tells of the others."""
    return [path for path in (lake / "raw/deliveries").glob("[!.]*.json") if _sealed(path)]


def landed(lake: Path) -> list[str]:
    """Copies in landing of bytes that were taken."""
    taken = {path.name for path in (lake / "raw/objects").rglob("*") if _HEX.fullmatch(path.name)}
    return [
        f"{path.relative_to(lake).as_posix()} is still in landing"
        for path in sorted((lake / "landing").rglob("*"))
        if path.is_file() and not path.name.startswith(".tmp-") and sha256(path) in taken
    ]


def leftovers(lake: Path) -> list[str]:
    """What dead processes left behind and a run should have swept."""
    found = [path for path in lake.rglob(".tmp-*") if path.is_file()]
    found += [path for path in (lake / ".work").glob("*") if path.name != "spill"]
    return sorted(path.relative_to(lake).as_posix() for path in found)


def apart(seen: Rows, expected: Rows) -> str:
    """How two states differ, in words."""
    names = [name for name in sorted({*seen, *expected}) if seen.get(name) != expected.get(name)]
    return ", ".join(f"{name}: {seen.get(name)} instead of {expected.get(name)}" for name in names)


def unsynced(calls: Sequence[tuple[int, str, str]]) -> list[str]:
    """Names given to files whose bytes, and folders' entries that, were not synced: found in the log of all calls.

    A file must be synced behind its last write and before it gets its name, and its folder (and the parent of a new
    folder) must be synced behind that. A name given to a file that has one already needs the same of the first.
    """
    found = []
    zones = ("/raw/", "/staging/", "/curated/", "/landing/")
    for at, (_, call, told) in enumerate(calls):
        path, _, old = told.partition("\t")
        if not path.startswith(zones):
            continue
        folder = path.rpartition("/")[0]
        if call in {"link", "rename"} and not _bytes_synced(calls[:at], old):
            found.append(f"{path} got its name before its bytes were synced")
        if call in {"link", "rename", "mkdir"} and ("fsync", folder) not in {one[1:] for one in calls[at + 1 :]}:
            found.append(f"{path}: its folder was not synced behind it")
    return found


def _bytes_synced(calls: Sequence[tuple[int, str, str]], path: str) -> bool:
    """Whether the file that has a name at the end of some calls was synced since it was written."""
    mine: list[str] = []
    for _, call, told in reversed(calls):
        new, _, old = told.partition("\t")
        if new == path:
            mine.append(call)
            if call in {"link", "rename"}:
                path = old  # before, it went by that name
    return "fsync" in mine and "write" not in mine[: mine.index("fsync")]
