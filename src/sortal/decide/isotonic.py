"""Calibrators that follow the truth wherever it rises: isotonic regression and Venn-Abers, for two classes.

Both write a table of at most ``LEVELS`` scores: more distinct ones are joined to levels of about equal numbers of
rows, which is far finer than the steps of the fits, of which there are about n^(1/3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.decide.calibrate import Calibrator
from sortal.engine.program import Program

LEVELS = 500
ENOUGH = 500
"""Rows of the rarer class from which on they are worth a try: they estimate a step where scaling estimates a slope."""


@dataclass(frozen=True)
class Levels:
    """Distinct scores in ascending order, with the rows and the hits (class 1) at each; (m,) each."""

    score: Floats
    rows: Floats
    hits: Floats


def levels(score: Floats, hit: Floats, most: int = LEVELS) -> Levels:
    """At most ``most`` levels; where scores are joined, the middle one stands for them.

    >>> found = levels(np.array([0.5, 0.1, 0.5]), np.array([1.0, 0.0, 0.0]))
    >>> found.score.tolist(), found.rows.tolist(), found.hits.tolist()
    ([0.1, 0.5], [1.0, 2.0], [0.0, 1.0])
    """
    distinct, level, rows = np.unique(score, return_inverse=True, return_counts=True)
    if len(distinct) > most:
        middle = rows.cumsum() - rows / 2
        joint = np.unique((middle * most / len(score)).astype(np.int64), return_inverse=True)[1]
        last = np.bincount(joint).cumsum() - 1
        level, distinct = joint[level], distinct[(last + np.concatenate([[0], last[:-1] + 1])) // 2]
        rows = np.bincount(level)
    return Levels(distinct, rows.astype(np.float64), np.bincount(level, hit).astype(np.float64))


def _fit_isotonic(probability: Floats, truth: Codes, n_classes: int) -> Program:
    """Linear between the ends of the steps, as scikit-learn does.

    One row more at the lowest and at the highest score, half of either class (Krichevsky & Trofimov 1981), keeps the
    ends away from 0 and 1 by about what their own number of rows warrants, and so the log-loss finite.
    """
    from scipy.optimize import isotonic_regression

    steps = levels(probability[:, 1], (truth == 1).astype(np.float64))
    ends = np.zeros(len(steps.rows))
    ends[0] += 1
    ends[-1] += 1
    weights = steps.rows + ends
    value = isotonic_regression((steps.hits + ends / 2) / weights, weights=weights).x
    turn = np.ones(len(value), dtype=bool)
    turn[1:-1] = (np.diff(value)[:-1] > 0) | (np.diff(value)[1:] > 0)
    return Program(
        "monotone",
        {"between": "linear"},
        {"knot": steps.score[turn], "value": np.maximum.accumulate(value[turn])},
    )


def _fit_venn_abers(probability: Floats, truth: Codes, n_classes: int) -> Program:
    """p1 / (1 - p0 + p1) at and between all scores: the least regret in log-loss that the pair allows."""
    steps = levels(probability[:, 1], (truth == 1).astype(np.float64))
    p0, p1 = venn_abers_pair(steps)
    value = p1 / (1 - p0 + p1)
    return Program(
        "monotone",
        {"between": "stairs"},
        {"knot": steps.score, "value": np.maximum.accumulate(np.clip(value, 0, 1))},
    )


def venn_abers_pair(steps: Levels) -> tuple[Floats, Floats]:
    """What isotonic regression says of a row once it has joined the others as class 0, and as class 1.

    (2m + 1,) each: of a row below the lowest of m levels, at it, between it and the next, ..., above the highest.
    By the max-min formula of isotonic regression, in O(m^2) (Vovk, Petej & Fedorova 2015, "Large-scale probabilistic
    predictors with and without guarantees of validity"; theirs is O(m) but walks).
    """
    rows, hits = (np.concatenate([[0.0], part.cumsum()]) for part in (steps.rows, steps.hits))
    more, more_hits = rows[None, :] - rows[:, None] + 1, hits[None, :] - hits[:, None]
    pair = []
    for label in (0, 1):
        mean = np.where(more > 0, (more_hits + label) / np.maximum(more, 1), np.inf)
        least = np.minimum.accumulate(mean[:, ::-1], axis=1)[:, ::-1]
        between = np.diag(np.maximum.accumulate(least, axis=0))
        value = np.repeat(between, 2)[: 2 * len(steps.rows) + 1]
        # A row that ties with a level joins it: class 0 is held by what lies above, class 1 by what lies below.
        value[1::2] = between[1:] if label == 0 else between[:-1]
        pair.append(value)
    return pair[0], pair[1]


isotonic = Calibrator("isotonic", _fit_isotonic, most=2, rows=ENOUGH)
venn_abers = Calibrator("venn_abers", _fit_venn_abers, most=2, rows=ENOUGH)
