"""Linktree's answers: the lake knows all days that they tell, in any order, and they look as Linktree's do."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from walking import Walked

from bedrot.demo import linktree
from bedrot.demo.arrival import Arrival
from bedrot.demo.chance import Chance
from bedrot.demo.label import FIRST_DAY, LAST_DAY, invent

LABEL = invent(7)
ARRIVALS = linktree.arrivals(LABEL)
OVERVIEW, LINKS, SUBSCRIBERS, PLACES = "overview", "links", "subscribers", "lifetime"


def data(arrival: Arrival) -> Any:
    return json.loads(arrival.content())["data"]


def analytics(part: str) -> list[tuple[Arrival, Any]]:
    """The answers that have a part, and the answer."""
    found = [(one, told) for one in ARRIVALS if part in (told := data(one).get("getAccountAnalytics", {}))]
    assert found
    return found


def as_given(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """The arrivals with what the door says of each in this order: of equal ones the first is taken."""
    seen, found = set(), []
    for one in arrivals:
        repeat = one.verdict == "accepted" and one.name in seen
        found.append(replace(one, verdict="repeat") if repeat else one)
        seen.add(one.name)
    return found


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_order(tmp_path: Any) -> None:
    walked = Walked(tmp_path / "lake", ARRIVALS)
    assert walked.unplanned() == []
    assert walked.differences(linktree.expected(LABEL)) == []
    assert (walked.summary.rejected, walked.summary.held, walked.summary.failed) == (0, 0, [])


@pytest.mark.slow  # the whole story, in make test, holds this too
def test_in_any_order_and_more_than_once(tmp_path: Any) -> None:
    chance = Chance("any order")
    # All answers that tell days, and of the others as many as one test has time for.
    telling = {one.name for one, _ in analytics(OVERVIEW)}
    some = [one for one in ARRIVALS if one.name in telling or chance.happens(250)]
    order = chance.shuffled([*some, *(chance.pick(some) for _ in range(8))])
    walked = Walked(tmp_path / "lake", as_given(order))
    assert walked.unplanned() == []
    assert walked.differences(linktree.expected(LABEL)) == []


def test_a_wrong_number_is_seen(tmp_path: Any) -> None:
    page = LABEL.artists[0].page
    years = [one for one, told in analytics(OVERVIEW) if one.account == page and len(days_of(told)) == 365]
    table = linktree.expected(LABEL)[0]
    mine = replace(table, where=(*table.where, ("account", page)), rows=[row for row in table.rows if row[1] == page])
    assert Walked(tmp_path / "right", years).differences([mine]) == []
    wrong = re.sub(rb'"uniqueClicks":(\d+)(?=[^}]+"2026-02-14")', rb'"uniqueClicks":1\1', years[-1].content())
    assert len(wrong) == len(years[-1].content()) + 1
    planted = [*years[:-1], replace(years[-1], write=partial(list, [wrong]))]
    assert len(Walked(tmp_path / "wrong", planted).differences([mine])) == 2


def test_the_same_seed_gives_the_same_bytes() -> None:
    def digest(seed: int) -> str:
        found = hashlib.sha256()
        for one in linktree.arrivals(invent(seed)):
            found.update(one.name.encode() + one.content())
        return found.hexdigest()

    assert digest(7) == digest(7)
    assert digest(7) != digest(8)
    assert linktree.expected(invent(7)) == linktree.expected(LABEL)
    assert linktree.faults(invent(7)) == linktree.faults(LABEL)


def test_names_and_sizes() -> None:
    pages = "|".join(artist.page for artist in LABEL.artists)
    for one in ARRIVALS:
        assert re.fullmatch(rf"linktree/({pages})/graphql_\d{{8}}_\d{{6}}_\d{{6}}\.json", one.name)
        assert one.name.endswith(f"graphql_{one.at:%Y%m%d_%H%M%S_%f}.json")
        assert one.account == one.name.split("/")[1]
    assert len({one.name for one in ARRIVALS}) == len(ARRIVALS) <= 120
    assert sum(len(one.content()) for one in ARRIVALS) < 1_800_000
    assert [one.at for one in ARRIVALS] == sorted(one.at for one in ARRIVALS)


def test_json_is_written_without_blanks() -> None:
    for one in ARRIVALS:
        text = one.content().decode("utf-8")
        assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


COUNT = {"total": int, "__typename": str}
RATE = {"views": COUNT, "clicks": COUNT, "clickThroughRate": (int, float), "__typename": str}
DAY = {"date": str, "subscribersTotal": int, "subscribersClicks": int, "notifications": [], "dailyTotal": int,
       "__typename": str}  # fmt: skip
ICON = {"date": (str, type(None)), "name": str, "views": COUNT, "clicks": COUNT, "__typename": str}
CITY = {"name": (str, type(None)), "countryCode": str, "coordinates": [str], **RATE}
STRUCTURES: dict[str, Any] = {
    OVERVIEW: {
        "overview": {
            "totalViews": int, "totalClicks": int, "clickThroughRate": (int, float), "timeToClick": int,
            "clickThroughBenchmark": float,
            "timeseries": [{
                "totalViews": int, "totalClicks": int, "uniqueViews": int, "uniqueClicks": int,
                "clickThroughRate": (int, float), "date": str, "__typename": str,
            }],
            "__typename": str,
        },
        "__typename": str,
    },
    LINKS: {
        "links": [{"id": int, "clicks": COUNT, "breakdown": type(None), "__typename": str}],
        "socials": {"socials": [ICON], "timeseries": [ICON], "__typename": str},
        "products": [],
        "__typename": str,
    },
    SUBSCRIBERS: {
        "subscribers": {
            "subscribers": [DAY], "emailSubscribers": [DAY], "smsSubscribers": [DAY],
            "total": {"clicks": int, "subscribers": int, "notificationRecipients": int, "ctr": int, "__typename": str},
            "interval": str, "__typename": str,
        },
        "__typename": str,
    },
    PLACES: {
        "lifetime": {
            "views": COUNT, "clicks": {"total": int, "profile": int, "socials": int, "__typename": str},
            "subscribers": COUNT, "clickThroughRate": (int, float), "payments": [], "__typename": str,
        },
        "locations": {
            "cities": [CITY], "countries": [{"name": str, "countryCode": str, **RATE}], "__typename": str,
        },
        "referrers": {"referrers": [{"name": str, **RATE}], "__typename": str},
        "devices": {"devices": [{"name": str, **RATE}], "__typename": str},
        "__typename": str,
    },
}  # fmt: skip


def is_like(value: Any, structure: Any) -> bool:
    """Whether a value has these keys in this order and values of these types, all the way down."""
    if isinstance(structure, dict):
        return (
            isinstance(value, dict)
            and list(value) == list(structure)
            and all(is_like(value[key], inner) for key, inner in structure.items())
        )
    if isinstance(structure, list):
        return isinstance(value, list) and all(is_like(one, structure[0]) if structure else False for one in value)
    return isinstance(value, structure) and (structure is bool or not isinstance(value, bool))


def test_answers_have_the_structure_of_linktrees() -> None:
    for part, structure in STRUCTURES.items():
        for one, told in analytics(part):
            assert is_like(told, structure), one.name
    modifiers = {"thumbnailUrl": (str, type(None)), "__typename": str}
    link = {"id": int, "title": str, "active": bool, "modifiers": modifiers, "__typename": str}
    titles = [told for told in map(data, ARRIVALS) if all(key.startswith("link") for key in told)]
    assert titles
    for told in titles:
        assert all(is_like(value, link) and key == f"link{value['id']}" for key, value in told.items())
    owners = [one for one in ARRIVALS if "currentUser" in data(one)]
    assert {one.verdict for one in owners} == {"private"}
    assert all(list(data(one)["currentUser"]) == ["id", "account", "__typename"] for one in owners)
    known = sum(len(analytics(part)) for part in STRUCTURES)
    assert known + len(titles) + len(owners) == len(ARRIVALS)


def days_of(told: Any) -> list[date]:
    return [date.fromisoformat(one["date"]) for one in told["overview"]["timeseries"]]


def test_days_are_whole_rows_that_end_today() -> None:
    lengths = set()
    for one, told in analytics(OVERVIEW):
        days = days_of(told)
        lengths.add(len(days))
        assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
        assert one.fault or days[-1] == one.at.date()
        overview = told["overview"]
        for day in [*overview["timeseries"], overview]:
            views, clicks = day["totalViews"], day["totalClicks"]
            assert day["clickThroughRate"] == ((2 * clicks * 10_000 + views) // (2 * views) / 10_000 if views else 0)
        for total in ("totalViews", "totalClicks"):
            assert overview[total] == sum(day[total] for day in overview["timeseries"])
    assert lengths == {7, 365}


def test_totals_disagree_as_linktrees_do() -> None:
    for _, told in analytics(LINKS):
        views = {one["views"]["total"] for name in ("socials", "timeseries") for one in told["socials"][name]}
        assert len(views) == 1, "the total of all time stands in every row"
        named = {one["name"] for one in told["socials"]["socials"]}
        assert named == {"instagram", "email_address"}
    for _, told in analytics(PLACES):
        unknown, nameless = told["locations"]["cities"][-2:]
        assert (unknown["name"], nameless["name"]) == ("Unknown", None)
        assert unknown["coordinates"] == nameless["coordinates"]
        assert unknown["clicks"]["total"] == nameless["views"]["total"] == 0


def test_links_come_are_renamed_and_go() -> None:
    told: dict[int, list[tuple[str, bool]]] = {}
    for one in ARRIVALS:
        for key, link in data(one).items():
            if key.startswith("link"):
                told.setdefault(link["id"], []).append((link["title"], link["active"]))
    assert any(len({title for title, _ in states}) > 1 for states in told.values())
    assert any({active for _, active in states} == {True, False} for states in told.values())
    assert len({len(states) for states in told.values()}) > 1, "some links are younger than others"


def test_an_old_answer_comes_again_under_a_newer_name() -> None:
    (stale,) = [one for one in ARRIVALS if one.fault == "an old answer saved under a newer name"]
    same = [one for one in ARRIVALS if one.content() == stale.content() and one != stale]
    assert [one.at.date() for one in same] == [stale.at.date() - timedelta(days=3)]
    later = [one for one, told in analytics(OVERVIEW) if one.at > stale.at and stale.at.date() in days_of(told)]
    assert later, "the days are told again afterwards"


def test_one_page_is_silent() -> None:
    last = {
        artist.page: max(one.at.date() for one in ARRIVALS if one.account == artist.page) for artist in LABEL.artists
    }
    assert list(last.values()) == [LAST_DAY, LAST_DAY - timedelta(days=43)]
    kinds = {one.kind for one in linktree.faults(LABEL)}
    assert "a source silent for 43 days" in kinds
    assert {one.fault for one in ARRIVALS if one.fault} <= kinds


def test_some_days_are_unknown_and_some_are_running() -> None:
    rows = list(linktree.expected(LABEL)[0].rows)
    assert len({(row[1], row[0]) for row in rows}) == len(rows)
    holes = {}
    for artist in LABEL.artists:
        days = sorted(date.fromisoformat(str(row[0])) for row in rows if row[1] == artist.page)
        assert days[0] >= FIRST_DAY
        running = [date.fromisoformat(str(row[0])) for row in rows if row[1] == artist.page and row[-1]]
        assert running[-1] == days[-1]
        assert not {day + timedelta(days=1) for day in running} & set(days), "told once more when it was over"
        holes[artist.page] = (days[-1] - days[0]).days + 1 - len(days)
    assert min(holes.values()) == 0
    assert max(holes.values()) > 0, "no answer tells some of the days between"
