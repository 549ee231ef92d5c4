from __future__ import annotations

import numpy as np
import pytest

from bench import calibration
from bench.calibration import GATED, ORACLE, TEMPERATURE, Comparison, Evidence
from sortal.core.predictions import Predictions


def case(table: str, gated: float, temperature: float, before: float = 0.5) -> Comparison:
    after = {GATED: gated, TEMPERATURE: temperature, ORACLE: min(before, gated, temperature)}
    return Comparison(table, "forest", 0, 100, 2, before, after, "beta")


def predictions(n: int, seed: int, sharpness: float) -> Predictions:
    rng = np.random.default_rng(seed)
    right = rng.random(n)
    truth = (rng.random(n) < right).astype(np.int64)
    told = right**sharpness / (right**sharpness + (1 - right) ** sharpness)
    return Predictions(("no", "yes"), np.arange(n), truth, np.column_stack([1 - told, told]), "test")


def evidence(sharpness: float) -> Evidence:
    seen = predictions(2000, 0, sharpness)
    return Evidence("made up", "none", 0, seen, np.arange(2000) % 5, predictions(20_000, 1, sharpness))


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
    compared = [case(name, g, t) for name, g, t in zip("ab", gated, temperature, strict=True)]
    found = calibration.outcome(compared, 1, ["left out: c: no target"], noisy=False)
    assert [goal.holds for goal in found.goals] == holds
    assert found.rows[-1][0] == ORACLE
    assert "left out: c: no target" in found.notes
    assert found.as_json()["figures"][0]["after"][GATED] == gated[0]


def test_methods_are_compared_on_the_same_predictions():
    found = calibration.compare(evidence(2.0))
    assert found.after[ORACLE] == min(found.after.values()) < found.before
    assert found.gain(GATED) > 0.05
    assert found.after[TEMPERATURE] == pytest.approx(found.after[GATED], abs=2e-3)
    assert not found.worsened(GATED)


def test_scikit_learn_calibrates_the_predictions_that_it_is_given():
    told = evidence(2.0)
    for method in ("sigmoid", "isotonic"):
        q = calibration.by_scikit_learn(method, told.out_of_fold)(told.test.probability)
        assert calibration.log_loss(q, told.test.truth) < calibration.log_loss(told.test.probability, told.test.truth)


def test_out_of_fold_predictions_come_with_their_folds_and_the_test_from_a_refit(tmp_path):
    told = next(calibration.gather(calibration.fast_cases(tmp_path)[0], 0))
    assert told.model == "logistic"
    assert len(told.out_of_fold) == len(told.fold) == pytest.approx(490, abs=5)
    assert len(told.test) == pytest.approx(210, abs=5)
    assert sorted(set(told.fold.tolist())) == [0, 1, 2, 3, 4]
    assert calibration.log_loss(told.test.probability, told.test.truth) < 0.6
