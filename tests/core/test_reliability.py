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
    hit = rng.random(n) < p
    found = Reliability.of(p, hit, least=least)
    assert (sum(found.rows), sum(found.came)) == (n, hit.sum())
    assert sum(found.said) == pytest.approx(p.sum())
    assert found.edges == () or min(found.rows) >= max(LEAST, least)
    assert set(found.edges) <= set(GRID.tolist())
    assert np.bincount(found.bins(p), minlength=len(found.rows)).tolist() == list(found.rows)
    assert (found.variances > 0).all()


def test_what_wanders_between_blocks_is_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    p, blocks = rng.uniform(0.2, 0.8, 40_000), np.repeat(np.arange(20), 2_000)
    still = Reliability.of(p, rng.random(len(p)) < p, blocks)
    moved = np.clip(p + rng.normal(0, 0.1, 20)[blocks], 0, 1)
    wanders = Reliability.of(p, rng.random(len(p)) < moved, blocks)
    assert still.wander < 0.02
    assert wanders.wander == pytest.approx(0.1, abs=0.04)
    assert Reliability.of(p, rng.random(len(p)) < p).wander == 0
