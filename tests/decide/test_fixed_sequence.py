"""Where a search starts and how many rows it would need: its parts against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from sortal.decide import fixed_sequence as module
from sortal.decide.exact import Constraint, Counts, RankedScores
from sortal.decide.fixed_sequence import _ScoreBins

PRECISION = Constraint("precision", 0.8, 0.8)


def scores(n: int = 400, seed: int = 0) -> RankedScores:
    """Calibrated ones: what a row says, it does."""
    p = np.sort(np.random.default_rng(seed).beta(1, 2, size=n))
    return RankedScores(p, np.random.default_rng(seed + 1).random(n) < p)


def test_bins_share_out_the_learned_rows_from_high_to_low() -> None:
    rows = scores()
    bins = _ScoreBins.of(rows)
    assert (np.diff(bins.thresholds) < 0).all()
    assert (bins.rows.sum(), bins.hits.sum()) == (400, rows.positive.sum())
    assert bins.share.sum() == pytest.approx(1)
    above = 1.1
    for k, threshold in enumerate(bins.thresholds):
        inside = (rows.score >= threshold) & (rows.score < above)
        assert (bins.rows[k], bins.hits[k]) == (inside.sum(), rows.positive[inside].sum())
        score = rows.score[inside]
        assert bins.log_odds[k] == pytest.approx(np.log(score / (1 - score)).mean())
        above = threshold
    sure = _ScoreBins.of(RankedScores(np.array([0.0, 1.0]), np.array([False, True])))
    assert np.abs(sure.log_odds).max() < 28


@pytest.mark.parametrize(("rows", "first"), [(4, 4), (5, 5), (6, 5), (1_000, 5)])
def test_ranks_grow_by_some_per_cent_up_to_all(rows: int, first: int) -> None:
    ranks = module._growing(rows)
    assert (ranks[0], ranks[-1]) == (first, rows)
    assert (np.diff(ranks) > 0).all()
    assert (ranks[1:] <= np.maximum(ranks[:-1] * 1.04 + 1, ranks[:-1] + 1)).all()


def test_fine_steps_are_a_fifth_of_the_noise() -> None:
    steps = module._finely(25.0, 900)
    assert steps[0] == 25.0
    assert steps[-1] == pytest.approx(900, abs=6)
    assert np.diff(steps) / np.sqrt(steps[:-1]) == pytest.approx(0.2, abs=0.01)


def test_the_curve_of_the_scores_is_the_most_likely_within_its_prior() -> None:
    bins = _ScoreBins.of(scores())

    def height(at: np.ndarray) -> float:
        line = at[0] + at[1] * bins.log_odds
        losses = bins.rows * np.logaddexp(0, line) - bins.hits * line
        return float(losses.sum() + 0.01 * at[0] ** 2 / 2 + (at[1] - 1) ** 2 / 2)

    fit, covariance = module._logistic(bins)
    best = optimize.minimize(height, [0.0, 1.0], options={"gtol": 1e-9})
    assert fit == pytest.approx(best.x, abs=1e-4)
    step, bend = 1e-3 * np.eye(2), np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            a, b = step[i], step[j]
            bend[i, j] = (height(fit + a + b) - height(fit + a - b) - height(fit - a + b) + height(fit - a - b)) / 4e-6
    assert covariance == pytest.approx(np.linalg.inv(bend), rel=1e-2)


def test_half_of_the_draws_follow_the_curve_and_half_each_bin() -> None:
    """The one bin is far from its curve, and its own rows say so."""
    bins = _ScoreBins(
        np.array([0.7, 0.4, 0.1]), np.array([1.5, 0.0, -1.5]), np.array([40.0, 60.0, 80.0]), np.array([8.0, 30.0, 12.0])
    )
    rng = np.random.default_rng(0)
    rates = np.array([module._drawn_rates(bins, rng) for _ in range(40)])
    assert rates.shape == (40, module.DRAWS, 3)
    fit, _ = module._logistic(bins)
    curve = 1 / (1 + np.exp(-fit[0] - fit[1] * bins.log_odds))
    smooth, rough = (rates[:, part].reshape(-1, 3) for part in (slice(0, 100), slice(100, None)))
    assert smooth.mean(axis=0) == pytest.approx(curve, abs=0.02)
    posterior = stats.beta(bins.hits + curve, bins.rows - bins.hits + 1 - curve)
    assert rough.mean(axis=0) == pytest.approx(posterior.mean(), abs=0.006)
    assert rough.std(axis=0) == pytest.approx(posterior.std(), rel=0.05)


def test_shares_are_drawn_from_what_was_counted() -> None:
    counts = Counts(np.array([50.0]), np.array([40.0]), np.array(60.0), np.array(140.0))
    draws = [module._drawn_shares(counts, np.random.default_rng(seed)) for seed in range(60)]
    selected, hits, positives, negatives = (np.concatenate([draw[k] for draw in draws]) for k in range(4))
    assert set(selected.ravel().tolist()) == {0.25}
    prior = 60.5 / 201
    above, below = stats.beta(40 + prior, 10 + 1 - prior), stats.beta(20 + prior, 130 + 1 - prior)
    assert hits.mean() == pytest.approx(0.25 * above.mean(), abs=0.002)
    assert hits.std() == pytest.approx(0.25 * above.std(), rel=0.05)
    assert (positives - hits).mean() == pytest.approx(0.75 * below.mean(), abs=0.002)
    assert (positives - hits).std() == pytest.approx(0.75 * below.std(), rel=0.05)
    assert (positives + negatives) == pytest.approx(np.ones(positives.shape))
    assert module._rest(np.array([0.25, 1.0 + 1e-16, 1.5])).tolist() == [0.75, 0.0, 0.0]


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_least_number_that_passes_is_told_to_a_row(rate: float, alpha: float) -> None:
    trials = np.array([60.0, 200.0, 1_000.0])
    exact = stats.binom.isf(alpha, trials, rate) + 1
    assert np.abs(np.ceil(module._critical(trials, rate, alpha)) - exact).max() <= 1


def test_the_lower_limit_is_that_of_wilson_at_one_side() -> None:
    k, n, z = np.array([0.0, 30.0, 50.0]), np.array([0.0, 40.0, 50.0]), stats.norm.isf(0.05)
    n1 = np.maximum(n, 1)
    p = k / n1
    expected = (p + z**2 / (2 * n1) - z * np.sqrt(p * (1 - p) / n1 + z**2 / (4 * n1**2))) / (1 + z**2 / n1)
    assert module._lower_limit(k, n, 0.05) == pytest.approx(expected, abs=1e-12)


def test_a_start_is_worth_the_recall_at_the_end_of_its_run_of_passes() -> None:
    passes = np.array([[True, True, False, True], [False, True, True, True]])
    recall = np.array([[0.1, 0.3, 0.5, 0.9], [0.2, 0.4, 0.6, 0.8]])
    expected = [(0.3 + 0.0) / 2, (0.3 + 0.8) / 2, (0.0 + 0.8) / 2, (0.9 + 0.8) / 2]
    assert module._worth(passes, recall) == pytest.approx(expected)


@pytest.mark.parametrize("n", [50, 400])
def test_how_probably_so_many_rows_would_pass(n: int) -> None:
    """A fifth of the rows is selected, of which nine tenths are right."""
    shares = Counts(*(np.array([[x]]) for x in (0.2, 0.18, 0.3, 0.7)))
    power = module._power([PRECISION], shares, n, 0.05)
    trials = n // 5
    least = stats.binom.isf(0.05, trials, 0.8) + 1
    assert power.shape == (1, 1)
    assert power[0, 0] == pytest.approx(stats.binom.sf(least - 1, trials, 0.9), abs=0.1)
    recall = Constraint("recall", 0.3, 0.3)
    both = module._power([PRECISION, recall], shares, n, 0.05)
    assert both[0, 0] == min(power[0, 0], module._power([recall], shares, n, 0.05)[0, 0])


def test_what_a_model_reaches_is_told_of_precision_alone() -> None:
    bins = _ScoreBins.of(scores())
    hits, rows, z = np.cumsum(bins.hits), np.cumsum(bins.rows), stats.norm.isf(0.025)
    p = hits / rows
    low = (p + z**2 / (2 * rows) - z * np.sqrt(p * (1 - p) / rows + z**2 / (4 * rows**2))) / (1 + z**2 / rows)
    assert module._reaches([PRECISION], bins) == pytest.approx(low.max())
    assert module._reaches([PRECISION, Constraint("recall", 0.3, 0.3)], bins) is None
    assert module._reaches([Constraint("fpr", 0.1, 0.9)], bins) is None


def test_counts_of_two_parts_add_up() -> None:
    one, two = (Counts(*(np.array([float(k + x)]) for k in range(4))) for x in (1, 10))
    total = module._sum(one, two)
    assert [x.tolist() for x in (total.selected, total.hits, total.positives, total.negatives)] == [
        [11.0], [13.0], [15.0], [17.0],
    ]  # fmt: skip


def test_an_outlook_asks_for_as_many_rows_as_would_do() -> None:
    """With as many rows as it says four of five samples pass; with half of them fewer do."""
    learner, tested = scores(600, 2), scores(300, 4)
    outlook = module.outlook([Constraint("precision", 0.72, 0.72)], learner, tested, 300, 0.05)
    assert outlook.rows is not None
    assert outlook.rows >= 300
    assert outlook.chance >= module.CHANCE
    vain = module.outlook([Constraint("precision", 0.999, 0.999)], learner, tested, 300, 0.05)
    assert vain.rows is None
    assert vain.chance < module.CHANCE
    assert vain.reaches == module._reaches([PRECISION], _ScoreBins.of(learner))


def test_ranks_of_precision_are_the_fewest_with_which_so_many_wrong_ones_pass() -> None:
    for rows in (30, 100, 333):
        ranks = module._frugal_ranks(PRECISION, rows, 0.05)
        assert (np.diff(ranks) > 0).all()
        assert ranks[-1] == rows
        fewest = [
            next(n for n in range(1, 2_000) if stats.binom.sf(n - k - 1, n, 0.8) <= 0.05) for k in range(rows)
            if stats.binom.sf(rows - k - 1, rows, 0.8) <= 0.05
        ]  # fmt: skip
        assert set(fewest) <= set(ranks.tolist())
        assert {n for n in ranks.tolist() if fewest[0] <= n < rows} <= set(fewest)


def separated_scores(n: int, seed: int) -> RankedScores:
    """Above a half nine of ten are right, below it hardly any is."""
    p = np.sort(np.random.default_rng(seed).random(n))
    right = np.where(p > 0.5, 0.97, 0.03)
    return RankedScores(p, np.random.default_rng(seed + 1).random(n) < right)


def test_precision_goes_by_the_ranks_of_the_rows_that_prove_it() -> None:
    learner, proof = separated_scores(600, 0), separated_scores(300, 5)
    thresholds = module.planned_sequence([PRECISION], learner, proof.score, 0.05)
    ranks = module._frugal_ranks(PRECISION, 300, 0.05)
    start = module._best_start([PRECISION], learner, ranks, 0.05, ranked=True)
    selected = [(proof.score >= threshold).sum() for threshold in thresholds]
    assert selected == ranks[start:].tolist()
    assert (np.diff(thresholds) < 0).all()
    # Recall is nearly whole where all that is above a half is taken, and a start beyond it would be vain.
    assert 20 <= selected[0] <= 175


def test_several_measures_go_by_the_thresholds_of_the_learned_rows() -> None:
    learner, proof = separated_scores(600, 0), separated_scores(300, 5)
    both = [PRECISION, Constraint("recall", 0.5, 0.5)]
    thresholds = module.planned_sequence(both, learner, proof.score, 0.05)
    between = [(learner.score >= threshold).sum() for threshold in thresholds]
    assert (np.diff(thresholds) < 0).all()
    assert between[-1] <= 600
    ranks = module._growing(300)
    start = module._best_start(both, learner, ranks, 0.05, ranked=False)
    assert between[0] == pytest.approx(2 * ranks[start], abs=1)
    # Where the precision holds, and half of the positives are found: from a quarter of the rows to a little over a half.
    assert 150 <= between[0] <= 330
    nothing = RankedScores(np.zeros(0), np.zeros(0, dtype=bool))
    assert module.planned_sequence(both, nothing, proof.score, 0.05).tolist() == [0.5]
