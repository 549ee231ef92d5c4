"""Op ``oblivious``: trees that ask the same question everywhere on a level, as CatBoost grows them.

arrays
    feature    (T, D) int32    column that level i of a tree asks for
    threshold  (T, D) float32  the answer is 1 where the value is above it; +inf where the tree has no such level
    value      (T, 2**D, m)    what a leaf adds: m = 1 the log-odds of class 1, m = K >= 2 the scores of K classes;
                               answer i is bit i of the number of the leaf

Inputs are rounded to float32 before they are compared. A NaN is above nothing. Sums run in float64 in the order of the
trees, whatever the number of rows.

A tree takes 8 D + 4 m 2**D bytes, where the nodes of op ``forest`` would take 21 (2**(D + 1) - 1) and more. Measured on
one core with 1,000 trees of six levels: 0.1 ms for a single row, 11 microseconds for each of many.
"""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine import link
from sortal.engine.limits import CALL, Cost
from sortal.engine.program import Program
from sortal.engine.step import Step, array, fail, floats

_NUMBERS = 2**17
"""Leaves, or what they add, that are looked up together: many hide the cost of a call, few stay in the cache."""
_DEEPEST = 15
"""Levels, so that the number of a leaf fits 16 bits; twice as many as a tree of any use has."""


def oblivious(program: Program) -> Step:
    """Probabilities of oblivious trees, (n, d) -> (n, K)."""
    feature = array(program, "feature", "iu", (None, None)).astype(np.int64)
    trees, depth = feature.shape
    if depth > _DEEPEST:
        raise fail("oblivious", f"trees of {depth} levels, more than the {_DEEPEST} of any model")
    threshold = array(program, "threshold", "f", (trees, depth)).astype(np.float32)
    value = floats(program, "value", (trees, 2**depth, None))
    m = value.shape[2]
    if not trees or not m:
        raise fail("oblivious", "has no trees, or leaves that add nothing")
    if feature.size and (feature.min() < 0 or feature.max() >= 2**31):
        raise fail("oblivious", "array 'feature' holds a value outside its range")
    if np.isnan(threshold).any():
        raise fail("oblivious", "array 'threshold' holds a NaN")
    leaves, first = value.reshape(-1, m), 2**depth * np.arange(trees)[:, None]

    def scores(x: Floats) -> Floats:
        """(n, m) of a few rows."""
        with np.errstate(over="ignore"):
            columns = np.ascontiguousarray(x.T.astype(np.float32))
        leaf = np.zeros((trees, len(x)), dtype=np.int16)
        for level in reversed(range(depth)):
            leaf <<= 1
            leaf |= (columns.take(feature[:, level], axis=0) > threshold[:, level, None]).view(np.int8)
        return _sum(leaves.take(leaf + first, axis=0, mode="clip"))

    rows = max(1, _NUMBERS // (trees * m))

    def run(x: Floats) -> Floats:
        total = np.empty((len(x), m))
        for start in range(0, len(x), rows):
            total[start : start + rows] = scores(x[start : start + rows])
        return link.sigmoid(total[:, 0]) if m == 1 else link.softmax(total)

    k, calls = max(2, m), 6 * depth + 30
    numbers = trees * (12 * depth + 6 * m + 10) + 60 * k
    cost = Cost(calls * CALL + numbers, numbers + calls * CALL // rows, 64 * k + 8)
    least = int(feature.max(initial=-1)) + 1
    return Step("oblivious", run, k, cost, least=least, fills=True)


def _sum(addends: Floats) -> Floats:
    """Over the first axis, from its beginning to its end."""
    if addends[0].size > 1:
        total: Floats = np.add.reduce(addends, axis=0)
        return total
    # Numbers that lie side by side numpy would add in pairs of pairs.
    return np.asarray(np.add.accumulate(addends, axis=0)[-1])
