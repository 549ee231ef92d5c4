"""What is said of a table that does not fit a schema: the same sentences for tables and for single rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from sortal.core.errors import DataError, did_you_mean
from sortal.core.kinds import kind_of
from sortal.core.raw import Sort, short_repr
from sortal.core.schema import Column

LARGEST = float(np.finfo(np.float32).max)
"""Several libraries compute in float32; a number beyond it would become an infinity there."""


def absent(names: Collection[str], columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of those columns that a raw table with these names does not have."""
    present_names = set(names)
    return tuple(column.name for column in columns if column.name not in present_names)


def lacking(names: Collection[str], columns: Sequence[Column], source: str, allow_missing: bool) -> tuple[str, ...]:
    """The names of columns that are taken as missing in all rows. Raises DataError where a column may not be.

    Only a feature is ever taken for missing, and not where another is there under nearly its name, or where no column
    is.
    """
    without = absent(names, columns)
    if not without:
        return without
    near = {name.casefold() for name in names}
    may_lack = {c.name for c in columns if c.role == "feature" and c.name.casefold() not in near}
    all_of_them = len(without) == len(columns)
    refused = [name for name in without if not allow_missing or all_of_them or name not in may_lack]
    if refused:
        nor = " (nor any other)" if all_of_them and len(columns) > 1 else ""
        hint = did_you_mean(refused[0], dict.fromkeys(names))
        way = (
            "; --allow-missing takes it as missing"
            if refused[0] in may_lack and not (allow_missing or all_of_them)
            else ""
        )
        raise DataError(f"{source} has no column {refused[0]!r}{nor}, which the model needs; {hint}{way}")
    return without


_SORTS: dict[Sort, str] = {
    "single": "number",
    "whole": "whole number",
    "moment": "date",
    "zoned": "date",
    "nested": "list or object",
}


def other_type(column: Column, sort: Sort, source: str) -> DataError:
    """Values of this sort can never be of the column's kind."""
    return DataError(
        f"column {column.name!r} of {source} holds values of type {_SORTS.get(sort, sort)}, where "
        f"{kind_of(column.kind).noun_of(column)} is needed; convert it, or leave the column out with --ignore"
    )


def misfit(column: Column, value: object, row: int, more: int, source: str) -> DataError:
    """A value does not fit the kind of its column, and so do ``more`` of them."""
    kind = kind_of(column.kind)
    example = kind.example(column)
    noun = kind.noun_of(column) + (f" written like {example}" if example else "")
    others = f" (and {more:,} more)" if more else ""
    return DataError(
        f"column {column.name!r} of {source} holds {short_repr(value)} in row {row:,}{others}, where {noun} is needed; "
        "correct it or leave it blank"
    )


MOST_NAMED = 3
"""Values that a message names one by one."""


def unreadable(column: Column, values: Sequence[Any], rows: Sequence[int], *, quotes: bool = True) -> str:
    """What is said of ``values``, in these ``rows`` (counted from 1), that are taken as missing though something is
    there; empty where that is nothing to speak of. ``quotes``: names them, and their rows.

    >>> unreadable(Column("photo", "image"), ["a.png", b"GIF8"], [3, 17])
    "photo: 2 images cannot be read: 'a.png' in row 3 (no such file), row 17 (damaged or cut off)"
    """
    kind = kind_of(column.kind)
    few = [] if not len(values) else kind.faults(list(values[:MOST_NAMED]))
    if not few:
        return ""
    what = f"{column.name}: {len(values):,} {kind.name}{'s' if len(values) > 1 else ''} cannot be read"
    if not quotes:
        return what
    examples = [f"{_quoted_name(value)}row {row:,} ({why})" for value, row, why in zip(values, rows, few, strict=False)]
    more = f", and {len(values) - len(few):,} more" if len(values) > len(few) else ""
    return f"{what}: {', '.join(examples)}{more}"


def _quoted_name(value: object) -> str:
    """The end of a name tells more than its beginning; what is no name is not quoted."""
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        return ""
    return f"{value!r} in " if len(value) <= LONGEST_SHOWN else f"'...{repr(value)[-LONGEST_SHOWN:]} in "


LONGEST_NAME, LONGEST_SHOWN = 300, 40
"""Characters of a name that is quoted, and of it at most."""


def too_large(name: str, value: float, row: int, source: str) -> DataError:
    """A number is beyond ``LARGEST``."""
    what = "infinity" if math.isinf(value) else f"models compute with numbers up to {LARGEST:.1e}"
    return DataError(
        f"column {name!r} of {source} holds {value} ({what}) in row {row:,}; put a number there or leave it blank"
    )
