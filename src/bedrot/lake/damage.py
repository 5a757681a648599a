"""Which file is behind an error of the engine: a table's file that is not what was written is named, with what to do.

Asked only when something failed: then the files are hashed, or read to their end where no hash of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bedrot import sql
from bedrot.errors import BedrotError, Damaged, StorageFailed
from bedrot.lake.objects import hash_file
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    from bedrot.lake.snapshot import Snapshot

_OF_THE_QUERY = {
    "BinderException",
    "CatalogException",
    "InterruptException",
    "OutOfMemoryException",
    "ParserException",
    "PermissionException",
    "SyntaxException",
}
"""What the engine says of a query, or of the machine, whatever the files hold."""


def files_of(snapshot: Snapshot) -> dict[str, str]:
    """The files of a snapshot by path, with the hash of their bytes; an empty text where none is kept."""
    return {part.path: part.sha256 for table in snapshot.tables.values() for part in table.parts}


@contextmanager
def naming_damage(lake: Lake, snapshot: Snapshot, *, ours: bool = False) -> Iterator[None]:
    """Raise Damaged, naming the file, where an error of the engine comes of a file of the snapshot that is not whole.

    Other errors go through as they are, and so do ours that the engine was not the cause of. `ours`: the SQL inside is
    ours, so that even what the engine says of the SQL itself may come of a file.
    """
    import duckdb  # noqa: PLC0415  who reads or writes records of snapshots needs this module, not the engine

    try:
        yield
    except (duckdb.Error, BedrotError) as wrong:
        found = damage_behind(wrong, lake, lambda: files_of(snapshot), ours=ours)
        if found is None:
            raise
        raise found from wrong


def damage_behind(
    wrong: Exception, lake: Lake, files: Callable[[], Mapping[str, str]], *, ours: bool = False
) -> Damaged | None:
    """The error that names a damaged file among these, where one can be the cause; None where all are whole."""
    said = wrong.__cause__ if isinstance(wrong, BedrotError) else wrong
    if isinstance(wrong, Damaged) or type(said).__module__.partition(".")[0] not in {"duckdb", "_duckdb"}:
        return None
    if type(said).__name__ in _OF_THE_QUERY and not ours:
        return None
    return find_damage(lake, files())


def find_damage(lake: Lake, files: Mapping[str, str]) -> Damaged | None:
    """The error that names the first of these files that is missing, cut short or changed; None where all are whole."""
    for path, sha256 in sorted(files.items()):
        if why := _wrong_with(lake, path, sha256):
            return Damaged(f"The file {why}.", "Run `bedrot rebuild`: tables are made anew from raw.", file=path)
    return None


def _wrong_with(lake: Lake, path: str, sha256: str) -> str:
    """What is wrong with a file, nothing where it is whole."""
    import duckdb  # noqa: PLC0415  as above

    where = lake.absolute(path)
    try:
        if sha256:
            return "" if hash_file(where)[0] == sha256 else "is not what was published: it was cut short or changed"
        with sql.connect(None, 1) as con:
            con.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM read_parquet({sql.files([where])})").fetchall()
    except duckdb.Error as broken:
        return f"cannot be read: it was cut short or changed ({str(broken).splitlines()[0]})"
    except StorageFailed as gone:
        return f"cannot be read ({gone.sentence.rstrip('.')})"
    return ""
