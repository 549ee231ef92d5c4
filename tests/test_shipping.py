"""From training to the model: a run whose ensemble has two members of different families."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal import shipping
from sortal.core.errors import ParityError
from sortal.core.interval import Estimate
from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.core.table import Table
from sortal.engine import Program, compile
from sortal.training import develop, trained
from sortal.training.deadline import Deadline
from sortal.training.ensemble import EnsembleResult
from sortal.training.greedy import mean
from sortal.training.reserve import TimeReserve
from tests.training.conftest import development

pytestmark = pytest.mark.usefixtures("all_hurried")

MEMBERS, WEIGHTS = ("logistic", "tree"), (0.4, 0.6)


@pytest.fixture
def two_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would be chosen, these two are."""
    choose = develop._choose

    def choose_both(*arguments):
        outcome = choose(*arguments)
        results = {result.name: result for result in outcome.explored.results}
        members = tuple(results[name] for name in MEMBERS)
        predictions = mean([member.predictions for member in members], WEIGHTS)
        ensemble = EnsembleResult(members, WEIGHTS, predictions, members[0].fold_scores)
        choice = replace(outcome.choice, winner=ensemble, best=ensemble)
        return replace(outcome, ensemble=ensemble, choice=choice)

    monkeypatch.setattr(develop, "_choose", choose_both)


@pytest.mark.usefixtures("two_members")
def test_two_members_are_trained_shipped_loaded_and_scored(churn: pl.DataFrame, tmp_path: Path) -> None:
    rows, out = churn.head(300), tmp_path / "run"
    run = sortal.train(rows, target="Churn", models=["logistic"], budget=600, out=out)
    model = sortal.load(out / "model.sortal")
    members = model.program.steps[0]
    assert (members.op, len(members.steps)) == ("average", 2)
    assert members.arrays["weight"].tolist() == [*WEIGHTS]
    assert [step.op for step in model.program.steps[1:]] in ([], ["average"])
    assert run.record.artifact.parity.max_difference <= 1e-12
    assert run.record.artifact.parity.label_flips == 0
    assert len(model.golden.probability) == len(model.golden.rows) > 1
    check = next(item for item in run.record.checklist if item.item == "one pipeline with its preprocessing")
    assert check.status == "holds"
    assert "table" in check.evidence
    assert sum(column.value for column in run.record.importance.columns) == pytest.approx(1)
    probability = model.predict_proba(rows)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    single = model.predict_proba(rows.row(0, named=True))
    assert np.array_equal(single, model.predict_proba(rows.head(1)))
    np.testing.assert_allclose(single, probability[:1], rtol=1e-14)  # BLAS sums up one row in another order than many
    row = run.record.chosen
    assert (row.name, row.family, row.baseline) == ("ensemble", "ensemble", False)
    assert row.weights == dict(zip(MEMBERS, WEIGHTS, strict=True))
    assert row.note == "of 2: .60 tree, .40 logistic"
    assert run.record.selection.refit_gain is not None
    assert {baseline.name: baseline.margin is not None for baseline in run.record.baselines}["majority"]
    repeat = sortal.train(rows, recipe=out / "recipe.toml", out=tmp_path / "again")
    assert (tmp_path / "again" / "model.sortal").read_bytes() == (out / "model.sortal").read_bytes()
    assert repeat.record.selection == run.record.selection


def test_what_is_proven_is_the_file_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev, task = development(2)
    reserve = TimeReserve(Deadline(time.monotonic(), 600.0), closing=0.0, closing_rows=0)
    result = trained.train_rows(dev.table, dev.codes, task, Recipe.of("y", models=("logistic",)), reserve, Observer())
    ensemble, no_calibration = result.finalized.ensemble, replace(result.finalized.calibration, program=None)
    result = replace(
        result, finalized=replace(result.finalized, calibration=no_calibration, program=ensemble.program())
    )
    model, parity = shipping.ship(dev.table, task, result)
    figures = {"log_loss": Estimate(0.5, 0.4, 0.6)}
    saved_model, _ = shipping.ship(dev.table, task, result, figures, tmp_path / "m.sortal")
    assert parity.rows == len(dev.table)
    assert (model.metrics, saved_model.metrics) == ({}, {"out-of-fold": figures})
    assert np.array_equal(model.predict_proba(dev.table.frame), saved_model.predict_proba(dev.table.frame))
    assert len(saved_model.golden.probability) > len(model.golden.probability) == 0
    monkeypatch.setattr(shipping, "load", lambda path: replace(saved_model, program=no_program(len(task.classes))))
    with pytest.raises(ParityError, match="does not reproduce the trained one"):
        shipping.ship(dev.table, task, result, figures, tmp_path / "m.sortal")


def no_program(classes: int) -> Program:
    reader = Program("table", steps=(Program("number", {"column": "x"}),))
    return reader.then(Program("constant", arrays={"probability": np.full(classes, 1 / classes)}))


def test_a_calibration_that_makes_much_of_sure_probabilities_stops_no_training() -> None:
    """A library's 1 - p is exact to 1e-16 only, so that of two ways to sum 1e-15 is another number in its first digit."""
    dev, task = development(2)
    reserve = TimeReserve(Deadline(time.monotonic(), 600.0), closing=0.0, closing_rows=0)
    result = trained.train_rows(dev.table, dev.codes, task, Recipe.of("y", models=("logistic",)), reserve, Observer())
    flatter = Program("logit_affine", arrays={"weight": np.eye(2) / 3, "bias": np.zeros(2)})
    ensemble = result.finalized.ensemble
    final = replace(
        result.finalized,
        calibration=replace(result.finalized.calibration, program=flatter),
        program=ensemble.program().then(flatter),
    )
    far = Table(dev.table.schema, dev.table.frame.with_columns(pl.col("x") * 8), dev.table.rows)
    by_library = compile(flatter)(ensemble.predict_proba(far))
    by_program = compile(final.program)(far.columns(["x", "noise", "colour"]))
    assert np.abs(by_library - by_program).max() > 1e-10
    model, parity = shipping.ship(far, task, replace(result, finalized=final))
    assert parity.max_difference <= 1e-12
    assert np.array_equal(model.predict_proba(far.frame), by_program)
