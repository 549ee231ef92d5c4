"""What an op becomes when it is compiled, and the checks that all ops share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.engine.limits import LARGEST, Cost
from sortal.engine.program import Array, Program

Run = Callable[[Any], Any]
"""From Columns, an (n, d) array or ``Sparse`` to an array, or to ``Sparse`` where the step says so."""
One = Callable[[Any], list[float]]


@dataclass(frozen=True)
class Step:
    """A checked op, ready to run.

    ``inputs``: the columns that it takes; None where it takes named Columns, or any number of them. ``least``: the
    fewest columns that it can do with. ``outputs``: the columns that it gives. ``needs``: it cannot do with missing
    values; ``fills``: it gives none, whatever it takes; ``loses``: it may give some where it takes none. ``sparse``: it
    gives ``Sparse`` rows, and ``takes_sparse``: it can do with them. ``one``: the same numbers for one row, which comes
    as ``core.row`` has it or as a list, without arrays; None where that is not quicker than ``run``. Raises ValueError
    where the ``cost`` is above a limit.
    """

    op: str
    run: Run
    outputs: int
    cost: Cost
    inputs: int | None = None
    least: int = 0
    named: bool = False
    needs: bool = False
    fills: bool = False
    loses: bool = False
    sparse: bool = False
    takes_sparse: bool = False
    one: One | None = None

    def __post_init__(self) -> None:
        self.cost.check(self.op)


def fail(op: str, message: str) -> ValueError:
    return ValueError(f"program op '{op}': {message}")


def array(program: Program, name: str, kinds: str, shape: tuple[int | None, ...]) -> Array:
    """The array of this name, checked: its dtype has one of these kinds; None in a shape is any length."""
    member = program.arrays.get(name)
    if member is None:
        raise fail(program.op, f"array '{name}' is missing")
    if member.dtype.kind not in kinds:
        raise fail(program.op, f"array '{name}' has dtype {member.dtype}, expected one of kind {kinds!r}")
    fits = len(member.shape) == len(shape) and all(
        want is None or have == want for have, want in zip(member.shape, shape, strict=True)
    )
    if not fits:
        expected_shape = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
        raise fail(program.op, f"array '{name}' has shape {member.shape}, expected {expected_shape}")
    return member


def floats(program: Program, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """A float array without NaN and numbers beyond 1e100, as contiguous float64."""
    member = or_missing(program, name, shape)
    if np.isnan(member).any():
        raise fail(program.op, f"array '{name}' holds values that are not finite")
    return member


def or_missing(program: Program, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """A float array, in which NaN means missing, without numbers beyond 1e100, as contiguous float64."""
    member = np.ascontiguousarray(array(program, name, "f", shape), dtype=np.float64)
    if member.size and (np.fmax.reduce(member, axis=None) > LARGEST or np.fmin.reduce(member, axis=None) < -LARGEST):
        raise fail(program.op, f"array '{name}' holds infinities, or numbers beyond {LARGEST:g}")
    return member


def indices(program: Program, name: str, width: int | None, length: int | None = None) -> NDArray[np.intp]:
    """Places, each in 0..width-1; of columns mostly."""
    member = array(program, name, "iu", (length,))
    Cost(room=8 * len(member)).check(program.op)
    index = member.astype(np.intp)
    if len(index) and (index.min() < 0 or (width is not None and index.max() >= width)):
        raise fail(program.op, f"array '{name}' points outside the {width if width is not None else ''} columns")
    return index


def count(program: Program, name: str, least: int) -> int:
    """A setting that is a count."""
    value = program.settings.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise fail(program.op, f"setting '{name}' is {value!r}, expected a count of at least {least}")
    return value


def choice(program: Program, name: str, choices: Iterable[str]) -> str:
    """A setting that is one of the ``choices``."""
    value, words = program.settings.get(name), tuple(choices)
    if not isinstance(value, str) or value not in words:
        raise fail(program.op, f"setting '{name}' is {value!r}, expected one of {', '.join(words)}")
    return value


def text(program: Program, name: str) -> str:
    """A setting that is a text."""
    value = program.settings.get(name)
    if not isinstance(value, str):
        raise fail(program.op, f"setting '{name}' is {value!r}, expected a text")
    return value


def texts(program: Program, name: str) -> tuple[str, ...]:
    """A setting that is a list of distinct texts."""
    value = program.settings.get(name)
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise fail(program.op, f"setting '{name}' is not a list of texts")
    if len(set(value)) != len(value):
        raise fail(program.op, f"setting '{name}' names something twice")
    return tuple(value)
