"""TikTok-like downloads made for tests, and ways to read them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook

from bedrot import sql
from bedrot.contract import Delimited, Facts, Feed, Ignored, Original, Row, Stamp
from bedrot.contract.typing_sql import cleaned, complaint, typed
from bedrot.sources import tiktok
from bedrot.sources.tiktok import SOURCE

FOLDER = Path(tiktok.__file__).parent
GOLDEN = FOLDER / "golden"
SAMPLES = sorted(path.name for path in GOLDEN.iterdir() if path.suffix != ".json")
FEEDS = {feed.name: feed for feed in SOURCE.feeds}
OVERVIEW = ["Date", "Video Views", "Profile Views", "Likes", "Comments", "Shares"]
VIEWERS = ["Date", "Total Viewers", "New Viewers", "Returning Viewers"]
CONTENT = [
    "Time",
    "Video title",
    "Video link",
    "Post time",
    *(f"Total {one}" for one in ("likes", "comments", "shares", "views")),
]
NAMED = "Overview_2024-06-15_1718553909_demo.zip"
MEMBER_TIME = (2024, 6, 18, 16, 5, 8)
DAYS = [["June 15", 9, 1, 2, 3, 4], ["June 16", 8, 1, 2, -3, 4]]
Rows = list[Row | Ignored]


def quoted(rows: Sequence[Sequence[object]]) -> bytes:
    """A CSV as TikTok writes it: mark, quotes, line feeds, none at the end."""
    lines = [",".join('"' + str(cell).replace('"', '""') + '"' for cell in row) for row in rows]
    return ("\ufeff" + "\n".join(lines)).encode()


def zipped(*members: tuple[str, bytes], time: tuple[int, int, int, int, int, int] = MEMBER_TIME) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, time), data)
    return file.getvalue()


def workbook(rows: Sequence[Sequence[object]], sheets: int = 1) -> bytes:
    book, file = Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    for _ in range(sheets - 1):
        book.create_sheet()
    book.save(file)
    return file.getvalue()


def original(folder: Path, name: str, data: bytes, member_time: datetime | None = None, relative: str = "") -> Original:
    path = folder / "object"
    path.write_bytes(data)
    return Original(path, name, relative or name, member_time)


def feeds_that_know(file: Original) -> list[str]:
    return [feed.name for feed in SOURCE.feeds if feed.knows(file)]


def only_feed(file: Original) -> Feed:
    (name,) = feeds_that_know(file)
    return FEEDS[name]


def facts(exported: str = "2024-06-18T16:00:00+00:00", basis: str = "person") -> Facts:
    return Facts("demo", datetime.fromisoformat(exported), basis, resaved=False)


def rows_of(feed: Feed, file: Original, told: Facts) -> Rows:
    assert not isinstance(feed.read, Delimited)
    return list(feed.read(file, told))


def read(file: Original, told: Facts | None = None) -> Rows:
    return rows_of(only_feed(file), file, told or facts())


def golden(name: str) -> tuple[Original, Feed, Facts]:
    file = Original(GOLDEN / name, name, name)
    feed = only_feed(file)
    given_path = GOLDEN / f"{name}.given.json"
    told = json.loads(given_path.read_text("utf-8")) if given_path.exists() else {}
    stamp = feed.exported_at(file)
    if stamp is None:
        stamp = Stamp(datetime.fromisoformat(told["exported_at"]), "person")
    account = feed.account(file) or told["account"]
    return file, feed, Facts(account, stamp.at, stamp.basis, resaved=False)


def golden_rows(name: str) -> Rows:
    file, feed, told = golden(name)
    return rows_of(feed, file, told)


def values(rows: Rows, table: str, *fields: str) -> list[tuple[str | None, ...]]:
    return [
        tuple(row.values.get(name) for name in fields) for row in rows if isinstance(row, Row) and row.table == table
    ]


def raw_tables(data: bytes) -> list[list[list[str]]]:
    """The tables of a golden file, found without csv, zip order of the reader, or openpyxl."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if "xl/workbook.xml" in archive.namelist():
                xml = archive.read("xl/worksheets/sheet1.xml").decode()
                return [[re.findall("<v>(.*?)</v>", row) for row in re.findall("<row.*?</row>", xml)]]
            return [table for name in archive.namelist() for table in raw_tables(archive.read(name))]
    text = data.decode("utf-8-sig")
    cells = re.findall(r'(?:"((?:[^"]|"")*)"|([^,\n"]*))(,|\n|$)', text)
    table: list[list[str]] = [[]]
    for inner, plain, end in cells:
        if end != "," and not inner and not plain and not table[-1]:
            continue
        table[-1].append(inner.replace('""', '"') or plain)
        if end != ",":
            table.append([])
    return [[row for row in table if row]]


def typed_rows(feed: Feed, rows: Rows, table_name: str) -> tuple[list[tuple[object, ...]], list[str]]:
    """Rows as the typing makes them, and its complaints."""
    table = feed.table(table_name)
    con = sql.connect(None, threads=1)
    names = [field.name for field in table.fields]
    con.execute(f"CREATE TABLE given ({', '.join(sql.name(name) + ' VARCHAR' for name in names)})")
    for row in rows:
        if isinstance(row, Row) and row.table == table_name:
            con.execute(f"INSERT INTO given VALUES ({', '.join('?' * len(names))})", [row.values.get(n) for n in names])
    texts = ", ".join(
        f"{cleaned(field, sql.name(field.name))} AS {sql.name('t_' + field.name)}" for field in table.fields
    )
    typings = ", ".join(
        f"{typed(field, sql.name('t_' + field.name))} AS {sql.name(field.name)}" for field in table.fields
    )
    con.execute(f"CREATE TABLE typed AS SELECT *, {typings} FROM (SELECT {texts} FROM given)")
    said: list[str] = []
    for field in table.fields:
        clause = complaint(field, sql.name("t_" + field.name), sql.name(field.name))
        if clause:
            said += [one for (one,) in con.execute(f"SELECT {clause} FROM typed").fetchall() if one]
    for check in table.checks:
        said += [check.says for _ in con.execute(f"SELECT 1 FROM typed WHERE {check.breaks}").fetchall()]
    return con.execute(f"SELECT {sql.names(names)} FROM typed").fetchall(), said


BODY = [OVERVIEW, *DAYS]
WHOLE = quoted(BODY)
