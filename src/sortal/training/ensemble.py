"""What is shipped: an ensemble of one or more fitted pipelines, whose probabilities are averaged with weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from sortal.core.frame import Table
from sortal.core.predictions import Predictions
from sortal.engine.program import Program
from sortal.models.family import Matrix, Precision
from sortal.training.candidate import Pipeline
from sortal.training.complexity import Complexity
from sortal.training.crossval import CVResult


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
        return _mean(self.weights, [m.predict_proba(m.preprocessor.transform(table)) for m in members])

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
    def complexity(self) -> Complexity:
        """Of all members together."""
        return reduce(add, (Complexity.of(m.candidate.family, m.fitted.effort) for m in self.members))

    @property
    def rows(self) -> int:
        """How many rows each member was fitted on, or more."""
        return min(member.rows for member in self.members)


@dataclass(frozen=True)
class EnsembleResult:
    """An ensemble with its evidence: ``results`` of cross-validating its members on the same folds.

    Raises ValueError where the members predicted different rows, and for weights that do not go with them.
    """

    results: tuple[CVResult, ...]
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        _check_weights(self.weights, len(self.results))
        first = self.results[0]
        for other in self.results[1:]:
            same_rows = np.array_equal(first.predictions.rows, other.predictions.rows)
            if not same_rows or not np.array_equal(first.fold, other.fold):
                raise ValueError(f"{first.candidate.name} and {other.candidate.name} were not judged on the same folds")

    @property
    def name(self) -> str:
        return " + ".join(result.candidate.name for result in self.results)

    @cached_property
    def predictions(self) -> Predictions:
        """Out of fold: the weighted mean of what the members say."""
        probability = _mean(self.weights, [result.predictions.probability for result in self.results])
        return replace(self.results[0].predictions, probability=probability)

    @property
    def fold(self) -> NDArray[np.int64]:
        """(n,) the fold that predicted each row."""
        return self.results[0].fold

    @property
    def row_seconds(self) -> float:
        """To score one row of many through the programs of all members."""
        return sum(result.row_seconds for result in self.results)

    @property
    def refit_seconds(self) -> float:
        """What a refit of all members would take."""
        return sum(result.refit_seconds for result in self.results)

    @property
    def first_fits(self) -> Ensemble | None:
        """The fits of the first fold, for want of a refit; None where one was not kept."""
        fits = [result.pipeline for result in self.results if result.pipeline is not None]
        return Ensemble(tuple(fits), self.weights) if len(fits) == len(self.results) else None


def _check_weights(weights: Sequence[float], members: int) -> None:
    if not members or len(weights) != members:
        raise ValueError(f"an ensemble has a weight for each member, and {members} members do not fit {len(weights)}")
    if min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
        raise ValueError("the weights of an ensemble are not negative, and sum to one")


def _mean(weights: Sequence[float], probabilities: Sequence[Matrix]) -> Matrix:
    """As the op ``average`` takes it."""
    return np.asarray(sum(w * p for w, p in zip(weights, probabilities, strict=True)))


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
