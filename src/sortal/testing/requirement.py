"""A requirement that a plug-in has to meet, and what is raised where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Program


class ConformanceError(AssertionError):
    """A plug-in does not meet a requirement; the message says which, and what was found."""


@dataclass(frozen=True)
class Requirement:
    """One named check. Calling it raises ConformanceError where the plug-in falls short.

    Its text is its name, so that ``pytest.mark.parametrize("requirement", [...], ids=str)`` names the tests.
    """

    name: str
    verify: Callable[[], None]

    def __call__(self) -> None:
        self.verify()

    def __str__(self) -> str:
        return self.name


def require(condition: object, message: str) -> None:
    """Raise ConformanceError with this message unless the condition holds."""
    if not condition:
        raise ConformanceError(message)


def require_probabilities(p: NDArray[np.float64], rows: int, classes: int, whose: str) -> None:
    """A (rows, classes) float64 matrix of finite probabilities, each row summing to 1."""
    require(
        isinstance(p, np.ndarray) and p.shape == (rows, classes),
        f"{whose}: shape {np.shape(p)}, not {(rows, classes)}",
    )
    require(p.dtype == np.float64, f"{whose}: dtype {p.dtype}, not float64")
    require(np.isfinite(p).all(), f"{whose}: {int((~np.isfinite(p)).sum())} probabilities are not finite")
    require(p.min() >= 0 and p.max() <= 1 + 1e-9, f"{whose}: probabilities lie in {p.min():g}..{p.max():g}")
    # XGBoost sums in float32.
    require(
        np.abs(p.sum(axis=1) - 1).max() < 1e-6,
        f"{whose}: rows sum to {p.sum(axis=1).min():g}..{p.sum(axis=1).max():g}",
    )


def require_equal(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float, what: str) -> None:
    """Equal to within an absolute tolerance; NaN equals NaN."""
    require(a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}")
    require((np.isnan(a) == np.isnan(b)).all(), f"{what}: missing values in different places")
    difference = float(np.nanmax(np.abs(a - b), initial=0.0))
    require(difference <= tolerance, f"{what}: they differ by {difference:.3g}, more than {tolerance:g}")


def fingerprint(program: Program) -> tuple[object, ...]:
    """All that a program holds, to the last bit; equal for equal programs only."""
    arrays = [(name, a.dtype.str, a.shape, a.tobytes()) for name, a in sorted(program.arrays.items())]
    settings = sorted((name, repr(value)) for name, value in program.settings.items())
    return (program.op, tuple(settings), tuple(arrays), tuple(fingerprint(step) for step in program.steps))


def arrays_of(program: Program) -> Iterator[NDArray[Any]]:
    """The arrays of a program and of its steps."""
    yield from map(np.asarray, program.arrays.values())
    for step in program.steps:
        yield from arrays_of(step)


def require_plain(program: Program) -> None:
    """Only what an artifact can hold: numbers in arrays, JSON values in settings."""
    import json

    for name, array in program.arrays.items():
        kind = np.asarray(array).dtype.kind
        require(kind in "fiub", f"program op {program.op!r}: array {name!r} has dtype {np.asarray(array).dtype}")
    try:
        json.dumps(dict(program.settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConformanceError(f"program op {program.op!r}: settings are no JSON values ({error})") from None
    for step in program.steps:
        require_plain(step)
