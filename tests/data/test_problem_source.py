"""Whatever is wrong with a file is told with its name and the row in it, at each step that may meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core.errors import InputError
from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Schema
from sortal.data import problem as problem_module
from sortal.data.problem import Problem, doubts, frame_problem, open_source
from sortal.data.read import Source
from sortal.data.sampled import RowLimit

ROWS = {
    "x": [k + 0.5 for k in range(40)],
    "fee": [float(1 + k % 7) for k in range(40)],
    "word": [f"w{k % 4}" for k in range(40)],
    "y": ["a", "b"] * 20,
}


def problem_from(data: Any, limit: RowLimit | None = None, **options: Any) -> Problem:
    recipe = Recipe.of("y", **options)
    return frame_problem(data, recipe.goal, recipe.rows, *([] if limit is None else [limit]))


def changed(column: str, row: int, value: float | None) -> dict[str, Any]:
    return ROWS | {column: [value if k == row - 1 else old for k, old in enumerate(ROWS[column])]}


COSTS = {"cost": "fp=1", "cost_column": ("fn=fee",)}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (changed("x", 7, 1e39), {}, "in row 7"),
        (changed("fee", 9, None), COSTS, "column 'fee' of {} has no value in row 9,"),
        (changed("fee", 3, None), {"weight": "fee"}, "column 'fee' of {} has no value in row 3 (1 in all)"),
        (changed("fee", 4, -1.0), {"weight": "fee"}, "column 'fee' of {} has a negative weight in row 4 (1 in all)"),
        (ROWS, {"weight": "word"}, "column 'word' of {} holds no numbers, but weights"),
        (ROWS, {"weight": "lost"}, "no column 'lost' in {} for the weights"),
        (ROWS, COSTS | {"cost_column": ("fn=lost",)}, "no column 'lost' in {} for the costs"),
        (ROWS, COSTS | {"cost_column": ("fn=word",)}, "column 'word' of {} holds no numbers, but costs"),
        (ROWS, {"slice": ("lost",)}, "'lost'"),
        (ROWS, {"ignore": ("x", "fee", "word")}, "{} has no column left to predict from"),
    ],
)
@pytest.mark.parametrize("file", [True, False])
def test_what_is_wrong_is_told_with_the_name_of_the_file(
    rows: dict[str, Any], options: dict[str, Any], message: str, file: bool, tmp_path: Path
) -> None:
    frame = pl.DataFrame(rows)
    frame.write_csv(tmp_path / "t.csv")
    with pytest.raises(InputError) as excinfo:
        problem_from(str(tmp_path / "t.csv") if file else frame, **options)
    name = "t.csv" if file else "the data"
    assert message.format(name) in str(excinfo.value)
    assert name in str(excinfo.value)


def test_of_a_sample_rows_are_counted_in_what_was_read(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_csv(tmp_path / "t.csv")
    calls: list[tuple[int, int]] = []

    def half(rows: int, columns: int) -> int:
        calls.append((rows, columns))
        return rows // 2

    problem = problem_from(str(tmp_path / "t.csv"), RowLimit(half, seed=5))
    assert calls == [(40, 4)]
    assert (problem.name, problem.sampled) == ("t.csv", 20)
    assert problem.table.rows.tolist() == [round(x - 0.5) for x in problem.table["x"].to_list()]
    assert len(problem.table) == 20
    assert (
        problem_from(str(tmp_path / "t.csv"), RowLimit(half, seed=6)).table.rows.tolist() != problem.table.rows.tolist()
    )
    with pytest.raises(InputError, match=r"a sample of t\.csv"):
        problem_from(str(tmp_path / "t.csv"), RowLimit(half), ignore=("x", "fee", "word"))


def test_what_reading_images_may_take_limits_the_rows_once_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a clock that is told: images of twelve of the rows are affordable."""
    pl.DataFrame(ROWS).write_csv(tmp_path / "t.csv")
    calls: list[tuple[int, float]] = []

    def twelve(source: Source, schema: Schema, seconds: float) -> int:
        assert schema["y"].role == "target"
        calls.append((source.frame.height, seconds))
        return 12

    monkeypatch.setattr(problem_module, "affordable", twelve)
    problem = problem_from(str(tmp_path / "t.csv"), RowLimit(lambda rows, columns: rows // 2, 3, 7.5))
    assert calls == [(20, 7.5)]
    assert (len(problem.table), problem.sampled) == (12, 12)
    expected = problem_from(str(tmp_path / "t.csv"), RowLimit(lambda rows, columns: 12, 3)).table.rows.tolist()
    assert problem.table.rows.tolist() == expected
    assert problem.table.rows.tolist() == [round(x - 0.5) for x in problem.table["x"].to_list()]


def test_a_part_that_a_source_tells_is_used_where_it_is_asked_for_and_no_feature(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS | {"part": ["train", "test"] * 20})
    for source, split, role in (
        (Source(frame, "s", part="part"), None, "ignore"),
        (Source(frame, "s", part="part"), "part", "split"),
        (Source(frame, "s"), None, "feature"),
    ):
        recipe = Recipe.of("y", split=split)
        schema = problem_module._schema(source, recipe.goal, recipe.rows)
        assert schema["part"].role == role
    assert problem_module._schema(Source(frame, "s", kinds={"x": "category"}), recipe.goal, recipe.rows)["x"].kind == (
        "category"
    )
    with_kind = Recipe.of("y", kind={"x": "number"})
    assert problem_module._schema(Source(frame, "s", kinds={"x": "category"}), with_kind.goal, with_kind.rows)[
        "x"
    ].kind == ("number")


def test_an_order_of_rows_is_kept_with_the_problem(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_csv(tmp_path / "t.csv")
    assert problem_from(str(tmp_path / "t.csv")).ordered
    source = open_source([str(tmp_path / "t.csv")])
    assert source.name == "t.csv"
    assert open_source(pl.DataFrame(ROWS)).notes == ()
    assert [open_source(data).records for data in (pl.DataFrame(ROWS), [{"x": 1}, {"x": 2}])] == [False, True]


@pytest.mark.parametrize(
    ("count", "lines", "last"),
    [(0, 0, None), (5, 5, "c4: d"), (6, 6, "and 1 more columns that can be read in two ways: c5")],
)
def test_five_doubts_have_a_line_each(count: int, lines: int, last: str | None) -> None:
    columns = [Column(f"c{k}", "number", doubt="d") for k in range(count)]
    notes = doubts(Schema((Column("z", "number", "ignore", doubt="d"), *columns, Column("sure", "number"))))
    assert len(notes) == lines
    assert notes[-1:] == ([] if last is None else [last])


def test_rows_that_are_left_out_are_left_out_of_everything() -> None:
    rows = pl.DataFrame(ROWS | {"y": ["a", None, "b", "a"] * 10, "w": [1.0, 1.0, 1.0, 0.0] * 10})
    problem = problem_from(rows, weight="w")
    used_rows = np.flatnonzero(np.arange(40) % 2 == 0)
    assert problem.table.rows.tolist() == used_rows.tolist()
    assert problem.raw["x"].to_list() == problem.table["x"].to_list() == rows["x"].gather(used_rows).to_list()
    assert problem.codes.tolist() == [0, 1] * 10
    assert problem.task.prevalence == (0.5, 0.5)
