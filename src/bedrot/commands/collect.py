"""The command that guides a person through their own downloads: collect."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from bedrot.commands.common import LakeOption, err, instant, opened, out, plain, writing
from bedrot.errors import Misconfigured

if TYPE_CHECKING:
    from bedrot.connect.collect import Collect
    from bedrot.connect.guide import Guide, Task
    from bedrot.contract import Source
    from bedrot.walk.accept import Outcome

app = typer.Typer()

_DAY = timedelta(days=1)


@app.command()
def collect(
    source: Annotated[str | None, typer.Argument(help="The service; what is due of all, if left out.")] = None,
    downloads: Annotated[
        Path | None, typer.Option(help="Where your browser saves to, if not the usual folder.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Whose data it is, where the files do not say.")] = None,
    since: Annotated[str | None, typer.Option(help="Take what was downloaded since that day, too.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Take the downloads of the last day, and end.")] = False,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the pages in your browser.")] = True,
    lake: LakeOption = None,
) -> None:
    """Be guided through the downloads in your own browser; what arrives is recognised and taken. Ctrl-C ends it."""
    from bedrot.commands.walk import say_outcome
    from bedrot.connect.collect import Collect, Downloads

    folder = (downloads or _usual_folder()).absolute()
    after = instant(since, "--since") or (datetime.now(UTC) - _DAY if once else None)
    guides, tasks = _planned(lake, source, account, folder)
    if not tasks:
        out.print("Nothing is due. To collect all the same, name the service: bedrot collect SOURCE")
        return
    work = Collect(
        tasks,
        [one for one, _ in guides],
        Downloads(folder, after),
        offer=lambda path: _offer(path, lake, account),
        say=lambda said: out.print(escape(said)),
        tell=lambda outcome: say_outcome(vars(outcome)),
        show=_show if open_ and not once else None,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
    if once:
        work.once()
    else:
        for one, guide in guides:
            if guide.note and any(task.source is one for task in tasks):
                out.print(escape(f"{one.title}: {guide.note}"))
        out.print(escape(f"Log in as you always do. What you save to {folder} is taken from there; Ctrl-C ends this."))
        with _ctrl_c() as ended:
            work.watch(ended)
    _sum_up(work, lake)
    if work.needs_person:
        raise typer.Exit(1)


def _planned(
    lake: Path | None, source: str | None, account: str | None, folder: Path
) -> tuple[list[tuple[Source, Guide]], list[Task]]:
    """The guides asked for, and their steps that are due; all steps where a source was named."""
    from bedrot.connect.guide import due, guide_of, tasks_of
    from bedrot.sources import find_sources
    from bedrot.walk.attribute import Told, checked

    checked(Told(account), datetime.now(UTC))
    with opened(lake) as (found, ledger, settings):
        zones = (found.landing, found.raw, found.staging, found.curated, found.archive)
        real = folder.resolve()
        if real == found.root.resolve() or any(real.is_relative_to(zone.resolve()) for zone in zones):
            raise Misconfigured("This folder belongs to the lake itself.", "Name another one: --downloads FOLDER.")
        guides = [(one, guide_of(one)) for one in find_sources(settings.source_folders(found.root))]
        known = [(one, guide) for one, guide in guides if guide is not None]
        asked = [(one, guide) for one, guide in known if source in (None, one.name)]
        if not asked:
            names = ", ".join(one.name for one, _ in known)
            raise Misconfigured(f"There is no guide for '{source}'.", f"There are: {names}.")
        whose = {one.name: (account,) if account else settings.accounts_of(one.name) for one, _ in asked}
        tasks = tasks_of(asked, whose)
        now = datetime.now(UTC)
        return asked, [task for task in tasks if source is not None or due(task, ledger, now)]


def _offer(path: Path, lake: Path | None, account: str | None) -> list[Outcome]:
    """Give one file to the door of the lake, which is locked for so long only."""
    from bedrot.commands.walk import door_of
    from bedrot.sources import find_sources
    from bedrot.walk.accept import Told

    with writing(lake) as (where, ledger, settings):
        sources = find_sources(settings.source_folders(where.root))
        return list(door_of(where, ledger, settings, sources, Told(account)).offer([path]))


def _show(page: str) -> None:
    """Open a page in the person's own browser; its address stands in the steps in any case."""
    import webbrowser

    with suppress(webbrowser.Error):
        if webbrowser.open(page):
            return
    err.print("No browser could be opened here: open the address yourself.")


def _sum_up(work: Collect, lake: Path | None) -> None:
    """What came, what is missing, and what was left alone."""
    out.print(f"{len(work.done)} of {len(work.tasks)} steps done.")
    with opened(lake) as (_found, ledger, _settings):
        for said in work.missing(ledger, datetime.now(UTC).date()):
            out.print(escape(plain(said)))
    for said in work.left_alone():
        out.print(escape(plain(said)))
    if any(one.verdict == "accepted" for outcomes in work.outcomes.values() for one in outcomes):
        out.print("Next: bedrot run")


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Tells whether somebody pressed Ctrl-C, which ends the watching only; a second one ends the program."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield lambda: False
        return

    def note(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _usual_folder() -> Path:
    """The folder that browsers of this person save to, as far as the system tells."""
    home = Path.home()
    if sys.platform == "win32":
        import winreg

        shell = r"Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders"
        with suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, shell) as key:
            told = str(winreg.QueryValueEx(key, "{374DE290-123F-4565-9164-39C4925E467B}")[0])
            return Path(winreg.ExpandEnvironmentStrings(told))
    with suppress(OSError, UnicodeDecodeError):
        told = (home / ".config" / "user-dirs.dirs").read_text(encoding="utf-8")
        if named := re.search(r'^XDG_DOWNLOAD_DIR="(\$HOME/)?([^"]+)"', told, re.MULTILINE):
            return home / named[2] if named[1] else Path(named[2])
    return home / "Downloads"
