"""Forgetting in the ledger: rows that must go, and every byte of them in its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bedrot import sql
from bedrot.errors import Busy
from bedrot.lake.decisions import Decision
from bedrot.lake.deliveries import Sighting, sightings_name
from bedrot.lake.ledger import Ledger
from bedrot.lake.sealed import iso

_KNOWN = {"deliveries", "sightings", "decisions", "landings", "staged", "memo", "runs", "standings"}
_CURATE = "curate:"
"""In front of what curating remembers: it may be empty at any time."""
_BLOT = "…"


@dataclass(frozen=True)
class Forgotten:
    """What the ledger shall forget: deliveries by id, paths in landing, and decisions and sightings that do not stay.

    `decisions` are all that stay, `sighting_files` the names of the files that do, `sightings` what comes new into
    these: a purge that died may have removed files of raw of which the ledger still knows.

    `named` tells whether a text names what goes; `account` is source and account where all of one goes; runs that ended
    since `since` may have counted money of it.
    """

    deliveries: Sequence[str]
    named: Callable[[str], bool]
    account: tuple[str, str] | None = None
    landings: Sequence[str] = ()
    sighting_files: Sequence[str] = ()
    sightings: Sequence[Sequence[Sighting]] = ()
    decisions: Sequence[Decision] = ()
    since: datetime | None = None


class ForgettingLedger(Ledger):
    """The ledger, opened by one who lets it forget."""

    def forget(self, gone: Forgotten) -> None:
        """Delete all rows about what goes, and the words about it in others, in one transaction."""
        self._all("PRAGMA secure_delete = ON")
        with self.transaction():
            for one in gone.deliveries:
                self._run("DELETE FROM deliveries WHERE id = ?", (one,))
                self._run("DELETE FROM sightings WHERE delivery = ?", (one,))
                self.forget_staged(one)
            for some in gone.sightings:
                self.add_sightings(some)
            files = {str(row[0]) for row in self._all("SELECT DISTINCT file FROM sightings")}
            left = files - set(gone.sighting_files) - {sightings_name(some) for some in gone.sightings}
            self._many("DELETE FROM sightings WHERE file = ?", [(one,) for one in sorted(left)])
            for decision in gone.decisions:
                self.add_decision(decision)
            stay = {one.id for one in gone.decisions}
            self._many("DELETE FROM decisions WHERE id = ?", [(x.id,) for x in self.decisions() if x.id not in stay])
            if gone.account is not None:
                self._run("DELETE FROM standings WHERE source = ? AND account = ?", gone.account)
            self._forget_landings(gone)
            self._forget_runs(gone)
            if gone.deliveries:
                self.memo_forget(self.memo_all(_CURATE))
            self.memo_forget(key for key, value in self.memo_all().items() if gone.named(key) or gone.named(value))
            for table in self._others():
                self._forget_named(table, gone.named)

    def shrink(self) -> None:
        """Write the file anew without what was deleted, now or ever, and empty its log; Busy where others read it."""
        self._all("VACUUM")
        busy = self._all("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
        if busy:
            raise Busy(
                "Another process reads the ledger, so its file still holds what is to go.",
                "Wait until it has finished, then give the same command again.",
                file=str(self.path),
            )

    def _forget_landings(self, gone: Forgotten) -> None:
        """Drop notes of files that go, and blot out what the others say of it."""
        for path in gone.landings:
            self.forget_landing(path)
        for one in self.landings():
            if gone.named(one.sentence) or gone.named(one.do):
                said = (_BLOT if gone.named(one.sentence) else one.sentence, _BLOT if gone.named(one.do) else one.do)
                self._run("UPDATE landings SET sentence = ?, do = ? WHERE path = ?", (*said, one.path))

    def _forget_runs(self, gone: Forgotten) -> None:
        """Take out of the summaries of runs the sentences that name it, and sums that it may be part of."""
        for run, finished, text in self._all("SELECT id, finished_at, summary FROM runs"):
            told = json.loads(text)
            counted = gone.since is not None and finished and finished >= iso(gone.since) and told.get("deliveries")
            new = _without(told, gone.named)
            if counted and new.get("money"):
                new["money"] = {}
            if new != told:
                summary = json.dumps(new, ensure_ascii=False)
                self._run("UPDATE runs SET summary = ? WHERE id = ?", (summary, run))

    def _others(self) -> list[str]:
        """Tables that this module knows nothing about."""
        tables = self._all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return [row[0] for row in tables if row[0] not in _KNOWN]

    def _forget_named(self, table: str, named: Callable[[str], bool]) -> None:
        """Delete the rows of a table of which a text names it."""
        for row in self._all(f"SELECT * FROM {sql.name(table)}"):
            if named(" ".join(str(one) for one in row if isinstance(one, str))):
                columns = [one[1] for one in self._all(f"PRAGMA table_info({sql.name(table)})")]
                same = " AND ".join(f"{sql.name(column)} IS ?" for column in columns)
                self._run(f"DELETE FROM {sql.name(table)} WHERE {same}", row)


def _without(value: Any, named: Callable[[str], bool]) -> Any:
    """A JSON value without the texts that name what goes."""
    if isinstance(value, dict):
        return {key: _without(one, named) for key, one in value.items() if not named(key)}
    if isinstance(value, list):
        return [_without(one, named) for one in value if not (isinstance(one, str) and named(one))]
    return _BLOT if isinstance(value, str) and named(value) else value
