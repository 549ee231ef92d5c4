"""What is kept of a point of the front comes back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sortal.core.errors import DataError
from sortal.core.predictions import Predictions
from sortal.record import kept

CLASSES = ("c", "a", "b")
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25], [0.0, 0.9, 0.1]])
ROWS = Predictions(CLASSES, np.array([7, 2, 11, 5]), np.array([0, 2, 1, 1]), P, "out-of-fold")
FOLD = np.array([2, 0, 1, 0])


@pytest.mark.parametrize("groups", [None, np.array([30, 10, 30, 20])])
@pytest.mark.parametrize("costs", [None, np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0], [4.0, 8.0]])])
def test_predictions_and_folds_come_back(tmp_path: Path, groups: np.ndarray | None, costs: np.ndarray | None) -> None:
    rows = replace(ROWS, groups=groups, row_costs=costs)
    kept.write(tmp_path / "1.parquet", rows, FOLD)
    copy, fold = kept.read(tmp_path / "1.parquet", CLASSES)
    assert fold.tolist() == FOLD.tolist()
    assert (copy.classes, copy.part) == (CLASSES, "out-of-fold")
    for name in ("rows", "truth", "probability", "groups", "row_costs"):
        expected, value = getattr(rows, name), getattr(copy, name)
        assert (value is None) == (expected is None)
        assert expected is None or np.array_equal(value, expected)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.parquet"
    with pytest.raises(DataError, match="train again"):
        kept.read(path, CLASSES)
    pl.DataFrame({"x": [1]}).write_parquet(path)
    with pytest.raises(DataError, match="is not what a run keeps"):
        kept.read(path, CLASSES)
    kept.write(path, ROWS, FOLD)
    with pytest.raises(DataError, match="is not what a run keeps"):
        kept.read(path, (*CLASSES, "d"))
    with pytest.raises(DataError, match="sum to one"):
        kept.read(path, CLASSES[:2])
