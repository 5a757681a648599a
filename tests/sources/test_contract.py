"""The one contract suite: what holds for every source that is found, and for a sixth one in a folder elsewhere."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bedrot import sql
from bedrot.contract import Delimited, Facts, Kind, Original, Source, Table, heading_key
from bedrot.contract.typing_sql import LOCATOR
from bedrot.errors import Misconfigured
from bedrot.lake.ledger import Ledger
from bedrot.lake.zones import Lake
from bedrot.marts.interfaces import FILES, check_fragment, read_fragments
from bedrot.marts.parts import staging_columns
from bedrot.sources import find_sources, folder_of
from bedrot.tell.golden import EXPECTED, GIVEN, Sample, answer, golden_folder, samples_of, stage_sample, write_golden
from bedrot.tell.passage import passages
from bedrot.tell.verify import unaccounted
from bedrot.tell.verify_deep import disagreements
from bedrot.walk.identify import identify
from bedrot.walk.recount import recount

SIXTH = '''
"""Sales of a shop that exists in this test only."""

from bedrot.contract import Delimited, Feed, Field, Grain, Kind, Merge, Partition, Remembers, Source, Stamp, Table
from datetime import date

SALES = Table(
    name="moonshop_sales",
    about="One sale.",
    fields=(
        Field("sold_on", Kind.DATE, "The day.", aka=("Sold on",), required=True, filled=True),
        Field("title", Kind.TEXT, "What was sold.", aka=("Item",)),
        Field("paid", Kind.MONEY, "What came in.", unit="EUR", aka=("Paid (EUR)",), required=True, filled=True),
    ),
    merge=Merge.LINES,
    key=("account", "sold_on", "title"),
    identity=("title",),
    partition=Partition("sold_on", Grain.MONTH),
    day="sold_on",
)

SOURCE = Source(
    name="moonshop",
    title="Moonshop",
    feeds=(
        Feed(
            name="moonshop.sales",
            about="The shop's list of sales.",
            tables=(SALES,),
            knows=lambda original: original.head_text.startswith("Sold on,Item,Paid (EUR)"),
            read=Delimited("moonshop_sales", ","),
            exported_at=lambda original: Stamp.of_day(date(2025, 7, 1), "inside"),
        ),
    ),
    remembers=Remembers(days=None, evidence="It is invented."),
)
'''
FRAGMENT = """
SELECT account, sold_on AS reporting_date, CAST(date_trunc('month', sold_on) AS DATE) AS sale_month,
    'Moonshop' AS store, CAST(NULL AS VARCHAR) AS country, CAST(NULL AS VARCHAR) AS artist, title,
    CAST(NULL AS VARCHAR) AS isrc, CAST(NULL AS VARCHAR) AS upc, CAST(NULL AS VARCHAR) AS product,
    CAST(1 AS BIGINT) AS quantity, CAST(NULL AS DECIMAL(38,18)) AS share_percent, paid AS earnings,
    'EUR' AS currency, CAST(NULL AS DECIMAL(38,18)) AS withheld, CAST(NULL AS DECIMAL(38,18)) AS recoup,
    _delivery, _locator
FROM staging.moonshop_sales
"""
SAMPLE = 'Sold on,Item,Paid (EUR)\n2025-06-01,"Tote bag, blue",9.50\n2025-06-02,Poster,4.25\nlater,Poster,1.00\n'


HOME = TemporaryDirectory(prefix="sources-", ignore_cleanup_errors=True)


def made_sixth() -> Path:
    """The folder in which a sixth source lies, with its golden answer."""
    home = Path(HOME.name)
    folder = home / "moonshop"
    (folder / "golden").mkdir(parents=True)
    (folder / "__init__.py").write_text(SIXTH, "utf-8")
    (folder / "lines.sql").write_text(FRAGMENT, "utf-8")
    (folder / "golden" / "sales.csv").write_text(SAMPLE, "utf-8")
    return home


FURTHER = (made_sixth(),)
SOURCES = {source.name: source for source in find_sources(FURTHER)}
write_golden("moonshop", FURTHER)
SAMPLES = {f"{name}/{sample.name}": sample for name, one in SOURCES.items() for sample in samples_of(one)}
TABLES = {table.name: table for one in SOURCES.values() for feed in one.feeds for table in feed.tables}


def zipped(*members: tuple[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return memory.getvalue()


HOSTILE = {
    "empty.csv": b"",
    "blank.csv": b"\r\n\r\n\r\n",
    "noughts.csv": bytes(5000),
    "random.json": bytes((i * 197 + i // 7) % 256 for i in range(5000)),
    "object.json": b"{}",
    "list.json": b"[]",
    "deep.json": b'{"data":' * 20_000,
    "brackets.json": b"[" * 100_000,
    "double.json": b'{"a": 1, "a": 2, "data": []}',
    "nan.json": b'{"data": [NaN, Infinity]}',
    "long_number.json": b'{"data": ' + b"9" * 10_000 + b"}",
    "torn.json": b'{"data": [{"day": "2025-0',
    "login.html": b"<!doctype html><html><form><input type=password name=p></form>Log in</html>",
    "login.csv": b"<html><body>Sign in to go on</body></html>",
    "page.json": b"<html><script>var chart = 1</script></html>",
    "wide.csv": b",".join(b"c%d" % i for i in range(100_000)) + b"\n",
    "long.csv": b"x" * 3_000_000,
    "strange.csv": b"Weather,Mood\nrain,good\n",
    "marks.tsv": b"\t" * 1000 + b"\n",
    "wide.txt": "Datum;Wert\n1;2\n".encode("utf-16"),
    "torn.zip": zipped(("a.csv", b"x" * 1000))[:60],
    "climbing.zip": zipped(("../../a.csv", b"a,b\n1,2\n")),
    "nested.zip": zipped(("inner.zip", zipped(("a.csv", b"a\n")))),
    "bomb.zip": zipped(("a.csv", b"0" * 30_000_000)),
    "many.zip": zipped(*((f"{i}.csv", b"") for i in range(2000))),
    "broken.xlsx": zipped(("xl/workbook.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><workbook>&b;")),
    "page.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
}


@pytest.fixture(params=sorted(SAMPLES))
def sample(request: pytest.FixtureRequest) -> Sample:
    return SAMPLES[request.param]


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest) -> Source:
    return SOURCES[request.param]


def test_the_sources_are_here_and_each_has_samples_for_every_feed(source: Source) -> None:
    shown = {identify(one.original, list(SOURCES.values())).feed.name for one in samples_of(source)}
    assert shown == {feed.name for feed in source.feeds}


def test_every_golden_answer_has_its_sample_and_every_sample_its_answer(source: Source) -> None:
    names = {path.name for path in golden_folder(source).iterdir()}
    samples = {name for name in names if not name.endswith((EXPECTED, GIVEN))}
    assert {name.removesuffix(EXPECTED) for name in names if name.endswith(EXPECTED)} == samples
    assert {name.removesuffix(GIVEN) for name in names if name.endswith(GIVEN)} <= samples


def test_a_sample_is_claimed_by_exactly_one_feed(sample: Sample) -> None:
    claims = [feed.name for one in SOURCES.values() for feed in one.feeds if feed.knows(sample.original)]
    assert len(claims) == 1
    assert claims[0].split(".")[0] == sample.path.parent.parent.name


def test_a_sample_gives_its_golden_answer(sample: Sample) -> None:
    assert answer(sample, FURTHER) == json.loads(sample.expected_path.read_text("utf-8"))


def test_a_sample_is_accounted_for_and_staged_the_same_twice(sample: Sample, tmp_path: Path) -> None:
    lakes = [Lake.create(tmp_path / name) for name in ("one", "two")]
    staged, again = (stage_sample(sample, lake, FURTHER) for lake in lakes)
    assert [(one.table, one.fingerprint) for one in staged] == [(one.table, one.fingerprint) for one in again]
    with Ledger(lakes[0].ledger_path) as ledger:
        told = ledger.deliveries()[0]
    feed = identify(sample.original, list(SOURCES.values())).feed
    facts = Facts(told.account, told.exported_at, told.exported_basis, told.resaved)
    counts = recount(feed, sample.original, facts)
    assert {one.table for one in staged} == {table.name for table in feed.tables}
    for one, other in zip(staged, again, strict=True):
        for path, same in ((one.path, other.path), (one.rejects_path, other.rejects_path)):
            assert not path or lakes[0].absolute(path).read_bytes() == lakes[1].absolute(same).read_bytes()
        assert one.records == one.rows + one.rejected + sum(one.ignored.values())
        assert list(unaccounted(one)) == []
        assert list(disagreements(one, counts[one.table])) == []


def test_every_staged_row_leads_back_to_text_that_shows_it(sample: Sample, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    staged = stage_sample(sample, lake, FURTHER)
    con = sql.connect(None)
    for one in staged:
        for path in filter(None, (one.path, one.rejects_path)):
            place = LOCATOR if path == one.path else "_locator"
            rows = con.execute(f"SELECT {place} FROM read_parquet({sql.files([lake.absolute(path)])})").fetchall()
            texts = passages(sample.original, [locator for (locator,) in rows])
            assert all(text.strip() for text in texts.values())
        if not one.path:
            continue
        counts = con.execute(
            f"SELECT * REPLACE ({LOCATOR} AS _locator) FROM read_parquet({sql.files([lake.absolute(one.path)])})"
        )
        names = [column[0] for column in counts.description]
        whole = [name for name, kind in zip(names, counts.description, strict=True) if kind[1] == "BIGINT"]
        rows = counts.fetchall()
        texts = passages(sample.original, [row[names.index("_locator")] for row in rows])
        shown = Counter[str]()
        for row in rows:
            text = "".join(char for char in texts[row[names.index("_locator")]] if char.isalnum())
            for name in whole:
                value = row[names.index(name)]
                shown[name] += name[0] != "_" and value is not None and str(abs(value)) not in text
        # A field may come from the file as a whole; of those that do not, each row shows its own number.
        per_row = {name for name in whole if not name.startswith("_")}
        assert not per_row or any(shown[name] == 0 for name in per_row)


def test_no_feed_claims_a_hostile_file_and_none_stumbles_over_it(source: Source, tmp_path: Path) -> None:
    assert len(HOSTILE) >= 20
    for name, data in HOSTILE.items():
        path = tmp_path / name
        path.write_bytes(data)
        for feed in source.feeds:
            assert feed.knows(Original(path, name, name)) is False, name
        assert source.private(Original(path, name, name)) is None, name


def test_every_field_says_what_it_is(source: Source) -> None:
    for feed in source.feeds:
        assert feed.about.endswith("."), feed.name
        for table in feed.tables:
            assert table.about.endswith("."), table.name
            for field in table.fields:
                where = f"{table.name}.{field.name}"
                assert field.about.strip().endswith("."), where
                measure = field.kind is Kind.MONEY or field.basis is not None or bool(field.additive)
                assert field.unit or not measure, f"{where} is a measure and has no unit"
                assert set(field.additive) <= set(table.columns), where


def test_a_table_names_only_its_own_columns(source: Source) -> None:
    for table in {table for feed in source.feeds for table in feed.tables}:
        named = {*table.key, *table.identity, *table.folded, *table.scope, table.partition.column, table.day}
        named |= {table.until, table.provisional, table.absent}
        assert named - {""} <= set(table.columns), table.name
        assert set(table.identity) <= set(table.key), table.name


def test_names_are_unique() -> None:
    feeds = [feed.name for source in SOURCES.values() for feed in source.feeds]
    assert len(feeds) == len(set(feeds))
    owners: dict[str, tuple[str, Table]] = {}
    for source in SOURCES.values():
        for feed in source.feeds:
            assert feed.name.startswith(f"{source.name}.")
            for table in feed.tables:
                assert owners.setdefault(table.name, (source.name, table)) == (source.name, table)
                assert table.name == source.name or table.name.startswith(f"{source.name}_")


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_field_has_a_name_of_its_own(name: str) -> None:
    names = [field.name for field in TABLES[name].fields]
    assert len(set(names)) == len(names)
    assert not {"account", "source", "_delivery", "_line", "_locator", "_partition"}.intersection(names)


def test_no_heading_of_a_file_read_in_bulk_means_two_fields(source: Source) -> None:
    for feed in source.feeds:
        if isinstance(feed.read, Delimited):
            fields = feed.table(feed.read.table).fields
            keys = Counter(key for one in fields for key in {heading_key(text) for text in (one.name, *one.aka)})
            assert [key for key, count in keys.items() if count > 1] == []


def test_fragments_give_what_their_interface_says(source: Source) -> None:
    columns = staging_columns([source])
    fragments = read_fragments({source.name: folder_of(source)})
    assert {path.stem for path in folder_of(source).glob("*.sql")} <= {FILES[one.view] for one in fragments}
    con = sql.connect(None)
    con.execute("CREATE SCHEMA staging")
    for one in fragments:
        wanted = {table: sql.no_rows([*columns[table], ("_lacking", "VARCHAR")]) for table in one.tables}
        for table, select in wanted.items():
            con.execute(f"CREATE OR REPLACE VIEW staging.{sql.name(table)} AS {select}")
        check_fragment(con, one)


@cache
def moonshop() -> dict[str, object]:
    return answer(SAMPLES["moonshop/sales.csv"], FURTHER)


def test_the_sixth_source_is_read_to_the_cent() -> None:
    table = moonshop()["tables"]["moonshop_sales"]  # type: ignore[index]
    assert (table["records"], table["rows"], table["rejected"]) == (3, 2, 1)
    assert Decimal(table["money"]["paid"]["staged"]) == Decimal("13.75")
    assert table["money"]["paid"]["rejected"] == "1"
    assert table["first"]["title"] == "Tote bag, blue"


def test_a_changed_sample_or_answer_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(SAMPLE.replace("4.25", "4.26"), "utf-8")
    assert answer(Sample(path), FURTHER) != moonshop()


def test_what_is_given_with_a_sample_must_mean_something(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SAMPLE, "utf-8")
    (tmp_path / f"sales.csv{GIVEN}").write_text('{"acount": "a"}', "utf-8")
    with pytest.raises(Misconfigured, match="acount"):
        answer(Sample(tmp_path / "sales.csv"), FURTHER)
    with pytest.raises(Misconfigured, match="no source 'sunshop'"):
        write_golden("sunshop", FURTHER)
