from __future__ import annotations

import pytest

from bench import rare
from bench._outcome import Options
from bench.rare import Cell


def test_rare_levels_cost_little_on_the_example(monkeypatch):
    monkeypatch.setattr(rare, "FAMILIES", {"logistic": {}, "lightgbm": {"rounds": 30, "learning_rate": 0.1}})
    result = rare.run(Options(fast=True))
    assert [row[2] for row in result.rows] == ["logistic", "lightgbm"]
    assert all(figure["rare"] > 0.2 for figure in result.figures)
    assert all(abs(figure["rise"]) > 0 for figure in result.figures)


@pytest.mark.parametrize(("rise", "holds"), [(0.001, True), (0.05, False)])
def test_what_is_worse_is_said(rise, holds):
    cells = [Cell("pets", "svm", 0.5, 1.0, rise, 1e-4), Cell("cars", "svm", 0.5, 1.0, 0.0, 1e-4)]
    [goal] = rare.outcome(cells, []).goals
    assert goal.holds == holds
    assert goal.figure.endswith("over 2 fits, clearly in 1: pets")
