"""What probabilities said of rows, and what came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.reliability import GRID, LEAST, Reliability


@given(st.integers(0, 2**32 - 1), st.integers(20, 400), st.integers(1, 40))
def test_bins_hold_all_rows_and_no_edge_is_of_a_row(seed: int, n: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(*rng.uniform(0.05, 3, 2), n)
    is_positive = rng.random(n) < p
    reliability = Reliability.of(p, is_positive, least=least)
    assert (sum(reliability.rows), sum(reliability.came)) == (n, is_positive.sum())
    assert sum(reliability.said) == pytest.approx(p.sum())
    assert reliability.edges == () or min(reliability.rows) >= max(LEAST, least)
    assert set(reliability.edges) <= set(GRID.tolist())
    assert np.bincount(reliability.bins(p), minlength=len(reliability.rows)).tolist() == list(reliability.rows)
    assert (reliability.variances > 0).all()


def test_what_wanders_between_blocks_is_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    p, blocks = rng.uniform(0.2, 0.8, 40_000), np.repeat(np.arange(20), 2_000)
    without_wander = Reliability.of(p, rng.random(len(p)) < p, blocks)
    shifted_p = np.clip(p + rng.normal(0, 0.1, 20)[blocks], 0, 1)
    with_wander = Reliability.of(p, rng.random(len(p)) < shifted_p, blocks)
    assert without_wander.wander < 0.02
    assert with_wander.wander == pytest.approx(0.1, abs=0.04)
    assert Reliability.of(p, rng.random(len(p)) < p).wander == 0
