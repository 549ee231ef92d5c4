"""A program for a single row, in values of Python: arrays of one number cost more to make than to compute with.

Ops that take each number by itself say how (``Step.one``); all others compute as they do for any rows, on an array of
one. So a row alone gets the same numbers either way, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.row import columns_of, row_of
from sortal.engine.program import Columns
from sortal.engine.step import One, Step

FEW = 8
"""Rows up to which a table is read value by value: the two ways take equally long at about a dozen."""


def one_of(step: Step) -> One:
    """A step for one row: in its own way where it has one."""
    return step.one or _of_arrays([step])


def of_chain(steps: Sequence[Step]) -> One | None:
    """Steps one after another; neighbours that have no way of their own share their arrays."""
    if not _pays(steps):
        return None
    ones: list[One] = []
    for own, group in groupby(steps, key=lambda step: step.one is not None):
        neighbours = list(group)
        ones += map(one_of, neighbours) if own else [_of_arrays(neighbours)]

    def one(row: Any) -> list[float]:
        for function in ones:
            row = function(row)
        numbers: list[float] = row
        return numbers

    return one


def of_table(steps: Sequence[Step]) -> One | None:
    """The outputs of column programs, side by side."""
    if not _pays(steps):
        return None
    ones = [one_of(step) for step in steps]
    return lambda row: [number for one in ones for number in one(row)]


def of_average(steps: Sequence[Step], weights: Sequence[float]) -> One | None:
    """The weighted mean of what the steps give."""
    if not _pays(steps):
        return None
    pairs = [(weight, one_of(step)) for weight, step in zip(weights, steps, strict=True)]

    def one(row: Any) -> list[float]:
        total = [0.0] * steps[0].outputs
        for weight, function in pairs:
            # Not by ``sum``, which rounds otherwise than arrays do (since Python 3.12).
            total = [so_far + weight * number for so_far, number in zip(total, function(row), strict=True)]
        return total

    return one


def few_rows(steps: Sequence[Step], reads: Sequence[str]) -> Callable[[Columns], Floats] | None:
    """A table of a few rows, value by value: where most of the time goes into calls of numpy, it takes a third of it.
    None where no step knows how. ``reads``: the columns that the steps read.
    """
    if not _pays(steps):
        return None

    def run(columns: Columns) -> Floats:
        outputs = [[] if step.one is not None else step.run(columns).tolist() for step in steps]
        rows = [row_of(columns, reads, at) for at in range(count(columns))]
        pairs = list(zip(steps, outputs, strict=True))
        together = [
            [x for step, of_rows in pairs for x in (of_rows[at] if step.one is None else step.one(row))]
            for at, row in enumerate(rows)
        ]
        return np.array(together, dtype=np.float64).reshape(len(rows), -1)

    return run


def count(columns: Columns) -> int:
    """The number of rows."""
    return len(next(iter(columns.values()), ()))


def _pays(steps: Sequence[Step]) -> bool:
    return any(step.one for step in steps) and not any(step.sparse for step in steps)


def _of_arrays(steps: Sequence[Step]) -> One:
    named, runs = steps[0].named, [step.run for step in steps]

    def one(row: Any) -> list[float]:
        x: Any = columns_of(row) if named else np.array([row])
        for run in runs:
            x = run(x)
        numbers: list[float] = x[0].tolist()
        return numbers

    return one
