"""Trees with at most 64 leaves, scored without walking.

The leaves of a tree are numbered from left to right and kept as the bits of a word. A test that does not
hold rules out the leaves below its left child; of the leaves that no test rules out, the row arrives at the
leftmost (QuickScorer: Lucchese et al., SIGIR 2015). Which leaves a *column* rules out depends only on where
its value lies among the thresholds of that column. So the words of all places are tabled, for a block of
trees together, and scoring a row is one lookup a column and a bitwise "and". Columns with few places share a
joint table. A NaN and each category are places like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Ints
from sortal.engine.limits import CALL, TABLED, Cost
from sortal.engine.program import Array
from sortal.engine.trees import NAN_LEFT, NAN_ZERO, Trees

Words = NDArray[np.uint64]

_ROWS = 4096
_TREES = 16
"""Trees in a block: its tables fit the second-level cache."""

_JOINT = 64
"""Places that a joint table may have."""

_NUMBERS = 2**22
"""Values of leaves that are looked at together: 32 MiB."""

_SET_WORDS = 128
"""Words of the largest bit set that is tabled: 4,096 categories."""

_ANSWERS = 2**31
"""Tests by places that are worked out for the tables, and tests by blocks that are looked through for them: some two
seconds each."""

_TABLES = 2**16
"""Columns by blocks: each has a table, which takes a tenth of a millisecond to make."""

_MAKING = 100 * CALL
"""Operations that count for making one of them."""

_ALL = np.uint64(2**64 - 1)

_NUMBERED = np.arange(64 * _TREES + 2)
"""As many as there can be groups of places in a table."""


def suits(trees: Trees) -> bool:
    """Whether the leaves fit a word, the bit sets are small enough to be tabled, and the tables are small and soon
    made.
    """
    if int(trees.leaves.max()) > 64 or int(np.diff(trees.category_start).max(initial=0)) > _SET_WORDS:
        return False
    inner, blocks = int(np.count_nonzero(trees.feature >= 0)), -(-len(trees.root) // _TREES)
    if blocks * inner > _ANSWERS or blocks * len(np.unique(trees.feature)) > _TABLES:
        return False
    columns = _columns(trees)
    tabled = (
        blocks * sum(column.places for column in columns) + _TREES * inner + 64 * trees.value.shape[1] * len(trees.root)
    )
    answers = sum(len(column.nodes) * column.places for column in columns)
    return answers <= _ANSWERS and tabled <= TABLED


def bitvector(trees: Trees) -> tuple[int, Callable[[Array], Floats], Cost]:
    """The rows to score at once, the function from rounded inputs (m, d) to sums (K, m), and what that costs."""
    position, ruled_out = _words(trees)
    leaf = np.flatnonzero(trees.feature < 0)
    value = np.zeros((64 * len(trees.root), trees.value.shape[1]))
    value[64 * trees.tree[leaf] + position[leaf]] = trees.value[trees.left[leaf]]
    value = value[:, 0] if value.shape[1] == 1 else value
    columns = _columns(trees)
    firsts = range(0, len(trees.root), _TREES)
    # Where the nodes of each block lie among those of each column.
    bounds = [np.searchsorted(trees.tree[column.nodes], [*firsts, len(trees.root)]).tolist() for column in columns]
    blocks = [
        _block(trees, columns, ruled_out, first, [slice(*bound[i : i + 2]) for bound in bounds])
        for i, first in enumerate(firsts)
    ]

    def score(x: Array) -> Floats:
        sums, places = trees.start(len(x)), [column.place(x) for column in columns]
        spare = np.empty((2, len(x) * _TREES), dtype=np.uint64)
        for first, block in zip(firsts, blocks, strict=True):
            left_over = block.words(places, spare)
            leftmost = np.bitwise_count(~left_over & (left_over - np.uint64(1)))
            leaf = np.ascontiguousarray(leftmost.T) + 64 * np.arange(first, first + block.trees)[:, None]
            trees.add(sums, first, value.take(leaf, axis=0))
        return sums

    tables, m = sum(len(block.tables) for block in blocks), trees.value.shape[1]
    parts = sum(len(members) for block in blocks for _, members in block.tables)
    calls = len(columns) * 6 + len(blocks) * (20 + _TREES) + 2 * tables + 3 * parts
    rows = int(np.clip(_NUMBERS // (_TREES * m), 1, _ROWS))
    numbers = 40 * len(columns) + (10 + 4 * m) * len(trees.root) + 2 * _TREES * tables + 3 * parts
    room = 8 * (len(columns) + _TREES * (8 + 3 * m))
    inner = int(np.count_nonzero(trees.feature >= 0))
    build = len(blocks) * inner + sum(len(c.nodes) * c.places for c in columns) + parts * _MAKING
    table_bytes = value.nbytes + sum(table.nbytes for block in blocks for table, _ in block.tables)
    return rows, score, Cost(calls * CALL, numbers + calls * CALL // rows, room, build, table_bytes)


def _words(trees: Trees) -> tuple[Ints, Words]:
    """Of every node its leftmost leaf, and the word of the leaves that remain when its test does not hold."""
    position = np.zeros(len(trees.feature), dtype=np.int64)
    for level in trees.levels:
        inner = level[trees.feature[level] >= 0]
        position[trees.left[inner]] = position[inner]
        position[trees.right[inner]] = position[inner] + trees.leaves[trees.left[inner]]
    inner = np.flatnonzero(trees.feature >= 0)
    ruled_out = np.zeros(len(position), dtype=np.uint64)
    below = trees.leaves[trees.left[inner]].astype(np.uint64)
    ruled_out[inner] = ((np.uint64(1) << below) - np.uint64(1)) << position[inner].astype(np.uint64)
    return position, ~ruled_out


@dataclass(frozen=True)
class _Column:
    """A column that nodes compare: the places that its values can take, and which tests hold there.

    ``nodes``: in the order of their trees. ``cuts``: all thresholds, sorted; None where the nodes ask for categories.
    ``last``: of each node that compares, the last place where its test holds, and ``of_nan``: whether it holds for a
    NaN. The last place of all is a NaN's, or any value's that is in no bit set. ``begins``: whether a node is the first
    of its tree.
    """

    feature: int
    nodes: Ints
    places: int
    cuts: Array | None
    last: Ints
    of_nan: NDArray[np.bool_]
    begins: NDArray[np.bool_]

    def place(self, x: Array) -> Ints:
        """The place of each row's value."""
        values = x[:, self.feature]
        if self.cuts is None:
            with np.errstate(invalid="ignore"):
                inside = (values > -1) & (values < self.places - 1)
            return np.where(inside, values, self.places - 1).astype(np.intp)
        place = np.searchsorted(self.cuts, np.ascontiguousarray(values))
        place[np.isnan(values)] = self.places - 1
        return place

    def holds(self, trees: Trees, at: slice) -> tuple[Ints, NDArray[np.bool_]]:
        """Of these nodes: places -> groups of places where the same tests hold, and (nodes, groups) whether they do."""
        nodes = self.nodes[at]
        if self.cuts is None:
            codes = np.arange(self.places, dtype=np.float64)
            codes[-1] = np.nan
            holds = trees.holds(trees.category[nodes, None], codes)
            differs = np.concatenate([[True], (holds[:, 1:] != holds[:, :-1]).any(axis=0)])
            return np.cumsum(differs) - 1, holds[:, differs]
        # What holds changes behind the last place of a node, and behind all of them nothing holds any more.
        last, of_nan = self.last[at], self.of_nan[at]
        changes = np.zeros(self.places, dtype=np.intp)
        changes[last + 1] = 1
        changes[-1] = of_nan.any()
        group = changes.cumsum()
        holds = _NUMBERED[: group[-1] + 1] <= group[last][:, None]
        if changes[-1]:
            holds[:, -1] = of_nan
        return group, holds


def _columns(trees: Trees) -> list[_Column]:
    inner = np.flatnonzero(trees.feature >= 0)
    by_set = trees.category[inner] >= 0
    sizes = np.diff(trees.category_start)
    columns = []
    for nodes in _by_feature(trees, inner[~by_set]):
        threshold, missing = trees.threshold[nodes], trees.missing[nodes]
        cuts = np.unique(threshold)
        of_nan = (missing == NAN_LEFT) | ((missing == NAN_ZERO) & (threshold >= 0))
        columns.append(_column(trees, nodes, len(cuts) + 2, cuts, np.searchsorted(cuts, threshold), of_nan))
    for nodes in _by_feature(trees, inner[by_set]):
        places = 32 * int(sizes[trees.category[nodes]].max()) + 1
        columns.append(_column(trees, nodes, places, None, _NO_PLACES, _NO_PLACES.astype(np.bool_)))
    return columns


_NO_PLACES: Ints = np.empty(0, dtype=np.int64)


def _column(
    trees: Trees, nodes: Ints, places: int, cuts: Array | None, last: Ints, of_nan: NDArray[np.bool_]
) -> _Column:
    begins = np.diff(trees.tree[nodes], prepend=-1) != 0
    return _Column(int(trees.feature[nodes[0]]), nodes, places, cuts, last, of_nan, begins)


def _by_feature(trees: Trees, nodes: Ints) -> list[Ints]:
    """The nodes that test each feature, ascending as the features are; of each in the order of their trees."""
    nodes = nodes[np.lexsort((trees.tree[nodes], trees.feature[nodes]))]
    return np.split(nodes, np.flatnonzero(np.diff(trees.feature[nodes])) + 1) if len(nodes) else []


@dataclass(frozen=True)
class _Block:
    """Up to _TREES trees. A table (places, trees) holds words; its row is a sum of numbers, one a column."""

    trees: int
    tables: tuple[tuple[Words, tuple[tuple[int, Ints], ...]], ...]

    def words(self, places: list[Ints], spare: Words) -> Words:
        """(m, trees) the leaves that no test rules out; computed in ``spare``."""
        m = spare.shape[1] // _TREES
        left_over, looked_up = spare[:, : m * self.trees].reshape(2, m, self.trees)
        left_over[:] = _ALL
        for table, parts in self.tables:
            index = sum(numbers.take(places[column]) for column, numbers in parts)
            np.take(table, index, axis=0, out=looked_up, mode="clip")
            np.bitwise_and(left_over, looked_up, out=left_over)
        return left_over


def _block(trees: Trees, columns: list[_Column], ruled_out: Words, first: int, within: Sequence[slice]) -> _Block:
    """``within``: where the nodes of the block lie among those of each column."""
    count = min(_TREES, len(trees.root) - first)
    parts = [
        (number, *_table(trees, column, ruled_out, at, first, count))
        for number, (column, at) in enumerate(zip(columns, within, strict=True))
        if at.start < at.stop
    ]
    parts.sort(key=lambda part: len(part[2]))
    tables: list[tuple[Words, tuple[tuple[int, Ints], ...]]] = []
    for number, place, table in parts:
        if tables and len(tables[-1][0]) * len(table) <= _JOINT:
            joint, members = tables[-1]
            joint = (joint[:, None] & table[None]).reshape(-1, count)
            members = (*((c, p * len(table)) for c, p in members), (number, place))
            tables[-1] = joint, members
        else:
            tables.append((table, ((number, place),)))
    return _Block(count, tuple(tables))


def _table(trees: Trees, column: _Column, ruled_out: Words, at: slice, first: int, count: int) -> tuple[Ints, Words]:
    """For the nodes of one column in one block: places -> rows of a table, and the table (rows, trees)."""
    nodes = column.nodes[at]
    group, holds = column.holds(trees, at)
    words = np.where(holds, _ALL, ruled_out[nodes, None])
    (start,) = column.begins[at].nonzero()
    table = np.full((words.shape[1], count), _ALL)
    table[:, trees.tree[nodes[start]] - first] = np.bitwise_and.reduceat(words, start, axis=0).T
    return group, table
