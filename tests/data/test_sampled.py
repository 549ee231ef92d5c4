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
from sortal.data import sampled as sampled_module
from sortal.data.problem import frame_problem
from sortal.data.read import Source
from sortal.data.sampled import RowLimit, sample_rows
from sortal.training.deadline import Deadline


def table(rows: int = 3_000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    y = np.where(x + rng.normal(size=rows) > 1, "yes", "no").astype(object)
    y[[5, rows - 5]] = "rare"
    y[7] = "lone"
    return pl.DataFrame({"x": x, "place": np.arange(rows) / 2, "y": y.tolist()})


def problem_from(frame: pl.DataFrame, most: int, seed: int = 0):
    recipe = Recipe.of("y")
    return frame_problem(frame, recipe.goal, recipe.rows, RowLimit(lambda rows, columns: most, seed))


def test_each_class_has_its_share_and_two_rows_at_least():
    classes = np.repeat([0, 1, 2, 3], [6_000, 3_990, 8, 2])
    rows = sample_rows(classes, 1_000, seed=1)
    assert np.bincount(classes[rows]).tolist() == [600, 399, 2, 2]
    assert (np.diff(rows) > 0).all()
    assert sample_rows(classes, 1_000, seed=1).tolist() == rows.tolist()
    assert sample_rows(classes, 1_000, seed=2).tolist() != rows.tolist()


def test_rows_of_a_sample_keep_their_places_and_it_is_said():
    frame = table()
    problem = problem_from(frame, 300)
    assert problem.sampled == 300
    assert 300 <= problem.raw.height + 1 <= 303  # the lone one is left out
    assert problem.table.rows.tolist() == (problem.table["place"] * 2).cast(int).to_list()
    assert problem.raw["x"].to_list() == frame["x"][problem.table.rows].to_list()
    assert set(problem.task.classes) == {"no", "yes", "rare"}
    shares = [(np.array(labels) == "yes").mean() for labels in (frame["y"], problem.raw["y"])]
    assert shares[0] == pytest.approx(shares[1], abs=0.005)
    note, lone = (next(n for n in problem.notes if word in n) for word in ("are used", "'y' has one row"))
    assert f"{problem.raw.height + 1} of 3,000 rows are used, drawn at random" in note
    assert "the sealed test among them" in note
    assert "(row 8)" in lone
    assert problem.digest == problem_from(frame, 3_000).digest


def test_where_there_is_time_for_all_rows_all_are_used():
    problem = problem_from(table(), 3_000)
    assert (problem.sampled, len(problem.table)) == (0, 2_999)
    assert not any("are used" in note for note in problem.notes)


def test_a_target_that_is_no_class_is_drawn_from_all_the_same(tmp_path: Path):
    numbers = table().with_columns(y=pl.col("x"))
    with pytest.raises(sortal.InputError, match="looks continuous: 300 distinct numbers in 300 rows"):
        problem_from(numbers, 300)
    with_gaps = table().with_columns(y=pl.when(pl.col("place") < 500).then(None).otherwise("y"))
    assert any("100 rows without a value of 'y'" in note for note in problem_from(with_gaps, 300).notes)


@pytest.mark.parametrize(
    ("seconds_left", "slow", "rows"),
    [(8.0, 1.0, 50_000), (8.0, 4.0, 12_500), (-1.0, 1.0, 2_000), (42.0, 1.0, 400_000), (50.0, 1.0, 494_021)],
)
def test_as_many_rows_as_the_rest_of_the_budget_gets_through(monkeypatch, seconds_left, slow, rows):
    monkeypatch.setattr(Deadline, "rest", seconds_left)
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
    second_run = sortal.train(frame, recipe=run.folder / "recipe.toml", out=tmp_path / "again")
    assert (second_run.folder / "model.sortal").read_bytes() == (run.folder / "model.sortal").read_bytes()
    assert second_run.record.data == run.record.data


def test_a_recipe_with_no_number_of_rows_is_refused():
    with pytest.raises(OptionError, match=r"sampled '?-3'? is no number of rows"):
        Recipe.from_toml('target = "y"\nsampled = -3\n')


@pytest.mark.parametrize(
    ("sizes", "most", "counts"),
    [
        ([900, 98, 2], 100, [90, 10, 2]),
        ([8, 2], 5, [4, 2]),  # of a class of two both
        ([50, 50], 99, [50, 50]),  # 49.5 rows, to the even number
        ([50, 50], 97, [48, 48]),
        ([10, 1], 5, [5, 1]),
        ([10], 1, [2]),
    ],
)
def test_of_each_class_its_share_is_drawn(sizes: list[int], most: int, counts: list[int]) -> None:
    classes = np.random.default_rng(3).permutation(np.repeat(np.arange(len(sizes)), sizes))
    for seed in range(5):
        rows = sample_rows(classes, most, seed)
        assert np.bincount(classes[rows], minlength=len(sizes)).tolist() == counts
        assert len(set(rows.tolist())) == len(rows)


def test_every_row_of_a_class_is_as_likely_to_be_drawn() -> None:
    classes = np.repeat([0, 1], [20, 20])
    counts = sum(np.bincount(sample_rows(classes, 10, seed), minlength=40) for seed in range(400))
    assert counts.min() > 60
    assert counts.max() < 140


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (["a", "b", "a", "a", "b", "a", "a", "b", None, None, None, None], 3),
        (["a", "b", "c", "a", "b", "c", "a", "b", "c", "a", "b", "c"], 3),
        (["a", "b", "c", "d", "a", "b", "c", "d", "a", "b", "c", "d"], 1),  # four of twelve may be anything
    ],
)
def test_classes_are_few_beside_the_rows(target: list[str | None], classes: int) -> None:
    codes = sampled_module._classes(pl.DataFrame({"y": target}), "y")
    assert len(set(codes.tolist())) == classes
    if classes > 1:
        assert len(set(zip(codes.tolist(), target, strict=True))) == classes
    assert set(sampled_module._classes(pl.DataFrame({"y": target}), "z").tolist()) == {0}


def test_a_sample_is_a_source_of_its_own_and_a_whole_table_is_not() -> None:
    source = Source(pl.DataFrame({"y": ["a", "b"] * 10, "x": range(20)}), "t.csv", ("a note",), ";", folder="here")
    for most in (20, 21):
        assert sampled_module.sampled(source, "y", most, 0) == (source, None)
    sample, rows = sampled_module.sampled(source, "y", 19, 7)
    assert rows is not None
    assert sample.frame["x"].to_list() == rows.tolist() == sample_rows(np.tile([0, 1], 10), 19, 7).tolist()
    assert (sample.name, sample.separator, sample.folder) == ("a sample of t.csv", ";", "here")
    assert sample.notes[0] == "a note"
    assert sample.notes[1].startswith(
        f"{len(rows)} of 20 rows are used, drawn at random within each class (seed 7), the"
    )


def test_a_limit_is_asked_for_rows_and_columns_and_seed_and_time_have_defaults() -> None:
    assert (RowLimit(max).seed, RowLimit(max).seconds) == (0, math.inf)
    assert sampled_module.ALL_ROWS.most(12, 5) == 12
    calls: list[tuple[int, int]] = []
    recipe = Recipe.of("y")
    frame_problem(
        table(100), recipe.goal, recipe.rows, RowLimit(lambda rows, columns: calls.append((rows, columns)) or rows)
    )
    assert calls == [(100, 3)]


def test_another_seed_draws_other_rows() -> None:
    first, second = (problem_from(table(), 300, seed).table.rows.tolist() for seed in (1, 2))
    assert first != second
    assert any("(seed 2)" in note for note in problem_from(table(), 300, 2).notes)
