"""Collect: a person downloads with their own browser; what arrives is recognised by its content and taken in.

A Downloads folder holds other people's business too. So each file is asked about where it lies, and only what a feed of
the asked sources knows, or what such a source calls private, comes to the door of the lake; all else is left alone.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath

from bedrot.connect.guide import Task, forgets, newest_day
from bedrot.contract import Original, Source
from bedrot.contract.zips import packed
from bedrot.errors import STUMBLES, BedrotError, Busy, Misconfigured, Refused
from bedrot.lake.ledger import Ledger
from bedrot.walk.accept import Outcome
from bedrot.walk.found import is_litter, is_unfinished, sayable
from bedrot.walk.identify import identify

PAUSE = 0.5
"""Seconds between two looks."""
STILL = 2
"""A file is whole when so many looks in a row have seen it as the look before did."""
PATIENCE = timedelta(minutes=2)
"""After so long without a file the next page is opened."""

_DATA = {".csv", ".tsv", ".txt", ".json", ".html", ".htm", ".xlsx"}
_MIXED = "Other files lie beside the data in this zip; nothing of it was taken."

State = tuple[int, int]
"""Size and time of change of a file."""


class Downloads:
    """The files right in a folder that came or changed since `since` (None: since now), each told once it is whole."""

    def __init__(self, folder: Path, since: datetime | None = None) -> None:
        self._folder = folder
        after = None if since is None else int(since.timestamp()) * 10**9
        self._done = {path: state for path, state in self._states().items() if after is None or state[1] < after}
        self._seen: dict[Path, tuple[State, int]] = {}

    def look(self) -> list[Path]:
        """The files that are whole now and were not told before, in the order of their names."""
        states = self._states()
        counted = {path: self._seen.get(path, (state, -1)) for path, state in states.items()}
        self._seen = {path: (state, counted[path][1] + 1 if counted[path][0] == state else 0)
                      for path, state in states.items() if self._done.get(path) != state}  # fmt: skip
        whole = [
            path for path, (state, still) in self._seen.items() if still >= STILL and _finished(path, state, states)
        ]
        for path in sorted(whole):
            self._done[path] = self._seen.pop(path)[0]
        return sorted(whole)

    def again(self, path: Path) -> None:
        """Tell the file once more at a later look."""
        self._done.pop(path, None)

    @property
    def unfinished(self) -> int:
        """How many files came that are not whole yet."""
        return len(self._seen)

    def _states(self) -> dict[Path, State]:
        """Size and time of each plain file of the folder; Misconfigured where it cannot be looked into."""
        found: dict[Path, State] = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if not is_litter(entry.name) and (told := _stat(entry)) is not None:
                        found[Path(entry.path)] = told
        except OSError as failed:
            raise Misconfigured(
                f"The folder of downloads cannot be looked into: {failed.strerror}.",
                "Name the folder that your browser saves to: --downloads FOLDER.",
                file=str(self._folder),
            ) from failed
        return found


def _stat(entry: os.DirEntry[str]) -> State | None:
    """Size and time of a plain file; None for all else, and for what is gone meanwhile."""
    try:
        # Not of the entry: on Windows that is what the folder last noted, not how the file is now.
        told = os.stat(entry.path, follow_symlinks=False)  # noqa: PTH116
    except OSError:
        return None
    return (told.st_size, told.st_mtime_ns) if stat.S_ISREG(told.st_mode) else None


def _finished(path: Path, state: State, others: Iterable[Path]) -> bool:
    """Whether no browser writes the file any more: some keep its place with an empty file of the final name."""
    if not state[0] or is_unfinished(path.name):
        return False
    return not any(is_unfinished(one.name) and one.name.startswith(path.name + ".") for one in others)


def offered(original: Original, sources: Sequence[Source]) -> bool:
    """Whether a file may come to the door: a feed of the sources knows it (broken or not), or it is private to one.

    A zip that no feed knows as a whole may, where each file in it may; Refused where only some of them may.
    """
    if _known(original, sources):
        return True
    if not _yes(lambda one: one.is_zip and not one.is_workbook, original):
        return False
    names = [name for name in original.member_names if not name.endswith(("/", "\\")) and not is_litter(name)]
    known = _known_members(original, sources) if any(_is_data(name) for name in names) else 0
    if 0 < known < len(names):
        raise Refused(_MIXED, "Unpack it into Downloads: only the data is taken.", file=original.name)
    return known > 0


def _known(original: Original, sources: Sequence[Source]) -> bool:
    """Whether a feed of the sources knows the file, or one of the sources calls it private."""
    return any(
        _yes(feed.knows, original) for source in sources for feed in source.feeds
    ) or any(_yes(source.private, original) for source in sources)  # fmt: skip


def _yes(question: Callable[[Original], object], original: Original) -> bool:
    """The answer to a question; no where the file is so strange that the question fails."""
    try:
        return bool(question(original))
    except (BedrotError, OSError, *STUMBLES):
        return False


def _is_data(name: str) -> bool:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower() in _DATA


def _known_members(original: Original, sources: Sequence[Source]) -> int:
    """How many files in a zip are known; only what may be data is unpacked, outside of the lake, while it is asked."""
    known = 0
    try:
        with tempfile.TemporaryDirectory(prefix="bedrot-look-") as folder:
            path = Path(folder) / "member"
            for member in packed(original.path, original.name):
                if is_litter(member.name) or not _is_data(member.name):
                    continue
                _unpack(member.pieces, path)
                name = sayable(PurePosixPath(member.name.replace("\\", "/")).name)
                known += _known(Original(path, name, f"{original.relative}/{member.name}", member.time), sources)
    except (Refused, OSError):
        return known
    return known


def _unpack(pieces: Iterator[bytes], path: Path) -> None:
    """The bytes of a member as far as they can be read: a broken one is known by its beginning."""
    with path.open("wb") as out:
        try:
            for piece in pieces:
                out.write(piece)
        except Refused:
            return


@dataclass
class Collect:
    """One collection at work. `offer` gives a file to the door; `say`, `tell` and `show` speak to the person.

    `say` gets a sentence, `tell` what became of a file, `show` a page's address to open (None: pages are only named).
    """

    tasks: Sequence[Task]
    sources: Sequence[Source]
    downloads: Downloads
    offer: Callable[[Path], list[Outcome]]
    say: Callable[[str], None]
    tell: Callable[[Outcome], None]
    show: Callable[[str], None] | None
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    done: set[Task] = field(default_factory=set)
    outcomes: dict[Path, list[Outcome]] = field(default_factory=dict)
    others: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ahead = list(self.tasks)
        self._last = self.clock()
        self._current: Task | None = None
        self._page = ""
        self._busy = False

    def watch(self, ended: Callable[[], bool]) -> None:
        """Guide and take what arrives, until all is ticked and nothing is under way, or somebody ends it."""
        while not ended():
            self._guide()
            for path in self.downloads.look():
                self._last = self.clock()
                self._take(path, patient=True)
            if len(self.done) == len(self.tasks) and not self.downloads.unfinished:
                return
            self.sleep(PAUSE)

    def once(self) -> None:
        """Take what lies there; Busy where another process writes to the lake."""
        for look in range(STILL + 1):
            if look:
                self.sleep(PAUSE)
            for path in self.downloads.look():
                self._take(path, patient=False)

    @property
    def needs_person(self) -> bool:
        """Whether a file was refused or waits; what came better later under the same name counts as that."""
        return any(one.needs_person for outcomes in self.outcomes.values() for one in outcomes)

    def left_alone(self) -> Iterator[str]:
        """Sentences on the files that were not touched, which name none of them."""
        if self.others:
            number = len(self.others)
            yield f"{number} other {'file' if number == 1 else 'files'} left alone."
        for said, number in sorted(Counter(filter(None, self.others.values())).items()):
            yield f"Of these, {number}: {said}"
        if number := self.downloads.unfinished:
            yield f"{number} {'download is' if number == 1 else 'downloads are'} empty or not finished."

    def missing(self, ledger: Ledger, today: date) -> Iterator[str]:
        """Each step that is not ticked, with what the service will have forgotten if it is left, and the evidence."""
        missing = [task for task in self.tasks if task not in self.done]
        for task in missing:
            yield f"Missing: {task.label}. {forgets(task.source, task.step.keeps, newest_day(task, ledger), today)}"
        told = {task.source.title: task.source.remembers.evidence for task in missing}
        for title, evidence in told.items():
            yield f"How it is known what {title} keeps: {evidence}"

    def _guide(self) -> None:
        """Say what to do next, and show its page: when the one before is done, or nothing came for a while."""
        while self._ahead:
            waits = self.show is not None and self.clock() - self._last < PATIENCE
            if waits and self._current is not None and self._current not in self.done:
                return
            task = self._ahead.pop(0)
            if task in self.done:
                continue
            self._current, self._last = task, self.clock()
            self.say(f"{self.tasks.index(task) + 1} of {len(self.tasks)}: {task.label}\n    {task.step.page}")
            for press in task.step.press:
                self.say(f"    - {press}")
            marks = "; ".join(f"{mark}, {mark.words}" for mark in task.step.marks)
            self.say(f"    How this is known ({marks}): {task.step.known}")
            if self.show is not None and task.step.page != self._page:
                self._page = task.step.page
                self.show(task.step.page)

    def _take(self, path: Path, *, patient: bool) -> None:
        """Offer one file where it is of the sources, tick what it is for; leave it alone where it is not."""
        name = sayable(path.name)
        original = Original(path, name, name)
        try:
            if not offered(original, self.sources):
                self.others[path] = _shape(original, self.sources)
                return
            outcomes = self.offer(path)
        except Refused as mixed:
            outcomes = [Outcome(name, "waiting", sentence=mixed.sentence, do=mixed.do)]
        except Busy as busy:
            if not patient:
                raise
            if not self._busy:
                self.say(f"{busy.sentence} The file waits until that has ended.")
            self._busy = True
            self.downloads.again(path)
            return
        self._busy = False
        self.others.pop(path, None)
        self.outcomes[path] = outcomes
        for outcome in outcomes:
            self.tell(outcome)
            ticked = [one for one in self.tasks if one not in self.done and one.ticked_by(outcome)]
            self.done.update(ticked)
            for task in ticked:
                self.say(f"    Done: {task.label}.")


def _shape(original: Original, sources: Sequence[Source]) -> str:
    """What is wrong with a page or a zip that nobody knows, without its name; blank for all other files."""
    try:
        if original.is_zip or original.head_text.lstrip("\ufeff \t\r\n").startswith("<"):
            identify(original, sources)
    except Refused as wrong:
        return f"{wrong.sentence} {wrong.do}"
    except (BedrotError, OSError, *STUMBLES):
        return ""
    return ""
