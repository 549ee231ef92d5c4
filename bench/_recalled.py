"""Models that are fitted once and asked by several: by sortal, and by scikit-learn as one of its classifiers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold

from sortal.core.predictions import Predictions
from sortal.decide.calibrate import choose
from sortal.engine import compile as compile_program
from sortal.training.candidate import Candidate, Development, Pipeline, fit, prepare_rows

Index = NDArray[np.int64]
Floats = NDArray[np.float64]

FOLDS = 5


@dataclass
class Models:
    """Models of a family by the rows that train them, so that no fit is made twice, whoever asks for it."""

    dev: Development
    candidate: Candidate
    fitted: dict[bytes, Pipeline] = field(default_factory=dict)
    probabilities: dict[bytes, Floats] = field(default_factory=dict)

    def probability(self, train: Index, rows: Index) -> Floats:
        """(n, K) what the model that was trained on some rows says of others."""
        key = train.tobytes()
        if key not in self.fitted:
            prepared = prepare_rows(self.dev, train, self.candidate.family.view)
            self.fitted[key] = fit(self.candidate, prepared, self.dev, {}, purpose="ship")
        if (question := key + b"?" + rows.tobytes()) not in self.probabilities:
            model = self.fitted[key]
            self.probabilities[question] = model.predict_proba(model.preprocessor.transform(self.dev.table.take(rows)))
        return self.probabilities[question]

    def __deepcopy__(self, memo: object) -> Models:
        """Clones of an estimator ask the same models."""
        return self


class Recalled(ClassifierMixin, BaseEstimator):
    """For scikit-learn: a classifier of row numbers, (n, 1), into 1 (positive) and 0, by the models of these rows."""

    def __init__(self, models: Models, code: int) -> None:
        self.models, self.code = models, code

    def fit(self, X: Index, y: Index) -> Recalled:
        self.rows_, self.classes_ = X[:, 0].copy(), np.unique(y)
        return self

    def predict_proba(self, X: Index) -> Floats:
        return self.models.probability(self.rows_, X[:, 0].copy())[:, [1 - self.code, self.code]]


@dataclass(frozen=True)
class Arm:
    """A model of some rows of a table, that is to decide on others."""

    models: Models
    train: Index
    test: Index

    @property
    def truth(self) -> Index:
        return self.models.dev.codes[self.test]

    @cached_property
    def out_of_fold(self) -> tuple[Predictions, Index]:
        """Out of fold, with the fold of each row; scikit-learn makes the same folds."""
        dev, codes = self.models.dev, self.models.dev.codes[self.train]
        probability = np.empty((len(self.train), len(dev.classes)))
        fold = np.empty(len(self.train), dtype=np.int64)
        for i, (fitting, valid) in enumerate(StratifiedKFold(FOLDS).split(codes, codes)):
            probability[valid] = self.models.probability(self.train[fitting], self.train[valid])
            fold[valid] = i
        return dev.predictions(self.train, probability, "out-of-fold"), fold

    @cached_property
    def tested(self) -> Predictions:
        """By the refit."""
        return self.models.dev.predictions(self.test, self.models.probability(self.train, self.test), "test")

    @cached_property
    def calibrated(self) -> tuple[Predictions, Predictions]:
        """The same two, as sortal calibrates them."""
        (evidence, fold), tested = self.out_of_fold, self.tested
        program = choose(evidence, fold=fold, seed=0).program
        if program is None:
            return evidence, tested
        calibrate = compile_program(program)
        return (
            replace(evidence, probability=calibrate(evidence.probability)),
            replace(tested, probability=calibrate(tested.probability)),
        )
