"""Text becomes values exactly or not at all."""

from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrot import sql
from bedrot.contract import Field, Kind
from bedrot.contract.typing_sql import CLEANERS, cleaned, complaint, decimals, typed

CON = sql.connect(None)


def value_of(kind, text, *, clean=(), blank=(), filled=False, values=()):
    field = Field("f", kind, "a field", clean=clean, blank=blank, filled=filled, values=values)
    shown = cleaned(field, "raw")
    why = complaint(field, "t", "v") or "NULL"
    query = (
        f"SELECT v, {why} FROM (SELECT *, {typed(field, 't')} AS v FROM (SELECT {shown} AS t FROM (SELECT ? AS raw)))"
    )
    return CON.execute(query, [text]).fetchall()[0]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.INTEGER, "1.5"),
        (Kind.INTEGER, "0x1F"),
        (Kind.INTEGER, "1_000"),
        (Kind.INTEGER, "1e3"),
        (Kind.INTEGER, "1,200"),
        (Kind.INTEGER, "\uff19"),
        (Kind.MONEY, "1,234.56"),
        (Kind.MONEY, "1.234,56"),
        (Kind.MONEY, "$1.00"),
        (Kind.MONEY, "NaN"),
        (Kind.MONEY, "inf"),
        (Kind.MONEY, "0.1234567890123456789"),
        (Kind.MONEY, "1e-19"),
        (Kind.MONEY, "1e999"),
        (Kind.MONEY, "123456789012345678901"),
        (Kind.DATE, "epoch"),
        (Kind.DATE, "infinity"),
        (Kind.DATE, "2025-02-30"),
        (Kind.DATE, "29/03/2025"),
        (Kind.DATE, "2025-3-29"),
        (Kind.MONTH, "2025-13"),
        (Kind.MONTH, "Feb-25"),
        (Kind.INSTANT, "2025-03-29"),
        (Kind.BOOLEAN, "1"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_text(kind, text):
    value, why = value_of(kind, text)
    assert value is None
    assert why.startswith(f"f: '{text}' is not")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.31000000", "1.31"),
        ("-0.00000001", "-0.00000001"),
        ("+3", "3"),
        (".5", "0.5"),
        ("7.", "7"),
        ("3e-6", "0.000003"),
        ("-2.5E+3", "-2500"),
        ("1.23e-16", "1.23E-16"),
        (" 4.2 ", "4.2"),
    ],
)
def test_amounts_are_exact(text, expected):
    value, why = value_of(Kind.MONEY, text)
    assert (value, why) == (Decimal(expected), None)


@settings(max_examples=300, deadline=None)
@given(st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, places=18))
def test_every_amount_of_eighteen_decimals_survives(amount):
    assert value_of(Kind.MONEY, f"{amount:f}")[0] == amount


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-.eE,_ xnaif", max_size=12))
def test_an_amount_is_what_python_says_or_nothing(text):
    value, why = value_of(Kind.MONEY, text)
    if value is None:
        assert why is not None or not text.strip()
        return
    try:
        told = Decimal(text.strip())
    except InvalidOperation:
        pytest.fail(f"{text!r} was taken as {value}")
    assert value == told


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_text_stays_text(text):
    assert value_of(Kind.TEXT, text) == (text, None)


@pytest.mark.parametrize("text", ["NA", "NULL", "nan", "-", "00123", "1e5", "TRUE", " x "])
def test_text_that_looks_like_something_else_stays(text):
    assert value_of(Kind.TEXT, text)[0] == text


def test_blank_is_null_and_not_zero():
    assert value_of(Kind.INTEGER, "") == (None, None)
    assert value_of(Kind.INTEGER, "undefined", blank=("undefined",)) == (None, None)
    assert value_of(Kind.INTEGER, "", filled=True) == (None, "f is blank")


def test_values_are_a_closed_list():
    assert value_of(Kind.TEXT, "Song", values=("Song", "Album")) == ("Song", None)
    assert value_of(Kind.TEXT, "Video", values=("Song", "Album")) == ("Video", "f: 'Video' is not one of Song, Album")


@pytest.mark.parametrize(
    ("cleaner", "text", "expected"),
    [
        ("upper", "qzfak2500001", "QZFAK2500001"),
        ("no_dashes", "QZ-FAK-25-00001", "QZFAK2500001"),
        ("collapse", " a \t b ", "a b"),
        ("slash_date", "2025/10/31", "2025-10-31"),
        ("month_squeezed", "202211", "2022-11"),
        ("month_squeezed", "2022-11", "2022-11"),
        ("percent", "61%", "0.61"),
        ("percent", "0.61", "0.61"),
    ],
)
def test_cleaners(cleaner, text, expected):
    value = value_of(Kind.TEXT, text, clean=(cleaner,))[0]
    if cleaner == "percent":
        assert Decimal(value) == Decimal(expected)
    else:
        assert value == expected


def test_every_cleaner_is_tested():
    told = {mark.args[1][place][0] for mark in test_cleaners.pytestmark for place in range(len(mark.args[1]))}
    assert told == set(CLEANERS)


@pytest.mark.parametrize(("text", "expected"), [("1.31000000", 8), ("1.3", 1), ("12", 0), ("3e-6", 0), ("-.25", 2)])
def test_decimals_shown(text, expected):
    assert CON.execute(f"SELECT {decimals('t')} FROM (SELECT ? AS t)", [text]).fetchall()[0][0] == expected
