from __future__ import annotations

import catboost
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from sortal.engine import compile
from sortal.models.trees import from_catboost, from_lightgbm, from_sklearn, from_xgboost

ROWS = 600


def data(classes, missing=False, categories=False):
    """Training rows and labels, and other rows that go beyond them; column 0 may hold category codes."""
    rng = np.random.default_rng(classes)
    X, y = make_classification(ROWS, 6, n_informative=4, n_classes=classes, random_state=classes)
    other = np.vstack([X, 3 * rng.normal(size=X.shape)])
    if categories:
        X[:, 0] = (y * 7 + rng.integers(0, 40, ROWS)) % 50
        other[:, 0] = rng.integers(-3, 80, len(other)) + rng.choice([0.0, 0.5], len(other))
        other[:8, 0] = [np.nan, -0.5, -1.0, 49.9, 1e9, 1e12, 31.0, 32.0]
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
        other[rng.random(other.shape) < 0.15] = np.nan
    return X, y, other


def assert_parity(program, X, expected, tolerance):
    run = compile(program)
    actual = run(X)
    assert_allclose(actual, expected, rtol=0, atol=tolerance)
    assert_array_equal(actual.argmax(axis=1), expected.argmax(axis=1))
    assert_array_equal(run(X[:50]), actual[:50])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("depth", [None, 4])
@pytest.mark.parametrize("family", [RandomForestClassifier, ExtraTreesClassifier])
def test_scikit_learn_forests(family, depth, classes, missing):
    X, y, other = data(classes, missing)
    model = family(12, max_depth=depth, random_state=0, class_weight="balanced").fit(X, y)
    assert_parity(from_sklearn(model.estimators_, classes), other, model.predict_proba(other), 1e-15)


def test_scikit_learn_compares_in_float32():
    X, y, _ = data(2)
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    at = np.column_stack([np.tile(t, 6) for t in model.tree_.threshold[model.tree_.feature >= 0][:30]]).T
    near = np.vstack([at, np.nextafter(at, np.inf), np.nextafter(at.astype(np.float32), np.float32(np.inf))])
    assert_parity(from_sklearn([model], 2), near, model.predict_proba(near), 0)


def test_leaves_with_equal_values_share_a_row():
    X, y, other = data(3)
    model = ExtraTreesClassifier(20, random_state=0).fit(X, y)
    program = from_sklearn(model.estimators_, 3)
    assert len(program.arrays["value"]) == 3, "all leaves of a full tree are pure"
    assert program.arrays["threshold"].dtype == np.float32
    assert_parity(program, other, model.predict_proba(other), 0)


def train_lightgbm(X, y, classes, rounds=25, categorical=False, **params):
    objective = {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}
    params = {**objective, "verbose": -1, "num_threads": 1, "seed": 0, "min_data_in_leaf": 3, **params}
    return lgb.train(params, lgb.Dataset(X, y, categorical_feature=[0] if categorical else []), rounds)


def lightgbm_probability(booster, X, **options):
    p = booster.predict(X, num_threads=1, **options)
    return p if p.ndim == 2 else np.column_stack([1 - p, p])


@pytest.mark.parametrize("categories", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("leaves", [31, 90])
def test_lightgbm(leaves, classes, missing, categories):
    X, y, other = data(classes, missing, categories)
    more = {"min_data_in_leaf": 1, "min_data_per_group": 5, "cat_smooth": 1.0, "cat_l2": 0.0}
    booster = train_lightgbm(X, y, classes, categorical=categories, num_leaves=leaves, **more)
    program = from_lightgbm(booster)
    assert (program.arrays["category"] >= 0).any() == categories
    assert_parity(program, other, lightgbm_probability(booster, other), 1e-15)


@pytest.mark.parametrize("use_missing", [False, True])
def test_lightgbm_reads_a_missing_value_that_it_never_saw_as_zero(use_missing):
    X, y, other = data(2)
    booster = train_lightgbm(X, y, 2, use_missing=use_missing)
    other[::3, ::2] = np.nan
    program = from_lightgbm(booster)
    assert set(program.arrays["missing"][program.arrays["feature"] >= 0]) == {2}
    assert_parity(program, other, lightgbm_probability(booster, other), 1e-15)


def test_lightgbm_keeps_the_rounds_that_are_told_or_the_best():
    X, y, other = data(2)
    booster = train_lightgbm(X, y, 2, rounds=20)
    assert len(from_lightgbm(booster).arrays["root"]) == 20
    expected = lightgbm_probability(booster, other, num_iteration=7)
    assert_parity(from_lightgbm(booster, num_iteration=7), other, expected, 1e-15)
    booster.best_iteration = 7
    assert_parity(from_lightgbm(booster), other, expected, 1e-15)


def test_lightgbm_trees_that_found_no_split():
    X, y, other = data(2)
    booster = train_lightgbm(X, y, 2, rounds=3, min_data_in_leaf=ROWS)
    assert_parity(from_lightgbm(booster), other, lightgbm_probability(booster, other), 1e-15)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"objective": "cross_entropy"}, "cross_entropy"),
        ({"sigmoid": 2.0}, "sigmoid"),
        ({"zero_as_missing": True}, "zero_as_missing"),
        ({"linear_tree": True}, "linear_tree"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "averaged"),
    ],
)
def test_what_lightgbm_cannot_export_is_refused(params, message):
    X, y, _ = data(2)
    booster = train_lightgbm(X, y, 2, rounds=3, **params)
    with pytest.raises(ValueError, match=message):
        from_lightgbm(booster)


def train_xgboost(X, y, classes, **params):
    settings = {"n_estimators": 25, "random_state": 0, "n_jobs": 1, **params}
    return xgb.XGBClassifier(**settings).fit(X, y)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "params",
    [
        {"max_depth": 6},
        {"max_depth": 9, "min_child_weight": 1e-6},
        {"tree_method": "exact", "gamma": 2.0},
        {"base_score": 0.3},
        {"grow_policy": "lossguide", "max_leaves": 20, "max_depth": 0, "num_parallel_tree": 2},
    ],
)
def test_xgboost(params, classes, missing):
    X, y, other = data(classes, missing)
    model = train_xgboost(X, y, classes, **params)
    program = from_xgboost(model.get_booster(), classes)
    assert_parity(program, other, model.predict_proba(other), 1e-6)


def test_xgboost_compares_in_float32():
    X, y, _ = data(2)
    model = train_xgboost(X, y, 2)
    program = from_xgboost(model.get_booster(), 2)
    at = program.arrays["threshold"][program.arrays["feature"] >= 0][:200].astype(np.float64)
    near = np.vstack([np.tile(at, (6, 1)).T, np.tile(at * (1 + 1e-9), (6, 1)).T, np.tile(at * (1 - 1e-6), (6, 1)).T])
    assert_parity(program, near, model.predict_proba(near), 1e-6)


def test_xgboost_keeps_the_rounds_that_are_told():
    X, y, other = data(3)
    model = train_xgboost(X, y, 3)
    expected = model.predict_proba(other, iteration_range=(0, 7))
    program = from_xgboost(model.get_booster(), 3, rounds=7)
    assert len(program.arrays["root"]) == 21
    assert_parity(program, other, expected, 1e-6)


def test_what_xgboost_cannot_export_is_refused():
    X, y, _ = data(2)
    with pytest.raises(ValueError, match="dart"):
        from_xgboost(train_xgboost(X, y, 2, booster="dart", n_estimators=2).get_booster(), 2)
    with pytest.raises(ValueError, match="cannot be exported as 3"):
        from_xgboost(train_xgboost(X, y, 2, n_estimators=2).get_booster(), 3)


def train_catboost(X, y, rounds=25, **params):
    params = {"thread_count": 1, "random_seed": 0, "logging_level": "Silent", "allow_writing_files": False, **params}
    return catboost.CatBoostClassifier(iterations=rounds, **params).fit(X, y)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("params", [{}, {"depth": 3, "boosting_type": "Ordered"}], ids=str)
def test_catboost(params, classes, missing):
    X, y, other = data(classes, missing)
    model = train_catboost(X, y, **params)
    leaves = model.get_leaf_values()
    model.set_leaf_values(leaves.astype(np.float32).astype(np.float64))
    assert not np.array_equal(model.get_leaf_values(), leaves)
    assert_parity(from_catboost(model, classes), other, model.predict_proba(other), 1e-15)


def test_leaves_of_catboost_are_rounded_to_float32():
    X, y, other = data(3)
    model = train_catboost(X, y)
    assert_parity(from_catboost(model, 3), other, model.predict_proba(other), 1e-7)


def test_catboost_splits_above_a_border_in_float32():
    X, y, _ = data(2)
    model = train_catboost(X, y)
    model.set_leaf_values(model.get_leaf_values().astype(np.float32).astype(np.float64))
    program = from_catboost(model, 2)
    at = program.arrays["threshold"].ravel()[:200]
    up, down = (np.nextafter(at, np.float32(way)) for way in (np.inf, -np.inf))
    near = np.vstack([np.tile(v.astype(np.float64), (6, 1)).T for v in (at, up, down, at * (1 + 1e-9))])
    assert_parity(program, near, model.predict_proba(near), 1e-15)


def test_trees_of_catboost_may_have_fewer_levels_than_others():
    X, y, other = data(2)
    X[:, 1:], other[:, 1:] = 1.0, 1.0
    X[:, 0], other[:, 0] = X[:, 0] > 0, other[:, 0] > 0
    model = train_catboost(X, y, rounds=3)
    program = from_catboost(model, 2)
    assert program.arrays["value"].shape == (3, 2, 1)
    assert_parity(program, other, model.predict_proba(other), 1e-7)


def test_what_catboost_cannot_export_is_refused():
    X, y, _ = data(2)
    with pytest.raises(ValueError, match="symmetric"):
        from_catboost(train_catboost(X, y, rounds=2, grow_policy="Lossguide"), 2)
    with pytest.raises(ValueError, match="boost_from_average"):
        from_catboost(train_catboost(X, y, rounds=2, boost_from_average=True), 2)
    X[:5, 0] = np.nan
    with pytest.raises(ValueError, match="nan_mode"):
        from_catboost(train_catboost(X, y, rounds=2, nan_mode="Max"), 2)
    codes = np.where(X > 0, 1, 0)
    with pytest.raises(ValueError, match="categorical"):
        from_catboost(train_catboost(codes, y, rounds=2, cat_features=[0], one_hot_max_size=1), 2)


def test_a_tree_of_other_classes_is_refused():
    X, y, _ = data(2)
    with pytest.raises(ValueError, match="not of 3 classes"):
        from_sklearn([DecisionTreeClassifier(max_depth=2).fit(X, y)], 3)
    with pytest.raises(ValueError, match="at least one tree"):
        from_sklearn([], 2)
