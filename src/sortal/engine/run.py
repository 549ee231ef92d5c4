"""From a program to a function: checked once, then fast.

No program that compiles can run forever or fail midway, whatever file it comes from:

- It is a finite tree. How deep it is, its steps and the numbers in its arrays are counted before anything is built;
  building is linear in them, but for the tables of trees, which are counted with the costs. There is no op that repeats
  or branches by data.
- What a step costs follows from shapes and settings. The costs of all steps are added up while they are built, and
  above a limit (``limits.py``) the program is refused. A table that takes more than ``SLICE`` is scored slice by slice.
- Every index into an array was compared with the length of that array, and the width of each step with what the next
  one takes.
- Every number is finite: canonical numbers and all parameters are at most 1e100, a step that could give more cuts it
  off there, and no sum has more than 2**27 products, so that none comes near 1.8e308. Probabilities are clipped to
  1e-15 before a logarithm, and a softmax takes the largest off. NaN means missing: a program is refused where it could
  reach a step that computes with it.

So for columns in canonical types, all of one length n, a compiled table or chain gives (n, k) numbers within its cost,
and NaN only where it hands missing values on; after a model's op there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.errors import did_you_mean
from sortal.core.row import Row, row_of
from sortal.engine import (
    encode,
    focal,
    forest,
    fourier,
    interactions,
    levels,
    linear,
    monotone,
    neural,
    oblivious,
    once,
    onnx,
    pixels,
    raster,
    single,
    tfidf,
    tokens,
)
from sortal.engine.affine import logit_affine
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, SLICE, Cost, check_size
from sortal.engine.program import Columns, Program
from sortal.engine.sparse import Sparse, above, beside
from sortal.engine.step import One, Step, fail, floats, text


def compile(program: Program) -> Compiled:
    """The function that a program describes: named Columns, or an (n, d) array, to an (n, k) float64 array.

    Every setting and array is checked here (presence, dtype, shape, range, the width from step to step, the cost), so
    that no program can read outside its arrays, run forever or fail midway; the module says why.

    Raises ValueError with the op's name; of an unknown op with the ops that there are. The function raises
    ValueError for an array of another width and for a column that is not there.

    >>> z = Program("linear", {"link": "sigmoid"}, {"coef": np.array([[2.0]]), "intercept": np.array([0.0])})
    >>> score = compile(z)
    >>> score(np.array([[0.0], [np.log(3) / 2]])).round(12)
    array([[0.5 , 0.5 ],
           [0.25, 0.75]])
    """
    check_size(program)
    return Compiled(_step(program), _names(program))


@dataclass(frozen=True)
class Compiled:
    """A checked program, ready to run. ``reads``: the columns that it reads."""

    step: Step
    reads: tuple[str, ...]

    @property
    def cost(self) -> Cost:
        """What a call and a row take at most."""
        return self.step.cost

    def __call__(self, x: Columns | Floats) -> Floats:
        """Raises TypeError for a program that ends before its rows are numbers: ``encode`` gives them."""
        rows = self.encode(x)
        if isinstance(rows, Sparse):
            raise TypeError(f"a program '{self.step.op}' gives sparse rows")
        return rows

    def encode(self, x: Columns | Floats) -> Floats | Sparse:
        """The same, with sparse rows where the program gives such."""
        rows: Floats | Sparse = self._named(x) if self.step.named else self._array(x)
        return rows

    def one(self, row: Row) -> list[float]:
        """What it gives for one row, to the bit as the same row alone in columns."""
        return self._one(row)

    @cached_property
    def _one(self) -> One:
        return single.one_of(self.step)

    def _named(self, columns: Any) -> Any:
        n, most = len(column_of(columns, self.reads[0])), self._rows
        if n == 1 and self.step.one is not None:
            return np.array([self.step.one(row_of(columns, self.reads))])
        if n <= most:
            return self.step.run(columns)
        return self._slices(n, most, lambda part: {name: column_of(columns, name)[part] for name in self.reads})

    def _array(self, x: Any) -> Any:
        values = np.asarray(x, dtype=np.float64)
        if values.ndim != 2:
            raise ValueError(
                f"a program '{self.step.op}' takes an array with rows and columns, not of shape {values.shape}"
            )
        _check_width(self.step, values.shape[1])
        n, most = len(values), self._rows
        return self.step.run(values) if n <= most else self._slices(n, most, values.__getitem__)

    @property
    def _rows(self) -> int:
        return max(1, SLICE // max(1, self.cost.room))

    def _slices(self, n: int, most: int, part: Callable[[slice], Any]) -> Any:
        slices = [slice(first, first + most) for first in range(0, n, most)]
        if self.step.sparse:
            return above([self.step.run(part(at)) for at in slices])
        outputs = np.empty((n, self.step.outputs))
        for at in slices:
            outputs[at] = self.step.run(part(at))
        return outputs


def reads(program: Program) -> Iterator[tuple[str, str]]:
    """Ops that read a column, and its name."""
    if program.op in READERS:
        yield program.op, str(program.settings.get("column"))
    for step in program.steps:
        yield from reads(step)


def _names(program: Program) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, name in reads(program)))


def ops(program: Program) -> frozenset[str]:
    """All ops of a program.

    >>> sorted(ops(Program("fill").then(Program("linear"))))
    ['chain', 'fill', 'linear']
    """
    return frozenset({program.op}.union(*(ops(step) for step in program.steps)))


READERS = ("number", "lookup", "datetime", "tfidf", "pixels", "raster", "tokens")


def _check_width(step: Step, width: int) -> None:
    if step.inputs is not None and width != step.inputs:
        raise fail(step.op, f"takes {step.inputs} columns, not {width}")
    if width < step.least:
        raise fail(step.op, f"takes at least {step.least} columns, not {width}")


def _step(program: Program) -> Step:
    """Made once for each program, wherever that is a step of: a model is compiled for its file, its proof and its test,
    and the tables of its trees take most of that.
    """
    step: Step | None = program.cached_step
    if step is None:
        build = _OPS.get(program.op)
        if build is None:
            raise ValueError(f"unknown program op {program.op[:40]!r}; {did_you_mean(program.op[:40], _OPS)}")
        step = build(program)
        object.__setattr__(program, "cached_step", step)
    return step


def _steps(program: Program) -> tuple[list[Step], Cost]:
    """The inner programs, and what they cost together; refused with the first that is too much."""
    steps, cost = [], Cost(call=len(program.steps) * CALL)
    for inner in program.steps:
        steps.append(_step(inner))
        cost += steps[-1].cost
        cost.check(program.op)
    if not steps:
        raise fail(program.op, "has no steps")
    return steps, cost


def _chain(program: Program) -> Step:
    """Steps one after another; each takes what the one before it gives."""
    steps, cost = _steps(program)
    for before, after in pairwise(steps):
        if after.named:
            raise fail("chain", f"step '{after.op}' takes named columns, but is not the first")
        _check_width(after, before.outputs)
        if before.sparse and not after.takes_sparse:
            raise fail("chain", f"step '{after.op}' does not take the sparse rows of step '{before.op}'")
        # A step may make a copy of what it takes.
        cost += Cost(room=16 * before.outputs)
    first, last = steps[0], steps[-1]
    stuck = _missing_at(steps, missing=True)
    if stuck is not None and (first.named or _missing_at(steps, missing=False) is not None):
        raise fail("chain", f"missing values reach step '{stuck.op}', which computes with them; fill them before")
    runs = [step.run for step in steps]

    def run(x: Any) -> Any:
        for step_run in runs:
            x = step_run(x)
        return x

    return Step(
        op="chain",
        run=run,
        outputs=last.outputs,
        cost=cost,
        inputs=first.inputs,
        least=first.least,
        named=first.named,
        needs=stuck is not None,
        fills=not _missing_after(steps, missing=True),
        loses=_missing_after(steps, missing=False),
        sparse=last.sparse,
        takes_sparse=first.takes_sparse,
        one=single.of_chain(steps),
    )


def _missing_at(steps: Iterable[Step], missing: bool) -> Step | None:
    """The first step that missing values reach and that cannot do with them."""
    for step in steps:
        if missing and step.needs:
            return step
        missing = _missing_after([step], missing)
    return None


def _missing_after(steps: Iterable[Step], missing: bool) -> bool:
    """Whether there may be missing values after these steps, where there may be before."""
    for step in steps:
        missing = step.loses or (missing and not step.fills)
    return missing


def _table(program: Program) -> Step:
    """Column programs, their outputs side by side: sparse where one of them is."""
    steps, cost = _steps(program)
    for step in steps:
        if not step.named:
            raise fail("table", f"step '{step.op}' does not take named columns")
    outputs = sum(step.outputs for step in steps)
    is_sparse = any(step.sparse for step in steps)
    side_by_side: Callable[[list[Any]], Any] = beside if is_sparse else np.hstack
    few = None if is_sparse else single.few_rows(steps, _names(program))

    def run(columns: Columns) -> Any:
        if few is not None and 0 < single.count(columns) <= single.FEW:
            return few(columns)
        return side_by_side([step.run(columns) for step in steps])

    return Step(
        op="table",
        run=run,
        outputs=outputs,
        cost=cost + Cost(row=outputs, room=8 * outputs),
        named=True,
        fills=all(step.fills for step in steps),
        sparse=is_sparse,
        one=single.of_table(steps),
    )


def _once(program: Program) -> Step:
    """A column program that reads one column of texts or images: what it makes of a value is remembered."""
    steps, cost = _steps(program)
    name, inner = text(program, "column"), steps[0]
    if len(steps) != 1 or not inner.named or inner.sparse or {column for _, column in reads(program)} != {name}:
        raise fail("once", f"has another step than one that makes numbers of column {name[:40]!r}")
    return Step(
        op="once",
        run=once.Once(name, once.digest(program), inner.run, inner.outputs),
        outputs=inner.outputs,
        cost=cost + Cost(20 * CALL, 5 * CALL + inner.outputs, 16 * inner.outputs),
        named=True,
        fills=inner.fills,
    )


def _average(program: Program) -> Step:
    """The weighted mean of the probabilities that programs give: of members that read columns, or of networks or
    calibrators of the same array.
    """
    steps, cost = _steps(program)
    weight = floats(program, "weight", (len(steps),))
    if weight.min() < 0 or abs(weight.sum() - 1) > 1e-9:
        raise fail("average", "array 'weight' holds negative values or does not sum to one")
    named, inputs, width = steps[0].named, steps[0].inputs, steps[0].outputs
    takes = "named columns" if named else f"{'so many' if inputs is None else inputs} columns"
    for step in steps:
        if step.sparse:
            raise fail("average", f"step '{step.op}' gives sparse rows")
        if step.named != named or step.outputs != width or step.inputs != inputs or (inputs is None and not named):
            raise fail("average", f"step '{step.op}' does not take {takes} and give {width}")
    pairs = [(float(w), step.run) for w, step in zip(weight, steps, strict=True)]
    return Step(
        op="average",
        run=lambda x: np.asarray(sum(w * run(x) for w, run in pairs)),
        outputs=width,
        cost=cost + Cost(4 * CALL * len(steps), 2 * width * len(steps), 24 * width),
        inputs=inputs,
        named=named,
        needs=any(step.needs for step in steps),
        fills=all(step.fills for step in steps),
        loses=any(step.loses for step in steps),
        one=single.of_average(steps, weight.tolist()),
    )


def _logit_affine(program: Program) -> Step:
    bias = floats(program, "bias", (None,))
    k = len(bias)
    weight = floats(program, "weight", (k, k))
    if k < 2:
        raise fail("logit_affine", "needs at least two classes")
    cost = Cost(30 * CALL, k * k + 60 * k, 64 * k)
    return Step("logit_affine", lambda p: logit_affine(p, weight, bias), k, cost, inputs=k, needs=True)


_OPS: dict[str, Callable[[Program], Step]] = {
    "chain": _chain,
    "table": _table,
    "average": _average,
    "once": _once,
    "number": encode.number,
    "lookup": encode.lookup,
    "datetime": encode.datetime,
    "fill": encode.fill,
    "scale": encode.scale,
    "pick": encode.pick,
    "constant": linear.constant,
    "linear": linear.linear,
    "spread": linear.spread,
    "focal": focal.step,
    "fourier": fourier.step,
    "squash": neural.squash_step,
    "periodic": neural.periodic_step,
    "dense": neural.dense_step,
    "forest": forest.forest,
    "oblivious": oblivious.oblivious,
    "logit_affine": _logit_affine,
    "quadratic": monotone.quadratic,
    "monotone": monotone.monotone,
    "arithmetic": interactions.arithmetic,
    "within": interactions.within,
    "levels": levels.step,
    "tfidf": tfidf.tfidf,
    "pixels": pixels.pixels,
    "raster": raster.step,
    "tokens": tokens.step,
    "onnx": onnx.step,
    "project": tfidf.project,
}
