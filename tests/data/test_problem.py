from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sortal.core.disclosure import Disclosure
from sortal.core.errors import DataError, OptionError
from sortal.core.frame import conform
from sortal.core.labels import encode
from sortal.core.recipe import Recipe
from sortal.core.schema import Column, Schema
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import (
    _schema,
    check_groups,
    check_weights,
    doubts,
    frame_problem,
    lone_note,
    open_source,
    part,
    small_classes,
    with_cost_columns,
    with_enough_rows,
)
from sortal.data.read import Source


def problem_from(data, target="y", **options):
    recipe = Recipe.of(target, **options)
    return frame_problem(data, recipe.goal, recipe.rows)


def frame(rows=60):
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {"x": rng.normal(size=rows), "id": [f"k{i}" for i in range(rows)], "y": ["a", "b", None] * (rows // 3)}
    )


def test_rows_without_a_label_are_left_out_and_told():
    problem = problem_from(frame())
    assert len(problem.table) == len(problem.codes) == problem.raw.height == 40
    assert problem.table.rows[:4].tolist() == [0, 1, 3, 4]
    assert problem.notes == ("20 rows without a value of 'y' were left out",)
    assert [problem.task.classes[c] for c in problem.codes[:2]] == ["a", "b"]


def problem_of(labels, **options):
    n = len(labels)
    table = pl.DataFrame({"x": np.linspace(0, 1, n), "y": labels})
    return problem_from(table, **options)


def test_a_class_of_one_row_is_left_out_and_not_named_in_files():
    problem = problem_of(["a"] * 30 + ["Mr. Smith"] + ["b"] * 29)
    assert problem.task.classes == ("a", "b")
    assert len(problem.table) == problem.raw.height == 59
    assert problem.table.rows[29:31].tolist() == [29, 31]
    assert problem.notes == (
        "1 class of 'y' has one row (row 31), which cannot be both learned and tested: it was left out, and the model "
        "never says it; give more rows, or merge it with another class",
    )
    assert "(row" not in problem_of(["a"] * 30 + ["Mr. Smith"] + ["b"] * 29, private=True).notes[0]
    both = problem_of(["c", *["a"] * 30, "d", *["b"] * 28])
    assert both.task.prevalence == (30 / 58, 28 / 58)
    assert both.notes[0].startswith(
        "2 classes of 'y' have one row (row 1, 32), which cannot be both learned and tested"
    )


def test_a_class_called_as_missing_values_are_is_kept_and_told():
    problem = problem_of(["EU", "NA", "AS"] * 20)
    assert problem.task.classes == ("AS", "EU", "NA")
    assert problem.notes == (
        "'NA' is a class of 'y' (20 rows); if it means that there is no value, say --missing 'NA'",
    )
    assert problem_of(["EU", "NA", "AS"] * 20, missing=("NA",)).task.classes == ("AS", "EU")


def test_labels_that_mean_missing_are_named_and_counted():
    problem = problem_of(["yes", "no", "?", "yes", "no", ""] * 10)
    assert problem.task.classes == ("no", "yes")
    assert problem.notes == (
        "20 rows without a value of 'y' were left out: 10 '?', 10 blank; if '?' is a class, say --missing ''",
    )
    all_labels = problem_of(["yes", "no", "?", "yes", "no", ""] * 10, missing=())
    assert all_labels.task.classes == ("?", "no", "yes")
    assert all_labels.notes[0] == "10 rows without a value of 'y' were left out"


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
    task = problem_from(table).task
    assert task.label_type == kind
    assert [task.label(code) for code in range(len(task.classes))] == classes


@pytest.mark.parametrize(
    "new_labels", [["1", "0"], ["1.0", "0.0"], [1, 0], [1.0, 0.0], [True, False], ["True", "FALSE"]]
)
@pytest.mark.parametrize(
    "train_labels", [["1", "0"], ["1.0", "0.0"], [1, 0], [1.0, 0.0], [True, False], ["True", "False"]]
)
def test_labels_of_any_door_meet_the_classes_of_any_other(train_labels, new_labels):
    problem = problem_of(train_labels * 20)
    labels = conform(pl.DataFrame({"y": [*new_labels, None]}), problem.table.schema, ("target",))["y"]
    assert encode(labels, problem.task).tolist() == [1, 0, -1]


def test_what_was_assumed_is_told_of_columns_that_are_used(tmp_path):
    file = tmp_path / "data.csv"
    rows = [f"1,{i:03};0{1 + i % 9}/0{1 + i % 7}/2021;{'ab'[i % 2]}\n" for i in range(40)]
    file.write_text("kg;day;y\n" + "".join(rows))
    problem = problem_from(str(file))
    assert problem.table.frame["kg"][:2].to_list() == [1.0, 1.001]
    assert problem.notes[1:] == (
        # No value is there five times: the digits are others, and the day is nobody's.
        "kg: 1,234 is read as 1.234; if it is 1234, say --kind kg=number:.",
        "day: 02/03/2001 is read as 3 February 2001; if it is 2 March 2001, say --kind day=datetime:%d/%m/%Y",
    )
    assert problem_from(str(file), smallest_count=1).notes[1:] == (
        "kg: 1,000 is read as 1; if it is 1000, say --kind kg=number:.",
        "day: 08/01/2021 is read as 1 August 2021; if it is 8 January 2021, say --kind day=datetime:%d/%m/%Y",
    )
    assert len(problem_from(str(file), ignore=("kg",)).notes) == 2


def test_many_doubts_are_five_lines_and_one():
    table = pl.DataFrame({**{f"x{j}": ["1,234", "2,345"] * 10 for j in range(8)}, "y": ["a", "b"] * 10})
    notes = problem_from(table).notes
    assert len(notes) == 6
    assert notes[-1] == "and 3 more columns that can be read in two ways: x5, x6, x7"


def test_names_are_given_as_any_object():
    table = pd.DataFrame({1: range(20), 2: range(20), 3: ["a", "b"] * 10})
    problem = problem_from(table, 3, ignore=(1,), kind={2: "category"}, time=None)
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
    problem = problem_from(table, kind={name: "number"})
    assert problem.table.columns([name])[name].tolist()[::2] == [1.5, 2.0] * 10
    assert problem.table.frame.columns == ["pace", name, f"{name} day", "y"]
    assert problem_from(table, group=name).table[name][:3].to_list() == ["1,5", None, "2"]
    assert problem_from(table.rename({"y": "z", name: "y"}).rename({"y": name}), "z").task.target == "z"
    renamed_table = pl.DataFrame([s.alias(name if s.name == "y" else f"{s.name}!") for s in table.iter_columns()])
    assert problem_from(renamed_table, name).task.classes == ("a", "b")


@pytest.mark.parametrize(("groups", "is_refused"), [(2, True), (3, False)])
def test_too_few_groups_to_train_on_are_named(groups, is_refused):
    table = frame().with_columns(pl.Series("shop", [f"s{i // 3 % groups}" for i in range(60)]))
    problem = problem_from(table, group="shop")
    all_rows = np.arange(len(problem.codes))
    if is_refused:
        with pytest.raises(
            DataError, match=r"column 'shop' has 2 groups, of which 2 are left .* a column of more groups"
        ):
            check_groups(problem, all_rows, RowOptions(group="shop"))
    else:
        check_groups(problem, all_rows, RowOptions(group="shop"))


def test_a_part_has_its_own_shares_of_classes():
    problem = problem_from(frame())
    subset = part(problem, np.flatnonzero(problem.codes == 0))
    assert subset.task.prevalence == (1.0, 0.0)
    assert set(subset.raw["y"]) == {"a"}


def test_nothing_to_predict_from_is_told_with_the_reason_of_each_column():
    with pytest.raises(DataError, match=r"no column left to predict from: id: .* it identifies rows"):
        problem_from(frame().drop("x"))


def test_the_digest_is_that_of_the_file_or_of_the_values(tmp_path):
    file = tmp_path / "data.csv"
    frame().write_csv(file)
    first = problem_from(str(file)).digest
    assert first == problem_from(file).digest == hashlib.sha256(file.read_bytes()).hexdigest()
    changed = frame().with_columns(pl.col("x") + 1)
    assert problem_from(changed).digest != problem_from(frame()).digest


def test_where_nothing_is_left_to_predict_from_the_file_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"y": ["a", "b"] * 20}).write_csv(tmp_path / "only.csv")
    with pytest.raises(DataError, match=r"^only\.csv has no column left to predict from"):
        frame_problem(str(tmp_path / "only.csv"), GoalOptions("y"), RowOptions())
    pl.DataFrame({"x": [1.5] + [None] * 39, "y": ["a", "b"] * 20}).write_csv(tmp_path / "few.csv")
    with pytest.raises(DataError, match=r"^few\.csv has no column left to predict from: x: a value in 1 row only"):
        frame_problem(str(tmp_path / "few.csv"), GoalOptions("y"), RowOptions())


def test_rows_of_no_weight_are_left_out_and_told() -> None:
    rows = pl.DataFrame({"x": np.linspace(0, 1, 40), "w": [0.0, 2.0] * 20, "y": ["a", "a", "b", "b"] * 10})
    problem = problem_from(rows, weight="w")
    assert problem.table.rows.tolist() == list(range(1, 40, 2))
    assert problem.table.weights.tolist() == [2.0] * 20
    assert problem.codes.tolist() == [0, 1] * 10
    assert problem.task.prevalence == (0.5, 0.5)
    assert problem.notes == ("20 rows of no weight ('w' is 0) were left out",)


def test_a_table_in_memory_says_itself_of_what_kind_a_column_is() -> None:
    numbers = [*range(5)] * 8
    rows = pd.DataFrame({"x": numbers, "z": pd.Categorical(numbers), "y": ["a", "b"] * 20})
    problem = problem_from(rows)
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
        problem_from(frame(), weight=name)


def test_small_classes_are_named_the_largest_of_them_first() -> None:
    labels = ["z"] * 30 + ["k"] * 4 + ["b"] * 3 + ["m"] * 2
    (note,) = problem_from(pl.DataFrame({"x": np.linspace(0, 1, 39), "y": labels}), smallest_count=5).notes
    assert note.startswith("3 classes have fewer than 5 rows")
    assert [note.index(f"{name} rows)") for name in ("'k' (4", "'b' (3", "'m' (2")] == sorted(
        note.index(f"{name} rows)") for name in ("'k' (4", "'b' (3", "'m' (2")
    )


def test_a_part_takes_everything_of_its_rows() -> None:
    rows = pl.DataFrame({"x": np.linspace(0, 1, 60), "y": ["a", "b", None] * 20})
    problem = replace(problem_from(rows), names=pl.DataFrame({"image": [f"{k}.png" for k in range(40)]}))
    index = np.array([5, 0, 30, 1])
    subset = part(problem, index)
    assert subset.codes.tolist() == problem.codes[index].tolist() == [1, 0, 0, 1]
    assert subset.table.rows.tolist() == problem.table.rows[index].tolist() == [7, 0, 45, 1]
    assert subset.raw["x"].to_list() == subset.table["x"].to_list() == rows["x"].gather([7, 0, 45, 1]).to_list()
    assert subset.names["image"].to_list() == ["5.png", "0.png", "30.png", "1.png"]
    assert subset.task.prevalence == (0.5, 0.5)
    assert part(problem, np.array([1, 3, 5])).task.prevalence == (0.0, 1.0)
    assert part(problem_from(rows), index).names.shape == (0, 0)
    other = pl.DataFrame({"other": range(4)})
    assert part(problem, index, other).raw is other


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, None, 2.0, None], "w has no value in row 2 (2 in all)"),
        ([1.0, 2.0, float("nan"), 1.0], "w has no value in row 3 (1 in all)"),
        ([1.0, -1.0, 2.0, -2.0], "w has a negative weight in row 2 (2 in all)"),
        ([0.0, 0.0, 0.0, 0.0], "w is 0 in every row, so that no row counts"),
        ([None, 1.0, 0.0, 0.0], None),  # the first row has no label
        ([-1.0, 1.0, 0.0, 2.0], None),
        ([5.0, 0.0, 0.0, 0.0], "w is 0 in every row"),
    ],
)
def test_which_weights_a_row_may_have(weights: list[float | None], message: str | None) -> None:
    labels = pl.Series([None, "a", "b", "a"]) if weights[0] != 1.0 and weights != [0.0] * 4 else pl.Series(list("abab"))
    weight_series = pl.Series(weights, dtype=pl.Float64)
    if message is None:
        assert check_weights(weight_series, labels, "w").to_list() == [False, *(w == 0 for w in weights[1:])]
    else:
        with pytest.raises(DataError) as excinfo:
            check_weights(weight_series, labels, "w")
        assert str(excinfo.value).startswith(message)


def test_whole_numbers_and_a_yes_may_be_weights() -> None:
    labels = pl.Series(["a", None, "b"])
    assert check_weights(pl.Series([0, 0, 3]), labels, "w").to_list() == [True, False, False]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1.0] * 4 + [None] * 36, "a value in 4 rows only"),
        ([1.0] + [None] * 39, "a value in 1 row only"),
        ([1.0, 2.0] * 2 + [3.0] + [None] * 35, None),
        ([True] * 4 + [False] * 36, "yes in 4 rows only"),
        ([False] + [True] * 39, "no in 1 row only"),
        ([True] * 5 + [False] * 35, None),
        ([False] * 5 + [True] * 35, None),
        ([True] * 5 + [False] * 4 + [None] * 31, "no in 4 rows only"),
        ([True] * 40, None),
        ([None] * 40, None),
    ],
)
def test_what_too_few_rows_have_is_left_out(values: list[object], reason: str | None) -> None:
    frame = pl.DataFrame({"x": values, "z": np.arange(40.0)})
    kind = "boolean" if any(isinstance(value, bool) for value in values) else "number"
    schema = Schema((Column("x", kind, "feature"), Column("z", "number", "feature")))
    new_schema = with_enough_rows(schema, frame, 5)
    assert new_schema["z"] == schema["z"]
    if reason is None:
        assert new_schema == schema
    else:
        assert new_schema["x"].role == "ignore"
        assert new_schema["x"].reason == f"{reason}, fewer than 5 (--smallest-count): too few to learn from"
    assert with_enough_rows(schema, frame, 1) == schema


@pytest.mark.parametrize(
    ("groups", "train", "is_refused"),
    [
        (["a", "b", "c", "c"], [0, 1, 2, 3], False),
        (["a", "b", "c", "c"], [0, 1], True),
        (["a", "b", "c", "d"], [0, 1, 3], False),
        (["a", "a", "b", "b"], [0, 1, 2, 3], True),
    ],
)
def test_the_groups_that_are_left_to_train_on_are_counted(
    groups: list[str], train: list[int], is_refused: bool
) -> None:
    rows = pl.DataFrame({"x": np.linspace(0, 1, 40), "who": groups * 10, "y": ["a", "b"] * 20})
    problem = problem_from(rows, group="who")
    index = np.array(train)
    if is_refused:
        message = f"column 'who' has {len(set(groups))} groups, of which 2 are left to train on"
        with pytest.raises(DataError, match=message):
            check_groups(problem, index, RowOptions(group="who"))
    else:
        check_groups(problem, index, RowOptions(group="who"))
    check_groups(problem, index, RowOptions(group="who", time="x"))  # time decides there
    check_groups(problem, index, RowOptions())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a": 30, "b": 5}, None),
        (
            {"a": 30, "b": 4},
            "1 class has fewer than 5 rows and will be named by the model, since that is what a model says: 'b' (4 rows); join it with",
        ),
        (
            {"a": 4, "b": 3},
            "2 classes have fewer than 5 rows and will be named by the model, since that is what a model says: 'a' (4 rows), 'b' (3 rows); join them with",
        ),
    ],
)
def test_classes_of_few_rows_are_named(counts: dict[str, int], expected: str | None) -> None:
    labels = pl.Series([label for label, rows in counts.items() for _ in range(rows)] + [None] * 3)
    notes = small_classes(labels, 5)
    assert [note[: len(expected or "")] for note in notes] == ([] if expected is None else [expected])


def test_of_lone_rows_the_first_are_named_by_their_place_in_what_was_read() -> None:
    lone = pl.Series([k % 2 == 0 for k in range(14)])
    assert "7 classes of 'y' have one row (row 1, 3, 5, 7 and 3 more)" in lone_note("y", lone, None, Disclosure(5))
    source_rows = np.arange(14) * 100 + 10
    assert "(row 11, 211, 411, 611 and 3 more)" in lone_note("y", lone, source_rows, Disclosure(5))
    assert "have one row, which cannot" in lone_note("y", lone, source_rows, Disclosure(5, private=True))
    one = pl.Series([None, True, False])
    assert lone_note("y", one, None, Disclosure(5)) == (
        "1 class of 'y' has one row (row 2), which cannot be both learned and tested: it was left out, and the model "
        "never says it; give more rows, or merge it with another class"
    )


def test_weightless_and_lone_rows_leave_together() -> None:
    rows = pl.DataFrame(
        {"x": np.linspace(0, 1, 40), "w": [0.0] * 4 + [1.0] * 36, "y": ["a", "b"] * 19 + ["lone", None]}
    )
    problem = problem_from(rows, weight="w")
    assert problem.table.rows.tolist() == list(range(4, 38))
    assert [note.split(" ")[:2] for note in problem.notes] == [["1", "rows"], ["4", "rows"], ["1", "class"]]
    assert problem.table.weights.tolist() == [1.0] * 34


def test_costs_and_weights_of_columns_have_roles_of_their_own() -> None:
    rows = pl.DataFrame(
        {
            "x": np.linspace(0, 1, 40),
            "loss": np.arange(40.0),
            "word": [f"w{k % 7}" for k in range(40)],
            "y": ["a", "b"] * 20,
        }
    )
    schema = problem_from(rows, ignore=("loss",)).table.schema
    assert schema["loss"].role == "ignore"
    assert with_cost_columns(schema, ["fp=loss"], "t.csv")["loss"].role == "cost"
    assert with_cost_columns(schema, ["fp= loss "], "t.csv")["loss"].reason == "what a decision costs; no model sees it"
    plain_schema = problem_from(rows).table.schema
    assert with_cost_columns(plain_schema, ["fp=loss"], "t.csv") == plain_schema  # what a model may see stays a feature
    assert with_cost_columns(plain_schema, ["fp=", "fp"], "t.csv") == plain_schema
    with pytest.raises(OptionError, match=r"no column 'lost' in t\.csv for the costs; did you mean 'loss'"):
        with_cost_columns(plain_schema, ["fp=loss", "fn=lost"], "t.csv")
    with pytest.raises(OptionError, match=r"column 'word' of t\.csv holds no numbers, but costs: "):
        with_cost_columns(plain_schema, ["fp=word"], "t.csv")
    with pytest.raises(OptionError, match="column 'x' cannot be both the weight and ignored; drop one of the two"):
        problem_from(rows, weight="x", ignore=("x",))


@pytest.mark.parametrize("to_path", [str, Path, lambda path: [path], lambda path: (str(path), path)])
def test_files_are_opened_by_any_sort_of_path(to_path, tmp_path: Path) -> None:
    rows = frame().drop("id")
    rows.write_csv(tmp_path / "t.csv")
    source = open_source(to_path(tmp_path / "t.csv"))
    assert source.name.startswith("t.csv")
    assert source.frame.width == 2
    assert (open_source(rows).name, open_source(rows).records, open_source([{"x": 1}]).records) == (
        "the data",
        False,
        True,
    )


def test_the_digest_of_several_files_is_of_their_values(tmp_path: Path) -> None:
    rows = frame().drop("id")
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for path in paths:
        rows.write_csv(path)
    from_files, from_frame = problem_from(list(map(str, paths))), problem_from(pl.concat([rows, rows]).cast(pl.String))
    assert from_files.digest == from_frame.digest
    assert from_files.digest != problem_from(str(paths[0])).digest != problem_from(rows).digest
    assert problem_from(rows.reverse()).digest != problem_from(rows).digest
    values = rows.hash_rows(seed=0).to_numpy().tobytes()
    assert problem_from(rows).digest == hashlib.sha256(values).hexdigest()


def test_five_doubts_are_five_lines() -> None:
    columns = tuple(Column(f"x{k}", "number", "feature", doubt=f"doubt {k}") for k in range(7))
    ignored_column = Column("z", "number", "ignore", doubt="nobody asks")
    assert doubts(Schema((ignored_column, *columns[:5]))) == [f"x{k}: doubt {k}" for k in range(5)]
    assert doubts(Schema((ignored_column, *columns[:6])))[5:] == ["and 1 more columns that can be read in two ways: x5"]
    assert doubts(Schema(columns))[5:] == ["and 2 more columns that can be read in two ways: x5, x6"]
    assert doubts(Schema((ignored_column,))) == []


def test_the_part_that_a_source_names_is_no_feature_unless_it_is_asked_for() -> None:
    rows = pl.DataFrame({"x": np.linspace(0, 1, 40), "part": ["train", "test"] * 20, "y": ["a", "a", "b", "b"] * 10})
    source = Source(rows, "photos", part="part")
    for options, role in ((RowOptions(), "ignore"), (RowOptions(split="part"), "split")):
        assert _schema(source, GoalOptions("y"), options)["part"].role == role
    assert _schema(replace(source, part=""), GoalOptions("y"), RowOptions())["part"].role == "feature"
