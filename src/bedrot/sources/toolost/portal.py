"""Reads the answers of TooLost's portal analytics: one JSON document a store.

Spotify's answer has the lists `streams` and `discovery`; Apple's has `totalStreams`, `totalShazam`, `tracksTotal`,
`countryTotal` and the number `streamTotal`. Numbers are text in one list and numbers in the next; no list is in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bedrot.contract import Facts, Ignored, Original, Row, Stamp, heading_key
from bedrot.errors import Refused

AGAIN = "Open TooLost's analytics page and save the answer again."
UNKNOWN_LIST = "list not known"
_NAME = re.compile(r"toolost_(?:spotify|apple)_([0-9]{8})_([0-9]{6})", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?')
_LIST = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:\s*\[([^\[\]]*)\]')


@dataclass(frozen=True, slots=True)
class Part:
    """One list of an answer: its key, the table it fills, and the table's fields by the keys of its records."""

    key: str
    table: str
    fields: Mapping[str, str]
    twice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a store's answer is made of: its lists, the one that says which days it speaks of, and the days it lags."""

    store: str
    parts: tuple[Part, ...]
    days: str
    lag: int
    total: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of the answer."""
        return (*(part.key for part in self.parts), *((self.total,) if self.total else ()))


SPOTIFY = Answer(
    store="Spotify",
    parts=(
        Part("streams", "toolost_daily", {"date": "date", "streams": "streams"}, ("date",)),
        Part("discovery", "toolost_discovery", {"date": "date", "streams": "streams", "fees": "fees"}, ("date",)),
    ),
    days="streams",
    lag=2,
)
APPLE = Answer(
    store="Apple Music",
    parts=(
        Part("totalStreams", "toolost_daily", {"date": "date", "streams": "streams"}, ("date",)),
        Part("totalShazam", "toolost_shazam", {"date": "date", "streams": "shazams"}, ("date",)),
        Part(
            "tracksTotal",
            "toolost_tracks",
            {"isrc": "isrc", "track": "title", "release": "release", "streams": "streams"},
            ("isrc", "track", "release"),
        ),
        Part("countryTotal", "toolost_countries", {"country": "country", "streams": "streams"}, ("country",)),
    ),
    days="totalStreams",
    lag=4,
    total="streamTotal",
)


def knows(answer: Answer, original: Original) -> bool:
    """Whether the file is that store's answer, whole, broken off or with a list missing."""
    if not original.looks_like_json or not any(f'"{key}"' in original.head_text for key in answer.keys):
        return False
    document = original.json_or_none
    if document is None:
        own = "|".join(answer.keys)
        return re.match(rf'\ufeff?\s*\{{\s*"(?:{own})"\s*:\s*[\[0-9"]', original.head_text) is not None
    if not isinstance(document, dict) or not isinstance(document.get(answer.days), list):
        return False
    others = [key for key in answer.keys if key != answer.days]
    named = heading_key(f"toolost {answer.store.split()[0]}") in heading_key(original.name)
    return any(key in document for key in others) or named


def exported_at(answer: Answer, original: Original) -> Stamp | None:
    """The stamp in the file's name (taken as UTC), the zip member's time, or the last day and the store's lag."""
    stamped = _NAME.search(original.name)
    if stamped:
        try:
            at = datetime.strptime(f"{stamped[1]}{stamped[2]}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            at = None
        if at:
            return Stamp(at, "name")
    if original.member_time:
        return Stamp(original.member_time, "zip")
    document = original.json_or_none
    if not isinstance(document, dict):
        return None
    spans = {key: _span(document.get(key)) for key in answer.keys}
    # Days beyond those of the plays are rare, but the answer cannot be older than any day that it holds.
    ends = [span[1] + timedelta(days=answer.lag if key == answer.days else 0) for key, span in spans.items() if span]
    return Stamp.of_day(max(ends), "data") if ends else None


def read(answer: Answer, original: Original, facts: Facts) -> Iterator[Row | Ignored]:
    """The rows of an answer's lists in the order of the file; records of a list that is not known are ignored.

    Raises Refused where a list is missing or no list, a record stands twice, or totals contradict each other.
    """
    document = _whole(answer, original)
    known = {part.key: part for part in answer.parts}
    for part in answer.parts:
        _refuse_twice(part, document[part.key], original.name)
    if answer.total:
        _refuse_contradiction(answer, document, original.name)
    same = _same_in_each_row(answer, document, facts)
    for key, value in document.items():
        if key in known:
            part = known[key]
            for place, record in enumerate(value):
                values = {field: text_of(record.get(one)) for one, field in part.fields.items()}
                yield Row(part.table, values | same[part.table], f"/{key}/{place}")
        elif isinstance(value, list):
            for place in range(len(value)):
                yield Ignored("toolost_daily", f"{UNKNOWN_LIST}: {key}", f"/{key}/{place}")


def census(answer: Answer, original: Original) -> dict[str, int]:
    """Records by table: opening brackets in each list of the text, whose strings are blanked first."""
    tables = {part.key: part.table for part in answer.parts}
    counts = dict.fromkeys(tables.values(), 0)
    blanked = _STRING.sub(lambda found: found[0] if found[1] else '""', original.text)
    for key, body in _LIST.findall(blanked):
        counts[tables.get(key, "toolost_daily")] += body.count("{")
    return counts


def text_of(value: Any) -> str | None:
    """A JSON value as the text that the typing kernel judges; null stays unknown."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _whole(answer: Answer, original: Original) -> dict[str, Any]:
    """The document, with all lists that the answer is made of, and only records in them."""
    document = original.json
    if not isinstance(document, dict):
        raise Refused(f"This is not TooLost's answer for {answer.store}.", AGAIN, file=original.name)
    for part in answer.parts:
        if part.key not in document:
            raise Refused(
                f"The answer for {answer.store} has no '{part.key}'; it holds {', '.join(document) or 'nothing'}.",
                AGAIN,
                file=original.name,
                heading=part.key,
            )
    for key, value in document.items():
        if key not in answer.keys and not isinstance(value, list):
            continue
        if key != answer.total:
            _refuse_no_records(key, value, original.name)
    return document


def _refuse_no_records(key: str, value: Any, name: str) -> None:
    """Refuse what should be a list of flat records and is not."""
    if not isinstance(value, list):
        raise Refused(f"'{key}' should be a list of days and numbers, but is not.", AGAIN, file=name, heading=key)
    for place, record in enumerate(value):
        if not isinstance(record, dict) or any(isinstance(one, dict | list) for one in record.values()):
            raise Refused(
                f"Entry {place + 1} of '{key}' is not one plain record.", AGAIN, file=name, heading=f"/{key}/{place}"
            )


def _refuse_twice(part: Part, records: Iterable[Mapping[str, Any]], name: str) -> None:
    """Refuse a list in which a day (a track, a country) stands twice: one of the two would be lost."""
    seen: dict[tuple[str | None, ...], int] = {}
    for place, record in enumerate(records):
        key = tuple(text_of(record.get(one)) for one in part.twice)
        if all(one is None for one in key):
            continue
        if key in seen:
            what = ", ".join(one or "(blank)" for one in key)
            raise Refused(
                f"{what} stands twice in '{part.key}' (entries {seen[key] + 1} and {place + 1}); only one can be true.",
                AGAIN,
                file=name,
                heading=f"/{part.key}/{place}",
            )
        seen[key] = place


def _refuse_contradiction(answer: Answer, document: Mapping[str, Any], name: str) -> None:
    """Refuse totals that differ: the total told, and the sums over days, tracks and countries.

    A list that holds something else than whole numbers has no sum: its rows are rejected later, and it is not compared.
    """
    sums = {part.key: _sum(document[part.key]) for part in answer.parts if part.key != "totalShazam"}
    told = text_of(document.get(answer.total))
    if told is None and any(document[key] for key in sums):
        raise Refused(
            f"The answer has no total ('{answer.total}') to prove that it is whole.",
            AGAIN,
            file=name,
            heading=answer.total,
        )
    if told is not None and not _INTEGER.fullmatch(told):
        raise Refused(f"The total '{told[:40]}' is no whole number.", AGAIN, file=name, heading=answer.total)
    all_sums = {answer.total: None if told is None else int(told)} | {f"sum of {key}": one for key, one in sums.items()}
    known = {key: one for key, one in all_sums.items() if one is not None}
    if len(set(known.values())) > 1:
        said = ", ".join(f"{key} {one:,}" for key, one in known.items())
        raise Refused(
            f"The answer contradicts itself, so it is not whole: {said}.", AGAIN, file=name, heading=answer.total
        )


def _sum(records: Iterable[Mapping[str, Any]]) -> int | None:
    """The sum of a list's streams; None where one is no whole number."""
    texts = [text_of(record.get("streams")) for record in records]
    if any(one is None or not _INTEGER.fullmatch(one) for one in texts):
        return None
    return sum(int(one) for one in texts if one)


def _same_in_each_row(answer: Answer, document: Mapping[str, Any], facts: Facts) -> dict[str, dict[str, str | None]]:
    """What the rows of each table have in common: the store, and for totals the day of export and the days covered."""
    span = _span(document[answer.days])
    totals = {
        "exported_day": facts.exported_at.astimezone(UTC).date().isoformat(),
        "first_day": span[0].isoformat() if span else None,
        "last_day": span[1].isoformat() if span else None,
    }
    return {
        "toolost_daily": {"store": answer.store},
        "toolost_discovery": {"currency": None},
        "toolost_shazam": {},
        "toolost_tracks": totals,
        "toolost_countries": totals,
    }


def _span(records: Any) -> tuple[date, date] | None:
    """The first and last day of a list's records; None where it has none."""
    days = set()
    for record in records if isinstance(records, list) else []:
        told = record.get("date") if isinstance(record, dict) else None
        if isinstance(told, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", told):
            try:
                days.add(date.fromisoformat(told))
            except ValueError:
                continue
    return (min(days), max(days)) if days else None
