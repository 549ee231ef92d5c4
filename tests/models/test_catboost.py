"""What is CatBoost's own: its learning rate, its constants, and that a deadline ends it like any other."""

from __future__ import annotations

import time

import catboost
import numpy as np
import pytest

from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.engine import compile
from sortal.models.catboost import family, tuned_rate
from sortal.models.family import FitRequest, Rows


def rows(n: int, classes: int = 2, columns: int = 3) -> Rows:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, columns))
    return Rows(X, np.digitize(X[:, 0] + rng.normal(size=n), np.linspace(-1, 1, classes + 1)[1:-1]))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("n", [100, 2_000, 9_000])
def test_it_learns_as_fast_as_catboost_would(n: int, classes: int) -> None:
    train = rows(n, classes)
    model = catboost.CatBoostClassifier(iterations=1000, allow_writing_files=False, logging_level="Silent")
    model.fit(train.X, train.y, eval_set=(train.X[:50], train.y[:50]), early_stopping_rounds=1)
    expected = model.get_all_params()["learning_rate"]
    assert tuned_rate(FitRequest(train, classes, seed=0)) == pytest.approx(expected, rel=0.01)


def test_what_a_signal_raises_ends_a_fit_and_is_not_taken_for_ctrl_c() -> None:
    request = FitRequest(rows(20_000, columns=30), 2, seed=0)
    threads_before, start = time.process_time(), time.monotonic()
    with pytest.raises(TimeUp), interrupted_after(0.5):
        family.fit(request, {"learning_rate": 0.01})
    assert time.monotonic() - start < 10
    assert time.process_time() - threads_before < 10


def test_what_catboost_refuses_is_raised() -> None:
    with pytest.raises(catboost.CatBoostError, match="depth"):
        family.fit(FitRequest(rows(100), 2, seed=0), {"depth": 99})


def test_a_table_of_constants_gives_the_weighted_shares_of_the_classes() -> None:
    X = np.tile([1.0, np.nan], (4, 1))
    train = Rows(X, np.array([0, 1, 1, 1]), np.array([3.0, 1.0, 1.0, 1.0]))
    fitted = family.fit(FitRequest(train, 2, seed=0), {})
    assert fitted.predict_proba(X[:1]).tolist() == [[0.5, 0.5]]
    assert compile(fitted.program())(X[:1]).tolist() == [[0.5, 0.5]]


def test_leaves_are_rounded_in_the_model_as_in_the_program() -> None:
    train = rows(300)
    fitted = family.fit(FitRequest(train, 2, seed=0), {"rounds": 5})
    program = fitted.program()
    assert program.arrays["value"].dtype == np.float32
    assert np.abs(compile(program)(train.X) - fitted.predict_proba(train.X)).max() < 1e-15
