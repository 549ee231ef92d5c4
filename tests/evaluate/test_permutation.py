"""What a column adds: against scikit-learn, exact cases, and the coverage of its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance as of_sklearn

from sortal.core.predictions import Predictions
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import compile
from sortal.engine.program import Program
from sortal.evaluate.permutation import permutation_importance

NAMES = ("strong", "weak", "idle")
COEF = np.array([[2.0, 0.5, 0.0]])
SCHEMA = Schema(tuple(Column(name, "number") for name in NAMES))
READS = (
    Program("fill", arrays={"value": np.zeros(3), "indicator": np.empty(0, dtype=np.int64)}),
    Program("linear", {"link": "sigmoid"}, {"coef": COEF, "intercept": np.zeros(1)}),
)
LINEAR = compile(Program("table", steps=tuple(Program("number", {"column": name}) for name in NAMES)).then(*READS))


def draw(n: int, seed: int) -> tuple[Table, Predictions]:
    """Rows whose classes come from the probabilities that the program gives."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    table = Table(SCHEMA, pl.DataFrame(dict(zip(NAMES, x.T, strict=True))), np.arange(n))
    p = LINEAR(table.columns(NAMES))
    truth = (rng.random(n) < p[:, 1]).astype(np.int64)
    return table, Predictions(("no", "yes"), np.arange(n), truth, p, "out-of-fold")


class LinearClassifier(ClassifierMixin, BaseEstimator):
    """The same program, as scikit-learn sees it."""

    classes_ = np.array([0, 1])

    def fit(self, X: object, y: object) -> LinearClassifier:
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return LINEAR(dict(zip(NAMES, X.T, strict=True)))


def test_it_is_the_figure_of_scikit_learn() -> None:
    table, predictions = draw(400, 1)
    runs = [permutation_importance(LINEAR, table, predictions, NAMES, seed) for seed in range(60)]
    expected = of_sklearn(
        LinearClassifier(),
        table.frame.to_numpy(),
        predictions.truth,
        scoring="neg_log_loss",
        n_repeats=60,
        random_state=0,
    )
    for at, name in enumerate(NAMES):
        mean = np.mean([importance[name].value for importance in runs])
        assert mean == pytest.approx(expected.importances_mean[at], abs=0.02), name


def test_the_largest_comes_first_and_what_says_nothing_adds_nothing() -> None:
    table, predictions = draw(300, 2)
    importances = permutation_importance(LINEAR, table, predictions, ("idle", "weak", "strong"), 0)
    assert list(importances) == ["strong", "weak", "idle"]
    assert (importances["idle"].value, importances["idle"].low, importances["idle"].high) == (0.0, 0.0, 0.0)
    assert 0 < importances["weak"].low < importances["weak"].value < importances["strong"].low


def test_by_hand() -> None:
    """Two rows of two classes: shuffled, they change places, or stay."""
    table = Table(SCHEMA, pl.DataFrame({"strong": [1.0, -1.0], "weak": [0.0, 0.0], "idle": [0.0, 0.0]}), np.arange(2))
    predictions = Predictions(
        ("no", "yes"), np.arange(2), np.array([1, 0]), LINEAR(table.columns(NAMES)), "out-of-fold"
    )
    losses = {round(permutation_importance(LINEAR, table, predictions, NAMES, s)["strong"].value, 12) for s in range(9)}
    assert losses == {0.0, 2.0}  # log(1 + e^2) - log(1 + e^-2)


def test_the_interval_is_wider_where_rows_of_a_group_are_alike() -> None:
    """Each row is there five times; the partners that it gets are others each time."""
    table, predictions = draw(120, 3)
    five = np.repeat(np.arange(120), 5)
    alone = replace(predictions.take(five), rows=np.arange(600))
    many = Table(SCHEMA, table.frame[five], np.arange(600))
    apart, together = (
        permutation_importance(LINEAR, many, p, NAMES, 0)["strong"] for p in (alone, replace(alone, groups=five))
    )
    assert apart.value == together.value
    assert together.high - together.low > 1.15 * (apart.high - apart.low)


def test_the_interval_holds_the_figure_of_all_rows_nineteen_times_in_twenty() -> None:
    table, predictions = draw(40_000, 4)
    whole = permutation_importance(LINEAR, table, predictions, NAMES, 0)
    hits = dict.fromkeys(NAMES[:2], 0)
    for seed in range(200):
        importances = permutation_importance(LINEAR, *draw(200, 100 + seed), NAMES, seed)
        for name in hits:
            hits[name] += importances[name].low <= whole[name].value <= importances[name].high
    assert all(180 <= count <= 198 for count in hits.values()), hits


def test_a_column_may_be_called_like_a_pattern() -> None:
    table, predictions = draw(50, 2)
    names = ("^p.*$", "*", "^.*$")
    other_table = Table(
        Schema(tuple(Column(name, "number") for name in names)),
        pl.DataFrame([table[old].alias(new) for old, new in zip(NAMES, names, strict=True)]),
        table.rows,
    )
    steps = tuple(Program("number", {"column": name}) for name in names)
    program = compile(Program("table", steps=steps).then(*READS))
    usual = permutation_importance(LINEAR, table, predictions, NAMES, 0)
    importances = permutation_importance(program, other_table, predictions, names, 0)
    assert [importances[new] for new in names] == [usual[old] for old in NAMES]
