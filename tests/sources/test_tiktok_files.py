"""What TikTok's files are told by, and what a wrong one gets."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktok_making import (
    BODY,
    CONTENT,
    DAYS,
    FEEDS,
    GOLDEN,
    NAMED,
    OVERVIEW,
    SAMPLES,
    VIEWERS,
    WHOLE,
    facts,
    feeds_that_know,
    golden,
    only_feed,
    original,
    quoted,
    read,
    typed_rows,
    values,
    workbook,
    zipped,
)

from bedrot.contract import Ignored, Resaved, Row, Stamp
from bedrot.errors import Refused

# --- names, accounts, ages


@pytest.mark.parametrize(
    ("name", "account"),
    [
        (NAMED, "demo"),
        ("Overview_2024-06-15_1718553909__a.b_.zip", "_a.b_"),
        ("Overview_2024-06-15_1718553909_.a_20240101_1718553909_.zip", ".a_20240101_1718553909_"),
        ("Overview_2024-06-15_1718553909_demo (1).zip", "demo"),
        ("Overview_2024-06-15_1718553909_demo - copy.zip", None),
        ("my Overview_2024-06-15_1718553909_demo.zip", None),
        ("Overview_2024-13-15_1718553909_demo.zip", None),
        ("Overview_2024-06-17_1718553909_demo.zip", None),
        ("Overview_2022-06-15_1718553909_demo.zip", None),
        ("Overview.zip", None),
        ("Viewers_demo.zip", None),
    ],
)
def test_the_handle_comes_from_an_unchanged_name_only(tmp_path: Path, name: str, account: str | None) -> None:
    file = original(tmp_path, name, zipped(("Overview.csv", quoted([OVERVIEW, *DAYS]))))
    feed = only_feed(file)
    assert feed.account(file) == account
    at = feed.exported_at(file)
    assert at is not None
    assert at.basis == ("name" if account else "zip")
    assert at.at.isoformat() == ("2024-06-16T16:05:09+00:00" if account else "2024-06-18T16:05:08+00:00")
    assert values(read(file), "tiktok_overview", "date") == [("2024-06-15",), ("2024-06-16",)]


def test_the_zip_folder_around_an_unpacked_overview_counts(tmp_path: Path) -> None:
    folder = "down/Overview_2024-06-15_1718553909_demo/Overview.csv"
    file = original(tmp_path, "Overview.csv", quoted([OVERVIEW, *DAYS]), relative=folder)
    assert only_feed(file).account(file) == "demo"
    assert values(read(file, facts("2031-01-01T00:00:00+00:00")), "tiktok_overview", "date")[0] == ("2024-06-15",)


def test_a_folder_called_content_old_is_no_account(tmp_path: Path) -> None:
    rows = [CONTENT, ["June 16", "t", "https://t/video/7267224892453814994", "June 1", 1, 2, 3, 4]]
    file = original(tmp_path, "Content.csv", quoted(rows), relative="Content_old/Content.csv")
    assert only_feed(file).account(file) is None


def test_a_bare_file_knows_no_export_day_and_a_member_has_its_own(tmp_path: Path) -> None:
    data = quoted([VIEWERS, ["June 16", 3, 2, 1]])
    bare = original(tmp_path, "Viewers.csv", data)
    assert only_feed(bare).exported_at(bare) is None
    time = datetime(2024, 6, 17, 17, tzinfo=UTC)
    member = original(tmp_path, "Viewers.csv", data, member_time=time)
    assert only_feed(member).exported_at(member) == Stamp(time, "zip")


# --- what is not TikTok's

OTHERS = {
    "Overview.csv": b"<!DOCTYPE html><html><head><title>Log in | TikTok</title></head><body></body></html>",
    "Viewers.csv": b"",
    "Content.json": b"{}",
    "list.json": b"[]",
    "login.json": b"<html>Log in</html>",
    "bank.tsv": b"Reporting Date\tSale Month\tStore\tArtist\tTitle\tISRC\r2025-01-01\t2024-11\tSpotify\ta\tb\tc",
    "audience.csv": b"date,listeners,streams,followers\n2025-01-01,1,2,3",
    "ads.csv": b'"Reporting starts","Reporting ends",Reach,Impressions\n2026-05-25,2026-06-07,1,2',
    "links.json": b'{"data":{"getAccountAnalytics":{"overview":{}}}}',
    "mine.csv": b"Gender,Distribution,Country\nFemale,0.5,US",
    "noise.bin": bytes(range(256)) * 8,
    "broken.zip": b"PK\x03\x04" + b"\0" * 64,
    "empty.zip": zipped(),
    "strange.zip": zipped(("Overview.csv", quoted([OVERVIEW, *DAYS])), ("notes.txt", b"hello")),
    "two.zip": zipped(("Overview.csv", quoted([OVERVIEW, *DAYS])), ("b/Overview.csv", quoted([OVERVIEW, *DAYS]))),
    "mixed.zip": zipped(("Overview.csv", quoted([OVERVIEW, *DAYS])), ("Viewers.csv", quoted([VIEWERS]))),
    "book.xlsx": zipped(("xl/workbook.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")),
    "wide.csv": b"a," * 1_000_000,
    "long.csv": b"x" * (2 << 20),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_not_known(tmp_path: Path, name: str) -> None:
    assert feeds_that_know(original(tmp_path, name, OTHERS[name])) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_each_golden_file_is_known_by_one_feed_under_any_name(tmp_path: Path, name: str) -> None:
    file = original(tmp_path, "renamed", (GOLDEN / name).read_bytes())
    assert feeds_that_know(file) == [golden(name)[1].name]


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400), begin=st.sampled_from([b"", b"PK\x03\x04", b"\xff\xfe", b'\xef\xbb\xbf"Date","']))
def test_looking_never_fails(tmp_path_factory: pytest.TempPathFactory, data: bytes, begin: bytes) -> None:
    assert feeds_that_know(original(tmp_path_factory.getbasetemp(), "Overview.csv", begin + data)) == []


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 2600), byte=st.integers(0, 255))
def test_a_damaged_workbook_is_unknown_or_refused_or_whole(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    data = bytearray((GOLDEN / "Viewers.xlsx").read_bytes())
    data[place % len(data)] = byte
    file = original(tmp_path_factory.getbasetemp(), "Viewers.xlsx", bytes(data))
    if feeds_that_know(file):
        with contextlib.suppress(Refused):
            assert len(read(file, facts("2026-01-05T18:40:00+00:00"))) == 2


def test_litter_of_an_operating_system_is_passed_over(tmp_path: Path) -> None:
    data = zipped(
        ("__MACOSX/._Overview.csv", b"\0\5"), (".DS_Store", b"x"), ("Overview.csv", quoted([OVERVIEW, *DAYS]))
    )
    file = original(tmp_path, NAMED, data)
    assert len(read(file)) == 2
    assert FEEDS["tiktok.overview"].census is not None
    assert FEEDS["tiktok.overview"].census(file) == {"tiktok_overview": 2}


# --- what is wrong with a file as a whole


REFUSED: dict[str, tuple[bytes, str]] = {
    "cut inside a field": (WHOLE[:-1], r"Overview.csv, line 3: The file breaks off or is damaged here.*Download"),
    "cut between fields": (WHOLE[:-4], r"Overview.csv, line 3: The line has 5 fields where the headings are 6"),
    "surplus field": (quoted([OVERVIEW, DAYS[0], [*DAYS[1], 7]]), r"line 3: The line has 7 fields"),
    "heading missing": (
        quoted([[*OVERVIEW[:3], *OVERVIEW[4:]], ["June 16", 1, 2, 3, 4]]),
        r"line 1, heading 'Likes': The heading is missing; the file has: Date, Video Views, Profile Views, Comments",
    ),
    "heading renamed": (
        quoted([[*OVERVIEW[:5], "Times shared"], *DAYS]),
        r"heading 'Shares': The heading is missing; the file has: .*Times shared",
    ),
    "heading twice": (
        quoted([[*OVERVIEW[:5], "likes "], *DAYS]),
        r"heading 'likes': The heading stands twice",
    ),
    "no rows": (quoted([OVERVIEW]), r"has headings but no rows"),
    "other language": (quoted([OVERVIEW, ["16 juin", 1, 2, 3, 4, 5]]), r"line 2, heading 'Date': The date '16 juin'"),
    "gap": (quoted([OVERVIEW, ["June 14", 1, 2, 3, 4, 5], DAYS[1]]), r"line 2.*should be 2024-06-15.*'June 14'"),
    "day twice": (quoted([OVERVIEW, DAYS[1], DAYS[1]]), r"line 2.*should be 2024-06-15"),
    "ends too early": (
        quoted([OVERVIEW, ["March 2", 1, 2, 3, 4, 5]]),
        r"line 2, heading 'Date': The last date is 'March 2', but an export .* ends on 2024-06-17.*--exported-at",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_file_gets_a_sentence(tmp_path: Path, case: str) -> None:
    data, said = REFUSED[case]
    file = original(tmp_path, "Overview.csv", data)
    with pytest.raises(Refused, match=said):
        read(file)


def test_a_zip_gets_the_sentence_with_its_member(tmp_path: Path) -> None:
    file = original(tmp_path, NAMED, zipped(("Overview.csv", quoted([OVERVIEW, DAYS[1]]))))
    with pytest.raises(Refused, match=rf"{NAMED}/Overview.csv, line 2.*should be 2024-06-15"):
        read(file)
    later = [["June 15", *DAYS[0][1:]]]
    file = original(tmp_path, NAMED, zipped(("Overview.csv", quoted([OVERVIEW, *later]))))
    with pytest.raises(Refused, match=r"promises 2 days \(2024-06-15 to 2024-06-16\), but the file holds 1"):
        read(file)


def test_a_broken_zip_with_its_own_name_is_claimed_and_refused(tmp_path: Path) -> None:
    file = original(tmp_path, "Viewers_demo.zip", zipped(("Viewers.csv", quoted([VIEWERS])))[:-30])
    assert feeds_that_know(file) == ["tiktok.viewers"]
    with pytest.raises(Refused, match="damaged or not whole"):
        read(file)


def test_reordered_and_further_headings_are_taken_by_name(tmp_path: Path) -> None:
    rows = [
        ["Shares", "New", "Date", "Likes", "Comments", "Profile Views", "Video Views"],
        [1, 9, "June 17", 2, 3, 4, 5],
    ]
    (row,) = read(original(tmp_path, "Overview.csv", quoted(rows)))
    assert isinstance(row, Row)
    named = {"video_views": "5", "profile_views": "4", "likes": "2", "comments": "3", "shares": "1"}
    assert row.values == {"date": "2024-06-17", **named}


def test_a_heading_row_in_the_middle_is_ignored_by_name_and_blank_lines_are_no_records(tmp_path: Path) -> None:
    data = quoted([OVERVIEW, DAYS[0], OVERVIEW, DAYS[1]]).replace(b'\n"June 16', b'\n\n"June 16') + b"\n"
    file = original(tmp_path, "Overview.csv", data)
    rows = read(file)
    assert rows[1] == Ignored("tiktok_overview", "heading row repeated", "line 3")
    assert [row.locator for row in rows] == ["line 2", "line 3", "line 5"]
    feed = only_feed(file)
    assert feed.census is not None
    assert feed.census(file) == {"tiktok_overview": 3}


def test_numbers_that_are_none_are_left_to_the_typing(tmp_path: Path) -> None:
    bad = ["June 17", "1,204", "$3", "1e3", "1.5", "NaN"]
    file = original(tmp_path, "Overview.csv", quoted([OVERVIEW, bad]))
    rows = read(file)
    assert values(rows, "tiktok_overview", "video_views", "shares") == [("1,204", "NaN")]
    stored, said = typed_rows(only_feed(file), rows, "tiktok_overview")
    assert stored == [(date(2024, 6, 17), None, None, None, None, None)]
    assert len(said) == 5


def test_checks_find_impossible_rows(tmp_path: Path) -> None:
    rows = [["Date", "Hour", "Active followers"], ["June 17", 24, 5], ["June 17", 1, -5], ["June 17", 2, 5]]
    file = original(tmp_path, "FollowerActivity.csv", quoted(rows))
    _, said = typed_rows(only_feed(file), read(file), "tiktok_follower_activity")
    assert said == ["hour is not between 0 and 23", "active_followers is below zero"]
    file = original(tmp_path, "FollowerGender.csv", quoted([["Gender", "Distribution"], ["Female", 61], ["Male", "x"]]))
    _, said = typed_rows(only_feed(file), read(file), "tiktok_follower_gender")
    assert said == ["share: 'x' is not a number such as 0.59, with at most 18 decimals", "share is not between 0 and 1"]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            ["June 15", "b", "https://t/video/7267224892453814995", "June 1", 1, 2, 3, 4],
            r"line 3, heading 'Time'.*'June 15'",
        ),
        (
            ["June 16", "b", "https://t/video/7267224892453814994", "June 1", 1, 2, 3, 4],
            r"line 3: The row is about the same",
        ),
    ],
)
def test_content_that_contradicts_itself_is_refused(tmp_path: Path, second: list[object], said: str) -> None:
    first = ["June 16", "a", "https://t/video/7267224892453814994", "June 1", 1, 2, 3, 4]
    file = original(tmp_path, "Content.csv", quoted([CONTENT, first, second]))
    with pytest.raises(Refused, match=said):
        read(file)


def test_a_link_without_a_number_and_a_time_in_the_future_stay_unknown(tmp_path: Path) -> None:
    future = int(datetime(2024, 7, 1, tzinfo=UTC).timestamp()) << 32
    links = ["https://t/live", f"https://t/video/{future}", "https://t/video/99999999999999999999"]
    rows = [CONTENT, *(["June 16", "a", link, "?", 1, 2, 3, 4] for link in links)]
    file = original(tmp_path, "Content.csv", quoted(rows))
    fields = ("video_id", "posted_at", "posted_on", "posted_basis")
    assert values(read(file), "tiktok_content", *fields) == [
        (None, None, None, None),
        (str(future), None, None, None),
        ("99999999999999999999", None, None, None),
    ]
    _, said = typed_rows(only_feed(file), read(file), "tiktok_content")
    assert said == ["video_id is blank"]


LATIN = quoted([OVERVIEW, ["15 de março", 1, 2, 3, 4, 5]])[3:].decode().encode("latin-1")
RESAVED = {
    "semicolons": (WHOLE.replace(b",", b";"), "its fields are separated by semicolons, not by commas", False),
    "not UTF-8": (LATIN, "its text is not UTF-8", False),
    "numbers in cells": (workbook(BODY), "its cells hold numbers or dates (row 2) where TikTok writes text", False),
    "Excel's dates": (WHOLE.replace(b"June 16", b"16-Jun"), "line 3 has the date '16-Jun'", True),
    "Spanish dates and semicolons": (
        WHOLE.replace(b"June 16", b"16-jun.").replace(b",", b";"),
        "line 3 has the date '16-jun.'",
        True,
    ),
    "date cells": (
        workbook([OVERVIEW, [datetime(2026, 6, 16), 1, 2, 3, 4, 5]]),  # noqa: DTZ001 (a workbook knows no zones)
        "row 2 has the date '2026-06-16T00:00:00'",
        True,
    ),
}


@pytest.mark.parametrize("case", RESAVED)
def test_a_re_saved_file_is_seen(tmp_path: Path, case: str) -> None:
    data, shown, damaged = RESAVED[case]
    file = original(tmp_path, "Overview", data)
    assert only_feed(file).resaved(file) == Resaved(shown, damaged=damaged)


def test_a_re_saved_file_is_read_where_its_days_still_can_be(tmp_path: Path) -> None:
    dates = WHOLE.replace(b"June 15", b"15-Jun").replace(b"June 16", b"16-Jun").replace(b",", b";")
    rows = read(original(tmp_path, "Overview.csv", dates))
    assert values(rows, "tiktok_overview", "date", "comments") == [("2024-06-15", "3"), ("2024-06-16", "-3")]
    rows = read(original(tmp_path, "Overview.xlsx", workbook(BODY)))
    assert values(rows, "tiktok_overview", "date", "comments") == [("2024-06-15", "3"), ("2024-06-16", "-3")]


def test_a_title_like_a_date_is_no_sign_of_a_spreadsheet(tmp_path: Path) -> None:
    rows = [CONTENT, ["June 16", "17-Jun", "https://t/video/7267224892453814994", "June 1", 1, 2, 3, 4]]
    file = original(tmp_path, "Content.csv", quoted(rows))
    assert only_feed(file).resaved(file) is None


def test_a_workbook_of_text_cells_is_no_re_saved_one(tmp_path: Path) -> None:
    rows = [[str(cell) for cell in row] for row in BODY]
    file = original(tmp_path, "Overview.xlsx", workbook(rows))
    assert only_feed(file).resaved(file) is None
    assert len(read(file, facts("2024-06-17T18:00:00+00:00"))) == 2
    two = original(tmp_path, "Overview.xlsx", workbook(rows, sheets=2))
    assert feeds_that_know(two) == []


TITLE = st.text(st.sampled_from(list('ab",\n\r;é ')), max_size=12)


@settings(max_examples=80, deadline=None)
@given(titles=st.lists(TITLE, min_size=1, max_size=6))
def test_the_independent_count_agrees_whatever_the_titles_hold(
    tmp_path_factory: pytest.TempPathFactory, titles: list[str]
) -> None:
    rows = [
        ["June 16", title, f"https://t/video/72672248924538{place:05}", "June 1", 1, 2, 3, 4]
        for place, title in enumerate(titles)
    ]
    file = original(tmp_path_factory.getbasetemp(), "Content.csv", quoted([CONTENT, *rows]))
    found = read(file)
    assert [title for (title,) in values(found, "tiktok_content", "title")] == titles
    feed = only_feed(file)
    assert feed.census is not None
    assert feed.census(file) == {"tiktok_content": len(titles)}
