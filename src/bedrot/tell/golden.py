"""Golden answers: what each sample of a source becomes, for a person to read once and for tests to hold against."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bedrot import sql
from bedrot.contract import Original, Source
from bedrot.contract.typing_sql import LOCATOR
from bedrot.errors import Misconfigured, Refused
from bedrot.lake import disk
from bedrot.lake.ledger import Ledger, Staged
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources, folder_of
from bedrot.walk.accept import Door, Told
from bedrot.walk.stage import StageTask, stage_delivery

EXPECTED = ".expected.json"
GIVEN = ".given.json"
_LATE = datetime(2100, 1, 1, tzinfo=UTC)
"""When samples are received where `.given.json` does not say: after all their days."""

_GIVEN_KEYS = {"account", "exported_at", "received_at", "accept_resaved", "relative"}


@dataclass(frozen=True)
class Sample:
    """A sample file, what a person says with it, and where its golden answer stands."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def expected_path(self) -> Path:
        """Where the golden answer stands."""
        return self.path.with_name(self.name + EXPECTED)

    @property
    def given(self) -> dict[str, Any]:
        """What a person says with the file; Misconfigured for a key that means nothing."""
        path = self.path.with_name(self.name + GIVEN)
        if not path.is_file():
            return {}
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if strange := sorted(given.keys() - _GIVEN_KEYS):
            raise Misconfigured(
                f"'{strange[0]}' is nothing that can be given.", f"Known are {_listed(_GIVEN_KEYS)}.", file=str(path)
            )
        return given

    @property
    def original(self) -> Original:
        """The file as it would be given."""
        return Original(self.path, self.name, str(self.given.get("relative", self.name)))


def golden_folder(source: Source) -> Path:
    """Where a source keeps its samples."""
    return folder_of(source) / "golden"


def samples_of(source: Source) -> list[Sample]:
    """The samples of a source, by name."""
    files = sorted(path for path in golden_folder(source).glob("*") if path.is_file() and path.name[0] != ".")
    return [Sample(path) for path in files if not path.name.endswith((EXPECTED, GIVEN))]


def write_golden(name: str, further: tuple[Path, ...]) -> list[Path]:
    """Write the golden answer beside each sample of the source of that name; gives the files written.

    Raises Misconfigured where there is no such source or it has no sample, Refused where a sample is not accepted.
    """
    found = {source.name: source for source in find_sources(further)}
    if name not in found:
        raise Misconfigured(f"There is no source '{name}'.", f"Known are {_listed(found)}.")
    samples = samples_of(found[name])
    if not samples:
        where = str(golden_folder(found[name]))
        raise Misconfigured(f"The source '{name}' has no sample.", "Put one into its folder golden/.", file=where)
    for sample in samples:
        disk.put_text(sample.expected_path, golden_text(answer(sample, further)), replace=True, read_only=False)
    return [sample.expected_path for sample in samples]


def golden_text(told: dict[str, Any]) -> str:
    """A golden answer as text."""
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def answer(sample: Sample, further: tuple[Path, ...]) -> dict[str, Any]:
    """What a sample becomes: who it is, and of each table counts, sums, first and last row, and why rows are rejected.

    The sample goes through the same door and the same staging as any file, in a lake that is thrown away.
    """
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        lake = Lake.create(Path(folder) / "lake")
        staged = stage_sample(sample, lake, further)
        with Ledger(lake.ledger_path) as ledger:
            delivery = ledger.deliveries()[0]
        return {
            "feed": delivery.feed,
            "account": delivery.account,
            "exported_at": delivery.exported_at.isoformat(),
            "exported_basis": delivery.exported_basis,
            "resaved": delivery.resaved,
            "tables": {
                one.table: _table(lake, one) for one in sorted(staged, key=lambda one: one.table) if one.records
            },
        }


def stage_sample(sample: Sample, lake: Lake, further: tuple[Path, ...]) -> list[Staged]:
    """Accept and stage a sample in an empty lake; Refused, with the reason, where it is not accepted."""
    given = sample.given
    exported, received = _instant(given.get("exported_at")), _instant(given.get("received_at"))
    told = Told(given.get("account"), exported, None, bool(given.get("accept_resaved")))
    with Ledger(lake.ledger_path) as ledger:
        door = Door(lake, ledger, find_sources(further), {}, told, received or _LATE)
        outcome = door.take(sample.original)
        delivery = ledger.delivery(outcome.delivery) if outcome.delivery else None
    if delivery is None:
        raise Refused(f"The sample is {outcome.verdict}: {outcome.sentence}", outcome.do, file=sample.name)
    return stage_delivery(StageTask(lake.root, delivery, delivery.account, further))


def _table(lake: Lake, staged: Staged) -> dict[str, Any]:
    """One table of a golden answer."""
    con = sql.connect(None)
    try:
        found = con.execute(
            f"SELECT * EXCLUDE (_delivery) REPLACE ({LOCATOR} AS _locator)"
            f" FROM read_parquet({sql.text(lake.absolute(staged.path).as_posix())}) ORDER BY _line"
        )
        names = [column[0] for column in found.description]
        rows = [
            {name: _plain(value) for name, value in zip(names, row, strict=True) if name != "_line"}
            for row in found.fetchall()
        ]
        rejects: list[tuple[str, str]] = []
        if staged.rejects_path:
            path = sql.text(lake.absolute(staged.rejects_path).as_posix())
            rejects = con.execute(f"SELECT _locator, reason FROM read_parquet({path}) ORDER BY _line").fetchall()
    finally:
        con.close()
    return {
        "records": staged.records,
        "rows": staged.rows,
        "rejected": staged.rejected,
        "ignored": staged.ignored,
        "money": {name: _sums(sums) for name, sums in staged.money.items()},
        "notes": staged.notes,
        "rejects": [f"{locator}: {reason}" for locator, reason in rejects],
        "first": rows[0] if rows else None,
        "last": rows[-1] if rows else None,
        "all_rows_sha256": hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest(),
    }


def _sums(sums: dict[str, str]) -> dict[str, str]:
    """Sums of money without zeros that say nothing."""
    return {name: amount if name == "unreadable" else _digits(Decimal(amount)) for name, amount in sums.items()}


def _plain(value: object) -> object:
    """A typed value as JSON holds it: amounts as plain digits in a text, days in ISO form."""
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


def _digits(amount: Decimal) -> str:
    """An amount as plain digits, without zeros behind the last decimal that counts."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(told: str | None) -> datetime | None:
    """The instant of an ISO text, UTC where no zone is told."""
    if told is None:
        return None
    at = datetime.fromisoformat(told)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _listed(names: Any) -> str:
    """Names for a sentence."""
    return ", ".join(sorted(names))
