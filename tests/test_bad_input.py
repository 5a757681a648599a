"""What bad input gets: a sentence that says what is wrong and what to do; nothing is lost, other files go on."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from pathlib import Path

import pytest

import giving
from giving import BANK, GOLDEN, SECRET, Person

HEADINGS = BANK.read_bytes().split(b"\r", 1)[0].decode().split("\t")
LINES = [line.split("\t") for line in BANK.read_bytes().decode().split("\r")[1:] if line]
NAME = BANK.name
EARNED = next(place for place, title in enumerate(HEADINGS) if title.startswith("Earnings"))
REPORTED = HEADINGS.index("Reporting Date")


@pytest.fixture
def label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return giving.person(tmp_path, monkeypatch, capsys)


def bank(headings: list[str], lines: list[list[str]], divider: str = "\t") -> bytes:
    return ("\r".join(divider.join(row) for row in [headings, *lines]) + "\r").encode()


def rejects(label: Person) -> list[dict[str, str]]:
    return json.loads(label.bedrot("rejects", "--json").out)


def staged(label: Person, what: str = "count(*) AS n, sum(earnings) AS earned") -> list[dict[str, str]]:
    answer = label.bedrot("sql", f"SELECT {what} FROM staging.distrokid_bank", "--format", "json")
    return json.loads(answer.out)


def assert_waits(label: Person, row: dict[str, str], content: bytes) -> None:
    """The file was not taken, and its bytes and the reason are in landing."""
    (noted,) = [one for one in label.landed() if one.sentence == row["sentence"]]
    assert label.kept(noted) == content
    assert (noted.verdict, noted.do, noted.relative) == (row["verdict"], row["do"], row["name"])
    assert content not in label.raw()


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b"\0" * 10_000, b" " * 50])
def test_an_empty_file(label: Person, content: bytes) -> None:
    path = label.file("DistroKid_1748520000000_x.tsv", content)
    row = label.one(path)
    assert (row["verdict"], row["sentence"], row["do"]) == ("refused", "The file is empty.", "Download it again.")
    assert label.raw() == set()
    if content:
        assert_waits(label, row, content)


def test_a_bad_file_does_not_stop_the_others(label: Person) -> None:
    label.file("a.csv", b"")
    label.file("b.tsv", BANK.read_bytes()[:-300])
    label.file(f"c/{NAME}", BANK.read_bytes())
    label.file("d.bin", b"\x89PNG\r\n\x1a\n\0\0")
    rows = label.give(label.downloads)
    assert [row["verdict"] for row in rows] == ["refused", "refused", "unrecognised", "accepted"]
    assert label.raw() == {BANK.read_bytes()}


LOG_IN = (
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form><input type='password'></form></body></html>"
)


@pytest.mark.parametrize(
    "name", ["stats.html", NAME, "export.csv", "toolost_spotify_20250601_081500.json", "Overview.csv"]
)
def test_a_log_in_page_saved_as_data(label: Person, name: str) -> None:
    row = label.one(label.file(name, LOG_IN))
    assert row["verdict"] == "refused"
    assert row["sentence"] == "This is a log-in page, not the data: the session had ended when it was saved."
    assert row["do"] == "Log in, and download it again."
    assert_waits(label, row, LOG_IN.encode())


def test_an_answer_that_says_log_in(label: Person) -> None:
    said = '{"error": {"message": "Session has expired", "type": "OAuthException", "code": 190}}'
    row = label.one(label.file("insights.json", said))
    assert row["verdict"] == "refused"
    assert "log in" in row["do"].lower()
    unknown = label.one(label.file("stats.json", '{"status": 401, "title": "Unauthorized"}'))
    assert (unknown["verdict"], unknown["do"]) == ("refused", "Log in, and download it again.")


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"data": []}', '{"error": "not found"}', "maintenance", "<html>x</html>"]
)
def test_an_answer_without_data_reaches_raw_nowhere(label: Person, text: str) -> None:
    for source in ("toolost_spotify_20250601_081500.json", "graphql_20250703_090012_104500.json", "insights.json"):
        row = label.one(label.file(source, text))
        assert row["verdict"] in ("refused", "unrecognised", "waiting"), row
        assert row["sentence"]
        assert row["do"]
    assert label.raw() == set()


def test_a_wrong_delimiter(label: Person) -> None:
    row = label.one(label.file(NAME, bank(HEADINGS, LINES, "|")))
    assert row["verdict"] == "unrecognised"
    assert "The nearest is distrokid.bank" in row["sentence"]
    assert "divided by '|', where a comma, a semicolon or a tab was expected" in row["sentence"]


def test_a_missing_heading_is_named(label: Person) -> None:
    for place, title in enumerate(HEADINGS):
        without = [[one for at, one in enumerate(row) if at != place] for row in [HEADINGS, *LINES]]
        row = label.one(label.file(NAME, bank(without[0], without[1:])))
        if row["verdict"] == "accepted":
            continue  # a heading that a generation of exports lacks
        assert title in row["sentence"], row
        assert row["do"]
    assert "Earnings (USD)" in HEADINGS


def test_a_renamed_heading_is_named(label: Person) -> None:
    renamed = ["Revenue" if title.startswith("Earnings") else title for title in HEADINGS]
    row = label.one(label.file(NAME, bank(renamed, LINES)))
    assert row["verdict"] == "unrecognised"
    assert "Revenue" in row["sentence"]
    assert "It would need: Earnings (USD)." in row["sentence"]


def test_a_heading_that_stands_twice(label: Person) -> None:
    doubled = [[*row, row[EARNED]] for row in [HEADINGS, *LINES]]
    row = label.one(label.file(NAME, bank(doubled[0], doubled[1:])))
    assert row["verdict"] == "refused"
    assert row["sentence"].startswith("line 1, heading 'Earnings (USD)': Two headings mean the same")


def test_reordered_and_further_headings_are_taken(label: Person) -> None:
    label.one(BANK)
    label.bedrot("run")
    before = staged(label)
    turned = [["new", *reversed(row)] for row in LINES]
    row = label.one(label.file("DistroKid_1748520000001_x.tsv", bank(["Surprise", *reversed(HEADINGS)], turned)))
    assert row["verdict"] == "accepted"
    label.bedrot("run")
    assert staged(label) == before


def test_a_heading_row_in_the_middle_is_no_sale(label: Person) -> None:
    label.one(label.file(NAME, bank(HEADINGS, [*LINES[:5], HEADINGS, *LINES[5:]])))
    answer = json.loads(label.bedrot("run", "--json").out)
    assert answer["ignored"] == {"heading row repeated": 1}
    assert (answer["rows"], answer["rejected"]) == (len(LINES), 0)


@pytest.mark.parametrize(
    "number",
    [
        "1,234.56",
        "$1.31",
        "1,31",
        "1.234,56",
        "NaN",
        "inf",
        "1_000",
        "0x1F",
        "1.2345678901234567890",
        "1e-30",
        "--1",
        "1 2",
    ],
)
def test_a_number_that_is_no_amount_is_set_aside_with_its_line(label: Person, number: str) -> None:
    wrong = list(LINES[3])
    wrong[EARNED] = number
    label.one(label.file(NAME, bank(HEADINGS, [*LINES[:3], wrong, *LINES[4:]])))
    answer = label.bedrot("run", "--json")
    told = json.loads(answer.out)
    assert (answer.code, told["rows"], told["rejected"]) == (1, len(LINES) - 1, 1)
    (row,) = rejects(label)
    assert "earnings" in json.dumps(row)
    assert "line 5" in json.dumps(row)
    assert "an amount such as 1.31000000" in json.dumps(row)
    money = told["money"]["distrokid_bank.earnings"]
    assert money["file"] == money["staged"]
    assert money["unreadable"] == "1"


def test_an_exponent_that_is_exact_is_read_exactly(label: Person) -> None:
    small = list(LINES[3])
    small[EARNED] = "1.31E-05"
    label.one(label.file(NAME, bank(HEADINGS, [small, LINES[4]])))
    label.bedrot("run")
    first = staged(label, "earnings")
    assert '0.0000131"' in json.dumps(first)


def test_a_date_in_the_future_is_set_aside(label: Person) -> None:
    ahead = list(LINES[3])
    ahead[REPORTED] = "2999-01-01"
    label.one(label.file(NAME, bank(HEADINGS, [ahead, *LINES])))
    label.bedrot("run")
    (row,) = rejects(label)
    assert "2999-01-01 lies in the future" in json.dumps(row)


def test_a_name_that_dates_itself_ahead_or_long_ago_waits(label: Person) -> None:
    for number, year in ((9748520000000, "2278"), (48520000000, "1971")):
        row = label.one(label.file(f"DistroKid_{number:013d}_x.tsv", BANK.read_bytes()))
        assert row["verdict"] == "waiting"
        assert f"The name of the file says {year}" in row["sentence"]
        assert "--exported-at" in row["do"]
    assert (
        label.one(label.downloads / "DistroKid_9748520000000_x.tsv", "--exported-at", "2025-06-01")["verdict"]
        == "accepted"
    )


@pytest.mark.parametrize("option", ["--exported-at", "--received-at"])
@pytest.mark.parametrize("when", ["2999-01-01", "0001-01-01T00:00:00+14:00", "1970-01-01", "yesterday"])
def test_a_day_that_cannot_be_is_no_day_of_a_download(label: Person, option: str, when: str) -> None:
    answer = label.bedrot("import", BANK, option, when)
    assert answer.code == 2
    assert option in answer.err
    assert "mistake of the program" not in answer.err
    assert label.raw() == set()


def test_a_date_without_a_year_that_nothing_tells(label: Person) -> None:
    path = GOLDEN["tiktok"] / "Overview.en_GB.csv"
    row = label.one(path, "--account", "nova")
    assert row["verdict"] == "waiting"
    assert "--exported-at" in row["do"]
    assert_waits(label, row, path.read_bytes())
    (noted,) = label.landed()
    again = label.one(label.lake.absolute(noted.path), "--account", "nova", "--exported-at", "2025-12-31")
    assert again["name"] == "Overview.en_GB.csv"


def test_a_json_document_with_a_key_twice(label: Person) -> None:
    path = GOLDEN["toolost"] / "toolost_spotify_20250601_081500.json"
    text = path.read_text(encoding="utf-8")
    key = re.findall(r'"(\w+)"\s*:', text)[0]
    twice = text.replace("{", f'{{"{key}": 1, ', 1)
    row = label.one(label.file(path.name, twice))
    assert row["verdict"] == "refused"
    assert f"The key '{key}' stands twice in one object" in row["sentence"]


@pytest.mark.parametrize("bomb", ["[" * 100_000, '{"data":' * 100_000, '{"data":[' + "[" * 100_000, "[[]," * 100_000])
def test_a_nesting_bomb(label: Person, bomb: str) -> None:
    for name in ("toolost_spotify_20250601_081500.json", "insights.json", "graphql_20250703_090012_104500.json"):
        row = label.one(label.file(name, bomb))
        assert row["verdict"] in ("refused", "unrecognised"), row


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 100_000])
def test_a_json_number_that_is_none(label: Person, number: str) -> None:
    path = GOLDEN["metaads"] / "insights_page_2.json"
    text = re.sub(r'"impressions"\s*:\s*"\d+"', f'"impressions": {number}', path.read_text(encoding="utf-8"), count=1)
    assert number in text
    row = label.one(label.file(path.name, text), "--account", "x", "--exported-at", "2025-07-10")
    if row["verdict"] == "accepted":
        label.bedrot("run")
        assert rejects(label)
    else:
        assert row["verdict"] in ("refused", "waiting")
    assert label.raw() == set() or row["verdict"] == "accepted"


@pytest.mark.parametrize("start", [b"", b"\t".join(title.encode() for title in HEADINGS) + b"\r"])
def test_a_line_of_a_gigabyte_is_refused_before_it_is_read(label: Person, start: bytes) -> None:
    path = label.file(NAME, start)
    with path.open("r+b") as file:
        file.seek(len(start))
        file.write(b"a" * (2 << 20))
        file.truncate(1 << 30)
    tracemalloc.start()
    began = time.monotonic()
    row = label.one(path)
    spent, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row["verdict"] == "refused"
    assert "line" in row["sentence"]
    assert spent < 10
    assert peak < 64 << 20
    assert sum(one.stat().st_size for one in label.lake.root.rglob("*") if one.is_file()) < 1 << 20


def test_a_million_columns(label: Person) -> None:
    for content in (b"\t".join([b"Sale Month"] * 1_000_000), BANK.read_bytes() + b"x\t" * 400_000 + b"x\r"):
        row = label.one(label.file(NAME, content))
        if content.startswith(b"Sale Month\t"):
            assert row["verdict"] == "refused"
            assert "columns" in row["sentence"]
        else:
            assert row["verdict"] == "accepted"
            label.bedrot("run")
            (reject,) = rejects(label)
            assert "the line has 400001 fields" in json.dumps(reject)


def resaved() -> bytes:
    rows = [list(row) for row in LINES]
    upc = HEADINGS.index("UPC")
    for row in rows:
        row[upc] = "1.98E+11" if row[upc] else ""
    return bank(HEADINGS, rows)


def test_a_file_that_a_spreadsheet_damaged(label: Person) -> None:
    path = label.file(NAME, resaved())
    row = label.one(path)
    assert row["verdict"] == "refused"
    assert "A spreadsheet saved this file anew and damaged it: line 2 has '1.98E+11' as UPC." in row["sentence"]
    assert "--accept-resaved" in row["do"]
    assert_waits(label, row, resaved())
    assert label.one(path, "--accept-resaved")["verdict"] == "accepted"
    assert label.landed() == []
    label.bedrot("run")
    assert staged(label, "count(upc) AS upcs, count(*) AS n") == [{"upcs": 0, "n": len(LINES)}]


def test_a_damaged_file_is_older_than_every_original(label: Person) -> None:
    cheap = [[*row[:EARNED], "9.00000000", *row[EARNED + 1 :]] for row in LINES]
    upc = HEADINGS.index("UPC")
    for row in cheap:
        row[upc] = "1.98E+11"
    label.one(label.file("DistroKid_1758520000000_x.tsv", bank(HEADINGS, cheap)), "--accept-resaved")
    label.one(BANK)
    label.bedrot("run")
    deliveries = {path.stem: json.loads(path.read_text())["value"] for path in label.lake.deliveries.glob("*.json")}
    assert sorted(one["resaved"] for one in deliveries.values()) == [False, True]


@pytest.mark.parametrize("dates", ["Feb-25", "17/06/2025"])
def test_dates_that_a_spreadsheet_wrote(label: Person, dates: str) -> None:
    place = HEADINGS.index("Sale Month") if dates == "Feb-25" else REPORTED
    rows = [[*row[:place], dates, *row[place + 1 :]] for row in LINES]
    row = label.one(label.file(NAME, bank(HEADINGS, rows)))
    assert row["verdict"] == "refused"
    assert dates in row["sentence"]


CARRIERS = {
    "insights_page_1.json": json.dumps({"data": [], "paging": {"next": f"https://x/?access_token={SECRET}&a=1"}}),
    "trace.har": json.dumps({"log": {"entries": [{"request": {"cookies": [{"name": "s", "value": SECRET}]}}]}}),
    "notes.txt": f"Authorization: Bearer {SECRET}",
    "wide.txt": f"access_token={SECRET}".encode("utf-16"),
    "key.pem": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}",
    "escaped.json": json.dumps({"body": json.dumps({"access_token": SECRET})}),
    NAME: BANK.read_bytes() + f"\taccess_token={SECRET}\r".encode(),
    "graphql_20250703_090012_104500.json": json.dumps(
        {"data": {"currentUser": {"__typename": "User", "email": "a@b.example", "name": SECRET}}}
    ),
}


@pytest.mark.parametrize("name", CARRIERS)
@pytest.mark.parametrize("way", ["file", "zip"])
def test_a_secret_is_copied_nowhere(label: Person, name: str, way: str) -> None:
    content = CARRIERS[name]
    path = label.file(name, content)
    if way == "zip":
        path = giving.zipped(label.downloads / "x.zip", {name: path.read_bytes(), NAME + ".tsv": BANK.read_bytes()})
    answer = label.bedrot("import", path)
    assert answer.code == 1
    assert "private" in answer.out
    assert SECRET not in answer.out + answer.err
    assert label.holds(SECRET) == []
    assert label.holds(SECRET.encode("utf-16-le")) == []
    assert label.holds(SECRET[:40]) == []


def test_a_secret_in_a_refused_zip_is_copied_nowhere(label: Person) -> None:
    members = {"a.zip": b"PK\x05\x06" + bytes(18), "notes.txt": f"access_token={SECRET}".encode()}
    path = giving.zipped(label.downloads / "x.zip", members)
    rows = label.give(path)
    assert [row["verdict"] for row in rows] == ["refused", "private"]
    assert label.holds(b"notes.txt") == []


def test_a_secret_across_the_pieces_of_a_large_file(label: Person) -> None:
    text = f'{{"x": "{"." * ((1 << 20) - 40)} access_token={SECRET}", "y": "{"." * (3 << 20)}"}}'
    assert label.one(label.file("big.json", text))["verdict"] == "private"
    assert label.holds(SECRET) == []


def test_a_secret_in_a_name_is_not_repeated(label: Person) -> None:
    path = label.file(f"insights?access_token={SECRET}.json", "{}")
    answer = label.bedrot("import", path)
    assert answer.code == 1
    assert SECRET not in answer.out + answer.err
    assert label.holds(SECRET) == []


def test_addresses_of_people_in_a_file_that_nobody_knows(label: Person) -> None:
    row = label.one(label.file("list.csv", "Name,Mail\nAda,ada@fans.example\n"))
    assert row["verdict"] == "private"
    assert label.holds("ada@fans") == []


TWICE = """
from dataclasses import replace
from bedrot.sources.distrokid import SOURCE as OTHER
from bedrot.contract import Source
SOURCE = replace(OTHER, name="claimer", title="Claimer", feeds=(replace(OTHER.feeds[0], name="claimer.bank"),))
"""


def test_two_feeds_that_claim_one_file(label: Person, tmp_path: Path) -> None:
    folder = tmp_path / "more" / "claimer"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(TWICE)
    settings = label.lake.config_path
    settings.write_text(f'sources = ["{folder.parent.as_posix()}"]\n' + settings.read_text())
    try:
        rows = label.give(BANK, GOLDEN["toolost"] / "toolost_spotify_20250601_081500.json")
    finally:
        from bedrot import sources

        sources.__path__.remove(str(folder.parent))
    assert [row["verdict"] for row in rows] == ["failed", "accepted"]
    assert "Two feeds claim the file: claimer.bank and distrokid.bank." in rows[0]["sentence"]
    assert_waits(label, rows[0], BANK.read_bytes())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "cp1252", "latin-1"])
def test_encodings_lose_no_letter(label: Person, encoding: str) -> None:
    title = HEADINGS.index("Title")
    lines = [[*row[:title], "Café Ünïque", *row[title + 1 :]] for row in LINES]
    data = bank(HEADINGS, lines).decode().encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    row = label.one(label.file(NAME, data))
    assert row["verdict"] == "accepted", row
    label.bedrot("run")
    assert staged(label, "DISTINCT title") == [{"title": "Café Ünïque"}]
    assert staged(label, "count(*) AS n") == [{"n": len(LINES)}]


def test_utf16_that_is_cut_off(label: Person) -> None:
    data = BANK.read_bytes().decode().encode("utf-16")
    row = label.one(label.file(NAME, data[:-3]))
    assert row["verdict"] == "refused"
    assert "cut off" in row["sentence"]


def test_zero_bytes_in_texts_do_not_stop_the_run(label: Person) -> None:
    title = HEADINGS.index("Title")
    lines = [[*LINES[0][:title], "A\0B\x01\x1f", *LINES[0][title + 1 :]], *LINES[1:]]
    label.one(label.file(NAME, bank(HEADINGS, lines)))
    path = GOLDEN["metaads"] / "insights_page_2.json"
    text = re.sub(r'"ad_name"\s*:\s*"', r"\g<0>A\\u0000B", path.read_text(encoding="utf-8"), count=1)
    label.one(label.file(path.name, text), "--account", "x")
    answer = label.bedrot("run", "--json")
    assert "mistake of the program" not in answer.err
    told = json.loads(answer.out)
    assert told["failed"] == []
