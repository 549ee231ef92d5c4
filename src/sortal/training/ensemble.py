"""What is shipped: an ensemble of one or more fitted pipelines, whose probabilities are averaged with weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from sortal.core.predictions import Predictions, weighted_mean
from sortal.core.table import Table
from sortal.engine.program import Program
from sortal.models.family import Matrix, Precision
from sortal.training.bounds import NO_BOUNDS, Bounds
from sortal.training.candidate import Pipeline
from sortal.training.complexity import Complexity
from sortal.training.crossval import Score
from sortal.training.cv_result import CVResult, Result
from sortal.training.greedy import cross_fitted, greedy_weights, likelihoods, parts_of, some, weights_within

ENSEMBLE = "ensemble"
"""Its name among the candidates."""
PLANNING_ROWS = 2_000


@dataclass(frozen=True)
class Ensemble:
    """``weights``: of each member, not negative; they sum to one. An ensemble of one is that member, in every respect.

    Raises ValueError for weights that do not go with the members.
    """

    members: tuple[Pipeline, ...]
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        _check_weights(self.weights, len(self.members))

    def predict_proba(self, table: Table) -> Matrix:
        """(n, K) probabilities of the rows of a table, by the libraries that fitted the members."""
        members = self.members
        return weighted_mean(self.weights, [m.predict_proba(m.preprocessor.transform(table)) for m in members])

    def program(self) -> Program:
        """Columns of a table -> (n, K) probabilities."""
        programs = tuple(member.program() for member in self.members)
        if len(programs) == 1:
            return programs[0]
        return Program("average", arrays={"weight": np.array(self.weights)}, steps=programs)

    @property
    def importance(self) -> dict[str, float]:
        """By column of the table: its share in the weights of the members' models, each member with its own weight.

        Shares sum to one, or are all zero where no member has such a notion.
        """
        total: dict[str, float] = defaultdict(float)
        for member, weight in zip(self.members, self.weights, strict=True):
            for source, share in _importance(member).items():
                total[source] += weight * share
        return dict(total)

    @property
    def precision(self) -> Precision:
        """How the libraries sum: as coarsely as the coarsest."""
        coarse = any(member.candidate.family.precision == "float32" for member in self.members)
        return "float32" if coarse else "float64"

    @property
    def rows(self) -> int:
        """How many rows each member was fitted on, or more."""
        return min(member.rows for member in self.members)


@dataclass(frozen=True)
class EnsembleResult:
    """An ensemble with its evidence, as ``CVResult`` has it of a candidate. ``results``: of its members, on the same
    folds.

    ``predictions`` and ``fold_scores``: out of fold, by weights that the rows of a fold had no say in; ``weights`` are
    of all rows. Raises ValueError where the members predicted different rows, and for weights that do not go with them.
    """

    results: tuple[CVResult, ...]
    weights: tuple[float, ...]
    predictions: Predictions
    fold_scores: dict[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        _check_weights(self.weights, len(self.results))
        _check_folds(self.results)

    @property
    def name(self) -> str:
        return ENSEMBLE

    @property
    def fold(self) -> NDArray[np.int64]:
        return self.results[0].fold

    @property
    def train_share(self) -> float:
        return self.results[0].train_share

    @property
    def complexity(self) -> Complexity:
        """Of all members together."""
        return reduce(add, (result.complexity for result in self.results))

    @property
    def fit_seconds(self) -> float:
        return sum(result.fit_seconds for result in self.results)

    @property
    def row_seconds(self) -> float:
        return sum(result.row_seconds for result in self.results)

    @property
    def single_row_seconds(self) -> float:
        return sum(result.single_row_seconds for result in self.results)

    @property
    def refit_seconds(self) -> float:
        return sum(result.refit_seconds for result in self.results)

    @property
    def packed(self) -> int:
        return sum(result.packed for result in self.results)


def select(
    results: Sequence[CVResult],
    score: Score,
    seed: int,
    units: NDArray[np.int64] | None = None,
    bounds: Bounds = NO_BOUNDS,
) -> EnsembleResult | None:
    """The ensemble of these candidates (``greedy.greedy_weights``); None where no mean of several is better than the
    best of them.

    A model that says the same of every row is no member: it makes the others less sure, which is for calibration to do.
    ``units``: (n,) ids of the predicted rows that must not be torn apart. ``bounds``: that it keeps within.
    """
    results = [result for result in results if not says_the_same(result)]
    if len(results) < 2:
        return None
    _check_folds(results)
    weigh = partial(weights_within, shares=bounds.shares(results), seed=seed)
    weights = weigh(likelihoods([result.predictions for result in results]))
    index = np.flatnonzero(weights).tolist()
    fold = results[0].fold
    part = fold if fold.max() > 0 else parts_of(results[0].predictions.truth, seed, units)
    if len(index) < 2 or part.max() < 1:
        return None
    repeats = zip(*([(r.predictions, r.fold), *r.repeats] for r in results), strict=True)
    by_fold: list[Predictions] = []
    predictions = []
    for repeat in repeats:
        probabilities, folds = [p for p, _ in repeat], repeat[0][1]
        predictions.append(cross_fitted(probabilities, folds if fold.max() > 0 else part, weigh))
        by_fold += [predictions[-1].take(folds == number) for number in range(folds.max() + 1)]
    scores = [score(p) for p in by_fold]
    return EnsembleResult(
        tuple(results[i] for i in index),
        tuple(weights[index].tolist()),
        predictions[0],
        {name: np.array([s[name] for s in scores]) for name in scores[0]},
    )


def members(results: Sequence[CVResult]) -> list[CVResult]:
    """Those that would be put together, or the only one, by some of the rows: enough to plan with."""
    results = [result for result in results if not says_the_same(result)] or results
    weights = greedy_weights(some(likelihoods([result.predictions for result in results]), 0, PLANNING_ROWS))
    return [result for result, weight in zip(results, weights, strict=True) if weight]


def first_fits(result: Result) -> Ensemble | None:
    """The members' fits of the first fold, for want of a refit; None where one was not kept."""
    fits = [member.pipeline for member in result.results if member.pipeline is not None]
    return Ensemble(tuple(fits), result.weights) if len(fits) == len(result.results) else None


def says_the_same(result: Result) -> bool:
    """Of every row."""
    return all(member.candidate.family.baseline == "majority class" for member in result.results)


def _check_folds(results: Sequence[CVResult]) -> None:
    first = results[0]
    for other in results[1:]:
        same_rows = np.array_equal(first.predictions.rows, other.predictions.rows)
        if not same_rows or not np.array_equal(first.fold, other.fold):
            raise ValueError(f"{first.name} and {other.name} were not judged on the same folds")


def _check_weights(weights: Sequence[float], members: int) -> None:
    if not members or len(weights) != members:
        raise ValueError(f"an ensemble has a weight for each member, and {members} members do not fit {len(weights)}")
    if min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
        raise ValueError("the weights of an ensemble are not negative, and sum to one")


def _importance(member: Pipeline) -> dict[str, float]:
    """The model's own weights, summed over the prepared columns that come from one column of the table, as shares.

    A prepared column that is made of several counts for each of them in equal parts.
    """
    total: dict[str, float] = defaultdict(float)
    for sources, weight in zip(member.preprocessor.sources, member.fitted.importance.tolist(), strict=True):
        for source in sources:
            total[source] += weight / len(sources)
    whole = sum(total.values()) or 1.0
    return {source: weight / whole for source, weight in total.items()}
