"""The test against the promise: what falls short is said, noise is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.costs import CostColumn
from sortal.core.interval import Estimate
from sortal.core.predictions import Part, Predictions
from sortal.core.task import Capacity, Task
from sortal.decide.policy import Decision
from sortal.decide.threshold import decide
from sortal.evaluate import verification
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.trend import Trend, trend
from sortal.evaluate.verification import (
    COVERAGE,
    Level,
    Promises,
    Verification,
    absences,
    check_figure,
    check_level,
    one_row,
    verify,
)

TASK = Task(
    *("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", ("expected_cost", "roc_auc", "log_loss"), ()),
    goal="cost",
    cost=((0.0, 1.0), (8.0, 0.0)),
)


def draw(n: int, seed: int, part: Part, wrong: float = 0.0, classes: int = 2) -> Predictions:
    """Calibrated probabilities, but that this share of the truth has nothing to do with them."""
    rng = np.random.default_rng(seed)
    p = np.exp(rng.normal(size=(n, classes)) * 1.5 - np.arange(classes))
    p /= p.sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, classes - 1)
    truth = np.where(rng.random(n) < wrong, rng.permutation(truth), truth)
    return Predictions(tuple(TASK.classes if classes == 2 else "abcdef"[:classes]), np.arange(n), truth, p, part)


def figures(task: Task, rows: Predictions, rule: Decision) -> dict[str, Estimate]:
    decided = rule.apply(rows.probability, rows.row_costs)
    names = [name for name in task.headline if task.cost is not None or name != "expected_cost"]
    return {name: Estimate.of(interval(registry.load("sortal.metrics", name), task, rows, decided)) for name in names}


def verification_of(
    evidence: Predictions,
    test: Predictions,
    task: Task = TASK,
    rule: Decision | None = None,
    levels: Sequence[Level] = (),
) -> Verification:
    rule = rule or decide(task, evidence)
    decided = rule.apply(test.probability, test.row_costs)
    promises = Promises(evidence, figures(task, evidence, rule), levels)
    return verify(task, test, decided, figures(task, test, rule), promises)


def test_noise_does_not_cry_wolf() -> None:
    """Of runs whose test is like the rest, few are said to fall short of their promise."""
    verifications = [verification_of(draw(1500, s, "out-of-fold"), draw(300, 1000 + s, "test")) for s in range(100)]
    assert sum(bool(t.warnings) for t in verifications) <= 10
    assert {k.metric for k in verifications[0].promises} == {"expected_cost", "roc_auc", "log_loss"}


def test_a_test_that_is_another_world_is_worse_than_promised() -> None:
    result = verification_of(draw(1500, 0, "out-of-fold"), draw(300, 1, "test", wrong=1.0))
    standing = {k.metric: k.standing for k in result.promises}
    assert standing == dict.fromkeys(standing, "worse")
    assert any(w.startswith("log-loss is ") and w.endswith(" was promised") for w in result.warnings)
    assert result.warnings[0].startswith("the rule costs more than always yes")


def test_a_rule_that_costs_more_than_deciding_all_alike_is_said_even_where_it_may_be_chance() -> None:
    evidence, test = draw(400, 2, "out-of-fold"), draw(60, 3, "test")
    dear = Decision("threshold", TASK.classes, "yes", 0.999, TASK.cost)
    result = verification_of(evidence, test, rule=dear)
    costs = np.array(TASK.cost)
    rule_costs = costs[test.truth, dear.apply(test.probability)]
    for rival, code in zip(result.rivals, (1, 0), strict=True):
        alike = costs[test.truth, code]
        assert rival.cost == pytest.approx(alike.mean())
        assert rival.excess.value == pytest.approx((rule_costs - alike).mean())
        warnings = [w for w in result.warnings if rival.name in w]
        assert len(warnings) == (rival.excess.value > 0)
        if warnings:
            assert ("which may be chance" in warnings[0]) == (rival.excess.low <= 0)
    assert [rival.name for rival in result.rivals] == ["always yes", "never yes"]
    assert any("always yes" in w for w in result.warnings)


def test_a_rule_that_decides_all_alike_costs_no_more_than_that() -> None:
    always = Decision("threshold", TASK.classes, "yes", 0.0, TASK.cost)
    result = verification_of(draw(400, 2, "out-of-fold"), draw(60, 3, "test"), rule=always)
    assert not [w for w in result.warnings if "always yes" in w]


def test_costs_in_the_rows_count_as_they_are() -> None:
    task = replace(TASK, cost_columns=(CostColumn(1, 0, "loss"),))
    rng = np.random.default_rng(0)
    evidence, test = (
        replace(draw(n, n, part), row_costs=rng.uniform(100, 900, size=(n, 1)))
        for n, part in ((300, "out-of-fold"), (80, "test"))
    )
    result = verification_of(evidence, test, task)
    never = {rival.name: rival.cost for rival in result.rivals}["never yes"]
    assert never == pytest.approx(np.where(test.truth == 1, test.row_costs[:, 0], 0.0).mean())


def test_a_capacity_is_compared_with_what_it_allows() -> None:
    evidence, test = draw(400, 2, "out-of-fold"), draw(100, 3, "test")
    task = replace(TASK, goal="capacity", capacity=Capacity(0.1, None))
    rule = Decision("threshold", TASK.classes, "yes", 0.8, TASK.cost)
    assert [rival.name for rival in verification_of(evidence, test, task, rule).rivals] == ["never yes"]
    assert verification_of(evidence, test, replace(task, cost=None), rule).rivals == ()


def test_of_many_classes_the_rival_is_the_one_that_looked_cheapest_before() -> None:
    task = Task("y", ("a", "b", "c"), (0.6, 0.3, 0.1), None, "log_loss", ("balanced_accuracy",), ())
    evidence, test = draw(500, 0, "out-of-fold", classes=3), draw(120, 1, "test", classes=3)
    commonest = task.classes[int(np.bincount(evidence.truth).argmax())]
    assert [rival.name for rival in verification_of(evidence, test, task).rivals] == [f"always {commonest}"]


def test_classes_that_are_absent_or_left_to_a_person_are_named() -> None:
    task = Task("y", ("a", "b", "c"), (0.6, 0.3, 0.1), None, "log_loss", ("balanced_accuracy",), (), "cost")
    task = replace(task, cost=tuple(tuple(float(t != d) for d in range(3)) for t in range(3)), reject_cost=0.4)
    evidence, test = draw(500, 0, "out-of-fold", classes=3), draw(120, 1, "test", classes=3)
    test = test.take(test.truth != 2)
    unsure = np.where((test.truth == 1)[:, None], [0.4, 0.4, 0.2], [0.9, 0.05, 0.05])
    result = verification_of(evidence, replace(test, probability=unsure), task)
    assert (result.absent, result.undecided) == (("c",), ("b",))
    assert result.rejected is not None
    assert result.rejected.value == pytest.approx((test.truth == 1).mean())
    assert set(absences(("c",), ("b",))) <= set(result.notes)


def test_a_class_of_one_row_is_named() -> None:
    task = Task("y", ("a", "b", "c"), (0.6, 0.3, 0.1), None, "log_loss", ("roc_auc",), ())
    evidence, test = draw(500, 0, "out-of-fold", classes=3), draw(120, 1, "test", classes=3)
    few = np.flatnonzero(test.truth == 2)
    subset = test.take(np.setdiff1d(np.arange(120), few[1:]))
    assert (one_row(task, subset.truth), one_row(task, test.truth)) == (("c",), ())
    (note,) = absences((), (), ("c",))
    assert note in verification_of(evidence, subset, task).notes
    assert note not in verification_of(evidence, test, task).notes
    assert next(absences((), (), ("a", "b"))).startswith("a single row each is a, b: how well they are ranked")


@pytest.mark.parametrize(
    ("precision", "standing"),
    [((0.95, 0.92, 0.97), "as promised"), ((0.88, 0.8, 0.93), "in doubt"), ((0.7, 0.6, 0.8), "worse")],
)
def test_a_certificate_is_held_to_what_it_promised(precision: tuple[float, ...], standing: str) -> None:
    evidence, test = draw(400, 2, "valid"), draw(60, 3, "test")
    task = replace(TASK, goal="promise", headline=("precision", "log_loss"))
    rule = Decision("threshold", TASK.classes, "yes", 0.6)
    estimates = {"precision": Estimate(*precision), "log_loss": Estimate(0.3, 0.2, 0.4)}
    level = Level("precision", 0.9, estimates["precision"])
    result = verify(task, test, rule.apply(test.probability), estimates, Promises(evidence, estimates, [level]))
    first = result.promises[0]
    assert (first.metric, first.promised, first.standing) == ("precision", Estimate(0.9), standing)
    assert [k.metric for k in result.promises] == ["precision", "log_loss"]
    text = [*result.warnings, *result.notes]
    assert len(text) == (standing != "as promised")
    assert all(line.startswith("precision is ") and ".9 was promised" in line for line in text)
    assert bool(result.warnings) == (standing == "worse")
    promises = Promises(evidence, estimates, [replace(level, refused=True)])
    assert not verify(task, test, rule.apply(test.probability), estimates, promises).warnings


def test_sets_are_held_to_the_coverage_that_was_asked() -> None:
    evidence, test = draw(400, 2, "out-of-fold"), draw(200, 3, "test")
    result = verification_of(evidence, test, levels=[Level(COVERAGE, 0.9, Estimate(0.8, 0.74, 0.85))])
    assert "coverage of sets is .80 [.74 .85] on the test, .9 was promised" in result.warnings


@pytest.mark.parametrize(
    ("name", "promised", "observed", "standing"),
    [
        # The difference has half-widths of .05: .03 and .04 as squares.
        ("roc_auc", (0.8, 0.77, 0.83), (0.86, 0.82, 0.9), "better"),
        ("roc_auc", (0.86, 0.83, 0.89), (0.8, 0.76, 0.84), "worse"),
        ("log_loss", (0.8, 0.77, 0.83), (0.86, 0.82, 0.9), "worse"),
        ("log_loss", (0.86, 0.83, 0.89), (0.8, 0.76, 0.84), "better"),
        # Less than .05, and each outside the other's: that is in doubt only where it is worse.
        ("roc_auc", (0.845, 0.815, 0.875), (0.8, 0.76, 0.84), "in doubt"),
        ("log_loss", (0.845, 0.815, 0.875), (0.8, 0.76, 0.84), "as promised"),
        ("log_loss", (0.8, 0.77, 0.83), (0.845, 0.805, 0.885), "in doubt"),
        # The one holds the other.
        ("roc_auc", (0.835, 0.805, 0.865), (0.8, 0.76, 0.84), "as promised"),
        ("roc_auc", (0.8, 0.77, 0.83), (0.8, 0.77, 0.83), "as promised"),
    ],
)
def test_a_figure_by_hand(name: str, promised: tuple[float, ...], observed: tuple[float, ...], standing: str) -> None:
    check = check_figure(name, Estimate(*promised), Estimate(*observed))
    assert (check.metric, check.promised, check.observed) == (name, Estimate(*promised), Estimate(*observed))
    assert check.standing == standing
    assert check.change is not None
    assert check.change.value == pytest.approx(observed[0] - promised[0])
    low, high = (
        np.hypot(observed[0] - observed[1], promised[2] - promised[0]),
        np.hypot(observed[2] - observed[0], 0.03),
    )
    assert check.change.low == pytest.approx(observed[0] - promised[0] - low)
    assert check.change.high == pytest.approx(observed[0] - promised[0] + high)


def test_a_figure_without_an_interval_is_held_to_nothing() -> None:
    for promised, observed in ((Estimate(0.5), Estimate(0.9, 0.8, 1.0)), (Estimate(0.9, 0.8, 1.0), Estimate(0.5))):
        check = check_figure("roc_auc", promised, observed)
        assert (check.change, check.standing) == (None, "unknown")


@pytest.mark.parametrize(
    ("figure", "at_most", "standing"),
    [
        ((0.1, 0.05, 0.2), True, "as promised"),
        ((0.2, 0.1, 0.3), True, "as promised"),
        ((0.21, 0.2, 0.3), True, "in doubt"),
        ((0.3, 0.21, 0.4), True, "worse"),
        ((0.2, 0.1, 0.3), False, "as promised"),
        ((0.19, 0.1, 0.2), False, "in doubt"),
        ((0.1, 0.05, 0.19), False, "worse"),
        ((0.3, 0.21, 0.4), False, "as promised"),
        ((None, None, None), False, "as promised"),
    ],
)
def test_a_level_is_reached_where_the_figure_is_the_level(
    figure: tuple[float | None, ...], at_most: bool, standing: str
) -> None:
    check = check_level(Level("fpr", 0.2, Estimate(*figure), at_most))
    assert (check.metric, check.promised, check.observed, check.change) == (
        "fpr",
        Estimate(0.2),
        Estimate(*figure),
        None,
    )
    assert check.standing == standing


def test_a_test_of_newer_rows_has_a_trend_and_says_that_the_promise_is_of_older_ones() -> None:
    rng = np.random.default_rng(4)
    task = replace(TASK, headline=("log_loss",))
    evidence, rows = draw(1500, 5, "out-of-fold"), draw(600, 6, "test")
    times = rng.permutation(600)
    truth = np.where(rng.random(600) < times / 600, 1 - rows.truth, rows.truth)
    test = replace(rows, truth=truth)
    rule = decide(task, evidence)
    decided = rule.apply(test.probability)
    estimates, now = figures(task, evidence, rule), figures(task, test, rule)
    result = verify(task, test, decided, now, Promises(evidence, estimates), times, seed=1)
    assert result.trend == trend(registry.load("sortal.metrics", "log_loss"), task, test, decided, times, 1)
    assert result.trend is not None
    assert result.trend.change.low > 0
    assert any(w.endswith(" was promised by older rows") for w in result.warnings)
    assert result.notes[-1].startswith("over the time of the test log-loss changes by ")
    assert result.notes[-1].endswith(": newer rows fare worse, so that later ones may again")
    alike = verify(task, test, decided, now, Promises(evidence, estimates))
    assert (alike.trend, any("older rows" in w for w in alike.warnings)) == (None, False)
    assert (result.rows, alike.rejected) == (600, None)


@pytest.mark.parametrize(
    ("metric", "change", "phrase"),
    [
        ("roc_auc", (0.05, 0.01, 0.09), "fare better"),
        ("roc_auc", (-0.05, -0.09, -0.01), "fare worse"),
        ("log_loss", (-0.05, -0.09, -0.01), "fare better"),
        ("log_loss", (0.05, 0.0, 0.1), "no trend beyond chance"),
        ("log_loss", (-0.05, -0.1, 0.0), "no trend beyond chance"),
        ("log_loss", (-0.05, None, None), "no trend beyond chance"),
    ],
)
def test_a_trend_is_for_the_worse_by_what_the_metric_measures(
    monkeypatch: pytest.MonkeyPatch, metric: str, change: tuple[float | None, ...], phrase: str
) -> None:
    monkeypatch.setattr(verification, "trend", lambda *a: Trend(metric, (), (), Estimate(*change)))
    rows = draw(50, 7, "test")
    result = verify(TASK, rows, rows.truth, {}, Promises(rows, {}), rows.rows)
    assert phrase in result.notes[-1]


def test_the_positive_class_may_be_the_first_and_rivals_are_named_by_it() -> None:
    test = draw(60, 3, "test")
    mirror = replace(test, classes=("yes", "no"), truth=1 - test.truth, probability=test.probability[:, ::-1])
    task = replace(TASK, classes=("yes", "no"), cost=((0.0, 8.0), (1.0, 0.0)))
    decided = (test.probability[:, 1] > 0.3).astype(np.int64)
    one = verify(TASK, test, decided, {}, Promises(test, {}))
    two = verify(task, mirror, 1 - decided, {}, Promises(mirror, {}))
    assert [r.name for r in one.rivals] == ["always yes", "never yes"]
    assert one.rivals == two.rivals


def test_what_is_told_of_the_test_counts_its_groups() -> None:
    """The share that is left to a person, and by how much the rule costs more than a rival."""
    task = replace(TASK, reject_cost=0.3)
    once, four = draw(80, 8, "test"), np.repeat(np.arange(80), 4)
    decided = np.random.default_rng(1).integers(3, size=80)
    many = once.take(four)
    promises = Promises(draw(200, 9, "out-of-fold"), {})
    alone, together = (
        verify(task, rows, decided[four], {}, promises) for rows in (many, replace(many, groups=four + 5))
    )
    single = verify(task, once, decided, {}, promises)
    for pick in (lambda v: v.rejected, *(lambda v, k=k: v.rivals[k].excess for k in range(2))):
        one, apart, grouped = (pick(result) for result in (single, alone, together))
        assert one.value == pytest.approx(apart.value) == pytest.approx(grouped.value)
        assert grouped.high - grouped.low > 1.8 * (apart.high - apart.low)
        assert (grouped.low, grouped.high) == pytest.approx((one.low, one.high), abs=0.1)
