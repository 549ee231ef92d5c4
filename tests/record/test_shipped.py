from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.record.shipped import REACH, Gap, gap, shipped

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
    halved: bool = True
    rows: tuple[int, int] = (80, 100)

    def trained(self) -> Any:
        chosen = SimpleNamespace(pipeline=SimpleNamespace(rows=self.rows[0]), predictions=self.whole)
        halving = SimpleNamespace(predictions=self.half) if self.halved else None
        return SimpleNamespace(
            developed=SimpleNamespace(halving=halving, choice=SimpleNamespace(chosen=chosen)),
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
    found, naive = (gap(run.trained(), TASK, LOG_LOSS) for run in (together, apart))
    assert found.refit == naive.refit
    assert found.spread is not None
    assert naive.spread is not None
    assert found.spread == pytest.approx(2 * naive.spread, rel=0.05)


def test_the_fit_of_a_fold_gains_nothing_and_varies_as_such() -> None:
    run = random_run()
    fold, all_rows = (
        gap(Run(run.whole, run.half, r, rows=(80, n)).trained(), TASK, LOG_LOSS) for r, n in ((False, 80), (True, 100))
    )
    assert fold.refit is None
    assert fold.spread == pytest.approx(100 / 80 * (all_rows.spread or 0.0))


def test_without_fits_on_half_of_the_rows_nothing_is_known() -> None:
    run = random_run()
    assert gap(Run(run.whole, run.half, halved=False).trained(), TASK, LOG_LOSS) == Gap()


def test_a_figure_that_is_no_mean_of_rows_has_no_spread() -> None:
    found = gap(random_run().trained(), TASK, ECE)
    assert found.refit is not None
    assert found.spread is None


def test_doubts_are_joined_as_squares_side_by_side() -> None:
    """Half-widths .03 and .05 of the rows, .04 of a change of .04, and of a spread of .01 twice 1.96 times that."""
    found = shipped(Interval(0.5, 0.47, 0.55), Gap(refit=-0.04, spread=0.01))
    reach = 2 * 1.959964 * 0.01
    assert pytest.approx(reach, rel=1e-6) == REACH * 0.01
    assert found.value == pytest.approx(0.46)
    assert found.low == pytest.approx(0.46 - np.sqrt(0.03**2 + 0.04**2 + reach**2))
    assert found.high == pytest.approx(0.46 + np.sqrt(0.05**2 + 0.04**2 + reach**2))


def test_what_is_not_moved_reaches_to_the_far_side_of_the_change() -> None:
    found = shipped(Interval(0.5, 0.47, 0.55), Gap(refit=-0.02), moved=False)
    assert (found.value, found.high) == (0.5, pytest.approx(0.55))
    assert found.low == pytest.approx(0.5 - 0.05)


def test_nothing_known_changes_nothing() -> None:
    assert shipped(Interval(0.5, 0.4, 0.6), Gap(), None) == Interval(0.5, 0.4, 0.6)


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
        found = gap(Run(*pair, rows=(n * 4 // 5, n)).trained(), task, LOG_LOSS)
        model, by_rows = np.log(shares(truth, k)), np.log(share)
        spreads.append(found.spread)
        risks.append(-float(share @ model))
        # The noise of the rows alone, which the true shares have as well, is taken off.
        off = float(share @ model) - np.log(whole[np.arange(n), truth]).mean()
        errors.append(off - float(share @ by_rows) + by_rows[truth].mean())
    assert np.mean(spreads) == pytest.approx(np.std(risks), rel=0.2)
    assert np.std(errors) == pytest.approx(2 * np.std(risks), rel=0.2)


def shares(truth: np.ndarray, k: int) -> np.ndarray:
    count = np.bincount(truth, minlength=k) + 0.5
    return count / count.sum()
