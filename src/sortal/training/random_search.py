"""Candidates whose settings are drawn at random, for the time that is left when the portfolio is done.

The ranges are those of TabArena (Erickson et al. 2025, arXiv 2506.16791) for these settings; others, as those of
categories, stay as they are. The learning rate is set by the time, and leaves of single rows are left out
(docs/privacy.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from sortal.core import registry
from sortal.training.candidate import Candidate

MOST = 30
"""Candidates that are drawn for a run."""
DIGITS = 3
"""Of a setting that is drawn: as it is shown, so it is."""


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included: uniform, or of the logarithm. ``whole`` numbers only."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> float | int:
        """One value."""
        low, high = (self.low, self.high + 1) if self.whole else (self.low, self.high)
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))) if self.log else rng.uniform(low, high))
        return min(int(value), int(self.high)) if self.whole else float(f"{value:.{DIGITS}g}")


SPACES: Mapping[str, Mapping[str, Range | tuple[str, ...]]] = {
    "lightgbm": {
        "num_leaves": Range(4, 200, log=True, whole=True),
        "min_data_in_leaf": Range(5, 64, log=True, whole=True),
        "feature_fraction": Range(0.4, 1.0),
        "bagging_fraction": Range(0.7, 1.0),
        "lambda_l1": Range(0.0, 1.0),
        "lambda_l2": Range(0.0, 2.0),
        "extra_trees": ("true", "false"),
    },
    "catboost": {
        "depth": Range(4, 8, whole=True),
        "l2_leaf_reg": Range(1e-4, 5.0, log=True),
        "leaf_estimation_iterations": Range(1, 20, log=True, whole=True),
    },
    "xgboost": {
        "max_depth": Range(4, 10, log=True, whole=True),
        "min_child_weight": Range(1e-3, 5.0, log=True),
        "subsample": Range(0.6, 1.0),
        "colsample_bylevel": Range(0.6, 1.0),
        "alpha": Range(1e-4, 5.0),
        "lambda": Range(1e-4, 5.0),
    },
}


def random_candidate(family: str, number: int, seed: int) -> Candidate:
    """The candidate of a family with this number, which is in its name; the same for the same seed, whatever else is
    drawn.

    >>> random_candidate("xgboost", 2, seed=0).name
    'xgboost 2'
    """
    rng = np.random.default_rng([seed, list(SPACES).index(family), number])
    settings = {
        name: space.draw(rng) if isinstance(space, Range) else str(rng.choice(space))
        for name, space in SPACES[family].items()
    }
    return Candidate(f"{family} {number}", registry.load("sortal.models", family), settings, is_random=True)


def draws(models: Sequence[str], seed: int) -> Iterator[Candidate]:
    """One of each family after another; none where ``models`` are named, as then these are what is asked for."""
    in_turn = (random_candidate(family, number, seed) for number in count(1) for family in SPACES)
    return islice(in_turn, 0 if models else MOST)


def named(name: str, seed: int) -> Candidate | None:
    """The candidate of this name, if it is a random one."""
    match = re.fullmatch(rf"({'|'.join(SPACES)}) ([1-9]\d{{0,5}})", name)
    return None if match is None else random_candidate(match[1], int(match[2]), seed)
