"""The demo's bank files: as the service writes them, and nothing lost on the way to royalties."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from walking import Walked

from bedrot.demo import catalogue_sheet, distrokid_bank, statements, toolost_sales
from bedrot.demo.arrival import Arrival
from bedrot.demo.bank import NEW, OLD, OLD_LATIN, QUOTED, Spelling, amount, bank_file, resaved_file, rounded
from bedrot.demo.chance import Chance
from bedrot.demo.distrokid_bank import exports, main_lines
from bedrot.demo.label import Label, invent
from bedrot.demo.statements import Line

LABEL = invent(7)
V2 = "Reporting Date|Sale Month|Store|Artist|Title|ISRC|UPC|Quantity|Team Percentage|Song/Album|Country of Sale"
V3 = (
    "Date Inserted|Reporting Date|Sale Month|Store|Artist|Title|ISRC|UPC|Quantity|Team Percentage|Source Type|"
    "Country of Sale|Songwriter Royalties Withheld (USD)|Earnings (USD)|Recoup (USD)"
)


def content(place: int) -> bytes:
    """The bytes of one export, by its place in the list."""
    found = {one.name: one for one in distrokid_bank.arrivals(LABEL)}
    return found[f"distrokid/{exports()[place].name}"].content()


def test_the_old_generation_has_bare_returns_thirteen_columns_and_eight_decimals() -> None:
    text = content(3)
    assert b"\n" not in text
    assert b'"' not in text
    assert text.endswith(b"\r")
    assert not text.startswith(b"\xef")
    heading, *lines = text.decode().removesuffix("\r").split("\r")
    assert heading == f"{V2}|Songwriter Royalties Withheld|Earnings (USD)".replace("|", "\t")
    rows = [line.split("\t") for line in lines]
    assert {len(row) for row in rows} == {13}
    assert all(re.fullmatch(r"-?\d+\.\d{8}", row[12]) and row[11] == "0" for row in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row[0]) and re.fullmatch(r"\d{4}-\d\d", row[1]) for row in rows)
    assert all(re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", row[5]) for row in rows if row[9] == "Song")
    assert [row[0] for row in rows] != sorted(row[0] for row in rows)
    assert {"NA", "XK", "OU", "US"} <= {row[10] for row in rows}
    assert {row[9] for row in rows} == {"Song", "Album"}
    assert all(not row[5] for row in rows if row[9] == "Album")


def test_deductions_stand_beside_sales_with_quantities_of_their_own() -> None:
    rows = [line.split("\t") for line in content(3).decode().removesuffix("\r").split("\r")[1:]]
    below = [row for row in rows if row[12].startswith("-")]
    assert {row[2] for row in below if int(row[7]) > 0} == {"Spotify"}
    assert any(int(row[7]) < 0 for row in below)
    assert any(row[7] == "0" for row in rows)
    twins = [row for row, number in Counter(map(tuple, rows)).items() if number == 2]
    assert twins
    assert {row[2] for row in twins} == {"Facebook"}


def test_the_quoted_generation_has_fifteen_columns_and_twelve_decimals() -> None:
    text = content(5).decode()
    assert text.split("\n")[0] == ",".join(f'"{one}"' for one in V3.split("|"))
    assert text.endswith("\n")
    assert "\r" not in text
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert all(re.fullmatch(r"-?\d+\.\d{12}", row[13]) and row[12] == "0.00000" and row[14] == "" for row in rows)
    assert all(row[0] == row[1] for row in rows)


def test_the_newest_generation_is_tabs_and_returns_again() -> None:
    text = content(10)
    assert b"\n" not in text
    assert b'"' not in text
    assert text.decode().split("\r")[0] == V3.replace("Source Type", "Song/Album").replace("|", "\t")


def test_some_are_latin_and_some_are_packed() -> None:
    with pytest.raises(UnicodeDecodeError):
        content(7).decode()
    assert "Fjärde" in content(7).decode("latin-1")
    with zipfile.ZipFile(io.BytesIO(content(6))) as packed:
        (member,) = packed.infolist()
        assert member.filename.endswith(".csv")
        assert member.compress_type == zipfile.ZIP_STORED


def test_both_precisions_tell_the_same_amounts() -> None:
    old, new = (list(bank_file(one, main_lines(LABEL)[:500], Spelling({}, {}))) for one in (OLD, NEW))
    pairs = zip(b"".join(old).decode().split("\r")[1:-1], b"".join(new).decode().split("\r")[1:-1], strict=True)
    for coarse, fine in pairs:
        one, other = coarse.split("\t")[12], fine.split("\t")[13]
        pico = int(other.replace(".", ""))
        assert one == amount(pico, 8)
    assert (rounded(15_000, 8), rounded(-15_000, 8), rounded(14_999, 8)) == (2, -2, 1)


def test_a_spreadsheet_takes_blanks_months_and_upcs_apart() -> None:
    text = b"".join(resaved_file(main_lines(LABEL)[:50], Spelling({}, {}))).decode()
    heading, first, *_ = text.split("\r\n")
    assert heading.startswith("ReportingDate,SaleMonth,")
    assert heading.endswith(",EarningsUSD")
    assert re.search(r",20\d{4},", first)
    assert re.search(r",1\.99E\+11,", first)


def test_names_tell_the_instant() -> None:
    for one in exports():
        assert re.fullmatch(r"DistroKid_\d{13}_[A-Za-z]+\.(tsv|csv|zip)", one.name)
    assert {one.generation for one in exports()} == {OLD, OLD_LATIN, QUOTED, NEW}


def test_the_same_seed_gives_the_same_bytes_and_another_others() -> None:
    def digest(label: Label) -> str:
        found = hashlib.sha256()
        for one in [*distrokid_bank.arrivals(label), *toolost_sales.arrivals(label), *catalogue_sheet.arrivals(label)]:
            found.update(one.name.encode() + one.content())
        return found.hexdigest()

    assert digest(LABEL) == digest(invent(7)) != digest(invent(8))


def money_files() -> list[Arrival]:
    services = (distrokid_bank, toolost_sales, catalogue_sheet)
    return sorted((one for service in services for one in service.arrivals(LABEL)), key=lambda one: one.at)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    return Walked(tmp_path_factory.mktemp("bank") / "lake", money_files())


def test_royalties_are_the_truth_to_the_last_digit(walked: Walked) -> None:
    assert walked.unplanned() == []
    expected = [one for service in (distrokid_bank, toolost_sales, catalogue_sheet) for one in service.expected(LABEL)]
    assert walked.differences(expected) == []
    assert (walked.summary.rejected, walked.summary.held) == (0, 0)
    missing = next(one for one in distrokid_bank.faults(LABEL) if one.kind == "a country missing from one export")
    (lacking,) = walked.findings().vanished
    assert (lacking["lines"], Decimal(lacking["money"]["earnings"])) == (missing.rows, Decimal(missing.money))


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_any_order_and_repetition_give_the_same_royalties(tmp_path: Path) -> None:
    chance = Chance(20251, "order")
    files = [replace(one, verdict="accepted") if one.verdict == "repeat" else one for one in money_files()]
    given = chance.shuffled([*files, *[one for one in files if chance.happens(150)]])
    expected = [*distrokid_bank.expected(LABEL), *toolost_sales.expected(LABEL)]
    assert Walked(tmp_path / "lake", given).differences(expected) == []


def test_a_deduction_forgotten_by_the_truth_is_seen(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = distrokid_bank.expected(LABEL)[0]
    rows = list(kept.rows)
    assert walked.differences([replace(kept, rows=rows[:-1])]) != []
    assert walked.differences([replace(kept, rows=[*rows, rows[0]])]) != []
    real = statements._lines_of_month

    def without(*told: object) -> Iterator[Line]:
        yield from (line for line in real(*told) if line.kind != "deduction")  # type: ignore[arg-type]

    monkeypatch.setattr(statements, "_lines_of_month", without)
    main_lines.cache_clear()
    try:
        assert walked.differences(distrokid_bank.expected(LABEL)) != []
    finally:
        main_lines.cache_clear()
