"""What speaks against a model beside its score: how elaborate it is, and how long a row takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sortal.models.family import Family, Settings

MUCH_FASTER = 0.5
"""Of two equally simple candidates that tie, one goes before a better one if it has at most this share of its trees."""


@dataclass(frozen=True)
class Complexity:
    """``complexity`` of a family, and ``trees`` that a row goes through; of several models together their sums.

    Boosters and forests take as long for a row as they have trees (a class); what a clock measured would not repeat.
    """

    complexity: int
    trees: float

    @staticmethod
    def of(family: Family, effort: Settings) -> Complexity:
        """Of a fit, by what it tells of its ``effort``."""
        return Complexity(family.complexity, float(effort.get("rounds", effort.get("trees", 0))))

    def __add__(self, other: Complexity) -> Complexity:
        return Complexity(self.complexity + other.complexity, self.trees + other.trees)

    def much_less(self, other: Complexity) -> bool:
        """Simpler, or as simple and much faster."""
        if self.complexity != other.complexity:
            return self.complexity < other.complexity
        return 0 < self.trees <= MUCH_FASTER * other.trees


def simplest(complexities: Sequence[Complexity], candidates: Sequence[int]) -> int:
    """Of these candidates, best first, the simplest; of equally simple ones the best, unless another is much faster.

    >>> simplest([Complexity(4, 900), Complexity(4, 300), Complexity(4, 250)], [0, 1, 2])
    1
    """
    choice = candidates[0]
    for i in candidates[1:]:
        if complexities[i].much_less(complexities[choice]):
            choice = i
    return choice
