"""Sparse rows are the dense ones without their zeros."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sortal.engine import sparse
from sortal.engine.sparse import above, beside, of_dense


def numbers(seed: int, n: int = 30, d: int = 7) -> np.ndarray:
    """Mostly zero; some rows and columns wholly."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((n, d)) < 0.3, rng.normal(size=(n, d)), 0.0)
    x[[0, 3, n - 1]] = 0
    x[:, 2] = 0
    return x


def test_nothing_is_lost():
    x = numbers(0)
    x[5, 5] = np.nan
    matrix = of_dense(x)
    assert_array_equal(matrix.dense(), x)
    assert len(matrix.value) == np.count_nonzero(x)
    assert_array_equal(matrix.rows, np.nonzero(x)[0])
    assert_array_equal(of_dense(np.zeros((2, 3))).dense(), np.zeros((2, 3)))


def test_rows_are_taken_in_any_order():
    x, rows = numbers(1), np.array([29, 4, 4, 0, 17])
    assert_array_equal(of_dense(x).take(rows).dense(), x[rows])
    assert len(of_dense(x).take(rows[:0])) == 0


def test_parts_above_and_beside_one_another():
    x, y = numbers(2), numbers(3)
    assert_array_equal(above([of_dense(x), of_dense(x[:0]), of_dense(y)]).dense(), np.vstack([x, y]))
    both = beside([of_dense(x), y, of_dense(x[:, :1])])
    assert_array_equal(both.dense(), np.hstack([x, y, x[:, :1]]))
    assert all((np.diff(both.index[a:b]) > 0).all() for a, b in zip(both.start, both.start[1:], strict=False))


@pytest.mark.parametrize("at_once", [1, 20, 2**20])
@pytest.mark.parametrize("k", [1, 3])
def test_products_are_those_of_dense_rows_alone_and_together(monkeypatch, at_once, k):
    monkeypatch.setattr(sparse, "AT_ONCE", at_once)
    x, weight = numbers(4), np.random.default_rng(5).normal(size=(7, k))
    product = of_dense(x).times(weight)
    assert_allclose(product, x @ weight, atol=1e-14)
    alone = np.vstack([of_dense(x[i : i + 1]).times(weight) for i in range(len(x))])
    assert_array_equal(alone, product)
