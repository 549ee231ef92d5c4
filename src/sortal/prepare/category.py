"""Categories: one-hot, ordinal codes, or out-of-fold target encoding. Each of them is one table, looked up by value.

Levels of fewer rows than the view's smallest count are not in the table. The model learns from their rows what to make
of a value that it does not know: rare and unseen ones are the same to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.schema import Column
from sortal.engine.program import Program
from sortal.prepare.view import EncodedColumn, Labels, View

MAX_CODES = 1000
"""Levels beyond the most frequent thousand are one level: LightGBM groups them anyway, and the artifact stays small."""
MAX_TARGET_CLASSES = 20
"""Target encoding makes a column a class; with more classes than this the matrix would be mostly that."""


@dataclass(frozen=True)
class _Block:
    """Columns made from one category column: ``table`` by level (then missing, then unseen), and the training rows'
    values.
    """

    names: tuple[str, ...]
    table: NDArray[np.float64]
    train: NDArray[np.float64]


class CategoryPreparer:
    """High cardinality and unseen values are ordinary: a rare or unseen value gets the encoding of 'any other'."""

    def fit(self, column: Column, values: pl.Series, labels: Labels, view: View, seed: int) -> EncodedColumn:
        levels = _levels(values, view.smallest_count)
        level_of_row = _level_of_row(values, levels)
        many = len(levels) > view.many and labels.n_classes <= MAX_TARGET_CLASSES
        blocks = []
        if view.categories == "codes":
            blocks.append(_codes(column.name, len(levels), level_of_row))
        elif not many:
            blocks.append(_onehot(column.name, levels, view.many, level_of_row))
        if many:
            blocks.append(_target(column.name, len(levels), level_of_row, labels, seed))
        table = np.hstack([b.table for b in blocks])
        names = tuple(name for b in blocks for name in b.names)
        return EncodedColumn(
            program=Program("lookup", {"column": column.name, "categories": levels}, {"table": table}),
            names=names,
            numeric=False,
            categorical=tuple(view.categories == "codes" and name == column.name for name in names),
            train=np.hstack([b.train for b in blocks]) if many else None,
        )


def _levels(values: pl.Series, smallest_count: int) -> list[str]:
    """The values of so many rows, most frequent first; ties in alphabetical order, so that runs repeat."""
    counts = values.drop_nulls().alias("level").value_counts(name="rows")
    common = ((level, rows) for level, rows in counts.iter_rows() if rows >= smallest_count)
    return [level for level, _ in sorted(common, key=lambda pair: (-pair[1], pair[0]))]


def _level_of_row(values: pl.Series, levels: list[str]) -> NDArray[np.int64]:
    """Index of each row's level; ``len(levels)`` where it is missing, and one more where it is rare."""
    index = values.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64)
    other = pl.select(pl.when(values.is_null()).then(len(levels)).otherwise(len(levels) + 1)).to_series()
    return index.fill_null(other.cast(pl.Int64)).to_numpy().astype(np.int64)


def _codes(name: str, n_levels: int, level_of_row: NDArray[np.int64]) -> _Block:
    """Missing has no code. Neither has unseen, but where training rows are rare: these are a level together."""
    code = np.arange(n_levels + 2, dtype=np.float64)
    code[MAX_CODES:] = MAX_CODES
    has_rare = bool((level_of_row == n_levels + 1).any())
    code[-2:] = np.nan, min(n_levels, MAX_CODES) if has_rare else np.nan
    table = code[:, None]
    return _Block((name,), table, table[level_of_row])


def _onehot(name: str, levels: list[str], most: int, level_of_row: NDArray[np.int64]) -> _Block:
    """A column for each of the ``most`` frequent levels, and one for missing values where there are any; rare and
    unseen ones are in none of them. Where there are two levels and nothing else, one column will do.
    """
    n_levels, frequent_levels = len(levels), levels[:most]
    table = np.zeros((n_levels + 2, len(frequent_levels) + 1))
    table[np.arange(len(frequent_levels)), np.arange(len(frequent_levels))] = 1.0
    table[n_levels, len(frequent_levels)] = 1.0
    names = [*(f"{name}={level}" for level in frequent_levels), f"{name} is missing"]
    has_missing = bool((level_of_row == n_levels).any())
    nothing_else = not has_missing and not (level_of_row > n_levels).any()
    first = 1 if n_levels == 2 and nothing_else else 0
    last = len(frequent_levels) if frequent_levels and not has_missing else None
    table = np.ascontiguousarray(table[:, first:last])
    return _Block(tuple(names[first:last]), table, table[level_of_row])


def _target(name: str, n_levels: int, level_of_row: NDArray[np.int64], labels: Labels, seed: int) -> _Block:
    """Smoothed class shares by level; the training rows get the shares learned without them (scikit-learn's
    TargetEncoder).
    """
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    present = np.unique(labels.codes)
    binary, parts = labels.n_classes == 2, _splits(labels.codes)
    # A class of one row cannot be in every part, which scikit-learn would warn of.
    kind = KFold if np.bincount(labels.codes)[present].min() == 1 else StratifiedKFold
    inner = kind(parts, shuffle=True, random_state=seed)
    encoder = TargetEncoder(target_type="binary" if binary else "multiclass", cv=inner)
    train = encoder.fit_transform(level_of_row[:, None], labels.codes)
    table = encoder.transform(np.arange(n_levels + 2)[:, None])
    classes = [1] if binary else list(present)
    return _Block(tuple(f"{name} share of class {k}" for k in classes), table, train)


def _splits(codes: NDArray[np.int64]) -> int:
    """Five inner folds, fewer where the rarest class has fewer rows (TargetEncoder stratifies)."""
    rarest = int(np.bincount(codes)[np.unique(codes)].min())
    return max(2, min(5, rarest))


preparer = CategoryPreparer()
