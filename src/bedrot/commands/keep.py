"""Commands that keep the lake safe: backup, restore."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from bedrot.commands.common import JsonOption, LakeOption, disk_refusals, located, logged, out, plain, show, writing
from bedrot.commands.walk import progress_of
from bedrot.config import lake_of_environment
from bedrot.errors import Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake

if TYPE_CHECKING:
    from bedrot.walk.backup import Backed

app = typer.Typer()


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A folder outside of the lake: another disk, or a synced folder.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every byte in the folder back, and bring anew what is damaged.")
    ] = False,
    keep: Annotated[int | None, typer.Option(help="Forget all but the newest so many backups.", min=1)] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back the lake up into a folder: only what is new, also while a run writes; without log-ins, which it never holds.

    Exit code 1 where the lake or the folder holds damage, 2 where a backup in the folder lost something for good.
    """
    from bedrot.walk.backup import back_up

    where, settings = located(lake)
    with logged(where, settings), disk_refusals(where), progress_of(as_json) as progress:
        done = back_up(where, target, datetime.now(UTC), keep=keep, read_back=verify, progress=progress)
    if as_json:
        counts = {"files": len(done.record.files), "bytes": done.record.size, "snapshot": done.record.snapshot}
        told = {name: value for name, value in vars(done).items() if name not in ("record", "snapshot")}
        show([{"backup": done.record.name, **counts, **told}], as_json=True, empty="")
    else:
        _say_backup(done, where, target, verified=verify)
    if done.lost:
        raise typer.Exit(2)
    if done.damaged or done.missing or done.healed:
        raise typer.Exit(1)


def _say_backup(done: Backed, where: Lake, target: Path, *, verified: bool) -> None:
    """A backup as sentences."""
    from bedrot.walk.backup_work import megabytes

    one = done.record
    if done.made:
        state = f"snapshot {one.snapshot}" if one.snapshot else "no snapshot yet"
        out.print(f"Backup {one.name}: {state}, {_files(len(one.files))}, {megabytes(one.size)}.")
        out.print(f"Brought: {_files(done.new_files)}, {megabytes(done.new_bytes)}; the rest was there.")
    else:
        out.print(f"Nothing is new since backup {one.name}, which stands.")
    if verified and not (done.healed or done.lost):
        out.print("Every byte in the folder was read back and is what it was.")
    _say_list("Damaged in the folder, and brought anew from the lake: look after that disk", done.healed)
    _say_list("Damaged in the folder, and no more in the lake", done.lost)
    if done.lost:
        out.print("  What to do: back up into a new folder on another disk; --keep 1 forgets older backups.")
    _say_list("Damaged in the lake, so not backed up anew", done.damaged)
    _say_list("Missing in the lake", done.missing)
    if done.damaged or done.missing:
        out.print("  What to do: run `bedrot verify`. No older backup was forgotten, for it may hold them.")
    _say_list("Not in the backup, for nobody has looked at them yet: run `bedrot run`", done.unread)
    _say_list("Not in the backup, for they are not the lake's", done.left_out)
    if done.forgotten:
        out.print(f"Forgotten: {', '.join(done.forgotten)}.")
    if done.made and one.number == 1:
        out.print("This is the first backup in that folder.")
        if target.stat().st_dev == where.root.stat().st_dev:
            out.print("It lies on the same disk as the lake: unless it is synced, both are lost when that breaks.")
    if done.made:
        shown = f'"{target.absolute()}"' if " " in str(target.absolute()) else str(target.absolute())
        out.print(escape(plain(f"Bring it back with: bedrot restore --from {shown} --lake NEW-FOLDER")))
        out.print("Log-ins are in your vault, not in the lake, and not in the backup.")


def _files(number: int) -> str:
    """A number of files in words."""
    return "1 file" if number == 1 else f"{number:,} files"


def _say_list(what: str, names: list[str]) -> None:
    """Names under what is said of them; the first ten of them."""
    if names:
        more = f", and {len(names) - 10:,} more" if len(names) > 10 else ""
        out.print(escape(plain(f"{what}: {', '.join(names[:10])}{more}.")))


@app.command()
def restore(
    number: Annotated[int | None, typer.Argument(help="The number of a snapshot that is in the archive.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="The folder of backups: bring a whole lake back from it.")
    ] = None,
    which: Annotated[str, typer.Option("--backup", help="Which backup, by its name or instant; else the newest.")] = "",
    every: Annotated[bool, typer.Option("--list", help="Only list the backups in the folder.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a snapshot back from the archive, or (--from) a whole lake from a backup, into an empty or a new folder.

    A snapshot can then be read with --snapshot; a later run may move it back. A lake is checked as by `bedrot verify`;
    exit code 2 where something is amiss.
    """
    if (number is None) == (source is None):
        raise Misconfigured(
            "It is not clear what to bring back.",
            "Name a snapshot (bedrot restore 3), or the folder of backups (bedrot restore --from FOLDER).",
        )
    if source is None and (which or every):
        raise Misconfigured("--backup and --list belong to --from.", "Name the folder of backups with --from.")
    if number is not None:
        _restore_snapshot(number, lake)
    elif source is not None and every:
        _list(source, as_json=as_json)
    elif source is not None:
        _restore_lake(source, (lake or lake_of_environment() or Path.cwd()).absolute(), which, as_json=as_json)


def _restore_snapshot(number: int, lake: Path | None) -> None:
    """A snapshot from the archive."""
    from bedrot.walk import archive

    with writing(lake) as (where, _, _):
        written = archive.restore_snapshot(where, number)
    out.print(f"{len(written)} files are back; read them with --snapshot {number}.")


def _list(source: Path, *, as_json: bool) -> None:
    """The backups in a folder."""
    from bedrot.walk.backup_restore import backups

    found, broken = backups(source)
    rows = [
        {"backup": one.name, "snapshot": one.snapshot, "files": len(one.files), "bytes": one.size, "whole": "yes"}
        for one in found
    ]
    nothing = {"snapshot": 0, "files": 0, "bytes": 0, "whole": "no: its record is damaged"}
    rows += [{"backup": name, **nothing} for name in broken]
    show(sorted(rows, key=lambda row: str(row["backup"])), as_json=as_json, empty="There is no backup.")


def _restore_lake(source: Path, root: Path, which: str, *, as_json: bool) -> None:
    """A lake from a backup, verified."""
    from bedrot.tell.verify import verify
    from bedrot.walk.backup_restore import restore_from

    lake = Lake(root)
    with disk_refusals(lake), progress_of(as_json) as progress:
        done = restore_from(source, root, which, progress)
    with Ledger(lake.ledger_path) as ledger:
        found = list(verify(lake, ledger))
    one = done.record
    if as_json:
        breaches = [{"law": each.law, "breach": each.what, "do": each.do} for each in found]
        told = {"backup": one.name, "lake": str(root), "files": len(one.files), "written": done.written}
        show([{**told, "snapshot": one.snapshot, "broken": done.broken, "breaches": breaches}], as_json=True, empty="")
    else:
        whole = _files(len(one.files) - len(done.broken))
        out.print(escape(plain(f"Backup {one.name} is back in {root}: {whole}.")))
        _say_list("The backup has these no more as they were", done.broken)
        for each in found:
            out.print(escape(plain(f"Law {each.law}: {each.what}")))
            out.print(escape(f"  What to do: {each.do}"))
    if found or done.broken:
        raise typer.Exit(2)
    if not as_json:
        out.print("All bytes and facts are as they should be.")
        out.print("Log-ins are not in a backup: on another computer, give them again with `bedrot login`.")
