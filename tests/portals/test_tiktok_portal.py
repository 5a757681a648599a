"""The stand-in of TikTok Studio gives what the demo's artists would have got at that instant, under the same names."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from browsing import browser, client, needs_chromium, offered, saved
from portal import Answer, Asked, Clock, Faults, Portal
from tiktok_portal import FILE, PAGE, TikTok

from bedrot.demo import tiktok
from bedrot.demo.label import invent

LABEL = invent(7)
NOW = datetime(2025, 6, 17, 17, 2, 24, tzinfo=UTC)
OVERVIEW = ("Overview", 28)


def asked(path: str, query: dict[str, str], now: datetime, person: str, faults: Faults | None = None) -> Answer:
    found = TikTok(LABEL).data(Asked("GET", path, query, {}, b"", person), now, faults or Faults())
    assert found is not None
    return found


def got(
    tab: str, days: int, now: datetime, person: str = "nova.tides", *, form: str = "csv", faults: Faults | None = None
) -> tuple[str, bytes]:
    found = asked(FILE, {"tab": tab, "days": str(days), "type": form}, now, person, faults)
    assert found.status == 200
    named = re.fullmatch(r'attachment; filename="(.*)"', dict(found.headers)["Content-Disposition"])
    assert named
    return named[1], found.body


def lines(content: bytes, member: str = "Overview.csv") -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return packed.read(member).decode("utf-8-sig").split("\n")


def test_each_download_of_the_demo_is_had_at_its_instant() -> None:
    arrivals = {one.at: one for one in tiktok.arrivals(LABEL)}
    compared = 0
    for one in tiktok.exports(LABEL):
        usual = (one.language, one.form, one.unsure) in (("en-US", "zip", False), ("en-US", "workbook", False))
        business = one.kind.startswith("business")
        if not (usual or business):
            continue
        tab = {"audience": "Followers"}.get(one.kind.split()[-1], one.kind.split()[-1].capitalize())
        days = 28 if one.days == 15 else one.days
        name, content = got(tab, days, one.at, one.handle, form="xlsx" if one.form == "workbook" else "csv")
        assert name == arrivals[one.at].name.rpartition("/")[2]
        assert content == arrivals[one.at].content()
        compared += 1
    assert compared > 30


@pytest.mark.parametrize("days", [7, 28, 60, 365])
def test_a_day_is_there_from_four_in_the_afternoon_of_the_next(days: int) -> None:
    for hour, last in ((15, "June 15"), (16, "June 16")):
        name, content = got("Overview", days, NOW.replace(hour=hour))
        shown = lines(content)
        assert len(shown) == days + 1
        assert shown[-1].startswith(f'"{last}",')
        start = datetime(2025, 6, int(last[-2:]), tzinfo=UTC) - timedelta(days=days - 1)
        epoch = NOW.replace(hour=hour, day=int(last[-2:]))
        assert name == f"Overview_{start:%Y-%m-%d}_{int(epoch.timestamp())}_nova.tides.zip"


@pytest.mark.parametrize("tab", ["Overview", "Viewers", "Followers", "Content"])
def test_members_are_stored_with_the_instant_of_the_export(tab: str, tmp_path: Path) -> None:
    name, content = got(tab, 28, NOW)
    assert name == f"{tab}_nova.tides.zip" or tab == "Overview"
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        for member in packed.infolist():
            assert (member.compress_type, member.date_time) == (zipfile.ZIP_STORED, (2025, 6, 17, 17, 2, 24))
        assert len(packed.infolist()) == (4 if tab == "Followers" else 1)
    (tmp_path / name).write_bytes(content)
    assert {one.verdict for one in offered(tmp_path / name, tmp_path / "lake")} == {"accepted"}


def test_a_workbook_is_taken_too(tmp_path: Path) -> None:
    name, content = got("Overview", 60, NOW, form="xlsx")
    (tmp_path / name).write_bytes(content)
    (outcome,) = offered(tmp_path / name, tmp_path / "lake")
    assert (outcome.verdict, outcome.account) == ("accepted", "nova.tides")


def test_an_instant_elsewhere_is_the_same_instant() -> None:
    there = NOW.astimezone(datetime.fromisoformat("2025-01-01T00:00:00+09:00").tzinfo)
    assert got("Followers", 28, there) == got("Followers", 28, NOW)


def test_who_changed_the_handle_has_the_new_one_from_that_day() -> None:
    for person in ("nova.tides", "nova.tides.music"):
        assert got("Viewers", 7, NOW, person)[0] == "Viewers_nova.tides.zip"
        assert got("Viewers", 7, datetime(2025, 11, 1, 18, tzinfo=UTC), person)[0] == "Viewers_nova.tides.music.zip"
    assert b"@mara.quell<" in asked(PAGE, {}, NOW, "mara.quell").body
    assert set(TikTok(LABEL).people()) == {"nova.tides", "nova.tides.music", "mara.quell"}


def test_a_business_account_has_other_tabs_and_tables(tmp_path: Path) -> None:
    now = datetime(2025, 9, 28, 20, 11, 30, tzinfo=UTC)
    page = asked(PAGE, {}, now, "mara.quell").body
    assert b">Viewers</button>" not in page
    assert b"XLSX" not in page
    for tab in ("Overview", "Followers", "Content"):
        name, content = got(tab, 60, now, "mara.quell")
        (tmp_path / name).write_bytes(content)
        told = "2025-09-28T20:11:30+00:00" if tab == "Content" else ""
        outcomes = offered(tmp_path / name, tmp_path / f"lake {tab}", "mara.quell", told)
        assert [one.verdict for one in outcomes] == ["accepted"]
    refused = asked(FILE, {"tab": "Viewers", "days": "60", "type": "csv"}, now, "mara.quell")
    assert refused.status == 400


@pytest.mark.parametrize(
    "query",
    [{}, {"tab": "Overview", "days": "90", "type": "csv"}, {"tab": "Overview", "days": "28", "type": "pdf"}],
)
def test_what_is_not_offered_is_refused(query: dict[str, str]) -> None:
    assert asked(FILE, query, NOW, "nova.tides").status == 400


def test_the_button_moves() -> None:
    there = asked(PAGE, {}, NOW, "nova.tides").body.decode()
    moved = asked(PAGE, {}, NOW, "nova.tides", Faults(moved_button=True)).body.decode()
    for word in ("Download data", "Download</button>", 'id="open"', 'id="go"'):
        assert word in there
        assert word not in moved
    assert '<div id="export">Export</div>' in moved


def test_a_field_gets_another_name(tmp_path: Path) -> None:
    assert '"Video Views"' in lines(got(*OVERVIEW, NOW)[1])[0]
    for tab in ("Overview", "Viewers", "Followers", "Content"):
        name, content = got(tab, 28, NOW, faults=Faults(renamed_field=True))
        assert content != got(tab, 28, NOW)[1]
        (tmp_path / name).write_bytes(content)
        outcomes = offered(tmp_path / name, tmp_path / f"lake {tab}")
        assert any(one.needs_person for one in outcomes), tab


def test_an_empty_account_has_no_file() -> None:
    faults = Faults(empty_account=True)
    page = asked(PAGE, {}, NOW, "nova.tides", faults).body
    assert b"Not enough data yet" in page
    assert b'id="open" disabled' in page
    query = {"tab": "Overview", "days": "28", "type": "csv"}
    assert asked(FILE, query, NOW, "nova.tides", faults).status == 404


def test_a_wrong_account_has_another_handle_and_other_numbers() -> None:
    faults = Faults(wrong_account=True)
    assert b"@pale.harbour<" in asked(PAGE, {}, NOW, "nova.tides", faults).body
    name, content = got(*OVERVIEW, NOW, faults=faults)
    assert name.endswith("_pale.harbour.zip")
    assert lines(content) != lines(got(*OVERVIEW, NOW)[1])


def test_who_is_not_logged_in_gets_neither_page_nor_file() -> None:
    with Portal(TikTok(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        assert "@nova.tides<" in asking.get(PAGE).text
        portal.expire()
        assert asking.get(PAGE).url.path == "/login"
        assert asking.get(FILE, params={"tab": "Overview", "days": "7", "type": "csv"}).status_code == 401


@needs_chromium
@pytest.mark.parametrize(("form", "days"), [("CSV", 365), ("XLSX", 28)])
def test_in_a_browser_a_file_is_downloaded_and_taken(form: str, days: int, tmp_path: Path) -> None:
    with Portal(TikTok(LABEL), Clock(NOW)) as portal, browser(portal, PAGE, "nova.tides") as page:
        page.get_by_role("tab", name="Followers").click()
        page.get_by_text("Followers, until Jun 16").wait_for()
        page.get_by_role("tab", name="Overview").click()
        page.get_by_text("Last 7 days").first.click()
        page.get_by_role("option", name=f"Last {days} days").click()
        page.get_by_role("button", name="Download data").click()
        page.get_by_role("dialog").get_by_label(form).check()
        path = saved(page, "[role=dialog] >> text=/^Download$/", tmp_path)
    assert (path.name, path.read_bytes()) == got("Overview", days, NOW, form=form.lower())
    (outcome,) = offered(path, tmp_path / "lake")
    assert (outcome.verdict, outcome.feed, outcome.account) == ("accepted", "tiktok.overview", "nova.tides")


@needs_chromium
def test_in_a_browser_the_moved_button_leads_to_the_same_file(tmp_path: Path) -> None:
    faults = Faults(moved_button=True)
    with Portal(TikTok(LABEL), Clock(NOW), faults) as portal, browser(portal, PAGE, "nova.tides") as page:
        page.get_by_text("Export", exact=True).first.click()
        page.get_by_label("CSV").check()
        path = saved(page, "text=Save file", tmp_path)
    assert path.read_bytes() == got("Overview", 7, NOW)[1]
