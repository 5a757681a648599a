"""Campaigns, ad sets and ads: lists as the SDK dumps them, or pages of the Graph API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from bedrot.contract import Facts, Ignored, Kind, Original, Reader, Row, Table
from bedrot.errors import Refused
from bedrot.sources.metaads.shape import answer_of, canonical, instant, text_of

REPEATED = "repeated while paging"


class Repeats:
    """Tells records that a file holds twice, because the list moved while it was paged through."""

    def __init__(self, original: Original) -> None:
        self._file = original.name
        self._seen: dict[object, tuple[str, str]] = {}

    def has(self, key: object, record: object, locator: str) -> bool:
        """Whether an equal record of that key came before; Refused when it came with other values."""
        text = canonical(record)
        before, where = self._seen.setdefault(key, (text, locator))
        if before != text:
            raise Refused(
                f"{where} and {locator} speak of the same thing and day with other values.",
                "Pull it again; where rows are split by something (age, country, …), ask for that in the rows too.",
                file=self._file,
            )
        return where != locator


def reader(table: Table, kind: str, id_name: str) -> Reader:
    """The reader of one kind of entity."""

    def read(original: Original, facts: Facts) -> Iterator[Row | Ignored]:
        answer = answer_of(original, kind)
        repeats = Repeats(original)
        seen_on = facts.exported_at.astimezone(UTC).date().isoformat()
        for place, item in enumerate(answer.items):
            locator = answer.locator(place)
            if repeats.has(text_of(item["id"]), item, locator):
                yield Ignored(table.name, REPEATED, locator)
            else:
                yield Row(table.name, {"seen_on": seen_on, **_values(table, item, id_name)}, locator)

    return read


def _values(table: Table, item: Mapping[str, Any], id_name: str) -> dict[str, str | None]:
    """The fields of an entity as text; keys without a field of their own go to `other` together."""
    told = {**item, id_name: item["id"]}
    del told["id"]
    told.pop("account_id", None)
    creative = item.get("creative")
    if isinstance(creative, dict):
        told["creative_id"] = creative.get("id")
    if isinstance(item.get("tracking_specs"), list):
        told["tracking_specs"] = sorted(item["tracking_specs"], key=canonical)
    values: dict[str, str | None] = {}
    for field in table.fields[1:-1]:
        text = text_of(told.pop(field.name, None))
        values[field.name] = instant(text) if field.kind is Kind.INSTANT else text
    values["other"] = canonical(told) if told else None
    return values
