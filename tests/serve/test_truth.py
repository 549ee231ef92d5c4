"""What labels in a log say of a model: the same as ``sortal evaluate`` of the same rows."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sortal.artifact.model import Model
from sortal.core.interval import Estimate
from sortal.core.labels import no_class_note
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.evaluation import evaluate
from sortal.serve import truth
from sortal.serve.deployment import ServedModel
from sortal.serve.log.records import Label, LabelledPrediction, LabelRecord, PredictionRecord
from sortal.serve.truth import judge_log, last_answers

NOW = 1_800_000_000.0
SHA256 = "ab" * 32


def a_model() -> Model:
    """A logistic regression of one number, whose classes are true and false."""
    steps = (
        Program("table", steps=(Program("number", {"column": "age"}),)),
        Program("fill", {}, {"value": np.array([40.0]), "indicator": np.array([], dtype=np.int32)}),
        Program("linear", {"link": "sigmoid"}, {"coef": np.array([[0.1]]), "intercept": np.array([-4.0])}),
    )
    return Model(
        schema=Schema((Column("age", "number"), Column("email", "category"), Column("y", "boolean", "target"))),
        task=Task("y", ("false", "true"), (0.5, 0.5), "true", "log_loss", ("roc_auc",), (), label_type="bool"),
        decision=Decision("threshold", ("false", "true"), "true", threshold=0.4),
        program=Program("chain", steps=steps),
        metrics={"test": {"roc_auc": Estimate(0.8, 0.75, 0.85), "recall": Estimate(0.9, 0.85, 0.95)}},
        profile={"age": ColumnProfile("age", "number", 900, 0, 70, ends=(18.0, 90.0))},
    )


MODEL = a_model()
SERVED_MODEL = ServedModel("churn", SHA256, MODEL)


def log_rows(
    ages: list[float], labels: list[bool | None], at: list[float], *, sha256: str = SHA256, with_inputs: bool = True
) -> list[LabelledPrediction]:
    """Rows as a service logs them."""
    answers = MODEL.answer({"age": ages})
    return [
        LabelledPrediction(
            PredictionRecord(
                row_id=f"row {number}",
                time=at[number],
                model=sha256,
                role="champion",
                inputs={"age": age, "email": "x@example.org"} if with_inputs else {},
                prediction=answers.labels[number].item(),
                probabilities=tuple(answers.probabilities[number].tolist()),
                decision=answers.decisions[number].item(),
                set=None,
                warnings=(),
                seconds=0.001,
            ),
            None if labels[number] is None else LabelRecord(f"row {number}", bool(labels[number]), NOW),
        )
        for number, age in enumerate(ages)
    ]


class Log:
    """What a store does, in a list."""

    def __init__(self, rows: list[LabelledPrediction]) -> None:
        self.rows = rows

    def labelled(self, model: str, most: int, *, inputs: bool = True) -> Iterator[LabelledPrediction]:
        assert inputs
        rows = sorted(self.rows, key=lambda row: -row.prediction.time)
        return (row for row in rows[:most] if row.label is not None and row.prediction.model == model)


@pytest.fixture(scope="module")
def rows() -> tuple[list[float], list[bool | None]]:
    rng = np.random.default_rng(0)
    ages = rng.uniform(18, 90, 400).round(1)
    labels = rng.random(400) < 1 / (1 + np.exp(4 - 0.1 * ages))
    return ages.tolist(), [bool(label) if number % 4 else None for number, label in enumerate(labels)]


def test_labels_say_what_evaluate_says(rows: tuple[list[float], list[bool | None]], tmp_path: Path) -> None:
    ages, labels = rows
    result = judge_log(SERVED_MODEL, Log(log_rows(ages, labels, np.linspace(NOW - 9e6, NOW - 1, 400).tolist())))
    with (tmp_path / "new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "y"])
        writer.writerows((a, str(y).lower()) for a, y in reversed([*zip(ages, labels, strict=True)]) if y is not None)
    MODEL.save(tmp_path / "model.sortal")
    expected = evaluate(tmp_path / "model.sortal", [str(tmp_path / "new.csv")])
    assert (result["rows"], result["note"]) == (300, "")
    comparisons = {comparison["metric"]: comparison for comparison in result["evaluation"]["comparisons"]}
    assert comparisons.keys() == {comparison.metric for comparison in expected.comparisons} >= {"roc_auc", "recall"}
    for comparison in expected.comparisons:
        now = comparisons[comparison.metric]
        assert now["verdict"] == comparison.verdict
        figures = [now["observed"][end] for end in ("value", "low", "high")]
        assert figures == pytest.approx(
            [comparison.observed.value, comparison.observed.low, comparison.observed.high], abs=1e-9
        )
    assert result["names"]["roc_auc"] == "ROC-AUC"
    assert result["since"] < result["until"] <= NOW


def test_the_last_answer_to_a_row_counts_and_other_models_do_not() -> None:
    last, first = log_rows([80.0], [True], [NOW - 5]), log_rows([20.0], [True], [NOW - 10])
    other = log_rows([30.0, 40.0], [None, True], [NOW - 3, NOW - 2], sha256="cd" * 32)
    log = Log([*first, *last, *other])
    assert [row.prediction.inputs["age"] for row in last_answers(log.labelled(SHA256, 9))] == [80.0]
    assert judge_log(SERVED_MODEL, log)["rows"] == 1


def test_of_many_labels_the_last_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "MOST", 50)
    log = Log(log_rows([30.0] * 200, [True] * 200, np.linspace(NOW - 200, NOW - 1, 200).tolist()))
    result = judge_log(SERVED_MODEL, log)
    assert (result["rows"], result["note"]) == (50, "of the last 50 labels")
    assert result["since"] == log.rows[150].prediction.time


@pytest.mark.parametrize("labels", [[], [None, None]])
def test_without_labels_it_says_so(labels: list[bool | None]) -> None:
    log = Log(log_rows([30.0] * len(labels), labels, [NOW - 1] * len(labels)))
    note = "no label has come yet of a row that this model answered"
    assert judge_log(SERVED_MODEL, log) == {"rows": 0, "note": note}


def test_where_the_figures_cannot_be_made_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(log_rows([30.0, 40.0], [True, False], [NOW - 2, NOW - 1]))
    monkeypatch.setitem(sys.modules, "sortal.record.fresh", None)
    assert "which is not installed" in judge_log(SERVED_MODEL, log)["note"]


def test_a_label_of_no_class_is_left_out() -> None:
    records = log_rows([30.0, 50.0, 60.0], [True, False, True], [NOW - 3, NOW - 2, NOW - 1])
    other = LabelledPrediction(records[1].prediction, LabelRecord("row 1", "perhaps", NOW))
    result = judge_log(SERVED_MODEL, Log([records[0], other, records[2]]))
    assert (result["rows"], result["evaluation"]["of_no_class"]) == (2, 1)
    assert no_class_note(1, "perhaps") in result["evaluation"]["notes"]


@pytest.mark.parametrize("label", [True, 1, 1.0, "true", "1"])
def test_a_label_counts_in_the_type_of_a_former_model(label: Label) -> None:
    records = log_rows([30.0, 50.0], [True, False], [NOW - 2, NOW - 1])
    other = LabelledPrediction(records[0].prediction, LabelRecord("row 0", label, NOW))
    ours, theirs = (judge_log(SERVED_MODEL, Log([row, records[1]])) for row in (records[0], other))
    assert theirs == ours


def test_a_column_that_the_log_must_not_hold_is_not_said_to_be_missing(
    rows: tuple[list[float], list[bool | None]],
) -> None:
    ages, labels = rows
    records = log_rows(ages, labels, np.linspace(NOW - 900, NOW - 1, 400).tolist())
    redacted_rows = log_rows(ages, labels, np.linspace(NOW - 900, NOW - 1, 400).tolist(), with_inputs=False)
    with_inputs, without_inputs = (judge_log(SERVED_MODEL, Log(log))["evaluation"] for log in (records, redacted_rows))
    assert without_inputs["columns_absent"] == ()
    assert without_inputs["comparisons"] == with_inputs["comparisons"]
