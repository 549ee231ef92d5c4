from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.core.errors import DataError
from sortal.core.recipe import Recipe
from sortal.data.problem import frame_problem, part


def frame(rows=60):
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {"x": rng.normal(size=rows), "id": [f"k{i}" for i in range(rows)], "y": ["a", "b", None] * (rows // 3)}
    )


def test_rows_without_a_label_are_left_out_and_told():
    problem = frame_problem(frame(), Recipe(target="y"))
    assert len(problem.table) == len(problem.codes) == problem.raw.height == 40
    assert problem.table.rows[:4].tolist() == [0, 1, 3, 4]
    assert problem.notes == ("20 rows without a value of 'y' were left out",)
    assert [problem.task.classes[c] for c in problem.codes[:2]] == ["a", "b"]


def test_a_part_has_its_own_shares_of_classes():
    problem = frame_problem(frame(), Recipe(target="y"))
    some = part(problem, np.flatnonzero(problem.codes == 0))
    assert some.task.prevalence == (1.0, 0.0)
    assert set(some.raw["y"]) == {"a"}


def test_nothing_to_predict_from_is_told_with_the_reason_of_each_column():
    with pytest.raises(DataError, match=r"no column left to predict from: id: .* it identifies rows"):
        frame_problem(frame().drop("x"), Recipe(target="y"))


def test_the_digest_is_that_of_the_file_or_of_the_values(tmp_path):
    file = tmp_path / "data.csv"
    frame().write_csv(file)
    first = frame_problem(str(file), Recipe(target="y")).digest
    assert first == frame_problem(file, Recipe(target="y")).digest
    changed = frame().with_columns(pl.col("x") + 1)
    assert frame_problem(changed, Recipe(target="y")).digest != frame_problem(frame(), Recipe(target="y")).digest
