"""What stands beside the rows of a scored file, and what is said of them: exact small cases."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.artifact import score
from sortal.artifact.answers import Answers
from sortal.artifact.model import Model
from sortal.artifact.score import columns_of, score_file, values_of
from sortal.core.costs import CostColumn
from sortal.core.errors import ArtifactError, DataError, OutputError
from sortal.core.images import sample_image
from sortal.core.names import free_names
from sortal.core.schema import Column, Schema
from sortal.core.task import Capacity
from sortal.data.read import Source, read
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from tests.artifact.test_network import a_model, a_network
from tests.artifact.test_sign import write_pair

NAMES = ("no", "yes")
CSV = "age,city,member,since\n30,Ulm,yes,2021-03-05\n"


def file_of(model: Model, folder: Path) -> Path:
    model.save(folder / "m.sortal")
    return folder / "m.sortal"


def notes_of(model: Model, folder: Path, *tables: str, **options: Any) -> list[str]:
    paths = [folder / f"{at}.csv" for at in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        path.write_text(table)
    return score_file(file_of(model, folder), [str(path) for path in paths], folder / "out.parquet", **options).notes


@pytest.fixture
def ten_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = score.batches
    monkeypatch.setattr(score, "batches", lambda *a, **k: (f for b in batches(*a, **k) for f in b.iter_slices(10)))


def test_what_cannot_be_read_is_noted_once_though_rows_are_read_twice(tmp_path: Path) -> None:
    within = Decision("capacity", NAMES, "yes", 0.5, capacity=Capacity(0.5))
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(sample_image(ord(name)))
    (tmp_path / "c.png").write_bytes(b"no image")
    for model in (a_model(a_network()), replace(a_model(a_network()), decision=within)):
        notes = notes_of(model, tmp_path, "photo\na.png\nc.png\nb.png\n")
        assert notes[0].startswith("photo: 1 image cannot be read: ")
        assert notes[0].endswith("c.png' in row 2 (no image)")
        assert len(notes) == 1 + (model.decision.capacity is not None)


@pytest.mark.usefixtures("ten_at_a_time")
@pytest.mark.parametrize(("tables", "name"), [(1, "0.csv"), (2, "the data")])
def test_rows_are_named_by_their_file_and_counted_over_all_batches(
    model: Model, tmp_path: Path, tables: int, name: str
) -> None:
    """A decision by costs of the rows needs one in each."""
    rule = Decision("cost", NAMES, cost=((0, 1), (1, 0)), cost_columns=(CostColumn(1, 0, "fee"),))
    schema = Schema((*model.schema.columns, Column("fee", "number", "cost")))
    task = replace(model.task, cost=rule.cost, cost_columns=rule.cost_columns)
    cost_model = replace(model, schema=schema, task=task, decision=rule)
    text = CSV.replace("since\n", "since,fee\n").replace("05\n", "05,1\n")
    head, row = text.splitlines()
    bad_text = "\n".join([head, *[row] * 24, row[:-1] + ""]) + "\n"
    given_tables = (bad_text,) if tables == 1 else ("\n".join([head, *[row] * 15]) + "\n", bad_text)
    at = 25 + (15 if tables == 2 else 0)
    with pytest.raises(DataError, match=rf"^column 'fee' of {name} has no value in row {at},"):
        notes_of(cost_model, tmp_path, *given_tables)


def test_a_table_that_was_read_already_has_its_name(model: Model, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV.replace("30", "x"))
    source = replace(read(tmp_path / "t.csv"), name="a query")
    assert score._name_of(source) == "a query"
    assert score._name_of(["folder/a.csv"]) == "a.csv"
    assert score._name_of(["a.csv", "b.csv"]) == "the data"
    models: list[Model] = []

    def later(loaded_model: Model, sha256: str) -> Source:
        assert sha256 == hashlib.sha256((tmp_path / "m.csv").read_bytes()).hexdigest()
        models.append(loaded_model)
        return source

    model.save(tmp_path / "m.csv")
    with pytest.raises(OutputError, match="is being read"):
        score_file(tmp_path / "m.csv", later, tmp_path / "m.csv")
    assert not models  # nothing is read before all else is known to be right
    with pytest.raises(DataError, match=r"^column 'age' of a query holds 'x' in row 1,"):
        score_file(tmp_path / "m.csv", later, tmp_path / "out.csv")
    assert [loaded_model.schema for loaded_model in models] == [model.schema]


def test_neither_the_model_nor_the_data_is_replaced(model: Model, tmp_path: Path) -> None:
    file = file_of(model, tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(CSV)
    paths = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for out in (tmp_path / "a.csv", tmp_path / "b.csv"):
        with pytest.raises(OutputError, match="is being read"):
            score_file(file, paths, out)
        assert out.read_text() == CSV


def test_a_model_has_to_be_signed_where_that_is_asked_for(model: Model, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    _, public = write_pair(tmp_path)
    file = file_of(model, tmp_path)
    with pytest.raises(ArtifactError, match=r"m\.sortal has no signature"):
        score_file(file, [str(tmp_path / "t.csv")], tmp_path / "out.csv", verify=public)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.usefixtures("ten_at_a_time")
@pytest.mark.parametrize(("positive", "capacity"), [("no", Capacity(0.2)), ("yes", Capacity(0.9, 5))])
def test_a_capacity_goes_to_the_best_of_all_batches(
    model: Model, tmp_path: Path, positive: str, capacity: Capacity
) -> None:
    """The positive class first and second, with costs in the rows and without."""
    rng = np.random.default_rng(0)
    n, fee = 25, Column("fee", "number", "cost")
    fees = rng.permutation(n) + 1.0
    rows = {"age": rng.permutation(n) + 20.0, "city": ["Ulm"] * n, "member": ["no"] * n, "since": ["2020-02-29"] * n}
    pl.DataFrame(rows | {"fee": fees}).write_csv(tmp_path / "t.csv")
    at = NAMES.index(positive)
    p = model.predict_proba(rows)[:, at]
    by_row = (CostColumn(at, 1 - at, "fee"),)
    cost = ((0.0, 1.0), (1.0, 0.0))
    task = replace(model.task, cost=cost, cost_columns=by_row, positive=positive)
    plain_model = replace(model, task=replace(task, cost=None, cost_columns=()))
    cost_model = replace(model, schema=Schema((*model.schema.columns, fee)), task=task)
    for variant, worth, options in (
        (plain_model, p, {}),
        (cost_model, fees * p - (1 - p), {"cost": cost, "cost_columns": by_row}),
    ):
        rule = Decision("capacity", NAMES, positive, 0.5, capacity=capacity, **options)
        result = score_file(
            file_of(replace(variant, decision=rule), tmp_path), [str(tmp_path / "t.csv")], tmp_path / "out.parquet"
        )
        decided = read(tmp_path / "out.parquet").frame["decision"].to_list()
        best = set(np.argsort(-worth)[:5].tolist())
        assert [index for index, decision in enumerate(decided) if decision == positive] == sorted(best)
        size = "20 %" if capacity.count is None else "5"
        assert result.notes == [f"within the capacity of {size}, 5 of 25 rows are decided {positive!r}"]


@pytest.mark.parametrize(
    ("capacity", "priority", "selected", "notes"),
    [
        (Capacity(0.5), [0.1, 0.2], [0, 1], ["within the capacity of 50 %, 1 of 2 rows are decided 'yes'"]),
        (
            Capacity(0.5, 1_200),
            [0.3, 0.3, 0.1],
            [1, 0, 0],
            [
                "within the capacity of 1,200, 1 of 3 rows are decided 'yes'",
                "2 rows tie at the cut: the first 1 of them were taken",
            ],
        ),
        (
            Capacity(0.6),
            [0.9, 0.3, 0.3, 0.3, 0.3],
            [1, 1, 1, 0, 0],
            [
                "within the capacity of 60 %, 3 of 5 rows are decided 'yes'",
                "4 rows tie at the cut: the first 2 of them were taken",
            ],
        ),
        (Capacity(0.6), [0.3, 0.3], [1, 1], ["within the capacity of 60 %, 2 of 2 rows are decided 'yes'"]),
        (Capacity(0.0), [0.3, 0.3], [0, 0], ["within the capacity of 0 %, 0 of 2 rows are decided 'yes'"]),
    ],
)
def test_what_is_said_of_a_capacity(
    model: Model, capacity: Capacity, priority: list[float], selected: list[int], notes: list[str]
) -> None:
    within = replace(model, decision=Decision("capacity", NAMES, "yes", 0.5, capacity=capacity))
    assert score._about_the_cut(within, np.array(priority), np.array(selected, dtype=bool)) == notes
    assert score._about_the_cut(model, np.array(priority), np.array(selected, dtype=bool)) == []


def test_answers_stand_in_the_order_of_their_columns(model: Model) -> None:
    sets = Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2)
    answers = Answers(
        np.array(["no", "yes"]), np.array([[0.75, 0.25], [0.25, 0.75]]), np.array(["yes", "yes"]),
        np.array([[True, False], [True, True]]), [["a", "b"], []],
    )  # fmt: skip
    usual_names = ("prediction", "decision", "probability_no", "probability_yes")
    expected: dict[str, list[Any]] = {
        "prediction": ["no", "yes"],
        "decision": ["yes", "yes"],
        "probability_no": [0.75, 0.25],
        "probability_yes": [0.25, 0.75],
        "set": ['["no"]', '["no", "yes"]'],
        "warnings": ["a; b", ""],
    }
    with_sets = replace(model, sets=sets)
    for variant, warnings, names in (
        (model, False, usual_names),
        (model, True, (*usual_names, "warnings")),
        (with_sets, False, (*usual_names, "set")),
        (with_sets, True, (*usual_names, "set", "warnings")),
    ):
        assert columns_of(variant, warnings) == names
        part = replace(
            answers,
            sets=answers.sets if "set" in names else None,
            warnings=answers.warnings if "warnings" in names else None,
        )
        values = [list(column) for column in values_of(variant, part)]
        assert dict(zip(names, values, strict=True)) == {name: expected[name] for name in names}
    umlaut = replace(
        with_sets, task=replace(model.task, classes=("nö", "yes")), decision=Decision("argmax", ("nö", "yes"))
    )
    assert values_of(umlaut, answers)[4][0] == '["nö"]'
    assert json.loads(values_of(umlaut, answers)[4][1]) == ["nö", "yes"]


WORDS = st.sampled_from(["a", "b", "a_2", "a_3", "b_2", "a_2_2"])


@given(names=st.lists(WORDS, unique=True), used_names=st.sets(WORDS))
def test_names_are_free_and_the_first_that_are(names: list[str], used_names: set[str]) -> None:
    free = free_names(names, used_names)
    assert list(free) == names
    assert len(set(free.values())) == len(names)
    assert not set(free.values()) & used_names
    for name, new_name in free.items():
        assert (new_name == name) == (name not in used_names)
        if new_name != name:
            number = int(new_name.removeprefix(f"{name}_"))
            assert number >= 2
            assert all(f"{name}_{k}" in {*used_names, *names} for k in range(2, number))


def test_a_column_that_only_some_files_name(model: Model, tmp_path: Path) -> None:
    notes = notes_of(model, tmp_path, "age,city\n30,Ulm\n", allow_missing=True)
    assert notes == [
        "no column 'member', which the model reads: taken as missing in all rows",
        "no column 'since', which the model reads: taken as missing in all rows",
    ]
