"""The members of a model file: which arrays and programs they may be, by hand."""

from __future__ import annotations

import json
from functools import reduce
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from sortal.artifact import archive, store
from sortal.artifact.store import _check_arrays, _from_npy, _Node, _pack, _to_npy, _unpack
from sortal.core.errors import ArtifactError
from sortal.engine.limits import DEEPEST
from sortal.engine.program import Program

HEAD = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"


def npy(descr: str, shape: str, numbers: bytes, end: str = "\n", magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    header = (HEAD % (descr, shape) + end).encode()
    return magic + len(header).to_bytes(2, "little") + header + numbers


@pytest.mark.parametrize("dtype", sorted(store.DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (1, 2, 2)])
def test_an_array_of_numbers_comes_back_as_it_was(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    copy = _from_npy(_to_npy("linear", "coef", array), "m: x")
    assert (copy.dtype.str, copy.shape) == (dtype, shape)
    assert np.array_equal(copy, array)
    assert not copy.flags.writeable


def test_the_order_and_the_bytes_of_an_array_are_those_of_the_file() -> None:
    array = np.arange(6.0).reshape(2, 3)
    for other in (np.asfortranarray(array), array.astype(">f8"), np.repeat(array, 2, axis=1)[:, ::2]):
        assert _to_npy("linear", "coef", other) == _to_npy("linear", "coef", array)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([True]), np.zeros(2, complex), np.zeros(2, np.float16)])
def test_other_arrays_are_not_written(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^program op 'linear': a model file holds no array of dtype .* \('coef'\)$"):
        _to_npy("linear", "coef", array)


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (npy("<f8", "(2,)", bytes(16)), (2,)),
        (npy("<f8", "()", bytes(8)), ()),
        (npy("|u1", "(2, 3)", bytes(6)), (2, 3)),
        (npy("<f8", "(2,)", bytes(16), "   \n"), (2,)),
        (npy("<f8", "(2,)", bytes(15)), "has a shape that does not fit its size"),
        (npy("<f8", "(2,)", bytes(17)), "has a shape that does not fit its size"),
        (npy("<f8", "(2,)", b""), "has a shape that does not fit its size"),
        (npy("<f2", "(2,)", bytes(4)), "is an array of another form than sortal writes"),
        (npy("<U1", "(2,)", bytes(8)), "is an array of another form than sortal writes"),
        (npy(">f8", "(2,)", bytes(16)), "is an array of another form than sortal writes"),
        (npy("<f8", "(2)", bytes(16)), "is an array of another form than sortal writes"),
        (npy("<f8", "(2,)", bytes(16), ""), "is an array of another form than sortal writes"),
        (npy("<f8", "(2,)", bytes(16), "\nx"), "is an array of another form than sortal writes"),
        (npy("<f8", "(1234567890123,)", b""), "is an array of another form than sortal writes"),
        (npy("<f8", "(2,)", bytes(16), magic=b"\x93NUMPY\x02\x00"), "is no array"),
        (b"\x93NUMPY\x01\x00\x01", "is no array"),
        (b"\x93NUMPY\x01\x00\x00\x00", "is an array of another form than sortal writes"),
        (b"", "is no array"),
    ],
)
def test_what_is_an_array_in_a_file(content: bytes, shape: tuple[int, ...] | str) -> None:
    if isinstance(shape, str):
        with pytest.raises(ArtifactError, match=f"^m: x {shape}$"):
            _from_npy(content, "m: x")
    else:
        assert _from_npy(content, "m: x").shape == shape


def node(op: str = "linear", steps: tuple[_Node, ...] = (), **arrays: str) -> _Node:
    return _Node(op, {}, arrays, steps)


REFERENCE = "networks/" + "a" * 64


@pytest.mark.parametrize(
    ("root", "names", "network_names"),
    [
        (node(a="arrays/0", b="arrays/1"), ["arrays/0", "arrays/1", "program.json"], set()),
        (node(a="arrays/0", b="arrays/0"), ["arrays/0"], None),  # one array in two places
        (node(a="arrays/0"), ["arrays/0", "arrays/1"], None),
        (node(a="arrays/0", b="arrays/1"), ["arrays/0"], None),
        (node("chain", (node(a="arrays/0"), node(a="arrays/1"))), ["arrays/0", "arrays/1"], set()),
        (node("chain", (node(a="arrays/0"), node(a="arrays/0"))), ["arrays/0"], None),
        (node("chain", (node("onnx", graph="arrays/0"), node("onnx", graph="arrays/0"))), ["arrays/0"], set()),
        (
            node("chain", (node("tokens", words="arrays/0"), node("onnx", graph="arrays/1"))),
            ["arrays/0", "arrays/1"],
            set(),
        ),
        (node("chain", (node("onnx", graph=REFERENCE), node(a="arrays/0"))), ["arrays/0"], {REFERENCE}),
        (node("linear", a=REFERENCE), [], None),  # only a network stands beside the file
        (node("onnx", graph="networks/x"), [], None),
    ],
)
def test_a_program_names_each_array_once_but_for_networks(
    root: _Node, names: list[str], network_names: set[str] | None
) -> None:
    members = dict.fromkeys(names, b"")
    if network_names is None:
        with pytest.raises(
            ArtifactError, match=r"^m is no sortal model: its program does not name its arrays once each$"
        ):
            _check_arrays(root, members, "m")
    else:
        assert _check_arrays(root, members, "m") == network_names


def test_programs_are_nested_so_deep_and_no_deeper() -> None:
    def nest(levels: int) -> _Node:
        return reduce(lambda inner, _: node("chain", (inner,)), range(levels - 1), node(a="arrays/0"))

    assert _check_arrays(nest(DEEPEST), {"arrays/0": b""}, "m") == set()
    with pytest.raises(ArtifactError, match=f"^m is unsafe: its program is nested deeper than {DEEPEST} levels$"):
        _check_arrays(nest(DEEPEST + 1), {"arrays/0": b""}, "m")


def test_members_are_counted_and_networks_shared() -> None:
    graph, words = np.arange(9, dtype=np.uint8), np.arange(4, dtype=np.uint8)

    def member(number: int) -> Program:
        network = Program("onnx", {}, {"graph": graph})
        return Program("chain", {}, {}, (network, Program("linear", {"k": number}, {"b": graph, "a": np.array([1.0])})))

    program = Program(
        "average", {}, {"weight": np.ones(2)}, (member(1), member(2), Program("tokens", {}, {"w": words}))
    )
    members: dict[str, bytes] = {}
    root = _pack(program, members, count(), {})
    assert sorted(members) == [f"arrays/{k:05d}.npy" for k in range(7)]
    first, second, third = root.steps
    assert first.steps[0].arrays == second.steps[0].arrays == {"graph": "arrays/00001.npy"}
    # What only looks like a network stands there for each member.
    assert list(first.steps[1].arrays.items()) == [("a", "arrays/00002.npy"), ("b", "arrays/00003.npy")]
    assert list(second.steps[1].arrays.items()) == [("a", "arrays/00004.npy"), ("b", "arrays/00005.npy")]
    assert third.arrays == {"w": "arrays/00006.npy"}
    copy = _unpack(root, members, {}, "m")
    assert copy.steps[1].settings == {}
    assert copy.steps[1].steps[1].settings == {"k": 2}
    assert np.array_equal(copy.steps[0].steps[0].arrays["graph"], graph)
    assert np.array_equal(copy.steps[2].arrays["w"], words)


def test_networks_of_others_become_files_of_their_own(tmp_path: Path) -> None:
    graph, own, words = (np.arange(n, dtype=np.uint8) for n in (9, 5, 4))
    once = Program("once", {}, {}, (Program("onnx", {"k": 1}, {"graph": graph}), Program("tokens", {}, {"w": words})))
    program = Program("chain", {}, {}, (once, Program("onnx", {}, {"graph": own})))
    members: dict[str, bytes] = {}
    root = _pack(program, members, count(), {}, tmp_path)
    (reference,) = root.steps[0].steps[0].arrays.values()
    assert store.networks.REFERENCE.fullmatch(reference)
    assert root.steps[0].steps[0].settings == {"k": 1}
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == graph.tobytes()
    # What was trained here, and the vocabulary, are in the model file.
    assert sorted(members) == ["arrays/00000.npy", "arrays/00001.npy"]
    arrays = {reference: np.frombuffer(graph.tobytes(), dtype=np.uint8)}
    assert np.array_equal(_unpack(root, members, arrays, "m").steps[0].steps[0].arrays["graph"], graph)
    all_members: dict[str, bytes] = {}
    assert (
        store.networks.REFERENCE.fullmatch(_pack(program, all_members, count(), {}).steps[0].steps[0].arrays["graph"])
        is None
    )
    assert len(all_members) == 3


def test_a_part_that_is_not_there_or_does_not_fit_is_named() -> None:
    decoder = store._PARTS["metrics"]
    members: Any = {"metrics.json": json.dumps({"test": {"auc": {"value": 0.5}}}).encode()}
    assert store._decoded(decoder, "metrics.json", members, "m")["test"]["auc"].value == 0.5
    with pytest.raises(ArtifactError, match=r"^m is no sortal model: it has no metrics\.json$"):
        store._decoded(decoder, "metrics.json", {}, "m")
    for content in (b"[]", b"{", b"\xff", b'{"test": 1}'):
        with pytest.raises(ArtifactError, match=r"^m is no sortal model: its metrics\.json does not fit \("):
            store._decoded(decoder, "metrics.json", {"metrics.json": content}, "m")


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i8", "<i4", "|u1", "<u4"])
def test_arrays_of_a_program_keep_their_type_and_shape(dtype: str) -> None:
    inner = Program("linear", {"k": 1.5}, {"coef": np.arange(6, dtype=dtype).reshape(2, 3)})
    members: dict[str, bytes] = {}
    root = _pack(Program("chain", {"names": ["a"]}, {"bias": np.array(3, dtype=dtype)}, (inner,)), members, count(), {})
    copy = _unpack(root, members, {}, "m")
    for array, shape in ((copy.arrays["bias"], ()), (copy.steps[0].arrays["coef"], (2, 3))):
        assert (array.dtype.str, array.shape) == (dtype, shape)
    assert (copy.settings, copy.steps[0].settings) == ({"names": ["a"]}, {"k": 1.5})
    assert copy.steps[0].arrays["coef"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_networks_of_others_are_in_the_file_unless_they_are_to_stay_beside_it(model: Any, tmp_path: Path) -> None:
    graph = Program("onnx", {}, {"graph": np.arange(9, dtype=np.uint8)})
    program = Program("chain", {}, {}, (Program("once", {}, {}, (graph,)),))
    for options, files in (({}, 1), ({"embedded": True}, 1), ({"embedded": False}, 2)):
        folder = tmp_path / str(options)
        folder.mkdir()
        parts = {name: getattr(model, name) for name in ("schema", "task", "decision")}
        store.save(folder / "m.sortal", store.Contents(**parts, program=program, **options))
        assert len(list(folder.iterdir())) == files
        contents = store.load_contents(folder / "m.sortal")
        assert contents.embedded == (files == 1)
        assert contents.program.steps[0].steps[0].arrays["graph"].tolist() == list(range(9))


def test_whatever_does_not_fit_is_told_with_the_name_of_the_file(model: Any, tmp_path: Path) -> None:
    """By the door that reads it, not by the last one, which names the file where nothing else did."""
    path = tmp_path / "m.sortal"
    array_members: dict[str, bytes] = {}
    root = _pack(model.program, array_members, count(), {})

    def refusal(parts: dict[str, Any]) -> str:
        texts = {f"{name}.json": msgspec.json.encode(getattr(model, name)) for name in store._PARTS}
        members = {**texts, **array_members, "program.json": msgspec.json.encode(root)} | parts
        archive.write(path, {name: content for name, content in members.items() if content is not None}, "1")
        with pytest.raises(ArtifactError) as error:
            store.load_contents(path)
        return str(error.value)

    deep = reduce(lambda inner, _: node("chain", (inner,)), range(DEEPEST), node())
    for parts, message in (
        ({"card.json": None}, "m.sortal is no sortal model: it has no card.json"),
        ({"program.json": None}, "m.sortal is no sortal model: it has no program.json"),
        ({"task.json": b"{}"}, "m.sortal is no sortal model: its task.json does not fit ("),
        ({"program.json": b"[]"}, "m.sortal is no sortal model: its program.json does not fit ("),
        ({"arrays/00000.npy": b"x"}, "m.sortal: arrays/00000.npy is no array"),
        ({"arrays/99999.npy": b"x"}, "m.sortal is no sortal model: its program does not name its arrays once each"),
        ({"program.json": msgspec.json.encode(deep)}, "m.sortal is unsafe: its program is nested deeper than"),
    ):
        assert refusal(parts).startswith(message)
