"""What every metric must do (entry-point group ``sortal.metrics``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.testing.requirement import Requirement, require

ROWS = 150


@dataclass(frozen=True)
class DecidedRows:
    """What a metric is given: a task, (n,) true codes, (n, K) probabilities and (n,) decided codes."""

    task: Task
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]
    decided: NDArray[np.int64]

    @property
    def predictions(self) -> Predictions:
        rows = np.arange(len(self.truth))
        return Predictions(self.task.classes, rows, self.truth, self.probability, "test")

    def score(self, metric: Metric) -> float:
        return metric.score(self.task, self.predictions, self.decided)

    def take(self, rows: NDArray[np.int64]) -> DecidedRows:
        return DecidedRows(self.task, self.truth[rows], self.probability[rows], self.decided[rows])


def check_metric(metric: Metric) -> Iterator[Requirement]:
    """The requirements on a metric, to be run one by one.

    >>> from sortal.core import registry
    >>> for requirement in check_metric(registry.load("sortal.metrics", "log_loss")):
    ...     requirement()
    """
    yield Requirement(f"{metric.name}-describes_itself", partial(describes_itself, metric))
    for check in CHECKS:
        for n_classes in (2,) if metric.binary_only else (2, 3):
            yield Requirement(f"{metric.name}-{check.__name__}-{n_classes}", partial(check, metric, n_classes))


def describes_itself(metric: Metric) -> None:
    """A name to type, a label to read, and one sentence that says what it is."""
    require(
        metric.name.isidentifier() and metric.name.islower(),
        f"name {metric.name!r} should be like 'log_loss'",
    )
    require(metric.label.strip() and metric.doc.strip(), "the label or the sentence about it is empty")
    require(metric.needs in ("probability", "decision"), f"needs {metric.needs!r}")


def says_which_way_is_better(metric: Metric, n_classes: int) -> None:
    """Perfect predictions score best, and always being surely wrong is worse."""
    truth = some(n_classes).truth
    perfect = sure(n_classes, truth, truth).score(metric)
    for label, other in {
        "an average": some(n_classes),
        "the worst": sure(n_classes, truth, (truth + 1) % n_classes),
    }.items():
        score = other.score(metric)
        gain = perfect - score if metric.higher_is_better else score - perfect
        require(math.isnan(score) or gain > 0, f"perfect predictions score {perfect:g} and {label} ones {score:g}")


def ignores_the_order_of_rows(metric: Metric, n_classes: int) -> None:
    scored = some(n_classes)
    shuffled = scored.take(np.random.default_rng(1).permutation(ROWS))
    a, b = scored.score(metric), shuffled.score(metric)
    require(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12), f"{a!r} became {b!r} when rows were shuffled")


def reads_what_it_says(metric: Metric, n_classes: int) -> None:
    """A metric of probabilities does not read decisions, and the other way round."""
    scored, other = some(n_classes), some(n_classes, seed=1)
    probability, decided = scored.probability, scored.decided
    if metric.needs == "probability":
        decided = other.decided
    else:
        probability = other.probability
    changed = DecidedRows(scored.task, scored.truth, probability, decided)
    require(changed.score(metric) == scored.score(metric), f"it needs the {metric.needs} only, but reads more")


def leaves_its_input_alone(metric: Metric, n_classes: int) -> None:
    scored, fresh = some(n_classes), some(n_classes)
    scored.score(metric)
    same = all(
        np.array_equal(getattr(scored, name), getattr(fresh, name)) for name in ("truth", "probability", "decided")
    )
    require(same, "an array that was handed in is not what it was")


def is_nan_where_it_is_undefined(metric: Metric, n_classes: int) -> None:
    """NaN without rows; with rows of one class alone a number or NaN, never an error."""
    scored = some(n_classes)
    nothing = scored.take(np.zeros(0, dtype=np.int64)).score(metric)
    require(math.isnan(nothing), f"{nothing!r} of no rows, not NaN")
    for code in range(n_classes):
        value = scored.take(np.flatnonzero(scored.truth == code)).score(metric)
        require(isinstance(value, float) and not math.isinf(value), f"{value!r} where one class alone occurs")


def has_an_interval(metric: Metric, n_classes: int) -> None:
    """Around the score, and a wide one where rows are few."""
    scored = some(n_classes)
    widths = []
    for rows in (np.arange(ROWS), np.arange(ROWS // 5)):
        part = scored.take(rows)
        estimate = interval(metric, part.task, part.predictions, part.decided, repeats=200)
        require(
            estimate.value == part.score(metric),
            f"the interval is of {estimate.value:g}, the score is {part.score(metric):g}",
        )
        require(estimate.low <= estimate.value <= estimate.high, f"{estimate} does not hold its own value")
        widths.append(estimate.high - estimate.low)
    require(widths[1] > widths[0] > 0, f"width {widths[0]:g} of {ROWS} rows, and {widths[1]:g} of {ROWS // 5}")


CHECKS = (
    says_which_way_is_better,
    ignores_the_order_of_rows,
    reads_what_it_says,
    leaves_its_input_alone,
    is_nan_where_it_is_undefined,
    has_an_interval,
)


def task(n_classes: int) -> Task:
    """A task with costs, so that every metric means something."""
    classes = tuple("abcdefgh"[:n_classes])
    cost = tuple(tuple(float(t != d) * (1 + t) for d in range(n_classes)) for t in range(n_classes))
    positive = classes[1] if n_classes == 2 else None
    return Task("y", classes, (1 / n_classes,) * n_classes, positive, "log_loss", (), (), "cost", cost)


def some(n_classes: int, seed: int = 0) -> DecidedRows:
    """Predictions that know something, for classes of equal size; the truth is the same for every seed."""
    rng = np.random.default_rng(seed)
    truth = np.arange(ROWS) % n_classes
    strength = rng.gamma(1.0, size=(ROWS, n_classes))
    strength[np.arange(ROWS), truth] += rng.gamma(2.0, size=ROWS)
    probability = strength / strength.sum(axis=1, keepdims=True)
    return DecidedRows(task(n_classes), truth, probability, probability.argmax(axis=1))


def sure(n_classes: int, truth: NDArray[np.int64], decided: NDArray[np.int64]) -> DecidedRows:
    """Predictions without any doubt."""
    return DecidedRows(task(n_classes), truth, np.eye(n_classes)[decided], decided)
