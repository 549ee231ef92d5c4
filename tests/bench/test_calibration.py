from __future__ import annotations

import numpy as np
import pytest

from bench import calibration
from bench.calibration import GATED, ORACLE, TEMPERATURE, Comparison, Evidence
from sortal.core.predictions import Predictions


def case(table: str, gated_loss: float, temperature: float, before: float = 0.5) -> Comparison:
    after = {GATED: gated_loss, TEMPERATURE: temperature, ORACLE: min(before, gated_loss, temperature)}
    return Comparison(table, "forest", 0, 100, 2, before, after, "beta")


def predictions(n: int, seed: int, sharpness: float) -> Predictions:
    rng = np.random.default_rng(seed)
    true_p = rng.random(n)
    truth = (rng.random(n) < true_p).astype(np.int64)
    p = true_p**sharpness / (true_p**sharpness + (1 - true_p) ** sharpness)
    return Predictions(("no", "yes"), np.arange(n), truth, np.column_stack([1 - p, p]), "test")


def evidence(sharpness: float) -> Evidence:
    out_of_fold = predictions(2000, 0, sharpness)
    return Evidence("made up", "none", 0, out_of_fold, np.arange(2000) % 5, predictions(20_000, 1, sharpness))


def test_a_gain_is_a_share_of_the_loss_and_never_below_minus_one():
    assert case("a", 0.4, 0.5).gain(GATED) == pytest.approx(0.2)
    assert case("a", 5.0, 0.5).gain(GATED) == -1
    assert case("a", 0.4, 0.5).gain("matrix") == 0
    assert case("a", 0.4, 0.5).nats(GATED) == pytest.approx(0.1)


def test_worse_means_by_more_than_a_thousandth():
    assert case("a", 0.5006, 0.5).worsened(GATED)
    assert not case("a", 0.5004, 0.5).worsened(GATED)
    assert not case("a", 0.4, 0.5).worsened("matrix")


def test_tables_are_the_units():
    cases = [case("a", 0.4, 0.5), case("a", 0.4, 0.5), case("b", 0.5, 0.5)]
    assert calibration.by_table(cases, lambda c: c.gain(GATED)) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(
    ("gated", "temperature", "holds"),
    [
        ([0.4, 0.4], [0.45, 0.45], [True, True]),
        ([0.4, 0.6], [0.45, 0.45], [False, False]),
        ([0.5, 0.5], [0.45, 0.45], [True, False]),
    ],
)
def test_goals_hold_or_fall_short_as_measured(gated, temperature, holds):
    cases = [case(name, g, t) for name, g, t in zip("ab", gated, temperature, strict=True)]
    result = calibration.outcome(cases, 1, ["left out: c: no target"], noisy=False)
    assert [goal.holds for goal in result.goals] == holds
    assert result.rows[-1][0] == ORACLE
    assert "left out: c: no target" in result.notes
    assert result.as_json()["figures"][0]["after"][GATED] == gated[0]


def test_methods_are_compared_on_the_same_predictions():
    result = calibration.compare(evidence(2.0))
    assert result.after[ORACLE] == min(result.after.values()) < result.before
    assert result.gain(GATED) > 0.05
    assert result.after[TEMPERATURE] == pytest.approx(result.after[GATED], abs=2e-3)
    assert not result.worsened(GATED)


def test_scikit_learn_calibrates_the_predictions_that_it_is_given():
    data = evidence(2.0)
    for method in ("sigmoid", "isotonic"):
        q = calibration.by_scikit_learn(method, data.out_of_fold)(data.test.probability)
        assert calibration.log_loss(q, data.test.truth) < calibration.log_loss(data.test.probability, data.test.truth)


def test_out_of_fold_predictions_come_with_their_folds_and_the_test_from_a_refit(tmp_path):
    data = next(calibration.gather(calibration.fast_cases(tmp_path)[0], 0))
    assert data.model == "logistic"
    assert len(data.out_of_fold) == len(data.fold) == pytest.approx(490, abs=5)
    assert len(data.test) == pytest.approx(210, abs=5)
    assert sorted(set(data.fold.tolist())) == [0, 1, 2, 3, 4]
    assert calibration.log_loss(data.test.probability, data.test.truth) < 0.6
