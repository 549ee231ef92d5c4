"""A column of few values as a list of Python, with those operations of polars expressions that kinds (``core.kinds``)
state their rules in.

So every rule stands once and has two interpreters: polars for tables, this one for a row (polars takes a hundred times
as long for it) and for a process that was forked (polars cannot compute there). ``tests/core/test_cells.py`` holds the
two equal, operation by operation.
"""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.images import canonical_or_none, map_in_threads
from sortal.core.moments import BLANK, DAY, SECOND, day_of, reader
from sortal.core.raw import Sort

if TYPE_CHECKING:
    import polars as pl

E = TypeVar("E", "pl.Expr", "Cells")
"""What a rule is about: an expression of polars, or the values themselves."""


class Cells:
    """(n,) values; None is missing and stays so through every operation.

    A moment is whole microseconds since 1970, a duration whole microseconds, a time whole nanoseconds of the day.

    >>> Cells([" 1.5", "x", None]).str.strip_chars(" ").cast(float, strict=False).values
    [1.5, None, None]
    """

    __slots__ = ("values",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def map(self, of_one: Callable[[Any], Any]) -> Cells:
        return Cells([None if v is None else of_one(v) for v in self.values])

    def _with(self, other: object, of_two: Callable[[Any, Any], Any]) -> Cells:
        if isinstance(other, Cells):
            pairs = zip(self.values, other.values, strict=True)
            return Cells([None if a is None or b is None else of_two(a, b) for a, b in pairs])
        return Cells([None if v is None else of_two(v, other) for v in self.values])

    def __eq__(self, other: object) -> Cells:  # type: ignore[override]
        return self._with(other, operator.eq)

    def __ne__(self, other: object) -> Cells:  # type: ignore[override]
        return self._with(other, operator.ne)

    def __lt__(self, other: object) -> Cells:
        return self._with(other, operator.lt)

    def __ge__(self, other: object) -> Cells:
        return self._with(other, operator.ge)

    def __add__(self, other: object) -> Cells:
        return self._with(other, operator.add)

    def __mul__(self, other: object) -> Cells:
        return self._with(other, operator.mul)

    def __mod__(self, other: int) -> Cells:
        return self._with(other, operator.mod)

    def __neg__(self) -> Cells:
        return self.map(operator.neg)

    def __and__(self, other: Cells) -> Cells:
        """Of no value here: none of the rules asks what "unknown and false" is."""
        return self._with(other, operator.and_)

    def not_(self) -> Cells:
        return self.map(operator.not_)

    def abs(self) -> Cells:
        return self.map(abs)

    def round(self) -> Cells:
        """To whole numbers, halves to even ones."""
        return self.map(lambda v: float(round(v)) if math.isfinite(v) else v)

    def is_in(self, values: Collection[Any]) -> Cells:
        return self.map(values.__contains__)

    def fill_nan(self, value: None) -> Cells:
        return self.map(lambda v: value if v != v else v)

    def fill_null(self, value: object) -> Cells:
        return Cells([value if v is None else v for v in self.values])

    def cast(self, dtype: type, *, strict: bool = True) -> Cells:
        """Texts to numbers and back, and between numbers; null where that fails."""
        return self.map(_CASTS[dtype])

    @property
    def str(self) -> _Texts:
        return _Texts(self)

    @property
    def dt(self) -> _Moments:
        return _Moments(self)


class _Texts:
    """Operations of texts."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def strip_chars(self, characters: str | None = None) -> Cells:
        blanks = _WHITE if characters is None else characters
        return self._cells.map(lambda text: text.strip(blanks))

    def contains(self, pattern: str, *, literal: bool = False) -> Cells:
        if literal:
            return self._cells.map(lambda text: pattern in text)
        search = _compiled(pattern).search
        return self._cells.map(lambda text: search(text) is not None)

    def replace(self, pattern: str, value: str, *, literal: bool = False) -> Cells:
        """The first occurrence; ``${1}`` is the first group of the pattern."""
        return self._replaced(pattern, value, literal, 1)

    def replace_all(self, pattern: str, value: str, *, literal: bool = False) -> Cells:
        return self._replaced(pattern, value, literal, 0)

    def _replaced(self, pattern: str, value: str, literal: bool, most: int) -> Cells:
        if literal:
            return self._cells.map(lambda text: text.replace(pattern, value, most or -1))
        sub, template = _compiled(pattern).sub, _GROUP.sub(r"\\g<\1>", value)
        return self._cells.map(lambda text: sub(template, text, most))

    def extract_groups(self, pattern: str) -> _Groups:
        """The groups of the first match, null where there is none."""
        compiled = _compiled(pattern)
        matches = self._cells.map(compiled.search).values
        nothing = (None,) * compiled.groups
        return _Groups([nothing if match is None else match.groups() for match in matches])

    def strip_suffix(self, suffix: str) -> Cells:
        return self._cells.map(lambda text: text.removesuffix(suffix))

    def to_lowercase(self) -> Cells:
        return self._cells.map(str.lower)

    def normalize(self, form: Any) -> Cells:
        return self._cells.map(lambda text: text if text.isascii() else unicodedata.normalize(form, text))

    def to_datetime(self, pattern: str, *, time_unit: str, strict: bool) -> Cells:
        return self._cells.map(reader(pattern))


class _Groups:
    """What the groups of a pattern matched, by their number."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    @property
    def struct(self) -> _Groups:
        return self

    def __getitem__(self, number: int) -> Cells:
        return Cells([row[number] for row in self._rows])


class _Moments:
    """Operations of moments, which are all in UTC, and of durations."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def year(self) -> Cells:
        return self._cells.map(lambda moment: day_of(moment).year)

    def epoch(self, unit: str) -> Cells:
        return self._cells

    def total_microseconds(self) -> Cells:
        return self._cells

    def to_string(self, pattern: str) -> Cells:
        return self._cells.map(_WRITERS[pattern])


def _day(moment: int) -> str:
    day = day_of(moment)
    sign = "-" if day.year < 0 else "+" if day.year > 9999 else ""
    return f"{sign}{abs(day.year):04d}-{day.month:02d}-{day.day:02d}"


def _clock(nanoseconds: int) -> str:
    """With as many digits of a second as are needed, by threes."""
    seconds, fraction = divmod(nanoseconds, 1_000 * SECOND)
    digits = re.sub("(?:000)+$", "", f"{fraction:09d}")
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{'.' if digits else ''}{digits}"


_WRITERS: dict[str, Callable[[int], str]] = {
    "%Y-%m-%d": _day,
    "%Y-%m-%d %H:%M:%S%.f": lambda moment: f"{_day(moment)} {_clock(moment % DAY * 1_000)}",
    "%H:%M:%S%.f": _clock,
}
"""A moment is in microseconds, a time of day in nanoseconds."""


_WHITE = "".join(filter(re.compile(BLANK).fullmatch, map(chr, range(0x3001))))
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)
_GROUP = re.compile(r"\$\{(\d+)\}")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of Rust as Python has it: ``$`` is the very end, and white space is Unicode's."""
    return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", pattern).replace(r"\s", BLANK))


def as_float(value: object) -> float | None:
    """As polars reads it: no underscore, no digit but 0 to 9, no blank.

    >>> as_float("1e5"), as_float("1_000"), as_float(True), as_float(2**70)
    (100000.0, None, 1.0, 1.1805916207174113e+21)
    """
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return float(value)  # type: ignore[arg-type]


def as_text(value: object) -> str:
    """As polars writes it.

    >>> as_text(1e-5), as_text(1e-7), as_text(1e20), as_text(0.1), as_text(True), as_text(3)
    ('0.00001', '1e-7', '1e+20', '0.1', 'true', '3')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    text = repr(value)
    if "e" not in text:
        return {"nan": "NaN"}.get(text, text)
    digits, _, power = text.partition("e")
    if int(power) == -5:
        sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
        return f"{sign}0.0000{digits.replace('.', '')}"
    return f"{digits}e{power[0]}{power[1:].lstrip('0')}"


def as_whole(value: float) -> int | None:
    """Towards zero; null where 64 bits do not hold it."""
    return int(value) if -(2.0**63) <= value < 2.0**63 else None


_CASTS: dict[type, Callable[[Any], Any]] = {float: as_float, str: as_text, int: as_whole}


def where(condition: E, then: E | str, otherwise: E | str | None = None) -> E:
    """One value where the condition holds, another where it does not, or is unknown."""
    if isinstance(condition, Cells):
        holds = condition.values
        yes = then.values if isinstance(then, Cells) else [then] * len(holds)
        if otherwise is None:
            return Cells([a if condition_holds else None for condition_holds, a in zip(holds, yes, strict=True)])
        no = otherwise.values if isinstance(otherwise, Cells) else [otherwise] * len(holds)
        return Cells([a if condition_holds else b for condition_holds, a, b in zip(holds, yes, no, strict=True)])
    import polars as pl

    if_true, if_false = (pl.lit(side) if isinstance(side, str) else side for side in (then, otherwise))
    return pl.when(condition).then(if_true).otherwise(if_false)


def meaning(texts: E, words: Mapping[str, bool]) -> E:
    """What words for yes and no say; null where they are others."""
    if isinstance(texts, Cells):
        return texts.map(words.get)
    import polars as pl

    return texts.replace_strict(words, default=None, return_dtype=pl.Boolean)


def first_of(ways: Sequence[E]) -> E:
    """The first value that there is."""
    first = ways[0]
    if isinstance(first, Cells):
        rows = zip(*(way.values for way in ways), strict=True)
        return Cells([next((v for v in row if v is not None), None) for row in rows])
    import polars as pl

    return pl.coalesce(ways)


def computed(values: E, compute: Callable[[Floats], Floats]) -> E:
    """What numpy makes of (n,) numbers, a missing one being NaN: the same for one row as for many."""
    if isinstance(values, Cells):
        result = compute(np.array([math.nan if v is None else v for v in values.values], dtype=np.float64))
        return Cells(result.tolist()).fill_nan(None)
    import polars as pl

    by_numpy = values.map_batches(lambda s: pl.Series(compute(s.to_numpy())), pl.Float64)
    return by_numpy.fill_nan(None)


def images(values: E) -> E:
    """The images that texts name or hold, and that bytes are, as they are kept; null where one cannot be read."""
    if isinstance(values, Cells):
        return Cells(map_in_threads(canonical_or_none, values.values))
    import polars as pl

    def canonical_parts(series: pl.Series) -> pl.Series:
        # Not all at once: as bytes of Python they take their room once more.
        parts = [pl.Series(map_in_threads(canonical_or_none, part), dtype=pl.Binary) for part in _parts(series)]
        return pl.concat(parts) if parts else pl.Series(dtype=pl.Binary)

    return values.map_batches(canonical_parts, pl.Binary)


def _parts(series: pl.Series) -> Iterator[list[Any]]:
    return (series[start : start + IMAGES].to_list() for start in range(0, len(series), IMAGES))


IMAGES = 1_024
"""Images that are in memory at once as they came."""


def utc(moments: E, sort: Sort) -> E:
    """Moments in microseconds and in UTC, without a zone; cells are so already."""
    if isinstance(moments, Cells):
        return moments
    import polars as pl

    naive = moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if sort == "zoned" else moments
    return naive.cast(pl.Datetime("us"))
