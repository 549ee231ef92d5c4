"""Small made-up problems, as a family's view would show them: numbers with a signal, a category, gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.models.family import Matrix, Rows
from sortal.prepare.view import View

LEVELS = 4


@dataclass(frozen=True)
class Problem:
    """``train`` to fit on, ``stop`` for early stopping, ``fresh`` rows as they may come later.

    ``categorical``: columns of codes.
    """

    train: Rows
    stop: Rows
    fresh: Matrix
    n_classes: int
    categorical: tuple[int, ...]


def mixed(view: View, n_classes: int, n: int = 240, numbers: int = 3, seed: int = 0) -> Problem:
    """``numbers`` numeric columns, of which three tell the class, and a category of four levels that does too.

    The category is one column of codes or four 0/1 columns. Where the view leaves numbers raw, values are
    missing, in one column only in ``fresh``. There is also a code there that no training row has, and values
    far outside the training range.
    """
    rng = np.random.default_rng([seed, n_classes])
    x = rng.normal(size=(n + n // 2, numbers))
    level = rng.integers(LEVELS, size=len(x))
    signal = x[:, :3].sum(axis=1) + 0.8 * level + rng.normal(scale=0.7, size=len(x))
    y = np.digitize(signal, np.quantile(signal, np.arange(1, n_classes) / n_classes)).astype(np.int64)
    if view.numbers != "scaled":
        x = 10.0 * x + 50.0
    fresh = np.arange(len(x)) >= n
    x[fresh & (rng.random(len(x)) < 0.1)] *= 100.0
    codes = level.astype(np.float64)
    codes[fresh & (rng.random(len(x)) < 0.1)] = LEVELS + 1.0
    _lose(x, codes, fresh, view, rng)
    category = (
        codes[:, None] if view.categories == "codes" else (codes[:, None] == np.arange(LEVELS)).astype(np.float64)
    )
    X = np.hstack([x, category])
    stopping = (np.arange(len(x)) % 6 == 5) & ~fresh
    return Problem(
        train=Rows(X[~fresh & ~stopping], y[~fresh & ~stopping]),
        stop=Rows(X[stopping], y[stopping]),
        fresh=X[fresh],
        n_classes=n_classes,
        categorical=(numbers,) if view.categories == "codes" else (),
    )


def _lose(
    x: Matrix, codes: NDArray[np.float64], fresh: NDArray[np.bool_], view: View, rng: np.random.Generator
) -> None:
    """Make values missing where the view lets a family see that: NaN when raw, -1 for a code otherwise."""
    codes[rng.random(len(x)) < 0.1] = np.nan if view.numbers == "raw" else -1.0
    if view.numbers == "raw":
        x[rng.random(len(x)) < 0.2, 0] = np.nan
        x[fresh & (rng.random(len(x)) < 0.2), 1] = np.nan


def narrowed(problem: Problem, columns: list[int]) -> Problem:
    """The same rows with these columns only."""
    return replace(
        problem,
        train=replace(problem.train, X=problem.train.X[:, columns]),
        stop=replace(problem.stop, X=problem.stop.X[:, columns]),
        fresh=problem.fresh[:, columns],
        categorical=tuple(columns.index(c) for c in problem.categorical if c in columns),
    )


def constant(problem: Problem, columns: list[int]) -> Problem:
    """The same rows with these columns all alike in training."""

    def flat(X: Matrix) -> Matrix:
        X = X.copy()
        X[:, columns] = 1.0
        return X

    return replace(
        problem,
        train=replace(problem.train, X=flat(problem.train.X)),
        stop=replace(problem.stop, X=flat(problem.stop.X)),
    )


def with_weight(problem: Problem, weight: NDArray[np.float64]) -> Problem:
    return replace(problem, train=replace(problem.train, weight=weight))
