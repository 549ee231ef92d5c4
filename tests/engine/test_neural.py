"""The layers of a network against PyTorch, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sortal.engine import Program, compile

RNG = np.random.default_rng(0)


def squash(cut, x):
    return compile(Program("squash", {}, {"cut": np.array(cut)}))(np.array(x))


def periodic(columns=3, k=2, f=5, e=4, **other):
    arrays = {
        "index": np.array([2, 0])[:k],
        "frequency": RNG.normal(size=(k, f)),
        "phase": RNG.normal(size=(k, f)),
        "weight": RNG.normal(size=(k, f, e)),
        "bias": RNG.normal(size=(k, e)),
    }
    return Program("periodic", {"columns": columns}, arrays | other)


def dense(weight, bias):
    return Program("dense", {}, {"weight": np.array(weight, dtype=float), "bias": np.array(bias, dtype=float)})


def test_squash_by_hand():
    output = squash([3.0, 4.0], [[4.0, 3.0], [0.0, -1e100]])
    assert_allclose(output, [[4.0 / np.sqrt(1 + 16 / 9), 3.0 / 1.25], [0.0, -4.0]], rtol=1e-15)


def test_squash_lets_missing_values_be():
    assert_array_equal(squash([3.0], [[np.nan], [0.0]]), [[np.nan], [0.0]])


def test_the_embedding_of_a_column_is_a_layer_of_its_cosines():
    program, x = periodic(), RNG.normal(size=(7, 3))
    embedding = compile(program)(x)
    assert_array_equal(embedding[:, :3], x)
    for place, column in enumerate([2, 0]):
        frequency, phase, weight, bias = (program.arrays[n][place] for n in ("frequency", "phase", "weight", "bias"))
        expected = np.cos(2 * np.pi * (np.outer(x[:, column], frequency) + phase)) @ weight + bias
        assert_allclose(embedding[:, 3 + 4 * place : 7 + 4 * place], expected, rtol=1e-12)


def test_a_dense_layer_says_what_torch_says():
    x, weight, bias = RNG.normal(size=(50, 6)), 3 * RNG.normal(size=(6, 8)), RNG.normal(size=8)
    layer = torch.nn.Linear(6, 8).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight.T))
        layer.bias.copy_(torch.tensor(bias))
        expected = torch.nn.functional.selu(layer(torch.tensor(x))).numpy()
    assert_allclose(compile(dense(weight, bias))(x), expected, rtol=1e-12, atol=1e-14)


def test_numbers_that_no_network_has_stay_within_what_the_next_step_takes():
    output = compile(dense([[1e100, -1e100]], [0.0, 0.0]).then(dense([[1e100], [1.0]], [0.0])))(np.array([[1e100]]))
    assert output.tolist() == [[1e100]]
    enormous = periodic(
        1, 1, 2, 1, index=np.array([0]), weight=np.full((1, 2, 1), 1e100), frequency=np.full((1, 2), 1e100)
    )
    assert np.abs(compile(enormous)(np.array([[1e100], [-1e100], [0.0]]))).max() <= 1e100


def test_networks_are_averaged_over_the_same_columns():
    heads = [
        Program("linear", {"link": "softmax"}, {"coef": RNG.normal(size=(3, 2)), "intercept": RNG.normal(size=3)})
        for _ in "ab"
    ]
    members = tuple(dense(RNG.normal(size=(5, 2)), [0.1, 0.2]).then(head) for head in heads)
    x = RNG.normal(size=(9, 5))
    mean = Program("average", {}, {"weight": np.array([0.25, 0.75])}, members)
    expected = 0.25 * compile(members[0])(x) + 0.75 * compile(members[1])(x)
    assert_allclose(compile(mean)(x), expected, rtol=1e-15)
    with pytest.raises(ValueError, match="takes 5 columns, not 4"):
        compile(mean)(x[:, :4])


def test_members_of_other_columns_are_not_averaged():
    members = (dense(np.ones((5, 2)), [0.0, 0.0]), dense(np.ones((4, 2)), [0.0, 0.0]))
    with pytest.raises(ValueError, match="'dense' does not take 5 columns and give 2"):
        compile(Program("average", {}, {"weight": np.array([0.5, 0.5])}, members))
    picks = (Program("pick", {}, {"index": np.array([3, 0])}),) * 2
    with pytest.raises(ValueError, match="'pick' does not take so many columns"):
        compile(Program("average", {}, {"weight": np.array([0.5, 0.5])}, picks))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program("squash", {}, {"cut": np.zeros(2)}), "'cut' is empty, or holds numbers below"),
        (Program("squash", {}, {"cut": np.zeros(0)}), "'cut' is empty"),
        (Program("squash", {}, {"cut": np.array([np.inf])}), "infinities"),
        (periodic(columns=0), "setting 'columns' is 0"),
        (periodic(columns=2), "'index' points outside the 2 columns"),
        (periodic(phase=np.zeros((2, 4))), "'phase' has shape"),
        (periodic(weight=np.zeros((2, 4, 4))), "'weight' has shape"),
        (periodic(bias=np.zeros((2, 3))), "'bias' has shape"),
        (periodic(frequency=np.full((2, 5), np.nan)), "'frequency' holds values that are not finite"),
        (dense(np.zeros((2, 3)), np.zeros(2)), "'bias' has shape"),
        (dense(np.zeros((0, 3)), np.zeros(3)), "has no weights"),
        (dense(np.zeros((3, 0)), np.zeros(0)), "has no weights"),
    ],
)
def test_what_does_not_fit_is_refused(program, message):
    with pytest.raises(ValueError, match=message):
        compile(program)


@pytest.mark.parametrize(
    "program", [periodic(1, 1, index=np.array([0])), dense([[1.0]], [0.0])], ids=["periodic", "dense"]
)
def test_missing_values_do_not_reach_them(program):
    reader = Program("table", steps=(Program("number", {"column": "a"}),))
    with pytest.raises(ValueError, match=f"missing values reach step '{program.op}'"):
        compile(reader.then(program))
