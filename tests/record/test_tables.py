"""The tables beside the record, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.record.parts import Spread
from sortal.record.tables import leaderboard_table, predictions_table


def test_rows_are_counted_from_one() -> None:
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    table = predictions_table(Predictions(("c", "a", "b"), np.array([8, 0, 3]), np.array([1, 0, 2]), p, "test"))
    assert table.columns == ["row", "truth", "p c", "p a", "p b"]
    assert table["row"].to_list() == [9, 1, 4]
    assert table["truth"].to_list() == ["a", "c", "b"]
    assert table["p a"].to_list() == [0.1, 0.5, 0.2]


def test_a_row_of_the_leaderboard_has_its_score_and_the_mean_of_every_metric(binary: Any) -> None:
    first, second, *_ = binary.record.leaderboard
    spreads = {"log_loss": Spread(0.3, 0.01), "roc_auc": Spread(0.8, 0.02)}
    rows = (replace(first, score=Estimate(0.31, 0.28, 0.36), metrics=spreads, weights={"a": 0.5, "b": 0.5}), second)
    table = leaderboard_table(replace(binary.record, leaderboard=rows))
    assert table["name"].to_list() == [first.name, second.name]
    values = table.row(0, named=True)
    assert (values["score"], values["low"], values["high"]) == (0.31, 0.28, 0.36)
    assert (values["log_loss mean"], values["roc_auc mean"]) == (0.3, 0.8)
    assert (values["mean"], values["std"], values["selected"]) == (first.mean, first.std, False)
    assert not {"metrics", "weights", "file"} & {*table.columns}
