"""Identify and the look for secrets: what a file is, and what must not be copied."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrot.contract import Original
from bedrot.contract.texts import JSON_DEPTH, decode_head, json_depth, strict_json
from bedrot.errors import PrivateFile, Refused, Unrecognised
from bedrot.sources import find_sources, folder_of
from bedrot.walk.identify import identify
from bedrot.walk.private import LONGEST_LINE, has_secret, read_through

SOURCES = find_sources()


def file(folder: Path, data: bytes, name: str = "x.txt") -> Original:
    path = folder / "given"
    path.write_bytes(data)
    return Original(path, name, name)


SECRETS = [
    b"https://graph.example/v1?limit=5&access_token=EAABsbCS1iHgBAFVZ",
    b'{"access_token": "abcdefgh12345678"}',
    b'{"body": "{\\"accessToken\\":\\"abcdefgh12345678\\"}"}',
    b"next=https%3A%2F%2Fx%3Faccess_token%3Dabcdefgh1234",
    b"REFRESH_TOKEN=abcdefgh12345678",
    b"x EAABwzLixnjYBO7ZC3vX9qT2wzLixnjYBO",
    b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN",
    b"Authorization: Bearer abcdefgh12345678",
    b'"authorization":"Basic YWRhOm5vdmFrMTIz"',
    b"Set-Cookie: session=1",
    b'"cookies": [{"name": "sid"}]',
    b"-----BEGIN OPENSSH PRIVATE KEY-----",
]
HARMLESS = [
    b"EAAB",
    b"The access token was lost",
    b"authorization: none",
    b'{"cookie_consent": true, "cookies": []}',
    b"data:image/png;base64,iVBORw0KGgoAAAA+EAABwzLixnjYBO7ZC3vX9qT2wzLixnjYBO",
    b"public key; private matters",
    b"Song,eyJ,1.31",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("where", [0, 5, (1 << 20) - 9, (1 << 20) + 1, 3 << 20])
def test_a_secret_is_found_wherever_it_lies(tmp_path: Path, secret: bytes, where: int) -> None:
    given = file(tmp_path, b"\n" * where + secret + b"\n" * (4 << 20 if where else 0))
    with pytest.raises(PrivateFile) as found:
        read_through(given, [])
    assert secret[-8:].decode() not in str(found.value)
    assert has_secret(secret.decode())


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_read_through(tmp_path: Path, text: bytes) -> None:
    assert read_through(file(tmp_path, text), []) == hashlib.sha256(text).hexdigest()
    assert has_secret(text.decode()) == ""


def test_no_golden_file_is_taken_for_a_secret() -> None:
    for source in SOURCES:
        for path in (folder_of(source) / "golden").iterdir():
            read_through(Original(path, path.name, path.name), SOURCES)


def test_texts_made_to_slow_the_search_do_not(tmp_path: Path) -> None:
    words = (
        b"eyJ-",
        b".eyJ",
        b"access_token ",
        b"authorization:",
        b'"cookies" ',
        b"-----BEGIN ",
        b" EAA",
        b"\0",
        b"\t" * 9,
    )
    for word in words:
        given = file(tmp_path, (word * (8 << 20))[: 8 << 20] + b"\n")
        began = time.process_time()
        read_through(given, [])
        assert time.process_time() - began < 5, word


def test_a_line_that_never_ends_is_refused_before_the_rest_is_read(tmp_path: Path) -> None:
    given = file(tmp_path, b"a,b\n")
    with given.path.open("r+b") as out:
        out.truncate(4 * LONGEST_LINE)
    with pytest.raises(Refused, match="goes on for more than"):
        read_through(given, [])


def test_headings_that_nobody_knows_are_shown_with_the_nearest(tmp_path: Path) -> None:
    given = file(tmp_path, b"Reporting Date\tSale Month\tStore\x07\tArtist\tGeld\n1\t2\t3\t4\t5\n", "x.tsv")
    with pytest.raises(Unrecognised) as wrong:
        identify(given, SOURCES)
    said = wrong.value.sentence
    assert "It shows: Reporting Date, Sale Month, Store, Artist, Geld." in said
    assert "The nearest is " in said
    assert "which shares 4 of them. It would need: " in said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"\x1f\x8b\x08\0\0", "a gzip file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text"),
    ],
)
def test_what_is_no_data_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(Unrecognised, match=said):
        identify(file(tmp_path, data), SOURCES)


def test_broken_json_that_nobody_knows_says_where_it_breaks(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="breaks off") as wrong:
        identify(file(tmp_path, b'{"a": 1,\n "b": [1, 2'), SOURCES)
    assert wrong.value.line == 2


def slow_depth(text: str) -> int:
    """The deepest nesting, character by character."""
    level = deepest = 0
    quoted = escaped = False
    for char in text:
        if quoted:
            quoted, escaped = escaped or char != '"', char == "\\" and not escaped
        elif char == '"':
            quoted = True
        else:
            level += (char in "[{") - (char in "]}")
            deepest = max(deepest, level)
    return deepest


@settings(max_examples=300, deadline=None)
@given(st.text('[]{}"\\aé', max_size=80), st.integers(1, 9))
def test_depth_is_that_of_a_slow_count(text: str, piece: int) -> None:
    plain = "".join(part if number % 2 else part.replace("\\", "") for number, part in enumerate(text.split('"')))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bedrot.contract.texts._PIECE", piece)
        for one in (plain, f'"{plain}"', f'["{text}"]'.replace('\\"]', '"]')):
            if "\\" not in outside_strings(one):
                assert json_depth(one.encode()) == slow_depth(one)


def outside_strings(text: str) -> str:
    """The text without what stands in strings."""
    out, quoted, escaped = [], False, False
    for char in text:
        if quoted:
            quoted, escaped = escaped or char != '"', char == "\\" and not escaped
        elif char == '"':
            quoted = True
        else:
            out.append(char)
    return "".join(out)


def test_depth_at_the_limit() -> None:
    assert strict_json(b"[" * JSON_DEPTH + b"]" * JSON_DEPTH, "x")
    with pytest.raises(Refused, match="levels deep"):
        strict_json(b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1), "x")
    with pytest.raises(Refused, match="levels deep"):
        strict_json("[".encode("utf-16") * 1 + ("[" * 100_000).encode("utf-16-le"), "x")
    assert json_depth(b"[[]," * 100_000) > JSON_DEPTH


def test_depth_of_many_megabytes_takes_no_minutes() -> None:
    text = b'[{"a": "b\\"[", "c": [1, 2, {"d": "\\\\"}]},' * (20 << 15)
    began = time.process_time()
    assert json_depth(b"[" + text) > JSON_DEPTH
    assert json_depth(b"[" + text.replace(b'[{"a"', b'{"a"')) == 4
    assert time.process_time() - began < 10


def test_a_head_that_ends_inside_a_letter() -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        data = mark + "Café Ünïque 27 Φεβρουαρίου \N{FIRE}".encode()
        for cut in range(len(mark), len(data)):
            said = decode_head(data[:cut])
            assert data[len(mark) :].decode().startswith(said)


@given(st.binary(max_size=60))
def test_a_head_of_any_bytes_can_be_looked_at(data: bytes) -> None:
    decode_head(data)
    decode_head(b"\xef\xbb\xbf" + data)
    decode_head(b"\xff\xfe" + data)
