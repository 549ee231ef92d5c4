"""Whether a figure changes over the time of its rows: the metric in blocks of time, and the line through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Estimate, Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric

BLOCKS, LEAST_BLOCKS, BLOCK_ROWS = 10, 5, 30
"""At most and at least so many blocks, of at least so many rows each."""


@dataclass(frozen=True)
class Trend:
    """A metric over the time of the test. ``blocks``: its figures in blocks of about equally many ``rows`` that follow
    each other in time; rows of one time are in one block, and a block in which the metric is undefined is left out.

    ``change``: from the first block to the last, by the straight line through all. Blocks are its units, so that rows
    which vary together within a block make it no surer than it is (Ibragimov & Müller 2010).
    """

    metric: str
    rows: tuple[int, ...]
    blocks: tuple[Estimate, ...]
    change: Estimate


def trend(
    metric: Metric, task: Task, predictions: Predictions, decided: Codes, times: Codes, seed: int
) -> Trend | None:
    """The metric of these rows, decided so (n,), over their ``times`` (n,); None where they are too few to tell."""
    block = in_blocks(times, min(BLOCKS, len(times) // BLOCK_ROWS))
    figures = {}
    for number in range(int(block.max(initial=-1)) + 1):
        rows = block == number
        figures[number] = interval(metric, task, predictions.take(rows), decided[rows], seed=seed)
    finite = {number: figure for number, figure in figures.items() if np.isfinite(figure.value)}
    if len(finite) < LEAST_BLOCKS:
        return None
    sizes = np.bincount(block)
    return Trend(
        metric=metric.name,
        rows=tuple(int(sizes[number]) for number in finite),
        blocks=tuple(Estimate.of(figure) for figure in finite.values()),
        change=Estimate.of(along_line(np.array(list(finite)), np.array([figure.value for figure in finite.values()]))),
    )


def in_blocks(times: Codes, blocks: int) -> Codes:
    """(n,) numbers, 0 for the oldest rows, of about equally large blocks; rows of the same time stay together.

    >>> in_blocks(np.array([30, 10, 20, 20, 20, 40]), blocks=3).tolist()
    [2, 0, 0, 0, 0, 2]
    """
    if not blocks:
        return np.zeros(0, dtype=np.int64)
    first = np.searchsorted(np.sort(times), times)
    return np.asarray(first * blocks // len(times), dtype=np.int64)


def along_line(x: Floats, y: Floats) -> Interval:
    """How much y changes along the least-squares line from the first x to the last, with its 95 % interval.

    >>> print(along_line(np.array([0, 1, 2, 3, 4]), np.array([1.0, 2.1, 2.9, 4.0, 5.0])))
    3.96 [3.64 4.28]
    """
    from scipy.special import stdtrit

    deviation = x - x.mean()
    square = float(deviation @ deviation)
    slope = float(deviation @ y) / square
    residual = y - y.mean() - slope * deviation
    error = np.sqrt(float(residual @ residual) / (len(x) - 2) / square)
    span = float(x.max() - x.min())
    half = float(stdtrit(len(x) - 2, 0.975)) * error * span
    return Interval(slope * span, slope * span - half, slope * span + half)
