"""Why: each row leads to its file, its place and the text that stands there in raw."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from walked_lake import golden_bytes, walked

from bedrot.contract import Original
from bedrot.errors import Damaged, Misconfigured, Refused
from bedrot.lake.snapshot import Snapshot, current
from bedrot.lake.zones import Lake
from bedrot.marts.header import Mart
from bedrot.sources import find_sources
from bedrot.tell.condition import check_condition
from bedrot.tell.passage import passages
from bedrot.tell.why import Why, why
from bedrot.walk.marts import marts_of, source_folders

MARTS: dict[str, Mart] = {mart.name: mart for mart in marts_of(source_folders(find_sources()))}
BANK = "distrokid/golden/DistroKid_1748520000000_Paper_Comets.tsv"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return walked(tmp_path_factory.mktemp("why") / "lake")


@pytest.fixture(scope="module")
def state(lake: Lake) -> Snapshot:
    found = current(lake)
    assert found is not None
    return found


def ask(lake: Lake, state: Snapshot, table: str, where: str, limit: int = 20) -> Why:
    return why(lake, state, table, where, MARTS, limit=limit)


def test_a_line_item_leads_to_its_own_line(lake: Lake, state: Snapshot) -> None:
    told = ask(lake, state, "royalties", "country = 'KZ'")
    assert told.total == 1
    (origin,) = told.rows[0].origins
    line = golden_bytes(BANK).decode("utf-8").split("\r")[4]
    assert "KZ" in line
    assert (origin.text, origin.locator) == (line, "line 5")
    assert origin.delivery.name == "DistroKid_1748520000000_Paper_Comets.tsv"
    assert lake.object_path(origin.delivery.object).read_bytes() == golden_bytes(BANK)
    assert told.sql == MARTS["royalties"].sql


def test_an_aggregate_leads_to_all_lines_it_was_made_of(lake: Lake, state: Snapshot) -> None:
    where = "store = 'Facebook' AND sale_month = '2024-12-01'"
    told = ask(lake, state, "royalties_monthly", where)
    (row,) = told.rows
    assert row.row["lines"] == 2
    finer = golden_bytes("distrokid/golden/DistroKid_1765000000000_Paper_Comets.csv").decode("utf-8")
    assert {origin.text for origin in row.origins} == {line for line in finer.splitlines() if "Facebook" in line}
    assert ask(lake, state, "royalties_monthly", where, limit=1).rows[0].more == 1


def test_rows_of_every_table_lead_to_text_or_say_why_not(lake: Lake, state: Snapshot) -> None:
    for table in sorted(state.tables):
        for row in ask(lake, state, table, "TRUE", limit=60).rows:
            assert all(origin.text for origin in row.origins), (table, row.origins)
            assert bool(row.origins) != bool(row.untraced), (table, row.row)


def test_rows_not_shown_are_counted(lake: Lake, state: Snapshot) -> None:
    told = ask(lake, state, "staging.distrokid_bank", "earnings > 0", limit=3)
    assert len(told.rows) == 3
    assert told.total > 3


def test_a_member_of_a_zip_and_a_point_of_a_page_are_found(lake: Lake, state: Snapshot) -> None:
    (row,) = ask(lake, state, "staging.tiktok_follower_gender", "gender = 'Other'").rows
    assert row.origins[0].locator == "FollowerGender.csv line 4"
    member = golden_bytes("tiktok/golden/Followers_nova.lights.zip", "FollowerGender.csv")
    assert row.origins[0].text == member.decode("utf-8-sig").splitlines()[3]
    (row,) = ask(lake, state, "streams_daily", "date = '2025-02-10' AND store = 'Spotify'").rows
    assert json.loads(row.origins[0].text or "") == {"category": "2025-02-10", "column-1": row.row["streams"]}


def test_the_text_comes_from_raw_and_not_from_staging(tmp_path: Path) -> None:
    lake = walked(tmp_path / "lake")
    state = current(lake)
    assert state is not None
    (origin,) = ask(lake, state, "royalties", "country = 'KZ'").rows[0].origins
    path = lake.object_path(origin.delivery.object)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"-0.00091000", b"-0.00091999"))
    (origin,) = ask(lake, state, "royalties", "country = 'KZ'").rows[0].origins
    assert origin.text is not None
    assert origin.text.endswith("-0.00091999")
    path.unlink()
    (origin,) = ask(lake, state, "royalties", "country = 'KZ'").rows[0].origins
    assert (origin.text, bool(origin.missing)) == (None, True)


def test_a_table_that_is_not_there_is_named(lake: Lake, state: Snapshot) -> None:
    with pytest.raises(Misconfigured, match="no table 'royalty'"):
        ask(lake, state, "royalty", "TRUE")


@pytest.mark.parametrize(
    "condition",
    [
        "1 = 1; DROP TABLE royalties",
        "1 = 1) OR (SELECT true",
        "TRUE) UNION SELECT 1 FROM t WHERE (TRUE",
        "TRUE) GROUP BY ALL HAVING (TRUE",
        "TRUE) LIMIT (1",
        "EXISTS (SELECT 1)",
        "isrc IN (SELECT isrc FROM royalties)",
        "isrc = (SELECT content FROM read_text('/etc/passwd'))",
        "read_text('/etc/passwd') = ''",
        "length(getenv('HOME')) > 0",
        "current_setting('temp_directory') = 'x'",
        "getvariable('x') IS NULL",
        "random() < 0.5",
        "now() > '2020-01-01'",
        "nextval('s') = 1",
        "write_log('x') IS NULL",
        "row_number() OVER () = 1",
        "secret = 1",
        "other.isrc = 'x'",
        "COLUMNS(*) IS NULL",
        "isrc = $1",
        "isrc = ?",
        "list_filter([1], x -> x > 0) IS NULL",
        "TRUE -- all of it",
        "",
        "isrc =",
        "isrc = 'x",
    ],
)
def test_a_condition_does_nothing_but_compare(condition: str) -> None:
    if condition.startswith("TRUE --"):
        check_condition(condition, ["isrc"])  # a remark ends with its line
        return
    with pytest.raises(Refused):
        check_condition(condition, ["isrc"])


@pytest.mark.parametrize(
    "condition",
    [
        "isrc = 'QZ' AND day >= DATE '2025-01-01'",
        "lower(ISRC) LIKE 'qz%' OR isrc IS NULL",
        "day BETWEEN '2025-01-01' AND '2025-02-01' AND NOT isrc IN ('a', 'b')",
        "CASE WHEN year(day) = 2025 THEN TRUE END",
        "coalesce(isrc, '') || 'x' = 'x' AND CAST(day AS VARCHAR) <> ''",
    ],
)
def test_comparisons_are_let_through(condition: str) -> None:
    check_condition(condition, ["isrc", "day"])


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=20,
    ),
    st.data(),
)
def test_any_json_pointer_gives_the_very_text(value: object, data: st.DataObject) -> None:
    tokens, at = [], value
    while isinstance(at, list | dict) and at and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(range(len(at)) if isinstance(at, list) else sorted(at)))
        tokens.append(str(key).replace("~", "~0").replace("/", "~1"))
        at = at[key]  # type: ignore[call-overload]
    text = json.dumps(
        {"in": [value]}, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 1]))
    )
    original = _InMemory(text.encode("utf-8", "surrogatepass"))
    pointer = "/".join(["", "in", "0", *tokens])
    found = passages(original, [pointer])[pointer]
    assert json.loads(found) == at
    assert found in text


class _InMemory(Original):
    """An original whose bytes are given."""

    def __init__(self, content: bytes) -> None:
        super().__init__(Path("x.json"), "x.json", "x.json")
        self.__dict__["data"] = content
        self.__dict__["head"] = content


def written(tmp_path: Path, content: bytes, name: str = "a.csv") -> Original:
    path = tmp_path / name
    path.write_bytes(content)
    return Original(path, name, name)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_record_with_line_ends_inside_is_given_whole(tmp_path: Path, end: str) -> None:
    text = end.join(["a,b", '1,"two', 'lines ""of"" it"', "3,four", ""])
    found = passages(written(tmp_path, text.encode()), ["line 2", "line 4"])
    assert found == {"line 2": f'1,"two{end}lines ""of"" it"', "line 4": "3,four"}


def test_a_quote_binds_nothing_between_tabs(tmp_path: Path) -> None:
    found = passages(written(tmp_path, b'a\tb\r1\t12" single\r2\tb'), ["line 2", "line 3"])
    assert found == {"line 2": '1\t12" single', "line 3": "2\tb"}


def test_old_encodings_are_read_as_they_are_staged(tmp_path: Path) -> None:
    assert passages(written(tmp_path, "a\nCafé ü\n".encode("cp1252")), ["line 2"]) == {"line 2": "Café ü"}


def test_a_row_of_a_workbook_is_found(tmp_path: Path) -> None:
    book, memory = Workbook(), io.BytesIO()
    book.active.append(["Date", "Views"])
    book.active.append(["1 May", "12"])
    book.save(memory)
    assert passages(written(tmp_path, memory.getvalue(), "a.xlsx"), ["row 2"]) == {"row 2": "1 May\t12"}


@pytest.mark.parametrize("locator", ["line 9", "/data/3", "Other.csv line 1", "somewhere"])
def test_a_place_that_is_not_there_is_damage(tmp_path: Path, locator: str) -> None:
    with pytest.raises((Damaged, Refused)):
        passages(written(tmp_path, b'{"data": [1, 2]}', "a.json"), [locator])
