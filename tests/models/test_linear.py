"""Linear models of sparse rows are those of the same rows with their zeros, and become the same programs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from sortal.core import registry
from sortal.engine import compile
from sortal.engine.sparse import of_dense
from sortal.models.family import Family, FitRequest, Rows
from sortal.models.linear import SPARSE_C, as_stored, deviations
from sortal.prepare.csr import csr, hstacked, nbytes


def rows(classes: int, n: int = 300, d: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Mostly zeros, each row of length one; the class follows from a few columns."""
    rng = np.random.default_rng(classes)
    y = np.arange(n) % classes
    x = np.where(rng.random((n, d)) < 0.15, rng.random((n, d)), 0.0)
    x[np.arange(n), y] += 1.0 * (rng.random(n) < 0.8)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    return x, y


@pytest.mark.parametrize("name", ["logistic", "logistic_ngrams", "svm", "majority"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_make_the_program_that_predicts_as_the_library_does(name, classes, weighted):
    family: Family = registry.load("sortal.models", name)
    x, y = rows(classes)
    weight = np.where(y == 0, 2.0, 0.5) if weighted else None
    fitted = family.fit(FitRequest(Rows(csr(of_dense(x)), y, weight), classes, seed=0), {})
    expected = fitted.predict_proba(csr_matrix(x))
    assert expected.shape == (len(y), classes)
    program = fitted.program()
    probability = compile(program).step.run(of_dense(x))
    assert_allclose(probability, expected, rtol=0, atol=1e-12)
    assert fitted.importance.shape == (x.shape[1],)
    if name != "majority":
        assert (expected.argmax(axis=1) == y).mean() > 0.75
        assert program.arrays["coef"].dtype == np.float32
        assert set(np.argsort(-fitted.importance)[:classes]) <= set(range(classes))


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_of_sparse_rows_is_that_of_dense_ones_with_another_c(classes):
    family: Family = registry.load("sortal.models", "logistic")
    x, y = rows(classes)
    sparse = family.fit(FitRequest(Rows(csr_matrix(x), y), classes, seed=0), {})
    dense = family.fit(FitRequest(Rows(x, y), classes, seed=0), {"C": SPARSE_C})
    assert_allclose(sparse.predict_proba(csr_matrix(x)), dense.predict_proba(x), atol=2e-3)
    assert dense.program().arrays["coef"].dtype == np.float64


def test_deviations_and_columns_beside_one_another():
    x, _ = rows(2)
    assert_allclose(deviations(csr_matrix(x)), deviations(x), atol=1e-12)
    both = hstacked(x[:, :2], csr_matrix(x[:, 2:]))
    assert_array_equal(both.toarray(), x)
    assert nbytes(csr_matrix(x)) < nbytes(x) == x.nbytes
    assert as_stored(np.array([[0.5, 0.1]])).dtype == np.float64
    assert as_stored(np.array([[0.5, 0.25]])).dtype == np.float32
