from __future__ import annotations

import itertools
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import lightgbm as lgb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from sortal.artifact import model as model_module
from sortal.artifact.golden import golden_rows
from sortal.artifact.model import Model, check_parity, load
from sortal.artifact.store import Golden
from sortal.core.errors import ArtifactError, DataError, OptionError, OutputError, ParityError
from sortal.core.frame import conform
from sortal.core.profile import profile, profile_of_scores
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine import Program, compile
from sortal.models.trees import from_lightgbm

ROWS = [
    {"age": 30, "city": "Ulm", "member": "yes", "since": "2021-03-05", "note": "hello"},
    {"age": None, "city": "Paris", "member": None, "since": None, "note": None},
    {"age": 61.5, "city": None, "member": "no", "since": "1999-12-31", "note": ""},
]
LOG_ODDS = [
    0.1 * 30 - 1 + 0.5 - 2.021 + 0.06 - 2,
    0.1 * 40 + 0.5 - 0.5 - 2.0 + 0.12 + 0.3 - 2,
    0.1 * 61.5 - 1.999 + 0.24 - 2,
]


def table(rows: list[dict]) -> Table:
    schema = Schema(
        (Column("age", "number"), Column("city", "category"), Column("since", "datetime", format="%Y-%m-%d"))
    )
    return Table(schema, conform(pl.DataFrame(rows), schema), np.arange(len(rows)))


def test_probabilities_of_any_table(model):
    expected = np.column_stack([expit(-np.array(LOG_ODDS)), expit(LOG_ODDS)])
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    for rows in (ROWS, columns, pl.DataFrame(ROWS), pl.DataFrame(ROWS).lazy(), pd.DataFrame(ROWS)):
        assert_allclose(model.predict_proba(rows), expected, rtol=1e-12)
    assert_allclose(model.predict_proba(ROWS[2]), expected[2:], rtol=1e-12)


def test_a_column_that_the_program_does_not_use_may_be_left_out(model):
    without = pl.DataFrame(ROWS).drop("note")
    assert_array_equal(model.predict_proba(without), model.predict_proba(ROWS))
    with pytest.raises(DataError, match="'city'"):
        model.predict_proba(without.drop("city"))


@pytest.mark.parametrize(
    ("kind", "classes", "labels"),
    [
        ("str", ("no", "yes"), ["no", "yes"]),
        ("int", ("-1", "10"), [-1, 10]),
        ("float", ("0.5", "2.0"), [0.5, 2.0]),
        ("bool", ("false", "true"), [False, True]),
    ],
)
def test_labels_come_back_in_the_type_that_they_had(model, tmp_path, kind, classes, labels):
    task = replace(model.task, classes=classes, positive=classes[1], label_type=kind)
    decision = replace(model.decision, classes=classes, positive=classes[1], threshold=0.7)
    replace(model, task=task, decision=decision).save(tmp_path / "m.sortal")
    loaded_model = load(tmp_path / "m.sortal")
    probability = loaded_model.predict_proba(ROWS)[:, 1]
    assert loaded_model.predict(ROWS).tolist() == [labels[int(p > 0.5)] for p in probability]
    assert loaded_model.decide(ROWS).tolist() == [labels[int(p >= 0.7)] for p in probability]
    assert loaded_model.predict(ROWS).tolist() != loaded_model.decide(ROWS).tolist()
    assert [type(label) for label in loaded_model.predict(ROWS).tolist()] == [type(labels[0])] * 3


def test_a_saved_model_scores_as_before_and_keeps_everything(model, tmp_path):
    scores = profile_of_scores(model.task.classes, np.linspace(0, 1, 20).reshape(10, 2))
    model = replace(model, scores=scores)
    model.save(tmp_path / "m.sortal")
    loaded_model = load(tmp_path / "m.sortal")
    assert [*scores] == ["yes"]
    assert_array_equal(loaded_model.predict_proba(ROWS), model.predict_proba(ROWS))
    for part in ("schema", "task", "decision", "metrics", "profile", "scores", "card", "version"):
        assert getattr(loaded_model, part) == getattr(model, part)
    loaded_model.save(tmp_path / "again.sortal")
    assert (tmp_path / "again.sortal").read_bytes() == (tmp_path / "m.sortal").read_bytes()


def test_golden_rows_are_no_rows_of_the_data(model, tmp_path):
    rows = [{"age": (i + 1) ** 1.5, "city": f"c{min(i, 40)}", "since": f"20{i:02d}-01-01"} for i in range(60)]
    profiles = profile(table(rows), 5)
    golden = golden_rows(profiles, count=20)
    assert golden == golden_rows(profiles, count=20)
    assert golden.rows[-1] == {}
    years = [datetime.fromisoformat(row["since"]).replace(tzinfo=None) for row in rows]
    microseconds = {int((t - datetime(1970, 1, 1)).total_seconds() * 1e6) for t in years}
    assert {row["city"] for row in golden.rows[:-1]} == {"c40"}
    assert not {row["since"] for row in golden.rows[:-1]} & microseconds
    assert not {row["age"] for row in golden.rows[:-1]} & {row["age"] for row in rows}
    replace(model, golden=golden).save(tmp_path / "m.sortal")
    loaded_model = load(tmp_path / "m.sortal")
    assert loaded_model.golden.rows == golden.rows
    assert np.array(loaded_model.golden.probability).shape == (21, 2)
    assert golden_rows({}, count=0).rows == ({},)


NUMBER = Program("number", {"column": "age"})


def member(reader: Program, coef: float) -> Program:
    fill = Program("fill", {}, {"value": np.zeros(1), "indicator": np.zeros(0, dtype=np.int32)})
    arrays = {"coef": np.full((1, 1), coef), "intercept": np.array([0.5])}
    return Program("table", steps=(reader,)).then(fill, Program("linear", {"link": "sigmoid"}, arrays))


def test_an_ensemble_reads_the_columns_of_all_its_members(model, tmp_path):
    members = member(NUMBER, -0.02), member(Program("number", {"column": "member"}), 1.5)
    calibrator = Program("logit_affine", {}, {"weight": 0.9 * np.eye(2), "bias": np.zeros(2)})
    mean = Program("average", {}, {"weight": np.array([0.3, 0.7])}, members)
    replace(model, program=mean.then(calibrator), golden=golden_rows(model.profile)).save(tmp_path / "m.sortal")
    loaded_model = load(tmp_path / "m.sortal")
    assert loaded_model.reads.names == ("age", "member")
    probabilities = [replace(model, program=program).predict_proba(ROWS) for program in members]
    assert_allclose(
        loaded_model.predict_proba(ROWS),
        compile(calibrator)(np.average(probabilities, axis=0, weights=[0.3, 0.7])),
        atol=1e-15,
    )
    assert len(loaded_model.golden.probability) == 9
    loaded_model.save(tmp_path / "again.sortal")
    assert (tmp_path / "again.sortal").read_bytes() == (tmp_path / "m.sortal").read_bytes()
    with pytest.raises(DataError, match="'member'"):
        loaded_model.predict_proba(pl.DataFrame(ROWS).drop("member"))
    note = member(Program("number", {"column": "note"}), 1.0)
    replace(model, program=Program("average", {}, mean.arrays, (members[0], note))).save(tmp_path / "note.sortal")
    with pytest.raises(ArtifactError, match="reads column 'note'"):
        load(tmp_path / "note.sortal")


def test_a_model_that_scores_its_golden_rows_otherwise_is_refused(model, tmp_path, monkeypatch):
    model.save(tmp_path / "m.sortal")
    monkeypatch.setattr("sortal.artifact.model.Model.score_rows", lambda self, rows: np.array([[0.5, 0.5]]))
    with pytest.raises(ArtifactError, match="golden rows otherwise"):
        load(tmp_path / "m.sortal")


@pytest.mark.parametrize(("off", "is_refused"), [(2e-9, True), (-2e-9, True), (5e-10, False), (np.nan, True)])
def test_a_billionth_is_as_far_as_golden_rows_may_be_off(model, tmp_path, monkeypatch, off, is_refused):
    model.save(tmp_path / "m.sortal")
    score = Model.score_rows
    monkeypatch.setattr(Model, "score_rows", lambda self, rows: score(self, rows) + off * np.array([1.0, -1.0]))
    with pytest.raises(ArtifactError, match="golden rows otherwise") if is_refused else nullcontext():
        load(tmp_path / "m.sortal")


def chain(reader: Program, classes: int = 2) -> Program:
    constant = Program("constant", {}, {"probability": np.full(classes, 1 / classes)})
    return Program("chain", steps=(Program("table", steps=(reader,)), constant))


def test_a_program_that_does_not_fit_is_not_saved(model, tmp_path):
    with pytest.raises(ValueError, match="2 probabilities"):
        replace(model, program=chain(NUMBER, 3)).save(tmp_path / "m.sortal")
    with pytest.raises(ValueError, match="no probabilities"):
        replace(model, program=Program("table", steps=(NUMBER, NUMBER))).save(tmp_path / "m.sortal")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"program": chain(Program("number", {"column": "city"}))}, "'city', whose kind is category"),
        ({"program": chain(Program("number", {"column": "y"}))}, "'y', whose kind is None"),
        ({"program": chain(NUMBER, 3)}, "does not give 2 probabilities a row"),
        ({"program": Program("eval", {"code": "1"})}, "unknown program op 'eval'"),
        ({"decision": Decision("argmax", ("yes", "no"))}, "other classes"),
        ({"golden": Golden()}, "0 golden rows"),
        ({"golden": Golden(({"age": "x"},), ((0.5, 0.5),))}, "no value for 'age'"),
        ({"golden": Golden(({},), ((0.5, 0.5), (0.5, 0.5)))}, "no 2 probabilities each"),
        ({"golden": Golden(({},), ((0.5,), (0.5, 0.5)))}, "no 2 probabilities each"),
    ],
)
def test_contents_that_do_not_fit_each_other_are_refused(model, tmp_path, changes, message):
    from sortal.artifact.store import save

    golden = Golden(({},), ((0.5, 0.5),))
    save(tmp_path / "m.sortal", replace(model, **{"program": chain(NUMBER), "golden": golden, **changes}))
    with pytest.raises(ArtifactError, match=message):
        load(tmp_path / "m.sortal")


def test_values_that_a_file_cannot_hold_are_refused(model, tmp_path):
    odd = Program("linear", {"link": "sigmoid"}, {"coef": np.array([[1.0]], dtype=object)})
    for changes, error in (
        ({"program": odd}, ValueError),
        ({"card": replace(model.card, details={"x": object()})}, TypeError),
    ):
        with pytest.raises(error):
            replace(model, **changes).save(tmp_path / "m.sortal")
    with pytest.raises(OutputError):
        model.save(tmp_path / "no such folder" / "m.sortal")
    assert not list(tmp_path.iterdir())


def test_parity(model):
    canonical = Table(model.schema, conform(pl.DataFrame(ROWS), model.schema, ("feature",)), np.arange(3))
    expected = model.predict_proba(ROWS)
    assert check_parity(model, canonical, expected, 1e-12).max_difference == 0
    near = expected + np.array([1e-7, -1e-7])
    parity = check_parity(model, canonical, near, 1e-6)
    assert (parity.rows, parity.label_flips) == (3, 0)
    assert parity.max_difference == pytest.approx(1e-7)
    with pytest.raises(ParityError, match=r"1\.0e-07 \(allowed: 1e-12\)"):
        check_parity(model, canonical, near, 1e-12)
    with pytest.raises(ParityError, match="3 of 3 labels change"):
        check_parity(model, canonical, expected[:, ::-1], 0.1)
    with pytest.raises(ParityError):
        check_parity(model, canonical, np.where(expected > 2, 0, np.nan), 1e-6)


def test_a_tie_has_no_label_to_flip(model):
    even = replace(model, program=chain(NUMBER))
    canonical = Table(model.schema, conform(pl.DataFrame(ROWS), model.schema, ("feature",)), np.arange(3))
    expected = np.tile([0.5 - 1e-9, 0.5 + 1e-9], (3, 1))
    assert check_parity(even, canonical, expected, 1e-6).label_flips == 0


def test_a_boosted_model_on_raw_columns(tmp_path):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=500), "c": rng.choice(["x", "y", "z"], 500), "b": rng.normal(size=500)})
    frame = frame.with_columns(pl.when(pl.col("a") > 1.2).then(None).otherwise(pl.col("a")).alias("a"))
    code = {"x": 0.0, "y": 1.0, "z": 2.0}
    X = np.column_stack([frame["a"].to_numpy(), frame["c"].replace_strict(code).to_numpy(), frame["b"].to_numpy()])
    y = np.digitize(np.nan_to_num(X[:, 0]) + X[:, 1] - X[:, 2], [0.5, 1.5])
    params = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
    booster = lgb.train(params, lgb.Dataset(X, y, categorical_feature=[1]), 20)
    lookup = Program(
        "lookup", {"column": "c", "categories": list(code)}, {"table": np.array([[0.0], [1], [2], [np.nan], [np.nan]])}
    )
    reader = Program("table", steps=(Program("number", {"column": "a"}), lookup, Program("number", {"column": "b"})))
    schema = Schema((Column("a", "number"), Column("c", "category"), Column("b", "number")))
    classes = ("low", "middle", "high")
    model = Model(
        schema=schema,
        task=Task("y", classes, (0.3, 0.3, 0.4), None, "log_loss", (), ()),
        decision=Decision("argmax", classes),
        program=Program("chain", steps=(reader, from_lightgbm(booster))),
    )
    model.save(tmp_path / "m.sortal")
    canonical = Table(schema, conform(frame, schema), np.arange(500))
    parity = check_parity(load(tmp_path / "m.sortal"), canonical, booster.predict(X, num_threads=1), 1e-12)
    assert parity.rows == 500


def test_a_model_at_another_prevalence_decides_by_the_costs_there(model, tmp_path):
    costs = Decision("threshold", ("no", "yes"), "yes", threshold=0.2, cost=((0.0, 1.0), (4.0, 0.0)))
    usual = replace(model, decision=costs)
    rarer = usual.at_prevalence({"yes": 0.05})
    odds = np.exp(LOG_ODDS) * (0.05 / 0.95) / (0.25 / 0.75)
    assert_allclose(rarer.predict_proba(ROWS)[:, 1], odds / (1 + odds), rtol=1e-12)
    assert (rarer.decide(ROWS) == np.where(odds / (1 + odds) >= 0.2, "yes", "no")).all()
    assert (usual.decide(ROWS) != rarer.decide(ROWS)).any()
    assert (rarer.task.prevalence, rarer.metrics, rarer.card) == ((0.95, 0.05), {}, None)
    rarer.save(tmp_path / "rarer.sortal")
    assert_array_equal(load(tmp_path / "rarer.sortal").predict_proba(ROWS), rarer.predict_proba(ROWS))
    assert_allclose(rarer.at_prevalence({"yes": 0.25}).predict_proba(ROWS), usual.predict_proba(ROWS), rtol=1e-12)


def test_what_was_fitted_to_the_shares_of_training_is_not_moved(model):
    with pytest.raises(OptionError, match="the threshold was fitted to the class shares of training"):
        model.at_prevalence({"yes": 0.05})
    with_sets = replace(
        model, decision=Decision("argmax", ("no", "yes")), sets=Sets("lac", 0.9, (90, 30), (0.2, 0.2), 1.4)
    )
    with pytest.raises(OptionError, match="the sets were fitted"):
        with_sets.at_prevalence({"yes": 0.05})


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "0"),
        (8, "0, 1, 2, 3, 4, 5, 6, 7"),
        (9, "0, 1, 2, 3, 4, 5, 6, 7 and 1 more"),
        (1_009, "0, 1, 2, 3, 4, 5, 6, 7 and 1,001 more"),
    ],
)
def test_of_many_labels_eight_are_named(count, text):
    assert model_module._listed(range(count)) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError(), "ValueError"),
        (MemoryError("x"), "it takes more memory than there is"),
        (ValueError("x" * 200), "x" * 200),
        (ValueError("x" * 201), "x" * 197 + "..."),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_line(error, text):
    assert model_module._reason(error) == text


@pytest.mark.parametrize(
    ("step", "times", "expected"), [(0.001, 30, 0.001), (0.02, 5, 0.02), (0.06, 2, 0.06), (0.2, 1, 0.2)]
)
def test_a_row_is_timed_so_often_and_not_for_long(step, times, expected, monkeypatch):
    requests = []
    ticks = itertools.count()
    monkeypatch.setattr(model_module, "time", SimpleNamespace(perf_counter=lambda: step * next(ticks)))
    seconds = model_module.time_row(SimpleNamespace(predict_proba=requests.append), {"x": 1})
    assert seconds == pytest.approx(expected)
    assert requests == [{"x": 1}] * (1 + times)
