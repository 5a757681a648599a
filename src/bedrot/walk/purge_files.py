"""Purge among the files of the lake: which must go, and which are written anew without some lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bedrot.contract import Original
from bedrot.contract.original import WHOLE_BYTES
from bedrot.errors import STUMBLES, BedrotError
from bedrot.lake import objects
from bedrot.lake.decisions import Decisions
from bedrot.lake.deliveries import Sighting, read_sightings_file, sealed_files
from bedrot.lake.forget import Forgotten
from bedrot.lake.snapshot import Snapshot
from bedrot.lake.zones import Lake
from bedrot.walk.archive import named_by
from bedrot.walk.identify import identify
from bedrot.walk.purge_build import Made
from bedrot.walk.purge_states import derived_goes
from bedrot.walk.purge_subject import Subject, account_named
from bedrot.walk.run import Walk

Named = Callable[[str], bool]


@dataclass
class Files:
    """The files that go: records of states, rows below staging and curated, the rest of all zones, manifests.

    `lines` are files that lose lines; `sightings` come in place of files that go; `named` are the files that states
    which stay name; `forgotten` is what the ledger forgets; `left` says what nobody can decide but a person.
    """

    is_named: Named
    forgotten: Forgotten
    records: list[Path] = field(default_factory=list)
    derived: list[Path] = field(default_factory=list)
    rest: list[Path] = field(default_factory=list)
    lines: list[Path] = field(default_factory=list)
    manifests: list[Path] = field(default_factory=list)
    sightings: list[Sequence[Sighting]] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)


def find_files(
    walk: Walk,
    subject: Subject,
    named: Named,
    *,
    stay: Sequence[Snapshot],
    made: Made | None,
    gone: Iterable[int],
    decisions: Decisions,
) -> Files:
    """All files of the lake that hold what must go; nothing is changed."""
    lake = walk.lake
    found = Files(named, Forgotten(sorted(subject.ids), named, subject.account))
    found.named = {path for one in stay for path in named_by(one)} | (set(made.named) if made else set())
    found.records = [path for number in sorted(gone) if (path := lake.snapshot_path(number)).exists()]
    if subject.ids:
        found.derived = [path for path in _derived(lake) if derived_goes(lake.relative(path), subject, found.named)]
    found.manifests = [lake.manifest_path(one.id) for one in subject.deliveries]
    found.rest = [path for one in sorted(subject.objects) if (path := lake.object_path(one)).exists()]
    landed, untold = _landed(walk, subject, named)
    sighting_files, found.sightings = _sightings(lake, subject)
    stay_decided = {one.id for one in decisions}
    dropped = [path for path in sealed_files(lake.decisions) if path.stem not in stay_decided]
    found.rest += [*landed, *sighting_files, *dropped]
    found.rest += _scratch(lake, subject, named)
    found.lines = [path for path in _files(lake.logs) if any(named(_text(line)) for line in _lines(path))]
    found.forgotten = Forgotten(
        deliveries=sorted(subject.ids),
        named=named,
        account=subject.account,
        landings=[
            one.path
            for one in walk.ledger.landings()
            if lake.absolute(one.path) in landed or not lake.absolute(one.path).exists()
        ],
        sighting_files=[path.stem for path in sealed_files(lake.sightings) if path not in sighting_files],
        sightings=found.sightings,
        decisions=list(decisions),
        since=min((one.received_at for one in subject.deliveries), default=None),
    )
    found.left = _left(lake, subject, named, untold)
    return found


def removed_lines(path: Path, named: Named) -> Iterator[bytes]:
    """The lines of a file that do not name what goes."""
    return (line for line in _lines(path) if not named(_text(line)))


def _derived(lake: Lake) -> Iterator[Path]:
    """The files below staging and curated."""
    for zone in (lake.staging, lake.curated):
        yield from _files(zone)


def _files(folder: Path) -> list[Path]:
    """All files below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _landed(walk: Walk, subject: Subject, named: Named) -> tuple[list[Path], list[Path]]:
    """The files in landing that must go; and those of its sources of which nobody can tell whose they are."""
    notes = {one.path: one for one in walk.ledger.landings()}
    mine: list[Path] = []
    untold: list[Path] = []
    for path in _files(walk.lake.landing):
        note = notes.get(walk.lake.relative(path))
        sha256 = objects.hash_file(path)[0]
        names = f"{path.name}\n{note.name}\n{note.relative}" if note else path.name
        if sha256 in subject.objects or named(names) or _says(walk, subject, path, note.name if note else path.name):
            mine.append(path)
        elif subject.account and not any(sha256 == one.object for one in subject.others):
            untold.append(path)
    return mine, untold


def _says(walk: Walk, subject: Subject, path: Path, name: str) -> bool:
    """Whether a file itself says that it is of the account."""
    if subject.account is None or path.stat().st_size > WHOLE_BYTES:
        return False
    try:
        found = identify(Original(path, name, name), walk.sources)
        if found.account is not None:
            return (found.source.name, found.account) == subject.account
    except (BedrotError, OSError, *STUMBLES):
        pass
    return account_named(subject)(path.read_bytes().decode("utf-8", "replace"))


def _sightings(lake: Lake, subject: Subject) -> tuple[list[Path], list[Sequence[Sighting]]]:
    """The files of sightings that must go, and what comes in their place."""
    paths: list[Path] = []
    instead: list[Sequence[Sighting]] = []
    for path in sealed_files(lake.sightings):
        told = read_sightings_file(path)
        left = [one for one in told if one.delivery not in subject.ids]
        if len(left) < len(told):
            paths.append(path)
            instead += [left] if left else []
    return paths, instead


def _scratch(lake: Lake, subject: Subject, named: Named) -> Iterator[Path]:
    """Captures, pulls that nobody took in, and records that were set aside as damaged."""
    for path in _files(lake.captures):
        if (subject.account and path.name.startswith(f"{subject.account[0]}-")) or named(_text(path.read_bytes())):
            yield path
    for source in subject.sources:
        yield from _files(lake.pulls / source)
    for path in _files(lake.archive / "damaged"):
        text = _text(path.read_bytes())
        if named(text) or any(one in text for one in subject.ids):
            yield path


def _left(lake: Lake, subject: Subject, named: Named, untold: Sequence[Path]) -> list[str]:
    """Sentences about what a person has to look at."""
    said = [
        f"{lake.relative(path)} was never accepted, and nobody can tell whose it is: look at it, and delete it yourself"
        " if it must go."
        for path in untold
    ]
    if subject.named_so:
        ids = ", ".join(one.id[:12] for one in subject.named_so)
        said.append(f"Deliveries that came under that name belong to another account, and stay: {ids}.")
    zones = {lake.landing, lake.raw, lake.staging, lake.curated, lake.archive, lake.work, lake.logs, lake.captures}
    ours = {lake.ledger_path.name, f"{lake.ledger_path.name}-wal", f"{lake.ledger_path.name}-shm"}
    for top in sorted(lake.root.iterdir()):
        if top in zones or top.name in ours or top == lake.config_path:
            continue
        said += [
            f"{lake.relative(path)} names it: change it yourself."
            for path in ([top] if top.is_file() else _files(top))
            if path.stat().st_size <= WHOLE_BYTES and named(_text(path.read_bytes()))
        ]
    return said


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, with their ends."""
    with path.open("rb") as file:
        yield from file


def _text(data: bytes) -> str:
    """Bytes as text, however they are meant."""
    return data.decode("utf-8", "replace")
