"""The weights of an ensemble: greedy selection with replacement on out-of-fold log-loss (Caruana, Niculescu-Mizil, Crew
& Ksikes 2004, "Ensemble selection from libraries of models").

What weights gain on the very rows that chose them flatters. So a row's figures are of weights that other rows chose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.predictions import Predictions, weighted_mean
from sortal.data.stratify import stratified_assign
from sortal.evaluate.metrics import per_row_log_loss

ROUNDS = 30
"""Caruana et al. see nothing gained after some dozens; AutoML systems take 25 to 40."""
LEAST_WEIGHT = 0.05
"""A member that weighs less is left out: it costs a row as long as any other."""
MOST_ROWS = 10_000
"""More choose hardly other weights."""
PARTS = 5
TINY = 1e-12

Weigh = Callable[[Floats], Floats]
"""From (K, n) likelihoods to (K,) weights."""


def greedy_weights(likelihood: Floats, rounds: int = ROUNDS) -> Floats:
    """(K,) weights, of which most may be zero, that sum to one. ``likelihood``: (K, n) what each of K models says of
    the true class of n rows.

    From the best model on, the one is added, again and again, which makes the log-loss of the mean lowest. The best
    of all rounds counts, of equal ones the first.

    >>> greedy_weights(np.array([[0.9, 0.1, 0.9], [0.1, 0.9, 0.1], [0.1, 0.1, 0.1]])).round(2)
    array([0.71, 0.29, 0.  ])
    """
    first = int(np.argmin(_losses(likelihood)))
    counts = np.bincount([first], minlength=len(likelihood))
    total, lowest, best = likelihood[first].copy(), _losses(likelihood)[first], counts
    for size in range(2, rounds + 1):
        losses = _losses((total + likelihood) / size)
        member = int(np.argmin(losses))
        total, counts = total + likelihood[member], counts + (np.arange(len(counts)) == member)
        if losses[member] < lowest:
            lowest, best = losses[member], counts
    weights = np.where(best >= LEAST_WEIGHT * best.sum(), best, 0)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _losses(likelihood: Floats) -> Floats:
    return np.asarray(-np.log(likelihood).mean(axis=1))


def likelihoods(predictions: Sequence[Predictions]) -> Floats:
    """(K, n) what K models say of the true class of the same rows, with the clipping of the log-loss."""
    return np.asarray(np.exp([-per_row_log_loss(p) for p in predictions]))


def some(likelihood: Floats, seed: int, most: int = MOST_ROWS) -> Floats:
    """At most so many of the rows."""
    n = likelihood.shape[1]
    if n <= most:
        return likelihood
    return likelihood[:, np.sort(np.random.default_rng(seed).choice(n, most, replace=False))]


def weights_within(likelihood: Floats, shares: Floats, seed: int) -> Floats:
    """Greedy weights of models that together keep within some bounds. ``shares``: (K, m) what each takes of m bounds;
    none takes more than 1 of any.

    While they take more than 1, the member goes whose absence costs least log-loss for what it saves.
    """
    likelihood = some(likelihood, seed)
    weights = greedy_weights(likelihood)
    while (over := shares[weights > 0].sum(axis=0) > 1).any():
        members = np.flatnonzero(weights)
        rest = [members[members != member] for member in members]
        losses = [_loss(likelihood[others]) for others in rest]
        savings = shares[members][:, over].sum(axis=1)
        subset = rest[int(np.argmin((np.array(losses) - _loss(likelihood[members])) / np.maximum(savings, TINY)))]
        weights = np.zeros_like(weights)
        weights[subset] = greedy_weights(likelihood[subset])
    return weights


def _loss(likelihood: Floats) -> float:
    """The log-loss of the best mean of these models."""
    return float(_losses(greedy_weights(likelihood)[None] @ likelihood)[0])


def cross_fitted(predictions: Sequence[Predictions], part: NDArray[np.int64], weigh: Weigh) -> Predictions:
    """What the ensemble of K models says of n rows, each by the weights that the rows of the other parts choose.

    ``predictions``: of K models, out of fold, of the same rows. ``part``: (n,) numbers, of two parts or more.
    """
    likelihood = likelihoods(predictions)
    probability = np.empty_like(predictions[0].probability)
    for number in np.unique(part):
        rows = part == number
        weights = weigh(likelihood[:, ~rows]).tolist()
        probability[rows] = mean([p.take(rows) for p in predictions], weights).probability
    return replace(predictions[0], probability=probability)


def mean(predictions: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """What several models say of the same rows together; one that weighs nothing is not asked."""
    pairs = [(w, p.probability) for w, p in zip(weights, predictions, strict=True) if w]
    return replace(predictions[0], probability=weighted_mean(*zip(*pairs, strict=True)))


def parts_of(truth: NDArray[np.int64], seed: int, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(n,) numbers of parts, of which each has its share of the classes; ``units`` (n,) stay whole."""
    units = np.arange(len(truth)) if units is None else np.unique(units, return_inverse=True)[1]
    count = min(PARTS, int(units.max()) + 1)
    return stratified_assign(truth, units, np.full(count, 1 / count), seed)
