"""TikTok's downloads: the lake knows from them what really happened, and they are built as the service's are."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from orders import digest, digest_elsewhere, shuffled
from walking import Walked

from bedrot.demo import tiktok
from bedrot.demo.arrival import Arrival
from bedrot.demo.label import FIRST_DAY, LAST_DAY, invent
from bedrot.demo.social import account
from bedrot.demo.stored_zip import stored_zip

LABEL = invent(7)
DAY = timedelta(days=1)
HEADINGS = {
    "Overview.csv": b'"Date","Video Views","Profile Views","Likes","Comments","Shares"\n',
    "Viewers.csv": b'"Date","Total Viewers","New Viewers","Returning Viewers"\n',
    "FollowerHistory.csv": b'"Date","Followers","Difference in followers from previous day"\n',
    "FollowerActivity.csv": b'"Date","Hour","Active followers"\n',
    "FollowerGender.csv": b'"Gender","Distribution"\n',
    "FollowerTopTerritories.csv": b'"Top territories","Distribution"\n',
    "Content.csv": b'"Time","Video title","Video link","Post time","Total likes","Total comments","Total shares",'
    b'"Total views"\n',
    "business_overview.csv": b"Date,Video views,Reached audience,Profile views,Likes,Shares,Comments,"
    b"Phone number clicks ,Leads submission,Net growth,New followers,Lost followers\n",
    "business_audience.csv": b"Date,New followers,Total followers,Reached audience,Engaged audience\n",
    "business_content.csv": b"Video title,Video link,Post time,Video views,Likes,Comments,Shares,Add to Favorites\n",
}
MEMBERS = {
    "Overview": ["Overview.csv"],
    "Viewers": ["Viewers.csv"],
    "Followers": ["FollowerHistory.csv", "FollowerActivity.csv", "FollowerGender.csv", "FollowerTopTerritories.csv"],
    "Content": ["Content.csv"],
}
ARRIVALS = tiktok.arrivals(LABEL)


def members(arrival: Arrival) -> dict[str, bytes]:
    """The table files in a download."""
    if not arrival.name.endswith(".zip"):
        return {arrival.name.rsplit("/", 1)[1]: arrival.content()}
    with zipfile.ZipFile(io.BytesIO(arrival.content())) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def tables(name: str) -> list[tuple[Arrival, list[list[str]]]]:
    """The rows of each table file of that name, without headings."""
    return [
        (one, list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))[1:])
        for one in ARRIVALS
        for member, content in members(one).items()
        if member == name
    ]


def test_in_order_the_lake_knows_what_happened(tmp_path: Path) -> None:
    walked = Walked(tmp_path / "lake", ARRIVALS)
    assert walked.unplanned() == []
    assert walked.differences(tiktok.expected(LABEL)) == []
    whose = {handle: account(LABEL, artist) for artist in LABEL.artists for handle in artist.handles}
    with walked.opened() as con:
        viewers = con.execute("SELECT account, date, total_viewers, new_viewers FROM staging.tiktok_viewers").fetchall()
        videos = con.execute(
            "SELECT account, snapshot_date, video_id, title, posted_at, views, comments FROM staging.tiktok_content"
        ).fetchall()
    assert len(viewers) > 900
    for handle, day, total, new in viewers:
        one = whose[handle].day(day)
        assert total in (one.viewers, None)
        assert total is None or new == one.new_viewers
    assert len(videos) > 60
    for handle, day, number, title, at, views, comments in videos:
        post = next(one for one in whose[handle].posts if str(one.number) == number)
        # Of a business account the lake knows the day of the export, of others the day that the file names.
        totals = [whose[handle].totals(post, day - lag * DAY) for lag in (0, 1)]
        assert (title, at) == (post.title, post.at.replace(tzinfo=None))
        assert (views, comments) in [(one.views, one.comments) for one in totals]


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_any_order_with_repeats_the_lake_knows_the_same(tmp_path: Path) -> None:
    walked = Walked(tmp_path / "lake", shuffled(ARRIVALS, 17))
    assert walked.unplanned() == []
    assert walked.differences(tiktok.expected(LABEL)) == []


def test_a_download_that_lies_is_seen(tmp_path: Path) -> None:
    place = next(at for at in range(len(ARRIVALS) - 1, 0, -1) if "/Overview_" in ARRIVALS[at].name)
    (content,) = members(ARRIVALS[place]).values()
    head, _, last = content.rpartition(b',"')
    lie = stored_zip([("Overview.csv", ARRIVALS[place].at, head + b',"9' + last)])
    arrivals = [*ARRIVALS[:place], replace(ARRIVALS[place], write=lambda: [lie]), *ARRIVALS[place + 1 :]]
    walked = Walked(tmp_path / "lake", arrivals)
    assert walked.unplanned() == []
    assert len(walked.differences(tiktok.expected(LABEL))) == 2


def test_names_say_the_first_day_and_an_instant_of_the_last() -> None:
    found = 0
    for one in ARRIVALS:
        named = re.fullmatch(r"tiktok/\d{4}-\d\d/Overview_(\d{4}-\d\d-\d\d)_(\d{10})_([\w.]+)\.zip", one.name)
        if not named:
            continue
        found += 1
        last = datetime.fromtimestamp(int(named[2]), UTC)
        behind = one.at - last
        assert behind in (DAY, 2 * DAY)
        assert (behind == DAY) == (one.at.hour >= 16)
        days = (last.date() - date.fromisoformat(named[1])).days + 1
        assert days in (7, 28, 60, 365)
        for content in members(one).values():
            if content.startswith(b"\xef\xbb\xbf"):
                assert content.count(b"\n") == days
    assert found > 12
    windows = Counter(len(rows) for _, rows in tables("Overview.csv"))
    assert {7, 28, 60, 365} <= set(windows)
    others = [
        one.name.rsplit("/", 1)[1] for one in ARRIVALS if one.name.endswith(".zip") and "Overview_" not in one.name
    ]
    assert all(re.fullmatch(r"(Viewers|Followers|Content)_[\w.]+\.zip", name) for name in others)
    assert len({one.name for one in ARRIVALS}) == len(ARRIVALS) <= 60


def test_zips_hold_stored_members_with_the_instant_of_the_export() -> None:
    for one in ARRIVALS:
        if not one.name.endswith(".zip"):
            continue
        with zipfile.ZipFile(io.BytesIO(one.content())) as packed:
            infos = packed.infolist()
        assert all(info.compress_type == zipfile.ZIP_STORED and not info.extra for info in infos)
        if infos[0].filename.endswith(".xlsx"):
            assert [info.date_time for info in infos] == [(1980, 1, 1, 0, 0, 0)]
            continue
        assert {info.date_time for info in infos} == {one.at.timetuple()[:6]}
        kind = one.name.rsplit("/", 1)[1].split("_")[0]
        assert [info.filename for info in infos] == MEMBERS[kind]


def test_files_have_a_mark_quoted_fields_and_no_line_end_at_their_end() -> None:
    seen = set()
    for one in ARRIVALS:
        for name, content in members(one).items():
            if name.endswith(".xlsx"):
                continue
            seen.add(name)
            assert content.startswith(b"\xef\xbb\xbf" + HEADINGS[name])
            assert b"\r" not in content
            business = name.startswith("business")
            assert content.endswith(b"\n") == business
            for line in content.decode("utf-8-sig").rstrip("\n").split("\n"):
                assert business or re.fullmatch(r'"(?:[^"]|"")*"(,"(?:[^"]|"")*")*', line)
    assert seen == set(HEADINGS)


def test_days_have_no_year_and_come_in_seven_languages() -> None:
    texts = [rows[0][0] for _, rows in tables("Overview.csv")]
    forms = {
        "en-US": r"[A-Z][a-z]+ \d+", "en-GB": r"\d+ (?:October|November)", "es": r"\d+ de octubre",
        "pt": r"\d+ de dezembro", "vi": r"\d+ tháng Ba", "id": r"\d+ Maret", "el": r"\d+ Μαΐου",
    }  # fmt: skip
    assert {form for form, shape in forms.items() if any(re.fullmatch(shape, text) for text in texts)} == set(forms)
    across = [rows for _, rows in tables("Overview.csv") if {"December 31", "January 1"} <= {row[0] for row in rows}]
    assert any(len(rows) < 100 for rows in across)


def test_followers_and_viewers_are_undefined_where_nobody_knows() -> None:
    unknown = Counter()
    for name in ("FollowerHistory.csv", "Viewers.csv"):
        for _, rows in tables(name):
            unknown[name] += sum(row[1] == "undefined" for row in rows)
            assert all(set(row[2:]) == {"0"} for row in rows if row[1] == "undefined" and name == "Viewers.csv")
            assert all(re.fullmatch(r"undefined|\d+", row[1]) for row in rows)
    assert min(unknown.values()) > 100
    assert any(rows[-1][1] == "undefined" != rows[-2][1] for _, rows in tables("Viewers.csv"))


def test_differences_mean_the_day_before_in_old_exports_and_the_next_one_in_new_ones() -> None:
    meant = set()
    for one, rows in tables("FollowerHistory.csv"):
        days = [row for row in rows if row[1] != "undefined"]
        steps = [int(b[1]) - int(a[1]) for a, b in pairwise(days)]
        new = one.at.date() >= date(2025, 8, 15)
        told = [int(row[2]) for row in (days[:-1] if new else days[1:])]
        apart = [a == b for a, b in zip(steps, told, strict=True)]
        assert apart.count(False) <= 1, "only around the days that were never counted"
        meant.add(new) if len(days) > 5 else None
    assert meant == {True, False}
    assert any(int(row[2]) < 0 for _, rows in tables("FollowerHistory.csv") for row in rows)


def test_activity_is_seven_days_of_24_hours_and_zeros_after_the_end() -> None:
    for one, rows in tables("FollowerActivity.csv"):
        assert [row[1] for row in rows] == [str(hour) for hour in range(24)] * 7
        assert all(row[2] == "0" for row in rows[144 + one.at.hour :])
        assert one.at.date() < date(2025, 1, 1) or rows[143 + one.at.hour][2] != "0"


def test_shares_are_fractions_that_add_up() -> None:
    for name in ("FollowerGender.csv", "FollowerTopTerritories.csv"):
        for _, rows in tables(name):
            assert all(re.fullmatch(r"0|1|0\.\d?[1-9]", row[1]) for row in rows)
            assert sum(int(f"{row[1]}.".split(".")[1].ljust(2, "0")) for row in rows) == 100
    assert {tuple(row[0] for row in rows) for _, rows in tables("FollowerGender.csv")} == {("Female", "Male", "Other")}
    assert all(rows[-1][0] == "Others" for _, rows in tables("FollowerTopTerritories.csv"))


def test_content_lists_at_most_15_videos_in_no_order_with_their_second_in_the_number() -> None:
    for one, rows in tables("Content.csv"):
        assert len(rows) <= 15
        assert len({row[0] for row in rows}) == 1
        links = [re.fullmatch(r"https://www\.tiktok\.com/@([\w.]+)/video/(\d{19})", row[2]) for row in rows]
        assert all(link and f"_{link[1]}.zip" in one.name for link in links)
        posted = [datetime.fromtimestamp(int(link[2]) >> 32, UTC) for link in links if link]
        assert [f"{at:%B} {at.day}" for at in posted] == [row[3] for row in rows]
        assert posted != sorted(posted)
    titles = [row[1] for _, rows in tables("Content.csv") for row in rows]
    assert any('"' in title for title in titles)
    assert any("," in title for title in titles)


def test_business_files_have_whole_dates_and_words_for_what_is_unknown() -> None:
    for name, width in (("business_overview.csv", 12), ("business_audience.csv", 5)):
        for one, rows in tables(name):
            assert one.account == "mara.quell"
            assert all(len(row) == width and re.fullmatch(r"\d{4}/\d\d/\d\d", row[0]) for row in rows)
            assert "--" in rows[-1]
    assert all(row[7:9] == ["NAN", "NAN"] for _, rows in tables("business_overview.csv") for row in rows)
    for one, rows in tables("business_content.csv"):
        assert one.exported_at is not None
        assert all(re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", row[2]) for row in rows)


def test_the_workbook_is_one_sheet_of_text() -> None:
    (data,) = (content for one in ARRIVALS for name, content in members(one).items() if name == "Overview.xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert {info.compress_type for info in packed.infolist()} == {zipfile.ZIP_STORED}
        assert not any("sharedStrings" in name for name in packed.namelist())
        assert b'<sheet name="Overview" ' in packed.read("xl/workbook.xml")
        sheet = packed.read("xl/worksheets/sheet1.xml")
    assert sheet.count(b"<row ") == 29
    assert sheet.count(b"<c ") == sheet.count(b't="str"') == 29 * 6
    assert b'<c r="B1" t="str"><v>Video Views</v></c>' in sheet


def test_the_new_handle_reaches_back_before_the_renaming() -> None:
    old, new = (
        [one.at.date() for one in ARRIVALS if one.name.endswith(f"_{handle}.zip") or one.account == handle]
        for handle in ("nova.tides", "nova.tides.music")
    )
    assert max(old) < date(2025, 11, 1) <= min(new)
    by_handle = {dict(one.where)["account"]: [row[0] for row in one.rows] for one in tiktok.expected(LABEL)}
    shared = set(by_handle["nova.tides"]) & set(by_handle["nova.tides.music"])
    assert len(shared) > 300
    assert set(by_handle) == {"nova.tides", "nova.tides.music", "mara.quell"}


def test_what_happened_is_whole() -> None:
    for artist in LABEL.artists:
        whose = account(LABEL, artist)
        days = [whose.day(FIRST_DAY + number * DAY) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
        assert sum(day.counts.views for day in days) == sum(whose.totals(post, LAST_DAY).views for post in whose.posts)
        assert any(day.counts.comments < 0 for day in days)
        level = 0
        for day in days:
            level += day.gained - day.lost
            assert day.followers in (level, None)
        assert all(whose.totals(post, LAST_DAY).comments >= 0 for post in whose.posts)


def test_one_file_waits_for_its_year_and_one_is_told() -> None:
    bare = [one for one in ARRIVALS if one.name.endswith("/Overview.csv")]
    assert [(one.verdict, one.exported_at is None) for one in bare] == [("waiting", True), ("accepted", False)]
    assert bare[0].fault == "a TikTok window whose year is easy to get wrong"
    assert {"December 31", "January 1"} <= {
        row[0] for one, rows in tables("Overview.csv") if one == bare[0] for row in rows
    }


def test_the_same_seed_gives_the_same_bytes_everywhere() -> None:
    here = digest(ARRIVALS)
    assert here == digest_elsewhere("tiktok", 7)
    assert here != digest(tiktok.arrivals(invent(8)))


def test_each_fault_is_one_that_was_planted() -> None:
    faults = tiktok.faults(LABEL)
    rows = Counter[str]()
    for one in faults:
        rows[one.kind] += one.rows
    assert rows["a TikTok window whose year is easy to get wrong"] == 28
    assert rows["days that nobody saved"] > 100
    assert rows["comments below zero"] > 50
    assert rows["followers not counted"] == 6
    assert rows["one account under two names"] > 300
    assert {one.fault for one in ARRIVALS} - {""} <= set(rows)
