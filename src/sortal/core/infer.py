"""What the columns of a raw table are: a kind for each, with the reason in words.

The rules are those of a careful colleague who looks at all values of a column:

- **number**: every value is one. Decimal and thousands marks are decided from the whole column. ``1.234`` is
  1.234 unless another value rules that out. ``1,234`` is 1234 where every comma stands between thousands and
  no ungrouped 1234 occurs beside it; else the comma is a decimal mark. Digits with leading zeros (``00501``)
  or more than 16 digits are codes, so categories. Whole numbers stay numbers, also 0 and 1.
- **boolean**: two values that form a pair like yes and no.
- **datetime**: every value is a date in one notation. Day or month first is decided from the whole column; where both fit,
  rows in the order of time decide; else ``1/2/2020`` is read month first, ``1-2-2020`` and ``1.2.2020`` day first.
- **text**: several words, mostly distinct. **image**: bytes of an image, or names of image files.
- **category**: all other text. Where almost every value occurs once it identifies rows, and is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import polars as pl

from sortal.core.columns import Origin, are_words, boolean_column, counted, datetime_column, number_column, parted
from sortal.core.detect import NOT_YET, as_category, inferred, of_typed, written
from sortal.core.errors import OptionError, TaskError, did_you_mean
from sortal.core.labels import in_order
from sortal.core.notation import boolean_levels, first_misfit
from sortal.core.schema import KINDS, Column, Kind, Role, Schema
from sortal.core.series import sort_of
from sortal.core.values import BLANKS, DURATION, EXACT, canonical, evaluated, is_text, plain

TEXTS: tuple[Role, ...] = ("target", "group", "split")
"""Roles whose columns are categories, whatever their values look like."""
AS_ASKED = "left out, as asked"
"""Why a column is not used that a person named."""


def infer(
    frame: pl.DataFrame,
    target: str | None,
    *,
    kinds: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    time: str | None = None,
    group: str | None = None,
    split: str | None = None,
    source: Origin = Origin(),  # noqa: B008 - it cannot change
) -> Schema:
    """Kinds and roles of the columns of a raw frame, each with its reason.

    ``kinds`` are given kinds, also with a format (``"datetime:%d/%m/%Y"``, ``"number:,"``: the decimal mark); ``ignore`` names
    columns that no model may see; ``time``, ``group`` and ``split`` name the columns that a split must respect. ``source`` is where
    the frame comes from. Raises TaskError where there is no such target; OptionError for another unknown column, for a kind that
    the values do not have, for a column that is asked to be two things, and for a ``time`` whose dates can be read in two ways.

    >>> frame = pl.DataFrame({"price": ["1,5", "2", "?"], "ok": ["no", "yes", "no"], "zip": ["01", "9", "9"]})
    >>> for column in infer(frame, "ok").columns:
    ...     print(column.name, column.kind, column.role, column.reason, sep=" | ")
    price | number | feature | all 2 values are numbers (1,5 is 1.5), 1 '?'
    ok | category | target | 2 values: no, yes
    zip | category | feature | 2 values: 01, 9; numbers with leading zeros are codes
    """
    kinds = kinds or {}
    roles = _roles(frame.columns, target, kinds, ignore, {"time": time, "group": group, "split": split}, source.name)
    return Schema(
        tuple(
            _column(s.name, s.alias("values"), (roles.get(s.name), kinds.get(s.name)), source)
            for s in frame.iter_columns()
        )
    )


def _roles(
    names: Sequence[str],
    target: str | None,
    kinds: Mapping[str, str],
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
    for name, asked in kinds.items():
        kind, _, form = asked.partition(":")
        if kind not in KINDS:
            raise OptionError(f"no kind {kind!r} (asked for column {name!r}); {did_you_mean(kind, KINDS)}")
        if form and not ((kind == "number" and form in (".", ",")) or (kind == "datetime" and "%" in form)):
            raise OptionError(
                f"column {name!r} cannot be of kind {asked!r}; a format is the decimal mark (number:,) or the way that a date is "
                "written (datetime:%d/%m/%Y)"
            )
    roles: dict[str, Role] = {}
    for name, role in wishes:
        if roles.setdefault(name, role) != role:
            raise OptionError(f"column {name!r} cannot be both {roles[name]} and {role}; drop one of the two")
        if role in TEXTS and kinds.get(name, "category") != "category":
            raise OptionError(f"column {name!r} is the {role}, which is always a category, not a {kinds[name]}")
    return roles


def _column(name: str, series: pl.Series, wish: tuple[Role | None, str | None], origin: Origin) -> Column:
    """``series`` has no name of its own: polars takes one such as ``^p.*$`` for a pattern. ``wish``: role and kind."""
    role, asked = wish
    if role == "target":
        return _target(name, series, origin)
    if role in TEXTS:
        return replace(as_category(name, series, role, origin), role=role)
    time = role == "time"
    found = inferred(name, series, origin, time) if asked is None else _as_asked(name, series, asked, origin, time)
    if role == "ignore":
        return replace(found, role="ignore", reason=AS_ASKED)
    if time:
        if found.kind not in ("datetime", "number"):
            raise OptionError(f"column {name!r} cannot be the time: it is no date and no number ({found.reason})")
        return replace(found, role="time")
    return found


def _target(name: str, series: pl.Series, origin: Origin) -> Column:
    """Classes are kept as they are written, and no text is dropped that may be one.

    Among words every text is a class, ``NA`` too; among numbers, or yes and no, what usually means "no value" means it here.
    """
    absent = origin.missing
    if absent is None and is_text(sort_of(series.dtype)) and are_words(counted(series)):
        absent = ()
    return replace(as_category(name, series, "target", replace(origin, missing=absent), EXACT), role="target")


def _as_asked(name: str, series: pl.Series, asked: str, origin: Origin, time: bool) -> Column:
    """A column of the kind that was asked for.

    Raises OptionError that names a value where the values are not of this kind.
    """
    if series.null_count() == len(series):
        return inferred(name, series, origin)
    told, _, form = asked.partition(":")
    kind = cast("Kind", told)
    if kind == "category":
        found = as_category(name, series, "category", origin)
    elif kind == "boolean":
        found = _as_boolean(name, series, origin)
    elif is_text(sort_of(series.dtype)):
        found = _of_texts(name, series, kind, form, origin, time)
    else:
        found = _of_typed(name, series, kind, form, origin)
    reasons = ["as asked", found.reason, NOT_YET.get(kind, "")]
    role: Role = "ignore" if kind in NOT_YET else found.role
    return replace(found, role=role, reason="; ".join(filter(None, reasons)))


def _as_boolean(name: str, series: pl.Series, origin: Origin) -> Column:
    """Two values of any type, the same levels from text and from numbers: a pair like no and yes, else the first in order is false."""
    if isinstance(series.dtype, pl.Boolean):
        return of_typed(name, series, origin)
    values = written(Column(name, "category", absent=origin.missing), series, "boolean")
    texts = parted(counted(values), frozenset({""}))
    if is_text(sort_of(series.dtype)):
        texts = texts._replace(missing=parted(counted(series), origin.blanks).missing)
    if texts.values.is_empty():
        return inferred(name, series, origin)
    levels = boolean_levels(texts.values) or _pair(texts.values)
    if levels is None:
        first_two = texts.values.str.to_lowercase().unique(maintain_order=True).head(2)
        third = (values.is_not_null() & ~values.str.to_lowercase().is_in(first_two.to_list())).arg_true()
        raise _impossible(name, series, "boolean", int((third if len(third) else values.is_not_null().arg_true())[0]))
    return boolean_column(name, texts, levels, origin)


def _pair(texts: pl.Series) -> tuple[str, str] | None:
    """Two texts in their order, as first written; one alone is enough where it is 0 or 1."""
    first_written = {text.lower(): text for text in reversed(texts.to_list())}
    if len(first_written) == 1 and first_written.keys() <= {"0", "1"}:
        return "0", "1"
    if len(first_written) != 2:
        return None
    false, true = in_order(first_written.values())
    return false, true


def _of_texts(name: str, series: pl.Series, kind: Kind, form: str, origin: Origin, time: bool) -> Column:
    counts = counted(series)
    texts, values = parted(counts, origin.blanks), parted(counts, origin.blanks_among_values)
    if values.values.is_empty():
        return inferred(name, series, origin)
    found: Column | None = Column(name, kind, missing=texts.missing_share, absent=origin.missing)
    if kind == "number":
        found = number_column(name, values, origin, codes=True, decimal=form)
    elif kind == "datetime":
        try:
            found = datetime_column(name, series, values, origin, form, decisive=time)
        except pl.exceptions.PolarsError as error:
            why = str(error).splitlines()[0]
            raise OptionError(f"{form!r} is no way to write a date (asked for column {name!r}): {why}") from error
    if found is None:
        misfit = first_misfit(values.values, kind)
        raise _impossible(
            name, series, kind, int((series.cast(pl.String).str.strip_chars(BLANKS) == misfit).arg_true()[0])
        )
    return found


def _of_typed(name: str, series: pl.Series, kind: Kind, form: str, origin: Origin) -> Column:
    if kind == "datetime" and series.dtype.is_integer():
        form = form or "%Y%m%d"
    if kind == "number" and isinstance(series.dtype, pl.Duration | pl.Time):
        form = DURATION
    column = Column(name, kind, format=form, absent=origin.missing)
    tidied = evaluated(series, lambda values: plain(column, values, sort_of(series.dtype)))
    expression = canonical(column, pl.nth(0), sort_of(tidied.dtype))
    if expression is None:
        raise OptionError(f"column {name!r} holds values of type {series.dtype}: no {kind}; choose another kind")
    misfits = (tidied.is_not_null() & evaluated(tidied, lambda _: expression).is_null()).arg_true()
    if len(misfits):
        raise _impossible(name, series, kind, int(misfits[0]))
    return replace(column, missing=tidied.null_count() / len(tidied))


def _impossible(name: str, series: pl.Series, kind: Kind, row: int) -> OptionError:
    value = series[row].strip(BLANKS) if is_text(sort_of(series.dtype)) else series[row]
    return OptionError(
        f"column {name!r} cannot be of kind {kind}: row {row + 1:,} holds {value!r}; correct such values "
        "or choose another kind"
    )
