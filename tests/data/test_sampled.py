"""Some of the rows of a table that is large for its budget: which, and that it is said."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal import timetable, workflow
from sortal.core.errors import OptionError
from sortal.core.recipe import Recipe
from sortal.data.problem import frame_problem
from sortal.data.sampled import RowLimit, drawn
from sortal.training.deadline import Deadline


def table(rows: int = 3_000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    y = np.where(x + rng.normal(size=rows) > 1, "yes", "no").astype(object)
    y[[5, rows - 5]] = "rare"
    y[7] = "lone"
    return pl.DataFrame({"x": x, "place": np.arange(rows) / 2, "y": y.tolist()})


def framed(frame: pl.DataFrame, most: int, seed: int = 0):
    recipe = Recipe.of("y")
    return frame_problem(frame, recipe.goal, recipe.rows, RowLimit(lambda rows, columns: most, seed))


def test_each_class_has_its_share_and_two_rows_at_least():
    classes = np.repeat([0, 1, 2, 3], [6_000, 3_990, 8, 2])
    kept = drawn(classes, 1_000, seed=1)
    assert np.bincount(classes[kept]).tolist() == [600, 399, 2, 2]
    assert (np.diff(kept) > 0).all()
    assert drawn(classes, 1_000, seed=1).tolist() == kept.tolist()
    assert drawn(classes, 1_000, seed=2).tolist() != kept.tolist()


def test_rows_of_a_sample_keep_their_places_and_it_is_said():
    frame = table()
    problem = framed(frame, 300)
    assert problem.sampled == 300
    assert 300 <= problem.raw.height + 1 <= 303  # the lone one is left out
    assert problem.table.rows.tolist() == (problem.table["place"] * 2).cast(int).to_list()
    assert problem.raw["x"].to_list() == frame["x"][problem.table.rows].to_list()
    assert set(problem.task.classes) == {"no", "yes", "rare"}
    shares = [(np.array(labels) == "yes").mean() for labels in (frame["y"], problem.raw["y"])]
    assert shares[0] == pytest.approx(shares[1], abs=0.005)
    said, lone = (next(n for n in problem.notes if word in n) for word in ("are used", "'y' has one row"))
    assert f"{problem.raw.height + 1} of 3,000 rows are used, drawn at random" in said
    assert "the sealed test among them" in said
    assert "(row 8)" in lone
    assert problem.digest == framed(frame, 3_000).digest


def test_where_there_is_time_for_all_rows_all_are_used():
    problem = framed(table(), 3_000)
    assert (problem.sampled, len(problem.table)) == (0, 2_999)
    assert not any("are used" in note for note in problem.notes)


def test_a_target_that_is_no_class_is_drawn_from_all_the_same(tmp_path: Path):
    numbers = table().with_columns(y=pl.col("x"))
    with pytest.raises(sortal.InputError, match="looks continuous: 300 distinct numbers in 300 rows"):
        framed(numbers, 300)
    holed = table().with_columns(y=pl.when(pl.col("place") < 500).then(None).otherwise("y"))
    assert any("100 rows without a value of 'y'" in note for note in framed(holed, 300).notes)


@pytest.mark.parametrize(
    ("left", "slow", "rows"),
    [(8.0, 1.0, 50_000), (8.0, 4.0, 12_500), (-1.0, 1.0, 2_000), (42.0, 1.0, 400_000), (50.0, 1.0, 494_021)],
)
def test_as_many_rows_as_the_rest_of_the_budget_gets_through(monkeypatch, left, slow, rows):
    monkeypatch.setattr(Deadline, "left", left)
    monkeypatch.setattr(Deadline, "busyness", slow)
    deadline = Deadline(time.monotonic(), 10.0)
    assert timetable.affordable_rows(deadline, 494_021, 40) == rows
    assert timetable.affordable_rows(deadline, 300, 5_000) == 300
    assert timetable.affordable_rows(replace(deadline, budget=math.inf), 494_021, 40) == 494_021


def test_a_run_on_a_sample_repeats(monkeypatch, tmp_path, hurried):
    frame = table()
    monkeypatch.setattr(workflow, "affordable_rows", lambda deadline, rows, columns: 400)
    run = sortal.train(frame, "y", models=["logistic"], budget=600, seed=3, out=tmp_path / "run")
    assert run.record.data.rows == run.record.split.train + run.record.split.test < 410
    assert any("of 3,000 rows are used" in note for note in run.record.data.notes)
    assert "of 3,000 rows are used" in run.report.html
    assert pl.read_parquet(run.folder / "oof.parquet")["row"].max() > 1_000
    monkeypatch.setattr(workflow, "affordable_rows", lambda deadline, rows, columns: rows)
    again = sortal.train(frame, recipe=run.folder / "recipe.toml", out=tmp_path / "again")
    assert (again.folder / "model.sortal").read_bytes() == (run.folder / "model.sortal").read_bytes()
    assert again.record.data == run.record.data


def test_a_recipe_with_no_number_of_rows_is_refused():
    with pytest.raises(OptionError, match=r"sampled '?-3'? is no number of rows"):
        Recipe.from_toml('target = "y"\nsampled = -3\n')
