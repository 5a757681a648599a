"""Days that TikTok writes without a year, and the years that they must have.

Nothing here looks at a clock or at a file: a list of texts and one known day give dates, or a sentence why not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from bedrot.errors import Refused

MOST_DAYS = 366
"""More days than TikTok gives in one download (365), so that no day of a year stands for two."""

MOST_LAG = 31
"""Days between the last row and the export beyond which the year is not proven; real exports lag one or two days."""

_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "id": "januari februari maret april mei juni juli agustus september oktober november desember",
    "el": (
        "ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου"
        " δεκεμβρίου"
    ),
    "vi": "một,hai,ba,tư,năm,sáu,bảy,tám,chín,mười,mười một,mười hai",
    "re-saved": "jan feb mar apr may jun jul aug sep oct nov dec",
}
_ALSO = {("es", "setiembre"): 9, ("vi", "giêng"): 1, ("vi", "chạp"): 12, ("el", "μαίου"): 5}
_FORMS = (
    ("en-US", "en", re.compile(r"(?P<month>\D+) (?P<day>[0-9]{1,2})")),
    ("en-GB", "en", re.compile(r"(?P<day>[0-9]{1,2}) (?P<month>\D+)")),
    ("es", "es", re.compile(r"(?P<day>[0-9]{1,2}) de (?P<month>\D+)")),
    ("pt", "pt", re.compile(r"(?P<day>[0-9]{1,2}) de (?P<month>\D+)")),
    ("vi", "vi", re.compile(r"(?P<day>[0-9]{1,2}) tháng (?P<month>.+)")),
    ("id", "id", re.compile(r"(?P<day>[0-9]{1,2}) (?P<month>\D+)")),
    ("el", "el", re.compile(r"(?P<day>[0-9]{1,2}) (?P<month>\D+)")),
    ("re-saved", "re-saved", re.compile(r"(?P<day>[0-9]{1,2})-(?P<month>\D+)")),
)
_KNOWN = "English, Spanish, Portuguese, Vietnamese, Indonesian and Greek"


def _month_numbers() -> dict[str, dict[str, int]]:
    """For each language, the number of each month by its name in lower case."""
    numbers = {
        language: {name: place + 1 for place, name in enumerate(names.split("," if "," in names else " "))}
        for language, names in _MONTHS.items()
    }
    numbers["vi"] |= {str(month): month for month in range(1, 13)}
    for (language, name), month in _ALSO.items():
        numbers[language][name] = month
    return numbers


_NUMBERS = _month_numbers()


@dataclass(frozen=True, slots=True)
class Written:
    """A day as a file writes it, and the line (1-based) where it stands."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day without its year, and the languages in which its text says so."""

    month: int
    day: int
    languages: frozenset[str]

    def falls_on(self, day: date) -> bool:
        """Whether that date has this month and day."""
        return (day.month, day.day) == (self.month, self.day)


@lru_cache(maxsize=1024)
def month_day(text: str) -> MonthDay | None:
    """What a text such as `June 17`, `8 de marzo` or `18 tháng Sáu` says; None where it is no such day."""
    plain = unicodedata.normalize("NFC", " ".join(text.split()).lower())
    found: dict[tuple[int, int], set[str]] = {}
    for form, language, pattern in _FORMS:
        match = pattern.fullmatch(plain)
        month = _NUMBERS[language].get(match["month"]) if match else None
        if match and month and _exists(month, int(match["day"])):
            found.setdefault((month, int(match["day"])), set()).add(form)
    if len(found) != 1:
        return None
    (month, day), languages = found.popitem()
    return MonthDay(month, day, frozenset(languages))


def dates_between(written: Sequence[Written], start: date, end: date, file: str) -> list[date]:
    """Dates of rows that must be each day from `start` to `end`, both of them known; Refused when they are not.

    The rule is verified on eleven real file names: the first row is the day in an Overview file's name, the last one
    the UTC day of the number behind it.
    """
    days = _read(written, file)
    expected = (end - start).days + 1
    if days and days[0].falls_on(start) and len(days) != expected:
        raise Refused(
            f"The file's name promises {expected} days ({start} to {end}), but the file holds {len(days)}.",
            "Download it again, and leave its name as it is.",
            file=file,
            line=written[-1].line,
            heading="Date",
        )
    return _consecutive(written, days, start, file)


def dates_up_to(written: Sequence[Written], latest: date, file: str) -> list[date]:
    """Dates of rows that must be days without a gap and end at `latest` or shortly before; Refused when they do not.

    A last row further than `MOST_LAG` days before `latest` is refused, because its year would be a guess.
    """
    days = _read(written, file)
    if not days:
        return []
    for lag in range(MOST_LAG + 1):
        last = latest - timedelta(days=lag)
        if days[-1].falls_on(last):
            return _consecutive(written, days, last - timedelta(days=len(days) - 1), file)
    raise Refused(
        f"The last date is '{written[-1].text}', but an export of that time ends on {latest} or at most {MOST_LAG} days"
        " before, so the year of its dates is not certain.",
        "Import it, out of its zip, with --exported-at and the day on which you downloaded it (for a range that ended"
        " earlier: the day after its last row).",
        file=file,
        line=written[-1].line,
        heading="Date",
    )


def latest_date(text: str, until: date) -> date | None:
    """The latest date on or before `until` with that month and day; None where the text is no such day."""
    day = month_day(text)
    if day is None:
        return None
    years = range(until.year, until.year - 9, -1)  # February 29 can be eight years away, around 1900 or 2100
    dates = (date(year, day.month, day.day) for year in years if _exists(day.month, day.day, year))
    return next((found for found in dates if found <= until), None)


def _exists(month: int, day: int, year: int = 2000) -> bool:
    """Whether the calendar has that day (in a leap year, unless told another)."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _read(written: Sequence[Written], file: str) -> list[MonthDay]:
    """Every text as a day, all in one language; Refused where one is not, or where there are too many."""
    if len(written) > MOST_DAYS:
        raise Refused(
            f"The file holds {len(written)} days; TikTok gives at most 365 in one download.",
            "Download it again, one range in one file.",
            file=file,
            line=written[MOST_DAYS].line,
            heading="Date",
        )
    days: list[MonthDay] = []
    languages: frozenset[str] | None = None
    for one in written:
        day = month_day(one.text)
        if day is None:
            raise Refused(
                f"The date '{one.text}' is not a day in a form that TikTok writes ({_KNOWN} are known).",
                "Set TikTok to English and download the file again.",
                file=file,
                line=one.line,
                heading="Date",
            )
        languages = day.languages if languages is None else languages & day.languages
        if not languages:
            raise Refused(
                f"The date '{one.text}' is in another language than the dates before it.",
                "Download the file again; TikTok writes one language in one file.",
                file=file,
                line=one.line,
                heading="Date",
            )
        days.append(day)
    return days


def _consecutive(written: Sequence[Written], days: Sequence[MonthDay], start: date, file: str) -> list[date]:
    """The dates from `start` on, one a row; Refused at the first row whose text says another day."""
    dates = [start + timedelta(days=place) for place in range(len(days))]
    for one, day, expected in zip(written, days, dates, strict=True):
        if not day.falls_on(expected):
            raise Refused(
                f"The date here should be {expected}, but the file says '{one.text}': a day is missing or stands twice,"
                " the order is not that of the days, or the year is another one.",
                "Check the day given with --exported-at, if any; else download it again, and leave its name as it is.",
                file=file,
                line=one.line,
                heading="Date",
            )
    return dates
