from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from sortal.core.schema import Column
from sortal.engine import compile as compile_program
from sortal.prepare.category import MAX_CODES, preparer
from sortal.prepare.view import EncodedColumn, Labels, View

LAWS = settings(max_examples=50)
CODES, ONEHOT = View("raw", "codes"), View("scaled", "onehot")
LEVELS = st.lists(st.sampled_from(["a", "b", "c", "d", "ä b", "=", "E"]), min_size=1, max_size=40)


def fit(values: list[str | None], view: View, codes: np.ndarray | None = None, n_classes: int = 2) -> EncodedColumn:
    series = pl.Series("x", values, dtype=pl.String)
    labels = Labels(np.arange(len(values)) % n_classes if codes is None else codes, n_classes)
    return preparer.fit(Column("x", "category"), series, labels, view, seed=0)


def run(prepared: EncodedColumn, values: list[str | None]) -> np.ndarray:
    return compile_program(prepared.program)({"x": values})


def as_column(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=object)[:, None]


@LAWS
@given(LEVELS, LEVELS)
def test_onehot_columns_are_those_of_scikit_learn(train: list[str], later: list[str]) -> None:
    train = [*train, "a", "b", "c"]
    prepared = fit(list(train), ONEHOT)
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(as_column(train))
    order = [prepared.names.index(f"x={level}") for level in encoder.categories_[0]]
    assert len(order) == len(prepared.names)
    np.testing.assert_array_equal(run(prepared, list(later))[:, order], encoder.transform(as_column(later)))


def test_two_levels_without_missing_values_need_one_column() -> None:
    prepared = fit(["no", "yes", "no", "no"], ONEHOT)
    assert prepared.names == ("x=yes",)
    assert run(prepared, ["no", "yes"]).tolist() == [[0.0], [1.0]]


def test_a_missing_value_is_a_level_of_its_own_where_training_has_one() -> None:
    prepared = fit(["no", "yes", None, "no"], ONEHOT)
    assert prepared.names == ("x=no", "x=yes", "x is missing")
    assert run(prepared, [None, "no", "other"]).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("values", [["a"] * 4, [None] * 4])
def test_a_column_with_nothing_to_tell_is_still_a_column(values: list[str | None]) -> None:
    assert len(fit(values, ONEHOT).names) == 1
    assert len(fit(values, CODES).names) == 1


def test_codes_count_from_the_most_frequent_level_and_are_missing_for_what_was_not_seen() -> None:
    prepared = fit(["b", "c", "c", "a", "b", "c"], CODES)
    assert prepared.categorical == (True,)
    expected = [0.0, 1.0, 2.0, np.nan, np.nan]
    np.testing.assert_array_equal(run(prepared, ["c", "b", "a", None, "new"])[:, 0], expected)


def test_levels_beyond_the_most_frequent_share_one_code() -> None:
    values = ["often"] * 3 + [f"level {i:05}" for i in range(MAX_CODES + 500)]
    codes = run(fit(values, CODES), values)[:, 0]
    assert codes[0] == 0
    assert len(np.unique(codes)) == MAX_CODES + 1
    assert (codes == MAX_CODES).sum() == len(values) - 2 - MAX_CODES


@pytest.mark.parametrize("n_classes", [2, 3])
def test_many_levels_are_encoded_as_scikit_learn_encodes_them(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(50, size=600)
    values = [f"v{i}" for i in level]
    codes = (level + rng.integers(n_classes, size=600)) % n_classes
    kind = "binary" if n_classes == 2 else "multiclass"
    # Which rows go to which inner fold depends on rows and seed alone, not on how levels are called.
    encoder = TargetEncoder(target_type=kind, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    train = encoder.fit_transform(as_column(values), codes)
    prepared = fit(list(values), ONEHOT, codes, n_classes)
    assert prepared.train is not None
    np.testing.assert_allclose(prepared.train, train, atol=1e-12)
    later = ["v0", "v7", "v49", "new"]
    np.testing.assert_allclose(run(prepared, list(later)), encoder.transform(as_column(later)), atol=1e-12)
    assert not prepared.numeric


def test_many_levels_keep_their_codes_beside_the_target_encoding_where_codes_are_wanted() -> None:
    values = [f"v{i % 40}" for i in range(400)]
    prepared = fit(list(values), CODES)
    assert prepared.names == ("x", "x share of class 1")
    assert prepared.categorical == (True, False)


@pytest.mark.parametrize(
    ("levels", "n_classes", "many"), [(30, 2, False), (31, 2, True), (31, 20, True), (31, 21, False)]
)
def test_more_than_thirty_levels_are_many_but_not_of_more_than_twenty_classes(
    levels: int, n_classes: int, many: bool
) -> None:
    values = [f"v{i % levels}" for i in range(840)]
    prepared = fit(list(values), ONEHOT, np.arange(840) % n_classes, n_classes)
    assert prepared.names[0] == ("x share of class " + "01"[n_classes == 2] if many else "x=v0")
    assert (prepared.train is not None) == many


def test_the_seed_deals_the_inner_folds() -> None:
    series = pl.Series("x", [f"v{i % 40}" for i in range(400)])
    labels = Labels(np.random.default_rng(0).integers(2, size=400), 2)
    trains = [preparer.fit(Column("x", "category"), series, labels, ONEHOT, seed).train for seed in (0, 0, 1)]
    assert np.array_equal(trains[0], trains[1])
    assert not np.array_equal(trains[0], trains[2])


def test_a_training_row_does_not_see_its_own_label_in_the_target_encoding() -> None:
    """Levels of one row each: with its own label a row would be encoded as that; without, as the mean of others."""
    values = [f"id {i}" for i in range(200)]
    codes = np.random.default_rng(0).integers(2, size=200)
    prepared = fit(list(values), ONEHOT, codes)
    assert prepared.train is not None
    assert abs(np.corrcoef(prepared.train[:, 0], codes)[0, 1]) < 0.3
    assert np.corrcoef(run(prepared, list(values))[:, 0], codes)[0, 1] > 0.9


def test_a_class_of_one_row_does_not_stop_the_target_encoding() -> None:
    values = [f"v{i % 40}" for i in range(200)]
    codes = np.arange(200) % 2
    codes[0] = 2
    assert np.isfinite(run(fit(list(values), ONEHOT, codes, 3), [*values, None])).all()
