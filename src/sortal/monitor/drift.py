"""Whether the rows of a column are still like those of training: a conformal test martingale against a profile.

A fresh row's place among all rows so far, those of training and fresh ones, is uniform on (0, 1) as long as rows are
exchangeable, ties being broken at random, and independent of all places before (Vovk, Gammerman & Shafer 2005,
"Algorithmic learning in a random world", theorem 8.2). That is exact for a training set of any size: what it does not
know of the distribution is not taken for a change. Gamblers bet on the places with a Dirichlet prior around the uniform
distribution (as Krichevsky & Trofimov 1981 do), in bins that are finer at both ends, where values never seen and
missing ones are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sortal.core.arrays import Codes, Floats

EDGES = np.array([0, 0.002, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.998, 1])
"""Of the bins of places: a tenth each, and finer at both ends."""
WIDTHS = np.diff(EDGES)
PRIORS = (10.0, 100.0, 1_000.0)
"""How many rows a prior is worth: a gambler of few bets on large changes, one of many on small ones."""

PART = 16
"""Rows of a part, within which each is compared with each before it; of whole parts counts are enough."""


def places(reference: NDArray[np.int64], before: NDArray[np.int64], codes: Codes, seed: int) -> Floats:
    """(m,) where fresh rows lie among those before them, uniform on (0, 1) if nothing has changed.

    ``reference``: (bins,) rows of training by bin, in the order of the values; ``before``: fresh rows that came before.
    ``codes``: (m,) the bins of these rows, in the order in which they came. ``seed``: of the column. How ties are
    broken follows from it and from how many rows came before, so that it does not matter how many come at once.
    """
    cumulative = np.concatenate([[0], np.cumsum(reference + before)])
    below, at_most = ranks(codes, len(reference))
    below, at_most = below + cumulative[codes], at_most + cumulative[codes + 1]
    tie = np.random.Generator(np.random.PCG64(seed).advance(int(before.sum()))).random(len(codes))
    return np.asarray(
        (below + tie * (at_most - below)) / np.arange(cumulative[-1] + 1, cumulative[-1] + 1 + len(codes))
    )


def ranks(codes: Codes, bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(m,) how many rows up to each, itself among them, are in a bin below its own, and in its own or one below."""
    parts = -(-len(codes) // PART)
    padded_codes = np.full(parts * PART, bins - 1, dtype=np.min_scalar_type(bins))
    padded_codes[: len(codes)] = codes
    rows = np.ascontiguousarray(padded_codes.reshape(parts, PART).T)
    below, at_most = np.zeros(rows.shape, dtype=np.uint8), np.ones(rows.shape, dtype=np.uint8)
    for lag in range(1, PART):
        below[lag:] += rows[:-lag] < rows[lag:]
        at_most[lag:] += rows[:-lag] <= rows[lag:]
    # (bins + 1, parts) rows of earlier parts below each bin.
    part = np.arange(len(codes)) // PART
    counts = np.bincount(codes * parts + part, minlength=bins * parts).reshape(bins, parts)
    earlier = np.cumsum(counts, axis=1) - counts
    under = np.zeros((bins + 1, parts), dtype=np.int64)
    for bin_, its in enumerate(earlier):
        np.add(under[bin_], its, out=under[bin_ + 1])
    place = codes * parts + part

    def total(within: NDArray[np.uint8], bins_above: int) -> NDArray[np.int64]:
        return np.asarray(within.T.reshape(-1)[: len(codes)] + under.reshape(-1).take(place + bins_above * parts))

    return total(below, 0), total(at_most, 1)


def histogram(place: Floats) -> NDArray[np.int64]:
    """(bins of places,) how many rows lie in each."""
    above = np.sum(place >= EDGES[1:-1, None], axis=0, dtype=np.uint8)
    return np.bincount(above, minlength=len(WIDTHS))


def log_wealth(counts: Floats) -> Floats:
    """(starts,) what one unit has become with rows (starts, bins of places): the likelihood of the counts under a
    Dirichlet prior over that under the uniform distribution, the mean over ``PRIORS``.
    """
    n = counts.sum(axis=1)
    uniform = counts @ np.log(WIDTHS)
    by_prior = [
        gammaln(strength)
        - gammaln(strength + n)
        + (gammaln(strength * WIDTHS + counts) - gammaln(strength * WIDTHS)).sum(axis=1)
        - uniform
        for strength in PRIORS
    ]
    return np.asarray(np.logaddexp.reduce(by_prior, axis=0) - np.log(len(PRIORS)))
