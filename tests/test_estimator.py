"""``SortalClassifier`` as scikit-learn's users meet it: its checks, its tools, their tables, and their mistakes."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_blobs, make_classification
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import sortal
from sortal.core.errors import InputError
from sortal.estimator import SortalClassifier
from sortal.training import develop

pytestmark = pytest.mark.usefixtures("all_dealt_once")

UNHURRIED = "1h"
"""No clock decides anything: what is tested here repeats on a busy machine."""

REPEATS = develop.REPEATS
"""How often few rows are dealt into folds."""


def quick(**parameters: Any) -> SortalClassifier:
    """The baselines alone: the manners of the estimator do not depend on the families that it tries."""
    return SortalClassifier(**{"models": ["majority"], "budget": UNHURRIED, **parameters})


FOLDS_COUNT_ROWS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight 2 is one row to a fold and to the scores that candidates are compared by, two rows are two: "
        "as in every estimator that cross-validates"
    )
}


@parametrize_with_checks([quick()], expected_failed_checks=lambda _: FOLDS_COUNT_ROWS)
def test_scikit_learn_agrees(estimator: SortalClassifier, check: Callable[[Any], None]) -> None:
    """All of its checks hold but one, which folds of rows rule out."""
    check(estimator)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """80 rows with a column of every kind and with missing values in all of them."""
    rng = np.random.default_rng(0)
    n = 80
    frame = pd.DataFrame(
        {
            "income": rng.normal(size=n),
            "city": rng.choice(["Oslo", "Rome", "Lima"], n),
            "plan": pd.Categorical(rng.choice(["basic", "full"], n)),
            "member": rng.random(n) > 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="h"),
            "visits": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "paid": pd.array(rng.random(n) > 0.5, dtype="boolean"),
        }
    )
    for row, name in enumerate(frame.columns.drop("member")):
        frame.loc[row, name] = None
    return frame


@pytest.fixture(scope="module")
def answers(people: pd.DataFrame) -> NDArray[np.str_]:
    noise = np.random.default_rng(1).normal(size=len(people))
    return np.where(people["income"].fillna(0) + noise > 0, "yes", "no")


@pytest.fixture(scope="module")
def classifier(people: pd.DataFrame, answers: NDArray[np.str_]) -> SortalClassifier:
    return quick().fit(people, answers)


def blobs(labels: NDArray[Any], per_class: int = 20) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Well separated clouds in the plane, one a label."""
    angle = 2 * np.pi * np.arange(len(labels)) / len(labels)
    centers = 10 * np.column_stack([np.cos(angle), np.sin(angle)])
    X, codes = make_blobs(per_class * len(labels), centers=centers, random_state=0)
    return X, labels[codes]


# Tables and names


@pytest.mark.parametrize(
    "convert",
    [pl.from_pandas, lambda people: pl.from_pandas(people).lazy(), pa.Table.from_pandas],
    ids=["polars", "lazy", "pyarrow"],
)
def test_every_table_is_the_same_table(
    people: pd.DataFrame,
    answers: NDArray[np.str_],
    classifier: SortalClassifier,
    convert: Callable[[pd.DataFrame], Any],
) -> None:
    other = quick().fit(convert(people), answers)
    expected = classifier.predict_proba(people)
    assert np.array_equal(other.predict_proba(people), expected)
    assert np.array_equal(classifier.predict_proba(convert(people)), expected)
    assert other.feature_names_in_.tolist() == people.columns.tolist()


def test_kinds_come_from_the_table(classifier: SortalClassifier) -> None:
    kinds = {column.name: column.kind for column in classifier.model_.schema.features}
    assert kinds == {
        "income": "number",
        "city": "category",
        "plan": "category",
        "member": "boolean",
        "since": "datetime",
        "visits": "number",
        "paid": "boolean",
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda people: people[people.columns[::-1]],
        lambda people: people.drop(columns="city"),
        lambda people: people.rename(columns={"city": "town"}),
        lambda people: people.assign(more=1),
    ],
    ids=["reordered", "dropped", "renamed", "added"],
)
def test_other_columns_are_refused(
    people: pd.DataFrame, classifier: SortalClassifier, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    with pytest.raises(ValueError, match="The feature names should match"):
        classifier.predict(change(people))


def test_columns_go_by_position_where_one_side_has_no_names(people: pd.DataFrame, classifier: SortalClassifier) -> None:
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        nameless = classifier.predict_proba(people.to_numpy())
    assert np.array_equal(nameless, classifier.predict_proba(people))

    X, y = blobs(np.array([0, 1]))
    model = quick().fit(pd.DataFrame(X), y)
    assert not hasattr(model, "feature_names_in_")
    assert np.array_equal(model.predict_proba(X), model.predict_proba(pd.DataFrame(X)))


def test_rows_at_prediction_may_be_few_and_new(people: pd.DataFrame, classifier: SortalClassifier) -> None:
    assert classifier.predict_proba(people[:0]).shape == (0, 2)
    one = people[:1].assign(city="Quito", income=np.nan)
    assert classifier.predict_proba(one).sum() == pytest.approx(1)
    with pytest.raises(InputError, match=r"column 'income'.*'a lot' in row 1"):
        classifier.predict(people[:1].assign(income="a lot"))


def test_text_arrays_hold_numbers_and_categories(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    numbers = np.random.default_rng(0).normal(size=(len(people), 2))
    table = np.column_stack([numbers.astype(object), people["city"].to_numpy(dtype=object)])
    for X in (table, table.tolist()):
        model = quick().fit(X, answers)
        assert [column.kind for column in model.model_.schema.features] == ["number", "number", "category"]
        assert model.predict(X).shape == answers.shape


@pytest.mark.parametrize(
    "identifiers",
    [np.arange(60), 10**17 + np.arange(60), np.arange(60, dtype=np.uint64) + 2**63, np.arange(60) * 1.5],
    ids=["int", "large int", "unsigned", "float"],
)
def test_numbers_that_are_all_different_stay_numbers(identifiers: NDArray[Any]) -> None:
    X = np.column_stack([identifiers, identifiers[::-1]])
    model = quick().fit(X, np.arange(60) // 30)
    assert [column.kind for column in model.model_.schema.features] == ["number", "number"]


def test_columns_that_nobody_uses_are_named(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    keys = [f"k{i}" for i in range(len(people))]
    X = people.assign(key=keys)
    with pytest.warns(UserWarning, match=r"'key' \(80 different values in 80 rows: it identifies rows\)"):
        quick().fit(X, answers)
    model = quick(ignore=["key"]).fit(X, answers)
    assert "key" not in [column.name for column in model.model_.schema.features]


def test_kinds_and_ignored_columns_of_an_array_go_by_position() -> None:
    X, y = blobs(np.array([0, 1, 2]))
    model = quick(kind={"x0": "category"}, ignore=["x1"]).fit(np.column_stack([y, X]), y)
    assert [(c.name, c.kind) for c in model.model_.schema.features] == [("x0", "category"), ("x2", "number")]
    assert model.score(np.column_stack([y, X]), y) > 0.9


# Labels


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["maybe", "no", "yes"]),
        np.array(["1", "10", "2"]),
        np.array(["no", "yes"], dtype=object),
        np.array([-1, 1]),
        np.array([3, 7, 20], dtype=np.uint8),
        np.array([0.0, 1.0, 2.0]),
        np.array([False, True]),
    ],
    ids=["text", "digits", "objects", "signs", "bytes", "floats", "booleans"],
)
def test_labels_come_back_as_they_were(labels: NDArray[Any]) -> None:
    X, y = blobs(labels)
    model = quick().fit(X, y)
    assert np.array_equal(model.classes_, np.unique(y))
    assert model.classes_.dtype == y.dtype
    assert model.predict(X).dtype == y.dtype
    assert np.mean(model.predict(X) == y) > 0.9
    assert np.array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        pd.Series,
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="string"),
        pl.Series,
        lambda y: pl.Series(y, dtype=pl.Categorical),
        lambda y: pa.array(y.tolist()),
    ],
    ids=["list", "pandas", "pandas category", "pandas string", "polars", "polars categorical", "pyarrow"],
)
def test_labels_come_in_any_container(wrap: Callable[[NDArray[Any]], Any]) -> None:
    X, y = blobs(np.array(["no", "yes"]))
    model = quick().fit(X, wrap(y))
    assert model.classes_.tolist() == ["no", "yes"]
    assert np.mean(model.predict(X) == y) > 0.9


@pytest.mark.parametrize("labels", [[1, 2], [True, False]], ids=["int", "bool"])
def test_python_objects_of_one_type_are_labels(labels: list[Any]) -> None:
    X, y = blobs(np.array([0, 1]))
    objects = np.array([labels[code] for code in y], dtype=object)
    model = quick().fit(X, objects)
    assert model.classes_.tolist() == sorted(labels)
    assert np.mean(model.predict(X) == objects) > 0.9


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", None] * 20, r"y holds no label in row 2 \(20 in all\)"),
        (pd.array([1, None] * 20, dtype="Int64"), "no label in row 2|contains NaN"),
        ([1.0, np.nan] * 20, "contains NaN"),
        (np.array([1, "a"] * 20, dtype=object), r"y mixes text with other labels \(int, str\)"),
        (np.linspace(0, 1, 40), "continuous"),
        (np.zeros(40), "one class only"),
        (["lone", *["a"] * 39], "class 'lone' of the target 'y' has one row"),
        ([0, 1] * 19, "X has 40 rows and y has 38"),
        (np.zeros((40, 2)), "1d array"),
    ],
    ids=["none", "NA", "nan", "mixed", "continuous", "one class", "lone", "short", "2-d"],
)
def test_labels_that_cannot_be_learned(y: Any, message: str) -> None:
    X, _ = blobs(np.array([0, 1]))
    with pytest.raises(ValueError, match=message):
        quick().fit(X, y)


def test_a_class_of_one_row_is_left_out_with_a_warning() -> None:
    X, y = blobs(np.array(["a", "b"]))
    y = np.array([*y[:-1], "lone"])
    with pytest.warns(UserWarning, match="classes of y with one row, .* are left out: 'lone'"):
        model = quick().fit(X, y, sample_weight=np.ones(len(y)))
    assert model.classes_.tolist() == ["a", "b"]
    assert model.predict_proba(X).shape == (len(y), 2)


# Decisions


@pytest.fixture(scope="module")
def noisy() -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    X, y = make_classification(200, 4, weights=[0.7], flip_y=0.2, random_state=0)
    return X, np.array(["good", "bad"])[y]


def test_predict_takes_the_least_expected_cost(noisy: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    X, y = noisy
    model = quick(cost={"fp": 1, "fn": 8}, positive="bad").fit(X, y)
    assert model.classes_.tolist() == ["bad", "good"]
    cost = np.array([[0, 8], [1, 0]])
    assert np.array_equal(model.predict(X), model.classes_[(model.predict_proba(X) @ cost).argmin(axis=1)])
    cost_free = quick().fit(X, y)
    assert (model.predict(X) == "bad").sum() > (cost_free.predict(X) == "bad").sum()


def test_costs_by_label_hold_in_the_order_of_the_classes() -> None:
    X, y = blobs(np.array(["1", "10", "2"]))
    X = X / 8  # so near to each other that costs matter
    table = {"10": {"2": 1, "1": 5}, "2": {"10": 2, "1": 3}, "1": {"10": 4, "2": 9}}
    model = quick(cost=table).fit(X, y)
    cost = np.array([[table[truth].get(decided, 0) for decided in model.classes_] for truth in model.classes_])
    assert np.array_equal(model.predict(X), model.classes_[(model.predict_proba(X) @ cost).argmin(axis=1)])


def test_the_f1_goal_moves_the_threshold(noisy: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    X, y = noisy
    model = quick(f1=True, positive="good").fit(X, y)
    threshold = model.model_.decision.threshold
    assert threshold is not None
    assert np.array_equal(model.predict(X) == "good", model.predict_proba(X)[:, 1] >= threshold)


@pytest.mark.parametrize("positive", [0, 0.0, np.int64(0), "0"])
def test_the_positive_class_may_be_written_in_any_type(positive: object) -> None:
    X, y = blobs(np.array([0, 1]))
    assert quick(positive=positive).fit(X, y).model_.task.positive == "0"


def test_the_task_is_in_the_order_of_the_classes() -> None:
    """As text "10" stands before "2", as a number behind it."""
    rows = {"1": 60, "10": 30, "2": 10}
    y = np.repeat([*rows], [*rows.values()])
    X = np.random.default_rng(0).normal(size=(100, 2))
    task = quick(cost={"10": {"2": 1, "1": 5}, "2": {"10": 2, "1": 3}, "1": {"10": 4, "2": 9}}).fit(X, y).model_.task
    assert task.classes == ("1", "10", "2")
    assert task.prevalence == pytest.approx((0.6, 0.3, 0.1))
    assert task.cost == ((0, 4, 9), (5, 0, 1), (3, 2, 0))
    assert task.label_type == "str"
    assert quick().fit(X, y.astype(int)).model_.task.label_type == "int"


def test_costs_in_columns_are_paid_by_row(noisy: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    X, y = noisy
    amount = np.where(np.arange(len(y)) % 2, 20.0, 0.1)
    rows = pd.DataFrame(X, columns=list("abcd")).assign(amount=amount)
    model = quick(cost={"fp": 1}, cost_column={"fn": "amount"}, ignore="amount", positive="bad").fit(rows, y)
    p_bad = model.predict_proba(rows)[:, 0]
    assert np.array_equal(model.predict(rows) == "bad", p_bad * amount > 1 - p_bad)
    with pytest.raises(ValueError, match="column 'amount' of X has no value in row 1"):
        model.predict(rows.assign(amount=np.nan))


def test_f_beta_and_capacity_decide(noisy: tuple[NDArray[np.float64], NDArray[np.str_]]) -> None:
    X, y = noisy
    n_recall, n_precision = (
        int((quick(f_beta=b, positive="bad").fit(X, y).predict(X) == "bad").sum()) for b in (5, 0.2)
    )
    assert n_recall > n_precision
    model = quick(capacity=7, positive="bad").fit(X, y)
    assert (model.predict(X) == "bad").sum() == 7


def test_groups_and_times_part_the_folds(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    with_group = people.assign(who=np.arange(len(people)) // 4)
    for parameters in ({"group": "who"}, {"time": "since"}):
        X = with_group if "group" in parameters else people.assign(since=people["since"].fillna(pd.Timestamp("2019")))
        model = quick(**parameters).fit(X, answers)
        [name] = parameters.values()
        assert name not in {column.name for column in model.model_.schema.features}
        assert model.predict(X).shape == answers.shape


# Weights


def test_a_row_of_no_weight_is_no_row(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    weight = np.random.default_rng(3).integers(0, 3, len(people))
    model = quick().fit(people, answers, sample_weight=weight)
    subset = quick().fit(people[weight > 0], answers[weight > 0], sample_weight=4 * weight[weight > 0])
    assert np.array_equal(model.predict_proba(people), subset.predict_proba(people))
    unweighted = quick().fit(people[weight > 0], answers[weight > 0])
    assert not np.array_equal(model.predict_proba(people), unweighted.predict_proba(people))
    assert "weight" not in model.model_.schema


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(40, -1.0), "Negative values"),
        (np.r_[np.nan, np.ones(39)], "contains NaN"),
        (np.ones(39), "shape"),
        (np.zeros(40), "at least one non-zero number"),
        (np.r_[np.zeros(20), np.ones(20)], "one class only"),
    ],
    ids=["negative", "missing", "short", "zeros", "one class"],
)
def test_weights_that_cannot_be(weight: NDArray[np.float64], message: str) -> None:
    X, _ = blobs(np.array([0, 1]))
    with pytest.raises(ValueError, match=message):
        quick().fit(X, np.arange(40) // 20, sample_weight=weight)


# The trip


def test_equal_seeds_give_equal_probabilities(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    model = SortalClassifier(models=["lightgbm", "svm"], budget=UNHURRIED, random_state=5).fit(people, answers)
    repeat = clone(model).fit(people, answers)
    assert np.array_equal(model.predict_proba(people), repeat.predict_proba(people))
    assert without_times(model).equals(without_times(repeat))


def test_a_random_state_is_a_seed_too(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    boards = [without_times(quick(random_state=np.random.RandomState(3)).fit(people, answers)) for _ in range(2)]
    assert boards[0].equals(boards[1])
    assert not boards[0].equals(without_times(quick(random_state=4).fit(people, answers)))


def without_times(model: SortalClassifier) -> Any:
    return model.leaderboard_.drop(columns="fit_seconds")


@pytest.mark.parametrize("family", ["lightgbm", "xgboost"])
def test_boosters_take_missing_values(family: str, people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    """Their programs say what their libraries say: ``fit`` refuses a model where they do not."""
    model = SortalClassifier(models=[family], budget=UNHURRIED).fit(people, answers)
    assert family in set(model.leaderboard_["name"])
    assert model.skipped_ == {}


def test_the_leaderboard_is_in_order(classifier: SortalClassifier) -> None:
    board = classifier.leaderboard_
    assert board["log_loss_mean"].is_monotonic_increasing
    assert board["chosen"].sum() == 1
    assert {"majority", "logistic", "tree"} <= set(board["name"])
    by_rank = quick(metric="roc_auc").fit(*make_classification(80, random_state=0)).leaderboard_
    assert isinstance(board, pd.DataFrame)
    assert isinstance(by_rank, pl.DataFrame)
    assert by_rank["roc_auc_mean"].is_sorted(descending=True)


@pytest.mark.clock
def test_a_budget_is_kept_and_what_it_cost_is_told() -> None:
    X, y = make_classification(20_000, 20, n_informative=8, random_state=0)
    budget = 3.0
    start = time.monotonic()
    model = SortalClassifier(budget=budget).fit(X, y)
    assert time.monotonic() - start < 2 * budget
    assert model.skipped_
    assert all(model.skipped_.values())


def test_the_model_is_one_that_sortal_saves(classifier: SortalClassifier, people: pd.DataFrame, tmp_path: Path) -> None:
    classifier.model_.save(tmp_path / "people.sortal")
    model = sortal.load(tmp_path / "people.sortal")
    assert np.array_equal(model.predict_proba(people), classifier.predict_proba(people))
    assert np.array_equal(model.decide(people), classifier.predict(people))


def test_pickles_predict_alike_and_hold_no_rows() -> None:
    X, y = make_classification(2_000, 20, random_state=0)
    model = quick().fit(X, y)
    expected = model.predict_proba(X)
    content = pickle.dumps(model)
    assert len(content) < X.nbytes / 4
    assert np.array_equal(pickle.loads(content).predict_proba(X), expected)  # noqa: S301 - our own
    assert np.array_equal(copy.deepcopy(model).predict_proba(X), expected)


# Small and odd data


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 10),
        (np.random.default_rng(0).normal(size=(24, 3)), np.arange(24) % 8),
        (np.random.default_rng(0).normal(size=(60, 3)), np.r_[2, 2, np.arange(58) % 2]),
        (np.column_stack([np.arange(40), np.ones(40), np.zeros(40)]), np.arange(40) % 2),
        (np.ones((40, 2)), np.arange(40) % 2),
        (np.arange(40.0)[:, None], np.arange(40) // 20),
        (np.column_stack([np.arange(40), np.full(40, np.nan)]), np.arange(40) // 20),
        (np.random.default_rng(0).normal(size=(30, 200)), np.arange(30) % 2),
        (np.arange(80).reshape(40, 2) % 3 > 0, np.arange(40) % 2),
    ],
    ids=[
        "two rows a class",
        "three rows a class",
        "a class of two rows",
        "constant columns",
        "only constants",
        "one column",
        "a column without values",
        "wide",
        "booleans",
    ],
)
def test_odd_data_is_fitted(X: NDArray[Any], y: NDArray[np.int64], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(develop, "REPEATS", REPEATS)
    model = SortalClassifier(models=["svm"], budget=UNHURRIED).fit(X, y)
    probability = model.predict_proba(X)
    assert probability.shape == (len(y), len(np.unique(y)))
    assert np.allclose(probability.sum(axis=1), 1)
    assert model.n_features_in_ == X.shape[1]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((40, 2), np.nan), "no column of X can be used .*all values are missing"),
        (np.array([[f"key {i}"] for i in range(40)]), "no column of X can be used .*identifies rows"),
        (pd.DataFrame(index=range(40)), "X has 40 rows and 0 columns"),
        (pd.DataFrame({"a": []}), "X has 0 rows and 1 columns"),
        (pd.DataFrame({"a": [1.0, np.inf] * 20}), "column 'a' of X holds inf"),
        (np.array([[1.0], [np.inf]] * 20), "X contains infinity"),
        (np.arange(40.0), "Expected 2D array, got 1D array"),
    ],
    ids=["no values", "keys", "no columns", "no rows", "infinity in a table", "infinity", "1-d"],
)
def test_data_that_cannot_be_used(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(X, np.arange(40) % 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"models": "svmm"}, "no model 'svmm'; did you mean 'svm'"),
        ({"models": ["svmm"]}, "no model 'svmm'; did you mean 'svm'"),
        ({"ignore": ["x9"]}, "no column 'x9' in X"),
        ({"ignore": "x9"}, "no column 'x9' in X"),
        ({"time": "x9"}, "no column 'x9' in X"),
        ({"group": "x0", "time": "x0"}, "cannot be both time and group"),
        ({"cost_column": {"fn": "x9"}}, "no column 'x9' in X for the costs"),
        ({"capacity": "many"}, "capacity many is no number"),
        ({"ignore": ["x0", "x1"]}, "no column of X can be used .all are in ignore"),
        ({"kind": {"x0": "bool"}}, "no kind 'bool'.*did you mean 'boolean'"),
        ({"metric": "auc"}, "no metric 'auc'"),
        ({"f_beta": 0}, "f_beta 0 weighs nothing"),
        ({"f_beta": "high"}, "f_beta cannot be 'high'"),
        ({"f1": True, "f_beta": 2}, "two different goals"),
        ({"f1": True, "cost": {"fp": 1, "fn": 2}}, "two different goals"),
        ({"cost": {"fp": 1}}, "the cost of fn is not given"),
        ({"cost": {0: {1: 1}, 5: {0: 1}}}, "a class '5' that the target does not have"),
        ({"cost": 3}, "cost is 3; give for example"),
        ({"positive": "yes"}, "the positive class 'yes' is no class"),
        ({"select": 0}, "select 0 is no number of columns"),
        ({"select": 1.5}, "select cannot be 1.5"),
        ({"budget": "soon"}, "soon is not a time"),
        ({"budget": 0}, "leaves no time"),
        ({"random_state": "a"}, "'a' cannot be used to seed"),
    ],
)
def test_parameters_that_cannot_be_used(parameters: dict[str, Any], message: str) -> None:
    X, y = blobs(np.array([0, 1]))
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(X, y)


def test_an_unfitted_model_says_so() -> None:
    X, _ = blobs(np.array([0, 1]))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        quick().predict(X)


# scikit-learn's tools


def test_cross_validation(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    scores = cross_val_score(quick(), people, answers, cv=3, scoring="neg_log_loss")
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    probability = cross_val_predict(quick(), people, answers, cv=3, method="predict_proba")
    assert probability.shape == (len(people), 2)
    assert cross_val_score(quick(), people, answers, cv=2, n_jobs=2).shape == (2,)


def test_grid_search_and_pipelines(people: pd.DataFrame, answers: NDArray[np.str_]) -> None:
    scale = make_column_transformer((StandardScaler(), ["income"]), remainder="passthrough")
    pipeline = make_pipeline(scale.set_output(transform="pandas"), quick())
    search = GridSearchCV(pipeline, {"sortalclassifier__metric": ["auto", "roc_auc"]}, cv=2).fit(people, answers)
    assert search.best_params_["sortalclassifier__metric"] in ("auto", "roc_auc")
    assert search.score(people, answers) > 0.5
    assert "remainder__city" in search.best_estimator_[-1].feature_names_in_


def test_calibration_and_inspection(
    people: pd.DataFrame, answers: NDArray[np.str_], classifier: SortalClassifier
) -> None:
    for wrapper in (CalibratedClassifierCV(quick(), cv=2), CalibratedClassifierCV(FrozenEstimator(classifier))):
        assert wrapper.fit(people, answers).predict_proba(people).shape == (len(people), 2)
    importance = permutation_importance(classifier, people, answers, n_repeats=2, random_state=0).importances_mean
    assert importance.argmax() == people.columns.get_loc("income")


def test_parameters_and_pictures(classifier: SortalClassifier) -> None:
    model = quick(cost={"fp": 1, "fn": 2}, ignore=["a"])
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(budget="9s").budget == "9s"
    assert repr(quick()) == "SortalClassifier(budget='1h', models=['majority'])"
    assert "leaderboard_" in classifier._repr_html_()


def test_importing_sortal_does_not_import_scikit_learn() -> None:
    lines = [
        "import sys, sortal",
        "assert 'sklearn' not in sys.modules",
        "sortal.SortalClassifier",
        "assert 'sklearn' in sys.modules",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)
