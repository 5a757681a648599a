"""The ledger: SQLite beside the lake, a cache of what raw says and of what the walk found; made anew from raw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from bedrot.errors import Damaged, Misconfigured
from bedrot.lake import disk
from bedrot.lake.database import Database
from bedrot.lake.decisions import Decision, Decisions, read_decision_file
from bedrot.lake.deliveries import (
    Delivery,
    Sighting,
    delivery_as_json,
    delivery_of_json,
    read_manifest_file,
    read_sightings_file,
    sealed_files,
    sightings_name,
    whole_pulls,
)
from bedrot.lake.sealed import canonical, instant, instant_or_none, iso, iso_or_none
from bedrot.lake.zones import Lake


@dataclass(frozen=True)
class Landed:
    """A file in landing that was not accepted: where (relative), what it was called, the verdict and what to do."""

    path: str
    sha256: str
    name: str
    relative: str
    verdict: str
    sentence: str
    do: str
    at: datetime


@dataclass(frozen=True)
class PartitionContent:
    """What a delivery says of one partition: number of rows, and a hash of them as a multiset."""

    partition: str
    rows: int
    digest: str


@dataclass(frozen=True)
class Staged:
    """What staging made of a delivery for one table; paths are relative to the lake.

    `records` are physical records in the file = `rows` + `rejected` + all of `ignored` (by reason). `money` is, by
    field, the sums `file`, `staged` and `rejected` as decimal text and the number of rows `unreadable`; `scale` is the
    most decimals that money has. `until` is the last day of a relative window, where the table has one.
    """

    delivery: str
    table: str
    fingerprint: str
    path: str
    rejects_path: str
    records: int
    rows: int
    rejected: int
    ignored: dict[str, int] = field(default_factory=dict)
    money: dict[str, dict[str, str]] = field(default_factory=dict)
    scale: int = 0
    notes: list[str] = field(default_factory=list)
    contents: list[PartitionContent] = field(default_factory=list)
    until: str | None = None


@dataclass(frozen=True)
class Run:
    """One run of the walk; without `finished_at` it is under way, or was interrupted where `outcome` says so."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    summary: str


@dataclass(frozen=True)
class Standing:
    """How it stood with an account at a service when it was asked: the state, what it means, what to do.

    `after`: from when on asking again makes sense; `first` and `last`: the days that a whole pull asked for.
    """

    source: str
    account: str
    at: datetime
    state: str
    sentence: str = ""
    do: str = ""
    after: datetime | None = None
    first: date | None = None
    last: date | None = None
    requests: int = 0


class Ledger(Database):
    """The facts of a lake; every write is durable when its method, or the transaction around it, returns."""

    @classmethod
    def rebuild(cls, lake: Lake) -> None:
        """Make the ledger anew from the manifests, sightings and decisions in raw; only under the writer lock.

        What became of files that were turned away, and of runs, stands nowhere else: it is taken over where the old
        ledger can be read. What the walk found is forgotten, and found again by the next run. The new ledger takes the
        old one's place as a whole file, so that a process that dies meanwhile leaves the one or the other.
        """
        told = cls._told_nowhere_else(lake)
        new = disk.temporary(lake.ledger_path)
        with cls(new) as ledger, ledger.transaction():
            ledger.catch_up(lake)
            for table, rows in told.items():
                places = ", ".join("?" for _ in rows[0]) if rows else ""
                ledger._many(f"INSERT INTO {table} VALUES ({places})", rows)
        for ending in ("-wal", "-shm"):  # a log that is left beside another file than its own would be read into it
            disk.remove(lake.ledger_path.with_name(lake.ledger_path.name + ending))
        disk.publish(new, lake.ledger_path, replace=True, read_only=False)

    @classmethod
    def _told_nowhere_else(cls, lake: Lake) -> dict[str, list[Any]]:
        """Rows by table of what raw does not tell; none where there is no ledger that this version can read."""
        if not lake.ledger_path.exists():
            return {}
        try:
            with cls(lake.ledger_path) as old:
                return {table: old._all(f"SELECT * FROM {table}") for table in ("landings", "runs", "standings")}
        except (Damaged, Misconfigured):
            return {}

    def catch_up(self, lake: Lake) -> int:
        """Take in what stands in raw and not here yet (a process died in between); how many files that were."""
        known = {str(row[0]) for row in self._all("SELECT id FROM deliveries UNION ALL SELECT id FROM decisions")}
        known |= {str(row[0]) for row in self._all("SELECT DISTINCT file FROM sightings")}
        folders = (lake.deliveries, lake.sightings, lake.decisions)
        new = [[path for path in sealed_files(folder) if path.stem not in known] for folder in folders]
        if not any(new):
            return 0
        with self.transaction():
            for path in new[2]:
                self.add_decision(read_decision_file(path))
            decided = self.decisions()
            for path in new[0]:
                if decided.purged(path.stem) is None:
                    self.add_delivery(read_manifest_file(path))
            for path in new[1]:
                self.add_sightings(read_sightings_file(path))
        return sum(len(paths) for paths in new)

    def add_delivery(self, delivery: Delivery) -> None:
        """Note a delivery; one that is known stays as it is."""
        value = canonical(delivery_as_json(delivery))
        self._run("INSERT INTO deliveries VALUES (?, ?) ON CONFLICT DO NOTHING", (delivery.id, value))

    def deliveries(self) -> list[Delivery]:
        """All deliveries, sorted by id."""
        return [delivery_of_json(json.loads(row[0])) for row in self._all("SELECT value FROM deliveries ORDER BY id")]

    def whole_deliveries(self) -> list[Delivery]:
        """The deliveries to walk: those that came alone, with a whole pull, or again after one that broke off.

        What was purged is not among them, and makes no pull a broken one.
        """
        decided = self.decisions()
        left = [one for one in self.deliveries() if decided.purged(one.id) is None]
        return whole_pulls(left, self.sightings, decided.purged_pulls)

    def delivery(self, delivery: str) -> Delivery | None:
        """The delivery of that id, None where there is none."""
        rows = self._all("SELECT value FROM deliveries WHERE id = ?", (delivery,))
        return delivery_of_json(json.loads(rows[0][0])) if rows else None

    def add_sightings(self, sightings: Sequence[Sighting]) -> None:
        """Note the sightings of one import command, as `write_sightings` keeps them."""
        name = sightings_name(sightings) if sightings else ""
        rows = [
            (name, i, one.delivery, iso(one.at), iso_or_none(one.claimed_at), one.name, one.relative)
            for i, one in enumerate(sightings)
        ]
        self._many("INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def sightings(self) -> list[Sighting]:
        """All sightings, in order of time."""
        query = "SELECT delivery, at, claimed_at, name, relative FROM sightings ORDER BY file, place"
        return [Sighting(row[0], instant(row[1]), instant_or_none(row[2]), row[3], row[4]) for row in self._all(query)]

    def add_decision(self, decision: Decision) -> None:
        """Note a decision; one that is known stays as it is."""
        told = (decision.id, decision.kind, decision.target, decision.because, iso(decision.at), decision.value)
        self._run("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", told)

    def decisions(self) -> Decisions:
        """All decisions."""
        rows = self._all("SELECT id, kind, target, because, at, value FROM decisions")
        return Decisions(Decision(row[0], row[1], row[2], row[3], instant(row[4]), row[5]) for row in rows)

    def note_landing(self, landed: Landed) -> None:
        """Note what became of a file in landing; the last word on a path counts."""
        told = (*list(vars(landed).values())[:-1], iso(landed.at))
        self._run("INSERT OR REPLACE INTO landings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", told)

    def landings(self) -> list[Landed]:
        """All files in landing that were not accepted, by path."""
        rows = self._all("SELECT path, sha256, name, relative, verdict, sentence, do, at FROM landings ORDER BY path")
        return [Landed(*(*row[:7], instant(row[7]))) for row in rows]

    def forget_landing(self, path: str) -> None:
        """Forget a file that is no longer in landing."""
        self._run("DELETE FROM landings WHERE path = ?", (path,))

    def save_staged(self, staged: Staged) -> None:
        """Note what staging made of a delivery for a table, in place of what an older contract or reader made."""
        value = canonical({**vars(staged), "contents": [vars(one) for one in staged.contents]})
        self._run("INSERT OR REPLACE INTO staged VALUES (?, ?, ?)", (staged.delivery, staged.table, value))

    def staged(self) -> list[Staged]:
        """All that is staged, by delivery and table."""
        values = (json.loads(row[0]) for row in self._all("SELECT value FROM staged ORDER BY delivery, of_table"))
        return [
            Staged(**{**value, "contents": [PartitionContent(**one) for one in value["contents"]]}) for value in values
        ]

    def forget_staged(self, delivery: str) -> None:
        """Forget what is staged of a delivery."""
        self._run("DELETE FROM staged WHERE delivery = ?", (delivery,))

    def memo_get(self, key: str) -> str | None:
        """What was remembered under a key, None where nothing was."""
        rows = self._all("SELECT value FROM memo WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def memo_put(self, key: str, value_json: str) -> None:
        """Remember one value."""
        self.memo_put_many({key: value_json})

    def memo_put_many(self, values: Mapping[str, str]) -> None:
        """Remember values, all in one transaction."""
        self._many("INSERT OR REPLACE INTO memo VALUES (?, ?)", list(values.items()))

    def memo_all(self, prefix: str = "") -> dict[str, str]:
        """All that is remembered under keys that begin with `prefix`."""
        query = "SELECT key, value FROM memo WHERE substr(key, 1, ?) = ? ORDER BY key"
        return dict(self._all(query, (len(prefix), prefix)))

    def memo_forget(self, keys: Iterable[str]) -> None:
        """Forget keys, all in one transaction."""
        self._many("DELETE FROM memo WHERE key = ?", [(key,) for key in keys])

    def note_standing(self, standing: Standing) -> None:
        """Note how it stands with an account at a service."""
        days = (one.isoformat() if one else None for one in (standing.first, standing.last))
        told = (standing.source, standing.account, iso(standing.at), standing.state, standing.sentence, standing.do)
        columns = "source, account, at, state, sentence, do, after, first, last, requests"
        self._run(
            f"INSERT INTO standings ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*told, iso_or_none(standing.after), *days, standing.requests),
        )

    def asked_accounts(self) -> list[tuple[str, str]]:
        """The accounts that were ever asked for, as source and account."""
        return [(row[0], row[1]) for row in self._all("SELECT DISTINCT source, account FROM standings ORDER BY 1, 2")]

    def standings(self, source: str, account: str) -> list[Standing]:
        """How it stood with an account at a service each time that it was asked, the last time last."""
        rows = self._all(
            "SELECT at, state, sentence, do, after, first, last, requests FROM standings"
            " WHERE source = ? AND account = ? ORDER BY id",
            (source, account),
        )
        return [
            Standing(
                source,
                account,
                at=instant(row[0]),
                state=row[1],
                sentence=row[2],
                do=row[3],
                after=instant_or_none(row[4]),
                first=_day(row[5]),
                last=_day(row[6]),
                requests=row[7],
            )
            for row in rows
        ]

    def start_run(self, at: datetime) -> int:
        """Note that a run begins, and that runs which never finished were interrupted; gives its number."""
        with self.transaction():
            self._run("UPDATE runs SET outcome = 'interrupted' WHERE finished_at IS NULL")
            told = "INSERT INTO runs (started_at, outcome, summary) VALUES (?, 'running', '{}') RETURNING id"
            return int(self._all(told, (iso(at),))[0][0])

    def finish_run(self, run: int, at: datetime, outcome: str, summary_json: str) -> None:
        """Note how a run ended."""
        told = "UPDATE runs SET finished_at = ?, outcome = ?, summary = ? WHERE id = ?"
        self._run(told, (iso(at), outcome, summary_json, run))

    def runs(self) -> list[Run]:
        """All runs, the first one first."""
        rows = self._all("SELECT id, started_at, finished_at, outcome, summary FROM runs ORDER BY id")
        return [Run(row[0], instant(row[1]), instant_or_none(row[2]), row[3], row[4]) for row in rows]


def _day(told: str | None) -> date | None:
    """A day as the ledger keeps it, None where there is none."""
    return date.fromisoformat(told) if told else None
