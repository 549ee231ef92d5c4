"""What a family of models is: the contract between a family and the training loop (entry-point group
``sortal.models``)."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Program
from sortal.prepare.view import ImageColumns, View

Matrix = NDArray[np.float64]
Features = Any
"""``Matrix``; or SciPy's CSR, for a family whose view makes sparse rows of texts."""
Settings = Mapping[str, float | int | str]
Baseline = Literal["majority class", "linear model"]
Precision = Literal["float64", "float32"]

SIMPLE_ROWS = 50_000
"""Training rows that a linear model or a shallow tree is given at most. Chosen, not measured: some hundreds of rows for
each of the parameters that such a model usually has, and a fit takes seconds."""


@dataclass(frozen=True)
class Rows:
    """Prepared rows: ``X`` (n, d), ``y`` (n,) class codes, ``weight`` (n,) or None where all rows weigh the same."""

    X: Features
    y: NDArray[np.int64]
    weight: NDArray[np.float64] | None = None

    def take(self, index: NDArray[np.generic]) -> Rows:
        """The rows at these positions, or under this mask."""
        return Rows(self.X[index], self.y[index], None if self.weight is None else self.weight[index])


@dataclass(frozen=True)
class Resources:
    """What a fit may use of the machine: ``threads`` at the same time, and the ``device`` where it computes ("auto": a
    graphics processor, where there is one that the library can use).

    Libraries that add numbers up in parallel may add them in another order with another number of threads, so that a
    model of many rows can differ in the last bits between machines of different size.
    """

    threads: int = 1
    device: str = "auto"

    @classmethod
    def here(cls) -> Resources:
        """As many threads as there are cores that this process may use."""
        return cls(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@dataclass(frozen=True)
class FitRequest:
    """One fit. Every class 0..n_classes-1 is present in ``train``.

    ``stop``: rows for early stopping, a part of the training fold and never of the rows that are evidence later.
    ``categorical``: columns of X that hold codes without an order (NaN is missing or rare). ``image``: where the points
    of the first column of images stand in X, for a family whose view shows them. ``seconds``: when the fit
    should be over; a family that cannot be interrupted is only started where its predicted time fits. ``share``: where
    no clock says it, how much of the work of a whole fit there is for this one, at least the family's ``least_share``.
    """

    train: Rows
    n_classes: int
    seed: int
    stop: Rows | None = None
    categorical: tuple[int, ...] = ()
    image: ImageColumns | None = None
    seconds: float = math.inf
    resources: Resources = Resources()
    share: float = 1.0


@dataclass(frozen=True)
class Size:
    """Of a table: training rows, columns, classes and columns of images."""

    rows: float = math.inf
    columns: float = math.inf
    classes: float = math.inf
    images: float = math.inf


@dataclass(frozen=True)
class Work:
    """What a whole fit takes, in units of the option ``effort``: seconds of one core of the machine of
    docs/benchmarks.md, preparation included.

    The families' own numbers are least squares over fits of public tables of 400 to 6,400 rows (docs/options.md).

    ``fixed`` and of each ``row``, ``column`` of the table and ``cell``, and so much more of all of it for each of the
    ``classes`` beyond two. Estimates for any table, and never measured in a run: they say what is tried, not how long
    it takes.

    >>> round(Work(fixed=1.0, row=0.001, classes=0.5).units(rows=2_000, columns=10, classes=4), 3)
    6.0
    """

    fixed: float = 0.0
    row: float = 0.0
    column: float = 0.0
    cell: float = 0.0
    classes: float = 0.0

    def units(self, rows: float, columns: float, classes: float) -> float:
        """Of a fit on so many rows."""
        once = self.fixed + self.row * rows + self.column * columns + self.cell * rows * columns
        return once * (1 + self.classes * max(classes - 2, 0))


UNKNOWN_WORK = Work(fixed=0.5, row=4e-4, cell=6e-6, classes=1.0)
"""Of a family that does not say: about that of CatBoost, the dearest of most built-in ones."""


class OutOfTime(Exception):  # noqa: N818 - an answer, not an error: the training loop skips the candidate
    """A fit that could not become a useful model in its seconds; ``needed`` is the prediction of what would do."""

    def __init__(self, needed: float) -> None:
        super().__init__(needed)
        self.needed = needed

    def __str__(self) -> str:
        return f"needs about {self.needed:.0f} s"


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    ``predict_proba``: (n, d) -> (n, K), by the library that fitted it. ``program``: the same model as data.
    ``importance``: (d,) weights of the columns of X, not negative; zeros where the model has no such notion.
    ``effort``: the settings under which a later fit does as much work without a clock and without stopping rows
    (rounds). ``pace``: settings that were derived from a clock in the first fold and must hold in every other.
    ``useful_share``: of the work of the fit, what the model is made of; early stopping looks further than that.
    ``setup_seconds``: of the fit, what came before its rounds, and would come before more of them once.
    """

    predict_proba: Callable[[Features], Matrix]
    program: Callable[[], Program]
    importance: NDArray[np.float64]
    effort: Settings = field(default_factory=dict)
    pace: Settings = field(default_factory=dict)
    useful_share: float = 1.0
    setup_seconds: float = 0.0


@dataclass(frozen=True)
class Family:
    """A kind of model.

    ``complexity`` orders families from simple to elaborate: in a tie the lower one wins. ``early_stopping``: wants
    ``stop`` rows. ``interruptible``: its fits end when their seconds are over. ``concurrent_cells``: with fewer numbers
    in the training matrix its fits use one thread each, and can go side by side in one process. ``precision``: how its
    library sums, which bounds how closely the program can agree with it. ``most_rows``: more training rows than these
    add time, not skill; None where they always add. ``largest``: a table beyond it is not given to the family.
    ``sees``: the only kind of column that it learns from, where it does not learn from all. ``needs_levels``: where no
    level tells more than its columns (``View.levels``) it would be another family once more, and is not tried.
    ``library``: what it imports, where a person may have to install that, ``weights``, the package that its view takes
    weights from or its program needs, ``extra``, which of ours brings both, and
    ``import_seconds``, what importing it takes, where that is more than one. ``pilot``: settings of a short fit that
    tells the pace, and ``pilot_share``, how much of the work of a whole fit that is; ``least_share``: how much of that
    work makes a model that is worth having. ``work``: of a whole fit, for runs without a clock, and ``dearer``: how
    many times that is where a setting, by name, has this value. ``baseline``: which of the baselines that every model
    has to be compared with it can serve as.
    """

    name: str
    view: View
    complexity: int
    fit: Callable[[FitRequest, Settings], Fitted]
    early_stopping: bool = False
    interruptible: bool = False
    concurrent_cells: int = 0
    precision: Precision = "float64"
    most_rows: int | None = None
    largest: Size = Size()
    sees: Literal["", "image"] = ""
    needs_levels: bool = False
    library: str = ""
    weights: str = ""
    extra: str = ""
    import_seconds: float = 0.0
    pilot: Settings = field(default_factory=dict, hash=False)
    pilot_share: float = 1.0
    least_share: float = 1.0
    work: Work = UNKNOWN_WORK
    dearer: Mapping[tuple[str, float | int | str], float] = field(default_factory=dict, hash=False)
    baseline: Baseline | None = None

    @property
    def importing(self) -> float:
        """Seconds until its library is imported; 0 where it is already."""
        return 0.0 if self.library in sys.modules else self.import_seconds

    def refusal(self, size: Size) -> str:
        """Why it does not take a table of this size, or no table here; empty where it does.

        >>> from sortal.core import registry
        >>> registry.load("sortal.models", "kernel_svm").refusal(Size(rows=6_000, columns=20, classes=2))
        'takes at most 5,000 rows'
        """
        for needed in filter(None, (self.library, self.weights)):
            if find_spec(needed) is None:
                return f"{needed} is not installed" + (f": pip install 'sortal[{self.extra}]'" if self.extra else "")
        if self.sees == "image" and not size.images:
            return "sees images alone, and the table has none"
        for what, amount in vars(size).items():
            if amount > (most := getattr(self.largest, what)):
                return f"takes at most {most:,} {what}"
        return ""
