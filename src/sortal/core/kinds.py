"""What the columns of a raw table are: a kind for each, with the reason in words.

The rules are those of a careful colleague who looks at all values of a column:

- **number**: every value is one. Decimal and thousands marks are decided from the whole column. ``1.234`` is
  1.234 unless another value rules that out. ``1,234`` is 1234 where every comma stands between thousands and
  no ungrouped 1234 occurs beside it; else the comma is a decimal mark. Digits with leading zeros (``00501``)
  or more than 16 digits are codes, so categories. Whole numbers stay numbers, also 0 and 1.
- **boolean**: two values that form a pair like yes and no.
- **datetime**: every value is a date in one notation. Day or month first is decided from the whole column;
  where both fit, ``1/2/2020`` is read month first, ``1-2-2020`` and ``1.2.2020`` day first.
- **text**: several words, mostly distinct. **image**: bytes of an image, or names of image files.
- **category**: all other text. Where almost every value occurs once it identifies rows, and is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from sortal.core.errors import OptionError, TaskError, did_you_mean
from sortal.core.notation import (
    are_image_names,
    boolean_levels,
    date_pattern,
    first_misfit,
    holds_codes,
    is_image,
    number_notation,
    words,
)
from sortal.core.schema import KINDS, Column, Kind, Role, Schema
from sortal.core.values import (
    BLANKS,
    MISSING,
    MISSING_AMONG_VALUES,
    canonical,
    datetime_from_text,
    is_nested,
    is_text,
    number_from_text,
    plain,
    related_patterns,
)

MOSTLY_DISTINCT = 0.95
"""Share of distinct values from which on a category identifies rows."""
TEXTS: tuple[Role, ...] = ("target", "group", "split")
"""Roles whose columns are categories, whatever their values look like."""
AS_ASKED = "left out, as asked"
"""Why a column is not used that a person named."""
FEW_ROWS = 20
"""Below this number of values nothing is said to identify rows."""


def infer(
    frame: pl.DataFrame,
    target: str | None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    ignore: Sequence[str] = (),
    time: str | None = None,
    group: str | None = None,
    split: str | None = None,
    source: str = "the data",
) -> Schema:
    """Kinds and roles of the columns of a raw frame, each with its reason.

    ``kinds`` are given kinds, ``ignore`` names columns that no model may see; ``time``, ``group`` and
    ``split`` name the columns that a split must respect. ``source`` names the data in messages. Raises TaskError where there is
    no such target; OptionError for another unknown column, for a kind that the values do not have, and for a
    column that is asked to be two things.

    >>> frame = pl.DataFrame({"price": ["1,5", "2", "?"], "ok": ["no", "yes", "no"], "zip": ["01", "9", "9"]})
    >>> for column in infer(frame, "ok").columns:
    ...     print(column.name, column.kind, column.role, column.reason, sep=" | ")
    price | number | feature | all 2 values are numbers (1,5 is 1.5), 1 '?'
    ok | category | target | 2 values: no, yes
    zip | category | feature | 2 values: 01, 9; numbers with leading zeros are codes
    """
    kinds = kinds or {}
    roles = _roles(frame.columns, target, kinds, ignore, {"time": time, "group": group, "split": split}, source)
    return Schema(tuple(_column(s, roles.get(s.name), kinds.get(s.name)) for s in frame.iter_columns()))


def _roles(
    names: Sequence[str],
    target: str | None,
    kinds: Mapping[str, Kind],
    ignore: Sequence[str],
    single: Mapping[Role, str | None],
    source: str,
) -> dict[str, Role]:
    """The roles that were asked for, by column."""
    if target is not None and target not in names:
        raise TaskError(f"no column {target!r} in {source}; {did_you_mean(target, names)}")
    wishes: list[tuple[str, Role]] = [] if target is None else [(target, "target")]
    wishes += [(name, role) for role, name in single.items() if name is not None]
    wishes += [(name, "ignore") for name in ignore]
    for name in [*(name for name, _ in wishes), *kinds]:
        if name not in names:
            raise OptionError(f"no column {name!r} in {source}; {did_you_mean(name, names)}")
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise OptionError(f"no kind {kind!r} (asked for column {name!r}); {did_you_mean(kind, KINDS)}")
    roles: dict[str, Role] = {}
    for name, role in wishes:
        if roles.setdefault(name, role) != role:
            raise OptionError(f"column {name!r} cannot be both {roles[name]} and {role}; drop one of the two")
        if role in TEXTS and kinds.get(name, "category") != "category":
            raise OptionError(f"column {name!r} is the {role}, which is always a category, not a {kinds[name]}")
    return roles


def _column(series: pl.Series, role: Role | None, kind: Kind | None) -> Column:
    if role in TEXTS:
        return replace(_as_category(series, role), role=role)
    found = _inferred(series) if kind is None else _as_told(series, kind)
    if role == "ignore":
        return replace(found, role="ignore", reason=AS_ASKED)
    if role == "time":
        if found.kind not in ("datetime", "number"):
            raise OptionError(
                f"column {series.name!r} cannot be the time: it is no date and no number ({found.reason})"
            )
        return replace(found, role="time")
    return found


def _inferred(series: pl.Series) -> Column:
    if series.null_count() == len(series):
        return _ignored(series.name, "category", "all values are missing", missing=1.0)
    if isinstance(series.dtype, pl.String):
        return _clean_numbers(series) or _of_texts(series.name, _counts(series))
    if is_text(series.dtype):
        return _as_category(series, "category")
    if isinstance(series.dtype, pl.Binary):
        image = all(is_image(data) for data in series.drop_nulls().head(100))
        reason = f"images; {_NOT_YET['image']}" if image else "bytes that are no image"
        return _ignored(series.name, "image" if image else "category", reason, _share(series.null_count(), len(series)))
    if is_nested(series.dtype):
        return _ignored(series.name, "category", f"values of type {series.dtype} are not used", 0.0)
    return _of_typed(series)


_NOT_YET = {"text": "text columns are not used yet", "image": "image columns are not used yet"}


def _ignored(name: str, kind: Kind, reason: str, missing: float) -> Column:
    return Column(name, kind, "ignore", reason, missing)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _of_typed(series: pl.Series) -> Column:
    dtype = series.dtype
    # As numpy a missing float is NaN too; an expression of polars a column is slow for thousands of columns.
    missing = int(np.isnan(series.to_numpy()).sum()) if dtype.is_float() else series.null_count()
    if missing == len(series):
        return _ignored(series.name, "number", "all values are missing", missing=1.0)
    kind: Kind = "number"
    what = "numbers"
    if isinstance(dtype, pl.Boolean):
        kind, what = "boolean", "true or false"
    elif isinstance(dtype, pl.Date | pl.Datetime):
        kind, what = "datetime", "dates"
    elif isinstance(dtype, pl.Duration | pl.Time):
        what = "times, in seconds"
    reason = _all(len(series) - missing, what) + _missing_words({"": missing})
    return Column(series.name, kind, "feature", reason, _share(missing, len(series)))


def _all(n: int, what: str) -> str:
    return f"all {n:,} values are {what}"


def _missing_words(missing: Mapping[str, int], mark: str = ",") -> str:
    """How missing values are written, and how often: ``, 11 blank, 163 '?'``."""
    return "".join(f"{mark} {n:,} {repr(text) if text else 'blank'}" for text, n in missing.items() if n)


class _Texts(NamedTuple):
    """Distinct texts in order of first occurrence, how often each occurs, and those that mean missing."""

    values: pl.Series
    counts: pl.Series
    missing: dict[str, int]

    @property
    def present(self) -> int:
        return int(self.counts.sum())

    @property
    def missing_share(self) -> float:
        absent = sum(self.missing.values())
        return _share(absent, absent + self.present)


def _counts(series: pl.Series) -> pl.DataFrame:
    stripped = series.cast(pl.String).fill_null("").str.strip_chars(BLANKS).alias("text")
    return stripped.to_frame().group_by("text", maintain_order=True).len("count")


def _split(counts: pl.DataFrame, missing: frozenset[str]) -> _Texts:
    is_missing = counts["text"].is_in(sorted(missing))
    present, absent = counts.filter(~is_missing), counts.filter(is_missing)
    return _Texts(present["text"], present["count"], dict(absent.iter_rows()))


def _clean_numbers(series: pl.Series) -> Column | None:
    """The quick way for text that is nothing but plain numbers and blanks."""
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() != series.null_count() or numbers.is_nan().any() or holds_codes(series.drop_nulls()):
        return None
    blank = series.null_count()
    reason = _all(len(series) - blank, "numbers") + _missing_words({"": blank})
    return Column(series.name, "number", "feature", reason, _share(blank, len(series)), format=".")


def _of_texts(name: str, counts: pl.DataFrame) -> Column:
    values = _split(counts, MISSING_AMONG_VALUES)
    column = _number(name, values, codes=False) or _datetime(name, values)
    if column is not None:
        return column
    texts = values if values.missing.keys() <= MISSING else _split(counts, MISSING)
    if texts.values.is_empty():
        return _ignored(name, "category", "all values are missing" + _missing_words(texts.missing), missing=1.0)
    levels = boolean_levels(texts.values)
    if levels is not None:
        return _boolean(name, texts, levels)
    if are_image_names(texts.values):
        return _ignored(name, "image", f"names of image files; {_NOT_YET['image']}", texts.missing_share)
    distinct, length = len(texts.values) / texts.present, words(texts.values)
    if (length >= 3 and distinct >= 0.5) or (length >= 8 and distinct >= 0.1):
        reason = f"{length:.0f} words on average, {_percent(distinct)} distinct; {_NOT_YET['text']}"
        return _ignored(name, "text", reason, texts.missing_share)
    return _category(name, texts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(name: str, texts: _Texts, codes: bool) -> Column | None:
    notation = number_notation(texts.values, codes=codes)
    if notation is None:
        return None
    reason = _all(texts.present, "numbers") + _number_example(texts.values, notation)
    reason += _missing_words(texts.missing)
    return Column(name, "number", "feature", reason, texts.missing_share, format=notation)


def _number_example(texts: pl.Series, notation: str) -> str:
    """What a value means, where the notation is not the plain one."""
    if notation == ".":
        return ""
    marked = texts.filter(texts.str.contains(rf"[{re.escape(notation[1:] or notation)}]"))
    example = str(marked[0]) if len(marked) else str(texts[0])
    value = pl.select(number_from_text(pl.lit(example), notation)).item()
    return f" ({example} is {value:g})"


def _datetime(name: str, texts: _Texts) -> Column | None:
    found = date_pattern(texts.values)
    if found is None:
        return None
    pattern, swappable = found
    example = str(texts.values[0])
    moment = pl.select(pl.coalesce(datetime_from_text(pl.lit(example), p) for p in related_patterns(pattern))).item()
    doubt = "; day and month could be swapped" if swappable else ""
    reason = f"{_all(texts.present, 'dates')} ({example} is {moment.day} {moment:%B %Y}{doubt})"
    reason += _missing_words(texts.missing)
    return Column(name, "datetime", "feature", reason, texts.missing_share, format=pattern)


def _boolean(name: str, texts: _Texts, levels: tuple[str, str]) -> Column:
    reason = _level_words(texts) + _missing_words(texts.missing, ";")
    return Column(name, "boolean", "feature", reason, texts.missing_share, levels=levels)


def _level_words(texts: _Texts, most: int = 6) -> str:
    n = texts.values.n_unique()
    if n == 1:
        return f"1 value: {_short(texts.values[0])}"
    listed = ": " + ", ".join(map(_short, sorted(texts.values))) if n <= most else ""
    return f"{n:,} values{listed}"


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _category(name: str, texts: _Texts) -> Column:
    """A category, or an identifier where almost every value occurs once."""
    distinct = texts.values.n_unique()
    reason = _level_words(texts) + _missing_words(texts.missing, ";") + _number_words(texts)
    if texts.present >= FEW_ROWS and distinct >= MOSTLY_DISTINCT * texts.present:
        found = f"{distinct:,} different values in {texts.present:,} rows: it identifies rows"
        return _ignored(name, "category", found + _number_words(texts), texts.missing_share)
    return Column(name, "category", "feature", reason, texts.missing_share)


def _number_words(texts: _Texts) -> str:
    """Why values that look like numbers are none."""
    parsed = texts.values.to_frame("text").select(number_from_text(pl.col("text"), ".")).to_series()
    numbers = int(texts.counts.filter(parsed.is_not_null()).sum())
    if numbers == texts.present:
        what = "leading zeros" if texts.values.str.contains(r"^0\d").any() else "more than 16 digits"
        return f"; numbers with {what} are codes"
    if numbers == 0:
        return ""
    word = _short(texts.values.filter(parsed.is_null())[0])
    return f"; {numbers:,} of {texts.present:,} are numbers, but {word!r} is not"


def _as_category(series: pl.Series, wanted: str) -> Column:
    """Any column as a category: the target, a group, or because it was asked for."""
    column = Column(series.name, "category")
    tidied = series.to_frame().select(plain(column, series.dtype)).to_series()
    expression = canonical(column, tidied.dtype)
    if expression is None:
        raise OptionError(f"column {series.name!r} holds values of type {series.dtype}, which cannot be a {wanted}")
    texts = _split(_counts(tidied.to_frame().select(expression).to_series()), MISSING)
    if is_text(series.dtype):
        texts = texts._replace(missing=_split(_counts(series), MISSING).missing)
    reason = _level_words(texts) + _missing_words(texts.missing, ";")
    return replace(column, reason=reason, missing=texts.missing_share)


def _as_told(series: pl.Series, kind: Kind) -> Column:
    """A column of the kind that was asked for.

    Raises OptionError that names a value where the values are not of this kind.
    """
    if series.null_count() == len(series):
        return _inferred(series)
    if kind == "category":
        found = _as_category(series, "category")
    elif is_text(series.dtype):
        found = _text_as_told(series, kind)
    else:
        found = _typed_as_told(series, kind)
    reasons = ["as asked", found.reason, _NOT_YET.get(kind, "")]
    role: Role = "ignore" if kind in _NOT_YET else found.role
    return replace(found, role=role, reason="; ".join(filter(None, reasons)))


def _text_as_told(series: pl.Series, kind: Kind) -> Column:
    counts = _counts(series)
    texts, values = _split(counts, MISSING), _split(counts, MISSING_AMONG_VALUES)
    if texts.values.is_empty() or values.values.is_empty():
        return _of_texts(series.name, counts)
    found: Column | None = Column(series.name, kind, missing=texts.missing_share)
    if kind == "number":
        found = _number(series.name, values, codes=True)
    elif kind == "datetime":
        found = _datetime(series.name, values)
    elif kind == "boolean":
        pair = (min(texts.values), max(texts.values)) if len(texts.values) == 2 else None
        levels = boolean_levels(texts.values) or pair
        found = _boolean(series.name, texts, levels) if levels else None
    if found is None:
        raise _impossible(series, kind, first_misfit(values.values, kind))
    return found


def _typed_as_told(series: pl.Series, kind: Kind) -> Column:
    whole = kind == "datetime" and series.dtype.is_integer()
    column = Column(series.name, kind, format="%Y%m%d" if whole else "")
    tidied = series.to_frame().select(plain(column, series.dtype)).to_series()
    expression = canonical(column, tidied.dtype)
    if expression is None:
        raise OptionError(f"column {series.name!r} holds values of type {series.dtype}: no {kind}; choose another kind")
    values = tidied.to_frame().select(expression).to_series()
    misfits = tidied.filter(tidied.is_not_null() & values.is_null())
    if len(misfits):
        raise _impossible(series, kind, misfits[0])
    return replace(column, missing=_share(tidied.null_count(), len(tidied)))


def _impossible(series: pl.Series, kind: Kind, value: object) -> OptionError:
    stripped = series.cast(pl.String).str.strip_chars(BLANKS) if is_text(series.dtype) else series
    row = int((stripped == value).arg_true()[0]) + 1
    return OptionError(
        f"column {series.name!r} cannot be of kind {kind}: row {row:,} holds {value!r}; correct such values "
        "or choose another kind"
    )
