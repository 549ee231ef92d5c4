"""From a program to a function: checked once, then fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.errors import did_you_mean
from sortal.engine import encode, focal, forest, linear, monotone
from sortal.engine.affine import logit_affine
from sortal.engine.program import Columns, Program
from sortal.engine.step import Step, fail, floats

Floats = NDArray[np.float64]


def compile(program: Program) -> Callable[[Columns | Floats], Floats]:
    """The function that a program describes: named Columns, or an (n, d) array, to an (n, k) float64 array.

    Every setting and array is checked here (presence, dtype, shape, range, the width from step to step), so
    that no program, whatever file it comes from, can read outside its arrays, run forever or fail midway.

    Raises ValueError with the op's name; of an unknown op with the ops that there are. The function raises
    ValueError for an array of another width and for a column that is not there.

    >>> z = Program("linear", {"link": "sigmoid"}, {"coef": np.array([[2.0]]), "intercept": np.array([0.0])})
    >>> score = compile(z)
    >>> score(np.array([[0.0], [np.log(3) / 2]])).round(12)
    array([[0.5 , 0.5 ],
           [0.25, 0.75]])
    """
    step = _step(program)
    return step.run if step.named else _checked(step, program.op)


def _checked(step: Step, op: str) -> Callable[[Any], Floats]:
    def run(x: Any) -> Floats:
        values = np.asarray(x, dtype=np.float64)
        if values.ndim != 2:
            raise ValueError(f"a program '{op}' takes an array with rows and columns, not of shape {values.shape}")
        _check_width(op, step, values.shape[1])
        return step.run(values)

    return run


def _check_width(op: str, step: Step, width: int) -> None:
    if step.inputs is not None and width != step.inputs:
        raise fail(op, f"takes {step.inputs} columns, not {width}")
    if width < step.least:
        raise fail(op, f"takes at least {step.least} columns, not {width}")


def _step(program: Program) -> Step:
    build = _OPS.get(program.op)
    if build is None:
        raise ValueError(f"unknown program op {program.op!r}; {did_you_mean(program.op, _OPS)}")
    return build(program)


def _chain(program: Program) -> Step:
    """Steps one after another; each takes what the one before it gives."""
    steps = [_step(inner) for inner in program.steps]
    if not steps:
        raise fail("chain", "has no steps")
    for before, after, inner in zip(steps, steps[1:], program.steps[1:], strict=False):
        if after.named:
            raise fail("chain", f"step '{inner.op}' takes named columns, but is not the first")
        _check_width(inner.op, after, before.outputs)
    runs = [step.run for step in steps]

    def run(x: Any) -> Floats:
        for each in runs:
            x = each(x)
        return np.asarray(x)

    first = steps[0]
    return Step(run, steps[-1].outputs, first.inputs, first.least, first.named)


def _table(program: Program) -> Step:
    """Column programs, their outputs side by side."""
    steps = [_step(inner) for inner in program.steps]
    for step, inner in zip(steps, program.steps, strict=True):
        if not step.named:
            raise fail("table", f"step '{inner.op}' does not take named columns")
    if not steps:
        raise fail("table", "has no steps")
    runs = [step.run for step in steps]
    return Step(lambda c: np.hstack([run(c) for run in runs]), sum(s.outputs for s in steps), named=True)


def _average(program: Program) -> Step:
    """The weighted mean of what programs make of the same probabilities."""
    steps = [_step(inner) for inner in program.steps]
    weight = floats(program, "weight", (len(steps),))
    if not steps or weight.min() < 0 or abs(weight.sum() - 1) > 1e-9:
        raise fail("average", "array 'weight' is empty, holds negative values or does not sum to one")
    width = steps[0].outputs
    for step, inner in zip(steps, program.steps, strict=True):
        if step.named or (step.inputs, step.outputs) != (width, width):
            raise fail("average", f"step '{inner.op}' does not take and give {width} columns")
    pairs = [(float(w), step.run) for w, step in zip(weight, steps, strict=True)]
    return Step(lambda p: np.asarray(sum(w * run(p) for w, run in pairs)), outputs=width, inputs=width)


def _logit_affine(program: Program) -> Step:
    bias = floats(program, "bias", (None,))
    weight = floats(program, "weight", (len(bias), len(bias)))
    if len(bias) < 2:
        raise fail("logit_affine", "needs at least two classes")
    return Step(lambda p: logit_affine(p, weight, bias), outputs=len(bias), inputs=len(bias))


_OPS: dict[str, Callable[[Program], Step]] = {
    "chain": _chain,
    "table": _table,
    "average": _average,
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
    "forest": forest.forest,
    "logit_affine": _logit_affine,
    "quadratic": monotone.quadratic,
    "monotone": monotone.monotone,
}
