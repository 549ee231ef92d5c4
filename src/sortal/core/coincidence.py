"""Rows that agree in every column: a record that was entered twice, or a coincidence of coarse columns?

A record that is there twice tells a model the answer to a row that it is tested on. A coincidence does not: fresh rows
will agree with known ones as often. So the first are kept on one side, and the second are rows like any others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.core.arrays import Floats, Ints
from sortal.core.relations import by_appearance, same_rows

EXPLAINED, MISSING = 0.4, 1.5
"""Copied rows by chance for each that is there: coincidences are between. Measured: in 120 tables of 3 to 7 coarse
columns of 30 real ones .55 to 1.1; in the real tables whose copies are no coincidence, and with a twentieth of their
rows or all of them entered twice, 0 to .37; where rows had been made to differ before that, 2 to 7."""
LARGEST, ALWAYS = 0.02, 5
"""Share of the rows, and rows: a combination more frequent than both is no record entered again and again, and kept
together it would spoil the parts. Chosen, not measured: a test of 15 % is moved by a seventh at most."""
MOST = 0.5
"""Share of rows: of a single column copies are coincidences where most rows have one. Chosen, not measured."""
_QUERIES, _ROWS, _CELLS, _FIRST, _WIDEST = 400, 20_000, 1_000_000, 6, 500
"""For speed: rows whose neighbours are counted, among so many rows, of so many values in all; columns that are compared
before the others. Rows of more columns than the last do not agree by chance."""


@dataclass(frozen=True)
class Coincidence:
    """``copied``: the share of rows that agree with another one in all columns; ``by_chance``: the share that would."""

    copied: float
    by_chance: float

    @property
    def explains(self) -> bool:
        """Whether most copies are coincidences. They are not, either, where the copies that chance would have brought
        about are missing: in rows that were made to differ, one that is there twice was put there.
        """
        return EXPLAINED * self.copied <= self.by_chance < MISSING * self.copied


def coincidence(frame: pl.DataFrame, copies: Ints) -> Coincidence:
    """How many rows have a copy, and would by chance, which rows tell that differ in little.

    ``copies``: (n,) ids of the rows of ``frame`` that agree in all columns. If a column agrees as often among rows that
    agree in all others as it does among rows that agree in all others but one, then a row has one copy for every
    ``sum over columns j of differ(j and one more) / differ(one, but not j)`` rows that differ from it in one column
    alone: no interaction of the highest order, in a log-linear model of which columns of two rows agree; exact where
    columns are independent. Copies of that mean are Poisson distributed. A record entered twice has hardly a row around
    it that differs in one column, a coarse combination has many.

    Where no rows differ in just two columns (a single column), all is chance if most rows have a copy, else nothing.

    >>> both = pl.DataFrame({"a": [0, 0, 0, 1, 1, 1], "b": [0, 0, 1, 0, 1, 1]})
    >>> coincidence(both, same_rows(both)).explains
    True
    """
    copied = float((np.bincount(copies)[copies] > 1).mean())
    if copied == 0 or frame.width > _WIDEST:
        return Coincidence(copied, 0.0)
    n, rng = frame.height, np.random.default_rng(0)
    query_rows = rng.permutation(n)[:_QUERIES]
    rows = rng.permutation(n)[: min(_ROWS, _CELLS // frame.width + 1)]
    one, two = _neighbours(_codes(frame[np.concatenate([query_rows, rows])]), len(query_rows))
    if not one.any():
        return Coincidence(copied, 0.0)
    if not two.any():
        return Coincidence(copied, copied if copied >= MOST else 0.0)
    neighbours = one.sum(axis=1) * (n / len(rows))
    weight = 1 / (1 + neighbours)  # else the most frequent combinations would speak for all
    alone, pairs = weight @ one, weight @ two
    rest = alone.sum() - alone
    if (rest[pairs > 0] == 0).any():
        return Coincidence(copied, 0.0)
    a_copy = float((pairs[pairs > 0] / rest[pairs > 0]).sum())
    return Coincidence(copied, float((1 - np.exp(-neighbours / a_copy)).mean()))


def _codes(frame: pl.DataFrame) -> Ints:
    """(n, d) ids of equal values, column by column; those of the most values come first."""
    codes = sorted((same_rows(column.to_frame()) for column in frame.iter_columns()), key=lambda ids: -int(ids.max()))
    return np.column_stack(codes).astype(np.int32)


def _neighbours(codes: Ints, queries: int) -> tuple[Floats, Floats]:
    """(queries, d) how many of the other rows differ in column j alone from each of the first ones, and (queries, d)
    in j and one more.
    """
    others, width = codes[queries:], codes.shape[1]
    first = np.ascontiguousarray(others[:, :_FIRST])
    one, two = np.zeros((queries, width)), np.zeros((queries, width))
    for i, row in enumerate(codes[:queries]):
        near = np.flatnonzero((first != row[:_FIRST]).sum(axis=1) <= 2)
        differ = others[near] != row
        columns = differ.sum(axis=1)
        one[i] = differ[columns == 1].sum(axis=0)
        two[i] = differ[columns == 2].sum(axis=0)
    return one, two


def records(copies: Ints, coincide: bool) -> Ints:
    """(n,) ids that rows share when they are one record, entered more than once: none where copies coincide, and of
    others those that are not too frequent.

    >>> records(np.array([0, 0, 1, 2]), coincide=False).tolist(), records(np.array([0, 0, 1, 2]), True).tolist()
    ([0, 0, 1, 2], [0, 1, 2, 3])
    """
    rows = np.arange(len(copies))
    if coincide:
        return rows
    frequent = np.bincount(copies)[copies] > max(ALWAYS, LARGEST * len(copies))
    return by_appearance(np.where(frequent, len(copies) + rows, copies)) if frequent.any() else copies
