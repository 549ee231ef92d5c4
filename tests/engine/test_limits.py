"""No program runs forever, fails midway or takes more than it says: made-up programs, and those that were meant to eat
a machine."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sortal.core.row import columns_of, row_of
from sortal.engine import Program, bitvector, compile, limits, run
from sortal.engine.ngrams import Ngrams
from sortal.engine.onnx import network
from sortal.engine.onnx_file import Graph, Node, Spec
from sortal.engine.sparse import Sparse

SCRATCH = 2**26
"""Bytes that an op may take whatever the rows: trees are walked in blocks."""
NUMBERS = np.array([0.0, 1.0, -1.0, 0.5, 3.0, 1e-300, 1e38, -1e38, 1e99, -1e100, np.nan])
COLUMNS = {
    "a": np.array([0.0, 1.0, -3.4e38, 3.4e38, np.nan, 1e-310, -1e-300, 7.5]),
    "b": np.array([np.nan] * 8),
    "t": np.array([0.0, 1.7e9, -9e12, np.nan, 9e12, 3e38, -3e38, 86399.999]),
    "c": ["u", "v", None, "w", "u", "", "u", None],
}
ROWS = len(COLUMNS["a"])


def tree_arrays(rng: np.random.Generator, trees: int, splits: int, classes: int, columns: int) -> dict[str, np.ndarray]:
    """Trees of ``splits`` splits each, on the right side of one another, with leaves of ``columns`` numbers."""
    n, at = 2 * splits + 1, np.arange(2 * splits + 1)
    inner = (at % 2 == 0) & (at < n - 1)
    first = n * np.arange(trees)[:, None]
    feature = np.where(inner, rng.integers(0, 3, (trees, n)), -1)
    left, right = np.where(inner, first + at + 1, 0), np.where(inner, first + at + 2, 0)
    return {
        "root": first[:, 0],
        "feature": feature.reshape(-1),
        "threshold": rng.choice([-1.0, 0.0, 0.5, 1e30], trees * n),
        "left": left.reshape(-1),
        "right": right.reshape(-1),
        "missing": rng.integers(0, 3, trees * n),
        "category": np.full(trees * n, -1),
        "category_start": np.zeros(1, dtype=np.int64),
        "category_bits": np.zeros(0, dtype=np.uint32),
        "value": rng.choice(NUMBERS[:-1], (1, columns)),
        "output": np.full(trees, -1) if columns > 1 else rng.integers(0, classes, trees),
        "base": np.zeros(classes),
    }


def forest(rng: np.random.Generator, trees: int, splits: int, classes: int, columns: int = 1) -> Program:
    options = {"compare": "<=", "input": "float64", "link": "mean" if columns > 1 else "softmax"}
    return Program("forest", options, tree_arrays(rng, trees, splits, classes, columns))


def oblivious(rng: np.random.Generator, trees: int, depth: int, columns: int) -> Program:
    arrays = {
        "feature": rng.integers(0, 3, (trees, depth)),
        "threshold": rng.choice(np.array([-1.0, 0.0, 0.5, 1e30, np.inf], dtype=np.float32), (trees, depth)),
        "value": rng.choice(NUMBERS[:-1], (trees, 2**depth, columns)),
    }
    return Program("oblivious", {}, arrays)


def parameters(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Parameters: mostly ordinary, now and then enormous, tiny or none."""
    return np.where(rng.random(shape) < 0.9, rng.normal(size=shape), rng.choice(NUMBERS, shape))


def tfidf(rng: np.random.Generator) -> Program:
    """Some n-grams of the column of texts, and the one of a missing text."""
    options = {"column": "c", "kind": str(rng.choice(["word", "char_wb"])), "least": 1, "most": int(rng.integers(1, 9))}
    hashes = np.unique(np.append(Ngrams("char_wb", 1, 2)(["u v", "w"]).index, 0)).astype(np.uint64)
    documents = rng.integers(0, 10, len(hashes)).astype(np.uint32)
    return Program("tfidf", {**options, "rows": 10}, {"hash": hashes, "documents": documents})


def reader(rng: np.random.Generator) -> Program:
    kind = rng.choice(["number", "lookup", "datetime", "tfidf", "tokens"])
    if kind == "tokens":
        words = np.frombuffer(b"[CLS]\n[SEP]\n[UNK]\nu\n##v", dtype=np.uint8)
        inner = Program("tokens", {"column": "c", "most": int(rng.integers(2, 9))}, {"vocabulary": words})
        return inner if rng.random() < 0.5 else Program("once", {"column": "c"}, steps=(inner,))
    if kind == "tfidf":
        return tfidf(rng)
    if kind == "number":
        return Program("number", {"column": str(rng.choice(["a", "b", "t"]))})
    if kind == "datetime":
        return Program("datetime", {"column": "t", "parts": ["year", "day_of_year", "total_seconds"]})
    return Program("lookup", {"column": "c", "categories": ["u", "v"]}, {"table": parameters(rng, 4, 2)})


OPS: dict[str, Callable[[np.random.Generator, int, int], Program]] = {
    "fill": lambda rng, d, k: Program("fill", {}, {"value": parameters(rng, d), "indicator": rng.integers(0, d, 1)}),
    "scale": lambda rng, d, k: Program("scale", {}, {"mean": parameters(rng, d), "scale": parameters(rng, d)}),
    "pick": lambda rng, d, k: Program("pick", {}, {"index": rng.integers(0, d, 3)}),
    "arithmetic": lambda rng, d, k: Program(
        "arithmetic",
        {"columns": d},
        {"left": rng.integers(0, d, 7), "right": rng.integers(0, d, 7), "operation": rng.integers(0, 2, 7)},
    ),
    "within": lambda rng, d, k: Program(
        "within",
        {"columns": d},
        {
            "number": rng.integers(0, d, 3),
            "group": rng.integers(0, d, 3),
            "stop": np.array([1, 3, 7]),
            "middle": parameters(rng, 7),
            "spread": np.abs(parameters(rng, 7)),
        },
    ),
    "levels": lambda rng, d, k: Program(
        "levels",
        {"columns": d},
        {
            "left": rng.integers(0, d, 2),
            "right": rng.integers(0, d, 2),
            "first": np.array([0.0, 1.0, 1.0]),
            "second": np.array([0.0, 0.5, 2.0]),
            "stop": np.array([1, 3]),
            "table": parameters(rng, 5, 2),
        },
    ),
    "constant": lambda rng, d, k: Program("constant", {}, {"probability": np.full(k, 1 / k)}),
    "softmax": lambda rng, d, k: Program(
        "linear", {"link": "softmax"}, {"coef": parameters(rng, k, d), "intercept": parameters(rng, k)}
    ),
    "platt": lambda rng, d, k: Program(
        "linear",
        {"link": "platt"},
        {
            "coef": parameters(rng, k, d),
            "intercept": parameters(rng, k),
            "a": parameters(rng, k),
            "b": parameters(rng, k),
        },
    ),
    "fourier": lambda rng, d, k: Program("fourier", {"cut": 10.0}, {"frequency": parameters(rng, d, k)}),
    "squash": lambda rng, d, k: Program("squash", {}, {"cut": np.abs(parameters(rng, d))}),
    "periodic": lambda rng, d, k: Program(
        "periodic",
        {"columns": d},
        {
            "index": rng.integers(0, d, 2),
            "frequency": parameters(rng, 2, 5),
            "phase": parameters(rng, 2, 5),
            "weight": parameters(rng, 2, 5, k),
            "bias": parameters(rng, 2, k),
        },
    ),
    "dense": lambda rng, d, k: Program(
        "dense", {}, {"weight": parameters(rng, d, 3 * k), "bias": parameters(rng, 3 * k)}
    ),
    "forest": lambda rng, d, k: forest(rng, int(rng.integers(1, 30)), int(rng.integers(0, 80)), k, rng.choice([1, k])),
    "oblivious": lambda rng, d, k: oblivious(
        rng, int(rng.integers(1, 30)), int(rng.integers(0, 8)), rng.choice([1, k])
    ),
    "onnx": lambda rng, d, k: network(
        Graph(
            (Node("MatMul", ("x", "w"), "h"), Node("Relu", ("h",), "y")),
            {"w": rng.normal(size=(d, k)).astype(np.float32)},
            {"x": Spec("float32", (1, d))},
            "y",
        ),
        d,
    ),
    "project": lambda rng, d, k: Program("project", {}, {"weight": parameters(rng, d, k)}),
    "spread": lambda rng, d, k: Program("spread", {"classes": d + 2}, {"index": np.arange(d)}),
    "focal": lambda rng, d, k: Program("focal", {"gamma": float(rng.choice([0, 2, 100])), "classes": d}),
    "logit_affine": lambda rng, d, k: Program(
        "logit_affine", {}, {"weight": parameters(rng, d, d), "bias": parameters(rng, d)}
    ),
    "quadratic": lambda rng, d, k: Program(
        "quadratic",
        {},
        {"intercept": parameters(rng, 1), "ends": np.sort(parameters(rng, 2)), "slope": np.abs(parameters(rng, 2))},
    ),
    "monotone": lambda rng, d, k: Program(
        "monotone",
        {"between": "linear"},
        {"knot": np.array([0.0, 1e-310, 0.5]), "value": np.sort(rng.random(3))},
    ),
}


def made_up(seed: int) -> Program:
    """A table, and a few ops that mostly fit each other."""
    rng = np.random.default_rng(seed)
    steps = [Program("table", steps=tuple(reader(rng) for _ in range(rng.integers(1, 4))))]
    if rng.random() < 0.7:
        width = compile(steps[0]).step.outputs if _compiles(steps[0]) else 2
        steps.append(Program("fill", {}, {"value": rng.normal(size=width), "indicator": np.zeros(0, dtype=int)}))
    for _ in range(rng.integers(1, 5)):
        so_far = Program("chain", steps=tuple(steps))
        if not _compiles(so_far):
            break
        names = list(OPS)
        steps.append(OPS[str(rng.choice(names))](rng, compile(so_far).step.outputs, int(rng.integers(2, 5))))
    program = Program("chain", steps=tuple(steps))
    if rng.random() < 0.3:
        return Program("average", {}, {"weight": np.array([0.25, 0.75])}, (program, program))
    return program


def _compiles(program: Program) -> bool:
    try:
        compile(program)
    except ValueError:
        return False
    return True


@settings(max_examples=250)
@given(seed=st.integers(0, 2**32), copies=st.sampled_from([1, 30, 300]))
def test_a_program_is_refused_or_scores_every_row_within_its_cost(seed, copies):
    program = made_up(seed)
    try:
        score = compile(program)
    except ValueError:
        return
    rows = {name: np.tile(v, copies) if isinstance(v, np.ndarray) else v * copies for name, v in COLUMNS.items()}
    n = ROWS * copies
    few = score.encode(COLUMNS)
    tracemalloc.start()
    began = time.process_time()
    output = score.encode(rows)
    seconds = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(output, Sparse) == score.step.sparse
    if isinstance(output, Sparse):
        few, output = few.dense(), output.dense()
    assert output.shape == (n, score.step.outputs)
    assert output.dtype == np.float64
    assert not np.isinf(output).any()
    assert score.step.needs is False
    if score.step.fills:
        assert np.isfinite(output).all()
    assert peak <= SCRATCH + n * score.cost.room
    # An operation is about a nanosecond; the yardstick is held generously, as allocations are being traced.
    assert seconds <= 0.1 + 50e-9 * (score.cost.call + n * score.cost.row)
    assert_allclose(few, output[:ROWS], rtol=1e-9, atol=1e-12)


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_a_row_alone_gets_the_same_bits_as_values_and_as_columns(seed):
    program = made_up(seed)
    try:
        score = compile(program)
    except ValueError:
        return
    for at in range(ROWS):
        row = row_of(COLUMNS, score.reads, at)
        alone = score.step.run(columns_of(row))
        alone = alone.dense() if isinstance(alone, Sparse) else alone
        if not score.step.sparse:
            assert_array_equal(score.one(row), alone[0])
            assert_array_equal(score(columns_of(row)), alone)


def one_column(*steps: Program) -> Program:
    return Program("chain", steps=(Program("table", steps=(Program("number", {"column": "a"}),)), *steps))


def wide(width: int) -> Program:
    return Program("pick", {}, {"index": np.zeros(width, dtype=np.uint8)})


def nested(levels: int) -> Program:
    program = wide(1)
    for _ in range(levels):
        program = Program("chain", steps=(program,))
    return program


DEEP = Program(
    "forest",
    {"compare": "<=", "input": "float64", "link": "mean"},
    tree_arrays(np.random.default_rng(0), 1, 9_000, 2, 2),
)


def mean_of(member: Program, times: int) -> Program:
    return Program("average", {}, {"weight": np.full(times, 1 / times)}, (member,) * times)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            one_column(Program("spread", {"classes": 10**12}, {"index": np.array([0])})),
            "'spread': takes 2e.12 operations a row",
        ),
        (one_column(Program("spread", {"classes": 10**400}, {"index": np.array([0])})), "'spread': takes"),
        (Program("focal", {"gamma": 1.0, "classes": 10**9}), "'focal': takes"),
        (one_column(wide(2**26)), "'pick': takes 5.*e.08 bytes a row"),
        (one_column(*[wide(2**22)] * 9), "'chain': takes .* bytes a row"),
        (one_column(*[wide(1)] * 60_000), "60,002 steps, more than the 50,000"),
        (nested(50), "33 levels, more than the 32"),
        (nested(5_000), "33 levels, more than the 32"),
        (one_column(wide(2**27 + 1)), "134,217,729 numbers, more than the 134,217,728"),
        (
            Program(
                "average",
                {},
                {"weight": np.full(40_000, 1 / 40_000)},
                (Program("focal", {"gamma": 1.0, "classes": 2}),) * 40_000,
            ),
            "'average': takes",
        ),
        (mean_of(one_column(wide(3), DEEP), 10), "'average': takes .* operations a call"),
        (mean_of(one_column(wide(2**22)), 9), "'average': takes .* bytes a row"),
        (mean_of(one_column(wide(2)), 12_501), "50,005 steps, more than the 50,000"),
    ],
)
def test_a_program_that_would_eat_the_machine_is_refused_before_it_is_built(program, message):
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError, match=message):
        compile(program)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**30
    assert time.process_time() - began < 10


def test_a_generous_ensemble_is_far_from_every_limit():
    """A fiftieth of 100 classes x 1,000 trees of 31 leaves on 5,000 columns."""
    rng = np.random.default_rng(0)
    part = tree_arrays(rng, 2_000, 30, 100, 1)
    inner = part["feature"] >= 0
    part["feature"][inner] = rng.integers(0, 5_000, inner.sum())
    part["value"] = rng.normal(size=(62_000, 1))
    options = {"compare": "<=", "input": "float64", "link": "softmax"}
    tracemalloc.start()
    cost = compile(Program("forest", options, part)).cost
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    table_cost = compile(
        Program("table", steps=tuple(Program("number", {"column": str(i)}) for i in range(5_000)))
    ).cost
    numbers = sum(array.size for array in part.values())
    assert 50 * numbers < limits.MOST_NUMBERS / 2
    assert peak < limits.BYTES_A_NUMBER * numbers
    assert 50 * cost.call + table_cost.call < limits.MOST_CALL / 2
    assert 50 * cost.row + table_cost.row < limits.MOST_ROW
    assert cost.room + 3 * table_cost.room < limits.MOST_ROOM / 10


def test_missing_values_must_be_filled_before_they_are_computed_with():
    ones = {"coef": np.ones((1, 1)), "intercept": np.zeros(1)}
    linear = Program("linear", {"link": "sigmoid"}, ones)
    with pytest.raises(ValueError, match="missing values reach step 'linear'"):
        compile(one_column(linear))
    with pytest.raises(ValueError, match="missing values reach step 'chain'"):
        compile(
            one_column(
                Program("chain", steps=(Program("scale", {}, {"mean": np.zeros(1), "scale": np.ones(1)}), linear))
            )
        )
    filled = Program("fill", {}, {"value": np.array([2.0]), "indicator": np.zeros(0, dtype=int)})
    assert np.isfinite(compile(one_column(filled, linear))(COLUMNS)).all()
    nan_fill = Program("fill", {}, {"value": np.array([np.nan]), "indicator": np.zeros(0, dtype=int)})
    with pytest.raises(ValueError, match="missing values reach"):
        compile(one_column(nan_fill, linear))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1.1e100, -1e300])
def test_parameters_whose_products_could_overflow_are_refused(value):
    for op, name, arrays in (
        ("lookup", "table", {"table": np.full((2, 1), value)}),
        ("fill", "value", {"value": np.array([value]), "indicator": np.zeros(0, dtype=int)}),
        ("scale", "mean", {"mean": np.array([value]), "scale": np.ones(1)}),
        ("linear", "coef", {"coef": np.array([[value]]), "intercept": np.zeros(1)}),
    ):
        options = {"lookup": {"column": "c", "categories": []}, "linear": {"link": "sigmoid"}}.get(op, {})
        with pytest.raises(ValueError, match=f"op '{op}': array '{name}' holds infinities"):
            compile(Program(op, options, arrays))


def test_what_a_tiny_scale_makes_enormous_is_cut_off():
    output = compile(one_column(Program("scale", {}, {"mean": np.zeros(1), "scale": np.array([1e-300])})))(COLUMNS)
    assert_array_equal(output[:4, 0], [0.0, 1e100, -1e100, 1e100])


@pytest.mark.parametrize("room", [1, 40, 10_000])
def test_rows_that_take_much_room_are_scored_slice_by_slice(monkeypatch, room):
    fill = Program("fill", {}, {"value": np.zeros(3), "indicator": np.zeros(0, dtype=int)})
    lookup = Program("lookup", {"column": "c", "categories": ["u"]}, {"table": np.arange(6.0).reshape(3, 2)})
    table = Program("table", steps=(Program("number", {"column": "a"}), lookup))
    named, array = compile(Program("chain", steps=(table, fill))), compile(fill)
    x = np.arange(30.0).reshape(10, 3)
    whole = named(COLUMNS), array(x)
    monkeypatch.setattr(run, "SLICE", room)
    assert_array_equal(named({**COLUMNS, "more": [1]}), whole[0])
    assert_array_equal(array(x), whole[1])


def test_many_sums_are_added_in_the_order_of_the_trees():
    rng = np.random.default_rng(1)
    program = forest(rng, 300, 5, 40)
    program.arrays["value"][:] = rng.normal(size=program.arrays["value"].shape)
    x = rng.normal(size=(70, 3))
    score = compile(program)
    assert_array_equal(np.vstack([score(x[:1]), score(x[1:40]), score(x[40:])]), score(x))


def test_trees_whose_tables_would_be_large_are_walked(monkeypatch):
    rng = np.random.default_rng(2)
    program = forest(rng, 20, 20, 3)
    x = rng.normal(size=(500, 3))
    expected = compile(program)(x)
    for name, value in (("_ANSWERS", 100), ("_TABLES", 1), ("TABLED", 100)):
        with monkeypatch.context() as patch:
            patch.setattr(bitvector, name, value)
            patch.setattr(bitvector, "bitvector", lambda trees: pytest.fail("tables were made"))
            assert_array_equal(compile(program)(x), expected)
