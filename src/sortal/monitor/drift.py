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


def places(reference: NDArray[np.int64], before: NDArray[np.int64], codes: Codes, seed: int) -> Floats:
    """(m,) where fresh rows lie among those before them, uniform on (0, 1) if nothing has changed.

    ``reference``: (bins,) rows of training by bin, in the order of the values; ``before``: fresh rows of earlier days.
    ``codes``: (m,) the bins of these rows, in the order in which they came.
    """
    known = np.cumsum(reference + before)
    row = np.arange(len(codes))
    # (bins, m) rows of these that are in a bin or below, up to each row and with it.
    among = np.cumsum(np.arange(len(known))[:, None] >= codes, axis=1, dtype=np.int64)
    at_most = known[codes] + among[codes, row]
    below = np.where(codes > 0, known[codes - 1] + among[codes - 1, row], 0)
    tie = np.random.default_rng(seed).random(len(codes))
    return np.asarray((below + tie * (at_most - below)) / (known[-1] + row + 1))


def histogram(place: Floats) -> NDArray[np.int64]:
    """(bins of places,) how many rows lie in each."""
    return np.bincount(
        np.clip(np.searchsorted(EDGES, place, side="right") - 1, 0, len(WIDTHS) - 1), minlength=len(WIDTHS)
    )


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
