from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from sortal.checks.measures.multivariate import multivariate
from sortal.checks.measures.power import auc, binned, sampled, univariate
from sortal.testing.checks import typed


def test_several_classes_are_weighted() -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05])
    probability = rng.dirichlet([1, 1, 1, 1], 300) + 0.3 * np.eye(4)[codes]
    probability /= probability.sum(axis=1, keepdims=True)
    oracle = roc_auc_score(codes, probability, multi_class="ovr", average="weighted")
    assert auc(codes, probability) == pytest.approx(oracle)


def test_bins_keep_frequent_numbers_apart() -> None:
    values = pl.Series([0.0] * 990 + [5.0, 7.0, 9.0] * 3 + [None])
    bins = binned(values)
    assert len(np.unique(bins[:990])) == 1
    assert bins[0] not in bins[990:]
    assert bins[-1] == 0


def test_one_column_alone_is_judged_out_of_fold() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 2000)
    frame = pl.DataFrame(
        {
            "noise": rng.normal(size=2000),
            "levels": [f"level {i}" for i in rng.integers(0, 900, 2000)],
            "signal": codes + rng.normal(size=2000),
        }
    )
    powers = {power.column: power for power in univariate(typed(frame), codes, seed=0)}
    assert powers["signal"].auc == pytest.approx(0.76, abs=0.03)
    assert powers["noise"].auc == pytest.approx(0.5, abs=0.05)
    assert powers["levels"].auc == pytest.approx(0.5, abs=0.05)


def test_extreme_numbers_are_weighed() -> None:
    codes = np.tile([0, 1], 100)
    frame = pl.DataFrame({"x": np.where(codes == 1, 1e300, -1e300), "y": np.tile([None, 1e-300], 100).astype(float)})
    table = typed(frame.with_columns(pl.all().fill_nan(None)))
    assert [power.error for power in univariate(table, codes, seed=0)] == [0, 0]
    assert multivariate(table, codes, ["x", "y"], seed=0).auc == 1


def test_samples_keep_the_classes() -> None:
    codes = np.repeat([0, 1], [9000, 1000])
    table, sample_codes = sampled(typed(pl.DataFrame({"x": np.arange(10_000.0)})), codes, 500, seed=3)
    assert np.bincount(sample_codes).tolist() == [450, 50]
    assert (codes[table.rows] == sample_codes).all()
