"""What the columns of a raw table are: a kind for each, with the reason in words.

The rules are those of a careful colleague who looks at all values of a column:

- **number**: every value is one. Decimal and thousands marks are decided from the whole column. ``1.234`` is
  1.234 unless another value rules that out. ``1,234`` is 1234 where every comma stands between thousands and
  no ungrouped 1234 occurs beside it; else the comma is a decimal mark. Digits with leading zeros (``00501``)
  or more than 16 digits are codes, so categories. Whole numbers stay numbers, also 0 and 1.
- **boolean**: two values that form a pair like yes and no.
- **datetime**: every value is a date in one notation. Day or month first is decided from the whole column; where both
  fit, rows in the order of time decide; else ``1/2/2020`` is read month first, ``1-2-2020`` and ``1.2.2020`` day first.
- **text**: several words, mostly distinct. **image**: bytes of an image, or names of image files.
- **category**: all other text. Where almost every value occurs once it identifies rows, and is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from sortal.core.columns import Origin, RawColumn, ignored
from sortal.core.errors import OptionError, TaskError, did_you_mean
from sortal.core.kinds import INFERRED, is_kind, kind_of, names
from sortal.core.kinds.boolean import boolean_levels
from sortal.core.kinds.category import EXACT, as_category
from sortal.core.kinds.number import number_notation
from sortal.core.schema import Column, Role, Schema
from sortal.core.series import sort_of
from sortal.core.values import is_text

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

    ``kinds`` are given kinds, also with a format (``"datetime:%d/%m/%Y"``, ``"number:,"``: the decimal mark);
    ``ignore`` names columns that no model may see; ``time``, ``group`` and ``split`` name the columns that a split must
    respect. ``source`` is where the frame comes from. Raises TaskError where there is no such target; OptionError for
    another unknown column, for a kind that the values do not have, for a column that is asked to be two things, and for
    a ``time`` whose dates can be read in two ways.

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
            _column(
                RawColumn(s.name, s.alias("values"), sort_of(s.dtype), source, decisive=roles.get(s.name) == "time"),
                roles.get(s.name),
                kinds.get(s.name),
            )
            for s in frame.iter_columns()
        )
    )


def _roles(
    columns: Sequence[str],
    target: str | None,
    kinds: Mapping[str, str],
    ignore: Sequence[str],
    single: Mapping[Role, str | None],
    source: str,
) -> dict[str, Role]:
    """The roles that were asked for, by column."""
    if target is not None and target not in columns:
        raise TaskError(f"no column {target!r} in {source}; {did_you_mean(target, columns)}")
    wishes: list[tuple[str, Role]] = [] if target is None else [(target, "target")]
    wishes += [(name, role) for role, name in single.items() if name is not None]
    wishes += [(name, "ignore") for name in ignore]
    for name in [*(name for name, _ in wishes), *kinds]:
        if name not in columns:
            raise OptionError(f"no column {name!r} in {source}; {did_you_mean(name, columns)}")
    for name, spec in kinds.items():
        kind, _, form = spec.partition(":")
        if not is_kind(kind):
            raise OptionError(f"no kind {kind!r} (asked for column {name!r}); {did_you_mean(kind, names())}")
        if form and not kind_of(kind).may_be_asked(form):
            raise OptionError(
                f"column {name!r} cannot be of kind {spec!r}; a format is the decimal mark (number:,) or the way "
                "that a date is "
                "written (datetime:%d/%m/%Y)"
            )
    roles: dict[str, Role] = {}
    for name, role in wishes:
        if roles.setdefault(name, role) != role:
            raise OptionError(f"column {name!r} cannot be both {roles[name]} and {role}; drop one of the two")
        if role in TEXTS and kinds.get(name, "category") != "category":
            raise OptionError(f"column {name!r} is the {role}, which is always a category, not a {kinds[name]}")
    return roles


def _column(raw: RawColumn, role: Role | None, spec: str | None) -> Column:
    if role == "target":
        return _target(raw)
    if role in TEXTS:
        return replace(as_category(raw, role), role=role)
    column = inferred(raw) if spec is None else _as_asked(raw, spec)
    if role == "ignore":
        return replace(column, role="ignore", reason=AS_ASKED)
    if role == "time":
        if kind_of(column.kind).storage not in ("moment", "number"):
            raise OptionError(f"column {raw.name!r} cannot be the time: it is no date and no number ({column.reason})")
        return replace(column, role="time")
    return column


def inferred(raw: RawColumn) -> Column:
    """Kind, notation and reason of a column of any type. Raises OptionError where its dates can be read in two ways,
    and that matters.
    """
    if raw.series.null_count() == len(raw.series):
        return ignored(raw.name, "category", "all values are missing", missing=1.0)
    columns = (kind.infer(raw) for kind in INFERRED)
    return next(column for column in columns if column is not None)


def _target(raw: RawColumn) -> Column:
    """Classes are kept as they are written, and no text is dropped that may be one.

    Among words every text is a class, ``NA`` too; among numbers, or yes and no, what usually means "no value" means it
    here.
    """
    if raw.origin.missing is None and is_text(raw.sort) and _are_words(raw):
        raw = replace(raw, origin=replace(raw.origin, missing=()))
    return replace(as_category(raw, "target", EXACT), role="target")


def _are_words(raw: RawColumn) -> bool:
    """Whether labels are words, among which 'NA' may be one: not all numbers, and no pair such as yes and no."""
    texts = raw.texts.values
    return not texts.is_empty() and boolean_levels(texts) is None and number_notation(texts, codes=True) is None


def _as_asked(raw: RawColumn, spec: str) -> Column:
    """A column of the kind that was asked for. Raises OptionError that names a value where the values are not of this
    kind.
    """
    name, _, form = spec.partition(":")
    kind = kind_of(name)
    if raw.series.null_count() == len(raw.series):
        return inferred(raw)
    column = kind.as_asked(raw, form) or inferred(raw)
    reasons = ["as asked", column.reason, kind.not_yet]
    role: Role = "ignore" if kind.not_yet else column.role
    return replace(column, role=role, reason="; ".join(filter(None, reasons)))
