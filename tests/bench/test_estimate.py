"""What ``bench estimate`` makes of periods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench import estimate
from sortal.monitor.estimate import ERRORS, ROC_AUC


def test_errors_are_held_against_cbpe_and_intervals_against_what_came() -> None:
    results = [
        estimate.Result("table", "logistic", figure, 1_000, 0.3, 0.28, 0.25, 0.35, raw=0.2, cbpe=0.26)
        for figure in (ERRORS, ROC_AUC)
    ]
    outcome = estimate.outcome(results, fast=True)
    assert outcome.holds
    assert [goal.figure for goal in outcome.goals] == ["1.000", "0.500 x", "0.500 x"]
    assert outcome.rows[0][3:] == ["1", "0.0200", "0.1000", "0.0400", "100%", "0.100"]
    wide = [replace(each, expected=0.339, low=0.31) for each in results]
    assert [goal.holds for goal in estimate.outcome(wide, fast=True).goals] == [False, False, False]
    assert not estimate.outcome(results, fast=False).goals[-1].holds
    assert not estimate.outcome([], fast=True).holds


def test_the_expected_roc_auc_of_probabilities_as_they_are() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 1.5, 300)
    draws = [roc_auc_score(rng.random(300) < p, p) for _ in range(200)]
    raw = estimate._raw(ROC_AUC, np.stack([1 - p, p], axis=1), [], None)  # type: ignore[arg-type]
    assert raw == pytest.approx(np.mean(draws), abs=0.01)
