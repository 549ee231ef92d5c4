"""What an ONNX network gives, and what it costs, from shapes alone: checked before a runtime gets it.

The operators are those of opset 17, with the settings that are named here; any other is refused. A multiplication and
an addition in a matrix or a convolution take a sixteenth of a nanosecond, any other number one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

from sortal.core.errors import did_you_mean
from sortal.engine.limits import MOST_ROOM
from sortal.engine.onnx_file import MOST_RANK, Graph, Node
from sortal.engine.onnx_settings import fractions, inputs_of, only, whole, wholes
from sortal.engine.program import Array

Shape = tuple[int, ...]
PRODUCTS = 16
"""Products of a matrix that take as long as one number of any other operator: measured at 10 to 40 on one core."""
MOST_FIXED_ROOM = 2**30
"""Bytes of all tensors that are made of constants alone: twice the matrices of the largest network for sentences that
people use, in 32 bits."""


@dataclass(frozen=True)
class Traced:
    """``shape`` of the output; ``operations`` of a call, and ``room``, the most bytes of tensors that are needed at a
    time.

    What is made of constants alone is made once, before the first row, and counts for neither.

    ``rows``: by input that holds places of tables, the rows of the shortest of them.
    """

    shape: Shape
    operations: int
    room: int
    rows: Mapping[str, int]


def trace(graph: Graph, inputs: Mapping[str, Shape]) -> Traced:
    """What a network makes of inputs of these shapes.

    Raises ValueError, with the operator, for one that is not known, and where shapes or settings do not fit each other.
    """
    state = _State(graph, {name: (graph.inputs[name].dtype, shape) for name, shape in inputs.items()})
    for name, array in graph.constants.items():
        state.tensors[name] = (array.dtype.name, array.shape)
        state.fixed.add(name)
    last = {name: at for at, node in enumerate(graph.nodes) for name in node.inputs} | {graph.output: len(graph.nodes)}
    for at, node in enumerate(graph.nodes):
        rule = _RULES.get(node.op)
        if rule is None:
            raise ValueError(f"operator {node.op[:40]!r} is not run; {did_you_mean(node.op[:40], _RULES)}")
        try:
            shape = rule(node, state)
        except ValueError as error:
            raise ValueError(f"operator {node.op!r}: {error}") from None
        state.add(node, shape)
        state.forget({name for name in (*node.inputs, node.output) if last.get(name, at) <= at})
    if graph.output not in state.tensors or state.tensors[graph.output][0] != "float32":
        raise ValueError("its output is not made by it, or holds no floats")
    return Traced(state.tensors[graph.output][1], state.operations, state.room, state.rows)


@dataclass
class _State:
    graph: Graph
    tensors: dict[str, tuple[str, Shape]]
    operations: int = 0
    room: int = 0
    fixed_room: int = 0
    needed: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)

    def add(self, node: Node, shape: Shape) -> None:
        if len(shape) > MOST_RANK:
            raise ValueError(f"operator {node.op!r}: gives {len(shape)} dimensions")
        if self.fixed.issuperset(node.inputs):
            self.fixed.add(node.output)
            self.fixed_room += 4 * prod(shape)
        else:
            self.operations += prod(shape) + 1_000
            self.needed[node.output] = 4 * prod(shape)
            self.room = max(self.room, sum(self.needed.values()))
        if self.room > MOST_ROOM:
            raise ValueError(f"operator {node.op!r}: the network takes more than {MOST_ROOM:,} bytes a row")
        if self.fixed_room > MOST_FIXED_ROOM:
            raise ValueError(f"operator {node.op!r}: the network makes more than {MOST_FIXED_ROOM:,} bytes beforehand")
        self.tensors[node.output] = (self._dtype(node), shape)

    def forget(self, names: set[str]) -> None:
        """What no node needs any more."""
        for name in names & self.needed.keys():
            del self.needed[name]

    def _dtype(self, node: Node) -> str:
        """Of what a node gives: floats, but for the rows of a table of others."""
        return self.tensors[node.inputs[0]][0] if node.op == "Gather" else "float32"

    def shape(self, name: str, dtype: str = "float32") -> Shape:
        """The shape of a tensor, which is there already and has this dtype."""
        if name not in self.tensors:
            raise ValueError(f"takes {name[:40]!r}, which is not made before it")
        have, shape = self.tensors[name]
        if have != dtype:
            raise ValueError(f"takes {dtype}, not {have}")
        return shape

    def dtype(self, name: str) -> str:
        """Of a tensor; of one that is not there, nothing."""
        return self.tensors.get(name, ("", ()))[0]

    def constant(self, name: str, dtype: str = "int64") -> Array:
        array = self.graph.constants.get(name)
        if array is None or array.dtype.name != dtype:
            raise ValueError(f"takes a constant of {dtype}")
        return array

    def multiplied(self, products: int) -> None:
        self.operations += products // PRODUCTS


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of {rank} dimensions")
    return axis % rank


def _broadcast(*shapes: Shape) -> Shape:
    rank = max(len(shape) for shape in shapes)
    padded_shapes = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    out = []
    for lengths in zip(*padded_shapes, strict=True):
        wider = {length for length in lengths if length != 1}
        if len(wider) > 1:
            raise ValueError(f"shapes {' and '.join(map(str, shapes))} do not fit")
        out.append(wider.pop() if wider else 1)
    return tuple(out)


def _same(*settings: str) -> Callable[[Node, _State], Shape]:
    """Of operators that give a number for each one."""

    def rule(node: Node, state: _State) -> Shape:
        only(node, *settings)
        fractions(node, *settings)
        return state.shape(*inputs_of(node, 1))

    return rule


def _two(node: Node, state: _State) -> Shape:
    only(node)
    return _broadcast(*(state.shape(name) for name in inputs_of(node, 2)))


def _clip(node: Node, state: _State) -> Shape:
    only(node)
    first, *bounds = inputs_of(node, 3)
    if any(state.constant(bound, "float32").shape for bound in bounds):
        raise ValueError("takes single numbers as bounds")
    return state.shape(first)


def _along(node: Node, state: _State) -> Shape:
    only(node, "axis")
    shape = state.shape(*inputs_of(node, 1))
    _axis(whole(node, "axis", -1), len(shape))
    return shape


def _matmul(node: Node, state: _State) -> Shape:
    only(node)
    left, right = (state.shape(name) for name in inputs_of(node, 2))
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ValueError(f"shapes {left} and {right} do not fit")
    shape = (*_broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    state.multiplied(prod(shape) * left[-1])
    return shape


def _gemm(node: Node, state: _State) -> Shape:
    only(node, "alpha", "beta", "transA", "transB")
    fractions(node, "alpha", "beta")
    left, right, *bias = (state.shape(name) for name in inputs_of(node, 2, 3))
    if len(left) != 2 or len(right) != 2:
        raise ValueError("takes matrices")
    left = left[::-1] if whole(node, "transA", 0, (0, 1)) else left
    right = right[::-1] if whole(node, "transB", 0, (0, 1)) else right
    shape = (left[0], right[1])
    if left[1] != right[0] or any(_broadcast(shape, addend) != shape for addend in bias):
        raise ValueError(f"shapes {left} and {right} do not fit")
    state.multiplied(prod(shape) * left[1])
    return shape


def _slid(x: Shape, kernel: Shape, node: Node, dilated: bool) -> Shape:
    """The height and width of what a window of this size gives that is moved over an image."""
    strides = wholes(node, "strides", (1, 1), least=1)
    pads = wholes(node, "pads", (0, 0, 0, 0), least=0)
    dilations = wholes(node, "dilations", (1, 1), least=1) if dilated else (1, 1)
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        raise ValueError("setting 'auto_pad' is not run")
    out = []
    for axis in (0, 1):
        window = (kernel[axis] - 1) * dilations[axis] + 1
        length = x[2 + axis] + pads[axis] + pads[2 + axis] - window
        if window < 1 or length < 0 or max(pads[axis], pads[2 + axis]) >= max(window, 2):
            raise ValueError(f"a window of {window} on {x[2 + axis]} with paddings {pads} does not fit")
        out.append(length // strides[axis] + 1)
    return tuple(out)


def _conv(node: Node, state: _State) -> Shape:
    only(node, "auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    x, weight, *bias = (state.shape(name) for name in inputs_of(node, 2, 3))
    group = whole(node, "group", 1)
    if len(x) != 4 or len(weight) != 4 or group < 1 or x[1] != weight[1] * group or weight[0] % group:
        raise ValueError(f"shapes {x} and {weight} do not fit")
    if any(addend != weight[:1] for addend in bias) or node.attributes.get("kernel_shape", weight[2:]) != weight[2:]:
        raise ValueError("its bias or its kernel does not fit its weights")
    shape = (x[0], weight[0], *_slid(x, weight[2:], node, dilated=True))
    state.multiplied(prod(shape) * prod(weight[1:]))
    return shape


def _pool(node: Node, state: _State) -> Shape:
    extra = ("count_include_pad",) if node.op == "AveragePool" else ()
    only(node, "auto_pad", "ceil_mode", "kernel_shape", "pads", "strides", *extra)
    x = state.shape(*inputs_of(node, 1))
    whole(node, "ceil_mode", 0, (0,))
    whole(node, "count_include_pad", 0, (0, 1))
    if len(x) != 4 or "kernel_shape" not in node.attributes:
        raise ValueError("takes an image and a window")
    kernel = wholes(node, "kernel_shape", (1, 1), least=1)
    shape = (*x[:2], *_slid(x, kernel, node, dilated=False))
    state.operations += prod(shape) * prod(kernel)
    return shape


def _global_pool(node: Node, state: _State) -> Shape:
    only(node)
    x = state.shape(*inputs_of(node, 1))
    if len(x) != 4 or 0 in x:
        raise ValueError("takes an image")
    state.operations += prod(x)
    return (*x[:2], 1, 1)


def _batch_norm(node: Node, state: _State) -> Shape:
    only(node, "epsilon", "momentum", "training_mode")
    fractions(node, "epsilon", "momentum")
    whole(node, "training_mode", 0, (0,))
    x, *parameters = (state.shape(name) for name in inputs_of(node, 5))
    if len(x) < 2 or any(shape != x[1:2] for shape in parameters):
        raise ValueError("has other numbers of channels")
    return x


def _layer_norm(node: Node, state: _State) -> Shape:
    only(node, "axis", "epsilon", "stash_type")
    fractions(node, "epsilon")
    whole(node, "axis", -1, (-1,))
    whole(node, "stash_type", 1, (1,))
    x, *parameters = (state.shape(name) for name in inputs_of(node, 3))
    if not x or any(shape != x[-1:] for shape in parameters):
        raise ValueError("has another number of columns")
    return x


def _reduce(node: Node, state: _State) -> Shape:
    only(node, "axes", "keepdims")
    x, keep = state.shape(*inputs_of(node, 1)), whole(node, "keepdims", 1, (0, 1))
    axes = node.attributes.get("axes")
    if not isinstance(axes, tuple):
        raise ValueError("has no axes")
    reduced_axes = {_axis(axis, len(x)) for axis in axes}
    if len(reduced_axes) != len(axes) or 0 in x:
        raise ValueError("has an axis twice, or nothing to reduce")
    state.operations += prod(x)
    return tuple(1 if at in reduced_axes else length for at, length in enumerate(x) if keep or at not in reduced_axes)


def _reshape(node: Node, state: _State) -> Shape:
    only(node)
    first, second = inputs_of(node, 2)
    x, target = state.shape(first), state.constant(second)
    if target.ndim != 1 or len(target) > MOST_RANK:
        raise ValueError("its shape is none")
    target_shape = [int(length) for length in target]
    if (
        min(target_shape, default=0) < -1
        or target_shape.count(-1) > 1
        or any(not v and at >= len(x) for at, v in enumerate(target_shape))
    ):
        raise ValueError(f"shape {target_shape} is none")
    shape = [length or x[at] for at, length in enumerate(target_shape)]
    rest = prod(length for length in shape if length != -1)
    shape = [prod(x) // max(rest, 1) if length == -1 else length for length in shape]
    if prod(shape) != prod(x):
        raise ValueError(f"shape {x} does not become {target_shape}")
    return tuple(shape)


def _flatten(node: Node, state: _State) -> Shape:
    only(node, "axis")
    x = state.shape(*inputs_of(node, 1))
    axis = whole(node, "axis", 1, range(len(x) + 1))
    return prod(x[:axis]), prod(x[axis:])


def _transpose(node: Node, state: _State) -> Shape:
    only(node, "perm")
    x = state.shape(*inputs_of(node, 1))
    order = wholes(node, "perm", tuple(reversed(range(len(x)))), least=0)
    if sorted(order) != list(range(len(x))):
        raise ValueError(f"setting 'perm' is {order}")
    return tuple(x[at] for at in order)


def _concat(node: Node, state: _State) -> Shape:
    only(node, "axis")
    shapes = [state.shape(name) for name in inputs_of(node, 1, 64)]
    axis = _axis(whole(node, "axis", 0), len(shapes[0]))
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ValueError("its parts do not fit each other")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def _gather(node: Node, state: _State) -> Shape:
    """Rows of a table of constants at tokens that come in, or parts of any tensor at places: constant ones, or those of
    the tokens, which are 0, 1, 2, ...
    """
    only(node, "axis")
    name, at = inputs_of(node, 2)
    x = state.shape(name, state.dtype(name))
    axis = _axis(whole(node, "axis", 0), max(len(x), 1))
    if at in state.graph.constants:
        places = state.constant(at)
        if not x or (places.size and (places.min() < 0 or places.max() >= x[axis])):
            raise ValueError(f"takes places beyond the {x[axis] if x else 0} that there are")
        return (*x[:axis], *places.shape, *x[axis + 1 :])
    rows = state.shape(at, "int64") if state.dtype(at) == "int64" and at in state.graph.inputs else ()
    if not rows or not x or (len(rows) > 1 and (axis or name not in state.graph.constants)):
        raise ValueError("takes a table of constants, and an input of the network")
    state.rows[at] = min(state.rows.get(at, x[axis]), x[axis])
    return (*x[:axis], *rows, *x[axis + 1 :])


def _cast(node: Node, state: _State) -> Shape:
    """What weights are stored as, whole numbers of eight bits or fractions of 16, to floats."""
    only(node, "to")
    whole(node, "to", 0, (1,))
    (name,) = inputs_of(node, 1)
    return state.shape(name, "float16" if state.dtype(name) == "float16" else "int8")


_RULES: dict[str, Callable[[Node, _State], Shape]] = {
    **dict.fromkeys(("Relu", "Sigmoid", "Tanh", "Erf", "Sqrt", "Softplus", "HardSwish", "Identity"), _same()),
    **dict.fromkeys(("LeakyRelu", "Elu"), _same("alpha")),
    **dict.fromkeys(("Selu",), _same("alpha", "gamma")),
    **dict.fromkeys(("HardSigmoid",), _same("alpha", "beta")),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _two),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _along),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("ReduceMean", "ReduceL2"), _reduce),
    "Cast": _cast,
    "Clip": _clip,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "GlobalAveragePool": _global_pool,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Gather": _gather,
}
