from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

from sortal.engine import Program, bitvector, compile, traverse, trees

FEATURES = 4
VALUES = np.array([-np.inf, -3.5, -1.0, -0.5, -0.0, 0.1, 0.5, 1.0, 1.7, 2.0, 40.0, 1e10, 1e300, np.inf, np.nan])


def random_forest(rng, count, leaves, link, compare, rounding, classes):
    """A forest of random trees with everything that the format allows."""
    feature, threshold, left, right, missing, category, root, values, sets = ([] for _ in range(9))
    columns = classes if link == "mean" and rng.random() < 0.5 else 1
    for _ in range(count):
        root.append(len(feature))
        open_leaves = [len(feature)]
        for name in (feature, left, right, missing):
            name.append(-1 if name is feature else 0)
        threshold.append(0.0)
        category.append(-1)
        for _ in range(rng.integers(0, leaves)):
            node = open_leaves.pop(rng.integers(len(open_leaves)))
            feature[node], missing[node] = rng.integers(FEATURES), rng.integers(3)
            threshold[node] = rng.choice(np.append(VALUES[1:-1], rng.normal()))
            if rng.random() < 0.3:
                category[node] = len(sets)
                sets.append(rng.integers(0, 2**32, size=rng.integers(0, 3), dtype=np.uint32))
            left[node], right[node] = len(feature), len(feature) + 1
            for _ in range(2):
                open_leaves.append(len(feature))
                for name in (feature, category):
                    name.append(-1)
                for name in (threshold, left, right, missing):
                    name.append(0)
        for node in open_leaves:
            left[node] = len(values)
            values.append(rng.normal(size=columns))
    output = np.full(count, -1) if columns > 1 else rng.integers(1 if link == "sigmoid" else classes, size=count)
    arrays = {
        "root": np.array(root, dtype=np.int32),
        "feature": np.array(feature, dtype=np.int32),
        "threshold": rounded(np.array(threshold), rng.choice(["float32", "float64"])),
        "left": np.array(left, dtype=np.int32),
        "right": np.array(right, dtype=np.int32),
        "missing": np.array(missing, dtype=np.uint8),
        "category": np.array(category, dtype=np.int32),
        "category_start": np.cumsum([0, *map(len, sets)], dtype=np.int64),
        "category_bits": np.concatenate([np.zeros(0, dtype=np.uint32), *sets]).astype(np.uint32),
        "value": np.array(values),
        "output": output.astype(np.int32),
        "base": rng.normal(size=1 if link == "sigmoid" else classes),
    }
    return Program("forest", {"compare": compare, "input": rounding, "link": link}, arrays)


def rounded(x, dtype):
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def sums_by_the_book(program, row):
    """The documentation of the op, read aloud: one row, one node at a time."""
    a, settings_ = program.arrays, program.settings
    row = rounded(row, settings_["input"])
    total = a["base"].astype(float).copy()
    for tree, node in enumerate(a["root"]):
        while a["feature"][node] >= 0:
            x, c, t = row[a["feature"][node]], a["category"][node], a["threshold"][node]
            if c >= 0:
                words = a["category_bits"][a["category_start"][c] : a["category_start"][c + 1]]
                inside = np.isfinite(x) and 0 <= int(x) < 32 * len(words)
                holds = bool(inside and words[int(x) // 32] >> np.uint32(int(x) % 32) & 1)
            elif np.isnan(x) and a["missing"][node] < 2:
                holds = a["missing"][node] == 1
            else:
                x = x.dtype.type(0) if np.isnan(x) else x
                holds = x <= t if settings_["compare"] == "<=" else x < t
            node = a["left"][node] if holds else a["right"][node]
        leaf, k = a["value"][a["left"][node]], a["output"][tree]
        total = total + leaf if k < 0 else np.where(np.arange(len(total)) == k, total + leaf, total)
    return total


def probability_by_the_book(program, X):
    sums = np.array([sums_by_the_book(program, row) for row in X])
    link = program.settings["link"]
    if link == "sigmoid":
        return np.column_stack([expit(-sums), expit(sums)])
    return softmax(sums, axis=1) if link == "softmax" else sums / len(program.arrays["root"])


@settings(max_examples=120)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 20),
    leaves=st.sampled_from([1, 3, 20, 64, 65, 90]),
    link=st.sampled_from(["sigmoid", "softmax", "mean"]),
    compare=st.sampled_from(["<=", "<"]),
    rounding=st.sampled_from(["float64", "float32"]),
    classes=st.integers(2, 4),
)
def test_every_way_of_scoring_follows_the_book(seed, count, leaves, link, compare, rounding, classes):
    rng = np.random.default_rng(seed)
    program = random_forest(rng, count, leaves, link, compare, rounding, classes)
    X = np.where(rng.random((20, FEATURES)) < 0.7, rng.choice(VALUES, (20, FEATURES)), rng.normal(size=(20, FEATURES)))
    expected = probability_by_the_book(program, X)
    run = compile(program)
    few, many = run(X), run(np.tile(X, (12, 1)))
    assert_allclose(few, expected, rtol=1e-13, atol=1e-300)
    assert_array_equal(many, np.tile(few, (12, 1)))
    assert_array_equal(run(X[:1]), few[:1])
    checked = trees.check(program)
    scores = traverse.traverse(checked)[1](checked.rounded(X))
    if bitvector.suits(checked):
        assert_array_equal(bitvector.bitvector(checked)[1](checked.rounded(X)), scores)
    else:
        assert leaves > 64


@pytest.mark.parametrize("leaves", [63, 64, 65, 66])
def test_a_word_has_a_bit_for_each_of_sixty_four_leaves_and_no_more(leaves):
    """A staircase: x <= 0 is the first leaf, x <= 1 the second, and so on."""
    inner = leaves - 1
    feature = np.r_[np.zeros(inner), -np.ones(leaves)].astype(np.int32)
    arrays = {
        "root": np.zeros(1, dtype=np.int32),
        "feature": feature,
        "threshold": np.r_[np.arange(inner), np.zeros(leaves)],
        "left": np.r_[inner + np.arange(inner), np.arange(leaves)].astype(np.int32),
        "right": np.r_[np.arange(1, inner), 2 * inner, np.zeros(leaves)].astype(np.int32),
        "missing": np.zeros(inner + leaves, dtype=np.uint8),
        "category": -np.ones(inner + leaves, dtype=np.int32),
        "category_start": np.zeros(1, dtype=np.int64),
        "category_bits": np.zeros(0, dtype=np.uint32),
        "value": np.linspace(-3, 3, leaves)[:, None],
        "output": np.zeros(1, dtype=np.int32),
        "base": np.zeros(1),
    }
    program = Program("forest", {"compare": "<=", "input": "float64", "link": "sigmoid"}, arrays)
    x = np.tile(np.arange(leaves, dtype=np.float64), 20)
    probability = compile(program)(x[:, None])
    assert_allclose(probability[:, 1], expit(np.tile(np.linspace(-3, 3, leaves), 20)), rtol=1e-13)
    assert bitvector.suits(trees.check(program)) == (leaves <= 64)


def test_rows_are_scored_alike_in_batches_of_any_size():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(20_000, FEATURES))
    for leaves in (12, 80):
        run = compile(random_forest(rng, 3, leaves, "sigmoid", "<=", "float64", 2))
        whole = run(X)
        for first, size in ((0, 1), (17, 191), (191, 192), (4000, 4097), (0, 16_385)):
            assert_array_equal(run(X[first : first + size]), whole[first : first + size])
        assert run(X[:0]).shape == (0, 2)


def stump(**changes):
    """x0 <= 0.5 ? -1 : +1, with some arrays or settings replaced."""
    arrays = {
        "root": np.array([0], dtype=np.int32),
        "feature": np.array([0, -1, -1], dtype=np.int32),
        "threshold": np.array([0.5, 0.0, 0.0]),
        "left": np.array([1, 0, 1], dtype=np.int32),
        "right": np.array([2, 0, 0], dtype=np.int32),
        "missing": np.zeros(3, dtype=np.uint8),
        "category": np.full(3, -1, dtype=np.int32),
        "category_start": np.zeros(1, dtype=np.int64),
        "category_bits": np.zeros(0, dtype=np.uint32),
        "value": np.array([[-1.0], [1.0]]),
        "output": np.zeros(1, dtype=np.int32),
        "base": np.zeros(1),
    }
    options = {"compare": "<=", "input": "float64", "link": "sigmoid"}
    options.update({k: v for k, v in changes.items() if k in options})
    arrays.update({k: v for k, v in changes.items() if k not in options})
    return Program("forest", options, {k: v for k, v in arrays.items() if v is not None})


def test_a_stump():
    probability = compile(stump())(np.array([[0.5], [0.6], [np.nan]]))[:, 1]
    assert_array_equal(probability, expit([-1.0, 1.0, 1.0]))


BAD = {
    "root outside": {"root": np.array([3])},
    "no trees": {"root": np.zeros(0, dtype=int), "output": np.zeros(0, dtype=int)},
    "feature": {"feature": np.array([-2, -1, -1])},
    "threshold NaN": {"threshold": np.array([np.nan, 0, 0])},
    "below -inf": {"threshold": np.array([-np.inf, 0, 0]), "compare": "<"},
    "child outside": {"right": np.array([3, 0, 0])},
    "child negative": {"right": np.array([-1, 0, 0])},
    "its own child": {"left": np.array([0, 0, 1])},
    "shared child": {"left": np.array([2, 0, 1])},
    "unreached": {"feature": np.array([-1, -1, -1]), "left": np.zeros(3, dtype=int)},
    "leaf outside": {"left": np.array([1, 0, 2])},
    "leaf negative": {"left": np.array([1, 0, -1])},
    "right of a leaf outside": {"right": np.array([2, 3, 0])},
    "right of a leaf negative": {"right": np.array([2, 0, -1])},
    "missing": {"missing": np.array([3, 0, 0], dtype=np.uint8)},
    "category without bits": {"category": np.array([0, -1, -1])},
    "category start": {"category_start": np.array([0, 1])},
    "category start descends": {"category_start": np.array([0, 2, 0])},
    "value NaN": {"value": np.array([[np.nan], [1.0]])},
    "value wide": {"value": np.ones((2, 2))},
    "output": {"output": np.array([1])},
    "base long": {"base": np.zeros(2)},
    "softmax of one": {"link": "softmax"},
    "link": {"link": "probit"},
    "compare": {"compare": ">"},
    "input": {"input": "float16"},
    "lengths differ": {"left": np.array([1, 0])},
    "float children": {"left": np.array([1.0, 0.0, 1.0])},
    "array gone": {"missing": None},
    "objects": {"threshold": np.array([0.5, 0, 0], dtype=object)},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_arrays_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError, match="forest"):
        compile(stump(**changes))


def test_a_tree_of_absurd_depth_is_refused():
    n = 2 * 20_000 + 1
    inner = np.arange(n) % 2 == 0
    inner[-1] = False
    chain = stump(
        feature=np.where(inner, 0, -1),
        left=np.where(inner, np.arange(n) + 1, 0),
        right=np.where(inner, np.arange(n) + 2, 0),
        threshold=np.zeros(n),
        missing=np.zeros(n, dtype=np.uint8),
        category=np.full(n, -1),
    )
    with pytest.raises(ValueError, match="deeper"):
        compile(chain)
