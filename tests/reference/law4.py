"""Law 4, plain and slow: row by row, file by file, with no memory. What curate does is compared with it."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

from staging_files import Delivered, ordered, partition_of, scale_of

from bedrot.contract import Kind, Merge, Table

NUMBERS = ("isrc", "upc")


@dataclass(frozen=True)
class Line:
    """A row with where it is from."""

    values: dict[str, Any]
    delivery: str
    line: int
    scale: int
    lacking: str | None = None


@dataclass
class Known:
    """What is true after all deliveries, and what a person should look at."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    aliases: int = 0
    vanished: int = 0


def curate(table: Table, deliveries: Sequence[Delivered]) -> Known:
    """The reference for all four merges, without any approval."""
    known = Known()
    for account in sorted({one.account for one in deliveries}):
        mine = [one for one in deliveries if one.account == account]
        fold = _Lines(table, mine) if table.merge is Merge.LINES else _Rows(table, mine)
        lines = fold.run()
        known.held += fold.held
        known.aliases += fold.aliases
        for one in lines:
            known.vanished += one.lacking is not None
            names = [column.name for column in table.fields]
            known.lines.append((account, *(one.values[name] for name in names), one.delivery, one.line, one.lacking))
    known.lines = ordered(known.lines)
    return known


def ages(table: Table, deliveries: Sequence[Delivered]) -> list[list[tuple[str, list[Line]]]]:
    """Files by age; of one age in the order of arrival. What was said before is cited from the oldest that said it."""
    by_age = sorted(deliveries, key=lambda one: (one.age, one.got, one.id))
    oldest: dict[Any, list[Line]] = {}
    found = []
    for _, group in groupby(by_age, key=lambda one: one.age):
        files = []
        for one in group:
            scale = max(2, scale_of(table, one.rows))
            parts: dict[str, list[Line]] = defaultdict(list)
            for number, row in enumerate(one.rows, 1):
                parts[partition_of(table, row)].append(Line(dict(row), one.id, number, scale))
            lines: list[Line] = []
            for partition, mine in parts.items():
                same = (partition, tuple(sorted(repr(sorted(_exact(line.values).items())) for line in mine)))
                said = oldest.setdefault(same, mine)
                lines += [replace(line, values=_marked(table, line.values)) for line in said]
            files.append((one.id, lines))
        found.append(files)
    return found


def _marked(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with no mark read as: not provisional."""
    return {name: bool(one) if name == table.provisional else one for name, one in row.items()}


def _exact(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.normalize() if isinstance(one, Decimal) else one for name, one in values.items()}


def half_up(value: Decimal, scale: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


class _Lines:
    """Line items of one account."""

    def __init__(self, table: Table, deliveries: Sequence[Delivered]) -> None:
        self.table = table
        self.files = ages(table, deliveries)
        self.units = [one.name for one in table.fields if one.kind is Kind.INTEGER and one.name not in table.key]
        self.money = [one.name for one in table.money]
        self.alias: dict[tuple[str, str], tuple[str, str]] = {}
        self.apart: set[tuple[str, str, str]] = set()
        self.held: Counter[str] = Counter()

    @property
    def aliases(self) -> int:
        return len(self.alias)

    def run(self) -> list[Line]:
        """Fold until no further renaming is found."""
        while True:
            self.apart, held, state = set(), Counter(), []
            found = False
            open_keys: dict[Any, str] = {}
            for files in self.files:
                new, evidence, wrong = self._age(state, files)
                found = self._learn(evidence)
                if found:
                    break
                before = set(self.apart)
                if before - self._apart_then:
                    new, _, wrong = self._age(state, files)
                said = {self._key(self._seen(line)) for _, lines in files for line in lines}
                open_keys = {key: kind for key, kind in open_keys.items() if key[0] not in said}
                open_keys.update(wrong)
                state = new
            if not found:
                held.update(open_keys.values())
                held["renaming"] = len(self.apart)
                self.held = +held
                return state

    def _age(self, state: list[Line], files: Sequence[tuple[str, list[Line]]]) -> Any:
        """Fold the files of one age: first into each other, then onto the state."""
        self._apart_then = set(self.apart)
        evidence: dict[Any, list[Any]] = defaultdict(list)
        wrong: dict[Any, str] = {}
        combined: list[Line] = []
        for place, (_, lines) in enumerate(files):
            now = [self._seen(line) for line in lines]
            if place:
                self._compare(combined, now, evidence)
                combined = self._step(combined, now, None, wrong)
            else:
                combined = now
        self._compare(state, combined, evidence)
        # The delivery that first spoke of a partition at this age is the one that lacks.
        first: dict[str, str] = {}
        for delivery, lines in files:
            for line in lines:
                first.setdefault(partition_of(self.table, line.values), delivery)
        return self._step(state, combined, first, wrong), evidence, wrong

    def _seen(self, line: Line) -> Line:
        """The line with every alias applied."""
        values = dict(line.values)
        for blank in (False, True):
            for column in self.table.identity:
                name = self._name(values, column)
                if name.startswith("~") != blank:
                    continue
                known = {self._renewed(key): to for key, to in self.alias.items()}
                shown = None
                seen = set()
                while (column, name) in known and name not in seen:
                    seen.add(name)
                    name, shown = known[column, name]
                if shown is not None:
                    values[column] = shown
        return replace(line, values=values)

    def _renewed(self, key: tuple[str, str]) -> tuple[str, str]:
        column, name = key
        if name.startswith("~") and "=" in name:
            other, _, near = name[1:].partition("=")
            near = f"={near}"
            while (other, near) in self.alias:
                near = self.alias[other, near][0]
            return column, f"~{other}{near}"
        return key

    def _normal(self, values: Mapping[str, Any], column: str) -> Any:
        value = values[column]
        if not isinstance(value, str) or column not in (*self.table.identity, *self.table.folded):
            return value
        if column in self.table.folded:
            value = " ".join(unicodedata.normalize("NFC", value).split()).lower()
        return value.strip() or None

    def _name(self, values: Mapping[str, Any], column: str) -> str:
        own = self._normal(values, column)
        if own is not None:
            return f"={own}"
        numbers = [one for one in NUMBERS if one in self.table.identity]
        others = [*numbers, *(one for one in reversed(self.table.identity) if one not in NUMBERS)]
        for other in others:
            near = self._normal(values, other) if other != column else None
            if near is not None:
                return f"~{other}={near}"
        return "~"

    def _key(self, line: Line, without: str = "") -> tuple[Any, ...]:
        return tuple(self._normal(line.values, one) for one in self.table.key if one != without)

    def _compare(self, older: list[Line], newer: list[Line], evidence: dict[Any, list[Any]]) -> None:
        """Add to the evidence: column, gone, come → [hits, compared, shown gone, shown come]."""
        for column in self.table.identity:
            had, said = defaultdict(list), defaultdict(list)
            for side, lines in ((had, older), (said, newer)):
                for line in lines:
                    side[line.values[self.table.day], self._name(line.values, column)].append(line)
            sums: dict[tuple[str, str], list[Any]] = {}
            for day, gone in sorted(had.keys() - said.keys(), key=str):
                for _, come in sorted((one for one in said.keys() - had.keys() if one[0] == day), key=str):
                    if not gone[0] == come[0] == "~":
                        self._compare_pair(
                            column, had[day, gone], said[day, come], sums.setdefault((gone, come), [0, 0, set(), set()])
                        )
            for pair, (hits, both, old, new) in sums.items():
                total = evidence.setdefault((column, *pair), [0, 0, set(), set()])
                total[0] += hits
                total[1] += both
                total[2] |= old
                total[3] |= new

    def _compare_pair(self, column: str, older: list[Line], newer: list[Line], total: list[Any]) -> None:
        had, said = defaultdict(list), defaultdict(list)
        for side, lines in ((had, older), (said, newer)):
            for line in lines:
                side[self._key(line, column)].append(line)
        for key in had.keys() & said.keys():
            o, n = had[key], said[key]
            scale = min(line.scale for line in [*o, *n])
            told = [one for one in self.money if all(line.values[one] is not None for line in [*o, *n])]
            if not told:
                continue
            equal = len(o) == len(n)
            for one in (*self.units, *told):
                a, b = sorted(line.values[one] for line in o), sorted(line.values[one] for line in n)
                limit = 1 if one in self.units else Decimal(1).scaleb(-scale)
                equal = equal and all(abs(x - y) < limit for x, y in zip(a, b, strict=True))
            total[0] += equal
            total[1] += 1
            total[2].update(line.values[column] or "" for line in o)
            total[3].update(line.values[column] or "" for line in n)

    def _learn(self, evidence: dict[Any, list[Any]]) -> bool:
        """Take proven renamings, hold near ones; whether something new was proven."""
        proven, near = defaultdict(list), []
        for (column, gone, come), (hits, both, old, new) in sorted(evidence.items()):
            alias = (
                (column, come, gone, min(old, default=""))
                if come[0] == "~"
                else (column, gone, come, min(new, default=""))
            )
            if hits >= 3 and hits == both:
                proven[alias[:2]].append((alias, (column, gone, come)))
            elif hits >= 3 and hits >= Decimal("0.9") * both:
                near.append((column, gone, come))
        new_found = False
        for (column, old), several in sorted(proven.items()):
            if len(several) > 1:
                near += [pair for _, pair in several]
                continue
            _, _, to, shown = several[0][0]
            end = to
            while (column, end) in self.alias:
                end = self.alias[column, end][0]
            if (column, old) not in self.alias and end != old:
                self.alias[column, old] = (to, shown)
                new_found = True
        if not new_found:
            self.apart.update(near)
        return new_found

    def _step(
        self, older: list[Line], newer: list[Line], first: dict[str, str] | None, wrong: dict[Any, str]
    ) -> list[Line]:
        """One fold; `first` is None for files of one age."""
        days = {line.values[self.table.day] for line in newer}
        for column, gone, come in self.apart:
            there = {self._key(line, column) for line in older if self._name(line.values, column) == gone}
            newer = [
                line
                for line in newer
                if not (self._name(line.values, column) == come and self._key(line, column) in there)
            ]
        had, said = defaultdict(list), defaultdict(list)
        for side, lines in ((had, older), (said, newer)):
            for line in lines:
                side[self._key(line)].append(line)
        out = []
        for key in had.keys() | said.keys():
            o, n = had.get(key, []), said.get(key, [])
            if not n:
                for line in o:
                    covered = first is not None and line.values[self.table.day] in days
                    speaker = first[partition_of(self.table, line.values)] if covered and first else None
                    out.append(replace(line, lacking=line.lacking or speaker))
            elif not o:
                out += n
            else:
                out += self._both(key, o, n, first is None, wrong)
        return out

    def _both(
        self, key: Any, older: list[Line], newer: list[Line], equal_age: bool, wrong: dict[Any, str]
    ) -> list[Line]:
        pairs, o, n = self._pairs(older, newer)
        if equal_age and (o or n):
            wrong[key, "age"] = "age"
            return older
        if len(newer) < len(older):
            wrong[key, "key"] = "key"
            return [replace(line, lacking=None) for line in older]
        kept = [
            b if self._wins(a, b, equal_age) else replace(a, lacking=a.lacking if equal_age else None) for a, b in pairs
        ]
        return [*kept, *n]

    def _wins(self, older: Line, newer: Line, equal_age: bool) -> bool:
        if newer.scale != older.scale:
            return newer.scale > older.scale
        told = [sum(one is not None for one in line.values.values()) for line in (older, newer)]
        return not equal_age and older.values != newer.values and told[1] >= told[0]

    def _pairs(self, older: list[Line], newer: list[Line]) -> tuple[list[tuple[Line, Line]], list[Line], list[Line]]:
        """Lines equal at the coarser scale, one to one; and what is left on both sides."""
        scale = min(line.scale for line in [*older, *newer])
        told = [m for m in (*self.units, *self.money) if all(line.values[m] is not None for line in [*older, *newer])]

        def rounded(line: Line) -> tuple[Any, ...]:
            return tuple(half_up(line.values[m], scale) if m in self.money else line.values[m] for m in told)

        def first(line: Line) -> Any:
            return (-line.scale, line.delivery, line.line)

        left_o, left_n, pairs = sorted(older, key=first), sorted(newer, key=first), []
        for a in list(left_o):
            b = next((b for b in left_n if rounded(b) == rounded(a)), None)
            if b is not None:
                pairs.append((a, b))
                left_o.remove(a)
                left_n.remove(b)

        def raw(line: Line) -> Any:
            return (*(line.values[m] for m in told), line.delivery, line.line)

        rest_o, rest_n = [], []
        left_o.sort(key=raw)
        left_n.sort(key=raw)
        one = Decimal(1).scaleb(-scale)
        for a, b in zip(left_o, left_n, strict=False):
            near = all(
                abs(a.values[m] - b.values[m]) < one if m in self.money else a.values[m] == b.values[m] for m in told
            )
            if near:
                pairs.append((a, b))
            else:
                rest_o.append(a)
                rest_n.append(b)
        size = min(len(left_o), len(left_n))
        return pairs, rest_o + left_o[size:], rest_n + left_n[size:]


class _Rows:
    """Series, windows and snapshots of one account; states are kept by partition."""

    aliases = 0

    def __init__(self, table: Table, deliveries: Sequence[Delivered]) -> None:
        self.table = table
        self.files = ages(table, deliveries)
        self.scope = table.scope or ((table.partition.column,) if table.partition.grain != "all" else ())
        self.ident = tuple(dict.fromkeys((*self.scope, *table.key)))
        self.values = [one.name for one in table.fields if one.name not in self.ident]
        self.held: Counter[str] = Counter()

    def run(self) -> list[Line]:
        """Fold the files of each age."""
        state: dict[Any, Line] = {}
        self.until: dict[Any, Any] = {}
        open_keys: dict[Any, str] = {}
        for files in self.files:
            kept, wrong = self._uncontradicted(files)
            said = {name for name, _ in kept}
            open_keys = {key: kind for key, kind in open_keys.items() if key[0] not in said}
            open_keys.update(wrong)
            if self.table.merge is Merge.SERIES:
                for name, line in kept:
                    self._day(state, name, line)
            else:
                self._scopes(state, self._joined(kept), files)
        self.held = Counter(open_keys.values())
        lines = [line for line in state.values() if not self._absent(line)]
        return self._only_changes(lines) if self.table.changes_only else lines

    def _absent(self, line: Line) -> bool:
        return bool(self.table.absent) and line.values[self.table.absent] is None

    def _soft(self, line: Line) -> bool:
        return bool(self.table.provisional) and bool(line.values[self.table.provisional])

    def _name(self, line: Line) -> tuple[Any, ...]:
        return partition_of(self.table, line.values), tuple(line.values[one] for one in self.ident)

    def _uncontradicted(self, files: Sequence[tuple[str, list[Line]]]) -> tuple[list[tuple[Any, Line]], dict[Any, str]]:
        """The rows of one age, final ones first, without those that contradict a row that came before."""
        groups: dict[Any, list[Line]] = defaultdict(list)
        for _, lines in files:
            for line in lines:
                groups[self.table.merge is Merge.SERIES and self._soft(line), self._name(line)].append(line)
        told = [one for one in self.values if one != self.table.provisional]
        kept, wrong = [], {}
        for (_, name), lines in sorted(groups.items(), key=lambda item: item[0][0]):
            first: dict[str, Any] = {}
            for line in lines:
                if any(line.values[one] not in (None, first.get(one, line.values[one])) for one in told):
                    wrong[name, "age"] = "age"
                else:
                    kept.append((name, line))
                for one in told:
                    if line.values[one] is not None:
                        first.setdefault(one, line.values[one])
        return kept, wrong

    def _joined(self, kept: Sequence[tuple[Any, Line]]) -> dict[Any, Line]:
        """One row for each name."""
        new: dict[Any, Line] = {}
        for name, line in kept:
            new[name] = self._filled(new[name], line) if name in new else line
        return new

    def _filled(self, older: Line, newer: Line) -> Line:
        """Per column the newer value where it is told; the lineage of the last change."""
        values = {name: old if newer.values[name] is None else newer.values[name] for name, old in older.values.items()}
        if values == older.values:
            return older
        return replace(newer, values=values, lacking=None)

    def _day(self, state: dict[Any, Line], name: Any, line: Line) -> None:
        """One row of a series."""
        old = state.get(name)
        if old is None:
            state[name] = line
        elif not self._soft(line) or self._soft(old):
            state[name] = self._filled(old, line)

    def _scope(self, line: Line) -> Any:
        return partition_of(self.table, line.values), tuple(line.values[one] for one in self.scope)

    def _stale(self, new: dict[Any, Line]) -> set[Any]:
        """The scopes whose answer ends earlier than what is known."""
        stale = set()
        if self.table.until:
            ends: dict[Any, Any] = {}
            for line in new.values():
                end = line.values[self.table.until]
                ends[self._scope(line)] = max(end, ends.get(self._scope(line), end))
            for one, end in ends.items():
                if end < self.until.get(one, end):
                    stale.add(one)
                else:
                    self.until[one] = end
        return stale

    def _scopes(self, state: dict[Any, Line], new: dict[Any, Line], files: Sequence[tuple[str, list[Line]]]) -> None:
        """One age of windows or snapshots."""
        scope = self._scope
        parts: dict[str, list[Line]] = defaultdict(list)
        for name, line in new.items():
            parts[name[0]].append(line)
        spoken = {scope(line) for line in new.values()}
        stale = self._stale(new)
        asked = {
            (partition, column)
            for partition, lines in parts.items()
            for column in self.values
            if any(line.values[column] is not None for line in lines)
        }
        for name, line in list(state.items()):
            if scope(line) in spoken - stale:
                state[name] = replace(line, lacking="gone")
            elif scope(line) in stale:
                state[name] = replace(line, lacking=None)
        for name, line in new.items():
            if scope(line) not in stale:
                state[name] = self._asked(state.get(name), line, asked, name[0])
        for name, line in list(state.items()):
            if line.lacking == "gone":
                del state[name]
        if self.table.merge is Merge.WINDOWS:
            self._lacking(state, parts, spoken, files)

    def _asked(self, older: Line | None, line: Line, asked: set[Any], partition: str) -> Line:
        """The newer row, with the older values of columns that were not asked for."""
        if older is None or self.table.merge is not Merge.WINDOWS:
            kept = dict(line.values)
        else:
            kept = {
                one: line.values[one] if one not in self.values or (partition, one) in asked else older.values[one]
                for one in line.values
            }
        if older is not None and kept == older.values:
            return replace(older, lacking=None)
        return replace(line, values=kept, lacking=None)

    def _lacking(self, state: dict[Any, Line], parts: Any, spoken: Any, files: Any) -> None:
        for name, line in state.items():
            said = parts.get(name[0], [])
            if self._scope(line) in spoken or line.lacking or not said:
                continue
            narrow = [
                one
                for one in self.scope
                if self.table.field(one).values or len({other.values[one] for other in said}) == 1
            ]
            day = self.table.day
            if any(
                other.values[day] == line.values[day] and all(other.values[one] == line.values[one] for one in narrow)
                for other in said
            ):
                speaker = next(
                    delivery
                    for delivery, lines in files
                    if any(partition_of(self.table, one.values) == name[0] for one in lines)
                )
                state[name] = replace(line, lacking=speaker)

    def _only_changes(self, lines: list[Line]) -> list[Line]:
        entity = [one for one in self.table.key if one != self.table.day]
        content = [one.name for one in self.table.fields if one.name != self.table.day]

        def versions(line: Line) -> Any:
            return partition_of(self.table, line.values), [str(line.values[one]) for one in entity]

        out = []
        for _, group in groupby(
            sorted(lines, key=lambda line: (*versions(line), line.values[self.table.day])), key=versions
        ):
            before = None
            for line in group:
                now = [line.values[one] for one in content]
                if now != before:
                    out.append(line)
                before = now
        return out
