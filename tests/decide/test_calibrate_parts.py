"""The competition of the calibrators, step by step: who is fitted on which rows, and how they are weighed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.decide import calibrate as module
from sortal.decide.calibrate import Calibrator, calibrators, choose, entries, stratified_assign
from sortal.engine import Program
from sortal.stats.clusters import worth_of_rows


def make_rows(n: int, k: int = 2, seed: int = 0, groups: np.ndarray | None = None) -> Predictions:
    """Each row can be recognised by its probability; ids of rows are not their positions."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), size=n)
    truth = np.array([rng.choice(k, p=row) for row in p])
    return Predictions(tuple(map(str, range(k))), np.arange(n)[::-1] * 3, truth, p, "out-of-fold", groups=groups)


def scaling(name: str, power: float, calls: list[Any] | None = None, **more: Any) -> Calibrator:
    def fit(probability: np.ndarray, truth: np.ndarray, k: int) -> Program:
        if calls is not None:
            calls.append((probability, truth, k))
        return Program("logit_affine", {}, {"weight": power * np.eye(k), "bias": np.zeros(k)})

    return Calibrator(name, fit, **more)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Calibrator]:
    """The calibrators that there are, by name, instead of the built-in ones."""
    by_name: dict[str, Calibrator] = {"none": scaling("none", 1.0)}
    monkeypatch.setattr(module.registry, "names", lambda group: tuple(by_name))
    monkeypatch.setattr(module.registry, "load", lambda group, name: by_name[name])
    return by_name


def positions(rows: Predictions, probability: np.ndarray) -> list[int]:
    row_of = {tuple(p): at for at, p in enumerate(rows.probability.tolist())}
    return [row_of[tuple(p)] for p in probability.tolist()]


@pytest.mark.parametrize("with_folds", [True, False])
def test_a_calibrator_learns_from_all_other_folds_and_in_the_end_from_all_rows(
    registry: dict[str, Calibrator], with_folds: bool
) -> None:
    rows, calls = make_rows(60, 3), []
    registry["sharp"] = scaling("sharp", 1.5, calls)
    fold = np.arange(60) % 3 if with_folds else None
    choice = choose(rows, fold=fold, seed=4, folds=4)
    train_positions = [positions(rows, probability) for probability, _, _ in calls]
    for (_, truth, k), places in zip(calls, train_positions, strict=True):
        assert truth.tolist() == rows.truth[places].tolist()
        assert k == 3
    parts = [sorted(set(range(60)) - set(places)) for places in train_positions[: 3 if with_folds else 4]]
    assert sorted(row for part in parts for row in part) == list(range(60))
    if fold is not None:
        assert [set(fold[part].tolist()) for part in parts] == [{0}, {1}, {2}]
    assert sorted(choice.rows.tolist()) == list(range(60))
    assert [sorted(places) for places in train_positions[len(parts) :]] in ([], [list(range(60))])


def test_what_was_not_tried_on_groups_is_never_torn(registry: dict[str, Calibrator]) -> None:
    groups = np.random.default_rng(1).permutation(np.arange(60) // 5) * 10
    rows, calls = make_rows(60, groups=groups), []
    registry["sharp"] = scaling("sharp", 1.5, calls)
    choose(rows, seed=0)
    for probability, _, _ in calls[:5]:
        train_groups = set(groups[positions(rows, probability)].tolist())
        others = set(range(60)) - set(positions(rows, probability))
        assert train_groups.isdisjoint(groups[sorted(others)].tolist())


@pytest.mark.parametrize(
    ("classes", "rarest", "rows", "names"),
    [
        (2, None, None, ["any", "two", "steps"]),
        (3, None, None, ["any", "three", "square"]),
        (2, 49, 1_000, ["any", "two"]),
        (2, 50, 1_000, ["any", "two", "steps"]),
        (3, 5, 89, ["any", "three"]),
        (3, 5, 90, ["any", "three", "square"]),  # ten rows for each of nine
    ],
)
def test_who_competes(
    registry: dict[str, Calibrator], classes: int, rarest: int | None, rows: int | None, names: list[str]
) -> None:
    for calibrator in (
        scaling("any", 1.0),
        scaling("two", 1.0, most=2),
        scaling("steps", 1.0, most=2, rows=50),
        scaling("three", 1.0, least=3),
        scaling("square", 1.0, least=3, rows_a_square=10),
    ):
        registry[calibrator.name] = calibrator
    assert [calibrator.name for calibrator in calibrators(classes, rarest, rows)] == names


@pytest.mark.parametrize(
    ("n", "k", "most", "expected"),
    [(3_000, 2, 100_000, 3_000), (3_000, 2, 4_000, 2_000), (3_000, 4, 6_000, 1_500), (3_000, 4, 3_000, 1_000)],
)
def test_so_many_rows_are_tried(registry: dict[str, Calibrator], n: int, k: int, most: int, expected: int) -> None:
    rows = make_rows(n, k)
    choice = choose(rows, most=most, seed=1)
    assert len(choice.rows) == len(set(choice.rows.tolist())) == len(choice.unseen) == expected
    other = choose(rows, most=most, seed=2)
    assert set(other.rows.tolist()) != set(choice.rows.tolist()) or expected == n
    if expected < n:  # drawn from all of them, and not the first
        assert choice.rows.max() > n - 50


def test_no_more_than_twenty_thousand_rows_are_tried(
    registry: dict[str, Calibrator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 70)
    monkeypatch.setattr(module, "LEAST_ROWS", 60)
    assert [len(choose(make_rows(90), most=most).rows) for most in (10, 130, 1_000)] == [60, 65, 70]


def test_losses_before_are_those_of_the_rows_that_were_tried(registry: dict[str, Calibrator]) -> None:
    rows = make_rows(50)
    choice = choose(rows)
    own = -np.log(rows.probability[np.arange(50), rows.truth])
    assert choice.result.log_loss_before == choice.result.log_loss_after == pytest.approx(own.mean())
    assert (choice.gain, choice.standard_error, choice.candidate, choice.program) == (0.0, 0.0, "none", None)
    np.testing.assert_allclose(choice.unseen, rows.probability[choice.rows])


N = 1_000


def underconfident_rows(n: int = N) -> Predictions:
    """Far too little sure: what they say, to the power of four, is right."""
    rng = np.random.default_rng(5)
    right = rng.uniform(0.02, 0.98, size=n)
    truth = (rng.random(n) < right).astype(np.int64)
    odds = (right / (1 - right)) ** 0.25
    p = odds / (1 + odds)
    return Predictions(("n", "p"), np.arange(n), truth, np.column_stack([1 - p, p]), "out-of-fold")


def test_what_always_wins_is_applied_alone_and_what_is_said_of_it(registry: dict[str, Calibrator]) -> None:
    registry["right"], registry["worse"] = scaling("right", 4.0), scaling("worse", 0.5)
    rows = underconfident_rows()
    choice = choose(rows)
    assert (choice.result.method, choice.candidate, dict(choice.result.weights)) == ("right", "right", {"right": 1.0})
    sharp = rows.probability**4
    sharp /= sharp.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(choice.unseen, sharp[choice.rows], atol=1e-9)
    before, after = (-np.log(p[np.arange(N), rows.truth]) for p in (rows.probability, sharp))
    assert choice.gain == pytest.approx((before - after).mean())
    assert choice.standard_error == pytest.approx((before - after).std(ddof=1) / np.sqrt(N))
    assert choice.result.log_loss_after == pytest.approx(after.mean())
    assert choice.result.explanation.startswith("lowers the cross-fitted log-loss by ")
    assert ":" not in choice.result.explanation


def test_groups_make_a_gain_less_sure(registry: dict[str, Calibrator]) -> None:
    registry["right"] = scaling("right", 4.0)
    rows = underconfident_rows()
    groups = np.arange(N) // 10
    fold = groups % 5
    alone, together = choose(rows, fold=fold), choose(replace(rows, groups=groups), fold=fold)
    change = dict(zip(alone.rows.tolist(), _gains(rows, alone), strict=True))
    away = np.array([change[k] for k in range(N)]) - alone.gain
    design = worth_of_rows(away, groups).design
    assert design != pytest.approx(1.0, abs=0.02)
    assert together.gain == pytest.approx(alone.gain)
    assert together.standard_error == pytest.approx(alone.standard_error * np.sqrt(design))


def _gains(rows: Predictions, choice: Any) -> np.ndarray:
    at, truth = np.arange(len(choice.rows)), rows.truth[choice.rows]
    return np.log(choice.unseen[at, truth]) - np.log(rows.probability[choice.rows][at, truth])


def test_two_that_are_as_good_share_the_weight_and_are_named(registry: dict[str, Calibrator]) -> None:
    registry["a"], registry["b"] = scaling("a", 3.8), scaling("b", 4.2)
    choice = choose(underconfident_rows())
    weights = dict(choice.result.weights)
    assert set(weights) == {"a", "b"}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert choice.candidate == max(weights, key=weights.__getitem__)
    assert choice.result.method == "average"
    assert choice.program is not None
    assert choice.program.arrays["weight"].tolist() == [*weights.values()]
    assert [step.arrays["weight"][0, 0] for step in choice.program.steps] == [{"a": 3.8, "b": 4.2}[n] for n in weights]
    shares = [f"{name} {100 * weight:.0f} %" for name, weight in weights.items()]
    assert choice.result.explanation.endswith(": " + ", ".join(shares))


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ([0.5, 0.5], [0.5, 0.5]),
        ([0.96, 0.04], [1.0, 0.0]),
        ([0.06, 0.94], [0.06, 0.94]),
        ([0.04, 0.48, 0.48], [0.0, 0.5, 0.5]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_what_hardly_ever_wins_is_left_out(weight: list[float], expected: list[float]) -> None:
    assert module._prune(np.array(weight)).tolist() == pytest.approx(expected)
    assert module._prune(np.array([weight, weight])).ravel().tolist() == pytest.approx(expected * 2)


def test_a_row_has_no_say_in_its_own_weights() -> None:
    """One row alone makes the second column win; without it the first does."""
    losses = np.tile([0.5, 0.6], (40, 1))
    losses[7] = [9.0, 0.0]
    weight, own = module._weights(losses, np.random.default_rng(0))
    assert weight[1] > 0.4  # it is in two of three samples
    assert own[7].tolist() == [1.0, 0.0]
    assert own.shape == (40, 2)
    others = np.delete(own, 7, axis=0)
    assert np.abs(others - weight).max() < 0.35
    np.testing.assert_allclose(own.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("low", "high", "differ"), [(0.30, 0.33, False), (0.30, 0.331, True), (0.3, 0.3, False), (0.0, 0.01, True)]
)
def test_what_says_nearly_the_same_of_all_rows_says_nothing(low: float, high: float, differ: bool) -> None:
    p = np.array([[1 - low, low], [1 - high, high], [1 - low, low]])
    assert module._differ(p) == differ


def test_folds_of_rows_hold_each_class_in_proportion_and_groups_are_whole() -> None:
    truth = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 25, 10]))
    fold = stratified_assign(truth, None, 5, np.random.default_rng(1))
    for code, per_fold in ((0, 10), (1, 5), (2, 2)):
        assert np.bincount(fold[truth == code], minlength=5).tolist() == [per_fold] * 5
    assert (fold != stratified_assign(truth, None, 5, np.random.default_rng(2))).any()
    clusters = np.random.default_rng(3).permutation(np.arange(84) // 4)
    fold_of_row = stratified_assign(np.zeros(84, dtype=int), clusters, 3, np.random.default_rng(1))
    group_folds = [set(fold_of_row[clusters == number].tolist()) for number in range(21)]
    assert all(len(folds) == 1 for folds in group_folds)
    assert np.bincount([folds.pop() for folds in group_folds]).tolist() == [7, 7, 7]


@pytest.mark.parametrize(("budget", "most"), [(1.0, 2_000), (49.9, 99_800), (50.0, 100_000), (np.inf, 100_000)])
def test_the_budget_buys_so_many_probabilities(budget: float, most: int) -> None:
    assert entries(budget) == most


def test_rows_that_were_not_tried_keep_what_all_say(registry: dict[str, Calibrator]) -> None:
    rows = make_rows(1_200)
    choice = choose(rows, most=2_000, seed=3)
    probability = np.full_like(rows.probability, 0.5)
    assert choice.cross_fitted(probability) is probability  # nothing is applied
    with_program = replace(choice, program=Program("logit_affine"))
    apart = with_program.cross_fitted(probability)
    np.testing.assert_array_equal(apart[choice.rows], choice.unseen)
    rest = np.setdiff1d(np.arange(1_200), choice.rows)
    assert len(rest) == 200
    assert (apart[rest] == 0.5).all()
    assert (probability == 0.5).all()
