"""What ``predict`` writes, for every format: nothing of the user's is lost, and what has to be known is said."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sortal.artifact.model import Model
from sortal.artifact.score import columns_of, score_file
from sortal.core.errors import DataError
from sortal.core.names import free_names
from sortal.core.task import Capacity, Task
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine import Program

ENDINGS = (".csv", ".tsv", ".parquet", ".arrow", ".jsonl", "screen")
ROWS = {
    "age": ["30", None, "61.5"],
    "city": ["Ulm", "Bonn", None],
    "member": ["yes", None, "no"],
    "since": ["2021-03-05", "2020-01-01", "1999-12-31"],
}


def save(model: Model, folder: Path) -> Path:
    model.save(folder / "model.sortal")
    return folder / "model.sortal"


def score_and_read(file: Path, data: Path | list[Path], ending: str, **options):
    """What is read back of a scored file, all of it as text where the format is text."""
    paths = [str(path) for path in (data if isinstance(data, list) else [data])]
    out = file.parent / f"out{ending}"
    if ending == "screen":
        with redirect_stdout(io.StringIO()) as screen:
            result = score_file(file, paths, None, **options)
        return pl.read_csv(io.StringIO(screen.getvalue()), infer_schema=False), result
    result = score_file(file, paths, out, **options)
    readers = {
        ".csv": lambda: pl.read_csv(out, infer_schema=False),
        ".tsv": lambda: pl.read_csv(out, infer_schema=False, separator="\t"),
        ".parquet": lambda: pl.read_parquet(out),
        ".arrow": lambda: pl.read_ipc(out),
        ".jsonl": lambda: pl.read_ndjson(out),
    }
    return readers[ending](), result


OWN = (
    "prediction",
    "decision",
    "set",
    "warnings",
    "probability_no",
    "probability_yes",
    "decision_2",
    "probability_yes_2",
)


@given(
    own_names=st.sets(st.sampled_from(OWN)), ending=st.sampled_from(ENDINGS), sets=st.booleans(), warnings=st.booleans()
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_column_of_the_user_is_lost_in_any_format(model, tmp_path, own_names, ending, sets, warnings):
    if sets:
        model = replace(model, sets=Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2))
    file, rows = save(model, tmp_path), ROWS | {name: [f"my {name}", "2", "3"] for name in sorted(own_names)}
    pl.DataFrame(rows).write_csv(tmp_path / "new.csv")
    output, result = score_and_read(file, tmp_path / "new.csv", ending, warnings=warnings)
    names = [*rows, *free_names(columns_of(model, warnings), list(rows)).values()]
    assert output.columns == names
    for name, values in rows.items():
        assert output[name].cast(pl.String).to_list() == values
    renamed_columns = sorted(set(columns_of(model, warnings)) & set(own_names))
    assert sorted(note.split("'")[1] for note in result.notes) == renamed_columns
    assert all(note.split("'")[3] in output.columns for note in result.notes)


def test_the_truth_may_be_called_decision(model, tmp_path):
    """A target of the name that a column of the result would have."""
    renamed_model = replace(model, task=replace(model.task, target="decision"))
    pl.DataFrame(ROWS | {"decision": ["yes", "no", "yes"]}).write_csv(tmp_path / "new.csv")
    output, result = score_and_read(save(renamed_model, tmp_path), tmp_path / "new.csv", ".csv")
    assert output.columns == [*ROWS, "decision", "prediction", "decision_2", "probability_no", "probability_yes"]
    assert output["decision"].to_list() == ["yes", "no", "yes"]
    assert output["decision_2"].to_list() == model.decide(pl.DataFrame(ROWS)).tolist()
    assert result.notes == [
        "the data has a column 'decision' of its own, which stays: what the model says is in 'decision_2'"
    ]


def three_classes(model: Model, classes: tuple[str, ...], labels: str = "str") -> Model:
    program = Program(
        "chain",
        steps=(
            Program("table", steps=(Program("number", {"column": "age"}),)),
            Program("fill", {}, {"value": np.array([40.0]), "indicator": np.array([], dtype=np.int32)}),
            Program(
                "linear",
                {"link": "softmax"},
                {"coef": np.array([[0.05], [0.0], [-0.05]]), "intercept": np.array([-2.0, 0.0, 2.0])},
            ),
        ),
    )
    task = Task("y", classes, (0.3, 0.3, 0.4), None, "log_loss", (), (), label_type=labels)
    sets = Sets("lac", 0.9, (50, 50, 50), (0.3, 0.3, 0.3), 1.5)
    return replace(model, task=task, decision=Decision("argmax", classes), program=program, sets=sets)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("classes", "labels", "values"),
    [
        (("a", "a|b", "b"), "str", ("a", "a|b", "b")),
        (('say "x"', "x, y", "日本\n"), "str", ('say "x"', "x, y", "日本\n")),
        (("1", "2", "10"), "int", (1, 2, 10)),
    ],
)
def test_a_set_is_a_json_list_that_reads_back_equal(model, tmp_path, ending, classes, labels, values):
    model = three_classes(model, classes, labels)
    pl.DataFrame({"age": ["0", "40", "20", "80"]}).write_csv(tmp_path / "new.csv")
    output, _ = score_and_read(save(model, tmp_path), tmp_path / "new.csv", ending)
    sets = model.predict_set({"age": [0, 40, 20, 80]})
    expected = [[label for label, is_in in zip(values, row, strict=True) if is_in] for row in sets]
    assert len({str(names) for names in expected}) > 2
    assert [json.loads(text) for text in output["set"]] == expected


@pytest.mark.parametrize("ending", [".csv", ".parquet", "screen"])
def test_a_column_may_be_missing_where_that_is_allowed(model, tmp_path, ending):
    file, rows = save(model, tmp_path), {name: ROWS[name] for name in ("age", "member", "since")}
    pl.DataFrame(rows).write_csv(tmp_path / "new.csv")
    with pytest.raises(DataError, match=r"new.csv has no column 'city', .*; --allow-missing takes it as missing"):
        score_file(file, [str(tmp_path / "new.csv")], None)
    output, result = score_and_read(file, tmp_path / "new.csv", ending, allow_missing=True, warnings=True)
    expected = model.predict_proba(rows | {"city": [None] * 3})
    np.testing.assert_allclose(output["probability_yes"].cast(pl.Float64), expected[:, 1])
    assert result.notes == ["no column 'city', which the model reads: taken as missing in all rows"]
    assert result.shifts == ()
    assert "city" not in output.columns
    assert "city" not in "".join(str(text) for text in output["warnings"])


def test_in_python_too_and_never_all_of_them(model):
    rows = {name: ROWS[name] for name in ("age", "member", "since")}
    full_rows = rows | {"city": [None] * 3}
    with pytest.raises(DataError, match="--allow-missing"):
        model.predict_proba(rows)
    assert_array_equal(model.predict_proba(rows, allow_missing=True), model.predict_proba(full_rows))
    assert_array_equal(model.predict(rows, allow_missing=True), model.predict(full_rows))
    assert_array_equal(model.decide(rows, allow_missing=True), model.decide(full_rows))
    assert model.compare(rows, allow_missing=True) == ()
    with pytest.raises(DataError, match=r"no column 'age' \(nor any other\)"):
        model.predict_proba({"other": [1]}, allow_missing=True)
    assert model.predict_proba({"age": 30.0}, allow_missing=True).shape == (1, 2)


def test_what_is_not_as_in_training_is_said_of_all_batches_together(model, tmp_path):
    file = save(model, tmp_path)
    rows = pl.DataFrame(ROWS | {"city": ["ULM", "BONN", "Ulm"]})
    pl.concat([rows] * 10).write_csv(tmp_path / "one.csv")
    pl.concat([rows] * 20).write_csv(tmp_path / "two.csv")
    output, result = score_and_read(file, [tmp_path / "one.csv", tmp_path / "two.csv"], ".csv", warnings=True)
    shifts = {shift.column: shift for shift in result.shifts}
    assert (shifts["city"].what, shifts["city"].rows) == ("unseen", 90)
    assert shifts["city"].message.startswith("'city': 66.7 % of its values were not seen in training, such as 'ULM'")
    assert output["warnings"].to_list()[:2] == [
        "'city': 'ULM' was never seen in training",
        "'city': 'BONN' was never seen in training",
    ]
    assert model.compare(output.drop("warnings")) == result.shifts
    assert model.odd_values(ROWS) == [[], [], ["'city': is missing, and never was in training"]]


def test_a_capacity_is_one_of_all_batches_and_the_header_stands_once(model, tmp_path):
    """More rows than are read at a time, and the best of them at the end."""
    rule = Decision("capacity", ("no", "yes"), "yes", 0.9, capacity=Capacity(0.02))
    model, n = replace(model, decision=rule), 70_007
    ages = np.where(np.arange(n) < 68_500, np.arange(n) % 40, 90).astype(np.float64)
    rows = pl.DataFrame({"age": ages, "city": ["Ulm"] * n, "member": ["yes"] * n, "since": ["2021-03-05"] * n})
    rows.write_csv(tmp_path / "new.csv")
    file = save(model, tmp_path)
    for ending in ("screen", ".parquet"):
        output, result = score_and_read(file, tmp_path / "new.csv", ending)
        assert (output.height, result.rows) == (n, n)
        selected = np.flatnonzero((output["decision"] == "yes").to_numpy())
        assert selected.tolist() == list(range(68_500, 68_500 + n * 2 // 100))
        assert result.notes == [
            f"within the capacity of 2 %, {n * 2 // 100:,} of {n:,} rows are decided 'yes'",
            f"1,507 rows tie at the cut: the first {n * 2 // 100:,} of them were taken",
        ]
    assert_array_equal(model.decide(rows) == "yes", (output["decision"] == "yes").to_numpy())
