"""Ops that add columns made of two others: ``arithmetic`` of numbers, and ``within``, a number against its group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.limits import CALL, LARGEST, Cost
from sortal.engine.program import Program
from sortal.engine.step import Step, count, fail, floats, indices


def _ratio(left: Floats, right: Floats) -> Floats:
    """Missing where it would be divided by zero."""
    return left / np.where(right == 0, np.nan, right)


OPERATIONS: tuple[Callable[[Floats, Floats], Floats], ...] = (np.multiply, _ratio)
"""By number: product, ratio."""


def arithmetic(program: Program) -> Step:
    """The columns, and then for each pair ``left``, ``right`` their product (operation 0) or ratio (1).

    It is missing where one of the two is, and where it would be divided by zero; what is beyond 1e100 is 1e100.
    """
    d = count(program, "columns", 1)
    left = indices(program, "left", d)
    m = len(left)
    right = indices(program, "right", d, m)
    operation = indices(program, "operation", len(OPERATIONS), m)
    places = [np.flatnonzero(operation == number) for number in range(len(OPERATIONS))]
    parts = [(compute, at, left[at], right[at]) for compute, at in zip(OPERATIONS, places, strict=True) if len(at)]

    def run(x: Floats) -> Floats:
        out = np.empty((len(x), d + m))
        out[:, :d], new = x, out[:, d:]
        with np.errstate(over="ignore"):
            for compute, at, first, second in parts:
                new[:, at] = compute(x[:, first], x[:, second])
        _cut(new)
        return out

    cost = Cost((12 + 12 * len(parts)) * CALL, 4 * d + 30 * m, 16 * d + 64 * m)
    return Step("arithmetic", run, d + m, cost, inputs=d, loses=bool(operation.any()))


def within(program: Program) -> Step:
    """The columns, and then for each pair ``number``, ``group`` how far the number is from the middle of its group:
    (number - middle) / spread.

    ``group`` is a column of codes 0..levels - 1. A pair has a row of ``middle`` and of ``spread`` a level, and one more
    for whatever is no such code, missing among it. Its rows end before ``stop``. What is beyond 1e100 is 1e100.
    """
    d = count(program, "columns", 1)
    number = indices(program, "number", d)
    m = len(number)
    group = indices(program, "group", d, m)
    middle = floats(program, "middle", (None,))
    spread = floats(program, "spread", (len(middle),))
    if (spread <= 0).any():
        raise fail("within", "array 'spread' holds values that are not positive")
    stop = indices(program, "stop", len(middle) + 1, m)
    start = np.concatenate([np.zeros(1, dtype=np.intp), stop])[:-1]
    levels = stop - start - 1
    if m and (levels.min() < 0 or stop[-1] != len(middle)):
        raise fail("within", "array 'stop' does not part the rows among the pairs")

    def run(x: Floats) -> Floats:
        code = x[:, group]
        in_range = (code >= 0) & (code < levels)  # False for NaN
        row = start + np.where(in_range, code, levels).astype(np.intp)
        with np.errstate(over="ignore"):
            new = (x[:, number] - middle[row]) / spread[row]
        _cut(new)
        return np.hstack([x, new])

    return Step("within", run, d + m, Cost(30 * CALL, 4 * d + 60 * m, 16 * d + 96 * m), inputs=d)


def _cut(values: Floats) -> None:
    """In place: what is beyond 1e100 is 1e100."""
    np.minimum(values, LARGEST, out=values)
    np.maximum(values, -LARGEST, out=values)
