"""A lake that the demo's files were given to, for tests: every step is the real one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from bedrot.commands.walk import door_of
from bedrot.config import read_settings
from bedrot.demo.arrival import Arrival, Expected
from bedrot.demo.given import Given, differences, give
from bedrot.lake.ledger import Ledger
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.walk.findings import Findings, read_findings
from bedrot.walk.run import Summary, Walk, finish, run


class Walked:
    """A lake after import and run of these arrivals, in this order; with these settings, or those of a new lake."""

    def __init__(self, root: Path, arrivals: Iterable[Arrival], told: str = "") -> None:
        self.lake = Lake.create(root)
        if told:
            (root / "bedrot.toml").write_text(told, encoding="utf-8")
        settings = read_settings(self.lake.root / "bedrot.toml")
        with Ledger(self.lake.ledger_path) as ledger:
            walk = Walk(self.lake, ledger, settings)
            self.given: list[Given] = list(
                give(
                    arrivals,
                    root.parent / f"{root.name}-downloads",
                    lambda told: door_of(self.lake, ledger, settings, walk.sources, told),
                )
            )
            began = ledger.start_run(datetime.now(UTC))
            self.summary: Summary = run(walk)
            finish(walk, began, self.summary, datetime.now(UTC))

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The published tables by name, staging tables as staging.<table>."""
        snapshot = current(self.lake)
        assert snapshot is not None
        con = open_snapshot(self.lake, snapshot)
        try:
            yield con
        finally:
            con.close()

    def differences(self, expected: Iterable[Expected]) -> list[str]:
        """Where the tables are not as expected."""
        with self.opened() as con:
            return [said for one in expected for said in differences(con, one)]

    def findings(self) -> Findings:
        """What was held and what vanished."""
        return read_findings(self.lake, current(self.lake))

    def unplanned(self) -> list[str]:
        """Files of which the door said something else than planned."""
        return [
            f"{one.arrival.name}: {[(out.verdict, out.sentence) for out in one.outcomes]},"
            f" planned {one.arrival.verdict}"
            for one in self.given
            if not one.as_planned
        ]
