from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest

from sortal.engine import Program, compile, run

NUMBER = Program("number", {"column": "x"})
LINEAR = Program("linear", {"link": "sigmoid"}, {"coef": np.ones((1, 2)), "intercept": np.zeros(1)})


def scale(width):
    return Program("scale", {}, {"mean": np.zeros(width), "scale": np.ones(width)})


def affine(width):
    return Program("logit_affine", {}, {"weight": np.eye(width), "bias": np.zeros(width)})


def arithmetic(left, right, operation):
    return Program(
        "arithmetic",
        {"columns": 2},
        {k: np.array(v) for k, v in zip(("left", "right", "operation"), (left, right, operation), strict=True)},
    )


def within(number=(0,), group=(1,), stop=(3,), middle=(0.0, 1.0, 2.0), spread=(1.0, 1.0, 1.0)):
    places = {k: np.array(v, dtype=int) for k, v in (("number", number), ("group", group), ("stop", stop))}
    return Program("within", {"columns": 2}, places | {"middle": np.array(middle), "spread": np.array(spread)})


BAD = [
    ("chain", Program("chain")),
    ("table", Program("table")),
    ("table", Program("table", steps=(LINEAR,))),
    ("linear", Program("chain", steps=(scale(3), LINEAR))),
    ("chain", Program("chain", steps=(LINEAR, NUMBER))),
    ("logit_affine", Program("chain", steps=(LINEAR, affine(3)))),
    ("logit_affine", affine(1)),
    ("logit_affine", Program("logit_affine", {}, {"weight": np.eye(3), "bias": np.zeros(2)})),
    ("pick", Program("chain", steps=(scale(2), Program("pick", {}, {"index": np.array([2])})))),
    ("pick", Program("pick", {}, {"index": np.array([-1])})),
    ("pick", Program("pick", {}, {"index": np.array([0.0])})),
    ("fill", Program("fill", {}, {"value": np.zeros(2), "indicator": np.array([2])})),
    ("fill", Program("fill", {}, {"value": np.array([np.inf]), "indicator": np.zeros(0, dtype=int)})),
    ("scale", Program("scale", {}, {"mean": np.zeros(2), "scale": np.array([1.0, 0.0])})),
    ("scale", Program("scale", {}, {"mean": np.zeros(2), "scale": np.array([1.0, np.nan])})),
    ("scale", Program("scale", {}, {"mean": np.zeros(2), "scale": np.ones(3)})),
    ("arithmetic", arithmetic(left=[0], right=[2], operation=[0])),
    ("arithmetic", arithmetic(left=[-1], right=[1], operation=[0])),
    ("arithmetic", arithmetic(left=[0], right=[1], operation=[2])),
    ("arithmetic", arithmetic(left=[0, 1], right=[1], operation=[0])),
    ("arithmetic", arithmetic(left=[0.0], right=[1], operation=[0])),
    ("arithmetic", Program("arithmetic", {"columns": 2.0}, arithmetic([0], [1], [0]).arrays)),
    ("arithmetic", Program("arithmetic", {"columns": 10**400}, arithmetic([0], [1], [0]).arrays)),
    ("arithmetic", Program("chain", steps=(scale(3), arithmetic([0], [1], [0])))),
    ("within", within(number=[2])),
    ("within", within(group=[0, 1])),
    ("within", within(stop=[4])),
    ("within", within(stop=[2])),
    ("within", within(stop=[-1])),
    ("within", within(number=[0, 0], group=[1, 1], stop=[3, 3])),
    ("within", within(number=[0, 0], group=[1, 1], stop=[3, 1])),
    ("within", within(number=[], group=[], stop=[3])),
    ("within", within(spread=[1.0, 0.0, 1.0])),
    ("within", within(spread=[1.0, -1.0, 1.0])),
    ("within", within(spread=[1.0, 1.0])),
    ("within", within(middle=[1.0, np.nan, 0.0])),
    ("within", within(middle=[1.0, 1e101, 0.0])),
    ("number", Program("number")),
    ("number", Program("number", {"column": 3})),
    ("lookup", Program("lookup", {"column": "c", "categories": ["a"]}, {"table": np.zeros((2, 1))})),
    ("lookup", Program("lookup", {"column": "c", "categories": ["a", "a"]}, {"table": np.zeros((4, 1))})),
    ("lookup", Program("lookup", {"column": "c", "categories": "ab"}, {"table": np.zeros((4, 1))})),
    ("lookup", Program("lookup", {"column": "c", "categories": [1]}, {"table": np.zeros((3, 1))})),
    ("datetime", Program("datetime", {"column": "t", "parts": ["year", "century"]})),
    ("constant", Program("constant", {}, {"probability": np.array([0.7, 0.7])})),
    ("constant", Program("constant", {}, {"probability": np.array([1.5, -0.5])})),
    ("linear", Program("linear", {"link": "cloglog"}, LINEAR.arrays)),
    ("linear", Program("linear", {"link": "softmax"}, LINEAR.arrays)),
    ("linear", Program("linear", {"link": "platt"}, LINEAR.arrays)),
    (
        "linear",
        Program("linear", {"link": "sigmoid"}, {"coef": np.full((1, 2), np.nan), "intercept": np.zeros(1)}),
    ),
    ("linear", Program("linear", {"link": "sigmoid"}, {"coef": np.ones((1, 2)), "intercept": np.zeros(2)})),
]


@pytest.mark.parametrize(("op", "program"), BAD)
def test_a_program_that_does_not_fit_is_refused_with_the_name_of_its_op(op, program):
    with pytest.raises(ValueError, match=f"program op '{op}'"):
        compile(program)


def test_an_unknown_op_lists_those_that_there_are():
    with pytest.raises(ValueError, match=r"did you mean 'forest'.*chain, .*number"):
        compile(Program("forrest"))


def test_inputs_of_another_width_or_shape_are_refused():
    run = compile(LINEAR)
    with pytest.raises(ValueError, match="takes 2 columns, not 3"):
        run(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="rows and columns"):
        run(np.zeros(2))
    pick = compile(Program("pick", {}, {"index": np.array([4])}))
    with pytest.raises(ValueError, match="at least 5 columns, not 2"):
        pick(np.zeros((1, 2)))


def test_integers_are_taken_as_numbers():
    assert compile(LINEAR)(np.array([[0, 0], [1, -1]])).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_the_engine_imports_numpy_and_the_standard_library_only():
    code = """
import sys
import numpy
before = set(sys.modules)
import sortal.engine
new = {name.partition('.')[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {'numpy', 'sortal'}))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_what_is_made_of_a_program_is_made_once_wherever_it_is_a_step(monkeypatch):
    built = []
    build = run._OPS["linear"]
    monkeypatch.setitem(run._OPS, "linear", lambda program: built.append(1) or build(program))
    linear = Program("linear", {"link": "sigmoid"}, {"coef": np.ones((1, 2)), "intercept": np.zeros(1)})
    fill = Program("fill", arrays={"value": np.zeros(2), "indicator": np.empty(0, dtype=np.int64)})
    x = np.array([[0.5, np.nan]])
    first = compile(fill.then(linear))(x)
    assert np.array_equal(compile(fill.then(linear))(x), first)
    assert len(built) == 1
    copied = copy.copy(linear)
    assert copied.cached_step is None
    assert np.array_equal(compile(fill.then(copied))(x), first)
    assert len(built) == 2
