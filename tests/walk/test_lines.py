"""Delimited text as lines: nothing of the bytes is lost on the way to the engine, and what is cut off is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrot.contract import Field, Grain, Kind, Merge, Original, Partition, Table
from bedrot.errors import Refused
from bedrot.walk.lines import LINE_BYTES, prepare, read_heading, refuse_bad_ends, scan

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
    assert (found.ends, found.quotes, found.blank) == (3, 2, False)
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


CELLS = st.text(st.characters(blacklist_characters='\t\r\n"\x1d\x1e\x1f', blacklist_categories=("Cs",)), max_size=9)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5), st.sampled_from(["\r", "\n", "\r\n"]),
       st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))  # fmt: skip
def test_every_record_comes_through_with_its_texts(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], end: str, encoding: str
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    text = end.join(["Day\tTitle\tPaid", *("\t".join(row) for row in rows), ""])
    given = file(folder, text.encode(encoding))
    heading = read_heading(given, MONEY, "\t")
    prepared = prepare(given, heading, scan(given.path), folder)
    encoded = "utf-8-sig" if not prepared.numbered else "utf-8"
    with prepared.path.open(encoding=encoded, newline="") as lines:
        read = lines.read().split(prepared.newline)[1:]
    first = 1 if prepared.numbered else 0
    assert [line.split(prepared.delimiter)[first:] for line in read if line] == rows
    assert prepared.records == len(rows)
