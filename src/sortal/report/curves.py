"""The numbers behind the figures: curves of a score against the truth, thinned to what an eye can see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core.sweep import sweep
from sortal.evaluate.ranking import average_precision, roc_auc

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """Points of a curve, and the area under all of its points (also those that were thinned out)."""

    x: Floats
    y: Floats
    area: float


@dataclass(frozen=True)
class Reliability:
    """Bins of predictions: mean probability, share that came true with its 95 % interval, number of rows."""

    probability: Floats
    rate: Floats
    low: Floats
    high: Floats
    rows: NDArray[np.int64]


def roc(truth: Truth, score: Floats) -> Curve:
    """False positive rate against recall; (n,) each. Needs at least one row of both classes.

    >>> curve = roc(np.array([True, True, False]), np.array([0.9, 0.4, 0.6]))
    >>> curve.x.tolist(), curve.y.tolist(), curve.area
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0], 0.5)
    """
    _, hits, alarms = sweep(truth, score)
    x, y = (np.concatenate([[0.0], counts / counts[-1]]) for counts in (alarms, hits))
    return Curve(*thin(x, y), roc_auc(truth, score))


def precision_recall(truth: Truth, score: Floats) -> Curve:
    """Recall against precision, from the first hit on; the area is the average precision."""
    _, hits, alarms = sweep(truth, score)
    hit = hits > 0
    recall, precision = hits[hit] / hits[-1], hits[hit] / (hits + alarms)[hit]
    return Curve(*thin(recall, precision), average_precision(truth, score))


def thin(x: Floats, y: Floats, most: int = 160) -> tuple[Floats, Floats]:
    """At most ``most`` of the points, evenly along the curve; the first and the last stay.

    >>> thin(np.linspace(0, 1, 1001), np.zeros(1001), most=3)[0].tolist()
    [0.0, 0.5, 1.0]
    """
    if len(x) <= most:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    keep = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], most)))
    keep[-1] = len(x) - 1
    return x[keep], y[keep]


def reliability(hit: Truth, probability: Floats) -> Reliability:
    """How often predictions of about the same probability come true, with Clopper-Pearson intervals.

    A bin ends once it has enough rows (a 500th of all, at least 30) and is either a 20th wide or holds an
    eighth of all rows, so that crowded and sparse regions both show.
    """
    order = np.argsort(probability, kind="stable")
    p, hit = probability[order], hit[order]
    edges = _edges(p)
    rows = np.diff(edges)
    hits = np.add.reduceat(hit.astype(np.int64), edges[:-1])
    low, high = clopper_pearson(hits, rows)
    return Reliability(np.add.reduceat(p, edges[:-1]) / rows, hits / rows, low, high, rows)


def _edges(p: Floats) -> NDArray[np.int64]:
    """Where bins of sorted probabilities begin and end; equal probabilities share a bin."""
    n = len(p)
    enough, crowd = max(30, n // 500), max(30, n // 8)
    edges = [0]
    while edges[-1] < n:
        start = edges[-1]
        wide = int(np.searchsorted(p, p[start] + 0.05))
        end = min(max(wide, start + enough), start + crowd, n)
        edges.append(int(np.searchsorted(p, p[end - 1], side="right")))
    if len(edges) > 2 and edges[-1] - edges[-2] < enough:
        del edges[-2]
    return np.array(edges, dtype=np.int64)


def clopper_pearson(hits: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Exact two-sided 95 % intervals of proportions (Clopper & Pearson 1934).

    >>> low, high = clopper_pearson(np.array([0]), np.array([10]))
    >>> float(low[0]), round(float(high[0]), 4)
    (0.0, 0.3085)
    """
    from scipy.special import betaincinv

    misses = rows - hits
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), misses + 1, 0.025), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, 1), 0.975), 1.0)
    return low, high
