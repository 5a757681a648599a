"""Days without a year: every anchor day of four years, every window, every language, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrot.errors import Refused
from bedrot.sources.tiktok.dates import MOST_LAG, Written, dates_between, dates_up_to, latest_date, month_day

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "vi": "Một Hai Ba Tư Năm Sáu Bảy Tám Chín Mười Mười_Một Mười_Hai",
    "id": "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember",
    "el": (
        "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου"
        " Δεκεμβρίου"
    ),
}
NAMES = {language: [name.replace("_", " ") for name in names.split()] for language, names in MONTHS.items()}
FORMS: dict[str, Callable[[date], str]] = {
    "en-US": lambda day: f"{NAMES['en'][day.month - 1]} {day.day}",
    "en-GB": lambda day: f"{day.day} {NAMES['en'][day.month - 1]}",
    "es": lambda day: f"{day.day} de {NAMES['es'][day.month - 1]}",
    "pt": lambda day: f"{day.day} de {NAMES['pt'][day.month - 1]}",
    "vi": lambda day: f"{day.day} tháng {NAMES['vi'][day.month - 1]}",
    "id": lambda day: f"{day.day} {NAMES['id'][day.month - 1]}",
    "el": lambda day: f"{day.day} {NAMES['el'][day.month - 1]}",
}
WINDOWS = (1, 7, 28, 60, 365)
ANCHORS = [date(2022, 7, 17) + timedelta(days=place) for place in range(1461)]


def days_until(last: date, window: int) -> list[date]:
    return [last - timedelta(days=window - 1 - place) for place in range(window)]


def as_written(days: list[date], form: str = "en-US") -> list[Written]:
    return [Written(FORMS[form](day), line) for line, day in enumerate(days, start=2)]


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("window", WINDOWS)
def test_every_anchor_day_of_four_years_gives_the_right_years(window: int, step: int) -> None:
    forms = list(FORMS)
    # Of the long windows make test takes each fifth day, and all days around the turn of a year and a leap day.
    some = [day for at, day in enumerate(ANCHORS) if at % step == 0 or window < 100 or day.month in (1, 3)]
    for place, last in enumerate(some):
        days = days_until(last, window)
        written = as_written(days, forms[place % len(forms)])
        for lag in (0, 1):
            assert dates_up_to(written, last + timedelta(days=lag), "Viewers.csv") == days
        assert dates_between(written, days[0], last, "Overview.csv") == days


def test_the_anchors_hold_february_29_and_four_new_years() -> None:
    assert date(2024, 2, 29) in ANCHORS
    assert sum((day.month, day.day) == (1, 1) for day in ANCHORS) == 4


@pytest.mark.parametrize("form", FORMS)
def test_each_language_names_every_day_of_a_leap_year(form: str) -> None:
    for place in range(366):
        day = date(2024, 1, 1) + timedelta(days=place)
        found = month_day(FORMS[form](day))
        assert found is not None
        assert (found.month, found.day) == (day.month, day.day)
        assert form in found.languages


@pytest.mark.parametrize(
    ("text", "month", "day"),
    [
        ("15 Ιανουαρίου", 1, 15),
        ("8 de setiembre", 9, 8),
        ("3 tháng 12", 12, 3),
        ("3 tháng mười hai", 12, 3),
        ("  June   17 ", 6, 17),
        ("17-Jun", 6, 17),
    ],
)
def test_variants_of_writing(text: str, month: int, day: int) -> None:
    found = month_day(text)
    assert found is not None
    assert (found.month, found.day) == (month, day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "June",
        "17",
        "June 31",
        "February 30",
        "June 0",
        "17 juin",
        "6/17",
        "2025-06-17",
        "June 17, 2025",
        "3 tháng 13",
    ],
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert month_day(text) is None


def test_february_29_is_refused_where_the_year_has_none() -> None:
    written = as_written(days_until(date(2024, 3, 1), 3))
    with pytest.raises(Refused, match=r"line 2.*should be 2023-02-27.*'February 28'"):
        dates_up_to(written, date(2023, 3, 1), "f")
    with pytest.raises(Refused, match="should be"):
        dates_between(written, date(2023, 2, 27), date(2023, 3, 1), "f")


def test_a_leap_year_without_its_february_29_is_refused() -> None:
    written = as_written(days_until(date(2023, 3, 1), 3))
    with pytest.raises(Refused, match=r"line 2.*should be 2024-02-28.*'February 27'"):
        dates_up_to(written, date(2024, 3, 1), "f")


@pytest.mark.parametrize("off", [MOST_LAG + 1, 60, 180, 300, 333])
@pytest.mark.parametrize("window", WINDOWS)
def test_an_export_day_that_does_not_follow_the_rows_is_refused(window: int, off: int) -> None:
    for last in ANCHORS[::37]:
        with pytest.raises(Refused, match="not certain"):
            dates_up_to(as_written(days_until(last, window)), last + timedelta(days=off), "f")


@pytest.mark.parametrize("window", [7, 28, 60, 365])
def test_gaps_repeats_and_other_orders_are_refused(window: int) -> None:
    for last in ANCHORS[::97]:
        days = days_until(last, window)
        middle = window // 2
        spoiled = [
            days[:middle] + days[middle + 1 :],
            [*days[:middle], days[middle], *days[middle:]],
            days[::-1],
            [days[middle], *days[:middle], *days[middle + 1 :]],
        ]
        for one in spoiled:
            with pytest.raises(Refused):
                dates_up_to(as_written(one), last, "f")
            with pytest.raises(Refused):
                dates_between(as_written(one), days[0], last, "f")


@settings(max_examples=150, deadline=None)
@given(st.permutations(days_until(date(2024, 3, 3), 7)))
def test_no_order_but_that_of_the_days_is_taken(days: list[date]) -> None:
    if days == sorted(days):
        assert dates_up_to(as_written(days), date(2024, 3, 3), "f") == days
    else:
        with pytest.raises(Refused):
            dates_up_to(as_written(days), date(2024, 3, 3), "f")


def test_a_file_of_two_languages_is_refused_with_its_line() -> None:
    written = [Written("28 de febrero", 2), Written("1 de março", 3)]
    with pytest.raises(Refused, match=r"f, line 3, heading 'Date': The date '1 de março' is in another language"):
        dates_up_to(written, date(2025, 3, 1), "f")


def test_an_unknown_language_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"f, line 2.*'17 juin'.*Set TikTok to English"):
        dates_up_to([Written("17 juin", 2)], date(2025, 6, 17), "f")


def test_more_than_366_days_are_refused() -> None:
    whole = days_until(date(2025, 6, 16), 366)
    assert dates_up_to(as_written(whole), date(2025, 6, 16), "f") == whole
    with pytest.raises(Refused, match=r"line 368.*holds 367 days"):
        dates_up_to(as_written(days_until(date(2025, 6, 16), 367)), date(2025, 6, 16), "f")


def test_a_name_that_promises_other_days_is_refused() -> None:
    written = as_written(days_until(date(2025, 6, 16), 28))
    with pytest.raises(Refused, match=r"promises 29 days \(2025-05-20 to 2025-06-17\), but the file holds 28"):
        dates_between(written, date(2025, 5, 20), date(2025, 6, 17), "f")
    with pytest.raises(Refused, match="should be 2025-05-19"):
        dates_between(written, date(2025, 5, 19), date(2025, 6, 16), "f")


def test_no_rows_give_no_dates() -> None:
    assert dates_up_to([], date(2025, 1, 1), "f") == []


@pytest.mark.parametrize(
    ("text", "until", "expected"),
    [
        ("December 31", date(2026, 2, 24), date(2025, 12, 31)),
        ("February 24", date(2026, 2, 24), date(2026, 2, 24)),
        ("February 29", date(2026, 2, 24), date(2024, 2, 29)),
        ("February 29", date(2103, 1, 1), date(2096, 2, 29)),
        ("nothing", date(2026, 2, 24), None),
    ],
)
def test_latest_date(text: str, until: date, expected: date | None) -> None:
    assert latest_date(text, until) == expected
