"""The mean of several members: each reads the columns of the table by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.engine import Program, bitvector, compile, limits
from sortal.engine.run import reads

NAMES = ("a", "b", "c")


def rows(n: int) -> dict[str, np.ndarray]:
    """Three columns of numbers with missing values."""
    rng = np.random.default_rng(n)
    return {name: np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)) for name in NAMES}


def filled(names: tuple[str, ...], value: float) -> Program:
    table = Program("table", steps=tuple(Program("number", {"column": name}) for name in names))
    return table.then(
        Program("fill", {}, {"value": np.full(len(names), value), "indicator": np.zeros(0, dtype=np.int32)})
    )


def linear(names: tuple[str, ...], rng: np.random.Generator, k: int = 3) -> Program:
    arrays = {"coef": rng.normal(size=(k, len(names))), "intercept": rng.normal(size=k)}
    return filled(names, 0.5).then(Program("linear", {"link": "softmax"}, arrays))


def stumps(names: tuple[str, ...], rng: np.random.Generator, k: int = 3, trees: int = 40) -> Program:
    """A booster of single splits, which reads missing values as they are."""
    root = 3 * np.arange(trees)
    arrays = {
        "root": root,
        "feature": np.column_stack([rng.integers(0, len(names), trees), *[np.full(trees, -1)] * 2]).reshape(-1),
        "threshold": np.repeat(rng.normal(size=trees), 3),
        "left": np.column_stack([root + 1, 2 * np.arange(trees), 2 * np.arange(trees) + 1]).reshape(-1),
        "right": np.column_stack([root + 2, root * 0, root * 0]).reshape(-1),
        "missing": np.zeros(3 * trees, dtype=np.uint8),
        "category": np.full(3 * trees, -1),
        "category_start": np.zeros(1, dtype=np.int64),
        "category_bits": np.zeros(0, dtype=np.uint32),
        "value": rng.normal(size=(2 * trees, 1)),
        "output": np.arange(trees) % k,
        "base": np.zeros(k),
    }
    table = Program("table", steps=tuple(Program("number", {"column": name}) for name in names))
    return table.then(Program("forest", {"compare": "<=", "input": "float64", "link": "softmax"}, arrays))


MEMBERS = (linear, stumps)


def average(members: list[Program], weight: list[float]) -> Program:
    return Program("average", {}, {"weight": np.array(weight) / sum(weight)}, tuple(members))


@settings(max_examples=60)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(MEMBERS), st.sets(st.sampled_from(NAMES), min_size=1)), min_size=1),
    seed=st.integers(0, 2**32),
    n=st.sampled_from([1, 7, 500]),
)
def test_it_is_the_weighted_mean_of_what_its_members_say(kinds, seed, n):
    rng = np.random.default_rng(seed)
    members = [make(tuple(sorted(names)), rng) for make, names in kinds]
    program = average(members, list(rng.random(len(members)) + 0.1))
    calibrator = Program("logit_affine", {}, {"weight": rng.normal(size=(3, 3)), "bias": rng.normal(size=3)})
    run, columns = compile(program), rows(n)
    expected = np.average([compile(m)(columns) for m in members], axis=0, weights=program.arrays["weight"])
    np.testing.assert_allclose(run(columns), expected, rtol=0, atol=1e-15)
    assert np.array_equal(compile(program.then(calibrator))(columns), compile(calibrator)(run(columns)))
    assert set(run.reads) == {name for _, name in reads(program)} == set().union(*(names for _, names in kinds))


def test_the_trees_of_a_member_become_bit_vectors_as_they_do_alone(monkeypatch):
    results = []
    suits = bitvector.suits
    monkeypatch.setattr("sortal.engine.forest.suits", lambda trees: results.append(suits(trees)) or results[-1])
    rng = np.random.default_rng(0)
    compile(average([stumps(NAMES, rng), stumps(("a",), rng), linear(("b",), rng)], [1, 1, 1]))
    assert results == [True, True]


def test_all_members_count():
    rng = np.random.default_rng(0)
    members = [linear(("a", "b"), rng), stumps(NAMES, rng), stumps(("b",), rng)]
    cost, alone = compile(average(members, [1, 1, 1])).cost, [compile(m).cost for m in members]
    assert cost.call > sum(c.call for c in alone)
    assert cost.row > sum(c.row for c in alone)
    assert cost.room > sum(c.room for c in alone)
    assert cost.build == sum(c.build for c in alone) > alone[1].build > alone[0].build == 0
    assert cost.tables == sum(c.tables for c in alone) > alone[1].tables > alone[0].tables == 0


@pytest.mark.parametrize(
    ("limit", "field", "message"),
    [("MOST_BUILD", "build", "operations to compile"), ("MOST_TABLES", "tables", "bytes of tables")],
)
def test_the_tables_of_all_members_together_have_a_limit(monkeypatch, limit, field, message):
    member = stumps(NAMES, np.random.default_rng(0))
    monkeypatch.setattr(limits, limit, 2 * getattr(compile(member).cost, field))
    compile(average([member] * 2, [1, 1]))
    with pytest.raises(ValueError, match=f"'average': takes .* {message}"):
        compile(average([member] * 3, [1, 1, 1]))


RNG = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (average([linear(("a",), RNG), linear(("a",), RNG, k=2)], [1, 1]), "does not take named columns and give 3"),
        (average([linear(("a",), RNG), linear(("a",), RNG).steps[-1]], [1, 1]), "does not take named columns"),
        (average([linear(("a",), RNG)], [1.0]).then(linear(("a",), RNG)), "'chain' takes named columns"),
    ],
)
def test_members_that_do_not_go_together_are_refused(program, message):
    with pytest.raises(ValueError, match=message):
        compile(program)


def test_missing_values_that_a_member_hands_on_must_not_be_computed_with():
    member = Program("table", steps=(Program("number", {"column": "a"}), Program("number", {"column": "b"})))
    calibrator = Program("logit_affine", {}, {"weight": np.eye(2), "bias": np.zeros(2)})
    with pytest.raises(ValueError, match="missing values reach step 'logit_affine'"):
        compile(average([member, linear(("a",), RNG, k=2)], [1, 1]).then(calibrator))
