"""Op ``forest``: trees as flat arrays.

arrays
    root       (T,) int32     first node of each tree
    feature    (N,) int32     column that the node tests; -1 at a leaf
    threshold  (N,) float64 or float32
    left       (N,) int32     next node when the test holds; at a leaf: its row of ``value``
    right      (N,) int32     next node otherwise
    missing    (N,) uint8     where a NaN goes: 0 right, 1 left, 2 it is read as 0.0
    category   (N,) int32     -1: the test compares with ``threshold``; else the number c of a bit set: the
                              test holds when bit int(x) of words
                              ``category_bits[category_start[c]:category_start[c + 1]]`` is set
                              (NaN, negative, beyond: it does not)
    category_start (C + 1,) int64, category_bits (W,) uint32
    value      (L, m) float64 what a leaf adds; leaves may share a row
    output     (T,) int32     column of the sum that the tree adds to (m = 1), or -1: its leaf has all K
                              columns (m = K)
    base       (1,) or (K,)   where the sum starts
settings
    compare    "<=" or "<"
    input      "float64" or "float32": the inputs are rounded to it before any comparison
    link       "sigmoid" (one sum, the log-odds of class 1), "softmax" (K sums) or "mean" (sum / T is the
               probability)

int(x) cuts towards zero, as in C. Every node but a root is the child of exactly one node, which has a smaller
number. Sums run in float64 in the order of the trees, whatever the number of rows.

Batches of rows through trees with at most 64 leaves run as bit vectors (``bitvector.py``), few rows and
larger trees level by level (``traverse.py``); both give the same bits. Measured on one core: 4 to 6 ns for every
node that a row visits as bit vectors, 7 to 9 ns level by level, 0.15 ms for a single row of 300 trees.
"""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine import link
from sortal.engine.bitvector import bitvector, suits
from sortal.engine.limits import Cost
from sortal.engine.program import Program
from sortal.engine.step import Step
from sortal.engine.traverse import traverse
from sortal.engine.trees import Trees, check

_FEW = 192
"""Below so many rows the level-by-level walk is faster than bit vectors."""


def forest(program: Program) -> Step:
    """Probabilities of a forest, (n, d) -> (n, K)."""
    trees = check(program)
    few = traverse(trees)
    many = bitvector(trees) if suits(trees) else few

    def run(x: Floats) -> Floats:
        rows, score, _ = few if len(x) < _FEW else many
        sums = np.empty((len(trees.base), len(x)))
        for first in range(0, len(x), rows):
            sums[:, first : first + rows] = score(trees.rounded(x[first : first + rows]))
        return _probability(trees, sums)

    one, other, k = few[2], many[2], trees.classes
    row, room = max(one.row, other.row) + 50 * k, max(one.room, other.room) + 50 * k
    cost = Cost(max(one.call, other.call), row, room, other.build, other.tables)
    return Step("forest", run, k, cost, least=int(trees.feature.max()) + 1, fills=True)


def _probability(trees: Trees, sums: Floats) -> Floats:
    if trees.link == "sigmoid":
        return link.sigmoid(sums[0])
    if trees.link == "softmax":
        return link.softmax(sums.T)
    return np.ascontiguousarray(sums.T) / len(trees.root)
