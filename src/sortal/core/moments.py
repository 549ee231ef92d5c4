"""Moments as whole microseconds since 1970, read from text as polars (and so chrono of Rust) reads it: exactly, for
rows without polars."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from sortal.core.errors import DataError

SECOND = 1_000_000
DAY = 86_400 * SECOND
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""1 January of the year 1 and 31 December 9999, counted from 1970: beyond them no calendar has a day."""
FIRST, LAST = FIRST_DAY * DAY, (LAST_DAY + 1) * DAY - 1
"""The first and the last microsecond of these years."""
BLANK = r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""What Unicode calls white space, and so Rust; Python has four characters more."""

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


_EPOCH = dt.datetime(1970, 1, 1)


class RarePatternError(DataError):
    """Dates are written in a way that is read by polars alone."""


def microseconds(moment: dt.datetime) -> int:
    """Since 1970, of a moment in UTC without a zone."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def outside_words(name: str, count: int) -> str:
    """What is said of moments that no calendar has."""
    return f"{name}: {count:,} times outside the years 1 to 9999 are read as missing"


def nanoseconds(time: dt.time | int) -> int:
    """Of the day; a number is that already."""
    if isinstance(time, int):
        return time
    return 1_000 * (((time.hour * 60 + time.minute) * 60 + time.second) * SECOND + time.microsecond)


def _number(name: str, digits: str) -> str:
    return f"{BLANK}*+(?P<{name}>[0-9]{digits}+)"


def _names(name: str, words: tuple[str, ...], short: bool) -> str:
    """As short or as long names, the longer first; or as short ones alone."""
    ways = [*([] if short else words), *(word[:3] for word in words)]
    return f"(?P<{name}>(?>{'|'.join(ways)}))"


_DIRECTIVES = {
    "Y": rf"{BLANK}*+(?P<year>[+-][0-9]++|[0-9]{{1,4}}+)",
    "y": _number("short_year", "{1,2}"),
    "m": _number("month", "{1,2}"),
    "d": _number("day", "{1,2}"),
    "e": _number("day", "{1,2}"),
    "j": _number("day_of_year", "{1,3}"),
    "H": _number("hour", "{1,2}"),
    "k": _number("hour", "{1,2}"),
    "I": _number("half", "{1,2}"),
    "l": _number("half", "{1,2}"),
    "M": _number("minute", "{1,2}"),
    "S": _number("second", "{1,2}"),
    ".f": r"(?:\.(?P<fraction>[0-9]+))?",
    "p": "(?P<noon>am|pm)",
    "P": "(?P<noon>am|pm)",
    "b": _names("name", _MONTHS, short=True),
    "h": _names("name", _MONTHS, short=True),
    "B": _names("name", _MONTHS, short=False),
    "a": _names("weekday", _WEEKDAYS, short=True),
    "A": _names("weekday", _WEEKDAYS, short=False),
    "z": rf"{BLANK}*(?P<zone>[+\-\u2212][0-9]{{2}}{BLANK}*:?{BLANK}*[0-9]{{2}})",
    "%": "%",
}
_SHORTHAND = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y"}
"""Directives of ``strftime`` and what they match. Every number may have blanks before it, and need not be written with
all its digits, but takes all that it can get (``++``): 202015 is no ``%Y%m%d``."""


def reader(pattern: str) -> Callable[[str], int | None]:
    """Reads a moment from a text: UTC, and None where the text is not written so. Raises RarePatternError for rarer
    directives.
    """
    return _reader(pattern)


@lru_cache(maxsize=256)
def _reader(pattern: str) -> Callable[[str], int | None]:
    compiled = re.compile(_regex(pattern), re.IGNORECASE)

    def read(text: str) -> int | None:
        match = compiled.fullmatch(text)
        return None if match is None else _moment(match.groupdict())

    return read


def _regex(pattern: str) -> str:
    for short, long in _SHORTHAND.items():
        pattern = pattern.replace(short, long)
    parts: list[str] = []
    directives: set[str] = set()
    for token in re.findall(rf"%\.f|%.|{BLANK}+|[^%]", pattern):
        name = token[1:] if token[0] == "%" else ""
        if name in directives or (name and name not in _DIRECTIVES):
            raise RarePatternError(
                f"dates written like {pattern!r} cannot be read without polars; give them as dates, not as texts"
            )
        if name:
            directives.add(name)
            parts.append(_DIRECTIVES[name])
        else:
            parts.append(f"{BLANK}*+" if re.match(BLANK, token) else _as_it_is(token))
    return "".join(parts)


def _as_it_is(token: str) -> str:
    """The case of all that is no name counts."""
    return f"(?-i:{re.escape(token)})"


class Day(NamedTuple):
    year: int
    month: int
    day: int


def days_since_1970(day: Day) -> int:
    """In the proleptic Gregorian calendar, of any year (Howard Hinnant, "chrono-compatible low-level date algorithms").

    >>> days_since_1970(Day(1970, 1, 1)), days_since_1970(Day(2000, 3, 1)), days_since_1970(Day(-1, 12, 31))
    (0, 11017, -719529)
    """
    year = day.year - (day.month <= 2)
    era, of_era = divmod(year, 400)
    of_year = (153 * ((day.month + 9) % 12) + 2) // 5 + day.day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def day_of(microseconds: int) -> Day:
    """The day of a moment.

    >>> day_of(-1), day_of(951_782_400_000_000)
    (Day(year=1969, month=12, day=31), Day(year=2000, month=2, day=29))
    """
    era, of_era = divmod(microseconds // DAY + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    number = (month + 2) % 12 + 1
    return Day(year + era * 400 + (number <= 2), number, of_year - (153 * month + 2) // 5 + 1)


def _moment(parts: dict[str, str | None]) -> int | None:
    day = _day(parts)
    clock = _clock(parts)
    if day is None or clock is None:
        return None
    moment = day * DAY + clock
    zone = parts.get("zone")
    if zone is None:
        return moment
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = (hours * 3_600 + minutes * 60) * SECOND
    if minutes > 59 or offset >= DAY:
        return None
    return moment - offset if zone[0] == "+" else moment + offset


def _day(parts: dict[str, str | None]) -> int | None:
    year, month, of_month = _year(parts), _month(parts), int(parts.get("day") or 1)
    if year is None or not 1 <= month <= 12:
        return None
    leap = calendar.isleap(year)
    if (of_year := parts.get("day_of_year")) is not None:
        if not 1 <= int(of_year) <= 365 + leap:
            return None
        day = days_since_1970(Day(year, 1, 1)) + int(of_year) - 1
    else:
        if (
            not 1
            <= of_month
            <= (29 if month == 2 and leap else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1])
        ):
            return None
        day = days_since_1970(Day(year, month, of_month))
    weekday = parts.get("weekday")
    if weekday is not None and _WEEKDAYS[(day + 3) % 7][:3] != weekday[:3].lower():
        return None
    return day


def _year(parts: dict[str, str | None]) -> int | None:
    """chrono has the years of a day in 32 bits; two digits are a year of 1970 to 2069."""
    short, year = parts.get("short_year"), parts.get("year")
    if short is not None:
        return int(short) + (2000 if int(short) < 70 else 1900)
    number = 1 if year is None else int(year)
    return number if -262_143 <= number <= 262_142 else None


def _month(parts: dict[str, str | None]) -> int:
    name = parts.get("name")
    if name is not None:
        return [month[:3] for month in _MONTHS].index(name[:3].lower()) + 1
    return int(parts.get("month") or 1)


def _clock(parts: dict[str, str | None]) -> int | None:
    """Microseconds of the day; second 60 is the leap second, the first of the next minute."""
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half, noon = parts.get("half"), parts.get("noon")
    if half is not None:
        if not 1 <= int(half) <= 12 or noon is None:
            return None
        hour = int(half) % 12 + (12 if noon.lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    fraction = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    return ((hour * 60 + minute) * 60 + second) * SECOND + fraction
