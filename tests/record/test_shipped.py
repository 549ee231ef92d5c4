from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from sortal.core import registry
from sortal.core.interval import Estimate, Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.evaluate.figures import ClassScore, per_class
from sortal.evaluate.metric_interval import interval
from sortal.record.shipped import (
    REACH,
    Gap,
    as_shipped,
    classes_reaching,
    gap,
    score_out_of_fold,
    with_its_own_calibration,
)

LOG_LOSS, ACCURACY, ECE = (registry.load("sortal.metrics", name) for name in ("log_loss", "accuracy", "ece"))
TASK = Task("y", ("a", "b"), (0.5, 0.5), "b", "log_loss", (), ())


def rows(right: np.ndarray, truth: np.ndarray, groups: np.ndarray | None = None) -> Predictions:
    """Predictions that give the true class these probabilities."""
    probability = np.where(np.eye(2)[truth] == 1, right[:, None], 1 - right[:, None])
    return Predictions(("a", "b"), np.arange(len(truth)), truth, probability, "out-of-fold", groups=groups)


@dataclass(frozen=True)
class Run:
    """What ``gap`` reads of a training: models of folds, and one of more rows that ships."""

    whole: Predictions
    half: Predictions
    refit: bool = True
    has_half: bool = True
    rows: tuple[int, int] = (80, 100)

    def trained(self) -> Any:
        member = SimpleNamespace(pipeline=SimpleNamespace(rows=self.rows[0]))
        winner = SimpleNamespace(results=(member,), weights=(1.0,), predictions=self.whole)
        halving = SimpleNamespace(predictions=self.half) if self.has_half else None
        return SimpleNamespace(
            developed=SimpleNamespace(halving=halving, choice=SimpleNamespace(winner=winner)),
            finalized=SimpleNamespace(
                refit=self.refit,
                ensemble=SimpleNamespace(rows=self.rows[1]),
                decision=Decision("argmax", self.whole.classes),
            ),
        )


def random_run(groups: np.ndarray | None = None) -> Run:
    rng = np.random.default_rng(0)
    truth, right = rng.integers(2, size=100), rng.uniform(0.4, 0.95, size=100)
    return Run(rows(right, truth, groups), rows(right * rng.uniform(0.8, 1.02, size=100), truth, groups))


def test_a_refit_gains_a_fifth_of_what_half_of_the_rows_cost() -> None:
    run = random_run()
    whole, half = (LOG_LOSS.score(TASK, p, p.truth) for p in (run.whole, run.half))
    assert half > whole
    assert gap(run.trained(), TASK, LOG_LOSS).refit == pytest.approx(-0.2 * (half - whole))
    right = [float((p.probability.argmax(axis=1) == p.truth).mean()) for p in (run.whole, run.half)]
    assert gap(run.trained(), TASK, ACCURACY).refit == pytest.approx(0.2 * (right[0] - right[1]))


def test_the_spread_is_that_of_a_chi_squared_excess() -> None:
    """Of a model with p parameters: losses of a row differ by p / m in variance, the score by p / 2n²."""
    run = random_run()
    apart = np.log(run.whole.probability[np.arange(100), run.whole.truth]) - np.log(
        run.half.probability[np.arange(100), run.half.truth]
    )
    parameters = 80 * apart.var()
    assert gap(run.trained(), TASK, LOG_LOSS).spread == pytest.approx(np.sqrt(parameters / (2 * 100**2)))


def test_rows_that_vary_together_teach_less() -> None:
    alone = random_run()
    together = Run(
        *(
            rows(
                np.repeat(p.probability[np.arange(25), p.truth[:25]], 4),
                np.repeat(p.truth[:25], 4),
                np.arange(100) // 4,
            )
            for p in (alone.whole, alone.half)
        )
    )
    apart = Run(
        *(Predictions(p.classes, p.rows, p.truth, p.probability, p.part) for p in (together.whole, together.half))
    )
    estimate, naive = (gap(run.trained(), TASK, LOG_LOSS) for run in (together, apart))
    assert estimate.refit == naive.refit
    assert estimate.spread is not None
    assert naive.spread is not None
    # Four rows of a group are one; CR2 of 25 equal groups.
    assert estimate.spread == pytest.approx(np.sqrt(4 * 25 / 24) * naive.spread)


def test_of_some_folds_it_is_told_by_their_rows_alone() -> None:
    run = random_run(np.arange(100) // 2)
    subset = np.flatnonzero(np.arange(100) % 10 < 4)
    part, alone = Run(run.whole, run.half.take(subset)), Run(run.whole.take(subset), run.half.take(subset))
    assert gap(part.trained(), TASK, LOG_LOSS) == gap(alone.trained(), TASK, LOG_LOSS)


def test_the_fit_of_a_fold_gains_nothing_and_varies_as_such() -> None:
    run = random_run()
    fold, all_rows = (
        gap(Run(run.whole, run.half, r, rows=(80, n)).trained(), TASK, LOG_LOSS) for r, n in ((False, 80), (True, 100))
    )
    assert fold.refit is None
    assert fold.spread == pytest.approx(100 / 80 * (all_rows.spread or 0.0))


def test_without_fits_on_half_of_the_rows_nothing_is_known() -> None:
    run = random_run()
    assert gap(Run(run.whole, run.half, has_half=False).trained(), TASK, LOG_LOSS) == Gap()


def test_a_figure_that_is_no_mean_of_rows_has_no_spread() -> None:
    result = gap(random_run().trained(), TASK, ECE)
    assert result.refit is not None
    assert result.spread is None


def test_doubts_are_joined_as_squares_side_by_side() -> None:
    """Half-widths .03 and .05 of the rows, .04 of a change of .04, and of a spread of .01 twice 1.96 times that."""
    estimate = as_shipped(Interval(0.5, 0.47, 0.55), Gap(refit=-0.04, spread=0.01))
    reach = 2 * 1.959964 * 0.01
    assert pytest.approx(reach, rel=1e-6) == REACH * 0.01
    assert estimate.value == pytest.approx(0.46)
    assert estimate.low == pytest.approx(0.46 - np.sqrt(0.03**2 + 0.04**2 + reach**2))
    assert estimate.high == pytest.approx(0.46 + np.sqrt(0.05**2 + 0.04**2 + reach**2))


def test_what_is_not_moved_reaches_to_the_far_side_of_the_change() -> None:
    estimate = as_shipped(Interval(0.5, 0.47, 0.55), Gap(refit=-0.02), moved=False)
    assert (estimate.value, estimate.high) == (0.5, pytest.approx(0.55))
    assert estimate.low == pytest.approx(0.5 - 0.05)


def test_a_class_reaches_as_far_as_its_own_share_may_differ() -> None:
    """Of 50 rows of b, models of all rows find 40, those of half of them 35; another 60 rows tell of 45 of 50."""
    truth = np.repeat([0, 1], 50)
    whole = np.where(np.arange(100) < 50, 0.9, np.where(np.arange(100) < 90, 0.8, 0.2))
    half = np.where((np.arange(100) >= 85) & (truth == 1), 0.2, whole)
    trained = Run(rows(whole, truth), rows(half, truth)).trained()
    decided = trained.finalized.decision.decide(trained.developed.choice.winner.predictions)
    a, b = per_class(TASK, truth, decided)
    other = replace(b, recall=Estimate(0.9))
    plain, beside = (classes_reaching((a, b), trained, TASK, others)[1] for others in ((), (a, other)))
    apart = np.repeat([0.0, 1.0], [95, 5])  # two for each row of 50 that is found no more, of 100 rows
    refit, spread = 0.2 * (0.8 - 0.7), np.sqrt((2 * apart).var() * 80 / 2) / 100
    assert b.recall.interval is not None
    low, high = 0.8 - b.recall.low, b.recall.high - 0.8
    assert plain.recall.low == pytest.approx(0.8 - np.hypot(low, REACH * spread), abs=0.01)
    assert plain.recall.high == pytest.approx(
        0.8 + np.sqrt(high**2 + (2 * refit) ** 2 + (REACH * spread) ** 2), abs=0.01
    )
    assert beside.recall.low == plain.recall.low
    assert beside.recall.high == pytest.approx(0.8 + np.hypot(plain.recall.high - 0.8, 0.1))
    assert (plain.recall.value, plain.label, plain.support) == (0.8, "b", 50)


def test_a_share_of_a_class_stays_between_0_and_1_and_what_is_unknown_unknown() -> None:
    trained = random_run().trained()
    score = ClassScore("a", 3, Estimate(0.98, 0.9, 0.99), Estimate(None), None)
    reach = classes_reaching((score, score), trained, TASK, (replace(score, precision=Estimate(0.2)),) * 2)[0]
    assert (reach.precision.low, reach.precision.high) == (pytest.approx(0.2, abs=0.05), 1.0)
    assert (reach.recall, reach.rejected) == (Estimate(None), None)


def test_what_is_left_to_a_person_of_a_class_reaches_likewise() -> None:
    trained = random_run().trained()
    task = replace(TASK, reject_cost=0.1)
    score = ClassScore("a", 3, Estimate(0.5, 0.4, 0.6), Estimate(0.5, 0.4, 0.6), None, Estimate(0.2, 0.1, 0.3))
    first, second = classes_reaching((score, score), trained, task, (replace(score, rejected=Estimate(0.3)),) * 2)
    assert first.rejected.low == second.rejected.low == pytest.approx(0.1)
    assert first.rejected.high == second.rejected.high == pytest.approx(0.2 + np.hypot(0.1, 0.1))
    assert first.recall != second.recall


def test_one_model_errs_in_its_calibration_more_than_several_together() -> None:
    """Nothing of what the two parameters err by, at most 7.38 units of p (1 - p) / n, is in the rows of the folds, and
    2 units were taken off.
    """
    sample, unit = rows(np.full(50, 0.8), np.repeat([0, 1], 25)), 0.8 * 0.2 / 50
    estimate = with_its_own_calibration(Estimate(0.02, 0.01, 0.03), sample)
    assert (estimate.value, estimate.low) == (0.02, 0.01)
    room = np.hypot(0.03**2 - 0.02**2, (chi2.ppf(0.975, 2) - 2) * unit)
    assert estimate.high == pytest.approx(np.sqrt(0.02**2 + 4 * unit + room))
    assert with_its_own_calibration(Estimate(None), sample) == Estimate(None)
    assert with_its_own_calibration(Estimate(0.9, 0.8, 1.0), sample).high == 1.0


def test_the_calibration_of_groups_is_that_of_the_rows_that_they_are_worth() -> None:
    """25 pairs of rows that err alike say as much as 25 rows; a design effect of 2, and of 2 (1 + 1/24) for CR2."""
    right, truth = np.tile([0.8, 0.2], 25).repeat(2), np.zeros(100, dtype=np.int64)
    alone, pairs = (rows(right, truth, groups) for groups in (None, np.arange(50).repeat(2)))
    zero = Estimate(0.0, 0.0, 0.0)
    by_row, by_pair = (with_its_own_calibration(zero, sample).high for sample in (alone, pairs))
    assert by_row is not None
    assert by_pair is not None
    assert by_row**2 == pytest.approx((2 + chi2.ppf(0.975, 2)) * 0.16 / 100)
    assert by_pair**2 / by_row**2 == pytest.approx(2 * 50 / 49)


def test_the_high_end_lies_above_the_error_of_a_model_of_these_rows() -> None:
    """Its logistic regression is off by what chance did to intercept and slope; the rows of the folds do not show it."""
    rng, n, squares, inside = np.random.default_rng(3), 200, [], []
    x = rng.normal(size=2_000)
    right = sigmoid(x)
    for _ in range(200):
        features = rng.normal(size=n)
        truth, fold = (rng.random(n) < sigmoid(features)).astype(np.int64), np.arange(n) % 5
        p = np.empty(n)
        for f in range(5):
            p[fold == f] = logistic(features[fold != f], truth[fold != f])(features[fold == f])
        sample = rows(np.where(truth == 1, p, 1 - p), truth)
        measured = Estimate.of(interval(ECE, TASK, sample, truth))
        squares.append(((logistic(features, truth)(x) - right) ** 2).mean())
        highs = [e.high or 0.0 for e in (measured, with_its_own_calibration(measured, sample))]
        inside.append([squares[-1] <= high**2 for high in highs])
    assert np.mean(squares) == pytest.approx(2 * (right * (1 - right)).mean() / n, rel=0.15)
    before, now = np.mean(inside, axis=0)
    assert before < 0.95
    assert now >= 0.975


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def logistic(x: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Intercept and slope by Newton's method."""
    columns, weight = np.column_stack([np.ones(len(x)), x]), np.zeros(2)
    for _ in range(8):
        p = sigmoid(columns @ weight)
        weight += np.linalg.solve((columns.T * p * (1 - p)) @ columns, columns.T @ (truth - p))
    return lambda new: sigmoid(weight[0] + weight[1] * new)


def test_nothing_known_changes_nothing() -> None:
    assert as_shipped(Interval(0.5, 0.4, 0.6), Gap(), None) == Interval(0.5, 0.4, 0.6)


def test_the_spread_and_the_reach_are_those_of_refits_of_a_regular_model() -> None:
    """Shares of ten classes as the only parameters: the true log-loss of every model is known."""
    rng, k, n, folds = np.random.default_rng(1), 10, 500, 5
    share = rng.dirichlet(np.full(k, 20.0))
    classes = tuple("abcdefghij")
    task = replace(TASK, classes=classes, prevalence=tuple(share), positive=None)
    spreads, risks, errors = [], [], []
    for _ in range(300):
        truth, fold = rng.choice(k, n, p=share), rng.permutation(n) % folds
        whole, half = np.empty((n, k)), np.empty((n, k))
        for number in range(folds):
            train = truth[fold != number]
            whole[fold == number], half[fold == number] = shares(train, k), shares(train[::2], k)
        pair = (Predictions(classes, np.arange(n), truth, p, "out-of-fold") for p in (whole, half))
        result = gap(Run(*pair, rows=(n * 4 // 5, n)).trained(), task, LOG_LOSS)
        model, by_rows = np.log(shares(truth, k)), np.log(share)
        spreads.append(result.spread)
        risks.append(-float(share @ model))
        # The noise of the rows alone, which the true shares have as well, is taken off.
        off = float(share @ model) - np.log(whole[np.arange(n), truth]).mean()
        errors.append(off - float(share @ by_rows) + by_rows[truth].mean())
    assert np.mean(spreads) == pytest.approx(np.std(risks), rel=0.2)
    assert np.std(errors) == pytest.approx(2 * np.std(risks), rel=0.2)


def shares(truth: np.ndarray, k: int) -> np.ndarray:
    count = np.bincount(truth, minlength=k) + 0.5
    return count / count.sum()


def test_a_figure_out_of_fold_is_the_mean_over_folds_with_the_doubt_of_all_rows() -> None:
    """What calibration changes of all rows changes the mean as much; and no interval leaves the span of its metric."""
    raw, calibrated = random_run(np.arange(100) // 2).whole, random_run(np.arange(100) // 2).half
    folds = np.array([0.5, 0.62, 0.44])
    cv_result: Any = SimpleNamespace(
        predictions=raw, fold_scores={"log_loss": folds, "accuracy": np.array([0.99, 1.0])}
    )
    for sample in (raw, calibrated):
        estimate = score_out_of_fold(cv_result, LOG_LOSS, TASK, sample)
        by_rows = interval(LOG_LOSS, TASK, sample, sample.probability.argmax(axis=1))
        shift = folds.mean() - LOG_LOSS.score(TASK, raw, raw.truth)
        ends = [by_rows.value + shift, by_rows.low + shift, by_rows.high + shift]
        assert [estimate.value, estimate.low, estimate.high] == pytest.approx(ends)
    right = score_out_of_fold(cv_result, ACCURACY, TASK, raw)
    assert (right.value, right.high) == (pytest.approx(0.995), 1.0)


def test_rows_of_a_class_that_nobody_had_learned_may_be_known_to_the_model_that_ships() -> None:
    """The good end is that of the same rows if these were right and sure; value and bad end stay."""
    raw = random_run(np.arange(100) // 2).whole
    folds = {"log_loss": np.array([0.5, 0.6]), "accuracy": np.array([0.5, 0.6])}
    cv_result: Any = SimpleNamespace(predictions=raw, fold_scores=folds)
    new = raw.rows[raw.truth == 1][:20]
    mask = np.isin(raw.rows, new)[:, None]
    best = replace(raw, probability=np.where(mask, np.eye(raw.probability.shape[1])[raw.truth], raw.probability))
    for metric in (LOG_LOSS, ACCURACY):
        usual, open_ended = (score_out_of_fold(cv_result, metric, TASK, raw, rows) for rows in (new[:0], new))
        shift = np.mean(folds[metric.name]) - metric.score(TASK, raw, raw.probability.argmax(axis=1))
        at_best = interval(metric, TASK, best, best.probability.argmax(axis=1))
        assert open_ended.value == usual.value
        if metric.higher_is_better:
            assert (open_ended.low, open_ended.high) == (usual.low, pytest.approx(min(at_best.high + shift, 1.0)))
            assert open_ended.high > usual.high
        else:
            assert (open_ended.low, open_ended.high) == (pytest.approx(max(at_best.low + shift, 0.0)), usual.high)
            assert open_ended.low < usual.low
