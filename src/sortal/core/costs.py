"""What a decision costs, as arrays, truth by decision.

A benefit is a negative cost. The cost of a decision may also stand in a column of the table, row by row, and one
more decision, to leave a row to a person, may have a cost of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.errors import DataError

Matrix = tuple[tuple[float, ...], ...]

MOST_COST = 1e15
"""Of a decision. Sums over all rows of a table, and squares of them, stay numbers; and beside it a cost of 1 still
counts."""


@dataclass(frozen=True)
class CostColumn:
    """Deciding class ``decided`` where ``truth`` is true (codes) costs what ``column`` holds in that row."""

    truth: int
    decided: int
    column: str


def costs_of(
    matrix: Matrix, reject: float | None = None, columns: Sequence[CostColumn] = (), row_costs: Floats | None = None
) -> Floats:
    """Costs, truth by decision: (K, D), or (n, K, D) where ``columns`` put ``row_costs`` (n, m) of each row into the
    matrix.

    D is K, or K + 1 where rejecting has a cost: whatever the truth is, the last decision costs ``reject``.

    Raises ValueError where the row_costs of the columns are not given.

    >>> costs_of(((0, 1), (8, 0)), reject=0.5)
    array([[0. , 1. , 0.5],
           [8. , 0. , 0.5]])
    """
    costs = np.array(matrix, dtype=np.float64)
    if reject is not None:
        costs = np.column_stack([costs, np.full(len(costs), reject)])
    if not columns:
        return costs
    if row_costs is None or row_costs.ndim != 2 or row_costs.shape[1] != len(columns):
        raise ValueError(f"the costs of each row in {len(columns)} cost columns are needed")
    rows = np.repeat(costs[None], len(row_costs), axis=0)
    for j, cell in enumerate(columns):
        rows[:, cell.truth, cell.decided] = row_costs[:, j]
    return rows


def row_costs_of(
    values: Mapping[str, object], columns: Sequence[CostColumn], rows: Codes, source: str = "the data"
) -> Floats | None:
    """(n, m) what the cost ``columns`` hold; None where there are none.

    ``values``: (n,) numbers of each of them, missing is NaN; ``rows``: (n,) ids of the rows. Raises DataError for a row
    without a value.
    """
    if not columns:
        return None
    costs = np.column_stack([np.asarray(values[cell.column], dtype=np.float64) for cell in columns])
    missing = np.argwhere(np.isnan(costs))
    if len(missing):
        row, at = missing[0]
        raise DataError(
            f"column {columns[at].column!r} of {source} has no value in row {rows[row] + 1:,}, and a decision by "
            "cost needs one in every row; fill it in, or leave such rows out"
        )
    return costs


def incurred(costs: Floats, truth: Codes, decided: Codes) -> Floats:
    """(n,) what each decision cost; ``costs`` as ``costs_of`` gives them.

    >>> incurred(np.array([[0.0, 1.0], [8.0, 0.0]]), np.array([0, 1]), np.array([1, 1]))
    array([1., 0.])
    """
    if costs.ndim == 2:
        return np.asarray(costs[truth, decided])
    return np.asarray(costs[np.arange(len(truth)), truth, decided])


def expected(costs: Floats, probability: Floats) -> Floats:
    """(n, D) what each decision is expected to cost, by (n, K) probabilities.

    >>> expected(np.array([[0.0, 1.0], [8.0, 0.0]]), np.array([[0.75, 0.25]]))
    array([[2.  , 0.75]])
    """
    if costs.ndim == 2:
        return np.asarray(probability @ costs)
    return np.asarray(np.einsum("nk,nkd->nd", probability, costs))
