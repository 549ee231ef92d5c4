from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.core.task import Capacity, Task
from sortal.decide.chosen import SAMPLES, decide_apart, threshold_interval
from sortal.decide.threshold import decide

TASK = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", ("f1",), (), goal="f1")
F1 = registry.load("sortal.metrics", "f1")
SHIFT = 1.5


def draw(n: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.2).astype(np.int64)
    score = 1 / (1 + np.exp(-SHIFT * (rng.normal(size=n) + SHIFT * (truth - 0.5)) - np.log(0.25)))
    return Predictions(TASK.classes, np.arange(n), truth, np.column_stack([1 - score, score]), "out-of-fold")


def f1(rows: Predictions, decided: np.ndarray) -> float:
    return F1.score(TASK, rows, decided)


def test_the_f1_of_a_chosen_threshold_is_not_flattered_by_its_choice() -> None:
    """Of 60 samples of 200 rows, against what the thresholds do on many others."""
    fresh = draw(100_000, seed=1_000_000)
    naive, apart, truth = [], [], []
    for seed in range(60):
        rows = draw(200, seed)
        rule = decide(TASK, rows)
        naive.append(f1(rows, rule.decide(rows)))
        apart.append(f1(rows, decide_apart(TASK, rows, rule, seed)))
        truth.append(f1(fresh, rule.decide(fresh)))
    error = np.std(np.array(apart) - truth) / np.sqrt(60)
    assert np.mean(naive) - np.mean(truth) > 0.03
    assert abs(np.mean(apart) - np.mean(truth)) <= 2.5 * error
    assert np.mean(apart) <= np.mean(naive)


def test_each_row_is_decided_by_others() -> None:
    """Wherever the truth of one row is turned, its own decision stays; with groups, that of all its group."""
    rows = replace(draw(60, seed=3), groups=np.repeat(np.arange(30), 2))
    before = decide_apart(TASK, rows, decide(TASK, rows), 0)
    others_moved = False
    for row in range(60):
        truth = rows.truth.copy()
        truth[row] = 1 - truth[row]
        new_rows = replace(rows, truth=truth)
        after = decide_apart(TASK, new_rows, decide(TASK, new_rows), 0)
        own = rows.groups == rows.groups[row]
        assert (after[own] == before[own]).all()
        others_moved |= bool((after != before).any())
    assert others_moved


def test_a_rule_that_no_row_chose_decides_as_it_is() -> None:
    rows = draw(100, seed=4)
    task = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", (), (), "cost", ((0.0, 1.0), (4.0, 0.0)))
    rule = decide(task, rows)
    assert (decide_apart(task, rows, rule, 0) == rule.decide(rows)).all()
    assert threshold_interval(task, rows, rule, 0) is None


def test_the_interval_of_a_threshold_holds_the_best_one() -> None:
    grid = np.linspace(0.05, 0.9, 200)
    fresh = draw(200_000, seed=2_000_000)
    best = grid[np.argmax([f1(fresh, (fresh.probability[:, 1] >= t).astype(np.int64)) for t in grid[::5]]) * 5]
    n_covered = 0
    for seed in range(60):
        rows = draw(400, seed)
        interval = threshold_interval(TASK, rows, decide(TASK, rows), seed)
        assert interval is not None
        assert interval.low <= interval.value <= interval.high
        n_covered += interval.low <= best <= interval.high
    assert n_covered >= 54


def test_the_threshold_of_a_capacity_varies_as_a_quantile() -> None:
    task = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", (), (), goal="capacity", capacity=Capacity(0.1))
    rows = draw(1000, seed=5)
    rule = decide(task, rows)
    interval = threshold_interval(task, rows, rule, 0)
    assert interval is not None
    sorted_scores = np.sort(rows.probability[:, 1])[::-1]
    # The rank of a quantile is binomial: 100 +- 1.96 * 9.5 of a thousand rows.
    assert interval.value == rule.threshold == sorted_scores[99]
    assert interval.low == pytest.approx(sorted_scores[118], abs=0.02)
    assert interval.high == pytest.approx(sorted_scores[81], abs=0.02)


def test_groups_make_a_threshold_less_sure() -> None:
    rows = draw(100, seed=6)
    ten = np.repeat(np.arange(100), 10)
    many = Predictions(rows.classes, np.arange(1000), rows.truth[ten], rows.probability[ten], rows.part)
    grouped = Predictions(rows.classes, np.arange(1000), rows.truth[ten], rows.probability[ten], rows.part, groups=ten)
    alone, together = (threshold_interval(TASK, p, decide(TASK, p), 0) for p in (many, grouped))
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def swap_classes(rows: Predictions) -> Predictions:
    """The same rows with the positive class first."""
    return replace(rows, classes=("yes", "no"), truth=1 - rows.truth, probability=rows.probability[:, ::-1].copy())


@pytest.mark.parametrize("goal", ["f1", "capacity"])
@pytest.mark.parametrize("groups", [None, np.arange(90) // 3])
def test_the_positive_class_may_be_the_first(goal: str, groups: np.ndarray | None) -> None:
    rows = replace(draw(90, seed=8), groups=groups)
    task = replace(TASK, goal=goal, capacity=Capacity(0.2) if goal == "capacity" else None, beta=2.0)
    other = replace(task, classes=("yes", "no"), prevalence=(0.2, 0.8))
    one, two = decide(task, rows), decide(other, swap_classes(rows))
    assert threshold_interval(task, rows, one, 3) == threshold_interval(other, swap_classes(rows), two, 3)
    if groups is not None:  # folds of single rows are dealt class by class
        assert (decide_apart(task, rows, one, 3) == 1 - decide_apart(other, swap_classes(rows), two, 3)).all()


def test_a_class_that_is_sure_and_apart_has_its_threshold_in_the_middle_of_the_gap() -> None:
    """Whatever rows are drawn, 20 at .1 and 20 at .9 are parted at .5; and no row has a say where it is."""
    p, truth = np.repeat([0.1, 0.9], 20), np.repeat([0, 1], 20)
    rows = Predictions(TASK.classes, np.arange(40), truth, np.column_stack([1 - p, p]), "valid")
    interval = threshold_interval(TASK, rows, decide(TASK, rows), 0)
    assert interval is not None
    assert (interval.low, interval.value, interval.high) == pytest.approx((0.5, 0.5, 0.5))
    assert decide_apart(TASK, rows, decide(TASK, rows), 0).tolist() == truth.tolist()


def test_one_group_alone_has_nobody_to_choose_for_it() -> None:
    p = np.array([0.2, 0.4, 0.6])
    rows = Predictions(
        TASK.classes, np.arange(3), np.array([0, 1, 1]), np.column_stack([1 - p, p]), "valid", groups=np.ones(3, int)
    )
    assert decide_apart(TASK, rows, decide(TASK, rows), 0).tolist() == [0, 0, 1]


def test_the_more_recall_weighs_the_lower_the_interval_lies() -> None:
    rows = draw(400, seed=9)
    ends = []
    for beta in (0.25, 1.0, 4.0):
        task = replace(TASK, beta=beta)
        interval = threshold_interval(task, rows, decide(task, rows), 0)
        assert interval is not None
        ends.append((interval.low, interval.high))
    assert ends == sorted(ends, reverse=True)
    assert ends[0][0] > ends[2][1]


def test_a_capacity_that_all_rows_fit_into_begins_at_the_last_row() -> None:
    task = replace(TASK, goal="capacity", capacity=Capacity(1.0))
    rows = draw(50, seed=10)
    interval = threshold_interval(task, rows, decide(task, rows), 0)
    assert interval is not None
    assert interval.low == interval.value == rows.probability[:, 1].min()
    assert interval.high < np.sort(rows.probability[:, 1])[10]


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("groups", [None, np.arange(60) // 3])
def test_the_interval_is_that_of_the_best_cut_of_each_sample(beta: float, groups: np.ndarray | None) -> None:
    """By counting: F-beta at each score of rows that are drawn again, (1 + b^2) h / (selected + b^2 positives)."""
    rows = replace(draw(60, seed=11), groups=groups)
    p = rows.probability[:, 1].round(2)
    rows = replace(rows, probability=np.column_stack([1 - p, p]))
    task = replace(TASK, beta=beta)
    rule = decide(task, rows)
    interval = threshold_interval(task, rows, rule, 4)
    assert interval is not None
    cuts = np.unique(p)[::-1]
    middles = (cuts + np.append(cuts[1:], 0.0)) / 2
    # Rows are drawn in the order of their scores, groups by their number.
    order = np.argsort(-p, kind="stable")
    units = 60 if groups is None else 20
    rng, best = np.random.default_rng(4), []
    for _ in range(SAMPLES):
        draws = np.bincount(rng.integers(units, size=units), minlength=units)
        count = np.empty(60)
        count[order] = draws if groups is None else draws[groups[order]]
        hits, selected = (
            np.array([(count * weight)[p >= cut].sum() for cut in cuts]) for weight in (rows.truth, np.ones(60))
        )
        score = (1 + beta**2) * hits / np.maximum(selected + beta**2 * (count * rows.truth).sum(), 1)
        best.append(middles[int(np.argmax(score))])
    low, high = np.quantile(best, [0.025, 0.975])
    assert (interval.low, interval.high) == pytest.approx((min(low, rule.threshold), max(high, rule.threshold)))
    assert interval.value == rule.threshold
