"""Which rows a fit saw that it must not have seen."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.training.fit_log import FitLog, FitRows


@pytest.mark.parametrize(
    ("fits", "n_leaks"),
    [
        ([], 0),
        ([([1, 2], [])], 0),
        ([([1, 2], [3, 4])], 0),
        ([([1, 2, 8], [])], 1),  # sealed
        ([([1, 2, 3], [3, 2])], 2),  # evaluated on what it saw
        ([([1, 8], [8])], 2),  # both
        ([([1, 8], []), ([1, 8, 9], []), ([2], [1])], 3),  # once for each fit
    ],
)
def test_leaks_are_counted_for_each_fit(fits: list[tuple[list[int], list[int]]], n_leaks: int) -> None:
    rows = [FitRows(np.array(saw, dtype=np.int64), np.array(evaluated, dtype=np.int64)) for saw, evaluated in fits]
    assert FitLog.of(iter(rows), sealed=np.array([8, 9])) == FitLog(len(fits), n_leaks)


def test_a_fit_is_evaluated_on_nothing_unless_it_says_so() -> None:
    fit = FitRows(np.array([1]))
    assert fit.evaluated.tolist() == []
    assert fit.evaluated.dtype == np.int64
