"""The result of cross-validation: out-of-fold predictions, scores by fold, and what they cost in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sortal.core.predictions import Predictions
from sortal.models.family import Settings
from sortal.training.candidate import Candidate, Pipeline
from sortal.training.complexity import Complexity
from sortal.training.fit_log import FitRows

T = TypeVar("T", bound=np.generic)
OutOfFold = tuple[Predictions, NDArray[np.int64]]
"""Predictions of rows by models that did not see them, and (n,) the fold that each is of."""


class Result(Protocol):
    """What cross-validation says of a model, be it one candidate or an ensemble: all that a choice among models and
    what follows it look at.

    ``results`` and ``weights``: of its members; a candidate is its own only one. The rest as in ``CVResult``.
    """

    @property
    def name(self) -> str: ...
    @property
    def results(self) -> tuple[CVResult, ...]: ...
    @property
    def weights(self) -> tuple[float, ...]: ...
    @property
    def predictions(self) -> Predictions: ...
    @property
    def fold(self) -> NDArray[np.int64]: ...
    @property
    def train_share(self) -> float: ...
    @property
    def fold_scores(self) -> dict[str, NDArray[np.float64]]: ...
    @property
    def complexity(self) -> Complexity: ...
    @property
    def fit_seconds(self) -> float: ...
    @property
    def row_seconds(self) -> float: ...
    @property
    def single_row_seconds(self) -> float: ...
    @property
    def refit_seconds(self) -> float: ...
    @property
    def packed(self) -> int: ...


@dataclass(frozen=True)
class CVResult:
    """A candidate with its evidence.

    ``predictions``: out of fold, each row at most once; ``fold`` (n,) says by which fold. ``train_share``: of the rows
    of a fold, those that train. ``fold_scores``: metric -> (folds,). ``efforts``: a fold each. ``row_seconds``: scoring
    one row of many through the program; ``single_row_seconds``: one row alone; ``seen_row_seconds``: one of many that
    was scored before. ``shipping_seconds``: what making a program of it, and a file, takes, as ``Footprint`` has it.
    ``rows``: the training rows that it was given of each fold, None for all. ``pipeline``: the fit of the first fold,
    for want of a refit. ``refit_seconds``: what a refit would take, 0 where it would be on hardly more rows than that
    fit. ``fits``: the rows that each fold's fit saw. ``repeats``: what each further repeat of the folds predicts.
    ``packed``: about the bytes of that fit in a file. ``work``: units of a fit of a fold, where work is counted.
    """

    candidate: Candidate
    predictions: Predictions
    fold: NDArray[np.int64]
    train_share: float
    fold_scores: dict[str, NDArray[np.float64]]
    efforts: tuple[Settings, ...]
    fit_seconds: float
    row_seconds: float
    single_row_seconds: float
    seen_row_seconds: float = 0.0
    pipeline: Pipeline | None = None
    rows: int | None = None
    refit_seconds: float = 0.0
    fits: tuple[FitRows, ...] = ()
    repeats: tuple[OutOfFold, ...] = ()
    packed: int = 0
    shipping_seconds: float = 0.0
    work: float = 0.0

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def results(self) -> tuple[CVResult, ...]:
        return (self,)

    @property
    def weights(self) -> tuple[float, ...]:
        return (1.0,)

    @property
    def complexity(self) -> Complexity:
        return Complexity.of(self.candidate.family, self.effort)

    @property
    def effort(self) -> Settings:
        """What the refit on all rows is told: the median over the folds that tell it. A fold that trains on rows of one
        class only has nothing to tell.
        """
        names = dict.fromkeys(name for effort in self.efforts for name in effort)
        return {name: _middle([effort[name] for effort in self.efforts if name in effort]) for name in names}


def _middle(values: Sequence[float | int | str]) -> float | int | str:
    """The median of numbers, in their own type; of words the first."""
    first = values[0]
    return first if isinstance(first, str) else type(first)(median(values))  # type: ignore[type-var]


def concatenate(parts: list[Predictions]) -> OutOfFold:
    """One set of predictions in row order."""
    rows = np.concatenate([p.rows for p in parts])
    order = np.argsort(rows, kind="stable")
    fold = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    whole = replace(
        parts[0],
        rows=rows,
        truth=np.concatenate([p.truth for p in parts]),
        probability=np.concatenate([p.probability for p in parts]),
        row_costs=_stacked([p.row_costs for p in parts]),
        groups=_stacked([p.groups for p in parts]),
    )
    return whole.take(order), fold[order]


def _stacked(parts: Sequence[NDArray[T] | None]) -> NDArray[T] | None:
    """What every part has; None where none does."""
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None
