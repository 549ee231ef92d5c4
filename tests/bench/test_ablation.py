from __future__ import annotations

import inspect

import numpy as np
import pytest

from bench import ablation
from bench.ablation import ALL, Loss, outcome


def losses(without: list[float]) -> list[Loss]:
    complete = [Loss("t", seed, ALL, 0.5, "ensemble") for seed in range(len(without))]
    return [*complete, *(Loss("t", seed, "svm", value, "lightgbm") for seed, value in enumerate(without))]


def test_what_is_missed_helps_and_what_is_in_the_way_falls_short() -> None:
    result = outcome(losses([0.51, 0.52, 0.53]), ["svm"], 60.0)
    assert result.rows == [["svm", "+4.00", "1.15", "3", "0", "3"]]
    assert result.holds
    assert not outcome(losses([0.48, 0.481, 0.482]), ["svm"], 60.0).holds
    assert outcome(losses([0.40, 0.61, 0.49]), ["svm"], 60.0).holds


def test_every_family_beyond_the_baselines_is_left_out_once() -> None:
    names = ablation.ingredients()
    assert {"lightgbm", "extra_trees", "ensemble", "calibration", "target encoding"} <= set(names)
    assert not {"majority", "logistic", "tree"} & set(names)


@pytest.mark.parametrize("name", ablation.STEPS)
def test_a_step_that_is_left_out_is_one_that_its_module_looks_up(name: str) -> None:
    """A patch of a name that nobody reads would measure nothing."""
    step = ablation.STEPS[name]()
    functions = [value for value in vars(step.getter()).values() if inspect.isfunction(value)]
    methods = [
        member for value in vars(step.getter()).values() if inspect.isclass(value) for member in vars(value).values()
    ]
    bodies = [f.__code__ for f in (*functions, *methods) if inspect.isfunction(f)]
    assert any(step.attribute in body.co_names for body in bodies)
    with step:
        pass


def test_the_change_is_relative_to_everything_on_the_same_rows() -> None:
    pairs = [
        Loss("a", 0, ALL, 0.2, ""),
        Loss("b", 0, ALL, 1.0, ""),
        Loss("b", 0, "svm", 1.1, ""),
        Loss("a", 0, "svm", 0.2, ""),
    ]
    assert ablation._worth(pairs, {("a", 0): 0.2, ("b", 0): 1.0}, "svm") == pytest.approx(np.array([10.0, 0.0]))
