"""What marts know besides the data: the label's artists, the groups of stores, and exact arithmetic as SQL macros."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bedrot import sql
from bedrot.errors import Defect, Misconfigured

STORE_GROUPS = Path(__file__).parent / "store_groups.csv"

SETTINGS_VIEWS = {
    "artist_spellings": (("artist", "VARCHAR"), ("spelling", "VARCHAR")),
    "artist_accounts": (("artist", "VARCHAR"), ("source", "VARCHAR"), ("account", "VARCHAR")),
}
"""Views that the walk makes from settings; in artist_accounts a null artist is the label as a whole."""

_MACROS = """
CREATE OR REPLACE MACRO folded(spelling) AS
    lower(nfc_normalize(trim(regexp_replace(spelling, '[\\s\\p{Z}]+', ' ', 'g'))));

-- The quotient of a whole number and a whole number above zero, rounded half away from zero. It stays in whole numbers
-- because DuckDB's `/` gives a double; a dividend above 8.5 * 10^37 is an error, never a wrong number.
CREATE OR REPLACE MACRO half_up(dividend, divisor) AS
    sign(dividend)::HUGEINT * ((2 * abs(dividend) + divisor) // (2 * divisor));

-- The same of BIGINTs, many times as fast; twice the divisor must be a BIGINT too.
CREATE OR REPLACE MACRO half_up_small(dividend, divisor) AS
    dividend // divisor + sign(dividend)::BIGINT * (2 * abs(dividend % divisor) >= divisor)::BIGINT;

-- A whole number of millionths as DECIMAL(38,6).
CREATE OR REPLACE MACRO millionths(number) AS
    CAST(number AS DECIMAL(32, 0)) * CAST('0.000001' AS DECIMAL(6, 6));

-- Money (DECIMAL(38,18)) as a whole number of 10^-18: its text without the point.
CREATE OR REPLACE MACRO whole(money) AS
    CAST(replace(CAST(CAST(money AS DECIMAL(38, 18)) AS VARCHAR), '.', '') AS HUGEINT);

-- Money as `whole` gives it, for a thousand units, to six decimals: times 1,000, over units, in millionths is that
-- number over 10^9 times the units. Give it a column: a macro writes out its argument wherever it stands.
CREATE OR REPLACE MACRO per_thousand(whole_money, units) AS
    CASE WHEN units > 0 THEN millionths(CASE
        WHEN abs(whole_money) < 9000000000000000000 AND units < 4000000000
            THEN half_up_small(CAST(whole_money AS BIGINT), CAST(units AS BIGINT) * 1000000000)
        ELSE half_up(whole_money, CAST(units AS HUGEINT) * 1000000000)
    END) END;

-- One count over another, to six decimals; null where there is nothing to divide by.
CREATE OR REPLACE MACRO ratio(part, whole) AS
    CASE WHEN whole > 0 THEN millionths(half_up(CAST(part AS HUGEINT) * 1000000, CAST(whole AS HUGEINT))) END;
"""


@dataclass(frozen=True, slots=True)
class ArtistRule:
    """An artist of the label: the name, other spellings of it, and accounts as `source/account`."""

    name: str
    spellings: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MartSettings:
    """What the configuration tells the marts; `label_accounts` (`source/account`) speak for the label as a whole."""

    artists: Sequence[ArtistRule] = ()
    digest: str = ""
    label_accounts: Sequence[str] = ()


@cache
def macros() -> str:
    """The SQL of all macros that marts may use; store_group(store) is made from the list of stores."""
    groups = store_groups(STORE_GROUPS)
    whens = " ".join(f"WHEN {sql.text(one)} THEN {sql.text(group)}" for one, group in groups.items() if one != group)
    return f"{_MACROS}\nCREATE OR REPLACE MACRO store_group(store) AS CASE store {whens} ELSE store END;"


def settings_views(settings: MartSettings) -> dict[str, str]:
    """The SELECT of each settings view; Misconfigured where a spelling or account belongs to two artists."""
    spellings = [(rule.name, one) for rule in settings.artists for one in dict.fromkeys((rule.name, *rule.spellings))]
    accounts: list[tuple[str | None, str]] = [(rule.name, one) for rule in settings.artists for one in rule.accounts]
    accounts += [(None, one) for one in settings.label_accounts]
    _one_owner("spelling", [(artist, _folded(one)) for artist, one in spellings])
    _one_owner("account", accounts)
    rows: dict[str, Sequence[tuple[str | None, ...]]] = {
        "artist_spellings": sorted(set(spellings)),
        "artist_accounts": sorted({(artist, *_account(one)) for artist, one in accounts}, key=str),
    }
    return {view: _values(SETTINGS_VIEWS[view], rows[view]) for view in SETTINGS_VIEWS}


@cache
def store_groups(path: Path) -> dict[str, str]:
    """The group of each store name as services write it (CSV: store, store_group); an unlisted store is its own."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["store"], row["store_group"]) for row in csv.DictReader(file)]
    if len(dict(rows)) != len(rows):
        raise Defect(f"{path.name} names a store twice.", "Keep one line for each store.")
    return dict(rows)


def _folded(spelling: str) -> str:
    """The spelling without regard to case and spaces, as the macro of that name does it."""
    return unicodedata.normalize("NFC", " ".join(spelling.split())).lower()


def _account(text: str) -> tuple[str, str]:
    """Source and account from `source/account`."""
    source, slash, account = text.partition("/")
    if not (source and slash and account):
        raise Misconfigured(
            f"The account '{text}' does not say whose it is.", "Write source/account, such as tiktok/my.name."
        )
    return source, account


def _one_owner(what: str, owned: Iterable[tuple[str | None, str]]) -> None:
    """Nothing where each thing has one owner; Misconfigured naming the first that has two."""
    owners: dict[str, str | None] = {}
    for artist, thing in owned:
        if owners.setdefault(thing, artist) != artist:
            both = " and ".join(repr(one) if one else "the label" for one in (owners[thing], artist))
            raise Misconfigured(f"The {what} '{thing}' belongs to {both}.", "Leave it with one of them.")


def _values(columns: Sequence[tuple[str, str]], rows: Sequence[tuple[str | None, ...]]) -> str:
    """A SELECT of these text rows."""
    if not rows:
        return sql.no_rows(columns)
    values = ", ".join("(" + ", ".join(map(sql.literal, row)) + ")" for row in rows)
    cast = ", ".join(f"CAST({sql.name(name)} AS {kind}) AS {sql.name(name)}" for name, kind in columns)
    return f"SELECT {cast} FROM (VALUES {values}) AS told({sql.names(name for name, _ in columns)})"
