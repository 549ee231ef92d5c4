"""Figures by slice: exact small cases, how often chance is called a difference, and how large one is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from sortal.core import registry
from sortal.core.disclosure import Disclosure
from sortal.core.frame import conform
from sortal.core.infer import infer
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.slices import CELLS, Slice, Slices, by_slice, some_rows
from sortal.stats.two_parts import gap

TASK = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ())
COSTLY = replace(TASK, cost=((0.0, 1.0), (8.0, 0.0)))
THREE = replace(TASK, classes=("a", "b", "c"), prevalence=(0.4, 0.3, 0.3), positive=None)


def table(**columns: Any) -> Table:
    raw = pl.DataFrame(columns)
    schema = infer(raw, None)
    return Table(schema, conform(raw, schema, ("feature",)), np.arange(raw.height))


def make_rows(p: Any, truth: Any, groups: Any = None) -> Predictions:
    """Rows by the probability of the class 'yes'; their ids are not their positions."""
    p, truth = np.asarray(p, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    return Predictions(TASK.classes, 10 + np.arange(len(p)), truth, np.column_stack([1 - p, p]), "test", groups=groups)


def decided(predictions: Predictions) -> np.ndarray:
    return predictions.probability.argmax(axis=1)


def of(slices: Slices, column: str, condition: str) -> Slice:
    return next(s for s in slices.slices if (s.column, s.condition) == (column, condition))


def example() -> tuple[Predictions, Table]:
    """40 rows of the north, of which 24 are wrong, and 160 of the south, of which 16 are."""
    wrong = np.concatenate([np.arange(40) < 24, np.arange(160) < 16])
    truth = np.arange(200) % 2
    where = table(region=["north"] * 40 + ["south"] * 160, half=["b"] * 16 + ["a"] * 100 + ["b"] * 84)
    return make_rows(np.where(wrong != (truth == 1), 0.8, 0.2), truth), where


def test_by_hand():
    rows, where = example()
    slices = by_slice(TASK, rows, decided(rows), where)
    wrong_loss, right_loss = -np.log(0.2), -np.log(0.8)
    assert (slices.metric, slices.part, slices.rows, slices.columns) == ("log_loss", "test", 200, 2)
    assert (slices.tested, slices.too_few) == (4, 0)
    north = slices.slices[0]
    assert (north.column, north.condition, north.rows, north.share) == ("region", "= north", 40, 0.2)
    assert north.figure.value == pytest.approx(0.6 * wrong_loss + 0.4 * right_loss)
    assert north.elsewhere == pytest.approx(0.1 * wrong_loss + 0.9 * right_loss)
    assert north.difference.value == pytest.approx(0.5 * (wrong_loss - right_loss))
    assert north.expected == pytest.approx(0.2 * wrong_loss + 0.8 * right_loss)
    # 40 of 200 rows are wrong; the variance of all of them is larger than that of the south.
    unit = (wrong_loss - right_loss) ** 2
    inside, others = unit * 0.6 * 0.4 * 40 / 39, unit * 0.2 * 0.8 * 200 / 199
    one, other = inside / 40, others / 160
    degrees = (one + other) ** 2 / (one**2 / 39 + other**2 / 159)
    p = 2 * stats.t.sf(0.5 * np.sqrt(unit / (one + other)), degrees)
    assert north.p_value == pytest.approx(4 * p)
    half = stats.t.ppf(1 - 0.05 / 4 / 2, degrees) * np.sqrt(one + other)
    assert north.difference.high - north.difference.value == pytest.approx(half)
    assert [s.worse for s in slices.slices] == [True, False, False, False]
    assert slices.shown == (north,)


def test_a_figure_is_the_metric_of_these_rows():
    rng = np.random.default_rng(0)
    p = rng.random(120)
    rows = make_rows(p, rng.random(120) < p, groups=np.arange(120) // 2)
    kinds = np.where(np.arange(120) % 3 == 0, "x", "z")
    slices = by_slice(COSTLY, rows, decided(rows), table(kind=kinds))
    cost = registry.load("sortal.metrics", "expected_cost")
    for name in ("x", "z"):
        subset = rows.take(kinds == name)
        assert of(slices, "kind", f"= {name}").figure == Estimate.of(interval(cost, COSTLY, subset, decided(subset)))


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        (TASK, "log_loss"),
        (COSTLY, "expected_cost"),
        (replace(TASK, metric="brier"), "brier"),
        (replace(TASK, metric="roc_auc"), "log_loss"),
        (replace(TASK, metric="f1"), "log_loss"),
        (replace(TASK, metric="accuracy"), "expected_cost"),
    ],
)
def test_slices_are_measured_by_what_decides_or_selects(task, metric):
    rows, where = example()
    assert by_slice(task, rows, decided(rows), where).metric == metric


def test_what_the_probabilities_expect_of_costs_and_of_three_classes():
    rows, where = example()
    slices = by_slice(COSTLY, rows, np.ones(200, dtype=np.int64), where, requested=["half"])
    mask = (where["half"] == "a").to_numpy()
    assert of(slices, "half", "= a").expected == pytest.approx((1 - rows.probability[mask, 1]).mean())
    p = np.tile([0.5, 0.3, 0.2], (200, 1))
    three = Predictions(THREE.classes, np.arange(200), np.arange(200) % 3, p, "test")
    entropy = -(p[0] * np.log(p[0])).sum()
    slices = by_slice(THREE, three, decided(three), where, requested=["half"])
    assert of(slices, "half", "= b").expected == pytest.approx(entropy)
    assert of(slices, "region", "= north").expected is None


def test_a_metric_of_which_more_is_better_is_worse_below(monkeypatch):
    """Of a plug-in: how probable the true class was."""
    from sortal.stats.sampling import Mean

    def sampling(task, predictions, decided):
        return Mean(predictions.probability[np.arange(len(predictions)), predictions.truth])

    brier = registry.load("sortal.metrics", "brier")
    likelihood = replace(brier, higher_is_better=True, sampling=sampling, score=lambda *a: sampling(*a).values.mean())
    monkeypatch.setattr("sortal.evaluate.slices.registry.load", lambda group, name: likelihood)
    rows, where = example()
    slices = by_slice(replace(TASK, metric="brier"), rows, decided(rows), where)
    assert [(s.condition, s.worse) for s in slices.slices[:2]] == [("= north", True), ("= a", False)]
    assert of(slices, "region", "= north").difference.value == pytest.approx(-0.3)


def test_too_few_rows_or_groups_are_counted_and_not_tested():
    rows, _ = example()
    sizes = table(a=["x"] * 29 + ["z"] * 171, b=["x"] * 30 + ["z"] * 170)
    slices = by_slice(TASK, rows, decided(rows), sizes)
    # z of a has enough rows, and those it is held against have not.
    assert (slices.tested, slices.too_few, {s.column for s in slices.slices}) == (2, 2, {"b"})
    for inside, tested in ((4, 0), (5, 2)):
        groups = np.where(np.arange(200) < 30, np.arange(200) % inside, np.arange(200))
        grouped = replace(rows, groups=groups)
        assert by_slice(TASK, grouped, decided(rows), sizes).tested == tested


def test_what_was_asked_for_is_shown_in_its_order_whatever_the_test_says():
    rows, where = example()
    small = table(region=where["region"], few=["x"] * 3 + ["b"] * 7 + ["a"] * 190)
    slices = by_slice(TASK, rows, decided(rows), small, ["few"], Disclosure(5))
    assert [(s.column, s.condition) for s in slices.shown] == [("region", "= north"), ("few", "= a"), ("few", "= b")]
    small_slice = of(slices, "few", "= b")
    assert (small_slice.rows, small_slice.p_value, small_slice.worse, small_slice.asked) == (7, None, False, True)
    assert small_slice.difference == Estimate(None)
    assert (slices.tested, slices.too_few) == (2, 3)
    alone = by_slice(TASK, rows, decided(rows), table(one=["x"] * 200), ["one"]).slices
    assert [(s.rows, s.elsewhere, s.p_value) for s in alone] == [(200, None, None)]


def test_worse_ones_are_in_the_order_of_their_difference_and_others_asked_for_in_that_of_their_levels():
    """All 40 rows of a are wrong, of x these and 20 others are, of z 9 of 90, of y 10 of 50."""
    wrong = np.concatenate([np.zeros(20), np.arange(90) < 9, np.arange(50) < 10, np.ones(40)]).astype(np.bool_)
    truth = np.arange(200) % 2
    rows = make_rows(np.where(wrong != (truth == 1), 0.8, 0.2), truth)
    where = table(half=["x"] * 20 + ["z"] * 90 + ["y"] * 50 + ["x"] * 40, level=["c"] * 160 + ["a"] * 40)
    slices = by_slice(TASK, rows, decided(rows), where, ["half"]).slices
    assert [(s.condition, s.worse, s.asked) for s in slices] == [
        ("= a", True, False),
        ("= x", True, True),
        ("= z", False, True),
        ("= y", False, True),
        ("= c", False, False),
    ]


def test_rows_of_a_group_vary_together():
    """Every row stands there four times."""
    rows, where = example()
    four = np.repeat(np.arange(200), 4)
    many, where = rows.take(four), where.take(four)
    apart, together = (
        of(by_slice(TASK, sample, decided(sample), where), "half", "= a")
        for sample in (many, replace(many, groups=four))
    )
    width = [s.difference.high - s.difference.low for s in (apart, together)]
    assert width[1] > 1.9 * width[0]
    assert together.figure.high - together.figure.low > 1.9 * (apart.figure.high - apart.figure.low)


def noise(rng: np.random.Generator, n: int) -> tuple[Predictions, Table]:
    """A model that is right, and columns that have nothing to do with how hard a row is."""
    p = 1 / (1 + np.exp(-rng.normal(-1, 2, size=n)))
    columns = {
        "age": rng.normal(50, 10, n).round(),
        "region": rng.choice(list("abcde"), n),
        "flag": rng.random(n) < 0.1,
    }
    return make_rows(p, rng.random(n) < p), table(**columns)


@pytest.mark.parametrize("task", [TASK, COSTLY])
def test_where_nothing_differs_hardly_any_run_names_a_slice(task):
    rng, runs = np.random.default_rng(5), 100
    wrong = 0
    for _ in range(runs):
        rows, where = noise(rng, 400)
        slices = by_slice(task, rows, decided(rows), where)
        assert slices.tested >= 10
        wrong += any(s.p_value <= 0.05 for s in slices.slices)
    # Of 100 runs at 5 %, 10 or fewer with a probability of .99.
    assert wrong <= stats.binom.ppf(0.99, runs, 0.05)


def test_a_slice_on_which_the_model_guesses_is_found():
    rng, runs, hits = np.random.default_rng(6), 25, 0
    for _ in range(runs):
        rows, where = noise(rng, 1200)
        inside = (where["region"] == "c").to_numpy()
        noisy = replace(rows, truth=np.where(inside, rng.integers(2, size=1200), rows.truth))
        worst = by_slice(TASK, noisy, decided(rows), where).slices[0]
        hits += worst.worse and worst.condition == "= c"
    assert hits >= 23


def test_of_very_many_rows_some_are_looked_at_by_the_seed():
    assert some_rows(7, 3, seed=0).tolist() == list(range(7))
    sample = some_rows(CELLS, 10, seed=1)
    assert len(sample) == len(np.unique(sample)) == CELLS // 10
    assert (np.diff(sample) > 0).all()
    assert sample[-1] > 0.99 * CELLS
    assert (sample == some_rows(CELLS, 10, seed=1)).all()
    assert (sample != some_rows(CELLS, 10, seed=2)).any()


def test_the_p_value_is_of_the_gap_times_the_tests_that_are_left():
    rows, where = example()
    slices = by_slice(TASK, rows, decided(rows), where)
    values = -np.log(rows.probability[np.arange(200), rows.truth])
    inside = (where["half"] == "a").to_numpy()
    alone = gap(values, inside).p_value
    assert of(slices, "half", "= a").p_value == pytest.approx(min(2 * alone, 1.0))


@pytest.mark.parametrize(("most", "expected"), [(3, True), (2, False)])
def test_what_the_probabilities_expect_is_worked_out_of_so_many_classes(most, expected, monkeypatch):
    monkeypatch.setattr("sortal.evaluate.slices.MOST_CLASSES", most)
    _, where = example()
    p = np.tile([0.5, 0.3, 0.2], (200, 1))
    three = Predictions(THREE.classes, np.arange(200), np.arange(200) % 3, p, "test")
    slices = by_slice(THREE, three, decided(three), where, requested=["half"])
    assert (of(slices, "half", "= b").expected is not None) == expected
