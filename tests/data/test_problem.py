from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sortal.core.errors import DataError, OptionError
from sortal.core.frame import conform
from sortal.core.labels import encode
from sortal.core.recipe import Recipe
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import check_groups, frame_problem, part


def framed(data, target="y", **options):
    recipe = Recipe.of(target, **options)
    return frame_problem(data, recipe.goal, recipe.rows)


def frame(rows=60):
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {"x": rng.normal(size=rows), "id": [f"k{i}" for i in range(rows)], "y": ["a", "b", None] * (rows // 3)}
    )


def test_rows_without_a_label_are_left_out_and_told():
    problem = framed(frame())
    assert len(problem.table) == len(problem.codes) == problem.raw.height == 40
    assert problem.table.rows[:4].tolist() == [0, 1, 3, 4]
    assert problem.notes == ("20 rows without a value of 'y' were left out",)
    assert [problem.task.classes[c] for c in problem.codes[:2]] == ["a", "b"]


def labelled(labels, **options):
    n = len(labels)
    table = pl.DataFrame({"x": np.linspace(0, 1, n), "y": labels})
    return framed(table, **options)


def test_a_class_of_one_row_is_left_out_and_not_named_in_files():
    problem = labelled(["a"] * 30 + ["Mr. Smith"] + ["b"] * 29)
    assert problem.task.classes == ("a", "b")
    assert len(problem.table) == problem.raw.height == 59
    assert problem.table.rows[29:31].tolist() == [29, 31]
    assert problem.notes == (
        "1 class of 'y' has one row (row 31), which cannot be both learned and tested: it was left out, and the model "
        "never says it; give more rows, or merge it with another class",
    )
    assert "(row" not in labelled(["a"] * 30 + ["Mr. Smith"] + ["b"] * 29, private=True).notes[0]
    both = labelled(["c", *["a"] * 30, "d", *["b"] * 28])
    assert both.task.prevalence == (30 / 58, 28 / 58)
    assert both.notes[0].startswith(
        "2 classes of 'y' have one row (row 1, 32), which cannot be both learned and tested"
    )


def test_a_class_called_as_missing_values_are_is_kept_and_told():
    problem = labelled(["EU", "NA", "AS"] * 20)
    assert problem.task.classes == ("AS", "EU", "NA")
    assert problem.notes == (
        "'NA' is a class of 'y' (20 rows); if it means that there is no value, say --missing 'NA'",
    )
    assert labelled(["EU", "NA", "AS"] * 20, missing=("NA",)).task.classes == ("AS", "EU")


def test_labels_that_mean_missing_are_named_and_counted():
    problem = labelled(["yes", "no", "?", "yes", "no", ""] * 10)
    assert problem.task.classes == ("no", "yes")
    assert problem.notes == (
        "20 rows without a value of 'y' were left out: 10 '?', 10 blank; if '?' is a class, say --missing ''",
    )
    kept = labelled(["yes", "no", "?", "yes", "no", ""] * 10, missing=())
    assert kept.task.classes == ("?", "no", "yes")
    assert kept.notes[0] == "10 rows without a value of 'y' were left out"


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [
        (pd.Categorical([2, 1] * 20), "int", [1, 2]),
        (pd.Categorical([True, False] * 20), "bool", [False, True]),
        (pd.Series([True, None, False] * 20), "bool", [False, True]),
        (pd.Series([1.0, 1.5] * 20), "float", [1.0, 1.5]),
        (pd.Series([1, 2] * 20, dtype="Int8"), "int", [1, 2]),
        (pd.Series(["True", "False"] * 20), "str", ["False", "True"]),
        (pd.Series(["1.0", "2.0"] * 20), "str", ["1.0", "2.0"]),
    ],
)
def test_labels_come_back_as_they_were_given(labels, kind, classes):
    table = pd.DataFrame({"x": range(len(labels)), "y": labels})
    task = framed(table).task
    assert task.label_type == kind
    assert [task.label(code) for code in range(len(task.classes))] == classes


@pytest.mark.parametrize("written", [["1", "0"], ["1.0", "0.0"], [1, 0], [1.0, 0.0], [True, False], ["True", "FALSE"]])
@pytest.mark.parametrize("trained", [["1", "0"], ["1.0", "0.0"], [1, 0], [1.0, 0.0], [True, False], ["True", "False"]])
def test_labels_of_any_door_meet_the_classes_of_any_other(trained, written):
    problem = labelled(trained * 20)
    labels = conform(pl.DataFrame({"y": [*written, None]}), problem.table.schema, ("target",))["y"]
    assert encode(labels, problem.task).tolist() == [1, 0, -1]


def test_what_was_assumed_is_told_of_columns_that_are_used(tmp_path):
    file = tmp_path / "data.csv"
    rows = [f"1,{i:03};0{1 + i % 9}/0{1 + i % 7}/2021;{'ab'[i % 2]}\n" for i in range(40)]
    file.write_text("kg;day;y\n" + "".join(rows))
    problem = framed(str(file))
    assert problem.table.frame["kg"][:2].to_list() == [1.0, 1.001]
    assert problem.notes[1:] == (
        # No value is there five times: the digits are others, and the day is nobody's.
        "kg: 1,234 is read as 1.234; if it is 1234, say --kind kg=number:.",
        "day: 02/03/2001 is read as 3 February 2001; if it is 2 March 2001, say --kind day=datetime:%d/%m/%Y",
    )
    assert framed(str(file), smallest_count=1).notes[1:] == (
        "kg: 1,000 is read as 1; if it is 1000, say --kind kg=number:.",
        "day: 08/01/2021 is read as 1 August 2021; if it is 8 January 2021, say --kind day=datetime:%d/%m/%Y",
    )
    assert len(framed(str(file), ignore=("kg",)).notes) == 2


def test_many_doubts_are_five_lines_and_one():
    table = pl.DataFrame({**{f"x{j}": ["1,234", "2,345"] * 10 for j in range(8)}, "y": ["a", "b"] * 10})
    notes = framed(table).notes
    assert len(notes) == 6
    assert notes[-1] == "and 3 more columns that can be read in two ways: x5, x6, x7"


def test_names_are_given_as_any_object():
    table = pd.DataFrame({1: range(20), 2: range(20), 3: ["a", "b"] * 10})
    problem = framed(table, 3, ignore=(1,), kind={2: "category"}, time=None)
    assert problem.task.target == "3"
    assert [(c.name, c.role, c.kind) for c in problem.table.schema.columns] == [
        ("1", "ignore", "number"),
        ("2", "feature", "category"),
        ("3", "target", "category"),
    ]


@pytest.mark.parametrize("name", ["*", "^p.*$", "^.*$", "^$", "row", "text", "count", "a b", "c"])
def test_names_that_others_take_for_patterns_are_names(name):
    table = pl.DataFrame(
        {
            "pace": [1.5, 2.5, None, 1.5] * 10,
            name: ["1,5", "?", "2", "1,5"] * 10,
            f"{name} day": ["2020-01-01", "0000-00-00", "2020-01-03", "2020-01-01"] * 10,
            "y": ["a", "b"] * 20,
        }
    )
    problem = framed(table, kind={name: "number"})
    assert problem.table.columns([name])[name].tolist()[::2] == [1.5, 2.0] * 10
    assert problem.table.frame.columns == ["pace", name, f"{name} day", "y"]
    assert framed(table, group=name).table[name][:3].to_list() == ["1,5", None, "2"]
    assert framed(table.rename({"y": "z", name: "y"}).rename({"y": name}), "z").task.target == "z"
    renamed = pl.DataFrame([s.alias(name if s.name == "y" else f"{s.name}!") for s in table.iter_columns()])
    assert framed(renamed, name).task.classes == ("a", "b")


@pytest.mark.parametrize(("groups", "refused"), [(2, True), (3, False)])
def test_too_few_groups_to_train_on_are_named(groups, refused):
    table = frame().with_columns(pl.Series("shop", [f"s{i // 3 % groups}" for i in range(60)]))
    problem = framed(table, group="shop")
    everything = np.arange(len(problem.codes))
    if refused:
        with pytest.raises(
            DataError, match=r"column 'shop' has 2 groups, of which 2 are left .* a column of more groups"
        ):
            check_groups(problem, everything, RowOptions(group="shop"))
    else:
        check_groups(problem, everything, RowOptions(group="shop"))


def test_a_part_has_its_own_shares_of_classes():
    problem = framed(frame())
    some = part(problem, np.flatnonzero(problem.codes == 0))
    assert some.task.prevalence == (1.0, 0.0)
    assert set(some.raw["y"]) == {"a"}


def test_nothing_to_predict_from_is_told_with_the_reason_of_each_column():
    with pytest.raises(DataError, match=r"no column left to predict from: id: .* it identifies rows"):
        framed(frame().drop("x"))


def test_the_digest_is_that_of_the_file_or_of_the_values(tmp_path):
    file = tmp_path / "data.csv"
    frame().write_csv(file)
    first = framed(str(file)).digest
    assert first == framed(file).digest == hashlib.sha256(file.read_bytes()).hexdigest()
    changed = frame().with_columns(pl.col("x") + 1)
    assert framed(changed).digest != framed(frame()).digest


def test_where_nothing_is_left_to_predict_from_the_file_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"y": ["a", "b"] * 20}).write_csv(tmp_path / "only.csv")
    with pytest.raises(DataError, match=r"^only\.csv has no column left to predict from"):
        frame_problem(str(tmp_path / "only.csv"), GoalOptions("y"), RowOptions())
    pl.DataFrame({"x": [1.5] + [None] * 39, "y": ["a", "b"] * 20}).write_csv(tmp_path / "few.csv")
    with pytest.raises(DataError, match=r"^few\.csv has no column left to predict from: x: a value in 1 row only"):
        frame_problem(str(tmp_path / "few.csv"), GoalOptions("y"), RowOptions())


def test_rows_of_no_weight_are_left_out_and_told() -> None:
    rows = pl.DataFrame({"x": np.linspace(0, 1, 40), "w": [0.0, 2.0] * 20, "y": ["a", "a", "b", "b"] * 10})
    problem = framed(rows, weight="w")
    assert problem.table.rows.tolist() == list(range(1, 40, 2))
    assert problem.table.weights.tolist() == [2.0] * 20
    assert problem.codes.tolist() == [0, 1] * 10
    assert problem.task.prevalence == (0.5, 0.5)
    assert problem.notes == ("20 rows of no weight ('w' is 0) were left out",)


def test_a_table_in_memory_says_itself_of_what_kind_a_column_is() -> None:
    numbers = [*range(5)] * 8
    rows = pd.DataFrame({"x": numbers, "z": pd.Categorical(numbers), "y": ["a", "b"] * 20})
    problem = framed(rows)
    assert (problem.table.schema["x"].kind, problem.table.schema["z"].kind) == ("number", "category")
    assert problem.name == "the data"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("id", "column 'id' of the data holds no numbers, but weights"),
        ("y", "column 'y' cannot be both the weight and the target"),
        ("z", "no column 'z' in the data for the weights"),
    ],
)
def test_what_is_no_weight_is_refused(name: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        framed(frame(), weight=name)


def test_small_classes_are_named_the_largest_of_them_first() -> None:
    labels = ["z"] * 30 + ["k"] * 4 + ["b"] * 3 + ["m"] * 2
    (note,) = framed(pl.DataFrame({"x": np.linspace(0, 1, 39), "y": labels}), smallest_count=5).notes
    assert note.startswith("3 classes have fewer than 5 rows")
    assert [note.index(f"{name} rows)") for name in ("'k' (4", "'b' (3", "'m' (2")] == sorted(
        note.index(f"{name} rows)") for name in ("'k' (4", "'b' (3", "'m' (2")
    )
