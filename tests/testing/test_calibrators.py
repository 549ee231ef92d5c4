"""Each requirement on calibrators is there for a fault; a calibrator with that fault must fail it."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.core import registry
from sortal.decide.calibrate import Calibrator
from sortal.engine import Program
from sortal.testing import ConformanceError, check_calibrator
from sortal.testing.calibrators import is_never_certain, keeps_the_ranking


def always(program: Program, classes: int) -> Calibrator:
    return Calibrator("fixed", lambda probability, truth, k: program, least=classes, most=classes)


def affine(weight, bias) -> Program:
    return Program("logit_affine", arrays={"weight": np.array(weight, float), "bias": np.array(bias, float)})


TURNED = {
    2: affine([[-1, 0], [0, -1]], [0, 0]),
    3: affine([[1, 0, 0], [0, 1, 0], [2, 0, 1]], [0, 0, 0]),
}


@pytest.mark.parametrize("classes", TURNED)
def test_one_that_turns_a_ranking_around_fails(classes):
    with pytest.raises(ConformanceError, match="became smaller"):
        keeps_the_ranking(always(TURNED[classes], classes), classes)


def test_one_that_only_ties_passes():
    flat = Program("monotone", {"between": "stairs"}, {"knot": np.array([0.5]), "value": np.array([0.3, 0.3, 0.6])})
    keeps_the_ranking(always(flat, 2), 2)


def test_one_that_becomes_certain_fails():
    sure = Program("monotone", {"between": "linear"}, {"knot": np.array([0.1, 0.9]), "value": np.array([0.0, 1.0])})
    with pytest.raises(ConformanceError, match="probabilities became 0"):
        is_never_certain(always(sure, 2), 2)


def test_every_number_of_classes_that_it_suits_is_tried():
    names = {r.name for r in check_calibrator(registry.load("sortal.calibrators", "temperature"))}
    assert {f"temperature-keeps_the_ranking-{k}" for k in (2, 3, 5)} <= names
    names = {r.name for r in check_calibrator(registry.load("sortal.calibrators", "isotonic"))}
    assert {name[-1] for name in names if name.startswith("isotonic-keeps")} == {"2"}
