from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench import quality
from bench.quality import Match, Result


@pytest.fixture
def frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x, colour = rng.normal(size=400), rng.choice(["red", "green", None], size=400)
    y = np.select([x > 1, x > 0], ["c", "b"], "a")
    return pl.DataFrame({"row": np.arange(400), "x": x, "colour": colour, "y": y})


def test_a_sample_keeps_the_shares_of_classes_and_what_it_leaves_is_the_future(frame) -> None:
    train, test = quality.sample(frame, "y", 100, seed=3)
    assert not set(train["row"]) & set(test["row"])
    assert len(train) + len(test) == 400
    assert len(train) == pytest.approx(100, abs=2)
    share = {y: n / 400 for y, n in frame["y"].value_counts().iter_rows()}
    assert {y: n / len(train) for y, n in train["y"].value_counts().iter_rows()} == pytest.approx(share, abs=0.01)
    assert train["row"].to_list() != quality.sample(frame, "y", 100, seed=4)[0]["row"].to_list()


def test_a_class_of_two_rows_is_in_both_parts_and_one_of_one_row_in_none(frame) -> None:
    rare = frame.with_columns(
        pl.when(pl.col("row") < 2)
        .then(pl.lit("two"))
        .when(pl.col("row") == 2)
        .then(pl.lit("one"))
        .otherwise("y")
        .alias("y")
    )
    parts = quality.sample(rare, "y", 200, seed=0)
    assert [part["y"].is_in(["two"]).sum() for part in parts] == [1, 1]
    assert [part["y"].is_in(["one"]).sum() for part in parts] == [0, 0]


def test_scores_follow_the_names_of_the_classes_and_not_their_order() -> None:
    truth = np.array(["b", "a", "b", "c"], dtype=object)
    by_name = {"a": [0.2, 0.7, 0.1, 0.1], "b": [0.5, 0.2, 0.8, 0.3], "c": [0.3, 0.1, 0.1, 0.6]}
    scores = [
        quality.scored(truth, np.column_stack([by_name[c] for c in order]), list(order)) for order in ("abc", "cab")
    ]
    assert scores[0] == pytest.approx(scores[1])
    assert scores[0]["log_loss"] == pytest.approx(-np.log([0.5, 0.7, 0.8, 0.6]).mean())
    assert scores[0]["balanced_accuracy"] == 1.0
    assert scores[0]["roc_auc"] == 1.0


def test_the_ranking_of_two_classes_is_that_of_either() -> None:
    truth = np.array(["no", "yes", "no", "yes"], dtype=object)
    yes = np.array([0.1, 0.4, 0.6, 0.8])
    assert quality.scored(truth, np.column_stack([yes, 1 - yes]), ["yes", "no"])["roc_auc"] == 0.75


def results(sortal_loss: float, **changes: object) -> list[Result]:
    rows = [
        Result(f"table {i}", name, 50.0, loss, 0.9, 0.8, 0.001, 2.0)
        for i in range(4)
        for name, loss in (("sortal", sortal_loss), ("flaml", 0.4), ("mljar", 0.5))
    ]
    return [replace(r, **changes) if r.name == "sortal" else r for r in rows]


@pytest.mark.parametrize(
    ("outcomes", "tables", "short"),
    [
        (results(0.3), 4, []),
        (results(0.3), 5, [0]),
        (results(0.45), 4, [1, 2]),
        (results(0.3, log_loss=None), 4, [1, 2, 3]),
        (results(0.3, seconds=64.0), 4, [4]),
        (results(0.3, megabytes=11.0), 4, [5]),
    ],
)
def test_each_goal_can_fall_short(outcomes, tables, short) -> None:
    goals = quality.outcome(outcomes, 60.0, tables).goals
    assert [i for i, goal in enumerate(goals) if not goal.holds] == short


def test_who_does_not_finish_is_last_and_named(tmp_path: Path) -> None:
    missing = Match("t", "y", tmp_path / "none.parquet", tmp_path / "none.parquet")
    loser = quality.play(missing, "hgb", Path(sys.executable), 5.0, tmp_path / "work")
    assert loser.log_loss is None
    assert "none.parquet" in loser.note
    winner = Result("t", "sortal", 4.0, 0.3, 0.9, 0.8, 0.001, 2.0)
    assert quality.outcome([winner, loser], 5.0, 1).goals[2].figure == "100%"


def test_a_contestant_predicts_the_rows_that_it_has_not_seen(frame, tmp_path: Path) -> None:
    match = Match("t", "y", tmp_path / "train.parquet", tmp_path / "test.parquet")
    for part, path in zip(quality.sample(frame, "y", 280, 0), (match.train, match.test), strict=True):
        part.write_parquet(path)
    result = quality.play(match, "hgb", Path(sys.executable), 5.0, tmp_path / "work")
    assert result.note == ""
    assert result.roc_auc > 0.95
    assert 0 < result.row_seconds < 10
    assert result.peak_megabytes > 20 > result.megabytes > 0


@pytest.mark.clock
def test_memory_is_that_of_a_process_and_of_those_that_it_started() -> None:
    child = "import time; block = bytearray(60_000_000); time.sleep(1.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", parent])
    with quality._Memory(process.pid) as memory:
        process.wait()
    assert memory.peak > 65_000_000
    start = time.monotonic()
    with quality._Memory(process.pid) as after:
        pass
    assert after.peak == 0
    assert time.monotonic() - start < 1
