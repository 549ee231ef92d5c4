"""LightGBM on columns made of two others, from a table to a program."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.core import registry
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import compile
from sortal.testing.requirement import fingerprint
from sortal.training.candidate import Candidate, Development, fit, prepare_rows
from sortal.training.ensemble import Ensemble

TRAIN, TEST = np.arange(1_200), np.arange(1_200, 2_400)
NAMES = ("debt", "growth", "pay", "branch", "noise")


def development(signal: bool = True) -> Development:
    """The class is by debt * growth, and by pay against the branch; or by nothing."""
    rng = np.random.default_rng(0)
    n = len(TRAIN) + len(TEST)
    branch = rng.integers(8, size=n)
    debt, growth, pay = rng.lognormal(size=n), rng.normal(size=n), rng.normal(size=n)
    score = debt * growth + pay if signal else rng.normal(size=n)
    frame = pl.DataFrame(
        {
            "debt": debt,
            "growth": np.where(rng.random(n) < 0.05, 0.0, growth),
            "pay": pay + 5 * rng.normal(size=8)[branch],
            "branch": [f"b{code}" if code < 7 or i < len(TRAIN) else "new" for i, code in enumerate(branch)],
            "noise": rng.normal(size=n),
        }
    ).with_columns(pl.when(pl.col("noise") > 0).then(pl.col("pay")).alias("pay"))
    kinds = {"branch": "category"}
    table = Table(Schema(tuple(Column(name, kinds.get(name, "number")) for name in NAMES)), frame, np.arange(n))
    codes = (score + 0.3 * rng.normal(size=n) > np.median(score)).astype(np.int64)
    return Development(table, codes, ("no", "yes"), seed=0)


def fitted(dev: Development, name: str):
    family = registry.load("sortal.models", name)
    settings = {"rounds": 200, "learning_rate": 0.1}
    return fit(Candidate(name, family), prepare_rows(dev, TRAIN, family.view), dev, settings)


def log_loss(dev: Development, pipeline) -> float:
    p = pipeline.predict_proba(pipeline.preprocessor.transform(dev.table.take(TEST)))
    return float(-np.log(p[np.arange(len(TEST)), dev.codes[TEST]]).mean())


def test_the_program_says_what_the_library_says_and_names_both_parents():
    dev = development()
    prepared, plain = fitted(dev, "lightgbm_prep"), fitted(dev, "lightgbm")
    names = prepared.preprocessor.names[len(NAMES) :]
    assert {"debt * growth", "growth * debt", "pay within branch"} - set(names) in (
        {"debt * growth"},
        {"growth * debt"},
    )
    sources = dict(zip(names, prepared.preprocessor.sources[len(NAMES) :], strict=True))
    assert sources["pay within branch"] == ("pay", "branch")
    program = prepared.program()
    assert [step.op for step in program.steps] == ["table", "arithmetic", "within", "forest"]
    later = dev.table.take(TEST)
    expected = prepared.predict_proba(prepared.preprocessor.transform(later))
    columns = later.columns(NAMES)
    probability = compile(program)(columns)
    assert np.abs(probability - expected).max() <= 1e-12
    alone = compile(program)({name: values[:1] for name, values in columns.items()})
    assert np.array_equal(alone, probability[:1])
    importance = Ensemble((prepared,)).importance
    assert sum(importance.values()) == pytest.approx(1)
    assert importance["branch"] > Ensemble((plain,)).importance["branch"]
    assert log_loss(dev, prepared) < log_loss(dev, plain) - 0.05
    assert fingerprint(program) == fingerprint(fitted(dev, "lightgbm_prep").program())


def test_of_noise_nothing_is_gained():
    """Nothing is added, and what is learned says hardly more than the shares of the classes."""
    dev = development(signal=False)
    pipeline = fitted(dev, "lightgbm_prep")
    assert pipeline.preprocessor.names == NAMES
    assert log_loss(dev, pipeline) == pytest.approx(np.log(2), abs=0.03)
