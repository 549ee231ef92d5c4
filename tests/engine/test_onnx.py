"""Op ``onnx``: networks that onnxruntime runs, checked before it gets them."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sortal.core.errors import OptionError
from sortal.engine import compile, onnx
from sortal.engine.onnx import PLACES, TOKENS, network
from sortal.engine.onnx_file import Graph, Node, Spec, read, write
from sortal.engine.onnx_shapes import trace
from sortal.engine.program import Program
from sortal.engine.protobuf import integer, message, text

RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def graph(nodes: list[Node], shape: tuple[int | None, ...] = (1, 4), **constants: np.ndarray) -> Graph:
    return Graph(tuple(nodes), constants, {"x": Spec("float32", shape)}, nodes[-1].output)


WEIGHT, BIAS = floats(4, 3), floats(3)
DENSE = graph([Node("Gemm", ("x", "w", "b"), "h"), Node("Relu", ("h",), "y")], w=WEIGHT, b=BIAS)


def test_what_a_network_gives_is_what_numpy_computes() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4))
    output = compile(network(DENSE, 4))(x)
    assert_allclose(output, np.maximum(x @ WEIGHT + BIAS, 0), atol=1e-5)


def test_a_row_gets_the_same_alone_and_among_others() -> None:
    x = np.random.default_rng(1).normal(size=(40, 4))
    run = compile(network(DENSE, 4))
    assert_array_equal(np.vstack([run(x[i : i + 1]) for i in range(40)]), run(x))


def test_a_row_with_a_missing_value_gets_missing_values() -> None:
    x = np.array([[1.0, 2.0, np.nan, 0.0], [0.0, 0.0, 0.0, 0.0]])
    output = compile(network(DENSE, 4))(x)
    assert np.isnan(output[0]).all()
    assert_allclose(output[1], np.maximum(BIAS, 0), atol=1e-6)


def test_convolutions_are_those_of_numpy() -> None:
    kernel, channel, bias = floats(5, 3, 3, 3), floats(5, 1, 3, 3), floats(5)
    nodes = [
        Node("Conv", ("x", "kernel", "bias"), "a", {"pads": (1, 1, 1, 1), "strides": (2, 2)}),
        Node("Clip", ("a", "low", "high"), "b"),
        Node("Conv", ("b", "channel"), "c", {"group": 5, "pads": (0, 0, 1, 1)}),
        Node("MaxPool", ("c",), "d", {"kernel_shape": (2, 2), "strides": (1, 1)}),
        Node("GlobalAveragePool", ("d",), "e"),
        Node("Flatten", ("e",), "y"),
    ]
    low, high = np.float32(0.0), np.float32(6.0)
    score = compile(
        network(
            graph(
                nodes, (1, 3, 9, 9), kernel=kernel, channel=channel, bias=bias, low=np.array(low), high=np.array(high)
            ),
            243,
        )
    )
    x = np.random.default_rng(2).normal(size=(3, 243))
    h = np.pad(x.astype(np.float32).reshape(3, 3, 9, 9), ((0, 0), (0, 0), (1, 1), (1, 1)))
    h = np.einsum("nchwij,ocij->nohw", windows(h, 3)[:, :, ::2, ::2], kernel) + bias[:, None, None]
    h = windows(np.pad(h.clip(0, 6), ((0, 0), (0, 0), (0, 1), (0, 1))), 3)
    h = windows(np.einsum("nchwij,cij->nchw", h, channel[:, 0]), 2).max(axis=(4, 5)).mean(axis=(2, 3))
    assert_allclose(score(x), h, atol=1e-5)


def windows(x: np.ndarray, side: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, (side, side), (2, 3))


TABLE = RNG.integers(-127, 128, (11, 6)).astype(np.int8)
AT = floats(8, 6)
TEXT = Graph(
    (
        Node("Gather", ("table", TOKENS), "raw"),
        Node("Cast", ("raw",), "row", {"to": 1}),
        Node("Gather", ("at", PLACES), "place"),
        Node("Add", ("row", "place"), "sum"),
        Node("ReduceMean", ("sum",), "y", {"axes": (1,), "keepdims": 0}),
    ),
    {"table": TABLE, "at": AT},
    {TOKENS: Spec("int64", (1, None)), PLACES: Spec("int64", (None,))},
    "y",
)


def test_tokens_end_where_a_negative_number_stands() -> None:
    output = compile(network(TEXT, 8))(np.array([[3, 0, 10, -1, -1, -1, -1, -1.0], [7, 7, 7, 7, 7, 7, 7, 7.0]]))
    assert_allclose(output[0], TABLE[[3, 0, 10]].mean(axis=0) + AT[:3].mean(axis=0), atol=1e-4)
    assert_allclose(output[1], TABLE[7] + AT.mean(axis=0), atol=1e-4)


def test_no_token_points_outside_its_table() -> None:
    output = compile(network(TEXT, 8))(np.array([[99.0] + [-1.0] * 7, [-1.0] * 8]))
    assert_allclose(output, TABLE[[10, 0]] + AT[0], atol=1e-4)
    with pytest.raises(ValueError, match="no places for 9 tokens"):
        network(TEXT, 9)


def test_what_overflows_is_a_number_still() -> None:
    nodes = [Node("Mul", ("x", "x"), "a"), Node("Mul", ("a", "a"), "b"), Node("Sub", ("b", "b"), "c")]
    run = compile(network(graph([*nodes, Node("Add", ("b", "c"), "y")]), 4))
    assert np.isfinite(run(np.full((2, 4), 1e30))).all()
    assert np.isfinite(compile(network(graph(nodes[:2]), 4))(np.full((1, 4), 1e99))).all()


def test_a_file_is_read_as_it_was_written() -> None:
    again = read(write(TEXT, (1, 6)))
    assert again.nodes == TEXT.nodes
    assert again.inputs == TEXT.inputs
    assert_array_equal(again.constants["table"], TABLE)
    assert write(again, (1, 6)) == write(TEXT, (1, 6))


def op(content: bytes, columns: object = 4) -> Program:
    return Program("onnx", {"columns": columns}, {"graph": np.frombuffer(content, dtype=np.uint8)})


def refused(nodes: list[Node], message: str, shape: tuple[int | None, ...] = (1, 4), **constants: np.ndarray) -> None:
    network_file = op(write(graph(nodes, shape, **constants), (1, 4)))
    began = time.thread_time()
    with pytest.raises(ValueError, match=message):
        compile(network_file)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Node("Loop", ("x",), "y"), "operator 'Loop' is not run"),
        (Node("If", ("x",), "y"), "operator 'If' is not run"),
        (Node("RandomNormal", (), "y"), "operator 'RandomNormal' is not run"),
        (Node("Relu", ("z",), "y"), "'z', which is not made before it"),
        (Node("Relu", ("y",), "y"), "'y', which is not made before it"),
        (Node("Relu", ("x", "x"), "y"), "has 2 inputs"),
        (Node("Relu", ("x",), "y", {"alpha": 1.0}), "setting 'alpha', which is not run"),
        (Node("MatMul", ("x", "x"), "y"), "do not fit"),
        (Node("Flatten", ("x",), "y", {"axis": 7}), "setting 'axis'"),
        (Node("Transpose", ("x",), "y", {"perm": (0, 0)}), "setting 'perm'"),
        (Node("Concat", ("x", "x"), "y", {"axis": 5}), "axis 5 of 2"),
        (Node("ReduceMean", ("x",), "y", {"axes": (1, 1)}), "axis twice"),
        (Node("ReduceMean", ("x",), "y", {"axes": (0, 1)}), r"shape \(1, 1\)|scalar|output"),
        (Node("Gather", ("x", "x"), "y"), "table of constants"),
        (Node("MaxPool", ("x",), "y", {"kernel_shape": (2, 2)}), "takes an image"),
        (Node("Cast", ("x",), "y", {"to": 1}), "takes int8, not float32"),
        (Node("Cast", ("x",), "y", {"to": 7}), "setting 'to'"),
    ],
)
def test_operators_that_are_not_run_or_do_not_fit_are_refused(node: Node, message: str) -> None:
    if node.op == "ReduceMean" and node.attributes["axes"] == (0, 1):
        assert compile(op(write(graph([node]), (1, 1)))).step.outputs == 1
    else:
        refused([node], message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pads": (-1, 0, 0, 0)}, "setting 'pads'"),
        ({"pads": (3, 3, 3, 3)}, "does not fit"),
        ({"strides": (0, 1)}, "setting 'strides'"),
        ({"dilations": (4096, 4096)}, "does not fit"),
        ({"group": 2}, "do not fit"),
        ({"kernel_shape": (5, 5)}, "its kernel does not fit"),
        ({"auto_pad": "SAME_UPPER"}, "'auto_pad' is not run"),
    ],
)
def test_windows_that_do_not_fit_are_refused(settings: dict, message: str) -> None:
    refused([Node("Conv", ("x", "w"), "y", settings)], message, (1, 1, 2, 2), w=np.ones((1, 1, 2, 2), np.float32))


def test_what_would_eat_the_machine_is_refused_before_it_runs() -> None:
    doubled = [Node("Concat", ("x" if i == 0 else f"t{i}",) * 64, f"t{i + 1}", {"axis": 1}) for i in range(60)]
    refused(doubled, "takes more than .* bytes a row")
    wide = Node("Reshape", ("x", "column"), "c"), Node("MatMul", ("c", "r"), "y")
    refused(list(wide), "takes more than", column=np.array([4, 1]), r=np.ones((1, 2**24 + 2**20), np.float32))
    square = [Node("Gemm", ("x", "in"), "t0"), *[Node("MatMul", (f"t{i}", "w"), f"t{i + 1}") for i in range(4000)]]
    numbers = {"in": np.ones((4, 3072), np.float32), "w": np.ones((3072, 3072), np.float32)}
    refused(square, "operations a row", **numbers)


def test_what_a_file_can_hide_is_refused() -> None:
    plain = write(DENSE, (1, 3))
    external = message(5, integer(1, 3) + integer(2, 1) + text(8, "v") + integer(14, 1) + message(13, b""))
    subgraph = message(1, text(2, "z") + text(4, "If") + message(5, text(1, "then") + message(6, b"") + integer(20, 5)))
    others = message(1, text(1, "x") + text(2, "z") + text(4, "Relu") + text(7, "com.evil"))
    for hidden, refusal in (
        (message(7, external), "field 13|field 14|2 times a graph"),
        (message(7, b""), "2 times a graph"),
        (message(25, b""), "its model has a field 25"),
        (message(8, text(1, "com.evil") + integer(2, 1)), "not of ONNX"),
        (message(8, integer(2, 17)), "2 times an opset"),
        (b"\x0b", "unknown layout"),
        (b"\xff" * 11, "without end"),
        (b"\x3a\xff\xff\xff\xff\x0f", "cut off"),
    ):
        with pytest.raises(ValueError, match=refusal):
            compile(op(plain + hidden))
    for inside, refusal in (
        (external, "tensor has a field 14"),
        (subgraph, "field 6"),
        (others, "'Relu' is not of ONNX"),
    ):
        whole = integer(1, 8) + message(8, integer(2, 17)) + message(7, inside + message(12, b""))
        with pytest.raises(ValueError, match=refusal):
            read(whole)
    newer = integer(1, 8) + message(8, integer(2, 21)) + message(7, b"")
    with pytest.raises(ValueError, match="opset 17"):
        read(newer)


@pytest.mark.parametrize("seed", range(40))
def test_changed_bytes_are_refused_or_give_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(write(DENSE, (1, 3)))
    for at in rng.integers(0, len(content), 1 + seed % 3):
        content[at] = rng.integers(0, 256)
    try:
        run = compile(op(bytes(content)))
    except ValueError:
        return
    assert np.isfinite(run(np.ones((2, 4)))).all()


@pytest.mark.parametrize("cut", [0, 1, 10, 60, 120])
def test_a_file_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="program op 'onnx'"):
        compile(op(write(DENSE, (1, 3))[:cut]))


def test_other_rows_and_settings_are_refused() -> None:
    content = write(DENSE, (1, 3))
    with pytest.raises(ValueError, match="of 5 numbers"):
        compile(op(content, 5))
    with pytest.raises(ValueError, match="setting 'columns'"):
        compile(op(content, "4"))
    with pytest.raises(ValueError, match="holds no bytes"):
        compile(Program("onnx", {"columns": 4}, {"graph": np.zeros(3, dtype=np.uint16)}))
    with pytest.raises(ValueError, match="neither numbers"):
        compile(op(write(Graph((Node("Relu", ("a",), "y"),), {}, {"a": Spec("float32", (1, 4))}, "y"), (1, 4))))
    with pytest.raises(ValueError, match="its output has shape"):
        compile(op(write(graph([Node("Relu", ("x",), "y")], (1, 2, 2)), (1, 4))))


def test_where_there_is_no_runtime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    run = compile(network(DENSE, 4))
    with pytest.raises(OptionError, match=r"onnxruntime, which is not installed: pip install 'sortal\[image\]'"):
        run(np.ones((1, 4)))


def test_members_that_have_the_same_network_share_its_session() -> None:
    one, two = (compile(network(DENSE, 4)) for _ in range(2))
    before = len(onnx._running)
    outputs = [run(np.ones((1, 4))) for run in (one, two)]
    assert_array_equal(*outputs)
    assert len(onnx._running) <= before + 1


def test_what_is_made_of_constants_alone_is_no_part_of_a_row() -> None:
    """Weights in 16 bits become such of 32 before the first row."""
    half = np.ones((4, 3), np.float16)
    nodes = [Node("Cast", ("half",), "w", {"to": 1}), Node("MatMul", ("x", "w"), "y")]
    model = graph(nodes, half=half)
    traced = trace(model, {"x": (1, 4)})
    assert traced.room == 4 * 3
    assert traced.operations < 1_100
    assert_allclose(compile(network(model, 4))(np.ones((1, 4))), 4)


def test_room_is_that_of_tensors_which_are_needed_at_a_time() -> None:
    nodes = [Node("Relu", ("x" if i == 0 else f"t{i}",), f"t{i + 1}") for i in range(50)]
    assert trace(graph(nodes), {"x": (1, 4)}).room == 2 * 16


def test_a_network_counts_as_the_bytes_that_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two members of an ensemble can have the same network of half a gigabyte, which is there once."""
    one = network(DENSE, 4).then(Program("constant", arrays={"probability": np.array([0.5, 0.5])}))
    both = Program("average", arrays={"weight": np.array([0.5, 0.5])}, steps=(one, one))
    monkeypatch.setattr("sortal.engine.limits.MOST_NUMBERS", one.steps[0].arrays["graph"].size // 6)
    assert compile(both).step.outputs == 2
    copy = op(one.steps[0].arrays["graph"].tobytes()).then(one.steps[1])
    with pytest.raises(ValueError, match="numbers, more than the"):
        compile(Program("average", arrays=both.arrays, steps=(one, copy)))
