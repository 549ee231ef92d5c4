"""The arrays of op ``forest``, checked and brought to one form: every comparison is ``x <= threshold``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Ints
from sortal.engine.program import Array, Program
from sortal.engine.step import array, choice, fail, floats

NAN_LEFT, NAN_ZERO = 1, 2
"""Codes of ``missing``; the third, 0, is right."""

_DEEPEST = 10_000
"""Levels that a tree may have: a file cannot make its reader loop for long."""

_FEW = 64
"""Rows below which a numpy call a tree costs more than the addition."""

_MANY_SUMS = 16
"""Sums from which on adding number by number costs less than a numpy call a sum."""


@dataclass(frozen=True)
class Trees:
    """A proper forest: T trees of N nodes and L rows of leaf values; see ``engine/forest.py`` for the arrays.

    ``tree``: (N,) the tree of a node. ``leaves``: (N,) leaves below a node. ``levels``: the nodes by their
    depth, of all trees together; siblings side by side, right before left.
    """

    root: Ints
    feature: Ints
    threshold: Array
    left: Ints
    right: Ints
    missing: Ints
    category: Ints
    category_start: Ints
    category_bits: NDArray[np.uint32]
    value: Floats
    output: Ints
    base: Floats
    link: str
    input: str
    tree: Ints
    leaves: Ints
    levels: tuple[Ints, ...]

    @property
    def classes(self) -> int:
        return max(2, len(self.base))

    def rounded(self, x: Floats) -> Array:
        """The inputs as the trees compare them: rounded, then in the precision of the thresholds."""
        if self.input == "float32":
            with np.errstate(over="ignore"):
                return x.astype(np.float32).astype(self.threshold.dtype, copy=False)
        return x

    def holds(self, category: Ints, x: Array) -> NDArray[np.bool_]:
        """Whether bit int(x) is set in the bit set of each category number; the two broadcast."""
        start, words = self.category_start, self.category_bits
        with np.errstate(invalid="ignore"):
            in_range = (x > -1) & (x < 2.0**31)
        bit = np.where(in_range, x, 0).astype(np.int64)
        word = start[category] + (bit >> 5)
        in_range = in_range & (word < start[category + 1])
        set_bits = words[np.where(in_range, word, 0)] if len(words) else np.zeros(word.shape, dtype=np.uint32)
        holds: NDArray[np.bool_] = in_range & ((set_bits >> (bit & 31).astype(np.uint32)) & 1).astype(bool)
        return holds

    def start(self, rows: int) -> Floats:
        """The sums before the first tree, (K, rows)."""
        return np.repeat(self.base[:, None], rows, axis=1)

    def add(self, sums: Floats, first: int, values: Floats) -> None:
        """Add trees first, first + 1, ... in that order; ``values``: (trees, rows), or (trees, rows, K)."""
        output = self.output[first : first + len(values)]
        if sums.shape[1] < _FEW:
            _add_few(sums, output, values)
        elif values.ndim == 3:
            for value in values:
                sums += value.T
        else:
            for k, value in zip(output, values, strict=True):
                sums[k] += value


def _add_few(sums: Floats, output: Ints, values: Floats) -> None:
    """The same additions in the same order with fewer calls: a running sum down the trees."""
    if values.ndim == 3:
        sums[:] = np.add.accumulate(np.concatenate([sums[None], values.transpose(0, 2, 1)]))[-1]
        return
    if len(sums) > _MANY_SUMS:
        np.add.at(sums, output, values)  # one after another, in the order of the trees
        return
    for k in range(len(sums)):
        own = values if len(sums) == 1 else values[output == k]
        sums[k] = np.add.accumulate(np.concatenate([sums[k : k + 1], own]))[-1]


def check(program: Program) -> Trees:
    """The trees of a ``forest`` program. Raises ValueError where anything does not fit."""
    compare, kind = choice(program, "compare", ("<=", "<")), choice(program, "input", ("float64", "float32"))
    link = choice(program, "link", ("sigmoid", "softmax", "mean"))
    a = _arrays(program)
    _check_nodes(a)
    _check_outputs(a, link)
    tree, leaves, levels = _shape(a)
    dtype = np.result_type(np.float32 if kind == "float32" else np.float64, a["threshold"].dtype)
    threshold = a["threshold"].astype(dtype)
    if compare == "<":  # x < t holds exactly where x <= the number just below t does
        if np.isneginf(threshold).any():
            raise fail("forest", "array 'threshold' holds -inf, below which there is nothing")
        threshold = np.nextafter(threshold, dtype.type(-np.inf))
    return Trees(**{**a, "threshold": threshold}, link=link, input=kind, tree=tree, leaves=leaves, levels=levels)


def _arrays(program: Program) -> dict[str, Any]:
    """All arrays with their dtypes and shapes checked; integers as int64."""

    def ints(name: str, length: int | None) -> Ints:
        return array(program, name, "iu", (length,)).astype(np.int64)

    feature = ints("feature", None)
    n = len(feature)
    root = ints("root", None)
    return {
        "root": root,
        "feature": feature,
        "threshold": array(program, "threshold", "f", (n,)),
        "left": ints("left", n),
        "right": ints("right", n),
        "missing": ints("missing", n),
        "category": ints("category", n),
        "category_start": ints("category_start", None),
        "category_bits": array(program, "category_bits", "u", (None,)).astype(np.uint32),
        "value": floats(program, "value", (None, None)),
        "output": ints("output", len(root)),
        "base": floats(program, "base", (None,)),
    }


def _check_nodes(a: dict[str, Any]) -> None:
    """Every index lies in its range, and the nodes form trees."""
    n, start = len(a["feature"]), a["category_start"]
    inner = a["feature"] >= 0
    category = a["category"][inner]
    below = np.concatenate([a["left"][inner], a["right"][inner]])
    above = np.tile(np.flatnonzero(inner), 2)
    if len(a["root"]) == 0:
        raise fail("forest", "has no trees")
    if len(start) == 0 or start[0] != 0 or start[-1] != len(a["category_bits"]) or (np.diff(start) < 0).any():
        raise fail("forest", "array 'category_start' does not divide 'category_bits'")
    bad = {
        "root": not _within(a["root"], 0, n),
        "feature": not _within(a["feature"], -1, 2**31),
        "threshold": bool(np.isnan(a["threshold"]).any()),
        "left or right": not _within(below, 0, n) or not (below > above).all(),
        "left": not _within(a["left"][~inner], 0, len(a["value"])),
        "right": not _within(a["right"][~inner], 0, n),
        "missing": not _within(a["missing"], 0, 3),
        "category": not _within(category, -1, len(start) - 1),
    }
    for name, is_bad in bad.items():
        if is_bad:
            raise fail("forest", f"array '{name}' holds a value outside its range")
    parents = np.bincount(np.concatenate([a["root"], below]), minlength=n)
    if (parents != 1).any():
        raise fail("forest", "a node is reached from several nodes, or from none")


def _within(values: Array, low: int, high: int) -> bool:
    return not len(values) or bool(values.min() >= low and values.max() < high)


def _check_outputs(a: dict[str, Any], link: str) -> None:
    """Leaf values, sums and link fit each other."""
    k, m = len(a["base"]), a["value"].shape[1]
    if (k != 1) if link == "sigmoid" else (k < 2):
        raise fail("forest", f"link '{link}' does not go with a 'base' of length {k}")
    if not (_within(a["output"], 0, k) if m == 1 else (m == k and (a["output"] == -1).all())):
        raise fail("forest", f"array 'output' does not fit {m} columns of 'value' and {k} sums")


def _shape(a: dict[str, Any]) -> tuple[Ints, Ints, tuple[Ints, ...]]:
    """The tree and the number of leaves of every node, and the nodes level by level."""
    n = len(a["feature"])
    tree, leaves = np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.int64)
    levels = [a["root"]]
    tree[a["root"]] = np.arange(len(a["root"]))
    while len(levels[-1]):
        inner = levels[-1][a["feature"][levels[-1]] >= 0]
        children = np.stack([a["right"][inner], a["left"][inner]], axis=1)
        tree[children] = tree[inner, None]
        levels.append(children.reshape(-1))
        if len(levels) > _DEEPEST:
            raise fail("forest", f"a tree is deeper than {_DEEPEST:,} levels")
    for level in reversed(levels):
        inner = level[a["feature"][level] >= 0]
        leaves[inner] = leaves[a["left"][inner]] + leaves[a["right"][inner]]
    return tree, leaves, tuple(levels[:-1])
