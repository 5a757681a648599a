"""Identify: whose file is it? Every feed is asked where the file lies; exactly one must say yes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bedrot.contract import Delimited, Feed, Original, Source, Table, heading_key
from bedrot.contract.original import HEAD_BYTES, WHOLE_BYTES
from bedrot.contract.zips import open_zip
from bedrot.errors import Defect, PrivateFile, Refused, Unrecognised

COLUMNS = 5_000
_LOG_IN = re.compile(
    r"(?i)type=[\"']?password|log ?in|sign ?in|captcha|verify you are human|access denied|session (?:has )?expired"
)
_HTML = re.compile(r"(?i)^\s*(<!doctype html|<html|<head|<body|<!--|<meta|<script|<title)")
_LOGGED_OUT = re.compile(
    r"(?i)not logged in|log ?in (?:required|again)|login_required|unauthori[sz]ed|unauthenticated"
    r"|session (?:has )?expired|access denied|OAuthException|invalid.{0,20}token|authentication (?:required|failed)"
)
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,10}")
_DIVIDERS = "\t,;|"
_MAGIC = (
    (b"%PDF", "a PDF", "Download the data as CSV."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "Download the data as CSV."),
    (b"\x1f\x8b", "a gzip file", "Unpack it, then import what it held."),
    (b"Rar!", "a RAR archive", "Unpack it, then import what it held."),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it, then import what it held."),
)
_SHOWN = 20


@dataclass(frozen=True)
class Identified:
    """What a file is: its source and feed, and the account that the file itself proves (None: it does not)."""

    source: Source
    feed: Feed
    account: str | None


def identify(original: Original, sources: Sequence[Source]) -> Identified:
    """The one feed that knows the file, which has been looked through for secrets before.

    Raises Refused for empty files, endless headings and saved log-in pages, Unrecognised where no feed knows it,
    PrivateFile where none knows it and it holds addresses of people, Defect where two know it.
    """
    refuse_shapeless(original)
    known = [(source, feed) for source in sources for feed in source.feeds if feed.knows(original)]
    if len(known) > 1:
        said = " and ".join(feed.name for _, feed in known)
        raise Defect(
            f"Two feeds claim the file: {said}.",
            "Report this, with the file's headings; the file waits in landing.",
            file=original.name,
        )
    if not known:
        _refuse_page(original)
        if _ADDRESS.search(original.head_text):
            raise PrivateFile(
                "No source knows this file, and it holds e-mail addresses; it was copied nowhere.",
                "Keep it out of the lake.",
                file=original.name,
            )
        if original.looks_like_json and original.size <= WHOLE_BYTES:
            _ = original.json  # a document that is broken says so itself
        raise _unrecognised(original, sources)
    source, feed = known[0]
    return Identified(source, feed, feed.account(original))


def refuse_shapeless(original: Original) -> None:
    """Raise Refused for an empty file, a broken zip or a first line that is no heading row, before all is read."""
    if not original.head.strip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"):
        what = "The file is empty." if original.size <= HEAD_BYTES else "The file begins with a mebibyte of nothing."
        raise Refused(what, "Download it again.", file=original.name)
    if original.is_zip:
        open_zip(original.path, original.name).close()
    if original.is_zip or original.looks_like_json or _HTML.search(original.head_text):
        return
    first = _first_line(original)
    divided = max(first.count(mark) for mark in _DIVIDERS)
    if divided > COLUMNS:
        raise Refused(
            f"The first line has more than {COLUMNS:,} columns, which no download has.",
            "Download it again.",
            file=original.name,
            line=1,
        )
    if original.size > WHOLE_BYTES and len(first) >= HEAD_BYTES // 4:
        raise Refused(
            "The first line goes on and on: it is no heading row.", "Download it again.", file=original.name, line=1
        )


def _first_line(original: Original) -> str:
    """The text up to the first line end, at most the first mebibyte of the file."""
    return re.split(r"[\r\n]", original.head_text, maxsplit=1)[0]


def _refuse_page(original: Original) -> None:
    """Raise Refused when the file is a page or an answer that says "log in" where the data should be."""
    page = _HTML.search(original.head_text.lstrip("\ufeff"))
    short = original.head_text[:4096]
    if (page and _LOG_IN.search(original.head_text)) or (original.looks_like_json and _LOGGED_OUT.search(short)):
        raise Refused(
            "This is a log-in page, not the data: the session had ended when it was saved.",
            "Log in, and download it again.",
            file=original.name,
        )
    if page:
        raise Refused(
            "This is a web page that holds no data known here.", "Download the data itself.", file=original.name
        )


def _unrecognised(original: Original, sources: Sequence[Source]) -> Unrecognised:
    """The sentence for a file that no feed knows: what it shows, which feed is nearest, and what that one needs."""
    for magic, what, do in _MAGIC:
        if original.head.startswith(magic):
            return Unrecognised(f"This is {what}, which no source delivers.", do, file=original.name)
    if b"\0" in original.head[:4096] and not (original.is_zip or original.head[:2] in (b"\xff\xfe", b"\xfe\xff")):
        return Unrecognised(
            "No source knows this file: it is no text (a picture, a song, a program?).",
            "Check that it is the right download.",
            file=original.name,
        )
    if original.is_workbook:
        what = "No source knows this Excel workbook."
        return Unrecognised(what, "Download the data as CSV, as it is.", file=original.name)
    shown = _shown(original)
    said = ["No source knows this file."]
    if shown:
        said.append(f"It shows: {', '.join(shown[:_SHOWN])}{', …' if len(shown) > _SHOWN else ''}.")
        said += _nearest(shown, sources, divider="" if original.looks_like_json else _divider(original))
    return Unrecognised(" ".join(said), "Check that it is the right download, as it is.", file=original.name)


def _divider(original: Original) -> str:
    """The mark that divides the first line most often, empty where none does."""
    first = _first_line(original)[:4096]
    mark = max(_DIVIDERS, key=first.count)
    return mark if mark in first else ""


def _shown(original: Original) -> list[str]:
    """Headings of delimited text, the first keys of JSON, or the names inside a zip; short and printable."""
    if original.is_zip:
        found: list[str] = list(original.member_names)
    elif original.looks_like_json:
        found = re.findall(r'"([^"\\]{1,60})"\s*:', original.head_text[:4096])
    else:
        found = re.split(f"[{_DIVIDERS}]", _first_line(original)[:4096])
    clean = ("".join(char for char in one if char.isprintable()).strip(' "')[:60] for one in found)
    return list(dict.fromkeys(one for one in clean if one))


def _nearest(shown: Sequence[str], sources: Sequence[Source], divider: str) -> Iterator[str]:
    """Sentences on the feed that shares most headings with what is shown, and what it needs besides."""
    keys = {heading_key(one) for one in shown}
    tables = [(feed, table) for source in sources for feed in source.feeds for table in feed.tables]
    feed, table = max(tables, key=lambda one: (len(keys & _keys(one[1])), one[0].name), default=(None, None))
    common = len(keys & _keys(table)) if table else 0
    if feed is None or table is None or not common:
        return
    yield f"The nearest is {feed.name}, which shares {common} of them."
    missing = [
        one.aka[0] if one.aka else one.name
        for one in table.fields
        if one.required and not keys & {heading_key(name) for name in (one.name, *one.aka)}
    ]
    if missing:
        yield f"It would need: {', '.join(missing)}."
    expected = feed.read.delimiters if isinstance(feed.read, Delimited) else ",;\t"
    if divider and divider not in expected:
        yield f"Its columns are divided by '{divider}', where a comma, a semicolon or a tab was expected."


def _keys(table: Table) -> set[str]:
    """All heading keys that a table's fields answer to."""
    return {heading_key(name) for one in table.fields for name in (one.name, *one.aka)}
