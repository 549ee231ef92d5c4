"""A model that says the same of every row."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.program import Program
from sortal.models.family import FitRequest, Fitted


def constant(probability: Floats, columns: int) -> Fitted:
    """``probability``: (K,) of every row, whatever stands in its ``columns``."""
    return Fitted(
        predict_proba=lambda X: np.tile(probability, (X.shape[0], 1)),
        program=lambda: Program("constant", arrays={"probability": probability}),
        importance=np.zeros(columns),
    )


def class_shares(request: FitRequest) -> Fitted:
    """The shares of the classes in the training rows, by weight."""
    rows = request.train
    counts = np.bincount(rows.y, weights=rows.weight, minlength=request.n_classes)
    return constant(counts / counts.sum(), rows.X.shape[1])
