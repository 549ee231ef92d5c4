from __future__ import annotations

import json

import pytest

from sortal.report.evaluation import Evaluation, compare
from sortal.report.record import Estimate


@pytest.mark.parametrize(
    ("metric", "found", "verdict"),
    [
        ("roc_auc", Estimate(0.5, 0.45, 0.55), "worse"),
        ("roc_auc", Estimate(0.95, 0.93, 0.97), "better"),
        ("roc_auc", Estimate(0.78, 0.74, 0.82), "as promised"),
        ("log_loss", Estimate(0.5, 0.45, 0.55), "better"),
        ("log_loss", Estimate(0.95, 0.93, 0.97), "worse"),
        ("log_loss", Estimate(0.8, None, None), "unknown"),
    ],
)
def test_a_verdict_needs_intervals_that_do_not_meet(metric, found, verdict):
    assert compare(metric, {"value": 0.8, "low": 0.75, "high": 0.85}, found).verdict == verdict


def test_what_was_not_promised_cannot_be_broken():
    assert compare("roc_auc", None, Estimate(0.1, 0.0, 0.2)).verdict == "unknown"


def test_what_is_worse_is_named():
    promised = {"value": 0.8, "low": 0.75, "high": 0.85}
    comparisons = tuple(
        compare(name, promised, Estimate(0.5, 0.45, 0.55)) for name in ("roc_auc", "log_loss", "accuracy")
    )
    found = Evaluation("model.sortal", "new.csv", 100, "test", comparisons)
    assert found.worse == ("roc_auc", "accuracy")
    assert json.loads(found.to_json())["comparisons"][0]["verdict"] == "worse"
