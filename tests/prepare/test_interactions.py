from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sortal.engine import compile as compile_program
from sortal.prepare.evidence import ranked, sampled
from sortal.prepare.interactions import ALIKE, MOST, Arithmetic, Within, append, choose, name, parents
from sortal.prepare.view import Labels

N = 2_000
NONE = np.empty(0, dtype=np.int64)


def by(truth: np.ndarray) -> Labels:
    """Classes of as many rows each, by a number."""
    return Labels((truth > np.median(truth)).astype(np.int64), 2)


def numbers(seed: int = 0, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(size=(N, width)) + 0.1


@pytest.mark.parametrize(("operation", "truth"), [(0, lambda x: x[:, 0] * x[:, 2]), (1, lambda x: x[:, 2] / x[:, 0])])
def test_the_pair_that_tells_the_class_comes_first(operation, truth):
    x = numbers()
    x[:, 0] -= 1.0  # of both signs, so that no parent tells it alone
    labels = Labels((truth(x) > 1).astype(np.int64), 2)
    first = choose(x, np.arange(4), NONE, labels, seed=0, smallest_count=1)[0]
    assert isinstance(first, Arithmetic)
    assert first.operation == operation
    assert set(parents(first)) == {0, 2}
    assert name(first, ("a", "b", "c", "d")) in {"a * c", "c * a", "c / a"}


def test_a_number_that_tells_the_class_only_against_its_group():
    rng = np.random.default_rng(0)
    group = rng.integers(20, size=N).astype(float)
    group[::50] = np.nan
    shift = np.append(rng.normal(scale=30, size=20), 0.0)
    at = np.where(np.isnan(group), 20, group).astype(int)
    x = np.column_stack([rng.normal(size=N) + shift[at], rng.normal(size=N), group])
    first = choose(x, np.array([0, 1]), np.array([2]), by(x[:, 0] - shift[at]), seed=0, smallest_count=1)[0]
    assert isinstance(first, Within)
    assert parents(first) == (0, 2)
    assert name(first, ("pay", "age", "branch")) == "pay within branch"


def test_figures_of_groups_are_those_of_polars_and_rare_levels_have_those_of_all_rows():
    rng = np.random.default_rng(0)
    group = rng.integers(4, size=N).astype(float)
    group[np.flatnonzero(group == 3)[6:]] = 0.0
    pay = rng.normal(size=N) + 10 * group
    pay[rng.random(N) < 0.1] = np.nan
    x = np.column_stack([pay, group])
    columns = choose(x, np.array([0]), np.array([1]), by(np.nan_to_num(pay - 10 * group)), seed=0, smallest_count=7)
    assert [parents(column) for column in columns] == [(0, 1)]
    frame = pl.DataFrame({"group": group, "pay": pay}).filter(pl.col("pay").is_not_nan())
    figures = frame.group_by("group").agg(m=pl.col("pay").mean(), s=pl.col("pay").std(ddof=0)).sort("group")
    overall = frame["pay"].mean(), frame["pay"].std(ddof=0)
    assert_allclose(columns[0].middle, [*figures["m"][:3], overall[0], overall[0]], rtol=1e-12)
    assert_allclose(columns[0].spread, [*figures["s"][:3], overall[1], overall[1]], rtol=1e-12)


def test_the_steps_compute_what_was_chosen():
    """With names and parents in the order of the columns."""
    x = np.array([[2.0, 4.0, 0.0], [3.0, 0.0, 1.0], [np.nan, 5.0, np.nan]])
    group = Within(0, 2, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    for step in append([Arithmetic(0, 1, 0), Arithmetic(0, 1, 1), group], 3):
        x = compile_program(step)(x)
    assert_array_equal(x[:, 3:], [[8.0, 0.5, 1.0], [0.0, np.nan, 0.5], [np.nan, np.nan, np.nan]])


def test_of_columns_that_tell_nothing_hardly_any_is_taken():
    """28 pairs of numbers and 24 of a number and a group have 108 columns; in ten tables one of them at most is beyond
    ``LEAST_T``.
    """
    n_columns = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = np.hstack([rng.normal(size=(400, 8)), rng.integers(6, size=(400, 3))])
        labels = Labels(rng.integers(2, size=400), 2)
        n_columns += len(choose(x, np.arange(8), np.arange(8, 11), labels, seed=seed, smallest_count=1))
    assert n_columns <= 1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_how_much_a_column_tells_is_a_t_statistic_of_least_squares(n_classes):
    """Of the ranks of the column, beside all that its parents tell."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(300, 2)), rng.integers(3, size=300)])
    y = np.digitize(x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(size=300), np.arange(n_classes - 1))
    sample = sampled(x, np.array([0, 1]), np.array([2]), y)
    column = ranked((x[:, 0] * x[:, 1])[:, None])
    for pair in ((0, 1), (0, 2)):
        expected = []
        for k in range(sample.classes.shape[1]):
            covariates = [sample.shares[p][:, k] for p in pair] + [sample.ranks[p] for p in pair if p != 2]
            X = np.column_stack([np.ones(300), *covariates, column])
            coef, residual = np.linalg.lstsq(X, sample.classes[:, k])[:2]
            variance = residual[0] / (300 - X.shape[1]) * np.linalg.inv(X.T @ X)[-1, -1]
            expected.append(abs(coef[-1]) / np.sqrt(variance))
        assert len(expected) == (1 if n_classes == 2 else n_classes)
        assert_allclose(sample.beyond(column, *pair), max(expected), rtol=1e-9)


def test_at_most_so_many_and_no_two_alike():
    """The class is by the sum of the products of all 36 pairs of nine columns."""
    x = np.random.default_rng(0).normal(size=(2 * N, 9))
    columns = choose(x, np.arange(9), NONE, by(x.sum(axis=1) ** 2 - (x**2).sum(axis=1)), seed=0, smallest_count=1)
    assert len(columns) == MOST
    (step,) = append(columns, 9)
    new = ranked(compile_program(step)(x)[:, 9:])
    assert np.abs(new.T @ new - np.eye(MOST)).max() <= ALIKE


@pytest.mark.parametrize("n_classes", [2, 40])
def test_tables_that_say_nothing_have_no_interactions(n_classes):
    labels = Labels(np.arange(N) % n_classes, n_classes)
    nothing = np.column_stack([np.full(N, np.nan), np.full(N, 7.0), np.arange(N) % 2, np.full(N, np.nan)])
    assert choose(nothing, np.arange(3), np.array([3]), labels, seed=0, smallest_count=1) == []
    assert choose(numbers(), NONE, NONE, labels, seed=0, smallest_count=1) == []
    few = numbers()[:30]
    assert choose(few, np.arange(4), NONE, by(few[:, 0] * few[:, 1]), seed=0, smallest_count=1) == []


def test_huge_and_tiny_numbers_are_no_obstacle():
    """Nor are two values that are no codes, and codes in a sample that are numbers elsewhere."""
    x = np.hstack([numbers(width=3), np.arange(N)[:, None] % 2])
    labels = by((x[:, 0] - 1) * x[:, 1] + x[:, 2] * np.where(x[:, 3] > 0, 1, -1))
    for scale in (1e99, 1.0, 1e-200):
        for two in ([0.0, 1e90], [0.0, 1.0], [-1.0, 0.5]):
            values = x * scale
            values[:, 3] = np.where(x[:, 3] > 0, two[1], two[0])
            values = np.vstack([values, np.tile(values[:1], (9 * N, 1))])
            values[-1, 3] = 1e9
            many = Labels(np.append(labels.codes, np.zeros(9 * N, dtype=np.int64)), 2)
            for matrix, target in ((values[:N], labels), (values, many)):
                columns = choose(matrix, np.arange(4), NONE, target, seed=0, smallest_count=1)
                for step in append(columns, 4):
                    matrix = compile_program(step)(matrix)
                assert not np.isinf(matrix).any()
