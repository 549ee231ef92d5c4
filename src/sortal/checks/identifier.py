"""A303: columns that number or name the rows, from which only these rows could be learnt by heart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, ignoring, too_few
from sortal.checks.measures.glance import at_a_glance
from sortal.core.kinds import kind_of
from sortal.core.writing import percent

_LEAST_ROWS = 50
"""Chosen, not measured: fewer measured numbers often all differ."""
_FIRST_LOOK = 10_000
"""For speed: most columns repeat themselves among the first rows."""
_NEARLY_ALL = 0.99
"""Share of distinct values. Chosen, not measured: a joined table repeats a few ids."""
_DISTINCT = 0.9
"""Share of distinct values where the name says id. Chosen, not measured: such a column may repeat itself more."""
_DENSE = 3.0
"""Range for each row. Chosen, not measured: ids run on with gaps, amounts lie further apart."""
_IN_ORDER = 0.999
"""Correlation with the place in the file. Chosen, not measured: a few rows may have moved."""
_NAMES = re.compile(r"(?:^|[^a-z])(?:id|ids|uuid|guid|key|nr|no|num|number|index|row|rowid|code)$")


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Categories with a level a row; whole numbers that differ in each row and run on, or are called an id."""
    table = context.table
    if len(table) < _LEAST_ROWS:
        return too_few(f"{_LEAST_ROWS} rows")
    kinds = {column.name: kind_of(column.kind) for column in table.schema.features}
    findings = []
    for name in _of_many_values(table.frame, [n for n, k in kinds.items() if k.storage == "number" or k.categorical]):
        values = table[name]
        reason = names_rows(name, values, table.rows)
        if reason:
            message = f"{name} names the rows rather than describing them: {reason}"
            evidence: dict[str, Evidence] = {"distinct_share": _distinct(values), "reason": reason}
            fix = f"leave it out: {ignoring([name])}"
            findings.append(Finding(check.code, "warning", name, message, evidence, fix))
    return findings


def _of_many_values(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Those columns that may name rows by their first ones, all at once: of thousands, one at a time takes long."""
    beginning = without_fractions(frame[list(names)].head(_FIRST_LOOK))
    number = cs.numeric().drop_nulls()
    has_fractions = _by_name(beginning.select((number != number.floor()).any()))
    whole = beginning.drop([name for name, fractional in has_fractions.items() if fractional])
    rows, distinct = (_by_name(whole.select(count)) for count in (pl.all().count(), pl.all().drop_nulls().n_unique()))
    return [name for name in whole.columns if distinct[name] >= _DISTINCT * max(rows[name], _LEAST_ROWS)]


def without_fractions(frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns of numbers that are not whole, as far as their first rows tell."""
    return frame.drop(at_a_glance(frame, lambda values: np.asarray((np.floor(values) < values).any(axis=0))))


def _by_name(figures: pl.DataFrame) -> dict[str, Any]:
    """A figure of each column; none of a table without columns."""
    return figures.row(0, named=True) if figures.width else {}


def names_rows(name: str, values: pl.Series, rows: NDArray[np.int64]) -> str:
    """How one can tell that these values number or name the rows (with ids ``rows``); empty where they do not."""
    if not _possible(values.head(_FIRST_LOOK)):
        return ""
    share = _distinct(values)
    return "" if share < _DISTINCT else _reason(name, values, share, rows)


def _possible(values: pl.Series) -> bool:
    return _whole(values) and _distinct(values) >= _DISTINCT


def _whole(values: pl.Series) -> bool:
    """Texts, or whole numbers."""
    if values.dtype == pl.String:
        return True
    numbers = values.drop_nulls().to_numpy()
    return bool((np.rint(numbers) == numbers).all())


def _distinct(values: pl.Series) -> float:
    """Distinct values among those that are there; 0 where few are there."""
    non_null = values.drop_nulls()
    return non_null.n_unique() / len(non_null) if len(non_null) >= _LEAST_ROWS else 0.0


def _reason(name: str, values: pl.Series, share: float, rows: NDArray[np.int64]) -> str:
    many = f"{percent(share)} of its values occur once only" if share < 1 else "no value occurs twice"
    if values.dtype == pl.String:
        return many
    numbers = values.to_numpy()
    finite = np.isfinite(numbers)
    numbers, rows = numbers[finite], rows[finite]
    if not _whole(values):
        return ""
    if share >= _NEARLY_ALL and abs(np.corrcoef(np.argsort(np.argsort(numbers)), rows)[0, 1]) >= _IN_ORDER:
        return f"whole numbers in the order of the rows, {many}"
    if share >= _NEARLY_ALL and np.ptp(numbers) <= _DENSE * len(numbers):
        return f"whole numbers that run on, {many}"
    return f"whole numbers, {many}" if _is_called_id(name) else ""


def _is_called_id(name: str) -> bool:
    """By its last word, also in camel context.

    >>> [_is_called_id(name) for name in ("hospital_number", "customerID", "Row", "humid", "valid", "amount")]
    [True, True, True, False, False, False]
    """
    return _NAMES.search(re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()) is not None


check = Check("A303", "a column that names the rows", find)
