"""Exact tests at thresholds, against SciPy's binomial distribution and counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sortal.core.predictions import Predictions
from sortal.decide.exact import Constraint, Counts, RankedScores, at_least, between, fewest_trials, p_value


@pytest.mark.parametrize("trials", [0, 1, 7, 40])
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_the_tail_is_that_of_the_binomial_distribution(trials: int, rate: float) -> None:
    successes = np.arange(-1.0, trials + 3)
    tail = at_least(successes, np.full(len(successes), float(trials)), rate)
    assert tail == pytest.approx(stats.binom.sf(successes - 1, trials, rate))
    assert (tail[0], tail[1], tail[-1]) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(("rate", "alpha"), [(0.9, 0.05), (0.5, 0.2), (0.99, 0.01)])
def test_the_fewest_trials_show_a_rate_and_one_less_does_not(rate: float, alpha: float) -> None:
    failures = np.array([0.0, 1.0, 2.0, 9.0, 40.0])
    trials = fewest_trials(failures, rate, alpha)
    assert trials.tolist() == np.round(trials).tolist()
    assert (stats.binom.cdf(failures, trials, 1 - rate) <= alpha).all()
    assert (stats.binom.cdf(failures, trials - 1, 1 - rate) > alpha).all()


SCORE, POSITIVE = [0.9, 0.2, 0.5, 0.5, 0.7, 0.1], [1, 0, 1, 0, 0, 1]


def ranked_scores(positive: str = "p") -> RankedScores:
    p = np.array(SCORE)
    names = ("n", "p") if positive == "p" else ("p", "n")
    columns, truth = ([1 - p, p], POSITIVE) if positive == "p" else ([p, 1 - p], 1 - np.array(POSITIVE))
    return RankedScores.of(
        Predictions(names, np.arange(6) * 7, np.array(truth), np.column_stack(columns), "valid"), "p"
    )


@pytest.mark.parametrize("positive", ["p", "first"])
def test_scores_are_ranked_with_their_labels(positive: str) -> None:
    scores = ranked_scores(positive)
    assert scores.score.tolist() == sorted(SCORE)
    assert scores.positive.tolist() == [True, False, True, False, False, True]
    assert len(scores) == 6
    subset = scores.take(np.array([True, False, True, False, False, True]))
    assert (subset.score.tolist(), subset.positive.tolist()) == ([0.1, 0.5, 0.9], [True, True, True])


@pytest.mark.parametrize(
    ("threshold", "selected", "hits"),
    [(1.0, 0, 0), (0.9, 1, 1), (0.71, 1, 1), (0.7, 2, 1), (0.5, 4, 2), (0.49, 4, 2), (0.1, 6, 3), (0.0, 6, 3)],
)
def test_what_a_threshold_selects(threshold: float, selected: int, hits: int) -> None:
    counts = ranked_scores().counts(np.array([threshold]))
    assert (counts.selected.tolist(), counts.hits.tolist()) == ([selected], [hits])
    assert (float(counts.positives), float(counts.negatives)) == (3.0, 3.0)


def test_each_measure_has_its_successes_and_trials() -> None:
    """Of 10 rows that are selected 8 are right; of 20 positives and 30 negatives 12 are missed and 28 spared."""
    counts = Counts(*(np.array([x]) for x in (10.0, 8.0, 20.0, 30.0)))
    for measure, expected in (("precision", (8, 10)), ("recall", (8, 20)), ("fpr", (28, 30))):
        constraint = Constraint(measure, 0.0, 0.6)  # type: ignore[arg-type]
        successes, trials = constraint.outcome(counts)
        assert (successes.tolist(), trials.tolist()) == ([expected[0]], [expected[1]])
        assert p_value(constraint, counts)[0] == pytest.approx(stats.binom.sf(expected[0] - 1, expected[1], 0.6))


def test_a_threshold_lies_between_two_scores_and_selects_the_higher() -> None:
    assert between(0.2, 0.6) == pytest.approx(0.4)
    assert between(0.5, np.nextafter(0.5, 1)) == np.nextafter(0.5, 1)
    assert between(0.5, 0.5) == 0.5


@pytest.mark.parametrize(("alpha", "trials"), [(0.25, 2), (0.2499, 3), (0.125, 3), (0.124, 4)])
def test_a_chance_of_just_alpha_passes(alpha: float, trials: int) -> None:
    """All of n right where half are: one chance in 2^n."""
    assert fewest_trials(np.array([0.0]), 0.5, alpha).tolist() == [trials]
