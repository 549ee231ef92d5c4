"""Trees walked level by level: all rows of a tree, or all trees of a row, take one step together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Ints
from sortal.engine.limits import CALL, Cost
from sortal.engine.program import Array
from sortal.engine.trees import NAN_LEFT, NAN_ZERO, Trees

_PAIRS = 16384
"""Pairs of a row and a tree that walk together: many hide the cost of a call, few stay in the cache."""

_LEVELS = 5
"""Levels between two looks at who has arrived."""

_NUMBERS = 2**22
"""Answers, or values of leaves, that are looked at together: 32 MiB."""


def traverse(trees: Trees) -> tuple[int, Callable[[Array], Floats], Cost]:
    """The rows to score at once, the function from rounded inputs (m, d) to sums (K, m), and what that costs."""
    questions = _questions(trees)
    order = np.concatenate(trees.levels)
    order = order[np.argsort(trees.tree[order], kind="stable")]
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    leaf = trees.feature[order] < 0
    nan = trees.threshold.dtype.type(np.nan)
    child = np.where(leaf, np.arange(len(order)), place[trees.right[order]])
    walk = _Walk(
        child=child << 32 | questions.column[order],
        threshold=np.where(leaf, nan, questions.threshold[order]),
        inner=~leaf,
    )
    root, depth = place[trees.root], _depths(trees)
    pairs = min(_PAIRS, max(1, _NUMBERS // trees.value.shape[1]))
    rows = int(np.clip(_NUMBERS // max(1, questions.width), 1, pairs))
    leaf_row = np.where(leaf, trees.left[order], 0)
    value = trees.value[:, 0] if trees.value.shape[1] == 1 else trees.value

    def score(x: Array) -> Floats:
        m, answers = len(x), questions.view(x)
        sums, together = trees.start(m), max(1, pairs // m)
        for first in range(0, len(root), together):
            roots = root[first : first + together]
            levels = int(depth[first : first + together].max())
            start = np.arange(m) * answers.shape[1]
            node = walk(answers.reshape(-1), np.repeat(roots, m), np.tile(start, len(roots)), levels)
            trees.add(sums, first, value.take(leaf_row[node].reshape(len(roots), m), axis=0))
        return sums

    return rows, score, _cost(trees, depth, questions.width, rows, pairs)


def _cost(trees: Trees, depth: Ints, width: int, rows: int, pairs: int) -> Cost:
    """Of a walk for ``rows`` at once: a dozen numbers a node on the way, and calls for every level; to compile a level
    takes more.
    """
    count, m = len(trees.root), trees.value.shape[1]

    def calls(at_once: int) -> int:
        return 50 + count + -(-count // max(1, pairs // at_once)) * (40 * int(depth.max()) + 20)

    numbers = 12 * (int(depth.sum()) + _LEVELS * count) + 20 * width + 4 * count * m
    # Where few rows go at once, each has its share of the calls.
    return Cost(calls(1) * CALL, numbers + calls(rows) * CALL // rows, 100 * width)


def _depths(trees: Trees) -> Ints:
    """Levels below the root of each tree."""
    depth = np.zeros(len(trees.root), dtype=np.int64)
    for level, nodes in enumerate(trees.levels):
        depth[trees.tree[nodes]] = level
    return depth


@dataclass(frozen=True)
class _Walk:
    """Nodes whose children lie side by side, right before left, so that a step is child + (x <= threshold).

    ``child``: number of the right child in the upper 32 bits, column that the node tests in the lower ones.
    A leaf is its own child and tests against NaN, which never holds: who has arrived stays.
    """

    child: Ints
    threshold: Array
    inner: NDArray[np.bool_]

    def __call__(self, x: Array, node: Ints, start: Ints, levels: int) -> Ints:
        """Where pairs that begin at ``node`` arrive; the values of a pair's row begin at ``start``."""
        leaf, index = np.empty_like(node), np.arange(len(node))
        for level in range(0, levels, _LEVELS):
            node = self._steps(x, node, start, min(_LEVELS, levels - level))
            leaf[index] = node
            going = np.flatnonzero(self.inner.take(node))
            index, node, start = index[going], node[going], start[going]
        return leaf if levels else node

    def _steps(self, x: Array, node: Ints, start: Ints, levels: int) -> Ints:
        packed, holds = np.empty_like(node), np.empty(len(node), dtype=bool)
        value, threshold = np.empty((2, len(node)), dtype=x.dtype)
        node = node.copy()
        for _ in range(levels):
            self.child.take(node, out=packed, mode="clip")
            self.threshold.take(node, out=threshold, mode="clip")
            np.bitwise_and(packed, 0xFFFFFFFF, out=node)
            np.add(node, start, out=node)
            x.take(node, out=value, mode="clip")
            np.less_equal(value, threshold, out=holds)
            np.right_shift(packed, 32, out=packed)
            np.add(packed, holds, out=node)
        return node


@dataclass(frozen=True)
class _Questions:
    """The tests of all nodes as ``answer[column] <= threshold``, without missing values and categories.

    Each feature with each treatment of NaN is a column of answers, and so is each bit set: 0 where it is set.
    """

    column: Ints
    threshold: Array
    width: int
    view: Callable[[Array], Array]


def _questions(trees: Trees) -> _Questions:
    inner = np.flatnonzero(trees.feature >= 0)
    category, missing = trees.category[inner], np.where(trees.category[inner] < 0, trees.missing[inner], 0)
    features = int(trees.feature.max(initial=0)) + 1
    question = ((category + 1) * 3 + missing) * features + trees.feature[inner]
    different, first, number = np.unique(question, return_index=True, return_inverse=True)
    questions = np.stack([category, trees.feature[inner], missing], axis=1)[first]
    by_number, by_set = questions[questions[:, 0] < 0], questions[questions[:, 0] >= 0]
    column = np.zeros(len(trees.feature), dtype=np.int64)
    column[inner] = number
    dtype = trees.threshold.dtype
    when_nan = np.full(len(by_number), np.nan, dtype=dtype)
    when_nan[by_number[:, 2] == NAN_LEFT] = -np.inf
    when_nan[by_number[:, 2] == NAN_ZERO] = 0

    def view(x: Array) -> Array:
        answers = x[:, by_number[:, 1]]
        missing = np.isnan(answers)
        if missing.any():
            answers = np.where(missing, when_nan, answers)
        if len(by_set):
            outside = ~trees.holds(by_set[:, 0], x[:, by_set[:, 1]])
            answers = np.hstack([answers, outside.astype(dtype)])
        return np.ascontiguousarray(answers)

    threshold = np.where(trees.category < 0, trees.threshold, dtype.type(0.5))
    return _Questions(column, threshold, len(different), view)
