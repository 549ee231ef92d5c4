from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sortal.artifact import score
from sortal.artifact.model import Model, load
from sortal.artifact.probabilities import checked, checked_row
from sortal.core.errors import ArtifactError
from sortal.engine import Program

IDS = np.arange(1_000)


@pytest.fixture
def bad_model(model: Model) -> Model:
    """The mean of one tree, whose leaf for people above 50 holds no probabilities."""
    arrays = {
        "root": np.array([0]),
        "feature": np.array([0, -1, -1]),
        "threshold": np.array([50.0, 0, 0]),
        "left": np.array([1, 0, 1]),
        "right": np.array([2, 0, 0]),
        "missing": np.array([1, 0, 0], dtype=np.uint8),
        "category": np.full(3, -1),
        "category_start": np.zeros(1, dtype=np.int64),
        "category_bits": np.zeros(0, dtype=np.uint32),
        "value": np.array([[0.25, 0.75], [0.5, 0.6]]),
        "output": np.array([-1]),
        "base": np.zeros(2),
    }
    tree = Program("forest", {"compare": "<=", "input": "float64", "link": "mean"}, arrays)
    reader = Program("table", steps=(Program("number", {"column": "age"}),))
    return replace(model, program=Program("chain", steps=(reader, tree)))


def test_a_row_without_probabilities_is_named(bad_model, tmp_path):
    bad_model.save(tmp_path / "m.sortal")
    model = load(tmp_path / "m.sortal")
    assert_array_equal(model.predict_proba({"age": [20, 50, None]}), np.tile([0.25, 0.75], (3, 1)))
    for call in (model.predict_proba, model.predict, model.decide):
        with pytest.raises(ArtifactError, match=r"gives row 3 of those scored 0\.5, 0\.6, which are no probabilities"):
            call({"age": [20, 30, 60]})
    with pytest.raises(ArtifactError, match="gives row 1 of"):
        model.predict_proba({"age": 60})


def test_a_row_of_a_file_is_counted_as_in_the_file(bad_model, tmp_path, monkeypatch):
    bad_model.save(tmp_path / "m.sortal")
    pl.DataFrame({"age": [20] * 25 + [60]}).write_csv(tmp_path / "rows.csv")
    batches = score.batches
    monkeypatch.setattr(score, "batches", lambda *a, **k: (f for b in batches(*a, **k) for f in b.iter_slices(10)))
    with pytest.raises(ArtifactError, match="gives row 26 of"):
        score.score_file(tmp_path / "m.sortal", [str(tmp_path / "rows.csv")], tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    "row", [[np.nan, 1.0], [np.inf, 0.0], [np.inf, -np.inf], [-0.1, 1.1], [0.5, 0.5001], [0.0, 0.0], [2.0, -1.0]]
)
def test_what_is_no_probability(row):
    p = np.array([[0.5, 0.5], [1.0, 0.0], row])
    assert checked(p[:2], 2, IDS) is not None
    with pytest.raises(ArtifactError, match="gives row 103 of"):
        checked(p, 2, IDS[100:])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=7), st.integers(0, 2))
def test_no_probability_is_more_than_one(weights, sure):
    """.7 and .2 and .1 of ones are more than one by the last bit."""
    row = sum(w / sum(weights) * np.eye(3)[sure] for w in weights)
    for p in (checked(np.array([row]), 3, IDS)[0].tolist(), checked_row(row.tolist(), 3)):
        assert max(p) <= 1
        assert_allclose(p, row, rtol=1e-12)
    assert max(checked_row([1.0 + 1e-7, 0.0], 2)) == checked(np.array([[1.0 + 1e-7, 0.0]]), 2, IDS).max() == 1


@pytest.mark.parametrize("shape", [(3,), (3, 3), (3, 2, 1)])
def test_another_shape(shape):
    with pytest.raises(ArtifactError, match="does not give 2 probabilities a row"):
        checked(np.full(shape, 0.5), 2, IDS)


def test_no_rows_and_float32_sums_are_fine():
    assert checked(np.empty((0, 2)), 2, IDS[:0]).shape == (0, 2)
    p = np.full((10, 1000), np.float32(0.001), dtype=np.float64)
    assert checked(p, 1000, IDS) is p


@pytest.mark.clock
def test_the_look_costs_next_to_nothing():
    rng = np.random.default_rng(0)
    many = rng.dirichlet(np.ones(3), size=100_000)
    one = many[:1]

    def seconds(p: np.ndarray, times: int) -> float:
        began = process_time()
        for _ in range(times):
            checked(p, 3, IDS)
        return (process_time() - began) / times

    assert min(seconds(one, 500) for _ in range(9)) < 40e-6
    assert min(seconds(many, 5) for _ in range(9)) < 4e-3


@pytest.mark.parametrize(
    ("row", "text"), [([2.0] * 2, "2, 2"), ([2.0] * 5, "2, 2, 2, 2, 2"), ([2.0] * 6, "2, 2, 2, 2, 2, ...")]
)
def test_five_of_them_are_shown(row, text):
    with pytest.raises(ArtifactError, match=f"^this model gives row 1 of those scored {text}, which are no prob"):
        checked(np.array([row]), len(row), IDS)


@pytest.mark.parametrize(
    ("row", "fine"),
    [
        ([0.25, 0.75], True),
        ([0.0, 1.0], True),
        ([0.5, 0.5 + 0.9e-6], True),
        ([0.5, 0.5 - 0.9e-6], True),
        ([0.5, 0.5 + 1.1e-6], False),
        ([0.5, 0.5 - 1.1e-6], False),
        ([-1e-9, 1.0 + 1e-9], False),
        ([-0.5, 1.5], False),
        ([np.nan, 1.0], False),
        ([np.inf, -np.inf], False),
        ([1.0], False),
        ([0.5, 0.25, 0.25], False),
    ],
)
def test_a_row_alone_is_held_to_what_a_table_is_held_to(row, fine):
    if fine:
        assert checked_row(row, 2) is row
        assert checked(np.array([row]), 2, IDS).tolist() == [row]
        return
    messages = []
    for look in (lambda: checked_row(row, 2), lambda: checked(np.array([row]), 2, IDS)):
        with pytest.raises(ArtifactError) as error:
            look()
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert ("row 1 of those scored" in messages[0]) == (len(row) == 2)
