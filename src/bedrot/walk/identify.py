"""Identify: whose file is it? Every feed is asked where the file lies; exactly one must say yes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bedrot.contract import Feed, Original, Source, Table, heading_key
from bedrot.errors import Defect, PrivateFile, Refused, Unrecognised

_SECRETS = {
    "an access token": re.compile(r"access_token[\"']?\s*[=:]\s*[\"']?[\w.%|-]{8,}|\bEAA[A-Za-z0-9]{20,}"),
    "a signed session token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "an authorization header": re.compile(r"(?i)[\"']?authorization[\"']?\s*:\s*[\"']?(bearer|basic)\s+[\w.=/+-]{8,}"),
    "session cookies": re.compile(r"(?i)(set-cookie\s*:|[\"']cookies?[\"']\s*:\s*[\[{\"'])"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
_LOOK = 16 << 20
_LOG_IN = re.compile(r"(?i)type=[\"']?password|log ?in|sign ?in|captcha|verify you are human|access denied")
_HTML = re.compile(r"(?i)^\s*(<!doctype html|<html|<head|<body|<!--)")


@dataclass(frozen=True)
class Identified:
    """What a file is: its source and feed, and the account that the file itself proves (None: it does not)."""

    source: Source
    feed: Feed
    account: str | None


def identify(original: Original, sources: Sequence[Source]) -> Identified:
    """The one feed that knows the file.

    Raises PrivateFile for secrets and private answers, Refused for empty files and saved log-in pages, Unrecognised
    where no feed knows it, Defect where two do.
    """
    if not original.size:
        raise Refused("The file is empty.", "Download it again.", file=original.name)
    refuse_private(original, sources)
    known = [(source, feed) for source in sources for feed in source.feeds if feed.knows(original)]
    if len(known) > 1:
        said = " and ".join(feed.name for _, feed in known)
        raise Defect(f"Two feeds claim the file: {said}.", "Report this, with the file's headings.", file=original.name)
    if not known:
        _refuse_page(original)
        raise Unrecognised(_seen(original, sources), "Check that it is the right download.", file=original.name)
    source, feed = known[0]
    return Identified(source, feed, feed.account(original))


def refuse_private(original: Original, sources: Sequence[Source]) -> None:
    """Raise PrivateFile when the file carries a secret, or a source calls it private; the secret is not repeated."""
    text = _text_to_search(original)
    for what, pattern in _SECRETS.items():
        if pattern.search(text):
            raise PrivateFile(
                f"The file carries {what}; it was copied nowhere.",
                "Delete it, and download the data without it.",
                file=original.name,
            )
    for source in sources:
        why = source.private(original)
        if why:
            raise PrivateFile(f"{why} It was copied nowhere.", "Keep it out of the lake.", file=original.name)


def _text_to_search(original: Original) -> str:
    """The text in which secrets are looked for: all of a small file, the beginning and the end of a large one."""
    if original.size <= _LOOK and not original.is_zip:
        return original.path.read_bytes().decode("latin-1")
    return original.head.decode("latin-1") + original.tail.decode("latin-1")


def _refuse_page(original: Original) -> None:
    """Raise Refused when the file is a web page that no feed knows: most often a log-in page saved as data."""
    if not _HTML.search(original.head_text.lstrip("\ufeff")):
        return
    if _LOG_IN.search(original.head_text):
        raise Refused(
            "This is a log-in page, not the data: the session had ended when it was saved.",
            "Log in, and download it again.",
            file=original.name,
        )
    raise Refused("This is a web page that holds no data known here.", "Download the data itself.", file=original.name)


def _seen(original: Original, sources: Sequence[Source]) -> str:
    """A sentence with what the file shows, headings or keys, and the feed that is nearest to it."""
    shown = _shown(original)
    if not shown:
        return "No source knows this file."
    nearest, common = _nearest(shown, sources)
    listed = ", ".join(shown[:12]) + (", …" if len(shown) > 12 else "")
    near = f" The nearest is {nearest}, which shares {common} of them." if common else ""
    return f"No source knows this file. It shows: {listed}.{near}"


def _shown(original: Original) -> list[str]:
    """Headings of delimited text, the first keys of JSON, or the names inside a zip; short and printable."""
    if original.is_zip:
        found: list[str] = list(original.member_names)
    elif original.looks_like_json:
        found = re.findall(r'"([^"\\]{1,60})"\s*:', original.head_text[:4096])
    else:
        line = re.split(r"[\r\n]", original.head_text[:4096], maxsplit=1)[0]
        found = re.split(r"[\t,;]", line)
    clean = ("".join(char for char in one if char.isprintable()).strip(' "')[:60] for one in found)
    return list(dict.fromkeys(one for one in clean if one))


def _nearest(shown: Sequence[str], sources: Sequence[Source]) -> tuple[str, int]:
    """Name of the feed that shares most headings with what is shown, and how many it shares."""
    keys = {heading_key(one) for one in shown}
    counts = {
        feed.name: len(keys & set(_keys(table))) for source in sources for feed in source.feeds for table in feed.tables
    }
    if not counts:
        return "", 0
    best = max(sorted(counts), key=lambda name: counts[name])
    return best, counts[best]


def _keys(table: Table) -> Iterator[str]:
    """All heading keys that a table's fields answer to."""
    for one in table.fields:
        for name in (one.name, *one.aka):
            yield heading_key(name)
