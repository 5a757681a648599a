"""A pull is walked whole or not at all, whatever came of it before the computer went off."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedrot.config import Settings
from bedrot.contract import Original
from bedrot.lake import deliveries
from bedrot.lake import ledger as ledger_module
from bedrot.lake.ledger import Ledger
from bedrot.lake.snapshot import current
from bedrot.lake.zones import Lake
from bedrot.sources import find_sources
from bedrot.tell.status import status
from bedrot.tell.verify import verify
from bedrot.walk.accept import Door, Told
from bedrot.walk.rebuild import rebuild
from bedrot.walk.run import Walk, run

NOW = datetime(2025, 6, 2, 18, tzinfo=UTC)
PAGES = [
    json.dumps(
        {
            "data": [
                {"account_id": "77", "account_currency": "USD", "campaign_id": "1", "adset_id": "2", "ad_id": ad}
                | {"ad_name": "A", "spend": "1.5", "impressions": "10", "clicks": "1"}
                | {"date_start": "2025-06-01", "date_stop": "2025-06-01"}
            ]
        }
    )
    for ad in "345"
]
ASKED = {"level": "ad", "time_increment": "1"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def take(lake: Lake, folder: Path, places: list[int]) -> list[str]:
    """Offer some pages of one pull of three."""
    found = []
    with Ledger(lake.ledger_path) as ledger:
        for place in places:
            path = folder / f"metaads_20250602_180000_77_insights_{place}.json"
            path.write_text(PAGES[place])
            told = Told("77", NOW, batch="20250602T180000-metaads-ab/3", window=ASKED)
            door = Door(lake, ledger, find_sources(), {}, told, NOW)
            found.append(door.take(Original(path, path.name, path.name)).verdict)
    return found


def walked(lake: Lake) -> int:
    """The rows of insights after a run."""
    with Ledger(lake.ledger_path) as ledger:
        run(Walk(lake, ledger, Settings()), NOW)
    snapshot = current(lake)
    assert snapshot is not None
    return sum(part.rows for part in snapshot.tables["staging.metaads_insights"].parts)


def test_two_of_three_files_are_in_no_table_and_three_are(lake: Lake, tmp_path: Path) -> None:
    assert take(lake, tmp_path, [0, 1]) == ["accepted"] * 2
    assert walked(lake) == 0
    assert take(lake, tmp_path, [2]) == ["accepted"]
    assert walked(lake) == 3


def test_a_walk_that_takes_what_is_there_is_seen(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "whole_pulls", lambda found, *_: found)
    take(lake, tmp_path, [0, 1])
    assert walked(lake) == 2


def test_the_lake_is_whole_with_half_a_pull_in_it(lake: Lake, tmp_path: Path) -> None:
    take(lake, tmp_path, [0, 1])
    walked(lake)
    with Ledger(lake.ledger_path) as ledger:
        assert list(verify(lake, ledger)) == []
        assert rebuild(Walk(lake, ledger, Settings()), NOW).equal
    Ledger.rebuild(lake)
    assert walked(lake) == 0


def test_a_file_of_half_a_pull_is_walked_when_it_comes_again(lake: Lake, tmp_path: Path) -> None:
    take(lake, tmp_path, [0, 1])
    assert walked(lake) == 0
    path = tmp_path / "metaads_20250602_180000_77_insights_0.json"
    with Ledger(lake.ledger_path) as ledger:
        door = Door(lake, ledger, find_sources(), {}, Told("77", NOW, window=ASKED), NOW + timedelta(hours=1))
        assert [one.verdict for one in door.offer([path])] == ["repeat"]
    assert walked(lake) == 1
    Ledger.rebuild(lake)
    assert walked(lake) == 1


def told(lake: Lake) -> list[str]:
    """What status says that somebody has to act on."""
    with Ledger(lake.ledger_path) as ledger:
        return status(Walk(lake, ledger, Settings())).needs


def test_status_says_that_half_a_pull_is_in_no_table_until_it_came_whole(lake: Lake, tmp_path: Path) -> None:
    take(lake, tmp_path, [0, 1])
    walked(lake)
    (said,) = told(lake)
    assert said.startswith("Of what was fetched from metaads, 77, as 20250602T180000-metaads-ab, 2 of 3 files came")
    assert "`bedrot fetch metaads --account 77`" in said
    take(lake, tmp_path, [2])
    walked(lake)
    assert told(lake) == []


def test_what_was_asked_proves_that_figures_are_of_a_day(lake: Lake, tmp_path: Path) -> None:
    """One record an ad does not show that it is a day's: the request does."""
    take(lake, tmp_path, [0, 1, 2])
    walked(lake)
    snapshot = current(lake)
    assert snapshot is not None
    assert sum(part.rows for part in snapshot.tables["ads_daily"].parts) == 3


def test_the_number_of_files_stands_in_the_name_of_the_pull() -> None:
    def delivery(number: int, batch: str) -> deliveries.Delivery:
        return deliveries.Delivery(
            str(number), "", 0, "s", "f", "a", NOW, "told", False, "", "", NOW, batch=batch
        )  # fmt: skip

    found = [delivery(0, ""), delivery(1, "x/2"), delivery(2, "x/2"), delivery(3, "y/2")]
    assert [one.id for one in deliveries.whole_pulls(found, list)] == ["0", "1", "2"]
