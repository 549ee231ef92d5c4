"""Candidates that are drawn at random: the same for the same seed, within their spaces, and again by their names."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.core import registry
from sortal.training.random_search import MOST, SPACES, Range, draws, named, random_candidate


def test_families_take_turns_unless_some_are_asked_for():
    names = [candidate.name for candidate in draws((), 0)]
    assert names[:4] == ["lightgbm 1", "catboost 1", "xgboost 1", "lightgbm 2"]
    assert len(set(names)) == len(names) == MOST
    assert list(draws(("xgboost",), 0)) == []


def test_a_candidate_follows_from_its_name_and_the_seed():
    for candidate in draws((), 3):
        assert named(candidate.name, 3) == candidate
        assert candidate.is_random
        assert candidate.settings != {}
    assert random_candidate("xgboost", 1, 3).settings != random_candidate("xgboost", 1, 4).settings
    assert random_candidate("xgboost", 1, 3).settings != random_candidate("xgboost", 2, 3).settings


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm small", "lightgbm 0", "lightgbm 1x", "forest 1", "lightgbm -1"])
def test_other_names_are_of_no_drawn_candidate(name):
    assert named(name, 0) is None


@pytest.mark.parametrize(
    "space", [Range(0.4, 1.0), Range(1e-4, 5.0, log=True), Range(4, 8, whole=True), Range(5, 64, log=True, whole=True)]
)
def test_values_fill_their_range(space):
    rng = np.random.default_rng(0)
    values = np.array([space.draw(rng) for _ in range(2_000)])
    assert values.min() >= space.low
    assert values.max() <= space.high
    if space.whole:
        assert set(values) >= {space.low, space.high}
    middle = np.sqrt(space.low * space.high) if space.log else (space.low + space.high) / 2
    below = (values < middle).mean() + (values == middle).mean() / 2
    assert below == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("family", list(SPACES))
def test_a_family_fits_what_is_drawn_of_it(family):
    from sortal.training.candidate import fit, prepare_rows
    from tests.training.conftest import development

    dev, _ = development(rows=300)
    matrix = prepare_rows(dev, np.arange(300), registry.load("sortal.models", family).view)
    for number in (1, 2):
        candidate = random_candidate(family, number, 0)
        p = fit(candidate, matrix, dev, {"rounds": 5}).predict_proba(matrix.X)
        assert p.shape == (300, 2)
        assert p.std(axis=0).min() > 0


def test_what_is_drawn_is_what_is_shown():
    """Three digits; whole numbers are whole, and their ends as likely as others."""
    rng = np.random.default_rng(0)
    for space in (Range(0.4, 1.0), Range(1e-4, 5.0, log=True), Range(1234.0, 98765.0)):
        values = [space.draw(rng) for _ in range(300)]
        assert all(value == float(f"{value:.3g}") for value in values)
        assert any(value != float(f"{value:.2g}") for value in values)
        assert all(type(value) is float for value in values)
    whole = [Range(4, 7, whole=True).draw(rng) for _ in range(4_000)]
    assert {type(value) for value in whole} == {int}
    counts = np.bincount(whole, minlength=8)[4:]
    assert counts.min() > 900
    assert counts.sum() == 4_000
