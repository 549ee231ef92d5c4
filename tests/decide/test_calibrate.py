from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from sortal.decide.calibrate import GATE, LEAST_WEIGHT, calibrators, choose
from sortal.engine import compile
from tests.decide.conftest import draw, loss, predictions

BINARY = {"temperature", "platt", "beta", "quadratic", "venn_abers", "isotonic"}


def test_each_is_offered_to_the_tasks_that_it_is_for():
    assert {c.name for c in calibrators(2)} == BINARY
    assert {c.name for c in calibrators(5)} == {"temperature", "vector", "matrix"}


def test_those_that_estimate_steps_ask_for_rows_of_the_rarer_class():
    assert {c.name for c in calibrators(2, rarest=499)} == BINARY - {"venn_abers", "isotonic"}
    assert {c.name for c in calibrators(2, rarest=500)} == BINARY
    assert {c.name for c in calibrators(2, rarest=0)} == BINARY - {"venn_abers", "isotonic"}


def test_why_nothing_is_applied_is_said():
    """One probability for all rows leaves nothing to calibrate; what is right gains too little."""
    same = choose(predictions(np.tile([0.7, 0.3], (200, 1)), (np.arange(200) % 10 < 3).astype(np.int64)), seed=0)
    assert (same.candidate, same.program, same.result.method) == ("none", None, "none")
    assert same.result.explanation == "nothing lowers the cross-fitted log-loss"
    assert same.result.log_loss_before == same.result.log_loss_after
    choices = [choose(predictions(*draw(300, 2, seed)), seed=0) for seed in range(6)]
    rejections = [c for c in choices if c.program is None and c.candidate != "none"]
    assert rejections
    for c in rejections:
        verb = "gain" if c.gain > 0 else "lose"
        assert c.result.explanation.startswith(f"{c.candidate} would {verb} .")


@pytest.mark.parametrize("k", [2, 3])
def test_the_overconfident_are_calibrated_and_the_gain_is_real(k):
    choice = choose(predictions(*draw(3000, k, 4, 2.0)), seed=0)
    assert choice.result.method != "none" != choice.candidate
    assert choice.gain > GATE * choice.standard_error > 0
    assert choice.result.log_loss_after == pytest.approx(choice.result.log_loss_before - choice.gain)
    fresh, truth = draw(20_000, k, 5, 2.0)
    assert loss(fresh, truth) - loss(compile(choice.program)(fresh), truth) > 0.9 * choice.gain


@pytest.mark.parametrize("k", [2, 3])
def test_what_is_applied_is_the_average_of_its_members(k):
    probability, truth = draw(400, k, 1, 1.6, 0.3)
    choice = choose(predictions(probability, truth), seed=0)
    assert choice.result.method == "average"
    weights = dict(choice.result.weights)
    assert sum(weights.values()) == pytest.approx(1)
    assert min(weights.values()) >= LEAST_WEIGHT
    assert choice.candidate == max(weights.keys() - {"none"}, key=weights.__getitem__)
    members = {c.name: c.fit(probability, truth, k) for c in calibrators(k) if c.name in weights}
    apart = [
        w * compile(members[name])(probability) if name != "none" else w * probability for name, w in weights.items()
    ]
    np.testing.assert_allclose(compile(choice.program)(probability), sum(apart), atol=5e-3)


def test_a_single_member_is_applied_as_itself():
    """Two scores, of which one is right and one far too low: temperature cannot mend that."""
    rng = np.random.default_rng(1)
    p = rng.choice([0.4, 0.6], size=1500)
    truth = (rng.random(1500) < np.where(p > 0.5, 0.85, 0.4)).astype(np.int64)
    choices = [choose(predictions(np.column_stack([1 - p, p]), truth), seed=seed) for seed in range(3)]
    assert all("temperature" not in dict(c.result.weights) for c in choices)
    assert all((len(c.result.weights) == 1) == (c.result.method == c.candidate) for c in choices)
    assert all((c.result.method == "average") == (c.program.op == "average") for c in choices)
    assert all((len(c.result.weights) > 1) == (": " in c.result.explanation) for c in choices)


def test_what_is_the_best_in_every_sample_is_alone():
    """Of clones in several folds isotonic regression learns the classes of the rows that it is judged on."""
    probability, truth = draw(400, 2, 3)
    clones = np.repeat(np.arange(400), 5)
    choice = choose(predictions(probability[clones], truth[clones]), fold=np.arange(2_000) % 5)
    assert (choice.result.method, dict(choice.result.weights)) == ("isotonic", {"isotonic": 1.0})
    (isotonic,) = (c for c in calibrators(2) if c.name == "isotonic")
    alone = compile(isotonic.fit(probability[clones], truth[clones], 2))(probability)
    np.testing.assert_allclose(compile(choice.program)(probability), alone, atol=1e-12)
    assert ": " not in choice.result.explanation


@pytest.mark.parametrize("n", [20, 300, 1500])
def test_the_calibrated_are_mostly_left_alone(n):
    choices = [choose(predictions(*draw(n, 2, seed)), seed=seed) for seed in range(16)]
    assert [c.result.method for c in choices].count("none") >= 9
    alone = next(c for c in choices if c.program is None)
    assert alone.result.log_loss_after == alone.result.log_loss_before
    assert alone.result.weights == {}
    fresh, truth = draw(20_000, 2, 99)
    worse = [loss(compile(c.program)(fresh), truth) / loss(fresh, truth) - 1 if c.program else 0.0 for c in choices]
    assert np.mean(worse) < 6 / n


def test_the_gain_is_not_flattered_by_the_choice():
    """On calibrated predictions nothing can be gained: a winner's curse would show as a mean above zero."""
    gains = [choose(predictions(*draw(200, 2, seed)), seed=seed).gain for seed in range(40)]
    assert np.mean(gains) < 2 * np.std(gains) / np.sqrt(len(gains))


def test_what_says_the_same_of_every_row_has_nothing_to_calibrate(monkeypatch):
    monkeypatch.setattr("sortal.decide.calibrate.calibrators", lambda *_: pytest.fail("tried"))
    rng = np.random.default_rng(0)
    truth = rng.choice(3, p=[0.7, 0.25, 0.05], size=2000)
    shares = np.array([[0.7, 0.25, 0.05], [0.71, 0.242, 0.048]])[rng.integers(2, size=2000)]
    choice = choose(predictions(shares, truth), seed=0)
    assert (choice.result.method, choice.gain, choice.program) == ("none", 0.0, None)
    assert choice.result.log_loss_after == choice.result.log_loss_before == pytest.approx(loss(shares, truth))


def test_rare_classes_differ_though_all_their_probabilities_are_small():
    rng = np.random.default_rng(0)
    right = rng.choice([0.001, 0.008], size=20_000)
    truth = (rng.random(20_000) < right).astype(np.int64)
    p = right / 3
    assert choose(predictions(np.column_stack([1 - p, p]), truth), seed=0).result.method != "none"


def test_the_choice_is_reproducible_and_takes_the_folds_it_is_given():
    rows = predictions(*draw(400, 3, 6, 1.5))
    assert repr(choose(rows, seed=1)) == repr(choose(rows, seed=1))
    assert choose(rows, fold=np.zeros(400, dtype=np.int64), seed=1).result.method == "none"


def test_the_folds_that_are_given_stay_with_their_rows():
    """Clones in one fold teach a calibrator nothing that it is judged on; in several folds they would."""
    probability, truth = draw(400, 2, 3)
    fold, clones = np.arange(400) % 5, np.repeat(np.arange(400), 5)
    rows = predictions(probability[clones], truth[clones])
    whole, split = (choose(rows, fold=f) for f in (fold[clones], np.arange(2_000) % 5))
    assert whole.gain < 0.01 < 0.025 < split.gain


@pytest.mark.parametrize("k", [2, 3])
def test_a_gain_within_half_of_its_standard_error_is_not_taken(k):
    choices = [choose(predictions(*draw(200, k, seed)), seed=seed) for seed in range(24)]
    for choice in choices:
        assert (choice.program is not None) == (
            choice.candidate != "none" and choice.gain > GATE * choice.standard_error
        )
    assert any(0 < choice.gain <= GATE * choice.standard_error for choice in choices)
    assert any(choice.program is not None for choice in choices)


def test_a_class_that_is_rare_is_no_obstacle():
    probability, truth = draw(60, 3, 7)
    truth = np.where(truth == 2, 0, truth)
    truth[0] = 2
    choice = choose(predictions(probability, truth), seed=0)
    assert np.isfinite([choice.gain, choice.standard_error, choice.result.log_loss_after]).all()


@pytest.mark.clock
def test_twenty_thousand_rows_take_no_longer_than_a_few_of_scikit_learns_calibrators():
    """One thread for both: the threads of a linear algebra library also use time while they wait for each other."""
    rows = predictions(*draw(20_000, 2, 0, 1.3))
    probability, truth = rows.probability[:, 1], rows.truth

    def two_calibrators() -> None:
        for train, test in KFold(5).split(probability):
            for model in (IsotonicRegression(out_of_bounds="clip"), LogisticRegression()):
                model.fit(rows.probability[train][:, 1:], truth[train]).predict(rows.probability[test][:, 1:])

    def seconds(work) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    with threadpool_limits(1):
        alone, both = (min(seconds(work) for _ in range(4)) for work in (lambda: choose(rows), two_calibrators))
    assert alone < 15 * both, f"{alone:.2f} s against {both:.2f} s"


def test_rows_are_cross_fitted_by_calibrators_that_have_not_seen_them() -> None:
    rows = predictions(*draw(600, 2, 3, 2.0, 0.5))
    fold = np.arange(600) % 5
    choice = choose(rows, fold=fold, seed=3)
    assert choice.program is not None
    calibrated = np.full_like(rows.probability, 0.5)
    apart = choice.cross_fitted(calibrated)
    assert sorted(choice.rows) == list(range(600))
    np.testing.assert_allclose(apart.sum(axis=1), 1.0, atol=1e-6)
    loss = -np.log(apart[np.arange(600), rows.truth]).mean()
    assert loss == pytest.approx(choice.result.log_loss_after)
    # With the labels of a fold turned round, all is told anew but of that fold: only the weights can change there.
    new_rows = replace(rows, truth=np.where(fold == 0, 1 - rows.truth, rows.truth))
    change = np.abs(choose(new_rows, fold=fold, seed=3).cross_fitted(calibrated) - apart).max(axis=1)
    assert change[fold == 0].mean() < 0.2 * change[fold != 0].mean()
    assert (calibrated == 0.5).all(), "what it is given stays as it is"


def test_rows_that_no_calibrator_was_tried_on_keep_what_all_say() -> None:
    rows = predictions(*draw(3000, 3, 4, 2.0, 0.5))
    choice = choose(rows, seed=4, most=3000)
    assert choice.program is not None
    calibrated = np.full_like(rows.probability, 1 / 3)
    other_rows = np.setdiff1d(np.arange(3000), choice.rows)
    assert len(other_rows) == 2000
    assert (choice.cross_fitted(calibrated)[other_rows] == calibrated[other_rows]).all()
