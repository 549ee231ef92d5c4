"""Op ``onnx``: a network that was trained elsewhere, run by onnxruntime.

The network is checked before a runtime gets it (``onnx_file``, ``onnx_shapes``): which operators it has, what they give
and what they cost. It is run row by row, so that a row gets the same alone and among others, in one thread each.
"""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from math import prod
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.errors import OptionError
from sortal.core.images import map_in_threads
from sortal.engine import onnx_file
from sortal.engine.limits import CALL, LARGEST, Cost
from sortal.engine.onnx_file import Graph, Spec
from sortal.engine.onnx_shapes import Traced, trace
from sortal.engine.program import Program
from sortal.engine.step import Step, array, count, fail

MOST_GRAPH = 5 * 2**27
"""Bytes of a network: XLM-R base, which reads a hundred languages, has 555 MB in 16 bits."""
MOST_OPERATIONS = 2 * 10**9
"""Of a network: two seconds. ViT base takes 1.2 for an image of 224 points on a side as a bound; .75 on a busy core."""
MOST_TOKENS = 256
"""Of a text: two hundred words."""
NUMBERS, TOKENS, PLACES = "x", "tokens", "places"
"""The names of inputs. ``x``: floats of shape (1, ...), a row. ``tokens`` and ``places``: int64 of shape (1, None) and
(None,), the tokens of a text and 0, 1, 2, ..."""


def network(graph: Graph, columns: int) -> Program:
    """A network as a program: (n, columns) -> (n, k)."""
    traced = _trace(graph, columns)
    content = onnx_file.write(graph, traced.shape)
    return Program("onnx", {"columns": columns}, {"graph": np.frombuffer(content, dtype=np.uint8)})


def step(program: Program) -> Step:
    """A row is what the network takes: all numbers of its input ``x`` in their order, or up to ``columns`` tokens and
    negative numbers after them.

    A row with a missing value gets missing values. Raises ValueError for a network that is not run.
    """
    content, columns = array(program, "graph", "u", (None,)), count(program, "columns", least=1)
    if content.dtype != np.uint8 or len(content) > MOST_GRAPH:
        raise fail("onnx", f"array 'graph' holds no bytes, or more than the {MOST_GRAPH:,} of any network")
    try:
        graph = onnx_file.read(np.ascontiguousarray(content).data)
        traced = _trace(graph, columns)
    except ValueError as error:
        raise fail("onnx", f"the network {error}" if str(error).startswith("is ") else str(error)) from None
    if len(traced.shape) != 2 or traced.shape[0] != 1 or traced.shape[1] < 1:
        raise fail("onnx", f"its output has shape {traced.shape}, expected (1, columns)")
    if traced.operations > MOST_OPERATIONS:
        raise fail("onnx", f"takes {traced.operations:.3g} operations a row, more than {MOST_OPERATIONS:.3g}")
    width = traced.shape[1]
    runs = _Network(graph, traced)

    def run(x: Any) -> Floats:
        out = np.full((len(x), width), np.nan)
        complete_rows = np.flatnonzero(~np.isnan(x).any(axis=1))
        if len(complete_rows):
            out[complete_rows] = np.vstack(map_in_threads(partial(runs.row, x), complete_rows.tolist()))
        return out

    cost = Cost(100 * CALL, 100 * CALL + traced.operations + columns, 16 * columns + 24 * width)
    return Step("onnx", run, width, cost, inputs=columns)


def _trace(graph: Graph, columns: int) -> Traced:
    """What the network gives and costs at most. Raises ValueError where it does not take such rows."""
    inputs = dict(graph.inputs)
    if list(inputs) == [NUMBERS]:
        shape = tuple(length or 0 for length in inputs[NUMBERS].shape)
        if inputs[NUMBERS].dtype != "float32" or shape[:1] != (1,) or prod(shape) != columns:
            raise ValueError(f"its input has shape {inputs[NUMBERS].shape}, expected (1, ...) of {columns:,} numbers")
        return trace(graph, {NUMBERS: shape})
    if inputs != {TOKENS: Spec("int64", (1, None)), PLACES: Spec("int64", (None,))} or columns > MOST_TOKENS:
        raise ValueError(f"its inputs are neither numbers nor up to {MOST_TOKENS} tokens and their places")
    # All sizes are polynomials in the length, so that they are largest at the end; what is divisible there and one
    # before is so everywhere.
    lengths = sorted({1, min(2, columns), max(columns - 1, 1), columns})
    every = [trace(graph, {TOKENS: (1, length), PLACES: (length,)}) for length in lengths]
    if len({traced.shape for traced in every}) > 1:
        raise ValueError("its output has another shape for another number of tokens")
    fit = all(traced.rows.get(PLACES, n) >= n for traced, n in zip(every, lengths, strict=True))
    if not fit or every[-1].rows.get(TOKENS, 1) < 1:
        raise ValueError(f"it has no places for {columns:,} tokens")
    return max(every, key=lambda traced: traced.operations)


_running: WeakValueDictionary[bytes, Any] = WeakValueDictionary()
"""Sessions of onnxruntime by the digest of their network: members of a model that have the same share its memory."""
_lock = Lock()


class _Network:
    """A network in onnxruntime, which is imported with the first row."""

    def __init__(self, graph: Graph, traced: Traced) -> None:
        self._graph, self._traced = graph, traced
        self._session: Any = None

    def row(self, x: Floats, at: int) -> Floats:
        """(1, k) what it gives of a row without missing values."""
        (output,) = self._runs().run(None, self._inputs(x[at]))
        clipped: Floats = np.clip(output.astype(np.float64), -LARGEST, LARGEST)
        return np.nan_to_num(clipped, nan=0.0)

    def _inputs(self, row: Floats) -> dict[str, Any]:
        if NUMBERS in self._graph.inputs:
            shape = [length or 1 for length in self._graph.inputs[NUMBERS].shape]
            return {NUMBERS: np.clip(row, -3.4e38, 3.4e38).astype(np.float32).reshape(shape)}
        after = np.flatnonzero(row < 0)
        tokens = np.clip(row[: max(after[0], 1) if len(after) else len(row)], 0, self._traced.rows.get(TOKENS, 1) - 1)
        return {TOKENS: tokens.astype(np.int64)[None], PLACES: np.arange(len(tokens))}

    def _runs(self) -> Any:
        if self._session is None:
            with _lock:
                content = onnx_file.write(self._graph, self._traced.shape)
                key = blake2b(content).digest()
                self._session = _running.get(key) or _session(content)
                _running[key] = self._session
        return self._session


def _session(content: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise OptionError(
            "this model has a network, which needs onnxruntime, which is not installed: pip install 'sortal[image]' "
            "or 'sortal[text]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - of whatever type the runtime's own errors are
        raise fail("onnx", f"onnxruntime does not run the network: {str(error).splitlines()[0][:160]}") from None
