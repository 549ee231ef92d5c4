"""Which way of treating rare classes won, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core.interval import Interval
from sortal.evaluate.metrics import Metric
from sortal.training.comparison import loss_of, margin
from sortal.training.cv_result import CVResult
from sortal.training.imbalance import Balance


@dataclass(frozen=True)
class Arm:
    """A candidate by its name, and what it does about rare classes."""

    candidate: str
    strategy: Balance


@dataclass(frozen=True)
class Balancing:
    """``winner`` against ``rival``: of one family, one balances the classes and the other does not, each the best that
    does.

    ``behind``: by how much the rival is worse, in the metric's unit, paired, its low end for all candidates of the
    family at once.
    """

    winner: Arm
    rival: Arm
    behind: Interval

    @property
    def helped(self) -> bool:
        """Whether the better one is the one that balances."""
        return self.winner.strategy != "none"


def balancing(
    scored: Sequence[CVResult], metric: Metric, groups: NDArray[np.generic] | None = None
) -> Balancing | None:
    """The comparison within the family whose best candidate is the best of all; None where nothing was balanced.

    Families of which only one kind was tried tell nothing: there the family would be compared, not the balancing.
    ``groups``: (n,) ids of the rows of the candidates' predictions that belong together.
    """
    ranked = sorted(scored, key=lambda s: loss_of(s, metric))
    kinds = {(s.candidate.family.name, _balances(s)) for s in ranked}
    comparable = [s for s in ranked if (s.candidate.family.name, not _balances(s)) in kinds]
    if not comparable:
        return None
    best = comparable[0]
    family = [s for s in comparable if s.candidate.family.name == best.candidate.family.name]
    rival = next(s for s in family if _balances(s) != _balances(best))
    return Balancing(_arm(best), _arm(rival), margin(rival, best, family, metric, groups))


def _balances(scored: CVResult) -> bool:
    return scored.candidate.balance != "none"


def _arm(scored: CVResult) -> Arm:
    return Arm(scored.candidate.name, scored.candidate.balance)
