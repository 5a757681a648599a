"""The stand-in of DistroKid shows and gives what the demo's label would have got at that instant."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browsing import browser, client, needs_chromium, offered, saved
from distrokid_portal import MAIN, OTHER, DistroKid
from portal import Answer, Asked, Clock, Faults, Portal

from bedrot.demo import distrokid_bank, distrokid_pages
from bedrot.demo.distrokid_bank import main_lines
from bedrot.demo.label import invent

LABEL = invent(7)
NOW = datetime(2026, 2, 8, 10, 58, tzinfo=UTC)
STATS = {"Spotify": "streams", "Apple Music": "applemusic"}


def asked(service: DistroKid, path: str, query: dict[str, str], now: datetime, faults: Faults | None = None) -> Answer:
    found = service.data(Asked("GET", path, query, {}, b"", "owner"), now, faults or Faults())
    assert found is not None
    return found


def exported(
    service: DistroKid, now: datetime, query: dict[str, str] | None = None, faults: Faults | None = None
) -> tuple[str, bytes]:
    found = asked(service, "/bank/details/file/", query or {}, now, faults)
    assert found.status == 200
    named = re.fullmatch(r'attachment; filename="(.*)"', dict(found.headers)["Content-Disposition"])
    assert named
    return named[1], found.body


def charts(text: str) -> str:
    """What is the same in a page of the demo and in one of the portal."""
    start = next(at for mark in ("<div>Daily", "<script>\nvar chartData") if (at := text.find(mark)) >= 0)
    return text[start:]


def test_the_pages_show_what_was_played_until_then() -> None:
    service = DistroKid(LABEL)
    arrivals = {one.at: one.content().decode().replace("\r\n", "\n") for one in distrokid_pages.arrivals(LABEL)}
    for page in distrokid_pages.pages(LABEL):
        text = asked(service, "/stats/", {"type": "all", "data": STATS[page.store]}, page.at).body.decode()
        assert charts(text) == charts(arrivals[page.at])
        assert f'<b id="account">{MAIN}</b>' in text


@pytest.mark.parametrize("month", ["2024-11", "2025-03", "2025-10", "2026-03"])
def test_there_is_a_page_at_any_time(month: str) -> None:
    now = datetime.fromisoformat(f"{month}-15T00:00:00+00:00")
    for data in STATS.values():
        text = asked(DistroKid(LABEL), "/stats/", {"data": data}, now).body.decode()
        assert f"{month}-{13 if data == 'streams' else 14}" in text
        assert f"{month}-{14 if data == 'streams' else 15}" not in text


@pytest.mark.parametrize(
    ("number", "query"),
    [
        (3, {}),
        (4, {"store": "Spotify"}),
        (5, {}),
        (8, {"by": "reporting", "from": "", "to": "", "store": ""}),
        (9, {"from": "2025-11", "to": "2025-11"}),
        (10, {}),
        (12, {"from": "2026-02", "to": "2026-02"}),
    ],
)
def test_an_export_is_the_one_that_the_label_got(number: int, query: dict[str, str]) -> None:
    export = distrokid_bank.exports()[number]
    arrival = next(one for one in distrokid_bank.arrivals(LABEL) if one.at == export.at and one.verdict == "accepted")
    name, content = exported(DistroKid(LABEL), export.at, query)
    assert (f"distrokid/{name}", content) == (arrival.name, arrival.content())


def test_months_of_sale_are_others_than_months_of_report() -> None:
    service = DistroKid(LABEL)
    sold = exported(service, NOW, {"by": "sale", "from": "2025-11", "to": "2025-11"})[1].decode().split("\r")[1:-1]
    assert {line.split("\t")[2] for line in sold} == {"2025-11"}
    truth = [
        one for one in main_lines(LABEL) if f"{one.sale_month:%Y-%m}" == "2025-11" and one.reporting_date < NOW.date()
    ]
    assert sorted(line.split("\t")[1] for line in sold) == sorted(one.reporting_date.isoformat() for one in truth)
    assert len({line.split("\t")[1][:7] for line in sold}) > 1
    assert b"Display" in asked(service, "/bank/details/", {"by": "sale", "from": "2025-11"}, NOW).body
    assert asked(service, "/bank/details/", {"from": "November"}, NOW).status == 400


def test_a_store_is_asked_for_by_its_name_of_the_day() -> None:
    service = DistroKid(LABEL)
    assert b'value="Meta"' in asked(service, "/bank/details/", {}, NOW).body
    assert exported(service, NOW, {"store": "Meta"})[1].count(b"\r") > 50
    assert exported(service, NOW, {"store": "Facebook"})[1].count(b"\r") == 1


def test_too_much_is_refused_and_what_is_filtered_takes_its_time() -> None:
    service = DistroKid(LABEL, most_rows=400)
    told = asked(service, "/bank/details/export/", {}, NOW).body
    assert b'"state":"refused"' in told
    assert b"over 400 rows must be filtered first" in told
    assert asked(service, "/bank/details/file/", {}, NOW).status == 400
    query = {"store": "Spotify"}
    states = []
    for _ in range(4):
        assert asked(service, "/bank/details/file/", query, NOW).status == 409
        states.append(b"preparing" in asked(service, "/bank/details/export/", query, NOW).body)
    assert states == [True, True, True, False]
    name, content = exported(service, NOW, {"store": "Spotify"})
    assert name.endswith("_HarbourLaneRecords.zip")
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        (member,) = packed.infolist()
        assert member.filename == name.replace(".zip", ".csv")
        whole = packed.read(member)
    assert whole == exported(DistroKid(LABEL), NOW, {"store": "Spotify"})[1]
    assert asked(service, "/bank/details/file/", query, NOW).status == 409, "it is given once"
    assert b"ready" in asked(service, "/bank/details/export/", {"store": "Pandora"}, NOW).body


def test_a_button_moves() -> None:
    there = asked(DistroKid(LABEL), "/bank/details/", {}, NOW).body
    moved = asked(DistroKid(LABEL), "/bank/details/", {}, NOW, Faults(moved_button=True)).body
    assert b'<div onclick="downloadBank()">Download</div>' in there
    assert b'div onclick="downloadBank' not in moved
    assert b"Export report" in moved


def test_fields_get_other_names(tmp_path: Path) -> None:
    service, faults = DistroKid(LABEL), Faults(renamed_field=True)
    for data, word in (("streams", b'makeChart("trend365day"'), ("applemusic", b'"last365days":{')):
        assert word in asked(service, "/stats/", {"data": data}, NOW).body
        assert word not in asked(service, "/stats/", {"data": data}, NOW, faults).body
    name, content = exported(service, NOW, faults=faults)
    (tmp_path / name).write_bytes(content)
    assert [one.needs_person for one in offered(tmp_path / name, tmp_path / "lake")] == [True]


def test_an_empty_account_has_nothing() -> None:
    service, faults = DistroKid(LABEL), Faults(empty_account=True)
    for data in STATS.values():
        text = asked(service, "/stats/", {"data": data}, NOW, faults).body.decode()
        assert not re.search(r'"(category|field)": ?"20', text)
        assert "trend365day" in text or "last365days" in text
    details = asked(service, "/bank/details/", {}, NOW, faults).body
    assert b"You have no earnings yet." in details
    assert b'onclick="downloadBank' not in details
    assert exported(service, NOW, faults=faults)[1].count(b"\r") == 1


def test_a_wrong_account_says_so_and_has_other_numbers() -> None:
    service, faults = DistroKid(LABEL), Faults(wrong_account=True)
    for path in ("/stats/", "/bank/", "/bank/details/"):
        assert OTHER in asked(service, path, {}, NOW, faults).body.decode()
        assert MAIN not in asked(service, path, {}, NOW, faults).body.decode()
    name, content = exported(service, NOW, faults=faults)
    assert "BackCatalogue" in name
    assert content != exported(service, NOW)[1]


def test_who_is_not_logged_in_gets_no_page() -> None:
    with Portal(DistroKid(LABEL), Clock(NOW)) as portal, client(portal) as asking:
        page = asking.get("/stats/", params={"type": "all", "data": "streams"})
        assert "trend365day" in page.text
        portal.expire()
        page = asking.get("/stats/", params={"type": "all", "data": "streams"})
        assert page.url.path == "/login"
        assert "data%3Dstreams" in str(page.url)


def test_a_plan_without_statistics_is_told_so() -> None:
    with Portal(DistroKid(LABEL), Clock(NOW), Faults(forbidden=True)) as portal, client(portal) as asking:
        page = asking.get("/stats/?type=all&data=streams")
        assert (page.status_code, "Upgrade to Musician Plus" in page.text) == (403, True)


@needs_chromium
def test_in_a_browser_the_bank_is_downloaded_and_taken(tmp_path: Path) -> None:
    with Portal(DistroKid(LABEL), Clock(NOW)) as portal, browser(portal, "/bank/") as page:
        page.locator('a[href="/bank/details/"]').click()
        path = saved(page, 'div[onclick^="downloadBank"]', tmp_path)
    assert path.name == f"DistroKid_{int(NOW.timestamp()) * 1000 + 417}_HarbourLaneRecords.tsv"
    assert path.read_bytes() == exported(DistroKid(LABEL), NOW)[1]
    (outcome,) = offered(path, tmp_path / "lake")
    assert (outcome.verdict, outcome.feed) == ("accepted", "distrokid.bank")


@needs_chromium
def test_in_a_browser_a_big_export_is_filtered_and_waited_for(tmp_path: Path) -> None:
    with Portal(DistroKid(LABEL, most_rows=400), Clock(NOW)) as portal, browser(portal, "/bank/details/") as page:
        page.locator('div[onclick^="downloadBank"]').click()
        page.get_by_text("must be filtered first").wait_for()
        page.get_by_label("From").fill("2026-01")
        page.get_by_label("To", exact=True).fill("2026-01")
        page.get_by_role("button", name="Display").click()
        page.locator('div[onclick^="downloadBank"]').click()
        page.get_by_text("We're preparing your file").wait_for()
        page.locator("#offered").wait_for()
        path = saved(page, "#offered", tmp_path)
    assert path.suffix == ".zip"
    assert {one.verdict for one in offered(path, tmp_path / "lake")} == {"accepted"}


@needs_chromium
def test_in_a_browser_the_pages_are_drawn_and_taken_either_way(tmp_path: Path) -> None:
    found: list[tuple[str, str, str]] = []
    with Portal(DistroKid(LABEL), Clock(NOW)) as portal, browser(portal, "/stats/?type=all&data=streams") as page:
        page.locator("svg").nth(3).wait_for(state="attached")
        for store, data in STATS.items():
            sent = page.goto(f"{portal.url}/stats/?type=all&data={data}")
            assert sent is not None
            for manner, text in (("sent", sent.body()), ("drawn", page.content().encode())):
                path = tmp_path / f"{data}_{manner}.html"
                path.write_bytes(text)
                found += [(store, one.verdict, one.feed) for one in offered(path, tmp_path / f"lake {data} {manner}")]
    assert found == [
        ("Spotify", "accepted", "distrokid.spotify"),
        ("Spotify", "accepted", "distrokid.spotify"),
        ("Apple Music", "accepted", "distrokid.apple"),
        ("Apple Music", "accepted", "distrokid.apple"),
    ]
