"""How prediction sets do on labelled rows that had no part in them, such as the test."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, lgamma

import numpy as np

from sortal.core.arrays import Codes, Floats, Mask
from sortal.decide.sets import Sets, rank
from sortal.stats.clusters import worth_of_rows

CHANCE = 0.01
"""Too few hits in a class are no chance where they would be rarer than this."""


@dataclass(frozen=True)
class ClassCoverage:
    """``hits`` of the ``rows`` of a class have a set that holds it. ``neglected``: too few for chance alone."""

    label: str
    hits: int
    rows: int
    neglected: bool


@dataclass(frozen=True)
class SetFigures:
    """How sets did on other rows. ``hit``: (n,) whether a set holds the true class; ``size``: (n,) how many classes it
    holds.
    """

    hit: Mask
    size: Codes
    per_class: tuple[ClassCoverage, ...]

    @property
    def rows(self) -> int:
        return len(self.hit)

    @property
    def hits(self) -> int:
        """Sets that hold the true class."""
        return int(self.hit.sum())

    @property
    def sizes(self) -> tuple[int, ...]:
        """(K,) sets of 1 class, 2, ..."""
        return tuple(np.bincount(self.size, minlength=len(self.per_class) + 1)[1:].tolist())

    @property
    def mean_size(self) -> float:
        return float(self.size.mean())

    @property
    def single(self) -> Mask:
        """(n,) sets of one class: rows without doubt."""
        return np.asarray(self.size == 1)

    @property
    def singles(self) -> int:
        return int(self.single.sum())


def describe(
    sets: Sets, probability: Floats, truth: Codes, classes: tuple[str, ...], clusters: Codes | None = None
) -> SetFigures:
    """How sets do on other rows, such as the test: counts, from which shares and their intervals follow.

    A class is neglected where so few hits had a probability below one percent (over all classes together) if it were
    covered as asked for, with sets of a sample of this size: they keep their promise at its expense. ``clusters``: (n,)
    ids from 0 on of rows that vary together, which count as many as they are worth there. Raises ValueError where there
    are no rows.
    """
    if not len(truth):
        raise ValueError("sets cannot be described on no rows")
    members = sets.apply(probability)
    hit, size = members[np.arange(len(truth)), truth], members.sum(axis=1)
    rows = np.bincount(truth, minlength=len(classes))
    hits = np.bincount(truth[hit], minlength=len(classes))
    alone = [_alone(hit[truth == k], None if clusters is None else clusters[truth == k]) for k in range(len(classes))]
    fit_rows = sets.rows if sets.method == "lac by class" else (sum(sets.rows),) * len(classes)
    return SetFigures(
        hit=hit,
        size=size,
        per_class=tuple(
            ClassCoverage(name, h, r, _chance(*worth, n, sets.coverage) < CHANCE / len(classes))
            for name, h, r, worth, n in zip(classes, hits.tolist(), rows.tolist(), alone, fit_rows, strict=True)
        ),
    )


def _alone(hit: Mask, clusters: Codes | None) -> tuple[int, int]:
    """Hits and rows of a class, as of rows that do not vary together."""
    hits, rows = int(hit.sum()), len(hit)
    if clusters is None or not rows:
        return hits, rows
    away = hit.astype(np.float64) - hits / rows
    together = worth_of_rows(away, np.unique(clusters, return_inverse=True)[1].astype(np.int64))
    rows = int(rows / together.design)
    return min(ceil(hits / together.design), rows), rows


def _chance(hits: int, rows: int, fit_rows: int, coverage: float) -> float:
    """The probability of at most ``hits``: beta-binomial, as sets are fitted on a sample and looked at on another."""
    a = rank(fit_rows, coverage)
    b = fit_rows + 1 - a
    if hits == rows or b < 1:
        return 1.0
    none = lgamma(rows + b) - lgamma(b) + lgamma(a + b) - lgamma(rows + a + b)
    h = np.arange(hits)
    more = np.log((rows - h) / (h + 1) * (h + a) / (rows - h - 1 + b))
    return float(np.exp(none + np.concatenate([[0.0], np.cumsum(more)])).sum())
