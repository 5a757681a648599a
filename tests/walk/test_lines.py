"""Delimited text as lines: nothing of the bytes is lost on the way to the engine, and what is cut off is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrot import sql
from bedrot.contract import Delimited, Field, Grain, Kind, Merge, Original, Partition, Table
from bedrot.errors import Refused
from bedrot.walk.lines import as_it_stands, read_heading, refuse_bad_ends
from bedrot.walk.look import LINE_BYTES, scan
from bedrot.walk.text_rows import from_lines

FIELDS = (
    Field("day", Kind.DATE, "The day.", aka=("Day",), required=True),
    Field("title", Kind.TEXT, "A title.", aka=("Title",)),
    Field("paid", Kind.MONEY, "What was paid.", aka=("Paid",)),
)
MONEY = Table("t", "A table.", FIELDS, Merge.LINES, ("day",), Partition("day", Grain.MONTH))
NAMES = Table("n", "A table.", FIELDS[:2], Merge.SNAPSHOTS, ("day",), Partition("day", Grain.ALL))


def file(folder: Path, data: bytes) -> Original:
    path = folder / "given.csv"
    path.write_bytes(data)
    return Original(path, "given.csv", "given.csv")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_scan_sees_the_same_in_each_encoding(tmp_path: Path, end: str, encoding: str) -> None:
    text = end.join(["Day\tTitle\tPaid", '2025-01-01\t"Café"\t1.00', "2025-01-02\tÜ\t2.00", ""])
    found = scan(file(tmp_path, text.encode(encoding)).path)
    assert (found.ends, found.quotes) == (3, 2)
    assert found.last[-1:] == end[-1:].encode()
    assert text == (tmp_path / "given.csv").read_bytes().decode(found.encoding)


def test_a_scan_stops_at_a_line_that_is_no_record(tmp_path: Path) -> None:
    given = file(tmp_path, b"Day\tPaid\n")
    with given.path.open("r+b") as out:
        out.truncate(1 << 30)
    found = scan(given.path)
    assert found.size <= 4 * LINE_BYTES
    with pytest.raises(Refused, match="longer than"):
        refuse_bad_ends(given, found, read_heading(given, MONEY, "\t"))


def test_utf16_that_ends_inside_a_letter(tmp_path: Path) -> None:
    data = "Day\tPaid\r\n2025-01-01\t1.00\r\n".encode("utf-16")
    with pytest.raises(Refused, match="middle of a character"):
        scan(file(tmp_path, data[:-1]).path)


WHOLE = b"Day\tTitle\tPaid\n2025-01-01\ta\t1.00000001\n2025-01-02\tb\t2.00000002"


@pytest.mark.parametrize("cut", range(1, 23))
def test_a_last_line_without_its_end_must_be_whole(tmp_path: Path, cut: int) -> None:
    given = file(tmp_path, WHOLE[:-cut])
    with pytest.raises(Refused, match="cut off"):
        refuse_bad_ends(given, scan(given.path), read_heading(given, MONEY, "\t"))


QUOTED = b'"Day","Title","Paid"\n"2025-01-01","a","1.00000001"\n"2025-01-02","two\nlines","2.00000002"'


@pytest.mark.parametrize("cut", range(1, 37))
def test_a_quoted_last_record_without_its_end_must_be_whole(tmp_path: Path, cut: int) -> None:
    given = file(tmp_path, QUOTED[:-cut])
    if QUOTED[:-cut].endswith(b"\n"):  # a line end inside a field looks like any other until the quotes are counted
        return
    with pytest.raises(Refused, match="cut off"):
        refuse_bad_ends(given, scan(given.path), read_heading(given, MONEY, ","))


def test_a_quoted_last_record_may_go_over_lines(tmp_path: Path) -> None:
    given = file(tmp_path, QUOTED)
    refuse_bad_ends(given, scan(given.path), read_heading(given, MONEY, ","))


def test_a_last_line_with_all_its_decimals_is_whole(tmp_path: Path) -> None:
    for data in (WHOLE, WHOLE + b"\n", WHOLE.decode().encode("utf-16")):
        given = file(tmp_path, data)
        refuse_bad_ends(given, scan(given.path), read_heading(given, MONEY, "\t"))


def test_whole_amounts_without_decimals_cannot_be_told_from_halves(tmp_path: Path) -> None:
    given = file(tmp_path, b"Day\tTitle\tPaid\n2025-01-01\ta\t100\n2025-01-02\tb\t200")
    with pytest.raises(Refused, match="cut off"):
        refuse_bad_ends(given, scan(given.path), read_heading(given, MONEY, "\t"))


def test_a_sheet_of_names_may_lack_its_last_line_end(tmp_path: Path) -> None:
    given = file(tmp_path, b"Day,Title\n2025-01-01,a")
    refuse_bad_ends(given, scan(given.path), read_heading(given, NAMES, ","))
    given = file(tmp_path, b"Day,Title\n2025-01-01")
    with pytest.raises(Refused, match="cut off"):
        refuse_bad_ends(given, scan(given.path), read_heading(given, NAMES, ","))


CELLS = st.text(st.characters(blacklist_characters='\t\r\n"', blacklist_categories=("Cs",)), max_size=9)
OURS = str.maketrans(dict.fromkeys("\x00\x01\x02\x1d\x1e\x1f", "\ufffd"))


ROWS = st.lists(
    st.one_of(
        st.lists(CELLS, min_size=3, max_size=3), st.lists(CELLS, min_size=3, max_size=3), st.lists(CELLS, max_size=5)
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(
    rows=ROWS,
    end=st.sampled_from(["\r", "\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
    ended=st.booleans(),
)
def test_every_record_comes_through_with_its_line_and_texts(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], end: str, encoding: str, *, ended: bool
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    lines = ["\t".join(row) for row in rows]
    text = end.join(["Day\tTitle\tPaid", *lines])
    given = file(folder, (text + end if ended or not (lines and lines[-1]) else text).encode(encoding))
    with sql.connect(None, threads=1) as con:
        texts = from_lines(con, Delimited("t"), MONEY, given, folder)
        cells = ", ".join(texts.raw[name] for name in ("day", "title", "paid"))
        read = con.execute(f"SELECT _line, {texts.fault}, {cells} FROM {texts.relation} ORDER BY 1").fetchall()
        whole = con.execute(f"SELECT _line, {texts.text} FROM {texts.relation} ORDER BY 1").fetchall()
    filled = {number: line.translate(OURS) for number, line in enumerate(lines, start=2) if line}
    assert whole == sorted(filled.items())
    assert [(line, list(row)) for line, fault, *row in read if fault is None] == [
        (number, line.split("\t")) for number, line in filled.items() if line.count("\t") == 2
    ]
    assert [line for line, fault, *_ in read if fault] == [n for n, line in filled.items() if line.count("\t") != 2]
    assert texts.records == len(filled) + texts.ignored.total() == len(rows)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_plain_lines_are_read_where_they_are(tmp_path: Path, end: bytes) -> None:
    given = file(tmp_path, end.join([b"Day\tTitle\tPaid", b'2025-01-01\t"a\t1.00', b"2025-01-02\tb\t2.00", b""]))
    lines = as_it_stands(given, read_heading(given, MONEY, "\t"), scan(given.path))
    assert lines is not None
    assert (lines.path, lines.newline.encode(), lines.records) == (given.path, end, 2)
    mixed = file(tmp_path, given.path.read_bytes() + b"2025-01-03\tc\t3.00" + (b"\n" if end == b"\r" else b"\r"))
    assert as_it_stands(mixed, read_heading(mixed, MONEY, "\t"), scan(mixed.path)) is None
