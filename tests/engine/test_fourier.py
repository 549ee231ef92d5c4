from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import rbf_kernel

from sortal.engine import Program, compile


def features(x, frequency, cut=1e6):
    return compile(Program("fourier", {"cut": cut}, {"frequency": frequency}))(x)


def test_by_hand():
    output = features(np.array([[1.0, 2.0]]), np.array([[np.pi, 0.0], [0.0, np.pi / 4]]))
    assert_allclose(output, np.array([[-1.0, 0.0, 0.0, 1.0]]) / np.sqrt(2), atol=1e-15)


def test_products_of_features_are_the_gaussian_kernel():
    rng, gamma = np.random.default_rng(0), 0.3
    x = rng.normal(size=(20, 3))
    output = features(x, np.sqrt(2 * gamma) * rng.normal(size=(3, 200_000)))
    assert_allclose(output @ output.T, rbf_kernel(x, gamma=gamma), atol=0.01)


def test_beyond_the_cut_all_numbers_are_alike():
    frequency = np.random.default_rng(1).normal(size=(1, 5))
    output = features(np.array([[3.0], [4.0], [1e100], [-3.0], [-1e100]]), frequency, cut=3.0)
    assert_array_equal(output[1:3], output[[0, 0]])
    assert_array_equal(output[4], output[3])
    assert not np.allclose(output[0], output[3])


@pytest.mark.parametrize(
    ("cut", "shape", "message"),
    [
        (0, (2, 3), "setting 'cut' is 0"),
        (True, (2, 3), "setting 'cut' is True"),
        (1e101, (2, 3), "at most 1e"),
        (1.0, (2, 0), "no frequencies"),
        (1.0, (2,), "array 'frequency' has shape"),
    ],
)
def test_what_does_not_fit_is_refused(cut, shape, message):
    with pytest.raises(ValueError, match=message):
        features(np.zeros((1, 2)), np.zeros(shape), cut)


def test_missing_values_do_not_reach_it():
    reader = Program("table", steps=(Program("number", {"column": "a"}),))
    with pytest.raises(ValueError, match="missing values reach step 'fourier'"):
        compile(reader.then(Program("fourier", {"cut": 1.0}, {"frequency": np.ones((1, 1))})))
