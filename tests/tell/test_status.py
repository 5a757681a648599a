"""Status and what is set aside: told from the data, with the sentence and the place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from laking import GOLDEN, Label, Line, bank, bank_name

from bedrot.config import ArtistRule, Control, Settings
from bedrot.errors import Misconfigured
from bedrot.lake.opened import open_snapshot
from bedrot.lake.snapshot import current
from bedrot.tell import asides
from bedrot.tell.status import Status, status
from bedrot.walk.findings import read_findings

GOOD = [Line("2025-01-31", "Spotify", "Tin", "3", "0.314999"), Line("2025-01-20", "Tidal", "Tin", "1", "1.5")]
BAD = Line("2025-02-28", "Tidal", "Tin", "1", "1,5")


def control(period: str, amount: str, **more: str) -> Control:
    return Control(source="distrokid", period=period, amount=Decimal(amount), **more)


CONTROLS = (
    control("2025-01", "1.81"),
    control("2025", "1.814999"),
    control("2025-01", "1.815"),
    control("2025-01", "1.82"),
    control("2024", "0"),
    control("2025-01", "1.81", currency="EUR"),
    control("2025-01", "1.81", account="other"),
)


@pytest.fixture(scope="module")
def label(tmp_path_factory: pytest.TempPathFactory) -> Label:
    rules = (ArtistRule(name="Paper Comets"),)
    made = Label(tmp_path_factory.mktemp("label"), Settings(control=CONTROLS, artist=rules))
    made.give("2025-03-01", bank_name("2025-03-01"), bank(*GOOD, BAD))
    made.give("2025-03-02", bank_name("2025-03-02"), bank(GOOD[0]))
    made.give("2025-03-03", "notes.csv", "what,is,this\n1,2,3\n")
    made.give("2025-03-03", "apple_stats.html", GOLDEN / "distrokid" / "golden" / "apple_stats.html")
    made.run()
    return made


@pytest.fixture
def told(label: Label) -> Status:
    return status(label.walk)


def test_each_feed_says_until_when_its_data_goes_and_what_came_of_it(told: Status) -> None:
    bank_row = next(one for one in told.feeds if one.feed == "distrokid.bank")
    assert vars_of(bank_row) == ("main", "2025-01-31", 2, 2, 1, 0, 0)
    apple = next(one for one in told.feeds if one.feed == "distrokid.apple")
    assert apple.data_until == "2025-03-06", "the last day of the daily series, not the day of the export"


def vars_of(row: object) -> tuple[object, ...]:
    names = ("account", "data_until", "deliveries", "rows", "rejected", "held", "vanished")
    return tuple(getattr(row, name) for name in names)


def test_a_file_that_was_not_taken_stands_there_with_its_sentence(told: Status) -> None:
    (file,) = told.files
    assert (file.verdict, file.file) == ("unrecognised", "notes.csv")
    assert "No source knows this file" in file.why
    assert file.do
    assert file.lies_at.startswith("landing/unknown/")


def test_a_control_agrees_to_the_decimals_that_it_tells_and_the_difference_is_exact(told: Status) -> None:
    assert [one.agrees for one in told.controls] == [True, True, True, False, False, False, False]
    assert [one.ours for one in told.controls[:4]] == [Decimal("1.814999")] * 4
    assert told.controls[3].difference == Decimal("-0.005001")
    assert [one.ours for one in told.controls[4:]] == [None] * 3, "a period without lines is unknown and not zero"
    assert told.controls[4].difference is None


def test_what_needs_somebody_is_counted(told: Status) -> None:
    assert told.needs == [
        "1 file was not taken: do what stands beside each.",
        "1 row was set aside: see `bedrot rejects`.",
        "4 controls differ: see the controls above.",
    ]


def test_names_that_are_not_joined_are_listed(told: Status) -> None:
    assert {(one["what"], one["source"], one["account"]) for one in told.unjoined} == {("account", "distrokid", "main")}


def test_what_is_in_raw_and_in_no_table_is_said_until_the_run(tmp_path: Path) -> None:
    made = Label(tmp_path)
    assert status(made.walk).needs == []
    made.give("2025-03-01", bank_name("2025-03-01"), bank(*GOOD))
    assert status(made.walk).needs == ["1 delivery is in raw and in no table yet: run `bedrot run`."]
    made.run()
    assert status(made.walk).needs == []
    made.decide("2025-03-02", "retract", made.ledger.deliveries()[0].id)
    (need,) = status(made.walk).needs
    assert need.startswith("Files, decisions, settings or the program changed")
    made.run()
    found = status(made.walk)
    assert (found.needs, found.feeds) == ([], [])


def test_a_file_in_landing_that_nothing_is_known_about_is_said(tmp_path: Path) -> None:
    made = Label(tmp_path)
    made.give("2025-03-01", bank_name("2025-03-01"), bank(*GOOD))
    made.run()
    (made.lake.landing / "dropped.csv").write_bytes(b"a,b\n")
    assert [(one.verdict, one.file) for one in status(made.walk).files] == [("unknown", "dropped.csv")]


def test_a_control_of_no_period_is_refused_with_a_sentence(tmp_path: Path) -> None:
    made = Label(tmp_path, Settings(control=(control("2025-13", "1"),)))
    made.give("2025-03-01", bank_name("2025-03-01"), bank(*GOOD))
    made.run()
    with pytest.raises(Misconfigured, match="The control of '2025-13' has no such period"):
        status(made.walk)


def test_a_rejected_row_has_line_field_reason_text_and_file(label: Label) -> None:
    (row,) = asides.rejects(label.lake, asides.gather(label.ledger))
    assert (row["file"], row["line"], row["field"]) == (bank_name("2025-03-01"), "line 4", "earnings")
    assert row["reason"].startswith("earnings: '1,5' is not an amount")
    assert row["text"] == BAD.text()
    assert asides.rejects(label.lake, asides.gather(label.ledger), "distrokid_bank") == [row]
    with pytest.raises(Misconfigured, match=r"No file was ever read into a table 'nope'\. Tables with files are: "):
        asides.rejects(label.lake, asides.gather(label.ledger), "nope")


def test_rows_of_a_retracted_delivery_are_not_listed(tmp_path: Path) -> None:
    made = Label(tmp_path)
    delivery = made.give("2025-03-01", bank_name("2025-03-01"), bank(*GOOD, BAD))
    made.run()
    assert len(asides.rejects(made.lake, asides.gather(made.ledger))) == 1
    made.decide("2025-03-02", "retract", delivery)
    assert asides.rejects(made.lake, asides.gather(made.ledger)) == []


def test_a_held_key_shows_what_is_published_and_what_the_file_says(tmp_path: Path) -> None:
    made = Label(tmp_path)
    name = bank_name("2025-03-01")
    made.give("2025-03-01", name, bank(GOOD[0], GOOD[1]))
    other = Line("2025-01-20", "Tidal", "Tin", "1", "1.75")
    delivery = made.give("2025-03-02", name, bank(GOOD[0], other))
    made.run()
    snapshot = current(made.lake)
    findings = read_findings(made.lake, snapshot)
    tables = {one.name: one for source in made.walk.sources for feed in source.feeds for one in feed.tables}
    assert snapshot is not None
    con = open_snapshot(made.lake, snapshot)
    (row,) = asides.held(made.lake, con, findings, asides.gather(made.ledger), tables)
    con.close()
    assert (row["delivery"], row["file"], row["approved"]) == (delivery, name, False)
    assert [one["earnings"] for one in row["published"]] == [Decimal("1.5")]
    assert [one["earnings"] for one in row["told"]] == [Decimal("1.75")]
    assert status(made.walk).needs == ["1 thing is held: see `bedrot held`."]
    made.decide("2025-03-03", "approve", row["id"])
    assert not any("held" in need for need in status(made.walk).needs)
    made.run()
    assert made.total() == Decimal("2.064999")


def test_ids_match_whole_or_by_four_characters_and_more() -> None:
    ids = ["abcdef", "abcdxx", "ffff00"]
    assert list(asides.matching("ffff", ids)) == ["ffff00"]
    assert list(asides.matching("abcd", ids)) == ["abcdef", "abcdxx"]
    assert list(asides.matching("fff", ids)) == []
    assert list(asides.matching("ab", [*ids, "ab"])) == ["ab"]
