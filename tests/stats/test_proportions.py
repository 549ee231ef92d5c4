from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortal.stats.proportions import clopper_pearson, two_sided_z, wilson


@given(hits=st.integers(0, 40), more=st.integers(0, 60), confidence=st.sampled_from([0.8, 0.95]))
@settings(max_examples=60)
def test_wilson_is_scipys_and_holds_the_share(hits, more, confidence):
    trials = hits + more + 1
    low, high = wilson(hits / trials, trials, two_sided_z(confidence))
    expected = stats.binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= hits / trials <= high <= 1


def test_wilson_of_no_trials_knows_nothing():
    assert [float(x) for x in wilson(0.0, 0, two_sided_z(0.95))] == [0, 1]


@given(trials=st.integers(1, 400), share=st.floats(0, 1), tail=st.floats(0.001, 0.45))
@settings(max_examples=80)
def test_clopper_pearson_is_scipys_on_both_sides_and_on_one(trials, share, tail):
    successes = round(share * trials)
    low, high = clopper_pearson(successes, trials, tail)
    exact = stats.binomtest(successes, trials).proportion_ci(1 - 2 * tail, "exact")
    one_sided = stats.binomtest(successes, trials, alternative="greater").proportion_ci(1 - tail, "exact")
    assert (float(low), float(high)) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert float(low) == pytest.approx(one_sided.low, abs=1e-9)


@given(trials=st.integers(1, 300), share=st.floats(0, 1), tail=st.floats(0.01, 0.5), times=st.integers(2, 6))
@settings(max_examples=80)
def test_more_trials_prove_more_and_a_smaller_tail_less(trials, share, tail, times):
    successes = round(share * trials)
    bound = clopper_pearson(successes, trials, tail)[0]
    assert 0 <= bound <= successes / trials
    assert clopper_pearson(times * successes, times * trials, tail)[0] >= bound
    assert clopper_pearson(successes, trials, tail / 2)[0] <= bound


def test_parts_of_a_trial_prove_a_little():
    """A bin of one cluster counts as less than one success and less than one failure."""
    low, high = clopper_pearson(np.array([0.5, 0.1, 0.0]), np.array([1.0, 0.2, 0.0]))
    assert (low < [0.01, 1e-9, 1e-9]).all()
    assert (high > [0.99, 1 - 1e-9, 1 - 1e-9]).all()
