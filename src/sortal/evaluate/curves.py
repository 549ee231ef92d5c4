"""The numbers behind the figures: curves of a score against the truth, thinned to what an eye can see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Mask
from sortal.core.thresholds import threshold_counts
from sortal.stats.clusters import Worth, worth_of_rows
from sortal.stats.proportions import clopper_pearson
from sortal.stats.ranking import average_precision, roc_auc

MISSED = 0.05
BINS, FEWEST, WIDEST = 20, 30, 0.1
"""Of a reliability curve: bins before any is halved, rows that each has at least, width from which on it is halved."""


@dataclass(frozen=True)
class Curve:
    """Points of a curve, and the area under all of its points (also those that were thinned out)."""

    x: Floats
    y: Floats
    area: float


@dataclass(frozen=True)
class Reliability:
    """Bins of predictions: mean probability, share that came true with its 95 % interval, number of rows.

    ``band_low``, ``band_high``: limits that hold in all bins at once with that confidence.
    """

    probability: Floats
    rate: Floats
    low: Floats
    high: Floats
    band_low: Floats
    band_high: Floats
    rows: NDArray[np.int64]


def roc(truth: Mask, score: Floats) -> Curve:
    """False positive rate against recall; (n,) each. Needs at least one row of both classes.

    >>> curve = roc(np.array([True, True, False]), np.array([0.9, 0.4, 0.6]))
    >>> curve.x.tolist(), curve.y.tolist(), curve.area
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0], 0.5)
    """
    _, hits, alarms = threshold_counts(truth, score)
    x, y = (np.concatenate([[0.0], counts / counts[-1]]) for counts in (alarms, hits))
    return Curve(*thin(x, y), roc_auc(truth, score))


def precision_recall(truth: Mask, score: Floats) -> Curve:
    """Recall against precision, from the first hit on; the area is the average precision."""
    _, hits, alarms = threshold_counts(truth, score)
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


def reliability(hit: Mask, probability: Floats, clusters: NDArray[np.int64] | None = None) -> Reliability:
    """How often predictions of about the same probability come true, with Clopper-Pearson intervals.

    Bins hold equal numbers of rows, a twentieth of all; where such a bin would be wider than a tenth, as at the sparse
    end of an imbalanced task, it is halved as long as 30 rows remain. Probabilities differ within a bin, and their hits
    spread a little less than a binomial (Hoeffding 1956): of calibrated bins at least 95 % have their mean probability
    within the interval, whatever the number of rows. The limits of the band miss in one of m bins as seldom as that of
    one bin misses alone (Bonferroni). ``clusters``: (n,) ids from 0 on of rows that vary together; a bin then counts as
    many rows as it is worth (``stats.clusters``).

    >>> bins = reliability(np.arange(100) % 2 == 0, np.full(100, 0.5))
    >>> bins.rate.tolist(), bins.rows.tolist()
    ([0.5], [100])
    """
    order = np.argsort(probability, kind="stable")
    p, hit = probability[order], hit[order]
    edges = _edges(p)
    rows = np.diff(edges)
    hits = np.add.reduceat(hit.astype(np.int64), edges[:-1])
    worths = [Worth(1.0)] * len(rows) if clusters is None else list(_worths(hit, edges, clusters[order]))
    design = np.array([worth.design for worth in worths])

    def limits(confidence: float) -> tuple[Floats, Floats]:
        tail = [NormalDist().cdf(-worth.z(confidence)) for worth in worths]
        return clopper_pearson(hits / design, rows / design, np.array(tail))

    interval, band = limits(1 - MISSED), limits(1 - MISSED / len(rows))
    return Reliability(np.add.reduceat(p, edges[:-1]) / rows, hits / rows, *interval, *band, rows)


def _worths(hit: Mask, edges: NDArray[np.int64], clusters: NDArray[np.int64]) -> Iterator[Worth]:
    """What the rows of each bin are worth to its share of hits."""
    for start, end in pairwise(edges.tolist()):
        rows = slice(start, end)
        bin_hits, ids = hit[rows], np.unique(clusters[rows], return_inverse=True)[1]
        yield worth_of_rows(bin_hits - bin_hits.mean(), ids)


def _edges(p: Floats) -> NDArray[np.int64]:
    """Where bins of sorted probabilities begin and end; equal probabilities share a bin."""
    n = len(p)
    count = max(FEWEST, -(-n // BINS))
    edges = [0]
    while edges[-1] < n:
        start, size = edges[-1], count
        while size >= 2 * FEWEST and p[min(start + size, n) - 1] - p[start] > WIDEST:
            size //= 2
        edges.append(int(np.searchsorted(p, p[min(start + size, n) - 1], side="right")))
    if len(edges) > 2 and edges[-1] - edges[-2] < FEWEST:
        del edges[-2]
    return np.array(edges, dtype=np.int64)
