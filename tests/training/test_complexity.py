"""What speaks against a model beside its score, by hand."""

from __future__ import annotations

import pytest

from sortal.core import registry
from sortal.training.complexity import Complexity, simplest


@pytest.mark.parametrize(
    ("effort", "trees"),
    [({"rounds": 30}, 30.0), ({"trees": 200}, 200.0), ({"rounds": 30, "trees": 200}, 30.0), ({}, 0.0), ({"C": 5}, 0.0)],
)
def test_trees_are_rounds_or_trees_of_a_fit(effort: dict[str, float], trees: float) -> None:
    family = registry.load("sortal.models", "lightgbm")
    complexity = Complexity.of(family, effort)
    assert complexity == Complexity(family.complexity, trees)
    assert complexity + Complexity(2, 5.0) == Complexity(family.complexity + 2, trees + 5)


@pytest.mark.parametrize(
    ("complexities", "candidates", "expected"),
    [
        ([(4, 900), (4, 300), (4, 250)], [0, 1, 2], 1),
        ([(4, 900), (4, 450)], [0, 1], 1),
        ([(4, 900), (4, 451)], [0, 1], 0),
        ([(4, 900), (3, 900), (2, 900)], [0, 1, 2], 2),
        ([(4, 900), (3, 900), (2, 900)], [1, 0], 1),
        ([(4, 900), (3, 0), (3, 0)], [0, 2, 1], 2),  # of equally simple ones the best
        ([(4, 900), (4, 0)], [0, 1], 0),  # no trees are no fewer trees
        ([(2, 10), (1, 1)], [0], 0),
    ],
)
def test_the_simplest_of_those_that_tie(
    complexities: list[tuple[int, float]], candidates: list[int], expected: int
) -> None:
    assert simplest([Complexity(*pair) for pair in complexities], candidates) == expected
